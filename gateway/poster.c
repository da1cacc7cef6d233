/* poster.c - see poster.h */
#include "gateway/poster.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/outcome.h"
#include "gateway/parts.h"
#include "gateway/poster_overdue.h"
#include "gateway/poster_return.h"
#include "gateway/poster_settle.h"
#include "gateway/queue.h"
#include "gateway/report.h"
#include "gateway/route.h"
#include "gateway/thread_text.h"
#include "mapping/convert.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_message.h"

enum { POSTER_CONCURRENCY = 48, PAUSE_MS = 1000, CATCHING_UP_MS = 600 * 1000, RETURN_LATER_MS = 600 * 1000 };
static const int64_t content_budget =
    INT64_C(1) << 30; /* bytes of mail with a converted copy on disk at the same time; one mail may exceed it alone */

enum job_state {
    JOB_STARTING,    /* gathering what it needs, perhaps waiting for room */
    JOB_CONVERTING,  /* a worker has it */
    JOB_ROUTING,     /* the commit that decides the thread is under way */
    JOB_POSTING,     /* the post is with the client; ack or echo is awaited */
    JOB_SETTLING,    /* posted; the commit that ends it is under way, or is tried again after a pause */
    JOB_PUTTING_OFF, /* the commit that makes it due later, or holds it, is under way */
    JOB_ENDING,      /* nothing more to do; pausing so that a database in trouble is not hammered */
};
static const char *const job_state_names[] = { "starting", "converting",  "routing", "posting",
                                               "settling", "putting_off", "ending" };

/* Which states may follow which. */
static const unsigned job_successors[] = {
    [JOB_STARTING] =
        1u << JOB_CONVERTING | 1u << JOB_ROUTING | 1u << JOB_POSTING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_CONVERTING] = 1u << JOB_ROUTING | 1u << JOB_POSTING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_ROUTING] = 1u << JOB_POSTING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_POSTING] = 1u << JOB_SETTLING | 1u << JOB_PUTTING_OFF | 1u << JOB_ENDING,
    [JOB_SETTLING] = 0,
    [JOB_PUTTING_OFF] = 1u << JOB_ENDING,
    [JOB_ENDING] = 0,
};

/* One entry under way. While a store operation runs (ROUTING, SETTLING, PUTTING_OFF) only the committer touches it. */
struct job {
    struct poster *poster;
    struct job *next;
    enum job_state state;
    struct store_inbound row;
    struct tmtp_message message;
    int content_fd;
    int64_t content_size;
    char *author_alias;
    char *own_uid;
    char *note; /* for the trace: of the conversion, and who was skipped */
    struct store_target *skipped;
    size_t skipped_count;
    bool skips_changed; /* the row's recipients say something else */
    enum route_result routed;
    uint64_t request;
    struct poster_fate fate; /* what the silo said of the post */
    bool reported;           /* settling it has put a report to its sender into the other queue */
    char *echo_msgid;        /* to be acked when settled */
    char *error;             /* why it is put off */
    char *words;             /* of the silo, which has refused it; NULL */
    int64_t next_attempt_at;
    bool counts, give_up;     /* of putting off: was it an attempt, is it the last */
    bool is_for_a_person;     /* then: only they can do something */
    struct poster_return end; /* else: what becomes of it */
    int64_t now;
    struct timer *pause;
};

struct poster {
    const struct parts *parts;
    struct tmtp_client *client;
    struct queue *queue;
    struct poster_overdue *overdue;
    struct job *jobs;
    int64_t online_at; /* monotonic: since when the link is up, or was the last time */
    uint64_t posted;
};

static void set_state(struct job *job, enum job_state state)
{
    assert(job_successors[job->state] & 1u << state);
    log_debug("post.state", "id=in%" PRId64 " was=%s is=%s", job->row.id, job_state_names[job->state],
              job_state_names[state]);
    job->state = state;
}

static void job_free(struct job *job)
{
    struct poster *poster = job->poster;
    struct job **link = &poster->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    timer_free(&job->pause);
    if (job->content_fd >= 0)
        close(job->content_fd);
    store_inbound_free(&job->row);
    tmtp_message_free(&job->message);
    poster_fate_free(&job->fate);
    free(job->author_alias);
    free(job->own_uid);
    free(job->note);
    free(job->skipped);
    free(job->echo_msgid);
    free(job->error);
    free(job->words);
    free(job);
}

