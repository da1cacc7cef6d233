/* dkim_verify.h - DKIM signatures of the mail that comes in (RFC 6376, RFC 8301, RFC 8463, RFC 8616)
 *
 * Each signature gets a verdict of its own, in the words of RFC 8601 section 2.7.1:
 *
 *   pass       it is right, and covers what makes the mail what it is to its reader
 *   fail       header or body were changed, the key is too short, or it has expired (5 minutes are forgiven)
 *   policy     it may be right, but covers too little: see below; rsa-sha1; keys of more than VERIFY_KEY_BITS_MAX
 *   neutral    its field can't be understood, or the domain is only testing (t=y of the key)
 *   permerror  there is no such key, it was revoked, or can't be understood; or the field lacks what it must have
 *   temperror  the key could not be looked up now; or it is right, but made in the future (5 minutes are forgiven)
 *
 * Nothing but a pass says anything about the mail (RFC 6376 section 6.1): a failing signature is as none.
 *
 * Stricter than the RFC, since what is believed here opens a door:
 * - The whole body counts. l= must say just that; a signature of a part of the body does not pass (section 8.2).
 * - From must be signed, and Subject and Date where they are there. A field that a mail has once (From, Sender, Reply-To,
 *   To, Cc, Subject, Date, Message-ID, In-Reply-To, References and MIME's) may not be there more often than h= names it:
 *   neither may one be added to those that are signed (section 8.15), nor may there be two that are not, unless they say the
 *   same. One that is there once and not signed at all is let pass: large providers leave out To, Cc, Reply-To or
 *   Content-Type. The verdict says which (detail).
 * - Header lines of which programs may make different fields (dkim_message.h) make any signature fail.
 * - Duplicate tags, broken base64 and the like are never read over.
 *
 * Pure: keys are asked for through dns_ask, one TXT question for each signature looked at and none when the mail itself decides.
 * Work is linear in the size of the header for each of DKIM_VERIFY_SIGNATURES_MAX signatures.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dns.h"
#include "smtp/auth_results.h"
#include "smtp/smtp_address.h"

struct dkim_message;

enum {
    DKIM_VERIFY_SIGNATURES_MAX = 10, /* of a mail; and so many DNS questions */
    DKIM_VERIFY_SKEW = 5 * 60,       /* seconds by which clocks may differ */
    DKIM_VERIFY_KEY_BITS_MIN = 1024, /* of RSA (RFC 8301 section 3.2) */
};

/* Texts are clean ASCII; "" when the field did not say. Domains are A-labels in lower case. */
struct dkim_verdict {
    enum auth_result result;          /* policy and neutral are OTHER */
    const char *result_text;          /* "pass", "policy"...: the words above */
    char domain[SMTP_DOMAIN_MAX + 1]; /* d= */
    char selector[SMTP_DOMAIN_MAX + 1];
    char identity[SMTP_ADDRESS_MAX +
                  2];   /* i=, only its domain normalised; "@d" by default; "" when too long or not ASCII */
    char algorithm[24]; /* a= in lower case */
    char signature[9];  /* the first characters of b= (RFC 6008) */
    unsigned key_bits;  /* 0: no key was found */
    bool is_testing;    /* the domain says that it is trying things out; never with pass */
    bool is_secure;     /* DNSSEC vouches for the key */
    char detail[200];   /* why it did not pass; of a pass: what it leaves uncovered, or "" */
};

/* The signatures of a message that has ended, at most max and DKIM_VERIFY_SIGNATURES_MAX: those whose domain has most in
 * common with from_domain first (NULL or "": with none), else the topmost. now: milliseconds since 1970. Returns how many
 * verdicts there are. */
size_t dkim_verify(const struct dkim_message *message, const char *from_domain, dns_ask *ask, void *ask_ctx,
                   int64_t now, struct dkim_verdict *verdicts_out, size_t max);
