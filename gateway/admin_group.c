/* admin_group.c - group list, show, address, join, leave */
#include <stdlib.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"

enum { MAPPINGS_SHOWN = 1000 };

static void add_group(struct admin_request *request, const struct store_group *group)
{
    struct admin_output *out = request->output;
    struct strbuf address;
    strbuf_init(&address, 400);
    if (group->local_part[0])
        strbuf_add_fmt(&address, "%s@%s", group->local_part, gateway_parts(request->gateway)->config->domain);
    admin_output_int(out, "id", group->id);
    admin_output_string(out, "gid", group->gid);
    admin_output_string(out, "address", address.len > 0 ? address.data : NULL);
    admin_output_string(out, "state", store_group_state_name(group->state));
    admin_output_string(out, "invited_by", group->inviter_alias);
    admin_output_time(out, "since", group->changed_at);
    strbuf_free(&address);
}

static void add_row(const struct store_group *group, void *ctx)
{
    struct admin_request *request = ctx;
    admin_output_row(request->output);
    add_group(request, group);
    admin_output_end(request->output);
}

void admin_group_list(struct admin_request *request)
{
    admin_output_list(request->output, "groups");
    int result = store_group_list(admin_reader(request), add_row, request);
    admin_output_end(request->output);
    admin_finish_read(request, result);
}

static void add_member_row(const struct store_group_member *member, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_string(out, "alias", member->alias);
    admin_output_string(out, "uid", member->uid);
    admin_output_string(out, "state", store_group_member_state_name(member->state));
    admin_output_end(out);
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

static int show(struct admin_request *request, const struct store_group *group)
{
    struct admin_output *out = request->output;
    struct store_mapping_filter filter = { .by_target = true, .target.group_id = group->id, .limit = MAPPINGS_SHOWN };
    add_group(request, group);
    admin_output_string(out, "own_alias", group->own_alias);
    admin_output_list(out, "members_seen");
    int result = store_group_list_members(admin_reader(request), group->id, add_member_row, out);
    admin_output_end(out);
    admin_output_list(out, "mappings");
    if (result >= 0)
        result = store_mapping_list(admin_reader(request), &filter, add_mapping_row, out);
    admin_output_end(out);
    return result;
}

void admin_group_show(struct admin_request *request)
{
    struct store_group group;
    int found = store_group_find_by_gid(admin_reader(request), request->argv[0], &group);
    if (found == 0) {
        admin_refuse(request, "there is no group \"%s\"; somebody in it has to invite the gateway", request->argv[0]);
        return;
    }
    if (found == 1) {
        found = show(request, &group);
        store_group_free(&group);
    }
    admin_finish_read(request, found);
}

/* Changes: an operation with the request as its argument. */
struct change {
    struct admin_request *request;
    int (*run)(struct store_db *db, struct change *change, const struct store_group *group);
    const char *action; /* for the audit log */
    int64_t now;
    enum store_group_state was;
    bool exists;
    const char *reason; /* static: why it was refused; NULL: its state does not allow it */
};

static void describe(const struct store_group *group, struct strbuf *out)
{
    strbuf_add_fmt(out, "%s, address %s", store_group_state_name(group->state), group->local_part);
}

static int audit(struct store_db *db, const struct change *change, const struct store_group *before)
{
    struct store_group after;
    struct strbuf object, was, is;
    if (store_group_find(db, before->id, &after) != 1)
        return -1;
    strbuf_init(&object, STORE_AUDIT_TEXT_MAX);
    strbuf_init(&was, STORE_AUDIT_TEXT_MAX);
    strbuf_init(&is, STORE_AUDIT_TEXT_MAX);
    strbuf_add_fmt(&object, "group %s", before->gid);
    describe(before, &was);
    describe(&after, &is);
    int result = admin_audit_add(db, change->request,
                                 (struct store_audit_new){ .action = change->action,
                                                           .object = object.data,
                                                           .before = was.data,
                                                           .after = is.data,
                                                           .now = change->now });
    strbuf_free(&object);
    strbuf_free(&was);
    strbuf_free(&is);
    store_group_free(&after);
    return result;
}

static int commit_change(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_group group;
    int found = store_group_find_by_gid(db, change->request->argv[0], &group);
    change->exists = found == 1;
    if (found != 1)
        return found;
    change->was = group.state;
    int result = change->run(db, change, &group);
    if (result == 1)
        result = audit(db, change, &group);
    store_group_free(&group);
    return result;
}

static void changed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    struct store_group group;
    const char *gid = request->argv[0];
    if (result == 1 && store_group_find_by_gid(admin_reader(request), gid, &group) == 1) {
        log_info("group.changed", "gid=%s was=%s is=%s address=%s actor=%s", gid, store_group_state_name(change->was),
                 store_group_state_name(group.state), group.local_part, request->actor);
        gateway_poke_silo(request->gateway);
        add_group(request, &group);
        store_group_free(&group);
        admin_finish(request);
    } else if (result == 0 && !change->exists) {
        admin_refuse(request, "there is no group \"%s\"; somebody in it has to invite the gateway", gid);
    } else if (result == 0 && change->reason) {
        admin_refuse(request, "%s", change->reason);
    } else if (result == 0) {
        admin_refuse(request, "the group is %s; that can't be done from there", store_group_state_name(change->was));
    } else {
        admin_database_error(request);
    }
    free(change);
}

static void submit(struct admin_request *request, const char *action,
                   int (*run)(struct store_db *db, struct change *change, const struct store_group *group))
{
    struct change *change = xcalloc(1, sizeof *change);
    *change = (struct change){ .request = request, .run = run, .action = action, .now = admin_now(request) };
    store_submit(gateway_parts(request->gateway)->store, commit_change, changed, change);
}

static int run_address(struct store_db *db, struct change *change, const struct store_group *group)
{
    return store_group_set_address(db, group->id, change->request->argv[1], &change->reason);
}

static int run_join(struct store_db *db, struct change *change, const struct store_group *group)
{
    enum store_group_state was;
    return store_group_set_state(db, group->id, STORE_GROUP_ACCEPTED, change->now, &was);
}

/* What was never accepted needs no farewell; what was accepted may be on its way in just now. */
static int run_leave(struct store_db *db, struct change *change, const struct store_group *group)
{
    bool is_in = group->state == STORE_GROUP_JOINED || group->state == STORE_GROUP_ACCEPTED;
    enum store_group_state was, to = is_in ? STORE_GROUP_LEAVING : STORE_GROUP_LEFT;
    return store_group_set_state(db, group->id, to, change->now, &was);
}

void admin_group_address(struct admin_request *request)
{
    submit(request, "group.address", run_address);
}

void admin_group_join(struct admin_request *request)
{
    submit(request, "group.join", run_join);
}

void admin_group_leave(struct admin_request *request)
{
    submit(request, "group.leave", run_leave);
}
