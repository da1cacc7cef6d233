/* departure.h - members who have left the silo, and aliases that are somebody else's: what follows for mappings
 *
 * A silo tells nobody that an account or an alias is gone, or is another's now. It shows: it refuses what is sent there, or
 * vouches for somebody else. Then the gateway does not know any more whom it would let in, or to whom. So by rule (channel
 * "gateway" in the audit log) the mappings concerned are suspended, with the reason, and the admins are told (store_admin.h).
 * Mail that was taken waits, as for any suspended mapping; a person resumes or revokes.
 *
 *   a member's account is unknown to the silo       their mappings; the account is forgotten, and the member asked anew
 *   a member's alias is                             the member goes on under another alias that the silo has vouched for;
 *                                                   if there is none: as above
 *   a member's alias is another account's           their mappings
 *   a correspondent's alias is another account's    the correspondent's mappings
 *   every form of a correspondent's alias is taken  likewise
 *
 * That is for few; of many members only the accounts are forgotten: DEPARTURES_A_DAY.
 *
 * Mappings of patterns and for all members are left alone: they are about others, too.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parts;
struct store_db;

/* Does a refusal of the silo say that there is no such account, or alias? By the words of the reference server (mnm 0.2.0) and
 * of the embedded silo. */
bool departure_is_unknown(const char *refusal, const char *name);
/* Likewise: that the alias is somebody's already? A silo that is in trouble refuses for other reasons. */
bool departure_is_taken(const char *refusal, const char *alias);

/* When more members than these are lost within a day it is the silo that has lost them (a backup was restored, say), and not they
 * who have left. Then their accounts are forgotten, but no mapping is suspended: whoever answers again is back. */
enum { DEPARTURES_A_DAY = 5 };

/* These are for inside store operations (store.h). Idempotent: what is suspended is not told again. 1; 0: it concerns
 * nobody here; -1 database error. */
int departure_note_account(struct store_db *db, const char *uid, int64_t now) __attribute__((warn_unused_result));
int departure_note_alias(struct store_db *db, const char *alias, int64_t now) __attribute__((warn_unused_result));
/* The silo vouches that the alias is this account's. 0 also when it agrees with what is known. */
int departure_note_owner(struct store_db *db, const char *alias, const char *uid, int64_t now)
    __attribute__((warn_unused_result));
int departure_note_no_alias(struct store_db *db, int64_t correspondent_id, int64_t now)
    __attribute__((warn_unused_result));

/* Loop only: a post to these accounts was refused; those of them that the refusal names as unknown are noted. */
void departure_on_refused_post(const struct parts *parts, const char *refusal, const char *const *uids, size_t count);
/* Loop only: a ping to a member's alias was refused. */
void departure_on_refused_ping(const struct parts *parts, const char *refusal, const char *alias);
