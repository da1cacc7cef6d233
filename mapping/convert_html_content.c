#include "mapping/convert_html_content.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_attribution.h"
#include "mapping/convert_html_style.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

bool html_content_shows(const struct html_node *text)
{
    return !(text->look & (HTML_LOOK_GONE | HTML_LOOK_INVISIBLE | HTML_LOOK_UNREADABLE));
}

/* ---- measuring ---- */

static uint32_t count_visible(const struct html_node *node)
{
    struct strbuf text;
    strbuf_init(&text, (size_t)node->text_len * 3 + 1);
    html_node_text(node, &text);
    uint32_t count = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text.data + i, text.len - i, &code);
        n = n > 0 ? n : 1;
        count += convert_text_is_blank(text.data + i, n) ? 0 : (uint32_t)n;
        i += n;
    }
    strbuf_free(&text);
    return count;
}

/* What an element is, for those around it. */
static unsigned content_of(const struct html_tree *tree, const struct html_node *node)
{
    unsigned content = node->look & HTML_LOOK_BLOCK ? HTML_HAS_BLOCK : 0;
    switch ((int)node->name) {
    case HTML_TABLE:
        return content | HTML_HAS_TABLE;
    case HTML_UL:
    case HTML_OL:
    case HTML_DL:
    case HTML_MENU:
    case HTML_DIR:
        return content | HTML_HAS_LIST;
    case HTML_IMG:
        return content | (html_node_attribute(tree, node, HTML_ATTRIBUTE_SRC) ? HTML_HAS_PICTURE : 0);
    case HTML_A:
        return content | (html_node_attribute(tree, node, HTML_ATTRIBUTE_HREF) ? HTML_HAS_LINK : 0);
    case HTML_BR:
        return content | HTML_HAS_BREAK;
    case HTML_PRE:
    case HTML_LISTING:
    case HTML_XMP:
        return content | HTML_HAS_CODE_BLOCK;
    case HTML_BLOCKQUOTE:
        return content | HTML_HAS_QUOTE;
    case HTML_INPUT:
    case HTML_SELECT:
    case HTML_TEXTAREA:
        return content | HTML_HAS_CONTROL;
    default:
        return content | (node->name >= HTML_H1 && node->name <= HTML_H6 ? HTML_HAS_HEADING : 0);
    }
}

static uint8_t add_lines(uint8_t lines, uint8_t more)
{
    return lines + more > UINT8_MAX ? UINT8_MAX : (uint8_t)(lines + more);
}

/* Monospaced text is code where there is other text in the same block; a whole mail in Courier is none. */
static void find_code(struct html_tree *tree)
{
    for (uint32_t i = 1; i < tree->count; i++) {
        struct html_node *node = &tree->nodes[i];
        const struct html_node *parent = &tree->nodes[node->parent];
        if ((parent->look & HTML_LOOK_CODE) && (node->look & HTML_LOOK_MONOSPACE)) {
            node->look |= HTML_LOOK_CODE;
            continue;
        }
        bool begins = node->name != HTML_TEXT && (node->look & HTML_LOOK_MONOSPACE) &&
                      !(parent->look & HTML_LOOK_MONOSPACE) && !(node->look & (HTML_LOOK_BLOCK | HTML_LOOK_CODE));
        if (!begins || node->visible == 0 || (node->content & ~HTML_HAS_LINK))
            continue;
        uint32_t block = node->parent;
        while (block != HTML_NONE && !(tree->nodes[block].look & HTML_LOOK_BLOCK))
            block = tree->nodes[block].parent;
        if (tree->nodes[block].visible > node->visible)
            node->look |= HTML_LOOK_CODE;
    }
}

void html_content_measure(struct html_tree *tree)
{
    for (uint32_t i = tree->count; i > 1; i--) {
        struct html_node *node = &tree->nodes[i - 1];
        struct html_node *parent = &tree->nodes[node->parent];
        if (node->look & HTML_LOOK_GONE)
            continue;
        if (node->name == HTML_TEXT) {
            node->visible = html_content_shows(node) ? count_visible(node) : 0;
        } else if (!node->ends_format) {
            bool shows = node->visible > 0 || (node->content & HTML_HAS_PICTURE);
            if (shows && (node->look & HTML_LOOK_BLOCK) && node->lines == 0)
                node->lines = 1;
            if (node->name == HTML_BR && parent->visible > 0)
                parent->lines = add_lines(parent->lines, 1);
            parent->content |= (uint16_t)content_of(tree, node);
        }
        parent->content |= node->content;
        parent->lines = add_lines(parent->lines, node->lines);
        parent->visible = parent->visible > UINT32_MAX - node->visible ? UINT32_MAX : parent->visible + node->visible;
    }
    find_code(tree);
}

