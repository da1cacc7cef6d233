/* config_schema.c - the keys, what each may hold, and how they become a struct config */
#include <arpa/inet.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "gateway/silo_token.h"
#include "smtp/smtp_address.h"
#include "tmtp/tmtp_alias.h"

static const struct config_keyword log_levels[] = { { "debug", LOG_LEVEL_DEBUG },
                                                    { "info", LOG_LEVEL_INFO },
                                                    { "warning", LOG_LEVEL_WARNING },
                                                    { "error", LOG_LEVEL_ERROR },
                                                    { 0 } };
static const struct config_keyword log_targets[] = { { "auto", LOG_TARGET_AUTO },
                                                     { "stderr", LOG_TARGET_STDERR },
                                                     { "journal", LOG_TARGET_JOURNAL },
                                                     { "syslog", LOG_TARGET_SYSLOG },
                                                     { 0 } };
static const struct config_keyword policy_matches[] = {
    { "address", CONFIG_MATCH_ADDRESS }, { "domain", CONFIG_MATCH_DOMAIN }, { "none", CONFIG_MATCH_NONE }, { NULL, 0 }
};
static const struct config_keyword *find_keyword(const struct config_keyword *words, const char *word)
{
    for (; words->word; words++)
        if (strcmp(words->word, word) == 0)
            return words;
    return NULL;
}

static int keyword_value(const struct config_keyword *words, const char *word)
{
    const struct config_keyword *found = find_keyword(words, word);
    return found ? found->value : 0;
}

static void list_keywords(const struct config_keyword *words, struct strbuf *out)
{
    for (const struct config_keyword *w = words; w->word; w++)
        strbuf_add_fmt(out, "%s%s", w == words ? "" : w[1].word ? ", " : " or ", w->word);
}

static const char *value_of(cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, 0);
    return value ? value : "";
}

/* Validators: called after each assignment; they report and let the parse go on. */

static int check_size(cfg_t *cfg, cfg_opt_t *opt)
{
    int64_t bytes;
    if (config_parse_size(value_of(opt), &bytes) < 0 || bytes < 1024 || bytes > INT64_C(900) << 20)
        config_value_problem(cfg, "%s = \"%s\": expected a size from 1K to 900M, such as 512K or 35M", opt->name,
                             value_of(opt));
    return 0;
}

static int check_memory(cfg_t *cfg, cfg_opt_t *opt)
{
    int64_t bytes;
    if (config_parse_size(value_of(opt), &bytes) < 0 || bytes < INT64_C(1) << 20 || bytes > INT64_C(1) << 40)
        config_value_problem(cfg, "%s = \"%s\": expected a size from 1M to 1024G, such as 256M", opt->name,
                             value_of(opt));
    return 0;
}

static int check_duration_within(cfg_t *cfg, cfg_opt_t *opt, int64_t least_ms, int64_t most_ms, const char *expected)
{
    int64_t ms;
    if (config_parse_duration(value_of(opt), &ms) < 0 || ms < least_ms || ms > most_ms)
        config_value_problem(cfg, "%s = \"%s\": expected %s", opt->name, value_of(opt), expected);
    return 0;
}

/* Clients wait five minutes for a greeting (RFC 5321 section 4.5.3.2.1), but few of their users do. */
static int check_greet_delay(cfg_t *cfg, cfg_opt_t *opt)
{
    return check_duration_within(cfg, opt, 0, 60 * 1000, "a duration from 0s to 60s");
}

/* Without a pause an attempt would follow the other; and times are added to the clock's. */
static int check_retry(cfg_t *cfg, cfg_opt_t *opt)
{
    return check_duration_within(cfg, opt, 1000, INT64_C(3650) * 24 * 3600 * 1000,
                                 "a duration such as 30s, 10m, 4h or 7d, from 1s to 3650d");
}

static int check_client_timeout(cfg_t *cfg, cfg_opt_t *opt)
{
    return check_duration_within(cfg, opt, 5 * 1000, 3600 * 1000, "a duration from 5s to 1h");
}

