/* admin_queue.c - queue list, show, retry, hold, drop; why */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/report.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

enum { LIST_MAX = 1000, REASON_MAX = 1000 };

/* One row of a list, from either queue. */

static void add_common(struct admin_output *out, enum store_queue which, int64_t id, enum store_queue_state state)
{
    char name[24];
    queue_id_format(which, id, name);
    admin_output_string(out, "id", name);
    admin_output_string(out, "state", store_queue_state_name(state));
}

static void add_schedule(struct admin_output *out, int64_t size, int64_t received_at, unsigned attempts,
                         int64_t next_attempt_at, const char *last_error)
{
    admin_output_int(out, "size", size);
    admin_output_time(out, "received", received_at);
    admin_output_int(out, "attempts", attempts);
    admin_output_time(out, "next_attempt", next_attempt_at);
    admin_output_string(out, "last_error", last_error[0] ? last_error : NULL);
}

static char *inbound_recipients(const struct store_inbound *row)
{
    struct strbuf text;
    strbuf_init(&text, 4000);
    for (size_t i = 0; i < row->recipient_count; i++)
        strbuf_add_fmt(&text, "%s%s", i ? ", " : "", row->recipients[i].alias);
    return strbuf_detach(&text);
}

static char *outbound_recipients(const struct store_outbound *row)
{
    struct strbuf text;
    strbuf_init(&text, 4000);
    for (size_t i = 0; i < row->recipient_count; i++)
        strbuf_add_fmt(&text, "%s%s", i ? ", " : "", row->recipients[i].address);
    return strbuf_detach(&text);
}

static int add_inbound(struct admin_request *request, int64_t id)
{
    struct admin_output *out = request->output;
    struct store_inbound row;
    int found = store_inbound_find(admin_reader(request), id, &row);
    if (found != 1)
        return found;
    char *to = inbound_recipients(&row);
    add_common(out, STORE_QUEUE_IN, id, row.state);
    admin_output_string(out, "from", row.kind == STORE_INBOUND_NOTICE ? "(gateway)" : row.from_address);
    admin_output_string(out, "to", to);
    add_schedule(out, row.size, row.received_at, row.attempts, row.next_attempt_at, row.last_error);
    free(to);
    store_inbound_free(&row);
    return 1;
}

static int add_outbound(struct admin_request *request, int64_t id)
{
    struct admin_output *out = request->output;
    struct store_outbound row;
    int found = store_outbound_find(admin_reader(request), id, &row);
    if (found != 1)
        return found;
    char *to = outbound_recipients(&row);
    add_common(out, STORE_QUEUE_OUT, id, row.state);
    admin_output_string(out, "from", row.kind == STORE_OUTBOUND_REPORT ? "(gateway)" : row.author_alias);
    admin_output_string(out, "to", to);
    add_schedule(out, row.size, row.received_at, row.attempts, row.next_attempt_at, row.last_error);
    free(to);
    store_outbound_free(&row);
    return 1;
}

static int add_entry(struct admin_request *request, enum store_queue which, int64_t id)
{
    return which == STORE_QUEUE_IN ? add_inbound(request, id) : add_outbound(request, id);
}

struct listing {
    struct admin_request *request;
    enum store_queue which;
    int result;
};

static void list_one(int64_t id, int64_t next_attempt_at, void *ctx)
{
    struct listing *listing = ctx;
    (void)next_attempt_at;
    admin_output_row(listing->request->output);
    if (add_entry(listing->request, listing->which, id) < 0)
        listing->result = -1;
    admin_output_end(listing->request->output);
}

