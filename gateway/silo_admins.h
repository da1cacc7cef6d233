/* silo_admins.h - the admins in the silo are told what waits for them
 *
 * One notice for each, with all that is new (mapping/store_admin.h): at once when there has been none for a while, else at
 * most one in ten minutes. What each was told is in the database, written with the notice. Those whose account is not known
 * are asked for an answer (silo_chores.h), and told when they have given it.
 */
#pragma once

struct parts;
struct silo_admins;

/* on_notice: a notice is in the inbound queue. */
struct silo_admins *silo_admins_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx);
void silo_admins_free(struct silo_admins **admins);
/* There may be something new. It looks by itself, too, every ten seconds. */
void silo_admins_poke(struct silo_admins *admins);
