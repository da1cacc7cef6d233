/* Tests of mail_header: whom a message is from beyond doubt, its ids, its marks, and the digest of repetitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/mail_header.h"

#define OK        MAIL_HEADER_FROM_OK
#define MISSING   MAIL_HEADER_FROM_MISSING
#define AMBIGUOUS MAIL_HEADER_FROM_AMBIGUOUS

static const struct from_case {
    const char *header;
    enum mail_header_from state;
    const char *address; /* with OK */
} from_cases[] = {
    { "From: bob@example.com\r\n\r\n", OK, "bob@example.com" },
    { "From: bob@example.com\n\n", OK, "bob@example.com" },
    { "From: bob@example.com", OK, "bob@example.com" },
    { "FROM:bob@example.com\r\n\r\n", OK, "bob@example.com" },
    { "From : bob@example.com\r\n\r\n", OK, "bob@example.com" },
    { "From\t:bob@example.com\r\n\r\n", OK, "bob@example.com" },
    { "From: Bob <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: < bob@example.com >\r\n\r\n", OK, "bob@example.com" },
    { "From: Bob B. Smith <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: \"Smith, Bob\" <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: bob@example.com (Bob)\r\n\r\n", OK, "bob@example.com" },
    { "From: (Bob (really)) bob@example.com\r\n\r\n", OK, "bob@example.com" },
    { "From: Bob (a \\) comment <x@y.example>) <bob@example.com> (Bob)\r\n\r\n", OK, "bob@example.com" },
    { "From: =?UTF-8?Q?B=C3=B6b?= <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: =?UTF-8?B?ZXZlQGV2aWwuZXhhbXBsZQ==?= <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: B\xc3\xb6"
      "b <b\xc3\xb6"
      "b@example.com>\r\n\r\n",
      OK,
      "b\xc3\xb6"
      "b@example.com" },
    { "From: B\xf6"
      "b <bob@example.com>\r\n\r\n",
      OK, "bob@example.com" },
    { "From: Bob\r\n <bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From:\r\n\tBob\r\n\t<bob@example.com>\r\n\r\n", OK, "bob@example.com" },
    { "From: \"bob smith\"@example.com\r\n\r\n", OK, "\"bob smith\"@example.com" },
    { "From: Bob <\"bob smith\"@example.com>\r\n\r\n", OK, "\"bob smith\"@example.com" },
    { "From: Bob <bob@[192.0.2.1]>\r\n\r\n", OK, "bob@[192.0.2.1]" },
    { "From: bob@example.com <Bob@example.com>\r\n\r\n", OK, "Bob@example.com" },
    { "Subject: x\r\nFrom: bob@example.com\r\nTo: y\r\n\r\nFrom: eve@evil.example\r\n", OK, "bob@example.com" },
    { "From bob@example.com Mon Nov 23 06:28:25 2026\nFrom: bob@example.com\n\n", OK, "bob@example.com" },
    { "From: bob@example.com\r\nSubject: x\r\n \r\n\r\n", OK, "bob@example.com" },

    /* A display name is not an address. */
    { "From: \"bob@example.com\" <eve@evil.example>\r\n\r\n", OK, "eve@evil.example" },
    { "From: \"Bob <bob@example.com>\" <eve@evil.example>\r\n\r\n", OK, "eve@evil.example" },
    { "From: \"\\\"bob@example.com\\\"\" <eve@evil.example>\r\n\r\n", OK, "eve@evil.example" },
    { "From: (bob@example.com) eve@evil.example\r\n\r\n", OK, "eve@evil.example" },
    { "From: bob@example.com <eve@evil.example>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: <bob@example.com> <eve@evil.example>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: Bob <bob@example.com> eve@evil.example\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob @example.com <eve@evil.example>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: [bob] <eve@evil.example>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: =?UTF-8?Q?bob@example.com?= <eve@evil.example>\r\n\r\n", AMBIGUOUS, NULL },

    /* One author, or none that counts. */
    { "From: bob@example.com, eve@evil.example\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob@example.com,\r\n\r\n", AMBIGUOUS, NULL },
    { "From: Smith, Bob <bob@example.com>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: Friends: bob@example.com;\r\n\r\n", AMBIGUOUS, NULL },
    { "From: undisclosed:;\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob@example.com\r\nFrom: eve@evil.example\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob@example.com\r\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob@example.com\r\nfrom : eve@evil.example\r\n\r\n", AMBIGUOUS, NULL },

    /* Not clear beyond doubt. */
    { "From:\r\n\r\n", AMBIGUOUS, NULL },
    { "From: <>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob\r\n\r\n", AMBIGUOUS, NULL },
    { "From: Bob <bob>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob @ example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob(x)@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: b . ob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: <@evil.example:bob@example.com>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: <@a.example,@b.example:bob@example.com>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: \"Bob <bob@example.com>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: (Bob bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: Bob <bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: Bob bob@example.com>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: \x01 <bob@example.com>\r\n\r\n", AMBIGUOUS, NULL },
    { "From: <b\xf6"
      "b@example.com>\r\n\r\n",
      AMBIGUOUS, NULL },

    /* What others may take for the end of the header, or for another field. */
    { "X\r\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { " X: y\r\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { ">From bob@example.com\r\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob@example.com\r\nFrom\x0b: eve@evil.example\r\n\r\n", AMBIGUOUS, NULL },
    { "Subject: x\r\n \r\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "From: bob@example.com\r\n \r\n (x)\r\n\r\n", AMBIGUOUS, NULL },
    { "X: a\rFrom: eve@evil.example\r\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },
    { "X: a\nFrom: bob@example.com\r\n\r\n", AMBIGUOUS, NULL },

    { "", MISSING, NULL },
    { "\r\nFrom: bob@example.com\r\n", MISSING, NULL },
    { "Subject: x\r\n\r\nFrom: bob@example.com\r\n", MISSING, NULL },
    { "Resent-From: bob@example.com\r\nX-From: a@b.example\r\n\r\n", MISSING, NULL },
};

static void finds_the_author(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof from_cases / sizeof from_cases[0]; i++) {
        const struct from_case *row = &from_cases[i];
        struct mail_header_facts facts;
        print_message("%s\n", row->header);
        mail_header_scan(row->header, strlen(row->header), &facts);
        assert_int_equal(facts.from_state, row->state);
        if (row->state == OK) {
            char text[SMTP_ADDRESS_MAX + 2];
            smtp_address_format(&facts.from, text);
            assert_string_equal(text, row->address);
        }
        mail_header_facts_free(&facts);
    }
}

static void nul_makes_ambiguous(void **state)
{
    (void)state;
    static const char *const parts[][2] = {
        { "From: bob@example.com", "\r\n\r\n" },
        { "Subject: a", "b\r\nFrom: bob@example.com\r\n\r\n" },
        { "From: bob@example.com\r\nX", ": y\r\n\r\n" },
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        strbuf_add_str(&text, parts[i][0]);
        strbuf_add_char(&text, '\0');
        strbuf_add_str(&text, parts[i][1]);
        struct mail_header_facts facts;
        mail_header_scan(text.data, text.len, &facts);
        assert_int_equal(facts.from_state, AMBIGUOUS);
        mail_header_facts_free(&facts);
        strbuf_free(&text);
    }
}

static void add_padding(struct strbuf *text, size_t size)
{
    static const char line[] =
        "X-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
    size_t start = text->len;
    while (text->len - start < size)
        strbuf_add_str(text, line);
}

/* Neither the octets nor the fields beyond the limits are read, and what was cut off proves nothing. */
static void limits_hold(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1024 * 1024);
    add_padding(&text, MAIL_HEADER_MAX);
    strbuf_add_str(&text, "From: bob@example.com\r\n\r\n");
    struct mail_header_facts facts;
    mail_header_scan(text.data, text.len, &facts);
    assert_true(facts.too_long);
    assert_int_equal(facts.from_state, AMBIGUOUS);
    assert_true(facts.header_size <= MAIL_HEADER_MAX);
    mail_header_facts_free(&facts);

    strbuf_clear(&text);
    strbuf_add_str(&text, "From: bob@example.com\r\nMessage-ID: <a@b>\r\n");
    add_padding(&text, MAIL_HEADER_MAX);
    strbuf_add_str(&text, "From: eve@evil.example\r\n\r\n");
    mail_header_scan(text.data, text.len, &facts);
    assert_true(facts.too_long);
    assert_int_equal(facts.from_state, AMBIGUOUS);
    assert_string_equal(facts.message_id, "a@b");
    mail_header_facts_free(&facts);

    for (unsigned count = MAIL_HEADER_FIELDS_MAX; count <= MAIL_HEADER_FIELDS_MAX + 1; count++) {
        strbuf_clear(&text);
        strbuf_add_str(&text, "From: bob@example.com\r\n");
        for (unsigned i = 1; i < count; i++)
            strbuf_add_str(&text, "X: y\r\n");
        strbuf_add_str(&text, "\r\nbody");
        mail_header_scan(text.data, text.len, &facts);
        assert_int_equal(facts.too_long, count > MAIL_HEADER_FIELDS_MAX);
        assert_int_equal(facts.from_state, count > MAIL_HEADER_FIELDS_MAX ? AMBIGUOUS : OK);
        mail_header_facts_free(&facts);
    }
    strbuf_free(&text);
}

static const struct {
    const char *header;
    const char *id; /* NULL: none */
} id_cases[] = {
    { "Message-ID: <a.b@example.com>\r\n\r\n", "a.b@example.com" },
    { "message-id:<a@b>\r\n\r\n", "a@b" },
    { "Message-ID:\r\n <a@b> (made by hand)\r\n\r\n", "a@b" },
    { "Message-ID: (c) <no-at-sign>\r\n\r\n", "no-at-sign" },
    { "Message-ID: <\xc3\xb6@b>\r\n\r\n", "\xc3\xb6@b" },
    { "Message-ID: a@b\r\n\r\n", NULL },
    { "Message-ID: <a@b\r\n\r\n", NULL },
    { "Message-ID: <>\r\n\r\n", NULL },
    { "Message-ID: <a b@c>\r\n\r\n", NULL },
    { "Message-ID: <a@b> <c@d>\r\n\r\n", NULL },
    { "Message-ID: x <a@b>\r\n\r\n", NULL },
    { "Message-ID: <a<b@c>\r\n\r\n", NULL },
    { "Message-ID: <\xff@b>\r\n\r\n", NULL },
    { "Message-ID: <a@b>\r\nMessage-ID: <a@b>\r\n\r\n", NULL },
    { "Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", NULL },
};

static void finds_the_message_id(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof id_cases / sizeof id_cases[0]; i++) {
        struct mail_header_facts facts;
        print_message("%s\n", id_cases[i].header);
        mail_header_scan(id_cases[i].header, strlen(id_cases[i].header), &facts);
        if (id_cases[i].id == NULL)
            assert_null(facts.message_id);
        else
            assert_string_equal(facts.message_id, id_cases[i].id);
        mail_header_facts_free(&facts);
    }
}

