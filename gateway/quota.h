/* quota.h - how much may come and go: the allowances of the section `limits`, kept in the database
 *
 * Mail that comes in takes one for its author, the author's domain and everybody together, author and domain also one for each KiB;
 * and one for each member or group that it is for. A message that goes out takes one for its author, for the correspondent, for
 * their domain and for everybody, each time for each correspondent; and one of its author's for each KiB. All of that happens in the store operation that accepts it: what is
 * refused, or came before, takes nothing.
 */
#pragma once
#include "gateway/bucket.h"

struct config;
struct store_db;

enum quota {
    QUOTA_IN_AUTHOR,      /* an address */
    QUOTA_IN_AUTHOR_SIZE, /* KiB */
    QUOTA_IN_DOMAIN,      /* of the author */
    QUOTA_IN_DOMAIN_SIZE, /* KiB */
    QUOTA_IN_MEMBER,      /* or group */
    QUOTA_IN_ALL,
    QUOTA_OUT_AUTHOR,      /* an account in the silo */
    QUOTA_OUT_AUTHOR_SIZE, /* KiB */
    QUOTA_OUT_CORRESPONDENT,
    QUOTA_OUT_DOMAIN,
    QUOTA_OUT_ALL,
    QUOTA_COUNT,
};

/* Goes with what is to be accepted: the configuration may be another when it is. */
struct quota_rates {
    struct bucket_rate of[QUOTA_COUNT];
};

/* The key in the section `limits`, which is the kind of its rows, too (store_bucket.h). */
const char *quota_name(enum quota quota);
bool quota_is_size(enum quota quota);
static inline int64_t quota_kib(int64_t bytes)
{
    return (bytes + 1023) / 1024;
}

/* Of one owner, in an operation. How long until so much may be taken; 0: now. 1 or -1. */
int quota_find_wait(struct store_db *db, const struct quota_rates *rates, enum quota quota, const char *owner,
                    int64_t amount, int64_t now_ms, int64_t *wait_ms_out) __attribute__((warn_unused_result));
/* Takes it, now or ahead of time. 1 or -1. */
int quota_take(struct store_db *db, const struct quota_rates *rates, enum quota quota, const char *owner,
               int64_t amount, int64_t now_ms) __attribute__((warn_unused_result));

/* May somebody be told something that one is told once a day? Then they are being told. 1 yes, 0 no, -1. */
int quota_may_tell(struct store_db *db, const char *uid, int64_t now_ms) __attribute__((warn_unused_result));

/* What members write ahead of time waits so long at most; what would wait longer is refused. */
extern const int64_t quota_wait_max_ms;

/* Some of what is kept (store_bucket_sweep()): whole allowances are forgotten. In an operation, now and then. 1 or -1. */
int quota_tidy(struct store_db *db, const struct quota_rates *rates, int64_t now_ms)
    __attribute__((warn_unused_result));
