/* gateway_run_program_test.c - programs of the system are run, read, and not waited for too long */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <signal.h>

#include "base/strbuf.h"
#include "gateway/run_program.h"

enum { PATIENCE_MS = 20 * 1000, LITTLE_MS = 100, OUT_MAX = 1000 };

static void tells_status_and_output(void **state)
{
    (void)state;
    static const struct row {
        const char *argv[4];
        bool errors_too;
        int status;
        const char *output;
    } rows[] = {
        { { "echo", "some words", NULL }, false, 0, "some words\n" },
        { { "false", NULL }, false, 1, "" },
        { { "sh", "-c", "echo out; echo err >&2; exit 3", NULL }, false, 3, "out\n" },
        { { "sh", "-c", "echo out; echo err >&2; exit 3", NULL }, true, 3, "out\nerr\n" },
        { { "cat", NULL }, false, 0, "" }, /* there is no input */
        { { "sh", "-c", "kill -9 $$", NULL }, false, -1, "" },
        { { "no-program-of-this-name", NULL }, false, -1, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, OUT_MAX);
        assert_int_equal(run_program(rows[i].argv, PATIENCE_MS, rows[i].errors_too, &out), rows[i].status);
        assert_string_equal(out.data, rows[i].output);
        strbuf_free(&out);
    }
}

/* One that says nothing, one that says too much, and one that has closed its output and stays. */
static void kills_what_does_not_end(void **state)
{
    (void)state;
    static const char *const programs[][4] = { { "sleep", "100", NULL },
                                               { "yes", NULL },
                                               { "sh", "-c", "exec >&-; exec sleep 100", NULL } };
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        struct strbuf out;
        struct timespec before, after;
        strbuf_init(&out, OUT_MAX);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(run_program(programs[i], LITTLE_MS, false, &out), -1);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_true(after.tv_sec - before.tv_sec < 50);
        strbuf_free(&out);
    }
}

/* The kernel reaps the children of who ignores SIGCHLD, as whoever starts us may have us do. */
static void knows_the_status_where_children_are_ignored(void **state)
{
    (void)state;
    static const char *const fails[] = { "sh", "-c", "exit 3", NULL }, *const killed[] = { "sh", "-c", "kill -9 $$",
                                                                                           NULL };
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    assert_int_equal(run_program(fails, PATIENCE_MS, false, &out), 3);
    assert_int_equal(run_program(killed, PATIENCE_MS, false, &out), -1);
    assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    strbuf_free(&out);
}

/* What does not fit is not read in vain: the program comes to its end. Nor does it matter who else holds its output. */
static void tells_the_status_of_one_whose_output_is_not_heard_to_its_end(void **state)
{
    (void)state;
    static const char *const says_much[] = { "sh", "-c", "head -c 300000 /dev/zero; exit 3", NULL };
    static const char *const leaves_one[] = { "sh", "-c", "sleep 5 & echo word; exit 4", NULL };
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    assert_int_equal(run_program(says_much, PATIENCE_MS, false, &out), 3);
    assert_false(strbuf_ok(&out));
    strbuf_clear(&out);
    assert_int_equal(run_program(leaves_one, LITTLE_MS * 20, false, &out), 4);
    assert_string_equal(out.data, "word\n");
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_status_and_output),
        cmocka_unit_test(kills_what_does_not_end),
        cmocka_unit_test(knows_the_status_where_children_are_ignored),
        cmocka_unit_test(tells_the_status_of_one_whose_output_is_not_heard_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
