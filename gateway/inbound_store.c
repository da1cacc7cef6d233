/* inbound_store.c - a mail is kept: runs on the committer, perhaps twice (store_submit_repeatable()); see inbound_internal.h */
#include "gateway/inbound_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/parts.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_mapping.h"
#include "mapping/store_overdue.h"
#include "mapping/store_recipients.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "smtp/sender_auth.h"

enum { HOUR_MS = 3600 * 1000, DIGEST_PIECE = 64 * 1024 };
static const int64_t REPETITIONS_MS = INT64_C(8) * 24 * HOUR_MS; /* promise 2: a week, and a day more */

/* What a report says of a recipient for whom the mail is refused. */
struct report_recipient inbound_describe_refusal(const struct mail_recipient *recipient)
{
    return (struct report_recipient){
        .address = recipient->address,
        .orcpt = recipient->orcpt,
        .notify = recipient->notify,
        .action = SMTP_DSN_FAILED,
        .status = recipient->verdict.reply.enhanced,
        .explanation = recipient->verdict.reply.text,
    };
}

struct report inbound_describe_mail(const struct mail *mail)
{
    return (struct report){
        .sender = mail->sender,
        .is_sender_proven = mail->is_sender_proven,
        .is_automatic = mail->header.is_automatic,
        .ret = mail->ret,
        .envid = mail->envid,
        .message_id = mail->header.message_id,
        .received_at = mail->now,
        .content_fd = -1,
        .content_size = spool_size(mail->content),
    };
}

/* Of the mail as it came: when it comes again, our Received field is another one. Reads all of it: of what is not small it
 * was done by the digester. */
void inbound_find_digest(struct mail *mail)
{
    if (mail->digested != DIGEST_UNKNOWN || !mail->header.message_id)
        return;
    struct mail_digest *digest = mail_digest_new();
    const void *memory = spool_memory(mail->content);
    uint8_t *piece = memory ? NULL : xmalloc(DIGEST_PIECE);
    int64_t offset = (int64_t)mail->received_size, n = 0;
    if (memory)
        mail_digest_add(digest, (const uint8_t *)memory + mail->received_size, (size_t)mail->size);
    while (!memory && (n = spool_read(mail->content, offset, piece, DIGEST_PIECE)) > 0) {
        mail_digest_add(digest, piece, (size_t)n);
        offset += n;
    }
    mail_digest_finish(&digest, mail->digest);
    free(piece);
    mail->digested = n < 0 ? DIGEST_FAILED : DIGEST_KNOWN;
}

/* But perhaps for a limit. */
static bool is_authorised(const struct mail_recipient *recipient)
{
    return inbound_is_taken(recipient) || recipient->is_over_limit;
}

/* But for the recipient. */
static struct store_inbound_same describe_repetition(const struct mail *mail)
{
    return (struct store_inbound_same){
        .message_id = mail->header.message_id,
        .sender = mail->sender,
        .digest = mail->digest,
        .about_outbound_id = mail->about.outbound_id,
        .since = mail->now - REPETITIONS_MS,
    };
}

/* Marks repetitions: same Message-ID, content and sender, accepted before for the same recipient; so one that arrives
 * with its recipients split differently is still known. Without a Message-ID there is no saying whether two equal mails
 * are one: then both are delivered. */
static int mark_repeated(struct store_db *db, struct mail *mail)
{
    if (!mail->header.message_id)
        return 1;
    inbound_find_digest(mail);
    if (mail->digested != DIGEST_KNOWN)
        return -1;
    struct store_inbound_same same = describe_repetition(mail);
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        recipient->repeated = 0;
        same.target = recipient->target;
        int found = is_authorised(recipient) ? store_inbound_find_same(db, &same, &recipient->repeated) : 1;
        if (found == 0)
            found = inbound_hold_find_same(db, mail, recipient, &recipient->repeated);
        if (found < 0)
            return -1;
    }
    return 1;
}

/* What came back is for nobody yet, and is bounded by what it is about (returns.h). */
static bool has_limit(const struct mail *mail, const struct mail_recipient *recipient, bool is_stale)
{
    if (mail->about.outbound_id)
        return false;
    return is_stale || recipient->daily || (mail->header.is_generated && mail->automatic_per_hour);
}

static int judge_limit(struct store_db *db, const struct mail *mail, struct mail_recipient *recipient)
{
    int result = inbound_judge_limits(db, mail, recipient);
    recipient->is_over_limit = recipient->verdict.decision != POLICY_ACCEPT;
    return result;
}

