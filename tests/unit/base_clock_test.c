#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static void times_are_written_and_read(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *rfc3339, *rfc5322;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z", "Thu, 1 Jan 1970 00:00:00 +0000" },
        { INT64_C(1795415305123), "2026-11-23T06:28:25.123Z", "Mon, 23 Nov 2026 06:28:25 +0000" },
        { INT64_C(951782400000), "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000" },
        { -1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000" },
        { INT64_C(253402300799999), "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000" },
        { INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z", "Sat, 1 Jan 0000 00:00:00 +0000" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[CLOCK_RFC5322_SIZE];
        clock_format_rfc3339(rows[i].wall_ms, text);
        assert_string_equal(text, rows[i].rfc3339);
        int64_t parsed = 42;
        assert_int_equal(clock_parse_rfc3339(rows[i].rfc3339, &parsed), 1);
        assert_true(parsed == rows[i].wall_ms);
        clock_format_rfc5322(rows[i].wall_ms, text);
        assert_string_equal(text, rows[i].rfc5322);
    }
}

static void times_are_written_for_people(void **state)
{
    (void)state;
    char text[CLOCK_PLAIN_SIZE];
    clock_format_plain(INT64_C(1795415305123), text);
    assert_string_equal(text, "23 November 06:28 UTC");
    clock_format_plain(0, text);
    assert_string_equal(text, "1 January 00:00 UTC");
}

static void times_out_of_range_become_the_nearest_one(void **state)
{
    (void)state;
    char text[CLOCK_RFC5322_SIZE];
    clock_format_rfc3339(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format_rfc3339(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2026-11-23T06:28:25", /* without zone */
        "2026-11-23T06:28:25.Z",
        "2026-11-23T06:28:25.1234567890Z",
        "2026-11-23T06:28:2",
        "2026-02-29T00:00:00Z",
        "2026-11-23T06:28:25.123", /* without zone */
        "2026-11-23T06:28:25.123+00:00",
        "2026-11-23 06:28:25.123Z",
        "2026-11-23t06:28:25.123z",
        "2026-11-23T06:28:25.123Z ",
        " 2026-11-23T06:28:25.12Z",
        "2026-11-23T06:28:25,123Z",
        "2026-02-29T00:00:00.000Z", /* not a leap year */
        "2026-13-01T00:00:00.000Z",
        "2026-00-10T00:00:00.000Z",
        "2026-01-00T00:00:00.000Z",
        "2026-04-31T00:00:00.000Z",
        "2026-01-01T24:00:00.000Z",
        "2026-01-01T00:60:00.000Z",
        "2026-01-01T00:00:60.000Z",
        "2026-01-01T00:00:0a.000Z",
        "-026-01-01T00:00:00.000Z",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t parsed = 42;
        assert_int_equal(clock_parse_rfc3339(rows[i], &parsed), -1);
        assert_int_equal(parsed, 42);
    }
}

static void a_fraction_has_up_to_nine_digits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int ms;
    } rows[] = {
        { "2026-11-23T06:28:25Z", 0 },        { "2026-11-23T06:28:25.1Z", 100 },
        { "2026-11-23T06:28:25.12Z", 120 },   { "2026-11-23T06:28:25.123Z", 123 },
        { "2026-11-23T06:28:25.1239Z", 123 }, { "2026-11-23T06:28:25.001999999Z", 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t parsed = 42;
        assert_int_equal(clock_parse_rfc3339(rows[i].text, &parsed), 1);
        assert_int_equal(parsed, INT64_C(1795415305000) + rows[i].ms);
    }
}

static void the_zone_of_the_process_does_not_matter(void **state)
{
    (void)state;
    setenv("TZ", "America/St_Johns", 1);
    tzset();
    times_are_written_and_read(state);
    unsetenv("TZ");
    tzset();
}

static void a_fake_clock_moves_only_when_told(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(5, 1000);
    assert_int_equal(clock_monotonic_ms(clock), 5);
    assert_int_equal(clock_wall_ms(clock), 1000);
    clock_advance(clock, 250);
    assert_int_equal(clock_monotonic_ms(clock), 255);
    assert_int_equal(clock_wall_ms(clock), 1250);
    clock_free(&clock);
    assert_null(clock);
}

static void the_system_clock_tells_the_time(void **state)
{
    (void)state;
    struct clock *clock = clock_new_system();
    int64_t now = (int64_t)time(NULL) * 1000;
    int64_t wall = clock_wall_ms(clock);
    assert_true(wall >= now - 1000 && wall < now + 60000);
    int64_t before = clock_monotonic_ms(clock);
    assert_true(clock_monotonic_ms(clock) >= before);
    clock_free(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_and_read),
        cmocka_unit_test(times_are_written_for_people),
        cmocka_unit_test(times_out_of_range_become_the_nearest_one),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(a_fraction_has_up_to_nine_digits),
        cmocka_unit_test(the_zone_of_the_process_does_not_matter),
        cmocka_unit_test(a_fake_clock_moves_only_when_told),
        cmocka_unit_test(the_system_clock_tells_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
