/* smtp_session.h - one connection: its states, its commands, its open question
 *
 * Private to smtp/: shared by smtp_session.c (the machine), smtp_transaction.c (the owner's side) and smtp_cmd_*.c (the
 * commands).
 *
 * A session is driven by its runs, and by nothing else. A run takes steps (a command, a piece of content, an
 * answer) as long as one is possible. Input, answers and room for output start a run. Replies are collected and
 * written when it ends (RFC 2920 section 3.2).
 *
 * It ends when the connection does, but lives on while the owner has a question to answer.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "smtp/smtp_content.h"
#include "smtp/smtp_params.h"
#include "smtp/smtp_parser.h"
#include "smtp/smtp_server.h"
#include "smtp/smtp_session_limits.h"

struct smtp_listener;
struct smtp_proxy_parser;
struct stream_callbacks;
struct timer;

/* A session is in exactly one of these; smtp_session_set_state() is the only writer. */
enum smtp_session_state {
    SMTP_SESSION_PROXY,     /* the header that says who the client is must come; nothing is written here */
    SMTP_SESSION_HANDSHAKE, /* TLS is being set up; nothing is read or written here */
    SMTP_SESSION_WAITING,   /* whether the client talks before its greeting: then there will be none */
    SMTP_SESSION_START,     /* greeted the client (or restarted by STARTTLS); no EHLO yet */
    SMTP_SESSION_READY,     /* EHLO was accepted; between transactions */
    SMTP_SESSION_ENVELOPE,  /* MAIL was accepted; recipients may come */
    SMTP_SESSION_ASKING,    /* the owner has a question, see transaction->question; nothing is parsed */
    SMTP_SESSION_DATA,      /* reading content; nothing else is parsed until its true end */
    SMTP_SESSION_CHUNK,     /* reading as many octets as a BDAT has said, whether anybody wants them or not */
    SMTP_SESSION_CHUNKED,   /* between chunks of content: there is no way back to RCPT or DATA */
    SMTP_SESSION_GONE,      /* connection lost or closed; waits for an open answer, then dies */
};

enum smtp_question { SMTP_QUESTION_NONE, SMTP_QUESTION_MAIL, SMTP_QUESTION_RECIPIENT, SMTP_QUESTION_MESSAGE };
enum smtp_answer {
    SMTP_ANSWER_AWAITED,
    SMTP_ANSWER_LATE, /* the owner has answered, and the reply waits: it was a guess (smtp_guessing.h) */
    SMTP_ANSWER_ACCEPTED,
    SMTP_ANSWER_REFUSED,
};

/* Why content is read and thrown away. */
enum smtp_content_fault {
    SMTP_CONTENT_GOOD,
    SMTP_CONTENT_DEFECTIVE, /* the check says why */
    SMTP_CONTENT_TOO_LARGE,
    SMTP_CONTENT_NO_ROOM, /* the listener's sessions hold too much together */
    SMTP_CONTENT_SPOOL_FAILED,
    SMTP_CONTENT_INCOMPLETE, /* a chunk was refused: what comes after it must not be taken for the whole */
};

struct smtp_recipient {
    struct smtp_address address;
    unsigned notify; /* enum smtp_dsn_notify */
    char *orcpt;     /* NULL: none */
};

struct smtp_transaction {
    struct smtp_session *session;
    char id[48]; /* in Received, logs and traces */
    struct smtp_address sender;
    struct smtp_mail_params params;
    struct smtp_recipient *recipients; /* the accepted ones, then, while it is asked about, the next */
    size_t recipient_count;
    size_t recipient_capacity;
    size_t orcpt_size;    /* octets that the recipients' orcpt take together */
    size_t refused_count; /* recipients that the owner did not want */
    enum smtp_question question;
    enum smtp_answer answer;          /* to question */
    bool is_last;                     /* the answer was 421: close after it */
    bool is_guess;                    /* what is about to be refused */
    struct smtp_reply *late;          /* the reply, while the answer is LATE; else NULL */
    struct smtp_data_decoder decoder; /* of DATA */
    struct smtp_content_check check;
    enum smtp_content_fault fault;
    struct spool *content; /* behind our Received field */
    size_t received_size;  /* octets of that field */
    int64_t content_size;  /* without it */
    int64_t spooled;       /* of it, what counts in the listener's sum: until it is thrown away, or answered for */
    void *data;            /* the owner's */
};

