/* worker_protocol.h - what the pool, the zygote and the workers say to each other (private to worker_*.c)
 *
 * Pool and zygote talk over one socket pair, pool and each worker over another. All ends are the same program, so
 * messages are plain structs. The zygote is trusted (it sees no input); a worker is not.
 *
 *   pool -> zygote   ZYGOTE_FORK (with the worker's end of its socket), ZYGOTE_KILL; closing means: end everything
 *   zygote -> pool   ZYGOTE_FORKED in answer to each FORK, ZYGOTE_EXITED once per forked worker, after its FORKED
 *   pool -> worker   WORKER_JOB: the request as payload, the job's descriptors; WORKER_REPLY to its question
 *   worker -> pool   during a job, where the pool allows it, WORKER_QUESTION, and nothing more until the reply; then an
 *                    answer: the handler's code as type, the handler's answer as payload. Nothing else, ever.
 */
#pragma once
#include <stdint.h>

#include "base/child.h"
#include "base/worker.h"

/* Where the zygote finds the pool, and a worker (in its own process) the socket that its jobs come from. */
enum { WORKER_SOCKET_FD = CHILD_SOCKET_FD };

enum zygote_message_type { ZYGOTE_FORK = 1, ZYGOTE_KILL, ZYGOTE_FORKED, ZYGOTE_EXITED };

enum worker_message_type { WORKER_JOB = 0, WORKER_REPLY = 1, WORKER_QUESTION = WORKER_CODE_RESERVED };

/* None of these has padding: what happens to be in the daemon's memory there is not for others. */
struct zygote_fork {
    uint64_t slot; /* the pool's name for the worker; comes back in ZYGOTE_FORKED */
    struct worker_limits limits;
};
_Static_assert(sizeof(struct zygote_fork) == 4 * sizeof(uint64_t) + 2 * sizeof(unsigned), "no padding");

struct zygote_kill {
    int32_t pid; /* ignored when it is no child any more */
};

struct zygote_forked {
    uint32_t slot;
    int32_t pid; /* negative: the errno of the failure */
};

struct zygote_exited {
    int32_t pid;
    int32_t status; /* as of waitpid() */
};
