/* doctor_files.c - the configuration, what it names, and what the daemon keeps: there, whole, and nobody else's */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/seal.h"
#include "base/signing_key.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/doctor_internal.h"
#include "gateway/relay_password.h"
#include "gateway/silo_token.h"

enum { PROBLEMS_SHOWN = 20, GROUPS_MAX = 256, PATH_SIZE = 4096 };

bool doctor_user_may(const struct doctor_user *user, mode_t mode, uid_t owner, gid_t group, int what)
{
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;
    if (user->is_known && user->uid == 0)
        return true;
    if (!user->is_known || getgrouplist(user->name, user->gid, groups, &count) < 0)
        count = 0;
    bool is_in_group = user->is_known && user->gid == group;
    for (int i = 0; i < count; i++)
        is_in_group = is_in_group || groups[i] == group;
    unsigned shift = user->is_known && user->uid == owner ? 6 : is_in_group ? 3 : 0;
    unsigned have = (mode >> shift) & 7, want = (unsigned)what; /* R_OK, W_OK, X_OK are the bits of a mode */
    return (have & want) == want;
}

void doctor_check_configuration(struct doctor *doctor)
{
    if (doctor->config) {
        doctor_say(doctor, DOCTOR_OK, "%s is valid", doctor->settings.config_file);
        return;
    }
    unsigned shown = 0;
    if (access(doctor->settings.config_file, R_OK) < 0 && errno == EACCES) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s may not read it", doctor->settings.config_file,
                   doctor->user.name ? doctor->user.name : "this user");
        doctor_advise(doctor, "run this as root: it is nothing for others to see");
        return;
    }
    for (const char *line = doctor->problems; *line && shown < PROBLEMS_SHOWN; shown++) {
        size_t len = strcspn(line, "\n");
        doctor_say(doctor, DOCTOR_FAILURE, "%.*s", (int)len, line);
        doctor_advise(doctor,
                      "postern.conf(5) has every key; posternd -t -c %s tests a change; posternctl setup writes a "
                      "new one",
                      doctor->settings.config_file);
        line += len + (line[len] != 0);
    }
}

/* The folder that it is in lets the daemon through, too. */
static bool may_read(const struct doctor *doctor, const char *file, const struct stat *st)
{
    struct stat folder;
    const char *slash = strrchr(file, '/');
    char *path = slash && slash > file ? xstrndup(file, (size_t)(slash - file)) : xstrdup(slash ? "/" : ".");
    bool may =
        stat(path, &folder) < 0 || doctor_user_may(&doctor->user, folder.st_mode, folder.st_uid, folder.st_gid, X_OK);
    free(path);
    return may && doctor_user_may(&doctor->user, st->st_mode, st->st_uid, st->st_gid, R_OK);
}

void doctor_check_configuration_mode(struct doctor *doctor)
{
    struct stat st;
    const char *file = doctor->settings.config_file;
    if (stat(file, &st) < 0 || access(file, R_OK) < 0)
        return; /* was said */
    const char *group = doctor->user.is_known && doctor->user.uid != 0 ? doctor->user.name : "root";
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) ||
        (st.st_uid != 0 && doctor->is_root && st.st_uid != geteuid() && st.st_uid != doctor->user.uid)) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s (mode %04o) can be changed by others, who could send mail anywhere",
                   file, (unsigned)st.st_mode & 07777);
        doctor_advise(doctor, "chown root:%s %s; chmod 0640 %s", group, file, file);
    } else if (!may_read(doctor, file, &st)) {
        doctor_say(doctor, DOCTOR_WARNING,
                   "%s, or the folder that it is in, can't be read by %s, so a reload will fail", file, group);
        doctor_advise(doctor, "chown root:%s on both; chmod 0640 on the file, 0750 on the folder", group);
    } else {
        doctor_say(doctor, DOCTOR_OK, "mode %04o", (unsigned)st.st_mode & 07777);
    }
}

void doctor_check_user(struct doctor *doctor)
{
    const char *name = doctor->config->user;
    if (name && !getpwnam(name)) {
        doctor_say(doctor, DOCTOR_FAILURE, "there is no user \"%s\"", name);
        doctor_advise(doctor,
                      "useradd --system --user-group --home-dir %s --no-create-home --shell /usr/sbin/nologin %s",
                      doctor->config->state_dir, name);
    } else if (doctor->daemon.is_there && doctor->daemon.uid == 0) {
        doctor_say(doctor, DOCTOR_WARNING, "the daemon runs as root");
        doctor_advise(doctor, "set user = \"postern\" in the configuration and restart it");
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s", doctor->user.name ? doctor->user.name : "without a name");
    }
}

/* ---- secrets ---- */

struct secret {
    const char *key;  /* of the configuration */
    const char *file; /* NULL: none */
    char *error;      /* why its content is of no use; NULL: it is, or could not be looked at */
};

static void judge_secret(struct doctor *doctor, struct secret *secret)
{
    struct stat st;
    const char *user = doctor->user.name ? doctor->user.name : "the daemon";
    if (!secret->file)
        return;
    if (stat(secret->file, &st) < 0) {
        doctor_say(doctor, errno == EACCES ? DOCTOR_UNSEEN : DOCTOR_FAILURE, "%s: %s: %s", secret->key, secret->file,
                   strerror(errno));
        if (errno != EACCES)
            doctor_advise(doctor, "put it there, or take %s out of the configuration", secret->key);
    } else if (st.st_mode & (S_IRWXO | S_IWGRP)) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s (mode %04o) is open to others", secret->key, secret->file,
                   (unsigned)st.st_mode & 07777);
        doctor_advise(doctor, "chmod g-w,o= %s; whoever could read it until now knows it", secret->file);
    } else if (!doctor_user_may(&doctor->user, st.st_mode, st.st_uid, st.st_gid, R_OK)) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s can't be read by %s", secret->key, secret->file, user);
        doctor_advise(doctor, "chown root:%s %s; chmod 0640 %s", user, secret->file, secret->file);
    } else if (secret->error && access(secret->file, R_OK) == 0) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s", secret->key, secret->error);
        doctor_advise(doctor, "see %s in postern.conf(5)", secret->key);
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s: %s", secret->key, secret->file);
    }
}

