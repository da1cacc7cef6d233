/* tmtp_header_forward.c - the JSON of a stored thread: heads of messages, and the list of participants */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "tmtp/tmtp_forward.h"
#include "tmtp/tmtp_header_internal.h"

struct head {
    char *id, *posted, *from, *subhead;
    int64_t size;
};
#define HEAD(member) offsetof(struct head, member)

static const struct header_field head_fields[] = {
    { "Id", HEADER_STRING, HEAD(id) },           { "Size", HEADER_SIZE, HEAD(size) },
    { "Posted", HEADER_STRING, HEAD(posted) },   { "From", HEADER_STRING, HEAD(from) },
    { "SubHead", HEADER_OBJECT, HEAD(subhead) },
};
static const struct header_table head_table = { head_fields, sizeof head_fields / sizeof *head_fields,
                                                sizeof(struct head) };

int tmtp_forward_decode_head(const char *json, size_t len, struct tmtp_forward_message *out, const char **error_out)
{
    struct head head;
    json_t *object = header_parse(json, len, error_out);
    if (object == NULL)
        return -1;
    int rc = header_decode(object, &head_table, &head, error_out);
    json_decref(object);
    if (rc != 1)
        return -1;
    *out = (struct tmtp_forward_message){ .body_size = head.size };
    if (head.subhead == NULL) {
        *error_out = "a message in it has no second header";
        rc = -1;
    } else {
        rc = tmtp_message_decode(head.subhead, strlen(head.subhead), &out->head, error_out);
    }
    if (rc == 1) {
        out->id = xstrdup(head.id);
        out->posted = xstrdup(head.posted);
        out->from = xstrdup(head.from);
    }
    header_free(&head_table, &head);
    return rc;
}

void tmtp_forward_message_free(struct tmtp_forward_message *message)
{
    free(message->id);
    free(message->posted);
    free(message->from);
    tmtp_message_free(&message->head);
    *message = (struct tmtp_forward_message){ 0 };
}

/* The list stands alone; a second header has the same under "Cc". */
int tmtp_forward_decode_participants(const char *json, size_t len, struct tmtp_forward *out, const char **error_out)
{
    struct strbuf wrapped;
    struct tmtp_message message;
    strbuf_init(&wrapped, len + 16);
    strbuf_add_str(&wrapped, "{\"Cc\":");
    strbuf_add(&wrapped, json, len);
    strbuf_add_char(&wrapped, '}');
    int rc = tmtp_message_decode(wrapped.data, wrapped.len, &message, error_out);
    strbuf_free(&wrapped);
    if (rc != 1)
        return -1;
    out->cc = message.cc;
    out->cc_count = message.cc_count;
    message.cc = NULL;
    message.cc_count = 0;
    tmtp_message_free(&message);
    return 1;
}

void tmtp_forward_free_participants(struct tmtp_forward *forward)
{
    struct tmtp_message message;
    tmtp_message_init(&message);
    message.cc = forward->cc;
    message.cc_count = forward->cc_count;
    tmtp_message_free(&message);
    forward->cc = NULL;
    forward->cc_count = 0;
}
