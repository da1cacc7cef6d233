/* netstring.h - reading "5:hello," (the netstrings that Postfix's socketmap_table(5) speaks)
 *
 * A parser without I/O: bytes in, whole strings out, however they are split. Strings of more than NETSTRING_MAX bytes
 * are refused when their length is read, before any of their bytes is kept.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { NETSTRING_MAX = 4096 };

enum netstring_state {
    NETSTRING_LENGTH, /* digits, then ':' */
    NETSTRING_DATA,   /* some of `length` bytes are missing */
    NETSTRING_COMMA,  /* all of them are there */
    NETSTRING_DONE,   /* whole; the next byte begins another string */
    NETSTRING_BROKEN, /* what was read is no netstring; an end */
};

/* Begins zeroed. After 1: the string, NUL-terminated, valid until the next call; it may contain NULs itself. */
struct netstring {
    enum netstring_state state;
    size_t length, digits, len;
    char data[NETSTRING_MAX + 1];
};

/* Takes bytes up to the end of one string: *used_out of them. 1 a string is whole; 0 all were used and more are needed;
 * -1 this is no netstring, or too long a one, and never will be. */
int netstring_feed(struct netstring *netstring, const uint8_t *data, size_t len, size_t *used_out)
    __attribute__((warn_unused_result));
