#include "mapping/convert_transfer.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_input.h"

enum { LINE_MAX_ENCODED = CONVERT_BASE64_LINE, PIECE_SIZE = 16 * 1024, STEP = 256 * 1024 };

static const struct label {
    const char *label;
    enum convert_transfer encoding;
} labels[] = {
    { "", CONVERT_TRANSFER_IDENTITY },      { "7bit", CONVERT_TRANSFER_IDENTITY },
    { "8bit", CONVERT_TRANSFER_IDENTITY },  { "binary", CONVERT_TRANSFER_IDENTITY },
    { "7-bit", CONVERT_TRANSFER_IDENTITY }, { "8-bit", CONVERT_TRANSFER_IDENTITY },
    { "base64", CONVERT_TRANSFER_BASE64 },  { "quoted-printable", CONVERT_TRANSFER_QP },
    { "x-uuencode", CONVERT_TRANSFER_UU },  { "uuencode", CONVERT_TRANSFER_UU },
    { "x-uue", CONVERT_TRANSFER_UU },
};

enum convert_transfer convert_transfer_from_label(const char *label)
{
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        if (strcasecmp(label, labels[i].label) == 0)
            return labels[i].encoding;
    }
    return CONVERT_TRANSFER_UNKNOWN;
}

/* Decoded bytes on their way to the sink, in pieces. */
struct output {
    convert_sink *sink;
    void *ctx;
    struct convert_decoded *decoded;
    struct convert_input *input;
    size_t len;
    uint8_t piece[PIECE_SIZE];
};

static void output_flush(struct output *output)
{
    output->decoded->size += (int64_t)output->len;
    if (output->sink && output->len > 0)
        output->sink(output->piece, output->len, output->ctx);
    output->len = 0;
}

static void output_byte(struct output *output, uint8_t byte)
{
    if (output->len == sizeof output->piece)
        output_flush(output);
    output->piece[output->len++] = byte;
}

/* 0..63 for the alphabet; white space, padding and the rest are told apart. */
enum { B64_SPACE = 64, B64_PAD, B64_WRONG };

static uint8_t base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    switch (c) {
    case '+':
        return 62;
    case '/':
        return 63;
    case '=':
        return B64_PAD;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return B64_SPACE;
    default:
        return B64_WRONG;
    }
}

/* The bytes of an unfinished group of `count` characters, as padding or the end leaves it. */
static void base64_finish_group(struct output *output, uint32_t bits, unsigned count)
{
    if (count == 1)
        output->decoded->damaged = true; /* six bits are no byte */
    if (count >= 2)
        output_byte(output, (uint8_t)(bits >> (count * 6 - 8)));
    if (count == 3)
        output_byte(output, (uint8_t)(bits >> 2));
}

/* The current group of four characters, which may lie across two steps. */
struct base64_group {
    uint32_t bits;
    unsigned count;
    bool padded; /* one has ended with padding */
};

static void decode_base64_step(struct output *output, const uint8_t table[static 256], struct base64_group *group,
                               const uint8_t *data, size_t len)
{
    uint32_t bits = group->bits;
    unsigned count = group->count;
    for (size_t i = 0; i < len; i++) {
        uint8_t value = table[data[i]];
        if (value < 64) {
            output->decoded->damaged =
                output->decoded->damaged || group->padded; /* content after its end; kept nevertheless */
            bits = bits << 6 | value;
            if (++count == 4) {
                output_byte(output, (uint8_t)(bits >> 16));
                output_byte(output, (uint8_t)(bits >> 8));
                output_byte(output, (uint8_t)bits);
                bits = count = 0;
            }
        } else if (value == B64_PAD) {
            base64_finish_group(output, bits, count);
            bits = count = 0;
            group->padded = true;
        } else if (value == B64_WRONG) {
            output->decoded->damaged = true;
        }
    }
    group->bits = bits;
    group->count = count;
}

