/* Texts become lines: white space collapses, blanks that nothing follows vanish, emphasis nests. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_history.h"
#include "mapping/convert_html_writer.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

#define NO_BREAK_SPACE "\xC2\xA0"

enum {
    BLANKS_MAX = 120,  /* octets; longer runs are no indentation and no columns */
    UNSEEN_MAX = 12,   /* octets between two letters that may mean something */
    RUN_MAX = 1 << 25, /* octets of one text; the body is far smaller */
    TAB_WIDTH = 4,
    LINK = COMMONMARK_EMPHASIS_COUNT /* among what is applied */
};

static const struct {
    uint32_t look;
    enum commonmark_emphasis kind;
} emphases[] = { { HTML_LOOK_STRIKE, COMMONMARK_STRIKE }, /* around the others: it shows in blanks, too */
                 { HTML_LOOK_BOLD, COMMONMARK_STRONG },
                 { HTML_LOOK_ITALIC, COMMONMARK_EM } };

static const uint32_t run_looks =
    HTML_LOOK_BOLD | HTML_LOOK_ITALIC | HTML_LOOK_STRIKE | HTML_LOOK_CODE; /* what tells two runs apart */

void html_inline_init(struct html_writer *writer)
{
    strbuf_init(&writer->blanks, BLANKS_MAX);
    strbuf_init(&writer->unseen, UNSEEN_MAX);
    strbuf_init(&writer->run, RUN_MAX);
}

void html_inline_free(struct html_writer *writer)
{
    html_inline_close_link(writer);
    strbuf_free(&writer->blanks);
    strbuf_free(&writer->unseen);
    strbuf_free(&writer->run);
}

/* ---- emphasis ---- */

static uint32_t look_of(int kind)
{
    for (size_t i = 0; i < sizeof emphases / sizeof emphases[0]; i++) {
        if ((int)emphases[i].kind == kind)
            return emphases[i].look;
    }
    return 0;
}

static bool is_applied(const struct html_writer *writer, int kind)
{
    for (unsigned i = 0; i < writer->applied_count; i++) {
        if (writer->applied[i] == kind)
            return true;
    }
    return false;
}

static void apply(struct html_writer *writer, int kind)
{
    if (is_applied(writer, kind))
        return;
    writer->applied[writer->applied_count++] = kind;
    if (kind == LINK) {
        commonmark_open_link(writer->out, writer->link);
        writer->written_link = writer->link_number;
    } else {
        commonmark_open_emphasis(writer->out, (enum commonmark_emphasis)kind);
    }
}

static void undo_last(struct html_writer *writer)
{
    int kind = writer->applied[--writer->applied_count];
    if (kind == LINK)
        commonmark_close_link(writer->out);
    else
        commonmark_close_emphasis(writer->out, (enum commonmark_emphasis)kind);
}

/* Emphasis that was there before the link stays around it; other emphasis belongs inside. */
static bool may_stay(const struct html_writer *writer, unsigned index, uint32_t look)
{
    int kind = writer->applied[index];
    if (kind == LINK)
        return writer->link && writer->written_link == writer->link_number;
    if (!(look & look_of(kind)))
        return false;
    if (!writer->link || (writer->link_look & look_of(kind)))
        return true;
    for (unsigned i = 0; i < index; i++) {
        if (writer->applied[i] == LINK)
            return true;
    }
    return false;
}

static void end_other_looks(struct html_writer *writer, uint32_t look)
{
    unsigned keep = 0;
    while (keep < writer->applied_count && may_stay(writer, keep, look))
        keep++;
    while (writer->applied_count > keep)
        undo_last(writer);
}

static void begin_looks(struct html_writer *writer, uint32_t look)
{
    for (size_t i = 0; i < sizeof emphases / sizeof emphases[0]; i++) {
        if ((look & emphases[i].look) && (!writer->link || (writer->link_look & emphases[i].look)))
            apply(writer, (int)emphases[i].kind);
    }
    if (writer->link)
        apply(writer, LINK);
    for (size_t i = 0; i < sizeof emphases / sizeof emphases[0]; i++) {
        if (look & emphases[i].look)
            apply(writer, (int)emphases[i].kind);
    }
}

/* ---- runs ---- */

static size_t leading_blanks(const struct strbuf *run)
{
    size_t n = 0;
    for (;;) {
        if (n < run->len && run->data[n] == ' ')
            n++;
        else if (run->len - n >= 2 && memcmp(run->data + n, NO_BREAK_SPACE, 2) == 0)
            n += 2;
        else
            return n;
    }
}

