/* smtp_server.h - receiving mail: listeners, sessions, transactions (RFC 5321, LMTP: RFC 2033)
 *
 * A listener accepts sessions; a session carries transactions (MAIL, RCPT, DATA). The protocol is complete in here;
 * what to think of a sender, a recipient, a message is asked of the owner through callbacks, each of which the owner
 * answers now (inside the callback) or later, exactly once. Until it has answered, the session
 * reads no further commands (pipelined ones wait), and the transaction stays valid, even when the peer has gone
 * meanwhile: answering then has no effect on the wire. A later answer takes effect at the end of the turn. After the
 * answer to on_message, and after on_abandoned, the transaction is gone.
 *
 * Callbacks run on the loop. No DNS, no disk but the spool.
 *
 * Content comes by DATA, whose end is CRLF.CRLF and nothing else, or in chunks by BDAT (RFC 3030): to the owner that
 * makes no difference. What smtp_content.h does not allow in it is refused with 554 5.6.0 after the content, or the
 * chunk, has been read to its true end; on_message is not called for such a message. Content that came by BDAT need not
 * end with CRLF, and with SMTP_BODY_BINARYMIME it has any octets behind its header section.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "smtp/smtp_address.h"
#include "smtp/smtp_params.h"
#include "smtp/smtp_reply.h"

struct loop;
struct smtp_budget;
struct smtp_guessing;
struct spool;
struct stream;
struct tls_context;
struct smtp_listener;
struct smtp_origin;
struct smtp_session_facts;
struct smtp_transaction;

/* What was refused by the session itself, without a question; see on_refused. */
enum smtp_refused_place {
    SMTP_REFUSED_CONNECTION, /* before a command could come */
    SMTP_REFUSED_COMMAND,
    SMTP_REFUSED_CONTENT, /* what came after DATA, or a chunk */
};
struct smtp_refusal {
    enum smtp_refused_place place;
    const struct smtp_session_facts *session;      /* session_id "": was turned away before there was one */
    const struct smtp_transaction *transaction;    /* NULL: none */
    const char *command;                           /* its verb, of those we know; NULL */
    const struct smtp_address *sender, *recipient; /* of MAIL, RCPT; NULL: not known, or the transaction knows */
    const struct smtp_reply *reply;                /* 4xx or 5xx */
};

enum smtp_tls_policy { SMTP_TLS_NONE, SMTP_TLS_MAY, SMTP_TLS_REQUIRE, SMTP_TLS_IMPLICIT };

struct smtp_server_callbacks {
    /* MAIL FROM was well-formed; sizes and parameters are checked. Answer with smtp_transaction_answer_mail(). NULL:
     * accept. */
    void (*on_mail)(struct smtp_transaction *transaction, void *ctx);
    /* RCPT TO was well-formed; it becomes recipient number `index` if it is accepted (after a refusal the next one
     * gets the same index). Answer with smtp_transaction_answer_recipient(). */
    void (*on_recipient)(struct smtp_transaction *transaction, size_t index, void *ctx);
    /* The whole content is in smtp_transaction_content(). Answer with smtp_transaction_answer_message(). */
    void (*on_message)(struct smtp_transaction *transaction, void *ctx);
    /* RSET, QUIT, new EHLO, MAIL refused by the answer, content refused by us, connection lost before the end of data:
     * forget it. Comes for every transaction whose on_message was not asked. Not called while a question is open, nor
     * after on_message; never from inside an answer. May be NULL. */
    void (*on_abandoned)(struct smtp_transaction *transaction, void *ctx);
    /* For the record: a connection, command or content was refused for what the protocol or a limit says. Nothing is asked, and
     * nothing may be done to the session. May be NULL. */
    void (*on_refused)(const struct smtp_refusal *refusal, void *ctx);
};

