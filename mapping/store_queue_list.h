/* store_queue_list.h - looking through queues that may be long, for administrators
 *
 * In pages, so that neither the loop nor the committer stands still for 100,000 entries. A page looks at entries of one state,
 * the oldest first; of SETTLED and DROPPED ones, of which there may be any number, the newest first.
 */
#pragma once
#include "mapping/store_queue.h"

enum { STORE_QUEUE_NAMES_MAX = 5 }; /* recipients that a summary names */

struct store_queue_search {
    enum store_queue queue;
    enum store_queue_state state;
    int64_t due_from, due_until; /* when the next attempt is due, these included */
    int64_t received_until;      /* this included */
    /* Part of an address or alias, ASCII letters in lower case; NULL: any. For to any recipient will do. */
    const char *to, *from;
};
typedef void store_queue_found(int64_t id, void *ctx);
/* Looks at the next `limit` entries; *cursor is 0 in the beginning, then where the last page ended. 1: there may be more; 0:
 * that was the last page; -1. */
int store_queue_search(struct store_db *db, const struct store_queue_search *search, unsigned limit, int64_t *cursor,
                       store_queue_found *found, void *ctx) __attribute__((warn_unused_result));

/* One entry in a few words. Strings are "" when there is nothing. */
struct store_queue_summary {
    enum store_queue queue;
    int64_t id;
    enum store_queue_state state;
    char *kind;       /* as in the tables */
    char *from;       /* inbound: author's address, or else envelope sender; outbound: author's alias */
    char *to;         /* the first STORE_QUEUE_NAMES_MAX recipients, with commas */
    char *message_id; /* without brackets */
    int64_t recipient_count, delivered_count, failed_count;
    int64_t size, received_at, next_attempt_at, attempts;
    int64_t about_id; /* the entry of the other queue that it tells something about; 0 */
    char *last_error;
};
/* 0: there is no such entry. */
int store_queue_summarise(struct store_db *db, enum store_queue queue, int64_t id, struct store_queue_summary *out)
    __attribute__((warn_unused_result));
void store_queue_summary_free(struct store_queue_summary *summary);

/* When the oldest one came that is WAITING or ROUTED. 0: there is none. */
int store_queue_oldest(struct store_db *db, enum store_queue queue, int64_t *received_at_out)
    __attribute__((warn_unused_result));

/* Writer only. Makes what waits for later due at `at`: of one state (WAITING or ROUTED), `limit` entries looked at. As
 * store_queue_search(); *changed grows by how many there were. */
int store_queue_hasten(struct store_db *db, enum store_queue queue, enum store_queue_state state, int64_t at,
                       unsigned limit, int64_t *cursor, int64_t *changed) __attribute__((warn_unused_result));
