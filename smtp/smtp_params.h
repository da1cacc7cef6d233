/* smtp_params.h - parameters of MAIL and RCPT (RFC 5321 section 4.1.2, RFC 1870, RFC 6152, RFC 6531)
 *
 * Text in, values out; no I/O. A parameter that was not announced is refused, not ignored: its sender counts on it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_reply.h"

struct smtp_mail_params {
    int64_t size; /* octets, as declared by SIZE=; -1 when absent */
    bool is_8bit; /* BODY=8BITMIME */
    bool is_smtputf8;
};

/* text: parameters separated by spaces, "" for none. 1 ok; -1 refused, with the reply to give: 501 5.5.4 bad value or
 * the same parameter twice, 555 5.5.4 unknown parameter. */
int smtp_params_parse_mail(const char *text, size_t len, struct smtp_mail_params *params_out,
                           struct smtp_reply *reply_out) __attribute__((warn_unused_result));
/* We know none for RCPT. */
int smtp_params_parse_rcpt(const char *text, size_t len, struct smtp_reply *reply_out)
    __attribute__((warn_unused_result));
