/* crashes.c - loaded into posternd before libc (LD_PRELOAD), to have its workers crash of certain content
 *
 * Workers start with an environment of their own, so in the daemon this library hands itself on to the programs that it starts. In
 * a convert worker it looks into what is mapped to be read: content with the words of `marker` in it is the end of the process.
 */
#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { VARIABLES_MAX = 16 };

static const char marker[] = "X-Worker: crash";
static const char variable[] = "LD_PRELOAD=";

/* The daemon, which the tests tell so: what it starts is not told. */
static bool is_daemon(void)
{
    return getenv("POSTERN_CRASHES") != NULL;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *file_actions,
                const posix_spawnattr_t *attrp, char *const argv[], char *const envp[])
{
    static int (*original)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);
    static char own[4096];
    char *more[VARIABLES_MAX + 2];
    size_t count = 0;
    const char *library = getenv("LD_PRELOAD");
    if (!original)
        *(void **)&original = dlsym(RTLD_NEXT, "posix_spawn");
    if (!is_daemon() || !library || strlen(library) + sizeof variable > sizeof own)
        return original(pid, path, file_actions, attrp, argv, envp);
    while (count < VARIABLES_MAX && envp[count])
        count++;
    memcpy(more, envp, count * sizeof *more);
    memcpy(own, variable, sizeof variable - 1);
    memcpy(own + sizeof variable - 1, library, strlen(library) + 1);
    more[count] = own;
    more[count + 1] = NULL;
    return original(pid, path, file_actions, attrp, argv, more);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    static void *(*original)(void *, size_t, int, int, int, off_t);
    if (!original)
        *(void **)&original = dlsym(RTLD_NEXT, "mmap");
    void *map = original(addr, len, prot, flags, fd, offset);
    if (map != MAP_FAILED && fd >= 0 && prot == PROT_READ && !is_daemon() &&
        memmem(map, len, marker, sizeof marker - 1))
        raise(SIGSEGV);
    return map;
}
