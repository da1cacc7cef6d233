#include "mapping/convert_commonmark_inline.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_utf8.h"

/* One emphasis: where its marks stand, and the delimiter that works there (NULL: none does, so it is left out). */
struct span {
    size_t open, close;
    const char *delimiter;
};

struct render {
    const char *content;
    size_t len;
    struct strbuf *out;
    bool single_line;
    bool escapes_brackets;
    const char **delimiters; /* by position of a mark; NULL where nothing is written */
};

static bool is_mark(char c)
{
    return c > 0 && c < 0x20 && c != MARK_BREAK;
}

static bool is_emphasis(char c)
{
    return c >= MARK_OPEN && c < MARK_CLOSE + COMMONMARK_EMPHASIS_COUNT;
}

/* The kinds of neighbours that decide whether a delimiter run may open or close (CommonMark 6.2). */
enum neighbour { SPACE, PUNCTUATION, LETTER };

static enum neighbour classify(const char *text, size_t len)
{
    uint32_t code;
    if (len == 0 || convert_utf8_char(text, len, &code) == 0)
        return SPACE;
    if (code <= ' ' || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x202F ||
        code == 0x205F || code == 0x3000)
        return SPACE;
    if (code < 0x80)
        return ispunct((int)code) ? PUNCTUATION : LETTER;
    bool punctuation = (code >= 0xA1 && code <= 0xBF) || (code >= 0x2010 && code <= 0x2E7F) ||
                       (code >= 0x3001 && code <= 0x303F) || (code >= 0xFF01 && code <= 0xFF0F);
    return punctuation ? PUNCTUATION : LETTER;
}

static enum neighbour after(const struct render *render, size_t at)
{
    for (size_t i = at + 1; i < render->len; i++) {
        char c = render->content[i];
        if (c == MARK_LINK_OPEN || c == MARK_LINK_CLOSE || c == MARK_VERBATIM)
            return PUNCTUATION;
        if (is_emphasis(c))
            return PUNCTUATION;
        return classify(render->content + i, render->len - i);
    }
    return SPACE;
}

static enum neighbour before(const struct render *render, size_t at)
{
    if (at == 0)
        return SPACE;
    size_t i = at - 1;
    if (is_mark(render->content[i]))
        return PUNCTUATION;
    while (i > 0 && ((uint8_t)render->content[i] & 0xC0) == 0x80)
        i--;
    return classify(render->content + i, at - i);
}

static void choose_delimiter(const struct render *render, struct span *span)
{
    enum neighbour outer_left = before(render, span->open), inner_left = after(render, span->open);
    enum neighbour inner_right = before(render, span->close), outer_right = after(render, span->close);
    if (inner_left == SPACE || inner_right == SPACE || (inner_left == PUNCTUATION && outer_left == LETTER) ||
        (inner_right == PUNCTUATION && outer_right == LETTER))
        return;
    bool in_word = outer_left == LETTER || outer_right == LETTER;
    switch ((enum commonmark_emphasis)(render->content[span->open] - MARK_OPEN)) {
    case COMMONMARK_EM:
        span->delimiter = in_word ? "*" : "_";
        break;
    case COMMONMARK_STRONG:
        span->delimiter = "**";
        break;
    case COMMONMARK_STRIKE:
        span->delimiter = "~~";
        break;
    case COMMONMARK_EMPHASIS_COUNT:
        break;
    }
}

static void choose_delimiters(struct render *render)
{
    enum { NESTING_MAX = 64 };
    struct span stack[NESTING_MAX];
    size_t depth = 0;
    bool verbatim = false;
    for (size_t i = 0; i < render->len; i++) {
        char c = render->content[i];
        if (c == MARK_VERBATIM || c == MARK_END)
            verbatim = c == MARK_VERBATIM;
        if (verbatim || !is_emphasis(c))
            continue;
        if (c < MARK_CLOSE) {
            if (depth < NESTING_MAX)
                stack[depth] = (struct span){ .open = i };
            depth++;
        } else if (depth > 0 && --depth < NESTING_MAX) {
            struct span *span = &stack[depth];
            span->close = i;
            choose_delimiter(render, span);
            render->delimiters[span->open] = render->delimiters[span->close] = span->delimiter;
        }
    }
}

/* Only "](", "][" and "]:" make links of brackets; and inside a link its own text must not end it. */
static bool brackets_act(const char *content, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (content[i] == MARK_LINK_OPEN)
            return true;
        if (content[i] == ']' && (strchr("([:", content[i + 1]) != NULL))
            return true;
    }
    return false;
}

bool commonmark_is_entity(const char *text, size_t len)
{
    size_t i = 1;
    if (i < len && text[i] == '#')
        i++;
    size_t start = i;
    while (i < len && i - start < 50 && isalnum((unsigned char)text[i]))
        i++;
    return i > start && i < len && text[i] == ';';
}

