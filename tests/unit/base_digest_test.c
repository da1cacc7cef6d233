#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"

/* FIPS 180-2 appendix B. */
static void published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } rows[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* Whole and byte by byte. */
        for (size_t step = 1; step <= 64; step += 63) {
            struct digest *digest = digest_new();
            size_t len = strlen(rows[i].text);
            for (size_t at = 0; at < len; at += step)
                digest_add(digest, rows[i].text + at, len - at < step ? len - at : step);
            uint8_t result[DIGEST_SIZE];
            char hex[DIGEST_HEX_SIZE];
            digest_finish(&digest, result);
            assert_null(digest);
            digest_to_hex(result, hex);
            assert_string_equal(hex, rows[i].hex);
        }
    }
}

static void an_unfinished_digest_can_be_freed(void **state)
{
    (void)state;
    struct digest *digest = digest_new();
    digest_add(digest, "x", 1);
    digest_free(&digest);
    assert_null(digest);
    digest_free(&digest);
}

/* RFC 4231: a short key, one longer than a block; and an empty one (from an independent implementation). */
static void published_codes(void **state)
{
    (void)state;
    uint8_t long_key[131], mac[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    memset(long_key, 0xAA, sizeof long_key);
    const struct {
        const void *key;
        size_t key_len;
        const char *text, *hex;
    } rows[] = {
        { "Jefe", 4, "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { long_key, sizeof long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { NULL, 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        digest_hmac(rows[i].key, rows[i].key_len, rows[i].text, strlen(rows[i].text), mac);
        digest_to_hex(mac, hex);
        assert_string_equal(hex, rows[i].hex);
    }
}

static void octets_are_compared(void **state)
{
    (void)state;
    assert_true(digest_is_equal("abc", "abc", 3));
    assert_true(digest_is_equal("abc", "abd", 2));
    assert_false(digest_is_equal("abc", "abd", 3));
    assert_false(digest_is_equal("abc", "bbc", 3));
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    random_bytes(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),   cmocka_unit_test(published_codes),
        cmocka_unit_test(octets_are_compared), cmocka_unit_test(an_unfinished_digest_can_be_freed),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
