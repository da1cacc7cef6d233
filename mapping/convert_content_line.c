#include "mapping/convert_content_line.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the line end at data + i; 0 when there is none. CR CR LF is one too: some programs write it. */
static size_t line_end(const char *data, size_t len, size_t i)
{
    size_t n = 0;
    while (n < 2 && i + n < len && data[i + n] == '\r')
        n++;
    return n + (i + n < len && data[i + n] == '\n');
}

void content_unfold(struct convert_charsets *charsets, const char *charset, const void *data, size_t len,
                    struct strbuf *out)
{
    const char *bytes = data;
    struct strbuf joined, decoded;
    strbuf_init(&joined, len + 1);
    strbuf_init(&decoded, len * 3 + 1);
    for (size_t i = 0; i < len;) {
        size_t n = line_end(bytes, len, i);
        if (n == 0) {
            strbuf_add_char(&joined, bytes[i++]);
        } else if (i + n < len && is_blank(bytes[i + n])) {
            i += n + 1;
        } else {
            strbuf_add_char(&joined, '\n');
            i += n;
        }
    }
    (void)convert_charset_decode(charsets, charset, joined.data, joined.len, &decoded);
    convert_text_clean(out, decoded.data, decoded.len);
    strbuf_free(&decoded);
    strbuf_free(&joined);
}

/* Where the value begins: behind the first colon that no quotes are around; quotes that never end count for nothing. */
static const char *find_colon(const char *text, size_t len)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == ':' && !quoted)
            return text + i;
    }
    return memchr(text, ':', len);
}

static bool parse_line(const char *text, size_t len, struct content_line *line)
{
    const char *colon = find_colon(text, len);
    if (!colon)
        return false;
    size_t head = (size_t)(colon - text);
    const char *semicolon = memchr(text, ';', head);
    size_t name_len = semicolon ? (size_t)(semicolon - text) : head;
    const char *dot = memrchr(text, '.', name_len);
    size_t group = dot ? (size_t)(dot - text) + 1 : 0;
    *line = (struct content_line){ .name = text + group,
                                   .name_len = name_len - group,
                                   .params = text + name_len,
                                   .params_len = head - name_len,
                                   .value = colon + 1,
                                   .value_len = len - head - 1 };
    while (line->name_len > 0 && is_blank(line->name[line->name_len - 1]))
        line->name_len--;
    while (line->value_len > 0 && is_blank(line->value[line->value_len - 1]))
        line->value_len--;
    return line->name_len > 0;
}

bool content_line_next(const char **at, const char *end, struct content_line *line_out)
{
    while (*at < end) {
        const char *text = *at;
        const char *lf = memchr(text, '\n', (size_t)(end - text));
        size_t len = lf ? (size_t)(lf - text) : (size_t)(end - text);
        *at = lf ? lf + 1 : end;
        if (parse_line(text, len, line_out))
            return true;
    }
    return false;
}

bool content_is_word(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

bool content_line_is(const struct content_line *line, const char *name)
{
    return content_is_word(line->name, line->name_len, name);
}

bool content_value_is(const struct content_line *line, const char *value)
{
    return content_is_word(line->value, line->value_len, value);
}

struct param {
    const char *name; /* of a bare one: the word */
    size_t name_len;
    const char *value; /* with its quotes; NULL for a bare one */
    size_t value_len;
};

/* The parameter at *at, which begins with ";". */
static bool next_param(const char **at, const char *end, struct param *param_out)
{
    if (*at >= end)
        return false;
    const char *text = *at + 1;
    const char *equals = NULL;
    bool quoted = false;
    const char *c = text;
    for (; c < end && (quoted || *c != ';'); c++) {
        if (*c == '"')
            quoted = !quoted;
        if (*c == '=' && !equals)
            equals = c;
    }
    *at = c;
    *param_out = (struct param){ .name = text, .name_len = (size_t)((equals ? equals : c) - text) };
    if (equals) {
        param_out->value = equals + 1;
        param_out->value_len = (size_t)(c - equals) - 1;
    }
    return true;
}

bool content_line_param(const struct content_line *line, const char *name, struct strbuf *out)
{
    const char *at = line->params;
    struct param param;
    while (next_param(&at, line->params + line->params_len, &param)) {
        if (!param.value || !content_is_word(param.name, param.name_len, name))
            continue;
        for (size_t i = 0; i < param.value_len; i++) {
            if (param.value[i] != '"')
                strbuf_add_char(out, param.value[i]);
        }
        return true;
    }
    return false;
}

/* Whether the word is one of a list that commas separate. */
static bool is_listed(const char *list, size_t len, const char *word)
{
    for (size_t i = 0; i <= len;) {
        const char *comma = i < len ? memchr(list + i, ',', len - i) : NULL;
        size_t n = comma ? (size_t)(comma - list) - i : len - i;
        const char *item = list + i;
        size_t quotes = n >= 2 && item[0] == '"' && item[n - 1] == '"' ? 1 : 0;
        if (content_is_word(item + quotes, n - 2 * quotes, word))
            return true;
        i += n + 1;
    }
    return false;
}

bool content_line_has(const struct content_line *line, const char *name, const char *word)
{
    const char *at = line->params;
    struct param param;
    while (next_param(&at, line->params + line->params_len, &param)) {
        if (!param.value && content_is_word(param.name, param.name_len, word))
            return true;
        if (param.value && (!name || content_is_word(param.name, param.name_len, name)) &&
            is_listed(param.value, param.value_len, word))
            return true;
    }
    return false;
}

void content_unescape(struct strbuf *out, const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool escaped = value[i] == '\\' && i + 1 < len;
        if (escaped)
            i++;
        bool is_line_feed = escaped && (value[i] == 'n' || value[i] == 'N');
        strbuf_add_char(out, is_line_feed ? ' ' : value[i]);
    }
}

bool content_component(const char *value, size_t len, size_t index, const char **part_out, size_t *part_len_out)
{
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i + 1 < len && value[i] == '\\') {
            i++;
        } else if (i == len || value[i] == ';') {
            if (index-- == 0) {
                *part_out = value + start;
                *part_len_out = i - start;
                return true;
            }
            start = i + 1;
        }
    }
    return false;
}
