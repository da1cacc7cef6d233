/* web_limits.c - see web_limits.h */
#include "gateway/web_limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/xmalloc.h"

enum kind { KIND_NAME, KIND_NETWORK };
enum { FIRST_WAIT_MS = 1000, DOUBLINGS_MAX = 20 };

static const struct {
    unsigned free;
    int64_t longest_ms, forget_ms;
} rules[] = {
    [KIND_NAME] = { WEB_LIMITS_NAME_FREE, 60 * 1000, 15 * 60 * 1000 },
    [KIND_NETWORK] = { WEB_LIMITS_NETWORK_FREE, 5 * 60 * 1000, 60 * 60 * 1000 },
};

struct entry {
    uint8_t key[DIGEST_SIZE]; /* a name may be anything, even a password in the wrong field */
    unsigned failures;        /* 0: free */
    int64_t until, forget_at;
};

struct web_limits {
    struct entry entries[WEB_LIMITS_ENTRIES_MAX];
};

struct web_limits *web_limits_new(void)
{
    return xcalloc(1, sizeof(struct web_limits));
}

void web_limits_free(struct web_limits **limits)
{
    free(*limits);
    *limits = NULL;
}

static void make_key(enum kind kind, const char *text, uint8_t out[static DIGEST_SIZE])
{
    const uint8_t first = (uint8_t)kind;
    struct digest *digest = digest_new();
    digest_add(digest, &first, 1);
    digest_add(digest, text, strlen(text));
    digest_finish(&digest, out);
}

static size_t find(const struct web_limits *limits, enum kind kind, const char *text)
{
    uint8_t key[DIGEST_SIZE];
    size_t i = 0;
    make_key(kind, text, key);
    while (i < WEB_LIMITS_ENTRIES_MAX &&
           (limits->entries[i].failures == 0 || memcmp(limits->entries[i].key, key, sizeof key) != 0))
        i++;
    return i;
}

static int64_t wait_of(const struct web_limits *limits, enum kind kind, const char *text, int64_t now)
{
    size_t i = find(limits, kind, text);
    return i < WEB_LIMITS_ENTRIES_MAX && limits->entries[i].until > now ? limits->entries[i].until - now : 0;
}

int64_t web_limits_wait(const struct web_limits *limits, const char *name, const char *network, int64_t now)
{
    int64_t by_name = wait_of(limits, KIND_NAME, name, now), by_network = wait_of(limits, KIND_NETWORK, network, now);
    return by_name > by_network ? by_name : by_network;
}

/* When all are taken, that of the fewest failures goes, of these the one that would be forgotten first: whoever invents names
 * drives out those invented before, not those that are being guessed at. */
static struct entry *place(struct web_limits *limits, int64_t now)
{
    struct entry *worst = &limits->entries[0];
    for (size_t i = 0; i < WEB_LIMITS_ENTRIES_MAX; i++) {
        struct entry *entry = &limits->entries[i];
        if (entry->failures == 0 || entry->forget_at <= now)
            return entry;
        if (entry->failures < worst->failures ||
            (entry->failures == worst->failures && entry->forget_at < worst->forget_at))
            worst = entry;
    }
    return worst;
}

static void count(struct web_limits *limits, enum kind kind, const char *text, int64_t now)
{
    size_t i = find(limits, kind, text);
    struct entry *entry = i < WEB_LIMITS_ENTRIES_MAX ? &limits->entries[i] : place(limits, now);
    if (i == WEB_LIMITS_ENTRIES_MAX || entry->forget_at <= now) {
        *entry = (struct entry){ 0 };
        make_key(kind, text, entry->key);
    }
    if (++entry->failures >= rules[kind].free) {
        unsigned doublings = entry->failures - rules[kind].free;
        int64_t wait = (int64_t)FIRST_WAIT_MS << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
        entry->until = now + (wait < rules[kind].longest_ms ? wait : rules[kind].longest_ms);
    }
    entry->forget_at = now + rules[kind].forget_ms;
}

void web_limits_failed(struct web_limits *limits, const char *name, const char *network, int64_t now)
{
    count(limits, KIND_NAME, name, now);
    count(limits, KIND_NETWORK, network, now);
}

/* The network keeps what it has: it may guess at others' passwords between two sign-ins of its own. */
void web_limits_succeeded(struct web_limits *limits, const char *name, const char *network)
{
    size_t i = find(limits, KIND_NAME, name);
    (void)network;
    if (i < WEB_LIMITS_ENTRIES_MAX)
        limits->entries[i] = (struct entry){ 0 };
}
