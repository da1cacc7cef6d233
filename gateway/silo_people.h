/* silo_people.h - whom the gateway gets to know in the silo: senders of pings, inviters, members of its groups
 *
 * Only what the silo vouches for comes here: it has checked that the alias in a ping, an invitation or a group's notice is
 * its sender's. A ping or an invitation is also a word to the gateway, hence its sender's consent to get mail (their
 * uid is given to the member with that alias); a group's notice only tells who is who.
 *
 * An invitation is accepted when its sender may (policy.group_invites); else it waits for an administrator. Each push is
 * acknowledged when what it taught is on disk.
 */
#pragma once
#include <stdbool.h>

struct parts;
struct silo_people;
struct tmtp_client;
struct tmtp_push;

struct silo_people_callbacks {
    void (*on_learned)(void *ctx);          /* there may be something to do (silo_chores_poke) */
    void (*on_notice)(void *ctx);           /* a notice is in the inbound queue */
    void (*on_mappings_changed)(void *ctx); /* by a word to the concierge */
};

struct silo_people *silo_people_new(const struct parts *parts, const struct silo_people_callbacks *callbacks,
                                    void *ctx);
void silo_people_free(struct silo_people **people);
void silo_people_set_client(struct silo_people *people, struct tmtp_client *client);
/* A ping, an invitation, or a member's notice of a group. text: of a ping; NULL. One to the gateway's own alias may be a word
 * to the concierge. */
void silo_people_on_push(struct silo_people *people, const struct tmtp_push *push, const char *text);
/* Somebody wrote under this member's alias, who has not answered the gateway yet: they are asked again, once a day. */
void silo_people_ask_again(struct silo_people *people, const char *alias);
