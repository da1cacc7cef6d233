/* Tests of the server over real sockets: TLS in all its forms, addresses, and owners who free the listener at the
 * worst moment. Conversations without TLS are in tests/dialogue/smtp_server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_server.h"

enum { TURNS_MAX = 20000, TEXT_MAX = 64 * 1024 };

static char directory[] = "/tmp/smtp-server-test-XXXXXX";
static char certificate_files[2][80], key_files[2][80];

/* A listener, one client of it, and what the owner saw. */
struct scene {
    struct clock *clock;
    struct loop *loop;
    struct tls_context *server_tls, *client_tls;
    struct smtp_listener *listener;
    struct stream *client;
    struct strbuf received; /* since the last command */
    bool has_tls, has_ended;
    struct strbuf events;
    const char *const *proxies;
    const char *const *clients;
    struct smtp_budget *budget;
    const char *free_at; /* the owner frees the listener in this callback */
    bool answers_first;
    bool is_slow; /* the owner leaves recipients unanswered, see refuse_late() */
    struct smtp_transaction *asking;
};

/* --- the owner --- */

static void note(struct scene *scene, struct smtp_transaction *transaction, const char *event)
{
    const struct smtp_session_facts *facts = smtp_transaction_session(transaction);
    strbuf_add_fmt(&scene->events, "%s %s %s\n", event, facts->protocol, facts->tls_version ? facts->tls_version : "-");
}

static void free_if(struct scene *scene, const char *callback, bool is_answered)
{
    if (scene->free_at && strcmp(scene->free_at, callback) == 0 && scene->answers_first == is_answered)
        smtp_listener_free(&scene->listener);
}

static void on_mail(struct smtp_transaction *transaction, void *ctx)
{
    struct smtp_reply reply = smtp_reply_make(250, "2.1.0", "Ok");
    note(ctx, transaction, "mail");
    free_if(ctx, "mail", false);
    smtp_transaction_answer_mail(transaction, &reply);
    free_if(ctx, "mail", true);
}

static void on_recipient(struct smtp_transaction *transaction, size_t index, void *ctx)
{
    struct smtp_reply reply = smtp_reply_make(250, "2.1.5", "Ok");
    struct scene *scene = ctx;
    if (scene->is_slow) {
        scene->asking = transaction;
        return;
    }
    note(ctx, transaction, "rcpt");
    free_if(ctx, "rcpt", false);
    smtp_transaction_answer_recipient(transaction, index, &reply);
    free_if(ctx, "rcpt", true);
}

static void on_message(struct smtp_transaction *transaction, void *ctx)
{
    struct smtp_reply reply = smtp_reply_make(250, "2.6.0", "Taken");
    note(ctx, transaction, "message");
    free_if(ctx, "message", false);
    smtp_transaction_answer_message(transaction, &reply, 1);
    free_if(ctx, "message", true);
}

static void on_abandoned(struct smtp_transaction *transaction, void *ctx)
{
    note(ctx, transaction, "abandoned");
    free_if(ctx, "abandoned", false);
}

static const struct smtp_server_callbacks owner = { on_mail, on_recipient, on_message, on_abandoned, NULL };

/* --- the client --- */

static void on_input(struct stream *stream, void *ctx)
{
    struct scene *scene = ctx;
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(stream, &data)) > 0) {
        strbuf_add(&scene->received, data, len);
        stream_consume(stream, len);
    }
}

static void on_tls(struct stream *stream, void *ctx)
{
    (void)stream;
    ((struct scene *)ctx)->has_tls = true;
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    struct scene *scene = ctx;
    scene->has_ended = true;
    stream_free(&scene->client);
}

static const struct stream_callbacks client_callbacks = { .on_tls = on_tls, .on_input = on_input, .on_end = on_end };

