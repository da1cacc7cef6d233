/* tmtp_client.h - one silo account's connection: register, log in, stay, post, receive
 *
 * One object per account. It connects, registers when it has no account yet, logs in, pulses, and after a cut
 * reconnects with exponential backoff and jitter, until freed. The owner posts and receives through it; what must
 * survive a crash is the owner's to store.
 *
 * Exactly-once posting. An ack may be lost with its connection, and there is no request to ask what became of a post.
 * So a post made with `echo` names our own uid too: the silo delivers it back to us. After each login the client
 * posts a barrier to itself alone (a random key, marked NodeSync so that other clients of the account ignore it) and
 * is SYNCING until the barrier has come round: the silo's queue is in order, hence every earlier post that
 * was accepted has been echoed by then (on_echo), and what has not been echoed when the state becomes ONLINE was never
 * accepted and is safe to post again. (Our own `login` message would serve, but it can't be told from that of an
 * earlier connection which is still queued.)
 *
 * Delivery is stop-and-wait (TMTP): the silo sends the next message only after the ack of the last. So at
 * most one of on_echo, on_message, on_ping, on_notice is unanswered at any time; the owner calls tmtp_client_ack()
 * when its effect is on disk, or tmtp_client_decline() when it has given up. The client itself acks what has no
 * meaning for the owner (login, user, ohiedit, unknown, barriers), and deals with a redelivery of one
 * of the last 64 messages acked, or of the one still being worked on, without troubling the owner, across reconnects
 * too. Redeliveries from before a restart do reach the owner, who must know the ids it has acted on.
 *
 * All callbacks run on the loop, never from inside a function called by the owner.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct spool;
struct stream;
struct stream_settings;
struct tmtp_client;
struct tmtp_message;
struct tmtp_push;

enum tmtp_client_state {
    TMTP_CLIENT_OFFLINE,     /* no connection; a timer for the next attempt runs */
    TMTP_CLIENT_CONNECTING,  /* TCP and TLS under way */
    TMTP_CLIENT_GREETING,    /* tmtprev sent */
    TMTP_CLIENT_REGISTERING, /* register sent; no account yet */
    TMTP_CLIENT_SAVING,      /* registered; waiting for tmtp_client_account_saved() */
    TMTP_CLIENT_LOGGING_IN,  /* login sent */
    TMTP_CLIENT_SYNCING,     /* logged in; draining up to our barrier. Requests without echo are allowed */
    TMTP_CLIENT_ONLINE,      /* everything is allowed */
    TMTP_CLIENT_STOPPED,     /* needs a person: see enum tmtp_client_stop. No attempt before tmtp_client_connect() */
};

/* What a person has to mend when the client is STOPPED. */
enum tmtp_client_stop {
    TMTP_CLIENT_STOP_NONE,    /* it isn't */
    TMTP_CLIENT_STOP_PIN,     /* the silo has another certificate than the pinned one: tmtp_client_refused_pin() */
    TMTP_CLIENT_STOP_TOKEN,   /* the silo asks for OpenID Connect, and the token is missing, bad or refused */
    TMTP_CLIENT_STOP_ACCOUNT, /* the silo does not know us, or makes no account for us */
    TMTP_CLIENT_STOP_SETUP,   /* the address, or TLS, is not set up as it must be */
};

/* The answer to one request. */
struct tmtp_client_result {
    uint64_t request;   /* number returned when it was made */
    bool lost;          /* the connection ended first: it may or may not have happened */
    const char *error;  /* the silo's refusal: nothing happened; NULL when done */
    const char *msgid;  /* id it got; NULL for requests that make no message */
    const char *posted; /* RFC 3339 */
};

/* A thread message from somebody; owned by the client, valid until acked or declined. */
struct tmtp_client_delivery {
    const struct tmtp_push *push;       /* id, from (uid), posted, datasum, notify */
    const struct tmtp_message *message; /* NULL when the second header was absent or unreadable: head_error says why */
    const char *head_error;
    bool oversize; /* longer than message_max: drained, content is NULL */
    /* body and attachments, without the second header; take it with tmtp_client_take_content() */
    struct spool *content;
};

struct tmtp_client_callbacks { /* each may be NULL: then the client acks what would have gone there */
    void (*on_state)(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx);
    void (*on_pin)(struct tmtp_client *client, const char *pin, void *ctx); /* first use of '=': store it */
    /* The silo asks for OpenID Connect, and we are about to register. 1: *token_out is the object that a token response
     * is, as tmtp_token_normalise() makes it; 0: there is none, and the client tries without (it may be optional); -1:
     * *error_out says what a person has to do, and the client stops. The client frees both. */
    int (*on_token)(struct tmtp_client *client, char **token_out, char **error_out, void *ctx);
    /* alias_error: why the alias was refused (taken, too short), NULL when it was granted. Store uid and node
     * (a password), then call tmtp_client_account_saved(). */
    void (*on_registered)(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx);
    void (*on_result)(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx);
    /* A post of ours came round. threadid is that of its second header ("" when it started the thread: then
     * the thread's id is msgid). Ack it when settled. */
    void (*on_echo)(struct tmtp_client *client, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid, void *ctx);
    void (*on_message)(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx);
    void (*on_ping)(struct tmtp_client *client, const struct tmtp_push *push, const char *text, void *ctx);
    /* invite, member, notify; data cut at 1 MiB */
    void (*on_notice)(struct tmtp_client *client, const struct tmtp_push *push, const char *data, size_t len,
                      void *ctx);
};

