/* doctor_dns.c - what the DNS says of our domain and of this machine, as those see it who write to us and get our mail */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/signing_key.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/doctor_internal.h"
#include "smtp/dkim_tags.h"
#include "smtp/dmarc.h"
#include "smtp/public_suffix.h"
#include "smtp/spf.h"

enum {
    MX_MOST = 10,   /* further ones are not looked at */
    TRIES_MOST = 3, /* connections to them */
    ADDRESSES_MOST = 16,
    CONNECT_MS = 3000,
    NAME_SIZE = 300,
    LINE_SIZE = 600,
    IPV4_SIZE = 4,
    IPV6_SIZE = 16,
};

struct addresses {
    char list[ADDRESSES_MOST][INET6_ADDRSTRLEN];
    size_t count;
    bool is_unknown; /* the DNS did not answer */
};

static void add_addresses(struct doctor *doctor, const char *name, enum dns_type type, struct addresses *out)
{
    const struct dns_answer *answer = doctor_ask(doctor, name, type);
    const size_t size = type == DNS_A ? IPV4_SIZE : IPV6_SIZE;
    out->is_unknown = out->is_unknown || answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS;
    for (size_t i = 0; i < answer->count && out->count < ADDRESSES_MOST; i++)
        if (answer->records[i].len == size && inet_ntop(type == DNS_A ? AF_INET : AF_INET6, answer->records[i].data,
                                                        out->list[out->count], INET6_ADDRSTRLEN))
            out->count++;
}

static struct addresses addresses_of(struct doctor *doctor, const char *name)
{
    struct addresses found = { .count = 0 };
    add_addresses(doctor, name, DNS_A, &found);
    add_addresses(doctor, name, DNS_AAAA, &found);
    return found;
}

/* Our domain as the DNS has it. */
static void domain_of(const struct doctor *doctor, char out[static SMTP_DOMAIN_MAX + 1])
{
    dmarc_normalise_domain(doctor->config->domain, out);
}

/* ---- resolver ---- */

void doctor_check_resolver(struct doctor *doctor)
{
    char domain[SMTP_DOMAIN_MAX + 1];
    domain_of(doctor, domain);
    const struct dns_answer *answer = doctor_ask(doctor, domain, DNS_MX);
    if (answer->outcome == DNS_TEMPORARY)
        answer = doctor_ask(doctor, doctor->config->hostname, DNS_A);
    if (answer->outcome == DNS_TEMPORARY) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s",
                   doctor->config->verify.servers ? "the servers of verify.resolver do not answer"
                                                  : "the servers of /etc/resolv.conf do not answer");
        doctor_advise(doctor,
                      "senders can't be proven without; name a resolver in verify.resolver, or install unbound");
    } else if (answer->outcome == DNS_BOGUS) {
        doctor_say(doctor, DOCTOR_FAILURE, "DNSSEC says that the answer about %s is forged", domain);
        doctor_advise(doctor, "see that the zone's signatures are right and not over, and verify.trust_anchor as well");
    } else {
        doctor_say(doctor, DOCTOR_OK, "answers%s", answer->is_secure ? ", validated by DNSSEC" : "");
    }
}

/* ---- MX ---- */

static int by_preference(const void *a, const void *b)
{
    const struct dns_record *left = a, *right = b;
    return (left->preference > right->preference) - (left->preference < right->preference);
}

/* true: one of them greets. line_out: what the last one has said, or why it can't be reached. */
static bool try_hosts(struct doctor *doctor, const struct addresses *at, unsigned *tries, struct strbuf *line_out)
{
    for (size_t i = 0; i<at->count && * tries> 0; i++) {
        char address[INET6_ADDRSTRLEN + 6];
        --*tries;
        snprintf(address, sizeof address, strchr(at->list[i], ':') ? "[%s]:25" : "%s:25", at->list[i]);
        strbuf_clear(line_out);
        if (doctor_reach(doctor, address, CONNECT_MS, true, line_out))
            return true;
    }
    return false;
}

