#include "mapping/convert_tnef.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_tnef_internal.h"
#include "mapping/convert_utf8.h"

/* [MS-OXTNEF] section 2.1.3.3: the numbers of attributes, with their types. */
enum attribute {
    ATTACH_RENDERING = 0x00069002, /* begins an attachment */
    ATTACH_TITLE = 0x00018010,
    ATTACH_DATA = 0x0006800F,
    ATTACH_NAME = 0x00069001,
    ATTACH_PROPERTIES = 0x00069005,
    MESSAGE_CODE_PAGE = 0x00069007,
    MESSAGE_CLASS = 0x00078008,
    MESSAGE_SUBJECT = 0x00018004,
    MESSAGE_BODY = 0x0002800C,
    MESSAGE_PROPERTIES = 0x00069003,
    MESSAGE_RECIPIENTS = 0x00069004,
};

enum {
    LEVEL_MESSAGE = 1,
    LEVEL_ATTACHMENT = 2,
    SIGNATURE = 0x223E9F78,
    GUID_SIZE = 16,
};

/* [MS-OXPROPS] */
enum property_id {
    P_MESSAGE_CLASS = 0x001A,
    P_SUBJECT = 0x0037,
    P_SUBMIT_TIME = 0x0039,
    P_REPRESENTED_NAME = 0x0042,
    P_REPRESENTED_ADDRESS = 0x0065,
    P_RECIPIENT_TYPE = 0x0C15,
    P_SENDER_NAME = 0x0C1A,
    P_SENDER_ADDRESS = 0x0C1F,
    P_DELIVERY_TIME = 0x0E06,
    P_BODY = 0x1000,
    P_RTF = 0x1009,
    P_HTML = 0x1013,
    P_MESSAGE_ID = 0x1035,
    P_DISPLAY_NAME = 0x3001,
    P_ADDRESS = 0x3003,
    P_ATTACH_DATA = 0x3701,
    P_ATTACH_FILENAME = 0x3704,
    P_ATTACH_LONG_FILENAME = 0x3707,
    P_ATTACH_TYPE = 0x370E,
    P_ATTACH_ID = 0x3712,
    P_SMTP_ADDRESS = 0x39FE,
    P_INTERNET_CODE_PAGE = 0x3FDE,
    P_SENDER_SMTP = 0x5D01,
    P_REPRESENTED_SMTP = 0x5D02,
};

/* What is known of an attachment before it is one. Names in the order of preference. */
enum name_kind { NAME_LONG, NAME_SHORT, NAME_TRANSPORT, NAME_TITLE, NAME_DISPLAY, NAME_KINDS };

struct attachment {
    bool is_open;
    char *names[NAME_KINDS];
    char *type, *id;
    const uint8_t *data, *object;
    size_t len, object_len;
};

struct body { /* where the forms of the text lie */
    struct tnef_property plain, html, rtf;
};

struct reader {
    struct tnef_message *message;
    struct attachment attachment;
    struct body body;
};

/* ---- values ---- */

static char *text_line(const struct tnef_message *message, const struct tnef_property *property)
{
    struct strbuf text;
    strbuf_init(&text, property->len * 3 + 1);
    char *line = NULL;
    if (tnef_property_text(message->charsets, message->code_page, property, &text))
        line = convert_utf8_one_line(text.data, text.len, CONVERT_TNEF_VALUE_MAX);
    strbuf_free(&text);
    return line;
}

static char *string_line(const struct tnef_message *message, const uint8_t *data, size_t len)
{
    const struct tnef_property property = { .type = TNEF_STRING8, .data = data, .len = len };
    return text_line(message, &property);
}

/* Takes the value if there is one, in place of an earlier one. */
static void set_line(char **to, char *line)
{
    if (!line || !*line) {
        free(line);
        return;
    }
    free(*to);
    *to = line;
}

static void set_line_once(char **to, char *line)
{
    if (*to && **to)
        free(line);
    else
        set_line(to, line);
}

static void set_address(char **to, char *line)
{
    if (line && strchr(line, '@'))
        set_line(to, line);
    else
        free(line); /* a name in somebody's directory */
}

/* ---- attachments ---- */

static void clear_attachment(struct attachment *attachment)
{
    for (size_t i = 0; i < NAME_KINDS; i++)
        free(attachment->names[i]);
    free(attachment->type);
    free(attachment->id);
    *attachment = (struct attachment){ 0 };
}

