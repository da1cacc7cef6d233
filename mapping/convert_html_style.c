#include "mapping/convert_html_style.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum { VALUE_MAX = 200, PROPERTY_MAX = 24, LENGTH_MAX = 1000000 };

void html_style_init(struct html_style *style)
{
    *style = (struct html_style){ .color = HTML_COLOR_UNSET,
                                  .background = HTML_COLOR_UNSET,
                                  .margin_top = -1,
                                  .margin_bottom = -1,
                                  .margin_left = -1,
                                  .width = -1,
                                  .height = -1,
                                  .max_height = -1 };
}

/* ---- values: lower case, without blanks at their ends ---- */

/* Tenths of a pixel; -1 for what is no length, or depends on something else. */
static int read_length(const char *value)
{
    static const struct {
        const char *unit;
        double tenths;
    } units[] = { { "px", 10 },  { "pt", 13.333 }, { "em", 160 }, { "rem", 160 }, { "in", 960 },
                  { "cm", 378 }, { "mm", 37.8 },   { "pc", 160 }, { "ex", 80 } };
    char *unit;
    bool is_number = isdigit((unsigned char)*value) || (*value == '.' && isdigit((unsigned char)value[1]));
    if (!is_number)
        return -1;
    double number = strtod(value, &unit);
    if (number > LENGTH_MAX)
        return LENGTH_MAX;
    if (number == 0)
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].unit);
        if (strncmp(unit, units[i].unit, n) == 0 && !isalpha((unsigned char)unit[n]))
            return (int)(number * units[i].tenths);
    }
    return *unit == '\0' ? (int)(number * 10) : -1;
}

static uint32_t read_hex_color(const char *digits)
{
    size_t n = strspn(digits, "0123456789abcdef");
    unsigned long value = strtoul(digits, NULL, 16);
    if (n == 6)
        return (uint32_t)value;
    if (n == 3)
        return (uint32_t)((value >> 8) * 0x110000 + (value >> 4 & 15) * 0x1100 + (value & 15) * 0x11);
    return HTML_COLOR_UNKNOWN;
}

/* "rgb(1, 2, 3)"; with an alpha of 0 nothing is seen, with another one nobody knows what. */
static uint32_t read_rgb_color(const char *value)
{
    uint32_t color = 0;
    const char *c = strchr(value, '(') + 1;
    for (int i = 0; i < 3; i++) {
        char *end;
        unsigned long part = strtoul(c, &end, 10);
        if (end == c || part > 255)
            return HTML_COLOR_UNKNOWN;
        color = color << 8 | (uint32_t)part;
        c = end + strspn(end, " ,");
    }
    c += strspn(c, " /");
    if (*c == ')' || *c == '\0')
        return color;
    double alpha = strtod(c, NULL);
    return alpha == 0 ? HTML_COLOR_TRANSPARENT : alpha == 1 ? color : HTML_COLOR_UNKNOWN;
}

static uint32_t read_color(const char *value)
{
    static const struct {
        const char *name;
        uint32_t color;
    } names[] = { { "black", 0 },       { "white", 0xFFFFFF },  { "red", 0xFF0000 },
                  { "blue", 0xFF },     { "yellow", 0xFFFF00 }, { "gray", 0x808080 },
                  { "grey", 0x808080 }, { "green", 0x8000 },    { "transparent", HTML_COLOR_TRANSPARENT } };
    if (*value == '#')
        return read_hex_color(value + 1);
    if (strncmp(value, "rgb(", 4) == 0 || strncmp(value, "rgba(", 5) == 0)
        return read_rgb_color(value);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i].name) == 0)
            return names[i].color;
    }
    return HTML_COLOR_UNKNOWN;
}

static bool is_monospace(const char *families)
{
    static const char *const names[] = { "courier", "consolas", "monaco", "menlo", "mono", "lucida console", "fixed" };
    char first[VALUE_MAX + 1];
    size_t n = strcspn(families, ",");
    memcpy(first, families, n);
    first[n] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strstr(first, names[i]) && !strstr(first, "monotype"))
            return true;
    }
    return false;
}

/* ---- properties ---- */

static void set_look(struct html_style *style, uint32_t look, bool on)
{
    style->on = on ? style->on | look : style->on & ~look;
    style->off = on ? style->off & ~look : style->off | look;
}

