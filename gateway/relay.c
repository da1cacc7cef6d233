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
#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/notice.h"
#include "gateway/outbound.h"
#include "gateway/outcome.h"
#include "gateway/parts.h"
#include "gateway/policy.h"
#include "gateway/queue.h"
#include "gateway/relay_mail.h"
#include "mapping/convert.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_forward.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "smtp/maildir.h"
#include "smtp/smtp_client.h"

enum { BUSY_RETRY_MS = 1000, COMMIT_RETRY_MS = 1000, REPLY_MAX = SMTP_REPLY_TEXT_MAX + 32 };

enum job_state {
    JOB_STARTING,    /* looking at the row */
    JOB_CONVERTING,  /* a worker writes the mail */
    JOB_KEEPING,     /* the mail as written is put on disk, then committed */
    JOB_RELAYING,    /* the relay has it; its answer is awaited */
    JOB_NOTING,      /* the commit of the recipients' outcomes is under way, or is tried again after a pause */
    JOB_PUTTING_OFF, /* the commit that makes it due later is under way */
    JOB_ENDING,      /* nothing more to do; pausing so that a database in trouble is not hammered */
};
static const char *const job_state_names[] = { "starting", "converting",  "keeping", "relaying",
                                               "noting",   "putting_off", "ending" };

/* Which states may follow which. */
static const unsigned job_successors[] = {
    [JOB_STARTING] =
        1u << JOB_CONVERTING | 1u << JOB_RELAYING | 1u << JOB_NOTING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_CONVERTING] = 1u << JOB_KEEPING | 1u << JOB_NOTING | 1u << JOB_PUTTING_OFF,
    [JOB_KEEPING] = 1u << JOB_RELAYING | 1u << JOB_NOTING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_RELAYING] = 1u << JOB_NOTING,
    [JOB_NOTING] = 0,
    [JOB_PUTTING_OFF] = 1u << JOB_ENDING,
    [JOB_ENDING] = 0,
};

/* One entry under way. While a store operation runs (KEEPING, NOTING, PUTTING_OFF) only the committer touches it; while
 * a draft is kept before that, only the background thread. */
struct job {
    struct relay *relay;
    struct job *next;
    enum job_state state;
    struct store_outbound row;
    struct relay_mail *mail;    /* while it is being written */
    struct smtp_client *client; /* while it is being relayed; NULL for a maildir */
    int mail_fd;
    int64_t mail_size;
    struct store_draft *draft; /* of the mail as written, until it is committed */
    bool kept;
    bool is_8bit, is_smtputf8;
    char *note; /* of the conversion */
    struct smtp_address sender;
    size_t waiting_count; /* recipients without an outcome, */
    size_t *waiting;      /* as indexes into row.recipients */
    struct result {
        bool decided; /* without asking the relay */
        struct outcome outcome;
        char reply[REPLY_MAX];
    } * results; /* one per waiting recipient */
    int64_t next_attempt_at, now;
    bool is_late; /* waits longer than retry.warn_after */
    bool noticed;
    struct timer *pause;
};

struct relay {
    const struct parts *parts;
    void (*on_notice)(void *ctx);
    void *ctx;
    struct queue *queue;
    struct job *jobs;
    struct smtp_client **clients; /* idle or in use by a job; max_connections of them, made at the start */
    size_t client_count;
    uint64_t delivered;
    char last_error[REPLY_MAX];
};

static void set_state(struct job *job, enum job_state state)
{
    assert(job_successors[job->state] & 1u << state);
    log_debug("relay.state", "id=out%" PRId64 " was=%s is=%s", job->row.id, job_state_names[job->state],
              job_state_names[state]);
    job->state = state;
}

static void job_free(struct job *job)
{
    struct job **link = &job->relay->jobs;
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

static void job_end(void *arg)
{
    struct job *job = arg;
    struct relay *relay = job->relay;
    int64_t id = job->row.id;
    job_free(job);
    queue_finished(relay->queue, id);
}

static void after_pause(struct job *job, void (*next)(void *arg))
{
    timer_free(&job->pause);
    job->pause = timer_new(job->relay->parts->loop, next, job);
    timer_start(job->pause, COMMIT_RETRY_MS);
}

/* Ends without a change to the row, which is due as before. */
static void end_after_pause(struct job *job)
{
    set_state(job, JOB_ENDING);
    after_pause(job, job_end);
}

/* Writing down what happened. */

/* A report has none, and nobody is told of its fate. */
static bool has_author(const struct job *job)
{
    return job->row.kind != STORE_OUTBOUND_REPORT;
}

static int tell_author(struct store_db *db, struct job *job, const char *subject, const char *intro, const char *lines)
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
    };
    int result = strbuf_ok(&text) ? notice_add(db, &notice, job->now) : -1;
    strbuf_free(&text);
    job->noticed = true;
    return result;
}

