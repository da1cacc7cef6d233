/* hold.c - see hold.h: the key, the schedule, what has expired, and whose request with it */
#include "gateway/hold.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/seal.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/hold_internal.h"
#include "gateway/hold_read.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "gateway/report.h"
#include "gateway/trouble.h"
#include "smtp/public_suffix.h"

enum {
    LOOK_MS = 60 * 1000, /* at the latest: a clock may be set */
    LOOK_SOON_MS =
        1000, /* while something waits to be opened, or the database fails: then later each time, up to the latest */
    EXPIRED_BATCH = 100,         /* in one operation */
    CATCHING_UP_MS = 600 * 1000, /* so long it may be only now that it can be opened */
    PROBLEM_MAX = 5000,
};

/* The key. */

const struct seal_key *hold_key(const struct hold *hold)
{
    return atomic_load(&hold->key);
}

const char *hold_domain(const struct hold *hold, const char *author)
{
    const char *at = strrchr(author, '@');
    return at ? public_suffixes_organisation(hold->suffixes, at + 1) : "";
}

struct key_job {
    struct hold *hold;
    char *file;
    bool may_make;
    struct seal_key *key;
    char *problem;
    void (*done)(const char *problem, void *ctx);
    void (*discard)(void *ctx);
    void *ctx;
};

static void key_job_free(struct key_job *job)
{
    seal_key_free(&job->key);
    free(job->file);
    free(job->problem);
    free(job);
}

/* On the background thread. */
static void find_key(void *arg)
{
    struct key_job *job = arg;
    int result = seal_key_load(job->file, &job->key, &job->problem);
    if (result != 0 || !job->may_make)
        return;
    free(job->problem);
    if (seal_key_make(job->file, &job->key, &job->problem) == 1)
        log_info("hold.key_made", "path=%s", job->file);
}

static void take_key(struct hold *hold, struct seal_key **key)
{
    char id[SEAL_ID_SIZE];
    if (hold_key(hold) || !*key)
        return;
    seal_key_id(*key, id);
    log_info("hold.key", "key_id=%s", id);
    atomic_store(&hold->key, *key);
    *key = NULL;
}

static void key_found(void *arg)
{
    struct key_job *job = arg;
    take_key(job->hold, &job->key);
    if (!hold_key(job->hold)) {
        log_error("hold.no_key", "error=%s", job->problem);
        hold_tell_admins(job->hold, job->problem);
    }
    job->done(hold_key(job->hold) ? NULL : job->problem, job->ctx);
    key_job_free(job);
}

static void key_discarded(void *arg)
{
    struct key_job *job = arg;
    job->discard(job->ctx);
    key_job_free(job);
}

void hold_find_key(struct hold *hold, void (*done)(const char *problem, void *ctx), void (*discard)(void *ctx),
                   void *ctx)
{
    struct store_held_sum sum;
    struct key_job *job = xcalloc(1, sizeof *job);
    const struct parts *parts = hold->parts;
    *job = (struct key_job){
        .hold = hold, .file = xstrdup(parts->config->hold_key), .done = done, .discard = discard, .ctx = ctx
    };
    /* What is there was sealed with a key that is lost, or may come back. */
    job->may_make = store_held_measure(store_reader(parts->store), &sum) == 1 && sum.count == 0;
    background_submit(parts->background, find_key, key_found, key_discarded, job);
}

char *hold_problem(const struct hold *hold)
{
    char id[SEAL_ID_SIZE] = "";
    int64_t foreign = 0;
    struct strbuf text;
    if (hold_key(hold))
        seal_key_id(hold_key(hold), id);
    if (store_held_count_foreign(store_reader(hold->parts->store), id, &foreign) != 1 || foreign == 0)
        return NULL;
    strbuf_init(&text, PROBLEM_MAX);
    strbuf_add_fmt(&text,
                   "%" PRId64
                   " held messages can't be opened: their key is not in %s; put it back from a backup, and restart",
                   foreign, hold->parts->config->hold_key);
    return strbuf_detach(&text);
}

int hold_read_facts(const struct hold *hold, const struct store_held *held, struct hold_facts *facts_out)
{
    char *text = NULL;
    size_t len;
    const struct seal_key *key = hold_key(hold);
    *facts_out = (struct hold_facts){ .message_id = NULL };
    if (!key || seal_open_text(key, held->author, held->facts, held->facts_len, &text, &len) != 1)
        return 0;
    int result = hold_facts_read(text, facts_out);
    free(text);
    return result;
}

/* What has expired. */

struct expiry {
    struct hold *hold;
    int64_t now, for_ms;
    int64_t released_by; /* of what was released and can't be opened; 0: it is too early to say */
    enum trouble trouble;
    int64_t ids[2 * EXPIRED_BATCH], requests[EXPIRED_BATCH];
    unsigned count, request_count;
    bool reported;
};

