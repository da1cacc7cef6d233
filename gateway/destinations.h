/* destinations.h - domains that don't answer in time, set aside so that they hold up nobody else
 *
 * A relay that asks the next server before it answers us makes each message to a dead domain wait for a timeout, and so
 * take a connection from others. A domain whose last three attempts took 5 s or more each and ended without a decision is
 * set aside: its messages are answered from memory until its time has come, then one goes as a probe. 30 s at first,
 * twice as long after each probe that went the same way, 10 min at most. What is refused quickly (greylisting) is never
 * set aside. In memory only, 4,096 domains; the one that was heard of longest ago is forgotten for a new one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DESTINATIONS_MAX = 4096,
    DESTINATIONS_SLOW_MS = 5 * 1000,
    DESTINATIONS_FAILURES = 3,
    DESTINATIONS_FIRST_MS = 30 * 1000,
    DESTINATIONS_LONGEST_MS = 10 * 60 * 1000,
    DESTINATIONS_WORDS_MAX = 432,
};

struct clock;
struct destinations;

struct destinations *destinations_new(const struct clock *clock);
void destinations_free(struct destinations **destinations);
/* Is it set aside? Then *words_out, valid until the next call, is its last answer. Otherwise the caller may try; of one whose
 * time has come nobody else may for as long again, whatever becomes of this try. domain: normalised. */
bool destinations_is_aside(struct destinations *destinations, const char *domain, const char **words_out);
/* How an attempt went: it took this long, and ended without a decision (words), or with one (NULL). */
void destinations_note(struct destinations *destinations, const char *domain, int64_t took_ms, const char *words);
void destinations_clear(struct destinations *destinations); /* all are tried again */
size_t destinations_count_aside(const struct destinations *destinations);
