#include "mapping/convert_charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset_guess.h"
#include "mapping/convert_charset_names.h"
#include "mapping/convert_charset_shift.h"
#include "mapping/convert_utf8.h"

/* One name, as it is looked up. */
struct label {
    char text[CONVERT_CHARSET_LABEL_MAX + 1];
    size_t row; /* of convert_charset_rows */
};

struct convert_charsets {
    iconv_t *handles; /* one for each row; (iconv_t)-1: this system has no such module */
    struct label *labels;
    size_t label_count;
};

static bool is_handle(iconv_t handle)
{
    return (intptr_t)handle != -1;
}

/* By name, then by row. */
static int compare_labels(const void *a, const void *b)
{
    const struct label *one = a;
    const struct label *other = b;
    int order = strcmp(one->text, other->text);
    return order != 0 ? order : (one->row > other->row) - (one->row < other->row);
}

static void add_labels(struct convert_charsets *charsets, size_t row, size_t *capacity)
{
    for (const char *at = convert_charset_rows[row].labels; *at;) {
        size_t n = strcspn(at, " ");
        if (charsets->label_count == *capacity) {
            *capacity = *capacity > 0 ? *capacity * 2 : 512;
            charsets->labels = xreallocarray(charsets->labels, *capacity, sizeof *charsets->labels);
        }
        struct label *label = &charsets->labels[charsets->label_count++];
        convert_charset_normalise(at, n, label->text);
        label->row = row;
        at += n;
        at += strspn(at, " ");
    }
}

struct convert_charsets *convert_charsets_new(void)
{
    struct convert_charsets *charsets = xcalloc(1, sizeof *charsets);
    size_t capacity = 0;
    charsets->handles = xcalloc(convert_charset_row_count, sizeof *charsets->handles);
    for (size_t i = 0; i < convert_charset_row_count; i++) {
        const char *name = convert_charset_rows[i].name;
        charsets->handles[i] = name ? iconv_open("UTF-8", name) : (iconv_t)-1;
        add_labels(charsets, i, &capacity);
    }
    qsort(charsets->labels, charsets->label_count, sizeof *charsets->labels, compare_labels);
    return charsets;
}

void convert_charsets_free(struct convert_charsets **charsets)
{
    if (!*charsets)
        return;
    for (size_t i = 0; i < convert_charset_row_count; i++) {
        if (is_handle((*charsets)->handles[i]))
            iconv_close((*charsets)->handles[i]);
    }
    free((*charsets)->handles);
    free((*charsets)->labels);
    free(*charsets);
    *charsets = NULL;
}

