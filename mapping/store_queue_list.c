/* store_queue_list.c - see store_queue_list.h */
#include "mapping/store_queue_list.h"

#include <assert.h>
#include <stdlib.h>

#include "mapping/store_internal.h"

enum { STATE_COUNT = STORE_QUEUE_PENDING + 1, QUEUE_COUNT = STORE_QUEUE_OUT + 1 };

/* A page: the ids of one state that follow the cursor, and of each whether it is what is looked for. The state is in the text,
 * for a partial index serves only what is known to be in it; what follows it are the columns that the match needs. */
#define PAGE(table, columns, state, order, match)                                                                      \
    "SELECT id, (?3 IS NULL OR EXISTS (" match " > 0)) AND (?4 IS NULL OR instr(lower(author), ?4) > 0)"               \
    " AND next_attempt_at BETWEEN ?5 AND ?6 AND received_at <= ?7 FROM (SELECT id, next_attempt_at, "                  \
    "received_at, " columns " AS author FROM " table " WHERE state = '" state "' AND id " order " LIMIT ?2) AS page"
#define OLDEST "> ?1 ORDER BY id"
#define NEWEST "< ?1 ORDER BY id DESC"
#define PAGES(table, columns, match)                                                                                   \
    {                                                                                                                  \
        PAGE(table, columns, "waiting", OLDEST, match), PAGE(table, columns, "routed", OLDEST, match),                 \
            PAGE(table, columns, "held", OLDEST, match), PAGE(table, columns, "settled", NEWEST, match),               \
            PAGE(table, columns, "dropped", NEWEST, match), PAGE(table, columns, "pending", OLDEST, match)             \
    }

static const char *const pages[QUEUE_COUNT][STATE_COUNT] = {
    PAGES("inbound", "from_address || ' ' || sender",
          "SELECT 1 FROM inbound_recipient AS recipient LEFT JOIN member ON member.id = recipient.member_id"
          " LEFT JOIN group_ ON group_.id = recipient.group_id WHERE recipient.inbound_id = page.id"
          " AND instr(lower(coalesce(recipient.alias, member.alias, group_.gid) || ' ' ||"
          "  coalesce(recipient.address, '')), ?3)"),
    PAGES("outbound", "author_alias",
          "SELECT 1 FROM outbound_recipient AS recipient"
          " LEFT JOIN correspondent ON correspondent.id = recipient.correspondent_id"
          " WHERE recipient.outbound_id = page.id"
          " AND instr(lower(coalesce(correspondent.address, recipient.address)), ?3)"),
};

static bool is_newest_first(enum store_queue_state state)
{
    return state == STORE_QUEUE_SETTLED || state == STORE_QUEUE_DROPPED;
}

