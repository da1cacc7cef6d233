/* poster.c - see poster.h */
#include "gateway/poster.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/answered.h"
#include "gateway/config.h"
#include "gateway/departure.h"
#include "gateway/measures.h"
#include "gateway/parts.h"
#include "gateway/poster_internal.h"
#include "gateway/poster_overdue.h"
#include "gateway/queue.h"
#include "gateway/report.h"
#include "gateway/thread_text.h"
#include "mapping/store_named.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_message.h"

enum { POSTER_CONCURRENCY = 48, PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30 * 1000 };

static const char *const job_state_names[] = { "starting", "converting",  "routing", "posting",
                                               "settling", "putting_off", "ending" };

/* Which states may follow which. */
static const unsigned job_successors[] = {
    [POSTER_STARTING] = 1u << POSTER_CONVERTING | 1u << POSTER_ROUTING | 1u << POSTER_POSTING |
                        1u << POSTER_PUTTING_OFF | 1u << POSTER_ENDING,
    [POSTER_CONVERTING] = 1u << POSTER_ROUTING | 1u << POSTER_POSTING | 1u << POSTER_PUTTING_OFF | 1u << POSTER_ENDING,
    [POSTER_ROUTING] = 1u << POSTER_POSTING | 1u << POSTER_PUTTING_OFF | 1u << POSTER_ENDING,
    [POSTER_POSTING] = 1u << POSTER_SETTLING | 1u << POSTER_PUTTING_OFF | 1u << POSTER_ENDING,
    [POSTER_SETTLING] = 0,
    [POSTER_PUTTING_OFF] = 1u << POSTER_ENDING,
    [POSTER_ENDING] = 0,
};

void poster_set_state(struct poster_job *job, enum poster_job_state state)
{
    assert(job_successors[job->state] & 1u << state);
    log_debug("post.state", "message=in%" PRId64 " was=%s is=%s", job->row.id, job_state_names[job->state],
              job_state_names[state]);
    job->state = state;
}

/* The converted form, which lies on the disk. */
static void drop_content(struct poster_job *job)
{
    if (job->content_fd >= 0)
        close(job->content_fd);
    job->content_fd = -1;
}

static void job_free(struct poster_job *job)
{
    struct poster *poster = job->poster;
    struct poster_job **link = &poster->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    timer_free(&job->pause);
    drop_content(job);
    store_inbound_free(&job->row);
    tmtp_message_free(&job->message);
    poster_fate_free(&job->fate);
    free(job->author_alias);
    free(job->own_uid);
    free(job->note);
    for (size_t i = 0; i < job->other_count; i++)
        free(job->others[i]);
    free(job->others);
    free(job->author_name);
    free(job->excerpt);
    free(job->skipped);
    free(job->echo_msgid);
    free(job->error);
    free(job->words);
    free(job);
}

void poster_job_end(void *arg)
{
    struct poster_job *job = arg;
    struct poster *poster = job->poster;
    int64_t id = job->row.id;
    job_free(job);
    queue_finished(poster->queue, id);
}

static void after(struct poster_job *job, int64_t ms, void (*next)(void *arg))
{
    timer_free(&job->pause);
    job->pause = timer_new(job->poster->parts->loop, next, job);
    timer_start(job->pause, ms);
}

/* Runs next after a pause; the job stays under way meanwhile. */
void poster_after_pause(struct poster_job *job, void (*next)(void *arg))
{
    after(job, PAUSE_MS, next);
}

/* Ends without a change to the row, which is due as before. */
void poster_end_after_pause(struct poster_job *job)
{
    poster_set_state(job, POSTER_ENDING);
    poster_after_pause(job, poster_job_end);
}

void poster_after_failure(struct poster_job *job, void (*next)(void *arg))
{
    struct poster *poster = job->poster;
    drop_content(job); /* the silo has it, or it is made again; a full disk needs the room */
    after(job, backoff_failed(&poster->database, clock_monotonic_ms(poster->parts->clock)), next);
}

void poster_end_after_failure(struct poster_job *job)
{
    poster_set_state(job, POSTER_ENDING);
    poster_after_failure(job, poster_job_end);
}

