/* store_secret.h - a secret of this database, made when it is first opened; what the gateway signs its ids with
 *
 * 32 octets from the kernel. It is in every copy of the database, so that what was signed before a backup is known after
 * it; like all of the database it is for the daemon's eyes only, and is never logged.
 */
#pragma once
#include "mapping/store.h"

enum { STORE_SECRET_SIZE = 32 };

/* 1; -1 database error. */
int store_secret_get(struct store_db *db, uint8_t secret_out[static STORE_SECRET_SIZE])
    __attribute__((warn_unused_result));
