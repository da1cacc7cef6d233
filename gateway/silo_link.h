/* silo_link.h - the gateway's life in the silo: its account, its aliases, whom it knows
 *
 * Owns the tmtp_client. Keeps the account in the store, learns who is who (silo_people.h), and does the chores that
 * approvals leave behind (silo_chores.h): greeting members whose uid is unknown, creating correspondents' aliases, telling
 * members that somebody can now write to them, joining groups; and tells admins what waits for them (silo_admins.h). Chores are derived from the database, so they survive
 * restarts and are done at least once.
 *
 * A database belongs to the account on one silo: members' uids, threads and correspondents' aliases mean nothing
 * elsewhere. So under an address that it has no account for, while it has one for another, nothing is registered; the
 * link is stopped until an administrator says that the silo has moved, or the address is corrected.
 *
 * Posts, echoes and thread messages are passed on to the owner.
 */
#pragma once
#include "tmtp/tmtp_client.h"
#include <stdbool.h>
#include <stdint.h>

struct parts;
struct silo_link;

struct silo_link_callbacks {
    void (*on_client)(struct tmtp_client *client, void *ctx); /* it was made: before anything else comes */
    void (*on_online)(bool online, void *ctx);
    void (*on_post_result)(const struct tmtp_client_result *result, void *ctx);
    void (*on_echo)(const char *queue_key, const char *msgid, const char *posted, const char *threadid, void *ctx);
    void (*on_message)(struct tmtp_client_delivery *delivery, void *ctx);
    void (*on_notify)(const struct tmtp_push *push, const char *data, size_t len, void *ctx); /* ack it */
    void (*on_notice)(void *ctx);           /* a notice is in the inbound queue */
    void (*on_mappings_changed)(void *ctx); /* by words to the gateway */
};

/* For administrators. Strings hold until the loop's next turn. */
struct silo_link_status {
    const char *state;           /* "starting" before the database could be read */
    int64_t since_ms;            /* the state: wall clock; 0: not known */
    int64_t next_attempt_ms;     /* from now; 0: none is planned */
    const char *uid, *pin;       /* NULL: none yet */
    const char *refused_pin;     /* the certificate that stopped us; NULL */
    const char *error;           /* the last one, which may be over; "" */
    int64_t error_ms;            /* when that was: wall clock; 0: not known */
    const char *hint;            /* what an administrator can do; NULL: nothing to do */
    const char *own_alias_error; /* why the silo refused our own alias; NULL */
    struct tmtp_client_statistics counted;
};
void silo_link_get_status(const struct silo_link *link, struct silo_link_status *out);

struct silo_link *silo_link_new(const struct parts *parts, const struct silo_link_callbacks *callbacks, void *ctx);
void silo_link_start(struct silo_link *link); /* connects; also after a database error at the first try */
void silo_link_free(struct silo_link **link);
void silo_link_quit(struct silo_link *link); /* before shutting down */
void silo_link_poke(struct silo_link *link); /* members or mappings changed: there may be chores */
/* The stored pin was changed: it counts from now on (unless silo.pin is configured), and a stopped link goes on. */
void silo_link_repin(struct silo_link *link, const char *pin);
/* Now, without a pause; after a stop too. False: it can't be tried, and the status says why. */
bool silo_link_connect(struct silo_link *link);
/* silo.pin, or without it the stored pin, counts from now on; a stopped link tries again. */
void silo_link_reconfigured(struct silo_link *link);
void silo_link_ask_again(struct silo_link *link, const char *alias); /* see silo_people_ask_again() */
