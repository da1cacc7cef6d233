/* history.c - see history.h */
#include "gateway/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/parts.h"
#include "mapping/store.h"

enum { WRITE_MS = 60 * 1000, WITHIN_MAX = 1024 };
static const int64_t hour_ms = INT64_C(3600) * 1000;

/* What went through in some time. */
struct sum {
    int64_t counts[STORE_HISTORY_COUNT];
    int64_t queue_in, queue_out;
    struct histogram posted_ms, delivered_ms;
};

struct history {
    const struct parts *parts;
    history_read *read;
    void *ctx;
    int64_t slot;                  /* when the present ten minutes began; 0: not yet */
    struct sum found;              /* of them, what was in the database when they began for us: from before a restart */
    struct history_figures before; /* when they began */
    struct sum written;            /* the last time */
    int64_t write_at;              /* monotonic: not before */
};

static void sum_init(struct sum *sum, const struct measures *measures)
{
    *sum = (struct sum){ .queue_in = 0 };
    histogram_init(&sum->posted_ms, measures->posted_ms.bounds, measures->posted_ms.bound_count);
    histogram_init(&sum->delivered_ms, measures->delivered_ms.bounds, measures->delivered_ms.bound_count);
}

static void sum_add(struct sum *sum, const struct sum *more)
{
    for (int i = 0; i < STORE_HISTORY_COUNT; i++)
        sum->counts[i] += more->counts[i];
    sum->queue_in = more->queue_in;
    sum->queue_out = more->queue_out;
    histogram_add(&sum->posted_ms, &more->posted_ms);
    histogram_add(&sum->delivered_ms, &more->delivered_ms);
}

/* The database's form of a histogram. */
static char *write_within(const struct histogram *histogram)
{
    struct strbuf text;
    strbuf_init(&text, WITHIN_MAX);
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        if (histogram->buckets[i] == 0)
            continue;
        strbuf_add_str(&text, text.len ? " " : "");
        if (i < histogram->bound_count)
            strbuf_add_fmt(&text, "%" PRId64, histogram->bounds[i]);
        else
            strbuf_add_str(&text, "over");
        strbuf_add_fmt(&text, ":%" PRIu64, histogram->buckets[i]);
    }
    return strbuf_detach(&text);
}

/* Written with other bounds, perhaps, by another version; what is no such text adds nothing. */
static void read_within(struct histogram *histogram, const char *text)
{
    static const char over[] = "over";
    while (*text) {
        char *end;
        bool is_over = strncmp(text, over, strlen(over)) == 0;
        int64_t bound = is_over ? INT64_MAX : strtoll(text, &end, 10);
        text = is_over ? text + strlen(over) : end;
        if (*text != ':')
            return;
        uint64_t count = strtoull(text + 1, &end, 10);
        if (end == text + 1 || (*end && *end != ' '))
            return;
        histogram_add_bucket(histogram, bound, count);
        text = end + strspn(end, " ");
    }
}

static void sum_of_row(const struct history *history, const struct store_history *row, struct sum *out)
{
    sum_init(out, history->parts->measures);
    memcpy(out->counts, row->counts, sizeof out->counts);
    out->queue_in = row->queue_in;
    out->queue_out = row->queue_out;
    read_within(&out->posted_ms, row->posted_within);
    read_within(&out->delivered_ms, row->delivered_within);
}

/* The present ten minutes so far. */
static void sum_of_present(struct history *history, struct sum *out)
{
    struct history_figures now;
    struct sum since;
    history->read(&now, history->ctx);
    sum_init(&since, history->parts->measures);
    for (int i = 0; i < STORE_HISTORY_COUNT; i++)
        since.counts[i] = now.counts[i] - history->before.counts[i];
    since.queue_in = now.queue_in;
    since.queue_out = now.queue_out;
    histogram_since(&now.posted_ms, &history->before.posted_ms, &since.posted_ms);
    histogram_since(&now.delivered_ms, &history->before.delivered_ms, &since.delivered_ms);
    *out = history->found;
    sum_add(out, &since);
}

struct writing {
    int64_t slot, expire_before;
    struct sum sum;
};

static int write_row(struct store_db *db, void *arg)
{
    const struct writing *writing = arg;
    char *posted = write_within(&writing->sum.posted_ms), *delivered = write_within(&writing->sum.delivered_ms);
    struct store_history row = { .at = writing->slot,
                                 .queue_in = writing->sum.queue_in,
                                 .queue_out = writing->sum.queue_out,
                                 .posted_within = posted,
                                 .delivered_within = delivered };
    memcpy(row.counts, writing->sum.counts, sizeof row.counts);
    int result = store_history_set(db, &row);
    if (result == 1)
        result = store_history_expire(db, writing->expire_before);
    free(posted);
    free(delivered);
    return result;
}

/* What could not be written is written a minute later (history_look()), or is lost: there are worse things then. */
static void row_written(int result, void *arg)
{
    (void)result;
    free(arg);
}

