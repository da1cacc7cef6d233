/* smtp_dkim_test.c - canonical forms and signatures, with the examples of RFC 6376 and RFC 8463 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/signing_key.h"
#include "base/strbuf.h"
#include "smtp/dkim_canonical.h"
#include "smtp/dkim_sign.h"

/* RFC 8463 appendix A.1: the keys, the second one as PKCS #8 (it is RFC 8032 section 7.1, test 1). */
static const char rsa_pem[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                              "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
                              "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
                              "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
                              "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
                              "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
                              "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
                              "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
                              "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
                              "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
                              "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
                              "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
                              "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
                              "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
                              "-----END RSA PRIVATE KEY-----\n";
static const char ed25519_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                  "-----END PRIVATE KEY-----\n";

static struct signing_key *load(const char *pem)
{
    char path[] = "/tmp/postern-key-XXXXXX", *error = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, pem, strlen(pem)), 1);
    close(fd);
    struct signing_key *key = signing_key_load(path, &error);
    unlink(path);
    assert_non_null(key);
    return key;
}

/* The second one is RFC 6376 section 3.4.5's. */
static void fields_are_relaxed(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "A: X", "a:X" },
        { "B : Y\t\r\n\tZ  ", "b:Y Z" },
        { "SUBJect:  AbC \t DeF", "subject:AbC DeF" },
        { "Subject:", "subject:" },
        { "Subject: \r\n  ", "subject:" },
        { "X:a\r\n\r\n b", "x:a b" },
        { "To:\xC3\xA4@\xC3\xB6", "to:\xC3\xA4@\xC3\xB6" },
        { "no colon ", "no colon" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 100);
        dkim_canonical_field(&out, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(out.data, rows[i][1]);
        strbuf_free(&out);
    }
}

/* The digest that the bh= of a signature has, as it is written there. */
static char *body_hash_of(const char *message, size_t len, size_t step, const struct signing_key *key)
{
    struct dkim_identity identity = { .domain = "d.example", .selector = "s", .key = key };
    struct dkim_sign *sign = dkim_sign_new();
    struct strbuf out;
    strbuf_init(&out, 10000);
    for (size_t i = 0; i < len; i += step)
        dkim_sign_add(sign, message + i, len - i < step ? len - i : step);
    assert_int_equal(dkim_sign_finish(&sign, &identity, 1, 1000, &out), 1);
    assert_null(sign);
    char *start = strstr(out.data, " bh=");
    assert_non_null(start);
    char *hash = strndup(start + 4, strcspn(start + 4, ";"));
    strbuf_free(&out);
    return hash;
}

/* Bodies, and one in canonical form that must have the same digest. */
static void bodies_are_relaxed(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" }, /* RFC 6376 section 3.4.5 */
        { "", "" },
        { "\r\n\r\n", "" },
        { "  \t\r\n \r\n", "" },
        { "no end", "no end\r\n" },
        { "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
        { "a\r\n \t\r\nb", "a\r\n\r\nb\r\n" },
        { "bare\nline\rends\n", "bare\r\nline\r\nends\r\n" },
        { "cr at the end\r", "cr at the end\r\n" },
        { "\ttab first", " tab first\r\n" },
        { ".dots\r\n..stay\r\n", ".dots\r\n..stay\r\n" },
    };
    struct signing_key *key = load(ed25519_pem);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf a, b;
        strbuf_init(&a, 1000);
        strbuf_init(&b, 1000);
        strbuf_add_fmt(&a, "From: a@d.example\r\n\r\n%s", rows[i][0]);
        strbuf_add_fmt(&b, "From: a@d.example\r\n\r\n%s", rows[i][1]);
        char *whole = body_hash_of(a.data, a.len, a.len, key), *pieces = body_hash_of(a.data, a.len, 1, key);
        char *canonical = body_hash_of(b.data, b.len, b.len, key);
        assert_string_equal(whole, canonical);
        assert_string_equal(pieces, canonical);
        free(whole);
        free(pieces);
        free(canonical);
        strbuf_free(&a);
        strbuf_free(&b);
    }
    signing_key_free(&key);
}

/* Longer than what is held back on the way into the digest. */
static void long_lines_are_one_text(void **state)
{
    (void)state;
    struct signing_key *key = load(ed25519_pem);
    struct strbuf mail;
    strbuf_init(&mail, 100000);
    strbuf_add_str(&mail, "From: a@d.example\r\n\r\n");
    for (size_t i = 0; i < 20000; i++)
        strbuf_add_char(&mail, i % 5000 == 4999 ? ' ' : (char)('a' + i % 26));
    char *whole = body_hash_of(mail.data, mail.len, mail.len, key);
    for (size_t step = 1; step < 10000; step = step * 3 + 1) {
        char *pieces = body_hash_of(mail.data, mail.len, step, key);
        assert_string_equal(pieces, whole);
        free(pieces);
    }
    free(whole);
    strbuf_free(&mail);
    signing_key_free(&key);
}

#define FOOTBALL                                                                                                       \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                                                 \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                                     \
    "Subject: Is dinner ready?\r\n"                                                                                    \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                                                  \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
#define FOOTBALL_BODY "\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

