/* store_secret.c - see store_secret.h */
#include "mapping/store_secret.h"

#include <string.h>

#include "base/digest.h"
#include "mapping/store_internal.h"

static int find(struct store_db *db, uint8_t secret_out[static STORE_SECRET_SIZE])
{
    struct store_query query;
    store_query_begin(&query, db, "SELECT value FROM secret WHERE name = 'ids'", NULL);
    int result = store_query_next(&query);
    if (result == 1)
        memcpy(secret_out, sqlite3_column_blob(query.handle, 0),
               STORE_SECRET_SIZE); /* its size is the schema's CHECK */
    store_query_end(&query);
    return result;
}

int store_secret_make(struct store_db *db)
{
    uint8_t secret[STORE_SECRET_SIZE];
    int result = find(db, secret);
    if (result == 0) {
        random_bytes(secret, sizeof secret);
        result = store_execute(db, "INSERT INTO secret (name, value) VALUES ('ids', ?)",
                               STORE_VALUES(bind_blob(secret, sizeof secret)));
    }
    explicit_bzero(secret, sizeof secret);
    return result == 1 ? 1 : -1;
}

int store_secret_get(struct store_db *db, uint8_t secret_out[static STORE_SECRET_SIZE])
{
    return find(db, secret_out) == 1 ? 1 : -1;
}
