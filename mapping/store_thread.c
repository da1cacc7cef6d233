/* store_thread.c - see store_thread.h */
#include "mapping/store_thread.h"

#include <stdlib.h>

#include "mapping/store_internal.h"

int store_thread_add(struct store_db *db, const char *threadid, const char *subject, int64_t now, int64_t *id_out)
{
    return store_fetch_int(db, "INSERT INTO thread (threadid, subject, created_at) VALUES (?, ?, ?) RETURNING id",
                           STORE_VALUES(bind_text(threadid), bind_text(subject ? subject : ""), bind_int(now)), id_out);
}

static int find(struct store_db *db, const char *sql, struct store_value key, struct store_thread *out)
{
    struct store_query query;
    *out = (struct store_thread){ .id = 0 };
    store_query_begin(&query, db, sql, STORE_VALUES(key));
    int result = store_query_next(&query);
    if (result == 1)
        *out = (struct store_thread){
            .id = store_query_int(&query, 0),
            .threadid = store_query_copy_or_null(&query, 1),
            .subject = store_query_copy(&query, 2),
        };
    store_query_end(&query);
    return result;
}

int store_thread_find(struct store_db *db, int64_t id, struct store_thread *out)
{
    return find(db, "SELECT id, threadid, subject FROM thread WHERE id = ?", bind_int(id), out);
}

int store_thread_find_by_threadid(struct store_db *db, const char *threadid, struct store_thread *out)
{
    return find(db, "SELECT id, threadid, subject FROM thread WHERE threadid = ?", bind_text(threadid), out);
}

int store_thread_set_threadid(struct store_db *db, int64_t id, const char *threadid)
{
    return store_execute(db, "UPDATE thread SET threadid = ? WHERE id = ?",
                         STORE_VALUES(bind_text(threadid), bind_int(id)));
}

int store_thread_take_threadid(struct store_db *db, const char *threadid)
{
    return store_execute(db, "UPDATE thread SET threadid = NULL WHERE threadid = ?", STORE_VALUES(bind_text(threadid)));
}

int store_thread_set_subject(struct store_db *db, int64_t id, const char *subject)
{
    return store_execute(db, "UPDATE thread SET subject = ? WHERE id = ?",
                         STORE_VALUES(bind_text(subject), bind_int(id)));
}

int store_thread_awaits_post(struct store_db *db, int64_t id)
{
    int64_t one;
    return store_fetch_int(db,
                           "SELECT 1 FROM thread WHERE id = ? AND threadid IS NULL AND EXISTS (SELECT 1 FROM message"
                           " JOIN inbound ON inbound.id = message.inbound_id WHERE message.thread_id = thread.id"
                           " AND inbound.state IN ('waiting', 'routed'))",
                           STORE_VALUES(bind_int(id)), &one);
}

void store_thread_free(struct store_thread *thread)
{
    free(thread->threadid);
    free(thread->subject);
    *thread = (struct store_thread){ .id = 0 };
}

int store_thread_add_party(struct store_db *db, int64_t thread_id, const struct store_party *party)
{
    return store_execute(db,
                         "INSERT INTO thread_party (thread_id, member_id, correspondent_id, group_id, alias, uid)"
                         " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (thread_id, alias, uid) DO NOTHING",
                         STORE_VALUES(bind_int(thread_id), bind_id(party->member_id), bind_id(party->correspondent_id),
                                      bind_id(party->group_id), bind_text(party->alias), bind_text(party->uid)));
}

int store_thread_count_parties(struct store_db *db, int64_t thread_id, int64_t *count_out)
{
    return store_fetch_int(db, "SELECT count(*) FROM thread_party WHERE thread_id = ?",
                           STORE_VALUES(bind_int(thread_id)), count_out);
}

