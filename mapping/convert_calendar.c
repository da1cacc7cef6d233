#include "mapping/convert_calendar.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_calendar_internal.h"
#include "mapping/convert_calendar_write.h"
#include "mapping/convert_content_line.h"
#include "mapping/convert_limits.h"

/* ---- reading ---- */

/* What a component is about, by the name of its properties. Of a repeated one the first counts. */
static const struct {
    const char *name;
    enum calendar_property property;
} properties[] = {
    { "SUMMARY", CALENDAR_SUMMARY },
    { "DTSTART", CALENDAR_START },
    { "DTEND", CALENDAR_END },
    { "DUE", CALENDAR_DUE },
    { "DURATION", CALENDAR_DURATION },
    { "RRULE", CALENDAR_RULE },
    { "RECURRENCE-ID", CALENDAR_RECURRENCE_ID },
    { "LOCATION", CALENDAR_LOCATION },
    { "ORGANIZER", CALENDAR_ORGANIZER },
    { "STATUS", CALENDAR_STATUS },
    { "SEQUENCE", CALENDAR_SEQUENCE },
    { "COMMENT", CALENDAR_COMMENT },
    { "DESCRIPTION", CALENDAR_DESCRIPTION },
    { "CONFERENCE", CALENDAR_CONFERENCE },
    { "X-GOOGLE-CONFERENCE", CALENDAR_CONFERENCE },
    { "X-MICROSOFT-SKYPETEAMSMEETINGURL", CALENDAR_CONFERENCE },
    { "URL", CALENDAR_URL },
    { "X-MICROSOFT-CDO-ALLDAYEVENT", CALENDAR_ALL_DAY },
};

static void add_property(struct calendar_entry *entry, const struct content_line *line)
{
    if (content_line_is(line, "ATTENDEE")) {
        if (entry->attendee_count++ < CONVERT_CALENDAR_PEOPLE_MAX)
            entry->attendees[entry->attendee_count - 1] = *line;
        return;
    }
    if (content_line_is(line, "EXDATE") || content_line_is(line, "RDATE")) {
        struct calendar_dates *dates = content_line_is(line, "EXDATE") ? &entry->except : &entry->also;
        if (dates->count < CONVERT_CALENDAR_DATE_LINES_MAX)
            dates->lines[dates->count++] = *line;
        else
            dates->is_cut = true;
        return;
    }
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        struct content_line *of = &entry->properties[properties[i].property];
        if (content_line_is(line, properties[i].name) && !of->name && line->value_len > 0)
            *of = *line;
    }
}

/* Components that are told about; those of any other name are passed over with what is in them. */
static bool entry_kind(const struct content_line *line, enum calendar_entry_kind *kind_out)
{
    static const char *const names[CALENDAR_ENTRY_KINDS] = { "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY" };
    for (int i = 0; i < CALENDAR_ENTRY_KINDS; i++) {
        if (content_value_is(line, names[i])) {
            *kind_out = (enum calendar_entry_kind)i;
            return true;
        }
    }
    return false;
}

struct reader {
    struct calendar *calendar;
    struct calendar_entry *entry;  /* that lines are for; NULL: none */
    struct calendar_entry surplus; /* of which there are too many */
    bool in_zone;
    size_t ignored; /* components around us that nothing is told about (alarms, unknown ones) */
};

static void begin_component(struct reader *reader, const struct content_line *line)
{
    struct calendar *calendar = reader->calendar;
    enum calendar_entry_kind kind;
    if (reader->ignored > 0 || reader->entry) {
        reader->ignored++;
    } else if (reader->in_zone) {
        calendar_zones_add_line(calendar->zones, line);
    } else if (content_value_is(line, "VTIMEZONE")) {
        reader->in_zone = true;
        calendar_zones_begin(calendar->zones);
    } else if (entry_kind(line, &kind)) {
        bool is_named = calendar->entry_count < CONVERT_CALENDAR_ENTRIES_MAX;
        reader->entry = is_named ? &calendar->entries[calendar->entry_count] : &reader->surplus;
        *reader->entry = (struct calendar_entry){ .kind = kind };
        calendar->entry_count++;
    } else if (!content_value_is(line, "VCALENDAR")) {
        reader->ignored++;
    }
}

static void end_component(struct reader *reader, const struct content_line *line)
{
    if (reader->ignored > 0) {
        reader->ignored--;
    } else if (reader->in_zone && content_value_is(line, "VTIMEZONE")) {
        reader->in_zone = false;
    } else if (reader->in_zone) {
        calendar_zones_add_line(reader->calendar->zones, line);
    } else {
        reader->entry = NULL;
    }
}

static void read_lines(struct calendar *calendar, const char *text, size_t len)
{
    struct reader reader = { .calendar = calendar };
    struct content_line line;
    const char *at = text;
    while (content_line_next(&at, text + len, &line)) {
        if (content_line_is(&line, "BEGIN"))
            begin_component(&reader, &line);
        else if (content_line_is(&line, "END"))
            end_component(&reader, &line);
        else if (reader.ignored > 0)
            continue;
        else if (reader.in_zone)
            calendar_zones_add_line(calendar->zones, &line);
        else if (reader.entry)
            add_property(reader.entry, &line);
        else if (content_line_is(&line, "METHOD") && !calendar->method.name)
            calendar->method = line;
    }
}

