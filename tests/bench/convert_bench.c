/* convert_bench.c - how fast content is converted: `tests/bench/run convert`
 *
 *   convert_bench in DIRECTORY SECONDS FILE     mail to thread message, through one worker
 *   convert_bench out DIRECTORY SECONDS FILE    body (CommonMark) to mail, likewise; or with an ATTACHMENT behind FILE
 *   convert_bench time-in FILE                  once in this process, without a worker
 *   convert_bench time-out FILE                 likewise
 *
 * The first two keep a few jobs under way for so long, as the queues do, and print one line of JSON: how many, wall-clock
 * and processor seconds (of daemon and worker together). The others print the processor seconds of the fastest of
 * several runs. This program is also its own worker.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_memfile.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"

enum { UNDER_WAY = 4, TIMED_RUNS = 5 };
static const double timed_seconds = 0.3; /* runs end when they have taken this together */

struct bench {
    struct loop *loop;
    struct convert *convert;
    bool is_out;
    int fd;
    int64_t size;
    struct tmtp_message message; /* out */
    double until;
    unsigned long done;
    unsigned under_way;
    bool has_failed;
};

static double seconds_of(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "convert_bench: %s\n", what);
    exit(1);
}

/* ---- through a worker ---- */

static void on_in(struct convert_in_result *result, void *ctx);
static void on_out(struct convert_out_result *result, void *ctx);

static void start_out(struct bench *bench)
{
    const struct convert_mailbox to = { "Bob", { "bob", "example.com" } };
    const struct convert_out_request request = { .message = &bench->message,
                                                 .content_fd = bench->fd,
                                                 .content_size = bench->size,
                                                 .subject = "Re: The gate",
                                                 .from = { "Alice Member", { "alice", "silo.example.org" } },
                                                 .to = &to,
                                                 .to_count = 1,
                                                 .message_id = "1.abc@gw.example.org",
                                                 .date_ms = 1700000000000 };
    if (convert_mail_out(bench->convert, &request, on_out, bench) != 1)
        fail("not taken");
}

static void start(struct bench *bench)
{
    static const char *const known[] = { "bob@example.com", "alice@silo.example.org" };
    const struct convert_in_request request = {
        .mail_fd = bench->fd,
        .mail_size = bench->size,
        .options = { .known = known, .known_count = 2, .names_others = true },
    };
    bench->under_way++;
    if (bench->is_out)
        start_out(bench);
    else if (convert_mail_in(bench->convert, &request, on_in, bench) != 1)
        fail("not taken");
}

static void go_on(struct bench *bench, bool is_good)
{
    bench->done++;
    bench->under_way--;
    bench->has_failed = bench->has_failed || !is_good;
    if (seconds_of(CLOCK_MONOTONIC) < bench->until)
        start(bench);
    else if (bench->under_way == 0)
        loop_stop(bench->loop);
}

static void on_in(struct convert_in_result *result, void *ctx)
{
    go_on(ctx, result->ok && !result->fallback);
}

static void on_out(struct convert_out_result *result, void *ctx)
{
    go_on(ctx, result->ok);
}

static char *read_file(const char *path, size_t *len_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *data = fd >= 0 ? convert_memfile_read(fd, 0, SIZE_MAX, len_out) : NULL;
    if (!data)
        fail(path);
    close(fd);
    return data;
}

/* Small content comes from memory, as it does from the database; large content from a file. */
static void load(struct bench *bench, const char *directory, const char *file, const char *attachment)
{
    size_t len, attached = 0;
    char *data = read_file(file, &len), *more = attachment ? read_file(attachment, &attached) : NULL;
    bench->size = (int64_t)(len + attached);
    if (bench->size <= 256 * 1024)
        bench->fd = convert_memfile_new("bench", (size_t)bench->size);
    else
        bench->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (bench->fd < 0 || file_write_all(bench->fd, data, len) != 1 ||
        (attached && file_write_all(bench->fd, more, attached) != 1))
        fail("no file for the content");
    if (attached)
        tmtp_message_add_attachment(&bench->message, "u:plan.bin", (int64_t)attached, NULL);
    free(data);
    free(more);
}

