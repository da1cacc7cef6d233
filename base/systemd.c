#include "base/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/loop_address.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { FIRST_FD = 3, FDS_MAX = 64, NAME_MAX_BYTES = 255, PATH_PREFIX_MAX = 128 };

int systemd_notify_open(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void systemd_notify_by(int fd, const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (fd < 0 || !path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = 0; /* abstract */
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
                  len); /* nobody to tell of a failure */
}

void systemd_notify(const char *state)
{
    if (!getenv("NOTIFY_SOCKET"))
        return;
    int fd = systemd_notify_open();
    systemd_notify_by(fd, state);
    if (fd >= 0)
        close(fd);
}

void systemd_notify_reloading(void)
{
    struct timespec now;
    struct strbuf state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    strbuf_init(&state, 100);
    strbuf_add_fmt(&state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                   (int64_t)now.tv_sec * 1000 * 1000 + now.tv_nsec / 1000);
    systemd_notify(state.data);
    strbuf_free(&state);
}

/* A whole number from the environment; -1: not there, or something else. */
static int64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    if (!text || !*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
        return -1;
    return strtoll(text, NULL, 10);
}

int64_t systemd_watchdog_ms(void)
{
    int64_t usec = number_of("WATCHDOG_USEC");
    bool is_ours = !getenv("WATCHDOG_PID") || number_of("WATCHDOG_PID") == getpid();
    if (usec <= 0 || !is_ours)
        return 0;
    return usec < 1000 ? 1 : usec / 1000;
}

struct passed {
    int fd; /* -1: taken */
    char *name;
    char *address; /* as in a configuration */
};

struct systemd_sockets {
    struct passed list[FDS_MAX];
    size_t count;
};

void systemd_sockets_free(struct systemd_sockets **sockets)
{
    if (!*sockets)
        return;
    for (size_t i = 0; i < (*sockets)->count; i++) {
        if ((*sockets)->list[i].fd >= 0)
            close((*sockets)->list[i].fd);
        free((*sockets)->list[i].name);
        free((*sockets)->list[i].address);
    }
    free(*sockets);
    *sockets = NULL;
}

/* "unix:/path" or "ADDR:PORT"; NULL: it is bound to nothing that a configuration can name. */
static char *bound_to(int fd)
{
    struct loop_address bound = { .len = sizeof bound.storage };
    char text[LOOP_ADDRESS_TEXT_SIZE];
    if (getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len) != 0)
        return NULL;
    if (bound.storage.ss_family == AF_INET || bound.storage.ss_family == AF_INET6) {
        loop_address_format(&bound, text);
        return xstrdup(text);
    }
    const struct sockaddr_un *local = (const struct sockaddr_un *)&bound.storage;
    if (bound.storage.ss_family != AF_UNIX || bound.len <= offsetof(struct sockaddr_un, sun_path) ||
        !local->sun_path[0])
        return NULL;
    struct strbuf path;
    strbuf_init(&path, PATH_PREFIX_MAX);
    strbuf_add_fmt(&path, "unix:%.*s", (int)(bound.len - offsetof(struct sockaddr_un, sun_path)), local->sun_path);
    return strbuf_detach(&path);
}

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* Takes over fd in any case. */
static int add_socket(struct systemd_sockets *sockets, int fd, const char *name, size_t name_len, char **error_out)
{
    struct passed *passed = &sockets->list[sockets->count++];
    *passed = (struct passed){ .fd = fd, .name = xstrndup(name, name_len), .address = bound_to(fd) };
    int flags = fcntl(fd, F_GETFL);
    if (passed->address && option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 1 && flags >= 0 &&
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        return 1;
    struct strbuf text;
    strbuf_init(&text, 500);
    strbuf_add_fmt(&text,
                   "socket activation: descriptor %d (\"%.*s\") is not a listening TCP or unix stream socket; a socket "
                   "unit for posternd has ListenStream= and no Accept=yes",
                   fd, (int)name_len, name);
    *error_out = strbuf_detach(&text);
    return -1;
}

static int add_all(struct systemd_sockets *sockets, size_t count, const char *names, char **error_out)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(names, ":");
        if (add_socket(sockets, FIRST_FD + (int)i, names, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES, error_out) < 0)
            return -1;
        names += len + (names[len] == ':');
    }
    return 1;
}

struct systemd_sockets *systemd_sockets_new(char **error_out)
{
    struct systemd_sockets *sockets = xcalloc(1, sizeof *sockets);
    int64_t count = number_of("LISTEN_FDS");
    bool is_ours = number_of("LISTEN_PID") == getpid();
    const char *in_environment = getenv("LISTEN_FDNAMES");
    char *names = xstrdup(in_environment ? in_environment : "");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    *error_out = NULL;
    if (is_ours && count > FDS_MAX)
        *error_out = xstrdup("socket activation: more than 64 sockets");
    if (*error_out || (is_ours && count > 0 && add_all(sockets, (size_t)count, names, error_out) < 0))
        systemd_sockets_free(&sockets);
    free(names);
    return sockets;
}

/* Two ways to write the same address are the same. */
static bool is_same_address(const char *one, const char *other)
{
    struct loop_address a, b;
    char host[LOOP_ADDRESS_HOST_SIZE], port[LOOP_ADDRESS_PORT_SIZE];
    char a_text[LOOP_ADDRESS_TEXT_SIZE], b_text[LOOP_ADDRESS_TEXT_SIZE];
    if (strncmp(one, "unix:", 5) == 0 || strncmp(other, "unix:", 5) == 0)
        return strcmp(one, other) == 0;
    if (loop_address_parse(one, &a, host, port) != LOOP_ADDRESS_READY ||
        loop_address_parse(other, &b, host, port) != LOOP_ADDRESS_READY ||
        a.storage.ss_family != b.storage.ss_family) /* a mapped IPv4 address is written as IPv4, and is not the same */
        return false;
    loop_address_format(&a, a_text);
    loop_address_format(&b, b_text);
    return strcmp(a_text, b_text) == 0;
}

int systemd_sockets_take(struct systemd_sockets *sockets, const char *address)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct passed *passed = &sockets->list[i];
        if (passed->fd < 0 || !is_same_address(passed->address, address))
            continue;
        int fd = passed->fd;
        passed->fd = -1;
        return fd;
    }
    return -1;
}

bool systemd_sockets_left(const struct systemd_sockets *sockets, const char **name_out, const char **address_out)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].fd < 0)
            continue;
        *name_out = sockets->list[i].name;
        *address_out = sockets->list[i].address;
        return true;
    }
    return false;
}
