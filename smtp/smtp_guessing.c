#include "smtp/smtp_guessing.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"

enum {
    BUCKETS = 4096,
    IPV4_MAPPED_BYTES = 12,
    KEY_BYTES_IPV4 = 15, /* of the mapped form: a /24 */
    KEY_BYTES_IPV6 = 8,
    FORGET_MS = 60 * 1000,
    PAUSE_MS = 10 * 60 * 1000,
    DELAY_FIRST_MS = 1000,
    DELAY_MAX_MS = 16 * 1000,
    STEPS = 4, /* from the first delay to the longest */
    SWEEP = 2, /* networks looked at whenever one comes in: more leave than come */
    NETWORK_TEXT_SIZE = INET6_ADDRSTRLEN + 4,
};

struct network {
    struct network *next;          /* in its bucket */
    struct network *older, *newer; /* by its last guess */
    uint8_t key[SMTP_ACCESS_ADDRESS_SIZE];
    int64_t forgotten_ms; /* when its last guess is */
    int64_t paused_until_ms;
};

struct smtp_guessing {
    struct loop *loop;
    unsigned free_guesses;
    struct network *buckets[BUCKETS];
    struct network *oldest, *newest;
    size_t count;
    unsigned delayed;
    uint64_t guesses;
    uint64_t secret[2]; /* nobody outside can tell which networks share a bucket */
};

static int64_t now_ms(const struct smtp_guessing *guessing)
{
    return clock_monotonic_ms(loop_clock(guessing->loop));
}

/* --- networks --- */

static bool is_ipv4(const uint8_t address[static SMTP_ACCESS_ADDRESS_SIZE])
{
    static const uint8_t mapped[IPV4_MAPPED_BYTES] = { [10] = 0xff, [11] = 0xff };
    return memcmp(address, mapped, sizeof mapped) == 0;
}

/* false: it is no address. */
static bool find_key(const char *address, uint8_t key_out[static SMTP_ACCESS_ADDRESS_SIZE])
{
    if (!smtp_access_read(address, key_out))
        return false;
    size_t len = is_ipv4(key_out) ? KEY_BYTES_IPV4 : KEY_BYTES_IPV6;
    memset(key_out + len, 0, SMTP_ACCESS_ADDRESS_SIZE - len);
    return true;
}

static void describe(const struct network *network, char out[static NETWORK_TEXT_SIZE])
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_v4 = is_ipv4(network->key);
    inet_ntop(is_v4 ? AF_INET : AF_INET6, network->key + (is_v4 ? IPV4_MAPPED_BYTES : 0), text, sizeof text);
    snprintf(out, NETWORK_TEXT_SIZE, "%s/%d", text, is_v4 ? 24 : 64);
}

static size_t bucket_of(const struct smtp_guessing *guessing, const uint8_t key[static SMTP_ACCESS_ADDRESS_SIZE])
{
    uint64_t halves[2];
    memcpy(halves, key, sizeof halves);
    uint64_t hash = (halves[0] ^ guessing->secret[0]) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33) ^ halves[1] ^ guessing->secret[1]) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (size_t)(hash ^ (hash >> 33)) % BUCKETS;
}

static struct network *find(const struct smtp_guessing *guessing, const uint8_t key[static SMTP_ACCESS_ADDRESS_SIZE])
{
    struct network *network = guessing->buckets[bucket_of(guessing, key)];
    while (network && memcmp(network->key, key, sizeof network->key) != 0)
        network = network->next;
    return network;
}

static void unlink_age(struct smtp_guessing *guessing, struct network *network)
{
    if (network->older)
        network->older->newer = network->newer;
    else
        guessing->oldest = network->newer;
    if (network->newer)
        network->newer->older = network->older;
    else
        guessing->newest = network->older;
}

static void link_newest(struct smtp_guessing *guessing, struct network *network)
{
    network->older = guessing->newest;
    network->newer = NULL;
    if (network->older)
        network->older->newer = network;
    else
        guessing->oldest = network;
    guessing->newest = network;
}

static void forget(struct smtp_guessing *guessing, struct network *network)
{
    struct network **link = &guessing->buckets[bucket_of(guessing, network->key)];
    while (*link != network)
        link = &(*link)->next;
    *link = network->next;
    unlink_age(guessing, network);
    assert(guessing->oldest != network);
    guessing->count--;
    free(network);
}

static bool is_quiet(const struct network *network, int64_t now)
{
    return network->forgotten_ms <= now && network->paused_until_ms <= now;
}

static struct network *remember(struct smtp_guessing *guessing, const uint8_t key[static SMTP_ACCESS_ADDRESS_SIZE])
{
    int64_t now = now_ms(guessing);
    for (int i = 0; i < SWEEP && guessing->oldest && is_quiet(guessing->oldest, now); i++)
        forget(guessing, guessing->oldest);
    if (guessing->oldest && guessing->count >= SMTP_GUESSING_NETWORKS_MAX)
        forget(guessing, guessing->oldest);
    struct network *network = xcalloc(1, sizeof *network);
    size_t bucket = bucket_of(guessing, key);
    memcpy(network->key, key, sizeof network->key);
    network->next = guessing->buckets[bucket];
    guessing->buckets[bucket] = network;
    link_newest(guessing, network);
    guessing->count++;
    return network;
}

