/* spf.h - may this client send for that domain? (SPF, RFC 7208)
 *
 * check_host() of RFC 7208 section 4. Pure: it asks the DNS through the function that it is given and does no other I/O; time
 * comes with the request. All of the RFC is here but Received-SPF and the type-99 record, which it has dropped.
 *
 * Limits (RFC 7208 section 4.6.4), beyond which the record is wrong (SPF_PERMERROR) unless something else is said: 10 terms that ask
 * the DNS, included records' among them; 2 terms that ask in vain and don't match ("void"; the addresses of the client's PTR names are not counted:
 * the domain has no hand in them); 10 MX names; of more than 10 PTR names the first ten are looked at. So one check asks at
 * most SPF_QUESTIONS_MAX times. How long that may take is for the function that asks to say: it answers DNS_TEMPORARY when time is up.
 */
#pragma once
#include <stdint.h>

#include "base/dns.h"
#include "smtp/smtp_address.h"

enum {
    SPF_TERMS_MAX = 10,
    SPF_VOIDS_MAX = 2,
    SPF_MX_MAX = 10,
    SPF_PTR_MAX = 10,
    /* the first record; 10 terms, each with an MX answer and its names; the client's names, once; an explanation */
    SPF_QUESTIONS_MAX = 1 + SPF_TERMS_MAX * (1 + SPF_MX_MAX) + (1 + SPF_PTR_MAX) + 1,
    SPF_EXPANSION_MAX = 8192, /* octets of a name or text after macro expansion; a longer one is not used */
    SPF_DETAIL_MAX = 199,
    SPF_EXPLANATION_MAX = 400,
};

enum spf_result {
    SPF_NONE,    /* no domain, or one that says nothing */
    SPF_NEUTRAL, /* the domain says that it says nothing */
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR, /* the DNS did not answer: nothing is known, ask later */
    SPF_PERMERROR, /* what the domain publishes can't be understood */
};

struct spf_request {
    const char *client; /* "192.0.2.1" or "2001:db8::1"; IPv4 mapped into IPv6 is IPv4; anything else gives SPF_NONE */
    const char *helo;   /* as the client said it, any text; "" when it said nothing */
    /* The envelope sender. The null path stands for postmaster@HELO (section 2.4), and so does asking about HELO itself (2.3). Labels in
     * UTF-8 are asked for as "xn--..." (RFC 8616 section 4). */
    struct smtp_address sender;
    const char *receiver; /* our name, for the macro %{r}; "" or NULL: "unknown" */
    int64_t now;          /* s since 1970, for the macro %{t} */
};

/* All texts are printable ASCII. */
struct spf_verdict {
    enum spf_result result;
    char domain[SMTP_DOMAIN_MAX +
                1]; /* whose record was asked for: lower case, "xn--"; "" when there is no such domain */
    char detail[SPF_DETAIL_MAX + 1]; /* the term that matched, and in whose record; or what is wrong */
    /* Only with SPF_FAIL: what the domain says to whoever was refused ("exp="), "" for nothing. Words of a stranger:
     * who repeats them says whose they are (section 6.2). */
    char explanation[SPF_EXPLANATION_MAX + 1];
};

void spf_check(const struct spf_request *request, dns_ask *ask, void *ask_ctx, struct spf_verdict *verdict_out);
const char *spf_result_name(enum spf_result result); /* "pass", as in Authentication-Results */
