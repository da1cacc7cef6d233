/* config_edit.c - see config_edit.h */
#include "gateway/config_edit.h"

#include <string.h>

#include "base/strbuf.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_EQUALS, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_OTHER };

struct token {
    enum token_kind kind;
    size_t begin, end;
};

/* What was found of a place; offsets into the text. */
struct found {
    bool has_section, has_key;
    size_t open, close;       /* behind "{", and at "}"; of the top: 0 and the end */
    size_t key, value, after; /* where key and value begin, and behind the value */
    size_t first;             /* the top's first statement */
};

/* ---- reading ---- */

static size_t skip_comment(const char *text, size_t at)
{
    if (text[at] == '#' || (text[at] == '/' && text[at + 1] == '/'))
        return at + strcspn(text + at, "\n");
    if (text[at] != '/' || text[at + 1] != '*')
        return at;
    const char *end = strstr(text + at + 2, "*/");
    return end ? (size_t)(end - text) + 2 : at + strlen(text + at);
}

static size_t skip_blank(const char *text, size_t at)
{
    for (size_t next;; at = next) {
        next = skip_comment(text, at + strspn(text + at, " \t\r\n"));
        if (next == at)
            return at;
    }
}

static size_t skip_quoted(const char *text, size_t at)
{
    const char quote = text[at++];
    while (text[at] && text[at] != quote)
        at += text[at] == '\\' && text[at + 1] ? 2 : 1;
    return at + (text[at] != 0);
}

static struct token next_token(const char *text, size_t at)
{
    at = skip_blank(text, at);
    struct token token = { TOKEN_OTHER, at, at + 1 };
    switch (text[at]) {
    case 0:
        return (struct token){ TOKEN_END, at, at };
    case '{':
        token.kind = TOKEN_OPEN;
        return token;
    case '}':
        token.kind = TOKEN_CLOSE;
        return token;
    case '=':
        token.kind = TOKEN_EQUALS;
        return token;
    case '+':
        if (text[at + 1] == '=')
            return (struct token){ TOKEN_EQUALS, at, at + 2 };
        break;
    case '"':
    case '\'':
        return (struct token){ TOKEN_WORD, at, skip_quoted(text, at) };
    case ',':
    case '(':
    case ')':
        return token;
    default:
        break;
    }
    size_t len = strcspn(text + at, " \t\r\n{}=,()\"'#");
    return (struct token){ TOKEN_WORD, at, at + (len > 0 ? len : 1) };
}

/* Is this word, quoted or not? */
static bool is_word(const char *text, struct token token, const char *word)
{
    size_t begin = token.begin, end = token.end;
    if (text[begin] == '"' || text[begin] == '\'') {
        begin++;
        end--;
    }
    return strlen(word) == end - begin && memcmp(text + begin, word, end - begin) == 0;
}

/* Behind the "}" that belongs to an "{" which was just read; *close_out is where it is. */
static size_t skip_section(const char *text, size_t at, size_t *close_out)
{
    int depth = 1;
    while (depth > 0) {
        struct token token = next_token(text, at);
        *close_out = token.begin;
        if (token.kind == TOKEN_END)
            return token.begin;
        depth += token.kind == TOKEN_OPEN ? 1 : token.kind == TOKEN_CLOSE ? -1 : 0;
        at = token.end;
    }
    return at;
}

/* One statement, whose first token was read. Behind it. */
static size_t read_statement(const char *text, struct token first, const struct config_place *place, bool is_in,
                             struct found *found)
{
    struct token second = next_token(text, first.end), title = { TOKEN_END, 0, 0 };
    size_t close;
    if (first.kind != TOKEN_WORD)
        return first.end;
    if (second.kind == TOKEN_EQUALS) {
        struct token value = next_token(text, second.end);
        size_t after = value.kind == TOKEN_OPEN ? skip_section(text, value.end, &close) : value.end;
        bool is_value = value.kind == TOKEN_WORD || value.kind == TOKEN_OPEN;
        if (is_in && is_value && is_word(text, first, place->key)) {
            found->has_key = true;
            found->key = first.begin;
            found->value = value.begin;
            found->after = after;
        }
        return after;
    }
    if (second.kind == TOKEN_WORD) {
        title = second;
        second = next_token(text, second.end);
    }
    if (second.kind != TOKEN_OPEN)
        return second.end;
    size_t after = skip_section(text, second.end, &close);
    bool has_title = !place->title || (title.kind == TOKEN_WORD && is_word(text, title, place->title));
    if (place->section && !found->has_section && has_title && is_word(text, first, place->section)) {
        found->has_section = true;
        found->open = second.end;
        found->close = close;
    }
    return after;
}

