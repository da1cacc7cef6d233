/* convert_html_writer.h - from a document's nodes to calls of the CommonMark writer: what the rooms share
 *
 * convert_html_write walks the tree, convert_html_inline puts texts together into lines (white space, emphasis, breaks
 * only where something follows), convert_html_link judges addresses and pictures, convert_html_list and
 * convert_html_table write what their names say. Internal to mapping/convert_html*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html_tree.h"

struct convert_history;
struct convert_html_pictures;

enum { HTML_APPLIED_MAX = 4 }; /* three emphases and a link */

struct html_writer {
    struct commonmark_writer *out;
    struct html_tree *tree;
    const struct convert_html_pictures *pictures; /* NULL: none */
    struct convert_history *history;              /* NULL: none */
    struct strbuf base;                           /* of relative addresses; "": none */

    /* The line that is being written. */
    struct strbuf blanks;  /* before the next text */
    uint32_t blanks_look;  /* what all of them are */
    bool blanks_are_kept;  /* every one of them counts */
    struct strbuf unseen;  /* characters without width before the next text */
    bool is_left_to_right; /* there is no letter of another script in the document: marks of direction say nothing */
    bool has_filler;       /* they were more than that */
    struct strbuf run;     /* text of one look that is not written yet */
    uint32_t run_look;
    bool line_has_content;
    bool needs_break, needs_paragraph; /* before the next text */
    bool is_single_line;               /* a heading or a cell: breaks become blanks */
    unsigned heading;                  /* level; 0: none */
    bool has_written;                  /* since the last paragraph */
    bool after_rule;                   /* nothing since */
    uint32_t masked;                   /* looks that don't count here */

    char *link;         /* address for the text that comes; NULL */
    uint32_t link_look; /* emphases around it */
    bool link_has_text; /* there is something to show of it */
    unsigned link_number, written_link;
    int applied[HTML_APPLIED_MAX]; /* enum commonmark_emphasis, or the link; the innermost last */
    unsigned applied_count;

    bool in_signature;
    uint32_t quote_end; /* the quote that we opened at a mark ends there; HTML_NONE: none */
};

/* ---- convert_html_write ---- */

void html_write_node(struct html_writer *writer, uint32_t number);
void html_write_children(struct html_writer *writer, const struct html_node *node);

/* ---- convert_html_inline ---- */

void html_inline_init(struct html_writer *writer);
void html_inline_free(struct html_writer *writer);
/* look: of enum html_look. */
void html_inline_text(struct html_writer *writer, const char *text, size_t len, uint32_t look);
void html_inline_break(struct html_writer *writer);
void html_inline_blank(struct html_writer *writer);
void html_inline_autolink(struct html_writer *writer, const char *url, uint32_t look);
void html_inline_image(struct html_writer *writer, const char *alt, const char *url, uint32_t look);
/* The text that comes is linked; NULL: no longer. No link in a link. */
void html_inline_open_link(struct html_writer *writer, const char *url, uint32_t look);
void html_inline_close_link(struct html_writer *writer);
/* The end of a block's line: the next text begins another one, or a paragraph. */
void html_inline_end_line(struct html_writer *writer, bool is_apart);
void html_inline_end_paragraph(struct html_writer *writer);
void html_inline_flush(struct html_writer *writer); /* writes what is held back, except blanks */

/* ---- convert_html_link ---- */

void html_link_write(struct html_writer *writer, const struct html_node *node); /* <a> */
void html_link_write_area(struct html_writer *writer, const struct html_node *node);
void html_link_write_picture(struct html_writer *writer, const struct html_node *node);
void html_link_set_base(struct html_writer *writer, const struct html_node *node);
/* A picture that shows nothing: a spacer, or a tracker. */
bool html_link_is_unseen(const struct html_tree *tree, const struct html_node *node);

/* ---- convert_html_list ---- */

enum { HTML_OFFICE_LEVELS_MAX = 9 };

/* Lists of Office are paragraphs one after the other, each with its level. */
struct html_office_lists {
    struct {
        unsigned level, list;
        bool is_ordered;
    } open[HTML_OFFICE_LEVELS_MAX];
    unsigned count;
};

void html_list_write(struct html_writer *writer, const struct html_node *node);
/* Writes the node if it is an item of such a list; false when it is none: lists that were open are ended then, if it
 * shows. */
bool html_list_write_office_item(struct html_writer *writer, struct html_office_lists *lists, struct html_node *node);
void html_list_end_office(struct html_writer *writer, struct html_office_lists *lists);

/* ---- convert_html_table ---- */

void html_table_write(struct html_writer *writer, const struct html_node *node);
bool html_table_is_data(const struct html_tree *tree, const struct html_node *node);