/* The first row with this name (normalised); NULL: none. */
static const struct convert_charset_row *find_label(const struct convert_charsets *charsets, const char *text)
{
    size_t low = 0;
    size_t high = charsets->label_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(charsets->labels[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < charsets->label_count && strcmp(charsets->labels[low].text, text) == 0;
    return found ? &convert_charset_rows[charsets->labels[low].row] : NULL;
}

/* As written, and without the "x-" of those that were never registered. */
static const struct convert_charset_row *find_charset(const struct convert_charsets *charsets, const char *label)
{
    char text[CONVERT_CHARSET_LABEL_MAX + 1];
    convert_charset_normalise(label, strlen(label), text);
    const struct convert_charset_row *row = find_label(charsets, text);
    return row || *text != 'x' ? row : find_label(charsets, text + 1);
}

/* NULL: this system has no module for it. */
static iconv_t *find_handle(const struct convert_charsets *charsets, const struct convert_charset_row *row)
{
    iconv_t *handle = &charsets->handles[row - convert_charset_rows];
    return is_handle(*handle) ? handle : NULL;
}

static void decode_utf8(const char *data, size_t len, struct strbuf *out)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* a byte order mark is no text */
    size_t skip = len >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0;
    convert_utf8_repair(out, data + skip, len - skip);
}

/* How much to skip of what can't be decoded. A pair of octets that is built like a character but is none counts as one:
 * after half of it the rest of the line would be misread. */
static size_t wrong_len(const char *in, size_t left, size_t unit)
{
    bool is_pair = unit == 1 && left > 1 && (unsigned char)in[0] >= 0xA1 && (unsigned char)in[0] < 0xFF &&
                   (unsigned char)in[1] >= 0xA1 && (unsigned char)in[1] < 0xFF;
    size_t skip = is_pair ? 2 : unit;
    return left < skip ? left : skip;
}

/* NULL: there is none. */
static const iconv_t *find_fallback(const struct convert_charsets *charsets, const struct convert_charset_row *row)
{
    const struct convert_charset_row *other = row->fallback ? find_charset(charsets, row->fallback) : NULL;
    return other ? find_handle(charsets, other) : NULL;
}

/* What iconv refused: as the fallback has it, or as a sign that something was there. */
static size_t replace_wrong(const iconv_t *fallback, char *in, size_t left, size_t unit, struct strbuf *out)
{
    size_t skip = wrong_len(in, left, unit);
    char piece[16];
    char *from = in, *to = piece;
    size_t len = left < 2 ? left : 2;
    size_t room = sizeof piece;
    if (fallback && iconv(*fallback, &from, &len, &to, &room) == 0 && len == 0) {
        strbuf_add(out, piece, sizeof piece - room);
        return left < 2 ? left : 2;
    }
    strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
    return skip;
}

/* fallback: NULL, or what is asked about single characters of two octets. */
static void decode_iconv(iconv_t handle, const iconv_t *fallback, size_t unit, const char *data, size_t len,
                         struct strbuf *out)
{
    char piece[4096];
    char *in = (char *)(uintptr_t)data; /* iconv's prototype; it does not write there */
    size_t left = len;
    iconv(handle, NULL, NULL, NULL, NULL); /* back to the initial state */
    while (left > 0) {
        char *to = piece;
        size_t room = sizeof piece;
        bool wrong = iconv(handle, &in, &left, &to, &room) == (size_t)-1 && errno != E2BIG;
        strbuf_add(out, piece, sizeof piece - room);
        if (wrong) { /* an impossible sequence, or one that the end cut off */
            size_t skip = replace_wrong(fallback, in, left, unit, out);
            in += skip;
            left -= skip;
        }
    }
    char *to = piece;
    size_t room = sizeof piece;
    iconv(handle, NULL, NULL, &to, &room); /* what a stateful charset holds back */
    strbuf_add(out, piece, sizeof piece - room);
}

/* By iconv's name. As UTF-8 where there is no such module. */
static void decode_as(struct convert_charsets *charsets, const char *name, const char *data, size_t len,
                      struct strbuf *out)
{
    char label[CONVERT_CHARSET_LABEL_MAX + 1];
    convert_charset_normalise(name, strlen(name), label);
    const struct convert_charset_row *row = find_label(charsets, label);
    const iconv_t *handle = row ? find_handle(charsets, row) : NULL;
    if (handle)
        decode_iconv(*handle, NULL, 1, data, len, out);
    else
        decode_utf8(data, len, out);
}

static size_t wide_mark_len(const char *data, size_t len, size_t unit)
{
    const char *little = unit == 2 ? "\xFF\xFE" : "\xFF\xFE\0\0";
    const char *big = unit == 2 ? "\xFE\xFF" : "\0\0\xFE\xFF";
    return len >= unit && (memcmp(data, little, unit) == 0 || memcmp(data, big, unit) == 0) ? unit : 0;
}

static void decode_wide(struct convert_charsets *charsets, const char *data, size_t len, size_t unit,
                        struct strbuf *out)
{
    const struct convert_charset_row *row = find_charset(charsets, convert_charset_byte_order(data, len, unit));
    const iconv_t *handle = row ? find_handle(charsets, row) : NULL;
    size_t mark = wide_mark_len(data, len, unit);
    if (handle)
        decode_iconv(*handle, NULL, unit, data + mark, len - mark, out);
    else
        decode_utf8(data, len, out);
}

/* A name that says the byte order; a mark says it better. */
static void decode_marked(struct convert_charsets *charsets, const struct convert_charset_row *row, const char *data,
                          size_t len, struct strbuf *out)
{
    size_t unit = strstr(row->name, "16") ? 2 : 4;
    const iconv_t *handle = find_handle(charsets, row);
    if (handle && wide_mark_len(data, len, unit) == 0)
        decode_iconv(*handle, NULL, unit, data, len, out);
    else
        decode_wide(charsets, data, len, unit, out);
}

static void decode_iso_2022_jp(struct convert_charsets *charsets, const char *data, size_t len, struct strbuf *out)
{
    struct strbuf shifted;
    bool has_switch = memchr(data, '\x1B', len) != NULL; /* else it never leaves ASCII, but for eight-bit kana */
    if (!has_switch && convert_charset_is_utf8(data, len, CONVERT_CHARSET_MULTI)) {
        decode_utf8(data, len, out);
        return;
    }
    if (!has_switch && convert_charset_is_euc_jp(data, len)) {
        decode_as(charsets, "EUC-JP", data, len, out);
        return;
    }
    strbuf_init(&shifted, len * 3 + 1);
    if (convert_charset_shift_jp(&shifted, data, len))
        decode_as(charsets, "EUC-JP", shifted.data, shifted.len, out);
    else
        decode_as(charsets,
                  memmem(data, len, "\x1B$(O", 4) || memmem(data, len, "\x1B$(Q", 4) ? "ISO-2022-JP-3"
                                                                                     : "ISO-2022-JP-2",
                  data, len, out);
    strbuf_free(&shifted);
}

static void decode_hz(struct convert_charsets *charsets, const char *data, size_t len, struct strbuf *out)
{
    struct strbuf shifted;
    strbuf_init(&shifted, len + 1);
    convert_charset_shift_hz(&shifted, data, len);
    decode_as(charsets, "GB2312", shifted.data, shifted.len, out);
    strbuf_free(&shifted);
}

static void decode_undeclared(struct convert_charsets *charsets, const char *data, size_t len, struct strbuf *out)
{
    if (convert_charset_is_utf16(data, len))
        decode_wide(charsets, data, len, 2, out);
    else if (convert_charset_is_iso_2022_jp(data, len))
        decode_iso_2022_jp(charsets, data, len, out);
    else if (convert_utf8_is_valid(data, len))
        decode_utf8(data, len, out);
    else
        decode_as(charsets, "windows-1252", data, len, out);
}

static void decode_declared_utf8(struct convert_charsets *charsets, const char *data, size_t len, struct strbuf *out)
{
    if (convert_charset_is_iso_2022_jp(data, len))
        decode_iso_2022_jp(charsets, data, len, out);
    else if (convert_charset_is_latin(data, len))
        decode_as(charsets, "windows-1252", data, len, out);
    else
        decode_utf8(data, len, out);
}

/* By the row's own decoder, unless the octets say that they are something else. */
static bool decode_row(struct convert_charsets *charsets, const struct convert_charset_row *row, const char *data,
                       size_t len, struct strbuf *out)
{
    bool has_ascii =
        row->kind == CONVERT_CHARSET_LATIN || row->kind == CONVERT_CHARSET_SINGLE || row->kind == CONVERT_CHARSET_MULTI;
    const iconv_t *handle = find_handle(charsets, row);
    if (has_ascii && convert_charset_is_utf8(data, len, row->kind))
        decode_utf8(data, len, out);
    else if (has_ascii && convert_charset_is_iso_2022_jp(data, len))
        decode_iso_2022_jp(charsets, data, len, out);
    else if (handle)
        decode_iconv(*handle, find_fallback(charsets, row), 1, data, len, out);
    else
        decode_undeclared(charsets, data, len, out);
    return handle != NULL;
}

bool convert_charset_decode(struct convert_charsets *charsets, const char *charset, const void *data, size_t len,
                            struct strbuf *out)
{
    const struct convert_charset_row *row = charset && *charset ? find_charset(charsets, charset) : NULL;
    switch (row ? row->kind : CONVERT_CHARSET_UNDECLARED) {
    case CONVERT_CHARSET_UNDECLARED:
        decode_undeclared(charsets, data, len, out);
        break;
    case CONVERT_CHARSET_UTF_8:
        decode_declared_utf8(charsets, data, len, out);
        break;
    case CONVERT_CHARSET_UTF_16:
        decode_wide(charsets, data, len, 2, out);
        break;
    case CONVERT_CHARSET_UTF_32:
        decode_wide(charsets, data, len, 4, out);
        break;
    case CONVERT_CHARSET_ISO_2022_JP:
        decode_iso_2022_jp(charsets, data, len, out);
        break;
    case CONVERT_CHARSET_HZ:
        decode_hz(charsets, data, len, out);
        break;
    case CONVERT_CHARSET_WIDE:
        decode_marked(charsets, row, data, len, out);
        break;
    case CONVERT_CHARSET_LATIN:
    case CONVERT_CHARSET_SINGLE:
    case CONVERT_CHARSET_MULTI:
    case CONVERT_CHARSET_SHIFTED:
    case CONVERT_CHARSET_OTHER:
        return decode_row(charsets, row, data, len, out);
    }
    return row || !charset || !*charset;
}
