#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/tmpfile.h"
#include "tests/unit/old_kernel.h"

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

/* Not all file systems have files without a name (NFS has none): what was unlinked does as well. 0, or what went wrong. */
static int use_an_old_file_system(void)
{
    struct stat info;
    char long_path[5000], bytes[4];
    if (!old_kernel_begin() || (open(directory, O_TMPFILE | O_RDWR, 0600) >= 0 || errno != EOPNOTSUPP))
        return 1;
    int fd = tmpfile_new(directory);
    if (fd < 0 || write(fd, "abc", 3) != 3 || pread(fd, bytes, 4, 0) != 3)
        return 2;
    if (fstat(fd, &info) != 0 || info.st_nlink != 0 || (info.st_mode & 0777) != 0600 ||
        !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
        return 3;
    if (tmpfile_name(fd, path) != 0 || rmdir(directory) != 0) /* it has none, and its content can be copied */
        return 4;
    if (tmpfile_new(directory) >= 0 || errno != ENOENT)
        return 5;
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    return tmpfile_new(long_path) < 0 && errno == ENAMETOOLONG ? 0 : 6;
}

static void without_unnamed_files_an_unlinked_one_will_do(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_an_old_file_system());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(mkdir(directory, 0700), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_without_a_name_leaves_nothing, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_name_makes_it_permanent, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(what_was_unlinked_can_have_no_name, make_directory, remove_directory),
        cmocka_unit_test(a_missing_directory_is_an_error),
        cmocka_unit_test_setup_teardown(without_unnamed_files_an_unlinked_one_will_do, make_directory,
                                        remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