/* Limits, of those for whom it is not a repetition; and all, if what the verdicts were made of has changed: minutes may have
 * passed while somebody looked at it. 0: refused for all (SMTP has one reply); -1 error. */
static int judge_limits(struct store_db *db, struct mail *mail, size_t *fresh_out)
{
    bool any_refused = false;
    int64_t mapping_change;
    *fresh_out = 0;
    if (store_recipients_get_change(db, &mapping_change) != 1)
        return -1;
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (!is_authorised(recipient) || recipient->repeated)
            continue;
        int judged = recipient->hold ? inbound_hold_judge_limits(db, mail, recipient)
                     : has_limit(mail, recipient, mapping_change != mail->mapping_change)
                         ? judge_limit(db, mail, recipient)
                         : 1;
        if (judged < 0)
            return -1;
        if (recipient->verdict.decision == POLICY_ACCEPT)
            ++*fresh_out;
        else if (!inbound_is_taken(recipient))
            any_refused = true;
    }
    return !any_refused || mail->lmtp;
}

/* Somebody who was named twice, by addresses with different details, gets it once: reports name the address of which
 * most is to be heard. */
static void join_addresses(const struct mail *mail, const struct mail_recipient *first,
                           struct store_inbound_recipient_new *row)
{
    int most = report_weigh_notify(first->notify);
    for (const struct mail_recipient *other = first + 1; other < mail->recipients + mail->count; other++) {
        if (other->verdict.decision != POLICY_ACCEPT || !store_target_equal(other->target, first->target))
            continue;
        row->notify = report_join_notify(row->notify, other->notify);
        if (report_weigh_notify(other->notify) <= most)
            continue;
        most = report_weigh_notify(other->notify);
        row->address = other->address;
        row->orcpt = other->orcpt;
    }
}

/* Only who really gets it is noted as having got it: a recipient refused for now must not look like a repetition when
 * the mail comes again. */
static int add_recipient(struct store_db *db, const struct mail *mail, const struct mail_recipient *recipient)
{
    struct store_inbound_recipient_new row = {
        .target = recipient->target,
        .mapping_id = recipient->mapping_id,
        .address = recipient->address,
        .notify = recipient->notify,
        .orcpt = recipient->orcpt,
    };
    join_addresses(mail, recipient, &row);
    if (store_inbound_add_recipient(db, mail->id, &row) != 1)
        return -1;
    int result = store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "authorised", "for %s: %s",
                                 recipient->address, recipient->verdict.reason);
    if (result == 1 && recipient->files_story)
        result = store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "files", "for %s: %s", recipient->address,
                                 recipient->files_story[0] ? recipient->files_story : "it has none");
    return result;
}

/* It has no recipient yet: who is told what is decided when it has been read (returns.h). */
static int trace_return(struct store_db *db, const struct mail *mail)
{
    return store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "returned",
                           "to the return address of out%" PRId64 "%s%s", mail->about.outbound_id,
                           mail->answer_refusal ? "; as an answer it is not let in: " : "",
                           mail->answer_refusal ? mail->answer_refusal : "");
}

static char *join_references(const struct mail_header_facts *header)
{
    struct strbuf joined;
    strbuf_init(&joined, (size_t)(MAIL_HEADER_ID_MAX + 1) * MAIL_HEADER_REFERENCES_MAX);
    for (size_t i = 0; i < header->reference_count; i++)
        strbuf_add_fmt(&joined, "%s%s", i ? "\n" : "", header->references[i]);
    return strbuf_detach(&joined);
}

/* Somebody who was named twice has it held once. */
static int hold_for(struct store_db *db, struct mail *mail, struct mail_recipient *recipient)
{
    for (struct mail_recipient *other = mail->recipients; other < recipient; other++)
        if (other->held_id && store_target_equal(other->target, recipient->target))
            recipient->held_id = other->held_id;
    if (recipient->held_id)
        return 1;
    char *references = join_references(&mail->header);
    int result = inbound_hold_store(db, mail, recipient, references);
    free(references);
    return result;
}

static int add_recipients(struct store_db *db, struct mail *mail)
{
    int result = 1;
    for (size_t i = 0; i < mail->count && result == 1; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (recipient->repeated)
            result = store_trace_add(db, STORE_QUEUE_IN, recipient->repeated, mail->now, "repeated",
                                     "came again for %s, %s; accepted, not delivered again", recipient->address,
                                     mail->session);
        else if (mail->id && mail->about.outbound_id)
            result = trace_return(db, mail);
        else if (mail->id && recipient->verdict.decision == POLICY_ACCEPT)
            result = add_recipient(db, mail, recipient);
        else if (recipient->verdict.decision == POLICY_HOLD)
            result = hold_for(db, mail, recipient);
    }
    return result;
}

