/* store_queue.c - what both queues have in common; see store_queue.h
 *
 * The tables inbound and outbound have these columns alike: id, state, content_id, next_attempt_at. Statements are
 * literals, one for each table; the macros write the pairs.
 */
#include <assert.h>
#include <string.h>

#include "mapping/store_content.h"
#include "mapping/store_internal.h"

enum {
    STATE_COUNT = STORE_QUEUE_PENDING + 1,
    QUEUE_COUNT = STORE_QUEUE_OUT + 1,
    SCHEDULE_COUNT = STORE_QUEUE_RETURNED + 1
};

static const char *const state_names[STATE_COUNT] = { "waiting", "routed", "held", "settled", "dropped", "pending" };
static const char *const queue_names[QUEUE_COUNT] = { "in", "out" };

/* In the words of the partial indexes (store_schema.c). */
#define SCHEDULED "(state = 'waiting' OR state = 'routed')"
#define UNSETTLED "(state = 'waiting' OR state = 'routed' OR state = 'held' OR state = 'dropped' OR state = 'pending')"

#define FOR_BOTH(before, after)                                                                                        \
    {                                                                                                                  \
        before "inbound" after, before "outbound" after                                                                \
    }
/* By their due times, said so: the planner takes the index of states, which is as good as any to it when it knows nothing of what
 * the table holds, and walks through all that waits. What came back is not for the silo: it is a schedule of its own. */
#define FOR_SCHEDULES(before, between, after)                                                                          \
    {                                                                                                                  \
        before "inbound INDEXED BY inbound_due" between " WHERE kind <> 'returned' AND" after,                         \
            before "outbound INDEXED BY outbound_due" between " WHERE" after,                                          \
            before "inbound INDEXED BY inbound_returned_due" between " WHERE kind = 'returned' AND" after              \
    }
#define LATE " AND next_attempt_at > ? ORDER BY next_attempt_at LIMIT ?)"
#define FOR_EACH_STATE(before, after)                                                                                  \
    {                                                                                                                  \
        before "'waiting'" after, before "'routed'" after, before "'held'" after, before "'settled'" after,            \
            before "'dropped'" after, before "'pending'" after                                                         \
    }

const char *store_queue_state_name(enum store_queue_state state)
{
    return state_names[state];
}

