#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_content.h"

#include <time.h>

enum {
    SIZE = 64 * 1024,
    COUNT = 1500, /* many times what the log may hold */
    AT_A_TIME = 20,
    LOG_MAX = 40 * 1024 * 1024, /* 8,000 pages, and what commits while the thread is told */
};

struct load {
    struct store_fixture *fixture;
    int fd;
    unsigned submitted, done;
    off_t longest; /* of the log */
};

static off_t log_size(const struct store_fixture *fixture)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s-wal", fixture->path);
    return stat(path, &info) == 0 ? info.st_size : 0;
}

static int add_one(struct store_db *db, void *arg)
{
    const struct load *load = arg;
    int64_t id;
    return store_content_add_fd(db, load->fd, SIZE, &id);
}

static void one_added(int result, void *arg)
{
    struct load *load = arg;
    off_t size = log_size(load->fixture);
    assert_int_equal(result, 1);
    load->done++;
    if (size > load->longest)
        load->longest = size;
    if (load->submitted < COUNT) {
        load->submitted++;
        store_submit(load->fixture->store, add_one, one_added, load);
    }
}

/* Somebody is always waiting to write, so there is no rest in which the log could be moved as a whole. */
static void the_log_stays_short_while_commits_never_rest(void **state)
{
    struct store_fixture *fixture = *state;
    FILE *file = tmpfile();
    struct load load = { .fixture = fixture, .fd = fileno(file) };
    int64_t size;
    int fd;
    assert_int_equal(ftruncate(load.fd, SIZE), 0);
    while (load.submitted < AT_A_TIME) {
        load.submitted++;
        store_submit(fixture->store, add_one, one_added, &load);
    }
    store_fixture_wait_for_all(fixture);
    fclose(file);
    assert_int_equal(load.done, COUNT);
    assert_in_range(load.longest, 1, LOG_MAX);
    assert_int_equal(store_content_open(store_reader(fixture->store), COUNT, &fd, &size), 1);
    close(fd);
    store_close(&fixture->store);
    assert_int_equal(log_size(fixture), 0);
    store_fixture_open(fixture);
    assert_int_equal(store_content_open(store_reader(fixture->store), 1, &fd, &size), 1);
    assert_int_equal(size, SIZE);
    close(fd);
}

static int erase_one(struct store_db *db, void *arg)
{
    return store_content_erase(db, *(const int64_t *)arg);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Erases one, and then lets the committer rest for longer than it waits before it empties the log. Returns how long it took. */
static int64_t erase_and_rest(struct store_fixture *fixture, int64_t id)
{
    int64_t started = now_ms();
    store_submit(fixture->store, erase_one, NULL, &id);
    store_fixture_wait_for_all(fixture);
    int64_t took = now_ms() - started;
    usleep(400 * 1000);
    return took;
}

/* Of content that was erased the log must be emptied, which a reader is in the way of, as a backup is for minutes. */
static void commits_do_not_wait_for_somebody_who_reads(void **state)
{
    enum { ROUNDS = 4, SOON_MS = 2500 };
    struct store_fixture *fixture = *state;
    FILE *file = tmpfile();
    struct load load = { .fixture = fixture, .fd = fileno(file) };
    struct store_db backup;
    int64_t count;
    assert_int_equal(ftruncate(load.fd, SIZE), 0);
    for (int i = 0; i < ROUNDS; i++)
        store_submit(fixture->store, add_one, NULL, &load);
    store_fixture_wait_for_all(fixture);
    fclose(file);
    assert_int_equal(store_db_open(&backup, fixture->path, false), 1);
    assert_int_equal(sqlite3_exec(backup.handle, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_fetch_int(&backup, "SELECT count(*) FROM content", NULL, &count), 1);
    for (int i = 1; i <= ROUNDS; i++)
        assert_in_range(erase_and_rest(fixture, i), 0, SOON_MS);
    assert_true(log_size(fixture) > 0);
    assert_int_equal(fixture->errors, 0);
    assert_int_equal(sqlite3_exec(backup.handle, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    store_db_close(&backup);
    for (int64_t until = now_ms() + 30000; log_size(fixture) > 0 && now_ms() < until;)
        usleep(10000);
    assert_int_equal(log_size(fixture), 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_log_stays_short_while_commits_never_rest),
        WITH_STORE(commits_do_not_wait_for_somebody_who_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
