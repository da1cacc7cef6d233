#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_calendar_internal.h"
#include "mapping/convert_content_line.h"
#include "mapping/convert_limits.h"

/* When an offset begins to hold: once, or each year. */
struct observance {
    int64_t start; /* on the clock before it */
    int32_t from, to;
    bool repeats;
    struct calendar_rule rule;
    int64_t last_year; /* in which it begins */
};

struct zone {
    char name[CALENDAR_ZONE_NAME_MAX + 1];
    struct observance *items;
    size_t count;
    bool is_over; /* a limit: not known */
};

struct calendar_zones {
    struct zone items[CONVERT_CALENDAR_ZONES_MAX];
    size_t count;
    bool is_over;               /* lines are for none of them */
    bool in_observance;         /* between BEGIN and END of a STANDARD or DAYLIGHT */
    struct observance next;     /* that one */
    bool has_start, has_offset; /* what it must have */
    struct strbuf dates;        /* its RDATEs, separated by "," */
};

struct calendar_zones *calendar_zones_new(void)
{
    struct calendar_zones *zones = xcalloc(1, sizeof *zones);
    strbuf_init(&zones->dates, CONVERT_CALENDAR_DATES_SIZE_MAX);
    return zones;
}

void calendar_zones_free(struct calendar_zones **zones)
{
    if (!*zones)
        return;
    for (size_t i = 0; i < (*zones)->count; i++)
        free((*zones)->items[i].items);
    strbuf_free(&(*zones)->dates);
    free(*zones);
    *zones = NULL;
}

void calendar_zones_begin(struct calendar_zones *zones)
{
    zones->in_observance = false;
    zones->is_over = zones->count == CONVERT_CALENDAR_ZONES_MAX;
    if (!zones->is_over)
        zones->items[zones->count++] = (struct zone){ 0 };
}

/* "+0100", "-033045" */
static bool parse_offset(const char *text, size_t len, int32_t *offset_out)
{
    int64_t number;
    if ((len != 5 && len != 7) || (text[0] != '+' && text[0] != '-') || !calendar_number(text + 1, len - 1, &number) ||
        text[1] == '-' || text[1] == '+')
        return false;
    if (len == 5)
        number *= 100;
    int32_t offset = (int32_t)(number / 10000 * 3600 + number / 100 % 100 * 60 + number % 100);
    *offset_out = text[0] == '-' ? -offset : offset;
    return offset <= 2 * CALENDAR_DAY;
}

static void add_observance(struct zone *zone, const struct observance *observance)
{
    if (zone->count == CONVERT_CALENDAR_OBSERVANCES_MAX) {
        zone->is_over = true;
        return;
    }
    zone->items = xreallocarray(zone->items, zone->count + 1, sizeof *zone->items);
    zone->items[zone->count++] = *observance;
}

static void end_observance(struct calendar_zones *zones, struct zone *zone)
{
    struct observance *next = &zones->next;
    zones->in_observance = false;
    if (!zones->has_start || !zones->has_offset)
        return;
    if (!strbuf_ok(&zones->dates))
        zone->is_over = true;
    if (next->repeats) {
        const struct calendar_rule *rule = &next->rule;
        next->last_year = INT64_MAX;
        if (rule->count > 0)
            next->last_year = calendar_date_of(next->start).year + (rule->count - 1) * rule->interval;
        else if (rule->until.kind != CALENDAR_NONE)
            next->last_year = calendar_date_of(rule->until.seconds + next->from).year;
    }
    add_observance(zone, next);
    next->repeats = false;
    for (size_t i = 0; i < zones->dates.len;) {
        struct calendar_time time;
        size_t n = strcspn(zones->dates.data + i, ",");
        if (calendar_time_parse(zones->dates.data + i, n, &time)) {
            next->start = time.seconds;
            add_observance(zone, next);
        }
        i += n + 1;
    }
}

static void add_observance_line(struct calendar_zones *zones, const struct content_line *line)
{
    struct observance *next = &zones->next;
    struct calendar_time time;
    if (content_line_is(line, "DTSTART") && calendar_time_parse(line->value, line->value_len, &time)) {
        next->start = time.seconds;
        zones->has_start = true;
    } else if (content_line_is(line, "TZOFFSETTO")) {
        zones->has_offset = parse_offset(line->value, line->value_len, &next->to);
    } else if (content_line_is(line, "TZOFFSETFROM")) {
        if (!parse_offset(line->value, line->value_len, &next->from))
            next->from = 0;
    } else if (content_line_is(line, "RRULE")) {
        next->repeats =
            calendar_rule_parse(line->value, line->value_len, &next->rule) && next->rule.frequency == CALENDAR_YEARLY;
    } else if (content_line_is(line, "RDATE")) {
        strbuf_add_str(&zones->dates, zones->dates.len > 0 ? "," : "");
        strbuf_add(&zones->dates, line->value, line->value_len);
    }
}

