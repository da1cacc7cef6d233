/* gateway_returns_note_test.c - what a report does to the recipient that it is about (what its author sees is tested from outside,
 * in tests/e2e/test_returns.py) */
#include "tests/unit/mapping_store_fixture.h"

#include "base/xmalloc.h"
#include "gateway/returns_internal.h"
#include "mapping/store_mapping.h"

enum { NOW = 100000 };

static int64_t add_message(struct store_db *db)
{
    struct store_outbound_new row = { .kind = STORE_OUTBOUND_MESSAGE,
                                      .tmtp_msgid = "0011223344556677",
                                      .author_uid = "uid",
                                      .author_alias = "Alice Member",
                                      .message_id = "sent@gw.example.org",
                                      .now = NOW };
    int64_t id, correspondent;
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &correspondent), 1);
    assert_int_equal(store_outbound_add_recipient(db, id, correspondent, 0), 1);
    return id;
}

static int64_t add_returned(struct store_db *db, int64_t about, unsigned place)
{
    struct store_inbound_new row = { .kind = STORE_INBOUND_RETURNED,
                                     .sender = "",
                                     .from_address = "",
                                     .about_outbound_id = about,
                                     .about_place = place,
                                     .now = NOW };
    int64_t id;
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    return id;
}

/* Was the author told something? */
static bool note_at(struct store_db *db, int64_t about, unsigned place, const char *address,
                    enum convert_report_action action)
{
    struct returned returned = { .id = add_returned(db, about, place), .now = NOW };
    struct store_inbound row;
    convert_report_init(&returned.report);
    returned.report.kind = CONVERT_REPORT_DSN;
    returned.report.recipients = xcalloc(1, sizeof *returned.report.recipients);
    returned.report.recipients[0] = (struct convert_report_recipient){ .action = action,
                                                                       .address = xstrdup(address),
                                                                       .original = xstrdup(""),
                                                                       .status = xstrdup("5.1.1"),
                                                                       .diagnostic = xstrdup("550 no such user"),
                                                                       .remote_mta = xstrdup("mx.example.com") };
    returned.report.count = 1;
    assert_int_equal(returns_note(db, &returned), 1);
    convert_report_free(&returned.report);
    assert_int_equal(store_inbound_find(db, returned.id, &row), 1);
    assert_int_equal(row.state, STORE_QUEUE_SETTLED);
    store_inbound_free(&row);
    return returned.has_added;
}

static bool note(struct store_db *db, int64_t about, enum convert_report_action action)
{
    return note_at(db, about, 1, "bob@example.com", action);
}

static void assert_recipient(struct store_db *db, int64_t id, enum store_recipient_state state)
{
    struct store_outbound row;
    assert_int_equal(store_outbound_find(db, id, &row), 1);
    assert_int_equal(row.recipients[0].state, state);
    store_outbound_free(&row);
}

/* The relay had taken the mail, but its answer was lost: what came back says how it went on. */
static void who_has_failed_is_not_tried_again(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_message(db);
    assert_true(note(db, id, CONVERT_REPORT_DELAYED));
    assert_recipient(db, id, STORE_RECIPIENT_WAITING);
    assert_true(note(db, id, CONVERT_REPORT_FAILED));
    assert_recipient(db, id, STORE_RECIPIENT_FAILED);
    assert_false(note(db, id, CONVERT_REPORT_FAILED));
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

/* What the relay has said stays what it has said. */
static void outcomes_of_the_relay_stay(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t handed_on = add_message(db), refused = add_message(db), correspondent;
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &correspondent), 1);
    assert_int_equal(
        store_outbound_set_recipient(db, handed_on, correspondent, STORE_RECIPIENT_DELIVERED, "relay", "250 ok"), 1);
    assert_int_equal(
        store_outbound_set_recipient(db, refused, correspondent, STORE_RECIPIENT_FAILED, "relay", "550 no"), 1);
    assert_true(note(db, handed_on, CONVERT_REPORT_FAILED));
    assert_recipient(db, handed_on, STORE_RECIPIENT_DELIVERED);
    assert_false(note(db, refused, CONVERT_REPORT_FAILED));      /* its author knows already */
    assert_false(note(db, handed_on, CONVERT_REPORT_DELIVERED)); /* was not asked for */
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

/* Each of several recipients was told the return address of all: another one might be lying, and must not keep the mail from who still
 * waits for it. */
static void a_report_about_one_of_several_ends_no_attempts(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_message(db);
    assert_true(note_at(db, id, 0, "bob@example.com", CONVERT_REPORT_FAILED));
    assert_recipient(db, id, STORE_RECIPIENT_WAITING);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* A message to many may come back from each of them, late at first and then for good. */
static void of_many_recipients_more_is_told(void **state)
{
    enum { PEOPLE = 60, EACH = 4 };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_message(db), correspondent;
    char address[64];
    for (int i = 1; i < PEOPLE; i++) {
        snprintf(address, sizeof address, "p%d@example.com", i);
        assert_int_equal(store_correspondent_ensure(db, address, NOW, &correspondent), 1);
        assert_int_equal(store_outbound_add_recipient(db, id, correspondent, 0), 1);
    }
    for (int i = 1; i < PEOPLE; i++) {
        snprintf(address, sizeof address, "p%d@example.com", i);
        assert_true(note_at(db, id, 0, address, CONVERT_REPORT_DELAYED));
        assert_true(note_at(db, id, 0, address, CONVERT_REPORT_FAILED));
    }
    for (int i = 2 * (PEOPLE - 1); i < PEOPLE * EACH; i++)
        (void)note_at(db, id, 0, address, CONVERT_REPORT_FAILED);
    assert_false(note_at(db, id, 0, "bob@example.com", CONVERT_REPORT_FAILED)); /* it has an end */
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { WITH_STORE(who_has_failed_is_not_tried_again),
                                        WITH_STORE(outcomes_of_the_relay_stay),
                                        WITH_STORE(a_report_about_one_of_several_ends_no_attempts),
                                        WITH_STORE(of_many_recipients_more_is_told) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
