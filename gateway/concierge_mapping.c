/* concierge_mapping.c - orders about mappings: who may be asked for them, and what is said about what became of them
 *
 * A member says something about their own door only: the mappings whose target they are, and requests for groups that they
 * are seen in. Of others they do not even learn whether there are any.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/concierge_internal.h"
#include "gateway/mapping_change.h"
#include "gateway/notice.h"
#include "mapping/store_admin.h"
#include "mapping/store_group.h"

enum { SENTENCE_MAX = 4000 };

/* Looking at an order. */

static int prepare_address(const struct concierge_talk *talk, struct concierge_task *task, struct strbuf *refused)
{
    const char *wrong;
    if (subject_parse(task->order->address, talk->speech->rules->local_case, &task->subject, &wrong) == 1 &&
        task->subject.kind == SUBJECT_ADDRESS)
        return 1;
    strbuf_add_fmt(refused, "%s is no email address that mail could come from.", task->order->address);
    return 0;
}

/* 1 the group, 0 there is none that they are seen in, -1. */
static int find_group(const struct concierge_talk *talk, const char *gid, struct concierge_task *task)
{
    struct store_group group;
    enum store_group_member_state state;
    int found = store_group_find_by_gid(talk->db, gid, &group);
    if (found != 1)
        return found;
    bool is_in = group.state == STORE_GROUP_JOINED;
    task->target = (struct store_target){ .group_id = group.id };
    store_group_free(&group);
    found = is_in ? store_group_find_member(talk->db, task->target.group_id, talk->speech->uid, &state) : 0;
    return found == 1 && state != STORE_GROUP_MEMBER_JOINED ? 0 : found;
}

/* The name may stand at the end of a sentence. */
static int prepare_group(const struct concierge_talk *talk, struct concierge_task *task, struct strbuf *refused)
{
    const char *phrase = task->order->phrase;
    char *name = xstrdup(phrase);
    int found = find_group(talk, name, task);
    for (size_t len = strlen(name); found == 0 && len > 1 && strchr(".,;!", name[len - 1]); len--) {
        name[len - 1] = 0;
        found = find_group(talk, name, task);
    }
    free(name);
    if (found == 0)
        strbuf_add_fmt(refused, "There is no group \"%s\" that the gateway is in and has seen you in.", phrase);
    return found;
}

static int prepare_invitation(const struct concierge_talk *talk, struct concierge_task *task, struct strbuf *refused)
{
    if (task->order->phrase[0])
        return prepare_group(talk, task, refused);
    if (!talk->member.id) {
        strbuf_add_str(refused, "You have no address at this gateway, so nobody can write to you.");
        return 0;
    }
    task->target = (struct store_target){ .member_id = talk->member.id };
    return 1;
}

/* The end of that day (UTC). */
static int prepare_until(const struct concierge_talk *talk, struct concierge_task *task, struct strbuf *refused)
{
    struct strbuf full;
    strbuf_init(&full, 40);
    strbuf_add_fmt(&full, "%sT23:59:59.999Z", task->order->until);
    int result = clock_parse_rfc3339(full.data, &task->until);
    strbuf_free(&full);
    if (result == 1 && task->until > talk->speech->now)
        return 1;
    strbuf_add_fmt(refused, "%s is no day that is still to come.", task->order->until);
    return 0;
}

int concierge_prepare(struct concierge_talk *talk, struct concierge_task *task, struct strbuf *refused)
{
    int result = task->order->address[0] ? prepare_address(talk, task, refused) : 1;
    if (result == 1 && task->order->verb == CONCIERGE_INVITE)
        result = prepare_invitation(talk, task, refused);
    if (result == 1 && task->order->until[0])
        result = prepare_until(talk, task, refused);
    return result;
}

/* What was done. */

static struct mapping_change change_of(const struct concierge_talk *talk, const struct concierge_task *task)
{
    return (struct mapping_change){ .actor = &talk->actor,
                                    .reason = task->order->verb == CONCIERGE_INVITE ? "" : task->order->phrase,
                                    .now = talk->speech->now,
                                    .local_case = talk->speech->rules->local_case,
                                    .hold = talk->speech->rules->hold };
}

static void add_line(struct concierge_talk *talk, const char *before, const char *line)
{
    struct notice_list list = { .text = talk->answer };
    strbuf_add_fmt(talk->answer, "%s\n\n", before);
    notice_list_add(&list, "%s", line);
}

static void add_mapping(struct concierge_talk *talk, const char *before, const struct store_mapping *mapping)
{
    struct strbuf line;
    strbuf_init(&line, SENTENCE_MAX);
    concierge_describe(mapping, true, &line);
    add_line(talk, before, line.data);
    strbuf_free(&line);
}

