/* mapping_change.c - see mapping_change.h */
#include "gateway/mapping_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/concierge.h"
#include "gateway/hold.h"
#include "mapping/store_admin.h"

enum { WORDS_MAX = 3000 };

#define FROM(state) (1U << (state))

/* The life of a mapping, act by act. */
static const struct act {
    unsigned from; /* bits */
    enum store_mapping_state to;
    const char *name; /* in the audit log */
} acts[] = {
    [MAPPING_APPROVE] = { FROM(STORE_MAPPING_REQUESTED), STORE_MAPPING_APPROVED, "mapping.approve" },
    [MAPPING_DENY] = { FROM(STORE_MAPPING_REQUESTED), STORE_MAPPING_DENIED, "mapping.deny" },
    [MAPPING_SUSPEND] = { FROM(STORE_MAPPING_APPROVED), STORE_MAPPING_SUSPENDED, "mapping.suspend" },
    [MAPPING_RESUME] = { FROM(STORE_MAPPING_SUSPENDED), STORE_MAPPING_APPROVED, "mapping.resume" },
    [MAPPING_REVOKE] = { FROM(STORE_MAPPING_APPROVED) | FROM(STORE_MAPPING_SUSPENDED), STORE_MAPPING_REVOKED,
                         "mapping.revoke" },
    [MAPPING_EXPIRE] = { FROM(STORE_MAPPING_APPROVED) | FROM(STORE_MAPPING_SUSPENDED), STORE_MAPPING_EXPIRED,
                         "mapping.expire" },
};

/* Words. */

static const char *const ways[] = {
    [STORE_DIRECTION_IN] = "inward only", [STORE_DIRECTION_OUT] = "outward only", [STORE_DIRECTION_BOTH] = "both ways"
};

static void add_time(struct strbuf *out, const char *before, int64_t at)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(at, text);
    strbuf_add_fmt(out, "%s%s", before, text);
}

void mapping_describe(const struct store_mapping *mapping, struct strbuf *out)
{
    strbuf_add_fmt(out, "%s for %s: %s, %s", mapping->subject, mapping->target_name,
                   store_mapping_state_name(mapping->state), ways[mapping->direction]);
    if (mapping->expires_at)
        add_time(out, ", until ", mapping->expires_at);
    if (mapping->daily)
        strbuf_add_fmt(out, ", %" PRId64 " a day", mapping->daily);
    if (mapping->max_size)
        strbuf_add_fmt(out, ", at most %" PRId64 " octets", mapping->max_size);
    if (strcmp(mapping->attachments, "yes") != 0)
        strbuf_add_fmt(out, ", files: %s", mapping->attachments);
    if (mapping->proof != STORE_PROOF_DEFAULT)
        strbuf_add_fmt(out, ", proof: %s", store_proof_name(mapping->proof));
    if (mapping->subaddresses)
        strbuf_add_str(out, ", with subaddresses");
    if (mapping->invites)
        strbuf_add_str(out, ", invited by email");
    if (mapping->note[0])
        strbuf_add_fmt(out, ", note: %s", mapping->note);
}

static void add_standing(const struct store_mapping *mapping, struct strbuf *out)
{
    bool is_decided = mapping->decided_at != 0;
    const char *by = is_decided ? mapping->decided_by : mapping->created_by;
    strbuf_add_fmt(out, "mapping %" PRId64 " (%s for %s) is %s", mapping->id, mapping->subject, mapping->target_name,
                   store_mapping_state_name(mapping->state));
    if (by[0])
        strbuf_add_fmt(out, ", by %s", by);
    add_time(out, " since ", is_decided ? mapping->decided_at : mapping->created_at);
    if (mapping->reason[0])
        strbuf_add_fmt(out, " (%s)", mapping->reason);
}

