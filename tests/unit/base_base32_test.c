#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base32.h"

/* RFC 4648 section 10, without the padding. */
static void published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *octets, *text;
    } rows[] = { { "", "" },
                 { "f", "my" },
                 { "fo", "mzxq" },
                 { "foo", "mzxw6" },
                 { "foob", "mzxw6yq" },
                 { "fooba", "mzxw6ytb" },
                 { "foobar", "mzxw6ytboi" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        uint8_t octets[16];
        size_t len = strlen(rows[i].octets);
        base32_encode((const uint8_t *)rows[i].octets, len, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(strlen(text) + 1, BASE32_SIZE(len));
        assert_int_equal(base32_decode(text, strlen(text), octets, len), 1);
        assert_memory_equal(octets, rows[i].octets, len);
    }
}

static void case_does_not_matter(void **state)
{
    (void)state;
    uint8_t octets[6];
    assert_int_equal(base32_decode("MzXW6yTBOI", 10, octets, 6), 1);
    assert_memory_equal(octets, "foobar", 6);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        { "mzxw6ytbo", 6 },  { "mzxw6ytboia", 6 }, /* too short, too long */
        { "mzxw6ytb0i", 6 }, { "mzxw6ytb1i", 6 },   { "mzxw6ytb8i", 6 }, { "mzxw6yt=oi", 6 },
        { "mzxw6 tboi", 6 }, { "mzxw6yt\xc3i", 6 }, { "mzxw6ytboj", 6 }, /* bits that mean nothing are set */
        { "mz", 1 },         { "mzxw6ytb", 4 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t octets[8];
        assert_int_equal(base32_decode(rows[i].text, strlen(rows[i].text), octets, rows[i].len), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
