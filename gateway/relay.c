/* relay.c - see relay.h */
#include "gateway/relay.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/destinations.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/relay_health.h"
#include "gateway/relay_internal.h"
#include "gateway/relay_mail.h"
#include "gateway/signer.h"
#include "mapping/convert.h"
#include "mapping/store.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_forward.h"
#include "mapping/store_trace.h"

enum { RETRY_FIRST_MS = 1000, RETRY_LONGEST_MS = 30 * 1000 }; /* when the database fails */

static const char *const job_state_names[] = { "starting", "converting", "keeping",     "lining_up",
                                               "relaying", "noting",     "putting_off", "ending" };

/* Which states may follow which. */
static const unsigned job_successors[] = {
    [RELAY_JOB_STARTING] = 1u << RELAY_JOB_CONVERTING | 1u << RELAY_JOB_LINING_UP | 1u << RELAY_JOB_NOTING |
                           1u << RELAY_JOB_PUTTING_OFF | 1u << RELAY_JOB_ENDING,
    [RELAY_JOB_CONVERTING] = 1u << RELAY_JOB_KEEPING | 1u << RELAY_JOB_NOTING | 1u << RELAY_JOB_PUTTING_OFF,
    [RELAY_JOB_KEEPING] =
        1u << RELAY_JOB_LINING_UP | 1u << RELAY_JOB_NOTING | 1u << RELAY_JOB_PUTTING_OFF | 1u << RELAY_JOB_ENDING,
    [RELAY_JOB_LINING_UP] = 1u << RELAY_JOB_RELAYING | 1u << RELAY_JOB_NOTING | 1u << RELAY_JOB_ENDING,
    [RELAY_JOB_RELAYING] = 1u << RELAY_JOB_LINING_UP | 1u << RELAY_JOB_NOTING | 1u << RELAY_JOB_ENDING,
    [RELAY_JOB_NOTING] = 0,
    [RELAY_JOB_PUTTING_OFF] = 1u << RELAY_JOB_ENDING,
    [RELAY_JOB_ENDING] = 0,
};

void relay_set_state(struct relay_job *job, enum relay_job_state state)
{
    assert(job_successors[job->state] & 1u << state);
    log_debug("relay.state", "message=out%" PRId64 " was=%s is=%s", job->row.id, job_state_names[job->state],
              job_state_names[state]);
    job->state = state;
}

static void job_free(struct relay_job *job)
{
    struct relay_job **link = &job->relay->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    timer_free(&job->pause);
    relay_mail_free(&job->mail);
    store_draft_free(&job->draft);
    if (job->mail_fd >= 0)
        close(job->mail_fd);
    store_outbound_free(&job->row);
    free(job->note);
    free(job->waiting);
    free(job->results);
    free(job);
}

void relay_job_end(void *arg)
{
    struct relay_job *job = arg;
    struct relay *relay = job->relay;
    int64_t id = job->row.id;
    job_free(job);
    queue_finished(relay->queue, id);
}

static void after_pause(struct relay_job *job, int64_t ms, void (*next)(void *arg))
{
    timer_free(&job->pause);
    job->pause = timer_new(job->relay->parts->loop, next, job);
    timer_start(job->pause, ms);
}

int64_t relay_database_failed(struct relay *relay)
{
    int64_t ms = backoff_failed(&relay->database, clock_monotonic_ms(relay->parts->clock));
    return relay->is_open ? ms : RETRY_FIRST_MS; /* the daemon ends: there is not much time left */
}

void relay_after_failure(struct relay_job *job, void (*next)(void *arg))
{
    after_pause(job, relay_database_failed(job->relay), next);
}

void relay_end_after_failure(struct relay_job *job)
{
    relay_set_state(job, RELAY_JOB_ENDING);
    relay_after_failure(job, relay_job_end);
}

void relay_database_worked(struct relay *relay)
{
    (void)backoff_worked(&relay->database);
}

/* Writing the mail. */

static int commit_mail(struct store_db *db, void *arg)
{
    struct relay_job *job = arg;
    int64_t content_id;
    if (store_content_add(db, job->draft, &content_id) != 1 ||
        store_outbound_set_mail(db, job->row.id, content_id, job->mail_size, job->is_8bit, job->is_smtputf8,
                                job->row.signature) != 1 ||
        store_forward_written(db, job->row.id) < 0 ||
        store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "converted", "mail <%s>, %" PRId64 " octets%s%s%s",
                        job->row.message_id, job->mail_size, job->row.signature[0] ? ", signed" : "",
                        job->note[0] ? "; " : "", job->note) != 1)
        return -1;
    return 1;
}

