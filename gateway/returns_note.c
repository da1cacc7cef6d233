/* returns_note.c - one commit: what came back is noted at whom it is about, told to the author, and settled
 *
 * Runs on the committer. Everything that a report says was written by a stranger: in notices it is in code spans or
 * blocks, so that it can't act under the gateway's name.
 */
#include "gateway/returns_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "gateway/mapping_change.h"
#include "gateway/notice.h"
#include "gateway/returns.h"
#include "gateway/returns_match.h"
#include "gateway/signed_id.h"
#include "gateway/status_words.h"
#include "mapping/store_mapping.h"
#include "mapping/store_returned.h"
#include "mapping/store_trace.h"
#include "smtp/smtp_address.h"

enum {
    ANSWERS_MAX = 3, /* that are no reports, about one message within a day */
    DAY_MS = 24 * 3600 * 1000,
    TRACE_MAX = 50, /* lines that one report adds to a story */
    SECTION_MAX = 48 * 1024,
    NOTICE_MAX = 250 * 1024, /* of all actions, with their introductions */
    LINE_MAX_BYTES = 1000,
};

/* The store may not know who reads reports: its words are the same. */
_Static_assert((int)STORE_REPORT_FAILED == (int)CONVERT_REPORT_FAILED, "see convert_report.h");
_Static_assert((int)STORE_REPORT_DELAYED == (int)CONVERT_REPORT_DELAYED, "see convert_report.h");
_Static_assert((int)STORE_REPORT_DELIVERED == (int)CONVERT_REPORT_DELIVERED, "see convert_report.h");
_Static_assert((int)STORE_REPORT_RELAYED == (int)CONVERT_REPORT_RELAYED, "see convert_report.h");
_Static_assert((int)STORE_REPORT_EXPANDED == (int)CONVERT_REPORT_EXPANDED, "see convert_report.h");
enum { ACTION_COUNT = STORE_REPORT_EXPANDED + 1 };
_Static_assert(NOTICE_MAX > ACTION_COUNT * (SECTION_MAX + LINE_MAX_BYTES), "what is not told is read again for ever");

/* How each action is told. subject: of a notice whose worst news it is. */
static const struct {
    const char *subject, *intro, *invitation; /* intro: of a message */
    const char *words;                        /* NULL: what the code means */
} actions[ACTION_COUNT] = {
    [STORE_REPORT_FAILED] = { "Not delivered by email", "This message could not be delivered by email:",
                              "The invitation by email could not be delivered:", NULL },
    [STORE_REPORT_DELAYED] = { "Delayed", "This message could not be delivered by email yet:",
                               "The invitation by email could not be delivered yet:", NULL },
    [STORE_REPORT_DELIVERED] = { "Delivered by email", "This message was delivered by email:",
                                 "The invitation by email was delivered:", "delivered" },
    [STORE_REPORT_RELAYED] = { "Delivered by email",
                               "This message was handed on:", "The invitation by email was handed on:",
                               "handed on to a mail server that does not report" },
    [STORE_REPORT_EXPANDED] = { "Delivered by email", "This message was passed on to several people:",
                                "The invitation by email was passed on to several people:",
                                "delivered, and passed on to those behind this address" },
};

struct noting {
    struct store_db *db;
    struct returned *returned;
    const struct store_inbound *in;
    const struct store_outbound *out;
    struct strbuf text[ACTION_COUNT]; /* what the author is told, */
    struct notice_list lists[ACTION_COUNT];
    int64_t retried_until; /* of the delayed ones, the latest; 0: not said */
    unsigned traced;
};

static bool is_invitation(const struct noting *noting)
{
    return noting->out->kind == STORE_OUTBOUND_INVITATION;
}

/* ---- telling ---- */

