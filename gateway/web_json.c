/* web_json.c - see web_json.h */
#include "gateway/web_json.h"

#include <string.h>

#include <jansson.h>

const char *web_json_text(const struct json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool web_json_says(const struct json_t *object, const char *key, const char *text)
{
    const char *value = web_json_text(object, key);
    return value && strcmp(value, text) == 0;
}

int64_t web_json_number(const struct json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

double web_json_real(const struct json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

bool web_json_has(const struct json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

bool web_json_is(const struct json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

size_t web_json_count(const struct json_t *object, const char *key)
{
    return json_array_size(json_object_get(object, key));
}

const struct json_t *web_json_row(const struct json_t *object, const char *key, size_t index)
{
    return json_array_get(json_object_get(object, key), index);
}
