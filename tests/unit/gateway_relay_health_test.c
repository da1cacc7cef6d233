/* gateway_relay_health_test.c - what is down is probed, not hammered: relays, and domains behind them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/destinations.h"
#include "gateway/relay_health.h"

enum { SECOND = 1000, NO_LUCK = 0 };

static void test_one_probe_at_a_time(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(1000, 1000000);
    struct relay_health *health = relay_health_new(clock);
    assert_true(relay_health_is_usable(health));
    assert_int_equal(relay_health_since(health), 0);
    relay_health_begin(health);
    assert_int_equal(relay_health_state(health), RELAY_HEALTH_UP); /* many go at a time to one that is up */
    assert_false(relay_health_worked(health));

    relay_health_failed(health, "refused", NO_LUCK);
    assert_int_equal(relay_health_state(health), RELAY_HEALTH_DOWN);
    assert_string_equal(relay_health_words(health), "refused");
    assert_int_equal(relay_health_since(health), 1000000);
    assert_false(relay_health_is_usable(health));
    int64_t wait = relay_health_probe_in(health);
    assert_true(wait >= RELAY_HEALTH_FIRST_MS * 3 / 4 && wait <= RELAY_HEALTH_FIRST_MS);
    relay_health_failed(health, "also under way when it went down", NO_LUCK);
    assert_int_equal(relay_health_probe_in(health), wait);

    clock_advance(clock, wait);
    assert_true(relay_health_is_usable(health));
    relay_health_begin(health);
    assert_int_equal(relay_health_state(health), RELAY_HEALTH_PROBING);
    assert_false(relay_health_is_usable(health));
    assert_int_equal(relay_health_probe_in(health), -1);
    relay_health_failed(health, "refused again", NO_LUCK);
    assert_true(relay_health_probe_in(health) >= 2 * RELAY_HEALTH_FIRST_MS * 3 / 4);
    assert_int_equal(relay_health_since(health), 1000000); /* down all the time */

    relay_health_probe_now(health);
    assert_true(relay_health_is_usable(health));
    relay_health_begin(health);
    assert_true(relay_health_worked(health));
    assert_int_equal(relay_health_state(health), RELAY_HEALTH_UP);
    assert_string_equal(relay_health_words(health), "");
    assert_int_equal(relay_health_since(health), 1000000 + wait);
    relay_health_failed(health, "a new failure", NO_LUCK); /* begins with the shortest wait */
    assert_true(relay_health_probe_in(health) <= RELAY_HEALTH_FIRST_MS);
    relay_health_free(&health);
    clock_free(&clock);
}

/* In an outage of a day there are some hundred probes, not thousands; and never more than five minutes without one. */
static void test_a_long_outage(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(0, 0);
    struct relay_health *health = relay_health_new(clock);
    unsigned probes = 0;
    relay_health_failed(health, "down", 1);
    while (clock_monotonic_ms(clock) < INT64_C(24) * 3600 * SECOND) {
        int64_t wait = relay_health_probe_in(health);
        assert_true(wait > 0 && wait <= RELAY_HEALTH_LONGEST_MS);
        clock_advance(clock, wait);
        relay_health_begin(health);
        relay_health_failed(health, "down", 7919u * ++probes);
    }
    assert_true(probes > 24 * 12 && probes < 24 * 18);
    relay_health_free(&health);
    clock_free(&clock);
}

static void test_slow_domains_are_set_aside(void **state)
{
    (void)state;
    const char *words = NULL;
    struct clock *clock = clock_new_fake(0, 0);
    struct destinations *destinations = destinations_new(clock);
    for (int i = 0; i < 10; i++) /* greylisting is fast */
        destinations_note(destinations, "grey.test", 100, "450 try later");
    assert_false(destinations_is_aside(destinations, "grey.test", &words));
    destinations_note(destinations, "slow.test", 6 * SECOND, "451 timed out");
    destinations_note(destinations, "slow.test", 6 * SECOND, "451 timed out");
    assert_false(destinations_is_aside(destinations, "slow.test", &words));
    destinations_note(destinations, "slow.test", 6 * SECOND, NULL); /* refused or delivered, at last: it answers */
    destinations_note(destinations, "slow.test", 6 * SECOND, "451 timed out");
    destinations_note(destinations, "slow.test", 6 * SECOND, "451 timed out");
    assert_false(destinations_is_aside(destinations, "slow.test", &words));
    destinations_note(destinations, "slow.test", 6 * SECOND, "451 timed out");
    assert_true(destinations_is_aside(destinations, "slow.test", &words));
    assert_string_equal(words, "451 timed out");
    assert_int_equal(destinations_count_aside(destinations), 1);
    assert_false(destinations_is_aside(destinations, "other.test", &words));

    clock_advance(clock, DESTINATIONS_FIRST_MS);
    assert_false(destinations_is_aside(destinations, "slow.test", &words)); /* the probe */
    assert_true(destinations_is_aside(destinations, "slow.test", &words));
    destinations_note(destinations, "slow.test", 6 * SECOND, "451 timed out");
    clock_advance(clock, DESTINATIONS_FIRST_MS);
    assert_true(destinations_is_aside(destinations, "slow.test", &words)); /* twice as long now */
    clock_advance(clock, DESTINATIONS_FIRST_MS);
    assert_false(destinations_is_aside(destinations, "slow.test", &words));
    destinations_note(destinations, "slow.test", 200, NULL);
    assert_false(destinations_is_aside(destinations, "slow.test", &words));
    destinations_free(&destinations);
    clock_free(&clock);
}

/* Somebody who writes to thousands of dead domains costs a bounded amount of memory. */
static void test_the_oldest_domain_is_forgotten(void **state)
{
    (void)state;
    const char *words = NULL;
    char domain[32];
    struct clock *clock = clock_new_fake(0, 0);
    struct destinations *destinations = destinations_new(clock);
    for (int i = 0; i <= DESTINATIONS_MAX; i++) {
        snprintf(domain, sizeof domain, "d%d.test", i);
        for (int j = 0; j < DESTINATIONS_FAILURES; j++)
            destinations_note(destinations, domain, 6 * SECOND, "451 timed out");
        clock_advance(clock, 1);
    }
    assert_int_equal(destinations_count_aside(destinations), DESTINATIONS_MAX);
    assert_false(destinations_is_aside(destinations, "d0.test", &words));
    assert_true(destinations_is_aside(destinations, "d1.test", &words));
    assert_true(destinations_is_aside(destinations, domain, &words));
    destinations_clear(destinations);
    assert_false(destinations_is_aside(destinations, domain, &words));
    assert_int_equal(destinations_count_aside(destinations), 0);
    destinations_free(&destinations);
    clock_free(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_probe_at_a_time),
        cmocka_unit_test(test_a_long_outage),
        cmocka_unit_test(test_slow_domains_are_set_aside),
        cmocka_unit_test(test_the_oldest_domain_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
