/* Finding quoted history: nothing of the text gets lost or doubled, wherever the parts are found to begin, and what is
 * moved is the same lines in another order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_attribution.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_text.h"

/* How often each octet occurs, but for what separates blocks and marks quotes. */
static void count_octets(const struct strbuf *text, size_t counts[256])
{
    for (size_t i = 0; i < text->len; i++)
        counts[(unsigned char)text->data[i]]++;
    counts['\n'] = counts['>'] = counts[' '] = 0;
}

static void split(const struct strbuf *text, const struct convert_history_span *spans, size_t count)
{
    struct strbuf out, own, history_out;
    strbuf_init(&out, (size_t)8 << 20);
    strbuf_init(&own, (size_t)16 << 20);
    strbuf_init(&history_out, (size_t)16 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    struct convert_history *history = convert_history_new(writer, &out);
    size_t start = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? spans[i].offset : text->len;
        if (end < start || end > text->len || (end > 0 && end < text->len && text->data[end - 1] != '\n'))
            abort();
        commonmark_add_text(writer, text->data + start, end - start);
        if (i < count)
            convert_history_mark(history, spans[i].part);
        convert_history_look_back(history);
        if (i % 3 == 1 && convert_history_begin_quote(history, i % 2 == 0))
            convert_history_mark(history, CONVERT_HISTORY_OWN);
        start = end;
    }
    commonmark_end_paragraph(writer);
    convert_history_split(history, true, &own, &history_out);
    size_t written[256] = { 0 }, found[256] = { 0 };
    count_octets(&out, written);
    count_octets(&own, found);
    count_octets(&history_out, found);
    if (memcmp(written, found, sizeof written) != 0)
        abort();
    convert_history_free(&history);
    commonmark_writer_free(&writer);
    strbuf_free(&out);
    strbuf_free(&own);
    strbuf_free(&history_out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf text;
    struct convert_history_span *spans;
    strbuf_init(&text, size * 3 + 1);
    convert_text_clean(&text, (const char *)data, size);
    size_t count = convert_history_find(text.data, text.len, &spans);
    split(&text, spans, count);
    (void)convert_attribution_of(text.data, text.len);
    (void)convert_attribution_is_field(text.data, text.len);
    free(spans);
    strbuf_free(&text);
    return 0;
}
