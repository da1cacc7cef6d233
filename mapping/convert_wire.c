#include "mapping/convert_wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_report_internal.h"
#include "mapping/convert_utf8.h"
#include "smtp/smtp_address.h"
#include "tmtp/tmtp_message.h"

/* Reads on after a failure give zeros; bad tells at the end. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static uint64_t get_number(struct reader *reader, size_t size)
{
    uint64_t value = 0;
    if (reader->left < size) {
        reader->bad = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += size;
    reader->left -= size;
    return value;
}

static int64_t get_size(struct reader *reader)
{
    uint64_t value = get_number(reader, 8);
    if (value > INT64_MAX)
        reader->bad = true;
    return reader->bad ? 0 : (int64_t)value;
}

/* A NUL ends each string besides its length, so that it can be used in place. */
static const char *get_text(struct reader *reader, size_t max)
{
    size_t len = (size_t)get_number(reader, 4);
    if (reader->bad || len > max || reader->left <= len || memchr(reader->at, '\0', len + 1) != reader->at + len) {
        reader->bad = true;
        return "";
    }
    const char *text = (const char *)reader->at;
    reader->at += len + 1;
    reader->left -= len + 1;
    return text;
}

static void add_number(struct strbuf *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        strbuf_add_char(out, (char)(value >> (8 * i)));
}

static void add_text(struct strbuf *out, const char *text)
{
    size_t len = strlen(text);
    add_number(out, len, 4);
    strbuf_add(out, text, len + 1);
}

static const char *get_optional_text(struct reader *reader, size_t max)
{
    uint64_t is_there = get_number(reader, 1);
    if (is_there > 1)
        reader->bad = true;
    return is_there == 1 ? get_text(reader, max) : NULL;
}

/* NULL is none, which is not "". */
static void add_optional_text(struct strbuf *out, const char *text)
{
    add_number(out, text != NULL, 1);
    if (text)
        add_text(out, text);
}

/* How many there is room for. */
static size_t count_known(const struct convert_in_options *options)
{
    size_t count = 0, size = 0;
    while (count < options->known_count && count < CONVERT_KNOWN_MAX) {
        size += 4 + strlen(options->known[count]) + 1;
        if (size > CONVERT_KNOWN_SIZE_MAX)
            break;
        count++;
    }
    return count;
}

void convert_wire_encode_request(const struct convert_wire_request *request, struct strbuf *out)
{
    const struct convert_in_options *options = &request->options;
    add_number(out, request->kind, 4);
    add_number(out, (uint64_t)request->input_size, 8);
    add_number(out, options->is_automatic, 1);
    add_number(out, options->body, 1);
    add_number(out, options->history, 1);
    add_number(out, options->names_others, 1);
    size_t count = count_known(options);
    add_number(out, count, 4);
    for (size_t i = 0; i < count; i++)
        add_text(out, options->known[i]);
}

static bool get_bool(struct reader *reader)
{
    uint64_t value = get_number(reader, 1);
    if (value > 1)
        reader->bad = true;
    return value == 1;
}

static unsigned get_choice(struct reader *reader, unsigned last)
{
    uint64_t value = get_number(reader, 1);
    if (value > last)
        reader->bad = true;
    return reader->bad ? 0 : (unsigned)value;
}

static void read_known(struct reader *reader, struct convert_in_options *options)
{
    uint64_t count = get_number(reader, 4);
    if (count > CONVERT_KNOWN_MAX)
        reader->bad = true;
    if (reader->bad || count == 0)
        return;
    const char **known = xcalloc(count, sizeof *known);
    for (uint64_t i = 0; i < count; i++)
        known[i] = get_text(reader, SMTP_ADDRESS_MAX);
    options->known = known;
    options->known_count = count;
}

int convert_wire_decode_request(const void *data, size_t len, struct convert_wire_request *request_out)
{
    struct reader reader = { .at = data, .left = len };
    struct convert_in_options *options = &request_out->options;
    *request_out = (struct convert_wire_request){ 0 };
    uint64_t kind = get_number(&reader, 4);
    request_out->input_size = get_size(&reader);
    options->is_automatic = get_bool(&reader);
    options->body = (enum convert_body_choice)get_choice(&reader, CONVERT_BODY_HTML);
    options->history = (enum convert_history_mode)get_choice(&reader, CONVERT_HISTORY_KEEP);
    options->names_others = get_bool(&reader);
    read_known(&reader, options);
    if (reader.bad || reader.left > 0 || kind < CONVERT_WIRE_MAIL_IN || kind > CONVERT_WIRE_REPORT_IN) {
        convert_wire_free_request(request_out);
        return -1;
    }
    request_out->kind = (enum convert_wire_kind)kind;
    return 1;
}

