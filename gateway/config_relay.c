/* config_relay.c - the relay sections: where mail goes, in order */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "gateway/relay_password.h"

enum { USER_MAX = 255 };

const struct config_keyword config_relay_tls[] = { { "none", SMTP_CLIENT_TLS_NONE },
                                                   { "may", SMTP_CLIENT_TLS_MAY },
                                                   { "require", SMTP_CLIENT_TLS_REQUIRE },
                                                   { "verify", SMTP_CLIENT_TLS_VERIFY },
                                                   { 0 } };
static const struct config_keyword relay_schemes[] = { { "maildir:", CONFIG_RELAY_MAILDIR },
                                                       { "smtp://", CONFIG_RELAY_SMTP },
                                                       { "lmtp://", CONFIG_RELAY_LMTP },
                                                       { "smtps://", CONFIG_RELAY_SMTPS },
                                                       { 0 } };

int config_check_relay_url(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, 0);
    for (const struct config_keyword *scheme = relay_schemes; scheme->word; scheme++) {
        size_t len = strlen(scheme->word);
        if (strncmp(value, scheme->word, len) != 0)
            continue;
        if (scheme->value == CONFIG_RELAY_MAILDIR ? value[len] == '/' : config_is_address(value + len))
            return 0;
    }
    config_value_problem(cfg,
                         "%s = \"%s\": expected maildir:/DIR, smtp://host:port, lmtp://host:port, lmtp://unix:/path or "
                         "smtps://host:port",
                         opt->name, value);
    return 0;
}

int config_check_relay_user(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, 0);
    if (!value[0] || strlen(value) > USER_MAX)
        config_value_problem(cfg, "%s = \"%s\": expected the name to log in with, at most %d bytes", opt->name, value,
                             USER_MAX);
    return 0;
}

int config_check_password_file(cfg_t *cfg, cfg_opt_t *opt)
{
    char *password = NULL, *error = NULL;
    const char *file = cfg_opt_getnstr(opt, 0);
    if (file[0] != '/')
        config_value_problem(cfg, "%s = \"%s\": expected an absolute path", opt->name, file);
    else if (relay_password_read(file, &password, &error) < 0)
        config_value_problem(cfg, "%s: %s", opt->name, error);
    free(password);
    free(error);
    return 0;
}

static void take_url(struct config_relay *relay)
{
    for (const struct config_keyword *scheme = relay_schemes; scheme->word; scheme++) {
        if (strncmp(relay->url, scheme->word, strlen(scheme->word)) != 0)
            continue;
        relay->kind = (enum config_relay_kind)scheme->value;
        relay->target = xstrdup(relay->url + strlen(scheme->word));
    }
}

/* A password goes only to a relay that proves who it is: others could take it on the way. */
static void check_login(const struct config_relay *relay, struct config_report *report)
{
    bool is_local = relay->target && config_is_local_address(relay->target);
    bool is_encrypted = relay->tls >= SMTP_CLIENT_TLS_REQUIRE || relay->kind == CONFIG_RELAY_SMTPS ||
                        (relay->target && strncmp(relay->target, "unix:", 5) == 0); /* nobody listens in on it */
    if (!relay->user != !relay->password_file)
        config_problem(report, 0, "relay %s: user and password_file go together", relay->url);
    else if (!relay->user)
        return;
    else if (relay->kind == CONFIG_RELAY_MAILDIR)
        config_problem(report, 0, "relay %s: a maildir knows no user", relay->url);
    else if (is_local && !is_encrypted)
        config_problem(report, 0, "relay %s: a password is sent over TLS only; expected tls = require or verify",
                       relay->url);
    else if (!is_local && relay->tls != SMTP_CLIENT_TLS_VERIFY)
        config_problem(
            report, 0,
            "relay %s: a password is sent only to a relay that proves who it is; expected tls = verify, with "
            "ca_file or fingerprint if need be",
            relay->url);
}

static void check_certificate(const struct config_relay *relay, struct config_report *report)
{
    if (relay->fingerprint && relay->tls != SMTP_CLIENT_TLS_VERIFY)
        config_problem(report, 0, "relay %s: fingerprint goes with tls = verify", relay->url);
    if (relay->fingerprint && relay->ca_file)
        config_problem(report, 0, "relay %s: fingerprint and ca_file exclude each other", relay->url);
}

static void take_relay(cfg_t *section, struct config_relay *relay, struct config_report *report)
{
    relay->url = config_copy_string(section, "url");
    relay->tls = (enum smtp_client_tls)config_word(section, config_relay_tls, "tls");
    relay->ca_file = config_copy_string(section, "ca_file");
    relay->fingerprint = config_copy_string(section, "fingerprint");
    relay->user = config_copy_string(section, "user");
    relay->password_file = config_copy_string(section, "password_file");
    relay->helo = config_copy_string(section, "helo");
    relay->max_connections = (unsigned)cfg_getint(section, "max_connections");
    if (!relay->url) {
        config_problem(
            report, 0,
            "relay: url is missing; expected for example maildir:/var/lib/postern/out or smtp://127.0.0.1:25");
        return;
    }
    take_url(relay);
    check_login(relay, report);
    check_certificate(relay, report);
}

void config_take_relays(cfg_t *cfg, struct config *config, struct config_report *report)
{
    config->relay_count = cfg_size(cfg, "relay");
    config->relays = xcalloc(config->relay_count + 1, sizeof *config->relays);
    for (size_t i = 0; i < config->relay_count; i++) {
        take_relay(cfg_getnsec(cfg, "relay", (unsigned)i), &config->relays[i], report);
        for (size_t j = 0; j < i; j++)
            if (config->relays[i].url && config->relays[j].url &&
                strcmp(config->relays[i].url, config->relays[j].url) == 0)
                config_problem(report, 0, "relay: %s stands there twice", config->relays[i].url);
    }
    if (config->relay_count == 0)
        config_problem(report, 0, "no relay section; expected for example: relay { url = \"smtp://127.0.0.1:25\" }");
    if (config->relay_count > CONFIG_RELAYS_MAX)
        config_problem(report, 0, "%zu relay sections; expected at most %d", config->relay_count, CONFIG_RELAYS_MAX);
}

void config_free_relays(struct config *config)
{
    for (size_t i = 0; i < config->relay_count; i++) {
        struct config_relay *relay = &config->relays[i];
        free(relay->url);
        free(relay->target);
        free(relay->ca_file);
        free(relay->fingerprint);
        free(relay->user);
        free(relay->password_file);
        free(relay->helo);
    }
    free(config->relays);
}
