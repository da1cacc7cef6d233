/* smtp_dkim_verify_test.c - signatures of mail that comes in: those printed in RFC 6376 and RFC 8463, and ours with every tag
 *
 * Whether others' signatures are judged as others judge them is tests/e2e/test_dkim_verify.py's question.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/signing_key.h"
#include "base/strbuf.h"
#include "smtp/dkim_check.h"
#include "smtp/dkim_message.h"
#include "smtp/dkim_verify.h"
#include "smtp/mail_header.h"
#include "tests/unit/cpu_time.h"
#include "tests/unit/smtp_dkim_zone.h"

enum { MAX = DKIM_VERIFY_SIGNATURES_MAX };

static const int64_t now = INT64_C(1793600000000);

#define RSA_1024                                                                                                       \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/"            \
    "byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/"         \
    "K4w3QIDAQAB"
#define ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* RFC 8463 appendix A.2 */
static const struct zone_row football_zone[] = {
    { "brisbane._domainkey.football.example.com", DNS_FOUND, { "v=DKIM1; k=ed25519; p=" ED25519 } },
    { "test._domainkey.football.example.com", DNS_FOUND, { "v=DKIM1; k=rsa; p=" RSA_1024 } },
    { 0 },
};

/* RFC 8463 appendix A.3 */
static const char football[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                               " d=football.example.com; i=@football.example.com;\r\n"
                               " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                               " subject : date : message-id : from : subject : date;\r\n"
                               " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                               " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                               " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                               "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                               " d=football.example.com; i=@football.example.com;\r\n"
                               " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                               " date : message-id : from : subject : date;\r\n"
                               " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                               " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                               " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                               " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
                               "From: Joe SixPack <joe@football.example.com>\r\n"
                               "To: Suzie Q <suzie@shopping.example.net>\r\n"
                               "Subject: Is dinner ready?\r\n"
                               "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                               "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                               "\r\n"
                               "Hi.\r\n"
                               "\r\n"
                               "We lost the game.  Are you hungry yet?\r\n"
                               "\r\n"
                               "Joe.\r\n";

static size_t verify_in_pieces(const char *mail, size_t len, size_t step, struct zone *zone,
                               struct dkim_verdict verdicts[static MAX])
{
    struct dkim_message *message = dkim_message_new();
    for (size_t i = 0; i < len; i += step)
        dkim_message_add(message, mail + i, len - i < step ? len - i : step);
    dkim_message_end(message);
    size_t count = dkim_verify(message, "football.example.com", zone_ask, zone, now, verdicts, MAX);
    dkim_message_free(&message);
    assert_null(message);
    return count;
}

static void signatures_of_rfc_8463_pass(void **state)
{
    (void)state;
    static const struct dkim_verdict expected[] = {
        { .domain = "football.example.com",
          .selector = "brisbane",
          .algorithm = "ed25519-sha256",
          .identity = "@football.example.com",
          .signature = "/gCrinpc",
          .key_bits = 256 },
        { .domain = "football.example.com",
          .selector = "test",
          .algorithm = "rsa-sha256",
          .identity = "@football.example.com",
          .signature = "F45dVWDf",
          .key_bits = 1024,
          .detail = "RSA key of 1024 bits" },
    };
    for (size_t step = 1; step < sizeof football; step = step * 2 + 1) {
        struct zone zone = { .rows = football_zone };
        struct dkim_verdict verdicts[MAX];
        assert_int_equal(verify_in_pieces(football, sizeof football - 1, step, &zone, verdicts), 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(verdicts[i].result, AUTH_RESULT_PASS);
            assert_string_equal(verdicts[i].result_text, "pass");
            assert_string_equal(verdicts[i].domain, expected[i].domain);
            assert_string_equal(verdicts[i].selector, expected[i].selector);
            assert_string_equal(verdicts[i].identity, expected[i].identity);
            assert_string_equal(verdicts[i].algorithm, expected[i].algorithm);
            assert_string_equal(verdicts[i].signature, expected[i].signature);
            assert_string_equal(verdicts[i].detail, expected[i].detail);
            assert_int_equal(verdicts[i].key_bits, expected[i].key_bits);
        }
        assert_int_equal(zone.asked, 2);
    }
}

/* A signer for any tags. */

static struct signing_key *load_key(void)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n"; /* RFC 8032 section 7.1, test 1 */
    char path[] = "/tmp/postern-key-XXXXXX", *error = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, pem, sizeof pem - 1), 1);
    close(fd);
    struct signing_key *key = signing_key_load(path, &error);
    unlink(path);
    assert_non_null(key);
    return key;
}

