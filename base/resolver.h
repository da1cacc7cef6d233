/* resolver.h - asks the domain name system, through one process of its own
 *
 * Nobody else in Postern sends DNS queries to prove senders. The process runs libunbound (a cache, DNSSEC if there is a trust
 * anchor) and asks the configured servers, which are expected to be resolvers themselves. It reads what any name server of the
 * world cares to answer, so it is locked in: it can open sockets of the Internet, and no files, and start no programs. If it dies it is
 * replaced after a short pause; what was asked of it is answered DNS_TEMPORARY, as is everything until then.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/dns.h"

struct loop;
struct resolver;
struct worker_question;

enum {
    RESOLVER_ASKED_MAX = 256,     /* questions that wait for their answers; one more is answered DNS_TEMPORARY */
    RESOLVER_SERVERS_MAX = 8,     /* further ones are not used */
    RESOLVER_SERVER_TEXT_MAX = 64 /* bytes of one */
};

struct resolver_settings {
    const char *program;          /* path to execute (usually /proc/self/exe) */
    const char *const *arguments; /* NULL-terminated argv[1..]; its main() calls resolver_main() */
    const char *const
        *servers; /* NULL-terminated, "192.0.2.1:53" or "[2001:db8::1]:53"; NULL: those of /etc/resolv.conf as the
                                   * process starts, as the C library does 127.0.0.1 when it names none */
    const char *trust_anchor; /* file of DS or DNSKEY records by which answers are validated; NULL: they are not */
    int64_t timeout_ms;       /* for an answer, whatever has to be asked for it; then DNS_TEMPORARY */
};

/* answer and its records are valid during the call. */
typedef void resolver_done(const struct dns_answer *answer, void *ctx);

struct resolver_counts {
    uint64_t asked;     /* since the start; those that were answered from the cache too */
    uint64_t refused;   /* of these: too many at once, or no process */
    uint64_t timed_out; /* no answer in time */
    uint64_t temporary; /* SERVFAIL and the like, too large or malformed answers */
    uint64_t bogus;     /* forged, says DNSSEC */
    uint64_t restarts;  /* of the process */
    unsigned waiting;   /* now */
};

/* Starts the process, as the user that the daemon is by now. Settings are copied. NULL with errno when the program cannot be
 * executed. A trust anchor that is unusable makes it end again and again, with an error in the log each time: nothing is answered
 * unvalidated. */
struct resolver *resolver_new(struct loop *loop, const struct resolver_settings *settings)
    __attribute__((warn_unused_result));
/* What waits is answered DNS_TEMPORARY, from inside this call. Not to be called in a resolver_done. */
void resolver_free(struct resolver **resolver);

/* done is called exactly once, on the loop, never from inside this call. A name that is not valid (dns_name_is_valid()) is
 * DNS_NO_NAME without being asked. Who asks what somebody waits for already gets the same answer. */
void resolver_ask(struct resolver *resolver, const char *name, enum dns_type type, resolver_done *done, void *ctx);
/* The question of a worker that asks by dns_asker (base/dns_asker.h): takes it over, and answers it. Rubbish is DNS_TEMPORARY. */
void resolver_ask_for_worker(struct resolver *resolver, struct worker_question *question, const void *request,
                             size_t len);

struct resolver_counts resolver_counts(const struct resolver *resolver);

/* The process's side, called from main() of the program when it was started with the arguments of the settings. */
_Noreturn void resolver_main(void);
