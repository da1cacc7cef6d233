/* The plain text part of our mail: what a person would have typed. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_markdown_flow.h"
#include "mapping/convert_markdown_table.h"
#include "mapping/convert_text.h"
#include "mapping/convert_width.h"

enum { MARKER_SIZE = 16, INDENT_MAX = 40, LEVELS_MAX = CONVERT_MARKDOWN_DEPTH_MAX + MARKDOWN_EXTRA_DEPTH };

/* What surrounds the lines of a block. */
struct level {
    enum markdown_node node; /* MARKDOWN_QUOTE, _BULLETS, _NUMBERS or _ITEM */
    bool is_tight;           /* of a list */
    unsigned number;         /* of a list: the next item's */
    char marker[MARKER_SIZE];
    bool marker_is_written;
};

struct text_renderer {
    struct strbuf *out;
    const struct convert_markdown_references *references;
    bool is_flowed;      /* format=flowed */
    struct strbuf block; /* lines of the block that is being collected */
    bool is_fixed;       /* its lines must stay as they are */
    struct level levels[LEVELS_MAX];
    size_t depth;
    bool needs_blank; /* an empty line before the next block */
    size_t common;    /* how many levels that line is inside of */
    unsigned image_depth;
    size_t link_start; /* of the link's text, in block */
    size_t image_start;
    struct markdown_table *table; /* NULL outside */
    enum markdown_align align;    /* of the cell */
    bool is_over;                 /* a limit was exceeded */
};

static void add_repeated(struct strbuf *out, char c, size_t count)
{
    for (; count > 0; count--)
        strbuf_add_char(out, c);
}

/* ---- what stands before a line ---- */

static size_t count_quotes(const struct text_renderer *text, size_t depth)
{
    size_t count = 0;
    while (count < depth && text->levels[count].node == MARKDOWN_QUOTE)
        count++;
    return count;
}

/* Indentation and markers within the outer quotes. Quotes within list items are no quotes to a mail program: only their marks are
 * there. True: there are such. */
static bool add_prefix(struct text_renderer *text, size_t depth, bool with_markers, struct strbuf *out)
{
    bool has_quotes = false;
    for (size_t i = count_quotes(text, depth); i < depth; i++) {
        struct level *level = &text->levels[i];
        if (level->node == MARKDOWN_QUOTE) {
            strbuf_add_str(out, "> ");
            has_quotes = true;
        } else if (level->node == MARKDOWN_ITEM && !level->marker_is_written && with_markers) {
            strbuf_add_str(out, level->marker);
            level->marker_is_written = true;
        } else if (level->node == MARKDOWN_ITEM) {
            add_repeated(out, ' ', strlen(level->marker));
        }
    }
    return has_quotes;
}

/* Deep lists would leave no room for the text. */
static const char *limit_indent(const struct strbuf *prefix)
{
    size_t blanks = strspn(prefix->data, " ");
    return prefix->data + (blanks > INDENT_MAX ? blanks - INDENT_MAX : 0);
}

static void add_blank_line(struct text_renderer *text, size_t depth)
{
    struct strbuf prefix;
    strbuf_init(&prefix, LEVELS_MAX * MARKER_SIZE);
    add_prefix(text, depth, false, &prefix);
    const struct markdown_flow_line line = { .flow = text->is_flowed ? MARKDOWN_FLOW_FIXED : MARKDOWN_FLOW_AS_IS,
                                             .quotes = count_quotes(text, depth),
                                             .first = limit_indent(&prefix) };
    markdown_flow_add(text->out, &line, "", 0);
    strbuf_free(&prefix);
}

static void add_line(struct text_renderer *text, const char *data, size_t len, bool is_signature)
{
    struct strbuf first, rest;
    strbuf_init(&first, LEVELS_MAX * MARKER_SIZE);
    strbuf_init(&rest, LEVELS_MAX * MARKER_SIZE);
    bool has_quotes = add_prefix(text, text->depth, true, &first);
    add_prefix(text, text->depth, false, &rest);
    const struct markdown_flow_line line = { .flow = !text->is_flowed ? MARKDOWN_FLOW_AS_IS
                                                     : text->is_fixed ? MARKDOWN_FLOW_FIXED
                                                     : has_quotes     ? MARKDOWN_FLOW_WRAPPED
                                                                      : MARKDOWN_FLOW_FLOWED,
                                             .quotes = count_quotes(text, text->depth),
                                             .first = limit_indent(&first),
                                             .rest = limit_indent(&rest) };
    if (is_signature)
        markdown_flow_add_signature(text->out, &line);
    else
        markdown_flow_add(text->out, &line, data, len);
    strbuf_free(&first);
    strbuf_free(&rest);
}

