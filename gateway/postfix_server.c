/* postfix_server.c - see postfix_server.h */
#include "gateway/postfix_server.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"

enum {
    INPUT_MAX = 8 * 1024,
    OUTPUT_MAX = 16 * 1024, /* answers that wait for the client to read them */
    ANSWER_MAX = 2 * 1024,
    REQUESTS_PER_TURN = 64,   /* of all connections, but one of each */
    REQUESTS_OF_ONE = 32,     /* at most */
    IDLE_MS = 10 * 60 * 1000, /* Postfix closes its connections after 5 minutes by itself */
    SILENT_MS = 10 * 1000,    /* without a question: then it may go when its place is wanted */
    RESTING_MS =
        20 * 1000, /* likewise, of one that has asked, and has read what it was answered, as far as can be seen */
};

struct connection {
    struct postfix_server *server;
    struct connection *next;
    struct stream *stream;
    char *peer;
    void *parser;
    bool has_asked;
    int64_t active_at; /* monotonic: when it came, or asked last */
};

struct postfix_server {
    struct loop *loop;
    const struct postfix_protocol *protocol;
    void *ctx;
    struct loop_listener *listener;
    struct smtp_access *access; /* NULL: everybody */
    struct connection *connections;
    unsigned count;
};

static void release(void *arg)
{
    struct connection *connection = arg;
    free(connection->parser);
    free(connection->peer);
    free(connection);
}

/* At the end of the turn: this may be one of its stream's callbacks. */
static void connection_free(struct connection *connection)
{
    struct postfix_server *server = connection->server;
    struct connection **link = &server->connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    server->count--;
    if (connection->stream)
        stream_free(&connection->stream);
    loop_defer(server->loop, release, connection);
}

static void answer(struct connection *connection)
{
    struct strbuf out;
    strbuf_init(&out, ANSWER_MAX);
    connection->server->protocol->answer(connection->parser, connection->server->ctx, &out);
    stream_write(connection->stream, out.data, out.len);
    strbuf_free(&out);
}

/* Answers at most `most` requests. 1 there may be more to do; 0 nothing is left that could be answered now; -1 what was
 * sent is not the protocol. */
static int answer_some(struct connection *connection, unsigned most)
{
    const uint8_t *data;
    size_t len, used;
    while (most > 0 && (len = stream_peek(connection->stream, &data)) > 0) {
        int result = connection->server->protocol->feed(connection->parser, data, len, &used);
        stream_consume(connection->stream, used);
        if (result < 0)
            return -1;
        if (result == 1) {
            connection->has_asked = true;
            connection->active_at = clock_monotonic_ms(loop_clock(connection->server->loop));
            answer(connection);
            most--;
        }
        if (stream_pending_output(connection->stream) > OUTPUT_MAX)
            break;
    }
    return stream_input_size(connection->stream) > 0;
}

static void drop(struct connection *connection, const char *why)
{
    log_warning("postfix.closed", "service=%s peer=%s reason=%s", connection->server->protocol->name, connection->peer,
                why);
    connection_free(connection);
}

static unsigned requests_of(const struct postfix_server *server)
{
    unsigned share = REQUESTS_PER_TURN / server->count;
    return share < 1 ? 1 : share < REQUESTS_OF_ONE ? share : REQUESTS_OF_ONE;
}

static void on_input(struct stream *stream, void *ctx)
{
    struct connection *connection = ctx;
    int result = answer_some(connection, requests_of(connection->server));
    if (result < 0) {
        drop(connection, "this is not the protocol");
        return;
    }
    /* Pausing and resuming brings us here again at the end of the turn. */
    bool unread = stream_pending_output(stream) > OUTPUT_MAX;
    stream_pause_input(stream, unread || result == 1);
    stream_pause_input(stream, unread);
}