static void job_end(void *arg)
{
    struct job *job = arg;
    struct poster *poster = job->poster;
    int64_t id = job->row.id;
    job_free(job);
    queue_finished(poster->queue, id);
}

/* Runs next after a pause; the job stays under way meanwhile. */
static void after_pause(struct job *job, void (*next)(void *arg))
{
    timer_free(&job->pause);
    job->pause = timer_new(job->poster->parts->loop, next, job);
    timer_start(job->pause, PAUSE_MS);
}

/* Ends without a change to the row, which is due as before. */
static void end_after_pause(struct job *job)
{
    set_state(job, JOB_ENDING);
    after_pause(job, job_end);
}

/* Putting off: the row gets a later due time, and its story a line (unless it would only repeat the last one). */

/* Given up; but so many reports have gone to its sender that this one has to wait. */
static int commit_return(struct store_db *db, struct job *job)
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
    struct job *job = arg;
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
    struct job *job = arg;
    if (result == 1) {
        if (job->end.reported)
            reporter_poke(job->poster->parts->reporter);
        job_end(job);
        return;
    }
    log_error("post.not_noted", "id=in%" PRId64, job->row.id);
    end_after_pause(job);
}

static void submit_put_off(struct job *job, const char *error)
{
    free(job->error);
    job->error = xstrdup(error);
    set_state(job, JOB_PUTTING_OFF);
    store_submit(job->poster->parts->store, commit_put_off, put_off_done, job);
}

/* After a long outage much is old that was never tried, and waits for its turn, or for what it answers. */
static bool is_catching_up(const struct poster *poster)
{
    int64_t give_up_ms = poster->parts->config->retry.give_up_ms;
    int64_t online_ms = clock_monotonic_ms(poster->parts->clock) - poster->online_at;
    return online_ms < (give_up_ms < CATCHING_UP_MS ? give_up_ms : CATCHING_UP_MS);
}

/* It can't be done now, for a reason of ours: tried again soon, the later the older it is. Given up when that has no
 * end. */
static void put_off(struct job *job, const char *why)
{
    const struct config *config = job->poster->parts->config;
    job->now = clock_wall_ms(job->poster->parts->clock);
    int64_t age = job->now - job->row.received_at;
    job->counts = false;
    job->give_up = age >= config->retry.give_up_ms && !is_catching_up(job->poster);
    job->end.trouble = TROUBLE_OURS;
    job->next_attempt_at = job->now + outcome_put_off_ms(age);
    submit_put_off(job, why);
}

/* The silo said no, or (words NULL) something of ours is broken. */
static void refused(struct job *job, const char *error, const char *words)
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
    log_warning("post.refused", "id=in%" PRId64 " attempt=%u final=%d reason=%s", job->row.id, facts.attempts,
                job->give_up, error);
    submit_put_off(job, error);
}

/* Settling. */

static int commit_settle(struct store_db *db, void *arg)
{
    struct job *job = arg;
    return poster_settle(db, job->poster->parts->reporter, &job->fate, &job->reported);
}

static void submit_settle(void *arg);

static void settled(int result, void *arg)
{
    struct job *job = arg;
    struct poster *poster = job->poster;
    if (result != 1) { /* it has been posted: until that is written down it must stay under way, not become due again */
        log_error("post.not_settled", "id=in%" PRId64 " msgid=%s", job->row.id, job->fate.msgid);
        after_pause(job, submit_settle);
        return;
    }
    poster->posted++;
    log_info("post.settled", "id=in%" PRId64 " msgid=%s", job->row.id, job->fate.msgid);
    if (job->echo_msgid)
        tmtp_client_ack(poster->client, job->echo_msgid);
    if (job->reported)
        reporter_poke(poster->parts->reporter);
    job_end(job);
}

static void submit_settle(void *arg)
{
    struct job *job = arg;
    store_submit(job->poster->parts->store, commit_settle, settled, job);
}

