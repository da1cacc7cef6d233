/* Lists: those of HTML, and those that Office writes as paragraphs. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_html_content.h"
#include "mapping/convert_html_style.h"
#include "mapping/convert_html_writer.h"
#include "mapping/convert_utf8.h"

enum { NUMBER_MAX = 999999, LABEL_MAX = 32, MARKER_MAX = 64 };

static bool is_list(const struct html_node *node)
{
    return node->name == HTML_UL || node->name == HTML_OL || node->name == HTML_MENU || node->name == HTML_DIR;
}

static void open_list(struct html_writer *writer, bool is_ordered, unsigned start)
{
    html_inline_end_paragraph(writer);
    commonmark_open_list(writer->out, is_ordered, start);
}

static void close_container(struct html_writer *writer)
{
    html_inline_end_paragraph(writer);
    commonmark_close_container(writer->out);
    writer->after_rule = false;
}

static void open_item(struct html_writer *writer)
{
    html_inline_end_paragraph(writer);
    commonmark_open_item(writer->out);
}

/* ---- lists of HTML ---- */

/* 'a', 'A', 'i', 'I' for numbers that CommonMark does not have; 0 for those that it has. */
static char label_type(const struct html_tree *tree, const struct html_node *list)
{
    const struct html_attribute *type = html_node_attribute(tree, list, HTML_ATTRIBUTE_TYPE);
    if (type && type->len == 1 && strchr("aAiI", *type->value))
        return *type->value;
    const struct html_attribute *style = html_node_attribute(tree, list, HTML_ATTRIBUTE_STYLE);
    static const struct {
        const char *word;
        char type;
    } words[] = { { "lower-alpha", 'a' }, { "lower-latin", 'a' }, { "upper-alpha", 'A' },
                  { "upper-latin", 'A' }, { "lower-roman", 'i' }, { "upper-roman", 'I' } };
    for (size_t i = 0; style && i < sizeof words / sizeof words[0]; i++) {
        if (memmem(style->value, style->len, words[i].word, strlen(words[i].word)))
            return words[i].type;
    }
    return '\0';
}

static void add_roman(struct strbuf *out, unsigned number)
{
    static const struct {
        unsigned value;
        const char *digits;
    } romans[] = { { 1000, "m" }, { 900, "cm" }, { 500, "d" }, { 400, "cd" }, { 100, "c" }, { 90, "xc" }, { 50, "l" },
                   { 40, "xl" },  { 10, "x" },   { 9, "ix" },  { 5, "v" },    { 4, "iv" },  { 1, "i" } };
    for (size_t i = 0; i < sizeof romans / sizeof romans[0]; i++) {
        for (; number >= romans[i].value; number -= romans[i].value)
            strbuf_add_str(out, romans[i].digits);
    }
}

static void add_letters(struct strbuf *out, unsigned number)
{
    char letters[8];
    size_t n = 0;
    for (; number > 0 && n < sizeof letters; number = (number - 1) / 26)
        letters[n++] = (char)('a' + (number - 1) % 26);
    while (n > 0)
        strbuf_add_char(out, letters[--n]);
}

/* "b. " in front of an item: what the text says of "b" would mean nothing without it. */
static void write_label(struct html_writer *writer, char type, long number, uint32_t look)
{
    enum { ROMAN_MAX = 3999 };
    struct strbuf label;
    strbuf_init(&label, LABEL_MAX);
    if ((type | 0x20) == 'i' && number <= ROMAN_MAX)
        add_roman(&label, (unsigned)number);
    else
        add_letters(&label, (unsigned)number);
    for (size_t i = 0; i < label.len && isupper((unsigned char)type); i++)
        label.data[i] = (char)toupper((unsigned char)label.data[i]);
    strbuf_add_str(&label, ". ");
    html_inline_text(writer, label.data, label.len, look & ~(uint32_t)(HTML_LOOK_BOLD | HTML_LOOK_ITALIC));
    strbuf_free(&label);
}

/* A list while it is being written. */
struct list {
    const struct html_node *node;
    bool is_ordered; /* written with numbers */
    char label;      /* or with labels of ours; '\0': none */
    bool is_reversed;
    bool is_loose; /* paragraphs in its items stand apart */
    bool is_open, item_is_open;
    long next; /* number */
};

static long count_items(const struct html_tree *tree, const struct html_node *node)
{
    long count = 0;
    for (uint32_t i = node->first; i != HTML_NONE; i = tree->nodes[i].next)
        count += tree->nodes[i].name == HTML_LI;
    return count;
}

