/* store_recipients.h - a file that says who can be written to, for Postfix's sqlite_table(5)
 *
 * postern.db holds mail and the silo account's password, so nobody but the daemon may read it. What Postfix needs of it,
 * addresses and nothing else, is published as a database of its own that everybody may read (mode 0644), with one
 * view, which stays as it is:
 *
 *   postfix_recipient (address TEXT, expires_at INTEGER)   one row for each address that RCPT would accept now from
 *                                                          somebody; expires_at in milliseconds since 1970, NULL: never
 *
 * and always one for "bounces@domain", which stands for the return addresses "bounces+...@domain" (gateway/signed_id.h).
 *
 * Postfix keeps the file open, for as long as a process of its lives. So a new file under the old name would not be seen;
 * what has changed is changed in the file, by one transaction: whoever reads sees all of it or nothing. It writes only
 * the rows that differ, and does not wait for the disk while it holds the lock (a reader that meets the lock fails): what
 * a crash of the system makes of the file does not matter, since it is compared with the database at each start, and
 * made anew, with the right name only when it is complete, if it is damaged, missing or of another form.
 */
#pragma once
#include "mapping/store.h"

enum { STORE_RECIPIENTS_VERSION = 1 }; /* user_version of the published file */

/* A number that grows when members, groups, mappings or addresses change. 1 or -1. */
int store_recipients_get_change(struct store_db *db, int64_t *change_out) __attribute__((warn_unused_result));

struct store_recipients_result {
    int64_t change; /* as of what was published */
    int64_t count;  /* addresses in the file, expired ones too */
    bool made_anew;
    char *error; /* when it failed: what to tell an administrator; the caller frees it */
};
/* Brings the file `path` up to date with `database` (postern.db), whose addresses are at `domain`. Any thread but the
 * loop's: it waits for the disk, and opens connections of its own. 1; -1: the file is as it was, *result_out says why. */
int store_recipients_publish(const char *database, const char *domain, const char *path,
                             struct store_recipients_result *result_out) __attribute__((warn_unused_result));
