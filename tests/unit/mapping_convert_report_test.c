/* Reports and bounces: the pieces, and every mail of tests/corpora/bounce against what it says.
 *
 * With a file's name as argument, this program prints what is in that file, as JSON: for tests/e2e/test_bounces_read.py.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_report.h"
#include "mapping/convert_report_internal.h"
#include "mapping/convert_wire.h"

#define FOLDER POSTERN_SOURCE_DIR "/tests/corpora/bounce"

static struct convert_charsets *charsets;

static const char *const kinds[] = { "dsn", "bounce", "other" };
static const char *const actions[] = { "failed", "delayed", "delivered", "relayed", "expanded" };

/* ---- values ---- */

struct value_case {
    const char *text, *expected;
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void check_values(const struct value_case *cases, size_t count, char *(*read)(const char *text))
{
    for (size_t i = 0; i < count; i++) {
        char *value = read(cases[i].text);
        if (strcmp(value, cases[i].expected) != 0)
            fail_msg("\"%s\" is read as \"%s\", not \"%s\"", cases[i].text, value, cases[i].expected);
        free(value);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        { "rfc822; bob@example.com", "bob@example.com" },
        { "RFC822;bob@example.com", "bob@example.com" },
        { "rfc822;<bob@example.com>", "bob@example.com" },
        { "rfc822; <bob@example.com> (Bob)", "bob@example.com" },
        { "rfc822; bob@example.com (Bob)", "bob@example.com" },
        { "bob@example.com", "bob@example.com" },
        { " bob@example.com ", "bob@example.com" },
        { "rfc822; \"bob smith\"@example.com", "\"bob smith\"@example.com" },
        { "utf-8; j\xC3\xBCrgen@b\xC3\xBC"
          "cher.example",
          "j\xC3\xBCrgen@b\xC3\xBC"
          "cher.example" },
        { "UTF-8; j\\x{FC}rgen@b\\x{fc}cher.example", "j\xC3\xBCrgen@b\xC3\xBC"
                                                      "cher.example" },
        { "rfc822; j\\x{FC}rgen@example.com", "" },
        { "x400; /C=DE/A= /P=EXAMPLE/O=X", "" },
        { "rfc822; bob", "" },
        { "rfc822;", "" },
        { "", "" },
        { "rfc822; <bob@example.com", "" },
        { "utf-8; \\x{00000FC}@example.com", "" },
        { "utf-8; \\x{202E}bob@example.com", "" }, /* would turn the text around it */
    };
    check_values(cases, COUNT(cases), convert_report_address);
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        { "dns; mx.example.com", "mx.example.com" },
        { "DNS;mx.example.com.", "mx.example.com" },
        { "dns; mx.example.com. (192.0.2.1, the server for the domain example.com.)", "mx.example.com" },
        { "dns; [192.0.2.1]", "[192.0.2.1]" },
        { "dns; [IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
        { "mx.example.com", "mx.example.com" },
        { "smtp; mx_1.example.com", "mx_1.example.com" },
        { "dns; <b>mx</b>", "" },
        { "dns;", "" },
    };
    check_values(cases, COUNT(cases), convert_report_host);
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        { "5.1.1", "5.1.1" },
        { "5.1.1 (bad destination mailbox address)", "5.1.1" },
        { " 4.4.7", "4.4.7" },
        { "2.0.0", "2.0.0" },
        { "5.7.509", "5.7.509" },
        { "3.1.1", "" },
        { "5.1", "" },
        { "5.1.1.2", "" },
        { "5.1.1234", "" },
        { "5..1", "" },
        { "", "" },
        { "550", "" },
    };
    check_values(cases, COUNT(cases), convert_report_status);
}

static void test_statuses_of_diagnostics(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        { "550 5.1.1 <bob@example.com>: Recipient address rejected", "5.1.1" },
        { "550-5.1.1 The email account that you tried to reach does not exist", "5.1.1" },
        { "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", "5.1.1" },
        { "host mx.example.com[192.0.2.1] said: 452 4.2.2 mailbox full (in reply to RCPT TO command)", "4.2.2" },
        { "Sorry, no mailbox here by that name. (#5.1.1)", "5.1.1" },
        { "<mx.example.com #5.7.1 smtp;550 5.7.1 denied>", "5.7.1" },
        { "550 no such user", "5.0.0" },
        { "550-no such user 550 go away", "5.0.0" },
        { "421 try later", "4.0.0" },
        { "192.0.2.1 does not like recipient. Remote host said: 550 unknown", "5.0.0" },
        { "connect to 5.1.1.1 failed", "" },
        { "Exim version 4.9.4 says no", "" },
        { "more than 550 messages", "" },
        { "4.4.1 (timeout), later 550 5.1.1 unknown", "5.1.1" }, /* a reply's code speaks louder */
        { "450 5.1.1 odd", "5.1.1" },
        { "550 4.2.2 odd, 552 5.2.2 full", "5.2.2" },
        { "", "" },
    };
    check_values(cases, COUNT(cases), convert_report_status_from);
}

