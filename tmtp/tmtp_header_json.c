/* tmtp_header_json.c - decoding and composing by table */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "tmtp/tmtp_header_internal.h"
#include "tmtp/tmtp_message.h"

enum {
    FIELDS_MAX = 64,
    CONTAINERS_MAX = TMTP_MESSAGE_CC_MAX + TMTP_MESSAGE_ATTACH_MAX + 1000, /* lists and objects in a header */
    SEPARATORS_MAX = 131072,                                               /* a participant has seven members */
};

/* What a decoder or composer works on: one field of one struct. */
struct slot {
    const struct header_field *field;
    char *values; /* the struct, as bytes */
};

static void *slot_at(const struct slot *slot, size_t offset)
{
    return slot->values + offset;
}

static char **slot_text(const struct slot *slot)
{
    return slot_at(slot, slot->field->at);
}

static size_t *slot_count(const struct slot *slot)
{
    return slot_at(slot, slot->field->also);
}

/* --- decoding: each returns NULL, or why the value will not do --- */

static const char *copy_text(const json_t *value, char **text_out)
{
    if (!json_is_string(value))
        return "a member is not a string";
    size_t len = json_string_length(value);
    const char *text = json_string_value(value);
    if (memchr(text, '\0', len) != NULL)
        return "NUL in a string";
    *text_out = xmemdup(text, len + 1);
    return NULL;
}

static const char *decode_text(const struct slot *slot, json_t *value)
{
    return copy_text(value, slot_text(slot));
}

static const char *decode_bytes(const struct slot *slot, json_t *value)
{
    if (!json_is_string(value))
        return "a member is not a string";
    *slot_count(slot) = json_string_length(value);
    *slot_text(slot) = xmemdup(json_string_value(value), json_string_length(value) + 1);
    return NULL;
}

static const char *get_integer(const json_t *value, json_int_t least, json_int_t most, json_int_t *number_out)
{
    if (!json_is_integer(value))
        return "a member is not an integer";
    *number_out = json_integer_value(value);
    return *number_out >= least && *number_out <= most ? NULL : "number out of range";
}

static const char *decode_uint64(const struct slot *slot, json_t *value)
{
    json_int_t number = 0;
    const char *error = get_integer(value, 0, INT64_MAX, &number);
    *(uint64_t *)slot_at(slot, slot->field->at) = (uint64_t)number;
    return error;
}

static const char *decode_uint64_if(const struct slot *slot, json_t *value)
{
    if (json_is_real(value)) /* see soften() */
        return NULL;
    *(bool *)slot_at(slot, slot->field->also) = true;
    return decode_uint64(slot, value);
}

static const char *decode_uint32_if(const struct slot *slot, json_t *value)
{
    json_int_t number = 0;
    const char *error = get_integer(value, 0, UINT32_MAX, &number);
    *(bool *)slot_at(slot, slot->field->also) = true;
    *(uint32_t *)slot_at(slot, slot->field->at) = (uint32_t)number;
    return error;
}

static const char *decode_int64(const struct slot *slot, json_t *value)
{
    json_int_t number = 0;
    const char *error = get_integer(value, 0, INT64_MAX, &number);
    *(int64_t *)slot_at(slot, slot->field->at) = number;
    return error;
}

static const char *decode_small(const struct slot *slot, json_t *value)
{
    json_int_t number = 0;
    const char *error = get_integer(value, INT8_MIN, INT8_MAX, &number);
    *(int *)slot_at(slot, slot->field->at) = (int)number;
    return error;
}

static const char *decode_flag(const struct slot *slot, json_t *value)
{
    if (!json_is_boolean(value))
        return "a member is not a boolean";
    *(bool *)slot_at(slot, slot->field->at) = json_is_true(value);
    return NULL;
}

static const char *decode_object(const struct slot *slot, json_t *value)
{
    if (!json_is_object(value))
        return "a member is not an object";
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX / 2); /* no longer than the JSON text it comes from, which was bounded */
    if (header_dump(value, false, &text) != 1)
        abort();
    *slot_text(slot) = strbuf_detach(&text);
    return NULL;
}

static const char *begin_array(const struct slot *slot, const json_t *value)
{
    if (!json_is_array(value))
        return "a member is not a list";
    return json_array_size(value) <= slot->field->max ? NULL : "a list is too long";
}

