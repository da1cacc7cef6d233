/* convert_text_columns.h - tables and frames in plain text
 *
 * A table is known by a gap of blanks (or "|") that goes down through its lines at the same columns, with text on both
 * sides. Tabs reach to the next multiple of 8; characters of East Asian scripts take two columns, as in the terminals
 * and editors where such tables are made. Internal to mapping/convert_text*.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct convert_text_lines;
struct strbuf;

enum { CONVERT_TEXT_TAB_WIDTH = 8 };

/* Sets is_code of those lines of the paragraph from `from` up to `end`, which has no empty lines, that are a table's
 * or a frame's. */
void convert_text_find_columns(struct convert_text_lines *lines, size_t from, size_t end);

/* Columns that a character takes: 0 to 2. */
unsigned convert_text_width(uint32_t code);
