/* Tables: of data as tables, of layout as what stands in their cells, in reading order. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_html_content.h"
#include "mapping/convert_html_writer.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"

enum {
    COLUMNS_MAX = 64,
    SPAN_MAX = 1000,
    CELL_LINES_MAX = 3,    /* of data; they become one line */
    CELL_TEXT_MAX = 200,   /* octets */
    CELL_AVERAGE_MAX = 40, /* of a table that does not say that it is one */
    JOINED_CELL_MAX = 60,  /* octets of cells that are written side by side */
    SHORT_ROW_MAX = 60     /* octets of rows that are lines rather than paragraphs */
};

static const unsigned not_in_cells =
    HTML_HAS_TABLE | HTML_HAS_LIST | HTML_HAS_HEADING | HTML_HAS_CODE_BLOCK | HTML_HAS_QUOTE;

/* The cells of a table of data: a node for each place, HTML_NONE for what is empty or belongs to a neighbour. */
struct grid {
    uint32_t (*rows)[COLUMNS_MAX];
    uint32_t row_count, capacity;
    unsigned columns;
    uint16_t spans[COLUMNS_MAX]; /* rows that the cells above reach down */
    bool is_used[COLUMNS_MAX];
    uint32_t cells;     /* that show something */
    uint32_t visible;   /* octets in all of them */
    uint32_t full_rows; /* with two or more of them */
    bool has_heads, has_pictures, is_wrong;
    bool is_drawn; /* it has heads and a border: nobody lays a page out so, and every place in it counts */
};

static bool is_cell(const struct html_node *node)
{
    return (node->name == HTML_TD || node->name == HTML_TH) && !(node->look & HTML_LOOK_GONE);
}

static bool shows(const struct html_node *node)
{
    return !(node->look & HTML_LOOK_GONE) &&
           (node->visible > 0 || (node->content & (HTML_HAS_PICTURE | HTML_HAS_CONTROL)));
}

/* ---- reading ---- */

static void place_cell(struct grid *grid, const struct html_tree *tree, uint32_t number, unsigned *column)
{
    const struct html_node *cell = &tree->nodes[number];
    long width = html_node_number(tree, cell, HTML_ATTRIBUTE_COLSPAN, SPAN_MAX);
    long height = html_node_number(tree, cell, HTML_ATTRIBUTE_ROWSPAN, SPAN_MAX);
    while (*column < COLUMNS_MAX && grid->spans[*column] > 0)
        grid->spans[(*column)++]--;
    if (*column == COLUMNS_MAX) {
        grid->is_wrong = true;
        return;
    }
    if (grid->is_drawn)
        grid->is_used[*column] = true;
    if (shows(cell)) {
        grid->rows[grid->row_count][*column] = number;
        grid->is_used[*column] = true;
        grid->cells++;
        grid->visible += cell->visible;
    }
    grid->has_heads = grid->has_heads || cell->name == HTML_TH;
    grid->has_pictures = grid->has_pictures || (cell->content & HTML_HAS_PICTURE);
    grid->is_wrong =
        grid->is_wrong || cell->lines > CELL_LINES_MAX || (cell->visible > CELL_TEXT_MAX && !grid->is_drawn);
    for (long i = 0; i < (width > 0 ? width : 1) && *column < COLUMNS_MAX; i++)
        grid->spans[(*column)++] = (uint16_t)(height > 1 ? height - 1 : 0);
}

static void read_row(struct grid *grid, const struct html_tree *tree, const struct html_node *row)
{
    if (row->look & HTML_LOOK_GONE)
        return;
    if (grid->row_count == grid->capacity) {
        grid->capacity = grid->capacity > 0 ? grid->capacity * 2 : 16;
        grid->rows = xreallocarray(grid->rows, grid->capacity, sizeof *grid->rows);
    }
    memset(grid->rows[grid->row_count], 0, sizeof grid->rows[0]);
    uint32_t before = grid->cells;
    unsigned column = 0;
    for (uint32_t i = row->first; i != HTML_NONE && !grid->is_wrong; i = tree->nodes[i].next) {
        if (is_cell(&tree->nodes[i]))
            place_cell(grid, tree, i, &column);
        else if (shows(&tree->nodes[i]))
            grid->is_wrong = true;
    }
    grid->columns = column > grid->columns ? column : grid->columns;
    for (; column < COLUMNS_MAX; column++)
        grid->spans[column] -= grid->spans[column] > 0;
    grid->full_rows += grid->cells - before > 1;
    grid->row_count += grid->cells > before || grid->is_drawn; /* empty ones are space between others */
    grid->is_wrong = grid->is_wrong || grid->row_count > CONVERT_HTML_TABLE_ROWS_MAX;
}

