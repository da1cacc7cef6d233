/* auth_results.h - reading Authentication-Results (RFC 8601)
 *
 * Only fields added by an upstream that the listener trusts (by authserv-id) count, and only those above any that a
 * stranger could have written: the topmost field with that authserv-id is believed (RFC 8601 section 5 asks the
 * trusted MTA to remove forged ones; docs/postfix shows how). That holds for a malformed field, too: what a sender may
 * put into the trusted MTA's field must not make a reader pass over it and believe the next one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "smtp/smtp_address.h"

enum auth_result {
    AUTH_RESULT_NONE,
    AUTH_RESULT_PASS,
    AUTH_RESULT_FAIL,
    AUTH_RESULT_TEMPERROR,
    AUTH_RESULT_PERMERROR,
    AUTH_RESULT_OTHER, /* softfail, neutral, policy..., and what nobody has registered */
};

enum { AUTH_RESULTS_METHODS_MAX = 32 };

/* Texts are in lower case; "" when absent. */
struct auth_results_method {
    char method[24];      /* "dmarc", "dkim", "spf"; "" for a name longer than all known ones */
    char result_text[24]; /* as written */
    enum auth_result result;
    char header_from[SMTP_DOMAIN_MAX + 1];    /* property header.from */
    char header_d[SMTP_DOMAIN_MAX + 1];       /* property header.d */
    char smtp_mailfrom[SMTP_ADDRESS_MAX + 2]; /* property smtp.mailfrom */
};

struct auth_results {
    char authserv_id[SMTP_DOMAIN_MAX + 1]; /* lower case; "" when it could not be read */
    bool id_is_plain; /* no quotes around the id, no comment before it: those who remove forged fields knew it, too */
    size_t count;
    struct auth_results_method methods[AUTH_RESULTS_METHODS_MAX]; /* more are ignored */
};

/* value: the field's value, unfolded. 1 parsed ("; none" gives count 0); -1 malformed (then it proves nothing):
 * count is 0, authserv_id is there if it could be read, for whose field it is matters all the same. Tolerated beyond the grammar, because large providers write so: a ";" at the end,
 * "action=none" among the properties, and values with "/", "=", "@" and the like outside quotes. */
int auth_results_parse(const char *value, size_t len, struct auth_results *results_out)
    __attribute__((warn_unused_result));
/* The dmarc result for the From domain: PASS only with dmarc=pass and header.from equal to from_domain (or header.from
 * absent is not enough: then OTHER). NONE when there is no dmarc result. A fail beside a pass is a fail. */
enum auth_result auth_results_dmarc(const struct auth_results *results, const char *from_domain);
/* Of DKIM alone: PASS only with dkim=pass and header.d equal to from_domain. */
enum auth_result auth_results_dkim(const struct auth_results *results, const char *from_domain);
const char *auth_result_name(enum auth_result result);