static void begin_settling(struct job *job, const char *msgid, const char *posted)
{
    poster_fate_set(&job->fate, job->row.id, job->row.received_at, msgid, posted,
                    clock_wall_ms(job->poster->parts->clock));
    set_state(job, JOB_SETTLING);
    submit_settle(job);
}

/* An echo without a job: of a post from before a restart or a reconnect. */
struct late_echo {
    struct poster *poster;
    struct poster_fate fate;
    bool reported;
};

static int commit_late_echo(struct store_db *db, void *arg)
{
    struct late_echo *echo = arg;
    return poster_settle(db, echo->poster->parts->reporter, &echo->fate, &echo->reported);
}

static void late_echo_done(int result, void *arg)
{
    struct late_echo *echo = arg;
    if (result == 1) {
        log_info("post.settled", "id=in%" PRId64 " msgid=%s", echo->fate.id, echo->fate.msgid);
        tmtp_client_ack(echo->poster->client, echo->fate.msgid);
        if (echo->reported)
            reporter_poke(echo->poster->parts->reporter);
    } else {
        tmtp_client_decline(echo->poster->client,
                            echo->fate.msgid); /* the silo brings it again, and we are not ONLINE before */
    }
    poster_fate_free(&echo->fate);
    free(echo);
}

static struct job *find_job(struct poster *poster, int64_t id)
{
    struct job *job = poster->jobs;
    while (job && job->row.id != id)
        job = job->next;
    return job;
}

void poster_on_echo(struct poster *poster, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid)
{
    int64_t id, received_at;
    (void)threadid; /* decided when it was routed */
    if (poster_key_parse(queue_key, &id, &received_at) < 0) {
        log_warning("post.strange_echo", "key=%s msgid=%s", queue_key, msgid);
        tmtp_client_ack(poster->client, msgid);
        return;
    }
    struct job *job = find_job(poster, id);
    if (job && job->row.received_at != received_at)
        job = NULL; /* of another life of the database */
    if (job && job->state == JOB_POSTING) {
        job->echo_msgid = xstrdup(msgid);
        begin_settling(job, msgid, posted);
    } else if (job && job->state == JOB_SETTLING && !job->echo_msgid) {
        job->echo_msgid = xstrdup(msgid); /* its ack came first; acked together with it */
    } else {
        struct late_echo *echo = xcalloc(1, sizeof *echo);
        echo->poster = poster;
        poster_fate_set(&echo->fate, id, received_at, msgid, posted, clock_wall_ms(poster->parts->clock));
        store_submit(poster->parts->store, commit_late_echo, late_echo_done, echo);
    }
}

void poster_on_result(struct poster *poster, const struct tmtp_client_result *result)
{
    struct job *job = poster->jobs;
    while (job && (job->state != JOB_POSTING || job->request != result->request))
        job = job->next;
    if (!job)
        return; /* its echo was faster */
    if (result->lost)
        job_end(job); /* due as before; looked at again when online, after all echoes */
    else if (result->error)
        refused(job, result->error, result->error);
    else
        begin_settling(job, result->msgid, result->posted);
}

/* Posting. */

/* A thread's first message names everybody, the author first (the member client's convention). */
static void name_participants(struct job *job)
{
    char date[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(job->poster->parts->clock), date);
    tmtp_message_add_participant(&job->message, job->author_alias, job->own_uid, job->author_alias, job->own_uid, date,
                                 "author");
    for (size_t i = 0; i < job->row.recipient_count; i++)
        tmtp_message_add_participant(&job->message, job->row.recipients[i].alias, job->row.recipients[i].uid,
                                     job->author_alias, job->own_uid, date, "initial recipient");
}

static uint64_t send_post(struct job *job)
{
    struct tmtp_client_recipient *recipients = xcalloc(job->row.recipient_count, sizeof *recipients);
    for (size_t i = 0; i < job->row.recipient_count; i++)
        recipients[i] = (struct tmtp_client_recipient){ .id = job->row.recipients[i].uid,
                                                        .group = job->row.recipients[i].target.group_id };
    struct tmtp_client_post request = {
        .message = &job->message,
        .recipients = recipients,
        .recipient_count = job->row.recipient_count,
        .content_fd = job->content_fd,
        .content_size = job->content_size,
        .echo = job->poster->parts->config->silo.echo,
    };
    uint64_t number = tmtp_client_post(job->poster->client, &request);
    free(recipients);
    return number;
}

