/* From elements, attributes and styles to the look of every node. */
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_html_sheet.h"
#include "mapping/convert_html_style.h"

enum {
    DEFAULT_FONT_SIZE = 160, /* tenths of a pixel, as all */
    READABLE_FONT_SIZE = 11, /* what is smaller is meant to be unseen */
    LARGE_FONT_SIZE = 20000,
    DEFAULT_MARGIN = 160,
    VISIBLE_MARGIN = 60, /* less is no space between paragraphs */
    QUOTE_INDENT = 400   /* Gmail's "indent more": a quote 40 pixels to the right */
};

static const uint32_t inherited = HTML_LOOK_BOLD | HTML_LOOK_ITALIC | HTML_LOOK_STRIKE | HTML_LOOK_CODE |
                                  HTML_LOOK_MONOSPACE | HTML_LOOK_BLANKS | HTML_LOOK_INVISIBLE | HTML_LOOK_GONE;

static bool has_class(const struct html_tree *tree, const struct html_node *node, const char *prefix)
{
    const struct html_attribute *class = html_node_attribute(tree, node, HTML_ATTRIBUTE_CLASS);
    return class && class->len >= strlen(prefix) && strncmp(class->value, prefix, strlen(prefix)) == 0;
}

/* What the element says by itself. */
static void declare_element(const struct html_tree *tree, const struct html_node *node, struct html_style *style)
{
    static const struct {
        unsigned flag;
        uint32_t look;
    } looks[] = { { HTML_IS_BOLD, HTML_LOOK_BOLD },
                  { HTML_IS_ITALIC, HTML_LOOK_ITALIC },
                  { HTML_IS_STRIKE, HTML_LOOK_STRIKE },
                  { HTML_IS_CODE, HTML_LOOK_CODE | HTML_LOOK_MONOSPACE },
                  { HTML_IS_PRE, HTML_LOOK_BLANKS | HTML_LOOK_MONOSPACE } };
    unsigned flags = html_name_flags((enum html_name)node->name);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (flags & looks[i].flag)
            style->on |= looks[i].look;
    }
    if (flags & HTML_HAS_MARGINS) /* Office gives its paragraphs none, in a style sheet that may be lost */
        style->margin_top = style->margin_bottom = has_class(tree, node, "MsoNormal") ? 0 : DEFAULT_MARGIN;
    if (node->name == HTML_A)
        style->color = HTML_COLOR_UNKNOWN;
    if (node->name == HTML_TABLE)
        style->off |= HTML_LOOK_BLANKS;
}

/* The attributes of old. */
static void declare_attributes(const struct html_tree *tree, const struct html_node *node, struct html_style *style)
{
    static const struct {
        enum html_attribute_name name;
        const char *property;
    } attributes[] = { { HTML_ATTRIBUTE_BGCOLOR, "background-color:" },
                       { HTML_ATTRIBUTE_COLOR, "color:" },
                       { HTML_ATTRIBUTE_FACE, "font-family:" } };
    enum { OLD_VALUE_MAX = 200 };
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0] && node->attribute_count > 0; i++) {
        struct strbuf value;
        strbuf_init(&value, OLD_VALUE_MAX);
        strbuf_add_str(&value, attributes[i].property);
        if (html_node_value(tree, node, attributes[i].name, &value) && strbuf_ok(&value))
            html_style_declare(style, value.data, value.len);
        strbuf_free(&value);
    }
    if (html_node_attribute(tree, node, HTML_ATTRIBUTE_BACKGROUND))
        style->background = HTML_COLOR_UNKNOWN;
}

static void read_style(const struct html_sheet *sheet, const struct html_tree *tree, const struct html_node *node,
                       struct html_style *style)
{
    html_style_init(style);
    declare_element(tree, node, style);
    declare_attributes(tree, node, style);
    if (sheet)
        html_sheet_apply(sheet, tree, node, style);
    const struct html_attribute *attribute = html_node_attribute(tree, node, HTML_ATTRIBUTE_STYLE);
    if (!attribute)
        return;
    struct strbuf text;
    strbuf_init(&text, attribute->len * 3 + 1);
    (void)html_node_value(tree, node, HTML_ATTRIBUTE_STYLE, &text);
    html_style_declare(style, text.data, text.len);
    strbuf_free(&text);
}

