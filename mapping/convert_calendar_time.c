#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_calendar_internal.h"
#include "mapping/convert_content_line.h"
#include "mapping/convert_utf8.h"

enum { HOUR = 3600, MINUTE = 60, EPOCH_DAYS = 719468, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

/* ---- the calendar: years begin in March, so that leap days come last; an era is 400 years ---- */

int64_t calendar_seconds(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - (YEARS_PER_ERA - 1)) / YEARS_PER_ERA;
    int64_t year_of_era = y - era * YEARS_PER_ERA;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS) * CALENDAR_DAY;
}

static int64_t days_since_1970(int64_t seconds)
{
    int64_t days = seconds / CALENDAR_DAY;
    return seconds % CALENDAR_DAY < 0 ? days - 1 : days;
}

struct calendar_date calendar_date_of(int64_t seconds)
{
    int64_t days = days_since_1970(seconds) + EPOCH_DAYS;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_PER_ERA - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct calendar_date date = {
        .year = year_of_era + era * YEARS_PER_ERA,
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
    };
    if (date.month <= 2)
        date.year++;
    return date;
}

unsigned calendar_weekday(int64_t seconds)
{
    int64_t days = (days_since_1970(seconds) + 4) % 7; /* 1 January 1970 was a Thursday */
    return (unsigned)(days < 0 ? days + 7 : days);
}

unsigned calendar_days_in_month(int64_t year, unsigned month)
{
    int64_t next = month == 12 ? calendar_seconds(year + 1, 1, 1) : calendar_seconds(year, month + 1, 1);
    return (unsigned)((next - calendar_seconds(year, month, 1)) / CALENDAR_DAY);
}

/* ---- reading ---- */

bool calendar_number(const char *text, size_t len, int64_t *number_out)
{
    enum { DIGITS_MAX = 9 };
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    if (len == sign || len > DIGITS_MAX + sign)
        return false;
    int64_t number = 0;
    for (size_t i = sign; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        number = number * 10 + (text[i] - '0');
    }
    *number_out = text[0] == '-' ? -number : number;
    return true;
}

static unsigned digits(const char *text, size_t count)
{
    unsigned number = 0;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (unsigned)(text[i] - '0');
    return number;
}

/* "20260303", "20260303T100000", "20260303T1000", each with a "Z" perhaps: the digits in digits_out. */
static bool split_time(const char *text, size_t len, char digits_out[static 15], size_t *count_out, bool *is_utc_out)
{
    enum { DATE_DIGITS = 8, TIME_DIGITS = 14 };
    size_t count = 0;
    *is_utc_out = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (isdigit((unsigned char)c) && count < TIME_DIGITS)
            digits_out[count++] = c;
        else if ((c == 'Z' || c == 'z') && i == len - 1)
            *is_utc_out = true;
        else if (!((c == 'T' || c == 't') && count == DATE_DIGITS) && c != '-' && c != ':')
            return false;
    }
    *count_out = count;
    return count == DATE_DIGITS || count == TIME_DIGITS - 2 || count == TIME_DIGITS;
}

bool calendar_time_parse(const char *text, size_t len, struct calendar_time *time_out)
{
    char number[15];
    size_t count;
    bool is_utc;
    *time_out = (struct calendar_time){ .kind = CALENDAR_NONE };
    if (!split_time(text, len, number, &count, &is_utc))
        return false;
    unsigned year = digits(number, 4);
    unsigned month = digits(number + 4, 2);
    unsigned day = digits(number + 6, 2);
    if (year == 0 || month < 1 || month > 12 || day < 1 || day > calendar_days_in_month(year, month))
        return false;
    time_out->seconds = calendar_seconds(year, month, day);
    time_out->kind = CALENDAR_DATE;
    if (count == 8)
        return true;
    unsigned hour = digits(number + 8, 2);
    unsigned minute = digits(number + 10, 2);
    unsigned second = count > 12 ? digits(number + 12, 2) : 0;
    if (hour > 24 || minute > 59 || second > 60) {
        time_out->kind = CALENDAR_NONE;
        return false;
    }
    time_out->seconds += (int64_t)hour * HOUR + minute * MINUTE + second;
    time_out->kind = is_utc ? CALENDAR_UTC : CALENDAR_FLOATING;
    return true;
}