static void set_up(struct scene *scene, enum smtp_tls_policy policy)
{
    char *error = NULL;
    scene->clock = clock_new_fake(1000, 1700000000000);
    scene->loop = loop_new(scene->clock);
    scene->server_tls = tls_context_new_server(certificate_files[0], key_files[0], &error);
    assert_non_null(scene->server_tls);
    scene->client_tls = tls_context_new_client(TLS_VERIFY_NONE, NULL, &error);
    assert_non_null(scene->client_tls);
    strbuf_init(&scene->received, TEXT_MAX);
    strbuf_init(&scene->events, TEXT_MAX);
    struct smtp_listener_settings settings = {
        .loop = scene->loop,
        .name = "test",
        .address = "127.0.0.1:0",
        .hostname = "gw.example.org",
        .tls_policy = policy,
        .tls = scene->server_tls,
        .proxies = scene->proxies,
        .clients = scene->clients,
        .budget = scene->budget,
        .message_max = 1000000,
        .spool_dir = "/tmp",
        .callbacks = &owner,
        .ctx = scene,
    };
    scene->listener = smtp_listener_new(&settings, &error);
    assert_non_null(scene->listener);
}

static void tear_down(struct scene *scene)
{
    smtp_listener_free(&scene->listener);
    stream_free(&scene->client);
    for (int i = 0; i < 20; i++)
        loop_turn(scene->loop);
    strbuf_free(&scene->received);
    strbuf_free(&scene->events);
    tls_context_free(&scene->server_tls);
    tls_context_free(&scene->client_tls);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
}

static void connect_client(struct scene *scene, struct tls_context *tls)
{
    struct stream_settings settings = { .callbacks = &client_callbacks, .ctx = scene };
    struct stream_target target = { .address = smtp_listener_address(scene->listener), .tls = tls };
    scene->has_tls = scene->has_ended = false;
    strbuf_clear(&scene->received);
    scene->client = stream_new_connecting(scene->loop, &settings, &target);
}

/* Until this stands at the end of what was received; or, NULL, until the connection has ended. */
static void expect(struct scene *scene, const char *ending)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        size_t len = ending ? strlen(ending) : 0;
        bool has_come = ending && scene->received.len >= len &&
                        strcmp(scene->received.data + scene->received.len - len, ending) == 0;
        if (has_come || (!ending && scene->has_ended))
            return;
        loop_turn(scene->loop);
    }
    fail_msg("expected %s, got %s", ending ? ending : "the end", scene->received.data);
}

static void say(struct scene *scene, const char *text, const char *ending)
{
    strbuf_clear(&scene->received);
    stream_write(scene->client, text, strlen(text));
    expect(scene, ending);
}

static void start_tls(struct scene *scene)
{
    say(scene, "STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n");
    strbuf_clear(&scene->received);
    assert_int_equal(stream_start_tls_client(scene->client, scene->client_tls, NULL, NULL), 1);
    for (int i = 0; i < TURNS_MAX && !scene->has_tls; i++)
        loop_turn(scene->loop);
    assert_true(scene->has_tls);
}

static const char deliver[] = "MAIL FROM:<bob@example.com>\r\nRCPT TO:<alice.member@silo.example.org>\r\nDATA\r\n"
                              "Subject: Lunch\r\n.\r\n";

/* --- TLS --- */

static void starttls_forgets_everything(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_MAY);
    connect_client(&scene, NULL);
    expect(&scene, "220 gw.example.org ESMTP Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250-LIMITS RCPTMAX=1000\r\n250 STARTTLS\r\n");
    start_tls(&scene);
    say(&scene, "MAIL FROM:<bob@example.com>\r\n", "503 5.5.1 Say EHLO first\r\n");
    assert_string_equal(scene.received.data, "503 5.5.1 Say EHLO first\r\n"); /* no second greeting */
    say(&scene, "EHLO client.example\r\n", "250-DSN\r\n250 LIMITS RCPTMAX=1000\r\n");
    say(&scene, "STARTTLS\r\n", "503 5.5.1 TLS is active already\r\n");
    say(&scene, deliver, "250 2.6.0 Taken\r\n");
    assert_string_equal(scene.events.data, "mail ESMTPS TLSv1.3\nrcpt ESMTPS TLSv1.3\nmessage ESMTPS TLSv1.3\n");
    say(&scene, "QUIT\r\n", "221 2.0.0 Bye\r\n");
    expect(&scene, NULL);
    tear_down(&scene);
}