static void long_ids_are_refused(void **state)
{
    (void)state;
    for (size_t len = MAIL_HEADER_ID_MAX; len <= MAIL_HEADER_ID_MAX + 1; len++) {
        struct strbuf text;
        strbuf_init(&text, 4000);
        strbuf_add_str(&text, "Message-ID: <");
        for (size_t i = 0; i < len; i++)
            strbuf_add_char(&text, 'a');
        strbuf_add_str(&text, ">\r\n\r\n");
        struct mail_header_facts facts;
        mail_header_scan(text.data, text.len, &facts);
        assert_int_equal(facts.message_id != NULL, len == MAIL_HEADER_ID_MAX);
        mail_header_facts_free(&facts);
        strbuf_free(&text);
    }
}

static const struct {
    const char *header;
    const char *ids; /* joined by spaces */
} reference_cases[] = {
    { "References: <a@x> <b@x>\r\n <c@x>\r\n\r\n", "c@x b@x a@x" },
    { "References: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n\r\n", "b@x a@x" },
    { "In-Reply-To: <c@x>\r\nReferences: <a@x><b@x>\r\n\r\n", "c@x b@x a@x" },
    { "References: <a@x> (<hidden@x>) <b@x> junk <b c@x>, <a@x>\r\n\r\n", "a@x b@x" },
    { "References: <a@x>\r\nReferences: <b@x>\r\n\r\n", "b@x a@x" },
    { "In-Reply-To: Your message of \"Mon <no@x>\" <a@x>\r\n\r\n", "a@x" },
    { "In-Reply-To: <a@x> <b@x>\r\n\r\n", "a@x b@x" },
    { "In-Reply-To: (<a@x>\r\n\r\n", "" },
    { "References:\r\n\r\n", "" },
};

