/* sender_auth.h - who wrote a mail, by our own check: SPF, DKIM, DMARC and ARC over a message and the client that brought it
 *
 * For the worker that does it: it reads the message from a file and asks the DNS through the function that it is given, both
 * of which take their time. Everything else is in the modules that it calls.
 *
 * Only what can prove the author is asked for before the author is proven: keys and SPF records of domains in the
 * organisation of the author's domain. So a stranger's slow or lying name servers are not even asked when the author is somebody else. After
 * that SPF is asked for the envelope sender, whoever that is: reports go there.
 *
 * ARC counts when nothing else proves the author and the sealers of the newest instances are trusted. What the oldest of these in an unbroken row
 * has seen is believed: it had the message before any of them could change it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dns.h"
#include "smtp/arc_verify.h"
#include "smtp/auth_results.h"
#include "smtp/dkim_verify.h"
#include "smtp/smtp_address.h"
#include "smtp/spf.h"

struct public_suffixes;

enum {
    SENDER_AUTH_OUTCOME_MAX = 80,
    SENDER_AUTH_STORY_MAX = 400,
    SENDER_AUTH_TEXT_MAX = 2000,
    /* Of one check: SPF, keys, the author's policy, ARC. */
    SENDER_AUTH_QUESTIONS_MAX = SPF_QUESTIONS_MAX + DKIM_VERIFY_SIGNATURES_MAX + 2 + (ARC_INSTANCES_MAX + 1),
};

struct sender_auth_request {
    int fd; /* its file position is not used */
    int64_t offset, size;
    const char *client; /* "192.0.2.1"; "": not known, and SPF says nothing */
    const char *helo;
    struct smtp_address sender; /* of the envelope */
    const char *from_domain;    /* the author's, from a header that names exactly one */
    const char *hostname;       /* ours */
    const char *const *sealers; /* whose ARC sets are believed: domains, A-labels in lower case */
    size_t sealer_count;
    int64_t now; /* ms since 1970 */
};

/* Texts are printable ASCII. */
struct sender_auth_result {
    enum auth_result dmarc,
        dkim;                /* of the author's domain: PASS, TEMPERROR, else it is not proven; dkim: by DKIM alone */
    bool is_sender_spf_pass; /* the client may send for the envelope sender's domain */
    char sealer[SMTP_DOMAIN_MAX + 1];      /* whose word proves the author, by ARC; "" nobody's */
    char outcome[SENDER_AUTH_OUTCOME_MAX]; /* for a reply: "SPF fail, no DKIM signature" */
    char story[SENDER_AUTH_STORY_MAX];     /* for people: what decided */
    char text[SENDER_AUTH_TEXT_MAX];       /* the value of an Authentication-Results field of ours (RFC 8601) */
};

/* 1; -1 the file can't be read. */
int sender_auth_check(const struct sender_auth_request *request, const struct public_suffixes *suffixes, dns_ask *ask,
                      void *ask_ctx, struct sender_auth_result *result_out) __attribute__((warn_unused_result));