/* Each reply once, however many lines it has; what comes and goes. */
static void what_happens_is_counted(void **state)
{
    (void)state;
    static const char *const only_others[] = { "192.0.2.0/24", NULL };
    struct smtp_listener_statistics counted;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_MAY);
    connect_client(&scene, NULL);
    expect(&scene, "Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
    start_tls(&scene);
    say(&scene, "EHLO client.example\r\n", "250 LIMITS RCPTMAX=1000\r\n");
    say(&scene, deliver, "250 2.6.0 Taken\r\n");
    say(&scene, "VERB\r\n", "500 5.5.1 Command not recognised\r\n");
    say(&scene, "QUIT\r\n", "221 2.0.0 Bye\r\n");
    expect(&scene, NULL);
    loop_turn(scene.loop);
    smtp_listener_get_statistics(scene.listener, &counted);
    assert_int_equal(counted.sessions, 1);
    assert_int_equal(counted.turned_away, 0);
    assert_int_equal(counted.tls, 1);
    assert_int_equal(counted.commands, 8);   /* EHLO STARTTLS EHLO MAIL RCPT DATA VERB QUIT */
    assert_int_equal(counted.replies[2], 8); /* the greeting, too; but for DATA's 354 and the 500 */
    assert_int_equal(counted.replies[3], 1);
    assert_int_equal(counted.replies[4], 0);
    assert_int_equal(counted.replies[5], 1);
    assert_int_equal(counted.lasted_ms.count, 1);
    tear_down(&scene);

    struct scene closed = { .clients = only_others };
    set_up(&closed, SMTP_TLS_MAY);
    connect_client(&closed, NULL);
    expect(&closed, NULL);
    smtp_listener_get_statistics(closed.listener, &counted);
    assert_int_equal(counted.sessions, 0);
    assert_int_equal(counted.turned_away, 1);
    assert_int_equal(counted.replies[5], 1);
    assert_int_equal(counted.lasted_ms.count, 0);
    tear_down(&closed);
}

static void starttls_is_not_needed(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_MAY);
    connect_client(&scene, NULL);
    expect(&scene, "Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
    say(&scene, deliver, "250 2.6.0 Taken\r\n");
    assert_string_equal(scene.events.data, "mail ESMTP -\nrcpt ESMTP -\nmessage ESMTP -\n");
    tear_down(&scene);
}

static void starttls_is_required(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_REQUIRE);
    connect_client(&scene, NULL);
    expect(&scene, "Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
    say(&scene, "MAIL FROM:<bob@example.com>\r\n", "530 5.7.0 Must issue a STARTTLS command first\r\n");
    start_tls(&scene);
    say(&scene, "EHLO client.example\r\n", "250 LIMITS RCPTMAX=1000\r\n");
    say(&scene, deliver, "250 2.6.0 Taken\r\n");
    tear_down(&scene);
}

/* Commands in the same packet as STARTTLS would be answered as if they had come encrypted. */
static void starttls_injection_is_refused(void **state)
{
    (void)state;
    static const char *const injections[] = {
        "STARTTLS\r\nMAIL FROM:<mallory@example.com>\r\n",
        "STARTTLS\r\nRSET\r\nMAIL FROM:<mallory@example.com>\r\n",
        "STARTTLS\r\nM",
        "STARTTLS\r\n\n",
    };
    for (size_t i = 0; i < sizeof injections / sizeof injections[0]; i++) {
        struct scene scene = { .free_at = NULL };
        set_up(&scene, SMTP_TLS_MAY);
        connect_client(&scene, NULL);
        expect(&scene, "Postern\r\n");
        say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
        say(&scene, injections[i], "554 5.5.1 Nothing may follow STARTTLS before its reply\r\n");
        expect(&scene, NULL);
        assert_string_equal(scene.events.data, "");
        tear_down(&scene);
    }
}

