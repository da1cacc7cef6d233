#include "mapping/convert_inline_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_transfer.h"

enum { NAME_LEN_MAX = 255 };

static size_t line_len(const char *text, size_t len, size_t at)
{
    const char *lf = memchr(text + at, '\n', len - at);
    return lf ? (size_t)(lf - text) + 1 - at : len - at;
}

/* Without its end, and without blanks before that. */
static size_t without_end(const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    return len;
}

static bool has_prefix(const char *line, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);
    return len >= n && memcmp(line, prefix, n) == 0;
}

/* ---- uuencode ---- */

/* "begin 644 name": three or four octal digits, and a name, which some leave out. Returns its offset in the line; 0: no
 * such line. */
static size_t uu_name(const char *line, size_t len)
{
    static const char begin[] = "begin ";
    size_t i = strlen(begin);
    size_t digits = 0;
    if (!has_prefix(line, len, begin))
        return 0;
    while (i + digits < len && line[i + digits] >= '0' && line[i + digits] <= '7')
        digits++;
    bool is_mode = digits == 3 || digits == 4;
    i += digits;
    if (!is_mode || (i < len && line[i] != ' ') || len - i > NAME_LEN_MAX)
        return 0;
    return i < len ? i + 1 : len;
}

/* A count, and about as many characters of the alphabet as it says: some programs write one more, or leave blanks at the
 * end out. */
static bool is_uu_line(const char *line, size_t len)
{
    if (len == 0 || line[0] < ' ' || line[0] > '`')
        return false;
    size_t wanted = ((size_t)(line[0] - ' ') & 63) + 2;
    wanted = wanted / 3 * 4;
    for (size_t i = 1; i < len; i++) {
        if (line[i] < ' ' || line[i] > '`')
            return false;
    }
    return len <= wanted + 3 && (wanted == 0 || len > 1 || line[0] == ' ');
}

static bool find_uu_end(const char *text, size_t len, struct convert_inline_file *file)
{
    size_t at = file->content;
    size_t lines = 0;
    while (at < len) {
        size_t n = line_len(text, len, at);
        size_t bare = without_end(text + at, n);
        if (lines > 0 && bare == 3 && memcmp(text + at, "end", 3) == 0) {
            file->content_len = at - file->content;
            file->len = at + n - file->offset;
            return true;
        }
        if (bare > 0 && !is_uu_line(text + at, bare))
            return false;
        lines++;
        at += n;
    }
    return false;
}

static bool read_uu(const char *text, size_t len, size_t at, struct convert_inline_file *file_out)
{
    size_t n = line_len(text, len, at);
    size_t bare = without_end(text + at, n);
    size_t name = uu_name(text + at, bare);
    *file_out = (struct convert_inline_file){ .offset = at, .content = at + n };
    file_out->name = at + name;
    file_out->name_len = bare - name;
    return name > 0 && find_uu_end(text, len, file_out);
}

/* ---- yEnc (version 1.3) ---- */

static void read_yenc_name(const char *text, size_t line, size_t bare, struct convert_inline_file *file)
{
    static const char key[] = " name=";
    const char *found = memmem(text + line, bare, key, strlen(key)); /* always the last of the line */
    file->name = found ? (size_t)(found - text) + strlen(key) : line;
    file->name_len = found ? line + bare - file->name : 0;
    file->is_partial = memmem(text + line, file->name - line, " part=", 6) != NULL;
}

static bool is_yenc_begin(const char *text, size_t len, size_t at)
{
    size_t n = line_len(text, len, at);
    return has_prefix(text + at, n, "=ybegin ") && memmem(text + at, n, " size=", 6);
}

/* Behind a first line. False: there is no last one. */
static bool read_yenc(const char *text, size_t len, size_t at, struct convert_inline_file *file_out)
{
    size_t n = line_len(text, len, at);
    size_t bare = without_end(text + at, n);
    *file_out = (struct convert_inline_file){ .offset = at, .content = at + n, .is_yenc = true };
    read_yenc_name(text, at, bare, file_out);
    if (file_out->content < len && has_prefix(text + file_out->content, len - file_out->content, "=ypart "))
        file_out->content += line_len(text, len, file_out->content);
    const char *end = memmem(text + file_out->content - 1, len - file_out->content + 1, "\n=yend ", 7);
    if (!end)
        return false;
    size_t end_line = (size_t)(end - text) + 1;
    file_out->content_len = end_line - file_out->content;
    file_out->len = end_line + line_len(text, len, end_line) - at;
    return true;
}

/* ---- both ---- */

bool convert_inline_file_find(const char *text, size_t len, size_t from, struct convert_inline_file *file_out)
{
    bool has_yenc = true; /* until a block was found to have no end: none behind it has one either */
    for (size_t at = from; at < len; at += line_len(text, len, at)) {
        /* No line of a block can be the first of another, so what was walked in vain is not walked again. */
        if (text[at] == 'b' && read_uu(text, len, at, file_out))
            return true;
        if (text[at] != '=' || !has_yenc || !is_yenc_begin(text, len, at))
            continue;
        has_yenc = read_yenc(text, len, at, file_out);
        if (has_yenc)
            return true;
    }
    return false;
}

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static bool decode_yenc(const char *text, size_t len, struct strbuf *out)
{
    bool is_escaped = false;
    strbuf_reserve(out, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\r' || c == '\n')
            continue;
        if (c == '=' && !is_escaped) {
            is_escaped = true;
            continue;
        }
        strbuf_add_char(out, (char)(unsigned char)(c - 42 - (is_escaped ? 64 : 0)));
        is_escaped = false;
    }
    return !is_escaped;
}

bool convert_inline_file_decode(const char *text, const struct convert_inline_file *file, struct strbuf *out)
{
    if (file->is_yenc)
        return decode_yenc(text + file->content, file->content_len, out) && strbuf_ok(out);
    struct convert_decoded decoded =
        convert_transfer_decode(CONVERT_TRANSFER_UU, text + file->offset, file->len, NULL, add_to_strbuf, out);
    return !decoded.damaged && strbuf_ok(out);
}
