#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"

struct listed {
    char text[400];
};

static int64_t add_alice(struct store_db *db)
{
    int64_t id;
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, 1, &id, &reason), 1);
    return id;
}

/* --- seen --- */

static void what_was_seen_is_known_until_it_expires(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_seen_tmtp_known(db, "m1"), 0);
    assert_int_equal(store_seen_tmtp(db, "m1", 100), 1);
    assert_int_equal(store_seen_tmtp(db, "m1", 300), 0);
    assert_int_equal(store_seen_tmtp_known(db, "m1"), 1);
    assert_int_equal(store_seen_tmtp_known(db, "M1"), 0);
    assert_int_equal(store_seen_tmtp(db, "m2", 200), 1);
    assert_int_equal(store_seen_expire(db, 100, 10), 1); /* not older than that */
    assert_int_equal(store_seen_tmtp_known(db, "m1"), 1);
    assert_int_equal(store_seen_expire(db, 201, 1), 1); /* one */
    assert_int_equal(store_seen_tmtp_known(db, "m1"), 0);
    assert_int_equal(store_seen_tmtp_known(db, "m2"), 1);
    assert_int_equal(store_seen_expire(db, 201, 10), 1);
    assert_int_equal(store_seen_tmtp_known(db, "m2"), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void a_mail_that_comes_again_is_found_by_all_that_makes_it_the_same(void **state)
{
    static const uint8_t one[STORE_DIGEST_SIZE] = { 1 }, two[STORE_DIGEST_SIZE] = { 2 };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const struct store_target alice = { .member_id = add_alice(db) };
    struct store_inbound_new mail = {
        .kind = STORE_INBOUND_MAIL,
        .sender = "bob@example.com",
        .from_address = "",
        .message_id = "m1@example.com",
        .digest = one,
        .references = "",
        .now = 100,
    };
    int64_t id, found;
    assert_int_equal(store_inbound_add(db, &mail, &id), 1);
    const struct store_inbound_same same = {
        .message_id = "m1@example.com", .sender = "bob@example.com", .digest = one, .target = alice, .since = 100
    };
    assert_int_equal(store_inbound_find_same(db, &same, &found), 0); /* for nobody yet */
    assert_int_equal(store_inbound_add_recipient(db, id, &(struct store_inbound_recipient_new){ .target = alice }), 1);
    assert_int_equal(store_inbound_find_same(db, &same, &found), 1);
    assert_int_equal(found, id);
    struct store_inbound_same others[] = { same, same, same, same, same, same };
    others[0].message_id = "m2@example.com";
    others[1].sender = "";
    others[2].digest = two;
    others[3].target.member_id++;
    others[4].target = (struct store_target){ .group_id = alice.member_id };
    others[5].since = 101;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(store_inbound_find_same(db, &others[i], &found), 0);
    assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_SETTLED), 1); /* what became of it does not matter */
    assert_int_equal(store_inbound_find_same(db, &same, &found), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* --- trace --- */

static void list_trace(int64_t at, const char *event, const char *detail, void *ctx)
{
    char text[100];
    snprintf(text, sizeof text, "%lld:%s:%.20s:%zu", (long long)at, event, detail, strlen(detail));
    struct listed *listed = ctx;
    size_t len = strlen(listed->text);
    snprintf(listed->text + len, sizeof listed->text - len, "%s%s", len ? " " : "", text);
}

static void trace_tells_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct listed in = { "" }, out = { "" }, none = { "" }, cut = { "" };
    char exact[2001], too_long[2101];
    memset(exact, 'x', sizeof exact - 1);
    exact[2000] = '\0';
    memset(too_long, 'y', sizeof too_long - 1);
    too_long[2100] = '\0';
    memcpy(too_long + 1999, "\xe2\x98\x83", 3); /* a character across the limit: it goes as a whole */
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 1, 20, "received", "%d octets", 7), 1);
    assert_int_equal(store_trace_add(db, STORE_QUEUE_OUT, 1, 30, "sent", "100%% 'sure'"), 1);
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 1, 10, "posted", "%s", ""), 1);
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 2, 1, "exact", "%s", exact), 1);
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 2, 2, "cut", "%s", too_long), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    db = store_reader(fixture->store);
    assert_int_equal(store_trace_list(db, STORE_QUEUE_IN, 1, list_trace, &in), 1);
    assert_string_equal(in.text, "20:received:7 octets:8 10:posted::0");
    assert_int_equal(store_trace_list(db, STORE_QUEUE_OUT, 1, list_trace, &out), 1);
    assert_string_equal(out.text, "30:sent:100% 'sure':11");
    assert_int_equal(store_trace_list(db, STORE_QUEUE_OUT, 2, list_trace, &none), 1);
    assert_string_equal(none.text, "");
    assert_int_equal(store_trace_list(db, STORE_QUEUE_IN, 2, list_trace, &cut), 1);
    assert_string_equal(cut.text, "1:exact:xxxxxxxxxxxxxxxxxxxx:2000 2:cut:yyyyyyyyyyyyyyyyyyyy:1999");
}

