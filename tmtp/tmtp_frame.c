/* tmtp_frame.c - the frame codec: bytes in, events out */
#include "tmtp/tmtp_frame.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { DIGITS = 4 };

enum decoder_state {
    ST_DIGITS, /* collecting the four digits of the next header's length */
    ST_HEADER, /* collecting the header */
    ST_ASKING, /* the header was handed out; tmtp_frame_expect() has not been called yet */
    ST_DATA,   /* passing data on; `remaining` bytes are to come */
    ST_BAD,    /* not TMTP; nothing is consumed any more */
};

struct tmtp_frame_decoder {
    enum decoder_state state;
    size_t header_max;
    char *header;         /* digits first, then the header's own text; NUL-terminated */
    size_t header_len;    /* announced by the digits */
    size_t filled;        /* bytes collected of the digits or the header */
    uint64_t remaining;   /* bytes of data to come */
    const uint8_t *piece; /* the latest piece of data, in the caller's buffer */
    size_t piece_len;
    const char *error;
};

struct tmtp_frame_decoder *tmtp_frame_decoder_new(size_t header_max)
{
    assert(header_max >= TMTP_FRAME_HEADER_MIN && header_max <= TMTP_FRAME_HEADER_MAX);
    struct tmtp_frame_decoder *dec = xcalloc(1, sizeof *dec);
    dec->header_max = header_max;
    dec->header = xmalloc(DIGITS + 1);
    dec->error = "";
    return dec;
}

void tmtp_frame_decoder_free(struct tmtp_frame_decoder **dec)
{
    if (*dec == NULL)
        return;
    free((*dec)->header);
    free(*dec);
    *dec = NULL;
}

static enum tmtp_frame_event fail(struct tmtp_frame_decoder *dec, const char *error)
{
    dec->state = ST_BAD;
    dec->error = error;
    return TMTP_FRAME_BAD;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Moves what is there into the header buffer, up to `want` bytes in all. True when they are complete. */
static bool collect(struct tmtp_frame_decoder *dec, size_t want, const uint8_t **buf, size_t *len)
{
    size_t take = want - dec->filled < *len ? want - dec->filled : *len;
    if (take > 0) {
        memcpy(dec->header + dec->filled, *buf, take);
        dec->filled += take;
        *buf += take;
        *len -= take;
    }
    return dec->filled == want;
}

/* Reads the length from the digits and makes room for that much. False when it is none, or out of range. */
static bool begin_header(struct tmtp_frame_decoder *dec)
{
    size_t length = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        int digit = hex_value(dec->header[i]);
        if (digit < 0)
            return false;
        length = length * 16 + (size_t)digit;
    }
    if (length < TMTP_FRAME_HEADER_MIN || length > dec->header_max)
        return false;
    /* Allocated per frame: an idle connection should not keep the room of its longest header. */
    free(dec->header);
    dec->header = xmalloc((length > DIGITS ? length : DIGITS) + 1);
    dec->header_len = length;
    dec->filled = 0;
    dec->state = ST_HEADER;
    return true;
}

static enum tmtp_frame_event feed_data(struct tmtp_frame_decoder *dec, const uint8_t **buf, size_t *len)
{
    if (dec->remaining == 0) {
        dec->state = ST_DIGITS;
        dec->filled = 0;
        return TMTP_FRAME_END;
    }
    if (*len == 0)
        return TMTP_FRAME_MORE;
    dec->piece = *buf;
    dec->piece_len = dec->remaining < *len ? (size_t)dec->remaining : *len;
    dec->remaining -= dec->piece_len;
    *buf += dec->piece_len;
    *len -= dec->piece_len;
    return TMTP_FRAME_DATA;
}

enum tmtp_frame_event tmtp_frame_feed(struct tmtp_frame_decoder *dec, const uint8_t **buf, size_t *len)
{
    assert(dec->state != ST_ASKING);
    dec->piece = NULL;
    dec->piece_len = 0;
    if (dec->state == ST_BAD)
        return TMTP_FRAME_BAD;
    if (dec->state == ST_DATA)
        return feed_data(dec, buf, len);
    if (dec->state == ST_DIGITS) {
        if (!collect(dec, DIGITS, buf, len))
            return TMTP_FRAME_MORE;
        if (!begin_header(dec))
            return fail(dec, "invalid header length");
    }
    if (!collect(dec, dec->header_len, buf, len))
        return TMTP_FRAME_MORE;
    dec->header[dec->header_len] = '\0';
    dec->state = ST_ASKING;
    return TMTP_FRAME_HEADER;
}

const char *tmtp_frame_header(const struct tmtp_frame_decoder *dec, size_t *len_out)
{
    *len_out = dec->header_len;
    return dec->header;
}

void tmtp_frame_expect(struct tmtp_frame_decoder *dec, uint64_t datalen)
{
    assert(dec->state == ST_ASKING);
    dec->remaining = datalen;
    dec->state = ST_DATA;
}

const uint8_t *tmtp_frame_data(const struct tmtp_frame_decoder *dec, size_t *len_out)
{
    *len_out = dec->piece_len;
    return dec->piece;
}

const char *tmtp_frame_error(const struct tmtp_frame_decoder *dec)
{
    return dec->error;
}

int tmtp_frame_compose(struct strbuf *out, const char *header, size_t header_len)
{
    if (header_len < TMTP_FRAME_HEADER_MIN || header_len > TMTP_FRAME_HEADER_MAX)
        return -1;
    strbuf_add_fmt(out, "%04zx", header_len);
    strbuf_add(out, header, header_len);
    return strbuf_ok(out) ? 1 : -1;
}
