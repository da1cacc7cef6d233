#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_calendar_write.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_tnef_internal.h"
#include "mapping/convert_utf8.h"

struct convert_tnef_meeting {
    const char *heading; /* NULL: it is none */
    int64_t start, end;  /* seconds since 1970; 0 */
    bool repeats, is_all_day;
    char *place, *zone, *pattern; /* NULL */
};

/* Classes as MAPI has them, and as TNEF writes them in attMessageClass. */
static const struct {
    const char *name, *heading;
} classes[] = {
    { "IPM.Schedule.Meeting.Request", "Invitation" },
    { "IPM.Schedule.Meeting.Canceled", "Cancelled" },
    { "IPM.Schedule.Meeting.Resp.Pos", "Accepted" },
    { "IPM.Schedule.Meeting.Resp.Neg", "Declined" },
    { "IPM.Schedule.Meeting.Resp.Tent", "Tentatively accepted" },
    { "IPM.Microsoft Schedule.MtgReq", "Invitation" },
    { "IPM.Microsoft Schedule.MtgCncl", "Cancelled" },
    { "IPM.Microsoft Schedule.MtgRespP", "Accepted" },
    { "IPM.Microsoft Schedule.MtgRespN", "Declined" },
    { "IPM.Microsoft Schedule.MtgRespA", "Tentatively accepted" },
    { "IPM.Appointment", "Event" },
};

int64_t tnef_seconds(uint64_t filetime)
{
    const uint64_t ticks = 10000000; /* of 100 ns */
    const uint64_t until_1970 = 11644473600;
    const uint64_t years_9999 = 265046774400;
    uint64_t seconds = filetime / ticks;
    return seconds < until_1970 || seconds > years_9999 ? 0 : (int64_t)(seconds - until_1970);
}

static char *text_line(const struct tnef_message *message, const struct tnef_property *property)
{
    struct strbuf text;
    strbuf_init(&text, property->len * 3 + 1);
    char *line = NULL;
    if (tnef_property_text(message->charsets, message->code_page, property, &text))
        line = convert_utf8_one_line(text.data, text.len, CONVERT_CALENDAR_VALUE_MAX);
    strbuf_free(&text);
    return line;
}

static void set_line(char **to, char *line)
{
    free(*to);
    *to = line;
}

/* [MS-OXOCAL] section 2.2.1; the times are in UTC. */
void tnef_meeting_add(struct tnef_message *message, const struct tnef_property *property)
{
    static const uint8_t appointment[] = { 0x02, 0x20, 0x06, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46 };
    enum {
        PLACE = 0x8208,
        START = 0x820D,
        END = 0x820E,
        ALL_DAY = 0x8215,
        REPEATS = 0x8223,
        PATTERN = 0x8232,
        ZONE = 0x8234
    };
    enum { PLAIN_START = 0x0060, PLAIN_END = 0x0061 };
    bool is_plain = !property->set && (property->id == PLAIN_START || property->id == PLAIN_END);
    bool is_appointment = property->set && memcmp(property->set, appointment, sizeof appointment) == 0;
    if (!is_plain && !is_appointment)
        return;
    if (!message->result->meeting)
        message->result->meeting = xcalloc(1, sizeof *message->result->meeting);
    struct convert_tnef_meeting *meeting = message->result->meeting;
    uint32_t what = is_plain ? property->id == PLAIN_START ? START : END : property->name;
    if (what == START)
        meeting->start = tnef_seconds(tnef_property_number(property));
    else if (what == END)
        meeting->end = tnef_seconds(tnef_property_number(property));
    else if (what == REPEATS)
        meeting->repeats = tnef_property_number(property) != 0;
    else if (what == ALL_DAY)
        meeting->is_all_day = tnef_property_number(property) != 0;
    else if (what == PLACE)
        set_line(&meeting->place, text_line(message, property));
    else if (what == PATTERN)
        set_line(&meeting->pattern, text_line(message, property));
    else if (what == ZONE)
        set_line(&meeting->zone, text_line(message, property));
}

void tnef_meeting_end(struct tnef_message *message)
{
    struct convert_tnef *result = message->result;
    const char *heading = NULL;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0] && message->message_class; i++) {
        if (strcasecmp(message->message_class, classes[i].name) == 0)
            heading = classes[i].heading;
    }
    if (!heading) {
        tnef_meeting_free(&result->meeting);
        return;
    }
    if (!result->meeting)
        result->meeting = xcalloc(1, sizeof *result->meeting);
    result->meeting->heading = heading;
}

void tnef_meeting_free(struct convert_tnef_meeting **meeting)
{
    if (!*meeting)
        return;
    free((*meeting)->place);
    free((*meeting)->zone);
    free((*meeting)->pattern);
    free(*meeting);
    *meeting = NULL;
}

static void write_line(struct commonmark_writer *writer, const char *label, const char *text)
{
    if (text)
        calendar_write_item(writer, label, text, strlen(text));
}

bool convert_tnef_write_meeting(struct commonmark_writer *writer, const struct convert_tnef *tnef)
{
    enum { PERIOD_MAX = 500 };
    const struct convert_tnef_meeting *meeting = tnef->meeting;
    if (!meeting)
        return false;
    calendar_write_heading(writer, meeting->heading, tnef->subject, strlen(tnef->subject));
    calendar_open_items(writer);
    if (meeting->start != 0) {
        const struct calendar_time start = { .kind = CALENDAR_UTC, .seconds = meeting->start };
        const struct calendar_time end = { .kind = meeting->end > meeting->start ? CALENDAR_UTC : CALENDAR_NONE,
                                           .seconds = meeting->end };
        struct calendar_zones *zones = calendar_zones_new();
        struct strbuf period;
        strbuf_init(&period, PERIOD_MAX);
        calendar_add_period(&period, zones, &start, &end);
        strbuf_add_str(&period, meeting->is_all_day ? " (all day where it was written)" : "");
        calendar_write_item(writer, "When", period.data, period.len);
        strbuf_free(&period);
        calendar_zones_free(&zones);
    }
    write_line(writer, "Time zone of the sender", meeting->zone);
    if (meeting->repeats)
        write_line(writer, "Repeats", meeting->pattern && *meeting->pattern ? meeting->pattern : "yes");
    write_line(writer, "Where", meeting->place);
    calendar_close_items(writer);
    return true;
}
