/* setup_machine.c - what can be guessed on this machine; see setup.h */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/apart.h"
#include "gateway/setup.h"

enum {
    NAME_SIZE = 256,
    LINE_SIZE = 1024,
    GREETING_MS = 2000,
    PORTS_TRIED = 50,
    ADDRESS_MAX = 100,
    SMTP_PORT = 25,
    DECIMAL = 10
};

/* "127.0.1.1 gw.example.org gw": the name with a dot on a line that has ours. */
static char *find_in_hosts(const char *name)
{
    char line[LINE_SIZE], *found = NULL;
    FILE *file = fopen("/etc/hosts", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *rest = line, *word, *full = NULL;
        bool has_name = false, is_address = true;
        line[strcspn(line, "#\n")] = 0;
        while ((word = strsep(&rest, " \t"))) {
            if (!*word)
                continue;
            has_name = has_name || strcmp(word, name) == 0;
            if (!is_address && !full && strchr(word, '.'))
                full = word;
            is_address = false;
        }
        if (has_name && full)
            found = xstrdup(full);
    }
    if (file)
        fclose(file);
    return found;
}

char *setup_guess_hostname(void)
{
    char name[NAME_SIZE] = "";
    if (gethostname(name, sizeof name - 1) < 0 || !name[0])
        return NULL;
    return strchr(name, '.') ? xstrdup(name) : find_in_hosts(name);
}

/* -1: nobody answers there. */
static int connect_here(unsigned port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void look_for_postfix(void *ctx, struct strbuf *said)
{
    (void)ctx;
    char greeting[LINE_SIZE] = "";
    int fd = connect_here(SMTP_PORT);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    bool greets = fd >= 0 && poll(&wait, 1, GREETING_MS) == 1 && read(fd, greeting, sizeof greeting - 1) > 4 &&
                  strncmp(greeting, "220", 3) == 0;
    if (fd >= 0)
        close(fd);
    if (greets)
        strbuf_add_char(said, 'y');
}

bool setup_has_postfix(void)
{
    struct apart_settings settings = { .ms = 2 * GREETING_MS };
    struct strbuf said;
    apart_choose(NULL, &settings);
    strbuf_init(&said, 1);
    bool has = apart_run(&settings, look_for_postfix, NULL, &said) == 1 && strcmp(said.data, "y") == 0;
    strbuf_free(&said);
    return has;
}

static bool parse(const char *address, struct sockaddr_in6 *out)
{
    char host[NAME_SIZE];
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    struct in_addr four;
    if (!colon || len == 0 || len >= sizeof host)
        return false;
    memcpy(host, address, len);
    host[len] = 0;
    *out = (struct sockaddr_in6){ .sin6_family = AF_INET6,
                                  .sin6_port = htons((uint16_t)strtoul(colon + 1, NULL, DECIMAL)) };
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = 0;
        return inet_pton(AF_INET6, host + 1, &out->sin6_addr) == 1;
    }
    if (inet_pton(AF_INET, host, &four) != 1)
        return false;
    struct sockaddr_in *in4 = (struct sockaddr_in *)out;
    in_port_t port = out->sin6_port;
    *in4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port, .sin_addr = four };
    return true;
}

bool setup_is_free(const char *address)
{
    struct sockaddr_in6 at;
    const int on = 1;
    if (!parse(address, &at))
        return true;
    int fd = socket(at.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_taken = false;
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        socklen_t len = at.sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof at;
        is_taken = bind(fd, (struct sockaddr *)&at, len) < 0 && errno == EADDRINUSE;
        close(fd);
    }
    return !is_taken;
}

char *setup_free_address(unsigned port, const char *taken)
{
    struct strbuf address;
    strbuf_init(&address, ADDRESS_MAX);
    for (unsigned i = 0; i < PORTS_TRIED; i++) {
        strbuf_clear(&address);
        strbuf_add_fmt(&address, "127.0.0.1:%u", port + i);
        if (setup_is_free(address.data) && (!taken || strcmp(taken, address.data) != 0))
            break;
    }
    return strbuf_detach(&address);
}
