#include "mapping/convert_html_token.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void html_tokens_init(struct html_tokens *tokens, const char *text, size_t len)
{
    *tokens = (struct html_tokens){ .text = text, .len = len, .raw = HTML_TEXT };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool begins(const struct html_tokens *tokens, size_t at, const char *prefix)
{
    size_t n = strlen(prefix);
    return tokens->len - at >= n && memcmp(tokens->text + at, prefix, n) == 0;
}

/* Offset of c from `at`; the length when there is none. */
static size_t find_char(const struct html_tokens *tokens, size_t at, char c)
{
    const char *found = at < tokens->len ? memchr(tokens->text + at, c, tokens->len - at) : NULL;
    return found ? (size_t)(found - tokens->text) : tokens->len;
}

/* ---- what is no token ---- */

/* Where the comment that begins at `at` ends; only its four characters when it never does. */
static size_t skip_comment(struct html_tokens *tokens, size_t at)
{
    size_t start = at + 4;
    if (tokens->no_comment_end)
        return start;
    if (begins(tokens, start, ">")) /* "<!-->" and "<!--->" are empty */
        return start + 1;
    if (begins(tokens, start, "->"))
        return start + 2;
    const char *end = memmem(tokens->text + start, tokens->len - start, "-->", 3);
    if (end)
        return (size_t)(end - tokens->text) + 3;
    tokens->no_comment_end = true;
    return start;
}

/* ---- tags ---- */

/* The end of a quoted value whose quote is at `at`; 0 when the quote never ends. */
static size_t quoted_end(struct html_tokens *tokens, size_t at)
{
    bool *none = tokens->text[at] == '"' ? &tokens->no_double : &tokens->no_single;
    if (*none)
        return 0;
    size_t end = find_char(tokens, at + 1, tokens->text[at]);
    *none = end == tokens->len;
    return *none ? 0 : end;
}

/* Any ">" from `at` on, likewise. */
static size_t find_end(struct html_tokens *tokens, size_t at)
{
    size_t end = tokens->no_end ? tokens->len : find_char(tokens, at, '>');
    tokens->no_end = end == tokens->len;
    return end;
}

/* The ">" of the tag whose name ends at `at`: quoted values may have others. The document's length when there is
 * none. */
static size_t tag_end(struct html_tokens *tokens, size_t at)
{
    size_t start = at;
    bool after_equals = false;
    for (; at < tokens->len && tokens->text[at] != '>' && !tokens->no_tag_end; at++) {
        char c = tokens->text[at];
        if (after_equals && (c == '"' || c == '\'')) {
            size_t end = quoted_end(tokens, at);
            if (end == 0) /* broken: then every ">" counts */
                break;
            at = end;
        }
        after_equals = c == '=' || (after_equals && is_blank(c));
    }
    size_t end = find_end(tokens, at);
    if (end < tokens->len)
        return end;
    tokens->no_tag_end = true;
    return find_end(tokens, start);
}

static size_t name_end(const struct html_tokens *tokens, size_t at)
{
    while (at < tokens->len && !is_blank(tokens->text[at]) && tokens->text[at] != '/' && tokens->text[at] != '>' &&
           tokens->text[at] != '<')
        at++;
    return at;
}

/* "<bob@example.com>" and "<https://example.com>": somebody forgot to write "&lt;". */
static bool is_address(const struct html_tokens *tokens, size_t at, size_t end)
{
    return memchr(tokens->text + at, '@', end - at) || begins(tokens, end, "//") || begins(tokens, end, "://");
}

/* A tag at `at`, which is "<" or "</" and a letter; false when it is none. */
static bool read_tag(struct html_tokens *tokens, size_t at, struct html_token *token)
{
    bool is_end = tokens->text[at + 1] == '/';
    size_t name = at + 1 + is_end;
    size_t after_name = name_end(tokens, name);
    if (is_address(tokens, name, after_name))
        return false;
    size_t end = tag_end(tokens, after_name);
    token->kind = is_end ? HTML_TOKEN_END : HTML_TOKEN_START;
    token->name = html_name_find(tokens->text + name, after_name - name);
    if (end == tokens->len && token->name == HTML_OTHER)
        return false; /* the document ends in it, and it was hardly meant as one */
    token->text = tokens->text + after_name;
    token->len = end - after_name;
    token->closes_itself = token->len > 0 && token->text[token->len - 1] == '/';
    tokens->at = end < tokens->len ? end + 1 : end;
    if (!is_end && (html_name_flags(token->name) & HTML_IS_RAW))
        tokens->raw = token->name;
    return true;
}

/* Doctypes, conditional marks and the like. */
static void skip_declaration(struct html_tokens *tokens, size_t at)
{
    size_t end = find_end(tokens, at);
    if (end < tokens->len)
        tokens->at = end + 1;
}

/* What stands at "<": a tag (true), or something that is passed over, or just a character (at moves behind it). */
static bool read_markup(struct html_tokens *tokens, size_t *at, struct html_token *token)
{
    char next = *at + 1 < tokens->len ? tokens->text[*at + 1] : '\0';
    char after = *at + 2 < tokens->len ? tokens->text[*at + 2] : '\0';
    if ((isalpha((unsigned char)next) || (next == '/' && isalpha((unsigned char)after))) &&
        read_tag(tokens, *at, token))
        return true;
    if (begins(tokens, *at, "<!--"))
        tokens->at = skip_comment(tokens, *at);
    else if (next == '!' || next == '?' || (next == '/' && !isalpha((unsigned char)after)))
        skip_declaration(tokens, *at);
    *at += 1;
    return false;
}

/* Up to the end tag of the raw element that we are in, or the document's end. */
static bool read_raw(struct html_tokens *tokens, struct html_token *token)
{
    const char *name = html_name_text(tokens->raw);
    size_t n = strlen(name);
    size_t start = tokens->at;
    size_t end = start;
    for (;; end++) {
        end = find_char(tokens, end, '<');
        if (end == tokens->len || (tokens->len - end > n + 2 && tokens->text[end + 1] == '/' &&
                                   strncasecmp(tokens->text + end + 2, name, n) == 0 &&
                                   (is_blank(tokens->text[end + 2 + n]) || strchr("/>", tokens->text[end + 2 + n]))))
            break;
    }
    *token = (struct html_token){
        .kind = HTML_TOKEN_TEXT, .name = tokens->raw, .text = tokens->text + start, .len = end - start
    };
    tokens->raw = HTML_TEXT;
    tokens->at = end;
    return end > start || html_tokens_next(tokens, token);
}

bool html_tokens_next(struct html_tokens *tokens, struct html_token *token_out)
{
    if (tokens->raw != HTML_TEXT)
        return read_raw(tokens, token_out);
    size_t start = tokens->at;
    size_t at = start;
    while (at < tokens->len) {
        at = find_char(tokens, at, '<');
        size_t text_end = at;
        if (at == tokens->len)
            break;
        tokens->at = start;
        bool is_tag = read_markup(tokens, &at, token_out);
        if (!is_tag && tokens->at == start)
            continue;           /* an ordinary character */
        if (text_end > start) { /* the text before it first */
            tokens->at = is_tag ? text_end : tokens->at;
            tokens->raw = HTML_TEXT;
            *token_out =
                (struct html_token){ .kind = HTML_TOKEN_TEXT, .text = tokens->text + start, .len = text_end - start };
            return true;
        }
        if (is_tag)
            return true;
        start = at = tokens->at;
    }
    tokens->at = tokens->len;
    *token_out =
        (struct html_token){ .kind = HTML_TOKEN_TEXT, .text = tokens->text + start, .len = tokens->len - start };
    return tokens->len > start;
}

/* ---- attributes ---- */

bool html_token_next_attribute(struct html_token *token, struct html_attribute *attribute_out)
{
    const char *c = token->text;
    const char *end = c + token->len;
    while (c < end && (is_blank(*c) || *c == '/'))
        c++;
    if (c == end)
        return false;
    const char *name = c++; /* whatever it is, "=" too */
    while (c < end && !is_blank(*c) && *c != '/' && *c != '=')
        c++;
    attribute_out->name = html_attribute_find(name, (size_t)(c - name));
    attribute_out->value = c;
    attribute_out->len = 0;
    while (c < end && is_blank(*c))
        c++;
    if (c < end && *c == '=') {
        for (c++; c < end && is_blank(*c);)
            c++;
        char quote = c < end && (*c == '"' || *c == '\'') ? *c : '\0';
        const char *value = quote != '\0' ? c + 1 : c;
        const char *stop = quote != '\0' ? memchr(value, quote, (size_t)(end - value)) : NULL;
        if (stop) {
            c = stop + 1;
        } else {
            while (c < end && !is_blank(*c))
                c++;
            stop = c;
        }
        attribute_out->value = value;
        attribute_out->len = (size_t)(stop - value);
    }
    token->text = c;
    token->len = (size_t)(end - c);
    return true;
}