static int run(bool is_out, const char *directory, double seconds, const char *file, const char *attachment)
{
    struct bench bench = { .is_out = is_out };
    struct clock *clock = clock_new_system();
    bench.loop = loop_new(clock);
    tmtp_message_init(&bench.message);
    const struct convert_settings settings = {
        .loop = bench.loop, .directory = directory, .program = "/proc/self/exe", .workers = 1
    };
    bench.convert = convert_new(&settings);
    if (!bench.convert)
        fail("no workers");
    load(&bench, directory, file, attachment);
    double started = seconds_of(CLOCK_MONOTONIC);
    bench.until = started + seconds;
    double own = processor_seconds(RUSAGE_SELF);
    for (unsigned i = 0; i < UNDER_WAY; i++)
        start(&bench);
    loop_run(bench.loop);
    double wall = seconds_of(CLOCK_MONOTONIC) - started;
    own = processor_seconds(RUSAGE_SELF) - own;
    if (bench.has_failed || convert_crashes(bench.convert) > 0)
        fail("conversions failed");
    convert_free(&bench.convert); /* waits for the workers' parent, which has waited for them: their time counts now */
    double workers = processor_seconds(RUSAGE_CHILDREN);
    printf(
        "{\"messages\": %lu, \"bytes\": %lld, \"seconds\": %.4f, \"daemon_seconds\": %.4f, \"worker_seconds\": %.4f}\n",
        bench.done, (long long)bench.size, wall, own, workers);
    tmtp_message_free(&bench.message);
    close(bench.fd);
    loop_free(&bench.loop);
    clock_free(&clock);
    return 0;
}

/* ---- in this process ---- */

static void count_octets(const void *data, size_t len, void *ctx)
{
    (void)data;
    *(size_t *)ctx += len;
}

static void convert_in(struct convert_charsets *charsets, struct convert_input *mail)
{
    struct convert_in_message message;
    size_t octets = 0;
    const struct convert_in_options options = { .names_others = true };
    convert_mime_in(charsets, mail, &options, count_octets, &octets, &message);
    convert_in_message_free(&message);
}

static void convert_out(struct convert_input *content, size_t len)
{
    struct strbuf detail;
    size_t octets = 0;
    strbuf_init(&detail, CONVERT_DETAIL_MAX);
    const struct convert_out_job job = { .input = content, .content = content->data, .body_size = len, .seed = 1 };
    convert_mime_out(&job, count_octets, &octets, &detail);
    strbuf_free(&detail);
}

static int time_one(bool is_out, const char *file)
{
    size_t len;
    char *data = read_file(file, &len);
    struct convert_charsets *charsets = convert_charsets_new();
    double least = 0, spent = 0;
    for (int i = 0; i < TIMED_RUNS && (i == 0 || spent < timed_seconds); i++) {
        struct convert_input input = convert_input_of(data, len);
        double started = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        if (is_out)
            convert_out(&input, len);
        else
            convert_in(charsets, &input);
        double took = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - started;
        spent += took;
        least = i == 0 || took < least ? took : least;
    }
    printf("%.6f\n", least);
    convert_charsets_free(&charsets);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], CONVERT_WORKER_ARGUMENT) == 0)
        convert_worker_main();
    if (argc == 3 && (strcmp(argv[1], "time-in") == 0 || strcmp(argv[1], "time-out") == 0))
        return time_one(strcmp(argv[1], "time-out") == 0, argv[2]);
    bool is_out = argc > 1 && strcmp(argv[1], "out") == 0;
    if (argc != 5 && !(argc == 6 && is_out))
        return 64;
    return run(is_out, argv[2], strtod(argv[3], NULL), argv[4], argc == 6 ? argv[5] : NULL);
}
