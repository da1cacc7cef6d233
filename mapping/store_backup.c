/* store_backup.c - writing a backup; see store_backup.h */
#include "mapping/store_backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/xmalloc.h"
#include "mapping/store_audit.h"
#include "mapping/store_internal.h"
#include "mapping/store_part_internal.h"

enum {
    SNAPSHOTS_MAX = 20, /* tries to open every file of one state before it is erased */
    PAGES = 256,        /* copied in one step */
    DESCRIPTORS_OWN = 64,
};

/* A file of large content, held open: it stays readable when its name goes. */
struct pinned {
    char name[STORE_FILE_NAME_SIZE];
    int64_t size;
    int fd; /* -1: there is none */
};

struct backup {
    const char *path;
    int64_t now;
    const struct store_backup_watch *watch;
    struct store_backup_about *about;
    char **error_out;
    struct store_db db; /* reads the source */
    bool is_open;
    struct pinned *files;
    size_t count;
    int fd;
    int64_t at; /* where the next member goes */
    int64_t done, total;
    struct strbuf sums;
};

int store_backup_fail(char **error_out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = strbuf_vtext(STORE_BACKUP_ERROR_MAX, fmt, args); /* the error before may be in it */
    va_end(args);
    free(*error_out);
    *error_out = text;
    return -1;
}

int store_backup_read_at(int fd, void *out, size_t len, int64_t offset)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(fd, (char *)out + done, len - done, (off_t)offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 1;
}

int store_backup_write_at(int fd, const void *data, size_t len, int64_t offset)
{
    for (size_t done = 0; done < len;) {
        ssize_t written = pwrite(fd, (const char *)data + done, len - done, (off_t)offset + (off_t)done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        done += (size_t)written;
    }
    return 1;
}

void store_backup_content_path(const char *path, struct strbuf *out)
{
    const char *slash = strrchr(path, '/');
    strbuf_init(out, STORE_BACKUP_PATH_MAX);
    strbuf_add(out, path, slash ? (size_t)(slash - path) + 1 : 0);
    strbuf_add_str(out, "content");
}

static int fail_writing(struct backup *backup)
{
    return store_backup_fail(backup->error_out, "the backup can't be written: %s", strerror(errno));
}

static int fail_database(struct backup *backup)
{
    return store_backup_fail(backup->error_out, "%s can't be read: %s", backup->path,
                             sqlite3_errmsg(backup->db.handle));
}

/* The source. */

/* It can be written to, since readers of a database with a log have to say in the file beside it that they read; nothing
 * else is, not even the log into the file when we are the last. */
static int open_source(struct backup *backup)
{
    int64_t version = 0, application = 0;
    if (faccessat(AT_FDCWD, backup->path, R_OK | W_OK, AT_EACCESS) < 0)
        return store_backup_fail(backup->error_out, "%s: %s%s", backup->path, strerror(errno),
                                 errno == EACCES ? "; run this as root, or as the user of posternd" : "");
    backup->is_open = true;
    if (store_db_open(&backup->db, backup->path, true) < 0)
        return fail_database(backup);
    sqlite3_db_config(backup->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_exec(backup->db.handle, "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF", NULL, NULL, NULL) !=
            SQLITE_OK ||
        store_fetch_int(&backup->db, "PRAGMA user_version", NULL, &version) != 1 ||
        store_fetch_int(&backup->db, "PRAGMA application_id", NULL, &application) != 1)
        return fail_database(backup);
    if (application != STORE_APPLICATION_ID || version < 1)
        return store_backup_fail(backup->error_out, "%s is no database of Postern", backup->path);
    if (version > STORE_SCHEMA_VERSION)
        return store_fail_newer(backup->path, version, backup->error_out);
    backup->about->schema = version;
    return 1;
}

static void close_all(struct pinned *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (files[i].fd >= 0)
            close(files[i].fd);
    free(files);
}

/* As many descriptors as there may be at most. */
static int allow_descriptors(struct backup *backup, int64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1; /* then opening says it */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max == RLIM_INFINITY || (uint64_t)wanted + DESCRIPTORS_OWN <= (uint64_t)limit.rlim_max)
        return 1;
    return store_backup_fail(backup->error_out,
                             "there are %" PRId64 " files of content, and only %" PRIu64
                             " can be open at once; raise the hard limit of open files (ulimit -Hn)",
                             wanted, (uint64_t)limit.rlim_max);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct pinned *)a)->name, ((const struct pinned *)b)->name);
}

/* The descriptor of the state before, or a new one. 1; 0 there is no such file; -1. */
static int pin(struct backup *backup, const char *directory, struct pinned *before, size_t before_count,
               struct pinned *file)
{
    struct pinned *held = before_count ? bsearch(file, before, before_count, sizeof *before, compare_names) : NULL;
    file->fd = -1;
    if (held) { /* a name is never given twice */
        file->fd = held->fd;
        held->fd = -1;
        return 1;
    }
    int opened = store_file_open(directory, file->name, file->size, &file->fd);
    return opened >= 0 ? opened
                       : store_backup_fail(backup->error_out, "%s/%s can't be read: %s", directory, file->name,
                                           strerror(errno));
}

