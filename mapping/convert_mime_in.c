#include "mapping/convert_mime_in.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_names.h"
#include "mapping/convert_text.h"
#include "mapping/convert_types.h"
#include "mapping/convert_utf8.h"

#define ORIGINAL_ATTACHED " The mail as it came is attached."

/* Of a body, at its end; one mail can have a thousand damaged attachments. */
enum { NOTES_MAX = 24 * 1024, NOTES_RESERVE = 64 * 1024 };

/* A leaf and what becomes of it. */
struct item {
    const struct convert_part *part;
    bool is_shown;    /* in the body; else attached */
    const char *name; /* of an attachment; the name set's */
};

struct incoming {
    struct convert_charsets *charsets;
    struct convert_input *mail;
    struct item *items;
    size_t count;
    struct convert_names names;
    struct strbuf notes; /* for the reader, separated by '\n' */
    bool needs_original;
    bool is_automatic;
};

/* ---- choosing ---- */

static void add_item(struct incoming *in, const struct convert_part *part, bool is_shown)
{
    in->items = xreallocarray(in->items, in->count + 1, sizeof *in->items);
    in->items[in->count++] = (struct item){ .part = part, .is_shown = is_shown };
}

static bool is_readable(const struct convert_part *part)
{
    return convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html");
}

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

enum part_text { TEXT_OK, TEXT_DAMAGED, TEXT_UNKNOWN_CHARSET, TEXT_TOO_LONG };

/* The text of a part as UTF-8; out is empty when it is too long. */
static enum part_text decode_text(const struct incoming *in, const struct convert_part *part, struct strbuf *out)
{
    if (part->content_len > CONVERT_TEXT_MAX * 2)
        return TEXT_TOO_LONG;
    struct strbuf bytes;
    strbuf_init(&bytes, CONVERT_TEXT_MAX * 2 + 1);
    struct convert_decoded decoded = convert_transfer_decode(part->about.encoding, part->content, part->content_len,
                                                             in->mail, add_to_strbuf, &bytes);
    char declared[64];
    const char *charset = part->about.charset;
    if (!*charset && convert_part_is(part, "text", "html") &&
        convert_html_declared_charset(bytes.data, bytes.len, declared))
        charset = declared;
    bool known = convert_charset_decode(in->charsets, charset, bytes.data, bytes.len, out);
    strbuf_free(&bytes);
    if (!strbuf_ok(out)) {
        strbuf_clear(out);
        return TEXT_TOO_LONG;
    }
    return decoded.damaged ? TEXT_DAMAGED : known ? TEXT_OK : TEXT_UNKNOWN_CHARSET;
}

static bool has_text(const struct incoming *in, const struct convert_part *part)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX);
    bool found = decode_text(in, part, &text) == TEXT_TOO_LONG || !convert_text_is_blank(text.data, text.len);
    strbuf_free(&text);
    return found;
}

/* Whether there is text of that kind to be read in the part. */
static bool offers(const struct incoming *in, const struct convert_part *part, const char *subtype)
{
    for (size_t i = 0; i < part->child_count; i++) {
        if (offers(in, part->children[i], subtype))
            return true;
    }
    return part->child_count == 0 && convert_part_is(part, "text", subtype) && !part->about.is_attachment &&
           has_text(in, part);
}

static void collect(struct incoming *in, const struct convert_part *part);

/* From the alternatives that were not chosen: what is no other form of the same text (calendars, pictures of the HTML
 * form). */
static void collect_rest(struct incoming *in, const struct convert_part *part)
{
    for (size_t i = 0; i < part->child_count; i++)
        collect_rest(in, part->children[i]);
    bool is_form =
        convert_part_is(part, "text", NULL) && !convert_part_is(part, "text", "calendar") && !part->about.is_attachment;
    if (part->child_count == 0 && !is_form)
        add_item(in, part, false);
}

static void collect_alternative(struct incoming *in, const struct convert_part *part)
{
    static const char *const preferred[] = { "plain", "html" };
    size_t chosen = part->child_count;
    for (size_t k = 0; k < 2 && chosen == part->child_count; k++) {
        for (size_t i = 0; i < part->child_count && chosen == part->child_count; i++) {
            if (offers(in, part->children[i], preferred[k]))
                chosen = i;
        }
    }
    if (chosen == part->child_count) { /* nothing to read: nothing may be lost either */
        for (size_t i = 0; i < part->child_count; i++)
            collect(in, part->children[i]);
        return;
    }
    collect(in, part->children[chosen]);
    for (size_t i = 0; i < part->child_count; i++) {
        if (i != chosen)
            collect_rest(in, part->children[i]);
    }
}

