/* relay.h - the outbound queue: what members wrote is written as mail, once, and handed to a relay
 *
 *   WAITING  --conversion; one commit keeps the finished mail-->  ROUTED
 *   ROUTED   --relay; one commit with every recipient's outcome-->  SETTLED when all have one
 *   either   --temporary failure-->  the same state, due later; after retry.give_up the author is told in the thread
 *   either   --it fails by itself, again and again-->  HELD, for an administrator to look at
 *
 * The mail is kept as written, so every attempt sends the same bytes. Relays are tried in the order of the configuration
 * (relay_pool.c); what is down is probed, and mail flows when it is up again (relay_probe.c).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parts;
struct relay;

/* on_notice: a notice was put into the inbound queue. NULL with the reason in *error_out (caller frees) when a relay's
 * settings can't work. */
struct relay *relay_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx, char **error_out)
    __attribute__((warn_unused_result));
void relay_free(struct relay **relay);
/* Closed: nothing is started, and what waits for a connection goes back; what a relay has goes on. */
void relay_open(struct relay *relay, bool open);
void relay_poke(struct relay *relay);
bool relay_has_under_way(const struct relay *relay, int64_t id); /* of the queue */
/* Whatever is held to be down, relays and domains, is tried by the next message, which goes at once if one awaits a relay. */
void relay_probe_now(struct relay *relay);
unsigned relay_under_way(const struct relay *relay);
uint64_t relay_delivered(const struct relay *relay);     /* recipients, since start */
const char *relay_last_error(const struct relay *relay); /* "" when the last attempt went well */

/* One relay of the configuration. Texts are valid until the next turn of the loop. */
struct relay_status {
    const char *url;
    const char *state;    /* "up", "down", "probing" */
    int64_t since;        /* wall clock, ms: up or not since then; 0: since the start */
    int64_t probe_in_ms;  /* of one that is down: until a message may try it; else -1 */
    const char *error;    /* why it is down; "" */
    unsigned connections; /* open, or to be opened again for the next message */
    unsigned under_way;   /* messages */
    unsigned limit;       /* connections at a time, now */
    uint64_t delivered;   /* recipients, since start */
};
size_t relay_count(const struct relay *relay);
void relay_get_status(const struct relay *relay, size_t index, struct relay_status *out);
size_t relay_set_aside(const struct relay *relay); /* domains that don't answer (destinations.h) */
