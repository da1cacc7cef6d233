#include "mapping/convert_calendar_write.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

enum { TIME_TEXT_MAX = 500, ALL_TEXT_MAX = 64 * 1024 };

/* ---- pieces ---- */

/* A value for people: one line, cut. The caller's. */
static char *value_text(const char *value, size_t len, size_t max)
{
    struct strbuf text;
    strbuf_init(&text, len + 1);
    content_unescape(&text, value, len);
    char *line = convert_utf8_one_line(text.data, text.len, max);
    strbuf_free(&text);
    return line;
}

void calendar_write_heading(struct commonmark_writer *writer, const char *heading, const char *summary, size_t len)
{
    char *line = convert_utf8_one_line(summary ? summary : "", summary ? len : 0, CONVERT_CALENDAR_VALUE_MAX);
    commonmark_end_paragraph(writer);
    commonmark_open_emphasis(writer, COMMONMARK_STRONG);
    commonmark_add_text(writer, heading, strlen(heading));
    if (*line)
        commonmark_add_text(writer, ": ", 2);
    commonmark_add_text(writer, line, strlen(line));
    commonmark_close_emphasis(writer, COMMONMARK_STRONG);
    commonmark_end_paragraph(writer);
    free(line);
}

void calendar_open_items(struct commonmark_writer *writer)
{
    commonmark_open_list(writer, false, 1);
}

void calendar_close_items(struct commonmark_writer *writer)
{
    commonmark_close_container(writer);
}

void calendar_write_item(struct commonmark_writer *writer, const char *label, const char *text, size_t len)
{
    if (!text || convert_text_is_blank(text, len))
        return;
    commonmark_open_item(writer);
    commonmark_add_text(writer, label, strlen(label));
    commonmark_add_text(writer, ": ", 2);
    convert_text_add_linked(writer, text, len);
    commonmark_end_paragraph(writer);
    commonmark_close_container(writer);
}

static void write_value(struct commonmark_writer *writer, const char *label, const struct content_line *line)
{
    if (!line->name)
        return;
    char *text = value_text(line->value, line->value_len, CONVERT_CALENDAR_VALUE_MAX);
    calendar_write_item(writer, label, text, strlen(text));
    free(text);
}

/* ---- when ---- */

static bool is_same_zone(const struct calendar_time *a, const struct calendar_time *b)
{
    return a->kind == b->kind && strcasecmp(a->zone, b->zone) == 0;
}

static bool is_same_day(int64_t a, int64_t b)
{
    struct calendar_date x = calendar_date_of(a);
    struct calendar_date y = calendar_date_of(b);
    return x.year == y.year && x.month == y.month && x.day == y.day;
}

/* " (Europe/Berlin, UTC+01:00)", " UTC" */
static void add_zone(struct strbuf *out, const struct calendar_zones *zones, const struct calendar_time *time)
{
    int32_t offset;
    if (time->kind == CALENDAR_UTC) {
        strbuf_add_str(out, " UTC");
        return;
    }
    if (time->kind != CALENDAR_ZONED) {
        strbuf_add_str(out, " (no time zone is given)");
        return;
    }
    bool known = calendar_zones_offset(zones, time, &offset);
    strbuf_add_str(out, " (");
    size_t before = out->len;
    calendar_add_zone_name(out, time->zone);
    if (known) {
        strbuf_add_str(out, out->len > before ? ", " : "");
        calendar_add_offset(out, offset);
    } else if (out->len == before) {
        strbuf_add_str(out, "a time zone of its own");
    }
    strbuf_add_char(out, ')');
}

static void add_day_and_clock(struct strbuf *out, int64_t seconds)
{
    calendar_add_date(out, seconds);
    strbuf_add_str(out, ", ");
    calendar_add_clock(out, seconds);
}

