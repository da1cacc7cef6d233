#include "smtp/spf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "smtp/spf_internal.h"

enum { NOW_TEXT_SIZE = 24 };

/* What a domain publishes, once it is known to be well-formed. */
struct policy {
    char domain[DNS_NAME_MAX + 1];
    struct spf_text record;
    struct spf_term redirect; /* text.len 0: none */
    struct spf_term explanation;
};

const char *spf_result_name(enum spf_result result)
{
    static const char *const names[] = {
        [SPF_NONE] = "none",         [SPF_NEUTRAL] = "neutral",     [SPF_PASS] = "pass",           [SPF_FAIL] = "fail",
        [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
    };
    return names[result];
}

/* The domain's only SPF record (sections 4.4 and 4.5): 1; 0 it has none; -1. */
static int find_record(struct spf_check *check, struct policy *policy)
{
    const struct dns_answer *answer;
    size_t count = 0;
    int found = spf_check_ask(check, policy->domain, DNS_TXT, &answer);
    if (found != 1)
        return found;
    for (size_t i = 0; i < answer->count; i++) {
        if (!spf_record_is_spf(answer->records[i].data, answer->records[i].len))
            continue;
        policy->record = (struct spf_text){ answer->records[i].data, answer->records[i].len };
        count++;
    }
    if (count > 1)
        return spf_check_stop(check, SPF_PERMERROR, "%zu SPF records at %s", count, policy->domain);
    return count == 1;
}

/* Section 4.6: an error anywhere spoils the record, whether or not evaluation would come to it. Finds the modifiers. */
static int read_record(struct spf_check *check, struct policy *policy)
{
    struct spf_cursor cursor = spf_record_open(policy->record.data, policy->record.len);
    struct spf_term term;
    int more;
    policy->redirect = policy->explanation = (struct spf_term){ .kind = SPF_UNKNOWN_MODIFIER };
    while ((more = spf_record_next(&cursor, &term)) == 1) {
        struct spf_term *modifier = term.kind == SPF_REDIRECT ? &policy->redirect
                                    : term.kind == SPF_EXP    ? &policy->explanation
                                                              : NULL;
        if (modifier != NULL && modifier->text.len > 0)
            return spf_check_stop(check, SPF_PERMERROR, "\"%.*s\" is the second one of its kind in the record of %s",
                                  (int)term.text.len, term.text.data, policy->domain);
        if (modifier != NULL)
            *modifier = term;
    }
    if (more == -1)
        return spf_check_stop(check, SPF_PERMERROR, "can't understand \"%.*s\" in the record of %s", (int)term.text.len,
                              term.text.data, policy->domain);
    return 1;
}

static enum spf_result evaluate(struct spf_check *check, struct policy *policy);

/* Section 5.2. The explanation of an included record is nobody's. */
static int match_include(struct spf_check *check, const struct spf_term *term)
{
    struct policy included;
    const char *domain = check->domain;
    if (spf_check_count_term(check, term) != 1)
        return -1;
    if (spf_check_target(check, term, included.domain) != 1) {
        if (check->values.is_local_utf8)
            return 0; /* perhaps because of it, and then nothing matches (RFC 8616 section 4) */
        return spf_check_stop(check, SPF_PERMERROR, "\"%.*s\" of %s leads to no name", (int)term->text.len,
                              term->text.data, domain);
    }
    enum spf_result result = evaluate(check, &included);
    check->domain = domain;
    if (result == SPF_TEMPERROR || result == SPF_PERMERROR)
        return -1;
    if (result == SPF_NONE)
        return spf_check_stop(check, SPF_PERMERROR, "\"%.*s\" of %s leads to no record", (int)term->text.len,
                              term->text.data, domain);
    return result == SPF_PASS;
}

/* The first mechanism that matches: 1 with *result_out; 0 none does; -1. */
static int find_match(struct spf_check *check, const struct policy *policy, enum spf_result *result_out)
{
    struct spf_cursor cursor = spf_record_open(policy->record.data, policy->record.len);
    struct spf_term term;
    while (spf_record_next(&cursor, &term) == 1) {
        if (term.kind == SPF_REDIRECT || term.kind == SPF_EXP || term.kind == SPF_UNKNOWN_MODIFIER)
            continue;
        int matches = term.kind == SPF_INCLUDE ? match_include(check, &term) : spf_check_match(check, &term);
        if (matches == 0)
            continue;
        if (matches == -1)
            return -1;
        *result_out = term.result;
        if (term.kind != SPF_INCLUDE) {
            spf_check_note(check, "\"%.*s\" of %s", (int)term.text.len, term.text.data, policy->domain);
            return 1;
        }
        char inner[SPF_DETAIL_MAX + 1];
        memcpy(inner, check->verdict->detail, sizeof inner);
        spf_check_note(check, "\"%.*s\" of %s: %s", (int)term.text.len, term.text.data, policy->domain, inner);
        return 1;
    }
    return 0;
}

/* check_host() for policy->domain, following redirects. Leaves *policy at the record that decided. Calls itself for included records, which
 * SPF_TERMS_MAX bounds. */
static enum spf_result evaluate(struct spf_check *check, struct policy *policy)
{
    enum spf_result result = SPF_NONE;
    for (bool is_first = true;; is_first = false) {
        check->domain = policy->domain;
        int found = spf_name_is_host_domain(policy->domain) ? find_record(check, policy) : 0;
        if (found == 0 && is_first) {
            spf_check_note(check, "%s has no SPF record", policy->domain);
            return SPF_NONE;
        }
        if (found == 0)
            found = spf_check_stop(check, SPF_PERMERROR, "\"redirect=\" leads to %s, which has no SPF record",
                                   policy->domain);
        if (found == -1 || read_record(check, policy) == -1)
            return check->verdict->result;
        int matches = find_match(check, policy, &result);
        if (matches == 1)
            return result;
        if (matches == -1)
            return check->verdict->result;
        if (policy->redirect.text.len == 0) {
            spf_check_note(check, "no term of %s matches", policy->domain);
            return SPF_NEUTRAL;
        }
        if (spf_check_count_term(check, &policy->redirect) != 1)
            return check->verdict->result;
        char target[DNS_NAME_MAX + 1];
        if (spf_check_target(check, &policy->redirect, target) != 1) {
            (void)spf_check_stop(check, check->values.is_local_utf8 ? SPF_NEUTRAL : SPF_PERMERROR,
                                 "\"%.*s\" of %s leads to no name", (int)policy->redirect.text.len,
                                 policy->redirect.text.data, policy->domain);
            return check->verdict->result;
        }
        memcpy(policy->domain, target, sizeof target);
    }
}

static bool is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] >= 0x7F)
            return false;
    }
    return true;
}

