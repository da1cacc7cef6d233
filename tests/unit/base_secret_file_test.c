#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret_file.h"

enum { MAX = 8 };

static void makes_sure_that_it_is_kept_safe(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *says; /* NULL: it is taken */
    } rows[] = {
        { "secret", 0600, NULL },
        { "secret", 0400, NULL },
        { "secret", 0640, NULL },
        { "", 0600, NULL },
        { "12345678", 0600, NULL },
        { "123456789", 0600, "holds more than 8 bytes" },
        { "secret", 0644, "open to more than its owner and group" },
        { "secret", 0604, "open to more than its owner and group" },
        { "secret", 0602, "open to more than its owner and group" },
        { "secret", 0660, "open to more than its owner and group" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[] = "/tmp/secret-file-XXXXXX", *text = NULL, *error = NULL;
        size_t len = 0;
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)), strlen(rows[i].text));
        assert_int_equal(fchmod(fd, rows[i].mode), 0);
        close(fd);
        assert_int_equal(secret_file_read(path, MAX, &text, &len, &error), rows[i].says ? -1 : 1);
        unlink(path);
        if (rows[i].says) {
            assert_ptr_equal(strstr(error, path), error);
            assert_non_null(strstr(error, rows[i].says));
        } else {
            assert_string_equal(text, rows[i].text);
            assert_int_equal(len, strlen(rows[i].text));
            free(text);
        }
        free(error);
    }
}

static void takes_regular_files_only(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int result;
        const char *says;
    } rows[] = {
        { "/nowhere/secret", 0, "No such file" },
        { "/tmp", -1, "not a regular file" },
        { "/dev/null", -1, "not a regular file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = NULL, *error = NULL;
        size_t len;
        assert_int_equal(secret_file_read(rows[i].path, MAX, &text, &len, &error), rows[i].result);
        assert_non_null(strstr(error, rows[i].says));
        free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_sure_that_it_is_kept_safe),
        cmocka_unit_test(takes_regular_files_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
