/* tmtp_silo_store_internal.h - what the files of the silo's store share: prepared statements and the open
 * transaction */
#pragma once
#include "tmtp/tmtp_silo_store.h"

struct sqlite3;
struct sqlite3_stmt;

enum silo_sql {
    SILO_SQL_BEGIN,
    SILO_SQL_COMMIT,
    SILO_SQL_GET_ID_LIMIT,
    SILO_SQL_SET_ID_LIMIT,
    SILO_SQL_ADD_ACCOUNT,
    SILO_SQL_COUNT_NODES,
    SILO_SQL_ADD_NODE,
    SILO_SQL_LIST_NODES,
    SILO_SQL_FIND_ALIAS,
    SILO_SQL_ADD_ALIAS,
    SILO_SQL_COUNT_MEMBERS,
    SILO_SQL_FIND_MEMBER,
    SILO_SQL_SET_MEMBER,
    SILO_SQL_GROUP_NODES,
    SILO_SQL_ADD_MESSAGE,
    SILO_SQL_HAS_MESSAGE,
    SILO_SQL_ENQUEUE,
    SILO_SQL_FIRST,
    SILO_SQL_DEQUEUE,
    SILO_SQL_COUNT_COPIES,
    SILO_SQL_DELETE_MESSAGE,
    SILO_SQL_COPY_QUEUE,
    SILO_SQL_COUNT /* how many there are */
};

struct silo_store {
    struct sqlite3 *db;
    struct sqlite3_stmt *statements[SILO_SQL_COUNT]; /* prepared when first needed */
    char *content_directory;
    uint64_t next_id, id_limit; /* ids below the limit may be given out without asking the database */
    bool open;                  /* a transaction is */
    bool urgent;                /* ... and somebody waits for it */
    bool doomed;                /* ... but something in it failed: it will be rolled back */
    uint64_t *erased;           /* messages whose files go once the transaction is committed */
    size_t erased_count;
};

/* A statement, reset and without bindings; NULL when it can't be prepared. */
struct sqlite3_stmt *silo_store_statement(struct silo_store *store, enum silo_sql which);
/* 1: a row is there; 0: finished; -1: failed (also for statement NULL). */
int silo_store_step(struct silo_store *store, struct sqlite3_stmt *statement);
/* For statements without results: 1 or -1. */
int silo_store_run(struct silo_store *store, struct sqlite3_stmt *statement);
/* Before a write: opens the transaction. 1 or -1. */
int silo_store_begin(struct silo_store *store, bool urgent);
void silo_store_bind_text(struct sqlite3_stmt *statement, int index, const char *text); /* not copied */
