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
#include "mapping/convert_markdown_form.h"
#include "mapping/convert_markdown_source.h"
#include "mapping/convert_text.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_width.h"

enum { ABORT = -2, PADDING = 64, URL_MAX = 8192 };

struct parse {
    const struct markdown_events *events;
    void *ctx;
    const struct convert_markdown_references *references;
    struct markdown_source source; /* what the parser reads */
    unsigned depth;
    size_t cells;          /* of all tables */
    size_t addresses_size; /* of all links and images, as they stand there */
    struct strbuf url;     /* of the last link or image entered or left */
    unsigned form_depth;   /* within the reference to a form: what is written there is not shown */
    char *form_name;       /* its */
    struct strbuf pending; /* names of forms, each with its NUL, to be shown at the end of the paragraph */
    struct strbuf seen;    /* of those that were shown: each is once */
    bool ends_with_form;   /* nothing has come since one was named */
    bool in_cell;
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

/* What may not stand in an address (RFC 3986 section 2), would end it where it is shown, or turn it around, is
 * percent-encoded. */
static void encode_url(struct strbuf *out, const struct strbuf *url)
{
    strbuf_clear(out);
    for (size_t i = 0; i < url->len;) {
        uint32_t code = 0;
        size_t n = convert_utf8_char(url->data + i, url->len - i, &code);
        bool is_plain =
            n > 0 && code > ' ' && (code > 127 || !strchr("\"<>\\^`{|}", (int)code)) && !convert_utf8_is_control(code);
        for (size_t end = i + (n > 0 ? n : 1); i < end; i++)
            strbuf_add_fmt(out, is_plain ? "%c" : "%%%02X", (unsigned char)url->data[i]);
    }
    if (!strbuf_ok(out))
        strbuf_clear(out);
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

/* ---- forms ---- */

static bool is_listed(const struct strbuf *names, const char *name)
{
    for (size_t i = 0; i < names->len; i += strlen(names->data + i) + 1) {
        if (strcmp(names->data + i, name) == 0)
            return true;
    }
    return false;
}

static const struct tmtp_form *find_form(const struct parse *parse, const char *name)
{
    const struct convert_markdown_references *references = parse->references;
    return references && references->find_form ? references->find_form(name, references->ctx) : NULL;
}

/* Whether the picture is the reference to a form; then what is in it is passed over. */
static bool enter_form(struct parse *parse, const char *url)
{
    if (parse->form_depth == 0) {
        char *name = NULL;
        bool is_form = markdown_classify_url(url, &name) != MARKDOWN_TARGET_WEB && name && name[0] == 'f';
        if (!is_form) {
            free(name);
            return false;
        }
        parse->form_name = name;
    }
    parse->form_depth++;
    return true;
}

static bool is_given(const struct parse *parse, const char *name)
{
    const struct convert_markdown_references *references = parse->references;
    return references && references->find_file && references->find_file(name, references->ctx);
}

/* It is named in its place; its fields follow where a list can stand. */
static void leave_form(struct parse *parse)
{
    char *target;
    const char *name = parse->form_name;
    struct strbuf line;
    strbuf_init(&line, URL_MAX * 2);
    bool is_attached = markdown_classify_url(parse->url.data, &target) == MARKDOWN_TARGET_ATTACHED;
    const struct tmtp_form *form = is_attached ? find_form(parse, name) : NULL;
    strbuf_add_fmt(&line, "Form \"%s\"%s", name + 2,
                   is_attached && !form && is_given(parse, name) ? ", which can't be shown here" : "");
    markdown_add_file_note(&line, parse->references, parse->url.data, "");
    if (form && !is_listed(&parse->seen, name)) {
        parse->ends_with_form = true;
        strbuf_add(&parse->seen, name, strlen(name) + 1);
        strbuf_add(&parse->pending, name, strlen(name) + 1);
    }
    parse->events->text(parse->ctx, line.data, line.len);
    strbuf_free(&line);
    free(target);
    free(parse->form_name);
    parse->form_name = NULL;
}

static void show_forms(struct parse *parse)
{
    for (size_t i = 0; i < parse->pending.len; i += strlen(parse->pending.data + i) + 1) {
        const struct tmtp_form *form = find_form(parse, parse->pending.data + i);
        if (form)
            markdown_form_show_blank(parse->events, parse->ctx, form);
    }
    strbuf_clear(&parse->pending);
}

/* ---- nodes ---- */

static bool begins_block(enum markdown_node node)
{
    return node == MARKDOWN_QUOTE || node == MARKDOWN_BULLETS || node == MARKDOWN_NUMBERS || node == MARKDOWN_RULE ||
           node == MARKDOWN_HEADING || node == MARKDOWN_CODE_BLOCK || node == MARKDOWN_PARAGRAPH ||
           node == MARKDOWN_TABLE;
}

static int enter(struct parse *parse, enum markdown_node node, const struct markdown_detail *detail)
{
    if (++parse->depth > CONVERT_MARKDOWN_DEPTH_MAX)
        return ABORT;
    /* The parser fills up each row to the width of the first: thousands of columns and rows are a few octets each. */
    if (node == MARKDOWN_CELL && ++parse->cells > CONVERT_TABLE_CELLS_MAX)
        return ABORT;
    parse->ends_with_form = false;
    if (begins_block(node))
        show_forms(parse);
    parse->in_cell = parse->in_cell || node == MARKDOWN_TABLE;
    if (node == MARKDOWN_IMAGE && enter_form(parse, detail->url))
        return status(parse);
    if (node != MARKDOWN_NODE_COUNT && parse->form_depth == 0)
        parse->events->enter(parse->ctx, node, detail);
    return status(parse);
}

static int leave(struct parse *parse, enum markdown_node node, const struct markdown_detail *detail)
{
    parse->depth--;
    if (node == MARKDOWN_IMAGE && parse->form_depth > 0) {
        if (--parse->form_depth == 0)
            leave_form(parse);
        return status(parse);
    }
    bool may_end = node == MARKDOWN_PARAGRAPH || node == MARKDOWN_ITEM;
    if (parse->ends_with_form && may_end)
        parse->events->text(parse->ctx, ":", 1);
    parse->ends_with_form = parse->ends_with_form && !may_end;
    if (node == MARKDOWN_TABLE)
        parse->in_cell = false;
    if (node == MARKDOWN_ITEM)
        show_forms(parse);
    if (node != MARKDOWN_NODE_COUNT && parse->form_depth == 0)
        parse->events->leave(parse->ctx, node, detail);
    if (node == MARKDOWN_PARAGRAPH || node == MARKDOWN_HEADING || node == MARKDOWN_TABLE)
        show_forms(parse);
    return status(parse);
}

static enum markdown_align cell_align(MD_ALIGN align)
{
    switch (align) {
    case MD_ALIGN_LEFT:
        return MARKDOWN_ALIGN_LEFT;
    case MD_ALIGN_CENTER:
        return MARKDOWN_ALIGN_CENTER;
    case MD_ALIGN_RIGHT:
        return MARKDOWN_ALIGN_RIGHT;
    case MD_ALIGN_DEFAULT:
        break;
    }
    return MARKDOWN_ALIGN_NONE;
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
    if (type == MD_BLOCK_TH || type == MD_BLOCK_TD)
        ours.align = cell_align(((const MD_BLOCK_TD_DETAIL *)detail)->align);
    return ours;
}

static struct markdown_detail span_detail(struct parse *parse, MD_SPANTYPE type, const void *detail)
{
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    if (type == MD_SPAN_A)
        flatten(&url, &((const MD_SPAN_A_DETAIL *)detail)->href);
    if (type == MD_SPAN_IMG)
        flatten(&url, &((const MD_SPAN_IMG_DETAIL *)detail)->src);
    encode_url(&parse->url, &url);
    strbuf_free(&url);
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

/* What the parser has looked through for one link: the same definition again for each that refers to it. */
static size_t address_size(MD_SPANTYPE type, const void *detail)
{
    if (type == MD_SPAN_A)
        return ((const MD_SPAN_A_DETAIL *)detail)->href.size + ((const MD_SPAN_A_DETAIL *)detail)->title.size;
    if (type == MD_SPAN_IMG)
        return ((const MD_SPAN_IMG_DETAIL *)detail)->src.size + ((const MD_SPAN_IMG_DETAIL *)detail)->title.size;
    return 0;
}

static int on_enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct parse *parse = ctx;
    parse->addresses_size += address_size(type, detail);
    if (parse->addresses_size > CONVERT_ADDRESSES_SIZE_MAX)
        return ABORT;
    struct markdown_detail ours = span_detail(ctx, type, detail);
    return enter(ctx, span_node(type), &ours);
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct markdown_detail ours = span_detail(ctx, type, detail);
    return leave(ctx, span_node(type), &ours);
}

/* What is no slide, and no table, is what somebody wrote. */
static void add_source_text(struct parse *parse, const char *text, size_t len)
{
    const struct markdown_change *change;
    for (size_t at; (change = markdown_source_find_change(&parse->source, text, len, &at));) {
        if (at > 0)
            parse->events->text(parse->ctx, text, at);
        parse->events->text(parse->ctx, change->original, strlen(change->original));
        text += at + change->len;
        len -= at + change->len;
    }
    if (len > 0)
        parse->events->text(parse->ctx, text, len);
}

/* In a table's code a bar has its backslash for the table's sake only. */
static void add_cell_code(struct parse *parse, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        const char *escaped = memmem(text + i, len - i, "\\|", 2);
        size_t end = escaped ? (size_t)(escaped - text) : len;
        add_source_text(parse, text + i, end - i);
        if (escaped)
            parse->events->text(parse->ctx, "|", 1);
        i = end + (escaped ? 2 : 0);
    }
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE len, void *ctx)
{
    struct parse *parse = ctx;
    if (parse->form_depth > 0)
        return status(parse);
    parse->ends_with_form = false;
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
    case MD_TEXT_CODE:
        if (parse->in_cell)
            add_cell_code(parse, text, len);
        else
            add_source_text(parse, text, len);
        break;
    case MD_TEXT_NORMAL:
    case MD_TEXT_HTML:
    case MD_TEXT_LATEXMATH:
        add_source_text(parse, text, len);
        break;
    }
    return status(parse);
}

