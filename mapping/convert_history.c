#include "mapping/convert_history.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_attribution.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_limits.h"

enum {
    ATTRIBUTION_SIZE_MAX = 2000, /* octets of CommonMark; a longer paragraph is none */
    HEADER_PARAGRAPHS_MAX = 8    /* of a From/Sent/To block whose lines are paragraphs of their own */
};

struct mark {
    size_t offset; /* in the writer's output */
    enum convert_history_part part;
};

struct convert_history {
    struct commonmark_writer *writer;
    struct strbuf *out;
    struct mark *marks; /* marks[0] is where everything begins */
    size_t count, capacity;
};

static void add_mark(struct convert_history *history, size_t offset, enum convert_history_part part)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity > 0 ? history->capacity * 2 : 8;
        history->marks = xreallocarray(history->marks, history->capacity, sizeof *history->marks);
    }
    history->marks[history->count++] = (struct mark){ offset, part };
}

struct convert_history *convert_history_new(struct commonmark_writer *writer, struct strbuf *out)
{
    struct convert_history *history = xcalloc(1, sizeof *history);
    history->writer = writer;
    history->out = out;
    add_mark(history, out->len, CONVERT_HISTORY_OWN);
    return history;
}

void convert_history_free(struct convert_history **history)
{
    if (!*history)
        return;
    free((*history)->marks);
    free(*history);
    *history = NULL;
}

static enum convert_history_part current_part(const struct convert_history *history)
{
    return history->marks[history->count - 1].part;
}

/* The last to count is what is said last about a place. */
static void set_part(struct convert_history *history, size_t offset, enum convert_history_part part)
{
    while (history->count > 1 && history->marks[history->count - 1].offset >= offset)
        history->count--;
    if (history->marks[history->count - 1].offset >= offset)
        history->marks[0].part = part;
    else if (current_part(history) != part || part == CONVERT_HISTORY_ATTRIBUTION)
        add_mark(history, offset, part);
}

/* ---- looking back at what was written ---- */

/* Where the block begins that ends at `end`; end when it would begin before the current part, or is too long for an
 * attribution. */
static size_t block_start(const struct convert_history *history, size_t end)
{
    const char *data = history->out->data;
    size_t least = history->marks[history->count - 1].offset;
    size_t stop = end;
    while (stop > least && data[stop - 1] == '\n')
        stop--;
    size_t start = stop;
    while (start > least && !(data[start - 1] == '\n' && start > 1 && data[start - 2] == '\n')) {
        if (stop - start > ATTRIBUTION_SIZE_MAX)
            return end;
        start--;
    }
    return start == stop ? end : start;
}

/* "**From:** Bob \<[bob@example.com](...)\>" as "From: Bob <bob@example.com>". */
static void add_plain(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool is_escape = text[i] == '\\' && i + 1 < len && ispunct((unsigned char)text[i + 1]);
        const char *close = text[i] == ']' && i + 1 < len && text[i + 1] == '(' ? memchr(text + i, ')', len - i) : NULL;
        if (is_escape)
            strbuf_add_char(out, text[++i]);
        else if (close)
            i = (size_t)(close - text);
        else if (!strchr("*_[]", text[i]))
            strbuf_add_char(out, text[i]);
    }
}

/* As text; empty when it is no paragraph that could be an attribution. */
static struct strbuf plain_text(const struct convert_history *history, size_t start, size_t end)
{
    const char *text = history->out->data + start;
    struct strbuf plain;
    strbuf_init(&plain, ATTRIBUTION_SIZE_MAX);
    if (start < end && end - start <= ATTRIBUTION_SIZE_MAX && !strchr(">#|`", *text))
        add_plain(&plain, text, end - start);
    return plain;
}

static enum convert_attribution attribution_at(const struct convert_history *history, size_t start, size_t end)
{
    struct strbuf plain = plain_text(history, start, end);
    enum convert_attribution kind = convert_attribution_of(plain.data, plain.len);
    strbuf_free(&plain);
    return kind;
}

static bool is_field_at(const struct convert_history *history, size_t start, size_t end)
{
    struct strbuf plain = plain_text(history, start, end);
    bool is_field = convert_attribution_is_field(plain.data, plain.len);
    strbuf_free(&plain);
    return is_field;
}

/* What the last blocks are together, as few of them as it takes; where they begin. */
static enum convert_attribution find_attribution(const struct convert_history *history, int most, size_t *start_out)
{
    size_t end = history->out->len;
    size_t start = end;
    for (int i = 0; i < most; i++) {
        size_t before = block_start(history, start);
        if (before == start)
            break;
        start = before;
        enum convert_attribution kind = attribution_at(history, start, end);
        if (kind != CONVERT_ATTRIBUTION_NONE) {
            *start_out = start;
            return kind;
        }
    }
    return CONVERT_ATTRIBUTION_NONE;
}

/* "Sent from my phone<br>On ... wrote:<br>" is one paragraph: where its last lines begin that are an attribution. Not
 * where emphasis, a link or code could go from the lines before into them. */
