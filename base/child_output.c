#include "base/child_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"

enum {
    PIECE_SIZE = 4096,
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
    WAIT_MAX_MS = 60 * 1000, /* at once: poll() takes an int */
    ENDING_MS = 10 * 1000,
    LOOK_MS = 10
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

struct waiting {
    const struct child_output_settings *settings;
    int64_t begun_at, end_at; /* INT64_MAX: no end */
    int64_t told_at;
};

static void begin_waiting(struct waiting *waiting, const struct child_output_settings *settings)
{
    const int64_t now = now_ms();
    *waiting = (struct waiting){ .settings = settings, .begun_at = now, .end_at = INT64_MAX, .told_at = now };
    if (settings->ms < INT64_MAX - now)
        waiting->end_at = now + settings->ms;
}

/* Tells, when it is time. How long to wait until there is something to do again; 0: the time is over. */
static int go_on_waiting(struct waiting *waiting)
{
    const struct child_output_settings *settings = waiting->settings;
    const int64_t now = now_ms();
    int64_t ms = WAIT_MAX_MS;
    if (now >= waiting->end_at)
        return 0;
    if (settings->tell && now - waiting->told_at >= settings->tell_ms) {
        waiting->told_at = now;
        settings->tell(now - waiting->begun_at);
    }
    if (settings->tell && waiting->told_at + settings->tell_ms - now < ms)
        ms = waiting->told_at + settings->tell_ms - now;
    if (waiting->end_at - now < ms)
        ms = waiting->end_at - now;
    return (int)ms;
}

static enum child_output read_all(struct waiting *waiting, int fd, struct strbuf *said)
{
    char piece[PIECE_SIZE];
    int ms;
    while ((ms = go_on_waiting(waiting)) > 0) {
        struct pollfd readable = { .fd = fd, .events = POLLIN };
        int ready = poll(&readable, 1, ms);
        ssize_t n = ready > 0 ? read(fd, piece, sizeof piece) : -1;
        if (n == 0)
            return CHILD_OUTPUT_ENDED;
        if (n > 0)
            strbuf_add(said, piece, (size_t)n);
        else if (ready != 0 && errno != EINTR)
            return CHILD_OUTPUT_FAILED;
        if (!waiting->settings->may_say_more && !strbuf_ok(said))
            return CHILD_OUTPUT_TOO_MUCH;
    }
    return CHILD_OUTPUT_LATE;
}

/* A zombie stays one: its number must be its own while it may be killed. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = { .si_pid = 0 };
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

/* Who has closed its output need not end. A kernel without pidfd_open(), or a filter, does not tell when it does: then we look. */
static bool ends_in_time(struct waiting *waiting, pid_t pid)
{
    struct pollfd exit_watch = { .fd = pidfd_open(pid, 0), .events = POLLIN };
    bool ended;
    int ms;
    if (waiting->end_at == INT64_MAX)
        waiting->end_at = now_ms() + ENDING_MS;
    while (!(ended = has_ended(pid)) && (ms = go_on_waiting(waiting)) > 0)
        (void)poll(&exit_watch, 1, exit_watch.fd < 0 && ms > LOOK_MS ? LOOK_MS : ms);
    if (exit_watch.fd >= 0)
        close(exit_watch.fd);
    return ended;
}

/* errno is that of reading. */
static enum child_output settle(struct waiting *waiting, pid_t pid, enum child_output how, int *status_out)
{
    int error = errno;
    if (how == CHILD_OUTPUT_ENDED && !ends_in_time(waiting, pid))
        how = CHILD_OUTPUT_LATE;
    kill(pid, SIGKILL); /* who has ended keeps its status */
    if (waiting->settings->has_own_session)
        (void)kill(-pid, SIGKILL); /* it may have been too early for that: there is none yet, and nobody in it */
    pid_t reaped;
    while ((reaped = waitpid(pid, status_out, 0)) < 0 && errno == EINTR)
        ;
    if (reaped < 0) {
        how = CHILD_OUTPUT_FAILED;
        error = errno;
    }
    errno = error;
    return how;
}

static _Noreturn void be_child(const struct child_output_settings *settings, child_output_work *work, void *ctx,
                               const int ends[static 2])
{
    close(ends[0]);
    if (settings->has_own_session && setsid() < 0)
        _exit(EXIT_FAILURE);
    _exit(work(ctx, ends[1]));
}

static enum child_output run(const struct child_output_settings *settings, child_output_work *work, void *ctx,
                             struct strbuf *said, int *status_out)
{
    int ends[2];
    struct waiting waiting;
    begin_waiting(&waiting, settings);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return CHILD_OUTPUT_FAILED;
    pid_t pid = fork();
    if (pid == 0)
        be_child(settings, work, ctx, ends);
    int error = errno;
    close(ends[1]);
    enum child_output how = CHILD_OUTPUT_FAILED;
    if (pid > 0) {
        how = settle(&waiting, pid, read_all(&waiting, ends[0], said), status_out);
        error = errno;
    }
    close(ends[0]);
    errno = error;
    return how;
}

enum child_output child_output_run(const struct child_output_settings *settings, child_output_work *work, void *ctx,
                                   struct strbuf *said, int *status_out)
{
    const struct sigaction by_default = { .sa_handler = SIG_DFL };
    struct sigaction before;
    *status_out = 0;
    if (sigaction(SIGCHLD, &by_default, &before) < 0)
        return CHILD_OUTPUT_FAILED;
    enum child_output how = run(settings, work, ctx, said, status_out);
    int error = errno;
    (void)sigaction(SIGCHLD, &before, NULL);
    errno = error;
    return how;
}