/* One recipient's outcome. Appends to failures, or to delays, what the author has to know. */
static int commit_recipient(struct store_db *db, struct job *job, size_t i, struct notice_list *failures,
                            struct notice_list *delays)
{
    const struct result *result = &job->results[i];
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
    if (store_outbound_set_recipient(db, job->row.id, recipient->correspondent_id, state, result->reply) < 0)
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
static int warn_author(struct store_db *db, struct job *job, const char *delays)
{
    bool warned = false;
    if (store_trace_list(db, STORE_QUEUE_OUT, job->row.id, find_warning, &warned) < 0)
        return -1;
    if (warned)
        return 1;
    if (store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "warned", "the author was told that it is late") !=
        1)
        return -1;
    return tell_author(db, job, "Delayed",
                       "This message could not be delivered by email yet. It is tried again; there is nothing to do.",
                       delays);
}

/* What is left of the entry: 0 from finish and retry means that an administrator has dropped it meanwhile, which stays
 * so. */
static int commit_entry(struct store_db *db, struct job *job)
{
    const struct result *retry = NULL;
    for (size_t i = 0; i < job->waiting_count; i++)
        if (job->results[i].outcome.action == OUTCOME_RETRY)
            retry = &job->results[i];
    int result = retry ? store_outbound_retry(db, job->row.id, retry->outcome.next_attempt_at, retry->reply)
                       : store_outbound_finish(db, job->row.id, STORE_QUEUE_SETTLED);
    return result < 0 ? -1 : 1;
}

static int commit_results(struct store_db *db, void *arg)
{
    struct job *job = arg;
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
    if (result == 1 && failures.count > 0 && has_author(job))
        result = tell_author(db, job, "Not delivered by email",
                             "This message could not be delivered by email:", failed.data);
    if (result == 1 && delays.count > 0 && job->is_late && has_author(job))
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
    struct job *job = arg;
    struct relay *relay = job->relay;
    if (result != 1) { /* what was delivered must not become due again */
        log_error("relay.not_noted", "id=out%" PRId64, job->row.id);
        after_pause(job, submit_results);
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
    job_end(job);
    if (noticed)
        relay->on_notice(relay->ctx);
}

static void submit_results(void *arg)
{
    struct job *job = arg;
    store_submit(job->relay->parts->store, commit_results, results_committed, job);
}

static void note_results(struct job *job)
{
    set_state(job, JOB_NOTING);
    submit_results(job);
}

static struct outcome decide(const struct job *job, enum smtp_outcome outcome)
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

static void set_result(struct job *job, size_t index, const struct smtp_recipient_result *given)
{
    const struct parts *parts = job->relay->parts;
    job->now = clock_wall_ms(parts->clock);
    job->is_late = job->now - job->row.received_at >= parts->config->retry.warn_after_ms;
    struct result *result = &job->results[index];
    result->outcome = decide(job, given->outcome);
    struct strbuf reply;
    strbuf_init(&reply, sizeof result->reply - 1);
    strbuf_add_fmt(&reply, "%d %s%s%s", given->reply.code, given->reply.enhanced, given->reply.enhanced[0] ? " " : "",
                   given->reply.text);
    memcpy(result->reply, reply.data, reply.len + 1);
    strbuf_free(&reply);
}

/* results: of those that the relay was asked about, in order; when there are fewer, the last is for all the rest. */
static void set_results(struct job *job, const struct smtp_recipient_result *results, size_t count)
{
    size_t given = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        if (job->results[i].decided)
            continue;
        set_result(job, i, &results[given]);
        given += given + 1 < count;
    }
}

static void on_relayed(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct job *job = ctx;
    struct relay *relay = job->relay;
    job->client = NULL;
    set_results(job, results, count);
    relay->last_error[0] = 0;
    for (size_t i = 0; i < job->waiting_count; i++)
        if (job->results[i].outcome.action != OUTCOME_DELIVERED)
            memcpy(relay->last_error, job->results[i].reply, sizeof relay->last_error);
    note_results(job);
}

/* The same for everybody, when it could not even be tried. */
static void fail_all(struct job *job, enum smtp_outcome outcome, const char *error)
{
    struct smtp_recipient_result result = { .outcome = outcome };
    bool final = outcome == SMTP_OUTCOME_PERMANENT;
    result.reply = smtp_reply_make(final ? 554 : 451, final ? "5.6.0" : "4.3.0", "%s", error);
    set_results(job, &result, 1);
    note_results(job);
}

