/* convert_commonmark_inline.h - from a block's inline content to CommonMark
 *
 * The writer collects a block as text with one-byte marks in it (the text itself has no control characters);
 * this renders it once the block is complete, when what stands beside each character is known. Internal to
 * mapping/convert_commonmark*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum {
    MARK_OPEN = 1,  /* + enum commonmark_emphasis: 1..3 */
    MARK_CLOSE = 4, /* + enum commonmark_emphasis: 4..6 */
    MARK_BREAK = '\n',
    MARK_VERBATIM = 14, /* up to MARK_END: markup that is written as it is */
    MARK_END = 15,
    MARK_LINK_OPEN = 16, /* "[" */
    MARK_LINK_CLOSE = 17 /* "]", then a verbatim "(url)" */
};

/* Appends the block's lines, separated by '\n', a hard break as two spaces before it; single_line: breaks become
 * spaces. */
void commonmark_render_inline(struct strbuf *out, const char *content, size_t len, bool single_line);

/* Whether text begins with "&name;" or "&#123;", which a renderer would replace. */
bool commonmark_is_entity(const char *text, size_t len);
