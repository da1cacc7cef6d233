/* Tests of background: order, threads, and what happens to jobs when it is freed. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/loop.h"

enum { JOBS = 100 };

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct background *background;
    unsigned worked, done, discarded;
    bool frees_in_done;
};

struct job {
    struct scene *scene;
    unsigned number;
    sem_t *started, *may_end; /* NULL: does not wait */
    pthread_t worker;
    bool has_signals; /* some signal is not blocked on the thread */
};

static void work(void *arg)
{
    struct job *job = arg;
    job->worker = pthread_self();
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    job->has_signals = !sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGCHLD);
    if (job->started != NULL)
        sem_post(job->started);
    if (job->may_end != NULL)
        sem_wait(job->may_end);
    job->scene->worked++;
}

static void done(void *arg)
{
    struct job *job = arg;
    assert_int_equal(job->scene->done, job->number); /* in order */
    assert_false(pthread_equal(job->worker, pthread_self()));
    assert_false(job->has_signals);
    job->scene->done++;
    if (job->scene->frees_in_done)
        background_free(&job->scene->background);
    if (job->scene->done == JOBS)
        loop_stop(job->scene->loop);
}

static void discard(void *arg)
{
    struct job *job = arg;
    job->scene->discarded++;
}

static void setup(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->clock = clock_new_system();
    scene->loop = loop_new(scene->clock);
    scene->background = background_new(scene->loop);
}

static void teardown(struct scene *scene)
{
    background_free(&scene->background);
    assert_null(scene->background);
    background_free(&scene->background); /* harmless */
    loop_turn(scene->loop);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
}

static void works_in_order(void **state)
{
    (void)state;
    struct scene scene;
    struct job jobs[JOBS];
    setup(&scene);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){ .scene = &scene, .number = i };
        background_submit(scene.background, work, done, discard, &jobs[i]);
        assert_int_equal(scene.done, 0); /* never from inside the call */
    }
    loop_run(scene.loop);
    assert_int_equal(scene.worked, JOBS);
    teardown(&scene);
    assert_int_equal(scene.discarded, 0);
}

static void frees_while_working(void **state)
{
    (void)state;
    struct scene scene;
    struct job jobs[3];
    sem_t started;
    sem_t may_end;
    sem_init(&started, 0, 0);
    sem_init(&may_end, 0, 1);
    setup(&scene);
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .scene = &scene, .number = i };
        if (i == 1) {
            jobs[i].started = &started;
            jobs[i].may_end = &may_end;
        }
        background_submit(scene.background, work, done, i == 2 ? NULL : discard, &jobs[i]);
    }
    sem_wait(&started); /* the first has worked, the second is at it, the third waits or runs */
    background_free(&scene.background);
    assert_true(scene.worked >= 2); /* the running one was waited for */
    assert_int_equal(scene.discarded, 2);
    teardown(&scene);
    assert_int_equal(scene.done, 0);
    sem_destroy(&started);
    sem_destroy(&may_end);
}

static void frees_in_done(void **state)
{
    (void)state;
    struct scene scene;
    struct job jobs[3];
    setup(&scene);
    scene.frees_in_done = true;
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .scene = &scene, .number = i };
        background_submit(scene.background, work, done, discard, &jobs[i]);
    }
    while (scene.done == 0)
        loop_turn(scene.loop);
    assert_null(scene.background);
    loop_turn(scene.loop);
    assert_int_equal(scene.done, 1);
    assert_int_equal(scene.discarded, 2);
    teardown(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_in_order),
        cmocka_unit_test(frees_while_working),
        cmocka_unit_test(frees_in_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
