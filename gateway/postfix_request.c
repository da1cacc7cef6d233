/* postfix_request.c - see postfix_request.h */
#include "gateway/postfix_request.h"

#include <string.h>

/* Where the values go that are kept. */
static const struct field {
    const char *name;
    size_t offset, size;
} fields[] = {
    { "request", offsetof(struct postfix_request, kind), POSTFIX_REQUEST_WORD_MAX + 1 },
    { "protocol_state", offsetof(struct postfix_request, protocol_state), POSTFIX_REQUEST_WORD_MAX + 1 },
    { "sender", offsetof(struct postfix_request, sender), POSTFIX_REQUEST_ADDRESS_MAX + 1 },
    { "recipient", offsetof(struct postfix_request, recipient), POSTFIX_REQUEST_ADDRESS_MAX + 1 },
    { "client_address", offsetof(struct postfix_request, client), POSTFIX_REQUEST_WORD_MAX + 1 },
    { "size", offsetof(struct postfix_request, size), POSTFIX_REQUEST_WORD_MAX + 1 },
};

static const struct field *find_field(const char *name)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

/* line: NUL-terminated, not empty. Returns the state that follows. */
static enum postfix_request_state take_line(struct postfix_request *request)
{
    char *equals = strchr(request->line, '=');
    if (!equals || ++request->lines > POSTFIX_REQUEST_LINES_MAX || memchr(request->line, '\0', request->line_len))
        return POSTFIX_REQUEST_BROKEN;
    *equals = '\0';
    const struct field *field = find_field(request->line);
    if (!field)
        return POSTFIX_REQUEST_READING;
    char *value = (char *)request + field->offset;
    size_t len = request->line_len - (size_t)(equals + 1 - request->line);
    if (value[0] || len >= field->size) /* of two values nobody could say which one Postfix has gone by */
        return POSTFIX_REQUEST_BROKEN;
    memcpy(value, equals + 1, len + 1);
    return POSTFIX_REQUEST_READING;
}

static void begin(struct postfix_request *request)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        ((char *)request)[fields[i].offset] = '\0';
    request->state = POSTFIX_REQUEST_READING;
    request->lines = 0;
    request->line_len = 0;
}

/* Returns how many bytes were used; sets the state. */
static size_t take_bytes(struct postfix_request *request, const uint8_t *data, size_t len)
{
    const uint8_t *end = memchr(data, '\n', len);
    size_t part = end ? (size_t)(end - data) : len;
    if (part > POSTFIX_REQUEST_LINE_MAX - request->line_len) {
        request->state = POSTFIX_REQUEST_BROKEN;
        return len;
    }
    memcpy(request->line + request->line_len, data, part);
    request->line_len += part;
    if (!end)
        return part;
    request->line[request->line_len] = '\0';
    request->state = request->line_len > 0 ? take_line(request) : POSTFIX_REQUEST_DONE;
    request->line_len = 0;
    return part + 1;
}

int postfix_request_feed(struct postfix_request *request, const uint8_t *data, size_t len, size_t *used_out)
{
    size_t used = 0;
    if (request->state == POSTFIX_REQUEST_DONE)
        begin(request);
    while (used < len && request->state == POSTFIX_REQUEST_READING)
        used += take_bytes(request, data + used, len - used);
    *used_out = used;
    return request->state == POSTFIX_REQUEST_BROKEN ? -1 : request->state == POSTFIX_REQUEST_DONE;
}
