/* silo_probe.h - is there a silo at this address, and what certificate does it show?
 *
 * Connects, says what TMTP begins with (tmtprev), hears the answer and goes: nobody is logged in, nothing is registered. For
 * `posternctl setup` and `doctor`.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tls.h"

struct config;
struct loop;

struct silo_probe {
    bool is_silo;           /* it has answered as one, in a revision that we speak */
    bool asks_token;        /* it wants OpenID Connect of whoever registers */
    char *name;             /* as it calls itself, a stranger's words; NULL */
    char pin[TLS_PIN_SIZE]; /* of its certificate, also when that was refused; "": it was not seen */
    int64_t expires;        /* of its certificate, s since 1970; 0: not known */
    char *error;            /* NULL when is_silo */
};

/* address: "+host:port" (the certificate is checked against ca_file, NULL: the system's) or "=host:port" (it must have the pin; NULL:
 * any). Runs the loop for up to `ms`. */
void silo_probe(struct loop *loop, const char *address, const char *ca_file, const char *pin, int64_t ms,
                struct silo_probe *out);
void silo_probe_clear(struct silo_probe *probe);

/* What one process tells another of it; the other believes no more than that it is well-formed, and a silo has a pin. 1; -1 it is not, and there is nothing to clear. */
struct strbuf;
void silo_probe_write(const struct silo_probe *probe, struct strbuf *out);
int silo_probe_read(const char *text, size_t len, struct silo_probe *out) __attribute__((warn_unused_result));

/* The same, asked by a process of its own that may do less than root (gateway/apart.h). config: whose user that is; NULL. */
void silo_probe_apart(const struct config *config, const char *address, const char *ca_file, int64_t ms,
                      struct silo_probe *out);
