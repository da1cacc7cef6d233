/* store_queue_out.c - the outbound queue of store_queue.h */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/store_content.h"
#include "mapping/store_internal.h"

/* The conditions of a partial index, as they stand there: else it is not used. */
#define AWAITING "awaits_relay = 1 AND (state = 'waiting' OR state = 'routed')"

static const char *const recipient_state_names[] = { "waiting", "delivered", "failed" };

static const char *const kind_names[] = { "message", "forward", "files", "report", "invitation" };

static enum store_outbound_kind parse_kind(const char *text)
{
    int kind = STORE_OUTBOUND_INVITATION;
    while (kind > STORE_OUTBOUND_MESSAGE && strcmp(text, kind_names[kind]) != 0)
        kind--;
    return (enum store_outbound_kind)kind;
}

const char *store_recipient_state_name(enum store_recipient_state state)
{
    return recipient_state_names[state];
}

static enum store_recipient_state parse_recipient_state(const char *text)
{
    int state = STORE_RECIPIENT_FAILED;
    while (state > STORE_RECIPIENT_WAITING && strcmp(text, recipient_state_names[state]) != 0)
        state--;
    return (enum store_recipient_state)state;
}

int store_outbound_add(struct store_db *db, const struct store_outbound_new *outbound, int64_t *id_out)
{
    return store_fetch_int(
        db,
        "INSERT INTO outbound (kind, state, tmtp_msgid, thread_id, member_id, group_id, forward_id, about_inbound_id,"
        " author_uid, author_alias, message_id,"
        " head, content_id, size, posted_at, received_at, next_attempt_at, wants_reports)"
        " VALUES (?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        STORE_VALUES(bind_text(kind_names[outbound->kind]), bind_text(outbound->tmtp_msgid),
                     bind_id(outbound->thread_id), bind_id(outbound->member_id), bind_id(outbound->group_id),
                     bind_id(outbound->forward_id), bind_id(outbound->about_inbound_id),
                     bind_text(outbound->author_uid), bind_text(outbound->author_alias),
                     bind_text(outbound->message_id), bind_text(outbound->head ? outbound->head : ""),
                     bind_id(outbound->content_id), bind_int(outbound->size), bind_int(outbound->posted_at),
                     bind_int(outbound->now), bind_int(outbound->now), bind_int(outbound->wants_reports)),
        id_out);
}

int store_outbound_find_forward(struct store_db *db, const char *tmtp_msgid, int64_t *id_out)
{
    return store_fetch_int(db,
                           "SELECT id FROM outbound WHERE tmtp_msgid = ? AND kind = 'forward'"
                           " AND state IN ('waiting', 'held')"
                           " AND NOT EXISTS (SELECT 1 FROM outbound_recipient WHERE outbound_id = outbound.id) LIMIT 1",
                           STORE_VALUES(bind_text(tmtp_msgid)), id_out);
}

int store_outbound_add_recipient(struct store_db *db, int64_t outbound_id, int64_t correspondent_id, int64_t group_id)
{
    int result =
        store_execute(db,
                      "INSERT INTO outbound_recipient (outbound_id, correspondent_id, group_id) VALUES (?, ?, ?)"
                      " ON CONFLICT (outbound_id, correspondent_id) DO NOTHING",
                      STORE_VALUES(bind_int(outbound_id), bind_int(correspondent_id), bind_id(group_id)));
    return result < 0 ? -1 : 1;
}

int store_outbound_add_address(struct store_db *db, int64_t outbound_id, const char *address)
{
    return store_execute(db, "INSERT INTO outbound_recipient (outbound_id, address) VALUES (?, ?)",
                         STORE_VALUES(bind_int(outbound_id), bind_text(address)));
}

int store_outbound_release(struct store_db *db, int64_t id, int64_t group_id, int64_t now)
{
    return store_execute(db,
                         "UPDATE outbound SET group_id = ?, next_attempt_at = ?, last_error = ''"
                         " WHERE id = ? AND state IN ('waiting', 'held')",
                         STORE_VALUES(bind_id(group_id), bind_int(now), bind_int(id)));
}

int store_outbound_release_files(struct store_db *db, int64_t forward_id, int64_t now)
{
    if (store_execute(db,
                      "INSERT INTO outbound_recipient (outbound_id, correspondent_id, group_id)"
                      " SELECT files.id, recipient.correspondent_id, recipient.group_id FROM outbound AS files"
                      " JOIN outbound_recipient AS recipient ON recipient.outbound_id = files.forward_id"
                      " WHERE files.forward_id = ? AND files.state IN ('waiting', 'held')"
                      " ON CONFLICT (outbound_id, correspondent_id) DO NOTHING",
                      STORE_VALUES(bind_int(forward_id))) < 0)
        return -1;
    int result = store_execute(db,
                               "UPDATE outbound SET next_attempt_at = ?, last_error = '',"
                               " group_id = (SELECT group_id FROM outbound AS forward WHERE forward.id = ?)"
                               " WHERE forward_id = ? AND state IN ('waiting', 'held')",
                               STORE_VALUES(bind_int(now), bind_int(forward_id), bind_int(forward_id)));
    return result < 0 ? -1 : 1;
}

