/* thread_text.c - see thread_text.h */
#include "gateway/thread_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Prefixes that mail programs put before a reply's or a forward's subject, in the languages commonly met. */
static const char *const prefixes[] = { "re",  "aw",  "sv", "vs", "antw", "ref", "rv",
                                        "odp", "fwd", "fw", "wg", "tr",   "vl" };

static const char *skip_space(const char *p)
{
    while (*p && isspace((unsigned char)*p))
        p++;
    return p;
}

/* Behind "Re:" or "Re[2]:"; NULL when there is none. */
static const char *skip_prefix(const char *p)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t len = strlen(prefixes[i]);
        if (strncasecmp(p, prefixes[i], len) != 0)
            continue;
        const char *rest = p + len;
        if (*rest == '[' || *rest == '(') {
            rest++;
            while (isdigit((unsigned char)*rest))
                rest++;
            if (*rest != ']' && *rest != ')')
                continue;
            rest++;
        }
        if (*rest == ':')
            return rest + 1;
    }
    return NULL;
}

const char *thread_text_base_subject(const char *subject)
{
    const char *p = skip_space(subject), *rest;
    while ((rest = skip_prefix(p)))
        p = skip_space(rest);
    return p;
}

bool thread_text_same_subject(const char *thread_subject, const char *subject)
{
    const char *a = thread_text_base_subject(thread_subject), *b = thread_text_base_subject(subject);
    size_t a_len = strlen(a), b_len = strlen(b);
    while (a_len && isspace((unsigned char)a[a_len - 1]))
        a_len--;
    while (b_len && isspace((unsigned char)b[b_len - 1]))
        b_len--;
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}
