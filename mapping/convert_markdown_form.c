#include "mapping/convert_markdown_form.h"

#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_text.h"
#include "tmtp/tmtp_form.h"

enum { LINE_SIZE_MAX = TMTP_FORM_CHOICES_MAX * (TMTP_FORM_LABEL_MAX + 2) + 4 * TMTP_FORM_LABEL_MAX };

static void enter(const struct markdown_events *events, void *ctx, enum markdown_node node)
{
    const struct markdown_detail detail = { .url = "", .is_tight = true };
    events->enter(ctx, node, &detail);
}

static void leave(const struct markdown_events *events, void *ctx, enum markdown_node node)
{
    const struct markdown_detail detail = { .url = "", .is_tight = true };
    events->leave(ctx, node, &detail);
}

/* Text from a form may have any characters and line breaks. */
static void say(const struct markdown_events *events, void *ctx, const char *text)
{
    struct strbuf clean;
    size_t len = strlen(text);
    strbuf_init(&clean, len * 3 + 1);
    convert_text_clean(&clean, text, len);
    for (size_t i = 0; i < clean.len;) {
        size_t n = strcspn(clean.data + i, "\n");
        events->text(ctx, clean.data + i, n);
        i += n;
        if (i < clean.len && clean.data[i] == '\n') {
            events->line_break(ctx);
            i++;
        }
    }
    strbuf_free(&clean);
}

static void say_paragraph(const struct markdown_events *events, void *ctx, const char *text, bool is_strong)
{
    enter(events, ctx, MARKDOWN_PARAGRAPH);
    if (is_strong)
        enter(events, ctx, MARKDOWN_STRONG);
    say(events, ctx, text);
    if (is_strong)
        leave(events, ctx, MARKDOWN_STRONG);
    leave(events, ctx, MARKDOWN_PARAGRAPH);
}

static void say_if_cut(const struct markdown_events *events, void *ctx, const struct tmtp_form *form)
{
    if (form->is_cut)
        say_paragraph(events, ctx, "The form is longer than what is shown here.", false);
}

/* ---- blank ---- */

static const char *const kind_words[] = {
    [TMTP_FORM_TEXT] = "",
    [TMTP_FORM_NUMBER] = "a number",
    [TMTP_FORM_DATE] = "a date",
    [TMTP_FORM_TIME] = "a time",
    [TMTP_FORM_DATE_AND_TIME] = "a date and time",
    [TMTP_FORM_ADDRESS] = "an email address",
    [TMTP_FORM_YES_NO] = "yes or no",
    [TMTP_FORM_ONE_OF] = "one of",
    [TMTP_FORM_SOME_OF] = "any of",
    [TMTP_FORM_FILE] = "a file",
    [TMTP_FORM_WORDS] = "",
    [TMTP_FORM_LEGEND] = "",
};

static void add_kind(struct strbuf *line, const struct tmtp_form_field *field)
{
    bool is_choice = field->kind == TMTP_FORM_ONE_OF || field->kind == TMTP_FORM_SOME_OF;
    const char *words = kind_words[field->kind];
    if (!*words || (is_choice && field->choice_count == 0))
        return;
    strbuf_add_fmt(line, ": %s", words);
    for (size_t i = 0; is_choice && i < field->choice_count; i++)
        strbuf_add_fmt(line, "%s%s", i == 0 ? " " : ", ", field->choices[i]);
}

/* "Width (required): a number (in cm)" */
static void show_field(const struct markdown_events *events, void *ctx, const struct tmtp_form_field *field)
{
    struct strbuf line;
    strbuf_init(&line, LINE_SIZE_MAX);
    strbuf_add_str(&line, field->label[0] ? field->label : "(unnamed)");
    if (field->is_required)
        strbuf_add_str(&line, " (required)");
    add_kind(&line, field);
    if (field->hint[0])
        strbuf_add_fmt(&line, " (%s)", field->hint);
    enter(events, ctx, MARKDOWN_ITEM);
    say(events, ctx, line.data);
    leave(events, ctx, MARKDOWN_ITEM);
    strbuf_free(&line);
}

void markdown_form_show_blank(const struct markdown_events *events, void *ctx, const struct tmtp_form *form)
{
    bool in_list = false;
    for (size_t i = 0; i < form->count; i++) {
        const struct tmtp_form_field *field = &form->fields[i];
        bool is_item = field->kind != TMTP_FORM_LEGEND && field->kind != TMTP_FORM_WORDS;
        if (is_item && !in_list)
            enter(events, ctx, MARKDOWN_BULLETS);
        else if (!is_item && in_list)
            leave(events, ctx, MARKDOWN_BULLETS);
        in_list = is_item;
        if (is_item)
            show_field(events, ctx, field);
        else if (field->label[0])
            say_paragraph(events, ctx, field->label, field->kind == TMTP_FORM_LEGEND);
    }
    if (in_list)
        leave(events, ctx, MARKDOWN_BULLETS);
    say_if_cut(events, ctx, form);
}

/* ---- filled ---- */

static const char *name_of(const struct convert_markdown_filled *filled, const struct tmtp_form_field *field)
{
    for (size_t i = 0; filled->blank && i < filled->blank->count; i++) {
        const struct tmtp_form_field *blank = &filled->blank->fields[i];
        if (blank->label[0] && strcmp(blank->model, field->model) == 0)
            return blank->label;
    }
    return field->model;
}

static void show_cell(const struct markdown_events *events, void *ctx, enum markdown_node node, const char *text)
{
    enter(events, ctx, node);
    say(events, ctx, text);
    leave(events, ctx, node);
}

static void show_row(const struct markdown_events *events, void *ctx, enum markdown_node node, const char *name,
                     const char *value)
{
    enter(events, ctx, MARKDOWN_ROW);
    show_cell(events, ctx, node, name);
    show_cell(events, ctx, node, value);
    leave(events, ctx, MARKDOWN_ROW);
}

static void say_what_it_is(const struct markdown_events *events, void *ctx,
                           const struct convert_markdown_filled *filled)
{
    bool is_shown = filled->form && filled->form->count > 0;
    struct strbuf line;
    strbuf_init(&line, LINE_SIZE_MAX);
    strbuf_add_fmt(&line, "The form \"%s\"", filled->name);
    if (filled->type && filled->type[0])
        strbuf_add_fmt(&line, " (%s)", filled->type);
    strbuf_add_fmt(&line, ", filled in%s (attached: %s)%s",
                   !filled->form ? ", which can't be shown here"
                   : is_shown    ? ""
                                 : " with nothing",
                   filled->file, is_shown ? ":" : ".");
    say_paragraph(events, ctx, line.data, false);
    strbuf_free(&line);
}

void markdown_form_show_filled(const struct markdown_events *events, void *ctx,
                               const struct convert_markdown_filled *filled)
{
    say_what_it_is(events, ctx, filled);
    if (!filled->form || filled->form->count == 0)
        return;
    enter(events, ctx, MARKDOWN_TABLE);
    show_row(events, ctx, MARKDOWN_HEAD_CELL, "Field", "Value");
    for (size_t i = 0; i < filled->form->count; i++)
        show_row(events, ctx, MARKDOWN_CELL, name_of(filled, &filled->form->fields[i]), filled->form->fields[i].value);
    leave(events, ctx, MARKDOWN_TABLE);
    say_if_cut(events, ctx, filled->form);
}
