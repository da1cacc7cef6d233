/* relay_note.c - what became of each recipient, and the commit that keeps it */
#include "gateway/relay_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/measures.h"
#include "gateway/parts.h"
#include "mapping/store.h"
#include "mapping/store_returned.h"
#include "mapping/store_trace.h"

static const struct {
    const char *event;
    enum store_recipient_state state;
    enum measures_outcome measured;
} actions[] = {
    [OUTCOME_DELIVERED] = { "delivered", STORE_RECIPIENT_DELIVERED, MEASURES_DELIVERED },
    [OUTCOME_NEXT_RELAY] = { "deferred", STORE_RECIPIENT_WAITING, MEASURES_RETRIED }, /* does not get here */
    [OUTCOME_RETRY] = { "deferred", STORE_RECIPIENT_WAITING, MEASURES_RETRIED },
    [OUTCOME_GIVE_UP] = { "failed", STORE_RECIPIENT_FAILED, MEASURES_FAILED },
    [OUTCOME_PARK] = { "parked", STORE_RECIPIENT_WAITING, MEASURES_PARKED },
};

/* While an attempt is under way, what came back from the one before may end it. That stays, and is not told again; nor is a
 * failure of which a report has spoken that could end nothing (returns_note.c). */
static int commit_recipient(struct store_db *db, struct relay_job *job, size_t i)
{
    struct relay_result *result = &job->results[i];
    const struct store_outbound_recipient *recipient = &job->row.recipients[job->waiting[i]];
    int set = store_outbound_set_recipient(db, job->row.id, recipient->correspondent_id,
                                           actions[result->outcome.action].state, result->relay, result->reply);
    int known = set == 1 && result->outcome.action == OUTCOME_GIVE_UP
                    ? store_report_says_failed(db, job->row.id, recipient->correspondent_id)
                    : set == 0;
    if (set < 0 || known < 0)
        return -1;
    result->is_known = known == 1;
    return store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, actions[result->outcome.action].event,
                           "%s: %s%s%s%s%s", recipient->address, result->reply, result->is_said ? " (" : "",
                           result->is_said ? result->relay : "", result->is_said ? ")" : "",
                           result->is_known ? "; a report has said before that it failed" : "");
}

static const struct relay_result *find_action(const struct relay_job *job, enum outcome_action action)
{
    for (size_t i = 0; i < job->waiting_count; i++)
        if (job->results[i].outcome.action == action && !job->results[i].is_known)
            return &job->results[i];
    return NULL;
}

/* Those whose time comes first say when the entry is due. */
static const struct relay_result *find_retry(const struct relay_job *job)
{
    const struct relay_result *first = NULL;
    for (size_t i = 0; i < job->waiting_count; i++) {
        const struct relay_result *result = &job->results[i];
        if (result->outcome.action == OUTCOME_RETRY && !result->is_known &&
            (!first || result->outcome.next_attempt_at < first->outcome.next_attempt_at))
            first = result;
    }
    return first;
}

static bool awaits_relay(const struct relay_job *job)
{
    bool awaits = false;
    for (size_t i = 0; i < job->waiting_count; i++)
        awaits = awaits || (job->results[i].outcome.awaits_relay && !job->results[i].is_known);
    return awaits;
}

/* What is left of the entry. 1 done; 0: an administrator has dropped it meanwhile, which stays so; -1. */
static int commit_entry(struct store_db *db, const struct relay_job *job)
{
    const struct relay_result *parked = find_action(job, OUTCOME_PARK), *retry = find_retry(job);
    int result;
    if (parked) {
        result = store_outbound_retry(db, job->row.id, job->now, false, parked->reply);
        if (result == 1)
            result = store_outbound_set_state(db, job->row.id, STORE_QUEUE_HELD, parked->reply);
    } else if (retry) {
        result = store_outbound_retry(db, job->row.id, retry->outcome.next_attempt_at, awaits_relay(job), retry->reply);
    } else {
        result = store_outbound_finish(db, job->row.id, STORE_QUEUE_SETTLED);
    }
    return result;
}

