/* silo_chores.h - what approvals leave to do in the silo, one chore at a time
 *
 * In this order: claim our own alias, greet members who have not answered yet, join and leave groups, create
 * correspondents' aliases, announce mappings, invite those who are to be told by email (invitation.h: who can be answered then).
 * What is to be done is asked of the database each time; what the silo refuses
 * is put aside until something changes (silo_chores_poke) or ten minutes have passed.
 *
 * One alias for each correspondent. A form that is refused is followed by the next (silo_alias.h); which one is being
 * asked for is in the database before it is asked for, so that after a lost answer, a cut or a crash the same one is
 * asked for again: it may be ours by then, and the silo never frees an alias.
 */
#pragma once
#include <stdbool.h>

struct parts;
struct silo_chores;
struct tmtp_client;
struct tmtp_client_result;

/* on_notice: a notice is in the inbound queue. */
struct silo_chores *silo_chores_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx);
void silo_chores_free(struct silo_chores **chores);
void silo_chores_set_client(struct silo_chores *chores, struct tmtp_client *client);
void silo_chores_set_online(struct silo_chores *chores, bool online);
void silo_chores_poke(struct silo_chores *chores);
/* Why the silo refused our own alias; NULL: it did not. */
const char *silo_chores_own_alias_error(const struct silo_chores *chores);
bool silo_chores_on_result(struct silo_chores *chores,
                           const struct tmtp_client_result *result); /* false: not a chore's */
