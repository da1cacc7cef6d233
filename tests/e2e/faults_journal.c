/* faults_journal.c - what was there before, until it is synced: an undo log for tests/e2e/power.py; see faults.h
 *
 * A record is a header, a path and data. Types: W written (data: what whole pages held before, as far as the file went), T truncated
 * (likewise of what is cut off), S synced and F a sync that failed (offset: where the journal was when it began), U unlinked (data: the
 * path of a second name), L linked, M directory made, R renamed (data: the old name; a U of
 * what was there comes before it).
 */
#include "tests/e2e/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE_SIZE = 4096 };

struct header {
    uint64_t type;
    uint64_t inode, born; /* together they name a file: inodes are used again */
    int64_t offset, end;  /* of what is changed, in whole pages */
    int64_t size;         /* of the file: before, or at a sync */
    uint32_t path_len, data_len;
};

static int journal = -1;
static const char *journal_path;
static unsigned stashed;
static pthread_mutex_t stash_mutex = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void open_journal(void)
{
    journal_path = getenv("POSTERN_FAULT_JOURNAL");
    if (journal_path && strcmp(program_invocation_short_name, "posternd") == 0 &&
        (journal = open(journal_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        abort();
}

bool journal_is_kept(void)
{
    return journal >= 0;
}

/* One system call, so that a kill leaves a record whole or out; by its number, for the library's functions are ours. */
static void add(struct header *header, const char *path, const void *data, size_t data_len)
{
    header->path_len = (uint32_t)strlen(path);
    header->data_len = (uint32_t)data_len;
    struct iovec parts[] = { { header, sizeof *header },
                             { (void *)path, header->path_len },
                             { (void *)data, data_len } };
    ssize_t wanted = (ssize_t)(sizeof *header + header->path_len + data_len);
    if (syscall(SYS_writev, journal, parts, 3) != wanted)
        abort();
}

static int identify(int fd, struct header *header)
{
    struct statx info;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0)
        return -1;
    header->inode = info.stx_ino;
    header->born = (uint64_t)info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
    header->size = (int64_t)info.stx_size;
    return 1;
}

/* to: -1 to the end. */
static void add_old(char type, int fd, const char *path, int64_t from, int64_t to)
{
    struct header header = { .type = (uint64_t)type, .offset = from / PAGE_SIZE * PAGE_SIZE };
    if (identify(fd, &header) < 0)
        return;
    from = header.offset;
    header.end = to < 0 ? header.size : (to + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
    to = header.end < header.size ? header.end : header.size;
    size_t len = to > from ? (size_t)(to - from) : 0, got = 0;
    char *data = malloc(len + 1);
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    /* Whoever writes need not be allowed to read. */
    int readable = open(own, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    while (data && got < len && n > 0) {
        n = pread(readable, data + got, len - got, from + (int64_t)got);
        got += n > 0 ? (size_t)n : 0;
    }
    close(readable);
    add(&header, path, data, got);
    free(data);
}

void journal_write(int fd, const char *path, int64_t offset, size_t len)
{
    int error = errno;
    if (journal >= 0 && offset >= 0)
        add_old('W', fd, path, offset, offset + (int64_t)len);
    errno = error;
}

void journal_truncate(int fd, const char *path, int64_t size)
{
    int error = errno;
    if (journal >= 0)
        add_old('T', fd, path, size, -1);
    errno = error;
}

int64_t journal_position(void)
{
    return journal >= 0 ? lseek(journal, 0, SEEK_END) : 0;
}

void journal_sync(int fd, int64_t position, bool has_worked)
{
    int error = errno;
    char path[FAULT_PATH_SIZE];
    struct header header = { .type = has_worked ? 'S' : 'F' };
    if (journal >= 0 && fault_place_of_fd(fd, path) != FAULT_NOWHERE && identify(fd, &header) == 1) {
        header.offset = position;
        add(&header, path, NULL, 0);
    }
    errno = error;
}

/* A second name for what is at path; "" if there is nothing. */
static void stash(const char *path, char out[static FAULT_PATH_SIZE])
{
    pthread_mutex_lock(&stash_mutex);
    do
        snprintf(out, FAULT_PATH_SIZE, "%s.stash/%u", journal_path, ++stashed);
    while (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, out, 0) != 0 && errno == EEXIST);
    if (access(out, F_OK) != 0)
        out[0] = 0;
    pthread_mutex_unlock(&stash_mutex);
}

void journal_unlink(const char *path)
{
    int error = errno;
    char second[FAULT_PATH_SIZE];
    struct header header = { .type = 'U' };
    if (journal >= 0) {
        stash(path, second);
        if (second[0])
            add(&header, path, second, strlen(second));
    }
    errno = error;
}

void journal_name(char type, const char *path, const char *more)
{
    int error = errno;
    struct header header = { .type = (uint64_t)type };
    if (journal >= 0)
        add(&header, path, more, strlen(more));
    errno = error;
}