/* Opens every file that the database names in the transaction that is under way. Those of the state before are open already, so
 * that this one is sooner through with the few that came since. missing: the names of those that are not there are added. */
static int pin_all(struct backup *backup, const char *directory, struct strbuf *missing)
{
    struct pinned *before = backup->files;
    size_t before_count = backup->count;
    struct store_query query;
    int64_t count = 0;
    int result;
    if (store_fetch_int(&backup->db, "SELECT count(*) FROM content WHERE file IS NOT NULL", NULL, &count) != 1)
        return fail_database(backup);
    if (allow_descriptors(backup, count) < 0)
        return -1;
    backup->files = xcalloc((size_t)count + 1, sizeof *backup->files);
    backup->count = 0;
    backup->about->content_size = backup->about->content_files = backup->about->missing_files = 0;
    store_query_begin(&query, &backup->db, "SELECT file, size FROM content WHERE file IS NOT NULL ORDER BY file", NULL);
    while ((result = store_query_next(&query)) == 1 && backup->count < (size_t)count) {
        struct pinned *file = &backup->files[backup->count];
        const char *name = store_query_text(&query, 0);
        if (!store_file_is_name(name)) { /* whatever got into the database must not lead anywhere else */
            backup->about->missing_files++;
            continue;
        }
        memcpy(file->name, name, sizeof file->name);
        file->size = store_query_int(&query, 1);
        result = pin(backup, directory, before, before_count, file);
        if (result < 0)
            break;
        if (result == 0) {
            backup->about->missing_files++;
            strbuf_add_str(missing, name);
            continue;
        }
        backup->about->content_size += file->size;
        backup->about->content_files++;
        backup->count++;
    }
    store_query_end(&query);
    close_all(before, before_count);
    return result >= 0 ? 1 : *backup->error_out ? -1 : fail_database(backup);
}

/* Begins to read, and opens the files of what is read. One that is not there was erased since a moment ago: then the next moment
 * is tried. What is missing in one state after the other is not being erased, but gone: the backup has to do without. */
static int take_snapshot(struct backup *backup)
{
    struct strbuf directory, missing, missing_before;
    int result = -1;
    store_backup_content_path(backup->path, &directory);
    strbuf_init(&missing, STORE_BACKUP_SUMS_MAX);
    strbuf_init(&missing_before, STORE_BACKUP_SUMS_MAX);
    for (unsigned i = 0; i < SNAPSHOTS_MAX; i++) {
        strbuf_clear(&missing);
        if (store_execute(&backup->db, "BEGIN", NULL) < 0)
            result = fail_database(backup);
        else
            result = pin_all(backup, directory.data, &missing);
        if (result < 0 || missing.len == 0 || strcmp(missing.data, missing_before.data) == 0)
            break;
        strbuf_clear(&missing_before);
        strbuf_add(&missing_before, missing.data, missing.len);
        result =
            store_execute(&backup->db, "ROLLBACK", NULL) < 0
                ? fail_database(backup)
                : store_backup_fail(backup->error_out, "content is erased faster than it can be opened; try again");
    }
    if (result == 1) {
        free(*backup->error_out);
        *backup->error_out = NULL;
    }
    strbuf_free(&directory);
    strbuf_free(&missing);
    strbuf_free(&missing_before);
    return result;
}

static int read_facts(struct backup *backup)
{
    int64_t pages, size, id;
    char hash[DIGEST_HEX_SIZE];
    if (store_fetch_int(&backup->db, "PRAGMA page_count", NULL, &pages) != 1 ||
        store_fetch_int(&backup->db, "PRAGMA page_size", NULL, &size) != 1)
        return fail_database(backup);
    int head = store_audit_head(&backup->db, &id, hash);
    if (head < 0)
        return fail_database(backup);
    struct strbuf text;
    strbuf_init(&text, sizeof backup->about->audit_head - 1);
    if (head == 1)
        strbuf_add_fmt(&text, "%" PRId64 ":%s", id, hash);
    memcpy(backup->about->audit_head, text.data, text.len + 1);
    strbuf_free(&text);
    strbuf_init(&text, sizeof backup->about->version - 1);
    strbuf_add_str(&text, POSTERN_VERSION);
    memcpy(backup->about->version, text.data, text.len + 1);
    strbuf_free(&text);
    backup->about->created_at = backup->now;
    backup->about->database_size = pages * size;
    backup->total = backup->about->database_size + backup->about->content_size;
    return 1;
}

/* The archive. */

