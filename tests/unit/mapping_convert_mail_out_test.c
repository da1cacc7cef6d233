/* Thread message -> mail: header, text, HTML, attachments, and that nothing from inside gets out of its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mail_header.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"
#include "mapping/convert_wire.h"
#include "tests/unit/cpu_time.h"

/* ---- header ---- */

static struct convert_mailbox mailbox(const char *name, const char *local, const char *domain)
{
    struct convert_mailbox result = { .name = name };
    memcpy(result.address.local, local, strlen(local));
    memcpy(result.address.domain, domain, strlen(domain));
    return result;
}

/* Whether every line ends with CRLF, is no longer than max, and holds no other control characters. */
static void assert_well_formed(const char *text, size_t len, size_t max)
{
    size_t column = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r') {
            assert_true(i + 1 < len && text[i + 1] == '\n');
            i++;
            column = 0;
            continue;
        }
        assert_true((unsigned char)text[i] >= ' ' || text[i] == '\t');
        assert_true(++column <= max);
    }
    assert_int_equal(column, 0);
}

static char *header_of(const struct convert_out_request *request)
{
    struct strbuf out, detail;
    const char *error = NULL;
    strbuf_init(&out, CONVERT_MAIL_HEADER_MAX);
    strbuf_init(&detail, 1000);
    assert_int_equal(convert_mail_header_write(&out, request, &detail, &error), 1);
    assert_well_formed(out.data, out.len, 998);
    strbuf_free(&detail);
    return strbuf_detach(&out);
}

static void test_whole_header(void **state)
{
    (void)state;
    struct tmtp_message message;
    tmtp_message_init(&message);
    const struct convert_mailbox to[] = { mailbox("Bob", "bob", "example.com"), mailbox("", "carol", "example.net") };
    const struct convert_mailbox cc = mailbox("Stone, Dan", "dan", "example.org");
    static const char *const references[] = { "1@a", "2@b" };
    const struct convert_out_request request = {
        .message = &message,
        .subject = "Re: Measurements of the gate",
        .from = mailbox("Alice Member", "alice", "silo.example.org"),
        .reply_to = mailbox("", "group", "silo.example.org"),
        .to = to,
        .to_count = 2,
        .cc = &cc,
        .cc_count = 1,
        .message_id = "3@gw",
        .in_reply_to = "2@b",
        .references = references,
        .reference_count = 2,
        .date_ms = 1793601240000,
        .loop_mark = "gw.example.org",
        .is_automatic = true,
    };
    char *header = header_of(&request);
    assert_string_equal(header, "Date: Mon, 2 Nov 2026 06:34:00 +0000\r\n"
                                "From: Alice Member <alice@silo.example.org>\r\n"
                                "Reply-To: group@silo.example.org\r\n"
                                "To: Bob <bob@example.com>, carol@example.net\r\n"
                                "Cc: \"Stone, Dan\" <dan@example.org>\r\n"
                                "Subject: Re: Measurements of the gate\r\n"
                                "Message-ID: <3@gw>\r\n"
                                "In-Reply-To: <2@b>\r\n"
                                "References: <1@a> <2@b>\r\n"
                                "Auto-Submitted: auto-generated\r\n"
                                "X-Postern-Loop: gw.example.org\r\n");
    free(header);
    tmtp_message_free(&message);
}

