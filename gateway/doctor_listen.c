/* doctor_listen.c - do our ports answer, or who holds them? Are the certificates for us, and not about to end? */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/tls_certificate.h"
#include "base/xmalloc.h"
#include "gateway/doctor_internal.h"

enum { LISTEN_MS = 3000, GREET_DELAY_MOST_MS = 5000, LINE_MAX = 512, WARN_DAYS = 14, S_PER_DAY = 24 * 3600 };
enum {
    NAME_SIZE = 64,
    PROC_PATH_SIZE = 300,
    HOST_SIZE = 256,
    PROC_LINE_SIZE = 512,
    PROC_WORDS = 10,
    HEXADECIMAL = 16,
    DECIMAL = 10,
    STATE_LISTEN = 0x0A
};

/* ---- who holds a port ---- */

/* A line of /proc/net/tcp: number, address:port, address:port, state, and at the end of ten words the inode. 0: it is no socket that
 * listens on this port. line is taken apart. */
static unsigned long listening_inode(char *line, unsigned port)
{
    char *words[PROC_WORDS] = { NULL }, *word;
    size_t count = 0;
    while (count < PROC_WORDS && (word = strsep(&line, " \n")))
        if (*word)
            words[count++] = word;
    const char *colon = count == PROC_WORDS ? strchr(words[1], ':') : NULL;
    bool is_it =
        colon && strtoul(colon + 1, NULL, HEXADECIMAL) == port && strtoul(words[3], NULL, HEXADECIMAL) == STATE_LISTEN;
    return is_it ? strtoul(words[PROC_WORDS - 1], NULL, DECIMAL) : 0;
}

/* The inode of a socket that listens on this port; 0: none is seen. */
static unsigned long find_listening(const char *table, unsigned port)
{
    char line[PROC_LINE_SIZE];
    unsigned long found = 0;
    FILE *file = fopen(table, "re");
    while (file && found == 0 && fgets(line, sizeof line, file))
        found = listening_inode(line, port);
    if (file)
        fclose(file);
    return found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
    char path[PROC_PATH_SIZE], wanted[NAME_SIZE], link[NAME_SIZE];
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, entry->d_name);
        ssize_t len = readlink(path, link, sizeof link - 1);
        link[len > 0 ? len : 0] = 0;
        found = strcmp(link, wanted) == 0;
    }
    if (directory)
        closedir(directory);
    return found;
}

static void read_name(const char *pid, char out[static NAME_SIZE])
{
    char path[PROC_PATH_SIZE];
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(out, NAME_SIZE, file))
        snprintf(out, NAME_SIZE, "?");
    out[strcspn(out, "\n")] = 0;
    if (file)
        fclose(file);
}

/* ", by master (process 812)", or "" when that can't be seen. */
static void add_holder(struct strbuf *out, unsigned port)
{
    unsigned long inode = find_listening("/proc/net/tcp", port);
    if (inode == 0)
        inode = find_listening("/proc/net/tcp6", port);
    DIR *proc = inode ? opendir("/proc") : NULL;
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, inode))
            continue;
        char name[NAME_SIZE];
        read_name(entry->d_name, name);
        strbuf_add_fmt(out, ", by %s (process %.20s)", name, entry->d_name);
        break;
    }
    if (proc)
        closedir(proc);
}

static bool split(const char *address, char host_out[static HOST_SIZE], const char **port_out)
{
    const char *colon = strrchr(address, ':');
    const char *host = address[0] == '[' ? address + 1 : address;
    size_t len = colon ? (size_t)(colon - host) - (address[0] == '[') : 0;
    if (!colon || strncmp(address, "unix:", 5) == 0 || len >= HOST_SIZE)
        return false;
    memcpy(host_out, host, len);
    host_out[len] = 0;
    *port_out = colon + 1;
    return true;
}

/* 0: we could listen there; else errno. */
static int try_bind(const char *host, const char *port)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                    .ai_socktype = SOCK_STREAM };
    const int on = 1;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return EINVAL;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = 0;
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return error;
}

