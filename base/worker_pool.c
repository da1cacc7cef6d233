/* The daemon's side: jobs, the slots that run them, and the zygote that fills the slots. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/worker.h"
#include "base/worker_protocol.h"
#include "base/xmalloc.h"

enum {
    EXIT_REPORT_MS = 5000,      /* a killed worker's exit must be reported by then, or the zygote is broken */
    RESTART_FIRST_MS = 100,     /* before a zygote that ended is replaced, or a failed fork is tried again ... */
    RESTART_LONGEST_MS = 10000, /* ... doubled each time until a fork succeeds */
    ZYGOTE_GRACE_MS = 500,      /* to reap its workers at the end, which takes it a few milliseconds */
};

/* ---- jobs ---- */

struct job {
    struct job *next;
    void *request;
    size_t request_len;
    int fds[IPC_FDS_MAX];
    size_t fd_count;
    worker_done *done;
    void *ctx;
    struct worker_question *question; /* the open one; NULL */
    unsigned questions_asked;
    enum worker_outcome verdict; /* if the worker ends before it answers */
    const char *reason;          /* for the result's detail; NULL: how the worker exited */
};

static void job_drop_input(struct job *job)
{
    for (size_t i = 0; i < job->fd_count; i++)
        close(job->fds[i]);
    job->fd_count = 0;
    free(job->request);
    job->request = NULL;
}

/* The owner has it until it answers, which may be long after the job. */
struct worker_question {
    struct slot *slot; /* whose worker waits; NULL: nobody */
};

static void job_free(struct job *job)
{
    job_drop_input(job);
    free(job);
}

/* NULL when a descriptor cannot be duplicated. */
static struct job *job_new(const void *request, size_t request_len, const int *fds, size_t fd_count)
{
    struct job *job = xcalloc(1, sizeof *job);
    while (job->fd_count < fd_count) {
        int copy = fcntl(fds[job->fd_count], F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            job_free(job);
            return NULL;
        }
        job->fds[job->fd_count++] = copy;
    }
    job->request = xmemdup(request, request_len);
    job->request_len = request_len;
    job->verdict = WORKER_CRASHED;
    return job;
}

/* The job's life ends before its owner hears of it, because the owner may free the pool. */
static void job_report(struct job *job, const struct worker_result *result)
{
    worker_done *done = job->done;
    void *ctx = job->ctx;
    job_free(job);
    done(result, ctx);
}

/* ---- the pool and its slots ---- */

/* A slot is a place for one worker. set_state() is the only writer. */
enum slot_state {
    SLOT_EMPTY,   /* no process */
    SLOT_FORKING, /* the zygote was asked for one; the socket is there, the pid is not; no job yet */
    SLOT_IDLE,    /* a worker waits for a job */
    SLOT_BUSY,    /* it has one; the timer limits it */
    SLOT_ENDING,  /* killed, socket closed; the zygote's report is awaited (the timer limits that). The job, if
                     there is one, is reported then: until then the worker could write to the job's files */
};

static const struct {
    const char *name;
    unsigned next; /* bit set of states */
} slot_states[] = {
    [SLOT_EMPTY] = { "empty", 1U << SLOT_FORKING },
    [SLOT_FORKING] = { "forking", 1U << SLOT_IDLE | 1U << SLOT_EMPTY },
    [SLOT_IDLE] = { "idle", 1U << SLOT_BUSY | 1U << SLOT_ENDING | 1U << SLOT_EMPTY },
    [SLOT_BUSY] = { "busy", 1U << SLOT_IDLE | 1U << SLOT_ENDING | 1U << SLOT_EMPTY },
    [SLOT_ENDING] = { "ending", 1U << SLOT_EMPTY },
};

struct slot {
    struct worker_pool *pool;
    enum slot_state state;
    pid_t pid;                /* IDLE, BUSY, ENDING */
    int socket;               /* FORKING, IDLE, BUSY; else -1 */
    struct loop_watch *watch; /* of the socket, when there is one */
    struct timer *timer;
    struct job *job; /* BUSY; ENDING: or NULL */
    unsigned jobs_done;
};

