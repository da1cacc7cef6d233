/* relay_internal.h - what the rooms of the relay share: an entry under way, and the way from room to room
 *
 *   relay.c           an entry from its start to its end; writes the mail, sends it
 *   relay_envelope.c  who it is for, and from
 *   relay_pool.c      the connections
 *   relay_note.c      what became of it: one commit, and what the author is told
 *   relay_await.c     what can't be tried now: put off, or without recipients yet
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/outcome.h"
#include "mapping/store_queue.h"
#include "smtp/smtp_client.h"

struct parts;
struct store_db;

enum { RELAY_REPLY_MAX = SMTP_REPLY_TEXT_MAX + 32 };

enum relay_job_state {
    RELAY_JOB_STARTING,    /* looking at the row */
    RELAY_JOB_CONVERTING,  /* a worker writes the mail */
    RELAY_JOB_KEEPING,     /* the mail as written is signed, put on disk, then committed */
    RELAY_JOB_RELAYING,    /* the relay has it; its answer is awaited */
    RELAY_JOB_NOTING,      /* the commit of the recipients' outcomes is under way, or is tried again after a pause */
    RELAY_JOB_PUTTING_OFF, /* the commit that makes it due later is under way */
    RELAY_JOB_ENDING,      /* nothing more to do; pausing so that a database in trouble is not hammered */
};

/* One entry under way. While a store operation runs (KEEPING, NOTING, PUTTING_OFF) only the committer touches it; while
 * it is signed and a draft is kept before that, only the digester and the background thread. */
struct relay_job {
    struct relay *relay;
    struct relay_job *next;
    enum relay_job_state state;
    struct store_outbound row;
    struct relay_mail *mail;    /* while it is being written */
    struct smtp_client *client; /* while it is being relayed; NULL for a maildir */
    int mail_fd;
    int64_t mail_size;
    struct store_draft *draft; /* of the mail as written, until it is committed */
    bool kept;
    bool is_8bit, is_smtputf8;
    bool is_signed;
    char *note; /* of the conversion */
    struct smtp_address sender;
    size_t waiting_count; /* recipients without an outcome, */
    size_t *waiting;      /* as indexes into row.recipients */
    struct relay_result {
        bool decided; /* without asking the relay */
        struct outcome outcome;
        char reply[RELAY_REPLY_MAX];
    } * results; /* one per waiting recipient */
    int64_t next_attempt_at, now;
    bool is_late; /* waits longer than retry.warn_after */
    bool noticed;
    struct timer *pause;
};

struct relay {
    const struct parts *parts;
    void (*on_notice)(void *ctx);
    void *ctx;
    struct queue *queue;
    struct relay_job *jobs;
    struct smtp_client **clients; /* idle or in use by a job; max_connections of them, made at the start */
    size_t client_count;
    uint64_t delivered;
    char last_error[RELAY_REPLY_MAX];
};

/* relay.c */
void relay_set_state(struct relay_job *job, enum relay_job_state state);
void relay_job_end(void *job);
void relay_after_pause(struct relay_job *job, void (*next)(void *arg));
void relay_end_after_pause(struct relay_job *job); /* ends without a change to the row, which is due as before */

/* relay_envelope.c */
/* A report has none, and nobody is told of its fate. */
bool relay_has_author(const struct relay_job *job);
void relay_find_waiting(struct relay_job *job);
/* Decides about those who may not be written to now, without asking the relay. How many are left for it? */
size_t relay_decide_unauthorised(struct relay_job *job);
/* The envelope of those left for the relay: sender into the job. -1: an address can't be read. */
int relay_find_envelope(struct relay_job *job, struct smtp_client_recipient *recipients, size_t *count_out)
    __attribute__((warn_unused_result));

/* relay_pool.c */
int relay_pool_open(struct relay *relay, char **error_out) __attribute__((warn_unused_result));
void relay_pool_close(struct relay *relay);
struct smtp_client *relay_pool_idle_client(struct relay *relay); /* NULL: all are in use */

/* relay_note.c */
/* One waiting recipient's, by its place among these. */
void relay_set_result(struct relay_job *job, size_t index, const struct smtp_recipient_result *given);
/* results: of those that the relay was asked about, in order; when there are fewer, the last is for all the rest. */
void relay_set_results(struct relay_job *job, const struct smtp_recipient_result *results, size_t count);
void relay_note_results(struct relay_job *job); /* and ends the job */
/* The same for everybody, when it could not even be tried. */
void relay_fail_all(struct relay_job *job, enum smtp_outcome outcome, const char *error);
/* Inside a commit. lines: list items, already safe. */
int relay_tell_author(struct store_db *db, struct relay_job *job, const char *subject, const char *intro,
                      const char *lines) __attribute__((warn_unused_result));

/* relay_await.c */
/* Not counted as an attempt at the relay: something here is busy. */
void relay_put_off(struct relay_job *job, const char *why);
/* A forwarded thread of which the silo has not said who is new in it, or its files. */
void relay_await_recipients(struct relay_job *job);
