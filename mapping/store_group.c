/* store_group.c - see store_group.h */
#include "mapping/store_group.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/store_internal.h"

enum { STATE_COUNT = STORE_GROUP_DROPPED + 1, MEMBER_STATE_COUNT = STORE_GROUP_MEMBER_DROPPED + 1 };

static const char *const state_names[STATE_COUNT] = { "invited", "accepted", "joined", "leaving", "left", "dropped" };
static const char *const member_state_names[MEMBER_STATE_COUNT] = { "invited", "joined", "dropped" };

static const bool may_become[STATE_COUNT][STATE_COUNT] = {
    [STORE_GROUP_INVITED] = { [STORE_GROUP_ACCEPTED] = true, [STORE_GROUP_LEFT] = true, [STORE_GROUP_DROPPED] = true },
    [STORE_GROUP_ACCEPTED] = { [STORE_GROUP_JOINED] = true,
                               [STORE_GROUP_LEAVING] = true,
                               [STORE_GROUP_LEFT] = true,
                               [STORE_GROUP_DROPPED] = true },
    [STORE_GROUP_JOINED] = { [STORE_GROUP_LEAVING] = true, [STORE_GROUP_LEFT] = true, [STORE_GROUP_DROPPED] = true },
    [STORE_GROUP_LEAVING] = { [STORE_GROUP_LEFT] = true, [STORE_GROUP_DROPPED] = true },
    [STORE_GROUP_LEFT] = { [STORE_GROUP_DROPPED] = true },
};

const char *store_group_state_name(enum store_group_state state)
{
    return state_names[state];
}

const char *store_group_member_state_name(enum store_group_member_state state)
{
    return member_state_names[state];
}

/* The words are those of the schema's CHECK. */
static int parse_word(const char *word, const char *const *names, int count)
{
    int index = 0;
    while (index < count - 1 && strcmp(word, names[index]) != 0)
        index++;
    assert(strcmp(word, names[index]) == 0);
    return index;
}

#define SELECT_GROUP                                                                                                   \
    "SELECT id, gid, local_part, state, own_alias, inviter_alias, inviter_uid, created_at, changed_at FROM group_ "

static struct store_group read_group(const struct store_query *query)
{
    return (struct store_group){
        .id = store_query_int(query, 0),
        .gid = store_query_copy(query, 1),
        .local_part = store_query_copy(query, 2),
        .state = (enum store_group_state)parse_word(store_query_text(query, 3), state_names, STATE_COUNT),
        .own_alias = store_query_copy(query, 4),
        .inviter_alias = store_query_copy(query, 5),
        .inviter_uid = store_query_copy(query, 6),
        .created_at = store_query_int(query, 7),
        .changed_at = store_query_int(query, 8),
    };
}

static int find(struct store_db *db, const char *sql, struct store_value key, struct store_group *out)
{
    struct store_query query;
    *out = (struct store_group){ .id = 0 };
    store_query_begin(&query, db, sql, STORE_VALUES(key));
    int result = store_query_next(&query);
    if (result == 1)
        *out = read_group(&query);
    store_query_end(&query);
    return result;
}

int store_group_find(struct store_db *db, int64_t id, struct store_group *out)
{
    return find(db, SELECT_GROUP "WHERE id = ?", bind_int(id), out);
}

int store_group_find_by_gid(struct store_db *db, const char *gid, struct store_group *out)
{
    return find(db, SELECT_GROUP "WHERE gid = ?", bind_text(gid), out);
}

static int add(struct store_db *db, const struct store_group *invitation, enum store_group_state state, int64_t now,
               int64_t *id_out)
{
    return store_fetch_int(db,
                           "INSERT INTO group_ (gid, state, own_alias, inviter_alias, inviter_uid, created_at,"
                           " changed_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                           STORE_VALUES(bind_text(invitation->gid), bind_text(state_names[state]),
                                        bind_text(invitation->own_alias), bind_text(invitation->inviter_alias),
                                        bind_text(invitation->inviter_uid), bind_int(now), bind_int(now)),
                           id_out);
}

