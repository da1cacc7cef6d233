#include "mapping/convert_html.h"

#include <ctype.h>
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html_filter.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

struct html {
    struct commonmark_writer *writer;
    const struct convert_html_pictures *pictures;
    unsigned depth;          /* of open elements */
    unsigned hidden_depth;   /* depth of the element that hides what is in it; 0: visible */
    unsigned verbatim_depth; /* depth of the pre or code element that we are in; 0: none */
    bool is_block;           /* of that element: pre */
    struct strbuf verbatim;
    unsigned link_depth; /* depth of the link that we are in; 0: none */
    unsigned heading;    /* level; 0: none */
    bool after_space;    /* the last character was white space: more of it adds nothing */
};

typedef const xmlChar **attributes;

static const char *find_attribute(attributes attrs, const char *name)
{
    for (; attrs && attrs[0]; attrs += 2) {
        if (strcasecmp((const char *)attrs[0], name) == 0)
            return attrs[1] ? (const char *)attrs[1] : "";
    }
    return NULL;
}

/* ---- what elements do ---- */

static void end_block(struct html *html)
{
    if (html->heading > 0)
        commonmark_end_heading(html->writer, html->heading);
    else
        commonmark_end_paragraph(html->writer);
    html->after_space = true;
}

static void open_block(struct html *html, attributes attrs)
{
    (void)attrs;
    end_block(html);
}

static void open_heading(struct html *html, unsigned level)
{
    end_block(html);
    html->heading = level;
}

static void close_heading(struct html *html)
{
    end_block(html);
    html->heading = 0;
}

static void open_quote(struct html *html, attributes attrs)
{
    (void)attrs;
    end_block(html);
    commonmark_open_quote(html->writer);
}

static void close_container(struct html *html)
{
    end_block(html);
    commonmark_close_container(html->writer);
}

static void open_bullets(struct html *html, attributes attrs)
{
    (void)attrs;
    end_block(html);
    commonmark_open_list(html->writer, false, 0);
}

static void open_numbers(struct html *html, attributes attrs)
{
    const char *start = find_attribute(attrs, "start");
    unsigned long number = start && isdigit((unsigned char)*start) ? strtoul(start, NULL, 10) : 1;
    end_block(html);
    commonmark_open_list(html->writer, true, number < 1000000 ? (unsigned)number : 1);
}

static void open_item(struct html *html, attributes attrs)
{
    (void)attrs;
    end_block(html);
    commonmark_open_item(html->writer);
}

static void open_strong(struct html *html, attributes attrs)
{
    (void)attrs;
    commonmark_open_emphasis(html->writer, COMMONMARK_STRONG);
}

static void close_strong(struct html *html)
{
    commonmark_close_emphasis(html->writer, COMMONMARK_STRONG);
}

static void open_em(struct html *html, attributes attrs)
{
    (void)attrs;
    commonmark_open_emphasis(html->writer, COMMONMARK_EM);
}

static void close_em(struct html *html)
{
    commonmark_close_emphasis(html->writer, COMMONMARK_EM);
}

static void open_strike(struct html *html, attributes attrs)
{
    (void)attrs;
    commonmark_open_emphasis(html->writer, COMMONMARK_STRIKE);
}

static void close_strike(struct html *html)
{
    commonmark_close_emphasis(html->writer, COMMONMARK_STRIKE);
}

static void add_break(struct html *html, attributes attrs)
{
    (void)attrs;
    if (html->verbatim_depth > 0)
        strbuf_add_char(&html->verbatim, '\n');
    else
        commonmark_add_break(html->writer);
    html->after_space = true;
}

static void add_rule(struct html *html, attributes attrs)
{
    (void)attrs;
    end_block(html);
    commonmark_add_rule(html->writer);
}

static void open_row(struct html *html, attributes attrs)
{
    (void)attrs;
    if (!commonmark_block_is_empty(html->writer))
        add_break(html, NULL);
}

static void open_cell(struct html *html, attributes attrs)
{
    (void)attrs;
    if (!commonmark_line_is_empty(html->writer))
        commonmark_add_text(html->writer, " | ", 3);
    html->after_space = true;
}

static void close_verbatim(struct html *html)
{
    html->verbatim_depth = 0;
    if (html->is_block)
        commonmark_add_code_block(html->writer, html->verbatim.data, html->verbatim.len);
    else
        commonmark_add_code(html->writer, html->verbatim.data, html->verbatim.len);
    strbuf_clear(&html->verbatim);
    html->after_space = html->is_block;
}

