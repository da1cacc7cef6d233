/* poster_overdue.c - see poster_overdue.h */
#include "gateway/poster_overdue.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/poster_return.h"
#include "gateway/report.h"
#include "gateway/trouble.h"
#include "mapping/store_overdue.h"

enum {
    LOOK_MS = 60 * 1000,
    LOOK_LEAST_MS = 1000,
    BATCH = 100,         /* entries that are looked at in a turn, of each kind */
    UNSTEADY_LOOKS = 10, /* a link that comes and goes puts off at most as many */
};

struct poster_overdue {
    const struct parts *parts;
    struct timer *timer;
    bool is_online;
    int64_t changed_at; /* the link; monotonic */
    unsigned put_off;   /* looks in a row */
    int64_t after_id;   /* of those that wait: up to this one all were looked at */
    unsigned under_way; /* operations */
    bool has_more, has_failed;
    bool is_unreadable, is_unnoted; /* the last time; and the log says so */
};

/* One entry's operation. */
struct op {
    struct poster_overdue *overdue;
    bool is_delay;
    bool is_online;
    int64_t give_up_ms;
    struct poster_return end; /* of a delay: id, now and reported only */
};

static int64_t period_ms(const struct poster_overdue *overdue)
{
    const struct config *config = overdue->parts->config;
    int64_t period = LOOK_MS;
    if (period > config->retry.warn_after_ms)
        period = config->retry.warn_after_ms;
    if (period > config->retry.give_up_ms)
        period = config->retry.give_up_ms;
    return period > LOOK_LEAST_MS ? period : LOOK_LEAST_MS;
}

static enum trouble blame(const struct op *op, const struct store_inbound *row)
{
    if (row->state == STORE_QUEUE_HELD)
        return TROUBLE_HELD;
    if (!op->is_online)
        return TROUBLE_SILO_AWAY;
    return row->attempts > 0 ? TROUBLE_REFUSED : TROUBLE_OURS;
}

static int commit_delay(struct store_db *db, struct op *op)
{
    struct store_inbound row;
    op->end.reported = false;
    int awaited = store_overdue_take_delay(db, op->end.id);
    if (awaited != 1)
        return awaited < 0 ? -1 : 1;
    if (store_inbound_find(db, op->end.id, &row) != 1)
        return -1;
    int64_t until = row.state == STORE_QUEUE_HELD ? 0 : row.received_at + op->give_up_ms;
    bool has_ended = row.state == STORE_QUEUE_SETTLED || row.state == STORE_QUEUE_DROPPED;
    int result = has_ended ? 1
                           : report_add_of_delay(db, op->overdue->parts->reporter, &row, blame(op, &row), until,
                                                 op->end.now, &op->end.reported);
    store_inbound_free(&row);
    return result;
}

static int commit(struct store_db *db, void *arg)
{
    struct op *op = arg;
    return op->is_delay ? commit_delay(db, op) : poster_return(db, op->overdue->parts->reporter, &op->end);
}

static void plan_look(struct poster_overdue *overdue)
{
    bool goes_on = overdue->has_more && !overdue->has_failed; /* a database in trouble is not hammered */
    timer_start(overdue->timer, goes_on ? 0 : period_ms(overdue));
}

static void committed(int result, void *arg)
{
    static const char *const events[] = { [POSTER_RETURNED] = "post.returned", [POSTER_HELD] = "post.held" };
    struct op *op = arg;
    struct poster_overdue *overdue = op->overdue;
    if (result != 1) {
        if (!overdue->is_unnoted)
            log_error("post.not_noted", "message=in%" PRId64, op->end.id);
    } else if (op->is_delay && op->end.reported) {
        log_info("post.delay_reported", "message=in%" PRId64, op->end.id);
    } else if (!op->is_delay && op->end.done <= POSTER_HELD) {
        log_warning(events[op->end.done], "message=in%" PRId64 " reason=%s", op->end.id, op->end.why);
    }
    if (result == 1 && op->end.reported)
        reporter_poke(overdue->parts->reporter);
    overdue->has_failed = overdue->has_failed || result != 1;
    overdue->is_unnoted = result != 1;
    free(op);
    if (--overdue->under_way == 0)
        plan_look(overdue);
}