/* What comes in plain after the 220 is not TLS: the connection ends, and nothing of it was a command. */
static void plain_text_in_the_handshake_is_refused(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_MAY);
    connect_client(&scene, NULL);
    expect(&scene, "Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
    say(&scene, "STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n");
    stream_write(scene.client, deliver, strlen(deliver));
    expect(&scene, NULL);
    assert_null(strstr(scene.received.data, "250 2"));
    assert_string_equal(scene.events.data, "");
    assert_int_equal(smtp_listener_sessions(scene.listener), 0);
    tear_down(&scene);
}

static void implicit_tls_greets_inside(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_IMPLICIT);
    connect_client(&scene, scene.client_tls);
    expect(&scene, "220 gw.example.org ESMTP Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250-DSN\r\n250 LIMITS RCPTMAX=1000\r\n");
    say(&scene, deliver, "250 2.6.0 Taken\r\n");
    assert_string_equal(scene.events.data, "mail ESMTPS TLSv1.3\nrcpt ESMTPS TLSv1.3\nmessage ESMTPS TLSv1.3\n");
    say(&scene, "STARTTLS\r\n", "503 5.5.1 TLS is active already\r\n");
    stream_free(&scene.client);

    connect_client(&scene, NULL); /* a plain client learns nothing */
    stream_write(scene.client, deliver, strlen(deliver));
    expect(&scene, NULL);
    assert_null(strstr(scene.received.data, "220"));
    tear_down(&scene);
}

/* What OpenSSL keeps can't be counted, but is not forgotten. */
static void tls_counts_in_the_budget(void **state)
{
    (void)state;
    enum { PLAIN_LEAST = 4 * 1024, TLS_LEAST = 32 * 1024 };
    struct scene scene = { .budget = smtp_budget_new(1024 * 1024) };
    set_up(&scene, SMTP_TLS_MAY);
    connect_client(&scene, NULL);
    expect(&scene, "Postern\r\n");
    say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
    assert_in_range(smtp_budget_held(scene.budget), PLAIN_LEAST, 2 * PLAIN_LEAST);
    start_tls(&scene);
    say(&scene, "EHLO client.example\r\n", "250 LIMITS RCPTMAX=1000\r\n");
    assert_in_range(smtp_budget_held(scene.budget), TLS_LEAST + PLAIN_LEAST, TLS_LEAST + 2 * PLAIN_LEAST);
    stream_free(&scene.client);
    for (int i = 0; i < TURNS_MAX && smtp_budget_held(scene.budget) > 0; i++)
        loop_turn(scene.loop);
    assert_int_equal(smtp_budget_held(scene.budget), 0);
    tear_down(&scene);
    smtp_budget_free(&scene.budget);
}

/* A handshake that is under way when the listener is drained ends well, and then its client is told. */
static void drained_in_the_handshake(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_IMPLICIT);
    connect_client(&scene, NULL); /* it says nothing yet */
    for (int i = 0; i < TURNS_MAX && smtp_listener_sessions(scene.listener) == 0; i++)
        loop_turn(scene.loop);
    smtp_listener_drain(scene.listener, 10000, NULL, NULL);
    assert_int_equal(stream_start_tls_client(scene.client, scene.client_tls, NULL, NULL), 1);
    expect(&scene, NULL);
    assert_string_equal(scene.received.data, "421 4.3.2 Shutting down, try again later\r\n");
    assert_int_equal(smtp_listener_sessions(scene.listener), 0);
    tear_down(&scene);
}