/* What a mail program would read back is what was written; and no value makes a line of its own. */
static void test_values_come_back(void **state)
{
    (void)state;
    static const struct row {
        const char *text, *back;
    } rows[] = {
        { "plain", "plain" },
        { "Grüße aus dem Süden", "Grüße aus dem Süden" },
        { "a\r\nBcc: mallory@example.net", "a Bcc: mallory@example.net" },
        { "a\nX: y\r\rZ", "a X: y Z" },
        { "=?utf-8?Q?literal?=", "=?utf-8?Q?literal?=" },
        { "=?utf-8?", "=?utf-8?" },
        { "門の図面について、とても長い件名がここに続きます。もっと長く、もっと長く、もっと長く。",
          "門の図面について、とても長い件名がここに続きます。もっと長く、もっと長く、もっと長く。" },
        { "many words that go on and on and on until the line is full and must be folded somewhere, and then some more",
          "many words that go on and on and on until the line is full and must be folded somewhere, and then some "
          "more" },
        { "bad \xFF byte", "bad \xEF\xBF\xBD byte" },
        { "\"quoted\" \\ (c) <d>", "\"quoted\" \\ (c) <d>" },
    };
    struct convert_charsets *charsets = convert_charsets_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tmtp_message message;
        tmtp_message_init(&message);
        const struct convert_out_request request = { .message = &message,
                                                     .subject = rows[i].text,
                                                     .from = mailbox(rows[i].text, "a", "example.org"),
                                                     .message_id = "3@gw",
                                                     .loop_mark = rows[i].text };
        struct strbuf mail;
        strbuf_init(&mail, CONVERT_MAIL_HEADER_MAX);
        char *header = header_of(&request);
        strbuf_add_fmt(&mail, "%s\r\n", header);
        assert_null(strstr(mail.data, "\r\nBcc"));
        assert_null(strstr(mail.data, "\r\nX:"));
        const char *end = mail.data + mail.len;
        size_t fields = 0;
        struct convert_field field;
        for (const char *at = mail.data; convert_field_next(&at, end, &field); fields++) {
            assert_true(strcspn(field.value, "\r") <= 78);
            char *text = convert_field_is(&field, "From")
                             ? convert_field_display_name(charsets, field.value, field.value_len, 1000)
                             : convert_field_text(charsets, field.value, field.value_len, 1000);
            if (convert_field_is(&field, "Subject") || convert_field_is(&field, "From") ||
                convert_field_is(&field, "X-Postern-Loop"))
                assert_string_equal(text, rows[i].back);
            free(text);
        }
        assert_int_equal(fields, 5);
        free(header);
        strbuf_free(&mail);
        tmtp_message_free(&message);
    }
    convert_charsets_free(&charsets);
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void test_references_and_refusals(void **state)
{
    (void)state;
    struct tmtp_message message;
    tmtp_message_init(&message);
    const char *references[300];
    char ids[300][32];
    for (size_t i = 0; i < 300; i++) {
        struct strbuf id;
        strbuf_init(&id, sizeof ids[i] - 1);
        strbuf_add_fmt(&id, "id%zu@example.com", i);
        memcpy(ids[i], id.data, id.len + 1);
        strbuf_free(&id);
        references[i] = ids[i];
    }
    references[299] = "bad>\r\nBcc: x";
    struct convert_out_request request = { .message = &message,
                                           .from = mailbox("", "a", "example.org"),
                                           .message_id = "3@gw",
                                           .in_reply_to = "a b",
                                           .references = references,
                                           .reference_count = 300 };
    char *header = header_of(&request);
    assert_non_null(strstr(header, "\r\nReferences: <id0@example.com>"));
    assert_null(strstr(header, "<id1@example.com>"));
    assert_non_null(strstr(header, "<id298@example.com>"));
    assert_null(strstr(header, "Bcc"));
    assert_null(strstr(header, "In-Reply-To"));
    assert_int_equal(count_of(header, "@example.com>"), CONVERT_REFERENCES_MAX);
    free(header);

    char long_ids[40][890]; /* more than fits: the first and the newest stay */
    for (size_t i = 0; i < 40; i++) {
        memset(long_ids[i], 'a' + (int)(i % 26), sizeof long_ids[i] - 1);
        long_ids[i][0] = i < 26 ? '1' : '2';
        long_ids[i][sizeof long_ids[i] - 1] = 0;
        references[i] = long_ids[i];
    }
    request.reference_count = 40;
    header = header_of(&request);
    assert_true(strlen(header) < 17 * 1024);
    assert_int_equal(count_of(header, ">"), 18 + 1); /* and the Message-ID */
    assert_non_null(strstr(header, "\r\nReferences:\r\n <1aaa"));
    assert_non_null(strstr(header, "<2nnn")); /* the last one */
    assert_null(strstr(header, "<1bbb"));
    free(header);

    assert_false(convert_mail_header_needs_utf8(&request));
    request.from = mailbox("", "älice", "example.org");
    assert_true(convert_mail_header_needs_utf8(&request));
    request.from = mailbox("", "alice",
                           "b\xc3\xbc"
                           "cher.example"); /* the domain alone can do without */
    assert_false(convert_mail_header_needs_utf8(&request));
    header = header_of(&request);
    assert_non_null(strstr(header, "From: alice@xn--bcher-kva.example\r\n"));
    free(header);

    static const char *const bad[] = { "", "a b", "a\r\nX: y", "<a@b>" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct strbuf out, detail;
        const char *error = NULL;
        strbuf_init(&out, 10000);
        strbuf_init(&detail, 100);
        request.message_id = bad[i];
        assert_int_equal(convert_mail_header_write(&out, &request, &detail, &error), -1);
        assert_non_null(error);
        strbuf_free(&out);
        strbuf_free(&detail);
    }
    tmtp_message_free(&message);
}

