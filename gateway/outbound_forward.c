/* outbound_forward.c - threads that grow
 *
 * Somebody in a thread adds others to it. The silo then sends two messages: to who is new, the whole thread so far (a
 * delivery with `notify`); to everybody, a notice of who is new (`notify`), which comes after it. So the thread is stored
 * and waits, and becomes a mail when the notice says for whom. Attachments do not come along: each author's client posts
 * its messages again (`confirmid`), and what was missing is sent after the mail.
 *
 * What a forwarded thread says of itself (its id, who was in it, who wrote what) is its forwarder's word. Of a thread that
 * the gateway knows already, only somebody who is in it may say anything.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "mapping/convert.h"
#include "mapping/store_draft.h"
#include "mapping/store_forward.h"
#include "mapping/store_mapping.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "tmtp/tmtp_forward.h"

enum {
    FORWARDS_MAX = 16, /* that one confirmation answers: each keeps a copy of its files */
    FILES_MAX = 10000, /* named in one thread: each is read again when the mail is written */
};

static const char too_much[] = "- more has been written than may go out in a day; please send it again tomorrow\n";

/* --- the thread so far --- */

static int64_t read_content(void *ctx, int64_t offset, void *out, size_t len)
{
    return spool_read(ctx, offset, out, len);
}

/* NULL: neither too little nor too much. */
static const char *weigh(const struct tmtp_forward *forward)
{
    size_t files = 0;
    for (size_t i = 0; i < forward->message_count; i++)
        files += forward->messages[i].head.attach_count;
    if (forward->message_count == 0)
        return "- there is no message in the forwarded thread\n";
    if (forward->message_count > CONVERT_QUOTES_MAX)
        return "- the forwarded thread has more than 2,000 messages\n";
    return files > FILES_MAX ? "- the messages of the forwarded thread have more than 10,000 attachments\n" : NULL;
}

/* NULL when it can be sent; else why not, for its author. */
static const char *decode(struct arrival *arrival, struct tmtp_forward *out)
{
    const char *error;
    if (arrival->problem)
        return arrival->problem;
    if (!arrival->message.threadid[0])
        return "- it does not say which thread it is\n";
    int result = tmtp_forward_decode(read_content, arrival->content, spool_size(arrival->content), out, &error);
    arrival->is_unread = result < 0;
    if (result != 1) {
        log_warning("message.forward_malformed", "msgid=%s from=%s reason=%s", arrival->msgid, arrival->from_uid,
                    error);
        return "- the forwarded thread could not be read\n";
    }
    const char *problem = weigh(out);
    if (problem) {
        tmtp_forward_free(out);
        *out = (struct tmtp_forward){ 0 };
    }
    return problem;
}

void outbound_read_forward(struct arrival *arrival)
{
    arrival->forward_problem = decode(arrival, &arrival->forward);
}

/* The latest that was given. */
static const char *subject_of(const struct tmtp_forward *forward)
{
    for (size_t i = forward->message_count; i-- > 0;)
        if (forward->messages[i].head.subject[0])
            return forward->messages[i].head.subject;
    return "";
}

static int add_new_thread(struct taking *taking, const struct tmtp_forward *forward)
{
    const struct arrival *arrival = taking->arrival;
    struct store_party author = { .member_id = taking->author.member_id,
                                  .alias = taking->author.alias,
                                  .uid = arrival->from_uid };
    if (store_thread_add(taking->db, arrival->message.threadid, subject_of(forward), arrival->now,
                         &taking->thread_id) != 1 ||
        store_thread_add_party(taking->db, taking->thread_id, &author) < 0)
        return -1;
    return outbound_add_parties(taking->db, arrival, &taking->author, forward->cc, forward->cc_count,
                                taking->thread_id);
}

/* Who may only answer in a thread (a member of whom is not known whether they are in its group) can't show it to others: what
 * the group writes in it later would go to those, too. */
