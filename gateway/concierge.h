/* concierge.h - what members and admins say to the gateway itself, and how it answers
 *
 * In a ping to its alias, or in a thread with it and no outside correspondent. concierge_words.h says how words are
 * understood: as a whole, or nothing is done. Only a member whose account is known is understood, or an admin
 * (admins.h); each is answered by one notice, in the thread, or (to a ping) in one of its own.
 *
 * What is not understood is answered a few times a day, so that no two programs can keep each other talking; what makes
 * an account known (its consent to get mail), courtesies, and what other gateways say, never.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/concierge_words.h"
#include "smtp/smtp_address.h"

struct config;
struct hold;
struct store_actor;
struct store_db;
struct store_mapping;

/* What a gateway says to a new member; it comes to us when another gateway's administrator adds our own alias as one. */
#define CONCIERGE_GREETING "Please answer with a ping: then email from people approved for you can reach you here."
/* To an admin who is no member. */
#define CONCIERGE_ADMIN_GREETING "Please answer with a ping: then you are told here what waits for an administrator."

enum {
    CONCIERGE_UNCLEAR_MAX = 20,   /* answers to what was not understood, to one person within a day */
    CONCIERGE_REQUESTS_MAX = 50,  /* that wait for a decision, of one member; */
    CONCIERGE_PENDING_MAX = 1000, /* of all members */
};

/* What it needs of the configuration: a copy, since a reload may come while an operation runs. */
struct concierge_rules {
    char **admins; /* NULL: none */
    char *gateway_alias;
    unsigned requests_per_day; /* 0: no limit */
    enum smtp_case local_case;
    const struct hold *hold; /* hears of decisions; NULL (as it is made): nothing is held */
};
struct concierge_rules *concierge_rules_new(const struct config *config);
void concierge_rules_free(struct concierge_rules **rules);

struct concierge_speech {
    const struct concierge_rules *rules;
    const char *uid;   /* the silo vouches for it */
    const char *alias; /* vouched for as well, or that of the member or admin; for the audit log */
    const char *text;
    size_t len;
    const char *obstacle; /* why it can't be an order at all, in a sentence; NULL */
    const char *ping;     /* its message id, when it is one; else NULL */
    bool was_known;       /* the account, before this ping */
    int64_t thread_id;    /* where it is answered; 0: in a thread of its own */
    int64_t about;        /* the entry of the outbound queue that it is; 0 */
    int64_t now;
};
struct concierge_effect {
    bool changed;         /* mappings: there may be something to do in the silo, or to post */
    char understood[200]; /* the verbs, for the log and the trace; "" nothing */
};
/* Writer only. Does what was said: all of it, or nothing; a ping once for each id. 1 answered, by a notice; 0 not answered; -1
 * database error. */
int concierge_answer(struct store_db *db, const struct concierge_speech *speech, struct concierge_effect *effect_out)
    __attribute__((warn_unused_result));
/* Writer only, in the operation that denied a request: the member who made it in the silo is told, unless they did it
 * themselves. (What is granted is told by a ping from the new alias.) 1 or -1. */
int concierge_tell_denied(struct store_db *db, const struct store_mapping *mapping, const struct store_actor *actor,
                          int64_t now) __attribute__((warn_unused_result));
