/* apart.c - see apart.h */
#include "gateway/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/service.h"

enum { PIECE_SIZE = 4096, MS_PER_S = 1000, NS_PER_MS = 1000 * 1000, OUT_FD = 3, NOBODY = 65534 };
enum { LOOK_MS = 60 * 1000, ENDING_MS = 10 * 1000 /* of who has said all, and had no limit */ };
/* How it ends when it could not be locked in; what it has said is why. */
enum { NOT_BEGUN = 77 };

static void choose_nobody(struct apart_settings *settings)
{
    const struct passwd *entry = getpwnam("nobody");
    const bool is_there = entry && entry->pw_uid != 0;
    settings->uid = is_there ? entry->pw_uid : NOBODY;
    settings->gid = is_there ? entry->pw_gid : NOBODY;
}

void apart_choose(const struct config *config, struct apart_settings *settings)
{
    struct stat folder;
    const struct passwd *entry = config && config->user ? getpwnam(config->user) : NULL;
    if (entry) {
        settings->uid = entry->pw_uid;
        settings->gid = entry->pw_gid;
    } else if (config && !config->user && stat(config->state_dir, &folder) == 0) {
        settings->uid = folder.st_uid;
        settings->gid = folder.st_gid;
    } else {
        choose_nobody(settings);
    }
}

/* ---- the copy ---- */

static void say_nothing(enum log_level level, const char *line, void *ctx)
{
    (void)level;
    (void)line;
    (void)ctx;
}

static int become(const struct apart_settings *settings, char **error_out)
{
    *error_out = NULL;
    if (geteuid() != 0)
        return 1;
    if (settings->uid != 0)
        sandbox_lower_bounds();
    return service_act_as(settings->uid, settings->gid, true, error_out);
}

/* Nothing of root's terminal is left to it. Without a session of its own it could open that as /dev/tty; and its children, for which the
 * filter has no way out of its process group, are in one with it. */
static int leave_files(int out)
{
    if (setsid() < 0)
        return -1;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0)
        return -1;
#ifndef POSTERN_SANITIZE
    if (dup2(nothing, STDERR_FILENO) < 0)
        return -1;
#endif
    if (out != OUT_FD && dup2(out, OUT_FD) < 0)
        return -1;
    return close_range(OUT_FD + 1, ~0U, 0);
}

static int limit_files(void)
{
#ifdef POSTERN_SANITIZE
    return 1; /* a report is a file */
#else
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) /* Landlock wants it first */
        return -1;
    return sandbox_limit(RLIMIT_FSIZE, 0) < 0 ? -1 : sandbox_change_no_files();
#endif
}

/* NULL: done. */
static char *lock_in(const struct apart_settings *settings, pid_t parent)
{
    char *error = NULL;
    signal(SIGXFSZ, SIG_IGN); /* a write that fails has a message */
    if (become(settings, &error) < 0)
        return error;
    /* After that: whoever becomes somebody else loses it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || (!settings->works_on_files && limit_files() < 0))
        return strbuf_text(PIECE_SIZE, "can't give up privileges: %s", strerror(errno));
    if (getppid() != parent)
        _exit(1);
    return service_lock(&error) < 0 ? error : NULL;
}

static _Noreturn void be_copy(const struct apart_settings *settings, apart_work *work, void *ctx, int out, size_t max,
                              pid_t parent)
{
    struct strbuf said;
    strbuf_init(&said, max);
    log_set_sink(say_nothing, NULL); /* what counts is what it says */
    if (leave_files(out) < 0)
        _exit(1);
    char *error = lock_in(settings, parent);
    if (error)
        strbuf_add_str(&said, error);
    else
        work(ctx, &said);
    bool ok = file_write_all(OUT_FD, said.data, said.len) == 1;
    _exit(!ok ? 1 : error ? NOT_BEGUN : 0);
}

/* ---- whoever has started it ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

struct waiting {
    const struct apart_settings *settings;
    int64_t begun_at, end_at; /* INT64_MAX: no end */
    int64_t told_at;
};

/* Tells, when it is time. How long to wait until there is something to do again; 0: the time is over. */
static int go_on_waiting(struct waiting *waiting)
{
    const struct apart_settings *settings = waiting->settings;
    int64_t now = now_ms(), ms = LOOK_MS;
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

/* 1: to its end; 0: it says more than there is room for; -1: not in time. */
static int read_said(int fd, struct waiting *waiting, struct strbuf *said)
{
    char piece[PIECE_SIZE];
    int left;
    while ((left = go_on_waiting(waiting)) > 0) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int ready = poll(&wait, 1, left);
        ssize_t n = ready > 0 ? read(fd, piece, sizeof piece) : -1;
        if (n == 0)
            return 1;
        if (n > 0)
            strbuf_add(said, piece, (size_t)n);
        else if (ready > 0 && errno != EINTR)
            return -1;
        if (!strbuf_ok(said))
            return 0;
    }
    return -1;
}

/* Who has said everything need not end: somebody else may have taken it over. */
static bool ends_in_time(pid_t pid, int64_t end)
{
    struct pollfd wait = { .fd = pidfd_open(pid, 0), .events = POLLIN };
    int64_t left;
    int ready = 0;
    while (wait.fd >= 0 && ready <= 0 && (left = end - now_ms()) > 0)
        ready = poll(&wait, 1, (int)left);
    if (wait.fd >= 0)
        close(wait.fd);
    return ready > 0;
}

static int settle(pid_t pid, int reading, int64_t end, struct strbuf *said)
{
    int status = 0;
    if (reading == 1 && !ends_in_time(pid, end))
        reading = -1;
    (void)kill(-pid, SIGKILL); /* whatever it has started, too */
    if (reading != 1)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (reading == 0 || (reading == 1 && WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return 1;
    if (reading == 1 && WIFEXITED(status) && WEXITSTATUS(status) == NOT_BEGUN)
        return -1;
    strbuf_clear(said);
    if (reading < 0)
        strbuf_add_str(said, "no answer in time");
    else if (WIFSIGNALED(status))
        strbuf_add_fmt(said, "the process that asks was ended by signal %d", WTERMSIG(status));
    else
        strbuf_add_str(said, "the process that asks has ended without a word");
    return -1;
}

int apart_run(const struct apart_settings *settings, apart_work *work, void *ctx, struct strbuf *said_out)
{
    int ends[2];
    const pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0) {
        strbuf_add_str(said_out, strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0)
        be_copy(settings, work, ctx, ends[1], said_out->max, parent);
    close(ends[1]);
    if (pid < 0)
        strbuf_add_str(said_out, strerror(errno));
    const int64_t now = now_ms();
    struct waiting waiting = { .settings = settings, .begun_at = now, .end_at = INT64_MAX, .told_at = now };
    if (settings->ms > 0)
        waiting.end_at = now + settings->ms;
    int reading = pid < 0 ? -1 : read_said(ends[0], &waiting, said_out);
    int64_t end = settings->ms > 0 ? waiting.end_at : now_ms() + ENDING_MS;
    int result = pid < 0 ? -1 : settle(pid, reading, end, said_out);
    close(ends[0]);
    return result;
}
