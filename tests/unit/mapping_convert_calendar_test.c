/* Calendars as a block that people read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_calendar.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_limits.h"
#include "tests/unit/cpu_time.h"

static struct convert_charsets *charsets;

static char *write(const char *charset, const char *data, size_t len, bool *written_out)
{
    struct strbuf out;
    strbuf_init(&out, CONVERT_BODY_MAX);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    *written_out = convert_calendar_write(charsets, writer, charset, data, len);
    commonmark_writer_free(&writer);
    assert_true(strbuf_ok(&out));
    return strbuf_detach(&out);
}

static void check(const char *data, const char *expected)
{
    bool written;
    char *out = write("utf-8", data, strlen(data), &written);
    assert_int_equal(written, *expected != '\0');
    if (getenv("SHOW"))
        printf("%s=======\n%s\n", data, out);
    else
        assert_string_equal(out, expected);
    free(out);
}

#define CALENDAR(method, lines) "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" method lines "END:VCALENDAR\r\n"
#define EVENT(lines)            "BEGIN:VEVENT\r\nSUMMARY:Lunch\r\n" lines "END:VEVENT\r\n"
#define REQUEST                 "METHOD:REQUEST\r\n"

#define BERLIN                                                                                                         \
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n"                                                                        \
    "BEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\nDTSTART:19700329T020000\r\n"           \
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n"                                                       \
    "BEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nDTSTART:19701025T030000\r\n"            \
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"

/* As Exchange writes it. */
#define EASTERN                                                                                                        \
    "BEGIN:VTIMEZONE\nTZID:Eastern Standard Time\nBEGIN:STANDARD\nDTSTART:16010101T020000\nTZOFFSETFROM:-0400\n"       \
    "TZOFFSETTO:-0500\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=1SU;BYMONTH=11\nEND:STANDARD\nBEGIN:DAYLIGHT\n"              \
    "DTSTART:16010101T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=2SU;BYMONTH="   \
    "3\n"                                                                                                              \
    "END:DAYLIGHT\nEND:VTIMEZONE\n"

