/* config_listen.c - the sections `listen`: where mail comes in, from whom, and who is believed */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "gateway/peers.h"

const struct config_keyword config_listen_tls[] = { { "none", SMTP_TLS_NONE },
                                                    { "may", SMTP_TLS_MAY },
                                                    { "require", SMTP_TLS_REQUIRE },
                                                    { "implicit", SMTP_TLS_IMPLICIT },
                                                    { 0 } };
const struct config_keyword config_listen_protocols[] = { { "smtp", false }, { "lmtp", true }, { 0 } };

/* Never written; libconfuse takes defaults as char *. */
static char loopback[] = "{\"127.0.0.0/8\", \"::1\"}";

void config_listen_options(cfg_opt_t options_out[static CONFIG_LISTEN_OPTIONS_MAX])
{
    const cfg_opt_t options[] = { CFG_STR("address", NULL, CFGF_NODEFAULT),
                                  CFG_STR("protocol", "smtp", CFGF_NONE),
                                  CFG_STR("tls", "none", CFGF_NONE),
                                  CFG_STR("certificate", NULL, CFGF_NODEFAULT),
                                  CFG_STR("key", NULL, CFGF_NODEFAULT),
                                  CFG_STR_LIST("clients", NULL, CFGF_NODEFAULT),
                                  CFG_STR_LIST("proxy_protocol", NULL, CFGF_NODEFAULT),
                                  CFG_STR_LIST("xclient", NULL, CFGF_NODEFAULT),
                                  CFG_STR_LIST("xforward", NULL, CFGF_NODEFAULT),
                                  CFG_STR_LIST("exempt", loopback, CFGF_NONE),
                                  CFG_INT("connections_per_minute", 600, CFGF_NONE),
                                  CFG_INT("messages_per_minute", 0, CFGF_NONE),
                                  CFG_INT("recipients_per_minute", 0, CFGF_NONE),
                                  CFG_INT("max_messages", 1000, CFGF_NONE),
                                  CFG_INT("max_junk_commands", 100, CFGF_NONE),
                                  CFG_INT("max_recipients", 1000, CFGF_NONE),
                                  CFG_INT("max_errors", 20, CFGF_NONE),
                                  CFG_STR("command_timeout", "5m", CFGF_NONE),
                                  CFG_STR("data_timeout", "3m", CFGF_NONE),
                                  CFG_STR("greet_delay", "0s", CFGF_NONE),
                                  CFG_INT("max_sessions", 1000, CFGF_NONE),
                                  CFG_INT("max_sessions_per_client", 100, CFGF_NONE),
                                  CFG_STR("trust_authserv_id", NULL, CFGF_NODEFAULT),
                                  CFG_BOOL("assume_authenticated", cfg_false, CFGF_NONE),
                                  CFG_STR_LIST("peers", NULL, CFGF_NODEFAULT),
                                  CFG_STR("peer_ca", NULL, CFGF_NODEFAULT),
                                  CFG_END() };
    _Static_assert(sizeof options <= CONFIG_LISTEN_OPTIONS_MAX * sizeof options[0], "make room for more keys");
    memcpy(options_out, options, sizeof options);
}

/* Two files that can be read may still be no certificate and key, or not belong together. */
static void check_certificate(const struct config_listener *listener, struct config_report *report)
{
    if (!listener->certificate || !listener->key || access(listener->certificate, R_OK) < 0 ||
        access(listener->key, R_OK) < 0)
        return; /* reported, if it matters */
    char *error = NULL;
    struct tls_context *context = peers_tls_context(listener, &error);
    if (!context)
        config_problem(report, 0, "listen %s: certificate/key: %s", listener->name, error);
    free(error);
    tls_context_free(&context);
}

/* Port 0 is a different one each time. */
bool config_is_port_0(const char *address)
{
    const char *port = strrchr(address, ':');
    return port && strcmp(port, ":0") == 0;
}

static void check_address_is_free(const struct config *config, size_t index, struct config_report *report)
{
    const struct config_listener *listener = &config->listeners[index];
    if (!listener->address || config_is_port_0(listener->address))
        return;
    for (size_t i = 0; i < index; i++) {
        const struct config_listener *other = &config->listeners[i];
        if (other->address && strcmp(other->address, listener->address) == 0)
            config_problem(report, 0, "listen %s: listen %s has the address %s already", listener->name, other->name,
                           listener->address);
    }
}

/* Nothing says who may come. Behind a proxy (XCLIENT makes one of whoever may say it), that only processes of this machine can connect says nothing either. */
static bool lets_everybody_in(const struct config_listener *listener)
{
    return listener->address && !listener->clients &&
           (listener->proxy_protocol || listener->xclient || !config_is_local_address(listener->address));
}

