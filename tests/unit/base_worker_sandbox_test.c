/* base_worker_sandbox_test.c - every system call, as a worker in a stranger's hands would try it
 *
 * Under sanitizers there is no filter of system calls, so the build makes this program a second time without them. What workers
 * try on purpose, and what then happens to their jobs, is in base_worker_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/worker.h"
#include "base/worker_sandbox.h"

enum { CALLS_END = 700, X32 = 0x40000000, FILE_FD = 3, OTHER_FD = 4, ARGUMENTS = 6, DROPPABLE = 8 };

enum fate { ALLOWED, REFUSED, KILLED };

/* What became of a process that locked itself in and made this one call. */
static enum fate try_call(long number, const long arguments[static ARGUMENTS])
{
    static const struct worker_limits limits = { 0 };
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (worker_sandbox_enter(&limits) < 0)
            _exit(2);
        errno = 0;
        syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
        _exit(errno == EPERM ? 3 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return KILLED;
    return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? REFUSED : ALLOWED;
}

/* All that a worker may do whatever the arguments are. Whoever adds one says in worker_sandbox.c what it is good for. */
static const long allowed[] = {
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_ftruncate,
    SYS_fstat,
    SYS_close,
    SYS_dup,
    SYS_dup3,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_sysinfo,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_rt_sigreturn,
    SYS_rt_sigprocmask,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
#ifdef SYS_dup2
    SYS_dup2,
#endif
#ifdef SYS_time
    SYS_time,
#endif
};

static bool is_allowed(long number)
{
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (allowed[i] == number)
            return true;
    }
    return false;
}

/* uretprobe and uprobe: the kernel itself makes them in programs that are traced, lets them past every filter, and ends with a signal
 * who makes them without. */
static bool is_beyond_filters(long number)
{
#ifdef __x86_64__
    return number == 335 || number == 336;
#else
    return number < 0;
#endif
}

/* With arguments that mean nothing: what is allowed only with certain ones is not allowed with these. */
static void test_every_other_call_kills(void **state)
{
    static const long nonsense[ARGUMENTS] = { -1, -1, -1, -1, -1, -1 };
    (void)state;
#ifdef POSTERN_SANITIZE
    skip();
#endif
    for (long number = 0; number < CALLS_END; number++) {
        if (is_beyond_filters(number))
            continue;
        enum fate fate = try_call(number, nonsense);
        enum fate expected = is_allowed(number) ? ALLOWED : number == SYS_newfstatat ? REFUSED : KILLED;
        if (fate != expected)
            fail_msg("call %ld: fate %d, not %d", number, (int)fate, (int)expected);
    }
#ifdef __x86_64__
    for (long number = 0; number < CALLS_END; number += 7) {
        if (try_call(X32 | number, nonsense) != KILLED)
            fail_msg("call %ld of x32 is let through", number);
    }
#endif
}

