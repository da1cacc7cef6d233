/* store_backup.h - the whole state in one file: written while a daemon works on it or while none does, verified, put back
 *
 * A backup is a tar archive, so that who has nothing but a rescue disk can still look into it and take it apart:
 *
 *   postern-backup/ABOUT             what it is (store_backup_about.h)
 *   postern-backup/postern.db        the database, one state of it
 *   postern-backup/content/...       each file of large content that this state names, whole
 *   postern-backup/SHA256SUMS        of all of them, as sha256sum(1) checks it; a backup that was cut short has none
 *
 * Why not a copy of the folder: files and database would be of different moments, and a mail that was passed on between them
 * would be missing or there twice. Why not VACUUM INTO: it takes a moment of its own choosing, so nobody could say which
 * files belong to it. Here one read transaction says which files there are, they are opened, and only then the
 * pages of the same transaction are copied: what the daemon erases meanwhile is still read through the open descriptors. What was erased
 * before is not in it: freed pages are zeros (secure_delete), and the log is not copied, but read through.
 *
 * The daemon is not asked and does not wait: readers hold up no writer. While the database is copied its write-ahead log grows, as
 * docs/LIMITS.md says.
 *
 * All of this blocks. Nothing of it is for the daemon. Errors are texts for people, of which the caller frees *error_out.
 */
#pragma once
#include "mapping/store_backup_about.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Told of progress, in octets; what: a word. */
struct store_backup_watch {
    void (*show)(const char *what, uint64_t done, uint64_t total, void *ctx); /* NULL: nobody */
    void *ctx;
};

/* How large a backup of the database at path and of content/ beside it would be, at most and about. 1 or -1. */
int store_backup_measure(const char *path, int64_t *size_out, char **error_out) __attribute__((warn_unused_result));
/* Writes one into fd, a new file that can be read and written, from offset 0 on, and syncs it. 1; -1 what is in fd then is of no use. */
int store_backup_write(const char *path, int fd, int64_t now, const struct store_backup_watch *watch,
                       struct store_backup_about *about_out, char **error_out) __attribute__((warn_unused_result));
/* Is it whole and right? Every octet is read: digests; the database's own check, and that it is of a schema that is known here; that it names each
 * file that is there, with its size, and no other one but those that were missing when it was made. 1 or -1. */
int store_backup_verify(int fd, const struct store_backup_watch *watch, struct store_backup_about *about_out,
                        char **error_out) __attribute__((warn_unused_result));
/* Does the file begin as a backup does? */
bool store_backup_is_one(int fd);

struct store_restore {
    const char *path; /* of the database; the directory exists */
    uid_t owner;      /* of what is put there */
    gid_t group;
    int64_t now;
    const char *actor; /* for the audit log, and what they restore */
    const char *source;
};
/* What is at path now. 1 no daemon uses it (*is_there_out: is anything there?), -1 it is in use, or can't be locked. The lock
 * is held until *lock_out is closed. */
int store_restore_lock(const char *path, int *lock_out, bool *is_there_out, char **error_out)
    __attribute__((warn_unused_result));
/* Puts a backup that was verified in the place of what is there; with the lock. What is there moves to *aside_out (caller frees; NULL: nothing
 * was there), a new directory beside it. The change is one rename(): killed at any step the old state is there, or
 * the new one. An audit row says who did it, unless the backup's schema is an older one. 1; -1 the old state is there. */
int store_restore(int fd, const struct store_restore *restore, const struct store_backup_watch *watch, char **aside_out,
                  char **error_out) __attribute__((warn_unused_result));
