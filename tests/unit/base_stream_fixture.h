/* base_stream_fixture.h - a loop on a fake clock and recording owners of streams, for the tests of streams and TLS
 *
 * A struct peer owns one stream, keeps everything that was received, and a transcript of its callbacks: C connected,
 * T on_tls, I input, D drained, and for the end E (EOF), R (reset), S (TLS), O (timeout).
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"

enum { RECEIVED_MAX = 32 * 1024 * 1024 };

struct peer {
    struct stream *stream;
    struct strbuf received;
    struct strbuf transcript;
    char detail[400];
    char free_at;            /* frees the stream in the callback with this letter */
    bool leave_input;        /* does not take input */
    bool pause_once;         /* pauses when the next input comes */
    bool resume_at_once;     /* and resumes in the same callback */
    struct tls_context *tls; /* starts TLS as a server when the line STARTTLS has come */
    int start_tls_result;
    bool inside; /* the test is in a call of its own: no callback may come */
};

struct net {
    struct clock *clock;
    struct loop *loop;
    struct peer a, b; /* client, server */
    struct loop_listener *listener;
    struct tls_context *accept_tls; /* implicit TLS for accepted connections */
};

static inline void peer_saw(struct peer *peer, char what)
{
    assert_false(peer->inside);
    assert_non_null(peer->stream); /* no callback after stream_free() */
    strbuf_add_char(&peer->transcript, what);
    if (peer->free_at == what)
        stream_free(&peer->stream);
}

static inline void peer_connected(struct stream *stream, void *ctx)
{
    (void)stream;
    peer_saw(ctx, 'C');
}

static inline void peer_tls(struct stream *stream, void *ctx)
{
    (void)stream;
    peer_saw(ctx, 'T');
}

static inline void peer_take(struct peer *peer)
{
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(peer->stream, &data)) > 0) {
        strbuf_add(&peer->received, data, len);
        stream_consume(peer->stream, len);
    }
}

static inline void peer_input(struct stream *stream, void *ctx)
{
    struct peer *peer = ctx;
    assert_true(stream_input_size(stream) > 0);
    peer_saw(peer, 'I');
    if (peer->stream != NULL && peer->pause_once) {
        peer->pause_once = false;
        stream_pause_input(stream, true);
        if (peer->resume_at_once)
            stream_pause_input(stream, false);
        return;
    }
    if (peer->stream == NULL || peer->leave_input)
        return;
    if (peer->tls != NULL && !stream_is_tls(stream)) {
        const char *line;
        size_t len;
        if (stream_read_line(stream, 100, false, &line, &len, NULL) == 1 && strcmp(line, "STARTTLS") == 0) {
            stream_write(stream, "220 ready\r\n", 11);
            peer->start_tls_result = stream_start_tls_server(stream, peer->tls);
        }
        return;
    }
    peer_take(peer);
}

static inline void peer_drained(struct stream *stream, void *ctx)
{
    (void)stream;
    peer_saw(ctx, 'D');
}

static inline void peer_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream;
    struct peer *peer = ctx;
    struct strbuf copy;
    strbuf_init(&copy, sizeof peer->detail - 1);
    strbuf_add_str(&copy, detail);
    memcpy(peer->detail, copy.data, copy.len + 1);
    strbuf_free(&copy);
    peer_saw(peer, "ERSO"[why]);
}

static const struct stream_callbacks peer_callbacks = {
    .on_connected = peer_connected,
    .on_tls = peer_tls,
    .on_input = peer_input,
    .on_drained = peer_drained,
    .on_end = peer_end,
};

static inline struct stream_settings peer_settings(struct peer *peer, size_t input_max)
{
    return (struct stream_settings){ .callbacks = &peer_callbacks, .ctx = peer, .input_max = input_max };
}

static inline int net_set_up(void **state)
{
    log_set_level(LOG_LEVEL_ERROR);
    struct net *net = xcalloc(1, sizeof *net);
    net->clock = clock_new_fake(1000, 0);
    net->loop = loop_new(net->clock);
    strbuf_init(&net->a.received, RECEIVED_MAX);
    strbuf_init(&net->a.transcript, 100000);
    strbuf_init(&net->b.received, RECEIVED_MAX);
    strbuf_init(&net->b.transcript, 100000);
    *state = net;
    return 0;
}

static inline int net_tear_down(void **state)
{
    struct net *net = *state;
    stream_free(&net->a.stream);
    stream_free(&net->b.stream);
    loop_listener_free(&net->listener);
    loop_free(&net->loop);
    clock_free(&net->clock);
    strbuf_free(&net->a.received);
    strbuf_free(&net->a.transcript);
    strbuf_free(&net->b.received);
    strbuf_free(&net->b.transcript);
    free(net);
    return 0;
}

static inline void net_turns(struct net *net, int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(net->loop);
}

/* Turns until the peer's transcript holds one of the letters: across real sockets the kernel decides when. */
static inline void net_turn_until(struct net *net, const struct peer *peer, const char *letters)
{
    for (int i = 0; i < 2000000; i++) {
        if (strpbrk(peer->transcript.data, letters) != NULL)
            return;
        loop_turn(net->loop);
    }
    fail_msg("waited for one of \"%s\", saw \"%s\"", letters, peer->transcript.data);
}

static inline void net_pair(struct net *net, size_t input_max_a, size_t input_max_b)
{
    struct stream_settings a = peer_settings(&net->a, input_max_a), b = peer_settings(&net->b, input_max_b);
    stream_new_pair(net->loop, &a, &b, &net->a.stream, &net->b.stream);
}

static inline void net_accepted(int fd, const char *from, void *arg)
{
    (void)from;
    struct net *net = arg;
    struct stream_settings settings = peer_settings(&net->b, 0);
    net->b.stream = stream_new_accepted(net->loop, &settings, fd, net->accept_tls);
}

static inline void net_listen(struct net *net)
{
    const char *error = NULL;
    net->listener = loop_listener_new(net->loop, "127.0.0.1:0", net_accepted, net, &error);
    assert_non_null(net->listener);
}

static inline void net_connect(struct net *net, const struct stream_target *target)
{
    struct stream_settings settings = peer_settings(&net->a, 0);
    net->a.inside = true;
    net->a.stream = stream_new_connecting(net->loop, &settings, target);
    net->a.inside = false;
}

static inline void peer_write(struct peer *peer, const char *text)
{
    peer->inside = true;
    stream_write(peer->stream, text, strlen(text));
    peer->inside = false;
}

static inline size_t count_letters(const struct strbuf *transcript, char letter)
{
    size_t count = 0;
    for (size_t i = 0; i < transcript->len; i++)
        count += transcript->data[i] == letter;
    return count;
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, net_set_up, net_tear_down)