static void on_drained(struct stream *stream, void *ctx)
{
    (void)ctx;
    stream_pause_input(stream, false);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct connection *connection = ctx;
    (void)stream;
    (void)detail;
    if (why == STREAM_END_EOF) /* whoever has asked and then closed its direction still gets the answers */
        stream_close_after_output(&connection->stream);
    connection_free(connection);
}

static const struct stream_callbacks callbacks = { .on_input = on_input, .on_drained = on_drained, .on_end = on_end };

static bool may_come_in(const struct postfix_server *server, const char *peer)
{
    char *host = smtp_access_address_of_peer(peer);
    bool is_local = strcmp(peer, "unix") == 0; /* the socket's mode has let it in */
    bool is_allowed = !server->access || is_local || smtp_access_allows(server->access, host);
    free(host);
    return is_allowed;
}

static int64_t patience_with(const struct connection *connection)
{
    bool is_resting = connection->has_asked && stream_pending_output(connection->stream) == 0;
    return is_resting ? RESTING_MS : SILENT_MS;
}

/* When all places are taken, the one goes that has been silent longest, for long enough; who only connects, or does not read, must not keep
 * Postfix out. Postfix connects again when it has a question. */
static void make_room(struct postfix_server *server)
{
    int64_t now = clock_monotonic_ms(loop_clock(server->loop));
    struct connection *longest = NULL;
    if (server->count < POSTFIX_SERVER_CONNECTIONS_MAX)
        return;
    for (struct connection *at = server->connections; at; at = at->next)
        if (now - at->active_at >= patience_with(at) && (!longest || at->active_at <= longest->active_at))
            longest = at;
    if (longest)
        drop(longest, "silent, and its place is wanted");
}

static void on_accept(int fd, const char *peer, void *arg)
{
    struct postfix_server *server = arg;
    bool may_come = may_come_in(server, peer);
    if (may_come)
        make_room(server);
    bool is_full = server->count >= POSTFIX_SERVER_CONNECTIONS_MAX;
    if (is_full || !may_come) {
        log_warning("postfix.turned_away", "service=%s peer=%s reason=%s", server->protocol->name, peer,
                    may_come ? "too many connections" : "not one of postfix.clients");
        close(fd);
        return;
    }
    struct connection *connection = xcalloc(1, sizeof *connection);
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = connection, .input_max = INPUT_MAX };
    connection->server = server;
    connection->active_at = clock_monotonic_ms(loop_clock(server->loop));
    connection->peer = xstrdup(peer);
    connection->parser = xcalloc(1, server->protocol->parser_size);
    connection->next = server->connections;
    server->connections = connection;
    server->count++;
    connection->stream = stream_new_accepted(server->loop, &settings, fd, NULL);
    stream_set_idle_timeout(connection->stream, IDLE_MS);
}

struct postfix_server *postfix_server_new(const struct postfix_server_settings *settings, char **error_out)
{
    struct postfix_server *server = xcalloc(1, sizeof *server);
    const char *error;
    *error_out = NULL;
    server->loop = settings->loop;
    server->protocol = settings->protocol;
    server->ctx = settings->ctx;
    if (settings->clients && !(server->access = smtp_access_new(settings->clients, error_out))) {
        free(server);
        return NULL;
    }
    server->listener = loop_listener_new(settings->loop, settings->address, on_accept, server, &error);
    if (!server->listener) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        strbuf_add_fmt(&text, "can't listen on %s for %s: %s", settings->address, settings->protocol->name, error);
        *error_out = strbuf_detach(&text);
        postfix_server_free(&server);
    }
    return server;
}

void postfix_server_free(struct postfix_server **server_in)
{
    struct postfix_server *server = *server_in;
    if (!server)
        return;
    while (server->connections)
        connection_free(server->connections);
    if (server->listener)
        loop_listener_free(&server->listener);
    if (server->access)
        smtp_access_free(&server->access);
    free(server);
    *server_in = NULL;
}

const char *postfix_server_address(const struct postfix_server *server)
{
    return loop_listener_address(server->listener);
}

unsigned postfix_server_connections(const struct postfix_server *server)
{
    return server->count;
}
