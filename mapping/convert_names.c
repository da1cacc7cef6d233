#include "mapping/convert_names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"

#define PREFIX "u:"

enum { WANTED_MAX = 4096, EXTENSION_MAX = 16, SUFFIX_MAX = 16 };

enum { NOT_TAKEN = -1 };

/* Which of the set it is. */
static long find_taken(const struct convert_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->names[i], name) == 0)
            return (long)i;
    }
    return NOT_TAKEN;
}

/* Joiners, marks of direction and their like: two names that look the same must not be two. */
static bool is_invisible(uint32_t code)
{
    return code == 0xAD || code == 0x034F || code == 0x061C || code == 0x115F || code == 0x1160 ||
           (code >= 0x180B && code <= 0x180F) || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x2060 && code <= 0x206F) || code == 0x3164 || code == 0xFEFF || code == 0xFFA0 ||
           (code >= 0xE0000 && code <= 0xE0FFF);
}

/* "x.exe" with a blank behind it that is none to most programs. */
static bool is_wide_blank(uint32_t code)
{
    return code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x205F ||
           code == 0x2800 || code == 0x3000;
}

static bool is_forbidden(char c)
{
    return c != '\0' && strchr("/\\:*?\"<>|", c) != NULL;
}

/* Names that are devices to Windows, whatever stands behind a dot. */
static bool is_device(const char *name)
{
    static const char *const devices[] = { "con", "prn", "aux", "nul", "conin$", "conout$" };
    size_t len = strcspn(name, ".");
    while (len > 0 && name[len - 1] == ' ')
        len--;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (strlen(devices[i]) == len && strncasecmp(name, devices[i], len) == 0)
            return true;
    }
    return len == 4 && (strncasecmp(name, "com", 3) == 0 || strncasecmp(name, "lpt", 3) == 0) && name[3] >= '0' &&
           name[3] <= '9';
}

/* One line without what means something in paths; "" when nothing is left. */
static char *clean_name(const char *wanted)
{
    size_t len = strlen(wanted);
    char *line = convert_utf8_one_line(wanted, len, len < WANTED_MAX ? len * 3 : WANTED_MAX);
    struct strbuf name;
    strbuf_init(&name, strlen(line) + 2);
    for (size_t i = 0; line[i];) {
        uint32_t code;
        size_t n = convert_utf8_char(line + i, strlen(line + i) < 4 ? strlen(line + i) : 4, &code);
        if (is_forbidden(line[i]))
            strbuf_add_char(&name, '_');
        else if (is_wide_blank(code))
            strbuf_add_char(&name, ' ');
        else if (n > 0 && !is_invisible(code))
            strbuf_add(&name, line + i, n);
        i += n > 0 ? n : 1;
    }
    free(line);
    if (name.len > 0 && name.data[0] == '.')
        name.data[0] = '_'; /* neither hidden nor "..": it might be saved under this name */
    while (name.len > 0 && (name.data[name.len - 1] == '.' || name.data[name.len - 1] == ' '))
        strbuf_truncate(&name, name.len - 1);
    char *clean = strbuf_detach(&name);
    if (!is_device(clean))
        return clean;
    strbuf_init(&name, strlen(clean) + 2);
    strbuf_add_fmt(&name, "_%s", clean);
    free(clean);
    return strbuf_detach(&name);
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
    for (long taken; (taken = find_taken(names, composed)) != NOT_TAKEN;) {
        free(composed);
        number = number == 1 ? ++names->numbers[taken] : number + 1; /* many of one name must not be tried one by one */
        composed = compose(name, number);
    }
    free(clean);
    names->names = xreallocarray(names->names, names->count + 1, sizeof(char *));
    names->numbers = xreallocarray(names->numbers, names->count + 1, sizeof *names->numbers);
    names->numbers[names->count] = 1;
    names->names[names->count++] = composed;
    return composed;
}

void convert_names_free(struct convert_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    free(names->numbers);
    *names = (struct convert_names){ 0 };
}
