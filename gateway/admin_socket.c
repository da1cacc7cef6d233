/* admin_socket.c - see admin_socket.h */
#include "gateway/admin_socket.h"

#include <assert.h>
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
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "mapping/store.h"

enum {
    REQUEST_MAX = 1024 * 1024,
    WORDS_MAX = 64,
    CONNECTIONS_MAX = 64,
    OF_USER_MAX = 32,
    READ_MS = 30 * 1000,
    ANSWER_MS = 60 * 1000,
    ANSWERS_MAX = 64 * 1024 * 1024, /* octets that were not taken yet, of all */
    SIGN_MS = 2 * 1000,
    STALLED_MS = 30 * 1000,
    ACTOR_SIZE = 80,
};

enum state {
    STATE_READING,  /* the request is not whole */
    STATE_RUNNING,  /* its command has not answered yet */
    STATE_ANSWERED, /* the answer is on its way */
    STATE_OVER,     /* freed at the end of the turn */
};

/* Lives until its command has answered, even when the client has gone. */
struct connection {
    struct loop *loop;
    struct admin_socket *socket; /* NULL once that was freed */
    struct connection *next;     /* an older one */
    struct stream *stream;       /* NULL once the client has gone */
    struct timer *timer;         /* READING: for the request to come; ANSWERED: for the answer to be read */
    enum state state;
    uid_t uid;
    char actor[ACTOR_SIZE];
};

struct admin_socket {
    struct gateway *gateway;
    struct loop_listener *listener;
    struct connection *connections; /* the newest first */
    unsigned count;
    struct timer *signs;
};

static void set_state(struct connection *connection, enum state state)
{
    static const unsigned allowed[] = {
        [STATE_READING] = 1u << STATE_RUNNING | 1u << STATE_ANSWERED | 1u << STATE_OVER,
        [STATE_RUNNING] = 1u << STATE_ANSWERED | 1u << STATE_OVER,
        [STATE_ANSWERED] = 1u << STATE_OVER,
        [STATE_OVER] = 0,
    };
    assert(allowed[connection->state] & 1u << state);
    connection->state = state;
}

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

/* At the end of the turn: this may be one of its stream's callbacks. gently: what was written still goes. */
static void end_connection(struct connection *connection, bool gently)
{
    set_state(connection, STATE_OVER);
    unlink_connection(connection);
    if (connection->stream && gently)
        stream_close_after_output(&connection->stream);
    else
        stream_free(&connection->stream);
    timer_free(&connection->timer);
    loop_defer(connection->loop, free, connection);
}

static void on_timer(void *arg)
{
    end_connection(arg, false);
}

static void write_answer(struct stream *stream, int exit, const char *out, const char *err)
{
    json_t *reply = json_pack("{s:i, s:s, s:s}", "exit", exit, "out", out, "err", err);
    char *line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    if (line) {
        stream_write(stream, line, strlen(line));
        stream_write(stream, "\n", 1);
    }
    free(line);
    json_decref(reply);
}

/* Whoever asks for much and does not read it must not have all memory: who was answered longest ago goes. */
static void bound_answers(const struct admin_socket *owner)
{
    size_t waiting = 0;
    for (struct connection *at = owner->connections, *next; at; at = next) {
        next = at->next;
        if (at->state == STATE_ANSWERED && (waiting += stream_pending_output(at->stream)) > ANSWERS_MAX)
            end_connection(at, false);
    }
}

static void answer(enum admin_exit exit, const char *out, const char *err, void *ctx)
{
    struct connection *connection = ctx;
    if (!connection->stream || !connection->socket) {
        end_connection(connection, false);
        return;
    }
    set_state(connection, STATE_ANSWERED);
    write_answer(connection->stream, exit == ADMIN_NOT_NOW ? ADMIN_REFUSED : (int)exit, out, err);
    timer_start(connection->timer, ANSWER_MS);
    bound_answers(connection->socket);
}

static void complain(struct connection *connection, enum admin_exit exit, const char *what)
{
    write_answer(connection->stream, (int)exit, "", what);
    end_connection(connection, true);
}

/* A blank now and then in front of the answer: the loop turns, and the database gets on. Who does not hear it may give up (ctl_client.c). */
static void give_signs(void *arg)
{
    struct admin_socket *owner = arg;
    bool lives = store_stalled_ms(gateway_parts(owner->gateway)->store) < STALLED_MS;
    for (struct connection *at = owner->connections; at && lives; at = at->next)
        if (at->state == STATE_RUNNING && at->stream && stream_pending_output(at->stream) == 0)
            stream_write(at->stream, " ", 1);
    timer_start(owner->signs, SIGN_MS);
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
        set_state(connection, STATE_RUNNING);
        stream_pause_input(connection->stream, true); /* one command per connection */
        timer_stop(connection->timer);
        admin_run(connection->socket->gateway, &order, answer, connection);
    } else {
        complain(connection, ADMIN_USAGE, "posternctl: the daemon did not understand the request\n");
    }
    json_decref(request);
}

