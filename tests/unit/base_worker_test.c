/* The worker pool against real processes: this program starts itself again as the zygote.
 *
 * Under sanitizers the sandbox is not complete (base/worker_sandbox.h), so the build makes this program a second time
 * without them, and both are run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/worker.h"
#include "base/xmalloc.h"
#include "tests/unit/base_worker_jobs.h"

enum { TEST_SECONDS = 60 }; /* then SIGALRM ends a test that waits for ever */

struct fixture {
    struct clock *clock;
    struct loop *loop;
    struct worker_pool *pool;
    unsigned outstanding;
    unsigned finished;
};

/* One job and what came of it. */
struct outcome {
    struct fixture *fixture;
    unsigned times; /* that done was called */
    unsigned order;
    struct worker_result result; /* answer: not valid */
    int64_t number;              /* the answer's first bytes */
    size_t answer_len;
    bool free_pool, refuse; /* when it is done */
};

static const char *const worker_arguments[] = { "--worker", NULL };

static const struct worker_pool_settings default_settings = {
    .program = "/proc/self/exe",
    .arguments = worker_arguments,
    .workers = 1,
    .queue_max = 1000,
    .limits = { .memory_bytes = WORKER_TEST_MEMORY,
                .mapped_bytes = WORKER_TEST_MAPPED,
                .cpu_seconds = 20,
                .job_timeout_ms = 30000 },
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
    loop_free(&f->loop);
    clock_free(&f->clock);
    free(f);
    alarm(0);
    /* No test leaves a child, not even a dead one. */
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static void start_pool(struct fixture *f, const struct worker_pool_settings *settings)
{
    f->pool = worker_pool_new(f->loop, settings);
    assert_non_null(f->pool);
}

static void job_done(const struct worker_result *result, void *ctx)
{
    struct outcome *outcome = ctx;
    struct fixture *f = outcome->fixture;
    outcome->times++;
    outcome->order = f->finished++;
    outcome->result = *result;
    outcome->answer_len = result->answer_len;
    if (result->answer_len >= sizeof outcome->number)
        memcpy(&outcome->number, result->answer, sizeof outcome->number);
    if (outcome->refuse)
        worker_pool_refuse_answer(f->pool);
    if (outcome->free_pool)
        worker_pool_free(&f->pool);
    if (--f->outstanding == 0)
        loop_stop(f->loop);
}

static bool submit(struct fixture *f, const char *name, const int *fds, size_t fd_count, struct outcome *outcome)
{
    outcome->fixture = f;
    if (worker_pool_submit(f->pool, name, strlen(name), fds, fd_count, job_done, outcome) == 0)
        return false;
    assert_int_equal(outcome->times, 0);
    f->outstanding++;
    return true;
}

static void run_until_done(struct fixture *f)
{
    if (f->outstanding > 0)
        loop_run(f->loop);
}

static struct outcome run_job(struct fixture *f, const char *name, int fd)
{
    struct outcome outcome = { 0 };
    assert_true(submit(f, name, &fd, fd >= 0 ? 1 : 0, &outcome));
    run_until_done(f);
    assert_int_equal(outcome.times, 1);
    return outcome;
}

static pid_t run_pid_job(struct fixture *f)
{
    struct outcome outcome = run_job(f, "pid", -1);
    assert_int_equal(outcome.result.outcome, WORKER_DONE);
    return (pid_t)outcome.number;
}

/* Runs the loop until the condition holds. */
static void run_until_running(struct fixture *f, unsigned count)
{
    while (worker_pool_running(f->pool) != count)
        loop_turn(f->loop);
}

enum { STATUS_SIZE = 8192 };

static void read_status(pid_t pid, char status_out[static STATUS_SIZE])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    status_out[fread(status_out, 1, STATUS_SIZE - 1, file)] = '\0';
    fclose(file);
}

