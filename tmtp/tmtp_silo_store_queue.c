/* tmtp_silo_store_queue.c - messages, and the queue of each node */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_content.h"
#include "tmtp/tmtp_silo_store_internal.h"

static int insert_message(struct silo_store *store, uint64_t id, const void *head, size_t head_len,
                          const struct silo_content *content)
{
    bool in_file = content != NULL && silo_content_is_file(content);
    size_t inline_size = content != NULL && !in_file ? (size_t)silo_content_size(content) : 0;
    uint8_t *bytes = xmalloc(head_len + inline_size);
    memcpy(bytes, head, head_len);
    if (inline_size > 0)
        memcpy(bytes + head_len, silo_content_bytes(content), inline_size);

    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_ADD_MESSAGE);
    sqlite3_bind_int64(statement, 1, (int64_t)id);
    sqlite3_bind_blob(statement, 2, bytes, (int)(head_len + inline_size), SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, in_file ? (int64_t)silo_content_size(content) : 0);
    int rc = silo_store_run(store, statement);
    free(bytes);
    return rc;
}

int silo_store_add_message(struct silo_store *store, uint64_t id, enum silo_priority priority, const void *head,
                           size_t head_len, const struct silo_content *content, const struct silo_route *route)
{
    if (silo_store_begin(store, true) != 1 || insert_message(store, id, head, head_len, content) != 1)
        return -1;
    for (size_t i = 0; i < route->count; i++) {
        struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_ENQUEUE);
        sqlite3_bind_int64(statement, 1, route->nodes[i]);
        sqlite3_bind_int(statement, 2, (int)priority);
        sqlite3_bind_int64(statement, 3, (int64_t)id);
        if (silo_store_run(store, statement) != 1)
            return -1;
    }
    return 1;
}

int silo_store_first(struct silo_store *store, int64_t node, struct silo_queued *queued_out)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_FIRST);
    sqlite3_bind_int64(statement, 1, node);
    int rc = silo_store_step(store, statement);
    if (rc != 1)
        return rc;
    const void *bytes = sqlite3_column_blob(statement, 2);
    *queued_out = (struct silo_queued){
        .priority = (enum silo_priority)sqlite3_column_int(statement, 0),
        .id = (uint64_t)sqlite3_column_int64(statement, 1),
        .len = (size_t)sqlite3_column_bytes(statement, 2),
        .file_size = (uint64_t)sqlite3_column_int64(statement, 3),
    };
    queued_out->bytes = xmemdup(bytes, queued_out->len);
    sqlite3_reset(statement);
    return 1;
}

void silo_queued_free(struct silo_queued *queued)
{
    free(queued->bytes);
    *queued = (struct silo_queued){ 0 };
}

/* Erases a message that is in no queue any more. */
static int erase_message(struct silo_store *store, uint64_t id)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_DELETE_MESSAGE);
    sqlite3_bind_int64(statement, 1, (int64_t)id);
    int rc = silo_store_step(store, statement);
    if (rc != 1)
        return rc < 0 ? -1 : 1;
    if (sqlite3_column_int64(statement, 0) > 0) {
        store->erased = xreallocarray(store->erased, store->erased_count + 1, sizeof *store->erased);
        store->erased[store->erased_count++] = id;
    }
    return silo_store_run(store, statement);
}

int silo_store_acknowledge(struct silo_store *store, int64_t node, enum silo_priority priority, uint64_t id)
{
    if (silo_store_begin(store, false) != 1)
        return -1;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_DEQUEUE);
    sqlite3_bind_int64(statement, 1, node);
    sqlite3_bind_int(statement, 2, (int)priority);
    sqlite3_bind_int64(statement, 3, (int64_t)id);
    if (silo_store_run(store, statement) != 1)
        return -1;

    statement = silo_store_statement(store, SILO_SQL_COUNT_COPIES);
    sqlite3_bind_int64(statement, 1, (int64_t)id);
    if (silo_store_step(store, statement) != 1)
        return -1;
    bool last = sqlite3_column_int64(statement, 0) == 0;
    sqlite3_reset(statement);
    return last ? erase_message(store, id) : 1;
}

int silo_store_copy_queue(struct silo_store *store, int64_t from, int64_t to)
{
    if (silo_store_begin(store, true) != 1)
        return -1;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_COPY_QUEUE);
    sqlite3_bind_int64(statement, 1, to);
    sqlite3_bind_int64(statement, 2, from);
    return silo_store_run(store, statement);
}
