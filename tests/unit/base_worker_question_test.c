/* Jobs that ask the owner of their pool, against real processes: this program starts itself again as the zygote. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/dns_wire.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/worker.h"
#include "base/xmalloc.h"
#include "tests/unit/base_worker_jobs.h"

enum { TEST_SECONDS = 60, KEPT_MAX = 8, QUESTIONS_MAX = 100 };

struct fixture {
    struct clock *clock;
    struct loop *loop;
    struct worker_pool *pool;
    unsigned outstanding;
    /* what the owner does with questions */
    int64_t last;       /* answers n with n + 1 until this, then with nothing */
    bool keep;          /* answers later, by hand */
    bool free_pool;     /* instead of answering */
    bool answer_kept;   /* when a job is done */
    unsigned questions; /* that were asked */
    struct worker_question *kept[KEPT_MAX];
    size_t kept_count;
    size_t longest; /* question */
};

struct outcome {
    struct fixture *fixture;
    unsigned times;
    unsigned questions; /* that its job has asked */
    struct worker_result result;
    int64_t number;
};

static const char *const worker_arguments[] = { "--worker", NULL };

static void answer_kept(struct fixture *f)
{
    static const uint8_t none[1];
    while (f->kept_count > 0) {
        worker_question_answer(&f->kept[--f->kept_count], none, 0);
        assert_null(f->kept[f->kept_count]);
    }
}

/* An answer of one text for one name; rubbish to who asks for another type of it. */
static void answer_dns(struct worker_question **question, const char *name, enum dns_type type)
{
    static const struct dns_record record = { .ttl = 300, .len = 5, .data = "hello" };
    static const struct dns_answer found = { .outcome = DNS_FOUND, .count = 1, .records = &record };
    char wire[DNS_ANSWER_WIRE_MAX];
    bool is_found = strcmp(name, "found.example") == 0;
    size_t len = dns_answer_encode(is_found ? &found : dns_answer_without_records(DNS_NO_NAME), wire);
    worker_question_answer(question, wire, is_found && type != DNS_TXT ? len - 1 : len);
}

static void on_question(struct worker_question *question, const void *request, size_t len, void *job_ctx, void *ctx)
{
    struct fixture *f = ctx;
    struct outcome *outcome = job_ctx;
    int64_t number = 0;
    f->questions++;
    outcome->questions++;
    f->longest = len > f->longest ? len : f->longest;
    assert_true(worker_question_is_open(question));
    if (f->keep) {
        f->kept[f->kept_count++] = question;
        if (f->free_pool)
            worker_pool_free(&f->pool);
        return;
    }
    if (len == IPC_PAYLOAD_MAX) {
        uint8_t *longest = xmalloc(IPC_PAYLOAD_MAX);
        memset(longest, 'z', IPC_PAYLOAD_MAX);
        worker_question_answer(&question, longest, IPC_PAYLOAD_MAX);
        free(longest);
        return;
    }
    char name[DNS_NAME_MAX + 1];
    enum dns_type type;
    if (dns_question_decode(request, len, name, &type) == 1) {
        answer_dns(&question, name, type);
        return;
    }
    memcpy(&number, request, sizeof number);
    number++;
    worker_question_answer(&question, &number, number <= f->last ? sizeof number : 0);
    assert_null(question);
}

static const struct worker_pool_settings default_settings = {
    .program = "/proc/self/exe",
    .arguments = worker_arguments,
    .workers = 2,
    .queue_max = 100,
    .limits = { .memory_bytes = WORKER_TEST_MEMORY,
                .mapped_bytes = WORKER_TEST_MAPPED,
                .cpu_seconds = 20,
                .job_timeout_ms = 30000 },
    .on_question = on_question,
    .questions_max = QUESTIONS_MAX,
};