static void collects_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reference_cases / sizeof reference_cases[0]; i++) {
        struct mail_header_facts facts;
        print_message("%s\n", reference_cases[i].header);
        mail_header_scan(reference_cases[i].header, strlen(reference_cases[i].header), &facts);
        struct strbuf ids;
        strbuf_init(&ids, 1000);
        for (size_t k = 0; k < facts.reference_count; k++)
            strbuf_add_fmt(&ids, "%s%s", k == 0 ? "" : " ", facts.references[k]);
        assert_string_equal(ids.data, reference_cases[i].ids);
        strbuf_free(&ids);
        mail_header_facts_free(&facts);
    }
}

/* Of many references the newest are kept. */
static void keeps_the_last_references(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 100000);
    strbuf_add_str(&text, "In-Reply-To: <999@x>\r\nReferences:");
    for (unsigned i = 0; i < 1000; i++)
        strbuf_add_fmt(&text, " <%u@x>\r\n", i);
    strbuf_add_str(&text, "\r\n");
    struct mail_header_facts facts;
    mail_header_scan(text.data, text.len, &facts);
    assert_int_equal(facts.reference_count, MAIL_HEADER_REFERENCES_MAX);
    assert_string_equal(facts.references[0], "999@x");
    assert_string_equal(facts.references[1], "998@x");
    assert_string_equal(facts.references[99], "900@x");
    mail_header_facts_free(&facts);
    strbuf_free(&text);
}