static void show_filled(const struct parse *parse)
{
    const struct convert_markdown_references *references = parse->references;
    for (size_t i = 0; references && i < references->filled_count; i++)
        markdown_form_show_filled(parse->events, parse->ctx, &references->filled[i]);
}

int markdown_parse(const char *body, size_t len, const struct convert_markdown_references *references,
                   const struct markdown_events *events, void *ctx)
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
    struct parse parse = { .events = events, .ctx = ctx, .references = references };
    strbuf_init(&parse.url, URL_MAX);
    strbuf_init(&parse.pending, CONVERT_MARKDOWN_MAX);
    strbuf_init(&parse.seen, CONVERT_MARKDOWN_MAX);
    markdown_source_read(&parse.source, body, len);
    size_t text_len = parse.source.text.len;
    strbuf_add(&parse.source.text, padding, sizeof padding); /* the parser reads a little beyond the end */
    int result = md_parse(parse.source.text.data, (MD_SIZE)text_len, &parser, &parse);
    if (result == 0)
        show_filled(&parse);
    free(parse.form_name);
    strbuf_free(&parse.pending);
    strbuf_free(&parse.seen);
    markdown_source_free(&parse.source);
    strbuf_free(&parse.url);
    return result == 0 && strbuf_ok(events->out) ? 1 : -1;
}

