/* doctor_daemon.c - what the daemon says of itself
 *
 * It is asked here and not through ctl_client.h: a daemon that hangs must not make the doctor hang, and who it is counts too.
 */
#include "gateway/doctor_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { ANSWER_MAX = 4 * 1024 * 1024, ANSWER_MS = 4000, PIECE_SIZE = 16 * 1024, S_PER_DAY = 24 * 3600, MS_PER_S = 1000 };

/* ---- asking ---- */

static char *socket_path(const struct doctor *doctor)
{
    if (doctor->settings.socket_path)
        return xstrdup(doctor->settings.socket_path);
    return doctor->config ? xstrdup(doctor->config->admin.socket) : config_find_socket(doctor->settings.config_file);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = { .tv_sec = ANSWER_MS / MS_PER_S };
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

static void note_who(struct doctor *doctor, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0) {
        doctor->daemon.pid = peer.pid;
        doctor->daemon.uid = peer.uid;
    }
}

/* NULL with errno. */
static json_t *exchange(const struct doctor *doctor, int fd, const char *const *words)
{
    struct strbuf text;
    char piece[PIECE_SIZE];
    ssize_t n = 0;
    json_t *list = json_array();
    for (const char *const *word = words; *word; word++)
        json_array_append_new(list, json_string(*word));
    json_t *request = json_pack("{s:o, s:b}", "argv", list, "json", 1);
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    strbuf_init(&text, ANSWER_MAX);
    const int64_t end = clock_monotonic_ms(doctor->clock) + doctor_time(doctor, ANSWER_MS);
    if (line && file_write_all(fd, line, strlen(line)) == 1 && file_write_all(fd, "\n", 1) == 1)
        while (clock_monotonic_ms(doctor->clock) < end && (n = read(fd, piece, sizeof piece)) > 0)
            strbuf_add(&text, piece, (size_t)n);
    json_t *answer = n == 0 && strbuf_ok(&text) ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    if (!answer && n >= 0)
        errno = ETIME;
    free(line);
    strbuf_free(&text);
    return answer;
}

/* What it has printed; NULL: it has not answered (errno), or not done it (0). */
static char *call(struct doctor *doctor, const char *const *words)
{
    char *path = socket_path(doctor);
    int fd = path ? connect_to(path) : -1;
    char *out = NULL;
    if (fd >= 0) {
        note_who(doctor, fd);
        json_t *answer = exchange(doctor, fd, words);
        const char *text = json_string_value(json_object_get(answer, "out"));
        if (answer)
            errno = 0;
        if (text && json_integer_value(json_object_get(answer, "exit")) == 0)
            out = xstrdup(text);
        int saved = errno;
        json_decref(answer);
        close(fd);
        errno = saved;
    }
    int saved = errno;
    free(path);
    errno = saved;
    return out;
}

bool doctor_daemon_call(struct doctor *doctor, const char *const *words, char **out_out)
{
    *out_out = call(doctor, words);
    return *out_out != NULL;
}

/* ---- its status ---- */

static char *copy_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? xstrdup(text) : NULL;
}

static int64_t read_time(const json_t *object, const char *key)
{
    int64_t ms = 0;
    const char *text = json_string_value(json_object_get(object, key));
    return text && clock_parse_rfc3339(text, &ms) == 1 ? ms : 0;
}

static void take_listeners(struct doctor_daemon *daemon, const json_t *list)
{
    daemon->listener_count = json_array_size(list);
    daemon->listeners = xcalloc(daemon->listener_count + 1, sizeof *daemon->listeners);
    for (size_t i = 0; i < daemon->listener_count; i++) {
        const json_t *row = json_array_get(list, i);
        daemon->listeners[i] = (struct doctor_daemon_listener){ copy_text(row, "listener"), copy_text(row, "address") };
    }
}

