#include "mapping/convert_text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text_columns.h"
#include "mapping/convert_text_lines.h"
#include "mapping/convert_text_link.h"
#include "mapping/convert_text_list.h"
#include "mapping/convert_text_shape.h"
#include "mapping/convert_utf8.h"

enum { TERMINAL_CODE_MAX = 20 };

#define NO_BREAK_SPACE "\xC2\xA0"

/* Of the colours and cursors of terminals, which show in logs: ESC "[" and what belongs to it. */
static size_t terminal_code_len(const char *text, size_t len)
{
    if (len < 3 || text[0] != '\x1B' || text[1] != '[')
        return 0;
    size_t n = 2;
    while (n < len && n < TERMINAL_CODE_MAX && (isdigit((unsigned char)text[n]) || text[n] == ';'))
        n++;
    return n < len && isalpha((unsigned char)text[n]) ? n + 1 : 0;
}

void convert_text_clean(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        size_t terminal_code = terminal_code_len(text + i, len - i);
        if (terminal_code > 0)
            n = terminal_code;
        else if (n == 0)
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
        else if (code == '\r' && i + 1 < len && text[i + 1] == '\n')
            ; /* the LF counts */
        else if (code == '\r' || code == '\f' || code == '\v' || code == 0x85 || code == 0x2028 || code == 0x2029)
            strbuf_add_char(out, '\n');
        else if (code != '\n' && code != '\t' && (code < 0x20 || (code >= 0x7F && code < 0xA0)))
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
        else
            strbuf_add(out, text + i, n);
        i += n > 0 ? n : 1;
    }
}

bool convert_text_is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        /* Zero-width characters and soft hyphens are how newsletters fill text that nobody shall see. */
        bool unseen = code <= ' ' || code == 0xA0 || code == 0xAD || code == 0x034F ||
                      (code >= 0x2000 && code <= 0x200F) || code == 0x2060 || code == 0x3000 || code == 0xFEFF;
        if (n == 0 || !unseen)
            return false;
        i += n;
    }
    return true;
}

/* ---- lines ---- */

/* Blanks at line starts and runs of them would not show: all but a single one between words become no-break spaces.
 * In code they are as they were, but for tabs. column: where the text begins. */
static void add_columns(struct strbuf *out, const char *text, size_t len, size_t column, bool is_code)
{
    size_t blanks = 0; /* columns of the run that is not written yet */
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ' || text[i] == '\t') {
            size_t at = column + blanks;
            blanks += text[i] == ' ' ? 1 : CONVERT_TEXT_TAB_WIDTH - at % CONVERT_TEXT_TAB_WIDTH;
            continue;
        }
        for (; blanks > 0; blanks--) {
            bool single = blanks == 1 && column > 0;
            strbuf_add_str(out, single || is_code ? " " : NO_BREAK_SPACE);
            column++;
        }
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        n = n > 0 ? n : 1;
        strbuf_add(out, text + i, n);
        column += convert_text_width(code);
        i += n - 1;
    }
}

struct writer {
    struct commonmark_writer *out;
    struct convert_history *history;
    struct convert_text_lines lines;
    struct convert_history_span *spans; /* of the history that begin later */
    size_t span_count;
    unsigned depth;   /* of open quotes */
    bool needs_break; /* the paragraph has a line already */
    bool has_diff[CONVERT_QUOTE_DEPTH_MAX + 1];
};

static const char *text_of(const struct writer *writer, size_t i)
{
    return writer->lines.text + writer->lines.lines[i].start;
}

static size_t len_of(const struct writer *writer, size_t i)
{
    return writer->lines.lines[i].len;
}

static void end_paragraph(struct writer *writer)
{
    commonmark_end_paragraph(writer->out);
    writer->needs_break = false;
}

static void set_depth(struct writer *writer, unsigned depth)
{
    if (depth != writer->depth)
        end_paragraph(writer);
    for (; writer->depth > depth; writer->depth--)
        commonmark_close_container(writer->out);
    for (; writer->depth < depth; writer->depth++)
        commonmark_open_quote(writer->out);
}

static void start_line(struct writer *writer)
{
    if (writer->needs_break)
        commonmark_add_break(writer->out);
    writer->needs_break = true;
}

