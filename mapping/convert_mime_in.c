#include "mapping/convert_mime_in.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_names.h"
#include "mapping/convert_subject.h"
#include "mapping/convert_utf8.h"

/* Of a body, at its top, and of each kind at its end; one mail can have a thousand damaged attachments. */
enum { HEAD_MAX = 8 * 1024, NOTES_MAX = 12 * 1024 };

static void add_attachment(struct convert_in_message *message, const char *name, int64_t size)
{
    message->attachments =
        xreallocarray(message->attachments, message->attachment_count + 1, sizeof *message->attachments);
    message->attachments[message->attachment_count++] = (struct convert_in_attachment){ xstrdup(name), size };
}

/* Whether a server wrote it, by what it calls itself. */
static bool is_report(struct convert_incoming *in, const char *from, size_t len)
{
    static const char *const names[] = { "mailer-daemon", "mail delivery" };
    bool is_found = false;
    char *line = convert_field_text(in->charsets, from, len, CONVERT_FROM_NAME_MAX);
    for (size_t i = 0; i < sizeof names / sizeof *names && !is_found; i++)
        is_found = strcasestr(line, names[i]) != NULL;
    free(line);
    return is_found;
}

static void read_header(struct convert_incoming *in, const struct convert_input *mail,
                        struct convert_in_message *message)
{
    size_t content;
    size_t len = convert_mime_header_len(mail->data, mail->len, &content);
    if (len > CONVERT_HEADER_MAX)
        len = CONVERT_HEADER_MAX;
    struct convert_field field;
    if (convert_field_find(mail->data, len, "Subject", &field))
        message->subject = convert_field_text(in->charsets, field.value, field.value_len, CONVERT_SUBJECT_MAX);
    if (!message->subject || !*message->subject) {
        free(message->subject);
        message->subject = xstrdup(CONVERT_NO_SUBJECT);
    }
    in->is_forward = convert_subject_is_forward(message->subject);
    if (!convert_field_find(mail->data, len, "From", &field))
        field = (struct convert_field){ .value = "" };
    message->from_name = convert_field_display_name(in->charsets, field.value, field.value_len, CONVERT_FROM_NAME_MAX);
    in->is_report = is_report(in, field.value, field.value_len);
    convert_head_read_others(in, mail->data, len);
}

#define FALLBACK_BODY "_This message could not be converted. The mail as it came is attached as \"original.eml\"._\n"

const char *convert_fallback_body(bool is_automatic)
{
    return is_automatic ? CONVERT_AUTOMATIC FALLBACK_BODY : FALLBACK_BODY;
}

static void write_fallback(struct convert_incoming *in, const char *reason, convert_sink *sink, void *ctx,
                           struct convert_in_message *message)
{
    const char *body = convert_fallback_body(in->options->is_automatic);
    message->is_fallback = message->is_doubtful = true;
    message->detail = xstrdup(reason);
    message->body_size = (int64_t)strlen(body);
    add_attachment(message, CONVERT_ORIGINAL_NAME, (int64_t)in->mail->len);
    sink(body, strlen(body), ctx);
    convert_transfer_copy(in->mail->data, in->mail->len, in->mail, sink, ctx);
}

static void attach_original(struct convert_incoming *in, struct convert_in_message *message)
{
    const char *name = convert_names_add(&in->names, "original.eml", "");
    add_attachment(message, name, (int64_t)in->mail->len);
    convert_head_add_crypto(in, in->signature, name);
}

/* For the trace, in a few words: what was done that not every mail needs; then what went wrong. */
static char *describe(const struct convert_incoming *in)
{
    struct strbuf text;
    strbuf_init(&text, NOTES_MAX + 100);
    strbuf_add_fmt(&text, "%s%s%s%s", in->shows_html ? "HTML shown" : "",
                   in->shows_html && in->folds_history ? ", " : "",
                   in->folds_history ? "quoted mail moved to the end" : "",
                   (in->shows_html || in->folds_history) && in->detail.len > 0 ? "; " : "");
    strbuf_add(&text, in->detail.data, in->detail.len);
    char *line = convert_utf8_one_line(text.data, text.len, CONVERT_DETAIL_MAX);
    strbuf_free(&text);
    return line;
}

/* A text that is shown, or left out as another form of it, and has a file name: in the original other programs show it as that
 * file, which nobody has judged. */
