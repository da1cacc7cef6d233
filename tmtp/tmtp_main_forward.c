/* tmtp_main_forward.c - `tmtp forward` and `tmtp confirm`: a thread for people who were not in it
 *
 * Nothing of a thread is kept here, so its messages are taken from a file that the user made of what was printed. The
 * new participants get the thread as the member client stores it; they and the old ones get a notice of who is new.
 * Attachments do not travel with it: each author then confirms what they wrote by posting it again, with attachments.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_main_account.h"
#include "tmtp/tmtp_main_json.h"
#include "tmtp/tmtp_main_member.h"
#include "tmtp/tmtp_main_thread.h"
#include "tmtp/tmtp_message.h"

enum { PIECE = 64 * 1024 };

struct recipients { /* ids borrowed */
    struct tmtp_client_recipient *list;
    size_t count;
};

struct forward {
    struct thread *thread;
    struct tmtp_message note; /* who is new */
    struct recipients added, others;
    bool forwards, confirms;
    size_t next; /* message of the thread to be confirmed */
    const struct thread_message *confirmed;
};

/* --- who --- */

static void add_recipient(struct recipients *recipients, const char *id, bool group)
{
    for (size_t i = 0; i < recipients->count; i++) {
        if (strcmp(recipients->list[i].id, id) == 0)
            return;
    }
    recipients->list = xreallocarray(recipients->list, recipients->count + 1, sizeof *recipients->list);
    recipients->list[recipients->count++] = (struct tmtp_client_recipient){ id, group };
}

static bool is_participant(const struct tmtp_message *list, const char *alias, const char *uid)
{
    for (size_t i = 0; i < list->cc_count; i++) {
        if (strcmp(list->cc[i].who, alias) == 0 && strcmp(list->cc[i].who_uid, uid) == 0)
            return true;
    }
    return false;
}

static int add_people(struct forward *forward, const struct main_options *options, const struct account *account)
{
    struct clock *clock = clock_new_system();
    char date[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(clock), date);
    clock_free(&clock);
    const struct tmtp_message *old = thread_participants(forward->thread);
    for (size_t i = 0; i < options->to_count; i++) {
        const char *alias;
        bool group;
        const char *uid = account_resolve(account, options->to[i], &alias, &group);
        if (uid == NULL)
            return -1;
        if (forward->forwards && is_participant(old, alias, uid)) {
            main_complain("%s is in this thread already", alias);
            return -1;
        }
        add_recipient(&forward->added, uid, group);
        tmtp_message_add_participant(&forward->note, alias, uid, account->alias, account->uid, date, "forwarded");
    }
    for (size_t i = 0; i < old->cc_count; i++) {
        if (strcmp(old->cc[i].who_uid, account->uid) != 0)
            add_recipient(&forward->others, old->cc[i].who_uid, account_is_group(old->cc[i].who, old->cc[i].who_uid));
    }
    return 1;
}

/* --- what --- */

static struct spool *new_spool(void)
{
    const char *folder = getenv("TMPDIR");
    return spool_new(folder != NULL ? folder : "/tmp", SPOOL_MEMORY_DEFAULT);
}

/* Hands the post with its content to the client. */
static void submit(struct member *member, struct tmtp_client_post *post, const struct spool *content)
{
    post->content_size = spool_size(content);
    post->content_fd = post->content_size > 0 ? spool_dup_fd(content) : -1;
    member_be_patient(member); /* it may be long */
    member_await(member, post->content_size == 0 || post->content_fd >= 0 ? tmtp_client_post(member->client, post) : 0);
    if (post->content_fd >= 0)
        close(post->content_fd);
}

static void ask_forward(struct member *member)
{
    struct forward *forward = member->ctx;
    struct tmtp_message second;
    tmtp_message_init(&second);
    tmtp_message_set(&second.threadid, member->options->thread);
    struct tmtp_client_post post = { .message = &second,
                                     .recipients = forward->added.list,
                                     .recipient_count = forward->added.count,
                                     .note = &forward->note,
                                     .note_recipients = forward->others.list,
                                     .note_recipient_count = forward->others.count };
    struct spool *content = new_spool();
    if (thread_store(forward->thread, content) == 1)
        submit(member, &post, content);
    else
        member_finish(member, MAIN_REFUSED);
    spool_free(&content);
    tmtp_message_free(&second);
}

