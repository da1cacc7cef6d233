#include "mapping/convert_text_shape.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/convert_text_columns.h"
#include "mapping/convert_text_lines.h"
#include "mapping/convert_text_list.h"

static const char *text_of(const struct convert_text_lines *lines, size_t i)
{
    return lines->text + lines->lines[i].start;
}

static bool starts_with(const struct convert_text_lines *lines, size_t i, const char *prefix)
{
    size_t n = strlen(prefix);
    return !lines->lines[i].is_empty && lines->lines[i].len >= n && memcmp(text_of(lines, i), prefix, n) == 0;
}

static void mark_code(struct convert_text_lines *lines, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        lines->lines[i].is_code = true;
}

bool convert_text_is_rule(const char *text, size_t len)
{
    size_t count = 0;
    char rule = '\0';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ' || text[i] == '\t')
            continue;
        if (!strchr("-_*=~", text[i]) || (rule && text[i] != rule))
            return false;
        rule = text[i];
        count++;
    }
    return count >= (rule == '~' ? 4 : 3); /* "~~~" is a fence */
}

/* ---- fences ---- */

/* "```" or "```word": how many of the character, 0 if it is no fence. */
static size_t fence_len(const struct convert_text_lines *lines, size_t i, char *fence_out, bool *is_bare_out)
{
    enum { WORD_MAX = 20 };
    const char *text = text_of(lines, i);
    size_t len = lines->lines[i].is_empty ? 0 : lines->lines[i].len;
    if (len < 3 || (*text != '`' && *text != '~'))
        return 0;
    size_t n = 0;
    while (n < len && text[n] == *text)
        n++;
    size_t word = n;
    while (word < len && (isalnum((unsigned char)text[word]) || strchr("+-_.#", text[word])))
        word++;
    size_t end = word;
    while (end < len && text[end] == ' ')
        end++;
    *fence_out = *text;
    *is_bare_out = word == n;
    bool is_fence = *text == '~' ? n == 3 : n >= 3;
    return is_fence && end == len && word - n <= WORD_MAX ? n : 0;
}

/* Index of the line that closes the fence; end when none does. */
static size_t find_closing(const struct convert_text_lines *lines, size_t from, size_t end, char fence, size_t least)
{
    for (size_t i = from + 1; i < end; i++) {
        char other;
        bool is_bare;
        size_t n = fence_len(lines, i, &other, &is_bare);
        if (n >= least && other == fence && is_bare)
            return i;
    }
    return end;
}

static bool has_text(const struct convert_text_lines *lines, size_t from, size_t end)
{
    return from < end && !(end == from + 1 && lines->lines[from].is_empty); /* empty lines are one */
}

static void find_fences(struct convert_text_lines *lines, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        char fence;
        bool is_bare;
        size_t n = fence_len(lines, i, &fence, &is_bare);
        if (n == 0)
            continue;
        size_t close = find_closing(lines, i, end, fence, n);
        if (close == end)
            return; /* one that is open makes the others doubtful */
        if (has_text(lines, i + 1, close)) {
            lines->lines[i].is_fence = lines->lines[close].is_fence = true;
            mark_code(lines, i, close + 1);
        }
        i = close;
    }
}

/* ---- diffs ---- */

/* "@@ -1,2 +3,4 @@": the counts. */
static bool read_hunk(const struct convert_text_lines *lines, size_t i, unsigned long counts_out[2])
{
    enum { HUNK_MAX = 64 };
    char text[HUNK_MAX];
    if (!starts_with(lines, i, "@@ -"))
        return false;
    size_t len = lines->lines[i].len < sizeof text - 1 ? lines->lines[i].len : sizeof text - 1;
    memcpy(text, text_of(lines, i), len);
    text[len] = '\0';
    char *at = text + strlen("@@ -");
    for (int side = 0; side < 2; side++) {
        if (!isdigit((unsigned char)*at))
            return false;
        strtoul(at, &at, 10);
        counts_out[side] = 1;
        if (*at == ',')
            counts_out[side] = strtoul(at + 1, &at, 10);
        if (side == 0 && strncmp(at, " +", 2) != 0)
            return false;
        at += side == 0 ? 2 : 0;
    }
    return strncmp(at, " @@", 3) == 0;
}

/* Behind the hunk whose head is at i, by its counts, as far as its lines look like a diff's. */
static size_t hunk_end(const struct convert_text_lines *lines, size_t i, size_t end, unsigned long counts[2])
{
    size_t at = i + 1;
    for (; at < end && (counts[0] > 0 || counts[1] > 0); at++) {
        const struct convert_text_line *line = &lines->lines[at];
        char first = line->is_empty ? ' ' : *text_of(lines, at);
        unsigned long lost = line->is_empty ? line->len : 1;
        if (!strchr(" +-\\", first))
            break;
        for (int side = 0; side < 2; side++) {
            bool counts_here = first == ' ' || first == (side == 0 ? '-' : '+');
            counts[side] -= counts_here && counts[side] > 0 ? (lost < counts[side] ? lost : counts[side]) : 0;
        }
    }
    if (at < end && starts_with(lines, at, "\\ No newline"))
        at++;
    while (at > i + 1 && lines->lines[at - 1].is_empty)
        at--;
    return at;
}

