/* tmtp_alias.h - what a silo may be asked about as an alias, or the name of a group
 *
 * The protocol names a least length only (TMTP v1, "Register"). The reference server keeps each name as a file whose
 * name is the alias escaped as in a URL's query; asked about one that is too long for a file's name, or about "." and
 * "..", be it to create it or to ping it, the whole server ends. So no such name may ever be sent.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    TMTP_ALIAS_MIN = 8,           /* bytes */
    TMTP_ALIAS_MAX = 200,         /* bytes; ours, and the embedded silo's */
    TMTP_ALIAS_ESCAPED_MAX = 255, /* bytes; of a file's name */
};

/* Bytes of it once escaped: letters, digits, "-", "_", ".", "~" and the blank are one, everything else is three. */
size_t tmtp_alias_escaped_size(const char *text, size_t len);
/* May a silo be asked about it? NULL: no. */
bool tmtp_alias_is_safe(const char *alias);