/* ---- the whole mail ---- */

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static char *mail_of(const char *content, size_t body_size, const struct convert_out_attachment *attachments,
                     size_t count, bool is_plain, char **detail_out)
{
    struct strbuf mail, detail;
    strbuf_init(&mail, (size_t)64 << 20);
    strbuf_init(&detail, 10000);
    const struct convert_out_job job = { .content = content,
                                         .body_size = body_size,
                                         .attachments = attachments,
                                         .attachment_count = count,
                                         .seed = 0x1234,
                                         .is_plain = is_plain };
    strbuf_add_str(&mail, "From: a@example.org\r\n");
    convert_mime_out(&job, collect, &mail, &detail);
    assert_true(strbuf_ok(&mail));
    assert_well_formed(mail.data, mail.len, 998);
    for (size_t i = 0; i < mail.len; i++)
        assert_true((unsigned char)mail.data[i] < 0x80);
    *detail_out = strbuf_detach(&detail);
    return strbuf_detach(&mail);
}

static void test_plain_mail(void **state)
{
    (void)state;
    char *detail;
    char *mail = mail_of("The *gate*.\n", 12, NULL, 0, false, &detail);
    assert_string_equal(mail, "From: a@example.org\r\n"
                              "MIME-Version: 1.0\r\n"
                              "Content-Type: multipart/alternative;\r\n boundary=\"=_1_0000000000001234\"\r\n\r\n"
                              "\r\n--=_1_0000000000001234\r\n"
                              "Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
                              "Content-Transfer-Encoding: 7bit\r\n\r\n"
                              "The _gate_.\r\n"
                              "\r\n--=_1_0000000000001234\r\n"
                              "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                              "<!DOCTYPE html>\r\n<html>\r\n<head><meta charset=\"utf-8\">"
                              "<meta name=\"color-scheme\" content=\"light dark\">"
                              "<meta name=\"supported-color-schemes\" content=\"light dark\"></head>\r\n"
                              "<body style=\"font-family:Arial,sans-serif\">\r\n"
                              "<p>The <em>gate</em>.</p>\r\n</body>\r\n</html>\r\n"
                              "\r\n--=_1_0000000000001234--\r\n");
    assert_string_equal(detail, "");
    free(mail);
    free(detail);
}

