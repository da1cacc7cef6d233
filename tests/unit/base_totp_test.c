#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/totp.h"

static const char secret[] = "12345678901234567890"; /* RFC 6238 appendix B */

static int check(const char *code, int64_t seconds, int64_t *step_out)
{
    return totp_check((const uint8_t *)secret, code, seconds * 1000, step_out);
}

static void published_vectors(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *code; /* the last six digits of the eight there */
    } rows[] = { { 59, "287082" },         { 1111111109, "081804" }, { 1111111111, "050471" },
                 { 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t step = 0;
        assert_int_equal(check(rows[i].code, rows[i].seconds, &step), 1);
        assert_int_equal(step, rows[i].seconds / TOTP_STEP_S);
    }
}

/* Clocks differ: a code is good in its own step, the one before and the one after, and always says which one it is of. */
static void steps_around_now(void **state)
{
    (void)state;
    const int64_t own = 1111111111 / TOTP_STEP_S;
    for (int64_t away = -3; away <= 3; away++) {
        int64_t step = 0;
        bool is_good = away >= -1 && away <= 1;
        assert_int_equal(check("050471", (own + away) * TOTP_STEP_S, &step), is_good);
        if (is_good)
            assert_int_equal(step, own);
    }
}

static void what_is_no_code(void **state)
{
    (void)state;
    static const char *const rows[] = { "", "05047", "0504711", "05047a", " 050471", "050 471", "050470", "-50471" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t step;
        assert_int_equal(check(rows[i], 1111111111, &step), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(steps_around_now),
        cmocka_unit_test(what_is_no_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
