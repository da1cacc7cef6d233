/* convert_calendar_internal.h - the rooms of convert_calendar.h: times and zones, rules of repetition
 *
 * Times are seconds since 1970 on the clock of whatever zone they are in: adding an offset is all that separates them.
 * Pure functions over memory. Internal to mapping/convert_calendar* and mapping/convert_tnef*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct commonmark_writer;
struct content_line;
struct strbuf;

enum { CALENDAR_ZONE_NAME_MAX = 99, CALENDAR_DAY = 86400 };

/* ---- convert_calendar_time.c ---- */

enum calendar_kind {
    CALENDAR_NONE,     /* no time, or none that can be read */
    CALENDAR_DATE,     /* a day */
    CALENDAR_FLOATING, /* on whichever clock */
    CALENDAR_ZONED,
    CALENDAR_UTC,
};

struct calendar_time {
    enum calendar_kind kind;
    int64_t seconds;                       /* on its own clock */
    char zone[CALENDAR_ZONE_NAME_MAX + 1]; /* TZID as it stands; "" unless ZONED */
};

struct calendar_date {
    int64_t year;
    unsigned month, day; /* from 1 */
};

int64_t calendar_seconds(int64_t year, unsigned month, unsigned day); /* at midnight */
struct calendar_date calendar_date_of(int64_t seconds);
unsigned calendar_weekday(int64_t seconds); /* 0: Sunday */
unsigned calendar_days_in_month(int64_t year, unsigned month);

/* RFC 5545 section 3.3.4 and 3.3.5; dashes and colons are passed over. False: not one, and out is NONE. */
bool calendar_time_parse(const char *text, size_t len, struct calendar_time *time_out);
/* The value of a line, with its TZID. */
bool calendar_time_of(const struct content_line *line, struct calendar_time *time_out);
/* Section 3.3.6, in seconds. */
bool calendar_duration_parse(const char *text, size_t len, int64_t *seconds_out);
bool calendar_number(const char *text, size_t len, int64_t *number_out); /* with a sign; all of it, at most 9 digits */

void calendar_add_date(struct strbuf *out, int64_t seconds);  /* "Tue, 3 March 2026" */
void calendar_add_clock(struct strbuf *out, int64_t seconds); /* "10:00" */
void calendar_add_offset(struct strbuf *out, int32_t offset); /* "UTC+01:00" */
/* A TZID for people: without the vendor in front of it; "" for one that says nothing. Appends. */
void calendar_add_zone_name(struct strbuf *out, const char *zone);

/* ---- convert_calendar_zone.c: VTIMEZONE, section 3.6.5 ---- */

struct calendar_zones;
struct calendar_zones *calendar_zones_new(void);
void calendar_zones_free(struct calendar_zones **zones);
/* Takes the lines between BEGIN:VTIMEZONE and END:VTIMEZONE, with those of STANDARD and DAYLIGHT; call begin first. What
 * is beyond the limits is unknown later on. */
void calendar_zones_begin(struct calendar_zones *zones);
void calendar_zones_add_line(struct calendar_zones *zones, const struct content_line *line);
/* Seconds east of UTC at a time on the zone's own clock; false when it is not known. */
bool calendar_zones_offset(const struct calendar_zones *zones, const struct calendar_time *time, int32_t *offset_out);

/* ---- convert_calendar_rule.c: RRULE, section 3.3.10 ---- */

enum calendar_frequency { CALENDAR_DAILY, CALENDAR_WEEKLY, CALENDAR_MONTHLY, CALENDAR_YEARLY, CALENDAR_FREQUENCIES };
enum { CALENDAR_RULE_DAYS = 7, CALENDAR_RULE_MONTH_DAYS = 31, CALENDAR_RULE_MONTHS = 12 };

struct calendar_rule {
    enum calendar_frequency frequency;
    int64_t interval;           /* from 1 */
    int64_t count;              /* 0: not said */
    struct calendar_time until; /* NONE: not said */
    struct {
        int nth; /* 2: the second; -1: the last; 0: each */
        unsigned weekday;
    } days[CALENDAR_RULE_DAYS];
    size_t day_count;
    int month_days[CALENDAR_RULE_MONTH_DAYS];
    size_t month_day_count;
    unsigned months[CALENDAR_RULE_MONTHS];
    size_t month_count;
};

/* False: not a rule, or more than this can hold. "BYDAY=TU;BYSETPOS=2" becomes the second Tuesday. */
bool calendar_rule_parse(const char *text, size_t len, struct calendar_rule *rule_out);
/* "every 2 weeks on Monday and Friday, 10 times"; false: too much to be said in words, and nothing is appended. */
bool calendar_rule_add_words(struct strbuf *out, const struct calendar_rule *rule, const struct calendar_zones *zones,
                             const struct calendar_time *start);