static pid_t parent_of(pid_t pid)
{
    static const char field[] = "\nPPid:\t";
    char status[STATUS_SIZE];
    read_status(pid, status);
    const char *found = strstr(status, field);
    assert_non_null(found);
    return (pid_t)strtol(found + strlen(field), NULL, 10);
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static int make_file(const char *text)
{
    int fd = memfd_create("job", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static unsigned count_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static unsigned count_own_descriptors(void)
{
    return count_descriptors(getpid());
}

/* ---- doing work ---- */

static void test_hundred_jobs_on_two_workers(void **state)
{
    enum { COUNT = 100 };
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 2;
    start_pool(f, &settings);
    struct outcome *outcomes = xcalloc(COUNT, sizeof *outcomes);
    int outputs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, "this is job %03d", i);
        int input = make_file(text);
        outputs[i] = make_file("");
        assert_true(submit(f, "shout", (int[]){ input, outputs[i] }, 2, &outcomes[i]));
        close(input); /* the job has its own */
    }
    run_until_done(f);
    for (int i = 0; i < COUNT; i++) {
        char expected[64], got[64] = "";
        snprintf(expected, sizeof expected, "THIS IS JOB %03d", i);
        assert_int_equal(outcomes[i].times, 1);
        assert_int_equal(outcomes[i].result.outcome, WORKER_DONE);
        assert_int_equal(outcomes[i].result.code, 7);
        assert_int_equal(outcomes[i].number, strlen(expected));
        assert_true(pread(outputs[i], got, sizeof got - 1, 0) > 0);
        assert_string_equal(got, expected);
        close(outputs[i]);
    }
    assert_int_equal(worker_pool_crashes(f->pool), 0);
    assert_int_equal(worker_pool_waiting(f->pool), 0);
    assert_int_equal(worker_pool_running(f->pool), 0);
    free(outcomes);
}

static void test_workers_run_side_by_side_and_no_more_than_allowed(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 2;
    start_pool(f, &settings);
    struct outcome outcomes[3] = { { 0 } };
    for (size_t i = 0; i < 3; i++)
        assert_true(submit(f, "hang", NULL, 0, &outcomes[i]));
    run_until_running(f, 2);
    assert_int_equal(worker_pool_waiting(f->pool), 1);
}

static void test_codes_and_answers(void **state)
{
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    assert_int_equal(run_job(f, "negative-code", -1).result.code, INT32_MIN);
    assert_int_equal(run_job(f, "longest-answer", -1).answer_len, IPC_PAYLOAD_MAX);
    assert_int_equal(run_job(f, "no such job", -1).result.code, -1000);
    assert_int_equal(run_job(f, "", -1).result.code, -1000);
}

static void test_waiting_jobs_run_in_order(void **state)
{
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    struct outcome outcomes[5] = { { 0 } };
    for (size_t i = 0; i < 5; i++)
        assert_true(submit(f, "pid", NULL, 0, &outcomes[i]));
    run_until_done(f);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(outcomes[i].order, i);
}

static void test_queue_full(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 2;
    settings.queue_max = 3;
    start_pool(f, &settings);
    struct outcome outcomes[6] = { { 0 } };
    for (size_t i = 0; i < 5; i++)
        assert_true(submit(f, "hang", NULL, 0, &outcomes[i]));
    assert_false(submit(f, "pid", NULL, 0, &outcomes[5]));
    run_until_running(f, 2);
    assert_int_equal(worker_pool_waiting(f->pool), 3);
    assert_false(submit(f, "pid", NULL, 0, &outcomes[5]));
    /* What waits or runs when the pool goes is never heard of. */
    worker_pool_free(&f->pool);
    loop_turn(f->loop);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(outcomes[i].times, 0);
}

static void test_worker_is_replaced_after_its_share_of_jobs(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.limits.jobs_per_worker = 3;
    start_pool(f, &settings);
    pid_t pids[7];
    for (size_t i = 0; i < 7; i++)
        pids[i] = run_pid_job(f);
    for (size_t i = 1; i < 7; i++) {
        if (i % 3 == 0) {
            assert_int_not_equal(pids[i], pids[i - 1]);
            assert_true(is_gone(pids[i - 1]));
        } else {
            assert_int_equal(pids[i], pids[i - 1]);
        }
    }
    assert_int_equal(worker_pool_crashes(f->pool), 0);
}

/* ---- failing ---- */

static const struct failure {
    const char *job;
    const char *detail; /* begins so */
} failures[] = {
    { "abort", "killed by signal 6" },
    { "exit", "exited with status 3" },
    { "too-long-answer", "killed by signal 6" },
    { "write-too-much", "killed by signal 25 (output too large)" },
    { "say-half", "broke the protocol" },
    { "say-too-much", "broke the protocol" },
    { "send-descriptor", "broke the protocol" },
    { "say-nothing", "killed by signal 9" }, /* looks like hanging up */
    { "hang-up", "killed by signal 9" },
#ifndef POSTERN_SANITIZE
    { "eat-memory", "killed by signal 6" },
    { "open", "killed by signal 31 (a system call that the sandbox forbids)" },
    { "create", "killed by signal 31" },
    { "stat", "killed by signal 31" },
    { "socket", "killed by signal 31" },
    { "socketpair", "killed by signal 31" },
    { "exec", "killed by signal 31" },
    { "fork", "killed by signal 31" },
    { "kill-parent", "killed by signal 31" },
    { "signal-other", "killed by signal 31" },
    { "map-code", "killed by signal 31" },
    { "make-code", "killed by signal 31" },
    { "map-shared", "killed by signal 31" },
    { "map-shared-memory", "killed by signal 31" },
    { "raise-limit", "killed by signal 31" },
    { "limit-other", "killed by signal 31" },
    { "memfd", "killed by signal 31" },
    { "call-32-bit", "killed by signal 31" },
#endif
};

/* Each costs its own job and nothing else: the next one is done by a fresh worker. */
static void test_failures(void **state)
{
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    int file = make_file("");
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct failure *expected = &failures[i];
        pid_t before = run_pid_job(f);
        struct outcome got = run_job(f, expected->job, file);
        if (got.result.outcome != WORKER_CRASHED ||
            strncmp(got.result.detail, expected->detail, strlen(expected->detail)) != 0)
            fail_msg("%s: outcome %d, detail \"%s\", code %d", expected->job, (int)got.result.outcome,
                     got.result.detail, (int)got.result.code);
        assert_true(is_gone(before)); /* when the failure is reported, the worker writes no more */
        assert_int_equal(worker_pool_crashes(f->pool), i + 1);
    }
    assert_int_not_equal(run_pid_job(f), 0);
    close(file);
}

