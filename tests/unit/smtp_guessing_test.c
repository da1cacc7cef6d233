#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "smtp/smtp_guessing.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct smtp_guessing *guessing;
};

static void set_up(struct scene *scene, unsigned free_guesses)
{
    scene->clock = clock_new_fake(1000, 0);
    scene->loop = loop_new(scene->clock);
    scene->guessing = smtp_guessing_new(scene->loop, free_guesses);
}

static void tear_down(struct scene *scene)
{
    smtp_guessing_free(&scene->guessing);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
}

/* What it costs, waited for. */
static int64_t guess(struct scene *scene, const char *address)
{
    int64_t ms = smtp_guessing_count(scene->guessing, address);
    if (ms > 0)
        smtp_guessing_end_delay(scene->guessing);
    return ms;
}

static struct smtp_guessing_statistics look(const struct scene *scene)
{
    struct smtp_guessing_statistics out;
    smtp_guessing_get_statistics(scene->guessing, &out);
    return out;
}

static void test_slower_and_slower_then_away(void **state)
{
    (void)state;
    static const int64_t delays[] = { 0, 0, 0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 16000, SMTP_GUESS_LAST };
    struct scene scene;
    set_up(&scene, 7);
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        assert_false(smtp_guessing_is_paused(scene.guessing, "192.0.2.1"));
        assert_int_equal(look(&scene).slowed, i > 7);
        assert_int_equal(guess(&scene, "192.0.2.1"), delays[i]);
    }
    assert_true(smtp_guessing_is_paused(scene.guessing, "192.0.2.1"));
    assert_int_equal(look(&scene).guesses, 14);
    assert_int_equal(look(&scene).paused, 1);
    assert_int_equal(look(&scene).slowed, 0);
    tear_down(&scene);
}

/* A network is paused for ten minutes, whatever it does meanwhile; then it is slow still, until it is forgotten. */
static void test_a_pause_ends(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 10);
    for (int i = 0; i < 19; i++)
        assert_int_not_equal(guess(&scene, "192.0.2.1"), SMTP_GUESS_LAST);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(guess(&scene, "192.0.2.1"), SMTP_GUESS_LAST);
    clock_advance(scene.clock, 10 * MINUTE - 1);
    assert_true(smtp_guessing_is_paused(scene.guessing, "192.0.2.1"));
    clock_advance(scene.clock, 1);
    assert_false(smtp_guessing_is_paused(scene.guessing, "192.0.2.1"));
    assert_int_equal(guess(&scene, "192.0.2.1"), 1000);
    clock_advance(scene.clock, 11 * MINUTE);
    assert_int_equal(guess(&scene, "192.0.2.1"), 0);
    tear_down(&scene);
}

static void test_one_a_minute_is_nothing(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 2);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(guess(&scene, "192.0.2.1"), 0);
        clock_advance(scene.clock, MINUTE);
    }
    tear_down(&scene);
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_same;
    } cases[] = {
        { "192.0.2.200", true },
        { "::ffff:192.0.2.7", true },
        { "192.0.3.1", false },
        { "2001:db8::1", false },
        { "2001:db8:0:1::2", false },
        { "unix", false },
        { "", false },
    };
    struct scene scene;
    set_up(&scene, 1);
    for (int i = 0; i < 2; i++) {
        (void)guess(&scene, "192.0.2.1");
        (void)guess(&scene, "2001:db8:0:7::1");
        assert_int_equal(guess(&scene, "unix"), 0);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(smtp_guessing_is_paused(scene.guessing, cases[i].address), cases[i].is_same);
    assert_true(smtp_guessing_is_paused(scene.guessing, "2001:db8:0:7:ffff::1"));
    assert_false(smtp_guessing_is_paused(scene.guessing, "2001:db8:0:8::1"));
    tear_down(&scene);
}

static void test_never(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(guess(&scene, "192.0.2.1"), 0);
    assert_int_equal(look(&scene).remembered, 0);
    smtp_guessing_set_free(scene.guessing, 1);
    assert_int_equal(guess(&scene, "192.0.2.1"), 0);
    assert_int_equal(guess(&scene, "192.0.2.1"), SMTP_GUESS_LAST);
    smtp_guessing_set_free(scene.guessing, 0); /* an administrator has mercy */
    assert_false(smtp_guessing_is_paused(scene.guessing, "192.0.2.1"));
    tear_down(&scene);
}

static const char *nth_address(uint32_t n)
{
    static char text[32];
    snprintf(text, sizeof text, "%u.%u.%u.1", 1 + (n >> 16), (n >> 8) & 255, n & 255);
    return text;
}

/* Many who guess a little at the same time: only so many replies wait. */
static void test_few_replies_wait(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 2);
    for (uint32_t i = 0; i < SMTP_GUESSING_DELAYED_MAX + 5; i++) {
        for (int k = 0; k < 2; k++)
            assert_int_equal(guess(&scene, nth_address(i)), 0);
        int64_t ms = smtp_guessing_count(scene.guessing, nth_address(i));
        assert_int_equal(ms, i < SMTP_GUESSING_DELAYED_MAX ? 1000 : SMTP_GUESS_LAST);
    }
    assert_int_equal(look(&scene).delayed, SMTP_GUESSING_DELAYED_MAX);
    smtp_guessing_end_delay(scene.guessing);
    (void)guess(&scene, "203.0.113.1");
    (void)guess(&scene, "203.0.113.1");
    assert_int_equal(smtp_guessing_count(scene.guessing, "203.0.113.1"), 1000);
    tear_down(&scene);
}

/* More networks than are remembered: the one that has guessed longest ago is forgotten, not the busiest. */
static void test_a_flood_of_networks(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1);
    for (int i = 0; i < 2; i++)
        (void)guess(&scene, "203.0.113.1");
    for (uint32_t i = 0; i < SMTP_GUESSING_NETWORKS_MAX + 1000; i++) {
        (void)guess(&scene, nth_address(i));
        if (i % 1000 == 0)
            (void)guess(&scene, "203.0.113.1");
    }
    assert_int_equal(look(&scene).remembered, SMTP_GUESSING_NETWORKS_MAX);
    assert_true(smtp_guessing_is_paused(scene.guessing, "203.0.113.1"));
    clock_advance(scene.clock, 11 * MINUTE);
    for (uint32_t i = 0; i < SMTP_GUESSING_NETWORKS_MAX; i++) /* two of the quiet ones go whenever one comes */
        (void)guess(&scene, nth_address((1U << 20) + i % 10));
    for (uint32_t i = 0; i < 40000; i++)
        (void)guess(&scene, nth_address((1U << 21) + i));
    assert_true(look(&scene).remembered < 40100);
    tear_down(&scene);
}

static void swallow(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slower_and_slower_then_away),
        cmocka_unit_test(test_a_pause_ends),
        cmocka_unit_test(test_one_a_minute_is_nothing),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_few_replies_wait),
        cmocka_unit_test(test_a_flood_of_networks),
    };
    log_set_sink(swallow, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
