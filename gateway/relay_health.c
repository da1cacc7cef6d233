/* relay_health.c - see relay_health.h */
#include "gateway/relay_health.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "gateway/outcome.h"

struct relay_health {
    const struct clock *clock;
    enum relay_health_state state;
    unsigned failures; /* probes that failed, and the failure before them */
    int64_t until;     /* monotonic: when a probe may go */
    int64_t since;
    char words[RELAY_HEALTH_WORDS_MAX + 1];
};

struct relay_health *relay_health_new(const struct clock *clock)
{
    struct relay_health *health = xcalloc(1, sizeof *health);
    health->clock = clock;
    return health;
}

void relay_health_free(struct relay_health **health)
{
    free(*health);
    *health = NULL;
}

enum relay_health_state relay_health_state(const struct relay_health *health)
{
    return health->state;
}

const char *relay_health_state_name(enum relay_health_state state)
{
    static const char *const names[] = { "up", "down", "probing" };
    return names[state];
}

static void set_state(struct relay_health *health, enum relay_health_state state)
{
    if ((state == RELAY_HEALTH_UP) != (health->state == RELAY_HEALTH_UP))
        health->since = clock_wall_ms(health->clock);
    health->state = state;
}

bool relay_health_is_usable(const struct relay_health *health)
{
    return health->state == RELAY_HEALTH_UP || relay_health_probe_in(health) == 0;
}

void relay_health_begin(struct relay_health *health)
{
    assert(relay_health_is_usable(health));
    if (health->state == RELAY_HEALTH_DOWN)
        set_state(health, RELAY_HEALTH_PROBING);
}

bool relay_health_worked(struct relay_health *health)
{
    bool was_down = health->state != RELAY_HEALTH_UP;
    health->failures = 0;
    health->words[0] = 0;
    set_state(health, RELAY_HEALTH_UP);
    return was_down;
}

void relay_health_failed(struct relay_health *health, const char *words, uint32_t random)
{
    if (health->state == RELAY_HEALTH_DOWN)
        return; /* it was under way when another one found out */
    health->failures++;
    health->until = clock_monotonic_ms(health->clock) +
                    outcome_backoff_ms(RELAY_HEALTH_FIRST_MS, RELAY_HEALTH_LONGEST_MS, health->failures, random);
    size_t len = strnlen(words, RELAY_HEALTH_WORDS_MAX);
    memcpy(health->words, words, len);
    health->words[len] = 0;
    set_state(health, RELAY_HEALTH_DOWN);
}

int64_t relay_health_probe_in(const struct relay_health *health)
{
    if (health->state != RELAY_HEALTH_DOWN)
        return -1;
    int64_t left = health->until - clock_monotonic_ms(health->clock);
    return left > 0 ? left : 0;
}

void relay_health_probe_now(struct relay_health *health)
{
    health->until = clock_monotonic_ms(health->clock);
}

const char *relay_health_words(const struct relay_health *health)
{
    return health->words;
}

int64_t relay_health_since(const struct relay_health *health)
{
    return health->since;
}
