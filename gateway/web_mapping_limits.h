/* web_mapping_limits.h - the limits of a mapping in forms: for a new one, at an approval, and of one that is there
 *
 * Fields are named as the options of the verbs without "--". One that was filled in has a hidden field "was-NAME" with what it was: what was
 * left alone is not said to the verb, so that two who change different limits do not undo each other's.
 */
#pragma once
#include <stddef.h>

struct json_t;
struct web_html;
struct web_visit;
struct web_words;

enum web_mapping_limits_use {
    WEB_MAPPING_LIMITS_NEW, /* all, empty: what is not filled in is as usual */
    WEB_MAPPING_LIMITS_APPROVAL, /* those that are usual at an approval, empty: what is not filled in is as it was asked for */
    WEB_MAPPING_LIMITS_CHANGE, /* all, as they are */
};
/* Fields only, for within a form. id_prefix: ours, so that a page can have several. mapping: for CHANGE; else NULL. visit: whose form filled
 * them in before (a form that was refused is shown again as it was sent); NULL: none. */
void web_mapping_limits_add(struct web_html *html, enum web_mapping_limits_use use, const char *id_prefix,
                            const struct json_t *mapping, const struct web_visit *visit);

/* Appends the options that the visit's form asks for, borrowed from it; returns how many. */
size_t web_mapping_limits_take(const struct web_visit *visit, struct web_words *words);