/* ---- blocks ---- */

static bool in_tight_list(const struct text_renderer *text)
{
    for (size_t i = text->depth; i > 0; i--) {
        const struct level *level = &text->levels[i - 1];
        if (level->node == MARKDOWN_BULLETS || level->node == MARKDOWN_NUMBERS)
            return level->is_tight;
        if (level->node == MARKDOWN_QUOTE)
            return false;
    }
    return false;
}

static void write_lines(struct text_renderer *text)
{
    struct strbuf *block = &text->block;
    bool has_signature = text->depth == 0 && text->out->len > 0 && strncmp(block->data, "--\n", 3) == 0;
    if (text->needs_blank)
        add_blank_line(text, text->common);
    for (size_t i = 0; i <= block->len;) {
        const char *lf = i < block->len ? memchr(block->data + i, '\n', block->len - i) : NULL;
        size_t n = lf ? (size_t)(lf - block->data) - i : block->len - i;
        add_line(text, block->data + i, n, has_signature && i == 0);
        i += n + 1;
    }
    strbuf_clear(block);
    text->is_fixed = false;
    text->needs_blank = !in_tight_list(text);
    text->common = text->depth;
}

/* Writes the collected lines. */
static void flush_block(struct text_renderer *text)
{
    if (text->block.len > 0)
        write_lines(text);
}

static struct level *push(struct text_renderer *text, enum markdown_node node)
{
    struct level *level = &text->levels[text->depth++]; /* the parser holds the depth limit */
    *level = (struct level){ .node = node };
    return level;
}

static void enter_list(struct text_renderer *text, enum markdown_node node, const struct markdown_detail *detail)
{
    flush_block(text);
    struct level *list = push(text, node);
    list->is_tight = detail->is_tight;
    list->number = detail->number;
}

static void enter_item(struct text_renderer *text)
{
    struct level *list = text->depth > 0 ? &text->levels[text->depth - 1] : NULL;
    struct level *item = push(text, MARKDOWN_ITEM);
    struct strbuf marker;
    strbuf_init(&marker, sizeof item->marker - 1);
    if (list && list->node == MARKDOWN_NUMBERS)
        strbuf_add_fmt(&marker, "%u. ", list->number++);
    else
        strbuf_add_str(&marker, "- ");
    memcpy(item->marker, marker.data, marker.len + 1);
    strbuf_free(&marker);
}

static void leave_level(struct text_renderer *text)
{
    flush_block(text);
    const struct level *level = &text->levels[text->depth - 1];
    bool was_list = level->node != MARKDOWN_ITEM;
    if (!was_list && !level->marker_is_written)
        write_lines(text); /* an empty item */
    text->depth--;
    if (text->common > text->depth)
        text->common = text->depth;
    if (was_list && !in_tight_list(text))
        text->needs_blank = true;
}

static void leave_cell(struct text_renderer *text)
{
    size_t len = text->block.len;
    while (len > 0 && (text->block.data[len - 1] == ' ' || text->block.data[len - 1] == '\n'))
        len--;
    if (text->table && !markdown_table_add_cell(text->table, text->align, text->block.data, len))
        text->is_over = true;
    strbuf_clear(&text->block);
}

/* Wider than the lines are wanted, but within what a line may have. */
static void leave_table(struct text_renderer *text)
{
    enum { BESIDE = 10 }; /* quote marks, indentation */
    text->is_fixed = markdown_table_lay_out(text->table, MARKDOWN_FLOW_COLUMNS - BESIDE, &text->block);
    markdown_table_free(&text->table);
    flush_block(text);
}

static const char *emphasis_mark(enum markdown_node node)
{
    return node == MARKDOWN_STRONG ? "*" : node == MARKDOWN_EM ? "_" : node == MARKDOWN_STRIKE ? "~" : "`";
}

