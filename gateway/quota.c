/* quota.c - see quota.h */
#include "gateway/quota.h"

#include <string.h>

#include "mapping/store_bucket.h"

static const int64_t ms_us = 1000;
const int64_t quota_wait_max_ms = INT64_C(24) * 3600 * 1000;

static const char *const names[QUOTA_COUNT] = {
    [QUOTA_IN_AUTHOR] = "in_correspondent",
    [QUOTA_IN_AUTHOR_SIZE] = "in_correspondent_size",
    [QUOTA_IN_DOMAIN] = "in_domain",
    [QUOTA_IN_DOMAIN_SIZE] = "in_domain_size",
    [QUOTA_IN_MEMBER] = "in_member",
    [QUOTA_IN_ALL] = "in_overall",
    [QUOTA_OUT_AUTHOR] = "out_member",
    [QUOTA_OUT_AUTHOR_SIZE] = "out_member_size",
    [QUOTA_OUT_CORRESPONDENT] = "out_correspondent",
    [QUOTA_OUT_DOMAIN] = "out_domain",
    [QUOTA_OUT_ALL] = "out_overall",
};
static const char told[] = "told";
static const struct bucket_rate once_a_day = { .amount = 1, .burst = 1, .period_us = INT64_C(86400) * 1000 * 1000 };

const char *quota_name(enum quota quota)
{
    return names[quota];
}

bool quota_is_size(enum quota quota)
{
    return quota == QUOTA_IN_AUTHOR_SIZE || quota == QUOTA_IN_DOMAIN_SIZE || quota == QUOTA_OUT_AUTHOR_SIZE;
}

int quota_find_wait(struct store_db *db, const struct quota_rates *rates, enum quota quota, const char *owner,
                    int64_t amount, int64_t now_ms, int64_t *wait_ms_out)
{
    int64_t whole_us;
    *wait_ms_out = 0;
    if (rates->of[quota].amount == 0)
        return 1;
    if (store_bucket_get(db, names[quota], owner, &whole_us) < 0)
        return -1;
    int64_t wait_us = bucket_wait(&rates->of[quota], whole_us, amount, now_ms * ms_us);
    *wait_ms_out = (wait_us + ms_us - 1) / ms_us;
    return 1;
}

int quota_take(struct store_db *db, const struct quota_rates *rates, enum quota quota, const char *owner,
               int64_t amount, int64_t now_ms)
{
    int64_t whole_us;
    if (rates->of[quota].amount == 0)
        return 1;
    if (store_bucket_get(db, names[quota], owner, &whole_us) < 0)
        return -1;
    store_bucket_set(db, names[quota], owner, bucket_take(&rates->of[quota], whole_us, amount, now_ms * ms_us));
    return 1;
}

int quota_may_tell(struct store_db *db, const char *uid, int64_t now_ms)
{
    int64_t whole_us;
    if (store_bucket_get(db, told, uid, &whole_us) < 0)
        return -1;
    if (bucket_wait(&once_a_day, whole_us, 1, now_ms * ms_us) > 0)
        return 0;
    store_bucket_set(db, told, uid, bucket_take(&once_a_day, whole_us, 1, now_ms * ms_us));
    return 1;
}

struct tidying {
    const struct quota_rates *rates;
    int64_t now_us;
};

static int64_t judge(const char *kind, int64_t whole_us, void *ctx)
{
    const struct tidying *tidying = ctx;
    if (strcmp(kind, told) == 0)
        return bucket_repair(&once_a_day, whole_us, 0, tidying->now_us);
    for (size_t i = 0; i < QUOTA_COUNT; i++) {
        bool is_reserved = i >= QUOTA_OUT_AUTHOR;
        if (strcmp(kind, names[i]) == 0)
            return bucket_repair(&tidying->rates->of[i], whole_us, is_reserved ? quota_wait_max_ms * ms_us : 0,
                                 tidying->now_us);
    }
    return 0; /* of another version */
}

int quota_tidy(struct store_db *db, const struct quota_rates *rates, int64_t now_ms)
{
    struct tidying tidying = { .rates = rates, .now_us = now_ms * ms_us };
    return store_bucket_sweep(db, judge, &tidying);
}
