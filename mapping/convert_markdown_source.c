#include "mapping/convert_markdown_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"

enum { INDENT_MAX = 3, HYPHENS_MIN = 3 };

struct line {
    const char *text;
    size_t len;
};

static void add_change(struct markdown_source *source, size_t offset, size_t len, const char *original, size_t n)
{
    if (source->count == source->room) {
        source->room = source->room * 2 + 16;
        source->changes = xreallocarray(source->changes, source->room, sizeof *source->changes);
    }
    source->changes[source->count++] =
        (struct markdown_change){ .offset = offset, .len = len, .original = xstrndup(original, n) };
}

/* ---- slides ---- */

enum mark { MARK_NONE, MARK_BEGIN, MARK_END };

static enum mark find_mark(const struct line *line, size_t *at_out)
{
    size_t at = 0;
    while (at < line->len && at < INDENT_MAX && line->text[at] == ' ')
        at++;
    if (line->len - at < 3 || memcmp(line->text + at, ":::", 3) != 0)
        return MARK_NONE;
    bool is_end = line->len - at > 3 && line->text[at + 3] == '>';
    for (size_t i = at + 3 + is_end; i < line->len; i++) {
        if (line->text[i] != ' ' && line->text[i] != '\t')
            return MARK_NONE;
    }
    *at_out = at;
    return is_end ? MARK_END : MARK_BEGIN;
}

static void add_mark(struct markdown_source *source, const struct line *line, size_t at, bool divides)
{
    strbuf_add(&source->text, line->text, at);
    if (divides)
        add_change(source, source->text.len, 3, line->text + at, line->len - at);
    strbuf_add_str(&source->text, divides ? "***\n" : "\n");
}

/* ---- tables ---- */

/* Quote marks and indentation. */
static size_t skip_containers(const struct line *line)
{
    size_t at = 0;
    while (at < line->len && (line->text[at] == ' ' || line->text[at] == '>'))
        at++;
    return at;
}

/* Likewise, and the markers of list items that begin there. */
static size_t skip_markers(const struct line *line)
{
    for (size_t at = skip_containers(line);;) {
        size_t digits = 0, len = line->len - at;
        const char *text = line->text + at;
        while (digits < len && isdigit((unsigned char)text[digits]))
            digits++;
        bool is_marker = len > digits + 1 && text[digits + 1] == ' ' && strchr(digits > 0 ? ".)" : "-+*", text[digits]);
        if (!is_marker)
            return at;
        const struct line rest = { text + digits + 2, len - digits - 2 };
        at += digits + 2 + skip_containers(&rest);
    }
}

/* How many cells the row has. */
static size_t count_cells(const char *text, size_t len)
{
    size_t count = 1;
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    bool ends = len > 1 && text[len - 1] == '|' && text[len - 2] != '\\';
    for (size_t i = 0; i < len; i++)
        count += text[i] == '|' && i > 0 && text[i - 1] != '\\';
    return ends ? count - 1 : count;
}

static bool is_delimiter_row(const char *text, size_t len)
{
    bool has_hyphen = false, has_bar = false;
    for (size_t i = 0; i < len; i++) {
        has_hyphen = has_hyphen || text[i] == '-';
        has_bar = has_bar || text[i] == '|';
        if (!strchr("|-: \t", text[i]))
            return false;
    }
    return has_hyphen && has_bar;
}

/* What divides less columns than the line above has cells makes no table: the parser would leave cells out. */
static void add_no_delimiter_row(struct markdown_source *source, const struct line *line, size_t at)
{
    strbuf_add(&source->text, line->text, at);
    add_change(source, source->text.len, 2, line->text + at, 1);
    strbuf_add_char(&source->text, '\\');
    strbuf_add(&source->text, line->text + at, line->len - at);
    strbuf_add_char(&source->text, '\n');
}

