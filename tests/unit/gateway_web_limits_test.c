#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/web_limits.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static int set_up(void **state)
{
    *state = web_limits_new();
    return 0;
}

static int tear_down(void **state)
{
    struct web_limits *limits = *state;
    web_limits_free(&limits);
    return 0;
}

static void fail_often(struct web_limits *limits, const char *name, const char *network, int count, int64_t now)
{
    while (count-- > 0)
        web_limits_failed(limits, name, network, now);
}

/* Each failure after the free ones doubles the wait, up to a minute: a name can't be locked for ever. */
static void a_name_that_is_guessed_at(void **state)
{
    struct web_limits *limits = *state;
    int64_t now = 1000;
    fail_often(limits, "alice", "192.0.2.0", WEB_LIMITS_NAME_FREE - 1, now);
    assert_int_equal(web_limits_wait(limits, "alice", "192.0.2.0", now), 0);
    for (int64_t wait = 1000; wait < MINUTE; wait *= 2) {
        web_limits_failed(limits, "alice", "192.0.2.0", now);
        assert_int_equal(web_limits_wait(limits, "alice", "198.51.100.0", now), wait); /* from anywhere */
        assert_int_equal(web_limits_wait(limits, "bob", "198.51.100.0", now), 0);
        now += wait;
        assert_int_equal(web_limits_wait(limits, "alice", "198.51.100.0", now), 0);
    }
    for (int i = 0; i < 100; i++)
        web_limits_failed(limits, "alice", "other", now);
    assert_int_equal(web_limits_wait(limits, "alice", "198.51.100.0", now), MINUTE);
}

static void a_network_that_guesses(void **state)
{
    struct web_limits *limits = *state;
    char name[32];
    for (int i = 0; i < WEB_LIMITS_NETWORK_FREE + 60; i++) {
        snprintf(name, sizeof name, "name%d", i);
        web_limits_failed(limits, name, "192.0.2.0", 0);
    }
    assert_int_equal(web_limits_wait(limits, "alice", "192.0.2.0", 0), 5 * MINUTE);
    assert_int_equal(web_limits_wait(limits, "alice", "198.51.100.0", 0), 0);
    assert_int_equal(web_limits_wait(limits, "alice", "192.0.2.0", 5 * MINUTE), 0);
}

static void success_forgives_the_name_only(void **state)
{
    struct web_limits *limits = *state;
    fail_often(limits, "alice", "192.0.2.0", WEB_LIMITS_NETWORK_FREE + 3, 0);
    web_limits_succeeded(limits, "alice", "192.0.2.0");
    assert_int_equal(web_limits_wait(limits, "alice", "198.51.100.0", 0), 0);
    assert_true(web_limits_wait(limits, "alice", "192.0.2.0", 0) > 0);
}

static void what_is_not_tried_any_more_is_forgotten(void **state)
{
    struct web_limits *limits = *state;
    fail_often(limits, "alice", "192.0.2.0", 10, 0);
    web_limits_failed(limits, "alice", "192.0.2.0", 15 * MINUTE);
    assert_int_equal(web_limits_wait(limits, "alice", "198.51.100.0", 15 * MINUTE), 0);
    fail_often(limits, "bob", "203.0.113.0", 30, 0);
    web_limits_failed(limits, "bob", "203.0.113.0", HOUR);
    assert_int_equal(web_limits_wait(limits, "x", "203.0.113.0", HOUR), 0);
}

/* Whoever invents names does not make us forget the one that is being guessed at. */
static void many_names(void **state)
{
    struct web_limits *limits = *state;
    char name[32], network[32];
    fail_often(limits, "alice", "192.0.2.0", 10, 0);
    for (int i = 0; i < WEB_LIMITS_ENTRIES_MAX / 2 + 200; i++) {
        snprintf(name, sizeof name, "name%d", i);
        snprintf(network, sizeof network, "network%d", i);
        web_limits_failed(limits, name, network, 1000);
    }
    assert_true(web_limits_wait(limits, "alice", "198.51.100.0", 1000) > 0);
    assert_int_equal(web_limits_wait(limits, "name1", "198.51.100.0", 1000), 0);
}

/* A name is not a network, whatever it is called. */
static void names_and_networks_are_kept_apart(void **state)
{
    struct web_limits *limits = *state;
    fail_often(limits, "192.0.2.0", "198.51.100.0", 10, 0);
    assert_int_equal(web_limits_wait(limits, "alice", "192.0.2.0", 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_guessed_at),
        TEST(a_network_that_guesses),
        TEST(success_forgives_the_name_only),
        TEST(what_is_not_tried_any_more_is_forgotten),
        TEST(many_names),
        TEST(names_and_networks_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
