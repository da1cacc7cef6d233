/* smtp_client.h - sending mail: one connection to a relay, SMTP or LMTP (RFC 5321, RFC 2033)
 *
 * A client delivers one message at a time over one connection, which it opens when needed and keeps for the next
 * message for a while (then QUIT). Every recipient gets an outcome of its own. Uses PIPELINING, SIZE, 8BITMIME,
 * SMTPUTF8 and STARTTLS when offered; a message that needs what is not offered fails without being sent, with the stage
 * EXTENSIONS: PERMANENT, as far as this relay is concerned. Content goes out as it is read: memory does not grow with
 * it. Bare CR and bare LF in it leave as CRLF. An address with nothing but its domain in UTF-8 does without SMTPUTF8:
 * the domain goes as "xn--...". All callbacks run on the loop, never from inside a call.
 *
 * TLS: with MAY, a refused STARTTLS goes on in plain, and a failed handshake is followed by one fresh connection
 * without it; with REQUIRE and VERIFY neither. With implicit TLS, VERIFY asks for a certificate too, and the others do
 * not.
 *
 * AUTH, when a user is given: with SCRAM-SHA-256, else PLAIN, else LOGIN, as offered, and only under TLS or through a
 * unix socket, which nobody listens in on. When that is not possible, or refused, nothing is sent: TEMPORARY, with the
 * stage AUTH, since it says something about the configuration and nothing about the message. Only VERIFY keeps the
 * password from somebody who stands between us and the relay.
 *
 * With CHUNKING the content goes in chunks, and "the final dot" below stands for the last of them.
 *
 * A connection is used for 100 messages and for 10 minutes at most.
 *
 * A relay that breaks the protocol (a reply unasked for, too long, or none at all) is given up: TEMPORARY, or UNKNOWN
 * after the final dot. A kept connection that turns out dead before it has answered is replaced once, silently.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_address.h"
#include "smtp/smtp_params.h"
#include "smtp/smtp_reply.h"

struct background;
struct loop;
struct tls_context;
struct smtp_client;

enum smtp_client_tls { SMTP_CLIENT_TLS_NONE, SMTP_CLIENT_TLS_MAY, SMTP_CLIENT_TLS_REQUIRE, SMTP_CLIENT_TLS_VERIFY };

struct smtp_client_settings {
    struct loop *loop;
    const char *address;           /* "host:port", "[v6]:port", "unix:/path" */
    bool lmtp;                     /* else SMTP */
    bool implicit_tls;             /* smtps:// */
    enum smtp_client_tls tls;      /* STARTTLS: MAY use if offered, REQUIRE encryption, VERIFY also name and CA */
    const char *ca_file;           /* NULL: the system's */
    const char *pin;               /* VERIFY: "sha256:..." of the certificate, instead of name and CA; NULL */
    const char *user;              /* name and password for AUTH, UTF-8; NULL: no AUTH */
    const char *password;          /* until smtp_client_set_password(); NULL: none yet */
    struct background *background; /* where the work of AUTH is done; NULL: on the loop (tests) */
    const char *helo;              /* our host name; not NULL */
    /* RFC 5321 section 4.5.3.2; 0: the value given here */
    int64_t connect_timeout_ms;    /* 30 s */
    int64_t command_timeout_ms;    /* 5 min: for the greeting, and for each whole reply but those below */
    int64_t initiation_timeout_ms; /* 2 min: for the reply to DATA */
    int64_t data_timeout_ms;       /* 3 min: for a block of content to leave */
    int64_t final_timeout_ms;      /* 10 min: for each reply after the final dot */
    int64_t keep_ms;               /* 10 s: idle time before QUIT */
};

enum smtp_outcome {
    SMTP_OUTCOME_DELIVERED, /* the far side took responsibility */
    SMTP_OUTCOME_TEMPORARY, /* 4xx, 421 or a lost connection before the final dot, a relay that refuses us: try again */
    SMTP_OUTCOME_PERMANENT, /* 5xx about this message or recipient: final */
    SMTP_OUTCOME_UNKNOWN,   /* no answer to the final dot: may have been taken; try again with the same Message-ID */
};

/* Where an outcome was decided: what was under way when a reply came, or the connection was lost. Up to AUTH it is
 * between us and the relay and says nothing about the message: always TEMPORARY. */
