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
    bool has_emphasis;
    const char **delimiters; /* by position of a mark; NULL where nothing is written. NULL without emphasis */
    bool *escapes;           /* by position: a backslash goes before it */
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

/* ---- what would act ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == MARK_BREAK;
}

/* White space in the parser's eyes ends or begins at `at`: it decides what a run of delimiters can do there. */
static bool is_space_before(const struct render *render, size_t at)
{
    return before(render, at) == SPACE;
}

static bool is_space_behind(const struct render *render, size_t end)
{
    return end >= render->len || is_blank(render->content[end]) ||
           (!is_mark(render->content[end]) && classify(render->content + end, render->len - end) == SPACE);
}

static void escape_all(struct render *render, size_t start, size_t end)
{
    memset(render->escapes + start, true, (end - start) * sizeof *render->escapes);
}

static size_t run_end(const struct render *render, size_t start)
{
    size_t end = start + 1;
    while (end < render->len && render->content[end] == render->content[start])
        end++;
    return end;
}

/* Behind the verbatim piece that begins here. */
static size_t verbatim_end(const struct render *render, size_t start)
{
    const char *end = memchr(render->content + start, MARK_END, render->len - start);
    return end ? (size_t)(end - render->content) + 1 : render->len;
}

enum { OPENS = 1, CLOSES = 2 };

/* What a run of delimiters can do. Where renderers might differ in what is a letter it is said to do both. */
static unsigned run_abilities(const struct render *render, size_t start, size_t end)
{
    char c = render->content[start];
    bool in_word = start > 0 && end < render->len && isalnum((unsigned char)render->content[start - 1]) &&
                   isalnum((unsigned char)render->content[end]);
    if (c == '_' && in_word)
        return 0;
    return (is_space_behind(render, end) ? 0 : OPENS) | (is_space_before(render, start) ? 0 : CLOSES);
}

/* How far delimiters reach: what opens behind the last that closes, or closes before the first that opens, is text. */
struct reach {
    size_t first_opener, last_closer;
};

/* In the destination of a link, too: md4c lets them close what was opened before the link. */
static void reach_destination(const struct render *render, size_t start, size_t end, char delimiter,
                              struct reach *reach)
{
    bool is_destination = end > start + 1 && strchr("(!", render->content[start + 1]);
    if (!is_destination || !memchr(render->content + start, delimiter, end - start))
        return;
    reach->first_opener = start < reach->first_opener ? start : reach->first_opener;
    reach->last_closer = end;
}

/* Only a run that can open before one that can close makes emphasis. */
static void find_delimiters(struct render *render, char delimiter)
{
    if (!memchr(render->content, delimiter, render->len))
        return;
    struct reach reach = { SIZE_MAX, 0 };
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0, end; i < render->len; i = end) {
            char c = render->content[i];
            end = c == MARK_VERBATIM ? verbatim_end(render, i) : i + 1;
            if (c == MARK_VERBATIM && round == 0)
                reach_destination(render, i, end, delimiter, &reach);
            if (c != delimiter)
                continue;
            end = run_end(render, i);
            unsigned abilities = run_abilities(render, i, end);
            bool acts = (abilities & OPENS && i < reach.last_closer) ||
                        (abilities & CLOSES && i > reach.first_opener) ||
                        (abilities && render->has_emphasis); /* our own marks beside it may be part of a run */
            if (round == 1 && acts)
                escape_all(render, i, end);
            if (round == 0 && abilities & OPENS && i < reach.first_opener)
                reach.first_opener = i;
            if (round == 0 && abilities & CLOSES && i > reach.last_closer)
                reach.last_closer = i;
        }
    }
}

/* Code lies between two runs of backticks of the same length. A backslash in it is none: when one run needs escaping,
 * which leaves single backticks, all do. */
static void find_backticks(struct render *render)
{
    enum { LENGTHS = 16 };
    if (!memchr(render->content, '`', render->len))
        return;
    bool seen[LENGTHS] = { false };
    bool acts = render->single_line; /* the other one may stand in another cell */
    bool verbatim = false;
    for (int round = 0; round < 2 && (round == 0 || acts); round++) {
        for (size_t i = 0, end; i < render->len; i = end) {
            char c = render->content[i];
            end = i + 1;
            if (c == MARK_VERBATIM || c == MARK_END)
                verbatim = c == MARK_VERBATIM;
            if (c != '`')
                continue;
            end = run_end(render, i);
            size_t length = end - i < LENGTHS ? end - i : 0; /* 0: too long to be told apart */
            acts = acts || verbatim || seen[length] || length == 0 || render->escapes[i];
            seen[length] = true;
            if (round == 1 && !verbatim)
                escape_all(render, i, end);
        }
    }
}

