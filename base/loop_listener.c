#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/loop_address.h"
#include "base/loop_internal.h"
#include "base/xmalloc.h"

enum {
    BACKLOG = 1024,
    ACCEPTS_PER_TURN = 64, /* so that a flood of connections cannot starve those that are open */
    PAUSE_AFTER_ERROR_MS = 1000,
    UNIX_SOCKET_MODE = 0660,
};

struct loop_listener {
    struct loop *loop;
    struct event event;
    struct timer *recovery; /* runs while accepting is suspended after an error */
    int fd;
    char *address;
    char *path; /* of a unix socket: removed at the end; else NULL */
    void (*on_accept)(int fd, const char *peer, void *arg);
    void *arg;
    bool paused; /* by the owner */
    bool freed;  /* waits for the end of the turn */
};

/* Why the last loop_listener_new() of this thread failed (see loop.h). */
static _Thread_local char error_text[256];

static __attribute__((format(printf, 2, 3))) struct loop_listener *fail(const char **error_out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error_text, sizeof error_text, fmt, args);
    va_end(args);
    *error_out = error_text;
    return NULL;
}

static void update_event(struct loop_listener *listener)
{
    if (listener->paused || timer_is_running(listener->recovery))
        event_del(&listener->event);
    else if (event_add(&listener->event, NULL) != 0)
        abort();
}

static void recovered(void *arg)
{
    update_event(arg);
}

/* Errors that concern one connection, which is gone: the next one may be fine. */
static bool is_passing(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == EHOSTUNREACH ||
           error == ENETUNREACH || error == EPERM;
}

static void accept_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct loop_listener *listener = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->paused && !listener->freed; i++) {
        struct loop_address peer = { .len = sizeof peer.storage };
        int connection = accept4(fd, (struct sockaddr *)&peer.storage, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection < 0 && is_passing(errno))
            continue;
        if (connection < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (connection < 0) {
            /* Out of descriptors or memory: the connection stays in the backlog and would wake us up at once again. */
            log_error("loop.accept_failed", "address=%s error=%s pause_ms=%d", listener->address, strerror(errno),
                      PAUSE_AFTER_ERROR_MS);
            timer_start(listener->recovery, PAUSE_AFTER_ERROR_MS);
            update_event(listener);
            return;
        }
        char peer_text[LOOP_ADDRESS_TEXT_SIZE];
        loop_address_format(&peer, peer_text);
        listener->on_accept(connection, peer_text, listener->arg);
    }
}

/* A socket file that nobody listens on any more is in the way of bind(); one in use is not ours to take. */
static int remove_stale_socket(const struct loop_address *address, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 1 : -1;
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return -1;
    int result = connect(probe, (const struct sockaddr *)&address->storage, address->len);
    int error = errno;
    close(probe);
    if (result != 0 && error == ECONNREFUSED)
        return unlink(path) == 0 ? 1 : -1;
    errno = result == 0 || error == EAGAIN ? EADDRINUSE : error;
    return -1;
}

static int bind_path(int fd, const struct loop_address *address, const char *path)
{
    if (remove_stale_socket(address, path) < 0)
        return -1;
    /* Born without any permission and opened up before listen(): nobody gets in by a wider umask. */
    mode_t old = umask(0777);
    int result = bind(fd, (const struct sockaddr *)&address->storage, address->len);
    umask(old);
    return result == 0 && chmod(path, UNIX_SOCKET_MODE) == 0 ? 1 : -1;
}

static int bind_ip(int fd, const struct loop_address *address)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* restart while old connections linger */
    return bind(fd, (const struct sockaddr *)&address->storage, address->len) == 0 ? 1 : -1;
}

/* A listening descriptor, or -1 with errno. */
static int open_socket(const struct loop_address *address, const char *path)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int bound = path != NULL ? bind_path(fd, address, path) : bind_ip(fd, address);
    if (bound < 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* The text of the address that was really bound: port 0 has become a number. */
static char *bound_address(int fd, const char *asked)
{
    struct loop_address bound = { .len = sizeof bound.storage };
    char text[LOOP_ADDRESS_TEXT_SIZE];
    if (getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len) != 0 || bound.storage.ss_family == AF_UNIX)
        return xstrdup(asked);
    loop_address_format(&bound, text);
    return xstrdup(text);
}

struct loop_listener *loop_listener_adopt(struct loop *loop, int fd, const char *address,
                                          void (*on_accept)(int fd, const char *peer, void *arg), void *arg)
{
    struct loop_listener *listener = xcalloc(1, sizeof *listener);
    listener->loop = loop;
    listener->fd = fd;
    listener->address = bound_address(fd, address);
    listener->on_accept = on_accept;
    listener->arg = arg;
    listener->recovery = timer_new(loop, recovered, listener);
    if (event_assign(&listener->event, loop->base, fd, EV_READ | EV_PERSIST, accept_ready, listener) != 0)
        abort();
    update_event(listener);
    return listener;
}

struct loop_listener *loop_listener_new(struct loop *loop, const char *address,
                                        void (*on_accept)(int fd, const char *peer, void *arg), void *arg,
                                        const char **error_out)
{
    struct loop_address parsed;
    char host[LOOP_ADDRESS_HOST_SIZE], port[LOOP_ADDRESS_PORT_SIZE];
    if (loop_address_parse(address, &parsed, host, port) != LOOP_ADDRESS_READY)
        return fail(error_out, "%s: not an address to listen on (expected ADDR:PORT, [ADDR6]:PORT or unix:PATH)",
                    address);
    const char *path = parsed.storage.ss_family == AF_UNIX ? address + strlen("unix:") : NULL;
    int fd = open_socket(&parsed, path);
    if (fd < 0)
        return fail(error_out, "%s: %s", address, strerror(errno));

    struct loop_listener *listener = loop_listener_adopt(loop, fd, address, on_accept, arg);
    listener->path = path == NULL ? NULL : xstrdup(path);
    return listener;
}

const char *loop_listener_address(const struct loop_listener *listener)
{
    return listener->address;
}

void loop_listener_pause(struct loop_listener *listener, bool paused)
{
    listener->paused = paused;
    update_event(listener);
}

static void release(void *arg)
{
    struct loop_listener *listener = arg;
    free(listener->address);
    free(listener->path);
    free(listener);
}

void loop_listener_free(struct loop_listener **listener)
{
    struct loop_listener *l = *listener;
    if (l == NULL)
        return;
    *listener = NULL;
    event_del(&l->event);
    timer_free(&l->recovery);
    close(l->fd);
    if (l->path != NULL)
        unlink(l->path);
    l->freed = true;
    loop_defer(l->loop, release, l); /* it may be in the middle of on_accept */
}
