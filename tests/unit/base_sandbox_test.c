/* base_sandbox_test.c - the steps that sandboxes share: their order, which one failed, what a filter makes of calls without a rule
 *
 * What each sandbox then forbids is in base_worker_sandbox_test.c, base_resolver_sandbox_test.c and base_daemon_sandbox_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/sandbox_filter_internal.h"

enum { FAILS = 99, NO_SUCH_LIMIT = 10000, SOME_CALL = SYS_getpriority, OTHER_CALL = SYS_getpgid };

/* What is given up stays so: each try is a process of its own, whose status as of waitpid() is returned. */
static int status_of(int (*try)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        (void)syscall(SYS_exit_group, try()); /* sanitizers make more calls in _exit() */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect_exit(int (*try)(void), int expected)
{
    int status = status_of(try);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void expect_killed(int (*try)(void))
{
    int status = status_of(try);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* ---- limits ---- */

static int limit_two(void)
{
    static const struct sandbox_bound bounds[] = { { RLIMIT_NOFILE, 20 }, { RLIMIT_FSIZE, 1000 } };
    struct rlimit files, size;
    if (sandbox_limit_all(bounds, 2) != 1 || getrlimit(RLIMIT_NOFILE, &files) < 0 || getrlimit(RLIMIT_FSIZE, &size) < 0)
        return FAILS;
    return files.rlim_cur == 20 && files.rlim_max == 20 && size.rlim_cur == 1000 && size.rlim_max == 1000 ? 0 : 1;
}

static int limit_what_is_not_there(void)
{
    static const struct sandbox_bound bounds[] = { { NO_SUCH_LIMIT, 20 }, { RLIMIT_FSIZE, 1000 } };
    struct rlimit before, size;
    if (getrlimit(RLIMIT_FSIZE, &before) < 0 || sandbox_limit_all(bounds, 2) != -1 || errno != EINVAL ||
        getrlimit(RLIMIT_FSIZE, &size) < 0)
        return FAILS;
    return size.rlim_cur == before.rlim_cur ? 0 : 1;
}

static int limit_what_is_limited(void)
{
    static const struct sandbox_bound low = { RLIMIT_NOFILE, 20 }, high = { RLIMIT_NOFILE, 40 };
    struct rlimit files;
    if (sandbox_limit_all(&low, 1) != 1 || sandbox_limit_all(&high, 1) != 1 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return FAILS;
    return files.rlim_cur == 20 && files.rlim_max == 20 ? 0 : 1;
}

static void limits_are_set_up_to_the_first_that_fails_and_never_raised(void **state)
{
    (void)state;
    expect_exit(limit_two, 0);
    expect_exit(limit_what_is_not_there, 0);
    expect_exit(limit_what_is_limited, 0);
}

/* ---- the order ---- */

static int filter_calls;

static int filter_that_looks(void)
{
    filter_calls++;
    const bool has_capabilities = prctl(PR_CAPBSET_READ, 0) == 1 && geteuid() == 0;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && !has_capabilities ? 1 : -1;
}

static int filter_that_fails(void)
{
    errno = ENOMEM;
    return -1;
}

static int lock_in(void)
{
    const char *step = "untouched";
    return sandbox_lock_in(filter_that_looks, &step) == 1 && !step && filter_calls == 1 ? 0 : 1;
}

static int lock_in_without_filter(void)
{
    const char *step = NULL;
    return sandbox_lock_in(filter_that_fails, &step) == -1 && errno == ENOMEM && step && strcmp(step, "seccomp") == 0
               ? 0
               : 1;
}

static int refuse_no_new_privs(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(prctl), 1,
                            SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS));
}

static int lock_in_without_no_new_privs(void)
{
    const char *step = NULL;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter_load(SCMP_ACT_ALLOW, refuse_no_new_privs) != 1)
        return FAILS;
    bool fails = sandbox_lock_in(filter_that_looks, &step) == -1 && errno == EACCES;
    return fails && filter_calls == 0 && step && strcmp(step, "no-new-privs") == 0 ? 0 : 1;
}

static void privileges_are_gone_before_the_filter_and_the_step_that_fails_has_a_name(void **state)
{
    (void)state;
    expect_exit(lock_in, 0);
    expect_exit(lock_in_without_filter, 0);
    expect_exit(lock_in_without_no_new_privs, 0);
}

/* ---- filters ---- */

static int forbid_two(scmp_filter_ctx filter)
{
    static const int calls[] = { SOME_CALL, OTHER_CALL };
    return sandbox_filter_add(filter, SCMP_ACT_ERRNO(EXDEV), calls, 2);
}

static int load_and_try(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter_load(SCMP_ACT_ALLOW, forbid_two) != 1)
        return FAILS;
    errno = 0;
    bool first = syscall(SOME_CALL, 0, 0) == -1 && errno == EXDEV;
    errno = 0;
    bool second = syscall(OTHER_CALL, 0) == -1 && errno == EXDEV;
    return first && second && syscall(SYS_getppid) > 0 ? 0 : 1;
}

