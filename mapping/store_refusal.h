/* store_refusal.h - mail that was refused before there was an entry for it: for `posternctl why`
 *
 * What has an entry in a queue has its trace (store_trace.h). What was turned away has only this: one row per refusal, no
 * content. Whoever is refused is a stranger, so the rows are bounded: as many as STORE_REFUSALS_MAX and no older than
 * store_refusal_kept_ms; and so many of one owner at most, so that nobody can push out what is known of others. What is
 * refused again and again is one row that counts (STORE_REFUSAL_ALIKE_MAX of a pair, then the newest of them counts on and
 * is about the newest session). What goes is not missed: the log has it as well.
 */
#pragma once
#include "mapping/store.h"

enum {
    STORE_REFUSALS_MAX = 50000,
    STORE_REFUSALS_OF_OWNER_MAX = 500,
    STORE_REFUSAL_ALIKE_MAX = 8,
    STORE_REFUSAL_TEXT_MAX = 1000, /* octets of each text; longer ones are cut between characters */
};
extern const int64_t store_refusal_kept_ms; /* 30 days */

/* What is not known is "" or 0 (when it is given also NULL). */
struct store_refusal {
    int64_t id;
    int64_t first_at, at; /* of the first and of the newest one that it counts */
    int64_t count;
    /* Where: "connection", "command", "recipient", "content", "message" (its data had ended), "postfix" (asked by its
     * policy service) */
    const char *place;
    const char *session, *transaction; /* ids, as in the log and in Received */
    const char *client;                /* who is behind the connection, as believed */
    const char *via;                   /* listener, protocol, name in EHLO, what a server in front has said */
    const char *sender;                /* of the envelope; "<>" for the null path */
    const char *author;                /* of the header */
    const char *recipient;             /* of several: the first, and how many more */
    const char *message_id;            /* without brackets */
    int64_t size;
    int64_t code;
    const char *reply;  /* that it got, with its enhanced code */
    const char *reason; /* why, with the facts that decided */
    const char *proof;  /* what was found out about who wrote it */
    int64_t inbound_id; /* the entry as which it was taken for others */
};

/* One that has just happened. owner: whose share it counts in; at: when. Writer only; 1 or -1. */
int store_refusal_add(struct store_db *db, const char *owner, const struct store_refusal *refusal)
    __attribute__((warn_unused_result));
/* After some were added, and now and then: what is too old goes, and the oldest of those that are too many; 1,000 at a
 * time. Writer only; 1 or -1. */
int store_refusal_tidy(struct store_db *db, int64_t now) __attribute__((warn_unused_result));

typedef void store_refusal_each(const struct store_refusal *refusal, void *ctx);
/* At most `limit`, the newest ones, in the order of their beginning. 1 or -1. */
int store_refusal_list_of_session(struct store_db *db, const char *session, int64_t limit, store_refusal_each *each,
                                  void *ctx) __attribute__((warn_unused_result));
int store_refusal_list_of_message(struct store_db *db, const char *message_id, int64_t limit, store_refusal_each *each,
                                  void *ctx) __attribute__((warn_unused_result));
/* Whose author, or sender if no author is known, is this address. */
int store_refusal_list_from(struct store_db *db, const char *address, int64_t limit, store_refusal_each *each,
                            void *ctx) __attribute__((warn_unused_result));
int store_refusal_count(struct store_db *db, int64_t *count_out) __attribute__((warn_unused_result));
