/* smtp_client_internal.h - what the files of the SMTP client share
 *
 * smtp_client.c holds the life of a client, its states and its connection; smtp_client_session.c brings a fresh
 * connection to the point where the relay knows us (greeting, EHLO, STARTTLS), smtp_client_auth.c makes it sure that it
 * is us; smtp_client_envelope.c knows what a message
 * needs and writes its envelope; smtp_client_transaction.c sends envelope and content and sorts the replies;
 * smtp_client_content.c reads the content and puts it on the wire. Not for use outside of them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_sasl.h"

struct stream;
struct timer;

enum smtp_client_state {
    SMTP_CLIENT_CLOSED,     /* no connection */
    SMTP_CLIENT_CONNECTING, /* TCP, and TLS when implicit, are on their way */
    SMTP_CLIENT_GREETING,   /* connected; waiting for the relay's first words */
    SMTP_CLIENT_EHLO,       /* waiting for the answer to EHLO or LHLO */
    SMTP_CLIENT_HELO,       /* EHLO was not understood; waiting for the answer to HELO */
    SMTP_CLIENT_STARTTLS,   /* waiting for leave to start TLS; nothing may be written */
    SMTP_CLIENT_HANDSHAKE,  /* TLS handshake after STARTTLS */
    SMTP_CLIENT_AUTH_WORK,  /* finding out what to say in AUTH; nothing is asked */
    SMTP_CLIENT_AUTH,       /* AUTH or a response is out; waiting for the answer */
    SMTP_CLIENT_READY,      /* nothing asked, nothing to say; kept for the next message, then QUIT */
    SMTP_CLIENT_ENVELOPE,   /* commands up to DATA are out, or some of them; replies come in their order */
    SMTP_CLIENT_CONTENT,    /* sending content; a reply now is premature */
    SMTP_CLIENT_FINAL,      /* the final dot is written; once it is sent, the message may have been taken */
};

/* What the relay said it can do; all false after HELO. */
struct smtp_client_extensions {
    bool pipelining, eight_bit, smtputf8, starttls, size, dsn, chunking;
    unsigned mechanisms; /* of AUTH: enum smtp_sasl_mechanism, as bits */
    int64_t size_max;    /* with size; 0: no limit told */
};

/* Makes lines fit for the wire: dots doubled, line ends CRLF whatever they were. A bare CR or LF that went out as it is
 * might be taken for a line end by the far side, and what stands behind it for the end of the message. */
struct smtp_client_stuffing {
    bool in_line;    /* not at the start of a line */
    bool after_cr;   /* the CR is not written yet */
    bool keeps_dots; /* in chunks, whose size says where they end: no dots are doubled, and there is no final one */
};
/* Appends data, made fit, to out: at most twice its size and two octets more. */
void smtp_client_stuff(struct smtp_client_stuffing *stuffing, const char *data, size_t len, struct strbuf *out);
/* Appends the end: a line end when one is missing, and the final dot where there is one. */
void smtp_client_stuff_end(struct smtp_client_stuffing *stuffing, struct strbuf *out);

struct smtp_client_envelope_recipient {
    struct smtp_address address;
    unsigned notify;
    char *orcpt; /* "": not said */
};

/* One message on its way, from smtp_client_send() until done. */
struct smtp_client_transaction {
    struct smtp_address sender;
    struct smtp_client_envelope_recipient *recipients;
    struct smtp_recipient_result *results; /* settled when their reply has a code */
    size_t recipient_count;
    char *envid; /* "": not said */
    enum smtp_dsn_ret ret;
    char *prefix;
    int content_fd;
    int64_t content_size;
    bool is_probe;
    bool is_8bit;
    bool needs_smtputf8; /* it cannot be written without */
    bool says_smtputf8;  /* to this relay */
    smtp_client_done *done;
    void *ctx;

    bool may_reopen;     /* the connection was a kept one and has not answered yet: it may be long dead */
    size_t next_command; /* RSET, MAIL, RCPT..., DATA are numbered; see smtp_client_transaction.c */
    size_t next_reply;   /* of the commands before next_command, the first that is not answered */
    bool is_mail_refused;
    size_t accepted_count; /* recipients whose RCPT was accepted */
    bool uses_chunks;
    size_t chunks_unanswered; /* sent; with the last one */
    bool is_prefix_sent;
    int64_t content_offset; /* read so far */
    struct smtp_client_stuffing stuffing;
};

struct smtp_client {
    struct loop *loop;
    char *address, *tls_name, *helo;
    char *pin;             /* NULL: name and CA count */
    char *user, *password; /* NULL: no AUTH */
    struct background *background;
    bool lmtp, implicit_tls;
    enum smtp_client_tls tls;
    struct tls_context *tls_context; /* NULL: never TLS */
    int64_t connect_timeout_ms, command_timeout_ms, initiation_timeout_ms, data_timeout_ms, final_timeout_ms, keep_ms;

