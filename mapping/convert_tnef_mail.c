#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_calendar_internal.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mail_header.h"
#include "mapping/convert_tnef_internal.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* ---- the header ---- */

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != ' ' && *c != '-')
            return false;
    }
    return true;
}

/* As it is when nothing in it could act, else in encoded words (RFC 2047). */
static void add_words(struct strbuf *out, const char *text)
{
    enum { WORD_OCTETS = 42, PLAIN_MAX = 60 }; /* a word has 75 characters at most */
    size_t len = strlen(text);
    if (is_plain(text) && len <= PLAIN_MAX) {
        strbuf_add_str(out, text);
        return;
    }
    for (size_t i = 0; i < len;) {
        size_t n = convert_utf8_cut(text + i, len - i, WORD_OCTETS);
        n = n > 0 ? n : 1;
        strbuf_add_str(out, i > 0 ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        convert_base64_text(out, text + i, n);
        strbuf_add_str(out, "?=");
        i += n;
    }
}

static bool is_address(const char *address)
{
    enum { ADDRESS_MAX = 254 };
    const char *at = address ? strchr(address, '@') : NULL;
    if (!at || at == address || !at[1] || strlen(address) > ADDRESS_MAX)
        return false;
    for (const char *c = address; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("@.!#$%&'*+-/=?^_`{|}~", *c))
            return false;
    }
    return true;
}

void tnef_mail_add_mailbox(struct strbuf *out, const char *name, const char *address)
{
    bool has_address = is_address(address);
    const char *shown = *name || has_address ? name : address ? address : "";
    strbuf_add_str(out, out->len > 0 ? ",\r\n " : "");
    add_words(out, shown);
    if (has_address)
        strbuf_add_fmt(out, *shown ? " <%s>" : "<%s>", address);
    else
        strbuf_add_str(out, *shown ? ":;" : "nobody:;");
}

/* RFC 5322 section 3.6.4, as far as it matters: in brackets, and nothing in it that has to be encoded. */
static bool is_message_id(const char *id)
{
    enum { MESSAGE_ID_MAX = 900 };
    size_t len = id ? strlen(id) : 0;
    if (len < 3 || len > MESSAGE_ID_MAX || id[0] != '<' || id[len - 1] != '>')
        return false;
    for (const char *c = id; *c; c++) {
        if (*c <= ' ' || *c >= 0x7F)
            return false;
    }
    return true;
}

/* Not by the C library, which would look for the machine's time zone in files that a worker has not. */
static void add_date(struct strbuf *out, int64_t seconds)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct calendar_date date = calendar_date_of(seconds);
    int of_day = (int)(seconds - calendar_seconds(date.year, date.month, date.day));
    strbuf_add_fmt(out, "Date: %s, %u %s %lld %02d:%02d:%02d +0000\r\n", days[calendar_weekday(seconds)], date.day,
                   months[date.month - 1], (long long)date.year, of_day / 3600, of_day / 60 % 60, of_day % 60);
}

static void add_header(const struct tnef_message *message, struct strbuf *out)
{
    const struct tnef_header *header = &message->header;
    struct strbuf from;
    strbuf_init(&from, CONVERT_TNEF_VALUE_MAX * 8);
    if (header->from_name || header->from_address)
        tnef_mail_add_mailbox(&from, header->from_name ? header->from_name : "", header->from_address);
    if (from.len > 0)
        strbuf_add_fmt(out, "From: %s\r\n", from.data);
    strbuf_free(&from);
    if (header->to.len > 0)
        strbuf_add_fmt(out, "To: %s\r\n", header->to.data);
    if (header->cc.len > 0)
        strbuf_add_fmt(out, "Cc: %s\r\n", header->cc.data);
    strbuf_add_str(out, "Subject: ");
    add_words(out, message->result->subject);
    strbuf_add_str(out, "\r\n");
    if (header->sent != 0)
        add_date(out, header->sent);
    if (is_message_id(header->message_id))
        strbuf_add_fmt(out, "Message-ID: %s\r\n", header->message_id);
    strbuf_add_str(out, "MIME-Version: 1.0\r\n");
}

/* ---- the parts ---- */

static void add_base64(struct strbuf *out, const void *data, size_t len)
{
    struct convert_base64_encoder encoder;
    strbuf_add_str(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    convert_base64_start(&encoder, add_to_strbuf, out);
    convert_base64_add(&encoder, data, len);
    convert_base64_end(&encoder);
}

static void add_text(struct strbuf *out, const char *subtype, const char *text, size_t len)
{
    strbuf_add_fmt(out, "Content-Type: text/%s; charset=utf-8\r\n", subtype);
    add_base64(out, text ? text : "", len);
}

/* Two boundaries for each depth, so that none occurs in what is inside; base64 has no "_". */
static void add_delimiter(struct strbuf *out, const struct tnef_message *message, char kind, bool is_last)
{
    strbuf_add_fmt(out, "--=_%c%u%s\r\n", kind, message->depth, is_last ? "--" : "");
}

static void add_body(struct strbuf *out, const struct tnef_message *message)
{
    const struct convert_tnef *result = message->result;
    if (!result->html || !result->text) {
        add_text(out, result->html ? "html" : "plain", result->html ? result->html : result->text,
                 result->html ? result->html_len : result->text_len);
        return;
    }
    strbuf_add_fmt(out, "Content-Type: multipart/alternative; boundary=\"=_a%u\"\r\n\r\n", message->depth);
    add_delimiter(out, message, 'a', false);
    add_text(out, "plain", result->text, result->text_len);
    add_delimiter(out, message, 'a', false);
    add_text(out, "html", result->html, result->html_len);
    add_delimiter(out, message, 'a', true);
}

static void add_file(struct strbuf *out, const struct convert_tnef_file *file)
{
    bool is_mail = strcmp(file->type, "message/rfc822") == 0 && file->owned; /* written here: 7-bit */
    bool is_composite = strncmp(file->type, "message/", 8) == 0 || strncmp(file->type, "multipart/", 10) == 0;
    bool is_typed = *file->type && (is_mail || !is_composite); /* others may not be in base64 */
    strbuf_add_fmt(out, "Content-Type: %s", is_typed ? file->type : "application/octet-stream");
    if (*file->name)
        convert_mail_header_add_parameter(out, "name", file->name);
    strbuf_add_str(out, "\r\nContent-Disposition: attachment");
    if (*file->name)
        convert_mail_header_add_parameter(out, "filename", file->name);
    strbuf_add_str(out, "\r\n");
    if (*file->id)
        strbuf_add_fmt(out, "Content-ID: <%s>\r\n", file->id);
    if (is_mail) {
        strbuf_add_str(out, "\r\n");
        strbuf_add(out, file->data, file->len);
        strbuf_add_str(out, "\r\n");
    } else {
        add_base64(out, file->data, file->len);
    }
}

bool tnef_mail_write(const struct tnef_message *message, struct strbuf *out)
{
    const struct convert_tnef *result = message->result;
    add_header(message, out);
    if (result->file_count == 0) {
        add_body(out, message);
        return strbuf_ok(out);
    }
    strbuf_add_fmt(out, "Content-Type: multipart/mixed; boundary=\"=_m%u\"\r\n\r\n", message->depth);
    add_delimiter(out, message, 'm', false);
    add_body(out, message);
    for (size_t i = 0; i < result->file_count && strbuf_ok(out); i++) {
        add_delimiter(out, message, 'm', false);
        add_file(out, &result->files[i]);
    }
    add_delimiter(out, message, 'm', true);
    return strbuf_ok(out);
}
