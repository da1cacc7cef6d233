#include "mapping/convert_commonmark.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_commonmark_inline.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"

enum { EMPHASIS_NESTING_MAX = 16, MARKER_SIZE = 16 };

enum container_kind { QUOTE, LIST, ITEM };

struct container {
    enum container_kind kind;
    uint64_t id;              /* tells two neighbouring containers of the same kind apart */
    bool ordered;             /* of a list */
    unsigned number;          /* of a list: its next item's */
    bool alternative;         /* of a list: its markers differ from those of the list just before it */
    bool is_loose;            /* of a list: empty lines between its items */
    char marker[MARKER_SIZE]; /* of an item: "- ", "12. " */
    bool marker_is_written;
};

struct commonmark_writer {
    struct strbuf *out;
    struct strbuf content; /* of the current block, with marks */
    struct container containers[CONVERT_QUOTE_DEPTH_MAX];
    size_t depth; /* may exceed the maximum: the surplus is only counted */
    uint64_t next_id;
    uint64_t last_path[CONVERT_QUOTE_DEPTH_MAX]; /* containers around the block written last */
    size_t last_depth;
    bool has_blocks;
    bool is_empty_item;   /* what is written: "-" under a text would make a heading of it */
    bool last_list_ended; /* a list has been closed since the last block */
    bool last_list_ordered, last_list_alternative;

    enum commonmark_emphasis open[EMPHASIS_NESTING_MAX]; /* around what comes next */
    size_t open_count;
    size_t pending;       /* how many of them, the innermost, have no mark written yet */
    size_t line_start;    /* offset in content */
    char *link;           /* url of the link that we are in; NULL */
    bool link_is_written; /* its opening mark */
    size_t link_depth;    /* how many of the emphases are around it, not in it */

    struct strbuf table;               /* lines of the table that is open */
    enum commonmark_align *alignments; /* of its columns; NULL: none is open */
    size_t columns, row, cell;
};

struct commonmark_writer *commonmark_writer_new(struct strbuf *out)
{
    struct commonmark_writer *writer = xcalloc(1, sizeof *writer);
    writer->out = out;
    strbuf_init(&writer->content, out->max);
    strbuf_init(&writer->table, out->max);
    return writer;
}

void commonmark_writer_free(struct commonmark_writer **writer)
{
    if (!*writer)
        return;
    strbuf_free(&(*writer)->content);
    strbuf_free(&(*writer)->table);
    free((*writer)->alignments);
    free((*writer)->link);
    free(*writer);
    *writer = NULL;
}

/* ---- inline content ---- */

static void content_char(struct commonmark_writer *writer, char c)
{
    strbuf_add_char(&writer->content, c);
}

static char last_char(const struct commonmark_writer *writer)
{
    return writer->content.len > 0 ? writer->content.data[writer->content.len - 1] : '\0';
}

/* Writes the marks of emphases that waited for something to emphasise, up to the one at `until` from the outside. */
static void begin_emphasis(struct commonmark_writer *writer, size_t until)
{
    while (writer->open_count - writer->pending < until) {
        enum commonmark_emphasis kind = writer->open[writer->open_count - writer->pending];
        if (last_char(writer) == (char)(MARK_CLOSE + kind)) /* "<b>a</b><b>b</b>" is one emphasis */
            strbuf_truncate(&writer->content, writer->content.len - 1);
        else
            content_char(writer, (char)(MARK_OPEN + kind));
        writer->pending--;
    }
}

/* Something that shows comes next: what is open around it must be written now. */
static void begin_content(struct commonmark_writer *writer)
{
    if (writer->link && !writer->link_is_written) {
        begin_emphasis(writer, writer->link_depth);
        content_char(writer, MARK_LINK_OPEN);
        writer->link_is_written = true;
    }
    begin_emphasis(writer, writer->open_count);
}

void commonmark_add_text(struct commonmark_writer *writer, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        bool space = code == ' ' || code == '\n' || code == '\t' || code == '\r';
        if (n == 0 || (!space && (code < 0x20 || code == 0x7F)))
            code = 0;
        if (!space)
            begin_content(writer);
        if (space)
            content_char(writer, ' ');
        else if (code == 0)
            strbuf_add_str(&writer->content, CONVERT_UTF8_REPLACEMENT);
        else
            strbuf_add(&writer->content, text + i, n);
        i += n > 0 ? n : 1;
    }
}

