/* route.h - which thread a mail belongs to
 *
 * A reply (In-Reply-To, References) goes to the thread of the message it answers if its author and all its
 * recipients are in that thread; otherwise it starts a new one with exactly those recipients. Decided once, inside
 * a store operation, and written down, so that a repeated attempt goes to the same place.
 */
#pragma once
#include "mapping/store_queue.h"

enum route_result {
    ROUTE_DONE,
    ROUTE_WAIT,  /* what it answers is on its way: its thread, or the thread's id, is not known yet */
    ROUTE_ERROR, /* database */
};

/* Which thread it would go to; 0: a new one. Reads only. */
enum route_result route_find(struct store_db *db, const struct store_inbound *inbound, int64_t *thread_id_out);

/* Writer only. subject: of the mail, for a new thread. own_uid: the gateway's, for the author's party entry.
 * author_alias: the correspondent's in the silo. On ROUTE_DONE the entry is ROUTED and *thread_id_out its thread. */
enum route_result route_inbound(struct store_db *db, const struct store_inbound *inbound, const char *subject,
                                const char *author_alias, const char *own_uid, int64_t now, int64_t *thread_id_out);
