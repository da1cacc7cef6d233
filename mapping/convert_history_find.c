/* Plain text: where its author's words end and earlier mail begins. */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/convert_attribution.h"
#include "mapping/convert_history.h"
#include "mapping/convert_limits.h"

enum {
    FOOTER_RULE_MIN = 20,  /* characters */
    FOOTER_SIZE_MAX = 2000 /* octets, to the end of the text */
};

struct finder {
    const char *text, *end;
    enum convert_history_part part;
    bool is_complete;    /* of the attribution that was matched last */
    bool in_plain_quote; /* a quote that nothing introduces: part of what the author wrote */
    struct convert_history_span *spans;
    size_t count, capacity;
};

static void begin_part(struct finder *finder, const char *at, enum convert_history_part part)
{
    finder->part = part;
    if (finder->count == CONVERT_HISTORY_SPANS_MAX)
        return;
    if (finder->count == finder->capacity) {
        finder->capacity = finder->capacity > 0 ? finder->capacity * 2 : 8;
        finder->spans = xreallocarray(finder->spans, finder->capacity, sizeof *finder->spans);
    }
    finder->spans[finder->count++] = (struct convert_history_span){ (size_t)(at - finder->text), part };
}

static const char *line_end(const struct finder *finder, const char *line)
{
    const char *lf = memchr(line, '\n', (size_t)(finder->end - line));
    return lf ? lf : finder->end;
}

static const char *next_line(const struct finder *finder, const char *line)
{
    const char *end = line_end(finder, line);
    return end < finder->end ? end + 1 : end;
}

static bool is_blank(const struct finder *finder, const char *line)
{
    const char *end = line_end(finder, line);
    while (line < end && strchr(" \t\xC2\xA0", *line)) /* a no-break space too */
        line++;
    return line == end;
}

static const char *skip_blank_lines(const struct finder *finder, const char *line)
{
    while (line < finder->end && is_blank(finder, line))
        line = next_line(finder, line);
    return line;
}

/* Looks at the lines from `line` on; inside a quote without the mark of its first level. Behind it in *after_out. */
static enum convert_attribution match(struct finder *finder, const char *line, bool is_quoted, const char **after_out)
{
    struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX];
    const char *ends[CONVERT_ATTRIBUTION_LINES_MAX] = { 0 };
    size_t count = 0;
    while (count < CONVERT_ATTRIBUTION_LINES_MAX && line < finder->end && (!is_quoted || *line == '>')) {
        const char *end = line_end(finder, line);
        const char *text = line;
        if (is_quoted)
            text += text + 1 < end && text[1] == ' ' ? 2 : 1;
        line = next_line(finder, line);
        lines[count] = (struct convert_attribution_line){ text, (size_t)(end - text) };
        ends[count++] = line;
    }
    enum convert_attribution kind = CONVERT_ATTRIBUTION_NONE;
    size_t n = convert_attribution_match(lines, count, &kind);
    finder->is_complete = kind == CONVERT_ATTRIBUTION_WROTE && convert_attribution_is_complete(lines, n);
    *after_out = n > 0 ? ends[n - 1] : line;
    return n > 0 ? kind : CONVERT_ATTRIBUTION_NONE;
}

/* A rule, and little more up to the end, with an address in it. */
static bool is_footer(const struct finder *finder, const char *line)
{
    const char *end = line_end(finder, line);
    size_t rule = 0;
    while (line + rule < end && line[rule] == *line)
        rule++;
    if (!strchr("_-=", *line) || rule < FOOTER_RULE_MIN || finder->end - end > FOOTER_SIZE_MAX)
        return false;
    size_t rest = (size_t)(finder->end - end);
    return memmem(end, rest, "http", 4) || memchr(end, '@', rest);
}

