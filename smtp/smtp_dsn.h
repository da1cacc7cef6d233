/* smtp_dsn.h - composing delivery reports (RFC 3464 in a multipart/report, RFC 6522; addresses in UTF-8: RFC 6533)
 *
 * Values in, a whole message with CRLF line ends out; no I/O, no clock, no random numbers. What came from strangers (an
 * envelope id, an original recipient, a reply, the original message) can break out of its place neither by control
 * characters nor by what it says: a boundary that occurs in the original is refused.
 *
 * The report is 7-bit unless it returns a whole message that is not, or goes to an address in UTF-8. To such an address it
 * uses the media types of RFC 6533; to an ASCII address, recipients in UTF-8 are written in that RFC's 7-bit form.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_address.h"

struct strbuf;

enum smtp_dsn_action {
    SMTP_DSN_FAILED,
    SMTP_DSN_DELAYED,
    SMTP_DSN_DELIVERED,
    SMTP_DSN_RELAYED,  /* passed on to a system that does not report */
    SMTP_DSN_EXPANDED, /* to several others, who are not reported about */
};

/* Texts are borrowed. Times are wall clock, ms since 1970. */
struct smtp_dsn_recipient {
    const char *address;  /* as in RCPT TO, without brackets */
    const char *original; /* value of ORCPT as it came, "rfc822;alice+2Bx@example.org"; NULL: none */
    enum smtp_dsn_action action;
    const char *status;       /* "2.1.5" (RFC 3463) */
    const char *explanation;  /* for the reader, one line; NULL */
    const char *diagnostic;   /* the SMTP reply that decided it, "550 5.7.1 no"; NULL */
    const char *remote_mta;   /* host that gave it; NULL: none but us */
    int64_t last_attempt_at;  /* 0: not said */
    int64_t will_retry_until; /* 0: not said; for SMTP_DSN_DELAYED */
};

struct smtp_dsn {
    const char *reporting_mta; /* host name */
    const char *from;          /* address in From */
    const char *to;            /* the original's envelope sender: the report goes there, with a null return path */
    const char *message_id;    /* of the report, without brackets */
    const char *references;    /* message id of the original, likewise; NULL */
    const char *loop_mark;     /* for X-Postern-Loop; NULL */
    const char *boundary;      /* 16 to 60 letters and digits that nobody can guess */
    const char *envelope_id;   /* value of ENVID as it came (xtext); NULL */
    int64_t date, arrived_at;
    const struct smtp_dsn_recipient *recipients;
    size_t recipient_count; /* at least one */
    /* The original from its first octet, as much of it as is at hand; NULL: gone. */
    const char *original;
    size_t original_len;
    bool original_is_whole;
    bool return_all; /* all of it, if it is whole and can stand in a message; else its header section */
};

enum {
    SMTP_DSN_HEADER_MAX = 64 * 1024, /* returned of a header section: whole fields */
    SMTP_DSN_LINE_MAX = 998,         /* octets of a line of a message that is returned whole (RFC 5322 section 2.1.1) */
};

struct smtp_dsn_needs {
    bool is_8bit, is_smtputf8; /* what the next server has to offer */
};

/* 1 composed; -1: it did not fit into out, or the original contains the boundary (choose another one). */
int smtp_dsn_compose(const struct smtp_dsn *dsn, struct strbuf *out, struct smtp_dsn_needs *needs_out)
    __attribute__((warn_unused_result));
/* "failed", "delivered"... */
const char *smtp_dsn_action_name(enum smtp_dsn_action action);
