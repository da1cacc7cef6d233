/* Dialogues with the server over real sockets, on a fake clock. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"

enum {
    TIMEOUT_MS = 30000,
    HEADER_MAX = 2000,
    BODY_MAX = 4000,
    CONNECTIONS_MAX = 3,
    TURNS_MAX = 3000,
    LARGE = 12 << 20,
    ANSWERS_MAX = 2 * LARGE
};

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct http_server *server;
    struct http_request *kept;                        /* of /later, the last one */
    struct http_request *others[CONNECTIONS_MAX - 1]; /* those before */
    unsigned handled;
};

struct client {
    int fd;
    struct strbuf in;
    bool is_over;
};

static const struct http_field server_fields[] = { { "X-All", "yes" }, { NULL, NULL } };

/* Answers with what it was asked. */
static void handler(struct http_request *request, void *ctx)
{
    struct scene *scene = ctx;
    static const char *const methods[] = { "GET", "HEAD", "POST" };
    static char large[LARGE];
    const struct http_field fields[] = { { "X-One", "1" }, { "X-Bad", "a\r\nX-Injected: b" }, { NULL, NULL } };
    const char *query = http_request_query(request, "q"), *cookie = "-";
    const char *form = http_request_form_is_malformed(request) ? "malformed" : http_request_form(request, "f");
    size_t len, cookie_len = 1;
    struct strbuf text;
    scene->handled++;
    if (strcmp(http_request_path(request), "/later") == 0) {
        for (int i = CONNECTIONS_MAX - 2; i > 0; i--)
            scene->others[i] = scene->others[i - 1];
        scene->others[0] = scene->kept;
        scene->kept = request;
        return;
    }
    if (strcmp(http_request_path(request), "/large") == 0) {
        http_answer(request, 200, "text/plain", large, sizeof large, NULL);
        return;
    }
    strbuf_init(&text, 10000);
    if (!http_request_cookie(request, "c", &cookie, &cookie_len))
        cookie_len = 1;
    http_request_body(request, &len);
    strbuf_add_fmt(&text, "%s %s q=%s f=%s c=%.*s body=%zu", methods[http_request_method(request)],
                   http_request_path(request), query ? query : "-", form ? form : "-", (int)cookie_len, cookie, len);
    http_answer(request, 200, "text/plain", text.data, text.len, fields);
    strbuf_free(&text);
}

static struct http_server_settings settings_of(struct scene *scene, const char *address)
{
    static const char *const hosts[] = { "named.example", NULL };
    return (struct http_server_settings){ .loop = scene->loop,
                                          .name = "test",
                                          .address = address,
                                          .hosts = hosts,
                                          .header_max = HEADER_MAX,
                                          .body_max = BODY_MAX,
                                          .answers_max = ANSWERS_MAX,
                                          .connections_max = CONNECTIONS_MAX,
                                          .timeout_ms = TIMEOUT_MS,
                                          .fields = server_fields,
                                          .handler = handler,
                                          .ctx = scene };
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    char *error = NULL;
    log_set_level(LOG_LEVEL_ERROR);
    scene->clock = clock_new_fake(1000, INT64_C(1700000000000));
    scene->loop = loop_new(scene->clock);
    struct http_server_settings settings = settings_of(scene, "127.0.0.1:0");
    scene->server = http_server_new(&settings, &error);
    assert_non_null(scene->server);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    http_server_free(&scene->server);
    loop_turn(scene->loop);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    free(scene);
    return 0;
}

/* buffer: what the kernel takes for it; 0: much. */
static struct client *client_connect(const struct scene *scene, int buffer)
{
    struct client *client = calloc(1, sizeof *client);
    const char *address = http_server_address(scene->server);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (buffer)
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
    strbuf_init(&client->in, LARGE + 65536);
    return client;
}

static struct client *client_new(const struct scene *scene)
{
    return client_connect(scene, 0);
}

static struct client *client_new_deaf(const struct scene *scene)
{
    return client_connect(scene, 4096);
}

static void client_free(struct client **client)
{
    close((*client)->fd);
    strbuf_free(&(*client)->in);
    free(*client);
    *client = NULL;
}

static void client_read(struct client *client)
{
    static char buffer[65536];
    ssize_t got;
    while (!client->is_over && (got = read(client->fd, buffer, sizeof buffer)) != -1) {
        client->is_over = got == 0;
        strbuf_add(&client->in, buffer, (size_t)got);
    }
    if (!client->is_over && errno == ECONNRESET)
        client->is_over = true;
}