/* The first that was refused for the same member or group: its addresses may be several, with different wishes. */
static size_t first_refused(const struct mail *mail, size_t index)
{
    size_t first = 0;
    while (first < index && (inbound_is_taken(&mail->recipients[first]) ||
                             !store_target_equal(mail->recipients[first].target, mail->recipients[index].target)))
        first++;
    return first;
}

/* Does one of the addresses of this member or group say which reports are wanted? */
static bool is_asked_for(const struct mail *mail, size_t first)
{
    for (size_t i = first; i < mail->count; i++)
        if (mail->recipients[i].notify &&
            store_target_equal(mail->recipients[i].target, mail->recipients[first].target))
            return true;
    return false;
}

enum refusal {
    REFUSAL_OLD,    /* an earlier arrival of the same mail has brought its report, or was accepted for this recipient */
    REFUSAL_NEW,    /* its report is due */
    REFUSAL_LATELY, /* the sender was told within the hour that they may not write to this recipient */
};

/* -1 database error. */
static int note_refusal(struct store_db *db, const struct mail *mail, size_t index, int64_t entry_id)
{
    struct store_inbound_same same = describe_repetition(mail);
    const struct mail_recipient *recipient = &mail->recipients[index];
    int64_t accepted_as;
    same.target = recipient->target;
    int found = same.message_id ? store_inbound_find_same(db, &same, &accepted_as) : 0;
    if (found != 0)
        return found == 1 ? REFUSAL_OLD : -1;
    bool is_not_authorised = strcmp(recipient->verdict.reply.enhanced, "5.7.1") == 0 && !recipient->is_about_files;
    int told =
        is_not_authorised && !is_asked_for(mail, index)
            ? store_overdue_refusal_told(db, mail->correspondent_id, mail->sender, same.target, mail->now - HOUR_MS)
            : 0;
    if (told != 0)
        return told == 1 ? REFUSAL_LATELY : -1;
    int noted = store_inbound_add_refusal(db, entry_id, &same);
    return noted < 0 ? -1 : noted == 1 ? REFUSAL_NEW : REFUSAL_OLD;
}

/* Of each recipient who is refused. */
static int find_refusals(struct store_db *db, const struct mail *mail, int64_t entry_id, int *refusals_out)
{
    for (size_t i = 0; i < mail->count; i++) {
        if (inbound_is_taken(&mail->recipients[i]))
            continue;
        size_t first = first_refused(mail, i);
        refusals_out[i] = first < i ? refusals_out[first] : note_refusal(db, mail, i, entry_id);
        if (refusals_out[i] < 0)
            return -1;
    }
    return 1;
}

/* -1 database error. */
static int list_refusals(struct store_db *db, const struct mail *mail, int64_t entry_id, struct report_recipient *list,
                         size_t *count_out)
{
    int *refusals = xcalloc(mail->count, sizeof *refusals);
    int result = find_refusals(db, mail, entry_id, refusals);
    *count_out = 0;
    for (size_t i = 0; i < mail->count && result == 1; i++) {
        const struct mail_recipient *recipient = &mail->recipients[i];
        bool is_told_lately = refusals[i] == REFUSAL_LATELY;
        if (inbound_is_taken(recipient) || refusals[i] == REFUSAL_OLD)
            continue;
        if (!is_told_lately)
            list[(*count_out)++] = inbound_describe_refusal(recipient);
        result = store_trace_add(
            db, STORE_QUEUE_IN, entry_id, mail->now, "refused", "for %s: %s%s", recipient->address,
            recipient->verdict.reason,
            is_told_lately ? "; not reported: too many reports, its sender was told within the hour" : "");
    }
    free(refusals);
    return result;
}

/* Of a mail that is taken for some: the others' refusals go to its sender as a report, with the same commit. It is told in
 * the story of the new entry, or of the one that the mail is a repetition of. */
