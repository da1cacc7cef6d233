/* outbound.c - see outbound.h */
#include "gateway/outbound.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "gateway/policy.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"

enum { RETRY_MS = 1000, STRANGERS_MAX = 64 };
static const int64_t stranger_told_ms = INT64_C(24) * 3600 * 1000; /* told once in this time */

struct outbound {
    const struct parts *parts;
    const struct outbound_callbacks *callbacks;
    void *ctx;
    struct tmtp_client *client;
    struct outbound_statistics statistics;
    bool busy;
    struct arrival *arrivals; /* not acked yet; more than one only after reconnects */
    struct stranger {
        char *uid;
        int64_t told_at;
    } strangers[STRANGERS_MAX];
};

/* One delivery between its arrival and our ack. Until the operation is done only the committer may touch it. */
struct arrival {
    struct outbound *outbound;
    struct arrival *next;
    struct timer *pause; /* after a failed commit, or while busy */
    char *msgid, *posted, *from_uid, *own_uid;
    char *message_id;            /* of the mail that it becomes */
    struct tmtp_message message; /* a copy of what we need: head, cc */
    char *head;                  /* JSON of the second header, for the convert worker's input later */
    struct spool *content;
    bool oversize, unreadable;
    char *problem; /* for the notice */
    int64_t now;
    /* results */
    int64_t id; /* in the outbound queue; 0: nothing to send */
    bool noticed;
    bool stranger; /* the author is not a member of this gateway */
    bool refused, seen;
};

static void arrival_free(struct arrival *arrival)
{
    struct arrival **link = &arrival->outbound->arrivals;
    while (*link != arrival)
        link = &(*link)->next;
    *link = arrival->next;
    timer_free(&arrival->pause);
    free(arrival->msgid);
    free(arrival->posted);
    free(arrival->from_uid);
    free(arrival->own_uid);
    free(arrival->message_id);
    tmtp_message_free(&arrival->message);
    free(arrival->head);
    spool_free(&arrival->content);
    free(arrival->problem);
    free(arrival);
}

/* The threadid of the thread that a message belongs to: its own id when it starts one. */
static const char *threadid_of(const struct arrival *arrival)
{
    return arrival->message.threadid[0] ? arrival->message.threadid : arrival->msgid;
}

/* The mail's Message-ID is fixed here, from what the silo guarantees to be unique, so that every attempt to send it has
 * the same one. */
static char *make_message_id(const struct arrival *arrival, const char *hostname)
{
    struct strbuf id;
    strbuf_init(&id, 500);
    strbuf_add_str(&id, "tmtp-");
    for (const char *p = arrival->msgid; *p && p - arrival->msgid < 64; p++)
        strbuf_add_char(&id, isalnum((unsigned char)*p) ? *p : '_');
    strbuf_add_fmt(&id, "@%s", hostname);
    return strbuf_detach(&id);
}

/* A thread that a member started: its parties are those of the cc list. */
static int add_parties(struct store_db *db, const struct arrival *arrival, int64_t thread_id)
{
    for (size_t i = 0; i < arrival->message.cc_count; i++) {
        const struct tmtp_participant *cc = &arrival->message.cc[i];
        struct store_party party = { .alias = cc->who, .uid = cc->who_uid };
        struct store_member member;
        struct store_correspondent correspondent;
        if (strcmp(cc->who_uid, arrival->own_uid) == 0) {
            int found = store_correspondent_find_by_alias(db, cc->who, &correspondent);
            if (found < 0)
                return -1;
            if (found == 1) {
                party.correspondent_id = correspondent.id;
                store_correspondent_free(&correspondent);
            }
        } else {
            int found = store_member_find_by_uid(db, cc->who_uid, &member);
            if (found < 0)
                return -1;
            if (found == 1) {
                party.member_id = member.id;
                store_member_free(&member);
            }
        }
        if (store_thread_add_party(db, thread_id, &party) < 0)
            return -1;
    }
    return 1;
}

struct author_search {
    const char *uid;
    bool found;
};

static void match_author(const struct store_party *party, void *ctx)
{
    struct author_search *search = ctx;
    search->found = search->found || strcmp(party->uid, search->uid) == 0;
}

