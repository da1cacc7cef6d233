/* store_committer.c - the one writer: batches of operations, one transaction and one fsync each
 *
 * While a commit is on its way to the disk new operations gather; they are the next batch. So the more there is to do,
 * the fewer fsyncs an operation costs.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "mapping/store_bucket.h"
#include "mapping/store_checkpointer.h"
#include "mapping/store_internal.h"

enum {
    BATCH_MAX = 256,                      /* operations in one transaction */
    BATCH_CONTENT_MAX = 64 * 1024 * 1024, /* bytes of content in one transaction: what follows waits for the next */
    IDLE_MS = 250,                        /* without anything to do: a moment to tidy up */
    TIDY_BUSY_MS = 1000,                  /* when somebody was reading */
    TIDY_RETRY_MS = 10000,                /* when that failed */
    PATIENCE_US = 5000,                   /* after the last urgent operation: its sender comes with the next */
};

static const int64_t batch_bounds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256 };
static const int64_t commit_bounds[] = { 100,   250,    500,    1000,   2500,    5000,    10000,   25000,
                                         50000, 100000, 250000, 500000, 1000000, 2500000, 10000000 };

struct operation {
    struct operation *next;
    store_operation *run;
    store_done *done;
    void *arg;
    bool is_repeatable, is_patient;
    int result;
};

struct operation_list {
    struct operation *first;
    struct operation **end;
};

struct store_committer {
    struct store_db *db; /* the thread's while it runs */
    struct store_checkpointer *checkpointer;
    struct loop_notifier *notifier;
    pthread_t thread;
    unsigned pending; /* the loop's: submitted, not told yet */
    bool is_telling;  /* the loop's */
    int64_t idle_us;  /* the loop's: when nothing was pending, or something was finished, for the last time */

    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t something_to_do, something_done;
    struct operation_list waiting, finished;
    unsigned urgent;   /* of those waiting, not patient */
    int64_t urgent_us; /* when the last one of them was through */
    bool stopping;
    struct store_statistics statistics;
};

