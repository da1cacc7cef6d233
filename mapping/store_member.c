/* store_member.c - see store_member.h */
#include "mapping/store_member.h"

#include <stdlib.h>
#include <string.h>

#include "mapping/store_address.h"
#include "mapping/store_identity.h"
#include "mapping/store_internal.h"

#define COLUMNS "id, alias, uid, local_part, greeted_at, removed, created_at, wants_reports"

static struct store_member read_member(const struct store_query *query)
{
    return (struct store_member){
        .id = store_query_int(query, 0),
        .alias = store_query_copy(query, 1),
        .uid = store_query_copy_or_null(query, 2),
        .local_part = store_query_copy(query, 3),
        .greeted_at = store_query_int(query, 4),
        .removed = store_query_int(query, 5) != 0,
        .created_at = store_query_int(query, 6),
        .wants_reports = store_query_int(query, 7) != 0,
    };
}

static int find(struct store_db *db, const char *sql, struct store_value key, struct store_member *member_out)
{
    struct store_query query;
    *member_out = (struct store_member){ .id = 0 };
    store_query_begin(&query, db, sql, STORE_VALUES(key));
    int result = store_query_next(&query);
    if (result == 1)
        *member_out = read_member(&query);
    store_query_end(&query);
    return result;
}

int store_member_find(struct store_db *db, int64_t id, struct store_member *member_out)
{
    return find(db, "SELECT " COLUMNS " FROM member WHERE id = ?", bind_int(id), member_out);
}

int store_member_find_by_alias(struct store_db *db, const char *alias, struct store_member *member_out)
{
    return find(db, "SELECT " COLUMNS " FROM member WHERE alias = ? AND removed = 0", bind_text(alias), member_out);
}

int store_member_find_by_local_part(struct store_db *db, const char *local_part, struct store_member *member_out)
{
    return find(db,
                "SELECT " COLUMNS " FROM member WHERE removed = 0"
                " AND id = (SELECT member_id FROM address WHERE local_part = ?)",
                bind_text(local_part), member_out);
}

int store_member_find_by_uid(struct store_db *db, const char *uid, struct store_member *member_out)
{
    return find(db, "SELECT " COLUMNS " FROM member WHERE uid = ? AND removed = 0", bind_text(uid), member_out);
}

int store_member_find_vouched(struct store_db *db, const char *uid, struct store_member *member_out)
{
    return find(db,
                "SELECT " COLUMNS " FROM member WHERE removed = 0 AND uid IS NULL AND alias IN"
                " (SELECT alias FROM identity WHERE uid = ? AND source IN ('ping', 'invite', 'group'))"
                " ORDER BY id LIMIT 1",
                bind_text(uid), member_out);
}

/* A removed member who comes back is a new decision: their consent is asked for again, and whose their alias is. Their
 * address stays, if no other is wanted. */
static int revive(struct store_db *db, int64_t id, const char *alias, const char *local_part, int64_t now)
{
    if (store_identity_forget(db, alias) < 0)
        return -1;
    return store_execute(db,
                         "UPDATE member SET removed = 0, uid = NULL, greeted_at = 0, wants_reports = 0,"
                         " created_at = ?, local_part = coalesce(?, local_part) WHERE id = ?",
                         STORE_VALUES(bind_int(now), bind_text(local_part), bind_int(id)));
}

static int insert(struct store_db *db, const char *alias, const char *local_part, int64_t now, int64_t *id_out)
{
    char derived[STORE_LOCAL_PART_MAX + 1];
    if (!local_part && store_address_derive(db, alias, "member", derived) != 1)
        return -1;
    return store_fetch_int(db, "INSERT INTO member (alias, local_part, created_at) VALUES (?, ?, ?) RETURNING id",
                           STORE_VALUES(bind_text(alias), bind_text(local_part ? local_part : derived), bind_int(now)),
                           id_out);
}

/* The row has its local part; now nobody else can get it. */
static int give_address(struct store_db *db, int64_t id)
{
    struct store_member member;
    const char *reason;
    if (store_member_find(db, id, &member) != 1)
        return -1;
    int given = store_address_give(db, member.local_part, (struct store_target){ .member_id = id }, &reason);
    store_member_free(&member);
    return given == 1 ? 1 : -1;
}

