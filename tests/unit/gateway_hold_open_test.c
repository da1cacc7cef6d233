/* Tests of hold on a fake clock: released mail is opened in order, and tried again when it can't be. */
#include "tests/unit/gateway_hold_scene.h"

/* The poster's part. */
static void released_mail_is_opened_in_order(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t ids[4];
    static const int64_t sizes[] = { 100, 400 * 1024, 0, 70 * 1024 };
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = hold_one(&scene, &(struct mail){ .author = "bob@example.com", .size = sizes[i] });
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    pass(&scene, MINUTE); /* the silo is away */
    assert_int_equal(state_of(&scene, ids[0]), STORE_QUEUE_PENDING);
    hold_set_online(scene.parts.hold, true);
    pass(&scene, MINUTE); /* there is no alias yet */
    assert_int_equal(state_of(&scene, ids[0]), STORE_QUEUE_PENDING);
    give_alias(&scene, "bob@example.com");
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct store_inbound row;
        char content[8] = "";
        int fd;
        int64_t size;
        pass(&scene, MINUTE);
        pass(&scene, MINUTE); /* the next waits until this one has a thread */
        assert_int_equal(scene.opened, i + 1);
        assert_int_equal(store_inbound_find(store_reader(scene.fixture->store), ids[i], &row), 1);
        assert_int_equal(row.state, STORE_QUEUE_WAITING);
        assert_string_equal(row.message_id, "1@example.com");
        assert_true(row.received_at > start); /* it is tried as long as mail that came now */
        assert_true(row.correspondent_id && row.recipients[0].mapping_id);
        assert_int_equal(store_content_open(store_reader(scene.fixture->store), row.content_id, &fd, &size), 1);
        assert_int_equal(size, sizes[i] ? sizes[i] : 100);
        assert_int_equal(pread(fd, content, 3, 0), 3);
        assert_string_equal(content, "aaa");
        close(fd);
        store_inbound_free(&row);
        route(&scene, ids[i]);
    }
    struct store_held_sum sum;
    assert_int_equal(store_held_measure(store_reader(scene.fixture->store), &sum), 1);
    assert_int_equal(sum.count, 0);
    close_scene(&scene);
}

static void what_is_damaged_holds_up_nobody_else(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t second = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(store_execute(db, "UPDATE content SET data = zeroblob(length(data)) WHERE id = 1", NULL), 1);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    hold_set_online(scene.parts.hold, true);
    settle(&scene);
    pass(&scene, MINUTE);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_WAITING);
    close_scene(&scene);
}

static void change(struct scene *scene, const char *sql)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    assert_true(store_execute(db, sql, NULL) >= 0);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}

/* Soon, then later each time, every ten minutes in the end. */
static void what_could_not_be_opened_is_tried_again(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t second = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    change(&scene, "CREATE TABLE copy AS SELECT id, data FROM content");
    change(&scene, "UPDATE content SET data = zeroblob(length(data))");
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    hold_set_online(scene.parts.hold, true);
    settle(&scene);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    change(&scene, "UPDATE content SET data = (SELECT data FROM copy WHERE copy.id = content.id) WHERE id = 1");
    pass(&scene, 2000);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_WAITING);
    route(&scene, first);
    for (int i = 0; i < 20; i++)
        pass(&scene, 10 * MINUTE);
    change(&scene, "UPDATE content SET data = (SELECT data FROM copy WHERE copy.id = content.id)");
    pass(&scene, MINUTE);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_PENDING);
    pass(&scene, 10 * MINUTE);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_WAITING);
    close_scene(&scene);
}

static void what_could_not_be_read_is_looked_at_again_soon(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    pass(&scene, MINUTE); /* the silo is away */
    change(&scene, "ALTER TABLE held RENAME TO away");
    hold_set_online(scene.parts.hold, true);
    settle(&scene);
    change(&scene, "ALTER TABLE away RENAME TO held");
    settle(&scene);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_PENDING);
    pass(&scene, 2000);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_WAITING);
    assert_true(scene.fixture->errors > 0);
    scene.fixture->errors = 0;
    close_scene(&scene);
}