/* While no daemon is there that would listen on it. */
static void judge_free(struct doctor *doctor, const char *name, const char *address)
{
    char host[HOST_SIZE];
    const char *port;
    struct strbuf holder;
    strbuf_init(&holder, PROC_PATH_SIZE);
    if (!split(address, host, &port)) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s: %s is the daemon's to make", name, address);
        strbuf_free(&holder);
        return;
    }
    if (doctor->daemon.pid != 0) { /* it is there, and holds the port */
        doctor_say(doctor, DOCTOR_UNSEEN, "%s: %s: a daemon that does not answer can't be told from another program",
                   name, address);
        strbuf_free(&holder);
        return;
    }
    int error = try_bind(host, port);
    if (error == 0) {
        doctor_say(doctor, DOCTOR_OK, "%s: %s is free for the daemon", name, address);
    } else if (error == EADDRINUSE) {
        add_holder(&holder, (unsigned)strtoul(port, NULL, 10));
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s is in use%s", name, address, holder.data);
        doctor_advise(doctor, "stop that program, or give the listener another port");
    } else if (error == EACCES) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s: only root can try whether %s is free", name, address);
    } else {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: nobody can listen on %s: %s", name, address, strerror(error));
        doctor_advise(doctor, "give the listener an address of this machine; [::]:PORT is all of them");
    }
    strbuf_free(&holder);
}

/* ---- listeners ---- */

/* The three codes that a session of ours may begin with. */
static bool is_ours(const char *line, const char *hostname)
{
    static const char *const codes[] = { "220 ", "421 ", "554 " };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strncmp(line, codes[i], 4) == 0 && (i > 0 || strncmp(line + 4, hostname, strlen(hostname)) == 0))
            return true;
    return false;
}

static void judge_answer(struct doctor *doctor, const struct config_listener *listener, const char *address)
{
    struct strbuf line;
    const bool wants_line = listener->tls != SMTP_TLS_IMPLICIT && !listener->proxy_protocol;
    int64_t delay = listener->greet_delay_ms < GREET_DELAY_MOST_MS ? listener->greet_delay_ms : GREET_DELAY_MOST_MS;
    strbuf_init(&line, PROC_PATH_SIZE + LINE_MAX);
    bool is_reached = doctor_reach(doctor, address, LISTEN_MS + delay, wants_line, &line);
    if (!is_reached) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s: %s", listener->name, address, line.data);
        doctor_advise(doctor, "the daemon listens where it was told at its start: systemctl restart postern");
    } else if (!wants_line || is_ours(line.data, doctor->config->hostname) ||
               (listener->clients && line.len == 0)) { /* whom it does not serve it may leave without a word */
        doctor_say(doctor, DOCTOR_OK, "%s: %s answers", listener->name, address);
    } else {
        char host[HOST_SIZE];
        const char *port;
        struct strbuf holder;
        strbuf_init(&holder, PROC_PATH_SIZE);
        if (split(address, host, &port))
            add_holder(&holder, (unsigned)strtoul(port, NULL, 10));
        doctor_say(doctor, DOCTOR_FAILURE, "%s: at %s somebody else answers%s: %s", listener->name, address,
                   holder.data, line.len > 0 ? line.data : "(nothing)");
        doctor_advise(doctor, "stop that program, or give the listener another port; then restart the daemon");
        strbuf_free(&holder);
    }
    strbuf_free(&line);
}

/* Where the daemon says that it listens: port 0 is any. */
static const char *bound_address(const struct doctor *doctor, const struct config_listener *listener)
{
    for (size_t i = 0; i < doctor->daemon.listener_count; i++) {
        const struct doctor_daemon_listener *found = &doctor->daemon.listeners[i];
        if (found->name && found->address && strcmp(found->name, listener->name) == 0)
            return found->address;
    }
    return listener->address;
}

/* Those that speak no SMTP. */
static void judge_plain(struct doctor *doctor, const char *name, const char *address)
{
    struct strbuf text;
    if (!address)
        return;
    if (!doctor->daemon.is_there) {
        judge_free(doctor, name, address);
        return;
    }
    strbuf_init(&text, PROC_PATH_SIZE + LINE_MAX);
    if (doctor_reach(doctor, address, LISTEN_MS, false, &text)) {
        doctor_say(doctor, DOCTOR_OK, "%s: %s answers", name, address);
    } else {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s: %s", name, address, text.data);
        doctor_advise(doctor, "restart the daemon: a reload opens no new ports");
    }
    strbuf_free(&text);
}

