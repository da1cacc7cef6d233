/* store_overdue.c - see store_overdue.h */
#include "mapping/store_overdue.h"

#include "mapping/store_internal.h"

/* In the words of the partial indexes (store_schema.c). */
#define LIVE "(state = 'waiting' OR state = 'routed' OR state = 'held')"

static int list(struct store_db *db, const char *sql, int64_t key, unsigned limit, store_overdue_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, STORE_VALUES(bind_int(key), bind_int(limit)));
    while ((result = store_query_next(&query)) == 1)
        each(store_query_int(&query, 0), store_query_int(&query, 1), store_query_int(&query, 2) != 0, ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_overdue_list_waiting(struct store_db *db, int64_t after_id, unsigned limit, store_overdue_each *each,
                               void *ctx)
{
    return list(db,
                "SELECT id, received_at, kind = 'mail' AND is_sender_proven AND (NOT is_automatic OR EXISTS (SELECT 1"
                " FROM inbound_recipient WHERE inbound_id = inbound.id AND notify IS NOT NULL))"
                " FROM inbound WHERE state = 'waiting' AND id > ? ORDER BY id LIMIT ?",
                after_id, limit, each, ctx);
}

int store_overdue_list_delayed(struct store_db *db, int64_t received_by, unsigned limit, store_overdue_each *each,
                               void *ctx)
{
    return list(db,
                "SELECT id, received_at, 1 FROM inbound INDEXED BY inbound_delay WHERE delay_awaited = 1 AND " LIVE
                " AND received_at <= ? ORDER BY received_at LIMIT ?",
                received_by, limit, each, ctx);
}

int store_overdue_take_delay(struct store_db *db, int64_t inbound_id)
{
    return store_execute(db, "UPDATE inbound SET delay_awaited = 0 WHERE id = ? AND delay_awaited = 1",
                         STORE_VALUES(bind_int(inbound_id)));
}

int store_overdue_skip_all(struct store_db *db, int64_t inbound_id)
{
    return store_execute(db, "UPDATE inbound_recipient SET is_skipped = 1 WHERE inbound_id = ?",
                         STORE_VALUES(bind_int(inbound_id))) < 0
               ? -1
               : 1;
}

/* The newest ones decide: how many there ever were must not matter. */
int store_overdue_count_reports(struct store_db *db, const char *address, int64_t since, unsigned limit,
                                int64_t *count_out)
{
    return store_fetch_int(db,
                           "SELECT count(*) FROM (SELECT outbound.received_at AS at FROM outbound_recipient"
                           " JOIN outbound ON outbound.id = outbound_recipient.outbound_id"
                           " WHERE outbound_recipient.address = ? ORDER BY outbound_recipient.id DESC LIMIT ?)"
                           " WHERE at >= ?",
                           STORE_VALUES(bind_text(address), bind_int(limit), bind_int(since)), count_out);
}

int store_overdue_refusal_told(struct store_db *db, int64_t correspondent_id, const char *sender,
                               struct store_target target, int64_t since)
{
    int64_t one;
    return store_fetch_int(db,
                           "SELECT 1 FROM inbound JOIN inbound_refusal ON inbound_refusal.inbound_id = inbound.id"
                           " WHERE inbound.correspondent_id = ? AND inbound.received_at >= ? AND inbound.sender = ?"
                           " AND inbound_refusal.member_id IS NOT DISTINCT FROM ?"
                           " AND inbound_refusal.group_id IS NOT DISTINCT FROM ? LIMIT 1",
                           STORE_VALUES(bind_int(correspondent_id), bind_int(since), bind_text(sender),
                                        bind_id(target.member_id), bind_id(target.group_id)),
                           &one);
}

int store_overdue_count_generated(struct store_db *db, int64_t correspondent_id, struct store_target target,
                                  int64_t since, int64_t *count_out)
{
    return store_fetch_int(
        db,
        "SELECT count(*) FROM inbound"
        " JOIN inbound_recipient ON inbound_recipient.inbound_id = inbound.id"
        " WHERE inbound.correspondent_id = ? AND inbound.received_at >= ? AND inbound.is_generated = 1"
        " AND inbound_recipient.member_id IS NOT DISTINCT FROM ?"
        " AND inbound_recipient.group_id IS NOT DISTINCT FROM ?",
        STORE_VALUES(bind_int(correspondent_id), bind_int(since), bind_id(target.member_id), bind_id(target.group_id)),
        count_out);
}
