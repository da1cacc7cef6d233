/* convert_mime_file.h - a file as a part of the mail that we write
 *
 * Its type by its name, or by its first octets when the name says nothing; its bytes exactly, in the encoding that takes
 * least: messages as they are where RFC 2046 section 5.2.1 lets that be, text in quoted-printable with its line ends
 * encoded, else base64. Its name as a parameter (RFC 2231), and once more in the form that old programs know.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_transfer.h"

struct convert_input;

enum convert_mime_encoding { CONVERT_MIME_7BIT, CONVERT_MIME_QP, CONVERT_MIME_BASE64 };

struct convert_mime_file {
    const char *data;
    size_t size;
    const char *name; /* safe; in the mail */
    const char *type; /* NULL: convert_mime_file_describe() finds it */
    bool is_utf8;     /* text that is not all ASCII: its charset can be said */
    enum convert_mime_encoding encoding;
    const char *cid; /* without brackets, of a picture that the HTML shows; NULL: it is attached */
};

/* Sets type, charset and encoding. Looks at the octets, at those of large files not all. */
void convert_mime_file_describe(struct convert_mime_file *file);
/* The part: its header, an empty line, its content. input: what data lies in; NULL for memory. */
void convert_mime_file_put(const struct convert_mime_file *file, struct convert_input *input, convert_sink *sink,
                           void *ctx);
