/* growth_bench.c - a database that has grown, and how fast it still answers: `tests/bench/run growth`
 *
 *   growth_bench DATABASE mappings N         makes mappings until there are N, between 1,000 correspondents for each of
 *                                            its members (g<i>@example.com, and local part g<i>)
 *   growth_bench DATABASE queue N SIZE AT    queues N mails of SIZE octets for the database's first mapping, AT a time
 *   growth_bench DATABASE lookup N           N decisions about pairs of what "mappings" made, in random order
 *
 * With the store's own functions, in the order in which gateway/inbound.c calls them. Each prints one line of JSON; times are
 * microseconds, of `lookup` for all that is read between MAIL and 250; `queue` also says what each mail cost the
 * committer (processor time, writing calls, octets written).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "gateway/pair.h"
#include "gateway/target.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"

enum { CORRESPONDENTS = 1000, ADDRESS_SIZE = 64, AT_MAX = 256 };

static const char domain[] = "silo.example.org";

struct bench {
    struct loop *loop;
    struct store *store;
    long count, begun, done;
    int64_t now;
    struct { /* mappings */
        int64_t correspondents[CORRESPONDENTS];
        int64_t members; /* made so far */
    } grow;
    struct { /* queue */
        struct spool *content;
        struct store_mapping mapping;
        int64_t cpu_us; /* of the committer */
    } queue;
};

static int64_t read_clock(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "growth_bench: %s\n", what);
    exit(1);
}

static void correspondent_address(long number, char out[static ADDRESS_SIZE])
{
    snprintf(out, ADDRESS_SIZE, "g%ld@example.com", number);
}

/* --- mappings --- */

/* 1 also for one of an earlier run, who may lack some mappings. */
static int ensure_member(struct store_db *db, struct bench *bench, int64_t *id_out)
{
    char name[ADDRESS_SIZE], local_part[ADDRESS_SIZE];
    const char *reason;
    struct store_member member;
    snprintf(name, sizeof name, "Growth Member %" PRId64, bench->grow.members);
    snprintf(local_part, sizeof local_part, "g%" PRId64, bench->grow.members);
    bench->grow.members++;
    int found = store_member_find_by_alias(db, name, &member);
    if (found == 1) {
        *id_out = member.id;
        store_member_free(&member);
    }
    if (found != 0)
        return found;
    return store_member_add(db, name, local_part, bench->now, id_out, &reason) == 1 &&
                   store_member_learn_uid(db, name, local_part) == 1
               ? 1
               : -1;
}

static int ensure_mapping(struct store_db *db, struct bench *bench, int64_t correspondent, int64_t member)
{
    const struct store_mapping_new mapping = {
        .correspondent_id = correspondent,
        .target = { .member_id = member },
        .state = STORE_MAPPING_APPROVED,
        .direction = STORE_DIRECTION_BOTH,
        .note = "",
        .actor = "bench",
        .reason = "",
        .now = bench->now,
    };
    int64_t id;
    int added = store_mapping_add(db, &mapping, &id);
    return added == 1 ? store_mapping_set_announced(db, id) : added < 0 ? -1 : 1;
}

/* One member, and a mapping with each correspondent. */
static int grow(struct store_db *db, void *arg)
{
    struct bench *bench = arg;
    int64_t member = 0;
    char address[ADDRESS_SIZE];
    if (ensure_member(db, bench, &member) < 0)
        return -1;
    for (long i = 0; i < CORRESPONDENTS && bench->begun < bench->count; i++, bench->begun++) {
        correspondent_address(i, address);
        if (store_correspondent_ensure(db, address, bench->now, &bench->grow.correspondents[i]) != 1 ||
            store_correspondent_set_alias(db, bench->grow.correspondents[i], address) != 1 ||
            ensure_mapping(db, bench, bench->grow.correspondents[i], member) < 0)
            return -1;
    }
    return 1;
}

static void grown(int result, void *arg)
{
    struct bench *bench = arg;
    if (result != 1)
        fail("a mapping can't be made");
    if (bench->begun < bench->count)
        store_submit(bench->store, grow, grown, bench);
    else
        loop_stop(bench->loop);
}

static void command_mappings(struct bench *bench, char **arguments)
{
    bench->count = strtol(arguments[0], NULL, 10);
    struct target target;
    struct smtp_address address = { .local = "" };
    snprintf(address.domain, sizeof address.domain, "%s", domain);
    for (;; bench->grow.members++) { /* begins with the last one of an earlier run */
        snprintf(address.local, sizeof address.local, "g%" PRId64, bench->grow.members + 1);
        if (target_find_by_address(store_reader(bench->store), &address, &target) != 1)
            break;
    }
    bench->begun = (long)(bench->grow.members * CORRESPONDENTS);
    if (bench->begun < bench->count) {
        store_submit(bench->store, grow, grown, bench);
        loop_run(bench->loop);
    }
    printf("{\"mappings\": %ld}\n", bench->begun);
}