/* Whoever is not in a thread must not speak in it: its mail goes to people who did not ask for theirs. */
static int join_thread(struct store_db *db, const struct arrival *arrival, const struct store_thread *thread)
{
    struct author_search search = { .uid = arrival->from_uid };
    if (store_thread_list_parties(db, thread->id, match_author, &search) < 0)
        return -1;
    if (!search.found)
        return 0;
    if (!arrival->message.subject[0] || strcmp(arrival->message.subject, thread->subject) == 0)
        return 1;
    return store_thread_set_subject(db, thread->id, arrival->message.subject);
}

/* 1 found or made; 0 a reply in a thread that we never saw, or that the author is not in; -1 error. */
static int find_thread(struct store_db *db, const struct arrival *arrival, int64_t *thread_id_out)
{
    struct store_thread thread;
    int found = store_thread_find_by_threadid(db, threadid_of(arrival), &thread);
    if (found == 1) {
        *thread_id_out = thread.id;
        found = join_thread(db, arrival, &thread);
        store_thread_free(&thread);
        return found;
    }
    if (found < 0)
        return -1;
    if (arrival->message.threadid[0])
        return 0; /* its id would be a claim: only the silo gives ids to threads */
    if (store_thread_add(db, arrival->msgid, arrival->message.subject, arrival->now, thread_id_out) != 1)
        return -1;
    return add_parties(db, arrival, *thread_id_out);
}

struct recipients {
    int64_t *ids; /* correspondents */
    size_t count;
};

static void collect_correspondent(const struct store_party *party, void *ctx)
{
    struct recipients *recipients = ctx;
    if (!party->correspondent_id)
        return;
    for (size_t i = 0; i < recipients->count; i++)
        if (recipients->ids[i] == party->correspondent_id)
            return;
    recipients->ids = xreallocarray(recipients->ids, recipients->count + 1, sizeof *recipients->ids);
    recipients->ids[recipients->count++] = party->correspondent_id;
}

/* Keeps those that the author may write to; says in refused who the others are and why. */
static int keep_authorised(struct store_db *db, const struct store_member *author, struct recipients *recipients,
                           int64_t now, struct notice_list *refused)
{
    size_t kept = 0;
    for (size_t i = 0; i < recipients->count; i++) {
        struct store_mapping mapping;
        struct store_correspondent correspondent;
        const char *reason;
        int found = store_mapping_find_pair(db, recipients->ids[i], author->id, &mapping);
        if (found < 0)
            return -1;
        bool allowed = policy_allows_outbound(found == 1 ? &mapping : NULL, now, &reason);
        if (found == 1)
            store_mapping_free(&mapping);
        if (allowed) {
            recipients->ids[kept++] = recipients->ids[i];
            continue;
        }
        if (store_correspondent_find(db, recipients->ids[i], &correspondent) != 1)
            return -1;
        notice_list_add(refused, "%s: you are not authorised to write to this address (%s)", correspondent.address,
                        reason);
        store_correspondent_free(&correspondent);
    }
    recipients->count = kept;
    return 1;
}

static int tell_author(struct store_db *db, struct arrival *arrival, int64_t thread_id,
                       const struct store_member *author, const char *what)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    strbuf_add_fmt(&text, "This message was not sent by email to everybody it was meant for:\n\n%s", what);
    int result =
        strbuf_ok(&text) ? notice_add(db, thread_id, author->id, "Not sent by email", text.data, arrival->now) : -1;
    strbuf_free(&text);
    arrival->noticed = true;
    return result;
}

/* The entry and the beginning of its story; its content only if it is for somebody. */
static int add_entry(struct store_db *db, struct arrival *arrival, int64_t thread_id, const struct store_member *author,
                     size_t recipients)
{
    int64_t content_id = 0, posted_at;
    if (recipients > 0 && store_content_add_spool(db, arrival->content, &content_id) != 1)
        return -1;
    if (clock_parse_rfc3339(arrival->posted, &posted_at) < 0)
        posted_at = arrival->now;
    struct store_outbound_new row = {
        .tmtp_msgid = arrival->msgid,
        .thread_id = thread_id,
        .member_id = author->id,
        .author_alias = author->alias,
        .message_id = arrival->message_id,
        .head = recipients > 0 ? arrival->head : "",
        .content_id = content_id,
        .size = spool_size(arrival->content),
        .posted_at = posted_at,
        .now = arrival->now,
    };
    if (store_outbound_add(db, &row, &arrival->id) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_OUT, arrival->id, arrival->now, "received",
                           "from member %s in thread %s, silo message %s, %" PRId64 " octets, for %zu recipients",
                           author->alias, threadid_of(arrival), arrival->msgid, spool_size(arrival->content),
                           recipients);
}

