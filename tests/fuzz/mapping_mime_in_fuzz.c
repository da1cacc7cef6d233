/* Any mail becomes a thread message that the daemon would accept from a worker. */
#include <stdint.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_wire.h"

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct convert_charsets *charsets; /* opening them takes longer than a run */
    if (!charsets)
        charsets = convert_charsets_new();
    struct convert_in_message message, back;
    struct strbuf content, description;
    const char *error;
    strbuf_init(&content, (size_t)64 << 20);
    strbuf_init(&description, CONVERT_META_MAX);
    struct convert_input input = convert_input_of(data, size);
    static const char *const known[] = { "alice@silo.example.org" };
    const struct convert_in_options options = {
        .is_automatic = size % 2 != 0,
        .body = (enum convert_body_choice)(size / 2 % 3),
        .history = size / 6 % 2 != 0 ? CONVERT_HISTORY_KEEP : CONVERT_HISTORY_FOLD,
        .known = known,
        .known_count = 1,
        .names_others = size / 12 % 4 != 0,
    };
    convert_mime_in(charsets, &input, &options, collect, &content, &message);
    convert_wire_encode_in(&message, &description);
    if (convert_wire_decode_in(description.data, description.len, (int64_t)content.len, &back, &error) != 1)
        abort();
    if (!convert_utf8_is_valid(content.data, (size_t)message.body_size))
        abort();
    convert_in_message_free(&back);
    convert_in_message_free(&message);
    strbuf_free(&description);
    strbuf_free(&content);
    return 0;
}