static void mail_committed(int result, void *arg)
{
    struct relay_job *job = arg;
    store_draft_free(&job->draft);
    if (result != 1) {
        relay_end_after_failure(job);
        return;
    }
    relay_database_worked(job->relay);
    relay_pool_send(job);
}

static void keep(void *arg)
{
    struct relay_job *job = arg;
    job->kept = store_draft_keep(job->draft) == 1;
}

static void keep_done(void *arg)
{
    struct relay_job *job = arg;
    if (job->kept)
        store_submit_patient(job->relay->parts->store, commit_mail, mail_committed, job);
    else
        relay_fail_all(job, SMTP_OUTCOME_TEMPORARY, RELAY_FAULT_OURS,
                       "there is no room for it on disk, or the disk fails"); /* written anew */
}

static void keep_mail(struct relay_job *job)
{
    const struct parts *parts = job->relay->parts;
    job->draft = store_draft_new_fd(parts->store, job->mail_fd, job->mail_size);
    if (store_draft_is_large(job->draft))
        background_submit(parts->background, keep, keep_done, NULL, job);
    else
        store_submit_patient(parts->store, commit_mail, mail_committed, job);
}

/* The whole mail is read for it, and an RSA key takes its time. */
static void sign(void *arg)
{
    struct relay_job *job = arg;
    struct strbuf fields;
    strbuf_init(&fields, SIGNER_FIELDS_MAX);
    job->is_signed = signer_sign_file(job->relay->parts->signer, job->mail_fd, job->mail_size, job->now, &fields) == 1;
    free(job->row.signature);
    job->row.signature = strbuf_detach(&fields);
}

static void sign_done(void *arg)
{
    struct relay_job *job = arg;
    if (job->is_signed)
        keep_mail(job);
    else
        relay_fail_all(job, SMTP_OUTCOME_TEMPORARY, RELAY_FAULT_OURS, "it could not be signed"); /* written anew */
}

static void on_converted(struct convert_out_result *result, void *ctx)
{
    struct relay_job *job = ctx;
    relay_mail_free(&job->mail);
    if (!result->ok) {
        relay_fail_all(job, result->permanent ? SMTP_OUTCOME_PERMANENT : SMTP_OUTCOME_TEMPORARY, RELAY_FAULT_OURS,
                       result->error);
        return;
    }
    job->mail_fd = fcntl(result->mail_fd, F_DUPFD_CLOEXEC, 0);
    job->mail_size = result->mail_size;
    job->is_8bit = result->is_8bit;
    job->is_smtputf8 = result->is_smtputf8;
    job->note = xstrdup(result->detail ? result->detail : "");
    job->now = clock_wall_ms(job->relay->parts->clock);
    if (job->mail_fd < 0) {
        relay_put_off(job, "no file descriptor left");
        return;
    }
    relay_set_state(job, RELAY_JOB_KEEPING);
    if (signer_has_keys(job->relay->parts->signer))
        background_submit(job->relay->parts->digester, sign, sign_done, NULL, job);
    else
        keep_mail(job);
}

static void write_mail(struct relay_job *job)
{
    const struct parts *parts = job->relay->parts;
    const char *error;
    job->mail = relay_mail_new(parts, &job->row, &error);
    if (!job->mail)
        relay_fail_all(job, SMTP_OUTCOME_TEMPORARY, RELAY_FAULT_ENTRY, error);
    else if (convert_mail_out(parts->convert, relay_mail_request(job->mail), on_converted, job) == 1)
        relay_set_state(job, RELAY_JOB_CONVERTING);
    else
        relay_put_off(job, "the convert workers are busy");
}

