#include "smtp/smtp_reply.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "smtp/smtp_parser.h"

static const char line_separator[] = " / ";

/* Cuts off a UTF-8 sequence that the end of the buffer has split. */
static void drop_split_sequence(char *text)
{
    size_t len = strlen(text);
    size_t start = len;
    while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0xc0 &&
        smtp_utf8_sequence(text + start - 1, len - start + 1) == 0)
        text[start - 1] = '\0';
}

struct smtp_reply smtp_reply_make(int code, const char *enhanced, const char *fmt, ...)
{
    assert(code >= 200 && code <= 599);
    struct smtp_reply reply = { .code = code };
    int enhanced_len = snprintf(reply.enhanced, sizeof reply.enhanced, "%s", enhanced ? enhanced : "");
    assert(enhanced_len < (int)sizeof reply.enhanced);
    (void)enhanced_len;
    va_list args;
    va_start(args, fmt);
    int text_len = vsnprintf(reply.text, sizeof reply.text, fmt, args);
    va_end(args);
    if (text_len >= (int)sizeof reply.text)
        drop_split_sequence(reply.text);
    return reply;
}

bool smtp_reply_is_positive(const struct smtp_reply *reply)
{
    return reply->code >= 200 && reply->code <= 399;
}

bool smtp_reply_is_temporary(const struct smtp_reply *reply)
{
    return reply->code >= 400 && reply->code <= 499;
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

/* A character that a terminal or a log viewer would obey rather than show: C0, DEL, C1, line and paragraph separators,
 * bidirectional overrides and isolates (U+2028 to 202E, U+2066 to 2069). text is one well-formed sequence. */
static bool steers_display(const char *text, size_t len)
{
    const unsigned char *c = (const unsigned char *)text;
    if (len == 2)
        return c[0] == 0xc2 && c[1] < 0xa0;
    if (len == 3 && c[0] == 0xe2)
        return (c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
    return len == 1 && is_control(text[0]);
}

enum { LINE_MAX_LEN = 510, SHOWN_MAX = 16 }; /* RFC 5321 section 4.5.3.1.5, without CRLF; what one character becomes */

/* The code point of a well-formed sequence. */
static unsigned long code_point(const char *text, size_t len)
{
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned long point = (unsigned char)text[0] & first_bits[len];
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)text[i] & 0x3f);
    return point;
}

static bool is_plain(char c)
{
    return (unsigned char)c < 0x80 && !is_control(c);
}

/* What stands for the character at the front of the text; its length in the text. */
static size_t show(const char *text, size_t len, bool is_utf8, char out[static SHOWN_MAX])
{
    size_t length = smtp_utf8_sequence(text, len);
    if (length > 1 && !is_utf8)
        snprintf(out, SHOWN_MAX, "\\x{%02lX}", code_point(text, length));
    else if (length > 0 && !steers_display(text, length))
        snprintf(out, SHOWN_MAX, "%.*s", (int)length, text);
    else
        snprintf(out, SHOWN_MAX, "?");
    return length > 0 ? length : 1;
}

static void compose(const struct smtp_reply *reply, bool is_utf8, struct strbuf *out)
{
    char code[] = { (char)('0' + reply->code / 100), (char)('0' + reply->code / 10 % 10),
                    (char)('0' + reply->code % 10) };
    size_t len = strlen(reply->text);
    size_t line_end = out->len + LINE_MAX_LEN;
    strbuf_reserve(out, sizeof code + sizeof reply->enhanced + len + 4);
    strbuf_add(out, code, sizeof code);
    if (reply->enhanced[0] != '\0') {
        strbuf_add_char(out, ' ');
        strbuf_add_str(out, reply->enhanced);
    }
    if (len > 0)
        strbuf_add_char(out, ' ');
    for (const char *c = reply->text, *end = c + len; c < end;) {
        char shown[SHOWN_MAX];
        const char *clean = c;
        while (c < end && is_plain(*c))
            c++;
        size_t room = line_end - out->len;
        strbuf_add(out, clean, (size_t)(c - clean) < room ? (size_t)(c - clean) : room);
        if (c == end)
            break;
        c += show(c, (size_t)(end - c), is_utf8, shown);
        if (out->len + strlen(shown) > line_end)
            break;
        strbuf_add_str(out, shown);
    }
    strbuf_add_str(out, "\r\n");
}

