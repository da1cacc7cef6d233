/* One mutex holds all of it: a write does not block, so nobody waits for long.
 *
 * libsystemd and syslog(3) are not used for their socket, since they wait when it is full: a stopped journald would stop us.
 * The journal's protocol is as its documents promise: one datagram of lines NAME=value. */
#include "base/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET  "/dev/log"

enum {
    PIECE_MAX = 4096,         /* PIPE_BUF: a pipe that is ready takes so much without blocking */
    MESSAGE_MAX = 128 * 1024, /* a line and its fields, and what is put around them */
    FACILITY_MAIL = 2 << 3,
};

/* syslog's numbers, which the journal has too */
static const int priorities[] = { 7, 6, 4, 3 };

enum sent { SENT, WOULD_BLOCK, FAILED };

struct message {
    struct message *next;
    enum log_level level;
    size_t len, sent; /* a stream may take a part */
    char data[];
};

/* The process's one log (see log.h). */
static struct {
    pthread_mutex_t mutex;
    enum log_target target;
    bool is_open;           /* log_open() was called */
    bool has_asked;         /* whether standard error is the journal's */
    bool is_journal_stream; /* it takes "<6>" before a line, and stamps lines itself */
    int fd; /* a socket, or standard error opened again so that it does not block; 0: standard error itself */
    struct sockaddr_un address;
    struct message *first, **last; /* waiting */
    size_t waiting;                /* bytes */
    uint64_t dropped, told;        /* lines: in all, and as log.dropped */
} out = { .mutex = PTHREAD_MUTEX_INITIALIZER, .last = &out.first };

/* systemd names in JOURNAL_STREAM what it has connected to the journal (systemd.exec(5)). */
static bool is_journal_stream(void)
{
    if (!out.has_asked) {
        const char *text = getenv("JOURNAL_STREAM");
        char *end = NULL;
        struct stat status;
        unsigned long long device = text ? strtoull(text, &end, 10) : 0;
        out.has_asked = true;
        out.is_journal_stream = text && *end == ':' && fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
                                status.st_ino == strtoull(end + 1, NULL, 10);
    }
    return out.is_journal_stream;
}

/* ---- what is said ---- */

static void add_stamped(struct strbuf *to, const struct log_record *record)
{
    struct timespec now;
    char stamp[CLOCK_RFC3339_SIZE];
    clock_gettime(CLOCK_REALTIME, &now);
    clock_format_rfc3339((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, stamp);
    if (is_journal_stream())
        strbuf_add_fmt(to, "<%d>", priorities[record->level]);
    else
        strbuf_add_fmt(to, "%s ", stamp);
    strbuf_add(to, record->line, record->line_len);
    strbuf_add_char(to, '\n');
}

static void add_for_journal(struct strbuf *to, const struct log_record *record)
{
    strbuf_add_str(to, "MESSAGE=");
    strbuf_add(to, record->line, record->line_len);
    strbuf_add_fmt(to, "\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", priorities[record->level],
                   program_invocation_short_name);
    strbuf_add(to, record->fields, record->fields_len);
}

static void add_for_syslog(struct strbuf *to, const struct log_record *record)
{
    char stamp[32] = "";
    struct tm local;
    time_t now = time(NULL);
    if (localtime_r(&now, &local))
        (void)strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &local);
    strbuf_add_fmt(to, "<%d>%s %s[%d]: ", FACILITY_MAIL | priorities[record->level], stamp,
                   program_invocation_short_name, (int)getpid());
    strbuf_add(to, record->line, record->line_len);
}

static void (*const add_for_target[])(struct strbuf *to, const struct log_record *record) = {
    [LOG_TARGET_STDERR] = add_stamped,
    [LOG_TARGET_JOURNAL] = add_for_journal,
    [LOG_TARGET_SYSLOG] = add_for_syslog,
};

/* ---- how it is sent ---- */

static enum sent judge(ssize_t result)
{
    if (result >= 0)
        return SENT;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR ? WOULD_BLOCK : FAILED;
}

static enum sent send_datagram(struct message *message)
{
    return judge(sendto(out.fd, message->data, message->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                        (const struct sockaddr *)&out.address, sizeof out.address));
}

static bool is_regular_file(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* In pieces that a pipe takes as a whole, each when the other side has room: lines of several processes stay whole then. */
static enum sent write_piece(int fd, const char *data, size_t len, ssize_t *written_out)
{
    struct pollfd ready = { fd, POLLOUT, 0 };
    *written_out = 0;
    ssize_t result = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result < 0 && errno == ENOTSOCK) {
        if (!is_regular_file(fd) && (poll(&ready, 1, 0) != 1 || (ready.revents & (POLLOUT | POLLERR)) == 0))
            return WOULD_BLOCK;
        result = write(fd, data, len < PIECE_MAX || is_regular_file(fd) ? len : PIECE_MAX);
    }
    if (result > 0)
        *written_out = result;
    return judge(result);
}

static enum sent write_stream(struct message *message)
{
    int fd = out.fd > 0 && out.target == LOG_TARGET_STDERR ? out.fd : STDERR_FILENO;
    while (message->sent < message->len) {
        ssize_t written;
        enum sent sent = write_piece(fd, message->data + message->sent, message->len - message->sent, &written);
        if (sent != SENT)
            return sent;
        message->sent += (size_t)written;
    }
    return SENT;
}

