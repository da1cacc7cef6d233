#include "mapping/store_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "base/xmalloc.h"

enum { PATH_LENGTH_MAX = 4096, PIECE_SIZE = 64 * 1024 };
static const char digits[] = "0123456789abcdef";
static const char temporary_prefix[] = "tmp-"; /* six more: a crash of tmpfile_new() where there is no O_TMPFILE */

static int fail(const char *doing, const char *where)
{
    log_error("store.content_file", "doing=%s path=%s error=%s", doing, where, strerror(errno));
    return -1;
}

static char *path_of(const char *directory, const char *name)
{
    struct strbuf path;
    strbuf_init(&path, PATH_LENGTH_MAX);
    strbuf_add_fmt(&path, "%s/%s", directory, name);
    return strbuf_detach(&path); /* one that was cut names nothing of ours: there is no '/' and 32 digits after it */
}

static void make_name(char out[static STORE_FILE_NAME_SIZE])
{
    uint8_t random[STORE_FILE_NAME_LENGTH / 2];
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        out[2 * i] = digits[random[i] >> 4];
        out[2 * i + 1] = digits[random[i] & 15];
    }
    out[STORE_FILE_NAME_LENGTH] = 0;
}

bool store_file_is_name(const char *name)
{
    return strlen(name) == STORE_FILE_NAME_LENGTH && strspn(name, digits) == STORE_FILE_NAME_LENGTH;
}

static bool is_temporary(const char *name)
{
    size_t len = sizeof temporary_prefix - 1;
    return strncmp(name, temporary_prefix, len) == 0 && strlen(name) == len + 6;
}

int store_file_make_directory(const char *directory)
{
    struct stat info;
    if ((mkdir(directory, 0700) < 0 && errno != EEXIST) || stat(directory, &info) < 0)
        return -1;
    if (!S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    if ((info.st_mode & 077) != 0 && chmod(directory, 0700) < 0)
        return -1;
    return file_sync_directory_of(directory); /* also when it is there: whoever made it may have ended before this */
}

static int copy_bytes(int from, int to, int64_t size)
{
    uint8_t *piece = xmalloc(PIECE_SIZE);
    int result = 1;
    for (int64_t offset = 0; offset < size && result == 1;) {
        int64_t rest = size - offset;
        ssize_t got = pread(from, piece, rest < PIECE_SIZE ? (size_t)rest : PIECE_SIZE, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* shorter than was said */
        result = got > 0 ? file_write_all(to, piece, (size_t)got) : -1;
        offset += got;
    }
    free(piece);
    return result;
}

static int keep_copy(const char *path, int from, int64_t size)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail("creating", path);
    int result = copy_bytes(from, fd, size) == 1 && fsync(fd) == 0 ? 1 : fail("copying to", path);
    close(fd);
    if (result != 1)
        unlink(path);
    return result;
}

/* 0: it has to be copied. The sync comes before the name, so that a name means that all of it is there. */
static int keep_in_place(const char *path, int fd, int64_t size)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return fail("looking at", path);
    if (info.st_size != size)
        return 0;
    if (fsync(fd) < 0)
        return fail("syncing", path);
    int named = tmpfile_name(fd, path);
    return named < 0 ? fail("naming", path) : named;
}

int store_file_keep(const char *directory, int fd, int64_t size, char name_out[static STORE_FILE_NAME_SIZE])
{
    make_name(name_out);
    char *path = path_of(directory, name_out);
    int result = keep_in_place(path, fd, size);
    if (result == 0)
        result = keep_copy(path, fd, size);
    if (result == 1 && file_sync_directory(directory) < 0) {
        result = fail("syncing", directory);
        unlink(path);
    }
    free(path);
    return result;
}

int store_file_open(const char *directory, const char *name, int64_t size, int *fd_out)
{
    struct stat info;
    if (!store_file_is_name(name)) /* whatever got into the database must not lead anywhere else */
        return 0;
    char *path = path_of(directory, name);
    int result = 1, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        result = errno == ENOENT ? 0 : fail("opening", path);
    else if (fstat(fd, &info) < 0)
        result = fail("looking at", path);
    else if (info.st_size != size)
        result = 0;
    if (result == 1)
        *fd_out = fd;
    else if (fd >= 0)
        close(fd);
    free(path);
    return result;
}

void store_file_remove(const char *directory, const char *name)
{
    char *path = path_of(directory, name);
    if (unlink(path) < 0 && errno != ENOENT)
        fail("removing", path);
    free(path);
}

int store_file_sweep(const char *directory, int (*is_named)(const char *name, void *ctx), void *ctx)
{
    DIR *entries = opendir(directory);
    if (!entries)
        return fail("reading", directory);
    const struct dirent *entry;
    unsigned removed = 0;
    int result = 1;
    while (result == 1 && (entry = readdir(entries))) {
        int named = is_temporary(entry->d_name)         ? 0
                    : store_file_is_name(entry->d_name) ? is_named(entry->d_name, ctx)
                                                        : 1;
        if (named == 0) {
            store_file_remove(directory, entry->d_name);
            removed++;
        }
        result = named < 0 ? -1 : 1;
    }
    closedir(entries);
    if (removed > 0)
        log_info("store.swept", "directory=%s removed=%u", directory, removed);
    return result;
}
