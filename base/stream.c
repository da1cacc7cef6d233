#include "base/stream.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stream_internal.h"
#include "base/xmalloc.h"

/* --- States --- */

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned successors;
} states[] = {
    [STREAM_CONNECTING] = { "connecting",
                            BIT(STREAM_HANDSHAKE) | BIT(STREAM_OPEN) | BIT(STREAM_ENDED) | BIT(STREAM_DEAD) },
    [STREAM_TLS_WAITING] = { "tls_waiting", BIT(STREAM_HANDSHAKE) | BIT(STREAM_ENDED) | BIT(STREAM_DEAD) },
    [STREAM_HANDSHAKE] = { "handshake", BIT(STREAM_OPEN) | BIT(STREAM_ENDED) | BIT(STREAM_DEAD) },
    [STREAM_OPEN] = { "open", BIT(STREAM_TLS_WAITING) | BIT(STREAM_INPUT_OVER) | BIT(STREAM_ENDED) |
                                  BIT(STREAM_FAREWELL) | BIT(STREAM_DEAD) },
    [STREAM_INPUT_OVER] = { "input_over", BIT(STREAM_ENDED) | BIT(STREAM_FAREWELL) | BIT(STREAM_DEAD) },
    [STREAM_ENDED] = { "ended", BIT(STREAM_DEAD) },
    [STREAM_FAREWELL] = { "farewell", BIT(STREAM_DISCARDING) | BIT(STREAM_DEAD) },
    [STREAM_DISCARDING] = { "discarding", BIT(STREAM_DEAD) },
    [STREAM_DEAD] = { "dead", 0 },
};

void stream_set_state(struct stream *stream, enum stream_state state)
{
    assert((states[stream->state].successors & BIT(state)) != 0);
    log_debug("stream.state", "fd=%d from=%s to=%s", stream->fd, states[stream->state].name, states[state].name);
    stream->state = state;
}

bool stream_has_owner(const struct stream *stream)
{
    return stream->state < STREAM_FAREWELL;
}

bool stream_wants_input(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && !stream->paused && stream->input.len < stream->input_max;
}

/* --- Telling the owner --- */

/* Takes the news off the list; true when it was on it. */
static bool take_news(struct stream *stream, unsigned which)
{
    bool had = (stream->news & which) != 0;
    stream->news &= ~which;
    return had;
}

/* Whatever arrived before the end is announced before the end; a peer's orderly end waits while the owner pauses. */
static bool end_is_due(const struct stream *stream)
{
    if ((stream->news & NEWS_END) == 0)
        return false;
    if (stream->paused)
        return stream->end != STREAM_END_EOF;
    return (stream->news & NEWS_INPUT) == 0;
}

void stream_report(struct stream *stream)
{
    const struct stream_callbacks *callbacks = stream->callbacks;
    if (stream_has_owner(stream) && take_news(stream, NEWS_CONNECTED) && callbacks->on_connected != NULL)
        callbacks->on_connected(stream, stream->ctx);
    if (stream_has_owner(stream) && take_news(stream, NEWS_TLS) && callbacks->on_tls != NULL)
        callbacks->on_tls(stream, stream->ctx);
    if (stream_has_owner(stream) && !stream->paused && take_news(stream, NEWS_INPUT) && stream->input.len > 0)
        callbacks->on_input(stream, stream->ctx);
    if (stream_has_owner(stream) && take_news(stream, NEWS_DRAINED) && stream_pending_output(stream) == 0 &&
        callbacks->on_drained != NULL)
        callbacks->on_drained(stream, stream->ctx);
    if (stream_has_owner(stream) && end_is_due(stream)) {
        stream->news = 0;
        stream->end_told = true;
        callbacks->on_end(stream, stream->end, stream->end_detail, stream->ctx);
    }
    if (stream_has_owner(stream))
        stream_input_shrink(&stream->input);
}

static void add_news(struct stream *stream, unsigned which)
{
    if (!stream->end_told)
        stream->news |= which;
}

/* --- The end of the turn --- */

