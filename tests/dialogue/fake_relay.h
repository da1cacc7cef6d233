/* fake_relay.h - a relay that answers as a script says: for dialogues with whoever sends mail
 *
 * SMTP on a unix socket, on the test's loop and clock. It keeps what it has taken, and counts what was tried. Until it is told
 * otherwise it takes everything.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct fake_relay;

struct fake_mail {
    char *sender;     /* with its parameters, as MAIL had it */
    char *recipients; /* those that were accepted, as RCPT had them, with spaces between */
    char *content;    /* without the final dot */
};

/* address: "unix:/path". It does not listen yet. */
struct fake_relay *fake_relay_new(struct loop *loop, const char *address);
void fake_relay_free(struct fake_relay **relay);
void fake_relay_listen(struct fake_relay *relay, bool listens);        /* false: whoever is connected is cut */
void fake_relay_offer(struct fake_relay *relay, const char *keywords); /* of EHLO, with spaces between */
/* where: "GREETING", "EHLO", "MAIL", "RCPT", "RCPT:bob@example.com", "DATA" or "FINAL". reply: a line; "cut": none, the
 * connection is lost; "default": as before. false: no such place. */
bool fake_relay_answer(struct fake_relay *relay, const char *where, const char *reply);
/* It thinks that long before it answers there. Not for single recipients. */
bool fake_relay_slow(struct fake_relay *relay, const char *where, int64_t ms);
/* ms until it answers, -1: nobody waits for it. */
int64_t fake_relay_answers_in(const struct fake_relay *relay);
unsigned fake_relay_connections(const struct fake_relay *relay); /* since the start */
unsigned fake_relay_attempts(const struct fake_relay *relay);    /* MAIL commands */
unsigned fake_relay_open_now(const struct fake_relay *relay);
/* The oldest mail that was not taken away yet; NULL. Valid until the next call. Also one to whose final dot it has not
 * answered as it should. */
const struct fake_mail *fake_relay_take(struct fake_relay *relay);
