/* store_trace.c - see store_trace.h */
#include "mapping/store_trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mapping/store_internal.h"

enum { DETAIL_MAX = 2000, NUMBER_BITS = 20, QUEUE_BITS = 1 };

/* The rows of an entry lie side by side and need no index: their ids are made of the entry's, its queue and the event's
 * number (in the schema, queue and queue_id are made of the id again). Written that way a trace costs an accepted mail half
 * of what it cost with an index. */
static int64_t first_id(enum store_queue queue, int64_t queue_id)
{
    return (queue_id << QUEUE_BITS | (queue == STORE_QUEUE_OUT)) << NUMBER_BITS;
}

static int64_t last_id(enum store_queue queue, int64_t queue_id)
{
    return first_id(queue, queue_id) + (1 << NUMBER_BITS) - 1;
}

/* Ends text before the character that did not fit as a whole. */
static void cut_whole_characters(char *text)
{
    size_t len = strlen(text), start = len;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0xc0)
        text[start - 1] = '\0';
}

int store_trace_add(struct store_db *db, enum store_queue queue, int64_t queue_id, int64_t now, const char *event,
                    const char *fmt, ...)
{
    char detail[DETAIL_MAX + 1];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    if (len > DETAIL_MAX)
        cut_whole_characters(detail);
    /* An entry with 2^20 events, which would be twelve days of one every second, gets no more. */
    return store_execute(
               db,
               "INSERT INTO trace (id, at, event, detail) VALUES"
               " (1 + (SELECT coalesce(max(id), ?1 - 1) FROM trace WHERE id BETWEEN ?1 AND ?2 - 1), ?3, ?4, ?5)"
               " ON CONFLICT DO NOTHING",
               STORE_VALUES(bind_int(first_id(queue, queue_id)), bind_int(last_id(queue, queue_id)), bind_int(now),
                            bind_text(event), bind_text(len < 0 ? "" : detail))) < 0
               ? -1
               : 1;
}

/* The rows from one id to another. */
static int list_range(struct store_db *db, int64_t from, int64_t until, store_trace_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, "SELECT at, event, detail FROM trace WHERE id BETWEEN ? AND ? ORDER BY id",
                      STORE_VALUES(bind_int(from), bind_int(until)));
    while ((result = store_query_next(&query)) == 1)
        each(store_query_int(&query, 0), store_query_text(&query, 1), store_query_text(&query, 2), ctx);
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_trace_list(struct store_db *db, enum store_queue queue, int64_t queue_id, store_trace_each *each, void *ctx)
{
    return list_range(db, first_id(queue, queue_id), last_id(queue, queue_id), each, ctx);
}

/* They are numbered without gaps. */
int store_trace_count(struct store_db *db, enum store_queue queue, int64_t queue_id, int64_t *count_out)
{
    int64_t first = first_id(queue, queue_id);
    return store_fetch_int(db, "SELECT coalesce(max(id), ?1 - 1) - ?1 + 1 FROM trace WHERE id BETWEEN ?1 AND ?2",
                           STORE_VALUES(bind_int(first), bind_int(last_id(queue, queue_id))), count_out);
}

int store_trace_list_ends(struct store_db *db, enum store_queue queue, int64_t queue_id, unsigned first, unsigned last,
                          store_trace_each *each, void *ctx)
{
    int64_t count, begin = first_id(queue, queue_id);
    if (store_trace_count(db, queue, queue_id, &count) != 1)
        return -1;
    if (count <= (int64_t)first + last)
        return store_trace_list(db, queue, queue_id, each, ctx);
    return list_range(db, begin, begin + first - 1, each, ctx) == 1
               ? list_range(db, begin + count - last, begin + count - 1, each, ctx)
               : -1;
}
