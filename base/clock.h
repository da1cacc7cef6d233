/* clock.h - time, injectable
 *
 * Whatever waits or stamps takes a struct clock, so that tests can pass a fake one and let hours go by in
 * microseconds. Monotonic milliseconds for waiting, wall-clock milliseconds since 1970 (UTC) for stamping.
 */
#pragma once
#include <stdint.h>

struct clock;

struct clock *clock_new_system(void);
struct clock *clock_new_fake(int64_t monotonic_ms, int64_t wall_ms); /* stands still until clock_advance() */
void clock_free(struct clock **clock);

int64_t clock_monotonic_ms(const struct clock *clock);
int64_t clock_wall_ms(const struct clock *clock);
void clock_advance(struct clock *clock, int64_t ms); /* fake clocks only (asserted): both times move */

/* RFC 3339 UTC with milliseconds ("2026-11-23T06:28:25.123Z") and back. Parse: the fraction may be missing or have 1 to
 * 9 digits, of which three count; 1 ok, -1 not that form or no such day. Times outside the years 0000 to 9999 are
 * written as the nearest one inside. */
enum { CLOCK_RFC3339_SIZE = 25, CLOCK_RFC5322_SIZE = 40, CLOCK_PLAIN_SIZE = 40 };
void clock_format_rfc3339(int64_t wall_ms, char text_out[static CLOCK_RFC3339_SIZE]);
int clock_parse_rfc3339(const char *text, int64_t *wall_ms_out) __attribute__((warn_unused_result));
/* "Mon, 23 Nov 2026 06:28:25 +0000" (RFC 5322 section 3.3). */
void clock_format_rfc5322(int64_t wall_ms, char text_out[static CLOCK_RFC5322_SIZE]);
/* "23 November 06:28 UTC": for people, of the days to come. */
void clock_format_plain(int64_t wall_ms, char text_out[static CLOCK_PLAIN_SIZE]);
