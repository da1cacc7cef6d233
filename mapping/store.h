/* store.h - the database: one file, one writer thread, group commit
 *
 * `postern.db` (SQLite, WAL, synchronous=FULL) holds everything that must survive: who may write to whom, threads, both
 * queues with their content, what was already acted on, the trace. Large content is in files beside it (store_draft.h).
 *
 * Writing: an operation is a function that the committer thread runs inside a transaction. All operations that are
 * waiting when the committer is free share one transaction and one fsync (at most 256 operations, or 64 MiB of
 * content that is not in files). One that fails takes nothing of its neighbours with it. When the
 * commit is on disk, each operation's `done` runs on the loop, in the order of submission. Nothing may be promised to
 * anybody before that. When the commit fails (a full disk), all of its operations have failed; each may be submitted
 * again.
 *
 * Reading: store_reader() on the loop's thread, at any time, sees what has been committed. Keep reads short: no read
 * transaction stays open between calls.
 *
 * The functions of the store_*.h headers take a struct store_db: inside an operation the one it was given (read and
 * write), on the loop the reader (functions that write assert that it is not). They return 1 done/found, 0 not found or
 * refused (said in each header), -1 database error (logged; the operation should return -1 too, which rolls it back).
 * Lists return 1 also when they are empty.
 *
 * Times are wall-clock milliseconds since 1970. Structs filled by find functions own their strings until ..._free(),
 * and are empty after 0 and -1; those given to `each` callbacks are valid during the callback only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

struct loop;
struct store;
struct store_db;

enum { STORE_SCHEMA_VERSION = 1 };

/* Looks at the first bytes of the file, without changing it, and takes no lock. 1: there is none, or it may be opened; 0 with the reason in *error_out
 * (caller frees): no store_open() of this version ever can; -1 likewise: it can't be read now. */
int store_judge(const char *path, char **error_out) __attribute__((warn_unused_result));
/* Opens or creates path (mode 0600), migrates forward, starts the committer. NULL on failure with a message for people
 * in *error_out (caller frees): not readable, in use by another daemon (path's ".lock" file is locked), not a Postern
 * database, or from a newer version (then it is left untouched). Makes "content/" beside it (0700), and removes files there
 * that a crash left without a row. */
struct store *store_open(struct loop *loop, const char *path, char **error_out) __attribute__((warn_unused_result));
/* Finishes what was submitted (done functions are called, and what they submit is finished too), checkpoints, closes.
 * Not from a done function. */
void store_close(struct store **store);
struct store_db *store_reader(struct store *store);
/* What is read between these two is one state of the database, and several reads cost less than without. On the reader, in
 * one call from the loop; not nested. If it can't begin, each read fails. */
void store_begin_reading(struct store_db *db);
void store_end_reading(struct store_db *db);
/* Where large content lies (store_draft.h): content that comes in is best spooled there. As long as the store. */
const char *store_content_directory(const struct store *store);

/* Committer thread; 1 keep, 0 or -1: roll this operation back. */
typedef int store_operation(struct store_db *db, void *arg);
/* Loop; what the operation returned, or -1 when the commit failed. */
typedef void store_done(int result, void *arg);
/* From the loop's thread. arg must stay valid until done, which always comes. done may be NULL. */
void store_submit(struct store *store, store_operation *operation, store_done *done, void *arg);
/* For an operation that may run twice before its done: what the first run did in the database is undone then, and what it
 * did to arg must not make a difference to the second. While all that is waiting is of this kind it costs less, for none has
 * a savepoint unless one of them fails. */
void store_submit_repeatable(struct store *store, store_operation *operation, store_done *done, void *arg);
/* Repeatable, too, and nobody outside waits for it: in a row of other operations it goes with the next of them, up to 5 ms later,
 * instead of making that wait for a commit of its own. */
void store_submit_patient(struct store *store, store_operation *operation, store_done *done, void *arg);
unsigned store_pending(const struct store *store); /* submitted, done not called yet */

/* How long something has been waiting since anything was finished; 0: nothing waits. Loop's thread. */
int64_t store_stalled_ms(const struct store *store);
/* Can it be read? 1, -1. */
int store_ping(struct store_db *db) __attribute__((warn_unused_result));
/* Octets in the file system: of the database and its write-ahead log, without large content. -1: not known. */
void store_get_size(const struct store *store, int64_t *database_out, int64_t *log_out);

struct store_statistics {
    uint64_t operations;
    uint64_t commits;        /* of at least one operation that wanted to be kept */
    uint64_t failed_commits; /* transactions of which nothing was kept, for a database error */
    unsigned largest_batch;  /* operations in one transaction */
    int64_t longest_commit_us;
    bool has_failed;            /* the last transaction that had something to write did */
    struct histogram batch;     /* operations in one transaction */
    struct histogram commit_us; /* of those that were kept: until they were on disk */
};
void store_get_statistics(const struct store *store, struct store_statistics *out); /* any thread */
