/* tmtp_main_account.h - a member's account file
 *
 * JSON, mode 0600 (it holds the node's password), synced at each save, before which a message is not acked. It is replaced in one
 * step; but once it is large, so that each message that begins a thread would cost more than the one before, what is learned is
 * added behind it, an object in each line, until that is as much again. A last line that is not whole is none. While a program
 * has the account open the file is locked, so two runs never lose each other's contacts.
 *
 * Contacts bind an alias to the uid that it was first seen with; a later claim to the alias by another uid is ignored.
 * Nobody can look a uid up, so this is the member's only address book.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct tmtp_message;

struct account_contact {
    char *alias, *uid; /* of a group: both its name */
};

struct account_contacts {
    struct account_contact *list;
    size_t count;
};

struct account_thread {
    char *id, *subject;
    struct account_contacts participants; /* the author first */
};

struct account {
    char *path;
    int lock;         /* the locked file; -1 when there is none */
    bool reserved;    /* the file is ours and empty: it was never saved */
    char *silo, *pin; /* pin: NULL until known */
    char *uid, *node; /* NULL until registered */
    char *alias;      /* shown as the author; "" when the account has none */
    struct account_contacts contacts;
    char **groups;
    size_t group_count;
    struct account_thread *threads;
    size_t thread_count;
    bool changed;        /* since it was read or saved, */
    bool is_more;        /* by more than lines can say */
    struct strbuf lines; /* what was learned since */
    int64_t object_size; /* octets of the file that are the object; */
    int64_t lines_size;  /* of the lines behind it */
};

/* For registering: makes the file, empty, so that it is certain that it can be made; account_free() removes it again
 * unless the account was saved. NULL (said why) when the file exists or can't be made. */
struct account *account_new(const char *path, const char *silo);
/* Waits a few seconds for another run to let go of it. NULL (said why) when there is none that can be used. */
struct account *account_open(const char *path);
void account_free(struct account **account);
/* 1, or -1 (said why). Does nothing when nothing changed. */
int account_save(struct account *account) __attribute__((warn_unused_result));

void account_set(struct account *account, char **field, const char *text);
void account_learn_contact(struct account *account, const char *alias, const char *uid);
const char *account_find_uid(const struct account *account, const char *alias); /* NULL when unknown */
const char *account_find_alias(const struct account *account, const char *uid); /* NULL when unknown */
bool account_looks_like_uid(const char *text);
/* What a name on the command line stands for: a contact, a group, ourselves, or a uid as it is. *alias_out is what they
 * are shown as. NULL (said why) when their uid is not known. Results are borrowed. */
const char *account_resolve(const struct account *account, const char *to, const char **alias_out, bool *group_out);
/* A participant whose name is its id is a group, unless the id is somebody's uid (a member of unknown alias). */
bool account_is_group(const char *who, const char *uid);
void account_learn_group(struct account *account, const char *gid);
bool account_has_group(const struct account *account, const char *gid);
const struct account_thread *account_find_thread(const struct account *account, const char *id); /* NULL when unknown */
/* Participants and subject of a thread's first message, or those that a notice adds to it. */
void account_learn_thread(struct account *account, const char *id, const struct tmtp_message *message);