/* ---- lines ---- */

/* The text as it is read, with the place in the tree of every line. */
struct lines {
    struct strbuf text; /* lines separated by '\n' */
    uint32_t *nodes;    /* of each line its first text */
    size_t count, capacity;
    bool has_text, after_blank; /* of the line that is being written */
};

static void end_line(struct lines *lines)
{
    if (lines->has_text && lines->after_blank)
        strbuf_truncate(&lines->text, lines->text.len - 1);
    if (lines->has_text)
        strbuf_add_char(&lines->text, '\n');
    lines->has_text = false;
    lines->after_blank = true;
}

static void add_to_line(struct lines *lines, uint32_t number, const char *text, size_t len, bool keeps_lines)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        n = n > 0 ? n : 1;
        bool blank = convert_text_is_blank(text + i, n);
        if (keeps_lines && text[i] == '\n') {
            end_line(lines);
        } else if (blank && !lines->after_blank) {
            strbuf_add_char(&lines->text, ' ');
            lines->after_blank = true;
        } else if (!blank) {
            if (!lines->has_text) {
                if (lines->count == lines->capacity) {
                    lines->capacity = lines->capacity > 0 ? lines->capacity * 2 : 64;
                    lines->nodes = xreallocarray(lines->nodes, lines->capacity, sizeof *lines->nodes);
                }
                lines->nodes[lines->count++] = number;
            }
            lines->has_text = true;
            lines->after_blank = false;
            strbuf_add(&lines->text, text + i, n);
        }
        i += n;
    }
}

static void add_text_node(struct lines *lines, const struct html_tree *tree, uint32_t number)
{
    const struct html_node *node = &tree->nodes[number];
    struct strbuf text;
    strbuf_init(&text, (size_t)node->text_len * 3 + 1);
    html_node_text(node, &text);
    add_to_line(lines, number, text.data, text.len, node->look & HTML_LOOK_BLANKS);
    strbuf_free(&text);
}

static void read_lines(const struct html_tree *tree, struct lines *lines)
{
    size_t total = 0;
    for (uint32_t i = 1; i < tree->count; i++)
        total += (size_t)tree->nodes[i].text_len * 3 + 1;
    *lines = (struct lines){ .after_blank = true };
    strbuf_init(&lines->text, total + tree->count + 1);
    uint32_t block = HTML_NONE; /* the innermost that the text before was in */
    for (uint32_t i = 1; i < tree->count; i++) {
        const struct html_node *node = &tree->nodes[i];
        if (node->look & HTML_LOOK_GONE) {
            i = node->end - 1;
            continue;
        }
        bool breaks = (node->look & HTML_LOOK_BLOCK) || node->name == HTML_BR || node->name == HTML_TD ||
                      node->name == HTML_TH || node->name == HTML_TR;
        while (block != HTML_NONE && tree->nodes[block].end <= i) { /* blocks that ended before this node */
            block = tree->nodes[block].parent;
            end_line(lines);
        }
        if (breaks) {
            end_line(lines);
            block = node->name == HTML_BR ? block : i;
        }
        if (node->name == HTML_TEXT && html_content_shows(node))
            add_text_node(lines, tree, i);
    }
    end_line(lines);
}

void html_content_text(const struct html_tree *tree, struct strbuf *out)
{
    struct lines lines;
    read_lines(tree, &lines);
    strbuf_add(out, lines.text.data, lines.text.len);
    strbuf_free(&lines.text);
    free(lines.nodes);
}

/* ---- introductions of quotes ---- */

static bool value_has(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                      const char *word)
{
    enum { LOOKED_AT = 1000 }; /* octets: each introduction asks all elements around it */
    const struct html_attribute *attribute = html_node_attribute(tree, node, name);
    size_t len = attribute && attribute->len < LOOKED_AT ? attribute->len : LOOKED_AT;
    return attribute && memmem(attribute->value, len, word, strlen(word));
}

