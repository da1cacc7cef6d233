/* store_account.c - see store_account.h */
#include "mapping/store_account.h"

#include <stdlib.h>

#include "mapping/store_internal.h"

static struct store_account read_account(const struct store_query *query)
{
    return (struct store_account){
        .silo = store_query_copy(query, 0),
        .pin = store_query_copy_or_null(query, 1),
        .uid = store_query_copy_or_null(query, 2),
        .node = store_query_copy_or_null(query, 3),
        .alias = store_query_copy_or_null(query, 4),
    };
}

int store_account_get(struct store_db *db, const char *silo, struct store_account *account_out)
{
    struct store_query query;
    *account_out = (struct store_account){ .silo = NULL };
    store_query_begin(&query, db, "SELECT silo, pin, uid, node, alias FROM account WHERE silo = ?",
                      STORE_VALUES(bind_text(silo)));
    int result = store_query_next(&query);
    if (result == 1)
        *account_out = read_account(&query);
    store_query_end(&query);
    return result;
}

int store_account_list(struct store_db *db, store_account_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, "SELECT silo, pin, uid, node, alias FROM account ORDER BY silo", NULL);
    while ((result = store_query_next(&query)) == 1) {
        struct store_account account = read_account(&query);
        each(&account, ctx);
        store_account_free(&account);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_account_move(struct store_db *db, const char *from, const char *to)
{
    /* A pin without an account is what a first connection leaves that came to nothing. */
    if (store_execute(db, "DELETE FROM account WHERE silo = ? AND uid IS NULL", STORE_VALUES(bind_text(to))) < 0)
        return -1;
    return store_execute(db,
                         "UPDATE account SET silo = ? WHERE silo = ? AND uid IS NOT NULL"
                         " AND NOT EXISTS (SELECT 1 FROM account WHERE silo = ?)",
                         STORE_VALUES(bind_text(to), bind_text(from), bind_text(to)));
}

int store_account_set_pin(struct store_db *db, const char *silo, const char *pin)
{
    return store_execute(db,
                         "INSERT INTO account (silo, pin) VALUES (?, ?)"
                         " ON CONFLICT (silo) DO UPDATE SET pin = excluded.pin",
                         STORE_VALUES(bind_text(silo), bind_text(pin)));
}

int store_account_set_identity(struct store_db *db, const char *silo, const char *uid, const char *node,
                               const char *alias)
{
    return store_execute(
        db,
        "INSERT INTO account (silo, uid, node, alias) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (silo) DO UPDATE SET uid = excluded.uid, node = excluded.node, alias = excluded.alias",
        STORE_VALUES(bind_text(silo), bind_text(uid), bind_text(node), bind_text(alias)));
}

void store_account_free(struct store_account *account)
{
    free(account->silo);
    free(account->pin);
    free(account->uid);
    free(account->node);
    free(account->alias);
    *account = (struct store_account){ .silo = NULL };
}