static void open_verbatim(struct html *html, bool is_block)
{
    if (html->verbatim_depth > 0)
        return;
    if (is_block)
        end_block(html);
    html->verbatim_depth = html->depth;
    html->is_block = is_block;
}

static void open_pre(struct html *html, attributes attrs)
{
    (void)attrs;
    open_verbatim(html, true);
}

static void open_code(struct html *html, attributes attrs)
{
    (void)attrs;
    open_verbatim(html, false);
}

/* The url without blanks and control characters when its scheme is one that we pass on; else NULL. The caller frees
 * it. */
static char *allowed_url(const char *url)
{
    static const char *const schemes[] = { "https://", "http://", "mailto:" };
    enum { URL_MAX = 8192 };
    struct strbuf clean;
    strbuf_init(&clean, URL_MAX);
    for (const char *c = url; *c; c++) {
        if ((unsigned char)*c > ' ' && *c != 0x7F)
            strbuf_add_char(&clean, *c);
    }
    bool allowed = false;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        allowed = allowed || strncasecmp(clean.data, schemes[i], strlen(schemes[i])) == 0;
    char *result = allowed && strbuf_ok(&clean) ? xstrdup(clean.data) : NULL;
    strbuf_free(&clean);
    return result;
}

static void open_link(struct html *html, attributes attrs)
{
    const char *href = find_attribute(attrs, "href");
    char *url = href && html->link_depth == 0 ? allowed_url(href) : NULL;
    if (url) {
        commonmark_open_link(html->writer, url);
        html->link_depth = html->depth;
    }
    free(url);
}

static void close_link(struct html *html)
{
    if (html->depth != html->link_depth)
        return;
    commonmark_close_link(html->writer);
    html->link_depth = 0;
}

static bool is_tiny(attributes attrs)
{
    enum { TINY = 3 }; /* pixels: a tracker or a spacer */
    const char *width = find_attribute(attrs, "width");
    const char *height = find_attribute(attrs, "height");
    return (width && isdigit((unsigned char)*width) && strtoul(width, NULL, 10) <= TINY) ||
           (height && isdigit((unsigned char)*height) && strtoul(height, NULL, 10) <= TINY);
}

void convert_html_attachment_url(struct strbuf *out, const char *name)
{
    strbuf_add_str(out, "this_");
    for (const char *c = name; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-_.:", *c))
            strbuf_add_char(out, *c);
        else
            strbuf_add_fmt(out, "%%%02X", (unsigned char)*c);
    }
}

static void add_attached_image(struct html *html, const char *cid, const char *alt)
{
    const char *name = html->pictures ? html->pictures->find(cid, html->pictures->ctx) : NULL;
    if (!name) {
        commonmark_add_text(html->writer, alt, strlen(alt));
        return;
    }
    struct strbuf url;
    strbuf_init(&url, strlen(name) * 3 + 8);
    convert_html_attachment_url(&url, name);
    commonmark_add_image(html->writer, *alt ? alt : name + 2, url.data);
    strbuf_free(&url);
}

/* alt="" marks decoration, and no alt is common on pictures that matter. */
static void add_image(struct html *html, attributes attrs)
{
    const char *src = find_attribute(attrs, "src");
    const char *alt = find_attribute(attrs, "alt");
    if (!src || html->verbatim_depth > 0)
        return;
    html->after_space = false;
    if (strncasecmp(src, "cid:", 4) == 0) {
        add_attached_image(html, src + 4, alt ? alt : "");
        return;
    }
    if ((alt && !*alt) || is_tiny(attrs))
        return;
    if (!alt)
        alt = "image";
    char *url = html->link_depth == 0 ? allowed_url(src) : NULL;
    if (url)
        commonmark_open_link(html->writer, url);
    commonmark_add_text(html->writer, alt, strlen(alt));
    if (url)
        commonmark_close_link(html->writer);
    free(url);
}