void poster_database_worked(struct poster *poster)
{
    (void)backoff_worked(&poster->database);
}

/* Settling. */

static int commit_settle(struct store_db *db, void *arg)
{
    struct poster_job *job = arg;
    return poster_settle(db, job->poster->parts->reporter, &job->fate, &job->settled);
}

/* Once, whichever comes first, ack or echo, and in whichever connection. */
static void count_post(struct poster *poster, const struct poster_fate *fate, const struct poster_settled *how)
{
    poster->posted += how->is_new;
    if (how->is_new && how->is_mail)
        measures_note_posted(poster->parts->measures, fate->now - fate->received_at);
}

static void submit_settle(void *arg);

static void settled(int result, void *arg)
{
    struct poster_job *job = arg;
    struct poster *poster = job->poster;
    if (result != 1) { /* it has been posted: until that is written down it must stay under way, not become due again */
        if (!job->is_unsettled)
            log_error("post.not_settled", "message=in%" PRId64 " msgid=%s", job->row.id, job->fate.msgid);
        job->is_unsettled = true;
        poster_after_failure(job, submit_settle);
        return;
    }
    poster_database_worked(poster);
    count_post(poster, &job->fate, &job->settled);
    log_info("post.settled", "message=in%" PRId64 " msgid=%s", job->row.id, job->fate.msgid);
    if (job->echo_msgid)
        tmtp_client_ack(poster->client, job->echo_msgid);
    if (job->settled.reported)
        reporter_poke(poster->parts->reporter);
    poster_job_end(job);
}

static void submit_settle(void *arg)
{
    struct poster_job *job = arg;
    store_submit(job->poster->parts->store, commit_settle, settled, job);
}

static void begin_settling(struct poster_job *job, const char *msgid, const char *posted)
{
    poster_fate_set(&job->fate, job->row.id, job->row.received_at, msgid, posted,
                    clock_wall_ms(job->poster->parts->clock));
    poster_set_state(job, POSTER_SETTLING);
    submit_settle(job);
}

/* An echo without a job: of a post from before a restart or a reconnect. */
struct late_echo {
    struct poster *poster;
    struct poster_fate fate;
    struct poster_settled settled;
};

static int commit_late_echo(struct store_db *db, void *arg)
{
    struct late_echo *echo = arg;
    return poster_settle(db, echo->poster->parts->reporter, &echo->fate, &echo->settled);
}

static void late_echo_done(int result, void *arg)
{
    struct late_echo *echo = arg;
    if (result == 1) {
        log_info("post.settled", "message=in%" PRId64 " msgid=%s", echo->fate.id, echo->fate.msgid);
        count_post(echo->poster, &echo->fate, &echo->settled);
        tmtp_client_ack(echo->poster->client, echo->fate.msgid);
        if (echo->settled.reported)
            reporter_poke(echo->poster->parts->reporter);
    } else {
        tmtp_client_decline(echo->poster->client,
                            echo->fate.msgid); /* the silo brings it again, and we are not ONLINE before */
    }
    poster_fate_free(&echo->fate);
    free(echo);
}

static struct poster_job *find_job(struct poster *poster, int64_t id)
{
    struct poster_job *job = poster->jobs;
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
        log_warning("post.strange_echo", "message=%s msgid=%s", queue_key, msgid);
        tmtp_client_ack(poster->client, msgid);
        return;
    }
    struct poster_job *job = find_job(poster, id);
    if (job && job->row.received_at != received_at)
        job = NULL; /* of another life of the database */
    if (job && job->state == POSTER_POSTING) {
        job->echo_msgid = xstrdup(msgid);
        begin_settling(job, msgid, posted);
    } else if (job && job->state == POSTER_SETTLING && !job->echo_msgid) {
        job->echo_msgid = xstrdup(msgid); /* its ack came first; acked together with it */
    } else {
        struct late_echo *echo = xcalloc(1, sizeof *echo);
        echo->poster = poster;
        poster_fate_set(&echo->fate, id, received_at, msgid, posted, clock_wall_ms(poster->parts->clock));
        store_submit(poster->parts->store, commit_late_echo, late_echo_done, echo);
    }
}

