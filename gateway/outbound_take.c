/* outbound_take.c - what becomes of a message from the silo, decided and written down in one store operation */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/closed_words.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "gateway/pair.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "mapping/subject.h"

enum { REASON_MAX = 1000 };
static const int64_t stranger_told_ms = INT64_C(24) * 3600 * 1000; /* told once in this time */
static const int64_t oldest_ms = INT64_C(366) * 24 * 3600 * 1000, newest_ms = INT64_C(3600) * 1000; /* see date_of() */

void outbound_add_recipient(struct taking *taking, int64_t correspondent_id)
{
    for (size_t i = 0; i < taking->count; i++)
        if (taking->recipients[i].correspondent_id == correspondent_id)
            return;
    taking->recipients = xreallocarray(taking->recipients, taking->count + 1, sizeof *taking->recipients);
    taking->recipients[taking->count++] = (struct recipient){ .correspondent_id = correspondent_id };
}

static void collect_correspondent(const struct store_party *party, void *ctx)
{
    if (party->correspondent_id)
        outbound_add_recipient(ctx, party->correspondent_id);
}

static const struct store_mapping *find_row(const struct pair *pair, int64_t id)
{
    for (size_t i = 0; i < pair->count; i++)
        if (pair->rows[i].id == id)
            return &pair->rows[i];
    return NULL;
}

/* 1 a mapping lets them, 0 not (reason), -1 error. */
static int try_target(const struct taking *taking, const char *address, struct store_target target,
                      struct strbuf *reason)
{
    struct pair pair;
    struct policy_answer answer;
    pair_find(taking->db, address, target, &pair);
    pair.facts.now = taking->arrival->now;
    pair.facts.local_case = taking->arrival->local_case;
    bool has_failed = pair.facts.database_failed;
    bool is_allowed = policy_allows(&pair.facts, STORE_DIRECTION_OUT, &answer);
    strbuf_clear(reason);
    if (!is_allowed)
        closed_words_add(reason, find_row(&pair, answer.mapping_id), answer.reason,
                         taking->author.member_id ? taking->author.alias : "");
    pair_free(&pair);
    return has_failed ? -1 : is_allowed;
}

/* The author's own mapping counts first, then those of groups that they speak for. The reason told is the author's own,
 * unless only a group has a mapping at all. */
static int authorise(const struct taking *taking, const char *address, struct recipient *recipient,
                     struct strbuf *reason)
{
    int allowed = 0;
    strbuf_add_str(reason, "there is no mapping");
    if (taking->author.member_id)
        allowed = try_target(taking, address, (struct store_target){ .member_id = taking->author.member_id }, reason);
    for (size_t i = 0; i < taking->groups.count && allowed == 0; i++) {
        recipient->group_id = taking->groups.ids[i];
        allowed = try_target(taking, address, (struct store_target){ .group_id = recipient->group_id }, reason);
    }
    return allowed;
}

int outbound_keep_authorised(struct taking *taking, struct notice_list *refused)
{
    size_t kept = 0;
    for (size_t i = 0; i < taking->count; i++) {
        struct store_correspondent correspondent;
        struct strbuf reason;
        if (store_correspondent_find(taking->db, taking->recipients[i].correspondent_id, &correspondent) != 1)
            return -1;
        strbuf_init(&reason, REASON_MAX);
        int allowed = authorise(taking, correspondent.address, &taking->recipients[i], &reason);
        char shown[SUBJECT_SHOWN_SIZE];
        subject_show(correspondent.address, shown);
        if (allowed == 1)
            taking->recipients[kept++] = taking->recipients[i];
        else if (allowed == 0)
            notice_list_add(refused, "%s: you are not authorised to write to this address (%s)", shown, reason.data);
        strbuf_free(&reason);
        store_correspondent_free(&correspondent);
        if (allowed < 0)
            return -1;
    }
    taking->count = kept;
    return outbound_keep_within_quotas(taking, refused);
}

int outbound_add_notice(struct taking *taking, const char *subject, struct strbuf *text)
{
    struct arrival *arrival = taking->arrival;
    const struct notice notice = {
        .to.member_id = taking->author.member_id,
        .uid = taking->author.uid,
        .alias = taking->author.alias,
        .thread_id = taking->thread_id,
        .threadid = outbound_threadid(arrival),
        .subject = subject,
        .text = text->data,
        .about = arrival->id,
    };
    int result = strbuf_ok(text) ? notice_add(taking->db, &notice, arrival->now) : -1;
    strbuf_free(text);
    arrival->noticed = true;
    return result;
}

