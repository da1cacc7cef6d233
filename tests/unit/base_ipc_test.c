/* Messages with descriptors: what is sent arrives, and nothing that a peer sends does harm. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ipc.h"
#include "base/xmalloc.h"

struct fixture {
    int ends[2]; /* the first never blocks */
    struct ipc_message message;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    assert_int_equal(ipc_pair(f->ends), 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->ends[0]);
    if (f->ends[1] >= 0)
        close(f->ends[1]);
    free(f);
    return 0;
}

/* The lowest free number: descriptors that leak push it up. */
static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

static bool is_same_file(int a, int b)
{
    struct stat as, bs;
    return fstat(a, &as) == 0 && fstat(b, &bs) == 0 && as.st_dev == bs.st_dev && as.st_ino == bs.st_ino;
}

static void test_payload_sizes(void **state)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, IPC_PAYLOAD_MAX - 1, IPC_PAYLOAD_MAX };
    struct fixture *f = *state;
    uint8_t *payload = xmalloc(IPC_PAYLOAD_MAX);
    for (size_t i = 0; i < IPC_PAYLOAD_MAX; i++)
        payload[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(ipc_send(f->ends[1], 0xfffffff0U + (uint32_t)i, payload, sizes[i], NULL, 0), 1);
        assert_int_equal(ipc_receive(f->ends[0], &f->message), 1);
        assert_int_equal(f->message.type, 0xfffffff0U + (uint32_t)i);
        assert_int_equal(f->message.len, sizes[i]);
        assert_memory_equal(f->message.payload, payload, sizes[i]);
        assert_int_equal(f->message.fd_count, 0);
    }
    free(payload);
}

static void test_descriptors_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    int fds[IPC_FDS_MAX];
    for (int i = 0; i < IPC_FDS_MAX; i++)
        fds[i] = memfd_create("ipc", MFD_CLOEXEC);
    for (size_t count = 0; count <= IPC_FDS_MAX; count++) {
        int before = next_descriptor();
        assert_int_equal(ipc_send(f->ends[0], 5, "x", 1, fds, count), 1);
        assert_int_equal(ipc_receive(f->ends[1], &f->message), 1);
        assert_int_equal(f->message.fd_count, count);
        for (size_t i = 0; i < count; i++) {
            assert_true(is_same_file(f->message.fds[i], fds[i]));
            assert_int_equal(fcntl(f->message.fds[i], F_GETFD), FD_CLOEXEC);
        }
        ipc_close_fds(&f->message);
        assert_int_equal(f->message.fd_count, 0);
        assert_int_equal(next_descriptor(), before);
    }
    for (int i = 0; i < IPC_FDS_MAX; i++)
        assert_int_equal(close(fds[i]), 0); /* they stayed the sender's */
}

static void test_boundaries_are_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ipc_send(f->ends[1], 1, "one", 3, NULL, 0), 1);
    assert_int_equal(ipc_send(f->ends[1], 2, "second", 6, NULL, 0), 1);
    assert_int_equal(ipc_receive(f->ends[0], &f->message), 1);
    assert_int_equal(f->message.len, 3);
    assert_int_equal(ipc_receive(f->ends[0], &f->message), 1);
    assert_int_equal(f->message.type, 2);
    assert_memory_equal(f->message.payload, "second", 6);
    assert_int_equal(ipc_receive(f->ends[0], &f->message), 0);
}

static void test_full_socket_would_block(void **state)
{
    struct fixture *f = *state;
    static const uint8_t payload[IPC_PAYLOAD_MAX];
    int sent = 0;
    int result;
    while ((result = ipc_send(f->ends[0], 1, payload, sizeof payload, NULL, 0)) == 1)
        sent++;
    assert_int_equal(result, 0);
    assert_in_range(sent, 1, 1000);
    assert_int_equal(ipc_receive(f->ends[1], &f->message), 1);
    assert_int_equal(ipc_send(f->ends[0], 1, payload, sizeof payload, NULL, 0), 1);
}

