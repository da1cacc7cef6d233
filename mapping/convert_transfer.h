/* convert_transfer.h - content transfer encodings, both ways (RFC 2045 section 6)
 *
 * Decoding is lenient but not blind: what is wrong is skipped or kept, never the end of the content, and counted as
 * damage. Base64 is decoded here because common decoders stop at the first padding, which hides what follows from
 * whoever looks at the parts only. Encoding gives lines of at most 76 characters with CRLF. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct convert_input;
struct strbuf;

enum convert_transfer {
    CONVERT_TRANSFER_IDENTITY, /* 7bit, 8bit, binary, absent */
    CONVERT_TRANSFER_BASE64,
    CONVERT_TRANSFER_QP,
    CONVERT_TRANSFER_UU,
    CONVERT_TRANSFER_UNKNOWN, /* not one we know: content is taken as it is */
};

enum convert_transfer convert_transfer_from_label(const char *label);

/* The byte that two hexadecimal digits mean; -1 when they are none. Reads the second only when the first is one. */
int convert_hex_byte(const char *digits);

/* Takes decoded bytes; len may be any. */
typedef void convert_sink(const void *data, size_t len, void *ctx);

struct convert_decoded {
    int64_t size;
    bool damaged; /* something did not belong there, or the end is missing */
};

/* Decodes the whole content into the sink (NULL: just count), in pieces. input: what the content lies in, for its
 * pages; NULL for memory. */
struct convert_decoded convert_transfer_decode(enum convert_transfer encoding, const void *data, size_t len,
                                               struct convert_input *input, convert_sink *sink, void *ctx);
/* Hands out what lies in an input as it is, in pieces. */
void convert_transfer_copy(const void *data, size_t len, struct convert_input *input, convert_sink *sink, void *ctx);

/* Base64 lines from bytes that come in pieces. */
enum { CONVERT_BASE64_LINE = 76 };
struct convert_base64_encoder {
    uint8_t pending[3];
    size_t pending_len;
    char line[CONVERT_BASE64_LINE + 2]; /* the one that is being written */
    size_t column;
    convert_sink *sink;
    void *ctx;
};
void convert_base64_start(struct convert_base64_encoder *encoder, convert_sink *sink, void *ctx);
void convert_base64_add(struct convert_base64_encoder *encoder, const void *data, size_t len);
void convert_base64_end(struct convert_base64_encoder *encoder); /* padding and the last line's end */
/* One run without line breaks, for encoded words. */
void convert_base64_text(struct strbuf *out, const void *data, size_t len);

/* Text with LF line ends -> quoted-printable with CRLF; "From " and "." at line starts are encoded too. */
void convert_qp_encode(struct strbuf *out, const char *text, size_t len);
/* Any octets, which come back exactly: line ends are encoded too, and lines of text are lines there. */
void convert_qp_encode_octets(struct strbuf *out, const char *data, size_t len);
size_t convert_qp_size(const char *data, size_t len); /* what convert_qp_encode_octets() adds */
