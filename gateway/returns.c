/* returns.c - see returns.h */
#include "gateway/returns_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/outcome.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "mapping/convert.h"
#include "mapping/store_content.h"
#include "mapping/store_trace.h"

enum {
    CONCURRENCY = 2,
    PAUSE_MS = 1000, /* when the database fails: longer each time, */
    LONGEST_PAUSE_MS = 30 * 1000,
    MOST = 100,    /* about one message, */
    MOST_EACH = 4, /* unless it has so many recipients that each can be delayed, fail, and more */
};

enum job_state {
    JOB_READING,     /* a worker has it */
    JOB_NOTING,      /* the commit of what it says is under way */
    JOB_PUTTING_OFF, /* the commit that makes it due later, or holds it, is under way */
    JOB_ENDING,      /* nothing more to do; pausing so that a database in trouble is not hammered */
};
static const char *const job_state_names[] = { "reading", "noting", "putting_off", "ending" };

/* Which states may follow which. */
static const unsigned job_successors[] = {
    [JOB_READING] = 1u << JOB_NOTING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_NOTING] = 1u << JOB_ENDING,
    [JOB_PUTTING_OFF] = 1u << JOB_ENDING,
    [JOB_ENDING] = 0,
};

/* One entry under way. While a store operation runs only the committer touches it. */
struct job {
    struct returns *returns;
    struct job *next;
    enum job_state state;
    struct returned returned;
    int64_t received_at;
    const char *error; /* why it is put off; static */
    bool give_up;
    int64_t next_attempt_at;
    struct timer *pause;
};

struct returns {
    const struct parts *parts;
    void (*on_added)(void *ctx);
    void *ctx;
    struct queue *queue;
    struct job *jobs;
    struct backoff database; /* when it fails */
};

static void set_state(struct job *job, enum job_state state)
{
    assert(job_successors[job->state] & 1u << state);
    log_debug("return.state", "message=in%" PRId64 " was=%s is=%s", job->returned.id, job_state_names[job->state],
              job_state_names[state]);
    job->state = state;
}

static void job_free(struct job *job)
{
    struct job **link = &job->returns->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    timer_free(&job->pause);
    convert_report_free(&job->returned.report);
    free(job);
}

static void job_end(void *arg)
{
    struct job *job = arg;
    struct returns *returns = job->returns;
    int64_t id = job->returned.id;
    job_free(job);
    queue_finished(returns->queue, id);
}

/* The row is due as before. */
static void end_after_failure(struct job *job)
{
    struct returns *returns = job->returns;
    set_state(job, JOB_ENDING);
    job->pause = timer_new(returns->parts->loop, job_end, job);
    timer_start(job->pause, backoff_failed(&returns->database, clock_monotonic_ms(returns->parts->clock)));
}

static int commit_put_off(struct store_db *db, void *arg)
{
    const struct job *job = arg;
    int64_t id = job->returned.id;
    if (!job->give_up)
        return store_queue_postpone(db, STORE_QUEUE_IN, id, job->next_attempt_at, job->error) < 0 ? -1 : 1;
    int result = store_inbound_set_state(db, id, STORE_QUEUE_HELD, job->error);
    if (result == 1)
        result = store_trace_add(db, STORE_QUEUE_IN, id, job->returned.now, "held", "given up: %s", job->error);
    return result < 0 ? -1 : 1;
}

static void put_off_done(int result, void *arg)
{
    struct job *job = arg;
    if (result != 1) {
        end_after_failure(job);
        return;
    }
    (void)backoff_worked(&job->returns->database);
    job_end(job);
}

/* Something of ours is short: tried again soon, the later the older it is; held when that has no end. */
static void put_off(struct job *job, const char *why, bool give_up)
{
    const struct parts *parts = job->returns->parts;
    int64_t now = clock_wall_ms(parts->clock), age = now - job->received_at;
    job->returned.now = now;
    job->error = why;
    job->give_up = give_up || age >= parts->config->retry.give_up_ms;
    job->next_attempt_at = now + outcome_put_off_ms(age);
    log_warning("return.put_off", "message=in%" PRId64 " final=%d reason=%s", job->returned.id, job->give_up, why);
    set_state(job, JOB_PUTTING_OFF);
    store_submit(parts->store, commit_put_off, put_off_done, job);
}

