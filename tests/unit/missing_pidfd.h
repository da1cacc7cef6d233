/* missing_pidfd.h - a kernel that has no pidfd_open(), or a filter that forbids it, when a test says so */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool pidfd_is_missing;

/* In place of the C library's. */
int pidfd_open(pid_t pid, unsigned flags)
{
    if (pidfd_is_missing) {
        errno = ENOSYS;
        return -1;
    }
    return (int)syscall(SYS_pidfd_open, pid, flags);
}
