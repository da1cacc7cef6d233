/* outbound_quota.c - allowances of what members write (quota.h): what is over them waits; see outbound_internal.h
 *
 * Who writes more than goes out at once has the rest go out later, in order and at the allowance's pace: it takes what it needs
 * ahead of time, in the operation that accepts it, and is due when it would have been there. So nothing is asked again, also not
 * after a restart. What would have to wait for more than a day is refused, so that nobody fills the queue.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"

enum { WORTH_TELLING_MS = 60 * 1000 };

/* Of one message to one correspondent; its size is kept once, so it counts with the first. */
struct share {
    enum quota quota;
    const char *owner;
    int64_t amount;
};
enum { SHARES = 5 };

static size_t find_shares(const struct taking *taking, const char *address, bool is_first,
                          struct share shares_out[static SHARES])
{
    const char *at = strrchr(address, '@'), *uid = taking->author.uid;
    const struct spool *content = taking->arrival->content; /* NULL: this says for whom what was kept before is */
    shares_out[0] = (struct share){ QUOTA_OUT_AUTHOR, uid, 1 };
    shares_out[1] = (struct share){ QUOTA_OUT_CORRESPONDENT, address, 1 };
    shares_out[2] = (struct share){ QUOTA_OUT_DOMAIN, at ? at + 1 : "", 1 };
    shares_out[3] = (struct share){ QUOTA_OUT_ALL, "", 1 };
    if (!is_first || !content)
        return SHARES - 1;
    shares_out[SHARES - 1] = (struct share){ QUOTA_OUT_AUTHOR_SIZE, uid, quota_kib(spool_size(content)) };
    return SHARES;
}

/* 1 taken, maybe ahead of time; 0: too far ahead, and nothing is taken; -1. */
static int take(struct taking *taking, const char *address, bool is_first)
{
    const struct arrival *arrival = taking->arrival;
    struct share shares[SHARES];
    int64_t longest_ms = 0, wait_ms;
    enum quota by = QUOTA_OUT_AUTHOR;
    size_t count = find_shares(taking, address, is_first, shares);
    for (size_t i = 0; i < count; i++) {
        if (quota_find_wait(taking->db, &arrival->rates, shares[i].quota, shares[i].owner, shares[i].amount,
                            arrival->now, &wait_ms) < 0)
            return -1;
        if (wait_ms > longest_ms) {
            longest_ms = wait_ms;
            by = shares[i].quota;
        }
    }
    if (longest_ms > quota_wait_max_ms)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (quota_take(taking->db, &arrival->rates, shares[i].quota, shares[i].owner, shares[i].amount, arrival->now) <
            0)
            return -1;
    if (longest_ms > taking->wait_ms) {
        taking->wait_ms = longest_ms;
        taking->waits_for = by;
    }
    return 1;
}

int outbound_take_room(struct taking *taking)
{
    const struct arrival *arrival = taking->arrival;
    int64_t kib = quota_kib(spool_size(arrival->content)), wait_ms;
    if (quota_find_wait(taking->db, &arrival->rates, QUOTA_OUT_AUTHOR_SIZE, taking->author.uid, kib, arrival->now,
                        &wait_ms) < 0)
        return -1;
    if (wait_ms > quota_wait_max_ms)
        return 0;
    return quota_take(taking->db, &arrival->rates, QUOTA_OUT_AUTHOR_SIZE, taking->author.uid, kib, arrival->now);
}

int outbound_keep_within_quotas(struct taking *taking, struct notice_list *refused)
{
    size_t kept = 0;
    taking->wait_ms = 0;
    for (size_t i = 0; i < taking->count; i++) {
        struct store_correspondent correspondent;
        if (store_correspondent_find(taking->db, taking->recipients[i].correspondent_id, &correspondent) != 1)
            return -1;
        int taken = take(taking, correspondent.address, kept == 0);
        if (taken == 0)
            notice_list_add(refused,
                            "%s: more has been written than may go out in a day; please send it again tomorrow",
                            correspondent.address);
        store_correspondent_free(&correspondent);
        if (taken < 0)
            return -1;
        if (taken == 1)
            taking->recipients[kept++] = taking->recipients[i];
    }
    taking->count = kept;
    return 1;
}

/* Once a day, and not about a moment. */
static int tell_author(struct taking *taking, const char *when)
{
    const struct arrival *arrival = taking->arrival;
    const struct bucket_rate *rate = &arrival->rates.of[taking->waits_for];
    if (taking->wait_ms < WORTH_TELLING_MS || !taking->author.uid[0] || arrival->message.queue_key)
        return 1;
    int may = quota_may_tell(taking->db, taking->author.uid, arrival->now);
    if (may != 1)
        return may < 0 ? -1 : 1;
    struct strbuf text;
    strbuf_init(&text, 1000);
    if (taking->waits_for == QUOTA_OUT_AUTHOR)
        strbuf_add_fmt(&text,
                       "You have written more by email than goes out at once: %" PRId64 " messages in %s, each counted "
                       "for each of its recipients outside.",
                       rate->amount, bucket_period_name(rate));
    else if (taking->waits_for == QUOTA_OUT_AUTHOR_SIZE)
        strbuf_add_fmt(&text, "You have sent more by email than goes out at once: %" PRId64 " MiB in %s.",
                       rate->amount / 1024, bucket_period_name(rate));
    else
        strbuf_add_str(&text, "More is being written by email than goes out at once.");
    strbuf_add_fmt(&text,
                   " This message goes out at about %s, and what you write meanwhile after it. You need not do "
                   "anything.\n",
                   when);
    return outbound_add_notice(taking, "Sent later", &text);
}

int outbound_put_off(struct taking *taking)
{
    static const char waits[] = "more is written than goes out at once (limits)";
    const struct arrival *arrival = taking->arrival;
    char when[CLOCK_RFC3339_SIZE];
    if (taking->wait_ms == 0)
        return 1;
    clock_format_rfc3339(arrival->now + taking->wait_ms, when);
    if (store_queue_postpone(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now + taking->wait_ms, waits) != 1 ||
        store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "limited",
                        "over limits.%s: goes out at %s", quota_name(taking->waits_for), when) != 1)
        return -1;
    return tell_author(taking, when);
}
