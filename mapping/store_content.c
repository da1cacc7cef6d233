/* store_content.c - see store_content.h. Content goes in and out in pieces. */
#include "mapping/store_content.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "mapping/store_draft.h"
#include "mapping/store_internal.h"

enum {
    PIECE_SIZE = 256 * 1024,
    VALUE_MAX = 1000 * 1000 * 1000, /* in SQLite */
};

/* Where content comes from: len bytes at offset, fewer only at its end, -1 on an error. */
struct source {
    int64_t (*read)(const struct source *source, int64_t offset, void *out, size_t len);
    const struct spool *spool;
    int fd;
};

static int64_t read_spool(const struct source *source, int64_t offset, void *out, size_t len)
{
    return spool_read(source->spool, offset, out, len);
}

static int64_t read_fd(const struct source *source, int64_t offset, void *out, size_t len)
{
    ssize_t got;
    do
        got = pread(source->fd, out, len, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

static int copy_in(struct store_db *db, sqlite3_blob *blob, const struct source *source, int64_t size)
{
    uint8_t *piece = xmalloc(size < PIECE_SIZE ? (size_t)size + 1 : PIECE_SIZE);
    int result = 1;
    for (int64_t offset = 0; offset < size && result == 1;) {
        size_t wanted = size - offset < PIECE_SIZE ? (size_t)(size - offset) : PIECE_SIZE;
        int64_t got = source->read(source, offset, piece, wanted);
        if (got <= 0) {
            log_error("store.content_unreadable", "error=%s", got < 0 ? strerror(errno) : "it is too short");
            result = -1;
        } else if (sqlite3_blob_write(blob, piece, (int)got, (int)offset) != SQLITE_OK) {
            result = store_db_failed(db, "writing content");
        } else {
            offset += got;
        }
    }
    free(piece);
    return result;
}

static int add_value(struct store_db *db, const struct source *source, int64_t size, int64_t *id_out)
{
    sqlite3_blob *blob;
    assert(size >= 0);
    if (size > VALUE_MAX) {
        log_error("store.content_too_large", "size=%lld", (long long)size);
        return -1;
    }
    db->content_bytes += size;
    const void *memory = source->spool ? spool_memory(source->spool) : NULL;
    /* What is in memory is written once; else room is made for it, and filled piece by piece. RETURNING makes SQLite undo
     * the statement alone, not the whole transaction, when there is no room. */
    if (store_fetch_int(db, "INSERT INTO content (id, size, data) VALUES (?, ?, ?) RETURNING id",
                        STORE_VALUES(bind_int(++db->last_content_id), bind_int(size), bind_blob(memory, size)),
                        id_out) != 1)
        return -1;
    if (memory)
        return 1;
    if (sqlite3_blob_open(db->handle, "main", "content", "data", *id_out, 1, &blob) != SQLITE_OK)
        return store_db_failed(db, "opening content");
    int result = copy_in(db, blob, source, size);
    if (sqlite3_blob_close(blob) != SQLITE_OK && result == 1)
        result = store_db_failed(db, "closing content");
    return result;
}

int store_content_add_fd(struct store_db *db, int fd, int64_t size, int64_t *id_out)
{
    struct source source = { .read = read_fd, .fd = fd };
    return add_value(db, &source, size, id_out);
}

static void note_change(struct store_file_changes *changes, struct store_draft *draft, const char *name)
{
    struct store_file_change change = { .draft = draft };
    memcpy(change.name, name, strlen(name) + 1);
    changes->list = xreallocarray(changes->list, changes->count + 1, sizeof *changes->list);
    changes->list[changes->count++] = change;
}

static int add_file(struct store_db *db, struct store_draft *draft, int64_t *id_out)
{
    assert(!draft->is_added);
    if (!draft->name[0]) {
        log_error("store.content_file", "doing=adding path=%s error=%s", draft->directory,
                  "it has to be kept again, after a commit that failed");
        return -1;
    }
    *id_out = ++db->last_content_id;
    if (store_execute(db, "INSERT INTO content (id, size, file) VALUES (?, ?, ?)",
                      STORE_VALUES(bind_int(*id_out), bind_int(draft->size), bind_text(draft->name))) != 1)
        return -1;
    note_change(&db->changes, draft, "");
    draft->is_added = true;
    return 1;
}

int store_content_add(struct store_db *db, struct store_draft *draft, int64_t *id_out)
{
    if (store_draft_is_large(draft))
        return add_file(db, draft, id_out);
    struct source source = { .read = draft->spool ? read_spool : read_fd, .spool = draft->spool, .fd = draft->fd };
    return add_value(db, &source, draft->size, id_out);
}

void store_content_undo(struct store_db *db, size_t count)
{
    struct store_file_changes *changes = &db->changes;
    while (changes->count > count) {
        struct store_file_change *change = &changes->list[--changes->count];
        if (change->draft)
            change->draft->is_added = false;
    }
}

static void remove_files(const struct store_db *db, struct store_file_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        if (!changes->list[i].draft)
            store_file_remove(db->content_directory, changes->list[i].name);
    changes->count = 0;
}

void store_content_committed(struct store_db *db)
{
    remove_files(db, &db->changes);
    if (db->has_written)
        remove_files(db, &db->doubted);
}

void store_content_doubt(struct store_db *db)
{
    for (size_t i = 0; i < db->changes.count; i++) {
        struct store_draft *draft = db->changes.list[i].draft;
        if (!draft)
            continue;
        note_change(&db->doubted, NULL, draft->name);
        draft->name[0] = 0;
    }
    store_content_undo(db, 0);
}

int store_content_begin(struct store_db *db)
{
    return store_fetch_int(db, "SELECT coalesce(max(id), 0) FROM content", NULL, &db->last_content_id);
}

static int is_named(const char *name, void *ctx)
{
    int64_t id;
    return store_fetch_int(ctx, "SELECT id FROM content WHERE file = ?", STORE_VALUES(bind_text(name)), &id);
}

int store_content_sweep(struct store_db *db)
{
    return store_file_sweep(db->content_directory, is_named, db);
}

static int copy_out(struct store_db *db, sqlite3_blob *blob, int fd, int64_t size)
{
    uint8_t *piece = xmalloc(size < PIECE_SIZE ? (size_t)size + 1 : PIECE_SIZE);
    int result = 1;
    for (int64_t offset = 0; offset < size && result == 1; offset += PIECE_SIZE) {
        size_t len = size - offset < PIECE_SIZE ? (size_t)(size - offset) : PIECE_SIZE;
        if (sqlite3_blob_read(blob, piece, (int)len, (int)offset) != SQLITE_OK) {
            result = store_db_failed(db, "reading content");
        } else if (file_write_all(fd, piece, len) < 0) {
            log_error("store.no_memory_file", "error=%s", strerror(errno));
            result = -1;
        }
    }
    free(piece);
    return result;
}

/* In the snapshot of the caller's query, so that the content can't be erased between the look at its row and this. */
static int open_copy(struct store_db *db, int64_t id, int64_t size, int *fd_out)
{
    sqlite3_blob *blob;
    if (sqlite3_blob_open(db->handle, "main", "content", "data", id, 0, &blob) != SQLITE_OK)
        return store_db_failed(db, "opening content");
    int result = -1, fd = memfd_create("content", MFD_CLOEXEC);
    if (fd < 0)
        log_error("store.no_memory_file", "error=%s", strerror(errno));
    else
        result = copy_out(db, blob, fd, size);
    sqlite3_blob_close(blob);
    if (result == 1 && lseek(fd, 0, SEEK_SET) < 0)
        result = -1;
    if (result == 1)
        *fd_out = fd;
    else if (fd >= 0)
        close(fd);
    return result;
}

/* One that was erased meanwhile is no reason to complain. */
static void complain_if_missing(struct store_db *db, int64_t id, const char *name)
{
    int64_t found;
    if (store_fetch_int(db, "SELECT id FROM content WHERE id = ?", STORE_VALUES(bind_int(id)), &found) == 1)
        log_error("store.content_missing", "path=%s/%s error=%s", db->content_directory, name,
                  "the file is gone or cut short; what it held has to come from a backup");
}

int store_content_open(struct store_db *db, int64_t id, int *fd_out, int64_t *size_out)
{
    struct store_query query;
    char *name = NULL;
    store_query_begin(&query, db, "SELECT size, file FROM content WHERE id = ?", STORE_VALUES(bind_int(id)));
    int result = store_query_next(&query);
    if (result == 1) {
        *size_out = store_query_int(&query, 0);
        name = store_query_copy_or_null(&query, 1);
        if (!name)
            result = open_copy(db, id, *size_out, fd_out);
    }
    store_query_end(&query);
    if (name)
        result = store_file_open(db->content_directory, name, *size_out, fd_out);
    if (name && result == 0)
        complain_if_missing(db, id, name);
    free(name);
    return result;
}

int store_content_erase(struct store_db *db, int64_t id)
{
    struct store_query query;
    store_query_begin(&query, db, "DELETE FROM content WHERE id = ? RETURNING file", STORE_VALUES(bind_int(id)));
    int result = store_query_next(&query);
    char *name = result == 1 ? store_query_copy_or_null(&query, 0) : NULL;
    if (result == 1 && store_query_next(&query) < 0) /* what refers to it is checked at the end only */
        result = -1;
    store_query_end(&query);
    if (result == 1 && name && store_file_is_name(name))
        note_change(&db->changes, NULL, name);
    if (result == 1)
        db->has_erased = true;
    free(name);
    return result;
}
