/* The child's side: the zygote, and the workers that it forks. One thread each. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/child.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/worker.h"
#include "base/worker_protocol.h"
#include "base/worker_sandbox.h"
#include "base/xmalloc.h"

struct zygote {
    const struct worker_program *program;
    int exits;       /* signalfd for SIGCHLD */
    pid_t *children; /* forked and not reaped: these pids are ours for certain */
    size_t child_count;
    size_t child_capacity;
    struct ipc_message message; /* the last one received */
};

/* ---- the worker ---- */

/* What it writes to standard error would reach the log, and could forge lines there. */
static void silence_errors(void)
{
#ifndef POSTERN_SANITIZE
    dup2(STDOUT_FILENO, STDERR_FILENO); /* the pool made it /dev/null */
#endif
}

/* What a job leaves where nothing is freed. The next may be in a stranger's hands, who is not to find who wrote what before. A function of
 * its own, so that its array is where those of the job were. */
__attribute__((noinline)) static void forget_job(struct ipc_message *job, uint8_t *answer, size_t answer_len)
{
    uint8_t stack[256 * 1024];
    explicit_bzero(stack, sizeof stack);
    explicit_bzero(job->payload, job->len);
    explicit_bzero(answer, answer_len);
}

static _Noreturn void serve_jobs(const struct worker_program *program, unsigned cpu_seconds)
{
    struct ipc_message *job = xmalloc(sizeof *job);
    uint8_t *answer = xmalloc(IPC_PAYLOAD_MAX);

    while (ipc_receive(WORKER_SOCKET_FD, job) == 1 && job->type == WORKER_JOB) {
        worker_sandbox_renew_cpu(cpu_seconds);
        size_t answer_len = 0;
        int32_t code = program->handle(job->payload, job->len, job->fds, job->fd_count, answer, &answer_len);
        ipc_close_fds(job);
        if (answer_len > IPC_PAYLOAD_MAX || code == WORKER_CODE_RESERVED)
            abort(); /* has written past the end of the buffer, or would be mistaken for a question */
        if (ipc_send(WORKER_SOCKET_FD, (uint32_t)code, answer, answer_len, NULL, 0) != 1)
            break;
        forget_job(job, answer, answer_len);
    }
    _exit(EX_OK); /* the pool is gone */
}

void worker_ask(const void *request, size_t len, void *reply_out, size_t *reply_len_out)
{
    struct ipc_message *reply = xmalloc(sizeof *reply);
    if (ipc_send(WORKER_SOCKET_FD, WORKER_QUESTION, request, len, NULL, 0) != 1 ||
        ipc_receive(WORKER_SOCKET_FD, reply) != 1 || reply->type != WORKER_REPLY)
        _exit(EX_OK); /* the pool is gone */
    memcpy(reply_out, reply->payload, reply->len);
    *reply_len_out = reply->len;
    free(reply);
}

static _Noreturn void run_worker(const struct worker_program *program, const struct worker_limits *limits, int socket,
                                 pid_t zygote)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != zygote) /* it may have died before the prctl() */
        _exit(EX_OSERR);

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    /* Above all the zygote's own socket must go: who holds it can have processes forked. */
    if (dup2(socket, WORKER_SOCKET_FD) < 0 || close_range(WORKER_SOCKET_FD + 1, ~0U, 0) < 0)
        _exit(EX_OSERR);
    if (worker_sandbox_enter(limits) < 0)
        _exit(EX_OSERR);
    silence_errors();
    serve_jobs(program, limits->cpu_seconds);
}

/* ---- the zygote ---- */