enum smtp_stage {
    SMTP_STAGE_CONNECT,
    SMTP_STAGE_TLS, /* the handshake, implicit or after STARTTLS */
    SMTP_STAGE_GREETING,
    SMTP_STAGE_HELLO,
    SMTP_STAGE_STARTTLS, /* refused, or not offered */
    SMTP_STAGE_AUTH,
    SMTP_STAGE_EXTENSIONS, /* the relay lacks what this message needs: another relay may have it. Nothing was sent */
    SMTP_STAGE_MAIL,
    SMTP_STAGE_RCPT,
    SMTP_STAGE_DATA,
    SMTP_STAGE_CONTENT,
    SMTP_STAGE_FINAL, /* after the final dot */
};

/* reply: the far side's words, or ours when it said nothing: 4.4.1 no connection, 4.4.2 lost or too slow, 4.5.0 no
 * SMTP, 4.7.4 and 4.7.5 no TLS, 4.7.4, 4.7.8 and 4.7.11 no AUTH. Its code fits the outcome: 2xx, 4xx, 5xx, 4xx. */
struct smtp_recipient_result {
    enum smtp_outcome outcome;
    enum smtp_stage stage;
    struct smtp_reply reply;
    bool dsn; /* delivered to a relay that understands NOTIFY, and was told it: reports are its business now */
};

struct smtp_client_recipient {
    struct smtp_address address;
    unsigned notify;   /* enum smtp_dsn_notify; 0: not said */
    const char *orcpt; /* as smtp_client_format_orcpt() makes it; NULL: not said */
};

/* NOTIFY, ORCPT, RET and ENVID are said only to a relay that offers DSN (RFC 3461). */
struct smtp_client_message {
    struct smtp_address sender; /* null path allowed */
    const struct smtp_client_recipient *recipients;
    size_t recipient_count;
    const char *envid;     /* xtext, at most SMTP_ENVID_MAX octets; NULL: not said */
    enum smtp_dsn_ret ret; /* NONE: not said */
    const char *prefix;    /* header fields that go in front of the content: ASCII, lines with CRLF; NULL: none */
    int content_fd;        /* whole message with CRLF line ends, not dot-stuffed; pread from 0; duplicated */
    int64_t content_size;  /* without the prefix */
    /* Is only asked about: after the replies to RCPT the next command would be RSET or QUIT, and no content is sent. Who was accepted is
     * DELIVERED, with the stage RCPT. content_fd is not looked at. */
    bool is_probe;
    bool is_8bit;     /* content has octets > 127 */
    bool is_smtputf8; /* the header needs SMTPUTF8; what the envelope needs is found out */
};

/* results: one per recipient, in order; valid during the callback. The client is idle again: the next message may be
 * sent, or the client freed, from inside. */
typedef void smtp_client_done(const struct smtp_recipient_result *results, size_t count, void *ctx);

/* Connects to nothing yet. NULL when the CA file cannot be used, with the reason in *error_out (caller frees). */
struct smtp_client *smtp_client_new(const struct smtp_client_settings *settings, char **error_out)
    __attribute__((warn_unused_result));
/* With which it signs in when it connects for the next message; copied. NULL: forgets the one that it has. */
void smtp_client_set_password(struct smtp_client *client, const char *password);
/* Cuts the connection (with QUIT if nothing is under way); no callback for a message under way. */
void smtp_client_free(struct smtp_client **client);
bool smtp_client_is_idle(const struct smtp_client *client);
/* Only when idle, with one recipient or more (asserted). message is copied, its content_fd duplicated. done is called
 * exactly once, unless the client is freed before. */
void smtp_client_send(struct smtp_client *client, const struct smtp_client_message *message, smtp_client_done *done,
                      void *ctx);
const char *smtp_outcome_name(enum smtp_outcome outcome);
const char *smtp_stage_name(enum smtp_stage stage); /* "connect", "tls"... */

/* What ORCPT says of an address: "rfc822;" and xtext, or for an address in UTF-8 "utf-8;" and the form for relays with
 * SMTPUTF8 (RFC 6533 section 3), which the client rewrites for others. false, and "": the null path, or too long. */
bool smtp_client_format_orcpt(const struct smtp_address *address, char out[static SMTP_ORCPT_MAX + 1])
    __attribute__((warn_unused_result));
