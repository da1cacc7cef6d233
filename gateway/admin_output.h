/* admin_output.h - what a command answers: built once, shown as a table for people or as JSON for programs
 *
 * A tree: the answer is an object of values and lists; a list holds rows, a row is an object again. Keys are stable
 * (programs read them). Strings are copied; NULL is shown as "-" and written as null.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin_output;
struct strbuf;

struct admin_output *admin_output_new(void);
void admin_output_free(struct admin_output **output);

void admin_output_string(struct admin_output *output, const char *key, const char *value);
void admin_output_int(struct admin_output *output, const char *key, int64_t value);
void admin_output_bool(struct admin_output *output, const char *key, bool value);
void admin_output_time(struct admin_output *output, const char *key, int64_t wall_ms); /* RFC 3339; 0: null */
void admin_output_list(struct admin_output *output, const char *key); /* in the current object; then rows; then end */
void admin_output_row(struct admin_output *output);                   /* in the current list; then values; then end */
/* A row of nothing but "text", in the current list. For people such lists are prose, a paragraph each, and stand where they were
 * begun. */
void admin_output_paragraph(struct admin_output *output, const char *text);
/* A text of many lines, which stay lines; for people below everything else, indented. At most one in an answer; key is static. */
void admin_output_lines(struct admin_output *output, const char *key, const char *text);
void admin_output_end(struct admin_output *output); /* of the innermost list or row */

/* Appends text with a "?" for each character that could steer a terminal or mislead its reader (controls, C1 too, line
 * and paragraph separators, bidirectional overrides) and for each byte that is not UTF-8. keep_lines: but newlines stay.
 * Returns the number of characters. */
size_t admin_output_add_clean(struct strbuf *out, const char *text, size_t len, bool keep_lines);

void admin_output_render(const struct admin_output *output, bool json, struct strbuf *out);
