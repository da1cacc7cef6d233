/* admin_status.c - status, version, reload, stop */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/resolver.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/hold.h"
#include "gateway/parts.h"
#include "gateway/relay.h"
#include "gateway/verify.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue_list.h"

/* What is due and what is put off, of what waits or is routed; and since when the oldest is there. 1 or -1. */
static int add_schedule(struct admin_request *request, enum store_queue which)
{
    struct store_db *db = admin_reader(request);
    int64_t due, waiting, routed, oldest;
    if (store_queue_count_due(db, which, admin_now(request), UINT_MAX, &due) < 0 ||
        store_queue_count(db, which, STORE_QUEUE_WAITING, &waiting) < 0 ||
        store_queue_count(db, which, STORE_QUEUE_ROUTED, &routed) < 0 || store_queue_oldest(db, which, &oldest) < 0)
        return -1;
    admin_output_int(request->output, "due", due);
    admin_output_int(request->output, "deferred", waiting + routed - due);
    admin_output_time(request->output, "oldest", oldest);
    return 1;
}

/* How many are in each state; -1 on a database error. */
static int add_queue(struct admin_request *request, enum store_queue which, const char *name, unsigned under_way)
{
    static const enum store_queue_state states[] = { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED,  STORE_QUEUE_HELD,
                                                     STORE_QUEUE_SETTLED, STORE_QUEUE_DROPPED, STORE_QUEUE_PENDING };
    admin_output_row(request->output);
    admin_output_string(request->output, "queue", name);
    int result = 1;
    for (size_t i = 0; i < sizeof states / sizeof states[0] && result == 1; i++) {
        int64_t count = 0;
        result = store_queue_count(admin_reader(request), which, states[i], &count);
        admin_output_int(request->output, store_queue_state_name(states[i]), count);
    }
    admin_output_int(request->output, "under_way", under_way);
    if (result == 1)
        result = add_schedule(request, which);
    admin_output_end(request->output);
    return result;
}

static void add_numbers(struct admin_output *out, const struct gateway_status *status)
{
    admin_output_int(out, "mail_accepted", (int64_t)status->inbound.accepted);
    admin_output_int(out, "mail_held", (int64_t)status->inbound.held);
    admin_output_int(out, "mail_repeated", (int64_t)status->inbound.repeated);
    admin_output_int(out, "mail_rejected", (int64_t)status->inbound.rejected);
    admin_output_int(out, "mail_deferred", (int64_t)status->inbound.deferred);
    admin_output_int(out, "posted", (int64_t)status->posted);
    admin_output_int(out, "messages_accepted", (int64_t)status->outbound.accepted);
    admin_output_int(out, "messages_ignored", (int64_t)status->outbound.ignored);
    admin_output_int(out, "delivered", (int64_t)status->delivered);
    admin_output_int(out, "store_operations", (int64_t)status->operations);
    admin_output_int(out, "store_commits", (int64_t)status->commits);
    admin_output_int(out, "store_largest_batch", status->largest_batch);
    admin_output_int(out, "store_longest_commit_us", status->longest_commit_us);
    admin_output_int(out, "refusals_left_out", (int64_t)status->refusals_left_out);
    admin_output_int(out, "session_memory", status->session_memory);
    admin_output_int(out, "session_memory_max", status->session_memory_max);
    admin_output_int(out, "guesses", (int64_t)status->guessing.guesses);
    admin_output_int(out, "networks_slowed", status->guessing.slowed);
    admin_output_int(out, "networks_paused", status->guessing.paused);
    admin_output_int(out, "replies_delayed", status->guessing.delayed);
    admin_output_int(out, "convert_waiting", status->convert_waiting);
    admin_output_int(out, "worker_crashes", (int64_t)status->worker_crashes);
}

