/* tmtp_main_post.c - `tmtp post`: a new thread, or a reply in one
 *
 * The convention of the member client is kept: alias, threadid and subject are always there; a new thread names all its
 * participants, the author first and each with an own uid; a reply goes to the participants that we know of.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_main_account.h"
#include "tmtp/tmtp_main_json.h"
#include "tmtp/tmtp_main_member.h"
#include "tmtp/tmtp_message.h"

enum { PIECE = 64 * 1024 };

struct post {
    struct tmtp_message message;
    struct tmtp_client_recipient *recipients; /* ids borrowed from the account or the options */
    size_t recipient_count;
    struct spool *content;
};

/* --- content --- */

static int add_descriptor(struct spool *spool, int fd)
{
    uint8_t piece[PIECE];
    ssize_t got;
    while ((got = read(fd, piece, sizeof piece)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || spool_add(spool, piece, (size_t)got) != 1)
            return -1;
    }
    return 1;
}

static int add_body(struct post *post, const struct main_options *options)
{
    if (options->argument_count == 0)
        return 1;
    const char *body = options->arguments[0];
    int rc = strcmp(body, "-") == 0 ? add_descriptor(post->content, STDIN_FILENO)
                                    : spool_add(post->content, body, strlen(body));
    if (rc != 1)
        main_complain("the body: %s", strerror(errno));
    return rc;
}

static bool has_attachment(const struct tmtp_message *message, const char *name)
{
    for (size_t i = 0; i < message->attach_count; i++) {
        if (strcmp(message->attach[i].name, name) == 0)
            return true;
    }
    return false;
}

static int add_attachment(struct post *post, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct strbuf name;
    strbuf_init(&name, TMTP_MESSAGE_NAME_MAX);
    strbuf_add_fmt(&name, "u:%s", slash != NULL ? slash + 1 : path);

    const char *error = NULL;
    int64_t before = spool_size(post->content);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!strbuf_ok(&name) || name.len <= 2)
        error = "no name for an attachment";
    else if (has_attachment(&post->message, name.data))
        error = "an attachment of that name is there already";
    else if (fd < 0 || add_descriptor(post->content, fd) != 1)
        error = strerror(errno);
    else
        tmtp_message_add_attachment(&post->message, name.data, spool_size(post->content) - before, NULL);
    if (error != NULL)
        main_complain("%s: %s", path, error);
    if (fd >= 0)
        close(fd);
    strbuf_free(&name);
    return error == NULL ? 1 : -1;
}

/* --- recipients --- */

/* Once, also when several participants share the uid. */
static void add_recipient(struct post *post, const char *id, bool group)
{
    for (size_t i = 0; i < post->recipient_count; i++) {
        if (strcmp(post->recipients[i].id, id) == 0)
            return;
    }
    post->recipients = xreallocarray(post->recipients, post->recipient_count + 1, sizeof *post->recipients);
    post->recipients[post->recipient_count++] = (struct tmtp_client_recipient){ id, group };
}

/* Adds one of --to, and the participant that it stands for. */
static int add_to(struct post *post, const struct account *account, const char *to, const char *date)
{
    const char *alias;
    bool group;
    const char *uid = account_resolve(account, to, &alias, &group);
    if (uid == NULL)
        return -1;
    add_recipient(post, uid, group);
    tmtp_message_add_participant(&post->message, alias, uid, account->alias, account->uid, date, "initial recipient");
    return 1;
}

static int address_new_thread(struct post *post, const struct main_options *options, const struct account *account)
{
    struct clock *clock = clock_new_system();
    char date[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(clock), date);
    clock_free(&clock);
    tmtp_message_add_participant(&post->message, account->alias, account->uid, account->alias, account->uid, date,
                                 "author");
    for (size_t i = 0; i < options->to_count; i++) {
        if (add_to(post, account, options->to[i], date) != 1)
            return -1;
    }
    return 1;
}

static void complain_about_thread(const struct main_options *options)
{
    main_complain("thread %s is not known to this account: name its participants with --to, by uid", options->thread);
}

static int address_reply(struct post *post, const struct main_options *options, const struct account *account)
{
    const struct account_thread *thread = account_find_thread(account, options->thread);
    if (thread == NULL) {
        complain_about_thread(options);
        return -1;
    }
    for (size_t i = 0; i < thread->participants.count; i++) {
        const struct account_contact *participant = &thread->participants.list[i];
        bool group = account_is_group(participant->alias, participant->uid);
        if (strcmp(participant->uid, account->uid) != 0)
            add_recipient(post, participant->uid, group);
    }
    return 1;
}

static bool is_named(const struct main_options *options, const char *alias)
{
    for (size_t i = 0; i < options->to_count; i++) {
        if (strcmp(options->to[i], alias) == 0)
            return true;
    }
    return false;
}

static bool is_participant(const struct account_thread *thread, const char *alias, const char *uid)
{
    for (size_t i = 0; i < thread->participants.count; i++) {
        const struct account_contact *participant = &thread->participants.list[i];
        if (strcmp(participant->alias, alias) == 0 && strcmp(participant->uid, uid) == 0)
            return true;
    }
    return false;
}

/* A post goes to uids, and one uid may have many aliases (a gateway's are its correspondents). So whom we know by the
 * alias must be in the thread, and all that share the uid there must be meant. 1, or -1 (said why). */
