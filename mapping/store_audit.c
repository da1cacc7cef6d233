/* store_audit.c - see store_audit.h */
#include "mapping/store_audit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/store_internal.h"

/* As they are hashed: the texts of a row, in this order. */
enum { ACTOR, CHANNEL, ACTION, OBJECT, BEFORE, AFTER, REASON, TEXT_COUNT };

struct row {
    int64_t id, at;
    const char *texts[TEXT_COUNT];
};

#define COLUMNS "id, at, actor, channel, action, object, before, after, reason, hash"

static void add_number(struct digest *digest, uint64_t number)
{
    uint8_t octets[8];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(number >> (8 * (sizeof octets - 1 - i)));
    digest_add(digest, octets, sizeof octets);
}

static const char no_hash[DIGEST_HEX_SIZE] = "0000000000000000000000000000000000000000000000000000000000000000";

static void hash_row(const struct row *row, const char before[static DIGEST_HEX_SIZE],
                     char hash_out[static DIGEST_HEX_SIZE])
{
    uint8_t result[DIGEST_SIZE];
    struct digest *digest = digest_new();
    digest_add(digest, before, DIGEST_HEX_SIZE - 1);
    add_number(digest, (uint64_t)row->id);
    add_number(digest, (uint64_t)row->at);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        add_number(digest, strlen(row->texts[i]));
        digest_add(digest, row->texts[i], strlen(row->texts[i]));
    }
    digest_finish(&digest, result);
    digest_to_hex(result, hash_out);
}

/* At most so many octets of it, and no half character. */
static void add_cut(struct strbuf *out, const char *text)
{
    size_t len = strlen(text);
    if (len > STORE_AUDIT_TEXT_MAX)
        for (len = STORE_AUDIT_TEXT_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
    strbuf_add(out, text, len);
}

static int insert(struct store_db *db, const struct row *row, const char *hash)
{
    return store_execute(db, "INSERT INTO audit (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         STORE_VALUES(bind_int(row->id), bind_int(row->at), bind_text(row->texts[ACTOR]),
                                      bind_text(row->texts[CHANNEL]), bind_text(row->texts[ACTION]),
                                      bind_text(row->texts[OBJECT]), bind_text(row->texts[BEFORE]),
                                      bind_text(row->texts[AFTER]), bind_text(row->texts[REASON]), bind_text(hash))) ==
                   1
               ? 1
               : -1;
}

int store_audit_add(struct store_db *db, const struct store_audit_new *audit)
{
    char before[DIGEST_HEX_SIZE], hash[DIGEST_HEX_SIZE];
    struct strbuf texts[TEXT_COUNT];
    struct strbuf actor;
    struct row row = { .at = audit->now };
    if (store_audit_head(db, &row.id, before) < 0)
        return -1;
    row.id++;
    strbuf_init(&actor, 64 * 1024);
    strbuf_add_str(&actor, audit->actor->name);
    if (audit->actor->uid)
        strbuf_add_fmt(&actor, " (%s)", audit->actor->uid);
    const char *const given[TEXT_COUNT] = { actor.data,    audit->actor->channel, audit->action, audit->object,
                                            audit->before, audit->after,          audit->reason };
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        strbuf_init(&texts[i], STORE_AUDIT_TEXT_MAX);
        add_cut(&texts[i], given[i] ? given[i] : "");
        row.texts[i] = texts[i].data;
    }
    hash_row(&row, before, hash);
    int result = insert(db, &row, hash);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        strbuf_free(&texts[i]);
    strbuf_free(&actor);
    return result;
}

/* The texts are the query's. */
static struct row read_row(const struct store_query *query)
{
    struct row row = { .id = store_query_int(query, 0), .at = store_query_int(query, 1) };
    for (int i = 0; i < TEXT_COUNT; i++)
        row.texts[i] = store_query_text(query, 2 + i);
    return row;
}

