/* http_text.c - see http_text.h */
#include "base/http_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

/* Octets of the character at text, 0 when it is none. */
static size_t character(const unsigned char *text, size_t len, uint32_t *code_out)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
    size_t more = 0;
    while (more < 4 && (text[0] & forms[more].mask) != forms[more].lead)
        more++;
    if (more == 4 || more + 1 > len)
        return 0;
    uint32_t code = (uint32_t)(text[0] & (unsigned char)~forms[more].mask);
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < forms[more].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *code_out = code;
    return more + 1;
}

bool http_text_is_clean(const char *text, size_t len, bool lines)
{
    while (len > 0) {
        uint32_t code = 0;
        size_t size = character((const unsigned char *)text, len, &code);
        bool is_line = lines && (code == '\n' || code == '\t');
        if (size == 0 || (!is_line && (code < 0x20 || (code >= 0x7f && code < 0xa0))))
            return false;
        text += size;
        len -= size;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At text[0] == '%'. -1: no two digits behind it. */
static int escaped_octet(const char *text, size_t len)
{
    int high = len > 2 ? hex_digit(text[1]) : -1, low = len > 2 ? hex_digit(text[2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int http_text_decode(const char *text, size_t len, struct strbuf *out)
{
    size_t before = out->len;
    for (size_t i = 0; i < len; i++) {
        int octet = (unsigned char)text[i];
        if (text[i] == '%') {
            octet = escaped_octet(text + i, len - i);
            if (octet < 0)
                return 0;
            i += 2;
        }
        strbuf_add_char(out, (char)octet);
    }
    return strbuf_ok(out) && http_text_is_clean(out->data + before, out->len - before, false) ? 1 : 0;
}

void http_text_encode(struct strbuf *out, const char *text)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++) {
        if (strchr(unreserved, *text))
            strbuf_add_char(out, *text);
        else
            strbuf_add_fmt(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

/* Decodes one name or value to where *at points, which is never longer than it is written, and ends it with a NUL. */
static bool take(const char *text, size_t len, bool lines, char **at)
{
    char *begin = *at, *to = begin;
    for (size_t i = 0; i < len; i++) {
        int octet = text[i] == '+' ? ' ' : (unsigned char)text[i];
        if (text[i] == '%') {
            octet = escaped_octet(text + i, len - i);
            if (octet < 0)
                return false;
            i += 2;
        }
        /* HTML sends the ends of lines as CRLF. */
        if (lines && octet == '\n' && to > begin && to[-1] == '\r')
            to--;
        *to++ = (char)octet;
    }
    *to = '\0';
    *at = to + 1;
    return http_text_is_clean(begin, (size_t)(to - begin), lines);
}

int http_pairs_parse(enum http_pairs_form form, const char *text, size_t len, struct http_pairs *out)
{
    const bool lines = form == HTTP_PAIRS_FORM;
    *out = (struct http_pairs){ 0 };
    if (len > HTTP_PAIRS_TEXT_MAX)
        return 0;
    size_t most = 1;
    for (size_t i = 0; i < len; i++)
        most += text[i] == '&';
    if (most > HTTP_PAIRS_MAX)
        return 0;
    out->list = xcalloc(most, sizeof *out->list);
    out->size = len + 2 * most + 1;
    char *to = out->memory = xcalloc(1, out->size);
    for (size_t begin = 0; begin < len;) {
        const char *end = memchr(text + begin, '&', len - begin);
        size_t size = end ? (size_t)(end - text) - begin : len - begin;
        const char *equals = memchr(text + begin, '=', size);
        size_t name_size = equals ? (size_t)(equals - text) - begin : size;
        if (size > 0) {
            struct http_pair *pair = &out->list[out->count++];
            pair->name = to;
            bool good = take(text + begin, name_size, false, &to);
            pair->value = to;
            good = take(text + begin + name_size + (equals != NULL), size - name_size - (equals != NULL), lines, &to) &&
                   good;
            if (!good) {
                http_pairs_clear(out);
                return 0;
            }
        }
        begin += size + 1;
    }
    return 1;
}

const char *http_pairs_find(const struct http_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->list[i].name, name) == 0)
            return pairs->list[i].value;
    return NULL;
}

void http_pairs_clear(struct http_pairs *pairs)
{
    free(pairs->list);
    free(pairs->memory);
    *pairs = (struct http_pairs){ 0 };
}

bool http_cookie_find(const char *field, const char *name, const char **value_out, size_t *len_out)
{
    size_t name_len = strlen(name);
    bool found = false;
    while (*field) {
        field += strspn(field, " \t;");
        size_t len = strcspn(field, ";");
        if (len > name_len && strncmp(field, name, name_len) == 0 && field[name_len] == '=') {
            if (found)
                return false;
            found = true;
            *value_out = field + name_len + 1;
            *len_out = len - name_len - 1;
        }
        field += len;
    }
    while (found && *len_out > 0 && ((*value_out)[*len_out - 1] == ' ' || (*value_out)[*len_out - 1] == '\t'))
        --*len_out;
    return found;
}
