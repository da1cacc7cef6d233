#include "mapping/convert_memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xmalloc.h"

int convert_memfile_new(const char *name, size_t max)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)max) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

int convert_memfile_copy(int fd, int from, int64_t *offset, int64_t size)
{
    off_t at = *offset;
    while (at < *offset + size) {
        ssize_t n = sendfile(fd, from, &at, (size_t)(*offset + size - at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno; /* shorter than it was said to be */
            return -1;
        }
    }
    *offset = at;
    return 1;
}

int convert_memfile_end(int fd)
{
    off_t end = lseek(fd, 0, SEEK_CUR);
    return end >= 0 && ftruncate(fd, end) == 0 ? 1 : -1;
}

int convert_memfile_seal(int fd, int64_t *size_out)
{
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -1;
    return file_size(fd, size_out);
}

int convert_memfile_reopen(int fd)
{
    char path[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int convert_memfile_freeze(int *fd, int64_t *size_out)
{
    int reading = convert_memfile_reopen(*fd);
    if (reading < 0)
        return -1;
    close(*fd);
    *fd = reading;
    /* Who opens it through /proc in this moment breaks the lease, of which the kernel tells by SIGIO: that would end us.
     * SIGURG is ignored unless somebody wants it. */
    if (fcntl(reading, F_SETSIG, SIGURG) < 0 || fcntl(reading, F_SETLEASE, F_RDLCK) < 0 ||
        fcntl(reading, F_SETLEASE, F_UNLCK) < 0)
        return -1;
    return file_size(reading, size_out);
}

static char *read_from(int fd, int64_t offset, size_t len)
{
    char *data = xmalloc(len + 1);
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, data + got, len - got, offset + (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(data);
            return NULL;
        }
        got += (size_t)n;
    }
    data[len] = '\0';
    return data;
}

void *convert_memfile_read(int fd, int64_t offset, size_t max, size_t *len_out)
{
    int64_t size;
    if (file_size(fd, &size) < 0 || size < offset || (uint64_t)(size - offset) > max)
        return NULL;
    *len_out = (size_t)(size - offset);
    return read_from(fd, offset, *len_out);
}

void *convert_memfile_read_start(int fd, size_t len)
{
    return read_from(fd, 0, len);
}
