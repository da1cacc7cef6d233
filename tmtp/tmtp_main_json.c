/* tmtp_main_json.c - output for programs */
#include "tmtp/tmtp_main_json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"
#include "tmtp/tmtp_silo_text.h"

static const char replacement[] = "\xEF\xBF\xBD";

void text_add_clean(struct strbuf *out, const char *text, size_t len, int printable)
{
    while (len > 0) {
        /* The longest valid form of a character is four bytes; a shorter prefix of it is never valid. */
        size_t take = 1;
        while (take < 4 && take < len && silo_text_utf16_length(text, take) < 0)
            take++;
        bool is_replacement = len >= 3 && memcmp(text, replacement, 3) == 0; /* which a silo refuses in pings */
        take = is_replacement ? 3 : take;
        bool valid = is_replacement || silo_text_utf16_length(text, take) > 0;
        bool control = take == 1 && ((unsigned char)*text < 0x20 || *text == 0x7F) && *text != '\n' && *text != '\t';
        bool high_control = take == 2 && (unsigned char)text[0] == 0xC2 && (unsigned char)text[1] < 0xA0;
        if (valid && !(printable && (control || high_control)))
            strbuf_add(out, text, take);
        else
            strbuf_add_str(out, replacement);
        take = valid ? take : 1;
        text += take;
        len -= take;
    }
}

static void put(json_t *object, const char *key, const char *text, size_t len)
{
    struct strbuf clean;
    strbuf_init(&clean, SIZE_MAX / 2);
    text_add_clean(&clean, text, len, 0);
    json_object_set_new(object, key, json_stringn(clean.data, clean.len));
    strbuf_free(&clean);
}

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        put(object, key, text, strlen(text));
}

static void print_line(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
    json_decref(object);
}

void json_print_words(const struct json_word *words)
{
    json_t *object = json_object();
    for (; words->key != NULL; words++)
        put_text(object, words->key, words->value);
    print_line(object);
}

static json_t *participants(const struct tmtp_message *message)
{
    json_t *list = json_array();
    for (size_t i = 0; i < message->cc_count; i++) {
        const struct tmtp_participant *participant = &message->cc[i];
        json_t *object = json_object();
        put_text(object, "who", participant->who);
        put_text(object, "whouid", participant->who_uid);
        put_text(object, "by", participant->by);
        put_text(object, "byuid", participant->by_uid);
        put_text(object, "date", participant->date);
        put_text(object, "note", participant->note);
        json_object_set_new(object, "subscribe", json_boolean(participant->subscribe));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *attachments(const struct json_item *item)
{
    json_t *list = json_array();
    for (size_t i = 0; i < item->message->attach_count; i++) {
        const struct tmtp_attachment *attachment = &item->message->attach[i];
        json_t *object = json_object();
        put_text(object, "name", attachment->name);
        json_object_set_new(object, "size", json_integer(attachment->size));
        put_text(object, "ffn", attachment->ffn);
        put_text(object, "path", item->paths != NULL ? item->paths[i] : NULL);
        json_array_append_new(list, object);
    }
    return list;
}

void json_print_item(const struct json_item *item)
{
    const struct tmtp_push *push = item->push;
    json_t *object = json_object();
    put_text(object, "op", item->op);
    put_text(object, "id", push->id);
    put_text(object, "from", push->from);
    put_text(object, "posted", push->posted);
    put_text(object, "gid", push->gid);
    put_text(object, "act", push->act);
    put_text(object, "alias", push->alias);
    put_text(object, "newalias", push->newalias);
    put_text(object, "to", push->to);
    put_text(object, "postid", push->postid);
    put_text(object, "threadid", item->threadid);
    if (push->notify > 0)
        json_object_set_new(object, "notify", json_integer(push->notify));
    if (item->message != NULL) {
        put_text(object, "alias", item->message->alias);
        put_text(object, "subject", item->message->subject);
        put_text(object, "confirmid", item->message->confirm_id);
        put_text(object, "confirmposted", item->message->confirm_posted);
        json_object_set_new(object, "cc", participants(item->message));
        json_object_set_new(object, "attach", attachments(item));
    }
    if (item->body != NULL)
        put(object, "body", item->body, item->body_len);
    put_text(object, "defect", item->defect);
    print_line(object);
}