static void test_diagnostics(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        { "smtp; 550 5.1.1 unknown", "550 5.1.1 unknown" },
        { "smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found" },
        { "X-Postfix; unknown user: \"bob\"", "unknown user: \"bob\"" },
        { "unknown user; really", "unknown user; really" },
        { "", "" },
    };
    check_values(cases, COUNT(cases), convert_report_diagnostic);
}

static void test_message_ids(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        { "<a@example.org>", "a@example.org" },
        { " <a@example.org> (x)", "a@example.org" },
        { "a@example.org", "a@example.org" },
        { "<a b@example.org>", "" },
        { "<a@example.org", "" },
        { "nothing", "" },
        { "", "" },
    };
    check_values(cases, COUNT(cases), convert_report_message_id);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t expected;
    } cases[] = {
        { "Tue, 1 Dec 2026 10:00:00 +0000", 1796119200000 },
        { "1 Dec 2026 10:00:00 +0000", 1796119200000 },
        { "Tue, 1 Dec 2026 11:30 +0130", 1796119200000 },
        { "Tue, 01 Dec 2026 02:00:00 -0800 (PST)", 1796119200000 },
        { "Tue, 1 Dec 2026 10:00:00 GMT", 1796119200000 },
        { "1 Jan 1970 00:00:01 +0000", 1000 },
        { "29 Feb 2000 00:00:00 +0000", 951782400000 },
        { "1 Mar 2000 00:00:00 +0000", 951868800000 },
        { "28 Feb 2100 00:00:00 +0000", 4107456000000 },
        { "1 Mar 2100 00:00:00 +0000", 4107542400000 },
        { "31 Dec 2028 23:59:59 +0000", 1861919999000 },
        { "Tue, 32 Dec 2026 10:00:00 +0000", 0 },
        { "Tue, 1 Foo 2026 10:00:00 +0000", 0 },
        { "1 Dec 1900 10:00:00 +0000", 0 },
        { "1 Dec 99999999999999 10:00:00 +0000", 0 },
        { "1 Dec 2026", 0 },
        { "soon", 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t at = convert_report_date(cases[i].text);
        if (at != cases[i].expected)
            fail_msg("\"%s\" is %lld", cases[i].text, (long long)at);
    }
}

static void test_actions(void **state)
{
    (void)state;
    enum convert_report_action action;
    assert_true(convert_report_action_parse("failed", &action));
    assert_int_equal(action, CONVERT_REPORT_FAILED);
    assert_true(convert_report_action_parse(" Delayed (for now)", &action));
    assert_int_equal(action, CONVERT_REPORT_DELAYED);
    assert_true(convert_report_action_parse("EXPANDED", &action));
    assert_int_equal(action, CONVERT_REPORT_EXPANDED);
    assert_false(convert_report_action_parse("failedish", &action));
    assert_false(convert_report_action_parse("", &action));
}

/* ---- files ---- */

static void read_report(const char *data, size_t len, struct convert_report_result *report)
{
    struct convert_input input = convert_input_of(data, len);
    convert_report_read(charsets, &input, report);
}

static json_t *describe_recipient(const struct convert_report_recipient *recipient)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "action", actions[recipient->action], "address",
                     recipient->address, "original", recipient->original, "status", recipient->status, "diagnostic",
                     recipient->diagnostic, "remote_mta", recipient->remote_mta, "will_retry_until",
                     (json_int_t)recipient->will_retry_until);
}