static int check_domain(cfg_t *cfg, cfg_opt_t *opt)
{
    struct strbuf probe;
    struct smtp_address address;
    strbuf_init(&probe, 400);
    strbuf_add_fmt(&probe, "x@%s", value_of(opt));
    if (!strbuf_ok(&probe) || smtp_address_parse(probe.data, probe.len, &address) < 0)
        config_value_problem(cfg, "%s = \"%s\": expected a domain name such as silo.example.org", opt->name,
                             value_of(opt));
    strbuf_free(&probe);
    return 0;
}

static bool is_host_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    long port = strtol(colon + 1, NULL, 10);
    bool bare_v6 = memchr(text, ':', (size_t)(colon - text)) && text[0] != '[';
    return strlen(colon + 1) <= 5 && port <= 65535 && !bare_v6;
}

bool config_is_address(const char *text)
{
    return strncmp(text, "unix:/", 6) == 0 || is_host_port(text);
}

static int check_address(cfg_t *cfg, cfg_opt_t *opt)
{
    if (!config_is_address(value_of(opt)))
        config_value_problem(cfg, "%s = \"%s\": expected host:port, [ipv6]:port or unix:/path", opt->name,
                             value_of(opt));
    return 0;
}

static int check_silo_address(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = value_of(opt);
    if ((value[0] != '+' && value[0] != '=') || !is_host_port(value + 1))
        config_value_problem(cfg, "%s = \"%s\": expected +host:port (certificate verified) or =host:port (pinned)",
                             opt->name, value);
    return 0;
}

/* A line break in it would be one in each place that shows it. */
static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static int check_alias(cfg_t *cfg, cfg_opt_t *opt)
{
    size_t len = strlen(value_of(opt));
    if (has_control(value_of(opt)))
        config_value_problem(cfg, "%s: expected printable characters, in one line", opt->name);
    else if (len < TMTP_ALIAS_MIN || len > TMTP_ALIAS_MAX || !tmtp_alias_is_safe(value_of(opt)))
        config_value_problem(cfg, "%s = \"%s\": expected 8 to 200 bytes (a silo's rule), 255 when escaped as in a URL",
                             opt->name, value_of(opt));
    return 0;
}

static int check_pin(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = value_of(opt);
    if (strncmp(value, "sha256:", 7) != 0 || strlen(value) != 71 || strspn(value + 7, "0123456789abcdef") != 64)
        config_value_problem(cfg, "%s: expected \"sha256:\" and 64 lower-case hexadecimal digits", opt->name);
    return 0;
}

static int check_absolute_path(cfg_t *cfg, cfg_opt_t *opt)
{
    if (value_of(opt)[0] != '/')
        config_value_problem(cfg, "%s = \"%s\": expected an absolute path", opt->name, value_of(opt));
    return 0;
}

static int check_socket_path(cfg_t *cfg, cfg_opt_t *opt)
{
    enum { PATH_BYTES_MAX = sizeof((struct sockaddr_un){ 0 }).sun_path - 1 };
    if (strlen(value_of(opt)) > PATH_BYTES_MAX)
        config_value_problem(cfg, "%s = \"%s\": expected at most %d bytes (the system's limit for a socket)", opt->name,
                             value_of(opt), PATH_BYTES_MAX);
    return check_absolute_path(cfg, opt);
}

static int check_readable_file(cfg_t *cfg, cfg_opt_t *opt)
{
    if (access(value_of(opt), R_OK) < 0)
        config_value_problem(cfg, "%s = \"%s\": the file is missing or not readable", opt->name, value_of(opt));
    return 0;
}

/* It may be absent: once the gateway has registered nobody needs it any more. */
static int check_token_file(cfg_t *cfg, cfg_opt_t *opt)
{
    char *oidc = NULL, *error = NULL;
    if (value_of(opt)[0] != '/')
        return check_absolute_path(cfg, opt);
    if (silo_token_read(value_of(opt), &oidc, &error) < 0)
        config_value_problem(cfg, "%s: %s", opt->name, error);
    free(oidc);
    free(error);
    return 0;
}

