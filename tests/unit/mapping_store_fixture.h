/* mapping_store_fixture.h - a store in a directory of its own, for the tests of mapping/store*.c
 *
 * Everything is on the test's thread. store_fixture_borrow() makes the committer wait inside an operation and lends the
 * test its connection until store_fixture_return(), so that what needs a writer can be called, and asserted on, line by
 * line.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "mapping/store_internal.h"

struct store_fixture {
    char directory[64];
    char path[96];
    struct clock *clock;
    struct loop *loop;
    struct store *store;
    atomic_uint errors;  /* lines logged with event store.error */
    const char *counted; /* in lines that are counted; NULL */
    atomic_uint lines;   /* with it, whatever their level */
    /* a borrowed connection */
    struct store_db *borrowed;
    int result; /* of the operation that lends it */
    sem_t lent, returned;
    bool is_over;
};

static inline void store_fixture_log(enum log_level level, const char *line, void *ctx)
{
    struct store_fixture *fixture = ctx;
    if (level == LOG_LEVEL_ERROR && strstr(line, "event=store.error"))
        fixture->errors++;
    if (fixture->counted && strstr(line, fixture->counted))
        fixture->lines++;
}

static inline void store_fixture_open(struct store_fixture *fixture)
{
    char *error;
    fixture->store = store_open(fixture->loop, fixture->path, &error);
    if (!fixture->store)
        fail_msg("%s", error);
}

static inline void store_fixture_prepare(struct store_fixture *fixture)
{
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/postern-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof fixture->path, "%s/postern.db", fixture->directory);
    fixture->clock = clock_new_system();
    fixture->loop = loop_new(fixture->clock);
    sem_init(&fixture->lent, 0, 0);
    sem_init(&fixture->returned, 0, 0);
    log_set_sink(store_fixture_log, fixture);
}

static inline int store_fixture_setup(void **state)
{
    struct store_fixture *fixture = calloc(1, sizeof *fixture);
    store_fixture_prepare(fixture);
    store_fixture_open(fixture);
    *state = fixture;
    return 0;
}

/* For a setup function: on a fake clock, which shows this wall-clock time and goes on by clock_advance() only. */
static inline int store_fixture_setup_at(void **state, int64_t wall_ms)
{
    struct store_fixture *fixture = calloc(1, sizeof *fixture);
    store_fixture_prepare(fixture);
    loop_free(&fixture->loop);
    clock_free(&fixture->clock);
    fixture->clock = clock_new_fake(1000, wall_ms);
    fixture->loop = loop_new(fixture->clock);
    store_fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int store_fixture_remove_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int store_fixture_teardown(void **state)
{
    struct store_fixture *fixture = *state;
    if (fixture->borrowed) { /* an assertion failed meanwhile */
        fixture->result = -1;
        sem_post(&fixture->returned);
    }
    store_close(&fixture->store);
    loop_free(&fixture->loop);
    clock_free(&fixture->clock);
    log_set_sink(NULL, NULL);
    nftw(fixture->directory, store_fixture_remove_file, 8, FTW_DEPTH | FTW_PHYS);
    sem_destroy(&fixture->lent);
    sem_destroy(&fixture->returned);
    free(fixture);
    return 0;
}

static inline void store_fixture_wait(struct store_fixture *fixture, const bool *is_over)
{
    while (!*is_over) {
        loop_turn(fixture->loop);
        usleep(200);
    }
}

static inline void store_fixture_wait_for_all(struct store_fixture *fixture)
{
    while (store_pending(fixture->store) > 0) {
        loop_turn(fixture->loop);
        usleep(200);
    }
}

/* Lets seconds go by, and whatever is tried in each be over. */
static inline void store_fixture_pass_seconds(struct store_fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        clock_advance(fixture->clock, 1000);
        loop_turn(fixture->loop);
        store_fixture_wait_for_all(fixture);
        loop_turn(fixture->loop);
    }
}

static inline int store_fixture_lend(struct store_db *db, void *arg)
{
    struct store_fixture *fixture = arg;
    fixture->borrowed = db;
    sem_post(&fixture->lent);
    sem_wait(&fixture->returned);
    return fixture->result;
}

static inline void store_fixture_lend_done(int result, void *arg)
{
    struct store_fixture *fixture = arg;
    fixture->result = result;
    fixture->is_over = true;
}

static inline struct store_db *store_fixture_borrow(struct store_fixture *fixture)
{
    fixture->is_over = false;
    store_submit(fixture->store, store_fixture_lend, store_fixture_lend_done, fixture);
    sem_wait(&fixture->lent);
    return fixture->borrowed;
}

/* Lets the operation return result; not waited for. */
static inline void store_fixture_release(struct store_fixture *fixture, int result)
{
    fixture->borrowed = NULL;
    fixture->result = result;
    sem_post(&fixture->returned);
}

/* Commits (1) or undoes (0, -1) what was done with the borrowed connection. Returns what the done function was told. */
static inline int store_fixture_return(struct store_fixture *fixture, int result)
{
    store_fixture_release(fixture, result);
    store_fixture_wait(fixture, &fixture->is_over);
    return fixture->result;
}

/* Commits a change, for example one after which reading fails. */
static inline void store_fixture_change(struct store_fixture *fixture, const char *sql)
{
    struct store_db *db = store_fixture_borrow(fixture);
    assert_true(store_execute(db, sql, NULL) >= 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}