/* RFC 3676 section 4.3; the blank often gets lost. */
static bool is_signature(const struct finder *finder, const char *line)
{
    ptrdiff_t len = line_end(finder, line) - line;
    return (len == 3 && strncmp(line, "-- ", 3) == 0) || (len == 2 && strncmp(line, "--", 2) == 0);
}

/* At the first line of a quote. */
static void begin_quote(struct finder *finder, const char *line)
{
    const char *after;
    if (finder->part == CONVERT_HISTORY_ATTRIBUTION) {
        begin_part(finder, line, CONVERT_HISTORY_QUOTE);
        return;
    }
    enum convert_attribution kind = match(finder, line, true, &after);
    if (kind == CONVERT_ATTRIBUTION_WROTE || kind == CONVERT_ATTRIBUTION_ORIGINAL)
        begin_part(finder, line, CONVERT_HISTORY_QUOTE);
    else
        finder->in_plain_quote = true;
}

/* At what introduces earlier mail; after: behind it. Where to go on. */
static const char *begin_history(struct finder *finder, const char *line, const char *after,
                                 enum convert_attribution kind)
{
    const char *next = skip_blank_lines(finder, after);
    bool is_complete = finder->is_complete;
    if (kind == CONVERT_ATTRIBUTION_ORIGINAL && next < finder->end && *next != '>') { /* the block behind a separator */
        const char *more;
        if (match(finder, next, false, &more) != CONVERT_ATTRIBUTION_NONE) {
            after = more;
            next = skip_blank_lines(finder, after);
        }
    }
    bool is_marked = next < finder->end && *next == '>';
    if (kind == CONVERT_ATTRIBUTION_WROTE && !is_marked && (!is_complete || next == finder->end))
        return NULL;
    begin_part(finder, line, CONVERT_HISTORY_ATTRIBUTION);
    if (!is_marked)
        begin_part(finder, after, CONVERT_HISTORY_UNMARKED);
    return after;
}

/* One line that is not empty. Where the next one to look at begins. */
static const char *take_line(struct finder *finder, const char *line)
{
    const char *next = next_line(finder, line), *after;
    if (finder->part == CONVERT_HISTORY_UNMARKED) { /* the rule may stand above a block, too */
        if (is_footer(finder, line) && match(finder, line, false, &after) == CONVERT_ATTRIBUTION_NONE)
            begin_part(finder, line, CONVERT_HISTORY_FOOTER);
        return next;
    }
    enum convert_attribution kind = match(finder, line, false, &after);
    if (*line == '>' && kind == CONVERT_ATTRIBUTION_NONE) {
        if (finder->part != CONVERT_HISTORY_QUOTE && !finder->in_plain_quote)
            begin_quote(finder, line);
        return next;
    }
    finder->in_plain_quote = false;
    if (kind == CONVERT_ATTRIBUTION_FORWARD) {
        begin_part(finder, line, CONVERT_HISTORY_FORWARD);
        return finder->end;
    }
    const char *go_on = kind != CONVERT_ATTRIBUTION_NONE ? begin_history(finder, line, after, kind) : NULL;
    if (go_on)
        return go_on;
    if (is_footer(finder, line))
        begin_part(finder, line, CONVERT_HISTORY_FOOTER);
    else if (is_signature(finder, line))
        begin_part(finder, line, CONVERT_HISTORY_SIGNATURE);
    else if (finder->part == CONVERT_HISTORY_QUOTE || finder->part == CONVERT_HISTORY_ATTRIBUTION)
        begin_part(finder, line, CONVERT_HISTORY_OWN);
    return next;
}

size_t convert_history_find(const char *text, size_t len, struct convert_history_span **spans_out)
{
    struct finder finder = { .text = text, .end = text + len };
    for (const char *line = text; line < finder.end;) {
        if (finder.count == CONVERT_HISTORY_SPANS_MAX)
            break;
        line = is_blank(&finder, line) ? next_line(&finder, line) : take_line(&finder, line);
    }
    *spans_out = finder.spans;
    return finder.count;
}
