#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_forward.h"
#include "mapping/store_held.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_named.h"
#include "mapping/store_overdue.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_returned.h"
#include "mapping/store_thread.h"

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

static void ignore_overdue(int64_t id, int64_t received_at, bool is_tellable, void *ctx)
{
    (void)id, (void)received_at, (void)is_tellable, (void)ctx;
}

static void ignore_forward(const struct store_forward_message *message, void *ctx)
{
    (void)message, (void)ctx;
}

static void ignore_name(const char *name, void *ctx)
{
    (void)name, (void)ctx;
}

/* What is asked for each message, each mail, or each minute. What comes out does not matter: nothing is there. */
static void ask_everything(struct store_db *db)
{
    static const uint8_t digest[STORE_DIGEST_SIZE];
    struct store_inbound_same same = {
        .message_id = "m", .sender = "", .digest = digest, .target = { .member_id = 1 }
    };
    int64_t id;
    char *message_id;
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_RETURNED; queue++) {
        assert_int_equal(store_queue_list_due(db, queue, NOW, 5, ignore, &(int){ 0 }), 1);
        assert_int_equal(store_queue_next_due(db, queue, NOW, &id), 0);
        assert_int_equal(store_queue_count_due(db, queue, NOW, 5, &id), 1);
        assert_int_equal(store_queue_bring_forward(db, queue, NOW, NOW, 5), 1);
    }
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_OUT; queue++) {
        assert_int_equal(store_queue_oldest(db, queue, &id), 0);
        assert_int_equal(store_queue_count(db, queue, STORE_QUEUE_WAITING, &id), 1);
        assert_int_equal(store_queue_list_about(db, queue, 1, ignore, &(int){ 0 }), 1);
    }
    assert_int_equal(store_inbound_find_same(db, &same, &id), 0);
    same.about_outbound_id = 1;
    assert_int_equal(store_inbound_find_same(db, &same, &id), 0);
    assert_int_equal(store_inbound_awaits_routing(db, "m", 1, 9), 0);
    assert_int_equal(store_inbound_count_by_mapping(db, 1, NOW, 5, &id), 1);
    assert_int_equal(store_overdue_count_generated(db, 1, same.target, NOW, &id), 1);
    assert_int_equal(store_overdue_count_reports(db, "bob@example.com", NOW, 5, &id), 1);
    assert_int_equal(store_overdue_refusal_told(db, 1, "bob@example.com", same.target, NOW), 0);
    assert_int_equal(store_overdue_list_delayed(db, NOW, 5, ignore_overdue, NULL), 1);
    assert_int_equal(store_overdue_list_waiting(db, 0, 5, ignore_overdue, NULL), 1);
    assert_int_equal(store_returned_count(db, 1, 9, 5, &id), 1);
    assert_int_equal(store_returned_count_answers(db, 1, NOW, &id), 1);
    assert_int_equal(store_outbound_next_awaiting(db, 0, &id), 0);
    assert_int_equal(store_outbound_end_waiting(db, NOW, 5, &(int64_t){ 0 }), 0);
    assert_int_equal(store_outbound_find_forward(db, "m", &id), 0);
    assert_int_equal(store_forward_list_awaited(db, 1, "m", "uid", ignore_forward, NULL), 1);
    assert_int_equal(store_forward_expire(db, NOW), 1);
    assert_int_equal(store_message_find_shared(db, 1, 1, &message_id), 0);
    struct store_excerpt excerpt;
    assert_int_equal(store_named_list_known(db, 1, 5, ignore_name, NULL), 1);
    assert_int_equal(store_named_list_local_parts(db, 1, 5, ignore_name, NULL), 1);
    assert_int_equal(store_excerpt_find(db, 1, 1, &excerpt), 0);
    assert_int_equal(store_excerpt_take_back(db, 1), 1);
    assert_int_equal(store_excerpt_expire(db, NOW, 5), 1);
    int64_t number; /* with each look at whether the gateway is ready, and for each reading of its figures */
    assert_int_equal(store_held_count_foreign(db, "key", &number), 1);
    assert_int_equal(store_queue_oldest(db, STORE_QUEUE_IN, &number), 0);
    assert_int_equal(store_queue_oldest(db, STORE_QUEUE_OUT, &number), 0);
}

/* A walk through a whole table, as the planner calls it. */
static void look_at_plan(struct store_db *db, const char *sql, const char *bad)
{
    sqlite3_stmt *plan;
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db->handle, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        if (strstr(step, bad))
            fail_msg("%s: %s", step, sql);
    }
    sqlite3_finalize(plan);
    sqlite3_free(explain);
}

