/* config_metrics.c - the section `metrics`: where figures are told, and to whom */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/config_internal.h"

void config_metrics_options(cfg_opt_t options_out[static CONFIG_METRICS_OPTIONS_MAX])
{
    const cfg_opt_t options[] = {
        CFG_STR("http", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("clients", NULL, CFGF_NODEFAULT),
        CFG_END(),
    };
    _Static_assert(sizeof options <= CONFIG_METRICS_OPTIONS_MAX * sizeof options[0], "make room for more keys");
    memcpy(options_out, options, sizeof options);
}

void config_take_metrics(cfg_t *cfg, struct config *config, struct config_report *report)
{
    cfg_t *section = cfg_getsec(cfg, "metrics");
    config->metrics.http = config_copy_string(section, "http");
    config->metrics.clients = config_copy_list(section, "clients");
    const char *http = config->metrics.http;
    if (http && !config->metrics.clients && !config_is_local_address(http))
        config_problem(
            report, 0,
            "metrics: http = \"%s\" can be asked by everybody who can connect; say who that is with clients = "
            "{ ... }, or listen on loopback or a unix socket",
            http);
    if (!http && config->metrics.clients)
        config_problem(report, 0, "metrics: clients are of http, which is missing");
    for (size_t i = 0; http && i < config->listener_count; i++)
        if (config->listeners[i].address && strcmp(config->listeners[i].address, http) == 0)
            config_problem(report, 0, "metrics: listen %s has the address %s already", config->listeners[i].name, http);
}

void config_free_metrics(struct config *config)
{
    free(config->metrics.http);
    config_free_list(config->metrics.clients);
}
