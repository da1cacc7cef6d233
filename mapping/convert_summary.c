/* What is said of parts that are no text: a line where they stand, besides their being attached. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_calendar.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_tnef.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_vcard.h"

enum { LINE_MAX_LEN = 300 };

static void add_string(struct commonmark_writer *writer, const char *text)
{
    commonmark_add_text(writer, text, strlen(text));
}

static void add_reference(struct commonmark_writer *writer, const char *text, const char *name)
{
    struct strbuf url;
    strbuf_init(&url, CONVERT_NAME_MAX * 4);
    convert_html_attachment_url(&url, name);
    commonmark_open_link(writer, url.data);
    add_string(writer, text);
    commonmark_close_link(writer);
    strbuf_free(&url);
}

static bool write_picture(struct convert_incoming *in, const struct convert_item *item,
                          struct commonmark_writer *writer)
{
    (void)in;
    struct strbuf url;
    if (item->is_referenced)
        return false;
    strbuf_init(&url, CONVERT_NAME_MAX * 4);
    convert_html_attachment_url(&url, item->name);
    commonmark_add_image(writer, item->name + 2, url.data);
    commonmark_end_paragraph(writer);
    strbuf_free(&url);
    return true;
}

/* ---- messages ---- */

/* A field as one line, "" when there is none; the caller's. */
static char *field_line(struct convert_incoming *in, const char *header, size_t len, const char *name)
{
    struct convert_field field;
    if (!convert_field_find(header, len, name, &field))
        return xstrdup("");
    return convert_field_text(in->charsets, field.value, field.value_len, LINE_MAX_LEN);
}

static char *author_line(struct convert_incoming *in, const char *header, size_t len)
{
    struct convert_field field;
    if (!convert_field_find(header, len, "From", &field))
        return xstrdup("");
    char *name = convert_field_display_name(in->charsets, field.value, field.value_len, CONVERT_FROM_NAME_MAX);
    if (*name)
        return name;
    free(name);
    char *line = field_line(in, header, len, "From");
    size_t n = strlen(line);
    if (n > 2 && line[0] == '<' && line[n - 1] == '>') {
        memmove(line, line + 1, n - 2);
        line[n - 2] = '\0';
    }
    return line;
}

/* "Tue, 5 Mar 2024 10:11:12 +0100 (CET)" without the comment. */
static char *date_line(struct convert_incoming *in, const char *header, size_t len)
{
    char *line = field_line(in, header, len, "Date");
    size_t n = strcspn(line, "(");
    while (n > 0 && line[n - 1] == ' ')
        n--;
    line[n] = '\0';
    return line;
}

static bool write_message(struct convert_incoming *in, const struct convert_item *item,
                          struct commonmark_writer *writer)
{
    struct strbuf bytes;
    strbuf_init(&bytes, CONVERT_HEADER_MAX);
    size_t len = convert_content_message_header(item->part, &bytes);
    char *subject = field_line(in, bytes.data, len, "Subject");
    char *author = author_line(in, bytes.data, len);
    char *date = date_line(in, bytes.data, len);
    add_string(writer, "Attached message: ");
    add_reference(writer, *subject ? subject : "(no subject)", item->name);
    if (*author)
        add_string(writer, " from ");
    add_string(writer, author);
    if (*date)
        add_string(writer, ", ");
    add_string(writer, date);
    commonmark_end_paragraph(writer);
    free(subject);
    free(author);
    free(date);
    strbuf_free(&bytes);
    return true;
}

/* ---- content elsewhere (RFC 2046 section 5.2.3, RFC 2017) ---- */

static void add_parameter(struct strbuf *text, const struct convert_part *part, const char *before, const char *name)
{
    char *value = convert_content_parameter(part, name);
    char *line = convert_utf8_one_line(value, strlen(value), LINE_MAX_LEN);
    if (*line)
        strbuf_add_fmt(text, "%s%s", before, line);
    free(line);
    free(value);
}

static bool write_external(struct convert_incoming *in, const struct convert_item *item,
                           struct commonmark_writer *writer)
{
    (void)in;
    struct strbuf text;
    strbuf_init(&text, (size_t)LINE_MAX_LEN * 8);
    strbuf_add_str(&text, "Not shown: a part of this message that is kept elsewhere");
    add_parameter(&text, item->part, " (", "access-type");
    add_parameter(&text, item->part, ": ", "url");
    add_parameter(&text, item->part, ": ", "site");
    add_parameter(&text, item->part, "/", "directory");
    add_parameter(&text, item->part, "/", "name");
    strbuf_add_str(&text, memchr(text.data, '(', text.len) ? ")." : ".");
    commonmark_open_emphasis(writer, COMMONMARK_EM);
    commonmark_add_text(writer, text.data, text.len);
    commonmark_close_emphasis(writer, COMMONMARK_EM);
    commonmark_end_paragraph(writer);
    strbuf_free(&text);
    return true;
}

/* ---- calendars and cards ---- */

typedef bool reader(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                    const void *data, size_t len);

static bool write_read(struct convert_incoming *in, const struct convert_item *item, struct commonmark_writer *writer,
                       reader *read)
{
    struct strbuf bytes;
    if (item->part->content_len > CONVERT_TEXT_MAX * 2)
        return false;
    strbuf_init(&bytes, CONVERT_TEXT_MAX * 2);
    (void)convert_content_bytes(item->part, &bytes); /* damage shows when it is measured */
    bool is_written = read(in->charsets, writer, item->part->about.charset, bytes.data, bytes.len);
    strbuf_free(&bytes);
    return is_written;
}

/* Where the mail has no text, the description is it; else it mostly says the same once more. */
static bool write_calendar(struct convert_incoming *in, const struct convert_item *item,
                           struct commonmark_writer *writer)
{
    bool is_written = write_read(in, item, writer, convert_calendar_write);
    if (is_written && !convert_choice_has_words(in))
        (void)write_read(in, item, writer, convert_calendar_write_description);
    return is_written;
}

static bool write_card(struct convert_incoming *in, const struct convert_item *item, struct commonmark_writer *writer)
{
    return write_read(in, item, writer, convert_vcard_write);
}

static bool write_meeting(struct convert_incoming *in, const struct convert_item *item,
                          struct commonmark_writer *writer)
{
    (void)in;
    return convert_tnef_write_meeting(writer, item->tnef);
}

convert_summary_write *convert_summary_of(enum convert_show show)
{
    static convert_summary_write *const writers[CONVERT_SHOW_COUNT] = {
        [CONVERT_SHOW_PICTURE] = write_picture,   [CONVERT_SHOW_MESSAGE] = write_message,
        [CONVERT_SHOW_EXTERNAL] = write_external, [CONVERT_SHOW_CALENDAR] = write_calendar,
        [CONVERT_SHOW_CARD] = write_card,         [CONVERT_SHOW_MEETING] = write_meeting,
    };
    return writers[show];
}
