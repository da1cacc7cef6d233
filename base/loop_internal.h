/* loop_internal.h - what the files of the event loop share with each other and with stream*.c
 *
 * Private to base/: it shows libevent. Everything here runs on the loop's thread.
 */
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

/* Timers that are armed, as a binary heap: the next one due is slots[0]. Equal times go by order of arming. */
struct timer_heap {
    struct timer **slots;
    size_t count;
    size_t capacity;
    uint64_t sequence; /* counts timer_start() calls */
};

struct loop_deferred {
    void (*fn)(void *arg);
    void *arg;
};

/* Deferred calls in order of submission. */
struct loop_queue {
    struct loop_deferred *calls;
    size_t count;
    size_t capacity;
};

/* Something that lives on without an owner (a connection sending its last bytes). Whoever embeds one links it in while
 * that is so; loop_free() calls end(), which must unlink it and release what it holds. */
struct loop_orphan {
    struct loop_orphan *next;
    struct loop_orphan **link; /* where the pointer to this one is kept; NULL when not linked in */
    void (*end)(struct loop_orphan *orphan);
};

struct loop {
    struct event_base *base;
    struct clock *clock;
    struct event *wake_up; /* ends the wait for I/O when the next timer is due */
    struct timer_heap timers;
    struct loop_queue queue;    /* filled by loop_defer() */
    struct loop_queue draining; /* the calls being run; swapped with queue */
    struct loop_orphan *orphans;
    size_t orphan_count;
    bool stopping;
};

struct event_base *loop_event_base(struct loop *loop);
int64_t loop_now_ms(const struct loop *loop); /* monotonic */

void loop_orphan_add(struct loop *loop, struct loop_orphan *orphan);
/* Nothing happens when it is not linked in. */
void loop_orphan_remove(struct loop *loop, struct loop_orphan *orphan);

/* loop_timer.c, for loop.c */
void timer_heap_fire(struct loop *loop);                   /* calls every timer that is due */
int64_t timer_heap_next_ms(const struct timer_heap *heap); /* when the next one is due; INT64_MAX: none is armed */
