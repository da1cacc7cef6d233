/* inbound_judge.c - the facts about a mail whose data has ended, and the verdict for each of its recipients; see inbound_internal.h */
#include "gateway/inbound_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/attachment_rule.h"
#include "gateway/config.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/peers.h"
#include "gateway/recipient.h"
#include "gateway/target.h"
#include "mapping/store_mapping.h"
#include "mapping/store_overdue.h"
#include "mapping/store_recipients.h"
#include "smtp/smtp_params.h"

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

/* What is known when the data has ended. What the message is worth to the mapping (how many today) is counted in the commit. */
static struct policy_delivery_facts describe(const struct mail *mail, const struct mail_recipient *recipient,
                                             const struct pair *pair)
{
    struct policy_delivery_facts facts = {
        .pair = pair->facts,
        .proof = &mail->evidence,
        .proof_required = mail->proof_required,
        .from_domain = mail->header.from_state == MAIL_HEADER_FROM_OK ? mail->header.from.domain : "",
        .size = mail->size,
        .is_generated = mail->header.is_generated,
        .automatic_per_hour = mail->automatic_per_hour,
        .hold = mail->holds_unknown && recipient->target.member_id ? POLICY_HOLD_ROOM : POLICY_HOLD_OFF,
    };
    facts.pair.inside = recipient->address;
    if (!mail->is_from_canonical)
        facts.pair.address = NULL;
    facts.pair.local_case = mail->local_case;
    facts.pair.now = mail->now;
    return facts;
}

/* What follows from the mapping that lets it in. */
static void note_mapping(struct mail_recipient *recipient, const struct pair *pair)
{
    for (size_t i = 0; i < pair->count; i++) {
        const struct store_mapping *mapping = &pair->rows[i];
        if (mapping->id != recipient->verdict.mapping_id)
            continue;
        recipient->mapping_id = mapping->id;
        recipient->daily = mapping->daily;
        recipient->as_correspondent_id = mapping->correspondent_id;
        recipient->attachments =
            strcmp(mapping->attachments, ATTACHMENT_RULE_ALL) == 0 ? NULL : xstrdup(mapping->attachments);
    }
}

/* May the author write to this target (found_target: as target_find_by_address() returns)? But for the daily limit, and for
 * what files come with it. */
static void judge_target(struct mail *mail, struct mail_recipient *recipient, struct store_target target,
                         int found_target)
{
    struct pair pair;
    if (found_target == 1)
        recipient->target = target;
    pair_find(store_reader(mail->inbound->parts->store), mail->from, recipient->target, &pair);
    struct policy_delivery_facts facts = describe(mail, recipient, &pair);
    facts.pair.database_failed = facts.pair.database_failed || found_target < 0;
    recipient->verdict = policy_judge_delivery(&facts);
    if (recipient->verdict.decision == POLICY_ACCEPT)
        note_mapping(recipient, &pair);
    pair_free(&pair);
}

int inbound_judge_limits(struct store_db *db, const struct mail *mail, struct mail_recipient *recipient)
{
    struct pair pair;
    pair_find(db, mail->from, recipient->target, &pair);
    struct policy_delivery_facts facts = describe(mail, recipient, &pair);
    const struct store_mapping *mapping = policy_choose_mapping(&facts.pair, STORE_DIRECTION_IN);
    int result = facts.pair.database_failed ? -1 : 1;
    facts.hold = POLICY_HOLD_OFF; /* it was let in when its data had ended, and not sealed */
    if (result == 1 && mapping && mapping->daily)
        result =
            store_inbound_count_by_mapping(db, mapping->id, mail->now - DAY_MS, mapping->daily, &facts.accepted_today);
    if (result == 1 && mail->header.is_generated)
        result = store_overdue_count_generated(db, mail->correspondent_id, recipient->target, mail->now - HOUR_MS,
                                               &facts.automatic_this_hour);
    recipient->verdict = policy_judge_delivery(&facts);
    /* What files it carries was judged by the one that decided then. */
    if (recipient->verdict.decision == POLICY_ACCEPT && recipient->verdict.mapping_id != recipient->mapping_id)
        recipient->verdict = policy_judge_changed(recipient->address);
    pair_free(&pair);
    return result;
}

/* Facts and verdict for one recipient. */
static void judge_recipient(struct mail *mail, struct mail_recipient *recipient, const struct smtp_address *address)
{
    struct target target;
    int found = target_find_by_address(store_reader(mail->inbound->parts->store), address, &target);
    judge_target(mail, recipient, target.id, found);
}

static void find_proof(struct mail *mail)
{
    const struct config *config = mail->inbound->parts->config;
    const struct smtp_session_facts *session = smtp_transaction_session(mail->transaction);
    struct proof_sources sources = { .header = &mail->header,
                                     .checked = mail->checked,
                                     .sealers = (const char *const *)config->policy.trust_arc_sealers,
                                     .sender = smtp_transaction_sender(mail->transaction) };
    while (sources.sealers && sources.sealers[sources.sealer_count])
        sources.sealer_count++;
    for (size_t i = 0; i < config->listener_count; i++) {
        if (strcmp(config->listeners[i].name, session->listener) == 0) {
            sources.assume_authenticated = config->listeners[i].assume_authenticated;
            sources.trust_authserv_id = config->listeners[i].trust_authserv_id;
            sources.is_unwelcome = session->is_unwelcome;
            if (mail->header.from_state == MAIL_HEADER_FROM_OK &&
                peers_vouch(&config->listeners[i], session->tls_peer, &mail->header.from))
                sources.peer = session->tls_peer;
        }
    }
    if (mail->supposed == MAIL_SUPPOSED_NOTHING)
        proof_find(&sources, &mail->evidence);
    else
        proof_suppose(mail->supposed == MAIL_SUPPOSED_PROVEN, &mail->header, &mail->evidence);
    mail->is_sender_proven = mail->evidence.is_sender_proven;
}

