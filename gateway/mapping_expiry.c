/* mapping_expiry.c - see mapping_expiry.h */
#include "gateway/mapping_expiry.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"

enum { BATCH = 100, LOOK_MS = 10 * 1000 };

struct mapping_expiry {
    const struct parts *parts;
    void (*on_expired)(void *ctx);
    void *ctx;
    struct timer *timer;
    bool is_under_way; /* then timer does not run */
};

struct sweep {
    struct mapping_expiry *expiry;
    int64_t now;
    int64_t ids[BATCH];
    size_t count;
};

static void collect(const struct store_mapping *mapping, void *ctx)
{
    struct sweep *sweep = ctx;
    if (sweep->count < BATCH)
        sweep->ids[sweep->count++] = mapping->id;
}

/* May run twice: begins anew then. */
static int end_them(struct store_db *db, void *arg)
{
    static const struct store_actor gateway = { .channel = "gateway", .name = "gateway" };
    struct sweep *sweep = arg;
    const struct mapping_change change = { .actor = &gateway, .reason = "its time is over", .now = sweep->now };
    sweep->count = 0;
    if (store_mapping_list_ended(db, sweep->now, BATCH, collect, sweep) < 0)
        return -1;
    for (size_t i = 0; i < sweep->count; i++) {
        struct mapping_result result;
        int done = mapping_change_state(db, &change, sweep->ids[i], MAPPING_EXPIRE, NULL, &result);
        mapping_result_clear(&result);
        if (done != 1)
            return -1;
    }
    return 1;
}

static void plan(struct mapping_expiry *expiry)
{
    int64_t at, now = clock_wall_ms(expiry->parts->clock);
    bool has_next = store_mapping_next_end(store_reader(expiry->parts->store), &at) == 1;
    timer_start(expiry->timer, has_next && at - now < LOOK_MS ? at - now : LOOK_MS);
}

static void ended(int result, void *arg)
{
    struct sweep *sweep = arg;
    struct mapping_expiry *expiry = sweep->expiry;
    expiry->is_under_way = false;
    for (size_t i = 0; result == 1 && i < sweep->count; i++)
        log_info("mapping.expired", "mapping=%" PRId64, sweep->ids[i]);
    if (result == 1 && sweep->count > 0 && expiry->on_expired)
        expiry->on_expired(expiry->ctx);
    if (result == 1)
        plan(expiry);
    else
        timer_start(expiry->timer, LOOK_MS);
    free(sweep);
}

static void look(void *arg)
{
    struct mapping_expiry *expiry = arg;
    int64_t at, now = clock_wall_ms(expiry->parts->clock);
    if (store_mapping_next_end(store_reader(expiry->parts->store), &at) != 1 || at > now) {
        plan(expiry);
        return;
    }
    struct sweep *sweep = xcalloc(1, sizeof *sweep);
    *sweep = (struct sweep){ .expiry = expiry, .now = now };
    expiry->is_under_way = true;
    store_submit_repeatable(expiry->parts->store, end_them, ended, sweep);
}

struct mapping_expiry *mapping_expiry_new(const struct parts *parts, void (*on_expired)(void *ctx), void *ctx)
{
    struct mapping_expiry *expiry = xcalloc(1, sizeof *expiry);
    *expiry = (struct mapping_expiry){ .parts = parts, .on_expired = on_expired, .ctx = ctx };
    expiry->timer = timer_new(parts->loop, look, expiry);
    timer_start(expiry->timer, 0);
    return expiry;
}

void mapping_expiry_free(struct mapping_expiry **expiry)
{
    if (!*expiry)
        return;
    timer_free(&(*expiry)->timer);
    free(*expiry);
    *expiry = NULL;
}

void mapping_expiry_poke(struct mapping_expiry *expiry)
{
    if (!expiry->is_under_way)
        timer_start(expiry->timer, 0);
}
