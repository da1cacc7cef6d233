#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_refusal.h"

enum { LISTED = 1000 };

struct listed {
    size_t count;
    struct store_refusal newest; /* of the last one the numbers; its texts: */
    char session[40], reason[STORE_REFUSAL_TEXT_MAX + 1], message_id[100];
};

static void list(const struct store_refusal *refusal, void *ctx)
{
    struct listed *listed = ctx;
    listed->count++;
    listed->newest = *refusal;
    snprintf(listed->session, sizeof listed->session, "%s", refusal->session);
    snprintf(listed->reason, sizeof listed->reason, "%s", refusal->reason);
    snprintf(listed->message_id, sizeof listed->message_id, "%s", refusal->message_id);
}

static struct listed of_session(struct store_db *db, const char *session)
{
    struct listed listed = { .count = 0 };
    assert_int_equal(store_refusal_list_of_session(db, session, LISTED, list, &listed), 1);
    return listed;
}

static struct listed from(struct store_db *db, const char *address)
{
    struct listed listed = { .count = 0 };
    assert_int_equal(store_refusal_list_from(db, address, LISTED, list, &listed), 1);
    return listed;
}

static int64_t count(struct store_db *db)
{
    int64_t result;
    assert_int_equal(store_refusal_count(db, &result), 1);
    return result;
}

static void add(struct store_db *db, const char *owner, const char *session, const char *sender, int64_t at)
{
    const struct store_refusal refusal = {
        .at = at,
        .place = "recipient",
        .session = session,
        .client = "192.0.2.1:4711",
        .sender = sender,
        .recipient = "alice@silo.example",
        .code = 550,
        .reply = "550 5.7.1 no",
        .reason = "nobody has let them in",
    };
    assert_int_equal(store_refusal_add(db, owner, &refusal), 1);
}