static void test_jobs_that_take_too_long(void **state)
{
    static const char *const names[] = { "hang", "burn", "burn-deaf", "hang" };
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.limits.job_timeout_ms = 200;
    start_pool(f, &settings);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct outcome got = run_job(f, names[i], -1);
        assert_int_equal(got.result.outcome, WORKER_TIMEOUT);
        assert_string_equal(got.result.detail, "no answer in time");
        assert_int_equal(worker_pool_crashes(f->pool), i + 1);
    }
}

static void test_processor_time_is_limited_per_job(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.limits.cpu_seconds = 1;
    start_pool(f, &settings);
    /* Together more than the limit allows, each less: all on one worker. */
    pid_t worker = run_pid_job(f);
    for (int i = 0; i < 5; i++)
        assert_int_equal(run_job(f, "use-half-a-second", -1).result.outcome, WORKER_DONE);
    assert_int_equal(run_pid_job(f), worker);
    struct outcome got = run_job(f, "burn", -1);
    assert_int_equal(got.result.outcome, WORKER_CRASHED);
    assert_string_equal(got.result.detail, "killed by signal 24 (processor time limit)");
}

/* Answers that nobody asked for end the worker, and harm no other job. */
static void test_unasked_answers_end_the_worker(void **state)
{
    static const char *const talkers[] = { "answer-twice", "answer-without-end" };
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    for (size_t i = 0; i < 2; i++) {
        pid_t worker = run_pid_job(f);
        struct outcome first = run_job(f, talkers[i], -1);
        assert_int_equal(first.result.outcome, WORKER_DONE);
        assert_int_equal(first.result.code, 1);
        assert_int_equal(first.answer_len, 5);
        while (!is_gone(worker))
            loop_turn(f->loop);
        assert_int_not_equal(run_pid_job(f), worker);
    }
    assert_int_equal(worker_pool_crashes(f->pool), 0);
}

