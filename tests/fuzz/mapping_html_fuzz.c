/* HTML as CommonMark: valid text without control characters that the renderer for mail reads again, whose links lead
 * where links may lead and whose pictures are attached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_html.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_utf8.h"

static const char *find_picture(const char *id, void *ctx)
{
    (void)ctx;
    return *id == 'a' ? "u:a.png" : NULL;
}

static const char *add_picture(const char *type, void *data, size_t len, void *ctx)
{
    (void)ctx;
    if (strncmp(type, "image/", 6) != 0 || len == 0)
        abort();
    free(data);
    return len % 2 == 0 ? "u:b.png" : NULL;
}

static void look_at_url(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    static const char *const schemes[] = { "https://", "http://", "ftp://", "mailto:", "tel:" };
    (void)ctx;
    if (node == MARKDOWN_IMAGE && strncmp(detail->url, "this_u:", 7) != 0)
        abort();
    if (node != MARKDOWN_LINK || strchr(detail->url, '@')) /* "<bob@example.com>" comes without its scheme */
        return;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(detail->url, schemes[i], strlen(schemes[i])) == 0)
            return;
    }
    abort();
}

static void ignore_leave(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    (void)ctx;
    (void)node;
    (void)detail;
}

static void ignore_text(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    (void)text;
    (void)len;
}

static void ignore_break(void *ctx)
{
    (void)ctx;
}

static void check(const struct strbuf *out)
{
    if (!convert_utf8_is_valid(out->data, out->len))
        abort();
    for (size_t i = 0; i < out->len; i++) {
        if ((unsigned char)out->data[i] < ' ' && out->data[i] != '\n' && out->data[i] != '\t')
            abort();
    }
    struct strbuf text;
    strbuf_init(&text, (size_t)8 << 20);
    const struct markdown_events events = { look_at_url, ignore_leave, ignore_text, ignore_break, &text };
    (void)!markdown_parse(out->data, out->len, NULL, &events, NULL);
    (void)!convert_markdown_to_text(&text, out->data, out->len);
    strbuf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf html, out, own, older;
    strbuf_init(&html, size * 3 + 1);
    strbuf_init(&out, (size_t)1 << 20);
    strbuf_init(&own, (size_t)2 << 20);
    strbuf_init(&older, (size_t)2 << 20);
    convert_utf8_repair(&html, (const char *)data, size);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    struct convert_history *history = convert_history_new(writer, &out);
    const struct convert_html_pictures pictures = { .find = find_picture, .add = add_picture };
    bool is_whole = convert_html_write(writer, html.data, html.len, &pictures, history);
    commonmark_writer_free(&writer);
    if (!is_whole)
        abort(); /* no input here is so large */
    if (strbuf_ok(&out))
        check(&out);
    convert_history_split(history, true, &own, &older);
    convert_history_free(&history);
    struct convert_html_measure measure;
    strbuf_clear(&out);
    convert_html_measure(html.data, html.len, &out, &measure);
    char charset[64];
    (void)convert_html_declared_charset((const char *)data, size, charset);
    strbuf_free(&html);
    strbuf_free(&out);
    strbuf_free(&own);
    strbuf_free(&older);
    return 0;
}