static int check_user(cfg_t *cfg, cfg_opt_t *opt)
{
    if (!getpwnam(value_of(opt)))
        config_value_problem(cfg, "%s = \"%s\": no such user on this system", opt->name, value_of(opt));
    return 0;
}

static int check_count(cfg_t *cfg, cfg_opt_t *opt)
{
    long value = cfg_opt_getnint(opt, 0);
    if (value < 1 || value > 100000)
        config_value_problem(cfg, "%s = %ld: expected a number from 1 to 100000", opt->name, value);
    return 0;
}

/* RFC 5321 section 4.5.3.1.8. */
static int check_recipients(cfg_t *cfg, cfg_opt_t *opt)
{
    long value = cfg_opt_getnint(opt, 0);
    if (value < 100 || value > 100000)
        config_value_problem(cfg, "%s = %ld: expected a number from 100 to 100000", opt->name, value);
    return 0;
}

static int check_count_or_none(cfg_t *cfg, cfg_opt_t *opt)
{
    long value = cfg_opt_getnint(opt, 0);
    if (value < 0 || value > 1000000)
        config_value_problem(cfg, "%s = %ld: expected a number from 1 to 1000000, or 0 for no limit", opt->name, value);
    return 0;
}

static bool is_network(const char *text)
{
    char host[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    size_t len = strcspn(text, "/");
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    int family = strchr(host, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, host, bytes) != 1)
        return false;
    if (!text[len])
        return true;
    const char *bits = text + len + 1;
    return *bits && strspn(bits, "0123456789") == strlen(bits) && strlen(bits) <= 3 &&
           strtol(bits, NULL, 10) <= (family == AF_INET6 ? 128 : 32);
}

static int check_networks(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned last = cfg_opt_size(opt);
    if (config_list_grew(opt, last) && !is_network(cfg_opt_getnstr(opt, last - 1)))
        config_value_problem(cfg, "%s: \"%s\" is not a network such as 10.0.0.0/8 or ::1", opt->name,
                             cfg_opt_getnstr(opt, last - 1));
    return 0;
}

/* Networks, and whoever comes by a unix socket. */
static int check_peers(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned last = cfg_opt_size(opt);
    if (!config_list_grew(opt, last))
        return 0;
    const char *value = cfg_opt_getnstr(opt, last - 1);
    if (!is_network(value) && strcmp(value, "unix") != 0)
        config_value_problem(cfg, "%s: \"%s\" is neither a network such as 10.0.0.0/8 or ::1 nor \"unix\"", opt->name,
                             value);
    return 0;
}

/* Which words a key takes; looked up by the validator, which libconfuse gives no context either. */
static const struct {
    const char *path;
    const struct config_keyword *words;
} word_keys[] = {
    { "listen|protocol", config_listen_protocols },
    { "listen|tls", config_listen_tls },
    { "relay|tls", config_relay_tls },
    { "policy|unknown_senders", config_unknown_senders },
    { "policy|proof", config_proofs },
    { "policy|local_parts", config_local_parts },
    { "policy|group_invites", config_group_invites },
    { "log|level", log_levels },
    { "log|target", log_targets },
    { "postfix|policy_match", policy_matches },
    { "content|body", config_content_bodies },
    { "content|quote", config_content_quotes },
    { "content|answered", config_content_answered },
};

static int check_word(cfg_t *cfg, cfg_opt_t *opt)
{
    for (size_t i = 0; i < sizeof word_keys / sizeof word_keys[0]; i++) {
        const char *bar = strchr(word_keys[i].path, '|');
        size_t section_len = (size_t)(bar - word_keys[i].path);
        if (strncmp(cfg_name(cfg), word_keys[i].path, section_len) != 0 || cfg_name(cfg)[section_len] ||
            strcmp(opt->name, bar + 1) != 0)
            continue;
        if (find_keyword(word_keys[i].words, value_of(opt)))
            return 0;
        struct strbuf expected;
        strbuf_init(&expected, 200);
        list_keywords(word_keys[i].words, &expected);
        config_value_problem(cfg, "%s = \"%s\": expected %s", opt->name, value_of(opt), expected.data);
        strbuf_free(&expected);
    }
    return 0;
}

