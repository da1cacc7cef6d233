/* convert_charset_shift.h - seven-bit charsets that iconv is too strict about, or does not know
 *
 * ISO-2022-JP (RFC 1468) as mail programs write it: with half-width kana, JIS X 0212, and the characters of NEC and IBM; without the
 * switch back at the end of a line; with 8-bit kana in between. HZ (RFC 1843). Both are turned into the eight-bit
 * form of the same characters. Pure. Internal to mapping/convert_charset*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/* Appends it as EUC-JP; false: it has characters of other countries' sets, which iconv's ISO-2022-JP-2 or -3 knows. */
bool convert_charset_shift_jp(struct strbuf *out, const char *data, size_t len) __attribute__((warn_unused_result));
/* Appends it as GB2312. */
void convert_charset_shift_hz(struct strbuf *out, const char *data, size_t len);
