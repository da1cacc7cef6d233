#include "gateway/config_changes.h"

#include <stdbool.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/config.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char *const *a, char *const *b)
{
    if (!a || !b)
        return a == b;
    for (; *a && *b; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

/* Listeners keep their sockets, protocol, and whether they speak TLS. All else may change. */
static bool same_listeners(const struct config *was, const struct config *is)
{
    bool same = was->listener_count == is->listener_count;
    for (size_t i = 0; same && i < was->listener_count; i++) {
        const struct config_listener *a = &was->listeners[i], *b = &is->listeners[i];
        same =
            same_text(a->name, b->name) && same_text(a->address, b->address) && a->lmtp == b->lmtp && a->tls == b->tls;
    }
    return same;
}

static bool same_relays(const struct config *was, const struct config *is)
{
    bool same = was->relay_count == is->relay_count;
    for (size_t i = 0; same && i < was->relay_count; i++) {
        const struct config_relay *a = &was->relays[i], *b = &is->relays[i];
        same = same_text(a->url, b->url) && a->tls == b->tls && same_text(a->ca_file, b->ca_file) &&
               same_text(a->fingerprint, b->fingerprint) && same_text(a->user, b->user) &&
               same_text(a->password_file, b->password_file) && same_text(a->helo, b->helo) &&
               a->max_connections == b->max_connections;
    }
    return same;
}

/* What is used at the start only. */
void config_find_restart_changes(const struct config *was, const struct config *is, struct strbuf *message)
{
    const struct {
        const char *key;
        bool same;
    } checks[] = {
        { "state_dir", same_text(was->state_dir, is->state_dir) },
        { "domain", same_text(was->domain, is->domain) },
        { "hostname", same_text(was->hostname, is->hostname) },
        { "user", same_text(was->user, is->user) },
        { "silo.address", same_text(was->silo.address, is->silo.address) },
        { "silo.alias", same_text(was->silo.alias, is->silo.alias) },
        { "silo.ca_file", same_text(was->silo.ca_file, is->silo.ca_file) },
        { "silo.echo", was->silo.echo == is->silo.echo },
        { "silo.retry_longest", was->silo.retry_longest_ms == is->silo.retry_longest_ms },
        { "listen sections", same_listeners(was, is) },
        { "relay sections", same_relays(was, is) },
        { "policy.hold_key", same_text(was->hold_key, is->hold_key) },
        { "admin.socket", same_text(was->admin.socket, is->admin.socket) },
        { "admin.http", same_text(was->admin.http, is->admin.http) },
        { "admin.origin", same_text(was->admin.origin, is->admin.origin) },
        { "log.target", was->log.target == is->log.target },
        { "log.socket", same_text(was->log.socket, is->log.socket) },
        { "metrics.http", same_text(was->metrics.http, is->metrics.http) },
        { "postfix.socketmap", same_text(was->postfix.socketmap, is->postfix.socketmap) },
        { "postfix.policy", same_text(was->postfix.policy, is->postfix.policy) },
        { "postfix.clients", same_list(was->postfix.clients, is->postfix.clients) },
        { "postfix.recipients_db", same_text(was->postfix.recipients_db, is->postfix.recipients_db) },
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!checks[i].same)
            strbuf_add_fmt(message, "%s%s", message->len ? ", " : "needs a restart: ", checks[i].key);
}
