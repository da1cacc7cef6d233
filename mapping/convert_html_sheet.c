#include "mapping/convert_html_sheet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"

enum { SLOTS = 8192, CLASSES_MAX = 16 };

_Static_assert(SLOTS > (int)CONVERT_HTML_RULES_MAX, "a free slot ends every search");

/* Class names are compared by their hash: a collision would need somebody who wants their own mail to look wrong. */
struct rule {
    uint64_t class;         /* 0: any */
    enum html_name element; /* HTML_TEXT: any */
    struct html_style style;
};

struct html_sheet {
    struct rule *rules;
    size_t count;
    uint16_t slots[SLOTS]; /* number of a rule + 1; 0: free */
};

static uint64_t hash_name(const char *name, size_t len)
{
    uint64_t hash = 0xCBF29CE484222325;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001B3;
    return hash == 0 ? 1 : hash;
}

static size_t find_slot(const struct html_sheet *sheet, enum html_name element, uint64_t class)
{
    size_t slot = (size_t)((class ^ class >> 32) + (uint64_t)element * 31) % SLOTS;
    while (sheet->slots[slot] > 0) {
        const struct rule *rule = &sheet->rules[sheet->slots[slot] - 1];
        if (rule->element == element && rule->class == class)
            break;
        slot = (slot + 1) % SLOTS;
    }
    return slot;
}

static void add_rule(struct html_sheet *sheet, enum html_name element, uint64_t class, const struct html_style *style)
{
    size_t slot = find_slot(sheet, element, class);
    if (sheet->slots[slot] == 0) {
        if (sheet->count == CONVERT_HTML_RULES_MAX)
            return;
        sheet->rules = xreallocarray(sheet->rules, sheet->count + 1, sizeof *sheet->rules);
        sheet->rules[sheet->count] = (struct rule){ .element = element, .class = class };
        html_style_init(&sheet->rules[sheet->count].style);
        sheet->slots[slot] = (uint16_t)++sheet->count;
    }
    html_style_merge(&sheet->rules[sheet->slots[slot] - 1].style, style);
}

/* ---- reading ---- */

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || ((unsigned char)c & 0x80);
}

/* "p", ".x" or "p.x", blanks around it aside; anything else is for elements in a place that we don't look at. */
static void add_selector(struct html_sheet *sheet, const char *text, size_t len, const struct html_style *style)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    size_t name = 0;
    while (name < len && isalnum((unsigned char)text[name]))
        name++;
    size_t class = name;
    if (class < len && text[class] == '.') {
        class ++;
        while (class < len && is_name_char(text[class]))
            class ++;
    }
    if (class != len || len == 0 || class == name + 1)
        return;
    enum html_name element = name > 0 ? html_name_find(text, name) : HTML_TEXT;
    if (element != HTML_OTHER)
        add_rule(sheet, element, class > name ? hash_name(text + name + 1, class - name - 1) : 0, style);
}

static void add_selectors(struct html_sheet *sheet, const char *text, size_t len, const struct html_style *style)
{
    for (size_t i = 0; i <= len;) {
        const char *comma = i < len ? memchr(text + i, ',', len - i) : NULL;
        size_t n = comma ? (size_t)(comma - text) - i : len - i;
        add_selector(sheet, text + i, n, style);
        i += n + 1;
    }
}

/* Offset behind the "}" that belongs to the "{" at `at`. */
static size_t block_end(const char *text, size_t len, size_t at)
{
    size_t depth = 0;
    for (; at < len; at++) {
        depth += text[at] == '{';
        if (text[at] == '}' && --depth == 0)
            return at + 1;
    }
    return len;
}

/* Comments out, and the marks with which styles were once hidden from older programs. */
static void remove_comments(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        if (len - i >= 2 && memcmp(text + i, "/*", 2) == 0) {
            const char *end = memmem(text + i + 2, len - i - 2, "*/", 2);
            i = end ? (size_t)(end - text) + 2 : len;
        } else if (len - i >= 4 && memcmp(text + i, "<!--", 4) == 0) {
            i += 4;
        } else if (len - i >= 3 && memcmp(text + i, "-->", 3) == 0) {
            i += 3;
        } else {
            strbuf_add_char(out, text[i++]);
        }
    }
}

static void read_sheet(struct html_sheet *sheet, const char *text, size_t len)
{
    const char *brace = text; /* the next one: many a statement without a block must not look for it each time */
    for (size_t i = 0; i < len;) {
        if (brace < text + i || *brace != '{')
            brace = memchr(text + i, '{', len - i);
        if (!brace)
            return;
        const char *selector = text + i;
        size_t selector_len = (size_t)(brace - selector);
        while (selector_len > 0 && isspace((unsigned char)*selector)) {
            selector++;
            selector_len--;
        }
        size_t at = (size_t)(brace - text);
        const char *semicolon = *selector == '@' ? memchr(selector, ';', selector_len) : NULL;
        if (semicolon) { /* "@import ...;" has no block */
            i = (size_t)(semicolon - text) + 1;
            continue;
        }
        i = block_end(text, len, at);
        if (*selector == '@')
            continue;
        struct html_style style;
        html_style_init(&style);
        html_style_declare(&style, text + at + 1, i - at - 1 - (i > at + 1 && text[i - 1] == '}'));
        if (style.is_set)
            add_selectors(sheet, selector, selector_len, &style);
    }
}

struct html_sheet *html_sheet_new(const struct html_tree *tree)
{
    struct html_sheet *sheet = xcalloc(1, sizeof *sheet);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct html_node *node = &tree->nodes[i];
        if (node->name != HTML_TEXT || tree->nodes[node->parent].name != HTML_STYLE)
            continue;
        struct strbuf text;
        strbuf_init(&text, node->text_len);
        remove_comments(&text, node->text, node->text_len);
        read_sheet(sheet, text.data, text.len);
        strbuf_free(&text);
    }
    if (sheet->count == 0)
        html_sheet_free(&sheet);
    return sheet;
}

void html_sheet_free(struct html_sheet **sheet)
{
    if (!*sheet)
        return;
    free((*sheet)->rules);
    free(*sheet);
    *sheet = NULL;
}

/* ---- applying ---- */

static void apply(const struct html_sheet *sheet, enum html_name element, uint64_t class, struct html_style *style)
{
    size_t slot = find_slot(sheet, element, class);
    if (sheet->slots[slot] > 0)
        html_style_merge(style, &sheet->rules[sheet->slots[slot] - 1].style);
}

void html_sheet_apply(const struct html_sheet *sheet, const struct html_tree *tree, const struct html_node *node,
                      struct html_style *style)
{
    enum html_name element = (enum html_name)node->name;
    apply(sheet, element, 0, style);
    const struct html_attribute *attribute = html_node_attribute(tree, node, HTML_ATTRIBUTE_CLASS);
    const char *text = attribute ? attribute->value : "";
    size_t len = attribute ? attribute->len : 0;
    size_t i = 0;
    for (int count = 0; count < CLASSES_MAX && i < len; count++) {
        while (i < len && isspace((unsigned char)text[i]))
            i++;
        size_t start = i;
        while (i < len && !isspace((unsigned char)text[i]))
            i++;
        if (i == start)
            break;
        uint64_t class = hash_name(text + start, i - start);
        apply(sheet, HTML_TEXT, class, style);
        apply(sheet, element, class, style);
    }
}
