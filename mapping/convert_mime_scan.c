#include "mapping/convert_mime_scan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"

struct scan {
    struct convert_charsets *charsets;
    struct convert_input *input; /* of what is being looked at; NULL: memory */
    unsigned parts;
    unsigned depth;
    size_t room;       /* octets that may still be decoded */
    const char *error; /* NULL while within the limits */
};

bool convert_part_is(const struct convert_part *part, const char *type, const char *subtype)
{
    return strcmp(part->about.type, type) == 0 && (!subtype || strcmp(part->about.subtype, subtype) == 0);
}

static bool is_field_line(const char *line, size_t len)
{
    const char *at = line;
    struct convert_field field;
    return convert_field_next(&at, line + len, &field);
}

/* Fields that tell a header from a text in which a line has a colon. */
static bool is_well_known_line(const char *line, size_t len)
{
    static const char *const names[] = { "Content-",    "MIME-Version:", "From:",        "To:",
                                         "Subject:",    "Date:",         "Message-ID:",  "Received:",
                                         "References:", "Reply-To:",     "Return-Path:", "DKIM-Signature:" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);
        if (len >= n && strncasecmp(line, names[i], n) == 0)
            return is_field_line(line, len);
    }
    return false;
}

static size_t line_len(const char *text, size_t len, size_t at)
{
    const char *lf = memchr(text + at, '\n', len - at);
    return lf ? (size_t)(lf - text) + 1 - at : len - at;
}

static bool is_empty_line(const char *line, size_t len)
{
    return len > 0 && line[len - 1] == '\n' && (len == 1 || (len == 2 && line[0] == '\r'));
}

/* As parts begin, and no header goes on. */
static bool is_dashed(const char *line, size_t len)
{
    return len > 2 && line[0] == '-' && line[1] == '-';
}

/* Where the last well-known field begins before the next empty line; from when there is none. */
static size_t last_well_known(const char *mail, size_t len, size_t from)
{
    size_t found = from;
    for (size_t i = from; i < len;) {
        size_t n = line_len(mail, len, i);
        if (is_empty_line(mail + i, n) || is_dashed(mail + i, n))
            break;
        if (is_well_known_line(mail + i, n))
            found = i;
        i += n;
    }
    return found;
}

/* "From bob@example.com Mon Jan  1 ..." in front, as mbox files and some programs write it. */
static bool is_mbox_line(const char *mail, size_t len, size_t n)
{
    bool has_quote = n > 0 && mail[0] == '>';
    return n > 5 && memcmp(mail + has_quote, "From ", 5) == 0 && n < len &&
           is_field_line(mail + n, line_len(mail, len, n));
}

/* An empty line in the middle of a header, which scripts write that put an end too many behind a field: the fields that
 * say what the content is stand behind it, and not before. */
static bool goes_on_behind(const char *mail, size_t len, size_t header_len, size_t from)
{
    static const char *const names[] = { "Content-Type:", "MIME-Version:", "Content-Transfer-Encoding:" };
    struct convert_field field;
    bool has_name = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        has_name =
            has_name || (len - from > strlen(names[i]) && strncasecmp(mail + from, names[i], strlen(names[i])) == 0);
    if (header_len == 0 || !has_name || convert_field_find(mail, header_len, "Content-Type", &field))
        return false;
    size_t i = from;
    for (size_t n; i < len; i += n) {
        n = line_len(mail, len, i);
        if (is_empty_line(mail + i, n))
            break;
        if (!is_field_line(mail + i, n) && mail[i] != ' ' && mail[i] != '\t')
            return false;
    }
    return i < len && convert_field_find(mail + from, i - from, "Content-Type", &field);
}