static const struct {
    const char *path;
    cfg_validate_callback_t check;
} checks[] = {
    { "state_dir", check_absolute_path },
    { "log|socket", check_socket_path },
    { "domain", check_domain },
    { "hostname", check_domain },
    { "user", check_user },
    { "silo|address", check_silo_address },
    { "silo|alias", check_alias },
    { "silo|pin", check_pin },
    { "silo|ca_file", check_readable_file },
    { "silo|oidc_token_file", check_token_file },
    { "silo|retry_longest", check_retry },
    { "listen|address", check_address },
    { "listen|certificate", check_readable_file },
    { "listen|key", check_readable_file },
    { "listen|clients", check_networks },
    { "listen|peers", config_check_tls_peers },
    { "listen|peer_ca", check_readable_file },
    { "listen|proxy_protocol", check_peers },
    { "listen|xclient", check_peers },
    { "listen|xforward", check_peers },
    { "listen|exempt", check_networks },
    { "listen|connections_per_minute", check_count_or_none },
    { "listen|messages_per_minute", check_count_or_none },
    { "listen|recipients_per_minute", check_count_or_none },
    { "listen|max_messages", check_count_or_none },
    { "listen|max_junk_commands", check_count_or_none },
    { "listen|max_recipients", check_recipients },
    { "listen|max_errors", check_count },
    { "listen|command_timeout", check_client_timeout },
    { "listen|data_timeout", check_client_timeout },
    { "listen|greet_delay", check_greet_delay },
    { "session_memory", check_memory },
    { "listen|max_sessions", check_count },
    { "listen|max_sessions_per_client", check_count },
    { "relay|url", config_check_relay_url },
    { "relay|ca_file", check_readable_file },
    { "relay|fingerprint", check_pin },
    { "relay|user", config_check_relay_user },
    { "relay|password_file", config_check_password_file },
    { "relay|max_connections", check_count },
    { "relay|helo", check_domain },
    { "mail|from_name", config_check_from_name },
    { "invitation|file", config_check_invitation },
    { "dkim|selector", config_check_selector },
    { "dkim|key", config_check_signing_key },
    { "dkim|domain", check_domain },
    { "policy|max_message", check_size },
    { "policy|automatic_per_hour", check_count_or_none },
    { "policy|admins", config_check_admins },
    { "policy|requests_per_day", check_count_or_none },
    { "policy|hold_for", check_retry },
    { "policy|hold_key", check_absolute_path },
    { "policy|hold_messages", check_count },
    { "policy|hold_size", check_memory },
    { "policy|hold_sender_messages", check_count },
    { "policy|hold_sender_size", check_memory },
    { "policy|hold_domain_messages", check_count },
    { "policy|hold_domain_size", check_memory },
    { "verify|resolver", config_check_resolver },
    { "verify|trust_anchor", config_check_trust_anchor },
    { "verify|dns_timeout", config_check_dns_timeout },
    { "retry|first", check_retry },
    { "retry|longest", check_retry },
    { "retry|give_up", check_retry },
    { "retry|warn_after", check_retry },
    { "retry|reports", check_retry },
    { "admin|socket", check_socket_path },
    { "admin|http", config_check_admin_http },
    { "admin|origin", config_check_admin_origin },
    { "admin|session_idle", config_check_admin_session },
    { "admin|session_longest", config_check_admin_session },
    { "postfix|socketmap", check_address },
    { "postfix|policy", check_address },
    { "postfix|clients", check_networks },
    { "metrics|http", check_address },
    { "metrics|clients", check_networks },
    { "postfix|recipients_db", check_absolute_path },
};

