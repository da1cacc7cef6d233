/* admin_queue_change.c - queue retry, hold, drop
 *
 * Members always know what became of their words: the author of a message is told, in its thread, when it is held, released
 * and dropped. What is under way at that moment goes on: its outcome is noted beside what an administrator has decided.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/admin_queue.h"
#include "gateway/gateway.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/relay.h"
#include "gateway/report.h"
#include "mapping/store_named.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_trace.h"

enum { REASON_MAX = 1000, NOTICE_MAX = 64 * 1024, BATCH = 500 };
static const char held_by_hand[] = "held by an administrator"; /* begins last_error of such an entry */

enum change_kind { CHANGE_RETRY, CHANGE_HOLD, CHANGE_DROP };
/* What is done to an entry, in words: for logs and answers, traces, and its author. */
static const struct {
    const char *done, *event;
    const char *subject, *intro; /* of the notice; intro: behind "An administrator of this gateway has " */
} words[] = {
    [CHANGE_RETRY] = { "retrying", "retried", "Released", "released %s. Sending by email goes on." },
    [CHANGE_HOLD] = { "held", "held", "Held",
                      "stopped %s. It is not sent by email until they release it; you will be told of that." },
    [CHANGE_DROP] = { "dropped", "dropped", "Not sent by email",
                      "decided that %s is not sent by email. It is not tried again." },
};

struct change {
    struct admin_request *request;
    enum change_kind kind;
    enum store_queue which;
    int64_t id, now;
    const char *reason;
    bool under_way;
    const char *refusal; /* static */
    bool sender_told, author_told;
};

/* The author. */

static const char *kind_words(enum store_outbound_kind kind)
{
    static const char *const names[] = { [STORE_OUTBOUND_MESSAGE] = "this message",
                                         [STORE_OUTBOUND_FORWARD] = "the thread that you have forwarded",
                                         [STORE_OUTBOUND_FILES] = "the attachments of this message",
                                         [STORE_OUTBOUND_REPORT] = "a delivery report",
                                         [STORE_OUTBOUND_INVITATION] = "an invitation by email" };
    return names[kind];
}

/* A thread that was forwarded may have no recipients yet. */
static void add_waiting(const struct store_outbound *row, struct strbuf *text)
{
    struct notice_list list = { .text = text };
    for (size_t i = 0; i < row->recipient_count; i++) {
        if (row->recipients[i].state != STORE_RECIPIENT_WAITING)
            continue;
        if (list.count == 0)
            strbuf_add_str(text, " It has not been delivered to:\n\n");
        notice_list_add(&list, "%s", row->recipients[i].address);
    }
    notice_list_end(&list);
}

static void add_reason(const char *reason, struct strbuf *text)
{
    if (!reason[0])
        return;
    struct notice_list list = { .text = text };
    strbuf_add_str(text, "\nThe reason given:\n\n");
    notice_list_add(&list, "%s", reason);
}

/* 1 told, or nobody to tell; -1. */
static int tell_author(struct store_db *db, struct change *change, const struct store_outbound *row)
{
    struct strbuf text;
    bool is_of_group = row->kind == STORE_OUTBOUND_INVITATION && row->group_id;
    if (row->kind == STORE_OUTBOUND_REPORT || (!row->author_uid[0] && !is_of_group))
        return 1;
    strbuf_init(&text, NOTICE_MAX);
    strbuf_add_str(&text, "An administrator of this gateway has ");
    const char *intro = words[change->kind].intro, *gap = strstr(intro, "%s");
    strbuf_add(&text, intro, (size_t)(gap - intro));
    strbuf_add_fmt(&text, "%s%s", kind_words(row->kind), gap + 2);
    if (change->kind != CHANGE_RETRY) {
        add_waiting(row, &text);
        if (change->under_way)
            strbuf_add_str(&text, "\nIt was being handed on at this moment, and may arrive all the same.\n");
        add_reason(change->reason, &text);
    }
    struct notice notice = { .to.member_id = row->member_id,
                             .to.group_id = is_of_group ? row->group_id : 0,
                             .uid = row->author_uid,
                             .alias = row->author_alias,
                             .thread_id = row->thread_id,
                             .subject = words[change->kind].subject,
                             .text = text.data,
                             .about = row->id };
    int result = strbuf_ok(&text) ? notice_add(db, &notice, change->now) : -1;
    strbuf_free(&text);
    change->author_told = true;
    return result;
}

/* One entry: 1 done, 0 refused (refusal), -1. routed: it was past its first step (routed, or written). */

