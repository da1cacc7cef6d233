#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static char last_line[64 * 1024];
static unsigned lines;

static void keep_line(enum log_level level, const char *line, void *ctx)
{
    (void)level;
    assert_ptr_equal(ctx, &lines);
    assert_true(strlen(line) < sizeof last_line);
    memcpy(last_line, line, strlen(line) + 1);
    lines++;
}

static int set_up(void **state)
{
    (void)state;
    log_set_sink(keep_line, &lines);
    log_set_level(LOG_LEVEL_DEBUG);
    last_line[0] = '\0';
    lines = 0;
    return 0;
}

static void values_are_quoted_when_they_must_be(void **state)
{
    (void)state;
    static const struct {
        const char *value, *line;
    } rows[] = {
        { "plain", "level=info event=t v=plain" },
        { "bob@example.com", "level=info event=t v=bob@example.com" },
        { "", "level=info event=t v=\"\"" },
        { "two words", "level=info event=t v=\"two words\"" },
        { "a=b", "level=info event=t v=\"a=b\"" },
        { "say \"hi\"", "level=info event=t v=\"say \\\"hi\\\"\"" },
        { "\"", "level=info event=t v=\"\\\"\"" },
        { "back\\slash", "level=info event=t v=\"back\\\\slash\"" },
        { "gr\xC3\xBC\xC3\x9F dich", "level=info event=t v=\"gr\xC3\xBC\xC3\x9F dich\"" },
        { "\xF0\x9F\x98\x80", "level=info event=t v=\xF0\x9F\x98\x80" },
        { NULL, "level=info event=t v=-" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        log_info("t", "v=%s", rows[i].value);
        assert_string_equal(last_line, rows[i].line);
    }
}

/* What a stranger sends must not be able to end a line, forge a key, or speak to the administrator's terminal. */
static void injection_is_defused(void **state)
{
    (void)state;
    static const struct {
        const char *value, *line;
    } rows[] = {
        { "x\nlevel=error event=forged", "level=info event=t v=\"x\\x0alevel=error event=forged\"" },
        { "x\r\ny", "level=info event=t v=x\\x0d\\x0ay" },
        { "x\" event=forged y=\"", "level=info event=t v=\"x\\\" event=forged y=\\\"\"" },
        { "x\\\" event=forged", "level=info event=t v=\"x\\\\\\\" event=forged\"" },
        { "\x1B[2J", "level=info event=t v=\\x1b[2J" },
        { "\x7F\x01\t", "level=info event=t v=\\x7f\\x01\\x09" },
        { "\xC2\x9B"
          "31m",
          "level=info event=t v=\\xc2\\x9b31m" }, /* CSI of Latin-1 */
        { "\xFF\xFE", "level=info event=t v=\\xff\\xfe" },
        { "\xC0\x8A", "level=info event=t v=\\xc0\\x8a" }, /* overlong line feed */
        { "\xE0\x80\x8A", "level=info event=t v=\\xe0\\x80\\x8a" },
        { "\xED\xA0\x80", "level=info event=t v=\\xed\\xa0\\x80" },          /* surrogate */
        { "\xF4\x90\x80\x80", "level=info event=t v=\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
        { "ends in \xC3", "level=info event=t v=\"ends in \\xc3\"" },
        { "%s%n", "level=info event=t v=%s%n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        log_info("t", "v=%s", rows[i].value);
        assert_string_equal(last_line, rows[i].line);
    }
}

static void every_conversion_takes_its_argument(void **state)
{
    (void)state;
    log_warning("a.b", "d=%d u=%u ld=%ld lu=%lu lld=%lld llu=%llu zu=%zu zd=%zd x=%x c=%c s=%.*s p=%" PRId64 " last=%s",
                -1, 4294967295u, -2L, 3UL, -4LL, 18446744073709551615ULL, (size_t)5, (ssize_t)-6, 0xBEEFu, 'z', 3,
                "abcdef", INT64_C(-7), "end");
    assert_string_equal(last_line,
                        "level=warning event=a.b d=-1 u=4294967295 ld=-2 lu=3 lld=-4 llu=18446744073709551615 "
                        "zu=5 zd=-6 x=beef c=z s=abc p=-7 last=end");
    log_debug("t", "peer=%s:%u share=%d%% none=%.*s", "192.0.2.1", 25u, 50, 0, "abc");
    assert_string_equal(last_line, "level=debug event=t peer=192.0.2.1:25 share=50% none=\"\"");
}

static void an_event_needs_no_values(void **state)
{
    (void)state;
    log_error("gateway.stopped", "");
    assert_string_equal(last_line, "level=error event=gateway.stopped");
}

static void long_values_are_cut_between_characters(void **state)
{
    (void)state;
    char value[3001];
    memset(value, 'a', 3000);
    value[3000] = '\0';
    value[1000] = '\0';
    log_info("t", "v=%s", value);
    assert_int_equal(strlen(last_line), strlen("level=info event=t v=") + 1000);
    value[1000] = 'a';
    log_info("t", "v=%s w=%d", value, 1);
    assert_int_equal(strlen(last_line), strlen("level=info event=t v=") + 1000 + strlen("... w=1"));
    assert_non_null(strstr(last_line, "aaa... w=1"));
    memcpy(value + 999, "\xC3\xBC", 2); /* across the limit */
    log_info("t", "v=%s", value);
    assert_int_equal(strlen(last_line), strlen("level=info event=t v=") + 999 + strlen("..."));
    assert_null(strstr(last_line, "\\x"));
}

static void the_level_filters(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_WARNING);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_true(log_enabled(LOG_LEVEL_WARNING));
    log_info("t", "");
    assert_int_equal(lines, 0);
    log_warning("t", "");
    assert_int_equal(lines, 1);
    enum log_level level = LOG_LEVEL_ERROR;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_true(log_level_parse("warning", &level));
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_false(log_level_parse("Warning", &level));
    assert_false(log_level_parse("", &level));
}

static void errno_survives(void **state)
{
    (void)state;
    errno = ENOSPC;
    log_info("t", "v=%s", strerror(errno));
    assert_int_equal(errno, ENOSPC);
}

/* Without a sink a line goes to standard error in one piece, with a time stamp before it. */
static void standard_error_gets_a_stamped_line(void **state)
{
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    log_set_sink(NULL, NULL);
    log_info("t", "v=%d", 1);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_ends[1]);
    char text[200] = "";
    ssize_t len = read(pipe_ends[0], text, sizeof text - 1);
    close(pipe_ends[0]);
    assert_true(len > CLOCK_RFC3339_SIZE);
    assert_string_equal(text + CLOCK_RFC3339_SIZE - 1, " level=info event=t v=1\n");
    text[CLOCK_RFC3339_SIZE - 1] = '\0';
    int64_t stamp;
    assert_int_equal(clock_parse_rfc3339(text, &stamp), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_are_quoted_when_they_must_be, set_up),
        cmocka_unit_test_setup(injection_is_defused, set_up),
        cmocka_unit_test_setup(every_conversion_takes_its_argument, set_up),
        cmocka_unit_test_setup(an_event_needs_no_values, set_up),
        cmocka_unit_test_setup(long_values_are_cut_between_characters, set_up),
        cmocka_unit_test_setup(the_level_filters, set_up),
        cmocka_unit_test_setup(errno_survives, set_up),
        cmocka_unit_test_setup(standard_error_gets_a_stamped_line, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
