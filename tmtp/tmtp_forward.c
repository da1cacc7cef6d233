/* tmtp_forward.c - walking a stored thread; its JSON is in tmtp_header_forward.c */
#include "tmtp/tmtp_forward.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

enum { DIGITS = 4, HEAD_MAX = 0xffff };

struct walk {
    tmtp_forward_read *read;
    void *ctx;
    int64_t at, end; /* of the messages */
    const char *error;
};

static const char UNREADABLE[] = "it can't be read";
static const char TOO_SHORT[] = "its sizes don't add up";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* -1: not a number. */
static int64_t parse_hex(const char *digits, size_t count)
{
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        int digit = hex_digit(digits[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* All of it, from within the messages. */
static bool take(struct walk *walk, void *out, int64_t len)
{
    if (len > walk->end - walk->at) {
        walk->error = TOO_SHORT;
        return false;
    }
    if (walk->read(walk->ctx, walk->at, out, (size_t)len) != len) {
        walk->error = UNREADABLE;
        return false;
    }
    walk->at += len;
    return true;
}

static bool take_line_feed(struct walk *walk)
{
    char c;
    if (!take(walk, &c, 1))
        return false;
    walk->error = c == '\n' ? NULL : "a line end is missing in it";
    return !walk->error;
}

static bool take_head(struct walk *walk, struct tmtp_forward_message *message)
{
    char digits[DIGITS];
    if (!take(walk, digits, DIGITS))
        return false;
    int64_t len = parse_hex(digits, DIGITS);
    if (len < 2) {
        walk->error = "the length of a message's head is no number";
        return false;
    }
    char *json = xmalloc((size_t)len);
    bool ok = take(walk, json, len) && tmtp_forward_decode_head(json, (size_t)len, message, &walk->error) == 1;
    free(json);
    return ok;
}

static bool take_message(struct walk *walk, struct tmtp_forward_message *message)
{
    if (!take_head(walk, message))
        return false;
    if (take_line_feed(walk)) {
        message->body_offset = walk->at;
        if (message->body_size <= walk->end - walk->at) {
            walk->at += message->body_size;
            if (take_line_feed(walk))
                return true;
        } else {
            walk->error = TOO_SHORT;
        }
    }
    tmtp_forward_message_free(message);
    return false;
}

static bool take_messages(struct walk *walk, struct tmtp_forward *out)
{
    size_t room = 0;
    while (walk->at < walk->end) {
        if (out->message_count == TMTP_FORWARD_MESSAGES_MAX) {
            walk->error = "there are too many messages in it";
            return false;
        }
        if (out->message_count == room) {
            room = room ? room * 2 : 16;
            out->messages = xreallocarray(out->messages, room, sizeof *out->messages);
        }
        if (!take_message(walk, &out->messages[out->message_count]))
            return false;
        out->message_count++;
    }
    if (out->message_count == 0)
        walk->error = "there is no message in it";
    return out->message_count > 0;
}

static bool take_participants(struct walk *walk, int64_t at, int64_t len, struct tmtp_forward *out)
{
    char *json = xmalloc((size_t)len);
    bool ok = false;
    if (walk->read(walk->ctx, at, json, (size_t)len) != len)
        walk->error = UNREADABLE;
    else
        ok = tmtp_forward_decode_participants(json, (size_t)len, out, &walk->error) == 1;
    free(json);
    return ok;
}

int tmtp_forward_decode(tmtp_forward_read *read, void *ctx, int64_t size, struct tmtp_forward *out,
                        const char **error_out)
{
    char trailer[TMTP_FORWARD_TRAILER];
    struct walk walk = { .read = read, .ctx = ctx };
    *out = (struct tmtp_forward){ 0 };
    *error_out = TOO_SHORT;
    if (size < TMTP_FORWARD_TRAILER)
        return 0;
    if (read(ctx, size - TMTP_FORWARD_TRAILER, trailer, sizeof trailer) != TMTP_FORWARD_TRAILER) {
        *error_out = UNREADABLE;
        return -1;
    }
    int64_t index = parse_hex(trailer, 8), participants = parse_hex(trailer + 8, 8);
    int64_t room = size - TMTP_FORWARD_TRAILER;
    if (index < 0 || participants < 2 || participants > TMTP_MESSAGE_HEAD_MAX || index > room - participants)
        return 0;
    walk.end = room - index - participants;
    if (take_messages(&walk, out) && take_participants(&walk, room - participants, participants, out))
        return 1;
    *error_out = walk.error;
    tmtp_forward_free(out);
    return walk.error == UNREADABLE ? -1 : 0;
}

void tmtp_forward_free(struct tmtp_forward *forward)
{
    for (size_t i = 0; i < forward->message_count; i++)
        tmtp_forward_message_free(&forward->messages[i]);
    free(forward->messages);
    tmtp_forward_free_participants(forward);
    *forward = (struct tmtp_forward){ 0 };
}