static void on_input(struct stream *stream, void *ctx)
{
    struct connection *connection = ctx;
    const char *line;
    size_t len;
    if (connection->state != STATE_READING)
        return;
    int result = stream_read_line(stream, REQUEST_MAX, true, &line, &len, NULL);
    if (result < 0)
        complain(connection, ADMIN_USAGE, "posternctl: the request is too long\n");
    else if (result == 1)
        run_request(connection, line, len);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct connection *connection = ctx;
    (void)stream;
    (void)why;
    (void)detail;
    if (connection->state == STATE_RUNNING)
        stream_free(&connection->stream);
    else
        end_connection(connection, false);
}

static void on_drained(struct stream *stream, void *ctx)
{
    struct connection *connection = ctx;
    (void)stream;
    if (connection->state == STATE_ANSWERED)
        end_connection(connection, true);
}

static const struct stream_callbacks callbacks = { .on_input = on_input, .on_drained = on_drained, .on_end = on_end };

/* "root (uid 0)": from the kernel, so nobody can pretend. */
static uid_t name_actor(int fd, char out[static ACTOR_SIZE])
{
    struct ucred peer = { .uid = (uid_t)-1 };
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
    return peer.uid;
}

static unsigned count_of(const struct admin_socket *owner, uid_t uid)
{
    unsigned count = 0;
    for (const struct connection *at = owner->connections; at; at = at->next)
        count += at->uid == uid;
    return count;
}

/* The oldest in this state, of the user who has most of them. only: of this user. */
static struct connection *oldest(const struct admin_socket *owner, enum state state, const uid_t *only)
{
    struct connection *found = NULL;
    unsigned most = 0;
    for (struct connection *at = owner->connections; at; at = at->next) {
        unsigned count = at->state == state && (!only || at->uid == *only) ? count_of(owner, at->uid) : 0;
        if (count > 0 && count >= most) { /* they come from new to old */
            found = at;
            most = count;
        }
    }
    return found;
}

/* Requests come, and answers are read, in no time, unless somebody only wants to be in the way. */
static bool make_room(struct admin_socket *owner, uid_t uid)
{
    bool is_much = count_of(owner, uid) >= OF_USER_MAX;
    if (!is_much && owner->count < CONNECTIONS_MAX)
        return true;
    struct connection *silent = oldest(owner, STATE_READING, is_much ? &uid : NULL);
    if (silent) {
        complain(silent, ADMIN_REFUSED,
                 "posternctl: there are too many connections, and this one's request had not come\n");
        return true;
    }
    struct connection *deaf = oldest(owner, STATE_ANSWERED, is_much ? &uid : NULL);
    if (deaf)
        end_connection(deaf, false);
    return deaf != NULL;
}

static void on_accept(int fd, const char *peer, void *arg)
{
    struct admin_socket *owner = arg;
    (void)peer;
    struct connection *connection = xcalloc(1, sizeof *connection);
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = connection, .input_max = REQUEST_MAX + 2 };
    connection->loop = gateway_parts(owner->gateway)->loop;
    connection->uid = name_actor(fd, connection->actor);
    connection->stream = stream_new_accepted(connection->loop, &settings, fd, NULL);
    if (!make_room(owner, connection->uid)) {
        complain(connection, ADMIN_REFUSED,
                 "posternctl: the daemon is answering as many others as it may; try again later\n");
        return;
    }
    connection->timer = timer_new(connection->loop, on_timer, connection);
    timer_start(connection->timer, READ_MS);
    connection->socket = owner;
    connection->next = owner->connections;
    owner->connections = connection;
    owner->count++;
}

struct admin_socket *admin_socket_new(struct gateway *gateway, const char *path, char **error_out)
{
    struct admin_socket *made = xcalloc(1, sizeof *made);
    struct strbuf address;
    const char *error;
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
    } else {
        made->signs = timer_new(gateway_parts(gateway)->loop, give_signs, made);
        timer_start(made->signs, SIGN_MS);
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
        if (connection->state == STATE_RUNNING) { /* its command will answer yet */
            stream_free(&connection->stream);
            unlink_connection(connection);
        } else {
            end_connection(connection, connection->state == STATE_ANSWERED);
        }
    }
    timer_free(&owner->signs);
    loop_listener_free(&owner->listener);
    free(owner);
    *socket_in = NULL;
}