static void read_rows(struct grid *grid, const struct html_tree *tree, const struct html_node *section,
                      enum html_name wanted)
{
    for (uint32_t i = section->first; i != HTML_NONE && !grid->is_wrong; i = tree->nodes[i].next) {
        const struct html_node *node = &tree->nodes[i];
        enum html_name kind = node->name == HTML_TR ? HTML_TBODY : (enum html_name)node->name;
        if (kind != wanted || (node->look & HTML_LOOK_GONE))
            continue;
        if (node->name == HTML_TR)
            read_row(grid, tree, node);
        else
            read_rows(grid, tree, node, HTML_TBODY);
    }
}

/* Text between the rows belongs to no cell. */
static bool has_strays(const struct html_tree *tree, const struct html_node *table)
{
    for (uint32_t i = table->first; i != HTML_NONE; i = tree->nodes[i].next) {
        const struct html_node *node = &tree->nodes[i];
        bool is_part = (html_name_flags((enum html_name)node->name) & HTML_IS_TABLE) || node->name == HTML_CAPTION;
        if (!is_part && shows(node))
            return true;
    }
    return false;
}

static bool is_said_to_be_data(const struct html_tree *tree, const struct html_node *table, const struct grid *grid)
{
    const struct html_attribute *class = html_node_attribute(tree, table, HTML_ATTRIBUTE_CLASS);
    return grid->has_heads || html_node_number(tree, table, HTML_ATTRIBUTE_BORDER, SPAN_MAX) > 0 ||
           (class && memmem(class->value, class->len, "MsoTable", 8));
}

static bool ends_in_colon(const struct html_tree *tree, const struct html_node *cell)
{
    struct strbuf text;
    strbuf_init(&text, CELL_TEXT_MAX * 8);
    html_content_gather(tree, cell, CELL_TEXT_MAX, &text);
    size_t n = text.len;
    while (n > 0 && (isspace((unsigned char)text.data[n - 1]) || convert_text_is_blank(text.data + n - 1, 1) ||
                     (n > 1 && convert_text_is_blank(text.data + n - 2, 2))))
        n--;
    bool ends = n > 0 && text.data[n - 1] == ':';
    strbuf_free(&text);
    return ends;
}

/* "Date:" beside its value, row by row: people write lines. */
static bool has_names_and_values(const struct html_tree *tree, const struct grid *grid, unsigned used)
{
    unsigned first = 0;
    while (first < COLUMNS_MAX && !grid->is_used[first])
        first++;
    for (uint32_t row = 0; row < grid->row_count && used == 2; row++) {
        if (grid->rows[row][first] == HTML_NONE || !ends_in_colon(tree, &tree->nodes[grid->rows[row][first]]))
            return false;
    }
    return used == 2;
}

/* In the table or its first section; NULL. */
static const struct html_node *first_row(const struct html_tree *tree, const struct html_node *table)
{
    for (uint32_t i = table->first; i != HTML_NONE; i = tree->nodes[i].next) {
        const struct html_node *node = &tree->nodes[i];
        bool is_section = node->name == HTML_THEAD || node->name == HTML_TBODY;
        if (node->name == HTML_TR)
            return node;
        for (uint32_t k = is_section ? node->first : HTML_NONE; k != HTML_NONE; k = tree->nodes[k].next) {
            if (tree->nodes[k].name == HTML_TR)
                return &tree->nodes[k];
        }
    }
    return NULL;
}

static bool is_drawn(const struct html_tree *tree, const struct html_node *table)
{
    if (html_node_number(tree, table, HTML_ATTRIBUTE_BORDER, SPAN_MAX) <= 0)
        return false;
    const struct html_node *row = first_row(tree, table);
    bool is_headed = false;
    for (uint32_t i = row ? row->first : HTML_NONE; i != HTML_NONE; i = tree->nodes[i].next) {
        const struct html_node *cell = &tree->nodes[i];
        if (cell->name != HTML_TH && shows(cell))
            return false;
        is_headed = is_headed || cell->name == HTML_TH;
    }
    return is_headed;
}

static bool read_grid(const struct html_tree *tree, const struct html_node *table, struct grid *grid)
{
    *grid = (struct grid){ .is_drawn = is_drawn(tree, table) };
    if ((table->content & not_in_cells) || html_node_value_is(tree, table, HTML_ATTRIBUTE_ROLE, "presentation") ||
        html_node_value_is(tree, table, HTML_ATTRIBUTE_ROLE, "none") || has_strays(tree, table))
        return false;
    read_rows(grid, tree, table, HTML_THEAD);
    read_rows(grid, tree, table, HTML_TBODY);
    read_rows(grid, tree, table, HTML_TFOOT);
    unsigned used = 0;
    for (unsigned i = 0; i < COLUMNS_MAX; i++)
        used += grid->is_used[i];
    bool is_data = !grid->is_wrong && used >= 2 && grid->row_count >= 2 && grid->full_rows >= 2;
    if (grid->is_drawn)
        return !grid->is_wrong && grid->cells > 0;
    if (is_data && has_names_and_values(tree, grid, used))
        return false;
    if (is_said_to_be_data(tree, table, grid))
        return is_data;
    return is_data && !grid->has_pictures && grid->visible <= grid->cells * CELL_AVERAGE_MAX;
}

