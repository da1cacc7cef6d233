/* Tests of smtp_dsn: whole reports against files (tests/corpora/report, which tests/e2e/test_report.py reads with another
 * parser), and what strangers' values can do to one. POSTERN_WRITE_GOLDEN=1 writes the files anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/smtp_dsn.h"

enum { REPORT_MAX = 1024 * 1024 };
static const int64_t ARRIVED = 1795674505123, NOW = 1795674565999; /* 2026-11-26 */

#define ORIGINAL                                                                                                       \
    "Received: from client.test by mx.test; Thu, 26 Nov 2026 06:28:20 +0000\r\n"                                       \
    "From: Bob <bob@example.com>\r\n"                                                                                  \
    "To: alice@silo.example.org,\r\n\tcarol@silo.example.org\r\n"                                                      \
    "Subject: Drawings\r\n"                                                                                            \
    "Message-ID: <one@example.com>\r\n"                                                                                \
    "\r\n"                                                                                                             \
    "Dear Alice,\r\n\r\nhere they are.\r\n"
#define ORIGINAL_UTF8                                                                                                  \
    "From: J\xc3\xbcrgen <j\xc3\xbcrgen@example.com>\r\n"                                                              \
    "Subject: Gr\xc3\xbc\xc3\x9f"                                                                                      \
    "e\r\n\r\nHallo J\xc3\xbcrgen\r\n"

static const struct smtp_dsn_recipient delivered[] = {
    { .address = "alice@silo.example.org", .action = SMTP_DSN_DELIVERED, .status = "2.1.5" },
};
static const struct smtp_dsn_recipient mixed[] = {
    { .address = "alice@silo.example.org",
      .original = "rfc822;alice+2Bdrawings@example.net",
      .action = SMTP_DSN_DELIVERED,
      .status = "2.1.5",
      .last_attempt_at = NOW },
    { .address = "carol@silo.example.org",
      .action = SMTP_DSN_FAILED,
      .status = "5.7.1",
      .explanation = "<bob@example.com> is not authorised to write to this address",
      .diagnostic = "550 5.7.1 <bob@example.com> is not authorised to write to <carol@silo.example.org>",
      .remote_mta = "gw.example.org" },
    { .address = "dora@silo.example.org", .action = SMTP_DSN_DELAYED, .status = "4.4.1", .will_retry_until = NOW },
};
static const struct smtp_dsn_recipient utf8[] = {
    { .address = "j\xc3\xb6rg@silo.example.org",
      .original = "utf-8;j\\x{F6}rg@example.net",
      .action = SMTP_DSN_FAILED,
      .status = "5.0.0",
      .diagnostic = "550 5.0.0 <j\xc3\xb6rg@silo.example.org>: no" },
};

static struct smtp_dsn make(const struct smtp_dsn_recipient *recipients, size_t count, const char *original)
{
    return (struct smtp_dsn){
        .reporting_mta = "gw.example.org",
        .from = "MAILER-DAEMON@silo.example.org",
        .to = "bob@example.com",
        .message_id = "report-in17-1795674505123@gw.example.org",
        .boundary = "0123456789abcdef",
        .date = NOW,
        .arrived_at = ARRIVED,
        .recipients = recipients,
        .recipient_count = count,
        .original = original,
        .original_len = original ? strlen(original) : 0,
        .original_is_whole = true,
    };
}

static char *compose(const struct smtp_dsn *dsn, struct smtp_dsn_needs *needs_out)
{
    struct strbuf out;
    strbuf_init(&out, REPORT_MAX);
    assert_int_equal(smtp_dsn_compose(dsn, &out, needs_out), 1);
    return strbuf_detach(&out);
}

/* The files. */

static void assert_golden(const char *name, const struct smtp_dsn *dsn, bool is_8bit, bool is_smtputf8)
{
    char path[400], expected[8192] = "";
    struct smtp_dsn_needs needs;
    char *report = compose(dsn, &needs);
    snprintf(path, sizeof path, POSTERN_SOURCE_DIR "/tests/corpora/report/%s.eml", name);
    if (getenv("POSTERN_WRITE_GOLDEN")) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fputs(report, file);
        fclose(file);
    }
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(expected, 1, sizeof expected - 1, file);
    fclose(file);
    assert_true(len > 0);
    assert_string_equal(report, expected);
    assert_int_equal(needs.is_8bit, is_8bit);
    assert_int_equal(needs.is_smtputf8, is_smtputf8);
    free(report);
}

