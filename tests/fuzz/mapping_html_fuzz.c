/* HTML as CommonMark: valid text that the renderer for mail reads again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_utf8.h"

static const char *find_cid(const char *cid, void *ctx)
{
    (void)ctx;
    return *cid == 'a' ? "u:a.png" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf html, out, text;
    strbuf_init(&html, size * 3 + 1);
    strbuf_init(&out, (size_t)1 << 20);
    strbuf_init(&text, (size_t)8 << 20);
    convert_utf8_repair(&html, (const char *)data, size);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    const struct convert_html_pictures pictures = { .find = find_cid };
    (void)convert_html_write(writer, html.data, html.len, &pictures, NULL);
    commonmark_writer_free(&writer);
    if (!convert_utf8_is_valid(out.data, out.len) || memchr(out.data, '\0', out.len))
        abort();
    (void)!convert_markdown_to_text(&text, out.data, out.len);
    char charset[64];
    (void)convert_html_declared_charset((const char *)data, size, charset);
    strbuf_free(&html);
    strbuf_free(&out);
    strbuf_free(&text);
    return 0;
}
