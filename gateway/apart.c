/* apart.c - see apart.h */
#include "gateway/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child_output.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/service.h"

enum { ERROR_MAX = 4096, OUT_FD = 3, NOBODY = 65534 };
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

/* Nothing of root's terminal is left to it. Without a session of its own (child_output.h) it could open that as /dev/tty; and its children,
 * for which the filter has no way out of its process group, are in one with it. */
static int leave_files(int out)
{
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
        return strbuf_text(ERROR_MAX, "can't give up privileges: %s", strerror(errno));
    if (getppid() != parent)
        _exit(1);
    return service_lock(&error) < 0 ? error : NULL;
}

struct copy {
    const struct apart_settings *settings;
    apart_work *work;
    void *ctx;
    size_t max; /* octets that it may say */
    pid_t parent;
};

static int be_copy(void *ctx, int out)
{
    const struct copy *copy = ctx;
    struct strbuf said;
    strbuf_init(&said, copy->max);
    log_set_sink(say_nothing, NULL); /* what counts is what it says */
    if (leave_files(out) < 0)
        return EXIT_FAILURE;
    char *error = lock_in(copy->settings, copy->parent);
    if (error)
        strbuf_add_str(&said, error);
    else
        copy->work(copy->ctx, &said);
    bool ok = file_write_all(OUT_FD, said.data, said.len) == 1;
    return !ok ? EXIT_FAILURE : error ? NOT_BEGUN : EXIT_SUCCESS;
}

/* ---- whoever has started it ---- */

int apart_run(const struct apart_settings *settings, apart_work *work, void *ctx, struct strbuf *said_out)
{
    const struct child_output_settings bounds = { .ms = settings->ms > 0 ? settings->ms : CHILD_OUTPUT_NO_LIMIT,
                                                  .tell_ms = settings->tell_ms,
                                                  .tell = settings->tell,
                                                  .has_own_session = true };
    struct copy copy = { settings, work, ctx, said_out->max, getpid() };
    int status;
    enum child_output how = child_output_run(&bounds, be_copy, &copy, said_out, &status);
    const char *error = strerror(errno);
    const bool has_exited = how == CHILD_OUTPUT_ENDED && WIFEXITED(status);
    if (how == CHILD_OUTPUT_TOO_MUCH || (has_exited && WEXITSTATUS(status) == EXIT_SUCCESS))
        return 1;
    if (has_exited && WEXITSTATUS(status) == NOT_BEGUN)
        return -1;
    strbuf_clear(said_out);
    if (how == CHILD_OUTPUT_FAILED)
        strbuf_add_str(said_out, error);
    else if (how == CHILD_OUTPUT_LATE)
        strbuf_add_str(said_out, "no answer in time");
    else if (WIFSIGNALED(status))
        strbuf_add_fmt(said_out, "the process that asks was ended by signal %d", WTERMSIG(status));
    else
        strbuf_add_str(said_out, "the process that asks has ended without a word");
    return -1;
}