static void reports_are_as_in_the_files(void **state)
{
    (void)state;
    struct smtp_dsn one = make(delivered, 1, ORIGINAL);
    one.envelope_id = "QQ+2B314159";
    one.references = "one@example.com";
    one.loop_mark = "gw.example.org";
    assert_golden("delivered", &one, false, false);
    struct smtp_dsn all = make(mixed, 3, ORIGINAL);
    all.return_all = true;
    assert_golden("mixed", &all, false, false);
    struct smtp_dsn gone = make(delivered, 1, NULL);
    assert_golden("original-gone", &gone, false, false);
    struct smtp_dsn to_ascii = make(utf8, 1, ORIGINAL_UTF8);
    assert_golden("utf8-recipient", &to_ascii, false, false);
    struct smtp_dsn to_utf8 = make(utf8, 1, ORIGINAL_UTF8);
    to_utf8.to = "j\xc3\xbcrgen@example.com";
    assert_golden("utf8-sender", &to_utf8, true, true);
    to_utf8.return_all = true;
    assert_golden("utf8-whole", &to_utf8, true, true);
}

/* What strangers have a hand in. */

static void assert_contains(const char *report, const char *text)
{
    if (!strstr(report, text))
        fail_msg("not in the report: %s\n%s", text, report);
}

static void assert_lacks(const char *report, const char *text)
{
    if (strstr(report, text))
        fail_msg("in the report: %s\n%s", text, report);
}

static void values_end_no_line(void **state)
{
    (void)state;
    const struct smtp_dsn_recipient recipient = {
        .address = "alice@silo.example.org",
        .original = "rfc822;a+0D+0AEvil: 1@example.net",
        .action = SMTP_DSN_FAILED,
        .status = "5.0.0",
        .explanation = "so\r\nEvil: 2",
        .diagnostic = "550 so\r\nEvil: 3",
        .remote_mta = "x\nEvil: 4",
    };
    struct smtp_dsn dsn = make(&recipient, 1, ORIGINAL);
    struct smtp_dsn_needs needs;
    dsn.envelope_id = "a+0D+0AEvil: 5";
    dsn.references = "a\r\nEvil: 6";
    dsn.to = "bob\r\nEvil@example.com";
    char *report = compose(&dsn, &needs);
    assert_lacks(report, "\nEvil");
    assert_contains(report, "Original-Envelope-Id: a??Evil: 5\r\n");
    assert_contains(report, "Original-Recipient: rfc822;a??Evil: 1@example.net\r\n");
    free(report);
}

static void xtext_is_decoded_and_what_is_none_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *envid, *field;
    } cases[] = {
        { "QQ+3D1", "QQ=1" }, { "a+2Bb+20c", "a+b c" }, { "+", "+" },         { "+4", "+4" },
        { "+4g", "+4g" },     { "+4a", "+4a" },         { "a+00b", "a+00b" }, { "+C3+BC", "??" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smtp_dsn dsn = make(delivered, 1, NULL);
        struct smtp_dsn_needs needs;
        char field[100];
        dsn.envelope_id = cases[i].envid;
        char *report = compose(&dsn, &needs);
        snprintf(field, sizeof field, "Original-Envelope-Id: %s\r\n", cases[i].field);
        assert_contains(report, field);
        free(report);
    }
}

static void original_with_the_boundary_is_refused(void **state)
{
    (void)state;
    struct smtp_dsn dsn = make(delivered, 1, "Subject: x\r\n\r\n--0123456789abcdef--\r\n");
    struct smtp_dsn_needs needs;
    struct strbuf out;
    strbuf_init(&out, REPORT_MAX);
    assert_int_equal(smtp_dsn_compose(&dsn, &out, &needs), -1);
    strbuf_free(&out);
}

