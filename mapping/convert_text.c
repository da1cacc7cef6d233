#include "mapping/convert_text.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"

#define NO_BREAK_SPACE "\xC2\xA0"

enum { TAB_WIDTH = 8 };

void convert_text_clean(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (n == 0)
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

/* ---- links ---- */

static size_t url_scheme_len(const char *text, size_t len)
{
    static const char *const schemes[] = { "https://", "http://", "mailto:" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        if (len > n && strncasecmp(text, schemes[i], n) == 0)
            return n;
    }
    return 0;
}

static bool is_url_char(char c)
{
    return (unsigned char)c > ' ' && c != 0x7F && !strchr("<>\"`{}|\\^", c);
}

static int count_char(const char *text, size_t len, char c)
{
    int count = 0;
    for (size_t i = 0; i < len; i++)
        count += text[i] == c;
    return count;
}

/* Punctuation at the end belongs to the sentence; a bracket only if it was not opened in the url. */
static size_t trim_url(const char *url, size_t len)
{
    int surplus_round = count_char(url, len, ')') - count_char(url, len, '(');
    int surplus_square = count_char(url, len, ']') - count_char(url, len, '[');
    for (; len > 0; len--) {
        char last = url[len - 1];
        if (last == ')' && surplus_round > 0)
            surplus_round--;
        else if (last == ']' && surplus_square > 0)
            surplus_square--;
        else if (!strchr(".,;:!?'*_~", last))
            return len;
    }
    return 0;
}

/* Length of the web address at text; 0 when there is none. A no-break space ends it as well. */
static size_t find_url(const char *text, size_t len)
{
    enum { URL_MAX = 4096 };
    size_t scheme = url_scheme_len(text, len);
    if (scheme == 0)
        return 0;
    size_t n = scheme;
    while (n < len && n < URL_MAX && is_url_char(text[n]) && !(len - n > 1 && memcmp(text + n, NO_BREAK_SPACE, 2) == 0))
        n++;
    n = trim_url(text, convert_utf8_cut(text, len, n));
    return n > scheme ? n : 0;
}

void convert_text_add_linked(struct commonmark_writer *writer, const char *text, size_t len)
{
    size_t start = 0; /* of the text that is not added yet */
    for (size_t i = 0; i < len; i++) {
        char c = (char)(text[i] | 0x20);
        if ((c != 'h' && c != 'm') || (i > 0 && isalnum((unsigned char)text[i - 1])))
            continue;
        size_t n = find_url(text + i, len - i);
        if (n == 0)
            continue;
        commonmark_add_text(writer, text + start, i - start);
        commonmark_add_autolink(writer, text + i, n);
        start = i + n;
        i = start - 1;
    }
    commonmark_add_text(writer, text + start, len - start);
}

/* ---- lines ---- */

/* One line without its quote marks. */
struct line {
    const char *text;
    size_t len;
    unsigned depth;
};

/* ">>", "> >" and "> > " all are two levels; what follows one blank after the last belongs to the text. Flowed text
 * puts no blanks between the marks. */
static struct line parse_line(const char *text, size_t len, bool is_flowed)
{
    struct line line = { text, len, 0 };
    while (line.len > 0 && line.text[0] == '>' && line.depth < CONVERT_QUOTE_DEPTH_MAX) {
        line.depth++;
        line.text++;
        line.len--;
        if (!is_flowed && line.len > 1 && line.text[0] == ' ' && line.text[1] == '>') {
            line.text++;
            line.len--;
        }
    }
    bool has_stuffing = line.len > 0 && line.text[0] == ' ' && (is_flowed || line.depth > 0);
    if (has_stuffing) {
        line.text++;
        line.len--;
    }
    return line;
}

/* Blanks at line starts and runs of them would not show: all but a single one between words become no-break spaces. */
static void keep_blanks(struct strbuf *out, const char *text, size_t len)
{
    size_t column = 0;
    size_t blanks = 0; /* columns of the run that is not written yet */
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ' || text[i] == '\t') {
            size_t width = text[i] == ' ' ? 1 : TAB_WIDTH - (column + blanks) % TAB_WIDTH;
            blanks += width;
            continue;
        }
        for (; blanks > 0; blanks--) {
            bool single = blanks == 1 && column > 0;
            strbuf_add_str(out, single ? " " : NO_BREAK_SPACE);
            column++;
        }
        strbuf_add_char(out, text[i]);
        column += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
}

