/* admin_member.c - member list, add, show, remove, reports */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "mapping/store_group.h"
#include "mapping/store_identity.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "tmtp/tmtp_alias.h"

enum { LISTED = 1000, LISTED_MAX = 5000, MAPPINGS_SHOWN = 1000 };

static void add_member(struct admin_request *request, const struct store_member *member)
{
    struct admin_output *out = request->output;
    struct strbuf address;
    strbuf_init(&address, 400);
    strbuf_add_fmt(&address, "%s@%s", member->local_part, gateway_parts(request->gateway)->config->domain);
    admin_output_int(out, "id", member->id);
    admin_output_string(out, "alias", member->alias);
    admin_output_string(out, "address", address.data);
    admin_output_string(out, "uid", member->uid);
    admin_output_string(out, "state", member->uid ? "ready" : member->greeted_at ? "asked" : "new");
    admin_output_time(out, "since", member->created_at);
    admin_output_bool(out, "reports", member->wants_reports);
    strbuf_free(&address);
}

struct listing {
    struct admin_request *request;
    int64_t count, limit;
    char *last; /* alias of the last one that is shown */
};

static void add_row(const struct store_member *member, void *ctx)
{
    struct listing *listing = ctx;
    struct admin_request *request = listing->request;
    if (++listing->count > listing->limit)
        return;
    free(listing->last);
    listing->last = xstrdup(member->alias);
    admin_output_row(request->output);
    add_member(request, member);
    admin_output_end(request->output);
}

void admin_member_list(struct admin_request *request)
{
    struct listing listing = { .request = request, .limit = LISTED };
    const char *after = admin_option(request, "--after");
    char *part;
    if (admin_number_option(request, "--limit", LISTED_MAX, &listing.limit) < 0 ||
        admin_part_option(request, "--find", &part) < 0)
        return;
    admin_output_list(request->output, "members");
    int result = store_member_list(admin_reader(request), part, after ? after : "",
                                   listing.limit + 1 /* is there more? */, add_row, &listing);
    admin_output_end(request->output);
    if (listing.count > listing.limit)
        admin_output_string(request->output, "more_after", listing.last);
    free(listing.last);
    free(part);
    admin_finish_read(request, result);
}

static void add_mapping_row(const struct store_mapping *mapping, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_int(out, "id", mapping->id);
    admin_output_string(out, "address", mapping->subject);
    admin_output_string(out, "direction", store_direction_name(mapping->direction));
    admin_output_string(out, "state", store_mapping_state_name(mapping->state));
    admin_output_end(out);
}

/* What the silo, or somebody in it, has said about whose the alias is. 1 or -1. */
static int add_identity(struct admin_request *request, const char *alias)
{
    struct store_identity identity;
    int found = store_identity_find(admin_reader(request), alias, &identity);
    if (found != 1)
        return found < 0 ? -1 : 1;
    admin_output_string(request->output, "seen_uid", identity.uid);
    admin_output_string(request->output, "seen_in", store_identity_source_name(identity.source));
    admin_output_time(request->output, "seen_at", identity.seen_at);
    store_identity_free(&identity);
    return 1;
}

static void add_group_row(const struct store_group *group, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_string(out, "gid", group->gid);
    admin_output_string(out, "state", store_group_state_name(group->state));
    admin_output_end(out);
}

/* As far as is known: the silo tells nobody who is in a group. */
static int add_groups(struct admin_request *request, const struct store_member *member)
{
    admin_output_list(request->output, "groups");
    int result =
        member->uid ? store_group_list_of(admin_reader(request), member->uid, add_group_row, request->output) : 1;
    admin_output_end(request->output);
    return result;
}

void admin_member_show(struct admin_request *request)
{
    struct store_member member;
    int found = store_member_find_by_alias(admin_reader(request), request->argv[0], &member);
    if (found == 1) {
        struct store_mapping_filter filter = { .by_target = true,
                                               .target.member_id = member.id,
                                               .limit = MAPPINGS_SHOWN };
        add_member(request, &member);
        found = add_identity(request, member.alias);
        if (found >= 0)
            found = add_groups(request, &member);
        admin_output_list(request->output, "mappings");
        if (found >= 0)
            found = store_mapping_list(admin_reader(request), &filter, add_mapping_row, request->output);
        admin_output_end(request->output);
        store_member_free(&member);
        if (found >= 0) {
            admin_finish(request);
            return;
        }
    }
    if (found < 0)
        admin_database_error(request);
    else
        admin_refuse(request, "there is no member \"%s\"", request->argv[0]);
}

enum { OBJECT_MAX = TMTP_ALIAS_MAX + 20 };

/* Changes: an operation with the request as its argument. */
struct change {
    struct admin_request *request;
    char *own_alias; /* the gateway's */
    bool wants_reports;
    int64_t id, now;
    const char *reason; /* static: why it was refused */
};

static void change_free(struct change *change)
{
    free(change->own_alias);
    free(change);
}

static int audit(struct store_db *db, const struct change *change, const char *action, const char *before,
                 const char *after)
{
    struct strbuf object;
    strbuf_init(&object, OBJECT_MAX);
    strbuf_add_fmt(&object, "member %s", change->request->argv[0]);
    int result = admin_audit_add(
        db, change->request,
        (struct store_audit_new){
            .action = action, .object = object.data, .before = before, .after = after, .now = change->now });
    strbuf_free(&object);
    return result;
}

