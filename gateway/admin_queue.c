/* admin_queue.c - queue show, and what why shows of an entry */
#include "gateway/admin_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/gateway.h"
#include "gateway/queue.h"
#include "gateway/why_words.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_returned.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

enum { AGE_SIZE = 64, RELATED_MAX = 100, PARAGRAPH_MAX = 8000 };
enum { TRACE_FIRST = 100, TRACE_LAST = 900 }; /* events shown of a story; five days of attempts have 40 */

int admin_queue_entry_argument(struct admin_request *request, enum store_queue *which, int64_t *id)
{
    if (queue_id_parse(request->argv[0], which, id) == 1)
        return 1;
    admin_misused(request, "\"%s\" is not an entry of the queue; expected something like in17 or out5",
                  request->argv[0]);
    return -1;
}

/* What is being done about it: static text; NULL when it has ended. */
static const char *doing(const struct admin_request *request, const struct store_queue_summary *summary)
{
    if (summary->state == STORE_QUEUE_SETTLED || summary->state == STORE_QUEUE_DROPPED)
        return NULL;
    if (gateway_is_under_way(request->gateway, summary->queue, summary->id))
        return "under way";
    if (summary->state == STORE_QUEUE_HELD)
        return "held";
    if (summary->state == STORE_QUEUE_PENDING)
        return "awaits approval";
    return summary->next_attempt_at > admin_now(request) ? "deferred" : "due";
}

/* For people: "2 d 3 h". */
static void format_age(int64_t ms, char out[static AGE_SIZE])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" } };
    enum { UNIT_COUNT = sizeof units / sizeof units[0] };
    size_t i = 0;
    while (i + 1 < UNIT_COUNT && ms < units[i].ms)
        i++;
    int64_t big = ms > 0 ? ms / units[i].ms : 0, rest = ms > 0 ? ms % units[i].ms : 0;
    if (i + 1 < UNIT_COUNT && rest >= units[i + 1].ms)
        snprintf(out, AGE_SIZE, "%" PRId64 " %s %" PRId64 " %s", big, units[i].unit, rest / units[i + 1].ms,
                 units[i + 1].unit);
    else
        snprintf(out, AGE_SIZE, "%" PRId64 " %s", big, units[i].unit);
}

static void add_recipient_names(struct admin_output *out, const struct store_queue_summary *summary)
{
    struct strbuf names;
    strbuf_init(&names, 4000);
    strbuf_add_str(&names, summary->to);
    if (summary->recipient_count > STORE_QUEUE_NAMES_MAX)
        strbuf_add_fmt(&names, " and %" PRId64 " more", summary->recipient_count - STORE_QUEUE_NAMES_MAX);
    admin_output_string(out, "to", names.data);
    strbuf_free(&names);
}

static void add_entry_name(struct admin_output *out, const char *key, enum store_queue which, int64_t id)
{
    char name[24];
    queue_id_format(which, id, name);
    admin_output_string(out, key, id ? name : NULL);
}

static enum store_queue other_queue(enum store_queue which)
{
    return which == STORE_QUEUE_IN ? STORE_QUEUE_OUT : STORE_QUEUE_IN;
}

/* The gateway's own words have no author; nor has mail with a null path and no address in its header. */
static const char *author_of(const struct store_queue_summary *summary)
{
    bool is_own = strcmp(summary->kind, "notice") == 0 || strcmp(summary->kind, "report") == 0;
    if (is_own)
        return "(gateway)";
    return summary->from[0] || summary->queue == STORE_QUEUE_OUT ? summary->from : "<>";
}