/* Header, handshake and commands come as one stream: each reads its own part, and no more. */
static void implicit_tls_comes_after_the_proxy_header(void **state)
{
    (void)state;
    static const char *const proxies[] = { "127.0.0.1", NULL };
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    static const struct {
        const char *header;
        size_t len;
    } headers[] = {
        { "PROXY TCP4 203.0.113.9 192.0.2.1 40000 465\r\n", 44 },
        { "PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n", 32 },
        { "PROXY UNKNOWN\r\n", 15 },
        { local, sizeof local - 1 },
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct scene scene = { .proxies = proxies };
        set_up(&scene, SMTP_TLS_IMPLICIT);
        connect_client(&scene, NULL);
        while (smtp_listener_sessions(scene.listener) == 0)
            loop_turn(scene.loop);
        stream_write(scene.client, headers[i].header, headers[i].len);
        assert_int_equal(stream_start_tls_client(scene.client, scene.client_tls, NULL, NULL), 1);
        expect(&scene, "220 gw.example.org ESMTP Postern\r\n");
        assert_true(scene.has_tls);
        say(&scene, "EHLO client.example\r\n", "250 LIMITS RCPTMAX=1000\r\n");
        say(&scene, deliver, "250 2.6.0 Taken\r\n");
        assert_string_equal(scene.events.data, "mail ESMTPS TLSv1.3\nrcpt ESMTPS TLSv1.3\nmessage ESMTPS TLSv1.3\n");
        tear_down(&scene);
    }
}

/* A handshake without header is no header, and who is not let in is not answered in plain. */
static void implicit_tls_without_proxy_header_is_refused(void **state)
{
    (void)state;
    static const char *const proxies[] = { "127.0.0.1", NULL };
    static const char *const clients[] = { "203.0.113.9", NULL };
    static const char *const headers[] = { "", "PROXY TCP4 203.0.113.9 192.0.2.1 40000 465\n",
                                           "PROXY TCP4 203.0.113.8 192.0.2.1 40000 465\r\n" };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct scene scene = { .proxies = proxies, .clients = clients };
        set_up(&scene, SMTP_TLS_IMPLICIT);
        connect_client(&scene, NULL);
        while (smtp_listener_sessions(scene.listener) == 0)
            loop_turn(scene.loop);
        stream_write(scene.client, headers[i], strlen(headers[i]));
        if (*headers[i] == '\0') /* the others would not see plain text in the handshake */
            assert_int_equal(stream_start_tls_client(scene.client, scene.client_tls, NULL, NULL), 1);
        expect(&scene, NULL);
        assert_false(scene.has_tls);
        assert_int_equal(scene.received.len, 0);
        tear_down(&scene);
    }
}

static void silent_handshake_times_out(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_IMPLICIT);
    connect_client(&scene, NULL);
    for (int i = 0; i < TURNS_MAX && smtp_listener_sessions(scene.listener) == 0; i++)
        loop_turn(scene.loop);
    assert_int_equal(smtp_listener_sessions(scene.listener), 1);
    clock_advance(scene.clock, 30 * 1000 - 1);
    for (int i = 0; i < 20; i++)
        loop_turn(scene.loop);
    assert_int_equal(smtp_listener_sessions(scene.listener), 1);
    clock_advance(scene.clock, 1);
    expect(&scene, NULL);
    assert_int_equal(smtp_listener_sessions(scene.listener), 0);
    tear_down(&scene);
}

static void a_new_certificate_is_used_from_now_on(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    char pins[2][TLS_PIN_SIZE];
    set_up(&scene, SMTP_TLS_MAY);
    for (int i = 0; i < 2; i++) {
        connect_client(&scene, NULL);
        expect(&scene, "Postern\r\n");
        say(&scene, "EHLO client.example\r\n", "250 STARTTLS\r\n");
        start_tls(&scene);
        snprintf(pins[i], sizeof pins[i], "%s", stream_peer_pin(scene.client));
        stream_free(&scene.client);
        char *error = NULL;
        struct tls_context *renewed = tls_context_new_server(certificate_files[1], key_files[1], &error);
        assert_non_null(renewed);
        struct smtp_listener_settings settings = { .tls = renewed };
        assert_int_equal(smtp_listener_reconfigure(scene.listener, &settings, &error), 1);
        tls_context_free(&renewed);
    }
    assert_string_not_equal(pins[0], pins[1]);
    tear_down(&scene);
}

