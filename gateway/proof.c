/* proof.c - see proof.h */
#include "gateway/proof.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gateway/envelope.h"

/* The topmost Authentication-Results field with the trusted id: what is below it may be a stranger's. Senders have a hand
 * in what the trusted MTA writes, so a field of its own that can't be used ends the search as well, and so does one of
 * which we can't tell whose it is. 1 found, 0 there is none, -1 it can't be used. */
static int find_trusted_results(const struct proof_sources *sources, struct auth_results *results_out)
{
    for (size_t i = 0; sources->trust_authserv_id && i < sources->header->auth_results_count; i++) {
        const char *value = sources->header->auth_results[i];
        int parsed = auth_results_parse(value, strlen(value), results_out);
        if (results_out->authserv_id[0] && strcasecmp(results_out->authserv_id, sources->trust_authserv_id) != 0)
            continue;
        return parsed == 1 && results_out->id_is_plain ? 1 : -1;
    }
    return 0;
}

/* Aligned DKIM alone: a dkim=pass whose signing domain is the From domain (strict alignment). */
static enum auth_result dkim_result(const struct auth_results *results, const char *from_domain)
{
    enum auth_result best = AUTH_RESULT_NONE;
    for (size_t i = 0; i < results->count; i++) {
        const struct auth_results_method *method = &results->methods[i];
        if (strcmp(method->method, "dkim") != 0 || !smtp_domain_equal(method->header_d, from_domain))
            continue;
        if (method->result == AUTH_RESULT_PASS)
            return AUTH_RESULT_PASS;
        best = method->result;
    }
    return best;
}

/* Did SPF pass, and nothing else, for the domain of the envelope sender? */
static bool has_spf_pass(const struct auth_results *results, const char *domain)
{
    bool passed = false;
    for (size_t i = 0; i < results->count; i++) {
        const struct auth_results_method *method = &results->methods[i];
        const char *at = strrchr(method->smtp_mailfrom, '@');
        if (strcmp(method->method, "spf") != 0 || !smtp_domain_equal(at ? at + 1 : method->smtp_mailfrom, domain))
            continue;
        if (method->result != AUTH_RESULT_PASS)
            return false;
        passed = true;
    }
    return passed;
}

static bool is_authors_own(const struct smtp_address *author, const struct smtp_address *sender)
{
    struct smtp_address forms[ENVELOPE_FORMS_MAX];
    if (smtp_address_equal(sender, author)) /* mostly */
        return true;
    if (!smtp_domain_equal(sender->domain, author->domain))
        return false;
    size_t count = envelope_forms(sender, forms);
    for (size_t i = 0; i < count; i++)
        if (smtp_address_equal(&forms[i], author))
            return true;
    return false;
}

static void use_results(const struct proof_sources *sources, const struct auth_results *results, struct proof *proof)
{
    const struct smtp_address *author = &sources->header->from;
    proof->dmarc = auth_results_dmarc(results, author->domain);
    proof->dkim = dkim_result(results, author->domain);
    proof->is_temporary = proof->dmarc == AUTH_RESULT_TEMPERROR || proof->dkim == AUTH_RESULT_TEMPERROR;
    bool is_author_proven = proof->dmarc == AUTH_RESULT_PASS || proof->dkim == AUTH_RESULT_PASS;
    proof->is_sender_proven =
        !smtp_address_is_null(sources->sender) && ((is_author_proven && is_authors_own(author, sources->sender)) ||
                                                   has_spf_pass(results, sources->sender->domain));
    snprintf(proof->story, sizeof proof->story, "%s says of %s: DMARC %s, DKIM %s", sources->trust_authserv_id,
             author->domain, auth_result_name(proof->dmarc), auth_result_name(proof->dkim));
}

void proof_find(const struct proof_sources *sources, struct proof *proof_out)
{
    struct auth_results results;
    memset(proof_out, 0, sizeof *proof_out);
    if (sources->header->from_state != MAIL_HEADER_FROM_OK)
        return;
    if (sources->assume_authenticated) {
        proof_out->is_assumed = true;
        proof_out->is_sender_proven = !smtp_address_is_null(sources->sender) &&
                                      smtp_domain_equal(sources->sender->domain, sources->header->from.domain);
        snprintf(proof_out->story, sizeof proof_out->story, "the listener is for a trusted network");
        return;
    }
    int found = find_trusted_results(sources, &results);
    proof_out->is_unusable = found < 0;
    if (sources->trust_authserv_id)
        snprintf(proof_out->source, sizeof proof_out->source, "says %s", sources->trust_authserv_id);
    if (found == 1)
        use_results(sources, &results, proof_out);
    else if (sources->trust_authserv_id)
        snprintf(proof_out->story, sizeof proof_out->story, "%s has said nothing%s", sources->trust_authserv_id,
                 found < 0 ? " that can be used" : "");
}
