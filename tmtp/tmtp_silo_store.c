/* tmtp_silo_store.c - the database: schema, statements, the gathered transaction, ids */
#include "tmtp/tmtp_silo_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_content.h"
#include "tmtp/tmtp_silo_store_internal.h"

enum {
    SCHEMA_VERSION = 1,
    PATH_LIMIT = 4096,
    BUSY_MS = 5000,        /* a backup or a curious shell may hold the file for a moment */
    IDS_AT_ONCE = 1000000, /* reserved in one write, and lost when the silo restarts */
    NANOSECONDS_PER_MS = 1000000,
};

/* auto_vacuum must come before the first table. The journal is a write-ahead log synced at every commit. */
static const char *const settings_sql = "PRAGMA auto_vacuum=INCREMENTAL;"
                                        "PRAGMA journal_mode=WAL;"
                                        "PRAGMA synchronous=FULL;"
                                        "PRAGMA secure_delete=ON;"
                                        "PRAGMA foreign_keys=ON;"
                                        "PRAGMA incremental_vacuum;";

static const char *const schema_sql =
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "INSERT INTO counter VALUES ('id_limit', 0);"
    "CREATE TABLE account (uid TEXT PRIMARY KEY) STRICT;"
    "CREATE TABLE node (id INTEGER PRIMARY KEY, uid TEXT NOT NULL REFERENCES account, salt BLOB NOT NULL,"
    " hash BLOB NOT NULL) STRICT;"
    "CREATE INDEX node_by_uid ON node (uid);"
    "CREATE TABLE alias (name TEXT PRIMARY KEY, uid TEXT NOT NULL REFERENCES account) STRICT;"
    "CREATE TABLE member (gid TEXT NOT NULL, uid TEXT NOT NULL REFERENCES account, alias TEXT NOT NULL,"
    " status INTEGER NOT NULL, PRIMARY KEY (gid, uid)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL, file_size INTEGER NOT NULL) STRICT;"
    "CREATE TABLE queue (node INTEGER NOT NULL REFERENCES node, priority INTEGER NOT NULL,"
    " id INTEGER NOT NULL REFERENCES message, PRIMARY KEY (node, priority, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX queue_by_id ON queue (id);"
    "PRAGMA user_version = 1;";

static const char *const sql[SILO_SQL_COUNT] = {
    [SILO_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SILO_SQL_COMMIT] = "COMMIT",
    [SILO_SQL_GET_ID_LIMIT] = "SELECT value FROM counter WHERE name = 'id_limit'",
    [SILO_SQL_SET_ID_LIMIT] = "UPDATE counter SET value = ? WHERE name = 'id_limit'",
    [SILO_SQL_ADD_ACCOUNT] = "INSERT INTO account (uid) VALUES (?)",
    [SILO_SQL_COUNT_NODES] = "SELECT count(*) FROM node WHERE uid = ?",
    [SILO_SQL_ADD_NODE] = "INSERT INTO node (uid, salt, hash) VALUES (?, ?, ?) RETURNING id",
    [SILO_SQL_LIST_NODES] = "SELECT id, salt, hash FROM node WHERE uid = ?",
    [SILO_SQL_FIND_ALIAS] = "SELECT uid FROM alias WHERE name = ?",
    [SILO_SQL_ADD_ALIAS] = "INSERT INTO alias (name, uid) VALUES (?, ?)",
    [SILO_SQL_COUNT_MEMBERS] = "SELECT count(*) FROM member WHERE gid = ?",
    [SILO_SQL_FIND_MEMBER] = "SELECT status, alias FROM member WHERE gid = ? AND uid = ?",
    [SILO_SQL_SET_MEMBER] = "INSERT INTO member (gid, uid, alias, status) VALUES (?, ?, ?, ?)"
                            " ON CONFLICT (gid, uid) DO UPDATE SET alias = excluded.alias, status = excluded.status",
    [SILO_SQL_GROUP_NODES] = "SELECT node.id FROM member JOIN node USING (uid)"
                             " WHERE gid = ? AND status = ? AND uid IS NOT ?",
    [SILO_SQL_ADD_MESSAGE] = "INSERT INTO message (id, bytes, file_size) VALUES (?, ?, ?)",
    [SILO_SQL_HAS_MESSAGE] = "SELECT 1 FROM message WHERE id = ?",
    [SILO_SQL_ENQUEUE] = "INSERT INTO queue (node, priority, id) VALUES (?, ?, ?)",
    [SILO_SQL_FIRST] = "SELECT queue.priority, message.id, message.bytes, message.file_size"
                       " FROM queue JOIN message USING (id) WHERE node = ? ORDER BY priority, id LIMIT 1",
    [SILO_SQL_DEQUEUE] = "DELETE FROM queue WHERE node = ? AND priority = ? AND id = ?",
    [SILO_SQL_COUNT_COPIES] = "SELECT count(*) FROM queue WHERE id = ?",
    [SILO_SQL_DELETE_MESSAGE] = "DELETE FROM message WHERE id = ? RETURNING file_size",
    [SILO_SQL_COPY_QUEUE] = "INSERT INTO queue (node, priority, id) SELECT ?, priority, id FROM queue WHERE node = ?",
};

