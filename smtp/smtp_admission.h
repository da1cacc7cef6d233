/* smtp_admission.h - who may come in to a listener, how many at a time, and how often
 *
 * Asked with an address, not with a connection: once when a client connects, and again when it turns out to be, or to
 * speak for, somebody else. A client is an IPv4 address, or the /64 that an IPv6 address is in, because that is the
 * least that a provider gives to one customer: whoever has a /64 has all the addresses in it.
 *
 * Rates are per minute: a client that was quiet may do the whole minute's worth at once, and goes on at that rate.
 * What was refused does not count. A client is remembered while it has sessions, or until its allowances are whole
 * again, which makes no difference to forgetting it. Of clients without sessions at most SMTP_ADMISSION_IDLE_MAX are
 * remembered: beyond that, the one that was here longest ago is forgotten, and has its whole allowance again. So a
 * flood from more addresses than that can't take more memory.
 *
 * Exempt are the clients of the unix socket, and the networks that the settings name: no limit per client is for them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "smtp/smtp_reply.h"

struct loop;
struct smtp_admission;
struct smtp_admission_client;

enum { SMTP_ADMISSION_IDLE_MAX = 65536 };

enum smtp_rate { SMTP_RATE_CONNECTIONS, SMTP_RATE_MESSAGES, SMTP_RATE_RECIPIENTS, SMTP_RATE_COUNT };

struct smtp_admission_settings {
    const char *const *clients; /* NULL-terminated networks that may come in; NULL: everybody */
    const char *const *exempt;  /* NULL-terminated networks without limits per client; NULL: none */
    unsigned max_sessions;
    unsigned max_sessions_per_client;     /* 0: no limit */
    unsigned per_minute[SMTP_RATE_COUNT]; /* for each client; 0: no limit */
};

/* A session's place. All zero: it has none. */
struct smtp_visit {
    struct smtp_admission_client *client; /* NULL: nobody counts it */
    bool is_in;
    bool is_exempt; /* no limits per client; also while the address is not known */
};

/* NULL with the reason in *error_out (caller frees) when a network is none. Copies what it needs. */
struct smtp_admission *smtp_admission_new(struct loop *loop, const struct smtp_admission_settings *settings,
                                          char **error_out) __attribute__((warn_unused_result));
/* For everybody who comes from now on, and for rates at once; nobody who is in is sent away. -1: nothing changed. */
int smtp_admission_reconfigure(struct smtp_admission *admission, const struct smtp_admission_settings *settings,
                               char **error_out) __attribute__((warn_unused_result));
/* Might a client of this address (as below) come in, but for its number? */
bool smtp_admission_welcomes(const struct smtp_admission *admission, const char *address);
/* After all visits have ended. */
void smtp_admission_free(struct smtp_admission **admission);

/* address: without port and brackets; "unix" for a client of the unix socket; NULL: not known yet (only max_sessions
 * counts). Code 0: it is in, and *visit_out must leave some day. Else the reply for it. A session whose address has
 * become another leaves, and enters anew. */
struct smtp_reply smtp_admission_enter(struct smtp_admission *admission, const char *address,
                                       struct smtp_visit *visit_out) __attribute__((warn_unused_result));
void smtp_admission_leave(struct smtp_admission *admission, struct smtp_visit *visit); /* no visit: does nothing */
/* Counts one more, unless that is too much: false. */
bool smtp_admission_allows(struct smtp_admission *admission, const struct smtp_visit *visit, enum smtp_rate rate)
    __attribute__((warn_unused_result));

unsigned smtp_admission_sessions(const struct smtp_admission *admission);
size_t smtp_admission_remembered(const struct smtp_admission *admission); /* clients in the table */
