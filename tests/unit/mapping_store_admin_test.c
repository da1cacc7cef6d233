/* mapping_store_admin_test.c - what admins in the silo are to be told, and how often somebody may say something */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_admin.h"
#include "mapping/store_mapping.h"

enum { NOW = 1000, DAY = 24 * 3600 * 1000 };

static int64_t add_request(struct store_db *db, const char *address)
{
    int64_t correspondent, id;
    assert_int_equal(store_correspondent_ensure(db, address, NOW, &correspondent), 1);
    struct store_mapping_new mapping = { .correspondent_id = correspondent,
                                         .state = STORE_MAPPING_REQUESTED,
                                         .direction = STORE_DIRECTION_BOTH,
                                         .note = "",
                                         .actor = "Alice Member",
                                         .reason = "",
                                         .now = NOW };
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
    return id;
}

struct seen {
    size_t count;
    struct store_admin_event events[10];
};

static void see(const struct store_admin_event *event, void *ctx)
{
    struct seen *seen = ctx;
    assert_true(seen->count < 10);
    seen->events[seen->count++] = *event;
}

static struct seen list(struct store_db *db, int64_t above)
{
    struct seen seen = { .count = 0 };
    assert_int_equal(store_admin_list_events(db, above, 5, see, &seen), 1);
    return seen;
}

static void events_hold_as_long_as_their_mapping_is_so(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    enum store_mapping_state was;
    int64_t last, first = add_request(db, "a@example.com"), second = add_request(db, "b@example.com");
    assert_int_equal(store_admin_last_event(db, &last), 0);
    assert_int_equal(store_admin_event_add(db, STORE_ADMIN_REQUESTED, first, NOW), 1);
    assert_int_equal(store_admin_event_add(db, STORE_ADMIN_REQUESTED, second, NOW), 1);
    assert_int_equal(store_admin_event_add(db, STORE_ADMIN_REQUESTED, first, NOW + 1), 1); /* merged */
    struct seen seen = list(db, 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.events[0].mapping_id, first);
    assert_int_equal(seen.events[0].kind, STORE_ADMIN_REQUESTED);
    assert_int_equal(list(db, seen.events[0].id).count, 1);
    assert_int_equal(store_mapping_set_state(db, first, STORE_MAPPING_APPROVED, "x", "", NOW, &was), 1);
    assert_int_equal(list(db, 0).count, 1);
    assert_int_equal(store_mapping_set_state(db, first, STORE_MAPPING_SUSPENDED, "x", "", NOW, &was), 1);
    assert_int_equal(store_admin_event_add(db, STORE_ADMIN_SUSPENDED, first, NOW + 2), 1);
    seen = list(db, 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.events[1].kind, STORE_ADMIN_SUSPENDED);
    last = seen.events[1].id;
    assert_int_equal(store_admin_event_add(db, STORE_ADMIN_SUSPENDED, first, NOW + 3), 1); /* once more: told again */
    seen = list(db, last);
    assert_int_equal(seen.count, 1);
    assert_true(seen.events[0].id > last);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void it_is_known_what_each_admin_was_told(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_admin admin;
    assert_int_equal(store_admin_get(db, "Ada Admin", &admin), 1);
    assert_int_equal(admin.told_event, 0);
    assert_int_equal(store_admin_set_told(db, "Ada Admin", 7, NOW), 1);
    assert_int_equal(store_admin_set_asked(db, "Ada Admin", NOW + 1), 1);
    assert_int_equal(store_admin_set_told(db, "Ada Admin", 8, NOW + 2), 1);
    assert_int_equal(store_admin_get(db, "Ada Admin", &admin), 1);
    assert_int_equal(admin.told_event, 8);
    assert_int_equal(admin.told_at, NOW + 2);
    assert_int_equal(admin.asked_at, NOW + 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void what_somebody_says_is_counted_for_a_day(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (int round = 0; round < 2; round++) {
        const int64_t begin = NOW + (int64_t)round * DAY;
        for (int i = 0; i < 3; i++)
            assert_int_equal(store_spoken_count(db, "UIDALICE", STORE_SPOKEN_REQUEST, 3, begin + i), 1);
        assert_int_equal(store_spoken_count(db, "UIDALICE", STORE_SPOKEN_REQUEST, 3, begin + DAY - 1), 0);
        assert_int_equal(store_spoken_count(db, "UIDALICE", STORE_SPOKEN_UNCLEAR, 3, begin + DAY - 1), 1);
        assert_int_equal(store_spoken_count(db, "UIDBERND", STORE_SPOKEN_REQUEST, 3, begin + DAY - 1), 1);
    }
    assert_int_equal(store_spoken_count(db, "UIDALICE", STORE_SPOKEN_REQUEST, 3, NOW), 1); /* the clock was put back */
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(events_hold_as_long_as_their_mapping_is_so),
        WITH_STORE(it_is_known_what_each_admin_was_told),
        WITH_STORE(what_somebody_says_is_counted_for_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
