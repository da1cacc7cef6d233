/* config_edit.h - changes single values in the text of a configuration, and leaves everything else as somebody has written it
 *
 * Pure: text in, text out. It knows the form of a configuration (libconfuse's: comments, quotes, sections with and without a title)
 * and nothing of its keys. What it makes of a text that is no valid configuration is of no use: config_load() says so.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum { CONFIG_EDIT_MAX = 1024 * 1024 }; /* octets of a text, as config_load() takes it */

/* Where a value is: the first section of that name (and title; NULL: any), or the top (section NULL). */
struct config_place {
    const char *section, *title, *key;
};

/* Sets a value, as it is to be written ("\"text\"", "yes", "{ \"a\", \"b\" }"); the key's and the section's too where they are not
 * there. A key that stands there several times gets it where it counts, the last time. */
void config_edit_set(struct strbuf *text, const struct config_place *place, const char *value);
/* With its key, and its line if nothing else is in it. false: it is not there. */
bool config_edit_remove(struct strbuf *text, const struct config_place *place);
bool config_edit_has(const struct strbuf *text, const struct config_place *place);

/* Appends text in quotes. */
void config_edit_add_quoted(struct strbuf *out, const char *text);
