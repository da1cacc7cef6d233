/* convert_content_line.h - the lines that calendars and cards consist of (RFC 5545 section 3.1, RFC 6350 section 3.2)
 *
 * "NAME;PARAM=value,\"quoted\":value", folded or not, with any line ends, as programs write them: a missing colon makes
 * it no line; vCard 2.1 writes bare parameters and groups ("item1.TEL;HOME:"). Pure functions, linear in time. Internal
 * to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_charsets;
struct strbuf;

/* Points into the text it was read from (which is unfolded), and lives as long. */
struct content_line {
    const char *name; /* without its group */
    size_t name_len;
    const char *params; /* from the first ";" on; "" */
    size_t params_len;
    const char *value; /* with its escapes */
    size_t value_len;
};

/* Appends data with folds taken out (a line end before a blank), line ends as LF, decoded from the charset ("": undeclared),
 * control characters replaced. */
void content_unfold(struct convert_charsets *charsets, const char *charset, const void *data, size_t len,
                    struct strbuf *out);

/* The next line at *at, which moves on behind it; false at the end. What is no such line is passed over. */
bool content_line_next(const char **at, const char *end, struct content_line *line_out);
bool content_is_word(const char *text, size_t len, const char *word);      /* the whole text, in any case */
bool content_line_is(const struct content_line *line, const char *name);   /* in any case */
bool content_value_is(const struct content_line *line, const char *value); /* the whole value, in any case */

/* Appends the parameter's value, unquoted; false when there is none. Values of a list stay joined by ",". */
bool content_line_param(const struct content_line *line, const char *name, struct strbuf *out);
/* Whether one of the values of a parameter, or a bare parameter (vCard 2.1), is that word, in any case. name NULL: of
 * any parameter. */
bool content_line_has(const struct content_line *line, const char *name, const char *word);

/* Appends the text with "\n", "\," and so on replaced. A line feed becomes a space. */
void content_unescape(struct strbuf *out, const char *value, size_t len);
/* The index-th of the components that ";" separates, with its escapes; false when there are fewer. */
bool content_component(const char *value, size_t len, size_t index, const char **part_out, size_t *part_len_out);
