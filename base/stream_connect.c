#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop_address.h"
#include "base/strbuf.h"
#include "base/stream_internal.h"
#include "base/stream_lookup.h"
#include "base/tls.h"
#include "base/xmalloc.h"

enum {
    DETAIL_MAX = 400,
    CANDIDATE_MS = 5 * 1000, /* for an address with others behind it; most answer within a second or never */
};

struct stream_connect {
    char *address; /* as given by the owner */
    char host[LOOP_ADDRESS_HOST_SIZE];
    char port[LOOP_ADDRESS_PORT_SIZE];
    struct stream_lookup *lookup; /* NULL when none is running */
    struct loop_address *candidates;
    size_t count;
    size_t next; /* the candidate to try after the current one */
    int64_t deadline_ms;
    struct tls_context *tls; /* our own reference; NULL: plain */
    char *tls_name;
    char *pin;
    struct strbuf failure; /* of the last candidate: "192.0.2.1:25: Connection refused" */
};

struct stream *stream_new_connecting(struct loop *loop, const struct stream_settings *settings,
                                     const struct stream_target *target)
{
    struct stream *stream = stream_new(loop, settings, STREAM_CONNECTING);
    struct stream_connect *connect = xcalloc(1, sizeof *connect);
    int64_t timeout = target->connect_timeout_ms > 0 ? target->connect_timeout_ms : STREAM_CONNECT_TIMEOUT_MS;
    connect->address = xstrdup(target->address);
    connect->deadline_ms = loop_now_ms(loop) + timeout;
    connect->tls = target->tls == NULL ? NULL : tls_context_ref(target->tls);
    connect->tls_name = target->tls_name == NULL ? NULL : xstrdup(target->tls_name);
    connect->pin = target->pin == NULL ? NULL : xstrdup(target->pin);
    strbuf_init(&connect->failure, DETAIL_MAX);
    stream->connect = connect;
    stream_do_later(stream, CHORE_CONNECT);
    return stream;
}

void stream_connect_free(struct stream_connect **connect)
{
    struct stream_connect *c = *connect;
    if (c == NULL)
        return;
    *connect = NULL;
    stream_lookup_free(&c->lookup);
    tls_context_free(&c->tls);
    strbuf_free(&c->failure);
    free(c->candidates);
    free(c->tls_name);
    free(c->address);
    free(c->pin);
    free(c);
}

/* Remembers why a candidate failed; the last one's reason is reported. */
static void note_failure(struct stream_connect *connect, const char *reason)
{
    char candidate[LOOP_ADDRESS_TEXT_SIZE];
    const struct loop_address *address = &connect->candidates[connect->next - 1];
    loop_address_format(address, candidate);
    strbuf_clear(&connect->failure);
    strbuf_add_fmt(&connect->failure, "%.255s: %s",
                   address->storage.ss_family == AF_UNIX ? connect->address : candidate, reason);
}

static void fail_with(struct stream *stream, enum stream_end why, const char *reason)
{
    struct strbuf detail;
    strbuf_init(&detail, DETAIL_MAX);
    strbuf_add_fmt(&detail, "%.255s: %s", stream->connect->address, reason);
    stream_fail(stream, why, detail.data);
    strbuf_free(&detail);
}

static int64_t left_ms(const struct stream *stream)
{
    int64_t left = stream->connect->deadline_ms - loop_now_ms(stream->loop);
    return left < 0 ? 0 : left;
}

/* TCP is up: what is left of the time is for TLS. */
static void connected(struct stream *stream)
{
    struct stream_connect *connect = stream->connect;
    stream_vigil_begin(stream);
    if (connect->tls == NULL) {
        stream_opened(stream);
        return;
    }
    const char *name = connect->tls_name;
    if (name == NULL && connect->host[0] != '\0')
        name = connect->host;
    stream_limit(stream, left_ms(stream));
    stream_tls_prepare(stream, connect->tls, false, name, connect->pin);
    stream_tls_begin(stream);
}

/* Begins to connect: 1 connected, 0 under way, -1 failed with errno. */
static int try_candidate(struct stream *stream, const struct loop_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address->storage.ss_family != AF_UNIX)
        stream_vigil_prepare(fd);
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) == 0) {
        stream_attach(stream, fd);
        return 1;
    }
    if (errno == EINPROGRESS) {
        stream_attach(stream, fd);
        return 0;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void try_next(struct stream *stream)
{
    struct stream_connect *connect = stream->connect;
    while (connect->next < connect->count) {
        /* An address that swallows packets must leave time for the others. */
        size_t untried = connect->count - connect->next;
        int64_t share = left_ms(stream) / (int64_t)untried;
        if (untried > 1 && share > CANDIDATE_MS)
            share = CANDIDATE_MS;
        int result = try_candidate(stream, &connect->candidates[connect->next++]);
        if (result == 1) {
            connected(stream);
            return;
        }
        if (result == 0) {
            stream_limit(stream, share);
            return;
        }
        note_failure(connect, strerror(errno));
    }
    /* A copy: stream_fail() frees what connect holds. */
    char *reason = xstrdup(connect->failure.data);
    stream_fail(stream, STREAM_END_RESET, reason);
    free(reason);
}

void stream_connect_ready(struct stream *stream)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0) {
        connected(stream);
        return;
    }
    stream_detach(stream);
    note_failure(stream->connect, strerror(error));
    try_next(stream);
}

void stream_connect_expired(struct stream *stream)
{
    struct stream_connect *connect = stream->connect;
    if (connect->lookup != NULL) {
        fail_with(stream, STREAM_END_TIMEOUT, "name lookup took too long");
        return;
    }
    if (connect->next == connect->count || left_ms(stream) == 0) {
        fail_with(stream, STREAM_END_TIMEOUT, "no answer in time");
        return;
    }
    stream_detach(stream);
    note_failure(connect, strerror(ETIMEDOUT));
    try_next(stream);
}

static void set_candidates(struct stream_connect *connect, const struct loop_address *addresses, size_t count)
{
    connect->candidates = xreallocarray(NULL, count, sizeof addresses[0]);
    memcpy(connect->candidates, addresses, count * sizeof addresses[0]);
    connect->count = count;
}

static void looked_up(const struct loop_address *addresses, size_t count, const char *error, void *arg)
{
    struct stream *stream = arg;
    stream->connect->lookup = NULL;
    if (count == 0) {
        fail_with(stream, STREAM_END_RESET, error == NULL ? "no addresses" : error);
    } else {
        set_candidates(stream->connect, addresses, count);
        try_next(stream);
    }
    stream_report(stream);
    stream_watch(stream);
}

void stream_connect_begin(struct stream *stream)
{
    struct stream_connect *connect = stream->connect;
    struct loop_address address;
    switch (loop_address_parse(connect->address, &address, connect->host, connect->port)) {
    case LOOP_ADDRESS_READY:
        set_candidates(connect, &address, 1);
        try_next(stream);
        return;
    case LOOP_ADDRESS_NAME:
        connect->lookup = stream_lookup_new(stream->loop, connect->host, connect->port, looked_up, stream);
        if (connect->lookup == NULL)
            fail_with(stream, STREAM_END_RESET, "no thread for the name lookup");
        else
            stream_limit(stream, left_ms(stream));
        return;
    case LOOP_ADDRESS_MALFORMED:
        fail_with(stream, STREAM_END_RESET, "not an address to connect to (expected HOST:PORT or unix:PATH)");
        return;
    }
}
