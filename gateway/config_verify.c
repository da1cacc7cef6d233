/* config_verify.c - the section `verify`: whom DNS is asked of when senders are to be proven */
#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/resolver.h"
#include "base/resolver_anchors.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"

enum { DNS_TIMEOUT_LEAST_MS = 1000, DNS_TIMEOUT_MOST_MS = 20000 };

static const char system_servers[] = "system";

void config_verify_options(cfg_opt_t options_out[static CONFIG_VERIFY_OPTIONS_MAX])
{
    const cfg_opt_t options[] = {
        CFG_STR_LIST("resolver", NULL, CFGF_NODEFAULT),
        CFG_STR("trust_anchor", NULL, CFGF_NODEFAULT),
        CFG_STR("dns_timeout", "5s", CFGF_NONE),
        CFG_END(),
    };
    _Static_assert(sizeof options <= CONFIG_VERIFY_OPTIONS_MAX * sizeof options[0], "make room for more keys");
    memcpy(options_out, options, sizeof options);
}

/* Numbers only: a name would have to be looked up first, where? */
static bool is_server(const char *text)
{
    char host[INET6_ADDRSTRLEN + 2];
    struct in6_addr address;
    const char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    size_t len = (size_t)(colon - text);
    if (strlen(text) >= RESOLVER_SERVER_TEXT_MAX || !config_is_address(text) || len >= sizeof host ||
        strcmp(colon, ":0") == 0)
        return false;
    bool is_ip6 = text[0] == '[' && len > 2 && text[len - 1] == ']';
    memcpy(host, text + is_ip6, len);
    host[len - 2 * (size_t)is_ip6] = '\0';
    return inet_pton(is_ip6 ? AF_INET6 : AF_INET, host, &address) == 1;
}

int config_check_resolver(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned last = cfg_opt_size(opt);
    if (!config_list_grew(opt, last))
        return 0;
    const char *value = cfg_opt_getnstr(opt, last - 1);
    const char *first = cfg_opt_getnstr(opt, 0);
    if (strcmp(value, system_servers) != 0 && !is_server(value))
        config_value_problem(
            cfg, "resolver: \"%s\" is neither \"system\" nor an address and port such as 127.0.0.1:53 or [::1]:53",
            value);
    else if (last > 1 && (strcmp(value, system_servers) == 0 || strcmp(first, system_servers) == 0))
        config_value_problem(cfg, "resolver: \"system\" stands alone");
    else if (last == RESOLVER_SERVERS_MAX + 1)
        config_value_problem(cfg, "resolver: expected at most %d servers", RESOLVER_SERVERS_MAX);
    return 0;
}

int config_check_trust_anchor(cfg_t *cfg, cfg_opt_t *opt)
{
    struct strbuf problem;
    const char *value = cfg_opt_getnstr(opt, 0);
    strbuf_init(&problem, 1000);
    if (!value || value[0] != '/' || strlen(value) >= PATH_MAX)
        config_value_problem(cfg, "trust_anchor = \"%s\": expected an absolute path", value ? value : "");
    else if (resolver_anchors_check(value, &problem) < 0)
        config_value_problem(cfg, "trust_anchor = \"%s\": %s; expected a file of DS or DNSKEY records", value,
                             problem.data);
    strbuf_free(&problem);
    return 0;
}

int config_check_dns_timeout(cfg_t *cfg, cfg_opt_t *opt)
{
    int64_t ms;
    const char *value = cfg_opt_getnstr(opt, 0);
    if (!value || config_parse_duration(value, &ms) < 0 || ms < DNS_TIMEOUT_LEAST_MS || ms > DNS_TIMEOUT_MOST_MS)
        config_value_problem(cfg, "dns_timeout = \"%s\": expected a duration from 1s to 20s", value ? value : "");
    return 0;
}

void config_take_verify(cfg_t *cfg, struct config *config)
{
    cfg_t *section = cfg_getsec(cfg, "verify");
    unsigned count = cfg_size(section, "resolver");
    bool is_system = count == 0 || strcmp(cfg_getnstr(section, "resolver", 0), system_servers) == 0;
    if (!is_system) {
        config->verify.servers = xcalloc(count + 1, sizeof *config->verify.servers);
        for (unsigned i = 0; i < count; i++)
            config->verify.servers[i] = xstrdup(cfg_getnstr(section, "resolver", i));
    }
    config->verify.trust_anchor = config_copy_string(section, "trust_anchor");
    if (config_parse_duration(cfg_getstr(section, "dns_timeout"), &config->verify.dns_timeout_ms) < 0)
        config->verify.dns_timeout_ms = 0; /* was reported */
}

void config_free_verify(struct config *config)
{
    for (size_t i = 0; config->verify.servers && config->verify.servers[i]; i++)
        free(config->verify.servers[i]);
    free(config->verify.servers);
    free(config->verify.trust_anchor);
}
