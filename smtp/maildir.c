#include "smtp/maildir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/background.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum {
    NAME_LIMIT = 200,        /* of a file name; file systems take 255 */
    NAME_DIGEST_DIGITS = 16, /* of the content's digest in the name */
    PIECE_SIZE = 64 * 1024,
};

/* One delivery. Filled on the loop, worked on by the background thread, answered on the loop. */
struct delivery {
    char *directory;
    char *unique; /* made safe for a file name */
    struct smtp_address sender;
    struct smtp_address *recipients;
    size_t recipient_count;
    char *prefix;
    int content_fd;
    int64_t content_size;
    smtp_client_done *done;
    void *ctx;
    struct smtp_reply reply; /* the answer; a code of 250 is success */
};

/* The file on its way into tmp/. */
struct writer {
    int fd;
    struct digest *digest; /* of what was written */
    bool after_cr;         /* a CR is held back until it is clear whether it ends a line */
    struct strbuf pending;
};

static void fail(struct delivery *delivery, const char *what, const char *where)
{
    int error = errno;
    bool is_full = error == ENOSPC || error == EDQUOT;
    delivery->reply = smtp_reply_make(is_full ? 452 : 451, is_full ? "4.3.1" : "4.3.0", "maildir: %s %s: %s", what,
                                      where, strerrordesc_np(error));
}

/* --- Writing the file --- */

static int flush(struct writer *writer)
{
    assert(strbuf_ok(&writer->pending));
    if (file_write_all(writer->fd, writer->pending.data, writer->pending.len) != 1)
        return -1;
    digest_add(writer->digest, writer->pending.data, writer->pending.len);
    strbuf_clear(&writer->pending);
    return 1;
}

/* Files in a maildir have the system's line ends: CRLF becomes LF. A CR elsewhere stays. */
static void add_with_local_line_ends(struct writer *writer, const char *data, size_t len)
{
    const char *end = data + len;
    while (data < end) {
        if (writer->after_cr && *data != '\n')
            strbuf_add_char(&writer->pending, '\r');
        writer->after_cr = false;
        const char *cr = memchr(data, '\r', (size_t)(end - data));
        const char *stop = cr == NULL ? end : cr;
        strbuf_add(&writer->pending, data, (size_t)(stop - data));
        writer->after_cr = cr != NULL;
        data = cr == NULL ? end : cr + 1;
    }
}

static int add_envelope(struct writer *writer, const struct delivery *delivery)
{
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(&delivery->sender, text);
    strbuf_add_fmt(&writer->pending, "Return-Path: <%s>\n", text);
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        smtp_address_format(&delivery->recipients[i], text);
        strbuf_add_fmt(&writer->pending, "Delivered-To: %s\n", text);
        if (writer->pending.len >= PIECE_SIZE && flush(writer) != 1)
            return -1;
    }
    add_with_local_line_ends(writer, delivery->prefix, strlen(delivery->prefix));
    return flush(writer);
}

static int copy_content(struct writer *writer, const struct delivery *delivery)
{
    char *piece = xmalloc(PIECE_SIZE);
    int result = 1;
    int64_t offset = 0;
    while (result == 1 && offset < delivery->content_size) {
        int64_t rest = delivery->content_size - offset;
        ssize_t got = pread(delivery->content_fd, piece, rest < PIECE_SIZE ? (size_t)rest : PIECE_SIZE, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO; /* shorter than it was said to be */
            result = -1;
            break;
        }
        add_with_local_line_ends(writer, piece, (size_t)got);
        offset += got;
        result = flush(writer);
    }
    free(piece);
    if (result == 1 && writer->after_cr)
        strbuf_add_char(&writer->pending, '\r');
    return result;
}