static int set_state(struct store_db *db, const struct change *change, enum store_queue_state state, const char *error)
{
    return change->which == STORE_QUEUE_IN ? store_inbound_set_state(db, change->id, state, error)
                                           : store_outbound_set_state(db, change->id, state, error);
}

static int hold(struct store_db *db, const struct change *change)
{
    struct strbuf error;
    strbuf_init(&error, REASON_MAX + sizeof held_by_hand + 2);
    strbuf_add_fmt(&error, "%s%s%s", held_by_hand, change->reason[0] ? ": " : "", change->reason);
    int result = set_state(db, change, STORE_QUEUE_HELD, error.data);
    strbuf_free(&error);
    return result;
}

static int retry(struct store_db *db, const struct change *change, enum store_queue_state state, bool routed)
{
    if (state == STORE_QUEUE_HELD && set_state(db, change, routed ? STORE_QUEUE_ROUTED : STORE_QUEUE_WAITING, "") != 1)
        return -1;
    return store_queue_set_due(db, change->which, change->id, change->now);
}

static int audit(struct store_db *db, const struct admin_request *request, enum change_kind kind, const char *object,
                 const char *before, const char *reason, int64_t now)
{
    static const char *const actions[] = {
        [CHANGE_RETRY] = "queue.retry", [CHANGE_HOLD] = "queue.hold", [CHANGE_DROP] = "queue.drop"
    };
    return admin_audit_add(db, request,
                           (struct store_audit_new){ .action = actions[kind],
                                                     .object = object,
                                                     .before = before,
                                                     .after = words[kind].done,
                                                     .reason = reason,
                                                     .now = now });
}

static int trace(struct store_db *db, const struct change *change)
{
    return store_trace_add(db, change->which, change->id, change->now, words[change->kind].event, "by %s%s%s%s",
                           change->request->actor, change->under_way ? ", while it was under way" : "",
                           change->reason[0] ? ": " : "", change->reason);
}

static int change_inbound(struct store_db *db, struct change *change, const struct store_inbound *row)
{
    int result = -1;
    if (change->kind == CHANGE_HOLD) {
        result = hold(db, change);
    } else if (change->kind == CHANGE_RETRY) {
        result = retry(db, change, row->state, row->thread_id != 0);
    } else if (report_add_of_entry(db, gateway_parts(change->request->gateway)->reporter, row, true, change->now,
                                   &change->sender_told) == 1) {
        result = store_excerpt_take_back(db, change->id);
        if (result == 1)
            result = store_inbound_finish(db, change->id, STORE_QUEUE_DROPPED);
    }
    return result == 1 ? trace(db, change) : -1;
}

static int change_outbound(struct store_db *db, struct change *change, const struct store_outbound *row)
{
    bool was_held =
        row->state == STORE_QUEUE_HELD; /* by hand, or because it fails by itself: its author knows of either */
    bool by_hand = was_held && strncmp(row->last_error, held_by_hand, sizeof held_by_hand - 1) == 0;
    bool tell = true;
    int result = -1;
    if (change->kind == CHANGE_HOLD) {
        result = hold(db, change);
        tell = !by_hand;
    } else if (change->kind == CHANGE_RETRY) {
        result = retry(db, change, row->state, row->head[0] == 0);
        tell = was_held;
    } else {
        result = store_outbound_finish(db, change->id, STORE_QUEUE_DROPPED);
    }
    if (result != 1 || trace(db, change) != 1)
        return -1;
    return tell ? tell_author(db, change, row) : 1;
}

static bool has_ended(enum store_queue_state state)
{
    return state == STORE_QUEUE_SETTLED || state == STORE_QUEUE_DROPPED;
}

static int do_change(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_inbound in = { 0 };
    struct store_outbound out = { 0 };
    bool is_in = change->which == STORE_QUEUE_IN;
    int result = is_in ? store_inbound_find(db, change->id, &in) : store_outbound_find(db, change->id, &out);
    change->refusal = "there is no such entry";
    if (result == 1 && has_ended(is_in ? in.state : out.state)) {
        change->refusal = "it is settled or dropped already";
        result = 0;
    }
    if (result == 1 && is_in && in.state == STORE_QUEUE_PENDING) {
        change->refusal = "it awaits an approval; see posternctl held";
        result = 0;
    }
    if (result == 1)
        result = is_in ? change_inbound(db, change, &in) : change_outbound(db, change, &out);
    if (result == 1)
        result = audit(db, change->request, change->kind, change->request->argv[0],
                       store_queue_state_name(is_in ? in.state : out.state), change->reason, change->now);
    store_inbound_free(&in);
    store_outbound_free(&out);
    return result;
}

