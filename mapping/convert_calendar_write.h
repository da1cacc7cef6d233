/* convert_calendar_write.h - what convert_calendar.h has read, as a block for people
 *
 * A bold line, and a list below it. Also for what a winmail.dat says of a meeting. Lines point into the unfolded text.
 * Internal to mapping/convert_calendar* and mapping/convert_tnef*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_calendar_internal.h"
#include "mapping/convert_content_line.h"
#include "mapping/convert_limits.h"

enum calendar_property {
    CALENDAR_SUMMARY,
    CALENDAR_START,
    CALENDAR_END,
    CALENDAR_DUE,
    CALENDAR_DURATION,
    CALENDAR_RULE,
    CALENDAR_RECURRENCE_ID,
    CALENDAR_LOCATION,
    CALENDAR_ORGANIZER,
    CALENDAR_STATUS,
    CALENDAR_SEQUENCE,
    CALENDAR_COMMENT,
    CALENDAR_DESCRIPTION,
    CALENDAR_CONFERENCE,
    CALENDAR_URL,
    CALENDAR_ALL_DAY,
    CALENDAR_PROPERTIES
};

enum calendar_entry_kind { CALENDAR_EVENT, CALENDAR_TODO, CALENDAR_JOURNAL, CALENDAR_FREEBUSY, CALENDAR_ENTRY_KINDS };

struct calendar_dates {
    struct content_line lines[CONVERT_CALENDAR_DATE_LINES_MAX];
    size_t count;
    bool is_cut; /* there are more */
};

struct calendar_entry {
    enum calendar_entry_kind kind;
    struct content_line properties[CALENDAR_PROPERTIES]; /* name NULL: not there */
    struct content_line attendees[CONVERT_CALENDAR_PEOPLE_MAX];
    size_t attendee_count; /* may be more than are kept */
    struct calendar_dates except, also;
};

struct calendar {
    struct content_line method; /* name NULL: none */
    struct calendar_zones *zones;
    struct calendar_entry entries[CONVERT_CALENDAR_ENTRIES_MAX];
    size_t entry_count; /* may be more than are kept */
};

#define CALENDAR_PLAIN_EVENT "Event" /* the heading of one that nobody is asked to answer */

void calendar_write_entry(struct commonmark_writer *writer, const struct calendar_zones *zones,
                          const struct calendar_entry *entry, const char *heading);
void calendar_write_surplus(struct commonmark_writer *writer, size_t count);
/* A value with line feeds, as text that was written by hand; false when nothing of it shows. */
bool calendar_write_text(struct commonmark_writer *writer, const struct content_line *line);

/* The pieces, for who has no lines. Text is UTF-8; a NULL or blank one writes nothing. */
void calendar_write_heading(struct commonmark_writer *writer, const char *heading, const char *summary, size_t len);
void calendar_open_items(struct commonmark_writer *writer);
void calendar_write_item(struct commonmark_writer *writer, const char *label, const char *text, size_t len);
void calendar_close_items(struct commonmark_writer *writer);
/* "Tue, 3 March 2026, 10:00 to 11:00 (Europe/Berlin, UTC+01:00), that is 09:00 to 10:00 UTC". end may be NONE. */
void calendar_add_period(struct strbuf *out, const struct calendar_zones *zones, const struct calendar_time *start,
                         const struct calendar_time *end);
