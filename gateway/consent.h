/* consent.h - a member's first word to the gateway: whose the alias is, and that they agree to get mail
 *
 * From then on whoever has a mapping is let in to them, so it is in the audit log (channel "silo").
 */
#pragma once
#include <stdint.h>

struct store_db;

/* Inside a store operation. As store_member_learn_uid(): 1 known, now or before; 0: no member's alias; -2: it, or the account,
 * is bound otherwise; -1 database error. */
int consent_note(struct store_db *db, const char *alias, const char *uid, int64_t now)
    __attribute__((warn_unused_result));
