#include "mapping/convert_markdown_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_width.h"

struct cell {
    size_t offset, len; /* in texts */
    size_t width;
    enum markdown_align align;
};

struct markdown_table {
    struct strbuf texts;
    struct cell *cells;
    size_t count, room;
    size_t columns; /* of the first row, and so of all */
    bool in_first_row;
    bool has_breaks; /* a cell has several lines */
};

struct markdown_table *markdown_table_new(void)
{
    struct markdown_table *table = xcalloc(1, sizeof *table);
    strbuf_init(&table->texts, CONVERT_RENDERED_MAX);
    return table;
}

void markdown_table_free(struct markdown_table **table)
{
    if (!*table)
        return;
    strbuf_free(&(*table)->texts);
    free((*table)->cells);
    free(*table);
    *table = NULL;
}

void markdown_table_begin_row(struct markdown_table *table)
{
    table->in_first_row = table->count == 0;
}

bool markdown_table_add_cell(struct markdown_table *table, enum markdown_align align, const char *text, size_t len)
{
    if (table->count == CONVERT_TABLE_CELLS_MAX)
        return false;
    if (table->count == table->room) {
        table->room = table->room * 2 + 64;
        table->cells = xreallocarray(table->cells, table->room, sizeof *table->cells);
    }
    table->columns += table->in_first_row;
    table->has_breaks = table->has_breaks || memchr(text, '\n', len);
    table->cells[table->count++] =
        (struct cell){ .offset = table->texts.len, .len = len, .width = convert_width(text, len), .align = align };
    strbuf_add(&table->texts, text, len);
    return strbuf_ok(&table->texts);
}

static const struct cell *cell_at(const struct markdown_table *table, size_t row, size_t column)
{
    return &table->cells[row * table->columns + column];
}

static const char *text_of(const struct markdown_table *table, const struct cell *cell)
{
    return table->texts.data + cell->offset;
}

static bool has_head(const struct markdown_table *table)
{
    for (size_t i = 0; i < table->columns; i++) {
        if (table->cells[i].len > 0)
            return true;
    }
    return false;
}

/* ---- aligned ---- */

static void add_repeated(struct strbuf *out, char c, size_t count)
{
    for (; count > 0; count--)
        strbuf_add_char(out, c);
}

static void add_aligned_cell(const struct markdown_table *table, const struct cell *cell, size_t width,
                             struct strbuf *out)
{
    size_t blanks = width - cell->width;
    size_t before = cell->align == MARKDOWN_ALIGN_RIGHT    ? blanks
                    : cell->align == MARKDOWN_ALIGN_CENTER ? blanks / 2
                                                           : 0;
    strbuf_add_str(out, " ");
    add_repeated(out, ' ', before);
    strbuf_add(out, text_of(table, cell), cell->len);
    add_repeated(out, ' ', blanks - before);
    strbuf_add_str(out, " |");
}

static void add_delimiter(const struct markdown_table *table, const size_t *widths, struct strbuf *out)
{
    strbuf_add_str(out, "\n|");
    for (size_t i = 0; i < table->columns; i++) {
        enum markdown_align align = table->cells[i].align;
        strbuf_add_char(out, align == MARKDOWN_ALIGN_CENTER ? ':' : '-');
        add_repeated(out, '-', widths[i]);
        strbuf_add_char(out, align == MARKDOWN_ALIGN_CENTER || align == MARKDOWN_ALIGN_RIGHT ? ':' : '-');
        strbuf_add_char(out, '|');
    }
}

static void lay_out_aligned(const struct markdown_table *table, const size_t *widths, struct strbuf *out)
{
    size_t rows = table->count / table->columns, first = has_head(table) ? 0 : 1;
    for (size_t row = first; row < rows; row++) {
        strbuf_add_str(out, row > first ? "\n|" : "|");
        for (size_t i = 0; i < table->columns; i++)
            add_aligned_cell(table, cell_at(table, row, i), widths[i], out);
        if (row == 0)
            add_delimiter(table, widths, out);
    }
}

/* ---- records ---- */

/* Further lines of a value are indented. */
static void add_record_line(const struct markdown_table *table, const struct cell *name, const struct cell *value,
                            struct strbuf *out)
{
    if (out->len > 0)
        strbuf_add_char(out, '\n');
    strbuf_add(out, text_of(table, name), name->len);
    if (name->len > 0)
        strbuf_add_str(out, value->len > 0 ? ": " : ":");
    for (size_t i = 0; i < value->len; i++) {
        strbuf_add_char(out, text_of(table, value)[i]);
        if (text_of(table, value)[i] == '\n')
            strbuf_add_str(out, "  ");
    }
}

/* True: it has cells that are not empty. */
static bool add_record(const struct markdown_table *table, size_t row, struct strbuf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < table->columns; i++) {
        if (cell_at(table, row, i)->len == 0)
            continue;
        if (is_first && out->len > 0)
            strbuf_add_char(out, '\n');
        is_first = false;
        add_record_line(table, cell_at(table, 0, i), cell_at(table, row, i), out);
    }
    return !is_first;
}

/* Of a table of two columns the first names the second. */
static void lay_out_records(const struct markdown_table *table, struct strbuf *out)
{
    size_t rows = table->count / table->columns;
    bool has_some = false;
    for (size_t row = has_head(table) ? 0 : 1; row < rows && table->columns == 2; row++) {
        add_record_line(table, cell_at(table, row, 0), cell_at(table, row, 1), out);
        has_some = true;
    }
    for (size_t row = 1; row < rows && table->columns != 2; row++)
        has_some = add_record(table, row, out) || has_some;
    for (size_t i = 0; i < table->columns && !has_some; i++)
        add_record_line(table, cell_at(table, 0, i), &(struct cell){ 0 }, out);
}

bool markdown_table_lay_out(const struct markdown_table *table, size_t columns, struct strbuf *out)
{
    if (table->columns == 0 || table->count % table->columns != 0)
        return false; /* never: the parser fills rows up */
    size_t *widths = xcalloc(table->columns, sizeof *widths);
    size_t total = 1;
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        if (table->cells[i].width > widths[column])
            widths[column] = table->cells[i].width;
    }
    for (size_t i = 0; i < table->columns && total <= columns; i++)
        total += widths[i] + 3;
    bool fits = total <= columns && !table->has_breaks;
    if (fits)
        lay_out_aligned(table, widths, out);
    else
        lay_out_records(table, out);
    free(widths);
    return fits;
}
