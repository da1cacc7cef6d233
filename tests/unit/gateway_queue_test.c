/* gateway_queue_test.c - the schedule: what is due is started in time, whatever else is under way */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/parts.h"
#include "gateway/queue.h"
#include "mapping/store_queue.h"

enum { PATIENCE_MS = 5000 };

struct schedule {
    struct store_fixture *fixture;
    struct parts parts;
    struct queue *queue;
    int64_t started[40];
    unsigned count;
};

static void note_start(int64_t id, void *ctx)
{
    struct schedule *schedule = ctx;
    schedule->started[schedule->count++] = id;
}

static struct schedule open_schedule(struct store_fixture *fixture)
{
    return (struct schedule){ .fixture = fixture,
                              .parts = { .loop = fixture->loop, .clock = fixture->clock, .store = fixture->store } };
}

static void start_queue(struct schedule *schedule, unsigned concurrency, void (*start)(int64_t id, void *ctx))
{
    struct queue_settings settings = {
        .parts = &schedule->parts, .which = STORE_QUEUE_IN, .concurrency = concurrency, .start = start, .ctx = schedule
    };
    schedule->queue = queue_new(&settings);
    queue_open(schedule->queue, true);
}

static int64_t add_entry(struct store_db *db, int64_t due)
{
    int64_t id;
    struct store_inbound_new mail = {
        .kind = STORE_INBOUND_MAIL, .sender = "", .from_address = "", .references = "", .now = due
    };
    assert_int_equal(store_inbound_add(db, &mail, &id), 1);
    return id;
}

/* Turns the loop until so many were started; how long that took. */
static int64_t wait_for(struct schedule *schedule, unsigned count)
{
    int64_t begin = clock_monotonic_ms(schedule->fixture->clock), now = begin;
    while (schedule->count < count && now - begin < PATIENCE_MS) {
        loop_turn(schedule->fixture->loop);
        usleep(1000);
        now = clock_monotonic_ms(schedule->fixture->clock);
    }
    assert_int_equal(schedule->count, count);
    return now - begin;
}

/* An entry that is under way for long must not hide that another one falls due. */
static void test_under_way_hides_nobody(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    int64_t now = clock_wall_ms(schedule.fixture->clock);
    int64_t slow = add_entry(db, now - 1000), later = add_entry(db, now + 300);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 4, note_start);
    wait_for(&schedule, 2);
    assert_int_equal(schedule.started[0], slow);
    assert_int_equal(schedule.started[1], later);
    assert_true(clock_wall_ms(schedule.fixture->clock) >= now + 300); /* not before its time */
    queue_free(&schedule.queue);
}

