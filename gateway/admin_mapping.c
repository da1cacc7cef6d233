/* admin_mapping.c - mapping list and show */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/admin_mapping.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/target.h"
#include "mapping/store_audit.h"
#include "mapping/store_mapping.h"
#include "mapping/subject.h"

enum { LISTED = 1000, LISTED_MAX = 5000, SEARCH_SLICE = 5000 /* mappings looked at in one operation */ };

int admin_mapping_subject(struct admin_request *request, const char *text, struct subject *subject_out)
{
    const char *wrong;
    if (subject_parse(text, gateway_parts(request->gateway)->config->policy.local_parts, subject_out, &wrong) == 1)
        return 1;
    admin_misused(request, "\"%s\" can't be whom a mapping is about: %s", text, wrong);
    return -1;
}

int admin_mapping_target(struct store_db *db, const char *name, struct store_target *target_out)
{
    int found = target_find_by_name(db, name, target_out); /* first: nobody can be called so, but if they were */
    return found == 0 && strcmp(name, ADMIN_MAPPING_ALL) == 0 ? 1 : found;
}

static void add_short(struct admin_output *out, const struct store_mapping *mapping)
{
    char shown[SUBJECT_SHOWN_SIZE], spelled[SUBJECT_SHOWN_SIZE];
    subject_show(mapping->subject, shown);
    bool is_spelled = subject_spell(mapping->subject, spelled);
    admin_output_int(out, "id", mapping->id);
    admin_output_string(out, "address", shown);
    admin_output_string(out, "spelled", is_spelled ? spelled : NULL);
    admin_output_string(out, "member", mapping->target_name);
    admin_output_string(out, "direction", store_direction_name(mapping->direction));
    admin_output_string(out, "state", store_mapping_state_name(mapping->state));
    admin_output_time(out, "expires", mapping->expires_at);
    admin_output_string(out, "attachments", mapping->attachments);
}

static void add_limit(struct admin_output *out, const char *key, int64_t limit)
{
    if (limit)
        admin_output_int(out, key, limit);
    else
        admin_output_string(out, key, NULL);
}

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void admin_mapping_add_long(struct admin_output *out, const struct store_mapping *mapping)
{
    char invitation[24];
    add_short(out, mapping);
    admin_output_string(out, "subject", mapping->subject);
    add_limit(out, "daily", mapping->daily);
    add_limit(out, "max_size", mapping->max_size);
    admin_output_string(out, "proof", store_proof_name(mapping->proof));
    admin_output_bool(out, "subaddresses", mapping->subaddresses);
    admin_output_string(out, "note", or_null(mapping->note));
    admin_output_time(out, "created", mapping->created_at);
    admin_output_string(out, "created_by", mapping->created_by);
    admin_output_string(out, "created_via", or_null(mapping->created_via));
    admin_output_time(out, "decided", mapping->decided_at);
    admin_output_string(out, "decided_by", or_null(mapping->decided_by));
    admin_output_string(out, "reason", or_null(mapping->reason));
    admin_output_bool(out, "member_told", mapping->announced);
    admin_output_bool(out, "invites", mapping->invites);
    queue_id_format(STORE_QUEUE_OUT, mapping->invitation_id, invitation);
    admin_output_string(out, "invitation", mapping->invitation_id ? invitation : NULL);
    admin_output_bool(out, "superseded", mapping->is_superseded);
}

struct listing {
    struct admin_request *request;
    int64_t count, limit, last_id;
    /* With --search, on the committer while an operation runs: */
    const char *part;
    struct store_mapping_filter filter;
    struct subject subject;
    int64_t cursor;
    bool is_at_end;
};

static void add_row(const struct store_mapping *mapping, void *ctx)
{
    struct listing *listing = ctx;
    if (++listing->count > listing->limit)
        return;
    listing->last_id = mapping->id;
    admin_output_row(listing->request->output);
    if (listing->request->json)
        admin_mapping_add_long(listing->request->output, mapping);
    else
        add_short(listing->request->output, mapping);
    admin_output_end(listing->request->output);
}

/* A number option. -1 after having answered. */
static int take_number(struct admin_request *request, const char *name, int64_t most, int64_t *number)
{
    const char *text = admin_option(request, name);
    char *end;
    if (!text)
        return 1;
    *number = strtoll(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && !*end && *number <= most)
        return 1;
    admin_misused(request, "%s takes a number up to %" PRId64, name, most);
    return -1;
}

