#include "mapping/convert_wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"
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

void convert_wire_encode_request(const struct convert_wire_request *request,
                                 uint8_t out[static CONVERT_WIRE_REQUEST_SIZE])
{
    struct strbuf buffer;
    strbuf_init(&buffer, CONVERT_WIRE_REQUEST_SIZE);
    add_number(&buffer, request->kind, 4);
    add_number(&buffer, (uint64_t)request->input_size, 8);
    add_number(&buffer, request->is_automatic, 1);
    memcpy(out, buffer.data, CONVERT_WIRE_REQUEST_SIZE);
    strbuf_free(&buffer);
}

int convert_wire_decode_request(const void *data, size_t len, struct convert_wire_request *request_out)
{
    struct reader reader = { .at = data, .left = len };
    uint64_t kind = get_number(&reader, 4);
    request_out->input_size = get_size(&reader);
    uint64_t is_automatic = get_number(&reader, 1);
    if (reader.bad || reader.left > 0 || kind < CONVERT_WIRE_MAIL_IN || kind > CONVERT_WIRE_OUT_PLAIN ||
        is_automatic > 1)
        return -1;
    request_out->kind = (enum convert_wire_kind)kind;
    request_out->is_automatic = is_automatic == 1;
    return 1;
}

void convert_wire_encode_in(const struct convert_in_message *message, struct strbuf *out)
{
    add_number(out, message->is_fallback, 1);
    add_text(out, message->subject);
    add_text(out, message->from_name);
    add_text(out, message->detail);
    add_number(out, (uint64_t)message->body_size, 8);
    add_number(out, message->attachment_count, 4);
    for (size_t i = 0; i < message->attachment_count; i++) {
        add_text(out, message->attachments[i].name);
        add_number(out, (uint64_t)message->attachments[i].size, 8);
    }
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

int convert_wire_decode_in(const void *data, size_t len, int64_t content_size, struct convert_in_message *message_out,
                           const char **error_out)
{
    struct reader reader = { .at = data, .left = len };
    *message_out = (struct convert_in_message){ 0 };
    uint64_t is_fallback = get_number(&reader, 1);
    message_out->is_fallback = is_fallback == 1;
    message_out->subject = xstrdup(get_text(&reader, CONVERT_SUBJECT_MAX));
    message_out->from_name = xstrdup(get_text(&reader, CONVERT_FROM_NAME_MAX));
    message_out->detail = xstrdup(get_text(&reader, CONVERT_DETAIL_MAX));
    message_out->body_size = get_size(&reader);
    *error_out = NULL;
    int64_t described = read_attachments(&reader, content_size, message_out);
    if (reader.bad || reader.left > 0 || is_fallback > 1)
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

void convert_wire_encode_out(const struct convert_out_job *job, struct strbuf *out)
{
    add_number(out, job->seed, 8);
    add_number(out, job->body_size, 8);
    add_number(out, job->attachment_count, 4);
    for (size_t i = 0; i < job->attachment_count; i++) {
        add_text(out, job->attachments[i].name);
        add_number(out, job->attachments[i].size, 8);
    }
    add_number(out, job->quote_count, 4);
    for (size_t i = 0; i < job->quote_count; i++) {
        add_text(out, job->quotes[i].intro);
        add_text(out, job->quotes[i].outro);
        add_number(out, job->quotes[i].offset, 8);
        add_number(out, job->quotes[i].size, 8);
    }
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
    }
    job_out->attachments = attachments;
    job_out->attachment_count = count;
    read_quotes(&reader, job_out);
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
