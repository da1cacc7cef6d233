/* http_head.c - see http_head.h */
#include "base/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { TARGET_MAX = 8192, CONTENT_LENGTH_DIGITS_MAX = 15 };

struct field {
    char *name, *value;
};

struct http_head {
    bool has_first_line;
    int refusal; /* 0: none so far */
    enum http_method method;
    bool is_1_0;
    char *target_host; /* of an absolute target; NULL: none */
    char *path;
    char *segments[HTTP_SEGMENTS_MAX];
    size_t segment_count;
    struct http_pairs query;
    struct field fields[HTTP_FIELDS_MAX];
    size_t field_count;
    int64_t content_length;
};

struct http_head *http_head_new(void)
{
    return xcalloc(1, sizeof(struct http_head));
}

void http_head_free(struct http_head **head_in)
{
    struct http_head *head = *head_in;
    if (!head)
        return;
    for (size_t i = 0; i < head->field_count; i++) {
        free(head->fields[i].name);
        free(head->fields[i].value);
    }
    for (size_t i = 0; i < head->segment_count; i++)
        free(head->segments[i]);
    http_pairs_clear(&head->query);
    free(head->target_host);
    free(head->path);
    free(head);
    *head_in = NULL;
}

static int refuse(struct http_head *head, int status)
{
    head->refusal = status;
    return 0;
}

int http_head_refusal(const struct http_head *head)
{
    return head->refusal;
}

