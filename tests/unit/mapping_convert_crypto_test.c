/* Signed and encrypted parts: what they are taken for, and what can be read in them without a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_crypto.h"
#include "mapping/convert_input.h"
#include "mapping/convert_mime_scan.h"

static enum convert_crypto classify(const char *mail)
{
    struct convert_charsets *charsets = convert_charsets_new();
    struct convert_input input = convert_input_of(mail, strlen(mail));
    const char *error;
    struct convert_part *root = convert_mime_scan(charsets, &input, &error);
    assert_non_null(root);
    enum convert_crypto crypto = convert_crypto_of(root);
    convert_part_free(&root);
    convert_charsets_free(&charsets);
    return crypto;
}

#define TYPE(value) "Content-Type: " value "\r\n\r\nx\r\n"
#define TWO(type, second)                                                                                              \
    "Content-Type: " type "; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: " second "\r\n\r\ny\r\n--b--\r\n"
#define TWO_TYPED(type, first, second)                                                                                 \
    "Content-Type: " type "; boundary=b\r\n\r\n--b\r\nContent-Type: " first                                            \
    "\r\n\r\nx\r\n--b\r\nContent-Type: " second "\r\n\r\ny\r\n--b--\r\n"

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *mail;
        enum convert_crypto crypto;
    } rows[] = {
        { TYPE("text/plain"), CONVERT_CRYPTO_NONE },
        { TYPE("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"), CONVERT_CRYPTO_ENCRYPTED_SMIME },
        { TYPE("application/pkcs7-mime; smime-type=authEnveloped-data"), CONVERT_CRYPTO_ENCRYPTED_SMIME },
        { TYPE("application/x-pkcs7-mime; smime-type=\"signed-data\""), CONVERT_CRYPTO_OPAQUE_SMIME },
        { TYPE("application/pkcs7-mime; name=smime.p7m"), CONVERT_CRYPTO_OPAQUE_SMIME },
        { TYPE("application/pkcs7-mime; smime-type=certs-only; name=smime.p7c"), CONVERT_CRYPTO_CERTIFICATES },
        { TYPE("application/pkcs7-mime; name=smime.p7c"), CONVERT_CRYPTO_CERTIFICATES },
        { TYPE("application/pkcs7-mime; smime-type=compressed-data"), CONVERT_CRYPTO_COMPRESSED_SMIME },
        { TYPE("application/octet-stream; name=smime.P7M"), CONVERT_CRYPTO_OPAQUE_SMIME },
        { TYPE("application/octet-stream; name=p7m"), CONVERT_CRYPTO_NONE },
        { TYPE("application/octet-stream; name=smime.p7s"), CONVERT_CRYPTO_SIGNATURE },
        { TYPE("application/pgp-keys"), CONVERT_CRYPTO_PGP_KEY },
        { TWO("multipart/signed; protocol=\"application/pkcs7-signature\"", "application/pkcs7-signature"),
          CONVERT_CRYPTO_SIGNED_SMIME },
        { TWO("multipart/signed", "application/x-pkcs7-signature"), CONVERT_CRYPTO_SIGNED_SMIME },
        { TWO("multipart/signed; protocol=\"application/pgp-signature\"", "application/pgp-signature"),
          CONVERT_CRYPTO_SIGNED_PGP },
        { TWO("multipart/signed", "text/plain"), CONVERT_CRYPTO_NONE },
        { TWO_TYPED("multipart/encrypted", "application/pgp-encrypted", "application/octet-stream"),
          CONVERT_CRYPTO_ENCRYPTED_PGP },
        { TWO_TYPED("multipart/mixed", "application/pgp-encrypted", "application/octet-stream"),
          CONVERT_CRYPTO_ENCRYPTED_PGP },
        { TWO_TYPED("multipart/mixed", "application/octet-stream", "application/pgp-encrypted"), CONVERT_CRYPTO_NONE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(classify(rows[i].mail), rows[i].crypto);
}

/* ---- CMS ---- */

