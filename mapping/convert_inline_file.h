/* convert_inline_file.h - files in the middle of a text: uuencode and yEnc
 *
 * What mail and news programs wrote before MIME, and some still do. Found by its first line and believed only when
 * the lines that follow have the form and the last one is there: "begin 644 lines" in a letter is a letter. Linear:
 * each octet is looked at once or twice. Pure functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

struct convert_inline_file {
    size_t offset, len; /* of the block with its first and last line */
    size_t content, content_len;
    size_t name, name_len; /* within the text, raw; 0: none */
    bool is_yenc;
    bool is_partial; /* yEnc: one of several parts of a file */
};

/* The first block at or after from; false when there is none. text: bytes, before any charset. */
bool convert_inline_file_find(const char *text, size_t len, size_t from, struct convert_inline_file *file_out);
/* Appends its bytes; out's maximum bounds them. False: damaged, what could be decoded is there. */
bool convert_inline_file_decode(const char *text, const struct convert_inline_file *file, struct strbuf *out);