static void settle(void *arg)
{
    struct stream *stream = arg;
    stream->settling = false;
    if (stream->state == STREAM_DEAD)
        return;
    unsigned chores = stream->chores;
    stream->chores = 0;
    if ((chores & CHORE_CONNECT) != 0)
        stream_connect_begin(stream);
    if ((chores & CHORE_FLUSH) != 0 && !stream->output_blocked)
        stream_flush(stream);
    if ((chores & CHORE_RECEIVE) != 0)
        stream_receive(stream);
    if (stream->state != STREAM_DEAD)
        stream_report(stream);
    stream_watch(stream);
}

void stream_do_later(struct stream *stream, unsigned chores)
{
    stream->chores |= chores;
    if (stream->settling || stream->state == STREAM_DEAD)
        return;
    stream->settling = true;
    loop_defer(stream->loop, settle, stream);
}

/* --- Readiness of the descriptor --- */

static short wanted_events(const struct stream *stream)
{
    short write_when_blocked = stream->output_blocked ? EV_WRITE : 0;
    switch (stream->state) {
    case STREAM_CONNECTING:
        return EV_WRITE;
    case STREAM_TLS_WAITING:
        return write_when_blocked;
    case STREAM_HANDSHAKE:
        return stream_tls_handshake_writes(stream) ? EV_WRITE : EV_READ;
    case STREAM_OPEN:
    case STREAM_INPUT_OVER:
    case STREAM_FAREWELL:
        if (stream->output_blocked && stream->tls_write_reads)
            return EV_READ;
        if (!stream_wants_input(stream))
            return write_when_blocked;
        return (short)(write_when_blocked | EV_READ | (stream->tls_read_writes ? EV_WRITE : 0));
    case STREAM_DISCARDING:
        return EV_READ;
    case STREAM_ENDED:
    case STREAM_DEAD:
        break;
    }
    return 0;
}

static void watch_one(struct event *event, bool watched, bool wanted)
{
    if (wanted && !watched) {
        if (event_add(event, NULL) != 0)
            abort(); /* epoll refuses only what is no socket */
    } else if (watched && !wanted) {
        event_del(event);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct stream *stream = arg;
    if ((wanted_events(stream) & EV_READ) == 0) {
        watch_one(&stream->readable, true, false); /* see stream_watch(); what came is read when the owner goes on */
        stream->watched &= (short)~EV_READ;
        return;
    }
    if (stream->state == STREAM_HANDSHAKE) {
        stream_tls_handshake(stream);
    } else if (stream->state == STREAM_DISCARDING) {
        stream_discard(stream);
    } else {
        if (stream->tls_write_reads) {
            stream->output_blocked = false;
            stream_flush(stream);
        }
        stream_receive(stream);
    }
    stream_report(stream);
    stream_watch(stream);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct stream *stream = arg;
    if (stream->state == STREAM_CONNECTING) {
        stream_connect_ready(stream);
    } else if (stream->state == STREAM_HANDSHAKE) {
        stream_tls_handshake(stream);
    } else {
        if (stream->output_blocked) {
            stream->output_blocked = false;
            stream_flush(stream);
        }
        if (stream->tls_read_writes)
            stream_receive(stream);
    }
    stream_report(stream);
    stream_watch(stream);
}

/* Most pauses are short, and the peer waits too: so reading stays watched, until there is something to read. Both saves
 * system calls, and that it is still watched at the end of a pause says that nothing came. */
void stream_watch(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    short wanted = wanted_events(stream);
    if (stream->paused && stream->state == STREAM_OPEN)
        wanted |= stream->watched & EV_READ;
    watch_one(&stream->readable, (stream->watched & EV_READ) != 0, (wanted & EV_READ) != 0);
    watch_one(&stream->writable, (stream->watched & EV_WRITE) != 0, (wanted & EV_WRITE) != 0);
    stream->watched = wanted;
}

void stream_attach(struct stream *stream, int fd)
{
    assert(stream->fd < 0);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof on); /* output is gathered per turn; unix sockets refuse, fine */
    stream->fd = fd;
    struct event_base *base = loop_event_base(stream->loop);
    if (event_assign(&stream->readable, base, fd, EV_READ | EV_PERSIST, on_readable, stream) != 0 ||
        event_assign(&stream->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, stream) != 0)
        abort();
}