struct worker_pool {
    struct loop *loop;
    struct worker_limits limits;
    unsigned slot_count;
    unsigned queue_max;
    worker_asks *on_question; /* NULL: nobody may ask */
    void *question_ctx;
    unsigned questions_max;
    char *program;
    char **argv;

    pid_t zygote; /* 0: there is none; the restart timer runs */
    int control;  /* its socket */
    struct loop_watch *control_watch;
    struct timer *restart; /* while it runs, nothing is forked */
    int64_t restart_ms;

    struct slot *slots;
    struct job *waiting_first;
    struct job **waiting_end; /* where the next job is hung */
    unsigned waiting;
    uint64_t crashes;
    struct slot *answering;     /* while its answer is reported; NULL */
    bool closed;                /* worker_pool_free() was called; the memory goes at the end of the turn */
    struct ipc_message message; /* the last one received */
};

static void set_state(struct slot *slot, enum slot_state state)
{
    assert((slot_states[slot->state].next & 1U << state) != 0);
    log_debug("worker.state", "slot=%td pid=%d from=%s to=%s", slot - slot->pool->slots, (int)slot->pid,
              slot_states[slot->state].name, slot_states[state].name);
    slot->state = state;
}

/* Makes the zygote's end look lost, which is then handled from the loop. For callers that must not call back. */
static void give_up_zygote(struct worker_pool *pool)
{
    shutdown(pool->control, SHUT_RDWR);
}

static void tell_zygote(struct worker_pool *pool, enum zygote_message_type type, const void *payload, size_t len,
                        const int *fd)
{
    /* There is room for hundreds of messages; a zygote that does not read is broken. */
    if (ipc_send(pool->control, type, payload, len, fd, fd != NULL ? 1 : 0) != 1)
        give_up_zygote(pool);
}

static void slot_hang_up(struct slot *slot)
{
    loop_watch_free(&slot->watch);
    if (slot->socket >= 0)
        close(slot->socket);
    slot->socket = -1;
}

/* The process is gone, or will be in a moment. Gives the job that it owes an answer to, or NULL. */
static struct job *slot_clear(struct slot *slot)
{
    struct job *job = slot->job;
    slot->job = NULL;
    if (job != NULL && job->question != NULL) {
        job->question->slot = NULL;
        job->question = NULL;
    }
    slot_hang_up(slot);
    timer_stop(slot->timer);
    slot->jobs_done = 0;
    set_state(slot, SLOT_EMPTY);
    slot->pid = 0;
    return job;
}

static void slot_kill(struct slot *slot)
{
    slot_hang_up(slot);
    set_state(slot, SLOT_ENDING);
    timer_start(slot->timer, EXIT_REPORT_MS);
    struct zygote_kill request = { .pid = slot->pid };
    tell_zygote(slot->pool, ZYGOTE_KILL, &request, sizeof request, NULL);
}

/* The worker did something that it should not, or nothing in its time. reason NULL: its exit will tell. */
static void slot_condemn(struct slot *slot, enum worker_outcome verdict, const char *reason)
{
    if (slot->job != NULL) {
        slot->job->verdict = verdict;
        slot->job->reason = reason;
    } else {
        log_warning("worker.lost_idle", "pid=%d reason=%s", (int)slot->pid, reason != NULL ? reason : "ended");
    }
    slot_kill(slot);
}

/* ---- handing out jobs ---- */

/* A worker that died while it was idle, or spoke then, is found out before it gets a job. Not so a new one: if workers
 * die as soon as they start, jobs must fail of it rather than wait while more and more are forked. */
static bool is_fit(const struct slot *slot)
{
    char unread;
    if (slot->state != SLOT_IDLE)
        return false;
    return slot->jobs_done == 0 || (recv(slot->socket, &unread, 1, MSG_PEEK) < 0 && errno == EAGAIN);
}