/* Our own reading of our own mail gives body and attachments back. */
static void test_attachments_come_back(void **state)
{
    (void)state;
    static const char body[] = "Grüße ![x](this_u:a.png)\n\n--=_0_0000000000001234--\n\nFrom here\n\n.\n";
    static const char data[] = "PNG\0\r\n.\r\nTEXT{}{}";
    static const struct convert_out_attachment attachments[] = {
        { "u:a.png", 9 },
        { "u:../\"b\r\nX: y\".txt", 4 },
        { "r:Form", 2 },
        { "u:Übersicht über die Maße und die Gewichte aller Türen.txt", 2 },
    };
    struct strbuf content;
    strbuf_init(&content, 1000);
    strbuf_add(&content, body, sizeof body - 1);
    strbuf_add(&content, data, sizeof data - 1);
    assert_int_equal(sizeof data - 1, 9 + 4 + 2 + 2);
    char *detail;
    char *mail = mail_of(content.data, sizeof body - 1, attachments, 4, false, &detail);
    assert_non_null(strstr(detail, "\"Form.json\" is carried as JSON"));
    assert_null(strstr(mail, "\r\nX: y"));
    char *again_detail;
    char *again = mail_of(content.data, sizeof body - 1, attachments, 4, false, &again_detail);
    assert_string_equal(mail, again);
    free(again);
    free(again_detail);

    struct convert_charsets *charsets = convert_charsets_new();
    struct convert_in_message message;
    struct strbuf back;
    strbuf_init(&back, 1 << 20);
    struct convert_input input = convert_input_of(mail, strlen(mail));
    convert_mime_in(charsets, &input, &(struct convert_in_options){ .is_automatic = false }, collect, &back, &message);
    assert_string_equal(message.detail, "HTML shown");
    static const char *const names[] = { "u:a.png", "u:_.__b X_ y_.txt", "u:Form.json",
                                         "u:Übersicht über die Maße und die Gewichte aller Türen.txt" };
    assert_int_equal(message.attachment_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(message.attachments[i].name, names[i]);
        assert_int_equal(message.attachments[i].size, attachments[i].size);
    }
    static const char seen[] = "Grüße ![x](this_u:a.png)\n\n--=_0_0000000000001234--\n\nFrom here\n\n.\n\n"
                               "The form \"Form\", filled in with nothing (attached: Form.json).\n";
    char *seen_back = xstrndup(back.data, (size_t)message.body_size);
    assert_string_equal(seen_back, seen);
    free(seen_back);
    assert_memory_equal(back.data + message.body_size, data, sizeof data - 1);
    convert_in_message_free(&message);
    strbuf_free(&back);
    strbuf_free(&content);
    convert_charsets_free(&charsets);
    free(mail);
    free(detail);
}

/* Under what the member wrote, in both parts, and only what is given. */
static void test_what_is_answered(void **state)
{
    (void)state;
    static const char body[] = "The *gate* is open.\n";
    struct convert_out_job job = { .content = body, .body_size = sizeof body - 1, .seed = 0x1234 };
    job.answered_intro = "On 2 November 2026, Bob <bob@example.com> wrote:";
    job.answered_text = "Is the **gate** open?\n\n> I asked before.\n";
    struct strbuf mail, detail;
    strbuf_init(&mail, 1 << 20);
    strbuf_init(&detail, 1000);
    convert_mime_out(&job, collect, &mail, &detail);
    assert_non_null(strstr(mail.data, "The _gate_ is open.\r\n\r\nOn 2 November 2026, Bob <bob@example.com> wrote:\r\n"
                                      "\r\n> Is the *gate* open?\r\n>\r\n>> I asked before.\r\n"));
    assert_non_null(strstr(mail.data, "On 2 November 2026, Bob &lt;bob@example.com&gt; wrote:</p>"));
    assert_non_null(strstr(mail.data, "<strong>gate</strong> open?"));
    strbuf_clear(&mail);
    job.is_plain = true;
    convert_mime_out(&job, collect, &mail, &detail);
    assert_non_null(strstr(mail.data, "The *gate* is open.\r\n\r\nOn 2 November 2026, Bob <bob@example.com> wrote:\r\n"
                                      "\r\n> Is the **gate** open?\r\n"));
    strbuf_free(&mail);
    strbuf_free(&detail);
}