/* Who was caught at lying once is given nothing more to read. */
static void test_refused_answers_end_the_worker(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.limits.jobs_per_worker = 2;
    start_pool(f, &settings);
    for (unsigned i = 1; i <= 4; i++) {
        pid_t worker = i % 2 ? 0 : run_pid_job(f); /* every second time it is the worker's last job anyway */
        struct outcome refused = { .refuse = true };
        assert_true(submit(f, "pid", NULL, 0, &refused));
        run_until_done(f);
        assert_true(worker == 0 || refused.number == worker);
        while (!is_gone((pid_t)refused.number))
            loop_turn(f->loop);
        assert_int_equal(worker_pool_crashes(f->pool), i);
    }
    struct outcome last = { .refuse = true, .free_pool = true };
    assert_true(submit(f, "pid", NULL, 0, &last));
    run_until_done(f);
}

static void test_worker_that_died_idle_costs_no_job(void **state)
{
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    for (int i = 0; i < 10; i++) {
        pid_t worker = run_pid_job(f);
        kill(worker, SIGKILL);
        while (!is_gone(worker)) /* without the loop: the pool does not know yet */
            sched_yield();
        assert_int_not_equal(run_pid_job(f), worker);
    }
    assert_int_equal(worker_pool_crashes(f->pool), 0);
}

/* ---- the zygote ---- */

static void test_zygote_that_dies_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 2;
    start_pool(f, &settings);
    pid_t worker = run_pid_job(f);
    pid_t zygote = parent_of(worker);
    assert_int_equal(parent_of(zygote), getpid());
    struct outcome lost[2] = { { 0 } };
    struct outcome waiting = { 0 };
    for (size_t i = 0; i < 2; i++)
        assert_true(submit(f, "hang", NULL, 0, &lost[i]));
    assert_true(submit(f, "pid", NULL, 0, &waiting));
    run_until_running(f, 2);
    kill(zygote, SIGKILL);
    run_until_done(f);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(lost[i].result.outcome, WORKER_CRASHED);
        assert_string_equal(lost[i].result.detail, "lost with the process that made it");
    }
    assert_int_equal(waiting.result.outcome, WORKER_DONE);
    assert_int_not_equal(parent_of((pid_t)waiting.number), zygote);
}

/* The signals that a terminal or a service manager sends to all processes at once are for the daemon to act on. */
static void test_children_ignore_signals_to_everybody(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    pid_t worker = run_pid_job(f);
    for (size_t i = 0; i < 3; i++) {
        kill(worker, signals[i]);
        kill(parent_of(worker), signals[i]);
    }
    assert_int_equal(run_pid_job(f), worker);
}

static void test_program_that_cannot_be_executed(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.program = "/nonexistent/program";
    unsigned before = count_own_descriptors();
    assert_null(worker_pool_new(f->loop, &settings));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(count_own_descriptors(), before);
}

