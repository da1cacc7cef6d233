#include "mapping/convert_text_columns.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "mapping/convert_text_lines.h"
#include "mapping/convert_utf8.h"

enum {
    GAPS_MAX = 32,      /* of one line; further ones are not looked at */
    GAP_LEAST = 2,      /* columns */
    PROSE_WIDTH = 55,   /* longer lines may be justified text, which has gaps everywhere */
    LOOK_BACK_LINES = 3 /* of a run that was none, before it is skipped as a whole */
};

/* Columns [from, to); the last one of a line goes on for ever. */
struct gap {
    uint32_t from, to;
    bool is_inner; /* with text before and after it */
};

struct gaps {
    struct gap gaps[GAPS_MAX];
    size_t count;
    uint32_t width;
    bool is_rule; /* "-----  ---", "+-----+": fits into any table */
    bool has_tab; /* between two words */
};

static const struct width {
    uint32_t from, to;
    unsigned columns;
} widths[] = {
    { 0x0300, 0x036F, 0 },   { 0x200B, 0x200F, 0 },   { 0x1100, 0x115F, 2 }, { 0x2E80, 0xA4CF, 2 },
    { 0xAC00, 0xD7A3, 2 },   { 0xF900, 0xFAFF, 2 },   { 0xFE00, 0xFE0F, 0 }, { 0xFE30, 0xFE6F, 2 },
    { 0xFEFF, 0xFEFF, 0 },   { 0xFF00, 0xFF60, 2 },   { 0xFFE0, 0xFFE6, 2 }, { 0x00AD, 0x00AD, 0 },
    { 0x1F300, 0x1FAFF, 2 }, { 0x20000, 0x3FFFD, 2 },
};

unsigned convert_text_width(uint32_t code)
{
    for (size_t i = 0; code >= 0x80 && i < sizeof widths / sizeof widths[0]; i++) {
        if (code >= widths[i].from && code <= widths[i].to)
            return widths[i].columns;
    }
    return 1;
}

static void add_gap(struct gaps *gaps, uint32_t from, uint32_t to, bool is_inner)
{
    if (gaps->count < GAPS_MAX && to - from >= GAP_LEAST)
        gaps->gaps[gaps->count++] = (struct gap){ from, to, is_inner };
}

/* "*", "1.", a dot in the middle. */
static bool is_marker(const char *word, size_t len)
{
    static const char *const bullets[] = {
        "*", "-", "+", "o", "\xC2\xB7", "\xE2\x80\xA2", "\xE2\x80\x93", "\xE2\x96\xAA",
    };
    for (size_t i = 0; i < sizeof bullets / sizeof bullets[0]; i++) {
        if (len == strlen(bullets[i]) && memcmp(word, bullets[i], len) == 0)
            return true;
    }
    size_t digits = 0;
    while (digits < len && isdigit((unsigned char)word[digits]))
        digits++;
    return digits > 0 && digits + 1 == len && strchr(".)", word[digits]);
}

/* Behind the marker of a list's item at the line's start: the gap that follows separates no columns. 0: there is none. */
static size_t marker_end(const char *text, size_t len)
{
    size_t from = 0;
    while (from < len && (text[from] == ' ' || text[from] == '\t'))
        from++;
    size_t to = from;
    while (to < len && text[to] != ' ' && text[to] != '\t')
        to++;
    return is_marker(text + from, to - from) ? to : 0;
}

static struct gaps find_gaps(const char *text, size_t len)
{
    struct gaps gaps = { .is_rule = true };
    uint32_t column = 0;
    uint32_t text_end = 0; /* column behind the last word */
    size_t word_end = 0, item = marker_end(text, len);
    unsigned tabs = 0; /* between words */
    bool had_tab = false;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        n = n > 0 ? n : 1;
        bool is_tab = code == '\t';
        bool is_blank = is_tab || code == ' ' || code == 0xA0 || code == 0x3000 || code == '|';
        uint32_t to =
            is_tab ? (column / CONVERT_TEXT_TAB_WIDTH + 1) * CONVERT_TEXT_TAB_WIDTH : column + convert_text_width(code);
        if (!is_blank) {
            bool is_field = had_tab && tabs == 0 && word_end > 0 && text[word_end - 1] == ':'; /* "From:", and a tab */
            bool is_in_row = text_end > 0 && word_end != item && !is_field;
            tabs += had_tab && text_end > 0;
            if (is_in_row || text_end == 0)
                add_gap(&gaps, text_end, column, is_in_row);
            gaps.has_tab = gaps.has_tab || (had_tab && is_in_row);
            word_end = i + n;
            had_tab = false;
            text_end = to;
            gaps.is_rule = gaps.is_rule && code < 0x80 && strchr("-=_+:", (int)code) != NULL;
        }
        had_tab = had_tab || is_tab;
        column = to;
        i += n;
    }
    gaps.width = text_end;
    add_gap(&gaps, text_end, UINT32_MAX, false);
    return gaps;
}

static struct gaps line_gaps(const struct convert_text_lines *lines, size_t i)
{
    return find_gaps(lines->text + lines->lines[i].start, lines->lines[i].len);
}

