/* smtp_bench.c - a generator of mail like smtp-source, that also speaks STARTTLS, keeps a pace, and measures how long each
 * mail took
 *
 *   smtp_bench ADDRESS FROM TO load SESSIONS MESSAGES SIZE [starttls] [once] [rate=N]
 *   smtp_bench ADDRESS FROM TO idle SESSIONS [starttls]
 *
 * load: MESSAGES of SIZE octets over SESSIONS connections, which are kept, or ("once") closed after each message. As fast as
 * they go, or N a second, due at even intervals whether those before are done or not. Prints one line of JSON: seconds,
 * and the time from when a message was due, or begun, to the reply to its end: median, 99 %, most; in microseconds.
 * idle: opens the connections, greets, prints "idle", and holds them until standard input ends.
 *
 * No pipelining, as in smtp-source: each command waits for the reply. Any reply but the expected one ends the program.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"

enum { LINE_MAX_SIZE = 1000, COMMAND_MAX = 1000, CONTENT_MAX = 100 * 1024 * 1024, CONNECTING_MAX = 200 };

/* What a session waits for. */
enum step {
    STEP_GREETING,
    STEP_EHLO,
    STEP_STARTTLS,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_CONTENT,
    STEP_QUIT,
    STEP_IDLE
};

static const struct {
    const char *name;
    char first; /* digit of the reply */
} steps[] = {
    [STEP_GREETING] = { "the greeting", '2' },
    [STEP_EHLO] = { "EHLO", '2' },
    [STEP_STARTTLS] = { "STARTTLS", '2' },
    [STEP_MAIL] = { "MAIL", '2' },
    [STEP_RCPT] = { "RCPT", '2' },
    [STEP_DATA] = { "DATA", '3' },
    [STEP_CONTENT] = { "the content", '2' },
    [STEP_QUIT] = { "QUIT", '2' },
    [STEP_IDLE] = { "nothing", 0 },
};

struct session {
    struct bench *bench;
    struct stream *stream;
    enum step step;
    bool has_mail; /* one is under way */
    int64_t begun_us;
};