static void refused_by_silo(struct poster_job *job, const char *error)
{
    size_t count = job->row.recipient_count;
    const char **uids = xcalloc(count + 1, sizeof *uids);
    for (size_t i = 0; i < count; i++)
        uids[i] = job->row.recipients[i].uid ? job->row.recipients[i].uid : "";
    departure_on_refused_post(job->poster->parts, error, uids, count);
    free(uids);
    poster_refused(job, error, error);
}

void poster_on_result(struct poster *poster, const struct tmtp_client_result *result)
{
    struct poster_job *job = poster->jobs;
    while (job && (job->state != POSTER_POSTING || job->request != result->request))
        job = job->next;
    if (!job)
        return; /* its echo was faster */
    if (result->lost)
        poster_job_end(job); /* due as before; looked at again when online, after all echoes */
    else if (result->error)
        refused_by_silo(job, result->error);
    else
        begin_settling(job, result->msgid, result->posted);
}

/* Posting. */

/* A thread's first message names everybody, the author first (the member client's convention). */
static void name_participants(struct poster_job *job)
{
    char date[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(job->poster->parts->clock), date);
    tmtp_message_add_participant(&job->message, job->author_alias, job->own_uid, job->author_alias, job->own_uid, date,
                                 "author");
    for (size_t i = 0; i < job->row.recipient_count; i++)
        tmtp_message_add_participant(&job->message, job->row.recipients[i].alias, job->row.recipients[i].uid,
                                     job->author_alias, job->own_uid, date, "initial recipient");
}

static uint64_t send_post(struct poster_job *job)
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
static int find_thread(struct poster_job *job, struct store_thread *out)
{
    if (job->row.thread_id || !job->row.threadid)
        return store_thread_find(store_reader(job->poster->parts->store), job->row.thread_id, out);
    *out = (struct store_thread){ .threadid = xstrdup(job->row.threadid), .subject = xstrdup("") };
    return 1;
}