/* ---- telling ---- */

static bool is_method(const struct calendar *calendar, const char *method)
{
    return calendar->method.name && content_value_is(&calendar->method, method);
}

static const char *answer(const struct calendar_entry *entry)
{
    static const struct {
        const char *status, *words;
    } answers[] = {
        { "ACCEPTED", "Accepted" },   { "DECLINED", "Declined" },   { "TENTATIVE", "Tentatively accepted" },
        { "DELEGATED", "Delegated" }, { "COMPLETED", "Completed" }, { "IN-PROCESS", "Under way" },
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0] && entry->attendee_count > 0; i++) {
        if (content_line_has(&entry->attendees[0], "PARTSTAT", answers[i].status))
            return answers[i].words;
    }
    return "Answer";
}

static bool is_update(const struct calendar_entry *entry)
{
    const struct content_line *sequence = &entry->properties[CALENDAR_SEQUENCE];
    int64_t number;
    return sequence->name && calendar_number(sequence->value, sequence->value_len, &number) && number > 0;
}

/* RFC 5546 section 1.4. What a thing is called that is new, changed, cancelled. */
static const char *heading(const struct calendar *calendar, const struct calendar_entry *entry)
{
    enum { NEW, CHANGED, CANCELLED, PLAIN, STAGES };
    static const char *const words[CALENDAR_ENTRY_KINDS][STAGES] = {
        [CALENDAR_EVENT] = { "Invitation", "Updated invitation", "Cancelled", CALENDAR_PLAIN_EVENT },
        [CALENDAR_TODO] = { "Task", "Updated task", "Cancelled task", "Task" },
        [CALENDAR_JOURNAL] = { "Journal entry", "Journal entry", "Cancelled journal entry", "Journal entry" },
        [CALENDAR_FREEBUSY] = { "Request for free times", "Request for free times", "Free and busy times",
                                "Free and busy times" },
    };
    static const struct {
        const char *method, *words;
    } methods[] = {
        { "COUNTER", "Another time proposed" },
        { "DECLINECOUNTER", "Proposal declined" },
        { "REFRESH", "Request for the current version" },
        { "ADD", "Added occurrence" },
    };
    const struct content_line *status = &entry->properties[CALENDAR_STATUS];
    if (is_method(calendar, "REPLY"))
        return entry->kind == CALENDAR_FREEBUSY ? words[CALENDAR_FREEBUSY][PLAIN] : answer(entry);
    if (is_method(calendar, "CANCEL") || (status->name && content_value_is(status, "CANCELLED")))
        return words[entry->kind][CANCELLED];
    if (is_method(calendar, "REQUEST"))
        return words[entry->kind][is_update(entry) ? CHANGED : NEW];
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (is_method(calendar, methods[i].method))
            return methods[i].words;
    }
    return words[entry->kind][PLAIN];
}

static bool is_tellable(const struct calendar_entry *entry)
{
    static const enum calendar_property any[] = { CALENDAR_SUMMARY, CALENDAR_START,     CALENDAR_DUE,
                                                  CALENDAR_END,     CALENDAR_ORGANIZER, CALENDAR_DESCRIPTION };
    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++) {
        if (entry->properties[any[i]].name)
            return true;
    }
    return false;
}

static bool write_entries(struct commonmark_writer *writer, const struct calendar *calendar)
{
    size_t named =
        calendar->entry_count < CONVERT_CALENDAR_ENTRIES_MAX ? calendar->entry_count : CONVERT_CALENDAR_ENTRIES_MAX;
    bool written = false;
    for (size_t i = 0; i < named; i++) {
        if (!is_tellable(&calendar->entries[i]))
            continue;
        calendar_write_entry(writer, calendar->zones, &calendar->entries[i], heading(calendar, &calendar->entries[i]));
        written = true;
    }
    if (written && named < calendar->entry_count)
        calendar_write_surplus(writer, calendar->entry_count - named);
    return written;
}

typedef bool write_part(struct commonmark_writer *writer, const struct calendar *calendar);

static bool with_calendar(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                          const void *data, size_t len, write_part *write)
{
    if (len > CONVERT_TEXT_MAX)
        return false;
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX * 3);
    content_unfold(charsets, charset, data, len, &text);
    struct calendar calendar = { .zones = calendar_zones_new() };
    read_lines(&calendar, text.data, text.len);
    bool written = write(writer, &calendar);
    calendar_zones_free(&calendar.zones);
    strbuf_free(&text);
    return written;
}

bool convert_calendar_write(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                            const void *data, size_t len)
{
    return with_calendar(charsets, writer, charset, data, len, write_entries);
}

static bool write_description(struct commonmark_writer *writer, const struct calendar *calendar)
{
    const struct content_line *description = &calendar->entries[0].properties[CALENDAR_DESCRIPTION];
    return description->name && calendar_write_text(writer, description);
}

bool convert_calendar_write_description(struct convert_charsets *charsets, struct commonmark_writer *writer,
                                        const char *charset, const void *data, size_t len)
{
    return with_calendar(charsets, writer, charset, data, len, write_description);
}
