/* base_child_output_test.c - a child is heard to its end or that of its time, and nothing is left of it */
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
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/child_output.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "tests/unit/missing_pidfd.h"

enum {
    TELL_MS = 50,
    PATIENCE_MS = 60 * 1000,
    LITTLE_MS = 200,
    SAID_MAX = 16 * 1024,
    MUCH = 200 * 1000,
    NOT_THERE = 127,
    BUSY_S = 20
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_ms(long ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static void stay(void)
{
    for (;;)
        pause();
}

/* ---- what children do ---- */

static int say_word(void *ctx, int out)
{
    const char *word = ctx;
    return file_write_all(out, word, strlen(word)) == 1 ? 3 : 99;
}

static int say_nothing(void *ctx, int out)
{
    (void)ctx, (void)out;
    return 0;
}

static int say_much(void *ctx, int out)
{
    char piece[1000];
    (void)ctx;
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < MUCH / 1000; i++) {
        if (file_write_all(out, piece, sizeof piece) < 0)
            return 99;
    }
    return 3;
}

static int say_in_pieces(void *ctx, int out)
{
    (void)ctx;
    for (int i = 0; i < 5; i++) {
        if (file_write_all(out, "piece ", 6) < 0)
            return 99;
        wait_ms(30);
    }
    return 3;
}

static int be_silent(void *ctx, int out)
{
    (void)ctx, (void)out;
    stay();
    return 0;
}

static int write_for_ever(void *ctx, int out)
{
    (void)ctx;
    while (file_write_all(out, "word ", 5) == 1)
        ;
    return 99;
}

static int close_and_stay(void *ctx, int out)
{
    (void)ctx;
    if (file_write_all(out, "word", 4) < 0)
        return 99;
    close(out);
    stay();
    return 0;
}

static int close_and_end_later(void *ctx, int out)
{
    (void)ctx;
    if (file_write_all(out, "word", 4) < 0)
        return 99;
    close(out);
    wait_ms(LITTLE_MS);
    return 3;
}

static int defy(void *ctx, int out)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return ctx ? be_silent(NULL, out) : write_for_ever(NULL, out);
}

static int stop(void *ctx, int out)
{
    (void)ctx, (void)out;
    raise(SIGSTOP);
    return 0;
}

static int say_and_be_killed(void *ctx, int out)
{
    (void)ctx;
    if (file_write_all(out, "word", 4) < 0)
        return 99;
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
    return 0;
}

/* ctx: whether the other one keeps the output open. It says who that is. */
static int leave_somebody(void *ctx, int out)
{
    const bool *keeps_output = ctx;
    pid_t pid = fork();
    if (pid == 0) {
        if (!*keeps_output)
            close(out);
        stay();
    }
    return dprintf(out, "%d", (int)pid) > 0 ? 3 : 99;
}

static int execute(void *ctx, int out)
{
    char *const *argv = ctx;
    if (dup2(out, STDOUT_FILENO) >= 0)
        execvp(argv[0], argv);
    return NOT_THERE;
}

static int say_signals_and_session(void *ctx, int out)
{
    struct sigaction action;
    bool is_default = sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    (void)ctx;
    return dprintf(out, "%d %d %d", is_default, getsid(0) == getpid(), fcntl(out, F_GETFD) & FD_CLOEXEC) > 0 ? 0 : 99;
}

static size_t open_files(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int say_open_files(void *ctx, int out)
{
    const size_t *before = ctx;
    return dprintf(out, "%d", (int)(open_files() - *before)) > 0 ? 0 : 99;
}

/* ---- hearing them ---- */

struct heard {
    enum child_output how;
    int status;
    struct strbuf said;
    int64_t ms; /* how long it took */
};

static void nothing_is_left(void)
{
    int status;
    assert_true(waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD);
}

/* Who has not been killed is now. */
static int status_of(pid_t pid)
{
    int status = 0;
    for (int waited = 0; waited < BUSY_S * 1000; waited += LITTLE_MS) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        wait_ms(LITTLE_MS);
    }
    kill(pid, SIGHUP);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static struct heard hear(const struct child_output_settings *settings, child_output_work *work, void *ctx)
{
    struct heard heard = { .status = -1 };
    const size_t before = open_files();
    const int64_t begin = now_ms();
    strbuf_init(&heard.said, SAID_MAX);
    heard.how = child_output_run(settings, work, ctx, &heard.said, &heard.status);
    heard.ms = now_ms() - begin;
    assert_int_equal(open_files(), before);
    return heard;
}

static void expect_exit(const struct heard *heard, int status, const char *said)
{
    assert_int_equal(heard->how, CHILD_OUTPUT_ENDED);
    assert_true(WIFEXITED(heard->status));
    assert_int_equal(WEXITSTATUS(heard->status), status);
    assert_string_equal(heard->said.data, said);
}

static void expect_killed(const struct heard *heard, enum child_output how)
{
    assert_int_equal(heard->how, how);
    assert_true(WIFSIGNALED(heard->status));
    assert_int_equal(WTERMSIG(heard->status), SIGKILL);
}

static const struct child_output_settings patient = { .ms = PATIENCE_MS }, hasty = { .ms = LITTLE_MS };

static void hears_what_a_child_says(void **state)
{
    (void)state;
    char word[] = "a word";
    static const struct child_output_settings with_session = { .ms = PATIENCE_MS, .has_own_session = true };
    const struct child_output_settings *const all[] = { &patient, &with_session };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct heard heard = hear(all[i], say_word, word);
        expect_exit(&heard, 3, "a word");
        strbuf_free(&heard.said);
        heard = hear(all[i], say_nothing, NULL);
        expect_exit(&heard, 0, "");
        strbuf_free(&heard.said);
        heard = hear(all[i], say_in_pieces, NULL);
        expect_exit(&heard, 3, "piece piece piece piece piece ");
        strbuf_free(&heard.said);
        heard = hear(all[i], close_and_end_later, NULL);
        expect_exit(&heard, 3, "word");
        strbuf_free(&heard.said);
        nothing_is_left();
    }
}

