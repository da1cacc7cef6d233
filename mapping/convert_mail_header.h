/* convert_mail_header.h - the header of the mail that we write (RFC 5322, RFC 2047, RFC 6532)
 *
 * Written in the daemon, from values that it knows, so that a worker that was taken over by a hostile message has no
 * say in who a mail is from and to. Deterministic. Line breaks and control characters in values never reach the
 * header. Lines are kept within 78 characters where words and addresses allow it, and always within 998. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert.h"

struct strbuf;

/* Date to X-Postern-Loop, each line with CRLF; the Content fields follow elsewhere. detail gets what was left out. 1
 * done; -1 with a short static reason: the request can't be expressed. */
int convert_mail_header_write(struct strbuf *out, const struct convert_out_request *request, struct strbuf *detail,
                              const char **error_out) __attribute__((warn_unused_result));
bool convert_mail_header_needs_utf8(const struct convert_out_request *request); /* an address needs SMTPUTF8 */

/* Appends "; name=value" on a line of its own: quoted as far as that goes, else as RFC 2231 has it, with as many
 * continuations as it takes. value: UTF-8. */
void convert_mail_header_add_parameter(struct strbuf *out, const char *name, const char *value);
/* Likewise, with encoded words within the quotes: RFC 2047 section 5 forbids it, and old programs read nothing else. */
void convert_mail_header_add_old_parameter(struct strbuf *out, const char *name, const char *value);

/* A number from the message-id, for boundaries and Content-IDs. */
uint64_t convert_mail_header_seed(const char *message_id);
