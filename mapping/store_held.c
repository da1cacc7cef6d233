/* store_held.c - see store_held.h */
#include "mapping/store_held.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/store_content.h"
#include "mapping/store_internal.h"

int store_held_add(struct store_db *db, int64_t inbound_id, const struct store_held_new *held)
{
    int64_t id;
    return store_insert(
        db,
        "INSERT INTO held (inbound_id, author, domain, member_id, group_id, request_id, key_id, proof, repetition,"
        " facts, size, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        STORE_VALUES(
            bind_int(inbound_id), bind_text(held->author), bind_text(held->domain), bind_id(held->target.member_id),
            bind_id(held->target.group_id), bind_id(held->request_id), bind_text(held->key_id), bind_text(held->proof),
            bind_blob(held->repetition, STORE_REPETITION_SIZE), bind_blob(held->facts, (int64_t)held->facts_len),
            bind_int(held->size), bind_int(held->expires_at)),
        &id);
}

int store_held_find(struct store_db *db, int64_t inbound_id, struct store_held *out)
{
    struct store_query query;
    *out = (struct store_held){ .inbound_id = 0 };
    store_query_begin(&query, db,
                      "SELECT inbound_id, author, member_id, group_id, request_id, key_id, proof, facts, size,"
                      " expires_at, released_at, is_once FROM held WHERE inbound_id = ?",
                      STORE_VALUES(bind_int(inbound_id)));
    int result = store_query_next(&query);
    if (result == 1) {
        *out = (struct store_held){
            .inbound_id = store_query_int(&query, 0),
            .author = store_query_copy(&query, 1),
            .target = { store_query_int(&query, 2), store_query_int(&query, 3) },
            .request_id = store_query_int(&query, 4),
            .key_id = store_query_copy(&query, 5),
            .proof = store_query_copy(&query, 6),
            .facts_len = (size_t)sqlite3_column_bytes(query.handle, 7),
            .size = store_query_int(&query, 8),
            .expires_at = store_query_int(&query, 9),
            .released_at = store_query_int(&query, 10),
            .is_once = store_query_int(&query, 11) != 0,
        };
        out->facts = xmalloc(out->facts_len + 1);
        if (out->facts_len > 0)
            memcpy(out->facts, sqlite3_column_blob(query.handle, 7), out->facts_len);
    }
    store_query_end(&query);
    return result;
}

void store_held_free(struct store_held *held)
{
    free(held->author);
    free(held->key_id);
    free(held->proof);
    free(held->facts);
    *held = (struct store_held){ .inbound_id = 0 };
}

static int measure(struct store_db *db, const char *sql, const struct store_value *values,
                   struct store_held_sum *sum_out)
{
    struct store_query query;
    *sum_out = (struct store_held_sum){ 0 };
    store_query_begin(&query, db, sql, values);
    int result = store_query_next(&query);
    if (result == 1)
        *sum_out = (struct store_held_sum){ store_query_int(&query, 0), store_query_int(&query, 1) };
    store_query_end(&query);
    return result == 1 ? 1 : -1;
}

int store_held_measure(struct store_db *db, struct store_held_sum *sum_out)
{
    return measure(db, "SELECT count(*), coalesce(sum(size), 0) FROM held", NULL, sum_out);
}

int store_held_measure_author(struct store_db *db, const char *author, struct store_held_sum *sum_out)
{
    return measure(db, "SELECT count(*), coalesce(sum(size), 0) FROM held WHERE author = ?",
                   STORE_VALUES(bind_text(author)), sum_out);
}

int store_held_measure_domain(struct store_db *db, const char *domain, struct store_held_sum *sum_out)
{
    return measure(db, "SELECT count(*), coalesce(sum(size), 0) FROM held WHERE domain = ?",
                   STORE_VALUES(bind_text(domain)), sum_out);
}

int store_held_count_foreign(struct store_db *db, const char *key_id, int64_t *count_out)
{
    /* In two parts, for which the index is not walked through: it is asked each time whether the gateway is ready. */
    return store_fetch_int(db,
                           "SELECT (SELECT count(*) FROM held WHERE key_id < ?1)"
                           " + (SELECT count(*) FROM held WHERE key_id > ?1)",
                           STORE_VALUES(bind_text(key_id)), count_out);
}

