/* store_restore.c - putting a backup back; see store_backup.h
 *
 * What is new is made ready in "restore-new", what is old gets second names in "before-restore-...": files are linked, not
 * moved. Then the new content gets its names beside the old, which hurts nobody (a name is never given twice, and the old
 * database does not name it), and one rename() puts the new database in the place of the old one. A
 * daemon that starts before that has the old state, and one that starts after it the new; either sweeps from content/ what its
 * database does not name. The log of the old database has to be empty before: SQLite would read it into the new one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "mapping/store_audit.h"
#include "mapping/store_backup_internal.h"
#include "mapping/store_internal.h"

static const char new_name[] = "restore-new", aside_prefix[] = "before-restore-";

enum { ASIDE_MAX = 100 }; /* restores in one second */

struct restoring {
    int fd;
    const struct store_restore *given;
    const struct store_backup_watch *watch;
    char **error_out;
    struct store_backup_list list;
    int64_t done, total;
    int state; /* directory */
    int content, fresh, fresh_content, aside, aside_content;
    char database[NAME_MAX + 1]; /* its name in `state` */
    char aside_name[60];
    bool is_there;
};

static int fail(struct restoring *restoring, const char *doing, const char *what)
{
    store_backup_fail(restoring->error_out, "%s %s: %s", doing, what, strerror(errno));
    return -1;
}

/* Files and directories. */