size_t convert_mime_header_len(const char *mail, size_t len, size_t *content_out)
{
    enum { LOOKED_AT = CONVERT_HEADER_MAX + 2 }; /* an empty line behind the longest header is found */
    if (len > LOOKED_AT)
        len = LOOKED_AT;
    size_t known = 0; /* where a well-known field is still to come */
    for (size_t i = 0, n; i < len; i += n) {
        n = line_len(mail, len, i);
        if (is_empty_line(mail + i, n) && goes_on_behind(mail, len, i, i + n))
            continue;
        if (is_empty_line(mail + i, n)) {
            *content_out = i + n;
            return i;
        }
        bool belongs = (i > 0 && (mail[i] == ' ' || mail[i] == '\t')) || is_field_line(mail + i, n) ||
                       (i == 0 && is_mbox_line(mail, len, n));
        if (belongs || known > i)
            continue;
        /* Else a part without a header, or its empty line was forgotten. */
        bool may_go_on = i > 0 && !is_dashed(mail + i, n);
        known = may_go_on ? last_well_known(mail, len, i) : 0;
        if (known <= i) {
            *content_out = i;
            return i;
        }
    }
    *content_out = len;
    return len;
}

/* A line that begins with "--": does it delimit parts of this multipart (RFC 2046 section 5.1.1)? */
enum delimiter { NOT_OURS, BETWEEN, CLOSING };

static enum delimiter match_delimiter(const char *line, size_t len, const char *boundary, size_t boundary_len)
{
    if (len < boundary_len + 2 || memcmp(line + 2, boundary, boundary_len) != 0)
        return NOT_OURS;
    const char *rest = line + 2 + boundary_len;
    size_t left = len - 2 - boundary_len;
    enum delimiter kind = BETWEEN;
    while (left > 2 && *rest == ' ') { /* of a boundary that was declared with blanks at its end */
        rest++;
        left--;
    }
    if (left >= 2 && rest[0] == '-' && rest[1] == '-') {
        kind = CLOSING;
        rest += 2;
        left -= 2;
    }
    for (; left > 0; rest++, left--) {
        if (!strchr(" \t\r\n", *rest) || *rest == '\0')
            return NOT_OURS;
    }
    return kind;
}

/* The next line of text that begins with "--", at or after `from`; NULL when there is none. */
static const char *next_dashes(struct scan *scan, const char *text, const char *from, const char *end)
{
    while (from < end) {
        const char *found = convert_input_find(scan->input, from, end, "--", 2);
        if (!found || found == text || found[-1] == '\n')
            return found;
        from = convert_input_find(scan->input, found, end, "\n", 1);
        if (!from)
            return NULL;
        convert_input_passed(scan->input, from);
    }
    return NULL;
}

static struct convert_part *scan_part(struct scan *scan, const char *raw, size_t len, bool in_digest);

static void add_child(struct convert_part *part, struct convert_part *child)
{
    part->children = xreallocarray(part->children, part->child_count + 1, sizeof(struct convert_part *));
    part->children[part->child_count++] = child;
}

/* The line end before a delimiter belongs to the delimiter. */
static size_t without_line_end(const char *start, const char *end)
{
    if (end > start && end[-1] == '\n')
        end--;
    if (end > start && end[-1] == '\r')
        end--;
    return (size_t)(end - start);
}

static struct convert_part *scan_child(struct scan *scan, const struct convert_part *part, const char *start,
                                       const char *end)
{
    return scan_part(scan, start, without_line_end(start, end), convert_part_is(part, "multipart", "digest"));
}

/* Whether there is something to read but delimiters of whomever, in the first octets. */
static bool has_words(const char *text, size_t len)
{
    enum { LOOKED_AT = 64 * 1024 };
    if (len > LOOKED_AT)
        len = LOOKED_AT;
    for (size_t i = 0, n; i < len; i += n) {
        n = line_len(text, len, i);
        bool is_delimiter = n >= 2 && text[i] == '-' && text[i + 1] == '-' && !memchr(text + i, ' ', n);
        for (size_t k = 0; !is_delimiter && k < n; k++) {
            if (isalnum((unsigned char)text[i + k]) || (unsigned char)text[i + k] >= 0x80)
                return true;
        }
    }
    return false;
}

