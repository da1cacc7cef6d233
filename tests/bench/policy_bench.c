/* policy_bench.c - who may pass, with few and with many mappings: `tests/bench/run policy`
 *
 *   policy_bench FOLDER N LOOKUPS ROUNDS
 *
 * Makes a database of N mappings in FOLDER, then decides LOOKUPS times about authors and recipients at random, in ROUNDS
 * rounds, and prints a line of JSON for each: microseconds of all that is done for one recipient (whom it is for, whether anybody may
 * write to them, every mapping that may have a say, and the verdict), and of the verdict alone.
 *
 * Of 100 mappings 70 are of addresses to members (every seventh of them is over or refuses), 10 of addresses to all members, 10 of
 * domains, 5 of what is below a domain, and 5 are requests. Of 100 authors 60 have a mapping with the recipient, 10 write with a
 * detail, 10 from a domain that has a mapping, 10 from below one, 5 from an international domain, and 5 are strangers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "gateway/pair.h"
#include "gateway/target.h"
#include "mapping/store.h"
#include "mapping/store_member.h"
#include "mapping/subject.h"

enum { AT = 2000, TEXT = 100, MEMBERS_MAX = 1000 };

static const char domain[] = "silo.example.org";

struct bench {
    struct loop *loop;
    struct store *store;
    long count, made, members;
    int64_t now, ids[MEMBERS_MAX];
};

static void fail(const char *what)
{
    fprintf(stderr, "policy_bench: %s\n", what);
    exit(1);
}

static double read_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The mapping of this number: its subject, whom it is for, its state. Also by it an author is made that it is about. */
static enum store_mapping_state describe(const struct bench *bench, long number, char subject[static TEXT],
                                         int64_t *member_out)
{
    static const enum store_mapping_state ends[] = { STORE_MAPPING_DENIED, STORE_MAPPING_APPROVED };
    long kind = number % 100;
    *member_out = bench->ids[number / 100 % bench->members];
    if (kind >= 70 && kind < 80)
        *member_out = 0;
    if (kind < 80 || kind >= 95)
        snprintf(subject, TEXT, "person%ld@d%ld.example", number, number / 100);
    else if (kind < 90)
        snprintf(subject, TEXT, "*@d%ld.k%ld.example", number / 100, kind);
    else
        snprintf(subject, TEXT, "*@*.d%ld.k%ld.example", number / 100, kind);
    if (kind >= 95)
        return STORE_MAPPING_REQUESTED;
    return ends[kind % 7 != 0];
}

static int make_members(struct store_db *db, struct bench *bench)
{
    const char *reason;
    for (long i = 0; i < bench->members; i++) {
        char name[TEXT], local_part[TEXT];
        snprintf(name, sizeof name, "Member Number %ld", i);
        snprintf(local_part, sizeof local_part, "m%ld", i);
        if (store_member_add(db, name, local_part, bench->now, &bench->ids[i], &reason) != 1 ||
            store_member_learn_uid(db, name, local_part) != 1)
            return -1;
    }
    return 1;
}

static int make_some(struct store_db *db, void *arg)
{
    struct bench *bench = arg;
    if (bench->made == 0 && make_members(db, bench) < 0)
        return -1;
    for (long i = 0; i < AT && bench->made < bench->count; i++, bench->made++) {
        char subject[TEXT];
        struct store_mapping_new new = { .subject = subject,
                                         .direction = STORE_DIRECTION_BOTH,
                                         .note = "",
                                         .actor = "bench",
                                         .reason = "",
                                         .now = bench->now };
        int64_t id;
        new.state = describe(bench, bench->made, subject, &new.target.member_id);
        if (subject_kind_of(subject) == SUBJECT_ADDRESS &&
            store_correspondent_ensure(db, subject, bench->now, &new.correspondent_id) != 1)
            return -1;
        if (store_mapping_add(db, &new, &id) != 1)
            return -1;
    }
    return 1;
}

static void made_some(int result, void *arg)
{
    struct bench *bench = arg;
    if (result != 1)
        fail("a mapping can't be made");
    if (bench->made < bench->count)
        store_submit(bench->store, make_some, made_some, bench);
    else
        loop_stop(bench->loop);
}