static int queue_mail(struct store_db *db, struct arrival *arrival, int64_t thread_id,
                      const struct store_member *author, const struct recipients *recipients)
{
    int result = add_entry(db, arrival, thread_id, author, recipients->count);
    for (size_t i = 0; result == 1 && i < recipients->count; i++)
        result = store_outbound_add_recipient(db, arrival->id, recipients->ids[i]);
    struct store_message_new message = { .thread_id = thread_id,
                                         .message_id = arrival->message_id,
                                         .tmtp_msgid = arrival->msgid,
                                         .outbound_id = arrival->id,
                                         .now = arrival->now };
    return result == 1 ? store_message_add(db, &message) : -1;
}

/* Nobody gets it: the author is told why, and so is whoever asks later. */
static int refuse(struct store_db *db, struct arrival *arrival, int64_t thread_id, const struct store_member *author,
                  const char *what)
{
    if (add_entry(db, arrival, thread_id, author, 0) != 1 ||
        store_trace_add(db, STORE_QUEUE_OUT, arrival->id, arrival->now, "refused", "%s", what) != 1 ||
        store_outbound_finish(db, arrival->id, STORE_QUEUE_SETTLED) != 1)
        return -1;
    arrival->refused = true;
    return tell_author(db, arrival, thread_id, author, what);
}

/* A message whose author and thread are known. */
static int take_in_thread(struct store_db *db, struct arrival *arrival, int64_t thread_id,
                          const struct store_member *author)
{
    struct recipients recipients = { 0 };
    struct strbuf text;
    strbuf_init(&text, 60 * 1024);
    struct notice_list refused = { .text = &text };
    int result = store_thread_list_parties(db, thread_id, collect_correspondent, &recipients) < 0 ? -1 : 1;
    if (result == 1 && recipients.count == 0)
        notice_list_add(&refused, "nobody outside is in this thread: write to the alias of an email correspondent");
    if (result == 1)
        result = keep_authorised(db, author, &recipients, arrival->now, &refused);
    notice_list_end(&refused);
    if (result == 1 && recipients.count == 0)
        result = refuse(db, arrival, thread_id, author, text.data);
    else if (result == 1)
        result = queue_mail(db, arrival, thread_id, author, &recipients);
    if (result == 1 && recipients.count > 0 && refused.count > 0)
        result = tell_author(db, arrival, thread_id, author, text.data);
    strbuf_free(&text);
    free(recipients.ids);
    return result;
}

static int take_from_member(struct store_db *db, struct arrival *arrival, const struct store_member *author)
{
    int64_t thread_id;
    int found = find_thread(db, arrival, &thread_id);
    if (found < 0)
        return -1;
    if (found == 0)
        return refuse(db, arrival, 0, author,
                      "- the gateway does not know the thread that it belongs to, or you are not in it; please start a "
                      "new one\n");
    if (arrival->problem)
        return refuse(db, arrival, thread_id, author, arrival->problem);
    return take_in_thread(db, arrival, thread_id, author);
}

static int commit_arrival(struct store_db *db, void *arg)
{
    struct arrival *arrival = arg;
    struct store_member author;
    arrival->id = 0;
    arrival->noticed = arrival->refused = arrival->stranger = false;
    int fresh = store_seen_tmtp(db, arrival->msgid, arrival->now);
    arrival->seen = fresh == 0;
    if (fresh != 1)
        return fresh < 0 ? -1 : 1;
    int found = store_member_find_by_uid(db, arrival->from_uid, &author);
    if (found < 0)
        return -1;
    if (found == 0) { /* the silo vouches for the uid only; without a member there is no address to send from */
        arrival->stranger = true;
        return 1;
    }
    int result = take_from_member(db, arrival, &author);
    store_member_free(&author);
    return result;
}