static struct job *take_waiting(struct worker_pool *pool)
{
    struct job *job = pool->waiting_first;
    pool->waiting_first = job->next;
    if (pool->waiting_first == NULL)
        pool->waiting_end = &pool->waiting_first;
    job->next = NULL;
    pool->waiting--;
    return job;
}

static void slot_start_job(struct slot *slot, struct job *job)
{
    set_state(slot, SLOT_BUSY);
    slot->job = job;
    int sent = ipc_send(slot->socket, WORKER_JOB, job->request, job->request_len, job->fds, job->fd_count);
    job_drop_input(job);
    if (sent == 1 && slot->pool->limits.job_timeout_ms > 0)
        timer_start(slot->timer, slot->pool->limits.job_timeout_ms);
    /* An idle worker's socket has room for the biggest job, so this one has ended or has filled its socket on
     * purpose. The job counts as tried: one that is tried for ever would hide what is wrong. */
    if (sent != 1)
        slot_condemn(slot, WORKER_CRASHED, NULL);
}

static void slot_fork(struct slot *slot)
{
    struct worker_pool *pool = slot->pool;
    int ends[2];
    if (ipc_pair(ends) < 0) {
        log_error("worker.no_socket", "error=%s", strerror(errno));
        timer_start(pool->restart, pool->restart_ms);
        return;
    }
    struct zygote_fork request = { .slot = (uint64_t)(slot - pool->slots), .limits = pool->limits };
    slot->socket = ends[0];
    set_state(slot, SLOT_FORKING);
    tell_zygote(pool, ZYGOTE_FORK, &request, sizeof request, &ends[1]);
    close(ends[1]);
}

static unsigned count_slots(const struct worker_pool *pool, enum slot_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->slot_count; i++)
        count += pool->slots[i].state == state;
    return count;
}

/* Gives waiting jobs to idle workers, and has workers forked for those that are left. Never calls back. */
static void dispatch(struct worker_pool *pool)
{
    for (unsigned i = 0; i < pool->slot_count && pool->waiting > 0; i++) {
        struct slot *slot = &pool->slots[i];
        if (is_fit(slot))
            slot_start_job(slot, take_waiting(pool));
        else if (slot->state == SLOT_IDLE)
            slot_condemn(slot, WORKER_CRASHED, "not fit for a job");
    }
    unsigned forking = count_slots(pool, SLOT_FORKING);
    for (unsigned i = 0; i < pool->slot_count && forking < pool->waiting; i++) {
        if (pool->zygote == 0 || timer_is_running(pool->restart))
            return;
        if (pool->slots[i].state == SLOT_EMPTY) {
            slot_fork(&pool->slots[i]);
            forking++;
        }
    }
}

/* ---- results ---- */

static void describe_exit(struct strbuf *text, int status)
{
    static const struct {
        int signal;
        const char *meaning;
    } meanings[] = {
        { SIGSYS, "a system call that the sandbox forbids" },
        { SIGXCPU, "processor time limit" },
        { SIGXFSZ, "output too large" },
        { SIGKILL, "out of memory?" },
        { SIGABRT, "gave up; out of memory?" },
    };
    if (!WIFSIGNALED(status)) {
        strbuf_add_fmt(text, "exited with status %d", WEXITSTATUS(status));
        return;
    }
    strbuf_add_fmt(text, "killed by signal %d", WTERMSIG(status));
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].signal == WTERMSIG(status))
            strbuf_add_fmt(text, " (%s)", meanings[i].meaning);
    }
}

/* For a job that got no answer. reason NULL: the exit status tells. */
static void report_failure(struct worker_pool *pool, struct job *job, const char *reason, int status)
{
    struct worker_result result = { .outcome = job->verdict };
    struct strbuf text;
    strbuf_init(&text, sizeof result.detail - 1);
    if (reason != NULL)
        strbuf_add_str(&text, reason);
    else
        describe_exit(&text, status);
    memcpy(result.detail, text.data, text.len + 1);
    strbuf_free(&text);

    pool->crashes++;
    log_warning("worker.job_failed", "outcome=%s detail=%s", job->verdict == WORKER_TIMEOUT ? "timeout" : "crashed",
                result.detail);
    job_report(job, &result);
}