void html_inline_flush(struct html_writer *writer)
{
    if (writer->run.len == 0)
        return;
    uint32_t look = writer->run_look & ~writer->masked;
    size_t blanks = leading_blanks(&writer->run);
    const char *text = writer->run.data + blanks;
    size_t len = writer->run.len - blanks;
    end_other_looks(writer, look);
    commonmark_add_text(writer->out, writer->run.data, blanks);
    begin_looks(writer, look);
    if (look & HTML_LOOK_CODE)
        commonmark_add_code(writer->out, text, len);
    else if (writer->link)
        commonmark_add_text(writer->out, text, len);
    else
        convert_text_add_linked(writer->out, text, len);
    strbuf_clear(&writer->run);
}

static void forget_blanks(struct html_writer *writer)
{
    strbuf_clear(&writer->blanks);
    strbuf_clear(&writer->unseen);
    writer->has_filler = writer->blanks_are_kept = false;
    writer->blanks_look = 0;
}

static void end_paragraph(struct html_writer *writer)
{
    if (writer->heading > 0)
        commonmark_end_heading(writer->out, writer->heading);
    else
        commonmark_end_paragraph(writer->out);
    if (writer->history && writer->has_written)
        convert_history_look_back(writer->history);
    writer->has_written = writer->line_has_content = false;
    writer->needs_break = writer->needs_paragraph = false;
}

/* Each line has its own emphasis, as people write it; a link may go on. */
static void add_break(struct html_writer *writer)
{
    while (!is_applied(writer, LINK) && writer->applied_count > 0)
        undo_last(writer);
    commonmark_add_break(writer->out);
}

/* Something that shows comes: breaks and paragraphs that were due are written now. */
static void begin_content(struct html_writer *writer)
{
    if (writer->line_has_content)
        return;
    html_inline_flush(writer);
    if (writer->needs_paragraph)
        end_paragraph(writer);
    else if (writer->needs_break && !commonmark_block_is_empty(writer->out))
        add_break(writer);
    writer->needs_break = writer->needs_paragraph = false;
    writer->line_has_content = writer->has_written = true;
    writer->after_rule = false;
}

/* The blanks before a text. Two of them are how programs write a wide one: nobody misses the second. */
static void add_blanks(struct html_writer *writer, bool is_line_start)
{
    static const char *const wide[] = { NO_BREAK_SPACE " ", " " NO_BREAK_SPACE };
    struct strbuf *blanks = &writer->blanks;
    bool is_wide =
        !writer->blanks_are_kept && (strcmp(blanks->data, wide[0]) == 0 || strcmp(blanks->data, wide[1]) == 0);
    bool is_odd = writer->has_filler || blanks->overflowed || is_wide;
    if (is_line_start && (is_odd || strcmp(blanks->data, " ") == 0))
        ;
    else if (is_odd && blanks->len > 0)
        strbuf_add_char(&writer->run, ' ');
    else
        strbuf_add(&writer->run, blanks->data, blanks->len);
    /* Between two letters they join or part them (Persian, emoji, hyphens); beside blanks they are filling. */
    if (!is_line_start && blanks->len == 0 && !writer->has_filler && strbuf_ok(&writer->unseen))
        strbuf_add(&writer->run, writer->unseen.data, writer->unseen.len);
    forget_blanks(writer);
}

static void add_character(struct html_writer *writer, const char *character, size_t len, uint32_t look)
{
    bool is_line_start = !writer->line_has_content;
    begin_content(writer);
    if (look & HTML_LOOK_CODE) /* what highlights its words says nothing */
        look = HTML_LOOK_CODE;
    uint32_t parted = writer->blanks.len > 0 ? look & ~writer->blanks_look & (HTML_LOOK_CODE | HTML_LOOK_STRIKE) : 0;
    if ((look & run_looks) != writer->run_look || parted)
        html_inline_flush(writer);
    if (parted & writer->run_look) /* a line through the blanks would show */
        end_other_looks(writer, (look & ~parted) & ~writer->masked);
    writer->run_look = look & run_looks;
    add_blanks(writer, is_line_start);
    strbuf_add(&writer->run, character, len);
}

static void add_blank(struct html_writer *writer, const char *blank, size_t len)
{
    if (writer->unseen.len > 0)
        writer->has_filler = true;
    strbuf_clear(&writer->unseen);
    strbuf_add(&writer->blanks, blank, len);
}

void html_inline_blank(struct html_writer *writer)
{
    if (writer->blanks.len == 0 || writer->blanks.data[writer->blanks.len - 1] != ' ')
        add_blank(writer, " ", 1);
}

static void add_kept_blank(struct html_writer *writer, char blank)
{
    writer->blanks_are_kept = true;
    if (blank == '\n') {
        html_inline_break(writer);
    } else if (blank == '\t') {
        for (int i = 0; i < TAB_WIDTH; i++)
            add_blank(writer, NO_BREAK_SPACE, 2);
    } else if (writer->blanks.len == 0 && writer->line_has_content) {
        add_blank(writer, " ", 1);
    } else if (blank == ' ') {
        add_blank(writer, NO_BREAK_SPACE, 2);
    }
}