static void post(struct poster_job *job)
{
    struct store_thread thread;
    char key[POSTER_KEY_SIZE];
    poster_set_state(job, POSTER_POSTING);
    if (find_thread(job, &thread) != 1) {
        poster_refused(job, "its thread can't be read from the database", NULL);
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
        poster_end_after_pause(job);
}

/* Routing. */

/* Converting takes a while: an administrator may have held or dropped it since. -1: the database failed. */
static int is_still_wanted(struct store_db *db, const struct poster_job *job)
{
    struct store_inbound row;
    int found = store_inbound_find(db, job->row.id, &row);
    if (found != 1)
        return found;
    bool wanted = row.state == STORE_QUEUE_WAITING || row.state == STORE_QUEUE_ROUTED;
    store_inbound_free(&row);
    return wanted;
}

/* Who is left out of this post: after a crash its echo settles it, and nobody else knows then whom it has reached. */
static int note_skips(struct store_db *db, const struct poster_job *job)
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

static bool is_routed(const struct poster_job *job)
{
    return job->row.thread_id || job->row.threadid;
}

/* Kept with the thread: whom the body names, who will not be named again; what it says, which may be quoted. */
static int note_words(struct store_db *db, const struct poster_job *job)
{
    for (size_t i = 0; i < job->other_count; i++)
        if (store_named_add(db, job->row.thread_id, job->row.id, job->others[i]) < 0)
            return -1;
    return job->excerpt ? answered_keep(db, &job->row, job->author_name, job->excerpt) : 1;
}

static int commit_route(struct store_db *db, void *arg)
{
    struct poster_job *job = arg;
    job->is_overtaken = false;
    if (job->skips_changed && note_skips(db, job) < 0)
        return -1;
    if (is_routed(job)) {
        int wanted = is_still_wanted(db, job);
        job->is_overtaken = wanted == 0;
        return wanted == 1 ? 1 : -1;
    }
    job->routed = route_inbound(db, &job->row, job->message.subject, job->author_alias, job->own_uid, job->now,
                                &job->row.thread_id);
    if (job->routed == ROUTE_WAIT)
        return 0;
    if (job->routed == ROUTE_ERROR) {
        job->is_overtaken = is_still_wanted(db, job) == 0;
        return -1;
    }
    if (job->likely_thread_id && job->likely_thread_id != job->row.thread_id) {
        job->is_overtaken = true; /* it names whom other readers don't know: converted again */
        return -1;
    }
    if (note_words(db, job) < 0)
        return -1;
    int traced = store_trace_add(db, STORE_QUEUE_IN, job->row.id, job->now, "converted", "%zu attachments%s%s",
                                 job->message.attach_count, job->note[0] ? "; " : "", job->note);
    return traced == 1 ? 1 : -1;
}

static void route_done(int result, void *arg)
{
    struct poster_job *job = arg;
    if (result < 0) {
        if (job->is_overtaken)
            poster_end_after_pause(job);
        else
            poster_end_after_failure(job); /* logged where it happened */
        return;
    }
    poster_database_worked(job->poster);
    if (result == 1)
        post(job);
    else
        poster_put_off(job, "waiting for the thread's first message to be confirmed");
}

void poster_go_on(struct poster_job *job)
{
    job->now = clock_wall_ms(job->poster->parts->clock);
    if (is_routed(job) && !job->skips_changed) {
        int wanted = is_still_wanted(store_reader(job->poster->parts->store), job);
        if (wanted == 1)
            post(job);
        else if (wanted == 0)
            poster_end_after_pause(job);
        else
            poster_end_after_failure(job);
        return;
    }
    poster_set_state(job, POSTER_ROUTING);
    store_submit(job->poster->parts->store, commit_route, route_done, job);
}

static void give_up_without_recipients(struct poster_job *job)
{
    struct strbuf why;
    strbuf_init(&why, 1100);
    strbuf_add_fmt(&why, "nobody is left who can get it: %.1000s", job->note);
    job->now = clock_wall_ms(job->poster->parts->clock);
    job->give_up = true;
    job->end.trouble = TROUBLE_OURS; /* each of them has one of their own */
    poster_submit_put_off(job, why.data);
    strbuf_free(&why);
}

static void start(int64_t id, void *ctx)
{
    struct poster *poster = ctx;
    struct store_db *db = store_reader(poster->parts->store);
    struct poster_job *job = xcalloc(1, sizeof *job);
    job->poster = poster;
    job->next = poster->jobs;
    poster->jobs = job;
    job->content_fd = -1;
    tmtp_message_init(&job->message);
    int found = store_inbound_find(db, id, &job->row);
    if (found != 1) {
        job->row.id = id;
        if (found < 0)
            poster_end_after_failure(job);
        else
            poster_end_after_pause(job); /* it is gone: no failure of the database */
        return;
    }
    const char *why = poster_check_recipients(job);
    if (job->row.recipient_count == 0) {
        give_up_without_recipients(job);
        return;
    }
    if (!why)
        why = poster_find_author(job);
    if (!why && !job->row.thread_id && route_find(db, &job->row, &job->likely_thread_id) == ROUTE_WAIT)
        why = "waiting for the thread's first message to be confirmed";
    if (!why) {
        poster_convert(job);
    } else {
        poster_put_off(job, why);
    }
}

struct poster *poster_new(const struct parts *parts)
{
    struct poster *poster = xcalloc(1, sizeof *poster);
    struct queue_settings settings = {
        .parts = parts, .which = STORE_QUEUE_IN, .concurrency = POSTER_CONCURRENCY, .start = start, .ctx = poster
    };
    poster->parts = parts;
    poster->database = (struct backoff){ .first_ms = PAUSE_MS, .longest_ms = LONGEST_PAUSE_MS };
    poster->queue = queue_new(&settings);
    poster->overdue = poster_overdue_new(parts);
    return poster;
}

void poster_free(struct poster **poster_in)
{
    struct poster *poster = *poster_in;
    if (!poster)
        return;
    for (struct poster_job *job = poster->jobs, *next; job; job = next) {
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