void stream_detach(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    watch_one(&stream->readable, (stream->watched & EV_READ) != 0, false);
    watch_one(&stream->writable, (stream->watched & EV_WRITE) != 0, false);
    stream->watched = 0;
    close(stream->fd);
    stream->fd = -1;
}

/* --- Time --- */

static void limit_passed(void *arg)
{
    struct stream *stream = arg;
    if (stream->state == STREAM_CONNECTING)
        stream_connect_expired(stream);
    else if (stream_has_owner(stream))
        stream_fail(stream, STREAM_END_TIMEOUT, "TLS handshake took too long");
    else
        stream_bury(stream);
    stream_report(stream);
    stream_watch(stream);
}

void stream_limit(struct stream *stream, int64_t ms)
{
    if (stream->limit == NULL)
        stream->limit = timer_new(stream->loop, limit_passed, stream);
    timer_start(stream->limit, ms);
}

/* Since when nothing has moved that should have; INT64_MAX when nothing is expected to move. Waiting output counts
 * alone: a peer that takes it in is alive, and one that does not is stuck whatever it sends. */
static int64_t idle_since_ms(const struct stream *stream)
{
    if (stream_pending_output(stream) > 0)
        return stream->output_moved_ms;
    if (!stream_wants_input(stream))
        return INT64_MAX;
    return stream->input_moved_ms > stream->output_moved_ms ? stream->input_moved_ms : stream->output_moved_ms;
}

static bool idle_counts(const struct stream *stream)
{
    return stream->idle_ms > 0 && !stream->end_told &&
           (stream->state == STREAM_OPEN || stream->state == STREAM_INPUT_OVER);
}

static void idle_passed(void *arg)
{
    struct stream *stream = arg;
    if (!idle_counts(stream))
        return;
    int64_t since = idle_since_ms(stream);
    if (since == INT64_MAX)
        return; /* watch_for_idling() starts again when something is expected */
    int64_t left = since + stream->idle_ms - loop_now_ms(stream->loop);
    if (left > 0) {
        timer_start(stream->idle, left);
        return;
    }
    if (stream_pending_output(stream) > 0)
        stream_fail(stream, STREAM_END_TIMEOUT, "the peer takes no output");
    else
        stream_end_input(stream, STREAM_END_TIMEOUT, "nothing received for too long");
    stream_report(stream);
    stream_watch(stream);
}

/* Called when something begins to be expected. A running timer is left alone: it looks again when it fires, which
 * costs less than starting it anew for every packet. */
static void watch_for_idling(struct stream *stream)
{
    if (!idle_counts(stream) || (stream->idle != NULL && timer_is_running(stream->idle)))
        return;
    if (stream->idle == NULL)
        stream->idle = timer_new(stream->loop, idle_passed, stream);
    timer_start(stream->idle, stream->idle_ms);
}

void stream_set_idle_timeout(struct stream *stream, int64_t ms)
{
    stream->idle_ms = ms;
    if (stream->idle != NULL)
        timer_stop(stream->idle);
    stream->input_moved_ms = loop_now_ms(stream->loop);
    watch_for_idling(stream);
}

/* --- Beginning and end --- */

static void end_orphan(struct loop_orphan *orphan)
{
    stream_bury((struct stream *)((char *)orphan - offsetof(struct stream, orphan)));
}

struct stream *stream_new(struct loop *loop, const struct stream_settings *settings, enum stream_state state)
{
    struct stream *stream = xcalloc(1, sizeof *stream);
    stream->loop = loop;
    stream->callbacks = settings->callbacks;
    stream->ctx = settings->ctx;
    stream->state = state;
    stream->fd = -1;
    stream->input_max = settings->input_max > 0 ? settings->input_max : STREAM_INPUT_DEFAULT;
    stream->input_moved_ms = stream->output_moved_ms = loop_now_ms(loop);
    stream->orphan.end = end_orphan;
    return stream;
}

