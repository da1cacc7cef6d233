/* gateway_outcome_test.c - what a failure means, and when the next attempt is */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/outcome.h"

enum { MINUTE = 60 * 1000 };

static void test_backoff(void **state)
{
    (void)state;
    static const struct {
        unsigned attempts;
        int64_t full;
    } rows[] = {
        { 0, MINUTE },
        { 1, MINUTE },
        { 2, 2 * MINUTE },
        { 3, 4 * MINUTE },
        { 8, 128 * MINUTE },
        { 9, 240 * MINUTE },
        { 4000000000u, 240 * MINUTE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(outcome_backoff_ms(MINUTE, 240 * MINUTE, rows[i].attempts, 0),
                         rows[i].full - rows[i].full / 4);
        for (uint32_t random = 1; random < 2000000000; random = random * 7 + 3) {
            int64_t delay = outcome_backoff_ms(MINUTE, 240 * MINUTE, rows[i].attempts, random);
            assert_true(delay >= rows[i].full - rows[i].full / 4 && delay <= rows[i].full);
        }
    }
    assert_true(outcome_backoff_ms(0, 0, 3, 12345) >= 0); /* degenerate settings must not loop or divide by zero */
}

static void test_decisions(void **state)
{
    (void)state;
    static const struct {
        enum smtp_outcome outcome;
        int64_t age;
        enum outcome_action action;
        bool expired;
    } rows[] = {
        { SMTP_OUTCOME_DELIVERED, 0, OUTCOME_DELIVERED, false },
        { SMTP_OUTCOME_DELIVERED, 1000 * MINUTE, OUTCOME_DELIVERED, false }, /* late is still delivered */
        { SMTP_OUTCOME_PERMANENT, 0, OUTCOME_GIVE_UP, false },
        { SMTP_OUTCOME_TEMPORARY, 0, OUTCOME_RETRY, false },
        { SMTP_OUTCOME_TEMPORARY, 99 * MINUTE, OUTCOME_RETRY, false },
        { SMTP_OUTCOME_TEMPORARY, 100 * MINUTE, OUTCOME_GIVE_UP, true },
        { SMTP_OUTCOME_UNKNOWN, 0, OUTCOME_RETRY, false },
        { SMTP_OUTCOME_UNKNOWN, 100 * MINUTE, OUTCOME_GIVE_UP, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome_facts facts = { .outcome = rows[i].outcome,
                                       .received_at = 5000,
                                       .now = 5000 + rows[i].age,
                                       .attempts = 2,
                                       .first_ms = MINUTE,
                                       .longest_ms = 10 * MINUTE,
                                       .give_up_ms = 100 * MINUTE };
        struct outcome outcome = outcome_decide(&facts);
        assert_int_equal(outcome.action, rows[i].action);
        assert_int_equal(outcome.expired, rows[i].expired);
        if (outcome.action == OUTCOME_RETRY)
            assert_true(outcome.next_attempt_at >= facts.now + MINUTE &&
                        outcome.next_attempt_at <= facts.now + 2 * MINUTE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_backoff), cmocka_unit_test(test_decisions) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