/* RFC 8463 appendix A.3: our parts make the signatures that are printed there. */
static void signs_as_rfc_8463_has_it(void **state)
{
    (void)state;
    static const struct row {
        const char *pem, *field, *signature;
    } rows[] = {
        { ed25519_pem,
          "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
          "i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : "
          "message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=",
          "fe00ab8a7a5c40ea087ee1cd4086eae29821f64c882b701051db7d39da907a14"
          "b084422e8380f5d41bac15addb4f7158e4eb14ed96e72842eaf9e5dda754350f" },
        { rsa_pem,
          "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
          "i=@football.example.com;\r\n q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n date : message-id "
          ": from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=",
          "178e5d5560df31b40318724595750d0761ca7db09e2d1ca10d7805a442fc1b0a"
          "6c45ed087888b13537b70e1095954ad28d5e01c1c55c385ebe145dd9a3d469a3"
          "5b4539e4bd98f6104e719d6921ac81e79f3ac936273740f8bd744de62df41803"
          "7d0359b4a74dd563bffca808a973fb39d1051382e315835c531650e0500363ef" },
    };
    static const char *const fields[] = { "From: Joe SixPack <joe@football.example.com>",
                                          "To: Suzie Q <suzie@shopping.example.net>", "Subject: Is dinner ready?",
                                          "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
                                          "Message-ID: <20030712040037.46341.5F8J@football.example.com>" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf text, hex;
        uint8_t digest_value[DIGEST_SIZE], signature[SIGNING_KEY_SIGNATURE_MAX];
        size_t len;
        strbuf_init(&text, 10000);
        strbuf_init(&hex, 1000);
        for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
            dkim_canonical_field(&text, fields[k], strlen(fields[k]));
            strbuf_add_str(&text, "\r\n");
        }
        dkim_canonical_field(&text, rows[i].field, strlen(rows[i].field));
        struct digest *digest = digest_new();
        digest_add(digest, text.data, text.len);
        digest_finish(&digest, digest_value);
        struct signing_key *key = load(rows[i].pem);
        assert_int_equal(signing_key_sign(key, digest_value, signature, &len), 1);
        for (size_t k = 0; k < len; k++)
            strbuf_add_fmt(&hex, "%02x", signature[k]);
        assert_string_equal(hex.data, rows[i].signature);
        char *hash = body_hash_of(FOOTBALL FOOTBALL_BODY, strlen(FOOTBALL FOOTBALL_BODY), 7, key);
        assert_string_equal(hash, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
        free(hash);
        signing_key_free(&key);
        strbuf_free(&text);
        strbuf_free(&hex);
    }
}

/* Each identity gets a field, and what makes the mail is closed against more of its kind, if it is there or not. */
static void writes_fields_for_two_keys(void **state)
{
    (void)state;
    struct signing_key *rsa = load(rsa_pem), *ed25519 = load(ed25519_pem);
    const struct dkim_identity identities[] = { { "silo.example.org", "rsa2026", rsa },
                                                { "example.org", "ed2026", ed25519 } };
    char *first = NULL;
    for (int round = 0; round < 2; round++) { /* the same each time */
        struct dkim_sign *sign = dkim_sign_new();
        struct strbuf out;
        strbuf_init(&out, 10000);
        static const char mail[] =
            "From : a@silo.example.org\r\nX: 1\r\nTO: b@x\r\nReceived: here\r\nto: c@x\r\n\r\nHi";
        dkim_sign_add(sign, mail, sizeof mail - 1);
        assert_int_equal(dkim_sign_finish(&sign, identities, 2, INT64_C(1793601240999), &out), 1);
        static const char start[] =
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=silo.example.org;\r\n s=rsa2026; "
            "t=1793601240;\r\n h=From:From:Reply-To:To:To:To:Cc:Subject:Date:Message-ID:In-Reply-To:\r\n "
            "References:MIME-Version:Content-Type:Content-Transfer-Encoding;\r\n bh=";
        assert_memory_equal(out.data, start, sizeof start - 1);
        const char *second = strstr(out.data, "\r\nDKIM-Signature: v=1; a=ed25519-sha256;");
        assert_non_null(second);
        assert_non_null(strstr(second, "\r\n d=example.org;\r\n s=ed2026; t=1793601240;\r\n"));
        for (const char *at = out.data; *at; at += strcspn(at, "\n") + 1)
            assert_true(strcspn(at, "\r") <= 78);
        assert_memory_equal(out.data + out.len - 2, "\r\n", 2);
        if (first)
            assert_string_equal(first, out.data);
        free(first);
        first = strbuf_detach(&out);
    }
    free(first);
    signing_key_free(&rsa);
    signing_key_free(&ed25519);
}

static void refuses_what_it_cannot_sign(void **state)
{
    (void)state;
    struct signing_key *key = load(ed25519_pem);
    const struct dkim_identity identity = { "silo.example.org", "s", key };
    static const char line[] = "X: 0123456789012345678901234567890123456789\r\n";
    const struct row {
        const char *start;
        size_t lines;
    } rows[] = {
        { "To: b@x\r\n", 0 },
        { "", 0 },
        { " From: a@x\r\n", 0 },
        { "From: a@x\r\n", DKIM_SIGN_HEADER_MAX / (sizeof line - 1) + 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dkim_sign *sign = dkim_sign_new();
        struct strbuf out;
        strbuf_init(&out, 10000);
        dkim_sign_add(sign, rows[i].start, strlen(rows[i].start));
        for (size_t k = 0; k < rows[i].lines; k++)
            dkim_sign_add(sign, line, sizeof line - 1);
        assert_int_equal(dkim_sign_finish(&sign, &identity, 1, 0, &out), -1);
        strbuf_free(&out);
    }
    struct dkim_sign *unfinished = dkim_sign_new();
    dkim_sign_add(unfinished, "From: a", 7);
    dkim_sign_free(&unfinished);
    dkim_sign_free(&unfinished);
    signing_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_relaxed),         cmocka_unit_test(bodies_are_relaxed),
        cmocka_unit_test(long_lines_are_one_text),    cmocka_unit_test(signs_as_rfc_8463_has_it),
        cmocka_unit_test(writes_fields_for_two_keys), cmocka_unit_test(refuses_what_it_cannot_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