/* Putting off without counting as an attempt at the relay: something here is busy. */

static int commit_put_off(struct store_db *db, void *arg)
{
    const struct job *job = arg;
    return store_queue_set_due(db, STORE_QUEUE_OUT, job->row.id, job->next_attempt_at) < 0 ? -1 : 1;
}

static void put_off_done(int result, void *arg)
{
    struct job *job = arg;
    struct relay *relay = job->relay;
    bool noticed = job->noticed;
    if (result != 1) {
        end_after_pause(job);
        return;
    }
    job_end(job);
    if (noticed)
        relay->on_notice(relay->ctx);
}

static void put_off(struct job *job, const char *why)
{
    log_debug("relay.put_off", "id=out%" PRId64 " reason=%s", job->row.id, why);
    job->next_attempt_at = clock_wall_ms(job->relay->parts->clock) + BUSY_RETRY_MS;
    set_state(job, JOB_PUTTING_OFF);
    store_submit(job->relay->parts->store, commit_put_off, put_off_done, job);
}

/* A forwarded thread of which the silo has not said who is new in it: this comes as a message of its own (outbound_forward.c),
 * soon after, but not if the silo is away. */

/* Its files may have come before. They wait as long as the thread does. */
static int commit_unaddressed_files(struct store_db *db, const struct job *job)
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
    struct job *job = arg;
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
    if (job->now - job->row.received_at < job->relay->parts->config->retry.give_up_ms)
        return store_queue_set_due(db, STORE_QUEUE_OUT, job->row.id, job->next_attempt_at) < 0 ? -1 : 1;
    if (store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "failed",
                        "the silo never said who is new in the thread") != 1 ||
        store_outbound_finish(db, job->row.id, STORE_QUEUE_SETTLED) < 0)
        return -1;
    return tell_author(db, job, "Not delivered by email", "This thread could not be forwarded by email:",
                       "- the silo never said who is new in it; please forward it again\n");
}

static void await_recipients(struct job *job)
{
    job->now = clock_wall_ms(job->relay->parts->clock);
    job->next_attempt_at = job->now + OUTBOUND_NOTIFY_LOOK_MS;
    set_state(job, JOB_PUTTING_OFF);
    store_submit(job->relay->parts->store, commit_unaddressed, put_off_done, job);
}

/* Relaying. */

static struct smtp_client *idle_client(struct relay *relay)
{
    for (size_t i = 0; i < relay->client_count; i++) {
        bool taken = false;
        for (const struct job *job = relay->jobs; job; job = job->next)
            taken = taken || job->client == relay->clients[i];
        if (!taken && smtp_client_is_idle(relay->clients[i]))
            return relay->clients[i];
    }
    return NULL;
}

static void find_waiting(struct job *job)
{
    job->waiting = xcalloc(job->row.recipient_count + 1, sizeof *job->waiting);
    job->results = xcalloc(job->row.recipient_count + 1, sizeof *job->results);
    for (size_t i = 0; i < job->row.recipient_count; i++)
        if (job->row.recipients[i].state == STORE_RECIPIENT_WAITING)
            job->waiting[job->waiting_count++] = i;
}

/* May the author still write to this recipient? An administrator may have changed their mind since the message was
 * taken. A suspended mapping may be resumed: that waits. */
static struct smtp_recipient_result check_mapping(const struct job *job,
                                                  const struct store_outbound_recipient *recipient)
{
    struct smtp_recipient_result result = { .outcome = SMTP_OUTCOME_DELIVERED };
    struct store_mapping mapping;
    const char *reason;
    if (!has_author(job))
        return result;
    struct store_target target = { .member_id = job->row.member_id };
    if (recipient->group_id)
        target = (struct store_target){ .group_id = recipient->group_id };
    int found =
        store_mapping_find_pair(store_reader(job->relay->parts->store), recipient->correspondent_id, target, &mapping);
    bool waits = found < 0 || (found == 1 && mapping.state == STORE_MAPPING_SUSPENDED);
    if (found >= 0 && policy_allows_outbound(found == 1 ? &mapping : NULL, job->row.received_at, &reason)) {
        result.outcome = SMTP_OUTCOME_DELIVERED;
    } else if (waits) {
        result.outcome = SMTP_OUTCOME_TEMPORARY;
        result.reply = smtp_reply_make(451, "4.7.1", "the mapping is suspended, or can't be read");
    } else {
        result.outcome = SMTP_OUTCOME_PERMANENT;
        result.reply =
            smtp_reply_make(550, "5.7.1", "you are no longer authorised to write to this address (%s)", reason);
    }
    if (found == 1)
        store_mapping_free(&mapping);
    return result;
}

