/* base_resolver_system_test.c - which resolvers a resolv.conf names */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/resolver_system.h"

enum { GOT_SIZE = 200 };

static const struct {
    const char *file, *servers;
} rows[] = {
    { "nameserver 192.0.2.1\nnameserver 2001:db8::1\n", "192.0.2.1 2001:db8::1 " },
    { "search example.com\n \tnameserver\t192.0.2.1 # the first\r\noptions edns0\n", "192.0.2.1 " },
    { "nameserver 192.0.2.1", "192.0.2.1 " },
    /* an interface has become a number, which is 1 for this one on every Linux */
    { "nameserver fe80::1%lo\nnameserver fe80::2%1\n", "fe80::1%1 fe80::2%1 " },
    { "nameserver fe80::1%gone\nnameserver fe80::1%\nnameserver fe80::1%0\nnameserver 192.0.2.1%lo\n", "" },
    { "nameserver dns.example\nnameserver\nnameserver 192.0.2\n#nameserver 192.0.2.1\nnameservers 192.0.2.1\n", "" },
    { "", "" },
};

static void note(const char *server, void *ctx)
{
    char *got = ctx;
    snprintf(got + strlen(got), GOT_SIZE - strlen(got), "%s ", server);
}

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[32], got[GOT_SIZE] = "";
        int fd = memfd_create("resolv.conf", MFD_CLOEXEC);
        assert_int_equal(write(fd, rows[i].file, strlen(rows[i].file)), strlen(rows[i].file));
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        unsigned count = resolver_system_read(path, note, got);
        assert_string_equal(got, rows[i].servers);
        assert_int_equal(count > 0, got[0] != '\0');
        close(fd);
    }
    assert_int_equal(resolver_system_read("/proc/self/fd/no", note, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_files) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