struct bench {
    struct loop *loop;
    struct tls_context *tls; /* NULL: plain */
    const char *address, *from, *to;
    struct session *sessions;
    long session_count, opened, greeted;
    bool is_load, is_once;
    long messages, begun, done, rate;
    char *body; /* and the line with the dot */
    size_t body_len;
    int64_t started_us, *times;
    struct timer *pace;
    char unique[40];
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(const char *doing, const char *detail)
{
    fprintf(stderr, "smtp_bench: %s: %s\n", doing, detail);
    exit(1);
}

static void say(struct session *session, enum step step, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct session *session, enum step step, const char *fmt, ...)
{
    struct strbuf line;
    va_list args;
    strbuf_init(&line, COMMAND_MAX);
    va_start(args, fmt);
    strbuf_add_vfmt(&line, fmt, args);
    va_end(args);
    strbuf_add_str(&line, "\r\n");
    stream_write(session->stream, line.data, line.len);
    strbuf_free(&line);
    session->step = step;
}

/* --- one mail after another --- */

static void connect_session(struct session *session);

static int64_t due_us(const struct bench *bench, long number)
{
    return bench->started_us + (bench->rate > 0 ? number * 1000000 / bench->rate : 0);
}

static void begin_mail(struct session *session)
{
    struct bench *bench = session->bench;
    if (session->has_mail) {
        say(session, STEP_MAIL, "MAIL FROM:<%s>", bench->from);
        return;
    }
    session->step = STEP_IDLE;
    if (bench->begun == bench->messages || (bench->rate > 0 && due_us(bench, bench->begun) > now_us()))
        return;
    session->begun_us = bench->rate > 0 ? due_us(bench, bench->begun) : now_us();
    bench->begun++;
    session->has_mail = true;
    say(session, STEP_MAIL, "MAIL FROM:<%s>", bench->from);
}

/* Every connection is there: now the time counts. */
static void all_greeted(struct bench *bench)
{
    if (!bench->is_load) {
        printf("idle\n");
        fflush(stdout);
        return;
    }
    bench->started_us = now_us();
    for (long i = 0; i < bench->session_count; i++)
        begin_mail(&bench->sessions[i]);
    if (bench->rate > 0)
        timer_start(bench->pace, 1);
}

static void tick(void *arg)
{
    struct bench *bench = arg;
    timer_start(bench->pace, 1);
    for (long i = 0; i < bench->session_count && bench->begun < bench->messages; i++)
        if (bench->sessions[i].step == STEP_IDLE)
            begin_mail(&bench->sessions[i]);
}

static void greeted(struct session *session)
{
    struct bench *bench = session->bench;
    session->step = STEP_IDLE;
    if (bench->opened < bench->session_count)
        connect_session(&bench->sessions[bench->opened++]);
    if (bench->greeted < bench->session_count && ++bench->greeted == bench->session_count)
        all_greeted(bench);
    else if (bench->started_us > 0)
        begin_mail(session);
}

static void send_content(struct session *session)
{
    struct bench *bench = session->bench;
    struct strbuf header;
    strbuf_init(&header, COMMAND_MAX);
    strbuf_add_fmt(&header, "From: <%s>\r\nTo: <%s>\r\nSubject: Benchmark\r\nMessage-ID: <%" PRIdPTR ".%ld.%s>\r\n\r\n",
                   bench->from, bench->to, session - bench->sessions, bench->done + session->begun_us, bench->unique);
    size_t skipped = header.len < bench->body_len - 5 ? header.len : bench->body_len - 5;
    stream_write(session->stream, header.data, header.len);
    stream_write(session->stream, bench->body + skipped, bench->body_len - skipped);
    strbuf_free(&header);
    session->step = STEP_CONTENT;
}

static void mail_done(struct session *session)
{
    struct bench *bench = session->bench;
    session->has_mail = false;
    bench->times[bench->done++] = now_us() - session->begun_us;
    if (bench->done == bench->messages)
        loop_stop(bench->loop);
    else if (bench->is_once)
        say(session, STEP_QUIT, "QUIT");
    else
        begin_mail(session);
}

/* The next message is due, if any is, from when its connection is begun. */
static void reconnect(struct session *session)
{
    struct bench *bench = session->bench;
    stream_free(&session->stream);
    session->step = STEP_IDLE;
    if (bench->begun == bench->messages)
        return;
    bench->begun++;
    session->has_mail = true;
    session->begun_us = now_us();
    connect_session(session);
}

/* --- the conversation --- */

static void go_on(struct session *session)
{
    struct bench *bench = session->bench;
    switch (session->step) {
    case STEP_GREETING:
        say(session, STEP_EHLO, "EHLO bench.example.com");
        break;
    case STEP_EHLO:
        if (bench->tls && !stream_is_tls(session->stream))
            say(session, STEP_STARTTLS, "STARTTLS");
        else
            greeted(session);
        break;
    case STEP_STARTTLS:
        if (stream_start_tls_client(session->stream, bench->tls, NULL, NULL) != 1)
            fail("STARTTLS", "something came before the handshake");
        break;
    case STEP_MAIL:
        say(session, STEP_RCPT, "RCPT TO:<%s>", bench->to);
        break;
    case STEP_RCPT:
        say(session, STEP_DATA, "DATA");
        break;
    case STEP_DATA:
        send_content(session);
        break;
    case STEP_CONTENT:
        mail_done(session);
        break;
    case STEP_QUIT:
        reconnect(session);
        break;
    case STEP_IDLE:
        fail("idle", "a reply that was not asked for");
    }
}

static void on_input(struct stream *stream, void *ctx)
{
    struct session *session = ctx;
    const char *line;
    size_t len;
    int got = 0;
    while (session->stream == stream && (got = stream_read_line(stream, LINE_MAX_SIZE, true, &line, &len, NULL)) == 1) {
        if (len > 3 && line[3] == '-')
            continue;
        if (line[0] != steps[session->step].first)
            fail(steps[session->step].name, line);
        go_on(session);
    }
    if (session->stream == stream && got < 0)
        fail(steps[session->step].name, "a line too long");
}

static void on_tls(struct stream *stream, void *ctx)
{
    (void)stream;
    say(ctx, STEP_EHLO, "EHLO bench.example.com");
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct session *session = ctx;
    (void)stream, (void)why;
    fail(steps[session->step].name, detail);
}

static void connect_session(struct session *session)
{
    static const struct stream_callbacks callbacks = { .on_input = on_input, .on_tls = on_tls, .on_end = on_end };
    const struct stream_settings settings = { .callbacks = &callbacks, .ctx = session };
    const struct stream_target target = { .address = session->bench->address };
    session->step = STEP_GREETING;
    session->stream = stream_new_connecting(session->bench->loop, &settings, &target);
}

/* --- the whole --- */

static void make_body(struct bench *bench, long size)
{
    static const char end[] = "\r\n.\r\n";
    enum { WIDTH = 70 };
    bench->body_len = (size_t)size + sizeof end - 1;
    bench->body = xmalloc(bench->body_len);
    for (long i = 0; i < size; i++)
        bench->body[i] = i % WIDTH == WIDTH - 2 ? '\r' : i % WIDTH == WIDTH - 1 ? '\n' : 'x';
    if (size > 0 && size % WIDTH == WIDTH - 1)
        bench->body[size - 1] = 'x'; /* no CR without its LF */
    memcpy(bench->body + size, end, sizeof end - 1);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct bench *bench)
{
    double seconds = (double)(now_us() - bench->started_us) / 1e6;
    qsort(bench->times, (size_t)bench->done, sizeof *bench->times, compare);
    printf("{\"messages\": %ld, \"seconds\": %.6f, \"median_us\": %" PRId64 ", \"p99_us\": %" PRId64
           ", \"most_us\": %" PRId64 "}\n",
           bench->done, seconds, bench->times[bench->done / 2], bench->times[bench->done * 99 / 100],
           bench->times[bench->done - 1]);
}

static void on_stdin(int fd, void *arg)
{
    struct bench *bench = arg;
    char byte;
    if (read(fd, &byte, 1) <= 0)
        loop_stop(bench->loop);
}

static void drop_line(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static int usage(void)
{
    fprintf(stderr, "usage: smtp_bench ADDRESS FROM TO load SESSIONS MESSAGES SIZE [starttls] [once] [rate=N]\n"
                    "       smtp_bench ADDRESS FROM TO idle SESSIONS [starttls]\n");
    return 2;
}

static int read_arguments(struct bench *bench, int argc, char **argv)
{
    bool wants_tls = false;
    char *error;
    bench->is_load = argc >= 8 && strcmp(argv[4], "load") == 0;
    if (!bench->is_load && (argc < 6 || strcmp(argv[4], "idle") != 0))
        return -1;
    bench->address = argv[1];
    bench->from = argv[2];
    bench->to = argv[3];
    bench->session_count = strtol(argv[5], NULL, 10);
    bench->messages = bench->is_load ? strtol(argv[6], NULL, 10) : 0;
    long size = bench->is_load ? strtol(argv[7], NULL, 10) : 0;
    for (int i = bench->is_load ? 8 : 6; i < argc; i++) {
        wants_tls |= strcmp(argv[i], "starttls") == 0;
        bench->is_once |= strcmp(argv[i], "once") == 0;
        if (strncmp(argv[i], "rate=", 5) == 0)
            bench->rate = strtol(argv[i] + 5, NULL, 10);
    }
    if (bench->session_count < 1 || (bench->is_load && bench->messages < 1) || size < 0 || size > CONTENT_MAX)
        return -1;
    if (wants_tls)
        bench->tls = tls_context_new_client(TLS_VERIFY_NONE, NULL, &error);
    make_body(bench, size);
    return 1;
}

int main(int argc, char **argv)
{
    struct bench bench = { .is_load = false };
    if (read_arguments(&bench, argc, argv) < 0)
        return usage();
    log_set_sink(drop_line, NULL);
    struct clock *clock = clock_new_system();
    bench.loop = loop_new(clock);
    bench.sessions = xcalloc((size_t)bench.session_count, sizeof *bench.sessions);
    bench.times = xcalloc((size_t)bench.messages + 1, sizeof *bench.times);
    bench.pace = timer_new(bench.loop, tick, &bench);
    snprintf(bench.unique, sizeof bench.unique, "%ld.%ld@bench.example.com", (long)getpid(), (long)time(NULL));
    struct loop_watch *input = bench.is_load ? NULL : loop_watch_new(bench.loop, STDIN_FILENO, on_stdin, &bench);
    for (long i = 0; i < bench.session_count; i++)
        bench.sessions[i].bench = &bench;
    while (bench.opened < bench.session_count && bench.opened < CONNECTING_MAX)
        connect_session(&bench.sessions[bench.opened++]);
    loop_run(bench.loop);
    if (bench.is_load)
        report(&bench);
    loop_watch_free(&input);
    return 0;
}