/* Both queues have an entry of each number. */
static void traces_of_neighbours_are_apart(void **state)
{
    static const int64_t ids[] = { 1, 2, 3, INT64_C(1) << 40 };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (int round = 1; round <= 3; round++)
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, ids[i], round, "in", "%zu", i), 1);
            assert_int_equal(store_trace_add(db, STORE_QUEUE_OUT, ids[i], round, "out", "%zu", i), 1);
        }
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct listed in = { "" }, out = { "" };
        char expected[100];
        assert_int_equal(store_trace_list(db, STORE_QUEUE_IN, ids[i], list_trace, &in), 1);
        snprintf(expected, sizeof expected, "1:in:%zu:1 2:in:%zu:1 3:in:%zu:1", i, i, i);
        assert_string_equal(in.text, expected);
        assert_int_equal(store_trace_list(db, STORE_QUEUE_OUT, ids[i], list_trace, &out), 1);
        snprintf(expected, sizeof expected, "1:out:%zu:1 2:out:%zu:1 3:out:%zu:1", i, i, i);
        assert_string_equal(out.text, expected);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* For people with a shell on the database. */
static void a_trace_says_of_which_entry_it_is(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t count;
    assert_int_equal(store_trace_add(db, STORE_QUEUE_OUT, 7, 1, "sent", "x"), 1);
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 7, 1, "received", "x"), 1);
    assert_int_equal(
        store_fetch_int(db, "SELECT count(*) FROM trace WHERE queue = 'out' AND queue_id = 7", NULL, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Its rows have a place of their own, which ends where that of its neighbour begins. */
static void a_full_trace_takes_no_more_and_harms_nobody(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct listed in = { "" }, out = { "" };
    const int64_t last = (INT64_C(5) << 21) + (1 << 20) - 1;
    assert_int_equal(store_trace_add(db, STORE_QUEUE_OUT, 5, 1, "sent", "x"), 1);
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 5, 1, "received", "x"), 1);
    assert_int_equal(store_execute(db, "INSERT INTO trace (id, at, event, detail) VALUES (?, 2, 'late', 'x')",
                                   STORE_VALUES(bind_int(last - 1))),
                     1);
    for (int64_t at = 3; at <= 5; at++)
        assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, 5, at, "held", "x"), 1);
    assert_int_equal(store_trace_list(db, STORE_QUEUE_IN, 5, list_trace, &in), 1);
    assert_string_equal(in.text, "1:received:x:1 2:late:x:1 3:held:x:1");
    assert_int_equal(store_trace_list(db, STORE_QUEUE_OUT, 5, list_trace, &out), 1);
    assert_string_equal(out.text, "1:sent:x:1");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_was_seen_is_known_until_it_expires),
        WITH_STORE(a_mail_that_comes_again_is_found_by_all_that_makes_it_the_same),
        WITH_STORE(trace_tells_in_order),
        WITH_STORE(traces_of_neighbours_are_apart),
        WITH_STORE(a_trace_says_of_which_entry_it_is),
        WITH_STORE(a_full_trace_takes_no_more_and_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