static void changed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("queue.changed", "message=%s change=%s actor=%s reason=%s", request->argv[0], words[change->kind].done,
                 request->actor, change->reason);
        if (change->kind == CHANGE_RETRY && change->which == STORE_QUEUE_OUT)
            relay_probe_now(gateway_relay(request->gateway)); /* else it would only wait for that */
        gateway_poke_queues(request->gateway);
        admin_output_string(request->output, words[change->kind].done, request->argv[0]);
        admin_output_bool(request->output, "under_way", change->under_way);
        if (change->kind == CHANGE_DROP && change->which == STORE_QUEUE_IN)
            admin_output_bool(request->output, "sender_told", change->sender_told);
        if (change->which == STORE_QUEUE_OUT)
            admin_output_bool(request->output, "author_told", change->author_told);
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
    if (strlen(change->reason) > REASON_MAX || (kind == CHANGE_DROP && !change->reason[0])) {
        free(change);
        admin_misused(request, kind == CHANGE_DROP ? "dropping mail needs a reason of at most 1000 bytes: --reason TEXT"
                                                   : "a reason has at most 1000 bytes");
    } else if (admin_queue_entry_argument(request, &change->which, &change->id) < 0) {
        free(change); /* answered */
    } else {
        change->under_way = gateway_is_under_way(request->gateway, change->which, change->id);
        store_submit(gateway_parts(request->gateway)->store, do_change, changed, change);
    }
}

/* All at once would stop every other commit for as long as that takes: batch by batch, each a commit of its own, with mail in
 * between. What is held stays so. */
struct sweep {
    struct admin_request *request;
    int64_t now, cursor, count;
    unsigned step;       /* of the two states in the two queues */
    bool more, is_noted; /* in the audit log, by the first batch */
};
enum { STEP_COUNT = 4 };

static int do_batch(struct store_db *db, void *arg)
{
    struct sweep *sweep = arg;
    enum store_queue which = sweep->step < 2 ? STORE_QUEUE_IN : STORE_QUEUE_OUT;
    enum store_queue_state state = sweep->step % 2 == 0 ? STORE_QUEUE_WAITING : STORE_QUEUE_ROUTED;
    int result = store_queue_hasten(db, which, state, sweep->now, BATCH, &sweep->cursor, &sweep->count);
    sweep->more = result == 1;
    if (result >= 0 && !sweep->is_noted)
        result = audit(db, sweep->request, CHANGE_RETRY, "all", NULL, "", sweep->now);
    return result < 0 ? -1 : 1;
}

static int count_held(const struct admin_request *request, int64_t *count_out)
{
    int64_t in, out;
    if (store_queue_count(admin_reader(request), STORE_QUEUE_IN, STORE_QUEUE_HELD, &in) < 0 ||
        store_queue_count(admin_reader(request), STORE_QUEUE_OUT, STORE_QUEUE_HELD, &out) < 0)
        return -1;
    *count_out = in + out;
    return 1;
}

static void swept(const struct sweep *sweep)
{
    struct admin_request *request = sweep->request;
    int64_t held;
    if (count_held(request, &held) < 0) {
        admin_database_error(request);
        return;
    }
    log_info("queue.changed", "message=all change=retrying count=%" PRId64 " actor=%s", sweep->count, request->actor);
    admin_output_string(request->output, "retrying", "all");
    admin_output_int(request->output, "entries", sweep->count); /* that waited for later */
    admin_output_int(request->output, "still_held", held);
    admin_finish(request);
}

static void batch_done(int result, void *arg)
{
    struct sweep *sweep = arg;
    sweep->is_noted = true;
    if (result == 1 && !sweep->more) {
        sweep->step++;
        sweep->cursor = 0;
    }
    if (result == 1 && sweep->step < STEP_COUNT) {
        store_submit(gateway_parts(sweep->request->gateway)->store, do_batch, batch_done, sweep);
        return;
    }
    relay_probe_now(gateway_relay(sweep->request->gateway));
    gateway_poke_queues(sweep->request->gateway);
    if (result == 1)
        swept(sweep);
    else
        admin_database_error(sweep->request);
    free(sweep);
}

void admin_queue_retry(struct admin_request *request)
{
    if (strcmp(request->argv[0], "all") != 0) {
        begin_change(request, CHANGE_RETRY);
        return;
    }
    struct sweep *sweep = xcalloc(1, sizeof *sweep);
    *sweep = (struct sweep){ .request = request, .now = admin_now(request) };
    store_submit(gateway_parts(request->gateway)->store, do_batch, batch_done, sweep);
}

void admin_queue_hold(struct admin_request *request)
{
    begin_change(request, CHANGE_HOLD);
}

void admin_queue_drop(struct admin_request *request)
{
    begin_change(request, CHANGE_DROP);
}