static void add_base64(struct strbuf *out, const uint8_t *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits =
            (uint32_t)data[i] << 16 | (i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < len ? data[i + 2] : 0);
        for (unsigned k = 0; k < 4; k++)
            strbuf_add_char(out, i + k > len ? '=' : digits[bits >> (18 - 6 * k) & 63]);
    }
}

/* The field with "$B" in its tags replaced by a digest, and "$S" by a signature. */
static void expand(struct strbuf *out, const char *tags, const uint8_t *digest, const uint8_t *signature)
{
    strbuf_clear(out);
    for (const char *at = tags; *at; at++) {
        if (at[0] == '$' && at[1] == 'B')
            add_base64(out, digest, DIGEST_SIZE);
        else if (at[0] == '$' && at[1] == 'S')
            add_base64(out, signature, 64);
        else
            strbuf_add_char(out, *at);
        at += *at == '$';
    }
    strbuf_add_str(out, "\r\n");
}

/* What the signature is over: of the body, and with that known of the header. */
static void digest_of(const struct strbuf *field, const char *rest, bool is_body,
                      uint8_t digest_out[static DIGEST_SIZE])
{
    struct dkim_message *message = dkim_message_new();
    dkim_message_add(message, field->data, field->len);
    dkim_message_add(message, rest, strlen(rest));
    dkim_message_end(message);
    struct dkim_check check = { .message = message, .field = &message->fields[0] };
    if (dkim_check_read(&check) != 1)
        check.tags.count = 0; /* a field that no signature makes good */
    if (is_body)
        memcpy(digest_out, message->body[check.body_form].digest, DIGEST_SIZE);
    else
        dkim_check_digest_header(&check, digest_out);
    dkim_message_free(&message);
}

/* Appends a field that signs `rest`, a header and a body, and is to stand in front of it. */
static void add_signature(struct strbuf *out, const char *tags, const char *rest)
{
    uint8_t body[DIGEST_SIZE] = { 0 }, header[DIGEST_SIZE], signature[SIGNING_KEY_SIGNATURE_MAX] = { 0 };
    size_t len;
    struct signing_key *key = load_key();
    struct strbuf field;
    strbuf_init(&field, 400000);
    expand(&field, tags, body, signature);
    digest_of(&field, rest, true, body);
    expand(&field, tags, body, signature);
    digest_of(&field, rest, false, header);
    assert_int_equal(signing_key_sign(key, header, signature, &len), 1);
    expand(&field, tags, body, signature);
    strbuf_add(out, field.data, field.len);
    strbuf_free(&field);
    signing_key_free(&key);
}

static const struct zone_row example_zone[] = {
    { "s._domainkey.example.com", DNS_FOUND, { "k=ed25519; p=" ED25519 } },
    { "strict._domainkey.example.com", DNS_FOUND, { "k=ed25519; t=s; p=" ED25519 } },
    { "a.b._domainkey.example.com", DNS_FOUND, { "k=ed25519; p=" ED25519 } },
    { "s._domainkey.xn--bcher-kva.example", DNS_FOUND, { "k=ed25519; p=" ED25519 } },
    { "xn--mller-kva._domainkey.example.com", DNS_FOUND, { "k=ed25519; p=" ED25519 } },
    { "s._domainkey.bogus.example", DNS_BOGUS, { NULL } },
    { "s._domainkey.empty.example", DNS_NO_DATA, { NULL } },
    { 0 },
};