/* A notice in a thread that is not ours has no row for it: its reader knows the thread. */
static int find_thread(struct job *job, struct store_thread *out)
{
    if (job->row.thread_id || !job->row.threadid)
        return store_thread_find(store_reader(job->poster->parts->store), job->row.thread_id, out);
    *out = (struct store_thread){ .threadid = xstrdup(job->row.threadid), .subject = xstrdup("") };
    return 1;
}

static void post(struct job *job)
{
    struct store_thread thread;
    char key[POSTER_KEY_SIZE];
    set_state(job, JOB_POSTING);
    if (find_thread(job, &thread) != 1) {
        refused(job, "its thread can't be read from the database", NULL);
        return;
    }
    poster_key_format(job->row.id, job->row.received_at, key);
    tmtp_message_set(&job->message.queue_key, key);
    tmtp_message_set(&job->message.alias, job->author_alias);
    tmtp_message_set(&job->message.threadid, thread.threadid ? thread.threadid : "");
    if (!thread.threadid)
        name_participants(job);
    else if (thread_text_same_subject(thread.subject, job->message.subject))
        tmtp_message_set(&job->message.subject, "");
    store_thread_free(&thread);
    job->request = send_post(job);
    if (!job->request) /* the link has just gone, or has too much to do */
        end_after_pause(job);
}

/* Routing. */

/* Converting takes a while: an administrator may have held or dropped it since. (Routing finds that out by itself.) */
static bool is_still_wanted(struct store_db *db, const struct job *job)
{
    struct store_inbound row;
    if (store_inbound_find(db, job->row.id, &row) != 1)
        return false;
    bool wanted = row.state == STORE_QUEUE_WAITING || row.state == STORE_QUEUE_ROUTED;
    store_inbound_free(&row);
    return wanted;
}

/* Who is left out of this post: after a crash its echo settles it, and nobody else knows then whom it has reached. */
static int note_skips(struct store_db *db, const struct job *job)
{
    for (size_t i = 0; i < job->skipped_count; i++)
        if (store_inbound_set_skipped(db, job->row.id, job->skipped[i], true) < 0)
            return -1;
    for (size_t i = 0; i < job->row.recipient_count; i++)
        if (job->row.recipients[i].is_skipped &&
            store_inbound_set_skipped(db, job->row.id, job->row.recipients[i].target, false) < 0)
            return -1;
    return 1;
}

static bool is_routed(const struct job *job)
{
    return job->row.thread_id || job->row.threadid;
}

static int commit_route(struct store_db *db, void *arg)
{
    struct job *job = arg;
    if (job->skips_changed && note_skips(db, job) < 0)
        return -1;
    if (is_routed(job))
        return is_still_wanted(db, job) ? 1 : -1;
    job->routed = route_inbound(db, &job->row, job->message.subject, job->author_alias, job->own_uid, job->now,
                                &job->row.thread_id);
    if (job->routed != ROUTE_DONE)
        return job->routed == ROUTE_WAIT ? 0 : -1;
    int traced = store_trace_add(db, STORE_QUEUE_IN, job->row.id, job->now, "converted", "%zu attachments%s%s",
                                 job->message.attach_count, job->note[0] ? "; " : "", job->note);
    return traced == 1 ? 1 : -1;
}

static void route_done(int result, void *arg)
{
    struct job *job = arg;
    if (result == 1)
        post(job);
    else if (result == 0)
        put_off(job, "waiting for the thread's first message to be confirmed");
    else
        end_after_pause(job); /* a database error, logged where it happened; or it is held or dropped */
}

