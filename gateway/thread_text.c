/* thread_text.c - see thread_text.h */
#include "gateway/thread_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert.h"
#include "mapping/convert_utf8.h"

/* A longer subject comes back cut, behind a "Re:" or two. */
enum { COMPARED_MAX = 900 };

/* Prefixes that mail programs put before a reply's or a forward's subject, in the languages commonly met. "Ref:" is none:
 * it is what people write themselves. ASCII letters are compared without case. */
static const struct prefix {
    const char *word;
    bool is_forward;
} prefixes[] = {
    { "re", false },    { "aw", false },   { "antw", false }, { "antwort", false }, { "sv", false },
    { "vs", false },    { "odp", false },  { "res", false },  { "ynt", false },     { "r", false },
    { "vá", false },    { "απ", false },   { "ΑΠ", false },   { "отв", false },     { "Отв", false },
    { "на", false },    { "На", false },   { "НА", false },   { "回复", false },    { "回覆", false },
    { "答复", false },  { "答覆", false }, { "返信", false }, { "회신", false },    { "رد", false },
    { "תגובה", false }, { "fwd", true },   { "fw", true },    { "wg", true },       { "tr", true },
    { "vl", true },     { "rv", true },    { "enc", true },   { "i", true },        { "doorst", true },
    { "pd", true },     { "ilt", true },   { "vb", true },    { "пер", true },      { "Пер", true },
    { "转发", true },   { "轉寄", true },  { "轉發", true },  { "転送", true },     { "전달", true },
    { "הועבר", true },
};

/* Length of the space at p, 0 for none: "Re :" has a no-break one in French, and CJK has a wide one. */
static size_t space_len(const char *p)
{
    static const char *const spaces[] = { " ", "\t", "\r", "\n", "\u00A0", "\u202F", "\u3000" };
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        if (strncmp(p, spaces[i], strlen(spaces[i])) == 0)
            return strlen(spaces[i]);
    return 0;
}

static const char *skip_space(const char *p)
{
    size_t len;
    while ((len = space_len(p)) > 0)
        p += len;
    return p;
}

/* Behind "[2]", "(2)" or "^2"; p when there is no count. */
static const char *skip_count(const char *p)
{
    static const char digits[] = "0123456789";
    if (*p == '^' && strspn(p + 1, digits) > 0)
        return p + 1 + strspn(p + 1, digits);
    if (*p != '[' && *p != '(')
        return p;
    char end = *p == '[' ? ']' : ')';
    const char *rest = p + 1 + strspn(p + 1, digits);
    return *rest == end ? rest + 1 : p;
}

/* Behind "Re:" or "Re[2] :" and the space after it; NULL when there is none. */
static const char *skip_prefix(const char *p, const struct prefix *prefix)
{
    static const char wide_colon[] = "\uFF1A";
    size_t len = strlen(prefix->word);
    if (strncasecmp(p, prefix->word, len) != 0)
        return NULL;
    p = skip_space(skip_count(skip_space(p + len)));
    if (*p == ':')
        return skip_space(p + 1);
    if (strncmp(p, wide_colon, sizeof wide_colon - 1) == 0)
        return skip_space(p + sizeof wide_colon - 1);
    return NULL;
}

/* Behind the first prefix: of a reply only, or of a forward too. NULL when there is none. */
static const char *skip_any(const char *p, bool of_forwards)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *rest = prefixes[i].is_forward && !of_forwards ? NULL : skip_prefix(p, &prefixes[i]);
        if (rest)
            return rest;
    }
    return NULL;
}

static const char *skip_all(const char *subject, bool of_forwards)
{
    const char *p = skip_space(subject), *rest;
    while ((rest = skip_any(p, of_forwards)))
        p = rest;
    return p;
}

const char *thread_text_base_subject(const char *subject)
{
    return skip_all(subject, true);
}

/* Mail without a subject is answered without one. */
static const char *as_mailed(const char *subject)
{
    return strcmp(subject, CONVERT_NO_SUBJECT) == 0 ? "" : subject;
}

/* As it looks after a journey by mail. The caller frees it. */
static char *comparable(const char *subject)
{
    const char *base = as_mailed(thread_text_base_subject(subject));
    return convert_utf8_one_line(base, strlen(base), COMPARED_MAX);
}

bool thread_text_same_subject(const char *thread_subject, const char *subject)
{
    char *a = comparable(thread_subject), *b = comparable(subject);
    bool same = strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

void thread_text_add_reply(struct strbuf *out, const char *subject)
{
    strbuf_add_str(out, "Re: ");
    strbuf_add_str(out, as_mailed(skip_all(subject, false)));
}

void thread_text_add_forward(struct strbuf *out, const char *subject)
{
    const char *start = skip_space(subject);
    bool is_forward = false;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && !is_forward; i++)
        is_forward = prefixes[i].is_forward && skip_prefix(start, &prefixes[i]);
    strbuf_add_fmt(out, "%s%s", is_forward ? "" : "Fwd: ", start);
}
