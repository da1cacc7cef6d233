/* Tests of store_queue: what is kept for delivery reports, and reports in the outbound queue. */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"

enum { NOW = 100000 };

static int64_t add_content(struct store_db *db, const char *text)
{
    int64_t id = 0;
    FILE *file = tmpfile();
    fputs(text, file);
    fflush(file);
    assert_int_equal(store_content_add_fd(db, fileno(file), (int64_t)strlen(text), &id), 1);
    fclose(file);
    return id;
}

static struct store_inbound_new make_mail(void)
{
    return (struct store_inbound_new){
        .kind = STORE_INBOUND_MAIL, .sender = "bob@example.com", .from_address = "bob@example.com", .now = NOW
    };
}

static void options_are_kept_as_given(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    static const unsigned notify[] = {
        0,
        STORE_NOTIFY_NEVER,
        STORE_NOTIFY_SUCCESS,
        STORE_NOTIFY_FAILURE | STORE_NOTIFY_DELAY,
        STORE_NOTIFY_SUCCESS | STORE_NOTIFY_FAILURE | STORE_NOTIFY_DELAY,
    };
    enum { COUNT = sizeof notify / sizeof notify[0] };
    struct store_inbound_new row = make_mail();
    struct store_inbound found;
    const char *reason;
    int64_t id, member;
    row.is_sender_proven = true;
    row.ret = STORE_RET_FULL;
    row.envid = "QQ+2B314159";
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    for (size_t i = 0; i < COUNT; i++) {
        char alias[30], address[60];
        snprintf(alias, sizeof alias, "Member %zu", i);
        snprintf(address, sizeof address, "Member.%zu+x@silo.example.org", i);
        assert_int_equal(store_member_add(db, alias, NULL, NOW, &member, &reason), 1);
        struct store_inbound_recipient_new recipient = { .target = { .member_id = member },
                                                         .address = address,
                                                         .notify = notify[i],
                                                         .orcpt = i ? "rfc822;a+2Bb@example.net" : NULL };
        assert_int_equal(store_inbound_add_recipient(db, id, &recipient), 1);
    }
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_true(found.is_sender_proven);
    assert_int_equal(found.ret, STORE_RET_FULL);
    assert_string_equal(found.envid, "QQ+2B314159");
    assert_int_equal(found.recipient_count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(found.recipients[i].notify, notify[i]);
        assert_false(found.recipients[i].is_skipped);
        if (i == 0)
            assert_null(found.recipients[i].orcpt);
        else
            assert_string_equal(found.recipients[i].orcpt, "rfc822;a+2Bb@example.net");
    }
    assert_string_equal(found.recipients[1].address, "Member.1+x@silo.example.org");
    store_inbound_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void mail_without_options_has_none(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_inbound_new row = make_mail();
    struct store_inbound found;
    int64_t id;
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    row.ret = STORE_RET_HDRS;
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_false(found.is_sender_proven);
    assert_int_equal(found.ret, STORE_RET_NONE);
    assert_null(found.envid);
    store_inbound_free(&found);
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_int_equal(found.ret, STORE_RET_HDRS);
    store_inbound_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void skipping_is_of_one_recipient(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_inbound_new row = make_mail();
    struct store_inbound found;
    const char *reason;
    int64_t id, other, alice, carol;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &alice, &reason), 1);
    assert_int_equal(store_member_add(db, "Carol Member", NULL, NOW, &carol, &reason), 1);
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_inbound_add(db, &row, &other), 1);
    struct store_target targets[] = { { .member_id = alice }, { .member_id = carol } };
    for (size_t i = 0; i < 2; i++) {
        struct store_inbound_recipient_new recipient = { .target = targets[i], .address = "x@silo.example.org" };
        assert_int_equal(store_inbound_add_recipient(db, id, &recipient), 1);
        assert_int_equal(store_inbound_add_recipient(db, other, &recipient), 1);
    }
    assert_int_equal(store_inbound_set_skipped(db, id, targets[1], true), 1);
    assert_int_equal(store_inbound_set_skipped(db, id, (struct store_target){ .group_id = carol }, true), 0);
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_false(found.recipients[0].is_skipped);
    assert_true(found.recipients[1].is_skipped);
    store_inbound_free(&found);
    assert_int_equal(store_inbound_find(db, other, &found), 1);
    assert_false(found.recipients[1].is_skipped);
    store_inbound_free(&found);
    assert_int_equal(store_inbound_set_skipped(db, id, targets[1], false), 1);
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_false(found.recipients[1].is_skipped);
    store_inbound_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* A mail that comes again brings no second report: neither for the recipient that it was refused for, nor instead of one
 * for another recipient. */