static void test_when(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *when;
    } rows[] = {
        { "DTSTART:20260303T090000Z\r\nDTEND:20260303T100000Z\r\n", "Tue, 3 March 2026, 09:00 to 10:00 UTC" },
        { "DTSTART:20260303T090000Z\r\n", "Tue, 3 March 2026, 09:00 UTC" },
        { "DTSTART:20260303T090000Z\r\nDURATION:PT1H30M\r\n", "Tue, 3 March 2026, 09:00 to 10:30 UTC" },
        { "DTSTART:20260303T090000Z\r\nDURATION:P1W2DT3S\r\n",
          "Tue, 3 March 2026, 09:00 to Thu, 12 March 2026, 09:00:03 UTC" },
        { "DTSTART:20260303T220000\r\nDTEND:20260304T010000\r\n",
          "Tue, 3 March 2026, 22:00 to Wed, 4 March 2026, 01:00 (no time zone is given)" },
        { "DTSTART;VALUE=DATE:20260303\r\nDTEND;VALUE=DATE:20260304\r\n", "Tue, 3 March 2026 (all day)" },
        { "DTSTART;VALUE=DATE:20260303\r\n", "Tue, 3 March 2026 (all day)" },
        { "DTSTART;VALUE=DATE:20240228\r\nDURATION:P3D\r\n", "Wed, 28 February 2024 to Fri, 1 March 2024 (all day)" },
        { "DTSTART:20260303T000000\r\nDTEND:20260305T000000\r\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE\r\n",
          "Tue, 3 March 2026 to Wed, 4 March 2026 (all day)" },
        /* the file's own time zones: winter, summer, the days when the clocks change */
        { "DTSTART;TZID=Europe/Berlin:20260303T100000\r\nDTEND;TZID=Europe/Berlin:20260303T110000\r\n",
          "Tue, 3 March 2026, 10:00 to 11:00 (Europe/Berlin, UTC+01:00), that is 09:00 to 10:00 UTC" },
        { "DTSTART;TZID=\"Europe/Berlin\":20260703T003000\r\n",
          "Fri, 3 July 2026, 00:30 (Europe/Berlin, UTC+02:00), that is Thu, 2 July 2026, 22:30 UTC" },
        { "DTSTART;TZID=europe/berlin:20260329T015900\r\n",
          "Sun, 29 March 2026, 01:59 (europe/berlin, UTC+01:00), that is 00:59 UTC" },
        { "DTSTART;TZID=Europe/Berlin:20260329T030000\r\n",
          "Sun, 29 March 2026, 03:00 (Europe/Berlin, UTC+02:00), that is 01:00 UTC" },
        { "DTSTART;TZID=Europe/Berlin:20261025T030000\r\n",
          "Sun, 25 October 2026, 03:00 (Europe/Berlin, UTC+01:00), that is 02:00 UTC" },
        { "DTSTART;TZID=Europe/Berlin:19690101T120000\r\n",
          "Wed, 1 January 1969, 12:00 (Europe/Berlin, UTC+01:00), that is 11:00 UTC" },
        { "DTSTART;TZID=Eastern Standard Time:20261031T230000\r\nDTEND;TZID=Eastern Standard Time:20261101T030000\r\n",
          "Sat, 31 October 2026, 23:00 to Sun, 1 November 2026, 03:00 (Eastern Standard Time, UTC-05:00), that is Sun, "
          "1 November 2026, 03:00 to 08:00 UTC" },
        { "DTSTART;TZID=Europe/Berlin:20260303T100000\r\nDTEND;TZID=Eastern Standard Time:20260303T130000\r\n",
          "Tue, 3 March 2026, 10:00 (Europe/Berlin, UTC+01:00) to Tue, 3 March 2026, 13:00 (Eastern Standard Time, "
          "UTC-05:00), that is 09:00 to 18:00 UTC" },
        /* zones that the file doesn't explain */
        { "DTSTART;TZID=Asia/Tokyo:20260303T100000\r\n", "Tue, 3 March 2026, 10:00 (Asia/Tokyo)" },
        { "DTSTART;TZID=/mozilla.org/20050126_1/Asia/Tokyo:20260303T100000\r\n",
          "Tue, 3 March 2026, 10:00 (Asia/Tokyo)" },
        { "DTSTART;TZID=/freeassociation.sourceforge.net/Asia/Tokyo:20260303T100000\r\n",
          "Tue, 3 March 2026, 10:00 (Asia/Tokyo)" },
        { "DTSTART;TZID=tzone://Microsoft/Custom:20260303T100000\r\n",
          "Tue, 3 March 2026, 10:00 (a time zone of its own)" },
        { "DTSTART;TZID=tzone://Microsoft/Utc:20260303T100000\r\n", "Tue, 3 March 2026, 10:00 UTC" },
        { "DTSTART;TZID=\"tzone://Microsoft/Utc\":20260303T100000\r\n", "Tue, 3 March 2026, 10:00 UTC" },
        /* what is no time is shown as it is; one that can't end is one that begins */
        { "DTSTART:next Tuesday\r\n", "next Tuesday" },
        { "DTSTART:20260230T100000\r\n", "20260230T100000" },
        { "DTSTART:20260303T100000Z\r\nDTEND:20260303T090000Z\r\n", "Tue, 3 March 2026, 10:00 UTC" },
        { "DTSTART;VALUE=DATE:20260303\r\nDTEND;VALUE=DATE:20260301\r\n", "Tue, 3 March 2026 (all day)" },
        { "DTSTART:20260303T100000Z\r\nDTEND:never\r\n", "Tue, 3 March 2026, 10:00 UTC" },
        { "DTSTART:20260303T100000Z\r\nDURATION:PT99999999999H\r\n", "Tue, 3 March 2026, 10:00 UTC" },
        { "DTSTART:2026-03-03T10:00:00Z\r\n", "Tue, 3 March 2026, 10:00 UTC" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf data, expected;
        strbuf_init(&data, 10000);
        strbuf_init(&expected, 10000);
        strbuf_add_fmt(&data, CALENDAR("", BERLIN EASTERN EVENT("%s")), rows[i].lines);
        strbuf_add_fmt(&expected, "**Event: Lunch**\n\n- When: %s\n", rows[i].when);
        check(data.data, expected.data);
        strbuf_free(&data);
        strbuf_free(&expected);
    }
}