/* Decides about those who may not be written to now, without asking the relay. How many are left for it? */
static size_t decide_unauthorised(struct job *job)
{
    size_t left = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        struct smtp_recipient_result result = check_mapping(job, &job->row.recipients[job->waiting[i]]);
        if (result.outcome == SMTP_OUTCOME_DELIVERED) {
            left++;
            continue;
        }
        set_result(job, i, &result);
        job->results[i].decided = true;
    }
    return left;
}

/* Of a report: the null path. */
static int find_sender(struct job *job)
{
    if (!has_author(job))
        return 1;
    struct strbuf name;
    strbuf_init(&name, 1000);
    int result = relay_mail_find_sender(job->relay->parts, &job->row, &job->sender, &name);
    strbuf_free(&name);
    return result;
}

/* The envelope of those left for the relay. -1: an address can't be read. */
static int find_recipients(struct job *job, struct smtp_address *recipients, size_t *count_out)
{
    *count_out = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        const char *address = job->row.recipients[job->waiting[i]].address;
        if (!job->results[i].decided && smtp_address_parse(address, strlen(address), &recipients[(*count_out)++]) != 1)
            return -1;
    }
    return find_sender(job);
}

static void send_mail(struct job *job)
{
    struct relay *relay = job->relay;
    const struct config_relay *config = &relay->parts->config->relay;
    struct smtp_address *recipients = xcalloc(job->waiting_count, sizeof *recipients);
    struct smtp_client_message message = {
        .recipients = recipients,
        .content_fd = job->mail_fd,
        .content_size = job->mail_size,
        .is_8bit = job->is_8bit,
        .is_smtputf8 = job->is_smtputf8,
    };
    bool valid = find_recipients(job, recipients, &message.recipient_count) == 1;
    message.sender = job->sender;
    if (!valid) {
        fail_all(job, SMTP_OUTCOME_TEMPORARY, "its envelope can't be read from the database");
    } else if (config->kind == CONFIG_RELAY_MAILDIR) {
        char unique[24];
        queue_id_format(STORE_QUEUE_OUT, job->row.id, unique);
        set_state(job, JOB_RELAYING);
        maildir_deliver(relay->parts->background, config->target, unique, &message, on_relayed, job);
    } else if ((job->client = idle_client(relay))) {
        set_state(job, JOB_RELAYING);
        smtp_client_send(job->client, &message, on_relayed, job);
    } else {
        put_off(job, "all connections to the relay are in use");
    }
    free(recipients);
}

/* Writing the mail. */

static int commit_mail(struct store_db *db, void *arg)
{
    struct job *job = arg;
    int64_t content_id;
    if (store_content_add(db, job->draft, &content_id) != 1 ||
        store_outbound_set_mail(db, job->row.id, content_id, job->mail_size, job->is_8bit, job->is_smtputf8) != 1 ||
        store_forward_written(db, job->row.id) < 0 ||
        store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "converted", "mail <%s>, %" PRId64 " octets%s%s",
                        job->row.message_id, job->mail_size, job->note[0] ? "; " : "", job->note) != 1)
        return -1;
    return 1;
}

static void mail_committed(int result, void *arg)
{
    struct job *job = arg;
    store_draft_free(&job->draft);
    if (result == 1)
        send_mail(job);
    else
        end_after_pause(job);
}

static void keep(void *arg)
{
    struct job *job = arg;
    job->kept = store_draft_keep(job->draft) == 1;
}

static void keep_done(void *arg)
{
    struct job *job = arg;
    if (job->kept)
        store_submit(job->relay->parts->store, commit_mail, mail_committed, job);
    else
        fail_all(job, SMTP_OUTCOME_TEMPORARY, "there is no room for it on disk, or the disk fails"); /* written anew */
}

static void keep_mail(struct job *job)
{
    const struct parts *parts = job->relay->parts;
    set_state(job, JOB_KEEPING);
    job->draft = store_draft_new_fd(parts->store, job->mail_fd, job->mail_size);
    if (store_draft_is_large(job->draft))
        background_submit(parts->background, keep, keep_done, NULL, job);
    else
        store_submit(parts->store, commit_mail, mail_committed, job);
}

