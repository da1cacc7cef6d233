/* store_audit.h - who changed what, when and why: rows that are added and never changed
 *
 * Each act of a person, or of a rule that acts for them, is one row, added by the same store operation as the act: none is
 * without the other. The rows are a chain: each has the SHA-256 of the hash before it and of what it says, so that a row
 * that was changed, taken out or put in later shows, up to the newest; that the newest ones are missing shows when somebody
 * has kept the hash of one of them elsewhere (the chain's head).
 *
 * What is hashed: the hash of the row before, as 64 hexadecimal digits in lower case (of row 1: zeros); then id and time, then actor, channel, action,
 * object, before, after and reason. Numbers are 8 octets, big-endian; texts are their length in octets, as such a number, and
 * their octets.
 */
#pragma once
#include "base/digest.h"
#include "mapping/store.h"

enum { STORE_AUDIT_TEXT_MAX = 2000 }; /* octets of each text; longer ones are cut between characters */

/* Who acts. Borrowed by those who take one. */
struct store_actor {
    const char *channel; /* "cli", "silo", "web", "mail" (a stranger's mail), "gateway" (a rule) */
    const char
        *name; /* the user of the system, the member's alias, the account of the web page, the address; never NULL */
    const char *uid; /* in the silo, which vouches for it; NULL elsewhere */
};

struct store_audit_new {
    const struct store_actor *actor;
    const char *action;                  /* "mapping.approve": a noun and a verb */
    const char *object;                  /* "mapping 17", "member Alice Member", "in42" */
    const char *before, *after, *reason; /* what changed, as words; NULL: "" */
    int64_t now;
};
/* Writer only. 1 or -1. */
int store_audit_add(struct store_db *db, const struct store_audit_new *audit) __attribute__((warn_unused_result));

struct store_audit {
    int64_t id, at;
    const char *actor; /* with its uid behind it, in brackets */
    const char *channel, *action, *object, *before, *after, *reason;
    const char *hash; /* hexadecimal */
};
typedef void store_audit_each(const struct store_audit *audit, void *ctx);
/* At most `limit` rows from id on whose time is at least `since`, in order of id. */
int store_audit_list(struct store_db *db, int64_t since, int64_t from_id, int64_t limit, store_audit_each *each,
                     void *ctx) __attribute__((warn_unused_result));
/* At most `limit` rows before an id, the newest first; of one object, or of all (NULL). */
int store_audit_list_back(struct store_db *db, const char *object, int64_t before_id, int64_t limit,
                          store_audit_each *each, void *ctx) __attribute__((warn_unused_result));
/* Of one object, in order of id. */
int store_audit_list_about(struct store_db *db, const char *object, store_audit_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* How often there was this action, after `since` and not after `until`. 1 or -1. */
int store_audit_count(struct store_db *db, const char *action, int64_t since, int64_t until, int64_t *count_out)
    __attribute__((warn_unused_result));
/* The chain's head: the newest row's id and hash. 0: there is none (id 0, zeros). */
int store_audit_head(struct store_db *db, int64_t *id_out, char hash_out[static DIGEST_HEX_SIZE])
    __attribute__((warn_unused_result));

/* Recomputing the chain, some rows at a time. Begin with { 0 }. */
struct store_audit_check {
    int64_t id;                 /* of the last row that is right */
    char hash[DIGEST_HEX_SIZE]; /* its */
    int64_t wrong_id;           /* the first row that is not, or that is missing; 0: none so far */
};
/* Looks at `limit` more rows. 1 there may be more; 0 that was the end, or something is wrong; -1 database error. */
int store_audit_check_more(struct store_db *db, int64_t limit, struct store_audit_check *check)
    __attribute__((warn_unused_result));
