/* relay_internal.h - what the rooms of the relay share: an entry under way, and the way from room to room
 *
 *   relay.c           an entry from its start to its end; writes the mail
 *   relay_envelope.c  who it is for, and from
 *   relay_pool.c      which relay gets it, over which connection
 *   relay_probe.c     what happens when a relay is down, and when it is up again
 *   relay_note.c      what became of it: one commit, and what the author is told
 *   relay_words.c     how the author is told
 *   relay_await.c     what can't be tried now: put off, or without recipients yet
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/digest.h"
#include "gateway/outcome.h"
#include "mapping/store_queue.h"
#include "smtp/smtp_client.h"

struct destinations;
struct parts;
struct relay_health;
struct store_db;
struct strbuf;

enum { RELAY_REPLY_MAX = SMTP_REPLY_TEXT_MAX + 32 };

enum relay_job_state {
    RELAY_JOB_STARTING,    /* looking at the row */
    RELAY_JOB_CONVERTING,  /* a worker writes the mail */
    RELAY_JOB_KEEPING,     /* the mail as written is signed, put on disk, then committed */
    RELAY_JOB_LINING_UP,   /* waits for a connection to its relay */
    RELAY_JOB_RELAYING,    /* the relay has it; its answer is awaited */
    RELAY_JOB_NOTING,      /* the commit of the recipients' outcomes is under way, or is tried again after a pause */
    RELAY_JOB_PUTTING_OFF, /* the commit that makes it due later is under way */
    RELAY_JOB_ENDING,      /* nothing more to do; pausing if a database in trouble would be hammered */
};

/* What became of one recipient in this attempt. */
struct relay_result {
    bool decided; /* without asking a relay */
    struct outcome outcome;
    const char *relay;            /* that answered: its hop's name; "" */
    bool is_said;                 /* reply is the relay's, else ours */
    const char *words;            /* static, instead of what the code means; NULL */
    char code[SMTP_ENHANCED_MAX]; /* enhanced, or the reply's */
    char reply[RELAY_REPLY_MAX];
    bool dsn;      /* delivered, and the relay sends the reports */
    bool is_known; /* a report that came back has said that it failed, and the author was told (returns.h) */
};

/* One entry under way. While a store operation runs (KEEPING, NOTING, PUTTING_OFF) only the committer touches it; while
 * it is signed and a draft is kept before that, only the digester and the background thread. */
struct relay_job {
    struct relay *relay;
    struct relay_job *next;
    enum relay_job_state state;
    struct store_outbound row;
    struct relay_mail *mail; /* while it is being written */
    int mail_fd;
    int64_t mail_size;
    struct store_draft *draft; /* of the mail as written, until it is committed */
    bool kept;
    bool is_8bit, is_smtputf8;
    bool is_signed;
    char *note; /* of the conversion */
    struct smtp_address sender;
    bool is_early;         /* started before it was due, as a probe: if it finds no relay, nothing is noted */
    struct relay_hop *hop; /* LINING_UP: for this; RELAYING: with this; NULL */
    uint32_t tried;        /* hops that were asked in this attempt, a bit each; */
    uint32_t unreached;    /* of these, could not be reached */
    struct relay_job *next_in_line;
    struct smtp_client *client; /* RELAYING; NULL for a maildir */
    unsigned client_generation;
    bool is_aside_known;                      /* destinations were asked: an answer may be given once only */
    int64_t sent_at;                          /* monotonic */
    size_t waiting_count;                     /* recipients without an outcome, */
    size_t *waiting;                          /* as indexes into row.recipients */
    struct relay_result *results;             /* one per waiting recipient */
    int64_t next_attempt_at, now, give_up_at; /* wall clock, ms */
    bool noticed;
    bool is_stopped; /* committer: an administrator has held or dropped it meanwhile */
    bool is_unnoted; /* and the log says so */
    struct timer *pause;
};

/* A relay of the configuration. */
struct relay_hop {
    size_t index; /* in config->relays, and of its bit */
    char *name;   /* "host:port", "unix:/path", or a directory */
    struct relay_health *health;
    struct smtp_client *
        *idle; /* room for max_connections; the one used last is used first, so that others come to rest */
    size_t idle_count;
    unsigned in_use;                      /* by jobs */
    unsigned limit;                       /* at most max_connections: fewer when the relay refuses more */
    int64_t raise_at;                     /* monotonic: when the limit may grow again */
    uint8_t password_digest[DIGEST_SIZE]; /* of the one with which the idle clients have signed in; all zero: none */
    unsigned generation;                  /* of the password: clients of an earlier one are not used again */
    struct relay_job *line;
    uint64_t delivered; /* recipients */
};

