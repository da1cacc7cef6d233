#include "mapping/convert_report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_report_internal.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

/* ---- results ---- */

void convert_report_init(struct convert_report_result *result_out)
{
    *result_out = (struct convert_report_result){ .kind = CONVERT_REPORT_OTHER,
                                                  .reporting_mta = xstrdup(""),
                                                  .envelope_id = xstrdup(""),
                                                  .original_message_id = xstrdup(""),
                                                  .subject = xstrdup(""),
                                                  .text = xstrdup("") };
}

void convert_report_recipient_free(struct convert_report_recipient *recipient)
{
    free(recipient->address);
    free(recipient->original);
    free(recipient->status);
    free(recipient->diagnostic);
    free(recipient->remote_mta);
    *recipient = (struct convert_report_recipient){ 0 };
}

void convert_report_free(struct convert_report_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        convert_report_recipient_free(&result->recipients[i]);
    free(result->recipients);
    free(result->reporting_mta);
    free(result->envelope_id);
    free(result->original_message_id);
    free(result->subject);
    free(result->text);
    *result = (struct convert_report_result){ 0 };
}

struct convert_report_recipient *convert_report_add(struct convert_report_result *result)
{
    if (result->count >= CONVERT_REPORT_RECIPIENTS_MAX)
        return NULL;
    result->recipients = xreallocarray(result->recipients, result->count + 1, sizeof *result->recipients);
    struct convert_report_recipient *recipient = &result->recipients[result->count++];
    *recipient = (struct convert_report_recipient){ .address = xstrdup(""),
                                                    .original = xstrdup(""),
                                                    .status = xstrdup(""),
                                                    .diagnostic = xstrdup(""),
                                                    .remote_mta = xstrdup("") };
    return recipient;
}

void convert_report_set(char **field, char *text)
{
    free(*field);
    *field = text;
}

/* ---- the mail's parts ---- */

/* What of the mail matters; NULL where it has no such part. */
struct parts {
    struct convert_charsets *charsets;
    struct convert_input *mail;
    const struct convert_part *status;
    bool is_in_report;                   /* the status part lies in a multipart/report */
    const struct convert_part *returned; /* the original, or its header */
    bool is_receipt;                     /* a part says that this is a report of another kind */
    struct strbuf plain, html;           /* text for people */
    unsigned text_parts;                 /* that were read for these */
};

static bool is_any(const struct convert_part *part, const char *const types[][2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (convert_part_is(part, types[i][0], types[i][1]))
            return true;
    }
    return false;
}

#define IS_ANY(part, types) is_any(part, types, sizeof(types) / sizeof(types)[0])

static const char *const status_types[][2] = {
    { "message", "delivery-status" },
    { "message", "global-delivery-status" },
};

static const char *const returned_types[][2] = {
    { "message", "rfc822" },         { "message", "global" },         { "text", "rfc822-headers" },
    { "message", "rfc822-headers" }, { "message", "global-headers" },
};

static const char *const receipt_types[][2] = {
    { "message", "disposition-notification" },
    { "message", "global-disposition-notification" },
    { "message", "feedback-report" },
};

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* Appends the beginning of a part, decoded; out must hold three times as much as is looked at. */
static void decode_start(const struct parts *parts, const struct convert_part *part, size_t max, struct strbuf *out)
{
    struct strbuf bytes;
    strbuf_init(&bytes, max);
    convert_transfer_decode(part->about.encoding, part->content, part->content_len < max ? part->content_len : max,
                            part->input, add_to_strbuf, &bytes);
    convert_charset_decode(parts->charsets, part->about.charset, bytes.data, bytes.len, out);
    strbuf_free(&bytes);
}

/* Appends text without what can't be seen, up to the most that is looked at. */
static void add_readable(struct strbuf *out, const char *text, size_t len)
{
    struct strbuf clean;
    strbuf_init(&clean, len * strlen(CONVERT_UTF8_REPLACEMENT) + 1);
    convert_text_clean(&clean, text, len);
    for (size_t i = 0; i < clean.len;) {
        uint32_t code;
        size_t n = convert_utf8_char(clean.data + i, clean.len - i, &code);
        if (out->len + n > CONVERT_REPORT_LOOKED_AT)
            break;
        if (code == 0xA0)
            strbuf_add_char(out, ' ');
        else if (code == '\n' || code == '\t' || !convert_utf8_is_control(code))
            strbuf_add(out, clean.data + i, n);
        i += n > 0 ? n : 1;
    }
    strbuf_free(&clean);
}

