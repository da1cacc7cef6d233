/* proof.c - see proof.h */
#include "gateway/proof.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gateway/envelope.h"
#include "smtp/arc_sets.h"
#include "smtp/sender_auth.h"

/* The topmost Authentication-Results field with the trusted id: what is below it may be a stranger's. Senders have a hand
 * in what the trusted MTA writes, so a field of its own that can't be used ends the search as well, and so does one of
 * which we can't tell whose it is. 1 found, 0 there is none, -1 it can't be used. */
static int find_trusted_results(const struct proof_sources *sources, struct auth_results *results_out)
{
    for (size_t i = 0; i < sources->header->auth_results_count; i++) {
        const char *value = sources->header->auth_results[i];
        int parsed = auth_results_parse(value, strlen(value), results_out);
        if (results_out->authserv_id[0] && strcasecmp(results_out->authserv_id, sources->trust_authserv_id) != 0)
            continue;
        return parsed == 1 && results_out->id_is_plain ? 1 : -1;
    }
    return 0;
}

static bool has_arc_pass(const struct auth_results *results)
{
    bool passed = false;
    for (size_t i = 0; i < results->count; i++) {
        if (strcmp(results->methods[i].method, "arc") != 0)
            continue;
        if (results->methods[i].result != AUTH_RESULT_PASS)
            return false;
        passed = true;
    }
    return passed;
}

/* The upstream says that the seals are right, but not whose they are: that stands in them. What the oldest in the row of trusted
 * ones has seen is as good as if the upstream had seen it. */
static void use_arc(const struct proof_sources *sources, const struct auth_results *results, struct proof *proof)
{
    const struct mail_header_facts *header = sources->header;
    struct arc_set sets[ARC_SETS_MAX];
    struct auth_results seen;
    if (sources->sealer_count == 0 || proof->dmarc == AUTH_RESULT_PASS || !has_arc_pass(results))
        return;
    size_t count = arc_sets_read(header, sets);
    const struct arc_set *oldest = arc_sets_find_trusted(sets, count, sources->sealers, sources->sealer_count);
    if (!oldest || auth_results_parse(oldest->results, strlen(oldest->results), &seen) != 1 ||
        auth_results_dmarc(&seen, header->from.domain) != AUTH_RESULT_PASS)
        return;
    proof->dmarc = AUTH_RESULT_PASS;
    if (auth_results_dkim(&seen, header->from.domain) == AUTH_RESULT_PASS)
        proof->dkim = AUTH_RESULT_PASS;
    snprintf(proof->source, sizeof proof->source, "says %s", oldest->sealer);
    snprintf(proof->story, sizeof proof->story,
             "%s says that the ARC chain is good, and %s, who has forwarded it: DMARC pass for %s",
             sources->trust_authserv_id, oldest->sealer, header->from.domain);
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

static bool is_of_authors_domain(const struct proof_sources *sources)
{
    return !smtp_address_is_null(sources->sender) &&
           smtp_domain_equal(sources->sender->domain, sources->header->from.domain);
}

static bool is_senders_own(const struct proof_sources *sources, const struct proof *proof, bool is_sender_spf_pass)
{
    bool is_author_proven = proof->dmarc == AUTH_RESULT_PASS || proof->dkim == AUTH_RESULT_PASS;
    return !smtp_address_is_null(sources->sender) &&
           ((is_author_proven && is_authors_own(&sources->header->from, sources->sender)) || is_sender_spf_pass);
}

static void use_results(const struct proof_sources *sources, const struct auth_results *results, struct proof *proof)
{
    const struct smtp_address *author = &sources->header->from;
    proof->dmarc = auth_results_dmarc(results, author->domain);
    proof->dkim = auth_results_dkim(results, author->domain);
    use_arc(sources, results, proof);
    proof->is_temporary = proof->dmarc == AUTH_RESULT_TEMPERROR || proof->dkim == AUTH_RESULT_TEMPERROR;
    proof->is_sender_proven = is_senders_own(sources, proof, has_spf_pass(results, sources->sender->domain));
    if (!proof->story[0])
        snprintf(proof->story, sizeof proof->story, "%s says of %s: DMARC %s, DKIM %s", sources->trust_authserv_id,
                 author->domain, auth_result_name(proof->dmarc), auth_result_name(proof->dkim));
}

static void use_check(const struct proof_sources *sources, struct proof *proof)
{
    const struct sender_auth_result *checked = sources->checked;
    proof->dmarc = checked->dmarc;
    proof->dkim = checked->dkim;
    proof->is_temporary = proof->dmarc == AUTH_RESULT_TEMPERROR || proof->dkim == AUTH_RESULT_TEMPERROR;
    proof->is_sender_proven = is_senders_own(sources, proof, checked->is_sender_spf_pass);
    if (checked->sealer[0])
        snprintf(proof->source, sizeof proof->source, "says %s", checked->sealer);
    else
        snprintf(proof->source, sizeof proof->source, "checked here");
    snprintf(proof->outcome, sizeof proof->outcome, "%s", checked->outcome);
    snprintf(proof->story, sizeof proof->story, "%s", checked->story);
}

void proof_suppose(bool is_proven, const struct mail_header_facts *header, struct proof *proof_out)
{
    memset(proof_out, 0, sizeof *proof_out);
    snprintf(proof_out->story, sizeof proof_out->story, "nobody has checked who wrote it: it would make no difference");
    if (!is_proven || header->from_state != MAIL_HEADER_FROM_OK)
        return;
    proof_out->dmarc = proof_out->dkim = AUTH_RESULT_PASS;
    proof_out->is_sender_proven = true;
}

void proof_find(const struct proof_sources *sources, struct proof *proof_out)
{
    struct auth_results results;
    memset(proof_out, 0, sizeof *proof_out);
    if (sources->header->from_state != MAIL_HEADER_FROM_OK)
        return;
    if (sources->is_unwelcome && (sources->assume_authenticated || sources->trust_authserv_id)) {
        proof_out->is_temporary = true; /* the client that is believed now may bring it again */
        snprintf(proof_out->story, sizeof proof_out->story, "the client might not come in any more since a reload");
        return;
    }
    if (sources->assume_authenticated) {
        proof_out->is_assumed = true;
        proof_out->is_sender_proven = is_of_authors_domain(sources);
        snprintf(proof_out->story, sizeof proof_out->story, "the listener is for a trusted network");
        return;
    }
    if (sources->peer) {
        proof_out->is_peer = true;
        proof_out->is_sender_proven = is_of_authors_domain(sources);
        snprintf(proof_out->story, sizeof proof_out->story, "the certificate of %s vouches for %s", sources->peer,
                 sources->header->from.domain);
        return;
    }
    if (!sources->trust_authserv_id) {
        if (sources->checked)
            use_check(sources, proof_out);
        return;
    }
    int found = find_trusted_results(sources, &results);
    proof_out->is_unusable = found < 0;
    snprintf(proof_out->source, sizeof proof_out->source, "says %s", sources->trust_authserv_id);
    if (found == 1)
        use_results(sources, &results, proof_out);
    else
        snprintf(proof_out->story, sizeof proof_out->story, "%s has said nothing%s", sources->trust_authserv_id,
                 found < 0 ? " that can be used" : "");
}
