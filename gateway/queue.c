/* queue.c - see queue.h */
#include "gateway/queue.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "gateway/parts.h"

enum {
    QUEUE_LATEST_LOOK_MS = 60 * 1000, /* never sleeps longer: a clock that was set must not stop the mail */
    UNREADABLE_MS = 1000,             /* a disk that fails may work again soon; later each time, up to the latest */
    MANY = 16,        /* under way at a time: a look passes by all of them, so several places are filled at once, */
    LOOK_SOON_MS = 5, /* but none stays free for long */
};

static const char *const queue_names[] = { "in", "out", "returned" };

struct queue {
    struct queue_settings settings;
    bool open;
    struct timer *timer;       /* next look */
    struct backoff unreadable; /* when it can't be read */
    int64_t *under_way;        /* ids, unordered */
    unsigned count;
};

static bool is_under_way(const struct queue *queue, int64_t id)
{
    for (unsigned i = 0; i < queue->count; i++)
        if (queue->under_way[i] == id)
            return true;
    return false;
}

struct due {
    const struct queue *queue;
    int64_t *ids;
    unsigned count, listed; /* with those under way */
};

static void collect_due(int64_t id, int64_t next_attempt_at, void *ctx)
{
    struct due *due = ctx;
    (void)next_attempt_at;
    due->listed++;
    if (!is_under_way(due->queue, id))
        due->ids[due->count++] = id;
}

static void look_when_readable(struct queue *queue)
{
    if (!backoff_is_failing(&queue->unreadable))
        log_error("queue.unreadable", "queue=%s", queue_names[queue->settings.which]);
    timer_start(queue->timer, backoff_failed(&queue->unreadable, clock_monotonic_ms(queue->settings.parts->clock)));
}

static void note_readable(struct queue *queue)
{
    if (backoff_worked(&queue->unreadable))
        log_info("queue.readable", "queue=%s", queue_names[queue->settings.which]);
}

/* When to look again: at the next due time, which may be now if more is due than may be under way. */
static void schedule(struct queue *queue, int64_t now)
{
    int64_t at = 0;
    struct store_db *db = store_reader(queue->settings.parts->store);
    int64_t delay = QUEUE_LATEST_LOOK_MS;
    int found = store_queue_next_due(db, queue->settings.which, now, &at);
    if (found < 0) {
        look_when_readable(queue);
        return;
    }
    note_readable(queue);
    if (found == 1 && at > now && at - now < delay)
        delay = at - now;
    timer_start(queue->timer, delay);
}

static void look(void *arg)
{
    struct queue *queue = arg;
    if (!queue->open || queue->count >= queue->settings.concurrency)
        return; /* opening or finishing looks again */
    const struct parts *parts = queue->settings.parts;
    unsigned limit = queue->settings.concurrency + queue->count; /* those under way are listed too */
    int64_t now = clock_wall_ms(parts->clock);
    struct due due = { .queue = queue, .ids = xcalloc(limit, sizeof(int64_t)) };
    bool is_read =
        store_queue_list_due(store_reader(parts->store), queue->settings.which, now, limit, collect_due, &due) >= 0;
    for (unsigned i = 0; i < due.count && queue->count < queue->settings.concurrency; i++) {
        queue->under_way[queue->count++] = due.ids[i];
        queue->settings.start(due.ids[i], queue->settings.ctx);
    }
    free(due.ids);
    if (queue->count >= queue->settings.concurrency) {
        if (is_read)
            note_readable(queue);
        return;
    }
    if (!is_read)
        look_when_readable(queue);
    else if (due.listed == limit) /* some ended at once: more may be due behind them */
        timer_start(queue->timer, 0);
    else
        schedule(queue, now);
}

/* Whoever asks for a look does not know that it can't be read: not before its pause is over. */
static void look_in(struct queue *queue, int64_t ms)
{
    int64_t left = backoff_left(&queue->unreadable, clock_monotonic_ms(queue->settings.parts->clock));
    timer_start(queue->timer, left > ms ? left : ms);
}

struct queue *queue_new(const struct queue_settings *settings)
{
    struct queue *queue = xcalloc(1, sizeof *queue);
    queue->settings = *settings;
    queue->unreadable = (struct backoff){ .first_ms = UNREADABLE_MS, .longest_ms = QUEUE_LATEST_LOOK_MS };
    queue->under_way = xcalloc(settings->concurrency, sizeof *queue->under_way);
    queue->timer = timer_new(settings->parts->loop, look, queue);
    return queue;
}

void queue_free(struct queue **queue_in)
{
    struct queue *queue = *queue_in;
    if (!queue)
        return;
    timer_free(&queue->timer);
    free(queue->under_way);
    free(queue);
    *queue_in = NULL;
}

void queue_open(struct queue *queue, bool open)
{
    queue->open = open;
    if (open)
        queue_poke(queue);
}

bool queue_start(struct queue *queue, int64_t id)
{
    if (!queue->open || queue->count >= queue->settings.concurrency || is_under_way(queue, id))
        return false;
    queue->under_way[queue->count++] = id;
    queue->settings.start(id, queue->settings.ctx);
    return true;
}

void queue_poke(struct queue *queue)
{
    if (queue->open)
        look_in(queue, 0);
}

void queue_finished(struct queue *queue, int64_t id)
{
    for (unsigned i = 0; i < queue->count; i++) {
        if (queue->under_way[i] == id) {
            queue->under_way[i] = queue->under_way[--queue->count];
            bool gather = queue->settings.concurrency >= MANY && queue->count > queue->settings.concurrency / 2;
            if (queue->open)
                look_in(queue, gather ? LOOK_SOON_MS : 0);
            return;
        }
    }
    assert(!"finished an entry that was not under way");
}

bool queue_has_under_way(const struct queue *queue, int64_t id)
{
    return is_under_way(queue, id);
}

unsigned queue_under_way(const struct queue *queue)
{
    return queue->count;
}

void queue_id_format(enum store_queue which, int64_t id, char out[static 24])
{
    snprintf(out, 24, "%s%" PRId64, which == STORE_QUEUE_IN ? "in" : "out", id);
}

int queue_id_parse(const char *text, enum store_queue *which_out, int64_t *id_out)
{
    const char *digits;
    if (strncmp(text, "in", 2) == 0) {
        *which_out = STORE_QUEUE_IN;
        digits = text + 2;
    } else if (strncmp(text, "out", 3) == 0) {
        *which_out = STORE_QUEUE_OUT;
        digits = text + 3;
    } else {
        return -1;
    }
    size_t len = strlen(digits);
    if (len == 0 || len > 18 || strspn(digits, "0123456789") != len)
        return -1;
    *id_out = strtoll(digits, NULL, 10);
    return 1;
}
