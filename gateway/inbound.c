/* inbound.c - from RCPT to 250
 *
 * The header is looked at on the loop (bounded, smtp/mail_header.h); the content itself is only counted, digested (by a
 * thread of its own, if it is not small) and stored: small content on the committer's thread, large content before that on the
 * background thread, which waits for the disk. Nobody parses it here.
 */
#include "gateway/inbound_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/hold.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/recipient.h"
#include "gateway/refusals.h"
#include "mapping/store_draft.h"
#include "smtp/smtp_params.h"

enum { DIGEST_ASIDE = 16 * 1024 };

static void mail_free(struct mail *mail)
{
    store_draft_free(&mail->draft);
    inbound_hold_free(mail);
    spool_free(&mail->content);
    mail_header_facts_free(&mail->header);
    free(mail->session);
    free(mail->checked);
    inbound_forget_verdicts(mail);
    for (size_t i = 0; i < mail->count; i++)
        free(mail->recipients[i].admitted);
    free(mail->recipients);
    free(mail);
}

/* What comes to a return address is about one message, and SMTP has one reply: so it has one recipient. */
static bool fits_the_others(const struct smtp_transaction *transaction, const struct recipient *recipient)
{
    if (smtp_transaction_recipient_count(transaction) == 0)
        return true;
    return !recipient->about.outbound_id && !signed_id_is_return(smtp_transaction_recipient(transaction, 0));
}

static void on_recipient(struct smtp_transaction *transaction, size_t index, void *ctx)
{
    struct inbound *inbound = ctx;
    char sender[SMTP_ADDRESS_MAX + 2];
    struct recipient found;
    smtp_address_format(smtp_transaction_sender(transaction), sender);
    struct policy_verdict verdict =
        recipient_judge(inbound->parts, sender, smtp_transaction_recipient(transaction, index), &found);
    if (verdict.decision == POLICY_ACCEPT && !fits_the_others(transaction, &found)) {
        verdict.decision = POLICY_DEFER;
        verdict.reply =
            smtp_reply_make(452, "4.5.3", "a return address is the only recipient of a message; send it again");
        snprintf(verdict.reason, sizeof verdict.reason, "the transaction has a return address and another recipient");
    }
    inbound_note_recipient(inbound, transaction, index, &verdict);
    inbound->statistics.rejected += verdict.decision == POLICY_REJECT;
    inbound->statistics.recipients_rejected += verdict.decision == POLICY_REJECT;
    inbound->statistics.deferred += verdict.decision == POLICY_DEFER;
    inbound->statistics.recipients_deferred += verdict.decision == POLICY_DEFER;
    if (verdict.decision == POLICY_REJECT)
        smtp_transaction_note_guess(transaction);
    smtp_transaction_answer_recipient(transaction, index, &verdict.reply);
}

/* The address as the store has it. false: nobody can have it (IDNA2008, or it only looks like one), so it stays what it is. */
static bool normalised(const struct smtp_address *address, enum smtp_case local_case,
                       char out[static SMTP_ADDRESS_MAX + 2])
{
    struct smtp_address copy = *address;
    bool is_canonical = smtp_address_canonicalise(&copy, local_case) == 1;
    smtp_address_format(is_canonical ? &copy : address, out);
    return is_canonical;
}

/* Of the mail as it came: our own Received field is none of those by which loops are found. Of a mail in a file as much
 * is read as most headers have, then, if that is not all of it, as much as any may have. -1: it can't be read. */
static int scan_header(struct mail *mail)
{
    static const size_t pieces[] = { 16 * 1024, MAIL_HEADER_MAX };
    const char *memory = spool_memory(mail->content);
    if (memory) {
        mail_header_scan(memory + mail->received_size, (size_t)mail->size, &mail->header);
        return 1;
    }
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        char *data = xmalloc(pieces[i]);
        int64_t len = spool_read(mail->content, (int64_t)mail->received_size, data, pieces[i]);
        mail_header_facts_free(&mail->header);
        mail_header_scan(data, len > 0 ? (size_t)len : 0, &mail->header);
        free(data);
        if (len < 0)
            return -1;
        if (len < (int64_t)pieces[i] || mail->header.header_size < pieces[i])
            break;
    }
    return 1;
}