static enum convert_attribution find_in_last_lines(const struct convert_history *history, size_t *start_out)
{
    enum { LINES_MAX = 4 };
    const char *data = history->out->data;
    size_t end = history->out->len, first = block_start(history, end), start = end;
    for (int lines = 0; lines < LINES_MAX && start > first; lines++) {
        const char *lf = start > first + 1 ? memrchr(data + first, '\n', start - 1 - first) : NULL;
        start = lf ? (size_t)(lf - data) + 1 : first;
        enum convert_attribution kind = start > first ? attribution_at(history, start, end) : CONVERT_ATTRIBUTION_NONE;
        if (kind != CONVERT_ATTRIBUTION_WROTE)
            continue;
        for (size_t i = first; i < start; i++)
            if (strchr("*_~`[", data[i]) && (i == first || data[i - 1] != '\\'))
                return CONVERT_ATTRIBUTION_NONE;
        *start_out = start;
        return kind;
    }
    return CONVERT_ATTRIBUTION_NONE;
}

/* A rule above it belongs to it. */
static size_t include_rule(const struct convert_history *history, size_t start)
{
    static const char rule[] = "---\n";
    size_t before = block_start(history, start);
    bool is_rule =
        start - before >= sizeof rule - 1 && strncmp(history->out->data + before, rule, sizeof rule - 1) == 0;
    return is_rule ? before : start;
}

/* ---- marking ---- */

static bool may_mark(struct convert_history *history)
{
    return commonmark_is_top_level(history->writer) && current_part(history) != CONVERT_HISTORY_FORWARD;
}

void convert_history_mark(struct convert_history *history, enum convert_history_part part)
{
    if (!may_mark(history))
        return;
    bool is_taken_in = current_part(history) == CONVERT_HISTORY_UNMARKED && part != CONVERT_HISTORY_OWN &&
                       part != CONVERT_HISTORY_FOOTER;
    if (is_taken_in)
        return;
    commonmark_end_paragraph(history->writer);
    size_t offset = history->out->len;
    set_part(history, part == CONVERT_HISTORY_ATTRIBUTION ? include_rule(history, offset) : offset, part);
}

void convert_history_begin_text(struct convert_history *history)
{
    if (current_part(history) != CONVERT_HISTORY_UNMARKED)
        convert_history_mark(history, CONVERT_HISTORY_OWN);
}

/* Directly behind what introduces unmarked history. */
static bool is_at_unmarked(const struct convert_history *history, size_t offset)
{
    const struct mark *last = &history->marks[history->count - 1];
    size_t from = last->offset;
    while (from < offset && history->out->data[from] == '\n')
        from++;
    return last->part == CONVERT_HISTORY_UNMARKED && from == offset;
}

bool convert_history_begin_quote(struct convert_history *history, bool is_certain)
{
    if (!may_mark(history))
        return false;
    commonmark_end_paragraph(history->writer);
    bool is_introduced = is_at_unmarked(history, history->out->len);
    if (current_part(history) == CONVERT_HISTORY_UNMARKED && !is_introduced)
        return false;
    size_t start;
    enum convert_attribution kind = find_attribution(history, 2, &start);
    if (kind == CONVERT_ATTRIBUTION_NONE)
        kind = find_in_last_lines(history, &start);
    if (kind == CONVERT_ATTRIBUTION_FORWARD) {
        set_part(history, start, CONVERT_HISTORY_FORWARD);
        return false;
    }
    if (kind != CONVERT_ATTRIBUTION_NONE)
        set_part(history, include_rule(history, start), CONVERT_HISTORY_ATTRIBUTION);
    bool is_history = is_certain || is_introduced || kind != CONVERT_ATTRIBUTION_NONE ||
                      current_part(history) == CONVERT_HISTORY_ATTRIBUTION;
    if (is_history)
        set_part(history, history->out->len, CONVERT_HISTORY_QUOTE);
    return is_history;
}

/* "Subject:" in a paragraph of its own, behind those that were enough to know the block by; or the block behind
 * "Original Message". */
static void extend_attribution(struct convert_history *history, size_t start)
{
    size_t end = history->out->len;
    bool is_more = is_at_unmarked(history, start) && (is_field_at(history, start, end) ||
                                                      attribution_at(history, start, end) != CONVERT_ATTRIBUTION_NONE);
    if (is_more)
        history->marks[history->count - 1].offset = end;
}

void convert_history_look_back(struct convert_history *history)
{
    enum convert_history_part now = current_part(history);
    if (!may_mark(history) || now == CONVERT_HISTORY_QUOTE)
        return;
    commonmark_end_paragraph(history->writer);
    size_t end = history->out->len;
    size_t start = block_start(history, end);
    if (start == end)
        return;
    if (now == CONVERT_HISTORY_UNMARKED) {
        extend_attribution(history, start);
        return;
    }
    enum convert_attribution kind = attribution_at(history, start, end);
    if (kind == CONVERT_ATTRIBUTION_NONE && is_field_at(history, start, end))
        kind = find_attribution(history, HEADER_PARAGRAPHS_MAX, &start);
    if (kind == CONVERT_ATTRIBUTION_FORWARD) {
        set_part(history, start, CONVERT_HISTORY_FORWARD);
    } else if (kind == CONVERT_ATTRIBUTION_ORIGINAL) {
        set_part(history, include_rule(history, start), CONVERT_HISTORY_ATTRIBUTION);
        add_mark(history, end, CONVERT_HISTORY_UNMARKED);
    }
}

