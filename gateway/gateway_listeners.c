/* gateway_listeners.c - the gateway's listeners: made at the start, changed by a reload */
#include "gateway/gateway_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/systemd.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/inbound.h"
#include "gateway/limits.h"
#include "gateway/peers.h"
#include "smtp/smtp_budget.h"

/* All but its place in the world: tls and spool_dir. */
static struct smtp_listener_settings listener_settings(const struct gateway *gateway, const struct config *config,
                                                       const struct config_listener *listener)
{
    return (struct smtp_listener_settings){
        .loop = gateway->parts.loop,
        .name = listener->name,
        .address = listener->address,
        .lmtp = listener->lmtp,
        .hostname = config->hostname,
        .tls_policy = listener->tls,
        .clients = (const char *const *)listener->clients,
        .exempt = (const char *const *)listener->exempt,
        .proxies = (const char *const *)listener->proxy_protocol,
        .xclients = (const char *const *)listener->xclient,
        .xforwards = (const char *const *)listener->xforward,
        .max_sessions = limits_fit_sessions(config, listener->max_sessions, gateway->open_files),
        .max_sessions_per_client = listener->max_sessions_per_client,
        .connections_per_minute = listener->connections_per_minute,
        .messages_per_minute = listener->messages_per_minute,
        .recipients_per_minute = listener->recipients_per_minute,
        .messages_max = listener->max_messages,
        .junk_commands_max = listener->max_junk_commands,
        .recipients_max = listener->max_recipients,
        .errors_max = listener->max_errors,
        .command_timeout_ms = listener->command_timeout_ms,
        .data_timeout_ms = listener->data_timeout_ms,
        .greet_delay_ms = listener->greet_delay_ms,
        .message_max = config->policy.max_message,
        .spool_max = limits_spool_max(config),
        .budget = gateway->budget,
        .guessing = gateway->guessing,
        .is_upstream = listener->lmtp || listener->trust_authserv_id || listener->assume_authenticated,
        .callbacks = &inbound_callbacks,
        .ctx = gateway->inbound,
    };
}

static struct smtp_listener *new_listener(struct gateway *gateway, const struct config_listener *listener,
                                          struct systemd_sockets *sockets, char **error_out)
{
    const struct config *config = gateway->parts.config;
    struct tls_context *tls = NULL;
    if (listener->tls != SMTP_TLS_NONE && !(tls = peers_tls_context(listener, error_out)))
        return NULL;
    char *spool_dir = gateway_state_file(config, "content"); /* the store's, which is opened later */
    struct smtp_listener_settings settings = listener_settings(gateway, config, listener);
    settings.tls = tls;
    settings.spool_dir = spool_dir;
    int socket = systemd_sockets_take(sockets, listener->address);
    settings.socket = socket < 0 ? 0 : socket;
    struct smtp_listener *made = smtp_listener_new(&settings, error_out);
    if (!made && socket >= 0)
        close(socket);
    tls_context_free(&tls);
    free(spool_dir);
    if (made)
        log_info("listener.open", "listener=%s address=%s protocol=%s socket=%s", listener->name,
                 smtp_listener_address(made), listener->lmtp ? "lmtp" : "smtp", socket < 0 ? "own" : "passed");
    return made;
}

static const struct config_listener *find_listener(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, name) == 0)
            return &config->listeners[i];
    return NULL;
}

/* A socket that nobody serves would take connections and never answer. The address must be the same and not only the name: what a
 * section may trust was judged by its address. */
static char *text_of_mismatch(const struct config *config, const char *name, const char *address)
{
    struct strbuf text;
    const struct config_listener *listener = find_listener(config, name);
    strbuf_init(&text, 1000);
    strbuf_add_fmt(&text, "socket activation: the service manager listens on %s (\"%s\"), ", address, name);
    if (listener)
        strbuf_add_fmt(&text, "and listen %s has the address %s; both must be the same", name, listener->address);
    else
        strbuf_add_str(&text, "and no listen section has that address");
    return strbuf_detach(&text);
}

int gateway_open_listeners(struct gateway *gateway, char **error_out)
{
    const struct config *config = gateway->parts.config;
    const char *name, *address;
    struct systemd_sockets *sockets = systemd_sockets_new(error_out);
    if (!sockets)
        return -1;
    int result = 1;
    gateway->listeners = xcalloc(config->listener_count, sizeof(struct smtp_listener *));
    while (result == 1 && gateway->listener_count < config->listener_count) {
        struct smtp_listener *made =
            new_listener(gateway, &config->listeners[gateway->listener_count], sockets, error_out);
        if (made)
            gateway->listeners[gateway->listener_count++] = made;
        else
            result = -1;
    }
    if (result == 1 && systemd_sockets_left(sockets, &name, &address)) {
        *error_out = text_of_mismatch(config, name, address);
        result = -1;
    }
    systemd_sockets_free(&sockets);
    return result;
}

static int reconfigure_listener(struct gateway *gateway, const struct config *config, unsigned index,
                                struct tls_context *tls, struct strbuf *message)
{
    char *error = NULL;
    struct smtp_listener_settings settings = listener_settings(gateway, config, &config->listeners[index]);
    settings.tls = tls;
    int result = smtp_listener_reconfigure(gateway->listeners[index], &settings, &error);
    if (result < 0)
        strbuf_add_str(message, error);
    free(error);
    return result;
}

/* All certificates are loaded before the first one is used; what else could be wrong was found when the file was read. */
int gateway_reconfigure_listeners(struct gateway *gateway, const struct config *config, struct strbuf *message)
{
    struct tls_context **contexts = xcalloc(gateway->listener_count, sizeof(struct tls_context *));
    int result = 1;
    for (unsigned i = 0; i < gateway->listener_count && result == 1; i++) {
        char *error = NULL;
        if (config->listeners[i].tls == SMTP_TLS_NONE)
            continue;
        contexts[i] = peers_tls_context(&config->listeners[i], &error);
        if (!contexts[i]) {
            strbuf_add_str(message, error);
            result = -1;
        }
        free(error);
    }
    for (unsigned i = 0; i < gateway->listener_count && result == 1; i++)
        result = reconfigure_listener(gateway, config, i, contexts[i], message);
    for (unsigned i = 0; i < gateway->listener_count; i++)
        tls_context_free(&contexts[i]);
    free(contexts);
    return result;
}
