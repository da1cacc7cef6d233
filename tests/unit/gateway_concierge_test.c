/* gateway_concierge_test.c - what members can say to the gateway, and who is answered */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/concierge.h"
#include "mapping/store_content.h"
#include "mapping/store_member.h"

enum { NOW = 1000, HOUR = 3600 * 1000 };
static const int64_t day = INT64_C(24) * HOUR;

static void words_are_found_however_they_are_typed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word; /* NULL: none */
    } cases[] = {
        { "reports on", "reports on" },
        { "Reports On", "reports on" },
        { "  REPORTS \t  ON  ", "reports on" },
        { "reports on.", "reports on" },
        { "Reports off .", "reports off" },
        { "help", "help" },
        { "Help...", "help" },
        { "help\n", "help" },
        { "", NULL },
        { ".", NULL },
        { "   ", NULL },
        { "reports", NULL },
        { "reportson", NULL },
        { "reports on please", NULL },
        { "help!", NULL },
        { "reports on reports on reports on reports on reports on reports on", NULL },
        { "Hello, is there anybody who knows what this is good for? I have been wondering for days.", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *word = concierge_find_word(cases[i].text);
        if (cases[i].word)
            assert_string_equal(word, cases[i].word);
        else
            assert_null(word);
    }
}

static int64_t add_member(struct store_db *db)
{
    const char *reason;
    int64_t id;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &id, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "UIDALICE"), 1);
    return id;
}

static int ask(struct store_db *db, const char *msgid, const char *text, int64_t now)
{
    struct concierge_ping ping = { .uid = "UIDALICE", .msgid = msgid, .text = text, .was_known = true, .now = now };
    const char *word;
    return concierge_answer(db, &ping, &word);
}

static bool wants_reports(struct store_db *db, int64_t id)
{
    struct store_member member;
    assert_int_equal(store_member_find(db, id, &member), 1);
    bool wants = member.wants_reports;
    store_member_free(&member);
    return wants;
}

/* The text of the notice with this id, which is to Alice. */
static void assert_notice(struct store_db *db, int64_t id, const char *part)
{
    struct store_inbound row;
    char text[4001];
    int fd;
    int64_t size;
    assert_int_equal(store_inbound_find(db, id, &row), 1);
    assert_int_equal(row.kind, STORE_INBOUND_NOTICE);
    assert_int_equal(row.recipient_count, 1);
    assert_string_equal(row.recipients[0].alias, "Alice Member");
    assert_int_equal(store_content_open(db, row.content_id, &fd, &size), 1);
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    assert_int_equal(len, size);
    text[len] = 0;
    assert_non_null(strstr(text, part));
    close(fd);
    store_inbound_free(&row);
}

static void members_turn_reports_on_and_off(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_member(db);
    assert_int_equal(ask(db, "m1", "Reports on.", NOW), 1);
    assert_true(wants_reports(db, id));
    assert_notice(db, 1, "Delivery reports are on.");
    assert_int_equal(ask(db, "m1", "Reports on.", NOW), 0); /* the silo brings it again: its ack was lost */
    assert_int_equal(ask(db, "m2", "reports off", NOW), 1);
    assert_false(wants_reports(db, id));
    assert_notice(db, 2, "Delivery reports are off.");
    assert_int_equal(ask(db, "m1", "Reports on.", NOW), 0);
    assert_false(wants_reports(db, id));
    assert_int_equal(ask(db, "m3", "HELP", NOW), 1);
    assert_notice(db, 3, "- `reports on`: ");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void unknown_words_are_answered_once_a_day(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t count;
    add_member(db);
    assert_int_equal(ask(db, "m1", "What now?", NOW), 0); /* the clock begins at 1970 here */
    assert_int_equal(ask(db, "m2", "What now?", NOW + day), 1);
    assert_notice(db, 1, "not understood");
    assert_int_equal(ask(db, "m3", "What now?", NOW + 2 * day - 1), 0);
    assert_int_equal(ask(db, "m4", "help", NOW + 2 * day - 1), 1); /* a word is always answered */
    assert_int_equal(ask(db, "m5", "What now?", NOW + 2 * day), 1);
    assert_int_equal(store_queue_count(db, STORE_QUEUE_IN, STORE_QUEUE_WAITING, &count), 1);
    assert_int_equal(count, 3);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void strangers_gateways_and_consent_are_not_answered(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const int64_t now = NOW + 10 * day;
    struct concierge_ping ping = { .uid = "UIDALICE", .msgid = "m1", .text = "reports on", .now = now };
    const char *word;
    assert_int_equal(concierge_answer(db, &ping, &word), 0); /* nobody's account */
    int64_t id = add_member(db);
    ping.text = "Hello";
    assert_int_equal(concierge_answer(db, &ping, &word), 0); /* what made the account known */
    ping.was_known = true;
    ping.text = CONCIERGE_GREETING;
    assert_int_equal(concierge_answer(db, &ping, &word), 0);
    ping.was_known = false;
    ping.text = "reports on"; /* consent and wish in one */
    assert_int_equal(concierge_answer(db, &ping, &word), 1);
    assert_string_equal(word, "reports on");
    assert_true(wants_reports(db, id));
    assert_int_equal(store_member_remove(db, id), 1);
    ping.msgid = "m2";
    assert_int_equal(concierge_answer(db, &ping, &word), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_however_they_are_typed),
        WITH_STORE(members_turn_reports_on_and_off),
        WITH_STORE(unknown_words_are_answered_once_a_day),
        WITH_STORE(strangers_gateways_and_consent_are_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
