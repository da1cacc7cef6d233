/* The walk over the tree: what each element does. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_history.h"
#include "mapping/convert_html_content.h"
#include "mapping/convert_html_writer.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_text_shape.h"
#include "mapping/convert_utf8.h"

enum { SCRIPT_MAX = 12 /* octets of a superscript that becomes characters */ };

/* ---- texts and plain elements ---- */

/* A line of nothing but "-----": people draw rules so. */
static bool is_drawn_rule(const struct html_writer *writer, const struct html_node *node, const struct strbuf *text)
{
    enum { RULE_MIN = 5, RULE_MAX = 200 };
    const struct html_tree *tree = writer->tree;
    bool ends_line = node->next == HTML_NONE || tree->nodes[node->next].name == HTML_BR ||
                     (tree->nodes[node->next].look & HTML_LOOK_BLOCK);
    return ends_line && !writer->is_single_line && !writer->line_has_content && node->visible >= RULE_MIN &&
           text->len <= RULE_MAX && (!strpbrk(text->data, "\r\n") || !(node->look & HTML_LOOK_BLANKS)) &&
           convert_text_is_rule(text->data + strspn(text->data, " \t\r\n"), node->visible);
}

static void write_drawn_rule(struct html_writer *writer, const struct html_node *node, const struct strbuf *text)
{
    enum { LIST_RULE_MIN = 40 }; /* list servers draw one of underscores above what they add */
    html_inline_end_paragraph(writer);
    bool is_footer = node->visible >= LIST_RULE_MIN && strchr(text->data, '_') && !(node->marks & HTML_IS_SKIPPED);
    if (is_footer && writer->history && commonmark_is_top_level(writer->out))
        convert_history_mark(writer->history, CONVERT_HISTORY_FOOTER);
    if (!writer->after_rule && !(node->marks & HTML_IS_SKIPPED))
        commonmark_add_rule(writer->out);
    writer->after_rule = true;
}

static void write_text(struct html_writer *writer, const struct html_node *node)
{
    if (!html_content_shows(node))
        return;
    struct strbuf text;
    strbuf_init(&text, (size_t)node->text_len * 3 + 1);
    html_node_text(node, &text);
    if (is_drawn_rule(writer, node, &text))
        write_drawn_rule(writer, node, &text);
    else
        html_inline_text(writer, text.data, text.len, node->look);
    strbuf_free(&text);
}

void html_write_children(struct html_writer *writer, const struct html_node *node)
{
    struct html_office_lists lists = { 0 };
    for (uint32_t i = node->first; i != HTML_NONE; i = writer->tree->nodes[i].next) {
        if (!html_list_write_office_item(writer, &lists, &writer->tree->nodes[i]))
            html_write_node(writer, i);
    }
    html_list_end_office(writer, &lists);
}

/* A node's children as one block. */
static void write_block(struct html_writer *writer, const struct html_node *node)
{
    bool is_apart = (node->look & HTML_LOOK_APART) != 0;
    bool is_stray = node->name == HTML_TD || node->name == HTML_TH || node->name == HTML_TR; /* in no table */
    bool is_block = (node->look & HTML_LOOK_BLOCK) || is_stray;
    if (is_block)
        html_inline_end_line(writer, is_apart);
    html_write_children(writer, node);
    if (is_block)
        html_inline_end_line(writer, is_apart);
}

/* ---- elements ---- */

static void write_break(struct html_writer *writer, const struct html_node *node)
{
    (void)node;
    html_inline_break(writer);
}

static void write_rule(struct html_writer *writer, const struct html_node *node)
{
    if ((node->marks & HTML_IS_SKIPPED) || writer->is_single_line) {
        html_inline_end_line(writer, true);
        return;
    }
    html_inline_end_paragraph(writer);
    if (!writer->after_rule)
        commonmark_add_rule(writer->out);
    writer->after_rule = true;
}

static void write_heading(struct html_writer *writer, const struct html_node *node)
{
    if (writer->is_single_line || (node->content & (HTML_HAS_TABLE | HTML_HAS_LIST | HTML_HAS_QUOTE)) ||
        node->visible == 0) {
        write_block(writer, node);
        return;
    }
    html_inline_end_paragraph(writer);
    uint32_t masked = writer->masked;
    writer->masked |= HTML_LOOK_BOLD;
    writer->heading = (unsigned)(node->name - HTML_H1) + 1;
    writer->is_single_line = true;
    html_write_children(writer, node);
    html_inline_end_paragraph(writer);
    writer->heading = 0;
    writer->is_single_line = false;
    writer->masked = masked;
}

