#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/spf_internal.h"

/* Much of a note is a stranger's text. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text >= 0x7F)
            *text = '?';
    }
}

void spf_check_note(struct spf_check *check, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(check->verdict->detail, sizeof check->verdict->detail, fmt, args);
    va_end(args);
    make_printable(check->verdict->detail);
}

int spf_check_stop(struct spf_check *check, enum spf_result result, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(check->verdict->detail, sizeof check->verdict->detail, fmt, args);
    va_end(args);
    make_printable(check->verdict->detail);
    check->verdict->result = result;
    return -1;
}

int spf_check_count_term(struct spf_check *check, const struct spf_term *term)
{
    check->is_void = false;
    if (++check->terms <= SPF_TERMS_MAX)
        return 1;
    return spf_check_stop(check, SPF_PERMERROR, "more than %d terms that ask the DNS: \"%.*s\" of %s", SPF_TERMS_MAX,
                          (int)term->text.len, term->text.data, check->domain);
}

static bool is_temporary(const struct dns_answer *answer)
{
    return answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS;
}

int spf_check_ask(struct spf_check *check, const char *name, enum dns_type type, const struct dns_answer **answer_out)
{
    static const struct {
        enum dns_type type;
        const char *name;
    } names[] = { { DNS_A, "A" }, { DNS_PTR, "PTR" }, { DNS_MX, "MX" }, { DNS_TXT, "TXT" }, { DNS_AAAA, "AAAA" } };

    *answer_out = check->ask(name, type, check->ask_ctx);
    if (!is_temporary(*answer_out)) {
        bool is_found = (*answer_out)->outcome == DNS_FOUND && (*answer_out)->count > 0;
        check->is_void = check->is_void || !is_found;
        return is_found;
    }
    const char *type_name = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type)
            type_name = names[i].name;
    }
    return spf_check_stop(check, SPF_TEMPERROR, "%s: the %s records of %s",
                          (*answer_out)->outcome == DNS_BOGUS ? "the DNS gives a forged answer"
                                                              : "the DNS does not answer",
                          type_name, name);
}

int spf_check_target(struct spf_check *check, const struct spf_term *term, char name_out[static DNS_NAME_MAX + 1])
{
    if (term->domain.len == 0)
        return spf_name_make(check->domain, strlen(check->domain), name_out) == 1;
    struct spf_macro_values values = check->values;
    struct strbuf text;
    values.of['d' - 'a'] = check->domain;
    strbuf_init(&text, SPF_EXPANSION_MAX);
    int is_name = spf_macro_expand(term->domain.data, term->domain.len, SPF_MACRO_DOMAIN, &values, &text) == 1 &&
                  strbuf_ok(&text) && spf_name_make(text.data, text.len, name_out) == 1;
    strbuf_free(&text);
    return is_name;
}

static enum dns_type address_type(const struct spf_check *check)
{
    return check->client.len == 4 ? DNS_A : DNS_AAAA;
}

/* Is the client's among the addresses of an answer? */
static bool answer_has_client(const struct spf_check *check, const struct dns_answer *answer, unsigned prefix)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        struct spf_ip ip = { .len = check->client.len };
        if (record->len != ip.len)
            continue;
        memcpy(ip.octets, record->data, ip.len);
        if (spf_ip_match(&check->client, &ip, prefix))
            return true;
    }
    return false;
}

static unsigned prefix_of(const struct spf_check *check, const struct spf_term *term)
{
    return check->client.len == 4 ? term->prefix4 : term->prefix6;
}

static int match_addresses(struct spf_check *check, const char *name, unsigned prefix)
{
    const struct dns_answer *answer;
    int found = spf_check_ask(check, name, address_type(check), &answer);
    return found == 1 ? answer_has_client(check, answer, prefix) : found;
}

static int match_all(struct spf_check *check, const struct spf_term *term)
{
    (void)check;
    (void)term;
    return 1;
}

static int match_network(struct spf_check *check, const struct spf_term *term)
{
    return spf_ip_match(&check->client, &term->network, prefix_of(check, term));
}

static int match_a(struct spf_check *check, const struct spf_term *term)
{
    char name[DNS_NAME_MAX + 1];
    return spf_check_target(check, term, name) == 1 ? match_addresses(check, name, prefix_of(check, term)) : 0;
}

/* The better one first, and equal ones by name: the DNS gives them in any order, and the result should not depend on it. */
static bool comes_before(const struct dns_record *a, const struct dns_record *b)
{
    return a->preference != b->preference ? a->preference < b->preference : strcmp(a->data, b->data) < 0;
}

