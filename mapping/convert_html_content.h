/* convert_html_content.h - what is in each part of a document, before anything of it is written
 *
 * Loops over all nodes, in linear time; html_style_apply() comes first. Internal to mapping/convert_html*.
 */
#pragma once
#include "mapping/convert_html_tree.h"

struct strbuf;

/* Sets visible, content and lines of every node; and what is code because it is monospaced beside other text. */
void html_content_measure(struct html_tree *tree);

/* Marks where quoted mail is introduced, and where signatures begin. */
void html_content_mark(struct html_tree *tree);

/* Appends the text that a reader sees, a line for each. */
void html_content_text(const struct html_tree *tree, struct strbuf *out);

/* Is the text seen? */
bool html_content_shows(const struct html_node *text);
/* Appends the text in a node, without any line ends, up to about max octets. */
void html_content_gather(const struct html_tree *tree, const struct html_node *node, size_t max, struct strbuf *out);
