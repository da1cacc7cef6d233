#include "mapping/convert_text_lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"

/* One line as it stands, and what its quote marks said. */
struct physical {
    const char *text;
    size_t len;
    unsigned depth;
    uint32_t offset;
};

enum { PROMPT_LEN = 3 };

/* What ">" is in a text besides a quote mark, if it is none. */
struct marks {
    bool has_only_from; /* it stands before "From " and nowhere else: a mail store has put it there */
    bool has_prompts;   /* nowhere are there fewer than three: ">>> " is what an interpreter says */
};

struct reader {
    struct convert_text_lines *lines;
    size_t capacity;
    struct strbuf text; /* of the lines */
    bool has_pending;   /* the last line in `lines` goes on if the next one is as deep */
};

bool convert_text_is_signature(const char *text, size_t len)
{
    return (len == 2 && memcmp(text, "--", 2) == 0) || (len == 3 && memcmp(text, "-- ", 3) == 0);
}

/* ">>", "> >" and "> > " all are two levels; what follows one blank after the last belongs to the text. In flowed text
 * the blank is stuffing, and "> >" ought to be a quoted ">"; but those who write it mean two levels there, too. */
static struct physical parse(const char *text, size_t len, uint32_t offset, const struct marks *marks, bool is_flowed)
{
    static const char from[] = ">From ";
    bool is_from = len >= sizeof from - 1 && memcmp(text, from, sizeof from - 1) == 0 && marks->has_only_from;
    if (is_from)
        return (struct physical){ text + 1, len - 1, 0, offset };
    if (marks->has_prompts && len >= PROMPT_LEN && memcmp(text, ">>>", PROMPT_LEN) == 0)
        return (struct physical){ text, len, 0, offset };
    struct physical line = { text, len, 0, offset };
    while (line.len > 0 && line.text[0] == '>' && line.depth < CONVERT_QUOTE_DEPTH_MAX) {
        line.depth++;
        line.text++;
        line.len--;
        if (line.len > 1 && line.text[0] == ' ' && line.text[1] == '>') {
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

static struct convert_text_line *last_line(struct reader *reader)
{
    return reader->lines->count > 0 ? &reader->lines->lines[reader->lines->count - 1] : NULL;
}

static void add_line(struct reader *reader, const struct physical *line, bool is_empty)
{
    struct convert_text_line *last = last_line(reader);
    if (is_empty && last && last->is_empty && last->depth == line->depth) {
        last->len++;
        return;
    }
    if (!reader->lines->lines || reader->lines->count == reader->capacity) {
        reader->capacity = reader->capacity > 0 ? reader->capacity * 2 : 64;
        reader->lines->lines = xreallocarray(reader->lines->lines, reader->capacity, sizeof *reader->lines->lines);
    }
    reader->lines->lines[reader->lines->count++] = (struct convert_text_line){
        .start = (uint32_t)reader->text.len,
        .len = is_empty ? 1 : (uint32_t)line->len,
        .offset = line->offset,
        .depth = (uint8_t)line->depth,
        .is_empty = is_empty,
    };
    if (!is_empty)
        strbuf_add(&reader->text, line->text, line->len);
}

/* RFC 3676 section 4. An empty line ends a paragraph even if a blank before it says otherwise: many programs leave one
 * at the end of paragraphs. */
static void add_flowed(struct reader *reader, const struct physical *line, bool is_empty, bool is_delsp)
{
    bool is_signature = convert_text_is_signature(line->text, line->len);
    bool goes_on = !is_empty && !is_signature && line->text[line->len - 1] == ' ';
    struct physical kept = *line;
    if (goes_on && is_delsp)
        kept.len--;
    struct convert_text_line *last = last_line(reader);
    if (last && reader->has_pending && last->depth == line->depth && !is_empty && !is_signature) {
        strbuf_add(&reader->text, kept.text, kept.len);
        last->len += (uint32_t)kept.len;
        last->is_joined = true;
    } else {
        add_line(reader, &kept, is_empty);
    }
    reader->has_pending = goes_on;
}

static struct marks find_marks(const char *text, size_t len)
{
    static const char from[] = ">From ";
    struct marks marks = { true, true };
    for (size_t i = 0; i < len;) {
        const char *lf = memchr(text + i, '\n', len - i);
        size_t n = lf ? (size_t)(lf - text) - i : len - i;
        if (n > 0 && text[i] == '>') {
            marks.has_only_from =
                marks.has_only_from && n >= sizeof from - 1 && memcmp(text + i, from, sizeof from - 1) == 0;
            marks.has_prompts = marks.has_prompts && n >= PROMPT_LEN && memcmp(text + i, ">>>", PROMPT_LEN) == 0 &&
                                (n == PROMPT_LEN || text[i + PROMPT_LEN] == ' ');
        }
        i += n + 1;
    }
    return marks;
}

void convert_text_lines_read(struct convert_text_lines *lines_out, const char *text, size_t len,
                             const struct convert_text_format *format)
{
    *lines_out = (struct convert_text_lines){ 0 };
    struct reader reader = { .lines = lines_out };
    strbuf_init(&reader.text, len + 1);
    strbuf_reserve(&reader.text, len + 1);
    const struct marks marks = find_marks(text, len);
    for (size_t i = 0; i < len;) {
        const char *lf = memchr(text + i, '\n', len - i);
        size_t n = lf ? (size_t)(lf - text) - i : len - i;
        struct physical line = parse(text + i, n, (uint32_t)i, &marks, format->is_flowed);
        bool is_empty = convert_text_is_blank(line.text, line.len);
        if (format->is_flowed)
            add_flowed(&reader, &line, is_empty, format->is_delsp);
        else
            add_line(&reader, &line, is_empty);
        i += n + 1;
    }
    lines_out->text = strbuf_detach(&reader.text);
}

void convert_text_lines_free(struct convert_text_lines *lines)
{
    free(lines->lines);
    free(lines->text);
    *lines = (struct convert_text_lines){ 0 };
}
