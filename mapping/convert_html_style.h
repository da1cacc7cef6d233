/* convert_html_style.h - how the nodes of a document look
 *
 * What elements mean by themselves, the attributes of old ("bgcolor", "face"), simple rules of style sheets ("p",
 * ".x", "p.x"; not those for some media only) and style attributes, as far as it matters for text: what is hidden,
 * emphasised, code, a block, apart from its neighbours. Hidden is only what no reader would see, whatever program they
 * have. Linear. Internal to mapping/convert_html*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert_html_tree.h"

enum html_color { HTML_COLOR_UNKNOWN = 0x1000000, HTML_COLOR_TRANSPARENT, HTML_COLOR_UNSET };

enum html_display {
    HTML_DISPLAY_UNSET,
    HTML_DISPLAY_NONE,
    HTML_DISPLAY_BLOCK,
    HTML_DISPLAY_INLINE,
    HTML_DISPLAY_OTHER
};

enum html_font_unit { HTML_FONT_UNSET, HTML_FONT_ABSOLUTE, HTML_FONT_RELATIVE /* to 1/1000 of the parent's */ };

/* What declarations say; later ones win. */
struct html_style {
    uint32_t on, off; /* of enum html_look */
    enum html_display display;
    enum html_font_unit font_unit;
    uint32_t font_size; /* tenths of a pixel, or thousandths */
    uint32_t color, background;
    int margin_top, margin_bottom, margin_left; /* tenths of a pixel; -1: not said */
    int width, height, max_height;              /* likewise */
    bool hides_overflow, has_no_border;
    bool has_minimum; /* of width or height, whatever else is said of them */
    bool is_set;      /* anything at all */
};

void html_style_init(struct html_style *style);
/* Adds "name: value; name: value". */
void html_style_declare(struct html_style *style, const char *text, size_t len);
void html_style_merge(struct html_style *style, const struct html_style *later);

/* Gives every node its look, size and colours. */
void html_style_apply(struct html_tree *tree);

/* Reads "mso-list" out of a style attribute ("l0 level2 lfo1"); false when it has none. level is 1 or more. */
bool html_style_office_list(const struct html_tree *tree, const struct html_node *node, unsigned *list_out,
                            unsigned *level_out);
/* The words that mark the bullet or number in front of an item ("mso-list:Ignore"). */
bool html_style_is_office_marker(const struct html_tree *tree, const struct html_node *node);
/* Width and height that attributes or styles give a picture, in pixels; -1: not said. */
void html_style_size(const struct html_tree *tree, const struct html_node *node, long *width_out, long *height_out);
