/* store_admin.h - the admins in the silo: what they are to be told, and what each was told
 *
 * Admins are aliases in the configuration (policy.admins); a row of theirs is made when it is needed. What they are to be told
 * is an event about a mapping, added by the operation that makes it; gateway/silo_admins.h makes notices of them.
 */
#pragma once
#include "mapping/store.h"

enum store_admin_event_kind {
    STORE_ADMIN_REQUESTED, /* a mapping waits for a decision; told as long as it does */
    STORE_ADMIN_SUSPENDED, /* a rule, not a person, has suspended one; told as long as it is; its reason says why */
};
enum { STORE_ADMIN_EVENTS_MAX = 10000 }; /* kept; of older ones nobody is told any more */

/* Writer only. 1, or -1. A request is told once; a mapping that is suspended again is told again. */
int store_admin_event_add(struct store_db *db, enum store_admin_event_kind kind, int64_t mapping_id, int64_t now)
    __attribute__((warn_unused_result));
struct store_admin_event {
    int64_t id, mapping_id, at;
    enum store_admin_event_kind kind;
};
typedef void store_admin_event_each(const struct store_admin_event *event, void *ctx);
/* Those that still hold, with an id above this, in order of id, at most `limit`. */
int store_admin_list_events(struct store_db *db, int64_t above, int64_t limit, store_admin_event_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* The newest of all; 0: there was none. */
int store_admin_last_event(struct store_db *db, int64_t *id_out) __attribute__((warn_unused_result));

struct store_admin {
    int64_t asked_at;   /* when the gateway pinged somebody who is no member, to get to know them; 0: never */
    int64_t told_at;    /* when they got a notice last; 0: never */
    int64_t told_event; /* up to which event */
};
/* 1; all zeros of somebody without a row. */
int store_admin_get(struct store_db *db, const char *alias, struct store_admin *out)
    __attribute__((warn_unused_result));
int store_admin_set_asked(struct store_db *db, const char *alias, int64_t now) __attribute__((warn_unused_result));
int store_admin_set_told(struct store_db *db, const char *alias, int64_t event, int64_t now)
    __attribute__((warn_unused_result));

/* Requests that members have made in the silo (this one; NULL: all) and that nobody has decided about. */
int store_admin_count_requests(struct store_db *db, const char *member, int64_t *count_out)
    __attribute__((warn_unused_result));

/* How often somebody in the silo has caused something in the last 24 hours (counted from the first). 1 counted now; 0: it was
 * `most` times already. Of members and admins only: each has a row for ever. */
enum store_spoken { STORE_SPOKEN_UNCLEAR /* was told what was not understood */, STORE_SPOKEN_REQUEST };
int store_spoken_count(struct store_db *db, const char *uid, enum store_spoken what, int64_t most, int64_t now)
    __attribute__((warn_unused_result));