static void take_relays(struct doctor_daemon *daemon, const json_t *list)
{
    daemon->relay_count = json_array_size(list);
    daemon->relays = xcalloc(daemon->relay_count + 1, sizeof *daemon->relays);
    for (size_t i = 0; i < daemon->relay_count; i++) {
        const json_t *row = json_array_get(list, i);
        daemon->relays[i] =
            (struct doctor_daemon_relay){ copy_text(row, "relay"), copy_text(row, "state"), copy_text(row, "error") };
    }
}

static void take_queues(struct doctor_daemon *daemon, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(row, "queue"));
        int64_t oldest = read_time(row, "oldest");
        if (name && strcmp(name, "in") == 0)
            daemon->oldest_in_ms = oldest;
        else
            daemon->oldest_out_ms = oldest;
    }
}

static void take_status(struct doctor_daemon *daemon, const json_t *status)
{
    const struct {
        const char *key;
        char **into;
    } texts[] = {
        { "version", &daemon->version },
        { "silo_state", &daemon->silo_state },
        { "silo_uid", &daemon->silo_uid },
        { "silo_error", &daemon->silo_error },
        { "silo_hint", &daemon->silo_hint },
        { "silo_alias_error", &daemon->silo_alias_error },
        { "held_error", &daemon->held_error },
        { "paused_because", &daemon->paused_because },
        { "postfix_recipients_error", &daemon->recipients_error },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i].into = copy_text(status, texts[i].key);
    daemon->uptime_s = json_integer_value(json_object_get(status, "uptime_s"));
    take_listeners(daemon, json_object_get(status, "listeners"));
    take_relays(daemon, json_object_get(status, "relays"));
    take_queues(daemon, json_object_get(status, "queues"));
}

void doctor_daemon_ask(struct doctor *doctor)
{
    static const char *const status_words[] = { "status", NULL }, *const silo_words[] = { "silo", "status", NULL };
    char *text = call(doctor, status_words);
    json_t *status = text ? json_loads(text, 0, NULL) : NULL;
    doctor->daemon.is_there = status != NULL;
    if (status) {
        take_status(&doctor->daemon, status);
        char *more = call(doctor, silo_words);
        json_t *silo = more ? json_loads(more, 0, NULL) : NULL;
        doctor->daemon.silo_pin = copy_text(silo, "pin");
        json_decref(silo);
        free(more);
    } else {
        doctor->daemon.error = errno;
    }
    json_decref(status);
    free(text);
}

void doctor_daemon_clear(struct doctor_daemon *daemon)
{
    char *owned[] = { daemon->version,          daemon->silo_state,      daemon->silo_uid,   daemon->silo_error,
                      daemon->silo_hint,        daemon->silo_pin,        daemon->held_error, daemon->paused_because,
                      daemon->silo_alias_error, daemon->recipients_error };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    for (size_t i = 0; i < daemon->listener_count; i++) {
        free(daemon->listeners[i].name);
        free(daemon->listeners[i].address);
    }
    for (size_t i = 0; i < daemon->relay_count; i++) {
        free(daemon->relays[i].url);
        free(daemon->relays[i].state);
        free(daemon->relays[i].error);
    }
    free(daemon->listeners);
    free(daemon->relays);
    *daemon = (struct doctor_daemon){ 0 };
}

/* ---- the checks ---- */

