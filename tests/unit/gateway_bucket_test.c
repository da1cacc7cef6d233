#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bucket.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
static const int64_t start = INT64_C(1790000000) * SECOND;

static struct bucket_rate rate_of(const char *text)
{
    struct bucket_rate rate;
    assert_int_equal(bucket_parse_rate(text, &rate), 1);
    return rate;
}

/* --- as it is written --- */

static void test_rates_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        struct bucket_rate rate;
    } cases[] = {
        { "200/h", 1, { 200, 200, HOUR } },
        { "1/s", 1, { 1, 1, SECOND } },
        { "1000000/s", 1, { 1000000, 1000000, SECOND } },
        { "60/m", 1, { 60, 60, 60 * SECOND } },
        { "10/d, 3 at once", 1, { 10, 3, DAY } },
        { "10/d, 30 at once", 1, { 10, 30, DAY } },
        { "none", 1, { 0, 0, 0 } },
        { "", -1, { 0, 0, 0 } },
        { "0", -1, { 0, 0, 0 } },
        { "0/h", -1, { 0, 0, 0 } },
        { "200", -1, { 0, 0, 0 } },
        { "200/", -1, { 0, 0, 0 } },
        { "200/w", -1, { 0, 0, 0 } },
        { "200/hour", -1, { 0, 0, 0 } },
        { "/h", -1, { 0, 0, 0 } },
        { "-1/h", -1, { 0, 0, 0 } },
        { "+1/h", -1, { 0, 0, 0 } },
        { "1.5/h", -1, { 0, 0, 0 } },
        { "1000001/h", -1, { 0, 0, 0 } },
        { "99999999999999999999/h", -1, { 0, 0, 0 } },
        { "10/h, at once", -1, { 0, 0, 0 } },
        { "10/h, 0 at once", -1, { 0, 0, 0 } },
        { "10/h,5 at once", -1, { 0, 0, 0 } },
        { "10/h, 5 at once ", -1, { 0, 0, 0 } },
        { "10/h, 5", -1, { 0, 0, 0 } },
        { "None", -1, { 0, 0, 0 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bucket_rate rate = { .amount = 7 };
        if (bucket_parse_rate(cases[i].text, &rate) != cases[i].result)
            fail_msg("%s", cases[i].text);
        if (rate.amount != cases[i].rate.amount || rate.burst != cases[i].rate.burst ||
            rate.period_us != cases[i].rate.period_us)
            fail_msg("%s", cases[i].text);
    }
}

static void test_sizes_are_kib(void **state)
{
    (void)state;
    struct bucket_rate rate;
    assert_int_equal(bucket_parse_size_rate("1G/d, 64M at once", &rate), 1);
    assert_int_equal(rate.amount, 1 << 20);
    assert_int_equal(rate.burst, 64 << 10);
    assert_int_equal(bucket_parse_size_rate("64G/d", &rate), 1);
    assert_int_equal(bucket_parse_size_rate("65G/d", &rate), -1);
    assert_int_equal(bucket_parse_size_rate("2G/s", &rate), -1); /* no microsecond for each */
    assert_int_equal(bucket_parse_size_rate("512/d", &rate), -1);
    assert_int_equal(bucket_parse_size_rate("none", &rate), 1);
    assert_int_equal(rate.amount, 0);
}

/* --- what may be taken --- */

/* How many, one after the other, may be taken at once. */
static int64_t take_all(const struct bucket_rate *rate, int64_t *whole_us, int64_t now_us, int64_t most)
{
    int64_t count = 0;
    while (count < most && bucket_wait(rate, *whole_us, 1, now_us) == 0) {
        *whole_us = bucket_take(rate, *whole_us, 1, now_us);
        count++;
    }
    return count;
}

static void test_a_burst_then_the_rate(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("7/h"); /* no whole number of microseconds each */
    int64_t whole = 0;
    assert_int_equal(take_all(&rate, &whole, start, 100), 7);
    assert_int_equal(take_all(&rate, &whole, start + HOUR / 7 - SECOND, 100), 0);
    assert_int_equal(take_all(&rate, &whole, start + HOUR / 7 + SECOND, 100), 1);
    assert_int_equal(take_all(&rate, &whole, start + HOUR + SECOND, 100), 6);
    assert_int_equal(take_all(&rate, &whole, start + 10 * DAY, 100), 7);
}

static void test_no_limit(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("none");
    int64_t whole = 0;
    assert_int_equal(take_all(&rate, &whole, start, 100000), 100000);
    assert_int_equal(whole, 0);
}

static void test_more_than_the_burst_needs_all_of_it(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("10/h");
    int64_t whole = 0;
    assert_int_equal(bucket_wait(&rate, whole, 1000, start), 0);
    whole = bucket_take(&rate, whole, 1000, start);
    assert_int_equal(bucket_wait(&rate, whole, 1000, start), HOUR);
    assert_int_equal(bucket_wait(&rate, whole, 1, start), HOUR / 10);
}

static void test_what_is_taken_ahead_of_time_is_in_order(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("2/h");
    int64_t whole = 0, last = -1;
    for (int i = 0; i < 10; i++) {
        int64_t wait = bucket_wait(&rate, whole, 1, start);
        assert_int_equal(wait, i < 2 ? 0 : (i - 1) * HOUR / 2);
        assert_true(wait > last || wait == 0);
        last = wait;
        whole = bucket_take(&rate, whole, 1, start);
    }
}

/* Nobody loses more than a burst's time by a clock that was a year ahead, once it is repaired; and nobody gains anything. */
static void test_a_clock_that_was_set_back(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("10/h");
    int64_t whole = 0, year = 365 * DAY;
    assert_int_equal(take_all(&rate, &whole, start + year, 100), 10);
    assert_int_equal(take_all(&rate, &whole, start, 100), 0);
    whole = bucket_repair(&rate, whole, 0, start);
    assert_int_equal(take_all(&rate, &whole, start, 100), 0);
    assert_int_equal(take_all(&rate, &whole, start + HOUR, 100), 10);
}

static void test_repair_leaves_what_can_be(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("10/h"), none = rate_of("none");
    assert_int_equal(bucket_repair(&rate, start, 0, start), 0);
    assert_int_equal(bucket_repair(&rate, start + 1, 0, start), start + 1);
    assert_int_equal(bucket_repair(&rate, start + HOUR, 0, start), start + HOUR);
    assert_int_equal(bucket_repair(&rate, start + HOUR + 1, 0, start), start + HOUR);
    assert_int_equal(bucket_repair(&rate, start + 3 * HOUR, 2 * HOUR, start), start + 3 * HOUR);
    assert_int_equal(bucket_repair(&rate, start + 4 * HOUR, 2 * HOUR, start), start + HOUR);
    assert_int_equal(bucket_repair(&none, start + HOUR, 0, start), 0);
}

/* --- whatever happens --- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Over any time no more is taken than the burst and the rate times that time, also when the clock goes back for a while, and what
 * is kept goes through a file (a number) each time; and not less than that, but for rounding, by somebody who always wants more. */
static void test_never_more_than_burst_and_rate(void **state)
{
    (void)state;
    static const char *const rates[] = { "1/s", "7/m", "200/h", "200/h, 5 at once", "10/d, 30 at once", "1000000/h" };
    enum { STEPS = 3000, TRIES = 40 };
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        struct bucket_rate rate = rate_of(rates[r]);
        uint64_t seed = 12345 + r;
        int64_t whole = 0, now = start, latest = start, taken = 0;
        for (int step = 0; step < STEPS; step++) {
            int64_t unit = rate.period_us / rate.amount;
            now += (int64_t)(next_random(&seed) % (uint64_t)(4 * unit));
            if (next_random(&seed) % 50 == 0)
                now -= (int64_t)(next_random(&seed) % (uint64_t)(20 * unit));
            latest = now > latest ? now : latest;
            taken += take_all(&rate, &whole, now, 1 + (int64_t)(next_random(&seed) % TRIES));
            /* time is at most a period for each amount: no overflow here */
            double most = (double)rate.burst + (double)(latest - start) * (double)rate.amount / (double)rate.period_us;
            if ((double)taken > most + 1e-6 * most)
                fail_msg("%s: %lld taken, %f allowed", rates[r], (long long)taken, most);
        }
        taken += take_all(&rate, &whole, latest, INT64_MAX);
        double fair = (double)(latest - start) * (double)rate.amount / (double)rate.period_us;
        if (taken == 0 || (double)taken > (double)rate.burst + fair + 1)
            fail_msg("%s: %lld of %f", rates[r], (long long)taken, fair);
    }
}

/* Who asks all the time gets the whole rate. */
static void test_the_rate_is_reached(void **state)
{
    (void)state;
    struct bucket_rate rate = rate_of("200/h");
    int64_t whole = 0, taken = 0;
    for (int64_t now = start; now <= start + 5 * HOUR; now += SECOND)
        taken += take_all(&rate, &whole, now, 1000);
    assert_int_equal(taken, 200 + 5 * 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_as_they_are_written),
        cmocka_unit_test(test_sizes_are_kib),
        cmocka_unit_test(test_a_burst_then_the_rate),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_more_than_the_burst_needs_all_of_it),
        cmocka_unit_test(test_what_is_taken_ahead_of_time_is_in_order),
        cmocka_unit_test(test_a_clock_that_was_set_back),
        cmocka_unit_test(test_repair_leaves_what_can_be),
        cmocka_unit_test(test_never_more_than_burst_and_rate),
        cmocka_unit_test(test_the_rate_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
