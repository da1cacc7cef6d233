/* inbound_judge.c - the facts about a mail whose data has ended, and the verdict for each of its recipients; see inbound_internal.h */
#include "gateway/inbound_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/attachment_rule.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/recipient.h"
#include "gateway/target.h"
#include "mapping/store_mapping.h"
#include "smtp/smtp_params.h"

/* May the author write to this target (found_target: as target_find_by_address() returns)? But for the daily limit, and for
 * what files come with it. Fills target, mapping id, and those two limits. */
static void judge_pair(struct mail *mail, struct mail_recipient *recipient, struct store_target target,
                       int found_target)
{
    struct store_db *db = store_reader(mail->inbound->parts->store);
    struct store_correspondent correspondent = { 0 };
    struct store_mapping mapping = { 0 };
    struct policy_mapping_facts facts = {
        .from = mail->from,
        .recipient = recipient->address,
        .size = mail->size,
        .now = mail->now,
    };
    int found_author = store_correspondent_find_by_address(db, mail->from, &correspondent);
    int found_mapping = 0;
    if (found_target == 1 && found_author == 1) {
        recipient->target = target;
        mail->correspondent_id = correspondent.id;
        found_mapping = store_mapping_find_pair(db, correspondent.id, target, &mapping);
        if (found_mapping == 1) {
            recipient->mapping_id = mapping.id;
            recipient->daily = mapping.daily;
            mapping.daily = 0; /* counted inside the commit, and not for a repetition */
            recipient->attachments =
                strcmp(mapping.attachments, ATTACHMENT_RULE_ALL) == 0 ? NULL : xstrdup(mapping.attachments);
            facts.mapping = &mapping;
        }
    }
    facts.database_failed = found_target < 0 || found_author < 0 || found_mapping < 0;
    recipient->verdict = policy_judge_mapping(&facts);
    if (found_author == 1)
        store_correspondent_free(&correspondent);
    if (found_mapping == 1)
        store_mapping_free(&mapping);
}

/* Facts and verdict for one recipient. */
static void judge_recipient(struct mail *mail, struct mail_recipient *recipient, const struct smtp_address *address)
{
    struct target target;
    int found = target_find_by_address(store_reader(mail->inbound->parts->store), address, &target);
    judge_pair(mail, recipient, target.id, found);
}

/* proof_out: what the facts refer to. */
static struct policy_message_facts gather_facts(const struct mail *mail, struct proof *proof_out)
{
    const struct config *config = mail->inbound->parts->config;
    const char *listener = smtp_transaction_session(mail->transaction)->listener;
    struct proof_sources sources = { .header = &mail->header, .sender = smtp_transaction_sender(mail->transaction) };
    for (size_t i = 0; i < config->listener_count; i++) {
        if (strcmp(config->listeners[i].name, listener) == 0) {
            sources.assume_authenticated = config->listeners[i].assume_authenticated;
            sources.trust_authserv_id = config->listeners[i].trust_authserv_id;
        }
    }
    proof_find(&sources, proof_out);
    return (struct policy_message_facts){
        .hostname = config->hostname,
        .proof_required = config->policy.proof,
        .proof = proof_out,
        .header = &mail->header,
        .from_domain = mail->header.from_state == MAIL_HEADER_FROM_OK ? mail->header.from.domain : "",
    };
}

/* Also whether the envelope sender is. */
static struct policy_verdict judge_proof(struct mail *mail)
{
    struct proof proof;
    struct policy_message_facts facts = gather_facts(mail, &proof);
    struct policy_verdict verdict = policy_judge_message(&facts);
    mail->is_sender_proven = verdict.decision == POLICY_ACCEPT && proof.is_sender_proven;
    return verdict;
}

/* What comes to a return address may be no report but an automatic answer (RFC 3834 section 4 has them sent there). May whoever
 * has written it write to the author of what it answers? Asked now, while it is known what proves them. */
static void judge_answer(struct mail *mail)
{
    struct store_outbound row;
    struct proof proof;
    struct policy_message_facts facts = gather_facts(mail, &proof);
    if (policy_judge_message(&facts).decision != POLICY_ACCEPT ||
        store_outbound_find(store_reader(mail->inbound->parts->store), mail->about.outbound_id, &row) != 1)
        return;
    for (size_t i = 0; i < row.recipient_count; i++) {
        const struct store_outbound_recipient *recipient = &row.recipients[i];
        struct store_target author = { .member_id = recipient->group_id ? 0 : row.member_id,
                                       .group_id = recipient->group_id };
        struct mail_recipient answer = { .daily = 0 };
        if (strcmp(recipient->address, mail->from) != 0)
            continue;
        judge_pair(mail, &answer, author, author.member_id || author.group_id);
        if (answer.verdict.decision == POLICY_ACCEPT)
            mail->answer_mapping_id = answer.mapping_id;
        mail->answer_attachments = answer.attachments;
        break;
    }
    store_outbound_free(&row);
}

/* Of mail to a return address, which is its only recipient. The address is the proof; judged again, for its time may have run
 * out meanwhile. */
static struct policy_verdict judge_returned(struct mail *mail)
{
    struct recipient found;
    struct proof proof;
    struct policy_message_facts facts = gather_facts(mail, &proof);
    struct policy_verdict verdict =
        recipient_judge(mail->inbound->parts, mail->sender, smtp_transaction_recipient(mail->transaction, 0), &found);
    if (verdict.decision == POLICY_ACCEPT)
        verdict = policy_judge_returned(&facts);
    mail->about = found.about;
    if (verdict.decision == POLICY_ACCEPT)
        judge_answer(mail);
    return verdict;
}

/* SMTP has one reply for all. A mail may be taken for some and refused for others if no refusal goes unheard, and none is
 * for the moment only: then all of it is to come again. */
bool inbound_may_be_split(const struct mail *mail)
{
    struct report report = inbound_describe_mail(mail);
    if (report_find_crowd(store_reader(mail->inbound->parts->store), mail->sender, mail->now, &report.is_crowded) < 0)
        return false;
    for (size_t i = 0; i < mail->count; i++) {
        struct report_recipient recipient = inbound_describe_refusal(&mail->recipients[i]);
        enum policy_decision decision = mail->recipients[i].verdict.decision;
        if (decision == POLICY_DEFER || (decision == POLICY_REJECT && report_would_miss(&report, &recipient)))
            return false;
    }
    return true;
}

void inbound_judge(struct mail *mail)
{
    struct store_db *db = store_reader(mail->inbound->parts->store);
    bool is_returned = signed_id_is_return(smtp_transaction_recipient(mail->transaction, 0));
    struct policy_verdict proof = is_returned ? judge_returned(mail) : judge_proof(mail);
    store_begin_reading(db);
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (proof.decision == POLICY_ACCEPT && !is_returned)
            judge_recipient(mail, recipient, smtp_transaction_recipient(mail->transaction, i));
        else
            recipient->verdict = proof;
    }
    store_end_reading(db);
    mail->proof = xstrdup(proof.reason);
}
