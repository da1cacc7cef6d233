/* base_daemon_sandbox_test.c - what a daemon in a stranger's hands can't do, and what it must be able to do
 *
 * Under sanitizers there is no filter of system calls, so the build makes this program a second time without them.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/daemon_sandbox.h"

enum outcome { WORKS, FAILS, DIES, REFUSES };

static bool opens(int domain, int type, int protocol)
{
    int fd = socket(domain, type, protocol);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* What a program that takes the process over would do next. Each says whether it could. */

static bool traces(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool mounts(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool becomes_root(void)
{
    return setuid(0) == 0;
}

static bool changes_groups(void)
{
    return setgroups(0, NULL) == 0;
}

static bool makes_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}

static bool clones_into_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool clones_where_no_filter_sees_how(void)
{
    return syscall(SYS_clone3, NULL, 0) == 0 || errno != ENOSYS;
}

static bool loads_program_into_kernel(void)
{
    return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}

static bool submits_to_a_ring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}

static bool reads_another(void)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) >= 0;
}

static bool writes_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED;
}

static bool makes_code_of_data(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED && mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool opens_a_raw_socket(void)
{
    return opens(AF_INET, SOCK_RAW, IPPROTO_ICMP) || opens(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

/* getaddrinfo() does, each time. */
static bool asks_which_addresses_there_are(void)
{
    return opens(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) || errno != EAFNOSUPPORT;
}

static bool opens_another_kind_of_socket(void)
{
    return opens(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) || opens(AF_PACKET, SOCK_DGRAM, 0) ||
           opens(AF_ALG, SOCK_SEQPACKET, 0) || opens(AF_VSOCK, SOCK_STREAM, 0);
}

static bool types_into_terminal(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x") == 0 || errno != ENOSYS;
}

static bool tells_kernel_whom_to_signal(void)
{
    return fcntl(STDIN_FILENO, F_SETOWN, getppid()) == 0 || errno != ENOSYS;
}

static bool limits_another(void)
{
    struct rlimit limit;
    return syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &limit) == 0;
}

static bool makes_a_device(void)
{
    return mknod("/tmp/postern-device", S_IFCHR | 0600, 0) == 0;
}

static bool calls_what_there_is_not(void)
{
    return syscall(100000) != -1 || errno != ENOSYS;
}

/* What it does itself. */

static bool runs(const char *program, const char *argument)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, argument, NULL);
        _exit(errno == EACCES ? 1 : 2);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool runs_itself(void)
{
    return runs("/proc/self/exe", "--itself");
}

static bool runs_a_shell(void)
{
    return runs("/bin/sh", "--version") || runs("/bin/true", NULL);
}

static bool links_symbolically(void)
{
    return symlink("/etc/passwd", "/tmp/postern-link") == 0;
}

static bool moves_between_folders(void)
{
    char from[] = "/tmp/postern-from-XXXXXX", to[] = "/tmp/postern-to-XXXXXX", source[64], target[64];
    if (mkdtemp(from) == NULL || mkdtemp(to) == NULL)
        return false;
    snprintf(source, sizeof source, "%s/mail", from);
    snprintf(target, sizeof target, "%s/mail", to);
    int fd = open(source, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool moved = fd >= 0 && fsync(fd) == 0 && rename(source, target) == 0 && link(target, source) == 0;
    unlink(source);
    unlink(target);
    rmdir(from);
    rmdir(to);
    close(fd);
    return moved;
}

static void *in_thread(void *arg)
{
    return arg;
}

static bool starts_a_thread(void)
{
    pthread_t thread;
    void *result = NULL;
    int it = 0;
    return pthread_create(&thread, NULL, in_thread, &it) == 0 && pthread_join(thread, &result) == 0 && result == &it;
}

static bool speaks_to_the_world(void)
{
    int ends[2];
    return opens(AF_INET, SOCK_STREAM, 0) && opens(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP) &&
           opens(AF_UNIX, SOCK_STREAM, 0) && opens(AF_INET, SOCK_DGRAM, IPPROTO_UDP) &&
           socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

static bool locks_itself_in_again(void)
{
    const char *step;
    return daemon_sandbox_enter(&step) == 1;
}

static const struct {
    const char *name;
    bool (*does)(void);
    enum outcome outcome;
    bool needs_landlock;
} deeds[] = {
    { "traces", traces, DIES, false },
    { "mounts", mounts, DIES, false },
    { "becomes root", becomes_root, DIES, false },
    { "changes groups", changes_groups, DIES, false },
    { "makes a namespace", makes_namespace, DIES, false },
    { "loads a program into the kernel", loads_program_into_kernel, DIES, false },
    { "submits to a ring", submits_to_a_ring, DIES, false },
    { "reads another's memory", reads_another, DIES, false },
    { "clones into a namespace", clones_into_namespace, FAILS, false },
    { "clones where no filter sees how", clones_where_no_filter_sees_how, FAILS, false },
    { "writes code", writes_code, FAILS, false },
    { "makes code of data", makes_code_of_data, FAILS, false },
    { "opens a raw socket", opens_a_raw_socket, FAILS, false },
    { "opens another kind of socket", opens_another_kind_of_socket, FAILS, false },
    { "asks which addresses there are, which is not logged", asks_which_addresses_there_are, FAILS, false },
    { "types into a terminal", types_into_terminal, FAILS, false },
    { "tells the kernel whom to signal", tells_kernel_whom_to_signal, FAILS, false },
    { "limits another", limits_another, FAILS, false },
    { "makes a device", makes_a_device, FAILS, false },
    { "calls what there is not", calls_what_there_is_not, FAILS, false },
    { "runs a shell", runs_a_shell, FAILS, true },
    { "links symbolically", links_symbolically, FAILS, true },
    { "runs itself", runs_itself, WORKS, false },
    { "moves between folders", moves_between_folders, WORKS, false },
    { "starts a thread", starts_a_thread, WORKS, false },
    { "speaks to the world", speaks_to_the_world, WORKS, false },
    { "locks itself in again", locks_itself_in_again, WORKS, false },
};

static _Noreturn void do_it(bool (*does)(void))
{
    const char *step;
    if (daemon_sandbox_enter(&step) < 0) {
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
        _exit(REFUSES);
    }
    _exit(does() ? WORKS : FAILS);
}

#ifdef POSTERN_SANITIZE
static void test_deeds(void **state)
{
    (void)state, (void)deeds, (void)do_it;
    skip();
}

static void test_kernels_and_containers_with_less(void **state)
{
    (void)state;
    skip();
}
#else
static enum outcome outcome_of(int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return DIES;
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), WORKS, FAILS);
    return (enum outcome)WEXITSTATUS(status);
}

static void test_deeds(void **state)
{
    (void)state;
    bool has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 2;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        int status;
        if (deeds[i].needs_landlock && !has_landlock)
            continue;
        pid_t pid = fork();
        if (pid == 0)
            do_it(deeds[i].does);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (outcome_of(status) != deeds[i].outcome)
            fail_msg("%s: status %#x", deeds[i].name, (unsigned)status);
    }
}

