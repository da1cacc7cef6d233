/* tmtp_client_owner.c - the owner of the client in its dialogues: see tmtp_client_play.h */
#include "tests/dialogue/tmtp_client_play.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/spool.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_message.h"

/* --- the owner's side --- */

static void on_state(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx)
{
    assert_int_equal(tmtp_client_get_state(client), state);
    play_callback_event(ctx, "state %s%s%s", tmtp_client_state_name(state), detail[0] ? " " : "", detail);
}

static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    assert_string_equal(tmtp_client_uid(client), uid);
    play_callback_event(ctx, "registered %s %s %s", uid, node, alias_error ? alias_error : "-");
}

static int on_token(struct tmtp_client *client, char **token_out, char **error_out, void *ctx)
{
    struct play *play = ctx;
    (void)client;
    play_callback_event(play, "token");
    if (play->token[0] == '{')
        *token_out = xstrdup(play->token);
    else if (play->token[0])
        *error_out = xstrdup(play->token);
    return play->token[0] == '{' ? 1 : play->token[0] ? -1 : 0;
}

static void on_result(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx)
{
    (void)client;
    const char *what = result->lost ? "lost" : result->error ? result->error : "done";
    play_callback_event(ctx, "result %" PRIu64 " %s%s%s", result->request, what, result->msgid ? " " : "",
                        result->msgid ? result->msgid : "");
}

static void on_echo(struct tmtp_client *client, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid, void *ctx)
{
    (void)client;
    play_callback_event(ctx, "echo %s %s %s thread=%s", queue_key, msgid, posted, threadid);
}

static void on_message(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx)
{
    struct strbuf body;
    (void)client;
    strbuf_init(&body, LINE_MAX_LEN);
    if (delivery->oversize)
        strbuf_add_str(&body, "oversize");
    struct spool *content = tmtp_client_take_content(delivery);
    assert_true(delivery->oversize == (content == NULL));
    if (content) {
        int64_t size = spool_size(content);
        char *bytes = xmalloc((size_t)size + 1);
        assert_int_equal(spool_read(content, 0, bytes, (size_t)size), size);
        play_show_data(&body, bytes, (size_t)size);
        free(bytes);
        spool_free(&content);
    }
    play_callback_event(ctx, "message %s from=%s subject=%s notify=%" PRId64 " body=%s", delivery->push->id,
                        delivery->push->from, delivery->message ? delivery->message->subject : delivery->head_error,
                        delivery->push->notify, body.data);
    strbuf_free(&body);
}

static void on_ping(struct tmtp_client *client, const struct tmtp_push *push, const char *text, void *ctx)
{
    (void)client;
    play_callback_event(ctx, "ping %s from=%s alias=%s to=%s text=%s", push->id, push->from, push->alias, push->to,
                        text);
}

static void on_notice(struct tmtp_client *client, const struct tmtp_push *push, const char *data, size_t len, void *ctx)
{
    (void)client;
    assert_int_equal(strlen(data), len);
    play_callback_event(ctx, "notice %s %s data=%.*s", push->op_name, push->id, SHOWN_MAX, data);
}

const struct tmtp_client_callbacks play_owner = {
    .on_state = on_state,
    .on_registered = on_registered,
    .on_token = on_token,
    .on_result = on_result,
    .on_echo = on_echo,
    .on_message = on_message,
    .on_ping = on_ping,
    .on_notice = on_notice,
};

const struct tmtp_client_callbacks play_deaf_owner = { .on_state = on_state };

/* --- what the owner does --- */

static int content_file(const char *body, int64_t *size_out)
{
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_true(fd >= 0);
    if (body[0] != '@') {
        *size_out = (int64_t)strlen(body);
        assert_int_equal(write(fd, body, strlen(body)), *size_out);
        return fd;
    }
    size_t size = strtoul(body + 1, NULL, 10);
    char *bytes = xmalloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)play_pattern(i);
    assert_int_equal(write(fd, bytes, size), size);
    free(bytes);
    *size_out = (int64_t)size;
    return fd;
}

