#include "base/clock.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xmalloc.h"

struct clock {
    bool fake;
    int64_t monotonic_ms; /* of a fake clock */
    int64_t wall_ms;
};

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: years of four digits, all that RFC 3339 can write. */
static const int64_t EARLIEST_MS = INT64_C(-62167219200000);
static const int64_t LATEST_MS = INT64_C(253402300799999);

struct clock *clock_new_system(void)
{
    return xcalloc(1, sizeof(struct clock));
}

struct clock *clock_new_fake(int64_t monotonic_ms, int64_t wall_ms)
{
    struct clock *clock = xcalloc(1, sizeof *clock);
    *clock = (struct clock){ .fake = true, .monotonic_ms = monotonic_ms, .wall_ms = wall_ms };
    return clock;
}

void clock_free(struct clock **clock)
{
    free(*clock);
    *clock = NULL;
}

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0)
        abort(); /* both clocks always exist on Linux */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock->fake ? clock->monotonic_ms : read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->fake ? clock->wall_ms : read_ms(CLOCK_REALTIME);
}

void clock_advance(struct clock *clock, int64_t ms)
{
    assert(clock->fake && ms >= 0);
    clock->monotonic_ms += ms;
    clock->wall_ms += ms;
}

/* Calendar fields of a time, clamped to the years 0000 to 9999; returns the milliseconds within the second. */
static unsigned break_down(int64_t wall_ms, struct tm *fields_out)
{
    if (wall_ms < EARLIEST_MS)
        wall_ms = EARLIEST_MS;
    if (wall_ms > LATEST_MS)
        wall_ms = LATEST_MS;
    int64_t ms = wall_ms % 1000;
    if (ms < 0)
        ms += 1000; /* rounding towards the past, also before 1970 */
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    if (gmtime_r(&seconds, fields_out) == NULL)
        abort(); /* cannot happen within the clamped range */
    return (unsigned)ms;
}

void clock_format_rfc3339(int64_t wall_ms, char text_out[static CLOCK_RFC3339_SIZE])
{
    struct tm t;
    unsigned ms = break_down(wall_ms, &t);
    /* The remainders change nothing; they prove to the compiler that the text fits. */
    snprintf(text_out, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100,
             (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100, ms % 1000);
}

/* The decimal number of exactly `digits` digits at text + offset. The caller has checked that they are digits. */
static int number_at(const char *text, size_t offset, size_t digits)
{
    int value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[offset + i] - '0');
    return value;
}

/* Reads what follows the seconds: nothing, or "." and 1 to 9 digits; then "Z" and the end. Milliseconds, or -1. */
static int parse_fraction(const char *text)
{
    enum { DIGITS_MAX = 9, DIGITS_USED = 3 };
    size_t digits = 0;
    int ms = 0;
    if (*text == '.') {
        text++;
        while (isdigit((unsigned char)text[digits]))
            digits++;
        if (digits == 0 || digits > DIGITS_MAX)
            return -1;
        for (size_t i = 0; i < DIGITS_USED; i++)
            ms = ms * 10 + (i < digits ? text[i] - '0' : 0);
    }
    return strcmp(text + digits, "Z") == 0 ? ms : -1;
}

int clock_parse_rfc3339(const char *text, int64_t *wall_ms_out)
{
    static const char form[] = "0000-00-00T00:00:00";
    enum { SECONDS_END = sizeof form - 1 };
    for (size_t i = 0; i < SECONDS_END; i++) { /* a text that ends early differs there */
        if (form[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return -1;
    }
    int ms = parse_fraction(text + SECONDS_END);
    if (ms < 0)
        return -1;
    struct tm t = { .tm_year = number_at(text, 0, 4) - 1900,
                    .tm_mon = number_at(text, 5, 2) - 1,
                    .tm_mday = number_at(text, 8, 2),
                    .tm_hour = number_at(text, 11, 2),
                    .tm_min = number_at(text, 14, 2),
                    .tm_sec = number_at(text, 17, 2) };
    int64_t wall_ms = (int64_t)timegm(&t) * 1000 + ms;
    /* timegm() takes 30 February for 2 March: only what prints as it was read is a date. */
    char again[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, again);
    if (strncmp(again, text, SECONDS_END) != 0)
        return -1;
    *wall_ms_out = wall_ms;
    return 1;
}

void clock_format_rfc5322(int64_t wall_ms, char text_out[static CLOCK_RFC5322_SIZE])
{
    /* Not strftime(): a mail date is English in every locale. */
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm t;
    break_down(wall_ms, &t);
    snprintf(text_out, CLOCK_RFC5322_SIZE, "%s, %u %s %04u %02u:%02u:%02u +0000", days[t.tm_wday],
             (unsigned)t.tm_mday % 100, months[t.tm_mon], (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
}

void clock_format_plain(int64_t wall_ms, char text_out[static CLOCK_PLAIN_SIZE])
{
    static const char months[12][10] = { "January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December" };
    struct tm t;
    break_down(wall_ms, &t);
    snprintf(text_out, CLOCK_PLAIN_SIZE, "%u %s %02u:%02u UTC", (unsigned)t.tm_mday % 100, months[t.tm_mon],
             (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100);
}
