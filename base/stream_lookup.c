#include "base/stream_lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/xmalloc.h"

enum { ADDRESSES_MAX = 16 };

/* Shared by the thread and the loop; whoever lets go of it last frees it. The thread writes the answer before it
 * rings the bell, the loop reads it after the bell rang. */
struct job {
    atomic_int holders;
    int bell; /* eventfd */
    char *host;
    char *port;
    const char *error; /* of gai_strerror(), static text; NULL: found */
    struct loop_address addresses[ADDRESSES_MAX];
    size_t count;
};

struct stream_lookup {
    struct job *job;
    struct loop_watch *watch;
    stream_lookup_done *done;
    void *arg;
};

static void let_go(struct job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) > 1)
        return;
    close(job->bell);
    free(job->host);
    free(job->port);
    free(job);
}

static void look_up(struct job *job)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int result = getaddrinfo(job->host, job->port, &hints, &found);
    if (result != 0) {
        job->error = gai_strerror(result);
        return;
    }
    for (const struct addrinfo *each = found; each != NULL && job->count < ADDRESSES_MAX; each = each->ai_next) {
        struct loop_address *address = &job->addresses[job->count++];
        memcpy(&address->storage, each->ai_addr, each->ai_addrlen);
        address->len = each->ai_addrlen;
    }
    freeaddrinfo(found);
}

static void *run(void *arg)
{
    struct job *job = arg;
    look_up(job);
    uint64_t one = 1;
    ssize_t ignored = write(job->bell, &one, sizeof one); /* cannot fail: it rings once */
    (void)ignored;
    let_go(job);
    return NULL;
}

static void bell_rang(int fd, void *arg)
{
    (void)fd;
    struct stream_lookup *lookup = arg;
    struct job *job = lookup->job;
    stream_lookup_done *done = lookup->done;
    void *done_arg = lookup->arg;
    atomic_fetch_add(&job->holders, 1); /* the addresses must outlive the lookup until done() returns */
    stream_lookup_free(&lookup);
    done(job->addresses, job->count, job->error, done_arg);
    let_go(job);
}

/* Signals are for the loop's thread. */
static int start_thread(struct job *job)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int result = pthread_create(&thread, NULL, run, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0)
        return -1;
    pthread_detach(thread);
    return 1;
}

struct stream_lookup *stream_lookup_new(struct loop *loop, const char *host, const char *port, stream_lookup_done *done,
                                        void *arg)
{
    struct job *job = xcalloc(1, sizeof *job);
    job->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (job->bell < 0) {
        free(job);
        return NULL;
    }
    job->host = xstrdup(host);
    job->port = xstrdup(port);
    atomic_init(&job->holders, 2);
    if (start_thread(job) < 0) {
        atomic_store(&job->holders, 1);
        let_go(job);
        return NULL;
    }
    struct stream_lookup *lookup = xcalloc(1, sizeof *lookup);
    *lookup = (struct stream_lookup){ .job = job, .done = done, .arg = arg };
    lookup->watch = loop_watch_new(loop, job->bell, bell_rang, lookup);
    return lookup;
}

void stream_lookup_free(struct stream_lookup **lookup)
{
    if (*lookup == NULL)
        return;
    loop_watch_free(&(*lookup)->watch);
    let_go((*lookup)->job);
    free(*lookup);
    *lookup = NULL;
}
