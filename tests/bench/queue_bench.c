/* queue_bench.c - a long queue of deferred messages on their way out: `tests/bench/run queue`
 *
 *   queue_bench DATABASE fill N SIZE    queues written mails of SIZE octets for the database's first mapping until N wait,
 *                                       each tried once, due at random between 20 and 50 minutes from now
 *   queue_bench DATABASE await N SIZE   the same, but they wait for a relay, and leave when one is up
 *   queue_bench DATABASE due N          looks N times for what is due, and when the next is, as gateway/queue.c does
 *   queue_bench DATABASE release        makes all of them due
 *
 * With the store's own functions, in the order in which gateway/outbound_take.c and gateway/relay.c call them. Each prints
 * one line of JSON; times are microseconds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"

enum { AT_A_TIME = 200, LOOK_LIMIT = 8, ID_SIZE = 64, MESSAGE_ID_SIZE = 96 };
static const int64_t soonest_ms = 20 * 60 * 1000, latest_ms = 50 * 60 * 1000;

struct bench {
    struct loop *loop;
    struct store *store;
    int64_t now;
    long count, begun, done;
    int64_t size;
    bool awaits_relay; /* what is filled in leaves when a relay is up again, not only when it is due */
    struct store_mapping mapping;
};

static void fail(const char *what)
{
    fprintf(stderr, "queue_bench: %s\n", what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- fill --- */

struct message {
    struct bench *bench;
    long number;
    struct spool *content;
    struct store_draft *draft;
};

static void name_message(const struct message *message, char msgid[static ID_SIZE],
                         char message_id[static MESSAGE_ID_SIZE])
{
    snprintf(msgid, ID_SIZE, "bench-%" PRId64 "-%ld", message->bench->now, message->number);
    snprintf(message_id, MESSAGE_ID_SIZE, "%s@silo.example.org", msgid);
}

/* Each with a Message-ID of its own, so that whoever gets them can tell them apart. */
static struct spool *write_mail(const struct message *message)
{
    char msgid[ID_SIZE], message_id[MESSAGE_ID_SIZE], header[MESSAGE_ID_SIZE + 200];
    name_message(message, msgid, message_id);
    int len = snprintf(header, sizeof header,
                       "From: alice@silo.example.org\r\nTo: bob@example.com\r\nMessage-ID: <%s>\r\n"
                       "Subject: Bench\r\n\r\n",
                       message_id);
    struct spool *mail = spool_new(store_content_directory(message->bench->store), SPOOL_MEMORY_DEFAULT);
    if (spool_add(mail, header, (size_t)len) < 0)
        fail("no content");
    while (spool_size(mail) < message->bench->size)
        if (spool_add(mail, "All work and no play.\r\n", 23) < 0)
            fail("no content");
    return mail;
}

static int store_message(struct store_db *db, void *arg)
{
    const struct message *message = arg;
    const struct bench *bench = message->bench;
    const struct store_mapping *mapping = &bench->mapping;
    char msgid[ID_SIZE], message_id[MESSAGE_ID_SIZE];
    int64_t id, head_id, mail_id;
    name_message(message, msgid, message_id);
    if (store_content_add(db, message->draft, &head_id) != 1)
        return -1;
    const struct store_outbound_new row = {
        .kind = STORE_OUTBOUND_MESSAGE,
        .tmtp_msgid = msgid,
        .member_id = mapping->target.member_id,
        .author_uid = "",
        .author_alias = mapping->target_name,
        .message_id = message_id,
        .head = "{}",
        .content_id = head_id,
        .size = spool_size(message->content),
        .posted_at = bench->now,
        .now = bench->now,
    };
    if (store_outbound_add(db, &row, &id) != 1 ||
        store_outbound_add_recipient(db, id, mapping->correspondent_id, 0) != 1 ||
        store_trace_add(db, STORE_QUEUE_OUT, id, bench->now, "received", "from %s", mapping->target_name) != 1 ||
        store_content_add(db, message->draft, &mail_id) != 1 ||
        store_outbound_set_mail(db, id, mail_id, row.size, false, false, "") != 1 ||
        store_trace_add(db, STORE_QUEUE_OUT, id, bench->now, "converted", "mail <%s>", message_id) != 1)
        return -1;
    int64_t due = bench->now + soonest_ms + random() % (latest_ms - soonest_ms);
    if (store_outbound_set_recipient(db, id, mapping->correspondent_id, STORE_RECIPIENT_WAITING, "127.0.0.1:25",
                                     "451 4.3.0 come back later") < 0)
        return -1;
    return store_outbound_retry(db, id, due, bench->awaits_relay, "451 4.3.0 come back later");
}

static void submit_message(struct bench *bench);

static void stored(int result, void *arg)
{
    struct message *message = arg;
    struct bench *bench = message->bench;
    if (result != 1)
        fail("a message can't be stored");
    store_draft_free(&message->draft);
    spool_free(&message->content);
    free(message);
    bench->done++;
    if (bench->begun < bench->count)
        submit_message(bench);
    else if (bench->done == bench->begun)
        loop_stop(bench->loop);
}

static void submit_message(struct bench *bench)
{
    struct message *message = xcalloc(1, sizeof *message);
    message->bench = bench;
    message->number = bench->begun++;
    message->content = write_mail(message);
    message->draft = store_draft_new_spool(bench->store, message->content);
    store_submit(bench->store, store_message, stored, message);
}

static void take_first_mapping(const struct store_mapping *mapping, void *ctx)
{
    struct bench *bench = ctx;
    if (bench->mapping.id)
        return;
    bench->mapping = *mapping;
    bench->mapping.subject = xstrdup(mapping->subject);
    bench->mapping.target_name = xstrdup(mapping->target_name);
}

static long count_waiting(struct bench *bench)
{
    int64_t waiting = 0, routed = 0;
    struct store_db *db = store_reader(bench->store);
    if (store_queue_count(db, STORE_QUEUE_OUT, STORE_QUEUE_WAITING, &waiting) != 1 ||
        store_queue_count(db, STORE_QUEUE_OUT, STORE_QUEUE_ROUTED, &routed) != 1)
        fail("the queue can't be counted");
    return (long)(waiting + routed);
}

static void command_fill(struct bench *bench, char **arguments)
{
    const struct store_mapping_filter any = { .by_state = false };
    bench->count = strtol(arguments[0], NULL, 10) - count_waiting(bench);
    bench->size = strtol(arguments[1], NULL, 10);
    if (store_mapping_list(store_reader(bench->store), &any, take_first_mapping, bench) != 1 || !bench->mapping.id)
        fail("there is no mapping");
    for (long i = 0; i < AT_A_TIME && bench->begun < bench->count; i++)
        submit_message(bench);
    if (bench->begun > 0)
        loop_run(bench->loop);
    printf("{\"waiting\": %ld}\n", count_waiting(bench));
    free(bench->mapping.subject);
    free(bench->mapping.target_name);
}

static void command_await(struct bench *bench, char **arguments)
{
    bench->awaits_relay = true;
    command_fill(bench, arguments);
}

/* --- due --- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void count_one(int64_t id, int64_t next_attempt_at, void *ctx)
{
    (void)id, (void)next_attempt_at;
    ++*(long *)ctx;
}

/* At a time when nothing is due, or a little: between the first and the last due time. */
static void command_due(struct bench *bench, char **arguments)
{
    long count = strtol(arguments[0], NULL, 10), found = 0;
    int64_t *times = xcalloc((size_t)count, sizeof *times), at;
    struct store_db *db = store_reader(bench->store);
    for (long i = 0; i < count; i++) {
        int64_t now = bench->now + random() % latest_ms, started = now_ns();
        if (store_queue_list_due(db, STORE_QUEUE_OUT, now, LOOK_LIMIT, count_one, &found) < 0 ||
            store_queue_next_due(db, STORE_QUEUE_OUT, now, &at) < 0)
            fail("the queue can't be read");
        times[i] = now_ns() - started;
    }
    qsort(times, (size_t)count, sizeof *times, compare);
    long middle = count / 2, nearly_last = count * 99 / 100;
    double median = (double)times[middle] / 1000, p99 = (double)times[nearly_last] / 1000;
    printf("{\"looks\": %ld, \"found\": %ld, \"median_us\": %.1f, \"p99_us\": %.1f}\n", count, found, median, p99);
    free(times);
}

/* --- release --- */

static int release(struct store_db *db, void *arg)
{
    const struct bench *bench = arg;
    return store_queue_set_due(db, STORE_QUEUE_OUT, 0, bench->now);
}

static void released(int result, void *arg)
{
    struct bench *bench = arg;
    if (result != 1)
        fail("they can't be made due");
    loop_stop(bench->loop);
}

static void command_release(struct bench *bench, char **arguments)
{
    (void)arguments;
    store_submit(bench->store, release, released, bench);
    loop_run(bench->loop);
    printf("{\"waiting\": %ld}\n", count_waiting(bench));
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(struct bench *bench, char **arguments);
} commands[] = {
    { "fill", 2, command_fill },
    { "await", 2, command_await },
    { "due", 1, command_due },
    { "release", 0, command_release },
};

int main(int argc, char **argv)
{
    struct bench bench = { .count = 0 };
    struct clock *clock = clock_new_system();
    char *error;
    bench.loop = loop_new(clock);
    bench.now = clock_wall_ms(clock);
    for (size_t i = 0; argc >= 3 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, argv[2]) != 0 || argc != 3 + commands[i].arguments)
            continue;
        bench.store = store_open(bench.loop, argv[1], &error);
        if (!bench.store)
            fail(error);
        commands[i].run(&bench, argv + 3);
        store_close(&bench.store);
        loop_free(&bench.loop);
        clock_free(&clock);
        return 0;
    }
    fprintf(stderr, "usage: queue_bench DATABASE fill N SIZE | await N SIZE | due N | release\n");
    return 2;
}