static void free_grid(struct grid *grid)
{
    free(grid->rows);
}

bool html_table_is_data(const struct html_tree *tree, const struct html_node *node)
{
    struct grid grid;
    bool is_data = read_grid(tree, node, &grid);
    free_grid(&grid);
    return is_data;
}

/* ---- writing data ---- */

/* The first row is the head when it says so, or reads like one: words in every column, and more than a name beside a
 * value. */
static bool has_head(const struct html_tree *tree, const struct grid *grid)
{
    bool all_heads = true;
    bool all_words = true;
    unsigned used = 0;
    for (unsigned i = 0; i < grid->columns; i++) {
        if (!grid->is_used[i])
            continue;
        used++;
        const struct html_node *cell = &tree->nodes[grid->rows[0][i]];
        if (grid->rows[0][i] == HTML_NONE) {
            all_words = false;
            continue;
        }
        bool is_bold = cell->first != HTML_NONE && (tree->nodes[cell->first].look & HTML_LOOK_BOLD);
        all_heads = all_heads && (cell->name == HTML_TH || is_bold);
        struct strbuf text;
        strbuf_init(&text, CELL_TEXT_MAX * 8);
        html_content_gather(tree, cell, CELL_TEXT_MAX, &text);
        const char *start = text.data + strspn(text.data, " \t\r\n");
        all_words = all_words && strcspn(start, "0123456789$+-") > 0;
        strbuf_free(&text);
    }
    return all_heads || (all_words && used > 2);
}

static bool has_alignment(const struct html_tree *tree, const struct html_node *cell, const char *side)
{
    const struct html_attribute *style = html_node_attribute(tree, cell, HTML_ATTRIBUTE_STYLE);
    const char *found = style ? memmem(style->value, style->len, "text-align", 10) : NULL;
    if (found) {
        size_t left = style->len - (size_t)(found - style->value) - 10;
        const char *value = found + 10;
        while (left > 0 && strchr(": ", *value)) {
            value++;
            left--;
        }
        return left >= strlen(side) && strncasecmp(value, side, strlen(side)) == 0;
    }
    return html_node_value_is(tree, cell, HTML_ATTRIBUTE_ALIGN, side);
}

static enum commonmark_align cell_alignment(const struct html_tree *tree, const struct html_node *cell)
{
    return has_alignment(tree, cell, "right")    ? COMMONMARK_ALIGN_RIGHT
           : has_alignment(tree, cell, "center") ? COMMONMARK_ALIGN_CENTER
           : has_alignment(tree, cell, "left")   ? COMMONMARK_ALIGN_LEFT
                                                 : COMMONMARK_ALIGN_NONE;
}

/* The head is often centred, whatever follows; it says something when nothing follows, or that the column is not like
 * others. */
static enum commonmark_align column_alignment(const struct html_tree *tree, const struct grid *grid, unsigned column)
{
    uint32_t row = grid->row_count - 1;
    while (row > 0 && grid->rows[row][column] == HTML_NONE)
        row--;
    uint32_t head = grid->is_drawn ? grid->rows[0][column] : HTML_NONE;
    enum commonmark_align above = head != HTML_NONE ? cell_alignment(tree, &tree->nodes[head]) : COMMONMARK_ALIGN_NONE;
    if (row == 0)
        return above;
    enum commonmark_align align = cell_alignment(tree, &tree->nodes[grid->rows[row][column]]);
    bool is_plain = align == COMMONMARK_ALIGN_NONE || align == COMMONMARK_ALIGN_LEFT;
    return !is_plain ? align : above == COMMONMARK_ALIGN_LEFT ? COMMONMARK_ALIGN_LEFT : COMMONMARK_ALIGN_NONE;
}

static void write_cell(struct html_writer *writer, uint32_t number)
{
    writer->line_has_content = false;
    if (number != HTML_NONE)
        html_write_children(writer, &writer->tree->nodes[number]);
    html_inline_flush(writer);
    strbuf_clear(&writer->blanks);
    strbuf_clear(&writer->unseen);
    commonmark_end_cell(writer->out);
}