/* --- counting --- */

static int64_t count_of(const struct network *network, int64_t now)
{
    int64_t left = network->forgotten_ms - now;
    return left > 0 ? (left + FORGET_MS - 1) / FORGET_MS : 0;
}

/* Of the guesses beyond the free ones, the first is number 1. */
static int64_t delay_of(int64_t number)
{
    return number > STEPS ? DELAY_MAX_MS : (int64_t)DELAY_FIRST_MS << (number - 1);
}

static int64_t start_delay(struct smtp_guessing *guessing, int64_t ms)
{
    if (guessing->delayed >= SMTP_GUESSING_DELAYED_MAX)
        return SMTP_GUESS_LAST;
    guessing->delayed++;
    return ms;
}

static void pause_network(struct network *network, int64_t count, int64_t now)
{
    char text[NETWORK_TEXT_SIZE];
    if (network->paused_until_ms > now)
        return;
    network->paused_until_ms = now + PAUSE_MS;
    describe(network, text);
    log_warning("smtp.guessing", "client=%s count=%" PRId64 " paused_s=%d", text, count, PAUSE_MS / 1000);
}

int64_t smtp_guessing_count(struct smtp_guessing *guessing, const char *address)
{
    uint8_t key[SMTP_ACCESS_ADDRESS_SIZE];
    int64_t free_guesses = guessing->free_guesses, now = now_ms(guessing);
    if (free_guesses == 0 || !find_key(address, key))
        return 0;
    struct network *network = find(guessing, key);
    if (!network)
        network = remember(guessing, key);
    unlink_age(guessing, network);
    link_newest(guessing, network);
    guessing->guesses++;
    network->forgotten_ms = (network->forgotten_ms > now ? network->forgotten_ms : now) + FORGET_MS;
    int64_t count = count_of(network, now);
    if (count > 2 * free_guesses) /* no more are kept in mind: what comes while it is paused does not prolong it */
        network->forgotten_ms = now + 2 * free_guesses * FORGET_MS;
    if (count >= 2 * free_guesses) {
        pause_network(network, count, now);
        return SMTP_GUESS_LAST;
    }
    if (count == free_guesses + 1) {
        char text[NETWORK_TEXT_SIZE];
        describe(network, text);
        log_info("smtp.guessing", "client=%s count=%" PRId64 " slowed=yes", text, count);
    }
    return count > free_guesses ? start_delay(guessing, delay_of(count - free_guesses)) : 0;
}

void smtp_guessing_end_delay(struct smtp_guessing *guessing)
{
    guessing->delayed--;
}

struct smtp_reply smtp_guessing_refusal(void)
{
    return smtp_reply_make(421, "4.7.0", "Too many wrong addresses from your network, try again later");
}

bool smtp_guessing_is_paused(const struct smtp_guessing *guessing, const char *address)
{
    uint8_t key[SMTP_ACCESS_ADDRESS_SIZE];
    const struct network *network = NULL;
    if (guessing->free_guesses > 0 && guessing->count > 0 && find_key(address, key))
        network = find(guessing, key);
    return network && network->paused_until_ms > now_ms(guessing);
}

/* --- itself --- */

struct smtp_guessing *smtp_guessing_new(struct loop *loop, unsigned free_guesses)
{
    struct smtp_guessing *guessing = xcalloc(1, sizeof *guessing);
    guessing->loop = loop;
    guessing->free_guesses = free_guesses;
    random_bytes(guessing->secret, sizeof guessing->secret);
    return guessing;
}

void smtp_guessing_free(struct smtp_guessing **guessing)
{
    struct network *network = *guessing ? (*guessing)->oldest : NULL;
    while (network) {
        struct network *newer = network->newer;
        free(network);
        network = newer;
    }
    free(*guessing);
    *guessing = NULL;
}

void smtp_guessing_set_free(struct smtp_guessing *guessing, unsigned free_guesses)
{
    guessing->free_guesses = free_guesses;
}

void smtp_guessing_get_statistics(const struct smtp_guessing *guessing, struct smtp_guessing_statistics *out)
{
    int64_t now = now_ms(guessing);
    *out = (struct smtp_guessing_statistics){ .guesses = guessing->guesses,
                                              .delayed = guessing->delayed,
                                              .remembered = guessing->count };
    for (const struct network *network = guessing->oldest; network; network = network->newer) {
        bool is_paused = network->paused_until_ms > now;
        out->paused += is_paused;
        out->slowed += !is_paused && count_of(network, now) > guessing->free_guesses;
    }
}
