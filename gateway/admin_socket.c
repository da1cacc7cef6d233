/* admin_socket.c - see admin_socket.h */
#include "gateway/admin_socket.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/wipe.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"

enum { REQUEST_MAX = 1024 * 1024, WORDS_MAX = 64, CONNECTIONS_MAX = 16, IDLE_MS = 30 * 1000, ACTOR_SIZE = 80 };

/* Lives until its command has answered, even when the client has gone. */
struct connection {
    struct loop *loop;
    struct admin_socket *socket; /* NULL once that was freed */
    struct connection *next;
    struct stream *stream; /* NULL once the client has gone */
    bool running;          /* a command has not answered yet */
    char actor[ACTOR_SIZE];
};

struct admin_socket {
    struct gateway *gateway;
    struct loop_listener *listener;
    struct connection *connections;
    unsigned count;
};

static void unlink_connection(struct connection *connection)
{
    struct admin_socket *owner = connection->socket;
    if (!owner)
        return;
    struct connection **link = &owner->connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    owner->count--;
    connection->socket = NULL;
}

/* At the end of the turn: this may be one of its stream's callbacks. */
static void connection_free(struct connection *connection)
{
    unlink_connection(connection);
    stream_free(&connection->stream);
    loop_defer(connection->loop, free, connection);
}

static void answer(enum admin_exit exit, const char *out, const char *err, void *ctx)
{
    struct connection *connection = ctx;
    if (connection->stream) {
        json_t *reply = json_pack("{s:i, s:s, s:s}", "exit", exit == ADMIN_NOT_NOW ? ADMIN_REFUSED : (int)exit, "out",
                                  out, "err", err);
        char *line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
        if (line) {
            stream_write(connection->stream, line, strlen(line));
            stream_write(connection->stream, "\n", 1);
            stream_close_after_output(&connection->stream);
        }
        wipe_free(line);
        json_decref(reply);
    }
    connection_free(connection);
}

static void complain(struct connection *connection, const char *what)
{
    connection->running = true;
    answer(ADMIN_USAGE, "", what, connection);
}

static void run_request(struct connection *connection, const char *line, size_t len)
{
    const char *words[WORDS_MAX];
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *argv = json_object_get(request, "argv"), *word;
    size_t i, count = json_array_size(argv);
    bool good = request && json_is_array(argv) && count <= WORDS_MAX;
    if (good) {
        json_array_foreach(argv, i, word)
        {
            words[i] = json_string_value(word);
            good = good && words[i];
        }
    }
    if (good) {
        const struct store_actor actor = { .channel = "cli", .name = connection->actor };
        const struct admin_order order = { .actor = &actor,
                                           .json = json_is_true(json_object_get(request, "json")),
                                           .argc = count,
                                           .argv = words,
                                           .input = json_string_value(json_object_get(request, "input")) };
        connection->running = true;
        admin_run(connection->socket->gateway, &order, answer, connection);
    } else {
        complain(connection, "posternctl: the daemon did not understand the request\n");
    }
    json_decref(request);
}

static void on_input(struct stream *stream, void *ctx)
{
    struct connection *connection = ctx;
    const char *line;
    size_t len;
    if (connection->running)
        return; /* one command per connection */
    int result = stream_read_line(stream, REQUEST_MAX, true, &line, &len, NULL);
    if (result < 0)
        complain(connection, "posternctl: the request is too long\n");
    else if (result == 1)
        run_request(connection, line, len);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct connection *connection = ctx;
    (void)stream;
    (void)why;
    (void)detail;
    stream_free(&connection->stream);
    if (!connection->running)
        connection_free(connection);
}

static const struct stream_callbacks callbacks = { .on_input = on_input, .on_end = on_end };

/* "root (uid 0)": from the kernel, so nobody can pretend. */
static void name_actor(int fd, char out[static ACTOR_SIZE])
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    struct strbuf name;
    strbuf_init(&name, ACTOR_SIZE - 1);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        const struct passwd *entry = getpwuid(peer.uid);
        strbuf_add_fmt(&name, "%.40s (uid %u)", entry ? entry->pw_name : "somebody", (unsigned)peer.uid);
    } else {
        strbuf_add_str(&name, "unknown");
    }
    memcpy(out, name.data, name.len + 1);
    strbuf_free(&name);
}

static void on_accept(int fd, const char *peer, void *arg)
{
    struct admin_socket *owner = arg;
    (void)peer;
    if (owner->count >= CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    struct connection *connection = xcalloc(1, sizeof *connection);
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = connection, .input_max = REQUEST_MAX + 2 };
    connection->loop = gateway_parts(owner->gateway)->loop;
    connection->socket = owner;
    connection->next = owner->connections;
    owner->connections = connection;
    owner->count++;
    name_actor(fd, connection->actor);
    connection->stream = stream_new_accepted(connection->loop, &settings, fd, NULL);
    stream_set_idle_timeout(connection->stream, IDLE_MS);
}

struct admin_socket *admin_socket_new(struct gateway *gateway, const char *path, char **error_out)
{
    struct admin_socket *made = xcalloc(1, sizeof *made);
    struct strbuf address;
    const char *error;
    json_set_alloc_funcs(malloc, wipe_free); /* passwords come, tokens go; for the whole process */
    strbuf_init(&address, 200);
    strbuf_add_fmt(&address, "unix:%s", path);
    made->gateway = gateway;
    made->listener = loop_listener_new(gateway_parts(gateway)->loop, address.data, on_accept, made, &error);
    if (!made->listener) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        strbuf_add_fmt(&text, "can't open the control socket %s: %s", path, error);
        *error_out = strbuf_detach(&text);
        free(made);
        made = NULL;
    }
    strbuf_free(&address);
    return made;
}

void admin_socket_free(struct admin_socket **socket_in)
{
    struct admin_socket *owner = *socket_in;
    if (!owner)
        return;
    while (owner->connections) {
        struct connection *connection = owner->connections;
        if (connection->running) { /* its command will answer yet */
            stream_free(&connection->stream);
            unlink_connection(connection);
        } else {
            connection_free(connection);
        }
    }
    loop_listener_free(&owner->listener);
    free(owner);
    *socket_in = NULL;
}