static int open_directory(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* It is there, for its owner alone. */
static int make_directory(struct restoring *restoring, int at, const char *name, int *fd_out)
{
    if ((mkdirat(at, name, 0700) < 0 && errno != EEXIST) || (*fd_out = open_directory(at, name)) < 0 ||
        fchmod(*fd_out, 0700) < 0 || fchown(*fd_out, restoring->given->owner, restoring->given->group) < 0)
        return fail(restoring, "can't make", name);
    return 1;
}

static void close_directory(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Files of a directory, none below it; and the directory. What is not there is no error. */
static void remove_directory(int at, const char *name)
{
    int fd = open_directory(at, name);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (entries && (entry = readdir(entries)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
    else if (fd >= 0)
        close(fd);
    unlinkat(at, name, AT_REMOVEDIR);
}

static void remove_state(int at, const char *name)
{
    int fd = open_directory(at, name);
    if (fd < 0)
        return;
    remove_directory(fd, "content");
    close(fd);
    remove_directory(at, name);
}

/* Unpacking. */

static int unpack_member(struct restoring *restoring, const struct store_backup_member *member, int at,
                         const char *name)
{
    char *piece = xmalloc(STORE_BACKUP_PIECE);
    int out = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = out >= 0 && fchown(out, restoring->given->owner, restoring->given->group) == 0
                     ? 1
                     : fail(restoring, "can't write", name);
    for (int64_t done = 0; done < member->head.size && result == 1;) {
        int64_t rest = member->head.size - done;
        size_t len = rest < STORE_BACKUP_PIECE ? (size_t)rest : STORE_BACKUP_PIECE;
        if (store_backup_read_at(restoring->fd, piece, len, member->offset + done) < 0)
            result = fail(restoring, "can't read", "the backup");
        else if (store_backup_write_at(out, piece, len, done) < 0)
            result = fail(restoring, "can't write", name);
        done += (int64_t)len;
        restoring->done += (int64_t)len;
        store_backup_show(restoring->watch, "restoring", restoring->done, restoring->total);
    }
    if (out >= 0)
        close(out);
    free(piece);
    return result;
}

static const char *content_name(const struct store_backup_member *member)
{
    return strrchr(member->head.name, '/') + 1;
}

static int unpack(struct restoring *restoring)
{
    const struct store_backup_list *list = &restoring->list;
    remove_state(restoring->state, new_name); /* of one that was cut short */
    if (make_directory(restoring, restoring->state, new_name, &restoring->fresh) < 0 ||
        make_directory(restoring, restoring->fresh, "content", &restoring->fresh_content) < 0)
        return -1;
    for (size_t i = 1; i + 1 < list->count; i++)
        restoring->total += list->members[i].head.size;
    if (unpack_member(restoring, &list->members[1], restoring->fresh, restoring->database) < 0)
        return -1;
    for (size_t i = 2; i + 1 < list->count; i++)
        if (unpack_member(restoring, &list->members[i], restoring->fresh_content, content_name(&list->members[i])) < 0)
            return -1;
    return 1;
}

/* The database. */

static int fail_database(struct restoring *restoring, struct store_db *db, const char *doing)
{
    return store_backup_fail(restoring->error_out, "%s: %s", doing, sqlite3_errmsg(db->handle));
}

static int add_row(struct store_db *db, const struct store_restore *given, const struct store_backup_about *about)
{
    const struct store_actor actor = { .channel = "cli", .name = given->actor };
    char created[CLOCK_RFC3339_SIZE];
    struct strbuf before, after;
    strbuf_init(&before, STORE_AUDIT_TEXT_MAX);
    strbuf_init(&after, STORE_AUDIT_TEXT_MAX);
    clock_format_rfc3339(about->created_at, created);
    strbuf_add_str(&before, "what was there, and its audit log, is set aside");
    strbuf_add_fmt(&after, "the state of %s, from %s, which has %s as the audit log's head", created, given->source,
                   about->audit_head[0] ? about->audit_head : "nothing");
    int result = store_audit_add(db, &(struct store_audit_new){ .actor = &actor,
                                                                .action = "backup.restore",
                                                                .object = "database",
                                                                .before = before.data,
                                                                .after = after.data,
                                                                .now = given->now });
    strbuf_free(&before);
    strbuf_free(&after);
    return result;
}

/* Into the new database, which has no log beside it afterwards. One of an older schema has to be migrated first, which the daemon
 * does. */
static int note_restore(struct restoring *restoring)
{
    struct strbuf path;
    struct store_db *db = xcalloc(1, sizeof *db);
    if (restoring->list.about.schema != STORE_SCHEMA_VERSION) {
        free(db);
        return 1;
    }
    const char *slash = strrchr(restoring->given->path, '/');
    strbuf_init(&path, STORE_BACKUP_PATH_MAX);
    strbuf_add(&path, restoring->given->path, (size_t)(slash - restoring->given->path) + 1);
    strbuf_add_fmt(&path, "%s/%s", new_name, restoring->database);
    int result = store_db_open(db, path.data, true);
    if (result == 1 &&
        (store_execute(db, "PRAGMA secure_delete = ON", NULL) < 0 || store_execute(db, "BEGIN", NULL) < 0 ||
         add_row(db, restoring->given, &restoring->list.about) < 0 || store_execute(db, "COMMIT", NULL) < 0))
        result = -1;
    if (result == 1 && sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
        result = -1;
    if (result < 0)
        fail_database(restoring, db, "can't write into the audit log");
    store_db_close(db);
    free(db);
    strbuf_free(&path);
    return result;
}

/* The log of the old database goes into it. 1; 0 that can't be done: the old one is damaged; -1 somebody else uses it. */
static int empty_old_log(struct restoring *restoring)
{
    struct store_db *db = xcalloc(1, sizeof *db);
    struct stat info;
    int code = SQLITE_ERROR;
    int result = 1;
    if (stat(restoring->given->path, &info) == 0 && info.st_size > 0) {
        if (store_db_open(db, restoring->given->path, true) == 1)
            code = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        result = code == SQLITE_OK ? 1 : (code & 0xff) == SQLITE_BUSY ? -1 : 0;
        if (result < 0)
            store_backup_fail(restoring->error_out, "%s is in use by another program", restoring->given->path);
        store_db_close(db);
    }
    free(db);
    return result;
}

/* What is there gets second names. */

static int link_file(struct restoring *restoring, int from, const char *name, int to)
{
    if (linkat(from, name, to, name, 0) < 0 && errno != EEXIST && errno != ENOENT)
        return fail(restoring, "can't set aside", name);
    return 1;
}

static void compose_side_name(const struct restoring *restoring, const char *suffix, char out[static NAME_MAX + 1])
{
    struct strbuf name;
    strbuf_init(&name, NAME_MAX);
    strbuf_add_fmt(&name, "%s%s", restoring->database, suffix);
    memcpy(out, name.data, name.len + 1);
    strbuf_free(&name);
}

static int link_content(struct restoring *restoring)
{
    int fd = openat(restoring->content, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int result = entries ? 1 : fail(restoring, "can't read", "content");
    while (result == 1 && (entry = readdir(entries)))
        if (store_file_is_name(entry->d_name))
            result = link_file(restoring, restoring->content, entry->d_name, restoring->aside_content);
    if (entries)
        closedir(entries);
    return result;
}

/* A new directory, called after the time. */
static int make_aside(struct restoring *restoring)
{
    time_t seconds = (time_t)(restoring->given->now / 1000);
    struct tm utc;
    char stamp[24];
    int made = -1;
    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    for (unsigned i = 1; i <= ASIDE_MAX && made < 0; i++) {
        if (i == 1)
            snprintf(restoring->aside_name, sizeof restoring->aside_name, "%s%s", aside_prefix, stamp);
        else
            snprintf(restoring->aside_name, sizeof restoring->aside_name, "%s%s-%u", aside_prefix, stamp, i);
        made = mkdirat(restoring->state, restoring->aside_name, 0700);
        if (made < 0 && errno != EEXIST)
            break;
    }
    if (made < 0)
        return fail(restoring, "can't make", restoring->aside_name);
    return make_directory(restoring, restoring->state, restoring->aside_name, &restoring->aside);
}

static int set_aside(struct restoring *restoring)
{
    char side[NAME_MAX + 1];
    struct stat log;
    if (make_aside(restoring) < 0 ||
        make_directory(restoring, restoring->aside, "content", &restoring->aside_content) < 0 ||
        link_file(restoring, restoring->state, restoring->database, restoring->aside) < 0 ||
        link_content(restoring) < 0)
        return -1;
    compose_side_name(restoring, "-wal", side);
    bool has_log = fstatat(restoring->state, side, &log, AT_SYMLINK_NOFOLLOW) == 0 && log.st_size > 0;
    return has_log ? link_file(restoring, restoring->state, side, restoring->aside) : 1;
}

/* Is it of a restore that was cut short before anything was changed? Then its database is the one that is used, or it has none yet. What has
 * a log is of a damaged database, and perhaps nowhere else. */
static bool is_stale(const struct restoring *restoring, const char *directory)
{
    struct stat current, other;
    char name[2 * NAME_MAX + 8];
    snprintf(name, sizeof name, "%s/%s-wal", directory, restoring->database);
    if (faccessat(restoring->state, name, F_OK, 0) == 0 ||
        fstatat(restoring->state, restoring->database, &current, 0) < 0)
        return false;
    snprintf(name, sizeof name, "%s/%s", directory, restoring->database);
    if (fstatat(restoring->state, name, &other, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT;
    return other.st_ino == current.st_ino && other.st_dev == current.st_dev;
}

static void remove_stale(struct restoring *restoring)
{
    int fd = openat(restoring->state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (entries && (entry = readdir(entries)))
        if (strncmp(entry->d_name, aside_prefix, sizeof aside_prefix - 1) == 0 && is_stale(restoring, entry->d_name))
            remove_state(restoring->state, entry->d_name);
    if (entries)
        closedir(entries);
    else if (fd >= 0)
        close(fd);
}

/* The change. */

static int place_content(struct restoring *restoring)
{
    const struct store_backup_list *list = &restoring->list;
    for (size_t i = 2; i + 1 < list->count; i++) {
        const char *name = content_name(&list->members[i]);
        if (renameat(restoring->fresh_content, name, restoring->content, name) < 0)
            return fail(restoring, "can't put back", name);
    }
    return 1;
}

/* Of a damaged database the log can't be read into it: it stands aside, and goes. What is there of a sound one is empty. */
static void remove_old_log(const struct restoring *restoring)
{
    static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char side[NAME_MAX + 1];
        compose_side_name(restoring, suffixes[i], side);
        unlinkat(restoring->state, side, 0);
    }
}

/* Everything that was written to this file system is on its disk. */
static int settle(struct restoring *restoring)
{
    return syncfs(restoring->state) == 0 ? 1 : fail(restoring, "can't sync", "the files");
}

static int change(struct restoring *restoring)
{
    int emptied = restoring->is_there ? empty_old_log(restoring) : 1;
    if (emptied < 0)
        return -1;
    if (restoring->is_there && set_aside(restoring) < 0)
        return -1;
    if (place_content(restoring) < 0 || settle(restoring) < 0)
        return -1;
    remove_old_log(restoring);
    if (fsync(restoring->state) < 0)
        return fail(restoring, "can't sync", "state_dir");
    if (renameat(restoring->fresh, restoring->database, restoring->state, restoring->database) < 0)
        return fail(restoring, "can't put back", restoring->database);
    /* From here on the new state is there. */
    if (fsync(restoring->state) < 0)
        return fail(restoring, "the backup is put back, but may not be there after a power cut; can't sync",
                    "state_dir");
    return 1;
}

static int prepare(struct restoring *restoring)
{
    struct strbuf directory;
    const char *slash = strrchr(restoring->given->path, '/');
    struct stat info;
    if (!slash || strlen(slash + 1) > NAME_MAX - 10)
        return store_backup_fail(restoring->error_out, "%s is no path of a database", restoring->given->path);
    memcpy(restoring->database, slash + 1, strlen(slash + 1) + 1);
    strbuf_init(&directory, STORE_BACKUP_PATH_MAX);
    strbuf_add(&directory, restoring->given->path, (size_t)(slash - restoring->given->path) + 1);
    restoring->state = open(directory.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = restoring->state >= 0 ? 1 : fail(restoring, "can't open", directory.data);
    strbuf_free(&directory);
    if (result == 1)
        result = make_directory(restoring, restoring->state, "content", &restoring->content);
    if (result == 1) {
        restoring->is_there = fstatat(restoring->state, restoring->database, &info, 0) == 0;
        remove_stale(restoring);
    }
    return result;
}

int store_restore(int fd, const struct store_restore *restore, const struct store_backup_watch *watch, char **aside_out,
                  char **error_out)
{
    struct restoring restoring = { .fd = fd,
                                   .given = restore,
                                   .watch = watch,
                                   .error_out = error_out,
                                   .state = -1,
                                   .content = -1,
                                   .fresh = -1,
                                   .fresh_content = -1,
                                   .aside = -1,
                                   .aside_content = -1 };
    *error_out = *aside_out = NULL;
    int result = store_backup_list_read(fd, &restoring.list, error_out);
    if (result == 1)
        result = prepare(&restoring);
    if (result == 1)
        result = unpack(&restoring);
    if (result == 1)
        result = note_restore(&restoring);
    if (result == 1)
        result = change(&restoring);
    if (result == 1 && restoring.is_there)
        *aside_out = xstrdup(restoring.aside_name);
    if (restoring.state >= 0) {
        remove_state(restoring.state, new_name);
        if (result < 0)
            remove_stale(&restoring);
    }
    int *directories[] = { &restoring.state,         &restoring.content, &restoring.fresh,
                           &restoring.fresh_content, &restoring.aside,   &restoring.aside_content };
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        close_directory(directories[i]);
    store_backup_list_free(&restoring.list);
    return result;
}

int store_restore_lock(const char *path, int *lock_out, bool *is_there_out, char **error_out)
{
    struct stat info;
    *is_there_out = stat(path, &info) == 0;
    return store_lock_take(path, lock_out, error_out);
}