/* Until the text has come, or (NULL) the connection is over. */
static void expect(struct scene *scene, struct client *client, const char *text)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        loop_turn(scene->loop);
        client_read(client);
        if (text ? strstr(client->in.data, text) != NULL : client->is_over)
            return;
        if (client->is_over)
            break;
        struct pollfd pause = { .fd = client->fd, .events = POLLIN };
        poll(&pause, 1, 1);
    }
    fail_msg("expected %s, got: %s", text ? text : "the end", client->in.data);
}

static void say_octets(struct client *client, const char *text, size_t len)
{
    assert_int_equal(write(client->fd, text, len), (ssize_t)len);
}

static void say(struct client *client, const char *text)
{
    say_octets(client, text, strlen(text));
}

static void turns(struct scene *scene, int count)
{
    while (count-- > 0)
        loop_turn(scene->loop);
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

#define HOST "Host: named.example\r\n"

static void one_request_each(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *request, *status, *has; /* has: NULL: does not matter */
        bool is_over;                       /* the server ends it */
    } rows[] = {
        { "GET /a?q=x%20y HTTP/1.1\r\n" HOST "Cookie: c=v\r\n\r\n", "200 OK", "GET /a q=x y f=- c=v body=0", false },
        { "GET / HTTP/1.0\r\n" HOST "\r\n", "200 OK", "Connection: close", true },
        { "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "200 OK", "X-One: 1\r\n", true },
        { "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "200 OK", NULL, false },
        { "POST /p HTTP/1.1\r\n" HOST
          "Content-Type: application/x-www-form-urlencoded; charset=x\r\nContent-Length: 5\r\n\r\nf=%41",
          "200 OK", "POST /p q=- f=A c=- body=5", false },
        { "POST /p HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nf=1", "200 OK",
          "f=- c=- body=3", false },
        { "POST /p HTTP/1.1\r\n" HOST
          "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\r\nf=%4",
          "200 OK", "f=malformed c=- body=4", false },
        { "HEAD /a HTTP/1.1\r\n" HOST "\r\n", "200 OK", "Content-Length: 26\r\n", false },
        { "PUT / HTTP/1.1\r\n" HOST "\r\n", "405 ", "Allow: GET, HEAD, POST\r\n", true },
        { "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 ", NULL, true },
        { "GET / HTTP/1.1\r\nHost: NAMED.example\r\n\r\n", "200 OK", NULL, false },
        { "GET / HTTP/1.1\r\nHost: named.example:80\r\n\r\n", "421 ", NULL, true },
        { "GET http://evil.example/ HTTP/1.1\r\n" HOST "\r\n", "421 ", NULL, true },
        { "GET / HTTP/1.0\r\n\r\n", "421 ", NULL, true },
        { "GET / HTTP/1.1\n" HOST "\r\n", "400 ", NULL, true }, /* a bare LF ends no line */
        { "GET / HTTP/1.1\r\n" HOST "A: b\nTransfer-Encoding: chunked\r\n\r\n", "400 ", NULL, true },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 ", NULL,
          true },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411 ", NULL, true },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4001\r\n\r\n", "413 ", NULL, true },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n", "100 Continue", NULL, false },
        { "\x16\x03\x01\x02\r\n", "400 ", NULL, true }, /* TLS */
        { "SSH-2.0-x\r\n", "400 ", NULL, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client *client = client_new(scene);
        struct strbuf status;
        strbuf_init(&status, 100);
        strbuf_add_fmt(&status, "HTTP/1.1 %s", rows[i].status);
        say(client, rows[i].request);
        expect(scene, client, status.data);
        assert_int_equal(strncmp(client->in.data, status.data, status.len), 0);
        if (rows[i].is_over)
            expect(scene, client, NULL);
        if (rows[i].has)
            expect(scene, client, rows[i].has);
        if (strcmp(rows[i].status, "100 Continue") != 0) {
            expect(scene, client, "\r\n\r\n");
            assert_non_null(strstr(client->in.data, "X-All: yes\r\n")); /* refusals, too */
            assert_non_null(strstr(client->in.data, "X-Content-Type-Options: nosniff\r\n"));
            assert_non_null(strstr(client->in.data, "Cache-Control: no-store\r\n"));
            assert_non_null(strstr(client->in.data, "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"));
        }
        assert_null(strstr(client->in.data, "X-Injected"));
        client_free(&client);
        strbuf_free(&status);
        turns(scene, 3);
    }
}

static void head_has_no_body(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "HEAD /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, client, "GET /b");
    assert_null(strstr(client->in.data, "HEAD /a"));
    client_free(&client);
}

/* One at a time, in order; what has come meanwhile waits. */
static void pipelined_requests(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /later HTTP/1.1\r\n" HOST "\r\nPOST /3 HTTP/1.1\r\n" HOST
                "Content-Length: 2\r\n\r\nabGET /4 HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, client, "GET /1 ");
    turns(scene, 10);
    assert_int_equal(scene->handled, 2);
    assert_non_null(scene->kept);
    http_answer(scene->kept, 200, "text/plain", "it is later", 11, NULL);
    expect(scene, client, "GET /4 ");
    assert_int_equal(scene->handled, 4);
    assert_true(strstr(client->in.data, "it is later") < strstr(client->in.data, "POST /3 q=- f=- c=- body=2"));
    client_free(&client);
}

static void a_request_in_single_octets(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    static const char request[] = "POST /s HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    for (size_t i = 0; i < sizeof request - 1; i++) {
        say_octets(client, request + i, 1);
        turns(scene, 2);
    }
    expect(scene, client, "POST /s q=- f=- c=- body=3");
    client_free(&client);
}

