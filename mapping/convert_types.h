/* convert_types.h - media types, file name extensions, and what a file's first octets say
 *
 * For attachments that come without a name or with one that says nothing, and for those that leave without a type.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

const char *convert_type_extension(const char *type, const char *subtype); /* "png"; "bin" when unknown */
const char *convert_type_from_name(const char *name); /* "image/png"; "application/octet-stream" when unknown */

/* What a part of this type is called when it has no name: "invitation" for a calendar; NULL: nothing in particular. */
const char *convert_type_stem(const char *type, const char *subtype);

enum { CONVERT_TYPE_LOOK = 128 }; /* octets that tell what there is to tell */
/* Extension of the kind of file that begins so ("pdf"); NULL when that can't be told. Text is told by its first words
 * only ("ics", "html"). */
const char *convert_type_sniff(const void *data, size_t len);
/* Many octets that no text has, or the beginning of a well-known kind of file that is no text. */
bool convert_type_is_binary(const void *data, size_t len);