static int read_recipients(struct store_db *db, struct store_outbound *outbound)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT correspondent.id, group_id, coalesce(correspondent.address, outbound_recipient.address),"
                      " state, reply, relay FROM outbound_recipient"
                      " LEFT JOIN correspondent ON correspondent.id = outbound_recipient.correspondent_id"
                      " WHERE outbound_id = ? ORDER BY outbound_recipient.id",
                      STORE_VALUES(bind_int(outbound->id)));
    while ((result = store_query_next(&query)) == 1) {
        outbound->recipients =
            xreallocarray(outbound->recipients, outbound->recipient_count + 1, sizeof *outbound->recipients);
        outbound->recipients[outbound->recipient_count++] = (struct store_outbound_recipient){
            .correspondent_id = store_query_int(&query, 0),
            .group_id = store_query_int(&query, 1),
            .address = store_query_copy(&query, 2),
            .state = parse_recipient_state(store_query_text(&query, 3)),
            .reply = store_query_copy(&query, 4),
            .relay = store_query_copy(&query, 5),
        };
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

static void read_outbound(const struct store_query *query, struct store_outbound *out)
{
    *out = (struct store_outbound){
        .id = store_query_int(query, 0),
        .tmtp_msgid = store_query_copy(query, 2),
        .thread_id = store_query_int(query, 3),
        .member_id = store_query_int(query, 4),
        .group_id = store_query_int(query, 5),
        .author_uid = store_query_copy(query, 6),
        .author_alias = store_query_copy(query, 7),
        .message_id = store_query_copy(query, 8),
        .head = store_query_copy(query, 9),
        .content_id = store_query_int(query, 10),
        .size = store_query_int(query, 11),
        .is_8bit = store_query_int(query, 12) != 0,
        .is_smtputf8 = store_query_int(query, 13) != 0,
        .posted_at = store_query_int(query, 14),
        .received_at = store_query_int(query, 15),
        .next_attempt_at = store_query_int(query, 16),
        .attempts = (unsigned)store_query_int(query, 17),
        .last_error = store_query_copy(query, 18),
        .kind = parse_kind(store_query_text(query, 19)),
        .forward_id = store_query_int(query, 20),
        .wants_reports = store_query_int(query, 21) != 0,
        .awaits_relay = store_query_int(query, 22) != 0,
        .warned_at = store_query_int(query, 23),
        .parking_told_at = store_query_int(query, 26),
        .about_inbound_id = store_query_int(query, 24),
        .signature = store_query_copy(query, 25),
    };
    bool known = store_queue_state_parse(store_query_text(query, 1), &out->state);
    assert(known); /* the schema's CHECK */
    (void)known;
}

int store_outbound_find(struct store_db *db, int64_t id, struct store_outbound *out)
{
    struct store_query query;
    *out = (struct store_outbound){ .id = 0 };
    store_query_begin(
        &query, db,
        "SELECT id, state, tmtp_msgid, thread_id, member_id, group_id, author_uid, author_alias, message_id,"
        " head, content_id,"
        " size, is_8bit, is_smtputf8, posted_at, received_at, next_attempt_at, attempts, last_error, kind, forward_id,"
        " wants_reports, awaits_relay, warned_at, about_inbound_id, signature, parking_told_at"
        " FROM outbound WHERE id = ?",
        STORE_VALUES(bind_int(id)));
    int result = store_query_next(&query);
    if (result == 1) {
        read_outbound(&query, out);
        result = read_recipients(db, out);
        if (result < 0)
            store_outbound_free(out);
    }
    store_query_end(&query);
    return result;
}

int store_outbound_find_queued_at(struct store_db *db, int64_t id, int64_t *received_at_out)
{
    return store_fetch_int(db, "SELECT received_at FROM outbound WHERE id = ? AND kind <> 'report'",
                           STORE_VALUES(bind_int(id)), received_at_out);
}

int store_outbound_count_recipients(struct store_db *db, int64_t id, int64_t *count_out)
{
    return store_fetch_int(db, "SELECT count(*) FROM outbound_recipient WHERE outbound_id = ?",
                           STORE_VALUES(bind_int(id)), count_out);
}

int store_outbound_set_mail(struct store_db *db, int64_t id, int64_t content_id, int64_t size, bool is_8bit,
                            bool is_smtputf8, const char *signature)
{
    int64_t old_content_id;
    int found = store_fetch_int(db, "SELECT content_id FROM outbound WHERE id = ? AND state = 'waiting'",
                                STORE_VALUES(bind_int(id)), &old_content_id);
    if (found != 1)
        return found;
    if (store_execute(db,
                      "UPDATE outbound SET state = 'routed', head = '', content_id = ?, size = ?, is_8bit = ?,"
                      " is_smtputf8 = ?, signature = ? WHERE id = ?",
                      STORE_VALUES(bind_id(content_id), bind_int(size), bind_int(is_8bit), bind_int(is_smtputf8),
                                   bind_text(signature), bind_int(id))) != 1)
        return -1;
    return old_content_id && store_content_erase(db, old_content_id) < 0 ? -1 : 1;
}

/* An outcome is final; to note the same one again is harmless. */
int store_outbound_set_recipient(struct store_db *db, int64_t id, int64_t correspondent_id,
                                 enum store_recipient_state state, const char *relay, const char *reply)
{
    return store_execute(db,
                         "UPDATE outbound_recipient SET state = ?, relay = ?, reply = ?"
                         " WHERE outbound_id = ? AND correspondent_id IS NOT DISTINCT FROM ?"
                         " AND state = 'waiting'",
                         STORE_VALUES(bind_text(recipient_state_names[state]), bind_text(relay),
                                      bind_text(reply ? reply : ""), bind_int(id), bind_id(correspondent_id)));
}

int store_outbound_set_warned(struct store_db *db, int64_t id, int64_t at)
{
    return store_execute(db, "UPDATE outbound SET warned_at = ? WHERE id = ?",
                         STORE_VALUES(bind_int(at), bind_int(id)));
}

int store_outbound_set_parking_told(struct store_db *db, int64_t id, int64_t at)
{
    return store_execute(db, "UPDATE outbound SET parking_told_at = ? WHERE id = ?",
                         STORE_VALUES(bind_int(at), bind_int(id)));
}

int store_outbound_retry(struct store_db *db, int64_t id, int64_t next_attempt_at, bool awaits_relay, const char *error)
{
    return store_execute(
        db,
        "UPDATE outbound SET attempts = attempts + 1, next_attempt_at = ?, awaits_relay = ?,"
        " last_error = CASE state WHEN 'held' THEN last_error ELSE ? END"
        " WHERE id = ? AND state IN ('waiting', 'routed', 'held')",
        STORE_VALUES(bind_int(next_attempt_at), bind_int(awaits_relay), bind_text(error ? error : ""), bind_int(id)));
}

int store_outbound_next_awaiting(struct store_db *db, int64_t above, int64_t *id_out)
{
    return store_fetch_int(
        db, "SELECT id FROM outbound INDEXED BY outbound_awaiting WHERE " AWAITING " AND id > ? ORDER BY id LIMIT 1",
        STORE_VALUES(bind_int(above)), id_out);
}

int store_outbound_end_waiting(struct store_db *db, int64_t now, unsigned limit, int64_t *above)
{
    struct store_query query;
    int result;
    bool some = false;
    store_query_begin(&query, db,
                      "UPDATE outbound SET awaits_relay = 0, next_attempt_at = min(next_attempt_at, ?)"
                      " WHERE id IN (SELECT id FROM outbound INDEXED BY outbound_awaiting WHERE " AWAITING
                      " AND id > ? ORDER BY id LIMIT ?) RETURNING id",
                      STORE_VALUES(bind_int(now), bind_int(*above), bind_int(limit)));
    while ((result = store_query_next(&query)) == 1) { /* in any order */
        int64_t id = store_query_int(&query, 0);
        *above = id > *above ? id : *above;
        some = true;
    }
    store_query_end(&query);
    return result < 0 ? -1 : some;
}

int store_outbound_is_scheduled(struct store_db *db, int64_t id)
{
    int64_t found;
    return store_fetch_int(db, "SELECT id FROM outbound WHERE id = ? AND state IN ('waiting', 'routed')",
                           STORE_VALUES(bind_int(id)), &found);
}

int store_outbound_set_state(struct store_db *db, int64_t id, enum store_queue_state state, const char *error)
{
    assert(state == STORE_QUEUE_WAITING || state == STORE_QUEUE_ROUTED || state == STORE_QUEUE_HELD);
    return store_execute(
        db, "UPDATE outbound SET state = ?, last_error = ? WHERE id = ? AND state IN ('waiting', 'routed', 'held')",
        STORE_VALUES(bind_text(store_queue_state_name(state)), bind_text(error ? error : ""), bind_int(id)));
}

int store_outbound_finish(struct store_db *db, int64_t id, enum store_queue_state state)
{
    int result = store_queue_finish(db, STORE_QUEUE_OUT, id, state);
    if (result != 1)
        return result;
    return store_execute(db, "UPDATE outbound SET head = '', signature = '' WHERE id = ?", STORE_VALUES(bind_int(id)));
}

void store_outbound_free(struct store_outbound *outbound)
{
    for (size_t i = 0; i < outbound->recipient_count; i++) {
        free(outbound->recipients[i].address);
        free(outbound->recipients[i].reply);
        free(outbound->recipients[i].relay);
    }
    free(outbound->recipients);
    free(outbound->tmtp_msgid);
    free(outbound->author_uid);
    free(outbound->author_alias);
    free(outbound->message_id);
    free(outbound->head);
    free(outbound->signature);
    free(outbound->last_error);
    *outbound = (struct store_outbound){ .id = 0 };
}
