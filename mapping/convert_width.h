/* convert_width.h - how much room text takes, and which way it runs
 *
 * Columns as a terminal or a fixed-width font has them: two for the wide characters of East Asia, none for combining
 * marks. For tables and line breaks in plain text. Pure functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t convert_width_of(uint32_t code);             /* of a character that is no control character */
size_t convert_width(const char *text, size_t len); /* of UTF-8; what is invalid counts as one column a byte */
/* Whether it has letters of a script that is written from right to left. */
bool convert_width_is_right_to_left(const char *text, size_t len);
