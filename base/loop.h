/* loop.h - the event loop: one thread, all sockets, nothing that blocks
 *
 * A loop owns the timers and the deferred calls. All callbacks run on the thread that runs the loop. The
 * only function that another thread may call is loop_notify().
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct clock;

/* clock outlives the loop. With a fake clock timers fire in loop_turn(), once clock_advance() has passed their time.
 * The process ignores SIGPIPE from here on: a closed connection is reported by write(). */
struct loop *loop_new(struct clock *clock);
/* Everything created on it must be gone, save streams after stream_close_after_output(), which are closed. Runs the
 * deferred calls that are left. */
void loop_free(struct loop **loop);
struct clock *loop_clock(struct loop *loop);

void loop_run(struct loop *loop); /* until loop_stop() */
void loop_stop(struct loop *loop);
void loop_turn(struct loop *loop); /* one non-blocking turn: ready I/O, due timers, deferred calls (for tests) */

/* Runs fn at the end of this turn, after all I/O and timers: where objects die. In order of submission. What is
 * deferred by a deferred call runs at the end of the next turn, which then does not wait. */
void loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg);

/* A wake-up that other threads may ring. fn runs on the loop; many rings may become one call. */
struct loop_notifier;
struct loop_notifier *loop_notifier_new(struct loop *loop, void (*fn)(void *arg), void *arg);
void loop_notify(struct loop_notifier *notifier); /* any thread; never blocks */
void loop_notifier_free(struct loop_notifier **notifier);

/* One-shot timers, in order of their time, equal times in order of starting. A timer belongs to its creator; freeing,
 * stopping or restarting it (or any other) inside a callback is fine. */
struct timer;
struct timer *timer_new(struct loop *loop, void (*fn)(void *arg), void *arg); /* not armed */
void timer_start(struct timer *timer, int64_t delay_ms); /* re-arms; 0: next turn; negative counts as 0 */
void timer_stop(struct timer *timer);
bool timer_is_running(const struct timer *timer);
void timer_free(struct timer **timer);

/* Watches a file descriptor for readability (level-triggered). Does not own fd; close it after the watch is freed.
 * Freeing inside the callback is fine. */
struct loop_watch;
struct loop_watch *loop_watch_new(struct loop *loop, int fd, void (*fn)(int fd, void *arg), void *arg);
void loop_watch_free(struct loop_watch **watch);

/* Delivers a signal as an ordinary callback. One loop per process may do so. */
struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *loop, int signo, void (*fn)(int signo, void *arg), void *arg);
void loop_signal_free(struct loop_signal **signal);

/* A listening socket. address: "127.0.0.1:2525", "[::]:25", "unix:/path" (a stale socket file is replaced,
 * mode 0660, removed at the end). Port 0 picks one. on_accept owns the connected, non-blocking fd; peer is "ADDR:PORT",
 * "[ADDR6]:PORT" or "unix"; IPv4 through an IPv6 socket is written as IPv4. on_accept may pause or free the
 * listener. Errors of accept (EMFILE) pause the listener for a second.
 * NULL on failure with the reason in error_out (thread-local text, valid until the thread's next failure). */
struct loop_listener;
struct loop_listener *loop_listener_new(struct loop *loop, const char *address,
                                        void (*on_accept)(int fd, const char *peer, void *arg), void *arg,
                                        const char **error_out) __attribute__((warn_unused_result));
/* Likewise with a socket that listens already, does not block, and becomes the listener's. A socket file stays at the end: it is
 * whoever's opened it. */
struct loop_listener *loop_listener_adopt(struct loop *loop, int fd, const char *address,
                                          void (*on_accept)(int fd, const char *peer, void *arg), void *arg);
const char *loop_listener_address(const struct loop_listener *listener); /* with the port that was bound */
void loop_listener_pause(struct loop_listener *listener, bool paused);
void loop_listener_free(struct loop_listener **listener);