/* --- queue --- */

struct mail {
    struct bench *bench;
    long number;
    struct store_draft *draft;
};

static int add_traces(struct store_db *db, const struct bench *bench, int64_t id, const char *message_id)
{
    const char *from = bench->queue.mapping.subject;
    return store_trace_add(db, STORE_QUEUE_IN, id, bench->now, "received",
                           "from 127.0.0.1:12345 (client.example.com) by listener smtp with ESMTP; sender <%s>, author "
                           "<%s>, Message-ID <%s>, %" PRId64 " octets",
                           from, from, message_id, spool_size(bench->queue.content)) == 1 &&
                   store_trace_add(db, STORE_QUEUE_IN, id, bench->now, "proven", "%s",
                                   "the listener assumes that authors are authenticated") == 1 &&
                   store_trace_add(db, STORE_QUEUE_IN, id, bench->now, "authorised", "for %s: mapping %" PRId64,
                                   bench->queue.mapping.target_name, bench->queue.mapping.id) == 1
               ? 1
               : -1;
}

static int store_mail(struct store_db *db, void *arg)
{
    struct mail *mail = arg;
    struct bench *bench = mail->bench;
    const struct store_mapping *mapping = &bench->queue.mapping;
    uint8_t digest_of[DIGEST_SIZE];
    char message_id[ADDRESS_SIZE];
    int64_t content_id, id, repeated, now = bench->now + mail->number / 8;
    snprintf(message_id, sizeof message_id, "%ld.%" PRId64 "@example.com", mail->number, bench->now);
    struct digest *digest = digest_new();
    digest_add(digest, message_id, strlen(message_id));
    digest_finish(&digest, digest_of);
    const struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL,
        .sender = mapping->subject,
        .from_address = mapping->subject,
        .correspondent_id = mapping->correspondent_id,
        .message_id = message_id,
        .digest = digest_of,
        .references = "",
        .size = spool_size(bench->queue.content),
        .now = now,
    };
    const struct store_inbound_same same = {
        .message_id = message_id,
        .sender = mapping->subject,
        .digest = digest_of,
        .target = mapping->target,
    };
    const struct store_inbound_recipient_new recipient = {
        .target = mapping->target,
        .mapping_id = mapping->id,
        .address = "alice@silo.example.org",
    };
    struct store_inbound_new with_content = row;
    if (store_inbound_find_same(db, &same, &repeated) != 0 || store_content_add(db, mail->draft, &content_id) != 1)
        return -1;
    with_content.content_id = content_id;
    int result = store_inbound_add(db, &with_content, &id);
    if (result == 1)
        result = add_traces(db, bench, id, message_id);
    if (result == 1)
        result = store_inbound_add_recipient(db, id, &recipient);
    bench->queue.cpu_us = read_clock(CLOCK_THREAD_CPUTIME_ID) / 1000;
    return result;
}

static void submit_mail(struct bench *bench);

static void stored(int result, void *arg)
{
    struct mail *mail = arg;
    struct bench *bench = mail->bench;
    if (result != 1)
        fail("a mail can't be stored");
    store_draft_free(&mail->draft);
    free(mail);
    bench->done++;
    if (bench->begun < bench->count)
        submit_mail(bench);
    else if (bench->done == bench->count)
        loop_stop(bench->loop);
}

static void submit_mail(struct bench *bench)
{
    struct mail *mail = xcalloc(1, sizeof *mail);
    mail->bench = bench;
    mail->number = bench->begun++;
    mail->draft = store_draft_new_spool(bench->store, bench->queue.content);
    store_submit_repeatable(bench->store, store_mail, stored, mail);
}

/* What this process has written: calls, octets. */
static void read_io(int64_t *calls_out, int64_t *octets_out)
{
    char line[100];
    FILE *file = fopen("/proc/self/io", "r");
    *calls_out = *octets_out = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "syscw:", 6) == 0)
            *calls_out = strtoll(line + 6, NULL, 10);
        if (strncmp(line, "wchar:", 6) == 0)
            *octets_out = strtoll(line + 6, NULL, 10);
    }
    if (file)
        fclose(file);
}

static void take_first_mapping(const struct store_mapping *mapping, void *ctx)
{
    struct bench *bench = ctx;
    if (bench->queue.mapping.id)
        return;
    bench->queue.mapping = *mapping;
    bench->queue.mapping.subject = xstrdup(mapping->subject);
    bench->queue.mapping.target_name = xstrdup(mapping->target_name);
}

