#include "gateway/config_trust.h"

#include <inttypes.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/config.h"

enum { TEXT_MAX = 256 * 1024 };

static void add_word(struct strbuf *out, const char *key, const char *value)
{
    strbuf_add_fmt(out, "%s = %s\n", key, value ? value : "none");
}

static void add_number(struct strbuf *out, const char *key, int64_t value)
{
    strbuf_add_fmt(out, "%s = %" PRId64 "\n", key, value);
}

/* none: what it means when there is no list. */
static void add_list(struct strbuf *out, const char *key, char *const *values, const char *none)
{
    strbuf_add_fmt(out, "%s = %s", key, values ? "" : none);
    for (char *const *value = values; value && *value; value++)
        strbuf_add_fmt(out, "%s%s", value == values ? "" : ", ", *value);
    strbuf_add_char(out, '\n');
}

static void add_policy(struct strbuf *out, const struct config *config)
{
    static const char *const proofs[] = {
        [CONFIG_PROOF_DMARC] = "dmarc", [CONFIG_PROOF_DKIM] = "dkim", [CONFIG_PROOF_NONE] = "none"
    };
    static const char *const matches[] = {
        [CONFIG_MATCH_ADDRESS] = "address", [CONFIG_MATCH_DOMAIN] = "domain", [CONFIG_MATCH_NONE] = "none"
    };
    add_word(out, "policy.proof", proofs[config->policy.proof]);
    add_word(out, "policy.local_parts", config->policy.local_parts == SMTP_CASE_FOLDED ? "insensitive" : "sensitive");
    add_list(out, "policy.trust_arc_sealers", config->policy.trust_arc_sealers, "none");
    add_word(out, "policy.unknown_senders", config->policy.unknown_senders == CONFIG_UNKNOWN_HOLD ? "hold" : "reject");
    add_word(out, "policy.group_invites",
             config->policy.group_invites == CONFIG_INVITES_MEMBERS ? "members" : "nobody");
    add_list(out, "policy.admins", config->policy.admins, "none");
    add_number(out, "policy.max_message", config->policy.max_message);
    add_number(out, "policy.automatic_per_hour", config->policy.automatic_per_hour);
    add_number(out, "policy.hold_for (ms)", config->hold.for_ms);
    add_word(out, "postfix.policy_match", matches[config->postfix.policy_match]);
    add_word(out, "silo.pin", config->silo.pin);
}

static void add_peers(struct strbuf *out, const struct config_listener *listener)
{
    strbuf_add_fmt(out, "listen %s.peers =%s", listener->name, listener->peer_count ? "" : " none");
    for (size_t i = 0; i < listener->peer_count; i++) {
        strbuf_add_fmt(out, " %s for", listener->peers[i].identity);
        for (char **subject = listener->peers[i].subjects; subject && *subject; subject++)
            strbuf_add_fmt(out, " %s", *subject);
    }
    strbuf_add_char(out, '\n');
}

static void add_listener(struct strbuf *out, const struct config_listener *listener)
{
    const struct {
        const char *key;
        char *const *values;
        const char *none;
    } lists[] = {
        { "clients", listener->clients, "everybody" }, { "proxy_protocol", listener->proxy_protocol, "none" },
        { "xclient", listener->xclient, "none" },      { "xforward", listener->xforward, "none" },
        { "exempt", listener->exempt, "none" },
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        strbuf_add_fmt(out, "listen %s.", listener->name);
        add_list(out, lists[i].key, lists[i].values, lists[i].none);
    }
    strbuf_add_fmt(out, "listen %s.", listener->name);
    add_word(out, "trust_authserv_id", listener->trust_authserv_id);
    strbuf_add_fmt(out, "listen %s.", listener->name);
    add_word(out, "assume_authenticated", listener->assume_authenticated ? "yes" : "no");
    add_peers(out, listener);
}

/* A line each. */
static void add_settings(struct strbuf *out, const struct config *config)
{
    strbuf_init(out, TEXT_MAX);
    add_policy(out, config);
    for (size_t i = 0; i < config->listener_count; i++)
        add_listener(out, &config->listeners[i]);
}

static void add_setting(struct strbuf *out, const char *line, size_t len)
{
    strbuf_add_str(out, out->len ? "; " : "");
    strbuf_add(out, line, len);
}

void config_describe_trust(const struct config *config, struct strbuf *out)
{
    struct strbuf settings;
    add_settings(&settings, config);
    for (const char *line = settings.data; *line; line += strcspn(line, "\n") + 1)
        add_setting(out, line, strcspn(line, "\n"));
    strbuf_free(&settings);
}

void config_find_trust_changes(const struct config *was, const struct config *is, struct strbuf *before,
                               struct strbuf *after)
{
    struct strbuf old, new;
    add_settings(&old, was);
    add_settings(&new, is);
    const char *a = old.data, *b = new.data;
    while (*a && *b) {
        size_t a_len = strcspn(a, "\n"), b_len = strcspn(b, "\n");
        if (a_len != b_len || memcmp(a, b, a_len) != 0) {
            add_setting(before, a, a_len);
            add_setting(after, b, b_len);
        }
        a += a_len + 1;
        b += b_len + 1;
    }
    strbuf_free(&old);
    strbuf_free(&new);
}