/* The root is what "start" names, or the first part; the others are its pictures. */
static void collect_related(struct incoming *in, const struct convert_part *part)
{
    size_t root = 0;
    for (size_t i = 0; i < part->child_count && *part->about.start; i++) {
        if (strcmp(part->children[i]->about.id, part->about.start) == 0)
            root = i;
    }
    collect(in, part->children[root]);
    for (size_t i = 0; i < part->child_count; i++) {
        if (i != root)
            collect_rest(in, part->children[i]);
    }
}

static void collect(struct incoming *in, const struct convert_part *part)
{
    if (part->is_broken) {
        add_item(in, part, true);
    } else if (part->child_count == 0) {
        add_item(in, part, is_readable(part) && !part->about.is_attachment && !*part->about.filename);
    } else if (convert_part_is(part, "multipart", "alternative")) {
        collect_alternative(in, part);
    } else if (convert_part_is(part, "multipart", "related")) {
        collect_related(in, part);
    } else {
        for (size_t i = 0; i < part->child_count; i++)
            collect(in, part->children[i]);
    }
}

static void collect_all(struct incoming *in, const struct convert_part *root)
{
    bool is_single_text = root->child_count == 0 && convert_part_is(root, "text", NULL) && !root->about.is_attachment;
    if (is_single_text)
        add_item(in, root, true); /* whatever its name */
    else
        collect(in, root);
}

/* ---- naming ---- */

static void add_note(struct incoming *in, const char *before, const char *name, const char *after)
{
    strbuf_add_fmt(&in->notes, "%s%s%s%s", in->notes.len > 0 ? "\n" : "", before, name, after);
}

/* A message is called by its subject. */
static char *message_name(struct incoming *in, const struct convert_part *part)
{
    size_t content;
    struct convert_field field;
    size_t header_len = convert_mime_header_len(part->content, part->content_len, &content);
    if (header_len > CONVERT_HEADER_MAX || !convert_field_find(part->content, header_len, "Subject", &field))
        return xstrdup("");
    char *subject = convert_field_text(in->charsets, field.value, field.value_len, CONVERT_NAME_MAX - 8);
    struct strbuf name;
    strbuf_init(&name, CONVERT_NAME_MAX);
    if (*subject)
        strbuf_add_fmt(&name, "%s.eml", subject);
    free(subject);
    return strbuf_detach(&name);
}

static void name_item(struct incoming *in, struct item *item)
{
    enum { FALLBACK_MAX = 64 };
    const struct convert_part *part = item->part;
    struct strbuf fallback;
    strbuf_init(&fallback, FALLBACK_MAX);
    if (is_readable(part))
        strbuf_add_fmt(&fallback, "message.%s", convert_type_extension(part->about.type, part->about.subtype));
    else
        strbuf_add_fmt(&fallback, "part-%zu.%s", in->names.count + 1,
                       convert_type_extension(part->about.type, part->about.subtype));
    bool is_message = convert_part_is(part, "message", "rfc822") || convert_part_is(part, "message", "global");
    char *wanted = *part->about.filename || !is_message ? xstrdup(part->about.filename) : message_name(in, part);
    item->name = convert_names_add(&in->names, wanted, fallback.data);
    free(wanted);
    strbuf_free(&fallback);
}

static void name_items(struct incoming *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (!in->items[i].is_shown)
            name_item(in, &in->items[i]);
    }
}

static const char *find_cid(const char *cid, void *ctx)
{
    const struct incoming *in = ctx;
    for (size_t i = 0; i < in->count; i++) {
        const struct convert_part *part = in->items[i].part;
        if (in->items[i].name && convert_part_is(part, "image", NULL) && strcmp(part->about.id, cid) == 0)
            return in->items[i].name;
    }
    return NULL;
}

/* ---- the body ---- */

