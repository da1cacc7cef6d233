/* http_server.c - see http_server.h */
#include "base/http_server.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"

enum {
    REQUESTS_MAX = 1000, /* of one connection: what it holds is given back some time */
    ANSWER_HEAD_MAX = 16 * 1024,
    READING_FACTOR = 10, /* see timeout_ms */
};

enum connection_state {
    CONNECTION_IDLE,     /* no octet of a request has come */
    CONNECTION_HEAD,     /* some have, but not the empty line */
    CONNECTION_BODY,     /* the head is whole */
    CONNECTION_HANDLED,  /* the handler has the request; nothing is read */
    CONNECTION_ANSWERED, /* the answer is on its way; nothing is read */
    CONNECTION_OVER,     /* no stream any more: freed with its request */
};

struct connection {
    struct loop *loop;
    struct http_server *server; /* NULL once that was freed */
    struct connection *next;
    struct stream *stream;
    enum connection_state state;
    struct timer *timer;
    struct http_head *head; /* of the request that is coming */
    size_t head_octets;
    struct strbuf body;
    struct http_request *request; /* the handler's; NULL: none */
    unsigned requests;
    bool closes; /* behind the answer that is on its way */
    int64_t
        since; /* monotonic: IDLE, or until then; HEAD and BODY: since the request began to come; ANSWERED: since then */
    char *peer;
};

struct http_request {
    struct connection *connection; /* may be OVER */
    struct http_head *head;
    struct strbuf body;
    struct http_pairs form;
    bool is_malformed; /* the form */
    int64_t came_at;   /* monotonic */
};

struct http_server {
    struct loop *loop;
    struct loop_listener *listener;
    struct connection *connections;
    unsigned count;
    char *name;
    char **hosts;
    size_t header_max, body_max, answers_max;
    unsigned connections_max;
    int64_t timeout_ms;
    const struct http_field *fields;
    http_handler *handler;
    void *ctx;
    bool draining;
};

static void process(struct connection *connection);

static int64_t now(const struct connection *connection)
{
    return clock_monotonic_ms(loop_clock(connection->loop));
}

static struct connection *longest(const struct http_server *server, unsigned states)
{
    struct connection *longest = NULL;
    for (struct connection *at = server->connections; at; at = at->next)
        if (states & 1u << at->state && (!longest || at->since <= longest->since))
            longest = at;
    return longest;
}

/* Which ends when there is no room for another one: the one idle longest, else the one whose request has been coming longest, else who has
 * been reading an answer longest. Both take no time unless somebody lets them drip, and that must not keep others out. NULL: the handler has
 * them all. */
static struct connection *least_missed(const struct http_server *server)
{
    struct connection *idle = longest(server, 1u << CONNECTION_IDLE);
    struct connection *coming = idle ? NULL : longest(server, 1u << CONNECTION_HEAD | 1u << CONNECTION_BODY);
    return idle ? idle : coming ? coming : longest(server, 1u << CONNECTION_ANSWERED);
}

static void update_accepting(struct http_server *server)
{
    bool full = server->count >= server->connections_max && !least_missed(server);
    loop_listener_pause(server->listener, server->draining || full);
}

static void set_state(struct connection *connection, enum connection_state state)
{
    /* Rows: from. */
    static const unsigned allowed[] = {
        [CONNECTION_IDLE] = 1u << CONNECTION_HEAD | 1u << CONNECTION_OVER,
        [CONNECTION_HEAD] = 1u << CONNECTION_BODY | 1u << CONNECTION_HANDLED | 1u << CONNECTION_OVER,
        [CONNECTION_BODY] = 1u << CONNECTION_HANDLED | 1u << CONNECTION_OVER,
        [CONNECTION_HANDLED] = 1u << CONNECTION_ANSWERED | 1u << CONNECTION_OVER,
        [CONNECTION_ANSWERED] = 1u << CONNECTION_IDLE | 1u << CONNECTION_OVER,
        [CONNECTION_OVER] = 0,
    };
    assert(allowed[connection->state] & 1u << state);
    connection->state = state;
    if (connection->server)
        update_accepting(connection->server);
}

/* The end of connections. */

static void release(void *arg)
{
    struct connection *connection = arg;
    timer_free(&connection->timer);
    http_head_free(&connection->head);
    strbuf_free(&connection->body);
    free(connection->peer);
    free(connection);
}