/* Content and names are ready. */
static void route_or_post(struct job *job)
{
    job->now = clock_wall_ms(job->poster->parts->clock);
    if (is_routed(job) && !job->skips_changed) {
        if (is_still_wanted(store_reader(job->poster->parts->store), job))
            post(job);
        else
            end_after_pause(job);
        return;
    }
    set_state(job, JOB_ROUTING);
    store_submit(job->poster->parts->store, commit_route, route_done, job);
}

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct job *job = ctx;
    if (!result->ok) {
        put_off(job, result->error);
        return;
    }
    tmtp_message_free(&job->message);
    job->message = result->message;
    tmtp_message_init(&result->message);
    job->content_fd = fcntl(result->content_fd, F_DUPFD_CLOEXEC, 0);
    job->content_size = result->content_size;
    struct strbuf note;
    strbuf_init(&note, 2000);
    strbuf_add_fmt(&note, "%s%s%.500s", job->note, job->note[0] && result->detail[0] ? "; " : "", result->detail);
    free(job->note);
    job->note = strbuf_detach(&note);
    if (job->content_fd < 0)
        put_off(job, "no file descriptor left");
    else
        route_or_post(job);
}

/* Starting: what is needed before the content is touched. */

/* Takes a recipient out of this attempt; the row keeps it. */
static void skip_recipient(struct job *job, size_t index)
{
    struct store_inbound *row = &job->row;
    job->skips_changed = job->skips_changed || !row->recipients[index].is_skipped;
    job->skipped = xreallocarray(job->skipped, job->skipped_count + 1, sizeof *job->skipped);
    job->skipped[job->skipped_count++] = row->recipients[index].target;
    free(row->recipients[index].uid);
    free(row->recipients[index].alias);
    free(row->recipients[index].local_part);
    free(row->recipients[index].address);
    free(row->recipients[index].orcpt);
    row->recipients[index] = row->recipients[--row->recipient_count];
}

/* An old mail waits for nobody: it goes to those who can get it. */
static bool is_last_attempt(const struct job *job)
{
    int64_t age = clock_wall_ms(job->poster->parts->clock) - job->row.received_at;
    return age >= job->poster->parts->config->retry.give_up_ms;
}

/* Who may still get it: an administrator may have changed their mind since it was accepted. Those who may not any
 * more are removed. NULL: go on; else why not now. */
static const char *check_recipients(struct job *job)
{
    struct store_db *db = store_reader(job->poster->parts->store);
    struct strbuf note;
    const char *wait = NULL;
    bool is_last = is_last_attempt(job);
    strbuf_init(&note, 1000);
    for (size_t i = job->row.recipient_count; i-- > 0;) {
        const struct store_inbound_recipient *recipient = &job->row.recipients[i];
        enum trouble trouble;
        if (trouble_find(db, recipient, TROUBLE_OURS, &trouble) < 0) {
            wait = "a mapping can't be read from the database";
        } else if (trouble_is_final(trouble) || (trouble_is_own(trouble) && is_last && recipient->address)) {
            strbuf_add_fmt(&note, "%snot for %s: %s", note.len ? "; " : "", recipient->alias,
                           trouble_words(trouble)->story);
            skip_recipient(job, i);
        } else if (trouble_is_own(trouble)) {
            wait = trouble_words(trouble)->story;
        }
    }
    for (size_t i = 0; i < job->row.recipient_count; i++)
        job->skips_changed = job->skips_changed || job->row.recipients[i].is_skipped;
    job->note = strbuf_detach(&note);
    return wait;
}

/* NULL: go on; else why not now. */
static const char *find_author(struct job *job)
{
    const struct poster *poster = job->poster;
    const char *uid = tmtp_client_uid(poster->client);
    struct store_correspondent correspondent;
    job->own_uid = xstrdup(uid ? uid : "");
    if (job->row.kind == STORE_INBOUND_NOTICE) {
        job->author_alias = xstrdup(poster->parts->config->silo.alias);
        return NULL;
    }
    if (store_correspondent_find(store_reader(poster->parts->store), job->row.correspondent_id, &correspondent) != 1)
        return "its author can't be read from the database";
    if (correspondent.alias)
        job->author_alias = xstrdup(correspondent.alias);
    store_correspondent_free(&correspondent);
    return job->author_alias ? NULL : "the author's alias is not created in the silo yet";
}

/* Converted mail lies on disk until it is posted: many large mails at once would fill it. */
static bool has_room(const struct job *job)
{
    int64_t sum = 0;
    for (const struct job *other = job->poster->jobs; other; other = other->next)
        if (other != job && (other->state == JOB_CONVERTING || other->content_fd >= 0))
            sum += other->row.size;
    return sum == 0 || sum + job->row.size <= content_budget;
}

