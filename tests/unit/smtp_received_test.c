/* Tests of smtp_received: the field as it stands in front of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "smtp/mail_header.h"
#include "smtp/smtp_received.h"

#define BY   "by mx.example.org (Postern) with "
#define DATE "Thu, 26 Nov 2026 01:02:03 +0000\r\n"

/* Lines are compared, each with its fold: what stands there is what a reader sees. */
static const struct received_case {
    const char *what;
    struct smtp_received received; /* hostname and time are added */
    const char *expected;
} received_cases[] = {
    { "all that may be known",
      { .helo = "mail.example.com",
        .name = "out.example.com",
        .address = "192.0.2.1",
        .protocol = "ESMTPS",
        .tls_version = "TLSv1.3",
        .id = "a1b2c3-7-1",
        .recipient = "bob@example.org" },
      "Received: from mail.example.com (out.example.com [192.0.2.1])\r\n"
      "\t" BY "ESMTPS (TLSv1.3) id a1b2c3-7-1\r\n"
      "\tfor <bob@example.org>; " DATE },
    { "no name from the DNS",
      { .helo = "mail.example.com", .address = "192.0.2.1", .protocol = "ESMTP", .id = "1-1" },
      "Received: from mail.example.com ([192.0.2.1])\r\n\t" BY "ESMTP id 1-1;\r\n\t" DATE },
    { "IPv6, and a literal as helo",
      { .helo = "[IPv6:2001:db8::1]", .address = "2001:db8::1", .protocol = "ESMTP", .id = "1-1" },
      "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n\t" BY "ESMTP id 1-1;\r\n\t" DATE },
    { "a zone, which is nobody else's business",
      { .helo = "a.example", .address = "fe80::1%eth0", .protocol = "ESMTP", .id = "1-1" },
      "Received: from a.example ([IPv6:fe80::1])\r\n\t" BY "ESMTP id 1-1;\r\n\t" DATE },
    { "a unix socket",
      { .helo = "mx.example.org", .address = "unix", .protocol = "LMTP", .id = "1-1" },
      "Received: from mx.example.org (unix socket)\r\n\t" BY "LMTP id 1-1;\r\n\t" DATE },
    { "brought on by somebody else",
      { .helo = "a.example", .address = "192.0.2.1", .via = "127.0.0.1", .protocol = "LMTP", .id = "1-1" },
      "Received: from a.example ([192.0.2.1]) (told by [127.0.0.1])\r\n\t" BY "LMTP id 1-1;\r\n\t" DATE },
    { "brought on through a unix socket",
      { .helo = "a.example", .address = "192.0.2.1", .via = "unix", .protocol = "LMTP", .id = "1-1" },
      "Received: from a.example ([192.0.2.1]) (told by unix socket)\r\n\t" BY "LMTP id 1-1;\r\n\t" DATE },
    { "nothing known",
      { .helo = "", .protocol = "LMTP", .id = "1-1" },
      "Received: from unknown (unknown)\r\n\t" BY "LMTP id 1-1;\r\n\t" DATE },
    { "a helo that would end the comment",
      { .helo = "a) by b (\\\"", .address = "192.0.2.1", .protocol = "SMTP", .id = "1-1" },
      "Received: from [192.0.2.1] ([192.0.2.1] helo=\"a\\) by b \\(\\\\\\\"\")\r\n\t" BY "SMTP id 1-1;\r\n\t" DATE },
    { "a helo that would end the line",
      { .helo = "a\r\nBcc: b\x7f", .address = "192.0.2.1", .protocol = "SMTP", .id = "1-1" },
      "Received: from [192.0.2.1] ([192.0.2.1] helo=\"a??Bcc: b?\")\r\n\t" BY "SMTP id 1-1;\r\n\t" DATE },
    { "a helo that would end the field",
      { .helo = "a; b", .address = "unix", .protocol = "SMTP", .id = "1-1" },
      "Received: from unknown (unix socket helo=\"a; b\")\r\n\t" BY "SMTP id 1-1;\r\n\t" DATE },
    { "a name that is none",
      { .helo = "a.example", .name = "b(c", .address = "192.0.2.1", .protocol = "SMTP", .id = "1-1" },
      "Received: from a.example ([192.0.2.1])\r\n\t" BY "SMTP id 1-1;\r\n\t" DATE },
    { "an address that is none",
      { .helo = "a.example", .address = "1.2.3.4) x (", .protocol = "SMTP", .id = "1-1" },
      "Received: from a.example (unknown)\r\n\t" BY "SMTP id 1-1;\r\n\t" DATE },
    { "UTF-8 where it may stand",
      { .helo = "b\xc3\xbc.example",
        .address = "192.0.2.1",
        .protocol = "UTF8SMTP",
        .id = "1-1",
        .recipient = "b\xc3\xbc@b\xc3\xbc.example",
        .is_smtputf8 = true },
      "Received: from b\xc3\xbc.example ([192.0.2.1])\r\n\t" BY "UTF8SMTP id 1-1\r\n"
      "\tfor <b\xc3\xbc@b\xc3\xbc.example>; " DATE },
    { "UTF-8 where it may not",
      { .helo = "b\xc3\xbc.example",
        .address = "192.0.2.1",
        .protocol = "ESMTP",
        .id = "1-1",
        .recipient = "b\xc3\xbc@b\xc3\xbc.example" },
      "Received: from [192.0.2.1] ([192.0.2.1] helo=\"b??.example\")\r\n\t" BY "ESMTP id 1-1;\r\n\t" DATE },
    { "octets that are not UTF-8",
      { .helo = "b\xc3.example", .address = "192.0.2.1", .protocol = "UTF8SMTP", .id = "1-1", .is_smtputf8 = true },
      "Received: from [192.0.2.1] ([192.0.2.1] helo=\"b?.example\")\r\n\t" BY "UTF8SMTP id 1-1;\r\n\t" DATE },
    { "long names are put on lines of their own",
      { .helo = "a-host-with-quite-a-long-name.in-a-long-domain.example.com",
        .name = "another-long-name-that-the-dns-has.in-a-long-domain.example.com",
        .address = "192.0.2.1",
        .protocol = "ESMTP",
        .id = "1-1" },
      "Received: from a-host-with-quite-a-long-name.in-a-long-domain.example.com\r\n"
      "\t(another-long-name-that-the-dns-has.in-a-long-domain.example.com\r\n"
      "\t[192.0.2.1])\r\n\t" BY "ESMTP id 1-1;\r\n\t" DATE },
};