    enum smtp_client_state state;
    struct stream *stream;    /* NULL when closed */
    struct timer *timer;      /* READY: until QUIT; else: how long the relay may be silent */
    struct timer *completion; /* calls done from a clean stack */
    struct smtp_reply reply;  /* being read */
    struct smtp_client_extensions extensions;
    bool avoids_chunks;     /* the relay has offered CHUNKING and then did not know BDAT */
    bool avoids_tls;        /* this connection stays plain: a handshake failed, and TLS is not required */
    bool is_used;           /* this connection has carried a transaction: RSET comes before the next */
    unsigned message_count; /* on this connection */
    int64_t connected_at_ms;
    struct smtp_sasl *sasl; /* NULL: no AUTH is under way */
    enum smtp_sasl_mechanism mechanism;
    bool is_auth_begun; /* AUTH was said */
    bool is_auth_cancelled;
    struct strbuf challenge;                     /* base64, as it came */
    char *said;                                  /* in AUTH, last, in base64; NULL */
    struct smtp_client_transaction *transaction; /* NULL: idle */
};

/* --- smtp_client.c --- */
void smtp_client_set_state(struct smtp_client *client, enum smtp_client_state state);
/* Writes a command or several; the relay now has its time to answer. Nothing may be unread from before: what came
 * without being asked for is no answer, and the connection is given up. The state is set before. */
void smtp_client_write_command(struct smtp_client *client, const struct strbuf *text);
/* Something was asked, and that is how long the answer may take. */
void smtp_client_await_reply(struct smtp_client *client);
/* The connection is of no more use. Tries once more where that is safe and promised; otherwise the recipients without
 * an outcome get `why` (a 4xx), as TEMPORARY, or as UNKNOWN after the final dot. */
void smtp_client_give_up(struct smtp_client *client, enum smtp_stage stage, const struct smtp_reply *why);
/* As above, for a relay that does not keep to the protocol. */
void smtp_client_protocol_error(struct smtp_client *client, const char *what);
/* FINAL, and nothing of the content is left in our output: a reply now may be about the whole of it. */
bool smtp_client_is_end_sent(const struct smtp_client *client);
/* Closes the connection, without a word. */
void smtp_client_drop(struct smtp_client *client);
/* Gives every recipient that has no outcome yet this one. */
void smtp_client_settle_rest(struct smtp_client *client, enum smtp_stage stage, enum smtp_outcome outcome,
                             const struct smtp_reply *reply);
/* All recipients have an outcome: reports, and keeps the connection, if there is one, for the next message. */
void smtp_client_finish(struct smtp_client *client);

/* --- smtp_client_session.c --- */
void smtp_client_say_hello(struct smtp_client *client);
void smtp_client_note_extension(struct smtp_client *client, const char *line,
                                size_t len); /* a line of the EHLO reply */
void smtp_client_on_greeting(struct smtp_client *client, const struct smtp_reply *reply);
void smtp_client_on_ehlo(struct smtp_client *client, const struct smtp_reply *reply);
void smtp_client_on_helo(struct smtp_client *client, const struct smtp_reply *reply);
void smtp_client_on_starttls(struct smtp_client *client, const struct smtp_reply *reply);

/* --- smtp_client_auth.c --- */
void smtp_client_identify(struct smtp_client *client); /* then begins the transaction */
void smtp_client_note_challenge(struct smtp_client *client, const char *line, size_t len); /* a line of a reply */
void smtp_client_on_auth(struct smtp_client *client, const struct smtp_reply *reply);
/* Some repeat what they have not understood: what was said in AUTH gets into no log, and is told to nobody. */
void smtp_client_hide_said(const struct smtp_client *client, struct smtp_reply *reply);
void smtp_client_forget_said(struct smtp_client *client);

/* --- smtp_client_envelope.c --- */
int64_t smtp_client_message_size(const struct smtp_client_transaction *transaction); /* with the prefix */
bool smtp_client_needs_smtputf8(const struct smtp_client_message *message);
/* What the relay cannot take at all need not be offered to it. 1 all well, -1 all recipients are settled. */
int smtp_client_check_extensions(struct smtp_client *client) __attribute__((warn_unused_result));
/* Append a command: less than 1,024 octets. */
void smtp_client_compose_mail(const struct smtp_client *client, struct strbuf *text);
void smtp_client_compose_rcpt(const struct smtp_client *client, size_t index, struct strbuf *text);

/* --- smtp_client_transaction.c --- */
enum smtp_stage smtp_client_envelope_stage(const struct smtp_client *client); /* of the reply that is awaited */
void smtp_client_begin_transaction(struct smtp_client *client);
void smtp_client_on_envelope(struct smtp_client *client, const struct smtp_reply *reply);
void smtp_client_on_premature(struct smtp_client *client, const struct smtp_reply *reply);
void smtp_client_on_final(struct smtp_client *client, const struct smtp_reply *reply);

/* --- smtp_client_content.c --- */
void smtp_client_send_content(struct smtp_client *client); /* as much as the output may hold */
/* Writes what ends the content: from here on it may have been taken. */
void smtp_client_write_end(struct smtp_client *client, const struct strbuf *text);