static const char *const refusals[] = {
    [MAPPING_DONE] = "",
    [MAPPING_UNKNOWN] = "there is no such mapping",
    [MAPPING_EXISTS] = "",
    [MAPPING_NOT_FROM_THIS_STATE] = "",
    [MAPPING_TOO_WIDE] = "a pattern for a whole top-level domain can keep people out, but not let them in",
    [MAPPING_IS_OVER] = "its time is over: it needs another day to end on, or a new mapping",
    [MAPPING_NO_SUBADDRESSES] =
        "subaddresses can be allowed to an address without a detail only (a pattern has them anyway)",
    [MAPPING_NEEDS_PROOF] =
        "a pattern can't do without proof: whoever called themselves somebody of that domain would be let in",
    [MAPPING_NO_INVITATION] = "only somebody with an address can be invited by email, to write to one member or group",
};

void mapping_result_explain(const struct mapping_result *result, struct strbuf *out)
{
    strbuf_add_str(out, refusals[result->outcome]);
    if (!refusals[result->outcome][0])
        add_standing(&result->mapping, out);
}

void mapping_result_clear(struct mapping_result *result)
{
    store_mapping_free(&result->mapping);
}

/* What hangs on a decision. */

static int tell_held(struct store_db *db, const struct mapping_change *change, struct mapping_result *out)
{
    struct hold_outcome outcome;
    if (!change->hold)
        return 1;
    int result = hold_on_mapping(db, change->hold, &out->mapping, change->now, &outcome);
    out->reported = outcome.reported;
    return result;
}

static int settle_consequences(struct store_db *db, const struct mapping_change *change, struct mapping_result *out)
{
    int result = tell_held(db, change, out);
    if (result == 1 && out->mapping.state == STORE_MAPPING_REQUESTED)
        result = store_admin_event_add(db, STORE_ADMIN_REQUESTED, out->mapping.id, change->now);
    else if (result == 1 && out->mapping.state == STORE_MAPPING_SUSPENDED &&
             strcmp(change->actor->channel, "gateway") == 0) /* a person knows what they have done */
        result = store_admin_event_add(db, STORE_ADMIN_SUSPENDED, out->mapping.id, change->now);
    else if (result == 1 && out->mapping.state == STORE_MAPPING_DENIED && out->was == STORE_MAPPING_REQUESTED)
        result = concierge_tell_denied(db, &out->mapping, change->actor, change->now);
    return result;
}

/* What every change ends with: the mapping is read again, and what was before is compared with it in the audit log. */
static int record(struct store_db *db, const struct mapping_change *change, const char *action, int64_t id,
                  const struct store_mapping *before, struct mapping_result *out)
{
    struct strbuf was, is;
    char object[40];
    snprintf(object, sizeof object, "mapping %" PRId64, id);
    store_mapping_free(&out->mapping);
    if (store_mapping_find(db, id, &out->mapping) != 1)
        return -1;
    strbuf_init(&was, WORDS_MAX);
    strbuf_init(&is, WORDS_MAX);
    if (before)
        mapping_describe(before, &was);
    mapping_describe(&out->mapping, &is);
    int result = store_audit_add(db, &(struct store_audit_new){ .actor = change->actor,
                                                                .action = action,
                                                                .object = object,
                                                                .before = was.data,
                                                                .after = is.data,
                                                                .reason = change->reason,
                                                                .now = change->now });
    strbuf_free(&was);
    strbuf_free(&is);
    out->outcome = MAPPING_DONE;
    return result;
}

static int refuse(struct mapping_result *out, enum mapping_outcome outcome)
{
    out->outcome = outcome;
    return 0;
}

static bool is_over(const struct store_mapping *mapping, int64_t now)
{
    return (mapping->state == STORE_MAPPING_APPROVED || mapping->state == STORE_MAPPING_SUSPENDED) &&
           mapping->expires_at && mapping->expires_at <= now;
}

/* Limits. */

/* What it has, and what is to change of it. */
static struct store_mapping_new merge(const struct store_mapping *now, const struct mapping_limits *limits)
{
    static const struct mapping_limits none = { .has_direction = false };
    const struct mapping_limits *with = limits ? limits : &none;
    return (struct store_mapping_new){
        .direction = with->has_direction ? with->direction : now->direction,
        .expires_at = with->has_expiry ? with->expires_at : now->expires_at,
        .max_size = with->has_max_size ? with->max_size : now->max_size,
        .daily = with->has_daily ? with->daily : now->daily,
        .attachments = with->has_attachments ? with->attachments : now->attachments,
        .proof = with->has_proof ? with->proof : now->proof,
        .subaddresses = with->has_subaddresses ? with->subaddresses : now->subaddresses,
        .note = with->has_note ? with->note : now->note,
        .invites = with->has_invites ? with->invites : now->invites,
    };
}

