/* ctl_backup.c - posternctl backup: the state in one file, or on standard output
 *
 * The file has no name until it is whole, synced and verified, then takes the place of what was there by a rename(): nobody
 * ever sees half a backup under its name, and the backup of yesterday is there until that of today is.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/ctl_state.h"
#include "gateway/ctl_terminal.h"
#include "gateway/ctl_words.h"
#include "gateway/service.h"

enum { PATH_LENGTH_MAX = 4096, PIECE = 1024 * 1024, NICENESS = 10, LEFT_FREE = 256 * 1024 * 1024 /* gateway_room.c */ };

struct backup {
    const char *target; /* NULL: standard output */
    char *directory, *temporary;
    char *database;
    int fd;
    struct store_backup_about about;
    int64_t size;
};

/* A mistyped name must not cost somebody a file: only backups are replaced. */
static int judge_target(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 1 : ctl_state_fail(path, strerror(errno));
    bool is_replaceable =
        fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_size == 0 || store_backup_is_one(fd));
    close(fd);
    return is_replaceable ? 1 : ctl_state_fail(path, "there is something that is no backup of Postern, and stays");
}

static char *directory_of(const char *path)
{
    struct strbuf directory;
    const char *slash = strrchr(path, '/');
    strbuf_init(&directory, PATH_LENGTH_MAX);
    if (slash)
        strbuf_add(&directory, path, slash == path ? 1 : (size_t)(slash - path));
    else
        strbuf_add_char(&directory, '.');
    return strbuf_detach(&directory);
}

static void name_temporary(struct backup *backup)
{
    uint8_t random[8];
    struct strbuf name;
    random_bytes(random, sizeof random);
    strbuf_init(&name, PATH_LENGTH_MAX);
    strbuf_add_fmt(&name, "%s.", backup->target);
    for (size_t i = 0; i < sizeof random; i++)
        strbuf_add_fmt(&name, "%02x", random[i]);
    backup->temporary = strbuf_detach(&name);
}

/* Of the state's owner's files. -1 after having said why not. */
static int measure(const struct backup *backup, int64_t *needed_out)
{
    char *error = NULL;
    int result = store_backup_measure(backup->database, needed_out, &error);
    if (result < 0)
        fprintf(stderr, "posternctl: %s\n", error);
    free(error);
    return result;
}

/* Before anything is written: a full disk would hurt others, too, and first of all a daemon that takes no mail any more. */
static int look_for_room(const struct backup *backup, const struct config *config, int64_t needed)
{
    struct statvfs disk;
    struct stat here, state = { .st_dev = 0 };
    if (statvfs(backup->directory, &disk) < 0 || stat(backup->directory, &here) < 0)
        return ctl_state_fail(backup->directory, strerror(errno));
    if (stat(config->state_dir, &state) == 0 && state.st_dev == here.st_dev)
        needed += LEFT_FREE;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room >= (uint64_t)needed)
        return 1;
    fprintf(stderr, "posternctl: %s: there is room for %" PRIu64 " octets, and the backup needs some %" PRId64 "%s\n",
            backup->directory, room, needed,
            state.st_dev == here.st_dev ? ", with what the daemon wants to be free on the disk of state_dir" : "");
    return -1;
}

static int write_and_verify(struct backup *backup, int64_t now)
{
    struct ctl_state_bar bar = { NULL, NULL };
    const struct store_backup_watch watch = ctl_state_watch(&bar);
    struct store_backup_about verified;
    char *error = NULL;
    struct stat info;
    int result = store_backup_write(backup->database, backup->fd, now, &watch, &backup->about, &error);
    if (result == 1)
        result = store_backup_verify(backup->fd, &watch, &verified, &error);
    ctl_state_bar_clear(&bar);
    if (result < 0)
        fprintf(stderr, "posternctl: no backup was made: %s\n", error);
    else if (fstat(backup->fd, &info) == 0)
        backup->size = info.st_size;
    free(error);
    return result;
}

