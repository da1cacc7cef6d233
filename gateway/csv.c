/* csv.c - see csv.h */
#include "gateway/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

static const char formula_starts[] = "=+-@\t\r";

void csv_reader_init(struct csv_reader *reader, const char *data, size_t len)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t skip = len >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0;
    *reader = (struct csv_reader){ .data = data, .len = len, .at = skip, .line = 1 };
}

/* The first of the three that stands in the first line outside of quotes; a comma when none does. */
static char find_separator(const struct csv_reader *reader)
{
    bool is_quoted = false;
    for (size_t i = reader->at; i < reader->len && (is_quoted || reader->data[i] != '\n'); i++) {
        char c = reader->data[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && (c == ',' || c == ';' || c == '\t'))
            return c;
    }
    return ',';
}

/* At the end of a line: how many octets that is; else 0. */
static size_t line_end(const struct csv_reader *reader, size_t at)
{
    if (at < reader->len && reader->data[at] == '\n')
        return 1;
    return at + 1 < reader->len && reader->data[at] == '\r' && reader->data[at + 1] == '\n' ? 2 : 0;
}

static void skip_line(struct csv_reader *reader)
{
    const char *end = memchr(reader->data + reader->at, '\n', reader->len - reader->at);
    reader->at = end ? (size_t)(end - reader->data) + 1 : reader->len;
    reader->line += end != NULL;
}

static bool is_guarded(const char *text)
{
    size_t quotes = strspn(text, "'");
    return text[quotes] && strchr(formula_starts, text[quotes]) != NULL;
}

/* One field into the record's text, as far as its separator or the line's end. NULL, or what is wrong. */
static const char *read_quoted(struct csv_reader *reader, struct strbuf *text)
{
    for (reader->at++; reader->at < reader->len; reader->at++) {
        char c = reader->data[reader->at];
        if (c == '"' && reader->at + 1 < reader->len && reader->data[reader->at + 1] == '"') {
            reader->at++;
        } else if (c == '"') {
            reader->at++;
            return reader->at == reader->len || reader->data[reader->at] == reader->separator ||
                           line_end(reader, reader->at)
                       ? NULL
                       : "there is something behind a closing quote";
        } else if (c == 0) {
            return "there is a NUL in it";
        }
        reader->line += c == '\n';
        strbuf_add_char(text, c);
    }
    return "a quote is never closed";
}

static const char *read_plain(struct csv_reader *reader, struct strbuf *text)
{
    for (; reader->at < reader->len; reader->at++) {
        char c = reader->data[reader->at];
        if (c == reader->separator || line_end(reader, reader->at))
            return NULL;
        if (c == '"')
            return "there is a quote in a field that has none around it";
        if (c == 0)
            return "there is a NUL in it";
        strbuf_add_char(text, c);
    }
    return NULL;
}

/* Fields are put one behind the other, each with its NUL; where they begin is said by numbers until the text is whole. */
static const char *read_fields(struct csv_reader *reader, struct strbuf *text, size_t starts[static CSV_FIELDS_MAX],
                               size_t *count_out)
{
    for (*count_out = 0;; reader->at++) {
        if (*count_out == CSV_FIELDS_MAX)
            return "it has too many fields";
        starts[(*count_out)++] = text->len;
        bool is_quoted = reader->at < reader->len && reader->data[reader->at] == '"';
        const char *wrong = is_quoted ? read_quoted(reader, text) : read_plain(reader, text);
        if (wrong)
            return wrong;
        strbuf_add_char(text, 0);
        if (!strbuf_ok(text))
            return "it is too long";
        if (reader->at == reader->len || reader->data[reader->at] != reader->separator)
            return NULL;
    }
}

int csv_read(struct csv_reader *reader, struct csv_record *record_out, const char **wrong_out)
{
    struct strbuf text;
    size_t starts[CSV_FIELDS_MAX], count, end;
    *record_out = (struct csv_record){ .count = 0 };
    if (!reader->separator)
        reader->separator = find_separator(reader);
    while (reader->at < reader->len && (end = line_end(reader, reader->at))) {
        reader->at += end;
        reader->line++;
    }
    if (reader->at == reader->len)
        return 0;
    record_out->line = reader->line;
    strbuf_init(&text, CSV_RECORD_MAX);
    *wrong_out = read_fields(reader, &text, starts, &count);
    if (*wrong_out) {
        skip_line(reader);
        strbuf_free(&text);
        return -1;
    }
    end = line_end(reader, reader->at);
    reader->at += end;
    reader->line += end > 0;
    record_out->text = strbuf_detach(&text);
    record_out->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *field = record_out->text + starts[i];
        record_out->fields[i] = field[0] == '\'' && is_guarded(field) ? field + 1 : field;
    }
    return 1;
}

void csv_record_clear(struct csv_record *record)
{
    free(record->text);
    *record = (struct csv_record){ .count = 0 };
}

void csv_add_field(struct strbuf *out, const char *text, bool is_first)
{
    size_t len = strlen(text);
    bool has_edges = len > 0 && (text[0] == ' ' || text[len - 1] == ' ');
    bool is_quoted = has_edges || strpbrk(text, ",;\t\"\r\n") != NULL;
    if (!is_first)
        strbuf_add_char(out, ',');
    if (is_quoted)
        strbuf_add_char(out, '"');
    if (is_guarded(text))
        strbuf_add_char(out, '\'');
    for (; *text; text++) {
        if (*text == '"')
            strbuf_add_char(out, '"');
        strbuf_add_char(out, *text);
    }
    if (is_quoted)
        strbuf_add_char(out, '"');
}

void csv_end_record(struct strbuf *out)
{
    strbuf_add_str(out, "\r\n");
}