static void judge_mx(struct doctor *doctor, const char *domain, const struct dns_answer *answer)
{
    struct dns_record sorted[DNS_RECORDS_MAX];
    struct strbuf line;
    unsigned tries = TRIES_MOST;
    size_t with_address = 0;
    bool is_reached = false;
    strbuf_init(&line, LINE_SIZE);
    memcpy(sorted, answer->records, answer->count * sizeof sorted[0]);
    qsort(sorted, answer->count, sizeof sorted[0], by_preference);
    for (size_t i = 0; i < answer->count && i < MX_MOST; i++) {
        const struct addresses at = addresses_of(doctor, sorted[i].data);
        if (at.count == 0 && !at.is_unknown) {
            doctor_say(doctor, DOCTOR_WARNING, "the MX %s of %s has no address", sorted[i].data, domain);
            doctor_advise(doctor, "add an A or AAAA record for it, or take the MX record away");
        }
        with_address += at.count > 0;
        if (!is_reached && at.count > 0 && (is_reached = try_hosts(doctor, &at, &tries, &line)))
            doctor_say(doctor, DOCTOR_OK, "mail for %s goes to %s, which answers", domain, sorted[i].data);
    }
    if (with_address == 0) {
        doctor_say(doctor, DOCTOR_FAILURE, "no MX of %s has an address: nobody can write to us", domain);
        doctor_advise(doctor, "let it point to the name of the server that takes mail, which has an A or AAAA record");
    } else if (!is_reached) {
        bool is_refused = strstr(line.data, "refused") != NULL;
        doctor_say(doctor, is_refused ? DOCTOR_FAILURE : DOCTOR_WARNING, "no MX of %s could be reached: %s", domain,
                   line.data);
        doctor_advise(doctor, is_refused
                                  ? "see that a mail server listens on port 25 there: Postfix, or a listener of ours"
                                  : "many networks let nobody connect to port 25; try from elsewhere");
    }
    strbuf_free(&line);
}

void doctor_check_mx(struct doctor *doctor)
{
    char domain[SMTP_DOMAIN_MAX + 1];
    domain_of(doctor, domain);
    const struct dns_answer *answer = doctor_ask(doctor, domain, DNS_MX);
    if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS) {
        doctor_say(doctor, DOCTOR_UNSEEN, "the DNS does not answer about %s", domain);
    } else if (answer->count == 1 && (answer->records[0].len == 0 || strcmp(answer->records[0].data, ".") == 0)) {
        doctor_say(doctor, DOCTOR_FAILURE, "the MX record of %s says that it takes no mail (RFC 7505)", domain);
        doctor_advise(doctor, "replace it: %s. IN MX 10 %s.", domain, doctor->config->hostname);
    } else if (answer->count > 0) {
        judge_mx(doctor, domain, answer);
    } else {
        const struct addresses at = addresses_of(doctor, domain);
        doctor_say(doctor, at.count > 0 ? DOCTOR_WARNING : DOCTOR_FAILURE, "%s has no MX record%s", domain,
                   at.count > 0 ? ", only an address, to which mail goes instead" : ": nobody can write to us");
        doctor_advise(doctor, "add: %s. IN MX 10 %s.", domain, doctor->config->hostname);
    }
}

/* ---- SPF ---- */

/* From where our mail leaves, as far as that can be known. true: from this machine. */
static bool find_leaving(struct doctor *doctor, const struct config_relay *relay, char host_out[static NAME_SIZE])
{
    snprintf(host_out, NAME_SIZE, "%s", doctor->config->hostname);
    if (relay->kind == CONFIG_RELAY_MAILDIR || strncmp(relay->target, "unix:", 5) == 0)
        return true;
    const char *host = relay->target[0] == '[' ? relay->target + 1 : relay->target;
    const char *end = relay->target[0] == '[' ? strchr(host, ']') : strrchr(host, ':');
    int len = end ? (int)(end - host) : (int)strlen(host);
    struct in_addr four;
    char text[NAME_SIZE];
    snprintf(text, sizeof text, "%.*s", len, host);
    if (strcmp(text, "localhost") == 0 || strcmp(text, "::1") == 0 ||
        (inet_pton(AF_INET, text, &four) == 1 && (ntohl(four.s_addr) >> 24) == IN_LOOPBACKNET))
        return true;
    snprintf(host_out, NAME_SIZE, "%s", text);
    return false;
}