static struct dkim_verdict verify_one(const char *mail, size_t len, struct zone *zone)
{
    struct dkim_verdict verdicts[MAX] = { 0 };
    *zone = (struct zone){ .rows = example_zone };
    struct dkim_message *message = dkim_message_new();
    dkim_message_add(message, mail, len);
    dkim_message_end(message);
    size_t count = dkim_verify(message, "example.com", zone_ask, zone, now, verdicts, MAX);
    dkim_message_free(&message);
    assert_true(count == 1);
    return verdicts[0];
}

#define LETTER     "From: Bob <bob@example.com>\r\nSubject: Hi\r\nDate: today\r\n\r\nHello\r\n"
#define TAGS(more) "DKIM-Signature: v=1; a=ed25519-sha256; " more " bh=$B; b=$S"
#define USUAL      "c=relaxed/relaxed; d=example.com; s=s; h=from:subject:date;"

static const struct field_row {
    const char *tags, *result, *detail;
    unsigned asked;
} field_rows[] = {
    { TAGS(USUAL), "pass", "", 1 },
    { TAGS(USUAL " t=1793599000; x=1793700000; q=dns/txt; z=From:x|To:y; new=thing;"), "pass", "", 1 },
    { "DKIM-Signature:v=1;a=ed25519-sha256;d=example.com;s=s;h=from:subject:date;bh=$B;b=$S;", "pass", "", 1 },
    { "DKIM-Signature: b =\r\n $S ; v = 1 ;\r\n\ta= ED25519-SHA256;c=Relaxed/Simple; d= Example.COM; s=S ;"
      " h = FROM :\r\n Subject\t: Date : X-None : from; bh=\r\n $B ; \r\n ",
      "pass", "", 1 },
    { TAGS("c=simple; d=example.com; s=a.b; h=from:subject:date:date:dkim-signature;"), "pass", "", 1 },
    { TAGS(USUAL " i=bob@mail.example.com;"), "pass", "", 1 },
    { TAGS(USUAL " i=b=6Fb=40x@\r\n example.com;"), "pass", "", 1 },
    { TAGS(USUAL " q=http/well-known : dns/txt;"), "pass", "", 1 },
    { TAGS(USUAL " l=7;"), "pass", "", 1 },
    { TAGS("c=relaxed; d=b\xC3\xBC"
           "cher.example; s=s; h=from:subject:date;"),
      "pass", "", 1 },
    { TAGS("c=relaxed; d=example.com; s=m\xC3\xBCller; h=from:subject:date;"), "pass", "", 1 },

    /* not understood */
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " bh=$B; b=$S;; ", "neutral", "its field is no list of tags", 0 },
    { TAGS(USUAL " s=s;"), "neutral", "its field is no list of tags", 0 },
    { TAGS(USUAL " 1=2;"), "neutral", "its field is no list of tags", 0 },
    { TAGS(USUAL " x\x01=2;"), "neutral", "its field is no list of tags", 0 },
    { TAGS(USUAL " lonely;"), "neutral", "its field is no list of tags", 0 },
    { "DKIM-Signature: ", "neutral", "its field is no list of tags", 0 },
    { "DKIM-Signature: v=2; a=ed25519-sha256; " USUAL " bh=$B; b=$S", "neutral", "its version is not 1", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha512; " USUAL " bh=$B; b=$S", "neutral", "its algorithm is not known", 0 },
    { "DKIM-Signature: v=1; a=rsa-sha1; " USUAL " bh=$B; b=$S", "policy", "SHA-1 is not believed", 0 },
    { TAGS("c=nofws; d=example.com; s=s; h=from:subject:date;"), "neutral", "c= names no canonical form", 0 },
    { TAGS("c=relaxed/; d=example.com; s=s; h=from:subject:date;"), "neutral", "c= names no canonical form", 0 },
    { TAGS("d=com; s=s; h=from:subject:date;"), "neutral", "d= is no domain", 0 },
    { TAGS("d=example.com.; s=s; h=from:subject:date;"), "neutral", "d= is no domain", 0 },
    { TAGS("d=exam ple.com; s=s; h=from:subject:date;"), "neutral", "d= is no domain", 0 },
    { TAGS("d=example.com; s=-s; h=from:subject:date;"), "neutral", "s= is no selector", 0 },
    { TAGS("d=example.com; s=a..b; h=from:subject:date;"), "neutral", "s= is no selector", 0 },
    { TAGS(USUAL " i=bob;"), "neutral", "i= is no identity", 0 },
    { TAGS(USUAL " i=b=6@example.com;"), "neutral", "i= is no identity", 0 },
    { TAGS(USUAL " q=http;"), "neutral", "q= does not name the DNS", 0 },
    { TAGS(USUAL " t=soon;"), "neutral", "t= or x= is no time", 0 },
    { TAGS(USUAL " t=200; x=200;"), "neutral", "t= or x= is no time", 0 },
    { TAGS(USUAL " l=-1;"), "neutral", "l= is no length", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " bh=AAAA; b=$S", "neutral", "bh= is no digest", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " bh=$B; b=A*", "neutral", "b= is no signature", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " bh=$B; b=A", "neutral", "b= is no signature", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " bh=$B; b====", "neutral", "b= is no signature", 0 },
    { TAGS("d=example.com; s=s; h=from::subject:date;"), "neutral", "h= is no list of fields", 0 },

    /* lacking something, or another's */
    { "DKIM-Signature: a=ed25519-sha256; " USUAL " bh=$B; b=$S", "permerror", "its field has no v=", 0 },
    { "DKIM-Signature: v=1; " USUAL " bh=$B; b=$S", "permerror", "its field has no a=", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " bh=$B; b=", "permerror", "its field has no b=", 0 },
    { "DKIM-Signature: v=1; a=ed25519-sha256; " USUAL " b=$S", "permerror", "its field has no bh=", 0 },
    { TAGS("s=s; h=from:subject:date;"), "permerror", "its field has no d=", 0 },
    { TAGS("d=example.com; s=s;"), "permerror", "its field has no h=", 0 },
    { TAGS("d=example.com; h=from:subject:date;"), "permerror", "its field has no s=", 0 },
    { TAGS("d=example.com; s=s; h=subject:date;"), "permerror", "From is not signed", 0 },
    { TAGS(USUAL " i=bob@evil-example.com;"), "permerror", "i= is not of the domain of d=", 0 },
    { TAGS("d=example.com; s=strict; i=@a.example.com; h=from:subject:date;"), "permerror",
      "the key is not for subdomains, as i= has one", 1 },
    { TAGS("d=example.com; s=none; h=from:subject:date;"), "permerror", "there is no key", 1 },
    { TAGS("d=empty.example; s=s; h=from:subject:date;"), "permerror", "there is no key", 1 },
    { TAGS("d=bogus.example; s=s; h=from:subject:date;"), "temperror", "its key could not be looked up", 1 },

    /* too little, too late */
    { TAGS("d=example.com; s=s; h=from:date;"), "policy", "Subject is not signed", 0 },
    { TAGS("d=example.com; s=s; h=from:subject;"), "policy", "Date is not signed", 0 },
    { TAGS(USUAL " l=6;"), "policy", "only the first 6 of 7 octets of the body are signed", 0 },
    { TAGS(USUAL " l=0;"), "policy", "only the first 0 of 7 octets of the body are signed", 0 },
    { TAGS(USUAL " l=99999999999999999999999;"), "fail", "the body is shorter than the one that was signed", 0 },
    { TAGS(USUAL " t=1793600300;"), "pass", "", 1 },
    { TAGS(USUAL " t=1793600301;"), "temperror", "it was made in the future", 1 },
    { TAGS(USUAL " x=1793599700;"), "pass", "", 1 },
    { TAGS(USUAL " x=1793599699;"), "fail", "it has expired", 0 },
};

