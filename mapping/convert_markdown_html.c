/* The HTML part of our mail: few elements, a few inline rules that mail programs keep, nothing that is loaded from anywhere.
 *
 * Neither text nor background has a colour of ours, so that a dark mode may choose them: lines and shades are grey on
 * anything. What needs a rule in old Outlook has an attribute. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_text.h"
#include "mapping/convert_width.h"

enum { SHOWN_MAX = 300 };

struct html_renderer {
    struct strbuf *out;
    const struct convert_markdown_references *references;
    bool has_two_directions; /* blocks find out which way they run */
    unsigned image_depth;    /* images in images: only their text counts */
    struct strbuf alt;
    struct strbuf run; /* text that is not yet written: an address in it may come in several pieces */
    bool in_code;
    bool begins_pre; /* a line end there would be the tag's */
    bool in_link;
    struct strbuf shown; /* how the text of a link begins */
    struct strbuf owner; /* what stands behind a link, if the text does not say it itself */
    size_t row_start;    /* in out */
    bool row_is_empty;
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

/* ---- addresses in the text ---- */

/* Length of the web address at text; 0: there is none. What only ends a sentence, or a bracket around it, is not part of it. */
static size_t url_len(const char *text, size_t len)
{
    size_t start = len > 8 && strncasecmp(text, "https://", 8) == 0  ? 8
                   : len > 7 && strncasecmp(text, "http://", 7) == 0 ? 7
                                                                     : 0;
    size_t end = start, open = 0, closed = 0;
    while (start > 0 && end < len && text[end] > ' ' && !strchr("<>\"\\^`{|}", text[end])) {
        open += text[end] == '(';
        closed += text[end] == ')';
        end++;
    }
    while (end > start && (strchr(".,;:!?'*_~]", text[end - 1]) || (text[end - 1] == ')' && closed > open))) {
        closed -= text[end - 1] == ')';
        end--;
    }
    return end > start ? end : 0;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Writes the text that was collected, with its web addresses as links: not every mail program finds them in HTML. goes_on: the
 * last word does, in another node, and nobody knows where an address in it ends. */
static void write_run(struct html_renderer *html, bool goes_on)
{
    const char *text = html->run.data;
    size_t len = html->run.len, done = 0;
    if (html->owner.len > 0 && strncmp(text, html->owner.data, html->owner.len) != 0)
        add_escaped(html->out, html->owner.data, html->owner.len);
    strbuf_clear(&html->owner);
    for (size_t i = 0; i < len && !html->in_link && !html->in_code; i++) {
        size_t n = (text[i] | 0x20) == 'h' && (i == 0 || !is_word(text[i - 1])) ? url_len(text + i, len - i) : 0;
        if (goes_on && i + n == len)
            break;
        if (n == 0)
            continue;
        add_escaped(html->out, text + done, i - done);
        strbuf_add_str(html->out, "<a href=\"");
        add_escaped(html->out, text + i, n);
        strbuf_add_str(html->out, "\">");
        add_escaped(html->out, text + i, n);
        strbuf_add_str(html->out, "</a>");
        done = i + n;
        i = done - 1;
    }
    add_escaped(html->out, text + done, len - done);
    strbuf_clear(&html->run);
}

/* ---- nodes ---- */

#define SHADE "background:rgba(128,128,128,.15)"

/* The tags of nodes; those that have a direction come without their bracket. */
static const struct tags {
    const char *open, *close;
    bool has_direction;
} tags[MARKDOWN_NODE_COUNT] = {
    [MARKDOWN_QUOTE] = { "<blockquote style=\"margin:0 0 0 .8ex;border-left:2px solid #999;padding-left:1ex\"",
                         "</blockquote>\n", true },
    [MARKDOWN_BULLETS] = { "<ul", "</ul>\n", true },
    [MARKDOWN_NUMBERS] = { "<ol", "</ol>\n", true },
    [MARKDOWN_ITEM] = { "<li", "</li>\n", true },
    [MARKDOWN_RULE] = { "<hr>\n", "", false },
    [MARKDOWN_HEADING] = { NULL, NULL, true },
    [MARKDOWN_CODE_BLOCK] = { "<pre style=\"" SHADE ";padding:1ex;white-space:pre-wrap\">", "</pre>\n", false },
    [MARKDOWN_PARAGRAPH] = { "<p", "</p>\n", true },
    [MARKDOWN_TABLE] = { "<table border=\"1\" cellpadding=\"4\" style=\"border-collapse:collapse\"", "</table>\n",
                         true },
    [MARKDOWN_ROW] = { "<tr>", "</tr>\n", false },
    [MARKDOWN_HEAD_CELL] = { "<th", "</th>", true },
    [MARKDOWN_CELL] = { "<td", "</td>", true },
    [MARKDOWN_EM] = { "<em>", "</em>", false },
    [MARKDOWN_STRONG] = { "<strong>", "</strong>", false },
    [MARKDOWN_STRIKE] = { "<s>", "</s>", false },
    [MARKDOWN_CODE] = { "<code style=\"" SHADE "\">", "</code>", false },
};

/* What comes behind each tag that opens a block. */
static void end_tag(struct html_renderer *html, enum markdown_node node)
{
    bool has_lines =
        node == MARKDOWN_QUOTE || node == MARKDOWN_BULLETS || node == MARKDOWN_NUMBERS || node == MARKDOWN_TABLE;
    strbuf_add_str(html->out, html->has_two_directions ? " dir=\"auto\">" : ">");
    if (has_lines)
        strbuf_add_char(html->out, '\n');
}

static void add_align(struct html_renderer *html, enum markdown_align align)
{
    static const char *const attributes[] = {
        [MARKDOWN_ALIGN_NONE] = "",
        [MARKDOWN_ALIGN_LEFT] = " align=\"left\"",
        [MARKDOWN_ALIGN_CENTER] = " align=\"center\"",
        [MARKDOWN_ALIGN_RIGHT] = " align=\"right\"",
    };
    strbuf_add_str(html->out, attributes[align]);
}

static void open_link(struct html_renderer *html, const char *url)
{
    char *name = NULL;
    strbuf_clear(&html->shown);
    html->in_link = true;
    if (markdown_classify_url(url, &name) == MARKDOWN_TARGET_WEB) {
        strbuf_add_str(html->out, "<a href=\"");
        add_escaped_str(html->out, url);
        strbuf_add_str(html->out, "\">");
    }
    free(name);
}

static void open_tag(struct html_renderer *html, enum markdown_node node, const struct markdown_detail *detail)
{
    if (node == MARKDOWN_HEADING)
        strbuf_add_fmt(html->out, "<h%u", detail->number);
    else
        strbuf_add_str(html->out, tags[node].open);
    if (node == MARKDOWN_NUMBERS && detail->number != 1)
        strbuf_add_fmt(html->out, " start=\"%u\"", detail->number);
    if (node == MARKDOWN_HEAD_CELL || (node == MARKDOWN_CELL && detail->align != MARKDOWN_ALIGN_LEFT))
        add_align(html, detail->align); /* to the left is where other cells are anyway */
    if (tags[node].has_direction)
        end_tag(html, node);
}

static void on_enter(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct html_renderer *html = ctx;
    if (html->image_depth == 0)
        write_run(html, node == MARKDOWN_EM || node == MARKDOWN_STRONG || node == MARKDOWN_STRIKE);
    if (node == MARKDOWN_IMAGE && html->image_depth++ == 0)
        strbuf_clear(&html->alt);
    if (node == MARKDOWN_IMAGE || node == MARKDOWN_LINK)
        html->row_is_empty = false; /* there is something to see, even if neither has a text */
    if (html->image_depth > 0)
        return;
    html->in_code = html->in_code || node == MARKDOWN_CODE || node == MARKDOWN_CODE_BLOCK;
    if (node == MARKDOWN_ROW) {
        html->row_start = html->out->len;
        html->row_is_empty = true;
    }
    if (node == MARKDOWN_LINK)
        open_link(html, detail->url);
    else
        open_tag(html, node, detail);
    html->begins_pre = node == MARKDOWN_CODE_BLOCK;
}

/* Text that is an address itself, of somewhere else, is followed by where the link leads. */
static void close_link(struct html_renderer *html, const char *url)
{
    char *name;
    if (markdown_classify_url(url, &name) == MARKDOWN_TARGET_WEB) {
        if (html->shown.len == 0)
            add_escaped_str(html->out, url);
        strbuf_add_str(html->out, "</a>");
        if (markdown_link_misleads(html->shown.data, url)) {
            strbuf_add_str(&html->owner, " (");
            markdown_add_owner(&html->owner, url);
            strbuf_add_char(&html->owner, ')');
        }
    } else {
        struct strbuf note;
        strbuf_init(&note, CONVERT_RENDERED_MAX);
        markdown_add_file_note(&note, html->references, url, html->shown.data);
        add_escaped(html->out, note.data, note.len);
        strbuf_free(&note);
    }
    free(name);
    html->in_link = false;
}

static void add_picture(struct html_renderer *html, const char *cid)
{
    strbuf_add_str(html->out, "<img src=\"cid:");
    add_escaped_str(html->out, cid);
    strbuf_add_str(html->out, "\" alt=\"");
    add_escaped(html->out, html->alt.data, html->alt.len);
    strbuf_add_str(html->out, "\" style=\"max-width:100%;height:auto\">");
}

static const char *find_cid(const struct html_renderer *html, const char *url)
{
    const struct convert_markdown_references *references = html->references;
    char *name;
    const char *cid = NULL;
    if (markdown_classify_url(url, &name) == MARKDOWN_TARGET_ATTACHED && references && references->find_image)
        cid = references->find_image(name, references->ctx);
    free(name);
    return cid;
}

/* Pictures elsewhere are links: whoever wants to see them goes there. */
static void close_image(struct html_renderer *html, const char *url)
{
    const char *cid = find_cid(html, url);
    if (cid) {
        add_picture(html, cid);
    } else {
        char *name;
        struct strbuf note;
        strbuf_init(&note, CONVERT_RENDERED_MAX);
        bool is_elsewhere = markdown_classify_url(url, &name) == MARKDOWN_TARGET_WEB && !html->in_link;
        markdown_add_image_note(&note, html->references, url, html->alt.data);
        if (is_elsewhere) {
            strbuf_add_str(html->out, "<a href=\"");
            add_escaped_str(html->out, url);
            strbuf_add_str(html->out, "\">");
        }
        add_escaped(html->out, note.data, note.len);
        if (is_elsewhere)
            strbuf_add_str(html->out, "</a>");
        strbuf_free(&note);
        free(name);
    }
    if (html->in_link && html->shown.len == 0)
        strbuf_add_char(&html->shown, ' ');
}

/* A table without a head has an empty one. */
static void close_row(struct html_renderer *html)
{
    if (html->row_is_empty)
        strbuf_truncate(html->out, html->row_start);
    else
        strbuf_add_str(html->out, tags[MARKDOWN_ROW].close);
}

static void on_leave(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct html_renderer *html = ctx;
    if (html->image_depth == 0)
        write_run(html, false);
    if (node == MARKDOWN_CODE || node == MARKDOWN_CODE_BLOCK)
        html->in_code = false;
    if (node == MARKDOWN_IMAGE && --html->image_depth == 0)
        close_image(html, detail->url);
    if (html->image_depth > 0 || node == MARKDOWN_IMAGE)
        return;
    if (node == MARKDOWN_HEADING)
        strbuf_add_fmt(html->out, "</h%u>\n", detail->number);
    else if (node == MARKDOWN_LINK)
        close_link(html, detail->url);
    else if (node == MARKDOWN_ROW)
        close_row(html);
    else
        strbuf_add_str(html->out, tags[node].close);
}

static void on_text(void *ctx, const char *text, size_t len)
{
    struct html_renderer *html = ctx;
    html->row_is_empty = false;
    if (html->begins_pre && len > 0 && *text == '\n')
        strbuf_add_char(html->out, '\n');
    html->begins_pre = html->begins_pre && len == 0;
    if (html->in_link && html->shown.len + len <= SHOWN_MAX)
        strbuf_add(&html->shown, text, len);
    if (html->image_depth > 0)
        strbuf_add(&html->alt, text, len);
    else
        strbuf_add(&html->run, text, len);
}

static void on_break(void *ctx)
{
    struct html_renderer *html = ctx;
    if (html->image_depth > 0) {
        strbuf_add_char(&html->alt, ' ');
    } else {
        write_run(html, false);
        strbuf_add_str(html->out, "<br>\n");
    }
}

static const char document_start[] =
    "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">"
    "<meta name=\"supported-color-schemes\" content=\"light dark\"></head>\n<body "
    "style=\"font-family:Arial,sans-serif\">\n";
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

int convert_markdown_add_html(struct strbuf *out, const char *body, size_t len,
                              const struct convert_markdown_references *references)
{
    struct html_renderer html = {
        .out = out,
        .references = references,
        .has_two_directions = convert_width_is_right_to_left(body, len),
    };
    const struct markdown_events events = { on_enter, on_leave, on_text, on_break, out };
    strbuf_init(&html.alt, CONVERT_RENDERED_MAX);
    strbuf_init(&html.run, CONVERT_RENDERED_MAX);
    strbuf_init(&html.shown, CONVERT_RENDERED_MAX);
    strbuf_init(&html.owner, CONVERT_RENDERED_MAX);
    int result = markdown_parse(body, len, references, &events, &html);
    write_run(&html, false);
    strbuf_free(&html.run);
    strbuf_free(&html.alt);
    strbuf_free(&html.shown);
    strbuf_free(&html.owner);
    return result == 1 && strbuf_ok(out) ? 1 : -1;
}

int convert_markdown_to_html(struct strbuf *out, const char *body, size_t len, convert_markdown_find_image *find_image,
                             void *ctx)
{
    const struct convert_markdown_references references = { .find_image = find_image, .ctx = ctx };
    convert_markdown_begin_html(out);
    int result = convert_markdown_add_html(out, body, len, &references);
    convert_markdown_end_html(out);
    return result == 1 && strbuf_ok(out) ? 1 : -1;
}

void convert_markdown_begin_quote_html(struct strbuf *out)
{
    strbuf_add_str(
        out, "<blockquote type=\"cite\" style=\"margin:0 0 0 .8ex;border-left:2px solid #999;padding-left:1ex\">\n");
}

void convert_markdown_end_quote_html(struct strbuf *out)
{
    strbuf_add_str(out, tags[MARKDOWN_QUOTE].close);
}

void convert_markdown_add_preformatted_html(struct strbuf *out, const char *body, size_t len)
{
    struct strbuf clean;
    strbuf_init(&clean, len * 3 + 1);
    convert_text_clean(&clean, body, len);
    strbuf_add_str(out, "<pre style=\"white-space:pre-wrap\">");
    add_escaped(out, clean.data, clean.len);
    strbuf_add_str(out, tags[MARKDOWN_CODE_BLOCK].close);
    strbuf_free(&clean);
}
