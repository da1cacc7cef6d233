/* convert_types.h - media types and file name extensions
 *
 * For attachments that come without a name, and for those that leave without a type. Internal to mapping/convert*.
 */
#pragma once

const char *convert_type_extension(const char *type, const char *subtype); /* "png"; "bin" when unknown */
const char *convert_type_from_name(const char *name); /* "image/png"; "application/octet-stream" when unknown */
