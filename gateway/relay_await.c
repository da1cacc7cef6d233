/* relay_await.c - what can't be tried now */
#include "gateway/relay_internal.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/config.h"
#include "gateway/outbound.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "mapping/store.h"
#include "mapping/store_trace.h"

enum { BUSY_RETRY_MS = 1000 };

/* Putting off without counting as an attempt at the relay: something here is busy. */

static int commit_put_off(struct store_db *db, void *arg)
{
    const struct relay_job *job = arg;
    return store_queue_set_due(db, STORE_QUEUE_OUT, job->row.id, job->next_attempt_at) < 0 ? -1 : 1;
}

static void put_off_done(int result, void *arg)
{
    struct relay_job *job = arg;
    struct relay *relay = job->relay;
    bool noticed = job->noticed;
    if (result != 1) {
        relay_end_after_failure(job);
        return;
    }
    relay_database_worked(relay);
    relay_job_end(job);
    if (noticed)
        relay->on_notice(relay->ctx);
}

void relay_put_off(struct relay_job *job, const char *why)
{
    log_debug("relay.put_off", "message=out%" PRId64 " reason=%s", job->row.id, why);
    job->next_attempt_at = clock_wall_ms(job->relay->parts->clock) + BUSY_RETRY_MS;
    relay_set_state(job, RELAY_JOB_PUTTING_OFF);
    store_submit(job->relay->parts->store, commit_put_off, put_off_done, job);
}

/* A forwarded thread of which the silo has not said who is new in it: this comes as a message of its own (outbound_forward.c),
 * soon after, but not if the silo is away. */

/* Its files may have come before. They wait as long as the thread does. */
static int commit_unaddressed_files(struct store_db *db, const struct relay_job *job)
{
    struct store_outbound forward;
    int found = store_outbound_find(db, job->row.forward_id, &forward);
    if (found < 0)
        return -1;
    bool waits = found == 1 && (forward.state == STORE_QUEUE_WAITING || forward.state == STORE_QUEUE_HELD);
    store_outbound_free(&forward);
    if (waits)
        return store_queue_set_due(db, STORE_QUEUE_OUT, job->row.id, job->next_attempt_at) < 0 ? -1 : 1;
    if (store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "refused", "nobody got the thread") != 1 ||
        store_outbound_finish(db, job->row.id, STORE_QUEUE_SETTLED) < 0)
        return -1;
    return 1;
}

static int commit_unaddressed(struct store_db *db, void *arg)
{
    struct relay_job *job = arg;
    struct store_outbound row;
    int found = store_outbound_find(db, job->row.id, &row);
    if (found != 1)
        return found < 0 ? -1 : 1;
    bool is_addressed = row.recipient_count > 0; /* since the job looked: then it is due already */
    store_outbound_free(&row);
    if (is_addressed)
        return 1;
    if (job->row.kind == STORE_OUTBOUND_FILES)
        return commit_unaddressed_files(db, job);
    if (job->now < job->give_up_at)
        return store_queue_set_due(db, STORE_QUEUE_OUT, job->row.id, job->next_attempt_at) < 0 ? -1 : 1;
    if (store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "failed",
                        "the silo never said who is new in the thread") != 1 ||
        store_outbound_finish(db, job->row.id, STORE_QUEUE_SETTLED) < 0)
        return -1;
    return relay_tell_author(db, job, "Not delivered by email", "This thread could not be forwarded by email:",
                             "- the silo never said who is new in it; please forward it again\n", NULL);
}

void relay_await_recipients(struct relay_job *job)
{
    job->now = clock_wall_ms(job->relay->parts->clock);
    job->give_up_at = job->row.received_at + job->relay->parts->config->retry.give_up_ms;
    job->next_attempt_at = job->now + OUTBOUND_NOTIFY_LOOK_MS;
    relay_set_state(job, RELAY_JOB_PUTTING_OFF);
    store_submit(job->relay->parts->store, commit_unaddressed, put_off_done, job);
}
