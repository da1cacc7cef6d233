/* steps.c - loaded into posternctl before libc (LD_PRELOAD): kills it, as kill -9 does, before its POSTERN_STEPth call that changes
 * a directory or syncs */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int steps_seen;

static void step(void)
{
    const char *fatal = getenv("POSTERN_STEP");
    if (fatal && atomic_fetch_add(&steps_seen, 1) + 1 == strtol(fatal, NULL, 10))
        raise(SIGKILL);
}

/* What the next library calls so. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int renameat(int from, const char *name, int to, const char *new_name)
{
    step();
    return NEXT(renameat)(from, name, to, new_name);
}

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
    step();
    return NEXT(linkat)(fromfd, from, tofd, to, flags);
}

int unlinkat(int fd, const char *name, int flag)
{
    step();
    return NEXT(unlinkat)(fd, name, flag);
}

int unlink(const char *name)
{
    step();
    return NEXT(unlink)(name);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    step();
    return NEXT(mkdirat)(fd, path, mode);
}

int fsync(int fd)
{
    step();
    return NEXT(fsync)(fd);
}

int fdatasync(int fildes)
{
    step();
    return NEXT(fdatasync)(fildes);
}

int syncfs(int fd)
{
    step();
    return NEXT(syncfs)(fd);
}
