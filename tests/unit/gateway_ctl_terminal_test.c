/* gateway_ctl_terminal_test.c - colours of answers, and the line that says how far work is */
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/ctl_progress.h"
#include "gateway/ctl_terminal.h"

#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define RED    "\033[31m"
#define PLAIN  "\033[0m"

static void assert_shown(const char *answer, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 10000);
    ctl_add_answer(&out, true, answer);
    assert_string_equal(out.data, expected);
    strbuf_clear(&out);
    ctl_add_answer(&out, false, answer);
    assert_string_equal(out.data, answer);
    strbuf_free(&out);
}

static void states_in_their_column_are_coloured(void **state)
{
    (void)state;
    assert_shown("id  address  member  state      note\n"
                 "1   a@b.c    Zo\xc3\xab     approved   denied\n"
                 "2   denied   down    suspended  -\n"
                 "3   a@b.d    Zoe     denied     -\n"
                 "4   a@b.d    Zoe     something  -\n",
                 "id  address  member  state      note\n"
                 "1   a@b.c    Zo\xc3\xab     " GREEN "approved" PLAIN "   denied\n"
                 "2   denied   down    " YELLOW "suspended" PLAIN "  -\n"
                 "3   a@b.d    Zoe     " RED "denied" PLAIN "     -\n"
                 "4   a@b.d    Zoe     something  -\n");
}

static void states_behind_their_key_are_coloured(void **state)
{
    (void)state;
    assert_shown("id     17\nstate  approved\nnote   denied\n"
                 "\nrecipients:\naddress  state\na@b.c    failed\nstate    delivered\n\nstate:\n",
                 "id     17\nstate  " GREEN "approved" PLAIN "\nnote   denied\n"
                 "\nrecipients:\naddress  state\na@b.c    " RED "failed" PLAIN "\nstate    " GREEN "delivered" PLAIN
                 "\n\nstate:\n");
    assert_shown("state  up", "state  " GREEN "up" PLAIN);
}

static void what_is_no_table_is_left_alone(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "",   "\n",     "(none)\n", "state",        "state\n",
        "  ", "state:", "state:\n", "state:\n\n\n", "The mail was denied.\n\nIt is down.\n"
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_shown(answers[i], answers[i]);
}

static void assert_progress(struct ctl_progress_state given, unsigned width, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 10000);
    ctl_progress_compose(&given, width, &out);
    assert_string_equal(out.data, expected);
    assert_true(out.len <= width);
    strbuf_free(&out);
}

static void progress_is_as_wide_as_the_terminal(void **state)
{
    static const struct ctl_progress_state half = { "verifying", CTL_PROGRESS_OCTETS, 50 << 20, 100 << 20, 5000 };
    (void)state;
    assert_progress(
        half, 100,
        "verifying  [==================>                 ]   50%  50.0 MiB of 100.0 MiB  10.0 MiB/s  6 s left");
    assert_progress(half, 70, "verifying   50%  50.0 MiB of 100.0 MiB  10.0 MiB/s  6 s left");
    assert_progress(half, 55, "verifying   50%  50.0 MiB of 100.0 MiB  6 s left");
    assert_progress(half, 40, "verifying   50%  50.0 MiB of 100.0 MiB");
    assert_progress(half, 30, "verifying  [=====>     ]   50%");
    assert_progress(half, 19, "verifying   50%");
    assert_progress(half, 9, "verifying");
    assert_progress(half, 4, "veri");
}

static void progress_says_no_more_than_is_known(void **state)
{
    (void)state;
    assert_progress((struct ctl_progress_state){ "importing", CTL_PROGRESS_THINGS, 1200, 0, 500 }, 60,
                    "importing  1200");
    assert_progress((struct ctl_progress_state){ "importing", CTL_PROGRESS_THINGS, 1200, 0, 2000 }, 60,
                    "importing  1200  600/s");
    assert_progress((struct ctl_progress_state){ "importing", CTL_PROGRESS_THINGS, 0, 9, 2000 }, 40,
                    "importing  [>            ]    0%  0 of 9");
    assert_progress((struct ctl_progress_state){ "importing", CTL_PROGRESS_THINGS, 12, 9, 500 }, 40,
                    "importing  [=============]  100%  9 of 9");
    assert_progress((struct ctl_progress_state){ "importing", CTL_PROGRESS_THINGS, 1, 100000, 3600 }, 60,
                    "importing    0%  1 of 100000  0/s  99 h 59 min left");
}

