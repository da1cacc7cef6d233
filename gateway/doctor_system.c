/* doctor_system.c - what the machine gives us: disk, clock, open files, kernel; and whether the database is whole */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "gateway/apart.h"
#include "gateway/doctor_internal.h"
#include "gateway/limits.h"
#include "mapping/store_look.h"

enum {
    DATABASE_MS = 6000,
    SPARE_MS = 2000,
    PATH_SIZE = 4096,
    LINE_SIZE = 200,
    INODES_LEAST = 10000,
    PERCENT = 100,
    INODES_PERCENT = 2
};
enum { DECIMAL = 10 };
static const int64_t mib = INT64_C(1) << 20;
static const int64_t disk_least_mib = 256; /* below it the daemon takes no mail (gateway.c) */
static const int64_t disk_low_mib = 1024;

void doctor_check_disk(struct doctor *doctor)
{
    struct statvfs disk;
    const char *directory = doctor->config->state_dir;
    if (statvfs(directory, &disk) < 0) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s: %s", directory, strerror(errno));
        return;
    }
    int64_t free_mib = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize / mib;
    if (free_mib >= disk_low_mib) {
        doctor_say(doctor, DOCTOR_OK, "%lld MiB are free for %s", (long long)free_mib, directory);
    } else {
        doctor_say(doctor, free_mib < disk_least_mib ? DOCTOR_FAILURE : DOCTOR_WARNING, "%lld MiB are free for %s",
                   (long long)free_mib, directory);
        doctor_advise(doctor, "make room: below %lld MiB no mail is taken", (long long)disk_least_mib);
    }
    /* Some file systems count none. */
    if (disk.f_files > 0 && disk.f_favail < INODES_LEAST && disk.f_favail * PERCENT < disk.f_files * INODES_PERCENT) {
        doctor_say(doctor, DOCTOR_WARNING, "only %llu more files fit on the disk of %s",
                   (unsigned long long)disk.f_favail, directory);
        doctor_advise(doctor, "remove files that nobody needs; df -i shows where they are");
    }
}

void doctor_check_clock(struct doctor *doctor)
{
    struct timex state = { .modes = 0 };
    int result = adjtimex(&state);
    if (result < 0) {
        doctor_say(doctor, DOCTOR_UNSEEN, "the kernel does not say whether its clock is kept right: %s",
                   strerror(errno));
    } else if (result == TIME_ERROR || (state.status & STA_UNSYNC)) {
        doctor_say(doctor, DOCTOR_WARNING, "nobody keeps this machine's clock right");
        doctor_advise(doctor,
                      "install chrony or systemd-timesyncd: signatures, certificates and limits go by the clock");
    } else {
        doctor_say(doctor, DOCTOR_OK, "kept right by a time service");
    }
}

/* Of the daemon; -1: can't be seen. */
static int64_t daemon_open_files(pid_t pid)
{
    static const char label[] = "Max open files";
    char path[LINE_SIZE], line[LINE_SIZE];
    int64_t limit = -1;
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, label, sizeof label - 1) == 0)
            limit = strncmp(line + sizeof label - 1 + strspn(line + sizeof label - 1, " "), "unlimited", 9) == 0
                        ? INT64_MAX
                        : strtoll(line + sizeof label - 1, NULL, DECIMAL);
    if (file)
        fclose(file);
    return limit;
}

void doctor_check_descriptors(struct doctor *doctor)
{
    int64_t needed = limits_open_files_needed(doctor->config), has = daemon_open_files(doctor->daemon.pid);
    if (has < 0) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s; the configuration may need %lld",
                   doctor->daemon.is_there ? "the daemon's limit can't be seen" : "no daemon runs", (long long)needed);
    } else if (has < needed) {
        doctor_say(doctor, DOCTOR_WARNING,
                   "the daemon may have %lld, the configuration may need %lld: listeners take fewer sessions",
                   (long long)has, (long long)needed);
        doctor_advise(doctor, "set LimitNOFILE=%lld in the unit (systemctl edit postern), or fewer max_sessions",
                      (long long)needed);
    } else {
        doctor_say(doctor, DOCTOR_OK, "enough for the configuration (%lld)", (long long)needed);
    }
}

