/* tmtp_client_fuzz.c - a hostile silo against the TMTP client
 *
 * Byte 0 says how far an honest silo takes the client first (bits 0..1: not at all, greeted, logged in, online) and how
 * its owner behaves (bits 2..3: acks at once, later, never, declines; bit 4: posts; bit 5: registers). The rest is what
 * the silo sends then, in pieces whose sizes vary. Finally time passes, so that every timer fires.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"

enum { HOW_FAR = 3, ACKS_LATER = 4, KEEPS_SILENT = 8, BEHAVIOUR = 12, POSTS = 16, REGISTERS = 32, TURNS = 12 };

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct stream *silo;
    struct tmtp_client *client;
    struct tmtp_frame_decoder *decoder; /* of what the client says */
    struct tmtp_request request;
    struct strbuf data;
    unsigned how;
    int connections;
    char late_ack[80];
};

static void turn(struct scene *scene)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(scene->loop);
}

static void say(struct scene *scene, const char *header, const char *data, size_t len)
{
    struct strbuf frame;
    if (!scene->silo)
        return;
    strbuf_init(&frame, 2 * TMTP_MESSAGE_HEAD_MAX);
    if (tmtp_frame_compose(&frame, header, strlen(header)) < 0)
        abort();
    strbuf_add(&frame, data, len);
    stream_write(scene->silo, frame.data, frame.len);
    strbuf_free(&frame);
}

/* Sends the client's post to itself back. */
static void return_barrier(struct scene *scene)
{
    struct strbuf header;
    if ((scene->how & HOW_FAR) != 3 || scene->request.op != TMTP_OP_POST || scene->connections > 1)
        return;
    strbuf_init(&header, 200);
    strbuf_add_fmt(&header, "{\"op\":\"delivery\",\"id\":\"b0\",\"from\":\"ME\",\"datalen\":%zu,\"datahead\":%zu}",
                   scene->data.len, scene->data.len);
    say(scene, header.data, scene->data.data, scene->data.len);
    strbuf_free(&header);
}

static void silo_event(struct scene *scene, enum tmtp_frame_event event)
{
    const char *error = NULL;
    size_t len;
    if (event == TMTP_FRAME_BAD)
        abort(); /* whatever the silo does, the client speaks TMTP */
    if (event == TMTP_FRAME_HEADER) {
        const char *json = tmtp_frame_header(scene->decoder, &len);
        if (tmtp_request_decode(json, len, &scene->request, &error) < 0)
            abort();
        tmtp_frame_expect(scene->decoder, scene->request.datalen);
    }
    if (event == TMTP_FRAME_DATA) {
        const uint8_t *data = tmtp_frame_data(scene->decoder, &len);
        strbuf_add(&scene->data, data, len);
    }
    if (event == TMTP_FRAME_END) {
        return_barrier(scene);
        tmtp_request_free(&scene->request);
        strbuf_clear(&scene->data);
    }
}

static void silo_input(struct stream *stream, void *ctx)
{
    struct scene *scene = ctx;
    enum tmtp_frame_event event;
    do {
        const uint8_t *data = NULL;
        size_t size = stream_peek(stream, &data);
        size_t left = size;
        event = tmtp_frame_feed(scene->decoder, &data, &left);
        silo_event(scene, event);
        stream_consume(stream, size - left);
    } while (event != TMTP_FRAME_MORE || stream_input_size(stream) > 0);
}

static void silo_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct scene *scene = ctx;
    (void)stream, (void)why, (void)detail;
    stream_free(&scene->silo);
}

static const struct stream_callbacks silo_callbacks = { .on_input = silo_input, .on_end = silo_end };

static struct stream *connect_to_silo(const struct stream_settings *settings, void *ctx)
{
    struct scene *scene = ctx;
    struct stream *client_end;
    const struct stream_settings silo_settings = { .callbacks = &silo_callbacks, .ctx = scene };
    if (++scene->connections > 2)
        return NULL;
    stream_free(&scene->silo);
    tmtp_frame_decoder_free(&scene->decoder);
    tmtp_request_free(&scene->request);
    strbuf_clear(&scene->data);
    scene->decoder = tmtp_frame_decoder_new(TMTP_FRAME_HEADER_MAX);
    stream_new_pair(scene->loop, settings, &silo_settings, &client_end, &scene->silo);
    return client_end;
}

