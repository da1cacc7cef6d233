/* gateway_run_program_test.c - programs of the system are run, read, and not waited for too long */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_status_and_output),
        cmocka_unit_test(kills_what_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