/* Length of what would make the line an item or a heading, without the blank behind it; 0: nothing. */
static size_t marker_len(const char *text, size_t len)
{
    enum { DIGITS_MAX = 9, HASHES_MAX = 6 };
    size_t n = 0;
    if (len > 0 && strchr("-*+", *text)) {
        n = 1;
    } else if (len > 0 && *text == '#') {
        while (n < len && n < HASHES_MAX && text[n] == '#')
            n++;
    } else {
        while (n < len && n < DIGITS_MAX && isdigit((unsigned char)text[n]))
            n++;
        n = n > 0 && n < len && strchr(".)", text[n]) ? n + 1 : 0;
    }
    return n > 0 && n < len && text[n] == ' ' ? n : 0;
}

/* A no-break space keeps what is no item from becoming one. */
void convert_text_write_line(struct commonmark_writer *writer, const char *text, size_t len)
{
    struct strbuf kept;
    strbuf_init(&kept, len * CONVERT_TEXT_TAB_WIDTH * strlen(NO_BREAK_SPACE) + 2);
    size_t marker = marker_len(text, len);
    strbuf_add(&kept, text, marker);
    if (marker > 0) {
        strbuf_add_str(&kept, NO_BREAK_SPACE);
        marker++;
    }
    add_columns(&kept, text + marker, len - marker, marker, false);
    convert_text_add_linked(writer, kept.data, kept.len);
    strbuf_free(&kept);
}

/* Adds the text of a link. */
static void add_kept(struct writer *writer, const char *text, size_t len)
{
    struct strbuf kept;
    strbuf_init(&kept, len * CONVERT_TEXT_TAB_WIDTH * strlen(NO_BREAK_SPACE) + 1);
    add_columns(&kept, text, len, 0, false);
    commonmark_add_text(writer->out, kept.data, kept.len);
    strbuf_free(&kept);
}

static bool is_plain(const struct writer *writer, size_t i)
{
    const struct convert_text_line *line = &writer->lines.lines[i];
    return !line->is_empty && !line->is_code && !convert_text_is_rule(text_of(writer, i), line->len) &&
           !convert_text_is_signature(text_of(writer, i), line->len);
}

/* Lines from i on that one address in angle brackets goes through; 0: there is none. The link has the whole of it. */
static size_t write_broken_link(struct writer *writer, size_t i, size_t end)
{
    struct convert_text_piece pieces[CONVERT_TEXT_BROKEN_LINES_MAX];
    size_t count = 0;
    while (count < CONVERT_TEXT_BROKEN_LINES_MAX && i + count < end && is_plain(writer, i + count)) {
        pieces[count] = (struct convert_text_piece){ text_of(writer, i + count), len_of(writer, i + count) };
        count++;
    }
    if (count == 0)
        return 0;
    struct strbuf url;
    strbuf_init(&url, CONVERT_TEXT_URL_MAX);
    size_t start = 0, stop = 0;
    size_t used = convert_text_find_broken_link(pieces, count, &start, &stop, &url);
    if (used > 0 && used <= count) {
        start_line(writer);
        convert_text_write_line(writer->out, pieces[0].text, start);
        commonmark_open_link(writer->out, url.data);
        add_kept(writer, pieces[0].text + start, pieces[0].len - start);
        for (size_t k = 1; k < used; k++) {
            commonmark_add_break(writer->out);
            add_kept(writer, pieces[k].text, k + 1 < used ? pieces[k].len : stop);
        }
        commonmark_close_link(writer->out);
        convert_text_write_line(writer->out, pieces[used - 1].text + stop, pieces[used - 1].len - stop);
    }
    strbuf_free(&url);
    return used;
}