static void test_unrendered_forms(void **state)
{
    (void)state;
    char *detail;
    char *mail = mail_of("The *gate*.\n", 12, NULL, 0, true, &detail);
    assert_non_null(strstr(mail, "Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
                                 "Content-Transfer-Encoding: 7bit\r\n\r\nThe *gate*.\r\n"));
    assert_null(strstr(mail, "html"));
    assert_non_null(strstr(detail, "without rendering"));
    free(mail);
    free(detail);

    struct strbuf body;
    strbuf_init(&body, 1 << 20);
    while (body.len <= CONVERT_MARKDOWN_MAX)
        strbuf_add_str(&body, "a *long* text\n");
    mail = mail_of(body.data, body.len, NULL, 0, false, &detail);
    assert_non_null(strstr(mail, "<pre style=\"white-space:pre-wrap\">a *long* text"));
    assert_non_null(strstr(detail, "too long"));
    free(mail);
    free(detail);
    strbuf_clear(&body);

    for (size_t i = 0; i < 100000; i++)
        strbuf_add_str(&body, "> ");
    mail = mail_of(body.data, body.len, NULL, 0, false, &detail);
    assert_non_null(strstr(detail, "too deep"));
    free(mail);
    free(detail);
    strbuf_free(&body);
}

/* The content of the part that begins behind `header`, decoded, is `expected`. */
static void assert_attached(const char *mail, const char *header, const char *expected, size_t len)
{
    struct strbuf decoded;
    strbuf_init(&decoded, 64 << 20);
    const char *start = strstr(mail, header);
    assert_non_null(start);
    const char *encoding = start;
    while (strncmp(encoding, "\r\nContent-Transfer-Encoding: ", 29) != 0)
        encoding--;
    char *label = xstrndup(encoding + 29, strcspn(encoding + 29, "\r"));
    start = strstr(start, "\r\n\r\n") + 4;
    const char *end = strstr(start, "\r\n--=_");
    assert_non_null(end);
    convert_transfer_decode(convert_transfer_from_label(label), start, (size_t)(end - start), NULL, collect, &decoded);
    assert_int_equal(decoded.len, len);
    assert_memory_equal(decoded.data, expected, len);
    strbuf_free(&decoded);
    free(label);
}

/* Whatever the bytes are, they come back, in no more room than base64 takes; and each kind in its encoding and type. */
#define WORDS "Many words that need no encoding, so that a few others may have it, and more of them.\n"

