#include "mapping/convert_utf8.h"

#include <string.h>

#include "base/strbuf.h"

/* Forms of RFC 3629: how the first byte looks, how many follow, and the least code point that needs this form. */
static const struct form {
    uint8_t mask, lead, follow;
    uint32_t least;
} forms[] = {
    { 0x80, 0x00, 0, 0 },
    { 0xE0, 0xC0, 1, 0x80 },
    { 0xF0, 0xE0, 2, 0x800 },
    { 0xF8, 0xF0, 3, 0x10000 },
};

size_t convert_utf8_char(const char *text, size_t len, uint32_t *code_out)
{
    *code_out = 0;
    if (len == 0)
        return 0;
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        if ((bytes[0] & form->mask) != form->lead)
            continue;
        if (len <= form->follow)
            return 0;
        uint32_t code = (uint8_t)(bytes[0] & (uint8_t)~form->mask);
        for (size_t k = 1; k <= form->follow; k++) {
            if ((bytes[k] & 0xC0) != 0x80)
                return 0;
            code = code << 6 | (bytes[k] & 0x3F);
        }
        if (code < form->least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return 0;
        *code_out = code;
        return (size_t)form->follow + 1;
    }
    return 0;
}

bool convert_utf8_is_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = (uint8_t)text[i] < 0x80 ? 1 : convert_utf8_char(text + i, len - i, &code);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

void convert_utf8_repair(struct strbuf *out, const char *text, size_t len)
{
    size_t start = 0; /* of the valid run that is not copied yet */
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (n == 0) {
            strbuf_add(out, text + start, i - start);
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
            start = i + 1;
            n = 1;
        }
        i += n;
    }
    strbuf_add(out, text + start, len - start);
}

size_t convert_utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    size_t cut = max;
    while (cut > 0 && ((uint8_t)text[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

void convert_utf8_add(struct strbuf *out, uint32_t code)
{
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        code = 0xFFFD;
    size_t form = sizeof forms / sizeof forms[0] - 1;
    while (code < forms[form].least)
        form--;
    unsigned follow = forms[form].follow;
    strbuf_add_char(out, (char)(forms[form].lead | code >> (6 * follow)));
    while (follow-- > 0)
        strbuf_add_char(out, (char)(0x80 | (code >> (6 * follow) & 0x3F)));
}

bool convert_utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

char *convert_utf8_one_line(const char *text, size_t len, size_t max)
{
    struct strbuf line;
    strbuf_init(&line, len * strlen(CONVERT_UTF8_REPLACEMENT) + 1);
    bool space = false;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (n > 0 && (code == ' ' || convert_utf8_is_control(code))) {
            space = line.len > 0;
        } else {
            if (space)
                strbuf_add_char(&line, ' ');
            space = false;
            if (n > 0)
                strbuf_add(&line, text + i, n);
            else
                strbuf_add_str(&line, CONVERT_UTF8_REPLACEMENT);
        }
        i += n > 0 ? n : 1;
    }
    strbuf_truncate(&line, convert_utf8_cut(line.data, line.len, max));
    return strbuf_detach(&line);
}
