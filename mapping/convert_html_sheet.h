/* convert_html_sheet.h - the simple rules of a document's style sheets
 *
 * Only selectors of one element ("p", ".x", "p.x"), and no rules inside "@media" and the like: those are for some
 * readers only. Up to CONVERT_HTML_RULES_MAX rules; further ones don't count. Internal to mapping/convert_html*.
 */
#pragma once
#include "mapping/convert_html_style.h"

struct html_sheet;

/* From all style elements of the tree; NULL when there are no rules. */
struct html_sheet *html_sheet_new(const struct html_tree *tree);
void html_sheet_free(struct html_sheet **sheet);

/* Adds what the rules say about the node. */
void html_sheet_apply(const struct html_sheet *sheet, const struct html_tree *tree, const struct html_node *node,
                      struct html_style *style);
