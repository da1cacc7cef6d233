/* thread_text.c - see thread_text.h */
#include "gateway/thread_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert.h"
#include "mapping/convert_subject.h"
#include "mapping/convert_utf8.h"

/* A longer subject comes back cut, behind a "Re:" or two. */
enum { COMPARED_MAX = 900, TAGS_MAX = 2000 };

static const char *skip_prefixes(const char *subject, bool of_forwards)
{
    const char *p = convert_subject_skip_space(subject), *rest;
    enum convert_subject_prefix kind;
    while ((rest = convert_subject_skip_prefix(p, &kind)) && (of_forwards || kind == CONVERT_SUBJECT_REPLY))
        p = rest;
    return p;
}

const char *thread_text_base_subject(const char *subject)
{
    return skip_prefixes(subject, true);
}

/* Mail without a subject is answered without one. */
static const char *as_mailed(const char *subject)
{
    return strcmp(subject, CONVERT_NO_SUBJECT) == 0 ? "" : subject;
}

/* A subject taken apart for comparison (RFC 5256 section 2.1, whose rules for tags are laxer). */
struct parts {
    struct strbuf tags; /* "[a][b]" */
    char *base;         /* as it looks after a journey by mail */
};

/* Behind the tag that text begins with, and what stands behind that of "Re:"; NULL when there is no tag, or nothing else. */
static const char *skip_tag(const char *text, bool of_forwards)
{
    const char *rest = convert_subject_skip_tag(text);
    return rest && *thread_text_base_subject(rest) ? skip_prefixes(rest, of_forwards) : NULL;
}

static const char *take_tags(struct parts *parts, const char *subject)
{
    const char *p = thread_text_base_subject(subject);
    for (const char *rest; (rest = skip_tag(p, true)); p = rest)
        strbuf_add(&parts->tags, p, strcspn(p, "]") + 1);
    return p;
}

static size_t trim(const char *text, size_t len)
{
    static const char mark[] = "(fwd)";
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    bool has_mark = len > sizeof mark - 1 && strncasecmp(text + len - (sizeof mark - 1), mark, sizeof mark - 1) == 0;
    return has_mark ? trim(text, len - (sizeof mark - 1)) : len;
}

static void take_apart(struct parts *parts, const char *subject)
{
    strbuf_init(&parts->tags, TAGS_MAX);
    const char *base = take_tags(parts, as_mailed(subject));
    size_t len = trim(base, strlen(base));
    if (*base == '[' && len > 1 && base[len - 1] == ']' && convert_subject_is_forward(base)) { /* "[Fwd: x]" */
        const char *end = base + len - 1;
        base = take_tags(parts, base + 1);
        len = base < end ? trim(base, (size_t)(end - base)) : 0;
    }
    bool is_empty = strcmp(base, CONVERT_NO_SUBJECT) == 0;
    parts->base = convert_utf8_one_line(base, is_empty ? 0 : len, COMPARED_MAX);
}

static void free_parts(struct parts *parts)
{
    strbuf_free(&parts->tags);
    free(parts->base);
}

/* Lists, ticket systems and filters add tags; to exchange one is to change the subject ("[bug 1]"). */
static bool has_all_tags(const struct parts *parts, const struct parts *of)
{
    for (const char *tag = of->tags.data; *tag; tag += strcspn(tag, "]") + 1)
        if (!memmem(parts->tags.data, parts->tags.len, tag, strcspn(tag, "]") + 1))
            return false;
    return true;
}

bool thread_text_same_subject(const char *thread_subject, const char *subject)
{
    struct parts a, b;
    take_apart(&a, thread_subject);
    take_apart(&b, subject);
    bool has_none = !b.base[0] && b.tags.len == 0; /* small programs leave it out of answers, which changes nothing */
    bool same = has_none || (strcmp(a.base, b.base) == 0 && (has_all_tags(&a, &b) || has_all_tags(&b, &a)));
    free_parts(&a);
    free_parts(&b);
    return same;
}

void thread_text_add_reply(struct strbuf *out, const char *subject)
{
    static const char answer[] = "Re: ";
    const char *p = skip_prefixes(subject, false);
    size_t before = out->len;
    strbuf_add_str(out, answer);
    for (const char *rest; (rest = skip_tag(p, false)); p = rest) /* "[list] Re: x" */
        strbuf_add(out, p, (size_t)(convert_subject_skip_tag(p) - p));
    /* Behind a tag it stays: a tag alone would be another subject. */
    strbuf_add_str(out, out->len > before + sizeof answer - 1 ? p : as_mailed(p));
}

void thread_text_add_forward(struct strbuf *out, const char *subject)
{
    const char *start = convert_subject_skip_space(subject);
    enum convert_subject_prefix kind;
    bool is_forward = convert_subject_skip_prefix(start, &kind) && kind == CONVERT_SUBJECT_FORWARD;
    strbuf_add_fmt(out, "%s%s", is_forward ? "" : "Fwd: ", start);
}