void calendar_zones_add_line(struct calendar_zones *zones, const struct content_line *line)
{
    if (zones->is_over || zones->count == 0)
        return;
    struct zone *zone = &zones->items[zones->count - 1];
    if (content_line_is(line, "BEGIN")) {
        zones->in_observance = true;
        zones->next = (struct observance){ 0 };
        zones->has_start = zones->has_offset = false;
        strbuf_clear(&zones->dates);
    } else if (content_line_is(line, "END")) {
        if (zones->in_observance)
            end_observance(zones, zone);
    } else if (zones->in_observance) {
        add_observance_line(zones, line);
    } else if (content_line_is(line, "TZID") && line->value_len <= CALENDAR_ZONE_NAME_MAX) {
        memcpy(zone->name, line->value, line->value_len);
        zone->name[line->value_len] = '\0';
    }
}

/* ---- looking up ---- */

/* The day of the year's rule: "the last Sunday of March", "the first Sunday from 8 March on", or the first one's day. */
static int64_t begin_in_year(const struct observance *observance, int64_t year)
{
    const struct calendar_rule *rule = &observance->rule;
    struct calendar_date first = calendar_date_of(observance->start);
    int64_t clock = observance->start - calendar_seconds(first.year, first.month, first.day);
    unsigned month = rule->month_count > 0 ? rule->months[0] : first.month;
    unsigned length = calendar_days_in_month(year, month);
    unsigned day = first.day;
    if (rule->month_day_count > 0 && rule->month_days[0] > 0)
        day = (unsigned)rule->month_days[0];
    if (day > length)
        day = length;
    if (rule->day_count > 0) {
        int nth = rule->days[0].nth;
        int from_end = nth < 0 ? -nth : 0;
        if (rule->month_day_count == 0)
            day = from_end > 0 ? length : 1;
        unsigned weekday = calendar_weekday(calendar_seconds(year, month, day));
        unsigned wanted = rule->days[0].weekday;
        int shift = from_end > 0 ? -(int)((weekday + 7 - wanted) % 7) - 7 * (from_end - 1)
                                 : (int)((wanted + 7 - weekday) % 7) + 7 * (nth > 0 ? nth - 1 : 0);
        return calendar_seconds(year, month, day) + (int64_t)shift * CALENDAR_DAY + clock;
    }
    return calendar_seconds(year, month, day) + clock;
}

/* The last time at or before `seconds` that it began; INT64_MIN when it had not. */
static int64_t last_begin(const struct observance *observance, int64_t seconds)
{
    if (seconds < observance->start)
        return INT64_MIN;
    if (!observance->repeats)
        return observance->start;
    int64_t year = calendar_date_of(seconds).year;
    if (year > observance->last_year)
        year = observance->last_year;
    for (int64_t y = year; y >= year - 1; y--) {
        int64_t begin = begin_in_year(observance, y);
        if (begin <= seconds && begin >= observance->start)
            return begin;
    }
    return observance->start;
}

static const struct zone *find_zone(const struct calendar_zones *zones, const char *name)
{
    for (size_t i = 0; i < zones->count; i++) {
        if (strcasecmp(zones->items[i].name, name) == 0)
            return &zones->items[i];
    }
    return NULL;
}

bool calendar_zones_offset(const struct calendar_zones *zones, const struct calendar_time *time, int32_t *offset_out)
{
    *offset_out = 0;
    if (time->kind == CALENDAR_UTC)
        return true;
    const struct zone *zone = time->kind == CALENDAR_ZONED ? find_zone(zones, time->zone) : NULL;
    if (!zone || zone->is_over || zone->count == 0)
        return false;
    int64_t latest = INT64_MIN;
    const struct observance *earliest = &zone->items[0];
    for (size_t i = 0; i < zone->count; i++) {
        const struct observance *observance = &zone->items[i];
        int64_t begin = last_begin(observance, time->seconds);
        if (begin > latest) {
            latest = begin;
            *offset_out = observance->to;
        }
        if (observance->start < earliest->start)
            earliest = observance;
    }
    if (latest == INT64_MIN)
        *offset_out = earliest->from;
    return true;
}