/* ", that is 09:00 to 10:00 UTC", when both are known; the day only where it is another one. */
static void add_in_utc(struct strbuf *out, const struct calendar_zones *zones, const struct calendar_time *start,
                       const struct calendar_time *end)
{
    int32_t offset, end_offset = 0;
    if (start->kind != CALENDAR_ZONED || !calendar_zones_offset(zones, start, &offset) ||
        (end->kind != CALENDAR_NONE && !calendar_zones_offset(zones, end, &end_offset)))
        return;
    int64_t from = start->seconds - offset;
    int64_t to = end->seconds - end_offset;
    strbuf_add_str(out, ", that is ");
    if (!is_same_day(from, start->seconds)) {
        calendar_add_date(out, from);
        strbuf_add_str(out, ", ");
    }
    calendar_add_clock(out, from);
    if (end->kind != CALENDAR_NONE) {
        strbuf_add_str(out, " to ");
        if (!is_same_day(from, to)) {
            calendar_add_date(out, to);
            strbuf_add_str(out, ", ");
        }
        calendar_add_clock(out, to);
    }
    strbuf_add_str(out, " UTC");
}

static void add_days(struct strbuf *out, int64_t first, int64_t last)
{
    calendar_add_date(out, first);
    if (last > first) {
        strbuf_add_str(out, " to ");
        calendar_add_date(out, last);
    }
    strbuf_add_str(out, " (all day)");
}

void calendar_add_period(struct strbuf *out, const struct calendar_zones *zones, const struct calendar_time *start,
                         const struct calendar_time *end)
{
    if (start->kind == CALENDAR_DATE) { /* the end is the day behind the last */
        add_days(out, start->seconds, end->kind == CALENDAR_NONE ? start->seconds : end->seconds - CALENDAR_DAY);
        return;
    }
    /* an end that is none, or before the start, is a mistake */
    bool has_end = end->kind != CALENDAR_NONE && end->kind != CALENDAR_DATE &&
                   (end->seconds > start->seconds || !is_same_zone(start, end));
    struct calendar_time none = { .kind = CALENDAR_NONE };
    add_day_and_clock(out, start->seconds);
    if (has_end && !is_same_zone(start, end)) {
        add_zone(out, zones, start);
        strbuf_add_str(out, " to ");
        add_day_and_clock(out, end->seconds);
        add_zone(out, zones, end);
    } else if (has_end) {
        strbuf_add_str(out, " to ");
        if (is_same_day(start->seconds, end->seconds))
            calendar_add_clock(out, end->seconds);
        else
            add_day_and_clock(out, end->seconds);
        add_zone(out, zones, end);
    } else {
        add_zone(out, zones, start);
    }
    add_in_utc(out, zones, start, has_end ? end : &none);
}

/* Outlook's whole days are from midnight to midnight. */
static void make_whole_days(const struct calendar_entry *entry, struct calendar_time *start, struct calendar_time *end)
{
    const struct content_line *line = &entry->properties[CALENDAR_ALL_DAY];
    if (!line->name || !content_value_is(line, "TRUE") || start->kind == CALENDAR_NONE || end->kind == CALENDAR_NONE ||
        start->seconds % CALENDAR_DAY != 0 || end->seconds % CALENDAR_DAY != 0)
        return;
    start->kind = end->kind = CALENDAR_DATE;
}

static void find_end(const struct calendar_entry *entry, const struct calendar_time *start, struct calendar_time *end)
{
    const struct content_line *line = &entry->properties[CALENDAR_END];
    const struct content_line *duration = &entry->properties[CALENDAR_DURATION];
    int64_t seconds;
    *end = (struct calendar_time){ .kind = CALENDAR_NONE };
    if (line->name) {
        (void)calendar_time_of(line, end);
    } else if (duration->name && start->kind != CALENDAR_NONE &&
               calendar_duration_parse(duration->value, duration->value_len, &seconds)) {
        *end = *start;
        end->seconds += seconds;
    }
}

