/* config_peers.c - the key `peers` of the sections `listen`: "IDENTITY=DOMAIN,DOMAIN" */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "mapping/subject.h"
#include "smtp/smtp_address.h"

enum { PIN_DIGITS = 64, DOMAINS_MAX = 64 };

static const char pin_prefix[] = "sha256:";
static const char below_mark[] = "*.";

/* As tls.h has pins, from what people have: capitals, and colons between the octets as openssl(1) writes them. */
static bool copy_pin(const char *text, struct strbuf *out)
{
    size_t digits = 0;
    strbuf_add_str(out, pin_prefix);
    for (const char *at = text + strlen(pin_prefix); *at; at++) {
        if (*at == ':')
            continue;
        if (!strchr("0123456789abcdefABCDEF", *at))
            return false;
        strbuf_add_char(out, *at >= 'A' && *at <= 'F' ? (char)(*at + ('a' - 'A')) : *at);
        digits++;
    }
    return digits == PIN_DIGITS;
}

/* A name as certificates have it: in ASCII, in lower case. An address of a machine is none. */
static bool copy_name(const char *text, struct strbuf *out)
{
    struct smtp_address address;
    struct strbuf probe;
    strbuf_init(&probe, SMTP_ADDRESS_MAX);
    strbuf_add_fmt(&probe, "x@%s", text);
    bool is_name = strbuf_ok(&probe) && smtp_address_parse(probe.data, probe.len, &address) == 1 &&
                   smtp_address_canonicalise(&address, SMTP_CASE_FOLDED) == 1 && address.domain[0] != '[' &&
                   strchr(address.domain, '.') && strspn(address.domain, "0123456789.") != strlen(address.domain);
    if (is_name)
        strbuf_add_str(out, address.domain);
    strbuf_free(&probe);
    return is_name;
}

static bool is_pin(const char *identity)
{
    return strncmp(identity, pin_prefix, strlen(pin_prefix)) == 0;
}

/* "partner.example" is the domain alone, "*.partner.example" what is below it. */
static bool take_domain(const char *text, struct config_peer *peer, size_t *count)
{
    struct subject subject;
    struct strbuf pattern;
    const char *wrong;
    bool is_below = strncmp(text, below_mark, strlen(below_mark)) == 0;
    strbuf_init(&pattern, SUBJECT_SIZE);
    strbuf_add_fmt(&pattern, "%s%s", is_below ? "*@*." : "*@", is_below ? text + strlen(below_mark) : text);
    bool is_good = strbuf_ok(&pattern) && *count < DOMAINS_MAX &&
                   subject_parse(pattern.data, SMTP_CASE_FOLDED, &subject, &wrong) == 1 &&
                   !subject_is_too_wide(&subject);
    if (is_good)
        peer->subjects[(*count)++] = xstrdup(subject.text);
    strbuf_free(&pattern);
    return is_good;
}

static bool take_domains(char *text, struct config_peer *peer)
{
    size_t count = 0;
    bool is_good = true;
    peer->subjects = xcalloc(DOMAINS_MAX + 1, sizeof *peer->subjects);
    for (char *domain; is_good && (domain = strsep(&text, ",")) != NULL;) {
        domain += strspn(domain, " ");
        domain[strcspn(domain, " ")] = '\0';
        is_good = take_domain(domain, peer, &count);
    }
    return is_good;
}

static void free_peer(struct config_peer *peer)
{
    free(peer->identity);
    config_free_list(peer->subjects);
    *peer = (struct config_peer){ .identity = NULL };
}

/* What is wrong with it, or NULL. */
static const char *take_peer(const char *entry, struct config_peer *peer)
{
    const char *problem = NULL;
    char *copy = xstrdup(entry);
    char *domains = strchr(copy, '=');
    struct strbuf identity;
    strbuf_init(&identity, TLS_PEER_MAX);
    if (domains)
        *domains++ = '\0';
    if (!domains)
        problem = "expected IDENTITY=DOMAIN,DOMAIN";
    else if (is_pin(copy) ? !copy_pin(copy, &identity) : !copy_name(copy, &identity))
        problem = "expected \"sha256:\" and 64 hexadecimal digits, or a name such as mx.partner.example, before \"=\"";
    else if (!take_domains(domains, peer))
        problem = "expected domains such as partner.example,*.partner.example behind \"=\"";
    peer->identity = strbuf_detach(&identity);
    free(copy);
    return problem;
}

int config_check_tls_peers(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned last = cfg_opt_size(opt);
    if (!config_list_grew(opt, last))
        return 0;
    struct config_peer peer = { .identity = NULL };
    const char *problem = take_peer(cfg_opt_getnstr(opt, last - 1), &peer);
    if (problem)
        config_value_problem(cfg, "%s: \"%s\": %s", opt->name, cfg_opt_getnstr(opt, last - 1), problem);
    else if (last == TLS_PEERS_MAX + 1)
        config_value_problem(cfg, "%s: expected at most %d", opt->name, TLS_PEERS_MAX);
    free_peer(&peer);
    return 0;
}

/* That each entry is good has been seen. */
static void check_peers(const struct config_listener *listener, struct config_report *report)
{
    size_t names = 0;
    for (size_t i = 0; i < listener->peer_count; i++) {
        names += !is_pin(listener->peers[i].identity);
        for (size_t k = 0; k < i; k++)
            if (strcmp(listener->peers[i].identity, listener->peers[k].identity) == 0)
                config_problem(report, 0, "listen %s: peers: %s is there twice; expected all its domains in one entry",
                               listener->name, listener->peers[i].identity);
    }
    if (listener->peer_count > 0 && listener->tls == SMTP_TLS_NONE)
        config_problem(report, 0, "listen %s: peers are known by certificates; expected tls = may, require or implicit",
                       listener->name);
    if (names > 0 && !listener->peer_ca)
        config_problem(report, 0,
                       "listen %s: peers that are named need peer_ca, which says who signs their certificates",
                       listener->name);
    if (names == 0 && listener->peer_ca)
        config_problem(report, 0, "listen %s: peer_ca goes with peers that are named", listener->name);
    if (listener->peer_count > 0 && listener->assume_authenticated)
        config_problem(report, 0, "listen %s: assume_authenticated and peers exclude each other", listener->name);
}

void config_take_tls_peers(cfg_t *section, struct config_listener *listener, struct config_report *report)
{
    unsigned count = cfg_size(section, "peers");
    listener->peer_ca = config_copy_string(section, "peer_ca");
    listener->peers = xcalloc(count + 1, sizeof *listener->peers);
    for (unsigned i = 0; i < count && i < TLS_PEERS_MAX; i++) {
        struct config_peer *peer = &listener->peers[listener->peer_count];
        if (take_peer(cfg_getnstr(section, "peers", i), peer) == NULL)
            listener->peer_count++;
        else
            free_peer(peer);
    }
    check_peers(listener, report);
}

void config_free_tls_peers(struct config_listener *listener)
{
    for (size_t i = 0; i < listener->peer_count; i++)
        free_peer(&listener->peers[i]);
    free(listener->peers);
    free(listener->peer_ca);
}
