#include "base/daemon_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/sandbox.h"
#include "base/sandbox_filter_internal.h"

#ifdef POSTERN_SANITIZE
int daemon_sandbox_enter(const char **step_out)
{
    *step_out = NULL;
    return 1;
}
#else

/* docs/SECURITY.md says which process makes which of them, and a test reads both lists. Those that a newer C library may take in place
 * of one of these are among them. */
static const int always_allowed[] = {
    /* descriptors */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
    SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(lseek), SCMP_SYS(close),
    SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2), SCMP_SYS(signalfd4), SCMP_SYS(memfd_create), SCMP_SYS(sendfile), SCMP_SYS(copy_file_range),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
    /* files */
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(stat), SCMP_SYS(lstat),
    SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access),
    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
    SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat),
    SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(fchownat),
    SCMP_SYS(umask), SCMP_SYS(utimensat), SCMP_SYS(truncate), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    SCMP_SYS(fadvise64), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range), SCMP_SYS(syncfs),
    SCMP_SYS(flock),
    /* connections; which sockets there can be is below */
    SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(sendto),
    SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
    /* memory and threads */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(msync), SCMP_SYS(mincore),
    SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(get_robust_list), SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(getcpu), SCMP_SYS(arch_prctl),
    SCMP_SYS(get_thread_area), SCMP_SYS(set_thread_area),
    /* children: what they are is for Landlock, and for their own filters */
    SCMP_SYS(execve), SCMP_SYS(clone3), /* but see fill_quiet() */
    SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* what they lock themselves in with; none of it can loosen anything */
    SCMP_SYS(seccomp), SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_restrict_self),
    SCMP_SYS(capget), SCMP_SYS(capset), SCMP_SYS(setrlimit),
    /* signals, time, chance, who we are */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigpending), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(pause), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(times), SCMP_SYS(getitimer), SCMP_SYS(setitimer), SCMP_SYS(alarm), SCMP_SYS(getrandom), SCMP_SYS(uname),
    SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(getrlimit), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
    SCMP_SYS(getpgrp), SCMP_SYS(getpgid), SCMP_SYS(getsid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups), SCMP_SYS(getpriority)
};

/* Names that the oldest libseccomp does not know; one that the installed one does not know either can't be refused by mistake:
 * the C library is no newer, or takes ENOSYS for an answer. */
static const char *const allowed_if_known[] = { "fchmodat2", "futex_wait", "futex_wake", "futex_requeue" };

/* Whoever makes one of these is not the program that we wrote. */
static const int deadly[] = {
    /* other processes' memory and descriptors */
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
    /* the machine */
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount),
    SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(quotactl), SCMP_SYS(acct),
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(syslog), SCMP_SYS(iopl),
    SCMP_SYS(ioperm), SCMP_SYS(vhangup),
    /* parts of the kernel in which faults have been found often */
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(fanotify_init),
    SCMP_SYS(fanotify_mark), SCMP_SYS(open_by_handle_at), SCMP_SYS(modify_ldt), SCMP_SYS(uselib), SCMP_SYS(personality),
    SCMP_SYS(vmsplice),
    /* becoming somebody else: that is over when this is loaded */
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
    SCMP_SYS(setresgid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(setgroups), SCMP_SYS(unshare), SCMP_SYS(setns)
};

static int add_known(scmp_filter_ctx filter)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof allowed_if_known / sizeof allowed_if_known[0]; i++) {
        int call = seccomp_syscall_resolve_name(allowed_if_known[i]);
        if (call >= 0)
            error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 0, NULL);
    }
    return error;
}

/* The kernel would load modules for other protocols. */
static int allow_sockets(scmp_filter_ctx filter)
{
    enum { TYPE = 0xf }; /* the rest are flags */
    static const struct {
        scmp_datum_t family, type, protocol;
    } kinds[] = {
        { AF_UNIX, SOCK_STREAM, 0 },
        { AF_UNIX, SOCK_DGRAM, 0 },
        { AF_UNIX, SOCK_SEQPACKET, 0 },
        { AF_INET, SOCK_STREAM, 0 },
        { AF_INET, SOCK_STREAM, IPPROTO_TCP },
        { AF_INET, SOCK_DGRAM, 0 },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP },
        { AF_INET6, SOCK_STREAM, 0 },
        { AF_INET6, SOCK_STREAM, IPPROTO_TCP },
        { AF_INET6, SOCK_DGRAM, 0 },
        { AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
        { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, /* but see fill_quiet() */
    };
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct scmp_arg_cmp conditions[] = { SCMP_A0(SCMP_CMP_EQ, kinds[i].family),
                                                   SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE, kinds[i].type),
                                                   SCMP_A2(SCMP_CMP_EQ, kinds[i].protocol) };
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, conditions);
    }
    return error;
}