static struct addresses addresses_of_host(struct doctor *doctor, const char *host)
{
    struct addresses found = { .count = 0 };
    unsigned char raw[IPV6_SIZE];
    if (inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1)
        snprintf(found.list[found.count++], INET6_ADDRSTRLEN, "%.*s", INET6_ADDRSTRLEN - 1, host);
    else
        found = addresses_of(doctor, host);
    return found;
}

static void judge_spf(struct doctor *doctor, const char *domain, const char *address, bool is_ours)
{
    struct spf_request request = { .client = address, .helo = doctor->config->hostname, .now = time(NULL) };
    struct spf_verdict verdict;
    snprintf(request.sender.local, sizeof request.sender.local, "bounces");
    snprintf(request.sender.domain, sizeof request.sender.domain, "%s", domain);
    spf_check(&request, doctor_ask_for, doctor, &verdict);
    switch (verdict.result) {
    case SPF_PASS:
        doctor_say(doctor, DOCTOR_OK, "%s says that %s may send for it", domain, address);
        break;
    case SPF_NONE:
        doctor_say(doctor, DOCTOR_WARNING, "%s has no SPF record", domain);
        doctor_advise(doctor, "add: %s. IN TXT \"v=spf1 mx a:%s -all\"", domain, doctor->config->hostname);
        break;
    case SPF_TEMPERROR:
        doctor_say(doctor, DOCTOR_UNSEEN, "the DNS does not answer about %s", domain);
        break;
    case SPF_PERMERROR:
        doctor_say(doctor, DOCTOR_FAILURE, "the SPF record of %s is wrong: %s", domain, verdict.detail);
        doctor_advise(doctor, "mend it: others treat mail as if it were forged");
        break;
    case SPF_NEUTRAL:
    case SPF_FAIL:
    case SPF_SOFTFAIL:
        doctor_say(doctor, is_ours && verdict.result == SPF_FAIL ? DOCTOR_FAILURE : DOCTOR_WARNING,
                   "%s does not let %s send for it (%s: %s)", domain, address, spf_result_name(verdict.result),
                   verdict.detail);
        doctor_advise(doctor, "%s ip%s:%s",
                      is_ours ? "add to the record:"
                              : "unless the relay sends from another address, add to the record:",
                      strchr(address, ':') ? "6" : "4", address);
        break;
    }
}

void doctor_check_spf(struct doctor *doctor)
{
    char domain[SMTP_DOMAIN_MAX + 1], host[NAME_SIZE];
    domain_of(doctor, domain);
    for (size_t i = 0; i < doctor->config->relay_count; i++) {
        bool is_ours = find_leaving(doctor, &doctor->config->relays[i], host);
        const struct addresses at = addresses_of_host(doctor, host);
        for (size_t j = 0; j < at.count; j++)
            judge_spf(doctor, domain, at.list[j], is_ours);
        if (at.count == 0)
            doctor_say(doctor, DOCTOR_UNSEEN, "%s has no address, so nobody can tell from where our mail comes", host);
    }
}

/* ---- DKIM ---- */

/* The public key of a record, without the white space that it may have; NULL: it has none. */
static char *published_key(const struct dns_record *record)
{
    struct dkim_tags tags;
    if (dkim_tags_parse(record->data, record->len, &tags) < 0)
        return NULL;
    struct dkim_text key = dkim_tags_find(&tags, "p");
    if (!key.data)
        return NULL;
    char *text = xcalloc(1, key.len + 1), *to = text;
    for (size_t i = 0; i < key.len; i++)
        if (!strchr(" \t\r\n", key.data[i]))
            *to++ = key.data[i];
    return text;
}