static void write_grid(struct html_writer *writer, const struct grid *grid)
{
    enum commonmark_align alignments[COLUMNS_MAX];
    size_t columns = 0;
    for (unsigned i = 0; i < grid->columns; i++) {
        if (grid->is_used[i])
            alignments[columns++] = column_alignment(writer->tree, grid, i);
    }
    html_inline_end_paragraph(writer);
    commonmark_open_table(writer->out, alignments, columns);
    writer->is_single_line = true;
    bool head = grid->is_drawn || has_head(writer->tree, grid);
    uint32_t masked = writer->masked;
    for (uint32_t row = 0; row < grid->row_count; row++) {
        if (row == 0 && !head)
            commonmark_end_row(writer->out); /* an empty head: CommonMark wants one */
        writer->masked = row == 0 && head ? masked | HTML_LOOK_BOLD : masked;
        for (unsigned i = 0; i < grid->columns; i++) {
            if (grid->is_used[i])
                write_cell(writer, grid->rows[row][i]);
        }
        commonmark_end_row(writer->out);
    }
    writer->masked = masked;
    writer->is_single_line = false;
    commonmark_close_table(writer->out);
    writer->line_has_content = writer->needs_break = writer->needs_paragraph = false;
    writer->after_rule = false;
}

static void write_captions(struct html_writer *writer, const struct html_node *table)
{
    for (uint32_t i = table->first; i != HTML_NONE; i = writer->tree->nodes[i].next) {
        if (writer->tree->nodes[i].name == HTML_CAPTION)
            html_write_node(writer, i);
    }
}

/* ---- writing layout ---- */

/* Cells that a reader takes for one line: a menu, a name beside its value. */
static bool is_line(const struct html_tree *tree, const struct html_node *row)
{
    unsigned cells = 0;
    for (uint32_t i = row->first; i != HTML_NONE; i = tree->nodes[i].next) {
        const struct html_node *cell = &tree->nodes[i];
        if (!shows(cell))
            continue;
        cells++;
        if (!is_cell(cell) || (cell->content & not_in_cells) || cell->lines > 1 || cell->visible > JOINED_CELL_MAX ||
            (cell->visible == 0 && (cell->content & HTML_HAS_CONTROL)))
            return false;
    }
    return cells > 1;
}

static void write_line(struct html_writer *writer, const struct html_node *row)
{
    bool was_single_line = writer->is_single_line;
    bool is_first = true;
    bool after_colon = false;
    writer->is_single_line = true;
    for (uint32_t i = row->first; i != HTML_NONE; i = writer->tree->nodes[i].next) {
        const struct html_node *cell = &writer->tree->nodes[i];
        if (!shows(cell))
            continue;
        if (!is_first && writer->line_has_content && cell->visible > 0 && !after_colon)
            html_inline_text(writer, " | ", 3, row->look);
        html_inline_blank(writer);
        html_write_children(writer, cell);
        after_colon = ends_in_colon(writer->tree, cell);
        is_first = is_first && !writer->line_has_content;
    }
    html_inline_flush(writer);
    writer->is_single_line = was_single_line;
}

static void write_layout_row(struct html_writer *writer, const struct html_node *row, bool *was_short)
{
    if (!shows(row))
        return;
    bool joins = is_line(writer->tree, row);
    bool is_short = row->visible <= SHORT_ROW_MAX && (joins || row->lines <= 1) && !(row->content & not_in_cells) &&
                    row->visible > 0;
    html_inline_end_line(writer, !(is_short && *was_short));
    if (joins) {
        write_line(writer, row);
    } else {
        for (uint32_t i = row->first; i != HTML_NONE; i = writer->tree->nodes[i].next) {
            const struct html_node *cell = &writer->tree->nodes[i];
            if (shows(cell)) {
                html_inline_end_line(writer, is_cell(cell) && !is_short);
                html_write_node(writer, i);
                html_inline_end_line(writer, is_cell(cell) && !is_short);
            }
        }
    }
    html_inline_end_line(writer, !is_short);
    *was_short = is_short;
}

static void write_layout(struct html_writer *writer, const struct html_node *section, bool *was_short)
{
    for (uint32_t i = section->first; i != HTML_NONE; i = writer->tree->nodes[i].next) {
        const struct html_node *node = &writer->tree->nodes[i];
        if (node->look & HTML_LOOK_GONE)
            continue;
        if (node->name == HTML_TR)
            write_layout_row(writer, node, was_short);
        else if (node->name == HTML_TBODY || node->name == HTML_THEAD || node->name == HTML_TFOOT)
            write_layout(writer, node, was_short);
        else
            html_write_node(writer, i);
    }
}

void html_table_write(struct html_writer *writer, const struct html_node *node)
{
    struct grid grid;
    if (!writer->is_single_line && read_grid(writer->tree, node, &grid)) {
        write_captions(writer, node);
        write_grid(writer, &grid);
        free_grid(&grid);
        return;
    }
    if (!writer->is_single_line)
        free_grid(&grid);
    bool was_short = true;
    html_inline_end_line(writer, (node->look & HTML_LOOK_APART) != 0);
    write_layout(writer, node, &was_short);
    html_inline_end_line(writer, (node->look & HTML_LOOK_APART) != 0);
}
