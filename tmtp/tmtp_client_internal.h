/* tmtp_client_internal.h - what the source files of the TMTP client share; nobody else includes it
 *
 *   tmtp_client.c         the object, its states, the link: connecting, pulse, patience, backoff
 *   tmtp_client_login.c   from tmtprev to the barrier's return
 *   tmtp_client_inbox.c   what the silo pushes: frames in, callbacks out, acknowledgements
 *   tmtp_client_outbox.c  requests: composing, sending in order, answers
 *   tmtp_client_text.c    the text of pings
 *
 * A link is one connection. Whoever finds it broken calls client_break_link(): the stream closes at once, and on
 * the loop's next turn the state changes, unanswered requests are reported lost and the next attempt is planned. So no
 * caller has to reckon with callbacks of the owner, except after client_set_state() and the functions that say so:
 * the owner may free the client in any callback, hence `dead` is checked after each.
 */
#pragma once
#include "base/strbuf.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"

struct stream;
struct timer;
struct tls_context;
struct tmtp_frame_decoder;

enum {
    CLIENT_ID_MAX = 64,     /* bytes of a message id (the reference server's have 16) */
    CLIENT_ACKED_KEPT = 64, /* ids remembered, to answer redeliveries */
    CLIENT_REQUESTS_MAX = 1000,
};

/* What follows when a link has ended. */
enum client_after {
    CLIENT_AFTER_RETRY, /* connect again, with backoff */
    CLIENT_AFTER_BUSY,  /* our node's former connection isn't gone yet: again soon */
    CLIENT_AFTER_QUIT,  /* the owner wanted it */
    /* a person has to act: */
    CLIENT_AFTER_STOP_PIN,
    CLIENT_AFTER_STOP_TOKEN,
    CLIENT_AFTER_STOP_ACCOUNT,
    CLIENT_AFTER_STOP_SETUP,
};

/* One push on its way to the owner, who may keep it until tmtp_client_ack(). */
struct client_item {
    struct tmtp_client_delivery delivery; /* first: tmtp_client_take_content() is given this */
    struct tmtp_push push;
    struct tmtp_message message;
    struct strbuf text; /* second header of a delivery; data of a ping or a notice */
};

/* Where the data of the frame being received goes. */
enum client_sink {
    CLIENT_SINK_DROP,
    CLIENT_SINK_TEXT,  /* item->text, cut at text_max */
    CLIENT_SINK_HEAD,  /* item->text, for head_left more bytes */
    CLIENT_SINK_SPOOL, /* item->delivery.content */
};

/* What becomes of the frame being received when it is complete. */
enum client_fate {
    CLIENT_FATE_HANDLE,
    CLIENT_FATE_ACK,    /* means nothing to us, or was dealt with before */
    CLIENT_FATE_IGNORE, /* not to be acknowledged (now) */
};

struct client_inbox {
    struct client_item *receiving; /* NULL between frames */
    enum client_sink sink;
    enum client_fate fate;
    size_t text_max;
    uint64_t head_left;
    bool paused; /* too many acknowledgements wait for the silo to read them */

    /* The owner works on this. It outlives its link: when the silo delivers it again, the owner isn't asked twice. */
    struct client_item *unanswered;
    uint64_t unanswered_link; /* the last link that brought it */
    uint64_t skipped_link; /* the last link on which a push was left for later: what follows it says nothing about it */

    char acked[CLIENT_ACKED_KEPT][CLIENT_ID_MAX + 1];
    unsigned acked_next;
};

struct client_request {
    struct client_request *next;
    uint64_t number;
    struct strbuf frame; /* head, and what of the data is composed */
    int content_fd;      /* -1: none */
    int64_t content_size;
    int64_t content_sent;
    int64_t sent_ms;     /* when all of it was handed to the stream; 0: not yet */
    const char *refusal; /* static; set when it can't be sent at all */
    bool barrier;        /* ours: the owner doesn't know it */
    bool post;           /* one of the owner's: its message has an id, which the ack tells */
    bool answered;       /* before its data was out; nobody is to be told when it is */
};

struct client_requests { /* in the order in which they were made */
    struct client_request *first, **end;
    unsigned count;
};

struct client_outbox {
    uint64_t last_number;
    struct client_requests unanswered;
    struct client_requests refused; /* to be reported on the next turn */
    struct client_request *unsent;  /* first of `unanswered` that has not been begun */
    struct client_request *sending; /* its content is being streamed: no other frame may start */
    struct strbuf control; /* composed frames without an answer (acks, pulse, login); they go before requests */
};

