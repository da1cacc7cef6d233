#include "base/stream_input.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

enum {
    SMALLEST_CAPACITY = 2 * 1024,
    LARGEST_FIRST_CAPACITY = 64 * 1024,
};

uint8_t *stream_input_reserve(struct stream_input *input, size_t max, size_t *room_out)
{
    if (input->len == 0)
        input->start = 0;
    size_t end = input->start + input->len;
    if (end == input->capacity && input->start > 0) {
        memmove(input->memory, input->memory + input->start, input->len);
        input->start = 0;
        end = input->len;
    }
    if (end == input->capacity) {
        size_t capacity = input->capacity * 2;
        if (input->memory == NULL)
            capacity = input->next_capacity == 0 ? SMALLEST_CAPACITY : input->next_capacity;
        if (capacity > input->len + max)
            capacity = input->len + max;
        input->memory = xreallocarray(input->memory, capacity, 1);
        input->capacity = capacity;
    }
    size_t room = input->capacity - end;
    *room_out = room < max ? room : max;
    return input->memory + end;
}

void stream_input_commit(struct stream_input *input, size_t len)
{
    size_t end = input->start + input->len;
    assert(len <= input->capacity - end);
    input->len += len;
    if (end + len == input->capacity) {
        size_t twice = input->capacity * 2;
        input->next_capacity = twice < LARGEST_FIRST_CAPACITY ? twice : LARGEST_FIRST_CAPACITY;
    } else if (end + len < input->capacity / 2) {
        input->next_capacity = SMALLEST_CAPACITY;
    }
}

void stream_input_consume(struct stream_input *input, size_t len)
{
    assert(len <= input->len);
    input->start += len;
    input->len -= len;
}

void stream_input_shrink(struct stream_input *input)
{
    if (input->len > 0)
        return;
    free(input->memory);
    input->memory = NULL;
    input->capacity = 0;
    input->start = 0;
}

void stream_input_free(struct stream_input *input)
{
    input->len = 0;
    stream_input_shrink(input);
}

/* Offset of the line feed that ends the first line within the first `limit` bytes, or SIZE_MAX. */
static size_t find_end(const uint8_t *bytes, size_t limit, bool lf_ok)
{
    size_t from = 0;
    while (from < limit) {
        const uint8_t *found = memchr(bytes + from, '\n', limit - from);
        if (found == NULL)
            return SIZE_MAX;
        size_t at = (size_t)(found - bytes);
        if (lf_ok || (at > 0 && bytes[at - 1] == '\r'))
            return at;
        from = at + 1;
    }
    return SIZE_MAX;
}

int stream_input_take_line(struct stream_input *input, size_t max, bool lf_ok, bool full, const char **line_out,
                           size_t *len_out, bool *had_crlf_out)
{
    if (input->len == 0)
        return 0;
    uint8_t *bytes = input->memory + input->start;
    size_t limit = input->len > 2 && input->len - 2 > max ? max + 2 : input->len;
    size_t at = find_end(bytes, limit, lf_ok);
    if (at == SIZE_MAX) {
        /* max bytes and a CR may still become a line of max bytes. */
        bool can_become_line = input->len <= max || (input->len == max + 1 && bytes[max] == '\r');
        return can_become_line && !full ? 0 : -1;
    }
    bool had_crlf = at > 0 && bytes[at - 1] == '\r';
    size_t len = had_crlf ? at - 1 : at;
    if (len > max)
        return -1;
    bytes[len] = '\0'; /* over the line end, which is taken too */
    *line_out = (const char *)bytes;
    *len_out = len;
    if (had_crlf_out != NULL)
        *had_crlf_out = had_crlf;
    stream_input_consume(input, at + 1);
    return 1;
}