static void test_repetition(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *words;
    } rows[] = {
        { "RRULE:FREQ=DAILY\r\n", "every day" },
        { "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=5\r\n", "every 2 days, 5 times" },
        { "RRULE:FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR\r\n", "every working day (Monday to Friday)" },
        { "RRULE:FREQ=WEEKLY\r\n", "every week" },
        { "RRULE:FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=MO,WE,FR\r\n", "every 2 weeks on Monday, Wednesday and Friday" },
        { "RRULE:FREQ=MONTHLY;BYMONTHDAY=15\r\n", "every month on day 15" },
        { "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;INTERVAL=3\r\n", "every 3 months on the last day" },
        { "RRULE:FREQ=MONTHLY;BYDAY=2TU\r\n", "every month on the second Tuesday" },
        { "RRULE:FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1\r\n", "every month on the last Friday" },
        { "RRULE:FREQ=MONTHLY;BYDAY=-2FR\r\n", "every month on the second to last Friday" },
        { "RRULE:FREQ=YEARLY\r\n", "every year" },
        { "RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3\r\n", "every year on 3 March" },
        { "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\n", "every year on the last Sunday of October" },
        { "RRULE:FREQ=WEEKLY;UNTIL=20260630\r\n", "every week, until Tue, 30 June 2026" },
        /* the last day there, not in UTC */
        { "RRULE:FREQ=WEEKLY;UNTIL=20260630T220000Z\r\n", "every week, until Wed, 1 July 2026" },
        { "RRULE:FREQ=WEEKLY\r\nEXDATE;TZID=Europe/Berlin:20260310T100000,20260317T100000\r\n",
          "every week, except on Tue, 10 March 2026; Tue, 17 March 2026" },
        { "RDATE:20260304T100000\r\n", "on Wed, 4 March 2026" },
        /* too much to be said */
        { "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1\r\n", "by a rule that is in the attachment" },
        { "RRULE:FREQ=YEARLY;BYWEEKNO=20\r\n", "by a rule that is in the attachment" },
        { "RRULE:FREQ=HOURLY\r\n", "by a rule that is in the attachment" },
        { "RRULE:FREQ=DAILY;INTERVAL=0\r\n", "by a rule that is in the attachment" },
        { "RRULE:nonsense\r\n", "by a rule that is in the attachment" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf data, expected;
        strbuf_init(&data, 10000);
        strbuf_init(&expected, 10000);
        strbuf_add_fmt(&data, CALENDAR("", BERLIN EVENT("DTSTART;TZID=Europe/Berlin:20260303T100000\r\n%s")),
                       rows[i].rule);
        strbuf_add_fmt(&expected,
                       "**Event: Lunch**\n\n- When: Tue, 3 March 2026, 10:00 (Europe/Berlin, UTC+01:00), that is 09:00 "
                       "UTC\n- Repeats: %s\n",
                       rows[i].words);
        check(data.data, expected.data);
        strbuf_free(&data);
        strbuf_free(&expected);
    }
}

