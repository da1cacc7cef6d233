/* base_resolver_sandbox_test.c - what a resolver in a stranger's hands can't do
 *
 * Under sanitizers there is no filter of system calls, so the build makes this program a second time without them.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/resolver_sandbox.h"

/* Each says whether it could; fd is a UDP socket from before. */

static bool tells_kernel_whom_to_signal(int fd)
{
    return fcntl(fd, F_SETOWN, getppid()) == 0 || fcntl(fd, F_SETSIG, SIGKILL) == 0;
}

static bool kills_its_parent(int fd)
{
    (void)fd;
    return kill(getppid(), 0) == 0;
}

static bool opens(int domain, int type, int protocol)
{
    int fd = socket(domain, type, protocol);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool opens_a_unix_socket(int fd)
{
    (void)fd;
    return opens(AF_UNIX, SOCK_DGRAM, 0);
}

static bool opens_a_raw_socket(int fd)
{
    (void)fd;
    return opens(AF_INET, SOCK_RAW, IPPROTO_ICMP) || opens(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static bool opens_a_file(int fd)
{
    (void)fd;
    int file = open("/dev/null", O_RDONLY);
    return file >= 0;
}

static bool forks(int fd)
{
    (void)fd;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool asks_by_udp_and_tcp(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && opens(AF_INET, SOCK_DGRAM, 0) &&
           opens(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP) &&
           opens(AF_INET, SOCK_STREAM, IPPROTO_TCP) && opens(AF_INET6, SOCK_STREAM, 0);
}

static const struct {
    const char *name;
    bool (*does)(int fd);
    bool is_allowed;
} deeds[] = {
    { "tells the kernel whom to signal", tells_kernel_whom_to_signal, false },
    { "kills", kills_its_parent, false },
    { "opens a unix socket", opens_a_unix_socket, false },
    { "opens a raw socket", opens_a_raw_socket, false },
    { "opens a file", opens_a_file, false },
    { "forks", forks, false },
    { "asks by UDP and TCP", asks_by_udp_and_tcp, true },
};

static void test_deeds(void **state)
{
    (void)state;
#ifdef POSTERN_SANITIZE
    skip();
#endif
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            const char *step;
            int fd = socket(AF_INET, SOCK_DGRAM, 0);
            _exit(resolver_sandbox_enter(&step) < 0 ? 2 : deeds[i].does(fd));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != deeds[i].is_allowed)
            fail_msg("%s: status %d", deeds[i].name, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_deeds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