/* However steadily octets come. */
static void a_request_must_come_in_time(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 4; i++) {
        turns(scene, 5);
        clock_advance(scene->clock, TIMEOUT_MS / 5);
        say(client, "A: b\r\n");
    }
    turns(scene, 5);
    client_read(client);
    assert_int_equal(client->in.len, 0);
    clock_advance(scene->clock, TIMEOUT_MS / 2);
    expect(scene, client, "HTTP/1.1 408 ");
    expect(scene, client, NULL);
    client_free(&client);
}

static void a_body_must_come_in_time(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
    turns(scene, 5);
    clock_advance(scene->clock, TIMEOUT_MS + 1);
    expect(scene, client, "HTTP/1.1 408 ");
    expect(scene, client, NULL);
    assert_int_equal(scene->handled, 0);
    client_free(&client);
}

static void an_idle_connection_ends(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene), *silent = client_new(scene);
    say(client, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, client, "GET /a");
    clock_advance(scene->clock, TIMEOUT_MS + 1);
    expect(scene, client, NULL);
    expect(scene, silent, NULL);
    assert_int_equal(silent->in.len, 0);
    assert_int_equal(http_server_connections(scene->server), 0);
    client_free(&client);
    client_free(&silent);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET /large HTTP/1.1\r\n" HOST "\r\n");
    turns(scene, 20);
    assert_int_equal(http_server_connections(scene->server), 1);
    for (int i = 0; i < 3; i++) {
        clock_advance(scene->clock, TIMEOUT_MS);
        turns(scene, 5);
    }
    assert_int_equal(http_server_connections(scene->server), 0);
    client_free(&client);
}

/* "Connection: close" does not make it somebody who is not counted. */
static void who_closes_and_does_not_read_is_counted(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new_deaf(scene);
    say(client, "GET /large HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    turns(scene, 20);
    assert_int_equal(http_server_connections(scene->server), 1);
    clock_advance(scene->clock, TIMEOUT_MS + 1);
    turns(scene, 5);
    assert_int_equal(http_server_connections(scene->server), 0);
    client_free(&client);
}

/* Two large answers may wait for their readers, not three: who has been reading longest is cut. */
static void answers_that_nobody_reads_are_bounded(void **state)
{
    struct scene *scene = *state;
    struct client *clients[CONNECTIONS_MAX];
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        assert_int_equal(http_server_connections(scene->server), i);
        clients[i] = client_new_deaf(scene);
        say(clients[i], "GET /large HTTP/1.1\r\n" HOST "\r\n");
        turns(scene, 20);
        clock_advance(scene->clock, 1);
    }
    assert_int_equal(http_server_connections(scene->server), CONNECTIONS_MAX - 1);
    expect(scene, clients[0], NULL);
    assert_true(clients[0]->in.len < LARGE);
    while (clients[1]->in.len < LARGE)
        expect(scene, clients[1], "HTTP/1.1 200 OK");
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        client_free(&clients[i]);
}