/* An author, and the local part of a recipient. */
static void choose(const struct bench *bench, char author[static TEXT], struct smtp_address *to)
{
    long number = random() % bench->count, kind = random() % 100, member = number / 100 % bench->members;
    char subject[TEXT];
    int64_t id;
    describe(bench, number, subject, &id);
    const char *host = strrchr(subject, '@') + 1;
    if (subject_kind_of(subject) == SUBJECT_SUBDOMAINS)
        host += strlen("*.");
    if (kind < 60 && subject_kind_of(subject) == SUBJECT_ADDRESS)
        snprintf(author, TEXT, "%s", subject);
    else if (kind < 70)
        snprintf(author, TEXT, "person%ld+news@%s", number, host);
    else if (kind < 80)
        snprintf(author, TEXT, "somebody@%s", host);
    else if (kind < 90)
        snprintf(author, TEXT, "somebody@a.b.%s", host);
    else if (kind < 95)
        snprintf(author, TEXT, "somebody@xn--bcher-kva.%s", host);
    else
        snprintf(author, TEXT, "stranger%ld@elsewhere.example", number);
    snprintf(to->local, sizeof to->local, "m%ld", member);
}

static double decide(const struct bench *bench, const char *author, const struct smtp_address *to, long *accepted)
{
    static const struct proof proven = { .dmarc = AUTH_RESULT_PASS };
    struct store_db *db = store_reader(bench->store);
    struct target target;
    struct pair pair;
    store_begin_reading(db);
    if (target_find_by_address(db, to, &target) != 1 || store_mapping_any_inbound(db, target.id, bench->now) < 0)
        fail("no such recipient");
    pair_find(db, author, target.id, &pair);
    store_end_reading(db);
    double began = read_us();
    struct policy_delivery_facts facts = { .pair = pair.facts, .proof = &proven, .from_domain = "", .size = 4096 };
    facts.pair.now = bench->now;
    struct policy_verdict verdict = policy_judge_delivery(&facts);
    double spent = read_us() - began;
    *accepted += verdict.decision == POLICY_ACCEPT;
    pair_free(&pair);
    return spent;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct bench *bench, long lookups)
{
    double *whole = xcalloc((size_t)lookups, sizeof *whole), *verdict = xcalloc((size_t)lookups, sizeof *verdict);
    struct smtp_address to = { .local = "" };
    long accepted = 0;
    snprintf(to.domain, sizeof to.domain, "%s", domain);
    for (long i = 0; i < lookups; i++) {
        char author[TEXT];
        choose(bench, author, &to);
        double began = read_us();
        verdict[i] = decide(bench, author, &to, &accepted);
        whole[i] = read_us() - began;
    }
    qsort(whole, (size_t)lookups, sizeof *whole, compare);
    qsort(verdict, (size_t)lookups, sizeof *verdict, compare);
    printf("{\"mappings\": %ld, \"lookups\": %ld, \"accepted\": %.2f, \"median_us\": %.1f, \"p99_us\": %.1f,"
           " \"most_us\": %.1f, \"policy_median_us\": %.1f}\n",
           bench->count, lookups, (double)accepted / (double)lookups, whole[lookups / 2], whole[lookups * 99 / 100],
           whole[lookups - 1], verdict[lookups / 2]);
    free(whole);
    free(verdict);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: policy_bench FOLDER N LOOKUPS ROUNDS\n");
        return 2;
    }
    char path[500], *error;
    struct clock *clock = clock_new_system();
    struct bench bench = { .loop = loop_new(clock), .count = strtol(argv[2], NULL, 10), .now = clock_wall_ms(clock) };
    bench.members = bench.count / 100 < 1 ? 1 : bench.count / 100 > MEMBERS_MAX ? MEMBERS_MAX : bench.count / 100;
    snprintf(path, sizeof path, "%s/policy-%ld.db", argv[1], bench.count);
    bench.store = store_open(bench.loop, path, &error);
    if (!bench.store)
        fail(error);
    store_submit(bench.store, make_some, made_some, &bench);
    loop_run(bench.loop);
    for (long i = 0; i < strtol(argv[4], NULL, 10); i++)
        measure(&bench, strtol(argv[3], NULL, 10));
    store_close(&bench.store);
    loop_free(&bench.loop);
    clock_free(&clock);
    return 0;
}