static size_t sort_exchanges(const struct dns_answer *answer, const struct dns_record *sorted[static SPF_MX_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < answer->count; i++) {
        size_t at = count++;
        for (; at > 0 && comes_before(&answer->records[i], sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &answer->records[i];
    }
    return count;
}

/* A domain without MX records has no exchange: its own address is not taken for one (section 5.4). */
static int match_mx(struct spf_check *check, const struct spf_term *term)
{
    char name[DNS_NAME_MAX + 1];
    const struct dns_answer *answer;
    if (spf_check_target(check, term, name) != 1)
        return 0;
    int found = spf_check_ask(check, name, DNS_MX, &answer);
    if (found != 1)
        return found;
    if (answer->count > SPF_MX_MAX)
        return spf_check_stop(check, SPF_PERMERROR, "more than %d MX records at %s: \"%.*s\" of %s", SPF_MX_MAX, name,
                              (int)term->text.len, term->text.data, check->domain);
    const struct dns_record *exchanges[SPF_MX_MAX];
    size_t count = sort_exchanges(answer, exchanges);
    for (size_t i = 0; i < count; i++) {
        char exchange[DNS_NAME_MAX + 1];
        if (spf_name_make(exchanges[i]->data, exchanges[i]->len, exchange) != 1)
            continue; /* "." among them: the null MX of RFC 7505 */
        int matches = match_addresses(check, exchange, prefix_of(check, term));
        if (matches != 0)
            return matches;
    }
    return 0;
}

/* Always A, whatever the client has. */
static int match_exists(struct spf_check *check, const struct spf_term *term)
{
    char name[DNS_NAME_MAX + 1];
    const struct dns_answer *answer;
    return spf_check_target(check, term, name) == 1 ? spf_check_ask(check, name, DNS_A, &answer) : 0;
}

/* Section 5.5: names that the client's address leads to and that lead back to it. An error on the way there means none, on the way
 * back one less: the domain can't help what others' zones do. */
static void find_client_names(struct spf_check *check)
{
    char reverse[DNS_NAME_MAX + 1];
    if (check->knows_client_names)
        return;
    check->knows_client_names = true;
    spf_ip_format_reverse(&check->client, reverse);
    const struct dns_answer *names = check->ask(reverse, DNS_PTR, check->ask_ctx);
    size_t count = names->outcome != DNS_FOUND ? 0 : names->count < SPF_PTR_MAX ? names->count : SPF_PTR_MAX;
    for (size_t i = 0; i < count; i++) {
        char name[DNS_NAME_MAX + 1];
        if (spf_name_make(names->records[i].data, names->records[i].len, name) != 1)
            continue;
        const struct dns_answer *addresses = check->ask(name, address_type(check), check->ask_ctx);
        if (addresses->outcome == DNS_FOUND && answer_has_client(check, addresses, (unsigned)(8 * check->client.len)))
            check->client_names[check->client_name_count++] = names->records[i].data;
    }
    check->has_no_client_name = names->outcome == DNS_NO_NAME || names->outcome == DNS_NO_DATA;
}

const char *spf_check_client_name(void *ctx)
{
    struct spf_check *check = ctx;
    find_client_names(check);
    const char *below = NULL;
    for (size_t i = 0; i < check->client_name_count; i++) {
        if (strcasecmp(check->client_names[i], check->domain) == 0)
            return check->client_names[i];
        if (below == NULL && spf_name_is_within(check->client_names[i], check->domain))
            below = check->client_names[i];
    }
    if (below != NULL)
        return below;
    return check->client_name_count > 0 ? check->client_names[0] : "unknown";
}

static int match_ptr(struct spf_check *check, const struct spf_term *term)
{
    char name[DNS_NAME_MAX + 1];
    if (spf_check_target(check, term, name) != 1)
        return 0;
    find_client_names(check);
    check->is_void = check->is_void || check->has_no_client_name;
    for (size_t i = 0; i < check->client_name_count; i++) {
        if (spf_name_is_within(check->client_names[i], name))
            return 1;
    }
    return 0;
}

int spf_check_match(struct spf_check *check, const struct spf_term *term)
{
    static const struct {
        int (*match)(struct spf_check *check, const struct spf_term *term);
        bool asks;
    } mechanisms[] = {
        [SPF_ALL] = { match_all, false },      [SPF_A] = { match_a, true },
        [SPF_MX] = { match_mx, true },         [SPF_PTR] = { match_ptr, true },
        [SPF_IP4] = { match_network, false },  [SPF_IP6] = { match_network, false },
        [SPF_EXISTS] = { match_exists, true },
    };
    if (!mechanisms[term->kind].asks)
        return mechanisms[term->kind].match(check, term);
    if (spf_check_count_term(check, term) != 1)
        return -1;
    int matches = mechanisms[term->kind].match(check, term);
    if (matches != 0 || !check->is_void || ++check->voids <= SPF_VOIDS_MAX)
        return matches;
    return spf_check_stop(check, SPF_PERMERROR, "more than %d terms that ask the DNS in vain: \"%.*s\" of %s",
                          SPF_VOIDS_MAX, (int)term->text.len, term->text.data, check->domain);
}
