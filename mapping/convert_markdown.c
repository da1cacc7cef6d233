/* The parser's side: md4c's callbacks become our own events. */
#include "mapping/convert_markdown.h"

#include <ctype.h>
#include <md4c.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_html.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_text.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

enum { ABORT = -2, PADDING = 64, URL_MAX = 8192 };

struct parse {
    const struct markdown_events *events;
    void *ctx;
    unsigned depth;
    struct strbuf url; /* of the last link or image entered or left */
};

/* "&name;" or a number; what it means, or itself when it means nothing. */
static void add_entity(struct strbuf *out, const char *text, size_t len)
{
    enum { NAME_MAX_LEN = 50 };
    char name[NAME_MAX_LEN];
    uint32_t code = 0;
    bool is_number = len > 3 && text[1] == '#';
    if (len > 2 && len - 2 < sizeof name) {
        memcpy(name, text + 1, len - 2);
        name[len - 2] = '\0';
        if (is_number) {
            bool hex = (name[1] | 0x20) == 'x';
            code = (uint32_t)strtoul(name + (hex ? 2 : 1), NULL, hex ? 16 : 10);
        } else {
            code = convert_html_entity(name);
        }
    }
    if (is_number && code != '\n' && code != '\t' && convert_utf8_is_control(code))
        code = 0xFFFD; /* what the text itself may not contain may not come in this way either */
    if (code > 0)
        convert_utf8_add(out, code);
    else
        strbuf_add(out, text, len);
}

static void flatten(struct strbuf *out, const MD_ATTRIBUTE *attribute)
{
    strbuf_clear(out);
    for (size_t i = 0; attribute->text && attribute->substr_offsets[i] < attribute->size; i++) {
        const char *text = attribute->text + attribute->substr_offsets[i];
        size_t len = attribute->substr_offsets[i + 1] - attribute->substr_offsets[i];
        if (attribute->substr_types[i] == MD_TEXT_ENTITY)
            add_entity(out, text, len);
        else if (attribute->substr_types[i] == MD_TEXT_NULLCHAR)
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
        else
            strbuf_add(out, text, len);
    }
    if (!strbuf_ok(out))
        strbuf_clear(out); /* too long to be a link */
}

/* Our node for md4c's, MARKDOWN_NODE_COUNT for those that only group others. */
static enum markdown_node block_node(MD_BLOCKTYPE type)
{
    switch (type) {
    case MD_BLOCK_QUOTE:
        return MARKDOWN_QUOTE;
    case MD_BLOCK_UL:
        return MARKDOWN_BULLETS;
    case MD_BLOCK_OL:
        return MARKDOWN_NUMBERS;
    case MD_BLOCK_LI:
        return MARKDOWN_ITEM;
    case MD_BLOCK_HR:
        return MARKDOWN_RULE;
    case MD_BLOCK_H:
        return MARKDOWN_HEADING;
    case MD_BLOCK_CODE:
    case MD_BLOCK_HTML:
        return MARKDOWN_CODE_BLOCK;
    case MD_BLOCK_P:
        return MARKDOWN_PARAGRAPH;
    case MD_BLOCK_TABLE:
        return MARKDOWN_TABLE;
    case MD_BLOCK_TR:
        return MARKDOWN_ROW;
    case MD_BLOCK_TH:
        return MARKDOWN_HEAD_CELL;
    case MD_BLOCK_TD:
        return MARKDOWN_CELL;
    case MD_BLOCK_DOC:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
        break;
    }
    return MARKDOWN_NODE_COUNT;
}

static enum markdown_node span_node(MD_SPANTYPE type)
{
    switch (type) {
    case MD_SPAN_EM:
        return MARKDOWN_EM;
    case MD_SPAN_STRONG:
        return MARKDOWN_STRONG;
    case MD_SPAN_A:
        return MARKDOWN_LINK;
    case MD_SPAN_IMG:
        return MARKDOWN_IMAGE;
    case MD_SPAN_CODE:
        return MARKDOWN_CODE;
    case MD_SPAN_DEL:
        return MARKDOWN_STRIKE;
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
    case MD_SPAN_WIKILINK:
    case MD_SPAN_U:
        break; /* their flags are not set */
    }
    return MARKDOWN_NODE_COUNT;
}

static int status(const struct parse *parse)
{
    return strbuf_ok(parse->events->out) ? 0 : ABORT;
}

static int enter(struct parse *parse, enum markdown_node node, const struct markdown_detail *detail)
{
    if (++parse->depth > CONVERT_MARKDOWN_DEPTH_MAX)
        return ABORT;
    if (node != MARKDOWN_NODE_COUNT)
        parse->events->enter(parse->ctx, node, detail);
    return status(parse);
}

static int leave(struct parse *parse, enum markdown_node node, const struct markdown_detail *detail)
{
    parse->depth--;
    if (node != MARKDOWN_NODE_COUNT)
        parse->events->leave(parse->ctx, node, detail);
    return status(parse);
}

static struct markdown_detail block_detail(MD_BLOCKTYPE type, const void *detail)
{
    struct markdown_detail ours = { .url = "" };
    if (type == MD_BLOCK_H)
        ours.number = ((const MD_BLOCK_H_DETAIL *)detail)->level;
    if (type == MD_BLOCK_UL)
        ours.is_tight = ((const MD_BLOCK_UL_DETAIL *)detail)->is_tight != 0;
    if (type == MD_BLOCK_OL) {
        ours.number = ((const MD_BLOCK_OL_DETAIL *)detail)->start;
        ours.is_tight = ((const MD_BLOCK_OL_DETAIL *)detail)->is_tight != 0;
    }
    return ours;
}

