/* smtp_origin.h - what a mail server in front says of its client: the attributes of Postfix's XCLIENT and XFORWARD
 *
 * Attributes are NAME=VALUE, separated by spaces; names in whatever case, values in xtext (RFC 3461 section 4), with
 * [UNAVAILABLE] and [TEMPUNAVAIL] for what is not known. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { SMTP_ORIGIN_TEXT_MAX = 255, SMTP_ORIGIN_ADDRESS_SIZE = 48 };

enum smtp_origin_command { SMTP_ORIGIN_XCLIENT, SMTP_ORIGIN_XFORWARD };

/* "" where nothing is known, or nothing was said. */
struct smtp_origin {
    char name[SMTP_ORIGIN_TEXT_MAX + 1];    /* from the DNS, a domain */
    char address[SMTP_ORIGIN_ADDRESS_SIZE]; /* "192.0.2.1", "2001:db8::1", as the system writes it */
    char port[6];
    char helo[SMTP_ORIGIN_TEXT_MAX + 1];  /* UTF-8 without control characters; nothing else is sure */
    char protocol[16];                    /* "SMTP", "ESMTP"; XFORWARD: whatever atom */
    char ident[SMTP_ORIGIN_TEXT_MAX + 1]; /* XFORWARD: what the server in front calls the message; as helo */
    char login[SMTP_ORIGIN_TEXT_MAX + 1]; /* XCLIENT: as helo */
    char source[8];                       /* XFORWARD: "LOCAL", "REMOTE" */
};

/* What the EHLO reply says behind the command: "NAME ADDR PORT ...". */
const char *smtp_origin_attributes(enum smtp_origin_command command);

/* What text says is put into *origin, what it does not say stays. 1; -1 with a constant text in *error_out when it is not
 * well-formed, or names what the command does not have: then *origin is unchanged. */
int smtp_origin_parse(const char *text, size_t len, enum smtp_origin_command command, struct smtp_origin *origin,
                      const char **error_out) __attribute__((warn_unused_result));