static const struct element {
    const char *name;
    void (*open)(struct html *html, attributes attrs); /* NULL: nothing */
    void (*close)(struct html *html);                  /* NULL: nothing */
} elements[] = {
    { "a", open_link, close_link },
    { "address", open_block, end_block },
    { "article", open_block, end_block },
    { "aside", open_block, end_block },
    { "b", open_strong, close_strong },
    { "blockquote", open_quote, close_container },
    { "body", open_block, end_block },
    { "br", add_break, NULL },
    { "caption", open_block, end_block },
    { "center", open_block, end_block },
    { "cite", open_em, close_em },
    { "code", open_code, NULL },
    { "dd", open_block, end_block },
    { "del", open_strike, close_strike },
    { "details", open_block, end_block },
    { "div", open_block, end_block },
    { "dl", open_block, end_block },
    { "dt", open_block, end_block },
    { "em", open_em, close_em },
    { "fieldset", open_block, end_block },
    { "figcaption", open_block, end_block },
    { "figure", open_block, end_block },
    { "footer", open_block, end_block },
    { "form", open_block, end_block },
    { "header", open_block, end_block },
    { "hr", add_rule, NULL },
    { "i", open_em, close_em },
    { "img", add_image, NULL },
    { "kbd", open_code, NULL },
    { "legend", open_block, end_block },
    { "li", open_item, close_container },
    { "main", open_block, end_block },
    { "nav", open_block, end_block },
    { "ol", open_numbers, close_container },
    { "p", open_block, end_block },
    { "pre", open_pre, NULL },
    { "s", open_strike, close_strike },
    { "samp", open_code, NULL },
    { "section", open_block, end_block },
    { "strike", open_strike, close_strike },
    { "strong", open_strong, close_strong },
    { "summary", open_block, end_block },
    { "table", open_block, end_block },
    { "td", open_cell, NULL },
    { "th", open_cell, NULL },
    { "tr", open_row, NULL },
    { "tt", open_code, NULL },
    { "ul", open_bullets, close_container },
};

static int compare_element(const void *name, const void *element)
{
    return strcasecmp(name, ((const struct element *)element)->name);
}

static const struct element *find_element(const char *name)
{
    return bsearch(name, elements, sizeof elements / sizeof elements[0], sizeof elements[0], compare_element);
}

/* Level of "h1" to "h6"; 0 for other elements. */
static unsigned heading_level(const char *name)
{
    bool is_heading = (name[0] | 0x20) == 'h' && name[1] >= '1' && name[1] <= '6' && name[2] == '\0';
    return is_heading ? (unsigned)(name[1] - '0') : 0;
}

static bool style_hides(const char *style)
{
    static const char *const hiding[] = { "display:none", "visibility:hidden", "mso-hide:all" };
    struct strbuf plain; /* without blanks */
    strbuf_init(&plain, CONVERT_HTML_TAG_MAX);
    for (const char *c = style; *c; c++) {
        if (!isspace((unsigned char)*c))
            strbuf_add_char(&plain, (char)tolower((unsigned char)*c));
    }
    bool hides = false;
    for (size_t i = 0; i < sizeof hiding / sizeof hiding[0]; i++)
        hides = hides || strstr(plain.data, hiding[i]) != NULL;
    strbuf_free(&plain);
    return hides;
}

static bool is_hidden(const char *name, attributes attrs)
{
    static const char *const unseen[] = { "script", "style",  "title",  "template", "svg",
                                          "object", "iframe", "select", "audio",    "video" };
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++) {
        if (strcasecmp(name, unseen[i]) == 0)
            return true;
    }
    const char *style = find_attribute(attrs, "style");
    return find_attribute(attrs, "hidden") || (style && style_hides(style));
}

/* ---- what the parser reports ---- */

static void on_start(void *ctx, const xmlChar *xml_name, const xmlChar **attrs)
{
    struct html *html = ctx;
    const char *name = (const char *)xml_name;
    html->depth++;
    if (html->hidden_depth > 0 || html->depth > CONVERT_HTML_DEPTH_MAX)
        return;
    if (is_hidden(name, attrs)) {
        html->hidden_depth = html->depth;
        return;
    }
    if (heading_level(name) > 0) {
        open_heading(html, heading_level(name));
        return;
    }
    const struct element *element = find_element(name);
    bool inside = html->verbatim_depth > 0 && element && element->open != add_break;
    if (element && element->open && !inside)
        element->open(html, attrs);
}