int store_queue_search(struct store_db *db, const struct store_queue_search *search, unsigned limit, int64_t *cursor,
                       store_queue_found *found, void *ctx)
{
    struct store_query query;
    unsigned looked = 0;
    int result;
    if (*cursor == 0 && is_newest_first(search->state))
        *cursor = INT64_MAX;
    store_query_begin(&query, db, pages[search->queue][search->state],
                      STORE_VALUES(bind_int(*cursor), bind_int(limit), bind_text(search->to), bind_text(search->from),
                                   bind_int(search->due_from), bind_int(search->due_until),
                                   bind_int(search->received_until)));
    while ((result = store_query_next(&query)) == 1) {
        looked++;
        *cursor = store_query_int(&query, 0);
        if (store_query_int(&query, 1))
            found(*cursor, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : looked == limit;
}

/* A notice's recipients are counted as the mail's: posting reaches all of them at once, or none. */
static const char *const summaries[QUEUE_COUNT] = {
    "SELECT state, kind, coalesce(nullif(from_address, ''), sender), coalesce(message_id, ''), size, received_at,"
    " next_attempt_at, attempts, last_error, coalesce(about_outbound_id, 0),"
    " (SELECT count(*) FROM inbound_recipient WHERE inbound_id = inbound.id),"
    " (SELECT count(*) FROM inbound_recipient WHERE inbound_id = inbound.id AND is_skipped = 0"
    "   AND inbound.state = 'settled'),"
    " (SELECT count(*) FROM inbound_recipient WHERE inbound_id = inbound.id AND is_skipped = 1"
    "   AND inbound.state = 'settled'),"
    " (SELECT group_concat(name, ', ') FROM (SELECT coalesce(recipient.alias, member.alias, group_.gid) AS name"
    "   FROM inbound_recipient AS recipient LEFT JOIN member ON member.id = recipient.member_id"
    "   LEFT JOIN group_ ON group_.id = recipient.group_id"
    "   WHERE recipient.inbound_id = inbound.id ORDER BY recipient.id LIMIT ?2))"
    " FROM inbound WHERE id = ?1",
    "SELECT state, kind, author_alias, message_id, size, received_at,"
    " next_attempt_at, attempts, last_error, coalesce(about_inbound_id, 0),"
    " (SELECT count(*) FROM outbound_recipient WHERE outbound_id = outbound.id),"
    " (SELECT count(*) FROM outbound_recipient WHERE outbound_id = outbound.id AND state = 'delivered'),"
    " (SELECT count(*) FROM outbound_recipient WHERE outbound_id = outbound.id AND state = 'failed'),"
    " (SELECT group_concat(name, ', ') FROM (SELECT coalesce(correspondent.address, recipient.address) AS name"
    "   FROM outbound_recipient AS recipient LEFT JOIN correspondent ON correspondent.id = recipient.correspondent_id"
    "   WHERE recipient.outbound_id = outbound.id ORDER BY recipient.id LIMIT ?2))"
    " FROM outbound WHERE id = ?1",
};

int store_queue_summarise(struct store_db *db, enum store_queue queue, int64_t id, struct store_queue_summary *out)
{
    struct store_query query;
    *out = (struct store_queue_summary){ .id = 0 };
    store_query_begin(&query, db, summaries[queue], STORE_VALUES(bind_int(id), bind_int(STORE_QUEUE_NAMES_MAX)));
    int result = store_query_next(&query);
    if (result == 1) {
        *out = (struct store_queue_summary){
            .queue = queue,
            .id = id,
            .kind = store_query_copy(&query, 1),
            .from = store_query_copy(&query, 2),
            .message_id = store_query_copy(&query, 3),
            .size = store_query_int(&query, 4),
            .received_at = store_query_int(&query, 5),
            .next_attempt_at = store_query_int(&query, 6),
            .attempts = store_query_int(&query, 7),
            .last_error = store_query_copy(&query, 8),
            .about_id = store_query_int(&query, 9),
            .recipient_count = store_query_int(&query, 10),
            .delivered_count = store_query_int(&query, 11),
            .failed_count = store_query_int(&query, 12),
            .to = store_query_copy(&query, 13),
        };
        bool known = store_queue_state_parse(store_query_text(&query, 0), &out->state);
        assert(known); /* the schema's CHECK */
        (void)known;
    }
    store_query_end(&query);
    return result;
}

void store_queue_summary_free(struct store_queue_summary *summary)
{
    free(summary->kind);
    free(summary->from);
    free(summary->to);
    free(summary->message_id);
    free(summary->last_error);
    *summary = (struct store_queue_summary){ .id = 0 };
}

/* Of each state the one with the lowest id. */
#define OLDEST_OF(table)                                                                                               \
    "SELECT received_at FROM " table " WHERE id IN ("                                                                  \
    "SELECT * FROM (SELECT id FROM " table " WHERE state = 'waiting' ORDER BY id LIMIT 1) AS first"                    \
    " UNION ALL SELECT * FROM (SELECT id FROM " table " WHERE state = 'routed' ORDER BY id LIMIT 1) AS second)"        \
    " ORDER BY received_at LIMIT 1"

int store_queue_oldest(struct store_db *db, enum store_queue queue, int64_t *received_at_out)
{
    static const char *const sql[QUEUE_COUNT] = { OLDEST_OF("inbound"), OLDEST_OF("outbound") };
    *received_at_out = 0;
    return store_fetch_int(db, sql[queue], NULL, received_at_out);
}

#define LAST_OF_PAGE(table, state)                                                                                     \
    "SELECT max(id), count(*) FROM (SELECT id FROM " table " WHERE state = '" state                                    \
    "' AND id > ? ORDER BY id LIMIT ?) AS page"
#define HASTEN(table, state)                                                                                           \
    "UPDATE " table " SET next_attempt_at = ?1 WHERE state = '" state                                                  \
    "' AND id > ?2 AND id <= ?3 AND +next_attempt_at > ?1 RETURNING 1"

int store_queue_hasten(struct store_db *db, enum store_queue queue, enum store_queue_state state, int64_t at,
                       unsigned limit, int64_t *cursor, int64_t *changed)
{
    static const char *const last_of_page[QUEUE_COUNT][2] = {
        { LAST_OF_PAGE("inbound", "waiting"), LAST_OF_PAGE("inbound", "routed") },
        { LAST_OF_PAGE("outbound", "waiting"), LAST_OF_PAGE("outbound", "routed") },
    };
    static const char *const hasten[QUEUE_COUNT][2] = {
        { HASTEN("inbound", "waiting"), HASTEN("inbound", "routed") },
        { HASTEN("outbound", "waiting"), HASTEN("outbound", "routed") },
    };
    struct store_query query;
    assert(db->is_writer && (state == STORE_QUEUE_WAITING || state == STORE_QUEUE_ROUTED));
    store_query_begin(&query, db, last_of_page[queue][state], STORE_VALUES(bind_int(*cursor), bind_int(limit)));
    int result = store_query_next(&query);
    int64_t last = result == 1 ? store_query_int(&query, 0) : 0;
    int64_t looked = result == 1 ? store_query_int(&query, 1) : 0;
    store_query_end(&query);
    if (result < 0 || looked == 0)
        return result < 0 ? -1 : 0;
    store_query_begin(&query, db, hasten[queue][state], STORE_VALUES(bind_int(at), bind_int(*cursor), bind_int(last)));
    while ((result = store_query_next(&query)) == 1)
        ++*changed;
    store_query_end(&query);
    *cursor = last;
    return result < 0 ? -1 : looked == limit;
}
