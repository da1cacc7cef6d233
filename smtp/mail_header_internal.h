/* mail_header_internal.h - what the readers of header field values share (RFC 5322 section 3.2)
 *
 * Not for use outside smtp/mail_header*.c and smtp/auth_results.c. All take unfolded values: a cursor *at that moves up
 * to `end`; nothing is NUL-terminated and nothing is allocated. Comments nest without recursion.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "smtp/smtp_address.h"

bool mail_header_is_blank(char c); /* space or tab */
bool mail_header_is_atext(char c); /* RFC 5322 section 3.2.3 with RFC 6532's octets beyond ASCII */

/* Moves over white space and comments. 1 done (maybe nothing was there), -1 a comment is not closed. */
int mail_header_skip_cfws(const char **at, const char *end) __attribute__((warn_unused_result));
/* Moves over the quoted string whose quote *at stands on. 1 done, -1 it is not closed. */
int mail_header_skip_quoted(const char **at, const char *end) __attribute__((warn_unused_result));

/* The next "<id>" in a value, whatever phrases, comments and broken ids stand before it. 1: *id_out and *len_out are
 * the id without its angle brackets; 0: there is no further one. */
int mail_header_next_id(const char **at, const char *end, const char **id_out, size_t *len_out)
    __attribute__((warn_unused_result));

/* The one mailbox of a From field's value. 1 ok; -1 none, several, a group, or not clear beyond doubt. */
int mail_header_parse_from(const char *value, size_t len, struct smtp_address *address_out)
    __attribute__((warn_unused_result));
