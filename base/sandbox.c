#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

int sandbox_limit_all(const struct sandbox_bound *bounds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sandbox_limit(bounds[i].resource, bounds[i].value) < 0)
            return -1;
    }
    return 1;
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

int sandbox_change_no_files(void)
{
    return 1;
}

int sandbox_execute_only_self(void)
{
    return 0;
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

static int restrict_files(int ruleset)
{
    int result = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    return result < 0 ? -1 : 1;
}

/* As with a kernel without Landlock; and the filter of a service manager or a container may forbid it. */
static bool is_missing(int error)
{
    return error == ENOSYS || error == EOPNOTSUPP || error == EPERM;
}

static int allow_beneath(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC) };
    if (rule.parent_fd < 0)
        return -1;
    int result = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return result < 0 ? -1 : 1;
}

/* What the first version of Landlock knows. */
static const uint64_t all_access = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

/* Forbids these kinds of access, but writing to one file; NULL: to none. */
static int forbid_access(uint64_t access, const char *written)
{
    struct landlock_ruleset_attr rules = { .handled_access_fs = access };
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0);
    if (fd < 0)
        return is_missing(errno) ? 1 : -1;
    int result = written != NULL ? allow_beneath(fd, written, LANDLOCK_ACCESS_FS_WRITE_FILE) : 1;
    if (result == 1)
        result = restrict_files(fd);
    int error = errno;
    close(fd);
    errno = error;
    return result < 0 && is_missing(error) ? 1 : result;
}

int sandbox_hide_files(void)
{
    return forbid_access(all_access, NULL);
}

int sandbox_change_no_files(void)
{
    enum { ABI_THAT_KNOWS_TRUNCATION = 3 };
    const uint64_t truncate = UINT64_C(1) << 14; /* LANDLOCK_ACCESS_FS_TRUNCATE, for which headers may be too old */
    const uint64_t reading = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return forbid_access((all_access & ~reading) | (abi >= ABI_THAT_KNOWS_TRUNCATION ? truncate : 0), "/dev/null");
}

/* The program that the kernel starts first, which loads the libraries: where this program's head says it is. */
static int find_loader(struct dl_phdr_info *info, size_t size, void *path_out)
{
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            *(const char **)path_out = (const char *)(uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    }
    return 1; /* the first is the program itself */
}

/* The loader's folder, and not only the file: an update of the C library puts another one there while we run. */
static int allow_loader(int ruleset)
{
    const char *loader = NULL;
    char path[PATH_MAX];
    (void)dl_iterate_phdr(find_loader, &loader);
    if (loader == NULL)
        return 1; /* linked statically */
    if (realpath(loader, path) == NULL)
        return -1;
    return allow_beneath(ruleset, dirname(path), LANDLOCK_ACCESS_FS_EXECUTE);
}

int sandbox_execute_only_self(void)
{
    enum { ABI_THAT_LETS_MOVE = 2 }; /* the first one forbids to move files between folders, whatever the rules say */
    const uint64_t never = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                           LANDLOCK_ACCESS_FS_MAKE_SYM;
    struct landlock_ruleset_attr rules = {
        .handled_access_fs = never | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REFER,
    };
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < ABI_THAT_LETS_MOVE)
        return abi >= 0 || is_missing(errno) ? 0 : -1;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0);
    if (ruleset < 0)
        return is_missing(errno) ? 0 : -1;
    int result = allow_beneath(ruleset, "/", LANDLOCK_ACCESS_FS_REFER);
    if (result == 1)
        result = allow_beneath(ruleset, "/proc/self/exe", LANDLOCK_ACCESS_FS_EXECUTE);
    if (result == 1)
        result = allow_loader(ruleset);
    if (result == 1)
        result = restrict_files(ruleset);
    int error = errno;
    close(ruleset);
    errno = error;
    return result < 0 && is_missing(error) ? 0 : result;
}
#endif

/* What root's daemon needs to get at files of others. */
static const unsigned for_files[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER };

static bool is_for_files(unsigned capability)
{
    for (size_t i = 0; i < sizeof for_files / sizeof for_files[0]; i++) {
        if (for_files[i] == capability)
            return true;
    }
    return false;
}

/* From the bounding set, which is what a program that is executed could get. One who may not change it has nothing to gain by it either:
 * no-new-privs comes next. */
static void lower_bounds(bool but_for_files)
{
    for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if (!but_for_files || !is_for_files(i))
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    }
}

void sandbox_lower_bounds(void)
{
    lower_bounds(false);
}

int sandbox_drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3], none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    /* The filter of a service manager may forbid capset() to who has nothing to give up. */
    if (syscall(SYS_capget, &header, now) == 0 && memcmp(now, none, sizeof none) == 0)
        return 1;
    lower_bounds(false);
    return syscall(SYS_capset, &header, none) < 0 ? -1 : 1; /* the ambient set goes with the others */
}

int sandbox_keep_for_files(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3], kept[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    if (syscall(SYS_capget, &header, now) < 0)
        return -1;
    lower_bounds(true);
    for (size_t i = 0; i < sizeof for_files / sizeof for_files[0]; i++) {
        unsigned word = CAP_TO_INDEX(for_files[i]), bit = CAP_TO_MASK(for_files[i]);
        kept[word].effective |= now[word].effective & bit;
        kept[word].permitted |= now[word].permitted & bit;
    }
    return syscall(SYS_capset, &header, kept) < 0 ? -1 : 1;
}

int sandbox_lock_in(int (*filter)(void), const char **step_out)
{
    *step_out = NULL;
    if (sandbox_drop_capabilities() < 0)
        *step_out = "capabilities";
    else if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        *step_out = "no-new-privs";
    else if (sandbox_hide_files() < 0)
        *step_out = "landlock";
    else if (filter() < 0)
        *step_out = "seccomp";
    return *step_out == NULL ? 1 : -1;
}
