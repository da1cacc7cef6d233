/* wrapped.c - loaded into posternd before libc (LD_PRELOAD) when it runs under valgrind
 *
 * There /proc/self/exe is valgrind: children are executed from POSTERN_PROGRAM instead, and run without valgrind, locked in as
 * ever. The daemon is not locked in: valgrind makes system calls of its own. What it does not know it reports at each call among what it
 * has found, so it gets none of those: the kernel is one without pidfd_open(), seccomp and Landlock.
 */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the next library calls so. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *file_actions,
                const posix_spawnattr_t *attrp, char *const argv[], char *const envp[])
{
    const char *program = getenv("POSTERN_PROGRAM");
    if (program && strcmp(path, "/proc/self/exe") == 0)
        path = program;
    return NEXT(posix_spawn)(pid, path, file_actions, attrp, argv, envp);
}

int pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid;
    (void)flags;
    errno = ENOSYS;
    return -1;
}

long syscall(long sysno, ...)
{
    long given[6];
    va_list list;
    if (sysno == SYS_landlock_create_ruleset || sysno == SYS_landlock_add_rule || sysno == SYS_landlock_restrict_self ||
        sysno == SYS_seccomp) {
        errno = ENOSYS;
        return -1;
    }
    va_start(list, sysno);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(list, long);
    va_end(list);
    return NEXT(syscall)(sysno, given[0], given[1], given[2], given[3], given[4], given[5]);
}

/* libseccomp's, which asks the kernel what it can do. */
int seccomp_attr_set(const void *filter, int attribute, unsigned value);
int seccomp_rule_add(const void *filter, unsigned action, int number, unsigned count, ...);
int seccomp_rule_add_array(const void *filter, unsigned action, int number, unsigned count, const void *conditions);
int seccomp_load(const void *filter);

int seccomp_attr_set(const void *filter, int attribute, unsigned value)
{
    (void)filter;
    (void)attribute;
    (void)value;
    return 0;
}

int seccomp_rule_add(const void *filter, unsigned action, int number, unsigned count, ...)
{
    (void)filter;
    (void)action;
    (void)number;
    (void)count;
    return 0;
}

int seccomp_rule_add_array(const void *filter, unsigned action, int number, unsigned count, const void *conditions)
{
    (void)conditions;
    return seccomp_rule_add(filter, action, number, count);
}

int seccomp_load(const void *filter)
{
    (void)filter;
    return 0;
}