static void test_files_come_back(void **state)
{
    (void)state;
    static const struct row {
        const char *name, *type, *encoding, *content;
        size_t len; /* 0: of the string */
    } rows[] = {
        { "u:a.txt", "text/plain", "quoted-printable", "one and many more words\ntwo and as many again\n", 0 },
        { "u:a.txt", "text/plain", "quoted-printable", WORDS WORDS "one\r\ntwo \r\n \n\rFrom me\n.\n= ", 0 },
        { "u:a.txt", "text/plain; charset=utf-8", "quoted-printable",
          "one \xC3\xA9 and many more letters in many words\n", 0 },
        { "u:a.txt", "text/plain; charset=utf-8", "base64", "\xE9\x96\x80\xE9\x96\x80\xE9\x96\x80", 0 },
        { "u:a.txt", "text/plain", "quoted-printable", "one \xE9 and many more letters in many words\n", 0 },
        { "u:a.bin", "application/octet-stream", "base64", "\x01\x02\x00\x03", 4 },
        { "u:a", "image/png", "base64", "\x89PNG\r\n\x1A\n\0\0\0\rIHDR", 16 },
        { "u:a.jpg", "image/png", "base64", "\x89PNG\r\n\x1A\n\0\0\0\rIHDR", 16 },
        { "u:a.dat", "application/pdf", "base64", "%PDF-1.7\n", 0 },
        { "u:README", "text/plain", "base64", "a", 0 },
        { "u:a.json", "application/json", "quoted-printable", "{\"a\": \"a longer text\"}", 0 },
        { "u:a.txt", "text/plain", "7bit", "", 0 },
        { "u:a.eml", "message/rfc822", "7bit", "From: a@example.com\r\n\r\nHello.\r\n", 0 },
        { "u:a.eml", "application/octet-stream", "base64", "From: a@example.com\n\nHello.\n", 0 },
        { "u:a.eml", "application/octet-stream", "base64", "From: a@example.com\r\n\r\nH\xC3\xA9llo.\r\n", 0 },
        { "u:a.eml", "application/octet-stream", "base64", "From: a@example.com\r\n\r\n--=_1_0000000000001234--", 0 },
        { "u:a.eml", "application/octet-stream", "base64", "", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = rows[i].len > 0 ? rows[i].len : strlen(rows[i].content);
        const struct convert_out_attachment attachment = { .name = rows[i].name, .size = len };
        char *detail, *mail = mail_of(rows[i].content, 0, &attachment, 1, false, &detail);
        struct strbuf header;
        strbuf_init(&header, 1000);
        strbuf_add_fmt(&header,
                       "Content-Type: %s;\r\n name=\"%s\"\r\nContent-Transfer-Encoding: %s\r\n"
                       "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n\r\n",
                       rows[i].type, rows[i].name + 2, rows[i].encoding, rows[i].name + 2);
        if (!strstr(mail, header.data))
            fail_msg("case %zu:\n%s", i, mail);
        assert_attached(mail, "Content-Disposition: attachment", rows[i].content, len);
        strbuf_free(&header);
        free(mail);
        free(detail);
    }
}

/* Neither shown nor lost. A member's own file keeps its name. */
static void test_long_text_is_attached(void **state)
{
    (void)state;
    static const struct convert_out_attachment attachments[] = { { "u:message.md", 3 } };
    struct strbuf content;
    char *detail;
    strbuf_init(&content, 64 << 20);
    while (content.len <= CONVERT_SHOWN_MAX)
        strbuf_add_str(&content, "a *long* \xFF text\n");
    size_t body_size = content.len;
    strbuf_add_str(&content, "own");
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        char *mail = mail_of(content.data, body_size, attachments, 1, is_plain, &detail);
        assert_non_null(strstr(detail, "too long to be shown, and attached"));
        assert_non_null(strstr(mail, "it is attached as \"message (2).md\"."));
        assert_null(strstr(mail, "a *long*"));
        assert_attached(mail, "filename=\"message.md\"", "own", 3);
        assert_attached(mail, "filename=\"message (2).md\"", content.data, body_size);
        free(mail);
        free(detail);
    }
    strbuf_free(&content);
}

/* In a forwarded thread, what still fits is shown. */
static void test_long_texts_of_a_thread_are_attached(void **state)
{
    (void)state;
    /* KiB; all but the second and the last are shown */
    static const size_t sizes[] = { 600, 500, 400, 0, 20, 2000 };
    struct convert_out_quote quotes[6];
    struct strbuf content, mail, detail;
    strbuf_init(&content, 64 << 20);
    for (size_t i = 0; i < 6; i++) {
        quotes[i] = (struct convert_out_quote){ "Intro.", i == 1 ? "Outro." : "", content.len, sizes[i] * 1024 };
        for (size_t n = 0; n < sizes[i] * 1024 / 16; n++)
            strbuf_add_fmt(&content, "%zu23456789abcdef\n", i);
    }
    strbuf_init(&mail, 64 << 20);
    strbuf_init(&detail, 10000);
    const struct convert_out_job job = {
        .content = content.data, .body_size = content.len, .quotes = quotes, .quote_count = 6, .seed = 0x1234
    };
    convert_mime_out(&job, collect, &mail, &detail);
    assert_true(strbuf_ok(&mail));
    assert_non_null(strstr(detail.data, "too long to be shown, and attached"));
    static const char *const shown[] = { "> 0234", "> 2234", "> 4234" };
    for (size_t i = 0; i < 3; i++)
        assert_non_null(strstr(mail.data, shown[i]));
    assert_null(strstr(mail.data, "> 1234"));
    assert_null(strstr(mail.data, "> 5234"));
    assert_non_null(strstr(mail.data, "attached as \"message.md\". Outro."));
    assert_attached(mail.data, "filename=\"message.md\"", content.data + quotes[1].offset, quotes[1].size);
    assert_attached(mail.data, "filename=\"message (2).md\"", content.data + quotes[5].offset, quotes[5].size);
    strbuf_free(&mail);
    strbuf_free(&detail);
    strbuf_free(&content);
}