static void verdicts_say_what_fields_are_worth(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof field_rows / sizeof field_rows[0]; i++) {
        struct strbuf mail;
        struct zone zone;
        strbuf_init(&mail, 10000);
        add_signature(&mail, field_rows[i].tags, LETTER);
        strbuf_add_str(&mail, LETTER);
        struct dkim_verdict verdict = verify_one(mail.data, mail.len, &zone);
        if (strcmp(verdict.result_text, field_rows[i].result) != 0 || strcmp(verdict.detail, field_rows[i].detail) != 0)
            fail_msg("%s: %s, %s", field_rows[i].tags, verdict.result_text, verdict.detail);
        assert_int_equal(zone.asked, field_rows[i].asked);
        assert_int_equal(verdict.result == AUTH_RESULT_PASS, strcmp(field_rows[i].result, "pass") == 0);
        strbuf_free(&mail);
    }
}

/* What somebody does to a mail on its way that leaves the signed text as it was. */
static void signatures_do_not_cover_for_additions(void **state)
{
    (void)state;
    static const struct row {
        const char *names, *header, *before, *behind, *result, *detail;
    } rows[] = {
        { "from:subject:date", "", "Received: x\r\n", "X-Note: x\r\n", "pass", "" },
        { "from:subject:date", "", "From: eve@evil.example\r\n", "", "policy",
          "From is there 2 times, of which 1 are signed" },
        { "from:subject:date", "", "", "from : eve@evil.example\r\n", "policy",
          "From is there 2 times, of which 1 are signed" },
        { "from:subject:date", "", "SUBJECT: Pay\r\n", "", "policy",
          "Subject is there 2 times, of which 1 are signed" },
        { "from:subject:date", "", "Subject :Pay\r\n", "", "policy",
          "Subject is there 2 times, of which 1 are signed" },
        { "from:subject:date", "", "subject:\tHi\r\n \r\n", "", "pass", "" }, /* it says the same */
        { "from:from:subject:subject:date:date", "", "Subject: Pay\r\n", "", "fail",
          "the header was changed, or another key has signed" },
        { "from:subject:date:to", "To: alice@x.example\r\n", "To: all@x.example\r\n", "", "policy",
          "To is there 2 times, of which 1 are signed" },
        { "from:subject:date", "To: alice@x.example\r\n", "To: all@x.example\r\n", "", "policy",
          "To is there 2 times, of which 0 are signed" },
        { "from:subject:date", "To: alice@x.example\r\nReply-To: bob@example.com\r\n", "", "", "pass",
          "not signed: Reply-To, To" },
        { "from:subject:date:to:to", "To: a@x.example\r\nTo: b@x.example\r\n", "", "", "pass", "" },
        { "from:subject:date:content-type", "Content-Type: text/plain\r\n", "Content-Type: text/html\r\n", "", "policy",
          "Content-Type is there 2 times, of which 1 are signed" },
        { "from:subject:date:content-transfer-encoding", "Content-Transfer-Encoding: 8bit\r\n", "",
          "Content-Transfer-Encoding: base64\r\n", "policy",
          "Content-Transfer-Encoding is there 2 times, of which 1 are signed" },
        { "from:subject:date:mime-version", "MIME-Version: 1.0\r\n", "MIME-Version: 2\r\n", "", "policy",
          "MIME-Version is there 2 times, of which 1 are signed" },
        { "from:subject:date:cc", "Cc: a@x.example\r\n", "Cc: eve@evil.example\r\n", "", "policy",
          "Cc is there 2 times, of which 1 are signed" },
        { "from:subject:date:sender", "Sender: bob@example.com\r\n", "Sender: eve@evil.example\r\n", "", "policy",
          "Sender is there 2 times, of which 1 are signed" },
        { "from:subject:date:reply-to", "Reply-To: bob@example.com\r\n", "Reply-To: eve@evil.example\r\n", "", "policy",
          "Reply-To is there 2 times, of which 1 are signed" },
        { "from:subject:date:message-id", "Message-ID: <1@example.com>\r\n", "Message-ID: <2@evil.example>\r\n", "",
          "policy", "Message-ID is there 2 times, of which 1 are signed" },
        { "from:subject:date:in-reply-to", "In-Reply-To: <1@example.com>\r\n", "In-Reply-To: <2@evil.example>\r\n", "",
          "policy", "In-Reply-To is there 2 times, of which 1 are signed" },
        { "from:subject:date:references", "References: <1@example.com>\r\n", "References: <2@evil.example>\r\n", "",
          "policy", "References is there 2 times, of which 1 are signed" },
        { "from:subject:date", "", "X: a\rSubject: Pay\r\n", "", "policy",
          "programs may read the header in several ways" },
        { "from:subject:date", "", "X: a\nSubject: Pay\r\n", "", "policy",
          "programs may read the header in several ways" },
        { "from:subject:date", "", "", "no field\r\n", "policy", "programs may read the header in several ways" },
        { "from:subject:date", "", "", "Two words: x\r\n", "policy", "programs may read the header in several ways" },
        { "from:subject:date", "", " a continuation of nothing\r\n", "", "policy",
          "programs may read the header in several ways" },
        { "from:subject:date", "", "From bob@example.com Mon Nov 23 10:00:00 2026\r\n", "", "pass", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf rest, tags, mail;
        struct zone zone;
        strbuf_init(&rest, 10000);
        strbuf_init(&tags, 10000);
        strbuf_init(&mail, 10000);
        strbuf_add_fmt(&tags, TAGS("c=relaxed/relaxed; d=example.com; s=s; h=%s;"), rows[i].names);
        strbuf_add_fmt(&rest, "%s" LETTER, rows[i].header);
        strbuf_add_str(&mail, rows[i].before);
        add_signature(&mail, tags.data, rest.data);
        strbuf_add_fmt(&mail, "%s%s" LETTER, rows[i].behind, rows[i].header);
        struct dkim_verdict verdict = verify_one(mail.data, mail.len, &zone);
        if (strcmp(verdict.result_text, rows[i].result) != 0 || strcmp(verdict.detail, rows[i].detail) != 0)
            fail_msg("%zu %s: %s, %s", i, rows[i].names, verdict.result_text, verdict.detail);
        strbuf_free(&rest);
        strbuf_free(&tags);
        strbuf_free(&mail);
    }
}

/* Whatever else is in it, and whichever line ends it has. */
static void bodies_are_whole(void **state)
{
    (void)state;
    static const struct row {
        const char *signed_body, *body;
        bool passes;
    } rows[] = {
        { "", "", true },
        { "", "\r\n\r\n", true },
        { "", "x", false },
        { "a\r\nb\r\n", "a\r\nb\r\n\r\n\r\n", true },
        { "a\r\nb", "a\r\nb\r\n", true },
        { "a\r\nb\r\n", "a\nb\r\n", false }, /* binary content: a line end is not any */
        { "a\nb\r\n", "a\r\nb\r\n", false },
        { "a\rb\r\n", "a\r\nb\r\n", false },
        { "a\r\r\n", "a\r\n", false },
        { "a\r", "a\r\r\n", true },
    };
    static const char header[] = "From: bob@example.com\r\n\r\n";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const forms[] = { "relaxed/relaxed", "relaxed/simple" };
        for (size_t form = 0; form < 2; form++) {
            struct strbuf rest, tags, mail;
            struct zone zone;
            strbuf_init(&rest, 10000);
            strbuf_init(&tags, 10000);
            strbuf_init(&mail, 10000);
            strbuf_add_fmt(&tags, TAGS("c=%s; d=example.com; s=s; h=from;"), forms[form]);
            strbuf_add_fmt(&rest, "%s%s", header, rows[i].signed_body);
            add_signature(&mail, tags.data, rest.data);
            strbuf_add_fmt(&mail, "%s%s", header, rows[i].body);
            struct dkim_verdict verdict = verify_one(mail.data, mail.len, &zone);
            if (strcmp(verdict.result_text, rows[i].passes ? "pass" : "fail") != 0)
                fail_msg("row %zu as %s: %s, %s", i, forms[form], verdict.result_text, verdict.detail);
            strbuf_free(&rest);
            strbuf_free(&tags);
            strbuf_free(&mail);
        }
    }
}

