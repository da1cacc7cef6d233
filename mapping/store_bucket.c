/* store_bucket.c - see store_bucket.h */
#include "mapping/store_bucket.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/store_internal.h"

enum { HEADS = 1024, KEPT_MAX = 1024, SWEEP = 500 };

/* One that was read, as it is on disk, but for what this transaction has set. */
struct entry {
    const char *kind;
    char *name;
    int64_t whole_us;
    bool is_set; /* by this transaction */
    size_t next; /* with the same hash: its place + 1 */
};

/* What an entry was before. */
struct change {
    size_t entry;
    int64_t whole_us;
    bool is_set;
};

struct store_buckets {
    size_t heads[HEADS]; /* place + 1; 0: none */
    struct entry *entries;
    size_t count, capacity;
    struct change *changes;
    size_t change_count, change_capacity;
    char *swept_kind, *swept_name; /* where the last sweep ended; NULL: at the end */
};

static int read_row(struct store_db *db, const char *kind, const char *name, int64_t *whole_us_out)
{
    *whole_us_out = 0;
    int found = store_fetch_int(db, "SELECT whole_at FROM bucket WHERE kind = ? AND name = ?",
                                STORE_VALUES(bind_text(kind), bind_text(name)), whole_us_out);
    return found < 0 ? -1 : 1;
}

static int write_row(struct store_db *db, const char *kind, const char *name, int64_t whole_us)
{
    if (whole_us == 0)
        return store_execute(db, "DELETE FROM bucket WHERE kind = ? AND name = ?",
                             STORE_VALUES(bind_text(kind), bind_text(name))) < 0
                   ? -1
                   : 1;
    return store_execute(db,
                         "INSERT INTO bucket (kind, name, whole_at) VALUES (?, ?, ?)"
                         " ON CONFLICT (kind, name) DO UPDATE SET whole_at = excluded.whole_at",
                         STORE_VALUES(bind_text(kind), bind_text(name), bind_int(whole_us)));
}

/* --- what was read --- */