/* What the text itself may not contain may not come in encoded, as a name that is shown. */
static bool has_control(const struct strbuf *name)
{
    bool found = false;
    for (size_t i = 0; i < name->len && !found;) {
        uint32_t code;
        size_t n = convert_utf8_char(name->data + i, name->len - i, &code);
        found = n == 0 || convert_utf8_is_control(code);
        i += n;
    }
    return found;
}

/* The name behind "this_", percent-decoded; NULL when it is not one with a prefix, or not one line of valid text. */
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
    bool good = name.len > 2 && strchr("ufr", name.data[0]) && name.data[1] == ':' && !has_control(&name);
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

/* ---- what stands for what a mail can't have ---- */

/* Under which name it is attached to this mail; NULL: not at all. Who has no references believes what is written. */
static const char *file_in_mail(const struct convert_markdown_references *references, const char *name)
{
    if (!references || !references->find_file)
        return name + 2;
    return references->find_file(name, references->ctx);
}

void markdown_add_file_note(struct strbuf *out, const struct convert_markdown_references *references, const char *url,
                            const char *shown)
{
    char *name;
    enum markdown_target target = markdown_classify_url(url, &name);
    const char *file = target == MARKDOWN_TARGET_ATTACHED ? file_in_mail(references, name) : NULL;
    const char *words = target == MARKDOWN_TARGET_EARLIER ? "attached to an earlier message"
                        : file                            ? "attached"
                                                          : "not attached";
    if (!file && name)
        file = name + 2;
    if (name && strcmp(shown, file) == 0)
        strbuf_add_fmt(out, " (%s)", words);
    else if (name)
        strbuf_add_fmt(out, " (%s: %s)", words, file);
    free(name);
}