/* --- clients with manners of their own --- */

/* One end of a socket pair; the other is served. */
static int adopt_raw_client(struct scene *scene)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    smtp_listener_adopt_fd(scene->listener, fds[1], "192.0.2.1:4711");
    return fds[0];
}

/* Like `printf ... | nc -N`: everything at once, and then no more, but the ears are open. */
static void half_closed_clients_get_their_replies(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_NONE);
    int client = adopt_raw_client(&scene);
    assert_int_equal(write(client, "HELO client.example\r\n", 21), 21);
    assert_int_equal(write(client, deliver, strlen(deliver)), strlen(deliver));
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    char byte;
    ssize_t got = -1;
    for (int i = 0; i < TURNS_MAX && got != 0; i++) {
        loop_turn(scene.loop);
        while ((got = read(client, &byte, 1)) == 1)
            strbuf_add_char(&scene.received, byte);
    }
    assert_int_equal(got, 0);
    assert_non_null(strstr(scene.received.data, "250 2.6.0 Taken\r\n"));
    close(client);
    tear_down(&scene);
}

/* Reads nothing before all is said, for which there is no room on the way: the end of what it says waits, too. */
static void half_closed_clients_may_read_late(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_NONE);
    int client = adopt_raw_client(&scene);
    struct strbuf said;
    strbuf_init(&said, TEXT_MAX);
    strbuf_add_str(&said, "EHLO client.example\r\n");
    for (int i = 0; i < COUNT; i++)
        strbuf_add_str(&said, "HELP\r\n");
    assert_int_equal(write(client, said.data, said.len), said.len);
    strbuf_free(&said);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    for (int i = 0; i < 20; i++)
        loop_turn(scene.loop);
    unsigned ends = 0;
    char bytes[4096];
    ssize_t got = -1;
    for (int i = 0; i < TURNS_MAX && got != 0; i++) {
        loop_turn(scene.loop);
        while ((got = read(client, bytes, sizeof bytes)) > 0) {
            for (ssize_t k = 0; k < got; k++)
                ends += bytes[k] == '\n';
        }
    }
    assert_int_equal(got, 0);
    assert_int_equal(ends, 1 + 10 + 3 * COUNT);
    close(client);
    tear_down(&scene);
}

/* Who only talks is not listened to for ever, and then sent away. */
static void deaf_clients_are_not_listened_to(void **state)
{
    (void)state;
    static const char noop[] = "NOOP\r\n";
    struct scene scene = { .budget = smtp_budget_new(1024 * 1024) };
    set_up(&scene, SMTP_TLS_NONE);
    int client = adopt_raw_client(&scene);
    size_t said = 0;
    for (int silent_turns = 0; silent_turns < 100; silent_turns++) {
        while (write(client, noop, strlen(noop)) > 0) {
            said += strlen(noop);
            silent_turns = 0;
        }
        assert_true(said < 4 * 1024 * 1024);
        loop_turn(scene.loop);
    }
    assert_int_equal(smtp_listener_sessions(scene.listener), 1);
    assert_in_range(smtp_budget_held(scene.budget), 64 * 1024, 256 * 1024); /* replies, and commands */
    clock_advance(scene.clock, 5 * 60 * 1000 - 1);
    for (int i = 0; i < 20; i++)
        loop_turn(scene.loop);
    assert_int_equal(smtp_listener_sessions(scene.listener), 1);
    clock_advance(scene.clock, 1);
    for (int i = 0; i < 20; i++)
        loop_turn(scene.loop);
    assert_int_equal(smtp_listener_sessions(scene.listener), 0);
    assert_int_equal(smtp_budget_held(scene.budget), 0);
    close(client);
    tear_down(&scene);
    smtp_budget_free(&scene.budget);
}

