/* convert_html.h - HTML of mail as CommonMark
 *
 * Paragraphs, headings, lists, emphasis, links, quotes, code, pictures that are attached, and tables. What a reader
 * would not see (scripts, styles, hidden elements, tracking pixels) is left out; nothing is ever loaded: a picture
 * elsewhere becomes a link. Nesting and sizes are limited (convert_limits.h). Time is linear. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct commonmark_writer;
struct convert_history;
struct strbuf;

/* Where a document's pictures are. Names have their prefix ("u:photo.png") and live as long as ctx. */
struct convert_html_pictures {
    /* The attached part that "cid:ID" (ID is given, percent-decoded) or another address (as written, compared with
     * Content-Location) means; NULL when there is none. */
    const char *(*find)(const char *id_or_location, void *ctx);
    /* A picture that stood in the document itself (data: url) becomes an attachment. type: "image/png", lower case.
     * Takes data (malloc'ed) over in any case. NULL when there is no room. May be NULL: such pictures are left out. */
    const char *(*add)(const char *type, void *data, size_t len, void *ctx);
    void *ctx;
};

/* text: HTML as valid UTF-8 (the charset step is the caller's). pictures and history may be NULL. Quoted history is
 * told to `history`, which must write to the same writer. false when more than CONVERT_HTML_TEXTS_MAX pieces of text
 * are in it: the rest is missing then. */
bool convert_html_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_html_pictures *pictures, struct convert_history *history);

/* What a document carries that plain text cannot. */
struct convert_html_measure {
    size_t headings;
    size_t list_items;
    size_t tables;   /* of data, not of layout */
    size_t links;    /* whose text is not their address */
    size_t emphases; /* pieces of bold, italic or struck text that are not all of their paragraph */
    size_t pictures; /* attached or in the document, not decoration */
    size_t code;     /* preformatted blocks and pieces of code */
};

/* Counts, except in quotes, and appends the text that a reader sees, line by line, without any markup. */
void convert_html_measure(const char *text, size_t len, struct strbuf *plain_out,
                          struct convert_html_measure *measure_out);

/* Whether there are words between its tags, be they seen or not: scripts, styles and the title don't count. */
bool convert_html_has_words(const char *text, size_t len);

/* The charset that the document itself declares in its first bytes; false when it does not. */
bool convert_html_declared_charset(const char *html, size_t len, char charset_out[static 64]);

/* Code point of an entity's name ("amp", "nbsp"); 0 when unknown. */
uint32_t convert_html_entity(const char *name);

/* "this_u:NAME", percent-encoded, for an attachment's name with prefix. Appends. */
void convert_html_attachment_url(struct strbuf *out, const char *name);