int store_held_find_same(struct store_db *db, const uint8_t repetition[static STORE_REPETITION_SIZE],
                         struct store_target target, int64_t *id_out)
{
    *id_out = 0;
    return store_fetch_int(
        db,
        "SELECT inbound_id FROM held WHERE repetition = ? AND member_id IS NOT DISTINCT FROM ?"
        " AND group_id IS NOT DISTINCT FROM ? LIMIT 1",
        STORE_VALUES(bind_blob(repetition, STORE_REPETITION_SIZE), bind_id(target.member_id), bind_id(target.group_id)),
        id_out);
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_held_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1)
        each(store_query_int(&query, 0), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_held_list(struct store_db *db, int64_t above, unsigned limit, store_held_each *each, void *ctx)
{
    return list(db, "SELECT inbound_id FROM held WHERE inbound_id > ? ORDER BY inbound_id LIMIT ?",
                STORE_VALUES(bind_int(above), bind_int(limit)), each, ctx);
}

int store_held_list_waiting(struct store_db *db, int64_t above, unsigned limit, store_held_each *each, void *ctx)
{
    return list(db, "SELECT inbound_id FROM held WHERE released_at = 0 AND inbound_id > ? ORDER BY inbound_id LIMIT ?",
                STORE_VALUES(bind_int(above), bind_int(limit)), each, ctx);
}

int store_held_list_request(struct store_db *db, int64_t request_id, int64_t above, unsigned limit,
                            store_held_each *each, void *ctx)
{
    return list(db,
                "SELECT inbound_id FROM held WHERE request_id = ? AND inbound_id > ? AND released_at = 0 ORDER BY "
                "inbound_id LIMIT ?",
                STORE_VALUES(bind_int(request_id), bind_int(above), bind_int(limit)), each, ctx);
}

int store_held_list_expired(struct store_db *db, int64_t now, unsigned limit, store_held_each *each, void *ctx)
{
    return list(db,
                "SELECT inbound_id FROM held WHERE released_at = 0 AND expires_at <= ? ORDER BY expires_at, inbound_id"
                " LIMIT ?",
                STORE_VALUES(bind_int(now), bind_int(limit)), each, ctx);
}

int store_held_next_expiry(struct store_db *db, int64_t *at_out)
{
    return store_fetch_int(db, "SELECT expires_at FROM held WHERE released_at = 0 ORDER BY expires_at LIMIT 1", NULL,
                           at_out);
}

int store_held_list_released(struct store_db *db, unsigned limit, store_held_each *each, void *ctx)
{
    return list(db, "SELECT inbound_id FROM held WHERE released_at <> 0 ORDER BY released_at, inbound_id LIMIT ?",
                STORE_VALUES(bind_int(limit)), each, ctx);
}

int store_held_list_overdue(struct store_db *db, int64_t released_by, unsigned limit, store_held_each *each, void *ctx)
{
    return list(db,
                "SELECT inbound_id FROM held JOIN inbound ON inbound.id = inbound_id WHERE released_at <> 0"
                " AND released_at <= ? AND is_sender_proven AND (NOT is_automatic OR EXISTS (SELECT 1"
                "  FROM inbound_recipient AS recipient WHERE recipient.inbound_id = held.inbound_id"
                "  AND notify IS NOT NULL)) ORDER BY released_at, inbound_id LIMIT ?",
                STORE_VALUES(bind_int(released_by), bind_int(limit)), each, ctx);
}

int store_held_release(struct store_db *db, int64_t inbound_id, bool is_once, int64_t now)
{
    return store_execute(db, "UPDATE held SET released_at = ?, is_once = ? WHERE inbound_id = ? AND released_at = 0",
                         STORE_VALUES(bind_int(now), bind_int(is_once), bind_int(inbound_id)));
}

int store_held_take_back(struct store_db *db, int64_t inbound_id)
{
    return store_execute(db, "UPDATE held SET released_at = 0, is_once = 0 WHERE inbound_id = ? AND released_at <> 0",
                         STORE_VALUES(bind_int(inbound_id)));
}

static int forget(struct store_db *db, int64_t inbound_id)
{
    return store_execute(db, "DELETE FROM held WHERE inbound_id = ?", STORE_VALUES(bind_int(inbound_id)));
}

int store_held_drop(struct store_db *db, int64_t inbound_id)
{
    int result = forget(db, inbound_id);
    if (result != 1)
        return result;
    return store_inbound_finish(db, inbound_id, STORE_QUEUE_DROPPED) == 1 ? 1 : -1;
}

int store_held_open(struct store_db *db, int64_t inbound_id, const struct store_held_opened *opened)
{
    int64_t content_id, sealed_id;
    int result = store_fetch_int(db, "SELECT content_id FROM inbound WHERE id = ? AND state = 'pending'",
                                 STORE_VALUES(bind_int(inbound_id)), &sealed_id);
    if (result != 1)
        return result;
    if (store_content_add(db, opened->draft, &content_id) != 1 || forget(db, inbound_id) != 1)
        return -1;
    result = store_execute(db,
                           "UPDATE inbound SET state = 'waiting', correspondent_id = ?, message_id = ?, digest = ?,"
                           " reference_ids = ?, content_id = ?, received_at = ?, next_attempt_at = ? WHERE id = ?",
                           STORE_VALUES(bind_id(opened->correspondent_id), bind_text(opened->message_id),
                                        opened->digest ? bind_blob(opened->digest, STORE_DIGEST_SIZE) : bind_text(NULL),
                                        bind_text(opened->references), bind_int(content_id), bind_int(opened->now),
                                        bind_int(opened->now), bind_int(inbound_id)));
    if (result != 1 || store_execute(db, "UPDATE inbound_recipient SET mapping_id = ? WHERE inbound_id = ?",
                                     STORE_VALUES(bind_id(opened->mapping_id), bind_int(inbound_id))) != 1)
        return -1;
    return store_content_erase(db, sealed_id) < 0 ? -1 : 1;
}

int store_contact_note(struct store_db *db, const char *author, int64_t member_id, int64_t inbound_id, int64_t now,
                       int64_t since, int64_t most)
{
    int64_t count = 0;
    if (store_fetch_int(db,
                        "SELECT count(*) FROM (SELECT 1 FROM first_contact INDEXED BY first_contact_member"
                        " WHERE member_id = ? AND created_at >= ? LIMIT ?)",
                        STORE_VALUES(bind_int(member_id), bind_int(since), bind_int(most)), &count) != 1)
        return -1;
    if (count >= most)
        return 0;
    return store_execute(db,
                         "INSERT INTO first_contact (author, member_id, inbound_id, created_at, is_due)"
                         " VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET inbound_id = excluded.inbound_id"
                         " WHERE is_due = 1 AND NOT EXISTS (SELECT 1 FROM held"
                         "  WHERE held.inbound_id = first_contact.inbound_id)", /* it has gone before they were told */
                         STORE_VALUES(bind_text(author), bind_int(member_id), bind_int(inbound_id), bind_int(now)));
}

int store_contact_list_due(struct store_db *db, unsigned limit, store_contact_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT first_contact.inbound_id, member_id, first_contact.author, member.alias"
                      " FROM first_contact INDEXED BY first_contact_due"
                      " JOIN held USING (inbound_id, member_id) JOIN member ON member.id = member_id"
                      " WHERE is_due = 1 AND held.released_at = 0 AND member.removed = 0"
                      " ORDER BY first_contact.created_at LIMIT ?",
                      STORE_VALUES(bind_int(limit)));
    while ((result = store_query_next(&query)) == 1) {
        const struct store_contact contact = { store_query_int(&query, 0), store_query_int(&query, 1),
                                               store_query_text(&query, 2), store_query_text(&query, 3) };
        each(&contact, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_contact_set_done(struct store_db *db, int64_t inbound_id)
{
    return store_execute(db, "UPDATE first_contact SET is_due = 0 WHERE inbound_id = ? AND is_due = 1",
                         STORE_VALUES(bind_int(inbound_id)));
}
