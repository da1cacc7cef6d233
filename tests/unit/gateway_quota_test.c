/* Tests of quota, inbound_quota and outbound_quota: who is over an allowance, what that costs, and whom it does not concern. */
#include "tests/unit/mapping_store_fixture.h"

#include "base/spool.h"
#include "base/strbuf.h"
#include "gateway/inbound_internal.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"

static const int64_t start = INT64_C(1790000000) * 1000, hour = 3600 * 1000, day = 24 * 3600 * 1000;

static void set_rate(struct quota_rates *rates, enum quota quota, const char *text)
{
    struct bucket_rate *rate = &rates->of[quota];
    int result = quota_is_size(quota) ? bucket_parse_size_rate(text, rate) : bucket_parse_rate(text, rate);
    assert_int_equal(result, 1);
}

/* --- mail that comes in --- */

enum { RECIPIENTS_MAX = 8 };

static int take_in(struct store_db *db, void *arg)
{
    struct mail *mail = arg;
    size_t fresh = 0;
    inbound_restore_quotas(mail);
    for (size_t i = 0; i < mail->count; i++)
        fresh += mail->recipients[i].verdict.decision == POLICY_ACCEPT && !mail->recipients[i].repeated;
    return inbound_take_quotas(db, mail, &fresh);
}

struct outcome {
    int result;
    bool is_over;
};

static void taken(int result, void *arg)
{
    ((struct outcome *)arg)->result = result;
    ((struct outcome *)arg)->is_over = true;
}

struct taken_mail {
    struct mail mail;
    struct outcome outcome;
};

static int run_taken(struct store_db *db, void *arg)
{
    return take_in(db, &((struct taken_mail *)arg)->mail);
}

static void done_taken(int result, void *arg)
{
    taken(result, &((struct taken_mail *)arg)->outcome);
}

/* From somebody, for members with these ids (0 ends them), at a time after the start. Returns the operation's result, and of each
 * recipient the code (0: accepted). */
struct incoming {
    const char *from;
    int64_t after, size;
    int64_t members[RECIPIENTS_MAX];
    bool lmtp;
    int64_t repeated; /* for the first of them */
};

static int come_in(struct store_fixture *fixture, const struct quota_rates *rates, const struct incoming *incoming,
                   int codes_out[static RECIPIENTS_MAX])
{
    struct mail_recipient recipients[RECIPIENTS_MAX] = { 0 };
    struct taken_mail all = { 0 };
    struct mail *mail = &all.mail;
    mail->recipients = recipients;
    mail->rates = *rates;
    mail->now = start + incoming->after;
    mail->size = incoming->size;
    mail->lmtp = incoming->lmtp;
    snprintf(mail->from, sizeof mail->from, "%s", incoming->from);
    for (; incoming->members[mail->count]; mail->count++)
        recipients[mail->count].target.member_id = incoming->members[mail->count];
    recipients[0].repeated = incoming->repeated;
    store_submit_repeatable(fixture->store, run_taken, done_taken, &all);
    store_fixture_wait(fixture, &all.outcome.is_over);
    for (size_t i = 0; i < mail->count; i++) {
        bool is_over = recipients[i].verdict.decision != POLICY_ACCEPT;
        codes_out[i] = is_over ? recipients[i].verdict.reply.code : 0;
        assert_int_equal(is_over, recipients[i].is_over_quota);
        if (is_over)
            assert_string_equal(recipients[i].verdict.reply.enhanced, "4.2.1");
        free(recipients[i].admitted);
    }
    return all.outcome.result;
}

static int come(struct store_fixture *fixture, const struct quota_rates *rates, const char *from, int64_t after)
{
    struct incoming incoming = { .from = from, .after = after, .size = 2000, .members = { 1 } };
    int codes[RECIPIENTS_MAX];
    int result = come_in(fixture, rates, &incoming, codes);
    assert_int_equal(codes[0], result == 1 ? 0 : 452);
    return result;
}