static bool is_token(const char *text, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        char c = text[i], folded = (char)(c | 0x20);
        if (!(folded >= 'a' && folded <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return len > 0;
}

/* Each segment is decoded by itself, so that a "/" that is written as %2F makes no other. */
static int take_path(struct http_head *head, const char *path, size_t len)
{
    struct strbuf whole, segment;
    int result = 1;
    strbuf_init(&whole, TARGET_MAX);
    strbuf_init(&segment, TARGET_MAX);
    for (size_t begin = 1; result == 1 && begin <= len;) {
        const char *end = memchr(path + begin, '/', len - begin);
        size_t size = end ? (size_t)(end - path) - begin : len - begin;
        strbuf_clear(&segment);
        result = http_text_decode(path + begin, size, &segment);
        if (result == 1 && (strcmp(segment.data, ".") == 0 || strcmp(segment.data, "..") == 0))
            result = 0;
        if (result == 1 && head->segment_count == HTTP_SEGMENTS_MAX)
            result = 0;
        if (result == 1) {
            head->segments[head->segment_count++] = xstrdup(segment.data);
            strbuf_add_char(&whole, '/');
            strbuf_add_str(&whole, segment.data);
        }
        begin += size + 1;
    }
    head->path = strbuf_detach(&whole);
    strbuf_free(&segment);
    return result == 1 ? 1 : refuse(head, 400);
}

/* "/path?query", or the same behind "http://host" (RFC 9112 section 3.2.2). */
static int take_target(struct http_head *head, const char *target, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (target[i] < 0x21 || target[i] > 0x7e || target[i] == '#')
            return refuse(head, 400);
    size_t scheme = len > 7 && strncasecmp(target, "http://", 7) == 0    ? 7
                    : len > 8 && strncasecmp(target, "https://", 8) == 0 ? 8
                                                                         : 0;
    if (scheme > 0) {
        const char *end = memchr(target + scheme, '/', len - scheme);
        if (!end) /* "http://host" alone is rare, and "http://host?x" still rarer */
            return refuse(head, 400);
        head->target_host = xstrndup(target + scheme, (size_t)(end - target) - scheme);
        len -= (size_t)(end - target);
        target = end;
    }
    if (len == 0 || target[0] != '/')
        return refuse(head, 400);
    const char *mark = memchr(target, '?', len);
    size_t path_len = mark ? (size_t)(mark - target) : len;
    if (mark && http_pairs_parse(HTTP_PAIRS_QUERY, mark + 1, len - path_len - 1, &head->query) != 1)
        return refuse(head, 400);
    return take_path(head, target, path_len);
}

static int take_first_line(struct http_head *head, const char *line, size_t len)
{
    static const char *const methods[] = { [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST" };
    enum { METHODS = sizeof methods / sizeof methods[0] };
    head->has_first_line = true;
    const char *first = memchr(line, ' ', len), *last = memrchr(line, ' ', len);
    if (!first || first == last || !is_token(line, (size_t)(first - line)))
        return refuse(head, 400);
    const char *version = last + 1;
    size_t version_len = len - (size_t)(version - line), target_len = (size_t)(last - first) - 1;
    if (version_len != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.')
        return refuse(head, 400);
    if (version[5] != '1' || (version[7] != '0' && version[7] != '1'))
        return refuse(head, 505);
    head->is_1_0 = version[7] == '0';
    if (target_len > TARGET_MAX)
        return refuse(head, 414);
    size_t method = 0, method_len = (size_t)(first - line);
    while (method < METHODS &&
           (strlen(methods[method]) != method_len || memcmp(methods[method], line, method_len) != 0))
        method++;
    if (method == METHODS)
        return refuse(head, 405);
    head->method = (enum http_method)method;
    return take_target(head, first + 1, target_len);
}

/* VCHAR, SP, HTAB, obs-text (RFC 9110 section 5.5). */
static bool is_field_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static int take_field(struct http_head *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (!colon || !is_token(line, (size_t)(colon - line))) /* a folded line has no name, either */
        return refuse(head, 400);
    const char *value = colon + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (!is_field_value(value, (size_t)(end - value)))
        return refuse(head, 400);
    if (head->field_count == HTTP_FIELDS_MAX)
        return refuse(head, 431);
    head->fields[head->field_count++] = (struct field){ .name = xstrndup(line, (size_t)(colon - line)),
                                                        .value = xstrndup(value, (size_t)(end - value)) };
    return 1;
}

int http_head_add_line(struct http_head *head, const char *line, size_t len)
{
    if (head->refusal)
        return 0;
    return head->has_first_line ? take_field(head, line, len) : take_first_line(head, line, len);
}

static size_t count_fields(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++)
        count += strcasecmp(head->fields[i].name, name) == 0;
    return count;
}

const char *http_head_field(const struct http_head *head, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < head->field_count; i++) {
        if (strcasecmp(head->fields[i].name, name) != 0)
            continue;
        if (value)
            return NULL;
        value = head->fields[i].value;
    }
    return value;
}

const char *http_head_last_field(const struct http_head *head, const char *name)
{
    for (size_t i = head->field_count; i-- > 0;)
        if (strcasecmp(head->fields[i].name, name) == 0)
            return head->fields[i].value;
    return NULL;
}

/* Where the request ends, and whom it is for, must be beyond doubt (RFC 9112 section 6.3). */
int http_head_finish(struct http_head *head)
{
    static const char *const single[] = { "Host",   "Content-Length", "Content-Type", "Authorization",
                                          "Origin", "Cookie",         "Expect" };
    if (head->refusal)
        return 0;
    if (!head->has_first_line)
        return refuse(head, 400);
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (count_fields(head, single[i]) > 1)
            return refuse(head, 400);
    const char *length = http_head_field(head, "Content-Length"), *expect = http_head_field(head, "Expect");
    if (count_fields(head, "Host") == 0 && !head->is_1_0)
        return refuse(head, 400);
    if (count_fields(head, "Transfer-Encoding") > 0)
        return refuse(head, length || head->is_1_0 ? 400 : 411);
    if (length) {
        size_t len = strlen(length);
        if (len == 0 || strspn(length, "0123456789") != len)
            return refuse(head, 400);
        if (len > CONTENT_LENGTH_DIGITS_MAX)
            return refuse(head, 413);
        head->content_length = strtoll(length, NULL, 10);
    } else if (head->method == HTTP_POST) {
        return refuse(head, 411);
    }
    if (expect && strcasecmp(expect, "100-continue") != 0)
        return refuse(head, 417);
    return 1;
}

enum http_method http_head_method(const struct http_head *head)
{
    return head->method;
}

const char *http_head_path(const struct http_head *head)
{
    return head->path;
}

const char *http_head_segment(const struct http_head *head, size_t index)
{
    return index < head->segment_count ? head->segments[index] : NULL;
}

const struct http_pairs *http_head_query(const struct http_head *head)
{
    return &head->query;
}

const char *http_head_host(const struct http_head *head)
{
    const char *host = head->target_host ? head->target_host : http_head_field(head, "Host");
    return host ? host : "";
}

int64_t http_head_content_length(const struct http_head *head)
{
    return head->content_length;
}

/* Any Connection field that has "close" among its words. */
bool http_head_keeps_alive(const struct http_head *head)
{
    if (head->is_1_0)
        return false;
    for (size_t i = 0; i < head->field_count; i++) {
        if (strcasecmp(head->fields[i].name, "Connection") != 0)
            continue;
        for (const char *word = head->fields[i].value; *word;) {
            word += strspn(word, ", \t");
            size_t len = strcspn(word, ", \t");
            if (len == 5 && strncasecmp(word, "close", 5) == 0)
                return false;
            word += len;
        }
    }
    return true;
}

bool http_head_expects_continue(const struct http_head *head)
{
    return !head->is_1_0 && http_head_field(head, "Expect") != NULL;
}