void doctor_dns_read_keys(struct doctor *doctor)
{
    const size_t count = doctor->config ? doctor->config->dkim_count : 0;
    doctor->dkim_keys = xcalloc(count + 1, sizeof *doctor->dkim_keys);
    for (size_t i = 0; i < count; i++) {
        struct signing_key *key = signing_key_load(doctor->config->dkim[i].key, &doctor->dkim_keys[i].error);
        doctor->dkim_keys[i].public_key = key ? signing_key_public(key) : NULL;
        signing_key_free(&key);
    }
}

void doctor_dns_clear(struct doctor *doctor)
{
    for (size_t i = 0; doctor->dkim_keys && doctor->config && i < doctor->config->dkim_count; i++) {
        free(doctor->dkim_keys[i].public_key);
        free(doctor->dkim_keys[i].error);
    }
    free(doctor->dkim_keys);
    doctor->dkim_keys = NULL;
}

static void judge_dkim(struct doctor *doctor, const struct config_dkim *dkim, const struct doctor_dkim_key *key)
{
    char name[NAME_SIZE * 2];
    snprintf(name, sizeof name, "%s._domainkey.%s", dkim->selector, dkim->domain);
    const struct dns_answer *answer = doctor_ask(doctor, name, DNS_TXT);
    char *published = answer->count > 0 ? published_key(&answer->records[0]) : NULL;
    const char *ours = key->public_key;
    if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS) {
        doctor_say(doctor, DOCTOR_UNSEEN, "the DNS does not answer about %s", name);
    } else if (answer->count == 0) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s has no record: our signatures can't be checked", name);
        doctor_advise(doctor, "publish it; posternctl setup --dns shows it");
    } else if (answer->count > 1) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s has %zu records, and nobody knows which counts", name, answer->count);
        doctor_advise(doctor, "leave only the one that posternctl setup --dns shows");
    } else if (!ours) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s", key->error ? key->error : "the key can't be read");
    } else if (!published || strcmp(published, ours) != 0) {
        doctor_say(doctor, DOCTOR_FAILURE, "the key in %s is not that of %s: our signatures fail", name, dkim->key);
        doctor_advise(doctor, "publish what posternctl setup --dns shows, or put the right key into that file");
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s is the key of %s", name, dkim->key);
    }
    free(published);
}

void doctor_check_dkim(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->config->dkim_count; i++)
        judge_dkim(doctor, &doctor->config->dkim[i], &doctor->dkim_keys[i]);
    if (doctor->config->dkim_count == 0)
        doctor_say(doctor, DOCTOR_UNSEEN, "mail is not signed here; whether the relay signs it can't be seen");
}

/* ---- DMARC ---- */

/* 1 and the record; 0 there is none; -1 it, or the DNS, is of no use. */
static int find_dmarc(struct doctor *doctor, const char *domain, struct dmarc_record *record_out)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "_dmarc.%s", domain);
    const struct dns_answer *answer = doctor_ask(doctor, name, DNS_TXT);
    int result = answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS ? -1 : 0;
    for (size_t i = 0; i < answer->count && result == 0; i++)
        result = dmarc_record_parse(answer->records[i].data, answer->records[i].len, record_out);
    return result;
}

