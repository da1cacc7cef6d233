/* Charsets: every one that iconv knows by a registered name, wrong names, and what old programs make of theirs. */
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_utf8.h"

static struct convert_charsets *charsets;

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

static void test_charsets(void **state)
{
    (void)state;
    static const struct row {
        const char *charset, *bytes, *expected;
        bool known;
    } rows[] = {
        { "utf-8", "gr\xC3\xBC", "grü", true },
        { "UTF-8", "cut \xC3", "cut \xEF\xBF\xBD", true },
        { "utf-8", "\xEF\xBB\xBFmark", "mark", true },
        { "", "gr\xC3\xBC", "grü", true },
        { "", "gr\xFC", "grü", true },
        { NULL, "\x80 100", "€ 100", true },
        { "us-ascii", "gr\xFC", "grü", true },
        { "ISO-8859-1", "\x93quoted\x94", "“quoted”", true }, /* windows-1252 in disguise */
        { "iso-8859-2",
          "\xB3\xF3"
          "d\xBC",
          "łódź", true },
        { "iso-8859-15", "\xA4", "€", true },
        { "windows-1251", "\xCF\xF0\xE8\xE2\xE5\xF2", "Привет", true },
        { "koi8-r", "\xF0\xD2\xC9\xD7\xC5\xD4", "Привет", true },
        { "iso-2022-jp", "\x1B$B$3$s\x1B(B!", "こん!", true },
        { "shift_jis", "\x82\xB1\x82\xF1", "こん", true },
        { "euc-jp", "\xA4\xB3\xA4\xF3", "こん", true },
        { "gb2312", "\xC4\xE3\xBA\xC3", "你好", true },
        { "big5", "\xA7\x41\xA6\x6E", "你好", true },
        { "euc-kr", "\xBE\xC8\xB3\xE7", "안녕", true },
        { "ks_c_5601-1987", "\xBE\xC8", "안", true },
        { "utf-7", "Hi +AOQ-", "Hi ä", true },
        { "shift_jis", "a\x82", "a\xEF\xBF\xBD", true }, /* cut in the middle */
        { "gb2312", "a\xFF\xFFz", "a\xEF\xBF\xBD\xEF\xBF\xBDz", true },
        { "x-martian", "gr\xC3\xBC", "grü", false },
    };
    for (int round = 0; round < 2; round++) { /* handles are used again */
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct strbuf out;
            strbuf_init(&out, 1000);
            bool known = convert_charset_decode(charsets, rows[i].charset, rows[i].bytes, strlen(rows[i].bytes), &out);
            assert_string_equal(out.data, rows[i].expected);
            assert_int_equal(known, rows[i].known);
            strbuf_free(&out);
        }
    }
}

/* ---- names that are wrong ---- */

