/* store_backup_internal.h - what writing, reading and putting back a backup have in common; for mapping/store*.c only */
#pragma once
#include <stdarg.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "mapping/store_archive.h"
#include "mapping/store_backup.h"
#include "mapping/store_file.h"

#define STORE_BACKUP_FOLDER   "postern-backup/"
#define STORE_BACKUP_ABOUT    "ABOUT"
#define STORE_BACKUP_DATABASE "postern.db"
#define STORE_BACKUP_CONTENT  "content/"
#define STORE_BACKUP_SUMS     "SHA256SUMS"

enum {
    STORE_BACKUP_ERROR_MAX = 8192,
    STORE_BACKUP_PIECE = 1024 * 1024,
    STORE_BACKUP_PATH_MAX = 4096,
    STORE_BACKUP_SUMS_MAX = 256 * 1024 * 1024, /* some 2,000,000 files */
};

/* Where a member's data is. */
struct store_backup_member {
    struct store_archive_member head;
    int64_t offset;
};

/* All that is in a backup, in order: the text, the database, content, and the digests. */
struct store_backup_list {
    struct store_backup_member *members;
    size_t count;
    struct store_backup_about about;
};
/* Reads the heads of all members, not their data, and the text. 1 or -1. */
int store_backup_list_read(int fd, struct store_backup_list *list_out, char **error_out)
    __attribute__((warn_unused_result));
void store_backup_list_free(struct store_backup_list *list);

/* Sets *error_out; -1. */
int store_backup_fail(char **error_out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* All of it: 1; -1 with errno (of reading: EIO when it is shorter). */
int store_backup_read_at(int fd, void *out, size_t len, int64_t offset) __attribute__((warn_unused_result));
int store_backup_write_at(int fd, const void *data, size_t len, int64_t offset) __attribute__((warn_unused_result));
/* "content" beside the database at path. */
void store_backup_content_path(const char *path, struct strbuf *out);

static inline void store_backup_show(const struct store_backup_watch *watch, const char *what, int64_t done,
                                     int64_t total)
{
    if (watch && watch->show)
        watch->show(what, (uint64_t)done, (uint64_t)total, watch->ctx);
}
