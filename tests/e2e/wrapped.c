/* wrapped.c - loaded into posternd before libc (LD_PRELOAD) when it runs under valgrind, where /proc/self/exe is valgrind
 *
 * Children are executed from POSTERN_PROGRAM instead, and run without valgrind. It does not know pidfd_open() either, and says
 * so at each call, among what it has found. */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

/* What the next library calls so. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    const char *program = getenv("POSTERN_PROGRAM");
    if (program && strcmp(path, "/proc/self/exe") == 0)
        path = program;
    return NEXT(posix_spawn)(pid, path, files, attributes, arguments, environment);
}

int pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid;
    (void)flags;
    errno = ENOSYS;
    return -1;
}
