#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/stream_internal.h"

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* --- Input --- */

static enum io_result plain_read(struct stream *stream, void *out, size_t len, size_t *got_out)
{
    ssize_t got = recv(stream->fd, out, len, 0);
    if (got > 0) {
        *got_out = (size_t)got;
        return IO_DONE;
    }
    if (got == 0)
        return IO_CLOSED;
    if (would_block(errno))
        return IO_BLOCKED;
    stream_fail(stream, STREAM_END_RESET, strerror(errno));
    return IO_FAILED;
}

void stream_receive(struct stream *stream)
{
    while (stream_wants_input(stream)) {
        size_t room, got = 0;
        uint8_t *place = stream_input_reserve(&stream->input, stream->input_max - stream->input.len, &room);
        enum io_result result =
            stream->tls != NULL ? stream_tls_read(stream, place, room, &got) : plain_read(stream, place, room, &got);
        if (result == IO_CLOSED)
            stream_end_input(stream, STREAM_END_EOF, "closed by the peer");
        if (result != IO_DONE)
            return;
        stream_input_commit(&stream->input, got);
        stream->input_moved_ms = loop_now_ms(stream->loop);
        stream->news |= NEWS_INPUT;
        /* Less than there was room for: the kernel has no more now. TLS gives one record at a time, ask again. */
        if (stream->tls == NULL && got < room)
            return;
    }
}

/* --- Output --- */

static enum io_result plain_write(struct stream *stream, size_t most, size_t *written_out)
{
    int written = evbuffer_write_atmost(stream->output, stream->fd, (ev_ssize_t)most);
    if (written > 0) {
        *written_out = (size_t)written;
        return IO_DONE;
    }
    if (written == 0 || would_block(errno))
        return IO_BLOCKED;
    /* The peer may have said why before it went ("421 ..."): read that first. */
    int error = errno;
    stream_receive(stream);
    stream_fail(stream, STREAM_END_RESET, strerror(error));
    return IO_FAILED;
}

static enum io_result encrypted_write(struct stream *stream, size_t *written_out)
{
    size_t len = evbuffer_get_contiguous_space(stream->output);
    const void *data = evbuffer_pullup(stream->output, (ev_ssize_t)len);
    enum io_result result = stream_tls_write(stream, data, len, written_out);
    if (result == IO_DONE)
        evbuffer_drain(stream->output, *written_out);
    return result;
}

/* Bytes that may go now: while STARTTLS waits, only what was written before it. */
static size_t sendable(const struct stream *stream)
{
    switch (stream->state) {
    case STREAM_TLS_WAITING:
        return stream->plain_output;
    case STREAM_OPEN:
    case STREAM_INPUT_OVER:
    case STREAM_FAREWELL:
        return stream_pending_output(stream);
    case STREAM_CONNECTING:
    case STREAM_HANDSHAKE:
    case STREAM_ENDED:
    case STREAM_DISCARDING:
    case STREAM_DEAD:
        break;
    }
    return 0;
}

static void all_sent(struct stream *stream)
{
    if (stream->state == STREAM_TLS_WAITING)
        stream_tls_begin(stream);
    else if (stream->state == STREAM_FAREWELL)
        stream_say_goodbye(stream);
}

void stream_flush(struct stream *stream)
{
    size_t left;
    while ((left = sendable(stream)) > 0) {
        size_t written = 0;
        bool encrypted = stream->tls != NULL && stream->state != STREAM_TLS_WAITING;
        enum io_result result = encrypted ? encrypted_write(stream, &written) : plain_write(stream, left, &written);
        stream->output_blocked = result == IO_BLOCKED;
        if (result != IO_DONE)
            return;
        stream->output_moved_ms = loop_now_ms(stream->loop);
        if (stream->state == STREAM_TLS_WAITING)
            stream->plain_output -= written;
        if (stream_pending_output(stream) == 0 && stream_has_owner(stream) && !stream->end_told)
            stream->news |= NEWS_DRAINED;
    }
    all_sent(stream);
}

void stream_say_goodbye(struct stream *stream)
{
    stream_tls_close_notify(stream);
    /* Whoever is turned away by the thousand must not take all descriptors while they wait. */
    bool may_wait = stream->loop->orphan_count <= STREAM_DISCARDING_MAX;
    if (!may_wait || shutdown(stream->fd, SHUT_WR) != 0) {
        stream_bury(stream);
        return;
    }
    /* close() with unread input would make the kernel send a reset, which can destroy the last reply on its way. */
    stream_set_state(stream, STREAM_DISCARDING);
    stream_limit(stream, STREAM_DISCARD_MS);
}

void stream_discard(struct stream *stream)
{
    enum { ROUNDS = 16 };
    char forgotten[4096];
    for (int i = 0; i < ROUNDS; i++) {
        ssize_t got = recv(stream->fd, forgotten, sizeof forgotten, 0);
        if (got < 0 && would_block(errno))
            return;
        if (got <= 0) {
            stream_bury(stream);
            return;
        }
    }
}