/* The element around the node in which a mail program puts all that it quotes, without marking it as a quote. */
static uint32_t find_container(const struct html_tree *tree, uint32_t number)
{
    static const struct {
        enum html_attribute_name attribute;
        const char *word;
    } marks[] = { { HTML_ATTRIBUTE_CLASS, "yahoo_quoted" },       { HTML_ATTRIBUTE_ID, "OLK_SRC_BODY_SECTION" },
                  { HTML_ATTRIBUTE_NAME, "messageReplySection" }, { HTML_ATTRIBUTE_CLASS, "zmail_extra" },
                  { HTML_ATTRIBUTE_CLASS, "gmail_quote" },        { HTML_ATTRIBUTE_NAME, "quote" } };
    for (uint32_t i = tree->nodes[number].parent; i != HTML_NONE; i = tree->nodes[i].parent) {
        const struct html_node *node = &tree->nodes[i];
        if (node->name == HTML_TABLE || node->name == HTML_BLOCKQUOTE || node->name == HTML_LI)
            return HTML_NONE;
        for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++) {
            if (value_has(tree, node, marks[k].attribute, marks[k].word))
                return node->content & HTML_HAS_QUOTE ? HTML_NONE : i;
        }
    }
    return HTML_NONE;
}

/* A rule just above the line is no separator between texts of the author. */
static void skip_rule_above(struct html_tree *tree, uint32_t number)
{
    enum { LOOK_BACK = 12 };
    for (uint32_t i = number - 1; i > 0 && number - i < LOOK_BACK; i--) {
        struct html_node *node = &tree->nodes[i];
        bool is_drawn = node->name == HTML_TEXT && node->visible > 0 && node->visible == strspn(node->text, "_-=*") &&
                        node->visible >= 5;
        if (node->name == HTML_HR || is_drawn)
            node->marks |= HTML_IS_SKIPPED;
        if (node->name == HTML_HR || (node->name == HTML_TEXT && node->visible > 0))
            return;
    }
}

/* Where a line is a text of its own, the mark can stand at it. */
static void mark_introduction(struct html_tree *tree, const struct lines *lines, size_t first, size_t count,
                              enum convert_attribution kind)
{
    tree->nodes[lines->nodes[first]].marks |= HTML_BEGINS_PARAGRAPH;
    skip_rule_above(tree, lines->nodes[first]);
    if (kind == CONVERT_ATTRIBUTION_ORIGINAL && tree->original == HTML_NONE)
        tree->original = lines->nodes[first];
    if (first + count >= lines->count || kind == CONVERT_ATTRIBUTION_FORWARD)
        return;
    uint32_t behind = lines->nodes[first + count];
    tree->nodes[behind].marks |= HTML_BEGINS_PARAGRAPH;
    uint32_t container = kind == CONVERT_ATTRIBUTION_WROTE ? find_container(tree, lines->nodes[first]) : HTML_NONE;
    if (container == HTML_NONE || behind >= tree->nodes[container].end)
        return;
    tree->nodes[behind].marks |= HTML_BEGINS_QUOTE;
    tree->nodes[container].marks |= HTML_HOLDS_QUOTE;
}

void html_content_mark(struct html_tree *tree)
{
    struct lines lines;
    read_lines(tree, &lines);
    struct convert_attribution_line *texts = xcalloc(lines.count + 1, sizeof *texts);
    size_t start = 0;
    for (size_t i = 0; i < lines.count; i++) {
        const char *text = lines.text.data + start;
        texts[i] = (struct convert_attribution_line){ text, strcspn(text, "\n") };
        start += texts[i].len + 1;
    }
    for (size_t i = 0; i < lines.count;) {
        enum convert_attribution kind;
        size_t left = lines.count - i < CONVERT_ATTRIBUTION_LINES_MAX ? lines.count - i : CONVERT_ATTRIBUTION_LINES_MAX;
        size_t count = convert_attribution_match(texts + i, left, &kind);
        if (count > 0)
            mark_introduction(tree, &lines, i, count, kind);
        else if (texts[i].len == 2 && memcmp(texts[i].text, "--", 2) == 0)
            tree->nodes[lines.nodes[i]].marks |= HTML_BEGINS_SIGNATURE;
        if (count > 0 && kind == CONVERT_ATTRIBUTION_FORWARD) /* what follows is news, whatever it looks like */
            break;
        i += count > 0 ? count : 1;
    }
    free(texts);
    free(lines.nodes);
    strbuf_free(&lines.text);
}

void html_content_gather(const struct html_tree *tree, const struct html_node *node, size_t max, struct strbuf *out)
{
    uint32_t first = (uint32_t)(node - tree->nodes);
    for (uint32_t i = first; i < node->end && out->len < max; i++) {
        const struct html_node *text = &tree->nodes[i];
        if (text->name == HTML_TEXT && html_content_shows(text))
            html_node_text(text, out);
    }
}
