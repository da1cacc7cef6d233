#include <assert.h>
#include <string.h>

#include "smtp/spf_internal.h"

enum {
    VALUE_MAX = SMTP_LOCAL_MAX + 1 + SMTP_DOMAIN_MAX, /* octets that a letter may stand for: a sender */
    PARTS_MAX = VALUE_MAX + 1,
    KEEP_ALL = VALUE_MAX + 1, /* more right-hand parts than there can be */
};

static const char letters_everywhere[] = "slodiphv";
static const char letters_of_explanations[] = "crt";
static const char delimiters[] = ".-+,/_=";

/* A piece of a macro-string: a literal text, or a letter with its transformers. */
struct token {
    const char *literal; /* NULL: it is a letter */
    size_t literal_len;
    bool is_macro; /* a letter, or one of "%%", "%_" and "%-" */
    char letter;   /* in lower case */
    bool is_escaped;
    size_t keep; /* right-hand parts */
    bool is_reversed;
    struct spf_text delimiters; /* len 0: the dot */
};

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_letter_allowed(char letter, enum spf_macro_use use)
{
    return is_one_of(letter, letters_everywhere) ||
           (use == SPF_MACRO_EXPLANATION && is_one_of(letter, letters_of_explanations));
}

/* What stands between "%{" and "}". 1; -1. */
static int read_letter(const char **at, const char *end, enum spf_macro_use use, struct token *token_out)
{
    const char *close = memchr(*at, '}', (size_t)(end - *at));
    if (close == NULL || close == *at)
        return -1;
    const char *next = *at;
    char c = *next++;
    token_out->is_escaped = c >= 'A' && c <= 'Z';
    token_out->letter = token_out->is_escaped ? (char)(c - 'A' + 'a') : c;
    if (!is_letter_allowed(token_out->letter, use))
        return -1;
    bool has_digits = next < close && *next >= '0' && *next <= '9';
    token_out->keep = has_digits ? 0 : KEEP_ALL;
    for (; next < close && *next >= '0' && *next <= '9'; next++) {
        token_out->keep = token_out->keep * 10 + (size_t)(*next - '0');
        if (token_out->keep > KEEP_ALL)
            token_out->keep = KEEP_ALL;
    }
    if (token_out->keep == 0)
        return -1; /* section 7.1: the value must be nonzero */
    token_out->is_reversed = next < close && (*next == 'r' || *next == 'R');
    next += token_out->is_reversed;
    token_out->delimiters = (struct spf_text){ next, (size_t)(close - next) };
    for (; next < close; next++) {
        if (!is_one_of(*next, delimiters))
            return -1;
    }
    *at = close + 1;
    return 1;
}

static bool is_literal(char c, enum spf_macro_use use)
{
    return (c >= 0x21 && c <= 0x7E && c != '%') || (c == ' ' && use == SPF_MACRO_EXPLANATION);
}

/* 1; 0 at the end; -1 not well-formed. */
static int next_token(const char **at, const char *end, enum spf_macro_use use, struct token *token_out)
{
    static const struct {
        char c;
        const char *text;
    } escapes[] = { { '%', "%" }, { '_', " " }, { '-', "%20" } };

    memset(token_out, 0, sizeof *token_out);
    if (*at == end)
        return 0;
    if (**at != '%') {
        token_out->literal = *at;
        while (*at < end && is_literal(**at, use))
            (*at)++;
        token_out->literal_len = (size_t)(*at - token_out->literal);
        return token_out->literal_len > 0 ? 1 : -1;
    }
    if (end - *at < 2)
        return -1;
    char c = (*at)[1];
    *at += 2;
    token_out->is_macro = true;
    if (c == '{')
        return read_letter(at, end, use, token_out);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (escapes[i].c == c) {
            token_out->literal = escapes[i].text;
            token_out->literal_len = strlen(escapes[i].text);
            return 1;
        }
    }
    return -1;
}

int spf_macro_check(const char *text, size_t len, enum spf_macro_use use, enum spf_macro_end *end_out)
{
    const char *at = text;
    const char *end = text + len;
    struct token token;
    int more;
    *end_out = SPF_MACRO_END_LITERAL;
    while ((more = next_token(&at, end, use, &token)) == 1)
        *end_out = token.is_macro ? SPF_MACRO_END_EXPANDED : SPF_MACRO_END_LITERAL;
    return more == 0 ? 1 : -1;
}

static void add_escaped(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (is_plain || is_one_of((char)c, "-._~"))
            strbuf_add_char(out, (char)c);
        else
            strbuf_add_fmt(out, "%%%02X", c);
    }
}

/* The value split at the delimiters. Returns how many parts there are. */
static size_t split(const char *value, const struct token *token, struct spf_text parts[static PARTS_MAX])
{
    size_t count = 0;
    const char *start = value;
    for (const char *at = value;; at++) {
        bool is_end = *at == '\0' || (size_t)(at - value) == VALUE_MAX;
        bool is_delimiter =
            token->delimiters.len > 0 ? memchr(token->delimiters.data, *at, token->delimiters.len) != NULL : *at == '.';
        if (!is_end && !is_delimiter)
            continue;
        parts[count++] = (struct spf_text){ start, (size_t)(at - start) };
        start = at + 1;
        if (is_end)
            return count;
    }
}

static void add_value(struct strbuf *out, const char *value, const struct token *token)
{
    struct spf_text parts[PARTS_MAX];
    size_t count = split(value, token, parts);
    size_t keep = token->keep < count ? token->keep : count;
    for (size_t i = count - keep; i < count; i++) {
        const struct spf_text *part = &parts[token->is_reversed ? count - 1 - i : i];
        if (i > count - keep)
            strbuf_add_char(out, '.');
        if (token->is_escaped)
            add_escaped(out, part->data, part->len);
        else
            strbuf_add(out, part->data, part->len);
    }
}

int spf_macro_expand(const char *text, size_t len, enum spf_macro_use use, const struct spf_macro_values *values,
                     struct strbuf *out)
{
    const char *at = text;
    struct token token;
    while (next_token(&at, text + len, use, &token) == 1 && strbuf_ok(out)) {
        if (token.literal != NULL) {
            strbuf_add(out, token.literal, token.literal_len);
            continue;
        }
        if (values->is_local_utf8 && is_one_of(token.letter, "sl"))
            return 0;
        const char *value = values->of[token.letter - 'a'];
        if (token.letter == 'p')
            value = values->find_client_name(values->ctx);
        assert(value != NULL);
        add_value(out, value, &token);
    }
    return 1;
}
