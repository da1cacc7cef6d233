/* store_bucket.h - how much of their allowances people have spent (gateway/bucket.h has the arithmetic)
 *
 * An allowance is known by its kind and its owner's name; of one that was never spent there is no row. Many messages spend the
 * same ones, so the committer keeps in memory what it has read lately, and writes each once in a transaction, however many of its
 * operations have set it, with the commit that they belong to. What an operation has set is undone with it.
 */
#pragma once
#include "mapping/store.h"
#include <stddef.h>

/* When it is whole again, in microseconds since 1970; 0: nothing is spent. kind: a literal. 1 or -1. */
int store_bucket_get(struct store_db *db, const char *kind, const char *name, int64_t *whole_us_out)
    __attribute__((warn_unused_result));
/* Writer only, after store_bucket_get() of the same in the same operation. */
void store_bucket_set(struct store_db *db, const char *kind, const char *name, int64_t whole_us);

/* Writer only: what an operation has set since the mark can be taken back without ending it. */
size_t store_bucket_mark(const struct store_db *db);
void store_bucket_undo(struct store_db *db, size_t mark);

/* What whole_us is to be; 0: the row goes. */
typedef int64_t store_bucket_judge(const char *kind, int64_t whole_us, void *ctx);
/* Writer only. Looks at some rows (500), going on where the last call ended, so that those of allowances that are whole again go
 * some day. 1 or -1. */
int store_bucket_sweep(struct store_db *db, store_bucket_judge *judge, void *ctx) __attribute__((warn_unused_result));