/* All places taken by those who ask and do not read: who comes is served all the same. */
static void who_does_not_read_keeps_nobody_out(void **state)
{
    struct scene *scene = *state;
    struct client *deaf[CONNECTIONS_MAX];
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        deaf[i] = client_new_deaf(scene);
        say(deaf[i], i == 1 ? "GET /later HTTP/1.1\r\n" HOST "\r\n" : "GET /large HTTP/1.1\r\n" HOST "\r\n");
        turns(scene, 20);
    }
    struct client *other = client_new(scene);
    say(other, "GET /other HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, other, "GET /other");
    http_answer(scene->kept, 200, "text/plain", "at last", 7, NULL);
    expect(scene, deaf[1], "at last");
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        client_free(&deaf[i]);
    client_free(&other);
}

static void a_large_answer_arrives_whole(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET /large HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    expect(scene, client, NULL);
    assert_true(client->in.len > LARGE);
    client_free(&client);
}

static void too_much_header(void **state)
{
    struct scene *scene = *state;
    static char field[HEADER_MAX + 100];
    struct client *client = client_new(scene);
    memset(field, 'a', sizeof field - 1);
    say(client, "GET / HTTP/1.1\r\nA: ");
    say(client, field);
    expect(scene, client, "HTTP/1.1 431 ");
    client_free(&client);
    turns(scene, 5);
    client = client_new(scene);
    say(client, "GET /");
    say(client, field);
    expect(scene, client, "HTTP/1.1 414 ");
    client_free(&client);
    turns(scene, 5);
    client = client_new(scene); /* many small ones */
    say(client, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 60; i++)
        say(client, "A: 0123456789012345678901234567890123456789\r\n");
    expect(scene, client, "HTTP/1.1 431 ");
    client_free(&client);
}

/* The handler's answer goes nowhere, and nothing breaks. */
static void a_client_that_goes_before_the_answer(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turns(scene, 20);
    assert_non_null(scene->kept);
    struct linger reset = { .l_onoff = 1 };
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client_free(&client);
    turns(scene, 20);
    http_answer(scene->kept, 200, "text/plain", "too late", 8, NULL);
    turns(scene, 20);
    client = client_new(scene);
    say(client, "GET /next HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, client, "GET /next");
    client_free(&client);
}

/* "printf ... | nc -N" closes its side behind the request. */
static void a_client_that_has_said_all(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET /half HTTP/1.1\r\n" HOST "\r\n");
    shutdown(client->fd, SHUT_WR);
    expect(scene, client, "GET /half");
    expect(scene, client, NULL);
    client_free(&client);
}

static void connections_are_counted(void **state)
{
    struct scene *scene = *state;
    struct client *busy[CONNECTIONS_MAX], *idle, *more;
    /* An idle one makes room for another. */
    idle = client_new(scene);
    say(idle, "GET /idle HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, idle, "GET /idle");
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        busy[i] = client_new(scene);
        say(busy[i], "GET /busy HTTP/1.1\r\n");
        turns(scene, 10);
    }
    expect(scene, idle, NULL);
    assert_int_equal(http_server_connections(scene->server), CONNECTIONS_MAX);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        client_free(&busy[i]);
        turns(scene, 10);
        busy[i] = client_new(scene);
        say(busy[i], "GET /later HTTP/1.1\r\n" HOST "\r\n");
        turns(scene, 10);
    }
    assert_int_equal(http_server_connections(scene->server), CONNECTIONS_MAX);
    /* When all are being answered, who comes waits until one has gone. */
    more = client_new(scene);
    say(more, "GET /more HTTP/1.1\r\n" HOST "\r\n");
    turns(scene, 20);
    client_read(more);
    assert_int_equal(more->in.len, 0);
    assert_int_equal(http_server_connections(scene->server), CONNECTIONS_MAX);
    http_answer(scene->kept, 200, "text/plain", "at last", 7, NULL);
    expect(scene, more, "GET /more");
    for (int i = 0; i < CONNECTIONS_MAX - 1; i++)
        http_answer(scene->others[i], 200, "text/plain", "at last", 7, NULL);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        client_free(&busy[i]);
    client_free(&idle);
    client_free(&more);
}