/* "bob+x@example.com" has a detail; there is no base of which it were one. */
static bool may_have_subaddresses(const char *subject)
{
    struct smtp_address address;
    return subject_kind_of(subject) == SUBJECT_ADDRESS && smtp_address_parse(subject, strlen(subject), &address) == 1 &&
           !smtp_address_drop_detail(&address);
}

/* Whoever gets the invitation is to answer it. */
static bool may_be_invited(const char *subject, struct store_target target, enum store_direction direction)
{
    return subject_kind_of(subject) == SUBJECT_ADDRESS && (target.member_id || target.group_id) &&
           (direction & STORE_DIRECTION_IN);
}

/* DONE: they may be so. */
static enum mapping_outcome check(const char *subject, struct store_target target, const struct mapping_limits *asked,
                                  const struct store_mapping_new *limits, int64_t now)
{
    if (asked && asked->has_invites && asked->invites && !may_be_invited(subject, target, limits->direction))
        return MAPPING_NO_INVITATION;
    if (limits->expires_at && limits->expires_at <= now)
        return MAPPING_IS_OVER;
    if (limits->subaddresses && !may_have_subaddresses(subject))
        return MAPPING_NO_SUBADDRESSES;
    bool is_unproven = limits->proof == STORE_PROOF_NONE && subject_kind_of(subject) != SUBJECT_ADDRESS;
    return is_unproven ? MAPPING_NEEDS_PROOF : MAPPING_DONE;
}

int mapping_change_limits(struct store_db *db, const struct mapping_change *change, int64_t id,
                          const struct mapping_limits *limits, struct mapping_result *result_out)
{
    *result_out = (struct mapping_result){ .outcome = MAPPING_UNKNOWN };
    int found = store_mapping_find(db, id, &result_out->mapping);
    if (found != 1)
        return found;
    result_out->was = result_out->mapping.state;
    if (!store_mapping_is_live(result_out->was))
        return refuse(result_out, MAPPING_NOT_FROM_THIS_STATE);
    if (is_over(&result_out->mapping, change->now))
        return refuse(result_out, MAPPING_IS_OVER);
    struct store_mapping_new new = merge(&result_out->mapping, limits);
    enum mapping_outcome outcome =
        check(result_out->mapping.subject, result_out->mapping.target, limits, &new, change->now);
    if (outcome != MAPPING_DONE)
        return refuse(result_out, outcome);
    if (store_mapping_set_limits(db, id, &new) != 1)
        return -1;
    struct store_mapping was = result_out->mapping;
    result_out->mapping = (struct store_mapping){ .id = 0 };
    int result = record(db, change, "mapping.change", id, &was, result_out);
    store_mapping_free(&was);
    if (result == 1)
        result = tell_held(db, change, result_out);
    return result;
}

/* States. */

static int move(struct store_db *db, const struct mapping_change *change, const struct act *act,
                const struct mapping_limits *limits, struct mapping_result *out)
{
    struct store_mapping before = out->mapping;
    struct store_mapping_new new = merge(&before, limits);
    int result = limits ? store_mapping_set_limits(db, before.id, &new) : 1;
    out->mapping = (struct store_mapping){ .id = 0 };
    if (result == 1)
        result = store_mapping_set_state(db, before.id, act->to, change->actor->name, change->reason, change->now,
                                         &out->was);
    if (result == 1 && act->to == STORE_MAPPING_APPROVED && change->local_case == SMTP_CASE_FOLDED)
        result = store_mapping_supersede_other_case(db, before.id);
    if (result == 1)
        result = record(db, change, act->name, before.id, &before, out);
    if (result == 1)
        result = settle_consequences(db, change, out);
    store_mapping_free(&before);
    return result == 1 ? 1 : -1; /* what would be refused was looked at before */
}