static void test_wrong_names(void **state)
{
    (void)state;
    static const struct row {
        const char *charset, *bytes, *expected;
    } rows[] = {
        /* UTF-8 under a name of one octet, and the reverse */
        { "iso-8859-1", "M\xC3\xBCller", "Müller" },
        { "windows-1252", "\xE2\x82\xAC 5", "€ 5" },
        { "iso-8859-15", "na\xC3\xAFve \xE2\x80\x9Cquote\xE2\x80\x9D", "naïve “quote”" },
        { "iso-8859-2", "\xC5\x82\xC3\xB3", "łó" },
        { "koi8-r", "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82", "Привет" },
        { "us-ascii", "gr\xC3\xBC\xC3\x9F", "grüß" },
        { "utf-8",
          "Gr\xFC\xDF"
          "e aus K\xF6ln",
          "Grüße aus Köln" },
        { "utf-8", "\x93quoted\x94 text", "“quoted” text" },
        { "utf-8", "caf\xE9 noir", "café noir" },
        { "gb2312", "\xE4\xBD\xA0\xE5\xA5\xBD\xE5\x90\x97", "你好吗" },
        { "shift_jis", "\xE3\x81\x93\xE3\x82\x93\xE3\x81\xAB", "こんに" },
        { "euc-kr", "\xEC\x95\x88\xEB\x85\x95\xED\x95\x98", "안녕하" },
        /* and what is right though it could be taken for the other */
        { "iso-8859-1", "NESTL\xC9\xAE", "NESTLÉ®" },
        { "iso-8859-1",
          "\xAB"
          "CAF\xC9\xBB",
          "«CAFÉ»" },
        { "windows-1252",
          "Gr\xFC\xDF"
          "e",
          "Grüße" },
        { "tis-620", "\xE0\xB7\xBE", "เทพ" },
        { "gb2312", "\xC4\xE3\xBA\xC3", "你好" },
        { "gbk", "\xC1\xAA\xCD\xA8", "联通" },
        { "windows-1251", "\xCF\xF0\xE8\xE2\xE5\xF2", "Привет" },
        { "utf-8", "\xCF\xF0\xE8\xE2\xE5\xF2", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD" }, /* nobody knows of what */
        { "utf-8", "gr\xC3\xBC and \xFC", "grü and \uFFFD" },                            /* mixed: as declared */
        { "utf-8", "\xC3\x83\xC2\xBC", "Ã¼" },                                           /* encoded twice: as it is */
        { "utf-8", "cut \xE4\xBD", "cut \uFFFD\uFFFD" },
        { "", "\xF0\xD2\xC9\xD7", "ðÒÉ×" }, /* KOI8-R without a name is not guessed */
        /* names as they are written */
        { "\"utf-8\"", "\xC3\xBC", "ü" },
        { "UTF8", "\xC3\xBC", "ü" },
        { "'ISO_8859-1'", "\xFC", "ü" },
        { "iso8859_1", "\xFC", "ü" },
        { "ISO-8859-1:1987", "\xFC", "ü" },
        { "x-iso-8859-1", "\xFC", "ü" },
        { "windows 1252", "\x80", "€" },
        { "x-user-defined", "\xC3\xBC", "ü" },
        { "unknown-8bit", "\xFC", "ü" },
        { "CP-850", "\x81", "ü" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_true(convert_charset_decode(charsets, rows[i].charset, rows[i].bytes, strlen(rows[i].bytes), &out));
        assert_string_equal(out.data, rows[i].expected);
        strbuf_free(&out);
    }
}

static void test_east_asian(void **state)
{
    (void)state;
    static const struct row {
        const char *charset, *bytes, *expected;
    } rows[] = {
        { "gb2312", "\x80 5 \xA2\xA1", "\uFFFD 5 ⅰ" }, /* what GBK has and GB2312 has not */
        { "gb2312", "\x81\x30\x81\x30", "\xC2\x80" },  /* four octets: GB18030 */
        { "big5", "\xA3\xE1 5", "€ 5" },               /* of Windows */
        { "big5", "\x87\x40", "䏰" },                  /* of Hong Kong */
        { "shift_jis", "\x87\x40 \xFA\xB1", "① 﨑" },  /* of NEC and IBM */
        { "euc-jp", "\xAD\xA1", "①" },
        { "euc-jp", "\x8F\xB0\xA1", "丂" },
        { "euc-kr", "\x8C\x63", "똠" }, /* of Windows */
        { "iso-2022-jp", "\x1B$B$3$s\x1B(B!", "こん!" },
        { "iso-2022-jp", "\x1B$B$3$s\r\nplain", "こん\r\nplain" }, /* nobody switched back */
        { "iso-2022-jp", "\x1B(I10\x1B(B", "ｱｰ" },                 /* half-width kana */
        { "iso-2022-jp", "\xB1\xB0", "ｱｰ" },                       /* in eight bits */
        { "iso-2022-jp",
          "\x0E"
          "10\x0F.",
          "ｱｰ." },
        { "iso-2022-jp", "\x1B$(D0!\x1B(B", "丂" }, /* JIS X 0212 */
        { "iso-2022-jp", "\x1B$B-!\x1B(B", "①" },   /* of NEC */
        { "iso-2022-jp", "\x1B(Ja\\b\x1B(B\\", "a￥b\\" },
        { "iso-2022-jp", "\x1B$A;*\x1B(B", "华" }, /* ISO-2022-JP-2 */
        { "iso-2022-jp", "\x1B$B$3\x1B$B$s", "こん" },
        { "", "\x1B$B$3$s\x1B(B", "こん" }, /* without a name */
        { "utf-8", "\x1B$B$3$s\x1B(B", "こん" },
        { "iso-8859-1", "\x1B$B$3$s\x1B(B", "こん" },
        { "hz-gb-2312", "a ~{<:Ky2;~} ~~b", "a 己所不 ~b" },
        { "hz-gb-2312", "~{<:\nKy", "己\nKy" },
        { "iso-2022-kr", "\x1B$)C\x0E>H3g\x0F", "안녕" },
        { "utf-7", "A+ImIDkQ.", "A≢Α." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_true(convert_charset_decode(charsets, rows[i].charset, rows[i].bytes, strlen(rows[i].bytes), &out));
        assert_string_equal(out.data, rows[i].expected);
        strbuf_free(&out);
    }
}

static void test_byte_order(void **state)
{
    (void)state;
    static const struct row {
        const char *charset, *bytes;
        size_t len;
    } rows[] = {
        { "utf-16", "h\0i\0", 4 },           { "utf-16", "\0h\0i", 4 },           { "utf-16", "\xFF\xFEh\0i\0", 6 },
        { "utf-16", "\xFE\xFF\0h\0i", 6 },   { "utf-16le", "h\0i\0", 4 },         { "utf-16be", "\0h\0i", 4 },
        { "utf-16le", "\xFF\xFEh\0i\0", 6 }, { "utf-16le", "\xFE\xFF\0h\0i", 6 }, { "unicode", "h\0i\0", 4 },
        { "", "\xFF\xFEh\0i\0", 6 },         { "us-ascii", "\xFE\xFF\0h\0i", 6 }, { "utf-32", "h\0\0\0i\0\0\0", 8 },
        { "utf-32", "\0\0\0h\0\0\0i", 8 },   { "utf-8", "\xEF\xBB\xBFhi", 5 },    { "", "\xEF\xBB\xBFhi", 5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_true(convert_charset_decode(charsets, rows[i].charset, rows[i].bytes, rows[i].len, &out));
        assert_string_equal(out.data, "hi");
        strbuf_free(&out);
    }
}

/* ---- every charset that is registered ---- */

static bool is_open(iconv_t handle)
{
    return (intptr_t)handle != -1;
}

/* All characters that a charset has, in UTF-8 and in the charset. */
struct repertoire {
    struct strbuf utf8, encoded;
    size_t count;
};

static void add_character(iconv_t handle, uint32_t code, struct repertoire *all)
{
    char character[8], piece[32];
    struct strbuf utf8;
    strbuf_init(&utf8, sizeof character);
    convert_utf8_add(&utf8, code);
    char *in = utf8.data, *to = piece;
    size_t left = utf8.len, room = sizeof piece;
    iconv(handle, NULL, NULL, NULL, NULL);
    if (iconv(handle, &in, &left, &to, &room) == 0 && iconv(handle, NULL, NULL, &to, &room) == 0) {
        strbuf_add(&all->utf8, utf8.data, utf8.len);
        /* UTF-16 and UTF-32 put a mark before each: it is no character. */
        size_t len = sizeof piece - room;
        size_t mark = len >= 4 && memcmp(piece, "\xFF\xFE", 2) == 0 ? len / 2 : 0;
        strbuf_add(&all->encoded, piece + mark, len - mark);
        all->count++;
    }
    strbuf_free(&utf8);
}

static struct repertoire read_repertoire(const char *name)
{
    struct repertoire all = { .count = 0 };
    strbuf_init(&all.utf8, 1 << 20);
    strbuf_init(&all.encoded, 4 << 20);
    iconv_t handle = iconv_open(name, "UTF-8");
    if (!is_open(handle))
        return all;
    for (uint32_t code = ' '; code < 0xFFFE; code++) {
        if (code == 0x7F)
            code = 0xA0; /* controls: not as they are */
        if (code == 0xD800)
            code = 0xF900; /* surrogates, private use */
        if (code == 0xFEFF || (code >= 0xE0 && code < 0xA000 && code % 7 && code > 0x600))
            continue; /* a mark; and of large sets every seventh is enough */
        add_character(handle, code, &all);
    }
    iconv_close(handle);
    return all;
}

/* How many characters of a repertoire come back as others. */
static size_t count_wrong(const struct repertoire *all, const char *label)
{
    struct strbuf out;
    strbuf_init(&out, 8 << 20);
    convert_charset_decode(charsets, label, all->encoded.data, all->encoded.len, &out);
    size_t wrong = 0;
    size_t at = 0;
    for (size_t i = 0; i < all->utf8.len && at < out.len;) {
        uint32_t wanted, seen;
        i += convert_utf8_char(all->utf8.data + i, all->utf8.len - i, &wanted);
        at += convert_utf8_char(out.data + at, out.len - at, &seen);
        if (wanted != seen && wrong++ < 50 && getenv("POSTERN_SHOW"))
            print_message("%s: U+%04X as U+%04X\n", label, wanted, seen);
    }
    wrong += at != out.len;
    strbuf_free(&out);
    return wrong;
}

/* Where a name stands for a larger set some characters are others there. */
static size_t allowed_wrong(const char *label)
{
    static const struct exception {
        const char *label;
        size_t count;
    } exceptions[] = {
        { "Big5", 7 },         { "EUC-JP", 6 },      { "ISO-2022-JP", 5 },
        { "Shift_JIS", 5 },    { "Windows-31J", 5 }, /* wide forms of signs, as Windows has them */
        { "windows-1258", 2 },                       /* marks that Unicode has twice */
    };
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if (strcasecmp(label, exceptions[i].label) == 0)
            return exceptions[i].count;
    }
    return 0;
}

static bool is_known_to_iconv(const char *name)
{
    iconv_t handle = iconv_open("UTF-8", name);
    if (!is_open(handle))
        return false;
    iconv_close(handle);
    return true;
}

/* The registry: a charset's names on each line. When iconv has one of them, all must be known, and every character
 * must come back. */
static void test_registered_charsets(void **state)
{
    (void)state;
    FILE *file = fopen(POSTERN_SOURCE_DIR "/tests/unit/mapping_convert_charset_names.txt", "re");
    assert_non_null(file);
    char line[1000];
    size_t charset_count = 0, wrong = 0;
    while (fgets(line, sizeof line, file)) {
        char *names[32];
        size_t count = 0;
        const char *known = NULL;
        for (char *name = line; count < 32;) {
            name += strspn(name, " \n");
            if (!*name)
                break;
            char *end = name + strcspn(name, " \n");
            char *next = *end ? end + 1 : end;
            *end = '\0';
            names[count++] = name;
            if (!known && is_known_to_iconv(name))
                known = name;
            name = next;
        }
        if (!known)
            continue;
        struct repertoire all = read_repertoire(known);
        charset_count++;
        for (size_t i = 0; i < count; i++) {
            struct strbuf out;
            strbuf_init(&out, 100);
            bool is_known = convert_charset_decode(charsets, names[i], "a", 1, &out);
            strbuf_free(&out);
            if (!is_known)
                print_error("%s: not known, but iconv has %s\n", names[i], known);
            wrong += !is_known;
        }
        size_t differ = count_wrong(&all, known);
        if (differ > allowed_wrong(known))
            print_error("%s: %zu of %zu characters are others\n", known, differ, all.count);
        wrong += differ > allowed_wrong(known);
        strbuf_free(&all.utf8);
        strbuf_free(&all.encoded);
    }
    fclose(file);
    print_message("%zu charsets\n", charset_count);
    assert_int_equal(wrong, 0);
    assert_in_range(charset_count, 100, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_east_asian),
        cmocka_unit_test(test_byte_order),
        cmocka_unit_test(test_registered_charsets),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
