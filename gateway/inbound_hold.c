/* inbound_hold.c - a mail that is to be held is sealed before it is kept; see inbound_internal.h, hold.h
 *
 * What is in the database and its log was sealed before: the subject, too, which a convert worker decodes, from the header
 * alone. Until then a mail is in memory, or in a file without a name. The file with what is sealed gets a name for each recipient
 * for whom it is held: several names cost nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/seal.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/hold.h"
#include "gateway/hold_contact.h"
#include "gateway/hold_facts.h"
#include "gateway/hold_internal.h"
#include "gateway/inbound_internal.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "mapping/convert.h"
#include "mapping/convert_utf8.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_held.h"
#include "mapping/store_trace.h"

enum {
    HEADER_MAX = 64 * 1024, /* of a header is looked at for its subject */
    FACTS_MAX = 512 * 1024,
    READING_MAX = 4,     /* headers at a time: the convert workers have more to do */
    CONTACTS_A_DAY = 20, /* of strangers a member is told */
    DAY_MS = 24 * 3600 * 1000,
};

/* One mail on its way there. */
struct holding {
    struct inbound *inbound;
    struct holding *next;
    struct mail *mail;
    bool is_reading; /* a worker has its header */
    bool has_failed;
};

bool inbound_is_taken(const struct mail_recipient *recipient)
{
    return recipient->verdict.decision == POLICY_ACCEPT || recipient->verdict.decision == POLICY_HOLD;
}

bool inbound_hold_is_needed(const struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].verdict.decision == POLICY_HOLD && !mail->recipients[i].hold)
            return true;
    return false;
}

void inbound_hold_free(struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++) {
        store_draft_free(&mail->recipients[i].sealed);
        free(mail->recipients[i].hold);
    }
    free(mail->subject);
    if (mail->sealed_fd >= 0)
        close(mail->sealed_fd);
}

/* The mail is no longer here. */
static struct mail *end(struct holding *holding)
{
    struct mail *mail = holding->mail;
    struct holding **at = &holding->inbound->holdings;
    while (*at != holding)
        at = &(*at)->next;
    *at = holding->next;
    free(holding);
    return mail;
}

static void discarded(void *arg)
{
    inbound_discard(end(arg));
}

/* Not now: as for other mail that can't be kept. */
static void refuse(struct holding *holding, const char *why)
{
    struct mail *mail = end(holding);
    log_error("hold.not_kept", "session=%s transaction=%s from=%s reason=%s",
              smtp_transaction_session(mail->transaction)->session_id, smtp_transaction_id(mail->transaction),
              mail->from, why);
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (!recipient->hold)
            continue;
        recipient->verdict.decision = POLICY_DEFER;
        recipient->verdict.reply = smtp_reply_make(451, "4.3.0", "local error, please try again later");
        free(recipient->hold);
        recipient->hold = NULL;
    }
    inbound_decide(mail);
}

/* ---- sealing ---- */

static int64_t read_content(void *ctx, int64_t offset, void *out, size_t len)
{
    return spool_read(ctx, offset, out, len);
}

static int keep_drafts(const struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].sealed && store_draft_keep(mail->recipients[i].sealed) != 1)
            return -1;
    return 1;
}

static void seal(void *arg)
{
    struct holding *holding = arg;
    struct mail *mail = holding->mail;
    const struct seal_key *key = hold_key(holding->inbound->parts->hold);
    holding->has_failed =
        seal_file(key, mail->from, read_content, mail->content, spool_size(mail->content), mail->sealed_fd) != 1 ||
        keep_drafts(mail) != 1;
}

static void sealed(void *arg)
{
    struct holding *holding = arg;
    if (holding->has_failed)
        refuse(holding, "it can't be written");
    else
        inbound_keep(end(holding));
}

static void begin_sealing(struct holding *holding)
{
    struct mail *mail = holding->mail;
    const struct parts *parts = holding->inbound->parts;
    int64_t size = seal_file_size(spool_size(mail->content));
    mail->sealed_fd = size <= STORE_BLOB_MAX ? memfd_create("sealed", MFD_CLOEXEC)
                                             : tmpfile_new(store_content_directory(parts->store));
    if (mail->sealed_fd < 0) {
        refuse(holding, "there is no file to be had");
        return;
    }
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].hold)
            mail->recipients[i].sealed = store_draft_new_fd(parts->store, mail->sealed_fd, size);
    background_submit(parts->background, seal, sealed, discarded, holding);
}

