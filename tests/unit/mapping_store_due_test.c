#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_mapping.h"
#include "mapping/store_member.h"

enum { NOW = 100000, DEFERRED = 2000, STEPS_MAX = 400 };

static void ignore(int64_t id, int64_t next_attempt_at, void *ctx)
{
    (void)id, (void)next_attempt_at;
    ++*(int *)ctx;
}

/* In either queue; both are deferred. The second and all later ones are due after the one before. */
static void add_deferred(struct store_db *db, int64_t member, int64_t correspondent, int number)
{
    const struct store_inbound_new in = {
        .kind = STORE_INBOUND_MAIL,
        .sender = "bob@example.com",
        .from_address = "bob@example.com",
        .correspondent_id = correspondent,
        .references = "",
        .now = NOW,
    };
    const struct store_outbound_new out = {
        .tmtp_msgid = "m1",
        .member_id = member,
        .author_uid = "UIDALICE",
        .author_alias = "Alice Member",
        .message_id = "tmtp-m1@mail.example",
        .head = "{}",
        .now = NOW,
    };
    int64_t id;
    assert_int_equal(store_inbound_add(db, &in, &id), 1);
    assert_int_equal(store_inbound_retry(db, id, NOW + 1000 + number, "450 4.2.1 later"), 1);
    assert_int_equal(store_outbound_add(db, &out, &id), 1);
    assert_int_equal(store_outbound_retry(db, id, NOW + 1000 + number, false, "450 4.2.1 later"), 1);
}

/* Steps of SQLite's machine for the statements that ask what comes first; and how often they sorted. */
static void count_steps(struct store_db *db, int *steps_out, int *sorts_out)
{
    *steps_out = *sorts_out = 0;
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt)) {
        if (!strstr(sqlite3_sql(stmt), "ORDER BY"))
            continue;
        *steps_out += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
        *sorts_out += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 0);
    }
}

/* A look cost more with each message that was deferred: SQLite took the index of states, and sorted them all. */
static void what_is_due_is_found_beside_thousands_that_are_deferred(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t member, correspondent, at;
    const char *reason;
    int steps, sorts, due = 0;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &member, &reason), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &correspondent), 1);
    for (int i = 0; i < DEFERRED; i++)
        add_deferred(db, member, correspondent, i);
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_OUT; queue++) {
        assert_int_equal(store_queue_set_due(db, queue, 7, NOW), 1);
        assert_int_equal(store_queue_list_due(db, queue, NOW, 5, ignore, &due), 1);
        assert_int_equal(store_queue_next_due(db, queue, NOW, &at), 1);
        assert_int_equal(at, NOW + 1000);
    }
    assert_int_equal(due, 2);
    assert_int_equal(store_outbound_next_awaiting(db, 0, &at), 0);
    assert_int_equal(store_outbound_end_waiting(db, NOW, 5, &(int64_t){ 0 }), 0);
    count_steps(db, &steps, &sorts);
    assert_int_equal(sorts, 0);
    assert_in_range(steps, 1, STEPS_MAX);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_due_is_found_beside_thousands_that_are_deferred, store_fixture_setup,
                                        store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
