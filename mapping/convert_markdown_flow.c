#include "mapping/convert_markdown_flow.h"

#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_width.h"

enum { TEXT_COLUMNS_MIN = 24 }; /* for text behind many quote marks */

static bool needs_stuffing(const char *text, size_t len)
{
    return len > 0 && (text[0] == ' ' || text[0] == '>' || (len >= 5 && memcmp(text, "From ", 5) == 0));
}

/* One line; blanks at its end stay only when the next one belongs to it. */
static void add_line(struct strbuf *out, const struct markdown_flow_line *line, const char *before, const char *text,
                     size_t len, bool goes_on)
{
    size_t start = out->len;
    bool is_empty = before[strspn(before, " ")] == '\0' && len == 0;
    for (size_t i = 0; i < line->quotes; i++)
        strbuf_add_str(out, line->flow == MARKDOWN_FLOW_AS_IS ? "> " : ">");
    if (line->quotes > 0 && line->flow != MARKDOWN_FLOW_AS_IS && !is_empty)
        strbuf_add_char(out, ' ');
    else if (line->quotes == 0 && line->flow != MARKDOWN_FLOW_AS_IS &&
             needs_stuffing(*before ? before : text, *before ? strlen(before) : len))
        strbuf_add_char(out, ' ');
    strbuf_add_str(out, before);
    strbuf_add(out, text, len);
    while (!goes_on && out->len > start && out->data[out->len - 1] == ' ')
        strbuf_truncate(out, out->len - 1);
    strbuf_add_char(out, '\n');
}

/* "-- " alone in a line means something else. */
static bool is_signature(const char *text, size_t len)
{
    return len == 3 && memcmp(text, "-- ", 3) == 0;
}

/* How much of the text goes on the line that has so many columns left: up to the end of a run of blanks. All of it when there is
 * no place to break. */
static size_t find_break(const char *text, size_t len, size_t columns)
{
    size_t column = 0, end = 0; /* the last good place */
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (n == 0)
            return len; /* never: the text is valid */
        bool ends_word = text[i] != ' ' && i + n < len && text[i + n] == ' ';
        column += convert_width_of(code);
        i += n;
        if (column > columns && end > 0)
            return end;
        if (!ends_word)
            continue;
        size_t next = i + strspn(text + i, " ");
        if (next < len && !is_signature(text, next))
            end = next;
        if (column > columns && end > 0)
            return end;
    }
    return len;
}

static size_t columns_for(const struct markdown_flow_line *line, const char *before, size_t wanted)
{
    size_t used = line->quotes + (line->quotes > 0) + convert_width(before, strlen(before));
    return used + TEXT_COLUMNS_MIN < wanted ? wanted - used : TEXT_COLUMNS_MIN;
}

void markdown_flow_add(struct strbuf *out, const struct markdown_flow_line *line, const char *text, size_t len)
{
    bool is_broken = line->flow == MARKDOWN_FLOW_WRAPPED || line->flow == MARKDOWN_FLOW_FLOWED;
    bool is_flowed = line->flow == MARKDOWN_FLOW_FLOWED;
    const char *before = line->first;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    if (is_broken && convert_width(text, len) <= columns_for(line, before, MARKDOWN_FLOW_COLUMNS - 1))
        is_broken = false;
    while (is_broken) {
        size_t n = find_break(text, len, columns_for(line, before, MARKDOWN_FLOW_WANTED));
        if (n == len)
            break;
        add_line(out, line, before, text, n, is_flowed);
        text += n;
        len -= n;
        before = is_flowed ? "" : line->rest;
    }
    add_line(out, line, before, text, len, false);
}

void markdown_flow_add_signature(struct strbuf *out, const struct markdown_flow_line *line)
{
    static const char dashes[] = "-- ";
    if (line->flow == MARKDOWN_FLOW_AS_IS)
        add_line(out, line, line->first, dashes, strlen(dashes) - 1, false);
    else
        add_line(out, line, line->first, dashes, strlen(dashes), true);
}
