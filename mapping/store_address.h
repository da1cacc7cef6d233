/* store_address.h - the local parts at the gateway's domain: whose is which
 *
 * Members and groups share one name space. A local part that was ever given stays: mail to an old address still reaches
 * whoever had it, and nobody else ever gets it.
 */
#pragma once
#include "mapping/store.h"

enum { STORE_LOCAL_PART_MAX = 64 }; /* bytes; RFC 5321 section 4.5.3.1.1 */

/* The gateway's own return addresses are this, and this with a "+" and more behind it (gateway/signed_id.h): nobody gets
 * any of them. */
#define STORE_ADDRESS_BOUNCES "bounces"

/* Whom an address, or a mapping, opens the door to. Exactly one id is set. */
struct store_target {
    int64_t member_id, group_id;
};

static inline bool store_target_equal(struct store_target a, struct store_target b)
{
    return a.member_id == b.member_id && a.group_id == b.group_id;
}

/* 0: it was never given to anybody. */
int store_address_find(struct store_db *db, const char *local_part, struct store_target *target_out)
    __attribute__((warn_unused_result));
/* Gives it. 1 also when it is theirs already; 0: it is, or was, somebody else's, or the gateway's own, or is not valid
 * (a dot-atom in lower case, RFC 5322 section 3.2.3, of at most 64 bytes); *reason_out is static text. */
int store_address_give(struct store_db *db, const char *local_part, struct store_target target, const char **reason_out)
    __attribute__((warn_unused_result));
/* 1 it could be given to this target (both ids 0: to somebody new), 0 not: *reason_out says why. Changes nothing. */
int store_address_check(struct store_db *db, const char *local_part, struct store_target target,
                        const char **reason_out) __attribute__((warn_unused_result));
/* One that is free, made from a name: "Alice Member" -> "alice.member", else "alice.member.2", ... 1 or -1. */
int store_address_derive(struct store_db *db, const char *name, const char *if_nothing_left,
                         char local_part_out[static STORE_LOCAL_PART_MAX + 1]) __attribute__((warn_unused_result));
