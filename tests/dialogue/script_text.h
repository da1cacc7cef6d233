/* script_text.h - what the lines of all scripts about SMTP have in common: escapes, patterns, lines */
#pragma once
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* Appends the text with its escapes (\r \n \0 \t \\ \xHH) replaced. false: a bad escape. */
bool script_unescape(const char *text, struct strbuf *out) __attribute__((warn_unused_result));
/* '*' at the end of the pattern stands for any rest. */
bool script_matches(const char *pattern, size_t pattern_len, const char *text, size_t len);
/* The line at *at of text, which moves behind it; NULL when there is no whole line. */
const char *script_next_line(const struct strbuf *text, const char *end, size_t *at, size_t *len_out);
/* Appends size octets of lines that are all alike. */
void script_add_pattern(struct strbuf *out, size_t size);
/* For scandir(). */
int script_is_dialogue(const struct dirent *entry);
/* The words of a text, of which the list takes max, and NULL for the rest of it; what it held before is freed. */
void script_split(const char *text, char **words, size_t max);