static int find_known_thread(struct taking *taking)
{
    int found = outbound_find_thread(taking->db, taking->arrival, &taking->author, &taking->thread_id, &taking->groups);
    if (found != 1)
        return found;
    free(taking->groups.ids);
    taking->groups = (struct outbound_groups){ 0 };
    return outbound_find_groups(taking->db, &taking->author, taking->thread_id, &taking->groups);
}

/* 1: the author may forward it; 0 not; -1. Only a member brings in threads that the gateway has not seen. */
static int find_thread(struct taking *taking, const struct tmtp_forward *forward)
{
    const char *threadid = taking->arrival->message.threadid;
    struct store_thread thread;
    if (!threadid[0])
        return 0;
    int found = find_known_thread(taking);
    if (found != 0)
        return found;
    taking->thread_id = 0;
    found = store_thread_find_by_threadid(taking->db, threadid, &thread);
    if (found == 1)
        store_thread_free(&thread);
    if (found != 0 || !taking->author.member_id || forward->message_count == 0)
        return found < 0 ? -1 : 0;
    return add_new_thread(taking, forward);
}

/* As JSON: their names and sizes are all that is kept for the confirmation. 1, or -1. */
static int describe_attachments(const struct tmtp_message *head, struct strbuf *out)
{
    struct tmtp_message attached;
    if (head->attach_count == 0)
        return 1;
    tmtp_message_init(&attached);
    for (size_t i = 0; i < head->attach_count; i++)
        tmtp_message_add_attachment(&attached, head->attach[i].name, head->attach[i].size, NULL);
    int result = tmtp_message_encode(&attached, out);
    tmtp_message_free(&attached);
    return result;
}

static int add_message(struct taking *taking, unsigned seq, const struct tmtp_forward_message *message)
{
    struct strbuf attachments;
    strbuf_init(&attachments, TMTP_MESSAGE_HEAD_MAX);
    struct store_forward_message row = {
        .outbound_id = taking->arrival->id,
        .seq = seq,
        .msgid = message->id,
        .author_uid = message->from,
        .author_alias = message->head.alias,
        .body_offset = message->body_offset,
        .body_size = message->body_size,
    };
    int result = describe_attachments(&message->head, &attachments);
    row.attachments = attachments.data;
    if (clock_parse_rfc3339(message->posted, &row.posted_at) < 0)
        row.posted_at = 0;
    if (result == 1)
        result = store_forward_add(taking->db, &row) == 1 ? 1 : -1;
    strbuf_free(&attachments);
    return result;
}

static int keep(struct taking *taking, const struct tmtp_forward *forward)
{
    struct arrival *arrival = taking->arrival;
    int has_room = outbound_take_room(taking);
    if (has_room != 1)
        return has_room < 0 ? -1 : outbound_refuse(taking, too_much);
    if (outbound_add_entry(taking, STORE_OUTBOUND_FORWARD, true) != 1)
        return -1;
    for (unsigned i = 0; i < forward->message_count; i++)
        if (add_message(taking, i, &forward->messages[i]) < 0)
            return -1;
    arrival->outcome = "awaits_notify";
    arrival->waits = true;
    if (store_queue_postpone(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now + OUTBOUND_NOTIFY_LOOK_MS,
                             "the silo has not said yet who is new in the thread") != 1)
        return -1;
    return store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "forwarded",
                           "a thread of %zu messages; the silo is to say for whom", forward->message_count);
}

int outbound_take_forward(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    const char *problem = arrival->forward_problem;
    int result = find_thread(taking, &arrival->forward);
    if (result >= 0 && !taking->author.member_id && taking->groups.count == 0) {
        arrival->outcome = "not_a_member";
        result = outbound_refuse(taking, outbound_why_not_a_member(taking));
    } else if (result >= 0 && problem) {
        result = outbound_refuse(taking, problem);
    } else if (result == 0) {
        result = outbound_refuse(taking, "- you are not in the thread that you forward, as far as the gateway knows; "
                                         "please start a new one\n");
    } else if (result == 1) {
        result = keep(taking, &arrival->forward);
    }
    return result;
}

