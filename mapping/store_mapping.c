/* store_mapping.c - the list at the door; see store_mapping.h */
#include "mapping/store_mapping.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/store_internal.h"

enum { STATE_COUNT = STORE_MAPPING_REVOKED + 1 };

static const char *const state_names[STATE_COUNT] = { "requested", "approved", "denied", "suspended", "revoked" };
static const char *const direction_names[] = {
    [STORE_DIRECTION_IN] = "in", [STORE_DIRECTION_OUT] = "out", [STORE_DIRECTION_BOTH] = "both"
};

/* The life of a mapping. Denied and revoked are ends: who is let in after that gets a mapping of their own. */
static const bool may_become[STATE_COUNT][STATE_COUNT] = {
    [STORE_MAPPING_REQUESTED] = { [STORE_MAPPING_APPROVED] = true, [STORE_MAPPING_DENIED] = true },
    [STORE_MAPPING_APPROVED] = { [STORE_MAPPING_SUSPENDED] = true, [STORE_MAPPING_REVOKED] = true },
    [STORE_MAPPING_SUSPENDED] = { [STORE_MAPPING_APPROVED] = true, [STORE_MAPPING_REVOKED] = true },
};

const char *store_mapping_state_name(enum store_mapping_state state)
{
    return state_names[state];
}

bool store_mapping_state_parse(const char *text, enum store_mapping_state *state_out)
{
    for (int i = 0; i < STATE_COUNT; i++) {
        if (strcmp(text, state_names[i]) == 0) {
            *state_out = (enum store_mapping_state)i;
            return true;
        }
    }
    return false;
}

const char *store_direction_name(enum store_direction direction)
{
    return direction_names[direction];
}

bool store_direction_parse(const char *text, enum store_direction *direction_out)
{
    for (int i = STORE_DIRECTION_IN; i <= STORE_DIRECTION_BOTH; i++) {
        if (strcmp(text, direction_names[i]) == 0) {
            *direction_out = (enum store_direction)i;
            return true;
        }
    }
    return false;
}

#define SELECT_MAPPING                                                                                                 \
    "SELECT mapping.id, mapping.correspondent_id, mapping.member_id, mapping.group_id, correspondent.address,"         \
    " coalesce(member.alias, group_.gid),"                                                                             \
    " mapping.state, mapping.direction, mapping.expires_at, mapping.max_size, mapping.daily, mapping.note,"            \
    " mapping.created_at, mapping.decided_at, mapping.created_by, mapping.decided_by, mapping.reason,"                 \
    " mapping.announced, mapping.attachments"                                                                          \
    " FROM mapping JOIN correspondent ON correspondent.id = mapping.correspondent_id"                                  \
    " LEFT JOIN member ON member.id = mapping.member_id LEFT JOIN group_ ON group_.id = mapping.group_id "

/* The words that the schema's CHECK allows are those of the tables above. */
static struct store_mapping read_mapping(const struct store_query *query)
{
    struct store_mapping mapping = {
        .id = store_query_int(query, 0),
        .correspondent_id = store_query_int(query, 1),
        .target = { store_query_int(query, 2), store_query_int(query, 3) },
        .address = store_query_copy(query, 4),
        .target_name = store_query_copy(query, 5),
        .expires_at = store_query_int(query, 8),
        .max_size = store_query_int(query, 9),
        .daily = store_query_int(query, 10),
        .note = store_query_copy(query, 11),
        .created_at = store_query_int(query, 12),
        .decided_at = store_query_int(query, 13),
        .created_by = store_query_copy(query, 14),
        .decided_by = store_query_copy(query, 15),
        .reason = store_query_copy(query, 16),
        .announced = store_query_int(query, 17) != 0,
        .attachments = store_query_copy(query, 18),
    };
    bool known = store_mapping_state_parse(store_query_text(query, 6), &mapping.state) &&
                 store_direction_parse(store_query_text(query, 7), &mapping.direction);
    assert(known);
    (void)known;
    return mapping;
}

static int find(struct store_db *db, const char *sql, const struct store_value *values, struct store_mapping *out)
{
    struct store_query query;
    *out = (struct store_mapping){ .id = 0 };
    store_query_begin(&query, db, sql, values);
    int result = store_query_next(&query);
    if (result == 1)
        *out = read_mapping(&query);
    store_query_end(&query);
    return result;
}

int store_mapping_add(struct store_db *db, const struct store_mapping_new *mapping, int64_t *id_out)
{
    bool approved = mapping->state == STORE_MAPPING_APPROVED;
    assert(approved || mapping->state == STORE_MAPPING_REQUESTED);
    int exists = store_fetch_int(db,
                                 "SELECT id FROM mapping WHERE correspondent_id = ?"
                                 " AND member_id IS NOT DISTINCT FROM ? AND group_id IS NOT DISTINCT FROM ?"
                                 " AND state IN ('requested', 'approved', 'suspended')",
                                 STORE_VALUES(bind_int(mapping->correspondent_id), bind_id(mapping->target.member_id),
                                              bind_id(mapping->target.group_id)),
                                 id_out);
    if (exists != 0)
        return exists == 1 ? 0 : -1;
    return store_fetch_int(db,
                           "INSERT INTO mapping (correspondent_id, member_id, group_id, state, direction, expires_at, "
                           "max_size, daily, attachments, note,"
                           " created_at, created_by, decided_at, decided_by, reason)"
                           " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                           STORE_VALUES(bind_int(mapping->correspondent_id), bind_id(mapping->target.member_id),
                                        bind_id(mapping->target.group_id), bind_text(state_names[mapping->state]),
                                        bind_text(direction_names[mapping->direction]), bind_int(mapping->expires_at),
                                        bind_int(mapping->max_size), bind_int(mapping->daily),
                                        bind_text(mapping->attachments ? mapping->attachments : "yes"),
                                        bind_text(mapping->note), bind_int(mapping->now), bind_text(mapping->actor),
                                        bind_int(approved ? mapping->now : 0),
                                        bind_text(approved ? mapping->actor : ""), bind_text(mapping->reason)),
                           id_out);
}

