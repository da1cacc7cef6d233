/* web_json.h - reading the answers of verbs, for pages
 *
 * Verbs answer with documents whose keys are stable (admin_output.h). What is missing, null or of another kind is NULL, 0, false or an
 * empty list: a page shows less then, it does not fail. Everything is borrowed from the document.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

const char *web_json_text(const struct json_t *object, const char *key);            /* NULL: none */
bool web_json_says(const struct json_t *object, const char *key, const char *text); /* it is this text */
int64_t web_json_number(const struct json_t *object, const char *key);
double web_json_real(const struct json_t *object, const char *key);
bool web_json_has(const struct json_t *object, const char *key);     /* and it is not null */
bool web_json_is(const struct json_t *object, const char *key);      /* it is true */
size_t web_json_count(const struct json_t *object, const char *key); /* rows of a list */
const struct json_t *web_json_row(const struct json_t *object, const char *key, size_t index);
