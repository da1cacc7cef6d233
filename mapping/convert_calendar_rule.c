#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_calendar_internal.h"
#include "mapping/convert_content_line.h"

/* ---- reading ---- */

enum { NTH_MAX = 5, INTERVAL_MAX = 9999 };

static bool read_frequency(struct calendar_rule *rule, const char *value, size_t len)
{
    static const char *const words[CALENDAR_FREQUENCIES] = { "DAILY", "WEEKLY", "MONTHLY", "YEARLY" };
    for (int i = 0; i < CALENDAR_FREQUENCIES; i++) {
        if (content_is_word(value, len, words[i])) {
            rule->frequency = (enum calendar_frequency)i;
            return true;
        }
    }
    return false;
}

static bool read_interval(struct calendar_rule *rule, const char *value, size_t len)
{
    return calendar_number(value, len, &rule->interval) && rule->interval >= 1 && rule->interval <= INTERVAL_MAX;
}

static bool read_count(struct calendar_rule *rule, const char *value, size_t len)
{
    return calendar_number(value, len, &rule->count) && rule->count >= 1 && rule->count <= INTERVAL_MAX;
}

static bool read_until(struct calendar_rule *rule, const char *value, size_t len)
{
    return calendar_time_parse(value, len, &rule->until);
}

/* "MO", "-1SU" */
static bool add_day(struct calendar_rule *rule, const char *item, size_t len)
{
    static const char names[] = "SUMOTUWETHFRSA";
    int64_t nth = 0;
    if (len < 2 || rule->day_count == CALENDAR_RULE_DAYS)
        return false;
    if (len > 2 && (!calendar_number(item, len - 2, &nth) || nth == 0 || nth > NTH_MAX || nth < -NTH_MAX))
        return false;
    for (unsigned i = 0; i < 7; i++) {
        if (strncasecmp(names + 2 * (size_t)i, item + len - 2, 2) == 0) {
            rule->days[rule->day_count].nth = (int)nth;
            rule->days[rule->day_count++].weekday = i;
            return true;
        }
    }
    return false;
}

static bool add_month_day(struct calendar_rule *rule, const char *item, size_t len)
{
    int64_t day;
    if (rule->month_day_count == CALENDAR_RULE_MONTH_DAYS || !calendar_number(item, len, &day) || day == 0 ||
        day > 31 || day < -1)
        return false;
    rule->month_days[rule->month_day_count++] = (int)day;
    return true;
}

static bool add_month(struct calendar_rule *rule, const char *item, size_t len)
{
    int64_t month;
    if (rule->month_count == CALENDAR_RULE_MONTHS || !calendar_number(item, len, &month) || month < 1 || month > 12)
        return false;
    rule->months[rule->month_count++] = (unsigned)month;
    return true;
}

typedef bool add_item(struct calendar_rule *rule, const char *item, size_t len);

static bool read_list(struct calendar_rule *rule, const char *value, size_t len, add_item *add)
{
    for (size_t i = 0; i <= len;) {
        const char *comma = i < len ? memchr(value + i, ',', len - i) : NULL;
        size_t n = comma ? (size_t)(comma - value) - i : len - i;
        if (!add(rule, value + i, n))
            return false;
        i += n + 1;
    }
    return true;
}

static bool read_days(struct calendar_rule *rule, const char *value, size_t len)
{
    return read_list(rule, value, len, add_day);
}

static bool read_month_days(struct calendar_rule *rule, const char *value, size_t len)
{
    return read_list(rule, value, len, add_month_day);
}

static bool read_months(struct calendar_rule *rule, const char *value, size_t len)
{
    return read_list(rule, value, len, add_month);
}

/* It comes behind BYDAY in what Outlook writes; elsewhere the rule is one of those that are not said in words. */
static bool read_position(struct calendar_rule *rule, const char *value, size_t len)
{
    int64_t nth;
    if (rule->day_count != 1 || rule->days[0].nth != 0 || !calendar_number(value, len, &nth) || nth == 0 ||
        nth > NTH_MAX || nth < -NTH_MAX)
        return false;
    rule->days[0].nth = (int)nth;
    return true;
}

