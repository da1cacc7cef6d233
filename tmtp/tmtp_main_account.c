/* tmtp_main_account.c - reading, holding and saving the account file */
#include "tmtp/tmtp_main_account.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_main.h"
#include "tmtp/tmtp_message.h"

enum {
    UID_CHARS = 32,
    PATH_LIMIT = 4096,
    LOCK_TRIES = 30,
    LOCK_PAUSE_MS = 100,
    LARGE_SIZE = 64 * 1024, /* octets of an object behind which lines are added */
};
static const size_t file_max = (size_t)1 << 30; /* octets */

/* --- contacts, groups, threads --- */

void account_set(struct account *account, char **field, const char *text)
{
    tmtp_message_set(field, text);
    account->changed = account->is_more = true;
}

/* Takes the line; NULL: it can't be said in one. */
static void add_line(struct account *account, json_t *line)
{
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text != NULL) {
        strbuf_add_str(&account->lines, text);
        strbuf_add_char(&account->lines, '\n');
    } else {
        account->is_more = true;
    }
    free(text);
    json_decref(line);
    account->changed = true;
}

static const struct account_contact *find_contact(const struct account_contacts *contacts, const char *alias)
{
    for (size_t i = 0; i < contacts->count; i++) {
        if (strcmp(contacts->list[i].alias, alias) == 0)
            return &contacts->list[i];
    }
    return NULL;
}

/* True when that is news. */
static bool add_contact(struct account_contacts *contacts, const char *alias, const char *uid)
{
    if (alias == NULL || uid == NULL || *alias == '\0' || *uid == '\0' || find_contact(contacts, alias) != NULL)
        return false;
    contacts->list = xreallocarray(contacts->list, contacts->count + 1, sizeof *contacts->list);
    contacts->list[contacts->count++] = (struct account_contact){ xstrdup(alias), xstrdup(uid) };
    return true;
}

static void free_contacts(struct account_contacts *contacts)
{
    for (size_t i = 0; i < contacts->count; i++) {
        free(contacts->list[i].alias);
        free(contacts->list[i].uid);
    }
    free(contacts->list);
}

void account_learn_contact(struct account *account, const char *alias, const char *uid)
{
    if (add_contact(&account->contacts, alias, uid))
        add_line(account, json_pack("{s:s, s:s}", "contact", alias, "uid", uid));
}

const char *account_find_uid(const struct account *account, const char *alias)
{
    const struct account_contact *contact = find_contact(&account->contacts, alias);
    return contact != NULL ? contact->uid : NULL;
}

const char *account_find_alias(const struct account *account, const char *uid)
{
    for (size_t i = 0; i < account->contacts.count; i++) {
        if (strcmp(account->contacts.list[i].uid, uid) == 0)
            return account->contacts.list[i].alias;
    }
    return NULL;
}

bool account_has_group(const struct account *account, const char *gid)
{
    for (size_t i = 0; i < account->group_count; i++) {
        if (strcmp(account->groups[i], gid) == 0)
            return true;
    }
    return false;
}

void account_learn_group(struct account *account, const char *gid)
{
    if (account_has_group(account, gid))
        return;
    account->groups = xreallocarray(account->groups, account->group_count + 1, sizeof *account->groups);
    account->groups[account->group_count++] = xstrdup(gid);
    add_line(account, json_pack("{s:s}", "group", gid));
}

bool account_looks_like_uid(const char *text)
{
    return strlen(text) == UID_CHARS && strspn(text, "%+123456789BCDFGHJKLMNPQRSTVWXYZ") == UID_CHARS;
}

bool account_is_group(const char *who, const char *uid)
{
    return strcmp(who, uid) == 0 && !account_looks_like_uid(who);
}

const char *account_resolve(const struct account *account, const char *to, const char **alias_out, bool *group_out)
{
    const char *uid = account_find_uid(account, to);
    *alias_out = to;
    *group_out = uid == NULL && account_has_group(account, to);
    if (*group_out) {
        uid = to;
    } else if (uid == NULL && strcmp(to, account->alias) == 0) {
        uid = account->uid;
    } else if (uid == NULL && account_looks_like_uid(to)) {
        uid = to;
        const char *alias = account_find_alias(account, uid);
        *alias_out = alias != NULL ? alias : to;
    }
    if (uid == NULL)
        main_complain(
            "the uid of '%s' is not known: it comes with a ping or a message from them, or a thread they are in", to);
    return uid;
}

static struct account_thread *find_thread(const struct account *account, const char *id)
{
    for (size_t i = account->thread_count; i-- > 0;) { /* mostly one of the last */
        if (strcmp(account->threads[i].id, id) == 0)
            return &account->threads[i];
    }
    return NULL;
}