void markdown_add_image_note(struct strbuf *out, const struct convert_markdown_references *references, const char *url,
                             const char *alt)
{
    char *name;
    enum markdown_target target = markdown_classify_url(url, &name);
    const char *file = target == MARKDOWN_TARGET_ATTACHED ? file_in_mail(references, name) : NULL;
    if (!file && name)
        file = name + 2;
    bool is_named = file && strcmp(file, alt) != 0;
    strbuf_add_str(out, "[image");
    if (*alt)
        strbuf_add_fmt(out, ": %s", alt);
    if (is_named)
        strbuf_add_fmt(out, *alt ? " (%s)" : ": %s", file);
    if (target == MARKDOWN_TARGET_EARLIER)
        strbuf_add_str(out, ", attached to an earlier message");
    strbuf_add_char(out, ']');
    free(name);
}

/* Offset and length of what markdown_add_owner() adds. */
static size_t find_owner(const char *url, size_t *len_out)
{
    bool is_mail = strncasecmp(url, "mailto:", 7) == 0;
    const char *at = strstr(url, "://");
    size_t start = is_mail ? strlen("mailto:") : at ? (size_t)(at - url) + 3 : 0;
    size_t len = strcspn(url + start, is_mail ? "?" : "/?#");
    const char *user = is_mail ? NULL : memrchr(url + start, '@', len);
    if (user) { /* "https://bank.example@evil.example/" */
        len -= (size_t)(user + 1 - (url + start));
        start = (size_t)(user + 1 - url);
    }
    if (!is_mail && len > 4 && strncasecmp(url + start, "www.", 4) == 0) {
        start += 4;
        len -= 4;
    }
    *len_out = len;
    return start;
}

void markdown_add_owner(struct strbuf *out, const char *url)
{
    size_t len, start = find_owner(url, &len);
    strbuf_add(out, url + start, len);
}

/* Where the text begins for those who see it: behind blanks, and what takes no room. */
static const char *skip_unseen(const char *text)
{
    uint32_t code;
    for (size_t n; (n = convert_utf8_char(text, strlen(text), &code)) > 0; text += n) {
        if (code > ' ' && code != 0xA0 && code != 0xAD && convert_width_of(code) > 0)
            break;
    }
    return text;
}

bool markdown_link_misleads(const char *shown, const char *url)
{
    shown = skip_unseen(shown);
    bool is_web = strncasecmp(shown, "http://", 7) == 0 || strncasecmp(shown, "https://", 8) == 0 ||
                  strncasecmp(shown, "www.", 4) == 0;
    bool is_address = !is_web && strchr(shown, '@') && !strpbrk(shown, " \n");
    size_t shown_len, len, start = find_owner(url, &len);
    size_t shown_start = find_owner(shown, &shown_len);
    if (is_address) {
        shown_start = 0;
        shown_len = strlen(shown);
    }
    shown_len = shown_len < strcspn(shown + shown_start, " \n") ? shown_len : strcspn(shown + shown_start, " \n");
    return (is_web || is_address) && (shown_len != len || strncasecmp(shown + shown_start, url + start, len) != 0);
}
