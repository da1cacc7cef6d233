/* gateway_listeners.c - the gateway's listeners: made at the start, changed by a reload */
#include "gateway/gateway_internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/strbuf.h"
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

struct smtp_listener *gateway_new_listener(struct gateway *gateway, const struct config_listener *listener,
                                           char **error_out)
{
    const struct config *config = gateway->parts.config;
    struct tls_context *tls = NULL;
    if (listener->tls != SMTP_TLS_NONE && !(tls = peers_tls_context(listener, error_out)))
        return NULL;
    char *spool_dir = gateway_state_file(config, "content"); /* the store's, which is opened later */
    struct smtp_listener_settings settings = listener_settings(gateway, config, listener);
    settings.tls = tls;
    settings.spool_dir = spool_dir;
    struct smtp_listener *made = smtp_listener_new(&settings, error_out);
    tls_context_free(&tls);
    free(spool_dir);
    if (made)
        log_info("listener.open", "name=%s address=%s protocol=%s", listener->name, smtp_listener_address(made),
                 listener->lmtp ? "lmtp" : "smtp");
    return made;
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
