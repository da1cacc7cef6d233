#include "gateway/tidy.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/quota.h"
#include "mapping/store_forward.h"
#include "mapping/store_named.h"
#include "mapping/store_queue.h"
#include "mapping/store_refusal.h"

enum {
    CLOCK_TOLERANCE_MS = 2 * 60 * 1000,
    SEEN_BATCH = 1000, /* rows forgotten at a time */
    EXCERPT_BATCH = 1000,
    LATE_BATCH = 5000, /* entries brought forward at a time */
};
static const int64_t seen_tmtp_ms = INT64_C(90) * 24 * 3600 * 1000;
static const int64_t excerpts_kept_ms = INT64_C(30) * 24 * 3600 * 1000; /* of mail, to be quoted in answers */
static const int64_t files_awaited_ms = INT64_C(30) * 24 * 3600 * 1000; /* after a thread was forwarded */

struct tidying {
    int64_t now, retry_longest_ms;
    int64_t excerpts_before; /* are erased */
    struct quota_rates rates;
};

/* Whatever a clock that was wrong has put off beyond any retry, or beyond what waits for an allowance, is due now. */
static int bring_forward(struct store_db *db, const struct tidying *tidying)
{
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_RETURNED; queue++) {
        bool may_be_limited = queue == STORE_QUEUE_OUT && quota_wait_max_ms > tidying->retry_longest_ms;
        int64_t longest_ms = may_be_limited ? quota_wait_max_ms : tidying->retry_longest_ms;
        if (store_queue_bring_forward(db, queue, tidying->now + longest_ms + CLOCK_TOLERANCE_MS, tidying->now,
                                      LATE_BATCH) < 0)
            return -1;
    }
    return 1;
}

static int run(struct store_db *db, void *arg)
{
    const struct tidying *tidying = arg;
    if (bring_forward(db, tidying) < 0 || quota_tidy(db, &tidying->rates, tidying->now) < 0 ||
        store_forward_expire(db, tidying->now - files_awaited_ms) < 0 ||
        store_excerpt_expire(db, tidying->excerpts_before, EXCERPT_BATCH) < 0 ||
        store_refusal_tidy(db, tidying->now) < 0)
        return -1;
    return store_seen_expire(db, tidying->now - seen_tmtp_ms, SEEN_BATCH);
}

static void done(int result, void *arg)
{
    (void)result;
    free(arg);
}

void tidy_begin(const struct parts *parts)
{
    const struct config *config = parts->config;
    struct tidying *tidying = xcalloc(1, sizeof *tidying);
    tidying->now = clock_wall_ms(parts->clock);
    tidying->retry_longest_ms = config->retry.longest_ms;
    tidying->excerpts_before = config->content.quotes_answered ? tidying->now - excerpts_kept_ms : INT64_MAX;
    tidying->rates = config->limits.quotas;
    store_submit(parts->store, run, done, tidying);
}