/* Section 6.2. Whatever goes wrong: as if there were no "exp=". */
static void explain(struct spf_check *check, const struct policy *policy)
{
    char name[DNS_NAME_MAX + 1];
    enum spf_macro_end end;
    check->domain = policy->domain;
    if (policy->explanation.text.len == 0 || spf_check_target(check, &policy->explanation, name) != 1)
        return;
    const struct dns_answer *answer = check->ask(name, DNS_TXT, check->ask_ctx);
    if (answer->outcome != DNS_FOUND || answer->count != 1)
        return;
    const struct dns_record *record = &answer->records[0];
    if (spf_macro_check(record->data, record->len, SPF_MACRO_EXPLANATION, &end) != 1)
        return;
    struct spf_macro_values values = check->values;
    struct strbuf text;
    values.of['d' - 'a'] = check->domain;
    strbuf_init(&text, SPF_EXPANSION_MAX);
    if (spf_macro_expand(record->data, record->len, SPF_MACRO_EXPLANATION, &values, &text) == 1 && strbuf_ok(&text) &&
        is_printable(text.data, text.len))
        snprintf(check->verdict->explanation, sizeof check->verdict->explanation, "%s", text.data);
    strbuf_free(&text);
}

/* The texts behind the macro letters; they must outlive the check. */
struct identity {
    char local[SMTP_LOCAL_MAX + 1];
    char domain[DNS_NAME_MAX + 1];
    char sender[SMTP_LOCAL_MAX + 1 + DNS_NAME_MAX + 1];
    char helo[SMTP_DOMAIN_MAX + 1];
    char receiver[SMTP_DOMAIN_MAX + 1];
    char client_labels[SPF_IP_TEXT_SIZE];
    char client[SPF_IP_TEXT_SIZE];
    char now[NOW_TEXT_SIZE];
};

/* 1; -1 there is no domain to ask for (section 4.3). */
static int fill_identity(const struct spf_request *request, struct identity *identity)
{
    const char *receiver = request->receiver != NULL && request->receiver[0] != '\0' ? request->receiver : "unknown";
    const char *local = request->sender.local[0] != '\0' ? request->sender.local : "postmaster";
    const char *domain = request->sender.domain[0] != '\0' ? request->sender.domain : request->helo;
    snprintf(identity->helo, sizeof identity->helo, "%s", request->helo);
    snprintf(identity->receiver, sizeof identity->receiver, "%s", receiver);
    snprintf(identity->local, sizeof identity->local, "%s", local);
    snprintf(identity->now, sizeof identity->now, "%" PRId64, request->now);
    if (spf_name_from_identity(domain, identity->domain) != 1)
        return -1;
    snprintf(identity->sender, sizeof identity->sender, "%s@%s", identity->local, identity->domain);
    return 1;
}

static void start_check(struct spf_check *check, struct identity *identity)
{
    spf_ip_format(&check->client, identity->client);
    spf_ip_format_labels(&check->client, identity->client_labels);
    const struct {
        char letter;
        const char *text;
    } values[] = {
        { 's', identity->sender }, { 'l', identity->local },
        { 'o', identity->domain }, { 'i', identity->client_labels },
        { 'h', identity->helo },   { 'v', check->client.len == 4 ? "in-addr" : "ip6" },
        { 'c', identity->client }, { 'r', identity->receiver },
        { 't', identity->now },
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check->values.of[values[i].letter - 'a'] = values[i].text;
    check->values.find_client_name = spf_check_client_name;
    check->values.ctx = check;
    check->values.is_local_utf8 = !is_printable(identity->local, strlen(identity->local));
}

void spf_check(const struct spf_request *request, dns_ask *ask, void *ask_ctx, struct spf_verdict *verdict_out)
{
    struct spf_check check = { .ask = ask, .ask_ctx = ask_ctx, .verdict = verdict_out };
    struct identity identity = { .local = "" };
    struct policy policy;
    memset(verdict_out, 0, sizeof *verdict_out);
    if (spf_ip_parse(request->client, strlen(request->client), &check.client) != 1) {
        spf_check_note(&check, "the client has no IP address");
        return;
    }
    spf_ip_unmap(&check.client);
    if (fill_identity(request, &identity) != 1) {
        spf_check_note(&check, "there is no domain to ask for");
        return;
    }
    start_check(&check, &identity);
    snprintf(verdict_out->domain, sizeof verdict_out->domain, "%s", identity.domain);
    snprintf(policy.domain, sizeof policy.domain, "%s", identity.domain);
    verdict_out->result = evaluate(&check, &policy);
    if (verdict_out->result == SPF_FAIL)
        explain(&check, &policy);
}