/* What a BDAT has announced. */
struct smtp_chunk {
    int64_t size, left;
    bool is_last;
    bool is_bad;                    /* the refusal counts as an error */
    struct smtp_reply *refusal;     /* for when the chunk has been read and thrown away; NULL: it is wanted */
    enum smtp_session_state before; /* where its command came */
};

struct smtp_session {
    enum smtp_session_state state;
    struct smtp_listener *listener; /* NULL when it was freed; then the session is gone, too */
    struct smtp_session *next, *previous;
    struct loop *loop;
    const struct smtp_server_callbacks *callbacks;
    void *ctx;
    struct stream *stream; /* NULL when gone */
    struct timer *timeout; /* NULL when gone */
    struct smtp_transaction *transaction;
    struct smtp_session_facts facts; /* points to the texts below */
    char id[32];
    char tls_version[16]; /* "" when plain */
    char *tls_peer;       /* NULL: it is nobody whom we know */
    char *peer;
    char *peer_address;
    char *client; /* as peer, unless PROXY or XCLIENT has said who is behind it */
    char *client_address;
    struct smtp_origin *xclient;     /* NULL: nothing was said */
    struct smtp_origin *xforward;    /* likewise; facts.origin */
    char *teller;                    /* the client's address before XCLIENT has changed it; NULL: it has not */
    struct smtp_proxy_parser *proxy; /* in SMTP_SESSION_PROXY, else NULL */
    char *helo;                      /* NULL before EHLO */
    char *listener_name;
    unsigned long transaction_number; /* of the newest, for its id */
    const char *verb;                 /* of the command that is being run; NULL: none, or an unknown one */
    bool is_lmtp;
    bool is_extended; /* EHLO or LHLO, not HELO */
    bool needs_tls;   /* implicit TLS, as soon as the header of SMTP_SESSION_PROXY has come */
    bool is_running;  /* a run is under way: it will see what was changed */
    bool run_queued;  /* a run is due at the end of this turn */
    bool skips_line;  /* in the middle of a line that is too long */
    unsigned errors;
    int64_t began_at;    /* monotonic */
    int64_t waits_since; /* likewise, for the client to say what comes next */
    struct smtp_session_use use;
    struct smtp_chunk chunk; /* in SMTP_SESSION_CHUNK */
    struct strbuf out;       /* replies not yet written */
};

/* --- smtp_session.c: for the listener --- */
/* Not connected yet: create its stream with these callbacks and the session as ctx, then smtp_session_begin(), or
 * smtp_session_begin_proxied() with a plain stream. Takes peer_address and visit over, copies peer. */
struct smtp_session *smtp_session_new(struct smtp_listener *listener, const char *peer, char *peer_address,
                                      const struct smtp_visit *visit);
const struct stream_callbacks *smtp_session_stream_callbacks(void);
void smtp_session_begin(struct smtp_session *session, struct stream *stream, bool is_tls);
void smtp_session_begin_proxied(struct smtp_session *session, struct stream *stream);
void smtp_session_run_later(struct smtp_session *session);
void smtp_session_orphan(struct smtp_session *session); /* its listener is about to go; it is gone already */
/* Its place is wanted, and it has been silent for long: makes room at once. */
void smtp_session_give_up(struct smtp_session *session);
/* Whether the client is waited for, and is one of whom there may be too many. */
bool smtp_session_may_give_up(const struct smtp_session *session);
void smtp_session_cut(struct smtp_session *session); /* drops the connection; the transaction is abandoned */

