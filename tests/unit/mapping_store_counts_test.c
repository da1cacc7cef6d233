/* Tests of what the store tells of itself: batches, waits for the disk, sizes, and that it is stuck. */
#include "tests/unit/mapping_store_fixture.h"

static int add_row(struct store_db *db, void *arg)
{
    (void)arg;
    return store_execute(db, "INSERT INTO bucket (kind, name, whole_at) VALUES ('x', hex(randomblob(8)), 1)", NULL);
}

static int change_nothing(struct store_db *db, void *arg)
{
    (void)db;
    (void)arg;
    return 0;
}

static void batches_and_waits_are_counted(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_statistics before, after;
    store_get_statistics(fixture->store, &before);
    (void)store_fixture_borrow(fixture); /* a batch of one, behind which the others gather */
    for (int i = 0; i < 100; i++)
        store_submit(fixture->store, add_row, NULL, NULL);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    store_fixture_wait_for_all(fixture);
    store_submit(fixture->store, change_nothing, NULL, NULL);
    store_fixture_wait_for_all(fixture);
    store_get_statistics(fixture->store, &after);
    assert_int_equal(after.batch.count - before.batch.count, 3);
    assert_int_equal(after.batch.sum - before.batch.sum, 102);
    assert_int_equal(after.batch.buckets[7] - before.batch.buckets[7], 1); /* of 65 to 128 */
    assert_int_equal(after.commit_us.count - before.commit_us.count, 2);   /* nothing was to be kept of the last */
    assert_int_equal(after.commit_us.count, after.commits);
    assert_true(after.commit_us.sum >= after.longest_commit_us);
}

static void a_stall_is_known(void **state)
{
    struct store_fixture *fixture = *state;
    assert_int_equal(store_stalled_ms(fixture->store), 0);
    (void)store_fixture_borrow(fixture); /* the committer waits */
    usleep(20000);
    assert_in_range(store_stalled_ms(fixture->store), 15, 60000);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    store_fixture_wait_for_all(fixture);
    assert_int_equal(store_stalled_ms(fixture->store), 0);
}

static void sizes_are_those_of_the_files(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t database, log;
    store_submit(fixture->store, add_row, NULL, NULL);
    store_fixture_wait_for_all(fixture);
    store_get_size(fixture->store, &database, &log);
    assert_true(database > 0 && log > 0);
    assert_int_equal(store_ping(store_reader(fixture->store)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batches_and_waits_are_counted, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_stall_is_known, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(sizes_are_those_of_the_files, store_fixture_setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