/* fd's bytes, to somewhere. */
static int copy_out(const struct backup *backup, int to)
{
    char *piece = xmalloc(PIECE);
    int result = 1;
    for (int64_t at = 0; at < backup->size && result == 1;) {
        ssize_t got = pread(backup->fd, piece, PIECE, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        result = got > 0 ? file_write_all(to, piece, (size_t)got) : -1;
        at += got;
    }
    free(piece);
    return result;
}

/* Where a file that was made without a name can't be given one. */
static int copy_to_temporary(const struct backup *backup)
{
    int fd = open(backup->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = fd >= 0 && copy_out(backup, fd) == 1 && fsync(fd) == 0 ? 1 : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return result;
}

static int give_name(struct backup *backup)
{
    name_temporary(backup);
    int named = tmpfile_name(backup->fd, backup->temporary);
    if (named == 0)
        named = copy_to_temporary(backup);
    if (named == 1 && rename(backup->temporary, backup->target) == 0)
        return file_sync_directory(backup->directory) == 1 ? 1 : ctl_state_fail(backup->directory, strerror(errno));
    ctl_state_fail(backup->target, strerror(errno));
    unlink(backup->temporary);
    return -1;
}

static void show(const struct backup *backup, const struct config *config, bool json)
{
    struct admin_output *output = admin_output_new();
    admin_output_string(output, "file", backup->target ? backup->target : "-");
    admin_output_int(output, "size", backup->size);
    ctl_state_add_about(output, &backup->about);
    ctl_state_add_absent(output, config);
    ctl_state_show(output, json, backup->target ? stdout : stderr);
    admin_output_free(&output);
    if (backup->about.missing_files > 0)
        fprintf(stderr,
                "posternctl: warning: %" PRId64 " files of content were gone already, so what was in them is in no "
                "backup of this state\n",
                backup->about.missing_files);
}

/* Whoever works meanwhile goes first. */
static void step_back(void)
{
    if (setpriority(PRIO_PROCESS, 0, NICENESS) < 0)
        return; /* as well without */
}

/* Root reads as whoever owns the folder, which may have links in it that lead elsewhere; service_return() ends that. */
static int read_as_owner(const struct config *config)
{
    struct stat info;
    char *error = NULL;
    if (stat(config->state_dir, &info) < 0)
        return ctl_state_fail(config->state_dir, strerror(errno));
    if (service_act_as(info.st_uid, info.st_gid, false, &error) == 1)
        return 1;
    fprintf(stderr, "posternctl: %s\n", error);
    free(error);
    return -1;
}

static int write_as_owner(struct backup *backup, const struct config *config)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (read_as_owner(config) < 0)
        return -1;
    int result = write_and_verify(backup, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    service_return();
    return result;
}

static int make(struct backup *backup, const struct config *config, bool json)
{
    int64_t needed = 0;
    backup->directory = backup->target ? directory_of(backup->target) : xstrdup(config->state_dir);
    if (read_as_owner(config) < 0)
        return -1;
    int measured = measure(backup, &needed);
    service_return();
    if (measured < 0 || look_for_room(backup, config, needed) < 0)
        return -1;
    backup->fd = tmpfile_new(backup->directory);
    if (backup->fd < 0)
        return ctl_state_fail(backup->directory, strerror(errno));
    if (write_as_owner(backup, config) < 0)
        return -1;
    if (!backup->target && copy_out(backup, STDOUT_FILENO) < 0)
        return ctl_state_fail("standard output", strerror(errno));
    if (backup->target && give_name(backup) < 0)
        return -1;
    show(backup, config, json);
    return 1;
}

int ctl_backup(const struct ctl *ctl, int argc, char **argv)
{
    static const char *const names[] = { NULL };
    struct ctl_words words;
    struct strbuf database;
    struct backup backup = { .fd = -1 };
    if (ctl_words_sort(ctl, argc - 1, argv + 1, names, 1, 1, CTL_BACKUP_USAGE, &words) < 0)
        return CTL_USAGE;
    backup.target = strcmp(words.arguments[0], "-") == 0 ? NULL : words.arguments[0];
    if (!backup.target && ctl_is_terminal(STDOUT_FILENO)) {
        fputs("posternctl: a backup is not written on a terminal\n", stderr);
        return CTL_USAGE;
    }
    if (backup.target && judge_target(backup.target) < 0)
        return CTL_REFUSED;
    struct config *config = ctl_config_load(ctl);
    if (!config)
        return EX_CONFIG;
    ctl_state_database(config, &database);
    backup.database = database.data;
    step_back();
    int result = make(&backup, config, words.json);
    if (backup.fd >= 0)
        close(backup.fd);
    free(backup.directory);
    free(backup.temporary);
    strbuf_free(&database);
    config_free(&config);
    return result == 1 ? CTL_OK : CTL_REFUSED;
}