static bool is_gone(const struct html_tree *tree, const struct html_node *node, const struct html_style *style)
{
    if (html_name_flags((enum html_name)node->name) & HTML_IS_HIDDEN)
        return true;
    if (style->display == HTML_DISPLAY_NONE)
        return true;
    if (html_node_attribute(tree, node, HTML_ATTRIBUTE_HIDDEN) && style->display == HTML_DISPLAY_UNSET)
        return true;
    if (node->name == HTML_INPUT && html_node_value_is(tree, node, HTML_ATTRIBUTE_TYPE, "hidden"))
        return true;
    bool is_empty = style->max_height == 0 || style->height == 0 || style->width == 0;
    return is_empty && style->hides_overflow && !style->has_minimum;
}

static uint32_t block_look(const struct html_node *node, const struct html_style *style)
{
    bool is_block = html_name_flags((enum html_name)node->name) & HTML_IS_BLOCK;
    if (style->display == HTML_DISPLAY_BLOCK && node->name != HTML_IMG &&
        !(html_name_flags(node->name) & HTML_IS_TABLE))
        is_block = true;
    if (style->display == HTML_DISPLAY_INLINE && !(html_name_flags(node->name) & HTML_IS_VOID))
        is_block = false;
    bool is_apart = style->margin_top >= VISIBLE_MARGIN || style->margin_bottom >= VISIBLE_MARGIN;
    return !is_block ? 0 : is_apart ? HTML_LOOK_BLOCK | HTML_LOOK_APART : HTML_LOOK_BLOCK;
}

/* Not a word says it in text what only a colour hides: both must be known. */
static bool is_unreadable(const struct html_node *node)
{
    return node->font_size < READABLE_FONT_SIZE || node->color == HTML_COLOR_TRANSPARENT ||
           (node->color < HTML_COLOR_UNKNOWN && node->color == node->background);
}

static void set_font_size(struct html_node *node, const struct html_node *parent, const struct html_style *style)
{
    uint32_t size = parent->font_size;
    if (style->font_unit == HTML_FONT_ABSOLUTE)
        size = style->font_size;
    else if (style->font_unit == HTML_FONT_RELATIVE)
        size = (uint32_t)((uint64_t)size * style->font_size / 1000);
    node->font_size = (uint16_t)(size < LARGE_FONT_SIZE ? size : LARGE_FONT_SIZE);
}

/* The end of a format that began outside of a block: what that one brought is gone. */
static void end_format(const struct html_tree *tree, struct html_node *node)
{
    const struct html_node *begun = &tree->nodes[node->attributes];
    const struct html_node *outside = &tree->nodes[begun->parent];
    node->look &= ~(begun->look & ~outside->look & inherited);
    if (node->color == begun->color)
        node->color = outside->color;
    if (node->font_size == begun->font_size)
        node->font_size = outside->font_size;
}

static void apply_to_node(const struct html_sheet *sheet, const struct html_tree *tree, struct html_node *node)
{
    const struct html_node *parent = &tree->nodes[node->parent];
    node->look = parent->look & inherited;
    node->font_size = parent->font_size;
    node->color = parent->color;
    node->background = parent->background;
    if (node->name == HTML_TEXT) {
        node->look |= is_unreadable(node) ? HTML_LOOK_UNREADABLE : 0;
        return;
    }
    if (node->ends_format) {
        end_format(tree, node);
        return;
    }
    struct html_style style;
    read_style(sheet, tree, node, &style);
    node->look = (node->look & ~style.off) | style.on | block_look(node, &style);
    if (is_gone(tree, node, &style))
        node->look |= HTML_LOOK_GONE;
    set_font_size(node, parent, &style);
    if (style.color != HTML_COLOR_UNSET)
        node->color = style.color;
    if (style.background != HTML_COLOR_UNSET)
        node->background = style.background;
    if (node->name == HTML_BLOCKQUOTE && style.has_no_border && style.margin_left == QUOTE_INDENT)
        node->look |= HTML_LOOK_INDENT;
}

void html_style_apply(struct html_tree *tree)
{
    struct html_sheet *sheet = html_sheet_new(tree);
    struct html_node *root = &tree->nodes[0];
    root->look = HTML_LOOK_BLOCK;
    root->font_size = DEFAULT_FONT_SIZE;
    root->color = root->background = HTML_COLOR_UNKNOWN;
    for (uint32_t i = 1; i < tree->count; i++)
        apply_to_node(sheet, tree, &tree->nodes[i]);
    html_sheet_free(&sheet);
}