static void submit(struct poster_overdue *overdue, int64_t id, bool is_delay, int64_t now)
{
    struct op *op = xcalloc(1, sizeof *op);
    *op = (struct op){
        .overdue = overdue,
        .is_delay = is_delay,
        .is_online = overdue->is_online,
        .give_up_ms = overdue->parts->config->retry.give_up_ms,
        .end = { .id = id,
                 .now = now,
                 .trouble = TROUBLE_SILO_AWAY,
                 .why = trouble_words(TROUBLE_SILO_AWAY)->story,
                 .is_silo_away = true },
    };
    overdue->under_way++;
    store_submit(overdue->parts->store, commit, committed, op);
}

struct found {
    int64_t ids[BATCH];
    unsigned count; /* that something is to be done about */
    unsigned listed;
    bool any_old;
    int64_t received_by, last_id;
};

static void collect(int64_t id, int64_t received_at, bool is_tellable, void *ctx)
{
    struct found *found = ctx;
    found->listed++;
    found->last_id = id;
    found->any_old = found->any_old || received_at <= found->received_by;
    if (received_at <= found->received_by && is_tellable)
        found->ids[found->count++] = id;
}

/* These two return false when the queue can't be read. */
static bool look_for_delays(struct poster_overdue *overdue, int64_t now)
{
    struct found found = { .received_by = now - overdue->parts->config->retry.warn_after_ms };
    struct store_db *db = store_reader(overdue->parts->store);
    bool is_read = store_overdue_list_delayed(db, found.received_by, BATCH, collect, &found) >= 0;
    for (unsigned i = 0; i < found.count; i++)
        submit(overdue, found.ids[i], true, now);
    overdue->has_more = overdue->has_more || found.listed == BATCH;
    return is_read;
}

/* Those that came first have the lowest ids; where nobody is old enough the list ends, until the next look. */
static bool look_for_expired(struct poster_overdue *overdue, int64_t now)
{
    struct found found = { .received_by = now - overdue->parts->config->retry.give_up_ms };
    struct store_db *db = store_reader(overdue->parts->store);
    bool is_read = store_overdue_list_waiting(db, overdue->after_id, BATCH, collect, &found) >= 0;
    for (unsigned i = 0; i < found.count; i++)
        submit(overdue, found.ids[i], false, now);
    bool goes_on = found.listed == BATCH && found.any_old;
    overdue->after_id = goes_on ? found.last_id : 0;
    overdue->has_more = overdue->has_more || goes_on;
    return is_read;
}

static void note_reading(struct poster_overdue *overdue, bool is_read)
{
    if (!is_read && !overdue->is_unreadable)
        log_error("queue.unreadable", "queue=in");
    if (is_read && overdue->is_unreadable)
        log_info("queue.readable", "queue=in");
    overdue->is_unreadable = !is_read;
}

static bool is_steady(struct poster_overdue *overdue)
{
    int64_t steady_ms = clock_monotonic_ms(overdue->parts->clock) - overdue->changed_at;
    if (steady_ms < period_ms(overdue) && ++overdue->put_off < UNSTEADY_LOOKS)
        return false;
    overdue->put_off = 0;
    return true;
}

static void look(void *arg)
{
    struct poster_overdue *overdue = arg;
    if (overdue->under_way > 0)
        return; /* the last of them looks again */
    overdue->has_more = overdue->has_failed = false;
    if (is_steady(overdue)) {
        int64_t now = clock_wall_ms(overdue->parts->clock);
        bool is_read = look_for_delays(overdue, now);
        if (!overdue->is_online)
            is_read = look_for_expired(overdue, now) && is_read;
        note_reading(overdue, is_read);
    }
    if (overdue->under_way == 0)
        plan_look(overdue);
}

struct poster_overdue *poster_overdue_new(const struct parts *parts)
{
    struct poster_overdue *overdue = xcalloc(1, sizeof *overdue);
    overdue->parts = parts;
    overdue->changed_at = clock_monotonic_ms(parts->clock);
    overdue->timer = timer_new(parts->loop, look, overdue);
    timer_start(overdue->timer, period_ms(overdue));
    return overdue;
}

void poster_overdue_free(struct poster_overdue **overdue)
{
    if (!*overdue)
        return;
    timer_free(&(*overdue)->timer);
    free(*overdue);
    *overdue = NULL;
}

void poster_overdue_set_online(struct poster_overdue *overdue, bool online)
{
    if (overdue->is_online == online)
        return;
    overdue->is_online = online;
    overdue->changed_at = clock_monotonic_ms(overdue->parts->clock);
}