static void what_is_said_comes_behind_what_is_there(void **state)
{
    (void)state;
    char word[] = "word";
    struct strbuf said;
    int status;
    strbuf_init(&said, SAID_MAX);
    strbuf_add_str(&said, "before ");
    assert_int_equal(child_output_run(&patient, say_word, word, &said, &status), CHILD_OUTPUT_ENDED);
    assert_string_equal(said.data, "before word");
    strbuf_free(&said);
}

static void kills_who_says_too_much_or_lets_it_talk(void **state)
{
    (void)state;
    static const struct child_output_settings lenient = { .ms = PATIENCE_MS, .may_say_more = true };
    struct heard heard = hear(&patient, say_much, NULL);
    expect_killed(&heard, CHILD_OUTPUT_TOO_MUCH);
    assert_false(strbuf_ok(&heard.said));
    assert_in_range(heard.said.len, 1, SAID_MAX);
    assert_true(heard.ms < PATIENCE_MS / 2);
    strbuf_free(&heard.said);
    heard = hear(&lenient, say_much, NULL);
    assert_int_equal(heard.how, CHILD_OUTPUT_ENDED);
    assert_true(WIFEXITED(heard.status) && WEXITSTATUS(heard.status) == 3);
    assert_false(strbuf_ok(&heard.said));
    assert_in_range(heard.said.len, 1, SAID_MAX);
    strbuf_free(&heard.said);
    nothing_is_left();
}

static void kills_who_is_late(void **state)
{
    (void)state;
    static const struct child_output_settings lenient = { .ms = LITTLE_MS, .may_say_more = true };
    char silent[] = "silent";
    const struct row {
        const struct child_output_settings *settings;
        child_output_work *work;
        void *ctx;
        bool says_words;
    } rows[] = {
        { &hasty, be_silent, NULL, false },     { &lenient, write_for_ever, NULL, true },
        { &hasty, close_and_stay, NULL, true }, { &hasty, defy, silent, false },
        { &lenient, defy, NULL, true },         { &hasty, stop, NULL, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct heard heard = hear(rows[i].settings, rows[i].work, rows[i].ctx);
        expect_killed(&heard, CHILD_OUTPUT_LATE);
        assert_in_range(heard.ms, LITTLE_MS, PATIENCE_MS);
        assert_int_equal(strncmp(heard.said.data, "word", 4) == 0, rows[i].says_words);
        strbuf_free(&heard.said);
        nothing_is_left();
    }
}

static void who_has_no_time_is_late(void **state)
{
    (void)state;
    const int64_t none[] = { 0, -1, -(INT64_C(1) << 40) };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        const struct child_output_settings settings = { .ms = none[i] };
        struct heard heard = hear(&settings, be_silent, NULL);
        expect_killed(&heard, CHILD_OUTPUT_LATE);
        strbuf_free(&heard.said);
    }
}

static void there_may_be_much_time_or_no_limit(void **state)
{
    (void)state;
    /* More than poll() can be asked for, and than the clock can count. */
    const int64_t much[] = { INT64_C(1) << 40, INT64_MAX - 1, CHILD_OUTPUT_NO_LIMIT };
    for (size_t i = 0; i < sizeof much / sizeof much[0]; i++) {
        const struct child_output_settings settings = { .ms = much[i] };
        struct heard heard = hear(&settings, close_and_end_later, NULL);
        expect_exit(&heard, 3, "word");
        strbuf_free(&heard.said);
    }
}

