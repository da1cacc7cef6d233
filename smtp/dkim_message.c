/* dkim_message.c - see dkim_message.h */
#include "smtp/dkim_message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "smtp/dkim_message_internal.h"
#include "smtp/mail_header.h"

struct dkim_message *dkim_message_new(void)
{
    struct dkim_message *message = xcalloc(1, sizeof *message);
    strbuf_init(&message->header, MAIL_HEADER_MAX);
    return message;
}

void dkim_message_free(struct dkim_message **message)
{
    if (!*message)
        return;
    strbuf_free(&(*message)->header);
    free((*message)->fields);
    free((*message)->by_name);
    for (size_t i = 0; i < DKIM_FORMS; i++)
        digest_free(&(*message)->bodies[i].digest);
    free(*message);
    *message = NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the name of a field ends, and its value begins. 0: the line is no field; as mail_header has it. */
static size_t read_name(const char *line, size_t len, size_t *value_out)
{
    const char *colon = memchr(line, ':', len);
    if (!colon)
        return 0;
    size_t name_len = (size_t)(colon - line);
    *value_out = name_len + 1;
    while (name_len > 0 && is_blank(line[name_len - 1]))
        name_len--;
    for (size_t i = 0; i < name_len; i++) {
        if (line[i] <= ' ' || line[i] > '~')
            return 0;
    }
    return name_len;
}

bool dkim_field_is(const struct dkim_field *field, const char *name)
{
    return strlen(name) == field->name_len && strncasecmp(field->text, name, field->name_len) == 0;
}

static void add_field(struct dkim_message *message, const char *line, size_t len)
{
    static const char *const signatures[] = { "DKIM-Signature", "ARC-Seal", "ARC-Message-Signature",
                                              "ARC-Authentication-Results" };
    struct dkim_field field = { .text = line, .len = len };
    field.name_len = read_name(line, len, &field.value);
    if (field.name_len == 0 || message->field_count == MAIL_HEADER_FIELDS_MAX) {
        message->is_dubious = true;
        return;
    }
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        message->is_signed = message->is_signed || dkim_field_is(&field, signatures[i]);
    if (!message->fields)
        message->fields = xcalloc(MAIL_HEADER_FIELDS_MAX, sizeof *message->fields);
    message->fields[message->field_count++] = field;
}

/* A mailbox file's separator ("From bob@example.com Mon Nov 23 ..."). */
static bool is_mbox_line(const char *line, size_t len)
{
    size_t value;
    return len >= 5 && memcmp(line, "From ", 5) == 0 && read_name(line, len, &value) == 0;
}

static void split_header(struct dkim_message *message)
{
    const char *start = message->header.data, *end = start + message->header.len;
    for (const char *at = start; at < end;) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2); /* every line has one */
        struct dkim_field *last = message->field_count > 0 ? &message->fields[message->field_count - 1] : NULL;
        if (is_blank(*at) && last)
            last->len = (size_t)(line_end - last->text);
        else if (at != start || !is_mbox_line(at, (size_t)(line_end - at)))
            add_field(message, at, (size_t)(line_end - at));
        at = line_end + 2;
    }
}

static void begin_body(struct dkim_message *message)
{
    message->in_body = true;
    message->is_dubious = message->is_dubious || !strbuf_ok(&message->header) || (message->is_lf && message->is_crlf) ||
                          memchr(message->header.data, '\0', message->header.len);
    if (strbuf_ok(&message->header)) /* else its last line may be cut, and no signature is looked at */
        split_header(message);
    for (size_t i = 0; message->is_signed && i < DKIM_FORMS; i++) {
        message->bodies[i].digest = digest_new();
        message->bodies[i].is_simple = i == DKIM_SIMPLE;
    }
}

bool dkim_message_wants_more(const struct dkim_message *message)
{
    return message->in_body ? message->is_signed : strbuf_ok(&message->header);
}

static void add_text(struct dkim_message *message, const char *text, size_t len)
{
    if (len == 0)
        return;
    message->in_line = true;
    if (message->in_body) {
        for (size_t i = 0; i < DKIM_FORMS; i++)
            dkim_body_add(&message->bodies[i], text, len);
    } else {
        message->is_dubious = message->is_dubious || memchr(text, '\r', len);
        strbuf_add(&message->header, text, len);
    }
}