/* HTML as the text that a person sees. */
static void add_html(struct strbuf *out, const struct strbuf *html)
{
    struct strbuf markdown, text;
    strbuf_init(&markdown, CONVERT_BODY_MAX);
    strbuf_init(&text, CONVERT_RENDERED_MAX);
    struct commonmark_writer *writer = commonmark_writer_new(&markdown);
    (void)convert_html_write(writer, html->data, html->len, NULL, NULL);
    commonmark_writer_free(&writer);
    if (strbuf_ok(&markdown) && convert_markdown_to_text(&text, markdown.data, markdown.len) == 1)
        add_readable(out, text.data, text.len);
    strbuf_free(&markdown);
    strbuf_free(&text);
}

static void add_text_part(struct parts *parts, const struct convert_part *part)
{
    bool is_html = convert_part_is(part, "text", "html");
    struct strbuf *out = is_html ? &parts->html : &parts->plain;
    if (part->about.is_attachment || out->len >= CONVERT_REPORT_LOOKED_AT ||
        ++parts->text_parts > CONVERT_REPORT_TEXT_PARTS_MAX)
        return;
    struct strbuf text;
    strbuf_init(&text, (size_t)CONVERT_REPORT_PART_MAX * 4);
    decode_start(parts, part, CONVERT_REPORT_PART_MAX, &text);
    if (out->len > 0)
        strbuf_add_char(out, '\n');
    if (is_html)
        add_html(out, &text);
    else
        add_readable(out, text.data, text.len);
    strbuf_free(&text);
}

static void collect(struct parts *parts, const struct convert_part *part, bool is_in_report)
{
    for (size_t i = 0; i < part->child_count; i++)
        collect(parts, part->children[i], convert_part_is(part, "multipart", "report"));
    if (part->child_count > 0)
        return;
    if (IS_ANY(part, receipt_types)) {
        parts->is_receipt = true;
    } else if (IS_ANY(part, status_types)) {
        if (!parts->status || (is_in_report && !parts->is_in_report)) {
            parts->status = part;
            parts->is_in_report = is_in_report;
        }
    } else if (IS_ANY(part, returned_types)) {
        if (!parts->returned)
            parts->returned = part;
    } else if (convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html") || part->is_broken) {
        add_text_part(parts, part);
    }
}

/* ---- the mail's header ---- */

struct header {
    char *from;   /* author's address, as it is written; "" */
    char *failed; /* X-Failed-Recipients; "" */
    bool is_list;
};

/* The caller frees it. */
static char *header_text(const struct parts *parts, size_t len, const char *name, size_t max)
{
    struct convert_field field;
    if (!convert_field_find(parts->mail->data, len, name, &field))
        return xstrdup("");
    return convert_field_text(parts->charsets, field.value, field.value_len, max);
}

static void read_header(const struct parts *parts, struct header *header_out, struct convert_report_result *result)
{
    size_t content;
    struct convert_field field;
    size_t len = convert_mime_header_len(parts->mail->data, parts->mail->len, &content);
    if (len > CONVERT_HEADER_MAX)
        len = CONVERT_HEADER_MAX;
    convert_report_set(&result->subject, header_text(parts, len, "Subject", CONVERT_SUBJECT_MAX));
    header_out->from = header_text(parts, len, "From", CONVERT_REPORT_FIELD_MAX);
    header_out->failed = header_text(parts, len, "X-Failed-Recipients", CONVERT_REPORT_FIELD_MAX);
    header_out->is_list = convert_field_find(parts->mail->data, len, "List-Id", &field) ||
                          convert_field_find(parts->mail->data, len, "List-Unsubscribe", &field);
}

