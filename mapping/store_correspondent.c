/* store_correspondent.c - the outside addresses of store_mapping.h */
#include <stdlib.h>

#include "mapping/store_internal.h"
#include "mapping/store_mapping.h"

int store_correspondent_ensure(struct store_db *db, const char *address, int64_t now, int64_t *id_out)
{
    int found =
        store_fetch_int(db, "SELECT id FROM correspondent WHERE address = ?", STORE_VALUES(bind_text(address)), id_out);
    if (found != 0)
        return found;
    return store_fetch_int(db, "INSERT INTO correspondent (address, created_at) VALUES (?, ?) RETURNING id",
                           STORE_VALUES(bind_text(address), bind_int(now)), id_out);
}

static struct store_correspondent read_correspondent(const struct store_query *query)
{
    return (struct store_correspondent){
        .id = store_query_int(query, 0),
        .address = store_query_copy(query, 1),
        .alias = store_query_copy_or_null(query, 2),
        .alias_form = (unsigned)store_query_int(query, 3),
        .wants_alias = store_query_int(query, 4) != 0,
    };
}

static int find(struct store_db *db, const char *sql, struct store_value key, struct store_correspondent *out)
{
    struct store_query query;
    *out = (struct store_correspondent){ .id = 0 };
    store_query_begin(&query, db, sql, STORE_VALUES(key));
    int result = store_query_next(&query);
    if (result == 1)
        *out = read_correspondent(&query);
    store_query_end(&query);
    return result;
}

int store_correspondent_find(struct store_db *db, int64_t id, struct store_correspondent *out)
{
    return find(db, "SELECT id, address, alias, alias_form, wants_alias FROM correspondent WHERE id = ?", bind_int(id),
                out);
}

int store_correspondent_find_by_address(struct store_db *db, const char *address, struct store_correspondent *out)
{
    return find(db, "SELECT id, address, alias, alias_form, wants_alias FROM correspondent WHERE address = ?",
                bind_text(address), out);
}

int store_correspondent_find_by_alias(struct store_db *db, const char *alias, struct store_correspondent *out)
{
    return find(db, "SELECT id, address, alias, alias_form, wants_alias FROM correspondent WHERE alias = ?",
                bind_text(alias), out);
}

int store_correspondent_set_alias(struct store_db *db, int64_t id, const char *alias)
{
    return store_execute(
        db,
        "UPDATE correspondent SET alias = ? WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM correspondent AS other WHERE other.alias = ? AND other.id <> ?)",
        STORE_VALUES(bind_text(alias), bind_int(id), bind_text(alias), bind_int(id)));
}

int store_correspondent_set_wants_alias(struct store_db *db, int64_t id)
{
    return store_execute(db, "UPDATE correspondent SET wants_alias = 1 WHERE id = ?", STORE_VALUES(bind_int(id)));
}

int store_correspondent_set_alias_form(struct store_db *db, int64_t id, unsigned form)
{
    return store_execute(db, "UPDATE correspondent SET alias_form = ? WHERE id = ?",
                         STORE_VALUES(bind_int(form), bind_int(id)));
}

int store_correspondent_list_without_alias(struct store_db *db, int64_t now, store_correspondent_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(
        &query, db,
        "SELECT id, address, alias, alias_form, wants_alias FROM correspondent WHERE alias IS NULL"
        " AND (wants_alias = 1 OR EXISTS (SELECT 1 FROM mapping LEFT JOIN member ON member.id = mapping.member_id"
        "  LEFT JOIN group_ ON group_.id = mapping.group_id"
        "  WHERE mapping.correspondent_id = correspondent.id AND mapping.state = 'approved'"
        "  AND (mapping.expires_at = 0 OR mapping.expires_at > ?)"
        "  AND (member.removed = 0 OR group_.state = 'joined'"
        "   OR coalesce(mapping.member_id, mapping.group_id) IS NULL)))"
        " ORDER BY id",
        STORE_VALUES(bind_int(now)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_correspondent correspondent = read_correspondent(&query);
        each(&correspondent, ctx);
        store_correspondent_free(&correspondent);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

void store_correspondent_free(struct store_correspondent *correspondent)
{
    free(correspondent->address);
    free(correspondent->alias);
    *correspondent = (struct store_correspondent){ .id = 0 };
}
