/* Tests of report: the largest that there can be, and the story of one that goes to many. (Who gets one is tested from
 * outside, in tests/e2e/test_report.py.) */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/poster_settle.h"
#include "gateway/report.h"
#include "gateway/signed_id.h"
#include "mapping/store_content.h"
#include "mapping/store_member.h"
#include "mapping/store_trace.h"
#include "smtp/smtp_params.h"

enum { NOW = 100000, MANY = 1000 };

static const uint8_t secret[32] = "a secret of thirty-two octets...";

static void count_up(void *ctx)
{
    ++*(int *)ctx;
}

static void keep_detail(int64_t at, const char *event, const char *detail, void *ctx)
{
    (void)at;
    snprintf(ctx, 2100, "%s: %s", event, detail);
}

/* As long as addresses, parameters and replies can be. */
static void fill(char *text, size_t len, const char *end)
{
    memset(text, 'x', len);
    memcpy(text + len - strlen(end), end, strlen(end) + 1);
}

static void largest_report_fits(void **state)
{
    struct store_fixture *fixture = *state;
    static char domain[] = "silo.example.org", hostname[] = "gw.example.org";
    struct config config = { .domain = domain, .hostname = hostname };
    static char address[SMTP_ADDRESS_MAX + 1], orcpt[SMTP_ORCPT_MAX + 1], reply[SMTP_REPLY_TEXT_MAX + 1];
    char detail[2100] = "";
    int pokes = 0;
    bool added;
    struct signed_id *ids = signed_id_new(secret, domain, hostname);
    struct reporter *reporter = reporter_new(&config, ids, count_up, &pokes);
    fill(address, SMTP_ADDRESS_MAX, "@silo.example.org");
    fill(orcpt, SMTP_ORCPT_MAX, "@example.net");
    memcpy(orcpt, "rfc822;", 7);
    fill(reply, SMTP_REPLY_TEXT_MAX, "no");
    struct report_recipient *recipients = calloc(MANY + 1, sizeof *recipients);
    for (size_t i = 0; i <= MANY; i++)
        recipients[i] = (struct report_recipient){ .address = address,
                                                   .orcpt = orcpt,
                                                   .notify = STORE_NOTIFY_FAILURE,
                                                   .action = SMTP_DSN_FAILED,
                                                   .status = "5.7.1",
                                                   .explanation = reply,
                                                   .diagnostic = reply };
    char directory[] = "/tmp/postern-report-XXXXXX";
    int fd = mkstemp(directory);
    assert_true(fd >= 0);
    unlink(directory);
    for (size_t i = 0; i < 256 * 1024 / 64; i++)
        assert_int_equal(write(fd, "All work and no play makes Bob a dull boy; more work is no hel\r\n", 64), 64);
    struct store_inbound_new mail = { .sender = "bob@example.com", .from_address = "bob@example.com", .now = NOW };
    struct report report = {
        .sender = "bob@example.com",
        .is_sender_proven = true,
        .ret = STORE_RET_FULL,
        .received_at = NOW,
        .content_fd = fd,
        .content_size = 256 * 1024,
        .recipients = recipients,
        .recipient_count = MANY,
    };
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_inbound_add(db, &mail, &report.inbound_id), 1);
    assert_int_equal(report_add(db, reporter, &report, NOW, &added), 1);
    assert_true(added);
    assert_int_equal(pokes, 0); /* not before the commit */
    struct store_outbound row;
    assert_int_equal(store_outbound_find(db, 1, &row), 1);
    assert_true(row.size > MANY * (SMTP_ADDRESS_MAX + SMTP_ORCPT_MAX) + 256 * 1024);
    assert_string_equal(row.recipients[0].address, "bob@example.com");
    store_outbound_free(&row);
    assert_int_equal(store_trace_list(db, STORE_QUEUE_IN, 1, keep_detail, detail), 1);
    assert_non_null(strstr(detail, "and others, to <bob@example.com> as out1"));
    report.recipient_count = MANY + 1;
    assert_int_equal(report_add(db, reporter, &report, NOW, &added), 1);
    assert_int_equal(store_outbound_find(db, 3, &row), 1); /* the last of them has one of its own */
    assert_true(row.size < 3 * SMTP_ADDRESS_MAX + SMTP_ORCPT_MAX + 256 * 1024 + 4096);
    store_outbound_free(&row);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    reporter_poke(reporter);
    assert_int_equal(pokes, 1);
    close(fd);
    free(recipients);
    reporter_free(&reporter);
    signed_id_free(&ids);
}

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

/* A mail of Bob's to Alice and Carol, who is left out of what is posted. */
static int64_t add_mail(struct store_db *db)
{
    static const char *const names[] = { "Alice Member", "Carol Member" };
    struct store_inbound_new mail = {
        .kind = STORE_INBOUND_MAIL,
        .sender = "bob@example.com",
        .from_address = "bob@example.com",
        .is_sender_proven = true,
        .ret = STORE_RET_FULL,
        .envid = "E+2B1",
        .content_id = add_content(db, "Subject: For both\r\n\r\nHello\r\n"),
        .size = 30,
        .now = NOW,
    };
    const char *reason;
    int64_t id;
    assert_int_equal(store_inbound_add(db, &mail, &id), 1);
    for (size_t i = 0; i < 2; i++) {
        struct store_inbound_recipient_new recipient = {
            .address = i ? "carol@silo.example.org" : "alice@silo.example.org",
            .notify = STORE_NOTIFY_SUCCESS | STORE_NOTIFY_FAILURE,
        };
        assert_int_equal(store_member_add(db, names[i], NULL, NOW, &recipient.target.member_id, &reason), 1);
        assert_int_equal(store_inbound_add_recipient(db, id, &recipient), 1);
        if (i == 1)
            assert_int_equal(store_inbound_set_skipped(db, id, recipient.target, true), 1);
    }
    return id;
}

