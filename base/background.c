#include "base/background.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/loop.h"
#include "base/xmalloc.h"

struct job {
    struct job *next;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void (*discard)(void *arg);
    void *arg;
};

struct job_queue {
    struct job *first;
    struct job **end; /* where the next one is linked in */
};

struct background {
    struct loop *loop;
    struct loop_notifier *notifier;
    pthread_t thread;
    pthread_mutex_t mutex;  /* guards all that follows */
    pthread_cond_t changed; /* something to do, or stopping */
    struct job_queue waiting;
    struct job_queue finished; /* worked on, done not called yet */
    bool stopping;
};

static void queue_init(struct job_queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void queue_push(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static struct job *queue_pop(struct job_queue *queue)
{
    struct job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    return job;
}

static void queue_discard(struct job_queue *queue)
{
    struct job *job;
    while ((job = queue_pop(queue)) != NULL) {
        if (job->discard != NULL)
            job->discard(job->arg);
        free(job);
    }
}

static void *thread_main(void *arg)
{
    struct background *background = arg;
    pthread_mutex_lock(&background->mutex);
    while (!background->stopping) {
        struct job *job = queue_pop(&background->waiting);
        if (job == NULL) {
            pthread_cond_wait(&background->changed, &background->mutex);
            continue;
        }
        pthread_mutex_unlock(&background->mutex);
        job->work(job->arg);
        pthread_mutex_lock(&background->mutex);
        queue_push(&background->finished, job);
        loop_notify(background->notifier);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

/* Takes the finished jobs one at a time: done may free the background, and then the rest has been discarded already. */
static void tell_done(void *arg)
{
    struct background *background = arg;
    for (;;) {
        pthread_mutex_lock(&background->mutex);
        struct job *job = background->stopping ? NULL : queue_pop(&background->finished);
        pthread_mutex_unlock(&background->mutex);
        if (job == NULL)
            return;
        job->done(job->arg);
        free(job);
    }
}

struct background *background_new(struct loop *loop)
{
    struct background *background = xcalloc(1, sizeof *background);
    background->loop = loop;
    background->notifier = loop_notifier_new(loop, tell_done, background);
    queue_init(&background->waiting);
    queue_init(&background->finished);
    pthread_mutex_init(&background->mutex, NULL);
    pthread_cond_init(&background->changed, NULL);

    /* Signals are the loop's: the thread inherits a mask that blocks them all. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&background->thread, NULL, thread_main, background) != 0)
        abort(); /* made once at start; without it nothing would ever be written */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return background;
}

static void release(void *arg)
{
    struct background *background = arg;
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->mutex);
    free(background);
}

void background_free(struct background **background)
{
    struct background *b = *background;
    if (b == NULL)
        return;
    *background = NULL;
    pthread_mutex_lock(&b->mutex);
    b->stopping = true;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    pthread_join(b->thread, NULL);
    loop_notifier_free(&b->notifier);
    queue_discard(&b->finished);
    queue_discard(&b->waiting);
    loop_defer(b->loop, release, b); /* tell_done() may be our caller */
}

void background_submit(struct background *background, void (*work)(void *arg), void (*done)(void *arg),
                       void (*discard)(void *arg), void *arg)
{
    struct job *job = xcalloc(1, sizeof *job);
    *job = (struct job){ .work = work, .done = done, .discard = discard, .arg = arg };
    pthread_mutex_lock(&background->mutex);
    assert(!background->stopping);
    queue_push(&background->waiting, job);
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->mutex);
}
