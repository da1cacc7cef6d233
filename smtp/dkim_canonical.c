/* dkim_canonical.c - see dkim_canonical.h */
#include "smtp/dkim_canonical.h"

#include <string.h>

#include "base/strbuf.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Runs of white space become one space, unless they are at an end. */
static void add_value(struct strbuf *out, const char *value, size_t len)
{
    bool has_space = false, has_text = false;
    for (size_t i = 0; i < len; i++) {
        if (is_space(value[i])) {
            has_space = has_text;
            continue;
        }
        if (has_space)
            strbuf_add_char(out, ' ');
        strbuf_add_char(out, value[i]);
        has_space = false;
        has_text = true;
    }
}

void dkim_canonical_field(struct strbuf *out, const char *field, size_t len)
{
    const char *colon = memchr(field, ':', len);
    size_t name_len = colon ? (size_t)(colon - field) : 0;
    for (size_t i = 0; i < name_len; i++) {
        char c = field[i];
        if (!is_space(c))
            strbuf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    if (colon) {
        strbuf_add_char(out, ':');
        name_len++;
    }
    add_value(out, field + name_len, len - name_len);
}

static void flush(struct dkim_body *body)
{
    digest_add(body->digest, body->pending, body->len);
    body->len = 0;
}

static void put(struct dkim_body *body, const char *text, size_t len)
{
    body->size += len;
    if (len > sizeof body->pending - body->len)
        flush(body);
    if (len > sizeof body->pending) {
        digest_add(body->digest, text, len);
        return;
    }
    memcpy(body->pending + body->len, text, len);
    body->len += len;
}

static void put_line_end(struct dkim_body *body)
{
    put(body, "\r\n", 2);
}

static void put_line_ends(struct dkim_body *body)
{
    for (; body->line_ends > 0; body->line_ends--)
        put_line_end(body);
}

static void add_simple(struct dkim_body *body, const char *text, size_t len)
{
    if (len == 0)
        return;
    put_line_ends(body);
    put(body, text, len);
    body->has_text = true;
}

static void add_relaxed(struct dkim_body *body, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        while (i + n < len && text[i + n] != ' ' && text[i + n] != '\t')
            n++;
        if (n == 0) {
            body->has_space = true;
            i++;
            continue;
        }
        put_line_ends(body);
        if (body->has_space)
            put(body, " ", 1);
        put(body, text + i, n);
        body->has_space = false;
        body->has_text = true;
        i += n;
    }
}

void dkim_body_add(struct dkim_body *body, const char *text, size_t len)
{
    if (body->is_simple)
        add_simple(body, text, len);
    else
        add_relaxed(body, text, len);
}

void dkim_body_end_line(struct dkim_body *body)
{
    body->has_space = false;
    body->line_ends++;
}

void dkim_body_finish(struct dkim_body *body, uint8_t digest_out[static DIGEST_SIZE])
{
    if (body->has_text || body->is_simple) /* sections 3.4.3 and 3.4.4: nothing is a line end, or nothing */
        put_line_end(body);
    flush(body);
    digest_finish(&body->digest, digest_out);
}
