/* mapping_store_returned_test.c - what came back: its schedule, what is noted once, and what becomes mail */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_mapping.h"
#include "mapping/store_returned.h"

enum { NOW = 1000, LATER = 5000 };

static int64_t add_message(struct store_db *db, int recipients)
{
    struct store_outbound_new row = { .kind = STORE_OUTBOUND_MESSAGE,
                                      .tmtp_msgid = "0011223344556677",
                                      .author_uid = "uid",
                                      .author_alias = "Alice Member",
                                      .message_id = "sent@gw.example.org",
                                      .now = NOW };
    int64_t id, correspondent;
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    for (int i = 0; i < recipients; i++) {
        char address[40];
        snprintf(address, sizeof address, "somebody%d@example.com", i);
        assert_int_equal(store_correspondent_ensure(db, address, NOW, &correspondent), 1);
        assert_int_equal(store_outbound_add_recipient(db, id, correspondent, 0), 1);
    }
    return id;
}

static int64_t add_inbound(struct store_db *db, enum store_inbound_kind kind, int64_t about, const char *references,
                           int64_t now)
{
    struct store_inbound_new row = { .kind = kind,
                                     .sender = "",
                                     .from_address = "mailer-daemon@example.com",
                                     .message_id = "report@example.com",
                                     .references = references,
                                     .about_outbound_id = about,
                                     .about_place = 2,
                                     .now = now };
    int64_t id;
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    return id;
}

struct ids {
    int64_t list[8];
    size_t count;
};

static void collect(int64_t id, int64_t next_attempt_at, void *ctx)
{
    struct ids *ids = ctx;
    (void)next_attempt_at;
    ids->list[ids->count++] = id;
}

static void assert_due(struct store_db *db, enum store_queue queue, int64_t id)
{
    struct ids ids = { .count = 0 };
    int64_t count;
    assert_int_equal(store_queue_list_due(db, queue, LATER, 8, collect, &ids), 1);
    assert_int_equal(ids.count, id ? 1 : 0);
    assert_int_equal(ids.list[0], id);
    assert_int_equal(store_queue_count_due(db, queue, LATER, 8, &count), 1);
    assert_int_equal(count, id ? 1 : 0);
}

/* The poster never sees it, and who reads it sees nothing else. */
static void what_came_back_has_a_schedule_of_its_own(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_inbound row;
    int64_t at, message = add_message(db, 2), returned = add_inbound(db, STORE_INBOUND_RETURNED, message, "", NOW);
    assert_due(db, STORE_QUEUE_IN, 0);
    assert_due(db, STORE_QUEUE_RETURNED, returned);
    int64_t mail = add_inbound(db, STORE_INBOUND_MAIL, 0, "", NOW);
    assert_due(db, STORE_QUEUE_IN, mail);
    assert_due(db, STORE_QUEUE_RETURNED, returned);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_RETURNED, 0, &at), 1);
    assert_int_equal(at, NOW);
    assert_int_equal(store_inbound_find(db, returned, &row), 1);
    assert_int_equal(row.kind, STORE_INBOUND_RETURNED);
    assert_int_equal(row.about_outbound_id, message);
    assert_int_equal(row.about_place, 2);
    assert_int_equal(row.answer_mapping_id, 0);
    store_inbound_free(&row);
    assert_int_equal(store_inbound_finish(db, returned, STORE_QUEUE_SETTLED), 1);
    assert_due(db, STORE_QUEUE_RETURNED, 0);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_RETURNED, 0, &at), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

static void an_action_is_noted_once_for_a_recipient(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t message = add_message(db, 2), other = add_message(db, 2);
    struct store_report_new report = { .outbound_id = message,
                                       .place = 1,
                                       .action = STORE_REPORT_DELAYED,
                                       .inbound_id = add_inbound(db, STORE_INBOUND_RETURNED, message, "", NOW),
                                       .status = "4.4.1",
                                       .now = NOW };
    assert_int_equal(store_report_add(db, &report), 1);
    assert_int_equal(store_report_add(db, &report), 0);
    report.action = STORE_REPORT_FAILED;
    assert_int_equal(store_report_add(db, &report), 1);
    report.place = 2;
    assert_int_equal(store_report_add(db, &report), 1);
    report.place = 3;
    assert_int_equal(store_report_add(db, &report), 0); /* nobody */
    report.outbound_id = other;
    report.place = 1;
    assert_int_equal(store_report_add(db, &report), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

static void what_came_back_is_counted(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t count, message = add_message(db, 1), other = add_message(db, 1);
    int64_t first = add_inbound(db, STORE_INBOUND_RETURNED, message, "", NOW);
    int64_t second = add_inbound(db, STORE_INBOUND_RETURNED, message, "", NOW + 10);
    add_inbound(db, STORE_INBOUND_NOTICE, message, "", NOW);
    add_inbound(db, STORE_INBOUND_RETURNED, other, "", NOW);
    int64_t third = add_inbound(db, STORE_INBOUND_RETURNED, message, "", NOW + 20);
    assert_int_equal(store_returned_count(db, message, first, 10, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_returned_count(db, message, third, 10, &count), 1);
    assert_int_equal(count, 3);
    assert_int_equal(store_returned_set_answer(db, first), 1);
    assert_int_equal(store_returned_become_mail(db, second, "sent@gw.example.org", NOW), 1);
    assert_int_equal(store_returned_count_answers(db, message, NOW, &count), 1);
    assert_int_equal(count, 2);
    assert_int_equal(store_returned_count_answers(db, message, NOW + 1, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_returned_count(db, message, third, 10, &count), 1);
    assert_int_equal(count, 3); /* what has become mail is still one of them */
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void an_answer_becomes_mail(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_inbound row;
    int64_t message = add_message(db, 1);
    int64_t with = add_inbound(db, STORE_INBOUND_RETURNED, message, "a@b\nc@d", NOW);
    assert_int_equal(store_returned_become_mail(db, with, "sent@gw.example.org", LATER), 1);
    assert_int_equal(store_returned_become_mail(db, with, "sent@gw.example.org", LATER), 0);
    assert_int_equal(store_inbound_find(db, with, &row), 1);
    assert_int_equal(row.kind, STORE_INBOUND_MAIL);
    assert_int_equal(row.state, STORE_QUEUE_WAITING);
    assert_string_equal(row.references, "sent@gw.example.org\na@b\nc@d");
    assert_true(row.is_automatic && row.is_generated);
    store_inbound_free(&row);
    assert_due(db, STORE_QUEUE_IN, with);
    int64_t without = add_inbound(db, STORE_INBOUND_RETURNED, message, "", NOW);
    assert_int_equal(store_inbound_set_state(db, without, STORE_QUEUE_HELD, "held"), 1);
    assert_int_equal(store_returned_become_mail(db, without, "sent@gw.example.org", LATER), 0);
    assert_int_equal(store_inbound_set_state(db, without, STORE_QUEUE_WAITING, ""), 1);
    assert_int_equal(store_returned_become_mail(db, without, "sent@gw.example.org", LATER), 1);
    assert_int_equal(store_inbound_find(db, without, &row), 1);
    assert_string_equal(row.references, "sent@gw.example.org");
    store_inbound_free(&row);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_came_back_has_a_schedule_of_its_own),
        WITH_STORE(an_action_is_noted_once_for_a_recipient),
        WITH_STORE(what_came_back_is_counted),
        WITH_STORE(an_answer_becomes_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
