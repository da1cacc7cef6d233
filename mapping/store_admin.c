/* store_admin.c - see store_admin.h */
#include "mapping/store_admin.h"

#include "mapping/store_internal.h"

static const char *const event_names[] = { "requested", "suspended" };
static const char *const spoken_names[] = { "unclear", "request" };
static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

int store_admin_event_add(struct store_db *db, enum store_admin_event_kind kind, int64_t mapping_id, int64_t now)
{
    if (kind != STORE_ADMIN_REQUESTED &&
        store_execute(db, "DELETE FROM admin_event WHERE kind = ? AND mapping_id = ?",
                      STORE_VALUES(bind_text(event_names[kind]), bind_int(mapping_id))) < 0)
        return -1;
    if (store_execute(db,
                      "INSERT INTO admin_event (kind, mapping_id, at) VALUES (?, ?, ?)"
                      " ON CONFLICT (kind, mapping_id) DO NOTHING",
                      STORE_VALUES(bind_text(event_names[kind]), bind_int(mapping_id), bind_int(now))) < 0)
        return -1;
    return store_execute(db, "DELETE FROM admin_event WHERE id <= (SELECT max(id) FROM admin_event) - ?",
                         STORE_VALUES(bind_int(STORE_ADMIN_EVENTS_MAX))) < 0
               ? -1
               : 1;
}

int store_admin_list_events(struct store_db *db, int64_t above, int64_t limit, store_admin_event_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT admin_event.id, mapping_id, at, kind = 'suspended' FROM admin_event"
                      " JOIN mapping ON mapping.id = admin_event.mapping_id"
                      " WHERE admin_event.id > ? AND mapping.state = kind ORDER BY admin_event.id LIMIT ?",
                      STORE_VALUES(bind_int(above), bind_int(limit)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_admin_event event = {
            .id = store_query_int(&query, 0),
            .mapping_id = store_query_int(&query, 1),
            .at = store_query_int(&query, 2),
            .kind = store_query_int(&query, 3) ? STORE_ADMIN_SUSPENDED : STORE_ADMIN_REQUESTED,
        };
        each(&event, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_admin_last_event(struct store_db *db, int64_t *id_out)
{
    *id_out = 0;
    return store_fetch_int(db, "SELECT id FROM admin_event ORDER BY id DESC LIMIT 1", NULL, id_out);
}

int store_admin_count_requests(struct store_db *db, const char *member, int64_t *count_out)
{
    if (!member)
        return store_fetch_int(db, "SELECT count(*) FROM mapping WHERE state = 'requested' AND created_via = 'silo'",
                               NULL, count_out);
    return store_fetch_int(
        db, "SELECT count(*) FROM mapping WHERE state = 'requested' AND created_via = 'silo' AND created_by = ?",
        STORE_VALUES(bind_text(member)), count_out);
}

int store_admin_get(struct store_db *db, const char *alias, struct store_admin *out)
{
    struct store_query query;
    *out = (struct store_admin){ 0 };
    store_query_begin(&query, db, "SELECT asked_at, told_at, told_event FROM admin WHERE alias = ?",
                      STORE_VALUES(bind_text(alias)));
    int result = store_query_next(&query);
    if (result == 1)
        *out = (struct store_admin){ .asked_at = store_query_int(&query, 0),
                                     .told_at = store_query_int(&query, 1),
                                     .told_event = store_query_int(&query, 2) };
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_admin_set_asked(struct store_db *db, const char *alias, int64_t now)
{
    return store_execute(db,
                         "INSERT INTO admin (alias, asked_at) VALUES (?, ?)"
                         " ON CONFLICT (alias) DO UPDATE SET asked_at = excluded.asked_at",
                         STORE_VALUES(bind_text(alias), bind_int(now)));
}

int store_admin_set_told(struct store_db *db, const char *alias, int64_t event, int64_t now)
{
    return store_execute(db,
                         "INSERT INTO admin (alias, told_event, told_at) VALUES (?, ?, ?)"
                         " ON CONFLICT (alias) DO UPDATE SET told_event = excluded.told_event,"
                         " told_at = excluded.told_at",
                         STORE_VALUES(bind_text(alias), bind_int(event), bind_int(now)));
}

/* A clock that was put back begins anew, too. */
int store_spoken_count(struct store_db *db, const char *uid, enum store_spoken what, int64_t most, int64_t now)
{
    if (store_execute(
            db,
            "INSERT INTO spoken (uid, what, since, count) VALUES (?, ?, ?, 0) ON CONFLICT (uid, what)"
            " DO UPDATE SET since = excluded.since, count = 0 WHERE since <= ? OR since > excluded.since",
            STORE_VALUES(bind_text(uid), bind_text(spoken_names[what]), bind_int(now), bind_int(now - day_ms))) < 0)
        return -1;
    return store_execute(db, "UPDATE spoken SET count = count + 1 WHERE uid = ? AND what = ? AND count < ?",
                         STORE_VALUES(bind_text(uid), bind_text(spoken_names[what]), bind_int(most)));
}
