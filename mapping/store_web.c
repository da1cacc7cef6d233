/* store_web.c - accounts, and their second factor; see store_web.h */
#include "mapping/store_web.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/store_internal.h"

#define ACCOUNT_COLUMNS                                                                                                \
    "SELECT id, name, password, created_at, password_at, signed_in_at, totp_state, totp_secret,"                       \
    " (SELECT count(*) FROM web_recovery WHERE account_id = web_account.id),"                                          \
    " (SELECT count(*) FROM web_session WHERE account_id = web_account.id) FROM web_account"

static const char *const totp_names[] = {
    [STORE_WEB_TOTP_NONE] = "none", [STORE_WEB_TOTP_BEGUN] = "begun", [STORE_WEB_TOTP_ON] = "on"
};

static void take_account(const struct store_query *query, struct store_web_account *out)
{
    int totp = STORE_WEB_TOTP_ON;
    while (totp > 0 && strcmp(store_query_text(query, 6), totp_names[totp]) != 0)
        totp--;
    *out = (struct store_web_account){
        .id = store_query_int(query, 0),
        .name = store_query_copy(query, 1),
        .password = store_query_copy(query, 2),
        .created_at = store_query_int(query, 3),
        .password_at = store_query_int(query, 4),
        .signed_in_at = store_query_int(query, 5),
        .totp = (enum store_web_totp)totp,
        .recovery_codes = store_query_int(query, 8),
        .sessions = store_query_int(query, 9),
    };
    if (sqlite3_column_bytes(query->handle, 7) == STORE_WEB_TOTP_SIZE)
        memcpy(out->totp_secret, sqlite3_column_blob(query->handle, 7), STORE_WEB_TOTP_SIZE);
}

int store_web_account_find(struct store_db *db, const char *name, struct store_web_account *out)
{
    struct store_query query;
    *out = (struct store_web_account){ 0 };
    store_query_begin(&query, db, ACCOUNT_COLUMNS " WHERE name = ?", STORE_VALUES(bind_text(name)));
    int result = store_query_next(&query);
    if (result == 1)
        take_account(&query, out);
    store_query_end(&query);
    return result;
}

void store_web_account_free(struct store_web_account *account)
{
    free(account->name);
    free(account->password);
    explicit_bzero(account, sizeof *account);
}

int store_web_account_list(struct store_db *db, store_web_account_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, ACCOUNT_COLUMNS " ORDER BY name", NULL);
    while ((result = store_query_next(&query)) == 1) {
        struct store_web_account account;
        take_account(&query, &account);
        each(&account, ctx);
        store_web_account_free(&account);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_web_account_count(struct store_db *db, int64_t *count_out)
{
    return store_fetch_int(db, "SELECT count(*) FROM web_account", NULL, count_out);
}

int store_web_account_add(struct store_db *db, const char *name, const char *password, int64_t now)
{
    return store_execute(db,
                         "INSERT INTO web_account (name, password, created_at, password_at) VALUES (?, ?, ?, ?)"
                         " ON CONFLICT (name) DO NOTHING",
                         STORE_VALUES(bind_text(name), bind_text(password), bind_int(now), bind_int(now)));
}

int store_web_account_remove(struct store_db *db, int64_t id)
{
    if (store_execute(db, "DELETE FROM web_session WHERE account_id = ?", STORE_VALUES(bind_int(id))) < 0 ||
        store_execute(db, "DELETE FROM web_recovery WHERE account_id = ?", STORE_VALUES(bind_int(id))) < 0)
        return -1;
    return store_execute(db, "DELETE FROM web_account WHERE id = ?", STORE_VALUES(bind_int(id)));
}

int store_web_account_set_password(struct store_db *db, int64_t id, const char *password, int64_t now)
{
    return store_execute(db, "UPDATE web_account SET password = ?, password_at = ? WHERE id = ?",
                         STORE_VALUES(bind_text(password), bind_int(now), bind_int(id)));
}

int store_web_account_rehash(struct store_db *db, int64_t id, const char *was, const char *is)
{
    return store_execute(db, "UPDATE web_account SET password = ? WHERE id = ? AND password = ?",
                         STORE_VALUES(bind_text(is), bind_int(id), bind_text(was)));
}

int store_web_account_note_sign_in(struct store_db *db, int64_t id, int64_t now)
{
    return store_execute(db, "UPDATE web_account SET signed_in_at = ? WHERE id = ?",
                         STORE_VALUES(bind_int(now), bind_int(id)));
}

int store_web_totp_set(struct store_db *db, int64_t id, enum store_web_totp totp, const uint8_t *secret)
{
    assert((totp == STORE_WEB_TOTP_BEGUN) == (secret != NULL));
    if (totp == STORE_WEB_TOTP_ON)
        return store_execute(db, "UPDATE web_account SET totp_state = 'on' WHERE id = ? AND totp_state = 'begun'",
                             STORE_VALUES(bind_int(id)));
    if (totp == STORE_WEB_TOTP_BEGUN)
        return store_execute(db,
                             "UPDATE web_account SET totp_state = 'begun', totp_secret = ?, totp_step = 0 WHERE id = ?",
                             STORE_VALUES(bind_blob(secret, STORE_WEB_TOTP_SIZE), bind_int(id)));
    if (store_execute(db, "DELETE FROM web_recovery WHERE account_id = ?", STORE_VALUES(bind_int(id))) < 0)
        return -1;
    return store_execute(db,
                         "UPDATE web_account SET totp_state = 'none', totp_secret = NULL, totp_step = 0 WHERE id = ?",
                         STORE_VALUES(bind_int(id)));
}

int store_web_totp_use(struct store_db *db, int64_t id, int64_t step)
{
    return store_execute(db, "UPDATE web_account SET totp_step = ? WHERE id = ? AND totp_step < ?",
                         STORE_VALUES(bind_int(step), bind_int(id), bind_int(step)));
}

int store_web_recovery_add(struct store_db *db, int64_t id, const uint8_t code[static DIGEST_SIZE])
{
    return store_execute(db, "INSERT INTO web_recovery (account_id, digest) VALUES (?, ?)",
                         STORE_VALUES(bind_int(id), bind_blob(code, DIGEST_SIZE)));
}

int store_web_recovery_use(struct store_db *db, int64_t id, const uint8_t code[static DIGEST_SIZE])
{
    return store_execute(db, "DELETE FROM web_recovery WHERE account_id = ? AND digest = ?",
                         STORE_VALUES(bind_int(id), bind_blob(code, DIGEST_SIZE)));
}
