#include "base/tmpfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strbuf.h"

enum { PATH_LENGTH_MAX = 4096 };

static int open_unlinked(const char *directory)
{
    struct strbuf path;
    int fd = -1;
    strbuf_init(&path, PATH_LENGTH_MAX);
    strbuf_add_fmt(&path, "%s/tmp-XXXXXX", directory);
    if (!strbuf_ok(&path)) {
        errno = ENAMETOOLONG;
    } else {
        fd = mkostemp(path.data, O_CLOEXEC);
        if (fd >= 0)
            unlink(path.data);
    }
    strbuf_free(&path);
    return fd;
}

int tmpfile_new(const char *directory)
{
    /* Without O_EXCL, which would forbid linkat(). */
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    return open_unlinked(directory);
}

int tmpfile_name(int fd, const char *path)
{
    /* Through /proc, since AT_EMPTY_PATH wants a capability (open(2), O_TMPFILE). */
    char name[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return 1;
    /* ENOENT: the file was unlinked, which only O_TMPFILE's can be undone; or there is no such directory, which the
     * copy will find. EPERM: hard links are refused there. */
    return errno == EXDEV || errno == ENOENT || errno == EPERM || errno == EOPNOTSUPP ? 0 : -1;
}
