/* base_file_test.c - what every writer of files needs */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static char folder[] = "/tmp/postern-file-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void assert_fails_with(int error, int result)
{
    assert_int_equal(result, -1);
    assert_int_equal(errno, error);
}

static void test_directories_are_synced(void **state)
{
    (void)state;
    char path[100];
    assert_int_equal(file_sync_directory(folder), 1);
    assert_int_equal(file_sync_directory("."), 1);
    snprintf(path, sizeof path, "%s/nobody needs to be there", folder);
    assert_int_equal(file_sync_directory_of(path), 1);
    assert_int_equal(file_sync_directory_of("in this one"), 1);
    assert_int_equal(file_sync_directory_of("/in-the-first-one"), 1);
}

static void test_what_is_no_directory_is_told(void **state)
{
    (void)state;
    assert_fails_with(ENOENT, file_sync_directory("missing"));
    assert_fails_with(ENOENT, file_sync_directory_of("missing/file"));
    close(open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_fails_with(ENOTDIR, file_sync_directory("file"));
    assert_fails_with(ENOTDIR, file_sync_directory_of("file/name"));
    unlink("file");
    assert_fails_with(EINVAL, file_sync_directory("/proc")); /* a file system that has no disk */
}

static void test_all_is_written_or_it_is_told(void **state)
{
    (void)state;
    int64_t size;
    int fd = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(file_write_all(fd, "one", 3), 1);
    assert_int_equal(file_write_all(fd, "", 0), 1);
    assert_int_equal(file_write_all(fd, " two", 4), 1);
    assert_int_equal(file_size(fd, &size), 1);
    assert_int_equal(size, 7);
    close(fd);
    unlink("file");
    assert_fails_with(EBADF, file_write_all(-1, "one", 3));
    assert_fails_with(EBADF, file_size(-1, &size));
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_fails_with(ENOSPC, file_write_all(fd, "one", 3));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories_are_synced),
        cmocka_unit_test(test_what_is_no_directory_is_told),
        cmocka_unit_test(test_all_is_written_or_it_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
