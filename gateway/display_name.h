/* display_name.h - the names that the authors of our mail have in From
 *
 * An alias is whatever its owner chose. Mail programs show it in large letters and the address small or not at all, so
 * a name must not pass for another address, nor for nothing. Pure functions.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum {
    DISPLAY_NAME_MAX = 256,       /* octets of a whole name */
    DISPLAY_NAME_ALIAS_MIN = 100, /* that an alias may have of it at least */
    DISPLAY_NAME_FORMAT_MAX = 100,
};

/* Appends an alias as it may be shown: in one line, an "@" of any width as "(at)", without invisible characters (but
 * those that join others stay: emoji and some scripts need them), cut at max octets. */
void display_name_add(struct strbuf *out, const char *alias, size_t max);
/* {alias} and {domain}, each as often as it occurs; the alias gives way when the whole is too long. */
void display_name_add_formatted(struct strbuf *out, const char *format, const char *alias, const char *domain);
/* Has it an {alias}, nothing else in braces, no "@", and a sensible length? */
bool display_name_is_format(const char *format);
