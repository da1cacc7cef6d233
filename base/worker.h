/* worker.h - a pool of sandboxed child processes for dangerous work
 *
 * Parsing what strangers send happens in processes that have nothing to lose: no network, no files, no
 * secrets. The pool starts its program once as a "zygote" (a small single-threaded parent, started before
 * any thread of the daemon); the zygote prepares what must be prepared before lock-down (iconv modules) and forks
 * the workers. A worker drops everything (no-new-privs, rlimits, seccomp allow-list) before it sees its
 * first byte of input. Input and output travel as file descriptors, so big content is never copied
 * through a socket. A worker that dies, hangs or exceeds its limits costs one job, and is replaced; a zygote that
 * dies costs the jobs that were running, and is replaced after a short pause.
 *
 * A worker may be in a stranger's hands. Check what it answers and asks, and read its output files with pread(): a mapping
 * could be shortened under the reader.
 *
 * A worker that needs to know something from outside (DNS) asks the owner of its pool, if the pool's settings allow it: its
 * handler calls worker_ask() and waits, the owner hears of it in on_question and replies when it can. The job's limits hold
 * meanwhile: one whose question stays open ends by job_timeout_ms.
 *
 * Two sides: the pool (in the daemon, on its loop) and worker_main() (in the child's main()). The children die
 * with the thread that made the pool, however it ends. They inherit its user and standard error (workers: only in
 * sanitizer builds) and nothing else: no descriptors, an environment of TZ=UTC0 and LC_ALL=C.UTF-8.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct worker_pool;
struct worker_question;

/* 0: no such limit. */
struct worker_limits {
    uint64_t memory_bytes;    /* above what it has at start; not in sanitizer builds (the log says so) */
    uint64_t mapped_bytes;    /* addresses besides, for files that it maps to read; counts only with memory_bytes */
    int64_t job_timeout_ms;   /* wall clock; then the worker is killed */
    unsigned cpu_seconds;     /* per job; enforced by RLIMIT_CPU renewed for each job */
    unsigned jobs_per_worker; /* then it is replaced by a fresh one */
};

/* A running job asks: request, len bytes (IPC_PAYLOAD_MAX at most), is valid during the call; ctx is the pool's, job_ctx the
 * one that the job was submitted with. The owner answers each question once, in this call or at any later time. */
typedef void worker_asks(struct worker_question *question, const void *request, size_t len, void *job_ctx, void *ctx);

struct worker_pool_settings {
    const char *program;          /* path to execute (usually /proc/self/exe) */
    const char *const *arguments; /* NULL-terminated argv[1..], e.g. { "--worker", "convert", NULL } */
    unsigned workers;             /* processes at most, 1 or more; started when first needed */
    unsigned queue_max;           /* jobs beyond the number of workers that are taken, to wait */
    struct worker_limits limits;
    worker_asks *on_question; /* NULL: jobs may not ask, and one that does has broken the protocol */
    void *question_ctx;
    unsigned questions_max; /* of one job; one that asks more has broken the protocol */
};

enum worker_outcome {
    WORKER_DONE,    /* the handler answered; see code and output */
    WORKER_CRASHED, /* died by a signal, broke the protocol, or exited */
    WORKER_TIMEOUT, /* killed by the pool after job_timeout_ms */
};

enum { WORKER_CODE_RESERVED = INT32_MAX };

struct worker_result {
    enum worker_outcome outcome;
    int32_t code;       /* the handler's return value when WORKER_DONE; any but WORKER_CODE_RESERVED */
    const void *answer; /* the handler's answer, up to IPC_PAYLOAD_MAX bytes; valid during the callback */
    size_t answer_len;
    char detail[120]; /* for the trace when not DONE: "killed by signal 11" */
};

typedef void worker_done(const struct worker_result *result, void *ctx);

/* Starts the zygote, as the user that the daemon is by now: drop privileges first. Settings are copied. NULL with
 * errno when the program cannot be executed. */
struct worker_pool *worker_pool_new(struct loop *loop, const struct worker_pool_settings *settings)
    __attribute__((warn_unused_result));
/* Pending jobs get no callback. Children are ended and reaped, which takes milliseconds (half a second at most).
 * May be called in a worker_done. */
void worker_pool_free(struct worker_pool **pool);

/* Queues a job; request is copied; fds are duplicated into the job (the caller keeps its own). done is
 * called exactly once, on the loop, never from inside this call, and after the worker of a failed job was killed (so
 * that nobody writes to its output files). At most IPC_PAYLOAD_MAX bytes and IPC_FDS_MAX descriptors (asserted).
 * 0: queue full (or no descriptor left), nothing taken. 1: taken. */
int worker_pool_submit(struct worker_pool *pool, const void *request, size_t request_len, const int *fds,
                       size_t fd_count, worker_done *done, void *ctx) __attribute__((warn_unused_result));
/* In a worker_done, before anything is submitted there: the answer is one that no honest worker gives. Counts as a crash,
 * and the worker gets no other job: it is killed and replaced. */
void worker_pool_refuse_answer(struct worker_pool *pool);
unsigned worker_pool_waiting(const struct worker_pool *pool); /* taken, not yet with a worker */
unsigned worker_pool_running(const struct worker_pool *pool); /* with a worker */
uint64_t worker_pool_crashes(const struct worker_pool *pool); /* jobs without an answer, or with one that was refused */

/* Replies to a question and ends its life; *question is NULL afterwards. To be called for each, on the loop; the job and the pool
 * may be gone by then, and nobody hears the reply. At most IPC_PAYLOAD_MAX bytes (asserted). Never calls back. */
void worker_question_answer(struct worker_question **question, const void *reply, size_t len);
bool worker_question_is_open(const struct worker_question *question); /* false: nobody waits any more */

/* The child's side. Called from main() of the program when it was started as a zygote; never returns.
 * prepare: runs once in the zygote before any fork. Whatever opens a file at its first use must be used here: iconv
 * handles, the time zone, seeds of hash tables (jansson), library initialisers. It must not start threads.
 * handle: one job. fds are those of the job, in order, owned by the framework (closed afterwards). Writes its answer
 * (at most IPC_PAYLOAD_MAX bytes) to answer; returns a code for the result. */
struct worker_program {
    void (*prepare)(void); /* may be NULL */
    int32_t (*handle)(const void *request, size_t request_len, const int *fds, size_t fd_count, void *answer,
                      size_t *answer_len);
};
_Noreturn void worker_main(const struct worker_program *program);

/* In a handler: asks the owner of the pool and waits for the reply. At most IPC_PAYLOAD_MAX bytes each way; reply has room for that
 * many. The process ends here when there is no pool any more: there is nobody left to work for. */
void worker_ask(const void *request, size_t len, void *reply_out, size_t *reply_len_out);
