#include "base/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop_internal.h"
#include "base/xmalloc.h"

/* The longest wait for I/O. A clock that is set or simulated cannot make the loop oversleep by more than this. */
enum { LONGEST_WAIT_MS = 60 * 1000 };

static void wake_up_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg; /* its only purpose was to end the wait */
}

struct loop *loop_new(struct clock *clock)
{
    /* A peer that closes early is reported by write(), not by a signal that ends the process. */
    signal(SIGPIPE, SIG_IGN);
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->clock = clock;
    struct event_config *config = event_config_new();
    if (config == NULL)
        abort();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK); /* only this thread touches the base */
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL)
        abort(); /* no epoll, no descriptors: nothing can work */
    loop->wake_up = event_new(loop->base, -1, 0, wake_up_fired, NULL);
    if (loop->wake_up == NULL)
        abort();
    return loop;
}

/* Runs the calls that were deferred until now. What they defer in turn belongs to the next turn, so that two objects
 * which keep deferring cannot starve the sockets. */
static void run_deferred(struct loop *loop)
{
    if (loop->queue.count == 0)
        return;
    struct loop_queue calls = loop->queue;
    loop->queue = loop->draining;
    loop->queue.count = 0;
    for (size_t i = 0; i < calls.count; i++)
        calls.calls[i].fn(calls.calls[i].arg);
    calls.count = 0;
    loop->draining = calls;
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;
    if (l == NULL)
        return;
    while (l->orphans != NULL)
        l->orphans->end(l->orphans);
    while (l->queue.count > 0)
        run_deferred(l);
    assert(l->timers.count == 0); /* a timer outlived its loop */
    event_free(l->wake_up);
    event_base_free(l->base);
    free(l->timers.slots);
    free(l->queue.calls);
    free(l->draining.calls);
    free(l);
    *loop = NULL;
}

struct clock *loop_clock(struct loop *loop)
{
    return loop->clock;
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

int64_t loop_now_ms(const struct loop *loop)
{
    return clock_monotonic_ms(loop->clock);
}

/* What is ready now, once. EVLOOP_NONBLOCK alone goes on as long as anything is: then a peer that sends without a pause would keep timers
 * and deferred calls, and so everybody's answers, waiting. */
static void handle_ready(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

void loop_turn(struct loop *loop)
{
    handle_ready(loop);
    timer_heap_fire(loop);
    run_deferred(loop);
}

/* Waits until something is ready or the next timer is due, handles the ready I/O. */
static void wait_for_io(struct loop *loop)
{
    int64_t wait = LONGEST_WAIT_MS;
    int64_t due = timer_heap_next_ms(&loop->timers);
    if (due != INT64_MAX) {
        int64_t left = due - loop_now_ms(loop);
        if (left < wait)
            wait = left < 0 ? 0 : left;
    }
    if (loop->queue.count > 0 || wait == 0) {
        handle_ready(loop);
        return;
    }
    struct timeval timeout = { .tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000) };
    event_add(loop->wake_up, &timeout);
    event_base_loop(loop->base, EVLOOP_ONCE);
    event_del(loop->wake_up);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping) {
        wait_for_io(loop);
        timer_heap_fire(loop);
        run_deferred(loop);
    }
    loop->stopping = false; /* so that it can be run again */
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_queue *queue = &loop->queue;
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 16 : queue->capacity * 2;
        queue->calls = xreallocarray(queue->calls, queue->capacity, sizeof queue->calls[0]);
    }
    queue->calls[queue->count++] = (struct loop_deferred){ .fn = fn, .arg = arg };
}

void loop_orphan_add(struct loop *loop, struct loop_orphan *orphan)
{
    assert(orphan->link == NULL);
    orphan->next = loop->orphans;
    if (orphan->next != NULL)
        orphan->next->link = &orphan->next;
    orphan->link = &loop->orphans;
    loop->orphans = orphan;
    loop->orphan_count++;
}

void loop_orphan_remove(struct loop *loop, struct loop_orphan *orphan)
{
    if (orphan->link == NULL)
        return;
    loop->orphan_count--;
    *orphan->link = orphan->next;
    if (orphan->next != NULL)
        orphan->next->link = orphan->link;
    orphan->link = NULL;
}

/* --- Wake-ups from other threads --- */

struct loop_notifier {
    struct loop_watch *watch;
    int fd; /* an eventfd: writing is atomic and needs no lock */
    void (*fn)(void *arg);
    void *arg;
};

static void notifier_rang(int fd, void *arg)
{
    struct loop_notifier *notifier = arg;
    uint64_t rings;
    if (read(fd, &rings, sizeof rings) == sizeof rings)
        notifier->fn(notifier->arg);
}

struct loop_notifier *loop_notifier_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_notifier *notifier = xcalloc(1, sizeof *notifier);
    notifier->fn = fn;
    notifier->arg = arg;
    notifier->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (notifier->fd < 0)
        abort(); /* made once at start; without it no result of a thread would ever arrive */
    notifier->watch = loop_watch_new(loop, notifier->fd, notifier_rang, notifier);
    return notifier;
}

void loop_notify(struct loop_notifier *notifier)
{
    uint64_t one = 1;
    /* EAGAIN would mean 2^64 - 1 unanswered rings: the loop wakes up in any case. */
    ssize_t ignored = write(notifier->fd, &one, sizeof one);
    (void)ignored;
}

void loop_notifier_free(struct loop_notifier **notifier)
{
    if (*notifier == NULL)
        return;
    loop_watch_free(&(*notifier)->watch);
    close((*notifier)->fd);
    free(*notifier);
    *notifier = NULL;
}

/* --- Watches --- */

struct loop_watch {
    struct event event;
    void (*fn)(int fd, void *arg);
    void *arg;
};

static void watch_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct loop_watch *watch = arg;
    watch->fn(fd, watch->arg); /* may free the watch */
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, void (*fn)(int fd, void *arg), void *arg)
{
    struct loop_watch *watch = xcalloc(1, sizeof *watch);
    watch->fn = fn;
    watch->arg = arg;
    if (event_assign(&watch->event, loop->base, fd, EV_READ | EV_PERSIST, watch_ready, watch) != 0)
        abort();
    if (event_add(&watch->event, NULL) != 0)
        abort(); /* a bad descriptor, or one that epoll cannot watch: the caller's mistake */
    return watch;
}

void loop_watch_free(struct loop_watch **watch)
{
    if (*watch == NULL)
        return;
    event_del(&(*watch)->event);
    free(*watch);
    *watch = NULL;
}

/* --- Signals --- */

struct loop_signal {
    struct event event;
    void (*fn)(int signo, void *arg);
    void *arg;
};

static void signal_arrived(evutil_socket_t signo, short what, void *arg)
{
    (void)what;
    struct loop_signal *sig = arg;
    sig->fn(signo, sig->arg);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, void (*fn)(int signo, void *arg), void *arg)
{
    struct loop_signal *sig = xcalloc(1, sizeof *sig);
    sig->fn = fn;
    sig->arg = arg;
    if (event_assign(&sig->event, loop->base, signo, EV_SIGNAL | EV_PERSIST, signal_arrived, sig) != 0 ||
        event_add(&sig->event, NULL) != 0)
        abort(); /* not a signal that can be caught */
    return sig;
}

void loop_signal_free(struct loop_signal **sig)
{
    if (*sig == NULL)
        return;
    event_del(&(*sig)->event);
    free(*sig);
    *sig = NULL;
}