struct stream *stream_new_accepted(struct loop *loop, const struct stream_settings *settings, int fd,
                                   struct tls_context *tls)
{
    struct stream *stream = stream_new(loop, settings, tls == NULL ? STREAM_OPEN : STREAM_HANDSHAKE);
    stream_attach(stream, fd);
    if (tls != NULL) {
        stream_tls_prepare(stream, tls, true, NULL, NULL);
        stream_limit(stream, STREAM_HANDSHAKE_TIMEOUT_MS);
    }
    stream_watch(stream);
    return stream;
}

void stream_new_pair(struct loop *loop, const struct stream_settings *a, const struct stream_settings *b,
                     struct stream **a_out, struct stream **b_out)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort(); /* a test cannot do without */
    *a_out = stream_new_accepted(loop, a, fds[0], NULL);
    *b_out = stream_new_accepted(loop, b, fds[1], NULL);
}

void stream_opened(struct stream *stream)
{
    if (stream->connect != NULL) {
        add_news(stream, NEWS_CONNECTED);
        stream_connect_free(&stream->connect);
    }
    stream_set_state(stream, STREAM_OPEN);
    timer_free(&stream->limit);
    stream->input_moved_ms = stream->output_moved_ms = loop_now_ms(stream->loop);
    watch_for_idling(stream);
    stream_do_later(stream, CHORE_FLUSH);
}

static void set_end(struct stream *stream, enum stream_end why, const char *detail)
{
    free(stream->end_detail);
    stream->end = why;
    stream->end_detail = xstrdup(detail);
    add_news(stream, NEWS_END);
    stream_do_later(stream, 0);
}

void stream_end_input(struct stream *stream, enum stream_end why, const char *detail)
{
    stream_set_state(stream, STREAM_INPUT_OVER);
    set_end(stream, why, detail);
}

void stream_fail(struct stream *stream, enum stream_end why, const char *detail)
{
    if (!stream_has_owner(stream)) {
        stream_bury(stream);
        return;
    }
    if (stream->state == STREAM_ENDED)
        return; /* the first reason is the true one */
    stream_set_state(stream, STREAM_ENDED);
    set_end(stream, why, detail);
    stream->news &= ~(unsigned)NEWS_DRAINED;
    stream_detach(stream);
    stream_connect_free(&stream->connect);
    timer_free(&stream->limit);
    timer_free(&stream->idle);
    timer_free(&stream->vigil);
    if (stream->output != NULL)
        evbuffer_drain(stream->output, evbuffer_get_length(stream->output));
}

static void release(void *arg)
{
    struct stream *stream = arg;
    stream_input_free(&stream->input);
    if (stream->output != NULL)
        evbuffer_free(stream->output);
    stream_tls_free(&stream->tls);
    free(stream->end_detail);
    free(stream);
}

void stream_bury(struct stream *stream)
{
    if (stream->state == STREAM_DEAD)
        return;
    stream_set_state(stream, STREAM_DEAD);
    stream_detach(stream);
    stream_connect_free(&stream->connect);
    timer_free(&stream->limit);
    timer_free(&stream->idle);
    timer_free(&stream->vigil);
    loop_orphan_remove(stream->loop, &stream->orphan);
    loop_defer(stream->loop, release, stream);
}

void stream_free(struct stream **stream)
{
    struct stream *s = *stream;
    if (s == NULL)
        return;
    *stream = NULL;
    /* With output lost, an orderly end would be a lie: the peer must see that something is missing. */
    if ((s->state == STREAM_OPEN || s->state == STREAM_INPUT_OVER) && stream_pending_output(s) == 0)
        stream_tls_close_notify(s);
    stream_bury(s);
}

void stream_close_after_output(struct stream **stream)
{
    struct stream *s = *stream;
    if (s == NULL)
        return;
    if (s->state != STREAM_OPEN && s->state != STREAM_INPUT_OVER) {
        stream_free(stream); /* nothing can be sent any more, or nobody is there yet */
        return;
    }
    *stream = NULL;
    stream_set_state(s, STREAM_FAREWELL);
    loop_orphan_add(s->loop, &s->orphan);
    timer_free(&s->idle);
    stream_limit(s, STREAM_FAREWELL_MS);
    stream_do_later(s, CHORE_FLUSH);
}