static int check_named(const struct main_options *options, const struct account *account, const char *to)
{
    const struct account_thread *thread = account_find_thread(account, options->thread);
    const char *uid = strcmp(to, account->alias) == 0 ? account->uid : account_find_uid(account, to);
    if (thread == NULL) {
        complain_about_thread(options);
        return -1;
    }
    if (uid == NULL || !is_participant(thread, to, uid)) {
        main_complain("%s is not in this thread: start a new thread", to);
        return -1;
    }
    for (size_t i = 0; i < thread->participants.count; i++) {
        const struct account_contact *other = &thread->participants.list[i];
        if (strcmp(other->uid, uid) == 0 && !is_named(options, other->alias)) {
            main_complain("%s would get it too: start a new thread", other->alias);
            return -1;
        }
    }
    return 1;
}

/* A reply to those named only: it carries no list of participants. A uid or a group's name is taken as it is. */
static int address_named(struct post *post, const struct main_options *options, const struct account *account)
{
    for (size_t i = 0; i < options->to_count; i++) {
        const char *to = options->to[i];
        bool is_id = account_looks_like_uid(to) || account_has_group(account, to);
        if (!is_id && check_named(options, account, to) != 1)
            return -1;
    }
    struct post named = { .content = NULL };
    tmtp_message_init(&named.message);
    int rc = address_new_thread(&named, options, account);
    for (size_t i = 0; i < named.recipient_count; i++)
        add_recipient(post, named.recipients[i].id, named.recipients[i].group);
    tmtp_message_free(&named.message);
    free(named.recipients);
    return rc;
}

/* --- the task --- */

static int compose(struct post *post, const struct main_options *options, const struct account *account)
{
    if (account->alias[0] == '\0') {
        main_complain("this account has no alias yet: choose one with 'tmtp alias'");
        return -1;
    }
    tmtp_message_set(&post->message.alias, account->alias);
    tmtp_message_set(&post->message.threadid, options->thread != NULL ? options->thread : "");
    tmtp_message_set(&post->message.subject, options->subject != NULL ? options->subject : "");
    int rc;
    if (options->thread == NULL)
        rc = address_new_thread(post, options, account);
    else if (options->to_count > 0)
        rc = address_named(post, options, account);
    else
        rc = address_reply(post, options, account);
    if (rc == 1)
        rc = add_body(post, options);
    for (size_t i = 0; i < options->attach_count && rc == 1; i++)
        rc = add_attachment(post, options->attach[i]);
    return rc;
}

static void ask_post(struct member *member)
{
    struct post *post = member->ctx;
    int64_t size = spool_size(post->content);
    int fd = size > 0 ? spool_dup_fd(post->content) : -1;
    const struct tmtp_client_post request = {
        .message = &post->message,
        .recipients = post->recipients,
        .recipient_count = post->recipient_count,
        .content_fd = fd,
        .content_size = size,
    };
    member_be_patient(member); /* it may be long */
    member_await(member, size == 0 || fd >= 0 ? tmtp_client_post(member->client, &request) : 0);
    if (fd >= 0)
        close(fd);
}

/* As `receive` prints a message, so that what one wrote and what one was sent together are the thread. */
static void print_post(const struct member *member, const struct tmtp_client_result *result, const char *threadid)
{
    const struct post *post = member->ctx;
    const struct tmtp_message *message = &post->message;
    struct tmtp_push push = { .id = xstrdup(result->msgid),
                              .posted = xstrdup(result->posted),
                              .from = member->account->uid };
    struct json_item item = { .op = "posted", .push = &push, .message = message, .threadid = threadid };
    int64_t body_size = spool_size(post->content) - tmtp_message_attachments_size(message);
    if (body_size > JSON_BODY_MAX)
        item.defect = "the text is too long and was cut";
    size_t wanted = body_size < JSON_BODY_MAX ? (size_t)body_size : JSON_BODY_MAX;
    char *body = xmalloc(wanted + 1);
    int64_t got = wanted > 0 ? spool_read(post->content, 0, body, wanted) : 0;
    if (got < 0)
        item.defect = "the text could not be read again";
    item.body = body;
    item.body_len = got > 0 ? (size_t)got : 0;
    char **paths = xcalloc(message->attach_count + 1, sizeof *paths);
    for (size_t i = 0; i < message->attach_count; i++)
        paths[i] = xstrdup(member->options->attach[i]);
    item.paths = paths;
    json_print_item(&item);
    for (size_t i = 0; i < message->attach_count; i++)
        free(paths[i]);
    free(paths);
    free(body);
    free(push.id);
    free(push.posted);
}

static void posted(struct member *member, const struct tmtp_client_result *result)
{
    struct post *post = member->ctx;
    const char *threadid = post->message.threadid[0] != '\0' ? post->message.threadid : result->msgid;
    if (post->message.cc_count > 0)
        account_learn_thread(member->account, threadid, &post->message);
    if (member->options->json)
        print_post(member, result, threadid);
    else
        printf("posted %s\n", result->msgid);
    member_finish(member, MAIN_DONE);
}

enum main_exit main_post(const struct main_options *options)
{
    static const struct member_task task = { .on_ready = ask_post, .on_result = posted };
    if (options->thread == NULL && options->to_count == 0) {
        main_complain("'post' needs --to or --thread");
        return MAIN_USAGE;
    }
    struct account *account = account_open(options->account);
    if (account == NULL)
        return MAIN_REFUSED;
    const char *folder = getenv("TMPDIR");
    struct post post = { .content = spool_new(folder != NULL ? folder : "/tmp", SPOOL_MEMORY_DEFAULT) };
    tmtp_message_init(&post.message);
    enum main_exit code =
        compose(&post, options, account) == 1 ? member_run(options, account, &task, &post) : MAIN_REFUSED;
    tmtp_message_free(&post.message);
    free(post.recipients);
    spool_free(&post.content);
    account_free(&account);
    return code;
}