void convert_wire_free_request(struct convert_wire_request *request)
{
    free((const char **)(uintptr_t)request->options.known);
    request->options = (struct convert_in_options){ 0 };
}

size_t convert_wire_file_count(enum convert_wire_kind kind)
{
    return kind == CONVERT_WIRE_REPORT_IN ? 2 : CONVERT_WIRE_FILES;
}

void convert_wire_encode_in(const struct convert_in_message *message, struct strbuf *out)
{
    add_number(out, message->is_fallback, 1);
    add_number(out, message->is_doubtful, 1);
    add_text(out, message->subject);
    add_text(out, message->from_name);
    add_text(out, message->detail);
    add_number(out, (uint64_t)message->body_size, 8);
    add_number(out, message->attachment_count, 4);
    for (size_t i = 0; i < message->attachment_count; i++) {
        add_text(out, message->attachments[i].name);
        add_number(out, (uint64_t)message->attachments[i].size, 8);
    }
    add_number(out, message->other_count, 4);
    for (size_t i = 0; i < message->other_count; i++)
        add_text(out, message->others[i]);
    add_text(out, message->excerpt ? message->excerpt : "");
}

bool convert_wire_is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (n == 0 || convert_utf8_is_control(code))
            return false;
        i += n;
    }
    return true;
}

static bool is_good_name(const struct convert_in_message *message, const char *name)
{
    size_t len = strlen(name);
    if (len < 3 || strncmp(name, "u:", 2) != 0 || strpbrk(name, "/\\") || !convert_wire_is_clean(name, len))
        return false;
    for (size_t i = 0; i < message->attachment_count; i++) {
        if (strcasecmp(message->attachments[i].name, name) == 0)
            return false;
    }
    return true;
}

/* Returns how much of the content is described; -1 when it is more than there is. */
static int64_t read_attachments(struct reader *reader, int64_t content_size, struct convert_in_message *message)
{
    uint64_t count = get_number(reader, 4);
    int64_t described = message->body_size;
    if (count > TMTP_MESSAGE_ATTACH_MAX || described > content_size)
        return -1;
    message->attachments = xcalloc(count + 1, sizeof *message->attachments);
    for (uint64_t i = 0; i < count; i++) {
        const char *name = get_text(reader, CONVERT_NAME_MAX);
        int64_t size = get_size(reader);
        if (reader->bad || !is_good_name(message, name) || size > content_size - described)
            return -1;
        described += size;
        message->attachments[message->attachment_count++] = (struct convert_in_attachment){ xstrdup(name), size };
    }
    return described;
}

/* Lines of text. */
static char *get_lines(struct reader *reader, size_t max)
{
    const char *text = get_text(reader, max);
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n\t");
        if (!convert_wire_is_clean(line, len))
            reader->bad = true;
        line += len + (line[len] != '\0');
    }
    return xstrdup(text);
}

/* In the form in which addresses are compared: nothing else could be found again, or would be stored. */
static bool is_normalised(const char *text)
{
    struct smtp_address address;
    char again[SMTP_ADDRESS_MAX + 2];
    if (smtp_address_parse(text, strlen(text), &address) != 1)
        return false;
    smtp_address_normalise(&address);
    smtp_address_format(&address, again);
    return strcmp(again, text) == 0;
}

static void read_others(struct reader *reader, struct convert_in_message *message)
{
    uint64_t count = get_number(reader, 4);
    if (count > CONVERT_OTHERS_MAX)
        reader->bad = true;
    if (reader->bad || count == 0)
        return;
    message->others = xcalloc(count, sizeof *message->others);
    while (!reader->bad && message->other_count < count) {
        const char *address = get_text(reader, SMTP_ADDRESS_MAX);
        if (!is_normalised(address))
            reader->bad = true;
        message->others[message->other_count++] = xstrdup(address);
    }
}