static struct convert_tnef_file *add_file(struct tnef_message *message)
{
    struct convert_tnef *result = message->result;
    if (result->file_count == CONVERT_TNEF_FILES_MAX) {
        result->is_incomplete = true;
        return NULL;
    }
    result->files = xreallocarray(result->files, result->file_count + 1, sizeof *result->files);
    struct convert_tnef_file *file = &result->files[result->file_count++];
    *file = (struct convert_tnef_file){ .name = NULL };
    return file;
}

static bool is_type(const char *type)
{
    size_t slashes = 0;
    for (const char *c = type; *c; c++) {
        slashes += *c == '/';
        if (!isalnum((unsigned char)*c) && !strchr("/.+-_", *c))
            return false;
    }
    return slashes == 1 && type[0] != '/' && type[strlen(type) - 1] != '/';
}

/* The type in small letters; "" for what is none. */
static char *clean_type(const char *type)
{
    char *clean = xstrdup(type && is_type(type) ? type : "");
    for (char *c = clean; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return clean;
}

static char *clean_id(const char *id)
{
    size_t len = id ? strlen(id) : 0;
    bool bracketed = len > 2 && id[0] == '<' && id[len - 1] == '>';
    char *clean = bracketed ? xstrndup(id + 1, len - 2) : xstrdup(id ? id : "");
    for (const char *c = clean; *c; c++) {
        if (*c <= ' ' || *c >= 0x7F || strchr("<>\"\\", *c)) {
            clean[0] = '\0';
            break;
        }
    }
    return clean;
}

static const char *attachment_name(const struct attachment *attachment)
{
    for (size_t i = 0; i < NAME_KINDS; i++) {
        if (attachment->names[i] && *attachment->names[i])
            return attachment->names[i];
    }
    return "";
}

/* {00020307-0000-0000-C000-000000000046}: the object is a message, as TNEF of its own. */
static bool is_message_object(const struct attachment *attachment)
{
    static const uint8_t message_object[GUID_SIZE] = { 0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46 };
    return attachment->object && attachment->object_len > GUID_SIZE &&
           memcmp(attachment->object, message_object, GUID_SIZE) == 0;
}

static struct convert_tnef *read_message(struct tnef_message *message, const void *data, size_t len);
static void free_message(struct tnef_message *message);

/* The mail that a message in the message makes; false when it can't be one. */
static bool add_message(struct tnef_message *message, const struct attachment *attachment)
{
    const uint8_t *data = attachment->object + GUID_SIZE;
    size_t len = attachment->object_len - GUID_SIZE;
    struct tnef_message inner = { .charsets = message->charsets,
                                  .code_page = message->code_page,
                                  .depth = message->depth + 1,
                                  .room = message->room };
    if (inner.depth >= CONVERT_TNEF_DEPTH_MAX || !read_message(&inner, data, len)) {
        message->result->is_incomplete = true;
        return false;
    }
    struct strbuf mail;
    strbuf_init(&mail, message->room);
    bool fits = tnef_mail_write(&inner, &mail);
    message->result->is_damaged = message->result->is_damaged || inner.result->is_damaged;
    message->result->is_incomplete = message->result->is_incomplete || inner.result->is_incomplete || !fits;
    struct convert_tnef_file *file = fits ? add_file(message) : NULL;
    if (file) {
        const char *name = *inner.result->subject ? inner.result->subject : attachment_name(attachment);
        struct strbuf full;
        strbuf_init(&full, strlen(name) + 8);
        strbuf_add_fmt(&full, "%s.eml", *name ? name : "message");
        message->room -= mail.len;
        file->name = strbuf_detach(&full);
        file->type = xstrdup("message/rfc822");
        file->id = xstrdup("");
        file->len = mail.len;
        file->owned = strbuf_detach(&mail);
        file->data = file->owned;
    }
    strbuf_free(&mail);
    free_message(&inner);
    return fits;
}

static void end_attachment(struct reader *reader)
{
    struct attachment *attachment = &reader->attachment;
    bool is_empty = !attachment->data && !attachment->object;
    bool is_done = is_message_object(attachment) && add_message(reader->message, attachment);
    if (attachment->is_open && !is_done && !(is_empty && !*attachment_name(attachment))) {
        struct convert_tnef_file *file = add_file(reader->message);
        bool has_data = attachment->len > 0 || attachment->object_len <= GUID_SIZE;
        if (file)
            *file = (struct convert_tnef_file){
                .name = xstrdup(attachment_name(attachment)),
                .type = is_message_object(attachment) ? xstrdup("application/ms-tnef") : clean_type(attachment->type),
                .id = clean_id(attachment->id),
                .data = (const char *)(has_data ? attachment->data : attachment->object + GUID_SIZE),
                .len = has_data ? attachment->len : attachment->object_len - GUID_SIZE,
            };
    }
    clear_attachment(attachment);
}

static void add_attachment_property(struct reader *reader, const struct tnef_property *property)
{
    struct attachment *attachment = &reader->attachment;
    char **to = NULL;
    if (property->id == P_ATTACH_LONG_FILENAME)
        to = &attachment->names[NAME_LONG];
    else if (property->id == P_ATTACH_FILENAME)
        to = &attachment->names[NAME_SHORT];
    else if (property->id == P_DISPLAY_NAME)
        to = &attachment->names[NAME_DISPLAY];
    else if (property->id == P_ATTACH_TYPE)
        to = &attachment->type;
    else if (property->id == P_ATTACH_ID)
        to = &attachment->id;
    if (to) {
        set_line_once(to, text_line(reader->message, property));
    } else if (property->id == P_ATTACH_DATA && property->type == TNEF_OBJECT) {
        attachment->object = property->data;
        attachment->object_len = property->len;
    } else if (property->id == P_ATTACH_DATA && property->type == TNEF_BINARY && attachment->len == 0) {
        attachment->data = property->data;
        attachment->len = property->len;
    }
}

/* ---- the message ---- */

static void add_message_property(struct reader *reader, const struct tnef_property *property)
{
    struct tnef_message *message = reader->message;
    struct tnef_header *header = &message->header;
    switch (property->set ? 0 : property->id) {
    case P_MESSAGE_CLASS:
        set_line_once(&message->message_class, text_line(message, property));
        break;
    case P_SUBJECT:
        set_line(&message->result->subject, text_line(message, property));
        break;
    case P_SUBMIT_TIME:
    case P_DELIVERY_TIME:
        header->sent = header->sent != 0 ? header->sent : tnef_seconds(tnef_property_number(property));
        break;
    case P_REPRESENTED_NAME:
    case P_SENDER_NAME:
        set_line_once(&header->from_name, text_line(message, property));
        break;
    case P_REPRESENTED_SMTP:
    case P_SENDER_SMTP:
        set_address(&header->from_address, text_line(message, property));
        break;
    case P_REPRESENTED_ADDRESS:
    case P_SENDER_ADDRESS:
        if (!header->from_address)
            set_address(&header->from_address, text_line(message, property));
        break;
    case P_MESSAGE_ID:
        set_line(&header->message_id, text_line(message, property));
        break;
    case P_BODY:
        reader->body.plain = *property;
        break;
    case P_HTML:
        reader->body.html = *property;
        break;
    case P_RTF:
        reader->body.rtf = *property;
        break;
    case P_INTERNET_CODE_PAGE:
        message->html_page = (unsigned)tnef_property_number(property);
        break;
    default:
        tnef_meeting_add(message, property);
        break;
    }
}

typedef void add_property(struct reader *reader, const struct tnef_property *property);

static void read_properties(struct reader *reader, struct tnef_cursor *cursor, add_property *add)
{
    struct tnef_property property;
    uint32_t left = tnef_take_number(cursor, 4);
    while (tnef_property_next(cursor, &left, &property))
        add(reader, &property);
    if (cursor->is_over)
        reader->message->result->is_damaged = true;
}

static void read_recipient(struct tnef_message *message, struct tnef_cursor *cursor)
{
    struct tnef_property property;
    uint32_t left = tnef_take_number(cursor, 4);
    uint64_t kind = 0;
    char *name = NULL;
    char *address = NULL;
    while (tnef_property_next(cursor, &left, &property)) {
        if (property.id == P_RECIPIENT_TYPE)
            kind = tnef_property_number(&property);
        else if (property.id == P_DISPLAY_NAME)
            set_line(&name, text_line(message, &property));
        else if (property.id == P_SMTP_ADDRESS || (property.id == P_ADDRESS && !address))
            set_address(&address, text_line(message, &property));
    }
    if ((kind == 1 || kind == 2) && (name || address))
        tnef_mail_add_mailbox(kind == 1 ? &message->header.to : &message->header.cc, name ? name : "", address);
    free(name);
    free(address);
}

static void read_recipients(struct reader *reader, struct tnef_cursor *cursor)
{
    uint32_t rows = tnef_take_number(cursor, 4);
    for (uint32_t i = 0; i < rows && !cursor->is_over && i < CONVERT_TNEF_RECIPIENTS_MAX; i++)
        read_recipient(reader->message, cursor);
    if (cursor->is_over)
        reader->message->result->is_damaged = true;
}

/* ---- attributes ---- */

static void read_attachment_attribute(struct reader *reader, uint32_t id, const uint8_t *data, size_t len)
{
    struct attachment *attachment = &reader->attachment;
    struct tnef_cursor cursor = tnef_cursor_of(data, len);
    if (id == ATTACH_RENDERING)
        end_attachment(reader);
    attachment->is_open = true;
    if (id == ATTACH_TITLE) {
        set_line(&attachment->names[NAME_TITLE], string_line(reader->message, data, len));
    } else if (id == ATTACH_NAME) {
        set_line(&attachment->names[NAME_TRANSPORT], string_line(reader->message, data, len));
    } else if (id == ATTACH_DATA) {
        attachment->data = data;
        attachment->len = len;
    } else if (id == ATTACH_PROPERTIES) {
        read_properties(reader, &cursor, add_attachment_property);
    }
}

static void read_message_attribute(struct reader *reader, uint32_t id, const uint8_t *data, size_t len)
{
    struct tnef_message *message = reader->message;
    struct tnef_cursor cursor = tnef_cursor_of(data, len);
    if (id == MESSAGE_CODE_PAGE && len >= 4)
        message->code_page = tnef_take_number(&cursor, 4);
    else if (id == MESSAGE_CLASS)
        set_line(&message->message_class, string_line(message, data, len));
    else if (id == MESSAGE_SUBJECT)
        set_line_once(&message->result->subject, string_line(message, data, len));
    else if (id == MESSAGE_BODY && !reader->body.plain.data)
        reader->body.plain = (struct tnef_property){ .type = TNEF_STRING8, .data = data, .len = len };
    else if (id == MESSAGE_PROPERTIES)
        read_properties(reader, &cursor, add_message_property);
    else if (id == MESSAGE_RECIPIENTS)
        read_recipients(reader, &cursor);
}

static unsigned checksum(const uint8_t *data, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += data[i];
    return sum & 0xFFFF;
}

/* What is cut off is read as far as it goes. */
static void read_attributes(struct reader *reader, struct tnef_cursor *cursor)
{
    bool *is_damaged = &reader->message->result->is_damaged;
    while (cursor->left > 0 && !cursor->is_over) {
        unsigned level = tnef_take_number(cursor, 1);
        if (level == 0)
            break; /* what some programs fill up with */
        uint32_t id = tnef_take_number(cursor, 4);
        size_t len = tnef_take_number(cursor, 4);
        if (cursor->is_over || (level != LEVEL_MESSAGE && level != LEVEL_ATTACHMENT)) {
            *is_damaged = true;
            break;
        }
        size_t there = len < cursor->left ? len : cursor->left;
        const uint8_t *data = tnef_take(cursor, there);
        unsigned sum = tnef_take_number(cursor, 2);
        if (there < len || cursor->is_over || sum != checksum(data, there))
            *is_damaged = true;
        if (level == LEVEL_ATTACHMENT)
            read_attachment_attribute(reader, id, data, there);
        else
            read_message_attribute(reader, id, data, there);
    }
    end_attachment(reader);
}

/* ---- the text ---- */

/* Keeps what was decoded if there is something to see and room for it. */
static void keep_text(struct tnef_message *message, struct strbuf *text, char **to, size_t *len_out)
{
    if (!strbuf_ok(text) || text->len > message->room) {
        message->result->is_incomplete = true;
    } else if (!*to && !convert_text_is_blank(text->data, text->len)) {
        message->room -= text->len;
        *len_out = text->len;
        *to = strbuf_detach(text);
    }
    strbuf_free(text);
}

static void read_rtf(struct tnef_message *message, const struct tnef_property *property)
{
    struct strbuf rtf, text;
    strbuf_init(&rtf, CONVERT_TNEF_RTF_MAX);
    strbuf_init(&text, CONVERT_TEXT_MAX);
    if (!tnef_rtf_expand(property->data, property->len, &rtf))
        message->result->is_damaged = true;
    bool is_cut;
    enum tnef_rtf kind = tnef_rtf_read(message->charsets, rtf.data, rtf.len, &text, &is_cut);
    message->result->is_incomplete = message->result->is_incomplete || is_cut;
    if (kind == TNEF_RTF_HTML)
        keep_text(message, &text, &message->result->html, &message->result->html_len);
    else if (kind != TNEF_RTF_DAMAGED)
        keep_text(message, &text, &message->result->text, &message->result->text_len);
    else
        message->result->is_damaged = true;
    strbuf_free(&text);
    strbuf_free(&rtf);
}

static void read_body(struct tnef_message *message, const struct body *body)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX);
    if (tnef_property_text(message->charsets, message->code_page, &body->plain, &text))
        keep_text(message, &text, &message->result->text, &message->result->text_len);
    strbuf_free(&text);
    strbuf_init(&text, CONVERT_TEXT_MAX);
    unsigned page = message->html_page != 0 ? message->html_page : message->code_page;
    if (tnef_property_text(message->charsets, page, &body->html, &text))
        keep_text(message, &text, &message->result->html, &message->result->html_len);
    strbuf_free(&text);
    if (body->rtf.data && !message->result->html)
        read_rtf(message, &body->rtf);
}

