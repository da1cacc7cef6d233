/* concierge.h - what members can say to the gateway itself, in a ping to its alias
 *
 * A few fixed words, whatever their case, spaces and a final dot: "reports on", "reports off", "help". Only a member whose
 * account is known is understood, and answered, by a notice in a thread of its own. Words that are not understood are
 * answered with the help once a day; those that make an account known (its consent to get mail) and those of another
 * gateway never, so that no two programs can keep each other talking.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct store_db;

/* What a gateway says to a new member; it comes to us when another gateway's administrator adds our own alias as one. */
#define CONCIERGE_GREETING "Please answer with a ping: then email from people approved for you can reach you here."

struct concierge_ping {
    const char *uid, *msgid, *text; /* the silo vouches for uid */
    bool was_known;                 /* the member's account, before this ping */
    int64_t now;
};
/* Writer only. Does what the ping says, once for each msgid. 1 answered (*word_out: what was understood, static text; "" when
 * nothing), 0 not answered, -1 database error. */
int concierge_answer(struct store_db *db, const struct concierge_ping *ping, const char **word_out)
    __attribute__((warn_unused_result));
/* The word, as it stands in the table; NULL: it is none. */
const char *concierge_find_word(const char *text);
