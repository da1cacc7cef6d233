/* Whatever stands where a forwarded thread should be: it is refused, or its messages lie in it one behind the other. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tmtp/tmtp_forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    const uint8_t *data;
    size_t len;
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static int64_t read_memory(void *ctx, int64_t offset, void *out, size_t len)
{
    const struct memory *memory = ctx;
    check(offset >= 0 && (uint64_t)offset + len <= memory->len);
    memcpy(out, memory->data + offset, len);
    return (int64_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = { data, size };
    struct tmtp_forward forward;
    const char *error = NULL;
    int result = tmtp_forward_decode(read_memory, &memory, (int64_t)size, &forward, &error);
    check(result == 0 || result == 1);
    if (result != 1) {
        check(error != NULL && error[0] != '\0');
        return 0;
    }
    int64_t end = 0;
    check(forward.message_count > 0 && forward.message_count <= TMTP_FORWARD_MESSAGES_MAX);
    for (size_t i = 0; i < forward.message_count; i++) {
        const struct tmtp_forward_message *message = &forward.messages[i];
        check(message->id != NULL && message->from != NULL && message->posted != NULL && message->head.alias != NULL);
        check(message->body_offset > end && message->body_size >= 0);
        end = message->body_offset + message->body_size;
        check(end < (int64_t)size && data[end] == '\n');
    }
    check(forward.cc_count <= TMTP_MESSAGE_CC_MAX);
    tmtp_forward_free(&forward);
    return 0;
}