/* The lines before the first hunk of a file. */
static bool is_diff_head(const struct convert_text_lines *lines, size_t i)
{
    static const char *const heads[] = { "diff --git ",  "index ",         "--- ",
                                         "+++ ",         "new file mode ", "deleted file mode ",
                                         "old mode ",    "new mode ",      "similarity index ",
                                         "rename from ", "rename to ",     "Index: ",
                                         "======" };
    for (size_t k = 0; k < sizeof heads / sizeof heads[0]; k++) {
        if (starts_with(lines, i, heads[k]))
            return true;
    }
    return false;
}

static bool continues_diff(const struct convert_text_lines *lines, size_t i)
{
    return starts_with(lines, i, "+") || starts_with(lines, i, "-") || starts_with(lines, i, "@@ ");
}

static void find_diffs(struct convert_text_lines *lines, size_t from, size_t end, bool *has_diff)
{
    for (size_t i = from; i < end;) {
        unsigned long counts[2];
        if (!read_hunk(lines, i, counts)) {
            i++;
            continue;
        }
        size_t start = i;
        while (start > from && is_diff_head(lines, start - 1))
            start--;
        i = hunk_end(lines, i, end, counts);
        mark_code(lines, start, i);
        *has_diff = true;
    }
    /* What a reviewer has left of a diff between two remarks, which has no head. */
    for (size_t i = from; i < end && *has_diff && lines->lines[from].depth > 0; i++) {
        size_t start = i;
        while (i < end && !lines->lines[i].is_code && (continues_diff(lines, i) || starts_with(lines, i, " ")))
            i++;
        if (i > start + 1 && (continues_diff(lines, start) || continues_diff(lines, start + 1)))
            mark_code(lines, start, i);
    }
}

/* ---- paragraphs ---- */

static bool is_mark_char(unsigned char c)
{
    return c < 0x80 && ispunct(c) != 0;
}

/* Ends as program text does and prose does not. */
static bool is_program_line(const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return len > 0 && (strchr(";{}", text[len - 1]) != NULL || (len > 1 && memcmp(text + len - 2, "*/", 2) == 0));
}

/* What only a program has; a list of things may end its lines in ";" as well. */
static bool has_program_sign(const char *text, size_t len)
{
    return memchr(text, '{', len) || memchr(text, '}', len) || memchr(text, '=', len) || memmem(text, len, "()", 2);
}

static bool is_program(const struct convert_text_lines *lines, size_t from, size_t end)
{
    static const char *const beginnings[] = { "//", "/*", "#include", ">>> " };
    size_t count = 0;
    bool has_sign = false;
    for (size_t i = from; i < end; i++) {
        const char *text = text_of(lines, i);
        size_t len = lines->lines[i].len;
        bool begins = false;
        for (size_t k = 0; k < sizeof beginnings / sizeof beginnings[0]; k++)
            begins = begins || starts_with(lines, i, beginnings[k]);
        count += begins || is_program_line(text, len);
        has_sign = has_sign || begins || has_program_sign(text, len);
        if (lines->lines[i].is_joined)
            return false;
    }
    return end - from >= 3 && has_sign && count * 2 >= end - from;
}

/* More marks than letters, placed by blanks. */
static bool is_drawing(const struct convert_text_lines *lines, size_t from, size_t end)
{
    size_t marks = 0;
    size_t letters = 0;
    size_t placed = 0;
    for (size_t i = from; i < end; i++) {
        const unsigned char *text = (const unsigned char *)text_of(lines, i);
        bool has_gap = false;
        for (size_t k = 0; k < lines->lines[i].len; k++) {
            bool is_space = text[k] == ' ' || text[k] == '\t';
            marks += is_mark_char(text[k]);
            letters += !is_mark_char(text[k]) && !is_space && (text[k] & 0xC0) != 0x80;
            has_gap = has_gap || (is_space && (k == 0 || text[k - 1] == ' '));
        }
        placed += has_gap;
        if (lines->lines[i].is_joined)
            return false;
    }
    return end - from >= 3 && placed >= 2 && marks >= 12 && marks * 2 > letters * 3;
}

static void find_in_paragraph(struct convert_text_lines *lines, size_t from, size_t end)
{
    bool is_list = convert_text_list_end(lines, from, end) == end;
    if (!is_list && (is_program(lines, from, end) || is_drawing(lines, from, end)))
        mark_code(lines, from, end);
    else
        convert_text_find_columns(lines, from, end);
}

void convert_text_find_shapes(struct convert_text_lines *lines, size_t from, size_t end, bool *has_diff)
{
    find_fences(lines, from, end);
    find_diffs(lines, from, end, has_diff);
    for (size_t i = from; i < end; i++) {
        size_t start = i;
        while (i < end && !lines->lines[i].is_empty && !lines->lines[i].is_code)
            i++;
        if (i > start + 1)
            find_in_paragraph(lines, start, i);
    }
}