static json_t *describe(const struct convert_report_result *report)
{
    json_t *recipients = json_array();
    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(recipients, describe_recipient(&report->recipients[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "kind", kinds[report->kind], "reporting_mta",
                     report->reporting_mta, "envelope_id", report->envelope_id, "original_message_id",
                     report->original_message_id, "subject", report->subject, "text", report->text, "recipients",
                     recipients);
}

static bool load(const char *path, struct strbuf *out)
{
    char piece[65536];
    size_t n;
    strbuf_init(out, (size_t)64 << 20);
    FILE *file = fopen(path, "rbe");
    if (!file)
        return false;
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        strbuf_add(out, piece, n);
    fclose(file);
    return strbuf_ok(out);
}

static int print_file(const char *path)
{
    struct strbuf mail;
    struct convert_report_result report;
    if (!load(path, &mail)) {
        perror(path);
        return 1;
    }
    read_report(mail.data, mail.len, &report);
    json_t *description = describe(&report);
    json_dumpf(description, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(description);
    convert_report_free(&report);
    strbuf_free(&mail);
    return 0;
}

static unsigned complaints; /* in the whole run: one file's faults must not hide another's */

static void complain(const char *file, const char *what, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : xstrdup("nothing");
    print_error("%s: %s: %s\n", file, what, text);
    free(text);
    complaints++;
}

/* Each thing that was read is as expected; what is not mentioned must be "" or 0. */
static void check_object(const char *file, const json_t *expected, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const json_t *wanted = json_object_get(expected, key);
        if (json_is_array(value))
            continue;
        if (!wanted && (strcmp(key, "subject") == 0 || strcmp(key, "text") == 0))
            continue;
        bool same = wanted ? json_equal(wanted, value)
                           : (json_is_string(value) && json_string_length(value) == 0) ||
                                 (json_is_integer(value) && json_integer_value(value) == 0);
        if (!same)
            complain(file, key, value);
    }
}

static void check_description(const char *file, const json_t *expected, json_t *description)
{
    size_t i;
    json_t *item;
    check_object(file, expected, description);
    const json_t *wanted = json_object_get(expected, "recipients");
    const json_t *recipients = json_object_get(description, "recipients");
    if (json_array_size(wanted) != json_array_size(recipients))
        complain(file, "recipients", recipients);
    else
        json_array_foreach(recipients, i, item) check_object(file, json_array_get(wanted, i), item);
    const char *text = json_string_value(json_object_get(description, "text"));
    json_array_foreach(json_object_get(expected, "text_contains"), i, item)
    {
        if (!strstr(text, json_string_value(item)))
            complain(file, "text", json_object_get(description, "text"));
    }
}

/* What is read must also pass from a worker to the daemon. */
static void check_wire(const char *file, const struct convert_report_result *report)
{
    struct strbuf wire;
    struct convert_report_result back;
    const char *error = "";
    strbuf_init(&wire, CONVERT_META_MAX);
    convert_wire_encode_report(report, &wire);
    if (convert_wire_decode_report(wire.data, wire.len, &back, &error) == 1) {
        json_t *before = describe(report);
        json_t *after = describe(&back);
        if (!json_equal(before, after))
            complain(file, "is not the same behind the wire", after);
        json_decref(before);
        json_decref(after);
        convert_report_free(&back);
    } else {
        complain(file, error, NULL);
    }
    strbuf_free(&wire);
}

/* Line ends are the gateway's to take as they come. */
static void strip_returns(struct strbuf *mail)
{
    size_t kept = 0;
    for (size_t i = 0; i < mail->len; i++) {
        if (mail->data[i] != '\r')
            mail->data[kept++] = mail->data[i];
    }
    strbuf_truncate(mail, kept);
}

static void check_file(const char *name)
{
    json_error_t error;
    struct strbuf path, mail;
    strbuf_init(&path, 4096);
    strbuf_add_fmt(&path, "%s/%s.expect", FOLDER, name);
    json_t *expected = json_load_file(path.data, JSON_REJECT_DUPLICATES, &error);
    strbuf_clear(&path);
    strbuf_add_fmt(&path, "%s/%s.eml", FOLDER, name);
    if (!load(path.data, &mail) || !expected) {
        complain(name, "can't be read", expected);
        json_decref(expected);
        strbuf_free(&path);
        strbuf_free(&mail);
        return;
    }
    for (int with_returns = 1; with_returns >= 0; with_returns--) {
        struct convert_report_result report;
        if (!with_returns)
            strip_returns(&mail);
        read_report(mail.data, mail.len, &report);
        json_t *description = describe(&report);
        check_description(name, expected, description);
        check_wire(name, &report);
        json_decref(description);
        convert_report_free(&report);
    }
    json_decref(expected);
    strbuf_free(&path);
    strbuf_free(&mail);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_corpus(void **state)
{
    (void)state;
    enum { FILES_MAX = 1000 };
    char *names[FILES_MAX];
    size_t count = 0;
    DIR *folder = opendir(FOLDER);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".eml") == 0) {
            assert_true(count < FILES_MAX);
            names[count++] = xstrndup(entry->d_name, len - 4);
        }
    }
    closedir(folder);
    assert_true(count > 0);
    qsort(names, count, sizeof *names, compare_names);
    complaints = 0;
    for (size_t i = 0; i < count; i++) {
        check_file(names[i]);
        free(names[i]);
    }
    print_message("%zu mails\n", count);
    assert_int_equal(complaints, 0);
}

