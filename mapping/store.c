/* store.c - opening and closing the database: who may, which version, how it is kept; see store.h */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/systemd.h"
#include "base/xmalloc.h"
#include "mapping/store_checkpointer.h"
#include "mapping/store_internal.h"

enum {
    PATH_TEXT_MAX = 4096,
    ERROR_TEXT_MAX = 8192,
    FILE_HEADER_SIZE = 100, /* https://www.sqlite.org/fileformat2.html section 1.3 */
    USER_VERSION_OFFSET = 60,
    APPLICATION_ID_OFFSET = 68,
    MIGRATION_TOLD_S = 5,
    MIGRATION_STEPS = 1000000, /* of the library's machine: some tenths of a second */
    PIECE_SIZE = 256 * 1024,
};
static const char file_magic[16] = "SQLite format 3";

struct store {
    int lock_fd;
    struct store_db writer; /* the committer's from when it is started */
    struct store_db reader;
    struct store_committer *committer;
    struct store_checkpointer *checkpointer;
    char *content_directory;
};

static int fail(char **error_out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(char **error_out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    *error_out = strbuf_vtext(ERROR_TEXT_MAX, fmt, args);
    va_end(args);
    return -1;
}

/* Likewise, for what no later try can mend. */
static int never(char **error_out, const char *path, const char *what)
{
    *error_out = strbuf_text(ERROR_TEXT_MAX, "%s %s", path, what);
    return 0;
}

int store_fail_newer(const char *what, int64_t version, char **error_out)
{
    return fail(error_out, "%s is from a newer version of Postern (schema %" PRId64 ", this one knows %d)", what,
                version, STORE_SCHEMA_VERSION);
}

static int64_t read_be32(const uint8_t *bytes)
{
    return (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

/* Judges the first bytes of the file before SQLite, which might write, sees it. An empty one will be made a
 * database. As store_judge(). */
static int judge_file(int fd, const char *path, char **error_out)
{
    uint8_t header[FILE_HEADER_SIZE];
    ssize_t got = pread(fd, header, sizeof header, 0);
    if (got < 0)
        return fail(error_out, "can't read %s: %s", path, strerror(errno));
    if (got == 0)
        return 1;
    if (got < FILE_HEADER_SIZE || memcmp(header, file_magic, sizeof file_magic) != 0)
        return never(error_out, path, "is not a database");
    if (read_be32(header + APPLICATION_ID_OFFSET) == 0 && read_be32(header + USER_VERSION_OFFSET) == 0)
        return 1; /* perhaps its making was cut short: judged again by SQLite's eyes */
    if (read_be32(header + APPLICATION_ID_OFFSET) != STORE_APPLICATION_ID)
        return never(error_out, path, "is a database, but not one of Postern");
    int64_t version = read_be32(header + USER_VERSION_OFFSET);
    if (version <= STORE_SCHEMA_VERSION)
        return 1;
    (void)store_fail_newer(path, version, error_out);
    return 0;
}

int store_judge(const char *path, char **error_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *error_out = NULL;
    if (fd < 0)
        return errno == ENOENT ? 1 : fail(error_out, "can't open %s: %s", path, strerror(errno));
    int result = judge_file(fd, path, error_out);
    close(fd);
    return result;
}

/* Looks at the file, or makes an empty one. SQLite gives -wal and -shm the mode of the database. */
static int prepare_file(const char *path, char **error_out)
{
    struct stat info;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(error_out, "can't open %s: %s", path, strerror(errno));
    int result = judge_file(fd, path, error_out);
    if (result == 1 && fstat(fd, &info) == 0) {
        /* A new file's name must be as durable as what will be written to it. */
        if (info.st_size == 0 && file_sync_directory_of(path) < 0)
            result = fail(error_out, "can't create %s: %s", path, strerror(errno));
        else if ((info.st_mode & 077) != 0 && fchmod(fd, 0600) < 0)
            result =
                fail(error_out, "%s may be read by others, and its mode can't be changed: %s", path, strerror(errno));
    }
    close(fd);
    return result == 1 ? 1 : -1;
}

static int set_up(struct store_db *db, const char *sql, const char *path, char **error_out)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 1;
    store_db_failed(db, sql);
    return fail(error_out, "can't set up %s: %s", path, sqlite3_errmsg(db->handle));
}

static int read_version(struct store_db *db, const char *path, int64_t *version_out, char **error_out)
{
    if (store_fetch_int(db, "PRAGMA user_version", NULL, version_out) != 1)
        return fail(error_out, "can't read %s: %s", path, sqlite3_errmsg(db->handle));
    if (*version_out < 0)
        return fail(error_out, "%s is damaged: its version is %" PRId64, path, *version_out);
    return *version_out > STORE_SCHEMA_VERSION ? store_fail_newer(path, *version_out, error_out) : 1;
}

/* What a crash left of a new database has no table yet. */
static int judge_new(struct store_db *db, const char *path, char **error_out)
{
    int64_t tables;
    if (store_fetch_int(db, "SELECT count(*) FROM sqlite_schema", NULL, &tables) != 1)
        return fail(error_out, "can't read %s: %s", path, sqlite3_errmsg(db->handle));
    return tables == 0 ? 1 : fail(error_out, "%s is a database, but not one of Postern", path);
}

/* A migration of a large database takes its time: whoever reads the log sees that it goes on. */
struct migration {
    const char *path;
    int64_t version, began_s, told_s;
};

static int64_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

static int tell_migration(void *ctx)
{
    struct migration *migration = ctx;
    int64_t now = now_s();
    if (now - migration->told_s >= MIGRATION_TOLD_S) {
        migration->told_s = now;
        systemd_notify("EXTEND_TIMEOUT_USEC=60000000"); /* or a slow disk would never come to the end of it */
        log_info("store.migrating", "path=%s to=%" PRId64 " seconds=%" PRId64, migration->path, migration->version,
                 now - migration->began_s);
    }
    return 0; /* go on */
}

static int migrate(struct store_db *db, const char *path, int64_t from, char **error_out)
{
    for (int64_t version = from; version < STORE_SCHEMA_VERSION; version++) {
        struct migration migration = { .path = path, .version = version + 1, .began_s = now_s(), .told_s = now_s() };
        sqlite3_progress_handler(db->handle, MIGRATION_STEPS, tell_migration, &migration);
        if (set_up(db, "BEGIN IMMEDIATE", path, error_out) < 0 ||
            set_up(db, store_migrations[version], path, error_out) < 0 || set_up(db, "COMMIT", path, error_out) < 0) {
            sqlite3_progress_handler(db->handle, 0, NULL, NULL);
            return -1;
        }
        sqlite3_progress_handler(db->handle, 0, NULL, NULL);
        log_info("store.migrated", "path=%s from=%" PRId64 " to=%" PRId64, path, version, version + 1);
    }
    return 1;
}

static const char durability[] = "PRAGMA synchronous = FULL;"
                                 "PRAGMA foreign_keys = ON;"
                                 "PRAGMA secure_delete = ON;"
                                 "PRAGMA temp_store = MEMORY;" /* content must not get into other files */
                                 "PRAGMA cache_size = -6144;"
                                 "PRAGMA trusted_schema = OFF;";
static const char creation[] = "PRAGMA auto_vacuum = INCREMENTAL;" /* before the first table */
                               "PRAGMA application_id = 0x506f7374;";
/* After a checkpoint the log is used again from its start; more than this of its end is cut off then. */
static const char logging[] = "PRAGMA journal_mode = WAL;"
                              "PRAGMA journal_size_limit = 16777216;";
static const char reading[] = "PRAGMA query_only = ON;"
                              "PRAGMA cache_size = -3072;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA trusted_schema = OFF;";

static int write_again(int fd)
{
    uint8_t *piece = xmalloc(PIECE_SIZE);
    int64_t offset = 0;
    ssize_t got;
    while ((got = pread(fd, piece, PIECE_SIZE, (off_t)offset)) > 0) {
        if (pwrite(fd, piece, (size_t)got, (off_t)offset) != got)
            break;
        offset += got;
    }
    free(piece);
    return got == 0 && fsync(fd) == 0 ? 1 : -1;
}

/* The log that a crash has left may be whole in memory only: when a sync has failed the system takes the pages that did not get to the
 * disk for clean, so that another one says that all is well. What is committed after them would be lost with them, since the
 * log is read up to the first gap. So all of it is written once more. Nobody else can write meanwhile. */
static int renew_log(struct store_db *db, const char *path, char **error_out)
{
    const char *log = sqlite3_filename_wal(sqlite3_db_filename(db->handle, "main"));
    if (set_up(db, "BEGIN IMMEDIATE", path, error_out) < 0)
        return -1;
    int fd = open(log, O_RDWR | O_CLOEXEC);
    int result = fd < 0 && errno == ENOENT ? 1 : fd < 0 ? -1 : write_again(fd);
    if (result < 0)
        (void)fail(error_out, "can't write %s: %s", log, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (result == 1)
        return set_up(db, "ROLLBACK", path, error_out);
    return -1;
}

/* The file's first bytes may be older than the log that a crash left: so the version is judged again, by SQLite's
 * eyes, and until it has passed closing must not write the log into the file. */
static int open_writer(struct store_db *db, const char *path, char **error_out)
{
    int64_t version;
    if (store_db_open(db, path, true) < 0)
        return fail(error_out, "can't open %s: %s", path, sqlite3_errmsg(db->handle));
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (read_version(db, path, &version, error_out) < 0 || (version == 0 && judge_new(db, path, error_out) < 0) ||
        set_up(db, durability, path, error_out) < 0 || (version == 0 && set_up(db, creation, path, error_out) < 0) ||
        migrate(db, path, version, error_out) < 0 || set_up(db, logging, path, error_out) < 0)
        return -1;
    if (renew_log(db, path, error_out) < 0)
        return -1;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return 1;
}

static int open_reader(struct store_db *db, const char *path, char **error_out)
{
    if (store_db_open(db, path, false) < 0)
        return fail(error_out, "can't open %s: %s", path, sqlite3_errmsg(db->handle));
    return set_up(db, reading, path, error_out);
}

/* "content" beside the database. */
static int open_content(struct store *store, const char *path, char **error_out)
{
    struct strbuf directory;
    const char *slash = strrchr(path, '/');
    strbuf_init(&directory, PATH_TEXT_MAX);
    strbuf_add(&directory, path, slash ? (size_t)(slash - path) + 1 : 0);
    strbuf_add_str(&directory, "content");
    store->content_directory = strbuf_detach(&directory);
    store->writer.content_directory = store->reader.content_directory = store->content_directory;
    if (store_file_make_directory(store->content_directory) < 0)
        return fail(error_out, "can't use %s: %s", store->content_directory, strerror(errno));
    if (store_content_begin(&store->writer) != 1 || store_content_sweep(&store->writer) < 0)
        return fail(error_out, "can't tidy up %s", store->content_directory);
    return 1;
}

static int make_secret(struct store *store, const char *path, char **error_out)
{
    return store_secret_make(&store->writer) == 1 ? 1 : fail(error_out, "can't write a secret into %s", path);
}

static int start_checkpointer(struct store *store, const char *path, char **error_out)
{
    store->checkpointer = store_checkpointer_new(&store->writer);
    return store->checkpointer ? 1 : fail(error_out, "can't open %s a third time", path);
}

static void release(struct store *store)
{
    free(store->writer.changes.list);
    free(store->writer.doubted.list);
    store_checkpointer_free(&store->checkpointer);
    store_db_close(&store->reader);
    store_db_close(&store->writer);
    free(store->content_directory);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store);
}

struct store *store_open(struct loop *loop, const char *path, char **error_out)
{
    struct store *store = xcalloc(1, sizeof *store);
    /* Nobody asks the library how much memory it uses, and counting takes a lock that loop and committer share. Refused,
     * without harm, once the library is in use. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    store->lock_fd = -1;
    *error_out = NULL;
    if (store_lock_take(path, &store->lock_fd, error_out) < 0 || prepare_file(path, error_out) < 0 ||
        open_writer(&store->writer, path, error_out) < 0 || make_secret(store, path, error_out) < 0 ||
        open_reader(&store->reader, path, error_out) < 0 || open_content(store, path, error_out) < 0 ||
        start_checkpointer(store, path, error_out) < 0) {
        release(store);
        return NULL;
    }
    store->writer.has_erased = true; /* the log that a crash left may still hold what was erased */
    store->committer = store_committer_new(loop, &store->writer, store->checkpointer);
    return store;
}

void store_close(struct store **store_in)
{
    struct store *store = *store_in;
    if (!store)
        return;
    store_committer_free(&store->committer);
    if (store_checkpointer_empty(store->checkpointer, &store->writer, true) != SQLITE_OK)
        store_db_failed(&store->writer, "checkpoint");
    release(store);
    *store_in = NULL;
}

struct store_db *store_reader(struct store *store)
{
    return &store->reader;
}

const char *store_content_directory(const struct store *store)
{
    return store->content_directory;
}

void store_submit(struct store *store, store_operation *operation, store_done *done, void *arg)
{
    store_committer_submit(store->committer, operation, done, arg, false, false);
}

void store_submit_repeatable(struct store *store, store_operation *operation, store_done *done, void *arg)
{
    store_committer_submit(store->committer, operation, done, arg, true, false);
}

void store_submit_patient(struct store *store, store_operation *operation, store_done *done, void *arg)
{
    store_committer_submit(store->committer, operation, done, arg, true, true);
}

unsigned store_pending(const struct store *store)
{
    return store_committer_pending(store->committer);
}

int64_t store_stalled_ms(const struct store *store)
{
    return store_committer_stalled_ms(store->committer);
}

int store_ping(struct store_db *db)
{
    int64_t version;
    return store_fetch_int(db, "SELECT count(*) FROM account", NULL, &version) < 0 ? -1 : 1;
}

void store_get_size(const struct store *store, int64_t *database_out, int64_t *log_out)
{
    struct stat info;
    *database_out = stat(sqlite3_filename_database(sqlite3_db_filename(store->reader.handle, NULL)), &info) == 0
                        ? info.st_size
                        : -1;
    *log_out =
        stat(sqlite3_filename_wal(sqlite3_db_filename(store->reader.handle, NULL)), &info) == 0 ? info.st_size : -1;
}

void store_get_statistics(const struct store *store, struct store_statistics *out)
{
    store_committer_get_statistics(store->committer, out);
}