static bool ignore(struct calendar_rule *rule, const char *value, size_t len)
{
    (void)rule;
    (void)value;
    return len > 0;
}

bool calendar_rule_parse(const char *text, size_t len, struct calendar_rule *rule_out)
{
    static const struct {
        const char *name;
        bool (*read)(struct calendar_rule *rule, const char *value, size_t len);
    } parts[] = {
        { "FREQ", read_frequency }, { "INTERVAL", read_interval }, { "COUNT", read_count },
        { "UNTIL", read_until },    { "BYDAY", read_days },        { "BYMONTHDAY", read_month_days },
        { "BYMONTH", read_months }, { "BYSETPOS", read_position }, { "WKST", ignore },
    };
    *rule_out = (struct calendar_rule){ .frequency = CALENDAR_FREQUENCIES, .interval = 1 };
    for (size_t i = 0; i < len;) {
        const char *end = memchr(text + i, ';', len - i);
        size_t n = end ? (size_t)(end - text) - i : len - i;
        const char *equals = memchr(text + i, '=', n);
        size_t name_len = equals ? (size_t)(equals - text) - i : n;
        bool known = n == 0;
        for (size_t k = 0; equals && k < sizeof parts / sizeof parts[0] && !known; k++)
            known = content_is_word(text + i, name_len, parts[k].name) &&
                    parts[k].read(rule_out, equals + 1, n - name_len - 1);
        if (!known)
            return false;
        i += n + 1;
    }
    return rule_out->frequency != CALENDAR_FREQUENCIES;
}

/* ---- saying ---- */

static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };

/* Between the items of a list in a sentence. */
static const char *joint(size_t i, size_t count)
{
    return i == 0 ? "" : i + 1 < count ? ", " : " and ";
}

static void add_nth(struct strbuf *out, int nth)
{
    static const char *const words[NTH_MAX + 1] = { "", "first", "second", "third", "fourth", "fifth" };
    int from_end = nth < 0 ? -nth : 0;
    int which = nth < 0 ? from_end : nth;
    if (from_end == 1)
        strbuf_add_str(out, "last ");
    else if (which > 0 && which <= NTH_MAX)
        strbuf_add_fmt(out, from_end > 0 ? "%s to last " : "%s ", words[which]);
}

/* " on Monday and Friday", " on the second Tuesday" */
static void add_days(struct strbuf *out, const struct calendar_rule *rule)
{
    strbuf_add_str(out, " on ");
    for (size_t i = 0; i < rule->day_count; i++) {
        strbuf_add_str(out, joint(i, rule->day_count));
        strbuf_add_str(out, rule->days[i].nth != 0 ? "the " : "");
        add_nth(out, rule->days[i].nth);
        strbuf_add_str(out, weekdays[rule->days[i].weekday]);
    }
}

static bool is_working_week(const struct calendar_rule *rule)
{
    unsigned seen = 0;
    for (size_t i = 0; i < rule->day_count; i++)
        seen |= 1U << rule->days[i].weekday;
    return seen == 0x3E && rule->day_count == 5;
}

static bool has_nth(const struct calendar_rule *rule)
{
    for (size_t i = 0; i < rule->day_count; i++) {
        if (rule->days[i].nth != 0)
            return true;
    }
    return false;
}

static bool each_has_nth(const struct calendar_rule *rule)
{
    for (size_t i = 0; i < rule->day_count; i++) {
        if (rule->days[i].nth == 0)
            return false;
    }
    return true;
}

static void add_every(struct strbuf *out, const struct calendar_rule *rule)
{
    static const char *const units[CALENDAR_FREQUENCIES] = { "day", "week", "month", "year" };
    if (rule->interval == 1)
        strbuf_add_fmt(out, "every %s", units[rule->frequency]);
    else
        strbuf_add_fmt(out, "every %d %ss", (int)rule->interval, units[rule->frequency]);
}