static void on_enter(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct text_renderer *text = ctx;
    switch (node) {
    case MARKDOWN_QUOTE:
        flush_block(text);
        push(text, node);
        break;
    case MARKDOWN_BULLETS:
    case MARKDOWN_NUMBERS:
        enter_list(text, node, detail);
        break;
    case MARKDOWN_ITEM:
        enter_item(text);
        break;
    case MARKDOWN_RULE:
        flush_block(text);
        strbuf_add_str(&text->block, "----------");
        break;
    case MARKDOWN_ROW:
        markdown_table_begin_row(text->table);
        break;
    case MARKDOWN_HEAD_CELL:
    case MARKDOWN_CELL:
        text->align = detail->align;
        break;
    case MARKDOWN_EM:
    case MARKDOWN_STRONG:
    case MARKDOWN_STRIKE:
    case MARKDOWN_CODE:
        strbuf_add_str(&text->block, emphasis_mark(node));
        break;
    case MARKDOWN_LINK:
        text->link_start = text->block.len;
        break;
    case MARKDOWN_IMAGE:
        if (text->image_depth++ == 0)
            text->image_start = text->block.len;
        break;
    case MARKDOWN_TABLE:
        flush_block(text);
        markdown_table_free(&text->table); /* never: tables are not nested */
        text->table = markdown_table_new();
        break;
    case MARKDOWN_HEADING:
    case MARKDOWN_CODE_BLOCK:
    case MARKDOWN_PARAGRAPH:
        flush_block(text);
        break;
    case MARKDOWN_NODE_COUNT:
        break;
    }
}

/* The two upper levels are underlined if that is possible, others stand out as strong emphasis does. */
static void leave_heading(struct text_renderer *text, unsigned level)
{
    size_t width = convert_width(text->block.data, text->block.len);
    bool is_line = width <= MARKDOWN_FLOW_WANTED && !strchr(text->block.data, '\n');
    if (text->block.len == 0)
        return;
    if (level <= 2 && is_line) {
        strbuf_add_char(&text->block, '\n');
        add_repeated(&text->block, level == 1 ? '=' : '-', width);
        text->is_fixed = true;
    } else {
        struct strbuf marked;
        strbuf_init(&marked, text->block.max);
        strbuf_add_fmt(&marked, "*%s*", text->block.data);
        strbuf_free(&text->block);
        text->block = marked;
    }
    flush_block(text);
}

static void leave_code_block(struct text_renderer *text)
{
    while (text->block.len > 0 && text->block.data[text->block.len - 1] == '\n')
        strbuf_truncate(&text->block, text->block.len - 1);
    struct strbuf indented;
    strbuf_init(&indented, text->block.max);
    for (size_t i = 0; i < text->block.len; i++) {
        if (i == 0 || text->block.data[i - 1] == '\n')
            strbuf_add_str(&indented, "    ");
        strbuf_add_char(&indented, text->block.data[i]);
    }
    strbuf_free(&text->block);
    text->block = indented;
    text->is_fixed = true;
    flush_block(text);
}

/* Text that says the same as the address needs no address behind it. */
static bool says_the_same(const char *shown, const char *url)
{
    static const char *const prefixes[] = { "", "mailto:", "http://", "https://" };
    size_t len = strlen(shown);
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(url, prefixes[i], n) == 0 && strncmp(url + n, shown, len) == 0 &&
            (url[n + len] == '\0' || strcmp(url + n + len, "/") == 0))
            return true;
    }
    return false;
}

static void leave_link(struct text_renderer *text, const char *url)
{
    char *name;
    enum markdown_target target = markdown_classify_url(url, &name);
    const char *bare = strncmp(url, "mailto:", 7) == 0 && !strpbrk(url, "?%") ? url + 7 : url;
    char *shown = xstrdup(text->block.data + text->link_start);
    if (target == MARKDOWN_TARGET_WEB && !*shown)
        strbuf_add_str(&text->block, bare);
    else if (target == MARKDOWN_TARGET_WEB && !says_the_same(shown, url))
        strbuf_add_fmt(&text->block, " <%s>", bare);
    else
        markdown_add_file_note(&text->block, text->references, url, shown);
    free(shown);
    free(name);
}