static void collect_request(const struct store_mapping *mapping, void *ctx)
{
    struct expiry *expiry = ctx;
    expiry->requests[expiry->request_count++] = mapping->id;
}

/* What nobody has decided about is not asked about for ever: once it has waited as long as mail does, and no mail of its author's
 * does any more, the request goes. */
static int lapse(struct store_db *db, struct expiry *expiry)
{
    static const struct store_actor gateway = { .channel = "gateway", .name = "gateway" };
    const struct mapping_change change = { .actor = &gateway,
                                           .reason = "no mail that asks for it waits any more",
                                           .now = expiry->now };
    expiry->request_count = 0;
    if (store_mapping_list_lapsed(db, expiry->now - expiry->for_ms, EXPIRED_BATCH, collect_request, expiry) != 1)
        return -1;
    for (unsigned i = 0; i < expiry->request_count; i++)
        if (mapping_change_lapse(db, &change, expiry->requests[i]) != 1)
            return -1;
    return 1;
}

static void collect(int64_t inbound_id, void *ctx)
{
    struct expiry *expiry = ctx;
    expiry->ids[expiry->count++] = inbound_id;
}

/* Those that were collected last. */
static int end_them(struct store_db *db, struct expiry *expiry, unsigned first, const struct hold_end *end)
{
    for (unsigned i = first; i < expiry->count; i++) {
        bool reported;
        if (hold_drop(db, expiry->hold, expiry->ids[i], end, expiry->now, &reported) < 0)
            return -1;
        expiry->reported = expiry->reported || reported;
    }
    return 1;
}

/* Of what was released but never could be opened (the silo is away, its author gets no alias, the key is lost) its sender is to
 * hear as of other mail that can't be posted. What nobody can be told of stays for a person. */
static int give_up(struct store_db *db, struct expiry *expiry)
{
    const struct trouble_words *words = trouble_words(expiry->trouble);
    const struct hold_end end = { .event = "returned",
                                  .story = words->story ? words->story
                                                        : "given up: it was released, and could not be opened",
                                  .status = words->failed_status,
                                  .explanation = words->failed };
    unsigned first = expiry->count;
    if (store_held_list_overdue(db, expiry->released_by, EXPIRED_BATCH, collect, expiry) != 1)
        return -1;
    return end_them(db, expiry, first, &end);
}

static int expire(struct store_db *db, void *arg)
{
    struct expiry *expiry = arg;
    struct hold_end end = hold_end_expired;
    end.story = "nobody has decided in time (policy.hold_for)";
    expiry->count = 0;
    if (store_held_list_expired(db, expiry->now, EXPIRED_BATCH, collect, expiry) != 1 ||
        end_them(db, expiry, 0, &end) != 1 || give_up(db, expiry) != 1)
        return -1;
    return lapse(db, expiry);
}

static void expired(int result, void *arg)
{
    struct expiry *expiry = arg;
    struct hold *hold = expiry->hold;
    hold->is_expiring = false;
    for (unsigned i = 0; i < expiry->count && result == 1; i++)
        log_info("hold.expired", "message=in%" PRId64, expiry->ids[i]);
    for (unsigned i = 0; i < expiry->request_count && result == 1; i++)
        log_info("mapping.lapsed", "mapping=%" PRId64, expiry->requests[i]);
    if (result == 1 && expiry->reported)
        reporter_poke(hold->parts->reporter);
    bool again = result == 1 && (expiry->count >= EXPIRED_BATCH || expiry->request_count == EXPIRED_BATCH);
    if (again)
        hold->end_at = 0;
    free(expiry);
    if (result == 1)
        (void)backoff_worked(&hold->expiry);
    else
        (void)backoff_failed(&hold->expiry, clock_monotonic_ms(hold->parts->clock));
    timer_start(hold->timer, again ? 0 : LOOK_SOON_MS);
}

/* The schedule. */

/* A reload may have changed them. */
static void take_rules(struct hold *hold)
{
    atomic_store(&hold->proof, (int)hold->parts->config->policy.proof);
    atomic_store(&hold->local_case, (int)hold->parts->config->policy.local_parts);
}

static void note_lapsed(const struct store_mapping *mapping, void *ctx)
{
    (void)mapping;
    *(bool *)ctx = true;
}

static void note_overdue(int64_t inbound_id, void *ctx)
{
    (void)inbound_id;
    *(bool *)ctx = true;
}

/* 0: after a long outage much is old that never had its chance. */
static int64_t find_released_by(const struct hold *hold, int64_t now)
{
    int64_t give_up_ms = hold->parts->config->retry.give_up_ms;
    int64_t steady_ms = clock_monotonic_ms(hold->parts->clock) - hold->changed_at;
    return steady_ms < (give_up_ms < CATCHING_UP_MS ? give_up_ms : CATCHING_UP_MS) ? 0 : now - give_up_ms;
}

