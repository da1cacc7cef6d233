/* admin_mapping.c - mapping list, add, show, and the changes of its state */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/attachment_rule.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/target.h"
#include "mapping/store_mapping.h"
#include "smtp/smtp_address.h"

enum { NOTE_MAX = 1000, WRONG_MAX = 400 };

static void add_short(struct admin_output *out, const struct store_mapping *mapping)
{
    admin_output_int(out, "id", mapping->id);
    admin_output_string(out, "address", mapping->subject);
    admin_output_string(out, "member", mapping->target_name);
    admin_output_string(out, "direction", store_direction_name(mapping->direction));
    admin_output_string(out, "state", store_mapping_state_name(mapping->state));
    admin_output_time(out, "expires", mapping->expires_at);
    admin_output_string(out, "attachments", mapping->attachments);
}

static void add_long(struct admin_output *out, const struct store_mapping *mapping)
{
    add_short(out, mapping);
    if (mapping->daily)
        admin_output_int(out, "daily", mapping->daily);
    else
        admin_output_string(out, "daily", NULL);
    if (mapping->max_size)
        admin_output_int(out, "max_size", mapping->max_size);
    else
        admin_output_string(out, "max_size", NULL);
    admin_output_string(out, "note", mapping->note[0] ? mapping->note : NULL);
    admin_output_time(out, "created", mapping->created_at);
    admin_output_string(out, "created_by", mapping->created_by);
    admin_output_time(out, "decided", mapping->decided_at);
    admin_output_string(out, "decided_by", mapping->decided_by[0] ? mapping->decided_by : NULL);
    admin_output_string(out, "reason", mapping->reason[0] ? mapping->reason : NULL);
    admin_output_bool(out, "member_told", mapping->announced);
}

static void add_row(const struct store_mapping *mapping, void *ctx)
{
    struct admin_request *request = ctx;
    admin_output_row(request->output);
    add_short(request->output, mapping);
    admin_output_end(request->output);
}

/* As the store has addresses. -1: not one. */
static int normalise_address(const char *text, char out[static SMTP_ADDRESS_MAX + 2])
{
    struct smtp_address address;
    if (smtp_address_parse(text, strlen(text), &address) != 1)
        return -1;
    smtp_address_normalise(&address);
    smtp_address_format(&address, out);
    return 1;
}

void admin_mapping_list(struct admin_request *request)
{
    char address[SMTP_ADDRESS_MAX + 2];
    const char *state = admin_option(request, "--state"), *given = admin_option(request, "--address");
    struct store_mapping_filter filter = { .target_name = admin_option(request, "--member") };
    if (state) {
        filter.by_state = true;
        if (!store_mapping_state_parse(state, &filter.state)) {
            admin_misused(request, "\"%s\" is not a state: requested, approved, denied, suspended or revoked", state);
            return;
        }
    }
    if (given) {
        if (normalise_address(given, address) < 0) {
            admin_misused(request, "\"%s\" is not an email address", given);
            return;
        }
        filter.subject = address;
    }
    admin_output_list(request->output, "mappings");
    int result = store_mapping_list(admin_reader(request), &filter, add_row, request);
    admin_output_end(request->output);
    if (result < 0)
        admin_database_error(request);
    else
        admin_finish(request);
}

void admin_mapping_show(struct admin_request *request)
{
    int64_t id;
    struct store_mapping mapping;
    if (admin_id_argument(request, 0, &id) < 0)
        return;
    int found = store_mapping_find(admin_reader(request), id, &mapping);
    if (found == 1) {
        add_long(request->output, &mapping);
        store_mapping_free(&mapping);
        admin_finish(request);
    } else if (found == 0) {
        admin_refuse(request, "there is no mapping %" PRId64, id);
    } else {
        admin_database_error(request);
    }
}

/* Adding. */
struct addition {
    struct admin_request *request;
    char address[SMTP_ADDRESS_MAX + 2];
    struct store_mapping_new mapping;
    struct attachment_rule *attachments; /* NULL: not given */
    struct strbuf wrong;                 /* what is wrong with it */
    int64_t id;
    enum { ADDITION_NO_MEMBER, ADDITION_EXISTS } refusal;
};

