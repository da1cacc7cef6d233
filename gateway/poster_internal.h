/* poster_internal.h - what the rooms of the poster share: an entry under way, and the way from room to room
 *
 *   poster.c          an entry from its start to its end: routing, posting, settling
 *   poster_check.c    who may still get it, and in whose name
 *   poster_convert.c  the mail becomes a thread message
 *   poster_known.c    whom the readers of that need not be told of
 *   poster_put_off.c  what can't be posted now, or ever
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "gateway/poster_return.h"
#include "gateway/poster_settle.h"
#include "gateway/route.h"
#include "mapping/store_queue.h"
#include "tmtp/tmtp_message.h"

struct parts;
struct poster_overdue;
struct queue;
struct timer;
struct tmtp_client;

enum poster_job_state {
    POSTER_STARTING,    /* gathering what it needs, perhaps waiting for room */
    POSTER_CONVERTING,  /* a worker has it */
    POSTER_ROUTING,     /* the commit that decides the thread is under way */
    POSTER_POSTING,     /* the post is with the client; ack or echo is awaited */
    POSTER_SETTLING,    /* posted; the commit that ends it is under way, or is tried again after a pause */
    POSTER_PUTTING_OFF, /* the commit that makes it due later, or holds it, is under way */
    POSTER_ENDING,      /* nothing more to do; pausing so that a database in trouble is not hammered */
};

/* One entry under way. While a store operation runs (ROUTING, SETTLING, PUTTING_OFF) only the committer touches it. */
struct poster_job {
    struct poster *poster;
    struct poster_job *next;
    enum poster_job_state state;
    struct store_inbound row;
    struct tmtp_message message;
    int content_fd;
    int64_t content_size;
    char *author_alias;
    char *own_uid;
    char *note;               /* for the trace: of the conversion, and who was skipped */
    int64_t likely_thread_id; /* before it is routed: where it would go to; 0: a new thread */
    char **others;            /* people outside whom the body names */
    size_t other_count;
    char *author_name, *excerpt; /* what is kept for answers to quote; excerpt NULL: nothing is */
    struct store_target *skipped;
    size_t skipped_count;
    bool skips_changed; /* the row's recipients say something else */
    enum route_result routed;
    bool
        is_overtaken; /* not routed, but for no failure: it was held or dropped meanwhile, or has to be converted again */
    uint64_t request;
    struct poster_fate fate; /* what the silo said of the post */
    struct poster_settled settled;
    char *echo_msgid; /* to be acked when settled */
    char *error;      /* why it is put off */
    char *words;      /* of the silo, which has refused it; NULL */
    int64_t next_attempt_at;
    bool counts, give_up;     /* of putting off: was it an attempt, is it the last */
    bool is_unsettled;        /* and the log says so */
    bool is_for_a_person;     /* then: only they can do something */
    struct poster_return end; /* else: what becomes of it */
    int64_t now;
    struct timer *pause;
};

struct poster {
    const struct parts *parts;
    struct tmtp_client *client;
    struct queue *queue;
    struct poster_overdue *overdue;
    struct poster_job *jobs;
    struct backoff database; /* when it fails, whoever needs it */
    int64_t online_at;       /* monotonic: since when the link is up, or was the last time */
    uint64_t posted;
};

/* poster.c */
void poster_set_state(struct poster_job *job, enum poster_job_state state);
void poster_job_end(void *arg); /* the job is gone */
void poster_after_pause(struct poster_job *job, void (*next)(void *arg));
void poster_end_after_pause(struct poster_job *job);
/* The database has failed: likewise, but each pause is longer than the one before. */
void poster_after_failure(struct poster_job *job, void (*next)(void *arg));
void poster_end_after_failure(struct poster_job *job);
void poster_database_worked(struct poster *poster); /* a commit was kept */
void poster_go_on(struct poster_job *job);          /* content and names are ready */

/* poster_check.c */
/* Who may still get it: an administrator may have changed their mind since it was accepted. Those who may not any
 * more are removed. NULL: go on; else why not now. */
const char *poster_check_recipients(struct poster_job *job);
const char *poster_find_author(struct poster_job *job); /* NULL: go on; else why not now */

/* poster_convert.c */
void poster_convert(void *arg); /* goes on when it is done */

/* poster_known.c */
struct poster_known {
    char **list; /* addresses, normalised */
    size_t count;
};
/* Everybody whom the readers of the mail know, or will be told of by its recipients. -1: the database can't be read. */
int poster_known_gather(const struct poster_job *job, struct poster_known *out) __attribute__((warn_unused_result));
void poster_known_free(struct poster_known *known);

/* poster_put_off.c: the row gets a later due time, and its story a line (unless it would only repeat the last one). */
/* It can't be done now, for a reason of ours: tried again soon, the later the older it is. Given up when that has no
 * end. */
void poster_put_off(struct poster_job *job, const char *why);
/* The silo said no, or (words NULL) something of ours is broken. */
void poster_refused(struct poster_job *job, const char *error, const char *words);
void poster_submit_put_off(struct poster_job *job, const char *error);