/* In the order of the configuration. */
static void add_relays(struct admin_output *out, const struct relay *relay)
{
    admin_output_int(out, "domains_set_aside", (int64_t)relay_set_aside(relay));
    admin_output_list(out, "relays");
    for (size_t i = 0; i < relay_count(relay); i++) {
        struct relay_status status;
        relay_get_status(relay, i, &status);
        admin_output_row(out);
        admin_output_string(out, "relay", status.url);
        admin_output_string(out, "state", status.state);
        admin_output_time(out, "since", status.since);
        if (status.probe_in_ms >= 0)
            admin_output_int(out, "probe_in_s", (status.probe_in_ms + 999) / 1000);
        else
            admin_output_string(out, "probe_in_s", NULL);
        admin_output_int(out, "connections", status.connections);
        admin_output_int(out, "under_way", status.under_way);
        admin_output_int(out, "limit", status.limit);
        admin_output_int(out, "delivered", (int64_t)status.delivered);
        admin_output_string(out, "error", status.error[0] ? status.error : NULL);
        admin_output_end(out);
    }
    admin_output_end(out);
}

/* How asking the DNS goes. */
static void add_dns(struct admin_output *out, const struct resolver *resolver)
{
    struct resolver_counts counts = resolver_counts(resolver);
    admin_output_int(out, "dns_asked", (int64_t)counts.asked);
    admin_output_int(out, "dns_unanswered", (int64_t)(counts.timed_out + counts.refused));
    admin_output_int(out, "dns_troubled", (int64_t)counts.temporary);
    admin_output_int(out, "dns_forged", (int64_t)counts.bogus);
    admin_output_int(out, "dns_restarts", (int64_t)counts.losses);
}

static const char *whom_it_believes(const struct config *config, const struct config_listener *listener)
{
    if (listener->assume_authenticated)
        return "everybody (assume_authenticated)";
    if (listener->trust_authserv_id)
        return listener->trust_authserv_id;
    return config->policy.proof == CONFIG_PROOF_NONE ? "everybody (proof = none)" : "own checks";
}

/* A reload leaves their number and order as they are. */
static void add_listeners(struct admin_request *request)
{
    struct admin_output *out = request->output;
    const struct config *config = gateway_parts(request->gateway)->config;
    admin_output_list(out, "listeners");
    for (unsigned i = 0; i < gateway_listener_count(request->gateway); i++) {
        const char *name, *address;
        unsigned sessions;
        gateway_get_listener(request->gateway, i, &name, &address, &sessions);
        admin_output_row(out);
        admin_output_string(out, "listener", name);
        admin_output_string(out, "address", address);
        admin_output_int(out, "sessions", sessions);
        admin_output_string(out, "believes", whom_it_believes(config, &config->listeners[i]));
        admin_output_int(out, "peers", (int64_t)config->listeners[i].peer_count);
        admin_output_time(out, "certificate_ends", gateway_listener_certificate_ends(request->gateway, i) * 1000);
        admin_output_end(out);
    }
    admin_output_end(out);
}

/* Only what is configured. */
static void add_postfix(struct admin_output *out, const struct postfix_statistics *postfix)
{
    if (postfix->socketmap) {
        admin_output_string(out, "postfix_socketmap", postfix->socketmap);
        admin_output_int(out, "postfix_socketmap_connections", postfix->socketmap_connections);
        admin_output_int(out, "postfix_lookups", (int64_t)postfix->lookups);
        admin_output_int(out, "postfix_found", (int64_t)postfix->found);
    }
    if (postfix->policy) {
        admin_output_string(out, "postfix_policy", postfix->policy);
        admin_output_int(out, "postfix_policy_connections", postfix->policy_connections);
        admin_output_int(out, "postfix_asked", (int64_t)postfix->asked);
        admin_output_int(out, "postfix_refused", (int64_t)postfix->refused);
        admin_output_int(out, "postfix_deferred", (int64_t)postfix->deferred);
    }
    if (postfix->published >= 0)
        admin_output_int(out, "postfix_published", postfix->published);
    admin_output_string(out, "postfix_recipients_error", postfix->error);
}

