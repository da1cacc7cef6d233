/* convert_text_list.h - lists that people type
 *
 * Two or more lines that begin with the same "-", "*" or "+", or are numbered one after the other, are a list: with
 * nested lists, and with what is indented or wrapped behind an item. A single such line is none ("- Bob", "1986. A
 * good year."). Internal to mapping/convert_text*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct commonmark_writer;
struct convert_text_lines;

/* Behind the list that begins at line `from`; `from` when none does. */
size_t convert_text_list_end(const struct convert_text_lines *lines, size_t from, size_t end);
void convert_text_write_list(struct commonmark_writer *writer, const struct convert_text_lines *lines, size_t from,
                             size_t end);