void doctor_check_dmarc(struct doctor *doctor)
{
    char domain[SMTP_DOMAIN_MAX + 1];
    struct dmarc_record record = { .policy = DMARC_POLICY_NONE };
    domain_of(doctor, domain);
    struct public_suffixes *suffixes = public_suffixes_new();
    const char *organisation = public_suffixes_organisation(suffixes, domain), *at = domain;
    int found = find_dmarc(doctor, domain, &record);
    if (found == 0 && strcmp(organisation, domain) != 0) {
        at = organisation;
        found = find_dmarc(doctor, organisation, &record);
    }
    enum dmarc_policy policy = at == domain ? record.policy : record.subdomain_policy;
    if (found == 1) {
        doctor_say(doctor, DOCTOR_OK, "%s asks others to %s what is not proven to be from %s", at,
                   policy == DMARC_POLICY_NONE ? "take even" : dmarc_policy_name(policy), domain);
    } else if (found == 0) {
        doctor_say(doctor, DOCTOR_WARNING, "%s has no DMARC record: some large providers take no mail from it", domain);
        doctor_advise(doctor, "add: _dmarc.%s. IN TXT \"v=DMARC1; p=none\", and later p=quarantine or p=reject",
                      domain);
    } else {
        doctor_say(doctor, DOCTOR_WARNING, "the DMARC record of %s can't be made out", at);
        doctor_advise(doctor, "it must begin with v=DMARC1; and have p=none, p=quarantine or p=reject");
    }
    public_suffixes_free(&suffixes);
}

/* ---- this machine ---- */

static void reverse_name(const char *address, char out[static NAME_SIZE])
{
    unsigned char raw[IPV6_SIZE];
    size_t len = 0;
    if (inet_pton(AF_INET, address, raw) == 1) {
        snprintf(out, NAME_SIZE, "%u.%u.%u.%u.in-addr.arpa", raw[3], raw[2], raw[1], raw[0]);
        return;
    }
    if (inet_pton(AF_INET6, address, raw) != 1)
        memset(raw, 0, sizeof raw);
    for (int i = IPV6_SIZE - 1; i >= 0; i--)
        len += (size_t)snprintf(out + len, NAME_SIZE - len, "%x.%x.", raw[i] & 15, raw[i] >> 4);
    snprintf(out + len, NAME_SIZE - len, "ip6.arpa");
}

static bool is_local(const char *address)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    bool is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;
    if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1)
        return false;
    int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool result = fd >= 0 && (is_four ? bind(fd, (struct sockaddr *)&four, sizeof four)
                                      : bind(fd, (struct sockaddr *)&six, sizeof six)) == 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static void judge_ptr(struct doctor *doctor, const char *hostname, const char *address)
{
    char name[NAME_SIZE];
    reverse_name(address, name);
    const struct dns_answer *answer = doctor_ask(doctor, name, DNS_PTR);
    bool matches = false;
    for (size_t i = 0; i < answer->count; i++)
        matches = matches || smtp_domain_equal(answer->records[i].data, hostname);
    if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS) {
        doctor_say(doctor, DOCTOR_UNSEEN, "the DNS does not answer about the name of %s", address);
    } else if (matches) {
        doctor_say(doctor, DOCTOR_OK, "%s has the address %s, which has that name", hostname, address);
    } else {
        doctor_say(doctor, DOCTOR_WARNING, "%s has the address %s, whose name is %s", hostname, address,
                   answer->count > 0 ? answer->records[0].data : "not there (no PTR record)");
        doctor_advise(doctor, "if mail leaves from this address, have whoever gave it to you name it %s", hostname);
    }
}

void doctor_check_hostname(struct doctor *doctor)
{
    const char *hostname = doctor->config->hostname;
    const struct addresses at = addresses_of(doctor, hostname);
    size_t local = 0;
    for (size_t i = 0; i < at.count; i++) {
        local += is_local(at.list[i]);
        judge_ptr(doctor, hostname, at.list[i]);
    }
    if (at.count == 0 && at.is_unknown) {
        doctor_say(doctor, DOCTOR_UNSEEN, "the DNS does not answer about %s", hostname);
    } else if (at.count == 0) {
        doctor_say(doctor, DOCTOR_WARNING, "%s has no address; it is how this machine introduces itself", hostname);
        doctor_advise(doctor, "add an A or AAAA record, or set hostname to this machine's name");
    } else if (local == 0) {
        doctor_say(doctor, DOCTOR_WARNING, "%s has the address %s, which is not one of this machine", hostname,
                   at.list[0]);
        doctor_advise(doctor, "that is right behind a router that translates addresses; else correct it, or hostname");
    }
}
