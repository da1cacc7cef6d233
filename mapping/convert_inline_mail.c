#include "mapping/convert_inline_mail.h"

#include <string.h>
#include <strings.h>

enum { FIELDS_MIN = 3, FIELD_NAME_MAX = 76, INTRO_MAX = 100, DASHES_MIN = 3, ODD_MAX = 2 };

/* A line without its end and the blanks before that; next is where the next one begins. */
struct line {
    const char *text;
    size_t len;
    size_t next;
};

static struct line read_line(const char *text, size_t len, size_t at)
{
    const char *lf = memchr(text + at, '\n', len - at);
    struct line line = { .text = text + at, .next = lf ? (size_t)(lf - text) + 1 : len };
    line.len = line.next - at;
    while (line.len > 0 && strchr("\r\n \t", line.text[line.len - 1]))
        line.len--;
    return line;
}

/* The length of its name; 0: no field. */
static size_t field_name_len(const struct line *line)
{
    size_t n = 0;
    while (n < line->len && n <= FIELD_NAME_MAX && line->text[n] > ' ' && line->text[n] < 0x7f && line->text[n] != ':')
        n++;
    return n < line->len && n <= FIELD_NAME_MAX && line->text[n] == ':' ? n : 0;
}

/* Fields that only programs write; what people forward has some of the others, too. */
static bool is_trace(const struct line *line, size_t name_len)
{
    static const char *const names[] = { "Received", "Return-Path", "MIME-Version", "DKIM-Signature", "Delivered-To" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == name_len && strncasecmp(line->text, names[i], name_len) == 0)
            return true;
    }
    return false;
}

static bool speaks_of(const struct line *line, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= line->len; i++) {
        if (strncasecmp(line->text + i, word, n) == 0)
            return true;
    }
    return false;
}

/* What stands above a returned mail. What people forward is introduced likewise and meant to be read. */
static bool is_intro(const struct line *line)
{
    if (line->len > INTRO_MAX || field_name_len(line) > 0 || speaks_of(line, "forward"))
        return false;
    return speaks_of(line, "message") || (line->len > 0 && line->text[line->len - 1] == ':') ||
           (line->len >= DASHES_MIN && memcmp(line->text, "---", DASHES_MIN) == 0);
}

/* Whether a header section begins here; *end_out is where the lines that have its form end. A field that was broken
 * without a blank in front of the rest is none of those, and does not end it. */
static bool is_header(const char *text, size_t len, size_t at, size_t *end_out)
{
    size_t fields = 0;
    size_t odd = 0; /* lines in a row */
    bool has_trace = false;
    while (at < len && odd <= ODD_MAX) {
        struct line line = read_line(text, len, at);
        size_t name_len = field_name_len(&line);
        bool is_more = line.len > 0 && (line.text[0] == ' ' || line.text[0] == '\t');
        if (line.len == 0 || (name_len == 0 && fields == 0))
            break;
        odd = name_len > 0 || is_more ? 0 : odd + 1;
        fields += name_len > 0;
        has_trace = has_trace || is_trace(&line, name_len);
        at = line.next;
    }
    *end_out = at;
    return fields >= FIELDS_MIN && has_trace;
}

bool convert_inline_mail_find(const char *text, size_t len, size_t *offset_out)
{
    bool is_introduced = false;
    size_t at = 0;
    while (at < len) {
        struct line line = read_line(text, len, at);
        bool is_mbox =
            line.len > 5 && memcmp(line.text, "From ", 5) == 0; /* RFC 4155: the line before a mail's header */
        size_t end = line.next;
        if (is_introduced && is_header(text, len, is_mbox ? line.next : at, &end)) {
            *offset_out = at;
            return true;
        }
        /* What had the form in vain has no header within either. */
        if (is_introduced && end > line.next) {
            at = end;
            is_introduced = false;
            continue;
        }
        if (line.len > 0)
            is_introduced = is_intro(&line);
        at = line.next;
    }
    return false;
}