static void on_end(void *ctx, const xmlChar *xml_name)
{
    struct html *html = ctx;
    const char *name = (const char *)xml_name;
    if (html->depth == 0)
        return;
    unsigned depth = html->depth;
    const struct element *element = find_element(name);
    if (html->hidden_depth > 0 || depth > CONVERT_HTML_DEPTH_MAX) {
        if (html->hidden_depth == depth)
            html->hidden_depth = 0;
    } else if (html->verbatim_depth == depth) {
        close_verbatim(html);
    } else if (html->verbatim_depth > 0) {
        ; /* markup inside code is text without its marks */
    } else if (heading_level(name) > 0) {
        close_heading(html);
    } else if (element && element->close) {
        element->close(html);
    }
    html->depth--;
}

/* White space in HTML separates words and nothing else. */
static void add_collapsed(struct html *html, const char *text, size_t len)
{
    struct strbuf words;
    strbuf_init(&words, len + 1);
    for (size_t i = 0; i < len; i++) {
        bool space = text[i] != '\0' && strchr(" \t\r\n\f", text[i]);
        if (!space)
            strbuf_add_char(&words, text[i]);
        else if (!html->after_space)
            strbuf_add_char(&words, ' ');
        html->after_space = space;
    }
    if (html->link_depth > 0)
        commonmark_add_text(html->writer, words.data, words.len);
    else
        convert_text_add_linked(html->writer, words.data, words.len);
    strbuf_free(&words);
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    struct html *html = ctx;
    if (html->hidden_depth > 0 || len <= 0)
        return;
    if (html->verbatim_depth > 0)
        strbuf_add(&html->verbatim, text, (size_t)len);
    else
        add_collapsed(html, (const char *)text, (size_t)len);
}

static void parse(struct html *html, const struct strbuf *text)
{
    htmlParserCtxtPtr parser = htmlCreateMemoryParserCtxt(text->data, (int)text->len);
    if (!parser)
        return;
    htmlCtxtUseOptions(parser, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                                   HTML_PARSE_IGNORE_ENC);
    xmlSwitchEncoding(parser, XML_CHAR_ENCODING_UTF8);
    *parser->sax = (xmlSAXHandler){
        .startElement = on_start,
        .endElement = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
    };
    parser->userData = html;
    htmlParseDocument(parser);
    htmlFreeParserCtxt(parser);
}

bool convert_html_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_html_pictures *pictures, struct convert_history *history)
{
    (void)history;
    struct html html = { .writer = writer, .pictures = pictures, .after_space = true };
    struct strbuf filtered;
    strbuf_init(&filtered, len * strlen(CONVERT_UTF8_REPLACEMENT) + 1);
    strbuf_init(&html.verbatim, len * strlen(CONVERT_UTF8_REPLACEMENT) + 1);
    convert_html_filter(&filtered, text, len);
    if (filtered.len > 0)
        parse(&html, &filtered);
    if (html.verbatim_depth > 0)
        close_verbatim(&html);
    end_block(&html);
    strbuf_free(&html.verbatim);
    strbuf_free(&filtered);
    return true;
}

void convert_html_measure(const char *text, size_t len, struct strbuf *plain_out,
                          struct convert_html_measure *measure_out)
{
    *measure_out = (struct convert_html_measure){ 0 };
    struct strbuf commonmark;
    strbuf_init(&commonmark, CONVERT_BODY_MAX);
    struct commonmark_writer *writer = commonmark_writer_new(&commonmark);
    (void)convert_html_write(writer, text, len, NULL, NULL);
    commonmark_writer_free(&writer);
    strbuf_add(plain_out, commonmark.data, commonmark.len);
    strbuf_free(&commonmark);
}

bool convert_html_declared_charset(const char *html, size_t len, char charset_out[static 64])
{
    enum { SNIFFED = 2048, LABEL_MAX = 63 };
    len = len < SNIFFED ? len : SNIFFED;
    for (size_t i = 0; i + 8 < len; i++) {
        if (strncasecmp(html + i, "charset=", 8) != 0)
            continue;
        size_t start = i + 8;
        while (start < len && (html[start] == '"' || html[start] == '\'' || html[start] == ' '))
            start++;
        size_t n = 0;
        while (start + n < len && n < LABEL_MAX &&
               (isalnum((unsigned char)html[start + n]) || strchr("-_.:", html[start + n])))
            n++;
        memcpy(charset_out, html + start, n);
        charset_out[n] = '\0';
        return n > 0;
    }
    return false;
}

uint32_t convert_html_entity(const char *name)
{
    const htmlEntityDesc *entity = htmlEntityLookup((const xmlChar *)name);
    return entity ? entity->value : 0;
}
