/* What a service manager passes and hears; the manager is played by the test. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "base/systemd.h"

static void set_number(const char *variable, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    setenv(variable, text, 1);
}

static int clean(void **state)
{
    static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                         "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    return 0;
}

static void a_watchdog_is_for_one_process(void **state)
{
    static const struct {
        const char *usec;
        int pid; /* 0: not set, 1: ours, 2: another's */
        int64_t ms;
    } rows[] = { { "2000000", 1, 2000 },
                 { "2000000", 0, 2000 },
                 { "2000000", 2, 0 },
                 { NULL, 1, 0 },
                 { "", 1, 0 },
                 { "0", 1, 0 },
                 { "-5", 1, 0 },
                 { "1s", 1, 0 },
                 { "1", 1, 1 },
                 { "999", 0, 1 },
                 { "180000000", 1, 180000 },
                 { "9999999999999999999999", 1, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        clean(state);
        if (rows[i].usec)
            setenv("WATCHDOG_USEC", rows[i].usec, 1);
        if (rows[i].pid)
            set_number("WATCHDOG_PID", getpid() + (rows[i].pid == 2));
        assert_int_equal(systemd_watchdog_ms(), rows[i].ms);
    }
}

/* One in the file system, one of no name there. */
static void states_are_told(void **state)
{
    char folder[] = "/tmp/systemd.XXXXXX", path[64], text[200];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    for (int is_abstract = 0; is_abstract < 2; is_abstract++) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        memcpy(address.sun_path, path, strlen(path));
        if (is_abstract)
            address.sun_path[0] = '\0';
        int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        assert_int_equal(bind(server, (struct sockaddr *)&address, len), 0);
        char name[64];
        snprintf(name, sizeof name, "%c%s", is_abstract ? '@' : '/', path + 1);
        setenv("NOTIFY_SOCKET", name, 1);
        systemd_notify("READY=1");
        assert_int_equal(recv(server, text, sizeof text, 0), 7);
        assert_memory_equal(text, "READY=1", 7);
        systemd_notify_reloading();
        ssize_t got = recv(server, text, sizeof text - 1, 0);
        assert_true(got > 0);
        text[got] = '\0';
        long long usec = 0;
        assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
        assert_true(usec > 0);
        close(server);
    }
    unlink(path);
    rmdir(folder);
    setenv("NOTIFY_SOCKET", "relative", 1);
    systemd_notify("READY=1"); /* nobody, and nothing happens */
}

/* A manager that has stopped reading: none of these may block. */
static void a_manager_that_does_not_read_stops_nobody(void **state)
{
    char folder[] = "/tmp/systemd.XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path));
    int server = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    for (int i = 0; i < 3000; i++)
        systemd_notify("WATCHDOG=1");
    close(server);
    unlink(path);
    rmdir(folder);
}

static int listening(const char *path, int family)
{
    struct sockaddr_in ip = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    if (path)
        memcpy(local.sun_path, path, strlen(path));
    int fd = socket(family, SOCK_STREAM, 0);
    const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&ip : (struct sockaddr *)&local;
    assert_int_equal(bind(fd, address, family == AF_INET ? sizeof ip : sizeof local), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

/* The numbers from 3 on are the test program's own: what is there is put aside. */
struct numbers {
    int aside[3];
};

static void pass(struct numbers *numbers, const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        numbers->aside[i] = fcntl(3 + i, F_DUPFD_CLOEXEC, 100);
        assert_int_equal(dup2(fds[i], 3 + i), 3 + i);
    }
}

static void restore(const struct numbers *numbers, int count)
{
    for (int i = 0; i < count; i++) {
        if (numbers->aside[i] >= 0) {
            dup2(numbers->aside[i], 3 + i);
            close(numbers->aside[i]);
        } else {
            close(3 + i);
        }
    }
}

static void sockets_are_found_by_their_address(void **state)
{
    char folder[] = "/tmp/systemd.XXXXXX", path[64], address[64];
    const char *name, *left;
    char *error;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    int fds[2] = { fcntl(listening(NULL, AF_INET), F_DUPFD, 50), fcntl(listening(path, AF_UNIX), F_DUPFD, 50) };
    struct sockaddr_in bound = { 0 };
    socklen_t len = sizeof bound;
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&bound, &len), 0);
    struct numbers numbers;
    pass(&numbers, fds, 2);
    set_number("LISTEN_FDS", 2);
    set_number("LISTEN_PID", getpid());
    setenv("LISTEN_FDNAMES", "smtp:lmtp", 1);
    struct systemd_sockets *sockets = systemd_sockets_new(&error);
    assert_non_null(sockets);
    assert_null(getenv("LISTEN_FDS")); /* a child must not take them for its own */

    assert_int_equal(systemd_sockets_take(sockets, "127.0.0.1:1"), -1);
    snprintf(address, sizeof address, "0.0.0.0:%u", ntohs(bound.sin_port));
    assert_int_equal(systemd_sockets_take(sockets, address), -1); /* which is more than was opened */
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(bound.sin_port));
    assert_int_equal(systemd_sockets_take(sockets, address), 3);
    assert_int_equal(systemd_sockets_take(sockets, address), -1);
    assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
    assert_true(systemd_sockets_left(sockets, &name, &left));
    assert_string_equal(name, "lmtp");
    char unix_address[80];
    snprintf(unix_address, sizeof unix_address, "unix:%s", path);
    assert_string_equal(left, unix_address);
    assert_int_equal(systemd_sockets_take(sockets, unix_address), 4);
    assert_false(systemd_sockets_left(sockets, &name, &left));
    systemd_sockets_free(&sockets);
    restore(&numbers, 2);
    close(fds[0]);
    close(fds[1]);
    unlink(path);
    rmdir(folder);
}

static void what_is_another_processs_is_left_alone(void **state)
{
    char *error;
    const char *name, *address;
    (void)state;
    set_number("LISTEN_FDS", 2);
    set_number("LISTEN_PID", getpid() + 1);
    struct systemd_sockets *sockets = systemd_sockets_new(&error);
    assert_non_null(sockets);
    assert_false(systemd_sockets_left(sockets, &name, &address));
    systemd_sockets_free(&sockets);
}

static void too_many_are_refused(void **state)
{
    char *error;
    (void)state;
    set_number("LISTEN_FDS", 65);
    set_number("LISTEN_PID", getpid());
    assert_null(systemd_sockets_new(&error));
    assert_non_null(strstr(error, "more than 64"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_watchdog_is_for_one_process, clean, clean),
        cmocka_unit_test_setup_teardown(states_are_told, clean, clean),
        cmocka_unit_test_setup_teardown(a_manager_that_does_not_read_stops_nobody, clean, clean),
        cmocka_unit_test_setup_teardown(sockets_are_found_by_their_address, clean, clean),
        cmocka_unit_test_setup_teardown(what_is_another_processs_is_left_alone, clean, clean),
        cmocka_unit_test_setup_teardown(too_many_are_refused, clean, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