/* ---- the subject ---- */

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct holding *holding = ctx;
    struct mail *mail = holding->mail;
    holding->is_reading = false;
    const char *subject = result->ok && !result->fallback ? result->message.subject : NULL;
    if (subject && strcmp(subject, CONVERT_NO_SUBJECT) != 0)
        mail->subject = xstrndup(subject, convert_utf8_cut(subject, strlen(subject), HOLD_SUBJECT_MAX));
    begin_sealing(holding);
}

/* As a mail of its own, without content. -1: there is none to be had. */
static int copy_header(const struct mail *mail, int64_t *size_out)
{
    static const char empty_line[] = "\r\n";
    char *text = xmalloc(HEADER_MAX);
    size_t wanted = mail->header.header_size < HEADER_MAX ? mail->header.header_size : HEADER_MAX;
    int64_t len = spool_read(mail->content, (int64_t)mail->received_size, text, wanted);
    int fd = len >= 0 ? memfd_create("header", MFD_CLOEXEC) : -1;
    if (fd >= 0 &&
        (file_write_all(fd, text, (size_t)len) != 1 || file_write_all(fd, empty_line, sizeof empty_line - 1) != 1)) {
        close(fd);
        fd = -1;
    }
    *size_out = len + (int64_t)sizeof empty_line - 1;
    free(text);
    return fd;
}

static bool has_room_to_read(const struct inbound *inbound)
{
    unsigned count = 0;
    for (const struct holding *other = inbound->holdings; other; other = other->next)
        count += other->is_reading;
    return count < READING_MAX;
}

/* Without it the member learns only who has written. */
static void find_subject(struct holding *holding)
{
    struct convert_in_request request = { .options = { .is_automatic = true } };
    if (!has_room_to_read(holding->inbound)) {
        begin_sealing(holding);
        return;
    }
    request.mail_fd = copy_header(holding->mail, &request.mail_size);
    int taken =
        request.mail_fd >= 0 ? convert_mail_in(holding->inbound->parts->convert, &request, on_converted, holding) : 0;
    if (request.mail_fd >= 0)
        close(request.mail_fd);
    holding->is_reading = taken == 1;
    if (taken != 1)
        begin_sealing(holding);
}

static void key_found(const char *problem, void *ctx)
{
    struct holding *holding = ctx;
    if (problem)
        refuse(holding, problem);
    else
        find_subject(holding);
}

void inbound_hold_begin(struct mail *mail)
{
    struct inbound *inbound = mail->inbound;
    struct holding *holding = xcalloc(1, sizeof *holding);
    *holding = (struct holding){ .inbound = inbound, .next = inbound->holdings, .mail = mail };
    inbound->holdings = holding;
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (recipient->verdict.decision != POLICY_HOLD)
            continue;
        recipient->hold = xcalloc(1, sizeof *recipient->hold);
        *recipient->hold = recipient->verdict;
    }
    if (hold_key(inbound->parts->hold))
        find_subject(holding);
    else
        hold_find_key(inbound->parts->hold, key_found, discarded, holding);
}

void inbound_hold_drop_all(struct inbound *inbound)
{
    for (struct holding *holding = inbound->holdings, *next; holding; holding = next) {
        next = holding->next;
        inbound_discard(end(holding));
    }
}

/* ---- the operation ---- */

/* Of what makes it the same mail. Without a Message-ID no two are. */
static void make_repetition(const struct mail *mail, const struct seal_key *key,
                            uint8_t out[static STORE_REPETITION_SIZE])
{
    struct strbuf text;
    if (!mail->header.message_id || mail->digested != DIGEST_KNOWN) {
        random_bytes(out, STORE_REPETITION_SIZE);
        return;
    }
    strbuf_init(&text, FACTS_MAX);
    strbuf_add_fmt(&text, "%s\n%s\n", mail->header.message_id, mail->sender);
    strbuf_add(&text, mail->digest, STORE_DIGEST_SIZE);
    seal_key_digest(key, text.data, text.len, out);
    strbuf_free(&text);
}

int inbound_hold_find_same(struct store_db *db, const struct mail *mail, const struct mail_recipient *recipient,
                           int64_t *id_out)
{
    uint8_t repetition[STORE_REPETITION_SIZE];
    const struct hold *hold = mail->inbound->parts->hold;
    const struct seal_key *key = hold ? hold_key(hold) : NULL;
    if (!key)
        return 0;
    make_repetition(mail, key, repetition);
    return store_held_find_same(db, repetition, recipient->target, id_out);
}