/* --- for the commands --- */
bool smtp_session_is_tls(const struct smtp_session *session);
/* Who the client really is, in the form of peer (the port may be missing). Ask smtp_listener_readmit() before. */
void smtp_session_set_client(struct smtp_session *session, const char *client);
/* As after the greeting, which is said again (XCLIENT). */
void smtp_session_restart(struct smtp_session *session);
/* Who the client is by its certificate, after the handshake; NULL: nobody any more. */
void smtp_session_set_tls_peer(struct smtp_session *session, const char *peer);
/* What XFORWARD has said. */
void smtp_session_forget_origin(struct smtp_session *session);
void smtp_session_set_state(struct smtp_session *session, enum smtp_session_state state);
void smtp_session_set_helo(struct smtp_session *session, char *helo); /* takes it over */
void smtp_session_reply(struct smtp_session *session, int code, const char *enhanced, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Replies to a command that was none; counts it. false when there were too many: close. */
bool smtp_session_reply_bad(struct smtp_session *session, int code, const char *enhanced, const char *text)
    __attribute__((warn_unused_result));
void smtp_session_write(struct smtp_session *session, const struct smtp_reply *reply); /* the owner's */
/* A reply of the session itself: what it refuses the owner hears of (on_refused). */
void smtp_session_answer(struct smtp_session *session, const struct smtp_reply *reply);
/* The same, of a command that names somebody, whom the transaction does not know; NULL. */
void smtp_session_refuse(struct smtp_session *session, const struct smtp_reply *reply,
                         const struct smtp_address *sender, const struct smtp_address *recipient);
/* Without writing it. */
void smtp_session_note_refusal(struct smtp_session *session, const struct smtp_reply *reply);
void smtp_session_reply_lines(struct smtp_session *session, int code, const char *enhanced, const char *const *lines,
                              size_t count);
void smtp_session_flush(struct smtp_session *session);

/* --- smtp_session_proxy.c --- */
void smtp_session_prepare_proxy(struct smtp_session *session);
/* Takes the header from the stream. 1: the client is known and may go on; 0: more must come; -1: close, maybe after a
 * reply. */
int smtp_session_read_proxy(struct smtp_session *session) __attribute__((warn_unused_result));

/* --- smtp_transaction.c --- */
struct smtp_transaction *smtp_transaction_begin(struct smtp_session *session, const struct smtp_address *sender,
                                                const struct smtp_mail_params *params);
/* Ends the session's transaction, if there is one: tells the owner unless on_message was answered. */
void smtp_transaction_abandon(struct smtp_session *session);
bool smtp_transaction_is_asking(const struct smtp_transaction *transaction); /* the owner has not answered yet */
void smtp_transaction_ask_mail(struct smtp_transaction *transaction);
/* Whether there is room for one more, by number and by the memory that its parameters take. */
bool smtp_transaction_has_room(const struct smtp_transaction *transaction, const struct smtp_rcpt_params *params);
void smtp_transaction_ask_recipient(struct smtp_transaction *transaction, const struct smtp_address *address,
                                    const struct smtp_rcpt_params *params);
/* Content: opened at DATA or the first BDAT, added piece by piece, closed at the final dot or the end of the last chunk
 * with a question or, if it is bad, a reply. */
void smtp_transaction_open_content(struct smtp_transaction *transaction);
/* So much more will come: too much is given up before it does. */
void smtp_transaction_expect_content(struct smtp_transaction *transaction, int64_t len);
void smtp_transaction_add_content(struct smtp_transaction *transaction, const uint8_t *data, size_t len);
void smtp_transaction_give_up_content(struct smtp_transaction *transaction, enum smtp_content_fault fault);
/* What is wrong with the content so far; code 0: nothing. */
struct smtp_reply smtp_transaction_content_refusal(const struct smtp_transaction *transaction);
void smtp_transaction_close_content(struct smtp_transaction *transaction);
/* smtp_session_origin.c: puts our Received field in front of the content, which is empty. 1, -1 as spool_add(). */
int smtp_transaction_add_received(struct smtp_transaction *transaction) __attribute__((warn_unused_result));
/* A late reply has waited long enough. */
void smtp_transaction_answer_late(struct smtp_transaction *transaction);
/* The answer takes effect: the session's next state; the transaction may have ended. false: close the session. */
bool smtp_transaction_apply_answer(struct smtp_transaction *transaction) __attribute__((warn_unused_result));