static const char *read_hash(const struct store_query *query)
{
    return store_query_text(query, 2 + TEXT_COUNT);
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_audit_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1) {
        struct row row = read_row(&query);
        struct store_audit audit = {
            .id = row.id,
            .at = row.at,
            .actor = row.texts[ACTOR],
            .channel = row.texts[CHANNEL],
            .action = row.texts[ACTION],
            .object = row.texts[OBJECT],
            .before = row.texts[BEFORE],
            .after = row.texts[AFTER],
            .reason = row.texts[REASON],
            .hash = read_hash(&query),
        };
        each(&audit, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_audit_list(struct store_db *db, int64_t since, int64_t from_id, int64_t limit, store_audit_each *each,
                     void *ctx)
{
    return list(db, "SELECT " COLUMNS " FROM audit WHERE at >= ? AND id >= ? ORDER BY id LIMIT ?",
                STORE_VALUES(bind_int(since), bind_int(from_id), bind_int(limit)), each, ctx);
}

int store_audit_list_back(struct store_db *db, const char *object, int64_t before_id, int64_t limit,
                          store_audit_each *each, void *ctx)
{
    if (!object)
        return list(db, "SELECT " COLUMNS " FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
                    STORE_VALUES(bind_int(before_id), bind_int(limit)), each, ctx);
    return list(db, "SELECT " COLUMNS " FROM audit WHERE object = ? AND id < ? ORDER BY id DESC LIMIT ?",
                STORE_VALUES(bind_text(object), bind_int(before_id), bind_int(limit)), each, ctx);
}

int store_audit_list_about(struct store_db *db, const char *object, store_audit_each *each, void *ctx)
{
    return list(db, "SELECT " COLUMNS " FROM audit WHERE object = ? ORDER BY id", STORE_VALUES(bind_text(object)), each,
                ctx);
}

int store_audit_count(struct store_db *db, const char *action, int64_t since, int64_t until, int64_t *count_out)
{
    return store_fetch_int(db, "SELECT count(*) FROM audit WHERE at > ? AND at <= ? AND action = ?",
                           STORE_VALUES(bind_int(since), bind_int(until), bind_text(action)), count_out);
}

int store_audit_head(struct store_db *db, int64_t *id_out, char hash_out[static DIGEST_HEX_SIZE])
{
    struct store_query query;
    *id_out = 0;
    memcpy(hash_out, no_hash, sizeof no_hash);
    store_query_begin(&query, db, "SELECT " COLUMNS " FROM audit ORDER BY id DESC LIMIT 1", NULL);
    int result = store_query_next(&query);
    if (result == 1) {
        *id_out = store_query_int(&query, 0);
        snprintf(hash_out, DIGEST_HEX_SIZE, "%s", read_hash(&query));
    }
    store_query_end(&query);
    return result;
}

/* Is it the row that follows? Then *check is about it. */
static bool is_next(const struct row *row, const char *hash, struct store_audit_check *check)
{
    char right[DIGEST_HEX_SIZE];
    if (row->id != check->id + 1)
        return false;
    hash_row(row, check->id ? check->hash : no_hash, right);
    if (strcmp(hash, right) != 0)
        return false;
    check->id = row->id;
    memcpy(check->hash, right, sizeof right);
    return true;
}

int store_audit_check_more(struct store_db *db, int64_t limit, struct store_audit_check *check)
{
    struct store_query query;
    int64_t seen = 0;
    int result;
    assert(!check->wrong_id);
    store_query_begin(&query, db, "SELECT " COLUMNS " FROM audit WHERE id > ? ORDER BY id LIMIT ?",
                      STORE_VALUES(bind_int(check->id), bind_int(limit)));
    while ((result = store_query_next(&query)) == 1 && !check->wrong_id) {
        struct row row = read_row(&query);
        if (is_next(&row, read_hash(&query), check))
            seen++;
        else
            check->wrong_id = check->id + 1;
    }
    store_query_end(&query);
    return result < 0 ? -1 : !check->wrong_id && seen == limit;
}