static bool refuse_late(struct scene *scene)
{
    struct smtp_transaction *asking = scene->asking;
    scene->asking = NULL;
    struct smtp_reply reply = smtp_reply_make(550, "5.1.1", "%0400d", 0);
    if (asking)
        smtp_transaction_answer_recipient(asking, 0, &reply);
    return asking != NULL;
}

/* The same when the reply that was one too many came late: the time that had stopped for the question goes on. */
static void deaf_clients_are_sent_away_after_a_late_answer(void **state)
{
    (void)state;
    static const char begin[] = "EHLO client.example\r\nMAIL FROM:<>\r\n", rcpt[] = "RCPT TO:<x@y>\r\n";
    struct scene scene = { .is_slow = true };
    set_up(&scene, SMTP_TLS_NONE);
    int client = adopt_raw_client(&scene);
    assert_int_equal(write(client, begin, strlen(begin)), strlen(begin));
    for (int silent_turns = 0; silent_turns < 100; silent_turns++) {
        while (write(client, rcpt, strlen(rcpt)) > 0)
            continue;
        loop_turn(scene.loop);
        if (refuse_late(&scene))
            silent_turns = 0;
    }
    assert_int_equal(smtp_listener_sessions(scene.listener), 1);
    clock_advance(scene.clock, 5 * 60 * 1000);
    for (int i = 0; i < 20; i++)
        loop_turn(scene.loop);
    assert_int_equal(smtp_listener_sessions(scene.listener), 0);
    close(client);
    tear_down(&scene);
}

/* --- listeners --- */

static void addresses_are_told(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_NONE);
    assert_string_equal(smtp_listener_name(scene.listener), "test");
    const char *address = smtp_listener_address(scene.listener);
    assert_memory_equal(address, "127.0.0.1:", 10);
    assert_string_not_equal(address, "127.0.0.1:0");

    struct smtp_listener_settings settings = { .loop = scene.loop,
                                               .name = "second",
                                               .address = address,
                                               .hostname = "x",
                                               .spool_dir = "/tmp",
                                               .callbacks = &owner };
    char *error = NULL;
    assert_null(smtp_listener_new(&settings, &error)); /* in use */
    assert_non_null(error);
    free(error);

    const char *const clients[] = { "10.0.0.0/8", "everybody", NULL };
    settings.address = NULL;
    settings.clients = clients;
    assert_null(smtp_listener_new(&settings, &error));
    assert_non_null(strstr(error, "everybody"));
    free(error);
    tear_down(&scene);
}

static void unix_sockets_work(void **state)
{
    (void)state;
    struct scene scene = { .free_at = NULL };
    set_up(&scene, SMTP_TLS_NONE);
    char address[120];
    snprintf(address, sizeof address, "unix:%s/lmtp", directory);
    struct smtp_listener_settings settings = { .loop = scene.loop,
                                               .name = "lmtp",
                                               .address = address,
                                               .hostname = "gw.example.org",
                                               .lmtp = true,
                                               .spool_dir = "/tmp",
                                               .callbacks = &owner,
                                               .ctx = &scene };
    char *error = NULL;
    smtp_listener_free(&scene.listener);
    scene.listener = smtp_listener_new(&settings, &error);
    assert_non_null(scene.listener);
    connect_client(&scene, NULL);
    expect(&scene, "220 gw.example.org LMTP Postern\r\n");
    say(&scene, "LHLO client.example\r\n", "250 LIMITS RCPTMAX=1000\r\n");
    say(&scene, deliver, "250 2.6.0 Taken\r\n");
    assert_string_equal(scene.events.data, "mail LMTP -\nrcpt LMTP -\nmessage LMTP -\n");
    tear_down(&scene);
}