static int report_refusals(struct store_db *db, struct mail *mail)
{
    struct report report = inbound_describe_mail(mail);
    report.inbound_id = mail->id;
    for (size_t i = 0; i < mail->count && !report.inbound_id; i++)
        report.inbound_id = mail->recipients[i].repeated ? mail->recipients[i].repeated : mail->recipients[i].held_id;
    struct report_recipient *list = xcalloc(mail->count, sizeof *list);
    int result = list_refusals(db, mail, report.inbound_id, list, &report.recipient_count);
    if (result == 1 && report.recipient_count > 0) {
        report.recipients = list;
        report.content_fd = mail->id ? spool_dup_fd(mail->content) : -1; /* what is held is in no report */
        result = report_add(db, mail->inbound->parts->reporter, &report, mail->now, &mail->reported);
        if (report.content_fd >= 0)
            close(report.content_fd);
    }
    free(list);
    return result;
}

/* An id that only we can have made, of a message that the database has no memory of: it is older than a backup, or a database
 * before it. That explains why an answer begins a new thread. */
static int trace_references(struct store_db *db, const struct mail *mail)
{
    const struct signed_id *ids = mail->inbound->parts->ids;
    for (size_t i = 0; i < mail->header.reference_count; i++) {
        const char *id = mail->header.references[i];
        int64_t inbound_id, outbound_id;
        if (signed_id_judge_message_id(ids, id) != SIGNED_ID_OURS)
            continue;
        int found = store_message_find_queue_ids(db, id, &inbound_id, &outbound_id);
        if (found != 0)
            return found;
        return store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "answers",
                               "a message that was sent from here, but of which the database knows nothing: <%s>", id);
    }
    return 1;
}

/* Not into the mail: the operation may be undone, and run again. */
static int find_correspondent(struct store_db *db, const struct mail *mail, int64_t *id_out)
{
    *id_out = mail->correspondent_id;
    if (!mail->is_by_pattern)
        return 1;
    if (store_correspondent_ensure(db, mail->from, mail->now, id_out) != 1)
        return -1;
    return store_correspondent_set_wants_alias(db, *id_out);
}

static int add_mail(struct store_db *db, struct mail *mail)
{
    int64_t content_id, correspondent_id;
    if (store_content_add(db, mail->draft, &content_id) != 1 || find_correspondent(db, mail, &correspondent_id) != 1)
        return -1;
    char *references = join_references(&mail->header);
    struct store_inbound_new row = {
        .kind = mail->about.outbound_id ? STORE_INBOUND_RETURNED : STORE_INBOUND_MAIL,
        .sender = mail->sender,
        .from_address = mail->from,
        .correspondent_id = correspondent_id,
        .message_id = mail->header.message_id,
        .digest = mail->digested == DIGEST_KNOWN ? mail->digest : NULL,
        .references = references,
        .is_automatic = mail->header.is_automatic,
        .is_generated = mail->header.is_generated,
        .is_sender_proven = mail->is_sender_proven,
        .ret = mail->ret,
        .envid = mail->envid,
        .content_id = content_id,
        .size = mail->size,
        .about_outbound_id = mail->about.outbound_id,
        .about_place = mail->about.place,
        .answer_mapping_id = mail->answer_mapping_id,
        .now = mail->now,
    };
    int result = store_inbound_add(db, &row, &mail->id);
    free(references);
    if (result != 1 || trace_references(db, mail) != 1 ||
        store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "received",
                        "%s; sender <%s>, author <%s>, Message-ID <%s>, %" PRId64 " octets", mail->session,
                        mail->sender, mail->from, mail->header.message_id ? mail->header.message_id : "",
                        mail->size) != 1 ||
        store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "proven", "%s", mail->proof) != 1)
        return -1;
    if (mail->checked &&
        store_trace_add(db, STORE_QUEUE_IN, mail->id, mail->now, "checked", "%s", mail->checked->text) != 1)
        return -1;
    return 1;
}

int inbound_store_mail(struct store_db *db, void *arg)
{
    struct mail *mail = arg;
    size_t fresh;
    inbound_restore_quotas(mail);
    if (mark_repeated(db, mail) < 0)
        return -1;
    mail->id = 0;
    mail->reported = false;
    for (size_t i = 0; i < mail->count; i++)
        mail->recipients[i].held_id = 0;
    int allowed = judge_limits(db, mail, &fresh);
    if (allowed == 1 && fresh > 0 && !mail->about.outbound_id) /* what came back is bounded by what it is about */
        allowed = inbound_take_quotas(db, mail, &fresh);
    if (allowed != 1)
        return allowed;
    if ((fresh > 0 && add_mail(db, mail) != 1) || add_recipients(db, mail) != 1)
        return -1;
    return mail->is_split ? report_refusals(db, mail) : 1;
}