/* ---- all of it ---- */

static void free_message(struct tnef_message *message)
{
    convert_tnef_free(&message->result);
    free(message->message_class);
    free(message->header.from_name);
    free(message->header.from_address);
    free(message->header.message_id);
    strbuf_free(&message->header.to);
    strbuf_free(&message->header.cc);
}

/* Of other classes (contacts, tasks) text and attachments are not all that there is; of a meeting, neither is what
 * convert_tnef_write_meeting() says. */
static bool is_note(const char *message_class)
{
    static const char *const notes[] = { "IPM.Note", "IPM.Microsoft Mail.Note", "REPORT." };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if (strncasecmp(message_class, notes[i], strlen(notes[i])) == 0)
            return true;
    }
    return false;
}

/* The result, which is the message's too; NULL: no TNEF, and nothing to be freed. */
static struct convert_tnef *read_message(struct tnef_message *message, const void *data, size_t len)
{
    enum { MAILBOXES_SIZE_MAX = CONVERT_TNEF_RECIPIENTS_MAX * CONVERT_TNEF_VALUE_MAX * 4 };
    struct tnef_cursor cursor = tnef_cursor_of(data, len);
    struct reader reader = { .message = message };
    if (tnef_take_number(&cursor, 4) != SIGNATURE)
        return NULL;
    (void)tnef_take_number(&cursor, 2); /* a key that nobody needs */
    message->result = xcalloc(1, sizeof *message->result);
    strbuf_init(&message->header.to, MAILBOXES_SIZE_MAX);
    strbuf_init(&message->header.cc, MAILBOXES_SIZE_MAX);
    read_attributes(&reader, &cursor);
    read_body(message, &reader.body);
    tnef_meeting_end(message);
    if (message->message_class && !is_note(message->message_class))
        message->result->is_incomplete = true;
    if (!message->result->subject)
        message->result->subject = xstrdup("");
    return message->result;
}

struct convert_tnef *convert_tnef_read(struct convert_charsets *charsets, const void *data, size_t len, size_t room)
{
    struct tnef_message message = { .charsets = charsets, .code_page = TNEF_WESTERN, .room = room };
    struct convert_tnef *result = read_message(&message, data, len);
    message.result = NULL;
    free_message(&message);
    return result;
}

void convert_tnef_free(struct convert_tnef **tnef)
{
    if (!*tnef)
        return;
    for (size_t i = 0; i < (*tnef)->file_count; i++) {
        free((*tnef)->files[i].name);
        free((*tnef)->files[i].type);
        free((*tnef)->files[i].id);
        free((*tnef)->files[i].owned);
    }
    free((*tnef)->files);
    free((*tnef)->text);
    free((*tnef)->html);
    free((*tnef)->subject);
    tnef_meeting_free(&(*tnef)->meeting);
    free(*tnef);
    *tnef = NULL;
}