static struct markdown_detail span_detail(struct parse *parse, MD_SPANTYPE type, const void *detail)
{
    strbuf_clear(&parse->url);
    if (type == MD_SPAN_A)
        flatten(&parse->url, &((const MD_SPAN_A_DETAIL *)detail)->href);
    if (type == MD_SPAN_IMG)
        flatten(&parse->url, &((const MD_SPAN_IMG_DETAIL *)detail)->src);
    return (struct markdown_detail){ .url = parse->url.data };
}

static int on_enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct markdown_detail ours = block_detail(type, detail);
    return enter(ctx, block_node(type), &ours);
}

static int on_leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct markdown_detail ours = block_detail(type, detail);
    return leave(ctx, block_node(type), &ours);
}

static int on_enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct markdown_detail ours = span_detail(ctx, type, detail);
    return enter(ctx, span_node(type), &ours);
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct markdown_detail ours = span_detail(ctx, type, detail);
    return leave(ctx, span_node(type), &ours);
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE len, void *ctx)
{
    struct parse *parse = ctx;
    switch (type) {
    case MD_TEXT_BR:
    case MD_TEXT_SOFTBR: /* people's line breaks are kept: mail programs show them */
        parse->events->line_break(parse->ctx);
        break;
    case MD_TEXT_ENTITY: {
        struct strbuf decoded;
        strbuf_init(&decoded, len + 8);
        add_entity(&decoded, text, len);
        parse->events->text(parse->ctx, decoded.data, decoded.len);
        strbuf_free(&decoded);
        break;
    }
    case MD_TEXT_NULLCHAR:
        parse->events->text(parse->ctx, CONVERT_UTF8_REPLACEMENT, strlen(CONVERT_UTF8_REPLACEMENT));
        break;
    case MD_TEXT_NORMAL:
    case MD_TEXT_CODE:
    case MD_TEXT_HTML:
    case MD_TEXT_LATEXMATH:
        parse->events->text(parse->ctx, text, len);
        break;
    }
    return status(parse);
}

int markdown_parse(const char *body, size_t len, const struct markdown_events *events, void *ctx)
{
    static const char padding[PADDING] = { 0 };
    static const MD_PARSER parser = {
        .flags = MD_FLAG_NOHTML | MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH,
        .enter_block = on_enter_block,
        .leave_block = on_leave_block,
        .enter_span = on_enter_span,
        .leave_span = on_leave_span,
        .text = on_text,
    };
    if (len > CONVERT_MARKDOWN_MAX)
        return -1;
    struct parse parse = { .events = events, .ctx = ctx };
    struct strbuf text;
    strbuf_init(&parse.url, URL_MAX);
    strbuf_init(&text, len * strlen(CONVERT_UTF8_REPLACEMENT) + PADDING + 2);
    convert_text_clean(&text, body, len);
    strbuf_add_char(&text, '\n');
    size_t text_len = text.len;
    strbuf_add(&text, padding, sizeof padding); /* the parser reads a little beyond the end */
    int result = md_parse(text.data, (MD_SIZE)text_len, &parser, &parse);
    strbuf_free(&text);
    strbuf_free(&parse.url);
    return result == 0 ? 1 : -1;
}

/* The name behind "this_", percent-decoded; NULL when it is not one with a prefix, or not valid text. */
static char *attachment_name(const char *encoded)
{
    struct strbuf name;
    strbuf_init(&name, URL_MAX);
    for (const char *c = encoded; *c; c++) {
        if (*c == '%' && convert_hex_byte(c + 1) >= 0) {
            strbuf_add_char(&name, (char)convert_hex_byte(c + 1));
            c += 2;
        } else {
            strbuf_add_char(&name, *c);
        }
    }
    bool good = name.len > 2 && strchr("ufr", name.data[0]) && name.data[1] == ':' && strlen(name.data) == name.len &&
                convert_utf8_is_valid(name.data, name.len);
    char *result = good ? xstrdup(name.data) : NULL;
    strbuf_free(&name);
    return result;
}

/* "MSGID_u:NAME": sixteen hex digits and the rest as for this message. */
static size_t message_id_len(const char *url)
{
    enum { ID_DIGITS = 16 };
    size_t n = 0;
    while (n < ID_DIGITS && isxdigit((unsigned char)url[n]))
        n++;
    return n == ID_DIGITS && url[n] == '_' ? n + 1 : 0;
}

enum markdown_target markdown_classify_url(const char *url, char **name_out)
{
    static const char *const schemes[] = { "http://", "https://", "mailto:" };
    static const char own[] = "this_";
    *name_out = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
            return MARKDOWN_TARGET_WEB;
    }
    if (strncmp(url, own, strlen(own)) == 0) {
        *name_out = attachment_name(url + strlen(own));
        return *name_out ? MARKDOWN_TARGET_ATTACHED : MARKDOWN_TARGET_OTHER;
    }
    size_t id = message_id_len(url);
    if (id > 0)
        *name_out = attachment_name(url + id);
    return *name_out ? MARKDOWN_TARGET_EARLIER : MARKDOWN_TARGET_OTHER;
}
