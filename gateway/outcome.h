/* outcome.h - the one place that decides what a failure means
 *
 * Pure. Given what happened to a delivery (either direction), how often it was tried and for how long, says what
 * comes next: done, try again (when), tell the author it is late, or give up and tell.
 */
#pragma once
#include "gateway/config.h"
#include "smtp/smtp_client.h"
#include <stdbool.h>
#include <stdint.h>

/* Delay before attempt number `attempts` + 1: first, doubled each time, at most longest, with jitter of the last
 * quarter. random: any 32 random bits (given, so that this stays testable). */
int64_t outcome_backoff_ms(int64_t first_ms, int64_t longest_ms, unsigned attempts, uint32_t random);

enum outcome_action {
    OUTCOME_DELIVERED,
    OUTCOME_RETRY,   /* later; next_attempt_at says when */
    OUTCOME_GIVE_UP, /* final: tell the author */
};

struct outcome_facts {
    enum smtp_outcome outcome;
    int64_t received_at, now; /* wall clock, ms */
    unsigned attempts;        /* made so far, this one included */
    int64_t first_ms, longest_ms, give_up_ms;
    uint32_t random;
};
struct outcome {
    enum outcome_action action;
    int64_t next_attempt_at;
    bool expired; /* gave up because of time, not because of a final refusal */
};
struct outcome outcome_decide(const struct outcome_facts *facts);

/* A refusal by the silo (error ack): some can heal (an uid that is not known yet), none is the sender's fault. The post
 * is tried again until give_up, then it is held for an operator. */
struct outcome outcome_decide_post(const struct outcome_facts *facts);