static void refusal_is_noted_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    static const uint8_t digest[STORE_DIGEST_SIZE] = { 1, 2, 3 }, other_digest[STORE_DIGEST_SIZE] = { 3, 2, 1 };
    struct store_inbound_new row = make_mail();
    const char *reason;
    int64_t id, later, member, found;
    row.message_id = "one@example.com";
    row.digest = digest;
    assert_int_equal(store_member_add(db, "Carol Member", NULL, NOW, &member, &reason), 1);
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_inbound_add(db, &row, &later), 1);
    struct store_inbound_same same = { .message_id = "one@example.com",
                                       .sender = "bob@example.com",
                                       .digest = digest,
                                       .target = { .member_id = member },
                                       .since = NOW - 10 };
    assert_int_equal(store_inbound_add_refusal(db, id, &same), 1);
    assert_int_equal(store_inbound_add_refusal(db, id, &same), 0);
    assert_int_equal(store_inbound_add_refusal(db, later, &same), 0);
    assert_int_equal(store_inbound_find_same(db, &same, &found), 0); /* it was not accepted for them */
    same.target = (struct store_target){ .group_id = 0, .member_id = 0 };
    assert_int_equal(store_inbound_add_refusal(db, id, &same), 1);
    same.target.member_id = member;
    same.digest = other_digest;
    assert_int_equal(store_inbound_add_refusal(db, later, &same), 1);
    same.digest = digest;
    same.since = NOW + 1; /* long ago */
    assert_int_equal(store_inbound_add_refusal(db, later, &same), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Its recipient need not be a correspondent; it is written from the start, and ends as all others do. */
static void report_goes_through_the_outbound_queue(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_outbound_new row = { .kind = STORE_OUTBOUND_REPORT,
                                      .tmtp_msgid = "",
                                      .author_uid = "",
                                      .author_alias = "",
                                      .message_id = "report-in1-x@gw.example.org",
                                      .posted_at = NOW,
                                      .now = NOW };
    struct store_outbound found;
    int64_t id, content = add_content(db, "the report");
    int fd;
    int64_t size;
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    assert_int_equal(store_outbound_add_address(db, id, "b17@bounces.example.net"), 1);
    assert_int_equal(store_outbound_set_mail(db, id, content, 10, true, false, ""), 1);
    assert_int_equal(store_outbound_find(db, id, &found), 1);
    assert_int_equal(found.kind, STORE_OUTBOUND_REPORT);
    assert_int_equal(found.state, STORE_QUEUE_ROUTED);
    assert_int_equal(found.content_id, content);
    assert_true(found.is_8bit);
    assert_int_equal(found.recipient_count, 1);
    assert_string_equal(found.recipients[0].address, "b17@bounces.example.net");
    assert_int_equal(found.recipients[0].correspondent_id, 0);
    store_outbound_free(&found);
    assert_int_equal(store_outbound_set_recipient(db, id, 0, STORE_RECIPIENT_DELIVERED, "mx.test:25", "250 ok"), 1);
    assert_int_equal(store_outbound_set_recipient(db, id, 0, STORE_RECIPIENT_FAILED, "mx.test:25", "550 no"), 0);
    assert_int_equal(store_outbound_finish(db, id, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_outbound_find(db, id, &found), 1);
    assert_int_equal(found.recipients[0].state, STORE_RECIPIENT_DELIVERED);
    store_outbound_free(&found);
    assert_int_equal(store_content_open(db, content, &fd, &size), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void append_id(int64_t id, int64_t next_attempt_at, void *ctx)
{
    int64_t *sum = ctx; /* of few ids, in order */
    (void)next_attempt_at;
    *sum = *sum * 100 + id;
}

static void entries_lead_to_what_is_told_about_them(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_inbound_new mail_row = make_mail();
    struct store_outbound_new sent_row = { .kind = STORE_OUTBOUND_MESSAGE,
                                           .tmtp_msgid = "m1",
                                           .author_uid = "UIDALICE",
                                           .author_alias = "Alice Member",
                                           .message_id = "tmtp-m1@mail.example",
                                           .now = NOW };
    int64_t mail, sent, notices[2], report, none, found, about = 0;
    struct store_inbound_new notice = { .kind = STORE_INBOUND_NOTICE, .sender = "", .from_address = "", .now = NOW };
    struct store_outbound_new row = { .kind = STORE_OUTBOUND_REPORT,
                                      .tmtp_msgid = "",
                                      .author_uid = "",
                                      .author_alias = "",
                                      .message_id = "report-1@mail.example",
                                      .now = NOW };
    assert_int_equal(store_inbound_add(db, &mail_row, &mail), 1);
    assert_int_equal(store_outbound_add(db, &sent_row, &sent), 1);
    notice.about_outbound_id = sent;
    row.about_inbound_id = mail;
    assert_int_equal(store_inbound_add(db, &notice, &notices[0]), 1);
    assert_int_equal(store_inbound_add(db, &notice, &notices[1]), 1);
    assert_int_equal(store_outbound_add(db, &row, &report), 1);
    assert_int_equal(store_queue_list_about(db, STORE_QUEUE_OUT, sent, append_id, &about), 1);
    assert_int_equal(about, notices[0] * 100 + notices[1]);
    about = 0;
    assert_int_equal(store_queue_list_about(db, STORE_QUEUE_IN, mail, append_id, &about), 1);
    assert_int_equal(about, report);
    about = 0;
    assert_int_equal(store_queue_list_about(db, STORE_QUEUE_OUT, report, append_id, &about), 1);
    assert_int_equal(about, 0);

    struct store_inbound in;
    struct store_outbound out;
    assert_int_equal(store_inbound_find(db, notices[0], &in), 1);
    assert_int_equal(in.about_outbound_id, sent);
    store_inbound_free(&in);
    assert_int_equal(store_outbound_find(db, report, &out), 1);
    assert_int_equal(out.about_inbound_id, mail);
    store_outbound_free(&out);
    assert_int_equal(store_message_find_queue_ids(db, "report-1@mail.example", &none, &found), 1);
    assert_int_equal(found, report);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(options_are_kept_as_given),
        WITH_STORE(mail_without_options_has_none),
        WITH_STORE(skipping_is_of_one_recipient),
        WITH_STORE(refusal_is_noted_once),
        WITH_STORE(report_goes_through_the_outbound_queue),
        WITH_STORE(entries_lead_to_what_is_told_about_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
