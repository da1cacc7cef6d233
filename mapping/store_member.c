/* store_member.c - see store_member.h */
#include "mapping/store_member.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/store_internal.h"

enum { LOCAL_PART_MAX = 64 }; /* RFC 5321 section 4.5.3.1.1 */

#define COLUMNS "id, alias, uid, local_part, greeted, removed, created_at"

static struct store_member read_member(const struct store_query *query)
{
    return (struct store_member){
        .id = store_query_int(query, 0),
        .alias = store_query_copy(query, 1),
        .uid = store_query_copy_or_null(query, 2),
        .local_part = store_query_copy(query, 3),
        .greeted = store_query_int(query, 4) != 0,
        .removed = store_query_int(query, 5) != 0,
        .created_at = store_query_int(query, 6),
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
    return find(db, "SELECT " COLUMNS " FROM member WHERE local_part = ? AND removed = 0", bind_text(local_part),
                member_out);
}

int store_member_find_by_uid(struct store_db *db, const char *uid, struct store_member *member_out)
{
    return find(db, "SELECT " COLUMNS " FROM member WHERE uid = ? AND removed = 0", bind_text(uid), member_out);
}

/* A dot-atom (RFC 5322 section 3.2.3) in lower case. */
static bool is_local_part(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.";
    size_t len = strlen(text);
    return len > 0 && len <= LOCAL_PART_MAX && strspn(text, allowed) == len && text[0] != '.' && text[len - 1] != '.' &&
           !strstr(text, "..");
}

/* Whoever had an address keeps it, also after removal: mail for them must never reach somebody else. */
static int is_taken(struct store_db *db, const char *local_part, int64_t by_other_than)
{
    int64_t id;
    return store_fetch_int(db, "SELECT id FROM member WHERE local_part = ? AND id <> ?",
                           STORE_VALUES(bind_text(local_part), bind_int(by_other_than)), &id);
}

/* "Alice Member" -> "alice.member": letters and digits, whatever is between them is one dot. */
static void derive(const char *alias, struct strbuf *out)
{
    bool dot = false;
    for (const char *p = alias; *p; p++) {
        char lower = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) {
            if (out->len + dot + 1 > LOCAL_PART_MAX)
                break;
            if (dot)
                strbuf_add_char(out, '.');
            strbuf_add_char(out, lower);
            dot = false;
        } else {
            dot = out->len > 0;
        }
    }
    if (out->len == 0)
        strbuf_add_str(out, "member");
}

/* The first of "alice.member", "alice.member.2", "alice.member.3", ... that is free. */
static int derive_free(struct store_db *db, const char *alias, struct strbuf *out)
{
    struct strbuf base, number;
    int taken = 1;
    strbuf_init(&base, LOCAL_PART_MAX);
    strbuf_init(&number, LOCAL_PART_MAX);
    derive(alias, &base);
    for (unsigned n = 1; taken == 1; n++) {
        strbuf_clear(&number);
        if (n > 1)
            strbuf_add_fmt(&number, ".%u", n);
        size_t room = LOCAL_PART_MAX - number.len;
        strbuf_clear(out);
        strbuf_add(out, base.data, base.len < room ? base.len : room);
        while (n > 1 && out->data[out->len - 1] == '.')
            strbuf_truncate(out, out->len - 1); /* where it was cut */
        strbuf_add_str(out, number.data);
        taken = is_taken(db, out->data, 0);
    }
    strbuf_free(&base);
    strbuf_free(&number);
    return taken < 0 ? -1 : 1;
}

/* A removed member who comes back is a new decision: their consent is asked for again. Their address stays, if no
 * other is wanted. */
static int revive(struct store_db *db, int64_t id, const char *local_part, int64_t now)
{
    return store_execute(db,
                         "UPDATE member SET removed = 0, uid = NULL, greeted = 0, created_at = ?,"
                         " local_part = coalesce(?, local_part) WHERE id = ?",
                         STORE_VALUES(bind_int(now), bind_text(local_part), bind_int(id)));
}

static int insert(struct store_db *db, const char *alias, const char *local_part, int64_t now, int64_t *id_out)
{
    struct strbuf derived;
    strbuf_init(&derived, LOCAL_PART_MAX);
    int result = local_part ? 1 : derive_free(db, alias, &derived);
    if (result == 1)
        result = store_fetch_int(
            db, "INSERT INTO member (alias, local_part, created_at) VALUES (?, ?, ?) RETURNING id",
            STORE_VALUES(bind_text(alias), bind_text(local_part ? local_part : derived.data), bind_int(now)), id_out);
    strbuf_free(&derived);
    return result;
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
    if (local_part && !is_local_part(local_part)) {
        *reason_out = "the part before the @ must be 1 to 64 lower-case letters, digits, dots and the like";
        return 0;
    }
    int taken = local_part ? is_taken(db, local_part, *id_out) : 0;
    if (taken == 1)
        *reason_out = "the address is, or was, another member's";
    if (taken != 0)
        return taken < 0 ? -1 : 0;
    return known == 1 ? revive(db, *id_out, local_part, now) : insert(db, alias, local_part, now, id_out);
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

int store_member_set_greeted(struct store_db *db, int64_t id)
{
    return store_execute(db, "UPDATE member SET greeted = 1 WHERE id = ?", STORE_VALUES(bind_int(id)));
}

static int list(struct store_db *db, const char *sql, store_member_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, NULL);
    while ((result = store_query_next(&query)) == 1) {
        struct store_member member = read_member(&query);
        each(&member, ctx);
        store_member_free(&member);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_member_list(struct store_db *db, store_member_each *each, void *ctx)
{
    return list(db, "SELECT " COLUMNS " FROM member WHERE removed = 0 ORDER BY alias", each, ctx);
}

int store_member_list_ungreeted(struct store_db *db, store_member_each *each, void *ctx)
{
    return list(db, "SELECT " COLUMNS " FROM member WHERE uid IS NULL AND greeted = 0 AND removed = 0 ORDER BY id",
                each, ctx);
}

void store_member_free(struct store_member *member)
{
    free(member->alias);
    free(member->uid);
    free(member->local_part);
    *member = (struct store_member){ .id = 0 };
}