/* What this mail adds for the recipients up to this one: for each of them it is held by itself. */
static struct store_held_sum own_sum(const struct mail *mail, const struct mail_recipient *recipient)
{
    struct store_held_sum sum = { .count = 1, .size = mail->size };
    for (const struct mail_recipient *other = mail->recipients; other < recipient; other++) {
        if (other->verdict.decision != POLICY_HOLD || other->repeated ||
            store_target_equal(other->target, recipient->target))
            continue;
        sum.count++;
        sum.size += mail->size;
    }
    return sum;
}

static bool is_over(struct store_held_sum own, struct store_held_sum there, int64_t count_max, int64_t size_max)
{
    return there.count + own.count > count_max || there.size + own.size > size_max;
}

static void refuse_for(struct mail_recipient *recipient, struct smtp_reply reply, const char *reason)
{
    recipient->verdict.decision = reply.code < 500 ? POLICY_DEFER : POLICY_REJECT;
    recipient->verdict.reply = reply;
    snprintf(recipient->verdict.reason, sizeof recipient->verdict.reason, "%s", reason);
    recipient->is_over_limit = true;
}

int inbound_hold_judge_limits(struct store_db *db, const struct mail *mail, struct mail_recipient *recipient)
{
    const struct config_hold *limits = &mail->hold_limits;
    const struct store_held_sum none = { 0 }, own = own_sum(mail, recipient);
    struct store_held_sum all, author, domain;
    recipient->verdict = *recipient->hold;
    recipient->is_over_limit = false;
    if (store_held_measure(db, &all) != 1 || store_held_measure_author(db, mail->from, &author) != 1 ||
        store_held_measure_domain(db, hold_domain(mail->inbound->parts->hold, mail->from), &domain) != 1)
        return -1;
    if (is_over(own, none, limits->sender_messages, limits->sender_size) ||
        is_over(own, none, limits->domain_messages, limits->domain_size) ||
        is_over(own, none, limits->messages, limits->size))
        refuse_for(
            recipient,
            smtp_reply_make(552, "5.3.4", "too much to be kept until somebody has decided about <%s>", mail->from),
            "more by itself than may ever be held (policy.hold_sender_messages, hold_sender_size, and so on)");
    else if (is_over(own, author, limits->sender_messages, limits->sender_size))
        refuse_for(
            recipient,
            smtp_reply_make(452, "4.2.1", "enough mail of <%s> waits here for a decision; try again later", mail->from),
            "as much as may be held of one author (policy.hold_sender_messages, hold_sender_size)");
    else if (is_over(own, domain, limits->domain_messages, limits->domain_size))
        refuse_for(
            recipient,
            smtp_reply_make(452, "4.2.1", "enough mail from that domain waits here for a decision; try again later"),
            "as much as may be held of one domain (policy.hold_domain_messages, hold_domain_size)");
    else if (is_over(own, all, limits->messages, limits->size))
        refuse_for(recipient,
                   smtp_reply_make(452, "4.3.1", "no room for mail that waits for a decision; try again later"),
                   "as much as may be held in all (policy.hold_messages, hold_size)");
    return 1;
}

/* Facts that the database is not to show. */
static uint8_t *seal_facts(const struct mail *mail, const char *references, const struct seal_key *key, size_t *len_out)
{
    struct strbuf text;
    struct hold_facts facts = { .message_id = mail->header.message_id,
                                .subject = mail->subject ? mail->subject : (char[]){ "" },
                                .references = xstrdup(references),
                                .has_digest = mail->digested == DIGEST_KNOWN };
    memcpy(facts.digest, mail->digest, sizeof facts.digest);
    strbuf_init(&text, FACTS_MAX);
    hold_facts_add(&facts, &text);
    uint8_t *result = seal_text(key, mail->from, text.data, text.len, len_out);
    free(facts.references);
    strbuf_free(&text);
    return result;
}

/* One for each author and recipient: that there is one already is as good. */
static int request_mapping(struct store_db *db, const struct mail *mail, const struct mail_recipient *recipient,
                           int64_t *id_out)
{
    const struct store_actor actor = { .channel = "mail", .name = mail->from };
    const struct mapping_change change = {
        .actor = &actor, .reason = "", .now = mail->now, .local_case = mail->local_case
    };
    struct subject subject;
    struct mapping_result result;
    const char *wrong;
    *id_out = 0;
    if (subject_parse(mail->from, mail->local_case, &subject, &wrong) != 1)
        return 1;
    const struct mapping_wish wish = { .subject = &subject, .target = recipient->target };
    int done = mapping_change_request(db, &change, &wish, &result);
    if (done == 1 || (done == 0 && result.outcome == MAPPING_EXISTS))
        *id_out = result.mapping.id;
    mapping_result_clear(&result);
    return done < 0 ? -1 : 1;
}