static int tell(const struct noting *noting, const char *subject, const char *text)
{
    const struct store_outbound *out = noting->out;
    struct notice notice = {
        .to.member_id = out->member_id,
        .to.group_id = is_invitation(noting) ? out->group_id : 0,
        .uid = out->author_uid,
        .alias = out->author_alias,
        .thread_id = out->thread_id,
        .subject = subject,
        .text = text,
        .about = out->id,
    };
    noting->returned->has_added = true;
    return notice_add(noting->db, &notice, noting->returned->now);
}

static void add_what_is_next(const struct noting *noting, struct strbuf *text)
{
    char until[CLOCK_PLAIN_SIZE];
    clock_format_plain(noting->retried_until, until);
    bool is_known = noting->retried_until > noting->returned->now;
    strbuf_add_fmt(text, "\nA mail server on the way tries it again%s%s. There is nothing to do.\n",
                   is_known ? " until " : "", is_known ? until : "");
}

/* One notice for all that the report says, the worst first. */
static int tell_reports(struct noting *noting)
{
    const char *subject = NULL;
    struct strbuf text;
    strbuf_init(&text, NOTICE_MAX);
    for (int action = 0; action < ACTION_COUNT; action++) {
        struct notice_list *list = &noting->lists[action];
        if (list->count == 0)
            continue;
        notice_list_end(list);
        strbuf_add_fmt(&text, "%s%s\n\n%s", subject ? "\n" : "",
                       is_invitation(noting) ? actions[action].invitation : actions[action].intro, list->text->data);
        if (action == STORE_REPORT_DELAYED)
            add_what_is_next(noting, &text);
        if (!subject)
            subject = is_invitation(noting) ? "About an invitation by email" : actions[action].subject;
    }
    int result = !subject ? 1 : strbuf_ok(&text) ? tell(noting, subject, text.data) : -1;
    strbuf_free(&text);
    return result;
}

/* ---- reports ---- */

static int trace(struct noting *noting, enum store_queue queue, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int trace(struct noting *noting, enum store_queue queue, const char *event, const char *fmt, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 2 * LINE_MAX_BYTES);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    int64_t id = queue == STORE_QUEUE_IN ? noting->in->id : noting->out->id;
    int result = store_trace_add(noting->db, queue, id, noting->returned->now, event, "%s", text.data);
    strbuf_free(&text);
    return result;
}

static const char *reporter(const struct noting *noting, const struct convert_report_recipient *reported)
{
    return reported->remote_mta[0] ? reported->remote_mta : noting->returned->report.reporting_mta;
}

/* "bob@example.com", or with the address that it was forwarded to. */
static void name_recipient(const struct store_outbound_recipient *recipient,
                           const struct convert_report_recipient *reported, struct strbuf *out)
{
    strbuf_add_str(out, recipient->address);
    if (returns_match_is_elsewhere(recipient, reported))
        strbuf_add_fmt(out, ", forwarded to %s", reported->address);
}

/* In both stories. */
static int trace_report(struct noting *noting, const char *name, const struct convert_report_recipient *reported,
                        bool is_new)
{
    const char *action = store_report_action_name((enum store_report_action)reported->action);
    const char *who = reporter(noting, reported);
    if (++noting->traced > TRACE_MAX)
        return 1;
    if (trace(noting, STORE_QUEUE_OUT, "reported", "%s for %s%s%s%s%s%s%s, by in%" PRId64 "%s", action, name,
              reported->status[0] ? " with " : "", reported->status, who[0] ? ", says " : "", who,
              reported->diagnostic[0] ? ": " : "", reported->diagnostic, noting->in->id,
              is_new ? "" : " (known already)") != 1)
        return -1;
    return trace(noting, STORE_QUEUE_IN, "reported", "%s for %s%s%s, about out%" PRId64 "%s", action, name,
                 reported->status[0] ? " with " : "", reported->status, noting->out->id,
                 is_new ? "" : " (known already)");
}

