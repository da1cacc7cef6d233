/* config_mail.c - the sections `mail` and `dkim`: how our mail looks, and who signs it */
#include <stdlib.h>
#include <string.h>

#include "base/signing_key.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "gateway/display_name.h"
#include "gateway/signer.h"
#include "smtp/smtp_address.h"
#include "smtp/smtp_punycode.h"

enum { SELECTOR_MAX = 63 };

static const char *value_of(cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, 0);
    return value ? value : "";
}

int config_check_from_name(cfg_t *cfg, cfg_opt_t *opt)
{
    if (!display_name_is_format(value_of(opt)))
        config_value_problem(
            cfg,
            "%s = \"%s\": expected a name such as \"{alias} via Acme\" or \"{alias} via {domain}\", of "
            "at most %d bytes, without \"@\"",
            opt->name, value_of(opt), DISPLAY_NAME_FORMAT_MAX);
    return 0;
}

/* RFC 6376 section 3.1: one or more labels; one is enough for everybody. */
int config_check_selector(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    const char *value = value_of(opt);
    size_t len = strlen(value);
    bool ok = len > 0 && len <= SELECTOR_MAX && strspn(value, allowed) == len && !strstr(value, "..") &&
              !strstr(value, "-.") && !strstr(value, ".-") && !strchr(".-", value[0]) && !strchr(".-", value[len - 1]);
    if (!ok)
        config_value_problem(cfg, "%s = \"%s\": expected letters, digits and \"-\", 63 at most, such as s2026",
                             opt->name, value);
    return 0;
}

int config_check_signing_key(cfg_t *cfg, cfg_opt_t *opt)
{
    char *error = NULL;
    if (value_of(opt)[0] != '/') {
        config_value_problem(cfg, "%s = \"%s\": expected an absolute path", opt->name, value_of(opt));
        return 0;
    }
    struct signing_key *key = signing_key_load(value_of(opt), &error);
    if (!key)
        config_value_problem(cfg, "%s: %s", opt->name, error);
    signing_key_free(&key);
    free(error);
    return 0;
}

/* As it stands in the DNS. NULL: it can't. */
static char *ascii_domain(const char *domain)
{
    struct strbuf out;
    char label[SMTP_LABEL_MAX + 1];
    strbuf_init(&out, SMTP_DOMAIN_MAX);
    for (const char *at = domain; *at;) {
        size_t len = strcspn(at, ".");
        if (smtp_punycode_encode_label(at, len, label) != 1) {
            strbuf_free(&out);
            return NULL;
        }
        strbuf_add_fmt(&out, "%s%s", out.len > 0 ? "." : "", label);
        at += len;
        at += *at == '.';
    }
    bool ok = strbuf_ok(&out);
    char *result = strbuf_detach(&out);
    if (ok)
        return result;
    free(result);
    return NULL;
}

/* Is it the domain, or one above it? Only then the signature says something about From (RFC 7489 section 3.1.1). */
static bool is_above(const char *above, const char *domain)
{
    for (const char *at = domain; at; at = strchr(at, '.')) {
        at += *at == '.';
        if (smtp_domain_equal(at, above))
            return true;
    }
    return false;
}

static void take_key(cfg_t *section, struct config *config, struct config_report *report)
{
    struct config_dkim *dkim = &config->dkim[config->dkim_count++];
    const char *selector = cfg_getstr(section, "selector"), *key = cfg_getstr(section, "key");
    const char *domain = cfg_getstr(section, "domain");
    if (!domain)
        domain = config->domain ? config->domain : "";
    *dkim = (struct config_dkim){ .selector = xstrdup(selector ? selector : ""),
                                  .key = xstrdup(key ? key : ""),
                                  .domain = ascii_domain(domain) };
    if (!selector || !key)
        config_problem(report, 0, "dkim: selector and key are needed; see postern.conf(5)");
    if (!dkim->domain)
        config_problem(report, 0, "dkim: the domain %s can't be in the DNS", domain);
    else if (config->domain && !is_above(domain, config->domain))
        config_problem(report, 0, "dkim: domain = \"%s\": expected %s, or a domain above it", domain, config->domain);
    for (size_t i = 0; i + 1 < config->dkim_count; i++)
        if (dkim->domain && config->dkim[i].domain && strcmp(config->dkim[i].selector, dkim->selector) == 0 &&
            strcmp(config->dkim[i].domain, dkim->domain) == 0)
            config_problem(report, 0, "dkim: two keys have the selector %s; each needs one of its own", dkim->selector);
}

void config_take_mail(cfg_t *cfg, struct config *config, struct config_report *report)
{
    config->mail.from_name = xstrdup(cfg_getstr(cfg_getsec(cfg, "mail"), "from_name"));
    unsigned count = cfg_size(cfg, "dkim");
    if (count > SIGNER_KEYS_MAX) {
        config_problem(report, 0, "dkim: %u sections; expected %d at most", count, SIGNER_KEYS_MAX);
        return;
    }
    config->dkim = xcalloc(count + 1, sizeof *config->dkim);
    for (unsigned i = 0; i < count; i++)
        take_key(cfg_getnsec(cfg, "dkim", i), config, report);
}

void config_free_mail(struct config *config)
{
    for (size_t i = 0; i < config->dkim_count; i++) {
        free(config->dkim[i].selector);
        free(config->dkim[i].key);
        free(config->dkim[i].domain);
    }
    free(config->dkim);
    free(config->mail.from_name);
}