const struct account_thread *account_find_thread(const struct account *account, const char *id)
{
    return find_thread(account, id);
}

static struct account_thread *add_thread(struct account *account, const char *id, const char *subject)
{
    account->threads = xreallocarray(account->threads, account->thread_count + 1, sizeof *account->threads);
    struct account_thread *thread = &account->threads[account->thread_count++];
    *thread = (struct account_thread){ .id = xstrdup(id), .subject = xstrdup(subject) };
    return thread;
}

static void learn_participant(struct account *account, struct account_thread *thread,
                              const struct tmtp_participant *participant)
{
    if (add_contact(&thread->participants, participant->who, participant->who_uid))
        add_line(account, json_pack("{s:s, s:s, s:s}", "thread", thread->id, "participant", participant->who, "uid",
                                    participant->who_uid));
}

void account_learn_thread(struct account *account, const char *id, const struct tmtp_message *message)
{
    struct account_thread *thread = find_thread(account, id);
    if (thread == NULL) {
        thread = add_thread(account, id, message->subject);
        add_line(account, json_pack("{s:s, s:s}", "new", id, "subject", thread->subject));
    }
    for (size_t i = 0; i < message->cc_count; i++) {
        const struct tmtp_participant *participant = &message->cc[i];
        learn_participant(account, thread, participant);
        if (account_is_group(participant->who, participant->who_uid))
            account_learn_group(account, participant->who);
        else if (account->uid == NULL || strcmp(participant->who_uid, account->uid) != 0)
            account_learn_contact(account, participant->who, participant->who_uid);
    }
}

/* --- JSON --- */

static char *get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? xstrdup(text) : NULL;
}

/* Contacts are an object, alias to uid; participants too: their order is kept. */
static void read_contacts(struct account_contacts *contacts, json_t *object)
{
    const char *alias;
    json_t *uid;
    json_object_foreach(object, alias, uid)
    {
        add_contact(contacts, alias, json_string_value(uid));
    }
}

static void read_account(struct account *account, json_t *object)
{
    account->silo = get_text(object, "silo");
    account->pin = get_text(object, "pin");
    account->uid = get_text(object, "uid");
    account->node = get_text(object, "node");
    account->alias = get_text(object, "alias");
    if (account->alias == NULL)
        account->alias = xstrdup("");
    read_contacts(&account->contacts, json_object_get(object, "contacts"));
    size_t i;
    json_t *gid;
    json_array_foreach(json_object_get(object, "groups"), i, gid)
    {
        if (json_is_string(gid))
            account_learn_group(account, json_string_value(gid));
    }
    const char *id;
    json_t *value;
    json_object_foreach(json_object_get(object, "threads"), id, value)
    {
        const char *subject = json_string_value(json_object_get(value, "subject"));
        struct account_thread *thread = add_thread(account, id, subject != NULL ? subject : "");
        read_contacts(&thread->participants, json_object_get(value, "participants"));
    }
}

/* Of what a later program may have written there, only what we know. */
static void read_line(struct account *account, const json_t *line)
{
    const char *thread_id = json_string_value(json_object_get(line, "thread"));
    const char *new_id = json_string_value(json_object_get(line, "new"));
    const char *group = json_string_value(json_object_get(line, "group"));
    const char *uid = json_string_value(json_object_get(line, "uid"));
    struct account_thread *thread = thread_id != NULL ? find_thread(account, thread_id) : NULL;
    if (thread != NULL)
        add_contact(&thread->participants, json_string_value(json_object_get(line, "participant")), uid);
    add_contact(&account->contacts, json_string_value(json_object_get(line, "contact")), uid);
    if (group != NULL)
        account_learn_group(account, group);
    if (new_id != NULL) {
        const char *subject = json_string_value(json_object_get(line, "subject"));
        add_thread(account, new_id, subject != NULL ? subject : "");
    }
}

/* One whole line. False: it is none, nor what a power cut leaves. */
static bool read_whole_line(struct account *account, const char *text, size_t len)
{
    if (strspn(text, " \t\r") >= len)
        return true;
    json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(line);
    if (good)
        read_line(account, line);
    json_decref(line);
    if (!good)
        account->is_more = true;
    return good || memchr(text, '\0', len) != NULL;
}

