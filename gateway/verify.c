#include "gateway/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/log.h"
#include "base/resolver.h"
#include "base/strbuf.h"
#include "base/worker.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/verify_wire.h"
#include "smtp/sender_auth.h"

enum {
    /* Whoever takes a worker over by a mail could decide about the mails of others that come to it, and tell the world what they say by
     * what it asks of the DNS. A process for each costs two milliseconds. */
    JOBS_PER_WORKER = 1,
    CPU_SECONDS = 20, /* hashing of the largest mail takes a few, and 60 keys of 8192 bits less */
    ATTEMPTS_MAX = 2,
};
static const uint64_t memory_bytes = 64ULL << 20; /* a header, its fields as nodes, answers of the DNS */

struct verify {
    struct resolver *resolver;
    struct worker_pool *pool;
    struct check *checks;
    struct verify_counts counts; /* checked, failed */
};

/* One check, over all its attempts. */
struct check {
    struct verify *verify;
    struct check *next;
    int fd;
    struct strbuf request;
    unsigned attempts;
    verify_done *done;
    void *ctx;
};

static void on_question(struct worker_question *question, const void *request, size_t len, void *job_ctx, void *ctx)
{
    struct verify *verify = ctx;
    (void)job_ctx;
    resolver_ask_for_worker(verify->resolver, question, request, len);
}

bool verify_is_needed(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (!config->listeners[i].assume_authenticated && !config->listeners[i].trust_authserv_id)
            return true;
    return false;
}

struct verify *verify_new(struct loop *loop, struct resolver *resolver, const char *program)
{
    static const char *const arguments[] = { VERIFY_WORKER_ARGUMENT, NULL };
    struct verify *verify = xcalloc(1, sizeof *verify);
    verify->resolver = resolver;
    const struct worker_pool_settings pool_settings = {
        .program = program,
        .arguments = arguments,
        .workers = VERIFY_WORKERS,
        .queue_max = VERIFY_WORKERS, /* one that is tried again comes while others are under way */
        .limits = {
            .memory_bytes = memory_bytes,
            .cpu_seconds = CPU_SECONDS,
            .job_timeout_ms = VERIFY_JOB_MS,
            .jobs_per_worker = JOBS_PER_WORKER,
        },
        .on_question = on_question,
        .question_ctx = verify,
        .questions_max = SENDER_AUTH_QUESTIONS_MAX,
    };
    verify->pool = worker_pool_new(loop, &pool_settings);
    if (verify->pool)
        return verify;
    int error = errno;
    free(verify);
    errno = error;
    return NULL;
}

static void check_free(struct check *check)
{
    struct check **at = &check->verify->checks;
    while (*at != check)
        at = &(*at)->next;
    *at = check->next;
    close(check->fd);
    strbuf_free(&check->request);
    free(check);
}

void verify_free(struct verify **verify)
{
    if (!*verify)
        return;
    worker_pool_free(&(*verify)->pool);
    while ((*verify)->checks)
        check_free((*verify)->checks);
    free(*verify);
    *verify = NULL;
}

static void conclude(struct check *check, const struct sender_auth_result *result, const char *error)
{
    verify_done *done = check->done;
    void *ctx = check->ctx;
    check->verify->counts.checked++;
    check->verify->counts.failed += result == NULL;
    if (result)
        check->verify->counts.dmarc[result->dmarc]++;
    check_free(check);
    done(result, error, ctx);
}

static void on_done(const struct worker_result *result, void *ctx);

static int attempt(struct check *check)
{
    check->attempts++;
    return worker_pool_submit(check->verify->pool, check->request.data, check->request.len, &check->fd, 1, on_done,
                              check);
}

static void try_again(struct check *check, const char *problem)
{
    log_warning("verify.failed", "attempt=%u reason=%s", check->attempts, problem);
    if (check->attempts >= ATTEMPTS_MAX || attempt(check) != 1)
        conclude(check, NULL, problem);
}

static void on_done(const struct worker_result *result, void *ctx)
{
    struct check *check = ctx;
    struct sender_auth_result found;
    if (result->outcome != WORKER_DONE) {
        char problem[sizeof result->detail]; /* it may be tried again, and the result is gone */
        snprintf(problem, sizeof problem, "%s", result->detail);
        try_again(check, problem);
    } else if (result->code != 1) {
        conclude(check, NULL, "the mail can't be read");
    } else if (verify_wire_read_answer(result->answer, result->answer_len, &found) != 1) {
        worker_pool_refuse_answer(check->verify->pool);
        try_again(check, "an answer that no honest worker gives");
    } else {
        conclude(check, &found, NULL);
    }
}

int verify_mail(struct verify *verify, const struct sender_auth_request *request, verify_done *done, void *ctx)
{
    int fd = verify_counts(verify).under_way < VERIFY_WORKERS ? fcntl(request->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0)
        return 0;
    struct check *check = xcalloc(1, sizeof *check);
    *check = (struct check){ .verify = verify, .next = verify->checks, .fd = fd, .done = done, .ctx = ctx };
    verify->checks = check;
    strbuf_init(&check->request, IPC_PAYLOAD_MAX);
    verify_wire_put_request(request, &check->request);
    if (strbuf_ok(&check->request) && attempt(check) == 1)
        return 1;
    check_free(check);
    return 0;
}

struct verify_counts verify_counts(const struct verify *verify)
{
    struct verify_counts counts = verify->counts;
    counts.crashes = worker_pool_crashes(verify->pool);
    for (const struct check *check = verify->checks; check; check = check->next)
        counts.under_way++;
    return counts;
}