static const char *decode_texts(const struct slot *slot, json_t *value)
{
    const char *error = begin_array(slot, value);
    if (error != NULL)
        return error;
    char **texts = xcalloc(json_array_size(value) + 1, sizeof *texts);
    *(char ***)slot_at(slot, slot->field->at) = texts;
    for (size_t i = 0; i < json_array_size(value) && error == NULL; i++) {
        error = copy_text(json_array_get(value, i), &texts[i]);
        *slot_count(slot) += error == NULL;
    }
    return error;
}

static const char *decode_list(const struct slot *slot, json_t *value)
{
    const struct header_table *items = slot->field->items;
    const char *error = begin_array(slot, value);
    if (error != NULL)
        return error;
    char *array = xcalloc(json_array_size(value) + 1, items->struct_size);
    *(char **)slot_at(slot, slot->field->at) = array;
    if (slot->field->has != 0)
        *(bool *)slot_at(slot, slot->field->has) = true;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (header_decode(json_array_get(value, i), items, array + i * items->struct_size, &error) != 1)
            return error;
        *slot_count(slot) += 1;
    }
    return NULL;
}

/* --- composing: each adds the member unless it is left out; -1 when the value is not valid --- */

static int put_text(const char *key, const char *text, size_t len, json_t *object)
{
    return json_object_set_new(object, key, json_stringn(text, len));
}

static int compose_text(const struct slot *slot, json_t *object)
{
    const char *text = *slot_text(slot);
    return text == NULL ? 0 : put_text(slot->field->key, text, strlen(text), object);
}

static int compose_bytes(const struct slot *slot, json_t *object)
{
    const char *text = *slot_text(slot);
    return text == NULL ? 0 : put_text(slot->field->key, text, *slot_count(slot), object);
}

static int put_number(const struct slot *slot, uint64_t number, json_t *object)
{
    if (number > INT64_MAX)
        return -1;
    return json_object_set_new(object, slot->field->key, json_integer((json_int_t)number));
}

static int compose_uint64(const struct slot *slot, json_t *object)
{
    uint64_t number = *(uint64_t *)slot_at(slot, slot->field->at);
    return number == 0 ? 0 : put_number(slot, number, object);
}

static int compose_uint64_if(const struct slot *slot, json_t *object)
{
    if (!*(bool *)slot_at(slot, slot->field->also))
        return 0;
    return put_number(slot, *(uint64_t *)slot_at(slot, slot->field->at), object);
}

static int compose_uint32_if(const struct slot *slot, json_t *object)
{
    if (!*(bool *)slot_at(slot, slot->field->also))
        return 0;
    return put_number(slot, *(uint32_t *)slot_at(slot, slot->field->at), object);
}

static int compose_size(const struct slot *slot, json_t *object)
{
    int64_t number = *(int64_t *)slot_at(slot, slot->field->at);
    return number < 0 ? -1 : put_number(slot, (uint64_t)number, object);
}

static int compose_int64(const struct slot *slot, json_t *object)
{
    return *(int64_t *)slot_at(slot, slot->field->at) == 0 ? 0 : compose_size(slot, object);
}

static int compose_small(const struct slot *slot, json_t *object)
{
    int number = *(int *)slot_at(slot, slot->field->at);
    return number == 0 ? 0 : json_object_set_new(object, slot->field->key, json_integer(number));
}

static int compose_flag(const struct slot *slot, json_t *object)
{
    bool flag = *(bool *)slot_at(slot, slot->field->at);
    return flag ? json_object_set_new(object, slot->field->key, json_true()) : 0;
}

static int compose_object(const struct slot *slot, json_t *object)
{
    const char *text = *slot_text(slot);
    if (text == NULL)
        return 0;
    const char *error = NULL;
    json_t *value = header_parse(text, strlen(text), &error);
    return value == NULL ? -1 : json_object_set_new(object, slot->field->key, value);
}

static int compose_texts(const struct slot *slot, json_t *object)
{
    char **texts = *(char ***)slot_at(slot, slot->field->at);
    if (*slot_count(slot) == 0)
        return 0;
    json_t *array = json_array();
    int rc = 0;
    for (size_t i = 0; i < *slot_count(slot); i++)
        rc |= json_array_append_new(array, json_string(texts[i]));
    return rc | json_object_set_new(object, slot->field->key, array);
}

