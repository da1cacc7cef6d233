#include <assert.h>
#include <stdlib.h>

#include "base/loop.h"
#include "base/loop_internal.h"
#include "base/xmalloc.h"

static const size_t NOT_ARMED = SIZE_MAX;

struct timer {
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
    int64_t due_ms;
    uint64_t sequence; /* of its arming */
    size_t slot;       /* in the heap, or NOT_ARMED */
};

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->sequence < b->sequence;
}

static void put(struct timer_heap *heap, size_t slot, struct timer *timer)
{
    heap->slots[slot] = timer;
    timer->slot = slot;
}

/* Puts timer into the free place `slot` or further up, moving later ones down. */
static void sift_up(struct timer_heap *heap, size_t slot, struct timer *timer)
{
    while (slot > 0) {
        size_t parent = (slot - 1) / 2;
        if (!is_before(timer, heap->slots[parent]))
            break;
        put(heap, slot, heap->slots[parent]);
        slot = parent;
    }
    put(heap, slot, timer);
}

static void sift_down(struct timer_heap *heap, size_t slot, struct timer *timer)
{
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && is_before(heap->slots[child + 1], heap->slots[child]))
            child++;
        if (!is_before(heap->slots[child], timer))
            break;
        put(heap, slot, heap->slots[child]);
        slot = child;
    }
    put(heap, slot, timer);
}

static void take_out(struct timer_heap *heap, struct timer *timer)
{
    size_t slot = timer->slot;
    struct timer *last = heap->slots[--heap->count];
    timer->slot = NOT_ARMED;
    if (last == timer)
        return;
    /* The last one fills the gap; it may belong above it or below it. */
    if (slot > 0 && is_before(last, heap->slots[(slot - 1) / 2]))
        sift_up(heap, slot, last);
    else
        sift_down(heap, slot, last);
}

int64_t timer_heap_next_ms(const struct timer_heap *heap)
{
    return heap->count == 0 ? INT64_MAX : heap->slots[0]->due_ms;
}

void timer_heap_fire(struct loop *loop)
{
    struct timer_heap *heap = &loop->timers;
    if (heap->count == 0)
        return;
    int64_t now = loop_now_ms(loop);
    /* Timers armed by the callbacks wait for the next turn, even with a delay of 0. They are never due before the
     * older ones, so the first of them ends the round. */
    uint64_t end_of_round = heap->sequence;
    while (heap->count > 0 && heap->slots[0]->due_ms <= now && heap->slots[0]->sequence < end_of_round) {
        struct timer *timer = heap->slots[0];
        take_out(heap, timer);
        timer->fn(timer->arg); /* may free the timer */
    }
}

struct timer *timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct timer *timer = xcalloc(1, sizeof *timer);
    *timer = (struct timer){ .loop = loop, .fn = fn, .arg = arg, .slot = NOT_ARMED };
    return timer;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    timer_stop(timer);
    struct timer_heap *heap = &timer->loop->timers;
    int64_t now = loop_now_ms(timer->loop);
    if (delay_ms < 0)
        delay_ms = 0;
    timer->due_ms = delay_ms > INT64_MAX - 1 - now ? INT64_MAX - 1 : now + delay_ms;
    timer->sequence = heap->sequence++;
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 16 : heap->capacity * 2;
        heap->slots = xreallocarray(heap->slots, heap->capacity, sizeof heap->slots[0]);
    }
    heap->count++;
    sift_up(heap, heap->count - 1, timer);
}

void timer_stop(struct timer *timer)
{
    if (timer->slot != NOT_ARMED)
        take_out(&timer->loop->timers, timer);
}

bool timer_is_running(const struct timer *timer)
{
    return timer->slot != NOT_ARMED;
}

void timer_free(struct timer **timer)
{
    if (*timer == NULL)
        return;
    timer_stop(*timer);
    free(*timer);
    *timer = NULL;
}
