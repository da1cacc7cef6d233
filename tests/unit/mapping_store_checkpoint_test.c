#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_content.h"

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

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_log_stays_short_while_commits_never_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