void admin_queue_list(struct admin_request *request)
{
    static const enum store_queue_state live[] = { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED, STORE_QUEUE_HELD };
    const char *direction = admin_option(request, "--direction"), *state_name = admin_option(request, "--state");
    enum store_queue_state state;
    if (direction && strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0) {
        admin_misused(request, "--direction takes in or out");
        return;
    }
    if (state_name && !store_queue_state_parse(state_name, &state)) {
        admin_misused(request, "--state takes waiting, routed, held, settled or dropped");
        return;
    }
    struct listing listing = { .request = request, .result = 1 };
    admin_output_list(request->output, "queue");
    for (int which = STORE_QUEUE_IN; which <= STORE_QUEUE_OUT; which++) {
        listing.which = (enum store_queue)which;
        if (direction && strcmp(direction, which == STORE_QUEUE_IN ? "in" : "out") != 0)
            continue;
        for (size_t i = 0; i < sizeof live / sizeof live[0]; i++)
            if ((!state_name || i == 0) &&
                store_queue_list(admin_reader(request), listing.which, state_name ? state : live[i], LIST_MAX, list_one,
                                 &listing) < 0)
                listing.result = -1;
    }
    admin_output_end(request->output);
    if (listing.result < 0)
        admin_database_error(request);
    else
        admin_finish(request);
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

/* The entry and its story. */
static void show(struct admin_request *request, enum store_queue which, int64_t id)
{
    int found = add_entry(request, which, id);
    if (found == 1) {
        admin_output_list(request->output, "trace");
        found = store_trace_list(admin_reader(request), which, id, add_trace_row, request->output) < 0 ? -1 : 1;
        admin_output_end(request->output);
    }
    if (found == 1)
        admin_finish(request);
    else if (found == 0)
        admin_refuse(request, "there is no entry %s", request->argv[0]);
    else
        admin_database_error(request);
}

static int entry_argument(struct admin_request *request, enum store_queue *which, int64_t *id)
{
    if (queue_id_parse(request->argv[0], which, id) == 1)
        return 1;
    admin_misused(request, "\"%s\" is not an entry of the queue; expected something like in17 or out5",
                  request->argv[0]);
    return -1;
}

void admin_queue_show(struct admin_request *request)
{
    enum store_queue which;
    int64_t id;
    if (entry_argument(request, &which, &id) == 1)
        show(request, which, id);
}

/* "<id@host>" as it stands in a mail, without the brackets. */
static char *without_brackets(const char *text)
{
    size_t len = strlen(text);
    if (len >= 2 && text[0] == '<' && text[len - 1] == '>')
        return xstrndup(text + 1, len - 2);
    return xstrdup(text);
}

void admin_why(struct admin_request *request)
{
    enum store_queue which;
    int64_t id, inbound_id = 0, outbound_id = 0;
    if (queue_id_parse(request->argv[0], &which, &id) == 1) {
        show(request, which, id);
        return;
    }
    char *name = without_brackets(request->argv[0]);
    int found = store_message_find_queue_ids(admin_reader(request), name, &inbound_id, &outbound_id);
    free(name);
    if (found == 1 && inbound_id)
        show(request, STORE_QUEUE_IN, inbound_id);
    else if (found == 1 && outbound_id)
        show(request, STORE_QUEUE_OUT, outbound_id);
    else if (found < 0)
        admin_database_error(request);
    else
        admin_refuse(request,
                     "nothing is known of \"%s\" (expected an id such as in17, a Message-ID, or a silo message id)",
                     request->argv[0]);
}

/* Changes. */
enum change_kind { CHANGE_RETRY, CHANGE_HOLD, CHANGE_DROP };
struct change {
    struct admin_request *request;
    enum change_kind kind;
    enum store_queue which;
    int64_t id, now; /* id 0: all */
    bool reported;   /* to the sender */
    const char *reason;
    const char *refusal; /* static */
};

/* State of the entry, and whether it was past its first step (routed, or written). -1 error, 0 none. */
static int entry_state(struct store_db *db, const struct change *change, enum store_queue_state *state_out,
                       bool *routed_out)
{
    struct store_inbound in;
    struct store_outbound out;
    int found = change->which == STORE_QUEUE_IN ? store_inbound_find(db, change->id, &in)
                                                : store_outbound_find(db, change->id, &out);
    if (found != 1)
        return found;
    if (change->which == STORE_QUEUE_IN) {
        *state_out = in.state;
        *routed_out = in.thread_id != 0;
        store_inbound_free(&in);
    } else {
        *state_out = out.state;
        *routed_out = out.head[0] == 0;
        store_outbound_free(&out);
    }
    return 1;
}

static int set_state(struct store_db *db, const struct change *change, enum store_queue_state state, const char *error)
{
    return change->which == STORE_QUEUE_IN ? store_inbound_set_state(db, change->id, state, error)
                                           : store_outbound_set_state(db, change->id, state, error);
}

static int drop(struct store_db *db, struct change *change)
{
    struct store_inbound row;
    if (change->which == STORE_QUEUE_OUT)
        return store_outbound_finish(db, change->id, STORE_QUEUE_DROPPED);
    if (store_inbound_find(db, change->id, &row) != 1)
        return -1;
    const struct reporter *reporter = gateway_parts(change->request->gateway)->reporter;
    int result = report_add_of_entry(db, reporter, &row, true, change->now, &change->reported);
    store_inbound_free(&row);
    return result == 1 ? store_inbound_finish(db, change->id, STORE_QUEUE_DROPPED) : -1;
}

static int apply_to_one(struct store_db *db, struct change *change)
{
    enum store_queue_state state;
    bool routed;
    const char *event = "retried";
    int result = entry_state(db, change, &state, &routed);
    change->refusal = "there is no such entry";
    if (result != 1)
        return result;
    change->refusal = "it is settled or dropped already";
    if (state == STORE_QUEUE_SETTLED || state == STORE_QUEUE_DROPPED)
        return 0;
    if (change->kind == CHANGE_HOLD) {
        event = "held";
        result = set_state(db, change, STORE_QUEUE_HELD, "held by an administrator");
    } else if (change->kind == CHANGE_DROP) {
        event = "dropped";
        result = drop(db, change);
    } else {
        if (state == STORE_QUEUE_HELD)
            result = set_state(db, change, routed ? STORE_QUEUE_ROUTED : STORE_QUEUE_WAITING, "");
        if (result == 1)
            result = store_queue_set_due(db, change->which, change->id, change->now);
    }
    if (result != 1)
        return -1;
    return store_trace_add(db, change->which, change->id, change->now, event, "by %s%s%s", change->request->actor,
                           change->reason[0] ? ": " : "", change->reason);
}

static int do_change(struct store_db *db, void *arg)
{
    struct change *change = arg;
    if (change->id != 0)
        return apply_to_one(db, change);
    if (store_queue_set_due(db, STORE_QUEUE_IN, 0, change->now) < 0 ||
        store_queue_set_due(db, STORE_QUEUE_OUT, 0, change->now) < 0)
        return -1;
    return 1;
}

static void changed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    static const char *const done[] = {
        [CHANGE_RETRY] = "retrying", [CHANGE_HOLD] = "held", [CHANGE_DROP] = "dropped"
    };
    if (result == 1) {
        log_info("queue.changed", "entry=%s change=%s actor=%s reason=%s", request->argv[0], done[change->kind],
                 request->actor, change->reason);
        gateway_poke_queues(request->gateway);
        admin_output_string(request->output, done[change->kind], request->argv[0]);
        if (change->kind == CHANGE_DROP && change->which == STORE_QUEUE_IN)
            admin_output_bool(request->output, "sender_told", change->reported);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "%s: %s", request->argv[0], change->refusal);
    } else {
        admin_database_error(request);
    }
    free(change);
}

static void begin_change(struct admin_request *request, enum change_kind kind)
{
    struct change *change = xcalloc(1, sizeof *change);
    const char *reason = admin_option(request, "--reason");
    *change =
        (struct change){ .request = request, .kind = kind, .now = admin_now(request), .reason = reason ? reason : "" };
    bool all = kind == CHANGE_RETRY && strcmp(request->argv[0], "all") == 0;
    if (kind == CHANGE_DROP && (!change->reason[0] || strlen(change->reason) > REASON_MAX)) {
        free(change);
        admin_misused(request, "dropping mail needs a reason of at most 1000 bytes: --reason TEXT");
    } else if (!all && entry_argument(request, &change->which, &change->id) < 0) {
        free(change); /* answered */
    } else {
        store_submit(gateway_parts(request->gateway)->store, do_change, changed, change);
    }
}

void admin_queue_retry(struct admin_request *request)
{
    begin_change(request, CHANGE_RETRY);
}

void admin_queue_hold(struct admin_request *request)
{
    begin_change(request, CHANGE_HOLD);
}

void admin_queue_drop(struct admin_request *request)
{
    begin_change(request, CHANGE_DROP);
}
