/* gateway_route_test.c - which thread a mail goes to, and what settling a post leaves behind */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/poster_settle.h"
#include "gateway/report.h"
#include "gateway/route.h"
#include "gateway/signed_id.h"
#include "mapping/store_content.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

static const int64_t now = 1795419506950;

/* Bob outside; Alice and Carol inside; mails from him. */
struct people {
    struct store_db *db;
    int64_t bob, alice, carol;
};

static struct people meet(struct store_fixture *fixture)
{
    struct people people = { .db = store_fixture_borrow(fixture) };
    const char *reason;
    assert_int_equal(store_correspondent_ensure(people.db, "bob@example.com", now, &people.bob), 1);
    assert_int_equal(store_member_add(people.db, "Alice Member", NULL, now, &people.alice, &reason), 1);
    assert_int_equal(store_member_add(people.db, "Carol Member", NULL, now, &people.carol, &reason), 1);
    assert_int_equal(store_member_learn_uid(people.db, "Alice Member", "UID-ALICE"), 1);
    assert_int_equal(store_member_learn_uid(people.db, "Carol Member", "UID-CAROL"), 1);
    return people;
}

/* A mail of Bob's to one or two members, as it was accepted. */
static struct store_inbound accept_mail(const struct people *people, const char *message_id, const char *references,
                                        int64_t first, int64_t second)
{
    struct store_inbound row;
    int64_t id;
    struct store_inbound_new mail = { .kind = STORE_INBOUND_MAIL,
                                      .sender = "bob@example.com",
                                      .from_address = "bob@example.com",
                                      .correspondent_id = people->bob,
                                      .message_id = message_id,
                                      .references = references,
                                      .now = now };
    assert_int_equal(store_inbound_add(people->db, &mail, &id), 1);
    assert_int_equal(store_inbound_add_recipient(
                         people->db, id, &(struct store_inbound_recipient_new){ .target = { .member_id = first } }),
                     1);
    if (second)
        assert_int_equal(
            store_inbound_add_recipient(people->db, id,
                                        &(struct store_inbound_recipient_new){ .target = { .member_id = second } }),
            1);
    assert_int_equal(store_inbound_find(people->db, id, &row), 1);
    return row;
}

static int64_t route(const struct people *people, const struct store_inbound *row)
{
    int64_t thread_id;
    assert_int_equal(route_inbound(people->db, row, "Offer", "bob@example.com", "UID-GATEWAY", now, &thread_id),
                     ROUTE_DONE);
    return thread_id;
}

static void never_called(void *ctx)
{
    (void)ctx;
    fail_msg("nobody asked for a report");
}

/* Frees the fate. */
static void settle_fate(const struct people *people, struct poster_fate *fate)
{
    static char domain[] = "silo.example.org", hostname[] = "gw.example.org";
    static const uint8_t secret[32] = "a secret of thirty-two octets...";
    const struct config config = { .domain = domain, .hostname = hostname };
    struct signed_id *ids = signed_id_new(secret, domain, hostname);
    struct reporter *reporter = reporter_new(&config, ids, never_called, NULL);
    struct poster_settled settled;
    assert_int_equal(poster_settle(people->db, reporter, fate, &settled), 1);
    assert_false(settled.reported);
    reporter_free(&reporter);
    signed_id_free(&ids);
    poster_fate_free(fate);
}

static void settle(const struct people *people, int64_t id, const char *msgid)
{
    struct poster_fate fate;
    poster_fate_set(&fate, id, now, msgid, "2026-11-23T07:38:26.959Z", now);
    settle_fate(people, &fate);
}

static enum store_queue_state state_of(const struct people *people, int64_t id)
{
    struct store_inbound row;
    assert_int_equal(store_inbound_find(people->db, id, &row), 1);
    enum store_queue_state state = row.state;
    store_inbound_free(&row);
    return state;
}

