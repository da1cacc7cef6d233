#include "base/worker_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/sandbox_filter_internal.h"
#include "base/worker.h"
#include "base/worker_protocol.h"

enum {
    OPEN_FILES_MAX = 32, /* a job's descriptors and a few copies of them */
    MAY_BE_DROPPED = 8 /* MAP_DROPPABLE, since Linux 6.11; the headers may be older than the kernel and the C library */
};

static const rlim_t output_bytes_max = (rlim_t)2 << 30; /* of a file; memory files should be sealed against growing */

static void log_failure(const char *step)
{
    log_error("worker.sandbox_failed", "step=%s error=%s", step, strerror(errno));
}

static int limit_resources(const struct worker_limits *limits)
{
    static const struct sandbox_bound fixed[] = {
        { RLIMIT_CORE, 0 }, /* a core would hold people's mail */
        { RLIMIT_NOFILE, OPEN_FILES_MAX },
        { RLIMIT_FSIZE, output_bytes_max },
        { RLIMIT_NPROC, 0 },
        { RLIMIT_MEMLOCK, 0 },
        { RLIMIT_MSGQUEUE, 0 },
    };
    if (sandbox_limit_all(fixed, sizeof fixed / sizeof fixed[0]) < 0)
        return -1;
    /* Shared mappings, which only the limit of addresses would count, are forbidden below. */
    if (limits->memory_bytes == 0)
        return 1;
    return sandbox_limit_memory(limits->memory_bytes, limits->memory_bytes + limits->mapped_bytes);
}

#ifdef POSTERN_SANITIZE
/* The report of a bug opens files and may start a symbolizer; the sanitizer must be able to tell. */
static int filter_system_calls(void)
{
    return 1;
}
#else
/* Each is harmless on the descriptors that a worker has. */
static const int always_allowed[] = {
    /* content */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(ftruncate),
    SCMP_SYS(fstat), SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(sysinfo),
    /* time, chance, itself */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
    SCMP_SYS(exit_group)
};

static int allow_conditionally(scmp_filter_ctx filter)
{
    /* clang-format off */
    const struct sandbox_rule rules[] = {
        { SCMP_SYS(mprotect),   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) }, /* no new code */
        { SCMP_SYS(recvmsg),    SCMP_A0(SCMP_CMP_EQ, WORKER_SOCKET_FD) },
        { SCMP_SYS(sendmsg),    SCMP_A0(SCMP_CMP_EQ, WORKER_SOCKET_FD) },
        { SCMP_SYS(madvise),    SCMP_A2(SCMP_CMP_EQ, MADV_DONTNEED) }, /* free(), and what was read */
        { SCMP_SYS(futex),      SCMP_A1(SCMP_CMP_EQ, FUTEX_WAKE_PRIVATE) }, /* pthread_once(); there is one thread */
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_GETFD) },
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_SETFD) },
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_GETFL) }, /* fdopen() */
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_DUPFD) },
        { SCMP_SYS(fcntl),      SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC) },
        { SCMP_SYS(tgkill),     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()) }, /* abort() */
    };
    /* clang-format on */
    int error = sandbox_filter_allow(filter, rules, sizeof rules / sizeof rules[0]);
    if (error < 0)
        return error;
    /* fstat() of glibc, as it was till 2.39. It is refused and does not kill: stdio asks, and does without. It can't be allowed, since
     * with the same flag it tells of any path; ours is file_size(). */
    error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(newfstatat), 1,
                             SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    if (error < 0)
        return error;
    /* No new code here either; and nothing that others see change, or that the memory limit does not count. */
    const struct scmp_arg_cmp private_data[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                                 SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE) };
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, private_data);
    if (error < 0)
        return error;
    /* getrandom() of glibc 2.41 keeps its state there. It is private as well, and counts. */
    const struct scmp_arg_cmp random_state[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                                 SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAY_BE_DROPPED) };
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, random_state);
    if (error < 0)
        return error;
    /* malloc() of a later C library may advise so by itself; it is only advice. */
    error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(madvise), 1, SCMP_A2(SCMP_CMP_EQ, MADV_HUGEPAGE));
    if (error < 0)
        return error;
    /* worker_sandbox_renew_cpu(): this process, this one limit */
    const struct scmp_arg_cmp own_cpu_limit[] = { SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU) };
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, own_cpu_limit);
}

static int fill_filter(scmp_filter_ctx filter)
{
    int error =
        sandbox_filter_add(filter, SCMP_ACT_ALLOW, always_allowed, sizeof always_allowed / sizeof always_allowed[0]);
    return error == 0 ? allow_conditionally(filter) : error;
}

static int filter_system_calls(void)
{
    return sandbox_filter_load(SCMP_ACT_KILL_PROCESS, fill_filter);
}
#endif

int worker_sandbox_enter(const struct worker_limits *limits)
{
    const char *step = "limits";
    if (limit_resources(limits) == 1 && sandbox_lock_in(filter_system_calls, &step) == 1)
        return 1;
    log_failure(step);
    return -1;
}

void worker_sandbox_renew_cpu(unsigned seconds)
{
    struct timespec used;
    struct rlimit limit;
    if (seconds == 0 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
        return;
    rlim_t until = (rlim_t)used.tv_sec + 1 + seconds; /* the kernel counts whole seconds */
    limit.rlim_cur = until < limit.rlim_max ? until : limit.rlim_max;
    /* A limit that cannot be renewed is still in force, and ends the worker early: nothing to report. */
    (void)setrlimit(RLIMIT_CPU, &limit);
}
