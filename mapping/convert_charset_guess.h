/* convert_charset_guess.h - when a charset's name is wrong for the octets
 *
 * Each answer is yes only when it is certain: a doubtful text stays as its sender declared it. The rules are in
 * docs/DEVIATIONS.md, "Content". Pure. Internal to mapping/convert_charset*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_charset_names.h"

/* UTF-8 under another name. For Latin charsets one character beyond ASCII that people use will do; where other scripts
 * could look the same by accident it takes three. */
bool convert_charset_is_utf8(const char *data, size_t len, enum convert_charset_kind declared);
/* windows-1252 under the name of UTF-8: no character in it is valid UTF-8, and those beyond ASCII stand between letters,
 * as in the languages of Western Europe. */
bool convert_charset_is_latin(const char *data, size_t len);
/* EUC-JP under the name of ISO-2022-JP: what is beyond ASCII stands in pairs, and is no eight-bit kana. */
bool convert_charset_is_euc_jp(const char *data, size_t len);
/* ISO-2022-JP without a name, or under that of another: nothing beyond ASCII, and its switches. */
bool convert_charset_is_iso_2022_jp(const char *data, size_t len);
/* iconv's name for UTF-16 (unit 2) or UTF-32 (unit 4) in this byte order: as the mark says, else as the zeros lie, else
 * little-endian, as the WHATWG's standard has it. */
const char *convert_charset_byte_order(const char *data, size_t len, size_t unit);
/* UTF-16 without a name: a mark, and zeros. */
bool convert_charset_is_utf16(const char *data, size_t len);