/* The pool is gone or wants an end of it. No worker is left when this returns to nobody. */
static _Noreturn void end_zygote(const struct zygote *zygote, int status)
{
    for (size_t i = 0; i < zygote->child_count; i++)
        kill(zygote->children[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    _exit(status);
}

static void tell_pool(const struct zygote *zygote, enum zygote_message_type type, const void *payload, size_t len)
{
    if (ipc_send(WORKER_SOCKET_FD, type, payload, len, NULL, 0) != 1)
        end_zygote(zygote, EX_OK);
}

static void remember_child(struct zygote *zygote, pid_t pid)
{
    if (zygote->child_count == zygote->child_capacity) {
        zygote->child_capacity = zygote->child_capacity * 2 + 8;
        zygote->children = xreallocarray(zygote->children, zygote->child_capacity, sizeof *zygote->children);
    }
    zygote->children[zygote->child_count++] = pid;
}

/* Returns the position, or child_count. */
static size_t find_child(const struct zygote *zygote, pid_t pid)
{
    size_t i = 0;
    while (i < zygote->child_count && zygote->children[i] != pid)
        i++;
    return i;
}

static void fork_worker(struct zygote *zygote)
{
    struct zygote_fork request;
    if (zygote->message.len != sizeof request || zygote->message.fd_count != 1)
        end_zygote(zygote, EX_PROTOCOL);
    memcpy(&request, zygote->message.payload, sizeof request);

    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        run_worker(zygote->program, &request.limits, zygote->message.fds[0], self);

    struct zygote_forked report = { .slot = (uint32_t)request.slot, .pid = pid > 0 ? pid : -errno };
    ipc_close_fds(&zygote->message);
    if (pid > 0)
        remember_child(zygote, pid);
    tell_pool(zygote, ZYGOTE_FORKED, &report, sizeof report);
}

static void kill_worker(const struct zygote *zygote)
{
    struct zygote_kill request;
    if (zygote->message.len != sizeof request)
        end_zygote(zygote, EX_PROTOCOL);
    memcpy(&request, zygote->message.payload, sizeof request);
    if (find_child(zygote, request.pid) < zygote->child_count)
        kill(request.pid, SIGKILL);
}

static void on_pool_message(struct zygote *zygote)
{
    if (ipc_receive(WORKER_SOCKET_FD, &zygote->message) != 1)
        end_zygote(zygote, EX_OK);
    if (zygote->message.type == ZYGOTE_FORK)
        fork_worker(zygote);
    else if (zygote->message.type == ZYGOTE_KILL)
        kill_worker(zygote);
    else
        end_zygote(zygote, EX_PROTOCOL);
}

static void on_exits(struct zygote *zygote)
{
    /* Many exits may be one signal, so its details say nothing. */
    struct signalfd_siginfo unused;
    (void)!read(zygote->exits, &unused, sizeof unused);

    struct zygote_exited report;
    while ((report.pid = waitpid(-1, &report.status, WNOHANG)) > 0) {
        size_t i = find_child(zygote, report.pid);
        if (i < zygote->child_count)
            zygote->children[i] = zygote->children[--zygote->child_count];
        tell_pool(zygote, ZYGOTE_EXITED, &report, sizeof report);
    }
}

/* Everything that must hold before the first fork. The workers inherit it. */
static bool become_zygote(struct zygote *zygote)
{
    if (!child_settle())
        return false;
    sigset_t exits;
    sigemptyset(&exits);
    sigaddset(&exits, SIGCHLD);
    sigprocmask(SIG_BLOCK, &exits, NULL);
    zygote->exits = signalfd(-1, &exits, SFD_CLOEXEC | SFD_NONBLOCK);
    return zygote->exits >= 0;
}

_Noreturn void worker_main(const struct worker_program *program)
{
    if (!child_has_parent()) {
        log_error("worker.no_pool", "reason=%s", "these arguments are for the program's own use");
        _exit(EX_USAGE);
    }
    struct zygote *zygote = xcalloc(1, sizeof *zygote);
    zygote->program = program;
    if (!become_zygote(zygote)) {
        log_error("worker.zygote_failed", "error=%s", strerror(errno));
        _exit(EX_OSERR);
    }
#ifdef POSTERN_SANITIZE
    log_warning("worker.sandbox_incomplete", "reason=%s", "built with sanitizers: no memory limit, no seccomp");
#endif
    if (program->prepare != NULL)
        program->prepare();

    for (;;) {
        struct pollfd ready[] = { { WORKER_SOCKET_FD, POLLIN, 0 }, { zygote->exits, POLLIN, 0 } };
        if (poll(ready, 2, -1) < 0)
            continue; /* interrupted */
        if (ready[1].revents != 0)
            on_exits(zygote);
        if (ready[0].revents != 0)
            on_pool_message(zygote);
    }
}