static void decode_base64(struct output *output, const uint8_t *data, size_t len)
{
    uint8_t table[256];
    struct base64_group group = { 0 };
    for (unsigned c = 0; c < 256; c++)
        table[c] = base64_value((uint8_t)c);
    for (size_t done = 0; done < len;) {
        size_t n = len - done < STEP ? len - done : STEP;
        decode_base64_step(output, table, &group, data + done, n);
        done += n;
        convert_input_passed(output->input, data + done);
    }
    if (group.count > 0)
        output->decoded->damaged = true;
    base64_finish_group(output, group.bits, group.count);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int convert_hex_byte(const char *digits)
{
    int high = hex_value(digits[0]);
    int low = high < 0 ? -1 : hex_value(digits[1]);
    return low < 0 ? -1 : high * 16 + low;
}

/* Length of the line end at data, with blanks that were added before it on the way; 0 when there is none. */
static size_t padded_line_end(const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (i < len && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r'))
        i++;
    return i == len ? len : data[i] == '\n' ? i + 1 : 0;
}

/* A "=" that begins nothing stands for itself, as in text that somebody forgot to encode. */
static void decode_qp(struct output *output, const uint8_t *data, size_t len)
{
    size_t told = 0; /* how far the input knows that we are */
    for (size_t i = 0; i < len; i++) {
        if (i - told >= STEP) {
            convert_input_passed(output->input, data + i);
            told = i;
        }
        if (data[i] != '=') {
            output_byte(output, data[i]);
            continue;
        }
        size_t soft = padded_line_end(data + i + 1, len - i - 1);
        if (soft > 0 || i + 1 == len) {
            i += soft;
        } else if (len - i > 2 && convert_hex_byte((const char *)data + i + 1) >= 0) {
            output_byte(output, (uint8_t)convert_hex_byte((const char *)data + i + 1));
            i += 2;
        } else {
            output_byte(output, '=');
        }
    }
}

/* One line: its first character is the number of bytes in it, each four characters are three bytes. */
static void decode_uu_line(struct output *output, const uint8_t *line, size_t len)
{
    size_t wanted = (line[0] - ' ') & 63;
    for (size_t i = 1; wanted > 0; i += 4) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++)
            bits = bits << 6 | (i + k < len ? (uint32_t)(line[i + k] - ' ') & 63 : 0);
        output->decoded->damaged = output->decoded->damaged || i >= len;
        for (unsigned shift = 16; wanted > 0 && shift <= 16; shift -= 8, wanted--)
            output_byte(output, (uint8_t)(bits >> shift));
    }
}

/* From the "begin" line to "end"; what stands around them is no part of the file. */
static void decode_uu(struct output *output, const uint8_t *data, size_t len)
{
    enum { BEFORE, INSIDE, BEHIND } at = BEFORE;
    const char *text = (const char *)data;
    for (size_t i = 0; i < len;) {
        const char *lf = convert_input_find(output->input, text + i, text + len, "\n", 1);
        size_t next = lf ? (size_t)(lf - text) + 1 : len;
        convert_input_passed(output->input, data + next);
        size_t n = next - i;
        while (n > 0 && (data[i + n - 1] == '\n' || data[i + n - 1] == '\r'))
            n--;
        if (at == BEFORE && n > 6 && memcmp(data + i, "begin ", 6) == 0)
            at = INSIDE;
        else if (at == INSIDE && n == 3 && memcmp(data + i, "end", 3) == 0)
            at = BEHIND;
        else if (at == INSIDE && n > 0)
            decode_uu_line(output, data + i, n);
        i = next;
    }
    output->decoded->damaged = output->decoded->damaged || at != BEHIND;
}

void convert_transfer_copy(const void *data, size_t len, struct convert_input *input, convert_sink *sink, void *ctx)
{
    const uint8_t *bytes = data;
    for (size_t done = 0; done < len;) {
        size_t n = len - done < STEP ? len - done : STEP;
        sink(bytes + done, n, ctx);
        done += n;
        convert_input_passed(input, bytes + done);
    }
}

struct convert_decoded convert_transfer_decode(enum convert_transfer encoding, const void *data, size_t len,
                                               struct convert_input *input, convert_sink *sink, void *ctx)
{
    struct convert_decoded decoded = { 0 };
    struct output output = { .sink = sink, .ctx = ctx, .decoded = &decoded, .input = input };
    switch (encoding) {
    case CONVERT_TRANSFER_BASE64:
        decode_base64(&output, data, len);
        break;
    case CONVERT_TRANSFER_QP:
        decode_qp(&output, data, len);
        break;
    case CONVERT_TRANSFER_UU:
        decode_uu(&output, data, len);
        break;
    case CONVERT_TRANSFER_UNKNOWN:
    case CONVERT_TRANSFER_IDENTITY:
        decoded.damaged = encoding == CONVERT_TRANSFER_UNKNOWN;
        decoded.size = (int64_t)len;
        if (sink)
            convert_transfer_copy(data, len, input, sink, ctx);
        return decoded;
    }
    output_flush(&output);
    convert_input_passed(input, (const uint8_t *)data + len);
    return decoded;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const uint8_t *bytes, size_t len, char group_out[static 4])
{
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)(len > 1 ? bytes[1] : 0) << 8 | (len > 2 ? bytes[2] : 0);
    group_out[0] = alphabet[bits >> 18];
    group_out[1] = alphabet[bits >> 12 & 63];
    group_out[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
    group_out[3] = len > 2 ? alphabet[bits & 63] : '=';
}

void convert_base64_start(struct convert_base64_encoder *encoder, convert_sink *sink, void *ctx)
{
    *encoder = (struct convert_base64_encoder){ .sink = sink, .ctx = ctx };
}