/* Answering. */

static const struct smtp_reply local_error = { .code = 451,
                                               .enhanced = "4.3.0",
                                               .text = "local error, please try again later" };

/* Of what was taken: what it is in the queue, or was when it came before. */
static int64_t entry_for(const struct mail *mail, const struct mail_recipient *recipient)
{
    int64_t own = recipient->hold ? recipient->held_id : mail->id;
    return recipient->repeated ? recipient->repeated : own;
}

static struct smtp_reply reply_for(const struct mail *mail, const struct mail_recipient *recipient, int result)
{
    if (!inbound_is_taken(recipient))
        return recipient->verdict.reply;
    if (result != 1)
        return local_error;
    char id[24];
    const char *part = mail->is_split ? ", but not for all recipients" : "";
    queue_id_format(STORE_QUEUE_IN, entry_for(mail, recipient), id);
    const char *done = recipient->hold ? "held for approval" : "accepted";
    if (recipient->repeated)
        return smtp_reply_make(250, "2.6.0", "%s before as %s, not delivered again%s", done, id, part);
    return smtp_reply_make(250, "2.6.0", "%s as %s%s", done, id, part);
}

/* The one reply of SMTP: the first refusal, unless it is a report's to tell; else one with the id of a new entry, of one that is
 * let in rather than of one that is held. */
static size_t choose_reply(const struct mail *mail, const struct smtp_reply *replies)
{
    size_t accepted = mail->count, held = mail->count, repeated = mail->count;
    for (size_t i = 0; i < mail->count; i++) {
        bool is_refused = !inbound_is_taken(&mail->recipients[i]), is_held = mail->recipients[i].hold;
        if (replies[i].code >= 400 && !(mail->is_split && is_refused))
            return i;
        if (!is_refused && mail->recipients[i].repeated)
            repeated = i;
        else if (!is_refused)
            *(is_held ? &held : &accepted) = i;
    }
    return accepted < mail->count ? accepted : held < mail->count ? held : repeated;
}

static void answer(struct mail *mail, int result)
{
    bool lmtp = mail->lmtp;
    struct smtp_reply *replies = xcalloc(mail->count, sizeof *replies);
    for (size_t i = 0; i < mail->count; i++)
        replies[i] = reply_for(mail, &mail->recipients[i], result);
    size_t chosen = choose_reply(mail, replies);
    if (strcmp(replies[lmtp ? 0 : chosen].enhanced, "5.7.26") == 0) /* unproven: of all recipients alike */
        smtp_transaction_note_guess(mail->transaction);
    smtp_transaction_answer_message(mail->transaction, lmtp ? replies : &replies[chosen], lmtp ? mail->count : 1);
    free(replies);
}

static void log_mail(const struct mail *mail, int result)
{
    for (size_t i = 0; i < mail->count; i++) {
        struct smtp_reply reply = reply_for(mail, &mail->recipients[i], result);
        char id[24] = "-"; /* nothing was taken */
        if (reply.code < 400)
            queue_id_format(STORE_QUEUE_IN, entry_for(mail, &mail->recipients[i]), id);
        log_info("mail.decided",
                 "message=%s session=%s transaction=%s from=%s to=%s message_id=%s size=%" PRId64
                 " code=%d reply=%s reason=%s",
                 id, smtp_transaction_session(mail->transaction)->session_id, smtp_transaction_id(mail->transaction),
                 mail->from, mail->recipients[i].address, mail->header.message_id, mail->size, reply.code, reply.text,
                 reply.code >= 400 ? mail->recipients[i].verdict.reason : ""); /* of others the trace says it */
    }
}

/* Nothing is taken. SMTP has one reply for all: a refusal for the moment, if there is one, so that the mail comes again;
 * else the first. */
