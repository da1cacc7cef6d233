/* However a stream is cut, the decoder hands out the same bytes, and never more than came in.
 *
 * Input: one byte that says how the stream is cut, then the stream. A frame's data length is taken from its header's last
 * bytes, so that the fuzzer can choose it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "tmtp/tmtp_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out, in a form that two runs can be compared by. */
struct digest {
    uint32_t bytes, frames;
    size_t count;
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static struct digest decode(const uint8_t *data, size_t size, size_t piece)
{
    struct tmtp_frame_decoder *dec = tmtp_frame_decoder_new(4096);
    struct digest digest = { 0 };
    enum tmtp_frame_event event = TMTP_FRAME_MORE;
    for (size_t at = 0; at < size && event != TMTP_FRAME_BAD; at += piece) {
        const uint8_t *input = data + at;
        size_t left = size - at < piece ? size - at : piece;
        while ((event = tmtp_frame_feed(dec, &input, &left)) != TMTP_FRAME_MORE && event != TMTP_FRAME_BAD) {
            size_t len = 0;
            if (event == TMTP_FRAME_HEADER) {
                const char *header = tmtp_frame_header(dec, &len);
                check(len >= TMTP_FRAME_HEADER_MIN && len <= 4096 && header[len] == '\0');
                digest.bytes = crc32c(digest.bytes, header, len);
                tmtp_frame_expect(dec, (uint64_t)(uint8_t)header[len - 2] << 4 | (uint8_t)header[len - 1]);
            } else if (event == TMTP_FRAME_DATA) {
                const uint8_t *bytes = tmtp_frame_data(dec, &len);
                check(len > 0 && bytes >= data && bytes + len <= data + size);
                digest.bytes = crc32c(digest.bytes, bytes, len);
            } else {
                digest.frames++;
            }
            digest.count += len;
        }
        check(event == TMTP_FRAME_BAD || left == 0);
    }
    check(digest.count <= size);
    if (event == TMTP_FRAME_BAD)
        check(tmtp_frame_error(dec)[0] != '\0');
    tmtp_frame_decoder_free(&dec);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct digest whole = decode(data + 1, size - 1, size);
    struct digest cut = decode(data + 1, size - 1, 1 + data[0] % 16);
    check(memcmp(&whole, &cut, sizeof whole) == 0);
    return 0;
}
