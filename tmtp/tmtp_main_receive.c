/* tmtp_main_receive.c - `tmtp receive`: prints what waits for the member, and acknowledges what was printed
 *
 * A message is acknowledged when it is printed, its attachments are on the disk and what it taught us is in the account
 * file. The last acknowledgement is followed by a post to nobody: its answer says that the silo has had the former.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_forward.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_main_account.h"
#include "tmtp/tmtp_main_json.h"
#include "tmtp/tmtp_main_member.h"
#include "tmtp/tmtp_message.h"

enum { PIECE = 64 * 1024, NAME_MAX_BYTES = 200, NAME_TRIES = 1000, PATH_LIMIT = 4096 };

struct receiving {
    int64_t printed;
    bool leaving; /* waiting for the answer that says the acknowledgements have arrived */
};

/* --- leaving --- */

static void leave(struct member *member)
{
    struct receiving *receiving = member->ctx;
    if (receiving->leaving)
        return;
    receiving->leaving = true;
    struct tmtp_message nothing;
    tmtp_message_init(&nothing);
    nothing.nodesync = true; /* other clients of this account take no notice */
    const struct tmtp_client_post request = { .message = &nothing, .content_fd = -1 };
    uint64_t number = tmtp_client_post(member->client, &request);
    tmtp_message_free(&nothing);
    if (number == 0)
        member_finish(member, MAIN_UNREACHABLE);
}

static void left(struct member *member, const struct tmtp_client_result *result)
{
    (void)result;
    member_finish(member, MAIN_DONE);
}

static void begin(struct member *member)
{
    member_be_patient(member);
    if (member->options->wait_ms > 0)
        member_wake_after(member, member->options->wait_ms);
}

static void drained(struct member *member)
{
    if (member->options->wait_ms == 0)
        leave(member);
}

/* The item is printed: what it taught goes to the disk, then it is acknowledged. */
static void settle(struct member *member, const struct tmtp_push *push)
{
    struct receiving *receiving = member->ctx;
    if (account_save(member->account) != 1) {
        member_finish(member, MAIN_REFUSED);
        return;
    }
    receiving->printed++;
    bool enough = member->options->count > 0 && receiving->printed >= member->options->count;
    tmtp_client_ack(member->client, push->id);
    if (enough)
        leave(member);
}

/* --- printing for people --- */

static void print_clean(const char *text, size_t len)
{
    struct strbuf clean;
    strbuf_init(&clean, SIZE_MAX / 2);
    text_add_clean(&clean, text, len, 1);
    fwrite(clean.data, 1, clean.len, stdout);
    strbuf_free(&clean);
}

/* A line "label: text"; left out when there is no text. */
static void print_line(const char *label, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    printf("%s: ", label);
    print_clean(text, strcspn(text, "\n"));
    putchar('\n');
}

static void print_people(const struct json_item *item)
{
    const struct tmtp_push *push = item->push;
    const struct tmtp_message *message = item->message;
    printf("%s %s %s\n", item->op, push->id, push->posted != NULL ? push->posted : "");
    /* The alias of a member notice is that of whom it is about. */
    print_line(push->op == TMTP_PUSH_MEMBER ? "member" : "from", message != NULL ? message->alias : push->alias);
    print_line("uid", push->from);
    print_line("group", push->gid);
    print_line("act", push->act);
    print_line("new alias", push->newalias);
    print_line("thread", item->threadid);
    print_line("subject", message != NULL ? message->subject : NULL);
    for (size_t i = 0; message != NULL && i < message->cc_count; i++)
        print_line("with", message->cc[i].who);
    for (size_t i = 0; message != NULL && i < message->attach_count; i++) {
        print_line("attached", message->attach[i].name);
        print_line("saved as", item->paths != NULL ? item->paths[i] : NULL);
    }
    print_line("defect", item->defect);
    if (item->body_len > 0) {
        putchar('\n');
        print_clean(item->body, item->body_len);
        if (item->body[item->body_len - 1] != '\n')
            putchar('\n');
    }
    putchar('\n');
    fflush(stdout);
}

static void print_item(struct member *member, const struct json_item *item)
{
    if (member->options->json)
        json_print_item(item);
    else
        print_people(item);
}

/* --- attachments --- */

/* A name for a file in the folder: no path, nothing hidden, nothing that a terminal would obey, and not too long for a
 * file system: what can't be saved is not acknowledged, and nothing that comes after it would ever be seen. */