static void end_line(struct dkim_message *message)
{
    if (message->in_body) {
        for (size_t i = 0; i < DKIM_FORMS; i++)
            dkim_body_end_line(&message->bodies[i]);
    } else if (message->in_line) {
        strbuf_add(&message->header, "\r\n", 2);
    } else {
        begin_body(message);
    }
    message->in_line = false;
}

/* What stands before a LF, and the LF: a line end, or with CRLF elsewhere an octet as any other. */
static void add_line(struct dkim_message *message, const char *text, size_t len)
{
    bool has_cr = len > 0 ? text[len - 1] == '\r' : message->after_cr;
    if (len > 0 && message->after_cr)
        add_text(message, "\r", 1);
    message->after_cr = false;
    add_text(message, text, len > 0 && has_cr ? len - 1 : len);
    if (!has_cr && message->in_body && !message->is_lf) {
        add_text(message, "\n", 1);
        return;
    }
    if (!message->in_body) {
        message->is_crlf = message->is_crlf || has_cr;
        message->is_lf = message->is_lf || !has_cr;
    }
    end_line(message);
}

/* What stands before the end of a piece. */
static void add_rest(struct dkim_message *message, const char *text, size_t len)
{
    if (len == 0)
        return;
    if (message->after_cr)
        add_text(message, "\r", 1);
    message->after_cr = text[len - 1] == '\r';
    add_text(message, text, len - message->after_cr);
}

void dkim_message_add(struct dkim_message *message, const void *data, size_t len)
{
    const char *at = data, *end = at + len;
    while (at < end && dkim_message_wants_more(message)) {
        const char *line_feed = memchr(at, '\n', (size_t)(end - at));
        if (!line_feed) {
            add_rest(message, at, (size_t)(end - at));
            return;
        }
        add_line(message, at, (size_t)(line_feed - at));
        at = line_feed + 1;
    }
}

static int compare_names(const struct dkim_field *field, const char *name, size_t len)
{
    size_t shorter = field->name_len < len ? field->name_len : len;
    int order = strncasecmp(field->text, name, shorter);
    if (order != 0)
        return order;
    return (field->name_len > len) - (field->name_len < len);
}

static int compare_fields(const void *a, const void *b)
{
    const struct dkim_field *left = *(struct dkim_field *const *)a, *right = *(struct dkim_field *const *)b;
    int order = compare_names(left, right->text, right->name_len);
    return order != 0 ? order : (left->text > right->text) - (left->text < right->text);
}

/* The first of the fields whose name is not before this one; with is_behind, the first behind all of that name. */
static size_t search(const struct dkim_message *message, const char *name, size_t len, bool is_behind)
{
    size_t low = 0, high = message->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(message->by_name[middle], name, len) < is_behind)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t dkim_message_find(const struct dkim_message *message, const char *name, size_t len, size_t *first_out)
{
    *first_out = search(message, name, len, false);
    return search(message, name, len, true) - *first_out;
}

void dkim_message_end(struct dkim_message *message)
{
    if (message->after_cr)
        add_text(message, "\r", 1);
    if (message->in_line)
        end_line(message);
    if (!message->in_body)
        begin_body(message);
    for (size_t i = 0; message->is_signed && i < DKIM_FORMS; i++) {
        dkim_body_finish(&message->bodies[i], message->body[i].digest);
        message->body[i].size = message->bodies[i].size;
    }
    message->by_name = xcalloc(message->field_count + 1, sizeof *message->by_name);
    for (size_t i = 0; i < message->field_count; i++)
        message->by_name[i] = &message->fields[i];
    qsort(message->by_name, message->field_count, sizeof *message->by_name, compare_fields);
}

size_t dkim_message_count_signatures(const struct dkim_message *message)
{
    static const char name[] = "DKIM-Signature";
    size_t first;
    return dkim_message_find(message, name, sizeof name - 1, &first);
}