/* A mail whose lines all end with LF, as a program on the way may hand it on, is the mail that was signed. */
static void bare_line_feeds_are_line_ends_if_all_are(void **state)
{
    (void)state;
    struct strbuf mail;
    struct zone zone;
    strbuf_init(&mail, 10000);
    add_signature(&mail, TAGS(USUAL), LETTER);
    strbuf_add_str(&mail, LETTER);
    size_t len = 0;
    for (size_t i = 0; i < mail.len; i++) {
        if (mail.data[i] != '\r')
            mail.data[len++] = mail.data[i];
    }
    struct dkim_verdict verdict = verify_one(mail.data, len, &zone);
    assert_string_equal(verdict.result_text, "pass");
    strbuf_free(&mail);
}

/* Those of the author's domain first, then from the top; a bad one beside a good one does no harm. */
static void most_related_signatures_are_looked_at(void **state)
{
    (void)state;
    static const char *const domains[] = { "evil.example",     "evil.example", "evil.example", "evil.example",
                                           "evil.example",     "evil.example", "evil.example", "evil.example",
                                           "mail.example.com", "other.com",    "evil.example", "example.com" };
    enum { COUNT = sizeof domains / sizeof domains[0] };
    struct strbuf mail, tags;
    struct dkim_verdict verdicts[MAX];
    strbuf_init(&mail, 20000);
    strbuf_init(&tags, 1000);
    for (size_t i = 0; i < COUNT; i++) {
        strbuf_clear(&tags);
        strbuf_add_fmt(&tags, TAGS("c=relaxed; d=%s; s=s; h=from:subject:date;"), domains[i]);
        add_signature(&mail, tags.data, LETTER);
    }
    strbuf_add_str(&mail, LETTER);
    struct dkim_message *message = dkim_message_new();
    dkim_message_add(message, mail.data, mail.len);
    dkim_message_end(message);
    assert_int_equal(dkim_message_count_signatures(message), COUNT);
    static const struct row {
        const char *from;
        size_t max, count;
        const char *expected[MAX];
    } rows[] = {
        { "example.com",
          MAX,
          10,
          { "example.com", "mail.example.com", "evil.example", "evil.example", "evil.example", "evil.example",
            "evil.example", "evil.example", "evil.example", "evil.example" } },
        { "Mail.Example.COM", 2, 2, { "mail.example.com", "example.com" } },
        { "news.example.com", 3, 3, { "mail.example.com", "example.com", "evil.example" } },
        { "xexample.com", 1, 1, { "evil.example" } },
        { NULL, 1, 1, { "evil.example" } },
        { "other.com", 100, 10, { "other.com" } },
        { "example.com", 0, 0, { NULL } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone zone = { .rows = example_zone };
        assert_int_equal(dkim_verify(message, rows[i].from, zone_ask, &zone, now, verdicts, rows[i].max),
                         rows[i].count);
        for (size_t k = 0; k < rows[i].count && rows[i].expected[k]; k++)
            assert_string_equal(verdicts[k].domain, rows[i].expected[k]);
        assert_int_equal(zone.asked, rows[i].count);
        for (size_t k = 0; k < rows[i].count; k++)
            assert_int_equal(verdicts[k].result == AUTH_RESULT_PASS, strcmp(verdicts[k].domain, "example.com") == 0);
    }
    dkim_message_free(&message);
    strbuf_free(&mail);
    strbuf_free(&tags);
}

/* Nothing of a header that is too long is believed, and nothing more of it is kept. */
static void headers_have_limits(void **state)
{
    (void)state;
    struct strbuf mail;
    struct zone zone;
    strbuf_init(&mail, 2 * MAIL_HEADER_MAX);
    add_signature(&mail, TAGS(USUAL), LETTER);
    for (size_t i = 4; i < MAIL_HEADER_FIELDS_MAX; i++)
        strbuf_add_str(&mail, "X: y\r\n");
    size_t len = mail.len;
    strbuf_add_str(&mail, LETTER);
    assert_string_equal(verify_one(mail.data, mail.len, &zone).result_text, "pass");
    strbuf_truncate(&mail, len);
    strbuf_add_str(&mail, "X: y\r\n" LETTER);
    assert_string_equal(verify_one(mail.data, mail.len, &zone).result_text, "policy");
    strbuf_free(&mail);

    struct dkim_message *message = dkim_message_new();
    struct dkim_verdict verdicts[MAX];
    dkim_message_add(message, football,
                     sizeof football - 1 -
                         strlen("\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"));
    for (size_t i = 0; i < MAIL_HEADER_MAX / 100 && dkim_message_wants_more(message); i++)
        dkim_message_add(
            message,
            "X: 345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n",
            100);
    assert_false(dkim_message_wants_more(message));
    dkim_message_end(message);
    assert_int_equal(dkim_message_count_signatures(message), 0);
    assert_int_equal(dkim_verify(message, NULL, zone_ask, &zone, now, verdicts, MAX), 0);
    dkim_message_free(&message);
}

/* Mail without signatures is not read to its end. */
static void unsigned_mail_needs_no_more(void **state)
{
    (void)state;
    static const char *const rows[] = { "From: a@x\r\n\r\n", "DKIM-Signature: x\r\n\r\n", "ARC-Seal: i=1\r\n\r\n",
                                        "arc-seal : x\n\n" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dkim_message *message = dkim_message_new();
        dkim_message_add(message, rows[i], strlen(rows[i]) - 1);
        assert_true(dkim_message_wants_more(message));
        dkim_message_add(message, "\n", 1);
        assert_int_equal(dkim_message_wants_more(message), i > 0);
        dkim_message_free(&message);
    }
    struct dkim_message *empty = dkim_message_new();
    dkim_message_end(empty);
    assert_int_equal(dkim_message_count_signatures(empty), 0);
    dkim_message_free(&empty);
}

/* Ten signatures, each over all of so many fields. */
static double time_of(size_t fields)
{
    struct strbuf mail, tags;
    struct dkim_verdict verdicts[MAX];
    struct zone zone = { .rows = example_zone };
    strbuf_init(&mail, 10 * MAIL_HEADER_MAX);
    strbuf_init(&tags, MAIL_HEADER_MAX);
    for (size_t i = 0; i < MAX; i++) {
        strbuf_add_str(&mail, "DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=s; "
                              "bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; "
                              "c=relaxed; b=AAAA; h=from");
        for (size_t k = 0; k < fields; k++)
            strbuf_add_str(&mail, i % 2 ? ":x" : ":xx-none");
        strbuf_add_str(&mail, "\r\n");
    }
    for (size_t i = 0; i < fields; i++)
        strbuf_add_str(&mail, "X: 3456 8901 345678901234567890 234567890123456789012345678901234\r\n");
    strbuf_add_str(&mail, "From: bob@example.com\r\n\r\n");
    struct dkim_message *message = dkim_message_new();
    dkim_message_add(message, mail.data, mail.len);
    dkim_message_end(message);
    memset(message->body, 0, sizeof message->body); /* so that each goes on to its header */
    double start = cpu_seconds();
    for (int i = 0; i < 5; i++)
        assert_int_equal(dkim_verify(message, "example.com", zone_ask, &zone, now, verdicts, MAX), MAX);
    double taken = cpu_seconds() - start;
    assert_string_equal(verdicts[0].detail, "the header was changed, or another key has signed");
    dkim_message_free(&message);
    strbuf_free(&mail);
    strbuf_free(&tags);
    return taken;
}

static void time_is_linear(void **state)
{
    (void)state;
    time_of(100);
    double small = time_of(200), large = time_of(800);
    assert_true(large < 8 * small + 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_rfc_8463_pass),
        cmocka_unit_test(verdicts_say_what_fields_are_worth),
        cmocka_unit_test(signatures_do_not_cover_for_additions),
        cmocka_unit_test(bodies_are_whole),
        cmocka_unit_test(bare_line_feeds_are_line_ends_if_all_are),
        cmocka_unit_test(most_related_signatures_are_looked_at),
        cmocka_unit_test(headers_have_limits),
        cmocka_unit_test(unsigned_mail_needs_no_more),
        cmocka_unit_test(time_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