struct smtp_listener_settings {
    struct loop *loop;
    const char *name;    /* of the section in the configuration, for logs */
    const char *address; /* see loop_listener_new(); NULL: none, see smtp_listener_adopt_fd() */
    int socket; /* one that listens at address already, see loop_listener_adopt(); 0: none. Taken over on success */
    bool lmtp;
    const char *hostname; /* in the greeting and EHLO reply */
    enum smtp_tls_policy tls_policy;
    struct tls_context *tls;    /* needed unless SMTP_TLS_NONE; the listener takes its own reference. If it knows peers
                                 * (tls_context_know_peers()), facts say who a client is */
    const char *const *clients; /* NULL-terminated "10.0.0.0/8", "::1"; NULL: everybody. Others get 554 */
    /* Whose connections begin with a header of the PROXY protocol (smtp_proxy.h), before TLS and our greeting: networks
     * as in clients, or "unix". Without a good one in time they are closed without a word. NULL: nobody's. From then on
     * all that is about clients is about the one that the header names. */
    const char *const *proxies;
    /* Who may say with XCLIENT that the client is somebody else, and with XFORWARD from whom it has the message (Postfix's
     * XCLIENT_README, XFORWARD_README): networks or "unix". NULL: nobody. It is the address that has connected which
     * counts, or its client's when it is a proxy; never one that XCLIENT has named. To others neither is announced; they
     * get 550 5.7.0. After XCLIENT clients, what is exempt and limits per client are about the new client: 554, 421. */
    const char *const *xclients;
    const char *const *xforwards;
    int64_t proxy_timeout_ms; /* for the header; 0: 5 s */
    unsigned max_sessions;    /* more: 421 4.3.2. 0: 1,000 */
    /* Clients, what is exempt, and rates: smtp_admission.h. 0: no limit. More: 421 4.7.0 for connections, else 450 4.7.1 */
    const char *const *exempt; /* NULL-terminated; NULL: only clients of a unix socket */
    unsigned max_sessions_per_client;
    unsigned connections_per_minute, messages_per_minute, recipients_per_minute;
    unsigned messages_max;      /* MAIL in a session; more: 421 4.7.0. 0: no limit. Exempt clients have none */
    unsigned junk_commands_max; /* besides recipients_max, in a row without mail: 421 4.7.0. 0: no limit. Likewise */
    unsigned recipients_max;    /* per transaction; more: 452 4.5.3. 0: 1,000 (RFC 5321: at least 100) */
    int64_t message_max;        /* bytes of content, announced by SIZE; more: 552 5.3.4. 0: no limit */
    int64_t spool_max;          /* bytes of content of all sessions together; more: 452 4.3.1. 0: no limit */
    const char *spool_dir;
    /* timeouts (RFC 5321 section 4.5.3.2), 0: 5 min for a command, 3 min for a data block; then 421 4.4.2 */
    int64_t command_timeout_ms, data_timeout_ms;
    unsigned errors_max;    /* bad commands before 421 4.7.0. 0: 20 */
    int64_t greet_delay_ms; /* whoever talks before that gets 554 5.5.1. Not for LMTP, implicit TLS, exempt clients */
    /* Who tries out recipients and senders is slowed, and sent away (smtp_guessing.h): replies wait, 421 4.7.0. Shared by all
     * listeners, outlives them; NULL: nobody is. Not for exempt clients; and not for those of an upstream, which is one client for
     * everybody behind it, unless XCLIENT says whose guess it is. */
    struct smtp_guessing *guessing;
    bool is_upstream;           /* its clients are mail servers of ours that pass on what comes from everywhere */
    struct smtp_budget *budget; /* shared by all listeners, outlives them; NULL: none. Spent: 421 4.3.2, 452 4.3.1 */
    const struct smtp_server_callbacks *callbacks; /* a static const */
    void *ctx;
};

/* NULL with the reason in *error_out (caller frees). */
struct smtp_listener *smtp_listener_new(const struct smtp_listener_settings *settings, char **error_out)
    __attribute__((warn_unused_result));
const char *smtp_listener_address(const struct smtp_listener *listener); /* as bound; "" without */
const char *smtp_listener_name(const struct smtp_listener *listener);
/* Those with an open question count, even when their peer has gone. */
unsigned smtp_listener_sessions(const struct smtp_listener *listener);
/* Since the listener was made. */
enum { SMTP_REPLY_CLASSES = 6 }; /* by the first digit of their codes */
struct smtp_listener_statistics {
    uint64_t sessions; /* connections that were let in */
    uint64_t
        turned_away;   /* that were not: 421 and 554 before a command; and sessions ended when their client was known */
    uint64_t tls;      /* sessions that have set TLS up */
    uint64_t commands; /* lines that were read as commands, unknown ones among them */
    uint64_t replies[SMTP_REPLY_CLASSES]; /* each once, however many lines it has; those to who is turned away too */
    struct histogram lasted_ms;           /* sessions that have ended */
};
/* Until when the certificate that it shows is valid, s since 1970; 0: it has none. */
int64_t smtp_listener_certificate_ends(const struct smtp_listener *listener);
void smtp_listener_get_statistics(const struct smtp_listener *listener, struct smtp_listener_statistics *out);
/* Serves a connected fd, which it takes over, as if it had been accepted; peer as loop_listener_new gives it. */
void smtp_listener_adopt_fd(struct smtp_listener *listener, int fd, const char *peer);
/* Limits, timeouts, clients, exempt and tls are from now on as in settings; its loop, name, address, protocol, hostname,
 * tls_policy, spool_dir, budget, guessing, callbacks and ctx are not looked at. Sessions go on: one too many stays, one whose client
 * might not come in any more gets 421 4.7.0 when its transaction is over. -1 with the reason in *error_out (caller frees): nothing
 * changed. */
int smtp_listener_reconfigure(struct smtp_listener *listener, const struct smtp_listener_settings *settings,
                              char **error_out) __attribute__((warn_unused_result));
