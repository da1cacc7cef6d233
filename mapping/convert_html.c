#include "mapping/convert_html.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html_content.h"
#include "mapping/convert_html_entity.h"
#include "mapping/convert_html_style.h"
#include "mapping/convert_html_tree.h"
#include "mapping/convert_html_writer.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

enum { BASE_MAX = 2048 };

/* Hebrew, Arabic and their neighbours, by the first octets of their characters. */
static bool is_left_to_right(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if ((c >= 0xD6 && c <= 0xDF) || (c == 0xE0 && i + 1 < len && (uint8_t)text[i + 1] < 0xA4) || c == 0xEF)
            return false;
    }
    return !memmem(text, len, "&#1", 3); /* letters by their numbers, perhaps */
}

bool convert_html_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_html_pictures *pictures, struct convert_history *history)
{
    struct html_tree tree;
    html_tree_build(&tree, text, len);
    html_style_apply(&tree);
    html_content_measure(&tree);
    html_content_mark(&tree);
    struct html_writer html = { .out = writer, .tree = &tree, .pictures = pictures, .history = history };
    html.is_left_to_right = is_left_to_right(text, len);
    strbuf_init(&html.base, BASE_MAX);
    html_inline_init(&html);
    html_write_children(&html, &tree.nodes[0]);
    html_inline_end_paragraph(&html);
    html_inline_free(&html);
    strbuf_free(&html.base);
    bool is_whole = !tree.is_cut;
    html_tree_free(&tree);
    return is_whole;
}

bool convert_html_has_words(const char *text, size_t len)
{
    struct html_tokens tokens;
    struct html_token token;
    bool found = false;
    html_tokens_init(&tokens, text, len);
    while (!found && html_tokens_next(&tokens, &token)) {
        if (token.kind != HTML_TOKEN_TEXT || token.name != HTML_TEXT)
            continue;
        struct strbuf words;
        strbuf_init(&words, token.len * 4 + 4);
        convert_html_entity_add_text(&words, token.text, token.len, false);
        found = !convert_text_is_blank(words.data, words.len);
        strbuf_free(&words);
    }
    return found;
}

/* ---- measuring ---- */

/* Whether a link says more than its text. */
static bool link_says_more(const struct html_tree *tree, const struct html_node *node)
{
    const struct html_attribute *href = html_node_attribute(tree, node, HTML_ATTRIBUTE_HREF);
    if (!href || node->visible == 0 || strncasecmp(href->value, "http", href->len < 4 ? href->len : 4) != 0)
        return false;
    struct strbuf text, url;
    strbuf_init(&text, href->len * 3 + 1000);
    strbuf_init(&url, href->len * 3 + 1);
    html_content_gather(tree, node, href->len + 1, &text);
    (void)html_node_value(tree, node, HTML_ATTRIBUTE_HREF, &url);
    char *line = convert_utf8_one_line(text.data, text.len, text.len);
    size_t n = strlen(line);
    bool is_part = n > 3 && strstr(url.data, line) != NULL; /* "example.com/x" for "https://example.com/x" */
    free(line);
    strbuf_free(&text);
    strbuf_free(&url);
    return !is_part;
}

/* Emphasis says something where there is other text beside it. */
static bool is_emphasis(const struct html_tree *tree, const struct html_node *node)
{
    static const uint32_t looks = HTML_LOOK_BOLD | HTML_LOOK_ITALIC | HTML_LOOK_STRIKE;
    const struct html_node *parent = &tree->nodes[node->parent];
    if (!(node->look & looks & ~parent->look) || node->visible == 0 || (node->look & HTML_LOOK_BLOCK) ||
        node->name == HTML_TH)
        return false;
    while (!(parent->look & HTML_LOOK_BLOCK) && parent->name != HTML_TD && parent != tree->nodes)
        parent = &tree->nodes[parent->parent];
    return parent->visible > node->visible;
}

static bool is_picture(const struct html_tree *tree, const struct html_node *node)
{
    const struct html_attribute *src = html_node_attribute(tree, node, HTML_ATTRIBUTE_SRC);
    return src &&
           ((src->len > 4 && strncasecmp(src->value, "cid:", 4) == 0) ||
            (src->len > 5 && strncasecmp(src->value, "data:", 5) == 0)) &&
           !html_link_is_unseen(tree, node);
}