/* Only when there is a listener for whose mail somebody has to find out who wrote it. */
static void add_verify(struct admin_output *out, const struct verify *verify)
{
    if (!verify)
        return;
    struct verify_counts counts = verify_counts(verify);
    admin_output_int(out, "verify_checked", (int64_t)counts.checked);
    admin_output_int(out, "verify_failed", (int64_t)counts.failed);
    admin_output_int(out, "verify_crashes", (int64_t)counts.crashes);
    admin_output_int(out, "verify_under_way", counts.under_way);
}

void admin_status(struct admin_request *request)
{
    struct admin_output *out = request->output;
    struct gateway_status status;
    int64_t requests = 0;
    gateway_get_status(request->gateway, &status);
    admin_output_string(out, "version", POSTERN_VERSION);
    admin_output_int(out, "uptime_s", status.uptime_ms / 1000);
    admin_output_string(out, "silo", status.silo_address);
    admin_output_string(out, "silo_state", status.silo_state);
    admin_output_string(out, "silo_uid", status.silo_uid);
    admin_output_string(out, "silo_error", status.silo_error[0] ? status.silo_error : NULL);
    admin_output_string(out, "silo_hint", status.silo_hint);
    admin_output_string(out, "silo_alias_error", status.silo_alias_error);
    if (status.silo_next_attempt_ms > 0)
        admin_output_int(out, "silo_next_attempt_s", status.silo_next_attempt_ms / 1000);
    admin_output_string(out, "relay", status.relay_url);
    admin_output_string(out, "relay_error", status.relay_error[0] ? status.relay_error : NULL);
    char *hold_trouble = hold_problem(gateway_parts(request->gateway)->hold);
    admin_output_string(out, "held_error", hold_trouble);
    free(hold_trouble);
    admin_output_bool(out, "paused", status.busy);
    admin_output_string(out, "paused_because", status.busy ? status.busy_reason : NULL);
    bool ok = store_mapping_count_requested(admin_reader(request), &requests) == 1;
    admin_output_int(out, "requests_waiting", requests);
    add_numbers(out, &status);
    add_dns(out, gateway_parts(request->gateway)->resolver);
    add_verify(out, gateway_parts(request->gateway)->verify);
    add_postfix(out, &status.postfix);
    add_relays(out, gateway_relay(request->gateway));
    admin_output_list(out, "queues");
    ok = ok && add_queue(request, STORE_QUEUE_IN, "in", status.in_under_way) == 1;
    ok = ok && add_queue(request, STORE_QUEUE_OUT, "out", status.out_under_way) == 1;
    admin_output_end(out);
    add_listeners(request);
    if (ok)
        admin_finish(request);
    else
        admin_database_error(request);
}

void admin_version(struct admin_request *request)
{
    admin_output_string(request->output, "version", POSTERN_VERSION);
    admin_output_int(request->output, "schema", STORE_SCHEMA_VERSION);
    admin_finish(request);
}

void admin_reload(struct admin_request *request)
{
    const struct store_actor actor = admin_actor(request);
    struct strbuf message;
    strbuf_init(&message, 32 * 1024);
    if (gateway_reload(request->gateway, &actor, &message) == 1) {
        admin_output_string(request->output, "reloaded", message.data);
        admin_finish(request);
    } else {
        admin_refuse(request, "not reloaded: %s", message.data);
    }
    strbuf_free(&message);
}

void admin_stop(struct admin_request *request)
{
    struct gateway *gateway = request->gateway;
    char *name = xstrdup(request->actor), *channel = xstrdup(request->channel); /* the request ends before */
    const struct store_actor actor = { .channel = channel, .name = name };
    admin_output_string(request->output, "stopping",
                        "sessions may finish what they have, 10 s at most; the relay 60 s");
    admin_finish(request);
    gateway_stop(gateway, &actor);
    free(name);
    free(channel);
}