static void add_sum(struct backup *backup, const char *name, struct digest **digest)
{
    uint8_t result[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    digest_finish(digest, result);
    digest_to_hex(result, hex);
    strbuf_add_fmt(&backup->sums, "%s  %s\n", hex, name);
}

/* Writes the head of a member whose data, of that size, is written already or will be; goes on behind it. */
static int add_head(struct backup *backup, const char *name, int64_t size)
{
    struct store_archive_member member = { .size = size };
    uint8_t block[STORE_ARCHIVE_BLOCK];
    struct strbuf full;
    strbuf_init(&full, STORE_ARCHIVE_NAME_MAX);
    strbuf_add_fmt(&full, STORE_BACKUP_FOLDER "%s", name);
    memcpy(member.name, full.data, full.len + 1);
    strbuf_free(&full);
    store_archive_compose(&member, backup->now / 1000, block);
    if (store_backup_write_at(backup->fd, block, sizeof block, backup->at) < 0)
        return fail_writing(backup);
    backup->at += STORE_ARCHIVE_BLOCK + store_archive_padded(size);
    if (ftruncate(backup->fd, (off_t)backup->at) < 0) /* what fills up the last block */
        return fail_writing(backup);
    return 1;
}

static int add_text(struct backup *backup, const char *name, const struct strbuf *text, bool is_summed)
{
    struct digest *digest = digest_new();
    int64_t start = backup->at + STORE_ARCHIVE_BLOCK;
    digest_add(digest, text->data, text->len);
    if (is_summed)
        add_sum(backup, name, &digest);
    digest_free(&digest);
    if (add_head(backup, name, (int64_t)text->len) < 0)
        return -1;
    return store_backup_write_at(backup->fd, text->data, text->len, start) == 1 ? 1 : fail_writing(backup);
}

static int add_about(struct backup *backup)
{
    struct strbuf text;
    strbuf_init(&text, STORE_BACKUP_ABOUT_MAX);
    store_backup_about_write(backup->about, &text);
    int result = add_text(backup, STORE_BACKUP_ABOUT, &text, true);
    strbuf_free(&text);
    return result;
}

/* Every page of the transaction that is under way. */
static int copy_pages(struct backup *backup, sqlite3 *target)
{
    sqlite3_backup *copy = sqlite3_backup_init(target, "main", backup->db.handle, "main");
    int code = SQLITE_OK;
    if (!copy)
        return store_backup_fail(backup->error_out, "the database can't be copied: %s", sqlite3_errmsg(target));
    while (code == SQLITE_OK) {
        code = sqlite3_backup_step(copy, PAGES);
        int64_t pages = sqlite3_backup_pagecount(copy), left = sqlite3_backup_remaining(copy);
        if (pages > 0)
            backup->done = backup->about->database_size / pages * (pages - left);
        store_backup_show(backup->watch, "copying", backup->done, backup->total);
    }
    int finished = sqlite3_backup_finish(copy);
    if (code == SQLITE_DONE && finished == SQLITE_OK)
        return 1;
    if ((finished & 0xff) == SQLITE_FULL) {
        errno = ENOSPC;
        return fail_writing(backup);
    }
    return store_backup_fail(backup->error_out, "the database can't be copied: %s", sqlite3_errstr(finished));
}

static int sum_database(struct backup *backup, int64_t start, int64_t size)
{
    struct digest *digest = digest_new();
    char *piece = xmalloc(STORE_BACKUP_PIECE);
    int result = 1;
    for (int64_t done = 0; done < size && result == 1; done += STORE_BACKUP_PIECE) {
        size_t len = size - done < STORE_BACKUP_PIECE ? (size_t)(size - done) : STORE_BACKUP_PIECE;
        if (store_backup_read_at(backup->fd, piece, len, start + done) == 1)
            digest_add(digest, piece, len);
        else
            result = store_backup_fail(backup->error_out, "the backup can't be read again: %s", strerror(errno));
    }
    if (result == 1)
        add_sum(backup, STORE_BACKUP_DATABASE, &digest);
    digest_free(&digest);
    free(piece);
    return result;
}

/* Ends the transaction: what the daemon writes can go into the database again. */
static int add_database(struct backup *backup)
{
    sqlite3 *target = NULL;
    int64_t start = backup->at + STORE_ARCHIVE_BLOCK;
    struct store_part *part = store_part_new(backup->fd, start, -1);
    int result = store_part_open(part, &target) == SQLITE_OK
                     ? copy_pages(backup, target)
                     : store_backup_fail(backup->error_out, "the backup can't be written: %s", sqlite3_errmsg(target));
    if (sqlite3_close(target) != SQLITE_OK && result == 1)
        result = fail_writing(backup);
    int64_t size = store_part_size(part);
    store_part_free(&part);
    store_db_close(&backup->db);
    backup->is_open = false;
    if (result == 1 && size != backup->about->database_size)
        result = store_backup_fail(backup->error_out, "the database was not copied whole");
    if (result == 1)
        result = add_head(backup, STORE_BACKUP_DATABASE, size);
    return result == 1 ? sum_database(backup, start, size) : result;
}

static int copy_content(struct backup *backup, struct pinned *file, int64_t start, struct digest *digest, char *piece)
{
    for (int64_t done = 0; done < file->size;) {
        size_t len = file->size - done < STORE_BACKUP_PIECE ? (size_t)(file->size - done) : STORE_BACKUP_PIECE;
        if (store_backup_read_at(file->fd, piece, len, done) < 0)
            return store_backup_fail(backup->error_out, "content/%s can't be read: %s", file->name, strerror(errno));
        if (store_backup_write_at(backup->fd, piece, len, start + done) < 0)
            return fail_writing(backup);
        digest_add(digest, piece, len);
        done += (int64_t)len;
        backup->done += (int64_t)len;
        store_backup_show(backup->watch, "copying", backup->done, backup->total);
    }
    return 1;
}

static int add_content(struct backup *backup)
{
    char *piece = xmalloc(STORE_BACKUP_PIECE);
    int result = 1;
    for (size_t i = 0; i < backup->count && result == 1; i++) {
        struct pinned *file = &backup->files[i];
        struct digest *digest = digest_new();
        struct strbuf name;
        int64_t start = backup->at + STORE_ARCHIVE_BLOCK;
        strbuf_init(&name, STORE_ARCHIVE_NAME_MAX);
        strbuf_add_fmt(&name, STORE_BACKUP_CONTENT "%s", file->name);
        result = add_head(backup, name.data, file->size);
        if (result == 1)
            result = copy_content(backup, file, start, digest, piece);
        if (result == 1)
            add_sum(backup, name.data, &digest);
        strbuf_free(&name);
        digest_free(&digest);
        close(file->fd);
        file->fd = -1;
    }
    free(piece);
    return result;
}

static int add_end(struct backup *backup)
{
    if (!strbuf_ok(&backup->sums))
        return store_backup_fail(backup->error_out, "there are too many files of content for one backup");
    if (add_text(backup, STORE_BACKUP_SUMS, &backup->sums, false) < 0)
        return -1;
    if (ftruncate(backup->fd, (off_t)backup->at + (off_t)(2 * STORE_ARCHIVE_BLOCK)) < 0 || fsync(backup->fd) < 0)
        return fail_writing(backup);
    posix_fadvise(backup->fd, 0, 0, POSIX_FADV_DONTNEED); /* what is verified comes from the disk */
    return 1;
}

static void backup_end(struct backup *backup)
{
    close_all(backup->files, backup->count);
    if (backup->is_open)
        store_db_close(&backup->db);
    strbuf_free(&backup->sums);
    free(backup);
}

int store_backup_write(const char *path, int fd, int64_t now, const struct store_backup_watch *watch,
                       struct store_backup_about *about_out, char **error_out)
{
    struct backup *backup = xcalloc(1, sizeof *backup);
    *error_out = NULL;
    *about_out = (struct store_backup_about){ .schema = 0 };
    backup->path = path;
    backup->fd = fd;
    backup->now = now;
    backup->watch = watch;
    backup->about = about_out;
    backup->error_out = error_out;
    strbuf_init(&backup->sums, STORE_BACKUP_SUMS_MAX);
    int result = open_source(backup);
    if (result == 1)
        result = take_snapshot(backup);
    if (result == 1)
        result = read_facts(backup);
    if (result == 1)
        result = add_about(backup);
    if (result == 1)
        result = add_database(backup);
    if (result == 1)
        result = add_content(backup);
    if (result == 1)
        result = add_end(backup);
    backup_end(backup);
    return result;
}

int store_backup_measure(const char *path, int64_t *size_out, char **error_out)
{
    struct store_backup_about about = { .schema = 0 };
    struct backup *backup = xcalloc(1, sizeof *backup);
    int64_t content = 0, pages = 0, page = 0;
    *error_out = NULL;
    backup->path = path;
    backup->about = &about;
    backup->error_out = error_out;
    strbuf_init(&backup->sums, 0);
    int result = open_source(backup);
    if (result == 1 &&
        (store_fetch_int(&backup->db, "SELECT coalesce(sum(size + 2000), 0) FROM content WHERE file IS NOT NULL", NULL,
                         &content) != 1 ||
         store_fetch_int(&backup->db, "PRAGMA page_count", NULL, &pages) != 1 ||
         store_fetch_int(&backup->db, "PRAGMA page_size", NULL, &page) != 1))
        result = fail_database(backup);
    *size_out = content + pages * page + 16 * STORE_ARCHIVE_BLOCK;
    backup_end(backup);
    return result;
}
