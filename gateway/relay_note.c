/* relay_note.c - the commit of what became of a message, and what its author is told */
#include "gateway/relay_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "mapping/store.h"
#include "mapping/store_trace.h"

int relay_tell_author(struct store_db *db, struct relay_job *job, const char *subject, const char *intro,
                      const char *lines)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    strbuf_add_fmt(&text, "%s\n\n%s", intro, lines);
    struct notice notice = {
        .to.member_id = job->row.member_id,
        .uid = job->row.author_uid,
        .alias = job->row.author_alias,
        .thread_id = job->row.thread_id,
        .subject = subject,
        .text = text.data,
        .about = job->row.id,
    };
    int result = strbuf_ok(&text) ? notice_add(db, &notice, job->now) : -1;
    strbuf_free(&text);
    job->noticed = true;
    return result;
}

/* One recipient's outcome. Appends to failures, or to delays, what the author has to know. */
static int commit_recipient(struct store_db *db, struct relay_job *job, size_t i, struct notice_list *failures,
                            struct notice_list *delays)
{
    const struct relay_result *result = &job->results[i];
    const struct store_outbound_recipient *recipient = &job->row.recipients[job->waiting[i]];
    enum store_recipient_state state = STORE_RECIPIENT_WAITING;
    const char *event = "deferred";
    if (result->outcome.action == OUTCOME_DELIVERED) {
        state = STORE_RECIPIENT_DELIVERED;
        event = "delivered";
    } else if (result->outcome.action == OUTCOME_GIVE_UP) {
        state = STORE_RECIPIENT_FAILED;
        event = "failed";
        notice_list_add(failures, "%s: %s%s", recipient->address,
                        result->outcome.expired ? "gave up trying; the last answer was: " : "", result->reply);
    } else {
        notice_list_add(delays, "%s: %s", recipient->address, result->reply);
    }
    if (store_outbound_set_recipient(db, job->row.id, recipient->correspondent_id, state, "", result->reply) < 0)
        return -1;
    return store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, event, "%s: %s", recipient->address,
                           result->reply);
}

static void find_warning(int64_t at, const char *event, const char *detail, void *ctx)
{
    bool *found = ctx;
    (void)at;
    (void)detail;
    *found = *found || strcmp(event, "warned") == 0;
}

/* Once per message, when it waits longer than retry.warn_after. */
static int warn_author(struct store_db *db, struct relay_job *job, const char *delays)
{
    bool warned = false;
    if (store_trace_list(db, STORE_QUEUE_OUT, job->row.id, find_warning, &warned) < 0)
        return -1;
    if (warned)
        return 1;
    if (store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "warned", "the author was told that it is late") !=
        1)
        return -1;
    return relay_tell_author(
        db, job, "Delayed",
        "This message could not be delivered by email yet. It is tried again; there is nothing to do.", delays);
}

/* What is left of the entry: 0 from finish and retry means that an administrator has dropped it meanwhile, which stays
 * so. */
static int commit_entry(struct store_db *db, struct relay_job *job)
{
    const struct relay_result *retry = NULL;
    for (size_t i = 0; i < job->waiting_count; i++)
        if (job->results[i].outcome.action == OUTCOME_RETRY)
            retry = &job->results[i];
    int result = retry ? store_outbound_retry(db, job->row.id, retry->outcome.next_attempt_at, false, retry->reply)
                       : store_outbound_finish(db, job->row.id, STORE_QUEUE_SETTLED);
    return result < 0 ? -1 : 1;
}

static int commit_results(struct store_db *db, void *arg)
{
    struct relay_job *job = arg;
    struct strbuf failed, delayed;
    strbuf_init(&failed, 60 * 1024);
    strbuf_init(&delayed, 60 * 1024);
    struct notice_list failures = { .text = &failed }, delays = { .text = &delayed };
    int result = 1;
    for (size_t i = 0; i < job->waiting_count && result == 1; i++)
        result = commit_recipient(db, job, i, &failures, &delays);
    notice_list_end(&failures);
    notice_list_end(&delays);
    job->noticed = false;
    if (result == 1 && failures.count > 0 && relay_has_author(job))
        result = relay_tell_author(db, job, "Not delivered by email",
                                   "This message could not be delivered by email:", failed.data);
    if (result == 1 && delays.count > 0 && job->is_late && relay_has_author(job))
        result = warn_author(db, job, delayed.data);
    if (result == 1)
        result = commit_entry(db, job);
    strbuf_free(&failed);
    strbuf_free(&delayed);
    return result == 1 ? 1 : -1;
}