#define OID_SIGNED    "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02"
#define OID_ENVELOPED "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x03"
#define OID_DATA      "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x01"
#define HEAD          "\x02\x01\x01\x31\x00" /* version, no algorithms */

#define BYTES(text) (text), sizeof(text) - 1

static void test_cms(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t len;
        enum convert_crypto crypto;
        bool opens;
        const char *content;
    } rows[] = {
        { BYTES(""), CONVERT_CRYPTO_NONE, false, "" },
        { BYTES("MIIB"), CONVERT_CRYPTO_NONE, false, "" },
        /* lengths known */
        { BYTES("\x30\x27" OID_SIGNED "\xA0\x1A\x30\x18" HEAD "\x30\x11" OID_DATA "\xA0\x04\x04\x02hi"),
          CONVERT_CRYPTO_OPAQUE_SMIME, true, "hi" },
        /* lengths unknown, in two pieces */
        { BYTES("\x30\x80" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x80" OID_DATA
                "\xA0\x80\x24\x80\x04\x01h\x04\x01i\0\0\0\0\0\0\0\0\0\0\0\0"),
          CONVERT_CRYPTO_OPAQUE_SMIME, true, "hi" },
        /* pieces within pieces, of known length */
        { BYTES("\x30\x80" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x80" OID_DATA
                "\xA0\x80\x24\x0A\x24\x05\x04\x01h\x04\x00\x04\x01i\0\0\0\0\0\0\0\0\0\0"),
          CONVERT_CRYPTO_OPAQUE_SMIME, true, "hi" },
        /* cut off: what is there */
        { BYTES("\x30\x80" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x80" OID_DATA "\xA0\x80\x04\x05hi"),
          CONVERT_CRYPTO_OPAQUE_SMIME, false, "hi" },
        { BYTES("\x30\x80" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x80" OID_DATA "\xA0\x80\x24\x80\x04\x02hi"),
          CONVERT_CRYPTO_OPAQUE_SMIME, false, "hi" },
        /* no content: certificates, or a detached signature */
        { BYTES("\x30\x80" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x0B" OID_DATA "\xA0\x02\x30\x00\x31\x00"),
          CONVERT_CRYPTO_CERTIFICATES, false, "" },
        { BYTES("\x30\x80" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x80" OID_DATA
                "\0\0\xA0\x02\x30\x00\x31\x02\x30\x00"),
          CONVERT_CRYPTO_SIGNATURE, false, "" },
        { BYTES("\x30\x80" OID_ENVELOPED "\xA0\x80\x30\x80"), CONVERT_CRYPTO_ENCRYPTED_SMIME, false, "" },
        { BYTES("\x30\x80" OID_DATA "\xA0\x80\x04\x02hi"), CONVERT_CRYPTO_NONE, false, "" },
        /* a length of 2^64 - 1 */
        { BYTES("\x30\x88\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" OID_SIGNED "\xA0\x80\x30\x80" HEAD "\x30\x80" OID_DATA
                "\xA0\x80\x04\x02hi"),
          CONVERT_CRYPTO_OPAQUE_SMIME, false, "hi" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *data = malloc(rows[i].len + 1); /* its end is watched */
        uint8_t *at = data + 1;
        memcpy(at, rows[i].data, rows[i].len);
        struct strbuf out;
        strbuf_init(&out, 100);
        assert_int_equal(convert_crypto_look(at, rows[i].len), rows[i].crypto);
        assert_int_equal(convert_crypto_open(at, rows[i].len, &out), rows[i].opens);
        assert_string_equal(out.data, rows[i].content);
        strbuf_free(&out);
        free(data);
    }
}

/* ---- armour ---- */

#define SIGNED    "-----BEGIN PGP SIGNED MESSAGE-----\n"
#define SIGNATURE "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
#define ENCRYPTED "-----BEGIN PGP MESSAGE-----\n\nhQ==\n-----END PGP MESSAGE-----\n"
#define KEY       "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n"

static void test_armour(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum convert_crypto crypto;
        const char *expected;
    } rows[] = {
        { "Hello\n", CONVERT_CRYPTO_NONE, "Hello\n" },
        { SIGNED "Hash: SHA256\n\nHello\n- -- \nBob\n" SIGNATURE, CONVERT_CRYPTO_TEXT_SIGNED, "Hello\n-- \nBob\n" },
        { SIGNED "\nHello\n" SIGNATURE "-- \nA mailing list\n", CONVERT_CRYPTO_TEXT_SIGNED,
          "Hello\n-- \nA mailing list\n" },
        { SIGNED "no empty line\n" SIGNATURE, CONVERT_CRYPTO_TEXT_SIGNED, "no empty line\n" },
        { "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA1\r\n\r\nHello\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\n"
          "iQ==\r\n-----END PGP SIGNATURE-----\r\n",
          CONVERT_CRYPTO_TEXT_SIGNED, "Hello\r\n" },
        { "Before\n" ENCRYPTED "after\n", CONVERT_CRYPTO_TEXT_ENCRYPTED, "Before\nafter\n" },
        { SIGNED "\nsee below\n" SIGNATURE ENCRYPTED, CONVERT_CRYPTO_TEXT_ENCRYPTED, "see below\n" },
        { "My key:\n" KEY, CONVERT_CRYPTO_PGP_KEY, "My key:\n" },
        /* quoted, in a sentence, or without an end: text like any other */
        { "> -----BEGIN PGP MESSAGE-----\n> hQ==\n> -----END PGP MESSAGE-----\n", CONVERT_CRYPTO_NONE,
          "> -----BEGIN PGP MESSAGE-----\n> hQ==\n> -----END PGP MESSAGE-----\n" },
        { "It begins with\n-----BEGIN PGP MESSAGE-----\nand so on\n", CONVERT_CRYPTO_NONE,
          "It begins with\n-----BEGIN PGP MESSAGE-----\nand so on\n" },
        { "No beginning:\n" SIGNATURE, CONVERT_CRYPTO_NONE, "No beginning:\n" SIGNATURE },
        { SIGNED "\nHello\n", CONVERT_CRYPTO_NONE, SIGNED "\nHello\n" },
        { "-----BEGIN PGP NONSENSE-----\n-----END PGP NONSENSE-----\n", CONVERT_CRYPTO_NONE,
          "-----BEGIN PGP NONSENSE-----\n-----END PGP NONSENSE-----\n" },
        { "-", CONVERT_CRYPTO_NONE, "-" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_int_equal(convert_crypto_armour(rows[i].text, strlen(rows[i].text)), rows[i].crypto);
        convert_crypto_unarmour(rows[i].text, strlen(rows[i].text), &out);
        assert_string_equal(out.data, rows[i].expected);
        strbuf_free(&out);
    }
}

static void test_every_kind_has_its_sentence(void **state)
{
    (void)state;
    for (enum convert_crypto crypto = CONVERT_CRYPTO_NONE; crypto < CONVERT_CRYPTO_COUNT; crypto++) {
        struct strbuf alone, named;
        strbuf_init(&alone, 1000);
        strbuf_init(&named, 1000);
        convert_crypto_add_sentence(&alone, crypto, "");
        convert_crypto_add_sentence(&named, crypto, "smime.p7m");
        assert_int_equal(alone.len > 0, crypto != CONVERT_CRYPTO_NONE);
        assert_int_equal(strstr(named.data, "\"smime.p7m\".") != NULL, crypto != CONVERT_CRYPTO_NONE);
        strbuf_free(&alone);
        strbuf_free(&named);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_cms),
        cmocka_unit_test(test_armour),
        cmocka_unit_test(test_every_kind_has_its_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
