/* Whatever datagrams a peer sends, with whatever descriptors: no crash, no descriptor left, and only well-formed
 * messages accepted.
 *
 * Input: datagrams, each as one byte (how many descriptors, in its low three bits), a length of two bytes
 * (big-endian) and so many bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FDS_MAX = 7 };

static void check(int holds)
{
    if (!holds)
        abort();
}

static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

static void send_datagram(int socket, uint8_t *bytes, size_t len, size_t fds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control = { 0 };
    struct iovec part = { bytes, len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fds > 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fds);
        for (size_t i = 0; i < fds; i++) {
            int fd = STDERR_FILENO;
            memcpy(CMSG_DATA(cmsg) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    check(sendmsg(socket, &msg, 0) == (ssize_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[UINT16_MAX];
    static struct ipc_message message;
    int ends[2];
    check(ipc_pair(ends) == 1);
    int before = next_descriptor();

    while (size >= 3) {
        size_t fds = data[0] & FDS_MAX;
        size_t len = (size_t)data[1] << 8 | data[2];
        data += 3;
        size -= 3;
        size_t given = len < size ? len : size; /* the rest is zeroes, so that short inputs make long datagrams too */
        memset(bytes, 0, len);
        memcpy(bytes, data, given);
        data += given;
        size -= given;

        send_datagram(ends[1], bytes, len, fds);
        int got = ipc_receive(ends[0], &message);
        check(got == 1 || got == -1);
        check(got == -1 || (message.len + 8 == len && message.fd_count == fds));
        check(got == -1 || memcmp(message.payload, bytes + 8, message.len) == 0);
        ipc_close_fds(&message);
        check(next_descriptor() == before);
        check(ipc_receive(ends[0], &message) == 0);
    }
    close(ends[0]);
    close(ends[1]);
    return 0;
}
