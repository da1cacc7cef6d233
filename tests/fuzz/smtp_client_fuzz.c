/* Fuzzing smtp_client with a hostile relay.
 *
 * The first octet chooses LMTP, STARTTLS, AUTH, recipients and how the relay talks; the rest is what it says: a line each time the
 * client has gone silent, or everything at once. Whatever it says, the owner hears exactly once of each message, in
 * codes that fit the outcomes and stages, and nothing is delivered that was not sent to its end, nor to a relay that was to
 * prove that it knows the password.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "smtp/smtp_client.h"

enum { TURNS = 4, RECEIVED_MAX = 1 << 20, ROUNDS_MAX = 200 };
enum flag {
    FLAG_LMTP = 1,
    FLAG_TLS = 2,
    FLAG_AT_ONCE = 4,
    FLAG_TWO_RECIPIENTS = 8,
    FLAG_8BIT = 16,
    FLAG_TWO_MESSAGES = 32,
    FLAG_AUTH = 64,
    FLAG_UTF8 = 128
};

static const char content[] = "Subject: Lunch\r\n\r\n.At noon?\r\n";

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct loop_listener *listener;
    struct stream *relay;
    struct strbuf received;
    const uint8_t *words; /* what the relay has not said yet */
    size_t left;
    unsigned done;
    bool authenticates;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void relay_on_input(struct stream *stream, void *ctx)
{
    struct scene *scene = ctx;
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(stream, &data)) > 0) {
        strbuf_add(&scene->received, data, len);
        stream_consume(stream, len);
    }
}

static void relay_on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)why, (void)detail;
    struct scene *scene = ctx;
    if (scene->relay == stream)
        scene->relay = NULL;
    stream_free(&stream);
}

static void on_accept(int fd, const char *peer, void *arg)
{
    static const struct stream_callbacks callbacks = { .on_input = relay_on_input, .on_end = relay_on_end };
    (void)peer;
    struct scene *scene = arg;
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = scene };
    stream_free(&scene->relay);
    scene->relay = stream_new_accepted(scene->loop, &settings, fd, NULL);
    strbuf_clear(&scene->received);
}

static bool has_received(const struct scene *scene, const char *text)
{
    return memmem(scene->received.data, scene->received.len, text, strlen(text)) != NULL;
}

static void on_done(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct scene *scene = ctx;
    scene->done++;
    for (size_t i = 0; i < count; i++) {
        int class = results[i].reply.code / 100;
        switch (results[i].outcome) {
        case SMTP_OUTCOME_DELIVERED:
            require(class == 2);
            require(has_received(scene, "\r\n..At noon?\r\n.\r\n") ||
                    has_received(scene, "BDAT 29 LAST\r\nSubject: Lunch\r\n\r\n.At noon?\r\n"));
            require(!scene->authenticates || has_received(scene, "AUTH PLAIN") || has_received(scene, "AUTH LOGIN"));
            require(results[i].stage == SMTP_STAGE_FINAL);
            break;
        case SMTP_OUTCOME_TEMPORARY:
        case SMTP_OUTCOME_UNKNOWN:
            require(class == 4);
            require(results[i].outcome == SMTP_OUTCOME_TEMPORARY || results[i].stage == SMTP_STAGE_FINAL);
            break;
        case SMTP_OUTCOME_PERMANENT:
            require(class == 5 && results[i].stage >= SMTP_STAGE_EXTENSIONS);
            break;
        }
    }
}

static void turn(struct scene *scene)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(scene->loop);
}

static void relay_speaks(struct scene *scene, bool at_once)
{
    const uint8_t *end = at_once ? NULL : memchr(scene->words, '\n', scene->left);
    size_t len = end == NULL ? scene->left : (size_t)(end - scene->words) + 1;
    stream_write(scene->relay, scene->words, len);
    scene->words += len;
    scene->left -= len;
}

static void play(struct scene *scene, struct smtp_client *client, unsigned flags)
{
    const char *domain = (flags & FLAG_UTF8) != 0 ? "b\xc3\xbc"
                                                    "cher.example"
                                                  : "example.com";
    char orcpt[SMTP_ORCPT_MAX + 1];
    struct smtp_client_recipient recipients[2] = { { .address = { "bob", "" }, .notify = 7, .orcpt = orcpt },
                                                   { .address = { "carol", "example.com" } } };
    snprintf(recipients[0].address.domain, sizeof recipients[0].address.domain, "%s", domain);
    require(smtp_client_format_orcpt(&recipients[0].address, orcpt));
    int fd = memfd_create("content", MFD_CLOEXEC);
    require(write(fd, content, sizeof content - 1) == sizeof content - 1);
    struct smtp_client_message message = {
        .sender = { "alice.member", "silo.example.org" },
        .recipients = recipients,
        .envid = "out17",
        .ret = SMTP_DSN_RET_HDRS,
        .recipient_count = (flags & FLAG_TWO_RECIPIENTS) != 0 ? 2 : 1,
        .content_fd = fd,
        .content_size = sizeof content - 1,
        .is_8bit = (flags & FLAG_8BIT) != 0,
    };
    unsigned before = scene->done;
    smtp_client_send(client, &message, on_done, scene);
    close(fd);
    require(scene->done == before);
    for (int round = 0; scene->done == before && round < ROUNDS_MAX; round++) {
        turn(scene);
        if (scene->relay != NULL && scene->left > 0)
            relay_speaks(scene, (flags & FLAG_AT_ONCE) != 0);
        else if (scene->left == 0)
            clock_advance(scene->clock, 11 * 60 * 1000);
    }
    require(scene->done == before + 1 || scene->left > 0);
}

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    log_set_sink(no_log, NULL);
    unsigned flags = data[0];
    struct scene scene = {
        .clock = clock_new_fake(0, 0), .words = data + 1, .left = size - 1, .authenticates = (flags & FLAG_AUTH) != 0
    };
    char address[64];
    snprintf(address, sizeof address, "unix:/tmp/postern-fuzz-relay-%ld", (long)getpid());
    const char *error = NULL;
    strbuf_init(&scene.received, RECEIVED_MAX);
    scene.loop = loop_new(scene.clock);
    scene.listener = loop_listener_new(scene.loop, address, on_accept, &scene, &error);
    require(scene.listener != NULL);
    struct smtp_client_settings settings = {
        .loop = scene.loop,
        .address = address,
        .lmtp = (flags & FLAG_LMTP) != 0,
        .tls = (flags & FLAG_TLS) != 0 ? SMTP_CLIENT_TLS_MAY : SMTP_CLIENT_TLS_NONE,
        .helo = "gw.example.org",
        .user = scene.authenticates ? "alice" : NULL,
        .password = "open sesame",
    };
    char *client_error = NULL;
    struct smtp_client *client = smtp_client_new(&settings, &client_error);
    require(client != NULL);
    play(&scene, client, flags);
    if ((flags & FLAG_TWO_MESSAGES) != 0 && smtp_client_is_idle(client))
        play(&scene, client, flags);
    smtp_client_free(&client);
    turn(&scene);
    stream_free(&scene.relay);
    loop_listener_free(&scene.listener);
    turn(&scene);
    loop_free(&scene.loop);
    clock_free(&scene.clock);
    strbuf_free(&scene.received);
    return 0;
}