static void open_content(void *arg)
{
    struct job *job = arg;
    struct poster *poster = job->poster;
    int fd;
    int64_t size;
    if (!has_room(job)) {
        after_pause(job, open_content);
        return;
    }
    int found = store_content_open(store_reader(poster->parts->store), job->row.content_id, &fd, &size);
    if (found == 0) { /* for an administrator, who may have a copy of it */
        job->now = clock_wall_ms(poster->parts->clock);
        job->give_up = job->is_for_a_person = true;
        submit_put_off(job, "its content is missing from state_dir");
        return;
    }
    if (found < 0) {
        refused(job, "its content can't be read", NULL);
        return;
    }
    if (job->row.kind == STORE_INBOUND_NOTICE) { /* a notice of our own: the content is the text */
        job->content_fd = fd;
        job->content_size = size;
        tmtp_message_set(&job->message.subject, job->row.subject ? job->row.subject : "");
        route_or_post(job);
        return;
    }
    bool taken = convert_mail_in(poster->parts->convert, fd, size, job->row.is_generated, on_converted, job) == 1;
    close(fd);
    if (taken)
        set_state(job, JOB_CONVERTING);
    else
        put_off(job, "the convert workers are busy");
}

static void give_up_without_recipients(struct job *job)
{
    struct strbuf why;
    strbuf_init(&why, 1100);
    strbuf_add_fmt(&why, "nobody is left who can get it: %.1000s", job->note);
    job->now = clock_wall_ms(job->poster->parts->clock);
    job->give_up = true;
    job->end.trouble = TROUBLE_OURS; /* each of them has one of their own */
    submit_put_off(job, why.data);
    strbuf_free(&why);
}

static void start(int64_t id, void *ctx)
{
    struct poster *poster = ctx;
    struct store_db *db = store_reader(poster->parts->store);
    struct job *job = xcalloc(1, sizeof *job);
    int64_t thread_id;
    job->poster = poster;
    job->next = poster->jobs;
    poster->jobs = job;
    job->content_fd = -1;
    tmtp_message_init(&job->message);
    if (store_inbound_find(db, id, &job->row) != 1) {
        job->row.id = id;
        end_after_pause(job);
        return;
    }
    const char *why = check_recipients(job);
    if (job->row.recipient_count == 0) {
        give_up_without_recipients(job);
        return;
    }
    if (!why)
        why = find_author(job);
    if (!why && !job->row.thread_id && route_find(db, &job->row, &thread_id) == ROUTE_WAIT)
        why = "waiting for the thread's first message to be confirmed";
    if (!why) {
        open_content(job);
    } else {
        put_off(job, why);
    }
}

struct poster *poster_new(const struct parts *parts)
{
    struct poster *poster = xcalloc(1, sizeof *poster);
    struct queue_settings settings = {
        .parts = parts, .which = STORE_QUEUE_IN, .concurrency = POSTER_CONCURRENCY, .start = start, .ctx = poster
    };
    poster->parts = parts;
    poster->queue = queue_new(&settings);
    poster->overdue = poster_overdue_new(parts);
    return poster;
}

void poster_free(struct poster **poster_in)
{
    struct poster *poster = *poster_in;
    if (!poster)
        return;
    for (struct job *job = poster->jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    queue_free(&poster->queue);
    poster_overdue_free(&poster->overdue);
    free(poster);
    *poster_in = NULL;
}

void poster_set_client(struct poster *poster, struct tmtp_client *client)
{
    poster->client = client;
}

void poster_set_online(struct poster *poster, bool online)
{
    if (online)
        poster->online_at = clock_monotonic_ms(poster->parts->clock);
    queue_open(poster->queue, online);
    poster_overdue_set_online(poster->overdue, online);
}

void poster_poke(struct poster *poster)
{
    queue_poke(poster->queue);
}

bool poster_has_under_way(const struct poster *poster, int64_t id)
{
    return queue_has_under_way(poster->queue, id);
}

unsigned poster_under_way(const struct poster *poster)
{
    return queue_under_way(poster->queue);
}

uint64_t poster_posted(const struct poster *poster)
{
    return poster->posted;
}
