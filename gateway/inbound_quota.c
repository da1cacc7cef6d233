/* inbound_quota.c - allowances of incoming mail: taken in the store operation that accepts it; see inbound_internal.h, quota.h
 *
 * What is over one is refused for now, with the code of a mailbox that can't take more: its sender's server comes again. The
 * words are the same whatever others have sent; which allowance it was, and whose, is in the log.
 */
#include "gateway/inbound_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "mapping/store_bucket.h"

enum { OWNER_SIZE = SMTP_ADDRESS_MAX + 2 };

static bool is_new(const struct mail_recipient *recipient)
{
    return recipient->verdict.decision == POLICY_ACCEPT && !recipient->repeated;
}

static void refuse(const struct mail *mail, struct mail_recipient *recipient, enum quota quota, const char *owner)
{
    static const char later[] = "please try again later";
    const struct bucket_rate *rate = &mail->rates.of[quota];
    struct policy_verdict *verdict = &recipient->verdict;
    if (!recipient->admitted)
        recipient->admitted = xmalloc(sizeof *recipient->admitted);
    *recipient->admitted = *verdict;
    recipient->is_over_quota = true;
    verdict->decision = POLICY_DEFER;
    verdict->reply = quota == QUOTA_IN_AUTHOR || quota == QUOTA_IN_AUTHOR_SIZE
                         ? smtp_reply_make(452, "4.2.1", "<%s> has sent all that may come from there in %s, %s",
                                           mail->from, bucket_period_name(rate), later)
                         : smtp_reply_make(452, "4.2.1", "too much mail is coming for now, %s", later);
    snprintf(verdict->reason, sizeof verdict->reason, "over %s%s%.100s", quota_name(quota), owner[0] ? " of " : "",
             owner);
}

void inbound_restore_quotas(struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (recipient->is_over_quota)
            recipient->verdict = *recipient->admitted;
        recipient->is_over_quota = false;
    }
}

/* 1 taken, 0 not, -1. */
static int take(struct store_db *db, const struct mail *mail, enum quota quota, const char *owner, int64_t amount)
{
    int64_t wait_ms;
    if (quota_find_wait(db, &mail->rates, quota, owner, amount, mail->now, &wait_ms) < 0)
        return -1;
    if (wait_ms > 0)
        return 0;
    return quota_take(db, &mail->rates, quota, owner, amount, mail->now);
}

/* Of the mail as a whole, however many it is for. 0: it is over one of them, and refused for all. */
static int take_for_all(struct store_db *db, struct mail *mail)
{
    const char *at = strrchr(mail->from, '@');
    const struct {
        enum quota quota;
        const char *owner;
        int64_t amount;
    } taken[] = {
        { QUOTA_IN_AUTHOR, mail->from, 1 },
        { QUOTA_IN_AUTHOR_SIZE, mail->from, quota_kib(mail->size) },
        { QUOTA_IN_DOMAIN, at ? at + 1 : "", 1 },
        { QUOTA_IN_DOMAIN_SIZE, at ? at + 1 : "", quota_kib(mail->size) },
        { QUOTA_IN_ALL, "", 1 },
    };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        int result = take(db, mail, taken[i].quota, taken[i].owner, taken[i].amount);
        if (result < 0)
            return -1;
        for (size_t k = 0; k < mail->count && result == 0; k++)
            if (is_new(&mail->recipients[k]))
                refuse(mail, &mail->recipients[k], taken[i].quota, taken[i].owner);
        if (result == 0)
            return 0;
    }
    return 1;
}

/* Somebody who was named twice gets it once. */
static const struct mail_recipient *first_of(const struct mail *mail, const struct mail_recipient *recipient)
{
    const struct mail_recipient *first = mail->recipients;
    while (first < recipient && (first->repeated || !store_target_equal(first->target, recipient->target) ||
                                 (!first->is_over_quota && first->verdict.decision != POLICY_ACCEPT)))
        first++;
    return first;
}

static int take_for_one(struct store_db *db, const struct mail *mail, struct mail_recipient *recipient)
{
    char owner[OWNER_SIZE];
    const struct mail_recipient *first = first_of(mail, recipient);
    snprintf(owner, sizeof owner, "%s %lld", recipient->target.group_id ? "group" : "member",
             (long long)(recipient->target.group_id ? recipient->target.group_id : recipient->target.member_id));
    int result = first < recipient ? !first->is_over_quota : take(db, mail, QUOTA_IN_MEMBER, owner, 1);
    if (result == 0)
        refuse(mail, recipient, QUOTA_IN_MEMBER, owner);
    return result;
}

int inbound_take_quotas(struct store_db *db, struct mail *mail, size_t *fresh)
{
    size_t mark = store_bucket_mark(db), left = 0, over = 0;
    int result = take_for_all(db, mail);
    for (size_t i = 0; i < mail->count && result == 1; i++) {
        if (!is_new(&mail->recipients[i]))
            continue;
        int taken = take_for_one(db, mail, &mail->recipients[i]);
        if (taken < 0)
            return -1;
        left += (size_t)taken;
        over += !taken;
    }
    if (result < 0)
        return -1;
    bool is_refused = left == 0 || (over > 0 && !mail->lmtp);
    if (is_refused)
        store_bucket_undo(db, mark);
    *fresh = left;
    return !is_refused || mail->lmtp;
}

void inbound_log_quotas(const struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].is_over_quota)
            log_info("mail.limited", "session=%s transaction=%s from=%s to=%s size=%lld because=%s",
                     smtp_transaction_session(mail->transaction)->session_id, smtp_transaction_id(mail->transaction),
                     mail->from, mail->recipients[i].address, (long long)mail->size,
                     mail->recipients[i].verdict.reason);
}
