/* store_lock.c - who may write to a database; see store_internal.h
 *
 * Two daemons on one database would post everything twice. The file of the lock stays: with it removed, one daemon could hold
 * the lock of the old file and another that of a new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "mapping/store_backup_internal.h"
#include "mapping/store_internal.h"
#include "mapping/store_look.h"

static int lock(const char *path, const char *lock, int *fd_out, char **error_out)
{
    *fd_out = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd_out < 0)
        return store_backup_fail(error_out, "can't open %s: %s", lock, strerror(errno));
    if (flock(*fd_out, LOCK_EX | LOCK_NB) == 0)
        return 1;
    if (errno == EWOULDBLOCK)
        store_backup_fail(error_out, "%s is in use by another posternd (%s is locked)", path, lock);
    else
        store_backup_fail(error_out, "can't lock %s: %s", lock, strerror(errno));
    close(*fd_out);
    *fd_out = -1;
    return -1;
}

static void name_lock(const char *path, struct strbuf *name)
{
    size_t len = strlen(path);
    if (len > 3 && strcmp(path + len - 3, ".db") == 0)
        len -= 3;
    strbuf_init(name, STORE_BACKUP_PATH_MAX);
    strbuf_add(name, path, len);
    strbuf_add_str(name, ".lock");
}

/* The lock is asked for and given back at once: a daemon that starts in that moment ends, and is started again. */
bool store_look_is_in_use(const char *path)
{
    struct strbuf name;
    name_lock(path, &name);
    int fd = strbuf_ok(&name) ? open(name.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    bool is_locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    strbuf_free(&name);
    return is_locked;
}

int store_lock_take(const char *path, int *fd_out, char **error_out)
{
    struct strbuf name;
    *fd_out = -1;
    *error_out = NULL;
    name_lock(path, &name);
    int result = strbuf_ok(&name) ? lock(path, name.data, fd_out, error_out)
                                  : store_backup_fail(error_out, "the path of the database is too long");
    strbuf_free(&name);
    return result;
}
