/* Tests of mapping_expiry on a fake clock. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/mapping_change.h"
#include "gateway/mapping_expiry.h"
#include "gateway/parts.h"
#include "mapping/store_member.h"

enum { SECOND = 1000, DAY = 24 * 3600 * 1000 };
static const int64_t start = INT64_C(1795600000000);
static const struct store_actor root = { .channel = "cli", .name = "root" };

struct scene {
    struct store_fixture *fixture;
    struct parts parts;
    struct mapping_expiry *expiry;
    struct store_target alice;
    int told;
};

static int setup(void **state)
{
    return store_fixture_setup_at(state, start);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void run_expiry(struct scene *scene)
{
    scene->expiry = mapping_expiry_new(&scene->parts, count, &scene->told);
}

static void open_scene(struct scene *scene, void **state)
{
    const char *reason;
    *scene = (struct scene){ .fixture = *state };
    scene->parts =
        (struct parts){ .loop = scene->fixture->loop, .clock = scene->fixture->clock, .store = scene->fixture->store };
    struct store_db *db = store_fixture_borrow(scene->fixture);
    assert_int_equal(store_member_add(db, "Alice", NULL, start, &scene->alice.member_id, &reason), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}

static void close_scene(struct scene *scene)
{
    store_fixture_wait_for_all(scene->fixture);
    mapping_expiry_free(&scene->expiry);
    assert_int_equal(scene->fixture->errors, 0);
}

static void settle(struct scene *scene)
{
    for (int i = 0; i < 10; i++) {
        loop_turn(scene->fixture->loop);
        store_fixture_wait_for_all(scene->fixture);
    }
}

static int64_t add(struct scene *scene, struct store_db *db, int number, int64_t expires_at)
{
    char text[40];
    struct subject subject;
    const char *wrong;
    snprintf(text, sizeof text, "%d@example.com", number);
    assert_int_equal(subject_parse(text, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    struct mapping_limits limits = { .has_expiry = true, .expires_at = expires_at };
    struct mapping_wish wish = { .subject = &subject, .target = scene->alice, .limits = &limits };
    struct mapping_change change = { .actor = &root, .reason = "", .now = clock_wall_ms(scene->fixture->clock) };
    struct mapping_result result;
    assert_int_equal(mapping_change_add(db, &change, &wish, &result), 1);
    int64_t id = result.mapping.id;
    mapping_result_clear(&result);
    return id;
}

static enum store_mapping_state state_of(struct scene *scene, int64_t id)
{
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(store_reader(scene->fixture->store), id, &mapping), 1);
    enum store_mapping_state state = mapping.state;
    store_mapping_free(&mapping);
    return state;
}

static void a_mapping_ends_at_its_time(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    int64_t first = add(&scene, db, 1, start + 5 * SECOND), last = add(&scene, db, 2, start + DAY);
    int64_t never = add(&scene, db, 3, 0);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    run_expiry(&scene);
    settle(&scene);
    clock_advance(scene.fixture->clock, 5 * SECOND - 1);
    settle(&scene);
    assert_int_equal(state_of(&scene, first), STORE_MAPPING_APPROVED);
    clock_advance(scene.fixture->clock, 1);
    settle(&scene);
    assert_int_equal(state_of(&scene, first), STORE_MAPPING_EXPIRED);
    assert_int_equal(state_of(&scene, last), STORE_MAPPING_APPROVED);
    assert_int_equal(scene.told, 1);
    clock_advance(scene.fixture->clock, DAY);
    settle(&scene);
    assert_int_equal(state_of(&scene, last), STORE_MAPPING_EXPIRED);
    assert_int_equal(state_of(&scene, never), STORE_MAPPING_APPROVED);
    close_scene(&scene);
}

/* Its time was over while nobody was there to see it, for more of them than go into one commit. */
static void what_ended_meanwhile_is_seen_at_the_start(void **state)
{
    struct scene scene;
    int64_t count_expired, audited;
    open_scene(&scene, state);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    for (int i = 0; i < 250; i++)
        add(&scene, db, i, start + 1 + i % 7);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    clock_advance(scene.fixture->clock, DAY);
    run_expiry(&scene);
    settle(&scene);
    db = store_reader(scene.fixture->store);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM mapping WHERE state = 'expired'", NULL, &count_expired),
                     1);
    assert_int_equal(count_expired, 250);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM audit WHERE action = 'mapping.expire'", NULL, &audited),
                     1);
    assert_int_equal(audited, 250);
    assert_int_equal(scene.told, 3);
    close_scene(&scene);
}

static void a_new_one_is_seen_when_told(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    run_expiry(&scene);
    settle(&scene);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    int64_t id = add(&scene, db, 1, start + 2 * SECOND);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    mapping_expiry_poke(scene.expiry);
    settle(&scene);
    clock_advance(scene.fixture->clock, 2 * SECOND);
    settle(&scene);
    assert_int_equal(state_of(&scene, id), STORE_MAPPING_EXPIRED);
    close_scene(&scene);
}

#define ON_FAKE_CLOCK(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FAKE_CLOCK(a_mapping_ends_at_its_time),
        ON_FAKE_CLOCK(what_ended_meanwhile_is_seen_at_the_start),
        ON_FAKE_CLOCK(a_new_one_is_seen_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
