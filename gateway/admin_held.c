/* admin_held.c - held list, show, release, drop */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_held.h"
#include "gateway/admin_output.h"
#include "gateway/admin_queue.h"
#include "gateway/gateway.h"
#include "gateway/hold_contact.h"
#include "gateway/hold_internal.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/report.h"
#include "mapping/store_audit.h"

enum { REASON_MAX = 1000, LIST_MAX = 1000, SUBJECT_UNITS = 200, WHO_MAX = 400, STORY_MAX = 1500 };

void admin_held_add(struct admin_request *request, const struct store_held *held)
{
    const struct hold *hold = gateway_parts(request->gateway)->hold;
    struct admin_output *out = request->output;
    struct store_inbound row;
    struct hold_facts facts;
    struct strbuf subject;
    char id[24];
    queue_id_format(STORE_QUEUE_IN, held->inbound_id, id);
    bool has_row = store_inbound_find(admin_reader(request), held->inbound_id, &row) == 1;
    bool has_facts = hold_read_facts(hold, held, &facts) == 1;
    strbuf_init(&subject, 4 * HOLD_SUBJECT_MAX);
    if (has_facts)
        hold_contact_add_subject(facts.subject, SUBJECT_UNITS, &subject);
    admin_output_string(out, "id", id);
    admin_output_string(out, "from", held->author);
    admin_output_string(out, "to", has_row && row.recipient_count > 0 ? row.recipients[0].alias : NULL);
    admin_output_string(out, "subject", has_facts ? subject.data : NULL);
    admin_output_int(out, "size", held->size);
    admin_output_time(out, "received", has_row ? row.received_at : 0);
    admin_output_time(out, "expires", held->released_at ? 0 : held->expires_at);
    admin_output_int(out, "request", held->request_id);
    admin_output_string(out, "state", held->released_at ? "released" : "awaits approval");
    admin_output_bool(out, "readable", has_facts); /* its key is there */
    strbuf_free(&subject);
    if (has_facts)
        hold_facts_free(&facts);
    if (has_row)
        store_inbound_free(&row);
}

struct listing {
    struct admin_request *request;
    int64_t limit, after;
    int64_t request_id;  /* only what awaits the decision about this mapping; 0: all */
    int64_t count, last; /* found, one more than the limit perhaps; the last one shown */
    int64_t ids[LIST_MAX + 1];
};

static void collect(int64_t inbound_id, void *ctx)
{
    struct listing *listing = ctx;
    listing->ids[listing->count++] = inbound_id;
}

static int add_rows(struct listing *listing)
{
    struct admin_request *request = listing->request;
    struct store_db *db = admin_reader(request);
    unsigned limit = (unsigned)listing->limit + 1;
    int result = listing->request_id
                     ? store_held_list_request(db, listing->request_id, listing->after, limit, collect, listing)
                     : store_held_list(db, listing->after, limit, collect, listing);
    for (int64_t i = 0; i < listing->count && i < listing->limit && result == 1; i++) {
        struct store_held held;
        listing->last = listing->ids[i];
        if (store_held_find(db, listing->last, &held) != 1)
            continue;
        admin_output_row(request->output);
        admin_held_add(request, &held);
        admin_output_end(request->output);
        store_held_free(&held);
    }
    return result;
}

static void show_list(struct listing *listing)
{
    struct admin_request *request = listing->request;
    struct admin_output *out = request->output;
    struct store_held_sum sum;
    char *problem = hold_problem(gateway_parts(request->gateway)->hold), last[24];
    int result = 1;
    if (!listing->request_id) { /* which looks at all that is held */
        result = store_held_measure(admin_reader(request), &sum);
        admin_output_int(out, "total", sum.count);
        admin_output_int(out, "size", sum.size);
    }
    admin_output_string(out, "problem", problem);
    free(problem);
    admin_output_list(out, "held");
    if (result == 1)
        result = add_rows(listing);
    admin_output_end(out);
    queue_id_format(STORE_QUEUE_IN, listing->last, last);
    if (listing->count > listing->limit)
        admin_output_string(out, "more_after", last);
    admin_finish_read(request, result);
}

void admin_held_list(struct admin_request *request)
{
    enum store_queue which;
    struct listing *listing = xcalloc(1, sizeof *listing);
    const char *after = admin_option(request, "--after");
    *listing = (struct listing){ .request = request, .limit = LIST_MAX };
    if (after && (queue_id_parse(after, &which, &listing->after) != 1 || which != STORE_QUEUE_IN))
        admin_misused(request, "--after takes an entry such as in17");
    else if (admin_number_option(request, "--limit", LIST_MAX, &listing->limit) == 1 &&
             admin_number_option(request, "--request", INT64_MAX, &listing->request_id) == 1)
        show_list(listing);
    free(listing);
}