/* What is said in the log about a silo that misbehaves, within the current minute. */
struct client_complaints {
    int64_t since_ms;
    unsigned made, withheld;
};

struct tmtp_client {
    struct loop *loop;
    const struct tmtp_client_callbacks *callbacks;
    void *ctx;
    struct stream *(*connect)(const struct stream_settings *settings, void *connect_ctx);
    void *connect_ctx;

    char *address, *ca_file, *pin, *uid, *node, *alias, *spool_dir;
    char *refused_pin; /* of the certificate that was met instead of `pin` at the last attempt; NULL */
    int64_t message_max, retry_first_ms, retry_longest_ms, pulse_ms;

    enum tmtp_client_state state;
    bool dead;            /* freed by the owner; the memory goes at the end of the turn */
    bool account_unsaved; /* registered, and the owner hasn't said yet that it is stored */
    char *last_error;

    struct tls_context *tls;
    struct stream *stream; /* NULL: no link, or one that has ended and is not settled yet */
    struct tmtp_frame_decoder *decoder;
    uint64_t link;  /* number of the connection */
    bool link_over; /* ended: to be settled on the next turn, as `after` says */
    enum client_after after;
    unsigned failures, busy_failures; /* in a row; what the delays grow by */
    int64_t next_attempt_ms;          /* 0: none planned */
    int64_t online_since_ms, state_since_ms, last_error_ms, output_ms;
    int64_t progress_ms;  /* when the silo last did what we wait for; what else it says does not count */
    int64_t heard_ms;     /* when it last said anything */
    size_t content_heard; /* octets of data since progress_ms */
    struct client_complaints complaints;
    struct timer *retry_timer, *wake_timer, *tick_timer;
    char barrier_key[33];
    struct tmtp_client_statistics statistics;

    struct client_inbox inbox;
    struct client_outbox outbox;
};

/* tmtp_client.c */
void client_set_state(struct tmtp_client *client, enum tmtp_client_state state); /* calls the owner */
void client_break_link(struct tmtp_client *client, enum client_after after, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void client_note_progress(struct tmtp_client *client); /* the link lives: patience begins anew */
void client_note_frame(struct tmtp_client *client);    /* one begins, which may be what is waited for from now on */
void client_note_content(struct tmtp_client *client,
                         size_t len); /* so much of a message has come: progress, if it is more than drops */
/* May the log have another line about what the silo does wrong? It could send such things without end. */
bool client_may_complain(struct tmtp_client *client);
void client_wake(struct tmtp_client *client); /* deal on the next turn with what can't be done now */
int64_t client_now_ms(const struct tmtp_client *client);

/* tmtp_client_login.c. All may call the owner. */
void client_login_start(struct tmtp_client *client);
void client_login_tmtprev(struct tmtp_client *client, const struct tmtp_push *push);
void client_login_registered(struct tmtp_client *client, const struct tmtp_push *push);
void client_login_info(struct tmtp_client *client, const struct tmtp_push *push);
void client_login_quit(struct tmtp_client *client, const struct tmtp_push *push);
void client_login_barrier_returned(struct tmtp_client *client);

/* tmtp_client_inbox.c */
void client_inbox_read(struct tmtp_client *client); /* takes the stream's input; calls the owner */
void client_inbox_end_link(struct tmtp_client *client);
void client_inbox_free(struct tmtp_client *client);

/* tmtp_client_outbox.c */
void client_outbox_init(struct tmtp_client *client);
void client_outbox_free(struct tmtp_client *client);
void client_outbox_control(struct tmtp_client *client, const struct tmtp_request *request);
void client_outbox_pump(struct tmtp_client *client);             /* sends what may be sent now */
void client_outbox_quit(struct tmtp_client *client);             /* last words: writes everything that is small */
bool client_outbox_is_clogged(const struct tmtp_client *client); /* the silo doesn't read what we say */
void client_outbox_post_barrier(struct tmtp_client *client);
/* Since when the oldest request that was sent as a whole waits for its answer; 0: there is none. */
int64_t client_outbox_waits_since_ms(const struct tmtp_client *client);
void client_outbox_answer(struct tmtp_client *client, const struct tmtp_push *ack); /* calls the owner */
void client_outbox_end_link(struct tmtp_client *client);       /* calls the owner: everything unanswered is lost */
void client_outbox_report_refused(struct tmtp_client *client); /* calls the owner */

/* tmtp_client_text.c. Appends text as valid UTF-8, at most units_max UTF-16 units of it; what the silo would close
 * the connection for (invalid bytes, U+FFFD) or C can't hold (NUL) becomes '?'. */
void client_text_add(struct strbuf *out, const char *text, size_t len, size_t units_max);
