/* store_checkpointer.c - see store_checkpointer.h */
#include "mapping/store_checkpointer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"

enum {
    /* https://www.sqlite.org/walformat.html: the index of the log is mapped in pieces of this size; where in the first there is the
     * number of frames that were moved, and the lock of who moves them */
    INDEX_SIZE = 32768,
    INDEX_MOVED = 96 / sizeof(uint32_t),
    INDEX_LOCK = 1,
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
    struct store_db *writer;
    pthread_mutex_t moving; /* held by who moves the log; guards: */
    bool is_doubtful;       /* what was moved may not be on the disk, and SQLite goes by it */
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

static sqlite3_file *file_of(sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    (void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file && file->pMethods && file->pMethods->iVersion >= 2 ? file : NULL;
}

/* Lets SQLite begin with the first frame. Whoever reads finds all of them in the log. -1: somebody else moves it. */
static int forget_what_was_moved(sqlite3 *handle)
{
    volatile void *index = NULL;
    sqlite3_file *file = file_of(handle);
    if (!file || file->pMethods->xShmMap(file, 0, INDEX_SIZE, 0, &index) != SQLITE_OK)
        return -1;
    if (!index)
        return 1; /* there is no log yet */
    if (file->pMethods->xShmLock(file, INDEX_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) != SQLITE_OK)
        return -1;
    ((volatile uint32_t *)index)[INDEX_MOVED] = 0;
    file->pMethods->xShmBarrier(file);
    (void)file->pMethods->xShmLock(file, INDEX_LOCK, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return 1;
}

/* With `moving`. */
static int checkpoint(struct store_checkpointer *checkpointer, sqlite3 *handle, int mode)
{
    if (checkpointer->is_doubtful && forget_what_was_moved(handle) < 0)
        return SQLITE_BUSY;
    checkpointer->is_doubtful = false;
    int result = sqlite3_wal_checkpoint_v2(handle, NULL, mode, NULL, NULL);
    if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY)
        checkpointer->is_doubtful = forget_what_was_moved(handle) < 0;
    return result;
}

/* As much as nobody reads around. Busy means that somebody else is doing it. */
static void move_log(struct store_checkpointer *checkpointer, sqlite3 *handle)
{
    pthread_mutex_lock(&checkpointer->moving);
    int result = checkpoint(checkpointer, handle, SQLITE_CHECKPOINT_PASSIVE);
    pthread_mutex_unlock(&checkpointer->moving);
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
        move_log(checkpointer, checkpointer->handle);
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
        move_log(checkpointer, writer->handle);
}

int store_checkpointer_empty(struct store_checkpointer *checkpointer, struct store_db *writer, bool waits)
{
    if (waits)
        pthread_mutex_lock(&checkpointer->moving);
    else if (pthread_mutex_trylock(&checkpointer->moving) != 0)
        return SQLITE_BUSY;
    int result = checkpoint(checkpointer, writer->handle, SQLITE_CHECKPOINT_TRUNCATE);
    pthread_mutex_unlock(&checkpointer->moving);
    return result;
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
    checkpointer->writer = writer;
    checkpointer->is_doubtful =
        true; /* with somebody else in the database SQLite remembers what a daemon has moved that was killed */
    pthread_mutex_init(&checkpointer->moving, NULL);
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
    /* Who closes last moves what is left. */
    if (checkpointer->is_doubtful && forget_what_was_moved(checkpointer->writer->handle) < 0)
        sqlite3_db_config(checkpointer->writer->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    pthread_mutex_destroy(&checkpointer->moving);
    pthread_cond_destroy(&checkpointer->changed);
    pthread_mutex_destroy(&checkpointer->mutex);
    free(checkpointer);
    *checkpointer_in = NULL;
}