/* A terminal, and somebody at it. */
struct sitting {
    int fd; /* what they see and type */
    pid_t pid;
    struct strbuf seen;
};

static void sit_down(struct sitting *sitting, void (*use)(void))
{
    strbuf_init(&sitting->seen, 10000);
    sitting->pid = forkpty(&sitting->fd, NULL, NULL, NULL);
    assert_true(sitting->pid >= 0);
    if (sitting->pid == 0) {
        use();
        _exit(0);
    }
}

static void await(struct sitting *sitting, const char *text)
{
    char piece[200];
    while (!strstr(sitting->seen.data, text)) {
        struct pollfd ready = { .fd = sitting->fd, .events = POLLIN };
        assert_int_equal(poll(&ready, 1, 10000), 1);
        ssize_t got = read(sitting->fd, piece, sizeof piece);
        if (got <= 0)
            fail_msg("\"%s\" was not seen in \"%s\"", text, sitting->seen.data);
        strbuf_add(&sitting->seen, piece, (size_t)got);
    }
}

static void type(struct sitting *sitting, const char *text)
{
    assert_int_equal(write(sitting->fd, text, strlen(text)), strlen(text));
}

static bool echoes(const struct sitting *sitting)
{
    struct termios settings;
    assert_int_equal(tcgetattr(sitting->fd, &settings), 0);
    return settings.c_lflag & ECHO;
}

/* How the program ended. */
static int stand_up(struct sitting *sitting)
{
    int status;
    assert_int_equal(waitpid(sitting->pid, &status, 0), sitting->pid);
    close(sitting->fd);
    strbuf_free(&sitting->seen);
    return status;
}

static void ask_for_secret(void)
{
    char *secret;
    int result = ctl_read_secret("Password: ", &secret);
    printf("got %d %s.\n", result, secret ? secret + 1 : "nothing"); /* not all of it: its echo is looked for */
    fflush(stdout);
    free(secret);
}

static void a_secret_is_not_shown(void **state)
{
    struct sitting sitting;
    (void)state;
    sit_down(&sitting, ask_for_secret);
    await(&sitting, "Password: ");
    assert_false(echoes(&sitting));
    type(&sitting, "xyzzy word\n");
    await(&sitting, "got 1 yzzy word.");
    assert_null(strstr(sitting.seen.data, "xyzzy"));
    assert_true(echoes(&sitting));
    assert_int_equal(stand_up(&sitting), 0);
}

static void a_secret_may_be_nothing_but_not_endless(void **state)
{
    struct sitting sitting;
    (void)state;
    sit_down(&sitting, ask_for_secret);
    await(&sitting, "Password: ");
    type(&sitting, "\n");
    await(&sitting, "got 0 nothing.");
    assert_int_equal(stand_up(&sitting), 0);
    sit_down(&sitting, ask_for_secret);
    await(&sitting, "Password: ");
    type(&sitting, "\4");
    await(&sitting, "got -1 nothing.");
    assert_int_equal(stand_up(&sitting), 0);
    sit_down(&sitting, ask_for_secret);
    await(&sitting, "Password: ");
    for (int i = 0; i < 1001; i++)
        type(&sitting, "x");
    type(&sitting, "\n");
    await(&sitting, "got -1 nothing.");
    assert_int_equal(stand_up(&sitting), 0);
}