static size_t *head_of(struct store_buckets *buckets, const char *kind, const char *name)
{
    uint64_t hash =
        UINT64_C(14695981039346656037); /* FNV-1a; names that share a head cost a comparison each, in one batch */
    for (const char *text = kind; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    for (const char *text = name; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return &buckets->heads[hash % HEADS];
}

static struct entry *find_entry(struct store_db *db, const char *kind, const char *name)
{
    struct store_buckets *buckets = db->buckets;
    size_t place = buckets ? *head_of(buckets, kind, name) : 0;
    while (place > 0 &&
           (strcmp(buckets->entries[place - 1].name, name) != 0 || strcmp(buckets->entries[place - 1].kind, kind) != 0))
        place = buckets->entries[place - 1].next;
    return place > 0 ? &buckets->entries[place - 1] : NULL;
}

static void add_entry(struct store_db *db, const char *kind, const char *name, int64_t whole_us)
{
    if (!db->buckets)
        db->buckets = xcalloc(1, sizeof *db->buckets);
    struct store_buckets *buckets = db->buckets;
    if (buckets->count == buckets->capacity) {
        buckets->capacity = buckets->capacity ? 2 * buckets->capacity : 16;
        buckets->entries = xreallocarray(buckets->entries, buckets->capacity, sizeof *buckets->entries);
    }
    size_t *head = head_of(buckets, kind, name);
    buckets->entries[buckets->count++] =
        (struct entry){ .kind = kind, .name = xstrdup(name), .whole_us = whole_us, .next = *head };
    *head = buckets->count;
}

int store_bucket_get(struct store_db *db, const char *kind, const char *name, int64_t *whole_us_out)
{
    if (!db->in_transaction)
        return read_row(db, kind, name, whole_us_out);
    const struct entry *entry = find_entry(db, kind, name);
    if (entry) {
        *whole_us_out = entry->whole_us;
        return 1;
    }
    if (read_row(db, kind, name, whole_us_out) < 0)
        return -1;
    add_entry(db, kind, name, *whole_us_out);
    return 1;
}

void store_bucket_set(struct store_db *db, const char *kind, const char *name, int64_t whole_us)
{
    struct store_buckets *buckets = db->buckets;
    struct entry *entry = find_entry(db, kind, name);
    assert(db->in_transaction && entry);
    if (buckets->change_count == buckets->change_capacity) {
        buckets->change_capacity = buckets->change_capacity ? 2 * buckets->change_capacity : 16;
        buckets->changes = xreallocarray(buckets->changes, buckets->change_capacity, sizeof *buckets->changes);
    }
    buckets->changes[buckets->change_count++] = (struct change){ .entry = (size_t)(entry - buckets->entries),
                                                                 .whole_us = entry->whole_us,
                                                                 .is_set = entry->is_set };
    entry->whole_us = whole_us;
    entry->is_set = true;
}

size_t store_bucket_mark(const struct store_db *db)
{
    return db->buckets ? db->buckets->change_count : 0;
}

void store_bucket_undo(struct store_db *db, size_t mark)
{
    struct store_buckets *buckets = db->buckets;
    while (buckets && buckets->change_count > mark) {
        const struct change *change = &buckets->changes[--buckets->change_count];
        buckets->entries[change->entry].whole_us = change->whole_us;
        buckets->entries[change->entry].is_set = change->is_set;
    }
}

int store_bucket_write(struct store_db *db)
{
    const struct store_buckets *buckets = db->buckets;
    for (size_t i = 0; buckets && i < buckets->count; i++) {
        const struct entry *entry = &buckets->entries[i];
        if (entry->is_set && write_row(db, entry->kind, entry->name, entry->whole_us) < 0)
            return -1;
    }
    return 1;
}

static void forget_all(struct store_buckets *buckets)
{
    for (size_t i = 0; i < buckets->count; i++)
        free(buckets->entries[i].name);
    if (buckets->count > 0)
        memset(buckets->heads, 0, sizeof buckets->heads);
    buckets->count = 0;
}

/* The committer is the only writer: what was committed needs not be read again. */
void store_bucket_settle(struct store_db *db, bool is_committed)
{
    struct store_buckets *buckets = db->buckets;
    if (!buckets)
        return;
    for (size_t i = 0; i < buckets->count; i++)
        buckets->entries[i].is_set = false;
    buckets->change_count = 0;
    if (!is_committed || buckets->count > KEPT_MAX)
        forget_all(buckets);
}

void store_bucket_end(struct store_db *db)
{
    if (db->buckets) {
        forget_all(db->buckets);
        free(db->buckets->entries);
        free(db->buckets->changes);
        free(db->buckets->swept_kind);
        free(db->buckets->swept_name);
    }
    free(db->buckets);
    db->buckets = NULL;
}

/* --- sweeping --- */

struct row {
    char *kind, *name;
    int64_t whole_us;
};

static int read_rows(struct store_db *db, struct row rows[static SWEEP], size_t *count_out)
{
    struct store_query query;
    const struct store_buckets *buckets = db->buckets;
    int result;
    *count_out = 0;
    store_query_begin(&query, db,
                      "SELECT kind, name, whole_at FROM bucket WHERE (kind, name) > (?, ?) ORDER BY kind, name LIMIT ?",
                      STORE_VALUES(bind_text(buckets->swept_kind ? buckets->swept_kind : ""),
                                   bind_text(buckets->swept_name ? buckets->swept_name : ""), bind_int(SWEEP)));
    while ((result = store_query_next(&query)) == 1)
        rows[(*count_out)++] = (struct row){ .kind = store_query_copy(&query, 0),
                                             .name = store_query_copy(&query, 1),
                                             .whole_us = store_query_int(&query, 2) };
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

/* The last row of this slice is where the next begins; of the last slice: at the beginning. */
static void note_place(struct store_buckets *buckets, const struct row *rows, size_t count)
{
    bool is_end = count < SWEEP;
    free(buckets->swept_kind);
    free(buckets->swept_name);
    buckets->swept_kind = is_end ? NULL : xstrdup(rows[count - 1].kind);
    buckets->swept_name = is_end ? NULL : xstrdup(rows[count - 1].name);
}

int store_bucket_sweep(struct store_db *db, store_bucket_judge *judge, void *ctx)
{
    struct row *rows = xcalloc(SWEEP, sizeof *rows);
    size_t count;
    assert(db->in_transaction);
    if (!db->buckets)
        db->buckets = xcalloc(1, sizeof *db->buckets);
    int result = read_rows(db, rows, &count);
    for (size_t i = 0; i < count && result == 1; i++) {
        int64_t whole_us = judge(rows[i].kind, rows[i].whole_us, ctx);
        const struct entry *entry = find_entry(db, rows[i].kind, rows[i].name);
        if (whole_us == rows[i].whole_us || (entry && entry->is_set))
            continue; /* what this transaction has set is written at its end, as it is then */
        if (entry)
            store_bucket_set(db, entry->kind, rows[i].name, whole_us);
        else
            result = write_row(db, rows[i].kind, rows[i].name, whole_us);
    }
    if (result == 1)
        note_place(db->buckets, rows, count);
    for (size_t i = 0; i < count; i++) {
        free(rows[i].kind);
        free(rows[i].name);
    }
    free(rows);
    return result;
}