static int commit_results(struct store_db *db, void *arg)
{
    struct relay_job *job = arg;
    int result = store_outbound_is_scheduled(db, job->row.id);
    job->noticed = false;
    job->is_stopped = result == 0;
    if (result == 0)
        result = 1;
    for (size_t i = 0; i < job->waiting_count && result == 1; i++)
        result = commit_recipient(db, job, i);
    if (result == 1)
        result = commit_entry(db, job);
    bool is_left = result == 1;
    if (result >= 0 && relay_has_author(job) && job->is_stopped)
        result = relay_tell_stopped(db, job);
    if (result >= 0 && relay_has_author(job) && is_left)
        result = relay_tell_results(db, job);
    return result >= 0 ? 1 : -1;
}

static void measure(const struct relay_job *job, enum outcome_action action)
{
    struct measures *measures = job->relay->parts->measures;
    measures_note_outcome(measures, actions[action].measured);
    if (action == OUTCOME_DELIVERED && job->row.kind != STORE_OUTBOUND_REPORT)
        measures_note_delivered(measures, job->now - job->row.received_at);
}

static void submit_results(void *arg);

static void results_committed(int result, void *arg)
{
    struct relay_job *job = arg;
    struct relay *relay = job->relay;
    if (result != 1) { /* what was delivered must not become due again */
        if (!job->is_unnoted)
            log_error("relay.not_noted", "message=out%" PRId64, job->row.id);
        job->is_unnoted = true;
        relay_after_failure(job, submit_results);
        return;
    }
    relay_database_worked(relay);
    for (size_t i = 0; i < job->waiting_count; i++) {
        const struct relay_result *noted = &job->results[i];
        relay->delivered += noted->outcome.action == OUTCOME_DELIVERED;
        measure(job, noted->outcome.action);
        log_info("relay.result", "message=out%" PRId64 " to=%s message_id=%s outcome=%s relay=%s reply=%s", job->row.id,
                 job->row.recipients[job->waiting[i]].address, job->row.message_id,
                 actions[noted->outcome.action].event, noted->relay, noted->reply);
    }
    if (find_action(job, OUTCOME_PARK))
        log_error("relay.parked", "message=out%" PRId64 " reason=%s hint=%s", job->row.id,
                  find_action(job, OUTCOME_PARK)->reply, "posternctl queue retry releases it");
    if (awaits_relay(job))
        relay_probe_schedule(relay);
    bool noticed = job->noticed;
    relay_job_end(job);
    if (noticed)
        relay->on_notice(relay->ctx);
}

static void submit_results(void *arg)
{
    struct relay_job *job = arg;
    store_submit_patient(job->relay->parts->store, commit_results, results_committed, job);
}

void relay_note_results(struct relay_job *job)
{
    relay_set_state(job, RELAY_JOB_NOTING);
    job->now = clock_wall_ms(job->relay->parts->clock);
    submit_results(job);
}

/* Deciding. */

static struct outcome_facts facts_of(struct relay_job *job, const struct smtp_recipient_result *given)
{
    const struct config *config = job->relay->parts->config;
    job->now = clock_wall_ms(job->relay->parts->clock);
    job->give_up_at = job->row.received_at + config->retry.give_up_ms;
    struct outcome_facts facts = {
        .outcome = given->outcome,
        .stage = given->stage,
        .received_at = job->row.received_at,
        .now = job->now,
        .attempts = job->row.attempts + 1,
        .was_warned = job->row.warned_at != 0,
        .first_ms = config->retry.first_ms,
        .longest_ms = config->retry.longest_ms,
        .give_up_ms = config->retry.give_up_ms,
        .warn_after_ms = config->retry.warn_after_ms,
    };
    random_bytes(&facts.random, sizeof facts.random);
    return facts;
}