static void set_checks(cfg_t *cfg)
{
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        cfg_set_validate_func(cfg, checks[i].path, checks[i].check);
    for (size_t i = 0; i < sizeof word_keys / sizeof word_keys[0]; i++)
        cfg_set_validate_func(cfg, word_keys[i].path, check_word);
    config_limits_set_checks(cfg);
}

cfg_t *config_schema_new(void)
{
    cfg_opt_t silo[] = { CFG_STR("address", NULL, CFGF_NODEFAULT),  CFG_STR("alias", "Email Gateway", CFGF_NONE),
                         CFG_BOOL("echo", cfg_true, CFGF_NONE),     CFG_STR("pin", NULL, CFGF_NODEFAULT),
                         CFG_STR("ca_file", NULL, CFGF_NODEFAULT),  CFG_STR("oidc_token_file", NULL, CFGF_NODEFAULT),
                         CFG_STR("retry_longest", "5m", CFGF_NONE), CFG_END() };
    cfg_opt_t listen[CONFIG_LISTEN_OPTIONS_MAX];
    cfg_opt_t relay[] = { CFG_STR("url", NULL, CFGF_NODEFAULT),
                          CFG_STR("tls", "may", CFGF_NONE),
                          CFG_STR("ca_file", NULL, CFGF_NODEFAULT),
                          CFG_STR("fingerprint", NULL, CFGF_NODEFAULT),
                          CFG_STR("user", NULL, CFGF_NODEFAULT),
                          CFG_STR("password_file", NULL, CFGF_NODEFAULT),
                          CFG_STR("helo", NULL, CFGF_NODEFAULT),
                          CFG_INT("max_connections", 4, CFGF_NONE),
                          CFG_END() };
    cfg_opt_t mail[] = { CFG_STR("from_name", "{alias} via {domain}", CFGF_NONE), CFG_END() };
    cfg_opt_t invitation[] = { CFG_STR("file", NULL, CFGF_NODEFAULT), CFG_END() };
    cfg_opt_t content[] = { CFG_STR("body", "auto", CFGF_NONE), CFG_STR("quote", "fold", CFGF_NONE),
                            CFG_STR("answered", "none", CFGF_NONE), CFG_BOOL("others", cfg_true, CFGF_NONE),
                            CFG_END() };
    cfg_opt_t dkim[] = { CFG_STR("selector", NULL, CFGF_NODEFAULT), CFG_STR("key", NULL, CFGF_NODEFAULT),
                         CFG_STR("domain", NULL, CFGF_NODEFAULT), CFG_END() };
    cfg_opt_t policy[CONFIG_POLICY_OPTIONS_MAX], limits[CONFIG_LIMITS_OPTIONS_MAX];
    cfg_opt_t verify[CONFIG_VERIFY_OPTIONS_MAX];
    cfg_opt_t retry[] = { CFG_STR("first", "1m", CFGF_NONE),    CFG_STR("longest", "4h", CFGF_NONE),
                          CFG_STR("give_up", "5d", CFGF_NONE),  CFG_STR("warn_after", "4h", CFGF_NONE),
                          CFG_STR("reports", "21d", CFGF_NONE), CFG_END() };
    cfg_opt_t postfix[] = {
        CFG_STR("socketmap", NULL, CFGF_NODEFAULT),     CFG_STR("policy", NULL, CFGF_NODEFAULT),
        CFG_STR("policy_match", "address", CFGF_NONE),  CFG_STR_LIST("clients", NULL, CFGF_NODEFAULT),
        CFG_STR("recipients_db", NULL, CFGF_NODEFAULT), CFG_END()
    };
    cfg_opt_t admin[CONFIG_ADMIN_OPTIONS_MAX];
    cfg_opt_t metrics[CONFIG_METRICS_OPTIONS_MAX];
    cfg_opt_t log[] = { CFG_STR("level", "info", CFGF_NONE), CFG_STR("target", "auto", CFGF_NONE),
                        CFG_STR("socket", NULL, CFGF_NODEFAULT), CFG_END() };
    cfg_opt_t top[] = { CFG_STR("state_dir", "/var/lib/postern", CFGF_NONE),
                        CFG_STR("domain", NULL, CFGF_NODEFAULT),
                        CFG_STR("hostname", NULL, CFGF_NODEFAULT),
                        CFG_STR("user", NULL, CFGF_NODEFAULT),
                        CFG_STR("session_memory", "256M", CFGF_NONE),
                        CFG_SEC("silo", silo, CFGF_NONE),
                        CFG_SEC("listen", listen, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                        CFG_SEC("relay", relay, CFGF_MULTI),
                        CFG_SEC("mail", mail, CFGF_NONE),
                        CFG_SEC("content", content, CFGF_NONE),
                        CFG_SEC("invitation", invitation, CFGF_NONE),
                        CFG_SEC("dkim", dkim, CFGF_MULTI),
                        CFG_SEC("policy", policy, CFGF_NONE),
                        CFG_SEC("verify", verify, CFGF_NONE),
                        CFG_SEC("limits", limits, CFGF_NONE),
                        CFG_SEC("retry", retry, CFGF_NONE),
                        CFG_SEC("postfix", postfix, CFGF_NONE),
                        CFG_SEC("admin", admin, CFGF_NONE),
                        CFG_SEC("metrics", metrics, CFGF_NONE),
                        CFG_SEC("log", log, CFGF_NONE),
                        CFG_END() };
    config_listen_options(listen);
    config_policy_options(policy);
    config_limits_options(limits);
    config_verify_options(verify);
    config_admin_options(admin);
    config_metrics_options(metrics);
    cfg_t *cfg = cfg_init(top, CFGF_NONE); /* copies the tables */
    set_checks(cfg);
    return cfg;
}

/* From here on single values are known to be good (or were reported); what is left is what must fit together. */

char *config_copy_string(cfg_t *cfg, const char *key)
{
    const char *value = cfg_getstr(cfg, key);
    return value ? xstrdup(value) : NULL;
}

char **config_copy_list(cfg_t *cfg, const char *key)
{
    unsigned size = cfg_size(cfg, key);
    if (size == 0)
        return NULL;
    char **list = xcalloc(size + 1, sizeof *list);
    for (unsigned i = 0; i < size; i++)
        list[i] = xstrdup(cfg_getnstr(cfg, key, i));
    return list;
}

int64_t config_duration(cfg_t *cfg, const char *key)
{
    int64_t ms = 0;
    return config_parse_duration(cfg_getstr(cfg, key), &ms) == 1 ? ms : 0;
}

int config_word(cfg_t *cfg, const struct config_keyword *words, const char *key)
{
    return keyword_value(words, cfg_getstr(cfg, key));
}

bool config_is_local_address(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 || strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0;
}

static void take_silo(cfg_t *cfg, struct config *config, struct config_report *report)
{
    cfg_t *section = cfg_getsec(cfg, "silo");
    config->silo.address = config_copy_string(section, "address");
    config->silo.alias = config_copy_string(section, "alias");
    config->silo.pin = config_copy_string(section, "pin");
    config->silo.ca_file = config_copy_string(section, "ca_file");
    config->silo.oidc_token_file = config_copy_string(section, "oidc_token_file");
    config->silo.echo = cfg_getbool(section, "echo");
    config->silo.retry_longest_ms = config_duration(section, "retry_longest");
    if (!config->silo.address)
        config_problem(report, 0, "silo: address is missing; expected +host:port or =host:port");
    else if (config->silo.pin && config->silo.address[0] != '=')
        config_problem(report, 0, "silo: pin goes with an address that starts with '='");
}

/* Whoever may ask learns who has an address here, one guess at a time. */
static void check_postfix_server(const struct config *config, const char *key, const char *address,
                                 struct config_report *report)
{
    if (!address)
        return;
    if (!config->postfix.clients && !config_is_local_address(address))
        config_problem(report, 0,
                       "postfix: %s = \"%s\" can be asked by everybody who can connect; say who that is with clients "
                       "= { ... }, or listen on loopback or a unix socket",
                       key, address);
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].address && strcmp(config->listeners[i].address, address) == 0 &&
            !config_is_port_0(address))
            config_problem(report, 0, "postfix: listen %s has the address %s of %s already", config->listeners[i].name,
                           address, key);
}

