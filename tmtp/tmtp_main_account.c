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

enum { UID_CHARS = 32, PATH_LIMIT = 4096, LOCK_TRIES = 30, LOCK_PAUSE_MS = 100 };

/* --- contacts, groups, threads --- */

void account_set(struct account *account, char **field, const char *text)
{
    tmtp_message_set(field, text);
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
    account->changed |= add_contact(&account->contacts, alias, uid);
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
    account->changed = true;
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
    for (size_t i = 0; i < account->thread_count; i++) {
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
    account->changed = true;
    return thread;
}

void account_learn_thread(struct account *account, const char *id, const struct tmtp_message *message)
{
    struct account_thread *thread = find_thread(account, id);
    if (thread == NULL)
        thread = add_thread(account, id, message->subject);
    for (size_t i = 0; i < message->cc_count; i++) {
        const struct tmtp_participant *participant = &message->cc[i];
        account->changed |= add_contact(&thread->participants, participant->who, participant->who_uid);
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
    account->changed = false;
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
        json_t *thread = json_object();
        json_object_set_new(thread, "subject", json_string(account->threads[i].subject));
        json_object_set_new(thread, "participants", write_contacts(&account->threads[i].participants));
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
    account->changed = true;
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
    json_error_t error;
    json_t *object = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
    if (object != NULL)
        read_account(account, object);
    json_decref(object);
    if (account->silo == NULL || account->uid == NULL || account->node == NULL) {
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

/* Writes to fd, which becomes the file at account->path. */
static int write_file(struct account *account, const char *temporary, int fd)
{
    json_t *object = write_account(account);
    char *text = json_dumps(object, JSON_INDENT(2)); /* json_dumpfd would write every token by itself */
    bool written = text != NULL && file_write_all(fd, text, strlen(text)) == 1 && file_write_all(fd, "\n", 1) == 1;
    free(text);
    json_decref(object);
    return written && fsync(fd) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && rename(temporary, account->path) == 0 &&
                   file_sync_directory_of(account->path) == 1
               ? 1
               : -1;
}

int account_save(struct account *account)
{
    if (!account->changed)
        return 1;
    struct strbuf path;
    strbuf_init(&path, PATH_LIMIT);
    strbuf_add_fmt(&path, "%s.XXXXXX", account->path);
    int fd = strbuf_ok(&path) ? mkostemp(path.data, O_CLOEXEC) : -1; /* mode 0600 */
    int rc = fd >= 0 ? write_file(account, path.data, fd) : -1;
    if (rc == 1) {
        if (account->lock >= 0)
            close(account->lock);
        account->lock = fd;
        account->changed = false;
        account->reserved = false;
    } else {
        main_complain("%s: cannot be saved: %s", account->path, strerror(errno));
        if (fd >= 0) {
            unlink(path.data);
            close(fd);
        }
    }
    strbuf_free(&path);
    return rc;
}