/* Seconds of work for a body of this size, made of one piece. */
static double seconds_for(const char *piece, size_t size)
{
    struct strbuf body;
    char *detail;
    strbuf_init(&body, 1 << 20);
    while (body.len + strlen(piece) <= size)
        strbuf_add_str(&body, piece);
    double start = cpu_seconds();
    free(mail_of(body.data, body.len, NULL, 0, false, &detail));
    double spent = cpu_seconds() - start;
    free(detail);
    strbuf_free(&body);
    return spent;
}

/* Four times the text takes about four times the time, and never long: nobody can keep a worker busy with little. */
static void test_hostile_commonmark_is_fast(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "[",
        "![",
        "[a](",
        "*a ",
        "**a",
        "_a_ ",
        "`",
        "``` ",
        "<",
        "<a",
        "&",
        "> ",
        "- ",
        "1. ",
        "|",
        "a|\n-|\n",
        "\n",
        "~~a",
        "[a]: b\n",
        "#",
        "\\",
        "](",
        ":::\n",
        ":::\n\n",
        ">\n",
        "a|b\n-|-\n|\n",
        "|-|-|\n",
        "x ",
        "門",
        "a\n> ",
        "- a\n",
        "[a](b) ",
        "![a](this_u:b) ",
        "![?](this_f:b) ",
        "https://a.example/ ",
        "https://",
        "https://-",
        "*https://a.example/",
        "\\\n",
        "--\n",
        " \n",
        "a  \n",
        "> - ",
        "`a ",
        "``a` ",
        "[[a]](b)",
        "<a@b.c>",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        double quarter = seconds_for(pieces[i], CONVERT_MARKDOWN_MAX / 4),
               whole = seconds_for(pieces[i], CONVERT_MARKDOWN_MAX);
        if (whole > 2 || whole > 8 * quarter + 0.1)
            print_message("%s: %.2f s, a quarter of it %.2f s\n", pieces[i], whole, quarter);
        assert_true(whole < 10 * quarter + 0.5);
        assert_true(whole < 10);
    }
}

static void test_requests_are_checked(void **state)
{
    (void)state;
    static const struct convert_out_attachment attachments[] = { { "u:a", 3, NULL }, { "r:b", 4, "a/b" } };
    const struct convert_out_job job = { .body_size = 5,
                                         .attachments = attachments,
                                         .attachment_count = 2,
                                         .answered_intro = "Bob wrote:",
                                         .answered_text = "a\nb\n",
                                         .seed = 9 };
    struct strbuf description;
    strbuf_init(&description, 1000);
    convert_wire_encode_out(&job, &description);
    struct convert_out_job back;
    assert_int_equal(convert_wire_decode_out(description.data, description.len, 12, &back), 1);
    assert_int_equal(back.body_size, 5);
    assert_string_equal(back.attachments[1].name, "r:b");
    assert_null(back.attachments[0].ffn);
    assert_string_equal(back.attachments[1].ffn, "a/b");
    assert_string_equal(back.answered_intro, "Bob wrote:");
    assert_string_equal(back.answered_text, "a\nb\n");
    convert_wire_free_out(&back);
    assert_int_equal(convert_wire_decode_out(description.data, description.len, 11, &back), -1);
    for (size_t len = 0; len < description.len; len++)
        assert_int_equal(convert_wire_decode_out(description.data, len, 12, &back), -1);
    strbuf_free(&description);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_header),
        cmocka_unit_test(test_values_come_back),
        cmocka_unit_test(test_references_and_refusals),
        cmocka_unit_test(test_plain_mail),
        cmocka_unit_test(test_attachments_come_back),
        cmocka_unit_test(test_files_come_back),
        cmocka_unit_test(test_what_is_answered),
        cmocka_unit_test(test_unrendered_forms),
        cmocka_unit_test(test_long_text_is_attached),
        cmocka_unit_test(test_long_texts_of_a_thread_are_attached),
        cmocka_unit_test(test_hostile_commonmark_is_fast),
        cmocka_unit_test(test_requests_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