int store_thread_list_parties(struct store_db *db, int64_t thread_id, store_party_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT member_id, correspondent_id, group_id, alias, uid FROM thread_party WHERE thread_id = ?"
                      " ORDER BY id",
                      STORE_VALUES(bind_int(thread_id)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_party party = {
            .member_id = store_query_int(&query, 0),
            .correspondent_id = store_query_int(&query, 1),
            .group_id = store_query_int(&query, 2),
            .alias = store_query_copy(&query, 3),
            .uid = store_query_copy(&query, 4),
        };
        each(&party, ctx);
        free(party.alias);
        free(party.uid);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_message_add(struct store_db *db, const struct store_message_new *message)
{
    return store_execute(db,
                         "INSERT INTO message (thread_id, message_id, tmtp_msgid, inbound_id, outbound_id, created_at)"
                         " VALUES (?, ?, ?, ?, ?, ?)",
                         STORE_VALUES(bind_int(message->thread_id), bind_text(message->message_id),
                                      bind_text(message->tmtp_msgid), bind_id(message->inbound_id),
                                      bind_id(message->outbound_id), bind_int(message->now)));
}

int store_message_set_tmtp_msgid(struct store_db *db, int64_t inbound_id, const char *tmtp_msgid)
{
    return store_execute(db, "UPDATE message SET tmtp_msgid = ? WHERE inbound_id = ?",
                         STORE_VALUES(bind_text(tmtp_msgid), bind_int(inbound_id)));
}

int store_message_list_threads(struct store_db *db, const char *message_id, store_thread_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, "SELECT DISTINCT thread_id FROM message WHERE message_id = ? ORDER BY thread_id DESC",
                      STORE_VALUES(bind_text(message_id)));
    while ((result = store_query_next(&query)) == 1)
        each(store_query_int(&query, 0), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_message_list_ids(struct store_db *db, int64_t thread_id, int64_t outbound_id, unsigned limit,
                           store_message_id_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "WITH ids AS (SELECT min(id) AS at, message_id FROM message"
                      "  WHERE thread_id = ? AND message_id IS NOT NULL"
                      "  AND id < coalesce((SELECT min(id) FROM message WHERE thread_id = ? AND outbound_id = ?), ?)"
                      "  GROUP BY message_id)"
                      " SELECT at, message_id FROM (SELECT at, message_id FROM ids ORDER BY at LIMIT ?) AS oldest"
                      " UNION"
                      " SELECT at, message_id FROM (SELECT at, message_id FROM ids ORDER BY at DESC LIMIT ?) AS newest"
                      " ORDER BY at",
                      STORE_VALUES(bind_int(thread_id), bind_int(thread_id), bind_int(outbound_id), bind_int(INT64_MAX),
                                   bind_int(limit > 0), bind_int(limit > 0 ? limit - 1 : 0)));
    while ((result = store_query_next(&query)) == 1)
        each(store_query_text(&query, 1), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_message_find_shared(struct store_db *db, int64_t thread_id, int64_t outbound_id, char **message_id_out)
{
    struct store_query query;
    *message_id_out = NULL;
    store_query_begin(&query, db,
                      "SELECT message_id FROM message AS earlier WHERE thread_id = ? AND message_id IS NOT NULL"
                      " AND id < coalesce((SELECT min(id) FROM message WHERE thread_id = ? AND outbound_id = ?), ?)"
                      " AND (inbound_id IS NOT NULL OR (outbound_id IS NOT NULL AND NOT EXISTS ("
                      "  SELECT 1 FROM outbound_recipient AS wanted WHERE wanted.outbound_id = ? AND NOT EXISTS ("
                      "   SELECT 1 FROM outbound_recipient AS had WHERE had.outbound_id = earlier.outbound_id"
                      "   AND had.correspondent_id = wanted.correspondent_id))))"
                      " ORDER BY id DESC LIMIT 1",
                      STORE_VALUES(bind_int(thread_id), bind_int(thread_id), bind_int(outbound_id), bind_int(INT64_MAX),
                                   bind_int(outbound_id)));
    int result = store_query_next(&query);
    if (result == 1)
        *message_id_out = store_query_copy(&query, 0);
    store_query_end(&query);
    return result;
}

/* A mail that is not routed yet is in no thread, nor is a report ever: they are found in their queues. */
int store_message_find_queue_ids(struct store_db *db, const char *message_id_or_msgid, int64_t *inbound_id_out,
                                 int64_t *outbound_id_out)
{
    const struct store_value key = bind_text(message_id_or_msgid);
    *inbound_id_out = 0;
    *outbound_id_out = 0;
    if (store_fetch_int(db, "SELECT max(inbound_id) FROM message WHERE message_id = ? OR tmtp_msgid = ?",
                        STORE_VALUES(key, key), inbound_id_out) < 0 ||
        store_fetch_int(db, "SELECT max(outbound_id) FROM message WHERE message_id = ? OR tmtp_msgid = ?",
                        STORE_VALUES(key, key), outbound_id_out) < 0)
        return -1;
    if (*inbound_id_out == 0 &&
        store_fetch_int(db, "SELECT max(id) FROM inbound WHERE message_id = ?", STORE_VALUES(key), inbound_id_out) < 0)
        return -1;
    if (*outbound_id_out == 0 && store_fetch_int(db, "SELECT max(id) FROM outbound WHERE tmtp_msgid = ?",
                                                 STORE_VALUES(key), outbound_id_out) < 0)
        return -1;
    if (*outbound_id_out == 0 &&
        store_fetch_int(db, "SELECT max(id) FROM outbound WHERE message_id = ? AND kind = 'report'", STORE_VALUES(key),
                        outbound_id_out) < 0)
        return -1;
    return *inbound_id_out != 0 || *outbound_id_out != 0;
}