int store_member_add(struct store_db *db, const char *alias, const char *local_part, int64_t now, int64_t *id_out,
                     const char **reason_out)
{
    struct store_member member;
    *reason_out = NULL;
    int known = find(db, "SELECT " COLUMNS " FROM member WHERE alias = ?", bind_text(alias), &member);
    bool is_removed = member.removed;
    *id_out = member.id;
    store_member_free(&member);
    if (known < 0)
        return -1;
    if (known == 1 && !is_removed) {
        *reason_out = "is a member already";
        return 0;
    }
    int allowed =
        local_part ? store_address_check(db, local_part, (struct store_target){ .member_id = *id_out }, reason_out) : 1;
    if (allowed != 1)
        return allowed;
    int result = known == 1 ? revive(db, *id_out, alias, local_part, now) : insert(db, alias, local_part, now, id_out);
    return result == 1 ? give_address(db, *id_out) : -1;
}

int store_member_remove(struct store_db *db, int64_t id)
{
    return store_execute(db, "UPDATE member SET removed = 1 WHERE id = ? AND removed = 0", STORE_VALUES(bind_int(id)));
}

int store_member_learn_uid(struct store_db *db, const char *alias, const char *uid)
{
    struct store_member by_alias, by_uid;
    int found = store_member_find_by_alias(db, alias, &by_alias);
    if (found != 1)
        return found;
    int64_t id = by_alias.id;
    bool is_known = by_alias.uid && strcmp(by_alias.uid, uid) == 0, is_bound = by_alias.uid;
    store_member_free(&by_alias);
    if (is_bound)
        return is_known ? 1 : -2;
    int elsewhere = store_member_find_by_uid(db, uid, &by_uid);
    store_member_free(&by_uid);
    if (elsewhere != 0)
        return elsewhere == 1 ? -2 : -1;
    return store_execute(db, "UPDATE member SET uid = ? WHERE id = ?", STORE_VALUES(bind_text(uid), bind_int(id)));
}

int store_member_set_reports(struct store_db *db, int64_t id, bool wants_reports)
{
    return store_execute(db, "UPDATE member SET wants_reports = ? WHERE id = ? AND removed = 0",
                         STORE_VALUES(bind_int(wants_reports), bind_int(id)));
}

int store_member_set_greeted(struct store_db *db, int64_t id, int64_t now)
{
    return store_execute(db, "UPDATE member SET greeted_at = ? WHERE id = ?",
                         STORE_VALUES(bind_int(now), bind_int(id)));
}

int store_member_forget_uid(struct store_db *db, int64_t id)
{
    return store_execute(db, "UPDATE member SET uid = NULL, greeted_at = 0 WHERE id = ?", STORE_VALUES(bind_int(id)));
}

int store_member_set_alias(struct store_db *db, int64_t id, const char *alias)
{
    return store_execute(db,
                         "UPDATE member SET alias = ?1 WHERE id = ?2"
                         " AND NOT EXISTS (SELECT 1 FROM member WHERE alias = ?1)",
                         STORE_VALUES(bind_text(alias), bind_int(id)));
}

int store_member_ask_again(struct store_db *db, const char *alias, int64_t asked_before)
{
    return store_execute(db,
                         "UPDATE member SET greeted_at = 0"
                         " WHERE alias = ? AND removed = 0 AND uid IS NULL AND greeted_at > 0 AND greeted_at < ?",
                         STORE_VALUES(bind_text(alias), bind_int(asked_before)));
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_member_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1) {
        struct store_member member = read_member(&query);
        each(&member, ctx);
        store_member_free(&member);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_member_list(struct store_db *db, const char *part, const char *after, int64_t limit, store_member_each *each,
                      void *ctx)
{
    return list(db,
                "SELECT " COLUMNS " FROM member WHERE removed = 0 AND alias > ?1"
                " AND (?2 IS NULL OR instr(lower(alias), ?2) > 0 OR instr(local_part, ?2) > 0)"
                " ORDER BY alias LIMIT ?3",
                STORE_VALUES(bind_text(after), bind_text(part), bind_int(limit)), each, ctx);
}

int store_member_list_ungreeted(struct store_db *db, store_member_each *each, void *ctx)
{
    return list(db, "SELECT " COLUMNS " FROM member WHERE uid IS NULL AND greeted_at = 0 AND removed = 0 ORDER BY id",
                NULL, each, ctx);
}

void store_member_free(struct store_member *member)
{
    free(member->alias);
    free(member->uid);
    free(member->local_part);
    *member = (struct store_member){ .id = 0 };
}
