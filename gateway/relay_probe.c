/* relay_probe.c - what happens when a relay is down, and when one is up again
 *
 * While all are down a message that falls due is answered from memory, and awaits a relay. When a probe may go and
 * nothing is due that would be one, the oldest of these is started before its time; if it finds nobody, nothing is noted
 * of it. When a relay is up again they are made due, some hundred at a time as the ones before have left: so mail flows at once
 * after hours, new mail between the old.
 */
#include "gateway/relay_internal.h"

#include "base/clock.h"
#include "base/loop.h"
#include "gateway/destinations.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/relay.h"
#include "gateway/relay_health.h"
#include "mapping/store.h"

enum {
    PROBE_AGAIN_MS = 1000, /* when the entry that was to be the probe has not asked a relay */
    RELEASE_BATCH = 500,
    RELEASE_MORE_BELOW = 250, /* due ones that are left of the batch before */
    RELEASE_LOOK_MS = 100,
};

/* ms until a probe may go to some relay; -1: none is down. */
static int64_t next_probe_in(const struct relay *relay)
{
    int64_t soonest = -1;
    for (size_t i = 0; i < relay->hop_count; i++) {
        int64_t in = relay_health_probe_in(relay->hops[i].health);
        if (in >= 0 && (soonest < 0 || in < soonest))
            soonest = in;
    }
    return soonest;
}

static int find_awaiting(const struct relay *relay, int64_t *id_out)
{
    struct store_db *db = store_reader(relay->parts->store);
    int found = store_outbound_next_awaiting(db, relay->probed_id, id_out);
    return found == 0 ? store_outbound_next_awaiting(db, 0, id_out) : found;
}

static void probe(void *arg)
{
    struct relay *relay = arg;
    int64_t id;
    int64_t in = next_probe_in(relay);
    bool is_start = in < 0 && !relay->has_heard; /* all may be well again since the last run */
    if (in != 0 && !is_start) {
        relay_probe_schedule(relay);
        return;
    }
    int found = relay->is_open ? find_awaiting(relay, &id) : 0;
    if (found == 0)
        return; /* the next message that falls due is the probe */
    timer_start(relay->probe_timer, found < 0 ? relay_database_failed(relay) : PROBE_AGAIN_MS);
    if (is_start && queue_under_way(relay->queue) > 0)
        return; /* it may be on its way to a relay */
    if (found == 1 && queue_start(relay->queue, id))
        relay->probed_id = id;
}

void relay_probe_schedule(struct relay *relay)
{
    int64_t in = next_probe_in(relay);
    bool is_again = in == 0 && timer_is_running(relay->probe_timer);
    if (in >= 0 && relay->is_open && !is_again)
        timer_start(relay->probe_timer, in);
}

void relay_probe_now(struct relay *relay)
{
    destinations_clear(relay->destinations);
    for (size_t i = 0; i < relay->hop_count; i++)
        relay_health_probe_now(relay->hops[i].health);
    timer_stop(relay->probe_timer);
    relay_probe_schedule(relay);
}

/* Releasing: each once for a relay that is up again. What only another one could take, which is down, would be made due for
 * ever else. */

static int commit_release(struct store_db *db, void *arg)
{
    struct relay *relay = arg;
    return store_outbound_end_waiting(db, clock_wall_ms(relay->parts->clock), RELEASE_BATCH, &relay->released_id);
}

static void released(int result, void *arg)
{
    struct relay *relay = arg;
    relay->release_submitted = false;
    if (result < 0) {
        relay->release_anew = true;
        timer_start(relay->release_timer, relay_database_failed(relay));
        return;
    }
    if (result == 1 || relay->release_anew)
        timer_start(relay->release_timer, RELEASE_LOOK_MS);
    if (result == 1) {
        relay_database_worked(relay);
        queue_poke(relay->queue);
    }
}

static bool is_some_relay_up(const struct relay *relay)
{
    bool is_up = false;
    for (size_t i = 0; i < relay->hop_count; i++)
        is_up = is_up || relay_health_state(relay->hops[i].health) == RELAY_HEALTH_UP;
    return is_up;
}

static void release(void *arg)
{
    struct relay *relay = arg;
    int64_t due = 0, now = clock_wall_ms(relay->parts->clock);
    if (relay->release_submitted || !relay->is_open || !is_some_relay_up(relay))
        return; /* when it is up again this begins anew */
    int result =
        store_queue_count_due(store_reader(relay->parts->store), STORE_QUEUE_OUT, now, RELEASE_MORE_BELOW, &due);
    if (result < 0 || due >= RELEASE_MORE_BELOW) {
        timer_start(relay->release_timer, result < 0 ? relay_database_failed(relay) : RELEASE_LOOK_MS);
        return;
    }
    if (relay->release_anew)
        relay->released_id = 0;
    relay->release_anew = false;
    relay->release_submitted = true;
    store_submit(relay->parts->store, commit_release, released, relay);
}

void relay_probe_up(struct relay *relay)
{
    relay->release_anew = true;
    timer_start(relay->release_timer, 0);
}

void relay_probe_open(struct relay *relay)
{
    relay->probe_timer = timer_new(relay->parts->loop, probe, relay);
    relay->release_timer = timer_new(relay->parts->loop, release, relay);
    timer_start(relay->probe_timer, 0);
}

void relay_probe_close(struct relay *relay)
{
    timer_free(&relay->probe_timer);
    timer_free(&relay->release_timer);
}