static void unlink_connection(struct connection *connection)
{
    struct http_server *server = connection->server;
    if (!server)
        return;
    struct connection **link = &server->connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    server->count--;
    connection->server = NULL;
    update_accepting(server);
}

/* gently: what was written still goes. */
static void end_connection(struct connection *connection, bool gently)
{
    if (connection->state == CONNECTION_OVER)
        return;
    set_state(connection, CONNECTION_OVER);
    if (gently)
        stream_close_after_output(&connection->stream);
    else
        stream_free(&connection->stream);
    timer_stop(connection->timer);
    unlink_connection(connection);
    if (!connection->request)
        loop_defer(connection->loop, release, connection); /* its own functions may be below us */
}

/* Answers. */

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        { 200, "OK" },
        { 204, "No Content" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 421, "Misdirected Request" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Unknown";
}

/* A value that would end its line is left out: somebody has forgotten to look at what they were given. */
static void add_fields(struct strbuf *out, const struct http_field *fields, bool *has_cache_out)
{
    for (; fields && fields->name; fields++) {
        if (fields->value[strcspn(fields->value, "\r\n")] != '\0')
            continue;
        strbuf_add_fmt(out, "%s: %s\r\n", fields->name, fields->value);
        *has_cache_out = *has_cache_out || strcasecmp(fields->name, "Cache-Control") == 0;
    }
}

static void add_date(const struct connection *connection, struct strbuf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_format_rfc5322(clock_wall_ms(loop_clock(connection->loop)), date);
    strbuf_add_fmt(out, "Date: %.*s GMT\r\n", (int)strcspn(date, "+") - 1, date); /* IMF-fixdate, RFC 9110 5.6.7 */
}

struct answer {
    int status;
    const char *type, *body;
    size_t len;
    const struct http_field *fields;
    bool without_body, closes;
};

static void write_answer(struct connection *connection, const struct answer *answer)
{
    struct strbuf head;
    bool has_cache = false, has_length = answer->status != 204 && answer->status != 304;
    strbuf_init(&head, ANSWER_HEAD_MAX);
    strbuf_add_fmt(&head, "HTTP/1.1 %d %s\r\n", answer->status, reason_phrase(answer->status));
    add_date(connection, &head);
    if (answer->type)
        strbuf_add_fmt(&head, "Content-Type: %s\r\n", answer->type);
    if (has_length)
        strbuf_add_fmt(&head, "Content-Length: %zu\r\n", answer->len);
    strbuf_add_str(&head, "X-Content-Type-Options: nosniff\r\n");
    add_fields(&head, connection->server->fields, &has_cache);
    add_fields(&head, answer->fields, &has_cache);
    if (!has_cache)
        strbuf_add_str(&head, "Cache-Control: no-store\r\n");
    if (answer->closes)
        strbuf_add_str(&head, "Connection: close\r\n");
    strbuf_add_str(&head, "\r\n");
    assert(strbuf_ok(&head));
    stream_write(connection->stream, head.data, head.len);
    if (has_length && !answer->without_body)
        stream_write(connection->stream, answer->body, answer->len);
    strbuf_free(&head);
}

/* What is no request for the handler. Where the next one would begin is not known: the connection ends. */
static void refuse(struct connection *connection, int status)
{
    static const struct http_field methods[] = { { "Allow", "GET, HEAD, POST" }, { NULL, NULL } };
    struct strbuf text;
    strbuf_init(&text, 100);
    strbuf_add_fmt(&text, "%d %s\n", status, reason_phrase(status));
    log_debug("http.refused", "name=%s peer=%s status=%d", connection->server->name, connection->peer, status);
    write_answer(connection, &(struct answer){ .status = status,
                                               .type = "text/plain; charset=utf-8",
                                               .body = text.data,
                                               .len = text.len,
                                               .fields = status == 405 ? methods : NULL,
                                               .closes = true });
    strbuf_free(&text);
    end_connection(connection, true);
}

static void request_free(struct http_request *request)
{
    http_head_free(&request->head);
    http_pairs_clear(&request->form);
    strbuf_free(&request->body);
    free(request);
}