static const struct {
    const char *fields;
    bool is_automatic, is_generated;
} automatic_cases[] = {
    { "Auto-Submitted: auto-replied", true, true },
    { "Auto-Submitted: auto-generated", true, true },
    { "Auto-Submitted: auto-notified", true, true },
    { "auto-submitted:AUTO-REPLIED", true, true },
    { "Auto-Submitted: auto-replied (vacation)", true, true },
    { "Auto-Submitted: (x) auto-generated; foo=bar", true, true },
    { "Auto-Submitted: auto-notified; owner-email=\"bob@example.com\"", true, true },
    { "Auto-Submitted:\r\n auto-generated", true, true },
    { "Auto-Submitted: nobody-knows", true, true },
    { "Auto-Submitted: no", false, false },
    { "Auto-Submitted: NO (by hand)", false, false },
    { "Auto-Submitted: no; x=auto-replied", false, false },
    { "Auto-Submitted:", false, false },
    { "X-Auto-Submitted: auto-replied", false, false }, /* nobody's field */
    { "Precedence: auto_reply", true, true },
    { "X-Precedence: auto_reply", true, true },
    { "Precedence: bulk", true, true },
    { "Precedence: junk", true, true },
    { "Precedence: LIST", true, false },
    { "Precedence: bulk\r\nList-Id: <x.example.com>", true, false },
    { "List-Post: <mailto:x@example.com>\r\nPrecedence: bulk", true, false },
    { "List-Id: <x.example.com>\r\nAuto-Submitted: auto-generated", true, true },
    { "Precedence: first-class", false, false },
    { "Precedence: normal; bulk", false, false },
    { "Precedence: bulky", false, false },
    { "List-Id: <x.example.com>", true, false },
    { "List-Unsubscribe: <mailto:x@example.com>", true, false },
    { "List-Unsubscribe-Post: List-Unsubscribe=One-Click", false, false }, /* never without the field before */
    { "X-Autoreply: yes", true, true },
    { "X-Autoreply: no", false, false },
    { "X-Autorespond: Re: your question", true, true },
    { "X-Autoresponder: 1.2", true, true },
    { "X-Auto-Responder: on", true, true },
    { "X-AutoReply-From: bob@example.com", true, true },
    { "X-Mail-Autoreply: bob@example.com", true, true },
    { "X-FC-MachineGenerated: true", true, true },
    { "X-FC-MachineGenerated: false", false, false },
    { "Delivered-To: Autoresponder", true, true },
    { "Delivered-To: autoresponder@example.com", false, false },
    { "Delivered-To: bob@example.com", false, false },
    { "Content-Type: multipart/report; report-type=delivery-status; boundary=x", true, true },
    { "Content-Type: Multipart/Report;\r\n report-type=disposition-notification", true, true },
    { "Content-Type: multipart / report (of what)", true, true },
    { "Content-Type: multipart/reports", false, false },
    { "Content-Type: multipart/mixed; x=\"multipart/report\"", false, false },
    { "Content-Type: text/plain; name=report", false, false },
    { "Content-Type: multipart", false, false },
    { "X-Auto-Response-Suppress: All", false, false }, /* asks others not to answer; people's mail has it too */
    { "X-Loop: bob@example.com", false, false },       /* of forwarders and lists alike */
    { "X-Postern-Loop: gw.example.com", false, false },
    { "Subject: Precedence: bulk", false, false },
    { "Subject: Out of office", false, false },
    { "Subject: hello\r\n\r\nAuto-Submitted: auto-replied", false, false },
};

