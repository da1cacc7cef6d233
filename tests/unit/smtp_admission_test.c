#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "smtp/smtp_admission.h"
#include "smtp/smtp_budget.h"

enum { MINUTE_MS = 60 * 1000, FLOOD = 200 * 1000 };

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct smtp_admission *admission;
};

static void set_up(struct scene *scene, const struct smtp_admission_settings *settings)
{
    char *error = NULL;
    scene->clock = clock_new_fake(1000, 0);
    scene->loop = loop_new(scene->clock);
    scene->admission = smtp_admission_new(scene->loop, settings, &error);
    assert_non_null(scene->admission);
}

static void tear_down(struct scene *scene)
{
    assert_int_equal(smtp_admission_sessions(scene->admission), 0);
    smtp_admission_free(&scene->admission);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
}

static int enter(struct scene *scene, const char *address, struct smtp_visit *visit)
{
    struct smtp_reply reply = smtp_admission_enter(scene->admission, address, visit);
    assert_int_equal(reply.code == 0, visit->is_in);
    return reply.code;
}

/* In, and out at once. */
static int pass(struct scene *scene, const char *address)
{
    struct smtp_visit visit;
    int code = enter(scene, address, &visit);
    smtp_admission_leave(scene->admission, &visit);
    return code;
}

static const char *nth_address(uint32_t n)
{
    static char text[32];
    snprintf(text, sizeof text, "%u.%u.%u.%u", 1 + (n >> 24), (n >> 16) & 255, (n >> 8) & 255, n & 255);
    return text;
}

static void test_ten_thousand_sessions_of_as_many_clients(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static struct smtp_visit visits[COUNT];
    struct smtp_admission_settings settings = { .max_sessions = COUNT, .max_sessions_per_client = 1 };
    struct scene scene;
    struct smtp_visit visit;
    set_up(&scene, &settings);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(enter(&scene, nth_address(i), &visits[i]), 0);
    assert_int_equal(enter(&scene, "203.0.113.1", &visit), 421);
    smtp_admission_leave(scene.admission, &visits[17]);
    assert_int_equal(enter(&scene, nth_address(18), &visit), 421);
    assert_int_equal(enter(&scene, nth_address(17), &visits[17]), 0);
    for (uint32_t i = 0; i < COUNT; i++)
        smtp_admission_leave(scene.admission, &visits[i]);
    assert_int_equal(smtp_admission_remembered(scene.admission), 0);
    tear_down(&scene);
}

static void test_flood_of_addresses_is_bounded(void **state)
{
    (void)state;
    struct smtp_admission_settings settings = { .max_sessions = 10, .per_minute = { [SMTP_RATE_CONNECTIONS] = 1 } };
    struct scene scene;
    struct smtp_visit visit;
    set_up(&scene, &settings);
    assert_int_equal(enter(&scene, "192.0.2.1", &visit), 0);
    for (uint32_t i = 0; i < FLOOD; i++)
        assert_int_equal(pass(&scene, nth_address(i)), 0);
    assert_true(smtp_admission_remembered(scene.admission) <= SMTP_ADMISSION_IDLE_MAX + 1);
    assert_int_equal(pass(&scene, nth_address(FLOOD - 1)), 421); /* the newest are remembered */
    assert_int_equal(pass(&scene, nth_address(0)), 0);           /* the oldest are not */
    assert_int_equal(pass(&scene, "192.0.2.1"), 421);            /* who has a session is */
    smtp_admission_leave(scene.admission, &visit);
    tear_down(&scene);
}

/* Memory goes by itself when the flood is over and its allowances are whole again. */
static void test_flood_is_forgotten(void **state)
{
    (void)state;
    struct smtp_admission_settings settings = { .max_sessions = 10, .per_minute = { [SMTP_RATE_CONNECTIONS] = 1 } };
    struct scene scene;
    set_up(&scene, &settings);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(pass(&scene, nth_address(i)), 0);
    assert_int_equal(smtp_admission_remembered(scene.admission), 1000);
    clock_advance(scene.clock, MINUTE_MS);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(pass(&scene, nth_address(5000 + i)), 0);
    assert_int_equal(smtp_admission_remembered(scene.admission), 1000);
    tear_down(&scene);
}

static void test_rates(void **state)
{
    (void)state;
    struct smtp_admission_settings settings = { .max_sessions = 10, .per_minute = { 0, 60, 2 } };
    struct scene scene;
    struct smtp_visit visit;
    set_up(&scene, &settings);
    assert_int_equal(enter(&scene, "192.0.2.1", &visit), 0);
    for (int i = 0; i < 60; i++)
        assert_true(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_MESSAGES));
    assert_false(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_MESSAGES));
    assert_true(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_RECIPIENTS)); /* each rate by itself */
    clock_advance(scene.clock, 1000);
    assert_true(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_MESSAGES));
    assert_false(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_MESSAGES));
    for (int i = 0; i < 100; i++)
        assert_true(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_CONNECTIONS)); /* no limit */
    smtp_admission_leave(scene.admission, &visit);
    assert_int_equal(smtp_admission_remembered(scene.admission), 1); /* coming again changes nothing */
    assert_int_equal(enter(&scene, "192.0.2.1", &visit), 0);
    assert_false(smtp_admission_allows(scene.admission, &visit, SMTP_RATE_MESSAGES));
    smtp_admission_leave(scene.admission, &visit);
    tear_down(&scene);
}

