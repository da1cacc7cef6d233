/* smtp_guessing.h - clients who try out recipients, return addresses and senders are slowed, then sent away for a while
 *
 * Shared by all listeners. Guesses are counted for the client's network, a /24 of IPv4 or a /64 of IPv6, because that is
 * where whoever guesses has more addresses; one is forgotten every minute. So many are free, since a mail server has old
 * addresses in its queue now and then. Beyond that each reply waits twice as long as the one before, from 1 s to 16 s;
 * with twice as many the network is paused for 10 minutes: who has guessed is sent away, and no new connection is taken
 * (421, so that mail comes again). Sessions of others in the network go on.
 *
 * What is held for it is bounded: 65,536 networks, the one that has guessed longest ago is forgotten first, and 200
 * replies that wait; who would be the next of these is sent away at once.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_reply.h"

struct loop;
struct smtp_guessing;

enum { SMTP_GUESSING_NETWORKS_MAX = 65536, SMTP_GUESSING_DELAYED_MAX = 200 };

struct smtp_guessing *smtp_guessing_new(struct loop *loop, unsigned free_guesses); /* 0: nobody is ever slowed */
void smtp_guessing_free(struct smtp_guessing **guessing);
void smtp_guessing_set_free(struct smtp_guessing *guessing, unsigned free_guesses);

enum { SMTP_GUESS_LAST = -1 }; /* the session is to end with it */
/* One more, from this address (smtp_access.h; what is none is nobody's). How long the reply is to wait, in ms; SMTP_GUESS_LAST.
 * When it is more than 0 the caller says smtp_guessing_end_delay() once it has waited, or nobody waits any more. */
int64_t smtp_guessing_count(struct smtp_guessing *guessing, const char *address) __attribute__((warn_unused_result));
void smtp_guessing_end_delay(struct smtp_guessing *guessing);
struct smtp_reply smtp_guessing_refusal(void); /* for who is sent away, and for who comes meanwhile */
bool smtp_guessing_is_paused(const struct smtp_guessing *guessing, const char *address);

struct smtp_guessing_statistics {
    uint64_t guesses;        /* counted since the start */
    unsigned slowed, paused; /* networks, now */
    unsigned delayed;        /* replies that wait now */
    size_t remembered;       /* networks */
};
void smtp_guessing_get_statistics(const struct smtp_guessing *guessing, struct smtp_guessing_statistics *out);
