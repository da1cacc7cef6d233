#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/password.h"

static void what_can_be_one(void **state)
{
    (void)state;
    char longest[PASSWORD_LENGTH_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[PASSWORD_LENGTH_MAX] = '\0';
    assert_null(password_complaint(longest));
    longest[PASSWORD_LENGTH_MAX] = 'a';
    longest[PASSWORD_LENGTH_MAX + 1] = '\0';
    assert_non_null(password_complaint(longest));
    assert_null(password_complaint("twelve chars"));
    assert_null(password_complaint(
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"));
    assert_non_null(password_complaint("eleven char"));
    assert_non_null(password_complaint("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4")); /* twelve octets */
    assert_non_null(password_complaint("with a\ttabulator"));
    assert_non_null(password_complaint("not UTF-8: \xff\xff\xff\xff"));
    assert_non_null(password_complaint(""));
}

/* One hash for all that is asked of it: each takes its time. */
static void a_hash_and_what_it_is_of(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_SIZE];
    assert_int_equal(password_hash("correct horse battery", hash), 1);
    assert_int_equal(strncmp(hash, "$argon2id$v=19$m=65536,t=8,p=1$", 31), 0);
    assert_int_equal(password_check(hash, "correct horse battery"), 1);
    assert_int_equal(password_check(hash, "correct horse batterY"), 0);
    assert_false(password_is_outdated(hash));
    assert_int_equal(password_check("", "x"), 0);
    assert_int_equal(password_check("$argon2id$v=19$m=65536,t=8,p=1$", "x"), 0);
    char longer[PASSWORD_HASH_SIZE + 2];
    memset(longer, '$', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(password_check(longer, "x"), 0);
    assert_true(password_is_outdated(longer));
}

static void one_of_other_parameters(void **state)
{
    (void)state;
    /* Of "correct horse battery", with one pass and 8 KiB. */
    static const char cheap[] =
        "$argon2id$v=19$m=8,t=1,p=1$S4yZO2MYkHjnU0Owmy5CBg$XjgCYUBtwIoImrvT//2hV4EC/uau3DaXJnj8D6vHm7k";
    assert_true(password_is_outdated(cheap));
    assert_true(password_is_outdated(""));
    assert_int_equal(password_check(cheap, "correct horse battery"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_one),
        cmocka_unit_test(a_hash_and_what_it_is_of),
        cmocka_unit_test(one_of_other_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