/* Exactly `size` bytes of the file. -1 (said why). */
static int add_file(struct spool *spool, const struct thread_attachment *attachment)
{
    uint8_t piece[PIECE];
    int64_t left = attachment->size;
    int fd = attachment->path != NULL ? open(attachment->path, O_RDONLY | O_CLOEXEC) : -1;
    while (fd >= 0 && left > 0) {
        ssize_t got = read(fd, piece, left < PIECE ? (size_t)left : PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || spool_add(spool, piece, (size_t)got) != 1)
            break;
        left -= got;
    }
    if (fd < 0 || left > 0)
        main_complain("attachment %s: %s", attachment->name,
                      attachment->path == NULL ? "no path is known" : "the file can't be read, or has become shorter");
    if (fd >= 0)
        close(fd);
    return fd >= 0 && left == 0 ? 1 : -1;
}

static void ask_confirm(struct member *member, const struct thread_message *message)
{
    struct forward *forward = member->ctx;
    struct tmtp_message copy;
    tmtp_message_init(&copy);
    tmtp_message_set(&copy.alias, message->alias);
    tmtp_message_set(&copy.threadid, member->options->thread);
    tmtp_message_set(&copy.subject, message->subject);
    tmtp_message_set(&copy.confirm_id, message->id);
    tmtp_message_set(&copy.confirm_posted, message->posted);
    struct spool *content = new_spool();
    int rc = spool_add(content, message->body, message->body_len);
    for (size_t i = 0; i < message->attachment_count && rc == 1; i++) {
        const struct thread_attachment *attachment = &message->attachments[i];
        rc = add_file(content, attachment);
        if (rc == 1)
            tmtp_message_add_attachment(&copy, attachment->name, attachment->size, attachment->ffn);
    }
    struct tmtp_client_post post = { .message = &copy,
                                     .recipients = forward->added.list,
                                     .recipient_count = forward->added.count };
    forward->confirmed = message;
    if (rc == 1)
        submit(member, &post, content);
    else
        member_finish(member, MAIN_REFUSED);
    spool_free(&content);
    tmtp_message_free(&copy);
}

/* --- the task --- */

static void go_on(struct member *member)
{
    struct forward *forward = member->ctx;
    while (forward->confirms && forward->next < thread_count(forward->thread)) {
        const struct thread_message *message = thread_get(forward->thread, forward->next++);
        if (strcmp(message->from, member->account->uid) != 0)
            continue;
        ask_confirm(member, message);
        return;
    }
    member_finish(member, MAIN_DONE);
}

static void begin(struct member *member)
{
    const struct forward *forward = member->ctx;
    if (forward->forwards)
        ask_forward(member);
    else
        go_on(member);
}

static void done(struct member *member, const struct tmtp_client_result *result)
{
    const struct forward *forward = member->ctx;
    const struct thread_message *message = forward->confirmed;
    const char *what = message != NULL ? "confirmed" : "forwarded";
    const struct json_word words[] = { { "op", what },
                                       { "id", result->msgid },
                                       { "threadid", member->options->thread },
                                       { "posted", result->posted },
                                       { "confirmid", message != NULL ? message->id : NULL },
                                       { NULL, NULL } };
    if (message == NULL)
        account_learn_thread(member->account, member->options->thread, &forward->note);
    if (member->options->json)
        json_print_words(words);
    else
        printf("%s %s\n", what, message != NULL ? message->id : result->msgid);
    go_on(member);
}

static enum main_exit run(const struct main_options *options, bool forwards, bool confirms)
{
    static const struct member_task task = { .on_ready = begin, .on_result = done };
    struct account *account = account_open(options->account);
    if (account == NULL)
        return MAIN_REFUSED;
    struct forward forward = { .thread = thread_read(options->messages, options->thread),
                               .forwards = forwards,
                               .confirms = confirms };
    tmtp_message_init(&forward.note);
    tmtp_message_set(&forward.note.threadid, options->thread);
    enum main_exit code = MAIN_REFUSED;
    if (forward.thread != NULL && add_people(&forward, options, account) == 1)
        code = member_run(options, account, &task, &forward);
    tmtp_message_free(&forward.note);
    free(forward.added.list);
    free(forward.others.list);
    thread_free(&forward.thread);
    account_free(&account);
    return code;
}

enum main_exit main_forward(const struct main_options *options)
{
    return run(options, true, options->confirm);
}

enum main_exit main_confirm(const struct main_options *options)
{
    return run(options, false, true);
}
