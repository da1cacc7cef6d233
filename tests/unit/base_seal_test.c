#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/seal.h"
#include "base/xmalloc.h"

enum { PIECE = 64 * 1024, HEAD = 8 + 24, EXTRA = 17 };
static const char about[] = "bob@example.com";
static char directory[64];

static char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static struct seal_key *new_key(const char *name)
{
    struct seal_key *key = NULL;
    char *error = NULL;
    assert_int_equal(seal_key_make(path_of(name), &key, &error), 1);
    assert_null(error);
    return key;
}

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/seal-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[200];
    static const char *const names[] = { "hold.key", "other.key", "short.key", "open.key", "hold.key.new" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    snprintf(command, sizeof command, "%s", directory);
    return rmdir(command);
}

static int64_t read_pattern(void *ctx, int64_t offset, void *out, size_t len)
{
    int64_t size = *(int64_t *)ctx;
    if (len > 1000)
        len = 1000; /* sources may bring less than was asked for */
    for (size_t i = 0; i < len; i++) {
        if (offset + (int64_t)i >= size)
            return (int64_t)i;
        ((uint8_t *)out)[i] = (uint8_t)((offset + (int64_t)i) * 31 >> 3);
    }
    return (int64_t)len;
}

static int memory_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int sealed_file(const struct seal_key *key, int64_t size)
{
    int fd = memory_file();
    assert_int_equal(seal_file(key, about, read_pattern, &size, size, fd), 1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), seal_file_size(size));
    return fd;
}

static int try_to_open(const struct seal_key *key, const char *words, int fd)
{
    int64_t size = 0;
    int out = memory_file();
    int result = seal_open_file(key, words, fd, out, &size);
    close(out);
    return result;
}

static void opens_what_it_has_sealed_whatever_its_size(void **state)
{
    (void)state;
    static const int64_t sizes[] = { 0, 1, 1000, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5 * PIECE + 7 };
    struct seal_key *key = new_key("hold.key");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int64_t size = -1, wanted = sizes[i];
        int fd = sealed_file(key, wanted), out = memory_file();
        assert_int_equal(seal_open_file(key, about, fd, out, &size), 1);
        assert_int_equal(size, wanted);
        uint8_t *got = xmalloc((size_t)wanted + 1), *expected = xmalloc((size_t)wanted + 1);
        assert_int_equal(pread(out, got, (size_t)wanted + 1, 0), wanted);
        for (int64_t at = 0; at < wanted;)
            at += read_pattern(&wanted, at, expected + at, (size_t)(wanted - at));
        assert_memory_equal(got, expected, (size_t)wanted);
        free(got);
        free(expected);
        close(fd);
        close(out);
    }
    seal_key_free(&key);
    assert_null(key);
}

static void shows_nothing_of_what_it_has_sealed(void **state)
{
    (void)state;
    static const char secret[] = "Subject: the secret plan";
    struct seal_key *key = new_key("hold.key");
    size_t len = 0;
    uint8_t *sealed = seal_text(key, about, secret, strlen(secret), &len);
    uint8_t *again = seal_text(key, about, secret, strlen(secret), &len);
    assert_null(memmem(sealed, len, "secret", 6));
    assert_memory_not_equal(sealed, again, len); /* nor that two are the same */
    free(sealed);
    free(again);
    seal_key_free(&key);
}

/* Writes one octet. */
static void spoil(int fd, int64_t offset)
{
    uint8_t octet = 0;
    assert_int_equal(pread(fd, &octet, 1, (off_t)offset), 1);
    octet ^= 0x40;
    assert_int_equal(pwrite(fd, &octet, 1, (off_t)offset), 1);
}

static void swap_pieces(int fd)
{
    enum { LONG = PIECE + EXTRA };
    uint8_t *first = xmalloc(LONG), *second = xmalloc(LONG);
    assert_int_equal(pread(fd, first, LONG, HEAD), LONG);
    assert_int_equal(pread(fd, second, LONG, HEAD + LONG), LONG);
    assert_int_equal(pwrite(fd, second, LONG, HEAD), LONG);
    assert_int_equal(pwrite(fd, first, LONG, HEAD + LONG), LONG);
    free(first);
    free(second);
}

static void does_not_open_what_was_tampered_with(void **state)
{
    (void)state;
    struct seal_key *key = new_key("hold.key"), *other = new_key("other.key");
    const int64_t size = 2 * PIECE + 100;
    static const int64_t spoiled[] = { 0, 7, 8, 31, HEAD, HEAD + 1, HEAD + PIECE + 16, HEAD + PIECE + 17 };
    static const int64_t cuts[] = { 0, 8, 31, 32, HEAD + 10, HEAD + PIECE + EXTRA, HEAD + 2 * (PIECE + EXTRA) };
    for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
        int fd = sealed_file(key, size);
        spoil(fd, spoiled[i]);
        assert_int_equal(try_to_open(key, about, fd), 0);
        close(fd);
    }
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        int fd = sealed_file(key, size);
        assert_int_equal(ftruncate(fd, (off_t)cuts[i]), 0);
        assert_int_equal(try_to_open(key, about, fd), 0);
        close(fd);
    }
    int fd = sealed_file(key, size);
    assert_int_equal(try_to_open(key, about, fd), 1);
    assert_int_equal(try_to_open(other, about, fd), 0);
    assert_int_equal(try_to_open(key, "eve@example.com", fd), 0);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)seal_file_size(size)), 1);
    assert_int_equal(try_to_open(key, about, fd), 0);
    close(fd);
    fd = sealed_file(key, size);
    swap_pieces(fd);
    assert_int_equal(try_to_open(key, about, fd), 0);
    close(fd);
    seal_key_free(&key);
    seal_key_free(&other);
}