/* But for what has expired. Once a minute: nobody expects that it goes in time. */
static bool is_any_to_end(struct hold *hold, int64_t now)
{
    bool any = false;
    struct store_db *db = store_reader(hold->parts->store);
    int64_t monotonic = clock_monotonic_ms(hold->parts->clock);
    if (monotonic < hold->end_at)
        return false;
    hold->end_at = monotonic + LOOK_MS;
    int64_t since = now - hold->parts->config->hold.for_ms;
    return store_mapping_list_lapsed(db, since, 1, note_lapsed, &any) == 1 &&
           store_held_list_overdue(db, find_released_by(hold, now), 1, note_overdue, &any) == 1 && any;
}

static void begin_expiry(struct hold *hold, int64_t now)
{
    struct expiry *expiry = xcalloc(1, sizeof *expiry);
    *expiry = (struct expiry){ .hold = hold,
                               .now = now,
                               .for_ms = hold->parts->config->hold.for_ms,
                               .released_by = find_released_by(hold, now),
                               .trouble = hold->is_online ? TROUBLE_OURS : TROUBLE_SILO_AWAY };
    hold->is_expiring = true;
    store_submit(hold->parts->store, expire, expired, expiry);
}

static int64_t find_pause(struct hold *hold)
{
    int waits = hold_opener_look(hold->opener);
    if (waits < 0)
        return backoff_failed(&hold->unreadable, clock_monotonic_ms(hold->parts->clock));
    (void)backoff_worked(&hold->unreadable);
    return waits == 1 ? LOOK_SOON_MS : LOOK_MS;
}

static void look(void *arg)
{
    struct hold *hold = arg;
    int64_t at = 0, delay = LOOK_MS, now = clock_wall_ms(hold->parts->clock);
    if (!hold->is_started)
        return;
    take_rules(hold);
    int64_t wait = backoff_left(&hold->expiry, clock_monotonic_ms(hold->parts->clock));
    bool is_due = store_held_next_expiry(store_reader(hold->parts->store), &at) == 1;
    if (is_due && at - now < delay)
        delay = at - now > wait ? at - now : wait;
    if (!hold->is_expiring && wait == 0 && ((is_due && at <= now) || is_any_to_end(hold, now)))
        begin_expiry(hold, now);
    if (hold->is_expiring)
        delay = LOOK_SOON_MS; /* its end looks again */
    int64_t pause = find_pause(hold);
    timer_start(hold->timer, pause < delay ? pause : delay);
    if (hold->has_chores)
        hold->callbacks->on_chores(hold->ctx);
    hold->has_chores = false;
}

void hold_poke(struct hold *hold)
{
    if (hold->is_started)
        timer_start(hold->timer, backoff_left(&hold->unreadable, clock_monotonic_ms(hold->parts->clock)));
}

void hold_added(struct hold *hold)
{
    hold->has_chores = true;
    hold_poke(hold);
}

void hold_set_online(struct hold *hold, bool online)
{
    if (hold->is_online != online)
        hold->changed_at = clock_monotonic_ms(hold->parts->clock);
    hold->is_online = online;
    hold_opener_set_online(hold->opener, online);
    hold_poke(hold);
}

struct hold *hold_new(const struct parts *parts, const struct hold_callbacks *callbacks, void *ctx)
{
    struct hold *hold = xcalloc(1, sizeof *hold);
    hold->parts = parts;
    hold->callbacks = callbacks;
    hold->ctx = ctx;
    hold->timer = timer_new(parts->loop, look, hold);
    hold->unreadable = (struct backoff){ .first_ms = LOOK_SOON_MS, .longest_ms = LOOK_MS };
    hold->expiry = hold->unreadable;
    hold->opener = hold_opener_new(hold);
    hold->reader = hold_reader_new(hold);
    hold->suffixes = public_suffixes_new();
    return hold;
}

void hold_start(struct hold *hold)
{
    struct seal_key *key = NULL;
    char *error = NULL;
    if (seal_key_load(hold->parts->config->hold_key, &key, &error) < 0)
        log_error("hold.no_key", "error=%s", error);
    take_key(hold, &key);
    seal_key_free(&key);
    free(error);
    take_rules(hold);
    hold->changed_at = clock_monotonic_ms(hold->parts->clock);
    hold->is_started = true;
    char *problem = hold_problem(hold);
    if (problem) {
        log_error("hold.key_lost", "error=%s", problem);
        hold_tell_admins(hold, problem);
    }
    free(problem);
    hold_poke(hold);
}

void hold_free(struct hold **hold_in)
{
    struct hold *hold = *hold_in;
    if (!hold)
        return;
    struct seal_key *key = atomic_load(&hold->key);
    hold_opener_free(&hold->opener);
    hold_reader_free(&hold->reader);
    timer_free(&hold->timer);
    public_suffixes_free(&hold->suffixes);
    seal_key_free(&key);
    free(hold);
    *hold_in = NULL;
}