/* Names that mean UTC whether a VTIMEZONE says so or not. */
static bool is_utc_name(const char *name)
{
    static const char *const names[] = { "UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT", "tzone://Microsoft/Utc" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static void set_zone(struct calendar_time *time, const struct strbuf *zone)
{
    size_t len = convert_utf8_cut(zone->data, zone->len, CALENDAR_ZONE_NAME_MAX);
    memcpy(time->zone, zone->data, len);
    time->zone[len] = '\0';
    time->kind = is_utc_name(time->zone) ? CALENDAR_UTC : CALENDAR_ZONED;
}

bool calendar_time_of(const struct content_line *line, struct calendar_time *time_out)
{
    /* "DTSTART;TZID=tzone://Microsoft/Custom:20260303T100000" lacks its quotes: part of the name is in the value */
    const char *colon = memrchr(line->value, ':', line->value_len);
    bool is_unquoted = line->value_len > 2 && memcmp(line->value, "//", 2) == 0 && colon;
    size_t skip = is_unquoted ? (size_t)(colon - line->value) + 1 : 0;
    if (!calendar_time_parse(line->value + skip, line->value_len - skip, time_out))
        return false;
    struct strbuf zone;
    strbuf_init(&zone, line->params_len + line->value_len + 1);
    if (time_out->kind == CALENDAR_FLOATING && content_line_param(line, "TZID", &zone) && zone.len > 0) {
        if (is_unquoted)
            strbuf_add_char(&zone, ':');
        strbuf_add(&zone, line->value, is_unquoted ? skip - 1 : 0);
        set_zone(time_out, &zone);
    }
    strbuf_free(&zone);
    return true;
}

bool calendar_duration_parse(const char *text, size_t len, int64_t *seconds_out)
{
    static const struct {
        char letter;
        int seconds;
    } units[] = { { 'W', 7 * CALENDAR_DAY }, { 'D', CALENDAR_DAY }, { 'H', HOUR }, { 'M', MINUTE }, { 'S', 1 } };
    enum { UNITS = sizeof units / sizeof units[0], NUMBER_MAX = 1000000 };
    size_t i = len > 0 && text[0] == '+';
    if (i >= len || (text[i] != 'P' && text[i] != 'p'))
        return false;
    int64_t number = -1;
    *seconds_out = 0;
    for (i++; i < len; i++) {
        int letter = toupper((unsigned char)text[i]);
        if (isdigit((unsigned char)letter)) {
            number = (number < 0 ? 0 : number * 10) + (letter - '0');
            if (number > NUMBER_MAX)
                return false;
            continue;
        }
        size_t unit = 0;
        while (unit < UNITS && units[unit].letter != letter)
            unit++;
        if (letter == 'T' && number < 0)
            continue;
        if (unit == UNITS || number < 0)
            return false;
        *seconds_out += number * units[unit].seconds;
        number = -1;
        if (*seconds_out > (int64_t)NUMBER_MAX * CALENDAR_DAY)
            return false;
    }
    return number < 0;
}

/* ---- writing ---- */

void calendar_add_date(struct strbuf *out, int64_t seconds)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December" };
    struct calendar_date date = calendar_date_of(seconds);
    strbuf_add_fmt(out, "%s, %u %s %lld", days[calendar_weekday(seconds)], date.day, months[date.month - 1],
                   (long long)date.year);
}

void calendar_add_clock(struct strbuf *out, int64_t seconds)
{
    int64_t of_day = seconds - days_since_1970(seconds) * CALENDAR_DAY;
    strbuf_add_fmt(out, "%02d:%02d", (int)(of_day / HOUR), (int)(of_day / MINUTE % 60));
    if (of_day % MINUTE != 0)
        strbuf_add_fmt(out, ":%02d", (int)(of_day % MINUTE));
}

void calendar_add_offset(struct strbuf *out, int32_t offset)
{
    int minutes = (offset < 0 ? -offset : offset) / MINUTE;
    strbuf_add_fmt(out, "UTC%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* "/mozilla.org/20050126_1/Europe/Berlin", "/freeassociation.sourceforge.net/Europe/Berlin" */
void calendar_add_zone_name(struct strbuf *out, const char *zone)
{
    if (strncasecmp(zone, "tzone:", 6) == 0)
        return;
    if (zone[0] == '/') {
        const char *slash = strchr(zone + 1, '/');
        zone = slash ? slash + 1 : zone + 1;
        slash = strchr(zone, '/');
        if (slash && strcspn(zone, "0123456789") < (size_t)(slash - zone))
            zone = slash + 1;
    }
    strbuf_add_str(out, zone);
}
