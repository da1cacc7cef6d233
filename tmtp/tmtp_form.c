#include "tmtp/tmtp_form.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { PATH_MAX_LEN = 1000 };

static json_t *load(const char *json, size_t len)
{
    json_t *root = len <= TMTP_FORM_SIZE_MAX ? json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

/* At most max octets, at a character's end. */
static char *copy_text(struct tmtp_form *form, const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len > max) {
        form->is_cut = true;
        for (len = max; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--;
    }
    return xstrndup(text, len);
}

/* NULL when there is no room. */
static struct tmtp_form_field *add_field(struct tmtp_form *form)
{
    if (form->count == TMTP_FORM_FIELDS_MAX) {
        form->is_cut = true;
        return NULL;
    }
    struct tmtp_form_field *field = &form->fields[form->count++];
    *field = (struct tmtp_form_field){ 0 };
    return field;
}

/* A number as people write it: 12 and 0.5, and not 0.50000000000000000. */
static void add_scalar(struct strbuf *out, const json_t *value)
{
    if (json_is_string(value))
        strbuf_add_str(out, json_string_value(value));
    else if (json_is_integer(value))
        strbuf_add_fmt(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        strbuf_add_fmt(out, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        strbuf_add_str(out, json_is_true(value) ? "yes" : "no");
}

/* ---- blank ---- */

/* What a type, or an inputType, asks for. Buttons and what only a program sees ask for nothing. */
static const struct type {
    const char *name;
    enum tmtp_form_kind kind;
} types[] = {
    { "number", TMTP_FORM_NUMBER },
    { "range", TMTP_FORM_NUMBER },
    { "noUiSlider", TMTP_FORM_NUMBER },
    { "rangeSlider", TMTP_FORM_NUMBER },
    { "date", TMTP_FORM_DATE },
    { "month", TMTP_FORM_DATE },
    { "week", TMTP_FORM_DATE },
    { "pikaday", TMTP_FORM_DATE },
    { "time", TMTP_FORM_TIME },
    { "datetime", TMTP_FORM_DATE_AND_TIME },
    { "datetime-local", TMTP_FORM_DATE_AND_TIME },
    { "dateTimePicker", TMTP_FORM_DATE_AND_TIME },
    { "email", TMTP_FORM_ADDRESS },
    { "checkbox", TMTP_FORM_YES_NO },
    { "switch", TMTP_FORM_YES_NO },
    { "radios", TMTP_FORM_ONE_OF },
    { "select", TMTP_FORM_ONE_OF },
    { "selectEx", TMTP_FORM_ONE_OF },
    { "vueMultiSelect", TMTP_FORM_ONE_OF },
    { "checklist", TMTP_FORM_SOME_OF },
    { "file", TMTP_FORM_FILE },
    { "image", TMTP_FORM_FILE },
    { "upload", TMTP_FORM_FILE },
    { "label", TMTP_FORM_WORDS },
};

static const char *const silent_types[] = { "submit", "reset", "button", "hidden" };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_silent(const char *type)
{
    for (size_t i = 0; i < sizeof silent_types / sizeof silent_types[0]; i++) {
        if (strcmp(type, silent_types[i]) == 0)
            return true;
    }
    return false;
}

static enum tmtp_form_kind kind_of(const char *type, bool takes_several)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].name) == 0)
            return types[i].kind == TMTP_FORM_ONE_OF && takes_several ? TMTP_FORM_SOME_OF : types[i].kind;
    }
    return TMTP_FORM_TEXT;
}

/* A choice is a scalar, or an object that names it. */
static void read_choices(struct tmtp_form *form, struct tmtp_form_field *field, const json_t *values)
{
    size_t i;
    const json_t *value;
    field->choices = xcalloc(TMTP_FORM_CHOICES_MAX, sizeof *field->choices);
    json_array_foreach(values, i, value)
    {
        if (field->choice_count == TMTP_FORM_CHOICES_MAX) {
            form->is_cut = true;
            return;
        }
        const json_t *name = json_is_object(value) ? json_object_get(value, "name") : value;
        struct strbuf text;
        strbuf_init(&text, TMTP_FORM_SIZE_MAX);
        add_scalar(&text, name);
        if (text.len > 0)
            field->choices[field->choice_count++] = copy_text(form, text.data, TMTP_FORM_LABEL_MAX);
        strbuf_free(&text);
    }
}

static void read_field(struct tmtp_form *form, const json_t *given)
{
    const char *type = text_of(given, "type");
    if (strcmp(type, "input") == 0 || !*type)
        type = text_of(given, "inputType");
    if (!json_is_object(given) || is_silent(type) || json_is_false(json_object_get(given, "visible")))
        return;
    struct tmtp_form_field *field = add_field(form);
    if (!field)
        return;
    const json_t *multiple = json_object_get(given, "multiple");
    if (!multiple)
        multiple = json_object_get(json_object_get(given, "selectOptions"), "multiple");
    field->kind = kind_of(type, json_is_true(multiple));
    field->is_required = json_is_true(json_object_get(given, "required"));
    field->model = copy_text(form, text_of(given, "model"), TMTP_FORM_LABEL_MAX);
    const char *label = text_of(given, "label");
    field->label = copy_text(form, *label ? label : text_of(given, "model"), TMTP_FORM_LABEL_MAX);
    const char *hint = text_of(given, "hint");
    if (!*hint)
        hint = text_of(given, "help");
    field->hint = copy_text(form, *hint ? hint : text_of(given, "placeholder"), TMTP_FORM_LABEL_MAX);
    read_choices(form, field, json_object_get(given, "values"));
}