int mapping_change_state(struct store_db *db, const struct mapping_change *change, int64_t id, enum mapping_act act,
                         const struct mapping_limits *limits, struct mapping_result *result_out)
{
    *result_out = (struct mapping_result){ .outcome = MAPPING_UNKNOWN };
    int found = store_mapping_find(db, id, &result_out->mapping);
    if (found != 1)
        return found;
    const struct store_mapping *mapping = &result_out->mapping;
    result_out->was = mapping->state;
    bool opens = acts[act].to == STORE_MAPPING_APPROVED;
    if (!(acts[act].from & FROM(mapping->state)))
        return refuse(result_out, MAPPING_NOT_FROM_THIS_STATE);
    struct store_mapping_new new = merge(mapping, limits);
    enum mapping_outcome outcome =
        opens ? check(mapping->subject, mapping->target, limits, &new, change->now) : MAPPING_DONE;
    return outcome == MAPPING_DONE ? move(db, change, &acts[act], limits, result_out) : refuse(result_out, outcome);
}

struct found {
    unsigned states; /* that are wanted, bits */
    int64_t *ids;
    size_t count;
};

static void collect(const struct store_mapping *mapping, void *ctx)
{
    struct found *found = ctx;
    if (!(found->states & FROM(mapping->state)))
        return;
    found->ids = xreallocarray(found->ids, found->count + 1, sizeof *found->ids);
    found->ids[found->count++] = mapping->id;
}

int mapping_change_all_of(struct store_db *db, const struct mapping_change *change, struct store_target target,
                          enum mapping_act act)
{
    struct found found = { .states = acts[act].from };
    const struct store_mapping_filter filter = { .by_target = true, .target = target };
    int result = store_mapping_list(db, &filter, collect, &found);
    for (size_t i = 0; i < found.count && result == 1; i++) {
        struct mapping_result one;
        if (mapping_change_state(db, change, found.ids[i], act, NULL, &one) < 0)
            result = -1;
        mapping_result_clear(&one);
    }
    free(found.ids);
    return result;
}

/* New ones. */

/* The live one of the wish, into the result; one whose time is past is ended first. 1 there is one, 0 there is none, -1. */
static int find_live(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                     struct mapping_result *out)
{
    static const struct store_actor gateway = { .channel = "gateway", .name = "gateway" };
    int found = store_mapping_find_current(db, wish->subject->text, wish->target, &out->mapping);
    bool is_live = found == 1 && store_mapping_is_live(out->mapping.state);
    out->was = out->mapping.state;
    if (!is_live || !is_over(&out->mapping, change->now)) {
        if (found == 1 && !is_live)
            store_mapping_free(&out->mapping);
        return found < 0 ? -1 : is_live;
    }
    struct mapping_change expiry = { .actor = &gateway, .reason = "", .now = change->now };
    int result = move(db, &expiry, &acts[MAPPING_EXPIRE], NULL, out);
    store_mapping_free(&out->mapping);
    return result == 1 ? 0 : -1;
}

static int make(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                enum store_mapping_state state, const char *action, struct mapping_result *out)
{
    struct store_mapping fresh = { .direction = STORE_DIRECTION_BOTH,
                                   .attachments = (char[]){ "yes" },
                                   .note = (char[]){ "" } };
    /* "invite bob@example.com", says somebody in the silo. */
    fresh.invites = state != STORE_MAPPING_DENIED && strcmp(change->actor->channel, "silo") == 0 &&
                    may_be_invited(wish->subject->text, wish->target, fresh.direction);
    struct store_mapping_new new = merge(&fresh, wish->limits);
    enum mapping_outcome outcome = check(wish->subject->text, wish->target, wish->limits, &new, change->now);
    int64_t id;
    if (outcome != MAPPING_DONE)
        return refuse(out, outcome);
    new.subject = wish->subject->text;
    new.target = wish->target;
    new.state = state;
    new.actor = change->actor->name;
    new.channel = change->actor->channel;
    new.reason = change->reason;
    new.now = change->now;
    if (wish->subject->kind == SUBJECT_ADDRESS &&
        store_correspondent_ensure(db, wish->subject->text, change->now, &new.correspondent_id) != 1)
        return -1;
    if (store_mapping_add(db, &new, &id) != 1) /* there is none that is live: find_live() */
        return -1;
    if (state != STORE_MAPPING_REQUESTED && change->local_case == SMTP_CASE_FOLDED &&
        store_mapping_supersede_other_case(db, id) != 1)
        return -1;
    int result = record(db, change, action, id, NULL, out);
    out->was = state;
    return result == 1 ? settle_consequences(db, change, out) : result;
}

