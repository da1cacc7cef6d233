/* web_table.c - the tables of web_page.h. On a phone style.css makes a card of each row, by the labels in data-label. */
#include "gateway/web_page.h"

#include <stdbool.h>

static const struct {
    const char *name; /* of the class */
    bool is_head;
} kinds[] = {
    [WEB_COLUMN_TEXT] = { "text", false },           [WEB_COLUMN_HEAD] = { "head", true },
    [WEB_COLUMN_ADDRESS] = { "head address", true }, [WEB_COLUMN_NUMBER] = { "number", false },
    [WEB_COLUMN_LONG] = { "long", false },           [WEB_COLUMN_TIGHT] = { "tight", false },
    [WEB_COLUMN_ACTS] = { "acts", false },
};

void web_page_table(struct web_html *html, const char *id, const char *caption, const struct web_column *columns,
                    size_t count)
{
    /* The box scrolls where even the cards are too wide; a box that scrolls must be reached by the keyboard. */
    web_html_add(html,
                 "<div class=\"table cards\" role=\"region\" aria-labelledby=\"%s-caption\" tabindex=\"0\">"
                 "<table id=\"%s\">\n<caption id=\"%s-caption\">%s</caption>\n<thead><tr>",
                 id, id, id, caption);
    for (size_t i = 0; i < count; i++) {
        web_html_add(html, "<th scope=\"col\" class=\"%s\">", kinds[columns[i].kind].name);
        if (columns[i].kind == WEB_COLUMN_ACTS)
            web_html_add(html, "<span class=\"unseen\">%s</span></th>", columns[i].label);
        else
            web_html_add(html, "%s</th>", columns[i].label);
    }
    web_html_add(html, "</tr></thead>\n<tbody>\n");
}

void web_page_table_end(struct web_html *html)
{
    web_html_add(html, "</tbody></table></div>\n");
}

void web_page_row(struct web_html *html)
{
    web_html_add(html, "<tr>");
}

void web_page_row_end(struct web_html *html)
{
    web_html_add(html, "</tr>\n");
}

void web_page_cell(struct web_html *html, const struct web_column *column)
{
    if (kinds[column->kind].is_head)
        web_html_add(html, "<th scope=\"row\" class=\"%s\" data-label=\"%s\">", kinds[column->kind].name,
                     column->label);
    else
        web_html_add(html, "<td class=\"%s\" data-label=\"%s\">", kinds[column->kind].name, column->label);
}

void web_page_cell_end(struct web_html *html, const struct web_column *column)
{
    if (kinds[column->kind].is_head)
        web_html_add(html, "</th>");
    else
        web_html_add(html, "</td>");
}

void web_page_text(struct web_html *html, const struct web_column *column, const char *text)
{
    web_page_cell(html, column);
    if (text && text[0])
        web_html_add(html, "%s", text);
    else
        web_html_add(html, "<span class=\"none\">\xE2\x80\x93</span>");
    web_page_cell_end(html, column);
}

void web_page_number(struct web_html *html, const struct web_column *column, int64_t number)
{
    web_page_text(html, column, WEB_COUNT(number));
}

void web_page_time(struct web_html *html, const struct web_column *column, const char *rfc3339)
{
    web_page_cell(html, column);
    web_page_when(html, rfc3339);
    web_page_cell_end(html, column);
}

void web_page_cell_state(struct web_html *html, const struct web_column *column, const char *state)
{
    web_page_cell(html, column);
    web_page_state(html, state);
    web_page_cell_end(html, column);
}

void web_page_cell_ago(struct web_html *html, const struct web_column *column, const char *rfc3339, int64_t now)
{
    web_page_cell(html, column);
    web_page_ago(html, rfc3339, now);
    web_page_cell_end(html, column);
}
