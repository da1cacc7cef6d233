/* convert_html_token.h - HTML as a sequence of tags and texts
 *
 * Tokens point into the document; nothing is copied, and any size of tag or attribute is passed over in linear time.
 * Comments are no tokens, nor are the marks of Microsoft's conditional sections ("<![if ...]>"), doctypes and
 * processing instructions; what stands between the marks is. A comment that never ends is text after all, as is an
 * address in angle brackets, which no mail program meant as a tag. Internal to mapping/convert_html*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_html_name.h"

struct html_tokens {
    const char *text;
    size_t len;
    size_t at;
    enum html_name raw; /* what we are in takes everything up to its end tag as text; else HTML_TEXT */
    /* Not found from some place to the end, and not searched for again: */
    bool no_comment_end, no_single, no_double, no_tag_end, no_end;
};

enum html_token_kind { HTML_TOKEN_END_OF_TEXT, HTML_TOKEN_TEXT, HTML_TOKEN_START, HTML_TOKEN_END };

struct html_token {
    enum html_token_kind kind;
    enum html_name name; /* of a tag; of a text the raw element that it is in, else HTML_TEXT */
    const char *text;    /* of a text: with references in it, unless it is raw; of a start tag: its attributes */
    size_t len;
    bool closes_itself; /* "<x/>" */
};

struct html_attribute {
    enum html_attribute_name name;
    const char *value; /* as written */
    size_t len;
};

void html_tokens_init(struct html_tokens *tokens, const char *text, size_t len);
/* false at the end. */
bool html_tokens_next(struct html_tokens *tokens, struct html_token *token_out);

/* Takes the next attribute off the text of a start tag; false when there is none. */
bool html_token_next_attribute(struct html_token *token, struct html_attribute *attribute_out);
