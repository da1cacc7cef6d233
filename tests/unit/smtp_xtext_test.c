/* smtp_xtext_test.c - one octet of xtext at a time */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_xtext.h"

static void octets_are_read_with_their_length(void **state)
{
    static const struct {
        const char *text;
        enum smtp_xtext_digits digits;
        int octet;
        size_t used; /* unless octet is -1 */
    } cases[] = {
        { "a+2B", SMTP_XTEXT_CAPITALS, 'a', 1 },  { "+2Ba", SMTP_XTEXT_CAPITALS, '+', 3 },
        { "+00", SMTP_XTEXT_CAPITALS, 0, 3 },     { "+FF", SMTP_XTEXT_CAPITALS, 255, 3 },
        { "\xc3", SMTP_XTEXT_CAPITALS, 0xc3, 1 }, { "+2b", SMTP_XTEXT_CAPITALS, -1, 0 },
        { "+2b", SMTP_XTEXT_ANY_CASE, '+', 3 },   { "+2G", SMTP_XTEXT_ANY_CASE, -1, 0 },
        { "+G2", SMTP_XTEXT_ANY_CASE, -1, 0 },    { "+2", SMTP_XTEXT_ANY_CASE, -1, 0 },
        { "+", SMTP_XTEXT_CAPITALS, -1, 0 },      { "", SMTP_XTEXT_CAPITALS, -1, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t used = 0;
        assert_int_equal(smtp_xtext_octet(cases[i].text, strlen(cases[i].text), cases[i].digits, &used),
                         cases[i].octet);
        if (cases[i].octet >= 0)
            assert_int_equal(used, cases[i].used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(octets_are_read_with_their_length) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