static void test_a_flood_by_one_leaves_room_for_others(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    set_rate(&rates, QUOTA_IN_AUTHOR, "5/h");
    set_rate(&rates, QUOTA_IN_DOMAIN, "8/h");
    set_rate(&rates, QUOTA_IN_ALL, "10/h");
    unsigned in = 0;
    for (int i = 0; i < 100; i++)
        in += come(fixture, &rates, "eve@flood.example", i) == 1;
    assert_int_equal(in, 5);
    for (int i = 0; i < 100; i++) /* of the same domain */
        in += come(fixture, &rates, "mallory@flood.example", 100 + i) == 1;
    assert_int_equal(in, 8);
    assert_int_equal(come(fixture, &rates, "bob@example.com", 300), 1);
    assert_int_equal(come(fixture, &rates, "bob@example.com", 400), 1);
    assert_int_equal(come(fixture, &rates, "bob@example.com", 500), 0); /* all together */
    assert_int_equal(come(fixture, &rates, "eve@flood.example", hour / 2), 1);
}

/* Over days, with a restart after each: what was spent stays spent, and not a moment longer. */
static void test_days_and_restarts(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    set_rate(&rates, QUOTA_IN_AUTHOR, "24/d, 2 at once");
    unsigned in = 0;
    for (int64_t after = 0; after < 3 * day; after += hour / 2) {
        in += come(fixture, &rates, "bob@example.com", after) == 1;
        if (after % (6 * hour) == 0) {
            store_close(&fixture->store);
            store_fixture_open(fixture);
        }
    }
    assert_int_equal(in, 72 + 1);
}

static void test_repetitions_and_refusals_cost_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    int codes[RECIPIENTS_MAX];
    set_rate(&rates, QUOTA_IN_AUTHOR, "2/h");
    set_rate(&rates, QUOTA_IN_MEMBER, "1/h");
    struct incoming to_one = { .from = "bob@example.com", .members = { 1 } };
    struct incoming to_both = { .from = "bob@example.com", .members = { 1, 2 } };
    assert_int_equal(come_in(fixture, &rates, &to_one, codes), 1);
    for (int i = 0; i < 5; i++) { /* SMTP: the first recipient's is spent, so nobody gets it */
        assert_int_equal(come_in(fixture, &rates, &to_both, codes), 0);
        assert_int_equal(codes[0], 452);
        assert_int_equal(codes[1], 0);
    }
    to_both.repeated = 17;
    assert_int_equal(come_in(fixture, &rates, &to_both, codes), 1);
    assert_int_equal(codes[1], 0);
    to_one.members[0] = 3;
    assert_int_equal(come_in(fixture, &rates, &to_one, codes), 0); /* both of the author's are spent now */
}

static void test_lmtp_has_a_reply_for_each(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    int codes[RECIPIENTS_MAX];
    set_rate(&rates, QUOTA_IN_AUTHOR, "3/h");
    set_rate(&rates, QUOTA_IN_MEMBER, "1/h");
    struct incoming incoming = { .from = "bob@example.com", .members = { 1 }, .lmtp = true };
    assert_int_equal(come_in(fixture, &rates, &incoming, codes), 1);
    incoming.members[1] = 2;
    assert_int_equal(come_in(fixture, &rates, &incoming, codes), 1);
    assert_int_equal(codes[0], 452);
    assert_int_equal(codes[1], 0);
    for (int i = 0; i < 5; i++) { /* for nobody: costs nothing */
        assert_int_equal(come_in(fixture, &rates, &incoming, codes), 1);
        assert_int_equal(codes[0], 452);
        assert_int_equal(codes[1], 452);
    }
    incoming.members[0] = 3;
    incoming.members[1] = 0;
    assert_int_equal(come_in(fixture, &rates, &incoming, codes), 1);
    assert_int_equal(codes[0], 0);
}

static void test_who_is_named_twice_gets_it_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    int codes[RECIPIENTS_MAX];
    set_rate(&rates, QUOTA_IN_MEMBER, "2/h");
    struct incoming incoming = { .from = "bob@example.com", .members = { 1, 1, 1 }, .lmtp = true };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(come_in(fixture, &rates, &incoming, codes), 1);
        for (int k = 0; k < 3; k++)
            assert_int_equal(codes[k], i < 2 ? 0 : 452);
    }
}