static void tells_automatic_mail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof automatic_cases / sizeof automatic_cases[0]; i++) {
        struct mail_header_facts facts;
        print_message("%s\n", automatic_cases[i].fields);
        mail_header_scan(automatic_cases[i].fields, strlen(automatic_cases[i].fields), &facts);
        assert_int_equal(facts.is_automatic, automatic_cases[i].is_automatic);
        assert_int_equal(facts.is_generated, automatic_cases[i].is_generated);
        mail_header_facts_free(&facts);
    }
}

static void collects_trace_and_marks(void **state)
{
    (void)state;
    static const char header[] = "Authentication-Results: mx.example.org;\r\n dmarc=pass\r\n"
                                 "Received: one\r\nreceived: two\r\n\tmore\r\n"
                                 "Authentication-Results: second\r\n"
                                 "X-Postern-Loop: gw.example.org \r\n"
                                 "From: bob@example.com\r\n\r\nReceived: three\r\n";
    struct mail_header_facts facts;
    mail_header_scan(header, sizeof header - 1, &facts);
    assert_int_equal(facts.received_count, 2);
    assert_int_equal(facts.auth_results_count, 2);
    assert_string_equal(facts.auth_results[0], "mx.example.org; dmarc=pass");
    assert_string_equal(facts.auth_results[1], "second");
    assert_int_equal(facts.loop_mark_count, 1);
    assert_string_equal(facts.loop_marks[0], "gw.example.org");
    assert_int_equal(facts.header_size, strstr(header, "\r\n\r\n") + 4 - header);
    assert_false(facts.too_long);
    mail_header_facts_free(&facts);
}

