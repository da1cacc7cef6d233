/* store_identity.c - see store_identity.h */
#include "mapping/store_identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/store_internal.h"

enum { SOURCE_COUNT = STORE_IDENTITY_PARTICIPANTS + 1 };
static const char *const source_names[SOURCE_COUNT] = { "ping", "invite", "group", "message", "participants" };

const char *store_identity_source_name(enum store_identity_source source)
{
    return source_names[source];
}

bool store_identity_is_vouched(enum store_identity_source source)
{
    return source <= STORE_IDENTITY_GROUP;
}

int store_identity_find(struct store_db *db, const char *alias, struct store_identity *out)
{
    struct store_query query;
    *out = (struct store_identity){ .alias = NULL };
    store_query_begin(&query, db, "SELECT alias, uid, source, seen_at FROM identity WHERE alias = ?",
                      STORE_VALUES(bind_text(alias)));
    int result = store_query_next(&query);
    if (result == 1) {
        int source = 0;
        while (source < SOURCE_COUNT - 1 && strcmp(store_query_text(&query, 2), source_names[source]) != 0)
            source++;
        *out = (struct store_identity){
            .alias = store_query_copy(&query, 0),
            .uid = store_query_copy(&query, 1),
            .source = (enum store_identity_source)source,
            .seen_at = store_query_int(&query, 3),
        };
    }
    store_query_end(&query);
    return result;
}

int store_identity_find_alias(struct store_db *db, const char *uid, char **alias_out)
{
    return store_identity_find_other_alias(db, uid, "", alias_out);
}

int store_identity_forget(struct store_db *db, const char *alias)
{
    return store_execute(db, "DELETE FROM identity WHERE alias = ?", STORE_VALUES(bind_text(alias)));
}

int store_identity_find_other_alias(struct store_db *db, const char *uid, const char *alias, char **alias_out)
{
    struct store_query query;
    *alias_out = NULL;
    store_query_begin(&query, db,
                      "SELECT alias FROM identity WHERE uid = ? AND alias <> ?"
                      " AND source IN ('ping', 'invite', 'group') ORDER BY seen_at DESC, alias LIMIT 1",
                      STORE_VALUES(bind_text(uid), bind_text(alias)));
    int result = store_query_next(&query);
    if (result == 1)
        *alias_out = store_query_copy(&query, 0);
    store_query_end(&query);
    return result;
}

static enum store_identity_verdict write_down(struct store_db *db, const char *alias, const char *uid,
                                              enum store_identity_source source, int64_t now)
{
    int result =
        store_execute(db,
                      "INSERT INTO identity (alias, uid, source, seen_at) VALUES (?, ?, ?, ?)"
                      " ON CONFLICT (alias) DO UPDATE SET uid = excluded.uid, source = excluded.source,"
                      " seen_at = excluded.seen_at",
                      STORE_VALUES(bind_text(alias), bind_text(uid), bind_text(source_names[source]), bind_int(now)));
    return result < 0 ? STORE_IDENTITY_ERROR : STORE_IDENTITY_AGREES;
}

enum store_identity_verdict store_identity_learn(struct store_db *db, const char *alias, const char *uid,
                                                 enum store_identity_source source, int64_t now)
{
    struct store_identity known;
    int found = store_identity_find(db, alias, &known);
    if (found < 0)
        return STORE_IDENTITY_ERROR;
    bool same = found == 1 && strcmp(known.uid, uid) == 0;
    bool was_vouched = found == 1 && store_identity_is_vouched(known.source);
    bool is_better = found == 1 && source < known.source;
    store_identity_free(&known);
    if (found == 0 || (same && is_better))
        return write_down(db, alias, uid, source, now);
    if (same)
        return STORE_IDENTITY_AGREES;
    if (was_vouched)
        return STORE_IDENTITY_CONTRADICTS;
    return store_identity_is_vouched(source) ? write_down(db, alias, uid, source, now) : STORE_IDENTITY_UNSURE;
}

void store_identity_free(struct store_identity *identity)
{
    free(identity->alias);
    free(identity->uid);
    *identity = (struct store_identity){ .alias = NULL };
}