/* What stands outside of the parts. The sentence for programs that know no MIME is not meant for anybody here. */
static void add_stray(struct scan *scan, struct convert_part *part, const char *start, const char *end, size_t at_least)
{
    size_t len = without_line_end(start, end);
    const char *error;
    if (len < at_least || !has_words(start, len))
        return;
    struct convert_part *stray = xcalloc(1, sizeof *stray);
    *stray = (struct convert_part){ .header = start, .content = start, .content_len = len, .input = scan->input };
    stray->is_stray = true;
    if (convert_content_parse(scan->charsets, start, 0, false, &stray->about, &error) != 1 ||
        ++scan->parts > CONVERT_PARTS_MAX)
        scan->error = "too many parts";
    add_child(part, stray);
}

/* One multipart's content, as the walk through its lines goes on. */
struct walk {
    struct scan *scan;
    struct convert_part *part;
    struct convert_part *target; /* part, or a child of it that has the same boundary: the parts that follow are its */
    const char *start;           /* of the part that is open; NULL: none is */
    const char *outside;         /* from where on nothing is taken, while none is open */
    size_t stray_min;            /* octets that are worth keeping there */
};

static void end_part(struct walk *walk, const char *end)
{
    if (!walk->start) {
        add_stray(walk->scan, walk->part, walk->outside, end, walk->stray_min);
        return;
    }
    struct convert_part *child = scan_child(walk->scan, walk->target, walk->start, end);
    add_child(walk->target, child);
    if (walk->target == walk->part && convert_part_is(child, "multipart", NULL) && child->child_count == 0 &&
        strcmp(child->about.boundary, walk->part->about.boundary) == 0)
        walk->target = child;
}

static void close_parts(struct walk *walk, const char *next)
{
    walk->start = NULL;
    walk->outside = next;
    walk->stray_min = 1;
    if (walk->target == walk->part)
        return;
    walk->target->is_broken = walk->target->child_count == 0;
    walk->target = walk->part;
}

static void scan_multipart(struct scan *scan, struct convert_part *part)
{
    const char *text = part->content;
    const char *end = text + part->content_len;
    const char *boundary = part->about.boundary;
    size_t boundary_len = strlen(boundary);
    struct walk walk = { .scan = scan, .part = part, .target = part, .outside = text };
    walk.stray_min = CONVERT_PREAMBLE_MAX + 1;
    const char *line = boundary_len > 0 ? next_dashes(scan, text, text, end) : NULL;
    const char *first = text; /* delimiter of ours */
    bool is_found = false;
    while (line && !scan->error) {
        const char *lf = convert_input_find(scan->input, line, end, "\n", 1);
        const char *next = lf ? lf + 1 : end;
        enum delimiter kind = match_delimiter(line, (size_t)(next - line), boundary, boundary_len);
        if (kind != NOT_OURS) {
            first = is_found ? first : line;
            is_found = true;
            end_part(&walk, line);
        }
        if (kind == CLOSING)
            close_parts(&walk, next);
        else if (kind == BETWEEN)
            walk.start = next;
        line = next_dashes(scan, text, next, end);
    }
    if (is_found && part->child_count == 0 && !walk.start)
        add_stray(scan, part, text, first, 1); /* nothing but an end */
    if (is_found && !scan->error)
        end_part(&walk, end); /* the closing delimiter is missing, or there is something behind it */
    if (walk.target != part)
        walk.target->is_broken = walk.target->child_count == 0;
}

/* ---- multiparts that are not what they say ---- */

static size_t without_blanks(const char *line, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", line[len - 1]) && line[len - 1] != '\0')
        len--;
    return len;
}

enum { BOUNDARY_MAX = 200 };

/* A boundary that was not declared, or not so: the first line of its form with a Content field behind it. The caller's;
 * NULL: there is none. */
static char *guess_boundary(struct scan *scan, const struct convert_part *part)
{
    enum { TRIES = 1000 };
    const char *end = part->content + part->content_len;
    const char *line = next_dashes(scan, part->content, part->content, end);
    for (unsigned tries = 0; line && tries < TRIES; tries++) {
        size_t n = line_len(line, (size_t)(end - line), 0);
        size_t len = without_blanks(line, n);
        bool has_field = n < (size_t)(end - line) &&
                         is_well_known_line(line + n, line_len(line + n, (size_t)(end - line) - n, 0)) &&
                         strncasecmp(line + n, "Content-", 8) == 0;
        if (len > 2 && len < BOUNDARY_MAX && has_field && !memchr(line, '\0', len))
            return xstrndup(line + 2, len - 2);
        line = next_dashes(scan, part->content, line + n, end);
    }
    return NULL;
}