/* Nothing on the current line yet. */
static bool line_is_empty(const struct commonmark_writer *writer)
{
    for (size_t i = writer->line_start; i < writer->content.len; i++) {
        char c = writer->content.data[i];
        if (c != ' ' && !(c >= MARK_OPEN && c < MARK_CLOSE + COMMONMARK_EMPHASIS_COUNT) && c != MARK_LINK_OPEN)
            return false;
    }
    return true;
}

size_t commonmark_length(const struct commonmark_writer *writer)
{
    return writer->out->len;
}

bool commonmark_block_is_empty(const struct commonmark_writer *writer)
{
    return writer->line_start == 0 && line_is_empty(writer);
}

void commonmark_add_break(struct commonmark_writer *writer)
{
    if (line_is_empty(writer)) {
        commonmark_end_paragraph(writer); /* an empty line inside a paragraph would end it anyway */
        return;
    }
    content_char(writer, MARK_BREAK);
    writer->line_start = writer->content.len;
}

static void write_verbatim(struct commonmark_writer *writer, const char *text, size_t len)
{
    content_char(writer, MARK_VERBATIM);
    for (size_t i = 0; i < len; i++)
        content_char(writer, (unsigned char)text[i] < 0x20 ? ' ' : text[i]);
    content_char(writer, MARK_END);
}

static void add_verbatim(struct commonmark_writer *writer, const char *text, size_t len)
{
    begin_content(writer);
    write_verbatim(writer, text, len);
}

/* Renderers disagree about entities in these, so "?a&copy;b" stays text; and md4c takes a "<" just before one for its
 * beginning. */
void commonmark_add_autolink(struct commonmark_writer *writer, const char *url, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (url[i] == '&' && commonmark_is_entity(url + i, len - i)) {
            commonmark_add_text(writer, url, len);
            return;
        }
    }
    if (last_char(writer) == '<' && memchr(url, ':', len)) {
        strbuf_truncate(&writer->content, writer->content.len - 1);
        write_verbatim(writer, "\\<", 2);
    }
    struct strbuf link;
    strbuf_init(&link, len + 2);
    strbuf_add_char(&link, '<');
    strbuf_add(&link, url, len);
    strbuf_add_char(&link, '>');
    add_verbatim(writer, link.data, link.len);
    strbuf_free(&link);
}

/* Length of the longest run of backticks. */
static size_t longest_fence(const char *text, size_t len)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void add_repeated(struct strbuf *out, char c, size_t count)
{
    for (; count > 0; count--)
        strbuf_add_char(out, c);
}

void commonmark_add_code(struct commonmark_writer *writer, const char *text, size_t len)
{
    enum { FENCE_MAX = 16 }; /* readers have limits of their own: md4c reads none that is longer than 32 */
    size_t blanks = 0;
    while (blanks < len && (text[blanks] == ' ' || text[blanks] == '\n'))
        blanks++;
    size_t fence = longest_fence(text, len) + 1;
    if (blanks == len || fence > FENCE_MAX) {
        commonmark_add_text(writer, text, len);
        return;
    }
    bool padded = text[0] == '`' || text[len - 1] == '`' || text[0] == ' ';
    struct strbuf code;
    strbuf_init(&code, len + 2 * fence + 2);
    add_repeated(&code, '`', fence);
    add_repeated(&code, ' ', padded ? 1 : 0);
    strbuf_add(&code, text, len);
    add_repeated(&code, ' ', padded ? 1 : 0);
    add_repeated(&code, '`', fence);
    add_verbatim(writer, code.data, code.len);
    strbuf_free(&code);
}