static int commit_note(struct store_db *db, void *arg)
{
    struct job *job = arg;
    return returns_note(db, &job->returned);
}

static void noted(int result, void *arg)
{
    struct job *job = arg;
    struct returns *returns = job->returns;
    if (result != 1) {
        if (!backoff_is_failing(&returns->database))
            log_error("return.not_noted", "message=in%" PRId64, job->returned.id);
        end_after_failure(job);
        return;
    }
    (void)backoff_worked(&returns->database);
    bool has_added = job->returned.has_added;
    log_info("return.noted", "message=in%" PRId64 " told=%d", job->returned.id, has_added);
    job_end(job);
    if (has_added)
        returns->on_added(returns->ctx);
}

static void on_read(struct convert_report_result *result, void *ctx)
{
    struct job *job = ctx;
    if (!result->ok && !result->permanent) {
        put_off(job, result->error, false);
        return;
    }
    job->returned.is_unreadable = !result->ok;
    convert_report_free(&job->returned.report);
    job->returned.report = *result;
    convert_report_init(result);
    job->returned.now = clock_wall_ms(job->returns->parts->clock);
    set_state(job, JOB_NOTING);
    store_submit(job->returns->parts->store, commit_note, noted, job);
}

static void read_content(struct job *job, int64_t content_id)
{
    const struct parts *parts = job->returns->parts;
    int64_t size;
    int fd;
    int found = store_content_open(store_reader(parts->store), content_id, &fd, &size);
    if (found != 1) { /* missing: for an administrator, who may have a copy of it */
        put_off(job, found == 0 ? "its content is missing from state_dir" : "its content can't be read", found == 0);
        return;
    }
    if (convert_report_in(parts->convert, job->returned.id, fd, size, on_read, job) != 1)
        put_off(job, "the convert workers are busy", false);
    close(fd);
}

static struct job *job_new(struct returns *returns, int64_t id)
{
    struct job *job = xcalloc(1, sizeof *job);
    job->returns = returns;
    job->next = returns->jobs;
    returns->jobs = job;
    job->returned.id = id;
    convert_report_init(&job->returned.report);
    return job;
}

static void start(int64_t id, void *ctx)
{
    struct returns *returns = ctx;
    struct store_inbound row;
    int found = store_inbound_find(store_reader(returns->parts->store), id, &row);
    if (found < 0) {
        end_after_failure(job_new(returns, id));
        return;
    }
    if (found == 0 || row.kind != STORE_INBOUND_RETURNED || row.state != STORE_QUEUE_WAITING) {
        if (found == 1)
            store_inbound_free(&row);
        queue_finished(returns->queue, id); /* it was held or dropped just now */
        return;
    }
    struct job *job = job_new(returns, id);
    job->received_at = row.received_at;
    int64_t content_id = row.content_id;
    store_inbound_free(&row);
    read_content(job, content_id);
}

int64_t returns_most(size_t recipient_count)
{
    int64_t most = (int64_t)recipient_count * MOST_EACH;
    return most > MOST ? most : MOST;
}

struct returns *returns_new(const struct parts *parts, void (*on_added)(void *ctx), void *ctx)
{
    struct returns *returns = xcalloc(1, sizeof *returns);
    *returns = (struct returns){ .parts = parts,
                                 .on_added = on_added,
                                 .ctx = ctx,
                                 .database = { .first_ms = PAUSE_MS, .longest_ms = LONGEST_PAUSE_MS } };
    struct queue_settings settings = {
        .parts = parts, .which = STORE_QUEUE_RETURNED, .concurrency = CONCURRENCY, .start = start, .ctx = returns
    };
    returns->queue = queue_new(&settings);
    return returns;
}

bool returns_has_under_way(const struct returns *returns, int64_t id)
{
    return queue_has_under_way(returns->queue, id);
}

void returns_free(struct returns **returns_in)
{
    struct returns *returns = *returns_in;
    if (!returns)
        return;
    for (struct job *job = returns->jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    queue_free(&returns->queue);
    free(returns);
    *returns_in = NULL;
}

void returns_open(struct returns *returns, bool open)
{
    queue_open(returns->queue, open);
}

void returns_poke(struct returns *returns)
{
    queue_poke(returns->queue);
}
