/* config_policy.c - the section `policy`: who may pass, and what is kept until somebody decides about it */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "gateway/verify_wire.h"
#include "smtp/dmarc.h"
#include "tmtp/tmtp_alias.h"

enum { KEY_PATH_MAX = 4096 };

const struct config_keyword config_unknown_senders[] = { { "reject", CONFIG_UNKNOWN_REJECT },
                                                         { "hold", CONFIG_UNKNOWN_HOLD },
                                                         { NULL, 0 } };

const struct config_keyword config_group_invites[] = { { "members", CONFIG_INVITES_MEMBERS },
                                                       { "nobody", CONFIG_INVITES_NOBODY },
                                                       { NULL, 0 } };
const struct config_keyword config_local_parts[] = { { "insensitive", SMTP_CASE_FOLDED },
                                                     { "sensitive", SMTP_CASE_KEPT },
                                                     { NULL, 0 } };
const struct config_keyword config_proofs[] = {
    { "dmarc", CONFIG_PROOF_DMARC }, { "dkim", CONFIG_PROOF_DKIM }, { "none", CONFIG_PROOF_NONE }, { 0 }
};

void config_policy_options(cfg_opt_t options_out[static CONFIG_POLICY_OPTIONS_MAX])
{
    const cfg_opt_t options[] = {
        CFG_STR("unknown_senders", "reject", CFGF_NONE),  CFG_STR("proof", "dmarc", CFGF_NONE),
        CFG_STR("local_parts", "insensitive", CFGF_NONE), CFG_STR_LIST("trust_arc_sealers", NULL, CFGF_NODEFAULT),
        CFG_STR("group_invites", "members", CFGF_NONE),   CFG_STR("max_message", "35M", CFGF_NONE),
        CFG_INT("automatic_per_hour", 60, CFGF_NONE),     CFG_STR("hold_for", "7d", CFGF_NONE),
        CFG_STR("hold_key", NULL, CFGF_NODEFAULT),        CFG_INT("hold_messages", 1000, CFGF_NONE),
        CFG_STR("hold_size", "512M", CFGF_NONE),          CFG_INT("hold_sender_messages", 10, CFGF_NONE),
        CFG_STR("hold_sender_size", "64M", CFGF_NONE),    CFG_INT("hold_domain_messages", 100, CFGF_NONE),
        CFG_STR("hold_domain_size", "128M", CFGF_NONE),   CFG_STR_LIST("admins", NULL, CFGF_NODEFAULT),
        CFG_INT("requests_per_day", 20, CFGF_NONE),       CFG_END(),
    };
    _Static_assert(sizeof options <= CONFIG_POLICY_OPTIONS_MAX * sizeof options[0], "make room for more keys");
    memcpy(options_out, options, sizeof options);
}

/* They are pinged, as members are. */
int config_check_admins(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned last = cfg_opt_size(opt);
    if (!config_list_grew(opt, last))
        return 0;
    const char *alias = cfg_opt_getnstr(opt, last - 1);
    size_t len = strlen(alias);
    if (len < TMTP_ALIAS_MIN || len > TMTP_ALIAS_MAX || !tmtp_alias_is_safe(alias))
        config_value_problem(cfg,
                             "%s: \"%s\" can't be an alias in the silo: expected 8 to 200 bytes, 255 when escaped as "
                             "in a URL",
                             opt->name, alias);
    else if (last == CONFIG_ADMINS_MAX + 1)
        config_value_problem(cfg, "%s: expected at most %d aliases", opt->name, CONFIG_ADMINS_MAX);
    return 0;
}

static char *default_key(const struct config *config)
{
    struct strbuf path;
    strbuf_init(&path, KEY_PATH_MAX);
    strbuf_add_fmt(&path, "%s/hold.key", config->state_dir ? config->state_dir : "");
    return strbuf_detach(&path);
}

static int64_t size_of(cfg_t *policy, const char *key)
{
    int64_t bytes;
    return config_parse_size(cfg_getstr(policy, key), &bytes) == 1 ? bytes : 0; /* else it was reported */
}

static void take_hold(cfg_t *policy, struct config *config)
{
    config->policy.unknown_senders =
        (enum config_unknown_senders)config_word(policy, config_unknown_senders, "unknown_senders");
    config->hold_key = config_copy_string(policy, "hold_key");
    if (!config->hold_key)
        config->hold_key = default_key(config);
    if (config_parse_duration(cfg_getstr(policy, "hold_for"), &config->hold.for_ms) < 0)
        config->hold.for_ms = 0;
    config->hold.messages = (unsigned)cfg_getint(policy, "hold_messages");
    config->hold.size = size_of(policy, "hold_size");
    config->hold.sender_messages = (unsigned)cfg_getint(policy, "hold_sender_messages");
    config->hold.sender_size = size_of(policy, "hold_sender_size");
    config->hold.domain_messages = (unsigned)cfg_getint(policy, "hold_domain_messages");
    config->hold.domain_size = size_of(policy, "hold_domain_size");
}

static void take_sealers(cfg_t *policy, struct config *config, struct config_report *report)
{
    unsigned count = cfg_size(policy, "trust_arc_sealers");
    char **sealers = xcalloc(count + 1, sizeof *sealers);
    if (count > VERIFY_SEALERS_MAX)
        config_problem(report, 0, "policy: trust_arc_sealers has %u domains; expected at most %d", count,
                       VERIFY_SEALERS_MAX);
    for (unsigned i = 0; i < count; i++) {
        char domain[SMTP_DOMAIN_MAX + 1];
        dmarc_normalise_domain(cfg_getnstr(policy, "trust_arc_sealers", i), domain);
        if (!domain[0] || domain[0] == '[')
            config_problem(report, 0, "policy: trust_arc_sealers has \"%s\"; expected the domain that seals",
                           cfg_getnstr(policy, "trust_arc_sealers", i));
        sealers[i] = xstrdup(domain);
    }
    config->policy.trust_arc_sealers = sealers;
}

void config_take_policy(cfg_t *cfg, struct config *config, struct config_report *report)
{
    cfg_t *policy = cfg_getsec(cfg, "policy");
    config->policy.proof = (enum config_proof)config_word(policy, config_proofs, "proof");
    config->policy.local_parts = (enum smtp_case)config_word(policy, config_local_parts, "local_parts");
    config->policy.group_invites =
        (enum config_group_invites)config_word(policy, config_group_invites, "group_invites");
    config->policy.max_message = size_of(policy, "max_message");
    config->policy.automatic_per_hour = (unsigned)cfg_getint(policy, "automatic_per_hour");
    config->policy.admins = config_copy_list(policy, "admins");
    config->policy.requests_per_day = (unsigned)cfg_getint(policy, "requests_per_day");
    take_sealers(policy, config, report);
    take_hold(policy, config);
}

void config_free_policy(struct config *config)
{
    config_free_list(config->policy.trust_arc_sealers);
    free(config->hold_key);
    config_free_list(config->policy.admins);
}