void smtp_reply_compose(const struct smtp_reply *reply, struct strbuf *out)
{
    compose(reply, false, out);
}

void smtp_reply_compose_utf8(const struct smtp_reply *reply, struct strbuf *out)
{
    compose(reply, true, out);
}

void smtp_reply_compose_lines(int code, const char *enhanced, const char *const *lines, size_t count,
                              struct strbuf *out)
{
    bool has_enhanced = enhanced && enhanced[0] != '\0';
    for (size_t i = 0; i < count; i++)
        strbuf_add_fmt(out, "%03d%c%s%s%s\r\n", code, i + 1 < count ? '-' : ' ', has_enhanced ? enhanced : "",
                       has_enhanced ? " " : "", lines[i]);
}

/* Length of the enhanced status code that the text starts with (RFC 3463: class "." subject "." detail), 0 if there
 * is none. Its class must be the code's. */
static size_t enhanced_length(const char *text, size_t len, int code)
{
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t digits = 0;
        while (at < len && digits < 3 && isdigit((unsigned char)text[at])) {
            at++;
            digits++;
        }
        if (digits == 0 || (part == 0 && digits != 1))
            return 0;
        if (part < 2 && (at >= len || text[at++] != '.'))
            return 0;
    }
    bool is_whole = at == len || text[at] == ' ';
    return is_whole && text[0] - '0' == code / 100 ? at : 0;
}

static int parse_code(const char *line, size_t len)
{
    if (len < 3 || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) ||
        !isdigit((unsigned char)line[2]))
        return -1;
    if (len > 3 && line[3] != ' ' && line[3] != '-')
        return -1;
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* What does not fit is cut: the code decides, the text only explains. */
static void append_text(struct smtp_reply *reply, const char *text, size_t len)
{
    size_t used = strlen(reply->text);
    for (size_t i = 0; i < len;) {
        size_t length = smtp_utf8_sequence(text + i, len - i);
        bool is_printable = length > 0 && !steers_display(text + i, length);
        size_t shown = is_printable ? length : 1;
        if (used + shown > SMTP_REPLY_TEXT_MAX)
            break;
        memcpy(reply->text + used, is_printable ? text + i : "?", shown);
        used += shown;
        i += length > 0 ? length : 1;
    }
    reply->text[used] = '\0';
}

int smtp_reply_parse_line(const char *line, size_t len, struct smtp_reply *reply)
{
    int code = parse_code(line, len);
    if (code < 0 || (reply->lines > 0 && code != reply->code) || reply->lines >= SMTP_REPLY_LINES_MAX)
        return -1;
    reply->code = code;
    reply->lines++;
    bool is_last = len == 3 || line[3] == ' ';

    const char *text = len > 4 ? line + 4 : "";
    size_t text_len = len > 4 ? len - 4 : 0;
    size_t enhanced_len = enhanced_length(text, text_len, code);
    if (enhanced_len > 0) {
        if (reply->enhanced[0] == '\0')
            memcpy(reply->enhanced, text, enhanced_len); /* the rest is zeroes, and 9 characters always fit */
        text += enhanced_len;
        text_len -= enhanced_len;
        if (text_len > 0) {
            text++;
            text_len--;
        }
    }
    if (text_len > 0) {
        if (reply->text[0] != '\0')
            append_text(reply, line_separator, strlen(line_separator));
        append_text(reply, text, text_len);
    }
    return is_last ? 1 : 0;
}
