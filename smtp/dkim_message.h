/* dkim_message.h - a message as those who verify it need it: its header fields, and digests of its body in both canonical
 * forms (RFC 6376 section 3.4)
 *
 * A message is fed in from its start, in pieces of any size; only its header is held in memory. dkim_verify() and
 * arc_verify() then judge the same object. Line ends are CRLF, as they come by SMTP; if those of the header are bare LF, the
 * body's may be, too, and count as CRLF. In a message with CRLF bare CR and LF are octets as any others, so that not even
 * the line ends of binary content can be changed. A mailbox file's "From " line in front is skipped.
 *
 * What programs may read in several ways is never believed, whoever signed it: a header that mail_header.h calls ambiguous
 * for its lines (NUL, bare CR, mixed line ends, lines that are no field, more than MAIL_HEADER_MAX octets or
 * MAIL_HEADER_FIELDS_MAX fields).
 *
 * No I/O. Not thread-safe, but messages have nothing in common.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct dkim_message;

struct dkim_message *dkim_message_new(void);
void dkim_message_add(struct dkim_message *message, const void *data, size_t len);
/* false once the header has ended, or is too long, and no signature is to be judged: the rest need not be fed in. */
bool dkim_message_wants_more(const struct dkim_message *message);
void dkim_message_end(struct dkim_message *message); /* once, before it is judged */
void dkim_message_free(struct dkim_message **message);
/* DKIM-Signature fields, those too that dkim_verify() has no time for; after dkim_message_end(). */
size_t dkim_message_count_signatures(const struct dkim_message *message);
