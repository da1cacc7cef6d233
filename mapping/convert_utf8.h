/* convert_utf8.h - checking, repairing and cutting UTF-8 (RFC 3629)
 *
 * Surrogates, overlong forms and code points beyond U+10FFFF are invalid. Pure functions. For mapping/convert* and what
 * the gateway shows to people.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

#define CONVERT_UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, shown where something could not be decoded */

/* Length in bytes (1..4) of the character at text, its code point in *code_out; 0 when there is no valid one. */
size_t convert_utf8_char(const char *text, size_t len, uint32_t *code_out);
bool convert_utf8_is_valid(const char *text, size_t len);
/* Appends text with each invalid byte replaced by U+FFFD. */
void convert_utf8_repair(struct strbuf *out, const char *text, size_t len);
/* The greatest length <= max at which text can be cut without splitting a character. */
size_t convert_utf8_cut(const char *text, size_t len, size_t max);
void convert_utf8_add(struct strbuf *out, uint32_t code); /* U+FFFD for what is no character */
bool convert_utf8_is_control(uint32_t code); /* C0, DEL, C1, line and paragraph separators, bidirectional overrides */
/* One line for people: valid UTF-8, control characters and runs of white space become single spaces, ends trimmed,
 * cut at max bytes. The result is the caller's. */
char *convert_utf8_one_line(const char *text, size_t len, size_t max) __attribute__((warn_unused_result));
