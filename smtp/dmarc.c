#include "smtp/dmarc.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/public_suffix.h"

enum { PREFIX_LEN = 7 /* "_dmarc." */ };

/* ---- the record ---- */

struct text {
    const char *data;
    size_t len;
};

static bool text_is(struct text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trim(const char *start, const char *end)
{
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    return (struct text){ start, (size_t)(end - start) };
}

/* The next "name = value" of the list, to its ";" or the end. 1; 0 there is none; -1 it is not of that form. */
static int next_tag(const char **at, const char *end, struct text *name_out, struct text *value_out)
{
    const char *start = *at;
    if (trim(start, end).len == 0)
        return 0;
    const char *stop = memchr(start, ';', (size_t)(end - start));
    stop = stop ? stop : end;
    const char *equals = memchr(start, '=', (size_t)(stop - start));
    if (!equals)
        return -1;
    *name_out = trim(start, equals);
    *value_out = trim(equals + 1, stop);
    *at = stop < end ? stop + 1 : end;
    for (size_t i = 0; i < name_out->len; i++) {
        char c = name_out->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_'))))
            return -1;
    }
    return name_out->len > 0 ? 1 : -1;
}

static bool parse_policy(struct text value, enum dmarc_policy *policy_out)
{
    for (int policy = DMARC_POLICY_NONE; policy <= DMARC_POLICY_REJECT; policy++) {
        if (text_is(value, dmarc_policy_name((enum dmarc_policy)policy))) {
            *policy_out = (enum dmarc_policy)policy;
            return true;
        }
    }
    return false;
}

/* The tags that mean something here, each at most once. */
enum tag { TAG_P, TAG_SP, TAG_ADKIM, TAG_ASPF, TAG_V, TAG_COUNT };
static const char *const tag_names[TAG_COUNT] = {
    [TAG_P] = "p", [TAG_SP] = "sp", [TAG_ADKIM] = "adkim", [TAG_ASPF] = "aspf", [TAG_V] = "v"
};

static bool note_tag(struct dmarc_record *record, enum tag tag, struct text value)
{
    switch (tag) {
    case TAG_P:
        return parse_policy(value, &record->policy);
    case TAG_SP:
        return parse_policy(value, &record->subdomain_policy);
    case TAG_ADKIM:
        record->is_dkim_strict = !text_is(value, "r");
        return true;
    case TAG_ASPF:
        record->is_spf_strict = !text_is(value, "r");
        return true;
    case TAG_V:
    case TAG_COUNT:
        break;
    }
    return false; /* a second version */
}

int dmarc_record_parse(const char *data, size_t len, struct dmarc_record *record_out)
{
    const char *at = data;
    const char *end = data + len;
    struct text name, value;
    unsigned seen = 0;
    memset(record_out, 0, sizeof *record_out);
    if (next_tag(&at, end, &name, &value) != 1 || !text_is(name, "v") || value.len != strlen("DMARC1") ||
        memcmp(value.data, "DMARC1", value.len) != 0)
        return 0;
    int more;
    while ((more = next_tag(&at, end, &name, &value)) == 1) {
        unsigned tag = 0;
        while (tag < TAG_COUNT && !text_is(name, tag_names[tag]))
            tag++;
        if (tag == TAG_COUNT)
            continue;
        if (seen & 1u << tag || !note_tag(record_out, (enum tag)tag, value))
            return -1;
        seen |= 1u << tag;
    }
    if (more < 0 || !(seen & 1u << TAG_P))
        return -1;
    if (!(seen & 1u << TAG_SP))
        record_out->subdomain_policy = record_out->policy;
    return 1;
}

const char *dmarc_policy_name(enum dmarc_policy policy)
{
    static const char *const names[] = {
        [DMARC_POLICY_NONE] = "none", [DMARC_POLICY_QUARANTINE] = "quarantine", [DMARC_POLICY_REJECT] = "reject"
    };
    return names[policy];
}

/* ---- finding it (section 6.6.3) ---- */

/* Of all TXT records at the name those that are DMARC's. */
static enum dmarc_published read_records(const struct dns_answer *answer, struct dmarc_record *record_out)
{
    enum dmarc_published published = DMARC_NO_RECORD;
    for (size_t i = 0; i < answer->count; i++) {
        struct dmarc_record record;
        int parsed = dmarc_record_parse(answer->records[i].data, answer->records[i].len, &record);
        if (parsed == 0)
            continue;
        if (published != DMARC_NO_RECORD)
            return DMARC_SEVERAL;
        published = parsed == 1 ? DMARC_RECORD : DMARC_MALFORMED;
        *record_out = record;
    }
    return published;
}

static enum dmarc_published ask_at(const char *domain, dns_ask *ask, void *ask_ctx, struct dmarc_verdict *verdict)
{
    char name[PREFIX_LEN + SMTP_DOMAIN_MAX + 1];
    snprintf(name, sizeof name, "_dmarc.%s", domain);
    if (strlen(name) > DNS_NAME_MAX || domain[0] == '[')
        return DMARC_NO_RECORD;
    const struct dns_answer *answer = ask(name, DNS_TXT, ask_ctx);
    if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS)
        return DMARC_UNKNOWN;
    enum dmarc_published published = read_records(answer, &verdict->record);
    if (published != DMARC_NO_RECORD)
        snprintf(verdict->record_domain, sizeof verdict->record_domain, "%s", domain);
    return published;
}