/* What old kernels, containers and service managers leave out. */
static const struct {
    const char *name;
    unsigned call, error;
    bool starts;
} missing[] = {
    { "no filters", SYS_seccomp, ENOSYS, false },
    { "filters are forbidden", SYS_seccomp, EPERM, false },
    { "no Landlock", SYS_landlock_create_ruleset, ENOSYS, true },
    { "Landlock is switched off", SYS_landlock_create_ruleset, EOPNOTSUPP, true },
    { "Landlock is forbidden", SYS_landlock_create_ruleset, EPERM, true },
    { "Landlock takes no rules", SYS_landlock_add_rule, EPERM, true },
    { "Landlock takes no ruleset", SYS_landlock_restrict_self, EPERM, true },
};

static bool take_away(unsigned call, unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* It starts without Landlock, and what is left of the fence holds; without filters it does not. */
static void test_kernels_and_containers_with_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0 && take_away(missing[i].call, missing[i].error))
            do_it(traces);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        bool is_locked_in = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        bool refuses = WIFEXITED(status) && WEXITSTATUS(status) == REFUSES;
        if (missing[i].starts ? !is_locked_in : !refuses)
            fail_msg("%s: status %#x", missing[i].name, (unsigned)status);
    }
}
#endif

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--itself") == 0)
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deeds),
        cmocka_unit_test(test_kernels_and_containers_with_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
