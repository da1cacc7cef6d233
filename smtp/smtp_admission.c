#include "smtp/smtp_admission.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"

enum {
    BUCKETS_LEAST = 64,
    SECOND_US = 1000 * 1000,
    MINUTE_US = 60 * SECOND_US,
    SWEEP = 2, /* idle clients looked at whenever one comes in: more leave than come */
};

static const char unix_peer[] = "unix";

struct smtp_admission_client {
    struct smtp_admission_client *next; /* in its bucket */
    /* While it has no sessions: in the list of idle ones, the one that left longest ago first. */
    struct smtp_admission_client *older, *newer;
    uint8_t key[SMTP_ACCESS_ADDRESS_SIZE];
    unsigned sessions;
    /* When the allowance is whole again (generic cell rate algorithm, ITU-T I.371): one number is enough. */
    int64_t whole_us[SMTP_RATE_COUNT];
};

struct smtp_admission {
    struct loop *loop;
    struct smtp_access *access; /* NULL: everybody */
    struct smtp_access *exempt; /* NULL: nobody */
    unsigned max_sessions, max_sessions_per_client;
    unsigned per_minute[SMTP_RATE_COUNT];
    unsigned sessions;
    struct smtp_admission_client **buckets;
    size_t bucket_count; /* a power of two */
    size_t client_count, idle_count;
    struct smtp_admission_client *oldest, *newest; /* of the idle ones */
    uint64_t secret[2];                            /* nobody outside can tell which clients share a bucket */
};

static int64_t now_us(const struct smtp_admission *admission)
{
    return clock_monotonic_ms(loop_clock(admission->loop)) * 1000;
}

/* --- the table --- */

static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ (value >> 33);
}

static size_t bucket_of(const struct smtp_admission *admission, const uint8_t key[static SMTP_ACCESS_ADDRESS_SIZE])
{
    uint64_t halves[2];
    memcpy(halves, key, sizeof halves);
    uint64_t hash = mix(mix(halves[0] ^ admission->secret[0]) + (halves[1] ^ admission->secret[1]));
    return (size_t)hash & (admission->bucket_count - 1);
}

static void grow(struct smtp_admission *admission)
{
    struct smtp_admission_client **old = admission->buckets;
    size_t old_count = admission->bucket_count;
    admission->bucket_count = 2 * old_count;
    admission->buckets = xcalloc(admission->bucket_count, sizeof(struct smtp_admission_client *));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct smtp_admission_client *client = old[i];
            old[i] = client->next;
            size_t bucket = bucket_of(admission, client->key);
            client->next = admission->buckets[bucket];
            admission->buckets[bucket] = client;
        }
    }
    free(old);
}

static struct smtp_admission_client *find_client(const struct smtp_admission *admission, const uint8_t *key)
{
    struct smtp_admission_client *client = admission->buckets[bucket_of(admission, key)];
    while (client && memcmp(client->key, key, sizeof client->key) != 0)
        client = client->next;
    return client;
}

static void become_idle(struct smtp_admission *admission, struct smtp_admission_client *client)
{
    client->older = admission->newest;
    client->newer = NULL;
    if (client->older)
        client->older->newer = client;
    else
        admission->oldest = client;
    admission->newest = client;
    admission->idle_count++;
}

static void cease_idle(struct smtp_admission *admission, struct smtp_admission_client *client)
{
    if (client->older)
        client->older->newer = client->newer;
    else
        admission->oldest = client->newer;
    if (client->newer)
        client->newer->older = client->older;
    else
        admission->newest = client->older;
    admission->idle_count--;
}

/* One that is idle. */
static void forget(struct smtp_admission *admission, struct smtp_admission_client *client)
{
    struct smtp_admission_client **link = &admission->buckets[bucket_of(admission, client->key)];
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    cease_idle(admission, client);
    admission->client_count--;
    free(client);
}

static bool is_whole(const struct smtp_admission_client *client, int64_t now)
{
    for (size_t i = 0; i < SMTP_RATE_COUNT; i++) {
        if (client->whole_us[i] > now)
            return false;
    }
    return true;
}

static void sweep(struct smtp_admission *admission)
{
    int64_t now = now_us(admission);
    for (int i = 0; i < SWEEP && admission->oldest && is_whole(admission->oldest, now); i++)
        forget(admission, admission->oldest);
}

static struct smtp_admission_client *remember(struct smtp_admission *admission, const uint8_t *key)
{
    sweep(admission);
    if (admission->idle_count >= SMTP_ADMISSION_IDLE_MAX)
        forget(admission, admission->oldest);
    if (admission->client_count >= admission->bucket_count)
        grow(admission);
    struct smtp_admission_client *client = xcalloc(1, sizeof *client);
    memcpy(client->key, key, sizeof client->key);
    size_t bucket = bucket_of(admission, key);
    client->next = admission->buckets[bucket];
    admission->buckets[bucket] = client;
    admission->client_count++;
    become_idle(admission, client);
    return client;
}

/* --- rates --- */

static bool take(const struct smtp_admission *admission, struct smtp_admission_client *client, enum smtp_rate rate)
{
    unsigned per_minute = admission->per_minute[rate];
    if (per_minute == 0)
        return true;
    int64_t now = now_us(admission);
    int64_t whole = client->whole_us[rate] > now ? client->whole_us[rate] : now;
    whole += MINUTE_US / per_minute;
    if (whole - now > MINUTE_US)
        return false;
    client->whole_us[rate] = whole;
    return true;
}

