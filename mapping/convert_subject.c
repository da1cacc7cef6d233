#include "mapping/convert_subject.h"

#include <string.h>

#include "mapping/convert_case.h"

enum { TAG_MAX = 100 }; /* octets between brackets */

/* In the languages of mail programs. "Ref:" is none: it is what people write themselves. */
static const struct prefix {
    const char *word;
    enum convert_subject_prefix kind;
} prefixes[] = {
    { "re", CONVERT_SUBJECT_REPLY },
    { "aw", CONVERT_SUBJECT_REPLY },
    { "antw", CONVERT_SUBJECT_REPLY },
    { "antwort", CONVERT_SUBJECT_REPLY },
    { "sv", CONVERT_SUBJECT_REPLY },
    { "vs", CONVERT_SUBJECT_REPLY },
    { "odp", CONVERT_SUBJECT_REPLY },
    { "res", CONVERT_SUBJECT_REPLY },
    { "ynt", CONVERT_SUBJECT_REPLY },
    { "r", CONVERT_SUBJECT_REPLY },
    { "rif", CONVERT_SUBJECT_REPLY },
    { "rép", CONVERT_SUBJECT_REPLY },
    { "vá", CONVERT_SUBJECT_REPLY },
    { "bls", CONVERT_SUBJECT_REPLY },
    { "odg", CONVERT_SUBJECT_REPLY },
    { "ats", CONVERT_SUBJECT_REPLY },
    { "atb", CONVERT_SUBJECT_REPLY },
    { "απ", CONVERT_SUBJECT_REPLY },
    { "σχετ", CONVERT_SUBJECT_REPLY },
    { "отв", CONVERT_SUBJECT_REPLY },
    { "на", CONVERT_SUBJECT_REPLY },
    { "відп", CONVERT_SUBJECT_REPLY },
    { "回复", CONVERT_SUBJECT_REPLY },
    { "回覆", CONVERT_SUBJECT_REPLY },
    { "答复", CONVERT_SUBJECT_REPLY },
    { "答覆", CONVERT_SUBJECT_REPLY },
    { "返信", CONVERT_SUBJECT_REPLY },
    { "回信", CONVERT_SUBJECT_REPLY },
    { "회신", CONVERT_SUBJECT_REPLY },
    { "답장", CONVERT_SUBJECT_REPLY },
    { "رد", CONVERT_SUBJECT_REPLY },
    { "پاسخ", CONVERT_SUBJECT_REPLY },
    { "תגובה", CONVERT_SUBJECT_REPLY },
    { "השב", CONVERT_SUBJECT_REPLY },
    { "trả lời", CONVERT_SUBJECT_REPLY },
    { "ตอบ", CONVERT_SUBJECT_REPLY },
    { "ตอบกลับ", CONVERT_SUBJECT_REPLY },
    { "fwd", CONVERT_SUBJECT_FORWARD },
    { "fw", CONVERT_SUBJECT_FORWARD },
    { "wg", CONVERT_SUBJECT_FORWARD },
    { "tr", CONVERT_SUBJECT_FORWARD },
    { "vl", CONVERT_SUBJECT_FORWARD },
    { "rv", CONVERT_SUBJECT_FORWARD },
    { "enc", CONVERT_SUBJECT_FORWARD },
    { "i", CONVERT_SUBJECT_FORWARD },
    { "doorst", CONVERT_SUBJECT_FORWARD },
    { "pd", CONVERT_SUBJECT_FORWARD },
    { "ilt", CONVERT_SUBJECT_FORWARD },
    { "vb", CONVERT_SUBJECT_FORWARD },
    { "trs", CONVERT_SUBJECT_FORWARD },
    { "prosl", CONVERT_SUBJECT_FORWARD },
    { "továbbítás", CONVERT_SUBJECT_FORWARD },
    { "πρθ", CONVERT_SUBJECT_FORWARD },
    { "пер", CONVERT_SUBJECT_FORWARD },
    { "转发", CONVERT_SUBJECT_FORWARD },
    { "轉寄", CONVERT_SUBJECT_FORWARD },
    { "轉發", CONVERT_SUBJECT_FORWARD },
    { "転送", CONVERT_SUBJECT_FORWARD },
    { "전달", CONVERT_SUBJECT_FORWARD },
    { "הועבר", CONVERT_SUBJECT_FORWARD },
    { "إعادة توجيه", CONVERT_SUBJECT_FORWARD },
    { "chuyển tiếp", CONVERT_SUBJECT_FORWARD },
    { "ส่งต่อ", CONVERT_SUBJECT_FORWARD },
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

const char *convert_subject_skip_space(const char *text)
{
    size_t len;
    while ((len = space_len(text)) > 0)
        text += len;
    return text;
}

/* Behind "[2]", "(2)", "^2" or "2" (RFC 5256 section 5, and what programs write besides); p when there is no count. */
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
static const char *skip_word(const char *text, const char *word)
{
    static const char wide_colon[] = "\uFF1A";
    size_t len = convert_case_prefix_len(text, strlen(text), word);
    if (len == 0)
        return NULL;
    const char *p = convert_subject_skip_space(skip_count(convert_subject_skip_space(text + len)));
    if (*p == ':')
        return convert_subject_skip_space(p + 1);
    if (strncmp(p, wide_colon, sizeof wide_colon - 1) == 0)
        return convert_subject_skip_space(p + sizeof wide_colon - 1);
    return NULL;
}

const char *convert_subject_skip_prefix(const char *text, enum convert_subject_prefix *kind_out)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *rest = skip_word(text, prefixes[i].word);
        if (rest) {
            *kind_out = prefixes[i].kind;
            return rest;
        }
    }
    return NULL;
}

const char *convert_subject_skip_tag(const char *text)
{
    if (*text != '[')
        return NULL;
    size_t len = strcspn(text + 1, "[]");
    if (len == 0 || len > TAG_MAX || text[1 + len] != ']')
        return NULL;
    const char *rest = convert_subject_skip_space(text + len + 2);
    return *rest ? rest : NULL;
}

bool convert_subject_is_forward(const char *subject)
{
    const char *text = convert_subject_skip_space(subject);
    for (const char *rest; (rest = convert_subject_skip_tag(text));)
        text = rest;
    if (*text == '[') /* Netscape's "[Fwd: x]" */
        text++;
    enum convert_subject_prefix kind;
    return convert_subject_skip_prefix(text, &kind) && kind == CONVERT_SUBJECT_FORWARD;
}
