/* pair.h - what the store knows about somebody outside and somebody here: the facts from which policy.h chooses a mapping
 *
 * Any thread that may use the connection.
 */
#pragma once
#include "gateway/policy.h"

struct config;
struct store_db;

/* facts refers to rows and to what the caller gave. */
struct pair {
    struct policy_pair facts;
    struct store_mapping *rows;
    size_t count;
};

/* address: of the one outside, canonical; "", or what no subject can be about: nobody's. When the database fails facts.database_failed says so. The caller adds
 * to facts what it knows besides: how they are called, case, time. Never fails; pair_free() it. */
void pair_find(struct store_db *db, const char *address, struct store_target target, struct pair *out);
void pair_free(struct pair *pair);

/* Is mail of authors about whom nobody has decided kept for this target (policy.unknown_senders)? The loop's, as the configuration
 * is. */
bool pair_holds_unknown(const struct config *config, struct store_target target);
