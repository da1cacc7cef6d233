/* outbound_internal.h - what the source files of outbound share; nobody else includes it
 *
 *   outbound.c       arrivals: from the silo's delivery to our ack
 *   outbound_take.c  the store operation: whose thread, for whom, allowed or not, queued or refused
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
    char *msgid, *posted, *from_uid, *own_uid;
    char *message_id;            /* of the mail that it becomes */
    struct tmtp_message message; /* a copy of what we need: head, cc */
    char *head;                  /* JSON of the second header, for the convert worker's input later */
    struct spool *content;
    bool oversize, unreadable;
    char *problem; /* for the notice */
    int64_t now;
    /* results */
    int64_t id; /* in the outbound queue; 0: nothing to send */
    bool noticed;
    bool stranger; /* the author is not a member of this gateway */
    bool refused, seen;
};

/* The threadid of the thread that a message belongs to: its own id when it starts one. */
const char *outbound_threadid(const struct arrival *arrival);
/* The store operation (mapping/store.h). arg: the arrival, whose results it fills in. */
int outbound_take(struct store_db *db, void *arg);
