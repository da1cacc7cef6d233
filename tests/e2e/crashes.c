/* crashes.c - loaded into posternd before libc (LD_PRELOAD), to have its workers crash of certain content
 *
 * Workers start with an environment of their own, so in the daemon this library hands itself on to the programs that it starts. There
 * it looks at what is read: content that a convert worker maps, or a verify worker reads, with the words in it that are meant for this worker, is
 * the end of the process.
 */
#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VARIABLES_MAX = 16 };

static const char of_conversion[] = "X-Worker: crash", of_check[] = "X-Check: crash";
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
        memmem(map, len, of_conversion, sizeof of_conversion - 1))
        raise(SIGSEGV);
    return map;
}

static ssize_t (*read_at)(int, void *, size_t, off64_t);

/* Before a worker is locked in. */
__attribute__((constructor)) static void find_read_at(void)
{
    *(void **)&read_at = dlsym(RTLD_NEXT, "pread64");
}

ssize_t pread64(int fd, void *buf, size_t nbytes, off64_t offset)
{
    ssize_t got = read_at(fd, buf, nbytes, offset);
    if (got > 0 && !is_daemon() && memmem(buf, (size_t)got, of_check, sizeof of_check - 1))
        raise(SIGSEGV);
    return got;
}

ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
    return pread64(fd, buf, nbytes, offset);
}
