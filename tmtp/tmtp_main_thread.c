/* tmtp_main_thread.c - reading a thread's messages, and writing them in the stored form */
#include "tmtp/tmtp_main_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_main.h"
#include "tmtp/tmtp_message.h"

enum { HEAD_MAX = 0xFFFF, TEXT_MAX = 64 * 1024 * 1024 };

struct thread {
    const char *id;
    json_t *lines; /* of the thread, one object for each message; messages point into them */
    struct thread_message *messages;
    size_t count;
    struct tmtp_message participants; /* only its cc is used */
};

/* --- reading --- */

static const char *get(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *get_or_empty(const json_t *object, const char *key)
{
    const char *text = get(object, key);
    return text != NULL ? text : "";
}

static void read_attachments(struct thread_message *message, json_t *list)
{
    message->attachments = xcalloc(json_array_size(list) + 1, sizeof *message->attachments);
    size_t i;
    json_t *object;
    json_array_foreach(list, i, object)
    {
        message->attachments[message->attachment_count++] =
            (struct thread_attachment){ .name = get_or_empty(object, "name"),
                                        .ffn = get(object, "ffn"),
                                        .path = get(object, "path"),
                                        .size = json_integer_value(json_object_get(object, "size")) };
    }
}

static int read_message(struct thread *thread, json_t *line)
{
    const char *id = get(line, "id"), *from = get(line, "from"), *posted = get(line, "posted");
    const json_t *body = json_object_get(line, "body");
    if (id == NULL || from == NULL || posted == NULL || get(line, "defect") != NULL) {
        main_complain("message %s of the thread is not complete", id != NULL ? id : "");
        return -1;
    }
    if (thread->count == THREAD_MESSAGES_MAX) {
        main_complain("a thread of more than %d messages can't be forwarded", THREAD_MESSAGES_MAX);
        return -1;
    }
    struct thread_message *message = &thread->messages[thread->count++];
    *message = (struct thread_message){ .id = id,
                                        .from = from,
                                        .posted = posted,
                                        .alias = get_or_empty(line, "alias"),
                                        .subject = get_or_empty(line, "subject"),
                                        .body = json_is_string(body) ? json_string_value(body) : "",
                                        .body_len = json_is_string(body) ? json_string_length(body) : 0 };
    read_attachments(message, json_object_get(line, "attach"));
    json_array_append(thread->lines, line);
    return 1;
}

static bool has_participant(const struct tmtp_message *list, const char *who, const char *uid)
{
    for (size_t i = 0; i < list->cc_count; i++) {
        if (strcmp(list->cc[i].who, who) == 0 && strcmp(list->cc[i].who_uid, uid) == 0)
            return true;
    }
    return false;
}

/* The date is when the message came to the silo: the member client replaces its author's. */
static void read_participants(struct thread *thread, const json_t *line)
{
    size_t i;
    json_t *object;
    json_array_foreach(json_object_get(line, "cc"), i, object)
    {
        const char *who = get_or_empty(object, "who"), *uid = get_or_empty(object, "whouid");
        if (thread->participants.cc_count < TMTP_MESSAGE_CC_MAX && !has_participant(&thread->participants, who, uid))
            tmtp_message_add_participant(&thread->participants, who, uid, get_or_empty(object, "by"),
                                         get_or_empty(object, "byuid"), get_or_empty(line, "posted"),
                                         get_or_empty(object, "note"));
    }
}

static bool has_message(const struct thread *thread, const char *id)
{
    for (size_t i = 0; i < thread->count; i++) {
        if (strcmp(thread->messages[i].id, id) == 0)
            return true;
    }
    return false;
}

/* 1 taken or of no concern, -1 (said why). */
static int take_line(struct thread *thread, json_t *line)
{
    const char *threadid = get(line, "threadid"), *op = get(line, "op"), *id = get(line, "id");
    if (threadid == NULL || op == NULL || id == NULL || strcmp(threadid, thread->id) != 0)
        return 1;
    bool notice = strcmp(op, "notify") == 0;
    bool message = strcmp(op, "delivery") == 0 || strcmp(op, "posted") == 0;
    bool copy = json_object_get(line, "notify") != NULL || get(line, "confirmid") != NULL;
    if (notice || (message && strcmp(id, thread->id) == 0 && !has_message(thread, id)))
        read_participants(thread, line);
    return message && !copy && !has_message(thread, id) ? read_message(thread, line) : 1;
}

static int compare_messages(const void *a, const void *b)
{
    const struct thread_message *first = a, *second = b;
    return strcmp(first->id, second->id);
}

static int read_lines(struct thread *thread, FILE *file, const char *path)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    int rc = 1;
    for (unsigned number = 1; rc == 1 && (len = getline(&text, &room, file)) > 0; number++) {
        json_t *line = json_loadb(text, (size_t)len, JSON_ALLOW_NUL, NULL);
        if (line == NULL)
            main_complain("%s:%u: not what 'receive --json' prints", path, number);
        rc = line != NULL ? take_line(thread, line) : -1;
        json_decref(line);
    }
    free(text);
    return rc;
}

struct thread *thread_read(const char *path, const char *id)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        main_complain("%s: %s", path, strerror(errno));
        return NULL;
    }
    struct thread *thread = xcalloc(1, sizeof *thread);
    thread->id = id;
    thread->lines = json_array();
    thread->messages = xcalloc(THREAD_MESSAGES_MAX, sizeof *thread->messages);
    tmtp_message_init(&thread->participants);
    int rc = read_lines(thread, file, path);
    fclose(file);
    qsort(thread->messages, thread->count, sizeof *thread->messages, compare_messages);
    if (rc == 1 && !has_message(thread, id)) {
        main_complain("%s: the first message of thread %s is not in it", path, id);
        rc = -1;
    }
    if (rc != 1)
        thread_free(&thread);
    return thread;
}

