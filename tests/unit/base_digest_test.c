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
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(an_unfinished_digest_can_be_freed),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