/* Shows the text of a part; false when there is more of it than a body may hold. */
static bool write_item(struct incoming *in, const struct item *item, struct strbuf *body,
                       struct commonmark_writer *writer)
{
    const struct convert_part *part = item->part;
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX);
    enum part_text result = decode_text(in, part, &text);
    if (result == TEXT_DAMAGED)
        add_note(in, "The text of this message arrived damaged.", "", ORIGINAL_ATTACHED);
    if (result == TEXT_UNKNOWN_CHARSET)
        add_note(in, "Characters may be wrong: the text is in a charset that is not known here, \"",
                 part->about.charset, "\"." ORIGINAL_ATTACHED);
    if (part->is_broken)
        add_note(in, "The parts of this message could not be told apart.", "", ORIGINAL_ATTACHED);
    in->needs_original =
        in->needs_original || result == TEXT_DAMAGED || result == TEXT_UNKNOWN_CHARSET || part->is_broken;
    const struct convert_text_format format = { part->about.is_flowed, part->about.is_delsp };
    if (convert_part_is(part, "text", "html"))
        convert_html_write(writer, text.data, text.len, find_cid, in);
    else
        convert_text_write(writer, text.data, text.len, &format);
    strbuf_free(&text);
    return result != TEXT_TOO_LONG && strbuf_ok(body);
}

/* Writes one part alone, to see whether it fits behind what is there already. */
static void add_shown_item(struct incoming *in, struct item *item, struct strbuf *body)
{
    struct strbuf alone;
    strbuf_init(&alone, CONVERT_BODY_MAX - NOTES_RESERVE);
    struct commonmark_writer *writer = commonmark_writer_new(&alone);
    bool fits = write_item(in, item, &alone, writer);
    commonmark_writer_free(&writer);
    if (!fits || body->len + alone.len > CONVERT_BODY_MAX - NOTES_RESERVE) {
        item->is_shown = false;
        name_item(in, item);
        add_note(in, "The text is too long to be shown here: it is attached as \"", item->name + 2, "\".");
    } else if (alone.len > 0) {
        if (body->len > 0)
            strbuf_add_str(body, "\n---\n\n");
        strbuf_add(body, alone.data, alone.len);
    }
    strbuf_free(&alone);
}

static void add_notes(struct incoming *in, struct strbuf *body)
{
    if (in->notes.len == 0)
        return;
    if (body->len > 0)
        strbuf_add_str(body, "\n---\n\n");
    struct commonmark_writer *writer = commonmark_writer_new(body);
    for (const char *note = in->notes.data; *note;) {
        size_t n = strcspn(note, "\n");
        commonmark_open_emphasis(writer, COMMONMARK_EM);
        commonmark_add_text(writer, note, n);
        commonmark_close_emphasis(writer, COMMONMARK_EM);
        commonmark_end_paragraph(writer);
        note += n + (note[n] == '\n');
    }
    commonmark_writer_free(&writer);
}

/* Sizes must be known before the first byte is handed out; what is wrong with an attachment shows here. */
static int64_t measure_attachment(struct incoming *in, const struct item *item)
{
    const struct convert_part *part = item->part;
    struct convert_decoded decoded =
        convert_transfer_decode(part->about.encoding, part->content, part->content_len, in->mail, NULL, NULL);
    if (decoded.damaged) {
        add_note(in, "The attachment \"", item->name + 2, "\" arrived damaged." ORIGINAL_ATTACHED);
        in->needs_original = true;
    }
    return decoded.size;
}

/* ---- the message ---- */

static void add_attachment(struct convert_in_message *message, const char *name, int64_t size)
{
    message->attachments =
        xreallocarray(message->attachments, message->attachment_count + 1, sizeof *message->attachments);
    message->attachments[message->attachment_count++] = (struct convert_in_attachment){ xstrdup(name), size };
}

static void read_header(struct incoming *in, struct convert_in_message *message)
{
    size_t content;
    size_t len = convert_mime_header_len(in->mail->data, in->mail->len, &content);
    if (len > CONVERT_HEADER_MAX)
        len = CONVERT_HEADER_MAX;
    struct convert_field field;
    if (convert_field_find(in->mail->data, len, "Subject", &field))
        message->subject = convert_field_text(in->charsets, field.value, field.value_len, CONVERT_SUBJECT_MAX);
    if (!message->subject || !*message->subject) {
        free(message->subject);
        message->subject = xstrdup(CONVERT_NO_SUBJECT);
    }
    if (convert_field_find(in->mail->data, len, "From", &field))
        message->from_name =
            convert_field_display_name(in->charsets, field.value, field.value_len, CONVERT_FROM_NAME_MAX);
    else
        message->from_name = xstrdup("");
}