/* "(url)", or "(<url>)" for one with parentheses, and percent-encoded what could end either. */
static void add_destination(struct strbuf *out, const char *url)
{
    bool angles = strpbrk(url, "()") != NULL;
    strbuf_add_str(out, angles ? "(<" : "(");
    for (const char *c = url; *c; c++) {
        bool plain = (unsigned char)*c > ' ' && (unsigned char)*c < 0x7F && !strchr("<>\\\"`|[]", *c);
        if (*c == '&')
            strbuf_add_str(out, commonmark_is_entity(c, strlen(c)) ? "&amp;" : "&"); /* "&copy;" would be replaced */
        else if (plain)
            strbuf_add_char(out, *c);
        else
            strbuf_add_fmt(out, "%%%02X", (unsigned char)*c);
    }
    strbuf_add_str(out, angles ? ">)" : ")");
}

void commonmark_add_image(struct commonmark_writer *writer, const char *alt, const char *url)
{
    struct strbuf image;
    strbuf_init(&image, strlen(alt) * 2 + strlen(url) * strlen("&amp;") + 18);
    strbuf_add_str(&image, "![");
    for (const char *c = alt; *c; c++) {
        if (strchr("\\[]`*_<&~!", *c))
            strbuf_add_char(&image, '\\');
        strbuf_add_char(&image, *c);
    }
    strbuf_add_char(&image, ']');
    add_destination(&image, url);
    add_verbatim(writer, image.data, image.len);
    strbuf_free(&image);
}

void commonmark_open_emphasis(struct commonmark_writer *writer, enum commonmark_emphasis kind)
{
    if (writer->open_count == EMPHASIS_NESTING_MAX)
        return;
    writer->open[writer->open_count++] = kind;
    writer->pending++;
}

/* Where the content ends without the blanks at its end: "**bold **" would not be bold, so marks close before them. */
static size_t blanks_start(const struct commonmark_writer *writer)
{
    size_t end = writer->content.len;
    while (end > 0 && (writer->content.data[end - 1] == ' ' || writer->content.data[end - 1] == MARK_BREAK))
        end--;
    return end;
}

/* Cuts the blanks off; they are to be put back behind the mark. */
static char *take_blanks(struct commonmark_writer *writer)
{
    size_t end = blanks_start(writer);
    char *blanks = xstrndup(writer->content.data + end, writer->content.len - end);
    strbuf_truncate(&writer->content, end);
    return blanks;
}

static void put_blanks_back(struct commonmark_writer *writer, char *blanks)
{
    for (const char *c = blanks; *c; c++) {
        content_char(writer, *c);
        if (*c == MARK_BREAK)
            writer->line_start = writer->content.len;
    }
    free(blanks);
}

/* Closes all emphases but the outer `keep`; they are open still, and begin again with the next content. */
static void suspend_emphasis(struct commonmark_writer *writer, size_t keep)
{
    size_t written = writer->open_count - writer->pending;
    for (; written > keep; written--)
        content_char(writer, (char)(MARK_CLOSE + writer->open[written - 1]));
    writer->pending = writer->open_count - written;
}

void commonmark_close_emphasis(struct commonmark_writer *writer, enum commonmark_emphasis kind)
{
    if (writer->open_count == 0 || writer->open[writer->open_count - 1] != kind)
        return; /* not opened, or one too deep to be written */
    char *blanks = take_blanks(writer);
    suspend_emphasis(writer, writer->open_count - 1);
    put_blanks_back(writer, blanks);
    writer->open_count--;
    writer->pending--;
}

void commonmark_open_link(struct commonmark_writer *writer, const char *url)
{
    if (writer->link)
        return;
    writer->link = xstrdup(url);
    writer->link_is_written = false;
    writer->link_depth = writer->open_count;
}

/* Ends the linked text that is written, if any; the link itself stays open. */
static void end_linked_text(struct commonmark_writer *writer)
{
    if (!writer->link_is_written)
        return;
    struct strbuf destination;
    strbuf_init(&destination, strlen(writer->link) * strlen("&amp;") + 4);
    add_destination(&destination, writer->link);
    suspend_emphasis(writer, writer->link_depth);
    content_char(writer, MARK_LINK_CLOSE);
    write_verbatim(writer, destination.data, destination.len);
    strbuf_free(&destination);
    writer->link_is_written = false;
}

