/* gateway.h - the whole daemon: makes the parts, wires them, runs them, takes them down
 *
 * Order matters and is kept in one place, here: sockets are bound while we may still be root; then privileges go; the
 * convert workers are forked before any thread starts; the database is opened; last come the parts that talk to the
 * world.
 */
#pragma once
#include "gateway/inbound.h"
#include "gateway/outbound.h"
#include "gateway/postfix.h"
#include "smtp/smtp_guessing.h"
#include <stdbool.h>
#include <stdint.h>

#include "mapping/store_queue.h"

struct config;
struct gateway;
struct history;
struct parts;
struct relay;
struct silo_link;
struct store_actor;
struct strbuf;

/* debug: log everything, whatever the configuration says. Binds the listeners and loads certificates. Takes the
 * configuration over, also on failure. NULL with what is wrong in *error_out (caller frees). */
struct gateway *gateway_new(struct config *config, bool debug, char **error_out) __attribute__((warn_unused_result));
/* Everything else: workers, database, control socket, silo, relay. 1; with *error_out 0: the database is of a newer version, or none of
 * ours, so that another start would be in vain; -1: anything else. */
int gateway_start(struct gateway *gateway, char **error_out) __attribute__((warn_unused_result));
void gateway_run(struct gateway *gateway); /* until gateway_stop() and the drain that it begins */
/* by: for the audit log, borrowed. */
void gateway_stop(struct gateway *gateway,
                  const struct store_actor *by); /* begins to drain: sessions get 10 s to finish, the relay 60 s */
void gateway_free(struct gateway **gateway);

/* Reads the configuration file again. 1 taken: certificates, limits and clients of listeners, policy, retry times and log level count from now on; what
 * needs a restart is named in *message. -1 refused: *message says what is wrong, nothing changed. */
int gateway_reload(struct gateway *gateway, const struct store_actor *by, struct strbuf *message)
    __attribute__((warn_unused_result));

/* For the administrator's commands. */
struct gateway_status {
    int64_t uptime_ms, silo_next_attempt_ms; /* 0: none is waiting */
    int64_t started_at;                      /* by the wall clock of then: the same as long as the daemon runs */
    const char *silo_state, *silo_address, *silo_error, *relay_url, *relay_error;
    const char *silo_uid;                     /* NULL: none yet */
    const char *silo_hint, *silo_alias_error; /* NULL: nothing to do; our alias was not refused */
    struct inbound_statistics inbound;
    struct outbound_statistics outbound;
    struct postfix_statistics postfix;
    struct smtp_guessing_statistics guessing;
    uint64_t posted, delivered, worker_crashes, operations, commits;
    unsigned largest_batch, convert_waiting, in_under_way, out_under_way;
    int64_t longest_commit_us;
    uint64_t refusals_left_out;                 /* refused mail of which nothing was noted */
    int64_t session_memory, session_memory_max; /* bytes */
    bool busy;
    const char *busy_reason; /* "" */
};
/* What room there is for more mail. Numbers are -1 when they could not be found out. */
struct gateway_room {
    int64_t looked_at;                          /* monotonic */
    int64_t disk_free;                          /* octets in the file system of state_dir, for us */
    int64_t counts[2][STORE_QUEUE_PENDING + 1]; /* entries by queue and state; SETTLED and DROPPED are not counted: 0 */
};
enum {
    GATEWAY_QUEUE_LIMIT = 100000,    /* entries waiting in either queue before new mail gets 452 */
    GATEWAY_DISK_RESERVE = 256 << 20 /* free octets below which new mail gets 452 */
};
/* Looks again when what is known is older than that; 0: in any case. With 10,000 entries or more what the housekeeping has found will
 * do, 10 s old at most. */
const struct gateway_room *gateway_look_at_room(struct gateway *gateway, int64_t oldest_ms);
/* Entries of a queue that count against the limit. */
int64_t gateway_room_waiting(const struct gateway_room *room, enum store_queue queue);
void gateway_get_status(const struct gateway *gateway, struct gateway_status *out);
unsigned gateway_listener_count(const struct gateway *gateway);
void gateway_get_listener(const struct gateway *gateway, unsigned index, const char **name_out,
                          const char **address_out, unsigned *sessions_out);
struct smtp_listener_statistics;
void gateway_get_listener_statistics(const struct gateway *gateway, unsigned index,
                                     struct smtp_listener_statistics *out);
/* s since 1970; 0: it shows none. */
int64_t gateway_listener_certificate_ends(const struct gateway *gateway, unsigned index);
bool gateway_is_stopping(const struct gateway *gateway);
struct history *gateway_history(const struct gateway *gateway);
struct silo_link *gateway_silo(const struct gateway *gateway);
struct relay *gateway_relay(const struct gateway *gateway);
const struct parts *gateway_parts(const struct gateway *gateway);
void gateway_poke_silo(struct gateway *gateway);   /* members or mappings changed */
void gateway_poke_queues(struct gateway *gateway); /* queue rows changed */
/* Is this entry being posted, or handed on, right now? */
bool gateway_is_under_way(const struct gateway *gateway, enum store_queue which, int64_t id);