static int compose_list(const struct slot *slot, json_t *object)
{
    const struct header_field *field = slot->field;
    const char *items = *(char **)slot_at(slot, field->at);
    bool present = field->has != 0 && *(bool *)slot_at(slot, field->has);
    if (*slot_count(slot) == 0 && !present)
        return 0;
    json_t *array = json_array();
    int rc = 0;
    for (size_t i = 0; i < *slot_count(slot); i++) {
        json_t *item = json_object();
        rc |= header_compose(field->items, items + i * field->items->struct_size, item) == 1 ? 0 : -1;
        rc |= json_array_append_new(array, item);
    }
    return rc | json_object_set_new(object, field->key, array);
}

/* --- freeing --- */

static void free_text(const struct slot *slot)
{
    free(*slot_text(slot));
}

static void free_texts(const struct slot *slot)
{
    char **texts = *(char ***)slot_at(slot, slot->field->at);
    for (size_t i = 0; i < *slot_count(slot); i++)
        free(texts[i]);
    free(texts);
}

static void free_list(const struct slot *slot)
{
    char *items = *(char **)slot_at(slot, slot->field->at);
    for (size_t i = 0; i < *slot_count(slot); i++)
        header_free(slot->field->items, items + i * slot->field->items->struct_size);
    free(items);
}

/* --- the kinds --- */

static const struct kind {
    const char *(*decode)(const struct slot *slot, json_t *value);
    int (*compose)(const struct slot *slot, json_t *object);
    void (*free)(const struct slot *slot); /* NULL: nothing to free */
} kinds[] = {
    [HEADER_TEXT] = { decode_text, compose_text, free_text },
    [HEADER_STRING] = { decode_text, compose_text, free_text },
    [HEADER_BYTES] = { decode_bytes, compose_bytes, free_text },
    [HEADER_UINT64] = { decode_uint64, compose_uint64, NULL },
    [HEADER_UINT64_IF] = { decode_uint64_if, compose_uint64_if, NULL },
    [HEADER_UINT32_IF] = { decode_uint32_if, compose_uint32_if, NULL },
    [HEADER_INT64] = { decode_int64, compose_int64, NULL },
    [HEADER_SIZE] = { decode_int64, compose_size, NULL },
    [HEADER_SMALL] = { decode_small, compose_small, NULL },
    [HEADER_FLAG] = { decode_flag, compose_flag, NULL },
    [HEADER_OBJECT] = { decode_object, compose_object, free_text },
    [HEADER_TEXTS] = { decode_texts, compose_texts, free_texts },
    [HEADER_LIST] = { decode_list, compose_list, free_list },
    [HEADER_OTHER] = { NULL, NULL, NULL },
};

/* --- whole objects --- */

/* The library has no integers above 2^63 - 1, but a checksum may use all 64 bits. Nobody needs its value, so such
 * numbers are replaced by a fraction: no field takes one for a number, and a checksum takes it for absent. */
static void soften(const char *json, size_t len, struct strbuf *out)
{
    enum { DIGITS_SAFE = 18 };
    bool in_string = false;
    for (size_t i = 0; i < len;) {
        size_t digits = 0;
        while (!in_string && i + digits < len && json[i + digits] >= '0' && json[i + digits] <= '9')
            digits++;
        if (digits > DIGITS_SAFE) {
            strbuf_add_str(out, "0.5");
            i += digits;
            continue;
        }
        size_t take = digits > 0 ? digits : 1;
        if (in_string && json[i] == '\\' && i + 1 < len)
            take = 2;
        else if (json[i] == '"')
            in_string = !in_string;
        strbuf_add(out, json + i, take);
        i += take;
    }
}

/* Two octets of text become an object of 250: a second header of a megabyte could fill a hundred of them. What
 * honest headers hold is far below that. */