/* For calls of which only these values of one argument are allowed. */
static int allow_values(scmp_filter_ctx filter)
{
    static const struct {
        int syscall;
        unsigned argument;
        scmp_datum_t value;
    } values[] = {
        { SCMP_SYS(socketpair), 0, AF_UNIX },
        { SCMP_SYS(fcntl), 1, F_DUPFD },
        { SCMP_SYS(fcntl), 1, F_DUPFD_CLOEXEC },
        { SCMP_SYS(fcntl), 1, F_GETFD },
        { SCMP_SYS(fcntl), 1, F_SETFD },
        { SCMP_SYS(fcntl), 1, F_GETFL },
        { SCMP_SYS(fcntl), 1, F_SETFL },
        { SCMP_SYS(fcntl), 1, F_GETLK },
        { SCMP_SYS(fcntl), 1, F_SETLK },
        { SCMP_SYS(fcntl), 1, F_SETLKW },
        { SCMP_SYS(fcntl), 1, F_OFD_GETLK },
        { SCMP_SYS(fcntl), 1, F_OFD_SETLK },
        { SCMP_SYS(fcntl), 1, F_OFD_SETLKW },
        { SCMP_SYS(fcntl), 1, F_ADD_SEALS },
        { SCMP_SYS(fcntl), 1, F_GET_SEALS },
        { SCMP_SYS(fcntl), 1, F_SETLEASE }, /* whether anybody else has a file open for writing */
        { SCMP_SYS(fcntl), 1, F_SETSIG },
        { SCMP_SYS(ioctl), 1, FIONBIO },
        { SCMP_SYS(ioctl), 1, FIONREAD },
        { SCMP_SYS(ioctl), 1, TCGETS }, /* isatty(); everything else that a terminal takes is input for somebody */
        { SCMP_SYS(prlimit64), 0, 0 },  /* itself */
        { SCMP_SYS(prctl), 0, PR_SET_PDEATHSIG },
        { SCMP_SYS(prctl), 0, PR_SET_NO_NEW_PRIVS },
        { SCMP_SYS(prctl), 0, PR_GET_NO_NEW_PRIVS },
        { SCMP_SYS(prctl), 0, PR_SET_DUMPABLE },
        { SCMP_SYS(prctl), 0, PR_GET_DUMPABLE },
        { SCMP_SYS(prctl), 0, PR_SET_SECCOMP },
        { SCMP_SYS(prctl), 0, PR_GET_SECCOMP },
        { SCMP_SYS(prctl), 0, PR_CAPBSET_READ },
        { SCMP_SYS(prctl), 0, PR_CAPBSET_DROP },
        { SCMP_SYS(prctl), 0, PR_SET_NAME },
        { SCMP_SYS(prctl), 0, PR_GET_NAME },
    };
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof values / sizeof values[0]; i++) {
        const struct scmp_arg_cmp condition = { values[i].argument, SCMP_CMP_EQ, values[i].value, 0 };
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, values[i].syscall, 1, &condition);
    }
    return error;
}

static int allow_masked(scmp_filter_ctx filter)
{
    static const scmp_datum_t new_namespaces =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    static const scmp_datum_t write_and_execute = PROT_WRITE | PROT_EXEC;
    /* clang-format off */
    const struct sandbox_rule rules[] = {
        { SCMP_SYS(clone),    SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces, 0) },
        /* A child's libraries are executable, and never written to. Each is what its file holds. */
        { SCMP_SYS(mmap),     SCMP_A2(SCMP_CMP_MASKED_EQ, write_and_execute, 0) },
        { SCMP_SYS(mmap),     SCMP_A2(SCMP_CMP_MASKED_EQ, write_and_execute, PROT_WRITE) },
        { SCMP_SYS(mmap),     SCMP_A2(SCMP_CMP_MASKED_EQ, write_and_execute, PROT_EXEC) },
        { SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
    };
    /* clang-format on */
    return sandbox_filter_allow(filter, rules, sizeof rules / sizeof rules[0]);
}

static int set_attributes(scmp_filter_ctx filter)
{
    enum { BINARY_TREE = 2 };
    static const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
    } attributes[] = {
        { SCMP_FLTATR_CTL_TSYNC, 1 },
        { SCMP_FLTATR_CTL_LOG, 1 },
        { SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE },
    };
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof attributes / sizeof attributes[0]; i++)
        error = seccomp_attr_set(filter, attributes[i].attribute, attributes[i].value);
    return error;
}

static int fill_filter(scmp_filter_ctx filter)
{
    int error = set_attributes(filter);
    if (error == 0)
        error = sandbox_filter_add(filter, SCMP_ACT_ALLOW, always_allowed,
                                   sizeof always_allowed / sizeof always_allowed[0]);
    if (error == 0)
        error = add_known(filter);
    if (error == 0)
        error = sandbox_filter_add(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof deadly[0]);
    if (error == 0)
        error = allow_sockets(filter);
    if (error == 0)
        error = allow_values(filter);
    return error == 0 ? allow_masked(filter) : error;
}

/* What the C library tries each time, and can do without: a filter of its own, because the kernel's log shall not tell. clone3() has its flags
 * behind a pointer, where a filter can't look; clone() is taken then. getaddrinfo() asks which addresses the machine has; it takes it that
 * there are some of both kinds then. */
static int fill_quiet(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
    return error;
}

int daemon_sandbox_enter(const char **step_out)
{
    *step_out = NULL;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        *step_out = "no-new-privs";
    else if (sandbox_execute_only_self() < 0)
        *step_out = "landlock";
    else if (sandbox_filter_load(SCMP_ACT_ALLOW, fill_quiet) < 0 ||
             sandbox_filter_load(SCMP_ACT_ERRNO(ENOSYS), fill_filter) < 0)
        *step_out = "seccomp";
    return *step_out == NULL ? 1 : -1;
}
#endif
