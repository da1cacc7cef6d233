/* convert_text.h - plain text of mail as CommonMark that renders as written
 *
 * Lines stay lines (hard breaks), "> " quotes become block quotes, a signature's "-- " stays, runs of blanks are kept
 * by no-break spaces, addresses of the web become links, everything else is escaped where it would act. format=flowed
 * (RFC 3676) is unfolded into paragraphs first. Pure functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct commonmark_writer;
struct strbuf;

struct convert_text_format {
    bool is_flowed;
    bool is_delsp;
};

/* text: UTF-8 with any line ends. Adds paragraphs to the writer. */
void convert_text_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_text_format *format);

/* Appends text with LF line ends; control characters that mean nothing in mail become U+FFFD, invalid UTF-8 too. */
void convert_text_clean(struct strbuf *out, const char *text, size_t len);

/* Adds text, with the web addresses in it as links. */
void convert_text_add_linked(struct commonmark_writer *writer, const char *text, size_t len);
bool convert_text_is_blank(const char *text, size_t len); /* nothing that shows */