static void write_when(struct commonmark_writer *writer, const struct calendar_zones *zones,
                       const struct calendar_entry *entry)
{
    struct calendar_time start, end;
    const struct content_line *line = &entry->properties[CALENDAR_START];
    if (!line->name)
        return;
    if (!calendar_time_of(line, &start)) {
        write_value(writer, "When", line);
        return;
    }
    struct strbuf text;
    strbuf_init(&text, TIME_TEXT_MAX);
    find_end(entry, &start, &end);
    make_whole_days(entry, &start, &end);
    calendar_add_period(&text, zones, &start, &end);
    calendar_write_item(writer, entry->kind == CALENDAR_TODO ? "Begins" : "When", text.data, text.len);
    strbuf_free(&text);
}

/* One moment: of a task that is due, an occurrence. */
static void write_moment(struct commonmark_writer *writer, const struct calendar_zones *zones, const char *label,
                         const struct content_line *line)
{
    struct calendar_time time;
    const struct calendar_time none = { .kind = CALENDAR_NONE };
    if (!line->name)
        return;
    if (!calendar_time_of(line, &time)) {
        write_value(writer, label, line);
        return;
    }
    struct strbuf text;
    strbuf_init(&text, TIME_TEXT_MAX);
    if (time.kind == CALENDAR_DATE)
        calendar_add_date(&text, time.seconds);
    else
        calendar_add_period(&text, zones, &time, &none);
    calendar_write_item(writer, label, text.data, text.len);
    strbuf_free(&text);
}

/* ---- how often ---- */

/* Adds the days of EXDATE or RDATE lines, as many as are named. */
static void add_dates(struct strbuf *out, const char *words, const struct calendar_dates *dates)
{
    size_t count = 0;
    for (size_t i = 0; i < dates->count; i++) {
        const char *value = dates->lines[i].value;
        size_t len = dates->lines[i].value_len;
        for (size_t at = 0; at < len;) {
            const char *comma = memchr(value + at, ',', len - at);
            size_t n = comma ? (size_t)(comma - value) - at : len - at;
            struct calendar_time time;
            if (calendar_time_parse(value + at, n, &time) && ++count <= CONVERT_CALENDAR_DATES_MAX) {
                strbuf_add_str(out, count == 1 ? words : "; ");
                calendar_add_date(out, time.seconds);
            }
            at += n + 1;
        }
    }
    if (count > CONVERT_CALENDAR_DATES_MAX || (count > 0 && dates->is_cut))
        strbuf_add_str(out, "; and more");
}

static void write_rule(struct commonmark_writer *writer, const struct calendar_zones *zones,
                       const struct calendar_entry *entry)
{
    const struct content_line *line = &entry->properties[CALENDAR_RULE];
    struct calendar_rule rule;
    struct calendar_time start = { .kind = CALENDAR_NONE };
    if (!line->name && entry->also.count == 0)
        return;
    if (entry->properties[CALENDAR_START].name)
        (void)calendar_time_of(&entry->properties[CALENDAR_START], &start);
    struct strbuf text;
    strbuf_init(&text, TIME_TEXT_MAX * 4);
    bool is_said = line->name && calendar_rule_parse(line->value, line->value_len, &rule) &&
                   calendar_rule_add_words(&text, &rule, zones, &start);
    if (line->name && !is_said)
        strbuf_add_str(&text, "by a rule that is in the attachment");
    add_dates(&text, ", except on ", &entry->except);
    add_dates(&text, text.len > 0 ? ", also on " : "on ", &entry->also);
    calendar_write_item(writer, "Repeats", text.data, text.len);
    strbuf_free(&text);
}

/* ---- who ---- */

/* RFC 6868: "^n", "^'", "^^". */
static void decode_carets(struct strbuf *text)
{
    size_t to = 0;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        char next = text->data[i + 1]; /* the NUL at the end */
        if (c == '^' && (next == 'n' || next == '\'' || next == '^')) {
            c = next == 'n' ? ' ' : next == '\'' ? '"' : '^';
            i++;
        }
        text->data[to++] = c;
    }
    strbuf_truncate(text, to);
}