bool smtp_admission_allows(struct smtp_admission *admission, const struct smtp_visit *visit, enum smtp_rate rate)
{
    return !visit->client || take(admission, visit->client, rate);
}

/* --- in and out --- */

static struct smtp_reply let_in(struct smtp_admission *admission, const char *address,
                                struct smtp_admission_client **client_out)
{
    uint8_t key[SMTP_ACCESS_ADDRESS_SIZE];
    if (!smtp_access_read_client(address, key))
        return (struct smtp_reply){ .code = 0 }; /* no network has it, so nobody is told apart by it */
    struct smtp_admission_client *client = find_client(admission, key);
    if (!client)
        client = remember(admission, key);
    if (admission->max_sessions_per_client > 0 && client->sessions >= admission->max_sessions_per_client)
        return smtp_reply_make(421, "4.7.0", "Too many connections from you, try again later");
    if (!take(admission, client, SMTP_RATE_CONNECTIONS))
        return smtp_reply_make(421, "4.7.0", "Too many connections from you in a minute, try again later");
    if (client->sessions++ == 0)
        cease_idle(admission, client);
    *client_out = client;
    return (struct smtp_reply){ .code = 0 };
}

static bool is_local(const char *address)
{
    return !address || strcmp(address, unix_peer) == 0; /* the socket's file mode has let it in */
}

bool smtp_admission_welcomes(const struct smtp_admission *admission, const char *address)
{
    return is_local(address) || !admission->access || smtp_access_allows(admission->access, address);
}

struct smtp_reply smtp_admission_enter(struct smtp_admission *admission, const char *address,
                                       struct smtp_visit *visit_out)
{
    struct smtp_visit visit = { .is_in = true };
    *visit_out = (struct smtp_visit){ .is_in = false };
    if (!smtp_admission_welcomes(admission, address))
        return smtp_reply_make(554, "5.7.1", "Access denied");
    if (admission->sessions >= admission->max_sessions)
        return smtp_reply_make(421, "4.3.2", "Too many connections, try again later");
    visit.is_exempt = is_local(address) || (admission->exempt && smtp_access_allows(admission->exempt, address));
    if (!visit.is_exempt) {
        struct smtp_reply refusal = let_in(admission, address, &visit.client);
        if (refusal.code != 0)
            return refusal;
    }
    admission->sessions++;
    *visit_out = visit;
    return (struct smtp_reply){ .code = 0 };
}

void smtp_admission_leave(struct smtp_admission *admission, struct smtp_visit *visit)
{
    if (!visit->is_in)
        return;
    admission->sessions--;
    if (visit->client && --visit->client->sessions == 0) {
        become_idle(admission, visit->client);
        if (admission->idle_count > SMTP_ADMISSION_IDLE_MAX || is_whole(visit->client, now_us(admission)))
            forget(admission, admission->idle_count > SMTP_ADMISSION_IDLE_MAX ? admission->oldest : visit->client);
    }
    *visit = (struct smtp_visit){ .is_in = false };
}

/* --- itself --- */

int smtp_admission_reconfigure(struct smtp_admission *admission, const struct smtp_admission_settings *settings,
                               char **error_out)
{
    struct smtp_access *access = NULL, *exempt = NULL;
    if (settings->clients && !(access = smtp_access_new(settings->clients, error_out)))
        return -1;
    if (settings->exempt && !(exempt = smtp_access_new(settings->exempt, error_out))) {
        smtp_access_free(&access);
        return -1;
    }
    smtp_access_free(&admission->access);
    smtp_access_free(&admission->exempt);
    admission->access = access;
    admission->exempt = exempt;
    admission->max_sessions = settings->max_sessions;
    admission->max_sessions_per_client = settings->max_sessions_per_client;
    memcpy(admission->per_minute, settings->per_minute, sizeof admission->per_minute);
    return 1;
}

struct smtp_admission *smtp_admission_new(struct loop *loop, const struct smtp_admission_settings *settings,
                                          char **error_out)
{
    struct smtp_admission *admission = xcalloc(1, sizeof *admission);
    admission->loop = loop;
    admission->bucket_count = BUCKETS_LEAST;
    admission->buckets = xcalloc(admission->bucket_count, sizeof(struct smtp_admission_client *));
    random_bytes(admission->secret, sizeof admission->secret);
    if (smtp_admission_reconfigure(admission, settings, error_out) < 0)
        smtp_admission_free(&admission);
    return admission;
}

void smtp_admission_free(struct smtp_admission **admission_ptr)
{
    struct smtp_admission *admission = *admission_ptr;
    if (!admission)
        return;
    *admission_ptr = NULL;
    for (size_t i = 0; i < admission->bucket_count; i++) {
        while (admission->buckets[i]) {
            struct smtp_admission_client *client = admission->buckets[i];
            admission->buckets[i] = client->next;
            free(client);
        }
    }
    free(admission->buckets);
    smtp_access_free(&admission->access);
    smtp_access_free(&admission->exempt);
    free(admission);
}

unsigned smtp_admission_sessions(const struct smtp_admission *admission)
{
    return admission->sessions;
}

size_t smtp_admission_remembered(const struct smtp_admission *admission)
{
    return admission->client_count;
}