struct tmtp_client_settings {
    struct loop *loop;
    const char *address;    /* "+host:port": certificate verified against the CA store; "=host:port": pinned */
    const char *ca_file;    /* for '+'; NULL: the system's */
    const char *pin;        /* for '='; NULL: accept on first use, reported by on_pin */
    const char *uid, *node; /* NULL: register */
    const char *alias;      /* for registering */
    const char *spool_dir;  /* NULL: /tmp */
    int64_t message_max;    /* bytes of content accepted; longer deliveries come as `oversize`. 0: 64 MiB */
    int64_t retry_first_ms, retry_longest_ms;      /* backoff; 0: 1 s and 5 min */
    int64_t pulse_ms;                              /* 0: 60 s (the silo closes after 120 s of silence) */
    const struct tmtp_client_callbacks *callbacks; /* a static const */
    void *ctx;
    /* For tests: makes the link (in memory, connected already) instead of a TLS connection; NULL: refused */
    struct stream *(*connect)(const struct stream_settings *settings, void *connect_ctx);
    void *connect_ctx;
};

/* Starts connecting. Copies what it needs. */
struct tmtp_client *tmtp_client_new(const struct tmtp_client_settings *settings);
void tmtp_client_free(struct tmtp_client **client); /* closes; no more callbacks; pending requests get no result */
void tmtp_client_account_saved(struct tmtp_client *client);
enum tmtp_client_state tmtp_client_get_state(const struct tmtp_client *client);
const char *tmtp_client_state_name(enum tmtp_client_state state);
const char *tmtp_client_last_error(const struct tmtp_client *client);  /* "" when none; it stays when it is over */
int64_t tmtp_client_last_error_ms(const struct tmtp_client *client);   /* monotonic; of no meaning when there is none */
const char *tmtp_client_uid(const struct tmtp_client *client);         /* NULL before registration */
int64_t tmtp_client_next_attempt_ms(const struct tmtp_client *client); /* monotonic; 0 when not waiting */
int64_t tmtp_client_state_since_ms(const struct tmtp_client *client);  /* monotonic */
enum tmtp_client_stop tmtp_client_stop_cause(const struct tmtp_client *client);
const char *tmtp_client_pin(const struct tmtp_client *client); /* what is expected; NULL: the first one met */
const char *tmtp_client_refused_pin(
    const struct tmtp_client *client); /* stopped by STOP_PIN: what was met; else NULL */

/* For '=': from now on this certificate is expected; NULL: the next one met is taken, and on_pin told. A connection
 * under another one is given up. A client that is STOPPED stays so. */
void tmtp_client_set_pin(struct tmtp_client *client, const char *pin);
/* Connects now: without the rest of a pause, or again after STOPPED. Nothing happens while there is a connection. */
void tmtp_client_connect(struct tmtp_client *client);

/* Counted since the client was made. */
struct tmtp_client_statistics {
    uint64_t logins;
    uint64_t posts;        /* sent, forwarded threads among them; without our barriers */
    uint64_t echoes;       /* posts of ours that came round */
    uint64_t deliveries;   /* thread messages handed to the owner */
    uint64_t pings;        /* the same */
    uint64_t notices;      /* the same: invite, member, notify */
    uint64_t unknown;      /* messages with an op that nobody knows */
    uint64_t bad_sums;     /* headers whose checksum did not match; each ended its connection */
    uint64_t redeliveries; /* that the client recognised by itself */
};
void tmtp_client_get_statistics(const struct tmtp_client *client, struct tmtp_client_statistics *out);

/* Requests. Each returns its number (> 0), or 0 when the state does not allow it or too many (1,000) are unanswered.
 * on_result follows exactly once, unless the client is freed first. Arguments are copied. */
uint64_t tmtp_client_add_alias(struct tmtp_client *client, const char *alias) __attribute__((warn_unused_result));
uint64_t tmtp_client_ping(struct tmtp_client *client, const char *from_alias, const char *to_alias, const char *text)
    __attribute__((warn_unused_result)); /* text is cut to 140 UTF-16 units at a character boundary */
uint64_t tmtp_client_group_invite(struct tmtp_client *client, const char *gid, const char *from_alias,
                                  const char *to_alias, const char *text) __attribute__((warn_unused_result));
uint64_t tmtp_client_group_edit(struct tmtp_client *client, const char *act, const char *gid, const char *to,
                                const char *newalias) __attribute__((warn_unused_result));

struct tmtp_client_recipient {
    const char *id;
    bool group; /* a gid: all members but the sender */
};
struct tmtp_client_post {
    const struct tmtp_message *message; /* second header; queue_key must be set when echo is */
    const struct tmtp_client_recipient *recipients;
    size_t recipient_count; /* repeated ids are sent once */
    /* body and attachments, read with pread() from offset 0; duplicated; -1 when content_size is 0 */
    int content_fd;
    int64_t content_size; /* must equal body + attachments */
    bool echo;            /* name our own uid too; allowed when ONLINE only */
    /* NULL, or forwards a thread (op 8): this second header alone goes as a `notify` to the recipients and to those it
     * is for, the message with its content as a forwarded thread to the recipients only. Without echo. */
    const struct tmtp_message *note;
    const struct tmtp_client_recipient *note_recipients;
    size_t note_recipient_count;
};
uint64_t tmtp_client_post(struct tmtp_client *client, const struct tmtp_client_post *post)
    __attribute__((warn_unused_result));

/* When the connection that brought it has gone, the ack is kept for the one that brings it again. */
void tmtp_client_ack(struct tmtp_client *client, const char *msgid);
/* It can't be dealt with now. Nothing else arrives until the silo brings it again (after 30 s, or a reconnect). */
void tmtp_client_decline(struct tmtp_client *client, const char *msgid);
/* Ownership goes to the caller; NULL if taken or none. */
struct spool *tmtp_client_take_content(struct tmtp_client_delivery *delivery);

/* Says quit and closes; then OFFLINE without further attempts (for shutting down). */
void tmtp_client_quit(struct tmtp_client *client);
