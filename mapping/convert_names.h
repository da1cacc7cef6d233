/* convert_names.h - names of attachments that are safe everywhere and unique in their message
 *
 * A set hands out names with the prefix "u:", at most CONVERT_NAME_MAX bytes of UTF-8, one line, without path
 * separators and what Windows takes for something else (":", "?", "NUL.txt"), without characters that don't show or
 * turn text around, unlike any other in the set even where case does not count. Internal to mapping/convert*.
 */
#pragma once
#include <stddef.h>

struct convert_names {
    char **names;
    unsigned *numbers; /* of each name: how many have wanted it */
    size_t count;
};

/* wanted: any text; "" means fallback ("part-2.bin"). The result belongs to the set. */
const char *convert_names_add(struct convert_names *names, const char *wanted, const char *fallback);
void convert_names_free(struct convert_names *names);