int admin_mapping_filter(struct admin_request *request, struct store_mapping_filter *filter, struct subject *subject)
{
    const char *state = admin_option(request, "--state"), *given = admin_option(request, "--address");
    const char *target = admin_option(request, "--member");
    filter->by_state = state != NULL;
    if (state && !store_mapping_state_parse(state, &filter->state)) {
        admin_misused(request, "\"%s\" is not a state: requested, approved, denied, suspended, revoked or expired",
                      state);
        return -1;
    }
    if (given && admin_mapping_subject(request, given, subject) < 0)
        return -1;
    filter->subject = given ? subject->text : NULL;
    filter->by_target = target != NULL;
    int found = target ? admin_mapping_target(admin_reader(request), target, &filter->target) : 1;
    if (found == 0)
        admin_refuse(request, "there is no member or group \"%s\"", target);
    else if (found < 0)
        admin_database_error(request);
    if (found != 1)
        return -1;
    filter->limit = LISTED;
    return take_number(request, "--limit", LISTED_MAX, &filter->limit) < 0 ||
                   take_number(request, "--after", INT64_MAX, &filter->after_id) < 0
               ? -1
               : 1;
}

static void answer_listing(struct listing *listing, int result)
{
    struct admin_request *request = listing->request;
    admin_output_end(request->output);
    if (listing->count > listing->limit)
        admin_output_int(request->output, "more_after", listing->last_id);
    admin_finish_read(request, result);
    free(listing);
}

static int look_at_slice(struct store_db *db, void *arg)
{
    struct listing *listing = arg;
    int result =
        store_mapping_search(db, &listing->filter, listing->part, SEARCH_SLICE, &listing->cursor, add_row, listing);
    listing->is_at_end = result != 1;
    return result < 0 ? -1 : 1;
}

static void slice_done(int result, void *arg)
{
    struct listing *listing = arg;
    if (result == 1 && !listing->is_at_end && listing->count <= listing->limit)
        store_submit(gateway_parts(listing->request->gateway)->store, look_at_slice, slice_done, listing);
    else
        answer_listing(listing, result);
}

void admin_mapping_list(struct admin_request *request)
{
    struct listing *listing = xcalloc(1, sizeof *listing);
    struct store_mapping_filter *filter = &listing->filter;
    listing->request = request;
    listing->part = admin_option(request, "--search");
    if (listing->part && strlen(listing->part) > STORE_MAPPING_PART_MAX) {
        admin_misused(request, "--search takes at most %d octets", STORE_MAPPING_PART_MAX);
        free(listing);
        return;
    }
    if (admin_mapping_filter(request, filter, &listing->subject) < 0) {
        free(listing);
        return;
    }
    listing->limit = filter->limit;
    listing->cursor = filter->after_id;
    filter->limit++; /* is there more? */
    admin_output_list(request->output, "mappings");
    if (listing->part)
        store_submit(gateway_parts(request->gateway)->store, look_at_slice, slice_done, listing);
    else
        answer_listing(listing, store_mapping_list(admin_reader(request), filter, add_row, listing));
}

static void add_event(const struct store_audit *audit, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_time(out, "time", audit->at);
    admin_output_string(out, "actor", audit->actor);
    admin_output_string(out, "channel", audit->channel);
    admin_output_string(out, "action", audit->action);
    admin_output_string(out, "became", audit->after);
    admin_output_string(out, "reason", or_null(audit->reason));
    admin_output_end(out);
}

void admin_mapping_show(struct admin_request *request)
{
    int64_t id;
    struct store_mapping mapping;
    char object[40];
    if (admin_id_argument(request, 0, &id) < 0)
        return;
    snprintf(object, sizeof object, "mapping %" PRId64, id);
    int found = store_mapping_find(admin_reader(request), id, &mapping);
    if (found == 1) {
        admin_mapping_add_long(request->output, &mapping);
        store_mapping_free(&mapping);
        admin_output_list(request->output, "history");
        found = store_audit_list_about(admin_reader(request), object, add_event, request->output);
        admin_output_end(request->output);
    }
    if (found == 1)
        admin_finish(request);
    else if (found == 0)
        admin_refuse(request, "there is no mapping %" PRId64, id);
    else
        admin_database_error(request);
}
