/* config_admin.c - the section `admin`: the control socket, and the web page with its address and the times of its sessions */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"

enum { ORIGIN_MAX = 300 };
static const int64_t session_least_ms = INT64_C(60) * 1000, session_most_ms = INT64_C(30) * 24 * 3600 * 1000;

void config_admin_options(cfg_opt_t options_out[static CONFIG_ADMIN_OPTIONS_MAX])
{
    const cfg_opt_t options[] = {
        CFG_STR("socket", CONFIG_DEFAULT_SOCKET, CFGF_NONE),
        CFG_STR("http", NULL, CFGF_NODEFAULT),
        CFG_STR("origin", NULL, CFGF_NODEFAULT),
        CFG_STR("session_idle", "1h", CFGF_NONE),
        CFG_STR("session_longest", "12h", CFGF_NONE),
        CFG_END(),
    };
    _Static_assert(sizeof options <= CONFIG_ADMIN_OPTIONS_MAX * sizeof options[0], "make room for more keys");
    memcpy(options_out, options, sizeof options);
}

/* Passwords go over it, and it is plain: the world is for a server in front. */
int config_check_admin_http(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, 0);
    if (!value || !config_is_address(value) || !config_is_local_address(value))
        config_value_problem(cfg,
                             "http = \"%s\": expected an address of this machine such as 127.0.0.1:8025, [::1]:8025 or "
                             "unix:/run/postern/web; others reach it through a web server in front that has TLS",
                             value ? value : "");
    return 0;
}

/* "https://name", perhaps with a port, as browsers write it: in lower case, without a path, without the port that goes without saying. */
static bool is_origin(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
    const char *host = text + scheme;
    if (scheme == 0 || strlen(text) > ORIGIN_MAX)
        return false;
    size_t len =
        host[0] == '[' ? strspn(host, "[0123456789abcdef:]") : strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    const char *port = host + len;
    if (len == 0)
        return false;
    if (*port == '\0')
        return true;
    size_t digits = strspn(port + 1, "0123456789");
    return *port == ':' && digits > 0 && digits < 6 && port[1 + digits] == '\0' && port[1] != '0' &&
           strcmp(port, scheme == 8 ? ":443" : ":80") != 0;
}

int config_check_admin_origin(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, 0);
    if (!value || !is_origin(value))
        config_value_problem(cfg,
                             "origin = \"%s\": expected what browsers have before the path, such as "
                             "https://postern.example.org, in lower case",
                             value ? value : "");
    return 0;
}

int config_check_admin_session(cfg_t *cfg, cfg_opt_t *opt)
{
    int64_t ms;
    const char *value = cfg_opt_getnstr(opt, 0);
    if (!value || config_parse_duration(value, &ms) < 0 || ms < session_least_ms || ms > session_most_ms)
        config_value_problem(cfg, "%s = \"%s\": expected a duration from 1m to 30d", cfg_opt_name(opt),
                             value ? value : "");
    return 0;
}

void config_take_admin(cfg_t *cfg, struct config *config, struct config_report *report)
{
    cfg_t *admin = cfg_getsec(cfg, "admin");
    config->admin.socket = config_copy_string(admin, "socket");
    config->admin.http = config_copy_string(admin, "http");
    config->admin.origin = config_copy_string(admin, "origin");
    config->admin.session_idle_ms = config_duration(admin, "session_idle");
    config->admin.session_longest_ms = config_duration(admin, "session_longest");
    if (config->admin.origin && !config->admin.http)
        config_problem(report, 0, "admin: origin is for the web page, which needs http");
    for (size_t i = 0; config->admin.http && i < config->listener_count; i++)
        if (config->listeners[i].address && strcmp(config->listeners[i].address, config->admin.http) == 0 &&
            !config_is_port_0(config->admin.http))
            config_problem(report, 0, "admin: listen %s has the address %s already", config->listeners[i].name,
                           config->admin.http);
    if (config->admin.session_idle_ms > config->admin.session_longest_ms)
        config_problem(report, 0, "admin: session_idle is longer than session_longest");
}

void config_free_admin(struct config *config)
{
    free(config->admin.socket);
    free(config->admin.http);
    free(config->admin.origin);
}
