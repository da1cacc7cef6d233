/* smtp_xtext.h - xtext: text in which "+" and two hexadecimal digits stand for an octet (RFC 3461 section 4)
 *
 * One octet at a time and no I/O. What may be encoded, and what may stand as it is, differs between DSN, XCLIENT and
 * XFORWARD, and is for the caller to say.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum smtp_xtext_digits {
    SMTP_XTEXT_CAPITALS, /* as the grammar has it: 0 to 9, A to F */
    SMTP_XTEXT_ANY_CASE, /* as Postfix takes it */
};

/* The value of a digit; -1: it is none. */
int smtp_xtext_digit(char c, enum smtp_xtext_digits digits);

/* The octet (0 to 255) that the first characters of text stand for, and in *used_out how many they are: 3 for an encoded one,
 * else 1. -1: a "+" without two digits, or no text. */
int smtp_xtext_octet(const char *text, size_t len, enum smtp_xtext_digits digits, size_t *used_out);