/* Text is the file from where its object ends, with a NUL behind it. False: somebody has put something there that we would lose. */
static bool read_lines(struct account *account, const char *text, size_t len)
{
    const char *end;
    for (; (end = memchr(text, '\n', len)) != NULL; len -= (size_t)(end + 1 - text), text = end + 1) {
        if (!read_whole_line(account, text, (size_t)(end - text)))
            return false;
    }
    if (len > 0 && *text != '{' && *text != '\0' && strspn(text, " \t\r") < len)
        return false;
    account->is_more |= len > 0; /* whoever wrote it was killed: all is written anew, without it */
    return true;
}

/* False: it is no account file. */
static bool read_file(struct account *account, const char *text, size_t len)
{
    json_error_t error;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return false;
    }
    read_account(account, object);
    json_decref(object);
    size_t size = (size_t)error.position; /* so much was read of it */
    size += size < len && text[size] == '\n';
    account->object_size = (int64_t)size;
    account->lines_size = (int64_t)(len - size);
    account->is_more = false;
    bool good = read_lines(account, text + size, len - size);
    strbuf_clear(&account->lines);
    account->changed = false;
    return good;
}

static json_t *write_contacts(const struct account_contacts *contacts)
{
    json_t *object = json_object();
    for (size_t i = 0; i < contacts->count; i++)
        json_object_set_new(object, contacts->list[i].alias, json_string(contacts->list[i].uid));
    return object;
}

static json_t *write_account(const struct account *account)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < account->group_count; i++)
        json_array_append_new(groups, json_string(account->groups[i]));
    json_t *threads = json_object();
    for (size_t i = 0; i < account->thread_count; i++) {
        json_t *thread = json_object_get(threads, account->threads[i].id); /* twice only by another's hand */
        json_t *participants = write_contacts(&account->threads[i].participants);
        if (thread != NULL) {
            json_object_update_missing(json_object_get(thread, "participants"), participants);
            json_decref(participants);
            continue;
        }
        thread = json_object();
        json_object_set_new(thread, "subject", json_string(account->threads[i].subject));
        json_object_set_new(thread, "participants", participants);
        json_object_set_new(threads, account->threads[i].id, thread);
    }
    json_t *object = json_object();
    json_object_set_new(object, "silo", json_string(account->silo));
    if (account->pin != NULL)
        json_object_set_new(object, "pin", json_string(account->pin));
    if (account->uid != NULL && account->node != NULL) {
        json_object_set_new(object, "uid", json_string(account->uid));
        json_object_set_new(object, "node", json_string(account->node));
    }
    json_object_set_new(object, "alias", json_string(account->alias));
    json_object_set_new(object, "contacts", write_contacts(&account->contacts));
    json_object_set_new(object, "groups", groups);
    json_object_set_new(object, "threads", threads);
    return object;
}

/* --- the file --- */

struct account *account_new(const char *path, const char *silo)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == EEXIST)
            main_complain("%s exists already: an account file is never overwritten", path);
        else
            main_complain("%s: can't be made: %s", path, strerror(errno));
        return NULL;
    }
    (void)flock(fd, LOCK_EX | LOCK_NB); /* nobody else has a use for an empty file; it only makes them wait */
    struct account *account = xcalloc(1, sizeof *account);
    account->path = xstrdup(path);
    account->lock = fd;
    account->reserved = true;
    account->silo = xstrdup(silo);
    account->alias = xstrdup("");
    account->changed = account->is_more = true;
    strbuf_init(&account->lines, file_max);
    return account;
}

/* True when fd is what lies at the path; another run may have replaced the file while we waited for the lock. */
static bool is_current(int fd, const char *path)
{
    struct stat ours;
    struct stat there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

/* The locked file; -1 when another run holds it for too long, or it can't be opened (errno). */
static int open_locked(const char *path)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -1;
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (locked && is_current(fd, path))
            return fd;
        close(fd);
        if (!locked)
            nanosleep(&(struct timespec){ .tv_nsec = LOCK_PAUSE_MS * 1000000L }, NULL);
    }
    errno = EWOULDBLOCK;
    return -1;
}

static bool read_all(int fd, struct strbuf *text)
{
    char block[65536];
    ssize_t len;
    while ((len = read(fd, block, sizeof block)) > 0)
        strbuf_add(text, block, (size_t)len);
    return len == 0 && strbuf_ok(text);
}

struct account *account_open(const char *path)
{
    int fd = open_locked(path);
    if (fd < 0) {
        const char *reason = errno == EWOULDBLOCK ? "another tmtp is at work with this account" : strerror(errno);
        main_complain("%s: %s", path, reason);
        return NULL;
    }
    struct account *account = xcalloc(1, sizeof *account);
    account->path = xstrdup(path);
    account->lock = fd;
    strbuf_init(&account->lines, file_max);
    struct strbuf text;
    strbuf_init(&text, file_max);
    bool is_read = read_all(fd, &text) && read_file(account, text.data, text.len);
    strbuf_free(&text);
    if (!is_read || account->silo == NULL || account->uid == NULL || account->node == NULL) {
        main_complain("%s: not an account file, or registration was not completed", path);
        account_free(&account);
    }
    return account;
}