static uint32_t greater(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What both have, in *both_out; only_inner: of b. Both are in order. */
static void intersect(const struct gaps *a, const struct gaps *b, bool only_inner, struct gaps *both_out)
{
    *both_out = (struct gaps){ 0 };
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        const struct gap *one = &a->gaps[i];
        const struct gap *other = &b->gaps[k];
        uint32_t from = greater(one->from, other->from);
        uint32_t to = lesser(one->to, other->to);
        if (from < to && (other->is_inner || !only_inner))
            add_gap(both_out, from, to, true);
        if (one->to < other->to)
            i++;
        else
            k++;
    }
}

static struct gaps inner_gaps(const struct gaps *gaps)
{
    struct gaps inner = *gaps;
    inner.count = 0;
    for (size_t i = 0; i < gaps->count; i++) {
        if (gaps->gaps[i].is_inner)
            inner.gaps[inner.count++] = gaps->gaps[i];
    }
    return inner;
}

/* Lines that share a gap with the one at `from`. */
struct run {
    size_t end;
    struct gaps common;
};

static struct run find_run(const struct convert_text_lines *lines, size_t from, size_t end)
{
    struct gaps first = line_gaps(lines, from);
    struct run run = { from + 1, inner_gaps(&first) };
    if (run.common.count == 0 || lines->lines[from].is_joined)
        return run;
    for (; run.end < end && !lines->lines[run.end].is_joined; run.end++) {
        struct gaps gaps = line_gaps(lines, run.end);
        if (gaps.is_rule)
            continue;
        struct gaps both;
        intersect(&run.common, &gaps, false, &both);
        if (both.count == 0)
            break;
        run.common = both;
    }
    return run;
}

/* Cuts off what has no text behind the gap at the run's end, and judges the rest. */
static bool is_table(const struct convert_text_lines *lines, size_t from, struct run *run)
{
    size_t rows = 0;
    size_t last = from;
    size_t long_rows = 0;
    bool has_rule = false;
    uint32_t widest = 0;
    for (size_t i = from; i < run->end; i++) {
        struct gaps gaps = line_gaps(lines, i);
        struct gaps both;
        intersect(&run->common, &gaps, true, &both);
        has_rule = has_rule || gaps.is_rule;
        if (gaps.is_rule || both.count > 0)
            last = i;
        if (gaps.is_rule || both.count == 0)
            continue;
        rows++;
        long_rows += gaps.width > PROSE_WIDTH;
    }
    for (size_t i = 0; i < run->common.count; i++)
        widest = greater(widest, run->common.gaps[i].to - run->common.gaps[i].from);
    run->end = last + 1;
    bool is_narrow = widest <= GAP_LEAST && long_rows * 2 > rows && run->common.count < 2;
    return is_narrow ? rows > 4 : rows >= 3 || (rows == 2 && (widest > GAP_LEAST || has_rule));
}

static void mark(struct convert_text_lines *lines, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        lines->lines[i].is_code = true;
}

static void find_tables(struct convert_text_lines *lines, size_t from, size_t end)
{
    for (size_t i = from; i < end;) {
        struct run run = find_run(lines, i, end);
        size_t tried = run.end;
        if (run.common.count > 0 && run.end > i + 1 && is_table(lines, i, &run)) {
            size_t start = i;
            while (start > from && line_gaps(lines, start - 1).is_rule)
                start--;
            mark(lines, start, run.end);
            i = run.end;
        } else {
            i = tried - i > LOOK_BACK_LINES ? tried : i + 1;
        }
    }
}

/* ---- frames, and tabs ---- */

/* Characters that draw boxes: U+2500 to U+257F. */
static size_t count_box_chars(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i + 2 < len; i++)
        count += text[i] == '\xE2' && (text[i + 1] == '\x94' || text[i + 1] == '\x95');
    return count;
}

/* "| a | b |", "+---+---+", "├── file". */
static bool is_frame_line(const struct convert_text_lines *lines, size_t i)
{
    const char *text = lines->text + lines->lines[i].start;
    size_t len = lines->lines[i].len;
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    bool is_framed = len >= 3 && strchr("|+", text[0]) && strchr("|+", text[len - 1]);
    return !lines->lines[i].is_joined && (is_framed || count_box_chars(text, len) >= 2);
}

static bool has_tab(const struct convert_text_lines *lines, size_t i)
{
    return !lines->lines[i].is_joined && line_gaps(lines, i).has_tab;
}

/* Marks runs of at least so many lines. */
static void find_lines(struct convert_text_lines *lines, size_t from, size_t end, size_t least,
                       bool (*is_one)(const struct convert_text_lines *lines, size_t i))
{
    for (size_t i = from; i < end; i++) {
        size_t start = i;
        while (i < end && is_one(lines, i))
            i++;
        if (i - start >= least)
            mark(lines, start, i);
    }
}

void convert_text_find_columns(struct convert_text_lines *lines, size_t from, size_t end)
{
    find_lines(lines, from, end, 2, is_frame_line);
    find_lines(lines, from, end, 3, has_tab);
    for (size_t i = from; i < end; i++) {
        size_t start = i;
        while (i < end && !lines->lines[i].is_code)
            i++;
        if (i > start + 1)
            find_tables(lines, start, i);
    }
}
