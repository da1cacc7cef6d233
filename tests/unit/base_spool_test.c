#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/spool.h"
#include "base/xmalloc.h"

enum { MEMORY = 100 };

/* Adds `total` bytes of a known pattern, `step` at a time. */
static void fill(struct spool *spool, size_t total, size_t step)
{
    for (size_t at = 0; at < total; at += step) {
        uint8_t piece[64];
        size_t len = total - at < step ? total - at : step;
        for (size_t i = 0; i < len; i++)
            piece[i] = (uint8_t)((at + i) * 7);
        assert_int_equal(spool_add(spool, piece, len), 1);
    }
}

static void assert_pattern(const uint8_t *bytes, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        assert_int_equal(bytes[i], (uint8_t)((from + i) * 7));
}

static void content_is_read_back_on_both_sides_of_the_limit(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, MEMORY - 1, MEMORY, MEMORY + 1, 3 * MEMORY, 10000 };
    static const size_t steps[] = { 1, 7, 64 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            struct spool *spool = spool_new("/tmp", MEMORY);
            fill(spool, sizes[i], steps[k]);
            assert_int_equal(spool_size(spool), sizes[i]);
            uint8_t *bytes = xmalloc(sizes[i] + 10);
            assert_int_equal(spool_read(spool, 0, bytes, sizes[i] + 10), sizes[i]);
            assert_pattern(bytes, 0, sizes[i]);
            size_t half = sizes[i] / 2;
            assert_int_equal(spool_read(spool, (int64_t)half, bytes, 3), sizes[i] - half < 3 ? sizes[i] - half : 3);
            assert_pattern(bytes, half, sizes[i] - half < 3 ? sizes[i] - half : 3);
            const uint8_t *memory = spool_memory(spool);
            assert_int_equal(memory != NULL, sizes[i] > 0 && sizes[i] <= MEMORY);
            if (memory)
                assert_pattern(memory, 0, sizes[i]);
            assert_int_equal(spool_read(spool, (int64_t)sizes[i], bytes, 1), 0);
            assert_int_equal(spool_read(spool, -1, bytes, 1), -1);
            free(bytes);
            spool_free(&spool);
            assert_null(spool);
        }
    }
}

static void descriptors_hold_the_content_and_have_their_own_offsets(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 50, 5000 }; /* empty, in memory, in a file */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct spool *spool = spool_new("/tmp", MEMORY);
        fill(spool, sizes[i], 10);
        int a = spool_dup_fd(spool), b = spool_dup_fd(spool);
        assert_true(a >= 0 && b >= 0);
        spool_free(&spool); /* they outlive it */
        uint8_t bytes[5001];
        assert_int_equal(read(a, bytes, sizes[i] / 2), sizes[i] / 2);
        assert_int_equal(read(b, bytes, sizeof bytes), sizes[i]);
        assert_pattern(bytes, 0, sizes[i]);
        assert_int_equal(read(a, bytes, sizeof bytes), sizes[i] - sizes[i] / 2);
        assert_pattern(bytes, sizes[i] / 2, sizes[i] - sizes[i] / 2);
        close(a);
        close(b);
    }
}

static void a_handed_out_file_cannot_be_written(void **state)
{
    (void)state;
    struct spool *spool = spool_new("/tmp", MEMORY);
    fill(spool, 500, 50);
    int fd = spool_dup_fd(spool);
    assert_int_equal(write(fd, "x", 1), -1);
    close(fd);
    spool_free(&spool);
}

static void nothing_is_left_in_the_directory(void **state)
{
    (void)state;
    char directory[] = "/tmp/spool-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct spool *spool = spool_new(directory, MEMORY);
    fill(spool, 5000, 50);
    assert_int_equal(rmdir(directory), 0); /* works only when it is empty */
    uint8_t byte;
    assert_int_equal(spool_read(spool, 4999, &byte, 1), 1);
    spool_free(&spool);
}

static void a_missing_directory_is_an_error_and_stays_one(void **state)
{
    (void)state;
    struct spool *spool = spool_new("/nowhere/at/all", MEMORY);
    fill(spool, MEMORY, 10); /* memory needs no directory */
    assert_int_equal(spool_add(spool, "x", 1), -1);
    assert_int_equal(spool_add(spool, "x", 1), -1);
    uint8_t byte;
    assert_int_equal(spool_read(spool, 0, &byte, 1), -1);
    assert_int_equal(spool_dup_fd(spool), -1);
    spool_free(&spool);
}

/* A full disk. What is there is not what was sent, so nothing of it may be taken for the content. */
static void a_full_disk_is_an_error_and_stays_one(void **state)
{
    (void)state;
    struct rlimit before, limit;
    uint8_t byte, bytes[1000] = { 0 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){ .rlim_cur = 4096, .rlim_max = before.rlim_max };
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    struct spool *spool = spool_new("/tmp", MEMORY);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int result = 1;
    for (int i = 0; i < 5 && result == 1; i++)
        result = spool_add(spool, bytes, sizeof bytes);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, old);
    assert_int_equal(result, -1);
    assert_int_equal(spool_add(spool, "x", 1), -1); /* there is room again */
    assert_int_equal(spool_read(spool, 0, &byte, 1), -1);
    assert_int_equal(spool_dup_fd(spool), -1);
    spool_free(&spool);
}

static void a_file_that_became_shorter_is_an_error(void **state)
{
    (void)state;
    uint8_t bytes[600];
    char path[64];
    struct spool *spool = spool_new("/tmp", MEMORY);
    fill(spool, 500, 50);
    int fd = spool_dup_fd(spool); /* for reading only */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(truncate(path, 400), 0);
    close(fd);
    assert_int_equal(spool_read(spool, 0, bytes, 400), 400);
    assert_int_equal(spool_read(spool, 0, bytes, 500), -1);
    assert_int_equal(errno, EIO);
    spool_free(&spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_read_back_on_both_sides_of_the_limit),
        cmocka_unit_test(descriptors_hold_the_content_and_have_their_own_offsets),
        cmocka_unit_test(a_handed_out_file_cannot_be_written),
        cmocka_unit_test(nothing_is_left_in_the_directory),
        cmocka_unit_test(a_missing_directory_is_an_error_and_stays_one),
        cmocka_unit_test(a_full_disk_is_an_error_and_stays_one),
        cmocka_unit_test(a_file_that_became_shorter_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