/* --- who is new --- */

/* The correspondents among those who are new. *for_us_out: an alias of the gateway's account was named at all. */
static int collect_new(struct taking *taking, bool *for_us_out)
{
    const struct arrival *arrival = taking->arrival;
    *for_us_out = false;
    for (size_t i = 0; i < arrival->message.cc_count; i++) {
        const struct tmtp_participant *cc = &arrival->message.cc[i];
        struct store_party party = { .alias = cc->who, .uid = cc->who_uid };
        if (strcmp(cc->who_uid, arrival->own_uid) != 0)
            continue;
        *for_us_out = true;
        if (outbound_fill_party(taking->db, arrival, &party) < 0)
            return -1;
        if (party.correspondent_id)
            outbound_add_recipient(taking, party.correspondent_id);
    }
    return 1;
}

static int release(struct taking *taking)
{
    const struct arrival *arrival = taking->arrival;
    int64_t group_id = 0;
    for (size_t i = 0; i < taking->count; i++) {
        const struct recipient *recipient = &taking->recipients[i];
        if (store_outbound_add_recipient(taking->db, arrival->id, recipient->correspondent_id, recipient->group_id) < 0)
            return -1;
        group_id = group_id ? group_id : recipient->group_id;
    }
    if (store_outbound_release(taking->db, arrival->id, group_id, arrival->now) != 1 ||
        store_outbound_release_files(taking->db, arrival->id, arrival->now + taking->wait_ms) != 1 ||
        outbound_note_message(taking, arrival->forward_msgid) != 1)
        return -1;
    return store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "addressed", "to %zu recipients",
                           taking->count);
}

/* Nobody outside is to get it: quietly, when a group that the gateway is in was added, or nobody of ours. */
static int settle_forward(struct taking *taking, const char *why)
{
    const struct arrival *arrival = taking->arrival;
    if (store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "refused", "%s",
                        why[0] ? why : "nobody outside was added to the thread") != 1 ||
        store_outbound_finish(taking->db, arrival->id, STORE_QUEUE_SETTLED) != 1)
        return -1;
    return why[0] ? outbound_tell_author(taking, why) : 1;
}

/* The forward that waits for this notice; its author's. 1, 0, -1. */
static int find_forward(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    struct store_outbound row;
    int64_t id;
    int found = arrival->forward_msgid ? store_outbound_find_forward(taking->db, arrival->forward_msgid, &id) : 0;
    if (found == 1)
        found = store_outbound_find(taking->db, id, &row);
    if (found != 1)
        return found;
    bool fits = strcmp(row.author_uid, arrival->from_uid) == 0 &&
                (taking->thread_id == 0 || row.thread_id == taking->thread_id);
    if (fits) {
        taking->thread_id = row.thread_id;
        arrival->id = id;
        free(arrival->message_id);
        arrival->message_id = xstrdup(row.message_id);
    }
    store_outbound_free(&row);
    return fits;
}

static int address_forward(struct taking *taking)
{
    bool for_us;
    if (collect_new(taking, &for_us) < 0)
        return -1;
    return outbound_decide(
        taking, for_us ? "nobody outside was added: forward it to the alias of an email correspondent" : NULL, release,
        settle_forward);
}

static int grow_thread(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    const struct tmtp_message *message = &arrival->message;
    int found = message->threadid[0] ? find_known_thread(taking) : 0;
    arrival->outcome = "not_in_thread";
    if (found != 1)
        return found < 0 ? -1 : 1;
    arrival->outcome = "participants";
    arrival->waits = true;
    if (outbound_add_parties(taking->db, arrival, &taking->author, message->cc, message->cc_count, taking->thread_id) <
        0)
        return -1;
    found = find_forward(taking);
    if (found != 1)
        return found < 0 ? -1 : 1;
    return address_forward(taking);
}

