#include "mapping/convert_address_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"

/* One entry, as it is collected. */
struct entry {
    struct strbuf phrase;  /* outside of angle brackets, quotes taken off; encoded words still */
    struct strbuf bare;    /* the same with quotes, for an address without angle brackets */
    struct strbuf address; /* between angle brackets */
    struct strbuf comment;
    bool has_angle;
};

struct list {
    struct convert_charsets *charsets;
    convert_address_list_each *each;
    void *ctx;
    struct entry entry;
};

static void entry_clear(struct entry *entry)
{
    strbuf_clear(&entry->phrase);
    strbuf_clear(&entry->bare);
    strbuf_clear(&entry->address);
    strbuf_clear(&entry->comment);
    entry->has_angle = false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks may stand around each part of an address; in quotes they belong to it. */
static void remove_blanks(struct strbuf *text)
{
    size_t kept = 0;
    bool is_quoted = false;
    for (size_t i = 0; i < text->len; i++) {
        bool is_escaped = i > 0 && text->data[i - 1] == '\\';
        if (text->data[i] == '"' && !is_escaped)
            is_quoted = !is_quoted;
        if (is_quoted || !is_blank(text->data[i]))
            text->data[kept++] = text->data[i];
    }
    strbuf_truncate(text, kept);
}

/* "<@relay.example:bob@example.com>" is the obsolete form with a route. */
static const char *behind_route(const char *address)
{
    const char *colon = address[0] == '@' ? strchr(address, ':') : NULL;
    return colon ? colon + 1 : address;
}

static void end_entry(struct list *list)
{
    struct entry *entry = &list->entry;
    struct strbuf *text = entry->has_angle ? &entry->address : &entry->bare;
    const struct strbuf *name = entry->has_angle && entry->phrase.len > 0 ? &entry->phrase : &entry->comment;
    struct smtp_address address;
    remove_blanks(text);
    const char *start = text->len > 0 ? behind_route(text->data) : "";
    if (strbuf_ok(text) && *start && smtp_address_parse(start, strlen(start), &address) == 1) {
        char *decoded = convert_field_text(list->charsets, name->data, name->len, CONVERT_FROM_NAME_MAX);
        list->each(decoded, &address, list->ctx);
        free(decoded);
    }
    entry_clear(entry);
}

/* Copies from the quote at text[i]; returns the offset of the closing one. */
static size_t take_quoted(struct entry *entry, const char *text, size_t len, size_t i)
{
    strbuf_add_char(entry->has_angle ? &entry->address : &entry->bare, '"');
    for (i++; i < len && text[i] != '"'; i++) {
        if (text[i] == '\\' && i + 1 < len) {
            strbuf_add_char(entry->has_angle ? &entry->address : &entry->bare, text[i]);
            i++;
        }
        strbuf_add_char(entry->has_angle ? &entry->address : &entry->bare, text[i]);
        if (!entry->has_angle)
            strbuf_add_char(&entry->phrase, text[i]);
    }
    strbuf_add_char(entry->has_angle ? &entry->address : &entry->bare, '"');
    return i;
}

/* Returns the offset of the bracket that closes the one at text[i]. */
static size_t take_comment(struct entry *entry, const char *text, size_t len, size_t i)
{
    unsigned depth = 1;
    strbuf_clear(&entry->comment); /* the last one is the name, if any is */
    for (i++; i < len; i++) {
        if (text[i] == '\\' && i + 1 < len)
            i++;
        else if (text[i] == '(')
            depth++;
        else if (text[i] == ')' && --depth == 0)
            break;
        strbuf_add_char(&entry->comment, text[i]);
    }
    return i;
}

static void take_angle(struct list *list, char c)
{
    struct entry *entry = &list->entry;
    if (c == '<') {
        strbuf_clear(&entry->address);
        entry->has_angle = true;
    } else {
        entry->has_angle = entry->has_angle && entry->address.len > 0;
        end_entry(list);
    }
}

void convert_address_list_read(struct convert_charsets *charsets, const struct convert_field *field,
                               convert_address_list_each *each, void *ctx)
{
    struct list list = { .charsets = charsets, .each = each, .ctx = ctx };
    struct entry *entry = &list.entry;
    const char *text = field->value;
    bool in_angle = false;
    strbuf_init(&entry->phrase, CONVERT_ADDRESS_ENTRY_MAX);
    strbuf_init(&entry->bare, CONVERT_ADDRESS_ENTRY_MAX);
    strbuf_init(&entry->address, CONVERT_ADDRESS_ENTRY_MAX);
    strbuf_init(&entry->comment, CONVERT_ADDRESS_ENTRY_MAX);
    for (size_t i = 0; i < field->value_len; i++) {
        char c = text[i] == '\0' ? ' ' : text[i];
        if (c == '"') {
            i = take_quoted(entry, text, field->value_len, i);
        } else if (c == '(' && !in_angle) {
            i = take_comment(entry, text, field->value_len, i);
        } else if (c == '<' || (c == '>' && in_angle)) {
            in_angle = c == '<';
            take_angle(&list, c);
        } else if (!in_angle && (c == ',' || c == ';')) {
            end_entry(&list);
        } else if (!in_angle && c == ':') {
            entry_clear(entry); /* the name of a group */
        } else if (in_angle) {
            strbuf_add_char(&entry->address, c);
        } else {
            strbuf_add_char(&entry->phrase, c);
            strbuf_add_char(&entry->bare, c);
        }
    }
    end_entry(&list);
    strbuf_free(&entry->phrase);
    strbuf_free(&entry->bare);
    strbuf_free(&entry->address);
    strbuf_free(&entry->comment);
}