/* Of two calls, those about ourselves only; what free() may do, also that of a sanitizer; and how to end. */
static int allow_little(scmp_filter_ctx filter)
{
    static const int calls[] = { SCMP_SYS(exit_group), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mmap),
                                 SCMP_SYS(brk) };
    const struct sandbox_rule rules[] = { { OTHER_CALL, SCMP_A0(SCMP_CMP_EQ, 0) },
                                          { SCMP_SYS(getsid), SCMP_A0(SCMP_CMP_EQ, 0) } };
    int error = sandbox_filter_add(filter, SCMP_ACT_ALLOW, calls, sizeof calls / sizeof calls[0]);
    return error == 0 ? sandbox_filter_allow(filter, rules, 2) : error;
}

static bool is_locked_in(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && sandbox_filter_load(SCMP_ACT_KILL_PROCESS, allow_little) == 1;
}

static int make_calls_that_have_a_rule(void)
{
    return !is_locked_in() ? FAILS : syscall(OTHER_CALL, 0) >= 0 && syscall(SYS_getsid, 0) >= 0 ? 0 : 1;
}

static int make_call_with_another_argument(void)
{
    return !is_locked_in() ? FAILS : syscall(OTHER_CALL, 1) >= 0 ? 0 : 1;
}

static int make_call_without_rule(void)
{
    return !is_locked_in() ? FAILS : syscall(SYS_getppid) > 0 ? 0 : 1;
}

static void what_no_rule_is_about_comes_to_what_was_asked_for(void **state)
{
    (void)state;
    expect_exit(load_and_try, 0);
    expect_exit(make_calls_that_have_a_rule, 0);
    expect_killed(make_call_with_another_argument);
    expect_killed(make_call_without_rule);
}

static int allow_no_call_of_that_number(scmp_filter_ctx filter)
{
    static const int calls[] = { SOME_CALL, -1, OTHER_CALL };
    return sandbox_filter_add(filter, SCMP_ACT_ERRNO(EXDEV), calls, 3);
}

static int fill_nothing(scmp_filter_ctx filter)
{
    (void)filter;
    return -EFAULT;
}

/* Half a filter would be none. */
static int load_what_can_t_be_filled(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter_load(SCMP_ACT_KILL_PROCESS, fill_nothing) != -1 ||
        errno != EFAULT)
        return FAILS;
    errno = 0;
    if (sandbox_filter_load(SCMP_ACT_ALLOW, allow_no_call_of_that_number) != -1 || errno == 0)
        return FAILS;
    return syscall(SOME_CALL, 0, 0) > 0 && syscall(OTHER_CALL, 0) >= 0 ? 0 : 1;
}

static void a_filter_that_can_t_be_filled_is_an_error(void **state)
{
    (void)state;
    expect_exit(load_what_can_t_be_filled, 0);
}

#ifdef __x86_64__
/* 20 is writev() for us, and getpid() for programs of 32 bits. */
static int call_as_32_bits_do(void)
{
    long number = 20;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter_load(SCMP_ACT_ALLOW, forbid_two) != 1)
        return FAILS;
    __asm__ volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
    return 0;
}

/* By SIGSYS; by SIGSEGV where the kernel has no such calls. */
static void numbers_of_another_architecture_end_the_process(void **state)
{
    (void)state;
    signal(SIGSEGV, SIG_DFL);
    assert_true(WIFSIGNALED(status_of(call_as_32_bits_do)));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_set_up_to_the_first_that_fails_and_never_raised),
        cmocka_unit_test(privileges_are_gone_before_the_filter_and_the_step_that_fails_has_a_name),
        cmocka_unit_test(what_no_rule_is_about_comes_to_what_was_asked_for),
        cmocka_unit_test(a_filter_that_can_t_be_filled_is_an_error),
#ifdef __x86_64__
        cmocka_unit_test(numbers_of_another_architecture_end_the_process),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