enum character { VISIBLE, COLLAPSING, FIXED_BLANK, UNSEEN, DROPPED, CONTROL };

static enum character classify(uint32_t code)
{
    if (code == ' ' || code == '\t' || code == '\n' || code == '\r' || code == '\f' || code == 0x85)
        return COLLAPSING;
    if (code < ' ' || (code >= 0x7F && code < 0xA0))
        return CONTROL;
    if (code == 0xA0 || (code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x205F || code == 0x3000)
        return FIXED_BLANK;
    if (code == 0x2028 || code == 0x2029)
        return COLLAPSING;
    if (code == 0x202D || code == 0x202E) /* overrides turn words around, to deceive or by mistake */
        return DROPPED;
    if (code == 0xAD || code == 0x34F || code == 0x180E || (code >= 0x200B && code <= 0x200D) ||
        (code >= 0x2060 && code <= 0x2064) || code == 0xFEFF)
        return UNSEEN;
    return VISIBLE;
}

void html_inline_text(struct html_writer *writer, const char *text, size_t len, uint32_t look)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        enum character kind = n > 0 ? classify(code) : CONTROL;
        if (n > 0 && writer->is_left_to_right && (code == 0x200E || code == 0x200F))
            kind = DROPPED;
        n = n > 0 ? n : 1;
        if (kind == VISIBLE)
            add_character(writer, text + i, n, look);
        else if (kind == CONTROL)
            add_character(writer, CONVERT_UTF8_REPLACEMENT, strlen(CONVERT_UTF8_REPLACEMENT), look);
        else if (kind == COLLAPSING || kind == FIXED_BLANK)
            writer->blanks_look = writer->blanks.len == 0 ? look : writer->blanks_look & look;
        if (kind == COLLAPSING && (look & HTML_LOOK_BLANKS) && code < 0x80)
            add_kept_blank(writer, text[i]);
        else if (kind == COLLAPSING)
            html_inline_blank(writer);
        else if (kind == FIXED_BLANK)
            add_blank(writer, text + i, n);
        else if (kind == UNSEEN)
            strbuf_add(&writer->unseen, text + i, n);
        i += n;
    }
}

/* ---- breaks ---- */

void html_inline_break(struct html_writer *writer)
{
    if (writer->is_single_line) {
        html_inline_blank(writer);
        return;
    }
    html_inline_flush(writer);
    if (writer->line_has_content)
        writer->needs_break = true;
    else
        writer->needs_paragraph = true; /* an empty line */
    writer->line_has_content = false;
    forget_blanks(writer);
}

void html_inline_end_line(struct html_writer *writer, bool is_apart)
{
    if (writer->is_single_line) {
        html_inline_blank(writer);
        return;
    }
    bool is_blank_line =
        !writer->line_has_content && !writer->has_filler && strstr(writer->blanks.data, NO_BREAK_SPACE);
    if (writer->line_has_content || is_blank_line)
        html_inline_break(writer);
    forget_blanks(writer);
    writer->needs_paragraph = writer->needs_paragraph || is_apart;
}

void html_inline_end_paragraph(struct html_writer *writer)
{
    html_inline_flush(writer);
    if (writer->is_single_line && writer->heading == 0)
        html_inline_blank(writer);
    else
        end_paragraph(writer);
    if (!writer->is_single_line || writer->heading > 0)
        forget_blanks(writer);
}

/* ---- links and pictures ---- */

/* Before something that is no run of text. */
static void begin_object(struct html_writer *writer, uint32_t look)
{
    bool is_line_start = !writer->line_has_content;
    begin_content(writer);
    html_inline_flush(writer);
    add_blanks(writer, is_line_start);
    look &= ~writer->masked;
    end_other_looks(writer, look);
    commonmark_add_text(writer->out, writer->run.data, writer->run.len);
    strbuf_clear(&writer->run);
    begin_looks(writer, look);
}

void html_inline_autolink(struct html_writer *writer, const char *url, uint32_t look)
{
    begin_object(writer, look);
    commonmark_add_autolink(writer->out, url, strlen(url));
}

void html_inline_image(struct html_writer *writer, const char *alt, const char *url, uint32_t look)
{
    begin_object(writer, look);
    commonmark_add_image(writer->out, alt, url);
}

void html_inline_open_link(struct html_writer *writer, const char *url, uint32_t look)
{
    html_inline_close_link(writer);
    html_inline_flush(writer);
    writer->link = xstrdup(url);
    writer->link_look = look;
    writer->link_number++;
}

void html_inline_close_link(struct html_writer *writer)
{
    if (!writer->link)
        return;
    html_inline_flush(writer);
    while (is_applied(writer, LINK))
        undo_last(writer);
    free(writer->link);
    writer->link = NULL;
}
