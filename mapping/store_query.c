/* store_query.c - connections and kept statements; see store_internal.h */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "mapping/store_internal.h"

int store_db_open(struct store_db *db, const char *path, bool is_writer)
{
    *db = (struct store_db){ .is_writer = is_writer };
    int flags = (is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK)
        return store_db_failed(db, "opening");
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, STORE_BUSY_TIMEOUT_MS);
    return 1;
}

void store_db_close(struct store_db *db)
{
    for (size_t i = 0; i < STORE_STATEMENTS_MAX; i++) {
        assert(!db->statements[i].in_use);
        sqlite3_finalize(db->statements[i].handle);
    }
    store_bucket_end(db);
    if (sqlite3_close(db->handle) != SQLITE_OK)
        log_error("store.error", "doing=%s error=%s", "closing", sqlite3_errmsg(db->handle));
    *db = (struct store_db){ .handle = NULL };
}

int store_db_failed(struct store_db *db, const char *doing)
{
    log_error("store.error", "doing=%s code=%d error=%s", doing, sqlite3_extended_errcode(db->handle),
              sqlite3_errmsg(db->handle));
    /* A full disk and the like end the whole transaction; what followed would be committed statement by statement. */
    if (db->in_transaction && sqlite3_get_autocommit(db->handle))
        db->lost_transaction = true;
    return -1;
}

/* The slot of the text, or a free one for it. */
static struct store_statement *find_slot(struct store_db *db, const char *sql)
{
    size_t at = ((uintptr_t)sql >> 4) % STORE_STATEMENTS_MAX;
    for (size_t tried = 0; tried < STORE_STATEMENTS_MAX; tried++) {
        struct store_statement *slot = &db->statements[at];
        if (!slot->sql || slot->sql == sql)
            return slot;
        at = (at + 1) % STORE_STATEMENTS_MAX;
    }
    assert(!"more statements than STORE_STATEMENTS_MAX");
    abort();
}

static int bind_values(struct store_query *query, const struct store_value *values)
{
    int result = SQLITE_OK;
    for (int i = 0; values && values[i].kind != STORE_VALUE_END && result == SQLITE_OK; i++) {
        const struct store_value *value = &values[i];
        switch (value->kind) {
        case STORE_VALUE_INT:
            result = sqlite3_bind_int64(query->handle, i + 1, value->integer);
            break;
        case STORE_VALUE_TEXT:
            result = sqlite3_bind_text(query->handle, i + 1, value->data, -1, SQLITE_STATIC);
            break;
        case STORE_VALUE_BLOB:
            result = value->data ? sqlite3_bind_blob64(query->handle, i + 1, value->data, (uint64_t)value->integer,
                                                       SQLITE_STATIC)
                                 : sqlite3_bind_zeroblob64(query->handle, i + 1, (uint64_t)value->integer);
            break;
        case STORE_VALUE_NULL:
        case STORE_VALUE_END:
            break; /* not bound is NULL */
        }
    }
    return result;
}

void store_query_begin(struct store_query *query, struct store_db *db, const char *sql,
                       const struct store_value *values)
{
    *query = (struct store_query){ .db = db };
    if (db->lost_transaction)
        return; /* logged when it was lost */
    struct store_statement *slot = find_slot(db, sql);
    if (slot->handle && !slot->in_use) {
        query->handle = slot->handle;
    } else if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->handle, NULL) != SQLITE_OK) {
        store_db_failed(db, sql);
        return;
    }
    if (!slot->in_use) {
        *slot = (struct store_statement){ .sql = sql, .handle = query->handle, .in_use = true };
        query->slot = slot;
    }
    assert(db->is_writer || sqlite3_stmt_readonly(query->handle));
    if (bind_values(query, values) != SQLITE_OK) {
        store_db_failed(db, sql);
        store_query_end(query);
    }
}

int store_query_next(struct store_query *query)
{
    if (!query->handle || query->db->lost_transaction)
        return -1;
    int result = sqlite3_step(query->handle);
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        return result == SQLITE_ROW ? 1 : 0;
    return store_db_failed(query->db, sqlite3_sql(query->handle));
}

void store_query_end(struct store_query *query)
{
    if (query->slot) {
        sqlite3_reset(query->handle); /* repeats the error of a failed step, which was dealt with there */
        sqlite3_clear_bindings(query->handle);
        query->slot->in_use = false;
    } else {
        sqlite3_finalize(query->handle);
    }
    query->slot = NULL;
    query->handle = NULL;
}

/* Locks are taken by the first read, and kept until the end instead of until the read is over. */
void store_begin_reading(struct store_db *db)
{
    struct store_query query;
    assert(!db->is_writer && sqlite3_get_autocommit(db->handle));
    store_query_begin(&query, db, "BEGIN", NULL);
    if (store_query_next(&query) < 0)
        log_error("store.error", "doing=%s", "beginning to read");
    store_query_end(&query);
}

void store_end_reading(struct store_db *db)
{
    struct store_query query;
    store_query_begin(&query, db, "COMMIT", NULL);
    if (store_query_next(&query) < 0)
        log_error("store.error", "doing=%s", "ending to read");
    store_query_end(&query);
}

int64_t store_query_int(const struct store_query *query, int column)
{
    return sqlite3_column_int64(query->handle, column);
}

const char *store_query_text(const struct store_query *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query->handle, column);
    return text ? text : "";
}

char *store_query_copy(const struct store_query *query, int column)
{
    return xstrdup(store_query_text(query, column));
}

char *store_query_copy_or_null(const struct store_query *query, int column)
{
    bool is_null = sqlite3_column_type(query->handle, column) == SQLITE_NULL;
    return is_null ? NULL : store_query_copy(query, column);
}

int store_execute(struct store_db *db, const char *sql, const struct store_value *values)
{
    struct store_query query;
    assert(db->is_writer);
    store_query_begin(&query, db, sql, values);
    int result = store_query_next(&query);
    if (result == 0)
        result = sqlite3_changes(db->handle) > 0;
    store_query_end(&query);
    return result;
}

int store_insert(struct store_db *db, const char *sql, const struct store_value *values, int64_t *id_out)
{
    int result = store_execute(db, sql, values);
    assert(result != 0);
    if (result == 1)
        *id_out = sqlite3_last_insert_rowid(db->handle);
    return result;
}

int store_fetch_int(struct store_db *db, const char *sql, const struct store_value *values, int64_t *value_out)
{
    struct store_query query;
    store_query_begin(&query, db, sql, values);
    int result = store_query_next(&query);
    if (result == 1) {
        *value_out = store_query_int(&query, 0);
        if (store_query_next(&query) < 0) /* a RETURNING checks its constraints at the end only */
            result = -1;
    }
    store_query_end(&query);
    return result;
}
