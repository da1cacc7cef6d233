/* verify_worker.c - the worker's side of verify.h: one mail, and the questions that it takes */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/dns_asker.h"
#include "base/ipc.h"
#include "base/strbuf.h"
#include "base/verify_key.h"
#include "base/worker.h"
#include "gateway/verify.h"
#include "gateway/verify_wire.h"
#include "smtp/public_suffix.h"

enum { UNREADABLE = -1 };

/* Read before lock-down; the program has no context pointer. */
static struct public_suffixes *suffixes;
static struct clock *clock_of_job;

/* Whoever makes us wait by slow name servers, and has many of them, holds up others. */
struct patience {
    struct dns_asker *asker;
    int64_t until; /* monotonic, ms */
};

static const struct dns_answer *ask_in_time(const char *name, enum dns_type type, void *ctx)
{
    static const struct dns_answer too_late = { .outcome = DNS_TEMPORARY };
    const struct patience *patience = ctx;
    return clock_monotonic_ms(clock_of_job) < patience->until ? dns_asker_ask(name, type, patience->asker) : &too_late;
}

static int32_t handle(const void *request_data, size_t request_len, const int *fds, size_t fd_count, void *answer,
                      size_t *answer_len)
{
    struct sender_auth_request request;
    struct sender_auth_result result;
    const char *sealers[VERIFY_SEALERS_MAX];
    if (fd_count != 1 || verify_wire_read_request(request_data, request_len, &request, sealers) != 1)
        return UNREADABLE;
    request.fd = fds[0];
    struct patience patience = { .asker = dns_asker_new(SENDER_AUTH_QUESTIONS_MAX),
                                 .until = clock_monotonic_ms(clock_of_job) + VERIFY_DNS_MS };
    int checked = sender_auth_check(&request, suffixes, ask_in_time, &patience, &result);
    dns_asker_free(&patience.asker);
    if (checked != 1)
        return UNREADABLE;
    struct strbuf out;
    strbuf_init(&out, IPC_PAYLOAD_MAX);
    verify_wire_put_answer(&result, &out);
    memcpy(answer, out.data, out.len);
    *answer_len = out.len;
    strbuf_free(&out);
    return 1;
}

static void prepare(void)
{
    suffixes = public_suffixes_new();
    clock_of_job = clock_new_system();
    verify_key_prepare();
}

_Noreturn void verify_worker_main(void)
{
    static const struct worker_program program = { .prepare = prepare, .handle = handle };
    worker_main(&program);
}