static bool has_too_much(const char *json, size_t len)
{
    size_t containers = 0, separators = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        if (in_string && json[i] == '\\')
            i++;
        else if (json[i] == '"')
            in_string = !in_string;
        else if (!in_string) {
            containers += json[i] == '{' || json[i] == '[';
            separators += json[i] == ',';
        }
    }
    return containers > CONTAINERS_MAX || separators > SEPARATORS_MAX;
}

json_t *header_parse(const char *json, size_t len, const char **error_out)
{
    json_error_t error;
    if (has_too_much(json, len)) {
        *error_out = "too many members";
        return NULL;
    }
    json_t *object = json_loadb(json, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (object == NULL && json_error_code(&error) == json_error_numeric_overflow) {
        struct strbuf softened;
        strbuf_init(&softened, len);
        soften(json, len, &softened);
        object = json_loadb(softened.data, softened.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
        strbuf_free(&softened);
    }
    if (object != NULL && json_is_object(object))
        return object;
    *error_out = object == NULL ? "not valid JSON" : "not a JSON object";
    json_decref(object);
    return NULL;
}

json_t *header_find(json_t *object, const char *key)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (strcasecmp(name, key) == 0)
            return json_is_null(value) ? NULL : value;
    }
    return NULL;
}

static const struct header_field *find_field(const struct header_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcasecmp(table->fields[i].key, key) == 0)
            return &table->fields[i];
    }
    return NULL;
}

static const char *decode_members(json_t *object, const struct header_table *table, void *values)
{
    uint64_t seen = 0;
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return "a list holds something that is not an object";
    json_object_foreach(object, key, value)
    {
        const struct header_field *field = find_field(table, key);
        if (field == NULL)
            continue;
        uint64_t bit = UINT64_C(1) << (field - table->fields);
        if ((seen & bit) != 0)
            return "a member is given twice";
        seen |= bit;
        const struct slot slot = { field, values };
        const char *error = NULL;
        if (kinds[field->kind].decode != NULL && !json_is_null(value))
            error = kinds[field->kind].decode(&slot, value);
        if (error != NULL)
            return error; /* cppcheck-suppress returnDanglingLifetime ; it is static text */
    }
    return NULL;
}

int header_decode(json_t *object, const struct header_table *table, void *struct_out, const char **error_out)
{
    assert(table->count <= FIELDS_MAX);
    memset(struct_out, 0, table->struct_size);
    *error_out = decode_members(object, table, struct_out);
    if (*error_out != NULL) {
        header_free(table, struct_out);
        return -1;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct slot slot = { &table->fields[i], struct_out };
        if (slot.field->kind == HEADER_STRING && *slot_text(&slot) == NULL)
            *slot_text(&slot) = xstrdup("");
    }
    return 1;
}

void header_free(const struct header_table *table, void *values)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct slot slot = { &table->fields[i], values };
        if (kinds[slot.field->kind].free != NULL)
            kinds[slot.field->kind].free(&slot);
    }
    memset(values, 0, table->struct_size);
}

int header_compose(const struct header_table *table, const void *values, json_t *object)
{
    int rc = 0;
    /* Composing only reads through the slot; it shares the type with decoding, which writes. */
    char *bytes = (char *)(uintptr_t)values;
    for (size_t i = 0; i < table->count; i++) {
        const struct slot slot = { &table->fields[i], bytes };
        if (kinds[slot.field->kind].compose != NULL)
            rc |= kinds[slot.field->kind].compose(&slot, object);
    }
    return rc == 0 ? 1 : -1;
}

static int append(const char *text, size_t len, void *out)
{
    strbuf_add(out, text, len);
    return strbuf_ok(out) ? 0 : -1;
}

/* As the reference server writes strings, so that a checksum made over a header composed anew comes out the same. These
 * characters appear in strings only. */
static int append_escaped(const char *text, size_t len, void *out)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '<' || text[i] == '>' || text[i] == '&')
            strbuf_add_fmt(out, "\\u%04x", (unsigned)text[i]);
        else
            strbuf_add_char(out, text[i]);
    }
    return strbuf_ok(out) ? 0 : -1;
}

int header_dump(const json_t *object, bool sorted, struct strbuf *out)
{
    size_t flags = JSON_COMPACT | (sorted ? JSON_SORT_KEYS : 0);
    return json_dump_callback(object, sorted ? append_escaped : append, out, flags) == 0 ? 1 : -1;
}