static void refuse(struct mail *mail)
{
    size_t first = 0;
    while (inbound_is_taken(&mail->recipients[first]))
        first++;
    for (size_t i = mail->count; i-- > 0 && !mail->lmtp;)
        if (mail->recipients[i].verdict.decision == POLICY_DEFER)
            first = i;
    const struct policy_verdict shared = mail->recipients[first].verdict;
    for (size_t i = 0; i < mail->count; i++)
        if (inbound_is_taken(&mail->recipients[i]) || !mail->lmtp)
            mail->recipients[i].verdict = shared;
    mail->is_split = false;
    if (mail->lmtp)
        inbound_note_refused(mail);
    else
        inbound_note_refused_for_all(mail, &shared.reply, shared.reason);
    log_mail(mail, 1);
    answer(mail, 1);
    if (mail->recipients[first].verdict.decision == POLICY_DEFER)
        mail->inbound->statistics.deferred++;
    else
        mail->inbound->statistics.rejected++;
    mail_free(mail);
}

static bool is_any_held(const struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].held_id)
            return true;
    return false;
}

static void stored(int result, void *arg)
{
    struct mail *mail = arg;
    struct inbound *inbound = mail->inbound;
    inbound_log_quotas(mail);
    if (result == 0) {
        refuse(mail);
        return;
    }
    if (result == 1)
        inbound_note_refused(mail); /* of the others */
    else
        inbound_note_refused_for_all(mail, &local_error, "it could not be stored; the daemon's log says why");
    log_mail(mail, result);
    answer(mail, result);
    bool is_held = result == 1 && is_any_held(mail);
    if (result == 1 && mail->id)
        inbound->statistics.accepted++;
    else if (is_held)
        inbound->statistics.held++;
    else if (result == 1)
        inbound->statistics.repeated++;
    else
        inbound->statistics.deferred++;
    bool fresh = result == 1 && mail->id, met = fresh && mail->is_by_pattern;
    if (result == 1 && mail->reported)
        reporter_poke(inbound->parts->reporter);
    if (is_held)
        hold_added(inbound->parts->hold);
    mail_free(mail);
    if (met)
        inbound->on_met(inbound->ctx);
    if (fresh)
        inbound->on_accepted(inbound->ctx);
}

/* Keeping large content: on the background thread. */

static void keep(void *arg)
{
    struct mail *mail = arg;
    mail->kept = store_draft_keep(mail->draft) == 1;
}

/* The digest of a mail that is not small: on the digester's thread, for the committer has more to do than anybody. */
static void digest_aside(void *arg)
{
    inbound_find_digest(arg);
}

/* Both at the same time; the one that ends last comes here to go on. */
static void prepared(void *arg)
{
    struct mail *mail = arg;
    if (--mail->preparing > 0)
        return;
    if (mail->kept)
        store_submit_repeatable(mail->inbound->parts->store, inbound_store_mail, stored, mail);
    else
        stored(-1, mail);
}

void inbound_discard(struct mail *mail)
{
    log_mail(mail, -1);
    answer(mail, -1);
    mail_free(mail);
}

/* The daemon stops: the transaction has waited for its answer to be freed. */
static void discarded(void *arg)
{
    struct mail *mail = arg;
    if (--mail->preparing == 0)
        inbound_discard(mail);
}

static bool is_any_accepted(const struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].verdict.decision == POLICY_ACCEPT)
            return true;
    return false;
}

void inbound_keep(struct mail *mail)
{
    const struct parts *parts = mail->inbound->parts;
    mail->draft = store_draft_new_spool(parts->store, mail->content);
    bool is_large = store_draft_is_large(mail->draft) && is_any_accepted(mail); /* what is held was kept sealed */
    bool is_digested_aside = mail->header.message_id && mail->size > DIGEST_ASIDE;
    mail->kept = !is_large;
    mail->preparing = (unsigned)is_large + is_digested_aside;
    if (is_large)
        background_submit(parts->background, keep, prepared, discarded, mail);
    if (is_digested_aside)
        background_submit(parts->digester, digest_aside, prepared, discarded, mail);
    if (mail->preparing == 0)
        store_submit_repeatable(parts->store, inbound_store_mail, stored, mail);
}

