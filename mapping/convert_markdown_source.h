/* convert_markdown_source.h - a body before the parser sees it
 *
 * Clean text, with what the member client reads and the parser does not in a form that both do:
 * - A line of three colons begins a slide, one of ":::>" ends the last one. They become thematic breaks, or nothing where
 *   nothing is to be divided.
 * - The line under a table's head may have a single hyphen for a column; it gets three. It must have as many columns as
 *   the head; a backslash shows the parser one that has less.
 * Lines within code are changed too, since only the parser knows what is code: from the place of a text it can be found out
 * what somebody wrote there. Internal to mapping/convert_markdown*.
 */
#pragma once
#include <stddef.h>

#include "base/strbuf.h"

struct markdown_change {
    size_t offset, len; /* in the text that is parsed */
    char *original;
};

struct markdown_source {
    struct strbuf text;              /* LF line ends, one at the end */
    struct markdown_change *changes; /* by their offsets */
    size_t count, room;
};

void markdown_source_read(struct markdown_source *source, const char *body, size_t len);
/* What was changed first within the text, and where in it; NULL: nothing. */
const struct markdown_change *markdown_source_find_change(const struct markdown_source *source, const char *text,
                                                          size_t len, size_t *at_out);
void markdown_source_free(struct markdown_source *source);