static int64_t some_time(void)
{
    int64_t now = 0;
    assert_int_equal(clock_parse_rfc3339("2026-11-26T01:02:03Z", &now), 1);
    return now;
}

static void fields_say_what_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof received_cases / sizeof received_cases[0]; i++) {
        const struct received_case *c = &received_cases[i];
        struct smtp_received received = c->received;
        struct strbuf out;
        received.hostname = "mx.example.org";
        received.now = some_time();
        strbuf_init(&out, SMTP_RECEIVED_MAX);
        smtp_received_compose(&received, &out);
        assert_true(strbuf_ok(&out));
        if (strcmp(out.data, c->expected) != 0)
            fail_msg("%s:\n%s", c->what, out.data);
        strbuf_free(&out);
    }
}

/* Every octet, in every text of a peer's: it stays one field, of lines that do not end it. */
static void no_text_ends_the_field(void **state)
{
    (void)state;
    for (int octet = 1; octet < 256; octet++) {
        char text[4] = { 'a', (char)octet, 'b', '\0' };
        for (int is_smtputf8 = 0; is_smtputf8 < 2; is_smtputf8++) {
            struct smtp_received received = {
                .helo = text,
                .name = text,
                .address = text,
                .via = text,
                .hostname = "mx.example.org",
                .protocol = "ESMTP",
                .id = "1-1",
                .is_smtputf8 = is_smtputf8,
                .now = some_time(),
            };
            struct strbuf out;
            struct mail_header_facts facts = { 0 };
            strbuf_init(&out, SMTP_RECEIVED_MAX);
            smtp_received_compose(&received, &out);
            size_t field = out.len;
            strbuf_add_str(&out, "From: <a@example.org>\r\n\r\n");
            mail_header_scan(out.data, out.len, &facts);
            assert_int_equal(facts.from_state, MAIL_HEADER_FROM_OK);
            assert_int_equal(facts.received_count, 1);
            for (size_t i = 0; i + 2 < field; i++) {
                unsigned char c = (unsigned char)out.data[i];
                assert_true(c >= ' ' || c == '\t' || c == '\r' || c == '\n');
                if (out.data[i] == '\n')
                    assert_int_equal(out.data[i + 1], '\t');
            }
            mail_header_facts_free(&facts);
            strbuf_free(&out);
        }
    }
}

static void the_longest_field_has_room(void **state)
{
    (void)state;
    char helo[256], recipient[255];
    memset(helo, '(', sizeof helo - 1);
    helo[sizeof helo - 1] = '\0';
    memset(recipient, 'a', sizeof recipient - 1);
    recipient[sizeof recipient - 1] = '\0';
    struct smtp_received received = {
        .helo = helo,
        .name = recipient,
        .address = "2001:db8:1111:2222:3333:4444:5555:6666",
        .via = "2001:db8:1111:2222:3333:4444:5555:6666",
        .hostname = recipient,
        .protocol = "UTF8SMTPS",
        .tls_version = "TLSv1.3",
        .id = "0123456789-0123456789-0123456789",
        .recipient = recipient,
        .now = some_time(),
    };
    struct strbuf out;
    strbuf_init(&out, SMTP_RECEIVED_MAX);
    smtp_received_compose(&received, &out);
    assert_true(strbuf_ok(&out));
    assert_non_null(strstr(out.data, "01:02:03"));
    size_t line = 0;
    for (size_t i = 0; i < out.len; i++) {
        line = out.data[i] == '\n' ? 0 : line + 1;
        assert_true(line <= 998);
    }
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_say_what_is_known),
        cmocka_unit_test(no_text_ends_the_field),
        cmocka_unit_test(the_longest_field_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
