/* The HTML part of our mail: few elements, no style, nothing that is loaded from anywhere. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_text.h"

struct html_renderer {
    struct strbuf *out;
    convert_markdown_find_image *find_image;
    void *ctx;
    unsigned image_depth; /* images in images: only their text counts */
    struct strbuf alt;
};

static void add_escaped(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            strbuf_add_str(out, "&amp;");
            break;
        case '<':
            strbuf_add_str(out, "&lt;");
            break;
        case '>':
            strbuf_add_str(out, "&gt;");
            break;
        case '"':
            strbuf_add_str(out, "&quot;");
            break;
        default:
            strbuf_add_char(out, text[i]);
        }
    }
}

static void add_escaped_str(struct strbuf *out, const char *text)
{
    add_escaped(out, text, strlen(text));
}

/* The tags of nodes that need nothing else. */
static const struct tags {
    const char *open, *close;
} tags[MARKDOWN_NODE_COUNT] = {
    [MARKDOWN_QUOTE] = { "<blockquote>\n", "</blockquote>\n" },
    [MARKDOWN_BULLETS] = { "<ul>\n", "</ul>\n" },
    [MARKDOWN_NUMBERS] = { NULL, "</ol>\n" },
    [MARKDOWN_ITEM] = { "<li>", "</li>\n" },
    [MARKDOWN_RULE] = { "<hr>\n", "" },
    [MARKDOWN_CODE_BLOCK] = { "<pre>", "</pre>\n" },
    [MARKDOWN_PARAGRAPH] = { "<p>", "</p>\n" },
    [MARKDOWN_TABLE] = { "<table border=\"1\">\n", "</table>\n" },
    [MARKDOWN_ROW] = { "<tr>", "</tr>\n" },
    [MARKDOWN_HEAD_CELL] = { "<th>", "</th>" },
    [MARKDOWN_CELL] = { "<td>", "</td>" },
    [MARKDOWN_EM] = { "<em>", "</em>" },
    [MARKDOWN_STRONG] = { "<strong>", "</strong>" },
    [MARKDOWN_STRIKE] = { "<del>", "</del>" },
    [MARKDOWN_CODE] = { "<code>", "</code>" },
};

static void open_link(struct html_renderer *html, const char *url)
{
    strbuf_add_str(html->out, "<a href=\"");
    add_escaped_str(html->out, url);
    strbuf_add_str(html->out, "\">");
}

static void on_enter(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct html_renderer *html = ctx;
    if (node == MARKDOWN_IMAGE && html->image_depth++ == 0)
        strbuf_clear(&html->alt);
    if (html->image_depth > 0)
        return;
    char *name = NULL;
    if (node == MARKDOWN_HEADING)
        strbuf_add_fmt(html->out, "<h%u>", detail->number);
    else if (node == MARKDOWN_NUMBERS && detail->number != 1)
        strbuf_add_fmt(html->out, "<ol start=\"%u\">\n", detail->number);
    else if (node == MARKDOWN_NUMBERS)
        strbuf_add_str(html->out, "<ol>\n");
    else if (node == MARKDOWN_LINK && markdown_classify_url(detail->url, &name) == MARKDOWN_TARGET_WEB)
        open_link(html, detail->url);
    else if (tags[node].open)
        strbuf_add_str(html->out, tags[node].open);
    free(name);
}

static void close_link(struct html_renderer *html, const char *url)
{
    char *name;
    enum markdown_target target = markdown_classify_url(url, &name);
    if (target == MARKDOWN_TARGET_WEB)
        strbuf_add_str(html->out, "</a>");
    if (name) {
        strbuf_add_str(html->out,
                       target == MARKDOWN_TARGET_ATTACHED ? " (attached: " : " (attached to an earlier message: ");
        add_escaped_str(html->out, name + 2);
        strbuf_add_char(html->out, ')');
    }
    free(name);
}

