/* convert_commonmark.h - writing CommonMark that renders as it was meant
 *
 * Callers say what is there (text, emphasis, a link, a quote, a list item) and never write markup. Text is escaped
 * only where a character would act; emphasis is set only where its delimiters work; blank lines appear between blocks
 * and nowhere else. GitHub tables and strikethrough and the member client's slides (":::") count as markup.
 *
 * Text is UTF-8; control characters in it become U+FFFD. Output goes to the strbuf given at the start, whose maximum
 * bounds it: check strbuf_ok() at the end. One writer serves one document. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;
struct commonmark_writer;

enum commonmark_emphasis { COMMONMARK_EM, COMMONMARK_STRONG, COMMONMARK_STRIKE, COMMONMARK_EMPHASIS_COUNT };

struct commonmark_writer *commonmark_writer_new(struct strbuf *out);
void commonmark_writer_free(struct commonmark_writer **writer);
size_t commonmark_length(const struct commonmark_writer *writer); /* octets of all blocks that are written */

/* Inline content of the current block. Newlines in text are spaces. */
void commonmark_add_text(struct commonmark_writer *writer, const char *text, size_t len);
void commonmark_add_break(struct commonmark_writer *writer); /* a line break that shows */
void commonmark_add_autolink(struct commonmark_writer *writer, const char *url,
                             size_t len); /* <url>; no spaces, "<" or ">" in it */
/* As text, when it is blank or has 16 backticks in a row. */
void commonmark_add_code(struct commonmark_writer *writer, const char *text, size_t len);
void commonmark_add_image(struct commonmark_writer *writer, const char *alt, const char *url);
void commonmark_open_emphasis(struct commonmark_writer *writer, enum commonmark_emphasis kind);
void commonmark_close_emphasis(struct commonmark_writer *writer, enum commonmark_emphasis kind);
/* A link's text is what is added between the two; without any there is no link. Every block that begins or ends
 * inside is linked on its own. No link inside a link. The url is percent-encoded as needed. */
void commonmark_open_link(struct commonmark_writer *writer, const char *url);
void commonmark_close_link(struct commonmark_writer *writer);
bool commonmark_block_is_empty(const struct commonmark_writer *writer);

/* Blocks. A paragraph or heading is what was added since the last block. */
void commonmark_end_paragraph(struct commonmark_writer *writer);
void commonmark_end_heading(struct commonmark_writer *writer, unsigned level); /* 1..6 */
void commonmark_add_code_block(struct commonmark_writer *writer, const char *text, size_t len);
void commonmark_add_rule(struct commonmark_writer *writer);

/* Tables. Cells hold inline content, which is one line; missing cells are empty, surplus ones are left out. The first
 * row is the head. Only cells and rows may be added until the table is closed. */
enum commonmark_align { COMMONMARK_ALIGN_NONE, COMMONMARK_ALIGN_LEFT, COMMONMARK_ALIGN_CENTER, COMMONMARK_ALIGN_RIGHT };
void commonmark_open_table(struct commonmark_writer *writer, const enum commonmark_align *alignments, size_t columns);
void commonmark_end_cell(struct commonmark_writer *writer); /* of what was added since the last one */
void commonmark_end_row(struct commonmark_writer *writer);
void commonmark_close_table(struct commonmark_writer *writer);

/* Containers; each ends the current paragraph. Beyond CONVERT_QUOTE_DEPTH_MAX they are counted but not written. */
void commonmark_open_quote(struct commonmark_writer *writer);
void commonmark_open_list(struct commonmark_writer *writer, bool ordered, unsigned start);
void commonmark_part_items(struct commonmark_writer *writer); /* of the list just opened: empty lines between them */
void commonmark_open_item(struct commonmark_writer *writer);
bool commonmark_is_top_level(const struct commonmark_writer *writer); /* no container is open */
void commonmark_close_container(struct commonmark_writer *writer);    /* the innermost; nothing when there is none */