void thread_free(struct thread **thread_ptr)
{
    struct thread *thread = *thread_ptr;
    if (thread == NULL)
        return;
    for (size_t i = 0; i < thread->count; i++)
        free(thread->messages[i].attachments);
    free(thread->messages);
    json_decref(thread->lines);
    tmtp_message_free(&thread->participants);
    free(thread);
    *thread_ptr = NULL;
}

size_t thread_count(const struct thread *thread)
{
    return thread->count;
}

const struct thread_message *thread_get(const struct thread *thread, size_t number)
{
    return &thread->messages[number];
}

const struct tmtp_message *thread_participants(const struct thread *thread)
{
    return &thread->participants;
}

/* --- writing --- */

/* Escaped as the member client does it: it compares sizes and checksums of what it writes itself with ours. Outside of
 * strings none of these characters occur in JSON. Takes object over. */
static void dump(struct strbuf *out, json_t *object)
{
    static const struct {
        const char *plain, *escaped;
    } escapes[] = { { "<", "\\u003c" },
                    { ">", "\\u003e" },
                    { "&", "\\u0026" },
                    { "\xE2\x80\xA8", "\\u2028" },
                    { "\xE2\x80\xA9", "\\u2029" } };
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t i = 0, count = sizeof escapes / sizeof *escapes;
        while (i < count && strncmp(at, escapes[i].plain, strlen(escapes[i].plain)) != 0)
            i++;
        if (i < count)
            strbuf_add_str(out, escapes[i].escaped);
        else
            strbuf_add_char(out, *at);
        at += i < count ? strlen(escapes[i].plain) : 1;
    }
    free(text);
}

static json_t *attachments(const struct thread_message *message)
{
    json_t *list = json_array();
    for (size_t i = 0; i < message->attachment_count; i++) {
        const struct thread_attachment *attachment = &message->attachments[i];
        json_t *object = json_pack("{ss}", "Name", attachment->name);
        if (attachment->size != 0)
            json_object_set_new(object, "Size", json_integer(attachment->size));
        if (attachment->ffn != NULL)
            json_object_set_new(object, "Ffn", json_string(attachment->ffn));
        json_array_append_new(list, object);
    }
    return list;
}

/* Digits and JSON. False when it is too long. */
static bool add_head(struct strbuf *out, const struct thread *thread, const struct thread_message *message)
{
    struct strbuf head;
    strbuf_init(&head, HEAD_MAX);
    json_t *second =
        json_pack("{ssssss}", "Alias", message->alias, "ThreadId", thread->id, "Subject", message->subject);
    if (message->attachment_count > 0)
        json_object_set_new(second, "Attach", attachments(message));
    dump(&head, json_pack("{sssIsssssO}", "Id", message->id, "Size", (json_int_t)message->body_len, "Posted",
                          message->posted, "From", message->from, "SubHead", second));
    json_decref(second);
    bool fits = strbuf_ok(&head);
    strbuf_add_fmt(out, "%04zx%s\n", head.len, head.data);
    strbuf_free(&head);
    return fits;
}

/* One message, and its line in the index. */
static int store_message(const struct thread *thread, const struct thread_message *message, int64_t offset,
                         json_t *index, struct spool *out)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    bool fits = add_head(&text, thread, message);
    strbuf_add(&text, message->body, message->body_len);
    uint32_t checksum = crc32c(0, text.data, text.len);
    strbuf_add_char(&text, '\n');
    fits = fits && strbuf_ok(&text);
    if (!fits)
        main_complain("message %s is too long to be forwarded", message->id);
    int rc = fits ? spool_add(out, text.data, text.len) : -1;
    json_array_append_new(index, json_pack("{sssssssssssssIsIsI}", "Id", message->id, "From", message->from, "Alias",
                                           message->alias, "Date", message->posted, "Subject", message->subject, "Seen",
                                           "", "Offset", (json_int_t)offset, "Size", (json_int_t)text.len, "Checksum",
                                           (json_int_t)checksum));
    strbuf_free(&text);
    return rc;
}

static json_t *participant(const struct tmtp_participant *from)
{
    json_t *object = json_pack("{sssssssssssssb}", "Who", from->who, "By", from->by, "WhoUid", from->who_uid, "ByUid",
                               from->by_uid, "Date", from->date, "Note", from->note, "Subscribe", 1);
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    dump(&text, json_incref(object));
    json_object_set_new(object, "Checksum", json_integer(crc32c(0, text.data, text.len)));
    strbuf_free(&text);
    return object;
}

int thread_store(const struct thread *thread, struct spool *out)
{
    json_t *index = json_array();
    json_t *people = json_array();
    int64_t begin = spool_size(out);
    int rc = 1;
    for (size_t i = 0; i < thread->count && rc == 1; i++)
        rc = store_message(thread, &thread->messages[i], spool_size(out) - begin, index, out);
    for (size_t i = 0; i < thread->participants.cc_count; i++)
        json_array_append_new(people, participant(&thread->participants.cc[i]));
    struct strbuf tail;
    strbuf_init(&tail, TEXT_MAX);
    dump(&tail, index);
    size_t index_len = tail.len;
    dump(&tail, people);
    strbuf_add_fmt(&tail, "%08zx%08zx", index_len, tail.len - index_len);
    if (rc == 1)
        rc = strbuf_ok(&tail) ? spool_add(out, tail.data, tail.len) : -1;
    strbuf_free(&tail);
    return rc;
}