struct relay {
    const struct parts *parts;
    void (*on_notice)(void *ctx);
    void *ctx;
    struct queue *queue;
    struct relay_job *jobs;
    struct relay_hop *hops;
    size_t hop_count;
    struct destinations *destinations;
    bool is_open;
    struct backoff database; /* when it fails, whoever needs it */
    struct timer *probe_timer;
    int64_t probed_id;           /* the last entry that was started as a probe */
    struct timer *release_timer; /* NULL: nothing is being released */
    bool release_submitted;      /* then only the committer touches the next */
    int64_t released_id;         /* those above it are still to be made due: each once, however it fares */
    bool release_anew;           /* from the first one */
    bool has_worked;             /* some relay has, since the start */
    bool has_heard;              /* some relay was asked since the start, whatever came of it */
    uint64_t delivered;
    char last_error[RELAY_REPLY_MAX];
};

/* relay.c */
void relay_set_state(struct relay_job *job, enum relay_job_state state);
void relay_job_end(void *arg); /* a job */
/* The database has failed: goes on after a pause; ends then, without a change to the row, which is due as before. */
void relay_after_failure(struct relay_job *job, void (*next)(void *arg));
void relay_end_after_failure(struct relay_job *job);
int64_t relay_database_failed(struct relay *relay); /* how long to wait before it is tried again, ms */
void relay_database_worked(struct relay *relay);    /* a commit was kept */

/* relay_envelope.c */
/* A report has none, and nobody is told of its fate. */
bool relay_has_author(const struct relay_job *job);
bool relay_is_invitation(const struct relay_job *job);
void relay_find_waiting(struct relay_job *job);
/* These two decide about some recipients without asking a relay. How many are left for it? */
size_t relay_decide_unauthorised(struct relay_job *job); /* who may not be written to now */
size_t relay_decide_aside(struct relay_job *job);        /* whose domain does not answer (destinations.h) */
/* The domain of a waiting recipient. */
const char *relay_domain_of(const struct relay_job *job, size_t index);
struct relay_envelope {
    struct smtp_client_recipient *recipients;
    char **orcpts;
    size_t count; /* room of both */
    char envid[24];
};
/* All of the message for those left for the relay; it points into the job and the envelope. -1: an address can't be read. */
int relay_envelope_fill(struct relay_job *job, struct relay_envelope *envelope, struct smtp_client_message *message)
    __attribute__((warn_unused_result));
void relay_envelope_clear(struct relay_envelope *envelope);

/* relay_pool.c */
int relay_pool_open(struct relay *relay, char **error_out) __attribute__((warn_unused_result));
void relay_pool_close(struct relay *relay);
unsigned relay_pool_concurrency(const struct parts *parts); /* entries under way */
void relay_pool_send(struct relay_job *job);                /* its outcome is noted; the job may be gone */
void relay_pool_leave_lines(struct relay *relay);           /* ends the jobs that wait for a connection */

/* relay_probe.c */
void relay_probe_open(struct relay *relay);
void relay_probe_close(struct relay *relay);
void relay_probe_schedule(struct relay *relay); /* a relay went down, a probe has failed, or something awaits one */
void relay_probe_up(struct relay *relay);       /* a relay is up again: what awaits one is made due */

/* relay_note.c */
/* One waiting recipient's, by its place among these, decided without a relay. words as in relay_result. */
void relay_set_result(struct relay_job *job, size_t index, const struct smtp_recipient_result *given,
                      const char *words);
/* results: of those that the job's hop was asked about, in order; when there are fewer, the last is for all the rest. */
void relay_set_results(struct relay_job *job, const struct smtp_recipient_result *results, size_t count,
                       bool relay_left, bool relay_down);
bool relay_is_unreached(const struct relay_job *job); /* all who are left await a relay */
void relay_note_results(struct relay_job *job);       /* and ends the job */
/* The same for everybody, when it could not even be tried. PERMANENT, or the entry's own fault again and again: parked. */
enum relay_fault { RELAY_FAULT_OURS, RELAY_FAULT_ENTRY };
void relay_fail_all(struct relay_job *job, enum smtp_outcome outcome, enum relay_fault fault, const char *error);

/* relay_words.c: inside a commit. */
/* lines: list items, already safe; what follows them: NULL. */
int relay_tell_author(struct store_db *db, struct relay_job *job, const char *subject, const char *intro,
                      const char *lines, const char *end) __attribute__((warn_unused_result));
/* Everything that this attempt has to tell. */
int relay_tell_results(struct store_db *db, struct relay_job *job) __attribute__((warn_unused_result));
/* Of an entry that an administrator has held or dropped while it was under way: its author was told so, and hears what was
 * delivered all the same. */
int relay_tell_stopped(struct store_db *db, struct relay_job *job) __attribute__((warn_unused_result));

/* relay_await.c */
/* Not counted as an attempt at the relay: something here is busy. */
void relay_put_off(struct relay_job *job, const char *why);
/* A forwarded thread of which the silo has not said who is new in it, or its files. */
void relay_await_recipients(struct relay_job *job);