struct text_writer {
    struct commonmark_writer *writer;
    unsigned depth;        /* of open quotes */
    bool needs_break;      /* the paragraph has a line already */
    struct strbuf pending; /* a flowed paragraph that goes on */
    bool has_pending;
    unsigned pending_depth;
};

static void write_line(struct text_writer *text, const char *line, size_t len, unsigned depth)
{
    if (depth != text->depth) {
        commonmark_end_paragraph(text->writer);
        text->needs_break = false;
    }
    for (; text->depth > depth; text->depth--)
        commonmark_close_container(text->writer);
    for (; text->depth < depth; text->depth++)
        commonmark_open_quote(text->writer);
    if (strspn(line, " \t") >= len) { /* stops at the line feed or NUL behind the line at the latest */
        commonmark_end_paragraph(text->writer);
        text->needs_break = false;
        return;
    }
    if (text->needs_break)
        commonmark_add_break(text->writer);
    struct strbuf kept;
    strbuf_init(&kept, len * TAB_WIDTH * strlen(NO_BREAK_SPACE) + 1);
    keep_blanks(&kept, line, len);
    convert_text_add_linked(text->writer, kept.data, kept.len);
    strbuf_free(&kept);
    text->needs_break = true;
}

static void flush_pending(struct text_writer *text)
{
    if (text->has_pending)
        write_line(text, text->pending.data, text->pending.len, text->pending_depth);
    strbuf_clear(&text->pending);
    text->has_pending = false;
}

/* RFC 3676 section 4: a line that ends with a space goes on in the next one of the same depth; "-- " never does. */
static void add_flowed_line(struct text_writer *text, struct line line, bool is_delsp)
{
    bool is_signature = line.len == 3 && memcmp(line.text, "-- ", 3) == 0;
    if (text->has_pending && (line.depth != text->pending_depth || is_signature))
        flush_pending(text);
    bool goes_on = line.len > 0 && line.text[line.len - 1] == ' ' && !is_signature;
    size_t len = goes_on && is_delsp ? line.len - 1 : line.len;
    strbuf_add(&text->pending, line.text, len);
    text->has_pending = true;
    text->pending_depth = line.depth;
    if (!goes_on)
        flush_pending(text);
}

void convert_text_write(struct commonmark_writer *writer, const char *text, size_t len,
                        const struct convert_text_format *format)
{
    struct strbuf clean;
    strbuf_init(&clean, len * strlen(CONVERT_UTF8_REPLACEMENT) + 1);
    convert_text_clean(&clean, text, len);
    struct text_writer state = { .writer = writer };
    strbuf_init(&state.pending, clean.len + 1);
    for (size_t i = 0; i < clean.len;) {
        const char *lf = memchr(clean.data + i, '\n', clean.len - i);
        size_t n = lf ? (size_t)(lf - clean.data) - i : clean.len - i;
        struct line line = parse_line(clean.data + i, n, format->is_flowed);
        if (format->is_flowed)
            add_flowed_line(&state, line, format->is_delsp);
        else
            write_line(&state, line.text, line.len, line.depth);
        i += n + 1;
    }
    flush_pending(&state);
    commonmark_end_paragraph(writer);
    for (; state.depth > 0; state.depth--)
        commonmark_close_container(writer);
    strbuf_free(&state.pending);
    strbuf_free(&clean);
}