/* Whoever asks for much and does not read it must not have all memory. */
static void bound_answers(struct http_server *server)
{
    size_t waiting = 0;
    for (const struct connection *at = server->connections; at; at = at->next)
        waiting += at->state == CONNECTION_ANSWERED ? stream_pending_output(at->stream) : 0;
    while (waiting > server->answers_max) {
        struct connection *deaf = longest(server, 1u << CONNECTION_ANSWERED);
        waiting -= stream_pending_output(deaf->stream);
        log_debug("http.unread", "name=%s peer=%s", server->name, deaf->peer);
        end_connection(deaf, false);
    }
}

void http_answer(struct http_request *request, int status, const char *type, const char *body, size_t len,
                 const struct http_field *fields)
{
    struct connection *connection = request->connection;
    connection->request = NULL;
    if (connection->state == CONNECTION_OVER) {
        loop_defer(connection->loop, release, connection);
        request_free(request);
        return;
    }
    struct answer answer = { .status = status,
                             .type = type,
                             .body = body,
                             .len = len,
                             .fields = fields,
                             .without_body = http_head_method(request->head) == HTTP_HEAD,
                             .closes = !http_head_keeps_alive(request->head) || connection->server->draining ||
                                       ++connection->requests >= REQUESTS_MAX };
    log_debug("http.request", "name=%s peer=%s path=%s status=%d ms=%" PRId64, connection->server->name,
              connection->peer, http_head_path(request->head), status, now(connection) - request->came_at);
    write_answer(connection, &answer);
    request_free(request);
    set_state(connection, CONNECTION_ANSWERED);
    connection->closes = answer.closes;
    connection->since = now(connection);
    stream_set_idle_timeout(connection->stream, connection->server->timeout_ms);
    timer_start(connection->timer, connection->server->timeout_ms * READING_FACTOR);
    bound_answers(connection->server);
}

/* Requests. */

static bool is_served(const struct http_server *server, const char *host)
{
    for (size_t i = 0; server->hosts[i]; i++)
        if (strcmp(server->hosts[i], "*") == 0 || strcasecmp(server->hosts[i], host) == 0)
            return true;
    return false;
}

static bool is_form(const struct http_head *head)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_head_field(head, "Content-Type");
    size_t len = type ? strcspn(type, "; \t") : 0;
    return len == sizeof form - 1 && strncasecmp(type, form, len) == 0;
}

static void hand_over(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct http_request *request = xcalloc(1, sizeof *request);
    request->connection = connection;
    request->came_at = now(connection);
    request->head = connection->head;
    request->body = connection->body;
    connection->head = NULL;
    strbuf_init(&connection->body, server->body_max);
    request->is_malformed = is_form(request->head) && http_pairs_parse(HTTP_PAIRS_FORM, request->body.data,
                                                                       request->body.len, &request->form) != 1;
    connection->request = request;
    set_state(connection, CONNECTION_HANDLED);
    stream_pause_input(connection->stream, true);
    timer_stop(connection->timer);
    server->handler(request, server->ctx);
}

static void head_is_whole(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct http_head *head = connection->head;
    if (http_head_finish(head) != 1) {
        refuse(connection, http_head_refusal(head));
    } else if (!is_served(server, http_head_host(head))) {
        refuse(connection, 421);
    } else if (http_head_content_length(head) > (int64_t)server->body_max) {
        refuse(connection, 413);
    } else {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        set_state(connection, CONNECTION_BODY);
        if (http_head_expects_continue(head) && http_head_content_length(head) > 0)
            stream_write(connection->stream, go_on, sizeof go_on - 1);
    }
}

/* False: nothing more to be done with what has come. */
static bool take_head_line(struct connection *connection)
{
    const char *line;
    size_t len, most = connection->server->header_max - connection->head_octets;
    int result = stream_read_line(connection->stream, most, false, &line, &len, NULL);
    if (connection->state == CONNECTION_IDLE && (result != 0 || stream_input_size(connection->stream) > 0)) {
        set_state(connection, CONNECTION_HEAD);
        connection->head = http_head_new();
        connection->head_octets = 0;
        connection->since = now(connection);
        timer_start(connection->timer, connection->server->timeout_ms);
    }
    if (result < 0) {
        refuse(connection, connection->head_octets == 0 ? 414 : 431);
    } else if (result == 1) {
        bool is_first = connection->head_octets == 0;
        connection->head_octets += len + 2 < most ? len + 2 : most;
        if (len == 0 && is_first)
            return true; /* some clients send an empty line behind a body (RFC 9112 section 2.2) */
        if (len == 0)
            head_is_whole(connection);
        else if (http_head_add_line(connection->head, line, len) != 1)
            refuse(connection, http_head_refusal(connection->head));
    }
    return result == 1;
}

