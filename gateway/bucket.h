/* bucket.h - allowances that are spent and grow again, as arithmetic
 *
 * An allowance is a rate with a burst: whoever has spent nothing for long enough may take the burst at once, and from then on
 * what the rate gives. So over any time no more is taken than the burst and the rate times that time. One number says how much of
 * it is spent: when it will be whole again (generic cell rate algorithm, ITU-T I.371), in microseconds since 1970; in the past, 0
 * for one that was never touched, it is whole.
 *
 * Pure: no clock, no database. A clock that was set back makes allowances small for longer, never larger; who keeps them puts
 * that right with bucket_repair(). A rate that becomes another counts from then on, and what was spent stays spent.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_AMOUNT_MAX = 1 << 26 }; /* of a rate and of a burst: products stay within 63 bits */

struct bucket_rate {
    int64_t amount;    /* in each period; 0: no limit */
    int64_t burst;     /* at least 1 */
    int64_t period_us; /* a day at most, and not less than amount */
};

/* How long until so much may be taken: 0: now. More than the burst counts as the burst, else it could never be taken. */
int64_t bucket_wait(const struct bucket_rate *rate, int64_t whole_us, int64_t amount, int64_t now_us);
/* Takes it, whether it may be taken now or not: who takes too early has reserved it, and is to wait. Returns when the allowance
 * is whole again. */
int64_t bucket_take(const struct bucket_rate *rate, int64_t whole_us, int64_t amount, int64_t now_us);
/* Of an allowance of which nobody takes more than reserve_us ahead of time: what can't be, for the clock was set back or the rate
 * was another, becomes one that is just spent. 0: it is whole, and nothing needs to be remembered of it. */
int64_t bucket_repair(const struct bucket_rate *rate, int64_t whole_us, int64_t reserve_us, int64_t now_us);

/* "200/h", "200/h, 50 at once", "none"; periods are s, m, h, d. 1, or -1: not that form, or an amount out of 1 to 1,000,000. */
int bucket_parse_rate(const char *text, struct bucket_rate *rate_out) __attribute__((warn_unused_result));
/* "1G/d", "64M/h, 16M at once", "none": the amounts are KiB, from 1 KiB to 64 GiB. */
int bucket_parse_size_rate(const char *text, struct bucket_rate *rate_out) __attribute__((warn_unused_result));
/* "an hour" */
const char *bucket_period_name(const struct bucket_rate *rate);