static bool has_paragraph(const struct html_tree *tree, const struct html_node *item)
{
    for (uint32_t i = item->first; i != HTML_NONE; i = tree->nodes[i].next) {
        const struct html_node *node = &tree->nodes[i];
        if (node->name == HTML_P && (node->look & HTML_LOOK_APART) && !(node->look & HTML_LOOK_GONE))
            return true;
    }
    return false;
}

static bool is_loose(const struct html_tree *tree, const struct html_node *list)
{
    for (uint32_t i = list->first; i != HTML_NONE; i = tree->nodes[i].next) {
        if (tree->nodes[i].name == HTML_LI && has_paragraph(tree, &tree->nodes[i]))
            return true;
    }
    return false;
}

static void begin_list(const struct html_tree *tree, const struct html_node *node, struct list *list)
{
    *list = (struct list){ .node = node, .is_ordered = node->name == HTML_OL, .next = 1 };
    list->is_loose = is_loose(tree, node);
    if (!list->is_ordered)
        return;
    list->label = label_type(tree, node);
    list->is_reversed = html_node_attribute(tree, node, HTML_ATTRIBUTE_REVERSED) != NULL;
    long start = html_node_number(tree, node, HTML_ATTRIBUTE_START, NUMBER_MAX);
    list->next = start >= 0 ? start : list->is_reversed ? count_items(tree, node) : 1;
    list->is_ordered = list->label == '\0';
}

static void end_list(struct html_writer *writer, struct list *list)
{
    if (list->item_is_open)
        close_container(writer);
    if (list->is_open)
        close_container(writer);
    list->item_is_open = list->is_open = false;
}

/* CommonMark counts up by one: any other number needs a list of its own. */
static void begin_item(struct html_writer *writer, struct list *list, const struct html_node *item)
{
    long value = html_node_number(writer->tree, item, HTML_ATTRIBUTE_VALUE, NUMBER_MAX);
    bool jumps = (value >= 0 && value != list->next) || list->is_reversed;
    list->next = value >= 0 ? value : list->next;
    if (list->item_is_open)
        close_container(writer);
    list->item_is_open = false;
    if (list->is_open && list->is_ordered && jumps)
        end_list(writer, list);
    if (!list->is_open)
        open_list(writer, list->is_ordered, (unsigned)list->next);
    if (!list->is_open && list->is_loose)
        commonmark_part_items(writer->out);
    open_item(writer);
    list->is_open = list->item_is_open = true;
    if (list->label != '\0' && list->next > 0)
        write_label(writer, list->label, list->next, item->look);
    list->next += list->is_reversed ? (list->next > 0 ? -1 : 0) : 1;
}

static void write_child(struct html_writer *writer, struct list *list, uint32_t number)
{
    const struct html_node *child = &writer->tree->nodes[number];
    if (child->look & HTML_LOOK_GONE)
        return;
    if (child->name != HTML_LI) { /* a nested list, say: it belongs to the item before it */
        html_write_node(writer, number);
        return;
    }
    bool has_only_list = child->first != HTML_NONE && is_list(&writer->tree->nodes[child->first]) &&
                         writer->tree->nodes[child->first].next == HTML_NONE && list->item_is_open;
    if (has_only_list) { /* <li style="list-style: none"><ul> */
        html_write_children(writer, child);
        return;
    }
    begin_item(writer, list, child);
    html_write_children(writer, child);
}

void html_list_write(struct html_writer *writer, const struct html_node *node)
{
    if (writer->is_single_line || (node->look & HTML_LOOK_UNMARKED) || count_items(writer->tree, node) == 0) {
        for (uint32_t i = node->first; i != HTML_NONE; i = writer->tree->nodes[i].next) {
            html_inline_end_line(writer, false);
            html_write_node(writer, i);
        }
        html_inline_end_line(writer, false);
        return;
    }
    struct list list;
    begin_list(writer->tree, node, &list);
    for (uint32_t i = node->first; i != HTML_NONE; i = writer->tree->nodes[i].next)
        write_child(writer, &list, i);
    end_list(writer, &list);
}

/* ---- lists of Office ---- */

/* "1.", "(a)", or a bullet, as it stands in the text. */
struct marker {
    char text[MARKER_MAX + 1];
    bool is_number;
    unsigned number;
};