/* Busy: new transactions get 452 4.3.1 at MAIL (queue or disk full). */
void smtp_listener_set_busy(struct smtp_listener *listener, bool busy);
/* Stops accepting, for good; sessions between transactions get 421 4.3.2, others after their transaction. on_drained
 * (may be NULL) comes once no session is left, or after deadline_ms when what is left was cut. */
void smtp_listener_drain(struct smtp_listener *listener, int64_t deadline_ms, void (*on_drained)(void *arg), void *arg);
/* Cuts what is left: on_abandoned comes from inside. Open questions must still be answered (no effect on the wire;
 * after on_mail's and on_recipient's, on_abandoned follows at the end of the turn): until then callbacks and ctx must
 * live. */
void smtp_listener_free(struct smtp_listener **listener);

/* Facts of a transaction; pointers are valid as long as it is. */
struct smtp_session_facts {
    const char *listener;     /* name */
    const char *session_id;   /* short, unique in this process, for logs and traces */
    const char *peer;         /* "192.0.2.1:4711" or "unix" */
    const char *peer_address; /* without port */
    /* Who is behind the peer, as a proxy or mail server says whom we believe that; else the same as the peer. */
    const char *client;
    const char *client_address;
    const char *helo;        /* EHLO/LHLO argument */
    const char *protocol;    /* RFC 3848: "ESMTP", "ESMTPS", "LMTP", "LMTPS"; with SMTPUTF8 "UTF8SMTP"... (RFC 6531) */
    const char *tls_version; /* NULL when plain */
    /* Which of the peers that tls knows the client has proven to be, by its certificate; NULL: none, or since then XCLIENT has said
     * that the client is somebody else. */
    const char *tls_peer;
    /* A reload has changed who may come in, and who is believed about clients: this one would be turned away now. What the settings
     * say of clients is not said of it. */
    bool is_unwelcome;
    /* What the client says of whom it has the message from (XFORWARD, smtp_origin.h); NULL: nothing, or it is not
     * believed. */
    const struct smtp_origin *origin;
};
const struct smtp_session_facts *smtp_transaction_session(const struct smtp_transaction *transaction);
const struct smtp_address *smtp_transaction_sender(const struct smtp_transaction *transaction); /* null path: bounce */
/* Accepted ones only, after answers. */
size_t smtp_transaction_recipient_count(const struct smtp_transaction *transaction);
/* index < count, or the one that is asked about. */
const struct smtp_address *smtp_transaction_recipient(const struct smtp_transaction *transaction, size_t index);
/* What is asked of delivery reports (RFC 3461), as received and encoded (see smtp_params.h). index as above. */
enum smtp_dsn_ret smtp_transaction_ret(const struct smtp_transaction *transaction);
const char *smtp_transaction_envid(const struct smtp_transaction *transaction);             /* "" when there is none */
unsigned smtp_transaction_notify(const struct smtp_transaction *transaction, size_t index); /* enum smtp_dsn_notify */
const char *smtp_transaction_orcpt(const struct smtp_transaction *transaction, size_t index); /* NULL: none */
int64_t smtp_transaction_declared_size(const struct smtp_transaction *transaction); /* SIZE=; -1 when absent */
bool smtp_transaction_is_smtputf8(const struct smtp_transaction *transaction);
enum smtp_body smtp_transaction_body(const struct smtp_transaction *transaction); /* as declared by BODY= */
bool smtp_transaction_is_lmtp(const struct smtp_transaction *transaction);
/* "a1b2c3-7-1": the session's id and a number; unique in this process, and the id in the Received field. */
const char *smtp_transaction_id(const struct smtp_transaction *transaction);
/* The content begins with a Received field of ours (smtp_received.h), so many octets of it. Limits of size are about what
 * comes behind it. */
size_t smtp_transaction_received_size(const struct smtp_transaction *transaction);
struct spool *smtp_transaction_content(const struct smtp_transaction *transaction); /* NULL before on_message */
struct spool *smtp_transaction_take_content(struct smtp_transaction *transaction);  /* ownership to the caller */
/* Room for the owner's own pointer. */
void smtp_transaction_set_data(struct smtp_transaction *transaction, void *data);
void *smtp_transaction_data(const struct smtp_transaction *transaction);

/* Before a refusal: what is refused may be a guess, and is counted as one. */
void smtp_transaction_note_guess(struct smtp_transaction *transaction);
void smtp_transaction_answer_mail(struct smtp_transaction *transaction, const struct smtp_reply *reply);
void smtp_transaction_answer_recipient(struct smtp_transaction *transaction, size_t index,
                                       const struct smtp_reply *reply);
/* SMTP: one reply (count 1). LMTP: one per accepted recipient, in order; count 1 answers for all alike. */
void smtp_transaction_answer_message(struct smtp_transaction *transaction, const struct smtp_reply *replies,
                                     size_t count);