void commonmark_close_link(struct commonmark_writer *writer)
{
    if (!writer->link)
        return;
    char *blanks = take_blanks(writer);
    end_linked_text(writer);
    put_blanks_back(writer, blanks);
    free(writer->link);
    writer->link = NULL;
}

/* ---- blocks ---- */

static size_t visible_depth(const struct commonmark_writer *writer)
{
    return writer->depth < CONVERT_QUOTE_DEPTH_MAX ? writer->depth : CONVERT_QUOTE_DEPTH_MAX;
}

/* What stands before a line inside the first `depth` containers; markers that are due are written once. */
static void add_prefix(struct commonmark_writer *writer, size_t depth, bool with_markers)
{
    for (size_t i = 0; i < depth; i++) {
        struct container *container = &writer->containers[i];
        if (container->kind == QUOTE) {
            strbuf_add_str(writer->out, "> ");
        } else if (container->kind == ITEM && with_markers && !container->marker_is_written) {
            strbuf_add_str(writer->out, container->marker);
            container->marker_is_written = true;
        } else if (container->kind == ITEM) {
            add_repeated(writer->out, ' ', strlen(container->marker));
        }
    }
}

static void trim_line(struct strbuf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        strbuf_truncate(out, out->len - 1);
}

/* How many of the containers around us were around the block before, too. */
static size_t common_depth(const struct commonmark_writer *writer)
{
    size_t depth = visible_depth(writer);
    size_t n = 0;
    while (n < depth && n < writer->last_depth && writer->containers[n].id == writer->last_path[n])
        n++;
    return n;
}

/* Items follow one another, and an item's text its nested list, without an empty line between. (A numbered list may not
 * interrupt a paragraph, unless it begins with 1.) */
static bool is_tight(const struct commonmark_writer *writer, size_t common)
{
    size_t depth = visible_depth(writer);
    if (common == 0 || depth == 0 || common >= depth)
        return false;
    const struct container *next = &writer->containers[common];
    const struct container *around = &writer->containers[common - 1];
    const char *marker = common + 1 < depth ? writer->containers[common + 1].marker : "";
    bool may_interrupt = !next->ordered || strcmp(marker, "1. ") == 0;
    bool is_loose = common > 1 && writer->containers[common - 2].is_loose;
    return (around->kind == LIST && next->kind == ITEM && !around->is_loose) ||
           (around->kind == ITEM && next->kind == LIST && may_interrupt && !is_loose && writer->last_depth == common &&
            !writer->is_empty_item);
}

static void begin_block(struct commonmark_writer *writer)
{
    size_t common = common_depth(writer);
    if (writer->has_blocks && !is_tight(writer, common)) {
        add_prefix(writer, common, false);
        trim_line(writer->out);
        strbuf_add_char(writer->out, '\n');
    }
    writer->has_blocks = true;
    writer->last_list_ended = false;
    writer->last_depth = visible_depth(writer);
    for (size_t i = 0; i < writer->last_depth; i++)
        writer->last_path[i] = writer->containers[i].id;
}

/* Writes a finished block's lines behind the prefixes of its containers. */
static void write_lines(struct commonmark_writer *writer, const char *text, size_t len, bool keeps_blanks)
{
    begin_block(writer);
    size_t depth = visible_depth(writer);
    for (size_t i = 0; i <= len;) {
        const char *lf = i < len ? memchr(text + i, '\n', len - i) : NULL;
        size_t n = lf ? (size_t)(lf - text) - i : len - i;
        add_prefix(writer, depth, true);
        strbuf_add(writer->out, text + i, n);
        if (n == 0 && !keeps_blanks)
            trim_line(writer->out);
        strbuf_add_char(writer->out, '\n');
        i += n + 1;
    }
}

/* Renders the collected content as one block and starts the next; emphasis that is still open goes on in that. */
/* Behind an item's marker a line of the same characters would be a rule: "- --". */
static bool looks_like_rule(const struct commonmark_writer *writer, const struct strbuf *text)
{
    size_t depth = visible_depth(writer);
    const struct container *item = depth > 0 ? &writer->containers[depth - 1] : NULL;
    size_t n = strspn(text->data, "-* ");
    return item && item->kind == ITEM && !item->marker_is_written && n > 0 && (n == text->len || text->data[n] == '\n');
}