/* "2027-01-31" is the end of that day (UTC), or a full RFC 3339 time. */
static int parse_expiry(const char *text, int64_t now, int64_t *at_out)
{
    struct strbuf full;
    strbuf_init(&full, 40);
    strbuf_add_fmt(&full, strlen(text) == 10 ? "%sT23:59:59.999Z" : "%s", text);
    int result = strbuf_ok(&full) ? clock_parse_rfc3339(full.data, at_out) : -1;
    strbuf_free(&full);
    return result == 1 && *at_out > now ? 1 : -1;
}

static void addition_free(struct addition *addition)
{
    attachment_rule_free(&addition->attachments);
    strbuf_free(&addition->wrong);
    free(addition);
}

/* NULL, or what is wrong with it. */
static const char *take_attachments(struct addition *addition)
{
    const char *given = admin_option(addition->request, "--attachments");
    if (!given)
        return NULL;
    strbuf_add_str(&addition->wrong, "--attachments takes yes, no or a list such as .pdf,image/*; ");
    addition->attachments = attachment_rule_new(given, &addition->wrong);
    if (!addition->attachments)
        return addition->wrong.data;
    addition->mapping.attachments = attachment_rule_text(addition->attachments);
    return NULL;
}

/* NULL, or what is wrong with the options. */
static const char *take_options(struct addition *addition)
{
    const struct admin_request *request = addition->request;
    struct store_mapping_new *mapping = &addition->mapping;
    const char *direction = admin_option(request, "--direction"), *expires = admin_option(request, "--expires");
    const char *daily = admin_option(request, "--daily"), *max_size = admin_option(request, "--max-size");
    mapping->direction = STORE_DIRECTION_BOTH;
    if (direction && !store_direction_parse(direction, &mapping->direction))
        return "--direction takes in, out or both";
    if (expires && parse_expiry(expires, mapping->now, &mapping->expires_at) < 0)
        return "--expires takes a future date such as 2027-01-31";
    if (daily) {
        char *end;
        mapping->daily = strtoll(daily, &end, 10);
        if (*end || mapping->daily < 1 || mapping->daily > 1000000)
            return "--daily takes a number from 1 to 1000000";
    }
    if (max_size && (config_parse_size(max_size, &mapping->max_size) < 0 || mapping->max_size < 1024))
        return "--max-size takes a size of at least 1K, such as 512K or 10M";
    mapping->note = admin_option(request, "--note") ? admin_option(request, "--note") : "";
    if (strlen(mapping->note) > NOTE_MAX)
        return "--note takes at most 1000 bytes";
    return take_attachments(addition);
}

static int do_add(struct store_db *db, void *arg)
{
    struct addition *addition = arg;
    int found = target_find_by_name(db, addition->request->argv[1], &addition->mapping.target);
    addition->refusal = ADDITION_NO_MEMBER;
    if (found != 1)
        return found;
    if (store_correspondent_ensure(db, addition->address, addition->mapping.now, &addition->mapping.correspondent_id) !=
        1)
        return -1;
    addition->refusal = ADDITION_EXISTS;
    return store_mapping_add(db, &addition->mapping, &addition->id);
}

static void added(int result, void *arg)
{
    struct addition *addition = arg;
    struct admin_request *request = addition->request;
    struct store_mapping mapping;
    if (result == 1 && store_mapping_find(admin_reader(request), addition->id, &mapping) == 1) {
        log_info("mapping.added", "id=%" PRId64 " address=%s member=%s actor=%s", mapping.id, mapping.subject,
                 mapping.target_name, request->actor);
        gateway_poke_silo(request->gateway);
        add_long(request->output, &mapping);
        store_mapping_free(&mapping);
        admin_finish(request);
    } else if (result == 0 && addition->refusal == ADDITION_NO_MEMBER) {
        admin_refuse(request,
                     "there is no member or group \"%s\"; see posternctl member add, and posternctl group list",
                     request->argv[1]);
    } else if (result == 0) {
        admin_refuse(request, "mapping %" PRId64 " is for this pair already; change or revoke that one", addition->id);
    } else {
        admin_database_error(request);
    }
    addition_free(addition);
}