static void says_when_its_source_or_the_disk_ends_early(void **state)
{
    (void)state;
    struct seal_key *key = new_key("hold.key");
    int64_t size = 100;
    int fd = memory_file();
    assert_int_equal(seal_file(key, about, read_pattern, &size, 101, fd), -1);
    assert_int_equal(errno, EIO);
    close(fd);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(seal_file(key, about, read_pattern, &size, 100, fd), -1);
    assert_int_equal(errno, ENOSPC);
    int sealed = sealed_file(key, 100);
    assert_int_equal(seal_open_file(key, about, sealed, fd, &size), -1);
    close(sealed);
    close(fd);
    seal_key_free(&key);
}

static void opens_texts_only_whole_and_with_their_key(void **state)
{
    (void)state;
    struct seal_key *key = new_key("hold.key"), *other = new_key("other.key");
    size_t sealed_len = 0, len = 0;
    char *text = NULL;
    uint8_t *sealed = seal_text(key, about, "one\ntwo", 7, &sealed_len);
    assert_int_equal(seal_open_text(key, about, sealed, sealed_len, &text, &len), 1);
    assert_int_equal(len, 7);
    assert_string_equal(text, "one\ntwo");
    free(text);
    assert_int_equal(seal_open_text(other, about, sealed, sealed_len, &text, &len), 0);
    assert_int_equal(seal_open_text(key, "x", sealed, sealed_len, &text, &len), 0);
    for (size_t cut = 0; cut < sealed_len; cut++)
        assert_int_equal(seal_open_text(key, about, sealed, cut, &text, &len), 0);
    for (size_t i = 0; i < sealed_len; i++) {
        sealed[i] ^= 1;
        assert_int_equal(seal_open_text(key, about, sealed, sealed_len, &text, &len), 0);
        sealed[i] ^= 1;
    }
    free(sealed);
    sealed = seal_text(key, about, "", 0, &sealed_len);
    assert_int_equal(seal_open_text(key, about, sealed, sealed_len, &text, &len), 1);
    assert_string_equal(text, "");
    free(text);
    free(sealed);
    seal_key_free(&key);
    seal_key_free(&other);
}

static void keeps_its_key_in_a_file_of_its_own(void **state)
{
    (void)state;
    struct seal_key *made = new_key("hold.key"), *loaded = NULL, *other = new_key("other.key");
    char *error = NULL, ids[3][SEAL_ID_SIZE];
    struct stat info;
    assert_int_equal(stat(path_of("hold.key"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_size, SEAL_KEY_SIZE);
    assert_int_equal(access(path_of("hold.key.new"), F_OK), -1);
    assert_int_equal(seal_key_load(path_of("hold.key"), &loaded, &error), 1);
    seal_key_id(made, ids[0]);
    seal_key_id(loaded, ids[1]);
    seal_key_id(other, ids[2]);
    assert_string_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[0], ids[2]);
    assert_int_equal(strlen(ids[0]), 16);
    uint8_t digests[2][SEAL_DIGEST_SIZE];
    seal_key_digest(made, "a", 1, digests[0]);
    seal_key_digest(loaded, "a", 1, digests[1]);
    assert_memory_equal(digests[0], digests[1], SEAL_DIGEST_SIZE);
    seal_key_digest(other, "a", 1, digests[1]);
    assert_memory_not_equal(digests[0], digests[1], SEAL_DIGEST_SIZE);
    seal_key_free(&made);
    seal_key_free(&loaded);
    seal_key_free(&other);
}

static void refuses_files_that_are_no_key(void **state)
{
    (void)state;
    struct seal_key *key = NULL;
    char *error = NULL;
    assert_int_equal(seal_key_load(path_of("none.key"), &key, &error), 0);
    assert_non_null(strstr(error, "none.key"));
    free(error);
    int fd = open(path_of("short.key"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    close(fd);
    assert_int_equal(seal_key_load(path_of("short.key"), &key, &error), -1);
    assert_non_null(strstr(error, "holds 10 bytes; a key has 32"));
    free(error);
    key = new_key("open.key");
    seal_key_free(&key);
    assert_int_equal(chmod(path_of("open.key"), 0644), 0);
    assert_int_equal(seal_key_load(path_of("open.key"), &key, &error), -1);
    assert_null(key);
    free(error);
    assert_int_equal(seal_key_make(path_of("open.key"), &key, &error), 0); /* what is there stays */
    assert_null(key);
    free(error);
    assert_int_equal(seal_key_make("/nonexistent/hold.key", &key, &error), -1);
    assert_non_null(strstr(error, "/nonexistent/hold.key"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_what_it_has_sealed_whatever_its_size, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_nothing_of_what_it_has_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_open_what_was_tampered_with, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_its_source_or_the_disk_ends_early, setup, teardown),
        cmocka_unit_test_setup_teardown(opens_texts_only_whole_and_with_their_key, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_its_key_in_a_file_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_files_that_are_no_key, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