/* What a gateway writes, another one must read. */
static void test_reports_of_our_own(void **state)
{
    (void)state;
    static const struct {
        const char *name, *address;
        size_t count;
    } cases[] = {
        { "delivered", "alice@silo.example.org", 1 },
        { "mixed", "alice@silo.example.org", 3 },
        { "original-gone", "alice@silo.example.org", 1 },
        { "utf8-recipient", "j\xC3\xB6rg@silo.example.org", 1 }, /* in the 7-bit form */
        { "utf8-sender", "j\xC3\xB6rg@silo.example.org", 1 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct convert_report_result report;
        struct strbuf path, mail;
        strbuf_init(&path, 4096);
        strbuf_add_fmt(&path, "%s/tests/corpora/report/%s.eml", POSTERN_SOURCE_DIR, cases[i].name);
        assert_true(load(path.data, &mail));
        read_report(mail.data, mail.len, &report);
        assert_int_equal(report.kind, CONVERT_REPORT_DSN);
        assert_int_equal(report.count, cases[i].count);
        assert_string_equal(report.recipients[0].address, cases[i].address);
        assert_string_equal(report.reporting_mta, "gw.example.org");
        convert_report_free(&report);
        strbuf_free(&path);
        strbuf_free(&mail);
    }
}

/* ---- limits ---- */

static void test_many_recipients_are_cut(void **state)
{
    (void)state;
    struct convert_report_result report;
    struct strbuf mail;
    strbuf_init(&mail, (size_t)16 << 20);
    strbuf_add_str(&mail, "From: MAILER-DAEMON@example.com\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
                          "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n");
    for (int i = 0; i < CONVERT_REPORT_RECIPIENTS_MAX + 100; i++)
        strbuf_add_fmt(&mail, "\r\nFinal-Recipient: rfc822; bob%d@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n",
                       i);
    strbuf_add_str(&mail, "\r\n--b--\r\n");
    read_report(mail.data, mail.len, &report);
    assert_int_equal(report.kind, CONVERT_REPORT_DSN);
    assert_int_equal(report.count, CONVERT_REPORT_RECIPIENTS_MAX);
    assert_string_equal(report.recipients[999].address, "bob999@example.com");
    complaints = 0;
    check_wire("many", &report);
    assert_int_equal(complaints, 0);
    convert_report_free(&report);
    strbuf_free(&mail);
}

static void test_long_fields_are_cut(void **state)
{
    (void)state;
    struct convert_report_result report;
    struct strbuf mail;
    strbuf_init(&mail, (size_t)16 << 20);
    strbuf_add_str(&mail, "From: MAILER-DAEMON@example.com\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
                          "--b\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: ");
    for (int i = 0; i < 200; i++)
        strbuf_add_char(&mail, 'e');
    strbuf_add_str(&mail, "\r\n\r\nFinal-Recipient: rfc822; ");
    for (int i = 0; i < 300; i++)
        strbuf_add_char(&mail, 'a');
    strbuf_add_str(&mail, "@example.com\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 5.1.1 ");
    for (int i = 0; i < 100000; i++)
        strbuf_add_str(&mail, "\xC3\xA4");
    strbuf_add_str(&mail, "\r\n\r\n--b--\r\n");
    read_report(mail.data, mail.len, &report);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.envelope_id, "");
    assert_string_equal(report.recipients[0].address, "");
    assert_string_equal(report.recipients[0].status, "5.1.1");
    assert_in_range(strlen(report.recipients[0].diagnostic), CONVERT_REPORT_DIAGNOSTIC_MAX - 4,
                    CONVERT_REPORT_DIAGNOSTIC_MAX);
    complaints = 0;
    check_wire("long", &report);
    assert_int_equal(complaints, 0);
    convert_report_free(&report);
    strbuf_free(&mail);
}