/* "gmail_quote", "protonmail_quote", but not "wp-block-quote" or "blockquote": those are of pages. */
static bool is_of_mail(const struct html_tree *tree, const struct html_node *node)
{
    const struct html_attribute *type = html_node_attribute(tree, node, HTML_ATTRIBUTE_TYPE);
    const struct html_attribute *class = html_node_attribute(tree, node, HTML_ATTRIBUTE_CLASS);
    return (type && type->len == 4 && strncasecmp(type->value, "cite", 4) == 0) ||
           (class && memmem(class->value, class->len, "_quote", strlen("_quote")));
}

static bool begin_quote(struct html_writer *writer, bool is_certain)
{
    html_inline_end_paragraph(writer);
    bool is_history = writer->history && convert_history_begin_quote(writer->history, is_certain);
    commonmark_open_quote(writer->out);
    writer->after_rule = writer->in_signature = false;
    return is_history;
}

static void end_quote(struct html_writer *writer, bool is_history)
{
    html_inline_end_paragraph(writer);
    commonmark_close_container(writer->out);
    writer->after_rule = false;
    if (is_history)
        convert_history_mark(writer->history, CONVERT_HISTORY_OWN);
}

static void write_quote(struct html_writer *writer, const struct html_node *node)
{
    bool is_empty = node->visible == 0 && !(node->content & (HTML_HAS_PICTURE | HTML_HAS_CONTROL));
    if (is_empty || writer->is_single_line || (node->look & HTML_LOOK_INDENT)) {
        write_block(writer, node);
        return;
    }
    bool is_history = begin_quote(writer, is_of_mail(writer->tree, node));
    html_write_children(writer, node);
    end_quote(writer, is_history);
}

static bool has_class(const struct html_tree *tree, const struct html_node *node, const char *word)
{
    const struct html_attribute *class = html_node_attribute(tree, node, HTML_ATTRIBUTE_CLASS);
    return class && memmem(class->value, class->len, word, strlen(word));
}

static const unsigned more_than_text = HTML_HAS_LINK | HTML_HAS_PICTURE | HTML_HAS_TABLE | HTML_HAS_LIST;

/* Preformatted text that is no code, but was written by a person, or has links in it. */
static bool is_prose(const struct html_tree *tree, const struct html_node *node)
{
    return (node->content & more_than_text) || has_class(tree, node, "moz-") ||
           html_node_attribute(tree, node, HTML_ATTRIBUTE_WRAP);
}

/* A plain text mail that some program wrapped. */
static bool is_plain_mail(const struct html_tree *tree, const struct html_node *node)
{
    return node->visible == tree->nodes[0].visible && !(node->content & more_than_text);
}

static void gather_lines(const struct html_tree *tree, const struct html_node *node, struct strbuf *out)
{
    for (uint32_t i = (uint32_t)(node - tree->nodes) + 1; i < node->end; i++) {
        const struct html_node *inner = &tree->nodes[i];
        bool breaks = inner->name == HTML_BR || (inner->look & HTML_LOOK_BLOCK);
        if (breaks && !(inner->look & HTML_LOOK_GONE) && out->len > 0 &&
            (inner->name == HTML_BR || out->data[out->len - 1] != '\n'))
            strbuf_add_char(out, '\n');
        if (inner->name == HTML_TEXT && html_content_shows(inner))
            html_node_text(inner, out);
    }
}

static size_t text_size(const struct html_tree *tree, const struct html_node *node)
{
    size_t size = 1;
    for (uint32_t i = (uint32_t)(node - tree->nodes) + 1; i < node->end; i++)
        size += (size_t)tree->nodes[i].text_len * 3 + 1;
    return size;
}

static void write_preformatted(struct html_writer *writer, const struct html_node *node)
{
    bool is_mail = is_plain_mail(writer->tree, node);
    if (node->visible == 0 || writer->is_single_line || (!is_mail && is_prose(writer->tree, node))) {
        write_block(writer, node);
        return;
    }
    static const struct convert_text_format format = { 0 };
    html_inline_end_paragraph(writer);
    struct strbuf text, clean;
    strbuf_init(&text, text_size(writer->tree, node));
    gather_lines(writer->tree, node, &text);
    strbuf_init(&clean, text.len * 3 + 1);
    convert_text_clean(&clean, text.data, text.len);
    size_t skipped = *clean.data == '\n'; /* as in HTML, the first line end is the tag's */
    if (is_mail)
        convert_text_write(writer->out, clean.data, clean.len, &format, writer->history);
    else
        commonmark_add_code_block(writer->out, clean.data + skipped, clean.len - skipped);
    writer->after_rule = false;
    strbuf_free(&clean);
    strbuf_free(&text);
}