static bool add_daily(struct strbuf *out, const struct calendar_rule *rule)
{
    if (rule->month_day_count > 0 || rule->month_count > 0 || has_nth(rule))
        return false;
    if (rule->day_count == 0) {
        add_every(out, rule);
        return true;
    }
    if (rule->interval != 1)
        return false;
    strbuf_add_str(out, is_working_week(rule) ? "every working day (Monday to Friday)" : "every week");
    if (!is_working_week(rule))
        add_days(out, rule);
    return true;
}

static bool add_weekly(struct strbuf *out, const struct calendar_rule *rule)
{
    if (rule->month_day_count > 0 || rule->month_count > 0 || has_nth(rule))
        return false;
    if (rule->interval == 1 && is_working_week(rule)) {
        strbuf_add_str(out, "every working day (Monday to Friday)");
        return true;
    }
    add_every(out, rule);
    if (rule->day_count > 0)
        add_days(out, rule);
    return true;
}

static bool add_monthly(struct strbuf *out, const struct calendar_rule *rule)
{
    if (rule->month_count > 0 || (rule->day_count > 0 && (rule->month_day_count > 0 || !each_has_nth(rule))))
        return false;
    add_every(out, rule);
    if (rule->day_count > 0)
        add_days(out, rule);
    for (size_t i = 0; i < rule->month_day_count; i++) {
        strbuf_add_str(out, i == 0 ? " on " : joint(i, rule->month_day_count));
        if (rule->month_days[i] < 0)
            strbuf_add_str(out, "the last day");
        else
            strbuf_add_fmt(out, "day %d", rule->month_days[i]);
    }
    return true;
}

static bool add_yearly(struct strbuf *out, const struct calendar_rule *rule)
{
    bool has_days = rule->day_count > 0;
    if (rule->month_count > 1 || rule->month_day_count > 1 || (has_days && rule->month_day_count > 0) ||
        (has_days && (rule->month_count == 0 || !each_has_nth(rule))) ||
        (rule->month_day_count > 0 && (rule->month_count == 0 || rule->month_days[0] < 0)))
        return false;
    add_every(out, rule);
    if (has_days) {
        add_days(out, rule);
        strbuf_add_fmt(out, " of %s", months[rule->months[0] - 1]);
    } else if (rule->month_day_count > 0) {
        strbuf_add_fmt(out, " on %d %s", rule->month_days[0], months[rule->months[0] - 1]);
    } else if (rule->month_count > 0) {
        strbuf_add_fmt(out, " in %s", months[rule->months[0] - 1]);
    }
    return true;
}

/* The day on the clock of the event: it may be another one in UTC. */
static int64_t until_there(const struct calendar_rule *rule, const struct calendar_zones *zones,
                           const struct calendar_time *start)
{
    struct calendar_time there = *start;
    int32_t offset = 0;
    there.seconds = rule->until.seconds;
    if (rule->until.kind != CALENDAR_UTC || !calendar_zones_offset(zones, &there, &offset))
        offset = 0;
    return rule->until.seconds + offset;
}

bool calendar_rule_add_words(struct strbuf *out, const struct calendar_rule *rule, const struct calendar_zones *zones,
                             const struct calendar_time *start)
{
    static bool (*const say[CALENDAR_FREQUENCIES])(
        struct strbuf * out, const struct calendar_rule *rule) = { add_daily, add_weekly, add_monthly, add_yearly };
    if (!say[rule->frequency](out, rule))
        return false;
    if (rule->count > 0)
        strbuf_add_fmt(out, ", %d %s", (int)rule->count, rule->count == 1 ? "time" : "times");
    if (rule->until.kind != CALENDAR_NONE) {
        strbuf_add_str(out, ", until ");
        calendar_add_date(out, until_there(rule, zones, start));
    }
    return true;
}
