/* Tests of smtp_client that need no conversation: preparing content, settings. The rest is in tests/dialogue/smtp_client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/stream.h"
#include "smtp/smtp_client_internal.h"

static const struct {
    const char *content;
    const char *wire; /* without the final dot */
} stuffing_cases[] = {
    { "", "" },
    { "a\r\n", "a\r\n" },
    { "a", "a\r\n" },
    { ".", "..\r\n" },
    { ".\r\n", "..\r\n" },
    { "..\r\n", "...\r\n" },
    { "a.\r\n.b\r\n", "a.\r\n..b\r\n" },
    { "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n" },
    /* What smuggles a second message past a relay that is not strict about line ends. */
    { "a\n.\nb\n", "a\r\n..\r\nb\r\n" },
    { "a\r.\rb\r", "a\r\n..\r\nb\r\n" },
    { "a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n" },
    { "a\r\n.\nb\r\n", "a\r\n..\r\nb\r\n" },
    { "a\r\r\n.\r\r\nb", "a\r\n\r\n..\r\n\r\nb\r\n" },
    { "a\r\n\r.\r\n", "a\r\n\r\n..\r\n" },
    { "\n\r", "\r\n\r\n" },
    { "\r", "\r\n" },
    { "\r\n", "\r\n" },
};

/* In chunks: line ends as above, dots as they are. */
static void keeps_dots_in_chunks(void **state)
{
    (void)state;
    static const char content[] = ".a\n..\r.\r\n.b\r";
    for (size_t split = 0; split < sizeof content; split++) {
        struct smtp_client_stuffing stuffing = { .keeps_dots = true };
        struct strbuf out;
        strbuf_init(&out, 1000);
        smtp_client_stuff(&stuffing, content, split, &out);
        smtp_client_stuff(&stuffing, content + split, sizeof content - 1 - split, &out);
        smtp_client_stuff_end(&stuffing, &out);
        assert_string_equal(out.data, ".a\r\n..\r\n.\r\n.b\r\n");
        strbuf_free(&out);
    }
}

/* In one piece, in two pieces of all sizes, and octet by octet. */
static void stuffs_content(void **state)
{
    (void)state;
    struct strbuf out;
    struct strbuf wanted;
    strbuf_init(&out, 1000);
    strbuf_init(&wanted, 1000);
    for (size_t i = 0; i < sizeof stuffing_cases / sizeof stuffing_cases[0]; i++) {
        const char *content = stuffing_cases[i].content;
        size_t len = strlen(content);
        strbuf_clear(&wanted);
        strbuf_add_fmt(&wanted, "%s.\r\n", stuffing_cases[i].wire);
        for (size_t split = 0; split <= len; split++) {
            struct smtp_client_stuffing stuffing = { 0 };
            strbuf_clear(&out);
            smtp_client_stuff(&stuffing, content, split, &out);
            smtp_client_stuff(&stuffing, content + split, len - split, &out);
            smtp_client_stuff_end(&stuffing, &out);
            assert_string_equal(out.data, wanted.data);
        }
        struct smtp_client_stuffing stuffing = { 0 };
        strbuf_clear(&out);
        for (size_t k = 0; k < len; k++)
            smtp_client_stuff(&stuffing, content + k, 1, &out);
        smtp_client_stuff_end(&stuffing, &out);
        assert_string_equal(out.data, wanted.data);
    }
    strbuf_free(&out);
    strbuf_free(&wanted);
}

static void reports_unusable_settings(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(0, 0);
    struct loop *loop = loop_new(clock);
    struct smtp_client_settings settings = {
        .loop = loop,
        .address = "127.0.0.1:25",
        .helo = "gw.example.org",
        .tls = SMTP_CLIENT_TLS_VERIFY,
        .ca_file = "/nonexistent/ca.pem",
    };
    char *error = NULL;
    assert_null(smtp_client_new(&settings, &error));
    assert_non_null(strstr(error, "/nonexistent/ca.pem"));
    free(error);
    loop_free(&loop);
    clock_free(&clock);
}

static const struct {
    const char *address, *name;
} name_cases[] = {
    { "mail.example.org:25", "mail.example.org" },
    { "192.0.2.1:25", "192.0.2.1" },
    { "[2001:db8::1]:25", "2001:db8::1" },
    { "unix:/run/relay:1", "localhost" },
};

/* The name that the relay's certificate must be for. */
static void takes_the_host_from_the_address(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(0, 0);
    struct loop *loop = loop_new(clock);
    for (size_t i = 0; i < sizeof name_cases / sizeof name_cases[0]; i++) {
        struct smtp_client_settings settings = { .loop = loop,
                                                 .address = name_cases[i].address,
                                                 .helo = "gw.example.org" };
        char *error = NULL;
        struct smtp_client *client = smtp_client_new(&settings, &error);
        assert_non_null(client);
        assert_string_equal(client->tls_name, name_cases[i].name);
        assert_true(smtp_client_is_idle(client));
        smtp_client_free(&client);
    }
    smtp_client_free(&(struct smtp_client *){ NULL }); /* harmless */
    loop_free(&loop);
    clock_free(&clock);
}