/* The owner frees the listener inside a callback, before or after it has answered: the connection ends, every transaction
 * comes to its end, and nothing is touched afterwards. */
static void listener_freed_in_callbacks(void **state)
{
    (void)state;
    static const struct {
        const char *callback;
        bool answers_first;
        const char *events;
    } cases[] = {
        { "mail", false, "mail ESMTP -\nabandoned ESMTP -\n" },
        { "mail", true, "mail ESMTP -\nabandoned ESMTP -\n" },
        { "rcpt", false, "mail ESMTP -\nrcpt ESMTP -\nabandoned ESMTP -\n" },
        { "rcpt", true, "mail ESMTP -\nrcpt ESMTP -\nabandoned ESMTP -\n" },
        { "message", false, "mail ESMTP -\nrcpt ESMTP -\nmessage ESMTP -\n" },
        { "message", true, "mail ESMTP -\nrcpt ESMTP -\nmessage ESMTP -\n" },
        { "abandoned", false, "mail ESMTP -\nrcpt ESMTP -\nmessage ESMTP -\nmail ESMTP -\nabandoned ESMTP -\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene scene = { .free_at = cases[i].callback, .answers_first = cases[i].answers_first };
        set_up(&scene, SMTP_TLS_NONE);
        connect_client(&scene, NULL);
        expect(&scene, "Postern\r\n");
        stream_write(scene.client, "EHLO client.example\r\n", 21);
        stream_write(scene.client, deliver, strlen(deliver));
        stream_write(scene.client, "MAIL FROM:<>\r\nRSET\r\nNOOP\r\n", 26);
        expect(&scene, NULL);
        assert_null(scene.listener);
        assert_string_equal(scene.events.data, cases[i].events);
        tear_down(&scene);
    }
}

/* --- the rest --- */

static int make_certificates(void **state)
{
    (void)state;
    char *error = NULL;
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < 2; i++) {
        snprintf(certificate_files[i], sizeof certificate_files[i], "%s/certificate%d", directory, i);
        snprintf(key_files[i], sizeof key_files[i], "%s/key%d", directory, i);
        if (tls_make_self_signed("gw.example.org", certificate_files[i], key_files[i], &error) != 1)
            return -1;
    }
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    char socket_file[100];
    snprintf(socket_file, sizeof socket_file, "%s/lmtp", directory);
    unlink(socket_file);
    for (int i = 0; i < 2; i++) {
        unlink(certificate_files[i]);
        unlink(key_files[i]);
    }
    return rmdir(directory);
}

static void swallow(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starttls_forgets_everything),
        cmocka_unit_test(what_happens_is_counted),
        cmocka_unit_test(starttls_is_not_needed),
        cmocka_unit_test(starttls_is_required),
        cmocka_unit_test(starttls_injection_is_refused),
        cmocka_unit_test(plain_text_in_the_handshake_is_refused),
        cmocka_unit_test(implicit_tls_greets_inside),
        cmocka_unit_test(tls_counts_in_the_budget),
        cmocka_unit_test(drained_in_the_handshake),
        cmocka_unit_test(silent_handshake_times_out),
        cmocka_unit_test(implicit_tls_comes_after_the_proxy_header),
        cmocka_unit_test(implicit_tls_without_proxy_header_is_refused),
        cmocka_unit_test(a_new_certificate_is_used_from_now_on),
        cmocka_unit_test(half_closed_clients_get_their_replies),
        cmocka_unit_test(half_closed_clients_may_read_late),
        cmocka_unit_test(deaf_clients_are_not_listened_to),
        cmocka_unit_test(deaf_clients_are_sent_away_after_a_late_answer),
        cmocka_unit_test(addresses_are_told),
        cmocka_unit_test(unix_sockets_work),
        cmocka_unit_test(listener_freed_in_callbacks),
    };
    log_set_sink(swallow, NULL);
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
