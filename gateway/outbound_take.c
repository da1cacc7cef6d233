/* outbound_take.c - what becomes of a member's message, decided and written down in one store operation */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "gateway/policy.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

const char *outbound_threadid(const struct arrival *arrival)
{
    return arrival->message.threadid[0] ? arrival->message.threadid : arrival->msgid;
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
    int found = store_thread_find_by_threadid(db, outbound_threadid(arrival), &thread);
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
                           author->alias, outbound_threadid(arrival), arrival->msgid, spool_size(arrival->content),
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

int outbound_take(struct store_db *db, void *arg)
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