static void measure_node(const struct html_tree *tree, const struct html_node *node,
                         struct convert_html_measure *measure)
{
    enum html_name name = (enum html_name)node->name;
    unsigned list, level;
    measure->headings += name >= HTML_H1 && name <= HTML_H6 && node->visible > 0;
    measure->list_items +=
        (name == HTML_LI || (name == HTML_P && html_style_office_list(tree, node, &list, &level))) && node->visible > 0;
    measure->tables += name == HTML_TABLE && html_table_is_data(tree, node);
    measure->links += name == HTML_A && link_says_more(tree, node);
    measure->emphases += is_emphasis(tree, node);
    measure->pictures += name == HTML_IMG && is_picture(tree, node);
    measure->code +=
        ((node->look & HTML_LOOK_CODE) && !(tree->nodes[node->parent].look & HTML_LOOK_CODE) && node->visible > 0) ||
        name == HTML_PRE;
}

void convert_html_measure(const char *text, size_t len, struct strbuf *plain_out,
                          struct convert_html_measure *measure_out)
{
    *measure_out = (struct convert_html_measure){ 0 };
    struct html_tree tree;
    html_tree_build(&tree, text, len);
    html_style_apply(&tree);
    html_content_measure(&tree);
    html_content_mark(&tree);
    uint32_t end = tree.original != HTML_NONE ? tree.original : tree.count;
    for (uint32_t i = 1; i < end; i++) { /* what is quoted has another author */
        const struct html_node *node = &tree.nodes[i];
        if ((node->look & HTML_LOOK_GONE) || node->name == HTML_BLOCKQUOTE || html_style_is_office_marker(&tree, node))
            i = node->end - 1;
        else if (node->name != HTML_TEXT && !node->ends_format)
            measure_node(&tree, node, measure_out);
    }
    html_content_text(&tree, plain_out);
    html_tree_free(&tree);
}

/* ---- single facts ---- */

/* The name behind "charset=" or "encoding=" in a tag; false when there is none. */
static bool find_charset(const char *text, size_t len, const char *key, char charset_out[static 64])
{
    enum { LABEL_MAX = 63 };
    for (size_t i = 0; i + strlen(key) < len; i++) {
        if (strncasecmp(text + i, key, strlen(key)) != 0)
            continue;
        i += strlen(key);
        while (i < len && strchr(" \t\r\n=\"'", text[i]) && text[i] != '\0')
            i++;
        size_t n = 0;
        while (i + n < len && n < LABEL_MAX &&
               (isalnum((unsigned char)text[i + n]) || (text[i + n] != '\0' && strchr("-_.:", text[i + n]))))
            n++;
        memcpy(charset_out, text + i, n);
        charset_out[n] = '\0';
        if (strncasecmp(charset_out, "utf-16", 6) == 0) /* then this could not have been read */
            memcpy(charset_out, "utf-8", sizeof "utf-8");
        return n > 0;
    }
    return false;
}

bool convert_html_declared_charset(const char *html, size_t len, char charset_out[static 64])
{
    enum { SNIFFED = 64 * 1024 }; /* some programs write all their styles first */
    static const char xml[] = "<?xml";
    len = len < SNIFFED ? len : SNIFFED;
    const char *end = len > strlen(xml) && memcmp(html, xml, strlen(xml)) == 0 ? memchr(html, '>', len) : NULL;
    if (end && find_charset(html, (size_t)(end - html), "encoding", charset_out))
        return true;
    struct html_tokens tokens;
    html_tokens_init(&tokens, html, len);
    for (struct html_token token; html_tokens_next(&tokens, &token);) {
        if (token.kind == HTML_TOKEN_START && token.name == HTML_META &&
            find_charset(token.text, token.len, "charset", charset_out))
            return true;
    }
    return false;
}

uint32_t convert_html_entity(const char *name)
{
    struct strbuf text;
    strbuf_init(&text, 16);
    uint32_t code = 0;
    if (convert_html_entity_add(&text, name, strlen(name)))
        (void)convert_utf8_char(text.data, text.len, &code);
    strbuf_free(&text);
    return code;
}