static void test_it_is_found_by_session_message_and_author(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const struct store_refusal refusal = { .at = 5000,
                                           .place = "message",
                                           .session = "ab12-3",
                                           .transaction = "ab12-3-1",
                                           .sender = "bounces@list.example",
                                           .author = "Bob@example.com",
                                           .message_id = "1@example.com",
                                           .size = 77,
                                           .code = 550,
                                           .reason = "mapping 17 is suspended",
                                           .inbound_id = 9 };
    assert_int_equal(store_refusal_add(db, "192.0.2.0/24", &refusal), 1);
    struct listed listed = of_session(db, "ab12-3");
    assert_int_equal(listed.count, 1);
    assert_string_equal(listed.reason, "mapping 17 is suspended");
    assert_string_equal(listed.message_id, "1@example.com");
    assert_int_equal(listed.newest.count, 1);
    assert_int_equal(listed.newest.size, 77);
    assert_int_equal(listed.newest.code, 550);
    assert_int_equal(listed.newest.inbound_id, 9);
    assert_int_equal(listed.newest.at, 5000);
    assert_int_equal(listed.newest.first_at, 5000);
    assert_int_equal(of_session(db, "ab12-4").count, 0);
    assert_int_equal(of_session(db, "").count, 0);
    assert_int_equal(from(db, "bob@EXAMPLE.com").count, 1);
    assert_int_equal(from(db, "bounces@list.example").count, 0); /* the author is known */
    memset(&listed, 0, sizeof listed);
    assert_int_equal(store_refusal_list_of_message(db, "1@example.com", LISTED, list, &listed), 1);
    assert_int_equal(listed.count, 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* A session's own repetitions are one row; so are those of other sessions, once there are eight rows, and then the newest session
 * is the one that is found. */
static void test_repetitions_are_counted(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (int64_t i = 0; i < 5; i++)
        add(db, "net", "s-1", "eve@example.net", 1000 + i);
    assert_int_equal(count(db), 1);
    struct listed listed = of_session(db, "s-1");
    assert_int_equal(listed.newest.count, 5);
    assert_int_equal(listed.newest.first_at, 1000);
    assert_int_equal(listed.newest.at, 1004);
    for (int64_t i = 0; i < 100; i++) {
        char session[16];
        snprintf(session, sizeof session, "t-%lld", (long long)i);
        add(db, "net", session, "eve@example.net", 2000 + i);
    }
    assert_int_equal(count(db), STORE_REFUSAL_ALIKE_MAX);
    assert_int_equal(of_session(db, "t-0").count, 1);
    assert_int_equal(of_session(db, "t-50").count, 0);
    listed = of_session(db, "t-99");
    assert_int_equal(listed.count, 1);
    assert_int_equal(listed.newest.count, 94);
    add(db, "net", "t-99", "other@example.net", 3000);
    add(db, "other net", "t-99", "eve@example.net", 3000);
    assert_int_equal(count(db), STORE_REFUSAL_ALIKE_MAX + 2);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_one_stranger_pushes_out_nobody_else(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    add(db, "bob's net", "bob", "bob@example.com", 1);
    for (int64_t i = 0; i < STORE_REFUSALS_OF_OWNER_MAX + 50; i++) {
        char name[40];
        snprintf(name, sizeof name, "eve%lld@example.net", (long long)i);
        add(db, "eve's net", "eve", name, 1000 + i);
    }
    assert_int_equal(count(db), STORE_REFUSALS_OF_OWNER_MAX + 1);
    assert_int_equal(of_session(db, "bob").count, 1);
    assert_int_equal(from(db, "eve49@example.net").count, 0);
    assert_int_equal(from(db, "eve50@example.net").count, 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Of as many owners, and times from 1 on. */
static void add_rows(struct store_db *db, int64_t rows)
{
    assert_int_equal(
        store_execute(
            db,
            "INSERT INTO refusal (owner, pair, first_at, at, count, place, session, transaction_id, client, via,"
            " sender, author, recipient, message_id, size, code, reply, reason, proof, inbound_id)"
            " WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
            " SELECT 'o' || n, n, n, n, 1, 'recipient', 's' || n, '', '', '', '', '', '', '', 0, 550, '', '',"
            " '', 0 FROM number",
            STORE_VALUES(bind_int(rows))) > 0,
        1);
}

static void test_there_are_so_many_and_not_for_ever(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    add_rows(db, STORE_REFUSALS_MAX + 500);
    assert_int_equal(store_refusal_tidy(db, 1000), 1);
    assert_int_equal(count(db), STORE_REFUSALS_MAX);
    assert_int_equal(of_session(db, "s500").count, 0);
    assert_int_equal(of_session(db, "s501").count, 1);
    assert_int_equal(store_refusal_tidy(db, store_refusal_kept_ms + 503), 1);
    assert_int_equal(count(db), STORE_REFUSALS_MAX - 2);
    assert_int_equal(of_session(db, "s502").count, 0);
    assert_int_equal(of_session(db, "s503").count, 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* What is repeated is as old as its newest one. */
static void test_a_repetition_is_not_old(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    add(db, "net", "s-1", "eve@example.net", 1000);
    add(db, "net", "s-2", "other@example.net", 2000);
    add(db, "net", "s-1", "eve@example.net", 3000);
    assert_int_equal(store_refusal_tidy(db, store_refusal_kept_ms + 2500), 1);
    assert_int_equal(of_session(db, "s-1").count, 1);
    assert_int_equal(of_session(db, "s-2").count, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_texts_are_cut_between_characters(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char reason[STORE_REFUSAL_TEXT_MAX + 50];
    memset(reason, 'x', sizeof reason);
    memcpy(reason + STORE_REFUSAL_TEXT_MAX - 1, "\xc3\xa4", 3);
    const struct store_refusal refusal = { .at = 1, .place = "message", .session = "s", .reason = reason };
    assert_int_equal(store_refusal_add(db, "net", &refusal), 1);
    assert_int_equal(strlen(of_session(db, "s").reason), STORE_REFUSAL_TEXT_MAX - 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        TEST(test_it_is_found_by_session_message_and_author),
        TEST(test_repetitions_are_counted),
        TEST(test_one_stranger_pushes_out_nobody_else),
        TEST(test_there_are_so_many_and_not_for_ever),
        TEST(test_a_repetition_is_not_old),
        TEST(test_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
