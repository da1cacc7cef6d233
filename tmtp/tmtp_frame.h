/* tmtp_frame.h - splitting a byte stream into TMTP frames, and composing frame heads
 *
 * A frame is four hex digits (header length in bytes, 8..65535), a JSON header of that many bytes, then `datalen`
 * bytes of data (TMTP v1, "Definitions"). The codec does no I/O and keeps no more than one header: data is
 * handed on as it comes, so a 200 MB attachment costs nothing here.
 *
 * Life: one decoder per connection, fed in order; after TMTP_FRAME_BAD it stays bad. What a header means is the owner's
 * business (tmtp_header.h): the decoder only has to be told how much data follows.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum { TMTP_FRAME_HEADER_MIN = 8, TMTP_FRAME_HEADER_MAX = 65535 };

enum tmtp_frame_event {
    TMTP_FRAME_MORE,   /* all input consumed; feed more */
    TMTP_FRAME_HEADER, /* a whole header is ready: tmtp_frame_header(), then tmtp_frame_expect(), then feed on */
    TMTP_FRAME_DATA, /* a piece of the frame's data: tmtp_frame_data(); valid until the input it points into changes */
    TMTP_FRAME_END,  /* the frame is complete (also for frames without data) */
    TMTP_FRAME_BAD,  /* not TMTP: tmtp_frame_error() says why; close the connection */
};

struct tmtp_frame_decoder;

/* header_max: longest header accepted, 8..65535 bytes. Never returns NULL. */
struct tmtp_frame_decoder *tmtp_frame_decoder_new(size_t header_max);
void tmtp_frame_decoder_free(struct tmtp_frame_decoder **dec); /* NULL inside is fine */

/* Consumes from *buf (advances it, shrinks *len) up to the next event. Call until it says MORE: the END of a frame
 * without data comes when no input is left, too. */
enum tmtp_frame_event tmtp_frame_feed(struct tmtp_frame_decoder *dec, const uint8_t **buf, size_t *len);
/* After HEADER: its text without the four digits, NUL-terminated, the decoder's; valid until fed on. */
const char *tmtp_frame_header(const struct tmtp_frame_decoder *dec, size_t *len_out);
void tmtp_frame_expect(struct tmtp_frame_decoder *dec, uint64_t datalen); /* the header said so many data bytes */
/* After DATA: a piece of the caller's own input, at least one byte. */
const uint8_t *tmtp_frame_data(const struct tmtp_frame_decoder *dec, size_t *len_out);
const char *tmtp_frame_error(const struct tmtp_frame_decoder *dec); /* static text; "" while all is well */

/* Appends the four digits and the header. 1 done; -1 the header's length is out of range, or out is full. */
int tmtp_frame_compose(struct strbuf *out, const char *header, size_t header_len) __attribute__((warn_unused_result));