/* Writes the whole message to tmp/name, synced. 1 and the digest of its bytes, or -1 with errno. */
static int write_file(int directory, const char *path, const struct delivery *delivery,
                      uint8_t digest_out[static DIGEST_SIZE])
{
    /* The name is this delivery's own, so an earlier attempt may have left something under it. Unlinked, not truncated:
     * it may be the same file as one in new/ already. */
    (void)unlinkat(directory, path, 0);
    int fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    struct writer writer = { .fd = fd, .digest = digest_new() };
    strbuf_init(&writer.pending, 2 * PIECE_SIZE + strlen(delivery->prefix));
    int result = add_envelope(&writer, delivery);
    if (result == 1)
        result = copy_content(&writer, delivery);
    if (result == 1)
        result = flush(&writer);
    if (result == 1 && fsync(fd) != 0)
        result = -1;
    int error = errno;
    if (close(fd) != 0 && result == 1) {
        error = errno;
        result = -1;
    }
    digest_finish(&writer.digest, digest_out);
    strbuf_free(&writer.pending);
    errno = error;
    return result;
}

/* --- Placing it --- */

/* Makes the entry of a new directory in its parent durable. */
static int sync_parent(int directory)
{
    int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -1;
    int result = fsync(parent) == 0 ? 1 : -1;
    int error = errno;
    close(parent);
    errno = error;
    return result;
}

