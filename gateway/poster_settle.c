/* poster_settle.c - see poster_settle.h */
#include "gateway/poster_settle.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/queue.h"
#include "gateway/report.h"
#include "gateway/thread_text.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

void poster_key_format(int64_t id, int64_t received_at, char out[static POSTER_KEY_SIZE])
{
    snprintf(out, POSTER_KEY_SIZE, "in%" PRId64 "-%" PRId64, id, received_at);
}

int poster_key_parse(const char *key, int64_t *id_out, int64_t *received_at_out)
{
    char name[24];
    enum store_queue which;
    const char *dash = strchr(key, '-');
    if (!dash || (size_t)(dash - key) >= sizeof name)
        return -1;
    memcpy(name, key, (size_t)(dash - key));
    name[dash - key] = 0;
    size_t digits = strspn(dash + 1, "0123456789");
    if (queue_id_parse(name, &which, id_out) < 0 || which != STORE_QUEUE_IN || digits == 0 || digits > 18 ||
        dash[1 + digits])
        return -1;
    *received_at_out = strtoll(dash + 1, NULL, 10);
    return 1;
}

void poster_fate_set(struct poster_fate *fate, int64_t id, int64_t received_at, const char *msgid, const char *posted,
                     int64_t now)
{
    *fate = (struct poster_fate){ .id = id,
                                  .received_at = received_at,
                                  .now = now,
                                  .msgid = xstrdup(msgid),
                                  .posted = xstrdup(posted ? posted : "-") };
}

void poster_fate_free(struct poster_fate *fate)
{
    free(fate->msgid);
    free(fate->posted);
    *fate = (struct poster_fate){ 0 };
}

/* The first message of a thread gives it its id. */
static int confirm_thread(struct store_db *db, int64_t thread_id, const char *msgid)
{
    struct store_thread thread;
    int found = thread_id ? store_thread_find(db, thread_id, &thread) : 0;
    if (found != 1)
        return found < 0 ? -1 : 1;
    bool confirmed = thread.threadid;
    store_thread_free(&thread);
    if (confirmed)
        return 1;
    /* Ids are the silo's and unique. One that somebody has guessed and claimed before must stop neither this mail nor the
     * answers to it. */
    return store_thread_take_threadid(db, msgid) < 0 ? -1 : store_thread_set_threadid(db, thread_id, msgid);
}

struct company {
    int64_t author_id;
    bool has_others; /* outside, beside the author */
};

static void look_at_party(const struct store_party *party, void *ctx)
{
    struct company *company = ctx;
    if (party->correspondent_id && party->correspondent_id != company->author_id)
        company->has_others = true;
}

/* 1, 0; -1 database error. */
static int may_take_subject(struct store_db *db, const struct store_inbound *row)
{
    struct company company = { .author_id = row->correspondent_id };
    if (row->kind != STORE_INBOUND_MAIL || row->is_automatic || !row->thread_id || !row->subject)
        return 0;
    return store_thread_list_parties(db, row->thread_id, look_at_party, &company) < 0 ? -1 : !company.has_others;
}

/* A correspondent who has changed the subject reads answers under that one. Who has not is not asked: an automatic answer
 * ("Out of office: x") is about the old one, and a notice is ours. Where others outside get the answers too it stays: they
 * may not have had that mail, and what one outside person writes is not shown to another. */
static int take_subject(struct store_db *db, const struct store_inbound *row)
{
    struct store_thread thread;
    int found = may_take_subject(db, row);
    if (found == 1)
        found = store_thread_find(db, row->thread_id, &thread);
    if (found != 1)
        return found < 0 ? -1 : 1;
    bool same = thread_text_same_subject(thread.subject, row->subject);
    store_thread_free(&thread);
    return same ? 1 : store_thread_set_subject(db, row->thread_id, row->subject);
}

/* Also of an entry that an administrator dropped while it was being posted: it has arrived, and the story has to say so.
 * But its sender was told then that it failed, and its content is gone. */
static int finish(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row, int64_t now,
                  bool *reported_out)
{
    if (row->state == STORE_QUEUE_DROPPED)
        return 1;
    if (report_add_of_entry(db, reporter, row, false, now, reported_out) != 1)
        return -1;
    return store_inbound_finish(db, row->id, STORE_QUEUE_SETTLED) < 0 ? -1 : 1;
}

int poster_settle(struct store_db *db, const struct reporter *reporter, const struct poster_fate *fate,
                  struct poster_settled *settled_out)
{
    struct store_inbound row;
    *settled_out = (struct poster_settled){ .reported = false };
    int found = store_inbound_find(db, fate->id, &row);
    if (found != 1)
        return found < 0 ? -1 : 1;
    int64_t thread_id = row.thread_id;
    bool same = row.received_at == fate->received_at, is_settled = row.state == STORE_QUEUE_SETTLED;
    bool is_ours = same && !is_settled; /* else another life's entry; or an echo after its ack */
    settled_out->is_new = is_ours && row.state != STORE_QUEUE_DROPPED;
    settled_out->is_mail = row.kind == STORE_INBOUND_MAIL;
    int result = is_ours ? finish(db, reporter, &row, fate->now, &settled_out->reported) : 1;
    if (is_ours && result == 1)
        result = take_subject(db, &row);
    store_inbound_free(&row);
    if (!is_ours || result != 1)
        return result;
    if (confirm_thread(db, thread_id, fate->msgid) != 1 || store_message_set_tmtp_msgid(db, fate->id, fate->msgid) < 0)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, fate->id, fate->now, "posted", "accepted by the silo as %s at %s",
                           fate->msgid, fate->posted) == 1
               ? 1
               : -1;
}
