/* faults.c - loaded into posternd before libc (LD_PRELOAD), to end or disturb it at one step
 *
 * Either a numbered step of those that faults.h describes, which the test chooses while the daemon runs; or one by name:
 *
 * POSTERN_FAULT="STEP:N:WHAT": at the Nth time that it comes to STEP. What: "before" and "after" kill the process there
 * as kill -9 does; a number is the errno with which the step fails instead. Steps: sync (of a file without a name), name (it
 * gets one in content/), sync-directory (content/), commit (the first sync of the database's log after a name was given), log (a
 * commit: from its first write into the log to its sync), room (asking how much of the disk is free). Only in a program called posternd, and
 * not in its workers. With POSTERN_FAULT_FROM, a path, nothing counts before there is such a file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/e2e/faults.h"

/* What the next library calls so. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static atomic_int times_seen;
static atomic_bool is_named;
/* Of the committer: */
static bool is_writing_log;
static const char *log_fault;

/* --- Steps by name --- */

/* POSTERN_FAULT's what, when this is the step and the time that it names; else NULL. */
static const char *fault_at(const char *step)
{
    const char *fault = getenv("POSTERN_FAULT"), *from = getenv("POSTERN_FAULT_FROM");
    size_t len = strlen(step);
    char *end;
    if (!fault || (from && access(from, F_OK) != 0) || strncmp(fault, step, len) != 0 || fault[len] != ':' ||
        strcmp(program_invocation_short_name, "posternd") != 0)
        return NULL;
    long number = strtol(fault + len + 1, &end, 10);
    return *end == ':' && atomic_fetch_add(&times_seen, 1) + 1 == number ? end + 1 : NULL;
}

/* Returns true when the step has to fail, with errno set. */
static bool come_to(const char *what)
{
    if (!what)
        return false;
    if (strcmp(what, "before") == 0)
        raise(SIGKILL);
    errno = (int)strtol(what, NULL, 10);
    return errno != 0;
}

static void leave(const char *what)
{
    if (what && strcmp(what, "after") == 0)
        raise(SIGKILL);
}

/* Which step a sync is; NULL: none of ours. */
static const char *sync_step(int fd)
{
    char link[64], target[4096];
    struct stat info;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, target, sizeof target - 1);
    if (len <= 0 || fstat(fd, &info) < 0)
        return NULL;
    target[len] = 0;
    if (strstr(target, " (deleted)"))
        return "sync";
    if (S_ISDIR(info.st_mode))
        return len > 8 && strcmp(target + len - 8, "/content") == 0 && is_named ? "sync-directory" : NULL;
    return len > 4 && strcmp(target + len - 4, "-wal") == 0 ? "commit" : NULL;
}

/* --- Syncs and writes --- */

/* As numbered steps. */
static int sync_counted(int (*original)(int), int fd)
{
    struct fault_step step;
    char path[FAULT_PATH_SIZE];
    int64_t position = journal_position();
    if (!fault_begin(&step, FAULT_SYNC, fault_place_of_fd(fd, path))) {
        journal_sync(fd, position, false);
        return -1;
    }
    if (step.action == FAULT_LIE)
        return 0;
    int result = original(fd);
    journal_sync(fd, position, result == 0);
    fault_end(&step);
    return result;
}

static int sync_with(const char *name, int fd)
{
    int (*original)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *step = sync_step(fd);
    bool is_log = step && strcmp(step, "commit") == 0;
    const char *what = step && (!is_log || is_named) ? fault_at(step) : NULL;
    if (come_to(what))
        return -1;
    int result = sync_counted(original, fd);
    leave(what);
    if (is_log) {
        leave(log_fault);
        is_writing_log = false;
        log_fault = NULL;
    }
    return result;
}

int fsync(int fd)
{
    return sync_with("fsync", fd);
}

int fdatasync(int fildes)
{
    return sync_with("fdatasync", fildes);
}

/* Before something is written. -1: nothing may be, errno is set; else how much of it. offset: -1 where the file is. */
static ssize_t begin_write(struct fault_step *step, int fd, size_t n, off64_t offset)
{
    char path[FAULT_PATH_SIZE];
    enum fault_place place = fault_place_of_fd(fd, path);
    bool is_file = place != FAULT_NOWHERE;
    if (!is_file)
        place = fault_place_of_socket(fd);
    if (!fault_begin(step, is_file ? FAULT_WRITE : FAULT_SEND, place))
        return -1;
    if (is_file)
        journal_write(fd, path, offset < 0 ? lseek64(fd, 0, SEEK_CUR) : offset, n);
    return (ssize_t)(step->action == FAULT_SHORT && n > 1 ? n / 2 : n);
}

/* A commit that was written is one when only the process ends: the system has it. So the step begins before that. */
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    ssize_t (*original)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    const char *fault = getenv("POSTERN_FAULT"), *step = NULL;
    struct fault_step counted;
    if (fault && strncmp(fault, "log:", 4) == 0 && !is_writing_log)
        step = sync_step(fd);
    if (step && strcmp(step, "commit") == 0) {
        is_writing_log = true;
        log_fault = fault_at("log");
        if (come_to(log_fault))
            return -1;
    }
    ssize_t most = begin_write(&counted, fd, n, offset);
    if (most < 0)
        return -1;
    ssize_t result = original(fd, buf, (size_t)most, offset);
    fault_end(&counted);
    return result;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return pwrite64(fd, buf, n, offset);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    struct fault_step step;
    ssize_t most = begin_write(&step, fd, n, -1);
    if (most < 0)
        return -1;
    ssize_t result = NEXT(write)(fd, buf, (size_t)most);
    fault_end(&step);
    return result;
}

