/* departure.c - see departure.h */
#include "gateway/departure.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "mapping/store_identity.h"
#include "mapping/store_member.h"

static const struct store_actor rule = { .channel = "gateway", .name = "gateway" };

bool departure_is_unknown(const char *refusal, const char *name)
{
    static const char *const words[] = { "not found", "unknown uid", "no such alias" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(refusal, words[i]))
            return name[0] && strstr(refusal, name);
    return false;
}

bool departure_is_taken(const char *refusal, const char *alias)
{
    return strstr(refusal, alias) && (strstr(refusal, "taken") || strstr(refusal, "not available"));
}

/* Mappings. */

static int suspend_target(struct store_db *db, struct store_target target, const char *reason, int64_t now)
{
    struct mapping_change change = { .actor = &rule, .reason = reason, .now = now };
    return mapping_change_all_of(db, &change, target, MAPPING_SUSPEND);
}

struct found {
    int64_t *ids;
    size_t count;
};

static void collect(const struct store_mapping *mapping, void *ctx)
{
    struct found *found = ctx;
    found->ids = xreallocarray(found->ids, found->count + 1, sizeof *found->ids);
    found->ids[found->count++] = mapping->id;
}

static int suspend_subject(struct store_db *db, const char *subject, const char *reason, int64_t now)
{
    struct found found = { .count = 0 };
    const struct store_mapping_filter filter = { .by_state = true,
                                                 .state = STORE_MAPPING_APPROVED,
                                                 .subject = subject };
    struct mapping_change change = { .actor = &rule, .reason = reason, .now = now };
    int result = store_mapping_list(db, &filter, collect, &found);
    for (size_t i = 0; i < found.count && result == 1; i++) {
        struct mapping_result one;
        if (mapping_change_state(db, &change, found.ids[i], MAPPING_SUSPEND, NULL, &one) < 0)
            result = -1;
        mapping_result_clear(&one);
    }
    free(found.ids);
    return result;
}

/* Members. */

static int audit_member(struct store_db *db, const char *action, const struct store_member *member, const char *before,
                        const char *after, const char *reason, int64_t now)
{
    struct strbuf object;
    strbuf_init(&object, 1000);
    strbuf_add_fmt(&object, "member %s", member->alias);
    int result = store_audit_add(db, &(struct store_audit_new){ .actor = &rule,
                                                                .action = action,
                                                                .object = object.data,
                                                                .before = before,
                                                                .after = after,
                                                                .reason = reason,
                                                                .now = now });
    strbuf_free(&object);
    return result;
}

static const char lost[] = "member.lost";
static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

/* What a clock that was wrong has written for later does not count. 1, 0, -1. */
static int is_among_few(struct store_db *db, int64_t now)
{
    int64_t count;
    if (store_audit_count(db, lost, now - day_ms, now, &count) < 0)
        return -1;
    return count < DEPARTURES_A_DAY;
}

static int lose_member(struct store_db *db, const struct store_member *member, const char *reason, int64_t now)
{
    int few = is_among_few(db, now);
    if (few < 0 || (few && suspend_target(db, (struct store_target){ .member_id = member->id }, reason, now) != 1) ||
        store_member_forget_uid(db, member->id) != 1 ||
        audit_member(db, lost, member, member->uid, "", reason, now) != 1)
        return -1;
    if (few)
        log_warning(lost, "alias=%s uid=%s reason=%s hint=%s", member->alias, member->uid, reason,
                    "their mappings are suspended; remove the member, or resume the mappings once they answer again");
    else
        log_error(
            "departure.too_many", "alias=%s uid=%s reason=%s hint=%s", member->alias, member->uid, reason,
            "the silo does not know many members any more: ask whoever runs it; their mappings are not suspended, "
            "and their mail waits until they answer again");
    return 1;
}

int departure_note_account(struct store_db *db, const char *uid, int64_t now)
{
    struct store_member member;
    int found = store_member_find_by_uid(db, uid, &member);
    if (found != 1)
        return found;
    int result = lose_member(db, &member, "the silo does not know the member's account any more", now);
    store_member_free(&member);
    return result;
}