static void test_sizes_add_up(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    int codes[RECIPIENTS_MAX];
    set_rate(&rates, QUOTA_IN_AUTHOR_SIZE, "10M/d");
    set_rate(&rates, QUOTA_IN_DOMAIN_SIZE, "13M/d");
    struct incoming large = { .from = "bob@example.com", .members = { 1 }, .size = 4 << 20 };
    struct incoming small = { .from = "bob@example.com", .members = { 1 }, .size = 1000 };
    assert_int_equal(come_in(fixture, &rates, &large, codes), 1);
    assert_int_equal(come_in(fixture, &rates, &large, codes), 1);
    assert_int_equal(come_in(fixture, &rates, &large, codes), 0);
    assert_int_equal(come_in(fixture, &rates, &small, codes), 1);
    large.from = "carol@example.com";
    assert_int_equal(come_in(fixture, &rates, &large, codes), 1);
    large.from = "dave@example.com"; /* of the same domain */
    assert_int_equal(come_in(fixture, &rates, &large, codes), 0);
    large.from = "dave@example.net";
    assert_int_equal(come_in(fixture, &rates, &large, codes), 1);
    large.from = "bob@example.com";
    large.after = day / 4;
    assert_int_equal(come_in(fixture, &rates, &large, codes), 1);
}

