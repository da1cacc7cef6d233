#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_tnef_internal.h"

/* ---- the cursor ---- */

struct tnef_cursor tnef_cursor_of(const void *data, size_t len)
{
    return (struct tnef_cursor){ .at = data, .left = len };
}

const uint8_t *tnef_take(struct tnef_cursor *cursor, size_t len)
{
    if (cursor->is_over || len > cursor->left) {
        cursor->is_over = true;
        return NULL;
    }
    const uint8_t *data = cursor->at;
    cursor->at += len;
    cursor->left -= len;
    return data;
}

static uint64_t take_little_endian(struct tnef_cursor *cursor, size_t octets)
{
    const uint8_t *data = tnef_take(cursor, octets);
    uint64_t number = 0;
    for (size_t i = data ? octets : 0; i > 0; i--)
        number = number << 8 | data[i - 1];
    return number;
}

uint32_t tnef_take_number(struct tnef_cursor *cursor, size_t octets)
{
    return (uint32_t)take_little_endian(cursor, octets);
}

uint64_t tnef_take_long(struct tnef_cursor *cursor)
{
    return take_little_endian(cursor, 8);
}

/* ---- properties ---- */

enum { FIRST_NAMED = 0x8000, MULTIPLE = 0x1000, GUID_SIZE = 16, NAMED_BY_NUMBER = 0 };

static size_t padding(size_t len)
{
    return (4 - len % 4) % 4;
}

/* Octets of a value of fixed size in the file; 0 for one of variable size; false for an unknown type. */
static bool fixed_size(unsigned type, size_t *size_out)
{
    static const struct {
        unsigned type;
        size_t size;
    } types[] = {
        { TNEF_SHORT, 4 },   { TNEF_NUMBER, 4 },  { 0x04, 4 },         { 0x05, 8 },         { 0x06, 8 },
        { 0x07, 8 },         { 0x0A, 4 },         { TNEF_BOOLEAN, 4 }, { TNEF_OBJECT, 0 },  { 0x14, 8 },
        { TNEF_STRING8, 0 }, { TNEF_UNICODE, 0 }, { TNEF_TIME, 8 },    { 0x48, GUID_SIZE }, { TNEF_BINARY, 0 },
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type == type) {
            *size_out = types[i].size;
            return true;
        }
    }
    return false;
}

static void take_name(struct tnef_cursor *cursor, struct tnef_property *property)
{
    property->set = tnef_take(cursor, GUID_SIZE);
    if (tnef_take_number(cursor, 4) == NAMED_BY_NUMBER) {
        property->name = tnef_take_number(cursor, 4);
        return;
    }
    size_t len = tnef_take_number(cursor, 4);
    (void)tnef_take(cursor, len);
    (void)tnef_take(cursor, padding(len));
}

/* One value, which is passed over; its data and length go out. */
static void take_value(struct tnef_cursor *cursor, size_t size, const uint8_t **data_out, size_t *len_out)
{
    size_t len = size > 0 ? size : tnef_take_number(cursor, 4);
    *data_out = tnef_take(cursor, len);
    *len_out = *data_out ? len : 0;
    /* Some programs leave out the padding at the end of the list. */
    size_t rest = padding(len);
    (void)tnef_take(cursor, rest < cursor->left ? rest : cursor->left);
}

bool tnef_property_next(struct tnef_cursor *cursor, uint32_t *left, struct tnef_property *property_out)
{
    if (*left == 0 || cursor->is_over)
        return false;
    --*left;
    *property_out = (struct tnef_property){ 0 };
    unsigned type = tnef_take_number(cursor, 2);
    property_out->id = tnef_take_number(cursor, 2);
    property_out->type = type & ~(unsigned)MULTIPLE;
    if (property_out->id >= FIRST_NAMED)
        take_name(cursor, property_out);
    if (property_out->type == 0x01) /* null: nothing follows */
        return !cursor->is_over;
    size_t size;
    if (!fixed_size(property_out->type, &size)) {
        cursor->is_over = true;
        return false;
    }
    uint32_t count = type & MULTIPLE || size == 0 ? tnef_take_number(cursor, 4) : 1;
    for (uint32_t i = 0; i < count && !cursor->is_over; i++) { /* each takes some octets: it ends */
        const uint8_t *data;
        size_t len;
        take_value(cursor, size, &data, &len);
        if (i == 0) {
            property_out->data = data;
            property_out->len = len;
        }
    }
    return !cursor->is_over;
}

uint64_t tnef_property_number(const struct tnef_property *property)
{
    struct tnef_cursor cursor = tnef_cursor_of(property->data, property->len);
    if (property->type == TNEF_SHORT || property->type == TNEF_BOOLEAN)
        return tnef_take_number(&cursor, 2);
    if (property->type == TNEF_NUMBER)
        return tnef_take_number(&cursor, 4);
    return property->type == TNEF_TIME ? tnef_take_long(&cursor) : 0;
}

/* ---- text ---- */

/* Labels for Windows' numbers; others are "cp" and the number. */
static const struct {
    unsigned number;
    const char *label;
} code_pages[] = {
    { 0, "" },
    { 1, "" },
    { TNEF_UTF16, "utf-16le" },
    { 1201, "utf-16be" },
    { 10000, "macintosh" },
    { 20127, "us-ascii" },
    { 20866, "koi8-r" },
    { 21866, "koi8-u" },
    { 50220, "iso-2022-jp" },
    { 50221, "iso-2022-jp" },
    { 50222, "iso-2022-jp" },
    { 50225, "iso-2022-kr" },
    { 51932, "euc-jp" },
    { 51936, "gb2312" },
    { 51949, "euc-kr" },
    { 52936, "gb2312" },
    { 54936, "gb18030" },
    { 65000, "utf-7" },
    { 65001, "utf-8" },
};

static void add_label(struct strbuf *out, unsigned code_page)
{
    enum { ISO_8859 = 28590, ISO_8859_LAST = 28606 };
    for (size_t i = 0; i < sizeof code_pages / sizeof code_pages[0]; i++) {
        if (code_pages[i].number == code_page) {
            strbuf_add_str(out, code_pages[i].label);
            return;
        }
    }
    if (code_page > ISO_8859 && code_page < ISO_8859_LAST)
        strbuf_add_fmt(out, "iso-8859-%u", code_page - ISO_8859);
    else
        strbuf_add_fmt(out, "cp%u", code_page);
}

void tnef_decode(struct convert_charsets *charsets, unsigned code_page, const void *data, size_t len,
                 struct strbuf *out)
{
    enum { LABEL_MAX = 32 };
    const char *bytes = data;
    size_t unit = code_page == TNEF_UTF16 ? 2 : 1;
    while (len >= unit && bytes[len - 1] == '\0' && bytes[len - unit] == '\0')
        len -= unit;
    struct strbuf label;
    strbuf_init(&label, LABEL_MAX);
    add_label(&label, code_page);
    if (len > 0)
        (void)convert_charset_decode(charsets, label.data, data, len, out);
    strbuf_free(&label);
}

bool tnef_property_text(struct convert_charsets *charsets, unsigned code_page, const struct tnef_property *property,
                        struct strbuf *out)
{
    if (property->type != TNEF_STRING8 && property->type != TNEF_UNICODE && property->type != TNEF_BINARY)
        return false;
    tnef_decode(charsets, property->type == TNEF_UNICODE ? TNEF_UTF16 : code_page, property->data, property->len, out);
    return true;
}
