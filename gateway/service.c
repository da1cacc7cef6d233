/* service.c - see service.h */
#include "gateway/service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/strbuf.h"

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
    else if (entry->pw_uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
        strbuf_add_fmt(&text, "can't become user %s for good", user);
    else
        return 1;
    *error_out = strbuf_detach(&text);
    return -1;
}

int service_act_as(uid_t uid, gid_t gid, bool for_good, char **error_out)
{
    struct strbuf text;
    *error_out = NULL;
    if (geteuid() != 0 || uid == 0)
        return 1;
    const struct passwd *entry = getpwuid(uid);
    int result = entry ? initgroups(entry->pw_name, gid) : setgroups(0, NULL);
    if (result == 0)
        result = for_good ? setgid(gid) : setegid(gid);
    if (result == 0)
        result = for_good ? setuid(uid) : seteuid(uid);
    if (result == 0)
        return 1;
    strbuf_init(&text, 500);
    strbuf_add_fmt(&text, "can't become user %u: %s", (unsigned)uid, strerror(errno));
    *error_out = strbuf_detach(&text);
    return -1;
}

void service_return(void)
{
    if (getuid() != 0 || geteuid() == 0)
        return;
    const struct passwd *entry = getpwuid(0);
    if (seteuid(0) < 0 || setegid(getgid()) < 0 || initgroups(entry ? entry->pw_name : "root", getgid()) < 0)
        abort();
}

int service_lock(char **error_out)
{
    *error_out = NULL;
    /* Root without them could not read what others own, and whoever runs the daemon as root was warned. */
    bool keeps_capabilities = geteuid() == 0;
    if ((keeps_capabilities || sandbox_drop_capabilities() == 1) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        return 1;
    struct strbuf text;
    strbuf_init(&text, 500);
    strbuf_add_fmt(&text, "can't give up privileges: %s", strerror(errno));
    *error_out = strbuf_detach(&text);
    return -1;
}
