/* web_form.c - the forms of web_page.h */
#include "gateway/web_page.h"

#include <string.h>

void web_page_form(struct web_html *html, const char *id, const char *csrf, const char *action, const char *confirm)
{
    web_html_add(html, "<form id=\"%s\" method=\"post\" action=\"%l\"", id, action);
    if (confirm)
        web_html_add(html, " data-confirm=\"%s\"", confirm);
    web_html_add(html, ">\n");
    web_page_hidden(html, "csrf", csrf);
}

void web_page_search(struct web_html *html, const char *id, const char *action)
{
    web_html_add(html, "<form id=\"%s\" method=\"get\" action=\"%l\" class=\"filters\" role=\"search\">\n", id, action);
}

void web_page_form_end(struct web_html *html)
{
    web_html_add(html, "</form>\n");
}

void web_page_hidden(struct web_html *html, const char *name, const char *value)
{
    web_html_add(html, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, value);
}

/* What all kinds of fields have. */
static void add_attributes(struct web_html *html, const struct web_field *field)
{
    web_html_add(html, " id=\"%s\" name=\"%s\"", field->id, field->name);
    if (field->hint)
        web_html_add(html, " aria-describedby=\"%s-hint\"", field->id);
    if (field->is_required)
        web_html_add(html, " required");
}

static void add_attributes_of_text(struct web_html *html, const struct web_field *field)
{
    add_attributes(html, field);
    web_html_add(html, " autocomplete=\"%s\"", field->autocomplete ? field->autocomplete : "off");
    if (field->inputmode)
        web_html_add(html, " inputmode=\"%s\"", field->inputmode);
    if (field->placeholder)
        web_html_add(html, " placeholder=\"%s\"", field->placeholder);
    if (field->longest)
        web_html_add(html, " maxlength=\"%s\"", WEB_INT(field->longest));
}

static void add_choices(struct web_html *html, const struct web_field *field)
{
    web_html_add(html, "<select");
    add_attributes(html, field);
    web_html_add(html, ">");
    for (const struct web_choice *choice = field->choices; choice->value; choice++) {
        web_html_add(html, "<option value=\"%s\"", choice->value);
        if (field->value && strcmp(field->value, choice->value) == 0)
            web_html_add(html, " selected");
        web_html_add(html, ">%s</option>", choice->label);
    }
    web_html_add(html, "</select>");
}

void web_page_field(struct web_html *html, const struct web_field *field)
{
    web_html_add(html, "<div class=\"field%s\"><label for=\"%s\">%s</label>", field->is_wide ? " wide" : "", field->id,
                 field->label);
    if (field->choices) {
        add_choices(html, field);
    } else if (field->rows) {
        web_html_add(html, "<textarea rows=\"%s\"", WEB_INT(field->rows));
        add_attributes_of_text(html, field);
        web_html_add(html, ">\n%t</textarea>", field->value);
    } else {
        web_html_add(html, "<input type=\"%s\"", field->type ? field->type : "text");
        add_attributes_of_text(html, field);
        web_html_add(html, " value=\"%s\">", field->value);
    }
    if (field->hint)
        web_html_add(html, "<p class=\"hint\" id=\"%s-hint\">%s</p>", field->id, field->hint);
    web_html_add(html, "</div>\n");
}

void web_page_reason(struct web_html *html, const char *id, const char *label)
{
    web_page_field(html, &(const struct web_field){ .id = id, .name = "reason", .label = label, .longest = 1000 });
}

void web_page_check(struct web_html *html, const char *id, const char *name, const char *value, const char *label,
                    bool checked)
{
    web_html_add(html, "<div class=\"check\"><input type=\"checkbox\" id=\"%s\" name=\"%s\" value=\"%s\"", id, name,
                 value);
    if (checked)
        web_html_add(html, " checked");
    web_html_add(html, "><label for=\"%s\">%s</label></div>\n", id, label);
}

void web_page_choose(struct web_html *html, const char *name, const char *value, const char *label)
{
    web_html_add(html, "<input type=\"checkbox\" class=\"choose\" name=\"%s\" value=\"%s\" aria-label=\"%s\">", name,
                 value, label);
}

void web_page_button(struct web_html *html, enum web_button kind, const char *name, const char *value,
                     const char *label, const char *what)
{
    static const char *const classes[] = {
        [WEB_BUTTON_PLAIN] = "plain", [WEB_BUTTON_MAIN] = "main", [WEB_BUTTON_DANGER] = "danger"
    };
    web_html_add(html, "<button class=\"%s\"", classes[kind]);
    if (name)
        web_html_add(html, " name=\"%s\" value=\"%s\"", name, value);
    if (what)
        web_html_add(html, " aria-label=\"%s\"", what);
    web_html_add(html, ">%s</button>\n", label);
}