/* Takes the marker off the item, so that it is not written as text. */
static void take_marker(const struct html_writer *writer, const struct html_node *item, struct marker *marker)
{
    *marker = (struct marker){ 0 };
    for (uint32_t i = (uint32_t)(item - writer->tree->nodes) + 1; i < item->end; i++) {
        struct html_node *node = &writer->tree->nodes[i];
        if (node->name == HTML_TEXT || !html_style_is_office_marker(writer->tree, node))
            continue;
        struct strbuf text;
        strbuf_init(&text, MARKER_MAX * 8);
        html_content_gather(writer->tree, node, MARKER_MAX, &text);
        char *line = convert_utf8_one_line(text.data, text.len, MARKER_MAX);
        size_t n = strlen(line);
        while (n > 0 && (line[n - 1] == ' ' || (n > 1 && memcmp(line + n - 2, "\xC2\xA0", 2) == 0)))
            n -= line[n - 1] == ' ' ? 1 : 2;
        memcpy(marker->text, line, n);
        marker->text[n] = '\0';
        free(line);
        strbuf_free(&text);
        node->look |= HTML_LOOK_GONE;
        node->marks |= HTML_IS_SKIPPED;
        break;
    }
    size_t digits = strspn(marker->text, "0123456789");
    marker->is_number = digits > 0 && digits < 7 &&
                        (strcmp(marker->text + digits, ".") == 0 || strcmp(marker->text + digits, ")") == 0);
    marker->number = marker->is_number ? (unsigned)strtoul(marker->text, NULL, 10) : 0;
}

/* "a)" and "2.1" say something; "o" is a circle in another font. */
static bool is_label(const struct marker *marker)
{
    size_t n = strlen(marker->text);
    return !marker->is_number && n > 1 && strchr(".)", marker->text[n - 1]) && (unsigned char)*marker->text < 0x80;
}

static void end_level(struct html_writer *writer, struct html_office_lists *lists)
{
    close_container(writer); /* the item */
    close_container(writer); /* the list */
    lists->count--;
}

void html_list_end_office(struct html_writer *writer, struct html_office_lists *lists)
{
    while (lists->count > 0)
        end_level(writer, lists);
}

/* Ends what the item is not in, and opens what it is in. */
static void go_to_level(struct html_writer *writer, struct html_office_lists *lists, unsigned list, unsigned level,
                        const struct marker *marker)
{
    while (lists->count > 0 && lists->open[lists->count - 1].level > level)
        end_level(writer, lists);
    bool is_same = lists->count > 0 && lists->open[lists->count - 1].level == level;
    if (is_same &&
        (lists->open[lists->count - 1].list != list || lists->open[lists->count - 1].is_ordered != marker->is_number)) {
        end_level(writer, lists);
        is_same = false;
    }
    if (is_same) {
        close_container(writer);
        open_item(writer);
        return;
    }
    if (lists->count == HTML_OFFICE_LEVELS_MAX)
        end_level(writer, lists);
    open_list(writer, marker->is_number, marker->is_number ? marker->number : 1);
    open_item(writer);
    lists->open[lists->count].level = level;
    lists->open[lists->count].list = list;
    lists->open[lists->count++].is_ordered = marker->is_number;
}

/* An item outside of any list shows a bullet nevertheless. */
static bool is_stray_item(const struct html_tree *tree, const struct html_node *node)
{
    return node->name == HTML_LI && !is_list(&tree->nodes[node->parent]) && !(node->look & HTML_LOOK_GONE) &&
           (node->visible > 0 || (node->content & (HTML_HAS_PICTURE | HTML_HAS_CONTROL)));
}

bool html_list_write_office_item(struct html_writer *writer, struct html_office_lists *lists, struct html_node *node)
{
    unsigned list = 0;
    unsigned level = 1;
    bool is_stray = !writer->is_single_line && is_stray_item(writer->tree, node);
    bool is_item =
        is_stray || (!writer->is_single_line && node->name != HTML_TEXT && node->name != HTML_LI &&
                     (node->look & HTML_LOOK_BLOCK) && html_style_office_list(writer->tree, node, &list, &level));
    if (!is_item) {
        if (lists->count > 0 && (node->visible > 0 || (node->content & HTML_HAS_PICTURE)))
            html_list_end_office(writer, lists);
        return false;
    }
    struct marker marker = { 0 };
    if (!is_stray)
        take_marker(writer, node, &marker);
    go_to_level(writer, lists, list, level, &marker);
    if (is_label(&marker)) {
        html_inline_text(writer, marker.text, strlen(marker.text), node->look & HTML_LOOK_GONE);
        html_inline_blank(writer);
    }
    html_write_children(writer, node);
    return true;
}