/* A stranger learns nothing of what others send. */
static void test_the_words_for_strangers(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    static const enum quota others[] = { QUOTA_IN_DOMAIN, QUOTA_IN_MEMBER, QUOTA_IN_ALL };
    struct store_db *db = store_fixture_borrow(fixture);
    char first[sizeof((struct smtp_reply *)0)->text];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct mail_recipient recipient = { .target = { .member_id = 1 } };
        struct mail mail = { .recipients = &recipient, .count = 1, .now = start, .rates = rates };
        size_t fresh = 1;
        set_rate(&mail.rates, others[i], "1/h");
        snprintf(mail.from, sizeof mail.from, "%s", "bob@example.com");
        assert_int_equal(inbound_take_quotas(db, &mail, &fresh), 1);
        assert_int_equal(inbound_take_quotas(db, &mail, &fresh), 0);
        if (i == 0)
            snprintf(first, sizeof first, "%s", recipient.verdict.reply.text);
        assert_string_equal(recipient.verdict.reply.text, first);
        assert_non_null(strstr(recipient.verdict.reason, quota_name(others[i])));
        free(recipient.admitted);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* --- what members write --- */

struct outside {
    struct store_db *db;
    int64_t member, bob, carol;
    int64_t size; /* of messages; 0: a few octets */
};

static void add_people(struct outside *outside)
{
    const char *reason;
    assert_int_equal(store_member_add(outside->db, "Alice Member", NULL, start, &outside->member, &reason), 1);
    assert_int_equal(store_member_learn_uid(outside->db, "Alice Member", "uida"), 1);
    assert_int_equal(store_correspondent_ensure(outside->db, "bob@example.com", start, &outside->bob), 1);
    assert_int_equal(store_correspondent_ensure(outside->db, "carol@example.net", start, &outside->carol), 1);
}

struct written {
    int64_t wait_ms; /* -1: refused */
    bool is_told;
};

/* One message, for one or two correspondents. */
static struct written write_message(const struct outside *outside, const struct quota_rates *rates, const char *uid,
                                    int64_t after, int64_t first, int64_t second)
{
    struct recipient recipients[2] = { { .correspondent_id = first }, { .correspondent_id = second } };
    struct spool *content = spool_new("/tmp", SPOOL_MEMORY_DEFAULT);
    struct arrival arrival = { .now = start + after, .rates = *rates, .content = content };
    char alias[] = "Alice Member", msgid[] = "m1";
    struct strbuf out;
    struct notice_list refused = { .text = &out };
    struct taking taking = { .db = outside->db,
                             .arrival = &arrival,
                             .author = { .member_id = outside->member, .uid = uid, .alias = alias },
                             .recipients = recipients,
                             .count = second ? 2 : 1 };
    struct store_outbound_new row = { .kind = STORE_OUTBOUND_MESSAGE,
                                      .tmtp_msgid = "m1",
                                      .member_id = outside->member,
                                      .author_uid = uid,
                                      .author_alias = alias,
                                      .message_id = "1@gw.example.org",
                                      .now = arrival.now };
    struct store_outbound stored;
    char *octets = calloc(1, (size_t)outside->size + 1);
    assert_int_equal(spool_add(content, octets, (size_t)(outside->size ? outside->size : 1)), 1);
    free(octets);
    arrival.msgid = msgid;
    arrival.message.threadid = msgid;
    strbuf_init(&out, 60 * 1024);
    assert_int_equal(outbound_keep_within_quotas(&taking, &refused), 1);
    spool_free(&content);
    strbuf_free(&out);
    if (taking.count == 0)
        return (struct written){ .wait_ms = -1 };
    assert_int_equal(taking.count, second ? 2 : 1);
    assert_int_equal(store_outbound_add(outside->db, &row, &arrival.id), 1);
    assert_int_equal(outbound_put_off(&taking), 1);
    assert_int_equal(store_outbound_find(outside->db, arrival.id, &stored), 1);
    assert_int_equal(stored.next_attempt_at, arrival.now + taking.wait_ms);
    store_outbound_free(&stored);
    return (struct written){ .wait_ms = taking.wait_ms, .is_told = arrival.noticed };
}

static void test_what_is_over_waits_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    struct outside outside = { .db = store_fixture_borrow(fixture) };
    add_people(&outside);
    set_rate(&rates, QUOTA_OUT_AUTHOR, "4/h");
    unsigned told = 0;
    for (int i = 0; i < 10; i++) {
        struct written written = write_message(&outside, &rates, "uida", i, outside.bob, 0);
        int64_t due = i < 4 ? i : (i - 3) * hour / 4;
        assert_int_equal(i + written.wait_ms, due);
        told += written.is_told;
        assert_int_equal(written.is_told, i == 4);
    }
    assert_int_equal(told, 1);
    /* Somebody else does not wait, and the next day the same again. */
    assert_int_equal(write_message(&outside, &rates, "uidc", 20, outside.bob, 0).wait_ms, 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(write_message(&outside, &rates, "uida", day + i, outside.bob, 0).is_told, i == 4);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* However many it is for: it is kept once. */
static void test_sizes_of_messages(void **state)
{
    enum { MIB = 1 << 20 };
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    struct outside outside = { .db = store_fixture_borrow(fixture), .size = MIB };
    add_people(&outside);
    set_rate(&rates, QUOTA_OUT_AUTHOR_SIZE, "4M/h");
    for (int i = 0; i < 4; i++)
        assert_int_equal(write_message(&outside, &rates, "uida", 0, outside.bob, outside.carol).wait_ms, 0);
    assert_int_equal(write_message(&outside, &rates, "uida", 0, outside.bob, 0).wait_ms / 1000, hour / 4 / 1000);
    assert_int_equal(write_message(&outside, &rates, "uidc", 0, outside.bob, 0).wait_ms, 0);
    outside.size = 1;
    assert_int_equal(write_message(&outside, &rates, "uida", hour, outside.bob, 0).wait_ms, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Forwarded threads are kept before anybody says for whom. */
static void test_room_for_what_has_no_recipients_yet(void **state)
{
    struct store_fixture *fixture = *state;
    struct arrival arrival = { .now = start, .content = spool_new("/tmp", SPOOL_MEMORY_DEFAULT) };
    struct taking taking = { .db = store_fixture_borrow(fixture), .arrival = &arrival, .author.uid = "uida" };
    static const char octets[64 * 1024];
    int taken = 0;
    set_rate(&arrival.rates, QUOTA_OUT_AUTHOR_SIZE, "128K/h");
    assert_int_equal(spool_add(arrival.content, octets, sizeof octets), 1);
    for (int i = 0; i < 100; i++)
        taken += outbound_take_room(&taking);
    assert_int_equal(taken, 2 + 24 * 2);
    taking.author.uid = "uidc";
    assert_int_equal(outbound_take_room(&taking), 1);
    spool_free(&arrival.content);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_each_recipient_counts(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    struct outside outside = { .db = store_fixture_borrow(fixture) };
    add_people(&outside);
    set_rate(&rates, QUOTA_OUT_AUTHOR, "4/h");
    set_rate(&rates, QUOTA_OUT_CORRESPONDENT, "3/h");
    assert_int_equal(write_message(&outside, &rates, "uida", 0, outside.bob, outside.carol).wait_ms, 0);
    assert_int_equal(write_message(&outside, &rates, "uida", 0, outside.bob, outside.carol).wait_ms, 0);
    assert_int_equal(write_message(&outside, &rates, "uida", 0, outside.bob, outside.carol).wait_ms, hour / 2);
    assert_int_equal(write_message(&outside, &rates, "uidc", 0, outside.bob, 0).wait_ms, hour / 3);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Nobody fills the queue, and what is refused takes nothing. */
static void test_nothing_waits_for_more_than_a_day(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    struct outside outside = { .db = store_fixture_borrow(fixture) };
    add_people(&outside);
    set_rate(&rates, QUOTA_OUT_AUTHOR, "2/h");
    set_rate(&rates, QUOTA_OUT_ALL, "100/h");
    int64_t accepted = 0;
    for (int i = 0; i < 200; i++)
        accepted += write_message(&outside, &rates, "uida", 0, outside.bob, 0).wait_ms >= 0;
    assert_int_equal(accepted, 2 + 48);
    for (int i = 0; i < 50; i++)
        assert_int_equal(write_message(&outside, &rates, "uidc", 0, outside.carol, 0).wait_ms > hour * 24, 0);
    assert_int_equal(write_message(&outside, &rates, "uidd", 0, outside.carol, 0).wait_ms, hour / 100);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* --- what is kept of it --- */

static void test_whole_allowances_are_forgotten(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    int64_t count;
    set_rate(&rates, QUOTA_IN_AUTHOR, "5/h");
    set_rate(&rates, QUOTA_IN_AUTHOR_SIZE, "1M/d");
    assert_int_equal(come(fixture, &rates, "bob@example.com", 0), 1);
    assert_int_equal(come(fixture, &rates, "carol@example.com", hour), 1);
    static const struct {
        int64_t after, rows;
    } cases[] = { { hour, 2 }, { hour + 4 * 60 * 1000, 1 }, { 2 * hour, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_db *db = store_fixture_borrow(fixture);
        assert_int_equal(quota_tidy(db, &rates, start + cases[i].after), 1);
        assert_int_equal(store_fixture_return(fixture, 1), 1);
        assert_int_equal(store_fetch_int(store_reader(fixture->store), "SELECT count(*) FROM bucket", NULL, &count), 1);
        assert_int_equal(count, cases[i].rows);
    }
}

/* The clock was a year ahead when it was spent: an hour later all is well. */
static void test_a_clock_that_was_wrong(void **state)
{
    struct store_fixture *fixture = *state;
    struct quota_rates rates = { 0 };
    set_rate(&rates, QUOTA_IN_AUTHOR, "2/h");
    for (int i = 0; i < 2; i++)
        assert_int_equal(come(fixture, &rates, "bob@example.com", 365 * day), 1);
    assert_int_equal(come(fixture, &rates, "bob@example.com", 0), 0);
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(quota_tidy(db, &rates, start), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(come(fixture, &rates, "bob@example.com", 0), 0);
    assert_int_equal(come(fixture, &rates, "bob@example.com", hour / 2), 1);
    assert_int_equal(come(fixture, &rates, "bob@example.com", hour), 1);
    assert_int_equal(come(fixture, &rates, "bob@example.com", hour), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)
        STORE_TEST(test_a_flood_by_one_leaves_room_for_others),
        STORE_TEST(test_days_and_restarts),
        STORE_TEST(test_repetitions_and_refusals_cost_nothing),
        STORE_TEST(test_lmtp_has_a_reply_for_each),
        STORE_TEST(test_who_is_named_twice_gets_it_once),
        STORE_TEST(test_sizes_add_up),
        STORE_TEST(test_the_words_for_strangers),
        STORE_TEST(test_what_is_over_waits_in_order),
        STORE_TEST(test_sizes_of_messages),
        STORE_TEST(test_room_for_what_has_no_recipients_yet),
        STORE_TEST(test_each_recipient_counts),
        STORE_TEST(test_nothing_waits_for_more_than_a_day),
        STORE_TEST(test_whole_allowances_are_forgotten),
        STORE_TEST(test_a_clock_that_was_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