static void the_terminal_echoes_again_when_a_signal_ends_it(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sitting sitting;
        sit_down(&sitting, ask_for_secret);
        await(&sitting, "Password: ");
        assert_false(echoes(&sitting));
        assert_int_equal(kill(sitting.pid, signals[i]), 0);
        await(&sitting, "\n");
        assert_true(echoes(&sitting));
        int status = stand_up(&sitting);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
    }
}

static void ask_whether(void)
{
    int result = ctl_ask_yes("Really?");
    printf("got %d.\n", result);
    fflush(stdout);
}

static void a_question_is_answered_in_words(void **state)
{
    static const struct {
        const char *typed, *got;
    } rows[] = { { "y\n", "got 1." },          { "YES\n", "got 1." },
                 { " yes \n", "got 1." },      { "\n", "got 0." },
                 { "no\n", "got 0." },         { "\4", "got -1." },
                 { "perhaps\ny\n", "got 1." }, { "1\n2\n3\n4\n5\n", "got -1." } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sitting sitting;
        sit_down(&sitting, ask_whether);
        await(&sitting, "Really? [y/N] ");
        type(&sitting, rows[i].typed);
        await(&sitting, rows[i].got);
        assert_int_equal(stand_up(&sitting), 0);
    }
}

static void ask_for_line(void)
{
    char *first = ctl_ask_line("Domain", "example.org"), *second = ctl_ask_line("Name", NULL);
    printf("got <%s> <%s>.\n", first ? first : "-", second ? second : "-");
    fflush(stdout);
    free(first);
    free(second);
}

static void a_line_may_have_a_preset(void **state)
{
    struct sitting sitting;
    (void)state;
    sit_down(&sitting, ask_for_line);
    await(&sitting, "Domain [example.org]: ");
    type(&sitting, "\n");
    await(&sitting, "Name: ");
    type(&sitting, "  Alice Member \n");
    await(&sitting, "got <example.org> <Alice Member>.");
    assert_int_equal(stand_up(&sitting), 0);
}

static void colours_are_for_terminals(void **state)
{
    int output[2];
    (void)state;
    assert_int_equal(pipe(output), 0);
    unsetenv("NO_COLOR");
    unsetenv("CLICOLOR_FORCE");
    setenv("TERM", "xterm", 1);
    assert_false(ctl_uses_colours(output[1]));
    assert_int_equal(ctl_terminal_width(output[1]), 80);
    setenv("CLICOLOR_FORCE", "0", 1);
    assert_false(ctl_uses_colours(output[1]));
    setenv("CLICOLOR_FORCE", "1", 1);
    assert_true(ctl_uses_colours(output[1]));
    setenv("NO_COLOR", "1", 1);
    assert_false(ctl_uses_colours(output[1]));
    close(output[0]);
    close(output[1]);

    int terminal, program;
    struct winsize size = { .ws_col = 132, .ws_row = 40 };
    assert_int_equal(openpty(&terminal, &program, NULL, NULL, &size), 0);
    assert_int_equal(ctl_terminal_width(program), 132);
    assert_false(ctl_uses_colours(program));
    setenv("NO_COLOR", "", 1);
    unsetenv("CLICOLOR_FORCE");
    assert_true(ctl_uses_colours(program));
    setenv("TERM", "dumb", 1);
    assert_false(ctl_uses_colours(program));
    close(terminal);
    close(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_in_their_column_are_coloured),
        cmocka_unit_test(states_behind_their_key_are_coloured),
        cmocka_unit_test(what_is_no_table_is_left_alone),
        cmocka_unit_test(progress_is_as_wide_as_the_terminal),
        cmocka_unit_test(progress_says_no_more_than_is_known),
        cmocka_unit_test(a_secret_is_not_shown),
        cmocka_unit_test(a_secret_may_be_nothing_but_not_endless),
        cmocka_unit_test(the_terminal_echoes_again_when_a_signal_ends_it),
        cmocka_unit_test(a_question_is_answered_in_words),
        cmocka_unit_test(a_line_may_have_a_preset),
        cmocka_unit_test(colours_are_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