/* --- statements --- */

static void doom(struct silo_store *store)
{
    store->doomed = true;
    log_error("silo.database_failed", "reason=%s", sqlite3_errmsg(store->db));
}

struct sqlite3_stmt *silo_store_statement(struct silo_store *store, enum silo_sql which)
{
    struct sqlite3_stmt **statement = &store->statements[which];
    if (*statement == NULL &&
        sqlite3_prepare_v3(store->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK) {
        doom(store);
        return NULL;
    }
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    return *statement;
}

int silo_store_step(struct silo_store *store, struct sqlite3_stmt *statement)
{
    if (statement == NULL)
        return -1;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        doom(store);
    /* Reset at once: an unfinished statement would keep the transaction from ending. */
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? 0 : -1;
}

int silo_store_run(struct silo_store *store, struct sqlite3_stmt *statement)
{
    return silo_store_step(store, statement) == 0 ? 1 : -1;
}

void silo_store_bind_text(struct sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* --- the transaction --- */

int silo_store_begin(struct silo_store *store, bool urgent)
{
    store->urgent = store->urgent || urgent;
    if (store->open)
        return store->doomed ? -1 : 1;
    store->open = true;
    return silo_store_run(store, silo_store_statement(store, SILO_SQL_BEGIN));
}

bool silo_store_has_changes(const struct silo_store *store)
{
    return store->open;
}

bool silo_store_has_urgent_changes(const struct silo_store *store)
{
    return store->doomed || (store->open && store->urgent);
}

int silo_store_commit(struct silo_store *store)
{
    int rc = 1;
    for (size_t i = 0; i < SILO_SQL_COUNT; i++)
        sqlite3_reset(store->statements[i]);
    if (store->open && !store->doomed)
        rc = silo_store_run(store, silo_store_statement(store, SILO_SQL_COMMIT));
    if (store->doomed) {
        rc = -1;
        store->id_limit = store->next_id; /* a reservation may have been rolled back: make it again */
        if (!sqlite3_get_autocommit(store->db))
            sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    for (size_t i = 0; rc == 1 && i < store->erased_count; i++)
        silo_content_remove(store->content_directory, store->erased[i]);
    free(store->erased);
    store->erased = NULL;
    store->erased_count = 0;
    store->open = store->urgent = store->doomed = false;
    return rc;
}

/* --- ids --- */

uint64_t silo_store_next_id(struct silo_store *store)
{
    if (store->next_id >= store->id_limit) {
        uint64_t limit = store->next_id + IDS_AT_ONCE;
        if (silo_store_begin(store, true) != 1)
            return 0;
        struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_SET_ID_LIMIT);
        sqlite3_bind_int64(statement, 1, (int64_t)limit);
        if (silo_store_run(store, statement) != 1)
            return 0;
        store->id_limit = limit;
    }
    return store->next_id++;
}

static int load_ids(struct silo_store *store, int64_t wall_ms)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_GET_ID_LIMIT);
    if (silo_store_step(store, statement) != 1)
        return -1;
    uint64_t limit = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    /* Like the reference server, ids are nanoseconds since 1970 at first; the limit holds when a clock was set back. */
    uint64_t now = (uint64_t)wall_ms * NANOSECONDS_PER_MS;
    store->next_id = now > limit ? now : limit;
    store->id_limit = store->next_id;
    return 1;
}