/* Not before somebody who may has accepted the invitation: a stranger's could take an address that a member is to have. */
static int ensure_address(struct store_db *db, int64_t id)
{
    struct store_group group;
    char local_part[STORE_LOCAL_PART_MAX + 1];
    const char *reason;
    if (store_group_find(db, id, &group) != 1)
        return -1;
    int result = group.local_part[0] ? 1 : store_address_derive(db, group.gid, "group", local_part);
    if (result == 1 && !group.local_part[0])
        result = store_group_set_address(db, id, local_part, &reason);
    store_group_free(&group);
    return result == 1 ? 1 : -1;
}

int store_group_invite(struct store_db *db, const struct store_group *invitation, bool accept, int64_t now,
                       int64_t *id_out)
{
    struct store_group known;
    enum store_group_state state = accept ? STORE_GROUP_ACCEPTED : STORE_GROUP_INVITED;
    int found = store_group_find_by_gid(db, invitation->gid, &known);
    if (found < 0)
        return -1;
    if (found == 0) {
        found = add(db, invitation, state, now, id_out);
        return found == 1 && accept ? ensure_address(db, *id_out) : found;
    }
    *id_out = known.id;
    bool begins = known.state == STORE_GROUP_LEFT || known.state == STORE_GROUP_DROPPED;
    bool keeps_alias = known.state != STORE_GROUP_DROPPED;
    if (!begins && (known.state != STORE_GROUP_INVITED || !accept))
        state = known.state;
    store_group_free(&known);
    if ((!keeps_alias && store_group_set_own_alias(db, *id_out, invitation->own_alias) != 1) ||
        (state == STORE_GROUP_ACCEPTED && ensure_address(db, *id_out) != 1))
        return -1;
    return store_execute(db,
                         "UPDATE group_ SET state = ?, inviter_alias = ?, inviter_uid = ?, changed_at = ? WHERE id = ?",
                         STORE_VALUES(bind_text(state_names[state]), bind_text(invitation->inviter_alias),
                                      bind_text(invitation->inviter_uid), bind_int(now), bind_int(*id_out)));
}

int store_group_set_own_alias(struct store_db *db, int64_t id, const char *alias)
{
    return store_execute(db, "UPDATE group_ SET own_alias = ? WHERE id = ?",
                         STORE_VALUES(bind_text(alias), bind_int(id)));
}

int store_group_set_state(struct store_db *db, int64_t id, enum store_group_state state, int64_t now,
                          enum store_group_state *was_out)
{
    struct store_group group;
    int found = store_group_find(db, id, &group);
    *was_out = found == 1 ? group.state : state;
    store_group_free(&group);
    if (found != 1)
        return found;
    if (!may_become[*was_out][state])
        return 0;
    if (state == STORE_GROUP_ACCEPTED && ensure_address(db, id) != 1)
        return -1;
    return store_execute(db, "UPDATE group_ SET state = ?, changed_at = ? WHERE id = ?",
                         STORE_VALUES(bind_text(state_names[state]), bind_int(now), bind_int(id)));
}