int convert_wire_decode_in(const void *data, size_t len, int64_t content_size, struct convert_in_message *message_out,
                           const char **error_out)
{
    struct reader reader = { .at = data, .left = len };
    *message_out = (struct convert_in_message){ 0 };
    uint64_t is_fallback = get_number(&reader, 1), is_doubtful = get_number(&reader, 1);
    message_out->is_fallback = is_fallback == 1;
    message_out->is_doubtful = is_doubtful == 1;
    message_out->subject = xstrdup(get_text(&reader, CONVERT_SUBJECT_MAX));
    message_out->from_name = xstrdup(get_text(&reader, CONVERT_FROM_NAME_MAX));
    message_out->detail = xstrdup(get_text(&reader, CONVERT_DETAIL_MAX));
    message_out->body_size = get_size(&reader);
    *error_out = NULL;
    int64_t described = read_attachments(&reader, content_size, message_out);
    read_others(&reader, message_out);
    message_out->excerpt = get_lines(&reader, CONVERT_EXCERPT_MAX);
    if (reader.bad || reader.left > 0 || is_fallback > 1 || is_doubtful > 1)
        *error_out = "malformed description";
    else if (described != content_size || message_out->body_size > CONVERT_BODY_MAX)
        *error_out = "sizes do not match the content";
    else if (!*message_out->subject || !convert_wire_is_clean(message_out->subject, strlen(message_out->subject)) ||
             !convert_wire_is_clean(message_out->from_name, strlen(message_out->from_name)) ||
             !convert_wire_is_clean(message_out->detail, strlen(message_out->detail)))
        *error_out = "text with forbidden characters";
    if (!*error_out)
        return 1;
    convert_in_message_free(message_out);
    return -1;
}

/* ---- reports ---- */

void convert_wire_encode_report(const struct convert_report_result *report, struct strbuf *out)
{
    add_number(out, report->kind, 1);
    add_text(out, report->reporting_mta);
    add_text(out, report->envelope_id);
    add_text(out, report->original_message_id);
    add_text(out, report->subject);
    add_text(out, report->text);
    add_number(out, report->count, 4);
    for (size_t i = 0; i < report->count; i++) {
        const struct convert_report_recipient *recipient = &report->recipients[i];
        add_number(out, recipient->action, 1);
        add_text(out, recipient->address);
        add_text(out, recipient->original);
        add_text(out, recipient->status);
        add_text(out, recipient->diagnostic);
        add_text(out, recipient->remote_mta);
        add_number(out, (uint64_t)recipient->will_retry_until, 8);
    }
}

/* One line; the caller's. */
static char *get_line(struct reader *reader, size_t max)
{
    const char *text = get_text(reader, max);
    if (!convert_wire_is_clean(text, strlen(text)))
        reader->bad = true;
    return xstrdup(text);
}

static char *get_checked(struct reader *reader, size_t max, bool (*is_good)(const char *text))
{
    char *text = get_line(reader, max);
    if (*text && !is_good(text))
        reader->bad = true;
    return text;
}

static void read_report_recipient(struct reader *reader, struct convert_report_recipient *recipient)
{
    uint64_t action = get_number(reader, 1);
    if (action > CONVERT_REPORT_EXPANDED)
        reader->bad = true;
    *recipient = (struct convert_report_recipient){
        .action = reader->bad ? CONVERT_REPORT_FAILED : (enum convert_report_action)action,
    };
    recipient->address = get_checked(reader, SMTP_ADDRESS_MAX, convert_report_is_address);
    recipient->original = get_checked(reader, SMTP_ADDRESS_MAX, convert_report_is_address);
    recipient->status = get_checked(reader, CONVERT_REPORT_STATUS_MAX, convert_report_is_status);
    recipient->diagnostic = get_line(reader, CONVERT_REPORT_DIAGNOSTIC_MAX);
    recipient->remote_mta = get_checked(reader, CONVERT_REPORT_HOST_MAX, convert_report_is_host);
    recipient->will_retry_until = get_size(reader);
}

