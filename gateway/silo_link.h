/* silo_link.h - the gateway's life in the silo: its account, its aliases, whom it knows
 *
 * Owns the tmtp_client. Keeps the account in the store, learns who is who (silo_people.h), and does the chores that
 * approvals leave behind (silo_chores.h): greeting members whose uid is unknown, creating correspondents' aliases, telling
 * members that somebody can now write to them, joining groups. Chores are derived from the database, so they survive
 * restarts and are done at least once.
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
    void (*on_notice)(void *ctx); /* a notice is in the inbound queue */
};

struct silo_link *silo_link_new(const struct parts *parts, const struct silo_link_callbacks *callbacks, void *ctx);
void silo_link_start(struct silo_link *link); /* connects; also after a database error at the first try */
void silo_link_free(struct silo_link **link);
void silo_link_quit(struct silo_link *link);                  /* before shutting down */
struct tmtp_client *silo_link_client(struct silo_link *link); /* NULL before start */
void silo_link_poke(struct silo_link *link);                  /* members or mappings changed: there may be chores */
void silo_link_ask_again(struct silo_link *link, const char *alias); /* see silo_people_ask_again() */
