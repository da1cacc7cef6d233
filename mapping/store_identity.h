/* store_identity.h - which alias is which silo account's
 *
 * Nobody can look a uid up; it is learned from what arrives. An alias is bound to the first uid seen. Sources differ:
 * what the silo itself vouches for (it has checked that the alias is the account's) binds; what only stands in a thread's
 * header is a claim of its author's: it is remembered until something better comes, and never decides whose mail goes
 * where. Whatever contradicts a vouched binding is refused and changes nothing.
 */
#pragma once
#include "mapping/store.h"

enum store_identity_source {
    STORE_IDENTITY_PING,         /* a ping's sender: vouched, and a word to the gateway itself */
    STORE_IDENTITY_INVITE,       /* who invites the gateway to a group: likewise */
    STORE_IDENTITY_GROUP,        /* a member's notice in a shared group: vouched */
    STORE_IDENTITY_MESSAGE,      /* the alias in a thread message's header: claimed */
    STORE_IDENTITY_PARTICIPANTS, /* a thread's cc list: claimed, by somebody else even */
};
const char *store_identity_source_name(enum store_identity_source source);
bool store_identity_is_vouched(enum store_identity_source source);

struct store_identity {
    char *alias, *uid;
    enum store_identity_source source;
    int64_t seen_at;
};

enum store_identity_verdict {
    STORE_IDENTITY_ERROR = -1,  /* database */
    STORE_IDENTITY_AGREES,      /* known as such, learned now, or vouched for now */
    STORE_IDENTITY_CONTRADICTS, /* the alias is another account's, vouched: nothing changed */
    STORE_IDENTITY_UNSURE,      /* a claim against an earlier claim: nothing changed */
};
/* Writer only. */
enum store_identity_verdict store_identity_learn(struct store_db *db, const char *alias, const char *uid,
                                                 enum store_identity_source source, int64_t now)
    __attribute__((warn_unused_result));
/* 0: never seen. */
int store_identity_find(struct store_db *db, const char *alias, struct store_identity *out)
    __attribute__((warn_unused_result));
/* The vouched alias of an account that was seen last. 0: none. The result is the caller's. */
int store_identity_find_alias(struct store_db *db, const char *uid, char **alias_out)
    __attribute__((warn_unused_result));
/* Likewise, but not this one. */
int store_identity_find_other_alias(struct store_db *db, const char *uid, const char *alias, char **alias_out)
    __attribute__((warn_unused_result));
/* As if it had never been seen. 0: it was not. */
int store_identity_forget(struct store_db *db, const char *alias) __attribute__((warn_unused_result));
void store_identity_free(struct store_identity *identity);