static bool take_body(struct connection *connection)
{
    size_t wanted = (size_t)http_head_content_length(connection->head);
    const uint8_t *data;
    size_t len;
    while (connection->body.len < wanted && (len = stream_peek(connection->stream, &data)) > 0) {
        if (len > wanted - connection->body.len)
            len = wanted - connection->body.len;
        strbuf_add(&connection->body, data, len);
        stream_consume(connection->stream, len);
    }
    if (connection->body.len < wanted)
        return false;
    hand_over(connection);
    return true;
}

static void process(struct connection *connection)
{
    bool more = true;
    while (more) {
        if (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_HEAD)
            more = take_head_line(connection);
        else if (connection->state == CONNECTION_BODY)
            more = take_body(connection);
        else
            more = false;
    }
}

/* Callbacks of the stream and the timer. */

static void on_input(struct stream *stream, void *ctx)
{
    (void)stream;
    process(ctx);
}

static void begin_waiting(struct connection *connection)
{
    connection->since = now(connection);
    timer_start(connection->timer, connection->server->timeout_ms);
}

static void on_drained(struct stream *stream, void *ctx)
{
    struct connection *connection = ctx;
    (void)stream;
    if (connection->state != CONNECTION_ANSWERED)
        return;
    stream_set_idle_timeout(connection->stream, 0);
    set_state(connection, CONNECTION_IDLE);
    begin_waiting(connection);
    if (connection->closes || connection->server->draining)
        end_connection(connection, true);
    else
        stream_pause_input(connection->stream, false); /* what has come meanwhile is announced */
}

/* Who has closed its side in the middle of a request won't finish it; whoever did so behind one is answered, for nothing is read
 * before that. */
static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct connection *connection = ctx;
    (void)stream;
    (void)why;
    (void)detail;
    end_connection(connection, false);
}

static void on_timer(void *arg)
{
    struct connection *connection = arg;
    if (connection->state == CONNECTION_HEAD || connection->state == CONNECTION_BODY)
        refuse(connection, 408);
    else
        end_connection(connection, false);
}

static const struct stream_callbacks callbacks = { .on_input = on_input, .on_drained = on_drained, .on_end = on_end };

/* Connections. */

/* There is one that can go, or nothing would be accepted. */
static void make_room(struct http_server *server)
{
    struct connection *connection = least_missed(server);
    assert(connection);
    if (connection->state == CONNECTION_HEAD || connection->state == CONNECTION_BODY)
        refuse(connection, 408);
    else
        end_connection(connection, connection->state == CONNECTION_IDLE);
}

static void on_accept(int fd, const char *peer, void *arg)
{
    struct http_server *server = arg;
    if (server->count >= server->connections_max)
        make_room(server);
    struct connection *connection = xcalloc(1, sizeof *connection);
    struct stream_settings settings = { .callbacks = &callbacks,
                                        .ctx = connection,
                                        .input_max = server->header_max + 2 };
    connection->loop = server->loop;
    connection->server = server;
    connection->next = server->connections;
    connection->peer = xstrdup(peer);
    strbuf_init(&connection->body, server->body_max);
    connection->timer = timer_new(server->loop, on_timer, connection);
    connection->stream = stream_new_accepted(server->loop, &settings, fd, NULL);
    begin_waiting(connection);
    server->connections = connection;
    server->count++;
    update_accepting(server);
}

/* The server. */

static void add_host(struct http_server *server, const char *host)
{
    size_t count = 0;
    while (server->hosts && server->hosts[count])
        count++;
    server->hosts = xreallocarray(server->hosts, count + 2, sizeof *server->hosts);
    server->hosts[count] = xstrdup(host);
    server->hosts[count + 1] = NULL;
}

