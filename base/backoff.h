/* backoff.h - how long to wait before what has failed is tried again: twice as long each time, up to a longest pause
 *
 * For what may fail for hours, and all of a room's work at once: a disk, the database. One for the whole room, however much of it fails: what
 * fails before the pause is over, beside others, is no further failure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct backoff {
    int64_t first_ms, longest_ms;
    int64_t pause_ms; /* since the last failure; 0: none since the last success */
    int64_t until;    /* monotonic: when that is over */
};

/* It has failed. How long to wait from now, the monotonic time. */
int64_t backoff_failed(struct backoff *backoff, int64_t now);
/* It has worked: the next pause is the first again. True: it had failed before. */
bool backoff_worked(struct backoff *backoff);
/* It has failed since it worked last. */
bool backoff_is_failing(const struct backoff *backoff);
/* How much is left of the pause; 0: it is time to try. */
int64_t backoff_left(const struct backoff *backoff, int64_t now);
