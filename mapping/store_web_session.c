/* store_web_session.c - sessions of browsers, tokens of programs; see store_web.h */
#include <stdlib.h>
#include <string.h>

#include "mapping/store_internal.h"
#include "mapping/store_web.h"

#define SESSION_COLUMNS                                                                                                \
    "SELECT web_session.id, account_id, web_account.name, web_session.created_at, seen_at, peer, agent"                \
    " FROM web_session JOIN web_account ON web_account.id = account_id"
#define TOKEN_COLUMNS "SELECT id, name, only_reads, created_at, created_by, expires_at, used_at FROM web_token"

int store_web_session_add(struct store_db *db, int64_t account_id, const uint8_t digest[static DIGEST_SIZE],
                          const char *peer, const char *agent, int64_t now)
{
    int64_t id;
    if (store_insert(db,
                     "INSERT INTO web_session (account_id, digest, created_at, seen_at, peer, agent)"
                     " VALUES (?, ?, ?, ?, ?, ?)",
                     STORE_VALUES(bind_int(account_id), bind_blob(digest, DIGEST_SIZE), bind_int(now), bind_int(now),
                                  bind_text(peer), bind_text(agent)),
                     &id) < 0)
        return -1;
    return store_execute(db,
                         "DELETE FROM web_session WHERE account_id = ? AND id NOT IN"
                         " (SELECT id FROM web_session WHERE account_id = ? ORDER BY seen_at DESC, id DESC LIMIT ?)",
                         STORE_VALUES(bind_int(account_id), bind_int(account_id), bind_int(STORE_WEB_SESSIONS_MAX))) < 0
               ? -1
               : 1;
}

static void take_session(const struct store_query *query, struct store_web_session *out)
{
    *out = (struct store_web_session){
        .id = store_query_int(query, 0),
        .account_id = store_query_int(query, 1),
        .account = store_query_copy(query, 2),
        .created_at = store_query_int(query, 3),
        .seen_at = store_query_int(query, 4),
        .peer = store_query_copy(query, 5),
        .agent = store_query_copy(query, 6),
    };
}

int store_web_session_find(struct store_db *db, const uint8_t digest[static DIGEST_SIZE], struct store_web_session *out)
{
    struct store_query query;
    *out = (struct store_web_session){ 0 };
    store_query_begin(&query, db, SESSION_COLUMNS " WHERE digest = ?", STORE_VALUES(bind_blob(digest, DIGEST_SIZE)));
    int result = store_query_next(&query);
    if (result == 1)
        take_session(&query, out);
    store_query_end(&query);
    return result;
}

void store_web_session_free(struct store_web_session *session)
{
    free(session->account);
    free(session->peer);
    free(session->agent);
    *session = (struct store_web_session){ 0 };
}

int store_web_session_list(struct store_db *db, int64_t account_id, store_web_session_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, SESSION_COLUMNS " WHERE account_id = ? ORDER BY seen_at DESC, web_session.id DESC",
                      STORE_VALUES(bind_int(account_id)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_web_session session;
        take_session(&query, &session);
        each(&session, ctx);
        store_web_session_free(&session);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_web_session_touch(struct store_db *db, int64_t id, int64_t now)
{
    return store_execute(db, "UPDATE web_session SET seen_at = ? WHERE id = ?",
                         STORE_VALUES(bind_int(now), bind_int(id)));
}

int store_web_session_end(struct store_db *db, int64_t account_id, int64_t id)
{
    return store_execute(db, "DELETE FROM web_session WHERE account_id = ? AND id = ?",
                         STORE_VALUES(bind_int(account_id), bind_int(id)));
}

int store_web_session_end_all(struct store_db *db, int64_t account_id, int64_t but_id)
{
    return store_execute(db, "DELETE FROM web_session WHERE account_id = ? AND id <> ?",
                         STORE_VALUES(bind_int(account_id), bind_int(but_id)));
}

int store_web_session_sweep(struct store_db *db, int64_t seen_before, int64_t created_before)
{
    return store_execute(db, "DELETE FROM web_session WHERE seen_at < ? OR created_at < ?",
                         STORE_VALUES(bind_int(seen_before), bind_int(created_before)));
}

int store_web_token_add(struct store_db *db, const struct store_web_token *token,
                        const uint8_t digest[static DIGEST_SIZE])
{
    return store_execute(db,
                         "INSERT INTO web_token (name, digest, only_reads, created_at, created_by, expires_at)"
                         " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                         STORE_VALUES(bind_text(token->name), bind_blob(digest, DIGEST_SIZE),
                                      bind_int(token->only_reads), bind_int(token->created_at),
                                      bind_text(token->created_by), bind_int(token->expires_at)));
}

static void take_token(const struct store_query *query, struct store_web_token *out)
{
    *out = (struct store_web_token){
        .id = store_query_int(query, 0),
        .name = store_query_copy(query, 1),
        .only_reads = store_query_int(query, 2) != 0,
        .created_at = store_query_int(query, 3),
        .created_by = store_query_copy(query, 4),
        .expires_at = store_query_int(query, 5),
        .used_at = store_query_int(query, 6),
    };
}

int store_web_token_find(struct store_db *db, const uint8_t digest[static DIGEST_SIZE], struct store_web_token *out)
{
    struct store_query query;
    *out = (struct store_web_token){ 0 };
    store_query_begin(&query, db, TOKEN_COLUMNS " WHERE digest = ?", STORE_VALUES(bind_blob(digest, DIGEST_SIZE)));
    int result = store_query_next(&query);
    if (result == 1)
        take_token(&query, out);
    store_query_end(&query);
    return result;
}

void store_web_token_free(struct store_web_token *token)
{
    free(token->name);
    free(token->created_by);
    *token = (struct store_web_token){ 0 };
}

int store_web_token_list(struct store_db *db, store_web_token_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, TOKEN_COLUMNS " ORDER BY name", NULL);
    while ((result = store_query_next(&query)) == 1) {
        struct store_web_token token;
        take_token(&query, &token);
        each(&token, ctx);
        store_web_token_free(&token);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_web_token_count(struct store_db *db, int64_t *count_out)
{
    return store_fetch_int(db, "SELECT count(*) FROM web_token", NULL, count_out);
}

int store_web_token_remove(struct store_db *db, const char *name)
{
    return store_execute(db, "DELETE FROM web_token WHERE name = ?", STORE_VALUES(bind_text(name)));
}

int store_web_token_touch(struct store_db *db, int64_t id, int64_t now)
{
    return store_execute(db, "UPDATE web_token SET used_at = ? WHERE id = ?",
                         STORE_VALUES(bind_int(now), bind_int(id)));
}
