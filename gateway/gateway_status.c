/* gateway_status.c - what the gateway tells of itself, and hands to the administrator's commands */
#include "gateway/gateway_internal.h"

#include <string.h>

#include "base/clock.h"
#include "gateway/config.h"
#include "gateway/history.h"
#include "gateway/hold.h"
#include "gateway/mapping_expiry.h"
#include "gateway/poster.h"
#include "gateway/refusals.h"
#include "gateway/relay.h"
#include "gateway/returns.h"
#include "gateway/silo_link.h"
#include "mapping/convert.h"
#include "smtp/smtp_budget.h"

enum { ROOM_OLDEST_MS = 5000 };

void gateway_get_status(const struct gateway *gateway, struct gateway_status *out)
{
    const struct parts *parts = &gateway->parts;
    struct store_statistics store;
    struct silo_link_status silo;
    silo_link_get_status(gateway->link, &silo);
    store_get_statistics(parts->store, &store);
    *out = (struct gateway_status){
        .uptime_ms = clock_monotonic_ms(parts->clock) - gateway->started_at,
        .started_at = gateway->started_wall,
        .silo_state = silo.state,
        .silo_address = parts->config->silo.address,
        .silo_error = strcmp(silo.state, "online") == 0 ? "" : silo.error, /* what is over alarms nobody */
        .silo_uid = silo.uid,
        .silo_hint = silo.hint,
        .silo_alias_error = silo.own_alias_error,
        .silo_next_attempt_ms = silo.next_attempt_ms,
        .relay_url = parts->config->relays[0].url,
        .relay_error = relay_last_error(gateway->relay),
        .posted = poster_posted(gateway->poster),
        .delivered = relay_delivered(gateway->relay),
        .worker_crashes = convert_crashes(parts->convert),
        .operations = store.operations,
        .commits = store.commits,
        .largest_batch = store.largest_batch,
        .longest_commit_us = store.longest_commit_us,
        .convert_waiting = convert_waiting(parts->convert),
        .in_under_way = poster_under_way(gateway->poster),
        .out_under_way = relay_under_way(gateway->relay),
        .session_memory = smtp_budget_held(gateway->budget),
        .session_memory_max = smtp_budget_max(gateway->budget),
        .refusals_left_out = refusals_left_out(gateway->parts.refusals),
        .busy = gateway->busy_reason != NULL,
        .busy_reason = gateway->busy_reason ? gateway->busy_reason : "",
    };
    smtp_guessing_get_statistics(gateway->guessing, &out->guessing);
    inbound_get_statistics(gateway->inbound, &out->inbound);
    outbound_get_statistics(gateway->outbound, &out->outbound);
    postfix_get_statistics(gateway->postfix, &out->postfix);
}

unsigned gateway_listener_count(const struct gateway *gateway)
{
    return gateway->listener_count;
}

void gateway_get_listener(const struct gateway *gateway, unsigned index, const char **name_out,
                          const char **address_out, unsigned *sessions_out)
{
    *name_out = smtp_listener_name(gateway->listeners[index]);
    *address_out = smtp_listener_address(gateway->listeners[index]);
    *sessions_out = smtp_listener_sessions(gateway->listeners[index]);
}

void gateway_read_history(struct history_figures *out, void *ctx)
{
    struct gateway *gateway = ctx;
    const struct measures *measures = &gateway->measures;
    const struct gateway_room *room = gateway_look_at_room(gateway, ROOM_OLDEST_MS);
    int64_t in = gateway_room_waiting(room, STORE_QUEUE_IN), out_waiting = gateway_room_waiting(room, STORE_QUEUE_OUT);
    struct inbound_statistics mail;
    struct outbound_statistics messages;
    inbound_get_statistics(gateway->inbound, &mail);
    outbound_get_statistics(gateway->outbound, &messages);
    *out = (struct history_figures){ .queue_in = in > 0 ? in : 0,
                                     .queue_out = out_waiting > 0 ? out_waiting : 0,
                                     .posted_ms = measures->posted_ms,
                                     .delivered_ms = measures->delivered_ms };
    out->counts[STORE_HISTORY_ACCEPTED] = (int64_t)mail.accepted;
    out->counts[STORE_HISTORY_HELD] = (int64_t)mail.held;
    out->counts[STORE_HISTORY_REPEATED] = (int64_t)mail.repeated;
    out->counts[STORE_HISTORY_REJECTED] = (int64_t)mail.rejected;
    out->counts[STORE_HISTORY_DEFERRED] = (int64_t)mail.deferred;
    out->counts[STORE_HISTORY_POSTED] = (int64_t)measures->posted_ms.count;
    out->counts[STORE_HISTORY_MESSAGES] = (int64_t)messages.accepted;
    out->counts[STORE_HISTORY_DELIVERED] = (int64_t)measures->delivered_ms.count;
    out->counts[STORE_HISTORY_RETRIED] = (int64_t)measures->outcomes[MEASURES_RETRIED];
    out->counts[STORE_HISTORY_FAILED] = (int64_t)measures->outcomes[MEASURES_FAILED];
}

void gateway_get_listener_statistics(const struct gateway *gateway, unsigned index,
                                     struct smtp_listener_statistics *out)
{
    smtp_listener_get_statistics(gateway->listeners[index], out);
}

int64_t gateway_listener_certificate_ends(const struct gateway *gateway, unsigned index)
{
    return smtp_listener_certificate_ends(gateway->listeners[index]);
}

bool gateway_is_stopping(const struct gateway *gateway)
{
    return gateway->stopping;
}

struct history *gateway_history(const struct gateway *gateway)
{
    return gateway->history;
}

struct silo_link *gateway_silo(const struct gateway *gateway)
{
    return gateway->link;
}

const struct parts *gateway_parts(const struct gateway *gateway)
{
    return &gateway->parts;
}

struct relay *gateway_relay(const struct gateway *gateway)
{
    return gateway->relay;
}

void gateway_poke_silo(struct gateway *gateway)
{
    silo_link_poke(gateway->link);
    mapping_expiry_poke(gateway->expiry);
    hold_poke(gateway->parts.hold);
}

bool gateway_is_under_way(const struct gateway *gateway, enum store_queue which, int64_t id)
{
    if (which == STORE_QUEUE_OUT)
        return relay_has_under_way(gateway->relay, id);
    return poster_has_under_way(gateway->poster, id) || returns_has_under_way(gateway->returns, id);
}

void gateway_poke_queues(struct gateway *gateway)
{
    poster_poke(gateway->poster);
    relay_poke(gateway->relay);
    returns_poke(gateway->returns);
    hold_poke(gateway->parts.hold);
}
