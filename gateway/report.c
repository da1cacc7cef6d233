/* report.c - see report.h
 *
 * Reports are composed on the committer's thread, inside the operation that ends what they are about, so that neither can
 * be on disk without the other. Few mails want one, and what is read for it is bounded.
 */
#include "gateway/report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/notice.h"
#include "gateway/queue.h"
#include "gateway/signed_id.h"
#include "gateway/signer.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_overdue.h"
#include "mapping/store_trace.h"
#include "smtp/smtp_params.h"

enum {
    RETURN_MAX = STORE_BLOB_MAX,  /* a larger mail is not returned whole */
    RECIPIENTS_MAX = 1000,        /* of one report: more get several */
    REPORT_MAX = 8 * 1024 * 1024, /* more than these make */
    HOUR_MS = 3600 * 1000,
    BOUNDARY_SIZE = 33,
};

/* The store may not know the mail library: its words are the same. */
_Static_assert((int)STORE_NOTIFY_SUCCESS == (int)SMTP_DSN_NOTIFY_SUCCESS, "see smtp_params.h");
_Static_assert((int)STORE_NOTIFY_FAILURE == (int)SMTP_DSN_NOTIFY_FAILURE, "see smtp_params.h");
_Static_assert((int)STORE_NOTIFY_DELAY == (int)SMTP_DSN_NOTIFY_DELAY, "see smtp_params.h");
_Static_assert((int)STORE_NOTIFY_NEVER == (int)SMTP_DSN_NOTIFY_NEVER, "see smtp_params.h");
_Static_assert((int)STORE_RET_FULL == (int)SMTP_DSN_RET_FULL, "see smtp_params.h");
_Static_assert((int)STORE_RET_HDRS == (int)SMTP_DSN_RET_HDRS, "see smtp_params.h");

struct reporter {
    const struct signed_id *ids;
    struct signer *signer; /* NULL: reports are not signed */
    char *hostname, *from;
    void (*on_added)(void *ctx);
    void *ctx;
    _Atomic(int) local_case; /* the loop's to set, the committer's to read */
};

struct reporter *reporter_new(const struct config *config, const struct signed_id *ids, void (*on_added)(void *ctx),
                              void *ctx)
{
    struct reporter *reporter = xcalloc(1, sizeof *reporter);
    struct strbuf from;
    strbuf_init(&from, 1000);
    strbuf_add_fmt(&from, "MAILER-DAEMON@%s", config->domain);
    reporter->from = strbuf_detach(&from);
    reporter->ids = ids;
    reporter->hostname = xstrdup(config->hostname);
    reporter->on_added = on_added;
    reporter->ctx = ctx;
    reporter_reconfigure(reporter, config);
    return reporter;
}

void reporter_reconfigure(struct reporter *reporter, const struct config *config)
{
    atomic_store(&reporter->local_case, (int)config->policy.local_parts);
}

static enum smtp_case local_case(const struct reporter *reporter)
{
    return (enum smtp_case)atomic_load(&reporter->local_case);
}

void reporter_free(struct reporter **reporter)
{
    if (!*reporter)
        return;
    free((*reporter)->hostname);
    free((*reporter)->from);
    free(*reporter);
    *reporter = NULL;
}

void reporter_sign_with(struct reporter *reporter, struct signer *signer)
{
    reporter->signer = signer;
}

void reporter_poke(const struct reporter *reporter)
{
    reporter->on_added(reporter->ctx);
}

/* Who is told. */

enum due {
    DUE_REPORT,
    DUE_UNASKED,   /* nobody expects one */
    DUE_UNWANTED,  /* of a failure, but NOTIFY says no */
    DUE_AUTOMATIC, /* of a failure, which automatic mail has not asked for */
    DUE_NO_SENDER,
    DUE_UNPROVEN,
    DUE_CROWDED, /* nobody has asked for it, and too many have gone there lately */
    DUE_COUNT,
};
/* For the story; NULL: not worth a word. */
static const char *const due_words[] = {
    [DUE_REPORT] = NULL,
    [DUE_UNASKED] = NULL,
    [DUE_UNWANTED] = "the sender wants none",
    [DUE_AUTOMATIC] = "the mail is automatic and has not asked for any",
    [DUE_NO_SENDER] = "the mail has a null sender",
    [DUE_UNPROVEN] = "the envelope sender is not proven",
    [DUE_CROWDED] = "too many reports to this address within an hour",
};

