/* web_list.c - see web_list.h */
#include "gateway/web_list.h"

#include <stdlib.h>

#include "base/strbuf.h"
#include "gateway/web_json.h"

enum { ADDRESS_MAX = 8192 };

void web_list_form(struct web_html *html, const struct web_visit *visit, const struct web_list *list, const char *id,
                   const char *button)
{
    web_page_search(html, id, list->path);
    for (size_t i = 0; i < list->filter_count; i++) {
        struct web_field field = list->filters[i].field;
        field.value = web_query(visit, field.name);
        web_page_field(html, &field);
    }
    web_page_button(html, WEB_BUTTON_PLAIN, NULL, NULL, button, NULL);
    web_page_form_end(html);
}

void web_list_options(const struct web_visit *visit, const struct web_list *list, struct web_words *words)
{
    for (size_t i = 0; i < list->filter_count; i++)
        if (list->filters[i].option)
            web_words_option(words, list->filters[i].option, web_query(visit, list->filters[i].field.name));
}

bool web_list_is_filtered(const struct web_visit *visit, const struct web_list *list)
{
    for (size_t i = 0; i < list->filter_count; i++) {
        const char *value = web_query(visit, list->filters[i].field.name);
        if (value && value[0])
            return true;
    }
    return false;
}

static void add_address(struct strbuf *address, const struct web_visit *visit, const struct web_list *list)
{
    strbuf_add_str(address, list->path);
    for (size_t i = 0; i < list->filter_count; i++)
        web_words_query(address, list->filters[i].field.name, web_query(visit, list->filters[i].field.name));
}

char *web_list_address(const struct web_visit *visit, const struct web_list *list)
{
    struct strbuf address;
    strbuf_init(&address, ADDRESS_MAX);
    add_address(&address, visit, list);
    return strbuf_detach(&address);
}

void web_list_more(struct web_html *html, const struct web_visit *visit, const struct web_list *list, const char *name,
                   const char *value, const char *label)
{
    struct strbuf address;
    if (!value || !value[0])
        return;
    strbuf_init(&address, ADDRESS_MAX);
    add_address(&address, visit, list);
    web_words_query(&address, name, value);
    if (strbuf_ok(&address))
        web_page_more(html, address.data, label);
    strbuf_free(&address);
}

void web_list_bar(struct web_html *html, const char *reason_id, const char *label)
{
    web_html_add(html, "<div class=\"choosing\">\n");
    web_page_reason(html, reason_id, label);
    web_html_add(html, "<div class=\"buttons\">\n");
}

void web_list_bar_end(struct web_html *html, const char *form)
{
    web_html_add(html, "<span class=\"soft\" data-chosen=\"%s\" aria-live=\"polite\"></span></div></div>\n", form);
}

void web_list_rows(struct web_html *html, const struct web_rows *rows, const struct json_t *answer, const char *key,
                   void *ctx)
{
    size_t count = web_json_count(answer, key);
    if (count == 0 && rows->empty) {
        web_page_empty(html, rows->empty);
        return;
    }
    web_page_table(html, rows->id, rows->caption, rows->columns, rows->column_count);
    for (size_t i = 0; i < count; i++) {
        web_page_row(html);
        rows->add(html, web_json_row(answer, key, i), ctx);
        web_page_row_end(html);
    }
    web_page_table_end(html);
}
