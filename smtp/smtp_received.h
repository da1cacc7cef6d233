/* smtp_received.h - the Received field that is put in front of each message (RFC 5321 section 4.4, RFC 3848, RFC 6531) */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct strbuf;

enum { SMTP_RECEIVED_MAX = 4096 }; /* octets of the field; what a client has said in it has limits that make for less */

/* Texts may come from a peer: whatever could end a comment, a line or the field is made harmless. NULL and "" are alike. */
struct smtp_received {
    const char *helo;        /* what the client has said its name was */
    const char *name;        /* what its address is called in the DNS, if somebody has looked; NULL: not known */
    const char *address;     /* "192.0.2.1", "2001:db8::1", "unix"; NULL: not known */
    const char *via;         /* the address of the peer who has brought the mail on, when that is not the client */
    const char *hostname;    /* ours */
    const char *protocol;    /* "ESMTPS", "UTF8LMTP"; RFC 3848, RFC 6531 section 4.3 */
    const char *tls_version; /* NULL: plain */
    const char *id;          /* an atom */
    const char *recipient;   /* when it is the only one: to name one of several would tell the others */
    bool is_smtputf8;        /* UTF-8 may stand in it */
    int64_t now;             /* wall clock, ms */
};

/* Appends the field with its CRLF, folded so that lines have less than 78 octets where the words allow. */
void smtp_received_compose(const struct smtp_received *received, struct strbuf *out);