/* A relay that takes no sender: each message is over with two replies. */
struct refusing_relay {
    struct loop *loop;
    struct stream *stream;
    unsigned connections, messages, reported;
};

static void relay_on_input(struct stream *stream, void *ctx)
{
    static const struct {
        const char *verb, *reply;
    } replies[] = { { "EHLO", "250 relay.example\r\n" },
                    { "RSET", "250 Ok\r\n" },
                    { "MAIL", "550 No\r\n" },
                    { "QUIT", "221 Bye\r\n" } };
    struct refusing_relay *relay = ctx;
    const char *line;
    size_t len;
    while (stream_read_line(stream, 1000, false, &line, &len, NULL) == 1) {
        relay->messages += strncmp(line, "MAIL", 4) == 0;
        for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
            if (strncmp(line, replies[i].verb, 4) == 0)
                stream_write(stream, replies[i].reply, strlen(replies[i].reply));
    }
}

static void relay_on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    struct refusing_relay *relay = ctx;
    stream_free(&relay->stream);
}

static void relay_on_accept(int fd, const char *peer, void *arg)
{
    static const struct stream_callbacks callbacks = { .on_input = relay_on_input, .on_end = relay_on_end };
    (void)peer;
    struct refusing_relay *relay = arg;
    assert_null(relay->stream);
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = relay };
    relay->stream = stream_new_accepted(relay->loop, &settings, fd, NULL);
    relay->connections++;
    stream_write(relay->stream, "220 relay.example\r\n", 19);
}

static void on_refused(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct refusing_relay *relay = ctx;
    assert_int_equal(count, 1);
    assert_int_equal(results[0].outcome, SMTP_OUTCOME_PERMANENT);
    relay->reported++;
}

/* The 101st message gets another connection. */
static void ends_a_connection_after_many_messages(void **state)
{
    (void)state;
    struct refusing_relay relay = { 0 };
    struct clock *clock = clock_new_fake(0, 0);
    relay.loop = loop_new(clock);
    const char *error = NULL;
    struct loop_listener *listener = loop_listener_new(relay.loop, "127.0.0.1:0", relay_on_accept, &relay, &error);
    assert_non_null(listener);
    struct smtp_client_settings settings = { .loop = relay.loop,
                                             .address = loop_listener_address(listener),
                                             .helo = "gw.example.org" };
    char *client_error = NULL;
    struct smtp_client *client = smtp_client_new(&settings, &client_error);
    struct smtp_client_recipient bob = { .address = { "bob", "example.com" } };
    struct smtp_client_message message = { .recipients = &bob, .recipient_count = 1 };
    for (unsigned i = 1; i <= 101; i++) {
        smtp_client_send(client, &message, on_refused, &relay);
        for (int turns = 0; turns < 1000 && relay.reported < i; turns++)
            loop_turn(relay.loop);
        assert_int_equal(relay.reported, i);
        assert_int_equal(relay.connections, i <= 100 ? 1 : 2);
    }
    assert_int_equal(relay.messages, 101);
    smtp_client_free(&client);
    stream_free(&relay.stream);
    loop_listener_free(&listener);
    loop_turn(relay.loop);
    loop_free(&relay.loop);
    clock_free(&clock);
}

static const struct {
    const char *address, *orcpt; /* NULL: none */
} orcpt_cases[] = {
    { "bob@example.com", "rfc822;bob@example.com" },
    { "bob+a=b@example.com", "rfc822;bob+2Ba+3Db@example.com" },
    { "\"al ice\"@example.com", "rfc822;\"al+20ice\"@example.com" },
    { "bj\xc3\xb6rn+a@example.com", "utf-8;bj\xc3\xb6rn\\x{2B}a@example.com" },
    { "bob@b\xc3\xbc"
      "cher.example",
      "utf-8;bob@b\xc3\xbc"
      "cher.example" },
};

static void writes_original_recipients(void **state)
{
    (void)state;
    char out[SMTP_ORCPT_MAX + 1];
    for (size_t i = 0; i < sizeof orcpt_cases / sizeof orcpt_cases[0]; i++) {
        struct smtp_address address;
        assert_int_equal(smtp_address_parse(orcpt_cases[i].address, strlen(orcpt_cases[i].address), &address), 1);
        assert_true(smtp_client_format_orcpt(&address, out));
        assert_string_equal(out, orcpt_cases[i].orcpt);
    }
    assert_false(smtp_client_format_orcpt(&(struct smtp_address){ "", "" }, out));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stuffs_content),
        cmocka_unit_test(keeps_dots_in_chunks),
        cmocka_unit_test(reports_unusable_settings),
        cmocka_unit_test(takes_the_host_from_the_address),
        cmocka_unit_test(ends_a_connection_after_many_messages),
        cmocka_unit_test(writes_original_recipients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
