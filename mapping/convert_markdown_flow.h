/* convert_markdown_flow.h - lines of text in format=flowed (RFC 3676, without DelSp)
 *
 * A line that goes on in the next one ends with a blank; no other does, but the one before a signature. Nothing but
 * what begins with ">" is quoted: other lines that begin so, or with a blank or "From ", have a blank in front. Internal to
 * mapping/convert_markdown*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum { MARKDOWN_FLOW_COLUMNS = 78, MARKDOWN_FLOW_WANTED = 72 };

enum markdown_flow {
    MARKDOWN_FLOW_AS_IS,   /* not format=flowed: quote marks apart, nothing is wrapped or stuffed */
    MARKDOWN_FLOW_FIXED,   /* one line, however long */
    MARKDOWN_FLOW_WRAPPED, /* several fixed lines when it is too long */
    MARKDOWN_FLOW_FLOWED,  /* several lines that a reader joins again */
};

struct markdown_flow_line {
    enum markdown_flow flow;
    size_t quotes;            /* its depth */
    const char *first, *rest; /* what stands before the text, on the first and on further lines that are not joined */
};

void markdown_flow_add(struct strbuf *out, const struct markdown_flow_line *line, const char *text, size_t len);
/* The line before a signature. */
void markdown_flow_add_signature(struct strbuf *out, const struct markdown_flow_line *line);