static void add_decoded(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* A multipart has no transfer encoding (RFC 2045 section 6.4), and yet some are encoded as a whole. */
static bool decode_whole(struct scan *scan, struct convert_part *part)
{
    enum convert_transfer encoding = part->about.encoding;
    if ((encoding != CONVERT_TRANSFER_BASE64 && encoding != CONVERT_TRANSFER_QP) || part->decoded ||
        part->content_len > scan->room)
        return false;
    struct strbuf decoded;
    strbuf_init(&decoded, part->content_len);
    scan->room -= part->content_len;
    convert_transfer_decode(encoding, part->content, part->content_len, scan->input, add_decoded, &decoded);
    part->content_len = decoded.len;
    part->content = part->decoded = strbuf_detach(&decoded);
    part->about.encoding = CONVERT_TRANSFER_IDENTITY;
    part->input = NULL;
    return true;
}

/* Looks for the parts as they were declared, then as they can be guessed. */
static void find_parts(struct scan *scan, struct convert_part *part)
{
    scan_multipart(scan, part);
    if (part->child_count > 0 || scan->error)
        return;
    char *boundary = guess_boundary(scan, part);
    if (!boundary && decode_whole(scan, part)) {
        struct convert_input *input = scan->input;
        scan->input = NULL;
        find_parts(scan, part); /* once: it is decoded now */
        scan->input = input;
    } else if (boundary) {
        free(part->about.boundary);
        part->about.boundary = boundary;
        scan_multipart(scan, part);
    }
}

/* Of a type that has none, but with a boundary that the content begins with. */
static bool has_parts_nevertheless(const struct convert_part *part)
{
    size_t len = part->content_len < CONVERT_PREAMBLE_MAX ? part->content_len : CONVERT_PREAMBLE_MAX;
    size_t n = strlen(part->about.boundary);
    for (size_t i = 0; n > 0 && i < len; i += line_len(part->content, len, i)) {
        bool is_dashes = len - i > 2 && part->content[i] == '-' && part->content[i + 1] == '-';
        if (is_dashes &&
            match_delimiter(part->content + i, line_len(part->content, len, i), part->about.boundary, n) == BETWEEN)
            return true;
    }
    return false;
}

/* Whether the parts of a multipart with that boundary begin here, and end. A text that declares it itself quotes a
 * mail, unless it is the mail, of which nothing was taken for a header. */
static bool begins_with_parts(struct scan *scan, const struct convert_part *part, const char *boundary)
{
    struct strbuf line;
    strbuf_init(&line, BOUNDARY_MAX + 8);
    strbuf_add_fmt(&line, "\n--%s", boundary);
    size_t len = part->content_len < CONVERT_PREAMBLE_MAX ? part->content_len : CONVERT_PREAMBLE_MAX;
    bool is_first = len >= line.len && memcmp(part->content, line.data + 1, line.len - 1) == 0;
    const char *first = is_first ? part->content : memmem(part->content, len, line.data, line.len);
    bool quotes =
        first && part->header_len > 0 && memmem(part->content, (size_t)(first - part->content), "boundary=", 9);
    bool begins = first && !quotes;
    strbuf_add_str(&line, "--");
    bool is_one = begins && convert_input_find(scan->input, part->content, part->content + part->content_len, line.data,
                                               line.len);
    strbuf_free(&line);
    return is_one;
}

/* Without any type, but with "--b" in the first lines, behind one of them a Content field, and its end: programs forget
 * the field. */
static bool is_undeclared_multipart(struct scan *scan, const struct convert_part *part)
{
    enum { LOOKED_AT = 8 * 1024 };
    if (part->about.has_type && convert_part_is(part, "text", NULL) && has_parts_nevertheless(part))
        return true;
    if (part->about.has_type || scan->depth > 0 || scan->parts > 1)
        return false;
    size_t len = part->content_len < LOOKED_AT ? part->content_len : LOOKED_AT;
    const struct convert_part start = { .content = part->content, .content_len = len };
    char *boundary = guess_boundary(scan, &start);
    bool is_one = boundary && begins_with_parts(scan, part, boundary);
    free(boundary);
    return is_one;
}

/* Text that somebody has called base64, and that its decoder would make nothing of: words have blanks between them,
 * and marks that are not in the alphabet. */
static bool looks_like_base64(const char *content, size_t len)
{
    enum { LOOKED_AT = 1024, BLANKS = 10, MARKS = 3 };
    size_t blanks = 0;
    size_t marks = 0;
    size_t used = 0;
    for (size_t i = 0; i < len && i < LOOKED_AT; i++) {
        char c = content[i];
        if (c == '\r' || c == '\n')
            continue;
        bool is_blank = c == ' ' || c == '\t';
        blanks += is_blank && i > 0 && content[i - 1] > ' ' && i + 1 < len && content[i + 1] > ' ';
        marks += !is_blank && !isalnum((unsigned char)c) && c != '+' && c != '/' && c != '=';
        used += !is_blank;
    }
    return blanks * BLANKS <= used && marks * MARKS <= used;
}

static void call_mixed(struct convert_part *part)
{
    free(part->about.type);
    free(part->about.subtype);
    part->about.type = xstrdup("multipart");
    part->about.subtype = xstrdup("mixed");
}

static struct convert_part *scan_part(struct scan *scan, const char *raw, size_t len, bool in_digest)
{
    struct convert_part *part = xcalloc(1, sizeof *part);
    size_t content;
    part->header = raw;
    part->header_len = convert_mime_header_len(raw, len, &content);
    part->content = raw + content;
    part->content_len = len - content;
    part->input = scan->input;
    const char *error = NULL;
    if (convert_content_parse(scan->charsets, part->header, part->header_len, in_digest, &part->about, &error) != 1)
        scan->error = error;
    if (++scan->parts > CONVERT_PARTS_MAX)
        scan->error = "too many parts";
    if (part->about.encoding == CONVERT_TRANSFER_BASE64 && !looks_like_base64(part->content, part->content_len))
        part->about.encoding = CONVERT_TRANSFER_IDENTITY;
    if (!scan->error && is_undeclared_multipart(scan, part))
        call_mixed(part);
    if (scan->error || !convert_part_is(part, "multipart", NULL))
        return part;
    if (++scan->depth > CONVERT_DEPTH_MAX)
        scan->error = "parts are nested too deeply";
    else
        find_parts(scan, part);
    scan->depth--;
    part->is_broken = part->child_count == 0;
    return part;
}

static struct convert_part *scan_all(struct scan *scan, const char *data, size_t len, const char **error_out)
{
    struct convert_part *part = scan_part(scan, data, len, false);
    convert_input_passed(scan->input, data + len);
    *error_out = scan->error;
    if (scan->error)
        convert_part_free(&part);
    return part;
}

struct convert_part *convert_mime_scan(struct convert_charsets *charsets, struct convert_input *mail,
                                       const char **error_out)
{
    struct scan scan = { .charsets = charsets, .input = mail, .room = CONVERT_TEXT_MAX * 2 };
    return scan_all(&scan, mail->data, mail->len, error_out);
}

struct convert_part *convert_mime_scan_memory(struct convert_charsets *charsets, char *data, size_t len,
                                              const char **error_out)
{
    struct scan scan = { .charsets = charsets, .room = CONVERT_TEXT_MAX * 2 };
    struct convert_part *part = scan_all(&scan, data, len, error_out);
    if (!part) {
        free(data);
        return NULL;
    }
    part->memory = data;
    return part;
}

void convert_part_free(struct convert_part **part)
{
    if (!*part)
        return;
    for (size_t i = 0; i < (*part)->child_count; i++)
        convert_part_free(&(*part)->children[i]);
    convert_content_free(&(*part)->about);
    free((*part)->decoded);
    free((*part)->memory);
    free((*part)->children);
    free(*part);
    *part = NULL;
}