static struct mail *mail_new(struct inbound *inbound, struct smtp_transaction *transaction)
{
    struct mail *mail = xcalloc(1, sizeof *mail);
    mail->inbound = inbound;
    mail->sealed_fd = -1;
    mail->hold_limits = inbound->parts->config->hold;
    mail->transaction = transaction;
    mail->now = clock_wall_ms(inbound->parts->clock);
    mail->content = smtp_transaction_take_content(transaction);
    mail->received_size = smtp_transaction_received_size(transaction);
    mail->size = spool_size(mail->content) - (int64_t)mail->received_size;
    mail->is_unreadable = scan_header(mail) < 0;
    smtp_address_format(smtp_transaction_sender(transaction), mail->sender);
    mail->automatic_per_hour = inbound->parts->config->policy.automatic_per_hour;
    mail->rates = inbound->parts->config->limits.quotas;
    if (!mail->sender[0]) /* whatever it says of itself */
        mail->header.is_automatic = mail->header.is_generated = true;
    if (mail->header.from_state == MAIL_HEADER_FROM_OK)
        mail->is_from_canonical =
            normalised(&mail->header.from, inbound->parts->config->policy.local_parts, mail->from);
    const char *envid = smtp_transaction_envid(transaction);
    mail->ret = (enum store_ret)smtp_transaction_ret(transaction);
    mail->envid = envid[0] ? envid : NULL;
    mail->lmtp = smtp_transaction_is_lmtp(transaction);
    mail->count = smtp_transaction_recipient_count(transaction);
    mail->recipients = xcalloc(mail->count, sizeof *mail->recipients);
    for (size_t i = 0; i < mail->count; i++) {
        smtp_address_format(smtp_transaction_recipient(transaction, i), mail->recipients[i].address);
        mail->recipients[i].notify = smtp_transaction_notify(transaction, i);
        mail->recipients[i].orcpt = smtp_transaction_orcpt(transaction, i);
    }

    mail->session = refusals_describe_session(smtp_transaction_session(transaction), smtp_transaction_id(transaction));
    return mail;
}

void inbound_decide(struct mail *mail)
{
    bool any_accepted = false, any_refused = false;
    for (size_t i = 0; i < mail->count; i++) {
        if (inbound_is_taken(&mail->recipients[i]))
            any_accepted = true;
        else
            any_refused = true;
    }
    mail->is_split = any_accepted && any_refused && !mail->lmtp && inbound_may_be_split(mail);
    if (!any_accepted || (any_refused && !mail->lmtp && !mail->is_split))
        refuse(mail);
    else if (inbound_hold_is_needed(mail))
        inbound_hold_begin(mail);
    else
        inbound_keep(mail);
}

void inbound_look(struct mail *mail)
{
    if (inbound_look_is_needed(mail))
        inbound_look_begin(mail);
    else
        inbound_decide(mail);
}

static void on_message(struct smtp_transaction *transaction, void *ctx)
{
    struct inbound *inbound = ctx;
    struct mail *mail = mail_new(inbound, transaction);
    if (mail->is_unreadable) /* what it says is not known: it can't be refused for that */
        stored(-1, mail);
    else if (inbound_proof_is_needed(mail))
        inbound_proof_begin(mail);
    else
        inbound_look(mail);
}

static void on_refused(const struct smtp_refusal *refusal, void *ctx)
{
    const struct inbound *inbound = ctx;
    refusals_note_own(inbound->parts->refusals, refusal);
}

const struct smtp_server_callbacks inbound_callbacks = { .on_recipient = on_recipient,
                                                         .on_message = on_message,
                                                         .on_refused = on_refused };

struct inbound *inbound_new(const struct parts *parts, void (*on_accepted)(void *ctx), void (*on_met)(void *ctx),
                            void *ctx)
{
    struct inbound *inbound = xcalloc(1, sizeof *inbound);
    inbound->parts = parts;
    inbound->on_accepted = on_accepted;
    inbound->on_met = on_met;
    inbound->ctx = ctx;
    return inbound;
}

void inbound_free(struct inbound **inbound)
{
    if (*inbound) {
        inbound_proof_drop_all(*inbound);
        inbound_look_drop_all(*inbound);
        inbound_hold_drop_all(*inbound);
    }
    free(*inbound);
    *inbound = NULL;
}

void inbound_get_statistics(const struct inbound *inbound, struct inbound_statistics *out)
{
    *out = inbound->statistics;
}