/* --- opening and closing --- */

static char *join(const char *directory, const char *name)
{
    struct strbuf path;
    strbuf_init(&path, PATH_LIMIT);
    strbuf_add_fmt(&path, "%s/%s", directory, name);
    return strbuf_detach(&path);
}

static int fail_with(char **error_out, const char *what, const char *reason)
{
    struct strbuf text;
    strbuf_init(&text, PATH_LIMIT);
    strbuf_add_fmt(&text, "%s: %s", what, reason);
    *error_out = strbuf_detach(&text);
    return -1;
}

static int make_directory(const char *path, char **error_out)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 1;
    return fail_with(error_out, path, strerror(errno));
}

static int read_version(struct silo_store *store)
{
    struct sqlite3_stmt *statement = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static int create_schema(struct silo_store *store)
{
    if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    bool done = sqlite3_exec(store->db, schema_sql, NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    return done ? 1 : -1;
}

static int open_database(struct silo_store *store, const char *path, char **error_out)
{
    /* Made here for its mode: it holds who talks to whom, and the files that SQLite puts beside it take after it. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_with(error_out, path, strerror(errno));
    close(fd);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return fail_with(error_out, path, store->db != NULL ? sqlite3_errmsg(store->db) : "out of memory");
    sqlite3_busy_timeout(store->db, BUSY_MS);
    if (sqlite3_exec(store->db, settings_sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail_with(error_out, path, sqlite3_errmsg(store->db));
    int version = read_version(store);
    if (version == 0 && create_schema(store) != 1)
        return fail_with(error_out, path, sqlite3_errmsg(store->db));
    if (version < 0 || version > SCHEMA_VERSION)
        return fail_with(error_out, path, "not a silo's database, or from a newer version");
    return 1;
}

static bool is_known_message(uint64_t id, void *ctx)
{
    struct silo_store *store = ctx;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_HAS_MESSAGE);
    sqlite3_bind_int64(statement, 1, (int64_t)id);
    /* When in doubt (the database failed) the file stays. */
    return silo_store_step(store, statement) != 0;
}

struct silo_store *silo_store_open(const char *directory, int64_t wall_ms, char **error_out)
{
    struct silo_store *store = xcalloc(1, sizeof *store);
    char *path = join(directory, "silo.db");
    store->content_directory = join(directory, "content");
    if (make_directory(directory, error_out) != 1 || make_directory(store->content_directory, error_out) != 1 ||
        open_database(store, path, error_out) != 1) {
        silo_store_close(&store);
    } else if (load_ids(store, wall_ms) != 1) {
        (void)fail_with(error_out, path, sqlite3_errmsg(store->db));
        silo_store_close(&store);
    } else {
        silo_content_sweep(store->content_directory, is_known_message, store);
    }
    free(path);
    return store;
}

void silo_store_close(struct silo_store **store)
{
    if ((*store)->db != NULL) {
        if (silo_store_commit(*store) != 1)
            log_error("silo.changes_lost", "directory=%s", (*store)->content_directory);
        for (size_t i = 0; i < SILO_SQL_COUNT; i++)
            sqlite3_finalize((*store)->statements[i]);
        sqlite3_close((*store)->db);
    }
    free((*store)->content_directory);
    free(*store);
    *store = NULL;
}

const char *silo_store_content_directory(const struct silo_store *store)
{
    return store->content_directory;
}