/* 1, or -1 as the change has ended. */
static int tell(struct concierge_talk *talk, int result, const char *done, struct mapping_result *change)
{
    if (result == 1) {
        talk->effect->changed = true;
        add_mapping(talk, done, &change->mapping);
    } else if (result == 0) {
        struct strbuf why;
        strbuf_init(&why, SENTENCE_MAX);
        mapping_result_explain(change, &why);
        add_line(talk, "Nothing was changed.", why.data);
        strbuf_free(&why);
    }
    mapping_result_clear(change);
    return result < 0 ? -1 : 1;
}

static int tell_unknown(struct concierge_talk *talk, int64_t number)
{
    strbuf_add_fmt(talk->answer, "There is no number %" PRId64 "%s. Nothing was changed.\n", number,
                   talk->is_admin ? "" : " among your openings and requests");
    return 1;
}

/* Inviting. */

/* What is there already is not asked for again. */
static const char *already(enum store_mapping_state state)
{
    return state == STORE_MAPPING_REQUESTED ? "An administrator has been asked already."
           : state == STORE_MAPPING_SUSPENDED
               ? "Nothing was changed: this is suspended, and only an administrator can open it again."
               : "Nothing was changed: this is open already.";
}

/* So that nobody can fill the admins' threads. 1 they may ask, 0 not (the answer says why), -1. */
static int may_ask(struct concierge_talk *talk)
{
    const struct concierge_speech *speech = talk->speech;
    int64_t own, all;
    if (store_admin_count_requests(talk->db, talk->actor.name, &own) < 0 ||
        store_admin_count_requests(talk->db, NULL, &all) < 0)
        return -1;
    if (own >= CONCIERGE_REQUESTS_MAX || all >= CONCIERGE_PENDING_MAX) {
        strbuf_add_fmt(talk->answer,
                       "Not asked for: %s requests wait for an administrator already. Please try again when some of "
                       "them have been decided about.\n",
                       own >= CONCIERGE_REQUESTS_MAX ? "too many of your" : "too many");
        return 0;
    }
    int64_t most = speech->rules->requests_per_day ? speech->rules->requests_per_day : INT64_MAX;
    int may = store_spoken_count(talk->db, speech->uid, STORE_SPOKEN_REQUEST, most, speech->now);
    if (may == 0)
        strbuf_add_fmt(talk->answer,
                       "Not asked for: you may ask for %u people within a day. Please try again tomorrow.\n",
                       speech->rules->requests_per_day);
    return may;
}

/* Only their own mail has asked for it so far: an administrator's word decides, and anybody else is who asks from now on. */
static int invite_stranger(struct concierge_talk *talk, const struct mapping_change *change,
                           const struct store_mapping *request)
{
    struct mapping_result result;
    if (talk->is_admin)
        return tell(talk, mapping_change_state(talk->db, change, request->id, MAPPING_APPROVE, NULL, &result),
                    "Done: you are an administrator, so nobody else needs to be asked.", &result);
    return tell(talk, mapping_change_adopt(talk->db, change, request->id, &result),
                "An administrator has been asked already. You get a ping from them when it is granted.", &result);
}

static int ask(struct concierge_talk *talk, const struct concierge_task *task, const struct mapping_change *change,
               const struct mapping_wish *wish)
{
    struct mapping_result result;
    if (talk->is_admin)
        return tell(talk, mapping_change_add(talk->db, change, wish, &result),
                    "Done: you are an administrator, so nobody else needs to be asked.", &result);
    int may = may_ask(talk);
    if (may != 1)
        return may < 0 ? -1 : 1;
    return tell(talk, mapping_change_request(talk->db, change, wish, &result),
                task->target.group_id ? "An administrator has been asked. The group is told when it is granted."
                                      : "An administrator has been asked. You get a ping from them when it is granted.",
                &result);
}

int concierge_invite(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct store_mapping current;
    struct mapping_change change = change_of(talk, task);
    struct mapping_wish wish = { .subject = &task->subject, .target = task->target };
    int found = store_mapping_find_current(talk->db, task->subject.text, task->target, &current);
    if (found < 0)
        return -1;
    bool is_live = found == 1 && store_mapping_is_live(current.state);
    bool is_expired = is_live && current.state != STORE_MAPPING_REQUESTED && current.expires_at &&
                      current.expires_at <= talk->speech->now;
    int result = 1;
    if (!is_live || is_expired)
        result = ask(talk, task, &change, &wish);
    else if (current.state == STORE_MAPPING_REQUESTED && strcmp(current.created_via, "mail") == 0)
        result = invite_stranger(talk, &change, &current);
    else
        add_mapping(talk, already(current.state), &current);
    if (found == 1)
        store_mapping_free(&current);
    return result;
}

/* Revoking. */

struct openings {
    int64_t now;
    bool is_open, is_asked_for;
};

static void look_at_candidate(const struct store_mapping *mapping, void *ctx)
{
    struct openings *openings = ctx;
    bool is_over = mapping->expires_at && mapping->expires_at <= openings->now;
    if (mapping->state == STORE_MAPPING_REQUESTED)
        openings->is_asked_for = true;
    else if (store_mapping_is_live(mapping->state) && !is_over)
        openings->is_open = true;
}