static enum due is_due(const struct report *report, const struct report_recipient *recipient)
{
    if (recipient->action == SMTP_DSN_DELIVERED && !(recipient->notify & STORE_NOTIFY_SUCCESS))
        return DUE_UNASKED;
    if (recipient->action == SMTP_DSN_DELAYED && !(recipient->notify & STORE_NOTIFY_DELAY))
        return DUE_UNASKED;
    if (recipient->action == SMTP_DSN_FAILED && recipient->notify && !(recipient->notify & STORE_NOTIFY_FAILURE))
        return DUE_UNWANTED;
    if (!report->sender[0])
        return DUE_NO_SENDER;
    if (!report->is_sender_proven)
        return DUE_UNPROVEN;
    if (recipient->notify != 0)
        return DUE_REPORT; /* one for each mail in which it was asked for: there are no more than those */
    return report->is_automatic ? DUE_AUTOMATIC : report->is_crowded ? DUE_CROWDED : DUE_REPORT;
}

static bool is_missed(enum due due)
{
    return due != DUE_REPORT && due != DUE_UNASKED && due != DUE_UNWANTED;
}

int report_find_crowd(struct store_db *db, const char *sender, int64_t now, bool *is_crowded_out)
{
    int64_t count;
    int result = store_overdue_count_reports(db, sender, now - HOUR_MS, REPORT_PER_HOUR, &count);
    *is_crowded_out = result == 1 && count >= REPORT_PER_HOUR;
    return result == 1 ? 1 : -1;
}

/* Only what nobody has asked for is bounded. */
static int learn_crowd(struct store_db *db, struct report *report, int64_t now)
{
    bool any_unasked = false;
    for (size_t i = 0; i < report->recipient_count; i++)
        any_unasked = any_unasked || report->recipients[i].notify == 0;
    return any_unasked ? report_find_crowd(db, report->sender, now, &report->is_crowded) : 1;
}

bool report_would_miss(const struct report *report, const struct report_recipient *recipient)
{
    return is_missed(is_due(report, recipient));
}

unsigned report_join_notify(unsigned a, unsigned b)
{
    if (a == b)
        return a;
    unsigned asked = (a | b) & ~(unsigned)STORE_NOTIFY_NEVER;
    bool any_default = a == 0 || b == 0; /* failures, but of automatic mail */
    return asked && any_default ? asked | STORE_NOTIFY_FAILURE : asked;
}

int report_weigh_notify(unsigned notify)
{
    return notify & STORE_NOTIFY_SUCCESS ? 2 : notify & STORE_NOTIFY_NEVER ? 0 : 1;
}

/* Composing. */

struct original {
    char *data;
    size_t len;
    bool is_whole;
};

static struct original read_original(const struct report *report, bool all)
{
    struct original original = { .data = NULL };
    int64_t wanted = all && report->content_size <= RETURN_MAX ? report->content_size : SMTP_DSN_HEADER_MAX + 1;
    if (report->content_fd < 0)
        return original;
    if (wanted > report->content_size)
        wanted = report->content_size;
    original.data = xmalloc((size_t)wanted + 1);
    while ((int64_t)original.len < wanted) {
        ssize_t n =
            pread(report->content_fd, original.data + original.len, (size_t)wanted - original.len, (off_t)original.len);
        if (n <= 0)
            break;
        original.len += (size_t)n;
    }
    original.is_whole = (int64_t)original.len == report->content_size;
    return original;
}