/* Whether the character at i, which is text, would act inside a line. */
static bool acts(const struct render *render, size_t i)
{
    const char *text = render->content + i;
    size_t left = render->len - i;
    char next = left > 1 ? text[1] : '\n';
    char previous = i > 0 ? text[-1] : '\n';
    bool between_blanks = (previous == ' ' || previous == '\n') && (next == ' ' || next == '\n');
    switch (*text) {
    case '\\':
        return next == '\n' || is_mark(next) || ispunct((unsigned char)next);
    case '`':
        return true;
    case '*':
    case '~':
        return !between_blanks;
    case '_':
        return !between_blanks && !(isalnum((unsigned char)previous) && isalnum((unsigned char)next));
    case '[':
    case ']':
        return render->escapes_brackets;
    case '!':
        return next == MARK_LINK_OPEN;
    case '<':
        return isalpha((unsigned char)next) || strchr("/!?", next) != NULL || is_mark(next);
    case '&':
        return commonmark_is_entity(text, left);
    default:
        return false;
    }
}

/* Copies the line's text without marks, as far as the rules for line starts look. */
static size_t plain_line(const struct render *render, size_t start, char *line, size_t size, size_t positions[])
{
    size_t n = 0;
    for (size_t i = start; i < render->len && n < size && render->content[i] != MARK_BREAK; i++) {
        char c = render->content[i];
        if (is_emphasis(c) || (c == ' ' && n == 0))
            continue;
        if (is_mark(c))
            break;
        line[n] = c;
        positions[n++] = i;
    }
    return n;
}

static bool ends_marker(const char *line, size_t len, size_t at)
{
    return at >= len || line[at] == ' ';
}

/* Offset in line of the character whose escaping keeps the line from starting a block; len when nothing does. */
static size_t find_line_start(const char *line, size_t len)
{
    size_t n = 0;
    if (len == 0)
        return len;
    while (n < len && line[n] == '#')
        n++;
    if ((n > 0 && n <= 6 && ends_marker(line, len, n)) || line[0] == '>')
        return 0;
    if ((line[0] == '-' || line[0] == '+' || line[0] == '*') && ends_marker(line, len, 1))
        return 0;
    if (len >= 3 && memcmp(line, ":::", 3) == 0)
        return 0;
    for (n = 0; n < len && n < 9 && isdigit((unsigned char)line[n]);)
        n++;
    if (n > 0 && n < len && (line[n] == '.' || line[n] == ')') && ends_marker(line, len, n + 1))
        return n;
    return len;
}

/* A line of nothing but these underlines a heading, rules off, or makes the line before a table's head. */
static bool is_underline(const struct render *render, size_t start)
{
    size_t i = start;
    while (i < render->len && (is_emphasis(render->content[i]) || strchr("-=:|_ ", render->content[i])) &&
           render->content[i])
        i++;
    return i > start && (i == render->len || render->content[i] == MARK_BREAK);
}

/* Position in the content to be escaped for the line that starts here; SIZE_MAX for none. */
static size_t line_start_escape(const struct render *render, size_t start)
{
    enum { LOOK_AHEAD = 16 };
    char line[LOOK_AHEAD];
    size_t positions[LOOK_AHEAD];
    size_t n = plain_line(render, start, line, sizeof line, positions);
    if (n == 0)
        return SIZE_MAX;
    if (is_underline(render, start))
        return positions[0];
    size_t at = find_line_start(line, n);
    return at < n ? positions[at] : SIZE_MAX;
}

static void add_line_break(struct render *render)
{
    while (render->out->len > 0 && render->out->data[render->out->len - 1] == ' ')
        strbuf_truncate(render->out, render->out->len - 1);
    strbuf_add_str(render->out, render->single_line ? " " : "  \n");
}

static void render_text(struct render *render)
{
    size_t line_escape = line_start_escape(render, 0);
    bool verbatim = false;
    bool at_start = true; /* blanks at line starts do not show: left out */
    for (size_t i = 0; i < render->len; i++) {
        char c = render->content[i];
        if (c == MARK_VERBATIM || c == MARK_END) {
            verbatim = c == MARK_VERBATIM;
            continue;
        }
        if (c == MARK_BREAK) {
            add_line_break(render);
            line_escape = line_start_escape(render, i + 1);
            at_start = true;
            continue;
        }
        if (at_start && c == ' ' && !verbatim)
            continue;
        at_start = false;
        if (verbatim) {
            strbuf_add_char(render->out, c);
        } else if (c == MARK_LINK_OPEN || c == MARK_LINK_CLOSE) {
            strbuf_add_char(render->out, c == MARK_LINK_OPEN ? '[' : ']');
        } else if (is_emphasis(c)) {
            strbuf_add_str(render->out, render->delimiters[i] ? render->delimiters[i] : "");
        } else {
            if (i == line_escape || acts(render, i))
                strbuf_add_char(render->out, '\\');
            strbuf_add_char(render->out, c);
        }
    }
}

void commonmark_render_inline(struct strbuf *out, const char *content, size_t len, bool single_line)
{
    while (len > 0 && (content[len - 1] == ' ' || content[len - 1] == MARK_BREAK))
        len--;
    while (len > 0 && (*content == ' ' || *content == MARK_BREAK)) {
        content++;
        len--;
    }
    struct render render = { .content = content, .len = len, .out = out, .single_line = single_line };
    render.escapes_brackets = brackets_act(content, len);
    render.delimiters = xcalloc(len + 1, sizeof *render.delimiters);
    choose_delimiters(&render);
    render_text(&render);
    free(render.delimiters);
}