/* A directory, made when missing. -1 with errno. */
static int open_directory(int parent, const char *path)
{
    if (mkdirat(parent, path, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* NULL when it can't be read. */
static DIR *list_folder(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL && fd >= 0)
        close(fd);
    return dir;
}

static bool has_new_mail(int directory)
{
    DIR *dir = list_folder(directory, "new");
    bool found = false;
    const struct dirent *entry;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* Makes the maildir and its folders durable, whoever has made them: that attempt may have ended before this. With a mail in new, which was put there
 * after this step, they are; one in cur says nothing of a new that was lost, and made again. */
static int sync_maildir(int directory)
{
    if (has_new_mail(directory))
        return 1;
    return fsync(directory) == 0 ? sync_parent(directory) : -1;
}

/* Whether the message has been seen and moved to cur/, where mail programs append ":2," and flags to its name. */
static bool is_in_cur(int directory, const char *name)
{
    DIR *dir = list_folder(directory, "cur");
    bool found = false;
    size_t len = strlen(name);
    const struct dirent *entry;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = strncmp(entry->d_name, name, len) == 0 && (entry->d_name[len] == '\0' || entry->d_name[len] == ':');
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* tmp/... becomes new/name. If it is there already, an earlier attempt has put it there: its name holds the digest of
 * its content. The look into cur/ comes after the link, so that a mail program that moves the file meanwhile is not
 * missed: at worst it has moved our own link, and then there is nothing to unlink. */
static int place_file(int directory, int new_directory, const char *tmp_path, const char *name)
{
    if (linkat(directory, tmp_path, new_directory, name, 0) != 0 && errno != EEXIST)
        return -1;
    if (is_in_cur(directory, name))
        (void)unlinkat(new_directory, name, 0);
    return fsync(new_directory) == 0 ? 1 : -1;
}

static void deliver_into(struct delivery *delivery, int directory, int new_directory)
{
    struct strbuf tmp_path;
    struct strbuf name;
    strbuf_init(&tmp_path, NAME_LIMIT + sizeof "tmp/");
    strbuf_init(&name, NAME_LIMIT + 1 + NAME_DIGEST_DIGITS);
    strbuf_add_fmt(&tmp_path, "tmp/%s", delivery->unique);

    uint8_t digest[DIGEST_SIZE];
    if (write_file(directory, tmp_path.data, delivery, digest) != 1) {
        fail(delivery, "cannot write", tmp_path.data);
    } else {
        char hex[DIGEST_HEX_SIZE];
        digest_to_hex(digest, hex);
        strbuf_add_fmt(&name, "%s.%.*s", delivery->unique, NAME_DIGEST_DIGITS, hex);
        if (place_file(directory, new_directory, tmp_path.data, name.data) == 1)
            delivery->reply = smtp_reply_make(250, "2.0.0", "delivered to maildir as %s", name.data);
        else
            fail(delivery, "cannot place", name.data);
    }
    (void)unlinkat(directory, tmp_path.data, 0);
    strbuf_free(&name);
    strbuf_free(&tmp_path);
}

/* On the background thread. */
static void work(void *arg)
{
    static const char *const folders[] = { "tmp", "cur", "new" };
    struct delivery *delivery = arg;
    if (delivery->content_fd < 0)
        return; /* could not be duplicated: the reply says so */
    int directory = open_directory(AT_FDCWD, delivery->directory);
    if (directory < 0) {
        fail(delivery, "cannot open", delivery->directory);
        return;
    }
    int folder = -1;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (folder >= 0)
            close(folder);
        folder = open_directory(directory, folders[i]);
        if (folder < 0) {
            fail(delivery, "cannot open", folders[i]);
            break;
        }
    }
    if (folder >= 0 && sync_maildir(directory) != 1)
        fail(delivery, "cannot sync", delivery->directory);
    else if (folder >= 0)
        deliver_into(delivery, directory, folder);
    if (folder >= 0)
        close(folder);
    close(directory);
}

/* --- The loop's side --- */

static void delivery_free(void *arg)
{
    struct delivery *delivery = arg;
    if (delivery->content_fd >= 0)
        close(delivery->content_fd);
    free(delivery->directory);
    free(delivery->unique);
    free(delivery->recipients);
    free(delivery->prefix);
    free(delivery);
}

static void answer(void *arg)
{
    struct delivery *delivery = arg;
    bool is_delivered = smtp_reply_is_positive(&delivery->reply);
    if (is_delivered)
        log_debug("maildir.delivered", "directory=%s file=%s", delivery->directory, delivery->unique);
    else
        log_warning("maildir.failed", "directory=%s reason=%s", delivery->directory, delivery->reply.text);
    struct smtp_recipient_result *results = xcalloc(delivery->recipient_count, sizeof *results);
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        results[i].outcome = is_delivered ? SMTP_OUTCOME_DELIVERED : SMTP_OUTCOME_TEMPORARY;
        results[i].stage = is_delivered ? SMTP_STAGE_FINAL : SMTP_STAGE_CONTENT;
        results[i].reply = delivery->reply;
    }
    delivery->done(results, delivery->recipient_count, delivery->ctx);
    free(results);
    delivery_free(delivery);
}

/* What is no harmless character of a file name becomes "=" and two hex digits. */
static char *make_file_name(const char *unique)
{
    struct strbuf name;
    strbuf_init(&name, NAME_LIMIT);
    for (const char *p = unique; *p != '\0'; p++) {
        bool is_alphanumeric = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z');
        if (is_alphanumeric || *p == '-' || *p == '_' || (*p == '.' && p > unique))
            strbuf_add_char(&name, *p);
        else
            strbuf_add_fmt(&name, "=%02X", (unsigned)(unsigned char)*p);
    }
    assert(name.len > 0 && strbuf_ok(&name));
    return strbuf_detach(&name);
}

void maildir_deliver(struct background *background, const char *directory, const char *unique,
                     const struct smtp_client_message *message, smtp_client_done *done, void *ctx)
{
    struct delivery *delivery = xcalloc(1, sizeof *delivery);
    delivery->directory = xstrdup(directory);
    delivery->unique = make_file_name(unique);
    delivery->sender = message->sender;
    delivery->recipients = xcalloc(message->recipient_count, sizeof *delivery->recipients);
    for (size_t i = 0; i < message->recipient_count; i++)
        delivery->recipients[i] = message->recipients[i].address;
    delivery->recipient_count = message->recipient_count;
    delivery->prefix = xstrdup(message->prefix == NULL ? "" : message->prefix);
    delivery->content_size = message->content_size;
    delivery->done = done;
    delivery->ctx = ctx;
    delivery->content_fd = fcntl(message->content_fd, F_DUPFD_CLOEXEC, 0);
    if (delivery->content_fd < 0)
        fail(delivery, "cannot duplicate", "the content");
    background_submit(background, work, answer, delivery_free, delivery);
}