static void test_replies_stay_in_their_thread(void **state)
{
    struct people people = meet(*state);
    struct store_inbound first = accept_mail(&people, "one@example.com", "", people.alice, people.carol);
    int64_t thread_id = route(&people, &first), other;
    settle(&people, first.id, "aaaa000000000001");

    struct store_inbound to_both =
        accept_mail(&people, "two@example.com", "unknown@x\none@example.com", people.alice, people.carol);
    assert_int_equal(route(&people, &to_both), thread_id);
    struct store_inbound to_one = accept_mail(&people, "three@example.com", "one@example.com", people.carol, 0);
    assert_int_equal(route(&people, &to_one), thread_id); /* all its recipients are in it */
    struct store_inbound fresh = accept_mail(&people, "four@example.com", "", people.alice, people.carol);
    other = route(&people, &fresh);
    assert_int_not_equal(other, thread_id);

    struct store_thread thread;
    assert_int_equal(store_thread_find(people.db, thread_id, &thread), 1);
    assert_string_equal(thread.threadid, "aaaa000000000001");
    store_thread_free(&thread);
    store_inbound_free(&first);
    store_inbound_free(&to_both);
    store_inbound_free(&to_one);
    store_inbound_free(&fresh);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* Mail to a group, and its answer: the group is in the thread, a member whose row has the same number is not. */
static void test_group_is_a_party_of_its_thread(void **state)
{
    struct people people = meet(*state);
    struct store_group invitation = { .gid = (char *)(uintptr_t) "Sales Team",
                                      .own_alias = (char *)(uintptr_t) "Email Gateway",
                                      .inviter_alias = (char *)(uintptr_t) "Alice Member",
                                      .inviter_uid = (char *)(uintptr_t) "UID-ALICE" };
    int64_t group, threads[3];
    enum store_group_state was;
    assert_int_equal(store_group_invite(people.db, &invitation, true, now, &group), 1);
    assert_int_equal(store_group_set_state(people.db, group, STORE_GROUP_JOINED, now, &was), 1);
    assert_int_equal(group, people.alice); /* that is the point */
    static const char *const references[] = { "", "0@example.com", "0@example.com" };
    for (int i = 0; i < 3; i++) {
        char message_id[40], msgid[40];
        struct store_inbound row;
        int64_t id;
        snprintf(message_id, sizeof message_id, "%d@example.com", i);
        snprintf(msgid, sizeof msgid, "cccc00000000000%d", i);
        struct store_inbound_new mail = { .kind = STORE_INBOUND_MAIL,
                                          .sender = "bob@example.com",
                                          .from_address = "bob@example.com",
                                          .correspondent_id = people.bob,
                                          .message_id = message_id,
                                          .references = references[i],
                                          .now = now };
        struct store_target to =
            i < 2 ? (struct store_target){ .group_id = group } : (struct store_target){ .member_id = people.alice };
        assert_int_equal(store_inbound_add(people.db, &mail, &id), 1);
        assert_int_equal(
            store_inbound_add_recipient(people.db, id, &(struct store_inbound_recipient_new){ .target = to }), 1);
        assert_int_equal(store_inbound_find(people.db, id, &row), 1);
        threads[i] = route(&people, &row);
        settle(&people, id, msgid);
        store_inbound_free(&row);
    }
    assert_int_equal(threads[1], threads[0]);
    assert_int_not_equal(threads[2], threads[0]);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* One member under two aliases is not two members. */
static void test_two_aliases_are_one_member(void **state)
{
    struct people people = meet(*state);
    int64_t thread_id;
    assert_int_equal(store_thread_add(people.db, "bbbb000000000001", "Hello", now, &thread_id), 1);
    char *aliases[] = { (char *)(uintptr_t) "Alice Member", (char *)(uintptr_t) "Alice at home" },
         *uid = (char *)(uintptr_t) "UID-ALICE";
    struct store_party bob = { .correspondent_id = people.bob,
                               .alias = (char *)(uintptr_t) "bob@example.com",
                               .uid = (char *)(uintptr_t) "UID-GATEWAY" };
    assert_int_equal(store_thread_add_party(people.db, thread_id, &bob), 1);
    for (size_t i = 0; i < 2; i++) {
        struct store_party alice = { .member_id = people.alice, .alias = aliases[i], .uid = uid };
        assert_int_equal(store_thread_add_party(people.db, thread_id, &alice), 1);
    }
    struct store_message_new message = { .thread_id = thread_id, .message_id = "tmtp-1@gw", .now = now };
    assert_int_equal(store_message_add(people.db, &message), 1);
    struct store_inbound reply = accept_mail(&people, "five@example.com", "tmtp-1@gw", people.alice, people.carol);
    assert_int_not_equal(route(&people, &reply), thread_id);
    store_inbound_free(&reply);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* Two mails of one conversation in quick succession: the second waits while the first may still be posted, and only then. */
static void test_waits_for_the_first_post_only(void **state)
{
    struct people people = meet(*state);
    struct store_inbound first = accept_mail(&people, "one@example.com", "", people.alice, 0);
    struct store_inbound second = accept_mail(&people, "two@example.com", "one@example.com", people.alice, 0);
    int64_t thread_id = route(&people, &first), found;
    assert_int_equal(route_find(people.db, &second, &found), ROUTE_WAIT);
    assert_int_equal(store_inbound_set_state(people.db, first.id, STORE_QUEUE_HELD, "given up"), 1);
    assert_int_equal(route_find(people.db, &second, &found), ROUTE_DONE);
    assert_int_equal(found, 0); /* a new one */
    assert_int_equal(store_inbound_set_state(people.db, first.id, STORE_QUEUE_ROUTED, ""), 1);
    settle(&people, first.id, "aaaa000000000001");
    assert_int_equal(route_find(people.db, &second, &found), ROUTE_DONE);
    assert_int_equal(found, thread_id);
    store_inbound_free(&first);
    store_inbound_free(&second);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* The mail that it answers is still being converted: a large one, followed by a small reply. */
static void test_waits_for_a_mail_that_is_not_routed(void **state)
{
    struct people people = meet(*state);
    struct store_inbound first = accept_mail(&people, "one@example.com", "", people.alice, 0);
    struct store_inbound second = accept_mail(&people, "two@example.com", "one@example.com", people.alice, 0);
    int64_t found;
    assert_int_equal(route_find(people.db, &second, &found), ROUTE_WAIT);
    int64_t thread_id = route(&people, &first);
    settle(&people, first.id, "aaaa000000000001");
    assert_int_equal(route(&people, &second), thread_id);
    struct store_inbound third = accept_mail(&people, "three@example.com", "four@example.com", people.alice, 0);
    struct store_inbound fourth = accept_mail(&people, "four@example.com", "three@example.com", people.alice, 0);
    assert_int_equal(route_find(people.db, &third, &found), ROUTE_DONE); /* never for a later one: no circles */
    assert_int_equal(route_find(people.db, &fourth, &found), ROUTE_WAIT);
    assert_int_equal(store_inbound_set_state(people.db, third.id, STORE_QUEUE_HELD, "by an administrator"), 1);
    assert_int_equal(route_find(people.db, &fourth, &found), ROUTE_DONE);
    store_inbound_free(&first);
    store_inbound_free(&second);
    store_inbound_free(&third);
    store_inbound_free(&fourth);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void count_posted(int64_t at, const char *event, const char *detail, void *ctx)
{
    unsigned *count = ctx;
    (void)at;
    (void)detail;
    *count += strcmp(event, "posted") == 0;
}

static void test_settling_again_changes_nothing(void **state)
{
    struct people people = meet(*state);
    struct store_inbound mail = accept_mail(&people, "one@example.com", "", people.alice, 0);
    unsigned posted = 0;
    route(&people, &mail);
    settle(&people, mail.id, "aaaa000000000001");
    settle(&people, mail.id, "aaaa000000000001"); /* the echo after its ack */
    settle(&people, mail.id + 1000, "aaaa000000000002");
    assert_int_equal(store_trace_list(people.db, STORE_QUEUE_IN, mail.id, count_posted, &posted), 1);
    assert_int_equal(posted, 1);
    assert_int_equal(state_of(&people, mail.id), STORE_QUEUE_SETTLED);
    store_inbound_free(&mail);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* A restored backup gives ids again: the echo of the old "in1" must not settle the new one. */
static void test_echo_of_another_life_settles_nothing(void **state)
{
    struct people people = meet(*state);
    struct store_inbound mail = accept_mail(&people, "one@example.com", "", people.alice, 0);
    struct poster_fate fate;
    poster_fate_set(&fate, mail.id, now - 1, "aaaa000000000001", NULL, now);
    settle_fate(&people, &fate);
    assert_int_equal(state_of(&people, mail.id), STORE_QUEUE_WAITING);
    store_inbound_free(&mail);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* Dropped while it was being posted: it has arrived all the same, and answers to it must find their thread. */
static void test_dropped_but_posted(void **state)
{
    struct people people = meet(*state);
    struct store_inbound mail = accept_mail(&people, "one@example.com", "", people.alice, 0);
    struct store_thread thread;
    int64_t thread_id = route(&people, &mail);
    assert_int_equal(store_inbound_finish(people.db, mail.id, STORE_QUEUE_DROPPED), 1);
    settle(&people, mail.id, "aaaa000000000001");
    assert_int_equal(store_thread_find(people.db, thread_id, &thread), 1);
    assert_string_equal(thread.threadid, "aaaa000000000001");
    store_thread_free(&thread);
    store_inbound_free(&mail);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* An id that another thread has already (somebody guessed it) must not keep the mail from being settled, nor answers to it
 * from their thread. */
static void test_claimed_threadid_does_not_stop_the_mail(void **state)
{
    struct people people = meet(*state);
    struct store_inbound mail = accept_mail(&people, "one@example.com", "", people.alice, 0);
    int64_t claimed;
    assert_int_equal(store_thread_add(people.db, "aaaa000000000001", "Claimed", now, &claimed), 1);
    route(&people, &mail);
    settle(&people, mail.id, "aaaa000000000001");
    assert_int_equal(state_of(&people, mail.id), STORE_QUEUE_SETTLED);
    struct store_thread holder;
    assert_int_equal(store_thread_find_by_threadid(people.db, "aaaa000000000001", &holder), 1);
    assert_int_not_equal(holder.id, claimed);
    store_thread_free(&holder);
    store_inbound_free(&mail);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void test_keys(void **state)
{
    (void)state;
    char key[POSTER_KEY_SIZE];
    int64_t id, received_at;
    poster_key_format(17, now, key);
    assert_string_equal(key, "in17-1795419506950");
    assert_int_equal(poster_key_parse(key, &id, &received_at), 1);
    assert_int_equal(id, 17);
    assert_true(received_at == now);
    static const char *const bad[] = { "",     "in17",   "in17-",    "out17-5", "in17-5x",
                                       "in-5", "notice", "in17-5-6", "in17- 5", "in99999999999999999999-1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(poster_key_parse(bad[i], &id, &received_at), -1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_replies_stay_in_their_thread),
        WITH_STORE(test_group_is_a_party_of_its_thread),
        WITH_STORE(test_two_aliases_are_one_member),
        WITH_STORE(test_waits_for_the_first_post_only),
        WITH_STORE(test_waits_for_a_mail_that_is_not_routed),
        WITH_STORE(test_settling_again_changes_nothing),
        WITH_STORE(test_echo_of_another_life_settles_nothing),
        WITH_STORE(test_dropped_but_posted),
        WITH_STORE(test_claimed_threadid_does_not_stop_the_mail),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