/* The address of "mailto:bob@example.com"; else of the EMAIL parameter; "" when there is none. The caller's. */
static char *person_address(const struct content_line *line)
{
    static const char scheme[] = "mailto:";
    size_t skip = sizeof scheme - 1;
    struct strbuf text;
    strbuf_init(&text, line->params_len + line->value_len + 1);
    if (line->value_len > skip && strncasecmp(line->value, scheme, skip) == 0) {
        strbuf_add(&text, line->value + skip, line->value_len - skip);
        size_t query = strcspn(text.data, "?");
        strbuf_truncate(&text, query < text.len ? query : text.len);
    } else if (!content_line_param(line, "EMAIL", &text) && memchr(line->value, '@', line->value_len) &&
               !memchr(line->value, ':', line->value_len)) {
        strbuf_add(&text, line->value, line->value_len);
    }
    char *address = convert_utf8_one_line(text.data, text.len, CONVERT_CALENDAR_VALUE_MAX);
    strbuf_free(&text);
    return address;
}

static char *person_name(const struct content_line *line)
{
    struct strbuf text;
    strbuf_init(&text, line->params_len + 1);
    (void)content_line_param(line, "CN", &text);
    decode_carets(&text);
    char *name = convert_utf8_one_line(text.data, text.len, CONVERT_CALENDAR_VALUE_MAX);
    strbuf_free(&text);
    return name;
}

/* What is worth saying of somebody, in this order. */
static void add_remarks(struct strbuf *out, const struct content_line *line)
{
    static const struct {
        const char *param, *value, *words;
    } remarks[] = {
        { "CUTYPE", "ROOM", "room" },
        { "CUTYPE", "RESOURCE", "resource" },
        { "CUTYPE", "GROUP", "group" },
        { "ROLE", "CHAIR", "chair" },
        { "ROLE", "OPT-PARTICIPANT", "optional" },
        { "ROLE", "NON-PARTICIPANT", "for information" },
        { "PARTSTAT", "ACCEPTED", "accepted" },
        { "PARTSTAT", "DECLINED", "declined" },
        { "PARTSTAT", "TENTATIVE", "tentative" },
        { "PARTSTAT", "DELEGATED", "delegated" },
        { "PARTSTAT", "COMPLETED", "completed" },
    };
    for (size_t i = 0; i < sizeof remarks / sizeof remarks[0]; i++) {
        if (content_line_has(line, remarks[i].param, remarks[i].value))
            strbuf_add_fmt(out, "%s%s", out->len > 0 ? ", " : "", remarks[i].words);
    }
}

/* "Bob Example (bob@example.com, accepted)" */
static void add_person(struct strbuf *out, const struct content_line *line)
{
    char *address = person_address(line);
    char *name = person_name(line);
    struct strbuf remarks;
    strbuf_init(&remarks, CONVERT_CALENDAR_VALUE_MAX * 2);
    bool has_name = *name && strcasecmp(name, address) != 0;
    if (has_name && *address)
        strbuf_add_str(&remarks, address);
    add_remarks(&remarks, line);
    const char *called = has_name ? name : *address ? address : "somebody";
    strbuf_add_str(out, called);
    if (remarks.len > 0)
        strbuf_add_fmt(out, " (%s)", remarks.data);
    strbuf_free(&remarks);
    free(name);
    free(address);
}

static void write_organizer(struct commonmark_writer *writer, const struct calendar_entry *entry)
{
    const struct content_line *line = &entry->properties[CALENDAR_ORGANIZER];
    if (!line->name)
        return;
    struct strbuf text;
    strbuf_init(&text, ALL_TEXT_MAX);
    add_person(&text, line);
    calendar_write_item(writer, "Organiser", text.data, text.len);
    strbuf_free(&text);
}