static void judge_dkim_key(struct doctor *doctor, const char *file)
{
    struct secret secret = { .key = "dkim.key", .file = file };
    struct signing_key *key = signing_key_load(file, &secret.error);
    signing_key_free(&key);
    judge_secret(doctor, &secret);
    free(secret.error);
}

static void judge_password(struct doctor *doctor, const char *file)
{
    struct secret secret = { .key = "relay.password_file", .file = file };
    char *password = NULL;
    if (file && relay_password_read(file, &password, &secret.error) == 1)
        free(password);
    judge_secret(doctor, &secret);
    free(secret.error);
}

void doctor_check_secrets(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    const size_t before = doctor->count;
    for (size_t i = 0; i < config->dkim_count; i++)
        judge_dkim_key(doctor, config->dkim[i].key);
    for (size_t i = 0; i < config->relay_count; i++)
        judge_password(doctor, config->relays[i].password_file);
    for (size_t i = 0; i < config->listener_count; i++) { /* what is in it, the certificates' check says */
        struct secret secret = { .key = "listen.key", .file = config->listeners[i].key };
        judge_secret(doctor, &secret);
    }
    struct stat st;
    if (config->silo.oidc_token_file && stat(config->silo.oidc_token_file, &st) == 0) { /* needed once only */
        struct secret secret = { .key = "silo.oidc_token_file", .file = config->silo.oidc_token_file };
        judge_secret(doctor, &secret);
    }
    if (doctor->count == before)
        doctor_say(doctor, DOCTOR_OK, "the configuration names no files with secrets");
}

/* ---- the state directory ---- */

static char *path_in(const struct doctor *doctor, const char *name)
{
    struct strbuf path;
    strbuf_init(&path, PATH_SIZE);
    strbuf_add_fmt(&path, "%s/%s", doctor->config->state_dir, name);
    return strbuf_detach(&path);
}

/* Is what must be the daemon's alone its own, and closed to others? max_mode: what bits it may have at most. false: it is not there. */
static bool judge_owned(struct doctor *doctor, const char *path, bool is_directory, mode_t max_mode)
{
    struct stat st;
    const char *user = doctor->user.name ? doctor->user.name : "root";
    if (lstat(path, &st) < 0) {
        if (errno == EACCES)
            doctor_say(doctor, DOCTOR_UNSEEN, "%s can be looked at only by its owner and root", path);
        return errno == EACCES;
    }
    if (is_directory != (bool)S_ISDIR(st.st_mode)) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s is %s directory", path, is_directory ? "no" : "a");
        doctor_advise(doctor, "move it away");
    } else if (doctor->user.is_known && st.st_uid != doctor->user.uid) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s does not belong to %s", path, user);
        doctor_advise(doctor, "chown %s:%s %s", user, user, path);
    } else if ((st.st_mode & 0777) & ~max_mode) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s (mode %04o) is open to others", path, (unsigned)st.st_mode & 07777);
        doctor_advise(doctor, "chmod %04o %s", (unsigned)max_mode & (is_directory ? 0700U : 0600U), path);
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s, mode %04o", path, (unsigned)st.st_mode & 07777);
    }
    return true;
}

void doctor_check_state(struct doctor *doctor)
{
    const char *directory = doctor->config->state_dir, *user = doctor->user.name ? doctor->user.name : "root";
    if (!judge_owned(doctor, directory, true, 0750)) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s is not there", directory);
        doctor_advise(doctor, "install -d -m 0700 -o %s -g %s %s", user, user, directory);
        return;
    }
    char *database = path_in(doctor, "postern.db"), *content = path_in(doctor, "content");
    if (!judge_owned(doctor, database, false, 0600))
        doctor_say(doctor, DOCTOR_OK, "%s is not there yet; the daemon makes it", database);
    (void)judge_owned(doctor, content, true, 0700); /* comes with the database */
    free(database);
    free(content);
    struct stat st;
    const char *socket = doctor->config->admin.socket;
    if (doctor->daemon.is_there && stat(socket, &st) == 0) {
        if (st.st_mode & S_IRWXO) {
            doctor_say(doctor, DOCTOR_FAILURE, "everybody on this machine can give orders by %s (mode %04o)", socket,
                       (unsigned)st.st_mode & 07777);
            doctor_advise(doctor, "chmod 0660 %s", socket);
        } else {
            doctor_say(doctor, DOCTOR_OK, "%s, mode %04o", socket, (unsigned)st.st_mode & 07777);
        }
    }
}

void doctor_check_hold_key(struct doctor *doctor)
{
    const char *file = doctor->config->hold_key;
    struct secret secret = { .key = "policy.hold_key", .file = file };
    struct seal_key *key = NULL;
    if (doctor->daemon.held_error) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s", doctor->daemon.held_error);
        doctor_advise(doctor,
                      "put the key's file back from your backup and restart the daemon; it is not in the database");
    }
    int found = seal_key_load(file, &key, &secret.error);
    seal_key_free(&key);
    if (found == 0)
        doctor_say(doctor, DOCTOR_OK, "there is no key yet; it is made when mail is held first");
    else
        judge_secret(doctor, &secret);
    free(secret.error);
}