static void report_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct smtp_dsn dsn = make(delivered, 1, ORIGINAL);
    struct smtp_dsn_needs needs;
    struct strbuf out;
    strbuf_init(&out, 300);
    assert_int_equal(smtp_dsn_compose(&dsn, &out, &needs), -1);
    strbuf_free(&out);
}

/* How the original is returned. */

static void header_alone_where_the_whole_can_not_stand(void **state)
{
    (void)state;
    static char long_line[1200] = "Subject: long\r\n\r\n";
    size_t len = strlen(long_line);
    memset(long_line + len, 'x', SMTP_DSN_LINE_MAX + 1);
    static const char *const originals[] = { "Subject: lf\r\n\r\nbare\nLF\r\n", "Subject: cr\r\n\r\nbare\rCR\r\n",
                                             long_line };
    for (size_t i = 0; i < 3; i++) {
        struct smtp_dsn dsn = make(delivered, 1, originals[i]);
        struct smtp_dsn_needs needs;
        dsn.return_all = true;
        char *report = compose(&dsn, &needs);
        assert_contains(report, "Content-Type: text/rfc822-headers\r\n\r\nSubject: ");
        assert_lacks(report, "message/rfc822");
        free(report);
    }
    /* and where it is not whole */
    struct smtp_dsn dsn = make(delivered, 1, ORIGINAL);
    struct smtp_dsn_needs needs;
    dsn.return_all = true;
    dsn.original_is_whole = false;
    char *report = compose(&dsn, &needs);
    assert_lacks(report, "here they are");
    assert_contains(report, "Message-ID: <one@example.com>\r\n\r\n--");
    free(report);
}

static void eight_bit_content_is_returned_as_such(void **state)
{
    (void)state;
    struct smtp_dsn dsn = make(delivered, 1,
                               "Subject: x\r\n\r\nGr\xfc\xdf"
                               "e\r\n");
    struct smtp_dsn_needs needs;
    dsn.return_all = true;
    char *report = compose(&dsn, &needs);
    assert_contains(report,
                    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\nGr\xfc");
    const char *own_header_ends = strstr(report, "\r\n\r\n"),
               *encoding = strstr(report, "Content-Transfer-Encoding: 8bit");
    assert_true(encoding && encoding < own_header_ends); /* RFC 2045 section 6.4 */
    assert_true(needs.is_8bit);
    assert_false(needs.is_smtputf8);
    free(report);
}

static void odd_headers_are_quoted(void **state)
{
    (void)state;
    struct smtp_dsn dsn = make(delivered, 1,
                               "Subject: Gr\xfc\xdf"
                               "e = \r\nX: bare\nLF\r\n\r\n");
    struct smtp_dsn_needs needs;
    char *report = compose(&dsn, &needs);
    assert_contains(report, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                            "Subject: Gr=FC=DFe =3D=20\r\nX: bare=0ALF\r\n");
    assert_false(needs.is_8bit);
    free(report);
}

static void long_header_is_cut_between_fields(void **state)
{
    (void)state;
    char *original = calloc(1, 2 * SMTP_DSN_HEADER_MAX);
    size_t len = 0;
    for (int i = 0; len < SMTP_DSN_HEADER_MAX + 1000; i++)
        len += (size_t)snprintf(original + len, 100, "X-Field-%d: begun,\r\n\tand folded.\r\n", i);
    struct smtp_dsn dsn = make(delivered, 1, original);
    struct smtp_dsn_needs needs;
    char *report = compose(&dsn, &needs);
    const char *end = strstr(report, "\r\n\r\n--0123456789abcdef--");
    assert_non_null(end);
    assert_memory_equal(end - 7, "folded.", 7); /* the last field is whole */
    free(report);
    free(original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_are_as_in_the_files),
        cmocka_unit_test(values_end_no_line),
        cmocka_unit_test(xtext_is_decoded_and_what_is_none_is_kept),
        cmocka_unit_test(original_with_the_boundary_is_refused),
        cmocka_unit_test(report_that_does_not_fit_is_an_error),
        cmocka_unit_test(header_alone_where_the_whole_can_not_stand),
        cmocka_unit_test(eight_bit_content_is_returned_as_such),
        cmocka_unit_test(odd_headers_are_quoted),
        cmocka_unit_test(long_header_is_cut_between_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