static void submit_results(void *arg);

static const char *action_name(enum outcome_action action)
{
    return action == OUTCOME_DELIVERED ? "delivered" : action == OUTCOME_RETRY ? "deferred" : "failed";
}

static void results_committed(int result, void *arg)
{
    struct relay_job *job = arg;
    struct relay *relay = job->relay;
    if (result != 1) { /* what was delivered must not become due again */
        log_error("relay.not_noted", "id=out%" PRId64, job->row.id);
        relay_after_pause(job, submit_results);
        return;
    }
    for (size_t i = 0; i < job->waiting_count; i++) {
        enum outcome_action action = job->results[i].outcome.action;
        relay->delivered += action == OUTCOME_DELIVERED;
        log_info("relay.result", "id=out%" PRId64 " to=%s message_id=%s outcome=%s reply=%s", job->row.id,
                 job->row.recipients[job->waiting[i]].address, job->row.message_id, action_name(action),
                 job->results[i].reply);
    }
    bool noticed = job->noticed;
    relay_job_end(job);
    if (noticed)
        relay->on_notice(relay->ctx);
}

static void submit_results(void *arg)
{
    struct relay_job *job = arg;
    store_submit(job->relay->parts->store, commit_results, results_committed, job);
}

void relay_note_results(struct relay_job *job)
{
    relay_set_state(job, RELAY_JOB_NOTING);
    submit_results(job);
}

static struct outcome decide(const struct relay_job *job, enum smtp_outcome outcome)
{
    const struct config *config = job->relay->parts->config;
    struct outcome_facts facts = {
        .outcome = outcome,
        .received_at = job->row.received_at,
        .now = job->now,
        .attempts = job->row.attempts + 1,
        .first_ms = config->retry.first_ms,
        .longest_ms = config->retry.longest_ms,
        .give_up_ms = config->retry.give_up_ms,
    };
    random_bytes(&facts.random, sizeof facts.random);
    return outcome_decide(&facts);
}

void relay_set_result(struct relay_job *job, size_t index, const struct smtp_recipient_result *given)
{
    const struct parts *parts = job->relay->parts;
    job->now = clock_wall_ms(parts->clock);
    job->is_late = job->now - job->row.received_at >= parts->config->retry.warn_after_ms;
    struct relay_result *result = &job->results[index];
    result->outcome = decide(job, given->outcome);
    struct strbuf reply;
    strbuf_init(&reply, sizeof result->reply - 1);
    strbuf_add_fmt(&reply, "%d %s%s%s", given->reply.code, given->reply.enhanced, given->reply.enhanced[0] ? " " : "",
                   given->reply.text);
    memcpy(result->reply, reply.data, reply.len + 1);
    strbuf_free(&reply);
}

/* results: of those that the relay was asked about, in order; when there are fewer, the last is for all the rest. */
void relay_set_results(struct relay_job *job, const struct smtp_recipient_result *results, size_t count)
{
    size_t given = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        if (job->results[i].decided)
            continue;
        relay_set_result(job, i, &results[given]);
        given += given + 1 < count;
    }
}

/* The same for everybody, when it could not even be tried. */
void relay_fail_all(struct relay_job *job, enum smtp_outcome outcome, const char *error)
{
    struct smtp_recipient_result result = { .outcome = outcome };
    bool final = outcome == SMTP_OUTCOME_PERMANENT;
    result.reply = smtp_reply_make(final ? 554 : 451, final ? "5.6.0" : "4.3.0", "%s", error);
    relay_set_results(job, &result, 1);
    relay_note_results(job);
}
