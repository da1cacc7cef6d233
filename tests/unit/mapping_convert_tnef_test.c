/* What lies in a winmail.dat, made here attribute by attribute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_tnef.h"
#include "mapping/convert_tnef_internal.h"
#include "tests/unit/cpu_time.h"

#define BYTES(text) (text), sizeof(text) - 1

static struct convert_charsets *charsets;

/* ---- making ---- */

static void add_number(struct strbuf *out, uint64_t number, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        strbuf_add_char(out, (char)(number >> (8 * i)));
}

static void begin(struct strbuf *out)
{
    strbuf_init(out, (size_t)64 << 20);
    add_number(out, 0x223E9F78, 4);
    add_number(out, 1, 2);
}

static void add_attribute(struct strbuf *out, unsigned level, uint32_t id, const void *data, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += ((const uint8_t *)data)[i];
    add_number(out, level, 1);
    add_number(out, id, 4);
    add_number(out, len, 4);
    strbuf_add(out, data, len);
    add_number(out, sum & 0xFFFF, 2);
}

static void add_padding(struct strbuf *out, size_t len)
{
    add_number(out, 0, (4 - len % 4) % 4);
}

static void add_value(struct strbuf *out, unsigned type, unsigned id, const void *data, size_t len)
{
    add_number(out, type, 2);
    add_number(out, id, 2);
    add_number(out, 1, 4);
    add_number(out, len, 4);
    strbuf_add(out, data, len);
    add_padding(out, len);
}

static void add_attachment(struct strbuf *out, const char *title, const char *data)
{
    add_attribute(out, 2, 0x00069002, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0", 14);
    add_attribute(out, 2, 0x00018010, title, strlen(title) + 1);
    add_attribute(out, 2, 0x0006800F, data, strlen(data));
}

static struct convert_tnef *read(struct strbuf *data)
{
    char *copy = malloc(data->len); /* its end is watched */
    memcpy(copy, data->data, data->len);
    struct convert_tnef *tnef = convert_tnef_read(charsets, copy, data->len, (size_t)8 << 20);
    strbuf_free(data);
    data->data = copy; /* the result points into it: freed with done() */
    return tnef;
}

static void done(struct strbuf *data, struct convert_tnef *tnef)
{
    convert_tnef_free(&tnef);
    free(data->data);
}

/* ---- files ---- */

static void assert_file(const struct convert_tnef *tnef, size_t i, const char *name, const char *type, const char *id,
                        const char *data)
{
    assert_true(i < tnef->file_count);
    assert_string_equal(tnef->files[i].name, name);
    assert_string_equal(tnef->files[i].type, type);
    assert_string_equal(tnef->files[i].id, id);
    assert_int_equal(tnef->files[i].len, strlen(data));
    assert_memory_equal(tnef->files[i].data ? tnef->files[i].data : "", data, strlen(data));
}

static void test_plain_attachments(void **state)
{
    (void)state;
    struct strbuf data;
    begin(&data);
    add_attribute(&data, 1, 0x00069007, "\xE3\x04\0\0\0\0\0\0", 8); /* 1251 */
    add_attribute(&data, 1, 0x00018004, BYTES("\xCF\xF0\xE8\xE2\xE5\xF2\0"));
    add_attribute(&data, 1, 0x0002800C, BYTES("Hello\r\n\0"));
    add_attachment(&data, "A.TXT", "one");
    add_attachment(&data, "\xE1.txt", "");
    struct convert_tnef *tnef = read(&data);
    assert_non_null(tnef);
    assert_string_equal(tnef->subject, "\u041F\u0440\u0438\u0432\u0435\u0442");
    assert_string_equal(tnef->text, "Hello\r\n");
    assert_null(tnef->html);
    assert_int_equal(tnef->file_count, 2);
    assert_file(tnef, 0, "A.TXT", "", "", "one");
    assert_file(tnef, 1, "\u0431.txt", "", "", "");
    assert_false(tnef->is_damaged || tnef->is_incomplete);
    done(&data, tnef);
}

static void test_long_names_types_and_ids(void **state)
{
    (void)state;
    struct strbuf data, properties;
    begin(&data);
    strbuf_init(&properties, 10000);
    add_number(&properties, 5, 4);
    add_number(&properties, 0x1003, 2); /* several numbers, of no interest */
    add_number(&properties, 0x6000, 2);
    add_number(&properties, 2, 4);
    add_number(&properties, 7, 8);
    add_value(&properties, 0x1E, 0x370E, BYTES("Image/PNG\0"));
    add_value(&properties, 0x1F, 0x3707, BYTES("l\0\xF6\0n\0g\0.\0p\0n\0g\0\0\0"));
    add_value(&properties, 0x1E, 0x3712, BYTES("<image001.png@01D4>\0"));
    add_value(&properties, 0x1E, 0x3704, BYTES("LONG~1.PNG\0"));
    add_attachment(&data, "LONG~1.PNG", "PNG");
    add_attribute(&data, 2, 0x00069005, properties.data, properties.len);
    struct convert_tnef *tnef = read(&data);
    assert_int_equal(tnef->file_count, 1);
    assert_file(tnef, 0, "l\u00F6ng.png", "image/png", "image001.png@01D4", "PNG");
    assert_false(tnef->is_damaged);
    strbuf_free(&properties);
    done(&data, tnef);
}

static void test_hostile_names_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *type, *id;
        const char *type_out, *id_out;
    } rows[] = {
        { "text", "a b", "", "" },
        { "text/plain; x=\r\ny", "a>b", "", "" },
        { "a/b/c", "", "", "" },
        { "Application/X-Foo.bar+zip", "a@b", "application/x-foo.bar+zip", "a@b" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf data, properties;
        begin(&data);
        strbuf_init(&properties, 10000);
        add_number(&properties, 3, 4);
        add_value(&properties, 0x1E, 0x370E, rows[i].type, strlen(rows[i].type));
        add_value(&properties, 0x1E, 0x3712, rows[i].id, strlen(rows[i].id));
        add_value(&properties, 0x1E, 0x3707, BYTES("two\r\nlines\a"));
        add_attachment(&data, "x", "y");
        add_attribute(&data, 2, 0x00069005, properties.data, properties.len);
        struct convert_tnef *tnef = read(&data);
        assert_file(tnef, 0, "two lines", rows[i].type_out, rows[i].id_out, "y");
        strbuf_free(&properties);
        done(&data, tnef);
    }
}