static void discard_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    f->clock = clock_new_system();
    f->loop = loop_new(f->clock);
    log_set_sink(discard_log, NULL);
    alarm(TEST_SECONDS);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    worker_pool_free(&f->pool);
    answer_kept(f);
    loop_free(&f->loop);
    clock_free(&f->clock);
    free(f);
    alarm(0);
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static void start_pool(struct fixture *f, struct worker_pool_settings settings)
{
    settings.question_ctx = f;
    f->pool = worker_pool_new(f->loop, &settings);
    assert_non_null(f->pool);
}

static void job_done(const struct worker_result *result, void *ctx)
{
    struct outcome *outcome = ctx;
    struct fixture *f = outcome->fixture;
    outcome->times++;
    outcome->result = *result;
    if (result->answer_len >= sizeof outcome->number)
        memcpy(&outcome->number, result->answer, sizeof outcome->number);
    if (f->answer_kept)
        answer_kept(f);
    if (--f->outstanding == 0)
        loop_stop(f->loop);
}

static void submit(struct fixture *f, const char *name, struct outcome *outcome)
{
    outcome->fixture = f;
    assert_int_equal(worker_pool_submit(f->pool, name, strlen(name), NULL, 0, job_done, outcome), 1);
    f->outstanding++;
}

static struct outcome run_job(struct fixture *f, const char *name)
{
    struct outcome outcome = { 0 };
    submit(f, name, &outcome);
    loop_run(f->loop);
    assert_int_equal(outcome.times, 1);
    return outcome;
}

static void wait_for_questions(struct fixture *f, size_t count)
{
    while (f->kept_count < count)
        loop_turn(f->loop);
}

/* The pool does all that it did before: the next job finds a worker that computes. */
static void assert_pool_works(struct fixture *f)
{
    f->keep = false;
    f->last = 3;
    struct outcome got = run_job(f, "ask");
    assert_int_equal(got.result.outcome, WORKER_DONE);
    assert_int_equal(got.number, 3);
}

static void test_job_asks_until_it_knows(void **state)
{
    struct fixture *f = *state;
    start_pool(f, default_settings);
    f->last = QUESTIONS_MAX - 1;
    struct outcome outcomes[6] = { { 0 } };
    for (size_t i = 0; i < 6; i++)
        submit(f, "ask", &outcomes[i]);
    loop_run(f->loop);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(outcomes[i].result.outcome, WORKER_DONE);
        assert_int_equal(outcomes[i].number, f->last);
        assert_int_equal(outcomes[i].questions, QUESTIONS_MAX); /* each knew whose question it was */
    }
    assert_int_equal(worker_pool_crashes(f->pool), 0);
}

static void test_longest_question_and_reply(void **state)
{
    struct fixture *f = *state;
    start_pool(f, default_settings);
    assert_int_equal(run_job(f, "ask-longest").number, IPC_PAYLOAD_MAX);
    assert_int_equal(f->longest, IPC_PAYLOAD_MAX);
}

static void test_questions_about_dns(void **state)
{
    struct fixture *f = *state;
    start_pool(f, default_settings);
    struct outcome got = run_job(f, "ask-dns");
    assert_int_equal(got.result.outcome, WORKER_DONE);
    assert_int_equal(got.result.code, 0);
    assert_int_equal(got.questions, 3);
}

static void test_reply_may_come_later(void **state)
{
    struct fixture *f = *state;
    start_pool(f, default_settings);
    f->keep = true;
    struct outcome outcomes[2] = { { 0 } };
    for (size_t i = 0; i < 2; i++)
        submit(f, "ask", &outcomes[i]);
    wait_for_questions(f, 2);
    assert_int_equal(worker_pool_running(f->pool), 2);
    answer_kept(f);
    loop_run(f->loop);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(outcomes[i].result.outcome, WORKER_DONE);
}

static void test_one_question_too_many(void **state)
{
    struct fixture *f = *state;
    start_pool(f, default_settings);
    f->last = INT64_MAX;
    struct outcome got = run_job(f, "ask");
    assert_int_equal(got.result.outcome, WORKER_CRASHED);
    assert_string_equal(got.result.detail, "broke the protocol");
    assert_int_equal(f->questions, QUESTIONS_MAX);
    assert_pool_works(f);
}