void admin_queue_add_summary(struct admin_request *request, const struct store_queue_summary *summary, bool more)
{
    struct admin_output *out = request->output;
    bool is_live = summary->state != STORE_QUEUE_SETTLED && summary->state != STORE_QUEUE_DROPPED;
    char age[AGE_SIZE];
    format_age(admin_now(request) - summary->received_at, age);
    add_entry_name(out, "id", summary->queue, summary->id);
    admin_output_string(out, "kind", summary->kind);
    admin_output_string(out, "state", store_queue_state_name(summary->state));
    admin_output_string(out, "doing", doing(request, summary));
    admin_output_string(out, "age", age);
    admin_output_string(out, "from", author_of(summary));
    add_recipient_names(out, summary);
    int64_t open = summary->recipient_count - summary->delivered_count - summary->failed_count;
    admin_output_int(out, "waiting", is_live ? open : 0);
    admin_output_int(out, "delivered", summary->delivered_count);
    admin_output_int(out, "failed", summary->failed_count);
    admin_output_int(out, "size", summary->size);
    admin_output_time(out, "received", summary->received_at);
    admin_output_int(out, "attempts", summary->attempts);
    admin_output_time(out, "next_attempt", is_live ? summary->next_attempt_at : 0);
    if (more) {
        admin_output_string(out, "message_id", summary->message_id[0] ? summary->message_id : NULL);
        add_entry_name(out, "about", other_queue(summary->queue), summary->about_id);
    }
    admin_output_string(out, "last_error", summary->last_error[0] ? summary->last_error : NULL);
}

/* What else there is to know, and who was to get it, with what became of that. 1, 0 no such entry, -1. */

static int add_inbound(struct admin_request *request, int64_t id)
{
    struct admin_output *out = request->output;
    struct store_inbound row;
    int found = store_inbound_find(admin_reader(request), id, &row);
    if (found != 1)
        return found;
    admin_output_string(out, "subject", row.subject);
    admin_output_list(out, "recipients");
    for (size_t i = 0; i < row.recipient_count; i++) {
        const struct store_inbound_recipient *recipient = &row.recipients[i];
        bool posted = row.state == STORE_QUEUE_SETTLED && !recipient->is_skipped;
        admin_output_row(out);
        admin_output_string(out, "alias", recipient->alias);
        admin_output_string(out, "address", recipient->address);
        admin_output_string(out, "state", posted ? "posted" : recipient->is_skipped ? "left out" : "waiting");
        admin_output_end(out);
    }
    admin_output_end(out);
    store_inbound_free(&row);
    return 1;
}

static void add_outbound_recipient(struct admin_output *out, const struct store_outbound_recipient *recipient,
                                   bool is_dropped)
{
    bool given_up = is_dropped && recipient->state == STORE_RECIPIENT_WAITING;
    admin_output_row(out);
    admin_output_string(out, "address", recipient->address);
    admin_output_string(out, "state", given_up ? "dropped" : store_recipient_state_name(recipient->state));
    admin_output_string(out, "relay", recipient->relay[0] ? recipient->relay : NULL);
    admin_output_string(out, "reply", recipient->reply[0] ? recipient->reply : NULL);
    admin_output_end(out);
}

/* What the other side has said about a recipient, after the mail was handed on. */
static void add_report_row(const struct store_report *report, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_string(out, "address", report->address);
    admin_output_string(out, "action", report->action);
    admin_output_string(out, "status", report->status[0] ? report->status : NULL);
    admin_output_time(out, "time", report->reported_at);
    add_entry_name(out, "said_by", STORE_QUEUE_IN, report->inbound_id);
    admin_output_end(out);
}

static int add_outbound(struct admin_request *request, int64_t id)
{
    struct admin_output *out = request->output;
    struct store_outbound row;
    int found = store_outbound_find(admin_reader(request), id, &row);
    if (found != 1)
        return found;
    admin_output_string(out, "silo_message", row.tmtp_msgid[0] ? row.tmtp_msgid : NULL);
    admin_output_bool(out, "wants_reports", row.wants_reports);
    admin_output_time(out, "warned", row.warned_at);
    admin_output_list(out, "recipients");
    for (size_t i = 0; i < row.recipient_count; i++)
        add_outbound_recipient(out, &row.recipients[i], row.state == STORE_QUEUE_DROPPED);
    admin_output_end(out);
    store_outbound_free(&row);
    admin_output_list(out, "reports");
    int result = store_report_list(admin_reader(request), id, add_report_row, out);
    admin_output_end(out);
    return result;
}

/* What tells something about it: notices to its author, reports to its sender. */
struct related {
    struct admin_request *request;
    enum store_queue which; /* theirs */
    int64_t count;
    int result;
};

