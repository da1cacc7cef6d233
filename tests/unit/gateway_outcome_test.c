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

static void test_put_off(void **state)
{
    (void)state;
    static const struct {
        int64_t age, delay;
    } rows[] = {
        { -5, 1000 }, { 0, 1000 }, { 8000, 1000 }, { 16000, 2000 }, { 8 * MINUTE, MINUTE }, { 9000 * MINUTE, MINUTE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(outcome_put_off_ms(rows[i].age), rows[i].delay);
}

/* What each combination must become, said in another way than the code does. */
static enum outcome_action expect_from_relay(const struct outcome_facts *facts)
{
    bool is_old = facts->now - facts->received_at >= facts->give_up_ms;
    enum outcome_action wait = is_old ? OUTCOME_GIVE_UP : OUTCOME_RETRY;
    if (facts->outcome == SMTP_OUTCOME_DELIVERED)
        return OUTCOME_DELIVERED;
    if (facts->stage >= SMTP_STAGE_MAIL) /* another relay would hear the same */
        return facts->outcome == SMTP_OUTCOME_PERMANENT ? OUTCOME_GIVE_UP : wait;
    if (facts->relay_left)
        return OUTCOME_NEXT_RELAY;
    bool lacks = facts->stage == SMTP_STAGE_EXTENSIONS && facts->outcome == SMTP_OUTCOME_PERMANENT;
    return lacks && !facts->relay_down ? OUTCOME_GIVE_UP : wait;
}

static enum outcome_action expect_from_here(const struct outcome_facts *facts)
{
    bool is_old = facts->now - facts->received_at >= facts->give_up_ms;
    if (facts->outcome == SMTP_OUTCOME_DELIVERED)
        return OUTCOME_DELIVERED;
    if (facts->outcome == SMTP_OUTCOME_PERMANENT)
        return OUTCOME_PARK;
    if (facts->outcome == SMTP_OUTCOME_TEMPORARY && facts->again && facts->attempts >= 3)
        return OUTCOME_PARK;
    return is_old ? OUTCOME_GIVE_UP : OUTCOME_RETRY;
}

static void check_decision(const struct outcome_facts *facts)
{
    enum outcome_action expected = facts->is_ours ? expect_from_here(facts) : expect_from_relay(facts);
    struct outcome outcome = outcome_decide(facts);
    assert_int_equal(outcome.action, expected);
    int64_t age = facts->now - facts->received_at;
    bool is_retry = expected == OUTCOME_RETRY, about_relay = !facts->is_ours && facts->stage < SMTP_STAGE_MAIL;
    assert_int_equal(outcome.warn, is_retry && !facts->was_warned && age >= facts->warn_after_ms);
    assert_int_equal(outcome.awaits_relay, is_retry && about_relay);
    bool by_refusal = facts->outcome == SMTP_OUTCOME_PERMANENT &&
                      (facts->stage >= SMTP_STAGE_MAIL ||
                       (facts->stage == SMTP_STAGE_EXTENSIONS && !facts->relay_down && !facts->relay_left));
    assert_int_equal(outcome.expired, expected == OUTCOME_GIVE_UP && (facts->is_ours || !by_refusal));
    int64_t to_warning = facts->warn_after_ms - age, to_end = facts->give_up_ms - age, least = MINUTE * 3 / 4;
    if (to_warning > 0 && !facts->was_warned && to_warning < least)
        least = to_warning;
    if (to_end < least)
        least = to_end;
    int64_t delay = outcome.next_attempt_at - facts->now;
    if (is_retry) {
        assert_true(delay >= least && delay <= 4 * MINUTE && delay <= to_end);
        assert_true(facts->was_warned || to_warning <= 0 || delay <= to_warning);
    } else {
        assert_true(outcome.next_attempt_at == 0);
    }
}

/* Every stage, class of reply, age, and what is known of other relays and of earlier attempts. */
static void test_every_combination(void **state)
{
    (void)state;
    static const int64_t ages[] = { 0,           9 * MINUTE,   10 * MINUTE - 1, 10 * MINUTE,
                                    99 * MINUTE, 100 * MINUTE, 1000 * MINUTE };
    unsigned count = 0;
    for (int stage = SMTP_STAGE_CONNECT; stage <= SMTP_STAGE_FINAL; stage++)
        for (int outcome = SMTP_OUTCOME_DELIVERED; outcome <= SMTP_OUTCOME_UNKNOWN; outcome++)
            for (size_t age = 0; age < sizeof ages / sizeof ages[0]; age++)
                for (unsigned attempts = 1; attempts <= 3; attempts++)
                    for (unsigned flags = 0; flags < 32; flags++) {
                        struct outcome_facts facts = { .outcome = (enum smtp_outcome)outcome,
                                                       .stage = (enum smtp_stage)stage,
                                                       .is_ours = flags & 1,
                                                       .again = flags & 2,
                                                       .relay_left = flags & 4,
                                                       .relay_down = flags & 8,
                                                       .was_warned = flags & 16,
                                                       .received_at = 5000,
                                                       .now = 5000 + ages[age],
                                                       .attempts = attempts,
                                                       .first_ms = MINUTE,
                                                       .longest_ms = 10 * MINUTE,
                                                       .give_up_ms = 100 * MINUTE,
                                                       .warn_after_ms = 10 * MINUTE,
                                                       .random = flags * 2654435761u };
                        check_decision(&facts);
                        count++;
                    }
    assert_int_equal(count, 12 * 4 * 7 * 3 * 32);
}

/* The cases that people argue about, as a table for readers. */
static void test_decisions(void **state)
{
    (void)state;
    static const struct {
        enum smtp_stage stage;
        enum smtp_outcome outcome;
        bool relay_left, relay_down;
        enum outcome_action action;
    } rows[] = {
        /* "554 no service" as a greeting says nothing about the message. */
        { SMTP_STAGE_GREETING, SMTP_OUTCOME_TEMPORARY, false, false, OUTCOME_RETRY },
        { SMTP_STAGE_GREETING, SMTP_OUTCOME_TEMPORARY, true, false, OUTCOME_NEXT_RELAY },
        /* A relay without SMTPUTF8: the next may have it; none has it; the one that may have it is down. */
        { SMTP_STAGE_EXTENSIONS, SMTP_OUTCOME_PERMANENT, true, false, OUTCOME_NEXT_RELAY },
        { SMTP_STAGE_EXTENSIONS, SMTP_OUTCOME_PERMANENT, false, false, OUTCOME_GIVE_UP },
        { SMTP_STAGE_EXTENSIONS, SMTP_OUTCOME_PERMANENT, false, true, OUTCOME_RETRY },
        /* Greylisting is no reason to go elsewhere, nor is a refusal. */
        { SMTP_STAGE_RCPT, SMTP_OUTCOME_TEMPORARY, true, true, OUTCOME_RETRY },
        { SMTP_STAGE_RCPT, SMTP_OUTCOME_PERMANENT, true, true, OUTCOME_GIVE_UP },
        /* After the final dot. */
        { SMTP_STAGE_FINAL, SMTP_OUTCOME_TEMPORARY, true, false, OUTCOME_RETRY },
        { SMTP_STAGE_FINAL, SMTP_OUTCOME_PERMANENT, true, false, OUTCOME_GIVE_UP },
        { SMTP_STAGE_FINAL, SMTP_OUTCOME_UNKNOWN, true, false, OUTCOME_RETRY },
        { SMTP_STAGE_FINAL, SMTP_OUTCOME_DELIVERED, true, true, OUTCOME_DELIVERED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome_facts facts = { .outcome = rows[i].outcome,
                                       .stage = rows[i].stage,
                                       .relay_left = rows[i].relay_left,
                                       .relay_down = rows[i].relay_down,
                                       .attempts = 1,
                                       .first_ms = MINUTE,
                                       .longest_ms = MINUTE,
                                       .give_up_ms = MINUTE,
                                       .warn_after_ms = MINUTE };
        assert_int_equal(outcome_decide(&facts).action, rows[i].action);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_backoff), cmocka_unit_test(test_put_off),
                                        cmocka_unit_test(test_every_combination), cmocka_unit_test(test_decisions) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
