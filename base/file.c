/* file.c - see file.h */
#include "base/file.h"

#include "base/xmalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int file_write_all(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len > 0) {
        ssize_t written = write(fd, next, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        next += written;
        len -= (size_t)written;
    }
    return 1;
}

int file_size(int fd, int64_t *size_out)
{
    struct stat status;
#if defined SYS_fstat && defined __LP64__ /* there the kernel's structure is the C library's */
    if (syscall(SYS_fstat, fd, &status) < 0)
        return -1;
#else
    if (fstat(fd, &status) < 0)
        return -1;
#endif
    *size_out = status.st_size;
    return 1;
}

int file_sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 && fsync(fd) == 0 ? 1 : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return result;
}

int file_sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    int result = file_sync_directory(directory);
    int error = errno;
    free(directory);
    errno = error;
    return result;
}

void file_open_standard_streams(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR); /* the lowest number that is free */
    if (fd >= 0)
        close(fd);
}