/* Also when it is a pattern, or a mapping for all members, that lets them in: then the door is shut to this one person. */
static int revoke_address(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct mapping_result result;
    struct mapping_change change = change_of(talk, task);
    struct store_target target = { .member_id = talk->member.id };
    struct mapping_wish wish = { .subject = &task->subject, .target = target };
    struct openings openings = { .now = talk->speech->now };
    if (!talk->member.id) {
        strbuf_add_str(talk->answer, "You have no address at this gateway. To end what others have, say `suspend` or "
                                     "`revoke` with a number; `who is` shows it.\n");
        return 1;
    }
    if (store_mapping_list_candidates(talk->db, task->subject.text, target, look_at_candidate, &openings) < 0)
        return -1;
    if (!openings.is_open && !openings.is_asked_for) {
        add_line(talk, "Nothing was changed: nobody can write to you from there.", task->order->address);
        return 1;
    }
    return tell(talk, mapping_change_block(talk->db, &change, &wish, &result),
                "Done: they can't write to you any more, nor you to them.", &result);
}

int concierge_revoke(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct store_mapping mapping;
    struct mapping_result result;
    struct mapping_change change = change_of(talk, task);
    int64_t number = task->order->number;
    if (!number)
        return revoke_address(talk, task);
    int found = store_mapping_find(talk->db, number, &mapping);
    if (found < 0)
        return -1;
    bool is_own = found == 1 && talk->member.id && mapping.target.member_id == talk->member.id;
    enum mapping_act act = found == 1 && mapping.state == STORE_MAPPING_REQUESTED ? MAPPING_DENY : MAPPING_REVOKE;
    if (found == 1)
        store_mapping_free(&mapping);
    if (!is_own && !talk->is_admin)
        return tell_unknown(talk, number);
    int changed = mapping_change_state(talk->db, &change, number, act, NULL, &result);
    if (changed == 0 && result.outcome == MAPPING_UNKNOWN) {
        mapping_result_clear(&result);
        return tell_unknown(talk, number);
    }
    return tell(talk, changed, "Done: that is over.", &result);
}

/* Deciding. */

static const struct decision {
    enum mapping_act act;
    enum store_mapping_state from; /* by address: those that are in this state */
    const char *done, *none;
} decisions[CONCIERGE_VERB_COUNT] = {
    [CONCIERGE_APPROVE] = { MAPPING_APPROVE, STORE_MAPPING_REQUESTED, "Approved.", "" },
    [CONCIERGE_DENY] = { MAPPING_DENY, STORE_MAPPING_REQUESTED, "Denied.", "" },
    [CONCIERGE_SUSPEND] = { MAPPING_SUSPEND, STORE_MAPPING_APPROVED, "Suspended.",
                            "Nothing was changed: nothing is open for this address itself." },
    [CONCIERGE_RESUME] = { MAPPING_RESUME, STORE_MAPPING_SUSPENDED, "Open again.",
                           "Nothing was changed: nothing is suspended for this address itself." },
};

static int decide(struct concierge_talk *talk, const struct concierge_task *task, int64_t number)
{
    const struct decision *decision = &decisions[task->order->verb];
    struct mapping_result result;
    struct mapping_change change = change_of(talk, task);
    struct mapping_limits limits = { .has_expiry = task->until != 0, .expires_at = task->until };
    int changed = mapping_change_state(talk->db, &change, number, decision->act,
                                       decision->act == MAPPING_APPROVE ? &limits : NULL, &result);
    if (changed == 0 && result.outcome == MAPPING_UNKNOWN) {
        mapping_result_clear(&result);
        return tell_unknown(talk, number);
    }
    return tell(talk, changed, decision->done, &result);
}

struct numbers {
    int64_t *list;
    size_t count;
};

static void collect_number(const struct store_mapping *mapping, void *ctx)
{
    struct numbers *numbers = ctx;
    numbers->list = xreallocarray(numbers->list, numbers->count + 1, sizeof *numbers->list);
    numbers->list[numbers->count++] = mapping->id;
}

int concierge_decide(struct concierge_talk *talk, const struct concierge_task *task)
{
    const struct decision *decision = &decisions[task->order->verb];
    struct numbers numbers = { .count = 0 };
    struct store_mapping_filter filter = { .by_state = true, .state = decision->from, .subject = task->subject.text };
    if (task->order->number)
        return decide(talk, task, task->order->number);
    int result = store_mapping_list(talk->db, &filter, collect_number, &numbers);
    if (result == 1 && numbers.count == 0)
        add_line(talk, decision->none, task->order->address);
    for (size_t i = 0; i < numbers.count && result == 1; i++)
        result = decide(talk, task, numbers.list[i]);
    free(numbers.list);
    return result;
}