static void write_attendees(struct commonmark_writer *writer, const struct calendar_entry *entry)
{
    size_t named =
        entry->attendee_count < CONVERT_CALENDAR_PEOPLE_MAX ? entry->attendee_count : CONVERT_CALENDAR_PEOPLE_MAX;
    if (named == 0)
        return;
    struct strbuf text;
    strbuf_init(&text, ALL_TEXT_MAX);
    for (size_t i = 0; i < named; i++) {
        strbuf_add_str(&text, i > 0 ? "; " : "");
        add_person(&text, &entry->attendees[i]);
    }
    if (named < entry->attendee_count)
        strbuf_add_fmt(&text, "; and %zu more", entry->attendee_count - named);
    calendar_write_item(writer, "Who", text.data, text.len);
    strbuf_free(&text);
}

/* ---- all of it ---- */

/* Outlook puts the answer before the title, too: "Accepted: Lunch". Other languages stay: a title may begin so. */
static const char *bare_title(const char *title)
{
    static const char *const prefixes[] = { "Accepted: ",  "Declined: ",          "Tentative: ", "Canceled: ",
                                            "Cancelled: ", "New Time Proposed: ", "Updated: " };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncasecmp(title, prefixes[i], strlen(prefixes[i])) == 0)
            return title + strlen(prefixes[i]);
    }
    return title;
}

void calendar_write_entry(struct commonmark_writer *writer, const struct calendar_zones *zones,
                          const struct calendar_entry *entry, const char *heading)
{
    const struct content_line *of = entry->properties;
    char *summary = value_text(of[CALENDAR_SUMMARY].value, of[CALENDAR_SUMMARY].value_len, CONVERT_CALENDAR_VALUE_MAX);
    const char *title = strcmp(heading, CALENDAR_PLAIN_EVENT) == 0 ? summary : bare_title(summary);
    calendar_write_heading(writer, heading, title, strlen(title));
    free(summary);
    calendar_open_items(writer);
    write_when(writer, zones, entry);
    write_moment(writer, zones, "Due", &of[CALENDAR_DUE]);
    write_rule(writer, zones, entry);
    write_moment(writer, zones, "In place of the one on", &of[CALENDAR_RECURRENCE_ID]);
    write_value(writer, "Where", &of[CALENDAR_LOCATION]);
    write_value(writer, "Online", &of[of[CALENDAR_CONFERENCE].name ? CALENDAR_CONFERENCE : CALENDAR_URL]);
    write_organizer(writer, entry);
    write_attendees(writer, entry);
    write_value(writer, "Comment", &of[CALENDAR_COMMENT]);
    calendar_close_items(writer);
}

void calendar_write_surplus(struct commonmark_writer *writer, size_t count)
{
    struct strbuf text;
    strbuf_init(&text, TIME_TEXT_MAX);
    strbuf_add_fmt(&text, "%zu more %s in the attachment.", count, count == 1 ? "entry is" : "entries are");
    commonmark_add_text(writer, text.data, text.len);
    commonmark_end_paragraph(writer);
    strbuf_free(&text);
}

/* Line feeds stay, other than in content_unescape(). */
bool calendar_write_text(struct commonmark_writer *writer, const struct content_line *line)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_CALENDAR_DESCRIPTION_MAX);
    for (size_t i = 0; i < line->value_len && strbuf_ok(&text); i++) {
        char c = line->value[i];
        if (c == '\\' && i + 1 < line->value_len) {
            c = line->value[++i];
            c = c == 'n' || c == 'N' ? '\n' : c;
        }
        strbuf_add_char(&text, c);
    }
    bool is_cut = !strbuf_ok(&text);
    size_t len = convert_utf8_cut(text.data, text.len, text.len);
    const struct convert_text_format format = { false, false };
    const size_t before = commonmark_length(writer);
    if (!convert_text_is_blank(text.data, len))
        convert_text_write(writer, text.data, len, &format, NULL);
    bool written = commonmark_length(writer) > before; /* a quote of nothing is not blank */
    if (written && is_cut) {
        commonmark_add_text(writer, "...", 3);
        commonmark_end_paragraph(writer);
    }
    strbuf_free(&text);
    return written;
}