/* What comes to a return address may be no report but an automatic answer (RFC 3834 section 4 has them sent there). May whoever
 * has written it write to the author of what it answers? Asked now, while it is known what proves them. */
static void judge_answer(struct mail *mail)
{
    struct store_outbound row;
    if (!mail->from[0] ||
        store_outbound_find(store_reader(mail->inbound->parts->store), mail->about.outbound_id, &row) != 1)
        return;
    for (size_t i = 0; i < row.recipient_count; i++) {
        const struct store_outbound_recipient *recipient = &row.recipients[i];
        struct store_target author = { .member_id = recipient->group_id ? 0 : row.member_id,
                                       .group_id = recipient->group_id };
        struct mail_recipient answer = { .daily = 0 };
        if (strcmp(recipient->address, mail->from) != 0)
            continue;
        judge_target(mail, &answer, author, author.member_id || author.group_id);
        mail->correspondent_id = recipient->correspondent_id;
        mail->answer_mapping_id = answer.mapping_id;
        mail->answer_attachments = answer.attachments;
        break;
    }
    store_outbound_free(&row);
}

/* Of mail to a return address, which is its only recipient. The address is the proof; judged again, for its time may have run
 * out meanwhile. */
static struct policy_verdict judge_returned(struct mail *mail, const struct policy_form_facts *facts)
{
    struct recipient found;
    struct policy_verdict verdict =
        recipient_judge(mail->inbound->parts, mail->sender, smtp_transaction_recipient(mail->transaction, 0), &found);
    if (verdict.decision == POLICY_ACCEPT)
        verdict = policy_judge_returned(facts);
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

/* In whose name it is posted: of who is let in by a mapping of their own, the author's; of who is let in with a detail by a
 * mapping that covers it, its address's; of who is let in by a pattern, the author's, who is made a correspondent by the
 * commit. */
static void choose_correspondent(struct mail *mail)
{
    struct store_correspondent own;
    int64_t own_id = 0, other_id = 0;
    bool is_own = false, has_alias = false;
    if (store_correspondent_find_by_address(store_reader(mail->inbound->parts->store), mail->from, &own) == 1) {
        own_id = own.id;
        has_alias = own.alias != NULL;
        store_correspondent_free(&own);
    }
    for (size_t i = 0; i < mail->count; i++) {
        const struct mail_recipient *recipient = &mail->recipients[i];
        if (recipient->as_correspondent_id == own_id)
            is_own = is_own || own_id;
        else
            other_id = recipient->as_correspondent_id ? recipient->as_correspondent_id : other_id;
    }
    mail->correspondent_id = is_own || !other_id ? own_id : other_id;
    mail->is_by_pattern = !is_own && !other_id && !has_alias;
}

void inbound_judge(struct mail *mail)
{
    struct store_db *db = store_reader(mail->inbound->parts->store);
    const struct config *config = mail->inbound->parts->config;
    const struct policy_form_facts facts = { .hostname = config->hostname, .header = &mail->header };
    bool is_returned = signed_id_is_return(smtp_transaction_recipient(mail->transaction, 0));
    mail->proof_required = config->policy.proof;
    mail->local_case = config->policy.local_parts;
    mail->holds_unknown = config->policy.unknown_senders == CONFIG_UNKNOWN_HOLD;
    find_proof(mail);
    struct policy_verdict form = is_returned ? judge_returned(mail, &facts) : policy_judge_form(&facts);
    store_begin_reading(db);
    if (store_recipients_get_change(db, &mail->mapping_change) != 1)
        mail->mapping_change = -1;
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (form.decision == POLICY_ACCEPT && !is_returned)
            judge_recipient(mail, recipient, smtp_transaction_recipient(mail->transaction, i));
        else
            recipient->verdict = form;
    }
    if (!is_returned)
        choose_correspondent(mail);
    store_end_reading(db);
    mail->proof = xstrdup(is_returned ? form.reason : mail->evidence.story);
}

void inbound_forget_verdicts(struct mail *mail)
{
    free(mail->proof);
    free(mail->answer_attachments);
    free(mail->answer_refusal);
    mail->proof = mail->answer_attachments = mail->answer_refusal = NULL;
    mail->correspondent_id = mail->answer_mapping_id = 0;
    mail->is_sender_proven = mail->is_by_pattern = false;
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        free(recipient->attachments);
        free(recipient->files_story);
        recipient->attachments = recipient->files_story = NULL;
        recipient->target = (struct store_target){ .member_id = 0 };
        recipient->mapping_id = recipient->daily = recipient->as_correspondent_id = 0;
        recipient->is_about_files = false;
    }
}
