/* silo_probe.c - see silo_probe.h */
#include "gateway/silo_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "gateway/apart.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"

enum { ERROR_MAX = 1000, HEADER_MAX = 16 * 1024, HELLO_MAX = 200, SAID_MAX = 64 * 1024, SPARE_MS = 2000 };
static const char revision[] = "1";

struct probe {
    struct loop *loop;
    struct stream *stream;
    struct tmtp_frame_decoder *decoder;
    struct silo_probe *out;
    bool is_done;
};

static void finish(struct probe *probe, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void finish(struct probe *probe, const char *fmt, ...)
{
    if (probe->is_done)
        return;
    if (fmt) {
        va_list args;
        va_start(args, fmt);
        probe->out->error = strbuf_vtext(ERROR_MAX, fmt, args);
        va_end(args);
    }
    probe->is_done = true;
    loop_stop(probe->loop);
}

static void note_certificate(struct probe *probe)
{
    const char *pin = stream_peer_pin(probe->stream);
    if (pin)
        memcpy(probe->out->pin, pin, strlen(pin) + 1);
    int64_t expires = stream_peer_expires(probe->stream);
    if (expires != 0)
        probe->out->expires = expires;
}

static void on_tls(struct stream *stream, void *ctx)
{
    struct probe *probe = ctx;
    struct strbuf hello;
    char id[] = "1";
    const struct tmtp_request request = { .op = TMTP_OP_TMTPREV, .id = id, .id_len = sizeof id - 1 };
    note_certificate(probe);
    strbuf_init(&hello, HELLO_MAX);
    if (tmtp_request_compose(&hello, &request) == 1)
        stream_write(stream, hello.data, hello.len);
    strbuf_free(&hello);
}

static void on_header(struct probe *probe)
{
    size_t len;
    const char *text = tmtp_frame_header(probe->decoder, &len), *error = NULL;
    struct tmtp_push push;
    if (tmtp_push_decode(text, len, &push, &error) < 0) {
        finish(probe, "it answers, but not as a silo: %s", error);
        return;
    }
    if (push.op == TMTP_PUSH_QUIT)
        finish(probe, "the silo refuses us: %s", push.error ? push.error : "it gives no reason");
    else if (push.op != TMTP_PUSH_TMTPREV || !push.id || strcmp(push.id, revision) != 0)
        finish(probe, "it speaks another revision of TMTP");
    else {
        probe->out->is_silo = true;
        probe->out->asks_token = push.auth_required;
        probe->out->name = push.name ? xstrdup(push.name) : NULL;
        finish(probe, NULL);
    }
    tmtp_push_free(&push);
}

static void on_input(struct stream *stream, void *ctx)
{
    struct probe *probe = ctx;
    const uint8_t *data;
    size_t len = stream_peek(stream, &data);
    const uint8_t *at = data;
    size_t left = len;
    enum tmtp_frame_event event = len > 0 ? tmtp_frame_feed(probe->decoder, &at, &left) : TMTP_FRAME_MORE;
    if (event == TMTP_FRAME_HEADER)
        on_header(probe);
    else if (event == TMTP_FRAME_BAD)
        finish(probe, "something answers there, but it is no silo: %s", tmtp_frame_error(probe->decoder));
    stream_consume(stream, len - left);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct probe *probe = ctx;
    (void)stream;
    note_certificate(probe);
    if (why == STREAM_END_TLS)
        finish(probe, "TLS failed: %s", detail);
    else if (why == STREAM_END_EOF)
        finish(probe, "it closes the connection without an answer");
    else
        finish(probe, "%s", detail);
}

static void on_time(void *ctx)
{
    struct probe *probe = ctx;
    finish(probe, "no answer in time");
}

static const struct stream_callbacks callbacks = { .on_tls = on_tls, .on_input = on_input, .on_end = on_end };

void silo_probe(struct loop *loop, const char *address, const char *ca_file, const char *pin, int64_t ms,
                struct silo_probe *out)
{
    *out = (struct silo_probe){ .is_silo = false };
    struct probe probe = { .loop = loop, .out = out };
    struct tls_context *tls =
        tls_context_new_client(address[0] == '+' ? TLS_VERIFY_CA : TLS_VERIFY_PIN, ca_file, &out->error);
    if (!tls)
        return;
    const struct stream_settings settings = { .callbacks = &callbacks, .ctx = &probe };
    const struct stream_target target = {
        .address = address + 1, .tls = tls, .pin = address[0] == '=' ? pin : NULL, .connect_timeout_ms = ms
    };
    struct timer *timer = timer_new(loop, on_time, &probe);
    probe.decoder = tmtp_frame_decoder_new(HEADER_MAX);
    probe.stream = stream_new_connecting(loop, &settings, &target);
    timer_start(timer, ms);
    while (!probe.is_done)
        loop_run(loop);
    timer_free(&timer);
    stream_free(&probe.stream);
    loop_turn(loop); /* where streams die */
    tmtp_frame_decoder_free(&probe.decoder);
    tls_context_free(&tls);
}

void silo_probe_clear(struct silo_probe *probe)
{
    free(probe->name);
    free(probe->error);
    *probe = (struct silo_probe){ .is_silo = false };
}

/* ---- by a process of its own ---- */

struct apart_probe {
    const char *address, *ca_file;
    int64_t ms;
};

/* The fields that have a fixed size; name and error follow, with a NUL between them. */
struct said_head {
    uint8_t is_silo, asks_token;
    char pin[TLS_PIN_SIZE];
    int64_t expires;
};

void silo_probe_write(const struct silo_probe *probe, struct strbuf *out)
{
    struct said_head head;
    memset(&head, 0, sizeof head); /* its padding is said as well */
    head.is_silo = probe->is_silo;
    head.asks_token = probe->asks_token;
    memcpy(head.pin, probe->pin, sizeof head.pin);
    head.expires = probe->expires;
    strbuf_add(out, &head, sizeof head);
    strbuf_add_str(out, probe->name ? probe->name : "");
    strbuf_add_char(out, 0);
    strbuf_add_str(out, probe->error ? probe->error : "");
}

static bool is_pin(const char text[static TLS_PIN_SIZE])
{
    static const char prefix[] = "sha256:";
    const size_t digits = TLS_PIN_SIZE - sizeof prefix;
    return memchr(text, 0, TLS_PIN_SIZE) == text + TLS_PIN_SIZE - 1 && strncmp(text, prefix, sizeof prefix - 1) == 0 &&
           strspn(text + sizeof prefix - 1, "0123456789abcdef") == digits;
}

int silo_probe_read(const char *text, size_t len, struct silo_probe *out)
{
    struct said_head head;
    *out = (struct silo_probe){ .is_silo = false };
    if (len < sizeof head)
        return -1;
    memcpy(&head, text, sizeof head);
    const char *name = text + sizeof head, *end = text + len;
    const char *error = memchr(name, 0, (size_t)(end - name));
    if (!error || memchr(error + 1, 0, (size_t)(end - error - 1)) || (head.pin[0] && !is_pin(head.pin)) ||
        head.is_silo > 1 || head.asks_token > 1 || (head.is_silo && !head.pin[0])) /* it has shown a certificate */
        return -1;
    out->is_silo = head.is_silo;
    out->asks_token = head.asks_token;
    memcpy(out->pin, head.pin, head.pin[0] ? sizeof out->pin : 0);
    out->expires = head.expires;
    out->name = *name ? xstrdup(name) : NULL;
    out->error = out->is_silo ? NULL : xstrndup(error + 1, (size_t)(end - error - 1));
    return 1;
}

static void probe_and_say(void *ctx, struct strbuf *said)
{
    const struct apart_probe *asked = ctx;
    struct silo_probe found;
    struct clock *clock = clock_new_system();
    struct loop *loop = loop_new(clock);
    silo_probe(loop, asked->address, asked->ca_file, NULL, asked->ms, &found);
    silo_probe_write(&found, said);
    silo_probe_clear(&found);
    loop_free(&loop);
    clock_free(&clock);
}

void silo_probe_apart(const struct config *config, const char *address, const char *ca_file, int64_t ms,
                      struct silo_probe *out)
{
    struct apart_probe asked = { .address = address, .ca_file = ca_file, .ms = ms };
    struct apart_settings settings = { .ms = ms + SPARE_MS };
    struct strbuf said;
    *out = (struct silo_probe){ .is_silo = false };
    strbuf_init(&said, SAID_MAX);
    apart_choose(config, &settings);
    if (apart_run(&settings, probe_and_say, &asked, &said) < 0)
        out->error = xstrdup(said.data);
    else if (silo_probe_read(said.data, said.len, out) < 0)
        out->error = xstrdup("the process that asks says nothing of use");
    strbuf_free(&said);
}