/* A notice that can't be read, or that contradicts what is known: what waits for it has waited long enough. */
static int give_up_forward(struct taking *taking, const char *why)
{
    int found = find_forward(taking);
    return found == 1 ? settle_forward(taking, why) : found < 0 ? -1 : 1;
}

/* What it contradicts is logged; there is no entry of its own to trace it with. */
static int take_notify(struct taking *taking)
{
    return taking->arrival->unreadable
               ? give_up_forward(taking, "- the list of who is new in the thread could not be read\n")
               : grow_thread(taking);
}

int outbound_take_notify(struct store_db *db, void *arg)
{
    return outbound_run(db, arg, take_notify, give_up_forward);
}

/* --- files that follow --- */

struct awaited {
    const struct tmtp_message *message; /* the confirmation */
    size_t max;
    int64_t forwards[FORWARDS_MAX]; /* their outbound ids */
    size_t count;
};

static bool has_attachment(const struct tmtp_message *message, const struct tmtp_attachment *wanted)
{
    for (size_t i = 0; i < message->attach_count; i++)
        if (message->attach[i].size == wanted->size && strcmp(message->attach[i].name, wanted->name) == 0)
            return true;
    return false;
}

/* Exactly the attachments that were named: a confirmation is no way to send something else. */
static bool has_all(const struct tmtp_message *message, const char *attachments)
{
    const char *error;
    struct tmtp_message wanted;
    if (tmtp_message_decode(attachments, strlen(attachments), &wanted, &error) != 1)
        return false;
    bool all = wanted.attach_count == message->attach_count;
    for (size_t i = 0; all && i < wanted.attach_count; i++)
        all = has_attachment(message, &wanted.attach[i]);
    tmtp_message_free(&wanted);
    return all;
}

static void collect_awaited(const struct store_forward_message *message, void *ctx)
{
    struct awaited *awaited = ctx;
    bool is_known = awaited->count > 0 && awaited->forwards[awaited->count - 1] == message->outbound_id;
    if (!is_known && awaited->count < awaited->max && has_all(awaited->message, message->attachments))
        awaited->forwards[awaited->count++] = message->outbound_id;
}

static int queue_files(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    if (outbound_add_entry(taking, STORE_OUTBOUND_FILES, true) != 1)
        return -1;
    for (size_t i = 0; i < taking->count; i++)
        if (store_outbound_add_recipient(taking->db, arrival->id, taking->recipients[i].correspondent_id,
                                         taking->recipients[i].group_id) < 0)
            return -1;
    struct store_message_new message = { .thread_id = taking->thread_id,
                                         .message_id = arrival->message_id,
                                         .tmtp_msgid = arrival->msgid,
                                         .outbound_id = arrival->id,
                                         .now = arrival->now };
    arrival->queued = true;
    arrival->outcome = "queued";
    return store_message_add(taking->db, &message);
}

/* Held with the thread that they belong to. */
static int hold_files(struct taking *files)
{
    const struct arrival *arrival = files->arrival;
    if (store_outbound_set_state(files->db, arrival->id, STORE_QUEUE_HELD, "held, as its thread is") != 1)
        return -1;
    return store_trace_add(files->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "held",
                           "as the forwarded thread that it belongs to is");
}

/* May the forwarder still write to those who got the thread? Much may have changed since. */
static int address_files(struct taking *files, const struct store_outbound *forward)
{
    struct strbuf text;
    strbuf_init(&text, 60 * 1024);
    struct notice_list refused = { .text = &text };
    int result = outbound_find_groups(files->db, &files->author, files->thread_id, &files->groups);
    if (result >= 0)
        result = outbound_keep_authorised(files, &refused);
    notice_list_end(&refused);
    if (result == 1 && files->count == 0)
        result = outbound_refuse(files, text.data);
    else if (result == 1)
        result = queue_files(files);
    if (result == 1 && files->count > 0)
        result = outbound_put_off(files);
    if (result == 1 && files->count > 0 && forward->state == STORE_QUEUE_HELD)
        result = hold_files(files);
    if (result == 1 && files->count > 0 && refused.count > 0)
        result = outbound_tell_author(files, text.data);
    strbuf_free(&text);
    return result;
}

