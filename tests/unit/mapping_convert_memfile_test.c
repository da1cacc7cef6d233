/* Results of workers: nobody may be able to change what the daemon has begun to check. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/ipc.h"
#include "base/tmpfile.h"
#include "mapping/convert_memfile.h"

static void test_memory_files_are_bounded(void **state)
{
    (void)state;
    int fd = convert_memfile_new("test", 6);
    assert_int_equal(file_write_all(fd, "four", 4), 1);
    assert_int_equal(file_write_all(fd, "more", 4), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    close(fd);
}

static void test_sealed_memory_files_stay(void **state)
{
    (void)state;
    int64_t size;
    int fd = convert_memfile_new("test", 1000);
    assert_int_equal(file_write_all(fd, "four", 4), 1);
    assert_int_equal(convert_memfile_end(fd), 1);
    void *map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(convert_memfile_seal(fd, &size), -1);
    munmap(map, 4);
    assert_int_equal(convert_memfile_seal(fd, &size), 1);
    assert_int_equal(size, 4);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
}

static int new_file(void)
{
    int fd = tmpfile_new(".");
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, "four", 4), 1);
    return fd;
}

static void assert_frozen(int *fd)
{
    int64_t size;
    assert_int_equal(convert_memfile_freeze(fd, &size), 1);
    assert_int_equal(size, 4);
    assert_int_equal(pwrite(*fd, "x", 1, 0), -1);
    assert_int_equal(errno, EBADF);
    char start[4];
    assert_int_equal(pread(*fd, start, 4, 0), 4);
    assert_memory_equal(start, "four", 4);
}

/* Each way to keep a writer, and that it is nothing else that makes it fail. */
static void test_files_with_a_writer_are_refused(void **state)
{
    (void)state;
    int64_t size;
    int fd = new_file();
    int copy = dup(fd);
    assert_int_equal(convert_memfile_freeze(&fd, &size), -1);
    assert_int_equal(errno, EAGAIN);
    close(copy);
    assert_frozen(&fd);
    close(fd);

    fd = new_file();
    void *map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(convert_memfile_freeze(&fd, &size), -1);
    assert_int_equal(errno, EAGAIN);
    munmap(map, 4);
    assert_frozen(&fd);
    close(fd);

    fd = new_file();
    void *later = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0); /* mprotect() would make it a writer */
    assert_true(later != MAP_FAILED);
    assert_int_equal(convert_memfile_freeze(&fd, &size), -1);
    assert_int_equal(errno, EAGAIN);
    munmap(later, 4);
    assert_frozen(&fd);
    close(fd);

    fd = new_file();
    int ends[2];
    assert_int_equal(ipc_pair(ends), 1);
    assert_int_equal(ipc_send(ends[0], 0, NULL, 0, &fd, 1), 1); /* on its way */
    assert_int_equal(convert_memfile_freeze(&fd, &size), -1);
    assert_int_equal(errno, EAGAIN);
    close(ends[0]);
    close(ends[1]);
    assert_frozen(&fd);
    close(fd);
}

/* Readers do no harm: a worker has the input open, and so may have others. */
static void test_files_with_a_reader_are_taken(void **state)
{
    (void)state;
    int fd = new_file();
    int reader = convert_memfile_reopen(fd);
    assert_true(reader >= 0);
    void *map = mmap(NULL, 4, PROT_READ, MAP_SHARED, reader, 0);
    assert_true(map != MAP_FAILED);
    assert_int_not_equal(mprotect(map, 4, PROT_READ | PROT_WRITE), 0);
    assert_frozen(&fd);
    munmap(map, 4);
    close(reader);
    close(fd);
}

static void test_frozen_files_can_be_named(void **state)
{
    (void)state;
    static const char name[] = "mapping_convert_memfile_test.name";
    unlink(name);
    int fd = new_file();
    assert_frozen(&fd);
    assert_int_equal(tmpfile_name(fd, name), 1);
    assert_int_equal(access(name, F_OK), 0);
    unlink(name);
    close(fd);
}

static void test_copies_in_pieces(void **state)
{
    (void)state;
    int from = convert_memfile_new("from", 10);
    assert_int_equal(file_write_all(from, "0123456789", 10), 1);
    int fd = new_file();
    int64_t offset = 2;
    assert_int_equal(convert_memfile_copy(fd, from, &offset, 3), 1);
    assert_int_equal(offset, 5);
    assert_int_equal(convert_memfile_copy(fd, from, &offset, 5), 1);
    char all[13] = "";
    assert_int_equal(pread(fd, all, sizeof all - 1, 0), 12);
    assert_string_equal(all, "four23456789");
    assert_int_equal(convert_memfile_copy(fd, from, &offset, 1), -1); /* there is no more */
    close(fd);
    close(from);
}

static void test_reads_no_more_than_it_may(void **state)
{
    (void)state;
    size_t len = 0;
    int fd = new_file();
    char *all = convert_memfile_read(fd, 0, 4, &len);
    assert_non_null(all);
    assert_int_equal(len, 4);
    assert_string_equal(all, "four");
    free(all);
    char *rest = convert_memfile_read(fd, 1, 3, &len);
    assert_non_null(rest);
    assert_int_equal(len, 3);
    assert_string_equal(rest, "our");
    free(rest);
    assert_null(convert_memfile_read(fd, 0, 3, &len));
    assert_null(convert_memfile_read(fd, 5, 100, &len)); /* beyond its end */
    assert_null(convert_memfile_read_start(fd, 5));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_files_are_bounded),        cmocka_unit_test(test_sealed_memory_files_stay),
        cmocka_unit_test(test_files_with_a_writer_are_refused), cmocka_unit_test(test_files_with_a_reader_are_taken),
        cmocka_unit_test(test_frozen_files_can_be_named),       cmocka_unit_test(test_copies_in_pieces),
        cmocka_unit_test(test_reads_no_more_than_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