void doctor_check_listeners(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        if (doctor->daemon.is_there)
            judge_answer(doctor, &config->listeners[i], bound_address(doctor, &config->listeners[i]));
        else
            judge_free(doctor, config->listeners[i].name, config->listeners[i].address);
    }
    judge_plain(doctor, "postfix.socketmap", config->postfix.socketmap);
    judge_plain(doctor, "postfix.policy", config->postfix.policy);
    judge_plain(doctor, "admin.http", config->admin.http);
    judge_plain(doctor, "metrics.http", config->metrics.http);
}

/* ---- certificates ---- */

void doctor_format_days(int64_t from_s, int64_t to_s, char out[static DOCTOR_DAYS_SIZE])
{
    int64_t days = (to_s - from_s) / S_PER_DAY, count = days < 0 ? -days : days;
    const char *unit = count == 1 ? "day" : "days";
    if (count == 0)
        snprintf(out, DOCTOR_DAYS_SIZE, "%s", to_s < from_s ? "today" : "within a day");
    else
        snprintf(out, DOCTOR_DAYS_SIZE, days < 0 ? "%lld %s ago" : "in %lld %s", (long long)count, unit);
}

static void judge_dates(struct doctor *doctor, const char *file, const struct tls_certificate *certificate)
{
    char days[DOCTOR_DAYS_SIZE];
    int64_t now = time(NULL);
    doctor_format_days(now, certificate->not_after, days);
    if (certificate->not_before > now) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s is not valid yet", file);
        doctor_advise(doctor, "see that the clock is right, or have a new certificate made");
    } else if (certificate->not_after < now) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s ended %s", file, days);
        doctor_advise(doctor, "renew it, then: posternctl reload");
    } else if (certificate->not_after < now + WARN_DAYS * S_PER_DAY) {
        doctor_say(doctor, DOCTOR_WARNING, "%s ends %s", file, days);
        doctor_advise(doctor, "renew it, then: posternctl reload");
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s ends %s", file, days);
    }
}

static void judge_certificate(struct doctor *doctor, const struct config_listener *listener)
{
    const char *file = listener->certificate, *hostname = doctor->config->hostname;
    struct tls_certificate certificate;
    char *error = NULL;
    if (tls_certificate_load(file, &certificate, &error) < 0) {
        doctor_say(doctor, access(file, R_OK) < 0 && errno == EACCES ? DOCTOR_UNSEEN : DOCTOR_FAILURE, "%s", error);
        free(error);
        return;
    }
    judge_dates(doctor, file, &certificate);
    if (!tls_certificate_is_for(file, hostname)) {
        doctor_say(doctor, DOCTOR_WARNING, "%s is for %s, and not for %s", file,
                   certificate.names && certificate.names[0] ? certificate.names[0] : "nobody", hostname);
        doctor_advise(doctor, "senders who check names will not use TLS or not deliver; have one made for %s",
                      hostname);
    }
    tls_certificate_clear(&certificate);
}

/* Of an authority, or of several in one file, of which the first is looked at. */
static void judge_authority(struct doctor *doctor, const char *file)
{
    struct tls_certificate certificate;
    char *error = NULL;
    if (!file)
        return;
    if (tls_certificate_load(file, &certificate, &error) == 1)
        judge_dates(doctor, file, &certificate);
    else
        doctor_say(doctor, DOCTOR_UNSEEN, "%s", error);
    tls_certificate_clear(&certificate);
    free(error);
}

void doctor_check_certificates(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    const size_t before = doctor->count;
    for (size_t i = 0; i < config->listener_count; i++) {
        bool was_judged = false;
        for (size_t j = 0; j < i; j++)
            was_judged =
                was_judged || (config->listeners[i].certificate && config->listeners[j].certificate &&
                               strcmp(config->listeners[i].certificate, config->listeners[j].certificate) == 0);
        if (config->listeners[i].certificate && !was_judged)
            judge_certificate(doctor, &config->listeners[i]);
    }
    for (size_t i = 0; i < config->listener_count; i++)
        judge_authority(doctor, config->listeners[i].peer_ca);
    for (size_t i = 0; i < config->relay_count; i++)
        judge_authority(doctor, config->relays[i].ca_file);
    judge_authority(doctor, config->silo.ca_file);
    if (doctor->count == before)
        doctor_say(doctor, DOCTOR_OK, "the configuration names no certificates");
}
