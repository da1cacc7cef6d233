/* store_history.h - what went through in each ten minutes, kept for charts
 *
 * A row for each ten minutes in which the daemon ran. It says nothing of anybody; it may be lost without harm.
 */
#pragma once
#include "mapping/store.h"
#include <stdint.h>

enum { STORE_HISTORY_SLOT_MS = 10 * 60 * 1000 };

enum store_history_count {
    STORE_HISTORY_ACCEPTED, /* mail, as these five */
    STORE_HISTORY_HELD,
    STORE_HISTORY_REPEATED,
    STORE_HISTORY_REJECTED,
    STORE_HISTORY_DEFERRED,
    STORE_HISTORY_POSTED,
    STORE_HISTORY_MESSAGES,  /* of members, taken from the silo */
    STORE_HISTORY_DELIVERED, /* recipients outside, as the rest */
    STORE_HISTORY_RETRIED,
    STORE_HISTORY_FAILED,
    STORE_HISTORY_COUNT,
};

struct store_history {
    int64_t at; /* when it began: a multiple of STORE_HISTORY_SLOT_MS */
    int64_t counts[STORE_HISTORY_COUNT];
    int64_t queue_in, queue_out; /* entries that waited when it ended, or was written last */
    /* How long it took, as "250:7 500:1 over:2": so many up to that many milliseconds, and above what stands before it. */
    const char *posted_within, *delivered_within;
};
/* Writer only: the row of that time, anew. 1 or -1. */
int store_history_set(struct store_db *db, const struct store_history *row) __attribute__((warn_unused_result));
typedef void store_history_each(const struct store_history *row, void *ctx);
/* From this time on, until before that one, the oldest first. */
int store_history_list(struct store_db *db, int64_t from, int64_t before, store_history_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* Writer only. 1 also for nothing. */
int store_history_expire(struct store_db *db, int64_t before) __attribute__((warn_unused_result));
