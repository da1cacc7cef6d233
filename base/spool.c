#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/tmpfile.h"
#include "base/xmalloc.h"

enum { FIRST_CAPACITY = 4096 };

struct spool {
    char *directory;
    size_t memory_max;
    uint8_t *memory; /* the whole content while fd is -1 */
    size_t capacity;
    int fd; /* the whole content once it has outgrown memory_max */
    int64_t size;
    bool failed; /* a write failed: what lies in the file is not what was added */
};

struct spool *spool_new(const char *directory, size_t memory_max)
{
    struct spool *spool = xcalloc(1, sizeof *spool);
    spool->directory = xstrdup(directory);
    spool->memory_max = memory_max;
    spool->fd = -1;
    return spool;
}

void spool_free(struct spool **spool)
{
    if (*spool == NULL)
        return;
    if ((*spool)->fd >= 0)
        close((*spool)->fd);
    free((*spool)->memory);
    free((*spool)->directory);
    free(*spool);
    *spool = NULL;
}

static int write_at(int fd, int64_t offset, const void *data, size_t len)
{
    const uint8_t *next = data;
    while (len > 0) {
        ssize_t written = pwrite(fd, next, len, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        next += written;
        offset += written;
        len -= (size_t)written;
    }
    return 1;
}

static void add_to_memory(struct spool *spool, const void *data, size_t len)
{
    size_t used = (size_t)spool->size;
    if (len > spool->capacity - used) {
        size_t capacity = spool->capacity == 0 ? FIRST_CAPACITY : spool->capacity * 2;
        if (capacity < used + len)
            capacity = used + len;
        if (capacity > spool->memory_max)
            capacity = spool->memory_max;
        spool->memory = xreallocarray(spool->memory, capacity, 1);
        spool->capacity = capacity;
    }
    memcpy(spool->memory + used, data, len);
    spool->size += (int64_t)len;
}

static int move_to_file(struct spool *spool)
{
    spool->fd = tmpfile_new(spool->directory);
    if (spool->fd < 0 || write_at(spool->fd, 0, spool->memory, (size_t)spool->size) < 0)
        return -1;
    free(spool->memory);
    spool->memory = NULL;
    spool->capacity = 0;
    return 1;
}

int spool_add(struct spool *spool, const void *data, size_t len)
{
    if (spool->failed) {
        errno = EIO;
        return -1;
    }
    if (len == 0)
        return 1;
    if (spool->fd < 0) {
        if (len <= spool->memory_max - (size_t)spool->size) {
            add_to_memory(spool, data, len);
            return 1;
        }
        if (move_to_file(spool) < 0) {
            spool->failed = true;
            return -1;
        }
    }
    if (write_at(spool->fd, spool->size, data, len) < 0) {
        spool->failed = true;
        return -1;
    }
    spool->size += (int64_t)len;
    return 1;
}

int64_t spool_size(const struct spool *spool)
{
    return spool->size;
}

static int64_t read_file(const struct spool *spool, int64_t offset, void *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(spool->fd, (uint8_t *)out + done, len - done, (off_t)(offset + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0) { /* shorter than what was written: somebody truncated it */
            errno = EIO;
            return -1;
        }
        done += (size_t)got;
    }
    return (int64_t)done;
}

int64_t spool_read(const struct spool *spool, int64_t offset, void *out, size_t len)
{
    if (spool->failed || offset < 0) {
        errno = spool->failed ? EIO : EINVAL;
        return -1;
    }
    if (offset >= spool->size)
        return 0;
    if ((uint64_t)len > (uint64_t)(spool->size - offset))
        len = (size_t)(spool->size - offset);
    if (spool->fd >= 0)
        return read_file(spool, offset, out, len);
    memcpy(out, spool->memory + offset, len);
    return (int64_t)len;
}

const void *spool_memory(const struct spool *spool)
{
    return spool->fd < 0 ? spool->memory : NULL;
}

int spool_dup_fd(const struct spool *spool)
{
    if (spool->failed) {
        errno = EIO;
        return -1;
    }
    if (spool->fd >= 0) {
        /* Opened anew through /proc rather than dup()ed: readers must not share one offset. */
        char path[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
        snprintf(path, sizeof path, "/proc/self/fd/%d", spool->fd);
        return open(path, O_RDONLY | O_CLOEXEC);
    }
    int fd = memfd_create("spool", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (write_at(fd, 0, spool->memory, (size_t)spool->size) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