static void add_hosts(struct http_server *server, const char *const *more)
{
    const char *address = loop_listener_address(server->listener);
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    const char *port = is_unix ? "" : strrchr(address, ':');
    struct strbuf local;
    strbuf_init(&local, 100);
    strbuf_add_fmt(&local, "localhost%s", port);
    add_host(server, local.data);
    if (!is_unix)
        add_host(server, address);
    if (!is_unix && strcmp(port, ":80") == 0) { /* browsers leave that out */
        strbuf_clear(&local);
        strbuf_add(&local, address, strlen(address) - strlen(port));
        add_host(server, local.data);
        add_host(server, "localhost");
    }
    strbuf_free(&local);
    for (; more && *more; more++)
        add_host(server, *more);
}

struct http_server *http_server_new(const struct http_server_settings *settings, char **error_out)
{
    struct http_server *server = xcalloc(1, sizeof *server);
    const char *error;
    assert(settings->connections_max > 0 && settings->header_max > 0);
    server->loop = settings->loop;
    server->header_max = settings->header_max;
    server->body_max = settings->body_max;
    server->answers_max = settings->answers_max;
    server->connections_max = settings->connections_max;
    server->timeout_ms = settings->timeout_ms;
    server->fields = settings->fields;
    server->handler = settings->handler;
    server->ctx = settings->ctx;
    server->listener = loop_listener_new(settings->loop, settings->address, on_accept, server, &error);
    if (!server->listener) {
        *error_out = xstrdup(error);
        free(server);
        return NULL;
    }
    server->name = xstrdup(settings->name);
    add_hosts(server, settings->hosts);
    return server;
}

const char *http_server_address(const struct http_server *server)
{
    return loop_listener_address(server->listener);
}

unsigned http_server_connections(const struct http_server *server)
{
    return server->count;
}

void http_server_drain(struct http_server *server)
{
    server->draining = true;
    loop_listener_pause(server->listener, true);
    for (struct connection *at = server->connections, *next; at; at = next) {
        next = at->next;
        if (at->state == CONNECTION_IDLE)
            end_connection(at, true);
    }
}

void http_server_free(struct http_server **server_in)
{
    struct http_server *server = *server_in;
    if (!server)
        return;
    server->draining = true;
    while (server->connections)
        end_connection(server->connections, server->connections->state == CONNECTION_ANSWERED);
    loop_listener_free(&server->listener);
    for (size_t i = 0; server->hosts[i]; i++)
        free(server->hosts[i]);
    free(server->hosts);
    free(server->name);
    free(server);
    *server_in = NULL;
}

enum http_method http_request_method(const struct http_request *request)
{
    return http_head_method(request->head);
}

const char *http_request_path(const struct http_request *request)
{
    return http_head_path(request->head);
}

const char *http_request_segment(const struct http_request *request, size_t index)
{
    return http_head_segment(request->head, index);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    return http_pairs_find(http_head_query(request->head), name);
}

static bool pair_at(const struct http_pairs *pairs, size_t index, const char **name_out, const char **value_out)
{
    if (index >= pairs->count)
        return false;
    *name_out = pairs->list[index].name;
    *value_out = pairs->list[index].value;
    return true;
}

bool http_request_query_at(const struct http_request *request, size_t index, const char **name_out,
                           const char **value_out)
{
    return pair_at(http_head_query(request->head), index, name_out, value_out);
}

bool http_request_form_is_malformed(const struct http_request *request)
{
    return request->is_malformed;
}

const char *http_request_form(const struct http_request *request, const char *name)
{
    return http_pairs_find(&request->form, name);
}

bool http_request_form_at(const struct http_request *request, size_t index, const char **name_out,
                          const char **value_out)
{
    return pair_at(&request->form, index, name_out, value_out);
}

const char *http_request_field(const struct http_request *request, const char *name)
{
    return http_head_field(request->head, name);
}

const char *http_request_last_field(const struct http_request *request, const char *name)
{
    return http_head_last_field(request->head, name);
}

const char *http_request_host(const struct http_request *request)
{
    return http_head_host(request->head);
}

bool http_request_cookie(const struct http_request *request, const char *name, const char **value_out, size_t *len_out)
{
    const char *field = http_head_field(request->head, "Cookie");
    return field && http_cookie_find(field, name, value_out, len_out);
}

const char *http_request_peer(const struct http_request *request)
{
    return request->connection->peer;
}

const char *http_request_body(const struct http_request *request, size_t *len_out)
{
    *len_out = request->body.len;
    return request->body.data;
}