/* KEY RECIPIENT,... BODY [echo]; BODY - is none, SHORT+N a file that has N bytes less than said; #gid names a group */
static void do_post(struct play *play, char *args)
{
    struct tmtp_client_recipient to[8];
    struct tmtp_message message;
    struct tmtp_client_post post = { .message = &message, .recipients = to, .content_fd = -1 };
    char *key = play_next_word(&args, ' ');
    char *names = play_next_word(&args, ' ');
    char *body = play_next_word(&args, ' ');

    tmtp_message_init(&message);
    tmtp_message_set(&message.subject, "Hello");
    tmtp_message_set(&message.queue_key, key[0] == '-' ? NULL : key);
    while (names[0] != '\0' && names[0] != '-') {
        char *name = play_next_word(&names, ',');
        bool group = name[0] == '#';
        to[post.recipient_count++] = (struct tmtp_client_recipient){ .id = name + group, .group = group };
    }
    if (strcmp(body, "-") != 0)
        post.content_fd = content_file(body, &post.content_size);
    if (strncmp(args, "short", 5) == 0)
        assert_int_equal(ftruncate(post.content_fd, post.content_size / 2), 0);
    post.echo = strcmp(args, "echo") == 0;
    play->returned = tmtp_client_post(play->client, &post);
    if (strcmp(args, "truncated") == 0) /* after it was accepted */
        assert_int_equal(ftruncate(post.content_fd, post.content_size / 2), 0);
    if (post.content_fd >= 0)
        close(post.content_fd);
    tmtp_message_free(&message);
}

static void do_ack(struct play *play, char *args)
{
    tmtp_client_ack(play->client, args);
}

static void do_decline(struct play *play, char *args)
{
    tmtp_client_decline(play->client, args);
}

static void do_saved(struct play *play, char *args)
{
    (void)args;
    tmtp_client_account_saved(play->client);
}

static void do_quit(struct play *play, char *args)
{
    (void)args;
    tmtp_client_quit(play->client);
}

static void do_free(struct play *play, char *args)
{
    (void)args;
    tmtp_client_free(&play->client);
}

static void do_connect(struct play *play, char *args)
{
    (void)args;
    tmtp_client_connect(play->client);
}

static void do_alias(struct play *play, char *args)
{
    play->returned = tmtp_client_add_alias(play->client, args);
}

static void do_ping(struct play *play, char *args)
{
    char *from = play_next_word(&args, ',');
    char *to = play_next_word(&args, ',');
    play->returned = tmtp_client_ping(play->client, from, to, args);
}

static void do_invite(struct play *play, char *args)
{
    char *gid = play_next_word(&args, ',');
    char *from = play_next_word(&args, ',');
    char *to = play_next_word(&args, ',');
    play->returned = tmtp_client_group_invite(play->client, gid, from, to, args);
}

static void do_edit(struct play *play, char *args)
{
    char *act = play_next_word(&args, ',');
    char *gid = play_next_word(&args, ',');
    char *to = play_next_word(&args, ',');
    play->returned = tmtp_client_group_edit(play->client, act, gid, to[0] ? to : NULL, args[0] ? args : NULL);
}

/* N pings, until one is rejected. */
static void do_pings(struct play *play, char *args)
{
    for (long n = strtol(args, NULL, 10); n > 0; n--)
        play->returned = tmtp_client_ping(play->client, "bob@example.com", "Alice Member", "hello");
}

static const struct verb deeds[] = {
    { "ack", do_ack },                                                         /* ID */
    { "decline", do_decline },                                                 /* ID */
    { "saved", do_saved },                                                     /* tmtp_client_account_saved() */
    { "quit", do_quit },       { "free", do_free }, { "connect", do_connect }, /* now */
    { "post", do_post },     /* KEY UID,#GID,... BODY [echo|short|truncated]; "-" for none */
    { "alias", do_alias },   /* ALIAS */
    { "ping", do_ping },     /* FROM,TO,TEXT */
    { "pings", do_pings },   /* N */
    { "invite", do_invite }, /* GID,FROM,TO,TEXT */
    { "edit", do_edit },     /* ACT,GID,TO,NEWALIAS */
};

void play_do(struct play *play, char *line)
{
    play_run_verb(play, deeds, sizeof deeds / sizeof deeds[0], line);
}