static void encoder_end_line(struct convert_base64_encoder *encoder)
{
    memcpy(encoder->line + encoder->column, "\r\n", 2);
    encoder->sink(encoder->line, encoder->column + 2, encoder->ctx);
    encoder->column = 0;
}

static void encoder_group(struct convert_base64_encoder *encoder, const uint8_t *bytes, size_t len)
{
    encode_group(bytes, len, encoder->line + encoder->column);
    encoder->column += 4;
    if (encoder->column == LINE_MAX_ENCODED)
        encoder_end_line(encoder);
}

void convert_base64_add(struct convert_base64_encoder *encoder, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (; len > 0 && encoder->pending_len > 0 && encoder->pending_len < 3; len--)
        encoder->pending[encoder->pending_len++] = *bytes++;
    if (encoder->pending_len == 3) {
        encoder_group(encoder, encoder->pending, 3);
        encoder->pending_len = 0;
    }
    for (; len >= 3; bytes += 3, len -= 3)
        encoder_group(encoder, bytes, 3);
    for (; len > 0; len--)
        encoder->pending[encoder->pending_len++] = *bytes++;
}

void convert_base64_end(struct convert_base64_encoder *encoder)
{
    if (encoder->pending_len > 0)
        encoder_group(encoder, encoder->pending, encoder->pending_len);
    encoder->pending_len = 0;
    if (encoder->column > 0)
        encoder_end_line(encoder);
}

void convert_base64_text(struct strbuf *out, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i += 3) {
        char group[4];
        encode_group(bytes + i, len - i < 3 ? len - i : 3, group);
        strbuf_add(out, group, sizeof group);
    }
}

/* Whether the character at i may stand for itself: printable, and not a blank at the end of a line. */
static bool qp_is_plain(const char *text, size_t len, size_t i, bool at_line_start)
{
    char c = text[i];
    if (c == ' ' || c == '\t')
        return i + 1 < len && text[i + 1] != '\n';
    if (c == '.' && at_line_start)
        return false;
    if (c == 'F' && at_line_start && len - i >= 5 && memcmp(text + i, "From ", 5) == 0)
        return false; /* mbox files would turn it into ">From " and break signatures */
    return c > ' ' && c <= '~' && c != '=';
}

void convert_qp_encode(struct strbuf *out, const char *text, size_t len)
{
    size_t column = 0;
    bool at_line_start = true;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            strbuf_add_str(out, "\r\n");
            column = 0;
            at_line_start = true;
            continue;
        }
        bool plain = qp_is_plain(text, len, i, at_line_start);
        size_t width = plain ? 1 : 3;
        bool last = i + 1 == len || text[i + 1] == '\n';
        if (column + width > LINE_MAX_ENCODED - (last ? 0 : 1)) {
            strbuf_add_str(out, "=\r\n");
            column = 0;
            plain = qp_is_plain(text, len, i, true);
            width = plain ? 1 : 3;
        }
        if (plain)
            strbuf_add_char(out, text[i]);
        else
            strbuf_add_fmt(out, "=%02X", (unsigned char)text[i]);
        column += width;
        at_line_start = false;
    }
}

/* What one octet becomes; returns its width. */
static size_t qp_octet(char c, bool at_line_start, bool is_last, char out[static 4])
{
    static const char digits[] = "0123456789ABCDEF";
    bool is_blank = (c == ' ' || c == '\t') && !is_last;
    bool is_risky = at_line_start && (c == '.' || c == 'F'); /* of "From " */
    if (is_blank || (c > ' ' && c <= '~' && c != '=' && !is_risky)) {
        out[0] = c;
        return 1;
    }
    out[0] = '=';
    out[1] = digits[(unsigned char)c >> 4];
    out[2] = digits[(unsigned char)c & 15];
    return 3;
}

/* out: NULL to count. */
static size_t qp_encode_octets(struct strbuf *out, const char *data, size_t len)
{
    size_t column = 0, total = 0;
    for (size_t i = 0; i < len; i++) {
        char piece[4];
        bool is_last = i + 1 == len, breaks = false;
        size_t width = qp_octet(data[i], column == 0, is_last, piece);
        if (column + width > LINE_MAX_ENCODED - 1) {
            breaks = true;
            column = 0;
            width = qp_octet(data[i], true, is_last, piece);
        }
        if (breaks && out)
            strbuf_add_str(out, "=\r\n");
        if (out)
            strbuf_add(out, piece, width);
        column += width;
        total += width + (breaks ? 3 : 0);
        if (data[i] == '\n' && !is_last) {
            if (out)
                strbuf_add_str(out, "=\r\n");
            column = 0;
            total += 3;
        }
    }
    return total;
}

void convert_qp_encode_octets(struct strbuf *out, const char *data, size_t len)
{
    qp_encode_octets(out, data, len);
}

size_t convert_qp_size(const char *data, size_t len)
{
    return qp_encode_octets(NULL, data, len);
}
