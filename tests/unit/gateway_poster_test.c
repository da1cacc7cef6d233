/* Tests of poster on a fake clock: what it does while the database fails. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "gateway/poster.h"
#include "gateway/poster_internal.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"
#include "tmtp/tmtp_client.h"

enum { MINUTE = 60, LONGEST = 30, TRIES = 40 };
static char domain[] = "silo.example.org", hostname[] = "gw.example.org", alias[] = "Gateway";

struct scene {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    struct tmtp_client *client;
    struct poster *poster;
};

static int setup(void **state)
{
    return store_fixture_setup_at(state, INT64_C(1795600000000));
}

static struct stream *refuse(const struct stream_settings *settings, void *ctx)
{
    (void)settings;
    (void)ctx;
    return NULL;
}

static void open_scene(struct scene *scene, void **state)
{
    static const struct tmtp_client_callbacks client_callbacks = { NULL };
    *scene =
        (struct scene){ .fixture = *state,
                        .config = { .domain = domain,
                                    .hostname = hostname,
                                    .silo = { .alias = alias },
                                    .retry = { .first_ms = 60000, .longest_ms = 60000, .give_up_ms = 86400000 } } };
    scene->parts = (struct parts){ .loop = scene->fixture->loop,
                                   .clock = scene->fixture->clock,
                                   .store = scene->fixture->store,
                                   .config = &scene->config };
    const struct tmtp_client_settings settings = { .loop = scene->fixture->loop,
                                                   .address = "=silo.example.org:443",
                                                   .uid = "uid-gateway",
                                                   .node = "node",
                                                   .callbacks = &client_callbacks,
                                                   .connect = refuse };
    scene->client = tmtp_client_new(&settings);
    scene->poster = poster_new(&scene->parts);
    poster_set_client(scene->poster, scene->client);
}

static void close_scene(struct scene *scene)
{
    store_fixture_wait_for_all(scene->fixture);
    poster_free(&scene->poster);
    tmtp_client_free(&scene->client);
    loop_turn(scene->fixture->loop);
}

/* Words of our own, which no worker has to read. */
static int64_t add_notice(struct scene *scene)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    const char *reason;
    int64_t member, id, now = clock_wall_ms(scene->fixture->clock);
    assert_int_equal(store_member_add(db, "Alice Member", NULL, now, &member, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "uid-alice"), 1);
    const struct notice notice = { .to = { .member_id = member }, .subject = "Hello", .text = "Hello.\n" };
    assert_int_equal(notice_add(db, &notice, now), 1);
    assert_int_equal(store_fetch_int(db, "SELECT max(id) FROM inbound", NULL, &id), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

static bool has_thread(struct scene *scene, int64_t id)
{
    struct store_inbound row;
    assert_int_equal(store_inbound_find(store_reader(scene->fixture->store), id, &row), 1);
    bool has = row.state != STORE_QUEUE_WAITING;
    store_inbound_free(&row);
    return has;
}

/* A table is away for ten minutes. */
static void fail_for_long(void **state, const char *hide, const char *show)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = add_notice(&scene);
    store_fixture_change(scene.fixture, hide);
    poster_set_online(scene.poster, true);
    store_fixture_pass_seconds(scene.fixture, 10 * MINUTE);
    assert_true(scene.fixture->errors >= 10 * MINUTE / LONGEST);
    assert_true(scene.fixture->errors < TRIES);
    store_fixture_change(scene.fixture, show);
    assert_false(has_thread(&scene, id));
    store_fixture_pass_seconds(scene.fixture, LONGEST + 1);
    assert_true(has_thread(&scene, id));
    close_scene(&scene);
}

static void what_can_t_be_read_for_long_is_tried_less_often(void **state)
{
    fail_for_long(state, "ALTER TABLE inbound_recipient RENAME TO away",
                  "ALTER TABLE away RENAME TO inbound_recipient");
}

static void what_can_t_be_routed_for_long_is_tried_less_often(void **state)
{
    fail_for_long(state, "ALTER TABLE trace RENAME TO away", "ALTER TABLE away RENAME TO trace");
}

/* It lies on the disk, which may be full, and that may be why. It is made again, or the silo has it. */
static void what_waits_for_the_database_keeps_no_converted_form(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = add_notice(&scene);
    store_fixture_change(scene.fixture, "ALTER TABLE trace RENAME TO away");
    poster_set_online(scene.poster, true);
    store_fixture_pass_seconds(scene.fixture, MINUTE);
    const struct poster_job *job = scene.poster->jobs;
    assert_non_null(job);
    assert_int_equal(job->state, POSTER_ENDING);
    assert_int_equal(job->content_fd, -1);
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO trace");
    store_fixture_pass_seconds(scene.fixture, LONGEST + 1);
    assert_true(has_thread(&scene, id));
    close_scene(&scene);
}

/* That is no failure of the database: who comes next waits no longer for it. */
static void what_is_held_while_it_is_routed_is_no_failure(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = add_notice(&scene);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    poster_set_online(scene.poster, true);
    loop_turn(scene.fixture->loop);
    assert_int_equal(poster_under_way(scene.poster), 1);
    assert_int_equal(store_inbound_set_state(db, id, STORE_QUEUE_HELD, "so that it waits"), 1);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    store_fixture_wait_for_all(scene.fixture);
    loop_turn(scene.fixture->loop);
    assert_int_equal(poster_under_way(scene.poster), 1); /* it pauses */
    assert_false(backoff_is_failing(&scene.poster->database));
    store_fixture_pass_seconds(scene.fixture, 1);
    assert_int_equal(poster_under_way(scene.poster), 0);
    close_scene(&scene);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(what_can_t_be_read_for_long_is_tried_less_often),
        SCENE(what_can_t_be_routed_for_long_is_tried_less_often),
        SCENE(what_waits_for_the_database_keeps_no_converted_form),
        SCENE(what_is_held_while_it_is_routed_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