static void write_quotation(struct html_writer *writer, const struct html_node *node)
{
    html_inline_text(writer, "\u201C", strlen("\u201C"), node->look);
    html_write_children(writer, node);
    html_inline_text(writer, "\u201D", strlen("\u201D"), node->look);
}

/* What is read above the text of a ruby. */
static void write_ruby_text(struct html_writer *writer, const struct html_node *node)
{
    if (node->visible == 0)
        return;
    html_inline_text(writer, "(", 1, node->look);
    html_write_children(writer, node);
    html_inline_text(writer, ")", 1, node->look);
}

static void write_nothing(struct html_writer *writer, const struct html_node *node)
{
    (void)writer;
    (void)node;
}

/* ---- small digits ---- */

static const char *find_script(bool is_super, char c)
{
    static const char plain[] = "0123456789+-()n";
    static const char *const above[] = { "\u2070", "\u00B9", "\u00B2", "\u00B3", "\u2074", "\u2075", "\u2076", "\u2077",
                                         "\u2078", "\u2079", "\u207A", "\u207B", "\u207D", "\u207E", "\u207F" };
    static const char *const below[] = { "\u2080", "\u2081", "\u2082", "\u2083", "\u2084", "\u2085", "\u2086", "\u2087",
                                         "\u2088", "\u2089", "\u208A", "\u208B", "\u208D", "\u208E", "\u2099" };
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    return !found ? NULL : is_super ? above[found - plain] : below[found - plain];
}

/* Digits become the characters that look so; other text stays, it is readable without. */
static void write_script(struct html_writer *writer, const struct html_node *node)
{
    struct strbuf text, script;
    strbuf_init(&text, SCRIPT_MAX);
    strbuf_init(&script, SCRIPT_MAX * 3);
    html_content_gather(writer->tree, node, SCRIPT_MAX, &text);
    bool maps = strbuf_ok(&text) && text.len > 0 && !(node->content & (HTML_HAS_LINK | HTML_HAS_PICTURE));
    for (size_t i = 0; maps && i < text.len; i++) {
        const char *character = find_script(node->name == HTML_SUP, text.data[i]);
        maps = character != NULL;
        strbuf_add_str(&script, maps ? character : "");
    }
    if (maps)
        html_inline_text(writer, script.data, script.len, node->look);
    else
        html_write_children(writer, node);
    strbuf_free(&text);
    strbuf_free(&script);
}

/* ---- forms ---- */

static bool type_is(const struct html_writer *writer, const struct html_node *node, const char *type)
{
    const struct html_attribute *attribute = html_node_attribute(writer->tree, node, HTML_ATTRIBUTE_TYPE);
    return attribute && attribute->len == strlen(type) && strncasecmp(attribute->value, type, attribute->len) == 0;
}

/* The value of a field, or a line to write on. */
static void write_value(struct html_writer *writer, const struct html_node *node)
{
    struct strbuf value;
    strbuf_init(&value, CONVERT_HTML_VALUE_MAX);
    bool is_filled = html_node_value(writer->tree, node, HTML_ATTRIBUTE_VALUE, &value) && value.len > 0;
    html_inline_blank(writer);
    if (is_filled)
        html_inline_text(writer, value.data, value.len, node->look);
    else
        html_inline_text(writer, "\u2026", strlen("\u2026"), node->look);
    html_inline_blank(writer);
    strbuf_free(&value);
}

static void write_input(struct html_writer *writer, const struct html_node *node)
{
    bool is_checked = html_node_attribute(writer->tree, node, HTML_ATTRIBUTE_CHECKED) != NULL;
    if (type_is(writer, node, "image")) {
        html_link_write_picture(writer, node);
    } else if (type_is(writer, node, "checkbox") || type_is(writer, node, "radio")) {
        const char *box =
            type_is(writer, node, "radio") ? (is_checked ? "\u25C9" : "\u25CB") : (is_checked ? "\u2611" : "\u2610");
        html_inline_text(writer, box, strlen(box), node->look);
        html_inline_blank(writer);
    } else {
        write_value(writer, node);
    }
}

/* Of a choice what is chosen; else the first. */
static void write_select(struct html_writer *writer, const struct html_node *node)
{
    uint32_t chosen = HTML_NONE;
    for (uint32_t i = (uint32_t)(node - writer->tree->nodes) + 1; i < node->end; i++) {
        const struct html_node *option = &writer->tree->nodes[i];
        bool is_chosen = html_node_attribute(writer->tree, option, HTML_ATTRIBUTE_SELECTED) != NULL;
        if (option->name == HTML_OPTION && (chosen == HTML_NONE || is_chosen))
            chosen = i;
        if (option->name == HTML_OPTION && is_chosen)
            break;
    }
    html_inline_blank(writer);
    if (chosen != HTML_NONE)
        html_write_children(writer, &writer->tree->nodes[chosen]);
    html_inline_blank(writer);
}