bool store_queue_state_parse(const char *text, enum store_queue_state *state_out)
{
    for (int i = 0; i < STATE_COUNT; i++) {
        if (strcmp(text, state_names[i]) == 0) {
            *state_out = (enum store_queue_state)i;
            return true;
        }
    }
    return false;
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_queue_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1)
        each(store_query_int(&query, 0), store_query_int(&query, 1), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_queue_list_due(struct store_db *db, enum store_queue queue, int64_t now, unsigned limit,
                         store_queue_each *each, void *ctx)
{
    static const char *const sql[SCHEDULE_COUNT] =
        FOR_SCHEDULES("SELECT id, next_attempt_at FROM ", "",
                      " " SCHEDULED " AND next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?");
    return list(db, sql[queue], STORE_VALUES(bind_int(now), bind_int(limit)), each, ctx);
}

int store_queue_next_due(struct store_db *db, enum store_queue queue, int64_t now, int64_t *at_out)
{
    static const char *const sql[SCHEDULE_COUNT] = FOR_SCHEDULES(
        "SELECT next_attempt_at FROM ", "", " " SCHEDULED " AND next_attempt_at > ? ORDER BY next_attempt_at LIMIT 1");
    return store_fetch_int(db, sql[queue], STORE_VALUES(bind_int(now)), at_out);
}

int store_queue_count_due(struct store_db *db, enum store_queue queue, int64_t now, unsigned most, int64_t *count_out)
{
    static const char *const sql[SCHEDULE_COUNT] =
        FOR_SCHEDULES("SELECT count(*) FROM (SELECT 1 FROM ", "", " " SCHEDULED " AND next_attempt_at <= ? LIMIT ?)");
    return store_fetch_int(db, sql[queue], STORE_VALUES(bind_int(now), bind_int(most)), count_out);
}

/* The state is in the text, not a value: a partial index serves only what is known to be in it. */
int store_queue_list(struct store_db *db, enum store_queue queue, enum store_queue_state state, unsigned limit,
                     store_queue_each *each, void *ctx)
{
    static const char *const sql[QUEUE_COUNT][STATE_COUNT] = {
        FOR_EACH_STATE("SELECT id, next_attempt_at FROM inbound WHERE state = ", " ORDER BY id LIMIT ?"),
        FOR_EACH_STATE("SELECT id, next_attempt_at FROM outbound WHERE state = ", " ORDER BY id LIMIT ?"),
    };
    return list(db, sql[queue][state], STORE_VALUES(bind_int(limit)), each, ctx);
}

int store_queue_list_about(struct store_db *db, enum store_queue queue, int64_t id, store_queue_each *each, void *ctx)
{
    static const char *const sql[QUEUE_COUNT] = {
        "SELECT id, next_attempt_at FROM outbound WHERE about_inbound_id = ? ORDER BY id",
        "SELECT id, next_attempt_at FROM inbound WHERE about_outbound_id = ? ORDER BY id",
    };
    return list(db, sql[queue], STORE_VALUES(bind_int(id)), each, ctx);
}

int store_queue_count(struct store_db *db, enum store_queue queue, enum store_queue_state state, int64_t *count_out)
{
    static const char *const sql[QUEUE_COUNT][STATE_COUNT] = {
        FOR_EACH_STATE("SELECT count(*) FROM inbound WHERE state = ", ""),
        FOR_EACH_STATE("SELECT count(*) FROM outbound WHERE state = ", ""),
    };
    if (state == STORE_QUEUE_SETTLED) /* the many: not counted but kept count of */
        return store_fetch_int(db, "SELECT count FROM settled WHERE queue = ?",
                               STORE_VALUES(bind_text(queue_names[queue])), count_out);
    return store_fetch_int(db, sql[queue][state], NULL, count_out);
}

int store_queue_set_due(struct store_db *db, enum store_queue queue, int64_t id, int64_t at)
{
    static const char *const all[QUEUE_COUNT] = FOR_BOTH("UPDATE ", " SET next_attempt_at = ? WHERE " SCHEDULED);
    static const char *const one[QUEUE_COUNT] =
        FOR_BOTH("UPDATE ", " SET next_attempt_at = ? WHERE state IN ('waiting', 'routed', 'held') AND id = ?");
    if (id != 0)
        return store_execute(db, one[queue], STORE_VALUES(bind_int(at), bind_int(id)));
    return store_execute(db, all[queue], STORE_VALUES(bind_int(at))) < 0 ? -1 : 1;
}

int store_queue_bring_forward(struct store_db *db, enum store_queue queue, int64_t latest, int64_t at, unsigned limit)
{
    static const char *const sql[SCHEDULE_COUNT] = {
        "UPDATE inbound SET next_attempt_at = ? WHERE id IN (SELECT id FROM inbound INDEXED BY inbound_due"
        " WHERE kind <> 'returned' AND " SCHEDULED LATE,
        "UPDATE outbound SET next_attempt_at = ? WHERE id IN (SELECT id FROM outbound INDEXED BY outbound_due"
        " WHERE " SCHEDULED LATE,
        "UPDATE inbound SET next_attempt_at = ? WHERE id IN (SELECT id FROM inbound INDEXED BY inbound_returned_due"
        " WHERE kind = 'returned' AND " SCHEDULED LATE,
    };
    return store_execute(db, sql[queue], STORE_VALUES(bind_int(at), bind_int(latest), bind_int(limit))) < 0 ? -1 : 1;
}

int store_queue_postpone(struct store_db *db, enum store_queue queue, int64_t id, int64_t at, const char *error)
{
    static const char *const sql[QUEUE_COUNT] = FOR_BOTH(
        "UPDATE ", " SET next_attempt_at = ?, last_error = ? WHERE state IN ('waiting', 'routed', 'held') AND id = ?");
    return store_execute(db, sql[queue], STORE_VALUES(bind_int(at), bind_text(error ? error : ""), bind_int(id)));
}

int store_queue_finish(struct store_db *db, enum store_queue queue, int64_t id, enum store_queue_state state)
{
    static const char *const content_of[QUEUE_COUNT] =
        FOR_BOTH("SELECT content_id FROM ", " WHERE id = ? AND state IN ('waiting', 'routed', 'held', 'pending')");
    static const char *const finish[QUEUE_COUNT] =
        FOR_BOTH("UPDATE ", " SET state = ?, content_id = NULL WHERE id = ?");
    int64_t content_id;
    assert(state == STORE_QUEUE_SETTLED || state == STORE_QUEUE_DROPPED);
    int found = store_fetch_int(db, content_of[queue], STORE_VALUES(bind_int(id)), &content_id);
    if (found != 1)
        return found;
    if (store_execute(db, finish[queue], STORE_VALUES(bind_text(state_names[state]), bind_int(id))) != 1 ||
        (content_id && store_content_erase(db, content_id) < 0))
        return -1;
    if (state == STORE_QUEUE_DROPPED)
        return 1;
    return store_execute(db, "UPDATE settled SET count = count + 1 WHERE queue = ?",
                         STORE_VALUES(bind_text(queue_names[queue]))) == 1
               ? 1
               : -1;
}
