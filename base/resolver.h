/* resolver.h - asks the domain name system, through one process of its own
 *
 * Nobody else in Postern sends DNS queries to prove senders. The process runs libunbound (a cache, DNSSEC if there is a trust
 * anchor) and asks the configured servers, which are expected to be resolvers themselves. It reads what any name server of the
 * world cares to answer, so it is locked in: it can open sockets of the Internet, and no files, and start no programs. The
 * first question starts it, as the user that the daemon is by then. If it dies, what was asked of it is answered DNS_TEMPORARY, as is
 * everything during a short pause; the next question starts another one. So too if it hangs: whenever the time of a question is
 * over, it is asked for something that it knows without asking anybody.
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
    const char *program; /* usually "/proc/self/exe"; given RESOLVER_ARGUMENT it must call resolver_main() */
    /* NULL-terminated, "192.0.2.1:53" or "[2001:db8::1]:53", numbers only (asserted). NULL: those of system_file; 127.0.0.1,
     * as the C library does, when it names none. When it has become another one, the next question is asked of whom it names then. */
    const char *const *servers;
    const char *system_file;  /* as of resolv.conf(5); NULL: "/etc/resolv.conf" */
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
    uint64_t losses;    /* of the process, or failures to make use of its settings */
    unsigned waiting;   /* now */
};

#define RESOLVER_ARGUMENT "--worker=resolver"

/* Never NULL. Settings are copied. What is wrong with them (trust anchors that can't be used, see base/resolver_anchors.h) is an error
 * in the log and DNS_TEMPORARY for everybody: nothing is answered unvalidated. */
struct resolver *resolver_new(struct loop *loop, const struct resolver_settings *settings)
    __attribute__((warn_unused_result));
/* Other servers, anchors, time limit: a new process (with an empty cache) is asked all that waits; what waits keeps its time limit. Reads
 * /etc/resolv.conf and the anchors again, even if the settings are the same. The program stays. */
void resolver_reconfigure(struct resolver *resolver, const struct resolver_settings *settings);
/* What waits is answered DNS_TEMPORARY, from inside this call. Not to be called in a resolver_done. */
void resolver_free(struct resolver **resolver);

/* done is called exactly once, on the loop, never from inside this call. A name that is not valid (dns_name_is_valid()) is
 * DNS_NO_NAME without being asked. Who asks what somebody waits for already gets the same answer. */
void resolver_ask(struct resolver *resolver, const char *name, enum dns_type type, resolver_done *done, void *ctx);
/* The question of a worker that asks by dns_asker (base/dns_asker.h): takes it over, and answers it. Rubbish is DNS_TEMPORARY. */
void resolver_ask_for_worker(struct resolver *resolver, struct worker_question *question, const void *request,
                             size_t len);

struct resolver_counts resolver_counts(const struct resolver *resolver);

/* The process's side, called from main() of the program when RESOLVER_ARGUMENT is its only argument. */
_Noreturn void resolver_main(void);