static void discover(const char *organisation, dns_ask *ask, void *ask_ctx, struct dmarc_verdict *verdict)
{
    verdict->published = ask_at(verdict->domain, ask, ask_ctx, verdict);
    bool is_below = strcmp(organisation, verdict->domain) != 0;
    if (verdict->published == DMARC_NO_RECORD && is_below)
        verdict->published = ask_at(organisation, ask, ask_ctx, verdict);
    if (verdict->published == DMARC_RECORD)
        verdict->policy = strcmp(verdict->record_domain, verdict->domain) == 0 ? verdict->record.policy
                                                                               : verdict->record.subdomain_policy;
    if (verdict->published == DMARC_SEVERAL || verdict->published == DMARC_MALFORMED)
        verdict->record = (struct dmarc_record){ .is_dkim_strict = true, .is_spf_strict = true };
}

static void describe(struct dmarc_verdict *verdict)
{
    static const char *const words[] = {
        [DMARC_NO_RECORD] = "no DMARC record",
        [DMARC_RECORD] = "",
        [DMARC_SEVERAL] = "several DMARC records, so alignment is strict",
        [DMARC_MALFORMED] = "a DMARC record that can't be made out, so alignment is strict",
        [DMARC_UNKNOWN] = "whether there is a DMARC record could not be asked",
    };
    const struct dmarc_record *record = &verdict->record;
    if (verdict->published != DMARC_RECORD)
        snprintf(verdict->detail, sizeof verdict->detail, "%s", words[verdict->published]);
    else
        snprintf(verdict->detail, sizeof verdict->detail, "policy %s%s%s", dmarc_policy_name(verdict->policy),
                 record->is_dkim_strict ? ", DKIM strict" : "", record->is_spf_strict ? ", SPF strict" : "");
}

/* ---- alignment (section 3.1) ---- */

void dmarc_normalise_domain(const char *domain, char out[static SMTP_DOMAIN_MAX + 1])
{
    struct smtp_address address;
    char text[SMTP_ADDRESS_MAX + 1];
    int len = snprintf(text, sizeof text, "x@%s", domain);
    out[0] = '\0';
    if (len > 0 && len < (int)sizeof text && smtp_address_parse(text, (size_t)len, &address) == 1 &&
        smtp_address_canonicalise(&address, SMTP_CASE_FOLDED) == 1)
        memcpy(out, address.domain, sizeof address.domain);
}

static bool is_aligned(const struct public_suffixes *suffixes, const char *from, const char *domain, bool is_strict)
{
    if (strcmp(from, domain) == 0)
        return true;
    return !is_strict &&
           strcmp(public_suffixes_organisation(suffixes, from), public_suffixes_organisation(suffixes, domain)) == 0;
}

/* Which of two results of aligned identifiers says more. */
static enum auth_result better(enum auth_result a, enum auth_result b)
{
    static const int worth[] = {
        [AUTH_RESULT_NONE] = 0,      [AUTH_RESULT_OTHER] = 1,     [AUTH_RESULT_FAIL] = 2,
        [AUTH_RESULT_PERMERROR] = 1, [AUTH_RESULT_TEMPERROR] = 3, [AUTH_RESULT_PASS] = 4,
    };
    return worth[b] > worth[a] ? b : a;
}

static void consider(struct dmarc_verdict *verdict, const struct public_suffixes *suffixes,
                     const struct dmarc_identifier *identifier, bool is_strict, enum auth_result *best)
{
    enum auth_result result = identifier->result;
    if (!identifier->domain || !identifier->domain[0] || result == AUTH_RESULT_NONE ||
        !is_aligned(suffixes, verdict->domain, identifier->domain, is_strict))
        return;
    if (result == AUTH_RESULT_PASS && verdict->published == DMARC_UNKNOWN)
        result = AUTH_RESULT_TEMPERROR;
    if (result == AUTH_RESULT_PASS && !verdict->aligned[0])
        snprintf(verdict->aligned, sizeof verdict->aligned, "%s", identifier->domain);
    *best = better(*best, result);
}

void dmarc_check(const struct dmarc_request *request, const struct public_suffixes *suffixes, dns_ask *ask,
                 void *ask_ctx, struct dmarc_verdict *verdict_out)
{
    memset(verdict_out, 0, sizeof *verdict_out);
    verdict_out->result = AUTH_RESULT_FAIL;
    dmarc_normalise_domain(request->from_domain, verdict_out->domain);
    if (!verdict_out->domain[0])
        return;
    discover(public_suffixes_organisation(suffixes, verdict_out->domain), ask, ask_ctx, verdict_out);
    describe(verdict_out);
    const struct dmarc_record *record = &verdict_out->record;
    for (size_t i = 0; i < request->dkim_count; i++)
        consider(verdict_out, suffixes, &request->dkim[i], record->is_dkim_strict, &verdict_out->dkim);
    consider(verdict_out, suffixes, &request->spf, record->is_spf_strict, &verdict_out->spf);
    enum auth_result best = better(verdict_out->dkim, verdict_out->spf);
    verdict_out->result = best == AUTH_RESULT_PASS || best == AUTH_RESULT_TEMPERROR ? best : AUTH_RESULT_FAIL;
}
