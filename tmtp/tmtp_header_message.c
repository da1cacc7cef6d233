/* tmtp_header_message.c - the second header of thread messages <-> JSON */
#include <string.h>

#include "tmtp/tmtp_header_internal.h"
#include "tmtp/tmtp_message.h"

enum { NAME_MIN = 3 }; /* "u:x" */

#define PARTICIPANT(member) offsetof(struct tmtp_participant, member)
#define ATTACHMENT(member)  offsetof(struct tmtp_attachment, member)
#define MESSAGE(member)     offsetof(struct tmtp_message, member)

static const struct header_field participant_fields[] = {
    { "Who", HEADER_STRING, PARTICIPANT(who) },           { "By", HEADER_STRING, PARTICIPANT(by) },
    { "WhoUid", HEADER_STRING, PARTICIPANT(who_uid) },    { "ByUid", HEADER_STRING, PARTICIPANT(by_uid) },
    { "Date", HEADER_STRING, PARTICIPANT(date) },         { "Note", HEADER_STRING, PARTICIPANT(note) },
    { "Subscribe", HEADER_FLAG, PARTICIPANT(subscribe) },
};
static const struct header_table participant_table = { participant_fields,
                                                       sizeof participant_fields / sizeof *participant_fields,
                                                       sizeof(struct tmtp_participant) };

static const struct header_field attachment_fields[] = {
    { "Name", HEADER_STRING, ATTACHMENT(name) },
    { "Size", HEADER_SIZE, ATTACHMENT(size) },
    { "Ffn", HEADER_TEXT, ATTACHMENT(ffn) },
};
static const struct header_table attachment_table = { attachment_fields,
                                                      sizeof attachment_fields / sizeof *attachment_fields,
                                                      sizeof(struct tmtp_attachment) };

static const struct header_field message_fields[] = {
    { "Alias", HEADER_STRING, MESSAGE(alias) },
    { "ThreadId", HEADER_STRING, MESSAGE(threadid) },
    { "Subject", HEADER_STRING, MESSAGE(subject) },
    { "Attach", HEADER_LIST, MESSAGE(attach), MESSAGE(attach_count), 0, &attachment_table, TMTP_MESSAGE_ATTACH_MAX },
    { "Cc", HEADER_LIST, MESSAGE(cc), MESSAGE(cc_count), 0, &participant_table, TMTP_MESSAGE_CC_MAX },
    { "ConfirmId", HEADER_TEXT, MESSAGE(confirm_id) },
    { "ConfirmPosted", HEADER_TEXT, MESSAGE(confirm_posted) },
    { "NodeSync", HEADER_FLAG, MESSAGE(nodesync) },
    { "PosternKey", HEADER_TEXT, MESSAGE(queue_key) },
};
static const struct header_table message_table = { message_fields, sizeof message_fields / sizeof *message_fields,
                                                   sizeof(struct tmtp_message) };

void tmtp_message_free(struct tmtp_message *message)
{
    header_free(&message_table, message);
}

int tmtp_message_encode(const struct tmtp_message *message, struct strbuf *out)
{
    struct strbuf text;
    strbuf_init(&text, TMTP_MESSAGE_HEAD_MAX);
    json_t *object = json_object();
    int rc = header_compose(&message_table, message, object);
    if (rc == 1)
        rc = header_dump(object, false, &text);
    if (rc == 1) {
        strbuf_add(out, text.data, text.len);
        rc = strbuf_ok(out) ? 1 : -1;
    }
    json_decref(object);
    strbuf_free(&text);
    return rc;
}

/* NULL, or what is wrong with the attachments. */
static const char *check_attachments(const struct tmtp_message *message)
{
    for (size_t i = 0; i < message->attach_count; i++) {
        size_t len = strlen(message->attach[i].name);
        if (len < NAME_MIN || len > TMTP_MESSAGE_NAME_MAX)
            return "an attachment's name is too short or too long";
    }
    return tmtp_message_attachments_size(message) >= 0 ? NULL : "the attachments' sizes overflow";
}

int tmtp_message_decode(const char *json, size_t len, struct tmtp_message *message_out, const char **error_out)
{
    if (len > TMTP_MESSAGE_HEAD_MAX) {
        *error_out = "the second header is too long";
        return -1;
    }
    json_t *object = header_parse(json, len, error_out);
    if (object == NULL)
        return -1;
    int rc = header_decode(object, &message_table, message_out, error_out);
    json_decref(object);
    if (rc != 1)
        return -1;
    *error_out = check_attachments(message_out);
    if (*error_out != NULL) {
        tmtp_message_free(message_out);
        return -1;
    }
    return 1;
}
