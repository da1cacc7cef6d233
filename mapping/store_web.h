/* store_web.h - the accounts of the web page, their sessions, and the tokens of its API
 *
 * Nothing here lets anybody in who reads it: of passwords there is what argon2id makes of them, of the random values that browsers and
 * programs hold their SHA-256. Only secrets of one-time codes are as they are, for that is how TOTP works (RFC 6238).
 *
 * Names are checked by the caller: lower case, STORE_WEB_NAME_MAX octets. Functions that write are for the writer.
 */
#pragma once
#include "base/digest.h"
#include "mapping/store.h"
#include <stddef.h>

enum {
    STORE_WEB_NAME_MAX = 64,
    STORE_WEB_ACCOUNTS_MAX = 200,
    STORE_WEB_SESSIONS_MAX = 20, /* of one account: the one that was used longest ago goes */
    STORE_WEB_TOKENS_MAX = 200,
    STORE_WEB_TOTP_SIZE = 20, /* octets of a secret: as long as the hash, RFC 4226 section 4 */
};

enum store_web_totp {
    STORE_WEB_TOTP_NONE,
    STORE_WEB_TOTP_BEGUN, /* a secret was shown, no code has come yet: nobody is asked for one */
    STORE_WEB_TOTP_ON,
};

struct store_web_account {
    int64_t id;
    char *name;
    char *password; /* what base/password.h made of it */
    int64_t created_at, password_at;
    int64_t signed_in_at; /* 0: never */
    enum store_web_totp totp;
    uint8_t totp_secret[STORE_WEB_TOTP_SIZE];
    int64_t recovery_codes; /* that are left */
    int64_t sessions;
};
int store_web_account_find(struct store_db *db, const char *name, struct store_web_account *out)
    __attribute__((warn_unused_result));
void store_web_account_free(struct store_web_account *account);
typedef void store_web_account_each(const struct store_web_account *account, void *ctx);
int store_web_account_list(struct store_db *db, store_web_account_each *each, void *ctx) /* by name */
    __attribute__((warn_unused_result));
int store_web_account_count(struct store_db *db, int64_t *count_out) __attribute__((warn_unused_result));
/* 0: there is one of that name. */
int store_web_account_add(struct store_db *db, const char *name, const char *password, int64_t now)
    __attribute__((warn_unused_result));
/* With its sessions and codes. 0: there is none. */
int store_web_account_remove(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
int store_web_account_set_password(struct store_db *db, int64_t id, const char *password, int64_t now)
    __attribute__((warn_unused_result));
/* The same password, worked on in another way. 0: it is another one meanwhile. */
int store_web_account_rehash(struct store_db *db, int64_t id, const char *was, const char *is)
    __attribute__((warn_unused_result));
int store_web_account_note_sign_in(struct store_db *db, int64_t id, int64_t now) __attribute__((warn_unused_result));

/* secret NULL with STORE_WEB_TOTP_NONE: recovery codes go, too. With STORE_WEB_TOTP_ON the secret that was begun stays. */
int store_web_totp_set(struct store_db *db, int64_t id, enum store_web_totp totp, const uint8_t *secret)
    __attribute__((warn_unused_result));
/* A code of this step of time was right. 0: one of this step or a later one was used already. */
int store_web_totp_use(struct store_db *db, int64_t id, int64_t step) __attribute__((warn_unused_result));
int store_web_recovery_add(struct store_db *db, int64_t id, const uint8_t code[static DIGEST_SIZE])
    __attribute__((warn_unused_result));
int store_web_recovery_use(struct store_db *db, int64_t id,
                           const uint8_t code[static DIGEST_SIZE]) /* 0: not one of them */
    __attribute__((warn_unused_result));

struct store_web_session {
    int64_t id, account_id;
    char *account;
    int64_t created_at, seen_at;
    char *peer, *agent; /* from where, and what the browser calls itself; for people */
};
int store_web_session_add(struct store_db *db, int64_t account_id, const uint8_t digest[static DIGEST_SIZE],
                          const char *peer, const char *agent, int64_t now) __attribute__((warn_unused_result));
int store_web_session_find(struct store_db *db, const uint8_t digest[static DIGEST_SIZE], struct store_web_session *out)
    __attribute__((warn_unused_result));
void store_web_session_free(struct store_web_session *session);
typedef void store_web_session_each(const struct store_web_session *session, void *ctx);
int store_web_session_list(struct store_db *db, int64_t account_id, store_web_session_each *each, void *ctx)
    __attribute__((warn_unused_result)); /* the one that was used last first */
int store_web_session_touch(struct store_db *db, int64_t id, int64_t now) __attribute__((warn_unused_result));
int store_web_session_end(struct store_db *db, int64_t account_id, int64_t id) __attribute__((warn_unused_result));
/* All of an account but one (0: none). */
int store_web_session_end_all(struct store_db *db, int64_t account_id, int64_t but_id)
    __attribute__((warn_unused_result));
/* Those that were last used, or begun, before. */
int store_web_session_sweep(struct store_db *db, int64_t seen_before, int64_t created_before)
    __attribute__((warn_unused_result));

struct store_web_token {
    int64_t id;
    char *name;
    bool only_reads;
    int64_t created_at;
    char *created_by;
    int64_t expires_at; /* 0: never */
    int64_t used_at;    /* 0: never; to the hour or so */
};
/* 0: there is one of that name. */
int store_web_token_add(struct store_db *db, const struct store_web_token *token,
                        const uint8_t digest[static DIGEST_SIZE]) __attribute__((warn_unused_result));
int store_web_token_find(struct store_db *db, const uint8_t digest[static DIGEST_SIZE], struct store_web_token *out)
    __attribute__((warn_unused_result));
void store_web_token_free(struct store_web_token *token);
typedef void store_web_token_each(const struct store_web_token *token, void *ctx);
int store_web_token_list(struct store_db *db, store_web_token_each *each, void *ctx) /* by name */
    __attribute__((warn_unused_result));
int store_web_token_count(struct store_db *db, int64_t *count_out) __attribute__((warn_unused_result));
int store_web_token_remove(struct store_db *db, const char *name) __attribute__((warn_unused_result));
int store_web_token_touch(struct store_db *db, int64_t id, int64_t now) __attribute__((warn_unused_result));
