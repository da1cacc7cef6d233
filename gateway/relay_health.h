/* relay_health.h - is a relay up? What is down is probed, not hammered
 *
 *   UP       --a failure to reach it-->          DOWN, for 5 s
 *   DOWN     --the time has come-->              PROBING: one message goes there, all others behave as if it were down
 *   PROBING  --it failed again-->                DOWN, twice as long as before, 5 min at most, with jitter
 *   any      --it has spoken to us of a message--> UP
 *
 * In memory only: after a restart a relay is held to be up until it proves otherwise. No I/O.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { RELAY_HEALTH_FIRST_MS = 5 * 1000, RELAY_HEALTH_LONGEST_MS = 5 * 60 * 1000, RELAY_HEALTH_WORDS_MAX = 500 };

enum relay_health_state {
    RELAY_HEALTH_UP,
    RELAY_HEALTH_DOWN,    /* nothing is sent there before its time */
    RELAY_HEALTH_PROBING, /* one message is under way to it */
};

struct clock;
struct relay_health;

struct relay_health *relay_health_new(const struct clock *clock);
void relay_health_free(struct relay_health **health);
enum relay_health_state relay_health_state(const struct relay_health *health);
const char *relay_health_state_name(enum relay_health_state state);

/* May a message go there now? Of a relay that is down: as its probe. */
bool relay_health_is_usable(const struct relay_health *health);
void relay_health_begin(struct relay_health *health);  /* it goes; only when usable */
bool relay_health_worked(struct relay_health *health); /* true: it was not up before */
/* words are copied. What fails beside a probe, or after the first failure, changes nothing. random as in outcome.h. */
void relay_health_failed(struct relay_health *health, const char *words, uint32_t random);
/* ms until a probe may go; 0: now. -1: it is up, or a probe is under way. */
int64_t relay_health_probe_in(const struct relay_health *health);
void relay_health_probe_now(struct relay_health *health);
const char *relay_health_words(const struct relay_health *health); /* of the last failure; "" when it is up */
int64_t relay_health_since(const struct relay_health *health); /* wall clock, ms: in this state of health; 0: ever */
