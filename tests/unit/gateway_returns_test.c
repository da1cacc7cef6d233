/* Tests of returns on a fake clock: what it does while the database fails. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/returns.h"
#include "mapping/store_queue.h"

enum { MINUTE = 60, LONGEST = 30, TRIES = 40 };

static int setup(void **state)
{
    return store_fixture_setup_at(state, INT64_C(1795600000000));
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static int64_t add_returned(struct store_fixture *fixture)
{
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id;
    const struct store_inbound_new row = {
        .kind = STORE_INBOUND_RETURNED, .sender = "", .from_address = "", .now = clock_wall_ms(fixture->clock)
    };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    return id;
}

static enum store_queue_state state_of(struct store_fixture *fixture, int64_t id)
{
    struct store_inbound row;
    assert_int_equal(store_inbound_find(store_reader(fixture->store), id, &row), 1);
    enum store_queue_state queue_state = row.state;
    store_inbound_free(&row);
    return queue_state;
}

/* A table is away for ten minutes. What comes then is without content, and so is held. */
static void fail_for_long(void **state, const char *hide, const char *show)
{
    struct store_fixture *fixture = *state;
    struct config config = { .retry = { .give_up_ms = 86400000 } };
    const struct parts parts = {
        .loop = fixture->loop, .clock = fixture->clock, .store = fixture->store, .config = &config
    };
    struct returns *returns = returns_new(&parts, ignore, NULL);
    int64_t id = add_returned(fixture);
    store_fixture_change(fixture, hide);
    returns_open(returns, true);
    store_fixture_pass_seconds(fixture, 10 * MINUTE);
    assert_true(fixture->errors >= 10 * MINUTE / LONGEST);
    assert_true(fixture->errors < TRIES);
    store_fixture_change(fixture, show);
    assert_int_equal(state_of(fixture, id), STORE_QUEUE_WAITING);
    store_fixture_pass_seconds(fixture, LONGEST + 1);
    assert_int_equal(state_of(fixture, id), STORE_QUEUE_HELD);
    returns_free(&returns);
}

static void what_can_t_be_read_for_long_is_tried_less_often(void **state)
{
    fail_for_long(state, "ALTER TABLE inbound_recipient RENAME TO away",
                  "ALTER TABLE away RENAME TO inbound_recipient");
}

static void what_can_t_be_noted_for_long_is_tried_less_often(void **state)
{
    fail_for_long(state, "ALTER TABLE trace RENAME TO away", "ALTER TABLE away RENAME TO trace");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(what_can_t_be_read_for_long_is_tried_less_often),
        SCENE(what_can_t_be_noted_for_long_is_tried_less_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
