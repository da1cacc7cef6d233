#include "mapping/convert_text_list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/convert_commonmark.h"
#include "mapping/convert_text.h"
#include "mapping/convert_text_columns.h"
#include "mapping/convert_text_lines.h"
#include "mapping/convert_text_shape.h"

enum {
    NESTING_MAX = 8,
    INDENT_MAX = 40,   /* columns; a line further in is no item */
    DIGITS_MAX = 9,    /* CommonMark's limit */
    WRAPPED_WIDTH = 58 /* a line of so many octets may go on in the next one */
};

struct item {
    size_t indent; /* columns */
    char kind;     /* the bullet, or what stands behind the number */
    unsigned long number;
    const char *text;
    size_t len;
};

static size_t indent_of(const char *text, size_t len, size_t *octets_out)
{
    size_t column = 0;
    size_t i = 0;
    for (; i < len && (text[i] == ' ' || text[i] == '\t'); i++)
        column += text[i] == ' ' ? 1 : CONVERT_TEXT_TAB_WIDTH - column % CONVERT_TEXT_TAB_WIDTH;
    *octets_out = i;
    return column;
}

static size_t line_indent(const struct convert_text_lines *lines, size_t i)
{
    size_t octets;
    return indent_of(lines->text + lines->lines[i].start, lines->lines[i].len, &octets);
}

static bool read_item(const struct convert_text_lines *lines, size_t i, struct item *item_out)
{
    const char *text = lines->text + lines->lines[i].start;
    size_t len = lines->lines[i].is_empty ? 0 : lines->lines[i].len;
    size_t at;
    struct item item = { .indent = indent_of(text, len, &at) };
    size_t digits = 0;
    while (at + digits < len && digits <= DIGITS_MAX && isdigit((unsigned char)text[at + digits]))
        digits++;
    bool has_marker = at < len && (digits > 0 ? digits <= DIGITS_MAX && at + digits < len &&
                                                    strchr(".)", text[at + digits]) && (text[at] != '0' || digits == 1)
                                              : strchr("-*+", text[at]) != NULL);
    if (!has_marker || item.indent > INDENT_MAX)
        return false;
    item.kind = text[at + digits];
    item.number = digits > 0 ? strtoul(text + at, NULL, 10) : 0;
    size_t content = at + digits + 1;
    while (content < len && (text[content] == ' ' || text[content] == '\t'))
        content++;
    if (content == at + digits + 1 || convert_text_is_blank(text + content, len - content) ||
        convert_text_is_rule(text + content, len - content))
        return false;
    item.text = text + content;
    item.len = len - content;
    *item_out = item;
    return true;
}

static bool is_next(const struct item *item, const struct item *first, size_t count)
{
    return item->indent == first->indent && item->kind == first->kind &&
           (strchr("-*+", item->kind) || item->number == first->number + count);
}

/* A long line of text whose end a mail program has put into the next one, at the margin. */
static bool is_wrapped(const struct convert_text_lines *lines, size_t i)
{
    const struct convert_text_line *before = &lines->lines[i - 1];
    return !before->is_empty && !before->is_joined && !lines->lines[i].is_joined && before->len >= WRAPPED_WIDTH;
}

static bool ends_list(const struct convert_text_lines *lines, size_t i)
{
    const struct convert_text_line *line = &lines->lines[i];
    const char *text = lines->text + line->start;
    return line->is_code || convert_text_is_rule(text, line->len) || convert_text_is_signature(text, line->len);
}

/* Goes through a list, and writes it when there is a writer. */
struct walk {
    struct commonmark_writer *writer; /* NULL: only to see what there is */
    const struct convert_text_lines *lines;
    size_t end;
};

static void open_item(const struct walk *walk, const struct item *item, size_t count)
{
    if (!walk->writer)
        return;
    if (count > 0)
        commonmark_close_container(walk->writer);
    else
        commonmark_open_list(walk->writer, !strchr("-*+", item->kind), (unsigned)item->number);
    commonmark_open_item(walk->writer);
    convert_text_write_line(walk->writer, item->text, item->len);
}

static void close_list(const struct walk *walk)
{
    if (!walk->writer)
        return;
    commonmark_close_container(walk->writer);
    commonmark_close_container(walk->writer);
}

static void go_on(const struct walk *walk, size_t i)
{
    const struct convert_text_line *line = &walk->lines->lines[i];
    const char *text = walk->lines->text + line->start;
    size_t octets;
    indent_of(text, line->len, &octets);
    if (!walk->writer)
        return;
    commonmark_add_break(walk->writer);
    convert_text_write_line(walk->writer, text + octets, line->len - octets);
}

/* Returns where the list ends. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as NESTING_MAX */
static size_t walk_list(const struct walk *walk, size_t from, unsigned level, size_t *count_out)
{
    const struct convert_text_lines *lines = walk->lines;
    struct item first, item;
    *count_out = 0;
    if (!read_item(lines, from, &first))
        return from;
    size_t i = from;
    while (i < walk->end && !ends_list(lines, i)) {
        bool is_item = read_item(lines, i, &item);
        if (lines->lines[i].is_empty) { /* between two items, or an item and its list, but not behind the last */
            if (i + 1 == walk->end || !read_item(lines, i + 1, &item) ||
                (!is_next(&item, &first, *count_out) && (item.indent <= first.indent || level == NESTING_MAX)))
                break;
            i++;
        } else if (is_item && is_next(&item, &first, *count_out)) {
            open_item(walk, &item, (*count_out)++);
            i++;
        } else if (is_item && item.indent > first.indent && level < NESTING_MAX) {
            size_t nested;
            i = walk_list(walk, i, level + 1, &nested);
        } else if (line_indent(lines, i) > first.indent || (!is_item && is_wrapped(lines, i))) {
            go_on(walk, i++);
        } else {
            break;
        }
    }
    close_list(walk);
    return i;
}

size_t convert_text_list_end(const struct convert_text_lines *lines, size_t from, size_t end)
{
    const struct walk walk = { NULL, lines, end };
    size_t count;
    size_t list_end = walk_list(&walk, from, 0, &count);
    return count >= 2 ? list_end : from;
}

void convert_text_write_list(struct commonmark_writer *writer, const struct convert_text_lines *lines, size_t from,
                             size_t end)
{
    const struct walk walk = { writer, lines, end };
    size_t count;
    walk_list(&walk, from, 0, &count);
}
