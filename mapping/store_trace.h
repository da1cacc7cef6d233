/* store_trace.h - what happened to each message, for `posternctl why` (promise 4: explained)
 *
 * One row per event, never changed. The text is for people; no content, no secrets.
 */
#pragma once
#include "mapping/store.h"
#include "mapping/store_queue.h"

/* detail is cut at 2,000 bytes, between characters */
int store_trace_add(struct store_db *db, enum store_queue queue, int64_t queue_id, int64_t now, const char *event,
                    const char *fmt, ...) __attribute__((format(printf, 6, 7), warn_unused_result));
typedef void store_trace_each(int64_t at, const char *event, const char *detail, void *ctx);
/* In the order of adding. */
int store_trace_list(struct store_db *db, enum store_queue queue, int64_t queue_id, store_trace_each *each, void *ctx)
    __attribute__((warn_unused_result));
int store_trace_count(struct store_db *db, enum store_queue queue, int64_t queue_id, int64_t *count_out)
    __attribute__((warn_unused_result));
/* The first `first` and the last `last` events, each once. Costs as much as these. */
int store_trace_list_ends(struct store_db *db, enum store_queue queue, int64_t queue_id, unsigned first, unsigned last,
                          store_trace_each *each, void *ctx) __attribute__((warn_unused_result));