void account_free(struct account **account_ptr)
{
    struct account *account = *account_ptr;
    if (account == NULL)
        return;
    if (account->reserved)
        unlink(account->path);
    if (account->lock >= 0)
        close(account->lock);
    strbuf_free(&account->lines);
    free_contacts(&account->contacts);
    for (size_t i = 0; i < account->group_count; i++)
        free(account->groups[i]);
    for (size_t i = 0; i < account->thread_count; i++) {
        free(account->threads[i].id);
        free(account->threads[i].subject);
        free_contacts(&account->threads[i].participants);
    }
    free(account->groups);
    free(account->threads);
    free(account->path);
    free(account->silo);
    free(account->pin);
    free(account->uid);
    free(account->node);
    free(account->alias);
    free(account);
    *account_ptr = NULL;
}

/* Writes to fd, which becomes the file at account->path, locked. */
static bool write_file(struct account *account, const char *temporary, int fd)
{
    json_t *object = write_account(account);
    char *text = json_dumps(object, JSON_INDENT(2)); /* json_dumpfd would write every token by itself */
    size_t len = text != NULL ? strlen(text) : 0;
    bool written = text != NULL && file_write_all(fd, text, len) == 1 && file_write_all(fd, "\n", 1) == 1;
    free(text);
    json_decref(object);
    if (!written || fsync(fd) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || rename(temporary, account->path) != 0)
        return false;
    account->object_size = (int64_t)len + 1;
    account->lines_size = 0;
    return true;
}

/* One name, for whoever saves holds the lock: what a run that was killed has left is not there for ever. Another one only when that
 * can't be had. */
static int open_temporary(struct strbuf *path, const char *account)
{
    strbuf_add_fmt(path, "%s.tmtp-new", account);
    if (!strbuf_ok(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)unlink(path->data);
    int fd = open(path->data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    strbuf_clear(path);
    strbuf_add_fmt(path, "%s.XXXXXX", account);
    return mkostemp(path->data, O_CLOEXEC); /* mode 0600 */
}

/* Writes the object anew, with all that lines have said. */
static int replace(struct account *account)
{
    struct strbuf path;
    strbuf_init(&path, PATH_LIMIT);
    int fd = open_temporary(&path, account->path);
    int rc = -1;
    if (fd >= 0 && write_file(account, path.data, fd)) { /* it is there, and it is ours, whatever its directory says */
        if (account->lock >= 0)
            close(account->lock);
        account->lock = fd;
        account->reserved = false;
        rc = file_sync_directory_of(account->path) == 1 ? 1 : -1;
        account->is_more = rc != 1;
    } else if (fd >= 0) {
        int reason = errno;
        unlink(path.data);
        close(fd);
        errno = reason;
    }
    strbuf_free(&path);
    return rc;
}

/* True: it is the one that we have locked and read, with nothing changed, and nobody else may read it. */
static bool is_as_we_left_it(const struct account *account, int fd)
{
    struct stat there;
    return is_current(account->lock, account->path) && fstat(fd, &there) == 0 &&
           there.st_size == account->object_size + account->lines_size && (there.st_mode & 077) == 0;
}

static int append(struct account *account)
{
    int fd = open(account->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || !is_as_we_left_it(account, fd)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    int rc = file_write_all(fd, account->lines.data, account->lines.len) == 1 && fsync(fd) == 0 ? 1 : -1;
    if (rc == 1)
        account->lines_size += (int64_t)account->lines.len;
    else
        (void)!ftruncate(fd,
                         account->object_size + account->lines_size); /* if it fails, half a line stays: it is none */
    close(fd);
    return rc;
}

static bool can_append(const struct account *account)
{
    return !account->is_more && !account->reserved && strbuf_ok(&account->lines) &&
           account->object_size >= LARGE_SIZE &&
           account->lines_size + (int64_t)account->lines.len <= account->object_size &&
           account->object_size + account->lines_size + (int64_t)account->lines.len <= (int64_t)file_max;
}

int account_save(struct account *account)
{
    if (!account->changed)
        return 1;
    account->is_more |= !can_append(account) || append(account) != 1;
    if (account->is_more && replace(account) != 1) {
        main_complain("%s: cannot be saved: %s", account->path, strerror(errno));
        return -1;
    }
    strbuf_clear(&account->lines);
    account->changed = false;
    return 1;
}