void doctor_check_kernel(struct doctor *doctor)
{
    bool has_seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    int landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (!has_seccomp) {
        doctor_say(doctor, DOCTOR_FAILURE,
                   "it has no seccomp: what reads mail can't be locked in, and nothing will run");
        doctor_advise(doctor, "use a kernel with CONFIG_SECCOMP_FILTER");
    } else if (landlock < 1) {
        doctor_say(doctor, DOCTOR_WARNING, "it has no Landlock: workers are locked in by seccomp alone");
        doctor_advise(doctor, "Linux 5.13 or newer has it; it may have to be named in the kernel's option lsm=");
    } else {
        doctor_say(doctor, DOCTOR_OK, "has seccomp and Landlock");
    }
}

/* What was found by who looked; the first character, problems follow. */
enum { WHOLE = 'y', DAMAGED = 'n', NOT_THERE = '-', UNSEEN = 'u' };

struct looking {
    const struct doctor *doctor;
    const char *path;
};

static void look_and_say(void *ctx, struct strbuf *said)
{
    const struct looking *looking = ctx;
    struct strbuf problems;
    strbuf_init(&problems, PATH_SIZE - 1);
    int result = faccessat(AT_FDCWD, looking->path, R_OK, AT_EACCESS) < 0
                     ? 0
                     : store_look(looking->path, store_look_is_in_use(looking->path),
                                  doctor_time(looking->doctor, DATABASE_MS), &problems);
    bool is_there = result != 0 || problems.len > 0 || errno != ENOENT;
    strbuf_add_char(said, (char)(result == 1 ? WHOLE : result < 0 ? DAMAGED : is_there ? UNSEEN : NOT_THERE));
    strbuf_add_str(said, problems.data);
    strbuf_free(&problems);
}

/* Root has it looked at by whoever owns the folder: what they have put there must not lead root elsewhere, nor what is in the database. */
static int look_as_owner(const struct doctor *doctor, const char *path, struct strbuf *said)
{
    struct looking looking = { .doctor = doctor, .path = path };
    struct apart_settings settings = { .works_on_files = true, .ms = doctor_time(doctor, DATABASE_MS) + SPARE_MS };
    struct stat folder;
    if (stat(doctor->config->state_dir, &folder) < 0) {
        strbuf_add_char(said, errno == ENOENT ? NOT_THERE : UNSEEN);
        return 1;
    }
    settings.uid = folder.st_uid;
    settings.gid = folder.st_gid;
    return apart_run(&settings, look_and_say, &looking, said);
}

void doctor_check_database(struct doctor *doctor)
{
    struct strbuf path, said;
    strbuf_init(&path, PATH_SIZE);
    strbuf_init(&said, PATH_SIZE);
    strbuf_add_fmt(&path, "%s/postern.db", doctor->config->state_dir);
    int result = look_as_owner(doctor, path.data, &said);
    const char found = (char)(result == 1 && said.len > 0 ? said.data[0] : UNSEEN);
    const char *problems = result == 1 && said.len > 0 ? said.data + 1 : said.data;
    if (found == WHOLE) {
        doctor_say(doctor, DOCTOR_OK, "whole");
    } else if (found == DAMAGED) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s", problems);
        doctor_advise(doctor, "stop the daemon, keep a copy of %s, and restore your last backup",
                      doctor->config->state_dir);
    } else {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s",
                   *problems            ? problems
                   : found == NOT_THERE ? "there is none yet"
                                        : "only its owner and root can read it");
    }
    strbuf_free(&path);
    strbuf_free(&said);
}
