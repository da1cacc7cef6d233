#include "base/strbuf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

enum { FIRST_CAPACITY = 64 };

/* What a buffer without memory of its own points to (capacity 0). Never written to. */
static char nothing[] = "";

void strbuf_init(struct strbuf *buf, size_t max)
{
    assert(max < SIZE_MAX); /* room for the final NUL */
    *buf = (struct strbuf){ .data = nothing, .max = max };
}

void strbuf_free(struct strbuf *buf)
{
    if (buf->capacity > 0)
        free(buf->data);
    strbuf_init(buf, buf->max);
}

void strbuf_clear(struct strbuf *buf)
{
    buf->overflowed = false;
    strbuf_truncate(buf, 0);
}

void strbuf_truncate(struct strbuf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len = len;
    if (buf->capacity > 0)
        buf->data[len] = '\0';
}

bool strbuf_ok(const struct strbuf *buf)
{
    return !buf->overflowed;
}

/* Makes room for `more` bytes and a NUL. False, and the buffer marked, when the maximum forbids it. */
static bool make_room(struct strbuf *buf, size_t more)
{
    if (buf->overflowed || more > buf->max - buf->len) {
        buf->overflowed = true;
        return false;
    }
    size_t needed = buf->len + more + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity > SIZE_MAX / 2 ? needed : buf->capacity * 2;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity > buf->max + 1)
        capacity = buf->max + 1;
    if (capacity < needed)
        capacity = needed;
    buf->data = xreallocarray(buf->capacity > 0 ? buf->data : NULL, capacity, 1);
    buf->capacity = capacity;
    return true;
}

void strbuf_reserve(struct strbuf *buf, size_t more)
{
    size_t room = buf->max - buf->len;
    if (!buf->overflowed && make_room(buf, more < room ? more : room) && buf->capacity > 0)
        buf->data[buf->len] = '\0';
}

void strbuf_add(struct strbuf *buf, const void *data, size_t len)
{
    if (len == 0 || !make_room(buf, len))
        return;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void strbuf_add_str(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_add_char(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

void strbuf_add_fmt(struct strbuf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    strbuf_add_vfmt(buf, fmt, args);
    va_end(args);
}

/* Into the memory that there is; only a text that does not fit is made twice. */
void strbuf_add_vfmt(struct strbuf *buf, const char *fmt, va_list args)
{
    va_list again;
    size_t room = buf->overflowed ? 0 : buf->capacity - buf->len;
    va_copy(again, args);
    int len = vsnprintf(room > 0 ? buf->data + buf->len : NULL, room, fmt, args);
    if (len >= 0 && (size_t)len < room) {
        buf->len += (size_t)len;
    } else {
        if (room > 0)
            buf->data[buf->len] = '\0'; /* what did fit */
        if (len < 0)                    /* a broken format, or more than INT_MAX bytes: no text that anybody wants */
            buf->overflowed = true;
        else if (len > 0 && make_room(buf, (size_t)len)) {
            vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
            buf->len += (size_t)len;
        }
    }
    va_end(again);
}

char *strbuf_detach(struct strbuf *buf)
{
    char *text = buf->capacity > 0 ? buf->data : xstrdup("");
    strbuf_init(buf, buf->max);
    return text;
}

char *strbuf_text(size_t max, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = strbuf_vtext(max, fmt, args);
    va_end(args);
    return text;
}

char *strbuf_vtext(size_t max, const char *fmt, va_list args)
{
    struct strbuf buf;
    strbuf_init(&buf, max);
    strbuf_add_vfmt(&buf, fmt, args);
    return strbuf_detach(&buf);
}
