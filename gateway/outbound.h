/* outbound.h - thread messages come in from the silo: stored, then acked
 *
 * Decides which outside people a message is for: the correspondents in its thread (or, in a new thread, those that its
 * `cc` list names under the gateway's uid) whom a mapping lets its author write to: their own mapping, or that of a group
 * that is in the thread and that they belong to. For the others, and for what can't be carried, the author gets a notice
 * in the thread. What is for the gateway itself and nobody outside goes to the concierge. The ack goes out only when all of that is on disk.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A forwarded thread waits to be told for whom it is; the relay looks this often whether it has waited too long. */
enum { OUTBOUND_NOTIFY_LOOK_MS = 10 * 60 * 1000 };

struct outbound;
struct parts;
struct tmtp_client;
struct tmtp_client_delivery;
struct tmtp_push;

struct outbound_statistics {
    uint64_t accepted, ignored;
};

struct outbound_callbacks {
    void (*on_accepted)(void *ctx); /* something new is in the outbound queue */
    void (*on_notice)(void *ctx);   /* a notice is in the inbound queue */
    void (*on_mappings_changed)(
        void *ctx); /* by words to the gateway: there may be something to do in the silo, or to post */
    /* Somebody wrote under the alias of a member who has not answered the gateway yet. */
    void (*on_unknown_member)(const char *alias, void *ctx);
};
struct outbound *outbound_new(const struct parts *parts, const struct outbound_callbacks *callbacks, void *ctx);
void outbound_free(struct outbound **outbound);
void outbound_set_client(struct outbound *outbound, struct tmtp_client *client);
/* Busy (disk or queue full): what arrives is not stored yet, so the silo gets no ack and keeps the rest. */
void outbound_set_busy(struct outbound *outbound, bool busy);
void outbound_on_message(struct outbound *outbound, struct tmtp_client_delivery *delivery);
/* Who is new in a thread: its participants grow, and who got it forwarded is known. data: the push's. Acked like messages. */
void outbound_on_notify(struct outbound *outbound, const struct tmtp_push *push, const char *data, size_t len);
void outbound_get_statistics(const struct outbound *outbound, struct outbound_statistics *out);