static void who_has_closed_its_output_has_to_end_where_there_is_no_limit(void **state)
{
    (void)state;
    static const struct child_output_settings settings = { .ms = CHILD_OUTPUT_NO_LIMIT };
    struct heard heard = hear(&settings, close_and_stay, NULL);
    expect_killed(&heard, CHILD_OUTPUT_LATE);
    assert_string_equal(heard.said.data, "word");
    assert_in_range(heard.ms, 10 * 1000, PATIENCE_MS);
    strbuf_free(&heard.said);
}

static int times_told;
static int64_t told_last;

static void be_told(int64_t waited_ms)
{
    times_told++;
    assert_true(waited_ms >= told_last + TELL_MS);
    told_last = waited_ms;
}

static void somebody_is_told_how_long_it_takes(void **state)
{
    (void)state;
    const int64_t times[] = { LITTLE_MS * 5, CHILD_OUTPUT_NO_LIMIT };
    child_output_work *const works[] = { be_silent, close_and_end_later };
    for (size_t i = 0; i < 2; i++) {
        const struct child_output_settings settings = { .ms = times[i], .tell_ms = TELL_MS, .tell = be_told };
        times_told = 0;
        told_last = 0;
        struct heard heard = hear(&settings, works[i], NULL);
        assert_int_equal(heard.how, i == 0 ? CHILD_OUTPUT_LATE : CHILD_OUTPUT_ENDED);
        assert_in_range(times_told, 1, heard.ms / TELL_MS);
        strbuf_free(&heard.said);
    }
}

static void tells_which_signal_ended_it(void **state)
{
    (void)state;
    struct heard heard = hear(&patient, say_and_be_killed, NULL);
    assert_int_equal(heard.how, CHILD_OUTPUT_ENDED);
    assert_true(WIFSIGNALED(heard.status));
    assert_int_equal(WTERMSIG(heard.status), SIGTERM);
    assert_string_equal(heard.said.data, "word");
    strbuf_free(&heard.said);
}

static void hears_programs(void **state)
{
    (void)state;
    char echo[] = "echo", word[] = "word", missing[] = "no-program-of-this-name";
    char *words[] = { echo, word, NULL }, *none[] = { missing, NULL };
    struct heard heard = hear(&patient, execute, words);
    expect_exit(&heard, 0, "word\n");
    strbuf_free(&heard.said);
    heard = hear(&patient, execute, none);
    expect_exit(&heard, NOT_THERE, "");
    strbuf_free(&heard.said);
}

/* One that holds the output has it read until the time is over. Without a session of its own it stays, and is for who has started it. */
static void whom_it_has_started_is_killed_with_its_session(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* so that who is left becomes ours */
    for (int i = 0; i < 4; i++) {
        bool keeps_output = i & 1, has_session = i & 2;
        const struct child_output_settings settings = { .ms = keeps_output ? LITTLE_MS * 5 : PATIENCE_MS,
                                                        .has_own_session = has_session };
        struct heard heard = hear(&settings, leave_somebody, &keeps_output);
        assert_int_equal(heard.how, keeps_output ? CHILD_OUTPUT_LATE : CHILD_OUTPUT_ENDED);
        assert_true(WIFEXITED(heard.status)); /* it had ended long before */
        assert_int_equal(WEXITSTATUS(heard.status), 3);
        pid_t left = (pid_t)strtol(heard.said.data, NULL, 10);
        int status = 0;
        assert_true(left > 1);
        if (!has_session) {
            wait_ms(LITTLE_MS / 2);
            assert_int_equal(waitpid(left, &status, WNOHANG), 0);
            kill(left, SIGTERM);
        }
        status = status_of(left);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), has_session ? SIGKILL : SIGTERM);
        strbuf_free(&heard.said);
        nothing_is_left();
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static volatile sig_atomic_t children_heard_of, alarms;

static void reap(int signal_number)
{
    (void)signal_number;
    int error = errno;
    children_heard_of++;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = error;
}

static void note_alarm(int signal_number)
{
    (void)signal_number;
    alarms++;
}

/* The kernel reaps the children of who ignores SIGCHLD, and a handler might do so: then nobody knew how they have ended. */
static void knows_the_end_whatever_the_caller_does_about_children(void **state)
{
    (void)state;
    void (*const before[])(int) = { SIG_IGN, reap, SIG_DFL };
    char word[] = "word";
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        assert_true(signal(SIGCHLD, before[i]) != SIG_ERR);
        struct heard heard = hear(&patient, say_word, word);
        expect_exit(&heard, 3, "word");
        strbuf_free(&heard.said);
        heard = hear(&patient, say_and_be_killed, NULL);
        assert_true(heard.how == CHILD_OUTPUT_ENDED && WIFSIGNALED(heard.status));
        strbuf_free(&heard.said);
        heard = hear(&hasty, be_silent, NULL);
        expect_killed(&heard, CHILD_OUTPUT_LATE);
        strbuf_free(&heard.said);
        heard = hear(&patient, say_signals_and_session, NULL);
        expect_exit(&heard, 0, "1 0 1");
        strbuf_free(&heard.said);
        assert_int_equal(children_heard_of, 0);
        assert_true(signal(SIGCHLD, SIG_DFL) == before[i]); /* as it was */
    }
}

