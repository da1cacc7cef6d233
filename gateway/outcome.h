/* outcome.h - the one place that decides what a failure means
 *
 * Pure. Given what happened to a delivery (either direction), where, how often it was tried and for how long, says what
 * comes next: done, the next relay, try again (when), give up and tell, or leave it to a person.
 *
 *   decided                     delivered   temporary      permanent          unknown
 *   between us and the relay    -           next relay     next relay         next relay
 *   what the relay lacks        -           next relay     next relay, or     next relay
 *                                                          give up
 *   about the message           delivered   retry          give up            retry: the same octets again
 *   here, about this entry      -           retry, park    park               retry
 *
 * Recipients that a relay has no room for beside others, which it has taken, are tried again at once.
 * Of what a relay says to MAIL, 421 and what came after a minute is between us and the relay (relay_pool.c).
 * A next relay that there is not is a retry, and a retry after retry.give_up is giving up.
 */
#pragma once
#include "gateway/config.h"
#include "smtp/smtp_client.h"
#include <stdbool.h>
#include <stdint.h>

/* Delay before attempt number `attempts` + 1: first, doubled each time, at most longest, with jitter of the last
 * quarter. random: any 32 random bits (given, so that this stays testable). */
int64_t outcome_backoff_ms(int64_t first_ms, int64_t longest_ms, unsigned attempts, uint32_t random);

/* Delay of what can't even be tried because something of ours is short: soon, the later the older it is, 1 s to a minute. */
int64_t outcome_put_off_ms(int64_t age_ms);

enum outcome_action {
    OUTCOME_DELIVERED,
    OUTCOME_NEXT_RELAY, /* now, in the same attempt */
    OUTCOME_RETRY,      /* later; next_attempt_at says when */
    OUTCOME_GIVE_UP,    /* final: tell the author */
    OUTCOME_PARK,       /* held: a person has to look at it */
};

/* An entry that fails by itself is parked when it has failed in the same way twice, at this attempt or later. */
enum { OUTCOME_PARK_ATTEMPTS = 3 };

struct outcome_facts {
    enum smtp_outcome outcome;
    enum smtp_stage stage;
    bool is_ours;             /* it failed here, before any relay: stage says nothing */
    bool again;               /* and the attempt before failed in the same way, by this entry's own fault */
    bool is_surplus;          /* the relay has taken others in this attempt, and only so many at a time */
    bool relay_left;          /* another relay can be asked now */
    bool relay_down;          /* one could not be asked at all: it may have what this one lacks */
    int64_t received_at, now; /* wall clock, ms */
    unsigned attempts;        /* made so far, this one included */
    bool was_warned;          /* the author knows that it is late */
    int64_t first_ms, longest_ms, give_up_ms, warn_after_ms;
    uint32_t random;
};
struct outcome {
    enum outcome_action action;
    int64_t next_attempt_at; /* RETRY; at the latest when the author is to be warned, or it is to be given up */
    bool awaits_relay;       /* RETRY: because no relay could be asked; sooner when one can be */
    bool warn;               /* RETRY: tell the author that it is late */
    bool expired;            /* GIVE_UP: because of time, not because of a final refusal */
};
struct outcome outcome_decide(const struct outcome_facts *facts);

/* A refusal by the silo (error ack): some can heal (an uid that is not known yet), none is the sender's fault. The post
 * is tried again until give_up, then it is held for an operator. */
struct outcome outcome_decide_post(const struct outcome_facts *facts);