/* It waits for people, whom nobody can hurry: of that delay there are no reports. Who wants to hear of nothing else wants nothing. */
static unsigned without_delay(unsigned notify)
{
    unsigned other = notify & ~(unsigned)STORE_NOTIFY_DELAY;
    return notify && !other ? STORE_NOTIFY_NEVER : other;
}

static int add_entry(struct store_db *db, const struct mail *mail, const struct mail_recipient *recipient,
                     int64_t *id_out)
{
    int64_t content_id;
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL,
        .sender = mail->sender,
        .from_address = mail->from,
        .references = "",
        .is_automatic = mail->header.is_automatic,
        .is_generated = mail->header.is_generated,
        .is_sender_proven = mail->is_sender_proven,
        .ret = mail->ret,
        .envid = mail->envid,
        .size = mail->size,
        .now = mail->now,
        .is_pending = true,
    };
    const struct store_inbound_recipient_new to = {
        .target = recipient->target,
        .address = recipient->address,
        .notify = without_delay(recipient->notify),
        .orcpt = recipient->orcpt,
    };
    if (store_content_add(db, recipient->sealed, &content_id) != 1)
        return -1;
    row.content_id = content_id;
    if (store_inbound_add(db, &row, id_out) != 1)
        return -1;
    return store_inbound_add_recipient(db, *id_out, &to);
}

static int tell(struct store_db *db, const struct mail *mail, const struct mail_recipient *recipient, int64_t id,
                int64_t request_id, int64_t expires_at)
{
    char until[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(expires_at, until);
    int contact = recipient->target.member_id ? store_contact_note(db, mail->from, recipient->target.member_id, id,
                                                                   mail->now, mail->now - DAY_MS, CONTACTS_A_DAY)
                                              : 0;
    if (contact < 0 ||
        store_trace_add(db, STORE_QUEUE_IN, id, mail->now, "received",
                        "%s; sender <%s>, author <%s>, %" PRId64 " octets", mail->session, mail->sender, mail->from,
                        mail->size) != 1 ||
        store_trace_add(db, STORE_QUEUE_IN, id, mail->now, "proven", "%s", mail->proof) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, id, mail->now, "held",
                           "for %s until %s: %s; request %" PRId64 "; the member %s", recipient->address, until,
                           recipient->verdict.reason, request_id, contact == 1 ? "is told" : "is not told again");
}

int inbound_hold_store(struct store_db *db, struct mail *mail, struct mail_recipient *recipient, const char *references)
{
    const struct seal_key *key = hold_key(mail->inbound->parts->hold);
    uint8_t repetition[STORE_REPETITION_SIZE];
    char key_id[SEAL_ID_SIZE], proof[HOLD_PROOF_SIZE];
    struct hold_outcome outcome = { 0 };
    int64_t id, request_id;
    size_t facts_len;
    if (request_mapping(db, mail, recipient, &request_id) != 1 || add_entry(db, mail, recipient, &id) != 1)
        return -1;
    make_repetition(mail, key, repetition);
    seal_key_id(key, key_id);
    hold_proof_format(&mail->evidence, proof);
    uint8_t *facts = seal_facts(mail, references, key, &facts_len);
    const struct store_held_new held = { .author = mail->from,
                                         .domain = hold_domain(mail->inbound->parts->hold, mail->from),
                                         .target = recipient->target,
                                         .request_id = request_id,
                                         .key_id = key_id,
                                         .proof = proof,
                                         .repetition = repetition,
                                         .facts = facts,
                                         .facts_len = facts_len,
                                         .size = mail->size,
                                         .expires_at = mail->now + mail->hold_limits.for_ms };
    int result = store_held_add(db, id, &held);
    free(facts);
    if (result == 1)
        result = tell(db, mail, recipient, id, request_id, held.expires_at);
    if (result == 1)
        result = hold_look_again(db, mail->inbound->parts->hold, id, mail->now, &outcome);
    mail->reported = mail->reported || outcome.reported;
    recipient->held_id = id;
    return result;
}
