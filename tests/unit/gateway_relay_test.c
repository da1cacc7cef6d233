/* Tests of relay on a fake clock: what it does while the database fails. What it says to relays: tests/dialogue/relay. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/relay.h"
#include "gateway/relay_internal.h"
#include "gateway/signed_id.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"

enum { MINUTE = 60, LONGEST = 30, ERRORS = 60 /* at most two of each try */ };
static const uint8_t secret[32] = { 7 };
static char domain[] = "silo.example.org", hostname[] = "gw.example.org", maildir[] = "/nowhere";
static struct config_relay hop = { .kind = CONFIG_RELAY_MAILDIR, .target = maildir, .max_connections = 1 };

struct scene {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    struct relay *relay;
};

static int setup(void **state)
{
    return store_fixture_setup_at(state, INT64_C(1795600000000));
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void open_scene(struct scene *scene, void **state)
{
    char *error = NULL;
    *scene =
        (struct scene){ .fixture = *state,
                        .config = { .domain = domain,
                                    .hostname = hostname,
                                    .relays = &hop,
                                    .relay_count = 1,
                                    .retry = { .first_ms = 60000, .longest_ms = 60000, .give_up_ms = 86400000 } } };
    scene->parts = (struct parts){ .loop = scene->fixture->loop,
                                   .clock = scene->fixture->clock,
                                   .store = scene->fixture->store,
                                   .config = &scene->config,
                                   .ids = signed_id_new(secret, domain, hostname) };
    scene->relay = relay_new(&scene->parts, ignore, NULL, &error);
    assert_non_null(scene->relay);
}

static void close_scene(struct scene *scene)
{
    store_fixture_wait_for_all(scene->fixture);
    relay_free(&scene->relay);
    signed_id_free(&scene->parts.ids);
}

/* Of somebody who may not write to its recipient: its end is written down, without a relay. */
static int64_t add_message(struct scene *scene)
{
    static const char uid[] = "uid-alice";
    struct store_db *db = store_fixture_borrow(scene->fixture);
    const char *reason;
    int64_t member, correspondent, thread, id, now = clock_wall_ms(scene->fixture->clock);
    assert_int_equal(store_member_add(db, "Alice Member", NULL, now, &member, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", uid), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", now, &correspondent), 1);
    assert_int_equal(store_thread_add(db, "0000000000000001", "Plans", now, &thread), 1);
    const struct store_outbound_new row = { .kind = STORE_OUTBOUND_MESSAGE,
                                            .tmtp_msgid = "0000000000000001",
                                            .thread_id = thread,
                                            .member_id = member,
                                            .author_uid = uid,
                                            .author_alias = "Alice Member",
                                            .message_id = "1@gw.example.org",
                                            .head = "{\"subject\":\"Plans\"}",
                                            .posted_at = now,
                                            .now = now };
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    assert_int_equal(store_outbound_add_recipient(db, id, correspondent, 0), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

static enum store_queue_state state_of(struct scene *scene, int64_t id)
{
    struct store_outbound row;
    assert_int_equal(store_outbound_find(store_reader(scene->fixture->store), id, &row), 1);
    enum store_queue_state state = row.state;
    store_outbound_free(&row);
    return state;
}

/* A table is away for ten minutes. */
static void fail_for_long(struct scene *scene, const char *hide, const char *show)
{
    int64_t id = add_message(scene);
    store_fixture_change(scene->fixture, hide);
    relay_open(scene->relay, true); /* not before: it would be done at once */
    store_fixture_pass_seconds(scene->fixture, 10 * MINUTE);
    assert_true(scene->fixture->errors >= 10 * MINUTE / LONGEST);
    assert_true(scene->fixture->errors < ERRORS);
    store_fixture_change(scene->fixture, show);
    assert_int_equal(state_of(scene, id), STORE_QUEUE_WAITING);
    store_fixture_pass_seconds(scene->fixture, LONGEST + 1);
    assert_int_equal(state_of(scene, id), STORE_QUEUE_SETTLED);
}

static void what_can_t_be_read_for_long_is_tried_less_often(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    fail_for_long(&scene, "ALTER TABLE outbound_recipient RENAME TO away",
                  "ALTER TABLE away RENAME TO outbound_recipient");
    close_scene(&scene);
}

/* And said once; the next failure, after a success, is one of its own. */
static void what_can_t_be_noted_for_long_is_tried_less_often(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    scene.fixture->counted = "event=relay.not_noted ";
    fail_for_long(&scene, "ALTER TABLE trace RENAME TO away", "ALTER TABLE away RENAME TO trace");
    assert_int_equal(scene.fixture->lines, 1);
    close_scene(&scene);
}

/* A daemon that ends does not wait for half a minute. */
static void at_the_end_nobody_is_waited_for_long(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    add_message(&scene);
    store_fixture_change(scene.fixture, "ALTER TABLE outbound_recipient RENAME TO away");
    relay_open(scene.relay, true);
    store_fixture_pass_seconds(scene.fixture, MINUTE);
    assert_int_equal(relay_under_way(scene.relay), 1);
    relay_open(scene.relay, false);
    loop_turn(scene.fixture->loop);
    assert_int_equal(relay_under_way(scene.relay), 0);
    close_scene(&scene);
}

/* What is done is still noted, if the database works again before the end. */
static void at_the_end_it_is_tried_each_second(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = add_message(&scene);
    store_fixture_change(scene.fixture, "ALTER TABLE trace RENAME TO away");
    relay_open(scene.relay, true);
    store_fixture_pass_seconds(scene.fixture, MINUTE);
    relay_open(scene.relay, false);
    store_fixture_pass_seconds(scene.fixture, 5);
    assert_int_equal(relay_under_way(scene.relay), 1);
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO trace");
    store_fixture_pass_seconds(scene.fixture, 2);
    assert_int_equal(relay_under_way(scene.relay), 0);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_SETTLED);
    close_scene(&scene);
}

/* It waits for a relay, much longer than the database fails. */
static int64_t add_awaiting(struct scene *scene)
{
    int64_t id = add_message(scene);
    struct store_db *db = store_fixture_borrow(scene->fixture);
    int64_t later = clock_wall_ms(scene->fixture->clock) + INT64_C(60) * MINUTE * 1000;
    assert_int_equal(store_outbound_retry(db, id, later, true, "no relay"), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

/* begin: what has somebody look for those that await a relay. */
static void fail_for_those_that_await(void **state, void (*begin)(struct relay *relay), const char *hide,
                                      const char *show)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = add_awaiting(&scene);
    relay_open(scene.relay, true);
    store_fixture_change(scene.fixture, hide);
    begin(scene.relay);
    store_fixture_pass_seconds(scene.fixture, 10 * MINUTE);
    assert_true(scene.fixture->errors >= 10 * MINUTE / LONGEST);
    assert_true(scene.fixture->errors < ERRORS);
    store_fixture_change(scene.fixture, show);
    store_fixture_pass_seconds(scene.fixture, MINUTE + 1); /* the queue looks as seldom as that */
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_SETTLED);
    close_scene(&scene);
}

static void be_up_again(struct relay *relay)
{
    relay->has_heard = true; /* so nobody is sent to find out */
    relay_probe_up(relay);
}

static void be_started(struct relay *relay)
{
    timer_start(relay->probe_timer, 0);
}

static void what_can_t_be_made_due_for_long_is_tried_less_often(void **state)
{
    fail_for_those_that_await(state, be_up_again,
                              "CREATE TRIGGER refuses BEFORE UPDATE ON outbound BEGIN SELECT RAISE(ABORT, 'no'); END",
                              "DROP TRIGGER refuses");
}

static void what_awaits_a_relay_and_can_t_be_counted_is_looked_for_less_often(void **state)
{
    fail_for_those_that_await(state, be_up_again, "ALTER TABLE outbound RENAME TO away",
                              "ALTER TABLE away RENAME TO outbound");
}

static void a_probe_that_can_t_be_found_is_looked_for_less_often(void **state)
{
    fail_for_those_that_await(state, be_started, "ALTER TABLE outbound RENAME TO away",
                              "ALTER TABLE away RENAME TO outbound");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(what_can_t_be_read_for_long_is_tried_less_often),
        SCENE(what_can_t_be_noted_for_long_is_tried_less_often),
        SCENE(at_the_end_nobody_is_waited_for_long),
        SCENE(at_the_end_it_is_tried_each_second),
        SCENE(what_can_t_be_made_due_for_long_is_tried_less_often),
        SCENE(what_awaits_a_relay_and_can_t_be_counted_is_looked_for_less_often),
        SCENE(a_probe_that_can_t_be_found_is_looked_for_less_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
