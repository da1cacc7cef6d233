/* tmtp_silo_store_people.c - accounts, nodes, aliases and groups */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_secret.h"
#include "tmtp/tmtp_silo_store_internal.h"

/* Runs a query for one number. 1 or -1. */
static int query_count(struct silo_store *store, enum silo_sql which, const char *key, size_t *count_out)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, which);
    silo_store_bind_text(statement, 1, key);
    if (silo_store_step(store, statement) != 1)
        return -1;
    *count_out = (size_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return 1;
}

static char *copy_column(struct sqlite3_stmt *statement, int column)
{
    return xstrdup((const char *)sqlite3_column_text(statement, column));
}

int silo_store_add_account(struct silo_store *store, const char *uid)
{
    if (silo_store_begin(store, true) != 1)
        return -1;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_ADD_ACCOUNT);
    silo_store_bind_text(statement, 1, uid);
    return silo_store_run(store, statement);
}

int silo_store_add_node(struct silo_store *store, const char *uid, const char *password, int64_t *node_out)
{
    size_t count = 0;
    if (query_count(store, SILO_SQL_COUNT_NODES, uid, &count) != 1)
        return -1;
    if (count >= SILO_NODES_MAX)
        return 0;

    uint8_t secret[SILO_PASSWORD_DECODED_MAX];
    size_t secret_len = 0;
    uint8_t salt[SILO_SALT_SIZE];
    uint8_t hash[SILO_HASH_SIZE];
    if (silo_secret_decode(password, secret, &secret_len) != 1 || silo_store_begin(store, true) != 1)
        return -1;
    silo_secret_make_salt(salt);
    silo_secret_hash(salt, secret, secret_len, hash);

    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_ADD_NODE);
    silo_store_bind_text(statement, 1, uid);
    sqlite3_bind_blob(statement, 2, salt, sizeof salt, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 3, hash, sizeof hash, SQLITE_STATIC);
    if (silo_store_step(store, statement) != 1)
        return -1;
    *node_out = sqlite3_column_int64(statement, 0);
    return silo_store_run(store, statement);
}

int silo_store_find_node(struct silo_store *store, const char *uid, const uint8_t *password, size_t len,
                         int64_t *node_out)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_LIST_NODES);
    silo_store_bind_text(statement, 1, uid);
    int rc;
    while ((rc = silo_store_step(store, statement)) == 1) {
        uint8_t hash[SILO_HASH_SIZE];
        if (sqlite3_column_bytes(statement, 1) != SILO_SALT_SIZE ||
            sqlite3_column_bytes(statement, 2) != SILO_HASH_SIZE)
            continue;
        silo_secret_hash(sqlite3_column_blob(statement, 1), password, len, hash);
        if (memcmp(hash, sqlite3_column_blob(statement, 2), SILO_HASH_SIZE) == 0) {
            *node_out = sqlite3_column_int64(statement, 0);
            sqlite3_reset(statement);
            return 1;
        }
    }
    return rc;
}

int silo_store_find_alias(struct silo_store *store, const char *alias, char **uid_out)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_FIND_ALIAS);
    silo_store_bind_text(statement, 1, alias);
    int rc = silo_store_step(store, statement);
    if (rc == 1) {
        *uid_out = copy_column(statement, 0);
        sqlite3_reset(statement);
    }
    return rc;
}

int silo_store_add_alias(struct silo_store *store, const char *uid, const char *alias)
{
    char *owner = NULL;
    int rc = silo_store_find_alias(store, alias, &owner);
    if (rc == 1) {
        bool ours = strcmp(owner, uid) == 0;
        free(owner);
        return ours ? 1 : 0;
    }
    if (rc < 0)
        return -1;

    size_t members = 0;
    if (silo_store_count_members(store, alias, &members) != 1)
        return -1;
    if (members > 0)
        return 0;

    if (silo_store_begin(store, true) != 1)
        return -1;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_ADD_ALIAS);
    silo_store_bind_text(statement, 1, alias);
    silo_store_bind_text(statement, 2, uid);
    return silo_store_run(store, statement);
}

int silo_store_count_members(struct silo_store *store, const char *gid, size_t *count_out)
{
    return query_count(store, SILO_SQL_COUNT_MEMBERS, gid, count_out);
}

int silo_store_find_member(struct silo_store *store, const char *gid, const char *uid, enum silo_membership *status_out,
                           char **alias_out)
{
    *status_out = SILO_MEMBER_NONE;
    if (alias_out != NULL)
        *alias_out = NULL;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_FIND_MEMBER);
    silo_store_bind_text(statement, 1, gid);
    silo_store_bind_text(statement, 2, uid);
    int rc = silo_store_step(store, statement);
    if (rc == 1) {
        *status_out = (enum silo_membership)sqlite3_column_int(statement, 0);
        if (alias_out != NULL)
            *alias_out = copy_column(statement, 1);
        sqlite3_reset(statement);
    }
    return rc;
}

int silo_store_set_member(struct silo_store *store, const char *gid, const char *uid, const char *alias,
                          enum silo_membership status)
{
    if (silo_store_begin(store, true) != 1)
        return -1;
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_SET_MEMBER);
    silo_store_bind_text(statement, 1, gid);
    silo_store_bind_text(statement, 2, uid);
    silo_store_bind_text(statement, 3, alias);
    sqlite3_bind_int(statement, 4, (int)status);
    return silo_store_run(store, statement);
}

/* --- routes --- */

static void route_add(struct silo_route *route, int64_t node)
{
    if (route->count == route->capacity) {
        route->capacity = route->capacity == 0 ? 8 : route->capacity * 2;
        route->nodes = xreallocarray(route->nodes, route->capacity, sizeof *route->nodes);
    }
    route->nodes[route->count++] = node;
}

int silo_store_route_account(struct silo_store *store, const char *uid, struct silo_route *route)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_LIST_NODES);
    silo_store_bind_text(statement, 1, uid);
    size_t before = route->count;
    int rc;
    while ((rc = silo_store_step(store, statement)) == 1)
        route_add(route, sqlite3_column_int64(statement, 0));
    if (rc < 0)
        return -1;
    return route->count > before ? 1 : 0; /* an account has a node from its registration on */
}

int silo_store_route_group(struct silo_store *store, const char *gid, const char *except, struct silo_route *route)
{
    struct sqlite3_stmt *statement = silo_store_statement(store, SILO_SQL_GROUP_NODES);
    silo_store_bind_text(statement, 1, gid);
    sqlite3_bind_int(statement, 2, SILO_MEMBER_JOINED);
    silo_store_bind_text(statement, 3, except);
    int rc;
    while ((rc = silo_store_step(store, statement)) == 1) {
        if (route->count >= SILO_ROUTE_MAX) {
            sqlite3_reset(statement);
            return 0;
        }
        route_add(route, sqlite3_column_int64(statement, 0));
    }
    return rc < 0 ? -1 : 1;
}
