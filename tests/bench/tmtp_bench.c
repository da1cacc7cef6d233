/* tmtp_bench.c - a bare member for the benchmarks: nothing but the TMTP client, told what to do on standard input
 *
 *   tmtp_bench =HOST:PORT ALIAS
 *
 * Registers, says "online UID", then takes one command a line:
 *
 *   ping ALIAS                       (with the rest of the line); whoever answers is told as "ping UID ALIAS"
 *   expect N                         counts deliveries; after N: "got N SECONDS", from the first to the last of them
 *   save FILE                        the content of the next delivery goes there
 *   post UID AUTHOR N WINDOW ECHO FILE  posts a new thread N times, WINDOW at a time (ECHO 1: settled by the echo);
 *                                    "posted N SECONDS" when all are settled. The author's name may not have spaces
 *   commit FILE | commit -           whether the content of each delivery is written to FILE and synced before it is acknowledged
 *   offline | online                 leaves, and comes back: "online UID"
 *
 * What is delivered is otherwise acknowledged at once. That is what the gateway is measured against: the same client library, silo,
 * content and number of posts at a time, but nothing converted, decided or stored.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"

enum {
    LINE_SIZE = 2000,
    MESSAGE_MAX = 1 << 30,
    COMMIT_WRAP =
        16 << 20, /* the file is used again from its start, like a database's log: syncing a growing one costs more */
};

struct bench {
    struct clock *clock;
    struct loop *loop;
    struct loop_watch *input;
    struct tmtp_client *client;
    char *address, *alias, *uid, *node, *pin, *save;
    char line[LINE_SIZE];
    size_t line_len;
    bool leaving;

    long expected, got;
    int64_t first_us, last_us;
    int commit_fd; /* -1: nothing is committed */
    int64_t commit_offset;

    struct { /* the posting under way */
        char *uid, *author;
        long count, made, settled;
        bool echo;
        int fd;
        int64_t size, started_us;
    } post;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void say_done(const char *what, long count, int64_t us)
{
    printf("%s %ld %.6f\n", what, count, (double)us / 1e6);
    fflush(stdout);
}

/* --- posting --- */

static void make_post(struct bench *bench)
{
    struct tmtp_message message;
    char key[40];
    const struct tmtp_client_recipient to = { .id = bench->post.uid };
    static const char date[] = "2026-01-01T00:00:00Z";

    snprintf(key, sizeof key, "bench-%ld-%ld", bench->post.made, (long)bench->post.started_us);
    tmtp_message_init(&message);
    tmtp_message_set(&message.alias, bench->alias);
    tmtp_message_set(&message.subject, "Bench");
    tmtp_message_set(&message.queue_key, key);
    tmtp_message_add_participant(&message, bench->alias, bench->uid, bench->alias, bench->uid, date, "author");
    tmtp_message_add_participant(&message, bench->post.author, bench->post.uid, bench->alias, bench->uid, date,
                                 "initial recipient");
    const struct tmtp_client_post post = {
        .message = &message,
        .recipients = &to,
        .recipient_count = 1,
        .content_fd = bench->post.fd,
        .content_size = bench->post.size,
        .echo = bench->post.echo,
    };
    if (tmtp_client_post(bench->client, &post) == 0) {
        fprintf(stderr, "a post was not taken\n");
        exit(1);
    }
    tmtp_message_free(&message);
    bench->post.made++;
}

static void settled(struct bench *bench)
{
    bench->post.settled++;
    if (bench->post.made < bench->post.count)
        make_post(bench);
    else if (bench->post.settled == bench->post.count)
        say_done("posted", bench->post.count, now_us() - bench->post.started_us);
}

/* UID AUTHOR N WINDOW ECHO FILE */
static void start_posting(struct bench *bench, char *arguments)
{
    char *rest = arguments;
    struct stat status;
    free(bench->post.uid);
    free(bench->post.author);
    bench->post.uid = xstrdup(strtok_r(rest, " ", &rest));
    bench->post.author = xstrdup(strtok_r(NULL, " ", &rest));
    bench->post.count = strtol(strtok_r(NULL, " ", &rest), NULL, 10);
    long window = strtol(strtok_r(NULL, " ", &rest), NULL, 10);
    bench->post.echo = strtol(strtok_r(NULL, " ", &rest), NULL, 10) != 0;
    if (bench->post.fd >= 0)
        close(bench->post.fd);
    bench->post.fd = open(rest, O_RDONLY | O_CLOEXEC);
    if (bench->post.fd < 0 || fstat(bench->post.fd, &status) < 0) {
        perror(rest);
        exit(1);
    }
    bench->post.size = status.st_size;
    bench->post.made = bench->post.settled = 0;
    bench->post.started_us = now_us();
    while (bench->post.made < window && bench->post.made < bench->post.count)
        make_post(bench);
}

/* --- the client --- */

static void on_state(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx)
{
    struct bench *bench = ctx;
    (void)client;
    if (state == TMTP_CLIENT_ONLINE) {
        printf("online %s\n", bench->uid);
        fflush(stdout);
    }
    if (state == TMTP_CLIENT_STOPPED || (state == TMTP_CLIENT_OFFLINE && !bench->leaving))
        fprintf(stderr, "%s: %s\n", tmtp_client_state_name(state), detail);
}

static void on_pin(struct tmtp_client *client, const char *pin, void *ctx)
{
    struct bench *bench = ctx;
    (void)client;
    free(bench->pin);
    bench->pin = xstrdup(pin);
}

static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    struct bench *bench = ctx;
    if (alias_error != NULL) {
        fprintf(stderr, "%s\n", alias_error);
        exit(1);
    }
    bench->uid = xstrdup(uid);
    bench->node = xstrdup(node);
    tmtp_client_account_saved(client);
}

