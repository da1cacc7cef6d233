/* Tests of web_strangers on a fake clock: what the audit log has of those who fail to sign in. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/parts.h"
#include "gateway/web_strangers.h"
#include "mapping/store_audit.h"

static const int64_t start = INT64_C(1795600000000);

/* Where an assertion has failed the teardown frees the one, which uses the other. */
static struct web_strangers *strangers;
static struct parts parts;

static int setup(void **state)
{
    int result = store_fixture_setup_at(state, start);
    struct store_fixture *fixture = *state;
    parts = (struct parts){ .loop = fixture->loop, .clock = fixture->clock, .store = fixture->store };
    strangers = web_strangers_new(&parts);
    return result;
}

static int teardown(void **state)
{
    struct store_fixture *fixture = *state;
    web_strangers_free(&strangers);
    store_fixture_wait_for_all(fixture);
    return store_fixture_teardown(state);
}

struct last {
    int64_t id;
    char actor[100], after[200];
};

static void take_last(const struct store_audit *audit, void *ctx)
{
    struct last *last = ctx;
    assert_string_equal(audit->action, "web.sign-in-failed");
    assert_string_equal(audit->channel, "web");
    last->id = audit->id;
    snprintf(last->actor, sizeof last->actor, "%s", audit->actor);
    snprintf(last->after, sizeof last->after, "%s", audit->after);
}

/* There are so many rows, and the last one says this. */
static void assert_rows(struct store_fixture *fixture, int64_t wanted, const char *actor, const char *after)
{
    struct last last = { .id = 0 };
    store_fixture_wait_for_all(fixture);
    assert_int_equal(store_audit_list(store_reader(fixture->store), 0, 1, 100, take_last, &last), 1);
    assert_int_equal(last.id, wanted);
    assert_string_equal(last.actor, actor);
    assert_string_equal(last.after, after);
}

static void pass(struct store_fixture *fixture, int64_t ms)
{
    clock_advance(fixture->clock, ms);
    loop_turn(fixture->loop);
}

static void the_first_is_written_at_once_and_the_others_as_one(void **state)
{
    struct store_fixture *fixture = *state;
    web_strangers_add(strangers, NULL, "203.0.113.9");
    assert_rows(fixture, 1, "203.0.113.9", "1 failed, the last for no account");
    for (int i = 0; i < 50; i++)
        web_strangers_add(strangers, NULL, "203.0.113.10");
    web_strangers_add(strangers, "uma", "203.0.113.11");
    pass(fixture, WEB_STRANGERS_EVERY_MS - 1);
    assert_rows(fixture, 1, "203.0.113.9", "1 failed, the last for no account");
    pass(fixture, 1);
    assert_rows(fixture, 2, "203.0.113.11", "51 failed, the last for account uma");
}

static void who_comes_after_a_silence_is_written_at_once_again(void **state)
{
    struct store_fixture *fixture = *state;
    web_strangers_add(strangers, "uma", "203.0.113.9");
    pass(fixture, WEB_STRANGERS_EVERY_MS);
    pass(fixture, WEB_STRANGERS_EVERY_MS);
    assert_rows(fixture, 1, "203.0.113.9", "1 failed, the last for account uma");
    web_strangers_add(strangers, "uma", "203.0.113.10");
    assert_rows(fixture, 2, "203.0.113.10", "1 failed, the last for account uma");
}

/* As one after the other for as long as they like: a row each ten minutes. */
static void who_goes_on_gets_a_row_each_ten_minutes(void **state)
{
    struct store_fixture *fixture = *state;
    for (int i = 0; i < 60; i++) {
        web_strangers_add(strangers, NULL, "203.0.113.9");
        pass(fixture, WEB_STRANGERS_EVERY_MS / 10);
    }
    assert_rows(fixture, 7, "203.0.113.9", "10 failed, the last for no account");
}

static void what_is_left_at_the_end_is_written(void **state)
{
    struct store_fixture *fixture = *state;
    for (int i = 0; i < 3; i++)
        web_strangers_add(strangers, "uma", "203.0.113.9");
    web_strangers_free(&strangers);
    assert_rows(fixture, 2, "203.0.113.9", "2 failed, the last for account uma");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_first_is_written_at_once_and_the_others_as_one),
        WITH_STORE(who_comes_after_a_silence_is_written_at_once_again),
        WITH_STORE(who_goes_on_gets_a_row_each_ten_minutes),
        WITH_STORE(what_is_left_at_the_end_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