static void test_peer_gone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ipc_send(f->ends[1], 9, "last", 4, NULL, 0), 1);
    close(f->ends[1]);
    f->ends[1] = -1;
    assert_int_equal(ipc_receive(f->ends[0], &f->message), 1); /* what was said before the end still counts */
    assert_int_equal(ipc_receive(f->ends[0], &f->message), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(ipc_send(f->ends[0], 1, "x", 1, NULL, 0), -1); /* and no SIGPIPE */
}

/* What a compromised peer may put on the wire. */
struct raw {
    const char *what;
    size_t len;        /* of the whole datagram, all zero bytes but ... */
    uint32_t fd_count; /* ... this claim in the header */
    size_t fds;        /* that come along */
    int expected;      /* of ipc_receive() */
    int error;
};

enum { RAW_FDS_MAX = 8, HEADER_SIZE = 8 };

static void send_raw(int socket, const struct raw *raw)
{
    static uint8_t bytes[IPC_PAYLOAD_MAX + 64];
    memset(bytes, 0, HEADER_SIZE);
    memcpy(bytes + 4, &raw->fd_count, sizeof raw->fd_count);
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * RAW_FDS_MAX)];
    } control = { 0 };
    struct iovec part = { bytes, raw->len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    if (raw->fds > 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * raw->fds);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * raw->fds);
        for (size_t i = 0; i < raw->fds; i++) {
            int fd = STDERR_FILENO;
            memcpy(CMSG_DATA(cmsg) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    assert_int_equal(sendmsg(socket, &msg, 0), raw->len);
}

static void test_malformed(void **state)
{
    static const struct raw table[] = {
        { "shortest good one", 8, 0, 0, 1, 0 },
        { "longest good one", HEADER_SIZE + IPC_PAYLOAD_MAX, 0, 0, 1, 0 },
        { "good one with descriptors", 9, 4, 4, 1, 0 },
        { "empty: looks like the end", 0, 0, 0, -1, ECONNRESET },
        { "empty with a descriptor", 0, 0, 1, -1, ECONNRESET },
        { "half a header", 7, 0, 0, -1, EPROTO },
        { "one byte too long", HEADER_SIZE + IPC_PAYLOAD_MAX + 1, 0, 0, -1, EPROTO },
        { "too long, with descriptors", HEADER_SIZE + IPC_PAYLOAD_MAX + 1, 2, 2, -1, EPROTO },
        { "fewer descriptors than claimed", 8, 2, 1, -1, EPROTO },
        { "more descriptors than claimed", 8, 1, 2, -1, EPROTO },
        { "undeclared descriptor", 8, 0, 1, -1, EPROTO },
        { "claim of many", 8, 0xffffffff, 0, -1, EPROTO },
        { "too many descriptors, honest", 8, 5, 5, -1, EPROTO },
        { "too many descriptors, cut to a good number", 8, 4, 8, -1, EPROTO },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int before = next_descriptor();
        send_raw(f->ends[1], &table[i]);
        int got = ipc_receive(f->ends[0], &f->message);
        int error = errno;
        if (got != table[i].expected || (got < 0 && error != table[i].error))
            fail_msg("%s: returned %d, errno %d", table[i].what, got, error);
        ipc_close_fds(&f->message);
        assert_int_equal(next_descriptor(), before);
        assert_int_equal(ipc_receive(f->ends[0], &f->message), 0); /* and nothing of it is left over */
    }
}

static void test_pair_is_close_on_exec_and_one_end_blocks(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fcntl(f->ends[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(f->ends[1], F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(f->ends[0], F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(f->ends[1], F_GETFL) & O_NONBLOCK) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_payload_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_arrive_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_boundaries_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_socket_would_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peer_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pair_is_close_on_exec_and_one_end_blocks, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
