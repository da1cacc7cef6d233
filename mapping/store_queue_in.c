/* store_queue_in.c - the inbound queue of store_queue.h */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/store_internal.h"

/* Words, as everything that a shell on the database may show. */
static const char *const kind_names[] = { "mail", "notice", "returned" };
static const char *const ret_names[] = { NULL, "full", "hdrs" };
static const struct {
    unsigned bit;
    const char *name;
} notify_names[] = {
    { STORE_NOTIFY_SUCCESS, "success" },
    { STORE_NOTIFY_FAILURE, "failure" },
    { STORE_NOTIFY_DELAY, "delay" },
    { STORE_NOTIFY_NEVER, "never" },
};
enum { NOTIFY_COUNT = sizeof notify_names / sizeof notify_names[0], NOTIFY_TEXT_MAX = 32 };

/* NULL: not said. */
static const char *format_notify(unsigned notify, char buffer[static NOTIFY_TEXT_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < NOTIFY_COUNT; i++)
        if (notify & notify_names[i].bit)
            len += (size_t)snprintf(buffer + len, NOTIFY_TEXT_MAX - len, "%s%s", len ? "," : "", notify_names[i].name);
    return len ? buffer : NULL;
}

static unsigned parse_notify(const char *text)
{
    unsigned notify = 0;
    for (size_t i = 0; i < NOTIFY_COUNT; i++)
        if (strstr(text, notify_names[i].name))
            notify |= notify_names[i].bit;
    return notify;
}

static enum store_inbound_kind parse_kind(const char *text)
{
    int kind = STORE_INBOUND_RETURNED;
    while (kind > STORE_INBOUND_MAIL && strcmp(text, kind_names[kind]) != 0)
        kind--;
    return (enum store_inbound_kind)kind;
}

static enum store_ret parse_ret(const char *text)
{
    return text[0] == 'f' ? STORE_RET_FULL : text[0] == 'h' ? STORE_RET_HDRS : STORE_RET_NONE;
}

int store_inbound_add(struct store_db *db, const struct store_inbound_new *inbound, int64_t *id_out)
{
    return store_insert(
        db,
        "INSERT INTO inbound (kind, state, sender, from_address, correspondent_id, message_id, digest, reference_ids,"
        " is_automatic, is_generated, is_sender_proven, ret, envid, content_id, size, thread_id, threadid, subject,"
        " received_at,"
        " next_attempt_at, about_outbound_id, about_place, answer_mapping_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        STORE_VALUES(bind_text(kind_names[inbound->kind]), bind_text(inbound->is_pending ? "pending" : "waiting"),
                     bind_text(inbound->sender), bind_text(inbound->from_address), bind_id(inbound->correspondent_id),
                     bind_text(inbound->message_id),
                     inbound->digest ? bind_blob(inbound->digest, STORE_DIGEST_SIZE) : bind_text(NULL),
                     bind_text(inbound->references ? inbound->references : ""), bind_int(inbound->is_automatic),
                     bind_int(inbound->is_generated), bind_int(inbound->is_sender_proven),
                     bind_text(ret_names[inbound->ret]), bind_text(inbound->envid), bind_id(inbound->content_id),
                     bind_int(inbound->size), bind_id(inbound->thread_id), bind_text(inbound->threadid),
                     bind_text(inbound->subject), bind_int(inbound->now), bind_int(inbound->now),
                     bind_id(inbound->about_outbound_id), bind_int(inbound->about_place),
                     bind_id(inbound->answer_mapping_id)),
        id_out);
}

int store_inbound_add_recipient(struct store_db *db, int64_t inbound_id,
                                const struct store_inbound_recipient_new *recipient)
{
    char notify[NOTIFY_TEXT_MAX];
    int result = store_execute(
        db,
        "INSERT INTO inbound_recipient (inbound_id, member_id, group_id, mapping_id, address, notify, orcpt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        STORE_VALUES(bind_int(inbound_id), bind_id(recipient->target.member_id), bind_id(recipient->target.group_id),
                     bind_id(recipient->mapping_id), bind_text(recipient->address),
                     bind_text(format_notify(recipient->notify, notify)), bind_text(recipient->orcpt)));
    if (result >= 0 && recipient->notify & STORE_NOTIFY_DELAY)
        result =
            store_execute(db, "UPDATE inbound SET delay_awaited = 1 WHERE id = ?", STORE_VALUES(bind_int(inbound_id)));
    return result < 0 ? -1 : 1;
}