static void on_converted(struct convert_out_result *result, void *ctx)
{
    struct job *job = ctx;
    relay_mail_free(&job->mail);
    if (!result->ok) {
        fail_all(job, result->permanent ? SMTP_OUTCOME_PERMANENT : SMTP_OUTCOME_TEMPORARY, result->error);
        return;
    }
    job->mail_fd = fcntl(result->mail_fd, F_DUPFD_CLOEXEC, 0);
    job->mail_size = result->mail_size;
    job->is_8bit = result->is_8bit;
    job->is_smtputf8 = result->is_smtputf8;
    job->note = xstrdup(result->detail ? result->detail : "");
    job->now = clock_wall_ms(job->relay->parts->clock);
    if (job->mail_fd < 0) {
        put_off(job, "no file descriptor left");
        return;
    }
    keep_mail(job);
}

static void write_mail(struct job *job)
{
    const struct parts *parts = job->relay->parts;
    const char *error;
    job->mail = relay_mail_new(parts, &job->row, &error);
    if (!job->mail)
        fail_all(job, SMTP_OUTCOME_TEMPORARY, error);
    else if (convert_mail_out(parts->convert, relay_mail_request(job->mail), on_converted, job) == 1)
        set_state(job, JOB_CONVERTING);
    else
        put_off(job, "the convert workers are busy");
}

static void start(int64_t id, void *ctx)
{
    struct relay *relay = ctx;
    struct store_db *db = store_reader(relay->parts->store);
    struct job *job = xcalloc(1, sizeof *job);
    job->relay = relay;
    job->next = relay->jobs;
    relay->jobs = job;
    job->mail_fd = -1;
    if (store_outbound_find(db, id, &job->row) != 1) {
        job->row.id = id;
        end_after_pause(job);
        return;
    }
    find_waiting(job);
    if (has_author(job) && job->row.kind != STORE_OUTBOUND_MESSAGE && job->row.recipient_count == 0) {
        await_recipients(job);
    } else if (decide_unauthorised(job) == 0) { /* nobody, or nobody any more */
        job->now = clock_wall_ms(relay->parts->clock);
        note_results(job);
    } else if (job->row.state == STORE_QUEUE_WAITING) {
        write_mail(job);
    } else if (store_content_open(db, job->row.content_id, &job->mail_fd, &job->mail_size) != 1) {
        fail_all(job, SMTP_OUTCOME_TEMPORARY, "its content is missing, or can't be read");
    } else {
        job->is_8bit = job->row.is_8bit;
        job->is_smtputf8 = job->row.is_smtputf8;
        send_mail(job);
    }
}

static struct smtp_client *new_client(const struct parts *parts, char **error_out)
{
    const struct config *config = parts->config;
    struct smtp_client_settings settings = {
        .loop = parts->loop,
        .address = config->relay.target,
        .lmtp = config->relay.kind == CONFIG_RELAY_LMTP,
        .implicit_tls = config->relay.kind == CONFIG_RELAY_SMTPS,
        .tls = config->relay.tls,
        .ca_file = config->relay.ca_file,
        .helo = config->relay.helo ? config->relay.helo : config->hostname,
    };
    return smtp_client_new(&settings, error_out);
}

struct relay *relay_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx, char **error_out)
{
    const struct config_relay *config = &parts->config->relay;
    struct relay *relay = xcalloc(1, sizeof *relay);
    relay->parts = parts;
    relay->on_notice = on_notice;
    relay->ctx = ctx;
    struct queue_settings settings = {
        .parts = parts, .which = STORE_QUEUE_OUT, .concurrency = config->max_connections, .start = start, .ctx = relay
    };
    relay->queue = queue_new(&settings);
    if (config->kind == CONFIG_RELAY_MAILDIR)
        return relay;
    relay->clients = xcalloc(config->max_connections, sizeof(struct smtp_client *));
    while (relay->client_count < config->max_connections) {
        struct smtp_client *client = new_client(parts, error_out);
        if (!client) {
            relay_free(&relay);
            return NULL;
        }
        relay->clients[relay->client_count++] = client;
    }
    return relay;
}

void relay_free(struct relay **relay_in)
{
    struct relay *relay = *relay_in;
    if (!relay)
        return;
    for (size_t i = 0; i < relay->client_count; i++)
        smtp_client_free(&relay->clients[i]);
    free(relay->clients);
    for (struct job *job = relay->jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    queue_free(&relay->queue);
    free(relay);
    *relay_in = NULL;
}

void relay_open(struct relay *relay, bool open)
{
    queue_open(relay->queue, open);
}

void relay_poke(struct relay *relay)
{
    queue_poke(relay->queue);
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