static size_t write_code(struct writer *writer, size_t i, size_t end)
{
    size_t last = i; /* the last line of code: empty ones at the end don't belong to it */
    for (size_t k = i; k < end && (writer->lines.lines[k].is_code || writer->lines.lines[k].is_empty); k++) {
        if (writer->lines.lines[k].is_fence && k > i) {
            last = k;
            break;
        }
        if (writer->lines.lines[k].is_code)
            last = k;
    }
    struct strbuf code;
    strbuf_init(&code, (size_t)CONVERT_TEXT_MAX * CONVERT_TEXT_TAB_WIDTH);
    for (size_t k = i; k <= last; k++) {
        const struct convert_text_line *line = &writer->lines.lines[k];
        if (line->is_fence)
            continue;
        for (size_t n = 0; line->is_empty && n + 1 < line->len; n++)
            strbuf_add_char(&code, '\n');
        if (!line->is_empty)
            add_columns(&code, text_of(writer, k), line->len, 0, true);
        strbuf_add_char(&code, '\n');
    }
    end_paragraph(writer);
    commonmark_add_code_block(writer->out, code.data, code.len);
    strbuf_free(&code);
    return last + 1 - i;
}

/* ---- sections ---- */

/* Of equally deep lines: one block, or one line of a paragraph. Returns how many lines it took. */
static size_t write_block(struct writer *writer, size_t i, size_t end)
{
    const struct convert_text_line *line = &writer->lines.lines[i];
    if (line->is_empty) {
        end_paragraph(writer);
        return 1;
    }
    if (line->is_code)
        return write_code(writer, i, end);
    if (convert_text_is_rule(text_of(writer, i), line->len)) {
        end_paragraph(writer);
        commonmark_add_rule(writer->out);
        return 1;
    }
    size_t list_end = convert_text_list_end(&writer->lines, i, end);
    if (list_end > i) {
        end_paragraph(writer);
        convert_text_write_list(writer->out, &writer->lines, i, list_end);
        return list_end - i;
    }
    if (convert_text_is_signature(text_of(writer, i), line->len))
        end_paragraph(writer);
    size_t broken = write_broken_link(writer, i, end);
    if (broken > 0)
        return broken;
    start_line(writer);
    convert_text_write_line(writer->out, text_of(writer, i), line->len);
    return 1;
}

/* Says what of the mail begins at this line, and returns it, if something does. */
static enum convert_history_part mark_history(struct writer *writer, size_t i, enum convert_history_part part)
{
    while (writer->span_count > 0 && writer->spans->offset <= writer->lines.lines[i].offset) {
        set_depth(writer, 0);
        end_paragraph(writer);
        part = writer->spans->part;
        convert_history_mark(writer->history, part);
        writer->spans++;
        writer->span_count--;
    }
    return part;
}

/* Behind the lines that are as deep as the one at i and belong to the same part of the mail. */
static size_t section_end(const struct writer *writer, size_t i)
{
    size_t end = i + 1;
    while (end < writer->lines.count && writer->lines.lines[end].depth == writer->lines.lines[i].depth &&
           (writer->span_count == 0 || writer->spans->offset > writer->lines.lines[end].offset))
        end++;
    return end;
}

static void write_sections(struct writer *writer)
{
    enum convert_history_part part = CONVERT_HISTORY_OWN;
    for (size_t i = 0; i < writer->lines.count;) {
        part = mark_history(writer, i, part);
        size_t end = section_end(writer, i);
        unsigned depth = writer->lines.lines[i].depth;
        set_depth(writer, depth);
        if (part != CONVERT_HISTORY_ATTRIBUTION) /* "From:   Bob" is no table */
            convert_text_find_shapes(&writer->lines, i, end, &writer->has_diff[depth]);
        while (i < end)
            i += write_block(writer, i, end);
    }
    set_depth(writer, 0);
    end_paragraph(writer);
}

void convert_text_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_text_format *format, struct convert_history *history)
{
    struct strbuf clean;
    strbuf_init(&clean, len * strlen(CONVERT_UTF8_REPLACEMENT) + 1);
    convert_text_clean(&clean, text, len);
    struct writer state = { .out = writer, .history = history };
    struct convert_history_span *spans = NULL;
    if (history) {
        convert_history_begin_text(history);
        state.span_count = convert_history_find(clean.data, clean.len, &spans);
    }
    state.spans = spans;
    convert_text_lines_read(&state.lines, clean.data, clean.len, format);
    strbuf_free(&clean);
    write_sections(&state);
    convert_text_lines_free(&state.lines);
    free(spans);
}