/* --- digest --- */

static void digest_of(const char *text, size_t len, size_t split, size_t split2, uint8_t out[static 32])
{
    struct mail_digest *digest = mail_digest_new();
    mail_digest_add(digest, text, split);
    mail_digest_add(digest, text + split, split2 - split);
    mail_digest_add(digest, text + split2, len - split2);
    mail_digest_finish(&digest, out);
    assert_null(digest);
}

static const char trace_message[] = "Received: from a by b;\r\n\tMon, 23 Nov 2026\r\nReturn-Path: <bob@example.com>\r\n"
                                    "Subject: hello\r\n again\r\nreceived-spf : pass\r\n more\r\n x\r\n"
                                    "A-field-with-quite-a-long-name-that-no-trace-field-has: y\r\n"
                                    "DELIVERED-TO: alice@silo.example.org\r\nno field\r\n folded\r\n"
                                    "From: bob@example.com\r\n\r\nReceived: in the body\r\n\r\nend";
static const char bare_message[] = "Subject: hello\r\n again\r\n"
                                   "A-field-with-quite-a-long-name-that-no-trace-field-has: y\r\n"
                                   "no field\r\n folded\r\n"
                                   "From: bob@example.com\r\n\r\nReceived: in the body\r\n\r\nend";

static void digest_ignores_trace_fields(void **state)
{
    (void)state;
    uint8_t with[32];
    uint8_t without[32];
    digest_of(trace_message, sizeof trace_message - 1, 0, 0, with);
    digest_of(bare_message, sizeof bare_message - 1, 0, 0, without);
    assert_memory_equal(with, without, 32);
}

static void digest_does_not_depend_on_pieces(void **state)
{
    (void)state;
    size_t len = sizeof trace_message - 1;
    uint8_t whole[32];
    digest_of(trace_message, len, 0, 0, whole);
    for (size_t i = 0; i <= len; i++) {
        for (size_t k = i; k <= len && k < i + 40; k++) {
            uint8_t pieces[32];
            digest_of(trace_message, len, i, k, pieces);
            assert_memory_equal(whole, pieces, 32);
        }
    }
}

/* Every octet that is no trace counts: change each in turn. */
static void digest_covers_the_rest(void **state)
{
    (void)state;
    size_t len = sizeof bare_message - 1;
    uint8_t whole[32];
    digest_of(bare_message, len, 0, 0, whole);
    char copy[sizeof bare_message];
    for (size_t i = 0; i < len; i++) {
        memcpy(copy, bare_message, len);
        copy[i] = copy[i] == 'z' ? 'q' : 'z';
        uint8_t changed[32];
        digest_of(copy, len, 0, 0, changed);
        assert_memory_not_equal(whole, changed, 32);
    }
    uint8_t shorter[32];
    digest_of(bare_message, len - 1, 0, 0, shorter);
    assert_memory_not_equal(whole, shorter, 32);
}

static void digest_may_be_dropped(void **state)
{
    (void)state;
    struct mail_digest *digest = mail_digest_new();
    mail_digest_add(digest, "Subj", 4);
    mail_digest_free(&digest);
    assert_null(digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_author),
        cmocka_unit_test(nul_makes_ambiguous),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(finds_the_message_id),
        cmocka_unit_test(long_ids_are_refused),
        cmocka_unit_test(collects_references),
        cmocka_unit_test(keeps_the_last_references),
        cmocka_unit_test(tells_automatic_mail),
        cmocka_unit_test(collects_trace_and_marks),
        cmocka_unit_test(digest_ignores_trace_fields),
        cmocka_unit_test(digest_does_not_depend_on_pieces),
        cmocka_unit_test(digest_covers_the_rest),
        cmocka_unit_test(digest_may_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
