/* store_account.h - the gateway's own silo account (uid and node password: the file's mode protects them) */
#pragma once
#include "mapping/store.h"

struct store_account {
    char *silo; /* address as configured; another address means another account */
    char *pin;  /* NULL before the first connection */
    char *uid;  /* NULL before registration */
    char *node;
    char *alias; /* NULL when the silo refused it */
};
/* 0: nothing is known of this silo yet. */
int store_account_get(struct store_db *db, const char *silo, struct store_account *account_out)
    __attribute__((warn_unused_result));
typedef void store_account_each(const struct store_account *account, void *ctx);
/* By address. */
int store_account_list(struct store_db *db, store_account_each *each, void *ctx) __attribute__((warn_unused_result));
/* The silo has another address now. 0: there is no account under `from`, or there is one under `to` already. */
int store_account_move(struct store_db *db, const char *from, const char *to) __attribute__((warn_unused_result));
int store_account_set_pin(struct store_db *db, const char *silo, const char *pin) __attribute__((warn_unused_result));
int store_account_set_identity(struct store_db *db, const char *silo, const char *uid, const char *node,
                               const char *alias) __attribute__((warn_unused_result));
void store_account_free(struct store_account *account);
