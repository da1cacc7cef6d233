/* convert_html.h - HTML of mail as CommonMark
 *
 * Paragraphs, headings, lists, emphasis, links, quotes, code, images that are attached, and tables as rows of text.
 * What a reader would not see (scripts, styles, hidden elements, tracking pixels) is left out; nothing is ever
 * loaded: an image elsewhere becomes a link. Parsed by libxml2's SAX interface without building a tree; depth and tag
 * length are limited (convert_limits.h), the caller limits the input. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct commonmark_writer;
struct strbuf;

/* Name of the attachment that a Content-ID means, with its prefix ("u:photo.png"); NULL when none. */
typedef const char *convert_html_find_cid(const char *cid, void *ctx);

/* text: HTML as valid UTF-8 (the charset step is the caller's). */
void convert_html_write(struct commonmark_writer *writer, const char *text, size_t len, convert_html_find_cid *find_cid,
                        void *ctx);

/* The charset that the document itself declares in its first bytes; false when it does not. */
bool convert_html_declared_charset(const char *html, size_t len, char charset_out[static 64]);

/* Code point of an entity's name ("amp", "nbsp"); 0 when unknown. */
uint32_t convert_html_entity(const char *name);

/* "this_u:NAME", percent-encoded, for an attachment's name with prefix. Appends. */
void convert_html_attachment_url(struct strbuf *out, const char *name);