static int add(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
               enum store_mapping_state state, const char *action, struct mapping_result *out)
{
    *out = (struct mapping_result){ .outcome = MAPPING_TOO_WIDE };
    if (subject_is_too_wide(wish->subject))
        return 0;
    int exists = find_live(db, change, wish, out);
    if (exists == 1)
        return refuse(out, MAPPING_EXISTS);
    return exists < 0 ? -1 : make(db, change, wish, state, action, out);
}

int mapping_change_add(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                       struct mapping_result *result_out)
{
    return add(db, change, wish, STORE_MAPPING_APPROVED, "mapping.add", result_out);
}

int mapping_change_request(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                           struct mapping_result *result_out)
{
    return add(db, change, wish, STORE_MAPPING_REQUESTED, "mapping.request", result_out);
}

int mapping_change_adopt(struct store_db *db, const struct mapping_change *change, int64_t id,
                         struct mapping_result *result_out)
{
    *result_out = (struct mapping_result){ .outcome = MAPPING_UNKNOWN };
    int found = store_mapping_find(db, id, &result_out->mapping);
    if (found != 1)
        return found;
    result_out->was = result_out->mapping.state;
    if (result_out->was != STORE_MAPPING_REQUESTED)
        return refuse(result_out, MAPPING_NOT_FROM_THIS_STATE);
    if (strcmp(result_out->mapping.created_via, "mail") != 0)
        return refuse(result_out, MAPPING_EXISTS);
    struct store_mapping was = result_out->mapping;
    result_out->mapping = (struct store_mapping){ .id = 0 };
    int result = store_mapping_set_creator(db, id, change->actor->name, change->actor->channel);
    if (result == 1)
        result = record(db, change, "mapping.adopt", id, &was, result_out);
    store_mapping_free(&was);
    return result == 1 ? 1 : -1;
}

int mapping_change_lapse(struct store_db *db, const struct mapping_change *change, int64_t id)
{
    struct store_mapping mapping;
    struct strbuf was;
    char object[40];
    int result = store_mapping_find(db, id, &mapping);
    if (result == 1)
        result = store_mapping_remove_lapsed(db, id);
    if (result == 1) {
        strbuf_init(&was, WORDS_MAX);
        mapping_describe(&mapping, &was);
        snprintf(object, sizeof object, "mapping %" PRId64, id);
        result = store_audit_add(db, &(struct store_audit_new){ .actor = change->actor,
                                                                .action = "mapping.lapse",
                                                                .object = object,
                                                                .before = was.data,
                                                                .after = "",
                                                                .reason = change->reason,
                                                                .now = change->now });
        strbuf_free(&was);
    }
    store_mapping_free(&mapping);
    return result;
}

int mapping_change_block(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                         struct mapping_result *result_out)
{
    static const struct act deny = { 0, STORE_MAPPING_DENIED, "mapping.block" };
    static const struct act revoke = { 0, STORE_MAPPING_REVOKED, "mapping.block" };
    *result_out = (struct mapping_result){ .outcome = MAPPING_UNKNOWN };
    int exists = find_live(db, change, wish, result_out);
    if (exists == 1)
        return move(db, change, result_out->was == STORE_MAPPING_REQUESTED ? &deny : &revoke, NULL, result_out);
    return exists < 0 ? -1 : make(db, change, wish, STORE_MAPPING_DENIED, "mapping.block", result_out);
}
