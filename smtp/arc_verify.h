/* arc_verify.h - the chain of those who say that they handed a mail on, and what they saw (ARC, RFC 8617)
 *
 * Each of them adds a set: its Authentication-Results, a signature of the message as it left (AMS), and a seal over all sets
 * so far (AS). The chain passes when the sets are whole, the newest signature fits the message as it is, and every seal is
 * right (section 5.2); its signature is held to the rules of dkim_verify.h, and older ones are not looked at.
 *
 * A chain that passes proves who sealed it, and nothing more: anybody can write one. What instance k says about the mail is
 * worth something only if the sealers of k and of all later instances are trusted, since each of these could have changed
 * the message (section 7.2). Whom to trust is the caller's question.
 *
 * Pure; one TXT question for each seal and one more, at most ARC_INSTANCES_MAX + 1. The structure is checked, and the
 * verdict has all instances, before the first.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dns.h"
#include "smtp/auth_results.h"
#include "smtp/smtp_address.h"

struct dkim_message;

enum { ARC_INSTANCES_MAX = 50 };

struct arc_instance {
    char sealer[SMTP_DOMAIN_MAX + 1]; /* d= of its seal, A-labels in lower case */
    char signer[SMTP_DOMAIN_MAX + 1]; /* d= of its signature of the message */
    char *auth_results;               /* for auth_results_parse(): what stands behind "i=1;", unfolded; owned */
};

struct arc_verdict {
    enum auth_result result;        /* NONE: there is no chain; PASS, FAIL, TEMPERROR */
    char detail[200];               /* why it did not pass, as clean ASCII */
    size_t count;                   /* instances; 0 when the sets are not whole */
    struct arc_instance *instances; /* [0] is i=1; believe none without PASS */
};

/* Of a message that has ended. now: milliseconds since 1970. */
void arc_verify(const struct dkim_message *message, dns_ask *ask, void *ask_ctx, int64_t now,
                struct arc_verdict *verdict_out);
void arc_verdict_free(struct arc_verdict *verdict); /* what it owns; all zero is fine */