/* A disk may fail for hours: the log is not flooded. */
static void what_can_t_be_read_for_long_is_looked_at_less_often(void **state)
{
    enum { SECONDS = 600, LOOKS = 15 };
    struct scene scene;
    open_scene(&scene, state);
    hold_set_online(scene.parts.hold, true);
    change(&scene, "ALTER TABLE held RENAME TO away");
    settle(&scene);
    for (int i = 0; i < SECONDS; i++) {
        clock_advance(scene.fixture->clock, 1000);
        loop_turn(scene.fixture->loop);
        if (i % 10 == 0)
            hold_poke(scene.parts.hold);
    }
    assert_true(scene.fixture->errors >= SECONDS * 1000 / MINUTE);
    assert_true(scene.fixture->errors < 3 * LOOKS); /* of what is asked at each */
    change(&scene, "ALTER TABLE away RENAME TO held");
    scene.fixture->errors = 0;
    close_scene(&scene);
}

/* That they are there can be read, but not what they are: of each the log says it once. */
static void what_can_t_be_prepared_for_long_is_tried_less_often(void **state)
{
    enum { SECONDS = 600, MAILS = 5, TRIES = 15 };
    struct scene scene;
    int64_t ids[MAILS];
    open_scene(&scene, state);
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    change(&scene, "ALTER TABLE inbound_recipient RENAME TO away");
    scene.fixture->counted = "event=hold.not_opened ";
    hold_set_online(scene.parts.hold, true);
    store_fixture_pass_seconds(scene.fixture, SECONDS);
    assert_true(scene.fixture->errors >= MAILS);
    assert_true(scene.fixture->errors < MAILS * TRIES);
    assert_int_equal(scene.fixture->lines, MAILS);
    change(&scene, "ALTER TABLE away RENAME TO inbound_recipient");
    pass(&scene, 10 * MINUTE);
    assert_int_equal(state_of(&scene, ids[0]), STORE_QUEUE_WAITING);
    scene.fixture->errors = 0;
    close_scene(&scene);
}

/* The first waits long in the end; the second, released then, has not failed before, and comes behind it all the same. */
static void come_in_order_after_errors(void **state, const char *hide, const char *show)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    change(&scene, hide);
    hold_set_online(scene.parts.hold, true);
    for (int i = 0; i < 60; i++)
        pass(&scene, MINUTE);
    assert_true(scene.fixture->errors > 0);
    change(&scene, show);
    scene.fixture->errors = 0;
    int64_t second = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(store_held_release(db, second, false, now_of(&scene)), 1);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    hold_poke(scene.parts.hold);
    for (int i = 0; i < 600 && scene.opened == 0; i++)
        pass(&scene, 1000);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_WAITING);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_PENDING);
    route(&scene, first);
    pass(&scene, MINUTE);
    pass(&scene, MINUTE);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_WAITING);
    close_scene(&scene);
}

static void what_could_not_be_committed_comes_in_order(void **state)
{
    come_in_order_after_errors(state, "ALTER TABLE trace RENAME TO away", "ALTER TABLE away RENAME TO trace");
}

static void what_could_not_be_prepared_comes_in_order(void **state)
{
    come_in_order_after_errors(state, "ALTER TABLE inbound_recipient RENAME TO away",
                               "ALTER TABLE away RENAME TO inbound_recipient");
}

static void what_is_released_and_can_t_be_opened_comes_back(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    scene.config.retry.give_up_ms = INT64_C(5) * DAY;
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t unproven = hold_one(&scene, &(struct mail){ .author = "bob@example.com", .is_unproven = true });
    pass(&scene, INT64_C(6) * DAY);
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    pass(&scene, INT64_C(5) * DAY - 1); /* the silo is away, or gives them no alias */
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    hold_free(&scene.parts.hold);
    clock_advance(scene.fixture->clock, HOUR);
    open_hold(&scene); /* the daemon was away, perhaps it works now */
    settle(&scene);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    pass(&scene, 11 * MINUTE);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_DROPPED);
    assert_int_equal(state_of(&scene, unproven), STORE_QUEUE_PENDING); /* nobody would hear of it */
    assert_int_equal(reports(&scene), 1);
    close_scene(&scene);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(released_mail_is_opened_in_order),
        SCENE(what_is_damaged_holds_up_nobody_else),
        SCENE(what_could_not_be_opened_is_tried_again),
        SCENE(what_could_not_be_read_is_looked_at_again_soon),
        SCENE(what_can_t_be_read_for_long_is_looked_at_less_often),
        SCENE(what_can_t_be_prepared_for_long_is_tried_less_often),
        SCENE(what_could_not_be_committed_comes_in_order),
        SCENE(what_could_not_be_prepared_comes_in_order),
        SCENE(what_is_released_and_can_t_be_opened_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
