#include "mapping/convert_charset_shift.h"

#include <string.h>

#include "base/strbuf.h"

enum { ESC = 0x1B, SHIFT_OUT = 0x0E, SHIFT_IN = 0x0F };

/* What the octets between two switches are. */
enum jp_mode { JP_ASCII, JP_ROMAN, JP_KANA, JP_0208, JP_0212 };

static const struct escape {
    const char *text; /* behind ESC */
    enum jp_mode mode;
} escapes[] = {
    { "(B", JP_ASCII }, { "(J", JP_ROMAN }, { "(H", JP_ROMAN }, { "(I", JP_KANA },  { "$@", JP_0208 },
    { "$B", JP_0208 },  { "$(D", JP_0212 }, { "$(B", JP_0208 }, { "$(@", JP_0208 },
};

/* Of the switch at data; 0: none that is known here. */
static size_t escape_len(const char *data, size_t len, enum jp_mode *mode_out)
{
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        size_t n = strlen(escapes[i].text);
        if (len > n && memcmp(data + 1, escapes[i].text, n) == 0) {
            *mode_out = escapes[i].mode;
            return n + 1;
        }
    }
    return 0;
}

static bool is_graphic(char c)
{
    return c > 0x20 && c < 0x7F;
}

static void add_kana(struct strbuf *out, char c)
{
    strbuf_add_char(out, '\x8E');
    strbuf_add_char(out, (char)(c | 0x80));
}

/* In ISO 646-JP two characters are others. */
static void add_roman(struct strbuf *out, char c)
{
    if (c == '\\')
        strbuf_add_str(out, "\xA1\xEF"); /* yen sign */
    else if (c == '~')
        strbuf_add_str(out, "\xA1\xB1"); /* overline */
    else
        strbuf_add_char(out, c);
}

/* Adds what stands at data, and returns its length. */
static size_t add_jp(struct strbuf *out, const char *data, size_t len, enum jp_mode mode)
{
    unsigned char c = (unsigned char)*data;
    bool is_double = (mode == JP_0208 || mode == JP_0212) && len > 1 && is_graphic(data[0]) && is_graphic(data[1]);
    if (c >= 0xA1 && c <= 0xDF) {
        add_kana(out, *data); /* eight-bit kana */
    } else if (is_double) {
        if (mode == JP_0212)
            strbuf_add_char(out, '\x8F');
        strbuf_add_char(out, (char)(data[0] | 0x80));
        strbuf_add_char(out, (char)(data[1] | 0x80));
        return 2;
    } else if (mode == JP_KANA && c > 0x20 && c < 0x60) {
        add_kana(out, *data);
    } else if (mode == JP_ROMAN) {
        add_roman(out, *data);
    } else {
        strbuf_add_char(out, *data);
    }
    return 1;
}

bool convert_charset_shift_jp(struct strbuf *out, const char *data, size_t len)
{
    enum jp_mode mode = JP_ASCII;
    for (size_t i = 0; i < len;) {
        if (data[i] == ESC) {
            size_t n = escape_len(data + i, len - i, &mode);
            bool is_foreign = n == 0 && len - i > 2 && memchr("$(.-", data[i + 1], 4) != NULL;
            if (is_foreign)
                return false;
            if (n == 0)
                strbuf_add_char(out, data[i]);
            i += n > 0 ? n : 1;
        } else if (data[i] == SHIFT_OUT || data[i] == SHIFT_IN) {
            mode = data[i] == SHIFT_OUT ? JP_KANA : JP_ASCII;
            i++;
        } else {
            if (data[i] == '\n')
                mode = JP_ASCII;
            i += add_jp(out, data + i, len - i, mode);
        }
    }
    return true;
}

void convert_charset_shift_hz(struct strbuf *out, const char *data, size_t len)
{
    bool is_chinese = false;
    for (size_t i = 0; i < len; i++) {
        char next = i + 1 < len ? data[i + 1] : '\0';
        bool is_switch = data[i] == '~' && (next == '{' || next == '}');
        if (data[i] == '\n')
            is_chinese = false;
        if (is_switch) {
            is_chinese = next == '{';
            i++;
        } else if (is_chinese && is_graphic(data[i]) && is_graphic(next)) {
            strbuf_add_char(out, (char)(data[i] | 0x80));
            strbuf_add_char(out, (char)(next | 0x80));
            i++;
        } else if (data[i] == '~' && next == '~') {
            strbuf_add_char(out, '~');
            i++;
        } else if (data[i] == '~' && (next == '\n' || (next == '\r' && i + 2 < len && data[i + 2] == '\n'))) {
            i += next == '\r' ? 2 : 1; /* the line goes on */
        } else {
            strbuf_add_char(out, data[i]);
        }
    }
}
