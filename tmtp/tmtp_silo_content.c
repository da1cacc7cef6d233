/* tmtp_silo_content.c - message data on its way into the database or a file */
#include "tmtp/tmtp_silo_content.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { PATH_LIMIT = 4096, ID_DIGITS = 16 };

struct silo_content {
    const char *directory;
    uint64_t size;   /* bytes added so far */
    uint8_t *bytes;  /* NULL when there is a file */
    char *temporary; /* the file's path until it is kept; NULL otherwise */
    int fd;          /* -1 when there is none */
};

static char *path_of(const char *directory, uint64_t id)
{
    struct strbuf path;
    strbuf_init(&path, PATH_LIMIT);
    strbuf_add_fmt(&path, "%s/%016" PRIx64, directory, id);
    return strbuf_detach(&path);
}

struct silo_content *silo_content_new(const char *directory, uint64_t size)
{
    struct silo_content *content = xcalloc(1, sizeof *content);
    content->directory = directory;
    content->fd = -1;
    if (size <= SILO_CONTENT_INLINE_MAX) {
        content->bytes = xmalloc((size_t)size + 1);
        return content;
    }
    struct strbuf path;
    strbuf_init(&path, PATH_LIMIT);
    strbuf_add_fmt(&path, "%s/new-XXXXXX", directory);
    content->temporary = strbuf_detach(&path);
    content->fd = mkostemp(content->temporary, O_CLOEXEC);
    if (content->fd < 0) {
        free(content->temporary);
        content->temporary = NULL;
        silo_content_free(&content);
    }
    return content;
}

void silo_content_free(struct silo_content **content)
{
    if (*content == NULL)
        return;
    int error = errno;
    if ((*content)->fd >= 0)
        close((*content)->fd);
    if ((*content)->temporary != NULL)
        unlink((*content)->temporary);
    free((*content)->temporary);
    free((*content)->bytes);
    free(*content);
    *content = NULL;
    errno = error;
}

int silo_content_add(struct silo_content *content, const void *data, size_t len)
{
    if (content->bytes != NULL) {
        assert(content->size + len <= SILO_CONTENT_INLINE_MAX);
        memcpy(content->bytes + content->size, data, len);
    } else if (file_write_all(content->fd, data, len) != 1) {
        return -1;
    }
    content->size += len;
    return 1;
}

bool silo_content_is_file(const struct silo_content *content)
{
    return content->bytes == NULL;
}

uint64_t silo_content_size(const struct silo_content *content)
{
    return content->size;
}

const uint8_t *silo_content_bytes(const struct silo_content *content)
{
    return content->bytes;
}

int silo_content_keep(struct silo_content *content, uint64_t id)
{
    assert(content->temporary != NULL);
    if (fsync(content->fd) != 0)
        return -1;
    char *path = path_of(content->directory, id);
    int rc = rename(content->temporary, path) == 0 ? 1 : -1;
    free(path);
    if (rc != 1)
        return -1;
    free(content->temporary);
    content->temporary = NULL;
    return file_sync_directory(content->directory);
}

int silo_content_open(const char *directory, uint64_t id)
{
    char *path = path_of(directory, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    return fd;
}

void silo_content_remove(const char *directory, uint64_t id)
{
    char *path = path_of(directory, id);
    if (unlink(path) != 0)
        log_warning("silo.content_not_removed", "path=%s errno=%d", path, errno);
    free(path);
}

/* The id that a file is named after; 0 when it is named otherwise. */
static uint64_t id_of(const char *name)
{
    if (strlen(name) != ID_DIGITS || strspn(name, "0123456789abcdef") != ID_DIGITS)
        return 0;
    return strtoull(name, NULL, 16);
}

void silo_content_sweep(const char *directory, bool (*is_known)(uint64_t id, void *ctx), void *ctx)
{
    DIR *dir = opendir(directory);
    if (dir == NULL)
        return;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; nobody else has this directory stream */
    while ((entry = readdir(dir)) != NULL) {
        uint64_t id = id_of(entry->d_name);
        bool ours = id != 0 || strncmp(entry->d_name, "new-", 4) == 0;
        if (ours && !is_known(id, ctx) && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            log_info("silo.content_swept", "file=%s", entry->d_name);
    }
    closedir(dir);
}