int convert_wire_decode_report(const void *data, size_t len, struct convert_report_result *report_out,
                               const char **error_out)
{
    struct reader reader = { .at = data, .left = len };
    *report_out = (struct convert_report_result){ .ok = true };
    uint64_t kind = get_number(&reader, 1);
    report_out->kind = kind < CONVERT_REPORT_OTHER ? (enum convert_report_kind)kind : CONVERT_REPORT_OTHER;
    report_out->reporting_mta = get_checked(&reader, CONVERT_REPORT_HOST_MAX, convert_report_is_host);
    report_out->envelope_id = get_line(&reader, CONVERT_REPORT_ENVELOPE_ID_MAX);
    report_out->original_message_id = get_line(&reader, CONVERT_REPORT_MESSAGE_ID_MAX);
    report_out->subject = get_line(&reader, CONVERT_SUBJECT_MAX);
    report_out->text = get_lines(&reader, CONVERT_REPORT_TEXT_MAX);
    uint64_t count = get_number(&reader, 4);
    bool is_other = report_out->kind == CONVERT_REPORT_OTHER;
    if (reader.bad || kind > CONVERT_REPORT_OTHER || count > CONVERT_REPORT_RECIPIENTS_MAX || is_other != (count == 0))
        reader.bad = true;
    else
        report_out->recipients = xcalloc(count + 1, sizeof *report_out->recipients);
    while (!reader.bad && report_out->count < count)
        read_report_recipient(&reader, &report_out->recipients[report_out->count++]);
    if (!reader.bad && reader.left == 0)
        return 1;
    *error_out = "malformed description of a report";
    convert_report_free(report_out);
    return -1;
}

/* ---- mail out ---- */

void convert_wire_encode_out(const struct convert_out_job *job, struct strbuf *out)
{
    add_number(out, job->seed, 8);
    add_number(out, job->body_size, 8);
    add_number(out, job->attachment_count, 4);
    for (size_t i = 0; i < job->attachment_count; i++) {
        add_text(out, job->attachments[i].name);
        add_number(out, job->attachments[i].size, 8);
        add_optional_text(out, job->attachments[i].ffn);
    }
    add_number(out, job->quote_count, 4);
    for (size_t i = 0; i < job->quote_count; i++) {
        add_text(out, job->quotes[i].intro);
        add_text(out, job->quotes[i].outro);
        add_number(out, job->quotes[i].offset, 8);
        add_number(out, job->quotes[i].size, 8);
    }
    add_optional_text(out, job->answered_text ? job->answered_intro : NULL);
    add_optional_text(out, job->answered_text);
}

/* Each text lies within the body. */
static void read_quotes(struct reader *reader, struct convert_out_job *job)
{
    uint64_t count = get_number(reader, 4);
    if (reader->bad || count > CONVERT_QUOTES_MAX) {
        reader->bad = true;
        return;
    }
    struct convert_out_quote *quotes = xcalloc(count + 1, sizeof *quotes);
    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        quotes[i].intro = get_text(reader, CONVERT_QUOTE_LINE_MAX);
        quotes[i].outro = get_text(reader, CONVERT_QUOTE_LINE_MAX);
        quotes[i].offset = (size_t)get_size(reader);
        quotes[i].size = (size_t)get_size(reader);
        if (quotes[i].offset > job->body_size || quotes[i].size > job->body_size - quotes[i].offset)
            reader->bad = true;
    }
    job->quotes = quotes;
    job->quote_count = count;
}

int convert_wire_decode_out(const void *data, size_t len, int64_t content_size, struct convert_out_job *job_out)
{
    struct reader reader = { .at = data, .left = len };
    *job_out = (struct convert_out_job){ 0 };
    job_out->seed = get_number(&reader, 8);
    int64_t described = get_size(&reader);
    uint64_t count = get_number(&reader, 4);
    if (reader.bad || described > content_size || count > TMTP_MESSAGE_ATTACH_MAX)
        return -1;
    job_out->body_size = (size_t)described;
    struct convert_out_attachment *attachments = xcalloc(count + 1, sizeof *attachments);
    for (uint64_t i = 0; i < count && !reader.bad; i++) {
        attachments[i].name = get_text(&reader, TMTP_MESSAGE_NAME_MAX);
        int64_t size = get_size(&reader);
        if (reader.bad || size > content_size - described) {
            reader.bad = true;
            break;
        }
        described += size;
        attachments[i].size = (size_t)size;
        attachments[i].ffn = get_optional_text(&reader, CONVERT_FORM_TYPE_MAX);
    }
    job_out->attachments = attachments;
    job_out->attachment_count = count;
    read_quotes(&reader, job_out);
    job_out->answered_intro = get_optional_text(&reader, CONVERT_QUOTE_LINE_MAX);
    job_out->answered_text = get_optional_text(&reader, CONVERT_ANSWERED_MAX);
    if (!reader.bad && reader.left == 0 && described == content_size)
        return 1;
    convert_wire_free_out(job_out);
    return -1;
}

void convert_wire_free_out(struct convert_out_job *job)
{
    free((struct convert_out_attachment *)(uintptr_t)job->attachments);
    free((struct convert_out_quote *)(uintptr_t)job->quotes);
    *job = (struct convert_out_job){ 0 };
}
