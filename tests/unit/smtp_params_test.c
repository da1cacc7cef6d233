/* Tests of smtp_params: the parameters that we announce, and all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_params.h"

static const struct mail_case {
    const char *text;
    int code; /* of the refusal; 0: accepted */
    int64_t size;
    bool is_8bit, is_smtputf8;
} mail_cases[] = {
    { "", 0, -1, false, false },
    { "SIZE=0", 0, 0, false, false },
    { "size=12345", 0, 12345, false, false },
    { "SIZE=9223372036854775807", 0, INT64_MAX, false, false },
    { "SIZE=00000000000000000017", 0, 17, false, false },
    { "BODY=7BIT", 0, -1, false, false },
    { "Body=8bitMime", 0, -1, true, false },
    { "SMTPUTF8", 0, -1, false, true },
    { "  SMTPUTF8   SIZE=1  BODY=8BITMIME ", 0, 1, true, true },
    { "SIZE=9223372036854775808", 501, 0, false, false }, /* overflows 64 bits */
    { "SIZE=99999999999999999999", 501, 0, false, false },
    { "SIZE=-1", 501, 0, false, false },
    { "SIZE=+1", 501, 0, false, false },
    { "SIZE=1K", 501, 0, false, false },
    { "SIZE=", 501, 0, false, false },
    { "SIZE", 501, 0, false, false },
    { "SIZE=1 SIZE=1", 501, 0, false, false },
    { "BODY=", 501, 0, false, false },
    { "BODY=BINARYMIME", 501, 0, false, false },
    { "BODY=8BITMIMES", 501, 0, false, false },
    { "SMTPUTF8=", 501, 0, false, false },
    { "SMTPUTF8 smtputf8", 501, 0, false, false },
    { "=1", 501, 0, false, false },
    { "<bob@example.com>", 501, 0, false, false },
    { "SIZES=1", 555, 0, false, false },
    { "SIZ=1", 555, 0, false, false },
    { "RET=FULL", 555, 0, false, false },
    { "SIZE=1 AUTH=<>", 555, 0, false, false },
};

static void mail_params(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mail_cases / sizeof mail_cases[0]; i++) {
        const struct mail_case *c = &mail_cases[i];
        struct smtp_mail_params params;
        struct smtp_reply reply;
        int result = smtp_params_parse_mail(c->text, strlen(c->text), &params, &reply);
        if (result != (c->code ? -1 : 1))
            fail_msg("%s: %d", c->text, result);
        if (c->code) {
            assert_int_equal(reply.code, c->code);
            assert_string_equal(reply.enhanced, "5.5.4");
        } else {
            assert_int_equal(params.size, c->size);
            assert_int_equal(params.is_8bit, c->is_8bit);
            assert_int_equal(params.is_smtputf8, c->is_smtputf8);
        }
    }
}

static void rcpt_params(void **state)
{
    (void)state;
    struct smtp_reply reply;
    assert_int_equal(smtp_params_parse_rcpt("", 0, &reply), 1);
    assert_int_equal(smtp_params_parse_rcpt("   ", 3, &reply), 1);
    assert_int_equal(smtp_params_parse_rcpt("NOTIFY=NEVER", 12, &reply), -1);
    assert_int_equal(reply.code, 555);
    assert_string_equal(reply.text, "Unsupported parameter NOTIFY");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(mail_params), cmocka_unit_test(rcpt_params) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
