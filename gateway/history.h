/* history.h - what went through in the last days, in steps of ten minutes
 *
 * Kept in the database, a row for each ten minutes, so that charts survive a restart: written when the ten minutes are over,
 * at a stop, and once a minute when something has changed or the database could not be written. A crash loses a minute of figures.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "gateway/measures.h"
#include "mapping/store_history.h"

enum { HISTORY_KEPT_HOURS = 7 * 24 };

struct history;
struct parts;

/* Everything since the start, as far as the history is about it; what waits in the queues, now. */
struct history_figures {
    int64_t counts[STORE_HISTORY_COUNT];
    int64_t queue_in, queue_out;
    struct histogram posted_ms, delivered_ms;
};
typedef void history_read(struct history_figures *out, void *ctx);

/* read is called from history_look() and the functions below it, never later. */
struct history *history_new(const struct parts *parts, history_read *read, void *ctx);
void history_free(struct history **history);
/* Often enough, every few seconds: notes what there is, and begins the next ten minutes when it is time. */
void history_look(struct history *history);
/* Before the store is closed: what was not written yet. */
void history_flush(struct history *history);

/* Some time of the past. */
struct history_step {
    int64_t at;     /* when it began, wall clock */
    bool was_there; /* the daemon ran, at least for some of it; else all is 0 */
    int64_t counts[STORE_HISTORY_COUNT];
    int64_t queue_in, queue_out;             /* at its end; of one that was not there 0 */
    int64_t posted_median_ms, posted_p95_ms; /* -1: nothing was posted; likewise */
    int64_t delivered_median_ms, delivered_p95_ms;
};
typedef void history_each(const struct history_step *step, void *ctx);
/* Steps of step_ms (a multiple of STORE_HISTORY_SLOT_MS; beginning at multiples of it since 1970), the oldest first, without
 * a gap: the last one is the present one, and they reach back over `hours` (1 to HISTORY_KEPT_HOURS). 1 or -1. */
int history_list(struct history *history, unsigned hours, int64_t step_ms, history_each *each, void *ctx)
    __attribute__((warn_unused_result));