static void read_group(struct tmtp_form *form, const json_t *group)
{
    const char *legend = text_of(group, "legend");
    size_t i;
    const json_t *field;
    if (*legend) {
        struct tmtp_form_field *heading = add_field(form);
        if (!heading)
            return;
        heading->kind = TMTP_FORM_LEGEND;
        heading->model = xstrdup("");
        heading->label = copy_text(form, legend, TMTP_FORM_LABEL_MAX);
        heading->hint = xstrdup("");
    }
    json_array_foreach(json_object_get(group, "fields"), i, field) read_field(form, field);
}

int tmtp_form_read_blank(const char *json, size_t len, struct tmtp_form *form_out)
{
    json_t *root = load(json, len);
    if (!root)
        return -1;
    *form_out = (struct tmtp_form){ .fields = xcalloc(TMTP_FORM_FIELDS_MAX, sizeof *form_out->fields) };
    size_t i;
    const json_t *group;
    read_group(form_out, root);
    json_array_foreach(json_object_get(root, "groups"), i, group) read_group(form_out, group);
    json_decref(root);
    if (form_out->count > 0)
        return 1;
    tmtp_form_free(form_out);
    return -1;
}

/* ---- filled ---- */

static void read_object(struct tmtp_form *form, const json_t *object, struct strbuf *path, unsigned depth);

/* "1, 2"; lists in lists "1, 2; 3, 4". */
static void add_list(struct tmtp_form *form, struct strbuf *out, const json_t *list, unsigned depth)
{
    size_t i;
    const json_t *item;
    bool has_lists = json_is_array(json_array_get(list, 0));
    json_array_foreach(list, i, item)
    {
        if (i > 0)
            strbuf_add_str(out, has_lists ? "; " : ", ");
        if (json_is_array(item) && depth < TMTP_FORM_DEPTH_MAX)
            add_list(form, out, item, depth + 1);
        else if (json_is_array(item) || json_is_object(item))
            form->is_cut = true;
        else
            add_scalar(out, item);
    }
}

static void read_value(struct tmtp_form *form, const json_t *value, struct strbuf *path, unsigned depth)
{
    if (json_is_object(value)) {
        read_object(form, value, path, depth + 1);
        return;
    }
    struct tmtp_form_field *field = add_field(form);
    if (!field)
        return;
    struct strbuf text;
    strbuf_init(&text, (size_t)TMTP_FORM_SIZE_MAX * 8); /* what it holds is shorter than the JSON, but for numbers */
    if (json_is_array(value))
        add_list(form, &text, value, 0);
    else
        add_scalar(&text, value);
    field->model = copy_text(form, path->data, TMTP_FORM_LABEL_MAX);
    field->value = copy_text(form, text.data, TMTP_FORM_VALUE_MAX);
    strbuf_free(&text);
}

static void read_object(struct tmtp_form *form, const json_t *object, struct strbuf *path, unsigned depth)
{
    if (depth > TMTP_FORM_DEPTH_MAX) {
        form->is_cut = true;
        return;
    }
    size_t len = path->len;
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        if (form->count == TMTP_FORM_FIELDS_MAX) {
            form->is_cut = true;
            return;
        }
        const char *key = json_object_iter_key(at);
        if (len + strlen(key) + 1 > PATH_MAX_LEN) {
            form->is_cut = true;
            continue;
        }
        strbuf_add_fmt(path, "%s%s", len > 0 ? "." : "", key);
        read_value(form, json_object_iter_value(at), path, depth);
        strbuf_truncate(path, len);
    }
}

int tmtp_form_read_filled(const char *json, size_t len, struct tmtp_form *form_out)
{
    json_t *root = load(json, len);
    if (!root)
        return -1;
    struct strbuf path;
    strbuf_init(&path, PATH_MAX_LEN);
    *form_out = (struct tmtp_form){ .fields = xcalloc(TMTP_FORM_FIELDS_MAX, sizeof *form_out->fields) };
    read_object(form_out, root, &path, 0);
    strbuf_free(&path);
    json_decref(root);
    if (form_out->count > 0 || !form_out->is_cut)
        return 1;
    tmtp_form_free(form_out); /* not empty, but all of it is over a limit */
    return -1;
}

void tmtp_form_free(struct tmtp_form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        struct tmtp_form_field *field = &form->fields[i];
        for (size_t n = 0; n < field->choice_count; n++)
            free(field->choices[n]);
        free(field->choices);
        free(field->model);
        free(field->label);
        free(field->hint);
        free(field->value);
    }
    free(form->fields);
    *form = (struct tmtp_form){ 0 };
}
