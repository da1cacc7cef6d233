/* convert_vcard.h - a line or two about each card of a text/vcard (vCard 2.1, 3.0, RFC 6350)
 *
 * "**Bob Example**, Example Ltd, bob@example.com, +49 30 1234". Nothing that is large (pictures, keys) is decoded. The
 * whole file is to be attached besides. Linear in time; limits: convert_limits.h. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_charsets;
struct commonmark_writer;

/* data: the part's content without its transfer encoding; charset: its label, "" when undeclared. Values of vCard 2.1
 * may declare one of their own. False: there is no card with a name or an address in it, and nothing was written. */
bool convert_vcard_write(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                         const void *data, size_t len);
