/* base_verify_key_test.c - which octets are keys, and which signatures they accept */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/verify_key.h"

/* RFC 8032 section 7.1, tests 1 and 2: other texts than a digest have signatures that must not fit. */
static void ed25519_key_accepts_only_its_signature(void **state)
{
    (void)state;
    static const uint8_t data[VERIFY_KEY_ED25519_SIZE] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                                           0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                                           0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                                           0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
    uint8_t digest[DIGEST_SIZE] = { 0 }, signature[64] = { 0 };
    assert_null(verify_key_from_ed25519(data, sizeof data - 1));
    struct verify_key *key = verify_key_from_ed25519(data, sizeof data);
    assert_non_null(key);
    assert_int_equal(verify_key_bits(key), 256);
    assert_false(verify_key_accepts(key, digest, signature, sizeof signature));
    assert_false(verify_key_accepts(key, digest, signature, 0));
    verify_key_free(&key);
    verify_key_free(&key);
}

static void put_length(uint8_t *at, size_t len)
{
    at[0] = 0x82;
    at[1] = (uint8_t)(len >> 8);
    at[2] = (uint8_t)len;
}

/* An RSAPublicKey (RFC 8017 appendix A.1.1) with numbers of so many octets. Returns its size. */
static size_t write_rsa_key(uint8_t *out, size_t modulus, size_t exponent)
{
    size_t at = 4;
    const size_t sizes[] = { modulus, exponent };
    for (size_t i = 0; i < 2; i++) {
        out[at] = 0x02;
        put_length(out + at + 1, sizes[i] + 1);
        out[at + 4] = 0;
        memset(out + at + 5, 0xc1, sizes[i]);
        at += 5 + sizes[i];
    }
    out[0] = 0x30;
    put_length(out + 1, at - 4);
    return at;
}

static void rsa_keys_have_limits(void **state)
{
    (void)state;
    static const struct row {
        size_t modulus, exponent, left_out;
        unsigned bits;
    } rows[] = {
        { 128, 3, 0, 1024 }, { 64, 3, 0, 512 }, { 1024, 3, 0, 8192 }, { 1025, 3, 0, 8200 }, { 2000, 8, 0, 16000 },
        { 128, 9, 0, 0 },    { 4090, 3, 0, 0 }, { 128, 3, 1, 0 },     { 128, 3, 130, 0 },   { 5000, 3, 0, 0 },
    };
    uint8_t der[6000], digest[DIGEST_SIZE] = { 0 }, signature[2000] = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = write_rsa_key(der, rows[i].modulus, rows[i].exponent);
        struct verify_key *key = verify_key_from_rsa(der, len - rows[i].left_out);
        assert_int_equal(key ? verify_key_bits(key) : 0, rows[i].bits);
        if (key)
            assert_false(verify_key_accepts(key, digest, signature, rows[i].modulus));
        verify_key_free(&key);
    }
    size_t len = write_rsa_key(der, 128, 3);
    assert_null(verify_key_from_rsa(der, len + 1)); /* something behind it */
    assert_null(verify_key_from_rsa(der, 0));
}

/* RFC 8410 section 4: a key of another kind than RSA. */
static void other_kinds_are_no_rsa_keys(void **state)
{
    (void)state;
    static const uint8_t ed25519[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21,
                                       0x00, 0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41,
                                       0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30,
                                       0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31, 0x66, 0xe1 };
    assert_null(verify_key_from_rsa(ed25519, sizeof ed25519));
}

static void preparing_may_be_repeated(void **state)
{
    (void)state;
    verify_key_prepare();
    verify_key_prepare();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_key_accepts_only_its_signature),
        cmocka_unit_test(rsa_keys_have_limits),
        cmocka_unit_test(other_kinds_are_no_rsa_keys),
        cmocka_unit_test(preparing_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