static bool is_to_be_told(const struct noting *noting, const struct store_outbound_recipient *recipient,
                          enum convert_report_action action)
{
    if (action == CONVERT_REPORT_FAILED)
        return recipient->state != STORE_RECIPIENT_FAILED; /* else the author was told when the relay refused it */
    return action == CONVERT_REPORT_DELAYED || noting->out->wants_reports;
}

static bool is_bad_news(const struct convert_report_recipient *reported)
{
    return reported->action == CONVERT_REPORT_FAILED || reported->action == CONVERT_REPORT_DELAYED;
}

/* Still to be tried: the relay's answer was lost, and it had taken the mail. It would only fail once more. Only if the return
 * address was told to this recipient alone: else another one, who has the mail, could keep it from them. */
static int end_trying(const struct noting *noting, const struct store_outbound_recipient *recipient,
                      const struct convert_report_recipient *reported)
{
    if (noting->in->about_place == 0 || recipient->state != STORE_RECIPIENT_WAITING ||
        reported->action != CONVERT_REPORT_FAILED)
        return 1;
    return store_outbound_set_recipient(noting->db, noting->out->id, recipient->correspondent_id,
                                        STORE_RECIPIENT_FAILED, reporter(noting, reported), reported->diagnostic) < 0
               ? -1
               : 1;
}

static int note_recipient(struct noting *noting, size_t index, const struct convert_report_recipient *reported)
{
    const struct store_outbound_recipient *recipient = &noting->out->recipients[index];
    struct store_report_new row = {
        .outbound_id = noting->out->id,
        .place = (unsigned)index + 1,
        .action = (enum store_report_action)reported->action,
        .inbound_id = noting->in->id,
        .status = reported->status,
        .now = noting->returned->now,
    };
    struct strbuf name;
    strbuf_init(&name, LINE_MAX_BYTES);
    name_recipient(recipient, reported, &name);
    int is_new = store_report_add(noting->db, &row);
    if (is_new == 1 && is_to_be_told(noting, recipient, reported->action)) {
        const char *who = reporter(noting, reported), *words = actions[reported->action].words;
        struct notice_said said = {
            .about = name.data,
            .words = words ? words : status_words(reported->status),
            .code = reported->status,
            .who = who[0] ? who : "A mail server",
            .said = reported->diagnostic,
        };
        notice_list_add_said(&noting->lists[reported->action], &said);
        if (reported->action == CONVERT_REPORT_DELAYED && reported->will_retry_until > noting->retried_until)
            noting->retried_until = reported->will_retry_until;
    }
    int result = is_new < 0 || end_trying(noting, recipient, reported) < 0
                     ? -1
                     : trace_report(noting, name.data, reported, is_new == 1);
    strbuf_free(&name);
    return result;
}

/* 1; 0: enough was told already of what is not known to be about a recipient; -1. */
static int may_tell_answer(const struct noting *noting)
{
    int64_t answers;
    if (store_returned_count_answers(noting->db, noting->out->id, noting->in->received_at - DAY_MS, &answers) < 0)
        return -1;
    return answers < ANSWERS_MAX;
}

/* Bad news about somebody whom the message was not sent to. It may be a lie; or one of the recipients is an alias, and a server on the
 * way has lost what they were called: then nobody else says that it was not delivered. */
static int tell_of_others(struct noting *noting)
{
    struct strbuf text;
    int may = may_tell_answer(noting);
    if (may <= 0)
        return may < 0 ? -1 : 1;
    strbuf_init(&text, SECTION_MAX);
    struct notice_list list = { .text = &text };
    strbuf_add_str(
        &text, "A report came back by email which says that this message has not reached somebody who is not among its "
               "recipients. Mail to one of them may be passed on to there. It could not be verified: whoever has the "
               "message can have written it.\n\n");
    for (size_t i = 0; i < noting->returned->report.count; i++) {
        const struct convert_report_recipient *reported = &noting->returned->report.recipients[i];
        const char *who = reporter(noting, reported);
        struct notice_said said = {
            .about = reported->address[0] ? reported->address : "(an address that can't be read)",
            .words = status_words(reported->status),
            .code = reported->status,
            .who = who[0] ? who : "A mail server",
            .said = reported->diagnostic,
        };
        if (is_bad_news(reported))
            notice_list_add_said(&list, &said);
    }
    notice_list_end(&list);
    int result = tell(noting, "Unclear delivery", text.data);
    strbuf_free(&text);
    return result == 1 && store_returned_set_answer(noting->db, noting->in->id) == 1 ? 1 : -1;
}