int store_mapping_find(struct store_db *db, int64_t id, struct store_mapping *out)
{
    return find(db, SELECT_MAPPING "WHERE mapping.id = ?", STORE_VALUES(bind_int(id)), out);
}

/* A live one is the newest: none is made beside it, and what has ended never lives again. */
int store_mapping_find_pair(struct store_db *db, int64_t correspondent_id, struct store_target target,
                            struct store_mapping *out)
{
    return find(db,
                SELECT_MAPPING "WHERE mapping.correspondent_id = ? AND mapping.member_id IS NOT DISTINCT FROM ?"
                               " AND mapping.group_id IS NOT DISTINCT FROM ?"
                               " ORDER BY mapping.id DESC LIMIT 1",
                STORE_VALUES(bind_int(correspondent_id), bind_id(target.member_id), bind_id(target.group_id)), out);
}

int store_mapping_any_inbound(struct store_db *db, struct store_target target, int64_t now)
{
    int64_t id;
    return store_fetch_int(db,
                           "SELECT id FROM mapping WHERE member_id IS NOT DISTINCT FROM ?"
                           " AND group_id IS NOT DISTINCT FROM ? AND state = 'approved'"
                           " AND direction IN ('in', 'both') AND (expires_at = 0 OR expires_at > ?) LIMIT 1",
                           STORE_VALUES(bind_id(target.member_id), bind_id(target.group_id), bind_int(now)), &id);
}

int store_mapping_list_authors(struct store_db *db, struct store_target target, int64_t now,
                               store_mapping_each_author *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT correspondent.address FROM mapping"
                      " JOIN correspondent ON correspondent.id = mapping.correspondent_id"
                      " WHERE mapping.member_id IS NOT DISTINCT FROM ? AND mapping.group_id IS NOT DISTINCT FROM ?"
                      " AND mapping.state = 'approved' AND mapping.direction IN ('in', 'both')"
                      " AND (mapping.expires_at = 0 OR mapping.expires_at > ?)",
                      STORE_VALUES(bind_id(target.member_id), bind_id(target.group_id), bind_int(now)));
    while ((result = store_query_next(&query)) == 1)
        each(store_query_text(&query, 0), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_mapping_set_state(struct store_db *db, int64_t id, enum store_mapping_state state, const char *actor,
                            const char *reason, int64_t now, enum store_mapping_state *state_was_out)
{
    struct store_mapping mapping;
    int found = store_mapping_find(db, id, &mapping);
    *state_was_out = found == 1 ? mapping.state : state;
    /* Resuming is not news for the member; being approved is. */
    bool announced = mapping.announced && *state_was_out != STORE_MAPPING_REQUESTED;
    store_mapping_free(&mapping);
    if (found != 1)
        return found;
    if (!may_become[*state_was_out][state])
        return 0;
    return store_execute(db,
                         "UPDATE mapping SET state = ?, decided_at = ?, decided_by = ?, reason = ?, announced = ?"
                         " WHERE id = ?",
                         STORE_VALUES(bind_text(state_names[state]), bind_int(now), bind_text(actor), bind_text(reason),
                                      bind_int(announced), bind_int(id)));
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_mapping_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1) {
        struct store_mapping mapping = read_mapping(&query);
        each(&mapping, ctx);
        store_mapping_free(&mapping);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_mapping_list(struct store_db *db, const struct store_mapping_filter *filter, store_mapping_each *each,
                       void *ctx)
{
    return list(db,
                SELECT_MAPPING
                "WHERE mapping.state = coalesce(?, mapping.state)"
                " AND correspondent.address = coalesce(?, correspondent.address)"
                " AND coalesce(member.alias, group_.gid) = coalesce(?, member.alias, group_.gid) ORDER BY mapping.id",
                STORE_VALUES(bind_text(filter->by_state ? state_names[filter->state] : NULL),
                             bind_text(filter->address), bind_text(filter->target_name)),
                each, ctx);
}

int store_mapping_list_unannounced(struct store_db *db, int64_t now, store_mapping_each *each, void *ctx)
{
    return list(db,
                SELECT_MAPPING "WHERE mapping.state = 'approved' AND mapping.announced = 0"
                               " AND (mapping.expires_at = 0 OR mapping.expires_at > ?)"
                               " AND correspondent.alias IS NOT NULL"
                               " AND (member.removed = 0 OR group_.state = 'joined') ORDER BY mapping.id",
                STORE_VALUES(bind_int(now)), each, ctx);
}

int store_mapping_set_announced(struct store_db *db, int64_t id)
{
    return store_execute(db, "UPDATE mapping SET announced = 1 WHERE id = ?", STORE_VALUES(bind_int(id)));
}

void store_mapping_free(struct store_mapping *mapping)
{
    free(mapping->address);
    free(mapping->target_name);
    free(mapping->attachments);
    free(mapping->note);
    free(mapping->created_by);
    free(mapping->decided_by);
    free(mapping->reason);
    *mapping = (struct store_mapping){ .id = 0 };
}
