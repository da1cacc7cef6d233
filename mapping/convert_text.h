/* convert_text.h - plain text of mail as CommonMark that renders as written
 *
 * Lines stay lines (hard breaks), ">" quotes become block quotes, lists lists, lines drawn of characters rules; what needs its
 * columns (tables, code, diffs, drawings) becomes a code block; elsewhere runs of blanks are kept by no-break spaces.
 * A signature's "--" begins a paragraph. Addresses become links, everything else is escaped where it would act.
 * format=flowed (RFC 3676) is joined to paragraphs first. What may differ from the text as it was written, and nothing
 * else, is listed in docs/DEVIATIONS.md. Pure functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct commonmark_writer;
struct convert_history;
struct strbuf;

struct convert_text_format {
    bool is_flowed;
    bool is_delsp;
};

/* text: UTF-8 with any line ends. Adds blocks to the writer. history: is told which parts of it are older mail; NULL. */
void convert_text_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_text_format *format, struct convert_history *history);

/* Adds one line, or a piece of one, to the paragraph, with its blanks and links. */
void convert_text_write_line(struct commonmark_writer *writer, const char *text, size_t len);

/* Appends text with LF line ends; control characters that mean nothing in mail become U+FFFD, invalid UTF-8 too.
 * The colours of terminals are left out. */
void convert_text_clean(struct strbuf *out, const char *text, size_t len);

/* Adds text, with the addresses in it as links. */
void convert_text_add_linked(struct commonmark_writer *writer, const char *text, size_t len);
bool convert_text_is_blank(const char *text, size_t len); /* nothing that shows */