static void test_pool_without_questions(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.on_question = NULL;
    start_pool(f, settings);
    struct outcome got = run_job(f, "ask");
    assert_int_equal(got.result.outcome, WORKER_CRASHED);
    assert_string_equal(got.result.detail, "broke the protocol");
}

/* Who asks waits for the reply. Who goes on, or ends, costs its job; the reply then reaches nobody. */
static void test_workers_that_do_not_wait(void **state)
{
    static const struct {
        const char *job, *detail;
    } rows[] = {
        { "ask-twice", "broke the protocol" },
        { "ask-and-answer", "broke the protocol" },
        { "ask-and-exit", "exited with status 4" },
        { "reserved-code", "killed by signal 6 (gave up; out of memory?)" },
    };
    struct fixture *f = *state;
    start_pool(f, default_settings);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f->keep = true;
        struct outcome got = run_job(f, rows[i].job);
        assert_int_equal(got.result.outcome, WORKER_CRASHED);
        assert_string_equal(got.result.detail, rows[i].detail);
        assert_int_equal(worker_pool_crashes(f->pool), i + 1);
        for (size_t k = 0; k < f->kept_count; k++)
            assert_false(worker_question_is_open(f->kept[k]));
        answer_kept(f);
        assert_pool_works(f);
    }
}

static void test_limit_holds_while_a_question_is_open(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.limits.job_timeout_ms = 200;
    start_pool(f, settings);
    f->keep = true;
    struct outcome got = run_job(f, "ask");
    assert_int_equal(got.result.outcome, WORKER_TIMEOUT);
    assert_int_equal(f->kept_count, 1);
    assert_false(worker_question_is_open(f->kept[0]));
    answer_kept(f);
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    line[fread(line, 1, sizeof line - 1, file)] = '\0';
    fclose(file);
    const char *state = strrchr(line, ')'); /* "PID (NAME) STATE PARENT ..." */
    assert_non_null(state);
    pid_t parent = (pid_t)strtol(state + strlen(") S "), NULL, 10);
    assert_true(parent > 1);
    return parent;
}

static void test_zygote_dies_while_questions_are_open(void **state)
{
    struct fixture *f = *state;
    start_pool(f, default_settings);
    pid_t zygote = parent_of((pid_t)run_job(f, "pid").number);
    f->keep = true;
    f->answer_kept = true; /* the first job's end answers the other's question, when neither has a worker */
    struct outcome outcomes[2] = { { 0 } };
    for (size_t i = 0; i < 2; i++)
        submit(f, "ask", &outcomes[i]);
    wait_for_questions(f, 2);
    kill(zygote, SIGKILL);
    loop_run(f->loop);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(outcomes[i].result.outcome, WORKER_CRASHED);
    assert_pool_works(f);
}

static void test_pool_goes_before_the_reply(void **state)
{
    struct fixture *f = *state;
    for (int inside = 0; inside < 2; inside++) {
        start_pool(f, default_settings);
        f->keep = true;
        f->free_pool = inside;
        struct outcome never = { 0 };
        submit(f, "ask", &never);
        wait_for_questions(f, 1);
        worker_pool_free(&f->pool);
        loop_turn(f->loop);
        assert_false(worker_question_is_open(f->kept[0]));
        answer_kept(f);
        assert_int_equal(never.times, 0);
        f->outstanding = 0;
    }
}

#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        worker_main(&worker_test_program);
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_job_asks_until_it_knows),
        POOL_TEST(test_longest_question_and_reply),
        POOL_TEST(test_questions_about_dns),
        POOL_TEST(test_reply_may_come_later),
        POOL_TEST(test_one_question_too_many),
        POOL_TEST(test_pool_without_questions),
        POOL_TEST(test_workers_that_do_not_wait),
        POOL_TEST(test_limit_holds_while_a_question_is_open),
        POOL_TEST(test_zygote_dies_while_questions_are_open),
        POOL_TEST(test_pool_goes_before_the_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
