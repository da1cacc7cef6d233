/* The plain text part of our mail: what a person would have typed. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_text.h"

enum { UNDERLINE_MAX = 72, MARKER_SIZE = 16 };

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
    struct strbuf block; /* lines of the block that is being collected */
    struct level levels[CONVERT_MARKDOWN_DEPTH_MAX + 1];
    size_t depth;
    bool needs_blank; /* an empty line before the next block */
    size_t common;    /* how many levels that line is inside of */
    unsigned image_depth;
    size_t link_start; /* of the link's text, in block */
    size_t image_start;
    bool row_has_cells;
};

static void add_repeated(struct strbuf *out, char c, size_t count)
{
    for (; count > 0; count--)
        strbuf_add_char(out, c);
}

static void add_prefix(struct text_renderer *text, size_t depth, bool is_blank)
{
    for (size_t i = 0; i < depth; i++) {
        struct level *level = &text->levels[i];
        if (level->node == MARKDOWN_QUOTE) {
            strbuf_add_str(text->out, "> ");
        } else if (level->node == MARKDOWN_ITEM && !level->marker_is_written && !is_blank) {
            strbuf_add_str(text->out, level->marker);
            level->marker_is_written = true;
        } else if (level->node == MARKDOWN_ITEM) {
            add_repeated(text->out, ' ', strlen(level->marker));
        }
    }
}

static void end_line(struct text_renderer *text)
{
    while (text->out->len > 0 && text->out->data[text->out->len - 1] == ' ')
        strbuf_truncate(text->out, text->out->len - 1);
    strbuf_add_char(text->out, '\n');
}

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

/* Writes the collected lines. */
static void flush_block(struct text_renderer *text)
{
    struct strbuf *block = &text->block;
    if (block->len == 0)
        return;
    if (text->needs_blank) {
        add_prefix(text, text->common, true);
        end_line(text);
    }
    for (size_t i = 0; i <= block->len;) {
        const char *lf = i < block->len ? memchr(block->data + i, '\n', block->len - i) : NULL;
        size_t n = lf ? (size_t)(lf - block->data) - i : block->len - i;
        add_prefix(text, text->depth, false);
        strbuf_add(text->out, block->data + i, n);
        end_line(text);
        i += n + 1;
    }
    strbuf_clear(block);
    text->needs_blank = !in_tight_list(text);
    text->common = text->depth;
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
    bool was_list = text->levels[text->depth - 1].node != MARKDOWN_ITEM;
    text->depth--;
    if (text->common > text->depth)
        text->common = text->depth;
    if (was_list && !in_tight_list(text))
        text->needs_blank = true;
}

static void enter_cell(struct text_renderer *text)
{
    if (text->row_has_cells)
        strbuf_add_str(&text->block, " | ");
    text->row_has_cells = true;
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
        strbuf_add_str(&text->block, "----------");
        break;
    case MARKDOWN_ROW:
        text->row_has_cells = false;
        if (text->block.len > 0)
            strbuf_add_char(&text->block, '\n');
        break;
    case MARKDOWN_HEAD_CELL:
    case MARKDOWN_CELL:
        enter_cell(text);
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
        if (text->image_depth++ == 0) {
            text->image_start = text->block.len;
            strbuf_add_char(&text->block, '[');
        }
        break;
    case MARKDOWN_HEADING:
    case MARKDOWN_CODE_BLOCK:
    case MARKDOWN_PARAGRAPH:
    case MARKDOWN_TABLE:
        flush_block(text);
        break;
    case MARKDOWN_NODE_COUNT:
        break;
    }
}

/* Underlines the heading by the width of its last line. */
static void leave_heading(struct text_renderer *text, unsigned level)
{
    const char *lf = strrchr(text->block.data, '\n');
    const char *line = lf ? lf + 1 : text->block.data;
    size_t width = 0;
    for (const char *c = line; *c; c++)
        width += ((unsigned char)*c & 0xC0) != 0x80;
    if (level <= 2 && width > 0) {
        strbuf_add_char(&text->block, '\n');
        add_repeated(&text->block, level == 1 ? '=' : '-', width < UNDERLINE_MAX ? width : UNDERLINE_MAX);
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
    struct strbuf old = text->block;
    text->block = indented;
    strbuf_free(&old);
    flush_block(text);
}

/* Text that says the same as the address needs no address behind it. */
static void leave_link(struct text_renderer *text, const char *url)
{
    char *name;
    enum markdown_target target = markdown_classify_url(url, &name);
    const char *shown = text->block.data + text->link_start;
    bool is_same = strcmp(shown, url) == 0 || (strncmp(url, "mailto:", 7) == 0 && strcmp(shown, url + 7) == 0);
    if (target == MARKDOWN_TARGET_WEB && text->block.len == text->link_start)
        strbuf_add_str(&text->block, url);
    else if (target == MARKDOWN_TARGET_WEB && !is_same)
        strbuf_add_fmt(&text->block, " <%s>", url);
    else if (name)
        strbuf_add_fmt(&text->block, " (attached%s: %s)",
                       target == MARKDOWN_TARGET_EARLIER ? " to an earlier message" : "", name + 2);
    free(name);
}

static void leave_image(struct text_renderer *text, const char *url)
{
    if (--text->image_depth > 0)
        return;
    char *name;
    markdown_classify_url(url, &name);
    if (name && text->block.len > text->image_start + 1)
        strbuf_add_str(&text->block, ": ");
    if (name)
        strbuf_add_str(&text->block, name + 2);
    strbuf_add_char(&text->block, ']');
    free(name);
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
    case MARKDOWN_RULE:
    case MARKDOWN_PARAGRAPH:
    case MARKDOWN_TABLE:
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
    case MARKDOWN_HEAD_CELL:
    case MARKDOWN_CELL:
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

int convert_markdown_to_text(struct strbuf *out, const char *body, size_t len)
{
    struct text_renderer text = { .out = out };
    const struct markdown_events events = { on_enter, on_leave, on_text, on_break, out };
    strbuf_init(&text.block, CONVERT_RENDERED_MAX);
    int result = markdown_parse(body, len, &events, &text);
    flush_block(&text);
    bool complete = strbuf_ok(&text.block);
    strbuf_free(&text.block);
    return result == 1 && complete && strbuf_ok(out) ? 1 : -1;
}

void convert_markdown_to_preformatted_text(struct strbuf *out, const char *body, size_t len)
{
    convert_text_clean(out, body, len);
    if (out->len > 0 && out->data[out->len - 1] != '\n')
        strbuf_add_char(out, '\n');
}