void admin_mapping_add(struct admin_request *request)
{
    struct addition *addition = xcalloc(1, sizeof *addition);
    addition->request = request;
    strbuf_init(&addition->wrong, WRONG_MAX);
    addition->mapping = (struct store_mapping_new){
        .state = STORE_MAPPING_APPROVED, .actor = request->actor, .reason = "", .now = admin_now(request)
    };
    const char *wrong = take_options(addition);
    if (normalise_address(request->argv[0], addition->address) < 0)
        wrong = "the first argument must be an email address such as bob@example.com";
    if (!wrong) {
        store_submit(gateway_parts(request->gateway)->store, do_add, added, addition);
        return;
    }
    admin_misused(request, "%s", wrong);
    addition_free(addition);
}

/* Changing the state. */
struct transition {
    struct admin_request *request;
    int64_t id, now;
    enum store_mapping_state from, to, was;
    bool only_from; /* `from` is the only state that this verb starts at */
    bool exists;
};

static int do_transition(struct store_db *db, void *arg)
{
    struct transition *transition = arg;
    struct store_mapping mapping;
    int found = store_mapping_find(db, transition->id, &mapping);
    transition->exists = found == 1;
    if (found != 1)
        return found;
    transition->was = mapping.state;
    store_mapping_free(&mapping);
    if (transition->only_from && transition->was != transition->from)
        return 0;
    const char *reason = admin_option(transition->request, "--reason");
    return store_mapping_set_state(db, transition->id, transition->to, transition->request->actor, reason ? reason : "",
                                   transition->now, &transition->was);
}

static void moved(int result, void *arg)
{
    struct transition *transition = arg;
    struct admin_request *request = transition->request;
    struct store_mapping mapping;
    if (result == 1 && store_mapping_find(admin_reader(request), transition->id, &mapping) == 1) {
        log_info("mapping.changed", "id=%" PRId64 " address=%s member=%s was=%s is=%s actor=%s reason=%s", mapping.id,
                 mapping.subject, mapping.target_name, store_mapping_state_name(transition->was),
                 store_mapping_state_name(mapping.state), request->actor, mapping.reason);
        gateway_poke_silo(request->gateway);
        add_long(request->output, &mapping);
        store_mapping_free(&mapping);
        admin_finish(request);
    } else if (result == 0 && !transition->exists) {
        admin_refuse(request, "there is no mapping %" PRId64, transition->id);
    } else if (result == 0) {
        admin_refuse(request, "mapping %" PRId64 " is %s; it can't become %s", transition->id,
                     store_mapping_state_name(transition->was), store_mapping_state_name(transition->to));
    } else {
        admin_database_error(request);
    }
    free(transition);
}

static void move_to(struct admin_request *request, enum store_mapping_state to, const enum store_mapping_state *from)
{
    int64_t id;
    if (admin_id_argument(request, 0, &id) < 0)
        return;
    struct transition *transition = xcalloc(1, sizeof *transition);
    *transition = (struct transition){ .request = request, .id = id, .now = admin_now(request), .to = to };
    transition->only_from = from != NULL;
    if (from)
        transition->from = *from;
    store_submit(gateway_parts(request->gateway)->store, do_transition, moved, transition);
}

void admin_mapping_approve(struct admin_request *request)
{
    static const enum store_mapping_state from = STORE_MAPPING_REQUESTED;
    move_to(request, STORE_MAPPING_APPROVED, &from);
}

void admin_mapping_deny(struct admin_request *request)
{
    move_to(request, STORE_MAPPING_DENIED, NULL);
}

void admin_mapping_suspend(struct admin_request *request)
{
    move_to(request, STORE_MAPPING_SUSPENDED, NULL);
}

void admin_mapping_resume(struct admin_request *request)
{
    static const enum store_mapping_state from = STORE_MAPPING_SUSPENDED;
    move_to(request, STORE_MAPPING_APPROVED, &from);
}

void admin_mapping_revoke(struct admin_request *request)
{
    move_to(request, STORE_MAPPING_REVOKED, NULL);
}
