/* faults_steps.c - numbered steps: which there are, and what happens at the one that a test has chosen; see faults.h */
#include "tests/e2e/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_MAX = 16000 };

/* The file that POSTERN_FAULT_CONTROL names, which the test has mapped too. */
struct control {
    _Atomic int64_t first, last; /* the steps at which it happens; 0: none, and nothing is counted */
    int64_t action, argument;
    int64_t kinds, places; /* bits: which count */
    _Atomic int64_t seen;  /* steps so far */
    _Atomic int64_t hits;
    int64_t silo_port, relay_port, smtp_port, lmtp_port;
    uint8_t steps[STEPS_MAX][2]; /* kind and place of each */
};

static struct control *control;
static const char *root;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("POSTERN_FAULT_CONTROL");
    root = getenv("POSTERN_FAULT_ROOT");
    if (!path || !root || strcmp(program_invocation_short_name, "posternd") != 0)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        abort(); /* or a test would believe that nothing goes wrong */
    control = memory;
    close(fd);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

enum fault_place fault_place_of_path(const char *path)
{
    if (!control || strncmp(path, root, strlen(root)) != 0)
        return FAULT_NOWHERE;
    const char *rest = path + strlen(root);
    if (!*rest)
        return FAULT_STATE; /* the folder itself, which is synced for the names in it */
    if (strstr(rest, "/mail-out"))
        return FAULT_MAILDIR;
    if (!strstr(rest, "/gateway") || ends_with(rest, "-shm") || ends_with(rest, ".lock") || ends_with(rest, "/control"))
        return FAULT_NOWHERE; /* what others than the daemon write, and what is made anew at each start */
    if (strstr(rest, "/content"))
        return FAULT_CONTENT;
    return ends_with(rest, "-wal") ? FAULT_LOG : ends_with(rest, "/postern.db") ? FAULT_DATABASE : FAULT_STATE;
}

enum fault_place fault_place_of_fd(int fd, char path_out[static FAULT_PATH_SIZE])
{
    char link[64];
    if (!control)
        return FAULT_NOWHERE;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path_out, FAULT_PATH_SIZE - 1);
    if (len <= 0)
        return FAULT_NOWHERE;
    path_out[len] = 0;
    return fault_place_of_path(path_out);
}

static int port_of(int fd, int (*ask)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    if (ask(fd, (struct sockaddr *)&address, &len) != 0 || address.sin_family != AF_INET)
        return 0;
    return ntohs(address.sin_port);
}

enum fault_place fault_place_of_socket(int fd)
{
    int error = errno;
    if (!control)
        return FAULT_NOWHERE;
    int peer = port_of(fd, getpeername), own = peer ? port_of(fd, getsockname) : 0;
    errno = error;
    if (!peer)
        return FAULT_NOWHERE;
    if (own == control->smtp_port || own == control->lmtp_port)
        return FAULT_SMTP_IN;
    return peer == control->silo_port ? FAULT_TMTP : peer == control->relay_port ? FAULT_SMTP_OUT : FAULT_NOWHERE;
}

static void wait_ms(int64_t ms)
{
    struct timespec rest = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

/* What this step, which counts, has coming. */
static enum fault_action choose_action(enum fault_kind kind, enum fault_place place)
{
    if (!control || place == FAULT_NOWHERE || control->first == 0 || !(control->kinds >> kind & 1) ||
        !(control->places >> place & 1))
        return FAULT_NOTHING;
    int64_t number = atomic_fetch_add(&control->seen, 1) + 1;
    if (number <= STEPS_MAX) {
        control->steps[number - 1][0] = (uint8_t)kind;
        control->steps[number - 1][1] = (uint8_t)place;
    }
    if (number < control->first || number > control->last)
        return FAULT_NOTHING;
    atomic_fetch_add(&control->hits, 1);
    return (enum fault_action)control->action;
}

bool fault_begin(struct fault_step *step, enum fault_kind kind, enum fault_place place)
{
    *step = (struct fault_step){ .action = choose_action(kind, place), .kind = kind, .place = place };
    switch (step->action) {
    case FAULT_KILL_BEFORE:
        raise(SIGKILL);
        break;
    case FAULT_FAIL:
        errno = kind == FAULT_SEND ? ECONNRESET : (int)control->argument;
        return false;
    case FAULT_DELAY:
        wait_ms(control->argument);
        break;
    default:
        break;
    }
    return true;
}

void fault_end(const struct fault_step *step)
{
    if (step->action == FAULT_KILL_AFTER)
        raise(SIGKILL);
}