/* Settled entries are kept for the story of each message: after years they are millions. */
static void nothing_that_is_asked_often_walks_through_a_table(void **state)
{
    static const char *const bad[] = { "SCAN inbound",
                                       "SCAN outbound",
                                       "SCAN message",
                                       "SCAN forward_message",
                                       "SCAN outbound_recipient",
                                       "SCAN address",
                                       "SCAN correspondent",
                                       "SCAN thread",
                                       "SCAN held" };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const char *texts[200];
    size_t count = 0;
    ask_everything(db);
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt && count < 200;
         stmt = sqlite3_next_stmt(db->handle, stmt))
        if (strstr(sqlite3_sql(stmt), "bound") || strstr(sqlite3_sql(stmt), "message") ||
            strstr(sqlite3_sql(stmt), "thread") || strstr(sqlite3_sql(stmt), "held"))
            texts[count++] = sqlite3_sql(stmt);
    assert_in_range(count, 30, 199);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++)
            look_at_plan(db, texts[i], bad[j]);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0); /* an index that is named must be there */
}

/* Each counted all that came back about the message, and somebody who has its return address can bring any number. */
static void plenty_that_comes_back_costs_no_more(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    static const uint8_t digest[STORE_DIGEST_SIZE];
    struct store_inbound_new in = { .kind = STORE_INBOUND_RETURNED,
                                    .sender = "",
                                    .from_address = "x@example.net",
                                    .message_id = "first@example.net",
                                    .digest = digest,
                                    .references = "",
                                    .now = NOW };
    struct store_inbound_same same = { .message_id = "new@example.net", .sender = "", .digest = digest };
    const struct store_outbound_new out = {
        .tmtp_msgid = "m1", .author_uid = "U", .author_alias = "A", .message_id = "x", .head = "{}", .now = NOW
    };
    int64_t id, count;
    int steps = 0;
    assert_int_equal(store_outbound_add(db, &out, &in.about_outbound_id), 1);
    for (int i = 0; i < DEFERRED; i++)
        assert_int_equal(store_inbound_add(db, &in, &id), 1);
    same.about_outbound_id = in.about_outbound_id;
    assert_int_equal(store_inbound_find_same(db, &same, &count), 0);
    assert_int_equal(store_returned_count(db, in.about_outbound_id, id, 11, &count), 1);
    assert_int_equal(count, 11);
    assert_int_equal(store_returned_count_answers(db, in.about_outbound_id, NOW, &count), 1);
    assert_int_equal(store_queue_list_due(db, STORE_QUEUE_IN, NOW, 5, ignore, &(int){ 0 }), 1);
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt))
        if (strncmp(sqlite3_sql(stmt), "SELECT", 6) == 0)
            steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_in_range(steps, 1, STEPS_MAX);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Every ten seconds all that had ever been forwarded was looked at. */
static void what_was_forwarded_long_ago_costs_no_more(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const struct store_outbound_new out = { .kind = STORE_OUTBOUND_FORWARD,
                                            .tmtp_msgid = "m1",
                                            .author_uid = "U",
                                            .author_alias = "A",
                                            .message_id = "x",
                                            .head = "{}",
                                            .now = NOW };
    char msgid[] = "m1", uid[] = "U", alias[] = "A", files[] = "u:a 1";
    struct store_forward_message message = {
        .msgid = msgid, .author_uid = uid, .author_alias = alias, .attachments = files
    };
    int steps = 0;
    int64_t left;
    for (int i = 0; i < DEFERRED; i++) {
        assert_int_equal(store_outbound_add(db, &out, &message.outbound_id), 1);
        assert_int_equal(store_outbound_finish(db, message.outbound_id, STORE_QUEUE_SETTLED), 1);
    }
    assert_int_equal(store_forward_add(db, &message), 1);
    assert_int_equal(store_forward_expire(db, NOW + 1), 1);
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt))
        if (strstr(sqlite3_sql(stmt), "DELETE FROM forward_message"))
            steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_in_range(steps, 1, STEPS_MAX);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM forward_message", NULL, &left), 1);
    assert_int_equal(left, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* `status`, the page and each reading of the figures walked through all mappings: a quarter of a second with a million. */
static void requests_are_counted_beside_thousands_of_mappings(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_mapping_new mapping = { .state = STORE_MAPPING_APPROVED,
                                         .direction = STORE_DIRECTION_BOTH,
                                         .note = "",
                                         .actor = "test",
                                         .reason = "",
                                         .now = NOW };
    int64_t id, count, steps = 0;
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &mapping.target.member_id, &reason), 1);
    for (int i = 0; i < DEFERRED; i++) {
        char address[40];
        snprintf(address, sizeof address, "bob%d@example.com", i);
        if (i == 0)
            mapping.state = STORE_MAPPING_REQUESTED;
        assert_int_equal(store_correspondent_ensure(db, address, NOW, &mapping.correspondent_id), 1);
        assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
        mapping.state = STORE_MAPPING_APPROVED;
    }
    assert_int_equal(store_mapping_count_requested(db, &count), 1);
    assert_int_equal(count, 1);
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt))
        if (strncmp(sqlite3_sql(stmt), "SELECT count(*) FROM mapping", 28) == 0)
            steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_in_range(steps, 1, STEPS_MAX);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_due_is_found_beside_thousands_that_are_deferred),
        WITH_STORE(nothing_that_is_asked_often_walks_through_a_table),
        WITH_STORE(plenty_that_comes_back_costs_no_more),
        WITH_STORE(what_was_forwarded_long_ago_costs_no_more),
        WITH_STORE(requests_are_counted_beside_thousands_of_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
