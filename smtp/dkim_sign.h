/* dkim_sign.h - DKIM signatures of the mail that we send (RFC 6376, RFC 8463)
 *
 * A message is fed in as it will leave, header first, in pieces of any size; then each identity signs it with a field of
 * its own: relaxed/relaxed, the whole body (no l=), no time of expiry. Line ends count as CRLF, whatever they are,
 * because they leave so (smtp_client.h). Fields that make a mail what it is to its reader are signed once more than they
 * occur, so that none can be added (RFC 6376 section 8.15). Only the header is held in memory.
 *
 * No I/O. Not thread-safe, but messages have nothing in common.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dkim_sign;
struct signing_key;
struct strbuf;

enum {
    DKIM_SIGN_HEADER_MAX = 2 * 1024 * 1024, /* octets of the header */
    DKIM_SIGN_FIELD_MAX = 4 * 1024,         /* octets of each signature's field */
};

struct dkim_identity {
    const char *domain;   /* in ASCII: "xn--" where it needs to be */
    const char *selector; /* likewise; domain and selector: 254 octets at most together */
    const struct signing_key *key;
};

struct dkim_sign *dkim_sign_new(void);
void dkim_sign_add(struct dkim_sign *sign, const void *data, size_t len);
/* Ends the message and appends a "DKIM-Signature: ..." field with CRLF for each identity; at: milliseconds since 1970.
 * The same message, identity and second give the same field. 1; -1 when the header is too long, has no From, or the
 * library fails: then out holds some of it. sign is freed. */
int dkim_sign_finish(struct dkim_sign **sign, const struct dkim_identity *identities, size_t count, int64_t at,
                     struct strbuf *out) __attribute__((warn_unused_result));
void dkim_sign_free(struct dkim_sign **sign);
