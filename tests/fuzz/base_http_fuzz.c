/* base_http_fuzz.c - heads of requests, queries, forms and cookies: what is taken is text, and keeps what it promises
 *
 * The first octet says what the rest is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_head.h"
#include "base/http_text.h"
#include "base/strbuf.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_pairs(const struct http_pairs *pairs, bool lines)
{
    require(pairs->count <= HTTP_PAIRS_MAX);
    for (size_t i = 0; i < pairs->count; i++) {
        require(http_text_is_clean(pairs->list[i].name, strlen(pairs->list[i].name), false));
        require(http_text_is_clean(pairs->list[i].value, strlen(pairs->list[i].value), lines));
        require(http_pairs_find(pairs, pairs->list[i].name) != NULL);
    }
}

static void check_head(const struct http_head *head)
{
    const char *segment, *path = http_head_path(head);
    size_t count = 0, len = 0;
    require(path[0] == '/' && http_text_is_clean(path, strlen(path), false));
    for (; (segment = http_head_segment(head, count)); count++) {
        require(strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0);
        require(path[len] == '/' && strncmp(path + len + 1, segment, strlen(segment)) == 0);
        len += 1 + strlen(segment);
    }
    require(count > 0 && count <= HTTP_SEGMENTS_MAX && path[len] == '\0');
    check_pairs(http_head_query(head), false);
    require(http_head_content_length(head) >= 0);
    require(!http_head_field(head, "Transfer-Encoding"));
    require(http_head_method(head) != HTTP_POST || http_head_field(head, "Content-Length"));
    require(strpbrk(http_head_host(head), "\r\n") == NULL);
}

static void read_head(const char *text, size_t size)
{
    struct http_head *head = http_head_new();
    int result = 1;
    for (size_t at = 0; at < size && result == 1;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t len = end ? (size_t)(end - text) - at : size - at;
        result = http_head_add_line(head, text + at, len);
        at += len + 1;
    }
    if (result == 1)
        result = http_head_finish(head);
    if (result == 1)
        check_head(head);
    else
        require(http_head_refusal(head) >= 400 && http_head_refusal(head) < 600);
    http_head_free(&head);
}

static void read_pairs(enum http_pairs_form form, const char *text, size_t size)
{
    struct http_pairs pairs;
    if (http_pairs_parse(form, text, size, &pairs) == 1)
        check_pairs(&pairs, form == HTTP_PAIRS_FORM);
    else
        require(pairs.count == 0);
    http_pairs_clear(&pairs);
}

static void read_cookie(const char *text, size_t size)
{
    char *field = malloc(size + 1);
    const char *value;
    size_t len;
    memcpy(field, text, size);
    field[size] = '\0';
    if (http_cookie_find(field, "s", &value, &len))
        require(value > field && value + len <= field + strlen(field) && !memchr(value, ';', len));
    free(field);
}

/* What can be read is written so that it is read as the same. */
static void read_escaped(const char *text, size_t size)
{
    struct strbuf decoded, encoded, again;
    strbuf_init(&decoded, size + 1);
    strbuf_init(&encoded, 3 * size + 1);
    strbuf_init(&again, size + 1);
    if (http_text_decode(text, size, &decoded) == 1) {
        http_text_encode(&encoded, decoded.data);
        require(strbuf_ok(&encoded));
        require(http_text_decode(encoded.data, encoded.len, &again) == 1);
        require(strcmp(again.data, decoded.data) == 0);
    }
    strbuf_free(&decoded);
    strbuf_free(&encoded);
    strbuf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 64 * 1024)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0] % 5) {
    case 0:
        read_head(text, size - 1);
        break;
    case 1:
        read_pairs(HTTP_PAIRS_QUERY, text, size - 1);
        break;
    case 2:
        read_pairs(HTTP_PAIRS_FORM, text, size - 1);
        break;
    case 3:
        read_cookie(text, size - 1);
        break;
    default:
        read_escaped(text, size - 1);
    }
    return 0;
}