static void test_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *calendar, *heading;
    } rows[] = {
        { CALENDAR(REQUEST, EVENT("")), "**Invitation: Lunch**\n" },
        { CALENDAR(REQUEST, EVENT("SEQUENCE:0\r\n")), "**Invitation: Lunch**\n" },
        { CALENDAR(REQUEST, EVENT("SEQUENCE:2\r\n")), "**Updated invitation: Lunch**\n" },
        { CALENDAR("METHOD:PUBLISH\r\n", EVENT("")), "**Event: Lunch**\n" },
        { CALENDAR("METHOD:CANCEL\r\n", EVENT("SEQUENCE:3\r\n")), "**Cancelled: Lunch**\n" },
        { CALENDAR("", EVENT("STATUS:CANCELLED\r\n")), "**Cancelled: Lunch**\n" },
        { CALENDAR("METHOD:CANCEL\r\n", "BEGIN:VEVENT\r\nSUMMARY:Canceled: Lunch\r\nEND:VEVENT\r\n"),
          "**Cancelled: Lunch**\n" },
        { CALENDAR("", "BEGIN:VEVENT\r\nSUMMARY:Accepted: a play\r\nEND:VEVENT\r\n"), "**Event: Accepted: a play**\n" },
        { CALENDAR("METHOD:COUNTER\r\n", EVENT("")), "**Another time proposed: Lunch**\n" },
        { CALENDAR("METHOD:REPLY\r\n", EVENT("ATTENDEE;PARTSTAT=ACCEPTED;CN=Carol:mailto:carol@example.com\r\n")),
          "**Accepted: Lunch**\n\n- Who: Carol (<carol@example.com>, accepted)\n" },
        { CALENDAR("METHOD:REPLY\r\n", EVENT("ATTENDEE;PARTSTAT=DECLINED:MAILTO:carol@example.com\r\n")),
          "**Declined: Lunch**\n\n- Who: <carol@example.com> (declined)\n" },
        { CALENDAR("METHOD:REPLY\r\n", EVENT("ATTENDEE;PARTSTAT=\"TENTATIVE\":mailto:carol@example.com\r\n"
                                             "COMMENT:Later would be better\\, if possible\r\n")),
          "**Tentatively accepted: Lunch**\n\n- Who: <carol@example.com> (tentative)\n- Comment: Later would be "
          "better, "
          "if "
          "possible\n" },
        { CALENDAR(REQUEST, "BEGIN:VTODO\r\nSUMMARY:Pay the bill\r\nDUE;VALUE=DATE:20260310\r\nEND:VTODO\r\n"),
          "**Task: Pay the bill**\n\n- Due: Tue, 10 March 2026\n" },
        { CALENDAR("", "BEGIN:VFREEBUSY\r\nDTSTART:20260303T000000Z\r\nDTEND:20260304T000000Z\r\n"
                       "FREEBUSY:20260303T090000Z/PT1H\r\nEND:VFREEBUSY\r\n"),
          "**Free and busy times**\n\n- When: Tue, 3 March 2026, 00:00 to Wed, 4 March 2026, 00:00 UTC\n" },
        { CALENDAR(REQUEST, EVENT("RECURRENCE-ID:20260303T100000Z\r\nDTSTART:20260303T110000Z\r\n")),
          "**Invitation: Lunch**\n\n- When: Tue, 3 March 2026, 11:00 UTC\n- In place of the one on: Tue, 3 March 2026, "
          "10:00 "
          "UTC\n" },
        /* nothing in it */
        { "", "" },
        { "Hello\r\n", "" },
        { CALENDAR(REQUEST, ""), "" },
        { CALENDAR(REQUEST, "BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n"), "" },
        { CALENDAR("", BERLIN), "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(rows[i].calendar, rows[i].heading);
}

static void test_who_and_where(void **state)
{
    (void)state;
    check(
        CALENDAR(
            REQUEST,
            EVENT("LOCATION:Room 5\\, second floor\r\nURL:https://example.com/lunch\r\n"
                  "ORGANIZER;CN=\"Example, Bob\":mailto:bob@example.com\r\n"
                  "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=carol@exampl\r\n"
                  " e.com;X-NUM-GUESTS=0:mailto:carol@example.com\r\n"
                  "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=TENTATIVE;CN=Dave ^'D^' Example:mailto:dave@example.com\r\n"
                  "ATTENDEE;CUTYPE=ROOM;CN=Room 5:invalid:nomail\r\n"
                  "BEGIN:VALARM\r\nSUMMARY:Wake up\r\nATTENDEE:mailto:alarm@example.com\r\nEND:VALARM\r\n")),
        "**Invitation: Lunch**\n\n"
        "- Where: Room 5, second floor\n"
        "- Online: <https://example.com/lunch>\n"
        "- Organiser: Example, Bob (<bob@example.com>)\n"
        "- Who: <carol@example.com>; Dave \"D\" Example (<dave@example.com>, optional, tentative); Room 5 (room)\n");
}

static void test_as_programs_write_it(void **state)
{
    (void)state;
    /* bare LF, bare CR, CR CR LF; a fold with a tab, in the middle of a character */
    check("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Lunch\nEND:VEVENT\nEND:VCALENDAR\n", "**Event: Lunch**\n");
    check("BEGIN:VCALENDAR\rBEGIN:VEVENT\rSUMMARY:Lunch\rEND:VEVENT\rEND:VCALENDAR\r", "**Event: Lunch**\n");
    check("BEGIN:VCALENDAR\r\r\nBEGIN:VEVENT\r\r\nSUMMARY:Lunch\r\r\nEND:VEVENT\r\r\n", "**Event: Lunch**\n");
    check("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:L\xC3\r\n\t\xA4nch\r\nEND:VEVENT\r\n",
          "**Event: L\xC3\xA4nch**\n");
    /* small letters, blanks, a group, no end, an unknown component around it */
    check("begin:vcalendar\r\nbegin:vevent\r\nsummary ;language=en: Lunch \r\n", "**Event: Lunch**\n");
    check("BEGIN:VEVENT\r\nSUMMARY:Lunch\r\n", "**Event: Lunch**\n");
    check(CALENDAR("", "BEGIN:X-NOTHING\r\nBEGIN:VEVENT\r\nSUMMARY:No\r\nEND:VEVENT\r\nEND:X-NOTHING\r\n" EVENT("")),
          "**Event: Lunch**\n");
    /* quotes that never end, a value with colons, what would act as markup */
    check(CALENDAR("", "BEGIN:VEVENT\r\nSUMMARY;X=\"a:*Lunch* <b>: _now_\r\nEND:VEVENT\r\n"),
          "**Event: \\*Lunch\\* \\<b>: \\_now\\_**\n");
    check(CALENDAR("", "BEGIN:VEVENT\r\nSUMMARY:one\\nline\\\r\nEND:VEVENT\r\n"), "**Event: one line\\\\**\n");
}

static void test_more_than_is_named(void **state)
{
    (void)state;
    struct strbuf data;
    bool written;
    strbuf_init(&data, 1 << 20);
    strbuf_add_str(&data, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:All\r\n");
    for (int i = 0; i < CONVERT_CALENDAR_PEOPLE_MAX + 30; i++)
        strbuf_add_fmt(&data, "ATTENDEE:mailto:a%d@example.com\r\n", i);
    strbuf_add_str(&data, "END:VEVENT\r\n");
    for (int i = 0; i < CONVERT_CALENDAR_ENTRIES_MAX + 1; i++)
        strbuf_add_fmt(&data, EVENT("DESCRIPTION:%d\r\n"), i);
    char *out = write("", data.data, data.len, &written);
    assert_true(written);
    assert_non_null(strstr(out, "; <a19@example.com>; and 30 more\n"));
    assert_non_null(strstr(out, "2 more entries are in the attachment.\n"));
    free(out);
    strbuf_free(&data);
}

static void test_charset(void **state)
{
    (void)state;
    static const char data[] = "BEGIN:VEVENT\r\nSUMMARY:M\xFCnchen\r\nEND:VEVENT\r\n";
    static const char *const labels[] = { "iso-8859-1", "" };
    for (size_t i = 0; i < 2; i++) {
        bool written;
        char *out = write(labels[i], data, sizeof data - 1, &written);
        assert_string_equal(out, "**Event: M\xC3\xBCnchen**\n");
        free(out);
    }
}

static void test_description(void **state)
{
    (void)state;
    static const struct {
        const char *data, *expected;
    } rows[] = {
        { EVENT("DESCRIPTION:Dear all\\,\\n\\nlunch *today*.\\NBob\r\n"), "Dear all,\n\nlunch \\*today\\*.  \nBob\n" },
        { EVENT("DESCRIPTION: \\n \r\n"), "" },
        { EVENT("DESCRIPTION:\\n>\\n> >\r\n"), "" },
        { EVENT(""), "" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, CONVERT_BODY_MAX);
        struct commonmark_writer *writer = commonmark_writer_new(&out);
        bool written = convert_calendar_write_description(charsets, writer, "", rows[i].data, strlen(rows[i].data));
        commonmark_writer_free(&writer);
        assert_int_equal(written, *rows[i].expected != '\0');
        assert_string_equal(out.data, rows[i].expected);
        strbuf_free(&out);
    }
}

static int64_t ms_for(const char *line, size_t count)
{
    struct strbuf data;
    bool written;
    strbuf_init(&data, CONVERT_TEXT_MAX);
    strbuf_add_str(&data, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n");
    for (size_t i = 0; i < count; i++)
        strbuf_add_str(&data, line);
    assert_true(strbuf_ok(&data));
    double begin = cpu_seconds();
    free(write("", data.data, data.len, &written));
    int64_t spent = (int64_t)((cpu_seconds() - begin) * 1000);
    strbuf_free(&data);
    return spent;
}

static void test_time_is_linear(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "BEGIN:VEVENT\r\n",    "BEGIN:VTIMEZONE\r\n", "ATTENDEE;CN=a;CN=b;CN=c:mailto:a@example.com\r\n",
        "EXDATE:20260303\r\n", "SUMMARY:\r\n x\r\n",  "A;\"=\";:\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t count = 100000 / strlen(lines[i]) * 2;
        assert_true(ms_for(lines[i], 4 * count) <= 8 * ms_for(lines[i], count) + 200);
    }
}

static int set_up(void **state)
{
    (void)state;
    charsets = convert_charsets_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    convert_charsets_free(&charsets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_what_it_is),
        cmocka_unit_test(test_who_and_where),
        cmocka_unit_test(test_as_programs_write_it),
        cmocka_unit_test(test_more_than_is_named),
        cmocka_unit_test(test_charset),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_time_is_linear),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