static struct found find(const char *text, const struct config_place *place)
{
    struct found found = { .close = strlen(text) };
    struct token token = next_token(text, 0);
    found.first = token.begin;
    for (; token.kind != TOKEN_END; token = next_token(text, token.end))
        token.end = read_statement(text, token, place, !place->section, &found);
    if (!found.has_section)
        return found;
    token = next_token(text, found.open);
    for (; token.kind != TOKEN_END && token.begin < found.close; token = next_token(text, token.end))
        token.end = read_statement(text, token, place, true, &found);
    return found;
}

/* ---- changing ---- */

static void replace(struct strbuf *text, size_t begin, size_t end, const char *with)
{
    struct strbuf rest;
    strbuf_init(&rest, CONFIG_EDIT_MAX);
    strbuf_add(&rest, text->data + end, text->len - end);
    strbuf_truncate(text, begin);
    strbuf_add_str(text, with);
    strbuf_add(text, rest.data, rest.len);
    strbuf_free(&rest);
}

static size_t line_begin(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

static bool is_blank(const char *text, size_t begin, size_t end)
{
    return begin + strspn(text + begin, " \t\r") >= end;
}

static void add_key(struct strbuf *text, const struct config_place *place, const struct found *found, const char *value)
{
    struct strbuf line;
    size_t at;
    strbuf_init(&line, CONFIG_EDIT_MAX);
    if (!place->section) {
        at = line_begin(text->data, found->first);
        strbuf_add_fmt(&line, "%s = %s\n", place->key, value);
    } else if (!found->has_section) {
        at = text->len;
        strbuf_add_fmt(&line, "%s\n%s%s%s {\n  %s = %s\n}\n", at > 0 && text->data[at - 1] != '\n' ? "\n" : "",
                       place->section, place->title ? " " : "", place->title ? place->title : "", place->key, value);
    } else if (is_blank(text->data, line_begin(text->data, found->close), found->close) && found->close > found->open) {
        at = line_begin(text->data, found->close);
        strbuf_add_fmt(&line, "  %s = %s\n", place->key, value);
    } else { /* all in one line */
        at = found->close;
        strbuf_add_fmt(&line, "%s%s = %s ", text->data[at - 1] == ' ' ? "" : " ", place->key, value);
    }
    replace(text, at, at, line.data);
    strbuf_free(&line);
}

void config_edit_set(struct strbuf *text, const struct config_place *place, const char *value)
{
    const struct found found = find(text->data, place);
    if (found.has_key)
        replace(text, found.value, found.after, value);
    else
        add_key(text, place, &found, value);
}

bool config_edit_remove(struct strbuf *text, const struct config_place *place)
{
    const struct found found = find(text->data, place);
    if (!found.has_key)
        return false;
    const size_t begin = line_begin(text->data, found.key);
    const size_t line_end = found.after + strcspn(text->data + found.after, "\n");
    if (is_blank(text->data, begin, found.key) && is_blank(text->data, found.after, line_end))
        replace(text, begin, line_end + (text->data[line_end] == '\n'), "");
    else
        replace(text, found.key, found.after + strspn(text->data + found.after, " \t"), "");
    return true;
}

bool config_edit_has(const struct strbuf *text, const struct config_place *place)
{
    return find(text->data, place).has_key;
}

void config_edit_add_quoted(struct strbuf *out, const char *text)
{
    strbuf_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text == '$') /* "${HOME}" would be the environment's */
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, *text);
    }
    strbuf_add_char(out, '"');
}