/* Brackets act before "(", and with a ":" behind them where a block begins; inside a link they would end it. */
static void find_brackets(struct render *render)
{
    bool in_link = false;
    bool has_opened = false;
    bool may_define = render->len > 0 && render->content[0] == '[' && memmem(render->content, render->len, "]:", 2);
    for (size_t i = 0; i < render->len; i++) {
        char c = render->content[i];
        char next = i + 1 < render->len ? render->content[i + 1] : '\0';
        if (c == MARK_LINK_OPEN || c == MARK_LINK_CLOSE)
            in_link = c == MARK_LINK_OPEN;
        if (c == MARK_VERBATIM)
            i = verbatim_end(render, i) - 1;
        if (c == ']')
            render->escapes[i] = in_link || (next == '(' && has_opened);
        if (c == '[')
            render->escapes[i] = in_link || (i == 0 && may_define);
        has_opened = has_opened || c == '[';
    }
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

/* An address with a scheme up to a ">". md4c takes any character for a scheme's first letter, even another "<". Marks may
 * become nothing. */
static bool begins_address(const struct render *render, size_t at)
{
    size_t i = at + 1;
    while (i < render->len && (isalnum((unsigned char)render->content[i]) || strchr("+.-", render->content[i]) ||
                               is_mark(render->content[i])))
        i++;
    if (i >= render->len || render->content[i] != ':')
        return false;
    while (i < render->len && !strchr("<>", render->content[i]) && !is_blank(render->content[i]))
        i++;
    return i < render->len && render->content[i] == '>';
}

/* "<" and what could be a tag or an address. What lies behind is looked at with the marks in it: whatever is written
 * there, angle brackets go before it. */
static bool begins_tag(const struct render *render, size_t at)
{
    size_t i = at + 1;
    if (i < render->len && render->content[i] == MARK_LINK_OPEN)
        return begins_address(render, i); /* "[" begins no tag */
    while (i < render->len && is_mark(render->content[i]))
        i++;
    char first = i < render->len ? render->content[i] : '\0';
    if (!first || begins_address(render, i))
        return first != '\0';
    bool is_tag = isalpha((unsigned char)first) || strchr("/!?", first);
    bool is_person = isalnum((unsigned char)first) || strchr(".!#$%&'*+/=?^_`{|}~-", first);
    bool has_at = false;
    for (; i < render->len && !strchr("<>", render->content[i]); i++) {
        if (is_blank(render->content[i]) && !is_tag)
            return false;
        has_at = has_at || render->content[i] == '@';
    }
    return i < render->len && render->content[i] == '>' && (is_tag || (is_person && has_at));
}

/* Whether the character at i, which is text, would act whatever the rest of the block. */
static bool acts_alone(const struct render *render, size_t i)
{
    const char *text = render->content + i;
    char next = i + 1 < render->len ? text[1] : '\n';
    switch (*text) {
    case '\\':
        return is_mark(next) || ispunct((unsigned char)next); /* before a break: blanks follow, so it is just itself */
    case '!':
        return next == MARK_LINK_OPEN;
    case '<':
        return begins_tag(render, i);
    case '&':
        return commonmark_is_entity(text, render->len - i);
    default:
        return false;
    }
}

static void find_lone(struct render *render)
{
    for (size_t i = 0; i < render->len; i++) {
        char c = render->content[i];
        if (c == MARK_VERBATIM)
            i = verbatim_end(render, i) - 1;
        else if (acts_alone(render, i))
            render->escapes[i] = true;
    }
}

/* ---- line starts ---- */

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

static size_t count_same(const char *line, size_t len)
{
    size_t n = 0;
    while (n < len && line[n] == *line)
        n++;
    return n;
}

/* Offset in line of the character whose escaping keeps the line from starting a block; len when nothing does. A number
 * other than 1 begins no list inside a paragraph. */
static size_t find_line_start(const char *line, size_t len, bool is_first)
{
    size_t same = count_same(line, len);
    char next = len > 1 ? line[1] : '\0';
    switch (*line) {
    case '#':
        return same <= 6 && ends_marker(line, len, same) ? 0 : len;
    case '>':
        return 0;
    case '-':
    case '+':
    case '*':
        return ends_marker(line, len, 1) ? 0 : len;
    case ':':
    case '`':
    case '~':
        return same >= 3 ? 0 : len;
    case '<':
        return isalpha((unsigned char)next) || (next && strchr("/!?", next)) ? 0 : len;
    default:
        break;
    }
    size_t n = 0;
    while (n < len && n < 9 && isdigit((unsigned char)line[n]))
        n++;
    bool is_number = n > 0 && n < len && (line[n] == '.' || line[n] == ')') && ends_marker(line, len, n + 1);
    bool may_begin = is_first || strtoul(line, NULL, 10) == 1;
    return is_number && may_begin ? n : len;
}

/* Whether a line has nothing but these characters and blanks, and at least `least` of them. */
static bool has_only(const struct render *render, size_t start, const char *these, size_t least)
{
    size_t count = 0;
    for (size_t i = start; i < render->len && render->content[i] != MARK_BREAK; i++) {
        char c = render->content[i];
        if (is_emphasis(c) || c == ' ')
            continue;
        if (!c || !strchr(these, c))
            return false;
        count++;
    }
    return count >= least;
}

/* Rules stand anywhere; what underlines a heading or a table's head stands below something. */
static bool is_line_of_rules(const struct render *render, size_t start, bool is_first)
{
    return has_only(render, start, "-", 3) || has_only(render, start, "_", 3) || has_only(render, start, "*", 3) ||
           (!is_first && (has_only(render, start, "=", 1) || has_only(render, start, "-:|", 1)));
}

static void find_line_starts(struct render *render)
{
    enum { LOOK_AHEAD = 16 };
    char line[LOOK_AHEAD + 1];
    size_t positions[LOOK_AHEAD];
    for (size_t start = 0; start < render->len;) {
        size_t n = plain_line(render, start, line, LOOK_AHEAD, positions);
        line[n] = '\0';
        size_t at = n == 0 ? n : is_line_of_rules(render, start, start == 0) ? 0 : find_line_start(line, n, start == 0);
        if (at < n && strchr("*_~`", line[at])) /* one of a run alone would leave a shorter one, which may act */
            escape_all(render, positions[at], run_end(render, positions[at]));
        else if (at < n)
            render->escapes[positions[at]] = true;
        const char *lf = memchr(render->content + start, MARK_BREAK, render->len - start);
        start = lf ? (size_t)(lf - render->content) + 1 : render->len;
    }
}

static void add_line_break(struct render *render)
{
    while (render->out->len > 0 && render->out->data[render->out->len - 1] == ' ')
        strbuf_truncate(render->out, render->out->len - 1);
    strbuf_add_str(render->out, render->single_line ? " " : "  \n");
}

static void render_text(struct render *render)
{
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
            if (render->escapes[i])
                strbuf_add_char(render->out, '\\');
            strbuf_add_char(render->out, c);
        }
    }
}

static bool has_emphasis(const char *content, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (is_emphasis(content[i]))
            return true;
    }
    return false;
}

void commonmark_render_inline(struct strbuf *out, const char *content, size_t len, bool single_line)
{
    while (len > 0 && is_blank(content[len - 1]))
        len--;
    while (len > 0 && is_blank(*content)) {
        content++;
        len--;
    }
    struct render render = { .content = content, .len = len, .out = out, .single_line = single_line };
    render.escapes = xcalloc(len + 1, sizeof *render.escapes);
    render.has_emphasis = has_emphasis(content, len);
    if (render.has_emphasis) {
        render.delimiters = xcalloc(len + 1, sizeof *render.delimiters);
        choose_delimiters(&render);
    }
    find_lone(&render);
    find_delimiters(&render, '*');
    find_delimiters(&render, '_');
    find_delimiters(&render, '~');
    find_brackets(&render);
    if (!single_line) /* of a heading or a cell nothing stands at a line's start */
        find_line_starts(&render);
    find_backticks(&render); /* a fence that is escaped counts */
    render_text(&render);
    free(render.delimiters);
    free(render.escapes);
}
