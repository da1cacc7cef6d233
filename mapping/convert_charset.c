#include "mapping/convert_charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_utf8.h"

/* iconv's name, the size of a code unit (what to skip when it is wrong), and the labels that mean it, separated by
 * spaces. */
static const struct charset {
    const char *name;
    size_t unit;
    const char *labels;
} charset_table[] = {
    { "WINDOWS-1252", 1,
      "windows-1252 cp1252 cp-1252 x-cp1252 win-1252 iso-8859-1 iso8859-1 iso_8859-1 iso88591 latin1 latin-1 l1" },
    { "WINDOWS-1250", 1, "windows-1250 cp1250 x-cp1250" },
    { "WINDOWS-1251", 1, "windows-1251 cp1251 x-cp1251 win-1251" },
    { "WINDOWS-1253", 1, "windows-1253 cp1253" },
    { "WINDOWS-1254", 1, "windows-1254 cp1254 iso-8859-9 iso8859-9 latin5" },
    { "WINDOWS-1255", 1, "windows-1255 cp1255" },
    { "WINDOWS-1256", 1, "windows-1256 cp1256" },
    { "WINDOWS-1257", 1, "windows-1257 cp1257" },
    { "WINDOWS-1258", 1, "windows-1258 cp1258" },
    { "ISO-8859-2", 1, "iso-8859-2 iso8859-2 latin2" },
    { "ISO-8859-3", 1, "iso-8859-3 iso8859-3 latin3" },
    { "ISO-8859-4", 1, "iso-8859-4 iso8859-4 latin4" },
    { "ISO-8859-5", 1, "iso-8859-5 iso8859-5" },
    { "ISO-8859-6", 1, "iso-8859-6 iso8859-6" },
    { "ISO-8859-7", 1, "iso-8859-7 iso8859-7" },
    { "ISO-8859-8", 1, "iso-8859-8 iso8859-8 iso-8859-8-i iso-8859-8-e" },
    { "ISO-8859-10", 1, "iso-8859-10 iso8859-10 latin6" },
    { "ISO-8859-11", 1, "iso-8859-11 tis-620 windows-874 cp874" },
    { "ISO-8859-13", 1, "iso-8859-13 iso8859-13" },
    { "ISO-8859-14", 1, "iso-8859-14 iso8859-14" },
    { "ISO-8859-15", 1, "iso-8859-15 iso8859-15 latin9 latin-9 latin0" },
    { "ISO-8859-16", 1, "iso-8859-16 iso8859-16" },
    { "KOI8-R", 1, "koi8-r koi8r koi8" },
    { "KOI8-U", 1, "koi8-u koi8-ru" },
    { "CP866", 1, "ibm866 cp866 866" },
    { "CP437", 1, "ibm437 cp437 437" },
    { "CP850", 1, "ibm850 cp850 850" },
    { "MACINTOSH", 1, "macintosh mac x-mac-roman" },
    { "ISO-2022-JP-2", 1, "iso-2022-jp iso-2022-jp-1 iso-2022-jp-2 csiso2022jp" },
    { "CP932", 1, "shift_jis shift-jis sjis x-sjis ms_kanji windows-31j cp932 ms932" },
    { "EUC-JP", 1, "euc-jp eucjp x-euc-jp" },
    { "GB18030", 1, "gb18030 gbk gb2312 gb_2312-80 euc-cn x-gbk cp936 ms936 chinese" },
    { "BIG5-HKSCS", 1, "big5 big5-hkscs big-5 x-x-big5 cn-big5 cp950" },
    { "ISO-2022-CN", 1, "iso-2022-cn" },
    { "UHC", 1, "euc-kr euckr ks_c_5601-1987 ks_c_5601 ksc5601 korean cp949 windows-949 uhc" },
    { "ISO-2022-KR", 1, "iso-2022-kr" },
    { "UTF-7", 1, "utf-7 unicode-1-1-utf-7" },
    { "UTF-16", 2, "utf-16 ucs-2 iso-10646-ucs-2 unicode" },
    { "UTF-16LE", 2, "utf-16le" },
    { "UTF-16BE", 2, "utf-16be" },
    { "UTF-32", 4, "utf-32 ucs-4" },
};

enum { CHARSET_COUNT = sizeof charset_table / sizeof charset_table[0], WINDOWS_1252 = 0 };

/* "us-ascii" too: what is beyond ASCII in it is undeclared. */
static const char utf8_labels[] = "utf-8 utf8 unicode-1-1-utf-8 x-utf-8";
static const char undeclared_labels[] =
    "us-ascii ascii ansi_x3.4-1968 iso646-us unknown-8bit x-unknown unknown default";

struct convert_charsets {
    iconv_t handles[CHARSET_COUNT]; /* (iconv_t)-1: this system has no such module */
};

static bool is_handle(iconv_t handle)
{
    return (intptr_t)handle != -1;
}

struct convert_charsets *convert_charsets_new(void)
{
    struct convert_charsets *charsets = xcalloc(1, sizeof *charsets);
    for (size_t i = 0; i < CHARSET_COUNT; i++)
        charsets->handles[i] = iconv_open("UTF-8", charset_table[i].name);
    return charsets;
}

void convert_charsets_free(struct convert_charsets **charsets)
{
    if (!*charsets)
        return;
    for (size_t i = 0; i < CHARSET_COUNT; i++) {
        if (is_handle((*charsets)->handles[i]))
            iconv_close((*charsets)->handles[i]);
    }
    free(*charsets);
    *charsets = NULL;
}

static bool is_listed(const char *labels, const char *label)
{
    size_t len = strlen(label);
    for (const char *at = labels; *at;) {
        size_t n = strcspn(at, " ");
        if (n == len && strncasecmp(at, label, len) == 0)
            return true;
        at += n;
        at += strspn(at, " ");
    }
    return false;
}

static void decode_utf8(const char *data, size_t len, struct strbuf *out)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* a byte order mark is no text */
    size_t skip = len >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0;
    convert_utf8_repair(out, data + skip, len - skip);
}

static void decode_iconv(iconv_t handle, size_t unit, const char *data, size_t len, struct strbuf *out)
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
            size_t skip = left < unit ? left : unit;
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
            in += skip;
            left -= skip;
        }
    }
    char *to = piece;
    size_t room = sizeof piece;
    iconv(handle, NULL, NULL, &to, &room); /* what a stateful charset holds back */
    strbuf_add(out, piece, sizeof piece - room);
}

static void decode_undeclared(struct convert_charsets *charsets, const char *data, size_t len, struct strbuf *out)
{
    if (convert_utf8_is_valid(data, len) || !is_handle(charsets->handles[WINDOWS_1252]))
        decode_utf8(data, len, out);
    else
        decode_iconv(charsets->handles[WINDOWS_1252], 1, data, len, out);
}

bool convert_charset_decode(struct convert_charsets *charsets, const char *charset, const void *data, size_t len,
                            struct strbuf *out)
{
    if (!charset || !*charset || is_listed(undeclared_labels, charset)) {
        decode_undeclared(charsets, data, len, out);
        return true;
    }
    if (is_listed(utf8_labels, charset)) {
        decode_utf8(data, len, out);
        return true;
    }
    for (size_t i = 0; i < CHARSET_COUNT; i++) {
        if (is_listed(charset_table[i].labels, charset) && is_handle(charsets->handles[i])) {
            decode_iconv(charsets->handles[i], charset_table[i].unit, data, len, out);
            return true;
        }
    }
    decode_undeclared(charsets, data, len, out);
    return false;
}
