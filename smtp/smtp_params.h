/* smtp_params.h - parameters of MAIL and RCPT (RFC 5321 section 4.1.2, RFC 1870, RFC 3030, RFC 3461,
 * RFC 6152, RFC 6531)
 *
 * Text in, values out; no I/O. A parameter that was not announced is refused, not ignored: its sender counts on it.
 * Values that travel on (ENVID, ORCPT) are checked and kept as they were received, encoded: they may be written into
 * another command as they are. What they stand for once decoded is printable, so that they may also be decoded into a
 * delivery report.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_reply.h"

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

/* RET: how much of the message a report of failure brings back (RFC 3461 section 4.3). */
enum smtp_dsn_ret { SMTP_DSN_RET_NONE, SMTP_DSN_RET_FULL, SMTP_DSN_RET_HDRS };

/* NOTIFY: when a report is wanted (RFC 3461 section 4.1), or-ed; 0: not given. NEVER stands alone. */
enum smtp_dsn_notify {
    SMTP_DSN_NOTIFY_SUCCESS = 1 << 0,
    SMTP_DSN_NOTIFY_FAILURE = 1 << 1,
    SMTP_DSN_NOTIFY_DELAY = 1 << 2,
    SMTP_DSN_NOTIFY_NEVER = 1 << 3,
};

enum { SMTP_ENVID_MAX = 100, SMTP_ORCPT_MAX = 500 }; /* RFC 3461 sections 4.4 and 4.2 */

struct smtp_mail_params {
    int64_t size; /* octets, as declared by SIZE=; -1 when absent */
    enum smtp_body body;
    bool is_smtputf8;
    enum smtp_dsn_ret ret;
    char envid[SMTP_ENVID_MAX + 1]; /* xtext; "" when absent */
};

struct smtp_rcpt_params {
    unsigned notify;   /* enum smtp_dsn_notify */
    const char *orcpt; /* a slice of the text: "rfc822;xtext", "utf-8;..." (RFC 6533 section 3); NULL when absent */
    size_t orcpt_len;
};

/* text: parameters separated by spaces, "" for none. 1 ok; -1 refused, with the reply to give: 501 5.5.4 bad value or
 * the same parameter twice, 555 5.5.4 unknown parameter. */
int smtp_params_parse_mail(const char *text, size_t len, struct smtp_mail_params *params_out,
                           struct smtp_reply *reply_out) __attribute__((warn_unused_result));
/* is_smtputf8: MAIL has said SMTPUTF8, so that ORCPT may hold UTF-8. */
int smtp_params_parse_rcpt(const char *text, size_t len, bool is_smtputf8, struct smtp_rcpt_params *params_out,
                           struct smtp_reply *reply_out) __attribute__((warn_unused_result));
