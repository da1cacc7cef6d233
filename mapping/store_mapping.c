/* store_mapping.c - the list at the door; see store_mapping.h */
#include "mapping/store_mapping.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/store_internal.h"
#include "mapping/subject.h"

enum { STATE_COUNT = STORE_MAPPING_EXPIRED + 1 };

static const char *const state_names[STATE_COUNT] = { "requested", "approved", "denied",
                                                      "suspended", "revoked",  "expired" };
static const char *const direction_names[] = {
    [STORE_DIRECTION_IN] = "in", [STORE_DIRECTION_OUT] = "out", [STORE_DIRECTION_BOTH] = "both"
};
static const char *const proof_names[] = { "default", "dmarc", "dkim", "none" };

/* The life of a mapping. Denied, revoked and expired are ends: who is let in after that gets a mapping of their own. */
static const bool may_become[STATE_COUNT][STATE_COUNT] = {
    [STORE_MAPPING_REQUESTED] = { [STORE_MAPPING_APPROVED] = true, [STORE_MAPPING_DENIED] = true },
    [STORE_MAPPING_APPROVED] = { [STORE_MAPPING_SUSPENDED] = true,
                                 [STORE_MAPPING_REVOKED] = true,
                                 [STORE_MAPPING_EXPIRED] = true },
    [STORE_MAPPING_SUSPENDED] = { [STORE_MAPPING_APPROVED] = true,
                                  [STORE_MAPPING_REVOKED] = true,
                                  [STORE_MAPPING_EXPIRED] = true },
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

const char *store_proof_name(enum store_proof proof)
{
    return proof_names[proof];
}

bool store_proof_parse(const char *text, enum store_proof *proof_out)
{
    for (int i = STORE_PROOF_DEFAULT; i <= STORE_PROOF_NONE; i++) {
        if (strcmp(text, proof_names[i]) == 0) {
            *proof_out = (enum store_proof)i;
            return true;
        }
    }
    return false;
}

#define SELECT_MAPPING                                                                                                 \
    "SELECT mapping.id, mapping.subject, mapping.correspondent_id, mapping.member_id, mapping.group_id,"               \
    " coalesce(member.alias, group_.gid, 'all'), mapping.state, mapping.superseded, mapping.direction,"                \
    " mapping.expires_at, mapping.max_size, mapping.daily, mapping.attachments, mapping.proof, mapping.subaddresses,"  \
    " mapping.note, mapping.created_at, mapping.decided_at, mapping.created_by, mapping.created_via,"                  \
    " mapping.decided_by, mapping.reason, mapping.announced, mapping.invites, mapping.invitation_id,"                  \
    " mapping.was_suspended"                                                                                           \
    " FROM mapping LEFT JOIN member ON member.id = mapping.member_id"                                                  \
    " LEFT JOIN group_ ON group_.id = mapping.group_id "

/* The words that the schema's CHECK allows are those of the tables above. */
static struct store_mapping read_mapping(const struct store_query *query)
{
    struct store_mapping mapping = {
        .id = store_query_int(query, 0),
        .subject = store_query_copy(query, 1),
        .correspondent_id = store_query_int(query, 2),
        .target = { store_query_int(query, 3), store_query_int(query, 4) },
        .target_name = store_query_copy(query, 5),
        .is_superseded = store_query_int(query, 7) != 0,
        .expires_at = store_query_int(query, 9),
        .max_size = store_query_int(query, 10),
        .daily = store_query_int(query, 11),
        .attachments = store_query_copy(query, 12),
        .subaddresses = store_query_int(query, 14) != 0,
        .note = store_query_copy(query, 15),
        .created_at = store_query_int(query, 16),
        .decided_at = store_query_int(query, 17),
        .created_by = store_query_copy(query, 18),
        .created_via = store_query_copy(query, 19),
        .decided_by = store_query_copy(query, 20),
        .reason = store_query_copy(query, 21),
        .announced = store_query_int(query, 22) != 0,
        .invites = store_query_int(query, 23) != 0,
        .invitation_id = store_query_int(query, 24),
        .was_suspended = store_query_int(query, 25) != 0,
    };
    bool known = store_mapping_state_parse(store_query_text(query, 6), &mapping.state) &&
                 store_direction_parse(store_query_text(query, 8), &mapping.direction) &&
                 store_proof_parse(store_query_text(query, 13), &mapping.proof);
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

/* What was decided about before, of the same subject and target, has no say any more. */
static int supersede(struct store_db *db, int64_t id)
{
    return store_execute(db,
                         "UPDATE mapping SET superseded = 1 FROM mapping AS newer WHERE newer.id = ?"
                         " AND mapping.id <> newer.id AND mapping.superseded = 0 AND mapping.state <> 'requested'"
                         " AND lower(mapping.subject) = lower(newer.subject) AND mapping.subject = newer.subject"
                         " AND coalesce(mapping.member_id, 0) = coalesce(newer.member_id, 0)"
                         " AND coalesce(mapping.group_id, 0) = coalesce(newer.group_id, 0)",
                         STORE_VALUES(bind_int(id))) < 0
               ? -1
               : 1;
}

int store_mapping_supersede_other_case(struct store_db *db, int64_t id)
{
    return store_execute(db,
                         "UPDATE mapping SET superseded = 1 FROM mapping AS newer WHERE newer.id = ?"
                         " AND mapping.id <> newer.id AND mapping.superseded = 0"
                         " AND mapping.state IN ('denied', 'revoked', 'expired')"
                         " AND lower(mapping.subject) = lower(newer.subject)"
                         " AND coalesce(mapping.member_id, 0) = coalesce(newer.member_id, 0)"
                         " AND coalesce(mapping.group_id, 0) = coalesce(newer.group_id, 0)",
                         STORE_VALUES(bind_int(id))) < 0
               ? -1
               : 1;
}

int store_mapping_any_in_capitals(struct store_db *db)
{
    int64_t id;
    return store_fetch_int(db, "SELECT id FROM mapping WHERE superseded = 0 AND subject <> lower(subject) LIMIT 1",
                           NULL, &id);
}

static int insert(struct store_db *db, const struct store_mapping_new *mapping, int64_t *id_out)
{
    bool is_decided = mapping->state != STORE_MAPPING_REQUESTED;
    int result = store_fetch_int(
        db,
        "INSERT INTO mapping (subject, correspondent_id, member_id, group_id, state, direction, expires_at, max_size,"
        " daily, attachments, proof, subaddresses, note, created_at, created_by, created_via, decided_at, decided_by,"
        " reason, invites)"
        " VALUES (coalesce(?1, (SELECT address FROM correspondent WHERE id = ?2)), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
        " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) RETURNING id",
        STORE_VALUES(
            bind_text(mapping->subject), bind_id(mapping->correspondent_id), bind_id(mapping->target.member_id),
            bind_id(mapping->target.group_id), bind_text(state_names[mapping->state]),
            bind_text(direction_names[mapping->direction]), bind_int(mapping->expires_at), bind_int(mapping->max_size),
            bind_int(mapping->daily), bind_text(mapping->attachments ? mapping->attachments : "yes"),
            bind_text(proof_names[mapping->proof]), bind_int(mapping->subaddresses), bind_text(mapping->note),
            bind_int(mapping->now), bind_text(mapping->actor), bind_text(mapping->channel ? mapping->channel : ""),
            bind_int(is_decided ? mapping->now : 0), bind_text(is_decided ? mapping->actor : ""),
            bind_text(mapping->reason), bind_int(mapping->invites)),
        id_out);
    return result == 1 && is_decided ? supersede(db, *id_out) : result == 1 ? 1 : -1;
}

int store_mapping_add(struct store_db *db, const struct store_mapping_new *mapping, int64_t *id_out)
{
    assert(mapping->state <= STORE_MAPPING_DENIED && (mapping->subject || mapping->correspondent_id));
    int exists = store_fetch_int(db,
                                 "SELECT id FROM mapping WHERE state IN ('requested', 'approved', 'suspended')"
                                 " AND subject = coalesce(?, (SELECT address FROM correspondent WHERE id = ?))"
                                 " AND coalesce(member_id, 0) = ? AND coalesce(group_id, 0) = ?",
                                 STORE_VALUES(bind_text(mapping->subject), bind_id(mapping->correspondent_id),
                                              bind_int(mapping->target.member_id), bind_int(mapping->target.group_id)),
                                 id_out);
    if (exists != 0)
        return exists == 1 ? 0 : -1;
    return insert(db, mapping, id_out);
}

int store_mapping_set_limits(struct store_db *db, int64_t id, const struct store_mapping_new *limits)
{
    return store_execute(db,
                         "UPDATE mapping SET direction = ?, expires_at = ?, max_size = ?, daily = ?, attachments = ?,"
                         " proof = ?, subaddresses = ?, note = ?, invites = ? WHERE id = ?",
                         STORE_VALUES(bind_text(direction_names[limits->direction]), bind_int(limits->expires_at),
                                      bind_int(limits->max_size), bind_int(limits->daily),
                                      bind_text(limits->attachments ? limits->attachments : "yes"),
                                      bind_text(proof_names[limits->proof]), bind_int(limits->subaddresses),
                                      bind_text(limits->note), bind_int(limits->invites), bind_int(id)));
}

int store_mapping_find(struct store_db *db, int64_t id, struct store_mapping *out)
{
    return find(db, SELECT_MAPPING "WHERE mapping.id = ?", STORE_VALUES(bind_int(id)), out);
}

/* "+": else SQLite would put the parameter in the place of the subject everywhere, in lower(subject), too, and look through all mappings of the
 * target instead of into the index. */
int store_mapping_find_current(struct store_db *db, const char *subject, struct store_target target,
                               struct store_mapping *out)
{
    return find(db,
                SELECT_MAPPING "WHERE lower(mapping.subject) = lower(?1) AND +mapping.subject = ?1"
                               " AND coalesce(mapping.member_id, 0) = ? AND coalesce(mapping.group_id, 0) = ?"
                               " AND mapping.superseded = 0"
                               " ORDER BY mapping.state IN ('requested', 'approved', 'suspended') DESC LIMIT 1",
                STORE_VALUES(bind_text(subject), bind_int(target.member_id), bind_int(target.group_id)), out);
}

int store_mapping_any_inbound(struct store_db *db, struct store_target target, int64_t now)
{
    int64_t id;
    return store_fetch_int(db,
                           "SELECT id FROM mapping WHERE coalesce(member_id, 0) IN (?, 0)"
                           " AND coalesce(group_id, 0) = ? AND state = 'approved'"
                           " AND direction IN ('in', 'both') AND (expires_at = 0 OR expires_at > ?) LIMIT 1",
                           STORE_VALUES(bind_int(target.member_id), bind_int(target.group_id), bind_int(now)), &id);
}

int store_mapping_list_authors(struct store_db *db, struct store_target target, int64_t now, int64_t limit,
                               store_mapping_each_author *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(
        &query, db,
        "SELECT subject FROM mapping WHERE coalesce(member_id, 0) IN (?, 0) AND coalesce(group_id, 0) = ?"
        " AND state = 'approved' AND direction IN ('in', 'both')"
        " AND (expires_at = 0 OR expires_at > ?) LIMIT ?",
        STORE_VALUES(bind_int(target.member_id), bind_int(target.group_id), bind_int(now), bind_int(limit)));
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
    bool was_suspended = state == STORE_MAPPING_EXPIRED && *state_was_out == STORE_MAPPING_SUSPENDED;
    store_mapping_free(&mapping);
    if (found != 1)
        return found;
    if (!may_become[*state_was_out][state])
        return 0;
    int result =
        store_execute(db,
                      "UPDATE mapping SET state = ?, decided_at = ?, decided_by = ?, reason = ?, announced = ?,"
                      " was_suspended = ? WHERE id = ?",
                      STORE_VALUES(bind_text(state_names[state]), bind_int(now), bind_text(actor), bind_text(reason),
                                   bind_int(announced), bind_int(was_suspended), bind_int(id)));
    return result == 1 && *state_was_out == STORE_MAPPING_REQUESTED ? supersede(db, id) : result;
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

enum { KEYS_FEW = 8 };

#define CANDIDATES(keys)                                                                                               \
    SELECT_MAPPING                                                                                                     \
    "WHERE lower(mapping.subject) IN (" keys ") AND coalesce(mapping.member_id, 0) IN (?1, 0)"                         \
    " AND coalesce(mapping.group_id, 0) = ?2 AND mapping.superseded = 0"

/* Two statements: the more values are to be bound the longer it takes, and few names have many labels. A missing key is
 * NULL, which equals nothing. */
int store_mapping_list_candidates(struct store_db *db, const char *author, struct store_target target,
                                  store_mapping_each *each, void *ctx)
{
    static const char few[] = CANDIDATES("?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10");
    static const char many[] = CANDIDATES("?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"
                                          " ?19, ?20, ?21, ?22, ?23, ?24");
    struct store_value values[SUBJECT_KEYS_MAX + 3] = { bind_int(target.member_id), bind_int(target.group_id) };
    struct subject_keys keys;
    subject_keys_make(author, &keys);
    size_t count = keys.count <= KEYS_FEW ? KEYS_FEW : SUBJECT_KEYS_MAX;
    for (size_t i = 0; i < count; i++)
        values[2 + i] = bind_text(i < keys.count ? keys.texts[i] : NULL);
    values[2 + count] = (struct store_value){ .kind = STORE_VALUE_END };
    return keys.count == 0 ? 1 : list(db, count == KEYS_FEW ? few : many, values, each, ctx);
}

#define MATCHING                                                                                                       \
    " AND mapping.state = coalesce(?1, mapping.state) AND mapping.subject = coalesce(?2, mapping.subject)"             \
    " AND coalesce(mapping.member_id, 0) = coalesce(?3, mapping.member_id, 0)"                                         \
    " AND coalesce(mapping.group_id, 0) = coalesce(?4, mapping.group_id, 0)"                                           \
    " AND mapping.id > ?5"
#define LIST(first) SELECT_MAPPING "WHERE " first MATCHING " ORDER BY mapping.id LIMIT ?6"
/* By id, as the index has them for each state: without that a page of a target with a million mappings would sort them all. */
#define OF_TARGET(one_state)                                                                                           \
    "SELECT id FROM (SELECT id FROM mapping WHERE coalesce(member_id, 0) = ?3 AND coalesce(group_id, 0) = ?4"          \
    " AND state = '" one_state "' AND id > ?5 ORDER BY id LIMIT ?6)"

static int64_t or_all(int64_t limit)
{
    return limit ? limit : -1;
}

/* `first` is what an index finds: whoever looks for few of a million must not wait for all of them to be read. */
int store_mapping_list(struct store_db *db, const struct store_mapping_filter *filter, store_mapping_each *each,
                       void *ctx)
{
    static const char by_subject[] = LIST("lower(mapping.subject) = lower(?2)");
    static const char by_target[] =
        LIST("mapping.id IN (" OF_TARGET("requested") " UNION ALL " OF_TARGET("approved") " UNION ALL " OF_TARGET(
            "denied") " UNION ALL " OF_TARGET("suspended") " UNION ALL " OF_TARGET("revoked") " UNION "
                                                                                              "ALL " OF_TARGET(
                                                                                                  "exp"
                                                                                                  "ire"
                                                                                                  "d") ")");
    static const char by_state[] = LIST("'' || mapping.state = ?1");
    static const char any[] = LIST("true");
    const struct store_value none = bind_id(0);
    const char *sql = filter->subject ? by_subject : filter->by_target ? by_target : filter->by_state ? by_state : any;
    return list(db, sql,
                STORE_VALUES(bind_text(filter->by_state ? state_names[filter->state] : NULL),
                             bind_text(filter->subject), filter->by_target ? bind_int(filter->target.member_id) : none,
                             filter->by_target ? bind_int(filter->target.group_id) : none, bind_int(filter->after_id),
                             bind_int(or_all(filter->limit))),
                each, ctx);
}

int store_mapping_search(struct store_db *db, const struct store_mapping_filter *filter, const char *part,
                         int64_t slice, int64_t *cursor, store_mapping_each *each, void *ctx)
{
#define HAS_PART(column) "instr(lower(" column "), lower(?7)) > 0"
    static const char sql[] =
        SELECT_MAPPING "WHERE mapping.id <= ?6" MATCHING " AND (" HAS_PART("mapping.subject") " OR " HAS_PART(
            "coalesce(member.alias, group_.gid, "
            "'all')") " OR " HAS_PART("mapping.note") " OR " HAS_PART("mapping.created_by") ")"
                                                                                            " ORDER BY mapping.id";
    const struct store_value none = bind_id(0);
    int64_t newest, end = *cursor < INT64_MAX - slice ? *cursor + slice : INT64_MAX;
    int result = store_fetch_int(db, "SELECT coalesce(max(id), 0) FROM mapping", NULL, &newest);
    if (result == 1)
        result =
            list(db, sql,
                 STORE_VALUES(bind_text(filter->by_state ? state_names[filter->state] : NULL),
                              bind_text(filter->subject), filter->by_target ? bind_int(filter->target.member_id) : none,
                              filter->by_target ? bind_int(filter->target.group_id) : none, bind_int(*cursor),
                              bind_int(end), bind_text(part)),
                 each, ctx);
    *cursor = end;
    return result < 0 ? -1 : end < newest;
}

int store_mapping_count_requested(struct store_db *db, int64_t *count_out)
{
    /* The index is named: SQLite prefers to walk through one that covers all mappings. */
    return store_fetch_int(db, "SELECT count(*) FROM mapping INDEXED BY mapping_requested WHERE state = 'requested'",
                           NULL, count_out);
}

int store_mapping_list_ended(struct store_db *db, int64_t now, int64_t limit, store_mapping_each *each, void *ctx)
{
    return list(
        db,
        SELECT_MAPPING
        "WHERE mapping.expires_at <> 0 AND mapping.state IN ('approved', 'suspended') AND mapping.expires_at <= ?"
        " ORDER BY mapping.expires_at LIMIT ?",
        STORE_VALUES(bind_int(now), bind_int(limit)), each, ctx);
}

/* Whose own mail has asked for them, and none of it waits any more. */
#define LAPSED                                                                                                         \
    "mapping.state = 'requested' AND mapping.created_via = 'mail' AND NOT EXISTS (SELECT 1 FROM held"                  \
    "  WHERE held.request_id = mapping.id)"

int store_mapping_list_lapsed(struct store_db *db, int64_t since, int64_t limit, store_mapping_each *each, void *ctx)
{
    return list(db, SELECT_MAPPING "WHERE " LAPSED " AND mapping.created_at <= ? ORDER BY mapping.id LIMIT ?",
                STORE_VALUES(bind_int(since), bind_int(limit)), each, ctx);
}

int store_mapping_remove_lapsed(struct store_db *db, int64_t id)
{
    int64_t lapsed;
    int result =
        store_fetch_int(db, "SELECT id FROM mapping WHERE id = ? AND " LAPSED, STORE_VALUES(bind_int(id)), &lapsed);
    if (result != 1)
        return result;
    if (store_execute(db, "DELETE FROM admin_event WHERE mapping_id = ?", STORE_VALUES(bind_int(id))) < 0)
        return -1;
    return store_execute(db, "DELETE FROM mapping WHERE id = ?", STORE_VALUES(bind_int(id)));
}

int store_mapping_set_creator(struct store_db *db, int64_t id, const char *actor, const char *channel)
{
    return store_execute(db, "UPDATE mapping SET created_by = ?, created_via = ? WHERE id = ?",
                         STORE_VALUES(bind_text(actor), bind_text(channel), bind_int(id)));
}

int store_mapping_next_end(struct store_db *db, int64_t *at_out)
{
    return store_fetch_int(db,
                           "SELECT expires_at FROM mapping WHERE expires_at <> 0 AND state IN ('approved', 'suspended')"
                           " ORDER BY expires_at LIMIT 1",
                           NULL, at_out);
}

int store_mapping_list_unannounced(struct store_db *db, int64_t now, store_mapping_each *each, void *ctx)
{
    return list(db,
                SELECT_MAPPING "WHERE mapping.state = 'approved' AND mapping.announced = 0"
                               " AND (mapping.expires_at = 0 OR mapping.expires_at > ?)"
                               " AND EXISTS (SELECT 1 FROM correspondent WHERE correspondent.id ="
                               "  mapping.correspondent_id AND correspondent.alias IS NOT NULL)"
                               " AND (member.removed = 0 OR group_.state = 'joined') ORDER BY mapping.id",
                STORE_VALUES(bind_int(now)), each, ctx);
}

int store_mapping_set_announced(struct store_db *db, int64_t id)
{
    return store_execute(db, "UPDATE mapping SET announced = 1 WHERE id = ?", STORE_VALUES(bind_int(id)));
}

int store_mapping_list_uninvited(struct store_db *db, int64_t now, store_mapping_each *each, void *ctx)
{
    return list(db,
                SELECT_MAPPING "WHERE mapping.invites = 1 AND mapping.invitation_id IS NULL"
                               " AND mapping.state = 'approved' AND mapping.direction IN ('in', 'both')"
                               " AND (mapping.expires_at = 0 OR mapping.expires_at > ?)"
                               " AND EXISTS (SELECT 1 FROM correspondent WHERE correspondent.id ="
                               "  mapping.correspondent_id AND correspondent.alias IS NOT NULL)"
                               " AND ((member.removed = 0 AND member.uid IS NOT NULL) OR group_.state = 'joined')"
                               " ORDER BY mapping.id",
                STORE_VALUES(bind_int(now)), each, ctx);
}

int store_mapping_set_invitation(struct store_db *db, int64_t id, int64_t outbound_id)
{
    return store_execute(db, "UPDATE mapping SET invitation_id = ? WHERE id = ? AND invitation_id IS NULL",
                         STORE_VALUES(bind_int(outbound_id), bind_int(id)));
}

int store_mapping_find_by_invitation(struct store_db *db, int64_t outbound_id, struct store_mapping *out)
{
    return find(db, SELECT_MAPPING "WHERE mapping.invitation_id = ?", STORE_VALUES(bind_int(outbound_id)), out);
}

void store_mapping_free(struct store_mapping *mapping)
{
    free(mapping->subject);
    free(mapping->target_name);
    free(mapping->attachments);
    free(mapping->note);
    free(mapping->created_by);
    free(mapping->created_via);
    free(mapping->decided_by);
    free(mapping->reason);
    *mapping = (struct store_mapping){ .id = 0 };
}
