/* web_list.h - pages that list: what can be looked for, a table with a row for each, and the way to the rest
 *
 * One table of filters makes three things: the form, the options of the verb that lists, and the address where the same is listed again.
 */
#pragma once
#include "gateway/web_page.h"
#include "gateway/web_words.h"
#include <stddef.h>

struct web_filter {
    const char *option;     /* of the verb; NULL: none */
    struct web_field field; /* without a value: that is the query's, of the same name */
};
struct web_list {
    const char *path; /* ours */
    const struct web_filter *filters;
    size_t filter_count;
};
/* The form, with one button. id: ours. */
void web_list_form(struct web_html *html, const struct web_visit *visit, const struct web_list *list, const char *id,
                   const char *button);
void web_list_options(const struct web_visit *visit, const struct web_list *list, struct web_words *words);
bool web_list_is_filtered(const struct web_visit *visit, const struct web_list *list);
/* The list as it is filtered, for the caller to free. */
char *web_list_address(const struct web_visit *visit, const struct web_list *list) __attribute__((warn_unused_result));
/* A link to what comes after (or before) `value`; NULL or "": none. */
void web_list_more(struct web_html *html, const struct web_visit *visit, const struct web_list *list, const char *name,
                   const char *value, const char *label);

/* A bar with the field "reason", and then buttons for what is done with all rows that are chosen; the end says how many these are.
 * reason_id, label: ours; form: the id of the form that all of it stands in. */
void web_list_bar(struct web_html *html, const char *reason_id, const char *label);
void web_list_bar_end(struct web_html *html, const char *form);

struct web_rows {
    const char *id, *caption; /* ours */
    const struct web_column *columns;
    size_t column_count;
    const char *empty; /* ours: what is said instead of a table without rows; NULL: that is shown */
    void (*add)(struct web_html *html, const struct json_t *row, void *ctx); /* the cells of one */
};
/* A table of all that stands under `key` in the answer of a verb; NULL: there is no answer. */
void web_list_rows(struct web_html *html, const struct web_rows *rows, const struct json_t *answer, const char *key,
                   void *ctx);
