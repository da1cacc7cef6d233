#include "base/ipc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Goes before the payload. The kernel drops descriptors for which the receiver has no room; fd_count shows it. */
struct header {
    uint32_t type;
    uint32_t fd_count;
};

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

int ipc_pair(int fds_out[static 2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds_out) < 0)
        return -1;
    if (set_nonblocking(fds_out[0]))
        return 1;
    int saved = errno;
    close(fds_out[0]);
    close(fds_out[1]);
    errno = saved;
    return -1;
}

/* sendmsg() takes its input through pointers to non-const; it does not write there. */
static void *without_const(const void *data)
{
    union {
        const void *in; /* cppcheck-suppress unusedStructMember ; set when it is made */
        void *out;
    } both = { .in = data };
    return both.out;
}

int ipc_send(int socket, uint32_t type, const void *payload, size_t len, const int *fds, size_t fd_count)
{
    assert(len <= IPC_PAYLOAD_MAX && fd_count <= IPC_FDS_MAX);

    struct header header = { .type = type, .fd_count = (uint32_t)fd_count };
    struct iovec parts[2] = { { &header, sizeof header }, { without_const(payload), len } };
    union control control;
    struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len > 0 ? 2 : 1 };

    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        assert(cmsg); /* there is room */
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
    }

    ssize_t sent;
    do
        sent = sendmsg(socket, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    return 1;
}

/* Takes over every descriptor that came along, whatever the rest of the message looks like. */
static void collect_fds(struct msghdr *msg, struct ipc_message *message)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof fd, sizeof fd);
            if (message->fd_count < IPC_FDS_MAX)
                message->fds[message->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

int ipc_receive(int socket, struct ipc_message *message)
{
    struct header header = { 0 };
    struct iovec parts[2] = { { &header, sizeof header }, { message->payload, sizeof message->payload } };
    union control control;
    struct msghdr msg = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = control.space, .msg_controllen = sizeof control.space
    };

    message->len = 0;
    message->fd_count = 0;
    ssize_t got;
    do
        got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? 0 : -1;

    collect_fds(&msg, message);
    if ((size_t)got < sizeof header || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        header.fd_count != message->fd_count) {
        ipc_close_fds(message);
        errno = got == 0 ? ECONNRESET : EPROTO; /* an empty message looks like the end, and is treated so */
        return -1;
    }
    message->type = header.type;
    message->len = (size_t)got - sizeof header;
    return 1;
}

void ipc_close_fds(struct ipc_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        close(message->fds[i]);
    message->fd_count = 0;
}