/* ---- damage ---- */

static void test_damage(void **state)
{
    (void)state;
    struct strbuf data;
    struct convert_tnef *tnef = convert_tnef_read(charsets, "PK\3\4", 4, 100);
    assert_null(tnef);
    begin(&data);
    add_attachment(&data, "a", "one");
    data.data[data.len - 1] ^= 1; /* its sum is wrong: it is shown all the same */
    tnef = read(&data);
    assert_file(tnef, 0, "a", "", "", "one");
    assert_true(tnef->is_damaged);
    done(&data, tnef);

    begin(&data);
    add_attachment(&data, "a", "one");
    add_attachment(&data, "b", "two and more");
    strbuf_truncate(&data, data.len - 7); /* cut off: what is there */
    tnef = read(&data);
    assert_int_equal(tnef->file_count, 2);
    assert_file(tnef, 1, "b", "", "", "two and");
    assert_true(tnef->is_damaged);
    done(&data, tnef);

    begin(&data);
    add_attachment(&data, "a", "one");
    strbuf_add(&data, "\0\0\0\0\0\0", 6); /* filled up: as it should be */
    tnef = read(&data);
    assert_false(tnef->is_damaged);
    done(&data, tnef);
}

static void test_properties_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {
        { BYTES("\xFF\xFF\xFF\xFF") },
        { BYTES("\xFF\xFF\xFF\xFF\x03\x10\x01\x60\xFF\xFF\xFF\xFF") }, /* many numbers */
        { BYTES("\x01\0\0\0\x1F\0\x37\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                "ab") },                     /* a long string, and many */
        { BYTES("\x01\0\0\0\x99\0\x37\0") }, /* a type that is none */
        { BYTES("\x02\0\0\0\x01\x10\x37\0\x1F\0\x37\0") },
        { BYTES("\x01\0\0\0\x1F\0\x01\x80"
                "0123456789abcdef\x01\0\0\0\xF0\xFF\xFF\xFF") }, /* a named one's name */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf data;
        begin(&data);
        add_attribute(&data, 1, 0x00069003, rows[i].data, rows[i].len);
        add_attachment(&data, "a", "one");
        struct convert_tnef *tnef = read(&data);
        assert_true(tnef->is_damaged);
        assert_file(tnef, 0, "a", "", "", "one"); /* goes on behind it */
        done(&data, tnef);
    }
}

/* ---- texts ---- */

static void test_bodies(void **state)
{
    (void)state;
    struct strbuf data, properties;
    begin(&data);
    strbuf_init(&properties, 10000);
    add_number(&properties, 4, 4);
    add_value(&properties, 0x1F, 0x0037, BYTES("T\0e\0s\0t\0\0\0"));
    add_value(&properties, 0x1F, 0x1000, BYTES("p\0l\0a\0i\0n\0"));
    add_value(&properties, 0x102, 0x1013, BYTES("<p>\xC3\xA4"));
    add_number(&properties, 0x03, 2);
    add_number(&properties, 0x3FDE, 2);
    add_number(&properties, 65001, 4);
    add_attribute(&data, 1, 0x00069003, properties.data, properties.len);
    struct convert_tnef *tnef = read(&data);
    assert_string_equal(tnef->subject, "Test");
    assert_string_equal(tnef->text, "plain");
    assert_string_equal(tnef->html, "<p>\u00E4");
    strbuf_free(&properties);
    done(&data, tnef);
}

static void test_room(void **state)
{
    (void)state;
    struct strbuf data;
    begin(&data);
    add_attribute(&data, 1, 0x0002800C, BYTES("a long text"));
    add_attachment(&data, "a", "one");
    struct convert_tnef *tnef = convert_tnef_read(charsets, data.data, data.len, 10);
    assert_null(tnef->text);
    assert_true(tnef->is_incomplete);
    assert_file(tnef, 0, "a", "", "", "one");
    convert_tnef_free(&tnef);
    strbuf_free(&data);
}

static void test_compressed_rtf(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t len;
        bool is_whole;
        const char *expected;
    } rows[] = {
        /* the examples of [MS-OXRTFCP] section 3 */
        { BYTES("\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125\x42\x32\x0a\xf3 hel\x09\0 bw\x05\xb0ld}"
                "\x0a\x80\x0f\xa0"),
          true, "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n" },
        { BYTES("\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4\x4b\x51\x41\0\x04 WXYZ\x0dn}\x01\x0e\xb0"), true,
          "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}" },
        { BYTES("\x0b\0\0\0\x07\0\0\0MELA\0\0\0\0{\\rtf1}"), true, "{\\rtf1}" },
        /* cut off, longer than it says, nothing of the kind */
        { BYTES("\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4\x4b\x51\x41\0\x04 WXYZ"), false, "{\\rtf1 WXYZ" },
        { BYTES("\x1a\0\0\0\x07\0\0\0LZFu\xe2\xd4\x4b\x51\x41\0\x04 WXYZ\x0dn}\x01\x0e\xb0"), true, "{\\rtf1 " },
        { BYTES("\x0b\0\0\0\xff\0\0\0MELA\0\0\0\0{\\rtf1}"), false, "{\\rtf1}" },
        { BYTES("\x0b\0\0\0\x07\0\0\0ABCD\0\0\0\0{\\rtf1}"), false, "" },
        { BYTES("\x0b\0\0"), false, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_int_equal(tnef_rtf_expand(rows[i].data, rows[i].len, &out), rows[i].is_whole);
        assert_string_equal(out.data, rows[i].expected);
        strbuf_free(&out);
    }
}

static void test_rtf(void **state)
{
    (void)state;
    static const struct {
        const char *rtf;
        enum tnef_rtf kind;
        const char *expected;
    } rows[] = {
        { "{\\rtf1\\ansi Hello\\par world}", TNEF_RTF_PLAIN, "Hello\nworld" },
        { "{\\rtf1{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0;}{\\*\\generator X;}{\\info{\\title T}}\\f0 a{\\b b}c}",
          TNEF_RTF_PLAIN, "abc" },
        { "{\\rtf1\\ansi\\ansicpg1252 \\'e4\\tab\\u8364?\\u8364\\'80x\\~\\{\\}\\\\}", TNEF_RTF_PLAIN,
          "\u00E4\t\u20AC\u20ACx\u00A0{}\\" },
        { "{\\rtf1 \\uc0\\u228 b\\uc2\\u228 xyz}", TNEF_RTF_PLAIN, "\u00E4b\u00E4z" },
        { "{\\rtf1 \\u-10179?\\u-8694?}", TNEF_RTF_PLAIN, "\U0001F60A" },
        { "{\\rtf1{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}}\\f0 \\'e4{\\f1 \\'e4}\\'e4}", TNEF_RTF_PLAIN,
          "\u00E4\u0434\u00E4" },
        { "{\\rtf1{\\fonttbl{\\f0\\fcharset128 A;}}\\f0 \\'83\\'65\\'83X}", TNEF_RTF_PLAIN, "\u30C6\u30B9" },
        { "{\\rtf1 a{\\pict\\bin4 }}{}}bc}", TNEF_RTF_PLAIN, "abc" },
        { "{\\rtf1{\\*\\pn\\pnlvlblt{\\pntxtb x}}{\\pntext 1.\\tab}one}", TNEF_RTF_PLAIN, "1.\tone" },
        { "{\\rtf1\\fromtext a\\par b}", TNEF_RTF_TEXT, "a\nb" },
        { "{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag19 <html>}{\\*\\htmltag64 <p>}\\htmlrtf {\\htmlrtf0 Bold: "
          "{\\*\\htmltag84 <b>}\\htmlrtf {\\b \\htmlrtf0 x {\\*\\htmltag84 &lt;}\\htmlrtf <\\htmlrtf0 y{\\*\\htmltag92 "
          "</b>}\\htmlrtf }\\htmlrtf0 {\\*\\mhtmltag84 <img>}{\\*\\htmltag72 </p>}}",
          TNEF_RTF_HTML, "<html><p>Bold: <b>x &lt;y</b></p>" },
        { "not RTF", TNEF_RTF_DAMAGED, "" },
        { "{\\rtf1 {{{{ \\", TNEF_RTF_PLAIN, " " },
        { "{\\rtf1 }}}} a\\'e", TNEF_RTF_PLAIN, " ae" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        size_t len = strlen(rows[i].rtf);
        char *copy = malloc(len); /* its end is watched */
        memcpy(copy, rows[i].rtf, len);
        strbuf_init(&out, 1000);
        bool is_cut;
        assert_int_equal(tnef_rtf_read(charsets, copy, len, &out, &is_cut), rows[i].kind);
        assert_false(is_cut);
        assert_string_equal(out.data, rows[i].expected);
        strbuf_free(&out);
        free(copy);
    }
}

/* Whether a message whose text the RTF is says that not all of it could be told. */
static bool is_incomplete_with(const struct strbuf *rtf)
{
    struct strbuf stored, properties, data;
    strbuf_init(&stored, 10000);
    strbuf_init(&properties, 10000);
    add_number(&stored, rtf->len + 12, 4);
    add_number(&stored, rtf->len, 4);
    strbuf_add_str(&stored, "MELA");
    add_number(&stored, 0, 4);
    strbuf_add(&stored, rtf->data, rtf->len);
    add_number(&properties, 1, 4);
    add_value(&properties, 0x0102, 0x1009, stored.data, stored.len);
    begin(&data);
    add_attribute(&data, 1, 0x00069003, properties.data, properties.len);
    struct convert_tnef *tnef = read(&data);
    bool is_incomplete = tnef->is_incomplete;
    assert_non_null(memmem(tnef->text, tnef->text_len, "above", 5));
    assert_false(tnef->is_damaged);
    strbuf_free(&stored);
    strbuf_free(&properties);
    done(&data, tnef);
    return is_incomplete;
}

/* Text in groups that are nested too deep was lost without a word. */
static void test_rtf_that_is_too_deep(void **state)
{
    (void)state;
    for (unsigned depth = 50; depth <= 150; depth += 50) {
        struct strbuf rtf, out;
        bool is_cut;
        strbuf_init(&rtf, 10000);
        strbuf_init(&out, 10000);
        strbuf_add_str(&rtf, "{\\rtf1 above");
        for (unsigned i = 1; i < depth; i++)
            strbuf_add_char(&rtf, '{');
        strbuf_add_str(&rtf, " deep");
        assert_int_equal(tnef_rtf_read(charsets, rtf.data, rtf.len, &out, &is_cut), TNEF_RTF_PLAIN);
        assert_true(is_cut == !strstr(out.data, "deep"));
        assert_true(is_cut == (depth >= 100));
        assert_true(is_incomplete_with(&rtf) == is_cut);
        strbuf_free(&rtf);
        strbuf_free(&out);
    }
}

/* ---- messages in it ---- */

static const char message_object[] = "\x07\x03\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46";

/* A message with a text and a file, inside of as many others. */
static void add_messages(struct strbuf *out, unsigned depth)
{
    struct strbuf inner, properties, object;
    begin(&inner);
    strbuf_init(&properties, 10000);
    strbuf_init(&object, (size_t)64 << 20);
    add_number(&properties, 4, 4);
    add_value(&properties, 0x1F, 0x0037, BYTES("F\0\xFC\0r\0 \0A\0\0\0"));
    add_value(&properties, 0x1E, 0x0C1A, BYTES("Bob, Example\0"));
    add_value(&properties, 0x1E, 0x5D01, BYTES("bob@example.com\0"));
    add_number(&properties, 0x40, 2);
    add_number(&properties, 0x0039, 2);
    add_number(&properties, 134170020000000000, 8);
    add_attribute(&inner, 1, 0x00069003, properties.data, properties.len);
    add_attribute(&inner, 1, 0x0002800C, BYTES("Hello"));
    add_attachment(&inner, "a.txt", "one");
    if (depth > 0)
        add_messages(&inner, depth - 1);
    strbuf_add(&object, message_object, 16);
    strbuf_add(&object, inner.data, inner.len);
    strbuf_clear(&properties);
    add_number(&properties, 2, 4);
    add_value(&properties, 0x1E, 0x3001, BYTES("Title\0"));
    add_number(&properties, 0x0D, 2);
    add_number(&properties, 0x3701, 2);
    add_number(&properties, 1, 4);
    add_number(&properties, object.len, 4);
    strbuf_free(&inner);
    struct strbuf all;
    strbuf_init(&all, (size_t)64 << 20);
    strbuf_add(&all, properties.data, properties.len);
    strbuf_add(&all, object.data, object.len);
    add_padding(&all, object.len);
    add_attribute(out, 2, 0x00069002, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0", 14);
    add_attribute(out, 2, 0x00069005, all.data, all.len);
    strbuf_free(&all);
    strbuf_free(&object);
    strbuf_free(&properties);
}

static void test_message_inside(void **state)
{
    (void)state;
    static const char expected[] = "From: =?utf-8?B?Qm9iLCBFeGFtcGxl?= <bob@example.com>\r\n"
                                   "Subject: =?utf-8?B?RsO8ciBB?=\r\n"
                                   "Date: Tue, 3 Mar 2026 09:00:00 +0000\r\n"
                                   "MIME-Version: 1.0\r\n"
                                   "Content-Type: multipart/mixed; boundary=\"=_m1\"\r\n\r\n"
                                   "--=_m1\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n"
                                   "--=_m1\r\nContent-Type: application/octet-stream;\r\n name=\"a.txt\"\r\n"
                                   "Content-Disposition: attachment;\r\n filename=\"a.txt\"\r\n"
                                   "Content-Transfer-Encoding: base64\r\n\r\nb25l\r\n"
                                   "--=_m1--\r\n";
    struct strbuf data;
    begin(&data);
    add_messages(&data, 0);
    struct convert_tnef *tnef = read(&data);
    assert_int_equal(tnef->file_count, 1);
    assert_string_equal(tnef->files[0].data, expected);
    assert_file(tnef, 0, "F\u00FCr A.eml", "message/rfc822", "", expected);
    assert_false(tnef->is_damaged || tnef->is_incomplete);
    done(&data, tnef);
}

/* The innermost of too many stays what it was. */
static void test_messages_in_messages(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth < 2 * CONVERT_TNEF_DEPTH_MAX; depth += CONVERT_TNEF_DEPTH_MAX) {
        struct strbuf data;
        begin(&data);
        add_messages(&data, depth);
        struct convert_tnef *tnef = read(&data);
        assert_int_equal(tnef->file_count, 1);
        assert_int_equal(tnef->is_incomplete, depth >= CONVERT_TNEF_DEPTH_MAX);
        assert_int_equal(strstr(tnef->files[0].data, "application/ms-tnef") != NULL, depth >= CONVERT_TNEF_DEPTH_MAX);
        done(&data, tnef);
    }
}

/* ---- meetings ---- */

static const char appointment[] = "\x02\x20\x06\0\0\0\0\0\xC0\0\0\0\0\0\0\x46";

static void add_named(struct strbuf *out, unsigned type, uint32_t name)
{
    add_number(out, type, 2);
    add_number(out, 0x8000 + (name & 0xFF), 2);
    strbuf_add(out, appointment, 16);
    add_number(out, 0, 4);
    add_number(out, name, 4);
}

static void test_meeting(void **state)
{
    (void)state;
    struct strbuf data, properties, out;
    begin(&data);
    strbuf_init(&properties, 10000);
    add_number(&properties, 3, 4);
    add_named(&properties, 0x40, 0x820D);
    add_number(&properties, 134170020000000000, 8);
    add_named(&properties, 0x40, 0x820E);
    add_number(&properties, 134170056000000000, 8);
    add_named(&properties, 0x1F, 0x8208);
    add_number(&properties, 1, 4);
    add_number(&properties, 12, 4);
    strbuf_add(&properties, BYTES("R\0o\0o\0m\0 \0005\0"));
    add_attribute(&data, 1, 0x00078008, BYTES("IPM.Microsoft Schedule.MtgReq\0"));
    add_attribute(&data, 1, 0x00018004, BYTES("Planning\0"));
    add_attribute(&data, 1, 0x00069003, properties.data, properties.len);
    struct convert_tnef *tnef = read(&data);
    strbuf_init(&out, 10000);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    assert_true(convert_tnef_write_meeting(writer, tnef));
    commonmark_writer_free(&writer);
    assert_string_equal(out.data,
                        "**Invitation: Planning**\n\n- When: Tue, 3 March 2026, 09:00 to 10:00 UTC\n- Where: Room 5\n");
    assert_true(tnef->is_incomplete); /* who is invited is not told */
    strbuf_free(&out);
    strbuf_free(&properties);
    done(&data, tnef);
}

/* A plain message that happens to have such properties, as every reply to a meeting's mail has, is none. */
static void test_no_meeting(void **state)
{
    (void)state;
    struct strbuf data, properties;
    begin(&data);
    strbuf_init(&properties, 10000);
    add_number(&properties, 1, 4);
    add_named(&properties, 0x40, 0x820D);
    add_number(&properties, 134170020000000000, 8);
    add_attribute(&data, 1, 0x00078008, BYTES("IPM.Microsoft Mail.Note\0"));
    add_attribute(&data, 1, 0x00069003, properties.data, properties.len);
    struct convert_tnef *tnef = read(&data);
    assert_false(convert_tnef_write_meeting(NULL, tnef));
    assert_false(tnef->is_incomplete);
    strbuf_free(&properties);
    done(&data, tnef);
}

/* ---- time ---- */

static int64_t ms_for(uint32_t id, unsigned level, const void *data, size_t len, size_t count)
{
    struct strbuf tnef_data;
    begin(&tnef_data);
    for (size_t i = 0; i < count; i++)
        add_attribute(&tnef_data, level, id, data, len);
    double begun = cpu_seconds();
    struct convert_tnef *tnef = read(&tnef_data);
    int64_t spent = (int64_t)((cpu_seconds() - begun) * 1000);
    done(&tnef_data, tnef);
    return spent;
}

static void test_time_is_linear(void **state)
{
    (void)state;
    static const struct {
        uint32_t id;
        unsigned level;
        const char *data;
        size_t len;
    } rows[] = {
        { 0x00018004, 1, BYTES("Subject") },
        { 0x00069002, 2, BYTES("") },
        { 0x00069003, 1, BYTES("\x01\0\0\0\x1E\0\x00\x10\x01\0\0\0\x04\0\0\0text") },
        { 0x00069004, 1, BYTES("\x01\0\0\0\x02\0\0\0\x03\0\x15\x0C\x01\0\0\0\x1E\0\x01\x30\x01\0\0\0\x04\0\0\0name") },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t one = ms_for(rows[i].id, rows[i].level, rows[i].data, rows[i].len, 5000);
        assert_true(ms_for(rows[i].id, rows[i].level, rows[i].data, rows[i].len, 20000) <= 8 * one + 200);
    }
}

static int set_up(void **state)
{
    (void)state;
    charsets = convert_charsets_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    convert_charsets_free(&charsets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_attachments),
        cmocka_unit_test(test_long_names_types_and_ids),
        cmocka_unit_test(test_hostile_names_and_types),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_properties_that_lie),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_compressed_rtf),
        cmocka_unit_test(test_rtf),
        cmocka_unit_test(test_rtf_that_is_too_deep),
        cmocka_unit_test(test_message_inside),
        cmocka_unit_test(test_messages_in_messages),
        cmocka_unit_test(test_meeting),
        cmocka_unit_test(test_no_meeting),
        cmocka_unit_test(test_time_is_linear),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
