/* admins.h - who the admins in the silo are
 *
 * The configuration names aliases (policy.admins). Whose they are is the silo's word: the account of the member with that
 * alias, else the one that the silo has vouched for (mapping/store_identity.h). What a message says about its author is
 * never asked.
 */
#pragma once
#include <stdint.h>

struct store_db;

/* The account. 1; 0: not known (yet); -1 database error. The result is the caller's. */
int admins_find_uid(struct store_db *db, const char *alias, char **uid_out) __attribute__((warn_unused_result));
/* aliases: as in the configuration, NULL-terminated; NULL: nobody. 1 the account is one of theirs, 0, -1. */
int admins_include(struct store_db *db, char *const *aliases, const char *uid) __attribute__((warn_unused_result));
