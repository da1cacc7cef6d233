/* convert_markdown.h - a thread message's CommonMark as plain text and as HTML for mail
 *
 * CommonMark with GitHub's tables and strikethrough (parsed by md4c); raw HTML is shown as text. Links pass with the
 * schemes http, https and mailto; links to an attachment name it; pictures are shown only when they are attached to
 * the same message, and nothing refers to pictures elsewhere. Both renderings are UTF-8 with LF line ends. Pure
 * functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/* cid (without brackets) of the attached picture with this name ("u:photo.png"); NULL: no such, or no picture. */
typedef const char *convert_markdown_find_image(const char *name, void *ctx);

/* 1 done; -1 too long, too deep or too large: show it with the *_preformatted form. */
int convert_markdown_to_text(struct strbuf *out, const char *body, size_t len) __attribute__((warn_unused_result));
int convert_markdown_to_html(struct strbuf *out, const char *body, size_t len, convert_markdown_find_image *find_image,
                             void *ctx) __attribute__((warn_unused_result));

/* The source as it stands, line by line. */
void convert_markdown_to_preformatted_text(struct strbuf *out, const char *body, size_t len);
void convert_markdown_to_preformatted_html(struct strbuf *out, const char *body, size_t len);

/* The pieces of an HTML document of several texts. What add_html began when it failed is to be cut off. */
void convert_markdown_begin_html(struct strbuf *out);
void convert_markdown_end_html(struct strbuf *out);
int convert_markdown_add_html(struct strbuf *out, const char *body, size_t len, convert_markdown_find_image *find_image,
                              void *ctx) __attribute__((warn_unused_result));
void convert_markdown_add_preformatted_html(struct strbuf *out, const char *body, size_t len);
void convert_markdown_escape_html(struct strbuf *out, const char *text); /* valid UTF-8 */