/* After a crash only the silo's echo is left to settle a mail by; and there may be an answer and an echo. */
static void echo_reports_once_and_only_whom_it_has_reached(void **state)
{
    struct store_fixture *fixture = *state;
    static char domain[] = "silo.example.org", hostname[] = "gw.example.org";
    struct config config = { .domain = domain, .hostname = hostname };
    char text[4096] = "";
    int pokes = 0, fd;
    int64_t size, count;
    struct poster_settled settled;
    struct signed_id *ids = signed_id_new(secret, domain, hostname);
    struct reporter *reporter = reporter_new(&config, ids, count_up, &pokes);
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_mail(db);
    struct poster_fate fate;
    poster_fate_set(&fate, id, NOW, "aaaa000000000001", NULL, NOW + 1);
    assert_int_equal(poster_settle(db, reporter, &fate, &settled), 1);
    assert_true(settled.reported && settled.is_new && settled.is_mail);
    assert_int_equal(poster_settle(db, reporter, &fate, &settled), 1);
    assert_false(settled.reported || settled.is_new);
    poster_fate_free(&fate);
    assert_int_equal(store_queue_count(db, STORE_QUEUE_OUT, STORE_QUEUE_ROUTED, &count), 1);
    assert_int_equal(count, 1);
    struct store_outbound row;
    assert_int_equal(store_outbound_find(db, 1, &row), 1);
    assert_int_equal(store_content_open(db, row.content_id, &fd, &size), 1);
    assert_true(size > 0 && size < (int64_t)sizeof text);
    assert_int_equal(read(fd, text, sizeof text - 1), size);
    close(fd);
    store_outbound_free(&row);
    assert_non_null(strstr(text, "Original-Envelope-Id: E+1\r\n"));
    assert_non_null(strstr(text, "Final-Recipient: rfc822;alice@silo.example.org\r\nAction: delivered\r\n"));
    assert_non_null(strstr(text, "Final-Recipient: rfc822;carol@silo.example.org\r\nAction: failed\r\n"));
    assert_non_null(strstr(text, "Content-Type: message/rfc822\r\n\r\nSubject: For both\r\n\r\nHello\r\n"));
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    reporter_free(&reporter);
    signed_id_free(&ids);
}

/* Its sender was told that it failed when an administrator dropped it; that the silo had it already comes too late. */
static void echo_of_a_dropped_mail_is_told_but_not_reported(void **state)
{
    struct store_fixture *fixture = *state;
    static char domain[] = "silo.example.org", hostname[] = "gw.example.org";
    struct config config = { .domain = domain, .hostname = hostname };
    char detail[2100] = "";
    int pokes = 0;
    int64_t count;
    bool reported;
    struct poster_settled settled;
    struct signed_id *ids = signed_id_new(secret, domain, hostname);
    struct reporter *reporter = reporter_new(&config, ids, count_up, &pokes);
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_mail(db);
    struct store_inbound row;
    assert_int_equal(store_inbound_find(db, id, &row), 1);
    assert_int_equal(report_add_of_entry(db, reporter, &row, true, NOW, &reported), 1);
    assert_true(reported);
    store_inbound_free(&row);
    assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_DROPPED), 1);
    struct poster_fate fate;
    poster_fate_set(&fate, id, NOW, "aaaa000000000001", NULL, NOW + 1);
    assert_int_equal(poster_settle(db, reporter, &fate, &settled), 1);
    assert_false(settled.reported || settled.is_new);
    poster_fate_free(&fate);
    assert_int_equal(store_queue_count(db, STORE_QUEUE_OUT, STORE_QUEUE_ROUTED, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_trace_list(db, STORE_QUEUE_IN, id, keep_detail, detail), 1);
    assert_non_null(strstr(detail, "posted: accepted by the silo as aaaa000000000001"));
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    reporter_free(&reporter);
    signed_id_free(&ids);
}

static void two_addresses_of_one_get_what_both_ask_for(void **state)
{
    enum { S = STORE_NOTIFY_SUCCESS, F = STORE_NOTIFY_FAILURE, N = STORE_NOTIFY_NEVER };
    static const unsigned cases[][3] = { { 0, 0, 0 },     { N, N, N },     { 0, N, 0 }, { N, F, F },        { S, N, S },
                                         { S, 0, S | F }, { S, F, S | F }, { 0, F, F }, { S | F, N, S | F } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(report_join_notify(cases[i][0], cases[i][1]), cases[i][2]);
        assert_int_equal(report_join_notify(cases[i][1], cases[i][0]), cases[i][2]);
    }
    assert_true(report_weigh_notify(S) > report_weigh_notify(F));
    assert_int_equal(report_weigh_notify(0), report_weigh_notify(F));
    assert_true(report_weigh_notify(F) > report_weigh_notify(N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_addresses_of_one_get_what_both_ask_for),
        cmocka_unit_test_setup_teardown(largest_report_fits, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(echo_reports_once_and_only_whom_it_has_reached, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(echo_of_a_dropped_mail_is_told_but_not_reported, store_fixture_setup,
                                        store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