/* --- STARTTLS --- */

static int start_tls(struct stream *stream, struct tls_context *tls, bool server, const char *name, const char *pin)
{
    if (stream->input.len > 0 || stream->state != STREAM_OPEN || stream->tls != NULL)
        return -1;
    stream_tls_prepare(stream, tls, server, name, pin);
    stream->plain_output = stream_pending_output(stream);
    stream_set_state(stream, STREAM_TLS_WAITING);
    stream_limit(stream, STREAM_HANDSHAKE_TIMEOUT_MS);
    stream_do_later(stream, CHORE_FLUSH);
    return 1;
}

int stream_start_tls_server(struct stream *stream, struct tls_context *tls)
{
    return start_tls(stream, tls, true, NULL, NULL);
}

int stream_start_tls_client(struct stream *stream, struct tls_context *tls, const char *tls_name, const char *pin)
{
    return start_tls(stream, tls, false, tls_name, pin);
}

/* --- Input --- */

/* After taking input: when reading had stopped because the buffer was full, it goes on. */
static void made_room(struct stream *stream, bool was_full)
{
    if (!was_full || !stream_wants_input(stream))
        return;
    stream->input_moved_ms = loop_now_ms(stream->loop);
    watch_for_idling(stream);
    stream_do_later(stream, CHORE_RECEIVE);
}

int stream_read_line(struct stream *stream, size_t max, bool lf_ok, const char **line_out, size_t *len_out,
                     bool *had_crlf_out)
{
    bool full = stream->input.len >= stream->input_max;
    int result = stream_input_take_line(&stream->input, max, lf_ok, full, line_out, len_out, had_crlf_out);
    made_room(stream, full);
    return result;
}

size_t stream_input_size(const struct stream *stream)
{
    return stream->input.len;
}

size_t stream_peek(struct stream *stream, const uint8_t **data_out)
{
    static const uint8_t nothing[1];
    *data_out = stream->input.len == 0 ? nothing : stream->input.memory + stream->input.start;
    return stream->input.len;
}

void stream_consume(struct stream *stream, size_t len)
{
    bool full = stream->input.len >= stream->input_max;
    stream_input_consume(&stream->input, len);
    made_room(stream, full);
}

void stream_set_input_max(struct stream *stream, size_t max)
{
    bool wanted_input = stream_wants_input(stream);
    stream->input_max = max > 0 ? max : STREAM_INPUT_DEFAULT;
    made_room(stream, !wanted_input);
    stream_watch(stream);
}

void stream_pause_input(struct stream *stream, bool paused)
{
    if (stream->paused == paused)
        return;
    stream->paused = paused;
    if (paused) {
        stream_watch(stream);
        return;
    }
    if (stream->input.len > 0)
        add_news(stream, NEWS_INPUT);
    stream->input_moved_ms = loop_now_ms(stream->loop);
    watch_for_idling(stream);
    bool nothing_came = stream->tls == NULL && (stream->watched & EV_READ) != 0;
    stream_do_later(stream, nothing_came ? 0 : CHORE_RECEIVE);
}

/* --- Output --- */

void stream_write(struct stream *stream, const void *data, size_t len)
{
    if (len == 0 || stream->state >= STREAM_ENDED)
        return;
    if (stream->output == NULL)
        stream->output = evbuffer_new();
    bool was_empty = stream_pending_output(stream) == 0;
    if (stream->output == NULL || evbuffer_add(stream->output, data, len) != 0)
        abort(); /* out of memory */
    if (was_empty) {
        stream->output_moved_ms = loop_now_ms(stream->loop);
        watch_for_idling(stream);
    }
    stream_do_later(stream, CHORE_FLUSH);
}

size_t stream_pending_output(const struct stream *stream)
{
    return stream->output == NULL ? 0 : evbuffer_get_length(stream->output);
}
