/* admin_output.c - see admin_output.h. The tree is jansson's; both forms are rendered from it. */
#include "gateway/admin_output.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_utf8.h"

enum { DEPTH_MAX = 8, COLUMNS_MAX = 20, COLUMN_WIDTH_MAX = 60, PROSE_WIDTH = 100, VALUE_MAX = 100 * 1024 };

struct admin_output {
    json_t *root;
    json_t *stack[DEPTH_MAX]; /* borrowed; stack[0] is root */
    int depth;
    const char *lines_key; /* of what was added with admin_output_lines(); NULL: nothing */
};

struct admin_output *admin_output_new(void)
{
    struct admin_output *output = xcalloc(1, sizeof *output);
    output->root = json_object();
    output->stack[0] = output->root;
    return output;
}

void admin_output_free(struct admin_output **output)
{
    if (!*output)
        return;
    json_decref((*output)->root);
    free(*output);
    *output = NULL;
}

static void set(struct admin_output *output, const char *key, json_t *value)
{
    json_object_set_new(output->stack[output->depth], key, value);
}

size_t admin_output_add_clean(struct strbuf *out, const char *text, size_t len, bool keep_lines)
{
    size_t characters = 0;
    for (size_t i = 0; i < len; characters++) {
        uint32_t code = 0;
        size_t size = convert_utf8_char(text + i, len - i, &code);
        bool is_plain = size > 0 && (!convert_utf8_is_control(code) || (keep_lines && code == '\n'));
        if (is_plain)
            strbuf_add(out, text + i, size);
        else
            strbuf_add_char(out, '?');
        i += size > 0 ? size : 1;
    }
    return characters;
}

/* Database and network text is UTF-8 checked where it came in; what is not must still not lose the whole answer. */
static json_t *text_value(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    struct strbuf clean;
    strbuf_init(&clean, VALUE_MAX);
    admin_output_add_clean(&clean, text, strlen(text), true);
    string = json_string(clean.data);
    strbuf_free(&clean);
    return string;
}

void admin_output_string(struct admin_output *output, const char *key, const char *value)
{
    set(output, key, value ? text_value(value) : json_null());
}

void admin_output_lines(struct admin_output *output, const char *key, const char *text)
{
    admin_output_string(output, key, text);
    output->lines_key = key;
}

void admin_output_int(struct admin_output *output, const char *key, int64_t value)
{
    set(output, key, json_integer(value));
}

void admin_output_bool(struct admin_output *output, const char *key, bool value)
{
    set(output, key, json_boolean(value));
}

void admin_output_time(struct admin_output *output, const char *key, int64_t wall_ms)
{
    char formatted[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, formatted);
    admin_output_string(output, key, wall_ms ? formatted : NULL);
}

static void push(struct admin_output *output, json_t *value)
{
    assert(output->depth + 1 < DEPTH_MAX);
    output->stack[++output->depth] = value;
}

void admin_output_list(struct admin_output *output, const char *key)
{
    json_t *list = json_array();
    set(output, key, list);
    push(output, list);
}

void admin_output_row(struct admin_output *output)
{
    json_t *row = json_object();
    json_array_append_new(output->stack[output->depth], row);
    push(output, row);
}

static const char paragraph_key[] = "text";

void admin_output_paragraph(struct admin_output *output, const char *text)
{
    admin_output_row(output);
    admin_output_string(output, paragraph_key, text);
    admin_output_end(output);
}

void admin_output_end(struct admin_output *output)
{
    assert(output->depth > 0);
    output->depth--;
}

/* For people. */

