#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { VARIABLE_MAX = 4096, VARIABLES_MAX = 8 };

/* Secrets like to live in the environment, so the child's is made from nothing. The time zone is fixed because
 * a worker could not open the zone's file; mail is dated in UTC anyway. */
static const struct {
    const char *name;
    const char *value; /* NULL: as here, if set here */
} variables[] = {
    { "TZ", "UTC0" },           { "LC_ALL", "C.UTF-8" },
    { "JOURNAL_STREAM", NULL }, /* how its lines on standard error have to look */
#ifdef POSTERN_SANITIZE
    { "ASAN_OPTIONS", NULL },   { "UBSAN_OPTIONS", NULL },
    { "TSAN_OPTIONS", NULL },
#endif
};
_Static_assert(sizeof variables / sizeof variables[0] < VARIABLES_MAX, "room for the final NULL");

static void free_environment(char *environment[static VARIABLES_MAX])
{
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
}

static void make_environment(char *environment_out[static VARIABLES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = variables[i].value != NULL ? variables[i].value : getenv(variables[i].name);
        if (value == NULL)
            continue;
        struct strbuf text;
        strbuf_init(&text, VARIABLE_MAX);
        strbuf_add_fmt(&text, "%s=%s", variables[i].name, value);
        environment_out[count++] = strbuf_detach(&text);
    }
    environment_out[count] = NULL;
}

/* Gives the errno of the first failure, as the posix_spawn family does. */
static int plan_files(posix_spawn_file_actions_t *files, int socket)
{
    /* The socket first: it may have any number, even that of a standard stream that was closed here. */
    int error = posix_spawn_file_actions_adddup2(files, socket, CHILD_SOCKET_FD);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(files, CHILD_SOCKET_FD + 1);
    return error;
}

/* What the daemon blocks or ignores must not be blocked or ignored in the child. */
static int plan_signals(posix_spawnattr_t *attributes)
{
    sigset_t set;
    sigemptyset(&set);
    int error = posix_spawnattr_setsigmask(attributes, &set);
    sigfillset(&set);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attributes, &set);
    if (error == 0)
        error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
}

/* posix_spawn() and not fork(): the daemon has threads by the time that a child is replaced. */
static int spawn(const char *program, char *const argv[], int socket, pid_t *pid_out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char *environment[VARIABLES_MAX];

    int error = posix_spawn_file_actions_init(&files);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto free_files;
    error = plan_files(&files, socket);
    if (error == 0)
        error = plan_signals(&attributes);
    if (error == 0) {
        make_environment(environment);
        error = posix_spawn(pid_out, program, &files, &attributes, argv, environment);
        free_environment(environment);
    }
    posix_spawnattr_destroy(&attributes);
free_files:
    posix_spawn_file_actions_destroy(&files);
    return error;
}

pid_t child_start(const char *program, char *const argv[], int *socket_out)
{
    int ends[2];
    if (ipc_pair(ends) < 0)
        return -1;
    pid_t pid = -1;
    int error = spawn(program, argv, ends[1], &pid);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        errno = error;
        return -1;
    }
    *socket_out = ends[0];
    return pid;
}

void child_end(pid_t pid, int socket, int grace_ms)
{
    close(socket);
    int exit_watch = pidfd_open(pid, 0);
    struct pollfd ready = { exit_watch, POLLIN, 0 };
    /* An interrupted wait only shortens the grace. */
    if (exit_watch < 0 || poll(&ready, 1, grace_ms) != 1)
        kill(pid, SIGKILL);
    if (exit_watch >= 0)
        close(exit_watch);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

char **child_arguments_new(const char *const *arguments)
{
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    char **argv = xcalloc(count + 2, sizeof *argv);
    argv[0] = xstrdup(program_invocation_name);
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = xstrdup(arguments[i]);
    return argv;
}

void child_arguments_free(char ***arguments)
{
    for (size_t i = 0; *arguments != NULL && (*arguments)[i] != NULL; i++)
        free((*arguments)[i]);
    free(*arguments);
    *arguments = NULL;
}

bool child_has_parent(void)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(CHILD_SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

bool child_settle(void)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP };
    /* A parent that died before this line is noticed by the end of its socket. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) /* executing a program has made it dumpable again */
        return false;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGXFSZ, SIG_DFL); /* it tells whoever started us that a limit was met; the daemon ignores it */
    return true;
}
