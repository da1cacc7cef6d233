#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_forward.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"

enum { NOW = 100000 };

#define FILES "{\"Attach\":[{\"Name\":\"u:a.txt\",\"Size\":3}]}"

static int64_t add_entry(struct store_db *db, int64_t thread_id, enum store_outbound_kind kind, const char *msgid)
{
    int64_t id = 0;
    struct store_outbound_new row = {
        .kind = kind,
        .tmtp_msgid = msgid,
        .thread_id = thread_id,
        .author_uid = "ALICE",
        .author_alias = "Alice Member",
        .message_id = msgid,
        .now = NOW,
    };
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    return id;
}

static void add_message(struct store_db *db, int64_t outbound_id, unsigned seq, const char *attachments)
{
    char msgid[20];
    snprintf(msgid, sizeof msgid, "m%u", seq);
    struct store_forward_message message = {
        .outbound_id = outbound_id,
        .seq = seq,
        .msgid = msgid,
        .author_uid = (char *)(uintptr_t) "CAROL",
        .author_alias = (char *)(uintptr_t) "Carol Member",
        .posted_at = NOW - 50,
        .body_offset = 100 * (int64_t)seq,
        .body_size = 7,
        .attachments = (char *)(uintptr_t)attachments,
    };
    assert_int_equal(store_forward_add(db, &message), 1);
}

struct listed {
    char text[400];
};

static void list_message(const struct store_forward_message *message, void *ctx)
{
    struct listed *listed = ctx;
    size_t len = strlen(listed->text);
    snprintf(listed->text + len, sizeof listed->text - len, "%s%lld.%u:%s@%lld+%lld", len ? " " : "",
             (long long)message->outbound_id, message->seq, message->msgid, (long long)message->body_offset,
             (long long)message->body_size);
    assert_string_equal(message->author_alias, "Carol Member");
    assert_int_equal(message->posted_at, NOW - 50);
}

static void expect_list(struct store_db *db, int64_t outbound_id, const char *expected)
{
    struct listed listed = { "" };
    assert_int_equal(store_forward_list(db, outbound_id, list_message, &listed), 1);
    assert_string_equal(listed.text, expected);
}

static void expect_awaited(struct store_db *db, int64_t thread_id, const char *msgid, const char *uid,
                           const char *expected)
{
    struct listed listed = { "" };
    assert_int_equal(store_forward_list_awaited(db, thread_id, msgid, uid, list_message, &listed), 1);
    assert_string_equal(listed.text, expected);
}

static void test_what_is_awaited(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t thread, other;
    assert_int_equal(store_thread_add(db, "t1", "Plans", NOW, &thread), 1);
    assert_int_equal(store_thread_add(db, "t2", "Other", NOW, &other), 1);
    int64_t first = add_entry(db, thread, STORE_OUTBOUND_FORWARD, "f1");
    int64_t second = add_entry(db, thread, STORE_OUTBOUND_FORWARD, "f2");
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    for (unsigned seq = 0; seq < 3; seq++)
        add_message(db, first, seq, seq == 1 ? FILES : "");
    add_message(db, second, 1, FILES);

    expect_list(db, first, "1.0:m0@0+7 1.1:m1@100+7 1.2:m2@200+7");
    expect_awaited(db, thread, "m1", "CAROL", "1.1:m1@100+7 2.1:m1@100+7");
    expect_awaited(db, thread, "m0", "CAROL", ""); /* it has no files */
    expect_awaited(db, thread, "m1", "MALLORY", "");
    expect_awaited(db, other, "m1", "CAROL", "");

    /* once each */
    assert_int_equal(store_forward_received(db, first, "m1"), 1);
    assert_int_equal(store_forward_received(db, first, "m1"), 0);
    expect_awaited(db, thread, "m1", "CAROL", "2.1:m1@100+7");

    /* when the mail is written, only what is awaited stays */
    assert_int_equal(store_forward_written(db, first), 1);
    expect_list(db, first, "");
    assert_int_equal(store_forward_written(db, second), 1);
    expect_list(db, second, "2.1:m1@100+7");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_waiting_ends(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t thread;
    assert_int_equal(store_thread_add(db, "t1", "Plans", NOW, &thread), 1);
    int64_t sent = add_entry(db, thread, STORE_OUTBOUND_FORWARD, "f1");
    int64_t waiting = add_entry(db, thread, STORE_OUTBOUND_FORWARD, "f2");
    add_message(db, sent, 1, FILES);
    add_message(db, waiting, 1, FILES);
    assert_int_equal(store_outbound_finish(db, sent, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_forward_expire(db, NOW), 1); /* not older */
    expect_list(db, sent, "1.1:m1@100+7");
    assert_int_equal(store_forward_expire(db, NOW + 1), 1);
    expect_list(db, sent, "");
    expect_list(db, waiting, "2.1:m1@100+7"); /* its mail is not written yet */
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_forward_waits_for_its_recipients(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_outbound row;
    int64_t thread, bob, found = 0;
    assert_int_equal(store_thread_add(db, "t1", "Plans", NOW, &thread), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    add_entry(db, thread, STORE_OUTBOUND_MESSAGE, "f1");
    int64_t id = add_entry(db, thread, STORE_OUTBOUND_FORWARD, "f2");
    assert_int_equal(store_queue_postpone(db, STORE_QUEUE_OUT, id, NOW + 1000, "waits"), 1);
    assert_int_equal(store_outbound_find_forward(db, "f1", &found), 0); /* an ordinary message */
    assert_int_equal(store_outbound_find_forward(db, "f2", &found), 1);
    assert_int_equal(found, id);

    assert_int_equal(store_outbound_add_recipient(db, id, bob, 0), 1);
    assert_int_equal(store_outbound_release(db, id, 0, NOW + 5), 1);
    assert_int_equal(store_outbound_find_forward(db, "f2", &found), 0); /* it has them */
    assert_int_equal(store_outbound_find(db, id, &row), 1);
    assert_int_equal(row.kind, STORE_OUTBOUND_FORWARD);
    assert_int_equal(row.next_attempt_at, NOW + 5);
    assert_string_equal(row.last_error, "");
    store_outbound_free(&row);
    assert_int_equal(store_outbound_finish(db, id, STORE_QUEUE_DROPPED), 1);
    assert_int_equal(store_outbound_release(db, id, 0, NOW), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_awaited, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_waiting_ends, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_forward_waits_for_its_recipients, store_fixture_setup,
                                        store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