static void list_init(struct operation_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_push(struct operation_list *list, struct operation *operation)
{
    operation->next = NULL;
    *list->end = operation;
    list->end = &operation->next;
}

static struct operation *list_pop(struct operation_list *list)
{
    struct operation *operation = list->first;
    if (!operation)
        return NULL;
    list->first = operation->next;
    if (!list->first)
        list->end = &list->first;
    return operation;
}

/* Moves all of `more` behind list. */
static void list_append(struct operation_list *list, struct operation_list *more)
{
    if (!more->first)
        return;
    *list->end = more->first;
    list->end = more->end;
    list_init(more);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The thread: batches. */

static int control(struct store_db *db, const char *sql)
{
    return store_execute(db, sql, NULL) < 0 ? -1 : 1;
}

/* Only what the operation itself did is undone. 0 or -1: of the operation, or because its end failed. */
static int run_in_savepoint(struct store_db *db, struct operation *operation)
{
    if (control(db, "SAVEPOINT operation") < 0)
        return -1;
    int result = operation->run(db, operation->arg);
    if (db->lost_transaction)
        return -1;
    if (result != 1 && control(db, "ROLLBACK TO operation") < 0)
        db->lost_transaction = true; /* what it did can't be told from its neighbours' any more */
    if (control(db, "RELEASE operation") < 0)
        db->lost_transaction = true;
    return result;
}

/* Without savepoints: they cost a mail a fifth of what it costs itself. Returns whether that went well; else some of what was
 * done would have to be undone without the rest. */
static bool run_plainly(struct store_db *db, struct operation *operation)
{
    int64_t changes = sqlite3_total_changes64(db->handle);
    operation->result = operation->run(db, operation->arg);
    return operation->result == 1 || (!db->lost_transaction && sqlite3_total_changes64(db->handle) == changes);
}

static bool are_repeatable(const struct operation_list *list)
{
    const struct operation *operation = list->first;
    while (operation && operation->is_repeatable)
        operation = operation->next;
    return operation == NULL;
}

/* Runs operations of the batch until it is through, has enough content, or the transaction is lost. Those that ran
 * move to ran; *kept_out says how many want to be kept. false: run plainly, it did not go well. */
static bool run_operations(struct store_db *db, struct operation_list *batch, struct operation_list *ran, bool plainly,
                           unsigned *kept_out)
{
    bool alone = batch->first && !batch->first->next;
    *kept_out = 0;
    while (batch->first && !db->lost_transaction && db->content_bytes < BATCH_CONTENT_MAX) {
        struct operation *operation = list_pop(batch);
        size_t changes = db->changes.count, spent = store_bucket_mark(db);
        list_push(ran, operation);
        if (plainly && !run_plainly(db, operation))
            return false;
        if (!plainly)
            operation->result = alone ? operation->run(db, operation->arg) : run_in_savepoint(db, operation);
        assert(operation->result == 1 || operation->result == 0 || operation->result == -1);
        if (operation->result != 1) {
            store_content_undo(db, changes);
            store_bucket_undo(db, spent);
        }
        *kept_out += operation->result == 1;
    }
    return true;
}

/* A commit that was written and not synced has failed, and is in the log. */
static int commit(struct store_db *db, bool *is_in_doubt_out)
{
    int result = control(db, "COMMIT");
    *is_in_doubt_out = result < 0 && (sqlite3_errcode(db->handle) & 0xff) == SQLITE_IOERR;
    return result;
}

/* 1 the transaction has ended as each operation was told, -1 nothing of it was kept. */
static int end_transaction(struct store_db *db, unsigned kept)
{
    int result = -1;
    bool is_in_doubt = false;
    if (!db->lost_transaction && (kept == 0 || store_bucket_write(db) == 1))
        result = kept > 0 ? commit(db, &is_in_doubt) : control(db, "ROLLBACK");
    store_bucket_settle(db, result == 1 && kept > 0);
    if (result == 1 && kept > 0)
        store_content_committed(db);
    else if (is_in_doubt)
        store_content_doubt(db);
    else
        store_content_undo(db, 0);
    db->lost_transaction = false;
    if (!sqlite3_get_autocommit(db->handle) && control(db, "ROLLBACK") < 0)
        log_error("store.error", "doing=%s", "rolling back");
    db->in_transaction = false;
    return result;
}

struct batch_outcome {
    bool failed, has_written;
    unsigned kept;
    int64_t commit_us;
};

static int begin_transaction(struct store_db *db)
{
    db->content_bytes = 0;
    if (control(db, "BEGIN IMMEDIATE") < 0)
        return -1;
    db->in_transaction = true;
    return 1;
}

/* First without savepoints, if all are repeatable; when that does not go well, all over again with them. */
static int begin_and_run(struct store_db *db, struct operation_list *batch, struct operation_list *ran,
                         unsigned *kept_out)
{
    bool plainly = are_repeatable(batch);
    if (begin_transaction(db) < 0)
        return -1;
    if (run_operations(db, batch, ran, plainly, kept_out))
        return 1;
    end_transaction(db, 0);
    list_append(ran, batch);
    list_append(batch, ran);
    if (begin_transaction(db) < 0)
        return -1;
    return run_operations(db, batch, ran, false, kept_out) ? 1 : -1;
}

static void run_batch(struct store_db *db, struct operation_list *batch, struct operation_list *ran,
                      struct batch_outcome *outcome)
{
    *outcome = (struct batch_outcome){ .failed = true };
    if (begin_and_run(db, batch, ran, &outcome->kept) == 1) {
        bool lost = db->lost_transaction;
        int64_t started = now_us();
        db->has_written = false;
        outcome->failed = end_transaction(db, outcome->kept) < 0;
        outcome->has_written = db->has_written;
        outcome->commit_us = now_us() - started;
        if (!lost)
            return; /* what is left of the batch, if anything, is for the next */
    }
    list_append(ran, batch);
}

/* How many there are; if the transaction failed, so did each of them. */
static unsigned settle_results(struct operation_list *list, bool failed)
{
    unsigned length = 0;
    for (struct operation *operation = list->first; operation; operation = operation->next) {
        length++;
        if (failed)
            operation->result = -1;
    }
    return length;
}

static void count_batch(struct store_statistics *statistics, unsigned length, const struct batch_outcome *outcome)
{
    statistics->operations += length;
    /* One that had nothing to write succeeds on any disk. */
    statistics->has_failed = outcome->failed || (statistics->has_failed && !outcome->has_written);
    histogram_note(&statistics->batch, length);
    if (outcome->failed)
        statistics->failed_commits++;
    else if (outcome->kept > 0) {
        statistics->commits++;
        histogram_note(&statistics->commit_us, outcome->commit_us);
    }
    if (length > statistics->largest_batch)
        statistics->largest_batch = length;
    if (!outcome->failed && outcome->commit_us > statistics->longest_commit_us)
        statistics->longest_commit_us = outcome->commit_us;
}

/* Does not wait for readers: a backup may read for minutes, and nobody could commit meanwhile. 1; 0 somebody reads, or moves
 * the log; -1 error. */
static int empty_log(struct store_committer *committer)
{
    struct store_db *db = committer->db;
    sqlite3_busy_timeout(db->handle, 0);
    int code = store_checkpointer_empty(committer->checkpointer, db, false);
    int result = code == SQLITE_OK ? 1 : (code & 0xff) == SQLITE_BUSY ? 0 : store_db_failed(db, "checkpoint");
    sqlite3_busy_timeout(db->handle, STORE_BUSY_TIMEOUT_MS);
    return result;
}

/* A commit overwrites what was erased, but earlier pages of the log still have it: empty the log. Some of the pages
 * that became free go back to the file system. Returns when to try again at the earliest. */
static int64_t tidy_up(struct store_committer *committer)
{
    struct store_db *db = committer->db;
    if (sqlite3_exec(db->handle, "PRAGMA incremental_vacuum(2048)", NULL, NULL, NULL) != SQLITE_OK)
        store_db_failed(db, "incremental vacuum");
    int emptied = empty_log(committer);
    if (emptied != 1)
        return emptied == 0 ? TIDY_BUSY_MS : TIDY_RETRY_MS;
    db->has_erased = false;
    return IDLE_MS;
}

/* Of now_us(). */
static struct timespec time_at(int64_t us)
{
    return (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
}

/* With the mutex. Returns when there is something to do. */
static void wait_for_work(struct store_committer *committer)
{
    int64_t idle_ms = IDLE_MS;
    while (!committer->waiting.first && !committer->stopping) {
        if (!committer->db->has_erased) {
            pthread_cond_wait(&committer->something_to_do, &committer->mutex);
            continue;
        }
        struct timespec until = time_at(now_us() + idle_ms * 1000);
        if (pthread_cond_timedwait(&committer->something_to_do, &committer->mutex, &until) == ETIMEDOUT &&
            !committer->waiting.first && !committer->stopping) {
            pthread_mutex_unlock(&committer->mutex);
            idle_ms = tidy_up(committer);
            pthread_mutex_lock(&committer->mutex);
        }
    }
}

/* With the mutex. Patient operations wait for an urgent one while the next is likely to come: a silo sends its next message
 * when the one before is acknowledged, so in a row of messages the commits for those before would each be waited for. */
static void wait_for_company(struct store_committer *committer)
{
    int64_t until_us = committer->urgent_us + PATIENCE_US;
    struct timespec until = time_at(until_us);
    while (committer->urgent == 0 && !committer->stopping && now_us() < until_us)
        pthread_cond_timedwait(&committer->something_to_do, &committer->mutex, &until);
}

/* With the mutex. Returns whether somebody in it is urgent. */
static bool take_batch(struct store_committer *committer, struct operation_list *batch)
{
    unsigned urgent = 0;
    for (unsigned i = 0; i < BATCH_MAX && committer->waiting.first; i++) {
        struct operation *operation = list_pop(&committer->waiting);
        urgent += !operation->is_patient;
        list_push(batch, operation);
    }
    committer->urgent -= urgent;
    return urgent > 0;
}

/* With the mutex. What did not fit goes first. */
static void give_back(struct store_committer *committer, struct operation_list *batch)
{
    for (const struct operation *operation = batch->first; operation; operation = operation->next)
        committer->urgent += !operation->is_patient;
    list_append(batch, &committer->waiting);
    list_append(&committer->waiting, batch);
}

static void *thread_main(void *arg)
{
    struct store_committer *committer = arg;
    pthread_mutex_lock(&committer->mutex);
    for (;;) {
        struct operation_list batch, ran;
        struct batch_outcome outcome;
        list_init(&batch);
        list_init(&ran);
        wait_for_work(committer);
        if (!committer->waiting.first)
            break; /* stopping, and nothing is left */
        wait_for_company(committer);
        bool is_urgent = take_batch(committer, &batch);
        pthread_mutex_unlock(&committer->mutex);

        run_batch(committer->db, &batch, &ran, &outcome);
        unsigned length = settle_results(&ran, outcome.failed);

        pthread_mutex_lock(&committer->mutex);
        count_batch(&committer->statistics, length, &outcome);
        list_append(&committer->finished, &ran);
        give_back(committer, &batch);
        if (is_urgent)
            committer->urgent_us = now_us();
        pthread_cond_signal(&committer->something_done);
        pthread_mutex_unlock(&committer->mutex);
        loop_notify(committer->notifier); /* without the mutex: the loop would wake up only to wait for it */
        store_checkpointer_look(committer->checkpointer, committer->db);
        pthread_mutex_lock(&committer->mutex);
    }
    pthread_mutex_unlock(&committer->mutex);
    return NULL;
}

/* The loop. */

static void take_finished(struct store_committer *committer, struct operation_list *list)
{
    list_init(list);
    pthread_mutex_lock(&committer->mutex);
    list_append(list, &committer->finished);
    pthread_mutex_unlock(&committer->mutex);
}

static void tell_done(void *arg)
{
    struct store_committer *committer = arg;
    struct operation_list list;
    struct operation *operation;
    committer->is_telling = true;
    take_finished(committer, &list);
    if (list.first)
        committer->idle_us = now_us();
    while ((operation = list_pop(&list))) {
        committer->pending--;
        if (operation->done)
            operation->done(operation->result, operation->arg);
        free(operation);
    }
    committer->is_telling = false;
}

struct store_committer *store_committer_new(struct loop *loop, struct store_db *db,
                                            struct store_checkpointer *checkpointer)
{
    struct store_committer *committer = xcalloc(1, sizeof *committer);
    committer->db = db;
    committer->checkpointer = checkpointer;
    committer->notifier = loop_notifier_new(loop, tell_done, committer);
    histogram_init(&committer->statistics.batch, batch_bounds, sizeof batch_bounds / sizeof batch_bounds[0]);
    histogram_init(&committer->statistics.commit_us, commit_bounds, sizeof commit_bounds / sizeof commit_bounds[0]);
    list_init(&committer->waiting);
    list_init(&committer->finished);
    pthread_mutex_init(&committer->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&committer->something_to_do, &monotonic);
    pthread_cond_init(&committer->something_done, NULL);
    pthread_condattr_destroy(&monotonic);

    /* Signals are the loop's: the thread inherits a mask that blocks them all. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&committer->thread, NULL, thread_main, committer) != 0)
        abort(); /* made once at start; without it nothing could be promised to anybody */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return committer;
}

void store_committer_submit(struct store_committer *committer, store_operation *operation, store_done *done, void *arg,
                            bool is_repeatable, bool is_patient)
{
    struct operation *new = xcalloc(1, sizeof *new);
    *new = (struct operation){
        .run = operation, .done = done, .arg = arg, .is_repeatable = is_repeatable, .is_patient = is_patient
    };
    if (committer->pending++ == 0)
        committer->idle_us = now_us();
    pthread_mutex_lock(&committer->mutex);
    assert(!committer->stopping);
    list_push(&committer->waiting, new);
    committer->urgent += !is_patient;
    pthread_mutex_unlock(&committer->mutex);
    pthread_cond_signal(&committer->something_to_do); /* without the mutex: the thread needs it first of all */
}

unsigned store_committer_pending(const struct store_committer *committer)
{
    return committer->pending;
}

int64_t store_committer_stalled_ms(const struct store_committer *committer)
{
    return committer->pending > 0 ? (now_us() - committer->idle_us) / 1000 : 0;
}

void store_committer_get_statistics(struct store_committer *committer, struct store_statistics *out)
{
    pthread_mutex_lock(&committer->mutex);
    *out = committer->statistics;
    pthread_mutex_unlock(&committer->mutex);
}

void store_committer_free(struct store_committer **committer_in)
{
    struct store_committer *committer = *committer_in;
    assert(!committer->is_telling); /* a done function must not close the store */
    while (committer->pending > 0) {
        pthread_mutex_lock(&committer->mutex);
        while (!committer->finished.first)
            pthread_cond_wait(&committer->something_done, &committer->mutex);
        pthread_mutex_unlock(&committer->mutex);
        tell_done(committer);
    }
    pthread_mutex_lock(&committer->mutex);
    committer->stopping = true;
    pthread_cond_signal(&committer->something_to_do);
    pthread_mutex_unlock(&committer->mutex);
    pthread_join(committer->thread, NULL);
    loop_notifier_free(&committer->notifier);
    pthread_cond_destroy(&committer->something_done);
    pthread_cond_destroy(&committer->something_to_do);
    pthread_mutex_destroy(&committer->mutex);
    free(committer);
    *committer_in = NULL;
}
