/* admin_held_read.c - held read: what a held mail says
 *
 * Nobody sees any of it before the audit log says who has looked: the row is committed when there is something to be shown, and
 * shown after that. Neither audit log, trace nor log has anything of what the mail says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_held.h"
#include "gateway/admin_output.h"
#include "gateway/gateway.h"
#include "gateway/hold_read.h"
#include "gateway/parts.h"
#include "mapping/store_held.h"
#include "mapping/store_trace.h"

struct reading {
    struct admin_request *request;
    int64_t id, now;
    struct store_held held; /* as it is when its row is written */
};

static void reading_free(struct reading *reading)
{
    store_held_free(&reading->held);
    free(reading);
}

/* Somebody may have decided meanwhile: then it is not held any more. */
static int note(struct store_db *db, void *arg)
{
    struct reading *reading = arg;
    const struct admin_request *request = reading->request;
    char object[24];
    int result = store_held_find(db, reading->id, &reading->held);
    if (result != 1)
        return result;
    snprintf(object, sizeof object, "in%" PRId64, reading->id);
    if (admin_audit_add(db, request,
                        (struct store_audit_new){ .action = "held.read",
                                                  .object = object,
                                                  .before = reading->held.released_at ? "released" : "awaits approval",
                                                  .after = "content shown",
                                                  .now = reading->now }) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, reading->id, reading->now, "read", "by %s %.300s", request->channel,
                           request->actor);
}

static void noted(int result, void *arg)
{
    struct reading *reading = arg;
    struct admin_request *request = reading->request;
    if (result == 1) {
        log_info("held.read", "message=in%" PRId64 " actor=%s", reading->id, request->actor);
        admin_held_add(request, &reading->held);
        admin_finish(request);
    } else if (result == 0) {
        admin_held_refuse(request);
    } else {
        admin_database_error(request);
    }
    reading_free(reading);
}

static void add_attachments(struct admin_output *out, const struct hold_reading *seen)
{
    admin_output_list(out, "attachments");
    for (size_t i = 0; i < seen->attachment_count; i++) {
        const char *name = seen->attachments[i].name, *colon = strchr(name, ':');
        admin_output_row(out);
        admin_output_string(out, "name", colon ? colon + 1 : name);
        admin_output_int(out, "size", seen->attachments[i].size);
        admin_output_end(out);
    }
    admin_output_end(out);
}

static void on_read(const struct hold_reading *seen, void *ctx)
{
    struct reading *reading = ctx;
    struct admin_request *request = reading->request;
    struct admin_output *out = request->output;
    if (seen->problem) {
        admin_refuse(request, "%s can't be shown: %s", request->argv[0], seen->problem);
        reading_free(reading);
        return;
    }
    admin_output_string(out, "author_name", seen->from_name[0] ? seen->from_name : NULL);
    admin_output_string(out, "whole_subject", seen->subject);
    add_attachments(out, seen);
    admin_output_int(out, "text_size", seen->text_size);
    admin_output_bool(out, "text_cut", seen->is_cut);
    admin_output_bool(out, "understood", !seen->is_unreadable);
    admin_output_lines(out, "text", seen->text);
    store_submit(gateway_parts(request->gateway)->store, note, noted, reading);
}

void admin_held_read(struct admin_request *request)
{
    const char *problem;
    struct reading *reading = xcalloc(1, sizeof *reading);
    *reading = (struct reading){ .request = request, .now = admin_now(request) };
    if (admin_held_entry_argument(request, &reading->id) < 0) {
        reading_free(reading); /* answered */
        return;
    }
    int taken = hold_read(gateway_parts(request->gateway)->hold, reading->id, on_read, reading, &problem);
    if (taken == 1)
        return;
    if (taken == 0)
        admin_held_refuse(request);
    else
        admin_refuse(request, "%s can't be shown: %s", request->argv[0], problem);
    reading_free(reading);
}