static bool hides_file(const struct convert_incoming *in)
{
    bool hides = in->leaves_out_name;
    for (size_t i = 0; i < in->count && !hides; i++)
        hides = !in->items[i]->is_attached && *in->items[i]->part->about.filename;
    return hides;
}

/* Composes the body and lists the attachments, without handing anything out yet. */
static void compose(struct convert_incoming *in, struct strbuf *body, struct convert_in_message *message)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_BODY_MAX);
    free(message->excerpt);
    convert_attach_name_all(in);
    convert_compose_body(in, &text, &message->excerpt);
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i]->is_attached)
            add_attachment(message, in->items[i]->name, convert_attach_measure(in, in->items[i]));
    }
    if (in->needs_original)
        attach_original(in, message);
    convert_head_add_notes(in, &text);
    if (text.len == 0 && message->attachment_count == 0)
        strbuf_add_str(&text, CONVERT_NO_TEXT);
    convert_head_write(in, body);
    strbuf_add(body, text.data, text.len);
    strbuf_free(&text);
    message->body_size = (int64_t)body->len;
    message->detail = describe(in);
    message->is_doubtful = in->is_doubtful || (in->needs_original && hides_file(in));
    message->others = in->others;
    message->other_count = in->other_count;
    in->others = NULL;
    in->other_count = 0;
}

static void hand_out(struct convert_incoming *in, const struct strbuf *body, convert_sink *sink, void *ctx)
{
    sink(body->data, body->len, ctx);
    for (size_t i = 0; i < in->count; i++) {
        const struct convert_part *part = in->items[i]->part;
        if (in->items[i]->is_attached)
            convert_transfer_decode(part->about.encoding, part->content, part->content_len, part->input, sink, ctx);
    }
    if (in->needs_original)
        convert_transfer_copy(in->mail->data, in->mail->len, in->mail, sink, ctx);
}

/* Mail whose lines end with CR only, as old Macintoshes wrote them: a copy with LF, the caller's. NULL: it has others, or
 * is too long. */
static char *with_line_feeds(const struct convert_input *mail)
{
    enum { LOOKED_AT = 64 * 1024 };
    size_t start = mail->len < LOOKED_AT ? mail->len : LOOKED_AT;
    if (mail->len > CONVERT_TEXT_MAX || !memchr(mail->data, '\r', start) || memchr(mail->data, '\n', start))
        return NULL;
    char *copy = xmemdup(mail->data, mail->len);
    for (char *c = copy; (c = memchr(c, '\r', mail->len - (size_t)(c - copy)));)
        *c = '\n';
    return copy;
}

void convert_mime_in(struct convert_charsets *charsets, struct convert_input *mail,
                     const struct convert_in_options *options, convert_sink *sink, void *ctx,
                     struct convert_in_message *message_out)
{
    struct convert_incoming in = { .charsets = charsets, .mail = mail, .options = options };
    *message_out = (struct convert_in_message){ .excerpt = xstrdup("") };
    strbuf_init(&in.head, HEAD_MAX);
    strbuf_init(&in.notes, NOTES_MAX);
    strbuf_init(&in.remarks, NOTES_MAX);
    strbuf_init(&in.detail, NOTES_MAX);
    char *copy = with_line_feeds(mail);
    struct convert_input in_memory = convert_input_of(copy, mail->len);
    struct convert_input *source = copy ? &in_memory : mail;
    read_header(&in, source, message_out);
    const char *error;
    struct convert_part *root = convert_mime_scan(charsets, source, &error);
    if (!root) {
        write_fallback(&in, error, sink, ctx, message_out);
    } else {
        struct strbuf body;
        strbuf_init(&body, CONVERT_BODY_MAX);
        convert_choice_collect(&in, root);
        compose(&in, &body, message_out);
        hand_out(&in, &body, sink, ctx);
        strbuf_free(&body);
    }
    convert_incoming_free(&in);
    convert_part_free(&root);
    free(copy);
}

void convert_in_message_free(struct convert_in_message *message)
{
    for (size_t i = 0; i < message->attachment_count; i++)
        free(message->attachments[i].name);
    for (size_t i = 0; i < message->other_count; i++)
        free(message->others[i]);
    free(message->others);
    free(message->excerpt);
    free(message->attachments);
    free(message->subject);
    free(message->from_name);
    free(message->detail);
    *message = (struct convert_in_message){ 0 };
}
