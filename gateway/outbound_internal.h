/* outbound_internal.h - what the source files of outbound share; nobody else includes it
 *
 *   outbound.c         arrivals: from the silo's delivery to our ack
 *   outbound_author.c  who wrote it, and what the message claims about people
 *   outbound_thread.c  which thread it belongs to, and whether its author may speak there
 *   outbound_take.c    the store operation: for whom, allowed or not, queued or refused
 */
#pragma once
#include "gateway/outbound.h"
#include "tmtp/tmtp_message.h"

struct spool;
struct store_db;
struct timer;

/* One delivery between its arrival and our ack. Until the operation is done only the committer may touch it. */
struct arrival {
    struct outbound *outbound;
    struct arrival *next;
    struct timer *pause; /* after a failed commit, or while busy */
    char *msgid, *posted, *from_uid, *own_uid, *gateway_alias;
    char *message_id;            /* of the mail that it becomes */
    struct tmtp_message message; /* a copy of what we need: head, cc */
    char *head;                  /* JSON of the second header, for the convert worker's input later */
    struct spool *content;
    bool oversize, unreadable;
    char *problem; /* for the notice */
    int64_t now;
    /* results */
    int64_t id;          /* in the outbound queue */
    const char *outcome; /* for the log; static */
    bool queued, noticed;
    char *greet; /* the alias of a member who has to answer the gateway's ping before this can be sent; NULL */
};

/* Who wrote it. The silo vouches for the uid only. */
struct outbound_author {
    int64_t member_id; /* 0: no member of this gateway */
    const char *uid;   /* the arrival's */
    char *alias;       /* the member's, or the one vouched for, else the one that the message names; "" */
};
/* 1 known; 0: the message names an alias that is another's (*problem_out says so in words for its author; the caller
 * frees it); -1 database error. A member whose alias and uid were vouched for, and who has not answered yet, has answered
 * with this message. */
int outbound_find_author(struct store_db *db, struct arrival *arrival, struct outbound_author *author_out,
                         char **problem_out) __attribute__((warn_unused_result));
void outbound_author_free(struct outbound_author *author);
/* What a new thread's list says about who is whose: remembered as a claim; what contradicts goes into contradicted, for the
 * trace. 1 or -1. */
struct notice_list;
int outbound_note_participants(struct store_db *db, const struct arrival *arrival, struct notice_list *contradicted)
    __attribute__((warn_unused_result));

/* The groups that are in a thread and that the gateway is in, and that the author may speak for. */
struct outbound_groups {
    int64_t *ids;
    size_t count;
};
/* 1: found, or made from the list of its first message; 0: a thread that we never saw, or that the author is not in; -1
 * database error. groups_out is filled with 1 (free its ids). */
int outbound_find_thread(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author,
                         int64_t *thread_id_out, struct outbound_groups *groups_out)
    __attribute__((warn_unused_result));

/* The threadid of the thread that a message belongs to: its own id when it starts one. */
const char *outbound_threadid(const struct arrival *arrival);
/* The store operation (mapping/store.h). arg: the arrival, whose results it fills in. */
int outbound_take(struct store_db *db, void *arg);
