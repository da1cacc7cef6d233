/* What a session refuses by itself its owner hears of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "smtp/smtp_server.h"

enum { TEXT_MAX = 64 * 1024, TURNS = 40 };

/* The owner's notes: "place command code enhanced sender recipient who" of each. */
static void on_refused(const struct smtp_refusal *refusal, void *ctx)
{
    static const char *const places[] = { "connection", "command", "content" };
    char sender[SMTP_ADDRESS_MAX + 2] = "-", recipient[SMTP_ADDRESS_MAX + 2] = "-";
    if (refusal->sender)
        smtp_address_format(refusal->sender, sender);
    else if (refusal->transaction)
        smtp_address_format(smtp_transaction_sender(refusal->transaction), sender);
    if (refusal->recipient)
        smtp_address_format(refusal->recipient, recipient);
    strbuf_add_fmt(ctx, "%s %s %d %s %s %s %s\n", places[refusal->place], refusal->command ? refusal->command : "-",
                   refusal->reply->code, refusal->reply->enhanced, sender, recipient,
                   refusal->session->session_id[0] ? refusal->session->client_address : "turned away");
}

static void on_recipient(struct smtp_transaction *transaction, size_t index, void *ctx)
{
    (void)ctx;
    const struct smtp_reply reply = smtp_reply_make(index ? 550 : 250, "2.1.5", "as the owner likes");
    smtp_transaction_answer_recipient(transaction, index, &reply);
}

static void on_message(struct smtp_transaction *transaction, void *ctx)
{
    (void)ctx;
    const struct smtp_reply reply = smtp_reply_make(554, "5.7.1", "as the owner likes");
    smtp_transaction_answer_message(transaction, &reply, 1);
}

/* What the owner has heard of when this was said, by somebody who may not even connect if clients says so. */
static void play(const char *const *clients, const char *const *lines, struct strbuf *heard)
{
    static const struct smtp_server_callbacks owner = { .on_recipient = on_recipient,
                                                        .on_message = on_message,
                                                        .on_refused = on_refused };
    struct clock *clock = clock_new_fake(1000, 1700000000000);
    struct loop *loop = loop_new(clock);
    char *error;
    int fds[2];
    const struct smtp_listener_settings settings = {
        .loop = loop,
        .name = "test",
        .hostname = "gw.example.org",
        .clients = clients,
        .message_max = 1000000,
        .recipients_max = 2,
        .spool_dir = "/tmp",
        .callbacks = &owner,
        .ctx = heard,
    };
    struct smtp_listener *listener = smtp_listener_new(&settings, &error);
    assert_non_null(listener);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    smtp_listener_adopt_fd(listener, fds[0], "192.0.2.1:4711");
    for (; *lines; lines++) {
        assert_int_equal(write(fds[1], *lines, strlen(*lines)), strlen(*lines));
        for (int i = 0; i < TURNS; i++)
            loop_turn(loop);
    }
    close(fds[1]);
    smtp_listener_free(&listener);
    for (int i = 0; i < TURNS; i++)
        loop_turn(loop);
    loop_free(&loop);
    clock_free(&clock);
}

static void test_the_owner_hears_of_what_is_refused_without_asking(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "FROBNICATE\r\n",
        "EHLO client.example\r\n",
        "MAIL FROM:<bob@example.com> SIZE=2000000\r\n", /* more than may be */
        "DATA\r\n",                                     /* not now */
        "MAIL FROM:<bob@example.com>\r\nRCPT TO:<bad\r\n",
        "RCPT TO:<alice@silo.example.org>\r\n",
        "RCPT TO:<carol@silo.example.org>\r\n", /* the owner's refusal, who knows of it */
        "DATA\r\n",
        "bare\nline feed\r\n.\r\n",
        "MAIL FROM:<bob@example.com>\r\nRCPT TO:<alice@silo.example.org>\r\nDATA\r\n",
        "Subject: as it should be\r\n\r\n.\r\n", /* likewise */
        "QUIT\r\n",
        NULL,
    };
    struct strbuf heard;
    strbuf_init(&heard, TEXT_MAX);
    play(NULL, lines, &heard);
    assert_string_equal(heard.data, "command - 500 5.5.1 - - 192.0.2.1\n"
                                    "command MAIL 552 5.3.4 bob@example.com - 192.0.2.1\n"
                                    "command DATA 503 5.5.1 - - 192.0.2.1\n"
                                    "command RCPT 501 5.5.4 bob@example.com - 192.0.2.1\n"
                                    "content - 554 5.6.0 bob@example.com - 192.0.2.1\n");
    strbuf_free(&heard);
}

static void test_the_owner_hears_who_was_turned_away(void **state)
{
    (void)state;
    static const char *const clients[] = { "198.51.100.0/24", NULL };
    static const char *const lines[] = { "EHLO client.example\r\n", NULL };
    struct strbuf heard;
    strbuf_init(&heard, TEXT_MAX);
    play(clients, lines, &heard);
    assert_string_equal(heard.data, "connection - 554 5.7.1 - - turned away\n");
    strbuf_free(&heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_owner_hears_of_what_is_refused_without_asking),
        cmocka_unit_test(test_the_owner_hears_who_was_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