/* Requests that drip, on all connections that there are, keep nobody out; the one that began first goes. */
static void who_drips_keeps_nobody_out(void **state)
{
    struct scene *scene = *state;
    struct client *dripping[CONNECTIONS_MAX], *quick;
    static const char *const pieces[CONNECTIONS_MAX] = { "POST /slow HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc",
                                                         "GET /slow HTTP/1.1\r\nA: b\r\n", "G" };
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        dripping[i] = client_new(scene);
        say(dripping[i], pieces[i]);
        turns(scene, 10);
        clock_advance(scene->clock, 1000);
    }
    quick = client_new(scene);
    say(quick, "GET /quick HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, quick, "GET /quick");
    expect(scene, dripping[0], "HTTP/1.1 408 ");
    expect(scene, dripping[0], NULL);
    assert_int_equal(http_server_connections(scene->server), CONNECTIONS_MAX);
    say(dripping[1], HOST "\r\n"); /* the others go on */
    expect(scene, dripping[1], "GET /slow");
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        client_free(&dripping[i]);
    client_free(&quick);
}

static void draining(void **state)
{
    struct scene *scene = *state;
    struct client *idle = client_new(scene), *busy = client_new(scene);
    say(idle, "GET /idle HTTP/1.1\r\n" HOST "\r\n");
    expect(scene, idle, "GET /idle");
    say(busy, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turns(scene, 10);
    assert_non_null(scene->kept);
    http_server_drain(scene->server);
    expect(scene, idle, NULL);
    http_answer(scene->kept, 200, "text/plain", "at last", 7, NULL);
    expect(scene, busy, "at last");
    expect(scene, busy, NULL);
    assert_non_null(strstr(busy->in.data, "Connection: close\r\n"));
    client_free(&idle);
    client_free(&busy);
}

static void the_server_goes_before_the_answer(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    say(client, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turns(scene, 10);
    http_server_free(&scene->server);
    expect(scene, client, NULL);
    http_answer(scene->kept, 200, "text/plain", "too late", 8, NULL);
    client_free(&client);
}

static void a_unix_socket(void **state)
{
    struct scene *scene = *state;
    char path[] = "/tmp/postern-http-XXXXXX", address[64], *error = NULL;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct stat status;
    assert_non_null(mkdtemp(path));
    snprintf(address, sizeof address, "unix:%s/web", path);
    snprintf(to.sun_path, sizeof to.sun_path, "%s/web", path);
    http_server_free(&scene->server);
    struct http_server_settings settings = settings_of(scene, address);
    scene->server = http_server_new(&settings, &error);
    assert_non_null(scene->server);
    assert_int_equal(stat(to.sun_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    struct client *client = calloc(1, sizeof *client);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    strbuf_init(&client->in, LARGE + 65536);
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&to, sizeof to), 0);
    say(client, "GET /u HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(scene, client, "GET /u");
    client_free(&client);
    http_server_free(&scene->server);
    turns(scene, 3);
    assert_int_equal(rmdir(path), 0); /* it has taken its socket away */
}

static void a_connection_is_not_for_ever(void **state)
{
    struct scene *scene = *state;
    struct client *client = client_new(scene);
    for (int i = 0; i < 1000; i++) {
        strbuf_clear(&client->in);
        say(client, "GET /n HTTP/1.1\r\n" HOST "\r\n");
        expect(scene, client, "GET /n");
        if (i < 999)
            assert_int_equal(count_of(client->in.data, "Connection: close"), 0);
    }
    expect(scene, client, NULL);
    client_free(&client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_request_each),
        TEST(head_has_no_body),
        TEST(pipelined_requests),
        TEST(a_request_in_single_octets),
        TEST(a_request_must_come_in_time),
        TEST(a_body_must_come_in_time),
        TEST(an_idle_connection_ends),
        TEST(a_client_that_does_not_read_is_dropped),
        TEST(who_closes_and_does_not_read_is_counted),
        TEST(answers_that_nobody_reads_are_bounded),
        TEST(who_does_not_read_keeps_nobody_out),
        TEST(a_large_answer_arrives_whole),
        TEST(too_much_header),
        TEST(a_client_that_goes_before_the_answer),
        TEST(a_client_that_has_said_all),
        TEST(connections_are_counted),
        TEST(who_drips_keeps_nobody_out),
        TEST(draining),
        TEST(the_server_goes_before_the_answer),
        TEST(a_unix_socket),
        TEST(a_connection_is_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