static void report_answer(struct worker_pool *pool, struct job *job)
{
    struct worker_result result = { .outcome = WORKER_DONE,
                                    .code = (int32_t)pool->message.type,
                                    .answer = pool->message.payload,
                                    .answer_len = pool->message.len };
    job_report(job, &result);
}

/* ---- questions ---- */

static void ask_owner(struct slot *slot)
{
    struct worker_pool *pool = slot->pool;
    struct job *job = slot->job;
    bool may_ask = pool->on_question != NULL && job->question == NULL && job->questions_asked < pool->questions_max;
    if (!may_ask) {
        slot_condemn(slot, WORKER_CRASHED, "broke the protocol");
        return;
    }
    struct worker_question *question = xcalloc(1, sizeof *question);
    question->slot = slot;
    job->question = question;
    job->questions_asked++;
    pool->on_question(question, pool->message.payload, pool->message.len, job->ctx, pool->question_ctx);
}

void worker_question_answer(struct worker_question **question, const void *reply, size_t len)
{
    assert(len <= IPC_PAYLOAD_MAX);
    struct slot *slot = (*question)->slot;
    free(*question);
    *question = NULL;
    if (slot == NULL)
        return;
    slot->job->question = NULL;
    /* It waits for this, so there is room, unless it does not read at all or has ended. */
    if (slot->state == SLOT_BUSY && ipc_send(slot->socket, WORKER_REPLY, reply, len, NULL, 0) != 1)
        slot_condemn(slot, WORKER_CRASHED, NULL);
}

bool worker_question_is_open(const struct worker_question *question)
{
    return question->slot != NULL && question->slot->state == SLOT_BUSY;
}

/* ---- what workers say ---- */

/* 1: a well-formed answer or question is in pool->message; 0 nothing; -1 the end, or something that no worker of ours says. */
static int receive_answer(struct slot *slot)
{
    struct ipc_message *message = &slot->pool->message;
    int got = ipc_receive(slot->socket, message);
    if (got == 1 && (message->fd_count > 0 || slot->state != SLOT_BUSY)) {
        ipc_close_fds(message);
        errno = EPROTO;
        return -1;
    }
    return got;
}

static void on_worker_message(int fd, void *arg)
{
    (void)fd;
    struct slot *slot = arg;
    struct worker_pool *pool = slot->pool;
    int got = receive_answer(slot);
    if (got == 0)
        return;
    if (got < 0) {
        slot_condemn(slot, WORKER_CRASHED, errno == EPROTO ? "broke the protocol" : NULL);
        return;
    }
    if (pool->message.type == WORKER_QUESTION) {
        ask_owner(slot);
        return;
    }
    struct job *job = slot->job;
    if (job->question != NULL) { /* an honest one waits for the reply */
        slot_condemn(slot, WORKER_CRASHED, "broke the protocol");
        return;
    }
    slot->job = NULL;
    timer_stop(slot->timer);
    set_state(slot, SLOT_IDLE);
    slot->jobs_done++;
    if (pool->limits.jobs_per_worker > 0 && slot->jobs_done >= pool->limits.jobs_per_worker)
        slot_kill(slot); /* grown old in honour; its job is done */
    pool->answering = slot;
    report_answer(pool, job);
    pool->answering = NULL;
    if (!pool->closed)
        dispatch(pool);
}

/* ---- what the zygote says ---- */

static void on_forked(struct worker_pool *pool, const struct zygote_forked *report)
{
    assert(report->slot < pool->slot_count);
    struct slot *slot = &pool->slots[report->slot];
    if (report->pid < 0) {
        log_error("worker.fork_failed", "error=%s", strerror(-report->pid));
        struct job *none = slot_clear(slot);
        assert(none == NULL);
        (void)none;
        timer_start(pool->restart, pool->restart_ms);
        return;
    }
    pool->restart_ms = RESTART_FIRST_MS;
    slot->pid = report->pid;
    slot->watch = loop_watch_new(pool->loop, slot->socket, on_worker_message, slot);
    set_state(slot, SLOT_IDLE);
    dispatch(pool);
}

