/* store_internal.h - a connection, its statements and the committer; for mapping/store*.c only
 *
 * A connection belongs to one thread: the writer to the committer, the reader to the loop. Statements are prepared once
 * and found again by the address of their SQL text, so the text must be a literal. Every value is bound.
 *
 * A query is begun with its values, stepped, and always ended. Errors stick: after a failed beginning each step fails,
 * so only the steps need a look. Each error is logged once, where it happens ("store.error").
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/store.h"
#include "mapping/store_file.h"
#include "mapping/store_queue.h"

enum { STORE_STATEMENTS_MAX = 1024 };       /* more than all store_*.c have together; asserted */
enum { STORE_APPLICATION_ID = 0x506f7374 }; /* "Post": tells our file from others', also for file(1) */
enum { STORE_BUSY_TIMEOUT_MS = 5000 };      /* only somebody with a SQLite shell could make us wait */

struct store_statement {
    const char *sql; /* NULL: a free slot */
    sqlite3_stmt *handle;
    bool in_use; /* stepped now: a query begun meanwhile with the same text gets a statement of its own */
};

/* A content file that hangs on how this transaction ends, or one in doubt. */
struct store_file_change {
    struct store_draft *draft;       /* added: kept with the commit, else still the draft's to remove */
    char name[STORE_FILE_NAME_SIZE]; /* erased, draft NULL: removed after the commit, else it stays */
};
struct store_file_changes {
    struct store_file_change *list;
    size_t count;
};

struct store_db {
    sqlite3 *handle;
    const char *content_directory;     /* the store's */
    struct store_file_changes changes; /* the writer's, of this transaction */
    struct store_file_changes doubted; /* the writer's, see store_content_doubt() */
    struct store_buckets *buckets;     /* the writer's; NULL: none yet */
    bool is_writer;
    bool in_transaction;     /* the committer's: all operations of a batch */
    bool lost_transaction;   /* SQLite has rolled it back by itself: nothing more may be written until the batch ends */
    int64_t last_content_id; /* the writer's: the highest that was given, also to content that is erased */
    int log_pages;           /* the writer's: of the write-ahead log, after its last commit */
    bool has_written;        /* the committer's: something of this transaction is in the log */
    int64_t content_bytes;   /* written in this transaction */
    bool has_erased;         /* content was erased since the log was last emptied: it may still be read there */
    struct store_statement statements[STORE_STATEMENTS_MAX];
};

/* Values. Text and blobs are borrowed until the query ends. */
struct store_value {
    enum { STORE_VALUE_END, STORE_VALUE_NULL, STORE_VALUE_INT, STORE_VALUE_TEXT, STORE_VALUE_BLOB } kind;
    int64_t integer; /* of a blob its size; with data NULL that many zeros */
    const void *data;
};

static inline struct store_value bind_int(int64_t value)
{
    return (struct store_value){ .kind = STORE_VALUE_INT, .integer = value };
}

static inline struct store_value bind_id(int64_t id) /* 0 is NULL: refers to nothing */
{
    return (struct store_value){ .kind = id ? STORE_VALUE_INT : STORE_VALUE_NULL, .integer = id };
}

static inline struct store_value bind_text(const char *text) /* NULL is NULL */
{
    return (struct store_value){ .kind = text ? STORE_VALUE_TEXT : STORE_VALUE_NULL, .data = text };
}

static inline struct store_value bind_blob(const void *data, int64_t size)
{
    return (struct store_value){ .kind = STORE_VALUE_BLOB, .integer = size, .data = data };
}

/* The values of a statement in order of its parameters; NULL for a statement without any. */
#define STORE_VALUES(...) ((const struct store_value[]){ __VA_ARGS__, { .kind = STORE_VALUE_END } })

struct store_query {
    struct store_db *db;
    struct store_statement *slot; /* NULL: not one of the kept statements */
    sqlite3_stmt *handle;         /* NULL: failed at the beginning */
};

void store_query_begin(struct store_query *query, struct store_db *db, const char *sql,
                       const struct store_value *values);
int store_query_next(struct store_query *query) __attribute__((warn_unused_result)); /* 1 a row, 0 no more, -1 error */
void store_query_end(struct store_query *query);