#define FALLBACK_BODY "_This message could not be converted. The mail as it came is attached as \"original.eml\"._\n"

const char *convert_fallback_body(bool is_automatic)
{
    return is_automatic ? CONVERT_AUTOMATIC FALLBACK_BODY : FALLBACK_BODY;
}

static void write_fallback(struct incoming *in, const char *reason, convert_sink *sink, void *ctx,
                           struct convert_in_message *message)
{
    const char *body = convert_fallback_body(in->is_automatic);
    message->is_fallback = true;
    message->detail = xstrdup(reason);
    message->body_size = (int64_t)strlen(body);
    add_attachment(message, CONVERT_ORIGINAL_NAME, (int64_t)in->mail->len);
    sink(body, strlen(body), ctx);
    convert_transfer_copy(in->mail->data, in->mail->len, in->mail, sink, ctx);
}

/* In front of everything else, so that nobody answers before they have read it; rules separate only what follows. */
static const char *intro(const struct incoming *in)
{
    return in->is_automatic ? CONVERT_AUTOMATIC : "";
}

/* Composes the body and lists the attachments, without handing anything out yet. */
static void compose(struct incoming *in, struct strbuf *body, struct convert_in_message *message)
{
    name_items(in);
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i].is_shown)
            add_shown_item(in, &in->items[i], body);
    }
    for (size_t i = 0; i < in->count; i++) {
        if (!in->items[i].is_shown)
            add_attachment(message, in->items[i].name, measure_attachment(in, &in->items[i]));
    }
    if (in->needs_original) {
        const char *name = convert_names_add(&in->names, "original.eml", "");
        add_attachment(message, name, (int64_t)in->mail->len);
    }
    add_notes(in, body);
    if (body->len == 0 && message->attachment_count == 0)
        strbuf_add_str(body, CONVERT_NO_TEXT);
    message->body_size = (int64_t)(strlen(intro(in)) + body->len);
    message->detail = convert_utf8_one_line(in->notes.data, in->notes.len, CONVERT_DETAIL_MAX);
}

static void hand_out(struct incoming *in, const struct strbuf *body, convert_sink *sink, void *ctx)
{
    sink(intro(in), strlen(intro(in)), ctx);
    sink(body->data, body->len, ctx);
    for (size_t i = 0; i < in->count; i++) {
        const struct convert_part *part = in->items[i].part;
        if (!in->items[i].is_shown)
            convert_transfer_decode(part->about.encoding, part->content, part->content_len, in->mail, sink, ctx);
    }
    if (in->needs_original)
        convert_transfer_copy(in->mail->data, in->mail->len, in->mail, sink, ctx);
}

void convert_mime_in(struct convert_charsets *charsets, struct convert_input *mail, bool is_automatic,
                     convert_sink *sink, void *ctx, struct convert_in_message *message_out)
{
    struct incoming in = { .charsets = charsets, .mail = mail, .is_automatic = is_automatic };
    *message_out = (struct convert_in_message){ 0 };
    strbuf_init(&in.notes, NOTES_MAX);
    read_header(&in, message_out);
    const char *error;
    struct convert_part *root = convert_mime_scan(charsets, mail, &error);
    if (!root) {
        write_fallback(&in, error, sink, ctx, message_out);
        strbuf_free(&in.notes);
        return;
    }
    struct strbuf body;
    strbuf_init(&body, CONVERT_BODY_MAX);
    collect_all(&in, root);
    compose(&in, &body, message_out);
    hand_out(&in, &body, sink, ctx);
    strbuf_free(&body);
    strbuf_free(&in.notes);
    free(in.items);
    convert_names_free(&in.names);
    convert_part_free(&root);
}

void convert_in_message_free(struct convert_in_message *message)
{
    for (size_t i = 0; i < message->attachment_count; i++)
        free(message->attachments[i].name);
    free(message->attachments);
    free(message->subject);
    free(message->from_name);
    free(message->detail);
    *message = (struct convert_in_message){ 0 };
}
