/* relay_pool.c - connections to the relay */
#include "gateway/relay_internal.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"

struct smtp_client *relay_pool_idle_client(struct relay *relay)
{
    for (size_t i = 0; i < relay->client_count; i++) {
        bool taken = false;
        for (const struct relay_job *job = relay->jobs; job; job = job->next)
            taken = taken || job->client == relay->clients[i];
        if (!taken && smtp_client_is_idle(relay->clients[i]))
            return relay->clients[i];
    }
    return NULL;
}

static struct smtp_client *new_client(const struct parts *parts, char **error_out)
{
    const struct config *config = parts->config;
    struct smtp_client_settings settings = {
        .loop = parts->loop,
        .address = config->relay.target,
        .lmtp = config->relay.kind == CONFIG_RELAY_LMTP,
        .implicit_tls = config->relay.kind == CONFIG_RELAY_SMTPS,
        .tls = config->relay.tls,
        .ca_file = config->relay.ca_file,
        .helo = config->relay.helo ? config->relay.helo : config->hostname,
        .background = parts->background,
    };
    return smtp_client_new(&settings, error_out);
}

int relay_pool_open(struct relay *relay, char **error_out)
{
    const struct config_relay *config = &relay->parts->config->relay;
    if (config->kind == CONFIG_RELAY_MAILDIR)
        return 1;
    relay->clients = xcalloc(config->max_connections, sizeof(struct smtp_client *));
    while (relay->client_count < config->max_connections) {
        struct smtp_client *client = new_client(relay->parts, error_out);
        if (!client)
            return -1;
        relay->clients[relay->client_count++] = client;
    }
    return 1;
}

void relay_pool_close(struct relay *relay)
{
    for (size_t i = 0; i < relay->client_count; i++)
        smtp_client_free(&relay->clients[i]);
    free(relay->clients);
}
