/* ctl_restore.c - posternctl restore: a backup in the place of what is there, while no daemon runs */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/ctl_state.h"
#include "gateway/ctl_terminal.h"
#include "gateway/ctl_words.h"
#include "gateway/service.h"
#include "mapping/store.h"

enum { DRY_RUN, SURE };
enum { ACTOR_MAX = 80, TEXT_MAX = 4096, MINUTE_MS = 60 * 1000 };

struct restoring {
    const struct config *config;
    const char *file;
    char *database;
    int fd, lock;
    int64_t now;
    bool is_dry, is_sure, json;
    bool is_there;       /* a state that will be set aside */
    bool is_handed_over; /* state_dir belongs to somebody else as yet */
    struct store_backup_about about;
    uid_t owner;
    gid_t group;
    char actor[ACTOR_MAX]; /* who has started us */
};

static int open_backup(struct restoring *restoring)
{
    struct stat info;
    restoring->fd = open(restoring->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (restoring->fd < 0 || fstat(restoring->fd, &info) < 0)
        return ctl_state_fail(restoring->file, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return ctl_state_fail(restoring->file, "is no file; what comes from elsewhere has to be in one first");
    return 1;
}

/* Whose the state is to be: the user's of the configuration; else the directory's; else ours. */
static int find_owner(struct restoring *restoring)
{
    struct stat info;
    const char *user = restoring->config->user;
    const struct passwd *entry = user ? getpwnam(user) : NULL;
    if (user && !entry)
        return ctl_state_fail(user, "there is no such user, whom the configuration names");
    bool has_directory = stat(restoring->config->state_dir, &info) == 0;
    restoring->owner = entry ? entry->pw_uid : has_directory ? info.st_uid : geteuid();
    restoring->group = entry ? entry->pw_gid : has_directory ? info.st_gid : getegid();
    if (geteuid() != 0 && geteuid() != restoring->owner)
        return ctl_state_fail(restoring->config->state_dir, "it belongs to somebody else; run this as root");
    return 1;
}

static int verify(struct restoring *restoring)
{
    struct ctl_state_bar bar = { NULL, NULL };
    const struct store_backup_watch watch = ctl_state_watch(&bar);
    char *error = NULL;
    int result = store_backup_verify(restoring->fd, &watch, &restoring->about, &error);
    ctl_state_bar_clear(&bar);
    if (result < 0)
        fprintf(stderr, "posternctl: %s is of no use: %s\n", restoring->file, error);
    free(error);
    return result;
}

static int look_for_room(const struct restoring *restoring)
{
    struct statvfs disk;
    uint64_t needed = (uint64_t)(restoring->about.database_size + restoring->about.content_size);
    if (statvfs(restoring->config->state_dir, &disk) < 0)
        return errno == ENOENT ? 1 : ctl_state_fail(restoring->config->state_dir, strerror(errno));
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room >= needed)
        return 1;
    fprintf(stderr, "posternctl: %s: there is room for %" PRIu64 " octets, and the state has %" PRIu64 "\n",
            restoring->config->state_dir, room, needed);
    return -1;
}

/* What will happen, for whoever decides. */

static void add_age(struct strbuf *out, int64_t age_ms)
{
    int64_t minutes = age_ms < 0 ? 0 : age_ms / MINUTE_MS, hours = minutes / 60, days = hours / 24;
    if (days > 1)
        strbuf_add_fmt(out, "%" PRId64 " days", days);
    else if (hours > 1)
        strbuf_add_fmt(out, "%" PRId64 " hours", hours);
    else
        strbuf_add_fmt(out, "%" PRId64 " minutes", minutes);
}

static void add_paragraph(struct admin_output *output, const struct strbuf *text)
{
    admin_output_paragraph(output, text->data);
}

static void say_what_will_be(const struct restoring *restoring, struct admin_output *output)
{
    struct strbuf text;
    char created[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(restoring->about.created_at, created);
    strbuf_init(&text, TEXT_MAX);
    admin_output_list(output, "consequences");
    strbuf_add_fmt(&text, "The state of %s, ", created);
    add_age(&text, restoring->now - restoring->about.created_at);
    strbuf_add_fmt(&text, " ago, comes back to %s.", restoring->config->state_dir);
    strbuf_add_str(&text, restoring->is_there
                              ? " What is there now is set aside in a new directory in it, and nothing of "
                                "it is deleted."
                              : " Nothing is there now.");
    add_paragraph(output, &text);
    strbuf_clear(&text);
    strbuf_add_str(&text, "What administrators and members have decided since is undone: who was revoked, suspended or "
                          "denied since is let in again, and what was approved since is not.");
    add_paragraph(output, &text);
    strbuf_clear(&text);
    strbuf_add_str(&text,
                   "Mail that came since and has not been passed on is in the state that is set aside only. What "
                   "waited then leaves once more, with the same Message-ID; members may see mail of that time "
                   "again. A silo that has gone on since then knows members, aliases and threads that the gateway "
                   "has forgotten: it learns them again.");
    add_paragraph(output, &text);
    strbuf_clear(&text);
    strbuf_add_fmt(&text,
                   "Held mail stays sealed and needs its key, which is in no backup: %s%s. Web sessions and tokens are "
                   "those of then.",
                   restoring->config->hold_key,
                   access(restoring->config->hold_key, F_OK) == 0 ? " is there" : " is not there");
    add_paragraph(output, &text);
    if (restoring->about.schema < STORE_SCHEMA_VERSION) {
        strbuf_clear(&text);
        strbuf_add_fmt(&text, "Its database is of schema %" PRId64 ": the daemon's next start makes it one of %d.",
                       restoring->about.schema, STORE_SCHEMA_VERSION);
        add_paragraph(output, &text);
    }
    if (restoring->about.missing_files > 0) {
        strbuf_clear(&text);
        strbuf_add_fmt(
            &text, "%" PRId64 " files of content were missing when it was made; what was in them can't be passed on.",
            restoring->about.missing_files);
        add_paragraph(output, &text);
    }
    admin_output_end(output);
    strbuf_free(&text);
}

static int ask(const struct restoring *restoring)
{
    if (restoring->is_sure)
        return 1;
    int answer = ctl_ask_yes("Put it back?");
    if (answer < 0)
        fputs("posternctl: nobody is there to be asked; --sure yes goes on without\n", stderr);
    else if (answer == 0)
        fputs("Nothing was changed.\n", stderr);
    return answer == 1 ? 1 : -1;
}

/* The work. */

/* From here on we are whose the state is: in a folder of theirs there may be links that lead root astray. A folder that is not theirs
 * yet is made so when all is done. */
static int enter_directory(struct restoring *restoring)
{
    const char *directory = restoring->config->state_dir;
    struct stat info;
    char *error = NULL;
    bool is_new = mkdir(directory, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return ctl_state_fail(directory, strerror(errno));
    if (is_new && chown(directory, restoring->owner, restoring->group) < 0)
        return ctl_state_fail(directory, strerror(errno));
    if (stat(directory, &info) < 0)
        return ctl_state_fail(directory, strerror(errno));
    restoring->is_handed_over = info.st_uid != restoring->owner;
    if (restoring->is_handed_over && info.st_uid != 0 && chown(directory, 0, 0) < 0) /* nobody's meanwhile */
        return ctl_state_fail(directory, strerror(errno));
    if (restoring->is_handed_over || service_act_as(restoring->owner, restoring->group, true, &error) == 1)
        return 1;
    fprintf(stderr, "posternctl: %s\n", error);
    free(error);
    return -1;
}

static int hand_over(const struct restoring *restoring)
{
    const char *directory = restoring->config->state_dir;
    return !restoring->is_handed_over || chown(directory, restoring->owner, restoring->group) == 0
               ? 1
               : ctl_state_fail(directory, strerror(errno));
}

static int take_lock(struct restoring *restoring)
{
    char *error = NULL;
    int result = store_restore_lock(restoring->database, &restoring->lock, &restoring->is_there, &error);
    if (result < 0)
        fprintf(stderr, "posternctl: %s; stop the daemon first\n", error);
    else if (fchown(restoring->lock, restoring->owner, restoring->group) < 0)
        result = ctl_state_fail("postern.lock", strerror(errno));
    free(error);
    return result;
}

static void name_actor(char out[static ACTOR_MAX])
{
    const struct passwd *entry = getpwuid(getuid());
    snprintf(out, ACTOR_MAX, "%.40s (uid %u)", entry ? entry->pw_name : "somebody", (unsigned)getuid());
}

static int put_back(struct restoring *restoring, char **aside_out)
{
    struct ctl_state_bar bar = { NULL, NULL };
    const struct store_backup_watch watch = ctl_state_watch(&bar);
    char *error = NULL;
    const struct store_restore request = { .path = restoring->database,
                                           .owner = restoring->owner,
                                           .group = restoring->group,
                                           .now = restoring->now,
                                           .actor = restoring->actor,
                                           .source = restoring->file };
    int result = store_restore(restoring->fd, &request, &watch, aside_out, &error);
    ctl_state_bar_clear(&bar);
    if (result < 0)
        fprintf(stderr, "posternctl: %s\n", error);
    free(error);
    return result;
}

static void show(const struct restoring *restoring, const char *aside)
{
    struct admin_output *output = admin_output_new();
    struct strbuf path;
    strbuf_init(&path, TEXT_MAX);
    if (aside)
        strbuf_add_fmt(&path, "%s/%s", restoring->config->state_dir, aside);
    admin_output_string(output, "restored", restoring->file);
    admin_output_string(output, "into", restoring->config->state_dir);
    admin_output_string(output, "set_aside", aside ? path.data : NULL);
    ctl_state_add_about(output, &restoring->about);
    ctl_state_show(output, restoring->json, stdout);
    admin_output_free(&output);
    if (aside)
        fprintf(stderr, "%s holds mail and secrets of before: remove it when it is not needed any more.\n", path.data);
    strbuf_free(&path);
}

static void show_plan(const struct restoring *restoring)
{
    struct admin_output *output = admin_output_new();
    say_what_will_be(restoring, output);
    ctl_state_show(output, false, stderr);
    admin_output_free(&output);
}

/* A dry run may be made beside a daemon. */
static int look_only(struct restoring *restoring)
{
    struct admin_output *output = admin_output_new();
    restoring->is_there = access(restoring->database, F_OK) == 0;
    admin_output_string(output, "verified", restoring->file);
    ctl_state_add_about(output, &restoring->about);
    say_what_will_be(restoring, output);
    ctl_state_show(output, restoring->json, stdout);
    admin_output_free(&output);
    return 1;
}

static int restore(struct restoring *restoring)
{
    char *aside = NULL;
    if (open_backup(restoring) < 0 || find_owner(restoring) < 0)
        return -1;
    if (!restoring->is_dry && (enter_directory(restoring) < 0 || take_lock(restoring) < 0))
        return -1;
    if (verify(restoring) < 0)
        return -1;
    if (restoring->is_dry)
        return look_only(restoring);
    if (look_for_room(restoring) < 0)
        return -1;
    show_plan(restoring);
    if (ask(restoring) < 0 || put_back(restoring, &aside) < 0)
        return -1;
    show(restoring, aside);
    free(aside);
    return hand_over(restoring);
}

int ctl_restore(const struct ctl *ctl, int argc, char **argv)
{
    static const char *const names[] = { [DRY_RUN] = "--dry-run", [SURE] = "--sure", NULL };
    struct restoring restoring = { .fd = -1, .lock = -1 };
    struct ctl_words words;
    struct strbuf database;
    struct timespec now;
    if (ctl_words_sort(ctl, argc - 1, argv + 1, names, 1, 1, CTL_RESTORE_USAGE, &words) < 0 ||
        ctl_words_flag(&words, DRY_RUN, names[DRY_RUN], CTL_RESTORE_USAGE, &restoring.is_dry) < 0 ||
        ctl_words_flag(&words, SURE, names[SURE], CTL_RESTORE_USAGE, &restoring.is_sure) < 0)
        return CTL_USAGE;
    struct config *config = ctl_config_load(ctl);
    if (!config)
        return EX_CONFIG;
    clock_gettime(CLOCK_REALTIME, &now);
    restoring.now = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    restoring.config = config;
    restoring.file = words.arguments[0];
    restoring.json = words.json;
    ctl_state_database(config, &database);
    restoring.database = database.data;
    name_actor(restoring.actor);
    umask(077);
    int result = restore(&restoring);
    if (restoring.fd >= 0)
        close(restoring.fd);
    if (restoring.lock >= 0)
        close(restoring.lock);
    strbuf_free(&database);
    config_free(&config);
    return result == 1 ? CTL_OK : CTL_REFUSED;
}