static void test_bounded_and_in_order(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    int64_t ids[3], now = clock_wall_ms(schedule.fixture->clock);
    for (int i = 0; i < 3; i++)
        ids[i] = add_entry(db, now - 10 + i);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 2, note_start);
    wait_for(&schedule, 2);
    for (int i = 0; i < 20; i++)
        loop_turn(schedule.fixture->loop);
    assert_int_equal(schedule.count, 2);
    assert_int_equal(queue_under_way(schedule.queue), 2);

    db = store_fixture_borrow(*state);
    assert_int_equal(store_inbound_finish(db, ids[0], STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    queue_finished(schedule.queue, ids[0]);
    wait_for(&schedule, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(schedule.started[i], ids[i]);
    queue_free(&schedule.queue);
}

/* Of many that are under way most may take long: the places of the others are filled all the same. */
static void test_slow_ones_leave_their_places(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    int64_t ids[22], now = clock_wall_ms(schedule.fixture->clock);
    for (int i = 0; i < 22; i++)
        ids[i] = add_entry(db, now - 100 + i);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 20, note_start);
    wait_for(&schedule, 20);

    db = store_fixture_borrow(*state);
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_inbound_finish(db, ids[i], STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    for (int i = 0; i < 2; i++)
        queue_finished(schedule.queue, ids[i]);
    wait_for(&schedule, 22);
    assert_int_equal(schedule.started[21], ids[21]);
    queue_free(&schedule.queue);
}

static int settle(struct store_db *db, void *arg)
{
    const int64_t *id = arg;
    return store_inbound_finish(db, *id, STORE_QUEUE_SETTLED);
}

static void settled(int result, void *arg)
{
    (void)result; /* 0 when it had been started twice meanwhile */
    free(arg);
}

/* Only the last of three needs its place. */
static void end_at_once(int64_t id, void *ctx)
{
    struct schedule *schedule = ctx;
    int64_t *copy = malloc(sizeof id);
    if (id >= 3) {
        free(copy);
        note_start(id, ctx);
        return;
    }
    *copy = id;
    store_submit(schedule->fixture->store, settle, settled, copy);
    queue_finished(schedule->queue, id);
}

/* Those that end in the moment in which they are started make room for what is due behind them. */
static void test_ended_at_once_hides_nobody(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    int64_t now = clock_wall_ms(schedule.fixture->clock);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add_entry(db, now - 10 + i), i + 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 2, end_at_once);
    wait_for(&schedule, 1);
    assert_int_equal(schedule.started[0], 3);
    queue_free(&schedule.queue);
}

/* What it could not read it looks at again soon, not only after a minute. */
static void unreadable_for_a_while(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    add_entry(db, 1);
    assert_true(store_execute(db, "ALTER TABLE inbound RENAME TO away", NULL) >= 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 2, note_start);
    for (int i = 0; i < 50; i++)
        loop_turn(schedule.fixture->loop);
    assert_int_equal(schedule.count, 0);
    assert_true(schedule.fixture->errors > 0);

    db = store_fixture_borrow(*state);
    assert_true(store_execute(db, "ALTER TABLE away RENAME TO inbound", NULL) >= 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    wait_for(&schedule, 1);
    queue_free(&schedule.queue);
}

static void pass_seconds(struct schedule *schedule, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        clock_advance(schedule->fixture->clock, 1000);
        loop_turn(schedule->fixture->loop);
    }
}

/* Somebody asks for a look every few seconds. */
static void unreadable_and_poked(void **state)
{
    enum { POKES = 60, EVERY = 10, LOOKS = 20 };
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    add_entry(db, 1);
    assert_true(store_execute(db, "ALTER TABLE inbound RENAME TO away", NULL) >= 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 2, note_start);
    for (int i = 0; i < POKES; i++) {
        pass_seconds(&schedule, EVERY);
        queue_poke(schedule.queue);
    }
    assert_in_range(schedule.fixture->errors, POKES * EVERY / 60, LOOKS);
    queue_free(&schedule.queue);
}

/* Less and less often, so that the log is not flooded; and soon again at the next failure. */
static void unreadable_for_long(void **state)
{
    enum { HOUR = 3600, MINUTE = 60, LOOKS = 2 * MINUTE };
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    add_entry(db, 1);
    assert_true(store_execute(db, "ALTER TABLE inbound RENAME TO away", NULL) >= 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    schedule.fixture->counted = "event=queue.unreadable ";
    start_queue(&schedule, 2, note_start);
    pass_seconds(&schedule, HOUR);
    assert_int_equal(schedule.fixture->lines, 1);
    schedule.fixture->counted = "event=queue.readable ";
    schedule.fixture->lines = 0;
    assert_true(schedule.fixture->errors > MINUTE / 2);
    assert_true(schedule.fixture->errors < LOOKS);

    db = store_fixture_borrow(*state);
    assert_true(store_execute(db, "ALTER TABLE away RENAME TO inbound", NULL) >= 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    pass_seconds(&schedule, MINUTE);
    assert_int_equal(schedule.count, 1);
    assert_int_equal(schedule.fixture->lines, 1);

    db = store_fixture_borrow(*state);
    assert_true(store_execute(db, "ALTER TABLE inbound RENAME TO away", NULL) >= 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    unsigned errors = schedule.fixture->errors;
    pass_seconds(&schedule, MINUTE);
    pass_seconds(&schedule, 3);
    assert_true(schedule.fixture->errors >= errors + 2);
    queue_free(&schedule.queue);
}

/* One that has as much under way as it may, for hours, knows all the same that it could be read: what fails then has failed anew. */
static void readable_and_full(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    int64_t ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = add_entry(db, 1 + i);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    store_fixture_change(schedule.fixture, "ALTER TABLE inbound RENAME TO away");
    schedule.fixture->counted = "event=queue.readable ";
    start_queue(&schedule, 2, note_start);
    pass_seconds(&schedule, 600);
    store_fixture_change(schedule.fixture, "ALTER TABLE away RENAME TO inbound");
    pass_seconds(&schedule, 60);
    assert_int_equal(schedule.count, 2);
    assert_int_equal(schedule.fixture->lines, 1);

    store_fixture_change(schedule.fixture, "ALTER TABLE inbound RENAME TO away");
    schedule.fixture->counted = "event=queue.unreadable ";
    schedule.fixture->lines = 0;
    queue_finished(schedule.queue, ids[0]);
    loop_turn(schedule.fixture->loop);
    assert_int_equal(schedule.fixture->lines, 1);
    store_fixture_change(schedule.fixture, "ALTER TABLE away RENAME TO inbound");
    pass_seconds(&schedule, 2); /* soon again */
    assert_int_equal(schedule.count, 3);
    queue_free(&schedule.queue);
}

static void test_closed_starts_nothing(void **state)
{
    struct schedule schedule = open_schedule(*state);
    struct store_db *db = store_fixture_borrow(*state);
    add_entry(db, 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
    start_queue(&schedule, 2, note_start);
    queue_open(schedule.queue, false);
    queue_poke(schedule.queue);
    for (int i = 0; i < 50; i++)
        loop_turn(schedule.fixture->loop);
    assert_int_equal(schedule.count, 0);
    queue_open(schedule.queue, true);
    wait_for(&schedule, 1);
    queue_free(&schedule.queue);
}

/* A clock that was a year ahead has put off mail until next year: it is brought forward. */
static void test_brought_forward(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    int64_t id = add_entry(db, 1000000), at;
    assert_int_equal(store_queue_bring_forward(db, STORE_QUEUE_IN, 2000000, 500, 5), 1);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_IN, 0, &at), 1);
    assert_true(at == 1000000); /* within what a retry may be */
    assert_int_equal(store_queue_set_due(db, STORE_QUEUE_IN, id, 3000000), 1);
    assert_int_equal(store_queue_bring_forward(db, STORE_QUEUE_IN, 2000000, 500, 5), 1);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_IN, 0, &at), 1);
    assert_true(at == 500);
    /* So many that the commit would take long: some at a time. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_queue_set_due(db, STORE_QUEUE_IN, i == 0 ? id : add_entry(db, 3000000), 3000000), 1);
    assert_int_equal(store_queue_bring_forward(db, STORE_QUEUE_IN, 2000000, 500, 2), 1);
    assert_int_equal(store_queue_count_due(db, STORE_QUEUE_IN, 500, 9, &at), 1);
    assert_true(at == 2);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static int set_up_on_a_fake_clock(void **state)
{
    return store_fixture_setup_at(state, INT64_C(1700000000000));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_under_way_hides_nobody),
        WITH_STORE(test_bounded_and_in_order),
        WITH_STORE(test_slow_ones_leave_their_places),
        WITH_STORE(test_ended_at_once_hides_nobody),
        WITH_STORE(test_closed_starts_nothing),
        WITH_STORE(test_brought_forward),
        WITH_STORE(unreadable_for_a_while),
        cmocka_unit_test_setup_teardown(unreadable_and_poked, set_up_on_a_fake_clock, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(unreadable_for_long, set_up_on_a_fake_clock, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(readable_and_full, set_up_on_a_fake_clock, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