static void set_background(struct html_style *style, const char *value)
{
    bool is_picture = strstr(value, "url(") || strstr(value, "gradient");
    char first[VALUE_MAX + 1];
    size_t n = strncmp(value, "rgb", 3) == 0 ? strlen(value) : strcspn(value, " ");
    memcpy(first, value, n);
    first[n] = '\0';
    uint32_t color = strcmp(first, "none") == 0 ? HTML_COLOR_UNSET : read_color(first);
    style->background = is_picture ? HTML_COLOR_UNKNOWN : color == HTML_COLOR_TRANSPARENT ? HTML_COLOR_UNSET : color;
}

static void set_background_image(struct html_style *style, const char *value)
{
    if (strcmp(value, "none") != 0)
        style->background = HTML_COLOR_UNKNOWN;
}

static void set_border(struct html_style *style, const char *value)
{
    style->has_no_border = strncmp(value, "none", 4) == 0 || *value == '0';
}

static bool draws_line(const char *value)
{
    return (strstr(value, "solid") || strstr(value, "double")) && *value != '0';
}

static void set_border_left(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_QUOTE, draws_line(value));
}

static void set_border_top(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_TOP_LINE, draws_line(value));
}

static void set_color(struct html_style *style, const char *value)
{
    style->color = read_color(value);
}

static void set_display(struct html_style *style, const char *value)
{
    style->display = strncmp(value, "none", 4) == 0 ? HTML_DISPLAY_NONE
                     : strcmp(value, "block") == 0  ? HTML_DISPLAY_BLOCK
                     : strcmp(value, "inline") == 0 ? HTML_DISPLAY_INLINE
                                                    : HTML_DISPLAY_OTHER;
}

static void set_font_family(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_MONOSPACE, is_monospace(value));
}

/* A size in words ("medium"), or one that nobody can tell ("calc(1vw + 10px)"), is one that can be read. */
static void set_font_size(struct html_style *style, const char *value)
{
    enum { USUAL = 160 };
    char *unit;
    bool is_number = isdigit((unsigned char)*value) || *value == '.';
    double number = is_number ? strtod(value, &unit) : 0;
    if (number > 1000 || strcmp(value, "inherit") == 0 || strcmp(value, "smaller") == 0 || strcmp(value, "larger") == 0)
        return;
    bool is_relative = is_number && (*unit == '%' || strncmp(unit, "em", 2) == 0);
    int length = is_number ? read_length(value) : -1;
    style->font_unit = is_relative ? HTML_FONT_RELATIVE : HTML_FONT_ABSOLUTE;
    if (is_relative)
        style->font_size = (uint32_t)(*unit == '%' ? number * 10 : number * 1000);
    else
        style->font_size = (uint32_t)(length >= 0 ? length : USUAL);
}

static void set_font_style(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_ITALIC, strncmp(value, "italic", 6) == 0 || strncmp(value, "oblique", 7) == 0);
}

static void set_font_weight(struct html_style *style, const char *value)
{
    if (strncmp(value, "bold", 4) == 0)
        set_look(style, HTML_LOOK_BOLD, true);
    else if (isdigit((unsigned char)*value) || strcmp(value, "normal") == 0 || strcmp(value, "lighter") == 0)
        set_look(style, HTML_LOOK_BOLD, strtoul(value, NULL, 10) >= 600);
}

/* "font: bold 12px/14px Courier" */
static void set_font(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_BOLD, strstr(value, "bold") != NULL);
    set_look(style, HTML_LOOK_ITALIC, strstr(value, "italic") != NULL);
    if (strcmp(value, "inherit") != 0)
        set_font_size(style, "medium"); /* unless another one follows */
    for (const char *c = value; *c; c += strcspn(c, " "), c += strspn(c, " ")) {
        size_t n = strcspn(c, " ");
        size_t size_len = strcspn(c, " /"); /* the height of a line stands behind it */
        bool is_zero = size_len == 1 && *c == '0';
        bool is_size = isdigit((unsigned char)*c) && (is_zero || !isdigit((unsigned char)c[size_len - 1]));
        if (is_size && c[n] == ' ') {
            char size[VALUE_MAX + 1];
            memcpy(size, c, size_len);
            size[size_len] = '\0';
            set_font_family(style, c + n + 1);
            set_font_size(style, size);
        }
    }
}

static void set_height(struct html_style *style, const char *value)
{
    style->height = read_length(value);
}

static void set_list_style(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_UNMARKED, strncmp(value, "none", 4) == 0);
}

/* One to four lengths: above, right, below, left. */
static void set_margin(struct html_style *style, const char *value)
{
    int lengths[4];
    int count = 0;
    for (const char *c = value; *c && count < 4; c += strspn(c, " ")) {
        lengths[count++] = *c == '-' ? 0 : read_length(c);
        c += strcspn(c, " ");
    }
    if (count == 0)
        return;
    style->margin_top = lengths[0];
    style->margin_bottom = lengths[count > 2 ? 2 : 0];
    style->margin_left = lengths[count > 3 ? 3 : count > 1 ? 1 : 0];
}

