/* dmarc.h - is what SPF and DKIM have proven aligned with the author's domain? (DMARC, RFC 7489)
 *
 * Pure: it asks the DNS through the function that it is given.
 *
 * We ask another question than DMARC does. That is about what to do with mail that fails; here only what passes is let in, whatever the
 * domain's owner wants done with the rest. So p=, sp= and pct= decide nothing (they are told in detail), nor is anything
 * reported; and a domain that publishes no record passes by relaxed alignment, as one does whose record leaves adkim= and aspf= out.
 * Where there is a record that can't be made out, or there are several, its owner may have asked for strict alignment, so that is
 * what applies.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/dns.h"
#include "smtp/auth_results.h"
#include "smtp/smtp_address.h"

struct public_suffixes;

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };

struct dmarc_record {
    enum dmarc_policy policy, subdomain_policy;
    bool is_dkim_strict, is_spf_strict;
};

/* A TXT record (section 6.4). 1 parsed; 0 no DMARC record; -1 one that can't be made out: no list of tags, a tag twice, no p=
 * that is known. Unknown tags are read over; adkim= or aspf= of an unknown word is strict. */
int dmarc_record_parse(const char *data, size_t len, struct dmarc_record *record_out)
    __attribute__((warn_unused_result));

/* What has been checked: an SPF result and its domain, or a signature's and its d=. A-labels in lower case. */
struct dmarc_identifier {
    enum auth_result result;
    const char *domain;
};

struct dmarc_request {
    const char *from_domain; /* of the author, as it stands in From */
    struct dmarc_identifier spf;
    const struct dmarc_identifier *dkim;
    size_t dkim_count;
};

enum dmarc_published { DMARC_NO_RECORD, DMARC_RECORD, DMARC_SEVERAL, DMARC_MALFORMED, DMARC_UNKNOWN /* no answer */ };

/* Texts are printable ASCII. */
struct dmarc_verdict {
    /* PASS: something that passed is aligned, however many others failed. TEMPERROR: nothing is, but something that is aligned
     * could not be checked, or something passed and how it must be aligned could not be asked. Else FAIL. */
    enum auth_result result;
    /* The same of DKIM and SPF alone; NONE: nothing of that kind is aligned. */
    enum auth_result dkim, spf;
    enum dmarc_published published;
    struct dmarc_record record;              /* of a DMARC_RECORD */
    enum dmarc_policy policy;                /* likewise: what is asked of the author's domain, by p= or sp= */
    char record_domain[SMTP_DOMAIN_MAX + 1]; /* where it was found: the author's domain or its organisation's */
    char domain[SMTP_DOMAIN_MAX + 1];        /* the author's, A-labels in lower case; "" when it is none */
    char aligned[SMTP_DOMAIN_MAX + 1];       /* the domain by which it passed; "" when it did not */
    char detail[200];                        /* what is published */
};

void dmarc_check(const struct dmarc_request *request, const struct public_suffixes *suffixes, dns_ask *ask,
                 void *ask_ctx, struct dmarc_verdict *verdict_out);
/* As the DNS has it: A-labels in lower case; "" when there is no such form. */
void dmarc_normalise_domain(const char *domain, char out[static SMTP_DOMAIN_MAX + 1]);
const char *dmarc_policy_name(enum dmarc_policy policy); /* "reject" */