static void add_related_row(int64_t id, int64_t next_attempt_at, void *ctx)
{
    struct related *related = ctx;
    struct admin_output *out = related->request->output;
    struct store_queue_summary summary;
    (void)next_attempt_at;
    if (++related->count > RELATED_MAX)
        return;
    int found = store_queue_summarise(admin_reader(related->request), related->which, id, &summary);
    if (found < 0)
        related->result = -1;
    if (found != 1)
        return;
    admin_output_row(out);
    add_entry_name(out, "id", related->which, id);
    admin_output_string(out, "kind", summary.kind);
    admin_output_string(out, "state", store_queue_state_name(summary.state));
    admin_output_time(out, "received", summary.received_at);
    admin_output_string(out, "to", summary.to);
    admin_output_end(out);
    store_queue_summary_free(&summary);
}

static int add_related(struct admin_request *request, enum store_queue which, int64_t id)
{
    struct related related = { .request = request, .which = other_queue(which), .result = 1 };
    admin_output_list(request->output, "related");
    if (store_queue_list_about(admin_reader(request), which, id, add_related_row, &related) < 0)
        related.result = -1;
    admin_output_end(request->output);
    admin_output_int(request->output, "related_left_out",
                     related.count > RELATED_MAX ? related.count - RELATED_MAX : 0); /* the later ones */
    return related.result;
}

static void add_trace_row(int64_t at, const char *event, const char *detail, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_time(out, "time", at);
    admin_output_string(out, "event", event);
    admin_output_string(out, "detail", detail);
    admin_output_end(out);
}

static int add_trace(struct admin_request *request, enum store_queue which, int64_t id)
{
    struct admin_output *out = request->output;
    struct store_db *db = admin_reader(request);
    int64_t count;
    if (store_trace_count(db, which, id, &count) != 1)
        return -1;
    int64_t left_out = count > TRACE_FIRST + TRACE_LAST ? count - TRACE_FIRST - TRACE_LAST : 0;
    admin_output_int(out, "trace_left_out", left_out); /* between the first and the last ones */
    admin_output_list(out, "trace");
    int result = store_trace_list_ends(db, which, id, TRACE_FIRST, TRACE_LAST, add_trace_row, out);
    admin_output_end(out);
    return result;
}

struct story {
    struct admin_output *out;
    enum store_queue which;
};

static void add_paragraph(int64_t at, const char *event, const char *detail, void *ctx)
{
    const struct story *story = ctx;
    struct strbuf text;
    strbuf_init(&text, PARAGRAPH_MAX);
    why_words_add_event(story->which, at, event, detail, &text);
    admin_output_paragraph(story->out, text.data);
    strbuf_free(&text);
}

/* In sentences: where it stands, and how it came there. */
static int add_story(struct admin_request *request, const struct store_queue_summary *summary)
{
    struct story story = { .out = request->output, .which = summary->queue };
    struct strbuf text;
    strbuf_init(&text, PARAGRAPH_MAX);
    why_words_add_summary(summary, doing(request, summary), &text);
    admin_output_list(story.out, "story");
    admin_output_paragraph(story.out, text.data);
    strbuf_free(&text);
    int result = store_trace_list_ends(admin_reader(request), summary->queue, summary->id, TRACE_FIRST, TRACE_LAST,
                                       add_paragraph, &story);
    admin_output_end(story.out);
    return result;
}

int admin_queue_add_entry(struct admin_request *request, enum store_queue which, int64_t id, bool with_story)
{
    struct store_queue_summary summary;
    int found = store_queue_summarise(admin_reader(request), which, id, &summary);
    if (found == 1) {
        int told = with_story ? add_story(request, &summary) : 1;
        admin_queue_add_summary(request, &summary, true);
        store_queue_summary_free(&summary);
        found = which == STORE_QUEUE_IN ? add_inbound(request, id) : add_outbound(request, id);
        if (told != 1 || found != 1 || add_related(request, which, id) != 1 || add_trace(request, which, id) != 1)
            found = -1;
    }
    return found;
}

static void show(struct admin_request *request, enum store_queue which, int64_t id)
{
    int found = admin_queue_add_entry(request, which, id, false);
    if (found == 1)
        admin_finish(request);
    else if (found == 0)
        admin_refuse(request, "there is no entry %s", request->argv[0]);
    else
        admin_database_error(request);
}

void admin_queue_show(struct admin_request *request)
{
    enum store_queue which;
    int64_t id;
    if (admin_queue_entry_argument(request, &which, &id) == 1)
        show(request, which, id);
}
