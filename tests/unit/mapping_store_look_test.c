/* mapping_store_look_test.c - what somebody is told who looks at a database from outside */
#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "mapping/store_content.h"
#include "mapping/store_look.h"

enum {
    PATIENCE_MS = 60 * 1000,
    CONTENTS = 40,
    MANY = 3000,
    SIZE = 30 * 1000,
    PAGE_MAX = 1000,
    LOG_HEADER = 32,
    FRAME_HEADER = 24
};

static int look(const char *path, bool is_in_use, int64_t ms, char problems_out[static 256])
{
    struct strbuf problems;
    strbuf_init(&problems, 255);
    int result = store_look(path, is_in_use, ms, &problems);
    memcpy(problems_out, problems.data, problems.len + 1);
    strbuf_free(&problems);
    return result;
}

static void fill(struct store_fixture *fixture, int count, int64_t size)
{
    int64_t id;
    int result = 1, fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, size), 0);
    struct store_db *db = store_fixture_borrow(fixture);
    for (int i = 0; i < count && result == 1; i++)
        result = store_content_add_fd(db, fd, size, &id);
    close(fd);
    assert_int_equal(store_fixture_return(fixture, result), 1);
}

static size_t read_file(const char *path, uint8_t **bytes_out)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &info), 0);
    *bytes_out = malloc((size_t)info.st_size + 1);
    assert_int_equal(read(fd, *bytes_out, (size_t)info.st_size), info.st_size);
    close(fd);
    return (size_t)info.st_size;
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static uint32_t number_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Moves the first half of the log's pages into the file, as a checkpoint does that is killed; they lie in the order of their numbers. */
static void move_half(const char *path, const uint8_t *log, size_t log_len)
{
    size_t latest[PAGE_MAX] = { 0 }, page_size = number_at(log + 8), pages = 0, moved = 0;
    for (size_t at = LOG_HEADER; at + FRAME_HEADER + page_size <= log_len; at += FRAME_HEADER + page_size) {
        uint32_t number = number_at(log + at);
        assert_true(number < PAGE_MAX);
        pages += latest[number] == 0;
        latest[number] = at + FRAME_HEADER;
    }
    assert_true(pages > 4);
    int fd = open(path, O_WRONLY);
    for (size_t i = 0; i < PAGE_MAX && moved < pages / 2; i++) {
        if (latest[i] > 0) {
            assert_int_equal(pwrite(fd, log + latest[i], page_size, (off_t)((i - 1) * page_size)), page_size);
            moved++;
        }
    }
    close(fd);
}

static void a_database_is_whole_or_damaged(void **state)
{
    struct store_fixture *fixture = *state;
    char problems[256];
    uint8_t *bytes;
    fill(fixture, CONTENTS, SIZE);
    assert_int_equal(look(fixture->path, true, PATIENCE_MS, problems), 1);
    store_close(&fixture->store);
    assert_int_equal(look(fixture->path, false, PATIENCE_MS, problems), 1);
    assert_string_equal(problems, "");

    size_t len = read_file(fixture->path, &bytes);
    memset(bytes + len / 4, 0x5A, len / 2);
    write_file(fixture->path, bytes, len);
    free(bytes);
    assert_int_equal(look(fixture->path, false, PATIENCE_MS, problems), -1);
    assert_true(problems[0] != '\0');
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(look(fixture->path, false, PATIENCE_MS, problems), -1);
    assert_memory_equal(problems, "it can't be opened: ", 20);
}

static void a_large_one_is_looked_at_only_for_a_while(void **state)
{
    struct store_fixture *fixture = *state;
    char problems[256];
    fill(fixture, MANY, 1);
    assert_int_equal(look(fixture->path, true, -1, problems), 0);
    assert_string_equal(problems, "too large to be looked at here");
}

/* SQLite takes names with "?", "#" and "%" for something else. */
static void any_name_will_do(void **state)
{
    struct store_fixture *fixture = *state;
    char problems[256], path[128];
    store_close(&fixture->store);
    snprintf(path, sizeof path, "%s/a%%41?mode=rw#b", fixture->directory);
    assert_int_equal(rename(fixture->path, path), 0);
    assert_int_equal(look(path, false, PATIENCE_MS, problems), 1);
}

/* It was said to be damaged, with the advice to restore a backup; and the next start would have put it right. */
static void one_whose_daemon_was_killed_in_a_checkpoint_is_not_damaged(void **state)
{
    struct store_fixture *fixture = *state;
    char problems[256], log_path[128];
    uint8_t *bytes, *log;
    store_close(&fixture->store);
    store_fixture_open(fixture);
    fill(fixture, CONTENTS, SIZE);
    snprintf(log_path, sizeof log_path, "%s-wal", fixture->path);
    size_t len = read_file(fixture->path, &bytes), log_len = read_file(log_path, &log);
    store_close(&fixture->store);
    write_file(fixture->path, bytes, len);
    move_half(fixture->path, log, log_len);
    assert_int_equal(look(fixture->path, false, PATIENCE_MS, problems), -1); /* that much is missing */
    write_file(log_path, log, log_len);
    assert_int_equal(look(fixture->path, false, PATIENCE_MS, problems), 0);
    assert_non_null(strstr(problems, "not closed in order"));
    free(bytes);
    free(log);

    store_fixture_open(fixture);
    assert_int_equal(look(fixture->path, true, PATIENCE_MS, problems), 1);
    store_close(&fixture->store);
    assert_int_equal(look(fixture->path, false, PATIENCE_MS, problems), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_database_is_whole_or_damaged, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_large_one_is_looked_at_only_for_a_while, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(any_name_will_do, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(one_whose_daemon_was_killed_in_a_checkpoint_is_not_damaged, store_fixture_setup,
                                        store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
