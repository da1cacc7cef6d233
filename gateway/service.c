/* service.c - see service.h */
#include "gateway/service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/strbuf.h"

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = 0; /* abstract */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                  len); /* nobody to tell of a failure */
    close(fd);
}

int service_become(const char *user, char **error_out)
{
    struct strbuf text;
    *error_out = NULL;
    if (!user)
        return 1;
    strbuf_init(&text, 500);
    const struct passwd *entry = getpwnam(user);
    if (!entry)
        strbuf_add_fmt(&text, "no such user: %s", user);
    else if (geteuid() == entry->pw_uid)
        return 1;
    else if (initgroups(user, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 || setuid(entry->pw_uid) < 0)
        strbuf_add_fmt(&text, "can't become user %s: %s", user, strerror(errno));
    else
        return 1;
    *error_out = strbuf_detach(&text);
    return -1;
}
