/* gateway_apart_test.c - who talks to strangers may do less than who has started it, and its word is bounded */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pty.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "gateway/apart.h"
#include "gateway/config.h"
#include "tests/unit/missing_pidfd.h"

enum { PATIENCE_MS = 30 * 1000, LITTLE_MS = 300, SAID_MAX = 16 * 1024 };

static void run(const struct apart_settings *settings, apart_work *work, void *ctx, struct strbuf *said)
{
    strbuf_init(said, SAID_MAX);
    int result = apart_run(settings, work, ctx, said);
    if (result != 1)
        fail_msg("it could not be run: %s", said->data);
}

static const char *field(const struct strbuf *said, const char *name)
{
    const char *found = strstr(said->data, name);
    assert_non_null(found);
    return found + strlen(name);
}

static void say_status(void *ctx, struct strbuf *said)
{
    char text[SAID_MAX / 2];
    (void)ctx;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    strbuf_add(said, text, n > 0 ? (size_t)n : 0);
}

static void expect_nothing_left(const struct strbuf *said)
{
    static const char *const sets[] = { "CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapAmb:\t" };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        assert_memory_equal(field(said, sets[i]), "0000000000000000\n", 17);
    if (geteuid() == 0)
        assert_memory_equal(field(said, "CapBnd:\t"), "0000000000000000\n", 17);
#ifndef POSTERN_SANITIZE
    assert_memory_equal(field(said, "NoNewPrivs:\t"), "1\n", 2);
    assert_memory_equal(field(said, "Seccomp:\t"), "2\n", 2);
#endif
}

static void expect_ids(const struct strbuf *said, unsigned uid, unsigned gid)
{
    char wanted[100];
    snprintf(wanted, sizeof wanted, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid, gid, gid, gid,
             gid);
    assert_non_null(strstr(said->data, wanted));
}

static void is_the_user_or_nobody_and_has_no_privileges(void **state)
{
    (void)state;
    const struct passwd *nobody = getpwnam("nobody");
    const struct apart_settings one = { .uid = 12345, .gid = 12346, .ms = PATIENCE_MS };
    struct apart_settings none = { .ms = PATIENCE_MS };
    struct strbuf said;
    const bool is_root = geteuid() == 0;
    apart_choose(NULL, &none);
    run(&none, say_status, NULL, &said);
    expect_ids(&said, is_root ? nobody->pw_uid : getuid(), is_root ? nobody->pw_gid : getgid());
    expect_nothing_left(&said);
    strbuf_free(&said);
    run(&one, say_status, NULL, &said);
    expect_ids(&said, is_root ? 12345 : getuid(), is_root ? 12346 : getgid());
    if (is_root)
        assert_memory_equal(field(&said, "Groups:\t"), " \n", 2);
    expect_nothing_left(&said);
    strbuf_free(&said);
}

static void try_to_return(void *ctx, struct strbuf *said)
{
    (void)ctx;
    strbuf_add_fmt(said, "setuid %d terminal %d shadow %d", setuid(0), isatty(STDIN_FILENO) || isatty(STDOUT_FILENO),
                   open("/etc/shadow", O_RDONLY | O_CLOEXEC));
}

/* As the daemon does whose root it is. */
static void of_root_only_access_to_files_is_left(void **state)
{
    (void)state;
    const unsigned long long for_files = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3; /* CAP_CHOWN to CAP_FOWNER */
    const struct apart_settings settings = { .ms = PATIENCE_MS };
    static const char *const sets[] = { "CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapBnd:\t", "CapAmb:\t" };
    struct strbuf said;
    if (geteuid() != 0)
        skip();
    run(&settings, say_status, NULL, &said);
    expect_ids(&said, 0, getgid());
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        assert_int_equal(strtoull(field(&said, sets[i]), NULL, 16) & ~for_files, 0);
    strbuf_free(&said);
}

static void does_not_become_root_again(void **state)
{
    (void)state;
    const struct apart_settings settings = { .uid = 12345, .gid = 12346, .ms = PATIENCE_MS };
    struct strbuf said;
    if (geteuid() != 0)
        skip();
    strbuf_init(&said, SAID_MAX);
    int result = apart_run(&settings, try_to_return, NULL, &said);
#ifdef POSTERN_SANITIZE
    assert_int_equal(result, 1);
    assert_string_equal(said.data, "setuid -1 terminal 0 shadow -1");
#else
    assert_int_equal(result, -1); /* the filter ends who tries it */
    assert_string_equal(said.data, "the process that asks was ended by signal 31");
#endif
    strbuf_free(&said);
}

#ifndef POSTERN_SANITIZE
struct
try {
    int fd; /* that we have open for writing */
    const char *path, *sibling;
};