static void end_block(struct commonmark_writer *writer, unsigned heading)
{
    free(take_blanks(writer));
    end_linked_text(writer);
    suspend_emphasis(writer, 0);
    struct strbuf text;
    strbuf_init(&text, writer->out->max);
    add_repeated(&text, '#', heading);
    add_repeated(&text, ' ', heading > 0 ? 1 : 0);
    size_t empty = text.len;
    commonmark_render_inline(&text, writer->content.data, writer->content.len, heading > 0);
    if (!strbuf_ok(&text) || !strbuf_ok(&writer->content))
        writer->out->overflowed = true;
    if (heading > 0 && text.len > empty && text.data[text.len - 1] == '#') {
        strbuf_truncate(&text, text.len - 1); /* a closing sequence would vanish */
        strbuf_add_str(&text, "\\#");
    }
    if (looks_like_rule(writer, &text)) {
        char *rest = strbuf_detach(&text);
        strbuf_init(&text, writer->out->max);
        strbuf_add_char(&text, '\\');
        strbuf_add_str(&text, rest);
        free(rest);
    }
    if (text.len > empty)
        write_lines(writer, text.data, text.len, false);
    strbuf_free(&text);
    strbuf_clear(&writer->content);
    writer->line_start = 0;
}

void commonmark_end_paragraph(struct commonmark_writer *writer)
{
    end_block(writer, 0);
}

void commonmark_end_heading(struct commonmark_writer *writer, unsigned level)
{
    end_block(writer, level);
}

void commonmark_add_code_block(struct commonmark_writer *writer, const char *text, size_t len)
{
    commonmark_end_paragraph(writer);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    if (len == 0)
        return;
    size_t fence = longest_fence(text, len) + 1;
    struct strbuf block;
    strbuf_init(&block, writer->out->max);
    add_repeated(&block, '`', fence < 3 ? 3 : fence);
    strbuf_add_char(&block, '\n');
    strbuf_add(&block, text, len);
    strbuf_add_char(&block, '\n');
    add_repeated(&block, '`', fence < 3 ? 3 : fence);
    if (!strbuf_ok(&block))
        writer->out->overflowed = true;
    write_lines(writer, block.data, block.len, true);
    strbuf_free(&block);
}

void commonmark_add_rule(struct commonmark_writer *writer)
{
    commonmark_end_paragraph(writer);
    write_lines(writer, writer->depth > 0 ? "___" : "---", 3, false); /* "- ---" would be a rule and no item */
}

/* ---- tables ---- */

void commonmark_open_table(struct commonmark_writer *writer, const enum commonmark_align *alignments, size_t columns)
{
    commonmark_end_paragraph(writer);
    strbuf_clear(&writer->table);
    free(writer->alignments);
    writer->alignments = xcalloc(columns, sizeof *alignments);
    memcpy(writer->alignments, alignments, columns * sizeof *alignments);
    writer->columns = columns;
    writer->row = writer->cell = 0;
}

/* A "|" ends a cell wherever it stands, in code too. */
static void add_cell_text(struct strbuf *out, const struct strbuf *text)
{
    bool is_escaped = false;
    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '|' && !is_escaped)
            strbuf_add_char(out, '\\');
        is_escaped = text->data[i] == '\\' && !is_escaped;
        strbuf_add_char(out, text->data[i]);
    }
}

void commonmark_end_cell(struct commonmark_writer *writer)
{
    free(take_blanks(writer));
    end_linked_text(writer);
    suspend_emphasis(writer, 0);
    struct strbuf text;
    strbuf_init(&text, writer->out->max);
    commonmark_render_inline(&text, writer->content.data, writer->content.len, true);
    if (!strbuf_ok(&text) || !strbuf_ok(&writer->content))
        writer->out->overflowed = true;
    if (writer->cell++ < writer->columns) {
        strbuf_add_str(&writer->table, "| ");
        add_cell_text(&writer->table, &text);
        strbuf_add_str(&writer->table, text.len > 0 ? " " : "");
    }
    strbuf_free(&text);
    strbuf_clear(&writer->content);
    writer->line_start = 0;
}