static bool is_as_written(const struct history *history, const struct sum *sum)
{
    const struct sum *written = &history->written;
    return memcmp(sum->counts, written->counts, sizeof sum->counts) == 0 && sum->queue_in == written->queue_in &&
           sum->queue_out == written->queue_out && sum->posted_ms.count == written->posted_ms.count &&
           sum->delivered_ms.count == written->delivered_ms.count;
}

static void write_present(struct history *history)
{
    struct writing *writing = xcalloc(1, sizeof *writing);
    writing->slot = history->slot;
    writing->expire_before = history->slot - HISTORY_KEPT_HOURS * hour_ms;
    sum_of_present(history, &writing->sum);
    history->written = writing->sum;
    history->write_at = clock_monotonic_ms(history->parts->clock) + WRITE_MS;
    store_submit_patient(history->parts->store, write_row, row_written, writing);
}

struct finding {
    const struct history *history;
    struct sum *out;
};

static void take_row(const struct store_history *row, void *ctx)
{
    struct finding *finding = ctx;
    sum_of_row(finding->history, row, finding->out);
}

/* After a restart there may be a row of the present ten minutes. */
static void begin_slot(struct history *history, int64_t slot)
{
    struct finding finding = { history, &history->found };
    sum_init(&history->found, history->parts->measures);
    if (store_history_list(store_reader(history->parts->store), slot, slot + 1, take_row, &finding) < 0)
        sum_init(&history->found, history->parts->measures);
    history->slot = slot;
    history->read(&history->before, history->ctx);
    history->write_at = 0; /* that it was there, even if nothing happens */
}

static int64_t slot_of(int64_t wall_ms, int64_t step_ms)
{
    return wall_ms - wall_ms % step_ms;
}

struct history *history_new(const struct parts *parts, history_read *read, void *ctx)
{
    struct history *history = xcalloc(1, sizeof *history);
    *history = (struct history){ .parts = parts, .read = read, .ctx = ctx };
    return history;
}

void history_free(struct history **history)
{
    free(*history);
    *history = NULL;
}

/* Whether a database that could not be written can be written again is found out by writing: where no mail comes, since we have
 * said that we are not ready, nobody else would. */
static bool must_try(const struct history *history)
{
    struct store_statistics statistics;
    store_get_statistics(history->parts->store, &statistics);
    return statistics.has_failed;
}

void history_look(struct history *history)
{
    int64_t slot = slot_of(clock_wall_ms(history->parts->clock), STORE_HISTORY_SLOT_MS);
    if (history->slot == 0 || slot != history->slot) {
        if (history->slot != 0)
            write_present(history);
        begin_slot(history, slot);
    }
    struct sum sum;
    sum_of_present(history, &sum);
    bool is_due = clock_monotonic_ms(history->parts->clock) >= history->write_at;
    if (history->write_at == 0 || (is_due && (!is_as_written(history, &sum) || must_try(history))))
        write_present(history);
}

void history_flush(struct history *history)
{
    if (history && history->slot != 0)
        write_present(history);
}

/* Looking back. */

struct looking_back {
    struct history *history;
    int64_t step_ms, at; /* of the step that is being summed up */
    bool was_there;
    struct sum sum;
    history_each *each;
    void *ctx;
};

static void end_step(struct looking_back *back)
{
    struct history_step step = { .at = back->at,
                                 .was_there = back->was_there,
                                 .queue_in = back->sum.queue_in,
                                 .queue_out = back->sum.queue_out,
                                 .posted_median_ms = histogram_quantile(&back->sum.posted_ms, 500),
                                 .posted_p95_ms = histogram_quantile(&back->sum.posted_ms, 950),
                                 .delivered_median_ms = histogram_quantile(&back->sum.delivered_ms, 500),
                                 .delivered_p95_ms = histogram_quantile(&back->sum.delivered_ms, 950) };
    memcpy(step.counts, back->sum.counts, sizeof step.counts);
    back->each(&step, back->ctx);
    back->at += back->step_ms;
    back->was_there = false;
    sum_init(&back->sum, back->history->parts->measures);
}

static void take_sum(struct looking_back *back, int64_t at, const struct sum *sum)
{
    while (at >= back->at + back->step_ms)
        end_step(back);
    back->was_there = true;
    sum_add(&back->sum, sum);
}

static void take_past(const struct store_history *row, void *ctx)
{
    struct looking_back *back = ctx;
    struct sum sum;
    sum_of_row(back->history, row, &sum);
    take_sum(back, row->at, &sum);
}

int history_list(struct history *history, unsigned hours, int64_t step_ms, history_each *each, void *ctx)
{
    history_look(history); /* the present ten minutes are those of now */
    int64_t last = slot_of(history->slot, step_ms);
    struct looking_back back = {
        .history = history, .step_ms = step_ms, .at = last + step_ms - hours * hour_ms, .each = each, .ctx = ctx
    };
    if (back.at > last) /* a step may be longer than the time asked for */
        back.at = last;
    back.at = slot_of(back.at, step_ms);
    sum_init(&back.sum, history->parts->measures);
    if (store_history_list(store_reader(history->parts->store), back.at, history->slot, take_past, &back) < 0)
        return -1;
    struct sum present;
    sum_of_present(history, &present);
    take_sum(&back, history->slot, &present);
    end_step(&back);
    return 1;
}
