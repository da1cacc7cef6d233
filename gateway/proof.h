/* proof.h - what is known about who wrote a mail, from whatever source; policy.h judges whether it is enough
 *
 * Pure functions: no I/O. A fact that is missing never helps.
 */
#pragma once
#include <stdbool.h>

#include "smtp/auth_results.h"
#include "smtp/mail_header.h"

enum { PROOF_SOURCE_MAX = SMTP_DOMAIN_MAX + 16, PROOF_OUTCOME_MAX = 80, PROOF_STORY_MAX = 900 };

struct proof {
    /* Of the author's domain (From): PASS only when what passed is aligned with it. dkim: of our own check aligned as for
     * DMARC; of an upstream's word, which does not say how it aligns, the same domain. */
    enum auth_result dmarc, dkim;
    bool is_assumed;       /* the listener's assume_authenticated */
    bool is_peer;          /* a TLS client certificate vouches for the author's domain */
    bool is_sender_proven; /* the envelope sender may be sent reports */
    bool is_temporary;     /* what is missing could not be checked now */
    bool is_unusable; /* an upstream whose word counts has said what can't be read, or not be told from a forgery */
    char source[PROOF_SOURCE_MAX];   /* "says mx.example.org"; "" when nobody was asked */
    char outcome[PROOF_OUTCOME_MAX]; /* for a reply: what our own check has found; "" */
    char story[PROOF_STORY_MAX];     /* for the trace: whose word, which test, what it said */
};

/* What is there to find it in. */
struct sender_auth_result;
struct proof_sources {
    const struct mail_header_facts *header;
    const struct sender_auth_result *checked; /* our own check's; NULL: there was none */
    const struct smtp_address *sender;        /* of the envelope */
    bool assume_authenticated;                /* the listener's */
    bool is_unwelcome;          /* the client might not come in any more: the listener's trust is not in it */
    const char *peer;           /* who vouches for the author's domain by a certificate; NULL: nobody */
    const char *const *sealers; /* whose ARC sets are believed if that upstream says that the chain is good */
    size_t sealer_count;
    const char *trust_authserv_id; /* the listener's; NULL: no upstream's word counts, but our own check */
};

/* From what the listener is told and the header says. Nothing is proven unless the header names exactly one author.
 *
 * is_sender_proven: what is proven is the author, and only whoever has written something may get a report. So the sender must
 * be the author's own address (with the author's domain, be it with a detail or a tag), or its domain must have passed SPF,
 * which is about the envelope. On a listener with assume_authenticated, and from a peer that vouches for it, the author's domain is enough. */
void proof_find(const struct proof_sources *sources, struct proof *proof_out);
/* For finding out what difference a check of ours would make: everything is proven, or nothing. */
void proof_suppose(bool is_proven, const struct mail_header_facts *header, struct proof *proof_out);
