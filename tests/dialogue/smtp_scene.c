#include "tests/dialogue/smtp_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_listener_internal.h"
#include "tests/dialogue/smtp_message.h"

enum { TURNS = 8, TEXT_MAX = 1 << 20 };

/* --- the owner --- */

static void answer(struct scene *scene)
{
    struct smtp_reply reply = smtp_reply_make(250, "2.0.0", "Yes");
    int question = scene->question;
    scene->question = SCENE_NO_QUESTION;
    if (question == SCENE_MAIL)
        smtp_transaction_answer_mail(scene->asking, &reply);
    else if (question == SCENE_RECIPIENT)
        smtp_transaction_answer_recipient(scene->asking, scene->index, &reply);
    else if (question == SCENE_MESSAGE)
        smtp_transaction_answer_message(scene->asking, &reply, 1);
}

static void ask(struct scene *scene, struct smtp_transaction *transaction, int question, size_t index)
{
    assert_int_equal(scene->question, SCENE_NO_QUESTION);
    scene->question = question;
    scene->asking = transaction;
    scene->index = index;
    if (!scene->is_slow)
        answer(scene);
}

static void on_mail(struct smtp_transaction *transaction, void *ctx)
{
    struct scene *scene = ctx;
    scene->mails++;
    ask(scene, transaction, SCENE_MAIL, 0);
}

static void on_recipient(struct smtp_transaction *transaction, size_t index, void *ctx)
{
    ask(ctx, transaction, SCENE_RECIPIENT, index);
}

static void on_message(struct smtp_transaction *transaction, void *ctx)
{
    struct scene *scene = ctx;
    struct strbuf received;
    strbuf_init(&received, TEXT_MAX);
    smtp_message_read(transaction, &scene->content, &received);
    strbuf_free(&received);
    scene->messages++;
    ask(scene, transaction, SCENE_MESSAGE, 0);
}

static void on_abandoned(struct smtp_transaction *transaction, void *ctx)
{
    (void)transaction;
    ((struct scene *)ctx)->abandoned++;
}

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

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    stream_free(&((struct scene *)ctx)->client);
}

static void turn(struct scene *scene)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(scene->loop);
}

static void settle(struct scene *scene)
{
    turn(scene);
    while (scene->question != SCENE_NO_QUESTION) {
        answer(scene);
        turn(scene);
    }
}

struct scene *scene_new(const struct scene_settings *settings)
{
    static const struct stream_callbacks client_callbacks = { .on_input = on_input, .on_end = on_end };
    struct scene *scene = xcalloc(1, sizeof *scene);
    scene->clock = clock_new_fake(1000, 1700000000000);
    scene->loop = loop_new(scene->clock);
    scene->is_slow = settings->is_slow;
    scene->callbacks = (struct smtp_server_callbacks){ on_mail, on_recipient, on_message, on_abandoned, NULL };
    strbuf_init(&scene->received, TEXT_MAX);
    strbuf_init(&scene->content, TEXT_MAX);
    struct smtp_listener_settings listener = {
        .loop = scene->loop,
        .name = "scene",
        .lmtp = settings->is_lmtp,
        .hostname = "gw.example.org",
        .tls_policy = settings->needs_tls ? SMTP_TLS_REQUIRE : SMTP_TLS_NONE,
        .message_max = 1000,
        .spool_dir = "/tmp",
        .callbacks = &scene->callbacks,
        .ctx = scene,
    };
    char *error = NULL;
    scene->listener = smtp_listener_new(&listener, &error);
    assert_non_null(scene->listener);
    struct stream_settings client = { .callbacks = &client_callbacks, .ctx = scene };
    smtp_listener_adopt_pair(scene->listener, "192.0.2.1:4711", &client, &scene->client);
    settle(scene);
    return scene;
}

void scene_free(struct scene **scene_ptr)
{
    struct scene *scene = *scene_ptr;
    *scene_ptr = NULL;
    stream_free(&scene->client);
    settle(scene);
    smtp_listener_free(&scene->listener);
    settle(scene);
    strbuf_free(&scene->received);
    strbuf_free(&scene->content);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    free(scene);
}

void scene_send(struct scene *scene, const char *data, size_t len)
{
    if (scene->client && len > 0)
        stream_write(scene->client, data, len);
    settle(scene);
}

void scene_send_bytes(struct scene *scene, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        scene_send(scene, data + i, 1);
}

void scene_send_parted(struct scene *scene, const char *data, size_t len, size_t cut)
{
    scene_send(scene, data, cut);
    scene_send(scene, data + cut, len - cut);
}

void scene_say(struct scene *scene, const char *text)
{
    scene_send(scene, text, strlen(text));
}

void scene_cut(struct scene *scene)
{
    stream_free(&scene->client);
    settle(scene);
}

const char *scene_reply(const struct scene *scene, size_t from, size_t n)
{
    const char *line = scene->received.data + from;
    const char *end;
    while ((end = strstr(line, "\r\n"))) {
        bool is_last = end - line >= 4 && line[3] == ' ';
        if (is_last && n-- == 0)
            return line;
        line = end + 2;
    }
    return NULL;
}

size_t scene_count_replies(const struct scene *scene, size_t from)
{
    size_t count = 0;
    while (scene_reply(scene, from, count))
        count++;
    return count;
}

static void swallow(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

void scene_silence_log(void)
{
    log_set_sink(swallow, NULL);
}