static void add_value(const json_t *value, struct strbuf *out)
{
    if (json_is_string(value))
        strbuf_add_str(out, json_string_value(value));
    else if (json_is_integer(value))
        strbuf_add_fmt(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        strbuf_add_str(out, json_is_true(value) ? "yes" : "no");
    else
        strbuf_add_char(out, '-');
}

/* Characters, not bytes; and nothing that could steer a terminal. */
static size_t add_cell(const json_t *value, struct strbuf *out)
{
    struct strbuf raw;
    strbuf_init(&raw, VALUE_MAX);
    add_value(value, &raw);
    size_t width = admin_output_add_clean(out, raw.data, raw.len, false);
    strbuf_free(&raw);
    return width;
}

static size_t cell_width(const json_t *value)
{
    struct strbuf scratch;
    strbuf_init(&scratch, VALUE_MAX);
    size_t width = add_cell(value, &scratch);
    strbuf_free(&scratch);
    return width;
}

static void pad(struct strbuf *out, size_t width, size_t column)
{
    for (size_t i = width; i < column; i++)
        strbuf_add_char(out, ' ');
}

static void render_table(const json_t *rows, struct strbuf *out)
{
    const char *keys[COLUMNS_MAX], *key;
    size_t widths[COLUMNS_MAX], columns = 0, i;
    json_t *row, *value;
    if (json_array_size(rows) == 0) {
        strbuf_add_str(out, "(none)\n");
        return;
    }
    json_object_foreach(json_array_get(rows, 0), key, value)
    {
        if (columns < COLUMNS_MAX && !json_is_array(value)) {
            keys[columns] = key;
            widths[columns++] = strlen(key);
        }
    }
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < columns; c++) {
            size_t width = cell_width(json_object_get(row, keys[c]));
            if (width > widths[c])
                widths[c] = width < COLUMN_WIDTH_MAX ? width : COLUMN_WIDTH_MAX;
        }
    }
    for (size_t c = 0; c < columns; c++) {
        strbuf_add_str(out, keys[c]);
        if (c + 1 < columns)
            pad(out, strlen(keys[c]), widths[c] + 2);
    }
    strbuf_add_char(out, '\n');
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < columns; c++) {
            size_t width = add_cell(json_object_get(row, keys[c]), out);
            if (c + 1 < columns)
                pad(out, width, widths[c] + 2);
        }
        strbuf_add_char(out, '\n');
    }
}

static bool is_prose(const json_t *rows)
{
    const json_t *first = json_array_get(rows, 0);
    return json_object_size(first) == 1 && json_object_get(first, paragraph_key);
}

/* Lines of a width that is read with ease, by characters; words longer than that stay whole. */
static void add_wrapped(const char *text, struct strbuf *out)
{
    size_t column = 0;
    while (*text) {
        size_t len = strcspn(text, " "), width = 0;
        for (size_t i = 0; i < len; i++)
            width += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (column > 0 && column + 1 + width > PROSE_WIDTH) {
            strbuf_add_char(out, '\n');
            column = 0;
        } else if (column > 0) {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add(out, text, len);
        column += width;
        text += len;
        text += strspn(text, " ");
    }
    strbuf_add_char(out, '\n');
}

static void render_prose(const json_t *rows, struct strbuf *out)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        struct strbuf clean;
        strbuf_init(&clean, VALUE_MAX);
        add_cell(json_object_get(row, paragraph_key), &clean);
        if (out->len > 0)
            strbuf_add_char(out, '\n');
        add_wrapped(clean.data, out);
        strbuf_free(&clean);
    }
}

/* Each line by itself, so that none can look like one of ours. */
static void render_lines(const char *key, const char *text, struct strbuf *out)
{
    strbuf_add_fmt(out, "\n%s:\n", key);
    while (*text) {
        size_t len = strcspn(text, "\n");
        strbuf_add_str(out, "  ");
        admin_output_add_clean(out, text, len, false);
        strbuf_add_char(out, '\n');
        text += text[len] ? len + 1 : len;
    }
}

static bool is_key(const char *key, const char *wanted)
{
    return wanted && strcmp(key, wanted) == 0;
}

static void render_text(const json_t *object, const char *lines_key, struct strbuf *out)
{
    const char *key;
    json_t *value;
    size_t widest = 0;
    bool was_prose = false, only_list = json_object_size(object) == 1;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) if (!json_is_array(value) && strlen(key) > widest)
        widest = strlen(key);
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (is_key(key, lines_key))
            continue;
        if (json_is_array(value) && is_prose(value)) {
            render_prose(value, out);
            was_prose = true;
        } else if (json_is_array(value)) {
            was_prose = false;
            if (!only_list)
                strbuf_add_fmt(out, "\n%s:\n", key);
            render_table(value, out);
        } else {
            if (was_prose)
                strbuf_add_char(out, '\n');
            was_prose = false;
            strbuf_add_str(out, key);
            pad(out, strlen(key), widest + 2);
            add_cell(value, out);
            strbuf_add_char(out, '\n');
        }
    }
}

void admin_output_render(const struct admin_output *output, bool json, struct strbuf *out)
{
    if (!json) {
        render_text(output->root, output->lines_key, out);
        if (output->lines_key)
            render_lines(output->lines_key, json_string_value(json_object_get(output->root, output->lines_key)), out);
        return;
    }
    char *dump = json_dumps(output->root, JSON_COMPACT);
    strbuf_add_str(out, dump ? dump : "{}");
    strbuf_add_char(out, '\n');
    free(dump);
}
