/* tmtp_silo_store.h - what the embedded silo keeps: accounts, aliases, groups, messages and queues
 *
 * One SQLite file (WAL, synchronous=FULL) and, for long message data, one file each in a directory beside it. What is
 * erased is overwritten (secure_delete).
 *
 * Writes gather in one transaction until silo_store_commit(), so that many requests share one fsync. Reads see what is
 * gathered. A write is *urgent* when somebody waits for its being on disk; that a message was acknowledged by its
 * receiver is not: should a crash forget it, the message is delivered once more.
 *
 * Functions that return int: 1 done or found, 0 not (each says what), -1 the database failed. After -1 nothing that was
 * gathered can be committed: silo_store_commit() will roll back and return -1, and the store is usable again.
 * Strings in `..._out` are the caller's to free.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct silo_content;
struct silo_store;

/* The directory is made when missing (0700). wall_ms: now; ids start above it and above any id given out before. NULL
 * with the reason in *error_out (caller frees). */
struct silo_store *silo_store_open(const char *directory, int64_t wall_ms, char **error_out)
    __attribute__((warn_unused_result));
void silo_store_close(struct silo_store **store); /* commits first */

const char *silo_store_content_directory(const struct silo_store *store);
bool silo_store_has_changes(const struct silo_store *store);
bool silo_store_has_urgent_changes(const struct silo_store *store);
int silo_store_commit(struct silo_store *store) __attribute__((warn_unused_result));

/* --- accounts and their nodes --- */

enum { SILO_NODES_MAX = 100 }; /* of one account */

/* A new account without nodes. */
int silo_store_add_account(struct silo_store *store, const char *uid) __attribute__((warn_unused_result));
/* A new node with that password (base 32); 0: the account has SILO_NODES_MAX. */
int silo_store_add_node(struct silo_store *store, const char *uid, const char *password, int64_t *node_out)
    __attribute__((warn_unused_result));
/* The node of the account that has this password (decoded); 0: none. */
int silo_store_find_node(struct silo_store *store, const char *uid, const uint8_t *password, size_t len,
                         int64_t *node_out) __attribute__((warn_unused_result));

/* --- aliases --- */

/* 1: it is the account's, newly or already; 0: somebody else's, or a group's name. */
int silo_store_add_alias(struct silo_store *store, const char *uid, const char *alias)
    __attribute__((warn_unused_result));
int silo_store_find_alias(struct silo_store *store, const char *alias, char **uid_out)
    __attribute__((warn_unused_result));

/* --- groups: a group exists when it has a member, invited, joined or barred --- */

enum silo_membership { SILO_MEMBER_NONE, SILO_MEMBER_INVITED, SILO_MEMBER_JOINED, SILO_MEMBER_BARRED };

int silo_store_count_members(struct silo_store *store, const char *gid, size_t *count_out)
    __attribute__((warn_unused_result));
/* 0: no member (SILO_MEMBER_NONE, alias NULL). alias_out may be NULL. */
int silo_store_find_member(struct silo_store *store, const char *gid, const char *uid, enum silo_membership *status_out,
                           char **alias_out) __attribute__((warn_unused_result));
int silo_store_set_member(struct silo_store *store, const char *gid, const char *uid, const char *alias,
                          enum silo_membership status) __attribute__((warn_unused_result));

/* --- who gets a message --- */

struct silo_route { /* starts zeroed; free nodes */
    int64_t *nodes;
    size_t count, capacity;
};

enum { SILO_ROUTE_MAX = 100 * 1000 }; /* nodes that one message may go to */

/* Adds the nodes of an account; 0: there is no such account. */
int silo_store_route_account(struct silo_store *store, const char *uid, struct silo_route *route)
    __attribute__((warn_unused_result));
/* Adds the nodes of a group's joined members, but for those of `except` (NULL: all); 0: too many. */
int silo_store_route_group(struct silo_store *store, const char *gid, const char *except, struct silo_route *route)
    __attribute__((warn_unused_result));

/* --- messages and queues --- */

enum silo_priority { SILO_PRIORITY_NOTICE = 1, SILO_PRIORITY_MESSAGE = 2 }; /* a queue's order: by this, then by id */

struct silo_queued { /* owned by the caller: silo_queued_free() */
    uint64_t id;
    enum silo_priority priority;
    uint8_t *bytes; /* the frame's head, and its data unless that is in a file */
    size_t len;
    uint64_t file_size; /* data in the file of that id; 0: none */
};

/* Ids never repeat and always grow, over restarts too. 0 when the database failed. */
uint64_t silo_store_next_id(struct silo_store *store) __attribute__((warn_unused_result));
/* Puts a message into the queues of the route's nodes (each named once). A content that is a file must have been
 * kept. */
int silo_store_add_message(struct silo_store *store, uint64_t id, enum silo_priority priority, const void *head,
                           size_t head_len, const struct silo_content *content, const struct silo_route *route)
    __attribute__((warn_unused_result));
/* The first message of a node's queue; 0: the queue is empty. */
int silo_store_first(struct silo_store *store, int64_t node, struct silo_queued *queued_out)
    __attribute__((warn_unused_result));
void silo_queued_free(struct silo_queued *queued);
/* Takes a message out of a node's queue, and erases it when that was the last one. Not urgent. */
int silo_store_acknowledge(struct silo_store *store, int64_t node, enum silo_priority priority, uint64_t id)
    __attribute__((warn_unused_result));
int silo_store_copy_queue(struct silo_store *store, int64_t from, int64_t to) __attribute__((warn_unused_result));
