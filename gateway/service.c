/* service.c - see service.h */
#include "gateway/service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/daemon_sandbox.h"
#include "base/sandbox.h"
#include "base/strbuf.h"

static int become(const char *user, const struct passwd *entry)
{
    sandbox_lower_bounds();
    if (initgroups(user, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 || setuid(entry->pw_uid) < 0)
        return -1;
    if (entry->pw_uid == 0 || (setuid(0) < 0 && setgid(0) < 0))
        return 1;
    errno = EPERM; /* it would not be for good */
    return -1;
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
    else if (become(user, entry) == 1)
        return 1;
    else
        strbuf_add_fmt(&text, "can't become user %s: %s", user, strerror(errno));
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

int service_forbid_core(void)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -1;
    return sandbox_limit(RLIMIT_CORE, 0);
}

int service_lock(char **error_out)
{
    const char *step = NULL;
    *error_out = NULL;
    /* Root without any could not read what others own, and whoever runs the daemon as root was warned. */
    if ((geteuid() == 0 ? sandbox_keep_for_files() : sandbox_drop_capabilities()) < 0)
        step = "capabilities";
    else if (service_forbid_core() < 0)
        step = "core dumps";
    else if (daemon_sandbox_enter(&step) == 1)
        return 1;
    *error_out = strbuf_text(500, "can't give up privileges: %s: %s", step, strerror(errno));
    return -1;
}