static void on_exited(struct worker_pool *pool, const struct zygote_exited *report)
{
    struct slot *slot = NULL;
    for (unsigned i = 0; i < pool->slot_count && slot == NULL; i++) {
        if (pool->slots[i].pid == report->pid)
            slot = &pool->slots[i];
    }
    if (slot == NULL)
        return;
    /* The news may have overtaken the worker's last answer. */
    bool answered = slot->state == SLOT_BUSY && receive_answer(slot) == 1 && slot->job->question == NULL &&
                    pool->message.type != WORKER_QUESTION;
    struct job *job = slot_clear(slot);
    if (job != NULL && answered)
        report_answer(pool, job);
    else if (job != NULL)
        report_failure(pool, job, job->reason, report->status);
    if (!pool->closed)
        dispatch(pool);
}

/* Ends what is left of the zygote; its workers die with it. Their jobs have failed. */
static void lose_zygote(struct worker_pool *pool)
{
    log_error("worker.zygote_lost", "pid=%d", (int)pool->zygote);
    loop_watch_free(&pool->control_watch);
    child_end(pool->zygote, pool->control, 0);
    pool->zygote = 0;
    pool->control = -1;
    timer_start(pool->restart, pool->restart_ms);

    /* First clear all slots, then report: an owner may submit a new job or free the pool when it hears of its old
     * one. */
    struct job *lost = NULL;
    struct job **end = &lost;
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct job *job = pool->slots[i].state != SLOT_EMPTY ? slot_clear(&pool->slots[i]) : NULL;
        if (job != NULL) {
            *end = job;
            end = &job->next;
        }
    }
    while (lost != NULL) {
        struct job *job = lost;
        lost = job->next;
        if (pool->closed)
            job_free(job);
        else
            report_failure(pool, job, job->reason != NULL ? job->reason : "lost with the process that made it", 0);
    }
}

static void on_zygote_message(int fd, void *arg)
{
    struct worker_pool *pool = arg;
    int got = ipc_receive(fd, &pool->message);
    if (got == 0)
        return;
    const struct ipc_message *message = &pool->message;
    if (got == 1 && message->type == ZYGOTE_FORKED && message->len == sizeof(struct zygote_forked)) {
        struct zygote_forked report;
        memcpy(&report, message->payload, sizeof report);
        on_forked(pool, &report);
    } else if (got == 1 && message->type == ZYGOTE_EXITED && message->len == sizeof(struct zygote_exited)) {
        struct zygote_exited report;
        memcpy(&report, message->payload, sizeof report);
        on_exited(pool, &report);
    } else {
        ipc_close_fds(&pool->message);
        lose_zygote(pool);
    }
}

/* ---- timers ---- */

static void on_slot_timer(void *arg)
{
    struct slot *slot = arg;
    if (slot->state == SLOT_BUSY)
        slot_condemn(slot, WORKER_TIMEOUT, "no answer in time");
    else
        lose_zygote(slot->pool); /* it does not report that the worker has ended, so it is broken itself */
}

static int start_zygote(struct worker_pool *pool)
{
    pool->zygote = child_start(pool->program, pool->argv, &pool->control);
    if (pool->zygote < 0) {
        pool->zygote = 0;
        pool->control = -1;
        return -1;
    }
    pool->control_watch = loop_watch_new(pool->loop, pool->control, on_zygote_message, pool);
    log_debug("worker.zygote_started", "pid=%d", (int)pool->zygote);
    return 1;
}

