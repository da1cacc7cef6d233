/* tmtp_silo_text.h - rules for text that members give to the silo */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    SILO_NAME_MIN = 8, /* bytes of an alias or a group's name */
    SILO_NAME_MAX = 200,
    SILO_PING_MAX = 140, /* UTF-16 code units */
    SILO_PING_BYTES_MAX = SILO_PING_MAX * 3,
};

/* Valid UTF-8 of printable characters; no blanks but the plain space. */
bool silo_text_is_printable(const char *text);
/* UTF-16 code units; -1 when it is not valid UTF-8. The replacement character counts as invalid, as at the reference
 * server: it is what broken text turns into. */
long silo_text_utf16_length(const void *text, size_t len);
