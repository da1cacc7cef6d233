/* faults.c - loaded into posternd before libc (LD_PRELOAD), to end or disturb it at one step of storing large content
 *
 * POSTERN_FAULT="STEP:N:WHAT": at the Nth time that it comes to STEP. What: "before" and "after" kill the process there
 * as kill -9 does; a number is the errno with which the step fails instead. Steps: sync (of a file without a name), name (it
 * gets one in content/), sync-directory (content/), commit (the first sync of the database's log after a name was given), log (a
 * commit: from its first write into the log to its sync), remove (a file in content/), room (asking how much of the disk is free). Only in a program called posternd, and
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
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static atomic_int times_seen;
static atomic_bool is_named;
/* Of the committer: */
static bool is_writing_log;
static const char *log_fault;

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

static int sync_with(const char *name, int fd)
{
    int (*original)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *step = sync_step(fd);
    bool is_log = step && strcmp(step, "commit") == 0;
    const char *what = step && (!is_log || is_named) ? fault_at(step) : NULL;
    if (come_to(what))
        return -1;
    int result = original(fd);
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

/* A commit that was written is one when only the process ends: the system has it. So the step begins before that. */
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    ssize_t (*original)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    const char *fault = getenv("POSTERN_FAULT"), *step = NULL;
    if (fault && strncmp(fault, "log:", 4) == 0 && !is_writing_log)
        step = sync_step(fd);
    if (step && strcmp(step, "commit") == 0) {
        is_writing_log = true;
        log_fault = fault_at("log");
        if (come_to(log_fault))
            return -1;
    }
    return original(fd, buf, n, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return pwrite64(fd, buf, n, offset);
}

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
    int (*original)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    const char *what = strstr(to, "/content/") ? fault_at("name") : NULL;
    if (come_to(what))
        return -1;
    int result = original(fromfd, from, tofd, to, flags);
    is_named = is_named || strstr(to, "/content/");
    leave(what);
    return result;
}

int unlink(const char *name)
{
    int (*original)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    const char *what = strstr(name, "/content/") ? fault_at("remove") : NULL;
    if (come_to(what))
        return -1;
    int result = original(name);
    leave(what);
    return result;
}

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