static enum sent send_message(struct message *message)
{
    return out.target == LOG_TARGET_STDERR ? write_stream(message) : send_datagram(message);
}

static struct message *message_new(enum log_level level, const struct strbuf *text)
{
    struct message *message = xmalloc(sizeof *message + text->len);
    *message = (struct message){ .level = level, .len = text->len };
    memcpy(message->data, text->data, text->len);
    return message;
}

static bool flush_waiting(void)
{
    while (out.first) {
        struct message *message = out.first;
        enum sent sent = send_message(message);
        if (sent == WOULD_BLOCK)
            return false;
        out.dropped += sent == FAILED;
        out.first = message->next;
        if (!out.first)
            out.last = &out.first;
        out.waiting -= message->len;
        free(message);
    }
    return true;
}

static void keep_or_drop(struct message *message)
{
    if (message->len > LOG_WAITING_MAX - out.waiting) {
        out.dropped++;
        free(message);
        return;
    }
    out.waiting += message->len;
    *out.last = message;
    out.last = &message->next;
}

/* Standard error hears what the journal or syslog can't be told. */
static enum sent say_elsewhere(const struct log_record *record)
{
    struct strbuf text;
    strbuf_init(&text, MESSAGE_MAX);
    add_stamped(&text, record);
    struct message *message = message_new(record->level, &text);
    enum sent sent = write_stream(message);
    free(message);
    strbuf_free(&text);
    return sent;
}

static void write_record(const struct log_record *record)
{
    struct strbuf text;
    strbuf_init(&text, MESSAGE_MAX);
    add_for_target[out.target](&text, record);
    struct message *message = message_new(record->level, &text);
    strbuf_free(&text);
    enum sent sent = out.first ? WOULD_BLOCK : send_message(message);
    if (sent == WOULD_BLOCK) {
        keep_or_drop(message);
        return;
    }
    if (sent == FAILED && out.target != LOG_TARGET_STDERR)
        sent = say_elsewhere(record);
    out.dropped += sent != SENT; /* a disk that is full, a reader who has gone */
    free(message);
}

static void tell_of_dropped(void)
{
    struct strbuf line, fields;
    uint64_t count = out.dropped - out.told;
    if (count == 0)
        return;
    strbuf_init(&line, 200);
    strbuf_init(&fields, 200);
    strbuf_add_fmt(&line, "level=warning event=" LOG_EVENT_DROPPED " count=%" PRIu64, count);
    strbuf_add_fmt(&fields, "POSTERN_EVENT=" LOG_EVENT_DROPPED "\nPOSTERN_COUNT=%" PRIu64 "\n", count);
    uint64_t dropped = out.dropped;
    write_record(&(struct log_record){ .level = LOG_LEVEL_WARNING,
                                       .line = line.data,
                                       .line_len = line.len,
                                       .fields = fields.data,
                                       .fields_len = fields.len });
    if (out.dropped == dropped)
        out.told = dropped;
    out.dropped = dropped; /* this one is none of them */
    strbuf_free(&line);
    strbuf_free(&fields);
}

void log_target_write(const struct log_record *record)
{
    pthread_mutex_lock(&out.mutex);
    if (flush_waiting())
        tell_of_dropped();
    write_record(record);
    pthread_mutex_unlock(&out.mutex);
}

bool log_target_wants_fields(void)
{
    pthread_mutex_lock(&out.mutex);
    bool wants = out.target == LOG_TARGET_JOURNAL;
    pthread_mutex_unlock(&out.mutex);
    return wants;
}

bool log_flush(void)
{
    pthread_mutex_lock(&out.mutex);
    bool is_empty = flush_waiting();
    if (is_empty)
        tell_of_dropped();
    pthread_mutex_unlock(&out.mutex);
    return is_empty;
}

uint64_t log_dropped(void)
{
    pthread_mutex_lock(&out.mutex);
    uint64_t dropped = out.dropped;
    pthread_mutex_unlock(&out.mutex);
    return dropped;
}

/* ---- opening ---- */

/* Standard error belongs to others too, who may not like it when it does not block: so another open file of the same pipe or
 * terminal. 0: standard error itself is used, which is asked each time whether it is ready. */
static int reopen_stderr(void)
{
    struct stat status;
    if (fstat(STDERR_FILENO, &status) < 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        return 0;
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd > STDIN_FILENO)
        return fd;
    if (fd == STDIN_FILENO) /* which was closed: that number means standard error here */
        close(fd);
    return 0;
}

static int open_socket(const char *path)
{
    if (strlen(path) >= sizeof out.address.sun_path)
        return -1;
    out.address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(out.address.sun_path, path, strlen(path) + 1);
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void log_open(enum log_target target, const char *socket_path)
{
    pthread_mutex_lock(&out.mutex);
    if (out.is_open && out.fd > 0)
        close(out.fd);
    out.has_asked = false;
    if (target == LOG_TARGET_AUTO)
        target = is_journal_stream() ? LOG_TARGET_JOURNAL : LOG_TARGET_STDERR;
    if (target == LOG_TARGET_STDERR)
        out.fd = reopen_stderr();
    else
        out.fd = open_socket(socket_path ? socket_path : target == LOG_TARGET_JOURNAL ? JOURNAL_SOCKET : SYSLOG_SOCKET);
    out.target = out.fd < 0 ? LOG_TARGET_STDERR : target;
    out.is_open = true;
    pthread_mutex_unlock(&out.mutex);
}