static void set_margin_bottom(struct html_style *style, const char *value)
{
    style->margin_bottom = read_length(value);
}

static void set_margin_left(struct html_style *style, const char *value)
{
    style->margin_left = read_length(value);
}

static void set_margin_top(struct html_style *style, const char *value)
{
    style->margin_top = read_length(value);
}

static void set_max_height(struct html_style *style, const char *value)
{
    style->max_height = read_length(value);
}

static void set_minimum(struct html_style *style, const char *value)
{
    style->has_minimum = read_length(value) != 0;
}

static void set_opacity(struct html_style *style, const char *value)
{
    bool is_zero = (isdigit((unsigned char)*value) || *value == '.') && strtod(value, NULL) == 0;
    set_look(style, HTML_LOOK_INVISIBLE, is_zero);
}

static void set_overflow(struct html_style *style, const char *value)
{
    style->hides_overflow = strstr(value, "hidden") != NULL;
}

static void set_text_decoration(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_STRIKE, strstr(value, "line-through") != NULL);
}

static void set_visibility(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_INVISIBLE, strncmp(value, "hidden", 6) == 0 || strncmp(value, "collapse", 8) == 0);
}

static void set_white_space(struct html_style *style, const char *value)
{
    set_look(style, HTML_LOOK_BLANKS, strncmp(value, "pre", 3) == 0 || strncmp(value, "break", 5) == 0);
}

static void set_width(struct html_style *style, const char *value)
{
    style->width = read_length(value);
}

/* Sorted. */
static const struct property {
    const char *name; /* cppcheck-suppress unusedStructMember ; bsearch() looks for it */
    void (*set)(struct html_style *style, const char *value);
} properties[] = {
    { "background", set_background },
    { "background-color", set_background },
    { "background-image", set_background_image },
    { "border", set_border },
    { "border-left", set_border_left },
    { "border-top", set_border_top },
    { "color", set_color },
    { "display", set_display },
    { "font", set_font },
    { "font-family", set_font_family },
    { "font-size", set_font_size },
    { "font-style", set_font_style },
    { "font-weight", set_font_weight },
    { "height", set_height },
    { "list-style", set_list_style },
    { "list-style-type", set_list_style },
    { "margin", set_margin },
    { "margin-bottom", set_margin_bottom },
    { "margin-left", set_margin_left },
    { "margin-top", set_margin_top },
    { "max-height", set_max_height },
    { "min-height", set_minimum },
    { "min-width", set_minimum },
    { "opacity", set_opacity },
    { "overflow", set_overflow },
    { "text-decoration", set_text_decoration },
    { "text-decoration-line", set_text_decoration },
    { "visibility", set_visibility },
    { "white-space", set_white_space },
    { "width", set_width },
};

static int compare_property(const void *name, const void *property)
{
    return strcmp(name, ((const struct property *)property)->name);
}

/* Copies in lower case, without blanks at the ends, cut at size - 1. */
static void copy_trimmed(char *out, size_t size, const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (len > size - 1)
        len = size - 1;
    for (size_t i = 0; i < len; i++) {
        char c = (char)tolower((unsigned char)text[i]);
        out[i] = isspace((unsigned char)c) || c == '\0' ? ' ' : c;
    }
    out[len] = '\0';
}

/* Length of a declaration: up to the ";" that is in no quotes and no brackets. */
static size_t declaration_len(const char *text, size_t len)
{
    char quote = '\0';
    bool in_brackets = false;
    for (size_t i = 0; i < len; i++) {
        if (quote != '\0')
            quote = text[i] == quote ? '\0' : quote;
        else if (text[i] == '"' || text[i] == '\'')
            quote = text[i];
        else if (text[i] == '(' || text[i] == ')')
            in_brackets = text[i] == '(';
        else if (text[i] == ';' && !in_brackets)
            return i;
    }
    return len;
}

void html_style_declare(struct html_style *style, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = declaration_len(text + i, len - i);
        const char *colon = memchr(text + i, ':', n);
        if (colon) {
            char name[PROPERTY_MAX];
            char value[VALUE_MAX + 1];
            copy_trimmed(name, sizeof name, text + i, (size_t)(colon - text) - i);
            copy_trimmed(value, sizeof value, colon + 1, n - (size_t)(colon + 1 - text - i));
            char *important = strchr(value, '!');
            if (important)
                *important = '\0';
            for (size_t end = strlen(value); end > 0 && value[end - 1] == ' '; end--)
                value[end - 1] = '\0';
            const struct property *property = bsearch(name, properties, sizeof properties / sizeof properties[0],
                                                      sizeof properties[0], compare_property);
            if (property && *value) {
                property->set(style, value);
                style->is_set = true;
            }
        }
        i += n + 1;
    }
}

