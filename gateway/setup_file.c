/* setup_file.c - files and folders of a first configuration; see setup.h */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/run_program.h"
#include "gateway/setup.h"

enum {
    PATH_SIZE = 5000,
    ERROR_MAX = 6000,
    USERADD_MS = 15 * 1000,
    OUTPUT_MAX = 4000,
    CONFIG_MODE = 0640,
    FOLDER_MODE = 0755
};

static int fail(char **error_out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(char **error_out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    *error_out = strbuf_vtext(ERROR_MAX, fmt, args);
    va_end(args);
    return -1;
}

int setup_find_owner(const char *user, const char *state_dir, struct setup_owner *owner_out)
{
    struct stat st;
    *owner_out = (struct setup_owner){ .is_root = geteuid() == 0, .uid = geteuid(), .gid = getegid() };
    if ((!user || !*user) && owner_out->is_root && stat(state_dir, &st) == 0) {
        owner_out->uid = st.st_uid;
        owner_out->gid = st.st_gid;
    }
    if (!user || !*user)
        return 1;
    const struct passwd *entry = getpwnam(user);
    if (!entry)
        return -1;
    owner_out->uid = entry->pw_uid;
    owner_out->gid = entry->pw_gid;
    return 1;
}

int setup_make_user(const char *user, const char *home, char **error_out)
{
    const char *const command[] = { "useradd",          "--system", "--user-group",      "--home-dir", home,
                                    "--no-create-home", "--shell",  "/usr/sbin/nologin", user,         NULL };
    struct strbuf output;
    strbuf_init(&output, OUTPUT_MAX);
    int result = run_program(command, USERADD_MS, true, &output) == 0 ? 1 : -1;
    if (result < 0)
        result = fail(error_out, "the user %s can't be made: %.*s", user,
                      output.len > 0 ? (int)strcspn(output.data, "\n") : 30,
                      output.len > 0 ? output.data : "useradd is not there");
    strbuf_free(&output);
    return result;
}

/* Those above. */
static int make_parents(const char *path, char **error_out)
{
    char *copy = xstrdup(path);
    int result = 1;
    for (char *slash = strchr(copy + 1, '/'); slash && result == 1; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, FOLDER_MODE) < 0 && errno != EEXIST)
            result = fail(error_out, "%s can't be made: %s", copy, strerror(errno));
        *slash = '/';
    }
    free(copy);
    return result;
}

/* Is it of no use to anybody else? What has something in it and is neither the owner's nor a state of ours, such as /var/lib, must
 * not be taken from those who need it. */
static bool is_for_us(int fd, const struct stat *st, const struct setup_owner *owner)
{
    struct stat database;
    if (st->st_uid == owner->uid && st->st_uid != 0)
        return true;
    if (fstatat(fd, "postern.db", &database, AT_SYMLINK_NOFOLLOW) == 0 ||
        fstatat(fd, "postern.lock", &database, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry = NULL;
    if (!entries)
        return false;
    while ((entry = readdir(entries)) && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
        ;
    bool is_empty = !entry;
    closedir(entries);
    return is_empty;
}

int setup_make_folder(const char *path, const struct setup_owner *owner, unsigned mode, char **error_out)
{
    struct stat st;
    if (make_parents(path, error_out) < 0)
        return -1;
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return fail(error_out, "%s can't be made: %s", path, strerror(errno));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail(error_out, "%s can't be opened: %s", path, strerror(errno));
    bool ok = fstat(fd, &st) == 0;
    if (ok && !is_for_us(fd, &st, owner)) {
        close(fd);
        return fail(error_out, "%s is there already, with files of others in it; name a folder of the gateway's own",
                    path);
    }
    if (ok && owner->is_root && (st.st_uid != owner->uid || st.st_gid != owner->gid))
        ok = fchown(fd, owner->uid, owner->gid) == 0;
    ok = ok && ((st.st_mode & 07777) == mode || fchmod(fd, mode) == 0);
    int result = ok ? 1 : fail(error_out, "%s can't be given its owner and mode: %s", path, strerror(errno));
    close(fd);
    return result;
}

int setup_give_file(const char *file, const struct setup_owner *owner, char **error_out)
{
    if (owner->is_root && (chown(file, 0, owner->gid) < 0 || chmod(file, CONFIG_MODE) < 0))
        return fail(error_out, "%s can't be given its owner and mode: %s", file, strerror(errno));
    return 1;
}

/* Its content is on disk before its name is. */
static int write_draft(const char *draft, const char *text, const struct setup_owner *owner, char **error_out)
{
    (void)unlink(draft); /* of an earlier run that was cut off */
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(error_out, "%s can't be written: %s", draft, strerror(errno));
    bool ok = file_write_all(fd, text, strlen(text)) == 1;
    ok = ok && (!owner->is_root || fchown(fd, 0, owner->gid) == 0) && fchmod(fd, CONFIG_MODE) == 0 && fsync(fd) == 0;
    int error = errno;
    ok = close(fd) == 0 && ok;
    if (ok)
        return 1;
    (void)unlink(draft);
    return fail(error_out, "%s can't be written: %s", draft, strerror(error));
}

/* The backup is another name of the old file, so there is no moment without one. */
static int put_in_place(const char *file, const char *draft, const char *backup, char **error_out)
{
    (void)unlink(backup);
    if (link(file, backup) < 0 && errno != ENOENT)
        return fail(error_out, "%s can't be kept as %s: %s", file, backup, strerror(errno));
    if (rename(draft, file) < 0)
        return fail(error_out, "%s can't be put in place: %s", draft, strerror(errno));
    return 1;
}

/* All but what a link leads to. */
static int write_there(const char *file, const char *text, const struct setup_owner *owner, char **error_out)
{
    struct strbuf draft, backup;
    strbuf_init(&draft, PATH_SIZE);
    strbuf_init(&backup, PATH_SIZE);
    strbuf_add_fmt(&draft, "%s.new", file);
    strbuf_add_fmt(&backup, "%s.bak", file);
    int result =
        strbuf_ok(&draft) ? write_draft(draft.data, text, owner, error_out) : fail(error_out, "the path is too long");
    if (result == 1 && (result = put_in_place(file, draft.data, backup.data, error_out)) < 0)
        (void)unlink(draft.data);
    strbuf_free(&draft);
    strbuf_free(&backup);
    return result;
}

int setup_write_file(const char *file, const char *text, const struct setup_owner *owner, char **error_out)
{
    sigset_t all, before;
    char *real = realpath(file, NULL); /* a link stays one */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); /* nothing of it is left half done */
    int result = write_there(real ? real : file, text, owner, error_out);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(real);
    return result;
}
