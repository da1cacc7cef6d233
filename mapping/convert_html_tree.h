/* convert_html_tree.h - a document of HTML as a tree, and what is known of each of its nodes
 *
 * Built as browsers do where it matters in mail: missing end tags, tables without rows, formatting that ends in the
 * wrong order. Nodes are numbered in document order, so that a parent's number is smaller than its children's, and
 * passes over all of them are loops. Depth and number of elements are limited (convert_limits.h): what lies beyond
 * keeps its text. Texts and values point into the document, which must outlive the tree. Internal to
 * mapping/convert_html*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert_html_token.h"

struct strbuf;

enum { HTML_NONE = 0 }; /* as a number of a node: none. The root has it, too, and is nobody's child. */

/* How a node looks: declared in it, or handed down from what it is in. */
enum html_look {
    HTML_LOOK_BOLD = 1 << 0,
    HTML_LOOK_ITALIC = 1 << 1,
    HTML_LOOK_STRIKE = 1 << 2,
    HTML_LOOK_CODE = 1 << 3, /* code, by its element or because it is monospaced beside other text */
    HTML_LOOK_MONOSPACE = 1 << 4,
    HTML_LOOK_BLANKS = 1 << 5,     /* line ends and blanks show */
    HTML_LOOK_INVISIBLE = 1 << 6,  /* a child may be visible nevertheless */
    HTML_LOOK_UNREADABLE = 1 << 7, /* of text: too small, or of its background's colour */
    HTML_LOOK_GONE = 1 << 8,       /* it and all that is in it */
    HTML_LOOK_BLOCK = 1 << 9,      /* begins and ends a line */
    HTML_LOOK_APART = 1 << 10,     /* a block with room above or below */
    HTML_LOOK_INDENT = 1 << 11,    /* a block quote that only moves its text to the right */
    HTML_LOOK_QUOTE = 1 << 12,     /* a line at its left */
    HTML_LOOK_TOP_LINE = 1 << 13,  /* a line above it */
    HTML_LOOK_UNMARKED = 1 << 14   /* of a list: its items have no bullets or numbers */
};

/* What a node has in it, itself included. */
enum html_content {
    HTML_HAS_BLOCK = 1 << 0, /* not counting the node itself */
    HTML_HAS_TABLE = 1 << 1,
    HTML_HAS_LIST = 1 << 2,
    HTML_HAS_PICTURE = 1 << 3,
    HTML_HAS_LINK = 1 << 4,
    HTML_HAS_HEADING = 1 << 5,
    HTML_HAS_BREAK = 1 << 6,
    HTML_HAS_CODE_BLOCK = 1 << 7,
    HTML_HAS_QUOTE = 1 << 8,
    HTML_HAS_CONTROL = 1 << 9 /* of a form */
};

enum html_mark {
    HTML_BEGINS_PARAGRAPH = 1 << 0, /* whatever stands before it: the introduction of a quote */
    HTML_BEGINS_SIGNATURE = 1 << 1,
    HTML_BEGINS_QUOTE = 1 << 2, /* up to the end of the element around it that holds what is quoted */
    HTML_HOLDS_QUOTE = 1 << 4,  /* such an element */
    HTML_IS_SKIPPED = 1 << 3    /* nothing of it is written: a rule above what is quoted */
};

struct html_node {
    const char *text; /* of a text: as written, unless is_raw with references in it */
    uint32_t text_len;
    uint32_t parent, first, last, next; /* HTML_NONE: none */
    uint32_t end;                       /* the number behind its last descendant's */
    uint32_t attributes;                /* number of the first one */
    uint32_t visible;                   /* octets of text in it that show, at most; blanks not counted */
    uint32_t look;                      /* of enum html_look */
    uint16_t content;                   /* of enum html_content */
    uint8_t attribute_count;
    uint8_t marks; /* of enum html_mark */
    uint8_t name;  /* enum html_name */
    bool is_raw;
    bool ends_format;    /* no element of the document: from here on formatting is over that began outside */
    uint8_t lines;       /* blocks of text in it, and breaks between texts; the most that the type holds: or more */
    uint16_t font_size;  /* of text in it, in tenths of a pixel */
    uint32_t background; /* 0xRRGGBB, or one of enum html_color (convert_html_style.h) */
    uint32_t color;
};

struct html_tree {
    struct html_node *nodes;
    uint32_t count;
    uint32_t capacity;
    struct html_attribute *attributes;
    uint32_t attribute_count;
    uint32_t attribute_capacity;
    uint32_t original; /* the first node of quoted mail that is not marked as such; HTML_NONE: none */
    bool is_cut;       /* there was more than CONVERT_HTML_TEXTS_MAX texts */
};

void html_tree_build(struct html_tree *tree, const char *text, size_t len);
void html_tree_free(struct html_tree *tree);

/* NULL when the node has none of that name. */
const struct html_attribute *html_node_attribute(const struct html_tree *tree, const struct html_node *node,
                                                 enum html_attribute_name name);
/* Whether it has that value, in any case. */
bool html_node_value_is(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                        const char *value);
/* Appends its value, decoded; false when the node has none. */
bool html_node_value(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                     struct strbuf *out);
/* The number that the value begins with; -1: none, or over `max`. */
long html_node_number(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                      long max);
/* Appends what a text says, references replaced. */
void html_node_text(const struct html_node *node, struct strbuf *out);