static void try_files(void *ctx, struct strbuf *said)
{
    const struct try *try = ctx;
    char program[] = "/bin/true";
    char *const argv[] = { program, NULL };
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int fd = open(try->path, O_WRONLY | O_CLOEXEC);
    strbuf_add_fmt(said, "write %d\n", fd < 0 ? -1 : (int)write(fd, "x", 1));
    strbuf_add_fmt(said, "inherited %d\n", (int)write(try->fd, "x", 1));
    strbuf_add_fmt(said, "shadow %d\n", open("/etc/shadow", O_RDONLY | O_CLOEXEC));
    if (abi >= 1) {
        (void)!open(try->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        (void)unlink(try->path);
        (void)rename(try->path, try->sibling);
        (void)mkdir(try->sibling, 0700);
    }
    if (abi >= 2)
        (void)execv(argv[0], argv); /* if that worked it would end without a word */
    if (abi >= 3)
        (void)!truncate(try->path, 0);
    strbuf_add_str(said, "end\n");
}

/* Beyond the filter, each call of which base_daemon_sandbox_test tries. */
static void changes_no_file_and_starts_no_program(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-apart-XXXXXX", path[sizeof folder + 10], sibling[sizeof folder + 10];
    const struct apart_settings settings = { .uid = 12345, .gid = 12346, .ms = PATIENCE_MS };
    struct stat info;
    struct strbuf said;
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(sibling, sizeof sibling, "%s/sibling", folder);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    struct try try = { .fd = fcntl(fd, F_DUPFD_CLOEXEC, 10), .path = path, .sibling = sibling };
    assert_true(try.fd >= 10 && write(try.fd, "text", 4) == 4); /* 3 is what the copy says it by */
    close(fd);
    assert_int_equal(fchown(try.fd, 12345, 12346) | chown(folder, 12345, 12346), 0);
    run(&settings, try_files, &try, &said);
    assert_string_equal(said.data, "write -1\ninherited -1\nshadow -1\nend\n");
    assert_true(stat(path, &info) == 0 && info.st_size == 4);
    assert_true(stat(sibling, &info) < 0);
    strbuf_free(&said);
    close(try.fd);
    unlink(path);
    rmdir(folder);
}
#endif

static void say_terminal(void *ctx, struct strbuf *said)
{
    (void)ctx;
    strbuf_add_fmt(said, "terminal %d", open("/dev/tty", O_RDWR | O_CLOEXEC));
}

/* Root's next password is typed there, and whoever may write to it paints what root sees. */
static void has_no_terminal(void **state)
{
    (void)state;
    int terminal, status;
    const struct apart_settings settings = { .ms = PATIENCE_MS };
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        struct strbuf said;
        strbuf_init(&said, SAID_MAX);
        bool has_one = open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0;
        bool ok =
            has_one && apart_run(&settings, say_terminal, NULL, &said) == 1 && strcmp(said.data, "terminal -1") == 0;
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(terminal);
}

static void say_much(void *ctx, struct strbuf *said)
{
    (void)ctx;
    char piece[1000];
    memset(piece, 'x', sizeof piece);
    (void)said;
    for (int i = 0; i < 1000; i++)
        if (write(3, piece, sizeof piece) < 0)
            return;
}

static void say_and_crash(void *ctx, struct strbuf *said)
{
    (void)ctx;
    strbuf_add_str(said, "nothing of this counts");
    (void)!write(3, "nor of this", 11);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void say_nothing_for_long(void *ctx, struct strbuf *said)
{
    (void)ctx;
    (void)said;
    for (;;)
        pause();
}

/* Taken over: it has said all, and does not end. */
static void say_and_stay(void *ctx, struct strbuf *said)
{
    (void)ctx;
    (void)said;
    (void)!write(3, "word", 4);
    close(3);
    for (;;)
        pause();
}

static void leave_somebody(void *ctx, struct strbuf *said)
{
    (void)ctx;
    pid_t pid = fork();
    if (pid != 0) {
        strbuf_add_fmt(said, "%d", (int)pid);
        return;
    }
    close(3);
    for (;;)
        pause();
}

static void nobody_is_left_of_it(void **state)
{
    (void)state;
    const struct apart_settings settings = { .ms = PATIENCE_MS };
    struct strbuf said;
    int status = 0;
    pid_t ended = 0;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* so that who is left becomes ours */
    run(&settings, leave_somebody, NULL, &said);
    pid_t pid = (pid_t)strtol(said.data, NULL, 10);
    assert_true(pid > 1);
    for (int i = 0; ended == 0 && i < PATIENCE_MS / LITTLE_MS; i++) {
        ended = waitpid(pid, &status, WNOHANG);
        if (ended == 0)
            usleep(LITTLE_MS * 1000);
    }
    if (ended == 0)
        kill(pid, SIGKILL);
    assert_int_equal(ended, pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    strbuf_free(&said);
}

static unsigned told;
static int64_t told_ms;

static void note_telling(int64_t waited_ms)
{
    assert_true(waited_ms > told_ms);
    told_ms = waited_ms;
    told++;
}

static void say_late(void *ctx, struct strbuf *said)
{
    (void)ctx;
    usleep(3 * LITTLE_MS * 1000);
    strbuf_add_str(said, "done");
}

static void without_a_limit_somebody_is_told(void **state)
{
    (void)state;
    struct apart_settings settings = { .tell_ms = LITTLE_MS, .tell = note_telling };
    struct strbuf said;
    apart_choose(NULL, &settings);
    told = 0;
    told_ms = 0;
    run(&settings, say_late, NULL, &said);
    assert_string_equal(said.data, "done");
    assert_in_range(told, 2, 100);
    assert_in_range(told_ms, 2 * LITTLE_MS, PATIENCE_MS);
    strbuf_free(&said);
}

static void its_word_is_bounded(void **state)
{
    (void)state;
    struct apart_settings settings = { .ms = PATIENCE_MS }, hasty = { .ms = LITTLE_MS };
    apart_choose(NULL, &settings);
    apart_choose(NULL, &hasty);
    struct strbuf said;
    strbuf_init(&said, SAID_MAX);
    assert_int_equal(apart_run(&settings, say_much, NULL, &said), 1);
    assert_false(strbuf_ok(&said));
    assert_in_range(said.len, 0, SAID_MAX);
    strbuf_free(&said);
    strbuf_init(&said, SAID_MAX);
    assert_int_equal(apart_run(&settings, say_and_crash, NULL, &said), -1);
    assert_string_equal(said.data, "the process that asks was ended by signal 11");
    strbuf_free(&said);
    strbuf_init(&said, SAID_MAX);
    assert_int_equal(apart_run(&hasty, say_nothing_for_long, NULL, &said), -1);
    assert_string_equal(said.data, "no answer in time");
    strbuf_free(&said);
    strbuf_init(&said, SAID_MAX);
    assert_int_equal(apart_run(&hasty, say_and_stay, NULL, &said), -1);
    assert_string_equal(said.data, "no answer in time");
    strbuf_free(&said);
}

/* The kernel reaps the children of who ignores SIGCHLD, as whoever starts us may have us do. */
static void its_end_is_known_where_children_are_ignored(void **state)
{
    (void)state;
    const struct apart_settings settings = { .uid = 12345, .gid = 12346, .ms = PATIENCE_MS };
    struct strbuf said;
    strbuf_init(&said, SAID_MAX);
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    assert_int_equal(apart_run(&settings, say_and_crash, NULL, &said), -1);
    assert_string_equal(said.data, "the process that asks was ended by signal 11");
    assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    strbuf_free(&said);
}

static void is_heard_where_the_kernel_has_no_pidfd(void **state)
{
    (void)state;
    const struct apart_settings settings = { .uid = 12345, .gid = 12346, .ms = PATIENCE_MS };
    struct strbuf said;
    pidfd_is_missing = true;
    run(&settings, say_status, NULL, &said);
    expect_nothing_left(&said);
    pidfd_is_missing = false;
    strbuf_free(&said);
}

static void is_chosen_by_the_configuration_or_the_state_directory(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-apart-XXXXXX";
    char user[] = "daemon", unknown[] = "no-user-of-this-name";
    struct apart_settings settings;
    const struct passwd *nobody_there = getpwnam("nobody");
    assert_non_null(nobody_there);
    const struct passwd nobody_was = *nobody_there, *const nobody = &nobody_was; /* it is static memory */
    const struct passwd *daemon_user = getpwnam(user);
    assert_non_null(mkdtemp(folder));
    struct config config = { .user = user, .state_dir = folder };
    apart_choose(&config, &settings);
    assert_int_equal(settings.uid, daemon_user->pw_uid);
    assert_int_equal(settings.gid, daemon_user->pw_gid);
    config.user = unknown;
    apart_choose(&config, &settings);
    assert_int_equal(settings.uid, nobody->pw_uid);
    config.user = NULL;
    if (geteuid() == 0)
        assert_int_equal(chown(folder, 4321, 4322), 0);
    apart_choose(&config, &settings);
    assert_int_equal(settings.uid, geteuid() == 0 ? 4321 : geteuid());
    rmdir(folder);
    apart_choose(&config, &settings);
    assert_int_equal(settings.uid, nobody->pw_uid);
    apart_choose(NULL, &settings);
    assert_int_equal(settings.uid, nobody->pw_uid);
    assert_int_equal(settings.gid, nobody->pw_gid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_user_or_nobody_and_has_no_privileges),
        cmocka_unit_test(of_root_only_access_to_files_is_left),
        cmocka_unit_test(does_not_become_root_again),
#ifndef POSTERN_SANITIZE
        cmocka_unit_test(changes_no_file_and_starts_no_program),
#endif
        cmocka_unit_test(has_no_terminal),
        cmocka_unit_test(without_a_limit_somebody_is_told),
        cmocka_unit_test(its_word_is_bounded),
        cmocka_unit_test(nobody_is_left_of_it),
        cmocka_unit_test(its_end_is_known_where_children_are_ignored),
        cmocka_unit_test(is_heard_where_the_kernel_has_no_pidfd),
        cmocka_unit_test(is_chosen_by_the_configuration_or_the_state_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
