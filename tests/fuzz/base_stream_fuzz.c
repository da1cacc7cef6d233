/* base_stream_fuzz.c - reading lines and bytes from a stream that comes in arbitrary pieces
 *
 * The first bytes choose the limits; then each byte is an operation: send some of the rest, read lines, take bytes, pause,
 * let time pass. Whatever the order, what was taken must be what was sent, and the limits must hold.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"

enum { SENT_MAX = 1 << 20 };

struct script {
    const uint8_t *bytes;
    size_t len;
    struct stream *writer, *reader;
    struct strbuf sent;
    size_t taken; /* of sent */
    size_t input_max, line_max;
    bool lf_ok;
    bool ended;
};

static void require(bool truth)
{
    if (!truth)
        abort();
}

static uint8_t next(struct script *script)
{
    if (script->len == 0)
        return 0;
    script->len--;
    return *script->bytes++;
}

static void on_input(struct stream *stream, void *ctx)
{
    struct script *script = ctx;
    require(!script->ended && stream_input_size(stream) > 0);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct script *script = ctx;
    (void)stream;
    require(!script->ended && detail != NULL && why != STREAM_END_TLS);
    script->ended = true;
}

static const struct stream_callbacks callbacks = { .on_input = on_input, .on_end = on_end };

static void send_some(struct script *script, size_t len)
{
    if (script->writer == NULL || script->sent.len + len > SENT_MAX)
        return;
    for (; len > 0 && script->len > 0; len--) {
        char c = (char)next(script);
        strbuf_add_char(&script->sent, c);
        stream_write(script->writer, &c, 1);
    }
}

static void read_line(struct script *script)
{
    const char *line = NULL;
    size_t len = 0, before = stream_input_size(script->reader);
    bool crlf = false;
    int result = stream_read_line(script->reader, script->line_max, script->lf_ok, &line, &len, &crlf);
    if (result != 1) {
        require(stream_input_size(script->reader) == before);
        require(result == 0 || before > script->line_max || before == script->input_max);
        return;
    }
    const char *sent = script->sent.data + script->taken;
    require(len <= script->line_max && memcmp(line, sent, len) == 0 && line[len] == '\0');
    require(crlf ? memcmp(sent + len, "\r\n", 2) == 0 : script->lf_ok && sent[len] == '\n');
    require(memmem(sent, len, "\r\n", 2) == NULL && (!script->lf_ok || memchr(sent, '\n', len) == NULL));
    script->taken += len + (crlf ? 2 : 1);
    require(before - stream_input_size(script->reader) == len + (crlf ? 2 : 1));
}

static void take_bytes(struct script *script, size_t len)
{
    const uint8_t *data;
    size_t there = stream_peek(script->reader, &data);
    if (len > there)
        len = there;
    require(memcmp(data, script->sent.data + script->taken, there) == 0);
    stream_consume(script->reader, len);
    script->taken += len;
}

static void play(struct script *script, struct loop *loop, struct clock *clock)
{
    while (script->len > 0 && script->reader != NULL) {
        uint8_t op = next(script);
        switch (op % 8) {
        case 0:
        case 1:
            send_some(script, (size_t)op >> 3);
            break;
        case 2:
            read_line(script);
            break;
        case 3:
            take_bytes(script, (size_t)op >> 3);
            break;
        case 4:
            stream_pause_input(script->reader, (op & 8) != 0);
            break;
        case 5:
            clock_advance(clock, (op >> 3) * 10);
            break;
        case 6:
            if (op == 0xFE)
                stream_close_after_output(&script->writer);
            else if (op == 0xF6)
                stream_free(&script->writer);
            else if (op == 0xEE)
                stream_free(&script->reader);
            break;
        default:
            loop_turn(loop);
            break;
        }
        if (script->reader != NULL)
            require(stream_input_size(script->reader) <= script->input_max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_set_level(LOG_LEVEL_ERROR);
    struct script script = { .bytes = data, .len = size };
    script.input_max = (size_t)next(&script) + 1;
    script.line_max = next(&script);
    uint8_t flags = next(&script);
    script.lf_ok = (flags & 1) != 0;
    strbuf_init(&script.sent, SENT_MAX);
    struct clock *clock = clock_new_fake(0, 0);
    struct loop *loop = loop_new(clock);
    struct stream_settings writer = { .callbacks = &callbacks, .ctx = &(struct script){ .len = 0 } };
    struct stream_settings reader = { .callbacks = &callbacks, .ctx = &script, .input_max = script.input_max };
    stream_new_pair(loop, &writer, &reader, &script.writer, &script.reader);
    if ((flags & 2) != 0)
        stream_set_idle_timeout(script.reader, 1000);
    play(&script, loop, clock);
    stream_free(&script.writer);
    stream_free(&script.reader);
    loop_free(&loop);
    clock_free(&clock);
    strbuf_free(&script.sent);
    return 0;
}
