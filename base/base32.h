/* base32.h - octets as letters and digits that survive a change of case (RFC 4648 section 6), without padding */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Characters for len octets, and the terminator. */
#define BASE32_SIZE(len) (((len)*8 + 4) / 5 + 1)

/* In lower case; out has room for BASE32_SIZE(len). */
void base32_encode(const uint8_t *data, size_t len, char *out);
/* Upper and lower case. 1: exactly len octets; -1: it is something else, also where the last character has bits of
 * nothing that are set (so there is one text for each value, but for case). */
int base32_decode(const char *text, size_t text_len, uint8_t *out, size_t len) __attribute__((warn_unused_result));
