/* run_program.c - see run_program.h */
#include "gateway/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum {
    PIECE_SIZE = 4096,
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
    NOT_THERE = 127,
    PATH_MAX_LEN = 8192,
    LOOK_MS = 10
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* execvp() takes them as if it could change them. */
static _Noreturn void become(const char *const *argv, int out, bool errors_too)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    const char *path = getenv("PATH");
    struct strbuf longer;
    strbuf_init(&longer, PATH_MAX_LEN);
    strbuf_add_fmt(&longer, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    if (strbuf_ok(&longer) && nothing >= 0 && setenv("PATH", longer.data, 1) == 0 && setenv("LC_ALL", "C", 1) == 0 &&
        dup2(nothing, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(errors_too ? out : nothing, STDERR_FILENO) >= 0)
        execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(NOT_THERE);
}

/* Until its output ends. false: not in time. */
static bool read_output(int fd, int64_t end, struct strbuf *out)
{
    char piece[PIECE_SIZE];
    int64_t left;
    while ((left = end - now_ms()) > 0) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int ready = poll(&wait, 1, (int)left);
        ssize_t n = ready > 0 ? read(fd, piece, sizeof piece) : -1;
        if (n > 0)
            strbuf_add(out, piece, (size_t)n);
        else if (n == 0)
            return true;
        else if (ready < 0 && errno != EINTR)
            return false;
    }
    return false;
}

static int wait_for(pid_t pid, int64_t end)
{
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() >= end) {
            kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, LOOK_MS);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) != NOT_THERE ? WEXITSTATUS(status) : -1;
}

int run_program(const char *const *argv, int64_t ms, bool errors_too, struct strbuf *out)
{
    int ends[2];
    const int64_t end = now_ms() + ms;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        become(argv, ends[1], errors_too);
    close(ends[1]);
    bool is_read = pid > 0 && read_output(ends[0], end, out);
    close(ends[0]);
    if (pid < 0)
        return -1;
    return wait_for(pid, is_read ? end : 0);
}