/* FILE_FD is a file, and the number of a worker's socket; OTHER_FD is a file too. */
static const struct {
    const char *what;
    long number;
    long arguments[ARGUMENTS];
    enum fate fate;
} cases[] = {
    { "memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }, ALLOWED },
    { "memory for code", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }, KILLED },
    { "shared memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 }, KILLED },
    { "memory for getrandom()",
      SYS_mmap,
      { 0, 4096, PROT_READ | PROT_WRITE, DROPPABLE | MAP_ANONYMOUS, -1, 0 },
      ALLOWED },
    { "such memory for code", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, DROPPABLE | MAP_ANONYMOUS, -1, 0 }, KILLED },
    { "a file to be read", SYS_mmap, { 0, 4096, PROT_READ, MAP_PRIVATE, OTHER_FD, 0 }, ALLOWED },
    { "a file that is shared", SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED, OTHER_FD, 0 }, KILLED },
    { "a file that is shared, checked", SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED_VALIDATE, OTHER_FD, 0 }, KILLED },
    { "memory that becomes code", SYS_mprotect, { 0, 0, PROT_READ | PROT_EXEC, 0, 0, 0 }, KILLED },
    { "memory that is given back", SYS_madvise, { 0, 0, MADV_DONTNEED, 0, 0, 0 }, ALLOWED },
    { "memory that is merged with others'", SYS_madvise, { 0, 0, MADV_MERGEABLE, 0, 0, 0 }, KILLED },
    { "memory in large pages", SYS_madvise, { 0, 0, MADV_HUGEPAGE, 0, 0, 0 }, REFUSED },
    { "memory that is locked", SYS_mlock, { 0, 4096, 0, 0, 0, 0 }, KILLED },
    { "waking nobody", SYS_futex, { 0, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0 }, ALLOWED },
    { "waiting", SYS_futex, { 0, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0 }, KILLED },
    { "moving who waits", SYS_futex, { 0, FUTEX_CMP_REQUEUE_PI, 1, 0, 0, 0 }, KILLED },
    { "flags", SYS_fcntl, { OTHER_FD, F_GETFL, 0, 0, 0, 0 }, ALLOWED },
    { "other flags", SYS_fcntl, { OTHER_FD, F_SETFL, O_NONBLOCK, 0, 0, 0 }, KILLED },
    { "a copy", SYS_fcntl, { OTHER_FD, F_DUPFD_CLOEXEC, 0, 0, 0, 0 }, ALLOWED },
    { "whom to signal", SYS_fcntl, { OTHER_FD, F_SETOWN, 1, 0, 0, 0 }, KILLED },
    { "which signal", SYS_fcntl, { OTHER_FD, F_SETSIG, SIGKILL, 0, 0, 0 }, KILLED },
    { "a lease", SYS_fcntl, { OTHER_FD, F_SETLEASE, F_RDLCK, 0, 0, 0 }, KILLED },
    { "a lock", SYS_fcntl, { OTHER_FD, F_SETLK, 0, 0, 0, 0 }, KILLED },
    { "seals", SYS_fcntl, { OTHER_FD, F_ADD_SEALS, F_SEAL_WRITE, 0, 0, 0 }, KILLED },
    { "hearing on the socket", SYS_recvmsg, { FILE_FD, 0, 0, 0, 0, 0 }, ALLOWED },
    { "hearing on another", SYS_recvmsg, { OTHER_FD, 0, 0, 0, 0, 0 }, KILLED },
    { "speaking on the socket", SYS_sendmsg, { FILE_FD, 0, 0, 0, 0, 0 }, ALLOWED },
    { "speaking on another", SYS_sendmsg, { OTHER_FD, 0, 0, 0, 0, 0 }, KILLED },
    { "its processor time", SYS_prlimit64, { 0, RLIMIT_CPU, 0, 0, 0, 0 }, ALLOWED },
    { "its memory", SYS_prlimit64, { 0, RLIMIT_DATA, 0, 0, 0, 0 }, KILLED },
    { "others' processor time", SYS_prlimit64, { 1, RLIMIT_CPU, 0, 0, 0, 0 }, KILLED },
    { "signals to others", SYS_tgkill, { 1, 1, 0, 0, 0, 0 }, KILLED },
    { "paths", SYS_newfstatat, { AT_FDCWD, (long)"/etc/passwd", 0, 0, 0, 0 }, KILLED },
};

static void test_arguments(void **state)
{
    (void)state;
#ifdef POSTERN_SANITIZE
    skip();
#endif
    int file = memfd_create("file", 0);
    assert_true(file >= 0 && ftruncate(file, 4096) == 0);
    assert_true(dup2(file, FILE_FD) == FILE_FD && dup2(file, OTHER_FD) == OTHER_FD);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum fate fate = try_call(cases[i].number, cases[i].arguments);
        if (fate != cases[i].fate)
            fail_msg("%s: fate %d, not %d", cases[i].what, (int)fate, (int)cases[i].fate);
    }
}

/* fstat() of older C libraries is this call with an empty path; with any other path it would tell what files there are. */
static void test_flag_for_empty_paths_does_not_show_whether_a_file_is_there(void **state)
{
    static struct stat found;
    (void)state;
#ifdef POSTERN_SANITIZE
    skip();
#endif
    const long arguments[ARGUMENTS] = { AT_FDCWD, (long)"/etc/passwd", (long)&found, AT_EMPTY_PATH, 0, 0 };
    assert_int_equal(try_call(SYS_newfstatat, arguments), REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_other_call_kills),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_flag_for_empty_paths_does_not_show_whether_a_file_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
