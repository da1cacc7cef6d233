/* tmtp_message.c - building thread messages; their JSON is in tmtp_header_message.c */
#include "tmtp/tmtp_message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

void tmtp_message_init(struct tmtp_message *message)
{
    *message = (struct tmtp_message){ .threadid = xstrdup(""), .alias = xstrdup(""), .subject = xstrdup("") };
}

void tmtp_message_set(char **field, const char *text)
{
    char *copy = text != NULL ? xstrdup(text) : NULL; /* before freeing: text may be part of the old value */
    free(*field);
    *field = copy;
}

/* Room for one more element. Lists are short and built once, so growing by one is good enough. */
static void *grow(void *list, size_t count, size_t max, size_t size)
{
    assert(count < max);
    return xreallocarray(list, count + 1, size);
}

void tmtp_message_add_participant(struct tmtp_message *message, const char *who, const char *who_uid, const char *by,
                                  const char *by_uid, const char *date, const char *note)
{
    message->cc = grow(message->cc, message->cc_count, TMTP_MESSAGE_CC_MAX, sizeof *message->cc);
    message->cc[message->cc_count++] = (struct tmtp_participant){
        .who = xstrdup(who),
        .who_uid = xstrdup(who_uid),
        .by = xstrdup(by),
        .by_uid = xstrdup(by_uid),
        .date = xstrdup(date),
        .note = xstrdup(note),
        .subscribe = true,
    };
}

void tmtp_message_add_attachment(struct tmtp_message *message, const char *name, int64_t size, const char *ffn)
{
    message->attach = grow(message->attach, message->attach_count, TMTP_MESSAGE_ATTACH_MAX, sizeof *message->attach);
    message->attach[message->attach_count++] = (struct tmtp_attachment){
        .name = xstrdup(name),
        .size = size,
        .ffn = ffn != NULL ? xstrdup(ffn) : NULL,
    };
}

int64_t tmtp_message_attachments_size(const struct tmtp_message *message)
{
    int64_t sum = 0;
    for (size_t i = 0; i < message->attach_count; i++) {
        int64_t size = message->attach[i].size;
        if (size < 0 || size > INT64_MAX - sum)
            return -1;
        sum += size;
    }
    return sum;
}