static void start(int64_t id, void *ctx)
{
    struct relay *relay = ctx;
    struct store_db *db = store_reader(relay->parts->store);
    struct relay_job *job = xcalloc(1, sizeof *job);
    job->relay = relay;
    job->next = relay->jobs;
    relay->jobs = job;
    job->mail_fd = -1;
    int found = store_outbound_find(db, id, &job->row);
    if (found < 0) {
        job->row.id = id;
        relay_end_after_failure(job);
        return;
    }
    if (found == 0 || (job->row.state != STORE_QUEUE_WAITING && job->row.state != STORE_QUEUE_ROUTED)) {
        job->row.id = id; /* it was stopped just now */
        relay_set_state(job, RELAY_JOB_ENDING);
        after_pause(job, RETRY_FIRST_MS, relay_job_end);
        return;
    }
    job->is_early = job->row.next_attempt_at > clock_wall_ms(relay->parts->clock);
    relay_find_waiting(job);
    if (relay_has_author(job) && job->row.kind != STORE_OUTBOUND_MESSAGE && job->row.recipient_count == 0) {
        relay_await_recipients(job);
    } else if (relay_decide_unauthorised(job) == 0) { /* nobody, or nobody any more */
        job->now = clock_wall_ms(relay->parts->clock);
        relay_note_results(job);
    } else if (job->row.state == STORE_QUEUE_WAITING) {
        write_mail(job);
    } else if (store_content_open(db, job->row.content_id, &job->mail_fd, &job->mail_size) != 1) {
        relay_fail_all(job, SMTP_OUTCOME_TEMPORARY, RELAY_FAULT_ENTRY, "its content is missing, or can't be read");
    } else {
        job->is_8bit = job->row.is_8bit;
        job->is_smtputf8 = job->row.is_smtputf8;
        relay_pool_send(job);
    }
}

struct relay *relay_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx, char **error_out)
{
    struct relay *relay = xcalloc(1, sizeof *relay);
    relay->parts = parts;
    relay->on_notice = on_notice;
    relay->ctx = ctx;
    relay->database = (struct backoff){ .first_ms = RETRY_FIRST_MS, .longest_ms = RETRY_LONGEST_MS };
    relay->destinations = destinations_new(parts->clock);
    struct queue_settings settings = { .parts = parts,
                                       .which = STORE_QUEUE_OUT,
                                       .concurrency = relay_pool_concurrency(parts),
                                       .start = start,
                                       .ctx = relay };
    relay->queue = queue_new(&settings);
    relay_probe_open(relay);
    if (relay_pool_open(relay, error_out) < 0)
        relay_free(&relay);
    return relay;
}

void relay_free(struct relay **relay_in)
{
    struct relay *relay = *relay_in;
    if (!relay)
        return;
    relay_probe_close(relay);
    relay_pool_close(relay);
    for (struct relay_job *job = relay->jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    queue_free(&relay->queue);
    destinations_free(&relay->destinations);
    free(relay);
    *relay_in = NULL;
}

void relay_open(struct relay *relay, bool open)
{
    relay->is_open = open;
    queue_open(relay->queue, open);
    if (!open)
        relay_pool_leave_lines(relay);
    for (const struct relay_job *job = relay->jobs; job && !open; job = job->next)
        if (job->pause && timer_is_running(job->pause))
            timer_start(job->pause, 0);
}

void relay_poke(struct relay *relay)
{
    queue_poke(relay->queue);
}

bool relay_has_under_way(const struct relay *relay, int64_t id)
{
    return queue_has_under_way(relay->queue, id);
}

unsigned relay_under_way(const struct relay *relay)
{
    return queue_under_way(relay->queue);
}

uint64_t relay_delivered(const struct relay *relay)
{
    return relay->delivered;
}

const char *relay_last_error(const struct relay *relay)
{
    return relay->last_error;
}

size_t relay_count(const struct relay *relay)
{
    return relay->hop_count;
}

void relay_get_status(const struct relay *relay, size_t index, struct relay_status *out)
{
    const struct relay_hop *hop = &relay->hops[index];
    *out = (struct relay_status){
        .url = relay->parts->config->relays[index].url,
        .state = relay_health_state_name(relay_health_state(hop->health)),
        .since = relay_health_since(hop->health),
        .probe_in_ms = relay_health_probe_in(hop->health),
        .error = relay_health_words(hop->health),
        .connections = hop->in_use + (unsigned)hop->idle_count,
        .under_way = hop->in_use,
        .limit = hop->limit,
        .delivered = hop->delivered,
    };
}

size_t relay_set_aside(const struct relay *relay)
{
    return destinations_count_aside(relay->destinations);
}
