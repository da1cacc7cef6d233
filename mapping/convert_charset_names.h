/* convert_charset_names.h - the names of charsets, and what they mean
 *
 * Every name of IANA's registry that glibc's iconv has a decoder for, what mail programs write besides, and where
 * the WHATWG's Encoding Standard knows better what senders mean by a name, its meaning (ISO-8859-1 is windows-1252,
 * GB2312 is GB18030). Case, punctuation and quotes in names don't count: "ISO_8859-1" is "iso88591". Internal to
 * mapping/convert_charset*.
 */
#pragma once
#include <stddef.h>

/* How text of a charset is built; what repairs are possible depends on it. */
enum convert_charset_kind {
    CONVERT_CHARSET_LATIN,      /* one octet for a character, ASCII and Latin letters */
    CONVERT_CHARSET_SINGLE,     /* likewise, with another script */
    CONVERT_CHARSET_MULTI,      /* ASCII, and characters of several octets */
    CONVERT_CHARSET_SHIFTED,    /* seven bits, with sequences that switch */
    CONVERT_CHARSET_WIDE,       /* units of 16 or 32 bits */
    CONVERT_CHARSET_OTHER,      /* not even ASCII: EBCDIC, the national variants of ISO 646 */
    CONVERT_CHARSET_UNDECLARED, /* the name says nothing about what is beyond ASCII */
    CONVERT_CHARSET_UTF_8,
    CONVERT_CHARSET_UTF_16,      /* its byte order is to be found out */
    CONVERT_CHARSET_UTF_32,      /* likewise */
    CONVERT_CHARSET_ISO_2022_JP, /* decoded by ourselves (convert_charset_shift) */
    CONVERT_CHARSET_HZ,          /* likewise */
};

struct convert_charset_row {
    const char *name; /* iconv's; NULL: decoded without it, or by way of another */
    enum convert_charset_kind kind;
    const char *labels;   /* separated by blanks */
    const char *fallback; /* name of a row that has what this one lacks; NULL */
};

extern const struct convert_charset_row convert_charset_rows[];
extern const size_t convert_charset_row_count;

enum { CONVERT_CHARSET_LABEL_MAX = 60 }; /* octets of a name that count */

/* The letters and digits of a name, in lower case. */
void convert_charset_normalise(const char *label, size_t len, char out[CONVERT_CHARSET_LABEL_MAX + 1]);
