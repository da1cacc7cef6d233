/* destinations.c - see destinations.h */
#include "gateway/destinations.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"

struct destination {
    uint32_t hash; /* so that a look passes by the others without comparing names */
    char *domain;
    char *words;
    unsigned failures;
    int64_t until; /* monotonic; set aside until then */
    int64_t heard_at;
};

struct destinations {
    const struct clock *clock;
    struct destination *rows; /* unordered */
    size_t count, capacity;
};

struct destinations *destinations_new(const struct clock *clock)
{
    struct destinations *destinations = xcalloc(1, sizeof *destinations);
    destinations->clock = clock;
    return destinations;
}

static void clear_row(struct destination *row)
{
    free(row->domain);
    free(row->words);
}

void destinations_clear(struct destinations *destinations)
{
    for (size_t i = 0; i < destinations->count; i++)
        clear_row(&destinations->rows[i]);
    destinations->count = 0;
}

void destinations_free(struct destinations **destinations)
{
    if (!*destinations)
        return;
    destinations_clear(*destinations);
    free((*destinations)->rows);
    free(*destinations);
    *destinations = NULL;
}

/* FNV-1a: who chooses colliding names wins a few comparisons among 4,096. */
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static struct destination *find(const struct destinations *destinations, const char *domain)
{
    uint32_t hash = hash_of(domain);
    for (size_t i = 0; i < destinations->count; i++)
        if (destinations->rows[i].hash == hash && strcmp(destinations->rows[i].domain, domain) == 0)
            return &destinations->rows[i];
    return NULL;
}

/* At the end, or in place of the one that was heard of longest ago. */
static struct destination *add(struct destinations *destinations, const char *domain)
{
    struct destination *row = destinations->rows;
    if (destinations->count < DESTINATIONS_MAX) {
        if (destinations->count == destinations->capacity) {
            destinations->capacity = destinations->capacity ? 2 * destinations->capacity : 16;
            destinations->rows = xreallocarray(destinations->rows, destinations->capacity, sizeof *row);
        }
        row = &destinations->rows[destinations->count++];
    } else {
        for (size_t i = 1; i < destinations->count; i++)
            if (destinations->rows[i].heard_at < row->heard_at)
                row = &destinations->rows[i];
        clear_row(row);
    }
    *row = (struct destination){ .hash = hash_of(domain), .domain = xstrdup(domain) };
    return row;
}

static int64_t wait_ms(unsigned failures)
{
    int64_t wait = DESTINATIONS_FIRST_MS;
    for (unsigned i = DESTINATIONS_FAILURES; i < failures && wait < DESTINATIONS_LONGEST_MS; i++)
        wait *= 2;
    return wait < DESTINATIONS_LONGEST_MS ? wait : DESTINATIONS_LONGEST_MS;
}

bool destinations_is_aside(struct destinations *destinations, const char *domain, const char **words_out)
{
    struct destination *row = find(destinations, domain);
    int64_t now = clock_monotonic_ms(destinations->clock);
    if (!row || row->failures < DESTINATIONS_FAILURES)
        return false;
    if (now < row->until) {
        *words_out = row->words;
        return true;
    }
    row->until = now + wait_ms(row->failures); /* this one is the probe */
    return false;
}

void destinations_note(struct destinations *destinations, const char *domain, int64_t took_ms, const char *words)
{
    struct destination *row = find(destinations, domain);
    if (!words || took_ms < DESTINATIONS_SLOW_MS) {
        if (row) {
            clear_row(row);
            *row = destinations->rows[--destinations->count];
        }
        return;
    }
    if (!row)
        row = add(destinations, domain);
    row->heard_at = clock_monotonic_ms(destinations->clock);
    row->failures++;
    row->until = row->heard_at + wait_ms(row->failures);
    free(row->words);
    row->words = xstrndup(words, strnlen(words, DESTINATIONS_WORDS_MAX));
}

size_t destinations_count_aside(const struct destinations *destinations)
{
    size_t count = 0;
    for (size_t i = 0; i < destinations->count; i++)
        count += destinations->rows[i].failures >= DESTINATIONS_FAILURES;
    return count;
}