int store_group_set_address(struct store_db *db, int64_t id, const char *local_part, const char **reason_out)
{
    int given = store_address_give(db, local_part, (struct store_target){ .group_id = id }, reason_out);
    if (given != 1)
        return given;
    *reason_out = "there is no such group";
    return store_execute(db, "UPDATE group_ SET local_part = ? WHERE id = ?",
                         STORE_VALUES(bind_text(local_part), bind_int(id)));
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_group_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1) {
        struct store_group group = read_group(&query);
        each(&group, ctx);
        store_group_free(&group);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_group_list(struct store_db *db, store_group_each *each, void *ctx)
{
    return list(db, SELECT_GROUP "ORDER BY gid", NULL, each, ctx);
}

int store_group_list_of(struct store_db *db, const char *uid, store_group_each *each, void *ctx)
{
    return list(db,
                SELECT_GROUP "WHERE EXISTS (SELECT 1 FROM group_member WHERE group_id = group_.id AND uid = ?"
                             " AND group_member.state = 'joined') ORDER BY gid",
                STORE_VALUES(bind_text(uid)), each, ctx);
}

int store_group_list_chores(struct store_db *db, store_group_each *each, void *ctx)
{
    return list(db, SELECT_GROUP "WHERE (state = 'accepted' OR state = 'leaving') ORDER BY id", NULL, each, ctx);
}

void store_group_free(struct store_group *group)
{
    free(group->gid);
    free(group->local_part);
    free(group->own_alias);
    free(group->inviter_alias);
    free(group->inviter_uid);
    *group = (struct store_group){ .id = 0 };
}

int store_group_set_member(struct store_db *db, int64_t group_id, const struct store_group_member *member)
{
    return store_execute(db,
                         "INSERT INTO group_member (group_id, alias, uid, state) VALUES (?, ?, ?, ?)"
                         " ON CONFLICT (group_id, alias) DO UPDATE SET state = excluded.state,"
                         " uid = coalesce(excluded.uid, group_member.uid)",
                         STORE_VALUES(bind_int(group_id), bind_text(member->alias), bind_text(member->uid),
                                      bind_text(member_state_names[member->state])));
}

int store_group_rename_member(struct store_db *db, int64_t group_id, const char *alias, const char *new_alias,
                              const char *uid)
{
    if (store_execute(db, "DELETE FROM group_member WHERE group_id = ? AND alias = ?",
                      STORE_VALUES(bind_int(group_id), bind_text(alias))) < 0)
        return -1;
    struct store_group_member member = { .alias = (char *)(uintptr_t)new_alias,
                                         .uid = (char *)(uintptr_t)uid,
                                         .state = STORE_GROUP_MEMBER_JOINED }; /* only read */
    return store_group_set_member(db, group_id, &member);
}

int store_group_find_member(struct store_db *db, int64_t group_id, const char *uid,
                            enum store_group_member_state *state_out)
{
    struct store_query query;
    store_query_begin(&query, db,
                      "SELECT state FROM group_member WHERE group_id = ? AND uid = ?"
                      " ORDER BY CASE state WHEN 'joined' THEN 0 WHEN 'invited' THEN 1 ELSE 2 END LIMIT 1",
                      STORE_VALUES(bind_int(group_id), bind_text(uid)));
    int result = store_query_next(&query);
    if (result == 1)
        *state_out = (enum store_group_member_state)parse_word(store_query_text(&query, 0), member_state_names,
                                                               MEMBER_STATE_COUNT);
    store_query_end(&query);
    return result;
}

int store_group_was_dropped(struct store_db *db, int64_t group_id, const char *uid)
{
    int64_t one;
    return store_fetch_int(db,
                           "SELECT 1 FROM group_member LEFT JOIN identity ON identity.alias = group_member.alias"
                           " AND identity.source IN ('ping', 'invite', 'group')"
                           " WHERE group_id = ? AND state = 'dropped'"
                           " AND coalesce(group_member.uid, identity.uid) = ? LIMIT 1",
                           STORE_VALUES(bind_int(group_id), bind_text(uid)), &one);
}

int store_group_list_members(struct store_db *db, int64_t group_id, store_group_member_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, "SELECT alias, uid, state FROM group_member WHERE group_id = ? ORDER BY alias",
                      STORE_VALUES(bind_int(group_id)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_group_member member = {
            .alias = store_query_copy(&query, 0),
            .uid = store_query_copy_or_null(&query, 1),
            .state = (enum store_group_member_state)parse_word(store_query_text(&query, 2), member_state_names,
                                                               MEMBER_STATE_COUNT),
        };
        each(&member, ctx);
        free(member.alias);
        free(member.uid);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}