static int later_length(int length, int later)
{
    return later >= 0 ? later : length;
}

void html_style_merge(struct html_style *style, const struct html_style *later)
{
    if (!later->is_set)
        return;
    style->on = (style->on & ~later->off) | later->on;
    style->off = (style->off & ~later->on) | later->off;
    if (later->display != HTML_DISPLAY_UNSET)
        style->display = later->display;
    if (later->font_unit != HTML_FONT_UNSET) {
        style->font_unit = later->font_unit;
        style->font_size = later->font_size;
    }
    if (later->color != HTML_COLOR_UNSET)
        style->color = later->color;
    if (later->background != HTML_COLOR_UNSET)
        style->background = later->background;
    style->margin_top = later_length(style->margin_top, later->margin_top);
    style->margin_bottom = later_length(style->margin_bottom, later->margin_bottom);
    style->margin_left = later_length(style->margin_left, later->margin_left);
    style->width = later_length(style->width, later->width);
    style->height = later_length(style->height, later->height);
    style->max_height = later_length(style->max_height, later->max_height);
    style->hides_overflow = style->hides_overflow || later->hides_overflow;
    style->has_no_border = style->has_no_border || later->has_no_border;
    style->has_minimum = style->has_minimum || later->has_minimum;
    style->is_set = true;
}

/* ---- styles of single nodes ---- */

static void read_style_attribute(const struct html_tree *tree, const struct html_node *node, struct strbuf *out)
{
    const struct html_attribute *attribute = html_node_attribute(tree, node, HTML_ATTRIBUTE_STYLE);
    strbuf_init(out, attribute ? attribute->len * 3 + 1 : 1);
    (void)html_node_value(tree, node, HTML_ATTRIBUTE_STYLE, out);
}

bool html_style_office_list(const struct html_tree *tree, const struct html_node *node, unsigned *list_out,
                            unsigned *level_out)
{
    enum { LEVEL_MAX = 9 };
    if (!html_node_attribute(tree, node, HTML_ATTRIBUTE_STYLE))
        return false;
    struct strbuf style;
    read_style_attribute(tree, node, &style);
    const char *list = strcasestr(style.data, "mso-list:");
    const char *level = list ? strcasestr(list, "level") : NULL;
    const char *end = list ? list + strcspn(list, ";") : NULL;
    bool found = list && level && level < end && level[5] >= '1' && level[5] <= '0' + LEVEL_MAX;
    if (found) {
        *level_out = (unsigned)(level[5] - '0');
        list += strlen("mso-list:");
        list += strspn(list, " ");
        *list_out = *list == 'l' ? (unsigned)strtoul(list + 1, NULL, 10) : 0;
    }
    strbuf_free(&style);
    return found;
}

bool html_style_is_office_marker(const struct html_tree *tree, const struct html_node *node)
{
    if (!html_node_attribute(tree, node, HTML_ATTRIBUTE_STYLE))
        return false;
    struct strbuf style;
    read_style_attribute(tree, node, &style);
    const char *list = strcasestr(style.data, "mso-list:");
    bool found =
        list && strncasecmp(list + strlen("mso-list:") + strspn(list + strlen("mso-list:"), " "), "ignore", 6) == 0;
    strbuf_free(&style);
    return found;
}

void html_style_size(const struct html_tree *tree, const struct html_node *node, long *width_out, long *height_out)
{
    enum { PIXELS_MAX = 100000 };
    *width_out = html_node_number(tree, node, HTML_ATTRIBUTE_WIDTH, PIXELS_MAX);
    *height_out = html_node_number(tree, node, HTML_ATTRIBUTE_HEIGHT, PIXELS_MAX);
    if (!html_node_attribute(tree, node, HTML_ATTRIBUTE_STYLE))
        return;
    struct strbuf text;
    struct html_style style;
    html_style_init(&style);
    read_style_attribute(tree, node, &text);
    html_style_declare(&style, text.data, text.len);
    strbuf_free(&text);
    *width_out = style.width >= 0 ? style.width / 10 : *width_out;
    *height_out = style.height >= 0 ? style.height / 10 : *height_out;
    if (style.max_height == 0)
        *height_out = 0;
}
