/* concierge_line.h - the words of a line that somebody has written to the gateway
 *
 * Forgiving about how a line looks: upper and lower case, blanks (also those that do not break), quotes, emphasis and
 * code marks of CommonMark, punctuation at a word's end. Never about what it says: an address that could be read in two
 * ways is none. No I/O; nothing is allocated.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONCIERGE_WORD_MAX = 60, CONCIERGE_ADDRESS_SIZE = 256 };

/* What is left of a line. */
struct concierge_line {
    const char *at, *end;
    bool is_question; /* something that was read ended with a question mark */
    bool is_colon;    /* the last word, number or address that was read ended with a colon, */
    bool is_comma;    /* or a comma */
};

/* The line without blanks, and pairs of quotes and marks around the whole of it. */
struct concierge_line concierge_line_open(const char *text, size_t len);
/* Nothing is left but blanks and marks. */
bool concierge_line_is_done(const struct concierge_line *line);
/* A question mark stands behind what was read, at once or behind a blank. */
bool concierge_line_asks(struct concierge_line line);
/* The next word in lower case, without marks and final punctuation; false: there is none. One that is too long for a word of
 * ours ends with "...". */
bool concierge_line_word(struct concierge_line *line, char out[static CONCIERGE_WORD_MAX + 1]);
/* Reads these words (in lower case, with single blanks), if they are what comes next. */
bool concierge_line_take(struct concierge_line *line, const char *phrase);
/* Reads "17", "#17", "No. 17", "request 17" and the like, if that is what comes next. 1; 0 it is not; -1 it is a number that
 * can't be one of ours ("0", "1,234", "17th"). */
int concierge_line_number(struct concierge_line *line, int64_t *number_out);
/* Reads an address: bare, in angle brackets with or without a name in quotes before it, as a link to itself, with "mailto:".
 * 1; 0 what comes next has no "@"; -1 it has, but is not plainly one address. Written out as it stands. */
int concierge_line_address(struct concierge_line *line, char out[static CONCIERGE_ADDRESS_SIZE]);
/* The rest as it stands, without blanks and marks around it. NULL-terminated; false: it is longer than size - 1, or no clean
 * UTF-8. */
bool concierge_line_rest(const struct concierge_line *line, char *out, size_t size);
