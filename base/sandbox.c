#include "base/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int sandbox_limit(int resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return -1;
    if (value < limit.rlim_max)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) < 0 ? -1 : 1;
}

#ifdef POSTERN_SANITIZE
int sandbox_limit_memory(uint64_t data_bytes, uint64_t address_bytes)
{
    (void)data_bytes, (void)address_bytes;
    return 1;
}

int sandbox_hide_files(void)
{
    return 1;
}
#else
/* Two numbers of statm: all addresses, and those of memory that can be written to; in pages. */
static int read_used_pages(uint64_t *all_out, uint64_t *data_out)
{
    char line[128] = "";
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return -1;
    const char *got = fgets(line, sizeof line, statm);
    fclose(statm);
    uint64_t numbers[6] = { 0 };
    char *at = line;
    char *end = line;
    for (size_t i = 0; got != NULL && i < sizeof numbers / sizeof numbers[0]; i++, at = end)
        numbers[i] = strtoull(at, &end, 10);
    *all_out = numbers[0];
    *data_out = numbers[5];
    if (*data_out > 0)
        return 1;
    errno = EPROTO;
    return -1;
}

/* RLIMIT_DATA counts what is private and can be written to: the memory. RLIMIT_AS counts all addresses, among them what
 * program and libraries have mapped already, and input files. */
int sandbox_limit_memory(uint64_t data_bytes, uint64_t address_bytes)
{
    uint64_t all, data;
    if (read_used_pages(&all, &data) < 0)
        return -1;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (data_bytes > 0 && sandbox_limit(RLIMIT_DATA, data * page + data_bytes) < 0)
        return -1;
    return address_bytes > 0 ? sandbox_limit(RLIMIT_AS, all * page + address_bytes) : 1;
}

int sandbox_hide_files(void)
{
    struct landlock_ruleset_attr rules = { .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0);
    if (fd < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 1 : -1;
    int result = (int)syscall(SYS_landlock_restrict_self, fd, 0);
    close(fd);
    return result < 0 ? -1 : 1;
}
#endif

int sandbox_drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3], none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    /* The filter of a service manager may forbid capset() to who has nothing to give up. */
    if (syscall(SYS_capget, &header, now) == 0 && memcmp(now, none, sizeof none) == 0)
        return 1;
    return syscall(SYS_capset, &header, none) < 0 ? -1 : 1;
}