/* 1 done, 0 there is no alias that they could go on under, -1. */
static int rename_member(struct store_db *db, const struct store_member *member, int64_t now)
{
    static const char reason[] = "the silo does not know the old alias any more";
    char *alias;
    int found = store_identity_find_other_alias(db, member->uid, member->alias, &alias);
    if (found != 1)
        return found;
    int result = store_member_set_alias(db, member->id, alias); /* 0: it is another member's */
    if (result == 1 && audit_member(db, "member.rename", member, member->alias, alias, reason, now) != 1)
        result = -1;
    if (result == 1)
        log_info("member.renamed", "alias=%s was=%s uid=%s", alias, member->alias, member->uid);
    free(alias);
    return result;
}

int departure_note_alias(struct store_db *db, const char *alias, int64_t now)
{
    struct store_member member;
    int found = store_member_find_by_alias(db, alias, &member);
    if (found != 1)
        return found;
    int result = member.uid ? rename_member(db, &member, now) : 1; /* else it was never known: perhaps a slip */
    if (result == 0)
        result = lose_member(db, &member, "the silo does not know the member's alias any more", now);
    store_member_free(&member);
    return result;
}

/* Aliases that are another's. */

static int note_member_s_alias(struct store_db *db, const char *alias, const char *uid, int64_t now)
{
    static const char reason[] = "the silo gives the member's alias to another account now";
    struct store_member member;
    int found = store_member_find_by_alias(db, alias, &member);
    if (found != 1)
        return found;
    struct store_target target = { .member_id = member.id };
    bool is_another = member.uid && strcmp(member.uid, uid) != 0;
    if (is_another)
        log_warning("member.alias_elsewhere", "alias=%s uid=%s is=%s hint=%s", alias, member.uid, uid,
                    "their mappings are suspended until a person decides");
    store_member_free(&member);
    return is_another ? suspend_target(db, target, reason, now) : 0;
}

static int note_correspondent_s_alias(struct store_db *db, const char *alias, const char *uid, int64_t now)
{
    static const char reason[] = "the silo gives the correspondent's alias to another account now";
    struct store_correspondent correspondent;
    int found = store_correspondent_find_by_alias(db, alias, &correspondent);
    if (found != 1)
        return found;
    log_warning("correspondent.alias_elsewhere", "alias=%s address=%s is=%s hint=%s", alias, correspondent.address, uid,
                "the correspondent's mappings are suspended until a person decides");
    int result = suspend_subject(db, correspondent.address, reason, now);
    store_correspondent_free(&correspondent);
    return result;
}

int departure_note_owner(struct store_db *db, const char *alias, const char *uid, int64_t now)
{
    int member = note_member_s_alias(db, alias, uid, now);
    return member == 0 ? note_correspondent_s_alias(db, alias, uid, now) : member;
}

int departure_note_no_alias(struct store_db *db, int64_t correspondent_id, int64_t now)
{
    static const char reason[] = "every form of the correspondent's alias is taken in the silo";
    struct store_correspondent correspondent;
    int found = store_correspondent_find(db, correspondent_id, &correspondent);
    if (found != 1)
        return found;
    int result = suspend_subject(db, correspondent.address, reason, now);
    store_correspondent_free(&correspondent);
    return result;
}

/* From the loop. */

struct note {
    int (*function)(struct store_db *db, const char *name, int64_t now);
    char *name;
    int64_t now;
};

static int commit(struct store_db *db, void *arg)
{
    const struct note *note = arg;
    return note->function(db, note->name, note->now) < 0 ? -1 : 1;
}

static void committed(int result, void *arg)
{
    struct note *note = arg;
    if (result != 1) /* whoever is written to next is refused again */
        log_error("departure.not_noted", "alias=%s", note->name);
    free(note->name);
    free(note);
}

static void submit(const struct parts *parts, int (*function)(struct store_db *, const char *, int64_t),
                   const char *name)
{
    struct note *note = xcalloc(1, sizeof *note);
    *note = (struct note){ .function = function, .name = xstrdup(name), .now = clock_wall_ms(parts->clock) };
    store_submit(parts->store, commit, committed, note);
}

void departure_on_refused_post(const struct parts *parts, const char *refusal, const char *const *uids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (departure_is_unknown(refusal, uids[i]))
            submit(parts, departure_note_account, uids[i]);
}

void departure_on_refused_ping(const struct parts *parts, const char *refusal, const char *alias)
{
    if (departure_is_unknown(refusal, alias))
        submit(parts, departure_note_alias, alias);
}