/* What stands behind as many text parts as are read is no bounce. */
static void test_many_texts(void **state)
{
    (void)state;
    for (int before = CONVERT_REPORT_TEXT_PARTS_MAX - 1; before <= CONVERT_REPORT_TEXT_PARTS_MAX; before++) {
        struct convert_report_result report;
        struct strbuf mail;
        strbuf_init(&mail, (size_t)1 << 20);
        strbuf_add_str(&mail, "From: postmaster@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n");
        for (int i = 0; i < before; i++)
            strbuf_add_str(&mail, "\r\n--b\r\n\r\nText\r\n");
        strbuf_add_str(&mail, "\r\n--b\r\n\r\nUnknown user: bob@example.com\r\n--b--\r\n");
        read_report(mail.data, mail.len, &report);
        assert_int_equal(report.count, before < CONVERT_REPORT_TEXT_PARTS_MAX ? 1 : 0);
        convert_report_free(&report);
        strbuf_free(&mail);
    }
}

/* With many recipients, what the text says elsewhere is not looked for. */
static void test_many_reasons(void **state)
{
    (void)state;
    for (int count = 20; count <= 21; count++) {
        struct convert_report_result report;
        struct strbuf mail;
        strbuf_init(&mail, (size_t)1 << 20);
        strbuf_add_str(&mail, "From: postmaster@example.com\r\n\r\nCould not be delivered to the following:\r\n\r\n");
        for (int i = 0; i < count; i++)
            strbuf_add_fmt(&mail, "bob%02d@example.com\r\n", i);
        strbuf_add_str(&mail, "\r\nReply: 550 5.1.1 bob07@example.com: unknown\r\n");
        read_report(mail.data, mail.len, &report);
        assert_int_equal(report.count, count);
        assert_string_equal(report.recipients[7].status, count == 20 ? "5.1.1" : "");
        assert_string_equal(report.recipients[8].status, "");
        convert_report_free(&report);
        strbuf_free(&mail);
    }
}

/* A worker that was taken over is not believed: each of these is refused. */
static void test_wire_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum convert_report_kind kind;
        const char *address, *status, *diagnostic; /* of the recipient; NULL: none */
        const char *subject, *text, *host;
    } cases[] = {
        { "a failure of nobody", CONVERT_REPORT_DSN, NULL, NULL, NULL, "", "", "" },
        { "an answer about somebody", CONVERT_REPORT_OTHER, "bob@example.com", "", "", "", "", "" },
        { "an address that is none", CONVERT_REPORT_DSN, "bob", "", "", "", "", "" },
        { "a status that is none", CONVERT_REPORT_DSN, "", "9.9.9", "", "", "", "" },
        { "words of two lines", CONVERT_REPORT_DSN, "", "", "a\nb", "", "", "" },
        { "a subject of two lines", CONVERT_REPORT_OTHER, NULL, NULL, NULL, "a\nb", "", "" },
        { "control characters", CONVERT_REPORT_OTHER, NULL, NULL, NULL, "", "a\033b", "" },
        { "a host that is none", CONVERT_REPORT_OTHER, NULL, NULL, NULL, "", "", "a b" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct convert_report_result report, back;
        struct strbuf wire;
        const char *error;
        strbuf_init(&wire, CONVERT_META_MAX);
        convert_report_init(&report);
        report.kind = cases[i].kind;
        convert_report_set(&report.subject, xstrdup(cases[i].subject));
        convert_report_set(&report.text, xstrdup(cases[i].text));
        convert_report_set(&report.reporting_mta, xstrdup(cases[i].host));
        if (cases[i].address) {
            struct convert_report_recipient *recipient = convert_report_add(&report);
            convert_report_set(&recipient->address, xstrdup(cases[i].address));
            convert_report_set(&recipient->status, xstrdup(cases[i].status));
            convert_report_set(&recipient->diagnostic, xstrdup(cases[i].diagnostic));
        }
        convert_wire_encode_report(&report, &wire);
        if (convert_wire_decode_report(wire.data, wire.len, &back, &error) == 1)
            fail_msg("%s is believed", cases[i].what);
        convert_report_free(&report);
        strbuf_free(&wire);
    }
}

int main(int argc, char **argv)
{
    charsets = convert_charsets_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_statuses_of_diagnostics),
        cmocka_unit_test(test_diagnostics),
        cmocka_unit_test(test_message_ids),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_reports_of_our_own),
        cmocka_unit_test(test_many_recipients_are_cut),
        cmocka_unit_test(test_long_fields_are_cut),
        cmocka_unit_test(test_many_texts),
        cmocka_unit_test(test_many_reasons),
        cmocka_unit_test(test_wire_refuses),
    };
    int failed = argc > 1 ? print_file(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
    convert_charsets_free(&charsets);
    return failed;
}
