/* inbound.h - mail comes in: what SMTP sessions ask, answered by policy; 250 only after the commit
 *
 * Owns nothing but the mails being decided. The listeners are given inbound_callbacks and the object as their context.
 */
#pragma once
#include "smtp/smtp_server.h"
#include <stdint.h>

struct inbound;
struct parts;

struct inbound_statistics {
    uint64_t accepted, held, repeated, rejected,
        deferred;                                      /* mail; of the last two also each recipient that was refused */
    uint64_t recipients_rejected, recipients_deferred; /* these recipients, at RCPT */
};

/* on_accepted: something new is in the inbound queue. on_met: of somebody whom a pattern has let in, and who needs an alias. */
struct inbound *inbound_new(const struct parts *parts, void (*on_accepted)(void *ctx), void (*on_met)(void *ctx),
                            void *ctx);
void inbound_free(struct inbound **inbound);
struct smtp_server_callbacks;
extern const struct smtp_server_callbacks inbound_callbacks; /* ctx: struct inbound * */
void inbound_get_statistics(const struct inbound *inbound, struct inbound_statistics *out);
