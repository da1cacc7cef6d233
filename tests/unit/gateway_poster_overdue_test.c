/* Tests of poster_overdue on a fake clock: days of a silo that is away, in milliseconds. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/poster_overdue.h"
#include "gateway/report.h"
#include "gateway/signed_id.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { F = STORE_NOTIFY_FAILURE, D = STORE_NOTIFY_DELAY, N = STORE_NOTIFY_NEVER };
static const int64_t start = INT64_C(1795600000000);
static const uint8_t secret[32] = { 7 };
static char domain[] = "silo.example.org", hostname[] = "gw.example.org";

struct scene {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    struct signed_id *ids;
    struct poster_overdue *overdue;
    int64_t member;
};

static int setup(void **state)
{
    return store_fixture_setup_at(state, start);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void open_scene(struct scene *scene, void **state)
{
    const char *reason;
    *scene = (struct scene){
        .fixture = *state,
        .config = { .domain = domain,
                    .hostname = hostname,
                    .retry = { .give_up_ms = INT64_C(5) * DAY, .warn_after_ms = INT64_C(4) * HOUR } },
    };
    scene->ids = signed_id_new(secret, domain, hostname);
    scene->parts = (struct parts){ .loop = scene->fixture->loop,
                                   .clock = scene->fixture->clock,
                                   .store = scene->fixture->store,
                                   .config = &scene->config,
                                   .reporter = reporter_new(&scene->config, scene->ids, ignore, NULL) };
    struct store_db *db = store_fixture_borrow(scene->fixture);
    assert_int_equal(store_member_add(db, "Alice Member", NULL, start, &scene->member, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "uid-alice"), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    scene->overdue = poster_overdue_new(&scene->parts);
}

static void close_scene(struct scene *scene)
{
    store_fixture_wait_for_all(scene->fixture);
    loop_turn(scene->fixture->loop);
    poster_overdue_free(&scene->overdue);
    reporter_free(&scene->parts.reporter);
    signed_id_free(&scene->ids);
}

static int64_t add(struct store_db *db, const struct scene *scene, unsigned notify, int64_t received_at, bool is_proven)
{
    int64_t content_id = 0, id;
    FILE *file = tmpfile();
    fputs("Subject: x\r\n\r\nHello\r\n", file);
    fflush(file);
    assert_int_equal(store_content_add_fd(db, fileno(file), 21, &content_id), 1);
    fclose(file);
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL,
        .sender = "bob@example.com",
        .from_address = "bob@example.com",
        .is_sender_proven = is_proven,
        .content_id = content_id,
        .size = 21,
        .now = received_at,
    };
    struct store_inbound_recipient_new recipient = { .target = { .member_id = scene->member },
                                                     .address = "alice@silo.example.org",
                                                     .notify = notify };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_inbound_add_recipient(db, id, &recipient), 1);
    return id;
}

static int64_t add_one(struct scene *scene, unsigned notify, int64_t received_at)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    int64_t id = add(db, scene, notify, received_at, true);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

/* Lets time go by, a minute at a time; with switching, the link comes or goes each half minute. */
static void pass(struct scene *scene, int64_t ms, bool is_switching)
{
    for (int64_t gone = 0; gone < ms; gone += MINUTE / 2) {
        if (is_switching)
            poster_overdue_set_online(scene->overdue, gone / (MINUTE / 2) % 2 != 0);
        clock_advance(scene->fixture->clock, MINUTE / 2);
        loop_turn(scene->fixture->loop);
        store_fixture_wait_for_all(scene->fixture);
        loop_turn(scene->fixture->loop);
    }
}

static int64_t count(struct scene *scene, enum store_queue which, enum store_queue_state state)
{
    int64_t n;
    assert_int_equal(store_queue_count(store_reader(scene->fixture->store), which, state, &n), 1);
    return n;
}

static int64_t reports(struct scene *scene)
{
    return count(scene, STORE_QUEUE_OUT, STORE_QUEUE_ROUTED);
}

static void senders_hear_while_the_silo_is_away(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    add_one(&scene, D | F, start);
    pass(&scene, INT64_C(4) * HOUR - MINUTE, false);
    assert_int_equal(reports(&scene), 0);
    pass(&scene, 3 * MINUTE, false);
    assert_int_equal(reports(&scene), 1); /* delayed */
    pass(&scene, INT64_C(5) * DAY - 4 * HOUR - 5 * MINUTE, false);
    assert_int_equal(reports(&scene), 1); /* once */
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_WAITING), 1);
    pass(&scene, 5 * MINUTE, false);
    assert_int_equal(reports(&scene), 2); /* failed */
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_SETTLED), 1);
    pass(&scene, HOUR, false);
    assert_int_equal(reports(&scene), 2);
    close_scene(&scene);
}

