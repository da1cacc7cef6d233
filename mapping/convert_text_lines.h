/* convert_text_lines.h - the lines of a plain text, without their quote marks
 *
 * Quotes are marked by ">"; other marks that some programs put there ("|", ":", "Bob>") are text. The lines of
 * format=flowed (RFC 3676) are joined to paragraphs, as its senders meant them: a line goes on in the next one when it
 * ends with a space, except at a signature's "-- ", at another depth, and before an empty line. Internal to
 * mapping/convert_text*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct convert_text_format;

struct convert_text_line {
    uint32_t start, len; /* in the lines' text; of an empty line len is how many of them are there */
    uint32_t offset;     /* in the text as given, of its first octet */
    uint8_t depth;       /* of quoting, up to CONVERT_QUOTE_DEPTH_MAX */
    bool is_empty;       /* nothing on it shows */
    bool is_joined;      /* it was several: prose */
    bool is_code;        /* to be shown with all columns as they are (convert_text_shape) */
    bool is_fence;       /* marks where code begins or ends, and is not shown */
};

struct convert_text_lines {
    char *text; /* of all lines, one after the other */
    struct convert_text_line *lines;
    size_t count;
};

/* text: what convert_text_clean() made, shorter than 4 GiB. Free the result. */
void convert_text_lines_read(struct convert_text_lines *lines_out, const char *text, size_t len,
                             const struct convert_text_format *format);
void convert_text_lines_free(struct convert_text_lines *lines);

/* Is this the line that begins a signature? "-- ", also without the blank, which often gets lost. */
bool convert_text_is_signature(const char *text, size_t len);