int outbound_tell_author(struct taking *taking, const char *what)
{
    const struct arrival *arrival = taking->arrival;
    const struct outbound_author *author = &taking->author;
    int64_t told_at;
    if (!author->uid[0] || arrival->message.queue_key)
        return 1; /* the silo always says who, else there is nobody to tell; another gateway's post, even a member's */
    if (!author->member_id && taking->groups.count == 0) {
        int told = store_inbound_person_told_at(taking->db, author->uid, &told_at);
        if (told < 0)
            return -1;
        if (told == 1 && arrival->now - told_at < stranger_told_ms)
            return 1;
    }
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    strbuf_add_fmt(&text, "This message was not sent by email to everybody it was meant for:\n\n%s", what);
    return outbound_add_notice(taking, "Not sent by email", &text);
}

/* What the silo says of when a message was posted becomes the mail's Date. Its clock may be far off, and a mail from 1970 or
 * the next century is taken for spam; ours is right, or nothing is. */
static int64_t date_of(const struct arrival *arrival)
{
    int64_t posted_at;
    bool is_likely = clock_parse_rfc3339(arrival->posted, &posted_at) == 1 && posted_at > arrival->now - oldest_ms &&
                     posted_at < arrival->now + newest_ms;
    return is_likely ? posted_at : arrival->now;
}

int outbound_add_entry(struct taking *taking, enum store_outbound_kind kind, bool has_content)
{
    struct arrival *arrival = taking->arrival;
    const struct outbound_author *author = &taking->author;
    int64_t content_id = 0;
    if (has_content && store_content_add(taking->db, arrival->draft, &content_id) != 1)
        return -1;
    struct store_outbound_new row = {
        .kind = kind,
        .tmtp_msgid = arrival->msgid,
        .thread_id = taking->thread_id,
        .forward_id = taking->forward_id,
        .member_id = author->member_id,
        .author_uid = author->uid,
        .author_alias = author->alias,
        .message_id = arrival->message_id,
        .head = has_content ? arrival->head : "",
        .content_id = content_id,
        .size = spool_size(arrival->content),
        .posted_at = date_of(arrival),
        .now = arrival->now,
        .wants_reports = author->wants_reports,
    };
    for (size_t i = 0; i < taking->count && !row.group_id; i++)
        row.group_id = taking->recipients[i].group_id;
    if (store_outbound_add(taking->db, &row, &arrival->id) != 1)
        return -1;
    int result =
        store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "received",
                        "from %s %s (%s) in thread %s, silo message %s, %" PRId64 " octets, for %zu recipients",
                        author->member_id ? "member" : "somebody of the silo", author->alias, author->uid,
                        outbound_threadid(arrival), arrival->msgid, spool_size(arrival->content), taking->count);
    if (result == 1 && taking->contradicted[0])
        result = store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "contradicted",
                                 "its list of participants gives these aliases to other accounts than theirs, which "
                                 "changes nothing: %s",
                                 taking->contradicted);
    return result;
}

/* A group's member who writes under a mapping of their own is answered at their own address: in this thread, too. */
static int add_author(struct taking *taking)
{
    struct store_party party = {
        .member_id = taking->author.member_id,
        .alias = taking->author.alias,
        .uid = (char *)(uintptr_t)taking->author.uid, /* only read */
    };
    bool is_answered = false;
    for (size_t i = 0; i < taking->count; i++)
        is_answered = is_answered || taking->recipients[i].group_id == 0;
    return is_answered && store_thread_add_party(taking->db, taking->thread_id, &party) < 0 ? -1 : 1;
}

int outbound_note_message(struct taking *taking, const char *tmtp_msgid)
{
    struct arrival *arrival = taking->arrival;
    const struct store_message_new message = { .thread_id = taking->thread_id,
                                               .message_id = arrival->message_id,
                                               .tmtp_msgid = tmtp_msgid,
                                               .outbound_id = arrival->id,
                                               .now = arrival->now };
    arrival->queued = true;
    arrival->outcome = "queued";
    return store_message_add(taking->db, &message);
}

static int queue_mail(struct taking *taking)
{
    const struct arrival *arrival = taking->arrival;
    int result = taking->author.member_id && taking->groups.count > 0 ? add_author(taking) : 1;
    if (result == 1)
        result = outbound_add_entry(taking, STORE_OUTBOUND_MESSAGE, true);
    for (size_t i = 0; result == 1 && i < taking->count; i++)
        result = store_outbound_add_recipient(taking->db, arrival->id, taking->recipients[i].correspondent_id,
                                              taking->recipients[i].group_id);
    return result == 1 ? outbound_note_message(taking, arrival->msgid) : -1;
}