/* ---- splitting ---- */

struct segment {
    const char *text; /* whole lines, the first and last of them not empty; without the last line end */
    size_t len;
    enum convert_history_part part;
};

static struct segment segment_at(const struct convert_history *history, size_t i)
{
    const char *data = history->out->data;
    size_t start = history->marks[i].offset;
    size_t end = i + 1 < history->count ? history->marks[i + 1].offset : history->out->len;
    while (start < end && data[start] == '\n')
        start++;
    while (end > start && strchr("\n ", data[end - 1]))
        end--;
    return (struct segment){ data + start, end - start, history->marks[i].part };
}

static bool is_history_part(enum convert_history_part part)
{
    return part == CONVERT_HISTORY_ATTRIBUTION || part == CONVERT_HISTORY_QUOTE || part == CONVERT_HISTORY_UNMARKED;
}

static bool is_own_part(enum convert_history_part part)
{
    return part == CONVERT_HISTORY_OWN || part == CONVERT_HISTORY_FORWARD;
}

static bool has_quote(const struct segment *segment)
{
    for (const char *line = segment->text; line < segment->text + segment->len;) {
        if (*line == '>')
            return true;
        const char *lf = memchr(line, '\n', (size_t)(segment->text + segment->len - line));
        line = lf ? lf + 1 : segment->text + segment->len;
    }
    return false;
}

/* Apple Mail puts what it forwards into the quote. */
static bool is_forward_in_quote(const struct segment *segment)
{
    if (segment->part != CONVERT_HISTORY_QUOTE || segment->len < 3 || strncmp(segment->text, "> ", 2) != 0)
        return false;
    const char *lf = memchr(segment->text, '\n', segment->len);
    size_t len = lf ? (size_t)(lf - segment->text) : segment->len;
    if (len > ATTRIBUTION_SIZE_MAX)
        return false;
    struct strbuf plain;
    strbuf_init(&plain, len);
    add_plain(&plain, segment->text + 2, len - 2);
    bool is_forward = convert_attribution_of(plain.data, plain.len) == CONVERT_ATTRIBUTION_FORWARD;
    strbuf_free(&plain);
    return is_forward;
}

struct shape {
    bool own_before, own_after; /* the author's words before the first history, and after it */
    bool has_history, is_interleaved;
};

static struct shape find_shape(const struct segment *segments, size_t count)
{
    struct shape shape = { 0 };
    for (size_t i = 0; i < count; i++) {
        bool is_history = is_history_part(segments[i].part);
        bool is_own = is_own_part(segments[i].part);
        bool is_between = (is_own && shape.has_history && has_quote(&segments[i])) || (is_history && shape.own_after);
        shape.is_interleaved = shape.is_interleaved || is_between;
        shape.own_before = shape.own_before || (is_own && !shape.has_history);
        shape.own_after = shape.own_after || (is_own && shape.has_history);
        shape.has_history = shape.has_history || is_history;
    }
    return shape;
}

static void add_segment(struct strbuf *out, const struct segment *segment, bool is_quoted)
{
    if (out->len > 0)
        strbuf_add_char(out, '\n');
    const char *end = segment->text + segment->len;
    for (const char *line = segment->text; line < end && is_quoted;) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t len = lf ? (size_t)(lf - line) + 1 : (size_t)(end - line);
        strbuf_add_str(out, *line == '\n' ? ">" : "> ");
        strbuf_add(out, line, len);
        line += len;
    }
    if (!is_quoted)
        strbuf_add(out, segment->text, segment->len);
    strbuf_add_char(out, '\n');
}

void convert_history_split(struct convert_history *history, bool folds, struct strbuf *own_out,
                           struct strbuf *history_out)
{
    struct segment *segments = xcalloc(history->count, sizeof *segments);
    size_t count = 0;
    bool is_forward = false;
    for (size_t i = 0; i < history->count; i++) {
        struct segment segment = segment_at(history, i);
        is_forward = is_forward || is_forward_in_quote(&segment);
        if (is_forward)
            segment.part = CONVERT_HISTORY_FORWARD;
        if (segment.len > 0)
            segments[count++] = segment;
    }
    struct shape shape = find_shape(segments, count);
    bool has_own = shape.own_before || shape.own_after;
    bool moves =
        folds && shape.has_history && has_own && !(shape.own_before && shape.own_after) && !shape.is_interleaved;
    for (int pass = 0; pass < 2; pass++) { /* footers stand behind what moves */
        for (size_t i = 0; i < count; i++) {
            bool is_footer = segments[i].part == CONVERT_HISTORY_FOOTER;
            bool is_moved = moves && (is_footer || is_history_part(segments[i].part));
            if ((moves && is_footer) != (pass == 1))
                continue;
            add_segment(is_moved ? history_out : own_out, &segments[i],
                        has_own && segments[i].part == CONVERT_HISTORY_UNMARKED);
        }
    }
    free(segments);
}
