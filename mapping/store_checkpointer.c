/* store_checkpointer.c - see store_checkpointer.h */
#include "mapping/store_checkpointer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"

enum {
    LOG_LONG = 1000,     /* pages of the log that are moved */
    LOG_TOO_LONG = 8000, /* pages at which committing waits for that */
};

enum state {
    CHECKPOINTER_IDLE,   /* nothing to do, or the log is short */
    CHECKPOINTER_WANTED, /* the thread has been asked, or is moving the log */
    CHECKPOINTER_DONE,   /* it has; the rest is the committer's */
};

struct store_checkpointer {
    sqlite3 *handle; /* the thread's */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t changed;
    enum state state;
    bool stopping;
};

/* With the mutex. */
static void set_state(struct store_checkpointer *checkpointer, enum state state)
{
    checkpointer->state = state;
    pthread_cond_broadcast(&checkpointer->changed);
}

/* As much as nobody reads around. Busy means that somebody else is doing it. */
static void move_log(sqlite3 *handle)
{
    int result = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY)
        log_error("store.error", "doing=%s code=%d error=%s", "checkpoint", result, sqlite3_errmsg(handle));
}

static void *thread_main(void *arg)
{
    struct store_checkpointer *checkpointer = arg;
    pthread_mutex_lock(&checkpointer->mutex);
    while (!checkpointer->stopping) {
        if (checkpointer->state != CHECKPOINTER_WANTED) {
            pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
            continue;
        }
        pthread_mutex_unlock(&checkpointer->mutex);
        move_log(checkpointer->handle);
        pthread_mutex_lock(&checkpointer->mutex);
        set_state(checkpointer, CHECKPOINTER_DONE);
    }
    pthread_mutex_unlock(&checkpointer->mutex);
    return NULL;
}

void store_checkpointer_look(struct store_checkpointer *checkpointer, struct store_db *writer)
{
    if (writer->log_pages < LOG_LONG)
        return;
    pthread_mutex_lock(&checkpointer->mutex);
    if (checkpointer->state == CHECKPOINTER_IDLE)
        set_state(checkpointer, CHECKPOINTER_WANTED);
    while (checkpointer->state == CHECKPOINTER_WANTED && writer->log_pages >= LOG_TOO_LONG)
        pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
    bool is_done = checkpointer->state == CHECKPOINTER_DONE;
    if (is_done)
        set_state(checkpointer, CHECKPOINTER_IDLE);
    pthread_mutex_unlock(&checkpointer->mutex);
    if (is_done)
        move_log(writer->handle);
}

static int note_length(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    struct store_db *writer = ctx;
    (void)handle, (void)name;
    writer->log_pages = pages;
    writer->has_written = true;
    return SQLITE_OK;
}

static sqlite3 *open_again(struct store_db *writer)
{
    sqlite3 *handle;
    if (sqlite3_open_v2(sqlite3_db_filename(writer->handle, "main"), &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sqlite3_exec(handle, "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -64", NULL,
                     NULL, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(handle, STORE_BUSY_TIMEOUT_MS);
        return handle;
    }
    log_error("store.error", "doing=%s error=%s", "opening for checkpoints", sqlite3_errmsg(handle));
    sqlite3_close(handle);
    return NULL;
}

struct store_checkpointer *store_checkpointer_new(struct store_db *writer)
{
    sqlite3 *handle = open_again(writer);
    if (!handle)
        return NULL;
    struct store_checkpointer *checkpointer = xcalloc(1, sizeof *checkpointer);
    checkpointer->handle = handle;
    pthread_mutex_init(&checkpointer->mutex, NULL);
    pthread_cond_init(&checkpointer->changed, NULL);
    sqlite3_wal_hook(writer->handle, note_length, writer); /* in the place of the library's own checkpoints */

    /* Signals are the loop's: the thread inherits a mask that blocks them all. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&checkpointer->thread, NULL, thread_main, checkpointer) != 0)
        abort(); /* made once at start; without it the log would grow and grow */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return checkpointer;
}

void store_checkpointer_free(struct store_checkpointer **checkpointer_in)
{
    struct store_checkpointer *checkpointer = *checkpointer_in;
    if (!checkpointer)
        return;
    pthread_mutex_lock(&checkpointer->mutex);
    checkpointer->stopping = true;
    pthread_cond_broadcast(&checkpointer->changed);
    pthread_mutex_unlock(&checkpointer->mutex);
    pthread_join(checkpointer->thread, NULL);
    sqlite3_close(checkpointer->handle);
    pthread_cond_destroy(&checkpointer->changed);
    pthread_mutex_destroy(&checkpointer->mutex);
    free(checkpointer);
    *checkpointer_in = NULL;
}