static void on_result(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx)
{
    struct bench *bench = ctx;
    (void)client;
    if (result->error != NULL || result->lost) {
        fprintf(stderr, "refused: %s\n", result->lost ? "lost" : result->error);
        exit(1);
    }
    if (!bench->post.echo && bench->post.settled < bench->post.made)
        settled(bench);
}

static void on_echo(struct tmtp_client *client, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid, void *ctx)
{
    (void)queue_key, (void)posted, (void)threadid;
    tmtp_client_ack(client, msgid);
    settled(ctx);
}

static void save(struct bench *bench, struct spool *content)
{
    int64_t size = spool_size(content);
    char *bytes = xmalloc((size_t)size + 1);
    FILE *file = fopen(bench->save, "wb");
    if (spool_read(content, 0, bytes, (size_t)size) != size || file == NULL ||
        fwrite(bytes, 1, (size_t)size, file) != (size_t)size || fclose(file) != 0) {
        perror(bench->save);
        exit(1);
    }
    free(bytes);
    free(bench->save);
    bench->save = NULL;
    printf("saved\n");
    fflush(stdout);
}

/* What nobody who promises to lose nothing can do without. */
static void commit(struct bench *bench, const struct spool *content)
{
    char piece[64 * 1024];
    int64_t size = content ? spool_size(content) : 0;
    if (bench->commit_offset + size > COMMIT_WRAP)
        bench->commit_offset = 0;
    for (int64_t at = 0; at < size;) {
        int64_t got = spool_read(content, at, piece, sizeof piece);
        if (got <= 0 || pwrite(bench->commit_fd, piece, (size_t)got, bench->commit_offset + at) != got) {
            perror("commit");
            exit(1);
        }
        at += got;
    }
    bench->commit_offset += size;
    if (fdatasync(bench->commit_fd) < 0) {
        perror("commit");
        exit(1);
    }
}

static void on_message(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx)
{
    struct bench *bench = ctx;
    bench->last_us = now_us();
    if (bench->got++ == 0)
        bench->first_us = bench->last_us;
    struct spool *content = tmtp_client_take_content(delivery);
    if (bench->save != NULL && content != NULL)
        save(bench, content);
    if (bench->commit_fd >= 0)
        commit(bench, content);
    spool_free(&content);
    tmtp_client_ack(client, delivery->push->id);
    if (bench->got == bench->expected)
        say_done("got", bench->got, bench->last_us - bench->first_us);
}

