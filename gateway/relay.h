/* relay.h - the outbound queue: what members wrote is written as mail, once, and handed to the relay
 *
 *   WAITING  --conversion; one commit keeps the finished mail-->  ROUTED
 *   ROUTED   --relay; one commit with every recipient's outcome-->  SETTLED when all have one
 *   either   --temporary failure-->  the same state, due later; after retry.give_up the author is told in the thread
 *
 * The mail is kept as written, so every attempt sends the same bytes.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct parts;
struct relay;

/* on_notice: a notice was put into the inbound queue. NULL with the reason in *error_out (caller frees) when the
 * relay's settings can't work. */
struct relay *relay_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx, char **error_out)
    __attribute__((warn_unused_result));
void relay_free(struct relay **relay);
void relay_open(struct relay *relay, bool open);
void relay_poke(struct relay *relay);
bool relay_has_under_way(const struct relay *relay, int64_t id); /* of the queue */
unsigned relay_under_way(const struct relay *relay);
uint64_t relay_delivered(const struct relay *relay);     /* recipients, since start */
const char *relay_last_error(const struct relay *relay); /* "" when the last attempt went well */