/* Whether the author is a mail server: the names that they use. */
static bool is_mailer(const char *from)
{
    static const char *const names[] = { "mailer-daemon", "mailerdaemon", "mail-daemon",      "maildaemon",
                                         "mdaemon",       "postmaster",   "microsoftexchange" };
    const char *open = strrchr(from, '<');
    const char *local = open && open[1] != '>' ? open + 1 : from; /* "MAILER-DAEMON <>" */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i]);
        if (strncasecmp(local, names[i], len) != 0)
            continue;
        bool is_prefix = i == sizeof names / sizeof names[0] - 1; /* a number of 32 digits follows */
        if (is_prefix || strchr("@>+ ", local[len]))              /* or the end */
            return true;
    }
    return false;
}

/* ---- the original ---- */

/* Length of the header section that text begins with. */
static size_t header_section_len(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n')
            continue;
        size_t next = i + 1 < len && text[i + 1] == '\r' ? i + 2 : i + 1;
        if (next < len && text[next] == '\n')
            return i + 1;
    }
    return len;
}

static void read_returned(const struct parts *parts, struct convert_report_result *result)
{
    struct convert_field field;
    struct strbuf bytes;
    strbuf_init(&bytes, CONVERT_HEADER_MAX);
    const struct convert_part *part = parts->returned;
    convert_transfer_decode(part->about.encoding, part->content,
                            part->content_len < CONVERT_HEADER_MAX ? part->content_len : CONVERT_HEADER_MAX,
                            part->input, add_to_strbuf, &bytes);
    size_t start = strspn(bytes.data, "\r\n"); /* some put an empty line before it */
    size_t len = header_section_len(bytes.data + start, bytes.len - start);
    if (convert_field_find(bytes.data + start, len, "Message-ID", &field)) {
        char *value = convert_utf8_one_line(field.value, field.value_len, CONVERT_REPORT_FIELD_MAX);
        convert_report_set(&result->original_message_id, convert_report_message_id(value));
        free(value);
    }
    strbuf_free(&bytes);
}

/* ---- the report ---- */

static bool read_status_part(const struct parts *parts, const char *text, struct convert_report_result *result)
{
    struct strbuf status;
    strbuf_init(&status, (size_t)CONVERT_REPORT_STATUS_PART_MAX * 4);
    decode_start(parts, parts->status, CONVERT_REPORT_STATUS_PART_MAX, &status);
    convert_report_read_status(status.data, status.len, convert_report_is_delay(result->subject, text), result);
    strbuf_free(&status);
    return result->count > 0;
}

static void read_parts(const struct parts *parts, const struct header *header, struct convert_report_result *result)
{
    const struct strbuf *shown =
        convert_text_is_blank(parts->plain.data, parts->plain.len) ? &parts->html : &parts->plain;
    bool from_mailer = is_mailer(header->from) && !header->is_list;
    if (parts->returned)
        read_returned(parts, result);
    if (parts->status && (parts->is_in_report || from_mailer) && read_status_part(parts, shown->data, result)) {
        result->kind = CONVERT_REPORT_DSN;
        return;
    }
    if (from_mailer && !parts->is_receipt)
        convert_report_read_bounce(result->subject, shown->data, header->failed, result);
    if (result->count > 0) {
        result->kind = CONVERT_REPORT_BOUNCE;
        return;
    }
    size_t start = strspn(shown->data, " \t\n");
    size_t len = convert_utf8_cut(shown->data + start, shown->len - start, CONVERT_REPORT_TEXT_MAX);
    while (len > 0 && strchr(" \t\n", shown->data[start + len - 1]))
        len--;
    convert_report_set(&result->text, xstrndup(shown->data + start, len));
}

void convert_report_read(struct convert_charsets *charsets, struct convert_input *mail,
                         struct convert_report_result *result_out)
{
    struct parts parts = { .charsets = charsets, .mail = mail };
    struct header header;
    const char *error;
    convert_report_init(result_out);
    result_out->ok = true;
    strbuf_init(&parts.plain, CONVERT_REPORT_LOOKED_AT + 1);
    strbuf_init(&parts.html, CONVERT_REPORT_LOOKED_AT + 1);
    read_header(&parts, &header, result_out);
    struct convert_part *root = convert_mime_scan(charsets, mail, &error);
    if (root) { /* else it is beyond the limits of mail, which no report is */
        collect(&parts, root, false);
        read_parts(&parts, &header, result_out);
    }
    convert_part_free(&root);
    free(header.from);
    free(header.failed);
    strbuf_free(&parts.plain);
    strbuf_free(&parts.html);
}
