/* store_part.c - see store_part_internal.h. A VFS of the library for each part; https://www.sqlite.org/vfs.html */
#include "mapping/store_part_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xmalloc.h"

enum { NAME_SIZE = 40, SECTOR = 4096 };

struct store_part {
    sqlite3_vfs vfs; /* what is not ours is the default one's */
    char name[NAME_SIZE];
    int fd;
    int64_t offset, size;
    bool is_written;
};

struct part_file {
    sqlite3_file base; /* first: what the library knows */
    struct store_part *part;
};

static struct store_part *part_of(sqlite3_file *file)
{
    return ((struct part_file *)file)->part;
}

static int part_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int part_read(sqlite3_file *file, void *out, int wanted, sqlite3_int64 at)
{
    const struct store_part *part = part_of(file);
    int64_t there = part->size > at ? part->size - at : 0;
    size_t len = there < wanted ? (size_t)there : (size_t)wanted, got = 0;
    while (got < len) {
        ssize_t n = pread(part->fd, (char *)out + got, len - got, (off_t)(part->offset + at) + (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return SQLITE_IOERR_READ;
        got += (size_t)n;
    }
    if (got == (size_t)wanted)
        return SQLITE_OK;
    memset((char *)out + got, 0, (size_t)wanted - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int part_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct store_part *part = part_of(file);
    if (!part->is_written)
        return SQLITE_READONLY;
    for (int done = 0; done < len;) {
        ssize_t n =
            pwrite(part->fd, (const char *)data + done, (size_t)(len - done), (off_t)(part->offset + at) + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SQLITE_FULL : SQLITE_IOERR_WRITE;
        done += (int)n;
    }
    if (at + len > part->size)
        part->size = at + len;
    return SQLITE_OK;
}

static int part_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct store_part *part = part_of(file);
    if (!part->is_written)
        return SQLITE_READONLY;
    if (size < part->size)
        part->size = size;
    return SQLITE_OK; /* what stands behind it is written over */
}

static int part_sync(sqlite3_file *file, int flags)
{
    (void)file, (void)flags;
    return SQLITE_OK; /* the whole file is, at the end */
}

static int part_file_size(sqlite3_file *file, sqlite3_int64 *size_out)
{
    *size_out = part_of(file)->size;
    return SQLITE_OK;
}

static int part_lock(sqlite3_file *file, int level)
{
    (void)file, (void)level;
    return SQLITE_OK; /* nobody else has it */
}

static int part_check_lock(sqlite3_file *file, int *is_locked_out)
{
    (void)file;
    *is_locked_out = 0;
    return SQLITE_OK;
}

static int part_control(sqlite3_file *file, int what, void *arg)
{
    (void)file, (void)what, (void)arg;
    return SQLITE_NOTFOUND;
}

static int part_sector_size(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}

static int part_characteristics(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = part_close,
    .xRead = part_read,
    .xWrite = part_write,
    .xTruncate = part_truncate,
    .xSync = part_sync,
    .xFileSize = part_file_size,
    .xLock = part_lock,
    .xUnlock = part_lock,
    .xCheckReservedLock = part_check_lock,
    .xFileControl = part_control,
    .xSectorSize = part_sector_size,
    .xDeviceCharacteristics = part_characteristics,
};

/* Only the database: nothing keeps a journal, and what is temporary is in memory. */
static int part_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct part_file *opened = (struct part_file *)file;
    struct store_part *part = vfs->pAppData;
    (void)name;
    *opened = (struct part_file){ .part = part };
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return SQLITE_CANTOPEN;
    if (flags_out)
        *flags_out = flags;
    opened->base.pMethods = &methods;
    return SQLITE_OK;
}

static int part_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)name, (void)sync;
    return SQLITE_OK;
}

static int part_access(sqlite3_vfs *vfs, const char *name, int flags, int *is_there_out)
{
    (void)vfs, (void)name, (void)flags;
    *is_there_out = 0; /* no journal, no log */
    return SQLITE_OK;
}

static int part_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

struct store_part *store_part_new(int fd, int64_t offset, int64_t size)
{
    struct store_part *part = xcalloc(1, sizeof *part);
    sqlite3_initialize();
    part->vfs = *sqlite3_vfs_find(NULL);
    snprintf(part->name, sizeof part->name, "postern-part-%d", fd);
    part->vfs.zName = part->name;
    part->vfs.pNext = NULL;
    part->vfs.pAppData = part;
    part->vfs.szOsFile = sizeof(struct part_file);
    part->vfs.xOpen = part_open;
    part->vfs.xDelete = part_delete;
    part->vfs.xAccess = part_access;
    part->vfs.xFullPathname = part_full_path;
    part->fd = fd;
    part->offset = offset;
    part->size = size < 0 ? 0 : size;
    part->is_written = size < 0;
    sqlite3_vfs_register(&part->vfs, 0);
    return part;
}

int store_part_open(struct store_part *part, sqlite3 **handle_out)
{
    char uri[100];
    int flags = (part->is_written ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
                SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    snprintf(uri, sizeof uri, "file:part%s", part->is_written ? "" : "?immutable=1");
    int code = sqlite3_open_v2(uri, handle_out, flags, part->name);
    if (code == SQLITE_OK)
        code = sqlite3_exec(*handle_out,
                            part->is_written ? "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"
                                             : "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF",
                            NULL, NULL, NULL);
    return code;
}

int64_t store_part_size(const struct store_part *part)
{
    return part->size;
}

void store_part_free(struct store_part **part)
{
    if (!*part)
        return;
    sqlite3_vfs_unregister(&(*part)->vfs);
    free(*part);
    *part = NULL;
}
