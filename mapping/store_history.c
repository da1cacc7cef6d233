/* store_history.c - see store_history.h */
#include "mapping/store_history.h"

#include "mapping/store_internal.h"

int store_history_set(struct store_db *db, const struct store_history *row)
{
    const int64_t *counts = row->counts;
    return store_execute(db,
                         "INSERT OR REPLACE INTO history (at, accepted, held, repeated, rejected, deferred, posted,"
                         " messages, delivered, retried, failed, queue_in, queue_out, posted_within, delivered_within)"
                         " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         STORE_VALUES(bind_int(row->at), bind_int(counts[0]), bind_int(counts[1]), bind_int(counts[2]),
                                      bind_int(counts[3]), bind_int(counts[4]), bind_int(counts[5]),
                                      bind_int(counts[6]), bind_int(counts[7]), bind_int(counts[8]),
                                      bind_int(counts[9]), bind_int(row->queue_in), bind_int(row->queue_out),
                                      bind_text(row->posted_within), bind_text(row->delivered_within))) < 0
               ? -1
               : 1;
}

int store_history_list(struct store_db *db, int64_t from, int64_t before, store_history_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT at, queue_in, queue_out, posted_within, delivered_within, accepted, held, repeated,"
                      " rejected, deferred, posted, messages, delivered, retried, failed"
                      " FROM history WHERE at >= ? AND at < ? ORDER BY at",
                      STORE_VALUES(bind_int(from), bind_int(before)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_history row = { .at = store_query_int(&query, 0),
                                     .queue_in = store_query_int(&query, 1),
                                     .queue_out = store_query_int(&query, 2),
                                     .posted_within = store_query_text(&query, 3),
                                     .delivered_within = store_query_text(&query, 4) };
        for (int i = 0; i < STORE_HISTORY_COUNT; i++)
            row.counts[i] = store_query_int(&query, 5 + i);
        each(&row, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_history_expire(struct store_db *db, int64_t before)
{
    return store_execute(db, "DELETE FROM history WHERE at < ?", STORE_VALUES(bind_int(before))) < 0 ? -1 : 1;
}