/* Their author was faster than the silo, which has not said yet for whom the thread is. */
static int keep_files(struct taking *files, const struct store_outbound *forward)
{
    const struct arrival *arrival = files->arrival;
    int has_room = outbound_take_room(files);
    if (has_room != 1)
        return has_room < 0 ? -1 : outbound_refuse(files, too_much);
    if (queue_files(files) != 1)
        return -1;
    if (forward->state == STORE_QUEUE_HELD)
        return hold_files(files);
    return store_queue_postpone(files->db, STORE_QUEUE_OUT, arrival->id, arrival->now + OUTBOUND_NOTIFY_LOOK_MS,
                                "its thread waits for the silo to say who is new in it") == 1
               ? 1
               : -1;
}

/* In the forwarder's name, whose doing it is, to those who got the thread from them. */
static int take_files(struct taking *taking, const struct store_outbound *forward)
{
    struct taking files = {
        .db = taking->db,
        .arrival = taking->arrival,
        .author = { .member_id = forward->member_id, .uid = forward->author_uid, .alias = forward->author_alias },
        .thread_id = forward->thread_id,
        .forward_id = forward->id,
        .contradicted = ""
    };
    bool is_addressed = forward->recipient_count > 0 || forward->state == STORE_QUEUE_SETTLED;
    int result = 1;
    if (forward->state == STORE_QUEUE_DROPPED) /* by an administrator, and its files with it */
        return 1;
    for (size_t i = 0; i < forward->recipient_count; i++)
        if (forward->recipients[i].state != STORE_RECIPIENT_FAILED)
            outbound_add_recipient(&files, forward->recipients[i].correspondent_id);
    if ((files.count > 0 || !is_addressed) && taking->arrival->problem)
        result = outbound_refuse(&files, taking->arrival->problem);
    else if (!is_addressed)
        result = keep_files(&files, forward);
    else if (files.count > 0)
        result = address_files(&files, forward);
    free(files.groups.ids);
    free(files.recipients);
    return result;
}

static int take_awaited(struct taking *taking, int64_t forward_id)
{
    struct store_outbound forward;
    int found = store_forward_received(taking->db, forward_id, taking->arrival->message.confirm_id);
    if (found == 1)
        found = store_outbound_find(taking->db, forward_id, &forward);
    if (found != 1)
        return found < 0 ? -1 : 1;
    int result = take_files(taking, &forward);
    store_outbound_free(&forward);
    return result;
}

int outbound_take_confirmation(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    /* Large content is a file, and has one owner. Each forward makes authors' clients confirm, so the others get theirs. */
    bool is_large = store_draft_is_large(arrival->draft);
    struct awaited awaited = { .message = &arrival->message, .max = is_large ? 1 : FORWARDS_MAX };
    struct store_thread thread;
    arrival->outcome = "confirmation";
    int found = store_thread_find_by_threadid(taking->db, arrival->message.threadid, &thread);
    if (found != 1)
        return found < 0 ? -1 : 1;
    int result = store_forward_list_awaited(taking->db, thread.id, arrival->message.confirm_id, arrival->from_uid,
                                            collect_awaited, &awaited);
    for (size_t i = 0; i < awaited.count && result == 1; i++) {
        outbound_make_message_id(arrival, i); /* each mail has one of its own */
        result = take_awaited(taking, awaited.forwards[i]);
    }
    store_thread_free(&thread);
    return result;
}
