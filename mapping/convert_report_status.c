/* A report's machine-readable part (RFC 3464 section 2): groups of fields, the first about the message, each other one
 * about a recipient. Groups are told apart by what their fields say rather than by empty lines, which go astray. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_report_internal.h"
#include "mapping/convert_utf8.h"

enum { FIELD_MAX = 4096 }; /* octets of a value that are looked at */

/* What has been said about the recipient whose fields are being read. */
struct reading {
    struct convert_report_result *result;
    struct convert_report_recipient recipient;
    bool has_final, has_original, has_action;
    bool group_has_ended; /* since then no field of a recipient was met */
    bool is_delay;
};

static void begin(struct reading *reading)
{
    reading->recipient = (struct convert_report_recipient){ .address = xstrdup(""),
                                                            .original = xstrdup(""),
                                                            .status = xstrdup(""),
                                                            .diagnostic = xstrdup(""),
                                                            .remote_mta = xstrdup("") };
    reading->has_final = reading->has_original = reading->has_action = false;
}

static bool is_unspecific(const char *status)
{
    return *status == '\0' || strcmp(status + 1, ".0.0") == 0;
}

/* The far side's own code says more than "5.0.0" does, where both agree on the class. */
static void improve_status(struct convert_report_recipient *recipient)
{
    char *found = convert_report_status_from(recipient->diagnostic);
    bool agrees = *recipient->status == '\0' || *recipient->status == *found;
    if (is_unspecific(recipient->status) && *found && agrees)
        convert_report_set(&recipient->status, found);
    else
        free(found);
}

/* False: nothing was said about the recipient. */
static bool find_action(struct reading *reading)
{
    struct convert_report_recipient *recipient = &reading->recipient;
    char class = *recipient->status;
    if (reading->has_action)
        return true;
    if (class == '4')
        recipient->action =
            reading->is_delay || recipient->will_retry_until > 0 ? CONVERT_REPORT_DELAYED : CONVERT_REPORT_FAILED;
    else
        recipient->action = class == '2' ? CONVERT_REPORT_DELIVERED : CONVERT_REPORT_FAILED;
    return class != '\0';
}

/* The action is what counts; a code that says the opposite says nothing. */
static bool contradicts(const struct convert_report_recipient *recipient)
{
    bool is_bad = recipient->action == CONVERT_REPORT_FAILED || recipient->action == CONVERT_REPORT_DELAYED;
    return *recipient->status != '\0' && is_bad == (*recipient->status == '2');
}

static void end_recipient(struct reading *reading)
{
    struct convert_report_recipient *recipient = &reading->recipient;
    improve_status(recipient);
    struct convert_report_recipient *kept = find_action(reading) ? convert_report_add(reading->result) : NULL;
    if (kept) {
        if (contradicts(recipient))
            convert_report_set(&recipient->status, xstrdup(""));
        convert_report_recipient_free(kept);
        *kept = *recipient;
    } else {
        convert_report_recipient_free(recipient);
    }
    begin(reading);
}

/* Whether a field begins the next recipient: it was there already, or an address stands in a later group. */
static void separate(struct reading *reading, bool has_it, bool is_address)
{
    bool any = reading->has_final || reading->has_original || reading->has_action;
    if (has_it || (any && is_address && reading->group_has_ended))
        end_recipient(reading);
    reading->group_has_ended = false;
}

static void take_final(struct reading *reading, const char *value)
{
    separate(reading, reading->has_final, true);
    reading->has_final = true;
    convert_report_set(&reading->recipient.address, convert_report_address(value));
}

static void take_original(struct reading *reading, const char *value)
{
    separate(reading, reading->has_original, true);
    reading->has_original = true;
    convert_report_set(&reading->recipient.original, convert_report_address(value));
}

static void take_action(struct reading *reading, const char *value)
{
    enum convert_report_action action;
    if (!convert_report_action_parse(value, &action))
        return;
    separate(reading, reading->has_action, false);
    reading->has_action = true;
    reading->recipient.action = action;
}

/* Of what is said twice the first counts. */
static void take_first(char **field, char *text)
{
    if (**field == '\0')
        convert_report_set(field, text);
    else
        free(text);
}

static void take_status(struct reading *reading, const char *value)
{
    take_first(&reading->recipient.status, convert_report_status(value));
}

static void take_diagnostic(struct reading *reading, const char *value)
{
    take_first(&reading->recipient.diagnostic, convert_report_diagnostic(value));
}

static void take_remote_mta(struct reading *reading, const char *value)
{
    take_first(&reading->recipient.remote_mta, convert_report_host(value));
}

static void take_until(struct reading *reading, const char *value)
{
    if (reading->recipient.will_retry_until == 0)
        reading->recipient.will_retry_until = convert_report_date(value);
}

static void take_reporting_mta(struct reading *reading, const char *value)
{
    take_first(&reading->result->reporting_mta, convert_report_host(value));
}

static void take_envelope_id(struct reading *reading, const char *value)
{
    take_first(&reading->result->envelope_id, xstrdup(strlen(value) <= CONVERT_REPORT_ENVELOPE_ID_MAX ? value : ""));
}

/* Gmail's, which returns no header that could have it. */
static void take_message_id(struct reading *reading, const char *value)
{
    take_first(&reading->result->original_message_id, convert_report_message_id(value));
}

static const struct status_field {
    const char *name;
    void (*take)(struct reading *reading, const char *value);
} status_fields[] = {
    { "Final-Recipient", take_final },
    { "Original-Recipient", take_original },
    { "Action", take_action },
    { "Status", take_status },
    { "Diagnostic-Code", take_diagnostic },
    { "Remote-MTA", take_remote_mta },
    { "Will-Retry-Until", take_until },
    { "Reporting-MTA", take_reporting_mta },
    { "Original-Envelope-Id", take_envelope_id },
    { "X-Original-Message-ID", take_message_id },
};

static void take_field(struct reading *reading, const struct convert_field *field)
{
    for (size_t i = 0; i < sizeof status_fields / sizeof status_fields[0]; i++) {
        if (!convert_field_is(field, status_fields[i].name))
            continue;
        char *value = convert_utf8_one_line(field->value, field->value_len, FIELD_MAX);
        status_fields[i].take(reading, value);
        free(value);
        return;
    }
}

/* The end of the group of fields at text; what follows it begins behind the lines without content. */
static size_t group_len(const char *text, size_t len, size_t *next_out)
{
    size_t end = len;
    for (size_t i = 0; i < len;) {
        const char *lf = memchr(text + i, '\n', len - i);
        size_t next = lf ? (size_t)(lf - text) + 1 : len;
        bool is_empty = true;
        for (size_t k = i; k < next; k++)
            is_empty = is_empty && strchr(" \t\r\n", text[k]) && text[k] != '\0';
        if (is_empty && end == len)
            end = i;
        if (!is_empty && end < len) {
            *next_out = i;
            return end;
        }
        i = next;
    }
    *next_out = len;
    return end;
}

void convert_report_read_status(const char *text, size_t len, bool is_delay, struct convert_report_result *result)
{
    struct reading reading = { .result = result, .is_delay = is_delay };
    begin(&reading);
    for (size_t i = 0, next = 0; i < len; i += next) {
        const char *at = text + i;
        const char *end = at + group_len(text + i, len - i, &next);
        struct convert_field field;
        while (convert_field_next(&at, end, &field))
            take_field(&reading, &field);
        reading.group_has_ended = true;
    }
    if (reading.has_final || reading.has_original || reading.has_action)
        end_recipient(&reading);
    convert_report_recipient_free(&reading.recipient);
}