void doctor_check_daemon(struct doctor *doctor)
{
    const struct doctor_daemon *daemon = &doctor->daemon;
    char *path = socket_path(doctor);
    if (daemon->is_there) {
        doctor_say(doctor, DOCTOR_OK, "running as process %d for %lld %s", (int)daemon->pid,
                   (long long)(daemon->uptime_s / 60), daemon->uptime_s / 60 == 1 ? "minute" : "minutes");
        if (daemon->paused_because) {
            doctor_say(doctor, DOCTOR_FAILURE, "it takes no mail: %s", daemon->paused_because);
            doctor_advise(doctor, "mend that; it goes on by itself");
        }
    } else if (!path) {
        doctor_say(doctor, DOCTOR_UNSEEN, "the configuration does not say where its control socket is");
    } else if (daemon->error == EACCES) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s: only root and the daemon's group may ask it", path);
    } else if (daemon->error == ENOENT || daemon->error == ECONNREFUSED) {
        doctor_say(doctor, DOCTOR_FAILURE, "not running: nobody answers at %s", path);
        doctor_advise(doctor, "start it: systemctl enable --now postern; why it has ended: journalctl -u postern");
    } else {
        doctor_say(doctor, DOCTOR_FAILURE, "it does not answer at %s: %s", path,
                   daemon->error == ETIME || daemon->error == EAGAIN ? "no answer in time" : strerror(daemon->error));
        doctor_advise(doctor, "if this stays so, restart it: systemctl restart postern");
    }
    free(path);
}

void doctor_check_version(struct doctor *doctor)
{
    const char *version = doctor->daemon.version ? doctor->daemon.version : "unknown";
    if (strcmp(version, POSTERN_VERSION) == 0) {
        doctor_say(doctor, DOCTOR_OK, "%s, running and installed", version);
        return;
    }
    doctor_say(doctor, DOCTOR_WARNING, "version %s is running, %s is installed", version, POSTERN_VERSION);
    doctor_advise(doctor, "systemctl restart postern");
}

static void check_oldest(struct doctor *doctor, const char *what, int64_t oldest)
{
    int64_t age_s = (clock_wall_ms(doctor->clock) - oldest) / MS_PER_S;
    if (oldest == 0)
        doctor_say(doctor, DOCTOR_OK, "no mail waits for the %s", what);
    else if (age_s * MS_PER_S < doctor->config->retry.warn_after_ms)
        doctor_say(doctor, DOCTOR_OK, "mail waits for the %s since %lld s at most", what, (long long)age_s);
    else
        doctor_say(doctor, DOCTOR_WARNING, "mail waits for the %s since %lld %s", what,
                   (long long)(age_s >= S_PER_DAY ? age_s / S_PER_DAY : age_s / 3600),
                   age_s >= S_PER_DAY ? "days" : "hours");
    if (oldest != 0 && age_s * MS_PER_S >= doctor->config->retry.warn_after_ms)
        doctor_advise(doctor, "posternctl queue list shows it, posternctl why ID says what became of each attempt");
}

void doctor_check_queues(struct doctor *doctor)
{
    check_oldest(doctor, "silo", doctor->daemon.oldest_in_ms);
    check_oldest(doctor, "relay", doctor->daemon.oldest_out_ms);
    if (doctor->daemon.recipients_error) {
        doctor_say(doctor, DOCTOR_FAILURE, "the file of recipients for Postfix: %s", doctor->daemon.recipients_error);
        doctor_advise(doctor, "see \"Recipients\" in docs/postfix.md");
    }
}

void doctor_check_admins(struct doctor *doctor)
{
    char **admins = doctor->config->policy.admins;
    if (!admins) {
        doctor_say(doctor, DOCTOR_OK, "nobody approves from inside the silo (policy.admins is empty)");
        return;
    }
    for (; *admins; admins++) {
        const char *const words[] = { "member", "show", *admins, NULL };
        char *text;
        bool is_known = doctor_daemon_call(doctor, words, &text);
        json_t *member = is_known ? json_loads(text, 0, NULL) : NULL;
        if (json_string_value(json_object_get(member, "uid"))) {
            doctor_say(doctor, DOCTOR_OK, "%s is known in the silo", *admins);
        } else {
            doctor_say(doctor, DOCTOR_WARNING, "%s has not answered the gateway yet, so their word counts for nothing",
                       *admins);
            doctor_advise(doctor, "have them answer the gateway's ping in the silo, or write to \"%s\" there",
                          doctor->config->silo.alias);
        }
        json_decref(member);
        free(text);
    }
}