static void on_ping(struct tmtp_client *client, const struct tmtp_push *push, const char *text, void *ctx)
{
    (void)text, (void)ctx;
    printf("ping %s %s\n", push->from, push->alias);
    fflush(stdout);
    tmtp_client_ack(client, push->id);
}

static const struct tmtp_client_callbacks callbacks = {
    .on_state = on_state,
    .on_pin = on_pin,
    .on_registered = on_registered,
    .on_result = on_result,
    .on_echo = on_echo,
    .on_message = on_message,
    .on_ping = on_ping,
};

static void start_client(struct bench *bench)
{
    const struct tmtp_client_settings settings = {
        .loop = bench->loop,
        .address = bench->address,
        .pin = bench->pin,
        .uid = bench->uid,
        .node = bench->node,
        .alias = bench->alias,
        .message_max = MESSAGE_MAX,
        .callbacks = &callbacks,
        .ctx = bench,
    };
    tmtp_client_free(&bench->client);
    bench->leaving = false;
    bench->client = tmtp_client_new(&settings);
}

/* --- commands --- */

static void command_ping(struct bench *bench, char *arguments)
{
    if (tmtp_client_ping(bench->client, bench->alias, arguments, "Hello") == 0)
        fprintf(stderr, "a ping was not taken\n");
}

static void command_expect(struct bench *bench, char *arguments)
{
    bench->expected = strtol(arguments, NULL, 10);
    bench->got = 0;
}

static void command_save(struct bench *bench, char *arguments)
{
    free(bench->save);
    bench->save = xstrdup(arguments);
}

static void command_commit(struct bench *bench, char *arguments)
{
    if (bench->commit_fd >= 0)
        close(bench->commit_fd);
    bench->commit_fd = -1;
    if (strcmp(arguments, "-") == 0)
        return;
    bench->commit_offset = 0;
    bench->commit_fd = open(arguments, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (bench->commit_fd < 0 || posix_fallocate(bench->commit_fd, 0, COMMIT_WRAP) != 0) {
        perror(arguments);
        exit(1);
    }
}

static void command_offline(struct bench *bench, char *arguments)
{
    (void)arguments;
    bench->leaving = true;
    tmtp_client_quit(bench->client);
}

static void command_online(struct bench *bench, char *arguments)
{
    (void)arguments;
    start_client(bench);
}

static const struct {
    const char *name;
    void (*run)(struct bench *bench, char *arguments);
} commands[] = {
    { "ping", command_ping },     { "expect", command_expect }, { "save", command_save },
    { "post", start_posting },    { "commit", command_commit }, { "offline", command_offline },
    { "online", command_online },
};

static void run_command(struct bench *bench)
{
    char *space = strchr(bench->line, ' ');
    if (space != NULL)
        *space = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, bench->line) == 0) {
            commands[i].run(bench, space != NULL ? space + 1 : bench->line + strlen(bench->line));
            return;
        }
    }
    fprintf(stderr, "unknown: %s\n", bench->line);
}

static void on_stdin(int fd, void *arg)
{
    struct bench *bench = arg;
    char byte;
    while (read(fd, &byte, 1) == 1) {
        if (byte != '\n' && bench->line_len < LINE_SIZE - 1) {
            bench->line[bench->line_len++] = byte;
            continue;
        }
        bench->line[bench->line_len] = '\0';
        bench->line_len = 0;
        run_command(bench);
        return;
    }
    loop_stop(bench->loop);
}

static void drop_line(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(int argc, char **argv)
{
    struct bench bench = { .post.fd = -1, .commit_fd = -1 };
    if (argc != 3) {
        fprintf(stderr, "usage: tmtp_bench =HOST:PORT ALIAS\n");
        return 2;
    }
    log_set_sink(drop_line, NULL);
    bench.address = argv[1];
    bench.alias = argv[2];
    bench.clock = clock_new_system();
    bench.loop = loop_new(bench.clock);
    bench.input = loop_watch_new(bench.loop, STDIN_FILENO, on_stdin, &bench);
    start_client(&bench);
    loop_run(bench.loop);
    return 0;
}