/* A gateway that was off for a week tries the silo first. */
static void the_link_has_its_chance_after_a_start(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    add_one(&scene, D | F, start - INT64_C(7) * DAY);
    pass(&scene, MINUTE / 2, false);
    poster_overdue_set_online(scene.overdue, true);
    pass(&scene, MINUTE / 2, false);
    assert_int_equal(reports(&scene), 0);
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_WAITING), 1);
    close_scene(&scene);
}

/* The poster gives up, after a last attempt. */
static void nothing_expires_here_while_the_link_is_up(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    poster_overdue_set_online(scene.overdue, true);
    add_one(&scene, D | F, start - INT64_C(7) * DAY);
    pass(&scene, HOUR, false);
    assert_int_equal(reports(&scene), 1); /* but it is late */
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_WAITING), 1);
    close_scene(&scene);
}

static void a_link_that_comes_and_goes_hides_no_delay(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    add_one(&scene, D, start - DAY);
    pass(&scene, 15 * MINUTE, true);
    assert_int_equal(reports(&scene), 1);
    close_scene(&scene);
}

/* More than are looked at in a turn, and behind many that nobody can be told of. */
static void many_end_together(void **state)
{
    enum { BEFORE = 150, MANY = 350 };
    struct scene scene;
    open_scene(&scene, state);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    for (int i = 0; i < BEFORE + MANY; i++)
        add(db, &scene, i < BEFORE ? 0 : N, start - INT64_C(7) * DAY, i >= BEFORE);
    add(db, &scene, N, start, true); /* not yet */
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    pass(&scene, 10 * MINUTE, false);
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_SETTLED), MANY);
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_WAITING), BEFORE + 1);
    assert_int_equal(count(&scene, STORE_QUEUE_IN, STORE_QUEUE_HELD), 0);
    close_scene(&scene);
}

/* Of many, and at each look: the log is not flooded. */
static void what_can_t_be_noted_for_long_is_said_once(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    for (int i = 0; i < 3; i++)
        add_one(&scene, D | F, start);
    store_fixture_change(scene.fixture, "ALTER TABLE outbound RENAME TO away"); /* where reports go */
    scene.fixture->counted = "event=post.not_noted ";
    pass(&scene, 5 * HOUR, false);
    assert_true(scene.fixture->errors > 3);
    assert_int_equal(scene.fixture->lines, 1);
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO outbound");
    pass(&scene, 2 * MINUTE, false);
    assert_int_equal(reports(&scene), 3);

    add_one(&scene, D | F, start);
    store_fixture_change(scene.fixture, "ALTER TABLE outbound RENAME TO away");
    pass(&scene, 5 * MINUTE, false);
    assert_int_equal(scene.fixture->lines, 2); /* a failure of its own */
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO outbound");
    close_scene(&scene);
}

static void what_can_t_be_read_for_long_is_said_once(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    add_one(&scene, D | F, start);
    store_fixture_change(scene.fixture, "ALTER TABLE inbound RENAME TO away");
    scene.fixture->counted = "event=queue.unreadable ";
    pass(&scene, 5 * HOUR, false);
    assert_true(scene.fixture->errors > 3);
    assert_int_equal(scene.fixture->lines, 1);
    scene.fixture->counted = "event=queue.readable ";
    scene.fixture->lines = 0;
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO inbound");
    pass(&scene, 5 * MINUTE, false);
    assert_int_equal(scene.fixture->lines, 1);
    assert_int_equal(reports(&scene), 1);
    close_scene(&scene);
}

#define OVERDUE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVERDUE_TEST(senders_hear_while_the_silo_is_away),
        OVERDUE_TEST(the_link_has_its_chance_after_a_start),
        OVERDUE_TEST(nothing_expires_here_while_the_link_is_up),
        OVERDUE_TEST(a_link_that_comes_and_goes_hides_no_delay),
        OVERDUE_TEST(many_end_together),
        OVERDUE_TEST(what_can_t_be_noted_for_long_is_said_once),
        OVERDUE_TEST(what_can_t_be_read_for_long_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