static void leave_image(struct text_renderer *text, const char *url)
{
    if (--text->image_depth > 0)
        return;
    char *name, *alt = xstrdup(text->block.data + text->image_start);
    bool is_elsewhere = markdown_classify_url(url, &name) == MARKDOWN_TARGET_WEB;
    strbuf_truncate(&text->block, text->image_start);
    markdown_add_image_note(&text->block, text->references, url, alt);
    if (is_elsewhere)
        strbuf_add_fmt(&text->block, " <%s>", url);
    free(name);
    free(alt);
}

static void on_leave(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct text_renderer *text = ctx;
    switch (node) {
    case MARKDOWN_QUOTE:
    case MARKDOWN_BULLETS:
    case MARKDOWN_NUMBERS:
    case MARKDOWN_ITEM:
        leave_level(text);
        break;
    case MARKDOWN_HEADING:
        leave_heading(text, detail->number);
        break;
    case MARKDOWN_CODE_BLOCK:
        leave_code_block(text);
        break;
    case MARKDOWN_TABLE:
        leave_table(text);
        break;
    case MARKDOWN_HEAD_CELL:
    case MARKDOWN_CELL:
        leave_cell(text);
        break;
    case MARKDOWN_RULE:
    case MARKDOWN_PARAGRAPH:
        flush_block(text);
        break;
    case MARKDOWN_EM:
    case MARKDOWN_STRONG:
    case MARKDOWN_STRIKE:
    case MARKDOWN_CODE:
        strbuf_add_str(&text->block, emphasis_mark(node));
        break;
    case MARKDOWN_LINK:
        leave_link(text, detail->url);
        break;
    case MARKDOWN_IMAGE:
        leave_image(text, detail->url);
        break;
    case MARKDOWN_ROW:
    case MARKDOWN_NODE_COUNT:
        break;
    }
}

static void on_text(void *ctx, const char *data, size_t len)
{
    struct text_renderer *text = ctx;
    strbuf_add(&text->block, data, len);
}

static void on_break(void *ctx)
{
    struct text_renderer *text = ctx;
    strbuf_add_char(&text->block, text->image_depth > 0 ? ' ' : '\n');
}

static int render(struct text_renderer *text, const char *body, size_t len)
{
    const struct markdown_events events = { on_enter, on_leave, on_text, on_break, text->out };
    strbuf_init(&text->block, CONVERT_RENDERED_MAX);
    int result = markdown_parse(body, len, text->references, &events, text);
    flush_block(text);
    bool complete = strbuf_ok(&text->block) && !text->is_over;
    strbuf_free(&text->block);
    markdown_table_free(&text->table);
    return result == 1 && complete && strbuf_ok(text->out) ? 1 : -1;
}

int convert_markdown_to_text(struct strbuf *out, const char *body, size_t len)
{
    struct text_renderer text = { .out = out };
    return render(&text, body, len);
}

int convert_markdown_add_flowed(struct strbuf *out, const char *body, size_t len,
                                const struct convert_markdown_references *references)
{
    struct text_renderer text = { .out = out, .references = references, .is_flowed = true };
    return render(&text, body, len);
}

void convert_markdown_add_flowed_line(struct strbuf *out, const char *line)
{
    const struct markdown_flow_line flowed = { .flow = MARKDOWN_FLOW_FLOWED, .first = "", .rest = "" };
    markdown_flow_add(out, &flowed, line, strlen(line));
}

/* Quote marks stay as they are: they were meant as such. */
void convert_markdown_add_preformatted_flowed(struct strbuf *out, const char *body, size_t len)
{
    struct strbuf clean;
    strbuf_init(&clean, len * 3 + 1);
    convert_text_clean(&clean, body, len);
    for (size_t i = 0; i < clean.len;) {
        const char *start = clean.data + i, *lf = memchr(start, '\n', clean.len - i);
        size_t n = lf ? (size_t)(lf - start) : clean.len - i;
        if (*start == '>') {
            size_t end = n;
            while (end > 0 && start[end - 1] == ' ')
                end--;
            strbuf_add(out, start, end);
            strbuf_add_char(out, '\n');
        } else {
            const struct markdown_flow_line line = { .flow = MARKDOWN_FLOW_FIXED, .first = "" };
            markdown_flow_add(out, &line, start, n);
        }
        i += n + 1;
    }
    strbuf_free(&clean);
}
