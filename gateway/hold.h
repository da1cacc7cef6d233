/* hold.h - mail whose author nobody has decided about: kept sealed until somebody does
 *
 * An entry of the inbound queue that is PENDING, one for each recipient (store_held.h). What it says lies there under a key that is
 * not in the database (policy.hold_key): whoever has that file alone learns who wrote to whom, when and how much.
 *
 *   PENDING   --somebody approves (mapping_change.h), or releases this mail alone-->  released, still sealed
 *   released  --opened, by one operation, in the order of arrival-->  WAITING: the poster's, like mail that came just now
 *   PENDING   --denied, dropped, or policy.hold_for is over-->  DROPPED, with the report that its sender is entitled to
 *   released  --retry.give_up is over, and its sender can be told-->  DROPPED likewise
 *
 * It is opened when it can be posted: the silo is there, and its author has an alias. Before that it is judged once more: whoever
 * approves may have set limits. Reports about held mail don't bring it back, for they lie in the database until they are sent.
 *
 * Without its key such mail stays where it is, until it expires; nobody makes another key while some is there.
 */
#pragma once
#include "mapping/store_address.h"
#include <stdbool.h>
#include <stdint.h>

struct hold;
struct parts;
struct reporter;
struct seal_key;
struct store_actor;
struct store_db;
struct store_mapping;

struct hold_callbacks {
    void (*on_opened)(void *ctx); /* something is WAITING now */
    void (*on_chores)(void *ctx); /* the silo is to be asked for an alias, or a member is to be told */
};
/* Callbacks are a static const. */
struct hold *hold_new(const struct parts *parts, const struct hold_callbacks *callbacks, void *ctx);
void hold_free(struct hold **hold); /* after the background threads and workers */
void hold_start(struct hold *hold); /* the store is open. Reads the key, if it is there */
void hold_set_online(struct hold *hold, bool online);
void hold_poke(struct hold *hold);  /* something was released or changed */
void hold_added(struct hold *hold); /* something was held: a member may have to be told */

/* Finds the key, or makes one if nothing is held. done on the loop, not from inside: problem NULL: hold_key() has it. discard: the
 * daemon stops. */
void hold_find_key(struct hold *hold, void (*done)(const char *problem, void *ctx), void (*discard)(void *ctx),
                   void *ctx);
/* Any thread; NULL: not found yet. It stays as long as the hold. */
const struct seal_key *hold_key(const struct hold *hold);
/* By which held mail of an author counts as of one domain: their organisation's, for it costs nothing to have names below one's
 * own. Any thread; points into the address. */
const char *hold_domain(const struct hold *hold, const char *author);
/* What an administrator has to mend, for people; NULL: nothing. Caller frees. Reads the database on the loop. */
char *hold_problem(const struct hold *hold);

/* Writer only, from here on. `who`: for the story, "cli root". */

/* In the operation that changed a mapping: what is held and is about it is judged as mail that comes now would be. It is
 * released, or dropped with a report, or stays, when still nobody has decided, or not for good. */
struct hold_outcome {
    unsigned released, dropped;
    bool reported; /* reporter_poke() after the commit */
};
int hold_on_mapping(struct store_db *db, const struct hold *hold, const struct store_mapping *mapping, int64_t now,
                    struct hold_outcome *out) __attribute__((warn_unused_result));
/* Likewise of one mail, in the operation that holds it: somebody may have decided since it was judged. */
int hold_look_again(struct store_db *db, const struct hold *hold, int64_t inbound_id, int64_t now,
                    struct hold_outcome *out) __attribute__((warn_unused_result));
/* This mail alone; no mapping is opened. 0: it is not held, or released already. */
int hold_release(struct store_db *db, int64_t inbound_id, const char *who, int64_t now)
    __attribute__((warn_unused_result));
/* Ends it. 0: it is not held. */
struct hold_end {
    const char *event, *story;        /* for the trace */
    const char *status, *explanation; /* for the sender: RFC 3463, and a line */
};
int hold_drop(struct store_db *db, const struct hold *hold, int64_t inbound_id, const struct hold_end *end, int64_t now,
              bool *reported_out) __attribute__((warn_unused_result));
extern const struct hold_end hold_end_expired, hold_end_dropped; /* without their stories */

/* A member to be told of an author who has written to them for the first time. 0: there is none; the caller frees alias and
 * text. `skip`: ids for which it can't be done now. */
struct hold_contact {
    int64_t inbound_id;
    char *alias; /* of the member */
    char *text;  /* of the ping */
};
int hold_find_contact(const struct hold *hold, struct store_db *db, bool (*skip)(int64_t inbound_id, void *ctx),
                      void *ctx, struct hold_contact *out) __attribute__((warn_unused_result));