/* True: it was one, with too few hyphens or columns, and has been added. */
static bool add_delimiter_row(struct markdown_source *source, const struct line *line, const struct line *before)
{
    struct strbuf row;
    size_t at = skip_containers(line), len = line->len - at, head = skip_markers(before);
    if (!is_delimiter_row(line->text + at, len) || !memchr(before->text, '|', before->len))
        return false;
    size_t wanted = count_cells(line->text + at, len);
    size_t given = count_cells(before->text + head, before->len - head);
    if (given > wanted)
        add_no_delimiter_row(source, line, at);
    if (given != wanted)
        return given > wanted;
    strbuf_init(&row, len * HYPHENS_MIN);
    for (size_t i = 0; i < len;) {
        size_t n = strspn(line->text + at + i, "-");
        strbuf_add(&row, line->text + at + i, n > 0 ? n : 1);
        for (size_t k = n; n > 0 && k < HYPHENS_MIN; k++)
            strbuf_add_char(&row, '-');
        i += n > 0 ? n : 1;
    }
    bool changes = row.len != len;
    if (changes) {
        strbuf_add(&source->text, line->text, at);
        add_change(source, source->text.len, row.len, line->text + at, len);
        strbuf_add(&source->text, row.data, row.len);
        strbuf_add_char(&source->text, '\n');
    }
    strbuf_free(&row);
    return changes;
}

/* ---- the whole ---- */

static bool is_blank(const struct line *line)
{
    for (size_t i = 0; i < line->len; i++) {
        if (line->text[i] != ' ' && line->text[i] != '\t')
            return false;
    }
    return true;
}

/* How much of the text comes before the blank lines at its end, and the marks among them. */
static size_t find_end(const char *text, size_t len)
{
    for (size_t end = len; end > 0;) {
        const char *lf = memrchr(text, '\n', end - 1);
        size_t start = lf ? (size_t)(lf - text) + 1 : 0, at;
        struct line line = { text + start, end - start - (text[end - 1] == '\n') };
        if (!is_blank(&line) && find_mark(&line, &at) == MARK_NONE)
            return end;
        end = start;
    }
    return 0;
}

void markdown_source_read(struct markdown_source *source, const char *body, size_t len)
{
    struct strbuf clean;
    *source = (struct markdown_source){ 0 };
    strbuf_init(&clean, CONVERT_MARKDOWN_CLEAN_MAX);
    strbuf_init(&source->text, (size_t)CONVERT_MARKDOWN_CLEAN_MAX * HYPHENS_MIN);
    convert_text_clean(&clean, body, len);
    size_t last = find_end(clean.data, clean.len);
    bool in_deck = false, is_first = true;
    struct line before = { "", 0 };
    for (size_t i = 0; i < clean.len;) {
        struct line line = { clean.data + i, strcspn(clean.data + i, "\n") };
        size_t at;
        enum mark mark = line.text[strspn(line.text, " ")] == ':' ? find_mark(&line, &at) : MARK_NONE;
        if (mark == MARK_BEGIN || (mark == MARK_END && in_deck)) {
            add_mark(source, &line, at, !is_first && i < last);
            in_deck = mark == MARK_BEGIN;
        } else if (!add_delimiter_row(source, &line, &before)) {
            strbuf_add(&source->text, line.text, line.len);
            strbuf_add_char(&source->text, '\n');
            is_first = is_first && is_blank(&line);
        }
        before = line;
        i += line.len + 1;
    }
    strbuf_free(&clean);
}

const struct markdown_change *markdown_source_find_change(const struct markdown_source *source, const char *text,
                                                          size_t len, size_t *at_out)
{
    size_t offset = (size_t)((uintptr_t)text - (uintptr_t)source->text.data); /* elsewhere: one that is not there */
    size_t low = 0, high = source->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (source->changes[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == source->count)
        return NULL;
    *at_out = source->changes[low].offset - offset;
    return *at_out < len && source->changes[low].len <= len - *at_out ? &source->changes[low] : NULL;
}

void markdown_source_free(struct markdown_source *source)
{
    for (size_t i = 0; i < source->count; i++)
        free(source->changes[i].original);
    free(source->changes);
    strbuf_free(&source->text);
}
