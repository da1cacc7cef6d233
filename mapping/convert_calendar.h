/* convert_calendar.h - a summary of text/calendar (RFC 5545, RFC 5546): what, when, where, who
 *
 * A bold line says what it is ("Invitation: Project meeting"), a list below it when (with the time zone that the file
 * names, its offset as the file's own VTIMEZONE has it, and UTC), how it repeats, where, and who is invited and has
 * answered what. Read as programs write it: any line ends, folds, Windows zone names, missing parts. Descriptions are
 * left out: they repeat the mail. The whole file is to be attached besides.
 *
 * Own code, not libical: that is 20,000 lines, opens /usr/share/zoneinfo, which a locked-down worker has not, and knows
 * more than a summary needs. No file, no locale, no clock is looked at. Linear in time; limits: convert_limits.h.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_charsets;
struct commonmark_writer;

/* data: the part's content without its transfer encoding; charset: its label, "" when undeclared (folds may split a
 * character, so decoding comes after unfolding). False: nothing in it can be told, and nothing was written. */
bool convert_calendar_write(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                            const void *data, size_t len);
/* The description of its first entry, as text, for a mail that has no other text. False as above. */
bool convert_calendar_write_description(struct convert_charsets *charsets, struct commonmark_writer *writer,
                                        const char *charset, const void *data, size_t len);
