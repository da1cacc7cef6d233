#include "mapping/convert_mime_parameter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

enum { WHOLE = -1, COUNT_MAX = 200, SECTIONS_MAX = 1000, CHARSET_MAX = 64 };

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* The end of a quoted string, which begins at at, or of the whole text when the closing quote is missing. */
static const char *add_quoted(struct strbuf *out, const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        strbuf_add_char(out, *at);
    }
    return *at ? at + 1 : at;
}

/* Up to the semicolon, blanks inside included: "filename=my file.txt" is wrong, but meant so. A comment is left out. */
static const char *add_unquoted(struct strbuf *out, const char *at)
{
    size_t len = strcspn(at, ";");
    const char *end = at + len;
    const char *comment = strstr(at, " (");
    if (comment && comment < end)
        len = (size_t)(comment - at);
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    strbuf_add(out, at, len);
    return end;
}

/* "filename*1*" is section 1 of filename, encoded. */
static void split_name(const char *text, size_t len, struct convert_parameter *parameter)
{
    parameter->section = WHOLE;
    if (len > 1 && text[len - 1] == '*') {
        parameter->is_encoded = true;
        len--;
    }
    size_t digits = len;
    while (digits > 0 && isdigit((unsigned char)text[digits - 1]))
        digits--;
    if (digits > 1 && digits < len && text[digits - 1] == '*') {
        unsigned long section = strtoul(text + digits, NULL, 10);
        parameter->section = section < SECTIONS_MAX ? (int)section : SECTIONS_MAX;
        len = digits - 1;
    }
    parameter->name = xstrndup(text, len);
    for (char *c = parameter->name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

void convert_parameters_parse(const char *value, struct convert_parameters *parameters_out)
{
    *parameters_out = (struct convert_parameters){ 0 };
    const char *at = value + strcspn(value, ";");
    while (*at == ';' && parameters_out->count < COUNT_MAX) {
        const char *name = skip_blanks(at + 1);
        size_t name_len = strcspn(name, "=; \t\"");
        const char *equals = skip_blanks(name + name_len);
        if (*equals != '=' || name_len == 0) {
            at = equals + strcspn(equals, ";");
            continue;
        }
        struct convert_parameter parameter = { 0 };
        struct strbuf text;
        strbuf_init(&text, strlen(equals));
        at = skip_blanks(equals + 1);
        at = *at == '"' ? add_quoted(&text, at) : add_unquoted(&text, at);
        at += strcspn(at, ";");
        split_name(name, name_len, &parameter);
        parameter.value = strbuf_detach(&text);
        parameters_out->items = xreallocarray(parameters_out->items, parameters_out->count + 1, sizeof parameter);
        parameters_out->items[parameters_out->count++] = parameter;
    }
}

void convert_parameters_free(struct convert_parameters *parameters)
{
    for (size_t i = 0; i < parameters->count; i++) {
        free(parameters->items[i].name);
        free(parameters->items[i].value);
    }
    free(parameters->items);
    *parameters = (struct convert_parameters){ 0 };
}

static const struct convert_parameter *find(const struct convert_parameters *parameters, const char *name, int section)
{
    for (size_t i = 0; i < parameters->count; i++) {
        if (parameters->items[i].section == section && strcmp(parameters->items[i].name, name) == 0)
            return &parameters->items[i];
    }
    return NULL;
}

/* Of the whole ones the encoded one is better: the other stands beside it for old programs. */
static const struct convert_parameter *find_whole(const struct convert_parameters *parameters, const char *name)
{
    const struct convert_parameter *found = find(parameters, name, WHOLE);
    for (size_t i = 0; found && !found->is_encoded && i < parameters->count; i++) {
        const struct convert_parameter *other = &parameters->items[i];
        if (other->section == WHOLE && other->is_encoded && strcmp(other->name, name) == 0)
            found = other;
    }
    return found;
}

char *convert_parameters_raw(const struct convert_parameters *parameters, const char *name)
{
    const struct convert_parameter *part = find_whole(parameters, name);
    if (part)
        return xstrdup(part->value);
    struct strbuf text;
    strbuf_init(&text, CONVERT_CONTENT_FIELD_MAX);
    for (int section = 0; (part = find(parameters, name, section)); section++)
        strbuf_add_str(&text, part->value);
    return strbuf_detach(&text);
}

static void add_percent_decoded(struct strbuf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '%' && convert_hex_byte(c + 1) >= 0) {
            strbuf_add_char(out, (char)convert_hex_byte(c + 1));
            c += 2;
        } else {
            strbuf_add_char(out, *c);
        }
    }
}

/* Takes charset'language' off the front of an encoded value. */
static const char *take_charset(const char *value, char charset_out[static CHARSET_MAX])
{
    const char *language = strchr(value, '\'');
    const char *text = language ? strchr(language + 1, '\'') : NULL;
    charset_out[0] = '\0';
    if (!text)
        return value;
    size_t len = (size_t)(language - value);
    if (len < CHARSET_MAX) {
        memcpy(charset_out, value, len);
        charset_out[len] = '\0';
    }
    return text + 1;
}

/* The first piece, and the sections that continue it. */
static char *decode_sections(const struct convert_parameters *parameters, const struct convert_parameter *first,
                             struct convert_charsets *charsets, size_t max)
{
    char charset[CHARSET_MAX] = "";
    struct strbuf bytes, text;
    strbuf_init(&bytes, CONVERT_CONTENT_FIELD_MAX);
    strbuf_init(&text, (size_t)CONVERT_CONTENT_FIELD_MAX * 4);
    const char *value = first->is_encoded ? take_charset(first->value, charset) : first->value;
    for (const struct convert_parameter *part = first; part; value = part ? part->value : NULL) {
        if (part->is_encoded)
            add_percent_decoded(&bytes, value);
        else
            strbuf_add_str(&bytes, value);
        part = part->section == WHOLE ? NULL : find(parameters, first->name, part->section + 1);
    }
    convert_charset_decode(charsets, charset, bytes.data, bytes.len, &text);
    char *line = convert_utf8_one_line(text.data, text.len, max);
    strbuf_free(&bytes);
    strbuf_free(&text);
    return line;
}

char *convert_parameters_text(const struct convert_parameters *parameters, const char *name,
                              struct convert_charsets *charsets, size_t max)
{
    const struct convert_parameter *whole = find_whole(parameters, name);
    const struct convert_parameter *first = find(parameters, name, 0);
    if (whole && whole->is_encoded)
        return decode_sections(parameters, whole, charsets, max);
    if (first && first->is_encoded)
        return decode_sections(parameters, first, charsets, max);
    char *raw = convert_parameters_raw(parameters, name); /* encoded words do not belong here, but are everywhere */
    char *text = convert_field_text(charsets, raw, strlen(raw), max);
    free(raw);
    return text;
}
