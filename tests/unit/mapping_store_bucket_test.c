#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_bucket.h"

static int64_t spent(struct store_db *db, const char *kind, const char *name)
{
    int64_t whole_us = -1;
    assert_int_equal(store_bucket_get(db, kind, name, &whole_us), 1);
    return whole_us;
}

static void set(struct store_db *db, const char *kind, const char *name, int64_t whole_us)
{
    (void)spent(db, kind, name);
    store_bucket_set(db, kind, name, whole_us);
}

static int64_t count_rows(struct store_db *db)
{
    int64_t count;
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM bucket", NULL, &count), 1);
    return count;
}

static void reopen(struct store_fixture *fixture)
{
    store_close(&fixture->store);
    store_fixture_open(fixture);
}

static void test_a_restart_loses_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(spent(db, "in", "bob@example.com"), 0);
    set(db, "in", "bob@example.com", 1000);
    set(db, "in", "bob@example.com", 2000);
    set(db, "out", "bob@example.com", 3000);
    assert_int_equal(spent(db, "in", "bob@example.com"), 2000);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    reopen(fixture);
    assert_int_equal(spent(store_reader(fixture->store), "in", "bob@example.com"), 2000);
    assert_int_equal(spent(store_reader(fixture->store), "out", "bob@example.com"), 3000);
    db = store_fixture_borrow(fixture);
    assert_int_equal(spent(db, "in", "bob@example.com"), 2000);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_what_is_undone_is_not_spent(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    set(db, "in", "bob@example.com", 1000);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    static const int results[] = { 0, -1 };
    for (size_t i = 0; i < 2; i++) {
        db = store_fixture_borrow(fixture);
        set(db, "in", "bob@example.com", 5000);
        set(db, "in", "eve@example.com", 5000);
        assert_int_equal(store_fixture_return(fixture, results[i]), results[i]);
        db = store_fixture_borrow(fixture);
        assert_int_equal(spent(db, "in", "bob@example.com"), 1000);
        assert_int_equal(spent(db, "in", "eve@example.com"), 0);
        assert_int_equal(store_fixture_return(fixture, 1), 1);
    }
}

static void test_back_to_a_mark(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    set(db, "in", "bob@example.com", 1000);
    size_t mark = store_bucket_mark(db);
    set(db, "in", "bob@example.com", 2000);
    set(db, "in", "carol@example.com", 2000);
    set(db, "in", "bob@example.com", 3000);
    store_bucket_undo(db, mark);
    assert_int_equal(spent(db, "in", "bob@example.com"), 1000);
    assert_int_equal(spent(db, "in", "carol@example.com"), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(count_rows(store_reader(fixture->store)), 1);
    assert_int_equal(spent(store_reader(fixture->store), "in", "bob@example.com"), 1000);
}

/* Operations of one commit see what those before have spent, but not what was undone. */

struct spender {
    int64_t amount;
    int result;
};

static int spend(struct store_db *db, void *arg)
{
    const struct spender *spender = arg;
    set(db, "in", "all", spent(db, "in", "all") + spender->amount);
    return spender->result;
}

static void test_operations_of_one_commit(void **state)
{
    static struct spender spenders[] = { { 1, 1 }, { 10, 0 }, { 100, 1 }, { 1000, -1 }, { 10000, 1 } };
    struct store_fixture *fixture = *state;
    struct store_statistics before, after;
    for (int is_repeatable = 0; is_repeatable < 2; is_repeatable++) {
        (void)store_fixture_borrow(fixture); /* what is submitted meanwhile is the next batch */
        store_get_statistics(fixture->store, &before);
        for (size_t i = 0; i < sizeof spenders / sizeof spenders[0]; i++) {
            if (is_repeatable)
                store_submit_repeatable(fixture->store, spend, NULL, &spenders[i]);
            else
                store_submit(fixture->store, spend, NULL, &spenders[i]);
        }
        assert_int_equal(store_fixture_return(fixture, 1), 1);
        store_fixture_wait_for_all(fixture);
        store_get_statistics(fixture->store, &after);
        assert_int_equal(after.commits - before.commits, 2);
        assert_int_equal(spent(store_reader(fixture->store), "in", "all"), 10101 * (1 + is_repeatable));
    }
}

/* Many names, so that some share a place in memory. */
static void test_many_names(void **state)
{
    enum { COUNT = 2000 };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%d@example.com", i);
        set(db, i % 2 ? "in" : "out", name, 1 + i);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%d@example.com", i);
        assert_int_equal(spent(store_reader(fixture->store), i % 2 ? "in" : "out", name), 1 + i);
        assert_int_equal(spent(store_reader(fixture->store), i % 2 ? "out" : "in", name), 0);
    }
}

static int64_t forget_odd(const char *kind, int64_t whole_us, void *ctx)
{
    unsigned *seen = ctx;
    assert_string_equal(kind, "in");
    ++*seen;
    return whole_us % 2 ? 0 : whole_us;
}

static void test_sweeping_comes_around(void **state)
{
    enum { COUNT = 1300 };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%04d@example.com", i);
        set(db, "in", name, 1 + i);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    static const unsigned slices[] = { 500, 500, 300, 500, 150, 500 };
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        unsigned seen = 0;
        db = store_fixture_borrow(fixture);
        assert_int_equal(store_bucket_sweep(db, forget_odd, &seen), 1);
        assert_int_equal(seen, slices[i]);
        assert_int_equal(store_fixture_return(fixture, 1), 1);
    }
    assert_int_equal(count_rows(store_reader(fixture->store)), COUNT / 2);
}

/* An allowance that the sweep's own commit spends is written as spent, whatever the sweep has read. */
static void test_sweeping_beside_a_spender(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    unsigned seen = 0;
    set(db, "in", "bob@example.com", 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    db = store_fixture_borrow(fixture);
    set(db, "in", "bob@example.com", 4);
    assert_int_equal(store_bucket_sweep(db, forget_odd, &seen), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(spent(store_reader(fixture->store), "in", "bob@example.com"), 4);
}

/* Of one that the committer has in memory, too. */
static void test_sweeping_what_is_remembered(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    unsigned seen = 0;
    set(db, "in", "bob@example.com", 3);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    db = store_fixture_borrow(fixture);
    assert_int_equal(store_bucket_sweep(db, forget_odd, &seen), 1);
    assert_int_equal(spent(db, "in", "bob@example.com"), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(count_rows(store_reader(fixture->store)), 0);
}

/* The commit is what counts: after one that failed the disk is asked. */
static void test_a_commit_that_fails(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    set(db, "in", "bob@example.com", 1000);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    db = store_fixture_borrow(fixture);
    set(db, "in", "bob@example.com", 2000);
    assert_true(store_execute(db, "ROLLBACK", NULL) >= 0); /* as SQLite does when a disk is full, which is noticed */
    db->lost_transaction = true;
    assert_int_equal(store_fixture_return(fixture, 1), -1);
    db = store_fixture_borrow(fixture);
    assert_int_equal(spent(db, "in", "bob@example.com"), 1000);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)
        STORE_TEST(test_a_restart_loses_nothing),
        STORE_TEST(test_what_is_undone_is_not_spent),
        STORE_TEST(test_back_to_a_mark),
        STORE_TEST(test_operations_of_one_commit),
        STORE_TEST(test_many_names),
        STORE_TEST(test_sweeping_comes_around),
        STORE_TEST(test_sweeping_beside_a_spender),
        STORE_TEST(test_sweeping_what_is_remembered),
        STORE_TEST(test_a_commit_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
