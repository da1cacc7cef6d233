/* poster_put_off.c - what can't be posted now, or ever; see poster_internal.h */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/measures.h"
#include "gateway/outcome.h"
#include "gateway/parts.h"
#include "gateway/poster_internal.h"
#include "gateway/report.h"
#include "mapping/store_trace.h"

enum { CATCHING_UP_MS = 600 * 1000, RETURN_LATER_MS = 600 * 1000 };

/* Given up; but so many reports have gone to its sender that this one has to wait. */
static int commit_return(struct store_db *db, struct poster_job *job)
{
    job->end.id = job->row.id;
    job->end.now = job->now;
    job->end.why = job->error;
    if (poster_return(db, job->poster->parts->reporter, &job->end) != 1)
        return -1;
    if (job->end.done != POSTER_NOT_YET)
        return 1;
    return store_queue_postpone(db, STORE_QUEUE_IN, job->row.id, job->now + RETURN_LATER_MS, job->error) < 0 ? -1 : 1;
}

static int commit_put_off(struct store_db *db, void *arg)
{
    struct poster_job *job = arg;
    int64_t id = job->row.id;
    int result;
    if (job->give_up && !job->is_for_a_person)
        return commit_return(db, job);
    if (job->give_up)
        result = store_inbound_set_state(db, id, STORE_QUEUE_HELD, job->error);
    else if (job->counts)
        result = store_inbound_retry(db, id, job->next_attempt_at, job->error);
    else
        result = store_queue_postpone(db, STORE_QUEUE_IN, id, job->next_attempt_at, job->error);
    if (result == 0)
        return 1; /* settled or dropped meanwhile: nothing to put off */
    if (result == 1 && (job->give_up || strcmp(job->error, job->row.last_error) != 0))
        result = store_trace_add(db, STORE_QUEUE_IN, id, job->now, job->give_up ? "held" : "deferred", "%s%s",
                                 job->give_up ? "given up: " : "", job->error);
    return result == 1 ? 1 : -1;
}

static void put_off_done(int result, void *arg)
{
    struct poster_job *job = arg;
    if (result == 1) {
        poster_database_worked(job->poster);
        if (job->end.reported)
            reporter_poke(job->poster->parts->reporter);
        poster_job_end(job);
        return;
    }
    if (!backoff_is_failing(&job->poster->database))
        log_error("post.not_noted", "message=in%" PRId64, job->row.id);
    poster_end_after_failure(job);
}

void poster_submit_put_off(struct poster_job *job, const char *error)
{
    free(job->error);
    job->error = xstrdup(error);
    poster_set_state(job, POSTER_PUTTING_OFF);
    store_submit(job->poster->parts->store, commit_put_off, put_off_done, job);
}

/* After a long outage much is old that was never tried, and waits for its turn, or for what it answers. */
static bool is_catching_up(const struct poster *poster)
{
    int64_t give_up_ms = poster->parts->config->retry.give_up_ms;
    int64_t online_ms = clock_monotonic_ms(poster->parts->clock) - poster->online_at;
    return online_ms < (give_up_ms < CATCHING_UP_MS ? give_up_ms : CATCHING_UP_MS);
}

void poster_put_off(struct poster_job *job, const char *why)
{
    const struct config *config = job->poster->parts->config;
    job->now = clock_wall_ms(job->poster->parts->clock);
    int64_t age = job->now - job->row.received_at;
    job->counts = false;
    job->give_up = age >= config->retry.give_up_ms && !is_catching_up(job->poster);
    job->end.trouble = TROUBLE_OURS;
    job->next_attempt_at = job->now + outcome_put_off_ms(age);
    poster_submit_put_off(job, why);
}

void poster_refused(struct poster_job *job, const char *error, const char *words)
{
    const struct config *config = job->poster->parts->config;
    job->now = clock_wall_ms(job->poster->parts->clock);
    struct outcome_facts facts = {
        .outcome = SMTP_OUTCOME_TEMPORARY,
        .received_at = job->row.received_at,
        .now = job->now,
        .attempts = job->row.attempts + 1,
        .first_ms = config->retry.first_ms,
        .longest_ms = config->retry.longest_ms,
        .give_up_ms = config->retry.give_up_ms,
    };
    random_bytes(&facts.random, sizeof facts.random);
    struct outcome outcome = outcome_decide_post(&facts);
    job->counts = true;
    job->give_up = outcome.action == OUTCOME_GIVE_UP;
    job->next_attempt_at = outcome.next_attempt_at;
    job->end.trouble = words ? TROUBLE_REFUSED : TROUBLE_OURS;
    job->end.words = words ? job->words = xstrdup(words) : NULL;
    log_warning("post.refused", "message=in%" PRId64 " attempt=%u final=%d reason=%s", job->row.id, facts.attempts,
                job->give_up, error);
    measures_note_refused_post(job->poster->parts->measures);
    poster_submit_put_off(job, error);
}
