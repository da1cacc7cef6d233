#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/tmpfile.h"

static char directory[64];
static char path[128];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/tmpfile-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/name", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void a_file_without_a_name_leaves_nothing(void **state)
{
    (void)state;
    struct stat info;
    int fd = tmpfile_new(directory);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_nlink, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
    assert_int_equal(rmdir(directory), 0); /* it is empty */
    assert_int_equal(mkdir(directory, 0700), 0);
}

static void a_name_makes_it_permanent(void **state)
{
    (void)state;
    char bytes[4];
    int fd = tmpfile_new(directory);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(tmpfile_name(fd, path), 1);
    assert_int_equal(tmpfile_name(fd, path), -1); /* never replaces a file */
    assert_int_equal(errno, EEXIST);
    close(fd);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, bytes, sizeof bytes), 3);
    close(fd);
}

static void what_was_unlinked_can_have_no_name(void **state)
{
    (void)state;
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tmpfile_name(fd, path), 0);
    close(fd);
}

static void a_missing_directory_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(tmpfile_new("/nowhere/at/all"), -1);
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_without_a_name_leaves_nothing, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_name_makes_it_permanent, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(what_was_unlinked_can_have_no_name, make_directory, remove_directory),
        cmocka_unit_test(a_missing_directory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