static void take_limits(cfg_t *section, struct config_listener *listener)
{
    listener->exempt = config_copy_list(section, "exempt");
    listener->max_sessions = (unsigned)cfg_getint(section, "max_sessions");
    listener->max_sessions_per_client = (unsigned)cfg_getint(section, "max_sessions_per_client");
    listener->connections_per_minute = (unsigned)cfg_getint(section, "connections_per_minute");
    listener->messages_per_minute = (unsigned)cfg_getint(section, "messages_per_minute");
    listener->recipients_per_minute = (unsigned)cfg_getint(section, "recipients_per_minute");
    listener->max_messages = (unsigned)cfg_getint(section, "max_messages");
    listener->max_junk_commands = (unsigned)cfg_getint(section, "max_junk_commands");
    listener->max_recipients = (unsigned)cfg_getint(section, "max_recipients");
    listener->max_errors = (unsigned)cfg_getint(section, "max_errors");
    listener->command_timeout_ms = config_duration(section, "command_timeout");
    listener->data_timeout_ms = config_duration(section, "data_timeout");
    listener->greet_delay_ms = config_duration(section, "greet_delay");
}

/* That only processes of this machine can connect is not enough here: it must be written down who is believed. Whoever may open a
 * socket's file is written in its mode. */
static void check_assumed(const struct config_listener *listener, struct config_report *report)
{
    bool is_file = listener->address && strncmp(listener->address, "unix:", 5) == 0 && !lets_everybody_in(listener);
    if (listener->assume_authenticated && !listener->clients && !is_file)
        config_problem(report, 0,
                       "listen %s: assume_authenticated believes whoever can connect; say who that is with clients = { "
                       "... }",
                       listener->name);
}

static void take_listener(cfg_t *section, struct config_listener *listener, struct config_report *report)
{
    listener->name = xstrdup(cfg_title(section));
    listener->address = config_copy_string(section, "address");
    listener->lmtp = config_word(section, config_listen_protocols, "protocol");
    listener->tls = (enum smtp_tls_policy)config_word(section, config_listen_tls, "tls");
    listener->certificate = config_copy_string(section, "certificate");
    listener->key = config_copy_string(section, "key");
    take_limits(section, listener);
    listener->trust_authserv_id = config_copy_string(section, "trust_authserv_id");
    listener->assume_authenticated = cfg_getbool(section, "assume_authenticated");
    listener->clients = config_copy_list(section, "clients");
    listener->proxy_protocol = config_copy_list(section, "proxy_protocol");
    listener->xclient = config_copy_list(section, "xclient");
    listener->xforward = config_copy_list(section, "xforward");
    if (!listener->address)
        config_problem(report, 0, "listen %s: address is missing; expected host:port or unix:/path", listener->name);
    config_take_tls_peers(section, listener, report);
    check_certificate(listener, report);
    if (listener->tls != SMTP_TLS_NONE && (!listener->certificate || !listener->key))
        config_problem(report, 0, "listen %s: tls needs certificate and key", listener->name);
    check_assumed(listener, report);
    if (listener->trust_authserv_id && lets_everybody_in(listener))
        config_problem(
            report, 0,
            "listen %s: whoever can connect is believed; say who that is with clients = { ... }, or listen on "
            "loopback or a unix socket without proxy_protocol and xclient",
            listener->name);
    if (listener->assume_authenticated && listener->trust_authserv_id)
        config_problem(report, 0, "listen %s: assume_authenticated and trust_authserv_id exclude each other",
                       listener->name);
}

void config_take_listeners(cfg_t *cfg, struct config *config, struct config_report *report)
{
    config->listener_count = cfg_size(cfg, "listen");
    config->listeners = xcalloc(config->listener_count + 1, sizeof *config->listeners);
    for (size_t i = 0; i < config->listener_count; i++) {
        take_listener(cfg_getnsec(cfg, "listen", (unsigned)i), &config->listeners[i], report);
        check_address_is_free(config, i, report);
    }
    if (config->listener_count == 0)
        config_problem(
            report, 0,
            "no listen section; expected at least one, such as: listen smtp { address = \"127.0.0.1:2525\" }");
}

/* A listener that trusts nothing still believes everybody when no proof is asked for. */
void config_check_proof_of_strangers(const struct config *config, struct config_report *report)
{
    for (size_t i = 0; config->policy.proof == CONFIG_PROOF_NONE && i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        bool was_reported = listener->assume_authenticated || listener->trust_authserv_id;
        if (lets_everybody_in(listener) && !was_reported)
            config_problem(
                report, 0,
                "listen %s: with policy proof = none whoever can connect is believed; say who that is with "
                "clients = { ... }, or listen on loopback or a unix socket without proxy_protocol and xclient",
                listener->name);
    }
}
