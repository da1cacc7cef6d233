/* convert_inline_mail.h - a mail at the end of a text, header and all: what a server returns as it came
 *
 * What servers wrote below "--- Below this line is a copy of the message." before a report had a part for it (RFC 3462),
 * and some still do. Believed only below a line of dashes or one that speaks of a message, and only when fields follow
 * that no person writes: a forwarded mail with its From, Date and Subject is text. It reaches to the end. Linear. Pure.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Its offset in the text, which is bytes before any charset; false when there is none. */
bool convert_inline_mail_find(const char *text, size_t len, size_t *offset_out);
