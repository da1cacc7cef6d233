#include "mapping/convert_memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"

int convert_memfile_new(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int convert_memfile_write(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 1;
}

int convert_memfile_copy(int fd, int from, int64_t size)
{
    off_t offset = 0;
    while (offset < size) {
        ssize_t n = sendfile(fd, from, &offset, (size_t)(size - offset));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno; /* shorter than it was said to be */
            return -1;
        }
    }
    return 1;
}

int convert_memfile_seal(int fd, int64_t *size_out)
{
    struct stat status;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 || fstat(fd, &status) < 0)
        return -1;
    *size_out = status.st_size;
    return 1;
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
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_size < offset || (uint64_t)(status.st_size - offset) > max)
        return NULL;
    *len_out = (size_t)(status.st_size - offset);
    return read_from(fd, offset, *len_out);
}

void *convert_memfile_read_start(int fd, size_t len)
{
    return read_from(fd, 0, len);
}