static void command_queue(struct bench *bench, char **arguments)
{
    static const char header[] = "From: bob@example.com\r\nSubject: Growth\r\n\r\n";
    const struct store_mapping_filter any = { .by_state = false };
    bench->count = strtol(arguments[0], NULL, 10);
    long size = strtol(arguments[1], NULL, 10), at_a_time = strtol(arguments[2], NULL, 10);
    if (store_mapping_list(store_reader(bench->store), &any, take_first_mapping, bench) != 1 ||
        !bench->queue.mapping.id)
        fail("there is no mapping");
    bench->queue.content = spool_new(store_content_directory(bench->store), SPOOL_MEMORY_DEFAULT);
    for (long i = (long)sizeof header - 1; i <= size; i++)
        if (spool_add(bench->queue.content, i % 70 ? "x" : "\n", 1) < 0)
            fail("no content");
    int64_t calls, octets, calls_after, octets_after, started = read_clock(CLOCK_MONOTONIC) / 1000;
    read_io(&calls, &octets);
    for (long i = 0; i < at_a_time && i < AT_MAX && bench->begun < bench->count; i++)
        submit_mail(bench);
    loop_run(bench->loop);
    int64_t spent = read_clock(CLOCK_MONOTONIC) / 1000 - started;
    read_io(&calls_after, &octets_after);
    double n = (double)bench->count;
    printf("{\"mails\": %ld, \"us\": %.1f, \"committer_us\": %.1f, \"writes\": %.2f, \"octets\": %.0f}\n", bench->count,
           (double)spent / n, (double)bench->queue.cpu_us / n, (double)(calls_after - calls) / n,
           (double)(octets_after - octets) / n);
    spool_free(&bench->queue.content);
    free(bench->queue.mapping.subject);
    free(bench->queue.mapping.target_name);
}

/* --- lookup --- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* As gateway/recipient.c at RCPT, and gateway/inbound.c at the end of data. */
static void decide(struct bench *bench, const char *from, const struct smtp_address *to)
{
    struct store_db *db = store_reader(bench->store);
    struct target target;
    struct pair pair;
    store_begin_reading(db);
    if (target_find_by_address(db, to, &target) != 1 || store_mapping_any_inbound(db, target.id, bench->now) != 1)
        fail("no such recipient");
    store_end_reading(db);
    store_begin_reading(db);
    if (target_find_by_address(db, to, &target) != 1)
        fail("no such recipient");
    pair_find(db, from, target.id, &pair);
    pair.facts.now = bench->now;
    if (policy_judge_pair(&pair.facts, 0, false).decision != POLICY_ACCEPT)
        fail("no such mapping");
    store_end_reading(db);
    pair_free(&pair);
}

static void command_lookup(struct bench *bench, char **arguments)
{
    long count = strtol(arguments[0], NULL, 10), members = 0, last = 0;
    struct target target;
    struct smtp_address to = { .local = "" };
    int64_t *times = xcalloc((size_t)count, sizeof *times);
    snprintf(to.domain, sizeof to.domain, "%s", domain);
    do
        snprintf(to.local, sizeof to.local, "g%ld", members++);
    while (target_find_by_address(store_reader(bench->store), &to, &target) == 1);
    members--;
    if (members == 0)
        fail("run \"mappings\" before");
    char from[ADDRESS_SIZE];
    struct store_correspondent found;
    for (last = CORRESPONDENTS; last > 0; last--) { /* with fewer than 1,000 mappings not all are there */
        correspondent_address(last - 1, from);
        if (store_correspondent_find_by_address(store_reader(bench->store), from, &found) == 1)
            break;
    }
    store_correspondent_free(&found);
    for (long i = 0; i < count; i++) {
        correspondent_address(random() % last, from);
        snprintf(to.local, sizeof to.local, "g%ld", random() % members);
        int64_t started = read_clock(CLOCK_MONOTONIC);
        decide(bench, from, &to);
        times[i] = read_clock(CLOCK_MONOTONIC) - started;
    }
    qsort(times, (size_t)count, sizeof *times, compare);
    long middle = count / 2, nearly_last = count * 99 / 100;
    double median = (double)times[middle] / 1000, p99 = (double)times[nearly_last] / 1000;
    double most = (double)times[count - 1] / 1000;
    printf("{\"lookups\": %ld, \"median_us\": %.1f, \"p99_us\": %.1f, \"most_us\": %.1f}\n", count, median, p99, most);
    free(times);
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(struct bench *bench, char **arguments);
} commands[] = {
    { "mappings", 1, command_mappings },
    { "queue", 3, command_queue },
    { "lookup", 1, command_lookup },
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
    fprintf(stderr, "usage: growth_bench DATABASE mappings N | queue N SIZE AT | lookup N\n");
    return 2;
}