void commonmark_end_row(struct commonmark_writer *writer)
{
    static const char *const lines[] = { "| --- ", "| :-- ", "| :-: ", "| --: " };
    for (; writer->cell < writer->columns; writer->cell++)
        strbuf_add_str(&writer->table, "| ");
    strbuf_add_str(&writer->table, "|\n");
    for (size_t i = 0; writer->row == 0 && i < writer->columns; i++)
        strbuf_add_str(&writer->table, lines[writer->alignments[i]]);
    strbuf_add_str(&writer->table, writer->row == 0 ? "|\n" : "");
    writer->row++;
    writer->cell = 0;
}

void commonmark_close_table(struct commonmark_writer *writer)
{
    if (!strbuf_ok(&writer->table))
        writer->out->overflowed = true;
    if (writer->table.len > 0)
        write_lines(writer, writer->table.data, writer->table.len - 1, false);
    strbuf_clear(&writer->table);
    free(writer->alignments);
    writer->alignments = NULL;
    writer->columns = 0;
}

/* ---- containers ---- */

static struct container *open_container(struct commonmark_writer *writer, enum container_kind kind)
{
    commonmark_end_paragraph(writer);
    if (writer->depth++ >= CONVERT_QUOTE_DEPTH_MAX)
        return NULL;
    struct container *container = &writer->containers[writer->depth - 1];
    *container = (struct container){ .kind = kind, .id = ++writer->next_id };
    return container;
}

void commonmark_open_quote(struct commonmark_writer *writer)
{
    open_container(writer, QUOTE);
}

void commonmark_open_list(struct commonmark_writer *writer, bool ordered, unsigned start)
{
    struct container *list = open_container(writer, LIST);
    if (!list)
        return;
    list->ordered = ordered;
    list->number = start;
    /* Two lists one after the other would become one if their markers were the same. */
    list->alternative =
        writer->last_list_ended && writer->last_list_ordered == ordered && !writer->last_list_alternative;
}

void commonmark_part_items(struct commonmark_writer *writer)
{
    if (writer->depth > 0 && writer->depth <= CONVERT_QUOTE_DEPTH_MAX)
        writer->containers[writer->depth - 1].is_loose = true;
}

void commonmark_open_item(struct commonmark_writer *writer)
{
    struct container *item = open_container(writer, ITEM);
    if (!item)
        return;
    struct container *list = writer->depth > 1 ? &writer->containers[writer->depth - 2] : NULL;
    struct strbuf marker;
    strbuf_init(&marker, sizeof item->marker - 1);
    if (list && list->kind == LIST && list->ordered)
        strbuf_add_fmt(&marker, "%u%c ", list->number++ % 1000000000, list->alternative ? ')' : '.');
    else
        strbuf_add_str(&marker, list && list->alternative ? "* " : "- ");
    memcpy(item->marker, marker.data, marker.len + 1);
    strbuf_free(&marker);
}

bool commonmark_is_top_level(const struct commonmark_writer *writer)
{
    return writer->depth == 0;
}

/* Of a chain of markers only the first: "- - -" would be a rule. */
static void write_empty_item(struct commonmark_writer *writer)
{
    for (size_t i = 0; i + 1 < writer->depth; i++) {
        if (writer->containers[i].kind == ITEM && !writer->containers[i].marker_is_written)
            return;
    }
    writer->is_empty_item = true;
    write_lines(writer, "", 0, false);
    writer->is_empty_item = false;
}

void commonmark_close_container(struct commonmark_writer *writer)
{
    commonmark_end_paragraph(writer);
    if (writer->depth == 0)
        return;
    const struct container *last =
        writer->depth <= CONVERT_QUOTE_DEPTH_MAX ? &writer->containers[writer->depth - 1] : NULL;
    if (last && last->kind == ITEM && !last->marker_is_written)
        write_empty_item(writer);
    if (--writer->depth >= CONVERT_QUOTE_DEPTH_MAX)
        return;
    const struct container *closed = &writer->containers[writer->depth];
    if (closed->kind == LIST) {
        writer->last_list_ended = true;
        writer->last_list_ordered = closed->ordered;
        writer->last_list_alternative = closed->alternative;
    }
}
