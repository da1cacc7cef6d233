/* convert_markdown_table.h - a table as lines of text
 *
 * With its columns aligned by what they hold when it fits into a line; a wider one as records, a line for each value.
 * Internal to mapping/convert_markdown*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_markdown_events.h"

struct strbuf;
struct markdown_table;

struct markdown_table *markdown_table_new(void);
void markdown_table_free(struct markdown_table **table);
void markdown_table_begin_row(struct markdown_table *table);
/* text: of one cell, LF where it has line breaks. False: there are too many cells. */
bool markdown_table_add_cell(struct markdown_table *table, enum markdown_align align, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* Appends its lines, with an LF between them. True: aligned, so that the lines must stay as they are; at most `columns`
 * wide. */
bool markdown_table_lay_out(const struct markdown_table *table, size_t columns, struct strbuf *out);