static void add_file_name(struct strbuf *out, const char *name)
{
    const char *plain = name[0] != '\0' && name[1] == ':' ? name + 2 : name;
    size_t start = out->len;
    text_add_clean(out, plain, strnlen(plain, NAME_MAX_BYTES), 1);
    if (out->len - start > NAME_MAX_BYTES) { /* what is replaced becomes longer */
        size_t end = start + NAME_MAX_BYTES;
        while (((unsigned char)out->data[end] & 0xC0) == 0x80)
            end--;
        strbuf_truncate(out, end);
    }
    for (size_t i = start; i < out->len; i++) {
        if (out->data[i] == '/' || out->data[i] == '\n' || out->data[i] == '\t' || out->data[i] == '\\')
            out->data[i] = '_';
    }
    if (out->len == start)
        strbuf_add_char(out, '_');
    else if (out->data[start] == '.')
        out->data[start] = '_';
}

/* A new file; its path is left in *path. -1 with errno. */
static int create_file(const char *folder, const char *name, struct strbuf *path)
{
    int fd = -1;
    errno = EEXIST;
    for (int i = 1; i <= NAME_TRIES && fd < 0 && errno == EEXIST; i++) {
        strbuf_clear(path);
        strbuf_add_fmt(path, "%s/", folder);
        if (i > 1)
            strbuf_add_fmt(path, "%d-", i);
        add_file_name(path, name);
        fd = open(path->data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    }
    return fd;
}

static int copy_out(const struct spool *content, int64_t offset, int64_t size, int fd)
{
    uint8_t piece[PIECE];
    while (size > 0) {
        int64_t got = spool_read(content, offset, piece, size < PIECE ? (size_t)size : PIECE);
        if (got <= 0 || file_write_all(fd, piece, (size_t)got) != 1)
            return -1;
        offset += got;
        size -= got;
    }
    return fsync(fd) == 0 ? 1 : -1;
}

/* Saves all attachments; paths_out gets one path for each. -1 (said why): the message must not be acknowledged. */
static int save_attachments(const struct tmtp_message *message, const struct spool *content, int64_t offset,
                            const char *folder, char **paths_out)
{
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        main_complain("%s: %s", folder, strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < message->attach_count; i++) {
        struct strbuf path;
        strbuf_init(&path, PATH_LIMIT);
        int fd = create_file(folder, message->attach[i].name, &path);
        int rc = fd >= 0 ? copy_out(content, offset, message->attach[i].size, fd) : -1;
        if (rc != 1)
            main_complain("%s: %s", path.data, strerror(errno));
        if (fd >= 0)
            close(fd);
        paths_out[i] = strbuf_detach(&path);
        if (rc != 1)
            return -1;
        offset += message->attach[i].size;
    }
    return 1;
}

/* --- what comes --- */

static int64_t read_spool(void *ctx, int64_t offset, void *out, size_t len)
{
    return spool_read(ctx, offset, out, len);
}

/* Who was in a thread before it was forwarded to this account. -1 (said why): leave the message for another time. */
static int learn_forwarded(struct account *account, const struct tmtp_client_delivery *delivery)
{
    struct tmtp_forward forward;
    const char *error;
    if (delivery->content == NULL)
        return 1;
    int result = tmtp_forward_decode(read_spool, delivery->content, spool_size(delivery->content), &forward, &error);
    if (result < 0)
        main_complain("the forwarded thread cannot be read: %s", error);
    if (result != 1)
        return result < 0 ? -1 : 1;
    struct tmtp_message people;
    tmtp_message_init(&people);
    if (forward.message_count > 0)
        tmtp_message_set(&people.subject, forward.messages[0].head.subject);
    people.cc = forward.cc;
    people.cc_count = forward.cc_count;
    account_learn_thread(account, delivery->message->threadid, &people);
    people.cc = NULL; /* the forward's own */
    people.cc_count = 0;
    tmtp_message_free(&people);
    tmtp_forward_free(&forward);
    return 1;
}

static int learn(struct account *account, const char *threadid, const struct tmtp_client_delivery *delivery)
{
    const struct tmtp_message *message = delivery->message;
    if (delivery->push->from != NULL && strcmp(delivery->push->from, account->uid) != 0)
        account_learn_contact(account, message->alias, delivery->push->from);
    if (message->cc_count > 0)
        account_learn_thread(account, threadid, message);
    return delivery->push->notify > 0 ? learn_forwarded(account, delivery) : 1;
}

/* Reads the body and saves the attachments. -1 (said why): leave the message for another time. */
static int unpack(struct member *member, const struct tmtp_client_delivery *delivery, struct json_item *item,
                  struct strbuf *body, char **paths)
{
    const struct tmtp_message *message = delivery->message;
    const char *folder = member->options->save;
    int64_t total = delivery->content != NULL ? spool_size(delivery->content) : 0;
    int64_t body_size = total - tmtp_message_attachments_size(message);
    if (body_size < 0) {
        item->defect = "the attachments are longer than the message";
        return 1;
    }
    if (body_size > JSON_BODY_MAX)
        item->defect = "the text is too long and was cut";
    size_t wanted = body_size < JSON_BODY_MAX ? (size_t)body_size : JSON_BODY_MAX;
    char *text = xmalloc(wanted + 1);
    int64_t got = wanted > 0 ? spool_read(delivery->content, 0, text, wanted) : 0;
    if (got > 0)
        strbuf_add(body, text, (size_t)got);
    free(text);
    if (got < 0) {
        main_complain("the spooled message cannot be read: %s", strerror(errno));
        return -1;
    }
    if (folder == NULL || message->attach_count == 0)
        return 1;
    item->paths = paths;
    return save_attachments(message, delivery->content, body_size, folder, paths);
}

static void take_message(struct member *member, struct tmtp_client_delivery *delivery)
{
    const struct receiving *receiving = member->ctx;
    const struct tmtp_message *message = delivery->message;
    const struct tmtp_push *push = delivery->push;
    if (receiving->leaving)
        return;
    if (message != NULL && (message->nodesync || message->confirm_id != NULL)) { /* housekeeping, not for people */
        tmtp_client_ack(member->client, push->id);
        return;
    }
    struct strbuf body;
    strbuf_init(&body, JSON_BODY_MAX);
    size_t attach_count = message != NULL ? message->attach_count : 0;
    char **paths = xcalloc(attach_count + 1, sizeof *paths);
    struct json_item item = { .op = "delivery", .push = push, .message = message, .defect = delivery->head_error };
    int rc = 1;
    if (delivery->oversize)
        item.defect = "the message is too long";
    if (message != NULL) {
        item.threadid = message->threadid[0] != '\0' ? message->threadid : push->id;
        rc = learn(member->account, item.threadid, delivery);
        if (rc == 1 && !delivery->oversize)
            rc = unpack(member, delivery, &item, &body, paths);
    }
    item.body = body.data;
    item.body_len = body.len;
    if (rc == 1) {
        print_item(member, &item);
        settle(member, push);
    } else {
        member_finish(member, MAIN_REFUSED);
    }
    for (size_t i = 0; i < attach_count; i++)
        free(paths[i]);
    free(paths);
    strbuf_free(&body);
}

static void take_ping(struct member *member, const struct tmtp_push *push, const char *text)
{
    const struct receiving *receiving = member->ctx;
    if (receiving->leaving)
        return;
    if (push->from != NULL && strcmp(push->from, member->account->uid) != 0)
        account_learn_contact(member->account, push->alias, push->from);
    const struct json_item item = { .op = "ping", .push = push, .body = text, .body_len = strlen(text) };
    print_item(member, &item);
    settle(member, push);
}

static void take_notice(struct member *member, const struct tmtp_push *push, const char *data, size_t len)
{
    const struct receiving *receiving = member->ctx;
    struct account *account = member->account;
    if (receiving->leaving)
        return;
    struct json_item item = { .op = push->op_name, .push = push };
    struct tmtp_message message;
    size_t head_len = push->datahead > 0 && push->datahead < len ? (size_t)push->datahead : len;
    if (push->op == TMTP_PUSH_NOTIFY && tmtp_message_decode(data, head_len, &message, &item.defect) == 1) {
        item.message = &message;
        item.threadid = message.threadid;
        account_learn_thread(account, message.threadid, &message);
    } else if (push->op == TMTP_PUSH_INVITE) {
        item.body = data;
        item.body_len = len;
        account_learn_group(account, push->gid);
        if (push->from != NULL && strcmp(push->from, account->uid) != 0)
            account_learn_contact(account, push->alias, push->from);
    } else if (push->op == TMTP_PUSH_MEMBER && push->from != NULL && strcmp(push->from, account->uid) != 0 &&
               push->act != NULL && strcmp(push->act, "join") == 0) {
        account_learn_contact(account, push->alias, push->from);
    }
    print_item(member, &item);
    settle(member, push);
    if (item.message != NULL)
        tmtp_message_free(&message);
}

enum main_exit main_receive(const struct main_options *options)
{
    static const struct member_task task = {
        .on_ready = begin,
        .on_drained = drained,
        .on_result = left,
        .on_message = take_message,
        .on_ping = take_ping,
        .on_notice = take_notice,
        .on_wake = leave,
    };
    struct account *account = account_open(options->account);
    if (account == NULL)
        return MAIN_REFUSED;
    struct receiving receiving = { 0 };
    enum main_exit code = member_run(options, account, &task, &receiving);
    account_free(&account);
    return code;
}
