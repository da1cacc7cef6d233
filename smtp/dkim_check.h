/* dkim_check.h - one signature of a mail: what its field says, what it covers, and whether it is right
 *
 * What dkim_verify and arc_verify have in common: DKIM-Signature, ARC-Message-Signature and ARC-Seal are tag lists that
 * differ in a few tags (RFC 8617 section 4.1). Not for use outside smtp/dkim_*.c and smtp/arc_*.c. No I/O but dns_ask.
 *
 * A check goes through steps. Each says 1 when the next one is to come, and 0 when the verdict is there.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dns.h"
#include "base/verify_key.h"
#include "smtp/dkim_key.h"
#include "smtp/dkim_message_internal.h"
#include "smtp/dkim_tags.h"
#include "smtp/dkim_verify.h"

enum dkim_check_kind { DKIM_CHECK_SIGNATURE, DKIM_CHECK_ARC_MESSAGE, DKIM_CHECK_ARC_SEAL };

struct dkim_check {
    /* set by the caller */
    const struct dkim_message *message;
    const struct dkim_field *field;
    enum dkim_check_kind kind;
    dns_ask *ask;
    void *ask_ctx;
    int64_t now; /* milliseconds since 1970 */

    /* found by dkim_check_read() */
    struct dkim_tags tags;
    enum dkim_key_kind key_kind;
    enum dkim_form header_form, body_form;
    struct dkim_text names; /* h= */
    char identity_domain[SMTP_DOMAIN_MAX + 1];
    uint8_t body_digest[DIGEST_SIZE]; /* bh= */
    uint8_t signature[VERIFY_KEY_BITS_MAX / 8];
    size_t signature_len;
    bool is_of_future; /* by dkim_check_time() */

    struct dkim_verdict verdict;
};

/* Ends a check. Always 0. */
int dkim_check_decide(struct dkim_check *check, enum auth_result result, const char *result_text, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

int dkim_check_read(struct dkim_check *check) __attribute__((warn_unused_result));
/* Whether everything is covered that must be, and the header was read by all alike. */
int dkim_check_cover(struct dkim_check *check) __attribute__((warn_unused_result));
int dkim_check_time(struct dkim_check *check) __attribute__((warn_unused_result));
int dkim_check_body(struct dkim_check *check) __attribute__((warn_unused_result));
/* Gets the key, and sees whether the signature of this digest is its. The last step. */
void dkim_check_signature(struct dkim_check *check, const uint8_t digest[static DIGEST_SIZE]);

/* What a signature of the header is over (RFC 6376 section 3.7). */
void dkim_check_digest_header(const struct dkim_check *check, uint8_t digest_out[static DIGEST_SIZE]);
/* The check's own field without the value of b=, in its canonical form; appended. */
void dkim_check_add_own_field(const struct dkim_check *check, struct strbuf *out);
