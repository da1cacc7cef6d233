/* convert_quotes.c - see convert_quotes.h */
#include "mapping/convert_quotes.h"

#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"

/* One quote mark before each line, in format=flowed: a blank in front of a line is stuffing, which is there once. */
static void add_quoted(struct strbuf *out, const struct strbuf *text)
{
    for (size_t at = 0; at < text->len;) {
        const char *line = text->data + at;
        const char *end = memchr(line, '\n', text->len - at);
        size_t len = end ? (size_t)(end - line) : text->len - at;
        strbuf_add_str(out, len > 0 && *line != '>' && *line != ' ' ? "> " : ">");
        strbuf_add(out, line, len);
        strbuf_add_char(out, '\n');
        at += len + (end != NULL);
    }
}

static void add_text(struct strbuf *out, const char *content, const struct convert_out_quote *quote, bool plain,
                     size_t *unrendered)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_RENDERED_MAX > quote->size * 4 ? CONVERT_RENDERED_MAX : quote->size * 4);
    if (plain || convert_markdown_add_flowed(&text, content + quote->offset, quote->size, NULL) != 1) {
        strbuf_free(&text);
        strbuf_init(&text, quote->size * 4 + 16);
        convert_markdown_add_preformatted_flowed(&text, content + quote->offset, quote->size);
        ++*unrendered;
    }
    add_quoted(out, &text);
    strbuf_free(&text);
}

void convert_quotes_add_text(struct strbuf *out, const char *content, const struct convert_out_quote *quote, bool plain,
                             size_t *unrendered)
{
    if (out->len > 0)
        strbuf_add_char(out, '\n');
    convert_markdown_add_flowed_line(out, quote->intro);
    if (quote->size > 0) {
        strbuf_add_char(out, '\n');
        add_text(out, content, quote, plain, unrendered);
    }
    if (quote->outro[0]) {
        strbuf_add_char(out, '\n');
        convert_markdown_add_flowed_line(out, quote->outro);
    }
}

void convert_quotes_to_text(struct strbuf *out, const char *content, const struct convert_out_quote *quotes,
                            size_t count, bool plain, size_t *unrendered)
{
    for (size_t i = 0; i < count; i++)
        convert_quotes_add_text(out, content, &quotes[i], plain, unrendered);
}

static void add_line(struct strbuf *out, const char *line)
{
    strbuf_add_str(out, "<p>");
    convert_markdown_escape_html(out, line);
    strbuf_add_str(out, "</p>\n");
}

static void add_html(struct strbuf *out, const char *content, const struct convert_out_quote *quote, bool plain,
                     size_t *unrendered)
{
    struct strbuf html;
    strbuf_init(&html, CONVERT_RENDERED_MAX);
    convert_markdown_begin_quote_html(out);
    if (!plain && convert_markdown_add_html(&html, content + quote->offset, quote->size, NULL) == 1) {
        strbuf_add(out, html.data, html.len);
    } else {
        convert_markdown_add_preformatted_html(out, content + quote->offset, quote->size);
        ++*unrendered;
    }
    convert_markdown_end_quote_html(out);
    strbuf_free(&html);
}

void convert_quotes_add_html(struct strbuf *out, const char *content, const struct convert_out_quote *quote, bool plain,
                             size_t *unrendered)
{
    add_line(out, quote->intro);
    if (quote->size > 0)
        add_html(out, content, quote, plain, unrendered);
    if (quote->outro[0])
        add_line(out, quote->outro);
}

void convert_quotes_to_html(struct strbuf *out, const char *content, const struct convert_out_quote *quotes,
                            size_t count, bool plain, size_t *unrendered)
{
    convert_markdown_begin_html(out);
    for (size_t i = 0; i < count; i++)
        convert_quotes_add_html(out, content, &quotes[i], plain, unrendered);
    convert_markdown_end_html(out);
}
