/* ctl_mapping_table.c - see ctl_mapping_table.h */
#include "gateway/ctl_mapping_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/csv.h"
#include "gateway/ctl_mapping.h"

enum { TEXT_MAX = 8192, NUMBER_SIZE = 32 };

void ctl_mapping_table_complain(struct ctl_mapping_table *table, unsigned line, const char *fmt, ...)
{
    struct strbuf text, clean;
    va_list args;
    strbuf_init(&text, TEXT_MAX);
    strbuf_init(&clean, TEXT_MAX);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    (void)admin_output_add_clean(&clean, text.data, text.len, false); /* words of a file, which may be a stranger's */
    strbuf_free(&text);
    table->problems = xreallocarray(table->problems, table->problem_count + 1, sizeof *table->problems);
    table->problems[table->problem_count++] =
        (struct ctl_mapping_problem){ .line = line, .text = strbuf_detach(&clean) };
}

void ctl_mapping_table_clear(struct ctl_mapping_table *table)
{
    for (size_t i = 0; i < table->problem_count; i++)
        free(table->problems[i].text);
    free(table->problems);
    json_decref(table->rows);
    *table = (struct ctl_mapping_table){ .problem_count = 0 };
}

/* Its number among the columns; -1: there is none. */
static int find_column(const char *name)
{
    for (int i = 0; ctl_mapping_columns[i]; i++)
        if (strcasecmp(ctl_mapping_columns[i], name) == 0)
            return i;
    return -1;
}

/* CSV. */

struct header {
    int columns[CSV_FIELDS_MAX]; /* of each field */
    size_t count;
};

static int read_header(struct ctl_mapping_table *table, const struct csv_record *record, struct header *header)
{
    unsigned seen = 0;
    header->count = record->count;
    for (size_t i = 0; i < record->count; i++) {
        int column = find_column(record->fields[i]);
        header->columns[i] = column;
        if (column < 0)
            ctl_mapping_table_complain(table, record->line, "\"%s\" is no column of mappings", record->fields[i]);
        else if (seen & 1U << column)
            ctl_mapping_table_complain(table, record->line, "there are two columns \"%s\"", record->fields[i]);
        else
            seen |= 1U << column;
    }
    for (int i = 0; i < 2; i++)
        if (!(seen & 1U << i))
            ctl_mapping_table_complain(table, record->line, "there is no column \"%s\"", ctl_mapping_columns[i]);
    return table->problem_count > 0 ? -1 : 1;
}

static void add_record(struct ctl_mapping_table *table, const struct header *header, const struct csv_record *record)
{
    json_t *row = json_object();
    bool is_good = record->count == header->count;
    if (!is_good)
        ctl_mapping_table_complain(table, record->line, "it has %zu fields, and the first line has %zu", record->count,
                                   header->count);
    json_object_set_new(row, "line", json_integer(record->line));
    for (size_t i = 0; i < record->count && is_good; i++) {
        if (header->columns[i] >= CTL_MAPPING_READ)
            continue;
        is_good =
            json_object_set_new(row, ctl_mapping_columns[header->columns[i]], json_string(record->fields[i])) == 0;
        if (!is_good)
            ctl_mapping_table_complain(table, record->line, "it is not UTF-8");
    }
    if (is_good)
        json_array_append_new(table->rows, row);
    else
        json_decref(row);
}

int ctl_mapping_table_read_csv(struct ctl_mapping_table *table, const char *text, size_t len)
{
    struct csv_reader reader;
    struct csv_record record;
    struct header header = { .count = 0 };
    const char *wrong;
    int result;
    table->rows = json_array();
    csv_reader_init(&reader, text, len);
    result = csv_read(&reader, &record, &wrong);
    if (result != 1) {
        ctl_mapping_table_complain(table, 1, "%s", result < 0 ? wrong : "there is nothing in it");
        return -1;
    }
    result = read_header(table, &record, &header);
    csv_record_clear(&record);
    if (result < 0)
        return -1;
    while ((result = csv_read(&reader, &record, &wrong)) != 0) {
        if (result == 1)
            add_record(table, &header, &record);
        else
            ctl_mapping_table_complain(table, record.line, "%s", wrong);
        csv_record_clear(&record);
    }
    return 1;
}

/* JSON. */

/* As a word of the command line; NULL: it is none. */
static json_t *make_word(const json_t *value)
{
    char number[NUMBER_SIZE];
    if (json_is_string(value))
        return json_string(json_string_value(value));
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "yes" : "no");
    if (!json_is_integer(value))
        return NULL;
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return json_string(number);
}

static void add_object(struct ctl_mapping_table *table, json_t *object, unsigned number)
{
    json_t *row = json_object(), *value;
    const char *key;
    bool is_good = json_is_object(object);
    if (!is_good)
        ctl_mapping_table_complain(table, number, "it is no object");
    json_object_set_new(row, "line", json_integer(number));
    json_object_foreach(object, key, value)
    {
        int column = find_column(key);
        json_t *word = column >= 0 && column < CTL_MAPPING_READ ? make_word(value) : NULL;
        if (column < 0) {
            ctl_mapping_table_complain(table, number, "\"%s\" is no column of mappings", key);
            is_good = false;
        } else if (word) {
            json_object_set_new(row, ctl_mapping_columns[column], word);
        } else if (column < CTL_MAPPING_READ && !json_is_null(value)) {
            ctl_mapping_table_complain(table, number, "\"%s\" has to be a word", key);
            is_good = false;
        }
    }
    if (is_good)
        json_array_append_new(table->rows, row);
    else
        json_decref(row);
}

int ctl_mapping_table_read_json(struct ctl_mapping_table *table, const char *text, size_t len)
{
    json_error_t error;
    json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error), *object;
    const json_t *list = json_is_array(document) ? document : json_object_get(document, "mappings");
    size_t i;
    table->rows = json_array();
    if (!document)
        ctl_mapping_table_complain(table, error.line > 0 ? (unsigned)error.line : 1, "it is no JSON: %s", error.text);
    else if (!json_is_array(list))
        ctl_mapping_table_complain(table, 1, "it has to be an array, or an object with one as \"mappings\"");
    json_array_foreach(list, i, object) add_object(table, object, (unsigned)i + 1);
    bool is_list = json_is_array(list);
    json_decref(document);
    return is_list ? 1 : -1;
}
