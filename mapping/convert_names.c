#include "mapping/convert_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"

#define PREFIX "u:"

enum { WANTED_MAX = 4096, EXTENSION_MAX = 16, SUFFIX_MAX = 16 };

static bool is_taken(const struct convert_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->names[i], name) == 0)
            return true;
    }
    return false;
}

/* One line without what means something in paths; "" when nothing is left. */
static char *clean_name(const char *wanted)
{
    size_t len = strlen(wanted);
    char *name = convert_utf8_one_line(wanted, len, len < WANTED_MAX ? len * 3 : WANTED_MAX);
    for (char *c = name; *c; c++) {
        if (*c == '/' || *c == '\\')
            *c = '_';
    }
    if (name[0] == '.')
        name[0] = '_'; /* neither hidden nor "..": it might be saved under this name */
    size_t end = strlen(name);
    while (end > 0 && (name[end - 1] == '.' || name[end - 1] == ' '))
        name[--end] = '\0';
    return name;
}

/* Offset of the extension with its dot; the length when there is none worth keeping. */
static size_t extension_start(const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t len = strlen(name);
    return dot && dot != name && len - (size_t)(dot - name) <= EXTENSION_MAX ? (size_t)(dot - name) : len;
}

/* Prefix, the stem cut so that all fits, a number from the second on, extension. */
static char *compose(const char *name, unsigned number)
{
    struct strbuf counted;
    strbuf_init(&counted, SUFFIX_MAX);
    if (number > 1)
        strbuf_add_fmt(&counted, " (%u)", number);
    size_t dot = extension_start(name);
    size_t rest = strlen(PREFIX) + counted.len + strlen(name + dot);
    struct strbuf composed;
    strbuf_init(&composed, CONVERT_NAME_MAX);
    strbuf_add_str(&composed, PREFIX);
    strbuf_add(&composed, name, convert_utf8_cut(name, dot, CONVERT_NAME_MAX - rest));
    strbuf_add(&composed, counted.data, counted.len);
    strbuf_add_str(&composed, name + dot);
    strbuf_free(&counted);
    return strbuf_detach(&composed);
}

const char *convert_names_add(struct convert_names *names, const char *wanted, const char *fallback)
{
    char *clean = clean_name(wanted);
    const char *name = *clean ? clean : fallback;
    unsigned number = 1;
    char *composed = compose(name, number);
    while (is_taken(names, composed)) {
        free(composed);
        composed = compose(name, ++number);
    }
    free(clean);
    names->names = xreallocarray(names->names, names->count + 1, sizeof(char *));
    names->names[names->count++] = composed;
    return composed;
}

void convert_names_free(struct convert_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct convert_names){ 0 };
}