ssize_t writev(int fd, const struct iovec *iovec, int count)
{
    struct fault_step step;
    size_t n = 0;
    for (int i = 0; i < count; i++)
        n += iovec[i].iov_len;
    ssize_t most = begin_write(&step, fd, n, -1);
    if (most < 0)
        return -1;
    bool is_short = (size_t)most < n && count > 0;
    ssize_t result =
        is_short ? NEXT(write)(fd, iovec[0].iov_base, (iovec[0].iov_len + 1) / 2) : NEXT(writev)(fd, iovec, count);
    fault_end(&step);
    return result;
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    struct fault_step step;
    ssize_t most = begin_write(&step, fd, n, -1);
    if (most < 0)
        return -1;
    ssize_t result = NEXT(send)(fd, buf, (size_t)most, flags);
    fault_end(&step);
    return result;
}

static bool may_read(int fd)
{
    struct fault_step step;
    char path[FAULT_PATH_SIZE];
    return fault_begin(&step, FAULT_READ, fault_place_of_fd(fd, path));
}

ssize_t pread64(int fd, void *buf, size_t nbytes, off64_t offset)
{
    return may_read(fd) ? NEXT(pread64)(fd, buf, nbytes, offset) : -1;
}

ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
    return may_read(fd) ? NEXT(pread64)(fd, buf, nbytes, offset) : -1;
}

ssize_t read(int fd, void *buf, size_t nbytes)
{
    return may_read(fd) ? NEXT(read)(fd, buf, nbytes) : -1;
}

static int truncate_counted(int fd, off64_t length)
{
    char path[FAULT_PATH_SIZE];
    struct fault_step step;
    enum fault_place place = fault_place_of_fd(fd, path);
    if (!fault_begin(&step, FAULT_TRUNCATE, place))
        return -1;
    if (place != FAULT_NOWHERE)
        journal_truncate(fd, path, length);
    int result = NEXT(ftruncate64)(fd, length);
    fault_end(&step);
    return result;
}

int ftruncate64(int fd, off64_t length)
{
    return truncate_counted(fd, length);
}

int ftruncate(int fd, off_t length)
{
    return truncate_counted(fd, length);
}

/* --- Names --- */

/* Of a name in a directory that is open; names of more than fits are none of ours. */
static void path_in(int directory, const char *name, char out[static FAULT_PATH_SIZE])
{
    char link[64];
    ssize_t len = 0;
    if (name[0] != '/') {
        if (directory == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        len = readlink(link, out, FAULT_PATH_SIZE - 1);
        if (len < 0 || len >= FAULT_PATH_SIZE - 1)
            len = 0;
        out[len++] = '/';
    }
    snprintf(out + len, (size_t)(FAULT_PATH_SIZE - len), "%s", name);
}

static int link_counted(int fromfd, const char *from, int tofd, const char *to, int flags)
{
    char path[FAULT_PATH_SIZE];
    struct fault_step step;
    path_in(tofd, to, path);
    enum fault_place place = fault_place_of_path(path);
    if (!fault_begin(&step, FAULT_LINK, place))
        return -1;
    int result = NEXT(linkat)(fromfd, from, tofd, to, flags);
    if (result == 0 && place != FAULT_NOWHERE)
        journal_name('L', path, "");
    fault_end(&step);
    return result;
}

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
    const char *what = strstr(to, "/content/") ? fault_at("name") : NULL;
    if (come_to(what))
        return -1;
    int result = link_counted(fromfd, from, tofd, to, flags);
    is_named = is_named || strstr(to, "/content/");
    leave(what);
    return result;
}

int link(const char *from, const char *to)
{
    return link_counted(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int fd, const char *name, int flag)
{
    char path[FAULT_PATH_SIZE];
    struct fault_step step;
    path_in(fd, name, path);
    enum fault_place place = fault_place_of_path(path);
    if (place != FAULT_NOWHERE && access(path, F_OK) != 0)
        place = FAULT_NOWHERE; /* nothing is removed */
    if (!fault_begin(&step, FAULT_UNLINK, place))
        return -1;
    if (place != FAULT_NOWHERE && !(flag & AT_REMOVEDIR))
        journal_unlink(path);
    int result = NEXT(unlinkat)(fd, name, flag);
    fault_end(&step);
    return result;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    char whole[FAULT_PATH_SIZE];
    struct fault_step step;
    path_in(fd, path, whole);
    enum fault_place place = fault_place_of_path(whole);
    if (!fault_begin(&step, FAULT_MAKE_DIRECTORY, place))
        return -1;
    int result = NEXT(mkdirat)(fd, path, mode);
    if (result == 0 && place != FAULT_NOWHERE)
        journal_name('M', whole, "");
    fault_end(&step);
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int renameat(int oldfd, const char *old, int newfd, const char *new)
{
    char old_path[FAULT_PATH_SIZE], path[FAULT_PATH_SIZE];
    struct fault_step step;
    path_in(oldfd, old, old_path);
    path_in(newfd, new, path);
    enum fault_place place = fault_place_of_path(path);
    if (!fault_begin(&step, FAULT_RENAME, place))
        return -1;
    if (place != FAULT_NOWHERE)
        journal_unlink(path); /* what was there has a second name from here on */
    int result = NEXT(renameat)(oldfd, old, newfd, new);
    if (result == 0 && place != FAULT_NOWHERE)
        journal_name('R', path, old_path);
    fault_end(&step);
    return result;
}

int rename(const char *old, const char *new)
{
    return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

/* --- Room --- */

int statvfs(const char *file, struct statvfs *buf)
{
    int (*original)(const char *, struct statvfs *) =
        (int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs");
    const char *what = fault_at("room");
    if (come_to(what))
        return -1;
    int result = original(file, buf);
    leave(what);
    return result;
}
