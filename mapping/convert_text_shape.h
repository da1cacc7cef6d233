/* convert_text_shape.h - what of a plain text needs its columns
 *
 * Tables of aligned columns, frames, diffs, code and drawings are recognised by what prose never has: a gap of blanks
 * at the same place of three lines, lines between "|" or of box characters, a diff's own counts, lines that end
 * in ";" or braces, more marks than letters. What a pair of "```" encloses is code as well. Internal to mapping/convert_text*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_text_lines;

/* Sets is_code and is_fence of the lines from `from` up to `end`, which are equally deep. has_diff: says whether a diff was
 * met at this depth; further lines of it, between a reviewer's words, are known by that. The time is linear. */
void convert_text_find_shapes(struct convert_text_lines *lines, size_t from, size_t end, bool *has_diff);

/* Nothing but three or more of one of these: a rule drawn in characters ("-----", "* * *"). */
bool convert_text_is_rule(const char *text, size_t len);
