/* tmtp_alias.c - see tmtp_alias.h */
#include "tmtp/tmtp_alias.h"

#include <string.h>

static bool stays_as_it_is(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~' || c == ' '; /* which becomes a plus */
}

size_t tmtp_alias_escaped_size(const char *text, size_t len)
{
    size_t size = 0;
    for (size_t i = 0; i < len; i++)
        size += stays_as_it_is(text[i]) ? 1 : 3;
    return size;
}

bool tmtp_alias_is_safe(const char *alias)
{
    bool is_folder = alias && (strcmp(alias, ".") == 0 || strcmp(alias, "..") == 0);
    return alias && !is_folder && tmtp_alias_escaped_size(alias, strlen(alias)) <= TMTP_ALIAS_ESCAPED_MAX;
}