/* Letters and digits that nobody can guess: 128 bits. */
static void make_boundary(char out[static BOUNDARY_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[(BOUNDARY_SIZE - 1) / 2];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[BOUNDARY_SIZE - 1] = 0;
}

static int compose(const struct reporter *reporter, const struct report *report, const char *message_id, int64_t now,
                   struct strbuf *out, struct smtp_dsn_needs *needs_out)
{
    char boundary[BOUNDARY_SIZE];
    struct smtp_dsn_recipient *recipients = xcalloc(report->recipient_count, sizeof *recipients);
    struct smtp_dsn dsn = {
        .reporting_mta = reporter->hostname,
        .from = reporter->from,
        .to = report->sender,
        .message_id = message_id,
        .references = report->message_id,
        .loop_mark = reporter->hostname,
        .boundary = boundary,
        .envelope_id = report->envid,
        .date = now,
        .arrived_at = report->received_at,
        .recipients = recipients,
    };
    bool any_failed = false;
    make_boundary(boundary);
    for (size_t i = 0; i < report->recipient_count; i++) {
        const struct report_recipient *recipient = &report->recipients[i];
        if (is_due(report, recipient) != DUE_REPORT)
            continue;
        any_failed = any_failed || recipient->action == SMTP_DSN_FAILED;
        recipients[dsn.recipient_count++] = (struct smtp_dsn_recipient){
            .address = recipient->address,
            .original = recipient->orcpt,
            .action = recipient->action,
            .status = recipient->status,
            .explanation = recipient->explanation,
            .diagnostic = recipient->diagnostic,
            .last_attempt_at = now,
            .will_retry_until = recipient->will_retry_until,
        };
    }
    dsn.return_all = any_failed && report->ret == STORE_RET_FULL; /* RFC 3461 section 4.3 */
    struct original original = read_original(report, dsn.return_all);
    dsn.original = original.data;
    dsn.original_len = original.len;
    dsn.original_is_whole = original.is_whole;
    int result = smtp_dsn_compose(&dsn, out, needs_out);
    free(original.data);
    free(recipients);
    return result;
}

/* Keeping. */

/* A report that can't be signed is better than none. The caller frees the fields. */
static char *sign(const struct reporter *reporter, const struct strbuf *text, int64_t now)
{
    struct strbuf fields;
    strbuf_init(&fields, SIGNER_FIELDS_MAX);
    if (reporter->signer && signer_sign_text(reporter->signer, text->data, text->len, now, &fields) != 1)
        strbuf_clear(&fields);
    return strbuf_detach(&fields);
}

static int add_entry(struct store_db *db, const struct report *report, const char *message_id,
                     const struct strbuf *text, struct smtp_dsn_needs needs, const char *signature, int64_t now,
                     int64_t *id_out)
{
    char about[24];
    int64_t content_id, size = (int64_t)text->len;
    struct store_outbound_new row = {
        .kind = STORE_OUTBOUND_REPORT,
        .tmtp_msgid = "",
        .author_uid = "",
        .author_alias = "",
        .message_id = message_id,
        .about_inbound_id = report->inbound_id,
        .posted_at = now,
        .now = now,
    };
    queue_id_format(STORE_QUEUE_IN, report->inbound_id, about);
    if (notice_add_text(db, text->data, text->len, &content_id) != 1 || store_outbound_add(db, &row, id_out) != 1 ||
        store_outbound_add_address(db, *id_out, report->sender) != 1 ||
        store_outbound_set_mail(db, *id_out, content_id, size, needs.is_8bit, needs.is_smtputf8, signature) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_OUT, *id_out, now, "reported", "a report about %s to <%s>", about,
                           report->sender);
}

/* "failed for <a>, delivered for <b>, " of those for whom it is so. */
static bool list_due(const struct report *report, enum due due, struct strbuf *out)
{
    bool any = false;
    for (size_t i = 0; i < report->recipient_count; i++) {
        const struct report_recipient *recipient = &report->recipients[i];
        if (is_due(report, recipient) != due)
            continue;
        strbuf_add_fmt(out, "%s for <%s>, ", smtp_dsn_action_name(recipient->action), recipient->address);
        any = true;
    }
    return any;
}

/* One line of the story for those who are told, and one for each reason not to tell. */
static int trace(struct store_db *db, const struct report *report, int64_t report_id, int64_t now)
{
    char name[24];
    struct strbuf list;
    int result = 1;
    strbuf_init(&list, 1500);
    for (int due = DUE_REPORT; due < DUE_COUNT && result == 1; due++) {
        strbuf_clear(&list);
        if (!list_due(report, (enum due)due, &list))
            continue;
        const char *more = strbuf_ok(&list) ? "" : "and others, ";
        if (due == DUE_REPORT) {
            queue_id_format(STORE_QUEUE_OUT, report_id, name);
            result = store_trace_add(db, STORE_QUEUE_IN, report->inbound_id, now, "report", "%s%sto <%s> as %s",
                                     list.data, more, report->sender, name);
        } else if (due_words[due]) {
            result = store_trace_add(db, STORE_QUEUE_IN, report->inbound_id, now, "report", "%s%sto nobody: %s",
                                     list.data, more, due_words[due]);
        }
    }
    strbuf_free(&list);
    return result;
}

/* Of at most RECIPIENTS_MAX recipients. */
static int add_one(struct store_db *db, const struct reporter *reporter, const struct report *report, int64_t now,
                   bool *added_out)
{
    char message_id[SIGNED_ID_SIZE], stem[2 * BOUNDARY_SIZE], unique[BOUNDARY_SIZE];
    struct smtp_dsn_needs needs;
    struct strbuf text;
    int64_t id = 0;
    int result = 1;
    bool any = false;
    for (size_t i = 0; i < report->recipient_count; i++)
        any = any || is_due(report, &report->recipients[i]) == DUE_REPORT;
    if (!any)
        return trace(db, report, 0, now);
    make_boundary(unique);
    snprintf(stem, sizeof stem, "report-in%" PRId64 "-%.16s", report->inbound_id, unique);
    signed_id_make_message_id(reporter->ids, stem, message_id);
    strbuf_init(&text, REPORT_MAX);
    result = compose(reporter, report, message_id, now, &text, &needs);
    assert(result == 1); /* all sizes are bounded, and the boundary is new */
    char *signature = sign(reporter, &text, now);
    if (result == 1)
        result = add_entry(db, report, message_id, &text, needs, signature, now, &id);
    free(signature);
    strbuf_free(&text);
    if (result == 1)
        result = trace(db, report, id, now);
    *added_out = true;
    return result;
}

int report_add(struct store_db *db, const struct reporter *reporter, const struct report *report, int64_t now,
               bool *added_out)
{
    struct report known = *report;
    *added_out = false;
    int result = learn_crowd(db, &known, now);
    for (size_t done = 0; done < report->recipient_count && result == 1; done += RECIPIENTS_MAX) {
        struct report part = known;
        part.recipients += done;
        part.recipient_count -= done;
        if (part.recipient_count > RECIPIENTS_MAX)
            part.recipient_count = RECIPIENTS_MAX;
        result = add_one(db, reporter, &part, now, added_out);
    }
    return result;
}

/* Of an entry. */

static struct report of_row(const struct store_inbound *row)
{
    return (struct report){
        .inbound_id = row->id,
        .sender = row->sender,
        .is_sender_proven = row->is_sender_proven,
        .is_automatic = row->is_automatic,
        .ret = row->ret,
        .envid = row->envid,
        .message_id = row->message_id,
        .received_at = row->received_at,
        .content_fd = -1,
    };
}

/* With the original. Of most mail there is nothing to say, and then it is not touched. */
static int add_with_original(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                             struct report *report, int64_t now, bool *added_out)
{
    bool any = false;
    for (size_t i = 0; i < report->recipient_count; i++)
        any = any || is_due(report, &report->recipients[i]) != DUE_UNASKED;
    if (!any)
        return 1;
    if (store_content_open(db, row->content_id, &report->content_fd, &report->content_size) != 1)
        report->content_fd = -1;
    int result = report_add(db, reporter, report, now, added_out);
    if (report->content_fd >= 0)
        close(report->content_fd);
    report->content_fd = -1;
    return result;
}

/* What becomes of each recipient of an entry. */
struct fates {
    struct report_recipient *list;
    size_t count;
    char *explanation; /* that is not static; NULL */
};

static void add_fate(struct fates *fates, const struct store_inbound_recipient *recipient, enum smtp_dsn_action action,
                     const char *status, const char *explanation)
{
    fates->list[fates->count++] = (struct report_recipient){
        .address = recipient->address,
        .orcpt = recipient->orcpt,
        .notify = recipient->notify,
        .action = action,
        .status = status,
        .explanation = explanation,
    };
}

static void fates_free(struct fates *fates)
{
    free(fates->list);
    free(fates->explanation);
}

/* Posted, to those who were not skipped; or dropped. */
static int find_outcomes(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                         bool dropped, struct fates *fates)
{
    for (size_t i = 0; i < row->recipient_count; i++) {
        const struct store_inbound_recipient *recipient = &row->recipients[i];
        enum trouble trouble = TROUBLE_DROPPED;
        if (!recipient->address)
            continue;
        if (!dropped && !recipient->is_skipped) {
            add_fate(fates, recipient, SMTP_DSN_DELIVERED, "2.1.5", NULL);
            continue;
        }
        /* skipped for what may have passed since */
        if (!dropped && trouble_find(db, row, recipient, local_case(reporter), TROUBLE_REVOKED, &trouble) < 0)
            return -1;
        add_fate(fates, recipient, SMTP_DSN_FAILED, trouble_words(trouble)->failed_status,
                 trouble_words(trouble)->failed);
    }
    return 1;
}

int report_add_of_entry(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                        bool dropped, int64_t now, bool *added_out)
{
    struct report report = of_row(row);
    *added_out = false;
    if (row->kind != STORE_INBOUND_MAIL)
        return 1;
    struct fates fates = { .list = xcalloc(row->recipient_count + 1, sizeof *fates.list) };
    int result = find_outcomes(db, reporter, row, dropped, &fates);
    report.recipients = fates.list;
    report.recipient_count = fates.count;
    if (result == 1)
        result = add_with_original(db, reporter, row, &report, now, added_out);
    fates_free(&fates);
    return result;
}

int report_add_of_held(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                       const char *message_id, const char *status, const char *explanation, int64_t now,
                       bool *added_out)
{
    struct report report = of_row(row);
    struct fates fates = { .list = xcalloc(row->recipient_count + 1, sizeof *fates.list) };
    for (size_t i = 0; i < row->recipient_count; i++)
        if (row->recipients[i].address)
            add_fate(&fates, &row->recipients[i], SMTP_DSN_FAILED, status, explanation);
    report.message_id = message_id;
    report.recipients = fates.list;
    report.recipient_count = fates.count;
    int result = report_add(db, reporter, &report, now, added_out);
    fates_free(&fates);
    return result;
}

/* Never posted, or not yet. */
static int find_troubles(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                         enum trouble of_all, enum smtp_dsn_action action, const char *words, struct fates *fates)
{
    struct strbuf explanation;
    strbuf_init(&explanation, 1000);
    if (words)
        strbuf_add_fmt(&explanation, "%s: %.400s", trouble_words(of_all)->failed, words);
    fates->explanation = strbuf_detach(&explanation);
    for (size_t i = 0; i < row->recipient_count; i++) {
        const struct store_inbound_recipient *recipient = &row->recipients[i];
        enum trouble trouble;
        if (!recipient->address)
            continue;
        if (trouble_find(db, row, recipient, local_case(reporter), of_all, &trouble) < 0)
            return -1;
        const struct trouble_words *known = trouble_words(trouble);
        if (action == SMTP_DSN_FAILED)
            add_fate(fates, recipient, action, known->failed_status,
                     words && trouble == of_all ? fates->explanation : known->failed);
        else if (known->delayed)
            add_fate(fates, recipient, action, known->delayed_status, known->delayed);
    }
    return 1;
}

/* The worst: who is never told counts more than who is told later. */
static enum report_result find_missed(const struct report *report, const char **why_out)
{
    enum report_result result = REPORT_TOLD;
    for (size_t i = 0; i < report->recipient_count; i++) {
        enum due due = is_due(report, &report->recipients[i]);
        if (!is_missed(due) || (due == DUE_CROWDED && result == REPORT_UNTOLD))
            continue;
        *why_out = due_words[due];
        result = due == DUE_CROWDED ? REPORT_LATER : REPORT_UNTOLD;
    }
    return result;
}

enum report_result report_add_of_return(struct store_db *db, const struct reporter *reporter,
                                        const struct store_inbound *row, enum trouble trouble, const char *words,
                                        int64_t now, bool *added_out, const char **why_out)
{
    struct report report = of_row(row);
    *added_out = false;
    *why_out = "it is the gateway's own";
    if (row->kind != STORE_INBOUND_MAIL)
        return REPORT_UNTOLD;
    struct fates fates = { .list = xcalloc(row->recipient_count + 1, sizeof *fates.list) };
    int found = find_troubles(db, reporter, row, trouble, SMTP_DSN_FAILED, words, &fates);
    report.recipients = fates.list;
    report.recipient_count = fates.count;
    enum report_result result = REPORT_ERROR;
    if (found == 1 && learn_crowd(db, &report, now) == 1)
        result = find_missed(&report, why_out);
    if (result == REPORT_TOLD && fates.count < row->recipient_count) { /* somebody of whom no report can speak */
        *why_out = "it was an answer to a return address";
        result = REPORT_UNTOLD;
    }
    if (result == REPORT_TOLD && add_with_original(db, reporter, row, &report, now, added_out) != 1)
        result = REPORT_ERROR;
    fates_free(&fates);
    return result;
}

int report_add_of_delay(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                        enum trouble trouble, int64_t will_retry_until, int64_t now, bool *added_out)
{
    struct report report = of_row(row);
    *added_out = false;
    if (row->kind != STORE_INBOUND_MAIL)
        return 1;
    struct fates fates = { .list = xcalloc(row->recipient_count + 1, sizeof *fates.list) };
    int result = find_troubles(db, reporter, row, trouble, SMTP_DSN_DELAYED, NULL, &fates);
    for (size_t i = 0; i < fates.count; i++)
        fates.list[i].will_retry_until = will_retry_until;
    report.recipients = fates.list;
    report.recipient_count = fates.count;
    if (result == 1)
        result = add_with_original(db, reporter, row, &report, now, added_out);
    fates_free(&fates);
    return result;
}