int store_inbound_set_skipped(struct store_db *db, int64_t inbound_id, struct store_target target, bool is_skipped)
{
    return store_execute(
        db,
        "UPDATE inbound_recipient SET is_skipped = ? WHERE inbound_id = ?"
        " AND member_id IS NOT DISTINCT FROM ? AND group_id IS NOT DISTINCT FROM ?",
        STORE_VALUES(bind_int(is_skipped), bind_int(inbound_id), bind_id(target.member_id), bind_id(target.group_id)));
}

int store_inbound_add_person(struct store_db *db, int64_t inbound_id, const char *uid, const char *alias)
{
    int result = store_execute(
        db, "INSERT INTO inbound_recipient (inbound_id, uid, alias) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        STORE_VALUES(bind_int(inbound_id), bind_text(uid), bind_text(alias)));
    return result < 0 ? -1 : 1;
}

int store_inbound_person_told_at(struct store_db *db, const char *uid, int64_t *at_out)
{
    *at_out = 0;
    return store_fetch_int(db,
                           "SELECT inbound.received_at FROM inbound_recipient"
                           " JOIN inbound ON inbound.id = inbound_recipient.inbound_id"
                           " WHERE inbound_recipient.uid = ? ORDER BY inbound_recipient.id DESC LIMIT 1",
                           STORE_VALUES(bind_text(uid)), at_out);
}

static int read_recipients(struct store_db *db, struct store_inbound *inbound)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db,
                      "SELECT inbound_recipient.member_id, inbound_recipient.group_id, mapping_id,"
                      " coalesce(inbound_recipient.uid, member.uid,"
                      "  CASE WHEN group_.state = 'joined' THEN group_.gid END),"
                      " coalesce(inbound_recipient.alias, member.alias, group_.gid),"
                      " coalesce(member.local_part, group_.local_part),"
                      " inbound_recipient.address, notify, orcpt, is_skipped, coalesce(member.removed, 0)"
                      " FROM inbound_recipient LEFT JOIN member ON member.id = inbound_recipient.member_id"
                      " LEFT JOIN group_ ON group_.id = inbound_recipient.group_id"
                      " WHERE inbound_id = ? ORDER BY inbound_recipient.id",
                      STORE_VALUES(bind_int(inbound->id)));
    while ((result = store_query_next(&query)) == 1) {
        inbound->recipients =
            xreallocarray(inbound->recipients, inbound->recipient_count + 1, sizeof *inbound->recipients);
        inbound->recipients[inbound->recipient_count++] = (struct store_inbound_recipient){
            .target = { store_query_int(&query, 0), store_query_int(&query, 1) },
            .mapping_id = store_query_int(&query, 2),
            .uid = store_query_copy_or_null(&query, 3),
            .alias = store_query_copy(&query, 4),
            .local_part = store_query_copy(&query, 5),
            .address = store_query_copy_or_null(&query, 6),
            .notify = parse_notify(store_query_text(&query, 7)),
            .orcpt = store_query_copy_or_null(&query, 8),
            .is_skipped = store_query_int(&query, 9) != 0,
            .is_gone = store_query_int(&query, 10) != 0,
        };
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

static void read_inbound(const struct store_query *query, struct store_inbound *out)
{
    *out = (struct store_inbound){
        .id = store_query_int(query, 0),
        .kind = parse_kind(store_query_text(query, 1)),
        .sender = store_query_copy(query, 3),
        .from_address = store_query_copy(query, 4),
        .correspondent_id = store_query_int(query, 5),
        .message_id = store_query_copy_or_null(query, 6),
        .references = store_query_copy(query, 7),
        .is_automatic = store_query_int(query, 8) != 0,
        .content_id = store_query_int(query, 9),
        .size = store_query_int(query, 10),
        .thread_id = store_query_int(query, 11),
        .threadid = store_query_copy_or_null(query, 12),
        .subject = store_query_copy_or_null(query, 13),
        .received_at = store_query_int(query, 14),
        .next_attempt_at = store_query_int(query, 15),
        .attempts = (unsigned)store_query_int(query, 16),
        .last_error = store_query_copy(query, 17),
        .is_sender_proven = store_query_int(query, 18) != 0,
        .ret = parse_ret(store_query_text(query, 19)),
        .envid = store_query_copy_or_null(query, 20),
        .is_generated = store_query_int(query, 21) != 0,
        .about_outbound_id = store_query_int(query, 22),
        .about_place = (unsigned)store_query_int(query, 23),
        .answer_mapping_id = store_query_int(query, 24),
    };
    bool known = store_queue_state_parse(store_query_text(query, 2), &out->state);
    assert(known); /* the schema's CHECK */
    (void)known;
}

int store_inbound_find(struct store_db *db, int64_t id, struct store_inbound *out)
{
    struct store_query query;
    *out = (struct store_inbound){ .id = 0 };
    store_query_begin(
        &query, db,
        "SELECT id, kind, state, sender, from_address, correspondent_id, message_id, reference_ids,"
        " is_automatic, content_id, size, thread_id, threadid, subject, received_at, next_attempt_at, attempts,"
        " last_error, is_sender_proven, ret, envid, is_generated, about_outbound_id,"
        " about_place, answer_mapping_id FROM inbound WHERE id = ?",
        STORE_VALUES(bind_int(id)));
    int result = store_query_next(&query);
    if (result == 1) {
        read_inbound(&query, out);
        result = read_recipients(db, out);
        if (result < 0)
            store_inbound_free(out);
    }
    store_query_end(&query);
    return result;
}

int store_inbound_awaits_routing(struct store_db *db, const char *message_id, int64_t correspondent_id,
                                 int64_t before_id)
{
    int64_t one;
    return store_fetch_int(db,
                           "SELECT 1 FROM inbound INDEXED BY inbound_message_id"
                           " WHERE message_id = ? AND correspondent_id = ? AND id < ? AND state = 'waiting' LIMIT 1",
                           STORE_VALUES(bind_text(message_id), bind_int(correspondent_id), bind_int(before_id)), &one);
}

int store_inbound_route(struct store_db *db, int64_t id, int64_t thread_id, const char *subject)
{
    return store_execute(
        db, "UPDATE inbound SET state = 'routed', thread_id = ?, subject = ? WHERE id = ? AND state = 'waiting'",
        STORE_VALUES(bind_id(thread_id), bind_text(subject), bind_int(id)));
}

int store_inbound_retry(struct store_db *db, int64_t id, int64_t next_attempt_at, const char *error)
{
    return store_execute(db,
                         "UPDATE inbound SET attempts = attempts + 1, next_attempt_at = ?,"
                         " last_error = CASE state WHEN 'held' THEN last_error ELSE ? END"
                         " WHERE id = ? AND state IN ('waiting', 'routed', 'held')",
                         STORE_VALUES(bind_int(next_attempt_at), bind_text(error ? error : ""), bind_int(id)));
}

int store_inbound_set_state(struct store_db *db, int64_t id, enum store_queue_state state, const char *error)
{
    assert(state == STORE_QUEUE_WAITING || state == STORE_QUEUE_ROUTED || state == STORE_QUEUE_HELD);
    return store_execute(
        db, "UPDATE inbound SET state = ?, last_error = ? WHERE id = ? AND state IN ('waiting', 'routed', 'held')",
        STORE_VALUES(bind_text(store_queue_state_name(state)), bind_text(error ? error : ""), bind_int(id)));
}

int store_inbound_finish(struct store_db *db, int64_t id, enum store_queue_state state)
{
    return store_queue_finish(db, STORE_QUEUE_IN, id, state);
}

/* From the newest one on: entries are numbered in the order in which they come. */
int store_inbound_count_by_mapping(struct store_db *db, int64_t mapping_id, int64_t since, int64_t max,
                                   int64_t *count_out)
{
    return store_fetch_int(db,
                           "SELECT count(*) FROM (SELECT DISTINCT inbound_id FROM inbound_recipient"
                           "  WHERE mapping_id = ? ORDER BY inbound_id DESC LIMIT ?) AS newest"
                           " JOIN inbound ON inbound.id = newest.inbound_id WHERE inbound.received_at >= ?",
                           STORE_VALUES(bind_int(mapping_id), bind_int(max), bind_int(since)), count_out);
}

void store_inbound_free(struct store_inbound *inbound)
{
    for (size_t i = 0; i < inbound->recipient_count; i++) {
        free(inbound->recipients[i].uid);
        free(inbound->recipients[i].alias);
        free(inbound->recipients[i].local_part);
        free(inbound->recipients[i].address);
        free(inbound->recipients[i].orcpt);
    }
    free(inbound->recipients);
    free(inbound->sender);
    free(inbound->from_address);
    free(inbound->message_id);
    free(inbound->envid);
    free(inbound->references);
    free(inbound->threadid);
    free(inbound->subject);
    free(inbound->last_error);
    *inbound = (struct store_inbound){ .id = 0 };
}