static void test_who_is_one_client(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool is_one;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1", true },          { "192.0.2.1", "192.0.2.2", false },
        { "192.0.2.1", "::ffff:192.0.2.1", true },   { "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
        { "2001:db8::1", "2001:db8:0:1::1", false }, { "fe80::1%eth0", "fe80::1", true },
    };
    struct smtp_admission_settings settings = { .max_sessions = 10, .max_sessions_per_client = 1 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene scene;
        struct smtp_visit visit;
        set_up(&scene, &settings);
        assert_int_equal(enter(&scene, cases[i].first, &visit), 0);
        assert_int_equal(pass(&scene, cases[i].second), cases[i].is_one ? 421 : 0);
        smtp_admission_leave(scene.admission, &visit);
        tear_down(&scene);
    }
}

static void test_exempt_and_unknown(void **state)
{
    (void)state;
    static const char *const exempt[] = { "127.0.0.0/8", "2001:db8::/32", NULL };
    static const char *const free_ones[] = { "127.0.0.1", "::ffff:127.1.2.3", "2001:db8::1", "unix", NULL };
    struct smtp_admission_settings settings = {
        .exempt = exempt, .max_sessions = 100, .max_sessions_per_client = 1, .per_minute = { 1, 1, 1 }
    };
    struct scene scene;
    struct smtp_visit visits[2];
    set_up(&scene, &settings);
    for (size_t i = 0; i < sizeof free_ones / sizeof free_ones[0]; i++) { /* the last one: not known yet */
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(enter(&scene, free_ones[i], &visits[j]), 0);
            assert_true(visits[j].is_exempt);
            assert_true(smtp_admission_allows(scene.admission, &visits[j], SMTP_RATE_MESSAGES));
            assert_true(smtp_admission_allows(scene.admission, &visits[j], SMTP_RATE_MESSAGES));
        }
        assert_int_equal(smtp_admission_sessions(scene.admission), 2);
        smtp_admission_leave(scene.admission, &visits[0]);
        smtp_admission_leave(scene.admission, &visits[1]);
    }
    assert_int_equal(smtp_admission_remembered(scene.admission), 0);
    tear_down(&scene);
}

static void test_bad_network_changes_nothing(void **state)
{
    (void)state;
    static const char *const good[] = { "192.0.2.0/24", NULL };
    static const char *const bad[] = { "192.0.2.0/33", NULL };
    struct smtp_admission_settings settings = { .clients = good, .max_sessions = 1 };
    struct scene scene;
    char *error = NULL;
    set_up(&scene, &settings);
    settings = (struct smtp_admission_settings){ .clients = NULL, .exempt = bad, .max_sessions = 1 };
    assert_int_equal(smtp_admission_reconfigure(scene.admission, &settings, &error), -1);
    assert_non_null(error);
    free(error);
    assert_int_equal(pass(&scene, "198.51.100.1"), 554);
    assert_int_equal(pass(&scene, "192.0.2.1"), 0);
    tear_down(&scene);
}

static void test_budget_shares(void **state)
{
    (void)state;
    static const struct {
        int64_t held;
        bool session, message, content;
    } cases[] = {
        { 0, true, true, true },      { 599, true, true, true },     { 600, false, true, true },
        { 699, false, true, true },   { 700, false, false, true },   { 799, false, false, true },
        { 800, false, false, false }, { 1000, false, false, false },
    };
    struct smtp_budget *budget = smtp_budget_new(800);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        smtp_budget_change(budget, cases[i].held);
        assert_int_equal(smtp_budget_has_room(budget, SMTP_BUDGET_SESSION), cases[i].session);
        assert_int_equal(smtp_budget_has_room(budget, SMTP_BUDGET_MESSAGE), cases[i].message);
        assert_int_equal(smtp_budget_has_room(budget, SMTP_BUDGET_CONTENT), cases[i].content);
        smtp_budget_change(budget, -cases[i].held);
    }
    smtp_budget_free(&budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_thousand_sessions_of_as_many_clients),
        cmocka_unit_test(test_flood_of_addresses_is_bounded),
        cmocka_unit_test(test_flood_is_forgotten),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_who_is_one_client),
        cmocka_unit_test(test_exempt_and_unknown),
        cmocka_unit_test(test_bad_network_changes_nothing),
        cmocka_unit_test(test_budget_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