static void format_reply(const struct smtp_reply *reply, char out[static RELAY_REPLY_MAX])
{
    struct strbuf text;
    strbuf_init(&text, RELAY_REPLY_MAX - 1);
    strbuf_add_fmt(&text, "%d %s%s%s", reply->code, reply->enhanced, reply->enhanced[0] ? " " : "", reply->text);
    memcpy(out, text.data, text.len + 1);
    strbuf_free(&text);
}

/* relay: "" when none was asked. What the client says for itself names the relay, which does not call itself by our
 * words for it. */
static void take_reply(struct relay_result *result, const char *relay, const struct smtp_reply *reply)
{
    result->relay = relay;
    result->is_said = relay[0] && !strstr(reply->text, relay);
    format_reply(reply, result->reply);
    if (reply->enhanced[0]) {
        memcpy(result->code, reply->enhanced, sizeof result->code);
    } else {
        memcpy(result->code, result->reply, 3);
        result->code[3] = 0;
    }
}

void relay_set_result(struct relay_job *job, size_t index, const struct smtp_recipient_result *given, const char *words)
{
    struct relay_result *result = &job->results[index];
    struct outcome_facts facts = facts_of(job, given);
    take_reply(result, "", &given->reply);
    result->decided = true;
    result->words = words;
    result->outcome = outcome_decide(&facts);
}

/* RFC 5321 section 4.5.3.1.10, where it says too what 552 once meant. */
static bool is_one_too_many(const struct smtp_recipient_result *result)
{
    const char *enhanced = result->reply.enhanced;
    if (result->stage != SMTP_STAGE_RCPT)
        return false;
    return (result->reply.code == 452 && (!enhanced[0] || strcmp(enhanced, "4.5.3") == 0)) ||
           (result->reply.code == 552 && strcmp(enhanced, "5.5.3") == 0);
}

void relay_set_results(struct relay_job *job, const struct smtp_recipient_result *results, size_t count,
                       bool relay_left, bool relay_down)
{
    size_t given = 0;
    bool some_taken = false;
    for (size_t i = 0; i < count; i++)
        some_taken = some_taken || results[i].outcome == SMTP_OUTCOME_DELIVERED;
    for (size_t i = 0; i < job->waiting_count; i++) {
        struct relay_result *result = &job->results[i];
        if (result->decided)
            continue;
        struct outcome_facts facts = facts_of(job, &results[given]);
        facts.is_surplus = some_taken && is_one_too_many(&results[given]);
        facts.relay_left = relay_left;
        facts.relay_down = relay_down;
        take_reply(result, job->hop ? job->hop->name : "", &results[given].reply);
        result->dsn = results[given].dsn;
        result->outcome = outcome_decide(&facts);
        given += given + 1 < count;
    }
}

bool relay_is_unreached(const struct relay_job *job)
{
    for (size_t i = 0; i < job->waiting_count; i++)
        if (!job->results[i].outcome.awaits_relay)
            return false;
    return true;
}

void relay_fail_all(struct relay_job *job, enum smtp_outcome outcome, enum relay_fault fault, const char *error)
{
    struct smtp_recipient_result given = { .outcome = outcome };
    bool final = outcome == SMTP_OUTCOME_PERMANENT;
    given.reply = smtp_reply_make(final ? 554 : 451, final ? "5.6.0" : "4.3.0", "%s", error);
    for (size_t i = 0; i < job->waiting_count; i++) {
        struct relay_result *result = &job->results[i];
        if (result->decided)
            continue;
        struct outcome_facts facts = facts_of(job, &given);
        take_reply(result, "", &given.reply);
        facts.is_ours = true;
        facts.again = fault == RELAY_FAULT_ENTRY && strcmp(job->row.last_error, result->reply) == 0;
        result->words = "something is wrong here, on our side";
        result->outcome = outcome_decide(&facts);
    }
    relay_note_results(job);
}
