/* convert_tnef.h - what lies in a winmail.dat ([MS-OXTNEF], compressed RTF: [MS-OXRTFCP], [MS-OXRTFEX])
 *
 * Files with their long names, types and Content-IDs; messages in it as files of type message/rfc822, written anew; the
 * text of the message as plain text and HTML, for mail that has none of its own; what a meeting request says.
 * Damaged content gives what can be read. Limits: convert_limits.h. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_charsets;
struct commonmark_writer;

struct convert_tnef_file {
    char *name;       /* one line of UTF-8, not made safe; "" */
    char *type;       /* "image/png", lower case; "" */
    char *id;         /* Content-ID without angle brackets; "" */
    const char *data; /* in what was read, or the result's own */
    size_t len;
    char *owned; /* data when it is the result's own; else NULL */
};

struct convert_tnef_meeting;

struct convert_tnef {
    struct convert_tnef_file *files; /* at most CONVERT_TNEF_FILES_MAX */
    size_t file_count;
    char *text; /* plain, UTF-8, may be longer than CONVERT_TEXT_MAX allows to show; NULL: none */
    size_t text_len;
    char *html; /* UTF-8; NULL: none */
    size_t html_len;
    char *subject;                        /* one line of UTF-8; "" */
    struct convert_tnef_meeting *meeting; /* opaque; NULL: none */
    bool is_damaged;                      /* not all of it could be read: the original should be attached */
    bool is_incomplete;                   /* something is not in the above: for a limit, or it is no plain message */
};

/* room: octets that texts and messages in it may have together once they are unpacked; what would be more is left out
 * and makes it incomplete. data must outlive the result. NULL: no TNEF. */
struct convert_tnef *convert_tnef_read(struct convert_charsets *charsets, const void *data, size_t len, size_t room)
    __attribute__((warn_unused_result));
void convert_tnef_free(struct convert_tnef **tnef);

/* The meeting that a request, an answer or a cancellation in it is about, in the form of convert_calendar.h. False: it
 * is none of those, and nothing was written. */
bool convert_tnef_write_meeting(struct commonmark_writer *writer, const struct convert_tnef *tnef);