static void count_losses(enum log_level level, const char *line, void *ctx)
{
    (void)level;
    unsigned *losses = ctx;
    *losses += strstr(line, "event=worker.zygote_lost") != NULL;
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

/* A zygote that ends again and again is started again, but not in a storm; the job waits. */
static void test_program_that_ends_at_once(void **state)
{
    struct fixture *f = *state;
    unsigned losses = 0;
    log_set_sink(count_losses, &losses);
    struct worker_pool_settings settings = default_settings;
    settings.program = "/bin/true";
    start_pool(f, &settings);
    struct outcome outcome = { 0 };
    assert_true(submit(f, "pid", NULL, 0, &outcome));
    struct timer *end = timer_new(f->loop, stop_loop, f->loop);
    timer_start(end, 1000);
    loop_run(f->loop);
    timer_free(&end);
    assert_in_range(losses, 2, 4); /* at 0, 100, 300, 700 ms */
    assert_int_equal(outcome.times, 0);
    assert_int_equal(worker_pool_waiting(f->pool), 1);
    worker_pool_free(&f->pool);
    log_set_sink(discard_log, NULL);
}

/* ---- what children have, and what they leave ---- */

static void test_children_inherit_no_descriptors_and_no_environment(void **state)
{
    struct fixture *f = *state;
    setenv("POSTERN_TEST_SECRET", "x", 1);
    int careless = fcntl(STDERR_FILENO, F_DUPFD, 10); /* not close-on-exec */
    start_pool(f, &default_settings);
    assert_int_equal(run_job(f, "count-descriptors", -1).number, 4); /* standard ones and its socket */
    assert_int_equal(run_job(f, "find-secret", -1).number, 0);
    /* The zygote also has one by which it hears of exits. */
    assert_int_equal(count_descriptors(parent_of(run_pid_job(f))), 5);
    close(careless);
    unsetenv("POSTERN_TEST_SECRET");
}

static void test_no_descriptor_leaks(void **state)
{
    static const char *const names[] = { "shout", "abort", "shout", "exit", "say-half", "shout", "send-descriptor" };
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    int file = make_file("text");
    pid_t worker = run_pid_job(f);
    unsigned before = count_own_descriptors();
    for (int i = 0; i < 50; i++)
        assert_int_equal(run_job(f, "count-descriptors", file).number, 5);
    assert_int_equal(run_pid_job(f), worker);
    for (int i = 0; i < 70; i++) {
        struct outcome outcome = { 0 };
        assert_true(submit(f, names[i % 7], (int[]){ file, file }, 2, &outcome));
        run_until_done(f);
    }
    run_pid_job(f);
    assert_int_equal(count_own_descriptors(), before);
    close(file);
}

static void test_free_with_jobs_running_leaves_nobody(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 3;
    unsigned before = count_own_descriptors();
    start_pool(f, &settings);
    pid_t worker = run_pid_job(f);
    pid_t zygote = parent_of(worker);
    struct outcome outcomes[5] = { { 0 } };
    for (size_t i = 0; i < 5; i++)
        assert_true(submit(f, i % 2 == 0 ? "burn" : "hang", NULL, 0, &outcomes[i]));
    run_until_running(f, 3);
    int64_t start = clock_monotonic_ms(f->clock);
    worker_pool_free(&f->pool);
    assert_true(clock_monotonic_ms(f->clock) - start < 450); /* in order, not by the last resort after 500 ms */
    assert_true(is_gone(worker));
    assert_true(is_gone(zygote));
    assert_int_equal(count_own_descriptors(), before);
}

static void test_free_inside_done(void **state)
{
    static const char *const names[] = { "pid", "abort", "hang" };
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.limits.job_timeout_ms = 200;
    for (size_t i = 0; i < 3; i++) {
        start_pool(f, &settings);
        struct outcome last = { .free_pool = true };
        struct outcome never = { 0 };
        assert_true(submit(f, names[i], NULL, 0, &last));
        assert_true(submit(f, "pid", NULL, 0, &never));
        f->outstanding = 1;
        run_until_done(f);
        assert_int_equal(last.times, 1);
        assert_null(f->pool);
        loop_turn(f->loop);
        assert_int_equal(never.times, 0);
    }
}

static void test_free_inside_done_when_the_zygote_is_lost(void **state)
{
    struct fixture *f = *state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 2;
    start_pool(f, &settings);
    pid_t zygote = parent_of(run_pid_job(f));
    struct outcome outcomes[2] = { { .free_pool = true }, { .free_pool = true } };
    for (size_t i = 0; i < 2; i++)
        assert_true(submit(f, "hang", NULL, 0, &outcomes[i]));
    run_until_running(f, 2);
    kill(zygote, SIGKILL);
    f->outstanding = 1;
    run_until_done(f);
    assert_int_equal(outcomes[0].times + outcomes[1].times, 1);
    assert_null(f->pool);
}

/* ---- a daemon that is killed ---- */

enum when { WHEN_WORKING, WHEN_STARTING };

/* The daemon of the next test: tells on standard output when it is as far as asked, then goes on until it is killed. */
static int run_daemon(enum when when)
{
    void *state = NULL;
    set_up(&state);
    struct fixture *f = state;
    struct worker_pool_settings settings = default_settings;
    settings.workers = 2;
    settings.limits = (struct worker_limits){ 0 }; /* nothing but the daemon's end shall end the workers */
    start_pool(f, &settings);
    struct outcome outcomes[2] = { { 0 } };
    for (size_t i = 0; i < 2; i++)
        submit(f, i == 0 ? "hang" : "burn", NULL, 0, &outcomes[i]);
    if (when == WHEN_WORKING)
        run_until_running(f, 2);
    if (write(STDOUT_FILENO, "!", 1) != 1)
        return 1;
    loop_run(f->loop);
    return 1;
}

static pid_t start_daemon(const char *when)
{
    int ends[2];
    char ready;
    pid_t pid;
    char name[] = "base_worker_test", mode[] = "--daemon";
    char *when_copy = xstrdup(when);
    char *const argv[] = { name, mode, when_copy, NULL };
    posix_spawn_file_actions_t files;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    free(when_copy);
    return pid;
}

/* Orphans become our children (and no other process of this test has any), so waiting for them all shows that they
 * end; whoever lived on would make this test run into its alarm. */
static void test_killed_daemon_leaves_no_orphans(void **state)
{
    static const char *const moments[] = { "working", "starting", "starting", "starting" };
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        pid_t daemon = start_daemon(moments[i]);
        kill(daemon, SIGKILL);
        assert_int_equal(waitpid(daemon, NULL, 0), daemon);
        unsigned orphans = 0;
        while (waitpid(-1, NULL, 0) > 0)
            orphans++;
        assert_int_equal(errno, ECHILD);
        assert_in_range(orphans, 1, 3); /* the zygote, and what workers it had no time left to reap itself */
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* ---- in the sandbox ---- */

#ifndef POSTERN_SANITIZE
static void test_sandbox_allows_computing(void **state)
{
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    int file = make_file("");
    struct outcome got = run_job(f, "compute", file);
    assert_string_equal(got.result.detail, "");
    assert_int_equal(got.result.code, 0);
    got = run_job(f, "eat-half-the-memory", -1);
    assert_int_equal(got.result.outcome, WORKER_DONE);
    got = run_job(f, "map-files", file);
    assert_string_equal(got.result.detail, "");
    assert_int_equal(got.result.code, 0);
    close(file);
}

static void test_a_job_finds_nothing_of_the_one_before(void **state)
{
    struct fixture *f = *state;
    start_pool(f, &default_settings);
    assert_int_equal(run_job(f, "leave-much", -1).answer_len, IPC_PAYLOAD_MAX);
    assert_int_equal(run_job(f, "find-what-was-left", -1).number, 0);
}

/* As the kernel tells it, because a filter that is not there would let the other tests' processes live. */
static void test_kernel_confirms_the_sandbox(void **state)
{
    static const char *const expected[] = { "NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapEff:\t0000000000000000\n",
                                            "CapPrm:\t0000000000000000\n" };
    struct fixture *f = *state;
    char status[STATUS_SIZE];
    start_pool(f, &default_settings);
    read_status(run_pid_job(f), status);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_non_null(strstr(status, expected[i]));
}
#endif

#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        worker_main(&worker_test_program);
    if (argc > 2 && strcmp(argv[1], "--daemon") == 0)
        return run_daemon(strcmp(argv[2], "working") == 0 ? WHEN_WORKING : WHEN_STARTING);

    const struct CMUnitTest tests[] = {
        POOL_TEST(test_hundred_jobs_on_two_workers),
        POOL_TEST(test_workers_run_side_by_side_and_no_more_than_allowed),
        POOL_TEST(test_codes_and_answers),
        POOL_TEST(test_waiting_jobs_run_in_order),
        POOL_TEST(test_queue_full),
        POOL_TEST(test_worker_is_replaced_after_its_share_of_jobs),
        POOL_TEST(test_failures),
        POOL_TEST(test_jobs_that_take_too_long),
        POOL_TEST(test_processor_time_is_limited_per_job),
        POOL_TEST(test_unasked_answers_end_the_worker),
        POOL_TEST(test_refused_answers_end_the_worker),
        POOL_TEST(test_worker_that_died_idle_costs_no_job),
        POOL_TEST(test_zygote_that_dies_is_replaced),
        POOL_TEST(test_children_ignore_signals_to_everybody),
        POOL_TEST(test_program_that_cannot_be_executed),
        POOL_TEST(test_program_that_ends_at_once),
        POOL_TEST(test_children_inherit_no_descriptors_and_no_environment),
        POOL_TEST(test_no_descriptor_leaks),
        POOL_TEST(test_free_with_jobs_running_leaves_nobody),
        POOL_TEST(test_free_inside_done),
        POOL_TEST(test_free_inside_done_when_the_zygote_is_lost),
        POOL_TEST(test_killed_daemon_leaves_no_orphans),
#ifndef POSTERN_SANITIZE
        POOL_TEST(test_sandbox_allows_computing),
        POOL_TEST(test_a_job_finds_nothing_of_the_one_before),
        POOL_TEST(test_kernel_confirms_the_sandbox),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