/* Or it could hear itself, and would not notice that nobody else does. */
static void a_child_has_no_file_more_but_its_output(void **state)
{
    (void)state;
    size_t before = open_files();
    struct heard heard = hear(&patient, say_open_files, &before);
    expect_exit(&heard, 0, "1");
    strbuf_free(&heard.said);
}

static void begins_a_session_when_asked_to(void **state)
{
    (void)state;
    static const struct child_output_settings settings = { .ms = PATIENCE_MS, .has_own_session = true };
    struct heard heard = hear(&settings, say_signals_and_session, NULL);
    expect_exit(&heard, 0, "1 1 1");
    strbuf_free(&heard.said);
}

/* Each interrupts a wait, in both of which it spends some time. */
static void signals_neither_end_a_wait_nor_make_it_longer(void **state)
{
    (void)state;
    const struct sigaction action = { .sa_handler = note_alarm }; /* without SA_RESTART */
    const struct itimerval often = { { 0, 7000 }, { 0, 7000 } }, never = { { 0, 0 }, { 0, 0 } };
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    struct heard heard = hear(&patient, say_in_pieces, NULL);
    expect_exit(&heard, 3, "piece piece piece piece piece ");
    strbuf_free(&heard.said);
    heard = hear(&patient, close_and_end_later, NULL);
    expect_exit(&heard, 3, "word");
    strbuf_free(&heard.said);
    child_output_work *const late[] = { be_silent, close_and_stay };
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        heard = hear(&hasty, late[i], NULL);
        expect_killed(&heard, CHILD_OUTPUT_LATE);
        assert_in_range(heard.ms, LITTLE_MS, BUSY_S * 1000);
        strbuf_free(&heard.said);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(alarms > 10);
    nothing_is_left();
}

/* Nor are there such in all containers. */
static void needs_no_pidfd(void **state)
{
    (void)state;
    char word[] = "word";
    pidfd_is_missing = true;
    struct heard heard = hear(&patient, say_word, word);
    expect_exit(&heard, 3, "word");
    strbuf_free(&heard.said);
    heard = hear(&patient, close_and_end_later, NULL);
    expect_exit(&heard, 3, "word");
    assert_true(heard.ms < PATIENCE_MS / 2);
    strbuf_free(&heard.said);
    heard = hear(&hasty, close_and_stay, NULL);
    expect_killed(&heard, CHILD_OUTPUT_LATE);
    assert_in_range(heard.ms, LITTLE_MS, BUSY_S * 1000);
    strbuf_free(&heard.said);
    pidfd_is_missing = false;
    nothing_is_left();
}

static void says_why_there_is_no_child(void **state)
{
    (void)state;
    struct rlimit before, few;
    char word[] = "word";
    struct strbuf said;
    int status = -1;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 0;
    strbuf_init(&said, SAID_MAX);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    errno = 0;
    enum child_output how = child_output_run(&patient, say_word, word, &said, &status);
    int error = errno;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(how, CHILD_OUTPUT_FAILED);
    assert_int_equal(error, EMFILE);
    assert_int_equal(said.len, 0);
    strbuf_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hears_what_a_child_says),
        cmocka_unit_test(what_is_said_comes_behind_what_is_there),
        cmocka_unit_test(kills_who_says_too_much_or_lets_it_talk),
        cmocka_unit_test(kills_who_is_late),
        cmocka_unit_test(who_has_no_time_is_late),
        cmocka_unit_test(there_may_be_much_time_or_no_limit),
        cmocka_unit_test(who_has_closed_its_output_has_to_end_where_there_is_no_limit),
        cmocka_unit_test(somebody_is_told_how_long_it_takes),
        cmocka_unit_test(tells_which_signal_ended_it),
        cmocka_unit_test(hears_programs),
        cmocka_unit_test(whom_it_has_started_is_killed_with_its_session),
        cmocka_unit_test(knows_the_end_whatever_the_caller_does_about_children),
        cmocka_unit_test(a_child_has_no_file_more_but_its_output),
        cmocka_unit_test(begins_a_session_when_asked_to),
        cmocka_unit_test(signals_neither_end_a_wait_nor_make_it_longer),
        cmocka_unit_test(needs_no_pidfd),
        cmocka_unit_test(says_why_there_is_no_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
