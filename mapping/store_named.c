/* store_named.c - see store_named.h */
#include "mapping/store_named.h"

#include <stdlib.h>

#include "mapping/store_internal.h"

int store_named_add(struct store_db *db, int64_t thread_id, int64_t inbound_id, const char *address)
{
    /* Somebody whom two mails name at the same time was named by the later one, too. */
    return store_execute(db,
                         "INSERT INTO thread_named (thread_id, address, inbound_id) SELECT ?, ?, ?"
                         " WHERE (SELECT count(*) FROM thread_named WHERE thread_id = ?) < ?"
                         " ON CONFLICT (thread_id, address) DO UPDATE SET inbound_id = excluded.inbound_id",
                         STORE_VALUES(bind_int(thread_id), bind_text(address), bind_int(inbound_id),
                                      bind_int(thread_id), bind_int(STORE_NAMED_MAX)));
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_named_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1)
        each(store_query_text(&query, 0), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_named_list_known(struct store_db *db, int64_t thread_id, unsigned limit, store_named_each *each, void *ctx)
{
    return list(db,
                "SELECT address FROM thread_named JOIN message ON message.inbound_id = thread_named.inbound_id"
                "  WHERE thread_named.thread_id = ? AND message.tmtp_msgid IS NOT NULL"
                " UNION SELECT correspondent.address FROM thread_party"
                "  JOIN correspondent ON correspondent.id = thread_party.correspondent_id"
                "  WHERE thread_party.thread_id = ? LIMIT ?",
                STORE_VALUES(bind_int(thread_id), bind_int(thread_id), bind_int(limit)), each, ctx);
}

int store_named_list_local_parts(struct store_db *db, int64_t thread_id, unsigned limit, store_named_each *each,
                                 void *ctx)
{
    return list(db,
                "SELECT address.local_part FROM thread_party JOIN address ON address.member_id = thread_party.member_id"
                "  WHERE thread_id = ?"
                " UNION SELECT address.local_part FROM thread_party JOIN address"
                "  ON address.group_id = thread_party.group_id WHERE thread_id = ? LIMIT ?",
                STORE_VALUES(bind_int(thread_id), bind_int(thread_id), bind_int(limit)), each, ctx);
}

/* What people have written must not be found in the write-ahead log either, nor, until that is emptied, in the database. */
static int erased(struct store_db *db, int result)
{
    db->has_erased = db->has_erased || result == 1;
    return result < 0 ? -1 : 1;
}

int store_excerpt_set(struct store_db *db, const struct store_excerpt *excerpt)
{
    int result = store_execute(db,
                               "INSERT INTO thread_excerpt (thread_id, inbound_id, author_name, text, received_at)"
                               " VALUES (?, ?, ?, ?, ?) ON CONFLICT (thread_id) DO UPDATE SET"
                               " inbound_id = excluded.inbound_id, author_name = excluded.author_name,"
                               " text = excluded.text, received_at = excluded.received_at",
                               STORE_VALUES(bind_int(excerpt->thread_id), bind_int(excerpt->inbound_id),
                                            bind_text(excerpt->author_name), bind_text(excerpt->text),
                                            bind_int(excerpt->received_at)));
    return erased(db, result);
}

int store_excerpt_find(struct store_db *db, int64_t thread_id, int64_t outbound_id, struct store_excerpt *out)
{
    struct store_query query;
    *out = (struct store_excerpt){ .thread_id = thread_id };
    store_query_begin(
        &query, db,
        "SELECT thread_excerpt.inbound_id, inbound.correspondent_id, correspondent.address,"
        " author_name, text, thread_excerpt.received_at FROM thread_excerpt"
        " JOIN inbound ON inbound.id = thread_excerpt.inbound_id"
        " JOIN correspondent ON correspondent.id = inbound.correspondent_id"
        " JOIN message ON message.inbound_id = inbound.id AND message.thread_id = thread_excerpt.thread_id"
        " WHERE thread_excerpt.thread_id = ? AND message.tmtp_msgid IS NOT NULL AND message.id < coalesce("
        "  (SELECT min(id) FROM message AS own WHERE own.thread_id = ? AND own.outbound_id = ?), ?)"
        " LIMIT 1",
        STORE_VALUES(bind_int(thread_id), bind_int(thread_id), bind_int(outbound_id), bind_int(INT64_MAX)));
    int result = store_query_next(&query);
    if (result == 1) {
        out->inbound_id = store_query_int(&query, 0);
        out->correspondent_id = store_query_int(&query, 1);
        out->address = store_query_copy(&query, 2);
        out->author_name = store_query_copy(&query, 3);
        out->text = store_query_copy(&query, 4);
        out->received_at = store_query_int(&query, 5);
    }
    store_query_end(&query);
    return result;
}

void store_excerpt_free(struct store_excerpt *excerpt)
{
    free(excerpt->address);
    free(excerpt->author_name);
    free(excerpt->text);
    *excerpt = (struct store_excerpt){ 0 };
}

int store_excerpt_erase(struct store_db *db, int64_t thread_id)
{
    return erased(
        db, store_execute(db, "DELETE FROM thread_excerpt WHERE thread_id = ?", STORE_VALUES(bind_int(thread_id))));
}

int store_excerpt_take_back(struct store_db *db, int64_t inbound_id)
{
    return erased(db, store_execute(db,
                                    "DELETE FROM thread_excerpt WHERE inbound_id = ?"
                                    " AND thread_id = (SELECT thread_id FROM inbound WHERE id = ?)",
                                    STORE_VALUES(bind_int(inbound_id), bind_int(inbound_id))));
}

/* Not too many at once: all of them go when they are not wanted any more, and mail waits for each commit. */
int store_excerpt_expire(struct store_db *db, int64_t before, unsigned limit)
{
    return erased(db, store_execute(db,
                                    "DELETE FROM thread_excerpt WHERE thread_id IN (SELECT thread_id FROM"
                                    " thread_excerpt WHERE received_at < ? ORDER BY received_at LIMIT ?)",
                                    STORE_VALUES(bind_int(before), bind_int(limit))));
}