static void take_postfix(cfg_t *cfg, struct config *config, struct config_report *report)
{
    cfg_t *section = cfg_getsec(cfg, "postfix");
    config->postfix.socketmap = config_copy_string(section, "socketmap");
    config->postfix.policy = config_copy_string(section, "policy");
    config->postfix.clients = config_copy_list(section, "clients");
    config->postfix.recipients_db = config_copy_string(section, "recipients_db");
    config->postfix.policy_match = (enum config_match)config_word(section, policy_matches, "policy_match");
    check_postfix_server(config, "socketmap", config->postfix.socketmap, report);
    check_postfix_server(config, "policy", config->postfix.policy, report);
    const char *socketmap = config->postfix.socketmap, *policy = config->postfix.policy;
    if (socketmap && policy && strcmp(socketmap, policy) == 0 && !config_is_port_0(policy))
        config_problem(report, 0, "postfix: socketmap and policy have the same address, %s", policy);
    const char *file = config->postfix.recipients_db;
    size_t len = config->state_dir ? strlen(config->state_dir) : 0;
    if (file && len > 0 && strncmp(file, config->state_dir, len) == 0 && (file[len] == '/' || !file[len]))
        config_problem(
            report, 0,
            "postfix: recipients_db is in state_dir, where Postfix can't read it; expected a file elsewhere, "
            "such as /var/lib/postern-postfix/recipients.db");
}

