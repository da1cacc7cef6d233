/* content_bench.c - storing large content in the database against files: `tests/bench/run content`
 *
 *   content_bench DIRECTORY blob|file BYTES COUNT
 *
 * Stores COUNT contents of BYTES, one after another, from spools as mail comes in, while every 5 ms a small mail's content (4
 * KiB) is stored beside it. Prints one line of JSON: seconds, the highest size of the write-ahead log, and how long the
 * small ones took from submission to commit. Measured is from the complete spool to the commit.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"

enum { SMALL_SIZE = 4096, SMALL_EVERY_MS = 5, PIECE = 64 * 1024, SMALL_MAX = 1000000 };

struct bench {
    struct loop *loop;
    struct store *store;
    struct background *background;
    bool as_file;
    int64_t size;
    long count, done;
    struct spool *spool, *small;
    struct store_draft *draft, *small_draft;
    int64_t started, spent; /* microseconds */
    struct timer *timer;
    char wal[4096];
    int64_t wal_max;
    int64_t *small_times;
    size_t small_count;
    bool is_over;
};

struct small {
    struct bench *bench;
    int64_t at;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void look_at_log(struct bench *bench)
{
    struct stat info;
    if (stat(bench->wal, &info) == 0 && info.st_size > bench->wal_max)
        bench->wal_max = info.st_size;
}

static struct spool *fill_spool(const struct bench *bench, int64_t size)
{
    static uint8_t piece[PIECE];
    struct spool *spool = spool_new(store_content_directory(bench->store), SPOOL_MEMORY_DEFAULT);
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (uint8_t)(random() >> 7);
    for (int64_t left = size; left > 0; left -= PIECE)
        if (spool_add(spool, piece, left < PIECE ? (size_t)left : PIECE) != 1)
            abort();
    return spool;
}

/* Small content, all the time. */

static int add_small(struct store_db *db, void *arg)
{
    const struct small *small = arg;
    int64_t id;
    return store_content_add(db, small->bench->small_draft, &id);
}

static void small_added(int result, void *arg)
{
    struct small *small = arg;
    struct bench *bench = small->bench;
    if (result != 1)
        abort();
    look_at_log(bench);
    if (bench->small_count < SMALL_MAX)
        bench->small_times[bench->small_count++] = now_us() - small->at;
    free(small);
}

static void start_small(void *arg)
{
    struct bench *bench = arg;
    struct small *small = xcalloc(1, sizeof *small);
    *small = (struct small){ .bench = bench, .at = now_us() };
    store_submit(bench->store, add_small, small_added, small);
    timer_start(bench->timer, SMALL_EVERY_MS);
}

/* Large content, one after another. */

static int add_large(struct store_db *db, void *arg)
{
    struct bench *bench = arg;
    int64_t id;
    if (bench->as_file)
        return store_content_add(db, bench->draft, &id);
    int fd = spool_dup_fd(bench->spool);
    int result = fd >= 0 ? store_content_add_fd(db, fd, bench->size, &id) : -1;
    close(fd);
    return result;
}

static void start_large(struct bench *bench);

static void next_large(void *arg)
{
    start_large(arg);
}

static void large_added(int result, void *arg)
{
    struct bench *bench = arg;
    if (result != 1)
        abort();
    bench->spent += now_us() - bench->started;
    store_draft_free(&bench->draft);
    spool_free(&bench->spool);
    if (++bench->done == bench->count)
        bench->is_over = true;
    else
        loop_defer(bench->loop, next_large, bench);
}

static void keep(void *arg)
{
    struct bench *bench = arg;
    if (store_draft_keep(bench->draft) != 1)
        abort();
}

static void kept(void *arg)
{
    struct bench *bench = arg;
    store_submit(bench->store, add_large, large_added, bench);
}

static void start_large(struct bench *bench)
{
    bench->spool = fill_spool(bench, bench->size);
    bench->draft = store_draft_new_spool(bench->store, bench->spool);
    bench->started = now_us();
    if (bench->as_file)
        background_submit(bench->background, keep, kept, NULL, bench);
    else
        kept(bench);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t part(const struct bench *bench, size_t percent)
{
    return bench->small_count ? bench->small_times[(bench->small_count - 1) * percent / 100] : 0;
}

static void report(struct bench *bench)
{
    qsort(bench->small_times, bench->small_count, sizeof *bench->small_times, compare);
    printf("{\"seconds\": %.3f, \"mib_per_s\": %.1f, \"wal_mib\": %.1f, \"small\": %zu, \"median_us\": %" PRId64
           ", \"p99_us\": %" PRId64 ", \"max_us\": %" PRId64 "}\n",
           (double)bench->spent / 1e6,
           (double)bench->size * (double)bench->count / 1048576.0 / ((double)bench->spent / 1e6),
           (double)bench->wal_max / 1048576.0, bench->small_count, part(bench, 50), part(bench, 99), part(bench, 100));
}

int main(int argc, char **argv)
{
    struct bench bench = { 0 };
    char *error;
    if (argc != 5)
        return 64;
    bench.as_file = strcmp(argv[2], "file") == 0;
    bench.size = strtoll(argv[3], NULL, 10);
    bench.count = strtol(argv[4], NULL, 10);
    bench.small_times = xcalloc(SMALL_MAX, sizeof *bench.small_times);
    struct clock *clock = clock_new_system();
    bench.loop = loop_new(clock);
    char path[4000];
    snprintf(path, sizeof path, "%s/postern.db", argv[1]);
    snprintf(bench.wal, sizeof bench.wal, "%s-wal", path);
    bench.store = store_open(bench.loop, path, &error);
    if (!bench.store) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    bench.background = background_new(bench.loop);
    bench.small = fill_spool(&bench, SMALL_SIZE);
    bench.small_draft = store_draft_new_spool(bench.store, bench.small);
    bench.timer = timer_new(bench.loop, start_small, &bench);
    timer_start(bench.timer, 0);
    start_large(&bench);
    while (!bench.is_over) {
        loop_turn(bench.loop);
        usleep(100);
    }
    report(&bench);
    timer_free(&bench.timer);
    background_free(&bench.background);
    store_close(&bench.store);
    store_draft_free(&bench.small_draft);
    spool_free(&bench.small);
    loop_free(&bench.loop);
    clock_free(&clock);
    free(bench.small_times);
    return 0;
}