/* Of the current row. Text is valid until the next step; "" for NULL, unless asked for with _or_null. */
int64_t store_query_int(const struct store_query *query, int column); /* 0 for NULL */
const char *store_query_text(const struct store_query *query, int column);
char *store_query_copy(const struct store_query *query, int column); /* the caller frees it */
char *store_query_copy_or_null(const struct store_query *query, int column);

/* 1 rows were changed, 0 none, -1 error */
int store_execute(struct store_db *db, const char *sql, const struct store_value *values)
    __attribute__((warn_unused_result));
/* An INSERT of one row that conflicts with none. 1 or -1; cheaper than a RETURNING, which makes a table of its results. */
int store_insert(struct store_db *db, const char *sql, const struct store_value *values, int64_t *id_out)
    __attribute__((warn_unused_result));
/* The first column of the first row, also of a RETURNING. 1 there was one, 0 none, -1 error */
int store_fetch_int(struct store_db *db, const char *sql, const struct store_value *values, int64_t *value_out)
    __attribute__((warn_unused_result));

/* For calls of the library outside these helpers: logs and notes a lost transaction. Returns -1. */
int store_db_failed(struct store_db *db, const char *doing);
/* -1, with the reason in *error_out: this schema (of a database, a backup) is one that this version does not know. */
int store_fail_newer(const char *what, int64_t version, char **error_out);

/* Connections (store_query.c). */
int store_db_open(struct store_db *db, const char *path, bool is_writer) __attribute__((warn_unused_result));
void store_db_close(struct store_db *db);

/* Content (store_content.c). */
struct store_draft {
    const struct spool *spool; /* NULL: fd */
    int fd;
    int64_t size;
    char *directory;
    char name[STORE_FILE_NAME_SIZE]; /* "" until it is kept */
    bool is_added;                   /* a row names it, committed or in the transaction that is under way */
};
/* What happened to files since `count` was changes.count did not happen; or all of it did, and is on disk. */
void store_content_undo(struct store_db *db, size_t count);
void store_content_committed(struct store_db *db);
/* The commit has failed; but perhaps it is whole in the log, only not synced, and whoever opens the database after a crash would
 * find it there. So its files stay, until the next commit has been written over it in the log; its drafts have none any more. */
void store_content_doubt(struct store_db *db);
/* Content that was erased may still be looked for by somebody who has read its id, who must not find other content
 * there: an id is given once in the life of a process. This one takes up where the last ended. */
int store_content_begin(struct store_db *db) __attribute__((warn_unused_result));
/* Removes files that no row names. */
int store_content_sweep(struct store_db *db) __attribute__((warn_unused_result));

/* Allowances (store_bucket.c). Writes what was set, before the commit; then it is told how the transaction has ended. */
int store_bucket_write(struct store_db *db) __attribute__((warn_unused_result));
void store_bucket_settle(struct store_db *db, bool is_committed);
void store_bucket_end(struct store_db *db); /* with the connection */

/* The schema (store_schema.c): [n] makes version n + 1 of version n, and says so in user_version. */
extern const char *const store_migrations[STORE_SCHEMA_VERSION];

/* "postern.db" is locked by "postern.lock", by whoever is the only one that may write to it (store_lock.c). 1 with the descriptor,
 * which holds the lock until it is closed; -1 with *error_out (caller frees). */
int store_lock_take(const char *path, int *fd_out, char **error_out) __attribute__((warn_unused_result));

/* The secret (store_secret.c), unless there is one. */
int store_secret_make(struct store_db *db) __attribute__((warn_unused_result));

/* The queues (store_queue.c): what both have in common. */
int store_queue_finish(struct store_db *db, enum store_queue queue, int64_t id, enum store_queue_state state)
    __attribute__((warn_unused_result)); /* as store_inbound_finish() */

/* The committer (store_committer.c): see store.h for what it promises. db is its own from here to its end. */
struct store_committer;
struct store_checkpointer;
struct store_committer *store_committer_new(struct loop *loop, struct store_db *db,
                                            struct store_checkpointer *checkpointer);
/* Finishes what was submitted, also what done functions submit meanwhile. */
void store_committer_free(struct store_committer **committer);
void store_committer_submit(struct store_committer *committer, store_operation *operation, store_done *done, void *arg,
                            bool is_repeatable, bool is_patient);
int64_t store_committer_stalled_ms(const struct store_committer *committer);
unsigned store_committer_pending(const struct store_committer *committer);
void store_committer_get_statistics(struct store_committer *committer, struct store_statistics *out);