static void answer(struct scene *scene, const char *msgid)
{
    if ((scene->how & BEHAVIOUR) == 0)
        tmtp_client_ack(scene->client, msgid);
    else if ((scene->how & BEHAVIOUR) == ACKS_LATER)
        snprintf(scene->late_ack, sizeof scene->late_ack, "%s", msgid);
    else if ((scene->how & BEHAVIOUR) != KEEPS_SILENT)
        tmtp_client_decline(scene->client, msgid);
}

static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    (void)uid, (void)node, (void)alias_error, (void)ctx;
    tmtp_client_account_saved(client);
}

static void on_echo(struct tmtp_client *client, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid, void *ctx)
{
    (void)client, (void)posted;
    if (!queue_key || !threadid)
        abort();
    answer(ctx, msgid);
}

static void on_message(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx)
{
    (void)client;
    if (!delivery->message == !delivery->head_error || delivery->oversize != !delivery->content)
        abort();
    struct spool *content = tmtp_client_take_content(delivery);
    spool_free(&content);
    answer(ctx, delivery->push->id);
}

static void on_ping(struct tmtp_client *client, const struct tmtp_push *push, const char *text, void *ctx)
{
    (void)client;
    if (!text)
        abort();
    answer(ctx, push->id);
}

static void on_notice(struct tmtp_client *client, const struct tmtp_push *push, const char *data, size_t len, void *ctx)
{
    (void)client;
    if (data[len] != '\0')
        abort();
    answer(ctx, push->id);
}

static const struct tmtp_client_callbacks callbacks = {
    .on_registered = on_registered,
    .on_echo = on_echo,
    .on_message = on_message,
    .on_ping = on_ping,
    .on_notice = on_notice,
};

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static void begin(struct scene *scene)
{
    bool registers = scene->how & REGISTERS;
    const struct tmtp_client_settings settings = {
        .loop = scene->loop,
        .address = "=silo.example:4433",
        .uid = registers ? NULL : "ME",
        .node = registers ? NULL : "SECRET",
        .message_max = 10000,
        .callbacks = &callbacks,
        .ctx = scene,
        .connect = connect_to_silo,
        .connect_ctx = scene,
    };
    scene->client = tmtp_client_new(&settings);
    turn(scene);
    if ((scene->how & HOW_FAR) > 0)
        say(scene, "{\"op\":\"tmtprev\",\"id\":\"1\"}", "", 0);
    if ((scene->how & HOW_FAR) > 1 && registers)
        say(scene, "{\"op\":\"registered\",\"uid\":\"ME\",\"nodeid\":\"SECRET\"}", "", 0);
    if ((scene->how & HOW_FAR) > 1)
        say(scene, "{\"op\":\"info\",\"info\":\"login ok\"}", "", 0);
    turn(scene);
    if (scene->how & POSTS) {
        uint64_t request = tmtp_client_ping(scene->client, "bob@example.com", "Alice Member", "hello");
        if (request == 0 && (scene->how & HOW_FAR) > 1)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene scene = { .how = size > 0 ? data[0] : 0 };

    log_set_sink(no_log, NULL);
    scene.clock = clock_new_fake(1000000, 1763880000000);
    scene.loop = loop_new(scene.clock);
    strbuf_init(&scene.data, 2 * TMTP_MESSAGE_HEAD_MAX);
    begin(&scene);

    for (size_t at = 1; at < size;) {
        size_t piece = size - at < 1 + data[at] * 16u ? size - at : 1 + data[at] * 16u;
        if (scene.silo)
            stream_write(scene.silo, data + at, piece);
        turn(&scene);
        tmtp_client_ack(scene.client, scene.late_ack);
        at += piece;
    }
    for (int i = 0; i < 4; i++) {
        clock_advance(scene.clock, 60 * 1000);
        turn(&scene);
    }
    tmtp_client_quit(scene.client);
    tmtp_client_free(&scene.client);
    stream_free(&scene.silo);
    tmtp_frame_decoder_free(&scene.decoder);
    tmtp_request_free(&scene.request);
    turn(&scene);
    loop_free(&scene.loop);
    clock_free(&scene.clock);
    strbuf_free(&scene.data);
    return 0;
}