int admin_held_entry_argument(struct admin_request *request, int64_t *id_out)
{
    enum store_queue which;
    if (admin_queue_entry_argument(request, &which, id_out) != 1)
        return -1;
    if (which == STORE_QUEUE_IN)
        return 1;
    admin_refuse(request, "%s: only what came in is held for approval", request->argv[0]);
    return -1;
}

void admin_held_refuse(struct admin_request *request)
{
    admin_refuse(request, "%s is not held for approval", request->argv[0]);
}

/* As its client said it. */
static void add_envelope(struct admin_request *request, int64_t id)
{
    struct store_inbound row;
    if (store_inbound_find(admin_reader(request), id, &row) != 1)
        return;
    admin_output_string(request->output, "envelope_sender", row.sender[0] ? row.sender : "<>");
    admin_output_string(request->output, "address", row.recipient_count > 0 ? row.recipients[0].address : NULL);
    store_inbound_free(&row);
}

void admin_held_show(struct admin_request *request)
{
    int64_t id;
    struct store_held held;
    if (admin_held_entry_argument(request, &id) < 0)
        return;
    int found = store_held_find(admin_reader(request), id, &held);
    if (found == 1) {
        admin_held_add(request, &held);
        add_envelope(request, id);
        admin_output_string(request->output, "proof", held.proof);
        admin_output_string(request->output, "key", held.key_id);
        store_held_free(&held);
        admin_finish(request);
    } else if (found == 0) {
        admin_held_refuse(request);
    } else {
        admin_database_error(request);
    }
}

/* ---- release, drop ---- */

struct change {
    struct admin_request *request;
    bool is_drop, reported;
    int64_t id, now;
    const char *reason;
};

static int audit(struct store_db *db, const struct change *change)
{
    const struct store_actor actor = admin_actor(change->request);
    return store_audit_add(db, &(struct store_audit_new){ .actor = &actor,
                                                          .action = change->is_drop ? "held.drop" : "held.release",
                                                          .object = change->request->argv[0],
                                                          .before = "awaits approval",
                                                          .after = change->is_drop ? "dropped" : "released by itself",
                                                          .reason = change->reason,
                                                          .now = change->now });
}

static int drop(struct store_db *db, struct change *change)
{
    struct strbuf story;
    struct hold_end end = hold_end_dropped;
    strbuf_init(&story, STORY_MAX);
    strbuf_add_fmt(&story, "by %s %s: %s", change->request->channel, change->request->actor, change->reason);
    end.story = story.data;
    int result =
        hold_drop(db, gateway_parts(change->request->gateway)->hold, change->id, &end, change->now, &change->reported);
    strbuf_free(&story);
    return result;
}

static int do_change(struct store_db *db, void *arg)
{
    struct change *change = arg;
    char who[WHO_MAX];
    snprintf(who, sizeof who, "%s %.300s", change->request->channel, change->request->actor);
    int result = change->is_drop ? drop(db, change) : hold_release(db, change->id, who, change->now);
    return result == 1 ? audit(db, change) : result;
}

static void changed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("held.changed", "message=%s change=%s actor=%s reason=%s", request->argv[0],
                 change->is_drop ? "dropped" : "released", request->actor, change->reason);
        admin_output_string(request->output, change->is_drop ? "dropped" : "released", request->argv[0]);
        if (change->is_drop)
            admin_output_bool(request->output, "sender_told", change->reported);
        gateway_poke_silo(request->gateway);
        gateway_poke_queues(request->gateway);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "%s is not held for approval%s", request->argv[0],
                     change->is_drop ? "" : ", or is released already");
    } else {
        admin_database_error(request);
    }
    free(change);
}

static void begin_change(struct admin_request *request, bool is_drop)
{
    struct change *change = xcalloc(1, sizeof *change);
    const char *reason = admin_option(request, "--reason");
    *change = (struct change){
        .request = request, .is_drop = is_drop, .now = admin_now(request), .reason = reason ? reason : ""
    };
    if (strlen(change->reason) > REASON_MAX || (is_drop && !change->reason[0])) {
        free(change);
        admin_misused(request, is_drop ? "dropping mail needs a reason of at most 1000 bytes: --reason TEXT"
                                       : "a reason has at most 1000 bytes");
    } else if (admin_held_entry_argument(request, &change->id) < 0) {
        free(change); /* answered */
    } else {
        store_submit(gateway_parts(request->gateway)->store, do_change, changed, change);
    }
}

void admin_held_release(struct admin_request *request)
{
    begin_change(request, false);
}

void admin_held_drop(struct admin_request *request)
{
    begin_change(request, true);
}
