#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/spool.h"
#include "mapping/store_content.h"

enum { MIB = 1024 * 1024 };

/* Content that is recognised wherever a piece of it is found: 64-byte lines, each with the mark. */
static const char mark[] = "what nobody may find here afterwards";

static int content_fd(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    char line[80];
    for (size_t at = 0; at < size; at += 64) {
        snprintf(line, sizeof line, "%-48s%016zu", mark, at);
        size_t len = size - at < 64 ? size - at : 64;
        assert_int_equal(write(fd, line, len), len);
    }
    return fd;
}

static void assert_same_content(int fd, int expected_fd, size_t size)
{
    uint8_t *got = malloc(size + 1), *expected = malloc(size + 1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(read(fd, got, size + 1), size);
    assert_int_equal(pread(expected_fd, expected, size + 1, 0), size);
    assert_memory_equal(got, expected, size);
    free(got);
    free(expected);
}

static int64_t store_content(struct store_fixture *fixture, size_t size)
{
    int64_t id = 0;
    int fd = content_fd(size);
    struct store_db *db = store_fixture_borrow(fixture);
    int result = store_content_add_fd(db, fd, (int64_t)size, &id);
    close(fd);
    assert_int_equal(store_fixture_return(fixture, result), 1);
    return id;
}

static bool is_marked(const struct store_fixture *fixture, const char *suffix)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    assert_int_equal(fstat(fd, &info), 0);
    bool found = false;
    if (info.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        assert_true(bytes != MAP_FAILED);
        found = memmem(bytes, (size_t)info.st_size, mark, sizeof mark - 1) != NULL;
        munmap(bytes, (size_t)info.st_size);
    }
    close(fd);
    return found;
}

static const size_t sizes[] = { 0, 1, 64, 4096, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 5 * MIB };

static void content_comes_back_as_it_was(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t ids[sizeof sizes / sizeof sizes[0]];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ids[i] = store_content(fixture, sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int fd, expected = content_fd(sizes[i]);
        int64_t size;
        assert_int_equal(store_content_open(store_reader(fixture->store), ids[i], &fd, &size), 1);
        assert_int_equal(size, sizes[i]);
        assert_same_content(fd, expected, sizes[i]);
        close(fd);
        close(expected);
    }
}

static void content_comes_from_spools_too(void **state)
{
    struct store_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct spool *spool = spool_new(fixture->directory, 4096);
        int expected = content_fd(sizes[i]), fd;
        int64_t id, size;
        uint8_t *bytes = malloc(sizes[i] + 1);
        assert_int_equal(pread(expected, bytes, sizes[i], 0), sizes[i]);
        assert_int_equal(spool_add(spool, bytes, sizes[i]), 1);
        struct store_db *db = store_fixture_borrow(fixture);
        int result = store_content_add_spool(db, spool, &id);
        assert_int_equal(store_fixture_return(fixture, result), 1);
        assert_int_equal(store_content_open(store_reader(fixture->store), id, &fd, &size), 1);
        assert_same_content(fd, expected, sizes[i]);
        close(fd);
        close(expected);
        free(bytes);
        spool_free(&spool);
    }
}

static void unreadable_content_is_an_error(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id;
    int fd = content_fd(1000);
    assert_int_equal(store_content_add_fd(db, fd, 1001, &id), -1); /* shorter than was said */
    close(fd);
    assert_int_equal(store_content_add_fd(db, fd, 1000, &id), -1);
    assert_int_equal(store_fixture_return(fixture, -1), -1);
}

static void absent_content_is_not_found(void **state)
{
    struct store_fixture *fixture = *state;
    int fd = -1;
    int64_t size;
    assert_int_equal(store_content_open(store_reader(fixture->store), 1, &fd, &size), 0);
    assert_int_equal(fd, -1);
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_erase(db, 1), 0);
    store_fixture_return(fixture, 1);
    assert_int_equal(fixture->errors, 0);
}

static void erase(struct store_fixture *fixture, int64_t id)
{
    struct store_db *db = store_fixture_borrow(fixture);
    int result = store_content_erase(db, id);
    assert_int_equal(store_fixture_return(fixture, result), 1);
}

static void erased_content_is_in_no_file_after_closing(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t large = store_content(fixture, 5 * MIB), small = store_content(fixture, 300);
    int fd;
    int64_t size;
    erase(fixture, small);
    assert_int_equal(store_content_open(store_reader(fixture->store), small, &fd, &size), 0);
    assert_int_equal(store_content_open(store_reader(fixture->store), large, &fd, &size), 1);
    close(fd);
    assert_true(is_marked(fixture, "") || is_marked(fixture, "-wal"));
    erase(fixture, large);
    store_close(&fixture->store);
    assert_false(is_marked(fixture, ""));
    assert_false(is_marked(fixture, "-wal"));
}

/* Without closing: when the committer has nothing to do for a moment. The file gets smaller, too. */
static void erased_content_is_in_no_file_after_a_moment(void **state)
{
    struct store_fixture *fixture = *state;
    struct stat info;
    int64_t id = store_content(fixture, 3 * MIB);
    erase(fixture, id);
    for (int i = 0; i < 100 && (is_marked(fixture, "") || is_marked(fixture, "-wal")); i++)
        usleep(100 * 1000);
    assert_false(is_marked(fixture, ""));
    assert_false(is_marked(fixture, "-wal"));
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_in_range(info.st_size, 1, MIB);
    store_content(fixture, 100); /* and goes on */
}

static void ids_of_erased_content_are_not_used_again(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t first = store_content(fixture, 10);
    erase(fixture, first);
    int64_t second = store_content(fixture, 10);
    assert_true(second > first);
    erase(fixture, second);
    store_close(&fixture->store);
    store_fixture_open(fixture);
    assert_true(store_content(fixture, 10) > second);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(content_comes_back_as_it_was),
        WITH_STORE(content_comes_from_spools_too),
        WITH_STORE(unreadable_content_is_an_error),
        WITH_STORE(absent_content_is_not_found),
        WITH_STORE(erased_content_is_in_no_file_after_closing),
        WITH_STORE(erased_content_is_in_no_file_after_a_moment),
        WITH_STORE(ids_of_erased_content_are_not_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
