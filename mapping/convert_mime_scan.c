#include "mapping/convert_mime_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"

struct scan {
    struct convert_charsets *charsets;
    struct convert_input *mail;
    unsigned parts;
    unsigned depth;
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

size_t convert_mime_header_len(const char *mail, size_t len, size_t *content_out)
{
    enum { LOOKED_AT = CONVERT_HEADER_MAX + 2 }; /* an empty line behind the longest header is found */
    if (len > LOOKED_AT)
        len = LOOKED_AT;
    for (size_t i = 0; i < len;) {
        const char *lf = memchr(mail + i, '\n', len - i);
        size_t n = lf ? (size_t)(lf - mail) + 1 - i : len - i;
        if (n == 1 || (n == 2 && mail[i] == '\r')) {
            *content_out = lf ? i + n : len;
            return lf ? i : len;
        }
        if (i == 0 && !is_field_line(mail, n)) { /* a part without a header, its empty line forgotten */
            *content_out = 0;
            return 0;
        }
        i += n;
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
        const char *found = convert_input_find(scan->mail, from, end, "--", 2);
        if (!found || found == text || found[-1] == '\n')
            return found;
        from = convert_input_find(scan->mail, found, end, "\n", 1);
        if (!from)
            return NULL;
        convert_input_passed(scan->mail, from);
    }
    return NULL;
}

static struct convert_part *scan_part(struct scan *scan, const char *raw, size_t len, bool in_digest);

static void add_child(struct scan *scan, struct convert_part *part, const char *start, const char *end)
{
    /* The line end before a delimiter belongs to the delimiter. */
    if (end > start && end[-1] == '\n')
        end--;
    if (end > start && end[-1] == '\r')
        end--;
    struct convert_part *child =
        scan_part(scan, start, (size_t)(end - start), convert_part_is(part, "multipart", "digest"));
    part->children = xreallocarray(part->children, part->child_count + 1, sizeof(struct convert_part *));
    part->children[part->child_count++] = child;
}

static void scan_multipart(struct scan *scan, struct convert_part *part)
{
    const char *text = part->content;
    const char *end = text + part->content_len;
    const char *boundary = part->about.boundary;
    size_t boundary_len = strlen(boundary);
    const char *start = NULL; /* of the part that is open */
    const char *line = boundary_len > 0 ? next_dashes(scan, text, text, end) : NULL;
    while (line && !scan->error) {
        const char *lf = convert_input_find(scan->mail, line, end, "\n", 1);
        const char *next = lf ? lf + 1 : end;
        enum delimiter kind = match_delimiter(line, (size_t)(next - line), boundary, boundary_len);
        if (kind != NOT_OURS && start)
            add_child(scan, part, start, line);
        if (kind == CLOSING)
            return;
        if (kind == BETWEEN)
            start = next;
        line = next_dashes(scan, text, next, end);
    }
    if (start && !scan->error)
        add_child(scan, part, start, end); /* the closing delimiter is missing */
}

static struct convert_part *scan_part(struct scan *scan, const char *raw, size_t len, bool in_digest)
{
    struct convert_part *part = xcalloc(1, sizeof *part);
    size_t content;
    part->header = raw;
    part->header_len = convert_mime_header_len(raw, len, &content);
    part->content = raw + content;
    part->content_len = len - content;
    const char *error = NULL;
    if (convert_content_parse(scan->charsets, part->header, part->header_len, in_digest, &part->about, &error) != 1)
        scan->error = error;
    if (++scan->parts > CONVERT_PARTS_MAX)
        scan->error = "too many parts";
    if (scan->error || !convert_part_is(part, "multipart", NULL))
        return part;
    if (++scan->depth > CONVERT_DEPTH_MAX)
        scan->error = "parts are nested too deeply";
    else
        scan_multipart(scan, part);
    scan->depth--;
    part->is_broken = part->child_count == 0;
    return part;
}

struct convert_part *convert_mime_scan(struct convert_charsets *charsets, struct convert_input *mail,
                                       const char **error_out)
{
    struct scan scan = { .charsets = charsets, .mail = mail };
    struct convert_part *part = scan_part(&scan, mail->data, mail->len, false);
    convert_input_passed(mail, mail->data + mail->len);
    *error_out = scan.error;
    if (scan.error)
        convert_part_free(&part);
    return part;
}

void convert_part_free(struct convert_part **part)
{
    if (!*part)
        return;
    for (size_t i = 0; i < (*part)->child_count; i++)
        convert_part_free(&(*part)->children[i]);
    convert_content_free(&(*part)->about);
    free((*part)->children);
    free(*part);
    *part = NULL;
}
