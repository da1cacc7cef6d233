#include "base/resolver_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/sandbox_filter_internal.h"

enum { OPEN_FILES_MAX = 1024 };                               /* sockets, mostly: one for each packet under way */
static const uint64_t memory_bytes_max = UINT64_C(256) << 20; /* its caches have limits of their own, far below */

static int limit_resources(void)
{
    static const struct sandbox_bound fixed[] = {
        { RLIMIT_CORE, 0 },     { RLIMIT_NOFILE, OPEN_FILES_MAX }, { RLIMIT_FSIZE, 0 }, { RLIMIT_MEMLOCK, 0 },
        { RLIMIT_MSGQUEUE, 0 },
    };
    if (sandbox_limit_all(fixed, sizeof fixed / sizeof fixed[0]) < 0)
        return -1;
    return sandbox_limit_memory(memory_bytes_max, 0);
}

#ifdef POSTERN_SANITIZE
static int filter_system_calls(void)
{
    return 1;
}
#else
static const int always_allowed[] = {
    /* what it says and hears */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat),
    SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_create), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    /* memory and threads */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(sysinfo),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    /* time, chance, itself */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)
};

/* UDP and TCP: the kernel would load modules for other protocols. */
static int allow_sockets(scmp_filter_ctx filter)
{
    enum { TYPE = 0xf }; /* the rest are flags */
    static const scmp_datum_t families[] = { AF_INET, AF_INET6 };
    static const struct {
        scmp_datum_t type, protocol;
    } kinds[] = { { SOCK_DGRAM, 0 }, { SOCK_DGRAM, IPPROTO_UDP }, { SOCK_STREAM, 0 }, { SOCK_STREAM, IPPROTO_TCP } };
    int error = 0;
    for (size_t i = 0; error == 0 && i < 2 * sizeof kinds / sizeof kinds[0]; i++) {
        const struct scmp_arg_cmp conditions[] = { SCMP_A0(SCMP_CMP_EQ, families[i % 2]),
                                                   SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE, kinds[i / 2].type),
                                                   SCMP_A2(SCMP_CMP_EQ, kinds[i / 2].protocol) };
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, conditions);
    }
    return error;
}

static int allow_conditionally(scmp_filter_ctx filter)
{
    /* clang-format off */
    const struct sandbox_rule rules[] = {
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_GETFL) }, /* others can have the kernel send signals to the daemon */
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_SETFL) },
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_GETFD) },
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_SETFD) },
        { SCMP_SYS(mmap),       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) }, /* no new code */
        { SCMP_SYS(mprotect),   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
        { SCMP_SYS(clone),      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) }, /* threads, no processes */
        { SCMP_SYS(ioctl),      SCMP_A1(SCMP_CMP_EQ, FIONBIO) },
        { SCMP_SYS(tgkill),     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()) }, /* abort() */
        { SCMP_SYS(prlimit64),  SCMP_A2(SCMP_CMP_EQ, 0) }, /* asks only: pthread_create() wants to know */
    };
    /* clang-format on */
    int error = sandbox_filter_allow(filter, rules, sizeof rules / sizeof rules[0]);
    if (error < 0)
        return error;
    /* Its flags are behind a pointer, where a filter can't look; without it the C library takes clone(). */
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int fill_filter(scmp_filter_ctx filter)
{
    int error =
        sandbox_filter_add(filter, SCMP_ACT_ALLOW, always_allowed, sizeof always_allowed / sizeof always_allowed[0]);
    if (error == 0)
        error = allow_sockets(filter);
    return error == 0 ? allow_conditionally(filter) : error;
}

static int filter_system_calls(void)
{
    return sandbox_filter_load(SCMP_ACT_ERRNO(EPERM), fill_filter);
}
#endif

int resolver_sandbox_enter(const char **step_out)
{
    *step_out = "limits";
    return limit_resources() == 1 ? sandbox_lock_in(filter_system_calls, step_out) : -1;
}