struct config *config_from_parsed(cfg_t *cfg, const char *file, struct config_report *report)
{
    struct config *config = xcalloc(1, sizeof *config);
    config->file = xstrdup(file);
    config->state_dir = config_copy_string(cfg, "state_dir");
    config->domain = config_copy_string(cfg, "domain");
    config->hostname = config_copy_string(cfg, "hostname");
    config->user = config_copy_string(cfg, "user");
    if (!config->domain)
        config_problem(report, 0, "domain is missing; expected the domain whose addresses this gateway serves");
    if (!config->hostname)
        config_problem(report, 0, "hostname is missing; expected this machine's name for EHLO and Message-ID");
    if (config_parse_size(cfg_getstr(cfg, "session_memory"), &config->session_memory) < 0)
        config->session_memory = 0; /* was reported */
    take_silo(cfg, config, report);

    config_take_listeners(cfg, config, report);
    config_take_relays(cfg, config, report);
    config_take_mail(cfg, config, report);
    config_take_content(cfg, config);
    config_take_policy(cfg, config, report);
    config_take_limits(cfg, config, report);
    config_take_verify(cfg, config);
    config_take_invitation(cfg, config);

    cfg_t *retry = cfg_getsec(cfg, "retry");
    config->retry.first_ms = config_duration(retry, "first");
    config->retry.longest_ms = config_duration(retry, "longest");
    config->retry.give_up_ms = config_duration(retry, "give_up");
    config->retry.warn_after_ms = config_duration(retry, "warn_after");
    config->retry.reports_ms = config_duration(retry, "reports");
    if (config->retry.first_ms > config->retry.longest_ms)
        config_problem(report, 0, "retry: first is longer than longest");
    take_postfix(cfg, config, report);
    config_take_admin(cfg, config, report);
    config_take_metrics(cfg, config, report);
    cfg_t *log = cfg_getsec(cfg, "log");
    config->log.level = (enum log_level)config_word(log, log_levels, "level");
    config->log.target = (enum log_target)config_word(log, log_targets, "target");
    config->log.socket = config_copy_string(log, "socket");
    config_check_proof_of_strangers(config, report);
    return config;
}