static int note_report(struct noting *noting)
{
    const struct convert_report_result *report = &noting->returned->report;
    size_t matched = 0, bad_news = 0;
    int result = 1;
    for (size_t i = 0; i < report->count && result == 1; i++) {
        const struct convert_report_recipient *reported = &report->recipients[i];
        int index = returns_match(noting->out, noting->in->about_place, reported);
        matched += index >= 0;
        bad_news += index < 0 && is_bad_news(reported);
        if (index >= 0)
            result = note_recipient(noting, (size_t)index, reported);
        else if (++noting->traced <= TRACE_MAX)
            result = trace(noting, STORE_QUEUE_IN, "ignored", "%s for <%s>, who is no recipient of out%" PRId64,
                           store_report_action_name((enum store_report_action)reported->action),
                           reported->original[0] ? reported->original : reported->address, noting->out->id);
    }
    if (result == 1 && matched == 0 && bad_news > 0)
        result = tell_of_others(noting);
    return result == 1 ? tell_reports(noting) : -1;
}

/* ---- what is no report ---- */

/* A block of code ends at a fence that is at least as long as the one which began it (CommonMark, "Fenced code blocks"). */
static void add_block(struct strbuf *out, const char *text)
{
    size_t longest = 2, run = 0;
    for (const char *p = text; *p; p++) {
        run = *p == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        strbuf_add_char(out, '`');
    strbuf_add_fmt(out, "\n%s\n", text);
    for (size_t i = 0; i <= longest; i++)
        strbuf_add_char(out, '`');
    strbuf_add_char(out, '\n');
}

/* Somebody's who may not write to the author, or who is not proven: told as what it is. */
static int tell_answer(struct noting *noting)
{
    const struct convert_report_result *report = &noting->returned->report;
    struct strbuf text;
    strbuf_init(&text, NOTICE_MAX);
    struct notice_list list = { .text = &text };
    strbuf_add_str(&text,
                   "Something came back to this message by email that is no delivery report, such as an automatic "
                   "answer. It could not be verified: whoever has the message can have written it.\n\n");
    if (noting->in->from_address[0])
        notice_list_add(&list, "From: %s", noting->in->from_address);
    if (report->subject[0])
        notice_list_add(&list, "Subject: %s", report->subject);
    if (report->text[0]) {
        strbuf_add_char(&text, '\n');
        add_block(&text, report->text);
    }
    int result = strbuf_ok(&text) ? tell(noting, "An answer that could not be verified", text.data) : -1;
    strbuf_free(&text);
    if (result != 1 || store_returned_set_answer(noting->db, noting->in->id) != 1)
        return -1;
    return trace(noting, STORE_QUEUE_IN, "answer", "no report about out%" PRId64 ": its author was told what it says",
                 noting->out->id);
}

/* Who has written to whoever answers, or in whose name. false: nobody any more. */
static bool find_author(const struct noting *noting, struct store_target *author_out)
{
    for (size_t i = 0; i < noting->out->recipient_count; i++) {
        const struct store_outbound_recipient *recipient = &noting->out->recipients[i];
        if (strcmp(recipient->address, noting->in->from_address) != 0)
            continue;
        *author_out = (struct store_target){ .member_id = recipient->group_id ? 0 : noting->out->member_id,
                                             .group_id = recipient->group_id };
        return author_out->member_id || author_out->group_id;
    }
    return false;
}

/* It is posted like any mail, in the thread of what it answers, and looked at again by the poster as any mail is. */
static int let_in(struct noting *noting)
{
    struct store_inbound_recipient_new recipient = { .mapping_id = noting->in->answer_mapping_id };
    if (!find_author(noting, &recipient.target))
        return tell_answer(noting);
    noting->returned->has_added = true;
    if (store_returned_become_mail(noting->db, noting->in->id, noting->out->message_id, noting->returned->now) != 1 ||
        store_inbound_add_recipient(noting->db, noting->in->id, &recipient) != 1 ||
        trace(noting, STORE_QUEUE_OUT, "answered", "by in%" PRId64 ", an automatic answer of <%s>", noting->in->id,
              noting->in->from_address) != 1)
        return -1;
    return trace(noting, STORE_QUEUE_IN, "answer",
                 "no report: an automatic answer to out%" PRId64 ", by mapping %" PRId64, noting->out->id,
                 noting->in->answer_mapping_id);
}

static int tell_unreadable(struct noting *noting)
{
    if (store_returned_set_answer(noting->db, noting->in->id) != 1 ||
        tell(noting, "Unclear delivery",
             "A report about this message came back by email, but it could not be read. It may be that the message did "
             "not reach everybody outside.") != 1)
        return -1;
    return trace(noting, STORE_QUEUE_IN, "unreadable", "about out%" PRId64 "; its author was told so", noting->out->id);
}

static int note_other(struct noting *noting)
{
    int may = may_tell_answer(noting);
    if (may < 0)
        return -1;
    if (may == 0)
        return trace(noting, STORE_QUEUE_IN, "ignored",
                     "no report about out%" PRId64 ", and there were %d within a day", noting->out->id, ANSWERS_MAX);
    if (noting->returned->is_unreadable)
        return tell_unreadable(noting);
    return noting->in->answer_mapping_id ? let_in(noting) : tell_answer(noting);
}

/* ---- to be removed ---- */

static int tell_removal(const struct noting *noting, const struct store_mapping *mapping)
{
    struct strbuf text;
    strbuf_init(&text, SECTION_MAX);
    struct notice_list list = { .text = &text };
    strbuf_add_str(&text, "Whoever got the invitation by email does not want it, and has asked to be removed:\n\n");
    notice_list_add(&list, "%s", mapping->subject);
    strbuf_add_str(&text, "\nNothing is sent there any more, and nothing is let in from there. Another invitation is "
                          "a matter for an administrator.\n");
    int result = tell(noting, "Removed on request", text.data);
    strbuf_free(&text);
    return result;
}

/* What an address for being removed ends, among all mappings of this author and target. */
struct removable {
    int64_t live_id; /* 0: none */
    bool was_asked;  /* they have been removed like this before */
};

static void look_at_removable(const struct store_mapping *mapping, void *ctx)
{
    struct removable *removable = ctx;
    if (mapping->state == STORE_MAPPING_APPROVED || mapping->state == STORE_MAPPING_SUSPENDED)
        removable->live_id = mapping->id;
    removable->was_asked = removable->was_asked || (mapping->state == STORE_MAPPING_REVOKED &&
                                                    strcmp(mapping->decided_by, mapping->subject) == 0);
}

/* The mapping of the invitation, or one that has followed it: the invitation says that it is for good. But not what somebody has
 * opened after they had been removed: else whoever has an old invitation could keep them out for ever. 0: nothing is left. */
static int find_removable(struct store_db *db, const struct store_mapping *invited, int64_t *id_out)
{
    struct removable removable = { .live_id = 0 };
    const struct store_mapping_filter filter = { .subject = invited->subject,
                                                 .by_target = true,
                                                 .target = invited->target };
    if (store_mapping_list(db, &filter, look_at_removable, &removable) < 0)
        return -1;
    *id_out = removable.live_id;
    return removable.live_id && (removable.live_id == invited->id || !removable.was_asked);
}

static int remove_live(struct noting *noting, const struct store_mapping *invited)
{
    struct mapping_result change;
    struct store_actor actor = { .channel = "mail", .name = invited->subject };
    struct mapping_change why = { .actor = &actor, .reason = "asked to be removed", .now = noting->returned->now };
    int64_t id;
    int found = find_removable(noting->db, invited, &id);
    if (found != 1)
        return found;
    int changed = mapping_change_state(noting->db, &why, id, MAPPING_REVOKE, NULL, &change);
    mapping_result_clear(&change);
    return changed == 1 && tell_removal(noting, invited) != 1 ? -1 : changed;
}

/* Programs that answer every mail have not read it. */
static int note_removal(struct noting *noting)
{
    struct store_mapping mapping;
    const struct store_inbound *in = noting->in;
    if (!in->sender[0] || in->is_automatic)
        return trace(noting, STORE_QUEUE_IN, "ignored",
                     "a program's, to the address for being removed from out%" PRId64, noting->out->id);
    int found = store_mapping_find_by_invitation(noting->db, noting->out->id, &mapping);
    if (found != 1)
        return -1; /* it was there at RCPT */
    int changed = remove_live(noting, &mapping);
    store_mapping_free(&mapping);
    if (changed < 0)
        return -1;
    return trace(noting, STORE_QUEUE_IN, "removed", "%s by whoever has the invitation out%" PRId64,
                 changed == 1 ? "the mapping was revoked" : "asked for, when the mapping was over already,",
                 noting->out->id);
}

/* ---- the entry ---- */

static int note(struct noting *noting)
{
    int64_t count, most = returns_most(noting->out->recipient_count);
    if (store_returned_count(noting->db, noting->out->id, noting->in->id, most + 1, &count) < 0)
        return -1;
    if (count > most)
        return trace(noting, STORE_QUEUE_IN, "ignored", "more than %" PRId64 " came back about out%" PRId64, most,
                     noting->out->id);
    if (noting->in->about_place == SIGNED_ID_REMOVAL)
        return note_removal(noting);
    bool is_report = !noting->returned->is_unreadable && noting->returned->report.kind != CONVERT_REPORT_OTHER;
    return is_report ? note_report(noting) : note_other(noting);
}

static int note_about(struct store_db *db, struct returned *returned, const struct store_inbound *in,
                      const struct store_outbound *out)
{
    struct noting noting = { .db = db, .returned = returned, .in = in, .out = out };
    for (int i = 0; i < ACTION_COUNT; i++) {
        strbuf_init(&noting.text[i], SECTION_MAX);
        noting.lists[i].text = &noting.text[i];
    }
    int result = note(&noting);
    for (int i = 0; i < ACTION_COUNT; i++)
        strbuf_free(&noting.text[i]);
    return result;
}

/* What has become mail goes on as such. */
static int settle(struct store_db *db, int64_t id)
{
    struct store_inbound row;
    if (store_inbound_find(db, id, &row) != 1)
        return -1;
    bool is_done = row.kind == STORE_INBOUND_RETURNED;
    store_inbound_free(&row);
    return !is_done || store_inbound_finish(db, id, STORE_QUEUE_SETTLED) == 1 ? 1 : -1;
}

int returns_note(struct store_db *db, struct returned *returned)
{
    struct store_inbound in;
    struct store_outbound out;
    returned->has_added = false;
    int found = store_inbound_find(db, returned->id, &in);
    if (found != 1)
        return found < 0 ? -1 : 1;
    int result = 1;
    if (in.kind == STORE_INBOUND_RETURNED && in.state == STORE_QUEUE_WAITING) {
        found = store_outbound_find(db, in.about_outbound_id, &out);
        result = found == 1 ? note_about(db, returned, &in, &out) : -1; /* entries stay: it was there at RCPT */
        if (found == 1)
            store_outbound_free(&out);
        if (result == 1)
            result = settle(db, in.id);
    }
    store_inbound_free(&in);
    return result == 1 ? 1 : -1;
}