/* ---- marks ---- */

static bool is_signature(const struct html_tree *tree, const struct html_node *node)
{
    const struct html_attribute *id = html_node_attribute(tree, node, HTML_ATTRIBUTE_ID);
    static const char *const ids[] = { "Signature", "signature", "ms-outlook-mobile-signature",
                                       "divtagdefaultwrapper_sig" };
    for (size_t i = 0; id && i < sizeof ids / sizeof ids[0]; i++) {
        if (id->len == strlen(ids[i]) && memcmp(id->value, ids[i], id->len) == 0)
            return true;
    }
    return (has_class(tree, node, "gmail_signature") && !has_class(tree, node, "gmail_signature_prefix")) ||
           has_class(tree, node, "moz-signature") || has_class(tree, node, "protonmail_signature_block");
}

static void heed_marks(struct html_writer *writer, const struct html_node *node)
{
    if (writer->is_single_line)
        return;
    bool begins_signature = (node->marks & HTML_BEGINS_SIGNATURE) ||
                            (node->attribute_count > 0 && node->visible > 0 && is_signature(writer->tree, node));
    if (node->marks & HTML_BEGINS_PARAGRAPH)
        html_inline_end_line(writer, true);
    if (begins_signature && writer->history && !writer->in_signature && commonmark_is_top_level(writer->out)) {
        html_inline_end_paragraph(writer);
        convert_history_mark(writer->history, CONVERT_HISTORY_SIGNATURE);
        writer->in_signature = true;
    }
    if ((node->marks & HTML_BEGINS_QUOTE) && writer->quote_end == HTML_NONE && commonmark_is_top_level(writer->out)) {
        (void)begin_quote(writer, true);
        uint32_t container = node->parent;
        while (container != HTML_NONE && !(writer->tree->nodes[container].marks & HTML_HOLDS_QUOTE))
            container = writer->tree->nodes[container].parent;
        writer->quote_end = container;
    }
}

/* ---- the walk ---- */

typedef void write_element(struct html_writer *writer, const struct html_node *node);

static write_element *const writers[HTML_NAME_COUNT] = {
    [HTML_A] = html_link_write,       [HTML_AREA] = html_link_write_area,
    [HTML_BASE] = html_link_set_base, [HTML_BLOCKQUOTE] = write_quote,
    [HTML_BR] = write_break,          [HTML_DIR] = html_list_write,
    [HTML_H1] = write_heading,        [HTML_H2] = write_heading,
    [HTML_H3] = write_heading,        [HTML_H4] = write_heading,
    [HTML_H5] = write_heading,        [HTML_H6] = write_heading,
    [HTML_HR] = write_rule,           [HTML_IMG] = html_link_write_picture,
    [HTML_INPUT] = write_input,       [HTML_LISTING] = write_preformatted,
    [HTML_MENU] = html_list_write,    [HTML_OL] = html_list_write,
    [HTML_PRE] = write_preformatted,  [HTML_Q] = write_quotation,
    [HTML_RP] = write_nothing,        [HTML_RT] = write_ruby_text,
    [HTML_SELECT] = write_select,     [HTML_SUB] = write_script,
    [HTML_SUP] = write_script,        [HTML_TABLE] = html_table_write,
    [HTML_UL] = html_list_write,      [HTML_V_IMAGEDATA] = html_link_write_picture,
    [HTML_XMP] = write_preformatted,
};

/* Behind the end of a format: what is left of the link that began outside is text. */
static void write_end_of_format(struct html_writer *writer, const struct html_node *node)
{
    if (node->name == HTML_A)
        html_inline_close_link(writer);
    html_write_children(writer, node);
}

void html_write_node(struct html_writer *writer, uint32_t number)
{
    const struct html_node *node = &writer->tree->nodes[number];
    if (node->look & HTML_LOOK_GONE)
        return;
    if (node->marks != 0 || node->attribute_count > 0)
        heed_marks(writer, node);
    if (node->name == HTML_TEXT)
        write_text(writer, node);
    else if (node->ends_format)
        write_end_of_format(writer, node);
    else if (writers[node->name])
        writers[node->name](writer, node);
    else
        write_block(writer, node);
    if (writer->quote_end == number && number != HTML_NONE) {
        writer->quote_end = HTML_NONE;
        end_quote(writer, writer->history != NULL);
    }
}
