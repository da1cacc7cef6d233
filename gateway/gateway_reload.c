/* gateway_reload.c - what a new configuration changes, and what a start and a reload have in common */
#include "gateway/gateway_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/systemd.h"
#include "gateway/acts.h"
#include "gateway/config.h"
#include "gateway/config_changes.h"
#include "gateway/limits.h"
#include "gateway/metrics.h"
#include "gateway/report.h"
#include "gateway/signer.h"
#include "gateway/silo_link.h"
#include "gateway/verify.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_guessing.h"

void gateway_use_log_level(const struct gateway *gateway)
{
    log_set_level(gateway->debug ? LOG_LEVEL_DEBUG : gateway->parts.config->log.level);
}

/* What an operator should hear about at every start and reload. */
void gateway_warn_of_trust(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].assume_authenticated)
            log_warning("listener.trusting", "listener=%s hint=%s", config->listeners[i].name,
                        "assume_authenticated: whoever can connect here may claim to be any sender");
    if (config->policy.proof == CONFIG_PROOF_NONE)
        log_warning("policy.trusting", "hint=%s", "policy.proof = none: senders are believed without proof");
    if (config->postfix.recipients_db && config->policy.unknown_senders == CONFIG_UNKNOWN_HOLD)
        log_warning(
            "postfix.lacks", "hint=%s",
            "postfix.recipients_db has only those to whom a mapping is open: Postfix refuses mail to others, which "
            "policy.unknown_senders = hold would keep; postfix.socketmap knows them");
    if (config->policy.local_parts == SMTP_CASE_KEPT)
        log_info("policy.case", "hint=%s",
                 "policy.local_parts = sensitive: mappings let in only who writes their address with the same letters, "
                 "capital or small; what keeps somebody out does so in any case");
}

struct resolver_settings gateway_resolver_settings(const struct config *config)
{
    return (struct resolver_settings){ .program = "/proc/self/exe",
                                       .servers = (const char *const *)config->verify.servers,
                                       .trust_anchor = config->verify.trust_anchor,
                                       .timeout_ms = config->verify.dns_timeout_ms };
}

/* Once they are there they stay, whatever a reload brings. */
int gateway_start_verify(struct gateway *gateway, char **error_out)
{
    const struct config *config = gateway->parts.config;
    if (gateway->parts.verify || !verify_is_needed(config))
        return 1;
    gateway->parts.verify = verify_new(gateway->parts.loop, gateway->parts.resolver, "/proc/self/exe");
    if (gateway->parts.verify)
        return 1;
    *error_out = gateway_errno_text("can't start", "the verify workers");
    return -1;
}

/* They could be read a moment ago, with the configuration. */
static void use_signing_keys(struct gateway *gateway, struct strbuf *message)
{
    char *error = NULL;
    if (signer_reconfigure(gateway->parts.signer, gateway->parts.config, &error) < 0)
        strbuf_add_fmt(message, "dkim: the keys stay as they were: %s; otherwise ", error);
    free(error);
}

static int reload(struct gateway *gateway, const struct store_actor *by, struct strbuf *message)
{
    struct config *was = gateway->parts.config;
    struct config *is = config_load(was->file, message);
    char *error = NULL;
    if (!is)
        return -1;
    config_find_restart_changes(was, is, message);
    if (message->len > 0) /* half a new configuration would be neither */
        strbuf_add_str(message, "; nothing was changed");
    if (message->len > 0 || gateway_reconfigure_listeners(gateway, is, message) < 0) {
        config_free(&is);
        return -1;
    }
    gateway->parts.config = is;
    gateway->debug = false;
    acts_add_reload(&gateway->parts, by, was);
    config_free(&was);
    use_signing_keys(gateway, message);
    reporter_reconfigure(gateway->parts.reporter, is);
    struct resolver_settings resolver = gateway_resolver_settings(is);
    resolver_reconfigure(gateway->parts.resolver, &resolver);
    smtp_budget_set_max(gateway->budget, is->session_memory);
    smtp_guessing_set_free(gateway->guessing, is->limits.guesses);
    limits_warn(is, gateway->open_files);
    metrics_reconfigure(gateway->metrics, is);
    gateway_use_log_level(gateway);
    gateway_warn_of_trust(is);
    signer_warn(gateway->parts.signer);
    silo_link_reconfigured(gateway->link);
    if (gateway_start_verify(gateway, &error) < 0) /* mail that needs them is put off */
        log_error("verify.not_started", "error=%s", error);
    free(error);
    timer_start(gateway->housekeeping, 0); /* what is not to be kept any more goes now */
    strbuf_add_str(message, "certificates, the keys that sign mail and the names in it, the silo's pin and token, "
                            "policy, verify, content, retry times, "
                            "the listeners' limits, clients and trust, and the log level are as in the file now");
    return 1;
}

int gateway_reload(struct gateway *gateway, const struct store_actor *by, struct strbuf *message)
{
    systemd_notify_reloading();
    int result = reload(gateway, by, message);
    systemd_notify("READY=1"); /* with the old one, if the new one is bad */
    return result;
}
