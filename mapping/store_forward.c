/* store_forward.c - see store_forward.h */
#include "mapping/store_forward.h"

#include <stdlib.h>

#include "mapping/store_internal.h"

enum { EXPIRED_AT_A_TIME = 100 };

#define COLUMNS "outbound_id, seq, msgid, author_uid, author_alias, posted_at, body_offset, body_size, attachments"

int store_forward_add(struct store_db *db, const struct store_forward_message *message)
{
    return store_execute(db, "INSERT INTO forward_message (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         STORE_VALUES(bind_int(message->outbound_id), bind_int(message->seq), bind_text(message->msgid),
                                      bind_text(message->author_uid), bind_text(message->author_alias),
                                      bind_int(message->posted_at), bind_int(message->body_offset),
                                      bind_int(message->body_size), bind_text(message->attachments)));
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_forward_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1) {
        struct store_forward_message message = {
            .outbound_id = store_query_int(&query, 0),
            .seq = (unsigned)store_query_int(&query, 1),
            .msgid = store_query_copy(&query, 2),
            .author_uid = store_query_copy(&query, 3),
            .author_alias = store_query_copy(&query, 4),
            .posted_at = store_query_int(&query, 5),
            .body_offset = store_query_int(&query, 6),
            .body_size = store_query_int(&query, 7),
            .attachments = store_query_copy(&query, 8),
        };
        each(&message, ctx);
        free(message.msgid);
        free(message.author_uid);
        free(message.author_alias);
        free(message.attachments);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_forward_list(struct store_db *db, int64_t outbound_id, store_forward_each *each, void *ctx)
{
    return list(db, "SELECT " COLUMNS " FROM forward_message WHERE outbound_id = ? ORDER BY seq",
                STORE_VALUES(bind_int(outbound_id)), each, ctx);
}

int store_forward_list_awaited(struct store_db *db, int64_t thread_id, const char *msgid, const char *author_uid,
                               store_forward_each *each, void *ctx)
{
    return list(db,
                "SELECT " COLUMNS " FROM forward_message WHERE msgid = ? AND attachments <> '' AND author_uid = ?"
                " AND (SELECT thread_id FROM outbound WHERE id = outbound_id) = ? ORDER BY outbound_id, seq",
                STORE_VALUES(bind_text(msgid), bind_text(author_uid), bind_int(thread_id)), each, ctx);
}

int store_forward_received(struct store_db *db, int64_t outbound_id, const char *msgid)
{
    return store_execute(db,
                         "UPDATE forward_message SET attachments = '' WHERE msgid = ? AND attachments <> ''"
                         " AND outbound_id = ?",
                         STORE_VALUES(bind_text(msgid), bind_int(outbound_id)));
}

int store_forward_written(struct store_db *db, int64_t outbound_id)
{
    int result = store_execute(db, "DELETE FROM forward_message WHERE outbound_id = ? AND attachments = ''",
                               STORE_VALUES(bind_int(outbound_id)));
    return result < 0 ? -1 : 1;
}

/* Only entries that still have messages here are looked at, the oldest first: all that were ever forwarded are kept. */
int store_forward_expire(struct store_db *db, int64_t before)
{
    int result = store_execute(
        db,
        "WITH RECURSIVE awaiting (id) AS (SELECT min(outbound_id) FROM forward_message"
        "  UNION ALL SELECT (SELECT min(outbound_id) FROM forward_message WHERE outbound_id > awaiting.id)"
        "   FROM awaiting JOIN outbound ON outbound.id = awaiting.id WHERE outbound.received_at < ?)"
        " DELETE FROM forward_message WHERE outbound_id IN (SELECT awaiting.id FROM awaiting"
        "  JOIN outbound ON outbound.id = awaiting.id WHERE outbound.kind = 'forward' AND outbound.received_at < ?"
        "  AND outbound.state <> 'waiting' AND outbound.state <> 'held' LIMIT ?)",
        STORE_VALUES(bind_int(before), bind_int(before), bind_int(EXPIRED_AT_A_TIME)));
    return result < 0 ? -1 : 1;
}
