/* Whatever stands where a second header should be: it is refused, or it keeps the limits and survives being encoded. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "tmtp/tmtp_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_limits(const struct tmtp_message *message)
{
    check(message->alias != NULL && message->threadid != NULL && message->subject != NULL);
    check(message->cc_count <= TMTP_MESSAGE_CC_MAX && message->attach_count <= TMTP_MESSAGE_ATTACH_MAX);
    check(tmtp_message_attachments_size(message) >= 0);
    for (size_t i = 0; i < message->attach_count; i++)
        check(strlen(message->attach[i].name) >= 3 && strlen(message->attach[i].name) <= TMTP_MESSAGE_NAME_MAX);
    for (size_t i = 0; i < message->cc_count; i++)
        check(message->cc[i].who != NULL && message->cc[i].who_uid != NULL && message->cc[i].note != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tmtp_message message;
    const char *error = NULL;
    if (tmtp_message_decode((const char *)data, size, &message, &error) != 1) {
        check(error != NULL && error[0] != '\0');
        return 0;
    }
    check_limits(&message);
    struct strbuf first;
    struct strbuf second;
    strbuf_init(&first, TMTP_MESSAGE_HEAD_MAX);
    strbuf_init(&second, TMTP_MESSAGE_HEAD_MAX);
    int rc = tmtp_message_encode(&message, &first);
    check(rc == 1 || size > TMTP_MESSAGE_HEAD_MAX / 100); /* empty participants grow when they are written out */
    tmtp_message_free(&message);
    if (rc == 1) {
        check(tmtp_message_decode(first.data, first.len, &message, &error) == 1);
        check(tmtp_message_encode(&message, &second) == 1);
        check(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        tmtp_message_free(&message);
    }
    strbuf_free(&first);
    strbuf_free(&second);
    return 0;
}