int outbound_refuse(struct taking *taking, const char *what)
{
    struct arrival *arrival = taking->arrival;
    taking->count = 0;
    if (outbound_add_entry(taking, STORE_OUTBOUND_MESSAGE, false) != 1 ||
        store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "refused", "%s", what) != 1 ||
        store_outbound_finish(taking->db, arrival->id, STORE_QUEUE_SETTLED) != 1)
        return -1;
    return outbound_tell_author(taking, what);
}

const char *outbound_why_not_a_member(const struct taking *taking)
{
    if (taking->arrival->greet)
        return "- the gateway does not know yet that you are the member you say you are: please answer its ping (it "
               "has "
               "just sent you one), then write again\n";
    return "- this gateway sends email only for members that its administrator has added, and for those whom it has "
           "seen "
           "join a group of its\n";
}

int outbound_decide(struct taking *taking, const char *why_nobody, int (*send)(struct taking *taking),
                    int (*refuse)(struct taking *taking, const char *why))
{
    struct strbuf text;
    strbuf_init(&text, 60 * 1024);
    struct notice_list refused = { .text = &text };
    if (taking->count == 0 && why_nobody)
        notice_list_add(&refused, "%s", why_nobody);
    int result = outbound_keep_authorised(taking, &refused);
    notice_list_end(&refused);
    if (result == 1)
        result = taking->count == 0 ? refuse(taking, text.data) : send(taking);
    if (result == 1 && taking->arrival->queued)
        result = outbound_put_off(taking);
    if (result == 1 && taking->arrival->queued && refused.count > 0)
        result = outbound_tell_author(taking, text.data);
    strbuf_free(&text);
    return result;
}

/* A message whose author and thread are known. */
/* 1 it is for the gateway itself, 0 not, -1. */
static int is_for_gateway(const struct taking *taking)
{
    const struct outbound_author *author = &taking->author;
    if (!taking->thread_id || taking->arrival->problem || taking->count > 0 ||
        (!author->member_id && !author->is_admin))
        return 0;
    return outbound_is_own_thread(taking->db, taking->arrival, taking->thread_id);
}

static int take(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    int found = outbound_find_thread(taking->db, arrival, &taking->author, &taking->thread_id, &taking->groups);
    if (found == 0)
        taking->thread_id = 0;
    if (found < 0 ||
        (found == 1 && store_thread_list_parties(taking->db, taking->thread_id, collect_correspondent, taking) < 0))
        return -1;
    int is_words = is_for_gateway(taking);
    if (is_words != 0)
        return is_words < 0 ? -1 : outbound_take_words(taking);
    if (!taking->author.member_id && taking->groups.count == 0) {
        arrival->outcome = "not_a_member";
        return outbound_refuse(taking, outbound_why_not_a_member(taking));
    }
    if (found == 0)
        return outbound_refuse(
            taking, "- the gateway does not know the thread that it belongs to, or you are not in it; please "
                    "start a new one\n");
    if (arrival->problem)
        return outbound_refuse(taking, arrival->problem);
    return outbound_decide(taking, "nobody outside is in this thread: write to the alias of an email correspondent",
                           queue_mail, outbound_refuse);
}

int outbound_run(struct store_db *db, struct arrival *arrival, int (*take_it)(struct taking *taking),
                 int (*refuse)(struct taking *taking, const char *why))
{
    struct taking taking = { .db = db, .arrival = arrival };
    struct strbuf text;
    char *problem = NULL;
    arrival->id = 0;
    arrival->queued = arrival->noticed = arrival->waits = arrival->is_word = arrival->changed = false;
    free(arrival->greet);
    arrival->greet = NULL;
    int fresh = store_seen_tmtp(db, arrival->msgid, arrival->now);
    arrival->outcome = fresh == 0 ? "seen_before" : "refused";
    if (fresh != 1)
        return fresh < 0 ? -1 : 1;
    strbuf_init(&text, 60 * 1024);
    struct notice_list contradicted = { .text = &text };
    int result = outbound_find_author(db, arrival, &taking.author, &problem);
    if (result == 1 && outbound_note_participants(db, arrival, &contradicted) < 0)
        result = -1;
    taking.contradicted = text.data;
    if (result == 1)
        result = take_it(&taking);
    else if (result == 0)
        result = refuse(&taking, problem);
    free(problem);
    strbuf_free(&text);
    free(taking.groups.ids);
    free(taking.recipients);
    outbound_author_free(&taking.author);
    return result;
}

static int take_any(struct taking *taking)
{
    const struct arrival *arrival = taking->arrival;
    return arrival->is_forward           ? outbound_take_forward(taking)
           : arrival->message.confirm_id ? outbound_take_confirmation(taking)
                                         : take(taking);
}

int outbound_take(struct store_db *db, void *arg)
{
    return outbound_run(db, arg, take_any, outbound_refuse);
}