/* Whether this stranger should be told now: once a day each, and never another gateway's words. */
static bool note_stranger(struct outbound *outbound, const struct arrival *arrival)
{
    struct stranger *oldest = &outbound->strangers[0];
    if (arrival->message.queue_key)
        return false;
    for (size_t i = 0; i < STRANGERS_MAX; i++) {
        struct stranger *stranger = &outbound->strangers[i];
        if (stranger->uid && strcmp(stranger->uid, arrival->from_uid) == 0) {
            oldest = stranger;
            break;
        }
        if (stranger->told_at < oldest->told_at)
            oldest = stranger;
    }
    if (oldest->uid && arrival->now - oldest->told_at < stranger_told_ms)
        return false; /* told today; or too many others were */
    free(oldest->uid);
    *oldest = (struct stranger){ .uid = xstrdup(arrival->from_uid), .told_at = arrival->now };
    return true;
}

/* Somebody in the silo whom no administrator has made a member. Told straight away: there is no member row that a
 * stored notice could name, and nothing was promised. */
static void tell_stranger(const struct arrival *arrival)
{
    static const char text[] =
        "This gateway sends email only for members that its administrator has added. Nothing was sent.";
    struct tmtp_message message;
    struct tmtp_client_recipient recipient = { .id = arrival->from_uid };
    int fd = notice_text_fd(text);
    if (fd < 0)
        return;
    tmtp_message_init(&message);
    tmtp_message_set(&message.threadid, threadid_of(arrival));
    tmtp_message_set(&message.queue_key, "notice");
    tmtp_message_set(&message.alias, arrival->outbound->parts->config->silo.alias);
    struct tmtp_client_post post = { .message = &message,
                                     .recipients = &recipient,
                                     .recipient_count = 1,
                                     .content_fd = fd,
                                     .content_size = sizeof text - 1 };
    if (tmtp_client_post(arrival->outbound->client, &post) == 0)
        log_info("message.stranger_not_told", "msgid=%s from=%s", arrival->msgid, arrival->from_uid);
    tmtp_message_free(&message);
    close(fd);
}

static void submit(void *arg);

static const char *outcome_name(const struct arrival *arrival)
{
    return arrival->seen ? "seen_before" : arrival->stranger ? "not_a_member" : arrival->refused ? "refused" : "queued";
}

static void committed(int result, void *arg)
{
    struct arrival *arrival = arg;
    struct outbound *outbound = arrival->outbound;
    if (result != 1) { /* not acked; the silo holds everything else back until this is stored */
        log_error("message.not_stored", "msgid=%s", arrival->msgid);
        timer_start(arrival->pause, RETRY_MS);
        return;
    }
    log_info("message.decided", "id=out%" PRId64 " msgid=%s from=%s outcome=%s", arrival->id, arrival->msgid,
             arrival->from_uid, outcome_name(arrival));
    tmtp_client_ack(outbound->client, arrival->msgid);
    if (arrival->stranger && note_stranger(outbound, arrival))
        tell_stranger(arrival);
    bool accepted = arrival->id != 0 && !arrival->refused, noticed = arrival->noticed;
    arrival_free(arrival);
    if (accepted)
        outbound->statistics.accepted++;
    else
        outbound->statistics.ignored++;
    if (accepted)
        outbound->callbacks->on_accepted(outbound->ctx);
    if (noticed)
        outbound->callbacks->on_notice(outbound->ctx);
}

static void submit(void *arg)
{
    struct arrival *arrival = arg;
    if (arrival->outbound->busy)
        timer_start(arrival->pause, RETRY_MS);
    else
        store_submit(arrival->outbound->parts->store, commit_arrival, committed, arrival);
}

static char *encode_head(const struct tmtp_message *message)
{
    struct strbuf json;
    strbuf_init(&json, TMTP_MESSAGE_HEAD_MAX * 2);
    if (tmtp_message_encode(message, &json) != 1 || !strbuf_ok(&json)) {
        strbuf_free(&json);
        return NULL;
    }
    return strbuf_detach(&json);
}

