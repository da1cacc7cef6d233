/* verify.h - our own check of who wrote a mail, done by workers (smtp/sender_auth.h)
 *
 * Signatures, SPF and DMARC records are what strangers write, so they are read in sandboxed processes (base/worker.h), which
 * ask for DNS answers through this one: by base/resolver.h. A check whose worker crashes is tried once more; then nobody knows who wrote the mail.
 * Results arrive on the loop, never from inside a call.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/auth_results.h"

struct config;
struct loop;
struct resolver;
struct sender_auth_request;
struct sender_auth_result;
struct verify;

enum {
    VERIFY_WORKERS = 8,        /* that many checks at a time; most of their time they wait for the DNS */
    VERIFY_DNS_MS = 20 * 1000, /* after that a check asks no more, and what it would have asked counts as unanswered */
    VERIFY_JOB_MS = 45 * 1000, /* after that its worker is killed */
};

#define VERIFY_WORKER_ARGUMENT "--worker=verify"

/* Does a listener take mail from whoever comes, and nobody in front says who wrote it? */
bool verify_is_needed(const struct config *config);
/* program: "/proc/self/exe"; given VERIFY_WORKER_ARGUMENT it must call verify_worker_main(). The resolver outlives it. NULL with errno when
 * the workers' zygote can't be started. */
struct verify *verify_new(struct loop *loop, struct resolver *resolver, const char *program)
    __attribute__((warn_unused_result));
void verify_free(struct verify **verify); /* pending checks get no callback */

/* result: NULL when nobody could check; error then says why, for the trace. Both are valid during the call. */
typedef void verify_done(const struct sender_auth_result *result, const char *error, void *ctx);
/* The request is copied, and its file duplicated; at most VERIFY_SEALERS_MAX sealers. 1 taken; 0 VERIFY_WORKERS checks are under way. */
int verify_mail(struct verify *verify, const struct sender_auth_request *request, verify_done *done, void *ctx)
    __attribute__((warn_unused_result));

struct verify_counts {
    uint64_t checked, failed;              /* since the start; failed: of these, those that nobody could check */
    uint64_t crashes;                      /* attempts that ended with their worker */
    uint64_t dmarc[AUTH_RESULT_OTHER + 1]; /* of the others: by what was found of the author's domain */
    unsigned under_way;
};
struct verify_counts verify_counts(const struct verify *verify);
_Noreturn void verify_worker_main(void);