static void add_picture(struct html_renderer *html, const char *cid)
{
    strbuf_add_str(html->out, "<img src=\"cid:");
    add_escaped_str(html->out, cid);
    strbuf_add_str(html->out, "\" alt=\"");
    add_escaped(html->out, html->alt.data, html->alt.len);
    strbuf_add_str(html->out, "\">");
}

static void close_image(struct html_renderer *html, const char *url)
{
    char *name;
    enum markdown_target target = markdown_classify_url(url, &name);
    const char *cid = target == MARKDOWN_TARGET_ATTACHED && html->find_image ? html->find_image(name, html->ctx) : NULL;
    if (cid) {
        add_picture(html, cid);
    } else {
        strbuf_add_char(html->out, '[');
        add_escaped(html->out, html->alt.data, html->alt.len);
        if (name && html->alt.len > 0)
            strbuf_add_str(html->out, ": ");
        if (name)
            add_escaped_str(html->out, name + 2);
        strbuf_add_char(html->out, ']');
    }
    free(name);
}

static void on_leave(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct html_renderer *html = ctx;
    if (node == MARKDOWN_IMAGE && --html->image_depth == 0)
        close_image(html, detail->url);
    if (html->image_depth > 0)
        return;
    if (node == MARKDOWN_HEADING)
        strbuf_add_fmt(html->out, "</h%u>\n", detail->number);
    else if (node == MARKDOWN_LINK)
        close_link(html, detail->url);
    else if (tags[node].close)
        strbuf_add_str(html->out, tags[node].close);
}

static void on_text(void *ctx, const char *text, size_t len)
{
    struct html_renderer *html = ctx;
    if (html->image_depth > 0)
        strbuf_add(&html->alt, text, len);
    else
        add_escaped(html->out, text, len);
}

static void on_break(void *ctx)
{
    struct html_renderer *html = ctx;
    if (html->image_depth > 0)
        strbuf_add_char(&html->alt, ' ');
    else
        strbuf_add_str(html->out, "<br>\n");
}

static const char document_start[] = "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"></head>\n<body>\n";
static const char document_end[] = "</body>\n</html>\n";

void convert_markdown_begin_html(struct strbuf *out)
{
    strbuf_add_str(out, document_start);
}

void convert_markdown_end_html(struct strbuf *out)
{
    strbuf_add_str(out, document_end);
}

void convert_markdown_escape_html(struct strbuf *out, const char *text)
{
    add_escaped_str(out, text);
}

int convert_markdown_add_html(struct strbuf *out, const char *body, size_t len, convert_markdown_find_image *find_image,
                              void *ctx)
{
    struct html_renderer html = { .out = out, .find_image = find_image, .ctx = ctx };
    const struct markdown_events events = { on_enter, on_leave, on_text, on_break, out };
    strbuf_init(&html.alt, CONVERT_RENDERED_MAX);
    int result = markdown_parse(body, len, &events, &html);
    strbuf_free(&html.alt);
    return result == 1 && strbuf_ok(out) ? 1 : -1;
}

int convert_markdown_to_html(struct strbuf *out, const char *body, size_t len, convert_markdown_find_image *find_image,
                             void *ctx)
{
    convert_markdown_begin_html(out);
    int result = convert_markdown_add_html(out, body, len, find_image, ctx);
    convert_markdown_end_html(out);
    return result == 1 && strbuf_ok(out) ? 1 : -1;
}

void convert_markdown_add_preformatted_html(struct strbuf *out, const char *body, size_t len)
{
    struct strbuf clean;
    strbuf_init(&clean, len * 3 + 1);
    convert_text_clean(&clean, body, len);
    strbuf_add_str(out, "<pre>");
    add_escaped(out, clean.data, clean.len);
    strbuf_add_str(out, "</pre>\n");
    strbuf_free(&clean);
}

void convert_markdown_to_preformatted_html(struct strbuf *out, const char *body, size_t len)
{
    convert_markdown_begin_html(out);
    convert_markdown_add_preformatted_html(out, body, len);
    convert_markdown_end_html(out);
}
