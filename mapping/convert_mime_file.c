#include "mapping/convert_mime_file.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mail_header.h"
#include "mapping/convert_types.h"
#include "mapping/convert_utf8.h"

enum { HEADER_MAX = 16 * 1024, LINE_MAX_7BIT = 998 };

static const char unknown_type[] = "application/octet-stream";

/* ---- what it is ---- */

static bool is_message(const struct convert_mime_file *file)
{
    return strncmp(file->type, "message/", 8) == 0;
}

static bool is_text(const struct convert_mime_file *file)
{
    static const char *const types[] = { "application/json", "application/xml", "application/ics", "application/rtf",
                                         "image/svg+xml" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(file->type, types[i]) == 0)
            return true;
    }
    return strncmp(file->type, "text/", 5) == 0;
}

static bool is_tnef(const struct convert_mime_file *file)
{
    return strcmp(file->type, "application/ms-tnef") == 0;
}

static const char *sniff(const struct convert_mime_file *file)
{
    char name[32] = "x.";
    size_t len = file->size < CONVERT_TYPE_LOOK ? file->size : CONVERT_TYPE_LOOK;
    const char *extension = convert_type_sniff(file->data, len);
    if (!extension || strlen(extension) > sizeof name - 3)
        return unknown_type;
    memcpy(name + 2, extension, strlen(extension) + 1);
    return convert_type_from_name(name);
}

static bool is_plain_text(const struct convert_mime_file *file)
{
    return file->size > 0 && file->size <= CONVERT_TEXT_FILE_MAX && convert_utf8_is_valid(file->data, file->size) &&
           !convert_type_is_binary(file->data, file->size);
}

static void find_type(struct convert_mime_file *file)
{
    if (!file->type)
        file->type = convert_type_from_name(file->name);
    if (is_tnef(file))
        file->type = unknown_type; /* ".dat" is anything */
    bool is_unknown = strcmp(file->type, unknown_type) == 0;
    const char *sniffed = is_unknown || strncmp(file->type, "image/", 6) == 0 ? sniff(file) : unknown_type;
    if (is_unknown || strncmp(sniffed, "image/", 6) == 0)
        file->type = sniffed; /* a picture is what it is, whatever it is called */
    if (is_tnef(file))
        file->type = unknown_type; /* it is, but what says so is taken apart on the way */
    if (strcmp(file->type, unknown_type) == 0 && is_plain_text(file))
        file->type = "text/plain";
}

/* ---- how it travels ---- */

/* Whether a message can be in the mail as it is: what nobody on the way has a reason to change, and nobody who reads it takes for
 * the end of the part. */
static bool is_clean_message(const struct convert_mime_file *file)
{
    const char *data = file->data;
    size_t column = 0;
    if (file->size == 0 || file->size > CONVERT_MESSAGE_FILE_MAX || !isalpha((unsigned char)data[0]))
        return false;
    for (size_t i = 0; i < file->size; i++) {
        if (data[i] == '\r') {
            if (i + 1 == file->size || data[++i] != '\n')
                return false;
            column = 0;
            continue;
        }
        if (data[i] == '\n' || data[i] == '\0' || (unsigned char)data[i] > 127 || ++column > LINE_MAX_7BIT)
            return false;
        if (column == 1 && file->size - i >= 4 && memcmp(data + i, "--=_", 4) == 0)
            return false;
    }
    return true;
}

static bool is_ascii(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)data[i] > 127)
            return false;
    }
    return true;
}

static void find_encoding(struct convert_mime_file *file)
{
    file->encoding = CONVERT_MIME_BASE64;
    if (is_message(file)) {
        if (is_clean_message(file))
            file->encoding = CONVERT_MIME_7BIT;
        else
            file->type = unknown_type; /* a message may not be in base64; its name says what it is */
    } else if (file->size == 0) {
        file->encoding = CONVERT_MIME_7BIT;
    } else if (is_text(file) && file->size <= CONVERT_TEXT_FILE_MAX) {
        /* Three octets of base64 are four, and each line has two more. */
        if (convert_qp_size(file->data, file->size) < file->size / 3 * 4 + file->size / 57 * 2)
            file->encoding = CONVERT_MIME_QP;
    }
}

void convert_mime_file_describe(struct convert_mime_file *file)
{
    find_type(file);
    find_encoding(file);
    file->is_utf8 = strncmp(file->type, "text/", 5) == 0 && !strchr(file->type, ';') &&
                    file->size <= CONVERT_TEXT_FILE_MAX && !is_ascii(file->data, file->size) &&
                    convert_utf8_is_valid(file->data, file->size);
}

/* ---- the part ---- */

static void put_header(const struct convert_mime_file *file, convert_sink *sink, void *ctx)
{
    static const char *const encodings[] = {
        [CONVERT_MIME_7BIT] = "7bit",
        [CONVERT_MIME_QP] = "quoted-printable",
        [CONVERT_MIME_BASE64] = "base64",
    };
    struct strbuf header;
    strbuf_init(&header, HEADER_MAX);
    strbuf_add_fmt(&header, "Content-Type: %s%s", file->type, file->is_utf8 ? "; charset=utf-8" : "");
    convert_mail_header_add_old_parameter(&header, "name", file->name);
    strbuf_add_fmt(&header, "\r\nContent-Transfer-Encoding: %s\r\nContent-Disposition: %s", encodings[file->encoding],
                   file->cid ? "inline" : "attachment");
    convert_mail_header_add_parameter(&header, "filename", file->name);
    strbuf_add_str(&header, "\r\n");
    if (file->cid)
        strbuf_add_fmt(&header, "Content-ID: <%s>\r\n", file->cid);
    strbuf_add_str(&header, "\r\n");
    sink(header.data, header.len, ctx);
    strbuf_free(&header);
}

static void add_to_encoder(const void *data, size_t len, void *ctx)
{
    convert_base64_add(ctx, data, len);
}

static void put_base64(const struct convert_mime_file *file, struct convert_input *input, convert_sink *sink, void *ctx)
{
    struct convert_base64_encoder encoder;
    convert_base64_start(&encoder, sink, ctx);
    convert_transfer_copy(file->data, file->size, input, add_to_encoder, &encoder);
    convert_base64_end(&encoder);
}

static void put_qp(const struct convert_mime_file *file, struct convert_input *input, convert_sink *sink, void *ctx)
{
    struct strbuf encoded;
    strbuf_init(&encoded, convert_qp_size(file->data, file->size));
    convert_qp_encode_octets(&encoded, file->data, file->size);
    sink(encoded.data, encoded.len, ctx);
    strbuf_free(&encoded);
    convert_input_passed(input, file->data + file->size);
}

void convert_mime_file_put(const struct convert_mime_file *file, struct convert_input *input, convert_sink *sink,
                           void *ctx)
{
    put_header(file, sink, ctx);
    if (file->encoding == CONVERT_MIME_BASE64)
        put_base64(file, input, sink, ctx);
    else if (file->encoding == CONVERT_MIME_QP)
        put_qp(file, input, sink, ctx);
    else
        convert_transfer_copy(file->data, file->size, input, sink, ctx);
}