/* What the convert worker and the thread table need of the second header: strings are copied by an encode and
 * decode. */
static void copy_message(struct arrival *arrival, const struct tmtp_message *message)
{
    const char *error;
    arrival->head = encode_head(message);
    struct tmtp_message copy;
    if (!arrival->head || tmtp_message_decode(arrival->head, strlen(arrival->head), &copy, &error) != 1) {
        arrival->unreadable = true;
        return;
    }
    tmtp_message_free(&arrival->message);
    arrival->message = copy;
}

static char *describe_problem(const struct arrival *arrival, const struct tmtp_client_delivery *delivery)
{
    struct strbuf text;
    strbuf_init(&text, 1000);
    if (arrival->oversize)
        strbuf_add_fmt(&text, "- it is larger than the %" PRId64 " MiB that this gateway carries\n",
                       arrival->outbound->parts->config->policy.max_message >> 20);
    else if (arrival->unreadable)
        strbuf_add_fmt(&text, "- its header could not be read (%s)\n",
                       delivery->head_error ? delivery->head_error : "malformed");
    else if (delivery->push->notify > 0)
        strbuf_add_str(
            &text, "- forwarding a thread to somebody outside is not possible; please start a new thread with them\n");
    if (text.len == 0) {
        strbuf_free(&text);
        return NULL;
    }
    return strbuf_detach(&text);
}

void outbound_on_message(struct outbound *outbound, struct tmtp_client_delivery *delivery)
{
    struct arrival *arrival = xcalloc(1, sizeof *arrival);
    const char *own_uid = tmtp_client_uid(outbound->client);
    arrival->outbound = outbound;
    arrival->next = outbound->arrivals;
    outbound->arrivals = arrival;
    arrival->pause = timer_new(outbound->parts->loop, submit, arrival);
    arrival->now = clock_wall_ms(outbound->parts->clock);
    arrival->msgid = xstrdup(delivery->push->id);
    arrival->posted = xstrdup(delivery->push->posted ? delivery->push->posted : "");
    arrival->from_uid = xstrdup(delivery->push->from ? delivery->push->from : "");
    arrival->own_uid = xstrdup(own_uid ? own_uid : "");
    arrival->message_id = make_message_id(arrival, outbound->parts->config->hostname);
    arrival->oversize = delivery->oversize;
    arrival->unreadable = !delivery->message;
    tmtp_message_init(&arrival->message);
    if (delivery->message)
        copy_message(arrival, delivery->message);
    arrival->content = tmtp_client_take_content(delivery);
    if (!arrival->content) /* nothing but a second header */
        arrival->content = spool_new(outbound->parts->config->state_dir, SPOOL_MEMORY_DEFAULT);
    if (!arrival->oversize && !arrival->unreadable &&
        tmtp_message_attachments_size(&arrival->message) > spool_size(arrival->content))
        arrival->unreadable = true;
    arrival->problem = describe_problem(arrival, delivery);
    submit(arrival);
}

struct outbound *outbound_new(const struct parts *parts, const struct outbound_callbacks *callbacks, void *ctx)
{
    struct outbound *outbound = xcalloc(1, sizeof *outbound);
    outbound->parts = parts;
    outbound->callbacks = callbacks;
    outbound->ctx = ctx;
    return outbound;
}

void outbound_free(struct outbound **outbound_in)
{
    struct outbound *outbound = *outbound_in;
    if (!outbound)
        return;
    for (struct arrival *arrival = outbound->arrivals, *next; arrival; arrival = next) {
        next = arrival->next;
        arrival_free(arrival);
    }
    for (size_t i = 0; i < STRANGERS_MAX; i++)
        free(outbound->strangers[i].uid);
    free(outbound);
    *outbound_in = NULL;
}

void outbound_set_busy(struct outbound *outbound, bool busy)
{
    outbound->busy = busy;
}

void outbound_set_client(struct outbound *outbound, struct tmtp_client *client)
{
    outbound->client = client;
}

void outbound_get_statistics(const struct outbound *outbound, struct outbound_statistics *out)
{
    *out = outbound->statistics;
}
