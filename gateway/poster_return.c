/* poster_return.c - see poster_return.h */
#include "gateway/poster_return.h"

#include "base/strbuf.h"
#include "gateway/report.h"
#include "mapping/store_named.h"
#include "mapping/store_overdue.h"
#include "mapping/store_trace.h"

static int settle(struct store_db *db, struct poster_return *end)
{
    end->done = POSTER_RETURNED;
    if (store_overdue_skip_all(db, end->id) < 0 || store_excerpt_take_back(db, end->id) < 0 ||
        store_inbound_finish(db, end->id, STORE_QUEUE_SETTLED) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, end->id, end->now, "returned", "given up: %s", end->why);
}

static int hold(struct store_db *db, struct poster_return *end, const struct store_inbound *row)
{
    struct strbuf why;
    end->done = POSTER_HELD;
    strbuf_init(&why, 1500);
    strbuf_add_fmt(&why, "%.1000s", end->why);
    if (row->kind == STORE_INBOUND_MAIL)
        strbuf_add_fmt(&why, "; its sender is not told: %s", end->held_for);
    int result = store_inbound_set_state(db, end->id, STORE_QUEUE_HELD, why.data);
    if (result == 1)
        result = store_trace_add(db, STORE_QUEUE_IN, end->id, end->now, "held", "given up: %s", why.data);
    strbuf_free(&why);
    return result == 1 ? 1 : -1;
}

static int end_row(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                   struct poster_return *end)
{
    bool is_scheduled = row->state == STORE_QUEUE_WAITING || row->state == STORE_QUEUE_ROUTED;
    bool may_be_posted = row->state == STORE_QUEUE_ROUTED && end->is_silo_away;
    end->done = is_scheduled ? POSTER_NOT_YET : POSTER_ENDED;
    if (!is_scheduled || may_be_posted)
        return 1;
    enum report_result told =
        report_add_of_return(db, reporter, row, end->trouble, end->words, end->now, &end->reported, &end->held_for);
    if (told == REPORT_TOLD)
        return settle(db, end) == 1 ? 1 : -1;
    if (told == REPORT_UNTOLD && !end->is_silo_away)
        return hold(db, end, row);
    return told == REPORT_ERROR ? -1 : 1;
}

int poster_return(struct store_db *db, const struct reporter *reporter, struct poster_return *end)
{
    struct store_inbound row;
    end->done = POSTER_ENDED;
    end->reported = false;
    end->held_for = "";
    int found = store_inbound_find(db, end->id, &row);
    if (found != 1)
        return found < 0 ? -1 : 1;
    int result = end_row(db, reporter, &row, end);
    store_inbound_free(&row);
    return result;
}