/* The pause after a failure is over. */
static void on_restart(void *arg)
{
    struct worker_pool *pool = arg;
    pool->restart_ms = pool->restart_ms * 2 < RESTART_LONGEST_MS ? pool->restart_ms * 2 : RESTART_LONGEST_MS;
    if (pool->zygote == 0 && start_zygote(pool) < 0) {
        log_error("worker.zygote_not_started", "error=%s", strerror(errno));
        timer_start(pool->restart, pool->restart_ms);
        return;
    }
    dispatch(pool);
}

/* ---- the pool as its owner sees it ---- */

static void destroy(void *arg)
{
    struct worker_pool *pool = arg;
    child_arguments_free(&pool->argv);
    free(pool->program);
    free(pool->slots);
    free(pool);
}

struct worker_pool *worker_pool_new(struct loop *loop, const struct worker_pool_settings *settings)
{
    assert(settings->workers > 0);
    struct worker_pool *pool = xcalloc(1, sizeof *pool);
    pool->loop = loop;
    pool->limits = settings->limits;
    pool->queue_max = settings->queue_max;
    pool->on_question = settings->on_question;
    pool->question_ctx = settings->question_ctx;
    pool->questions_max = settings->questions_max;
    pool->program = xstrdup(settings->program);
    pool->argv = child_arguments_new(settings->arguments);
    pool->waiting_end = &pool->waiting_first;
    pool->restart_ms = RESTART_FIRST_MS;
    if (start_zygote(pool) < 0) {
        int saved = errno;
        destroy(pool);
        errno = saved;
        return NULL;
    }
    pool->restart = timer_new(loop, on_restart, pool);
    pool->slot_count = settings->workers;
    pool->slots = xcalloc(pool->slot_count, sizeof *pool->slots);
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        *slot = (struct slot){ .pool = pool, .state = SLOT_EMPTY, .socket = -1 };
        slot->timer = timer_new(loop, on_slot_timer, slot);
    }
    return pool;
}

void worker_pool_free(struct worker_pool **pool)
{
    struct worker_pool *p = *pool;
    if (p == NULL)
        return;
    *pool = NULL;
    p->closed = true;
    loop_watch_free(&p->control_watch);
    if (p->zygote != 0)
        child_end(p->zygote, p->control, ZYGOTE_GRACE_MS);
    timer_free(&p->restart);
    for (unsigned i = 0; i < p->slot_count; i++) {
        struct slot *slot = &p->slots[i];
        struct job *job = slot->state != SLOT_EMPTY ? slot_clear(slot) : NULL;
        if (job != NULL)
            job_free(job);
        timer_free(&slot->timer);
    }
    while (p->waiting > 0)
        job_free(take_waiting(p));
    /* We may be inside a callback of this very pool. */
    loop_defer(p->loop, destroy, p);
}

int worker_pool_submit(struct worker_pool *pool, const void *request, size_t request_len, const int *fds,
                       size_t fd_count, worker_done *done, void *ctx)
{
    assert(request_len <= IPC_PAYLOAD_MAX && fd_count <= IPC_FDS_MAX);
    if (worker_pool_running(pool) + pool->waiting >= pool->slot_count + pool->queue_max)
        return 0;
    struct job *job = job_new(request, request_len, fds, fd_count);
    if (job == NULL) {
        log_error("worker.no_descriptor", "error=%s", strerror(errno));
        return 0;
    }
    job->done = done;
    job->ctx = ctx;
    *pool->waiting_end = job;
    pool->waiting_end = &job->next;
    pool->waiting++;
    dispatch(pool);
    return 1;
}

void worker_pool_refuse_answer(struct worker_pool *pool)
{
    struct slot *slot = pool->answering;
    pool->crashes++;
    pool->answering = NULL;
    if (slot != NULL && slot->state == SLOT_IDLE) /* else it is gone, or going, already */
        slot_kill(slot);
}

unsigned worker_pool_waiting(const struct worker_pool *pool)
{
    return pool->waiting;
}

unsigned worker_pool_running(const struct worker_pool *pool)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->slot_count; i++)
        count += pool->slots[i].job != NULL;
    return count;
}

uint64_t worker_pool_crashes(const struct worker_pool *pool)
{
    return pool->crashes;
}