static int audit_added(struct store_db *db, const struct change *change)
{
    struct store_member member;
    if (store_member_find(db, change->id, &member) != 1)
        return -1;
    int result = audit(db, change, "member.add", NULL, member.local_part);
    store_member_free(&member);
    return result;
}

static int do_add(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_correspondent correspondent;
    change->reason = "this alias is the gateway's own, or that of a correspondent";
    if (strcmp(change->request->argv[0], change->own_alias) == 0)
        return 0;
    int found = store_correspondent_find_by_alias(db, change->request->argv[0], &correspondent);
    if (found == 1)
        store_correspondent_free(&correspondent);
    if (found != 0)
        return found < 0 ? -1 : 0;
    int result = store_member_add(db, change->request->argv[0], admin_option(change->request, "--address"), change->now,
                                  &change->id, &change->reason);
    return result == 1 ? audit_added(db, change) : result;
}

static void added(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    struct store_member member;
    if (result == 1 && store_member_find(admin_reader(request), change->id, &member) == 1) {
        log_info("member.added", "alias=%s address=%s actor=%s", member.alias, member.local_part, request->actor);
        gateway_poke_silo(request->gateway);
        add_member(request, &member);
        store_member_free(&member);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "%s", change->reason ? change->reason : "refused");
    } else {
        admin_database_error(request);
    }
    change_free(change);
}

void admin_member_add(struct admin_request *request)
{
    size_t len = strlen(request->argv[0]);
    if (len < TMTP_ALIAS_MIN || len > TMTP_ALIAS_MAX || !tmtp_alias_is_safe(request->argv[0])) {
        admin_refuse(request,
                     "a silo's aliases have at least %d bytes (and at most %d here, %d when escaped as in a URL)",
                     TMTP_ALIAS_MIN, TMTP_ALIAS_MAX, TMTP_ALIAS_ESCAPED_MAX);
        return;
    }
    struct change *change = xcalloc(1, sizeof *change);
    change->request = request;
    change->own_alias = xstrdup(gateway_parts(request->gateway)->config->silo.alias);
    change->now = admin_now(request);
    store_submit(gateway_parts(request->gateway)->store, do_add, added, change);
}

/* Nobody can write to somebody who is not a member: and should they come back, each opening is a new decision. */
static int close_mappings(struct store_db *db, const struct change *change)
{
    const struct store_actor actor = admin_actor(change->request);
    const struct mapping_change closing = { .actor = &actor,
                                            .reason = "the member was removed",
                                            .now = change->now,
                                            .hold = gateway_parts(change->request->gateway)->hold };
    const struct store_target member = { .member_id = change->id };
    return mapping_change_all_of(db, &closing, member, MAPPING_REVOKE) < 0 ||
                   mapping_change_all_of(db, &closing, member, MAPPING_DENY) < 0
               ? -1
               : 1;
}

static int do_remove(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_member member;
    int found = store_member_find_by_alias(db, change->request->argv[0], &member);
    if (found != 1)
        return found;
    change->id = member.id;
    store_member_free(&member);
    return close_mappings(db, change) == 1 && store_member_remove(db, change->id) == 1
               ? audit(db, change, "member.remove", "a member", NULL)
               : -1;
}

static void removed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("member.removed", "alias=%s actor=%s", request->argv[0], request->actor);
        gateway_poke_queues(request->gateway); /* reports to those whose mail was held */
        admin_output_string(request->output, "removed", request->argv[0]);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "there is no member \"%s\"", request->argv[0]);
    } else {
        admin_database_error(request);
    }
    change_free(change);
}

void admin_member_remove(struct admin_request *request)
{
    struct change *change = xcalloc(1, sizeof *change);
    change->request = request;
    change->now = admin_now(request);
    store_submit(gateway_parts(request->gateway)->store, do_remove, removed, change);
}

static int do_set_reports(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_member member;
    int found = store_member_find_by_alias(db, change->request->argv[0], &member);
    if (found != 1)
        return found;
    change->id = member.id;
    bool wanted = member.wants_reports;
    store_member_free(&member);
    if (store_member_set_reports(db, change->id, change->wants_reports) != 1)
        return -1;
    return audit(db, change, "member.reports", wanted ? "on" : "off", change->wants_reports ? "on" : "off");
}

static void reports_set(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("member.reports", "alias=%s reports=%s actor=%s", request->argv[0], request->argv[1], request->actor);
        admin_output_string(request->output, "alias", request->argv[0]);
        admin_output_bool(request->output, "reports", change->wants_reports);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "there is no member \"%s\"", request->argv[0]);
    } else {
        admin_database_error(request);
    }
    change_free(change);
}

void admin_member_reports(struct admin_request *request)
{
    bool on = strcmp(request->argv[1], "on") == 0;
    if (!on && strcmp(request->argv[1], "off") != 0) {
        admin_misused(request, "reports are on or off, not \"%s\"", request->argv[1]);
        return;
    }
    struct change *change = xcalloc(1, sizeof *change);
    change->request = request;
    change->wants_reports = on;
    change->now = admin_now(request);
    store_submit(gateway_parts(request->gateway)->store, do_set_reports, reports_set, change);
}
